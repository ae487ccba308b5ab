//! Who holds which keys, from which block on: those of the first block, and those that motions put in their place.
//!
//! ```text
//!   genesis ─▶ keys from block 0 on ── motion 1, from block 20 ──▶ keys from block 20 on ── motion 2, … ──▶
//!
//!   an attestation of block h         by the exec key in force at h
//!   a signature under a head of size n by the log or witness key in force at its last block, n - 1
//! ```
//!
//! Invariants: no key is anybody else's, nor its holder's for another use, nor comes back once it was replaced; a motion
//! counts with the consents of all three parties, by the exec keys in force before it, and one motion takes effect before the
//! next may stand. So the keys at a height are a function of the blocks below it.

use std::collections::BTreeSet;

use tallywatt_core::agreement::Party;

use crate::command::{Genesis, PartyKeys};
use crate::governance::{FROM_AHEAD_MAX, Governance, GovernanceError, MOTION_COUNT_MAX, Motion};
use crate::key::{KeyKind, VerifierKey};
use crate::note::{NoteError, SignatureLine};

/// Why keys cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// A text is no C2SP verifier key.
    #[error(transparent)]
    Key(#[from] NoteError),
    /// A key is of the wrong kind for its use.
    #[error("the {use_} key of {party} is of the wrong kind")]
    Kind {
        /// Whose.
        party: Party,
        /// For what.
        use_: &'static str,
    },
    /// A key stands twice.
    #[error("the {use_} key of {party} is another party's, or its own for another use")]
    Shared {
        /// Whose.
        party: Party,
        /// For what.
        use_: &'static str,
    },
    /// A key that somebody has, or had.
    #[error("the {use_} key {key} of {party} is in use, or was once: a key never comes back")]
    Used {
        /// Whose it would be.
        party: Party,
        /// For what.
        use_: &'static str,
        /// Which.
        key: String,
    },
    /// A log key under another name than the log's.
    #[error("the log key {key} of {party} is not named after the log {origin}")]
    Named {
        /// Whose.
        party: Party,
        /// Which.
        key: String,
        /// The log's origin.
        origin: String,
    },
    /// The key of the witness is of the wrong kind, or a party's, or has the name of one.
    #[error("the witness key {0} is no cosigner key, or stands for a party too")]
    Witness(String),
    /// A key of a witness that was one before.
    #[error("the witness key {0} is in use, or was once: a key never comes back")]
    WitnessUsed(String),
    /// Nothing would change.
    #[error("the motion changes no key")]
    Nothing,
}

/// The public keys of one party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// Signs heads as the log.
    pub log: VerifierKey,
    /// Cosigns heads.
    pub witness: VerifierKey,
    /// Attests commands, and consents.
    pub exec: VerifierKey,
}

impl KeySet {
    /// As texts, as a genesis lists them.
    #[must_use]
    pub fn texts(&self) -> PartyKeys {
        let Self { log, witness, exec } = self;
        PartyKeys { log: log.to_string(), witness: witness.to_string(), exec: exec.to_string() }
    }

    const fn of_use(&self, use_: Use) -> &VerifierKey {
        match use_ {
            Use::Log => &self.log,
            Use::Witness => &self.witness,
            Use::Exec => &self.exec,
        }
    }

    fn names(&self) -> [&str; 3] {
        [self.log.name(), self.witness.name(), self.exec.name()]
    }
}

/// What a party's key is for.
#[derive(Clone, Copy)]
enum Use {
    Log,
    Witness,
    Exec,
}

impl Use {
    const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Witness => "witness",
            Self::Exec => "exec",
        }
    }

    const fn kind(self) -> KeyKind {
        match self {
            Self::Log | Self::Exec => KeyKind::Log,
            Self::Witness => KeyKind::Cosigner,
        }
    }
}

/// The keys in force from a block on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysInForce {
    from: u64,
    parties: [KeySet; 3],
    witness: Option<VerifierKey>,
}

impl KeysInForce {
    /// The first block that they are in force at.
    #[must_use]
    pub const fn from(&self) -> u64 {
        self.from
    }

    /// The keys of a party.
    #[must_use]
    pub fn of(&self, party: Party) -> &KeySet {
        &self.parties[place(party)]
    }

    /// The key of the witness that is no party, if there is one.
    #[must_use]
    pub const fn witness(&self) -> Option<&VerifierKey> {
        self.witness.as_ref()
    }

    /// Checks a party's signature by its exec key over a text.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn check_exec(&self, party: Party, text: &str, signature: &[u8; 64]) -> Result<(), NoteError> {
        let key = &self.of(party).exec;
        let line = SignatureLine::new(key.name(), key.key_id(), signature.to_vec())?;
        key.verify_signature(text, &line)
    }

    /// The party by whose exec key a line claims to be.
    #[must_use]
    pub fn exec_party(&self, line: &SignatureLine) -> Option<Party> {
        Party::ALL.into_iter().find(|party| self.of(*party).exec.is_named_by(line))
    }

    fn has_name(&self, name: &str) -> bool {
        self.parties.iter().any(|keys| keys.names().contains(&name))
    }
}

fn place(party: Party) -> usize {
    usize::from(party.code()) - 1
}

/// All keys that ever were in force, and from which block on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHistory {
    origin: String,
    /// By the block from which on they are in force, the first from 0; one more than there are motions.
    tenures: Vec<KeysInForce>,
    /// Every public key that was ever named.
    seen: BTreeSet<[u8; 32]>,
}

impl KeyHistory {
    /// The keys a genesis lists: nine different ones, each of the kind its use asks for, and that of the witness, which is none
    /// of them.
    ///
    /// # Errors
    /// [`KeysError`]: a shared key would let one signer count as two.
    pub fn of(genesis: &Genesis) -> Result<Self, KeysError> {
        let mut seen = BTreeSet::new();
        let mut set = |party: Party| -> Result<KeySet, KeysError> {
            let PartyKeys { log, witness, exec } = &genesis.parties[place(party)];
            let mut key = |text: &str, use_: Use| {
                let key = VerifierKey::parse(text)?;
                if key.kind() != use_.kind() {
                    return Err(KeysError::Kind { party, use_: use_.name() });
                }
                if !seen.insert(*key.public_key()) {
                    return Err(KeysError::Shared { party, use_: use_.name() });
                }
                Ok(key)
            };
            Ok(KeySet {
                log: key(log, Use::Log)?,
                witness: key(witness, Use::Witness)?,
                exec: key(exec, Use::Exec)?,
            })
        };
        let parties = [set(Party::Grid)?, set(Party::Bank)?, set(Party::Supplier)?];
        let witness = genesis.witness.as_deref().map(VerifierKey::parse).transpose()?;
        let first = KeysInForce { from: 0, parties, witness: None };
        if let Some(key) = &witness
            && (key.kind() != KeyKind::Cosigner
                || first.has_name(key.name())
                || !seen.insert(*key.public_key()))
        {
            return Err(KeysError::Witness(key.key()));
        }
        Ok(Self { origin: genesis.origin.clone(), tenures: vec![KeysInForce { witness, ..first }], seen })
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many motions there were.
    #[must_use]
    pub fn motion_count(&self) -> u64 {
        u64::try_from(self.tenures.len() - 1).unwrap_or(u64::MAX)
    }

    /// The keys in force at a block.
    #[must_use]
    pub fn at(&self, height: u64) -> &KeysInForce {
        let at = self.tenures.partition_point(|keys| keys.from <= height);
        // Those of the first block are in force from 0 on.
        &self.tenures[at.saturating_sub(1)]
    }

    /// The keys that sign a head of this size: those in force at its last block.
    #[must_use]
    pub fn of_head(&self, size: u64) -> &KeysInForce {
        self.at(size.saturating_sub(1))
    }

    /// The keys that are, or will be, in force by the last motion.
    #[must_use]
    pub fn newest(&self) -> &KeysInForce {
        self.tenures.last().expect("those of the first block are there")
    }

    /// Every set of keys, by the block from which on it is in force.
    pub fn all(&self) -> impl Iterator<Item = &KeysInForce> {
        self.tenures.iter()
    }

    /// Whether a party's key was ever in force for any use, or a witness's.
    #[must_use]
    pub fn knows(&self, key: &VerifierKey) -> bool {
        self.seen.contains(key.public_key())
    }

    /// Whether a motion may stand in the block of this height.
    ///
    /// # Errors
    /// [`GovernanceError`] says why not.
    pub fn check(&self, governance: &Governance, height: u64) -> Result<(), GovernanceError> {
        self.check_place(governance.number, governance.from, height)?;
        self.after(governance).map(|_| ())
    }

    /// The same of a motion that nobody has signed yet.
    ///
    /// # Errors
    /// [`GovernanceError`] says why not.
    pub fn check_draft(
        &self,
        number: u64,
        motion: &Motion,
        from: u64,
        height: u64,
    ) -> Result<(), GovernanceError> {
        self.check_place(number, from, height)?;
        self.changed(number, motion, from).map(|_| ())
    }

    /// Takes the motion in the block of this height.
    ///
    /// # Errors
    /// [`GovernanceError`]; nothing has changed then.
    pub fn apply(&mut self, governance: &Governance, height: u64) -> Result<(), GovernanceError> {
        self.check_place(governance.number, governance.from, height)?;
        self.follow(governance)
    }

    /// Takes a motion whose block is not at hand, as a witness that sees heads alone: consents and numbers are checked, the
    /// height of its block is not.
    ///
    /// # Errors
    /// [`GovernanceError`]; nothing has changed then.
    pub fn follow(&mut self, governance: &Governance) -> Result<(), GovernanceError> {
        let next = self.after(governance)?;
        for keys in &next.parties {
            self.seen.extend([&keys.log, &keys.witness, &keys.exec].map(|key| *key.public_key()));
        }
        self.seen.extend(next.witness.iter().map(|key| *key.public_key()));
        self.tenures.push(next);
        Ok(())
    }

    fn check_place(&self, number: u64, from: u64, height: u64) -> Result<(), GovernanceError> {
        self.check_number(number)?;
        let pending = self.newest().from;
        if height < pending {
            return Err(GovernanceError::Pending { number: self.motion_count(), from: pending });
        }
        if from <= height || from - height > FROM_AHEAD_MAX {
            return Err(GovernanceError::From { from, height });
        }
        Ok(())
    }

    fn check_number(&self, number: u64) -> Result<(), GovernanceError> {
        let next = self.motion_count() + 1;
        if number == next && next <= MOTION_COUNT_MAX {
            return Ok(());
        }
        Err(GovernanceError::Number { number, next })
    }

    /// The keys after a motion: its number is the next, it takes effect after the one before, and all have consented.
    fn after(&self, governance: &Governance) -> Result<KeysInForce, GovernanceError> {
        let Governance { number, from, motion, .. } = governance;
        let keys = self.changed(*number, motion, *from)?;
        governance.check_consents(&self.origin, self.newest())?;
        Ok(keys)
    }

    fn changed(&self, number: u64, motion: &Motion, from: u64) -> Result<KeysInForce, GovernanceError> {
        self.check_number(number)?;
        let now = self.newest();
        if from <= now.from {
            return Err(GovernanceError::From { from, height: now.from });
        }
        let mut keys = KeysInForce { from, ..now.clone() };
        match motion {
            Motion::Keys { party, keys: named } => {
                keys.parties[place(*party)] = self.replaced(*party, named)?;
            }
            Motion::Witness(named) => keys.witness = self.witness(named.as_deref())?,
        }
        Ok(keys)
    }

    /// A party's keys as a motion names them: those that stay, and new ones that nobody ever had.
    fn replaced(&self, party: Party, named: &PartyKeys) -> Result<KeySet, KeysError> {
        let now = self.newest();
        let mut fresh: BTreeSet<[u8; 32]> = BTreeSet::new();
        let mut key = |text: &str, use_: Use| {
            let key = VerifierKey::parse(text)?;
            if key == *now.of(party).of_use(use_) {
                return Ok(key);
            }
            if key.kind() != use_.kind() {
                return Err(KeysError::Kind { party, use_: use_.name() });
            }
            if self.seen.contains(key.public_key()) || !fresh.insert(*key.public_key()) {
                return Err(KeysError::Used { party, use_: use_.name(), key: key.key() });
            }
            if matches!(use_, Use::Log) && key.name() != self.origin {
                return Err(KeysError::Named { party, key: key.key(), origin: self.origin.clone() });
            }
            if now.witness.as_ref().is_some_and(|witness| witness.name() == key.name()) {
                return Err(KeysError::Shared { party, use_: use_.name() });
            }
            Ok(key)
        };
        let log = key(&named.log, Use::Log)?;
        let witness = key(&named.witness, Use::Witness)?;
        let exec = key(&named.exec, Use::Exec)?;
        if fresh.is_empty() {
            return Err(KeysError::Nothing);
        }
        Ok(KeySet { log, witness, exec })
    }

    fn witness(&self, named: Option<&str>) -> Result<Option<VerifierKey>, KeysError> {
        let key = named.map(VerifierKey::parse).transpose()?;
        if key == self.newest().witness {
            return Err(KeysError::Nothing);
        }
        if let Some(key) = &key {
            if key.kind() != KeyKind::Cosigner || self.newest().has_name(key.name()) {
                return Err(KeysError::Witness(key.key()));
            }
            if self.seen.contains(key.public_key()) {
                return Err(KeysError::WitnessUsed(key.key()));
            }
        }
        Ok(key)
    }
}
