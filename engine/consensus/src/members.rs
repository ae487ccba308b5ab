//! Who the parties are, and the witness if there is one, by their keys: taken from the genesis, and used to check every
//! signature.

use std::fmt;

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::{Attesters, PartySet};
use tallywatt_ledger::block::{Attestation, OtherResult, Proposal, dissent_text};
use tallywatt_ledger::command::{Command, Genesis, PartyKeys};
use tallywatt_ledger::key::{Cosigner, KeyKind, LogSigner, VerifierKey};
use tallywatt_ledger::note::NoteError;

/// What people call the witness, in policies and messages: it is the regulator's.
pub const WITNESS_NAME: &str = "regulator";
/// Parties that must have signed a head to make it final.
pub const FINAL_COUNT: usize = 2;
/// Signers of a head that make it sealed, the witness counted: money leaves only then.
///
/// Any two sets of three among four share two, so with one liar nobody seals two histories. Without a witness it is all
/// three parties. Three signers are two parties at least, so what is sealed is final, and was recomputed by an honest one;
/// that the figures in it are right is attested by two parties in each block, whoever signs the head.
pub const SEALED_COUNT: usize = 3;

/// Who signs heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signer {
    /// A party, which computed all that is under the head.
    Party(Party),
    /// The witness, which saw that nothing was taken back.
    Witness,
}

impl Signer {
    /// All, in the order of their codes; no witness signs where the genesis names none.
    pub const ALL: [Self; 4] =
        [Self::Party(Party::Grid), Self::Party(Party::Bank), Self::Party(Party::Supplier), Self::Witness];

    /// The code in messages.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Party(party) => party.code(),
            Self::Witness => 4,
        }
    }

    /// From the code in messages.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|signer| signer.code() == code)
    }

    /// Its name in policies and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Party(party) => party.name(),
            Self::Witness => WITNESS_NAME,
        }
    }

    /// Which party, if it is one.
    #[must_use]
    pub const fn party(self) -> Option<Party> {
        match self {
            Self::Party(party) => Some(party),
            Self::Witness => None,
        }
    }
}

impl From<Party> for Signer {
    fn from(party: Party) -> Self {
        Self::Party(party)
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What the signatures under a head come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is ordered, no more.
    Ordered,
    /// Two parties signed it.
    Final,
    /// Three signed it, two parties among them.
    Sealed,
}

impl Standing {
    /// Of a head that these signed, each named once.
    #[must_use]
    pub fn of(signers: &[Signer]) -> Self {
        let party_count = signers.iter().filter(|signer| signer.party().is_some()).count();
        match signers.len() {
            _ if party_count < FINAL_COUNT => Self::Ordered,
            count if count >= SEALED_COUNT => Self::Sealed,
            _ => Self::Final,
        }
    }

    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Final => "final",
            Self::Sealed => "sealed",
        }
    }
}

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
    /// The key of the witness is of the wrong kind, or a party's, or has the name of one.
    #[error("the witness key {0} is no cosigner key, or stands for a party too")]
    Witness(String),
}

/// The public keys of all parties and of the witness, and who attests what.
#[derive(Debug, Clone)]
pub struct Directory {
    entries: Vec<(Party, VerifierKey, VerifierKey, VerifierKey)>,
    witness: Option<VerifierKey>,
    attesters: Attesters,
}

impl Directory {
    /// Reads the keys a genesis lists: nine different ones, each of the kind its use asks for, and that of the witness, which
    /// is none of them.
    ///
    /// # Errors
    /// [`DirectoryError`]: a shared key would let one signer count as two.
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
        let witness = genesis.witness.as_deref().map(VerifierKey::parse).transpose()?;
        if let Some(key) = &witness {
            let has_its_name = |(_, log, witness, exec): &(Party, VerifierKey, VerifierKey, VerifierKey)| {
                [log, witness, exec].iter().any(|other| other.name() == key.name())
            };
            let is_shared = seen.contains(key.public_key()) || entries.iter().any(has_its_name);
            if key.kind() != KeyKind::Cosigner || is_shared {
                return Err(DirectoryError::Witness(key.key()));
            }
        }
        Ok(Self { entries, witness, attesters: genesis.attesters.clone() })
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

    /// The key that cosigns heads for a signer; `None` for a witness where there is none.
    #[must_use]
    pub fn cosigner_key(&self, signer: Signer) -> Option<&VerifierKey> {
        match signer {
            Signer::Party(party) => Some(self.witness_key(party)),
            Signer::Witness => self.witness.as_ref(),
        }
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
        self.entry(attestation.party).3.has_signed(&proposal.attest_text(), &attestation.signature)
    }

    /// Whether `other` is what a party signed instead of the proposal: another result of the same kind, and that party's to give.
    #[must_use]
    pub fn dissents(&self, proposal: &Proposal, party: Party, other: &OtherResult) -> bool {
        let is_other = other.command != proposal.command && other.command.name() == proposal.command.name();
        let text = dissent_text(&proposal.id(), other.input, &other.command);
        let is_asked = self.attesters(&proposal.command).contains(party);
        is_asked && is_other && self.entry(party).3.has_signed(&text, &other.signature)
    }
}

/// Attests a proposal: signs its text with the exec key.
///
/// # Panics
/// Never: the text is well-formed and an Ed25519 signature has 64 bytes.
#[must_use]
pub fn attest(keys: &Keys, party: Party, proposal: &Proposal) -> Attestation {
    Attestation { party, signature: sign(keys, &proposal.attest_text()) }
}

/// Says what came out instead of the proposal of this id, and from which file: signs the text of it with the exec key.
///
/// # Panics
/// Never: as [`attest`].
#[must_use]
pub fn dissent(
    keys: &Keys,
    proposal: &ContentHash,
    input: Option<ContentHash>,
    command: Command,
) -> OtherResult {
    let signature = sign(keys, &dissent_text(proposal, input, &command));
    OtherResult { input, command, signature }
}

fn sign(keys: &Keys, text: &str) -> [u8; 64] {
    let line = keys.exec.sign(text).expect("lines of words and numbers are a well-formed note text");
    line.signature().try_into().expect("an Ed25519 signature has 64 bytes")
}
