//! Keys that change under way: who signs what before and after, what counts for nothing, and which motions nobody takes.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

use std::collections::{BTreeMap, VecDeque};

use tallywatt_consensus::lock::SignLock;
use tallywatt_consensus::machine::{Action, Cosignature, Event, Member, MemberError, Report};
use tallywatt_consensus::members::{self, Keys};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::block::{Block, LogLeaf, Proposal};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::{BatchCommit, Command, Genesis};
use tallywatt_ledger::governance::{Governance, Motion, motion_text};
use tallywatt_ledger::key::Cosigner;
use tallywatt_ledger::log::{Log, LogHash, leaf_hash};
use tallywatt_ledger::seal::{Sealed, Totals};
use tallywatt_ledger::tree::Root;

const ORIGIN: &str = "tallywatt.test/keys";
const NOW: u64 = 1_774_000_000;

/// The keys of a party in a generation: of another generation, others.
fn keys(party: Party, generation: u8) -> Keys {
    let seed = |use_: u8| [party.code() * 16 + generation * 64 + use_; 32];
    Keys::from_seeds(ORIGIN, party, &[seed(1), seed(2), seed(3)]).unwrap()
}

fn regulator() -> String {
    Cosigner::from_seed("regulator.test", &[0x77; 32]).unwrap().verifier_key().to_string()
}

fn genesis() -> Command {
    Command::Genesis(Box::new(Genesis {
        origin: ORIGIN.into(),
        currency: "RUB".parse().unwrap(),
        tzdb: "2026a".into(),
        parties: Party::ALL.map(|party| keys(party, 0).public()),
        witness: None,
        attesters: Attesters::default(),
    }))
}

fn batch(sequence: u64) -> Command {
    let root = Root { hash: ContentHash([7; 32]), count: 256 };
    let sealed = Sealed { root, totals: Totals::default() };
    Command::Batch(BatchCommit { sequence, file: ContentHash([8; 32]), sealed })
}

/// A motion that each party signs with its key of a generation.
fn motion(number: u64, motion: Motion, from: u64, generations: [u8; 3]) -> Governance {
    let text = motion_text(ORIGIN, number, &motion, from);
    let sign = |(party, generation)| {
        keys(party, generation).exec.sign(&text).unwrap().signature().try_into().unwrap()
    };
    let consents: Vec<[u8; 64]> = Party::ALL.into_iter().zip(generations).map(sign).collect();
    Governance { number, from, motion, consents: consents.try_into().unwrap() }
}

fn keys_of(party: Party, generation: u8) -> Motion {
    Motion::Keys { party, keys: keys(party, generation).public() }
}

fn govern(governance: &Governance) -> Command {
    Command::Govern(Box::new(governance.clone()))
}

/// A member with the key sets of these generations, whose peers have nothing of its signatures that it has not.
fn fresh(party: Party, generations: &[u8], lock: Option<SignLock>) -> Member {
    let sets: Vec<Keys> = generations.iter().map(|generation| keys(party, *generation)).collect();
    let mut member = Member::new(party, sets, ORIGIN.into(), lock);
    for from in Party::ALL {
        member.step(Event::Heard { from, own: None, ordered_size: 0 }).unwrap();
    }
    member
}

#[derive(Default)]
struct Net {
    members: BTreeMap<Party, Member>,
    stored: BTreeMap<Party, Vec<(Block, LogLeaf)>>,
    locks: BTreeMap<Party, Vec<SignLock>>,
    signatures: Vec<Cosignature>,
    entries: Vec<Entry>,
    reports: Vec<(Party, Report)>,
}

impl Net {
    /// The bank holds its keys of both generations, the others their first.
    fn new() -> Self {
        let member = |party| match party {
            Party::Bank => (party, fresh(party, &[0, 1], None)),
            _ => (party, fresh(party, &[0], None)),
        };
        let mut net = Self { members: Party::ALL.map(member).into(), ..Self::default() };
        net.run(Party::Grid, genesis());
        net
    }

    fn member(&mut self, party: Party) -> &mut Member {
        self.members.get_mut(&party).unwrap()
    }

    fn run(&mut self, proposer: Party, command: Command) {
        let mut events = VecDeque::from([(proposer, Event::Propose { command, now_unix_s: NOW })]);
        let mut signatures = VecDeque::new();
        while let Some((to, event)) = events.pop_front().or_else(|| signatures.pop_front()) {
            for action in self.member(to).step(event).unwrap() {
                let others = Party::ALL.into_iter().filter(|party| *party != to);
                match action {
                    Action::Announce(proposal, attestation) => {
                        events.extend(others.map(|to| (to, Event::Announced(proposal.clone(), attestation))));
                    }
                    Action::Recompute(proposal) => {
                        let own = Ok(proposal.command.clone());
                        events.push_back((
                            to,
                            Event::Recomputed { proposal, own, input: None, now_unix_s: NOW },
                        ));
                    }
                    Action::SendAttestation(attestation) => {
                        events.push_back((proposer, Event::Attested(attestation)));
                    }
                    Action::SendAbstention(abstention) => {
                        events.push_back((proposer, Event::Abstained(abstention)));
                    }
                    Action::Order(entry) => {
                        self.entries.push(entry.clone());
                        events.extend(Party::ALL.map(|to| (to, Event::Ordered(entry.clone()))));
                    }
                    Action::Store { block, leaf, .. } => {
                        let size = block.height + 1;
                        self.stored.entry(to).or_default().push((block, leaf));
                        events.push_back((to, Event::Stored(size)));
                    }
                    Action::StoreLock(lock) => {
                        self.locks.entry(to).or_default().push(lock);
                        events.push_back((to, Event::LockStored { lock, now_unix_s: NOW }));
                    }
                    Action::SendCosignature(cosignature) => {
                        self.signatures.push(cosignature.clone());
                        signatures.extend(others.map(|to| (to, Event::Cosigned(cosignature.clone()))));
                    }
                    Action::Report(report) => self.reports.push((to, report)),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn is_sealed(&self, size: u64) -> bool {
        Party::ALL.into_iter().all(|party| self.reports.contains(&(party, Report::Sealed(size))))
    }

    fn size(&self) -> u64 {
        self.members[&Party::Grid].size()
    }

    /// A proposal on the last block, as the grid company would make it.
    fn proposal(&self, command: Command) -> Proposal {
        let member = &self.members[&Party::Grid];
        let (last, _) = self.stored[&Party::Grid].last().unwrap();
        Proposal {
            chain: member.state().chain().unwrap(),
            parent: last.hash(),
            proposer: Party::Grid,
            number: member.state().next_number(Party::Grid),
            time_unix_s: NOW,
            command,
        }
    }
}

/// A head as a key signs it, of a root that is nobody's or of this one.
fn signature(party: Party, generation: u8, size: u64, root: LogHash) -> Cosignature {
    let text = Checkpoint::new(ORIGIN, size, root).unwrap().to_text();
    let line = keys(party, generation).witness.sign_cosignature(&text, NOW).unwrap();
    Cosignature { signer: party.into(), size, root, line }
}

fn other_root(size: u64) -> LogHash {
    let mut log = Log::new();
    for at in 0..size {
        log.append(leaf_hash(&[9, u8::try_from(at).unwrap()])).unwrap();
    }
    log.root()
}

/// Five blocks: the bank's keys change with block 4, by the motion in block 2.
fn changed() -> Net {
    let mut net = Net::new();
    net.run(Party::Grid, batch(1));
    net.run(Party::Supplier, govern(&motion(1, keys_of(Party::Bank, 1), 4, [0, 0, 0])));
    net.run(Party::Grid, batch(2));
    net.run(Party::Grid, batch(3));
    assert_eq!(net.size(), 5);
    net
}

#[test]
fn from_its_block_on_the_new_keys_sign_and_nobody_stops() {
    let mut net = changed();
    // A command that all attest: the bank's new key attests it.
    net.run(Party::Bank, govern(&motion(2, Motion::Witness(Some(regulator())), 9, [0, 1, 0])));
    assert!((1..=6).all(|size| net.is_sealed(size)), "{:?}", net.reports);
    let verifies = |cosignature: &Cosignature, generation: u8| {
        let text = Checkpoint::new(ORIGIN, cosignature.size, cosignature.root).unwrap().to_text();
        keys(Party::Bank, generation)
            .witness
            .verifier_key()
            .verify_cosignature(&text, &cosignature.line)
            .is_ok()
    };
    let banks = net.signatures.iter().filter(|cosignature| cosignature.signer == Party::Bank.into());
    for cosignature in banks {
        let generation = u8::from(cosignature.size > 4);
        assert!(verifies(cosignature, generation), "the head of size {}", cosignature.size);
    }
    let attested = |at: usize, generation: u8| {
        let entry = &net.entries[at];
        let own = members::attest(&keys(Party::Bank, generation), Party::Bank, &entry.proposal);
        entry.attestations.contains(&own)
    };
    assert!(attested(2, 0), "the motion itself: by the old key");
    assert!(attested(5, 1) && !attested(5, 0));
    // The lock goes on across the change.
    let locked: Vec<u64> = net.locks[&Party::Bank].iter().map(|lock| lock.size).collect();
    assert_eq!(locked, [1, 2, 3, 4, 5, 6]);
    let member = &net.members[&Party::Bank];
    assert_eq!(member.state().motion_count(), 2);
    for size in 1..=6 {
        let note = member.head_note(size).unwrap().unwrap();
        let log = keys(Party::Bank, u8::from(size > 4)).log;
        assert!(note.signatures().iter().any(|line| log.verifier_key().is_named_by(line)), "{size}");
        assert_eq!(note.signatures().len(), 4, "{size}");
    }
}

#[test]
fn a_retired_key_signs_and_attests_nothing() {
    let mut net = changed();
    let root = net.members[&Party::Grid].log().root();
    // Under a head that includes the change the old key counts for nothing, whichever root it signs.
    for root in [root, other_root(5)] {
        let refused = net.member(Party::Grid).step(Event::Cosigned(signature(Party::Bank, 0, 5, root)));
        assert!(matches!(refused, Err(MemberError::Note(_))), "{refused:?}");
    }
    // A block that it attests is passed over by everybody.
    let proposal = net.proposal(govern(&motion(2, Motion::Witness(Some(regulator())), 9, [0, 1, 0])));
    let by = |party, generation| members::attest(&keys(party, generation), party, &proposal);
    let old = vec![by(Party::Grid, 0), by(Party::Bank, 0)];
    let new = vec![by(Party::Grid, 0), by(Party::Bank, 1)];
    for party in Party::ALL {
        let entry = Entry { proposal: proposal.clone(), attestations: old.clone() };
        assert!(!net.members[&party].takes(&entry), "{party}");
        let passed = net.member(party).step(Event::Ordered(entry)).unwrap();
        assert!(matches!(&passed[..], [Action::Pass(_)]), "{party}: {passed:?}");
        assert!(net.members[&party].takes(&Entry { proposal: proposal.clone(), attestations: new.clone() }));
    }
    // Signatures that came ahead: the old key's, in force there as far as was known, is dropped when the motion is known; it is
    // no second signature of the new one.
    for is_told_later in [false, true] {
        let mut behind = fresh(Party::Supplier, &[0], None);
        let blocks = net.stored[&Party::Supplier].clone();
        behind.restore(&blocks[0].0, &blocks[0].1).unwrap();
        behind.step(Event::Cosigned(signature(Party::Bank, 0, 5, other_root(5)))).unwrap();
        for (block, _) in &blocks[1..] {
            if is_told_later && block.height == 4 {
                let told = behind.step(Event::Cosigned(signature(Party::Bank, 1, 5, root))).unwrap();
                assert!(told.is_empty(), "{told:?}");
            }
            let Block { proposal, attestations, .. } = block.clone();
            let entry = Entry { proposal: proposal.clone(), attestations };
            let actions = behind.step(Event::Ordered(entry)).unwrap();
            if matches!(&actions[..], [Action::Recompute(_)]) {
                let own = Ok(proposal.command.clone());
                behind.step(Event::Recomputed { proposal, own, input: None, now_unix_s: NOW }).unwrap();
            }
        }
        let signers = if is_told_later { vec![Party::Bank.into()] } else { Vec::new() };
        assert_eq!((behind.size(), behind.cosigners(5)), (5, signers));
    }
}

#[test]
fn two_signatures_of_a_key_convict_after_it_was_replaced() {
    let mut net = changed();
    // Of the time when it was in force.
    let forged = signature(Party::Bank, 0, 3, other_root(3));
    let actions = net.member(Party::Grid).step(Event::Cosigned(forged)).unwrap();
    let is_named = actions.iter().any(|action| {
        matches!(action, Action::Report(Report::DoubleSigned { own_root, .. }) if own_root.signer == Party::Bank.into())
    });
    assert!(is_named, "{actions:?}");
}

#[test]
fn who_holds_no_key_in_force_signs_nothing_and_says_so() {
    let mut net = Net::new();
    net.members.insert(Party::Bank, fresh(Party::Bank, &[0], None));
    for (block, leaf) in net.stored[&Party::Bank].clone() {
        net.member(Party::Bank).restore(&block, &leaf).unwrap();
    }
    net.run(Party::Supplier, govern(&motion(1, keys_of(Party::Bank, 1), 3, [0, 0, 0])));
    net.run(Party::Grid, batch(1));
    assert!(net.members[&Party::Bank].is_keyless(), "at the next block");
    net.run(Party::Grid, batch(2));
    net.run(Party::Grid, batch(3));
    let told = (Party::Bank, Report::Keyless { from: 3 });
    assert_eq!(net.reports.iter().filter(|report| **report == told).count(), 1, "{:?}", net.reports);
    assert!(net.is_sealed(3) && !net.is_sealed(4) && !net.is_sealed(5));
    assert_eq!(net.members[&Party::Bank].frozen(), None, "it follows");
    assert!(net.member(Party::Bank).head_note(5).unwrap().is_some(), "with what the others signed");
    // Nor does it attest, or propose.
    let proposal = net.proposal(govern(&motion(2, Motion::Witness(Some(regulator())), 9, [0, 1, 0])));
    let own = Ok(proposal.command.clone());
    let answer = net
        .member(Party::Bank)
        .step(Event::Recomputed { proposal, own, input: None, now_unix_s: NOW })
        .unwrap();
    let [Action::SendAbstention(abstention)] = &answer[..] else { panic!("{answer:?}") };
    assert!(abstention.reason.contains("does not hold the keys of bank"), "{}", abstention.reason);
    let refused = net.member(Party::Bank).step(Event::Propose {
        command: govern(&motion(2, Motion::Witness(Some(regulator())), 9, [0, 1, 0])),
        now_unix_s: NOW,
    });
    assert!(matches!(refused, Err(MemberError::Keyless { party: Party::Bank, height: 5 })));
    // With the set it goes on, from where it is.
    let sets = vec![keys(Party::Bank, 0), keys(Party::Bank, 1)];
    net.member(Party::Bank).set_keys(sets);
    net.run(Party::Grid, batch(4));
    assert!(net.is_sealed(6));
}

/// A member that is made again from its blocks has the same keys, and the lost lock of a key that was replaced does not bind.
#[test]
fn restored_from_its_blocks_it_knows_the_same_keys() {
    let net = changed();
    for party in Party::ALL {
        let lock = net.locks[&party].last().copied();
        let (mut whole, mut signed) = (fresh(party, &[0, 1], lock), fresh(party, &[0, 1], lock));
        let blocks = &net.stored[&party];
        for (at, (block, leaf)) in blocks.iter().enumerate() {
            whole.restore(block, leaf).unwrap();
            match at + 1 == blocks.len() {
                false => signed.restore_signed(block, leaf).unwrap(),
                true => signed.restore(block, leaf).unwrap(),
            }
        }
        let own = net.members[&party].directory().unwrap().keys();
        assert_eq!(whole.directory().unwrap().keys(), own);
        assert_eq!(signed.directory().unwrap().keys(), own);
        assert_eq!(whole.state().root(), net.members[&party].state().root());
    }
    // The bank lost its lock: of its new key nobody has a signature, of its old one they have.
    let restored = |blocks: usize| {
        let mut member =
            Member::new(Party::Bank, vec![keys(Party::Bank, 0), keys(Party::Bank, 1)], ORIGIN.into(), None);
        for (block, leaf) in &net.stored[&Party::Bank][..blocks] {
            member.restore(block, leaf).unwrap();
        }
        member
    };
    let root = net.members[&Party::Bank].log().root_at(4).unwrap();
    let own = Some(signature(Party::Bank, 0, 4, root));
    let heard = Event::Heard { from: Party::Grid, own: own.clone(), ordered_size: 5 };
    let mut before = restored(4);
    let stopped = before.step(heard.clone()).unwrap();
    assert!(matches!(&stopped[..], [Action::Report(Report::Frozen(_))]), "{stopped:?}");
    let mut after = restored(5);
    let raised = after.step(heard).unwrap();
    let [Action::RaiseLock { lock, from }] = raised[..] else { panic!("{raised:?}") };
    assert_eq!((lock.size, lock.root), (4, root), "sizes stay monotone, whichever key signs");
    let signs = after.step(Event::LockRaised { lock, from }).unwrap();
    assert!(matches!(&signs[..], [Action::StoreLock(lock)] if lock.size == 5), "{signs:?}");
    // Its new key has signed: then that lock is lost for good.
    let root = net.members[&Party::Bank].log().root();
    let own = Some(signature(Party::Bank, 1, 5, root));
    let stopped = restored(5).step(Event::Heard { from: Party::Grid, own, ordered_size: 5 }).unwrap();
    assert!(matches!(&stopped[..], [Action::Report(Report::Frozen(_))]), "{stopped:?}");
}

/// Motions that two parties attest, and that everybody passes over all the same.
#[test]
fn no_member_takes_a_motion_that_does_not_count() {
    let mut net = changed();
    let good = || motion(2, keys_of(Party::Grid, 1), 7, [0, 1, 0]);
    let unsigned = Governance { consents: [[0; 64]; 3], ..good() };
    let of_two =
        Governance { consents: [good().consents[0], good().consents[0], good().consents[2]], ..good() };
    let grids = Motion::Keys { party: Party::Supplier, keys: keys(Party::Grid, 0).public() };
    let table: [(Governance, &str); 9] = [
        (unsigned, "the signature of grid is not its own under motion 2"),
        (of_two, "the signature of bank is not its own under motion 2"),
        (motion(2, keys_of(Party::Grid, 1), 7, [0, 0, 0]), "the signature of bank is not its own"),
        (motion(1, keys_of(Party::Bank, 1), 4, [0, 0, 0]), "motion 1 "),
        (motion(3, keys_of(Party::Grid, 1), 7, [0, 1, 0]), "motion 3 "),
        (motion(2, keys_of(Party::Grid, 1), 5, [0, 1, 0]), "cannot take effect from block 5 on"),
        (motion(2, grids, 7, [0, 1, 0]), "a key never comes back"),
        (motion(2, keys_of(Party::Bank, 0), 7, [0, 1, 0]), "a key never comes back"),
        (motion(2, keys_of(Party::Bank, 1), 7, [0, 1, 0]), "the motion changes no key"),
    ];
    for (governance, want) in table {
        let proposal = net.proposal(govern(&governance));
        let attest = |party, generation| members::attest(&keys(party, generation), party, &proposal);
        let attestations = vec![attest(Party::Grid, 0), attest(Party::Bank, 1), attest(Party::Supplier, 0)];
        for party in Party::ALL {
            let refused = net
                .member(party)
                .step(Event::Announced(proposal.clone(), attestations[0]))
                .unwrap_err()
                .to_string();
            assert!(refused.contains(want), "{party}: {refused}, expected {want}");
            let entry = Entry { proposal: proposal.clone(), attestations: attestations.clone() };
            let passed = net.member(party).step(Event::Ordered(entry)).unwrap();
            let [Action::Pass(reason)] = &passed[..] else { panic!("{passed:?}") };
            assert!(reason.contains(want), "{party}: {reason}, expected {want}");
        }
        let own =
            net.member(Party::Grid).step(Event::Propose { command: govern(&governance), now_unix_s: NOW });
        assert!(own.unwrap_err().to_string().contains(want));
    }
    net.run(Party::Grid, govern(&good()));
    assert!(net.is_sealed(6));
}
