//! Evidence of a wrong result: what parties say of one proposal, each in its own signature, in a text that stands by itself.
//!
//! ```text
//! tallywatt-evidence/v1
//! wrong-result
//! genesis <block> <log leaf>                              base64: whose keys these are
//! proposal <block>                                        base64, of height 0: the proposal, and who attested it, its proposer among them
//! dissent <party> <input> <command> <signature>           one line or two, by party: what it computed instead, and from which file
//!                                                         one empty line
//! c2sp.org/tlog-proof@v1                                  the genesis's place in the log that the policy knows
//! …
//! ```
//!
//! - All statements are of one proposal: an attestation is bound to chain, parent, proposer, number, time and command, a
//!   dissent to that very text. What a party says of another proposal in the same place is none of them.
//! - Who says something else than two others is contradicted ([`Dispute::judgement`]). That is all it proves: that the two
//!   signed another result than the third. Which figures are right follows from the readings, by a receipt or an audit.
//! - One against one convicts nobody. Nor does a dissent from another file than the proposal names: its proposer may have
//!   given it; two such dissents that agree contradict the proposer, who alone gave both.
//!
//! Bytes in `FORMAT.md` §8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;

use crate::block::{Attestation, BLOCK_SIZE_MAX, Block, LogLeaf, OtherResult, Proposal, dissent_text};
use crate::codec::CodecError;
use crate::command::{Command, Genesis};
use crate::key::{KeyKind, VerifierKey};
use crate::policy::{Policy, Verdict};
use crate::tlog_proof::{TLOG_PROOF_SIZE_MAX, TlogProof, TlogProofError};

/// How every evidence of a wrong result begins.
pub const WRONG_RESULT_MARK: &str = "tallywatt-evidence/v1\nwrong-result\n";
/// Most bytes in the text: genesis, proposal and two commands in base64, the proof, and 4 KiB for the rest.
pub const WRONG_RESULT_SIZE_MAX: usize = 4 * BLOCK_SIZE_MAX.div_ceil(3) * 4 + TLOG_PROOF_SIZE_MAX + 4096;
/// Stands for the file of a command that has none.
const NO_INPUT: &str = "-";

/// Why statements are no dispute, or a text no evidence, or nothing in it can be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongResultError {
    /// The text is too long.
    #[error("evidence has {bytes} bytes, at most {WRONG_RESULT_SIZE_MAX}")]
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// Not its lines, or not in their one spelling.
    #[error("evidence of a wrong result is not its lines in their one spelling")]
    Shape,
    /// A record that is none.
    #[error("cannot read the {record}: {cause}")]
    Record {
        /// Which.
        record: &'static str,
        /// What is wrong with it.
        cause: CodecError,
    },
    /// The proof is none, or its checkpoint is not believed.
    #[error("the genesis is not shown to be the log's: {0}")]
    Proof(TlogProofError),
    /// The first block is none, or not the one that log leaf, proof and proposal name.
    #[error("the genesis is not the first block of the chain and log that it is shown for")]
    Genesis,
    /// The genesis has no key for a party, or two parties have one.
    #[error("the genesis names no key of its own by which {0} attests")]
    Key(Party),
    /// The proposer's own statement is missing.
    #[error("its proposer {0} did not sign it")]
    Unsigned(Party),
    /// A party twice, or out of order; or nobody who computed something else.
    #[error("it is not each party once, the proposer and one or two who computed something else among them")]
    Statements,
    /// A dissent that says what was proposed, or speaks of something of another kind.
    #[error("the dissent of {0} does not name another result")]
    Same(Party),
    /// A party whose word counts for nothing here.
    #[error("{party} does not recompute a {command}")]
    NotAsked {
        /// Who.
        party: Party,
        /// Of what kind.
        command: &'static str,
    },
    /// A signature that does not hold.
    #[error("{0} did not sign what is said in its name")]
    Signature(Party),
}

/// What statements of one proposal come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Two parties signed another result than this one.
    Contradicted(Party),
    /// One against one, or each something else: one of them is wrong, and this does not tell which.
    Open,
    /// A dissent from another file than the proposal names, and nobody who dissents alike: the file may be at fault.
    OtherFile,
}

/// Statements of one proposal that cannot all be right, well-formed; whether they are signed is for [`Dispute::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispute {
    proposal: Proposal,
    attestations: Vec<Attestation>,
    others: Vec<(Party, OtherResult)>,
}

impl Dispute {
    /// Puts statements side by side: who attested the proposal, its proposer among them, and who computed something else, both
    /// by party, each party once.
    ///
    /// # Errors
    /// [`WrongResultError::Unsigned`], [`WrongResultError::Statements`], [`WrongResultError::Same`].
    pub fn new(
        proposal: Proposal,
        attestations: Vec<Attestation>,
        others: Vec<(Party, OtherResult)>,
    ) -> Result<Self, WrongResultError> {
        if !attestations.iter().any(|attestation| attestation.party == proposal.proposer) {
            return Err(WrongResultError::Unsigned(proposal.proposer));
        }
        let attests = |party: &Party| attestations.iter().any(|attestation| attestation.party == *party);
        let is_sound = attestations.is_sorted_by(|a, b| a.party < b.party)
            && others.is_sorted_by(|(a, _), (b, _)| a < b)
            && !others.is_empty()
            && !others.iter().any(|(party, _)| attests(party));
        if !is_sound {
            return Err(WrongResultError::Statements);
        }
        let is_same = |other: &OtherResult| {
            other.command == proposal.command || other.command.name() != proposal.command.name()
        };
        if let Some((party, _)) = others.iter().find(|(_, other)| is_same(other)) {
            return Err(WrongResultError::Same(*party));
        }
        Ok(Self { proposal, attestations, others })
    }

    /// What was proposed.
    #[must_use]
    pub const fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    /// Who signed it, by party.
    #[must_use]
    pub fn attestations(&self) -> &[Attestation] {
        &self.attestations
    }

    /// Who computed what instead, by party.
    #[must_use]
    pub fn others(&self) -> &[(Party, OtherResult)] {
        &self.others
    }

    /// Who is contradicted by two, if anybody is.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        match &self.others[..] {
            [(_, one), (_, other)] if one.command == other.command => {
                Judgement::Contradicted(self.proposal.proposer)
            }
            [(_, other)] if !self.is_of_same_file(other) => Judgement::OtherFile,
            [(party, _)] if self.attestations.len() > 1 => Judgement::Contradicted(*party),
            _ => Judgement::Open,
        }
    }

    /// Whether a dissent is of the file that the proposal names, or neither has one.
    fn is_of_same_file(&self, other: &OtherResult) -> bool {
        match &self.proposal.command {
            // Named by the root of what is in it: another root is another file.
            Command::Contracts(_) => false,
            command => other.input == input_named(command),
        }
    }

    /// Checks each statement against the keys by which the genesis says that its party attests, and that it is that party's to
    /// give.
    ///
    /// # Errors
    /// [`WrongResultError`] names the first party that did not sign, or is not asked.
    pub fn check(&self, genesis: &Genesis) -> Result<(), WrongResultError> {
        let asked = genesis.attesters.of_command(&self.proposal.command);
        let (id, text) = (self.proposal.id(), self.proposal.attest_text());
        let attested = self.attestations.iter().map(|said| (said.party, text.clone(), said.signature));
        let others = self
            .others
            .iter()
            .map(|(party, said)| (*party, dissent_text(&id, said.input, &said.command), said.signature));
        let keys = exec_keys(genesis)?;
        for (party, text, signature) in attested.chain(others) {
            if !asked.contains(party) {
                return Err(WrongResultError::NotAsked { party, command: self.proposal.command.name() });
            }
            let key = &keys[usize::from(party.code()) - 1];
            if !key.has_signed(&text, &signature) {
                return Err(WrongResultError::Signature(party));
            }
        }
        Ok(())
    }
}

/// The content hash of the file that a command is computed from and names, if it does.
#[must_use]
pub const fn input_named(command: &Command) -> Option<ContentHash> {
    match command {
        Command::Publish(publication) => Some(publication.hash),
        Command::Batch(batch) => Some(batch.file),
        Command::Settlement(settlement) => Some(settlement.file),
        Command::Genesis(_)
        | Command::Contracts(_)
        | Command::Period(_)
        | Command::Bills(_)
        | Command::Corrections(_)
        | Command::Activate(_)
        | Command::Govern(_) => None,
    }
}

/// The keys by which the parties attest, in their order; no key in two hands, or one party could speak for two.
fn exec_keys(genesis: &Genesis) -> Result<Vec<VerifierKey>, WrongResultError> {
    let mut keys: Vec<VerifierKey> = Vec::new();
    for (party, texts) in Party::ALL.into_iter().zip(&genesis.parties) {
        let key = VerifierKey::parse(&texts.exec).ok().filter(|key| key.kind() == KeyKind::Log);
        let is_new = |key: &VerifierKey| keys.iter().all(|other| other.public_key() != key.public_key());
        keys.push(key.filter(is_new).ok_or(WrongResultError::Key(party))?);
    }
    Ok(keys)
}

/// A dispute with the first block, and that block's place in a signed log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongResult {
    genesis: Block,
    leaf: LogLeaf,
    dispute: Dispute,
    proof: TlogProof,
}

/// What an evidence shows, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown<'a> {
    /// What the policy found in the signed head.
    pub verdict: Verdict,
    /// The statements, each signed.
    pub dispute: &'a Dispute,
    /// Who is contradicted, if anybody is.
    pub judgement: Judgement,
}

impl WrongResult {
    /// An evidence from a dispute, the first block with its log leaf, and the proof of that leaf.
    #[must_use]
    pub const fn new(genesis: Block, leaf: LogLeaf, dispute: Dispute, proof: TlogProof) -> Self {
        Self { genesis, leaf, dispute, proof }
    }

    /// The statements, whoever made them.
    #[must_use]
    pub const fn dispute(&self) -> &Dispute {
        &self.dispute
    }

    /// Writes the evidence.
    #[must_use]
    pub fn encode(&self) -> String {
        let Dispute { proposal, attestations, others } = &self.dispute;
        let code = |bytes: &[u8]| STANDARD.encode(bytes);
        let (genesis, leaf) = (code(&self.genesis.encode()), code(&self.leaf.encode()));
        let block = Block { height: 0, proposal: proposal.clone(), attestations: attestations.clone() };
        let mut text = format!("{WRONG_RESULT_MARK}genesis {genesis} {leaf}\n");
        text.push_str(&format!("proposal {}\n", code(&block.encode())));
        for (party, other) in others {
            let input = other.input.map_or_else(|| NO_INPUT.to_owned(), |hash| hash.to_string());
            let (command, signature) = (code(&other.command.encode()), code(&other.signature));
            text.push_str(&format!("dissent {party} {input} {command} {signature}\n"));
        }
        text.push('\n');
        text.push_str(&self.proof.encode());
        text
    }

    /// Reads an evidence.
    ///
    /// # Errors
    /// [`WrongResultError`] for every text that [`WrongResult::encode`] would not write.
    pub fn parse(bytes: &[u8]) -> Result<Self, WrongResultError> {
        if bytes.len() > WRONG_RESULT_SIZE_MAX {
            return Err(WrongResultError::TooLong { bytes: bytes.len() });
        }
        let shape = || WrongResultError::Shape;
        let text = std::str::from_utf8(bytes).map_err(|_| shape())?;
        let rest = text.strip_prefix(WRONG_RESULT_MARK).ok_or_else(shape)?;
        // No line above the proof is empty, so the first empty line is the one before it.
        let (head, proof) = rest.split_once("\n\n").ok_or_else(shape)?;
        let mut lines = head.split('\n');
        let [genesis, leaf] = words(lines.next(), "genesis")?;
        let genesis = record("genesis", genesis, Block::decode)?;
        let leaf = record("log leaf", leaf, LogLeaf::decode)?;
        let [proposal] = words(lines.next(), "proposal")?;
        let Block { proposal, attestations, .. } = record("proposal", proposal, Block::decode)?;
        let mut others = Vec::new();
        for line in lines {
            if others.len() == Party::ALL.len() {
                return Err(shape());
            }
            let [party, input, command, signature] = words(Some(line), "dissent")?;
            let party = Party::from_name(party).ok_or_else(shape)?;
            let input = match input {
                NO_INPUT => None,
                hash => Some(hash.parse().map_err(|_| shape())?),
            };
            let command = record("result of a dissent", command, Command::decode)?;
            let signature = STANDARD.decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
            let signature = signature.ok_or_else(shape)?;
            others.push((party, OtherResult { input, command, signature }));
        }
        let proof = TlogProof::parse(proof).map_err(WrongResultError::Proof)?;
        let dispute = Dispute::new(proposal, attestations, others)?;
        let evidence = Self { genesis, leaf, dispute, proof };
        // Nobody signs the extra data of a proof, and a height of a proposal is none.
        if evidence.proof.extra().is_none() && evidence.encode() == text {
            Ok(evidence)
        } else {
            Err(shape())
        }
    }

    /// Checks everything: that the genesis is the first block of a log which the policy knows, that the proposal is of its chain,
    /// and that each party signed what is said in its name.
    ///
    /// # Errors
    /// [`WrongResultError`] names the first thing that does not hold.
    pub fn check(&self, policy: &Policy) -> Result<Shown<'_>, WrongResultError> {
        let verdict = self.proof.verify(self.leaf.hash(), policy).map_err(WrongResultError::Proof)?;
        let Command::Genesis(genesis) = &self.genesis.proposal.command else {
            return Err(WrongResultError::Genesis);
        };
        let hash = self.genesis.hash();
        let is_first = self.genesis.height == 0
            && (self.leaf.height, self.leaf.block, self.proof.index()) == (0, hash, 0)
            && genesis.origin == verdict.checkpoint.origin();
        if !is_first || self.dispute.proposal.chain != hash {
            return Err(WrongResultError::Genesis);
        }
        self.dispute.check(genesis)?;
        Ok(Shown { verdict, dispute: &self.dispute, judgement: self.dispute.judgement() })
    }
}

/// The words of a line behind its keyword, as many as there must be.
fn words<'a, const N: usize>(line: Option<&'a str>, keyword: &str) -> Result<[&'a str; N], WrongResultError> {
    let rest = line.and_then(|line| line.strip_prefix(keyword)?.strip_prefix(' '));
    let words: Vec<&str> = rest.ok_or(WrongResultError::Shape)?.split(' ').collect();
    words.try_into().map_err(|_| WrongResultError::Shape)
}

fn record<T>(
    record: &'static str,
    code: &str,
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
) -> Result<T, WrongResultError> {
    let bytes = STANDARD.decode(code).map_err(|_| WrongResultError::Shape)?;
    decode(&bytes).map_err(|cause| WrongResultError::Record { record, cause })
}
