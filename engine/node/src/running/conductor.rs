//! One thread that owns the node: takes events one at a time, does what the member asks for, in that order.

mod comparing;
mod deciding;
mod denying;
mod hearing;
mod showing;
mod taking;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tallywatt_consensus::machine::{Action, Dissent, Event, MemberError, NotComputed, Report};
use tallywatt_consensus::members::Signer;
use tallywatt_consensus::message::{FileGiven, FileName, Reply, Request};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, Proposal};
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_ledger::log::{LogError, LogHash};
use tokio::sync::{mpsc, oneshot, watch};

use crate::consortium::keyless_text;
use crate::desk::DeskView;
use crate::node::{Node, NodeError};
use crate::order::{Ordered, RaftOrder};
use crate::peers::tls::Identity;
use crate::running::RunError;
use crate::running::conductor::comparing::Differing;
use crate::running::files::Files;
use crate::running::outbox::Outbox;
use crate::running::proposing::{Current, Finishing, ORDER_WAIT, Proposed, Until, Wanted};
use crate::running::status::Status;
use crate::running::witnessing::{Witnessed, Witnessing};
use crate::store::{Denied, StoredBlock};

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
    Peer(Party, Box<Request>),
    /// A peer asks what is held of its signatures, to be answered at this index of the order.
    Asked(Party, u64, oneshot::Sender<Reply>),
    /// A peer said what it holds of ours, when it was asked exactly or not; or gave no answer.
    Answered(Party, bool, Result<Reply, String>),
    /// An announcement did not reach a peer.
    Undelivered(Party, ContentHash),
    /// A file came, or did not.
    Fetched(Box<Wait>, Result<Vec<u8>, String>),
    /// The file of a proposal that this node computed otherwise came, or did not.
    Differing(Box<Differing>, Result<Vec<u8>, String>),
    /// An operator wants a command recorded.
    Wanted(Box<Wanted>),
    /// An operator reads the chain from this height on.
    Blocks(u64, oneshot::Sender<Result<Given, String>>),
    /// How is the head of the second size shown to extend that of the first?
    Proof(u64, u64, oneshot::Sender<Result<Vec<LogHash>, LogError>>),
    /// The witness signed a head, or did not.
    Witnessed(Witnessed),
    /// Something was not permitted; who is told once that is stored.
    Denied(Denied, Option<oneshot::Sender<()>>),
    /// What was denied so far?
    Denials(oneshot::Sender<Result<Vec<Denied>, String>>),
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
    /// An entry that is not this node's to recompute, or that it computed otherwise, or signs no more.
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
    /// The data folder.
    pub(super) data: PathBuf,
    pub(super) node: Node,
    pub(super) genesis: Genesis,
    pub(super) order: RaftOrder,
    pub(super) applied: u64,
    pub(super) identity: Identity,
    pub(super) peers: BTreeMap<Party, SocketAddr>,
    pub(super) outboxes: BTreeMap<Party, Outbox>,
    pub(super) witnessing: Option<Witnessing>,
    pub(super) files: Arc<Files>,
    pub(super) teller: mpsc::Sender<Told>,
    pub(super) state: watch::Sender<Status>,
    pub(super) desk: Option<watch::Sender<DeskView>>,
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
    /// A proposer's file is asked for, to find where it differs.
    is_comparing: bool,
    /// How many proposals of each party on the last block were looked at, since when.
    looked: BTreeMap<Party, usize>,
    looked_since: Instant,
    /// Announced on a block that is not here yet.
    early: VecDeque<(Party, Proposal, Attestation, FileGiven)>,
    /// Index of the entry that is being taken.
    taking: Option<u64>,
    /// The small file that came with that entry, which the order's log holds.
    carried: Vec<u8>,
    /// More entries wait behind that one.
    has_more: bool,
    /// Blocks are stored, and not durable yet.
    is_unflushed: bool,
    /// An entry that waits for its file before the member hears of it.
    pending: bool,
    askers: Vec<(Party, u64, oneshot::Sender<Reply>)>,
    heard: BTreeSet<Party>,
    /// Which peers do not answer. Of one that has not been asked yet nothing is known: it is waited for.
    down: BTreeMap<Party, bool>,
    slow: BTreeSet<Party>,
    /// The largest head of each signer that agrees with this chain.
    signed: BTreeMap<Signer, u64>,
    /// Why the witness did not sign when it was asked last, if so.
    witness_problem: Option<String>,
    /// When people were told of it last.
    witness_told: Option<Instant>,
    /// Size of the head it was asked for last.
    witness_asked: u64,
    queue: VecDeque<Wanted>,
    current: Option<Current>,
    finishing: Vec<Finishing>,
    findings: Vec<String>,
    denied: Vec<denying::Waiting>,
    is_head_stale: bool,
    /// The first block of the keys that the trust policy was looked at for.
    policy_from: Option<u64>,
    /// The newest head is stored, and not durable yet.
    is_head_soft: bool,
    /// Size of the chain when its head was stored last.
    head_size: u64,
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
            is_comparing: false,
            looked: BTreeMap::new(),
            looked_since: Instant::now(),
            early: VecDeque::new(),
            taking: None,
            carried: Vec::new(),
            has_more: false,
            is_unflushed: false,
            pending: false,
            askers: Vec::new(),
            heard: BTreeSet::new(),
            down: BTreeMap::new(),
            slow: BTreeSet::new(),
            signed: BTreeMap::new(),
            witness_problem: None,
            witness_told: None,
            witness_asked: 0,
            queue: VecDeque::new(),
            current: None,
            finishing: Vec::new(),
            findings: Vec::new(),
            denied: Vec::new(),
            is_head_stale: false,
            policy_from: None,
            is_head_soft: false,
            head_size: 0,
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
                    Some(entry) => {
                        self.has_more = !ordered.is_empty();
                        self.ordered(entry)?;
                    }
                    None => return Err(self.order_ended()),
                },
                _ = tick.tick() => self.tick()?,
            }
            // One signature covers all before it: a node that catches up signs when nothing more is there to take.
            let is_held_up = self.pending || self.parts.node.member().waiting().is_some();
            let is_due = ordered.is_empty() || is_held_up || self.unsigned_count >= UNSIGNED_COUNT_MAX;
            if is_due && let Some(size) = self.unsigned.take() {
                self.unsigned_count = 0;
                self.flush()?;
                self.step(Event::Stored(size))?;
                self.note_signature(self.party.into());
                self.finish();
                self.propose_next()?;
            }
            self.ask_witness()?;
        }
        if std::mem::take(&mut self.is_head_stale) {
            self.parts.node.store_head()?;
        }
        self.store_denied();
        self.parts.node.flush()?;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), RunError> {
        let height = self.parts.node.member().size().checked_sub(1);
        if let Some(height) = height {
            let last = self.parts.node.store().block(height)?;
            self.tip = last.map_or(self.tip, |last| last.block.hash());
        }
        self.findings = self.parts.node.store().findings()?;
        self.is_head_stale = !self.parts.node.has_stored_head()?;
        for signer in Signer::ALL {
            self.note_signature(signer);
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
            Told::Peer(from, request) => self.peer(from, *request),
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
            Told::Differing(differing, result) => self.compared(&differing, result),
            Told::Wanted(wanted) => {
                self.want(*wanted);
                self.propose_next()
            }
            Told::Blocks(from, reply) => {
                self.flush()?;
                // An operator that is gone wants nothing.
                let _ = reply.send(self.given(from));
                Ok(())
            }
            Told::Proof(old_size, size, reply) => {
                // Who asks the witness asks again if it did not wait.
                let _ = reply.send(self.parts.node.member().log().prove_consistency(old_size, size));
                Ok(())
            }
            Told::Witnessed(witnessed) => self.witnessed(witnessed),
            Told::Denied(denied, stored) => {
                self.denied(denied, stored);
                Ok(())
            }
            Told::Denials(reply) => {
                // Who asked may be gone.
                let _ = reply.send(self.denials());
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
            size => {
                let note = node.member().head_note(size).map_err(|error| error.to_string())?;
                note.map_or_else(String::new, |note| note.encode())
            }
        };
        Ok(Given { blocks, size, head })
    }

    fn step(&mut self, event: Event) -> Result<(), RunError> {
        let answers = match &event {
            Event::Recomputed { proposal, .. } => Some(proposal.proposer),
            _ => None,
        };
        let announced = match &event {
            Event::Announced(proposal, _) => Some((proposal.proposer, proposal.command.name())),
            _ => None,
        };
        let is_of_peer = matches!(
            event,
            Event::Announced(..)
                | Event::Recomputed { .. }
                | Event::Attested(_)
                | Event::Cosigned(_)
                | Event::Heard { .. }
        );
        let actions = match self.parts.node.step(event) {
            Ok(actions) => actions,
            // What a peer sends may be anything; what this node does itself may not fail.
            Err(error @ NodeError::Member { .. }) if is_of_peer => {
                if let Some((proposer, command)) = announced {
                    self.deny_proposal(&denying::node_of(proposer), command, &error);
                }
                let NodeError::Member { source, .. } = error else { return Ok(()) };
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
            Action::Announce(proposal, attestation) => self.announce(&proposal, attestation),
            Action::Recompute(proposal) => self.recompute(proposal)?,
            Action::SendAttestation(attestation) => self.answer(answers, Request::Attest(attestation)),
            Action::SendDissent(dissent) => {
                let height = self.parts.node.member().size();
                let proposer = answers.map_or("nobody", Party::name);
                let what = format!("block {height}: {} computed something else than {proposer}", self.party);
                self.find(format!("{what}: {}", dissent.detail), true)?;
                self.dissent(answers, dissent);
            }
            Action::SendAbstention(abstention) => {
                self.log(&format!("no answer to a proposal: {}", abstention.reason));
                self.answer(answers, Request::Abstain(abstention));
            }
            Action::Order(entry) => self.order(entry),
            Action::Store { block, leaf, changes } => {
                let id = block.proposal.id();
                let file = self.held.remove(&id).flatten();
                let is_carried = file.as_deref().is_none_or(|file| *file == self.carried);
                // Whoever takes many signs once: only then they must be durable.
                self.is_unflushed = is_carried && self.has_more;
                match is_carried {
                    true => self.parts.node.store_ordered_block(
                        &block,
                        &leaf,
                        &changes,
                        file.as_deref(),
                        !self.has_more,
                    )?,
                    false => self.parts.node.store_block(&block, &leaf, &changes, file.as_deref())?,
                }
                self.stored(&block, &leaf, id, file.as_deref())?;
            }
            Action::StoreLock(lock) => {
                self.store_lock(&lock)?;
                let party = self.party;
                let heard = self.parts.node.folder().end_restored();
                heard.map_err(|source| NodeError::Folder { party, source })?;
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
                self.signed.insert(self.party.into(), cosignature.size);
                self.is_head_stale = true;
            }
            Action::Pass(reason) => self.log(&format!("an entry is passed over: {reason}")),
            Action::Report(report) => self.report(&report)?,
        }
        Ok(())
    }

    /// Makes all blocks durable that are not: nothing is signed before, and no head given out.
    fn flush(&mut self) -> Result<(), RunError> {
        if std::mem::take(&mut self.is_unflushed) {
            self.parts.node.flush()?;
        }
        Ok(())
    }

    fn store_lock(&mut self, lock: &tallywatt_consensus::lock::SignLock) -> Result<(), RunError> {
        // Also where a peer's word, and no new block, is what it signs on.
        self.flush()?;
        let party = self.party;
        let stored = self.parts.node.folder().store_sign_lock(lock);
        Ok(stored.map_err(|source| NodeError::Folder { party, source })?)
    }

    fn answer(&self, to: Option<Party>, request: Request) {
        if let Some(outbox) = to.and_then(|to| self.parts.outboxes.get(&to)) {
            outbox.answer(request);
        }
    }

    /// Tells the proposer, and of a result that this node signed whoever else is asked: with its own it may be evidence.
    fn dissent(&self, to: Option<Party>, dissent: Dissent) {
        let asked = dissent.computed.as_ref().map(|other| self.attesters().of_command(&other.command));
        for (peer, outbox) in &self.parts.outboxes {
            if Some(*peer) == to || asked.is_some_and(|asked| asked.contains(*peer)) {
                outbox.answer(Request::Dissent(dissent.clone()));
            }
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
        // Who is revoked by this block asks in vain from now on.
        self.show_desk();
        self.unsigned = Some(block.height + 1);
        self.unsigned_count += 1;
        for signer in Signer::ALL {
            self.note_signature(signer);
        }
        self.finish();
        for (from, proposal, attestation, file) in std::mem::take(&mut self.early) {
            self.announced(from, proposal, attestation, file)?;
        }
        Ok(())
    }

    fn report(&mut self, report: &Report) -> Result<(), RunError> {
        let (line, is_kept) = match report {
            Report::Final(_) | Report::Sealed(_) | Report::Overtaken { .. } => return Ok(()),
            Report::Contradiction(dispute) => (self.parts.node.keep_dispute(dispute)?, true),
            Report::Abstained { height, abstention } => {
                (format!("block {height}: {} gives no answer: {}", abstention.party, abstention.reason), true)
            }
            Report::DoubleSigned { own_root, other_root } => {
                (self.parts.node.keep_double_signature(own_root, other_root)?, true)
            }
            Report::Disputed { height, command, proposer, dissent } => {
                let what = format!("{} computed something else: {}", dissent.party, dissent.detail);
                (format!("block {height} ({command} proposed by {proposer}): {what}"), true)
            }
            Report::Refused { height, proposer, missing } => {
                self.refused(*height, *proposer, missing);
                return Ok(());
            }
            Report::Diverged { height, signer, root, own } => (
                format!("block {height}: {signer} signed another head than this node ({root} against {own})"),
                true,
            ),
            Report::Frozen(reason) => (format!("{} signs nothing any more: {reason}", self.party), true),
            Report::Keyless { from } => (keyless_text(self.party, *from), true),
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

    /// Who recomputes and attests what.
    const fn attesters(&self) -> &Attesters {
        &self.parts.genesis.attesters
    }

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
        self.store_denied();
        self.store_head()?;
        self.keep_policy();
        self.publish();
        self.propose_next()
    }

    /// The grid company proposes the first block, once somebody leads the order and both others are there.
    fn propose_genesis(&mut self) -> Result<(), RunError> {
        let is_due = self.party == Party::Grid
            && self.parts.node.member().size() == 0
            && self.current.is_none()
            && self.parts.order.leader().is_some()
            && self.parts.peers.keys().all(|peer| self.down.get(peer) == Some(&false))
            && self.next_genesis <= Instant::now();
        if !is_due {
            return Ok(());
        }
        self.next_genesis = Instant::now() + Duration::from_secs(1);
        let (reply, _) = oneshot::channel();
        let command = Command::Genesis(Box::new(self.parts.genesis.clone()));
        self.propose(Wanted { command, file: None, until: Until::Sealed, reply, tries: 0 })
    }
}
