//! Receipts that do not hold: each lie fails in the check that is there for it.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod town;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::thread;

use tallywatt_core::agreement::Party;
use tallywatt_core::bill::Bill;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::Money;
use tallywatt_ledger::bill_bytes::{decode_bill, encode_bill};
use tallywatt_ledger::block::{Attestation, Block, Proposal};
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::document::encode_contract;
use tallywatt_ledger::key::Cosigner;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::receipt::{BillPart, Receipt, Subject};
use tallywatt_ledger::tariff_bytes::encode_tariff;
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_verify::report::{Report, Status, Verdict};
use tallywatt_verify::verify;
use town::{BILLS_HEIGHT, Plan, Town, exec, policy, policy_of, witness};

const ACCOUNT: &str = "A-000017";

/// One lie, and the check that must find it.
struct Lie {
    check: &'static str,
    detail: &'static str,
    tell: fn(&Town, &mut Receipt),
}

const fn lie(check: &'static str, detail: &'static str, tell: fn(&Town, &mut Receipt)) -> Lie {
    Lie { check, detail, tell }
}

fn part(receipt: &mut Receipt) -> &mut BillPart {
    receipt.bill.as_mut().unwrap()
}

fn edit_bill(receipt: &mut Receipt, edit: fn(&mut Bill)) {
    let placed = &mut part(receipt).bill;
    let mut bill = decode_bill(&placed.record).unwrap();
    edit(&mut bill);
    placed.record = encode_bill(&bill);
}

fn edit_leaf(receipt: &mut Receipt, at: usize, edit: fn(&mut Vec<u8>)) {
    let record = &mut receipt.leaves[at].record;
    edit(record);
    DayLeaf::decode(record).unwrap();
}

fn edit_block(receipt: &mut Receipt, at: usize, edit: fn(&mut Block)) {
    let logged = &mut receipt.blocks[at].logged;
    let mut block = Block::decode(&logged.record).unwrap();
    edit(&mut block);
    logged.record = block.encode();
}

fn resign(town: &Town, receipt: &mut Receipt, cosigners: &[Cosigner]) {
    receipt.proof = town.proof(BILLS_HEIGHT, cosigners);
}

/// The bill is one kopeck less, and its lines and tax say so too.
fn one_kopeck_less(bill: &mut Bill) {
    let less = |money: Money| money.checked_sub(Money::from_minor(1)).unwrap();
    bill.lines[0].amount = less(bill.lines[0].amount);
    bill.vat[0].base = less(bill.vat[0].base);
    bill.total = less(bill.total);
}

const LIES: &[Lie] = &[
    lie("file", "agreement record", |_, receipt| part(receipt).agreement.push(0)),
    lie("file", "tariff record", |_, receipt| {
        part(receipt).tariffs[0].pop();
    }),
    lie("file", "1 to 40 hashes", |_, receipt| {
        let first = receipt.leaves[0].path[0];
        receipt.leaves[0].path = vec![first; 41];
    }),
    lie("signatures", "quorum is not met", |town, receipt| {
        resign(town, receipt, &[witness(Party::Grid), witness(Party::Bank)]);
    }),
    lie("signatures", "does not know the key", |town, receipt| {
        let stranger = Cosigner::from_seed("stranger.example", &[99; 32]).unwrap();
        let cosigners: Vec<Cosigner> = Party::ALL.map(witness).into_iter().chain([stranger]).collect();
        resign(town, receipt, &cosigners);
    }),
    lie("signatures", "does not know the key", |town, receipt| {
        // The right name, another key: another key id.
        let forged = Cosigner::from_seed("bank.example", &[98; 32]).unwrap();
        resign(town, receipt, &[witness(Party::Grid), forged, witness(Party::Supplier)]);
    }),
    lie("signatures", "did not sign this note", |town, receipt| {
        // The grid company's time under the bank's name and key id.
        let text = town.checkpoint_text();
        let line = witness(Party::Bank).sign_cosignature("another text\n", 1_775_000_100).unwrap();
        let grid = witness(Party::Grid).sign_cosignature(&text, 1_775_000_100).unwrap();
        let log = town::log_signer(town::ORIGIN, Party::Grid).sign(&text).unwrap();
        let note = Note::new(&text, vec![log, grid, line]).unwrap();
        let (index, path) = (receipt.proof.index(), receipt.proof.path().to_vec());
        receipt.proof = TlogProof::new(None, index, path, note).unwrap();
    }),
    lie("signatures", "no log of the policy", |town, receipt| {
        let text = town.checkpoint_text();
        let line = |party| witness(party).sign_cosignature(&text, 1).unwrap();
        let note = Note::new(&text, Party::ALL.map(line).to_vec()).unwrap();
        let (index, path) = (receipt.proof.index(), receipt.proof.path().to_vec());
        receipt.proof = TlogProof::new(None, index, path, note).unwrap();
    }),
    lie("inclusion", "stands after block", |_, receipt| receipt.blocks.swap(1, 2)),
    lie("inclusion", "its log leaf is of height", |_, receipt| {
        let record = receipt.blocks[1].logged.record.clone();
        receipt.blocks[2].logged.record = record;
    }),
    lie("inclusion", "its log leaf names block", |_, receipt| {
        edit_block(receipt, 1, |block| block.proposal.time_unix_s += 1);
    }),
    lie("inclusion", "leads to root", |_, receipt| receipt.blocks[1].path.swap(0, 1)),
    lie("inclusion", "exactly", |_, receipt| {
        let first = receipt.blocks[1].path[0];
        receipt.blocks[1].path.push(first);
    }),
    lie("inclusion", "exactly", |_, receipt| {
        receipt.blocks[0].path.pop();
    }),
    lie("inclusion", "leads to root", |_, receipt| {
        let last = receipt.sealed_by.log_leaf.last_mut().unwrap();
        *last ^= 1;
    }),
    lie("inclusion", "the proof is of leaf", |town, receipt| {
        let other = town.proof(6, &Party::ALL.map(witness));
        let path = receipt.proof.path().to_vec();
        receipt.proof = TlogProof::new(None, other.index(), path, other.note().clone()).unwrap();
    }),
    lie("chain", "cannot seal", |town, receipt| {
        receipt.sealed_by = town.logged(6);
        receipt.proof = town.proof(6, &Party::ALL.map(witness));
    }),
    lie("chain", "expected the genesis", |_, receipt| {
        receipt.blocks.remove(0);
    }),
    lie("chain", "expected a publication", |town, receipt| receipt.blocks.push(town.placed_block(5))),
    lie("documents", "was not published", |_, receipt| {
        let cheap = town::tariff("Two zones, 7", ["0.81", "0.24"], "2026-03-15", None);
        part(receipt).tariffs[1] = encode_tariff(&cheap.body);
    }),
    lie("documents", "was not published", |_, receipt| {
        receipt.blocks.remove(3);
    }),
    lie("documents", "0 activations of agreement grid-2026", |_, receipt| {
        receipt.blocks.remove(4);
    }),
    lie("documents", "publications for", |_, receipt| {
        part(receipt).tariffs.pop();
    }),
    lie("documents", "other tariff versions", |_, receipt| part(receipt).tariffs.swap(0, 1)),
    lie("documents", "another agreement", |_, receipt| {
        edit_bill(receipt, |bill| bill.agreement.0[0] ^= 1);
    }),
    lie("documents", "the ledger in RUB", |_, receipt| {
        edit_bill(receipt, |bill| bill.currency = "EUR".parse().unwrap());
    }),
    lie("contracts", "a contract of account", |town, receipt| {
        part(receipt).contracts.push(town.placed_contract(2));
    }),
    lie("contracts", "a contract of account", |town, receipt| {
        part(receipt).bill = town.placed_bill("A-000001");
    }),
    lie("contracts", "path leads to", |town, receipt| {
        let mut contract = town.contracts[1].clone();
        contract.usage_point = "EKB-000001".parse().unwrap();
        part(receipt).contracts[0].record = encode_contract(&contract);
    }),
    lie("contracts", "does not follow", |_, receipt| {
        let twice = part(receipt).contracts[0].clone();
        part(receipt).contracts.push(twice);
    }),
    lie("readings", "path leads to", |_, receipt| {
        // The first value of the day is a Wh more, its hash computed anew as everywhere.
        edit_leaf(receipt, 3, |record| record[80] += 1);
    }),
    lie("readings", "kept back", |_, receipt| {
        receipt.leaves.remove(9);
    }),
    lie("readings", "stands twice", |_, receipt| {
        let twice = receipt.leaves[9].clone();
        receipt.leaves.insert(9, twice);
    }),
    lie("readings", "out of order", |_, receipt| receipt.leaves.swap(3, 4)),
    lie("readings", "no contract bills", |town, receipt| {
        let (leaves, partition) = town.leaves_of("EKB-000001");
        let foreign = vec![leaves[0].clone()];
        receipt.leaves = [foreign, std::mem::take(&mut receipt.leaves)].concat();
        receipt.partitions.push(partition);
        receipt.partitions.sort_by_key(|placed| placed.record[2]);
    }),
    lie("readings", "no leaf is of partition", |town, receipt| {
        receipt.partitions.push(town.leaves_of("EKB-000001").1);
        receipt.partitions.sort_by_key(|placed| placed.record[2]);
    }),
    lie("readings", "is tagged", |_, receipt| edit_leaf(receipt, 0, |record| record[1] = 1)),
    lie("readings", "is not there", |town, receipt| {
        receipt.partitions = vec![town.leaves_of("EKB-000001").1];
    }),
    lie("readings", "partition", |_, receipt| {
        // A summary with a root of one's own does not open the sealed root.
        receipt.partitions[0].record[3] ^= 1;
    }),
    lie("readings", "path of", |_, receipt| {
        let first = receipt.leaves[0].path[0];
        receipt.leaves[0].path.push(first);
    }),
    lie("completeness", "the bill says", |_, receipt| {
        receipt.leaves.pop();
    }),
    lie("completeness", "the bill says", |_, receipt| {
        edit_bill(receipt, |bill| {
            bill.completeness.estimated -= 1;
            bill.completeness.measured += 1;
        });
    }),
    lie("amount", "the readings and tariff give", |_, receipt| edit_bill(receipt, one_kopeck_less)),
    lie("amount", "payee's part", |_, receipt| {
        edit_bill(receipt, |bill| bill.payee_part = Default::default());
    }),
    lie("amount", "root of the readings", |_, receipt| {
        edit_bill(receipt, |bill| bill.readings.0[31] ^= 1);
    }),
    lie("record", "the subject is", |_, receipt| {
        receipt.subject = Subject::Bill { period: town::month(), account: "A-000001".parse().unwrap() };
    }),
    lie("record", "the subject is", |_, receipt| {
        let period = "2026-02".parse().unwrap();
        receipt.subject = Subject::Bill { period, account: ACCOUNT.parse().unwrap() };
    }),
    lie("record", "was not issued", |_, receipt| part(receipt).bill.index = 2),
    lie("record", "was not issued", |_, receipt| {
        part(receipt).bill.path.pop();
    }),
];

fn failed(report: &Report) -> (&'static str, &str) {
    assert_eq!((report.verdict, report.exit_code()), (Verdict::Invalid, 1), "{report}");
    let check = report.stopped_by().unwrap();
    assert!(report.proven.is_none());
    assert!(report.verdict_line().starts_with("INVALID  "));
    (check.name, &check.detail)
}

#[test]
fn each_lie_fails_in_its_check() {
    let town = Town::new();
    let valid = town.bill_receipt(ACCOUNT);
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (at, lie) in LIES.iter().enumerate() {
        let mut receipt = valid.clone();
        (lie.tell)(&town, &mut receipt);
        assert_ne!(receipt, valid, "lie {at}");
        let report = verify(&receipt.encode(), &policy(3));
        let (name, detail) = failed(&report);
        if name != lie.check || !detail.contains(lie.detail) {
            wrong.push(format!(
                "lie {at} is found by {name}: {detail}; expected {}: {}",
                lie.check, lie.detail
            ));
        }
        seen.insert(name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(seen.len(), 10, "every check of a bill is needed: {seen:?}");
}

fn attest_bills(block: &mut Block, parties: &[Party]) {
    if matches!(block.proposal.command, Command::Bills(_)) {
        let text = block.proposal.attest_text();
        let sign = |party: &Party| {
            let signature = exec(*party).sign(&text).unwrap().signature().try_into().unwrap();
            Attestation { party: *party, signature }
        };
        block.attestations = parties.iter().map(sign).collect();
    }
}

/// Bills that the bank attests, who has no readings to compute them from.
fn bank_for_supplier(block: &mut Block) {
    attest_bills(block, &[Party::Grid, Party::Bank]);
}

fn bank_too(block: &mut Block) {
    attest_bills(block, &Party::ALL);
}

/// Whole ledgers that lie, or are judged by somebody else's policy.
#[test]
fn each_ledger_that_lies_fails_in_its_check() {
    let plan = Plan::default;
    let elsewhere = "tallywatt.example/region-77";
    let table: [(Plan, Policy, &str, &str); 18] = [
        (Plan { attesters: vec![Party::Grid], ..plan() }, policy(3), "chain", "attested by 1 party"),
        (Plan { attesters: vec![], ..plan() }, policy(3), "chain", "its proposer grid did not attest"),
        (
            Plan { attesters: vec![Party::Bank, Party::Supplier], ..plan() },
            policy(3),
            "chain",
            "its proposer grid did not attest",
        ),
        (
            Plan { edit_block: bank_for_supplier, ..plan() },
            policy(3),
            "chain",
            "attested by bank, a block of bills is recomputed by grid and supplier",
        ),
        (Plan { edit_block: bank_too, ..plan() }, policy(3), "chain", "attested by bank, a block of bills"),
        (
            Plan { edit_genesis: share_exec_key, ..plan() },
            policy(3),
            "chain",
            "the exec key of supplier is another party's",
        ),
        (
            Plan { edit_genesis: cosigner_as_exec, ..plan() },
            policy(3),
            "chain",
            "the exec key of bank is of the wrong kind",
        ),
        (Plan { edit_genesis: rename_origin, ..plan() }, policy(3), "chain", "the genesis is of"),
        (Plan { edit_proposal: first_of_another, ..plan() }, policy(3), "chain", "names a block before it"),
        (Plan { edit_proposal: second_of_another, ..plan() }, policy(3), "chain", "of another chain"),
        (Plan { edit_block: orphan_first, ..plan() }, policy(3), "chain", "names a block before it"),
        (Plan { origin: elsewhere, ..plan() }, policy(3), "signatures", "does not know the key"),
        (plan(), policy_of(elsewhere, 3), "signatures", "does not know the key"),
        (plan(), with_stranger(), "chain", "does not name the policy's cosigner key"),
        (Plan { edit_block: orphan_others, ..plan() }, policy(3), "inclusion", "does not name block 0"),
        (
            Plan { agreement_from: "2026-03-02", ..plan() },
            policy(3),
            "documents",
            "does not hold on 2026-03-01",
        ),
        (Plan { contract_agreement: "grid-2025", ..plan() }, policy(3), "contracts", "not grid-2026"),
        // The parties agreed on a wrong bill: nothing is forged, and still it does not hold.
        (Plan { edit_bill: one_kopeck_less, ..plan() }, policy(3), "amount", "the readings and tariff give"),
    ];
    for (at, (plan, policy, name, detail)) in table.into_iter().enumerate() {
        let report = verify(&Town::planned(plan).bill_receipt(ACCOUNT).encode(), &policy);
        let found = failed(&report);
        assert_eq!(found.0, name, "ledger {at}: {}", found.1);
        assert!(found.1.contains(detail), "ledger {at}: {}", found.1);
    }
}

fn share_exec_key(genesis: &mut Genesis) {
    genesis.parties[2].exec = genesis.parties[0].exec.clone();
}

fn cosigner_as_exec(genesis: &mut Genesis) {
    genesis.parties[1].exec = genesis.parties[1].witness.clone();
}

fn rename_origin(genesis: &mut Genesis) {
    genesis.origin = "tallywatt.example/region-77".to_owned();
}

fn first_of_another(height: u64, proposal: &mut Proposal) {
    if height == 0 {
        proposal.chain = ContentHash([3; 32]);
    }
}

fn second_of_another(height: u64, proposal: &mut Proposal) {
    if height == 2 {
        proposal.chain = ContentHash([3; 32]);
    }
}

fn orphan_first(block: &mut Block) {
    if block.height == 0 {
        block.proposal.parent = ContentHash([3; 32]);
    }
}

fn orphan_others(block: &mut Block) {
    if block.height > 0 {
        block.proposal.parent = ContentHash([3; 32]);
    }
}

/// A policy with a fourth witness that the genesis does not know; three of four suffice.
fn with_stranger() -> Policy {
    let stranger = Cosigner::from_seed("stranger.example", &[99; 32]).unwrap();
    let logs = Party::ALL.map(|party| town::log_signer(town::ORIGIN, party).verifier_key().clone());
    let own = Party::ALL.map(|party| (party.name().to_owned(), witness(party).verifier_key().clone()));
    let all: Vec<_> = own.into_iter().chain([("stranger".into(), stranger.verifier_key().clone())]).collect();
    Policy::parties(&logs, &all, 3).unwrap()
}

/// A genesis of another chain in front of this chain's blocks, under one signed log.
#[test]
fn a_foreign_genesis_fails() {
    let (town, other) = (Town::new(), Town::planned(Plan { tzdb: "1999a".to_owned(), ..Plan::default() }));
    let mut receipt = town.bill_receipt(ACCOUNT);
    receipt.blocks[0].logged = other.logged(0);
    assert_eq!(failed(&verify(&receipt.encode(), &policy(3))).0, "inclusion");
}

#[test]
fn a_day_of_another_subject_fails() {
    let town = Town::new();
    let valid = town.day_receipt("EKB-000017", "2026-03-14");
    let other = town.day_receipt("EKB-000001", "2026-03-14");
    let next = town.day_receipt("EKB-000017", "2026-03-15");
    for (subject, leaf) in [(next.subject, &valid), (other.subject, &valid), (valid.subject, &next)] {
        let receipt = Receipt { subject, ..leaf.clone() };
        assert_eq!(failed(&verify(&receipt.encode(), &policy(3))).0, "readings");
    }
    let mut receipt = valid.clone();
    receipt.sealed_by = town.logged(BILLS_HEIGHT);
    receipt.proof = town.proof(BILLS_HEIGHT, &Party::ALL.map(witness));
    assert_eq!(failed(&verify(&receipt.encode(), &policy(3))).0, "chain");
    receipt = valid.clone();
    receipt.leaves.extend(next.leaves);
    assert_eq!(failed(&verify(&receipt.encode(), &policy(3))).0, "readings");
}

/// Every byte, three bits: none of them leaves the receipt valid, and each is answered by a check.
#[test]
fn no_flipped_byte_is_valid() {
    let receipt = Town::new().bill_receipt("A-000030").encode();
    assert_eq!(verify(&receipt, &policy(3)).exit_code(), 0);
    let policy = policy(3);
    let thread_count = thread::available_parallelism().map_or(1, NonZero::get).min(4);
    let seen: BTreeSet<&'static str> = thread::scope(|scope| {
        let work = |first: usize| {
            let (receipt, policy) = (&receipt, &policy);
            scope.spawn(move || {
                let places = (first..receipt.len()).step_by(thread_count);
                places
                    .flat_map(|at| [0x01, 0x20, 0x80].map(|mask| flipped(receipt, policy, at, mask)))
                    .collect()
            })
        };
        let threads: Vec<_> = (0..thread_count).map(work).collect();
        threads.into_iter().flat_map(|thread| -> BTreeSet<_> { thread.join().unwrap() }).collect()
    });
    println!("{} bytes flipped thrice, found by {seen:?}", receipt.len());
    assert!(seen.is_superset(&BTreeSet::from(["file", "signatures", "inclusion", "readings", "record"])));
}

/// The check that finds the flip.
fn flipped(receipt: &[u8], policy: &Policy, at: usize, mask: u8) -> &'static str {
    let mut bytes = receipt.to_vec();
    bytes[at] ^= mask;
    let report = verify(&bytes, policy);
    assert_ne!(report.verdict, Verdict::Valid, "byte {at} ^ {mask:#04x}");
    // One flip makes another version of the first line, which cannot be checked; all others are wrong.
    let is_version = report.verdict == Verdict::Unchecked && at == "tallywatt-receipt/v1".len() - 1;
    let stop = report.stopped_by().unwrap();
    assert!(stop.status == Status::Fail || is_version, "byte {at} ^ {mask:#04x}: {report}");
    stop.name
}

#[test]
fn a_cut_receipt_is_refused() {
    for receipt in [Town::new().bill_receipt("A-000030"), Town::new().day_receipt("EKB-000017", "2026-03-14")]
    {
        let bytes = receipt.encode();
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        for end in ends.flat_map(|at| [at, at + 1]).filter(|end| *end < bytes.len()) {
            let report = verify(&bytes[..end], &policy(3));
            let name = failed(&report).0;
            // Below the empty line only whole signature lines can be cut: then the quorum is not met.
            assert!(name == "file" || name == "signatures", "cut to {end}: {report}");
        }
    }
}

#[test]
fn an_empty_or_endless_file_is_refused() {
    for bytes in [vec![], vec![b'\n'], vec![0; 1 << 20], vec![b'a'; (64 << 20) + 1], vec![0xff; 100]] {
        assert_eq!(failed(&verify(&bytes, &policy(3))).0, "file");
    }
}
