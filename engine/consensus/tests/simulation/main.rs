//! Deterministic simulation of three members: loss, delay, duplication, partitions, crashes with torn writes, folders put
//! back from old copies, clocks that are wrong, and one liar. One seed, one trace; the invariants are checked at every step.
//!
//! ```text
//!   plan(seed) ─▶ world: virtual time, a queue of deliveries and disk operations ─▶ monitor: I1 … I8 after each event
//! ```
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod liar;
mod monitor;
mod truth;
mod world;

use tallywatt_consensus::machine::Fault;
use tallywatt_core::agreement::Party;
use world::{Plan, Run, simulate};

/// How many seeds a run of the tests takes, honest, and as many with a liar.
const SEED_COUNT: u64 = 250;

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
