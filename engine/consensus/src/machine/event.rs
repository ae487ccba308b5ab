//! What a member is told, what it wants done, and what people are told.

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, OtherResult, Proposal};
use tallywatt_ledger::checkpoint::CheckpointError;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::governance::GovernanceError;
use tallywatt_ledger::log::{LogError, LogHash};
use tallywatt_ledger::note::{NoteError, SignatureLine};
use tallywatt_ledger::wrong_result::Dispute;

use super::JUDGED_COUNT_MAX;
use crate::lock::{LockError, SignLock};
use crate::members::{FINAL_COUNT, Signer};
use crate::order::Entry;
use crate::state::{Change, Invalid};

/// A party's signature under a head, or the witness's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Who.
    pub signer: Signer,
    /// Size of the log under the head.
    pub size: u64,
    /// Root of it: a party computed it itself.
    pub root: LogHash,
    /// The signature line.
    pub line: SignatureLine,
}

/// A party's statement that it computed something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dissent {
    /// Who.
    pub party: Party,
    /// What was proposed: [`Proposal::id`].
    pub proposal: ContentHash,
    /// What it computed, signed; `None` if nothing follows from its data, or if it signs nothing any more.
    pub computed: Option<Box<OtherResult>>,
    /// The first value that differs, or why nothing follows.
    pub detail: String,
}

/// A party's statement that it gives no answer now: it lacks a file, its clock is behind, it is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abstention {
    /// Who.
    pub party: Party,
    /// What was proposed: [`Proposal::id`].
    pub proposal: ContentHash,
    /// Why.
    pub reason: String,
}

/// Why a member has no command of its own to compare a proposal with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotComputed {
    /// Not now: something it is computed from is still to come.
    Waits(String),
    /// Never: nothing follows from what this node holds.
    Fails(String),
}

/// Something that happened to a member. Times are UTC seconds, of this node's clock.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "events are few and live for one step")]
pub enum Event {
    /// This party wants a command recorded; it computed the numbers itself.
    Propose {
        /// What.
        command: Command,
        /// When.
        now_unix_s: u64,
    },
    /// Another party announced a proposal, with its own attestation.
    Announced(Proposal, Attestation),
    /// This party recomputed a proposal from its own data.
    Recomputed {
        /// The proposal.
        proposal: Proposal,
        /// The command it computed, or why it did not.
        own: Result<Command, NotComputed>,
        /// Content hash of the file it was computed from, if it has one.
        input: Option<ContentHash>,
        /// When.
        now_unix_s: u64,
    },
    /// A party attested the proposal in flight.
    Attested(Attestation),
    /// A party computed something else for the proposal in flight, or for another's that it was asked about too.
    Dissented(Dissent),
    /// A party gives no answer to the proposal in flight.
    Abstained(Abstention),
    /// The others had their time to answer the proposal in flight.
    Overdue,
    /// The next entry of the ordered log. The one after it may come when this one is stored or passed over.
    Ordered(Entry),
    /// The block of this size is durable.
    Stored(u64),
    /// The sign lock is durable; the time goes into the signature.
    LockStored {
        /// The lock.
        lock: SignLock,
        /// When.
        now_unix_s: u64,
    },
    /// A party signed a head, or the witness.
    Cosigned(Cosignature),
    /// What a peer holds of this member's own signatures: the one under the largest head.
    Heard {
        /// Which peer.
        from: Party,
        /// The signature, if it holds any.
        own: Option<Cosignature>,
        /// How many blocks the peer has. It answers when it has applied all that was ordered when it was asked.
        ordered_size: u64,
    },
    /// The lock was raised to what a peer held.
    LockRaised {
        /// The lock.
        lock: SignLock,
        /// Which peer.
        from: Party,
    },
}

/// Something a member wants done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Tell the others of a proposal, with this party's attestation.
    Announce(Proposal, Attestation),
    /// Compute the proposal's command from this node's own data, and answer with [`Event::Recomputed`].
    Recompute(Proposal),
    /// Give the proposer an attestation.
    SendAttestation(Attestation),
    /// Give the proposer a dissent, and whoever else is asked: with its own it may convict somebody. Give people a report of it.
    SendDissent(Dissent),
    /// Tell the proposer not to wait.
    SendAbstention(Abstention),
    /// Append an entry to the ordered log.
    Order(Entry),
    /// Pass the ordered entry over: it cannot extend the chain, for anybody.
    Pass(String),
    /// Make the block, its leaf and the changed entries durable in one transaction; then [`Event::Stored`].
    Store {
        /// The block.
        block: Block,
        /// Its leaf.
        leaf: LogLeaf,
        /// Entries of the state that changed.
        changes: Vec<Change>,
    },
    /// Make the lock durable; then [`Event::LockStored`].
    StoreLock(SignLock),
    /// Make the lock durable, sign nothing; then [`Event::LockRaised`].
    RaiseLock {
        /// The lock.
        lock: SignLock,
        /// Which peer held the signature.
        from: Party,
    },
    /// Give everybody a signature under a head.
    SendCosignature(Cosignature),
    /// Tell people.
    Report(Report),
}

/// What people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Two parties signed this size.
    Final(u64),
    /// Three signed this size, the witness counted.
    Sealed(u64),
    /// A party computed something else than what was proposed.
    Disputed {
        /// Height the proposal would have, or has.
        height: u64,
        /// What kind of command.
        command: &'static str,
        /// Who proposed it.
        proposer: Party,
        /// Who computed what.
        dissent: Dissent,
    },
    /// Parties signed different results of one proposal: evidence, told again when another party speaks.
    Contradiction(Box<Dispute>),
    /// A party gave no answer to a proposal.
    Abstained {
        /// Height the proposal would have.
        height: u64,
        /// Who, and why.
        abstention: Abstention,
    },
    /// The proposal did not find two parties that agree: it is not in the chain.
    Refused {
        /// Height it would have had.
        height: u64,
        /// Who proposed it.
        proposer: Party,
        /// Who is to attest it and neither did nor contradicted; without anybody the proposer is contradicted by all.
        missing: Vec<Party>,
    },
    /// Another block came before this member's proposal, which follows no block any more: propose it again.
    Overtaken {
        /// Height it would have had.
        height: u64,
    },
    /// A party, or the witness, signed another root at one size than this member computed.
    Diverged {
        /// Height of the block.
        height: u64,
        /// Who signed it.
        signer: Signer,
        /// The root it signed.
        root: LogHash,
        /// The root computed here.
        own: LogHash,
    },
    /// One key signed two roots at one size: who it is, and both signatures, which need nothing else to be believed.
    DoubleSigned {
        /// The signature under the root computed here.
        own_root: Box<Cosignature>,
        /// The other.
        other_root: Box<Cosignature>,
    },
    /// This member signs nothing any more, and why.
    Frozen(String),
    /// It does not hold the keys that the chain names for its party, and signs nothing until it does.
    Keyless {
        /// The first block that they are in force at.
        from: u64,
    },
}

/// Why an event cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// The command cannot extend the chain.
    #[error("cannot extend the chain: {0}")]
    Invalid(#[from] Invalid),
    /// A proposal is still in flight.
    #[error("cannot propose: proposal {0} is still in flight")]
    InFlight(u64),
    /// It does not follow the last block.
    #[error("proposal {number} of {proposer} is on block {found}, the last is {last}")]
    Parent {
        /// Whose.
        proposer: Party,
        /// Its number.
        number: u64,
        /// What it follows.
        found: ContentHash,
        /// The last block.
        last: ContentHash,
    },
    /// Its time lies before the last block's.
    #[error("proposal {number} of {proposer} is of {time_unix_s} s, the last block of {last_unix_s} s")]
    Time {
        /// Whose.
        proposer: Party,
        /// Its number.
        number: u64,
        /// Its time.
        time_unix_s: u64,
        /// The last block's.
        last_unix_s: u64,
    },
    /// An announcement without its proposer's signature.
    #[error("proposal {number} of {proposer} is not signed by {proposer}")]
    Unsigned {
        /// Whose.
        proposer: Party,
        /// Its number.
        number: u64,
    },
    /// Too many proposals on one block.
    #[error("more than {JUDGED_COUNT_MAX} proposals on one block")]
    Flood,
    /// An entry lacks attestations that count.
    #[error(
        "entry for block {height} has {count} valid attestations of those who are to give them, {FINAL_COUNT} are needed, the proposer's among them, each party once"
    )]
    Attestations {
        /// The height.
        height: u64,
        /// How many count.
        count: usize,
    },
    /// An entry came while another is still to be stored.
    #[error("entry for block {0} is not stored yet")]
    Busy(u64),
    /// A signature, key or note is not well-formed.
    #[error("a signature cannot be taken: {0}")]
    Note(#[from] NoteError),
    /// The lock forbids it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The log is full, or has no such leaf.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The block is past a limit: it could not be read back.
    #[error("the block cannot be stored: {0}")]
    Block(#[from] CodecError),
    /// This member is frozen.
    #[error("this node signs nothing any more: {0}")]
    Frozen(String),
    /// The head cannot be written as a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A motion that does not count.
    #[error("cannot change keys: {0}")]
    Governance(#[from] GovernanceError),
    /// The key in force is not among those that this node holds.
    #[error("this node does not hold the keys of {party} that are in force at block {height}")]
    Keyless {
        /// Whose.
        party: Party,
        /// At which block.
        height: u64,
    },
    /// A signature in the name of a witness, where there is none.
    #[error("a witness's signature under a head of size {0}, the chain names no witness for it")]
    NoWitness(u64),
    /// A signature under a head that is too far ahead to be kept.
    #[error("a signature under a head of size {size}, this chain has {own}")]
    Ahead {
        /// Its size.
        size: u64,
        /// This member's.
        own: u64,
    },
    /// A stored block does not follow from the one before.
    #[error("stored block {height} does not follow: {what}")]
    Stored {
        /// The height.
        height: u64,
        /// What is wrong.
        what: &'static str,
    },
}

/// A fault that a test, or a demonstration, switches on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// From this height on, this member computes another state root.
    WrongState(u64),
    /// It signs without asking its lock.
    NoLock,
}
