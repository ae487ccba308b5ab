//! A data folder: its config, its lock, the three nodes in it.
//!
//! ```text
//! <data>/tallywatt.toml    written last by init: a folder without it is no ledger
//!        LOCK              held while a command runs
//!        trust.policy      C2SP tlog-policy: whose signatures count; give it to whoever verifies
//!        grid/ bank/ supplier/
//!        intake/ quarantine/
//! ```

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::tzdb_version;
use tallywatt_core::tariff::Currency;
use tallywatt_ledger::attesters::{Attesters, CommandKind};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::Genesis;
use tallywatt_ledger::key_history::KeyHistory;
use tallywatt_ledger::policy::Policy;
use tallywatt_shards::durable::{self, DurableError};
use tallywatt_shards::threads::{Threads, ThreadsError};

use crate::books::Input;
use crate::consortium::Consortium;
use crate::governing::{keep_policy, policy_of};
use crate::node::{Node, NodeError};
use crate::node_folder::{FolderError, NodeFolder};
use crate::peers::certificates::CertificateError;
use crate::peers::tls::TlsError;
use crate::running::card::CARD_NAME;
use crate::running::founding;
use crate::running::settings::{NodeConfig, NodeSettings};

/// The largest config file.
const CONFIG_SIZE_MAX: u64 = 64 * 1024;
/// The name of the config file.
pub const CONFIG_NAME: &str = "tallywatt.toml";
/// Held by who runs the nodes of a folder.
const LOCK_NAME: &str = "LOCK";
/// Held by one command at a time, beside a node that runs.
const OPERATOR_LOCK_NAME: &str = "OPERATOR";
/// The name of the trust policy.
pub const POLICY_NAME: &str = "trust.policy";

/// Settings of a data folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The log's C2SP origin: names the network.
    pub origin: String,
    /// Currency of the ledger.
    pub currency: String,
    /// Threads to compute with; 0 for as many as the machine has.
    #[serde(default)]
    pub threads: usize,
    /// How many files a day's readings are archived in.
    #[serde(default = "default_archive_shards")]
    pub archive_shards: u16,
    /// Where the folder holds one party's node: which, and where the others are.
    #[serde(default)]
    pub node: Option<NodeConfig>,
}

const fn default_archive_shards() -> u16 {
    1
}

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// [`LedgerError::Config`] with the line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, LedgerError> {
        let fail = |line: Option<usize>, problem: String| LedgerError::Config {
            path: path.to_owned(),
            line: line.unwrap_or(1),
            problem,
        };
        let config: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let key =
                line.and_then(|line| text.lines().nth(line - 1)).and_then(|line| line.split('=').next());
            // Some of the library's messages do not say which key they are about.
            match key.map(str::trim).filter(|key| !key.is_empty() && !error.message().contains(key)) {
                Some(key) => fail(line, format!("{key}: {}", error.message())),
                None => fail(line, error.message().to_owned()),
            }
        })?;
        let line_of = |key: &str| text.lines().position(|line| line.starts_with(key)).map(|at| at + 1);
        if config.currency.parse::<Currency>().is_err() {
            return Err(fail(
                line_of("currency"),
                format!("{:?} is not a currency code such as RUB", config.currency),
            ));
        }
        if config.threads > tallywatt_shards::threads::THREAD_COUNT_MAX {
            return Err(fail(line_of("threads"), format!("{} threads, at most 64", config.threads)));
        }
        if !(1..=256).contains(&config.archive_shards) {
            return Err(fail(
                line_of("archive_shards"),
                format!("{} shards, need 1 to 256", config.archive_shards),
            ));
        }
        if let Some(node) = &config.node {
            node.check().map_err(|(key, problem)| {
                let at = line_of(key).or_else(|| line_of(&format!("[node.{key}")));
                fail(at.or_else(|| line_of("[node]")), format!("node.{key}: {problem}"))
            })?;
        }
        Ok(config)
    }

    /// Whose node the folder holds, and where the others are, if it holds one.
    #[must_use]
    pub fn settings(&self) -> Option<NodeSettings> {
        self.node.as_ref().and_then(|node| node.check().ok())
    }

    /// The text of a new config.
    #[must_use]
    pub fn text(origin: &str, currency: Currency) -> String {
        format!(
            "# Tallywatt data folder. `tallywatt config check` reads it; unknown keys are errors.\n\n\
             # Names the network. Every signature is bound to it; it is in the first block and never changes.\n\
             origin = \"{origin}\"\n\n\
             # Currency of the ledger, ISO 4217.\n\
             currency = \"{currency}\"\n\n\
             # Threads to compute with; 0 takes as many as the machine has. Results do not depend on it.\n\
             threads = 0\n\n\
             # How many Parquet files a delivery day is archived in, 1 to 256.\n\
             archive_shards = 1\n"
        )
    }

    /// The threads to compute with.
    ///
    /// # Errors
    /// [`LedgerError::Threads`].
    pub fn pool(&self, wanted: Option<usize>) -> Result<Threads, LedgerError> {
        let machine = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = match wanted.unwrap_or(self.threads) {
            0 => machine().min(tallywatt_shards::threads::THREAD_COUNT_MAX),
            count => count,
        };
        Ok(Threads::new(count)?)
    }
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is no ledger there.
    #[error("{} is not a data folder: it has no {CONFIG_NAME}", .0.display())]
    Missing(PathBuf),
    /// It was begun and not finished.
    #[error("{} is half made: it has nodes but no {CONFIG_NAME}", .0.display())]
    HalfMade(PathBuf),
    /// A ledger without its settings.
    #[error("{} holds a ledger, but its {CONFIG_NAME} is gone", .0.display())]
    ConfigLost(PathBuf),
    /// There is one there already.
    #[error("{} is a data folder already", .0.display())]
    Exists(PathBuf),
    /// Another process holds it.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The config is wrong.
    #[error("{}:{line}: {problem}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The system refused.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// No random bytes for keys.
    #[error("cannot get random bytes for keys: {0}")]
    Random(getrandom::Error),
    /// Threads cannot be started.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// A node cannot be opened or go on.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A node's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The certificates cannot be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The genesis file is not one.
    #[error("{}: not the first block's contents: {problem}", path.display())]
    Genesis {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It waits for the other parties.
    #[error("{} is one party's folder, which has not joined the others", .0.display())]
    Unjoined(PathBuf),
    /// The parties' cards do not make a consortium.
    #[error("{0}")]
    Card(String),
    /// The policy cannot be made.
    #[error("cannot write the trust policy: {0}")]
    Policy(String),
}

/// Where new secrets come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// The system's random bytes.
    Random,
    /// Derived from a number, for demonstrations and tests: anybody can make them again.
    Demonstration(u64),
}

/// A held data folder: locked, its config read, nothing opened yet.
pub struct HeldFolder {
    path: PathBuf,
    config: Config,
    /// Held until the folder is dropped.
    _lock: File,
}

impl HeldFolder {
    /// Holds an existing data folder.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn hold(path: &Path) -> Result<Self, LedgerError> {
        Self::hold_by(path, |_| LOCK_NAME)
    }

    /// Holds a data folder for one command: of one party's node, which another process runs, only the operator's side.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn hold_for_command(path: &Path) -> Result<Self, LedgerError> {
        Self::hold_by(path, |config| if config.node.is_some() { OPERATOR_LOCK_NAME } else { LOCK_NAME })
    }

    fn hold_by(path: &Path, name: impl Fn(&Config) -> &'static str) -> Result<Self, LedgerError> {
        let config_path = path.join(CONFIG_NAME);
        if !config_path.exists() {
            return Err(without_config(path).unwrap_or_else(|| LedgerError::Missing(path.to_owned())));
        }
        let read = || {
            let bytes = durable::read_limited(&config_path, CONFIG_SIZE_MAX)?;
            let text = String::from_utf8(bytes).map_err(|_| LedgerError::Config {
                path: config_path.clone(),
                line: 1,
                problem: "not UTF-8".into(),
            })?;
            Config::parse(&config_path, &text)
        };
        // Which lock it is stands in the config; where that is wrong, a folder in use is still said to be in use.
        let lock = lock(path, read().map_or(LOCK_NAME, |config| name(&config)))?;
        Ok(Self { path: path.to_owned(), config: read()?, _lock: lock })
    }

    /// Makes a new data folder with keys for all three parties, and holds it. The first block comes with
    /// [`HeldFolder::open`].
    ///
    /// # Errors
    /// [`LedgerError`]; a crash leaves a folder that says it is half made.
    pub fn create(
        path: &Path,
        origin: &str,
        currency: Currency,
        secrets: Secrets,
    ) -> Result<Self, LedgerError> {
        if path.join(CONFIG_NAME).exists() {
            return Err(LedgerError::Exists(path.to_owned()));
        }
        if let Some(error) = without_config(path) {
            return Err(error);
        }
        durable::create_folder_durably(path)?;
        let lock = lock(path, LOCK_NAME)?;
        let text = Config::text(origin, currency);
        let config_path = path.join(CONFIG_NAME);
        let config = Config::parse(&config_path, &text)?;
        let blinding = BlindingSecret::new(secret(secrets, "blinding")?);
        for party in Party::ALL {
            let seed = |use_: &str| secret(secrets, &format!("{party} {use_}"));
            let seeds = [seed("log")?, seed("witness")?, seed("exec")?];
            let blinding = Some(&blinding).filter(|_| Attesters::default().holds(party, CommandKind::Batch));
            NodeFolder::below(path, party).create(&seeds, blinding)?;
        }
        durable::write_durably(&config_path, text.as_bytes())?;
        Ok(Self { path: path.to_owned(), config, _lock: lock })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Opens the three nodes, brings them to one height, and makes the first block if there is none.
    ///
    /// # Errors
    /// [`LedgerError::Node`] names what is damaged.
    pub fn open(&self, threads: &Threads, clock: fn() -> u64) -> Result<Consortium, LedgerError> {
        let open = |party| {
            Node::open(NodeFolder::below(&self.path, party), party, &self.config.origin, threads.clone())
        };
        let nodes = Party::ALL.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let mut consortium = Consortium::join(nodes, clock)?;
        if consortium.node(Party::Grid).member().size() == 0 {
            consortium.propose(Party::Grid, Input::Genesis(Box::new(self.genesis()?)))?;
        }
        let member = consortium.node(Party::Grid).member();
        if let Some(directory) = member.directory() {
            keep_policy(&self.path, directory.keys(), member.size())?;
        }
        Ok(consortium)
    }

    /// The first block's contents, from the parties' keys.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn genesis(&self) -> Result<Genesis, LedgerError> {
        if self.config.node.is_some() {
            return founding::read_genesis(&self.path);
        }
        let mut parties = Vec::new();
        for party in Party::ALL {
            parties.push(NodeFolder::below(&self.path, party).keys(&self.config.origin)?.public());
        }
        let parties = parties.try_into().expect("there are three parties");
        let currency: Currency = self.config.currency.parse().expect("checked when the config was read");
        let (origin, tzdb) = (self.config.origin.clone(), tzdb_version().to_owned());
        Ok(Genesis { origin, currency, tzdb, parties, witness: None, attesters: Attesters::default() })
    }

    /// Whose signatures count by the first block: every party's witness key, all three.
    ///
    /// # Errors
    /// [`LedgerError::Policy`].
    pub fn policy(&self) -> Result<Policy, LedgerError> {
        let keys = KeyHistory::of(&self.genesis()?);
        policy_of(keys.map_err(|error| LedgerError::Policy(error.to_string()))?.newest())
    }
}

/// What a folder without settings is, if not empty: the settings are written before the first store, so a store
/// without them is a ledger that lost them, and anything else an init that was interrupted.
fn without_config(path: &Path) -> Option<LedgerError> {
    let any = |name: &str| Party::ALL.iter().any(|party| path.join(party.name()).join(name).exists());
    if any("chain.redb") || any("signlock") {
        return Some(LedgerError::ConfigLost(path.to_owned()));
    }
    if path.join(CARD_NAME).exists() {
        return Some(LedgerError::Unjoined(path.to_owned()));
    }
    any("").then(|| LedgerError::HalfMade(path.to_owned()))
}

fn lock(path: &Path, name: &str) -> Result<File, LedgerError> {
    let lock_path = path.join(name);
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&lock_path);
    let file = open.map_err(DurableError::io("open", &lock_path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(DurableError::io("lock", &lock_path)(error).into()),
    }
}

pub(crate) fn secret(secrets: Secrets, use_: &str) -> Result<[u8; 32], LedgerError> {
    match secrets {
        Secrets::Random => {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(LedgerError::Random)?;
            Ok(bytes)
        }
        Secrets::Demonstration(seed) => Ok(tallywatt_ledger::digest::content_hash(
            format!("tallywatt demonstration {seed} {use_}").as_bytes(),
        )
        .0),
    }
}
