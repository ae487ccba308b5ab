//! Where one party's node keeps what: its keys, its store, its lock, its sealed files.
//!
//! ```text
//! <node>/keys.seeds         three seeds, hex, a line each: log, witness, exec      secret
//!        keys-1.seeds       those of the next set, and so on                       secret; `node_folder/key_sets.rs`
//!        blinding.secret    the ledger's blinding secret, hex                      secret; none where no readings are kept
//!        chain.redb         blocks, leaves, state, heads                           store.rs
//!        signlock           the largest head signed: size and root                 never restored from a backup
//!        checkpoint         the newest head, as a C2SP note, for anybody to fetch
//!        evidence/         what convicts somebody, a text each                     kept when the chain is made again
//!        documents/<hash>.twd   contracts/<root>.twl   batches/000001.twb
//!        periods/2026-03.twb    bills/2026-03.twl      settlements/000001.twl
//! ```
//!
//! The bytes of the lock and of sealed files are in `FORMAT.md` §7.

mod key_sets;

use std::io::Write;
use std::path::{Path, PathBuf};

use tallywatt_consensus::lock::SignLock;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::note::NoteError;
use tallywatt_shards::durable::{self, DurableError};

use crate::sign_lock_file::{self, StoredLock};

/// The largest small file: keys, locks, heads.
const SMALL_FILE_SIZE_MAX: u64 = 1 << 20;
/// The largest sealed file.
pub const SEALED_FILE_SIZE_MAX: u64 = 4 << 30;

/// Where sealed files lie.
const SEALED_FOLDERS: [&str; 7] =
    ["documents", "contracts", "batches", "periods", "bills", "settlements", "corrections"];
/// What else is made again from the chain; the order's part is learned again (`order/learning.rs`).
const MADE_AGAIN: [&str; 4] = ["chain.redb", "order.redb", "checkpoint", "staged"];
/// Where evidence lies.
pub const EVIDENCE_NAME: &str = "evidence";
/// Texts of evidence that are kept: who makes more disputes is convicted already.
const EVIDENCE_COUNT_MAX: usize = 1_000;
/// Says that chain and lock may be of a copy.
const RESTORED_NAME: &str = "restored";

/// Why a node's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refused.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// A file is not what it should be.
    #[error("{}: {what}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// What the key has signed is not known any more.
    #[error("{}: the sign lock is lost: the key is not to be used any more", .0.display())]
    LockLost(PathBuf),
    /// A seed gives no key, or the origin no name.
    #[error(transparent)]
    Key(#[from] NoteError),
}

/// One party's folder.
#[derive(Debug, Clone)]
pub struct NodeFolder {
    path: PathBuf,
    party: Party,
}

impl NodeFolder {
    /// The folder of `party` below a data folder.
    #[must_use]
    pub fn below(data: &Path, party: Party) -> Self {
        Self { path: data.join(party.name()), party }
    }

    /// Whose it is.
    #[must_use]
    pub const fn party(&self) -> Party {
        self.party
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder with its secrets; the blinding may come later. Who keeps no readings is given nothing to blind them
    /// with, and no place for them. Nothing is overwritten.
    ///
    /// # Errors
    /// [`FolderError`], also if secrets are there already.
    pub fn create(
        &self,
        seeds: &[[u8; 32]; 3],
        blinding: Option<&BlindingSecret>,
    ) -> Result<(), FolderError> {
        durable::create_folder_durably(&self.path)?;
        let path = self.path.join("keys.seeds");
        if path.exists() {
            return Err(FolderError::Malformed { path, what: "keys are here already" });
        }
        if let Some(blinding) = blinding {
            self.keep_blinding_secret(blinding)?;
        }
        self.make_room()?;
        write_secret(&path, &seeds_text(seeds))
    }

    /// Makes the folders that sealed files lie in, where they are missing: those of readings only where they are kept.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn make_room(&self) -> Result<(), FolderError> {
        let keeps_readings = self.has_blinding_secret();
        let is_kept = |folder: &str| keeps_readings || !["batches", "periods"].contains(&folder);
        for folder in SEALED_FOLDERS.into_iter().filter(|folder| is_kept(folder)) {
            durable::create_folder_durably(&self.path.join(folder))?;
        }
        Ok(())
    }

    /// Whether it has the ledger's blinding secret.
    #[must_use]
    pub fn has_blinding_secret(&self) -> bool {
        self.path.join("blinding.secret").exists()
    }

    /// Takes the ledger's blinding secret in. Nothing is overwritten.
    ///
    /// # Errors
    /// [`FolderError`], also if one is there already.
    pub fn keep_blinding_secret(&self, blinding: &BlindingSecret) -> Result<(), FolderError> {
        write_secret(&self.path.join("blinding.secret"), &secret_text(blinding))
    }

    /// The ledger's blinding secret.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn blinding_secret(&self) -> Result<BlindingSecret, FolderError> {
        read_blinding_secret(&self.path.join("blinding.secret"))
    }

    /// That the sign lock is not there, though the key has signed.
    #[must_use]
    pub fn lock_lost(&self) -> FolderError {
        FolderError::LockLost(self.path.join("signlock"))
    }

    /// The sign lock; `None` before the first signature.
    ///
    /// # Errors
    /// [`FolderError`]: a damaged lock means the key must not sign any more.
    pub fn sign_lock(&self) -> Result<Option<SignLock>, FolderError> {
        Ok(self.stored_lock()?.map(|stored| stored.lock))
    }

    /// The sign lock as it is stored.
    ///
    /// # Errors
    /// As [`NodeFolder::sign_lock`].
    pub fn stored_lock(&self) -> Result<Option<StoredLock>, FolderError> {
        sign_lock_file::read(&self.path.join("signlock"))
    }

    /// Makes the sign lock durable. A crash after it leaves a lock without a signature: sign again.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn store_sign_lock(&self, lock: &SignLock) -> Result<(), FolderError> {
        sign_lock_file::store(&self.path.join("signlock"), lock)
    }

    /// Whether chain and lock may be of a copy: `recover` said so, and nothing was signed since.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.path.join(RESTORED_NAME).exists()
    }

    /// Says that chain and lock may be of a copy: every peer is asked for this node's signatures before it signs again.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn set_restored(&self) -> Result<(), FolderError> {
        let text = b"chain and lock may be of a copy: every peer is asked before anything is signed\n";
        Ok(durable::write_durably(&self.path.join(RESTORED_NAME), text)?)
    }

    /// Every peer was asked, and the lock stored since is the newest.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn end_restored(&self) -> Result<(), FolderError> {
        if self.is_restored() {
            durable::remove_if_there(&self.path.join(RESTORED_NAME))?;
        }
        Ok(())
    }

    /// Sets aside all that is made again from the chain, below a new folder. Keys, secrets, certificates and the sign
    /// lock stay.
    ///
    /// What a crash leaves: some of it aside, some not; done again, the rest follows into the next folder.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn set_aside(&self) -> Result<PathBuf, FolderError> {
        let aside = (1_u32..).map(|at| self.path.join(format!("set-aside-{at}"))).find(|path| !path.exists());
        let aside = aside.expect("numbers do not end before folders do");
        durable::create_folder_durably(&aside)?;
        for name in SEALED_FOLDERS.iter().chain(&MADE_AGAIN) {
            let path = self.path.join(name);
            if path.exists() {
                durable::rename_durably(&path, &aside.join(name))?;
            }
        }
        durable::sync_folder(&aside)?;
        Ok(aside)
    }

    /// Publishes the newest head for anybody to fetch. The store has it: what a power cut leaves here is published again at
    /// the next start.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn publish_head(&self, note: &str) -> Result<(), FolderError> {
        Ok(durable::write_whole(&self.path.join("checkpoint"), note.as_bytes())?)
    }

    /// The newest published head.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn published_head(&self) -> Result<Option<String>, FolderError> {
        if self.path.join("checkpoint").exists() { self.small_text("checkpoint").map(Some) } else { Ok(None) }
    }

    /// Stores the sealed file of a command, unless it is there already with the same bytes.
    ///
    /// A crash after it leaves a file no block names yet; the next proposal overwrites it.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn store_file(&self, command: &Command, bytes: &[u8]) -> Result<(), FolderError> {
        let Some(relative) = file_of(command) else { return Ok(()) };
        Ok(durable::write_durably(&self.path.join(relative), bytes)?)
    }

    /// Writes the sealed file of a command whose bytes are durable elsewhere: in the order's log, which gives them again
    /// if a power cut leaves less.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn write_file(&self, command: &Command, bytes: &[u8]) -> Result<(), FolderError> {
        let Some(relative) = file_of(command) else { return Ok(()) };
        Ok(durable::write_whole(&self.path.join(relative), bytes)?)
    }

    /// The sealed file of a command; `None` for commands without one.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn read_file(&self, command: &Command) -> Result<Option<Vec<u8>>, FolderError> {
        match file_of(command) {
            None => Ok(None),
            Some(relative) => {
                Ok(Some(durable::read_limited(&self.path.join(relative), SEALED_FILE_SIZE_MAX)?))
            }
        }
    }

    /// Keeps a text of evidence, durably, in place of an older one of its name. Whether it is kept: there may be too many.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn keep_evidence(&self, name: &str, text: &[u8]) -> Result<bool, FolderError> {
        let folder = self.path.join(EVIDENCE_NAME);
        durable::create_folder_durably(&folder)?;
        let path = folder.join(name);
        if !path.exists() && self.evidence()?.len() >= EVIDENCE_COUNT_MAX {
            return Ok(false);
        }
        durable::write_durably(&path, text)?;
        Ok(true)
    }

    /// The texts of evidence, by name.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn evidence(&self) -> Result<Vec<PathBuf>, FolderError> {
        let folder = self.path.join(EVIDENCE_NAME);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&folder).map_err(DurableError::io("list", &folder))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(DurableError::io("list", &folder))?.path();
            if path.extension().is_some_and(|extension| extension == EVIDENCE_NAME) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn small_text(&self, name: &str) -> Result<String, FolderError> {
        small_text(&self.path.join(name))
    }
}

fn small_text(path: &Path) -> Result<String, FolderError> {
    let bytes = durable::read_limited(path, SMALL_FILE_SIZE_MAX)?;
    String::from_utf8(bytes).map_err(|_| FolderError::Malformed { path: path.to_owned(), what: "not text" })
}

/// Reads the ledger's blinding secret from the file that it was handed over in.
///
/// # Errors
/// [`FolderError`].
pub fn read_blinding_secret(path: &Path) -> Result<BlindingSecret, FolderError> {
    let text = small_text(path)?;
    let secret = text.trim_end().parse().map(|hash: ContentHash| BlindingSecret::new(hash.0));
    match secret {
        Ok(secret) if text == secret_text(&secret) => Ok(secret),
        _ => Err(FolderError::Malformed { path: path.to_owned(), what: "not 64 hex digits and a line end" }),
    }
}

/// Where a command's sealed file lies in a node's folder.
#[must_use]
pub fn file_of(command: &Command) -> Option<String> {
    Some(match command {
        Command::Genesis(_) | Command::Activate(_) | Command::Govern(_) => return None,
        Command::Publish(publication) => format!("documents/{}.twd", publication.hash),
        Command::Contracts(root) => format!("contracts/{}.twl", root.hash),
        Command::Batch(batch) => format!("batches/{:06}.twb", batch.sequence),
        Command::Period(period) if period.revision == 0 => format!("periods/{}.twb", period.period),
        Command::Period(period) => format!("periods/{}-revision-{}.twb", period.period, period.revision),
        Command::Bills(bills) => format!("bills/{}.twl", bills.period),
        Command::Settlement(settlement) => format!("settlements/{:06}.twl", settlement.sequence),
        Command::Corrections(corrections) => format!("corrections/{:06}.twl", corrections.sequence),
    })
}

/// Whether a command is computed from a file that its proposer must give; every party makes the other files itself.
#[must_use]
pub const fn has_input_file(command: &Command) -> bool {
    matches!(
        command,
        Command::Publish(_) | Command::Contracts(_) | Command::Batch(_) | Command::Settlement(_)
    )
}

/// The hash by which a command names its file, if it names one.
#[must_use]
pub fn file_hash_of(command: &Command) -> Option<ContentHash> {
    match command {
        Command::Publish(publication) => Some(publication.hash),
        Command::Batch(batch) => Some(batch.file),
        Command::Bills(bills) => Some(bills.file),
        Command::Settlement(settlement) => Some(settlement.file),
        Command::Corrections(corrections) => Some(corrections.file),
        Command::Genesis(_)
        | Command::Contracts(_)
        | Command::Period(_)
        | Command::Activate(_)
        | Command::Govern(_) => None,
    }
}

fn secret_text(secret: &BlindingSecret) -> String {
    format!("{}\n", ContentHash(*secret.as_bytes()))
}

pub(crate) fn seeds_text(seeds: &[[u8; 32]; 3]) -> String {
    seeds.iter().map(|seed| format!("{}\n", ContentHash(*seed))).collect()
}

/// Writes a new secret file that only its owner may read, from its first byte on.
///
/// Some systems have no modes; there the folder must guard it. A crash here leaves a part of a secret in a
/// folder that is not a ledger yet.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), FolderError> {
    let mut options = std::fs::File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(DurableError::io("create", path))?;
    file.write_all(text.as_bytes()).map_err(DurableError::io("write", path))?;
    file.sync_all().map_err(DurableError::io("sync", path))?;
    Ok(durable::sync_folder(path.parent().unwrap_or(Path::new(".")))?)
}
