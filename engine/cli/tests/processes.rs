//! Three nodes as three processes: the same ledger as in one, whoever is killed.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::Place;
use common::nodes::{Nodes, is_below, propose, stored};
use tallywatt_consensus::message::{INLINE_SIZE_MAX, encode_entry};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::command::Command;
use tallywatt_node::books::Books;
use tallywatt_node::ledger_folder::{HeldFolder, Secrets};
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::running::view::{Door, Proposed, Until};
use tallywatt_node::store::StoredBlock;
use tallywatt_shards::threads::Threads;

/// What the ledger in one process takes for the time: that of the block it is to make again.
static CLOCK: AtomicU64 = AtomicU64::new(0);

/// The month of a town through three processes, then every command of it through three nodes in one process, at the times of
/// the first: the same blocks, the same attestations, the same roots of the state and of the log.
#[test]
fn a_month_through_three_processes_is_the_ledger_of_one() {
    let place = Place::new();
    let ran = place.json("tallywatt demo --folder demo --processes --households 40");
    assert_eq!(ran["verdict"], "valid");
    let origin = "tallywatt.demo/pilot";
    let data = |party: Party| place.path().join("demo/data").join(party.name());
    let chains = Party::ALL.map(|party| stored(&data(party), party, origin));
    let first = &chains[0];
    assert!(first.len() > 15, "{} blocks", first.len());

    CLOCK.store(first[0].block.proposal.time_unix_s, Ordering::SeqCst);
    let (currency, secrets) = ("RUB".parse().unwrap(), Secrets::Demonstration(1));
    let folder = HeldFolder::create(&place.path().join("together"), origin, currency, secrets).unwrap();
    let threads = Threads::new(1).unwrap();
    let mut together = folder.open(&threads, || CLOCK.load(Ordering::SeqCst)).unwrap();
    for stored in &first[1..] {
        let proposal = &stored.block.proposal;
        let files = NodeFolder::below(&data(Party::Supplier), Party::Supplier);
        let file = files.read_file(&proposal.command).unwrap();
        CLOCK.store(proposal.time_unix_s, Ordering::SeqCst);
        let input = Books::input_of(&proposal.command, file.as_deref()).unwrap();
        let outcome = together.propose(proposal.proposer, input).unwrap();
        assert!(outcome.is_sealed(), "block {}: {outcome:?}", stored.block.height);
        assert_eq!(outcome.computed.file, file, "block {}: its file", stored.block.height);
    }
    let again = together.node(Party::Grid).store().blocks().unwrap();
    assert_eq!(again.len(), first.len());
    for (at, want) in again.iter().enumerate() {
        for (party, chain) in Party::ALL.into_iter().zip(&chains) {
            assert_eq!(chain[at].block, want.block, "block {at} of {party}");
            assert_eq!(chain[at].leaf, want.leaf, "leaf {at} of {party}");
        }
    }
    // Each node's folder can be audited by itself, also the bank's, which has not got everything.
    for party in Party::ALL {
        let audited = place.json(&format!("tallywatt -C demo/data/{party} chain audit"));
        assert_eq!(
            (&audited["verdict"], &audited["findings"]),
            (&"SOUND".into(), &0.into()),
            "{party}: {audited}"
        );
    }
    // The bank has what it settles from, as the two others computed it, and no reading.
    let [_, bank, supplier] = Party::ALL.map(|party| data(party).join(party.name()));
    for kept in ["bills", "contracts", "documents", "settlements"] {
        assert!(std::fs::read_dir(bank.join(kept)).unwrap().count() > 0, "{kept}");
    }
    for absent in ["batches", "periods", "blinding.secret"] {
        assert!(!bank.join(absent).exists() && supplier.join(absent).exists(), "{absent}");
    }
    for entry in std::fs::read_dir(supplier.join("batches")).unwrap() {
        let batch = std::fs::read(entry.unwrap().path()).unwrap();
        for piece in batch.chunks_exact(64).skip(16).step_by(batch.len() / 64 / 16 + 1) {
            assert!(is_below(&supplier, piece).is_some());
            let zeros = piece.iter().filter(|byte| **byte == 0).count();
            assert!(zeros > 48 || is_below(&data(Party::Bank), piece).is_none(), "the bank has {piece:?}");
        }
    }
}

/// What an import of more than [`INLINE_SIZE_MAX`] adds to a node's chain and order does not depend on how many readings it
/// holds: its file lies beside them.
#[test]
fn an_import_adds_as_much_to_the_chain_however_large_it_is() {
    let place = Place::new();
    place.json("tallywatt demo --folder demo --processes --households 60");
    let data = place.path().join("demo/data/supplier");
    let files = NodeFolder::below(&data, Party::Supplier);
    let (mut import_count, mut readings, mut most) = (0, 0, 0);
    for stored in stored(&data, Party::Supplier, "tallywatt.demo/pilot") {
        let StoredBlock { block, leaf } = stored;
        let Command::Batch(batch) = &block.proposal.command else { continue };
        let file = files.read_file(&block.proposal.command).unwrap().unwrap();
        assert!(file.len() > INLINE_SIZE_MAX, "a file of {} bytes lies in the order", file.len());
        let (proposal, attestations) = (block.proposal.clone(), block.attestations.clone());
        let entry = encode_entry(&Entry { proposal, attestations });
        // Block, leaf, head, and the entries of state and file, each with key, version and hash; and the order's entry.
        let added = block.encode().len() + leaf.encode().len() + entry.len() + 1_000 + 5 * 64 + 100;
        (import_count, most) = (import_count + 1, most.max(added));
        readings += batch.sealed.totals.interval_count;
    }
    println!("{import_count} imports of {readings} readings, at most {most} bytes of chain and order each");
    assert!(import_count > 0 && most < 5_000, "{most} bytes an import");
}

/// A node that computes something else is found out at the first block it bends, over the network as in one process: nothing
/// of it is recorded.
#[test]
fn a_liar_among_processes_is_found_out() {
    for liar in [Party::Grid, Party::Bank] {
        let place = Place::new();
        let ran = place.sh(&format!("tallywatt demo --households 20 --processes --liar {liar}"));
        assert_ne!(ran.code, 0, "{liar}: {}\n{}", ran.out, ran.err);
        assert!(!ran.out.contains("VALID"), "{liar}: {}", ran.out);
        let log = |party: Party| {
            let log = place.path().join("tallywatt-demo/data").join(party.name()).join("node.log");
            std::fs::read_to_string(log).unwrap()
        };
        // Each lies of what it proposes itself: whoever recomputes that contradicts it, and nothing is recorded.
        for party in Party::ALL {
            assert!(
                !log(party).contains("signs nothing any more"),
                "{liar} lies, of {party}: {}",
                log(party)
            );
        }
        let (command, others) = match liar {
            // The bank recomputes no batch: the supplier alone is enough.
            Party::Grid => ("batch", &[Party::Supplier][..]),
            _ => ("settlement", &[Party::Grid, Party::Supplier][..]),
        };
        for other in Party::ALL.into_iter().filter(|other| *other != liar) {
            let contradicted = format!("({command} proposed by {liar}): {other} computed something else");
            assert_eq!(log(liar).contains(&contradicted), others.contains(&other), "{}", log(liar));
        }
        let chains = Party::ALL.map(|party| {
            stored(
                &place.path().join("tallywatt-demo/data").join(party.name()),
                party,
                "tallywatt.demo/pilot",
            )
        });
        for (at, want) in chains[2].iter().enumerate() {
            assert_eq!((&chains[0][at].leaf, &chains[1][at].leaf), (&want.leaf, &want.leaf), "leaf {at}");
        }
    }
}

/// One node ends without a word: the other two go on to `final`, the same operator's door gives it. Back again, it takes what
/// it missed, signs it, and all three agree.
#[test]
fn one_killed_node_stops_nobody_and_catches_up() {
    let mut nodes = Nodes::running();
    // Tariffs are the supplier's to publish: of the other two one that does not lead goes first.
    let leader = nodes.leader();
    let [follower, other] = match leader {
        Some(Party::Grid) => [Party::Bank, Party::Grid],
        _ => [Party::Grid, Party::Bank],
    };
    let proposer = Party::Supplier;
    nodes.kill(follower);
    for at in 0..20 {
        let proposed = nodes.publish(proposer, &format!("while-away-{at}"), Until::Sealed);
        let Proposed::Done { height: Some(height), cosigners, .. } = &proposed else {
            panic!("{at}: {proposed:?}\n{}", nodes.log(proposer))
        };
        assert_eq!((*height, cosigners.len()), (at + 1, 2), "final without the third: {proposed:?}");
    }
    nodes.wait("the status is of now", |nodes| nodes.status(proposer).unwrap().final_size == 21);
    let state = nodes.status(proposer).unwrap();
    assert_eq!((state.blocks, state.final_size, state.sealed_size), (21, 21, 1));
    assert!(!state.peers[follower.name()].is_up);
    nodes.start(follower);
    nodes.wait_sealed(21);
    nodes.kill(follower);
    // With two gone nothing is final, and nothing is said to be.
    nodes.kill(other);
    let alone = nodes.publish(proposer, "alone", Until::Final);
    assert!(matches!(alone, Proposed::NoQuorum(_)), "{alone:?}");
    nodes.start(follower);
    nodes.start(other);
    nodes.wait_sealed(21);
    for party in Party::ALL {
        nodes.stop(party);
    }
    let [grid, bank, supplier] = nodes.stored();
    for (at, want) in grid.iter().enumerate() {
        assert_eq!((&bank[at].leaf, &supplier[at].leaf), (&want.leaf, &want.leaf), "leaf {at}");
    }
}

/// The leader is killed again and again, the proposer among them, while documents are published one after the other: what was said to be final is in every
/// chain, once, and the chains are one.
#[test]
fn nothing_acknowledged_is_lost_when_the_leader_is_killed() {
    const KILL_COUNT: usize = 10;
    let mut nodes = Nodes::running();
    let is_over = AtomicBool::new(false);
    let folders = [(nodes.data(Party::Supplier), Party::Supplier)];
    let mut slowest = Duration::ZERO;
    let acknowledged: Vec<(u64, ContentHash)> = std::thread::scope(|scope| {
        let loads: Vec<_> = folders
            .iter()
            .map(|(data, party)| {
                let is_over = &is_over;
                scope.spawn(move || {
                    let (mut acknowledged, mut door) = (Vec::new(), None);
                    for at in 0_u32.. {
                        if is_over.load(Ordering::SeqCst) {
                            break;
                        }
                        let open = door.take().or_else(|| Door::open(data, *party).ok());
                        let Some(mut open) = open else {
                            std::thread::sleep(Duration::from_millis(20));
                            continue;
                        };
                        let id = format!("{party}-{at}");
                        if let Proposed::Done { height: Some(height), cosigners, command, .. } =
                            propose(&mut open, &id, Until::Final)
                            && cosigners.len() >= 2
                        {
                            acknowledged.push((height, command.digest()));
                            door = Some(open);
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        // However this ends, the load ends with it.
        let _over = Over(&is_over);
        for kill in 0..KILL_COUNT {
            nodes.wait("somebody leads", |nodes| nodes.leader().is_some());
            let (leader, size) = (nodes.leader().unwrap(), top(&nodes));
            nodes.wait("the load goes on", |nodes| top(nodes) > size + 3);
            let begun = Instant::now();
            nodes.kill(leader);
            let size = top(&nodes);
            nodes.wait("another leads", |nodes| nodes.leader().is_some_and(|found| found != leader));
            // Tariffs are the supplier's to publish: without it nobody has anything to say.
            if leader != Party::Supplier {
                nodes.wait("the others go on", |nodes| top(nodes) > size + 1);
            }
            slowest = slowest.max(begun.elapsed());
            nodes.start(leader);
            println!(
                "kill {kill}: {leader} at {size} blocks, the others went on after {:?}",
                begun.elapsed()
            );
        }
        is_over.store(true, Ordering::SeqCst);
        loads.into_iter().flat_map(|load| load.join().unwrap()).collect()
    });
    assert!(acknowledged.len() > KILL_COUNT * 3, "{} acknowledged", acknowledged.len());
    nodes.wait_sealed(acknowledged.iter().map(|(height, _)| height + 1).max().unwrap());
    for party in Party::ALL {
        nodes.stop(party);
    }
    let [grid, bank, supplier] = nodes.stored();
    assert_eq!((bank.len(), supplier.len()), (grid.len(), grid.len()));
    for (at, want) in grid.iter().enumerate() {
        assert_eq!((&bank[at].leaf, &supplier[at].leaf), (&want.leaf, &want.leaf), "leaf {at}");
    }
    for (height, digest) in &acknowledged {
        let found = &grid[usize::try_from(*height).unwrap()].block.proposal.command;
        assert_eq!(found.digest(), *digest, "block {height} was acknowledged");
    }
    println!(
        "{} acknowledged, {} blocks, slowest change of leader {slowest:?}",
        acknowledged.len(),
        grid.len()
    );
}

/// Says that it is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The most blocks that any node has.
fn top(nodes: &Nodes) -> u64 {
    let states = Party::ALL.iter().filter_map(|party| nodes.status(*party));
    states.map(|state| state.final_size).max().unwrap_or(0)
}
