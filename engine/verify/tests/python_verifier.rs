//! The verifier in Python and this one say the same: of 1,000 proofs that hold, and of 1,000 mutants of them.
//!
//! Nothing is shared but the formats. `python3` and `openssl` must be on the path: without them these tests fail, and say so.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod town;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use tallywatt_core::agreement::Party;
use tallywatt_core::bill::Bill;
use tallywatt_core::money::Money;
use tallywatt_ledger::block::{Attestation, Block};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::Command as ChainCommand;
use tallywatt_ledger::key::{Cosigner, LogSigner};
use tallywatt_ledger::log::{LogHash, leaf_hash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::receipt::{PlacedBlock, Receipt, Subject};
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_verify::verify;
use tempfile::TempDir;
use town::corrected::{Corrected, corrected};
use town::{Plan, Town, log_signer, policy_of, witness};

const SEED: u64 = 20_261_123;
const PROOF_COUNT: usize = 1_000;
const MUTANT_COUNT: usize = 1_000;
/// Blocks that follow in the logs, so that there are heads of many sizes.
const LATER_COUNT: u64 = 300;

/// Origin of each ledger.
const ORIGINS: [&str; 4] = [
    "tallywatt.example/region-66",
    "tallywatt.example/region-96",
    "north.example/log",
    "tariff.example/südost",
];
/// Of a proof without a receipt.
const LEAVES: [&str; 3] = ["one", "", "a block of somebody else's log"];

/// A small generator: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % u64::try_from(limit).unwrap()).unwrap()
    }

    fn of<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        &values[self.below(values.len())]
    }
}

/// A file, the policy to check it by and, of a tlog-proof, the leaf; with what was done to it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Case {
    file: Vec<u8>,
    policy: String,
    leaf: Option<String>,
    what: &'static str,
}

impl Case {
    /// What this verifier says.
    fn code(&self) -> u8 {
        let Ok(policy) = Policy::parse(&self.policy) else { return 2 };
        let Some(leaf) = &self.leaf else { return verify(&self.file, &policy).exit_code() };
        let proof = std::str::from_utf8(&self.file).ok().and_then(|text| TlogProof::parse(text).ok());
        let is_valid = proof.is_some_and(|proof| proof.verify(leaf_hash(leaf.as_bytes()), &policy).is_ok());
        u8::from(!is_valid)
    }
}

/// What has receipts.
struct Ledger {
    origin: &'static str,
    town: Town,
    runs: Option<Corrected>,
}

fn ledgers() -> Vec<Ledger> {
    let plan = |origin| Plan { origin, ..Plan::default() };
    let [first, hourly, late, foreign] = ORIGINS;
    let two = vec![Party::Grid, Party::Supplier];
    let runs =
        corrected(Plan { back_billing_months: Some(12), ..plan(late) }, ["2026-06-09", "2027-07-09"], |_| {});
    let mut ledgers = vec![
        Ledger { origin: first, town: Town::planned(plan(first)), runs: None },
        Ledger { origin: hourly, town: Town::planned(Plan { is_hourly: true, ..plan(hourly) }), runs: None },
        Ledger { origin: late, town: Town::planned(plan(late)), runs: Some(runs) },
        Ledger {
            origin: foreign,
            town: Town::planned(Plan { tzdb: "2026a".to_owned(), attesters: two, ..plan(foreign) }),
            runs: None,
        },
    ];
    for ledger in &mut ledgers {
        let corrected = ledger.runs.iter_mut().map(|runs| &mut runs.town);
        for town in [&mut ledger.town].into_iter().chain(corrected) {
            for later in 0..LATER_COUNT {
                town.log.append(leaf_hash(&later.to_le_bytes())).unwrap();
            }
        }
    }
    ledgers
}

/// Shows a receipt under the head of `size`, cosigned by `cosigners`.
fn at_head(town: &Town, origin: &str, receipt: &mut Receipt, size: u64, cosigners: &[Cosigner]) {
    let path = |index: u64| town.log.prove_inclusion(index, size).unwrap();
    let again = |block: &mut PlacedBlock| {
        let height = u64::from_le_bytes(block.logged.log_leaf[2..10].try_into().unwrap());
        block.path = path(height);
    };
    receipt.blocks.iter_mut().for_each(again);
    let correction = receipt.bill.as_mut().and_then(|bill| bill.correction.as_mut());
    if let Some(before) = correction.and_then(|correction| correction.before.as_mut()) {
        again(&mut before.sealed_by);
    }
    let index = receipt.proof.index();
    let note = note(origin, size, town.log.root_at(size).unwrap(), cosigners);
    receipt.proof = TlogProof::new(None, index, path(index), note).unwrap();
}

fn note(origin: &str, size: u64, root: LogHash, cosigners: &[Cosigner]) -> Note {
    let text = Checkpoint::new(origin, size, root).unwrap().to_text();
    let mut lines = vec![log_signer(origin, Party::Bank).sign(&text).unwrap()];
    let cosigned = cosigners.iter().zip(1_790_000_000..);
    lines.extend(cosigned.map(|(witness, time)| witness.sign_cosignature(&text, time).unwrap()));
    Note::new(&text, lines).unwrap()
}

/// Proofs that hold: bills, corrected bills, days, and leaves alone, under heads of many sizes.
fn proofs(dice: &mut Dice) -> Vec<Case> {
    let mut cases = Vec::new();
    for Ledger { origin, town, runs } in &ledgers() {
        let mut receipts: Vec<(&Town, Receipt)> = Vec::new();
        for contract in &town.contracts {
            receipts.push((town, town.bill_receipt(contract.account.as_str())));
        }
        for leaf in &town.leaves {
            let key = leaf.block().key();
            receipts.push((town, town.day_receipt(key.usage_point.as_str(), &key.day.to_string())));
        }
        for (runs, account, number) in runs.iter().flat_map(|runs| {
            [("A-000040", 1), ("A-000040", 2), ("A-000030", 1), ("A-000030", 2)]
                .map(|(of, at)| (runs, of, at))
        }) {
            receipts.push((&runs.town, runs.receipt(account, number)));
        }
        let day_count = receipts.iter().filter(|(_, receipt)| receipt.bill.is_none()).count();
        assert!(day_count > 100, "{day_count} days of {origin}");
        // Each bill under ten heads, each day under one, and days again until there are enough.
        let mut shown: Vec<usize> = (0..receipts.len()).collect();
        for (at, (_, receipt)) in receipts.iter().enumerate() {
            let again = if receipt.bill.is_some() { 9 } else { 0 };
            shown.extend(std::iter::repeat_n(at, again));
        }
        while shown.len() < PROOF_COUNT / ORIGINS.len() - 30 {
            shown.push(dice.below(receipts.len()));
        }
        for at in shown {
            let (town, receipt) = &receipts[at];
            let mut receipt = receipt.clone();
            // A head is no earlier than the subject's block itself.
            let own = receipt.proof.index() + 1;
            let heads = [own, own + 1, 13, 14, 15, 16, 17, 64, 100, 127, 128, 200, 255, 256, 257, 300];
            let size = *dice.of(&heads);
            let size = if size < own { own } else { size };
            let count = 1 + dice.below(3);
            let cosigners = Party::ALL.map(witness);
            at_head(town, origin, &mut receipt, size, &cosigners[..count]);
            let policy = policy_of(origin, 1 + dice.below(count)).to_string();
            cases.push(Case { file: receipt.encode(), policy, leaf: None, what: "a receipt" });
        }
        for _ in 0..30 {
            cases.push(leaf_alone(town, origin, dice));
        }
    }
    assert!(cases.len() >= PROOF_COUNT, "{} proofs", cases.len());
    cases
}

/// A proof of one leaf among others, by a policy of groups, with a line by a key that nobody asked for.
fn leaf_alone(town: &Town, origin: &str, dice: &mut Dice) -> Case {
    let mut log = town.log.clone();
    let leaf = *dice.of(&LEAVES);
    let index = log.append(leaf_hash(leaf.as_bytes())).unwrap();
    for later in 0..dice.below(4) {
        log.append(leaf_hash(&later.to_le_bytes())).unwrap();
    }
    let mut cosigners = Vec::from(Party::ALL.map(witness));
    cosigners.push(Cosigner::from_seed("stranger.example", &[99; 32]).unwrap());
    let note = note(origin, log.size(), log.root(), &cosigners);
    let extra = (dice.below(2) == 0).then(|| b"nobody signs this".to_vec());
    let path = log.prove_inclusion(index, log.size()).unwrap();
    let file = TlogProof::new(extra, index, path, note).unwrap().encode().into_bytes();
    let key = log_signer(origin, Party::Bank).verifier_key().to_string();
    let [grid, bank, supplier] = Party::ALL.map(|party| witness(party).verifier_key().to_string());
    let policy = format!(
        "# by hand\nlog {key}\n\nwitness grid {grid}\nwitness\tbank  {bank}\nwitness supplier {supplier}\n\
         group two any grid bank\ngroup all all two supplier\nquorum all\n"
    );
    Case { file, policy, leaf: Some(leaf.to_owned()), what: "a leaf alone" }
}

/// A proof with one thing done to it; `other` is another proof.
fn mutant(case: &Case, other: &Case, dice: &mut Dice) -> Case {
    let mut mutant = case.clone();
    let lines = lines_of(&case.file);
    let (one, two) = (dice.below(lines.len()), dice.below(lines.len()));
    let mut rebuilt = lines.clone();
    mutant.what = match dice.below(15) {
        0..3 => {
            let at = dice.below(case.file.len());
            mutant.file[at] ^= 1 << dice.below(8);
            "a flipped bit"
        }
        3 | 4 => {
            // The records and their paths take up nearly all of the file, so the proof is hit on purpose.
            let from = case.file.windows(22).position(|part| part == b"c2sp.org/tlog-proof@v1").unwrap();
            let at = from + dice.below(case.file.len() - from);
            mutant.file[at] ^= 1 << dice.below(8);
            "a flipped bit in the proof"
        }
        5 => {
            rebuilt.remove(one);
            "a dropped line"
        }
        6 => {
            rebuilt.swap(one, two);
            "two swapped lines"
        }
        7 => {
            rebuilt.insert(two, lines[one].clone());
            "a line twice"
        }
        8 => {
            let keyword = |line: &[u8]| line.split(|&byte| byte == b' ').next().unwrap().to_vec();
            let theirs = lines_of(&other.file);
            let like: Vec<&Vec<u8>> =
                theirs.iter().filter(|line| keyword(line) == keyword(&lines[one])).collect();
            if !like.is_empty() {
                rebuilt[one] = (*dice.of(&like)).clone();
            }
            "a line of another proof"
        }
        9 => {
            let own = case.file.windows(2).rposition(|part| part == b"\n\n").unwrap();
            let cut =
                |file: &[u8]| file.windows(22).position(|part| part == b"c2sp.org/tlog-proof@v1").unwrap();
            let at = if dice.below(2) == 0 { own } else { cut(&case.file) };
            let theirs = if at == own {
                other.file.windows(2).rposition(|part| part == b"\n\n").unwrap()
            } else {
                cut(&other.file)
            };
            mutant.file = [&case.file[..at], &other.file[theirs..]].concat();
            "signatures or proof of another head"
        }
        10 => {
            mutant.policy = match dice.below(4) {
                0 => other.policy.clone(),
                1 => policy_of(ORIGINS[dice.below(4)], 3).to_string(),
                2 => strangers(ORIGINS[0]),
                _ => {
                    let mut policy = case.policy.clone().into_bytes();
                    let at = dice.below(policy.len());
                    policy[at] ^= 1 << dice.below(7);
                    String::from_utf8_lossy(&policy).into_owned()
                }
            };
            "another policy"
        }
        11 => {
            mutant.file = respelled(&case.file, dice);
            "another spelling"
        }
        12 => {
            let long: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].len() > 100).collect();
            match &mut mutant.leaf {
                Some(leaf) => leaf.push('x'),
                None => flip_in_record(&mut rebuilt[*dice.of(&long)], dice),
            }
            "a flipped bit in a record"
        }
        13 => {
            let leaves: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with(b"leaf ")).collect();
            // No leaf beside the first or the last one tells that it is gone: the bill's own counts do.
            if let (Some(&first), Some(&last)) = (leaves.first(), leaves.last()) {
                let between = *dice.of(&leaves);
                rebuilt.remove(*dice.of(&[first, last, between]));
            }
            "a dropped day"
        }
        _ => {
            let at = dice.below(case.file.len());
            mutant.file.truncate(at);
            "the end cut off"
        }
    };
    if rebuilt != lines {
        mutant.file = rebuilt.concat();
    }
    mutant
}

/// Each with its newline.
fn lines_of(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// A policy of the same names, whose keys are others.
fn strangers(origin: &str) -> String {
    let logs = [7, 8].map(|seed| LogSigner::from_seed(origin, &[seed; 32]).unwrap().verifier_key().clone());
    let theirs =
        [("grid".to_owned(), Cosigner::from_seed("grid.example", &[9; 32]).unwrap().verifier_key().clone())];
    Policy::parties(&logs, &theirs, 1).unwrap().to_string()
}

/// The same words, written otherwise.
fn respelled(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut lines = lines_of(file);
    let at = dice.below(lines.len());
    let line = &mut lines[at];
    match dice.below(6) {
        0 => line.insert(line.len() - 1, b' '),
        1 => line.insert(line.len() - 1, b'\r'),
        2 => line.insert(0, b' '),
        3 => line.push(b'\n'),
        4 => {
            // The last character of base64 before its padding has bits that no byte takes.
            if let Some(padding) = line.iter().position(|&byte| byte == b'=') {
                line[padding - 1] = if line[padding - 1] == b'B' { b'C' } else { b'B' };
            }
        }
        _ => *line = line.iter().map(u8::to_ascii_uppercase).collect(),
    }
    lines.concat()
}

/// Flips a bit of what the first base64 of a line encodes, which stays canonical.
fn flip_in_record(line: &mut [u8], dice: &mut Dice) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let Some(start) = line.iter().position(|&byte| byte == b' ').map(|at| at + 1) else { return };
    let end =
        line[start..].iter().position(|byte| b" =\n".contains(byte)).map_or(line.len(), |at| start + at);
    // The character before the padding is left alone: it may hold bits of no byte.
    if end <= start + 8 {
        return;
    }
    let at = start + dice.below(end - start - 1);
    if let Some(value) = ALPHABET.iter().position(|&letter| letter == line[at]) {
        line[at] = ALPHABET[value ^ (1 << dice.below(6))];
    }
}

/// Writes the cases below a folder and has the Python verifier check them, in one process; its codes and verdicts.
fn by_python(cases: &[Case]) -> Vec<(u8, String)> {
    let folder = TempDir::new().unwrap();
    let mut written: BTreeMap<&[u8], PathBuf> = BTreeMap::new();
    let mut list = String::new();
    for case in cases {
        let parts =
            [Some(&case.file[..]), Some(case.policy.as_bytes()), case.leaf.as_ref().map(String::as_bytes)];
        let mut names: Vec<String> = Vec::new();
        for content in parts.into_iter().flatten() {
            let count = written.len();
            let path = written.entry(content).or_insert_with(|| {
                let path = folder.path().join(count.to_string());
                fs::write(&path, content).unwrap();
                path
            });
            names.push(path.display().to_string());
        }
        list.push_str(&format!("{}\n", names.join("\t")));
    }
    let list_name = folder.path().join("list");
    fs::write(&list_name, list).unwrap();
    let output = python(&["--list", &list_name.display().to_string()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let verdicts = text.lines().map(|line| {
        let (code, verdict) = line.split_once(' ').unwrap();
        (code.parse().unwrap(), verdict.to_owned())
    });
    verdicts.collect()
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python")
}

fn python(words: &[&str]) -> Output {
    let mut command = Command::new("python3");
    command.arg("-B").arg(script().join("tallywatt_verify.py")).args(words);
    command.output().unwrap_or_else(|error| {
        panic!("cannot run python3: {error}; install Python 3.10 or newer and OpenSSL 3: this test is nothing without them")
    })
}

fn agree(cases: &[Case]) -> BTreeMap<(&'static str, u8), usize> {
    let begun = Instant::now();
    let theirs = by_python(cases);
    println!("{} cases by Python in {:.1?}", cases.len(), begun.elapsed());
    assert_eq!(theirs.len(), cases.len());
    let mut counts = BTreeMap::new();
    for (at, (case, (code, verdict))) in cases.iter().zip(theirs).enumerate() {
        let own = case.code();
        if own != code {
            let report = Policy::parse(&case.policy).map(|policy| verify(&case.file, &policy).to_string());
            panic!(
                "seed {SEED}, case {at}, {}: Python says {code}, {verdict}; here {own}: {report:?}",
                case.what
            );
        }
        *counts.entry((case.what, own)).or_default() += 1;
    }
    println!("{counts:#?}");
    counts
}

#[test]
fn both_verifiers_agree_on_a_thousand_proofs_and_a_thousand_mutants() {
    let mut dice = Dice(SEED);
    let proofs = proofs(&mut dice);
    let counts = agree(&proofs);
    let broken = proofs
        .iter()
        .find(|proof| proof.code() != 0)
        .map(|proof| Policy::parse(&proof.policy).map(|policy| verify(&proof.file, &policy).to_string()));
    assert_eq!(broken, None, "a proof that does not hold: {counts:?}");
    let bills: Vec<&Case> =
        proofs.iter().filter(|case| case.file.windows(13).any(|part| part == b"subject bill ")).collect();
    let mut mutants = Vec::new();
    while mutants.len() < MUTANT_COUNT {
        // Days are many, and what can be wrong in a bill is more.
        let (case, other) =
            (if dice.below(2) == 0 { dice.of(&proofs) } else { *dice.of(&bills) }, dice.of(&proofs));
        let mutant = mutant(case, other, &mut dice);
        let is_same = (&mutant.file, &mutant.policy, &mutant.leaf) == (&case.file, &case.policy, &case.leaf);
        if !is_same {
            mutants.push(mutant);
        }
    }
    let counts = agree(&mutants);
    let valid: usize = counts.iter().filter(|((_, code), _)| *code == 0).map(|(_, count)| count).sum();
    // One cosignature less than there are may still be enough, and a policy may know both.
    assert!(valid * 10 < MUTANT_COUNT, "{valid} of {MUTANT_COUNT} mutants are as valid as before");
}

/// What all three parties sealed and is wrong: the one lie that asks for the amount to be computed again. Python says that it did not.
#[test]
fn only_the_amount_computed_again_shows_what_all_parties_sealed_wrongly() {
    fn one_kopeck_less(bill: &mut Bill) {
        let less = |money: Money| money.checked_sub(Money::from_minor(1)).unwrap();
        bill.lines[0].amount = less(bill.lines[0].amount);
        bill.vat[0].base = less(bill.vat[0].base);
        bill.total = less(bill.total);
    }
    let town = Town::planned(Plan { edit_bill: one_kopeck_less, ..Plan::default() });
    let policy = policy_of(ORIGINS[0], 3);
    let file = town.bill_receipt("A-000017").encode();
    let report = verify(&file, &policy);
    assert_eq!(report.stopped_by().map(|check| check.name), Some("amount"), "{report}");
    let folder = TempDir::new().unwrap();
    let (receipt, policy_path) = (folder.path().join("receipt"), folder.path().join("policy"));
    fs::write(&receipt, file).unwrap();
    fs::write(&policy_path, policy.to_string()).unwrap();
    let output = python(&[&receipt.display().to_string(), "--policy", &policy_path.display().to_string()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told = " not checked        that the lines follow from the readings, the tariff and the agreement: ";
    assert!(text.contains(told), "{text}");
    assert!(text.ends_with("\nVALID    bill 2026-03 A-000017\n"), "{text}");
}

/// Bills that the bank attests in the supplier's place, which it has no readings for: two signatures, and not those asked for.
#[test]
fn both_refuse_bills_that_the_bank_attests() {
    fn bank_for_supplier(block: &mut Block) {
        if matches!(block.proposal.command, ChainCommand::Bills(_)) {
            let text = block.proposal.attest_text();
            let sign = |party: Party| {
                let signature = town::exec(party).sign(&text).unwrap().signature().try_into().unwrap();
                Attestation { party, signature }
            };
            block.attestations = [Party::Grid, Party::Bank].map(sign).to_vec();
        }
    }
    let town = Town::planned(Plan { edit_block: bank_for_supplier, ..Plan::default() });
    let policy = policy_of(ORIGINS[0], 3);
    let file = town.bill_receipt("A-000017").encode();
    let report = verify(&file, &policy);
    assert_eq!(report.stopped_by().map(|check| check.name), Some("chain"), "{report}");
    let folder = TempDir::new().unwrap();
    let (receipt, policy_path) = (folder.path().join("receipt"), folder.path().join("policy"));
    fs::write(&receipt, file).unwrap();
    fs::write(&policy_path, policy.to_string()).unwrap();
    let output = python(&[&receipt.display().to_string(), "--policy", &policy_path.display().to_string()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("is attested by who does not recompute its kind"), "{text}");
}

/// What it says of one receipt, and its exit codes.
#[test]
fn it_prints_a_line_a_check() {
    let town = Town::new();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let receipt = town.day_receipt("EKB-000017", "2026-03-14");
    assert!(matches!(receipt.subject, Subject::Day { .. }));
    fs::write(path("policy"), policy_of(ORIGINS[0], 3).to_string()).unwrap();
    fs::write(path("day"), receipt.encode()).unwrap();
    fs::write(path("newer"), "tallywatt-receipt/v2\n").unwrap();
    fs::write(path("cut"), &receipt.encode()[..200]).unwrap();
    let table = [
        (
            vec![path("day"), "--policy".to_owned(), path("policy")],
            0,
            "VALID    day 2026-03-14 1-0:1.8.0 EKB-000017",
        ),
        (vec![path("cut"), "--policy".to_owned(), path("policy")], 1, "INVALID  file: no receipt"),
        (
            vec![path("newer"), "--policy".to_owned(), path("policy")],
            2,
            "UNCHECKED file: a receipt of version 2, this reads version 1",
        ),
        (vec![path("day"), "--policy".to_owned(), path("day")], 2, "UNCHECKED file:"),
        (vec![path("none"), "--policy".to_owned(), path("policy")], 2, "UNCHECKED file:"),
        (vec![path("day")], 2, ""),
    ];
    for (words, code, last) in table {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = python(&words);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.lines().last().unwrap_or_default().starts_with(last), "{words:?}: {text}");
        if code == 0 {
            let passed = text.lines().filter(|line| line.starts_with(" pass  ")).count();
            assert_eq!(passed, 5, "file, signatures, inclusion, chain, readings: {text}");
        }
    }
}

/// Plain Python: the standard library, its own four files, and nothing that reaches a network.
#[test]
fn it_imports_the_standard_library_alone() {
    const ALLOWED: &[&str] = &[
        "argparse",
        "base64",
        "blake3",
        "c2sp",
        "datetime",
        "functools",
        "hashlib",
        "pathlib",
        "re",
        "records",
        "struct",
        "subprocess",
        "sys",
        "tempfile",
        "typing",
    ];
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(script()).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().map(str::trim_start) {
            let modules = match (line.strip_prefix("import "), line.strip_prefix("from ")) {
                (Some(list), _) => list.to_owned(),
                (None, Some(rest)) => rest.split(' ').next().unwrap().to_owned(),
                (None, None) => continue,
            };
            if line.starts_with("from ") && !line.contains(" import ") {
                continue;
            }
            for module in modules.split(", ") {
                assert!(ALLOWED.contains(&module), "{}: {line}", path.display());
            }
        }
        assert!(
            !text.contains("__import__") && !text.contains("eval(") && !text.contains("exec("),
            "{}",
            path.display()
        );
        assert!(text.lines().count() < 450, "{} can be read in one sitting", path.display());
    }
    names.sort();
    assert_eq!(names, ["blake3.py", "c2sp.py", "records.py", "tallywatt_verify.py"]);
}
