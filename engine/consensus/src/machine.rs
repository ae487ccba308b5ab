//! One party's side of the protocol, as a pure machine: events in, actions out.
//!
//! ```text
//!   event                     actions, in the order they must be done
//!   Propose(command)       ─▶ Announce
//!   Announced(proposal)    ─▶ Recompute, if its proposer signed it
//!   Recomputed(own)        ─▶ SendAttestation, SendDissent, or SendAbstention
//!   Attested, Dissented, … ─▶ Order, once two agree and every party has answered, or the wait is Overdue
//!                             Report(Contradiction), with what each signed, where two results differ
//!   Ordered(entry)         ─▶ Store {block, leaf, changes}; Recompute first, if that is still to do; or Pass
//!   Stored                 ─▶ StoreLock          what a crash here leaves: a stored block without a signature
//!   LockStored             ─▶ SendCosignature    what a crash here leaves: a lock without a signature: sign again
//!   Cosigned               ─▶ Report(Final | Sealed | Diverged | DoubleSigned)     by a party, or by the witness
//!   Heard                  ─▶ RaiseLock, StoreLock     what a peer holds of this member's own signatures
//! ```
//!
//! Each kind of command is recomputed and attested by a set of parties that the genesis names: all three, or two. Who is
//! outside the set is not asked, and its word counts for nothing; it checks the attestations of an ordered entry, applies it to
//! its state, which is a function of the log alone, and signs history.
//!
//! Invariants: nothing is signed that is not stored; nothing is attested or signed that was not recomputed here, on the
//! block it follows, where this member is to recompute it; a signature follows its lock; an applied entry is never taken
//! back; after a dissent of its own, or a root of its own that others contradict, a member never signs again: it is frozen
//! and says why. Which key signs is for the chain to say, block by block: a member that does not hold it signs nothing.

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::PartySet;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, Proposal};
use tallywatt_ledger::command::Command;
use tallywatt_ledger::key::LogSigner;
use tallywatt_ledger::log::{Log, LogHash};
use tallywatt_ledger::wrong_result::Dispute;

use crate::lock::SignLock;
use crate::members::{self, Directory, FINAL_COUNT, KeyRing};
use crate::order::Entry;
use crate::state::{Change, State};

mod claims;
mod event;
mod heads;

pub use event::{Abstention, Action, Cosignature, Dissent, Event, Fault, MemberError, NotComputed, Report};

use claims::Claims;
use heads::Heads;

/// How far ahead of a member's clock a proposal may lie and be attested, seconds.
pub const AHEAD_S_MAX: u64 = 600;
/// How many proposals on one block a member judges: nobody needs more, and a flood is refused.
pub const JUDGED_COUNT_MAX: usize = 256;
/// How many attestations on one block are remembered as verified; what is past that is verified again.
const VERIFIED_COUNT_MAX: usize = 4 * JUDGED_COUNT_MAX;

/// This member's own proposal, and who answered it.
struct InFlight {
    proposal: Proposal,
    id: ContentHash,
    attestations: BTreeMap<Party, Attestation>,
    dissenters: BTreeSet<Party>,
    abstainers: BTreeSet<Party>,
}

/// The last block, as the next one follows it.
#[derive(Debug, Clone, Copy)]
struct Tip {
    block: ContentHash,
    leaf: LogHash,
    time_unix_s: u64,
}

/// One party's view of the chain.
pub struct Member {
    party: Party,
    keys: KeyRing,
    origin: String,
    directory: Option<Directory>,
    state: State,
    log: Log,
    tip: Tip,
    lock: Option<SignLock>,
    /// Peers that said what they hold of this member's signatures, since it started.
    heard: BTreeSet<Party>,
    /// Chain and lock were put back from a copy: the key may have signed more than they say.
    is_restored: bool,
    /// It may have signed heads up to this size, by what its peers say: it signs no smaller one.
    floor: u64,
    heads: Heads,
    in_flight: Option<InFlight>,
    /// Proposals on the last block that were recomputed here, and whether the same came out.
    judged: BTreeMap<ContentHash, bool>,
    /// Attestations of proposals on the last block that were made or verified here: nobody verifies one twice.
    verified: BTreeSet<(ContentHash, Party, [u8; 64])>,
    claims: Claims,
    /// An ordered entry that is still to be recomputed.
    waiting: Option<Entry>,
    frozen: Option<String>,
    /// Told people that it lacks the keys in force from this block on.
    keyless_from: Option<u64>,
    fault: Option<Fault>,
}

impl Member {
    /// A member with an empty chain. It signs nothing before it heard what its peers hold of its signatures: one of them if
    /// it has a lock of its own, all if it has none or was put back from a copy.
    #[must_use]
    pub fn new(party: Party, keys: impl Into<KeyRing>, origin: String, lock: Option<SignLock>) -> Self {
        let none = LogHash::from_bytes([0; 32]);
        Self {
            party,
            keys: keys.into(),
            origin,
            directory: None,
            state: State::default(),
            log: Log::new(),
            tip: Tip { block: ContentHash::default(), leaf: none, time_unix_s: 0 },
            lock,
            heard: BTreeSet::new(),
            is_restored: false,
            floor: 0,
            heads: Heads::default(),
            in_flight: None,
            judged: BTreeMap::new(),
            verified: BTreeSet::new(),
            claims: Claims::default(),
            waiting: None,
            frozen: None,
            keyless_from: None,
            fault: None,
        }
    }

    /// Switches a fault on.
    pub fn set_fault(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    /// Says that chain and lock were put back from a copy: all peers must say what they hold before it signs.
    pub const fn set_restored(&mut self) {
        self.is_restored = true;
    }

    /// Takes the key sets that its node holds now: of a key that the chain names only later, or that was missing.
    pub fn set_keys(&mut self, keys: impl Into<KeyRing>) {
        self.keys = keys.into();
        self.keyless_from = None;
    }

    /// Says that it must not sign any more, and why, until it is made anew.
    pub fn stop_signing(&mut self, reason: String) {
        self.freeze(reason);
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

    /// Its own proposal that waits for answers.
    #[must_use]
    pub fn in_flight(&self) -> Option<&Proposal> {
        self.in_flight.as_ref().map(|in_flight| &in_flight.proposal)
    }

    /// The ordered entry that waits until it is recomputed here.
    #[must_use]
    pub const fn waiting(&self) -> Option<&Entry> {
        self.waiting.as_ref()
    }

    /// The public keys of all parties by height, once there is a genesis.
    #[must_use]
    pub const fn directory(&self) -> Option<&Directory> {
        self.directory.as_ref()
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`MemberError`]; the member has not changed then.
    pub fn step(&mut self, event: Event) -> Result<Vec<Action>, MemberError> {
        match event {
            Event::Propose { command, now_unix_s } => self.propose(command, now_unix_s),
            Event::Announced(proposal, attestation) => self.announced(proposal, attestation),
            Event::Recomputed { proposal, own, input, now_unix_s } => {
                self.recomputed(&proposal, own, input, now_unix_s)
            }
            Event::Attested(attestation) => Ok(self.attested(attestation)),
            Event::Dissented(dissent) => Ok(self.dissented(dissent)),
            Event::Abstained(abstention) => Ok(self.abstained(abstention)),
            Event::Overdue => Ok(self.decide(true)),
            Event::Ordered(entry) => self.ordered(entry),
            Event::Stored(size) => self.stored(size),
            Event::LockStored { lock, now_unix_s } => self.sign(lock, now_unix_s),
            Event::Cosigned(cosignature) => self.cosigned(cosignature),
            Event::Heard { from, own, ordered_size } => self.hear(from, own, ordered_size),
            Event::LockRaised { lock, from } => self.lock_raised(lock, from),
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
        let (proposal, attestations) = (block.proposal.clone(), block.attestations.clone());
        let entry = Entry { proposal, attestations };
        self.check_entry(&entry)?;
        let (rebuilt, own_leaf, _, _) = self.extend(entry)?;
        if rebuilt != *block {
            return Err(what("its height"));
        }
        if own_leaf != *leaf {
            return Err(what("its state root or parent leaf"));
        }
        Ok(())
    }

    /// The same, of a block under a head that this key has signed: it was checked then, and the lock holds what was signed. Who
    /// calls it puts the last such block back by [`Member::restore`], which computes the root of the state, and compares the
    /// log with the lock.
    ///
    /// # Errors
    /// [`MemberError`] if it does not follow from the blocks before it, or gives another leaf.
    pub fn restore_signed(&mut self, block: &Block, leaf: &LogLeaf) -> Result<(), MemberError> {
        let height = self.size();
        let what = |what| MemberError::Stored { height, what };
        if block.height != height || block.proposal.parent != self.tip.block {
            return Err(what("its height or the block before it"));
        }
        let hash = block.hash();
        self.state.apply(&block.proposal, hash)?;
        if *leaf != (LogLeaf { height, block: hash, parent: self.tip.leaf, state: leaf.state }) {
            return Err(what("its hash or parent leaf"));
        }
        self.log.append(leaf.hash())?;
        self.tip = Tip { block: hash, leaf: leaf.hash(), time_unix_s: block.proposal.time_unix_s };
        self.take_keys(&block.proposal.command, height)
    }

    /// Takes the keys that a command names: the genesis, or a motion.
    fn take_keys(&mut self, command: &Command, height: u64) -> Result<(), MemberError> {
        match (command, &mut self.directory) {
            (Command::Genesis(_), _) => self.directory = directory_of(command),
            (Command::Govern(governance), Some(directory)) => directory.apply(governance, height)?,
            _ => {}
        }
        Ok(())
    }

    /// Whether a motion has the consents of all, and may stand in the next block; of other commands nothing is said.
    fn check_motion(&self, command: &Command) -> Result<(), MemberError> {
        match (command, &self.directory) {
            (Command::Govern(governance), Some(directory)) => {
                Ok(directory.keys().check(governance, self.size())?)
            }
            _ => Ok(()),
        }
    }

    /// The key by which this party attests the next block, if its node holds it.
    fn exec_key(&self, command: &Command) -> Result<&LogSigner, MemberError> {
        // The first block is attested by the keys in it.
        let own_directory = directory_of(command);
        let directory = own_directory.as_ref().or(self.directory.as_ref());
        let (party, height) = (self.party, self.size());
        let held = directory.and_then(|directory| self.keys.exec(directory.exec_key(party, height)));
        held.ok_or(MemberError::Keyless { party, height })
    }

    fn propose(&mut self, command: Command, now_unix_s: u64) -> Result<Vec<Action>, MemberError> {
        if let Some(in_flight) = &self.in_flight {
            return Err(MemberError::InFlight(in_flight.proposal.number));
        }
        if let Some(reason) = &self.frozen {
            return Err(MemberError::Frozen(reason.clone()));
        }
        let proposal = Proposal {
            chain: self.state.chain().unwrap_or_default(),
            parent: self.tip.block,
            proposer: self.party,
            number: self.state.next_number(self.party),
            // The chain's time never runs back, though a clock may.
            time_unix_s: now_unix_s.max(self.tip.time_unix_s),
            command,
        };
        self.state.check(&proposal)?;
        self.check_motion(&proposal.command)?;
        let id = proposal.id();
        let attestation = self.attest(&proposal, id)?;
        let attestations = BTreeMap::from([(self.party, attestation)]);
        let (dissenters, abstainers) = (BTreeSet::new(), BTreeSet::new());
        self.in_flight =
            Some(InFlight { proposal: proposal.clone(), id, attestations, dissenters, abstainers });
        self.judged.insert(id, true);
        let dispute = self.claim(&proposal, attestation);
        let reports = dispute.map(contradiction).into_iter();
        Ok([Action::Announce(proposal, attestation)].into_iter().chain(reports).collect())
    }

    /// This member's own attestation, if its node holds the key.
    fn attest(&mut self, proposal: &Proposal, id: ContentHash) -> Result<Attestation, MemberError> {
        let attestation = members::attest_by(self.exec_key(&proposal.command)?, self.party, proposal);
        self.remember(id, &attestation);
        Ok(attestation)
    }

    /// An attestation that needs no second look; of a party that signs one proposal again and again not every one is kept.
    fn remember(&mut self, id: ContentHash, attestation: &Attestation) {
        if self.verified.len() < VERIFIED_COUNT_MAX {
            self.verified.insert((id, attestation.party, attestation.signature));
        }
    }

    /// Whether this member is to recompute a command.
    #[must_use]
    pub fn recomputes(&self, command: &Command) -> bool {
        self.attesters(command).contains(self.party)
    }

    /// Who recomputes a command and attests it: as the genesis says, which says it of itself too.
    fn attesters(&self, command: &Command) -> PartySet {
        match (command, &self.directory) {
            (Command::Genesis(genesis), _) => genesis.attesters.of_command(command),
            (_, Some(directory)) => directory.attesters(command),
            // Nothing but a genesis can follow nothing.
            (_, None) => PartySet::ALL,
        }
    }

    fn announced(
        &mut self,
        proposal: Proposal,
        attestation: Attestation,
    ) -> Result<Vec<Action>, MemberError> {
        if !self.recomputes(&proposal.command) {
            return Ok(Vec::new());
        }
        self.follows(&proposal)?;
        self.state.check(&proposal)?;
        let Proposal { proposer, number, .. } = proposal;
        // What nobody signed convicts nobody: nothing is computed for it.
        if attestation.party != proposer || !self.is_attested(&proposal, &attestation) {
            return Err(MemberError::Unsigned { proposer, number });
        }
        self.check_motion(&proposal.command)?;
        if self.judged.len() >= JUDGED_COUNT_MAX {
            return Err(MemberError::Flood);
        }
        self.remember(proposal.id(), &attestation);
        let dispute = self.claim(&proposal, attestation);
        Ok(dispute.map(contradiction).into_iter().chain([Action::Recompute(proposal)]).collect())
    }

    /// Whether an attestation is its party's, and that party's to give. The genesis is attested before anybody has its keys:
    /// they are in it.
    fn is_attested(&self, proposal: &Proposal, attestation: &Attestation) -> bool {
        let own_directory = directory_of(&proposal.command);
        let directory = own_directory.as_ref().or(self.directory.as_ref());
        directory.is_some_and(|directory| directory.attests(proposal, attestation, self.size()))
    }

    /// Whether a proposal is on the last block, and not before its time.
    fn follows(&self, proposal: &Proposal) -> Result<(), MemberError> {
        let Proposal { proposer, number, parent, time_unix_s, .. } = *proposal;
        if parent != self.tip.block {
            return Err(MemberError::Parent { proposer, number, found: parent, last: self.tip.block });
        }
        let last_unix_s = self.tip.time_unix_s;
        if time_unix_s < last_unix_s {
            return Err(MemberError::Time { proposer, number, time_unix_s, last_unix_s });
        }
        Ok(())
    }

    /// Judges a proposal by what came out here, answers its proposer, and goes on if it is ordered already.
    fn recomputed(
        &mut self,
        proposal: &Proposal,
        own: Result<Command, NotComputed>,
        input: Option<ContentHash>,
        now_unix_s: u64,
    ) -> Result<Vec<Action>, MemberError> {
        self.follows(proposal)?;
        if !self.recomputes(&proposal.command) {
            return Ok(Vec::new());
        }
        let id = proposal.id();
        let answer = self.answer(proposal, own, input, now_unix_s);
        let is_waiting = self.waiting.as_ref().is_some_and(|entry| entry.proposal == *proposal);
        if is_waiting && self.judged.contains_key(&id) {
            let entry = self.waiting.take().expect("it is waiting");
            let (height, command) = (self.size(), entry.proposal.command.name());
            let proposer = entry.proposal.proposer;
            let mut actions = self.apply(entry)?;
            if let Action::SendDissent(dissent) = answer {
                actions.insert(0, Action::Report(Report::Disputed { height, command, proposer, dissent }));
            }
            return Ok(actions);
        }
        if is_waiting {
            return Ok(Vec::new());
        }
        // Its own word counts with what the others say. Of an entry that is ordered already nobody is told: whoever ordered it
        // may have chosen the file.
        let dispute = match &answer {
            Action::SendAttestation(attestation) => self.claims.attest(&id, *attestation),
            Action::SendDissent(dissent) => self.hear_dissent(dissent),
            _ => None,
        };
        Ok([answer].into_iter().chain(dispute.map(contradiction)).collect())
    }

    fn answer(
        &mut self,
        proposal: &Proposal,
        own: Result<Command, NotComputed>,
        input: Option<ContentHash>,
        now_unix_s: u64,
    ) -> Action {
        let (party, id) = (self.party, proposal.id());
        let abstain = |reason| Action::SendAbstention(Abstention { party, proposal: id, reason });
        let (computed, detail) = match own {
            Ok(command) if command == proposal.command => {
                self.judged.insert(id, true);
                let ahead_s = proposal.time_unix_s.saturating_sub(now_unix_s);
                if let Some(reason) = &self.frozen {
                    return abstain(format!("it signs nothing any more: {reason}"));
                }
                if ahead_s > AHEAD_S_MAX {
                    return abstain(format!("it is dated {ahead_s} s ahead, at most {AHEAD_S_MAX}"));
                }
                return match self.attest(proposal, id) {
                    Ok(attestation) => Action::SendAttestation(attestation),
                    Err(lack) => abstain(lack.to_string()),
                };
            }
            Ok(command) => {
                let detail = proposal.command.difference(&command);
                let exec = self.exec_key(&proposal.command).ok().filter(|_| self.frozen.is_none());
                let signed = exec.map(|exec| Box::new(members::dissent_by(exec, &id, input, command)));
                (signed, detail)
            }
            Err(NotComputed::Fails(detail)) => (None, detail),
            Err(NotComputed::Waits(reason)) => return abstain(reason),
        };
        self.judged.insert(id, false);
        Action::SendDissent(Dissent { party, proposal: id, computed, detail })
    }

    fn attested(&mut self, attestation: Attestation) -> Vec<Action> {
        let Some(InFlight { proposal, id, .. }) = &self.in_flight else { return Vec::new() };
        let id = *id;
        let mut actions = Vec::new();
        if self.is_attested(proposal, &attestation) {
            actions.extend(self.claims.attest(&id, attestation).map(contradiction));
            if let Some(in_flight) = &mut self.in_flight {
                in_flight.attestations.insert(attestation.party, attestation);
            }
            self.remember(id, &attestation);
        }
        actions.extend(self.decide(false));
        actions
    }

    fn dissented(&mut self, dissent: Dissent) -> Vec<Action> {
        let height = self.size();
        let evidence = self.hear_dissent(&dissent).map(contradiction);
        let Some(in_flight) = self.answered(&dissent.proposal, dissent.party) else {
            return evidence.into_iter().collect();
        };
        in_flight.dissenters.insert(dissent.party);
        let (command, proposer) = (in_flight.proposal.command.name(), in_flight.proposal.proposer);
        let mut actions = vec![Action::Report(Report::Disputed { height, command, proposer, dissent })];
        actions.extend(evidence);
        actions.extend(self.decide(false));
        actions
    }

    fn abstained(&mut self, abstention: Abstention) -> Vec<Action> {
        let height = self.size();
        let Some(in_flight) = self.answered(&abstention.proposal, abstention.party) else {
            return Vec::new();
        };
        in_flight.abstainers.insert(abstention.party);
        let mut actions = vec![Action::Report(Report::Abstained { height, abstention })];
        actions.extend(self.decide(false));
        actions
    }

    /// The proposal in flight, if it is the one that a party answers, and that party is asked.
    fn answered(&mut self, id: &ContentHash, by: Party) -> Option<&mut InFlight> {
        let asked = self.in_flight.as_ref().map(|in_flight| self.attesters(&in_flight.proposal.command))?;
        self.in_flight.as_mut().filter(|in_flight| in_flight.id == *id && asked.contains(by))
    }

    /// Orders the proposal in flight if two agree, gives it up if not: once every party that is asked has answered, or their
    /// time is over. Where only two are asked and one gives no answer, the proposal waits for that party, outside: what is
    /// given up can be proposed again, and something else before it.
    fn decide(&mut self, is_overdue: bool) -> Vec<Action> {
        let height = self.size();
        let Some(in_flight) = &self.in_flight else { return Vec::new() };
        let asked = self.attesters(&in_flight.proposal.command);
        let silent = asked.iter().filter(|party| {
            !in_flight.attestations.contains_key(party)
                && !in_flight.dissenters.contains(party)
                && !in_flight.abstainers.contains(party)
        });
        if silent.count() > 0 && !is_overdue {
            return Vec::new();
        }
        let Some(InFlight { proposal, attestations, dissenters, .. }) = self.in_flight.take() else {
            return Vec::new();
        };
        if attestations.len() >= FINAL_COUNT {
            let attestations = attestations.into_values().collect();
            return vec![Action::Order(Entry { proposal, attestations })];
        }
        let is_missing = |party: &Party| !attestations.contains_key(party) && !dissenters.contains(party);
        let missing = asked.iter().filter(is_missing).collect();
        vec![Action::Report(Report::Refused { height, proposer: proposal.proposer, missing })]
    }

    /// Whether an entry would become the next block.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        self.check_next(entry).is_ok()
    }

    fn check_next(&self, entry: &Entry) -> Result<(), MemberError> {
        self.check_entry(entry)?;
        Ok(self.state.check(&entry.proposal)?)
    }

    /// Takes the next entry: passes it over if it extends nothing, has it recomputed if it was not yet.
    fn ordered(&mut self, entry: Entry) -> Result<Vec<Action>, MemberError> {
        if self.waiting.is_some() {
            return Err(MemberError::Busy(self.size()));
        }
        if let Err(error) = self.check_next(&entry) {
            return Ok(vec![Action::Pass(error.to_string())]);
        }
        // One that signs no more keeps the chain, for whoever asks what happened.
        let is_others = !self.recomputes(&entry.proposal.command);
        if is_others || self.frozen.is_some() || self.judged.contains_key(&entry.proposal.id()) {
            return self.apply(entry);
        }
        let proposal = entry.proposal.clone();
        self.waiting = Some(entry);
        Ok(vec![Action::Recompute(proposal)])
    }

    fn apply(&mut self, entry: Entry) -> Result<Vec<Action>, MemberError> {
        let height = self.size();
        let id = entry.proposal.id();
        let (block, leaf, changes, frozen) = self.extend(entry)?;
        let mut actions: Vec<Action> =
            frozen.map(|reason| Action::Report(Report::Frozen(reason))).into_iter().collect();
        if self.in_flight.take().is_some_and(|in_flight| in_flight.id != id) {
            actions.push(Action::Report(Report::Overtaken { height }));
        }
        actions.push(Action::Store { block, leaf, changes });
        actions.extend(self.take_ahead()?);
        Ok(actions)
    }

    /// Whether an entry stands on the last block, and two parties attested it that are to, the proposer among them: of a set of
    /// two, both.
    fn check_entry(&self, entry: &Entry) -> Result<(), MemberError> {
        let height = self.size();
        self.follows(&entry.proposal)?;
        let own_directory = directory_of(&entry.proposal.command);
        let directory = own_directory.as_ref().or(self.directory.as_ref());
        let id = entry.proposal.id();
        let is_valid = |attestation: &&Attestation| {
            if self.verified.contains(&(id, attestation.party, attestation.signature)) {
                return true;
            }
            directory.is_some_and(|directory| directory.attests(&entry.proposal, attestation, height))
        };
        let count = entry.attestations.iter().filter(is_valid).count();
        let proposer = entry.proposal.proposer;
        let has_proposer = entry.attestations.iter().any(|attestation| attestation.party == proposer);
        // Each party once: one that attests twice is still one.
        let is_ordered = entry.attestations.is_sorted_by(|a, b| a.party < b.party);
        if count < FINAL_COUNT || count != entry.attestations.len() || !has_proposer || !is_ordered {
            return Err(MemberError::Attestations { height, count });
        }
        self.check_motion(&entry.proposal.command)?;
        // What is stored must be readable again: limits are checked where bytes are read.
        let (proposal, attestations) = (entry.proposal.clone(), entry.attestations.clone());
        Block::decode(&Block { height, proposal, attestations }.encode())?;
        Ok(())
    }

    /// The pure step every member takes alike: checked entry in; block, leaf and changed state out. Freezes this member, and says
    /// why, if it computed otherwise.
    fn extend(&mut self, entry: Entry) -> Result<(Block, LogLeaf, Vec<Change>, Option<String>), MemberError> {
        let height = self.size();
        let Entry { proposal, attestations } = entry;
        let block = Block { height, proposal, attestations };
        let block_hash = block.hash();
        let changes = self.state.apply(&block.proposal, block_hash)?;
        let mut state = self.state.root();
        if matches!(self.fault, Some(Fault::WrongState(from)) if height >= from) {
            state.0[0] ^= 1;
        }
        let leaf = LogLeaf { height, block: block_hash, parent: self.tip.leaf, state };
        self.log.append(leaf.hash())?;
        self.tip = Tip { block: block_hash, leaf: leaf.hash(), time_unix_s: block.proposal.time_unix_s };
        self.take_keys(&block.proposal.command, height)?;
        let is_same = self.judged.get(&block.proposal.id()).copied();
        self.judged.clear();
        self.verified.clear();
        self.claims.turn(&block.proposal.parent);
        let mut frozen = None;
        if is_same == Some(false) {
            frozen = self.freeze(format!("block {height} holds what this node computed otherwise"));
        }
        Ok((block, leaf, changes, frozen))
    }

    /// Signs nothing from here on; the reason, unless it is frozen already.
    fn freeze(&mut self, reason: String) -> Option<String> {
        if self.frozen.is_some() {
            return None;
        }
        self.frozen = Some(reason.clone());
        Some(reason)
    }
}

fn contradiction(dispute: Dispute) -> Action {
    Action::Report(Report::Contradiction(Box::new(dispute)))
}

fn directory_of(command: &Command) -> Option<Directory> {
    let Command::Genesis(genesis) = command else { return None };
    Directory::of(genesis).ok()
}
