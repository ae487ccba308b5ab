//! The key sets of a party: the first, and those made since, of which the chain names one at a time.
//!
//! ```text
//!   keys.seeds      the first block names them
//!   keys-1.seeds    made beside them; signs once a motion for them has taken effect      three seeds, hex, a line each
//! ```
//!
//! A set that was replaced signs nothing any more. It may stay: with it the node still knows its own earlier signatures.

use std::path::PathBuf;

use tallywatt_consensus::members::Keys;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::command::PartyKeys;
use tallywatt_shards::durable::DurableError;

use super::{FolderError, NodeFolder, seeds_text, write_secret};

/// The most key sets that one folder makes: a ledger has no more motions.
const KEY_SET_COUNT_MAX: u32 = 512;

const FIRST_NAME: &str = "keys.seeds";

impl NodeFolder {
    /// The private keys that it was made with.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn keys(&self, origin: &str) -> Result<Keys, FolderError> {
        self.read_keys(FIRST_NAME, origin)
    }

    /// All its private keys, the oldest set first; at least one.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn key_sets(&self, origin: &str) -> Result<Vec<Keys>, FolderError> {
        let names = self.key_set_names()?;
        if names.is_empty() {
            // Says which file is missing.
            return Ok(vec![self.keys(origin)?]);
        }
        names.iter().map(|(_, name)| self.read_keys(name, origin)).collect()
    }

    /// The public side of the newest set.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn newest_keys(&self, origin: &str) -> Result<PartyKeys, FolderError> {
        Ok(Keys::from_seeds(origin, self.party(), &self.newest_seeds()?)?.public())
    }

    /// Whether one of its sets has this public side.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn holds(&self, origin: &str, named: &PartyKeys) -> Result<bool, FolderError> {
        Ok(self.key_sets(origin)?.iter().any(|keys| keys.public() == *named))
    }

    /// The seeds of the newest set.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn newest_seeds(&self) -> Result<[[u8; 32]; 3], FolderError> {
        let names = self.key_set_names()?;
        self.read_seeds(names.last().map_or(FIRST_NAME, |(_, name)| name))
    }

    /// Puts a set of seeds beside the others; nothing is overwritten. A crash here leaves a part of a set that no motion names,
    /// and the node says that it is none.
    ///
    /// # Errors
    /// [`FolderError`], also if there are too many.
    pub fn add_key_set(&self, seeds: &[[u8; 32]; 3]) -> Result<PathBuf, FolderError> {
        let next = self.key_set_names()?.last().map_or(1, |(number, _)| number.saturating_add(1));
        let path = self.path().join(name_of(next));
        if next > KEY_SET_COUNT_MAX {
            return Err(FolderError::Malformed { path, what: "more key sets than a folder may hold" });
        }
        write_secret(&path, &seeds_text(seeds))?;
        Ok(path)
    }

    /// Its keys are sound, and none that the chain names, or named.
    #[must_use]
    pub fn foreign_keys(&self) -> FolderError {
        let what = "not the keys that the first block names, nor those of a motion";
        FolderError::Malformed { path: self.path().join(FIRST_NAME), what }
    }

    /// Its keys are sound, and none of them is in force now.
    #[must_use]
    pub fn lacking_keys(&self) -> FolderError {
        let what = "no key set of this folder is in force now";
        FolderError::Malformed { path: self.path().to_owned(), what }
    }

    /// The files that hold key sets, by number; the first has number 0.
    fn key_set_names(&self) -> Result<Vec<(u32, String)>, FolderError> {
        let mut names = Vec::new();
        let listed = std::fs::read_dir(self.path()).map_err(DurableError::io("read", self.path()))?;
        for entry in listed {
            let entry = entry.map_err(DurableError::io("read", self.path()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = match name.strip_prefix("keys-").and_then(|rest| rest.strip_suffix(".seeds")) {
                _ if name == FIRST_NAME => Some(0),
                Some(number) => number.parse().ok().filter(|number| *number > 0),
                None => None,
            };
            names.extend(number.filter(|number| name_of(*number) == name).map(|number| (number, name)));
        }
        names.sort();
        Ok(names)
    }

    fn read_keys(&self, name: &str, origin: &str) -> Result<Keys, FolderError> {
        Ok(Keys::from_seeds(origin, self.party(), &self.read_seeds(name)?)?)
    }

    fn read_seeds(&self, name: &str) -> Result<[[u8; 32]; 3], FolderError> {
        let path = self.path().join(name);
        let malformed = || FolderError::Malformed { path: path.clone(), what: "not three seeds in hex" };
        let text = self.small_text(name)?;
        let seeds: Vec<[u8; 32]> = text
            .lines()
            .map(|line| line.parse::<ContentHash>().map(|hash| hash.0).map_err(|_| malformed()))
            .collect::<Result<_, _>>()?;
        let seeds: [[u8; 32]; 3] = seeds.try_into().map_err(|_| malformed())?;
        if text == seeds_text(&seeds) { Ok(seeds) } else { Err(malformed()) }
    }
}

fn name_of(number: u32) -> String {
    if number == 0 { FIRST_NAME.to_owned() } else { format!("keys-{number}.seeds") }
}
