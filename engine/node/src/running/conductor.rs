//! One thread that owns the node: takes events one at a time, does what the member asks for, in that order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tallywatt_consensus::machine::{Action, Cosignature, Event, MemberError, NotComputed, Report};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Block, LogLeaf, Proposal};
use tallywatt_ledger::command::{Command, Genesis};
use tokio::sync::{mpsc, oneshot, watch};

use crate::books::Books;
use crate::node::{Node, NodeError};
use crate::node_folder;
use crate::order::{OrderError, Ordered, RaftOrder};
use crate::peers::limits::{INLINE_SIZE_MAX, PROPOSALS_OF_PARTY_MAX, SMALL_PROPOSALS_OF_PARTY_MAX};
use crate::peers::message::{FileGiven, FileName, Reply, Request};
use crate::peers::tls::Identity;
use crate::running::RunError;
use crate::running::files::{Files, Sources, has_input_file};
use crate::running::outbox::Outbox;
use crate::running::proposing::{
    COMPUTE_WAIT, Current, Finishing, ORDER_WAIT, Proposed, THIRD_WAIT, TRIES_MAX, Until, WANTED_COUNT_MAX,
    Wanted,
};
use crate::running::status::{PeerStatus, Status};
use crate::store::StoredBlock;

/// How often what waits is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long until an entry that could not be ordered, or a file that could not be fetched, is tried again.
const AGAIN: Duration = Duration::from_millis(100);
/// Findings that are kept at hand; the store keeps all.
const FINDING_COUNT_MAX: usize = 1_000;
/// Blocks that are stored without a signature, at most, while there are more to take.
const UNSIGNED_COUNT_MAX: usize = 64;
/// Blocks given to an operator at once.
pub const BLOCKS_GIVEN_MAX: u64 = 16;

/// Blocks from a height on, and the newest head.
pub struct Given {
    /// The blocks.
    pub blocks: Vec<StoredBlock>,
    /// How many there are in all.
    pub size: u64,
    /// The newest head with all signatures known, as a note.
    pub head: String,
}

/// What the conductor is told.
pub enum Told {
    /// A peer sent something that needs no answer.
    Peer(Party, Request),
    /// A peer asks what is held of its signatures, to be answered at this index of the order.
    Asked(Party, u64, oneshot::Sender<Reply>),
    /// A peer said what it holds of ours, when it was asked exactly or not; or gave no answer.
    Answered(Party, bool, Result<Reply, String>),
    /// An announcement did not reach a peer.
    Undelivered(Party, ContentHash),
    /// A file came, or did not.
    Fetched(Box<Wait>, Result<Vec<u8>, String>),
    /// An operator wants a command recorded.
    Wanted(Box<Wanted>),
    /// An operator reads the chain from this height on.
    Blocks(u64, oneshot::Sender<Result<Given, String>>),
    /// It is enough.
    Stop,
}

/// What waits for a file.
#[expect(clippy::large_enum_variant, reason = "few wait, and each but for a while")]
pub enum Wait {
    /// An announced proposal.
    Announced(Proposal),
    /// The ordered entry that the member waits with.
    Waiting(Proposal),
    /// The same, computed otherwise here: the chain's own file is needed to keep the chain.
    Disputed(Proposal, Result<Command, NotComputed>),
    /// An entry that this node computed otherwise, or signs no more.
    Entry(u64, Entry),
}

impl Wait {
    const fn proposal(&self) -> &Proposal {
        match self {
            Self::Announced(proposal) | Self::Waiting(proposal) | Self::Disputed(proposal, _) => proposal,
            Self::Entry(_, entry) => &entry.proposal,
        }
    }
}

/// What a conductor is made of.
pub(super) struct Parts {
    pub(super) node: Node,
    pub(super) genesis: Genesis,
    pub(super) order: RaftOrder,
    pub(super) applied: u64,
    pub(super) identity: Identity,
    pub(super) peers: BTreeMap<Party, SocketAddr>,
    pub(super) outboxes: BTreeMap<Party, Outbox>,
    pub(super) files: Arc<Files>,
    pub(super) teller: mpsc::Sender<Told>,
    pub(super) state: watch::Sender<Status>,
    pub(super) clock: fn() -> u64,
    pub(super) log: fn(&str),
}

/// The one who owns the node.
pub(super) struct Conductor {
    parts: Parts,
    party: Party,
    /// Hash of the last block.
    tip: ContentHash,
    /// Files of proposals that may become the next block.
    held: BTreeMap<ContentHash, Option<Vec<u8>>>,
    /// Names of files that are to be fetched, as their proposers gave them.
    named: BTreeMap<ContentHash, FileName>,
    /// Proposals on the last block that this node computed otherwise.
    dissented: BTreeSet<ContentHash>,
    /// Files that came with the order: whoever ordered the entry chose them.
    unproven: BTreeSet<ContentHash>,
    /// How many proposals of each party on the last block were looked at.
    looked: BTreeMap<Party, usize>,
    /// Announced on a block that is not here yet.
    early: VecDeque<(Party, Proposal, FileGiven)>,
    /// Index of the entry that is being taken.
    taking: Option<u64>,
    /// An entry that waits for its file before the member hears of it.
    pending: bool,
    askers: Vec<(Party, u64, oneshot::Sender<Reply>)>,
    heard: BTreeSet<Party>,
    down: BTreeMap<Party, bool>,
    slow: BTreeSet<Party>,
    /// The largest head of each party that agrees with this chain.
    signed: BTreeMap<Party, u64>,
    queue: VecDeque<Wanted>,
    current: Option<Current>,
    finishing: Vec<Finishing>,
    findings: Vec<String>,
    is_head_stale: bool,
    /// Size of the chain after the last stored block, whose head is not signed yet.
    unsigned: Option<u64>,
    unsigned_count: usize,
    /// What was staged before the start is removed.
    is_cleared: bool,
    next_genesis: Instant,
}

impl Conductor {
    pub(super) fn new(parts: Parts) -> Self {
        let party = parts.node.party();
        Self {
            party,
            parts,
            tip: ContentHash::default(),
            held: BTreeMap::new(),
            named: BTreeMap::new(),
            dissented: BTreeSet::new(),
            unproven: BTreeSet::new(),
            looked: BTreeMap::new(),
            early: VecDeque::new(),
            taking: None,
            pending: false,
            askers: Vec::new(),
            heard: BTreeSet::new(),
            down: Party::ALL.into_iter().filter(|other| *other != party).map(|other| (other, true)).collect(),
            slow: BTreeSet::new(),
            signed: BTreeMap::new(),
            queue: VecDeque::new(),
            current: None,
            finishing: Vec::new(),
            findings: Vec::new(),
            is_head_stale: false,
            unsigned: None,
            unsigned_count: 0,
            is_cleared: false,
            next_genesis: Instant::now(),
        }
    }

    /// Takes events until it is told to stop, or must.
    pub(super) async fn conduct(
        mut self,
        mut ordered: mpsc::Receiver<Ordered>,
        mut told: mpsc::Receiver<Told>,
    ) -> Result<(), RunError> {
        self.begin()?;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let takes_entry = !self.pending && self.parts.node.member().waiting().is_none();
            tokio::select! {
                event = told.recv() => match event {
                    None | Some(Told::Stop) => break,
                    Some(event) => self.told(event)?,
                },
                entry = ordered.recv(), if takes_entry => match entry {
                    Some(entry) => self.ordered(entry)?,
                    None => return Err(self.order_ended()),
                },
                _ = tick.tick() => self.tick()?,
            }
            // One signature covers all before it: a node that catches up signs when nothing more is there to take.
            let is_due = ordered.is_empty() || self.unsigned_count >= UNSIGNED_COUNT_MAX;
            if is_due && let Some(size) = self.unsigned.take() {
                self.unsigned_count = 0;
                self.step(Event::Stored(size))?;
                self.note_signature(self.party);
                self.finish();
                self.propose_next()?;
            }
        }
        self.store_head()
    }

    fn begin(&mut self) -> Result<(), RunError> {
        let height = self.parts.node.member().size().checked_sub(1);
        if let Some(height) = height {
            let last = self.parts.node.store().block(height)?;
            self.tip = last.map_or(self.tip, |last| last.block.hash());
        }
        self.findings = self.parts.node.store().findings()?;
        for party in Party::ALL {
            self.note_signature(party);
        }
        self.publish();
        Ok(())
    }

    fn order_ended(&self) -> RunError {
        let order = &self.parts.order;
        let reason = order.refusal().or_else(|| order.stopped());
        RunError::Frozen(reason.unwrap_or_else(|| "the order has stopped".to_owned()))
    }

    fn told(&mut self, told: Told) -> Result<(), RunError> {
        match told {
            Told::Peer(from, request) => self.peer(from, request),
            Told::Asked(from, at_least, reply) => {
                self.askers.push((from, at_least, reply));
                self.answer_askers();
                Ok(())
            }
            Told::Answered(peer, is_exact, reply) => self.answered(peer, is_exact, reply),
            Told::Undelivered(peer, id) => {
                if let Some(current) = self.current.as_mut().filter(|current| current.id == id) {
                    current.undelivered.insert(peer);
                }
                self.decide()
            }
            Told::Fetched(wait, result) => self.fetched(*wait, result),
            Told::Wanted(wanted) => {
                self.want(*wanted);
                self.propose_next()
            }
            Told::Blocks(from, reply) => {
                // An operator that is gone wants nothing.
                let _ = reply.send(self.given(from));
                Ok(())
            }
            Told::Stop => Ok(()),
        }
    }

    fn given(&self, from: u64) -> Result<Given, String> {
        let (node, size) = (&self.parts.node, self.parts.node.member().size());
        let mut blocks = Vec::new();
        for height in from..size.min(from.saturating_add(BLOCKS_GIVEN_MAX)) {
            let stored = node.store().block(height).map_err(|error| error.to_string())?;
            blocks.push(stored.ok_or_else(|| format!("block {height} is not in the store"))?);
        }
        let head = match size {
            0 => String::new(),
            size => node.member().head_note(size).map_err(|error| error.to_string())?.encode(),
        };
        Ok(Given { blocks, size, head })
    }

    // ---- what peers send ----

    fn peer(&mut self, from: Party, request: Request) -> Result<(), RunError> {
        match request {
            Request::Announce(proposal, file) => return self.announced(from, proposal, file),
            Request::Attest(attestation) if attestation.party == from => {
                if let Some(current) = &mut self.current {
                    current.answered.insert(from);
                    current.attested.insert(from);
                    self.slow.remove(&from);
                }
                self.step(Event::Attested(attestation))?;
            }
            Request::Dissent(dissent) => {
                self.has_answered(from, &dissent.proposal);
                self.step(Event::Dissented(dissent))?;
            }
            Request::Abstain(abstention) => {
                self.has_answered(from, &abstention.proposal);
                self.step(Event::Abstained(abstention))?;
            }
            Request::Cosign(cosignature) => self.cosigned(cosignature)?,
            // The doorman answers the others himself.
            _ => {}
        }
        self.decide()
    }

    fn has_answered(&mut self, from: Party, id: &ContentHash) {
        if let Some(current) = self.current.as_mut().filter(|current| current.id == *id) {
            current.answered.insert(from);
            self.slow.remove(&from);
        }
    }

    /// Looks at a proposal of another party; keeps one that is on a block which is not here yet.
    fn announced(&mut self, from: Party, proposal: Proposal, file: FileGiven) -> Result<(), RunError> {
        let looked = self.looked.entry(from).or_default();
        let most = match file {
            FileGiven::Inline(_) => SMALL_PROPOSALS_OF_PARTY_MAX,
            _ => PROPOSALS_OF_PARTY_MAX,
        };
        if *looked >= most {
            self.log(&format!("{from} proposes more than {most} times on one block"));
            return Ok(());
        }
        if proposal.parent != self.tip {
            self.early.push_back((from, proposal, file));
            if self.early.len() > PROPOSALS_OF_PARTY_MAX * (Party::ALL.len() - 1) {
                self.early.pop_front();
            }
            return Ok(());
        }
        *looked += 1;
        let id = proposal.id();
        match file {
            FileGiven::None => {}
            FileGiven::Inline(bytes) => {
                self.held.insert(id, Some(bytes));
            }
            FileGiven::Named(name) => {
                self.named.insert(id, name);
            }
        }
        self.step(Event::Announced(proposal))
    }

    /// Makes the file of a proposal durable: who attests it must be able to give it to the others.
    fn hold(&mut self, id: ContentHash, bytes: Vec<u8>) -> Result<(), RunError> {
        let party = self.party;
        let staged = self.parts.files.stage(id, &bytes);
        staged.map_err(|source| NodeError::Folder { party, source: source.into() })?;
        self.held.insert(id, Some(bytes));
        Ok(())
    }

    fn cosigned(&mut self, cosignature: Cosignature) -> Result<(), RunError> {
        let party = cosignature.party;
        self.step(Event::Cosigned(cosignature))?;
        self.note_signature(party);
        self.finish();
        Ok(())
    }

    /// Remembers the largest head of a party that agrees with this chain.
    fn note_signature(&mut self, party: Party) {
        let member = self.parts.node.member();
        if let Some(newest) = member.newest_cosignature(party)
            && member.cosigners(newest.size).contains(&party)
        {
            let signed = self.signed.entry(party).or_default();
            *signed = (*signed).max(newest.size);
            self.is_head_stale = true;
        }
    }

    fn signers_of(&self, size: u64) -> Vec<Party> {
        self.signed.iter().filter(|(_, signed)| **signed >= size).map(|(party, _)| *party).collect()
    }

    /// A peer said what it has, or was not there.
    fn answered(
        &mut self,
        peer: Party,
        is_exact: bool,
        reply: Result<Reply, String>,
    ) -> Result<(), RunError> {
        let was_down = self.down.insert(peer, reply.is_err()).unwrap_or(true);
        match reply {
            Ok(Reply::Newest { own, newest, ordered_size }) => {
                if was_down {
                    self.log(&format!("{peer} is there, with {ordered_size} blocks"));
                }
                if is_exact && self.heard.insert(peer) {
                    self.parts.outboxes[&peer].ask_exactly(false);
                    self.step(Event::Heard { from: peer, own, ordered_size })?;
                }
                if let Some(newest) = newest.filter(|newest| newest.party == peer) {
                    self.cosigned(newest)?;
                }
            }
            Err(reason) if !was_down => self.log(&format!("{peer} is not there: {reason}")),
            _ => {}
        }
        self.decide()
    }

    fn answer_askers(&mut self) {
        let member = self.parts.node.member();
        for (from, at_least, reply) in std::mem::take(&mut self.askers) {
            if self.parts.applied < at_least {
                if !reply.is_closed() {
                    self.askers.push((from, at_least, reply));
                }
                continue;
            }
            let own = member.newest_cosignature(from).cloned();
            let newest = member.newest_cosignature(self.party).cloned();
            // It asks again if it did not wait.
            let _ = reply.send(Reply::Newest { own, newest, ordered_size: member.size() });
        }
    }

    // ---- the order ----

    fn ordered(&mut self, ordered: Ordered) -> Result<(), RunError> {
        let Ordered { index, entry, file } = ordered;
        self.taking = Some(index);
        if let Some(entry) = entry {
            let id = entry.proposal.id();
            let is_next = entry.proposal.parent == self.tip && has_input_file(&entry.proposal.command);
            if is_next && !file.is_empty() && !self.held.contains_key(&id) {
                self.held.insert(id, Some(file));
                self.unproven.insert(id);
            }
            let is_kept_only = self.parts.node.member().frozen().is_some() || self.dissented.contains(&id);
            let needs_file = node_folder::file_of(&entry.proposal.command).is_some();
            let is_held = self.held.contains_key(&id) && !self.dissented.contains(&id);
            if is_kept_only && needs_file && !is_held && entry.proposal.parent == self.tip {
                self.pending = true;
                self.fetch(Wait::Entry(index, entry), Duration::ZERO);
                return Ok(());
            }
            self.step(Event::Ordered(entry))?;
            // Its own, and not stored: it was passed over.
            let is_waiting = self.parts.node.member().waiting().is_some();
            if let Some(current) = self.current.take_if(|current| current.id == id && !is_waiting) {
                self.again(current);
            }
        }
        self.taken()
    }

    /// Notes that an entry is dealt with, once it is.
    fn taken(&mut self) -> Result<(), RunError> {
        if self.pending || self.parts.node.member().waiting().is_some() {
            return Ok(());
        }
        if let Some(index) = self.taking.take() {
            self.parts.applied = self.parts.applied.max(index);
            self.answer_askers();
        }
        self.propose_next()
    }

    fn fetch(&self, wait: Wait, after: Duration) {
        let proposal = wait.proposal();
        let (id, proposer) = (proposal.id(), proposal.proposer);
        let mut peers: Vec<_> = self.parts.peers.iter().map(|(party, address)| (*party, *address)).collect();
        peers.sort_by_key(|(party, _)| *party != proposer);
        let sources = Sources { identity: self.parts.identity.clone(), peers };
        let (name, teller) = (self.named.get(&id).copied(), self.parts.teller.clone());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let result = sources.fetch(id, name).await;
            // A conductor that has stopped hears it again from the order.
            let _ = teller.send(Told::Fetched(Box::new(wait), result)).await;
        });
    }

    fn fetched(&mut self, wait: Wait, result: Result<Vec<u8>, String>) -> Result<(), RunError> {
        let id = wait.proposal().id();
        let bytes = match (result, &wait) {
            (Ok(bytes), _) => bytes,
            (Err(reason), Wait::Announced(proposal)) => {
                let own = Err(NotComputed::Waits(format!("its file does not come: {reason}")));
                return self.recomputed(proposal.clone(), own);
            }
            (Err(reason), _) => {
                self.log(&format!(
                    "the file of an ordered entry does not come, it is asked for again: {reason}"
                ));
                // The name that was announced may be wrong: what the others say is asked for now.
                self.named.remove(&id);
                self.fetch(wait, AGAIN * 5);
                return Ok(());
            }
        };
        match wait {
            Wait::Announced(proposal) | Wait::Waiting(proposal) => {
                self.hold(id, bytes)?;
                self.recompute(proposal)?;
            }
            Wait::Disputed(proposal, own) => {
                self.held.insert(id, Some(bytes));
                self.dissented.remove(&id);
                self.recomputed(proposal, own)?;
            }
            Wait::Entry(index, entry) => {
                self.held.insert(id, Some(bytes));
                self.dissented.remove(&id);
                self.pending = false;
                self.taking = Some(index);
                self.step(Event::Ordered(entry))?;
            }
        }
        self.taken()
    }

    // ---- computing ----

    /// Computes a proposal from this node's own books; asks for its file first if that is not here.
    fn recompute(&mut self, proposal: Proposal) -> Result<(), RunError> {
        let id = proposal.id();
        let is_waiting = self.parts.node.member().waiting().is_some_and(|entry| entry.proposal == proposal);
        if proposal.parent != self.tip && !is_waiting {
            return Ok(());
        }
        if let Command::Genesis(genesis) = &proposal.command
            && **genesis != self.parts.genesis
        {
            let fails = NotComputed::Fails("it is not the genesis in this node's folder".to_owned());
            return self.recomputed(proposal, Err(fails));
        }
        let has_input = has_input_file(&proposal.command);
        let mut input = None;
        if has_input {
            input = self.held.get(&id).cloned().flatten().or_else(|| self.parts.files.staged(&id));
            if input.is_none() {
                let wait = if is_waiting { Wait::Waiting(proposal) } else { Wait::Announced(proposal) };
                self.fetch(wait, Duration::ZERO);
                return Ok(());
            }
        }
        let own = self.parts.node.recompute_with_file(&proposal, input.as_deref());
        let own = match own {
            Ok(computed) if computed.command == proposal.command => {
                self.held.insert(id, computed.file);
                Ok(computed.command)
            }
            // The file may be at fault, not the proposal: what the proposer's peers hold is looked at before a word is said.
            _ if self.unproven.remove(&id) => {
                self.held.remove(&id);
                self.fetch(Wait::Waiting(proposal), Duration::ZERO);
                return Ok(());
            }
            other => {
                let own = other.map(|computed| computed.command);
                if has_input {
                    self.held.insert(id, input);
                } else if is_waiting && node_folder::file_of(&proposal.command).is_some() {
                    self.fetch(Wait::Disputed(proposal, own), Duration::ZERO);
                    return Ok(());
                } else {
                    self.dissented.insert(id);
                }
                own
            }
        };
        self.recomputed(proposal, own)
    }

    fn recomputed(&mut self, proposal: Proposal, own: Result<Command, NotComputed>) -> Result<(), RunError> {
        let now_unix_s = (self.parts.clock)();
        self.step(Event::Recomputed { proposal, own, now_unix_s })
    }

    // ---- one event, and what follows from it ----

    fn step(&mut self, event: Event) -> Result<(), RunError> {
        let answers = match &event {
            Event::Recomputed { proposal, .. } => Some(proposal.proposer),
            _ => None,
        };
        let is_of_peer = matches!(
            event,
            Event::Announced(_)
                | Event::Recomputed { .. }
                | Event::Attested(_)
                | Event::Cosigned(_)
                | Event::Heard { .. }
        );
        let actions = match self.parts.node.step(event) {
            Ok(actions) => actions,
            // What a peer sends may be anything; what this node does itself may not fail.
            Err(NodeError::Member { source, .. }) if is_of_peer => {
                if !matches!(source, MemberError::Parent { .. }) {
                    self.log(&format!("refused: {source}"));
                }
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for action in actions {
            self.act(action, answers)?;
        }
        Ok(())
    }

    fn act(&mut self, action: Action, answers: Option<Party>) -> Result<(), RunError> {
        match action {
            Action::Announce(proposal) => self.announce(&proposal),
            Action::Recompute(proposal) => self.recompute(proposal)?,
            Action::SendAttestation(attestation) => self.answer(answers, Request::Attest(attestation)),
            Action::SendDissent(dissent) => {
                let height = self.parts.node.member().size();
                let proposer = answers.map_or("nobody", Party::name);
                let what = format!("block {height}: {} computed something else than {proposer}", self.party);
                self.find(format!("{what}: {}", dissent.detail), true)?;
                self.answer(answers, Request::Dissent(dissent));
            }
            Action::SendAbstention(abstention) => {
                self.log(&format!("no answer to a proposal: {}", abstention.reason));
                self.answer(answers, Request::Abstain(abstention));
            }
            Action::Order(entry) => self.order(entry),
            Action::Store { block, leaf, changes } => {
                let id = block.proposal.id();
                let file = self.held.remove(&id).flatten();
                self.parts.node.store_block(&block, &leaf, &changes, file.as_deref())?;
                self.stored(&block, &leaf, id, file.as_deref())?;
            }
            Action::StoreLock(lock) => {
                self.store_lock(&lock)?;
                self.step(Event::LockStored { lock, now_unix_s: (self.parts.clock)() })?;
            }
            Action::RaiseLock { lock, from } => {
                self.store_lock(&lock)?;
                self.step(Event::LockRaised { lock, from })?;
            }
            Action::SendCosignature(cosignature) => {
                for outbox in self.parts.outboxes.values() {
                    outbox.sign(cosignature.clone());
                }
                self.signed.insert(self.party, cosignature.size);
                self.is_head_stale = true;
            }
            Action::Pass(reason) => self.log(&format!("an entry is passed over: {reason}")),
            Action::Report(report) => self.report(&report)?,
        }
        Ok(())
    }

    fn store_lock(&self, lock: &tallywatt_consensus::lock::SignLock) -> Result<(), RunError> {
        let party = self.party;
        let stored = self.parts.node.folder().store_sign_lock(lock);
        Ok(stored.map_err(|source| NodeError::Folder { party, source })?)
    }

    fn answer(&self, to: Option<Party>, request: Request) {
        if let Some(outbox) = to.and_then(|to| self.parts.outboxes.get(&to)) {
            outbox.answer(request);
        }
    }

    /// A block stands: what was on the block before is of no more use, what was on this one is looked at.
    fn stored(
        &mut self,
        block: &Block,
        leaf: &LogLeaf,
        id: ContentHash,
        file: Option<&[u8]>,
    ) -> Result<(), RunError> {
        self.tip = leaf.block;
        self.parts.files.settle(id, &block.proposal.command, file);
        // Not before: what was staged before a crash may be the file of this very block.
        if !std::mem::replace(&mut self.is_cleared, true) {
            self.parts.files.clear_staged();
        }
        self.held.clear();
        self.named.clear();
        self.dissented.clear();
        self.unproven.clear();
        self.looked.clear();
        self.is_head_stale = true;
        if let Some(current) = self.current.take_if(|current| current.id == id) {
            let Current { wanted, command, findings, .. } = current;
            let (height, since) = (block.height, Instant::now());
            self.finishing.push(Finishing { wanted, height, command, since, findings });
        } else if let Some(current) = self.current.take() {
            self.again(current);
        }
        self.unsigned = Some(block.height + 1);
        self.unsigned_count += 1;
        for party in Party::ALL {
            self.note_signature(party);
        }
        self.finish();
        for (from, proposal, file) in std::mem::take(&mut self.early) {
            self.announced(from, proposal, file)?;
        }
        Ok(())
    }

    fn report(&mut self, report: &Report) -> Result<(), RunError> {
        let (line, is_kept) = match report {
            Report::Final(_) | Report::Sealed(_) | Report::Overtaken { .. } => return Ok(()),
            Report::Abstained { height, abstention } => {
                (format!("block {height}: {} gives no answer: {}", abstention.party, abstention.reason), true)
            }
            Report::DoubleSigned { own_root, other_root } => {
                let (signer, size) = (own_root.party, own_root.size);
                let roots = format!("{} and {}", own_root.root, other_root.root);
                (format!("{signer} signed two heads of size {size}: {roots}"), true)
            }
            Report::Disputed { height, command, proposer, dissent } => {
                let what = format!("{} computed something else: {}", dissent.party, dissent.detail);
                (format!("block {height} ({command} proposed by {proposer}): {what}"), true)
            }
            Report::Refused { height, proposer } => {
                self.refused(*height, *proposer);
                return Ok(());
            }
            Report::Diverged { height, party, root, own } => (
                format!("block {height}: {party} signed another head than this node ({root} against {own})"),
                true,
            ),
            Report::Frozen(reason) => (format!("{} signs nothing any more: {reason}", self.party), true),
        };
        self.find(line, is_kept)
    }

    /// Tells people, the operator who waits, and the store.
    fn find(&mut self, line: String, is_kept: bool) -> Result<(), RunError> {
        self.log(&line);
        if let Some(current) = &mut self.current {
            current.findings.push(line.clone());
        }
        if is_kept && self.findings.len() < FINDING_COUNT_MAX && !self.findings.contains(&line) {
            self.parts.node.store_finding(self.parts.node.member().size(), &line)?;
            self.findings.push(line);
        }
        Ok(())
    }

    fn log(&self, line: &str) {
        (self.parts.log)(line);
    }

    // ---- proposing ----

    fn want(&mut self, wanted: Wanted) {
        if self.queue.len() >= WANTED_COUNT_MAX {
            let what = format!("{WANTED_COUNT_MAX} commands wait already");
            // An operator that is gone waits for nothing.
            let _ = wanted.reply.send(Proposed::Failed(what));
        } else {
            self.queue.push_back(wanted);
        }
    }

    /// Proposes what waits, when nothing is in flight and nothing is to be taken first.
    fn propose_next(&mut self) -> Result<(), RunError> {
        while self.current.is_none()
            && !self.pending
            && self.unsigned.is_none()
            && self.parts.node.member().waiting().is_none()
        {
            let Some(wanted) = self.queue.pop_front() else { return Ok(()) };
            self.propose(wanted)?;
        }
        Ok(())
    }

    fn propose(&mut self, wanted: Wanted) -> Result<(), RunError> {
        let node = &self.parts.node;
        let input = Books::input_of(&wanted.command, wanted.file.as_deref());
        let computed = input.map_err(|error| error.to_string()).and_then(|input| {
            node.compute(input).map_err(|error| match error {
                NodeError::Books { source, .. } => source.to_string(),
                other => other.to_string(),
            })
        });
        let computed = match computed {
            Ok(computed) => computed,
            Err(error) => {
                // An operator that is gone waits for nothing.
                let _ = wanted.reply.send(Proposed::Failed(error));
                return Ok(());
            }
        };
        let (command, now_unix_s) = (computed.command.clone(), (self.parts.clock)());
        let actions = match self.parts.node.step(Event::Propose { command, now_unix_s }) {
            Ok(actions) => actions,
            Err(NodeError::Member { source, .. }) => {
                // As above.
                let _ = wanted.reply.send(Proposed::Failed(source.to_string()));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let proposal = self.parts.node.member().in_flight();
        let id = proposal.map(Proposal::id).expect("a proposal that is announced is in flight");
        match computed.file {
            Some(file) if has_input_file(&computed.command) && file.len() > INLINE_SIZE_MAX => {
                self.hold(id, file)?;
            }
            file => {
                self.held.insert(id, file);
            }
        }
        self.current = Some(Current {
            wanted,
            id,
            command: computed.command,
            attested: BTreeSet::from([self.party]),
            answered: BTreeSet::new(),
            undelivered: BTreeSet::new(),
            since: Instant::now(),
            agreed: None,
            ordering: None,
            findings: Vec::new(),
        });
        for action in actions {
            self.act(action, None)?;
        }
        self.decide()
    }

    fn announce(&mut self, proposal: &Proposal) {
        let id = proposal.id();
        let held = self.held.get(&id).and_then(Option::as_ref).filter(|_| has_input_file(&proposal.command));
        let file = match held {
            None => FileGiven::None,
            Some(bytes) if bytes.len() <= INLINE_SIZE_MAX => FileGiven::Inline(bytes.clone()),
            Some(_) => self.parts.files.name(&id).map_or(FileGiven::None, FileGiven::Named),
        };
        for (peer, outbox) in &self.parts.outboxes {
            let request = Request::Announce(proposal.clone(), file.clone());
            if !outbox.announce(request, id)
                && let Some(current) = &mut self.current
            {
                current.undelivered.insert(*peer);
            }
        }
    }

    /// Goes on with the proposal in flight once everybody who can answer has: who is not there is not waited for, nor who
    /// was too slow the last time, if two agree.
    fn decide(&mut self) -> Result<(), RunError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if current.ordering.is_some() {
            return Ok(());
        }
        let has_two = current.attested.len() >= tallywatt_consensus::machine::FINAL_COUNT;
        if has_two && current.agreed.is_none() {
            current.agreed = Some(Instant::now());
        }
        let is_late = current.agreed.is_some_and(|agreed| agreed.elapsed() >= THIRD_WAIT)
            || current.since.elapsed() >= COMPUTE_WAIT;
        let mut silent = Vec::new();
        for peer in self.parts.peers.keys() {
            let is_away = self.down.get(peer) == Some(&true) || current.undelivered.contains(peer);
            let is_slow = has_two && self.slow.contains(peer);
            if !current.answered.contains(peer) && !is_away && !is_slow {
                silent.push(*peer);
            }
        }
        if !silent.is_empty() && !is_late {
            return Ok(());
        }
        for peer in silent {
            self.find(format!("{peer} is too slow to answer and is not waited for"), false)?;
            self.slow.insert(peer);
        }
        self.step(Event::Overdue)
    }

    fn refused(&mut self, height: u64, proposer: Party) {
        let Some(current) = self.current.take() else { return };
        let Current { wanted, command, mut findings, answered, .. } = current;
        let outcome = if answered.is_empty() {
            Proposed::NoQuorum("no other party answers: nothing is recorded".to_owned())
        } else {
            findings.push(format!(
                "block {height}: nobody else computed what {proposer} proposed: nothing is recorded"
            ));
            Proposed::Done { height: None, cosigners: Vec::new(), findings, command }
        };
        // An operator that is gone waits for nothing.
        let _ = wanted.reply.send(outcome);
    }

    /// Has an entry ordered: asks until it stands in the log, here or at whoever leads then, or something else does.
    fn order(&mut self, entry: Entry) {
        let is_over = Arc::new(AtomicBool::new(false));
        if let Some(current) = &mut self.current {
            current.ordering = Some((Instant::now(), Arc::clone(&is_over)));
        }
        let held = self.held.get(&entry.proposal.id()).and_then(Option::as_ref);
        let is_sent =
            |file: &&Vec<u8>| has_input_file(&entry.proposal.command) && file.len() <= INLINE_SIZE_MAX;
        let file = held.filter(is_sent).cloned().unwrap_or_default();
        let (order, log) = (self.parts.order.clone(), self.parts.log);
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                match order.append(&entry, &file).await {
                    Ok(_) => return,
                    Err(error @ (OrderError::TooLarge(_) | OrderError::Stopped(_))) => {
                        log(&format!("an entry cannot be ordered: {error}"));
                        return;
                    }
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            }
        });
    }

    /// Another block came first: the command is computed anew on it.
    fn again(&mut self, current: Current) {
        let Current { mut wanted, ordering, .. } = current;
        if let Some((_, is_over)) = ordering {
            is_over.store(true, Ordering::Relaxed);
        }
        wanted.tries += 1;
        if wanted.tries >= TRIES_MAX {
            let what = format!("{TRIES_MAX} times another block came first");
            // An operator that is gone waits for nothing.
            let _ = wanted.reply.send(Proposed::Failed(what));
        } else {
            self.queue.push_front(wanted);
        }
    }

    fn finish(&mut self) {
        let down: BTreeSet<Party> =
            self.down.iter().filter(|(_, is_down)| **is_down).map(|(party, _)| *party).collect();
        let mut waiting = Vec::new();
        for finishing in std::mem::take(&mut self.finishing) {
            let signers = self.signers_of(finishing.height + 1);
            if finishing.is_finished(&signers, &down) {
                finishing.finish(signers);
            } else {
                waiting.push(finishing);
            }
        }
        self.finishing = waiting;
    }

    // ---- now and then ----

    fn tick(&mut self) -> Result<(), RunError> {
        if self.parts.order.stopped().is_some() {
            return Err(self.order_ended());
        }
        self.propose_genesis()?;
        self.decide()?;
        self.finish();
        let waited = self.current.as_ref().and_then(|current| current.ordering.as_ref());
        if waited.is_some_and(|(since, _)| since.elapsed() >= ORDER_WAIT)
            && let Some(current) = self.current.take()
        {
            let what = "no second disk took it in a minute; it may be recorded yet: see `tallywatt status`";
            // An operator that is gone waits for nothing.
            let _ = current.wanted.reply.send(Proposed::NoQuorum(what.to_owned()));
            if let Some((_, is_over)) = current.ordering {
                is_over.store(true, Ordering::Relaxed);
            }
        }
        self.answer_askers();
        self.store_head()?;
        self.publish();
        self.propose_next()
    }

    /// The grid company proposes the first block, once somebody leads the order and both others are there.
    fn propose_genesis(&mut self) -> Result<(), RunError> {
        let is_due = self.party == Party::Grid
            && self.parts.node.member().size() == 0
            && self.current.is_none()
            && self.parts.order.leader().is_some()
            && self.down.values().all(|is_down| !is_down)
            && self.next_genesis <= Instant::now();
        if !is_due {
            return Ok(());
        }
        self.next_genesis = Instant::now() + Duration::from_secs(1);
        let (reply, _) = oneshot::channel();
        let command = Command::Genesis(Box::new(self.parts.genesis.clone()));
        self.propose(Wanted { command, file: None, until: Until::Sealed, reply, tries: 0 })
    }

    /// Stores and publishes the newest head, with what was signed since.
    fn store_head(&mut self) -> Result<(), RunError> {
        if std::mem::take(&mut self.is_head_stale) {
            self.parts.node.store_head()?;
        }
        Ok(())
    }

    fn publish(&self) {
        let (member, order) = (self.parts.node.member(), &self.parts.order);
        let mut sizes: Vec<u64> =
            Party::ALL.iter().map(|party| self.signed.get(party).copied().unwrap_or(0)).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        let peers = self.parts.peers.keys().map(|peer| {
            let is_up = self.down.get(peer) == Some(&false);
            let signed = self.signed.get(peer).copied().unwrap_or(0);
            (peer.name().to_owned(), PeerStatus { is_up, signed })
        });
        self.parts.state.send_replace(Status {
            party: self.party.name().to_owned(),
            blocks: member.size(),
            root: member.log().root().to_string(),
            final_size: sizes[1],
            sealed_size: sizes[2],
            signed: self.signed.get(&self.party).copied().unwrap_or(0),
            leader: order.leader().map(|leader| leader.name().to_owned()),
            term: order.position().0,
            applied: self.parts.applied,
            frozen: member.frozen().map(str::to_owned),
            peers: peers.collect(),
            findings: self.findings.clone(),
        });
    }
}
