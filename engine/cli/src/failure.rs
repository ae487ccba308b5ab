//! Why a command failed: what, where, and the next step; and the exit code it gives.

use std::fmt::Display;
use std::path::Path;

use tallywatt_ingest::documents::DocumentError;
use tallywatt_node::books::BooksError;
use tallywatt_node::intake::IntakeError;
use tallywatt_node::ledger_folder::LedgerError;
use tallywatt_node::node::NodeError;
use tallywatt_node::node_folder::FolderError;
use tallywatt_node::prove::ProveError;
use tallywatt_shards::durable::DurableError;

/// Exit codes, as the documentation promises them.
pub mod code {
    /// Checked, and the answer is no.
    pub const NO: u8 = 1;
    /// Usage, or could not check.
    pub const USAGE: u8 = 2;
    /// Done, some input set aside.
    pub const SET_ASIDE: u8 = 3;
    /// Done, differences found.
    pub const DIFFERENCES: u8 = 4;
    /// No data folder.
    pub const NO_DATA: u8 = 10;
    /// In use by another process.
    pub const LOCKED: u8 = 11;
    /// A key is refused.
    pub const KEY: u8 = 12;
    /// No quorum.
    pub const NO_QUORUM: u8 = 13;
    /// Bad configuration.
    pub const CONFIG: u8 = 78;
    /// Interrupted; safe to run again.
    pub const INTERRUPTED: u8 = 130;
}

/// What a party does whose key must not be used any more.
const OTHER_KEYS: &str = "make other keys with `tallywatt keys next`, start the node, and have all three sign a motion for them: \
                          `tallywatt govern draft`; once it holds, start it again";

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// What and where.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A wrong argument or input.
    pub fn usage(what: impl Display, next: impl Display) -> Self {
        Self { what: what.to_string(), next: next.to_string(), code: code::USAGE }
    }

    /// A failure with its own code.
    pub fn with_code(code: u8, what: impl Display, next: impl Display) -> Self {
        Self { what: what.to_string(), next: next.to_string(), code }
    }

    /// The system refused to read or write a file.
    pub fn file(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let next = match error.kind() {
            std::io::ErrorKind::StorageFull => {
                "free some space, then run the same command again: nothing was lost"
            }
            std::io::ErrorKind::NotFound => "check the path",
            std::io::ErrorKind::PermissionDenied => "check who owns the file",
            _ => "mend the cause, then run the same command again",
        };
        Self::usage(format!("cannot {action} {}: {error}", path.display()), next)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let what = error.to_string();
        match error {
            LedgerError::Missing(_) => Self::with_code(
                code::NO_DATA,
                what,
                "make one with `tallywatt -C FOLDER init`, or see `tallywatt demo`",
            ),
            LedgerError::HalfMade(_) => Self::with_code(
                code::NO_DATA,
                what,
                "an init was interrupted there: remove the folder and run init again",
            ),
            LedgerError::ConfigLost(_) => Self::with_code(
                code::NO_DATA,
                what,
                "restore tallywatt.toml from a copy, or write it with the origin and currency of the first block; remove nothing",
            ),
            LedgerError::Exists(_) => Self::usage(what, "use it as it is, or name another folder with -C"),
            LedgerError::Locked(_) => {
                Self::with_code(code::LOCKED, what, "wait until it is done, or end the other process")
            }
            LedgerError::Config { .. } => {
                Self::with_code(code::CONFIG, what, "mend the line, then run `tallywatt config check`")
            }
            LedgerError::Node(error) => error.into(),
            LedgerError::Folder(error @ FolderError::LockLost(_)) => {
                Self::with_code(code::KEY, error, OTHER_KEYS)
            }
            LedgerError::Folder(error) => {
                Self::with_code(code::KEY, error, "restore the file from where secrets are kept")
            }
            LedgerError::Disk(error) => error.into(),
            LedgerError::Threads(_) => Self::usage(what, "give --threads between 1 and 64"),
            LedgerError::Unjoined(_) => Self::with_code(
                code::NO_DATA,
                what,
                "gather the cards of all three, then `tallywatt -C FOLDER join GRID.card BANK.card SUPPLIER.card`",
            ),
            LedgerError::Card(_) => Self::usage(what, "ask whose card it is for the right one"),
            LedgerError::Certificate(_) | LedgerError::Tls(_) | LedgerError::Genesis { .. } => {
                Self::with_code(code::KEY, what, "restore the file from where it was made")
            }
            LedgerError::Random(_) | LedgerError::Policy(_) => {
                Self::usage(what, "mend the cause and run it again")
            }
        }
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        let what = error.to_string();
        match error {
            NodeError::Books { source, .. } => source.into(),
            NodeError::Folder { source: FolderError::Malformed { .. } | FolderError::Key(_), .. } => {
                Self::with_code(code::KEY, what, "restore the file from where secrets are kept")
            }
            NodeError::Folder { source: FolderError::LockLost(_), .. } => {
                Self::with_code(code::KEY, what, OTHER_KEYS)
            }
            NodeError::Folder { source: FolderError::Disk(error), .. } => error.into(),
            NodeError::Running { is_quorum: true, .. } => {
                Self::with_code(code::NO_QUORUM, what, "start the nodes of the others, then run it again")
            }
            NodeError::Running { .. } => {
                Self::usage(what, "`tallywatt status` says how the node is, `tallywatt start` runs it")
            }
            _ => Self::usage(what, "run `tallywatt chain audit`: it names everything that is damaged"),
        }
    }
}

impl From<BooksError> for Failure {
    fn from(error: BooksError) -> Self {
        let what = error.to_string();
        let next = match error {
            BooksError::Nothing(_) => "nothing was changed; see `tallywatt chain log` for what is recorded",
            BooksError::Conflict(_) => "nothing was changed; mend the input and run it again",
            BooksError::NotKept { .. } => "nothing was changed; ask at the node of one who does",
            _ => "run `tallywatt chain audit`: it names everything that is damaged",
        };
        Self::usage(what, next)
    }
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Disk(error) => error.into(),
            IntakeError::Books(error) => error.into(),
            other => Self::usage(other, "what was acknowledged is safe; run `tallywatt chain audit`"),
        }
    }
}

impl From<DurableError> for Failure {
    fn from(error: DurableError) -> Self {
        match error {
            DurableError::Io { action, path, source } => Self::file(action, &path, &source),
            other => Self::usage(other, "check the path and the size of the file"),
        }
    }
}

impl From<ProveError> for Failure {
    fn from(error: ProveError) -> Self {
        let what = error.to_string();
        match error {
            ProveError::NotSealed { .. } => Self::with_code(
                code::NO_QUORUM,
                what,
                "see `tallywatt chain status` for who did not sign, and why",
            ),
            ProveError::Books(error) => error.into(),
            ProveError::Nothing(_) => {
                Self::usage(what, "see `tallywatt bill list` and `tallywatt readings totals`")
            }
            _ => Self::usage(what, "run `tallywatt chain audit`: it names everything that is damaged"),
        }
    }
}

impl From<DocumentError> for Failure {
    fn from(error: DocumentError) -> Self {
        Self::usage(&error, error.next_step())
    }
}
