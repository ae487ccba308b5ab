//! Three members in memory, messages delivered in an order drawn from a seed: honest, lying, crashing.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

use std::collections::BTreeMap;

use tallywatt_consensus::lock::SignLock;
use tallywatt_consensus::machine::{Action, Cosignature, Dissent, Event, Fault, Member, NotComputed, Report};
use tallywatt_consensus::members::{Keys, Signer};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::Money;
use tallywatt_core::validity::Validity;
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf};
use tallywatt_ledger::command::{BatchCommit, Command, DocumentKind, Genesis, Publication, SettlementCommit};
use tallywatt_ledger::seal::{Sealed, Totals};
use tallywatt_ledger::tree::Root;
use tallywatt_ledger::wrong_result::{Dispute, Judgement, input_named};

const ORIGIN: &str = "tallywatt.test/three";
const NOW: u64 = 1_774_000_000;

fn keys(party: Party) -> Keys {
    let seed = |use_: u8| [party.code() * 16 + use_; 32];
    Keys::from_seeds(ORIGIN, party, &[seed(1), seed(2), seed(3)]).unwrap()
}

fn genesis() -> Command {
    let parties = Party::ALL.map(|party| keys(party).public());
    let currency = "RUB".parse().unwrap();
    let attesters = Attesters::default();
    Command::Genesis(Box::new(Genesis {
        origin: ORIGIN.into(),
        currency,
        tzdb: "2026a".into(),
        parties,
        witness: None,
        attesters,
    }))
}

/// A tariff that nobody else publishes: all three recompute it.
fn tariff(number: u8) -> Command {
    let year = |number: u8| format!("20{number:02}-01-01").parse().unwrap();
    Command::Publish(Publication {
        kind: DocumentKind::Tariff,
        id: "tariff".parse().unwrap(),
        hash: ContentHash([number; 32]),
        validity: Validity::new(year(number), Some(year(number + 1))).unwrap(),
    })
}

fn batch(sequence: u64, import_wh: i64) -> Command {
    let root = Root { hash: ContentHash([7; 32]), count: 256 };
    let totals = Totals { energy_wh: [import_wh, 0, 0, 0], ..Totals::default() };
    let sealed = Sealed { root, totals };
    Command::Batch(BatchCommit { sequence, file: ContentHash([8; 32]), sealed })
}

/// The settlement of nothing: all three recompute it.
fn settlement(sequence: u64) -> Command {
    Command::Settlement(SettlementCommit {
        sequence,
        file: ContentHash([6; 32]),
        payments: Root { hash: ContentHash([5; 32]), count: 0 },
        paid: Money::ZERO,
        reversed: Money::ZERO,
        credited: Money::ZERO,
        legs: Vec::new(),
        back: Vec::new(),
        running: Vec::new(),
    })
}

/// A member whose peers have nothing of its signatures that it has not.
fn fresh(party: Party, lock: Option<SignLock>) -> Member {
    let mut member = Member::new(party, keys(party), ORIGIN.into(), lock);
    for from in Party::ALL {
        assert!(member.step(Event::Heard { from, own: None, ordered_size: 0 }).unwrap().is_empty());
    }
    member
}

/// What a party would compute for a proposal, when it is not what was proposed.
type Lie = fn(&Command) -> Result<Command, NotComputed>;
type Lies = BTreeMap<Party, Lie>;

fn propose(command: Command) -> Event {
    Event::Propose { command, now_unix_s: NOW }
}

struct Net {
    members: BTreeMap<Party, Member>,
    order: Vec<Entry>,
    applied: BTreeMap<Party, Vec<(Block, LogLeaf)>>,
    locks: BTreeMap<Party, SignLock>,
    signatures: Vec<Cosignature>,
    reports: Vec<(Party, Report)>,
    lies: Lies,
    state: u64,
}

impl Net {
    fn new(seed: u64) -> Self {
        Self {
            members: Party::ALL.map(|party| (party, fresh(party, None))).into(),
            order: Vec::new(),
            applied: BTreeMap::new(),
            locks: BTreeMap::new(),
            signatures: Vec::new(),
            reports: Vec::new(),
            lies: Lies::new(),
            state: seed,
        }
    }

    /// Runs one command to quiet, delivering messages in an order drawn from the seed.
    fn run(&mut self, proposer: Party, command: Command) {
        let mut inbox: Vec<(Party, Event)> = vec![(proposer, propose(command))];
        while !inbox.is_empty() {
            self.state =
                self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(self.state >> 33).unwrap() % inbox.len();
            let (to, event) = inbox.swap_remove(at);
            // Heads are signed in order: a member takes a signature only for a size it has itself.
            if let Event::Cosigned(cosignature) = &event
                && cosignature.size > self.members[&to].size()
            {
                inbox.push((to, event));
                continue;
            }
            let actions = self.members.get_mut(&to).unwrap().step(event).unwrap();
            for action in actions {
                self.perform(to, action, proposer, &mut inbox);
            }
        }
    }

    fn perform(&mut self, from: Party, action: Action, proposer: Party, inbox: &mut Vec<(Party, Event)>) {
        let others = Party::ALL.into_iter().filter(|party| *party != from);
        match action {
            Action::Announce(proposal, attestation) => {
                inbox.extend(others.map(|to| (to, Event::Announced(proposal.clone(), attestation))));
            }
            Action::Recompute(proposal) => {
                let own =
                    self.lies.get(&from).map_or(Ok(proposal.command.clone()), |lie| lie(&proposal.command));
                let input = input_named(&proposal.command);
                inbox.push((from, Event::Recomputed { proposal, own, input, now_unix_s: NOW }));
            }
            Action::SendAttestation(attestation) => inbox.push((proposer, Event::Attested(attestation))),
            Action::SendDissent(dissent) => {
                inbox.extend(others.map(|to| (to, Event::Dissented(dissent.clone()))));
            }
            Action::SendAbstention(abstention) => inbox.push((proposer, Event::Abstained(abstention))),
            Action::Order(entry) => {
                self.order.push(entry.clone());
                inbox.extend(Party::ALL.map(|to| (to, Event::Ordered(entry.clone()))));
            }
            Action::Store { block, leaf, .. } => {
                let size = block.height + 1;
                self.applied.entry(from).or_default().push((block, leaf));
                inbox.push((from, Event::Stored(size)));
            }
            Action::StoreLock(lock) => {
                self.locks.insert(from, lock);
                inbox.push((from, Event::LockStored { lock, now_unix_s: NOW }));
            }
            Action::SendCosignature(cosignature) => {
                self.signatures.push(cosignature.clone());
                inbox.extend(others.map(|to| (to, Event::Cosigned(cosignature.clone()))));
            }
            Action::Report(report) => self.reports.push((from, report)),
            Action::Pass(reason) => panic!("an entry is passed over: {reason}"),
            Action::RaiseLock { .. } => panic!("nobody holds a signature that its signer does not"),
        }
    }

    fn sealed_by(&self, party: Party, size: u64) -> bool {
        self.reports.contains(&(party, Report::Sealed(size)))
    }
}

#[test]
fn honest_members_seal_every_block_and_agree_whatever_the_order() {
    let mut roots = Vec::new();
    for seed in 0..50 {
        let mut net = Net::new(seed);
        net.run(Party::Grid, genesis());
        net.run(Party::Grid, batch(1, 100));
        net.run(Party::Grid, batch(2, 200));
        for party in Party::ALL {
            assert_eq!(net.members[&party].size(), 3, "seed {seed}");
            assert!((1..=3).all(|size| net.sealed_by(party, size)), "seed {seed}");
            assert_eq!(net.applied[&party], net.applied[&Party::Grid]);
        }
        roots.push((net.members[&Party::Bank].log().root(), net.members[&Party::Bank].state().root()));
    }
    roots.dedup();
    assert_eq!(roots.len(), 1, "the chain is a function of the commands");
}

#[test]
fn a_member_that_computes_something_else_is_named_at_that_block() {
    let lie = |command: &Command| {
        let Command::Publish(mut publication) = command.clone() else { return Ok(command.clone()) };
        publication.id = "other".parse().unwrap();
        Ok(Command::Publish(publication))
    };
    for (liar, other) in [(Party::Bank, Party::Grid), (Party::Grid, Party::Bank)] {
        let mut net = Net::new(7);
        net.lies.insert(liar, lie);
        net.run(Party::Grid, genesis());
        net.run(Party::Supplier, tariff(1));
        let disputed = net.reports.iter().find_map(|(_, report)| match report {
            Report::Disputed { height, dissent, .. } => {
                Some((*height, dissent.party, dissent.detail.clone()))
            }
            _ => None,
        });
        let detail = "document: proposed tariff, computed other".to_owned();
        assert_eq!(disputed, Some((1, liar, detail)));
        // Two of three go on; the one that dissented signs no more, so nothing is sealed.
        assert!(net.reports.contains(&(other, Report::Final(2))));
        assert!(!Party::ALL.into_iter().any(|party| net.sealed_by(party, 2)));
        assert!(net.members[&liar].frozen().is_some());
    }
}

/// Of a batch grid company and supplier must both say the same; the bank is not asked, and signs what they recorded.
#[test]
fn the_bank_recomputes_no_batch_and_signs_it() {
    let mut net = Net::new(5);
    // It is never asked: whatever it would compute is not heard.
    net.lies.insert(Party::Bank, |command| match command {
        Command::Batch(_) => panic!("the bank is asked to recompute a batch"),
        other => Ok(other.clone()),
    });
    net.run(Party::Grid, genesis());
    net.run(Party::Grid, batch(1, 100));
    assert!(Party::ALL.into_iter().all(|party| net.sealed_by(party, 2)));
    let attested: Vec<Party> =
        net.order[1].attestations.iter().map(|attestation| attestation.party).collect();
    assert_eq!(attested, [Party::Grid, Party::Supplier]);
    // One of the two that computes something else is enough for nothing to be recorded.
    net.lies.insert(Party::Supplier, |_| Ok(batch(2, 100)));
    net.run(Party::Grid, batch(2, 999));
    let refused = Report::Refused { height: 2, proposer: Party::Grid, missing: Vec::new() };
    assert!(net.reports.contains(&(Party::Grid, refused)));
    assert!(Party::ALL.into_iter().all(|party| net.members[&party].size() == 2));
}

/// What the bank says of a batch counts for nothing: neither its attestation, nor its dissent, nor its silence.
#[test]
fn who_is_not_asked_is_not_heard() {
    let mut net = Net::new(5);
    net.run(Party::Grid, genesis());
    let grid = net.members.get_mut(&Party::Grid).unwrap();
    let Action::Announce(proposal, own) = grid.step(propose(batch(1, 100))).unwrap().remove(0) else {
        panic!()
    };
    let attest = |party| tallywatt_consensus::members::attest(&keys(party), party, &proposal);
    let bank = net.members.get_mut(&Party::Bank).unwrap();
    assert!(bank.step(Event::Announced(proposal.clone(), own)).unwrap().is_empty());
    let own = Ok(proposal.command.clone());
    let recomputed = Event::Recomputed { proposal: proposal.clone(), own, input: None, now_unix_s: NOW };
    assert!(bank.step(recomputed).unwrap().is_empty(), "it attests nothing that it is not to recompute");
    let grid = net.members.get_mut(&Party::Grid).unwrap();
    let (party, id) = (Party::Bank, proposal.id());
    let dissent = Dissent { party, proposal: id, computed: None, detail: "no".into() };
    for event in [Event::Attested(attest(Party::Bank)), Event::Dissented(dissent)] {
        assert!(grid.step(event).unwrap().is_empty());
    }
    // The supplier does not answer: the batch waits for it, and what needs it less goes on.
    let given_up = grid.step(Event::Overdue).unwrap();
    let missing = vec![Party::Supplier];
    let [Action::Report(report)] = &given_up[..] else { panic!("{given_up:?}") };
    assert_eq!(*report, Report::Refused { height: 1, proposer: Party::Grid, missing });
    // An entry that its order carries all the same is passed over.
    let attestations = vec![attest(Party::Grid), attest(Party::Bank)];
    let entry = Entry { proposal: proposal.clone(), attestations };
    for party in Party::ALL {
        let passed = net.members.get_mut(&party).unwrap().step(Event::Ordered(entry.clone())).unwrap();
        assert!(matches!(&passed[..], [Action::Pass(_)]), "{party}: {passed:?}");
    }
    let attestations = vec![attest(Party::Grid), attest(Party::Bank), attest(Party::Supplier)];
    let entry = Entry { proposal, attestations };
    let passed = net.members.get_mut(&Party::Supplier).unwrap().step(Event::Ordered(entry)).unwrap();
    assert!(matches!(&passed[..], [Action::Pass(_)]), "one attestation too many: {passed:?}");
    net.run(Party::Supplier, tariff(1));
    net.run(Party::Grid, batch(1, 100));
    assert!(Party::ALL.into_iter().all(|party| net.sealed_by(party, 3)));
}

#[test]
fn a_proposer_that_lies_alone_gets_nothing_into_the_chain() {
    let mut net = Net::new(3);
    net.run(Party::Grid, genesis());
    for party in [Party::Bank, Party::Grid] {
        net.lies.insert(party, |_| Ok(tariff(1)));
    }
    net.run(Party::Supplier, tariff(2));
    let refused = Report::Refused { height: 1, proposer: Party::Supplier, missing: Vec::new() };
    assert!(net.reports.contains(&(Party::Supplier, refused)));
    assert!(Party::ALL.into_iter().all(|party| net.members[&party].size() == 1));
}

/// What the parties signed convicts who proposed a lie, and who dissented from the truth, at each honest member; of a batch,
/// which two recompute, it is one against one.
#[test]
fn two_signed_results_are_evidence() {
    let judged = |net: &Net, by: Party| -> Vec<Judgement> {
        let disputes = net.reports.iter().filter_map(|(at, report)| match report {
            Report::Contradiction(dispute) if *at == by => Some(dispute.as_ref()),
            _ => None,
        });
        let Command::Genesis(genesis) = genesis() else { unreachable!("it is the genesis") };
        let sound = |dispute: &&Dispute| dispute.check(&genesis) == Ok(());
        disputes.inspect(|dispute| assert!(sound(dispute), "{dispute:?}")).map(Dispute::judgement).collect()
    };
    for seed in 0..20 {
        // The supplier proposes another document than the two others find.
        let mut net = Net::new(seed);
        net.run(Party::Grid, genesis());
        net.lies
            .extend([Party::Bank, Party::Grid].map(|party| (party, (|_: &Command| Ok(tariff(1))) as Lie)));
        net.run(Party::Supplier, tariff(2));
        for party in [Party::Grid, Party::Bank] {
            assert_eq!(judged(&net, party).last(), Some(&Judgement::Contradicted(Party::Supplier)), "{seed}");
        }
        // The bank finds another document than the two others.
        let mut net = Net::new(seed);
        net.run(Party::Grid, genesis());
        net.lies.insert(Party::Bank, |command| match command {
            Command::Publish(_) => Ok(tariff(1)),
            other => Ok(other.clone()),
        });
        net.run(Party::Supplier, tariff(2));
        for party in [Party::Grid, Party::Supplier] {
            assert_eq!(judged(&net, party).last(), Some(&Judgement::Contradicted(Party::Bank)), "{seed}");
        }
        // Only two recompute a batch.
        let mut net = Net::new(seed);
        net.run(Party::Grid, genesis());
        net.lies.insert(Party::Supplier, |_| Ok(batch(1, 99)));
        net.run(Party::Grid, batch(1, 100));
        let found = [Party::Grid, Party::Supplier, Party::Bank].map(|party| judged(&net, party));
        assert_eq!(found, [vec![Judgement::Open], vec![Judgement::Open], Vec::new()], "{seed}");
    }
}

/// What its proposer did not sign is not recomputed.
#[test]
fn an_unsigned_announcement_is_refused() {
    let mut net = Net::new(4);
    net.run(Party::Grid, genesis());
    let supplier = net.members.get_mut(&Party::Supplier).unwrap();
    let Action::Announce(proposal, own) = supplier.step(propose(tariff(1))).unwrap().remove(0) else {
        panic!()
    };
    let foreign = tallywatt_consensus::members::attest(&keys(Party::Grid), Party::Grid, &proposal);
    let mut other = proposal.clone();
    other.time_unix_s += 1;
    let bank = net.members.get_mut(&Party::Bank).unwrap();
    let named = Attestation { party: Party::Supplier, ..foreign };
    for (proposal, attestation) in [(&proposal, foreign), (&proposal, named), (&other, own)] {
        let refused = bank.step(Event::Announced(proposal.clone(), attestation)).unwrap_err().to_string();
        assert_eq!(refused, "proposal 1 of supplier is not signed by supplier");
    }
    let asked = bank.step(Event::Announced(proposal, own)).unwrap();
    assert!(matches!(&asked[..], [Action::Recompute(_)]), "{asked:?}");
}

#[test]
fn a_member_with_another_state_root_is_named_by_its_own_signature() {
    let mut net = Net::new(11);
    net.members.get_mut(&Party::Supplier).unwrap().set_fault(Fault::WrongState(1));
    net.run(Party::Grid, genesis());
    net.run(Party::Grid, batch(1, 100));
    for honest in [Party::Grid, Party::Bank] {
        let named = net.reports.iter().any(|(by, report)| {
            *by == honest
                && matches!(
                    report,
                    Report::Diverged { height: 1, signer: Signer::Party(Party::Supplier), .. }
                )
        });
        assert!(named, "{honest} names the supplier");
        assert!(!net.sealed_by(honest, 2));
    }
}

#[test]
fn no_member_ever_signs_two_roots_at_one_size() {
    for seed in 0..20 {
        let mut net = Net::new(seed);
        net.run(Party::Grid, genesis());
        for sequence in 1..6 {
            net.run(Party::Grid, batch(sequence, 1));
        }
        let mut signed = BTreeMap::new();
        for cosignature in &net.signatures {
            let before = signed.insert((cosignature.signer, cosignature.size), cosignature.root);
            assert!(before.is_none_or(|root| root == cosignature.root), "seed {seed}");
        }
    }
}

#[test]
fn restored_members_are_the_same_and_a_bent_block_is_refused() {
    let mut net = Net::new(5);
    net.run(Party::Grid, genesis());
    net.run(Party::Grid, batch(1, 100));
    let stored = net.applied[&Party::Bank].clone();
    let fresh = || fresh(Party::Bank, net.locks.get(&Party::Bank).copied());
    let mut restored = fresh();
    for (block, leaf) in &stored {
        restored.restore(block, leaf).unwrap();
    }
    assert_eq!(restored.log().root(), net.members[&Party::Bank].log().root());
    // Its signature is missing, so it signs the same head again; a shorter chain it would not sign.
    assert!(
        matches!(restored.resume().unwrap()[..], [Action::StoreLock(lock)] if Some(&lock) == net.locks.get(&Party::Bank))
    );
    let mut shorter = fresh();
    shorter.restore(&stored[0].0, &stored[0].1).unwrap();
    assert!(shorter.resume().unwrap().is_empty());

    let mut block = stored[1].0.clone();
    block.proposal.command = batch(1, 101);
    let mut bent = fresh();
    bent.restore(&stored[0].0, &stored[0].1).unwrap();
    assert!(bent.restore(&block, &stored[1].1).is_err(), "its attestations are for another command");
    let mut leaf = stored[1].1;
    leaf.state.0[5] ^= 1;
    let mut bent = fresh();
    bent.restore(&stored[0].0, &stored[0].1).unwrap();
    assert!(bent.restore(&stored[1].0, &leaf).is_err());
}

#[test]
fn rules_of_the_state() {
    let mut net = Net::new(1);
    net.run(Party::Grid, genesis());
    let bank = net.members.get_mut(&Party::Bank).unwrap();
    let refused = |member: &mut Member, command| member.step(propose(command)).unwrap_err().to_string();
    assert_eq!(refused(bank, batch(1, 1)), "cannot extend the chain: bank may not propose a batch");
    let grid = net.members.get_mut(&Party::Grid).unwrap();
    assert_eq!(refused(grid, batch(2, 1)), "cannot extend the chain: batch 2 does not follow 0");
    assert_eq!(refused(grid, genesis()), "cannot extend the chain: the proposal is for another chain");
}

#[test]
fn a_party_that_attests_twice_is_still_one() {
    let mut net = Net::new(2);
    net.run(Party::Grid, genesis());
    let mut entry = net.order[0].clone();
    entry.proposal.chain = net.members[&Party::Bank].state().chain().unwrap();
    entry.proposal.number = 2;
    entry.proposal.command = batch(1, 100);
    entry.proposal.parent = net.applied[&Party::Bank][0].0.hash();
    let own = tallywatt_consensus::members::attest(&keys(Party::Grid), Party::Grid, &entry.proposal);
    entry.attestations = vec![own, own];
    let bank = net.members.get_mut(&Party::Bank).unwrap();
    let passed = bank.step(Event::Ordered(entry)).unwrap();
    let [Action::Pass(reason)] = &passed[..] else { panic!("{passed:?}") };
    assert_eq!(
        reason,
        "entry for block 1 has 2 valid attestations of those who are to give them, 2 are needed, the proposer's among them, each party once"
    );
    assert_eq!(bank.size(), 1);
}

#[test]
fn a_member_that_both_others_contradict_signs_no_more() {
    let mut net = Net::new(11);
    net.members.get_mut(&Party::Supplier).unwrap().set_fault(Fault::WrongState(1));
    net.run(Party::Grid, genesis());
    net.run(Party::Grid, batch(1, 100));
    assert!(net.members[&Party::Supplier].frozen().is_some());
    let signed =
        |net: &Net| net.signatures.iter().filter(|line| line.signer == Party::Supplier.into()).count();
    let before = signed(&net);
    net.run(Party::Grid, batch(2, 100));
    let missing = vec![Party::Supplier];
    let waits = Report::Refused { height: 2, proposer: Party::Grid, missing };
    assert!(net.reports.contains(&(Party::Grid, waits)), "a batch waits for who must attest it");
    net.run(Party::Bank, settlement(1));
    assert_eq!(signed(&net), before);
    assert!(net.reports.contains(&(Party::Grid, Report::Final(3))), "the two others go on");
}
