//! What a witness keeps.
//!
//! ```text
//! <folder>/witness.seed     the seed of its key, hex, a line                                   secret
//!          witness.key      its verifier key, a line: for the genesis of who is to be witnessed
//!          LOCK             held while it serves: two of one key would sign two histories
//!          heads/<hash>     the newest head of a log that it cosigned, as a note; named by the hash of the log's origin
//!          refused/<hash>/  a head that does not follow, and the head it does not follow: `known.note` and `refused.note`
//! ```
//!
//! Bytes in `FORMAT.md` §7.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::digest;
use tallywatt_ledger::key::{Cosigner, KeyKind, VerifierKey};
use tallywatt_ledger::note::{NOTE_SIZE_MAX, Note, NoteError};
use tallywatt_ledger::witness::{WatchedLog, WitnessError};
use tallywatt_shards::durable::{self, DurableError};

use crate::node_folder::{FolderError, write_secret};

/// Pairs of notes that are kept; of more, each is still refused.
pub const REFUSED_COUNT_MAX: usize = 1_024;

const SEED_NAME: &str = "witness.seed";
const KEY_NAME: &str = "witness.key";
const KEY_FILE_SIZE_MAX: u64 = 4_096;

/// Why a witness cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum WitnessFolderError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// A file of it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A name that no key may have.
    #[error(transparent)]
    Key(#[from] NoteError),
    /// What cannot be signed: a time that no signature can hold.
    #[error(transparent)]
    Sign(#[from] WitnessError),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// Another one serves from it.
    #[error("another witness serves from {}", .0.display())]
    Locked(PathBuf),
    /// A stored head is not what was written: what was signed is not known any more.
    #[error("{}: {what}: what this key has signed is not known any more, it is not to be used", path.display())]
    Head {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// The folder of a witness, held.
#[derive(Debug)]
pub struct WitnessFolder {
    path: PathBuf,
    _lock: File,
}

impl WitnessFolder {
    /// Makes a folder with a new key under a name of its own. Nothing is overwritten.
    ///
    /// # Errors
    /// [`WitnessFolderError`], also if a key is there already.
    pub fn create(path: &Path, name: &str) -> Result<VerifierKey, WitnessFolderError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(WitnessFolderError::Random)?;
        let key = Cosigner::from_seed(name, &seed)?.verifier_key().clone();
        let seed_path = path.join(SEED_NAME);
        if seed_path.exists() {
            return Err(FolderError::Malformed { path: seed_path, what: "a key is here already" }.into());
        }
        for folder in ["", "heads", "refused"] {
            durable::create_folder_durably(&path.join(folder))?;
        }
        // A crash here leaves a key without its seed, and it is made again.
        durable::write_durably(&path.join(KEY_NAME), format!("{key}\n").as_bytes())?;
        write_secret(&seed_path, &seed_text(&seed))?;
        Ok(key)
    }

    /// Holds a folder, for as long as the value lives.
    ///
    /// # Errors
    /// [`WitnessFolderError`], also if another holds it.
    pub fn hold(path: &Path) -> Result<Self, WitnessFolderError> {
        // Without the heads nobody knows what was signed: it is no folder to begin with anew.
        let heads = path.join("heads");
        if !heads.is_dir() {
            return Err(WitnessFolderError::Head { path: heads, what: "no such folder".to_owned() });
        }
        let lock_path = path.join("LOCK");
        let open = File::options().read(true).write(true).create(true).truncate(false).open(&lock_path);
        let lock = open.map_err(DurableError::io("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(WitnessFolderError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(DurableError::io("lock", &lock_path)(error).into()),
        }
    }

    /// Its private key.
    ///
    /// # Errors
    /// [`WitnessFolderError`] if the two files of it are not of one key.
    pub fn cosigner(&self) -> Result<Cosigner, WitnessFolderError> {
        let (seed_path, key_path) = (self.path.join(SEED_NAME), self.path.join(KEY_NAME));
        let malformed = |path: &Path, what| FolderError::Malformed { path: path.to_owned(), what };
        let text = small_text(&seed_path)?;
        let seed: Option<ContentHash> = text.strip_suffix('\n').and_then(|text| text.parse().ok());
        let seed = seed.filter(|seed| text == seed_text(&seed.0));
        let seed = seed.ok_or_else(|| malformed(&seed_path, "not a seed in hex"))?;
        let text = small_text(&key_path)?;
        let key = text.strip_suffix('\n').map(VerifierKey::parse).transpose()?;
        let key = key.filter(|key| key.kind() == KeyKind::Cosigner);
        let key = key.ok_or_else(|| malformed(&key_path, "not a cosigner's verifier key"))?;
        let cosigner = Cosigner::from_seed(key.name(), &seed.0)?;
        if *cosigner.verifier_key() != key {
            return Err(malformed(&key_path, "not the key of the seed beside it").into());
        }
        Ok(cosigner)
    }

    /// The head of a log that was cosigned last, as it was stored.
    ///
    /// # Errors
    /// [`WitnessFolderError::Head`] if it is not what was stored.
    pub fn last(&self, log: &WatchedLog) -> Result<Option<Checkpoint>, WitnessFolderError> {
        let path = self.head_path(log.origin());
        let damaged = |what: String| WitnessFolderError::Head { path: path.clone(), what };
        match self.last_note(log.origin())? {
            None => Ok(None),
            // The signatures under it hold for these bytes and no others.
            Some(note) => match log.check_signed(&note) {
                Ok(head) => Ok(Some(head)),
                Err(error) => Err(damaged(error.to_string())),
            },
        }
    }

    fn last_note(&self, origin: &str) -> Result<Option<Note>, WitnessFolderError> {
        let path = self.head_path(origin);
        if !path.exists() {
            return Ok(None);
        }
        let damaged = |what: String| WitnessFolderError::Head { path: path.clone(), what };
        let bytes = durable::read_limited(&path, NOTE_SIZE_MAX as u64)?;
        let text = String::from_utf8(bytes).map_err(|_| damaged("not text".to_owned()))?;
        Note::parse(&text).map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// Makes the newest head of a log durable. A crash after it leaves a head without a signature: who asks again gets it.
    ///
    /// # Errors
    /// [`WitnessFolderError`].
    pub fn store_head(&self, origin: &str, note: &Note) -> Result<(), WitnessFolderError> {
        Ok(durable::write_durably(&self.head_path(origin), note.encode().as_bytes())?)
    }

    /// Keeps a head that does not follow from the last, with that one; gives the folder, unless enough are kept.
    ///
    /// # Errors
    /// [`WitnessFolderError`].
    pub fn keep_refused(&self, origin: &str, refused: &Note) -> Result<Option<PathBuf>, WitnessFolderError> {
        let Some(known) = self.last_note(origin)? else { return Ok(None) };
        let (known, refused) = (known.encode(), refused.encode());
        let place = digest::content_hash(format!("{known}\n{refused}").as_bytes());
        let all = self.path.join("refused");
        let folder = all.join(place.to_string());
        if !folder.exists() {
            let kept = std::fs::read_dir(&all).map_err(DurableError::io("read", &all))?.count();
            if kept >= REFUSED_COUNT_MAX {
                return Ok(None);
            }
        }
        durable::create_folder_durably(&folder)?;
        durable::write_durably(&folder.join("known.note"), known.as_bytes())?;
        durable::write_durably(&folder.join("refused.note"), refused.as_bytes())?;
        Ok(Some(folder))
    }

    fn head_path(&self, origin: &str) -> PathBuf {
        self.path.join("heads").join(digest::content_hash(origin.as_bytes()).to_string())
    }
}

/// Why a witness does not begin to serve.
#[derive(Debug, thiserror::Error)]
pub enum WitnessStartError {
    /// Its folder.
    #[error(transparent)]
    Folder(#[from] WitnessFolderError),
    /// A log that cannot be watched.
    #[error(transparent)]
    Log(#[from] WitnessError),
    /// A genesis that names another witness, or none.
    #[error("the genesis of {origin} does not name the witness {own}")]
    NotNamed {
        /// Of which log.
        origin: String,
        /// This witness's key.
        own: String,
    },
}

fn seed_text(seed: &[u8; 32]) -> String {
    format!("{}\n", ContentHash(*seed))
}

fn small_text(path: &Path) -> Result<String, WitnessFolderError> {
    let bytes = durable::read_limited(path, KEY_FILE_SIZE_MAX)?;
    let text = String::from_utf8(bytes);
    Ok(text.map_err(|_| FolderError::Malformed { path: path.to_owned(), what: "not text" })?)
}
