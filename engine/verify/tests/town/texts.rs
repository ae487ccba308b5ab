//! What holds of any bytes that are read as a text or record from outside: no panic, one spelling, and no verdict but a deserved one.

#[path = "messages.rs"]
mod messages;

use std::sync::OnceLock;

use tallywatt_consensus::message::{Reply, Request};
use tallywatt_core::access::{AccessList, AccessParts, Grant, Role};
use tallywatt_core::agreement::Party;
use tallywatt_core::validity::Validity;
use tallywatt_ledger::access_bytes::{decode_access_list, encode_access_list};
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, OtherResult, dissent_text};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::double_signature::DoubleSignature;
use tallywatt_ledger::governance::{motion_text, parse_motion_text};
use tallywatt_ledger::key::{Cosigner, LogSigner};
use tallywatt_ledger::log::leaf_hash;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::receipt::Receipt;
use tallywatt_ledger::request::{self, Asked, end_of_note};
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_ledger::witness::{AddCheckpoint, WatchedLog, Witness};
use tallywatt_ledger::wrong_result::{Dispute, Judgement, WRONG_RESULT_MARK, WrongResult};
use tallywatt_verify::report::Verdict;
use tallywatt_verify::verify;

use super::town::{ORIGIN, Plan, Town, exec, policy, witness};

/// Each has a file of its name in `fuzz_targets`. A command is what the parties announce, a block and its leaf what they agree
/// on, requests and replies are what their nodes send each other, a witness is asked to add a checkpoint, a desk for what an
/// access list grants, and evidence is of a key that signed two histories, or of a result that two parties contradict.
pub const TARGETS: [&str; 14] = [
    "access-list",
    "add-checkpoint",
    "block",
    "checkpoint",
    "command",
    "desk-request",
    "evidence",
    "log-leaf",
    "note",
    "policy",
    "receipt",
    "reply",
    "request",
    "tlog-proof",
];

/// Size of the head that the witness cosigned before.
const OLD_SIZE: u64 = 6;

struct Known {
    policy: Policy,
    note: Note,
    /// Receipts that hold, and the bytes of a leaf that the log has.
    receipts: Vec<Vec<u8>>,
    leaf: Vec<u8>,
    /// One that has cosigned an earlier head.
    witness: Witness,
    /// Two heads that the bank has signed.
    two_heads: [Checkpoint; 2],
    /// A dispute that the supplier loses.
    dispute: Dispute,
    sound: Vec<(&'static str, &'static str, Vec<u8>)>,
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        // The genesis names the time-zone database, which is not ours to hold still.
        let town = Town::planned(Plan { tzdb: "2026a".to_owned(), ..Plan::default() });
        let policy = policy(3);
        let proof = town.proof(6, &Party::ALL.map(witness));
        let receipts = vec![
            town.day_receipt("EKB-000017", "2026-03-14").encode(),
            town.day_receipt("EKB-000030", "2026-03-27").encode(),
        ];
        let Command::Genesis(genesis) = &town.blocks[0].0.proposal.command else {
            unreachable!("it is first")
        };
        let head =
            |size: u64| Checkpoint::new(&genesis.origin, size, town.log.root_at(size).unwrap()).unwrap();
        let mut asked = Witness::new(Cosigner::from_seed("regulator.example", &[99; 32]).unwrap());
        asked.watch(WatchedLog::of_genesis(genesis, &[]).unwrap(), Some(head(OLD_SIZE))).unwrap();
        let path = town.log.prove_consistency(OLD_SIZE, town.log.size()).unwrap();
        // The bank signs the head that the others sign, and another of its size.
        let bank = witness(Party::Bank);
        let other =
            Checkpoint::new(&genesis.origin, town.log.size(), leaf_hash(b"another")).unwrap().to_text();
        let line = bank.sign_cosignature(&other, 1_795_000_000).unwrap();
        let other = Note::new(&other, vec![line]).unwrap();
        let evidence = DoubleSignature::new(proof.note().clone(), other).unwrap();
        let two_heads = evidence.heads().clone();
        let wrong = wrong_result(&town);
        let dispute = wrong.dispute().clone();
        let request = AddCheckpoint { old_size: OLD_SIZE, proof: path, note: proof.note().clone() };
        let (access_list, asked_note) = granted();
        let mut sound = vec![
            ("access-list", "supplier", encode_access_list(&access_list)),
            ("desk-request", "receipt", asked_note.into_bytes()),
            ("add-checkpoint", "follows", request.encode().into_bytes()),
            ("evidence", "bank", evidence.encode().into_bytes()),
            ("evidence", "wrong-result", wrong.encode().into_bytes()),
            ("checkpoint", "head", proof.note().text().as_bytes().to_vec()),
            ("note", "head", proof.note().encode().into_bytes()),
            ("policy", "parties", policy.to_string().into_bytes()),
            ("tlog-proof", "batch", proof.encode().into_bytes()),
            ("receipt", "day", receipts[0].clone()),
        ];
        const NAMES: [&str; 9] = [
            "genesis",
            "tariff",
            "newer",
            "agreement",
            "activation",
            "contracts",
            "batch",
            "period",
            "bills",
        ];
        for ((block, leaf), name) in town.blocks.iter().zip(NAMES) {
            sound.push(("block", name, block.encode()));
            sound.push(("command", name, block.proposal.command.encode()));
            if name == "genesis" || name == "batch" {
                sound.push(("log-leaf", name, leaf.encode()));
            }
        }
        for (name, request) in messages::requests(&town) {
            sound.push(("request", name, request.encode()));
        }
        for (name, reply) in messages::replies(&town) {
            sound.push(("reply", name, reply.encode()));
        }
        let rotated = Town::planned(Plan {
            tzdb: "2026a".to_owned(),
            rotates: Some(Party::Supplier),
            ..Plan::default()
        });
        let (motion, _) = &rotated.blocks[rotated.motion_heights[0]];
        sound.push(("block", "motion", motion.encode()));
        sound.push(("command", "motion", motion.proposal.command.encode()));
        sound.push(("note", "motion", rotated.motion_note().encode().into_bytes()));
        let leaf = town.blocks[6].1.encode();
        Known {
            policy,
            note: proof.note().clone(),
            receipts,
            leaf,
            witness: asked,
            two_heads,
            dispute,
            sound,
        }
    })
}

/// The supplier announces the town's second tariff under another hash; the others sign what they find.
fn wrong_result(town: &Town) -> WrongResult {
    let block = &town.blocks[2].0;
    let mut proposal = block.proposal.clone();
    let Command::Publish(publication) = &mut proposal.command else { unreachable!("it is a tariff") };
    let found = publication.hash;
    publication.hash.0[0] ^= 1;
    proposal.proposer = Party::Supplier;
    let signed = |party: Party, text: &str| exec(party).sign(text).unwrap().signature().try_into().unwrap();
    let party = proposal.proposer;
    let own = Attestation { party, signature: signed(party, &proposal.attest_text()) };
    let dissent = |party| {
        let (input, command) = (Some(found), block.proposal.command.clone());
        let signature = signed(party, &dissent_text(&proposal.id(), input, &command));
        (party, OtherResult { input, command, signature })
    };
    let others = vec![dissent(Party::Grid), dissent(Party::Bank)];
    let dispute = Dispute::new(proposal.clone(), vec![own], others).unwrap();
    let (first, leaf) = town.blocks[0].clone();
    WrongResult::new(first, leaf, dispute, town.proof(0, &Party::ALL.map(witness)))
}

/// A consumer's grant, and what it signs.
fn granted() -> (AccessList, String) {
    let anna = LogSigner::from_seed("anna.example", &[98; 32]).unwrap();
    let (key, account) = (*anna.verifier_key().public_key(), "A-000017".parse().unwrap());
    let from = "2026-01-01".parse().unwrap();
    let validity = Validity::new(from, None).unwrap();
    let holder = "anna.example".parse().unwrap();
    let grants = vec![Grant { holder, role: Role::Consumer, key, validity, scope: vec![account] }];
    let list = AccessList::new(AccessParts { party: Party::Supplier, number: 1, from, grants }).unwrap();
    let request = request::Request {
        origin: "tallywatt.example/town".to_owned(),
        holder,
        asked: Asked::Receipt { account, period: "2026-03".parse().unwrap() },
        time_unix_s: 1_795_000_000,
        body: content_hash(b""),
    };
    let text = request.text();
    let note = Note::new(&text, vec![anna.sign(&text).unwrap()]).unwrap();
    (list, note.encode())
}

/// The sound files: target, name, bytes.
pub fn seeds() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
    known().sound.iter().cloned()
}

/// Reads `bytes` as what `target` names.
///
/// # Panics
/// If a reader does, if what it takes is written otherwise, or if something is believed that nobody signed.
pub fn check(target: &str, bytes: &[u8]) {
    let known = known();
    let text = std::str::from_utf8(bytes).ok();
    match target {
        "access-list" => same(decode_access_list(bytes).ok().map(|list| encode_access_list(&list)), bytes),
        "add-checkpoint" => {
            let request = text.and_then(|text| AddCheckpoint::parse(text).ok());
            if let Some(request) = &request
                && known.witness.check(request).is_ok()
            {
                assert_eq!(request.note.text(), known.note.text(), "nobody signed this head");
            }
            same(request.map(|request| request.encode().into_bytes()), bytes);
        }
        "block" => same(Block::decode(bytes).ok().map(|block| block.encode()), bytes),
        "command" => same(
            Command::decode(bytes).ok().map(|command| {
                assert!(!command.figures().is_empty() && command.difference(&command).is_empty());
                command.encode()
            }),
            bytes,
        ),
        "evidence" if bytes.starts_with(WRONG_RESULT_MARK.as_bytes()) => {
            let evidence = WrongResult::parse(bytes).ok();
            if let Some(shown) = evidence.as_ref().and_then(|evidence| evidence.check(&known.policy).ok()) {
                assert_eq!(shown.dispute, &known.dispute, "nobody signed anything else");
                assert_eq!(shown.judgement, Judgement::Contradicted(Party::Supplier));
            }
            same(evidence.map(|evidence| evidence.encode().into_bytes()), bytes);
        }
        "evidence" => {
            let evidence = DoubleSignature::parse(bytes).ok();
            if let Some((heads, signers)) = evidence
                .as_ref()
                .and_then(|evidence| Some((evidence.heads(), evidence.signers(&known.policy).ok()?)))
            {
                let names: Vec<&str> = signers.iter().map(|signer| signer.name.as_str()).collect();
                assert_eq!(
                    (heads, &names[..]),
                    (&known.two_heads, &["bank"][..]),
                    "nobody else signed two heads"
                );
            }
            same(evidence.map(|evidence| evidence.encode().into_bytes()), bytes);
        }
        "request" => same(Request::decode(bytes).ok().map(|request| request.encode()), bytes),
        "reply" => same(Reply::decode(bytes).ok().map(|reply| reply.encode()), bytes),
        "log-leaf" => same(LogLeaf::decode(bytes).ok().map(|leaf| leaf.encode()), bytes),
        "checkpoint" => {
            let head = text.and_then(|text| Checkpoint::parse(text).ok());
            same(head.map(|head| head.to_text().into_bytes()), bytes);
        }
        "note" => {
            let note = text.and_then(|text| Note::parse(text).ok());
            let accepted = note.as_ref().and_then(|note| known.policy.evaluate(note).ok());
            if accepted.is_some_and(|verdict| verdict.accepted().is_some()) {
                assert_eq!(note.as_ref().map(Note::text), Some(known.note.text()), "nobody signed this head");
            }
            let text = note.as_ref().map_or("", Note::text);
            if let Ok((number, motion, from)) = parse_motion_text(ORIGIN, text) {
                assert_eq!(motion_text(ORIGIN, number, &motion, from), text, "a second spelling of a motion");
            }
            same(note.map(|note| note.encode().into_bytes()), bytes);
        }
        "policy" => {
            if let Some(policy) = text.and_then(|text| Policy::parse(text).ok()) {
                assert_eq!(Policy::parse(&policy.to_string()), Ok(policy.clone()));
                // Whatever it says of the note, it says it.
                let _ = policy.evaluate(&known.note);
            }
        }
        "desk-request" => {
            let (_, good) = granted();
            let note = text.and_then(|text| Note::parse(text).ok());
            let request =
                note.as_ref().and_then(|note| Some((request::Request::parse(note.text()).ok()?, note)));
            if let Some((request, note)) = request {
                let anna = LogSigner::from_seed("anna.example", &[98; 32]).unwrap();
                let holds = |line| anna.verifier_key().verify_signature(note.text(), line).is_ok();
                let is_hers = note.signatures().iter().any(holds);
                let text = Note::parse(&good).unwrap().text().to_owned();
                assert!(!is_hers || note.text() == text, "she asked for nothing else");
                same(Some(request.text().into_bytes()), note.text().as_bytes());
            }
            if let Some(end) = end_of_note(bytes) {
                assert!(bytes[..=end].ends_with(b"\n\n"), "an empty line is where it is said to be");
            }
        }
        "tlog-proof" => {
            let proof = text.and_then(|text| TlogProof::parse(text).ok());
            if let Some(proof) = &proof
                && proof.verify(leaf_hash(&known.leaf), &known.policy).is_ok()
            {
                assert_eq!(
                    (proof.index(), proof.note().text()),
                    (6, known.note.text()),
                    "nobody signed this head"
                );
            }
            same(proof.map(|proof| proof.encode().into_bytes()), bytes);
        }
        "receipt" => {
            same(Receipt::parse(bytes).ok().map(|receipt| receipt.encode()), bytes);
            let report = verify(bytes, &known.policy);
            assert!(
                !report.to_json().is_empty() && report.proven.is_some() == (report.verdict == Verdict::Valid)
            );
            let is_ours = known.receipts.iter().any(|receipt| receipt == bytes);
            assert_eq!(report.verdict == Verdict::Valid, is_ours, "nobody signed this receipt");
        }
        other => panic!("there is no target {other}"),
    }
}

/// What is taken has one spelling.
fn same(written: Option<Vec<u8>>, read: &[u8]) {
    if let Some(written) = written {
        assert_eq!(written, read, "a second spelling");
    }
}
