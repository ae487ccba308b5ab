//! Who the parties are, by their keys: taken from the genesis, and used to check every signature.

use tallywatt_core::agreement::Party;
use tallywatt_ledger::attesters::{Attesters, PartySet};
use tallywatt_ledger::block::{Attestation, Proposal};
use tallywatt_ledger::command::{Command, Genesis, PartyKeys};
use tallywatt_ledger::key::{Cosigner, KeyKind, LogSigner, VerifierKey};
use tallywatt_ledger::note::{NoteError, SignatureLine};

/// The private keys of one party. No debug output: they are secrets.
pub struct Keys {
    /// Signs heads as the log.
    pub log: LogSigner,
    /// Cosigns heads.
    pub witness: Cosigner,
    /// Attests proposals.
    pub exec: LogSigner,
}

impl Keys {
    /// Three keys from three different seeds.
    ///
    /// # Errors
    /// [`NoteError`] if the origin cannot be a key name.
    pub fn from_seeds(origin: &str, party: Party, seeds: &[[u8; 32]; 3]) -> Result<Self, NoteError> {
        Ok(Self {
            log: LogSigner::from_seed(origin, &seeds[0])?,
            witness: Cosigner::from_seed(&format!("{origin}/{party}/witness"), &seeds[1])?,
            exec: LogSigner::from_seed(&format!("{origin}/{party}/exec"), &seeds[2])?,
        })
    }

    /// The public side, as the genesis lists it.
    #[must_use]
    pub fn public(&self) -> PartyKeys {
        PartyKeys {
            log: self.log.verifier_key().to_string(),
            witness: self.witness.verifier_key().to_string(),
            exec: self.exec.verifier_key().to_string(),
        }
    }
}

/// Why a genesis does not list keys that can be relied on.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
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
}

/// The public keys of all parties, and who attests what.
#[derive(Debug, Clone)]
pub struct Directory {
    entries: Vec<(Party, VerifierKey, VerifierKey, VerifierKey)>,
    attesters: Attesters,
}

impl Directory {
    /// Reads the keys a genesis lists: nine different ones, each of the kind its use asks for.
    ///
    /// # Errors
    /// [`DirectoryError`]: a shared key would let one party count as two.
    pub fn of(genesis: &Genesis) -> Result<Self, DirectoryError> {
        let mut entries = Vec::new();
        let mut seen: Vec<[u8; 32]> = Vec::new();
        for (party, keys) in Party::ALL.into_iter().zip(&genesis.parties) {
            let mut key = |text: &str, use_: &'static str, kind: KeyKind| {
                let key = VerifierKey::parse(text)?;
                if key.kind() != kind {
                    return Err(DirectoryError::Kind { party, use_ });
                }
                if seen.contains(key.public_key()) {
                    return Err(DirectoryError::Shared { party, use_ });
                }
                seen.push(*key.public_key());
                Ok(key)
            };
            let log = key(&keys.log, "log", KeyKind::Log)?;
            let witness = key(&keys.witness, "witness", KeyKind::Cosigner)?;
            entries.push((party, log, witness, key(&keys.exec, "exec", KeyKind::Log)?));
        }
        Ok(Self { entries, attesters: genesis.attesters.clone() })
    }

    fn entry(&self, party: Party) -> &(Party, VerifierKey, VerifierKey, VerifierKey) {
        self.entries.iter().find(|entry| entry.0 == party).expect("a directory lists every party")
    }

    /// The key that signs heads for `party`.
    #[must_use]
    pub fn log_key(&self, party: Party) -> &VerifierKey {
        &self.entry(party).1
    }

    /// The key that cosigns heads for `party`.
    #[must_use]
    pub fn witness_key(&self, party: Party) -> &VerifierKey {
        &self.entry(party).2
    }

    /// Who recomputes a command and attests it.
    #[must_use]
    pub fn attesters(&self, command: &Command) -> PartySet {
        self.attesters.of_command(command)
    }

    /// Whether `attestation` is its party's signature under the proposal, and that party's to give.
    #[must_use]
    pub fn attests(&self, proposal: &Proposal, attestation: &Attestation) -> bool {
        if !self.attesters(&proposal.command).contains(attestation.party) {
            return false;
        }
        let key = &self.entry(attestation.party).3;
        let Ok(line) = SignatureLine::new(key.name(), key.key_id(), attestation.signature.to_vec()) else {
            return false;
        };
        key.verify_signature(&proposal.attest_text(), &line).is_ok()
    }
}

/// Attests a proposal: signs its text with the exec key.
///
/// # Panics
/// Never: the text is well-formed and an Ed25519 signature has 64 bytes.
#[must_use]
pub fn attest(keys: &Keys, party: Party, proposal: &Proposal) -> Attestation {
    let line = keys.exec.sign(&proposal.attest_text()).expect("an attest text is a well-formed note text");
    let signature = line.signature().try_into().expect("an Ed25519 signature has 64 bytes");
    Attestation { party, signature }
}
