//! Who the parties are, and the witness if there is one, by their keys: taken from the genesis and the motions since, and used
//! to check every signature.

use std::fmt;

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::{Attesters, PartySet};
use tallywatt_ledger::block::{Attestation, OtherResult, Proposal, dissent_text};
use tallywatt_ledger::command::{Command, Genesis, PartyKeys};
use tallywatt_ledger::governance::{Governance, GovernanceError};
use tallywatt_ledger::key::{Cosigner, LogSigner, VerifierKey};
use tallywatt_ledger::key_history::{KeyHistory, KeysError};
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

/// The key sets that one party's node holds: which of them signs is for the chain to say. No debug output: they are secrets.
pub struct KeyRing(Vec<Keys>);

impl From<Keys> for KeyRing {
    fn from(keys: Keys) -> Self {
        Self(vec![keys])
    }
}

impl From<Vec<Keys>> for KeyRing {
    fn from(sets: Vec<Keys>) -> Self {
        Self(sets)
    }
}

impl KeyRing {
    /// The log key with this public side, if it is held.
    #[must_use]
    pub fn log(&self, named: &VerifierKey) -> Option<&LogSigner> {
        self.0.iter().map(|keys| &keys.log).find(|key| key.verifier_key() == named)
    }

    /// The witness key with this public side, if it is held.
    #[must_use]
    pub fn witness(&self, named: &VerifierKey) -> Option<&Cosigner> {
        self.witnesses().find(|key| key.verifier_key() == named)
    }

    /// The exec key with this public side, if it is held.
    #[must_use]
    pub fn exec(&self, named: &VerifierKey) -> Option<&LogSigner> {
        self.0.iter().map(|keys| &keys.exec).find(|key| key.verifier_key() == named)
    }

    /// All witness keys that are held.
    pub fn witnesses(&self) -> impl Iterator<Item = &Cosigner> {
        self.0.iter().map(|keys| &keys.witness)
    }
}

/// The public keys of all parties and of the witness by height, and who attests what.
#[derive(Debug, Clone)]
pub struct Directory {
    keys: KeyHistory,
    attesters: Attesters,
}

impl Directory {
    /// Reads the keys a genesis lists.
    ///
    /// # Errors
    /// [`KeysError`]: a shared key would let one signer count as two.
    pub fn of(genesis: &Genesis) -> Result<Self, KeysError> {
        Ok(Self { keys: KeyHistory::of(genesis)?, attesters: genesis.attesters.clone() })
    }

    /// The keys of all, by height.
    #[must_use]
    pub const fn keys(&self) -> &KeyHistory {
        &self.keys
    }

    /// The key that signs heads of this size as the log, for `party`.
    #[must_use]
    pub fn log_key(&self, party: Party, size: u64) -> &VerifierKey {
        &self.keys.of_head(size).of(party).log
    }

    /// The key that cosigns heads of this size for a signer; `None` for a witness where there is none.
    #[must_use]
    pub fn cosigner_key(&self, signer: Signer, size: u64) -> Option<&VerifierKey> {
        let keys = self.keys.of_head(size);
        match signer {
            Signer::Party(party) => Some(&keys.of(party).witness),
            Signer::Witness => keys.witness(),
        }
    }

    /// The key by which a party attests the block of this height.
    #[must_use]
    pub fn exec_key(&self, party: Party, height: u64) -> &VerifierKey {
        &self.keys.at(height).of(party).exec
    }

    /// Who recomputes a command and attests it.
    #[must_use]
    pub fn attesters(&self, command: &Command) -> PartySet {
        self.attesters.of_command(command)
    }

    /// Whether `attestation` is its party's signature under the proposal for the block of this height, and that party's to
    /// give.
    #[must_use]
    pub fn attests(&self, proposal: &Proposal, attestation: &Attestation, height: u64) -> bool {
        let Attestation { party, signature } = attestation;
        let text = proposal.attest_text();
        self.attesters(&proposal.command).contains(*party)
            && self.keys.at(height).check_exec(*party, &text, signature).is_ok()
    }

    /// Whether `other` is what a party signed instead of the proposal for the block of this height: another result of the same
    /// kind, and that party's to give.
    #[must_use]
    pub fn dissents(&self, proposal: &Proposal, party: Party, other: &OtherResult, height: u64) -> bool {
        let is_other = other.command != proposal.command && other.command.name() == proposal.command.name();
        let text = dissent_text(&proposal.id(), other.input, &other.command);
        self.attesters(&proposal.command).contains(party)
            && is_other
            && self.keys.at(height).check_exec(party, &text, &other.signature).is_ok()
    }

    /// Takes the motion in the block of this height.
    ///
    /// # Errors
    /// [`GovernanceError`]; nothing has changed then.
    pub fn apply(&mut self, governance: &Governance, height: u64) -> Result<(), GovernanceError> {
        self.keys.apply(governance, height)
    }
}

/// Attests a proposal: signs its text with the exec key.
#[must_use]
pub fn attest(keys: &Keys, party: Party, proposal: &Proposal) -> Attestation {
    attest_by(&keys.exec, party, proposal)
}

/// Attests a proposal with this exec key.
///
/// # Panics
/// Never: the text is well-formed and an Ed25519 signature has 64 bytes.
#[must_use]
pub fn attest_by(exec: &LogSigner, party: Party, proposal: &Proposal) -> Attestation {
    Attestation { party, signature: sign(exec, &proposal.attest_text()) }
}

/// Says what came out instead of the proposal of this id, and from which file: signs the text of it with an exec key.
///
/// # Panics
/// Never: as [`attest_by`].
#[must_use]
pub fn dissent_by(
    exec: &LogSigner,
    proposal: &ContentHash,
    input: Option<ContentHash>,
    command: Command,
) -> OtherResult {
    let signature = sign(exec, &dissent_text(proposal, input, &command));
    OtherResult { input, command, signature }
}

fn sign(exec: &LogSigner, text: &str) -> [u8; 64] {
    let line = exec.sign(text).expect("lines of words and numbers are a well-formed note text");
    line.signature().try_into().expect("an Ed25519 signature has 64 bytes")
}
