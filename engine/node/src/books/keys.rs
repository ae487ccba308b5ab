//! Books: whose keys are in force, by the first block and the motions since.

use tallywatt_core::agreement::Party;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::governance::Governance;
use tallywatt_ledger::key::VerifierKey;
use tallywatt_ledger::key_history::{KeyHistory, KeySet, KeysInForce};

use crate::books::{Books, BooksError};

impl Books {
    /// The keys of all parties by height, once there is a first block.
    ///
    /// # Errors
    /// [`BooksError::Nothing`] before it.
    pub fn keys(&self) -> Result<&KeyHistory, BooksError> {
        self.keys.as_ref().ok_or_else(|| BooksError::Nothing("there is no first block with keys".into()))
    }

    /// The keys in force at the next block.
    ///
    /// # Errors
    /// [`BooksError::Nothing`] before the first.
    pub fn keys_now(&self) -> Result<&KeysInForce, BooksError> {
        Ok(self.keys()?.at(self.height))
    }

    /// Which keys are in force at the next block, for people.
    #[must_use]
    pub fn keys_words(&self) -> String {
        let (Ok(keys), Ok(now)) = (self.keys(), self.keys_now()) else { return "none yet".to_owned() };
        let parties = Party::ALL.map(|party| {
            let KeySet { log, witness, exec } = now.of(party);
            let [log, witness, exec] = [log, witness, exec].map(VerifierKey::key_id);
            format!("{party} log {log} witness {witness} exec {exec}")
        });
        let witness = now.witness().map(|key| format!("regulator {}", key.key_id()));
        let all: Vec<String> = parties.into_iter().chain(witness).collect();
        let next = match keys.newest().from() {
            from if from > self.height => format!("; others from block {from} on"),
            _ => String::new(),
        };
        format!("from block {} on: {}{next}", now.from(), all.join(", "))
    }

    /// Whether a motion may stand in the next block.
    pub(super) fn check_motion(&self, governance: &Governance) -> Result<(), BooksError> {
        Ok(self.keys()?.check(governance, self.height)?)
    }

    /// Takes the keys that a command names, at the height it stands at.
    pub(super) fn take_keys(&mut self, command: &Command) -> Result<(), BooksError> {
        match (command, &mut self.keys) {
            (Command::Genesis(genesis), keys) => *keys = Some(KeyHistory::of(genesis)?),
            (Command::Govern(governance), Some(keys)) => keys.apply(governance, self.height)?,
            _ => {}
        }
        Ok(())
    }
}
