//! Three nodes as three processes, and what may befall one of them: killed at random, cut off, slow, its disk full, its clock
//! wrong. The others go on; when it heals, all agree.
//!
//! A longer run of the first: `TALLYWATT_KILLS=200 cargo test -p tallywatt --test faults killed -- --nocapture`.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::nodes::{Nodes, WAIT, at, propose};
use common::proxy::{Proxy, Way};
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_node::running::view::{Door, Proposed, Until};
use tallywatt_node::sign_lock_file::SLOT_SIZE;

/// Kills without the variable.
const KILL_COUNT: u64 = 8;
/// How long a node may take to answer after a start; on an idle machine it is a tenth of a second.
const RESTART_MAX: Duration = Duration::from_secs(10);

/// So long, and who does not hear the leader has stood for election.
const TWO_ELECTIONS: Duration = Duration::from_secs(4);

/// Any of the three is killed without a word, leader or not, the one that proposes too, while documents are published: what
/// was said to be final is in every chain, once, and the chains are one.
#[test]
fn killed_at_random_nothing_acknowledged_is_lost() {
    let kills = std::env::var("TALLYWATT_KILLS").map_or(KILL_COUNT, |kills| kills.parse().unwrap());
    let mut nodes = Nodes::running();
    let (data, is_over) = (nodes.data(Party::Supplier), AtomicBool::new(false));
    let (mut slowest, mut leader_count) = (Duration::ZERO, 0);
    let mut random = Random(20_261_123);
    let acknowledged = std::thread::scope(|scope| {
        let load = scope.spawn(|| publish_until(&data, &is_over));
        let _over = Over(&is_over);
        for kill in 0..kills {
            let size = top(&nodes);
            nodes.wait("the load goes on", |nodes| top(nodes) > size + 1);
            std::thread::sleep(Duration::from_micros(random.below(50_000)));
            let party = Party::ALL[usize::try_from(random.below(3)).unwrap()];
            leader_count += u64::from(nodes.leader() == Some(party));
            nodes.kill(party);
            // Sometimes the others notice, sometimes not.
            std::thread::sleep(Duration::from_millis(random.below(600)));
            let begun = Instant::now();
            nodes.start(party);
            nodes.wait("it answers again", |nodes| nodes.status(party).is_some());
            let took = begun.elapsed();
            assert!(took < RESTART_MAX, "{party} took {took:?} to start\n{}", nodes.log(party));
            slowest = slowest.max(took);
            if kill % 50 == 49 {
                println!("{} kills, {} blocks, slowest start {slowest:?}", kill + 1, top(&nodes));
            }
        }
        let size = top(&nodes);
        nodes.wait("the load goes on", |nodes| top(nodes) > size + 1);
        is_over.store(true, Ordering::SeqCst);
        load.join().unwrap()
    });
    let last = acknowledged.iter().map(|(height, _)| height + 1).max().unwrap();
    nodes.wait_sealed(last);
    assert_one_chain(&mut nodes, &acknowledged);
    println!(
        "{kills} kills, {leader_count} of the leader, {} acknowledged, slowest start {slowest:?}",
        acknowledged.len()
    );
}

/// One node behind a network that swallows, refuses, or is slow, on its way out, its way in, or both: the other two go on.
#[test]
fn cut_off_or_slow_it_stops_nobody_and_comes_back() {
    let (mut nodes, ways) = with_proxies();
    let slow = Way::Slow(Duration::from_millis(20));
    let mut count = 0;
    let mut acknowledged = Vec::new();
    for (name, is_leader, lasts, out, back) in [
        ("its network swallows everything", true, Duration::ZERO, Way::Swallows, Way::Swallows),
        ("it hears and is not heard", false, Duration::ZERO, Way::Swallows, Way::Open),
        ("it is heard and does not hear", false, TWO_ELECTIONS, Way::Open, Way::Swallows),
        ("nobody reaches anybody", false, Duration::ZERO, Way::Refuses, Way::Refuses),
        ("it is slow", false, Duration::ZERO, slow, slow),
    ] {
        nodes.wait("somebody leads", |nodes| nodes.leader().is_some());
        // Tariffs are the supplier's to publish: of the other two the one that leads is cut off, or the one that does not.
        let leads_grid = nodes.leader() == Some(Party::Grid);
        let victim = if leads_grid == is_leader { Party::Grid } else { Party::Bank };
        let begun = Instant::now();
        for (from, to, proxy) in &ways {
            match (*from == victim, *to == victim) {
                (true, _) => proxy.set(out),
                (_, true) => proxy.set(back),
                _ => {}
            }
        }
        for at in 0.. {
            if at >= 3 && begun.elapsed() >= lasts {
                break;
            }
            count += 1;
            let published = final_at(&mut nodes, &format!("fault-{count}"));
            acknowledged.push(published);
        }
        let went_on = begun.elapsed();
        for (_, _, proxy) in &ways {
            proxy.set(Way::Open);
        }
        count += 1;
        acknowledged.push(final_at(&mut nodes, &format!("fault-{count}")));
        nodes.wait_sealed(acknowledged.last().unwrap().0 + 1);
        println!("{victim}, {name}: went on for {went_on:?}, all agree after {:?}", begun.elapsed());
    }
    assert_one_chain(&mut nodes, &acknowledged);
}

/// What was not synced by itself, because the log of the order holds it or it can be made again, is whole after a power cut: a
/// small file cut short, another that is gone, the published head, and the slot of the sign lock that was being written to.
#[test]
fn what_a_power_cut_leaves_is_made_whole() {
    let mut nodes = Nodes::running();
    let mut acknowledged: Vec<_> = (0..4).map(|at| final_at(&mut nodes, &format!("before-{at}"))).collect();
    nodes.wait_sealed(5);
    for party in Party::ALL {
        nodes.kill(party);
    }
    let node = nodes.data(Party::Grid).join(Party::Grid.name());
    let mut files: Vec<_> =
        std::fs::read_dir(node.join("documents")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let whole = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    std::fs::write(node.join("checkpoint"), "").unwrap();
    let mut lock = std::fs::read(node.join("signlock")).unwrap();
    lock[SLOT_SIZE / 8..SLOT_SIZE].fill(0xff);
    std::fs::write(node.join("signlock"), lock).unwrap();
    for party in Party::ALL {
        nodes.start(party);
    }
    nodes.wait_sealed(5);
    nodes.wait("the head is published", |_| {
        std::fs::read_to_string(node.join("checkpoint")).unwrap().lines().nth(1) == Some("5")
    });
    assert_eq!(std::fs::read(&files[0]).unwrap(), whole);
    assert!(files[1].exists());
    acknowledged.push(final_at(&mut nodes, "after"));
    nodes.wait_sealed(6);
    assert_one_chain(&mut nodes, &acknowledged);
}

/// The disk of one node takes nothing more: it stops and says so, the others go on, and it comes back when there is room.
/// The limit is that of its process on the size of a file, which needs no rights: past it a write fails, as on a full disk.
#[test]
fn with_a_full_disk_it_stops_and_stops_nobody() {
    let mut nodes = Nodes::running();
    let mut acknowledged = vec![final_at(&mut nodes, "before")];
    nodes.stop(Party::Grid);
    nodes.start_with_files_below(Party::Grid, 512);
    let begun = Instant::now();
    for at in 0.. {
        if !nodes.is_up(Party::Grid) {
            break;
        }
        assert!(begun.elapsed() < WAIT, "it goes on without a disk\n{}", nodes.log(Party::Grid));
        acknowledged.push(final_at(&mut nodes, &format!("full-{at}")));
    }
    nodes.forget(Party::Grid);
    acknowledged.push(final_at(&mut nodes, "without"));
    nodes.start(Party::Grid);
    nodes.wait_sealed(acknowledged.last().unwrap().0 + 1);
    assert_one_chain(&mut nodes, &acknowledged);
}

/// A clock an hour ahead or behind: what its node proposes ahead of the others' clocks nobody attests; it stops nobody, signs
/// what the others agree on, and proposes again once its clock is right.
#[test]
fn a_wrong_clock_stops_nobody() {
    let mut nodes = Nodes::running();
    let mut acknowledged = vec![final_at(&mut nodes, "right")];
    for (victim, offset) in [(Party::Bank, "3600"), (Party::Grid, "-3600"), (Party::Supplier, "-3600")] {
        nodes.stop(victim);
        nodes.start_with(victim, &["--clock-offset", offset]);
        nodes.wait("it is back", |nodes| nodes.status(victim).is_some());
        for at in 0..2 {
            acknowledged.push(final_at(&mut nodes, &format!("{victim}{offset}-{at}")));
        }
        nodes.wait_sealed(acknowledged.last().unwrap().0 + 1);
        nodes.stop(victim);
        nodes.start(victim);
        nodes.wait_sealed(acknowledged.last().unwrap().0 + 1);
    }
    nodes.stop(Party::Supplier);
    nodes.start_with(Party::Supplier, &["--clock-offset", "3600"]);
    let size = acknowledged.last().unwrap().0 + 1;
    nodes.wait_sealed(size);
    let refused = nodes.publish(Party::Supplier, "from-tomorrow", Until::Final);
    let Proposed::NoQuorum(why) = &refused else { panic!("{refused:?}") };
    assert!(why.contains("s ahead, at most 600"), "{why}");
    nodes.stop(Party::Supplier);
    nodes.start(Party::Supplier);
    nodes.wait_sealed(size);
    acknowledged.push(final_at(&mut nodes, "from-today"));
    nodes.wait_sealed(size + 1);
    let [grid, ..] = assert_one_chain(&mut nodes, &acknowledged);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(
        grid.iter().all(|stored| stored.block.proposal.time_unix_s <= now + 600),
        "no block is of tomorrow"
    );
}

/// Three nodes that reach one another over proxies only, and each way.
fn with_proxies() -> (Nodes, Vec<(Party, Party, Proxy)>) {
    let mut nodes = Nodes::found();
    let mut ways = Vec::new();
    for from in Party::ALL {
        for to in Party::ALL.into_iter().filter(|to| *to != from) {
            let proxy = Proxy::to(nodes.addresses[at(to)]);
            nodes.find_peer_at(from, to, proxy.address);
            ways.push((from, to, proxy));
        }
    }
    nodes.start_all();
    (nodes, ways)
}

/// Publishes at the supplier's node until it is final, again and again if it must; its height, and its hash.
fn final_at(nodes: &mut Nodes, id: &str) -> (u64, ContentHash) {
    let begun = Instant::now();
    loop {
        match nodes.publish(Party::Supplier, id, Until::Final) {
            Proposed::Done { height: Some(height), cosigners, command, .. } if cosigners.len() >= 2 => {
                return (height, command.digest());
            }
            other if begun.elapsed() > WAIT => panic!("{id}: {other:?}"),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Publishes one document after the other until it is over; what was acknowledged.
fn publish_until(data: &std::path::Path, is_over: &AtomicBool) -> Vec<(u64, ContentHash)> {
    let (mut acknowledged, mut door) = (Vec::new(), None);
    for at in 0_u32.. {
        if is_over.load(Ordering::SeqCst) {
            break;
        }
        let Some(mut open) = door.take().or_else(|| Door::open(data, Party::Supplier).ok()) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        if let Proposed::Done { height: Some(height), cosigners, command, .. } =
            propose(&mut open, &format!("load-{at}"), Until::Final)
            && cosigners.len() >= 2
        {
            acknowledged.push((height, command.digest()));
            door = Some(open);
        }
    }
    acknowledged
}

/// Stops all three: their chains are one, and hold what was acknowledged.
fn assert_one_chain(
    nodes: &mut Nodes,
    acknowledged: &[(u64, ContentHash)],
) -> [Vec<tallywatt_node::store::StoredBlock>; 3] {
    for party in Party::ALL {
        nodes.stop(party);
    }
    let chains = nodes.stored();
    let [grid, bank, supplier] = &chains;
    assert_eq!((bank.len(), supplier.len()), (grid.len(), grid.len()));
    for (at, want) in grid.iter().enumerate() {
        assert_eq!((&bank[at].leaf, &supplier[at].leaf), (&want.leaf, &want.leaf), "leaf {at}");
    }
    for (height, digest) in acknowledged {
        let found = &grid[usize::try_from(*height).unwrap()].block.proposal.command;
        assert_eq!(found.digest(), *digest, "block {height} was acknowledged");
    }
    chains
}

/// The largest final size that any node knows.
fn top(nodes: &Nodes) -> u64 {
    let states = Party::ALL.iter().filter_map(|party| nodes.status(*party));
    states.map(|state| state.final_size).max().unwrap_or(0)
}

/// Says that it is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Numbers that look random, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}
