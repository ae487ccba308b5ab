//! One party's side of the protocol, as a pure machine: events in, actions out.
//!
//! ```text
//!   event                     actions, in the order they must be done
//!   Propose(command)       ─▶ Announce, SendAttestation (its own)
//!   Announced(proposal)    ─▶ Recompute
//!   Recomputed(own)        ─▶ SendAttestation, or SendDissent
//!   Attested, Dissented    ─▶ Order, once every party has answered and two agree
//!   Ordered(entry)         ─▶ Store {block, leaf, changes}
//!   Stored                 ─▶ StoreLock          what a crash here leaves: a stored block without a signature
//!   LockStored             ─▶ SendCosignature    what a crash here leaves: a lock without a signature: sign again
//!   Cosigned               ─▶ Report(Final | Sealed | Diverged)
//! ```
//!
//! Invariants: nothing is signed that is not stored; nothing is attested that was not recomputed here; a
//! signature follows its lock; an applied entry is never taken back; after a dissent of its own, or a root of
//! its own that others contradict, a member never signs again: it is frozen and says why.

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, Proposal};
use tallywatt_ledger::checkpoint::{Checkpoint, CheckpointError};
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_ledger::log::{Log, LogError, LogHash};
use tallywatt_ledger::note::{Note, NoteError, SignatureLine};

use crate::lock::{LockError, SignLock};
use crate::members::{self, Directory, Keys};
use crate::order::Entry;
use crate::state::{Change, Invalid, State};

/// Signatures that make a head final.
pub const FINAL_COUNT: usize = 2;
/// Signatures that make a head sealed: money leaves only then.
pub const SEALED_COUNT: usize = 3;

/// A party's signature under a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Who.
    pub party: Party,
    /// Size of the log under the head.
    pub size: u64,
    /// Root it computed itself.
    pub root: LogHash,
    /// The signature line.
    pub line: SignatureLine,
}

/// A party's statement that it computed something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dissent {
    /// Who.
    pub party: Party,
    /// What was proposed.
    pub proposed: ContentHash,
    /// What it computed; `None` if it could not.
    pub computed: Option<ContentHash>,
    /// The first value that differs, or why it could not.
    pub detail: String,
}

/// Something that happened to a member.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "events are few and live for one step")]
pub enum Event {
    /// This party wants a command recorded; it computed the numbers itself.
    Propose(Command),
    /// Another party announced a proposal.
    Announced(Proposal),
    /// This party recomputed a proposal from its own data.
    Recomputed {
        /// The proposal.
        proposal: Proposal,
        /// The command it computed, or why it could not.
        own: Result<Command, String>,
    },
    /// A party attested the proposal in flight.
    Attested(Attestation),
    /// A party computed something else for the proposal in flight.
    Dissented(Dissent),
    /// The next entry of the ordered log.
    Ordered(Entry),
    /// The block of this size is durable.
    Stored(u64),
    /// The sign lock is durable; the time goes into the signature.
    LockStored {
        /// The lock.
        lock: SignLock,
        /// UTC seconds.
        now_unix_s: u64,
    },
    /// A party signed a head.
    Cosigned(Cosignature),
}

/// Something a member wants done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Tell the others of a proposal.
    Announce(Proposal),
    /// Compute the proposal's command from this node's own data, and answer with [`Event::Recomputed`].
    Recompute(Proposal),
    /// Give the proposer an attestation.
    SendAttestation(Attestation),
    /// Give the proposer a dissent, and people a report of it.
    SendDissent(Dissent),
    /// Append an entry to the ordered log.
    Order {
        /// What.
        proposal: Proposal,
        /// Who attested it.
        attestations: Vec<Attestation>,
    },
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
    /// All parties signed this size.
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
    /// The proposal did not find two parties that agree: it is not in the chain.
    Refused {
        /// Height it would have had.
        height: u64,
        /// Who proposed it.
        proposer: Party,
    },
    /// A party signed another root at one size than this member computed.
    Diverged {
        /// Height of the block.
        height: u64,
        /// Who signed it.
        party: Party,
        /// The root it signed.
        root: LogHash,
        /// The root computed here.
        own: LogHash,
    },
    /// This member signs nothing any more, and why.
    Frozen(String),
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
    /// An entry lacks attestations that count.
    #[error(
        "entry for block {height} has {count} valid attestations, {FINAL_COUNT} are needed, the proposer's among them"
    )]
    Attestations {
        /// The height.
        height: u64,
        /// How many count.
        count: usize,
    },
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
}

struct InFlight {
    proposal: Proposal,
    attestations: BTreeMap<Party, Attestation>,
    dissents: BTreeMap<Party, Dissent>,
}

#[derive(Default)]
struct Head {
    root: Option<LogHash>,
    lines: BTreeMap<Party, Cosignature>,
}

/// One party's view of the chain.
pub struct Member {
    party: Party,
    keys: Keys,
    origin: String,
    directory: Option<Directory>,
    state: State,
    log: Log,
    parent: (ContentHash, LogHash),
    lock: Option<SignLock>,
    heads: BTreeMap<u64, Head>,
    /// Who signed another root than this member's, by size.
    contradicted: BTreeMap<u64, BTreeSet<Party>>,
    in_flight: Option<InFlight>,
    frozen: Option<String>,
    dissented: Option<ContentHash>,
    fault: Option<Fault>,
}

impl Member {
    /// A member with an empty chain.
    #[must_use]
    pub fn new(party: Party, keys: Keys, origin: String, lock: Option<SignLock>) -> Self {
        Self {
            party,
            keys,
            origin,
            directory: None,
            state: State::default(),
            log: Log::new(),
            parent: (ContentHash::default(), LogHash::from_bytes([0; 32])),
            lock,
            heads: BTreeMap::new(),
            contradicted: BTreeMap::new(),
            in_flight: None,
            frozen: None,
            dissented: None,
            fault: None,
        }
    }

    /// Switches a fault on.
    pub fn set_fault(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Who it is.
    #[must_use]
    pub const fn party(&self) -> Party {
        self.party
    }

    /// The state after the last block.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The outer log.
    #[must_use]
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// Why it signs nothing any more, if so.
    #[must_use]
    pub fn frozen(&self) -> Option<&str> {
        self.frozen.as_deref()
    }

    /// Number of blocks; also the size of the log.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// The parties that signed the head of this size with the root computed here.
    #[must_use]
    pub fn cosigners(&self, size: u64) -> Vec<Party> {
        self.heads.get(&size).map(|head| head.lines.keys().copied().collect()).unwrap_or_default()
    }

    /// A party's signature under the head of this size, if it is known here.
    #[must_use]
    pub fn cosignature(&self, size: u64, party: Party) -> Option<&Cosignature> {
        self.heads.get(&size)?.lines.get(&party)
    }

    /// The public keys of all parties, once there is a genesis.
    #[must_use]
    pub const fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }

    /// The head of this size as a C2SP note: this party's log signature, then every cosignature, by party.
    ///
    /// # Errors
    /// [`MemberError`] if no such head is known.
    pub fn head_note(&self, size: u64) -> Result<Note, MemberError> {
        let text = self.checkpoint(size)?.to_text();
        let mut lines = vec![self.keys.log.sign(&text)?];
        if let Some(head) = self.heads.get(&size) {
            lines.extend(head.lines.values().map(|cosignature| cosignature.line.clone()));
        }
        Ok(Note::new(&text, lines)?)
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`MemberError`]; the member has not changed then.
    pub fn step(&mut self, event: Event) -> Result<Vec<Action>, MemberError> {
        match event {
            Event::Propose(command) => self.propose(command),
            Event::Announced(proposal) => {
                self.state.check(&proposal)?;
                Ok(vec![Action::Recompute(proposal)])
            }
            Event::Recomputed { proposal, own } => Ok(self.answer(&proposal, own)),
            Event::Attested(attestation) => Ok(self.collect(Ok(attestation))),
            Event::Dissented(dissent) => Ok(self.collect(Err(dissent))),
            Event::Ordered(entry) => self.apply(entry),
            Event::Stored(size) => self.stored(size),
            Event::LockStored { lock, now_unix_s } => self.sign(lock, now_unix_s),
            Event::Cosigned(cosignature) => self.cosigned(cosignature),
        }
    }

    /// Puts a block back that this node stored before: recovery runs the same checks as the first time.
    ///
    /// A block that this key has not signed yet must be recomputed first, as when it was proposed: give the
    /// member [`Event::Recomputed`], and it freezes here if the result was another.
    ///
    /// # Errors
    /// [`MemberError`] if it does not follow from the blocks before it, or gives another leaf.
    pub fn restore(&mut self, block: &Block, leaf: &LogLeaf) -> Result<(), MemberError> {
        let height = self.size();
        let what = |what| MemberError::Stored { height, what };
        let entry = Entry {
            proposal: block.proposal.clone(),
            attestations: block.attestations.clone(),
            time_unix_s: block.time_unix_s,
        };
        let (rebuilt, own_leaf, _) = self.extend(entry)?;
        if rebuilt != *block {
            return Err(what("its height or parent"));
        }
        if own_leaf != *leaf {
            return Err(what("its state root or parent leaf"));
        }
        self.freeze_if_dissented(&block.proposal.command.digest(), height);
        Ok(())
    }

    /// Puts a signature back that was stored with a head.
    ///
    /// # Errors
    /// [`MemberError`] if it does not verify.
    pub fn restore_cosignature(&mut self, cosignature: Cosignature) -> Result<(), MemberError> {
        self.cosigned(cosignature).map(|_| ())
    }

    /// After a restart: asks for its own signature under the last head, if that is missing.
    ///
    /// # Errors
    /// [`MemberError`] if the lock says a larger head was signed: blocks are missing, and nothing is signed.
    pub fn resume(&mut self) -> Result<Vec<Action>, MemberError> {
        match self.size() {
            0 => Ok(Vec::new()),
            size if self.cosigners(size).contains(&self.party) => Ok(Vec::new()),
            size => self.stored(size),
        }
    }

    fn propose(&mut self, command: Command) -> Result<Vec<Action>, MemberError> {
        if let Some(in_flight) = &self.in_flight {
            return Err(MemberError::InFlight(in_flight.proposal.number));
        }
        if let Some(reason) = &self.frozen {
            return Err(MemberError::Frozen(reason.clone()));
        }
        let proposal = Proposal {
            chain: self.state.chain().unwrap_or_default(),
            proposer: self.party,
            number: self.state.next_number(self.party),
            command,
        };
        self.state.check(&proposal)?;
        let attestation = members::attest(&self.keys, self.party, &proposal);
        let attestations = BTreeMap::from([(self.party, attestation)]);
        self.in_flight =
            Some(InFlight { proposal: proposal.clone(), attestations, dissents: BTreeMap::new() });
        Ok(vec![Action::Announce(proposal)])
    }

    fn answer(&mut self, proposal: &Proposal, own: Result<Command, String>) -> Vec<Action> {
        let proposed = proposal.command.digest();
        let own = match &self.frozen {
            Some(reason) => Err(format!("it is frozen: {reason}")),
            None => own,
        };
        let dissent = match own {
            Ok(command) if command == proposal.command => {
                return vec![Action::SendAttestation(members::attest(&self.keys, self.party, proposal))];
            }
            Ok(command) => Dissent {
                party: self.party,
                proposed,
                computed: Some(command.digest()),
                detail: proposal.command.difference(&command),
            },
            Err(detail) => Dissent { party: self.party, proposed, computed: None, detail },
        };
        self.dissented = Some(proposed);
        vec![Action::SendDissent(dissent)]
    }

    /// Collects answers; orders once everybody has answered and enough agree.
    fn collect(&mut self, answer: Result<Attestation, Dissent>) -> Vec<Action> {
        let height = self.size();
        let Some(in_flight) = &mut self.in_flight else { return Vec::new() };
        let proposal = &in_flight.proposal;
        let mut actions = Vec::new();
        match answer {
            Ok(attestation) => {
                // The genesis is attested before anybody has its keys: they are in it.
                let own_directory = directory_of(&proposal.command);
                let directory = own_directory.as_ref().or(self.directory.as_ref());
                if directory.is_some_and(|directory| directory.attests(proposal, &attestation)) {
                    in_flight.attestations.insert(attestation.party, attestation);
                }
            }
            Err(dissent) if dissent.proposed == proposal.command.digest() => {
                actions.push(Action::Report(Report::Disputed {
                    height,
                    command: proposal.command.name(),
                    proposer: proposal.proposer,
                    dissent: dissent.clone(),
                }));
                in_flight.dissents.insert(dissent.party, dissent);
            }
            Err(_) => {}
        }
        if in_flight.attestations.len() + in_flight.dissents.len() < Party::ALL.len() {
            return actions;
        }
        let InFlight { proposal, attestations, .. } = self.in_flight.take().expect("it is in flight");
        if attestations.len() >= FINAL_COUNT {
            actions.push(Action::Order { proposal, attestations: attestations.into_values().collect() });
        } else {
            actions.push(Action::Report(Report::Refused { height, proposer: proposal.proposer }));
        }
        actions
    }

    fn apply(&mut self, entry: Entry) -> Result<Vec<Action>, MemberError> {
        let digest = entry.proposal.command.digest();
        let mut actions = Vec::new();
        let (block, leaf, changes) = self.extend(entry)?;
        if let Some(reason) = self.freeze_if_dissented(&digest, block.height) {
            actions.push(Action::Report(Report::Frozen(reason)));
        }
        actions.push(Action::Store { block, leaf, changes });
        Ok(actions)
    }

    /// Freezes this member if the command in the chain is the one it computed otherwise.
    fn freeze_if_dissented(&mut self, digest: &ContentHash, height: u64) -> Option<String> {
        if self.dissented != Some(*digest) || self.frozen.is_some() {
            return None;
        }
        let reason = format!("block {height} holds what this node computed otherwise");
        self.frozen = Some(reason.clone());
        Some(reason)
    }

    /// The pure step every member takes alike: entry in; block, leaf and changed state out.
    fn extend(&mut self, entry: Entry) -> Result<(Block, LogLeaf, Vec<Change>), MemberError> {
        let height = self.size();
        let own_directory = directory_of(&entry.proposal.command);
        let directory = own_directory.as_ref().or(self.directory.as_ref());
        let is_valid = |attestation: &&Attestation| {
            directory.is_some_and(|directory| directory.attests(&entry.proposal, attestation))
        };
        let count = entry.attestations.iter().filter(is_valid).count();
        let proposer = entry.proposal.proposer;
        let has_proposer = entry.attestations.iter().any(|attestation| attestation.party == proposer);
        // Each party once: one that attests twice is still one.
        let is_ordered = entry.attestations.is_sorted_by(|a, b| a.party < b.party);
        if count < FINAL_COUNT || count != entry.attestations.len() || !has_proposer || !is_ordered {
            return Err(MemberError::Attestations { height, count });
        }
        let Entry { proposal, attestations, time_unix_s } = entry;
        let block = Block { height, parent: self.parent.0, time_unix_s, proposal, attestations };
        // What is stored must be readable again: limits are checked where bytes are read.
        Block::decode(&block.encode())?;
        let block_hash = block.hash();
        let changes = self.state.apply(&block.proposal, block_hash)?;
        let mut state = self.state.root();
        if matches!(self.fault, Some(Fault::WrongState(from)) if height >= from) {
            state.0[0] ^= 1;
        }
        let leaf = LogLeaf { height, block: block_hash, parent: self.parent.1, state };
        self.log.append(leaf.hash())?;
        self.parent = (block_hash, leaf.hash());
        if let Some(directory) = own_directory {
            self.directory = Some(directory);
        }
        let root = self.log.root();
        self.heads.entry(height + 1).or_default().root = Some(root);
        Ok((block, leaf, changes))
    }

    fn stored(&mut self, size: u64) -> Result<Vec<Action>, MemberError> {
        if self.frozen.is_some() {
            return Ok(Vec::new());
        }
        let root = self.log.root_at(size)?;
        Ok(vec![Action::StoreLock(SignLock::advance(self.lock, size, root)?)])
    }

    fn sign(&mut self, lock: SignLock, now_unix_s: u64) -> Result<Vec<Action>, MemberError> {
        SignLock::advance(self.lock, lock.size, lock.root)?;
        self.lock = Some(lock);
        let checkpoint = self.checkpoint(lock.size)?;
        let line = self.keys.witness.sign_cosignature(&checkpoint.to_text(), now_unix_s)?;
        let cosignature = Cosignature { party: self.party, size: lock.size, root: lock.root, line };
        let mut actions = vec![Action::SendCosignature(cosignature.clone())];
        actions.extend(self.cosigned(cosignature)?);
        Ok(actions)
    }

    fn cosigned(&mut self, cosignature: Cosignature) -> Result<Vec<Action>, MemberError> {
        let Cosignature { party, size, root, .. } = cosignature;
        let own = self.log.root_at(size)?;
        let Some(directory) = &self.directory else { return Ok(Vec::new()) };
        let checkpoint = Checkpoint::new(&self.origin, size, root)?;
        directory.witness_key(party).verify_cosignature(&checkpoint.to_text(), &cosignature.line)?;
        if root != own {
            // A valid signature under another root: portable evidence against one of the two.
            let mut actions = vec![Action::Report(Report::Diverged { height: size - 1, party, root, own })];
            let contradicting = self.contradicted.entry(size).or_default();
            contradicting.insert(party);
            if contradicting.len() >= FINAL_COUNT && self.frozen.is_none() {
                let reason = format!("both others signed another head over block {}", size - 1);
                self.frozen = Some(reason.clone());
                actions.push(Action::Report(Report::Frozen(reason)));
            }
            return Ok(actions);
        }
        let head = self.heads.entry(size).or_default();
        if head.lines.insert(party, cosignature).is_some() {
            return Ok(Vec::new());
        }
        Ok(match head.lines.len() {
            FINAL_COUNT => vec![Action::Report(Report::Final(size))],
            SEALED_COUNT => vec![Action::Report(Report::Sealed(size))],
            _ => Vec::new(),
        })
    }

    fn checkpoint(&self, size: u64) -> Result<Checkpoint, MemberError> {
        let root = self.log.root_at(size)?;
        Ok(Checkpoint::new(&self.origin, size, root)?)
    }
}

fn directory_of(command: &Command) -> Option<Directory> {
    let Command::Genesis(genesis) = command else { return None };
    let genesis: &Genesis = genesis;
    Directory::of(genesis).ok()
}
