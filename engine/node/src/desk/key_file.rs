//! The file of a holder's key: its seed in hex, then its verifier key, a line each. Also in `FORMAT.md` §7.

use std::path::Path;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::Label;
use tallywatt_ledger::key::{LogSigner, VerifierKey};
use tallywatt_ledger::note::NoteError;
use tallywatt_shards::durable::{self, DurableError};

use crate::node_folder::{FolderError, write_secret};

const KEY_FILE_SIZE_MAX: u64 = 4_096;

/// Why a key cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// The file.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A name that no key may have.
    #[error(transparent)]
    Key(#[from] NoteError),
    /// A name that no access list can hold.
    #[error("{0:?} is no name for an access list: need 1 to 33 printable ASCII characters")]
    Name(String),
    /// The system has no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Makes a new key and its file, which is readable by its owner. Nothing is overwritten.
///
/// # Errors
/// [`KeyFileError`], also if the file is there already.
pub fn create(path: &Path, name: &str) -> Result<VerifierKey, KeyFileError> {
    let path = &std::path::absolute(path).map_err(DurableError::io("resolve", path))?;
    name.parse::<Label>().map_err(|_| KeyFileError::Name(name.chars().take(64).collect()))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(KeyFileError::Random)?;
    let key = LogSigner::from_seed(name, &seed)?.verifier_key().clone();
    if path.exists() {
        let what = "a key is here already";
        return Err(FolderError::Malformed { path: path.to_owned(), what }.into());
    }
    write_secret(path, &text_of(&seed, &key))?;
    Ok(key)
}

/// Reads the key of a file.
///
/// # Errors
/// [`KeyFileError`] if it is no such file.
pub fn read(path: &Path) -> Result<LogSigner, KeyFileError> {
    let malformed = |what| FolderError::Malformed { path: path.to_owned(), what };
    let bytes = durable::read_limited(path, KEY_FILE_SIZE_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| malformed("not text"))?;
    let lines: Vec<&str> = text.lines().collect();
    let [seed, key] = lines[..] else { return Err(malformed("not a seed and a verifier key").into()) };
    let seed: ContentHash = seed.parse().map_err(|_| malformed("not a seed in hex"))?;
    let key = VerifierKey::parse(key)?;
    let signer = LogSigner::from_seed(key.name(), &seed.0)?;
    if *signer.verifier_key() != key || text != text_of(&seed.0, &key) {
        return Err(malformed("the key is not that of the seed above it").into());
    }
    Ok(signer)
}

fn text_of(seed: &[u8; 32], key: &VerifierKey) -> String {
    format!("{}\n{key}\n", ContentHash(*seed))
}
