//! The simulated world: three nodes with disks, a network, one order of entries, and what goes wrong with them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tallywatt_consensus::lock::SignLock;
use tallywatt_consensus::machine::{
    Abstention, Action, Cosignature, Dissent, Event, Fault, Member, NotComputed, Report,
};
use tallywatt_consensus::members::Standing;
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, Proposal};
use tallywatt_ledger::digest;
use tallywatt_ledger::wrong_result::input_named;

use crate::liar::{Liar, Lies};
use crate::monitor::Monitor;
use crate::random::Random;
use crate::truth;
use crate::witness::{WitnessAnswer, WitnessNode, WitnessPlan};

/// When the faults end, ms.
const FAULTS_END_MS: u64 = 2_000;
/// When the last proposal is made, ms.
const PROPOSALS_END_MS: u64 = 2_500;
/// When the run ends, ms.
const RUN_END_MS: u64 = 3_200;
/// When a party goes down for good, in a run where one does, ms.
const LOST_MS: u64 = 1_500;
/// What clocks show at the beginning, s.
const START_UNIX_S: u64 = 1_774_000_000;

/// What goes wrong in a run.
pub struct Plan {
    pub liar: Option<(Party, Lies)>,
    pub faults: [Option<Fault>; 3],
    pub witness: Option<WitnessPlan>,
    /// Goes down for good.
    pub lost: Option<Party>,
    /// The keys of one party change under way.
    rotates: bool,
    loss_permille: u64,
    duplicate_permille: u64,
    crash_count: u64,
    partition_count: u64,
    copies: bool,
    /// By how much each clock is wrong, s.
    clock_errors_s: [i64; 3],
}

impl Plan {
    /// Everything a network and machines do, and nobody lies.
    pub fn honest(seed: u64) -> Self {
        let mut random = Random(seed ^ 0x5EED);
        let mut clock_errors_s = [0; 3];
        if random.below(3) == 0 {
            clock_errors_s[random.at(3)] = if random.below(2) == 0 { 3_600 } else { -3_600 };
        }
        Self {
            liar: None,
            faults: [None; 3],
            witness: None,
            lost: None,
            rotates: false,
            loss_permille: [0, 50, 300][random.at(3)],
            duplicate_permille: [0, 100][random.at(2)],
            crash_count: random.below(5),
            partition_count: random.below(4),
            copies: random.below(3) == 0,
            clock_errors_s,
        }
    }

    /// The same, and the keys of one party change under way.
    pub fn with_other_keys(seed: u64) -> Self {
        Self { rotates: true, ..Self::honest(seed) }
    }

    /// The same with a witness, and one party goes down for good.
    pub fn with_one_down(seed: u64) -> Self {
        let mut random = Random(seed ^ 0xD0);
        let lost = Some(Party::ALL[random.at(3)]);
        // Who has no lock of its own waits for all its peers before it signs: no folder is put back here.
        Self { witness: Some(WitnessPlan::Sound), lost, copies: false, ..Self::honest(seed) }
    }

    /// The same, and one party lies in several ways.
    pub fn with_liar(seed: u64) -> Self {
        let mut random = Random(seed ^ 0xBAD);
        let liar = Party::ALL[random.at(3)];
        Self { liar: Some((liar, Lies::drawn(&mut random))), clock_errors_s: [0; 3], ..Self::honest(seed) }
    }

    /// The same, and one party signs results that are not so.
    pub fn with_signed_lies(seed: u64) -> Self {
        let liar = Party::ALL[Random(seed ^ 0x516).at(3)];
        Self { liar: Some((liar, Lies::signed())), clock_errors_s: [0; 3], ..Self::honest(seed) }
    }
}

/// What a run came to.
pub struct Run {
    pub breaches: Vec<String>,
    pub sealed_size: u64,
    pub conflicting_finals: usize,
    /// Of these, at so many sizes the witness sealed one of the two.
    pub sealed_conflicts: usize,
    pub is_liar_named: bool,
    /// What the parties signed convicts the liar.
    pub is_liar_convicted: bool,
    /// A block stands that the keys of a motion attest.
    pub is_changed: bool,
    pub trace: ContentHash,
}

/// What crosses the network.
#[derive(Debug, Clone)]
pub enum Message {
    Announce(Box<Proposal>, Attestation),
    Attest(Attestation),
    Dissent(Dissent),
    Abstain(Abstention),
    Cosign(Cosignature),
    /// What do you hold of my signatures?
    AskOwn,
    TellOwn {
        own: Option<Cosignature>,
        ordered_size: u64,
    },
}

pub enum Happening {
    Deliver { from: Party, to: Party, message: Message },
    DiskDone { node: Party, life: u32 },
    Recomputed { node: Party, life: u32, proposal: Box<Proposal> },
    Overdue { node: Party, life: u32, id: ContentHash },
    Propose(Party),
    Poll(Party),
    Crash { node: Party, put_back: bool },
    Restart(Party),
    Copy(Party),
    Isolate(Option<Party>),
    Heal,
    WitnessAsked { from: Party, request: String },
    WitnessAnswered { to: Party, answer: WitnessAnswer },
}

/// A write that is not durable yet.
#[derive(Clone)]
enum Write {
    Block { block: Box<Block>, leaf: LogLeaf },
    Passed,
    Lock(SignLock),
    Raise { lock: SignLock, from: Party },
}

/// What survives a crash.
#[derive(Clone, Default)]
pub struct Disk {
    pub blocks: Vec<(Block, LogLeaf)>,
    pub lock: Option<SignLock>,
    /// Entries of the order that were applied or passed over.
    pub applied: usize,
}

pub struct Node {
    pub member: Option<Member>,
    pub disk: Disk,
    writes: VecDeque<Write>,
    copy: Option<Disk>,
    is_restored: bool,
    life: u32,
    /// An entry was taken and is not durable yet.
    is_applying: bool,
    told: BTreeSet<Party>,
}

pub struct World {
    pub random: Random,
    pub plan_liar: Option<Liar>,
    pub nodes: BTreeMap<Party, Node>,
    /// The order, as each node is shown it: one and the same, unless a liar leads.
    pub views: BTreeMap<Party, Vec<Entry>>,
    pub now_ms: u64,
    pub monitor: Monitor,
    pub witness: Option<WitnessNode>,
    lost: Option<Party>,
    rotates: bool,
    plan_loss: u64,
    plan_duplicate: u64,
    clock_errors_s: [i64; 3],
    faults: [Option<Fault>; 3],
    isolated: Option<Party>,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    trace: Vec<u8>,
}

fn place(party: Party) -> usize {
    usize::from(party.code()) - 1
}

pub fn simulate(seed: u64, plan: &Plan) -> Run {
    let mut world = World::new(seed, plan);
    world.schedule_faults(plan);
    while let Some(((at_ms, _), happening)) = world.queue.pop_first() {
        if at_ms > RUN_END_MS {
            break;
        }
        world.now_ms = at_ms;
        world.happen(happening);
        world.monitor.check_nodes(&world.nodes);
    }
    let mut sealed_size = 0;
    world.monitor.check_end(&world.nodes, &world.views, world.now_ms);
    for node in world.nodes.values() {
        let Some(member) = &node.member else { continue };
        if member.standing(member.size()) == Standing::Sealed {
            sealed_size = member.size();
        }
    }
    let (conflicting_finals, sealed_conflicts) = world.monitor.conflicting_finals();
    Run {
        breaches: world.monitor.breaches.clone(),
        sealed_size,
        conflicting_finals,
        sealed_conflicts,
        is_liar_named: world.monitor.is_liar_named(),
        is_liar_convicted: world.monitor.is_liar_convicted(),
        is_changed: world.monitor.is_changed(),
        trace: digest::content_hash(&world.trace),
    }
}

impl World {
    fn new(seed: u64, plan: &Plan) -> Self {
        let node = |party: Party| {
            let node = Node {
                member: None,
                disk: Disk::default(),
                writes: VecDeque::new(),
                copy: None,
                is_restored: false,
                life: 0,
                is_applying: false,
                told: BTreeSet::new(),
            };
            (party, node)
        };
        let mut world = Self {
            random: Random(seed),
            plan_liar: plan.liar.as_ref().map(|(party, lies)| Liar::new(*party, *lies)),
            nodes: Party::ALL.map(node).into(),
            views: Party::ALL.map(|party| (party, Vec::new())).into(),
            now_ms: 0,
            monitor: Monitor::new(plan.liar.as_ref().map(|(party, _)| *party), plan.lost),
            witness: plan.witness.map(WitnessNode::new),
            lost: plan.lost,
            rotates: plan.rotates,
            plan_loss: plan.loss_permille,
            plan_duplicate: plan.duplicate_permille,
            clock_errors_s: plan.clock_errors_s,
            faults: plan.faults,
            isolated: None,
            queue: BTreeMap::new(),
            sequence: 0,
            trace: Vec::new(),
        };
        for party in Party::ALL {
            world.schedule(0, Happening::Restart(party));
            let first = world.random.below(50);
            world.schedule(first, Happening::Poll(party));
            world.schedule(first + 10, Happening::Propose(party));
        }
        world
    }

    fn schedule_faults(&mut self, plan: &Plan) {
        for _ in 0..plan.crash_count {
            let (at, node) = (self.random.below(FAULTS_END_MS - 500), Party::ALL[self.random.at(3)]);
            let down = 1 + self.random.below(600);
            let put_back = plan.copies && self.random.below(2) == 0;
            self.schedule(at, Happening::Crash { node, put_back });
            self.schedule(at + down, Happening::Restart(node));
        }
        for _ in 0..plan.partition_count {
            let (at, node) = (self.random.below(FAULTS_END_MS - 500), Party::ALL[self.random.at(3)]);
            let lasts = 1 + self.random.below(700);
            self.schedule(at, Happening::Isolate(Some(node)));
            self.schedule(at + lasts, Happening::Isolate(None));
        }
        if plan.copies {
            for party in Party::ALL {
                let at = self.random.below(FAULTS_END_MS / 2);
                self.schedule(at, Happening::Copy(party));
            }
        }
        self.schedule(FAULTS_END_MS, Happening::Heal);
        if let Some(node) = plan.lost {
            self.schedule(LOST_MS, Happening::Crash { node, put_back: false });
        }
    }

    pub fn schedule(&mut self, after_ms: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + after_ms, self.sequence), happening);
    }

    fn note(&mut self, line: &str) {
        self.trace.extend_from_slice(format!("{} {line}\n", self.now_ms).as_bytes());
    }

    pub fn unix_s(&self, node: Party) -> u64 {
        // Clocks go wrong later: parties that cannot agree on the hour do not found a chain.
        let is_founded = !self.nodes[&node].disk.blocks.is_empty();
        let error_s = if is_founded { self.clock_errors_s[place(node)] } else { 0 };
        // A second of the chain's clock passes in a millisecond of the run, so that times differ.
        (START_UNIX_S + self.now_ms).saturating_add_signed(error_s)
    }

    fn is_connected(&self, a: Party, b: Party) -> bool {
        let is_up = |party: Party| self.nodes[&party].member.is_some();
        is_up(a) && is_up(b) && self.isolated != Some(a) && self.isolated != Some(b)
    }

    pub fn is_cut_off(&self, party: Party) -> bool {
        self.isolated == Some(party)
    }

    fn has_majority(&self, node: Party) -> bool {
        Party::ALL.into_iter().any(|other| other != node && self.is_connected(node, other))
    }

    fn is_liar(&self, node: Party) -> bool {
        self.plan_liar.as_ref().is_some_and(|liar| liar.party == node)
    }

    pub fn send(&mut self, from: Party, to: Party, message: Message) {
        if self.random.chance(self.plan_loss) {
            return;
        }
        let copies = 1 + u64::from(self.random.chance(self.plan_duplicate));
        for _ in 0..copies {
            let delay_max = if self.random.below(20) == 0 { 300 } else { 12 };
            let delay = 1 + self.random.below(delay_max);
            self.schedule(delay, Happening::Deliver { from, to, message: message.clone() });
        }
    }

    fn send_others(&mut self, from: Party, message: &Message) {
        for to in Party::ALL.into_iter().filter(|to| *to != from) {
            self.send(from, to, message.clone());
        }
    }

    /// Puts an entry where every node will read it, if a majority can be reached.
    pub fn append(&mut self, from: Party, entry: &Entry) {
        if self.has_majority(from) {
            self.views.values_mut().for_each(|view| view.push(entry.clone()));
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { from, to, message } => self.deliver(from, to, message),
            Happening::DiskDone { node, life } if self.nodes[&node].life == life => self.disk_done(node),
            Happening::Recomputed { node, life, proposal } if self.nodes[&node].life == life => {
                self.recompute(node, *proposal);
            }
            Happening::Overdue { node, life, id } if self.nodes[&node].life == life => {
                let member = self.nodes[&node].member.as_ref();
                if member.and_then(Member::in_flight).is_some_and(|proposal| proposal.id() == id) {
                    self.step(node, Event::Overdue);
                }
            }
            Happening::DiskDone { .. } | Happening::Recomputed { .. } | Happening::Overdue { .. } => {}
            Happening::Propose(node) => self.propose(node),
            Happening::Poll(node) => self.poll(node),
            Happening::Crash { node, put_back } => self.crash(node, put_back),
            Happening::Restart(node) => self.restart(node),
            Happening::Copy(party) => {
                let node = self.nodes.get_mut(&party).unwrap();
                node.copy = Some(node.disk.clone());
            }
            Happening::Isolate(isolated) => self.isolated = isolated,
            Happening::WitnessAsked { from, request } => self.witness_asked(from, &request),
            Happening::WitnessAnswered { to, answer } => self.witness_answered(to, answer),
            Happening::Heal => {
                (self.isolated, self.plan_loss) = (None, 0);
                if let Some(liar) = &mut self.plan_liar {
                    liar.is_silent = true;
                }
                for party in Party::ALL {
                    self.restart(party);
                }
            }
        }
    }

    fn deliver(&mut self, from: Party, to: Party, message: Message) {
        if !self.is_connected(from, to) {
            return;
        }
        if self.is_liar(to) {
            self.liar_hears(from, &message);
        }
        let event = match message {
            Message::Announce(proposal, attestation) => Event::Announced(*proposal, attestation),
            Message::Attest(attestation) => Event::Attested(attestation),
            Message::Dissent(dissent) => Event::Dissented(dissent),
            Message::Abstain(abstention) => Event::Abstained(abstention),
            Message::Cosign(cosignature) => Event::Cosigned(cosignature),
            Message::AskOwn => {
                let held =
                    self.nodes[&to].member.as_ref().and_then(|member| member.newest_cosignature(from.into()));
                let (own, node) = (held.cloned(), &self.nodes[&to]);
                if self.views[&to].len() > node.disk.applied {
                    return;
                }
                let told = Message::TellOwn { own, ordered_size: node.disk.blocks.len() as u64 };
                return self.send(to, from, told);
            }
            Message::TellOwn { own, ordered_size } => {
                // Garbage is no answer: it asks again.
                if self.step(to, Event::Heard { from, own, ordered_size }) {
                    self.nodes.get_mut(&to).unwrap().told.insert(from);
                }
                return;
            }
        };
        self.step(to, event);
    }

    /// One event to one member, and what it asks for; whether it took the event.
    pub fn step(&mut self, at: Party, event: Event) -> bool {
        let Some(member) = &mut self.nodes.get_mut(&at).unwrap().member else { return false };
        let name = name_of(&event);
        let result = member.step(event);
        match &result {
            Ok(actions) => self.note(&format!("{at} {name}: {} actions", actions.len())),
            Err(error) => self.note(&format!("{at} {name}: {error}")),
        }
        let is_taken = result.is_ok();
        result.into_iter().flatten().for_each(|action| self.act(at, action));
        is_taken
    }

    fn act(&mut self, at: Party, action: Action) {
        match action {
            Action::Announce(proposal, attestation) => {
                let (life, id) = (self.nodes[&at].life, proposal.id());
                self.schedule(60, Happening::Overdue { node: at, life, id });
                self.send_others(at, &Message::Announce(Box::new(proposal), attestation));
            }
            Action::Recompute(proposal) => {
                self.monitor.asked(at, &proposal);
                let (life, after) = (self.nodes[&at].life, 1 + self.random.below(5));
                self.schedule(after, Happening::Recomputed { node: at, life, proposal: Box::new(proposal) });
            }
            Action::SendAttestation(attestation) => self.answer(at, Message::Attest(attestation)),
            Action::SendDissent(dissent) => self.answer(at, Message::Dissent(dissent)),
            Action::SendAbstention(abstention) => self.answer(at, Message::Abstain(abstention)),
            Action::Order(entry) => self.append(at, &entry),
            Action::Pass(reason) => {
                self.note(&format!("{at} passes: {reason}"));
                self.write(at, Write::Passed);
            }
            Action::Store { block, leaf, .. } => {
                self.write(at, Write::Block { block: Box::new(block), leaf });
            }
            Action::StoreLock(lock) => self.write(at, Write::Lock(lock)),
            Action::RaiseLock { lock, from } => self.write(at, Write::Raise { lock, from }),
            Action::SendCosignature(cosignature) => {
                let node = &self.nodes[&at];
                self.monitor.signed(&cosignature, &node.disk);
                if !self.is_liar(at) || !self.plan_liar.as_ref().is_some_and(Liar::withholds) {
                    self.send_others(at, &Message::Cosign(cosignature));
                }
            }
            Action::Report(report) => {
                if !matches!(report, Report::Final(_) | Report::Sealed(_)) {
                    self.note(&format!("{at} reports {report:?}"));
                }
                self.monitor.reported(at, &report);
            }
        }
    }

    /// An answer goes to everybody: whoever it is for takes it, the others have no such proposal in flight.
    fn answer(&mut self, at: Party, message: Message) {
        if self.is_liar(at) && self.plan_liar.as_ref().is_some_and(Liar::withholds) {
            return;
        }
        self.send_others(at, &message);
    }

    fn write(&mut self, at: Party, write: Write) {
        let after = 1 + self.random.below(4);
        let node = self.nodes.get_mut(&at).unwrap();
        node.writes.push_back(write);
        let life = node.life;
        self.schedule(after, Happening::DiskDone { node: at, life });
    }

    /// The oldest write is durable.
    fn disk_done(&mut self, at: Party) {
        let now_unix_s = self.unix_s(at);
        let node = self.nodes.get_mut(&at).unwrap();
        let Some(write) = node.writes.pop_front() else { return };
        node.disk.take(&write);
        let event = match write {
            Write::Block { block, .. } => {
                node.is_applying = false;
                self.monitor.stored(at, &block);
                Event::Stored(block.height + 1)
            }
            Write::Passed => {
                node.is_applying = false;
                return;
            }
            Write::Lock(lock) => Event::LockStored { lock, now_unix_s },
            Write::Raise { lock, from } => Event::LockRaised { lock, from },
        };
        self.step(at, event);
    }

    fn recompute(&mut self, at: Party, proposal: Proposal) {
        let now_unix_s = self.unix_s(at);
        let Some(member) = &self.nodes[&at].member else { return };
        // The file it is computed from may be late.
        let own = match self.now_ms < FAULTS_END_MS && self.random.chance(50) {
            true => Err(NotComputed::Waits("its file is not here yet".to_owned())),
            false => truth::computed(&proposal.command, proposal.proposer, member.state()),
        };
        if own.as_ref() == Ok(&proposal.command) {
            self.monitor.recomputed(at, &proposal);
        }
        let is_late = own.is_err();
        let input = input_named(&proposal.command);
        self.step(at, Event::Recomputed { proposal: proposal.clone(), own, input, now_unix_s });
        let member = self.nodes[&at].member.as_ref();
        let is_waiting = member.and_then(Member::waiting).is_some_and(|entry| entry.proposal == proposal);
        if is_late && is_waiting {
            let life = self.nodes[&at].life;
            self.schedule(20, Happening::Recomputed { node: at, life, proposal: Box::new(proposal) });
        }
    }

    fn propose(&mut self, at: Party) {
        let again = 40 + self.random.below(120);
        self.schedule(again, Happening::Propose(at));
        if self.now_ms > PROPOSALS_END_MS || self.nodes[&at].is_applying {
            return;
        }
        if self.is_liar(at) && self.liar_proposes() {
            return;
        }
        let now_unix_s = self.unix_s(at);
        let Some(member) = &self.nodes[&at].member else { return };
        let command = truth::next_command(at, member.state(), self.rotates);
        self.step(at, Event::Propose { command, now_unix_s });
        if let Some(proposal) = self.nodes[&at].member.as_ref().and_then(Member::in_flight) {
            self.monitor.recomputed(at, proposal);
        }
    }

    /// Reads on in the order, and tells the others again what they may have missed.
    fn poll(&mut self, at: Party) {
        let again = 5 + self.random.below(15);
        self.schedule(again, Happening::Poll(at));
        let others = Party::ALL.into_iter().filter(|other| *other != at);
        let missing: Vec<Party> = others.filter(|other| !self.nodes[&at].told.contains(other)).collect();
        for other in missing {
            self.send(at, other, Message::AskOwn);
        }
        let Some(member) = &self.nodes[&at].member else { return };
        if let Some(own) = member.cosignature(member.size(), at.into()).cloned()
            && self.random.chance(300)
            && !self.is_liar(at)
        {
            self.send_others(at, &Message::Cosign(own));
        }
        self.ask_witness(at);
        if !self.has_majority(at) || self.nodes[&at].is_applying {
            return;
        }
        let next = self.views[&at].get(self.nodes[&at].disk.applied).cloned();
        if let Some(entry) = next {
            self.nodes.get_mut(&at).unwrap().is_applying = true;
            self.step(at, Event::Ordered(entry));
        }
    }

    /// What was not durable may be, or not: some of the oldest writes are.
    fn crash(&mut self, at: Party, put_back: bool) {
        let node = self.nodes.get_mut(&at).unwrap();
        if node.member.take().is_none() {
            return;
        }
        let durable = self.random.at(node.writes.len() + 1);
        for write in node.writes.drain(..).take(durable) {
            if let Write::Block { block, .. } = &write {
                self.monitor.stored(at, block);
            }
            node.disk.take(&write);
        }
        node.life += 1;
        let copy = node.copy.clone().filter(|_| put_back);
        if let Some(copy) = copy {
            (node.disk, node.is_restored) = (copy, true);
            self.monitor.put_back(at);
            self.liar_sees_put_back(at);
        }
        self.note(&format!("{at} crashes"));
    }

    fn restart(&mut self, at: Party) {
        let is_lost = self.lost == Some(at) && self.now_ms >= LOST_MS;
        let node = self.nodes.get_mut(&at).unwrap();
        if node.member.is_some() || is_lost {
            return;
        }
        let (mut keys, origin) = (vec![truth::keys(at)], truth::ORIGIN.to_owned());
        if at == truth::CHANGES {
            keys.push(truth::next_keys(at));
        }
        let mut member = Member::new(at, keys, origin, node.disk.lock);
        if node.is_restored {
            member.set_restored();
        }
        if let Some(fault) = self.faults[place(at)] {
            member.set_fault(fault);
        }
        let signed = node.disk.lock.map_or(0, |lock| lock.size);
        for (block, leaf) in &node.disk.blocks {
            if block.height >= signed && truth::is_attester(at, &block.proposal.command) {
                let own = truth::computed(&block.proposal.command, block.proposal.proposer, member.state());
                let (proposal, now_unix_s) = (block.proposal.clone(), block.proposal.time_unix_s);
                if own.as_ref() == Ok(&proposal.command) {
                    self.monitor.recomputed(at, &proposal);
                }
                member.step(Event::Recomputed { proposal, own, input: None, now_unix_s }).unwrap();
            }
            member.restore(block, leaf).unwrap();
        }
        (node.member, node.is_applying) = (Some(member), false);
        node.told.clear();
        self.note(&format!("{at} starts with {} blocks", self.nodes[&at].disk.blocks.len()));
    }
}

impl Disk {
    fn take(&mut self, write: &Write) {
        match write {
            Write::Block { block, leaf } => {
                self.blocks.push((block.as_ref().clone(), *leaf));
                self.applied += 1;
            }
            Write::Passed => self.applied += 1,
            Write::Lock(lock) | Write::Raise { lock, .. } => self.lock = Some(*lock),
        }
    }
}

fn name_of(event: &Event) -> &'static str {
    match event {
        Event::Propose { .. } => "propose",
        Event::Announced(..) => "announced",
        Event::Recomputed { .. } => "recomputed",
        Event::Attested(_) => "attested",
        Event::Dissented(_) => "dissented",
        Event::Abstained(_) => "abstained",
        Event::Overdue => "overdue",
        Event::Ordered(_) => "ordered",
        Event::Stored(_) => "stored",
        Event::LockStored { .. } => "lock stored",
        Event::Cosigned(_) => "cosigned",
        Event::Heard { .. } => "heard",
        Event::LockRaised { .. } => "lock raised",
    }
}
