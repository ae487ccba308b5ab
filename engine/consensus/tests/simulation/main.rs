//! Deterministic simulation of three members: loss, delay, duplication, partitions, crashes with torn writes, folders put
//! back from old copies, clocks that are wrong, and one liar. One seed, one trace; the invariants are checked at every step.
//!
//! ```text
//!   plan(seed) ─▶ world: virtual time, a queue of deliveries and disk operations ─▶ monitor: I1 … I11 after each event
//! ```
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod liar;
mod monitor;
mod random;
mod truth;
mod witness;
mod world;

use tallywatt_consensus::machine::Fault;
use tallywatt_core::agreement::Party;
use witness::WitnessPlan;
use world::{Plan, Run, simulate};

/// How many seeds a run of the tests takes, honest, and as many with a liar.
const SEED_COUNT: u64 = 250;
/// How many with a witness, whose signatures cost their time.
const WITNESS_SEED_COUNT: u64 = 100;
/// How many with a liar that signs what it says.
const CONVICTION_SEED_COUNT: u64 = 60;

/// How many in which the keys of a party change.
const ROTATED_SEED_COUNT: u64 = 60;

fn check(seed: u64, plan: &Plan) -> Run {
    let run = simulate(seed, plan);
    assert!(run.breaches.is_empty(), "seed {seed}: {:#?}", run.breaches);
    run
}

#[test]
fn honest_parties_on_a_bad_network_agree_and_seal() {
    let mut sealed = 0;
    for seed in 0..SEED_COUNT {
        let run = check(seed, &Plan::honest(seed));
        assert!(run.sealed_size >= 3, "seed {seed}: only {} blocks are sealed in the end", run.sealed_size);
        sealed += run.sealed_size;
    }
    // The faults must not be so many that nothing happens.
    assert!(sealed / SEED_COUNT >= 5, "{sealed} blocks in {SEED_COUNT} runs");
}

#[test]
fn one_liar_is_never_signed_and_never_stops_the_others() {
    let (mut forks, mut named) = (0, 0);
    for seed in 0..SEED_COUNT {
        let run = check(seed, &Plan::with_liar(seed));
        forks += u64::from(run.conflicting_finals > 0);
        named += u64::from(run.is_liar_named);
    }
    // The runs must reach what they are for: two histories that two parties each signed, and the liar named.
    assert!(forks >= 10, "{forks} runs with two final histories");
    assert!(named >= SEED_COUNT / 4, "the liar is named in {named} runs");
}

/// Whoever signs a result that the two others contradict is convicted by what each signed; in every run nobody else is.
#[test]
fn a_liar_is_convicted_by_what_was_signed() {
    let convicted: u64 = (0..CONVICTION_SEED_COUNT)
        .map(|seed| u64::from(check(seed, &Plan::with_signed_lies(seed)).is_liar_convicted))
        .sum();
    // Of what only two recompute nobody is; the grid company proposes nothing else.
    assert!(convicted >= CONVICTION_SEED_COUNT / 2, "the liar is convicted in {convicted} runs");
}

/// The keys of a party change under way, whatever the network and the machines do.
#[test]
fn keys_change_and_nobody_stops() {
    let mut changed = 0;
    for seed in 0..ROTATED_SEED_COUNT {
        let run = check(seed, &Plan::with_other_keys(seed));
        assert!(run.sealed_size >= 3, "seed {seed}: only {} blocks are sealed in the end", run.sealed_size);
        changed += u64::from(run.is_changed);
    }
    assert!(changed >= ROTATED_SEED_COUNT / 2, "keys changed in {changed} runs");
}

#[test]
fn a_seed_replays_to_the_same_trace() {
    for seed in (0..SEED_COUNT).step_by(25) {
        for plan in [Plan::honest(seed), Plan::with_liar(seed)] {
            assert_eq!(simulate(seed, &plan).trace, simulate(seed, &plan).trace, "seed {seed}");
        }
    }
    let first = simulate(1, &Plan::honest(1)).trace;
    assert_ne!(first, simulate(2, &Plan::honest(2)).trace, "another seed is another trace");
}

/// A member that forgets what it signed signs two histories, sooner or later: the monitor must see it.
#[test]
fn a_sign_lock_that_is_not_kept_is_found() {
    let found = (0..SEED_COUNT).find_map(|seed| {
        let mut plan = Plan::with_liar(seed);
        plan.faults = Party::ALL.map(|party| (party != plan.liar.unwrap().0).then_some(Fault::NoLock));
        simulate(seed, &plan).breaches.into_iter().find(|breach| breach.starts_with("I1"))
    });
    assert!(found.is_some(), "two roots at one size were signed, and nobody saw it");
}

#[test]
fn with_a_witness_two_parties_seal() {
    let mut sealed = 0;
    for seed in 0..WITNESS_SEED_COUNT {
        let run = check(seed, &Plan::with_one_down(seed));
        sealed += run.sealed_size;
    }
    assert!(sealed / WITNESS_SEED_COUNT >= 5, "{sealed} blocks in {WITNESS_SEED_COUNT} runs");
    // What it takes: the same runs without the witness stay final.
    let mut unsealed = Plan::with_one_down(0);
    unsealed.witness = None;
    let breaches = simulate(0, &unsealed).breaches;
    assert!(breaches.iter().all(|breach| breach.contains("is not sealed with")), "{breaches:?}");
    assert_eq!(breaches.len(), 2, "{breaches:?}");
}

#[test]
fn with_a_witness_one_liar_never_gets_two_histories_sealed() {
    let (mut forks, mut sealed) = (0, 0);
    for seed in 0..WITNESS_SEED_COUNT {
        let mut plan = Plan::with_liar(seed);
        plan.witness = Some(WitnessPlan::Sound);
        let run = check(seed, &plan);
        forks += u64::from(run.conflicting_finals > 0);
        sealed += u64::from(run.sealed_conflicts > 0);
    }
    // The runs must reach what they are for: two final histories, one of them sealed by the witness.
    assert!(
        forks >= 5 && sealed >= 3,
        "{forks} runs with two final histories, {sealed} with one of them sealed"
    );
}

/// A witness that forgets what it signed lets two histories be sealed, sooner or later: the monitor must see it.
#[test]
fn a_witness_that_keeps_nothing_is_found() {
    let mut found = [false; 2];
    for seed in 0..WITNESS_SEED_COUNT {
        let mut plan = Plan::with_liar(seed);
        plan.witness = Some(WitnessPlan::Forgets);
        let breaches = simulate(seed, &plan).breaches;
        found[0] |= breaches.iter().any(|breach| breach.starts_with("I1: regulator signed two roots"));
        found[1] |= breaches.iter().any(|breach| breach.starts_with("I7") && breach.ends_with("are sealed"));
        if found == [true; 2] {
            break;
        }
    }
    assert_eq!(found, [true; 2], "two roots at one size signed, two histories sealed");
}

/// A member whose state differs is seen by its own signature, and nothing it signs alone is sealed.
#[test]
fn another_state_root_is_found() {
    for seed in 0..20 {
        let mut plan = Plan::honest(seed);
        plan.faults[1] = Some(Fault::WrongState(2));
        let run = simulate(seed, &plan);
        let first = run.breaches.first().map_or("", String::as_str);
        assert!(first.starts_with("I4"), "seed {seed}: {first}");
    }
}
