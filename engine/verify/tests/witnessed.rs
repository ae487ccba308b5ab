//! A receipt whose head two parties and a witness signed holds by a policy that names the witness, if the genesis names it too.
//! The verifier in Python says the same.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod town;

use std::path::Path;
use std::process::Command;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::command::Genesis;
use tallywatt_ledger::key::Cosigner;
use tallywatt_ledger::policy::Policy;
use tallywatt_verify::verify;
use town::{BILLS_HEIGHT, ORIGIN, Plan, Town, log_signer, witness};

fn regulator(seed: u8) -> Cosigner {
    Cosigner::from_seed("regulator.example/witness", &[seed; 32]).unwrap()
}

fn name_witness(genesis: &mut Genesis) {
    genesis.witness = Some(regulator(99).verifier_key().to_string());
}

fn name_another(genesis: &mut Genesis) {
    genesis.witness = Some(regulator(98).verifier_key().to_string());
}

/// Three of parties and witness.
fn policy() -> Policy {
    let logs = Party::ALL.map(|party| log_signer(ORIGIN, party).verifier_key().clone());
    let parties = Party::ALL.map(|party| (party.name().to_owned(), witness(party).verifier_key().clone()));
    let fourth = ("regulator".to_owned(), regulator(99).verifier_key().clone());
    let signers: Vec<_> = parties.into_iter().chain([fourth]).collect();
    Policy::group("history", &logs, &signers, 3).unwrap()
}

#[test]
fn a_receipt_signed_by_two_parties_and_the_witness() {
    use Party::{Bank, Grid, Supplier};
    let named = || Town::planned(Plan { edit_genesis: name_witness, ..Plan::default() });
    let unnamed = Town::new;
    let other = || Town::planned(Plan { edit_genesis: name_another, ..Plan::default() });
    let table: [(Town, &[Party], Option<u8>, &str); 9] = [
        (named(), &[Grid, Supplier], Some(99), "cosigned by grid, supplier, regulator"),
        (named(), &[Bank, Supplier], Some(99), "cosigned by bank, supplier, regulator"),
        (named(), &[Grid, Bank, Supplier], None, "cosigned by grid, bank, supplier"),
        (named(), &[Grid, Bank, Supplier], Some(99), "cosigned by grid, bank, supplier, regulator"),
        (named(), &[Grid, Supplier], None, "INVALID  signatures: the policy's quorum is not met"),
        (named(), &[Grid], Some(99), "INVALID  signatures: the policy's quorum is not met"),
        (named(), &[Grid, Bank], Some(98), "INVALID  signatures: the policy does not know the key"),
        (
            unnamed(),
            &[Grid, Supplier],
            Some(99),
            "INVALID  chain: the genesis does not name the policy's cosigner key",
        ),
        (
            other(),
            &[Grid, Supplier],
            Some(99),
            "INVALID  chain: the genesis does not name the policy's cosigner key",
        ),
    ];
    let place = tempfile::tempdir().unwrap();
    let policy = policy();
    std::fs::write(place.path().join("policy"), policy.to_string()).unwrap();
    let (mut list, mut ours) = (String::new(), Vec::new());
    for (at, (town, parties, seed, want)) in table.into_iter().enumerate() {
        let cosigners = parties.iter().map(|party| witness(*party)).chain(seed.map(regulator));
        let mut receipt = town.bill_receipt("A-000017");
        receipt.proof = town.proof(BILLS_HEIGHT, &cosigners.collect::<Vec<_>>());
        let report = verify(&receipt.encode(), &policy);
        assert!(report.to_string().contains(want), "{at}: {report}");
        assert_eq!(report.exit_code(), u8::from(want.starts_with("INVALID")), "{at}");
        ours.push(report.exit_code().to_string());
        let name = format!("{at}.receipt");
        std::fs::write(place.path().join(&name), receipt.encode()).unwrap();
        list += &format!("{name}\tpolicy\n");
    }
    std::fs::write(place.path().join("list"), list).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/tallywatt_verify.py");
    let ran = Command::new("python3")
        .arg(script)
        .args(["--list", "list"])
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    let theirs: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(theirs, ours, "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}
