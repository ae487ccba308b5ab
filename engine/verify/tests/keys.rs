//! A receipt of a ledger whose keys changed proves itself from the genesis on: the motions are in it, and checked again. The
//! verifier in Python says the same.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod town;

use std::path::Path;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::governance::{Governance, Motion};
use tallywatt_ledger::key::Cosigner;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::receipt::Receipt;
use tallywatt_verify::verify;
use town::{ORIGIN, Own, Plan, Town, log_signer, witness};

/// A block more, so that the head is behind what the last motion changed.
fn seal(town: &mut Town) {
    let commands = town.blocks.iter().map(|(block, _)| &block.proposal.command);
    let contracts = commands.rev().find(|command| matches!(command, Command::Contracts(_))).cloned();
    town.commit(contracts.unwrap());
}

/// The supplier's keys change in front of the bills, the bank's behind them; both before the head.
fn rotated(plan: Plan) -> Town {
    let mut town = Town::planned(Plan { rotates: Some(Party::Supplier), ..plan });
    let from = town.height() + 1;
    town.rotate(Party::Bank, from);
    seal(&mut town);
    town
}

fn bill(town: &Town) -> Receipt {
    town.bill_receipt("A-000017")
}

/// The keys of generations of grid, bank and supplier, three of three.
fn policy(generations: [u8; 3]) -> Policy {
    let own = Party::ALL.into_iter().zip(generations).map(|(party, of)| (party, Own::of(ORIGIN, party, of)));
    let own: Vec<(Party, Own)> = own.collect();
    let logs: Vec<_> = own.iter().map(|(_, own)| own.log.verifier_key().clone()).collect();
    let witnesses: Vec<_> = own
        .iter()
        .map(|(party, own)| (party.name().to_owned(), own.witness.verifier_key().clone()))
        .collect();
    Policy::parties(&logs, &witnesses, 3).unwrap()
}

fn of_old_keys(town: &Town) -> Receipt {
    let mut receipt = bill(town);
    let at = usize::try_from(receipt.proof.index()).unwrap();
    let text = town.checkpoint_text();
    let old = Party::ALL.map(witness);
    let mut lines = vec![log_signer(ORIGIN, Party::Grid).sign(&text).unwrap()];
    lines.extend(old.iter().map(|key| key.sign_cosignature(&text, 1_775_000_100).unwrap()));
    let note = tallywatt_ledger::note::Note::new(&text, lines).unwrap();
    let path = town.proof(at, &old).path().to_vec();
    receipt.proof =
        tallywatt_ledger::tlog_proof::TlogProof::new(None, receipt.proof.index(), path, note).unwrap();
    receipt
}

fn without(town: &Town, at: usize) -> Receipt {
    let mut receipt = bill(town);
    receipt.motions.remove(at);
    receipt
}

fn forge_bank(governance: &mut Governance) {
    governance.consents[1] = governance.consents[0];
}

fn at_once(governance: &mut Governance) {
    governance.from -= 1;
}

fn regulator() -> String {
    Cosigner::from_seed("regulator.example/witness", &[99; 32]).unwrap().verifier_key().to_string()
}

#[test]
fn from_the_genesis_by_its_motions_to_the_keys_of_the_head() {
    let plain = rotated(Plan::default());
    let mut with_witness = rotated(Plan::default());
    with_witness.govern(Motion::Witness(Some(regulator())), with_witness.height() + 1);
    seal(&mut with_witness);
    let mut pending = Town::new();
    pending.rotate(Party::Bank, pending.height() + 9);
    let now = policy([0, 1, 1]);
    let mut twice = bill(&plain);
    twice.motions.push(twice.motions[1].clone());
    let mut swapped = bill(&plain);
    swapped.motions.swap(0, 1);
    let mut other = bill(&plain);
    other.motions[0] = other.blocks[1].clone();
    let mut bent = bill(&plain);
    bent.motions[0].logged.record[200] ^= 1;
    let mut as_publication = bill(&plain);
    as_publication.blocks.push(plain.motions().remove(0));
    let forged = rotated(Plan { edit_motion: forge_bank, ..Plan::default() });
    let early = rotated(Plan { edit_motion: at_once, ..Plan::default() });
    let stubborn = rotated(Plan { is_stubborn: true, ..Plan::default() });
    let table: [(Receipt, Policy, &str); 17] = [
        (bill(&plain), now.clone(), "VALID    bill A-000017, 2026-03"),
        (bill(&plain), now.clone(), "keys as 2 motions of all parties left them"),
        (plain.day_receipt("EKB-000017", "2026-03-14"), now.clone(), "VALID    "),
        (bill(&with_witness), now.clone(), "keys as 3 motions of all parties left them"),
        // Its motion is to come: the head is signed by the first keys.
        (bill(&pending), policy([0, 0, 0]), "keys as 1 motions of all parties left them"),
        // The policy of another time.
        (bill(&plain), policy([0, 0, 0]), "INVALID  signatures: the policy does not know the key"),
        (bill(&Town::new()), now.clone(), "INVALID  signatures: the policy does not know the key"),
        // Replaced keys sign a later head, for a policy that still knows them.
        (
            of_old_keys(&plain),
            policy([0, 0, 0]),
            "INVALID  chain: the policy's log key tallywatt.example/region-66+",
        ),
        // Left out, doubled, out of order, something else.
        (without(&plain, 0), now.clone(), "INVALID  chain: block 11: motion 2 is not the next, which is 1"),
        (
            without(&plain, 1),
            now.clone(),
            "INVALID  chain: neither genesis nor motions name the policy's log key",
        ),
        (twice, now.clone(), "INVALID  inclusion: block 11 stands after block 11"),
        (swapped, now.clone(), "INVALID  inclusion: block 5 stands after block 11"),
        (other, now.clone(), "INVALID  chain: block 1 is a publish, expected a motion"),
        (bent, now.clone(), "INVALID  "),
        (as_publication, now.clone(), "INVALID  chain: block 5 is a motion, expected a publication"),
        // What all three attested, and not all three consented to.
        (
            bill(&forged),
            now.clone(),
            "INVALID  chain: block 5: the signature of bank is not its own under motion 1",
        ),
        (
            bill(&early),
            now.clone(),
            "INVALID  chain: block 5: a motion after block 5 cannot take effect from block 5",
        ),
    ];
    let place = tempfile::tempdir().unwrap();
    let (mut list, mut ours) = (String::new(), Vec::new());
    let mut check = |receipt: &Receipt, policy: &Policy, want: &str| {
        let (report, at) = (verify(&receipt.encode(), policy), ours.len());
        assert!(report.to_string().contains(want), "{at}: {report}\nexpected {want}");
        assert_eq!(report.exit_code(), u8::from(want.starts_with("INVALID")), "{at}");
        ours.push(report.exit_code().to_string());
        std::fs::write(place.path().join(format!("{at}.receipt")), receipt.encode()).unwrap();
        std::fs::write(place.path().join(format!("{at}.policy")), policy.to_string()).unwrap();
        list += &format!("{at}.receipt\t{at}.policy\n");
    };
    for (receipt, policy, want) in &table {
        check(receipt, policy, want);
    }
    // Blocks after the change that are attested by the key before it.
    check(&bill(&stubborn), &policy([0, 0, 0]), "INVALID  chain: ");
    std::fs::write(place.path().join("list"), list).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/tallywatt_verify.py");
    let ran = std::process::Command::new("python3")
        .arg(script)
        .args(["--list", "list"])
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    let theirs: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(theirs, ours, "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}

/// A block that is sealed after the change and attested by the retired key, under a head that the keys in force sign.
#[test]
fn a_retired_key_attests_nothing() {
    let town = Town::planned(Plan { rotates: Some(Party::Supplier), ..Plan::default() });
    let stubborn =
        Town::planned(Plan { rotates: Some(Party::Supplier), is_stubborn: true, ..Plan::default() });
    let mut receipt = bill(&stubborn);
    receipt.proof = {
        let text = stubborn.checkpoint_text();
        let own = |party| town.own(party, town.height() - 1);
        let mut lines = vec![own(Party::Grid).log.sign(&text).unwrap()];
        lines.extend(
            Party::ALL.map(|party| own(party).witness.sign_cosignature(&text, 1_775_000_100).unwrap()),
        );
        let note = tallywatt_ledger::note::Note::new(&text, lines).unwrap();
        tallywatt_ledger::tlog_proof::TlogProof::new(
            None,
            receipt.proof.index(),
            receipt.proof.path().to_vec(),
            note,
        )
        .unwrap()
    };
    let report = verify(&receipt.encode(), &town.policy()).to_string();
    assert!(report.contains("INVALID  chain: block 9: attestation of supplier"), "{report}");
}
