//! Real processes that are killed, run out of disk, or find the folder taken: what was acknowledged is there.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;
#[path = "common/worker.rs"]
mod worker;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::thread;
use std::time::Duration;

use common::clock;
use tallywatt_core::agreement::Party;
use tallywatt_node::audit::audit;
use tallywatt_node::consortium::Consortium;
use tallywatt_node::intake::{ImportEnd, Intake};
use tallywatt_node::ledger_folder::{HeldFolder, LedgerError};
use tallywatt_node::node::Node;
use tallywatt_node::store::{self, TableName};
use tallywatt_shards::threads::Threads;
use tiny::Random;
use worker::{ACK, DAY_READING_COUNT, DAYS, DONE};

/// Not a test of its own: what the other tests start as a process.
#[test]
fn worker() {
    worker::work_if_asked();
}

/// Everything that workers said is durable, over all runs on one folder.
#[derive(Default)]
struct Acknowledged {
    is_created: bool,
    /// Digest of the command by height.
    blocks: BTreeMap<u64, String>,
    /// Readings by day.
    readings: BTreeMap<String, u64>,
    imported: Vec<String>,
}

impl Acknowledged {
    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.strip_prefix(ACK).unwrap_or_default().split(' ').collect();
        match words[..] {
            ["created"] => self.is_created = true,
            ["block", height, digest] => {
                let known = self.blocks.insert(height.parse().unwrap(), digest.to_owned());
                assert_eq!(known, None, "block {height} was acknowledged twice");
            }
            ["chunk", day, count] => {
                self.readings.insert(day.to_owned(), count.parse().unwrap());
            }
            ["import", day, count] => {
                assert_eq!(count.parse::<u64>().unwrap(), DAY_READING_COUNT, "{day}: each reading once");
                self.readings.insert(day.to_owned(), DAY_READING_COUNT);
                self.imported.push(day.to_owned());
            }
            _ => {}
        }
    }

    /// The folder opens, and holds everything that was acknowledged; nothing stands in it twice.
    fn check(&self, data: &Path, input: &Path) {
        let held = match HeldFolder::hold(data) {
            Err(LedgerError::Missing(_) | LedgerError::HalfMade(_)) if !self.is_created => return,
            held => held.unwrap(),
        };
        let consortium = held.open(&Threads::new(1).unwrap(), clock).unwrap();
        for node in consortium.nodes() {
            let blocks = node.store().blocks().unwrap();
            assert_eq!(consortium.cosigners(node.member().size()).len(), 3, "{}: sealed", node.party());
            for (height, digest) in &self.blocks {
                let block = blocks.iter().find(|stored| stored.block.height == *height);
                let own = block.map(|stored| stored.block.proposal.command.digest().to_string());
                assert_eq!(own.as_ref(), Some(digest), "{}: block {height}", node.party());
            }
        }
        self.check_readings(data, input, &consortium);
    }

    fn check_readings(&self, data: &Path, input: &Path, consortium: &Consortium) {
        let books = consortium.node(Party::Grid).books();
        let mut intake = Intake::open(data, books).unwrap();
        let mut present: BTreeMap<String, u64> = BTreeMap::new();
        let unsealed = intake.unsealed_blocks(books).unwrap();
        let is_unsealed = |key| unsealed.iter().any(|block| block.key() == key);
        let sealed = books.accepted().blocks_sorted();
        for block in unsealed.iter().chain(sealed.into_iter().filter(|block| !is_unsealed(block.key()))) {
            *present.entry(block.key().day.to_string()).or_default() +=
                u64::try_from(block.present_count()).unwrap();
        }
        for (day, count) in &self.readings {
            let found = present.get(day).copied().unwrap_or_default();
            assert!((*count..=DAY_READING_COUNT).contains(&found), "{day}: {found} of {count} acknowledged");
        }
        // Offered again, an acknowledged file is not read, and counts what it counted.
        for day in &self.imported {
            let reports =
                worker::import(&mut intake, books, &input.join(format!("{day}.csv")), &mut |_| {}).unwrap();
            assert_eq!(
                (&reports[0].end, reports[0].counts.accepted),
                (&ImportEnd::Repeated, DAY_READING_COUNT)
            );
        }
    }
}

/// Runs the worker to its end.
fn run(data: &Path, input: &Path) -> String {
    let output = worker::process(data, input).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the worker, and kills it after some acknowledgements and some microseconds. The lines it wrote.
fn run_and_kill(data: &Path, input: &Path, random: &mut Random) -> Vec<String> {
    let (ack_count, delay_us) = (random.below(4), random.below(60_000));
    let mut child = worker::process(data, input).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let mut seen = 0;
    while seen < ack_count {
        let start = text.len();
        if output.read_line(&mut text).unwrap() == 0 {
            break;
        }
        seen += u64::from(text[start..].starts_with(ACK));
    }
    thread::sleep(Duration::from_micros(delay_us));
    child.kill().unwrap();
    output.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    // A line that was cut off was not said.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

/// The ledger of a worker that nothing happened to.
fn uninterrupted(folder: &Path, input: &Path) -> PathBuf {
    let data = folder.join("uninterrupted");
    let said = run(&data, input);
    assert!(said.contains(DONE), "{said}");
    data
}

/// The same chain, heads and sealed files at every party, byte for byte; all signed; the audit finds nothing.
#[track_caller]
fn assert_same_ledger(data: &Path, uninterrupted: &Path) {
    let (held, whole) = (HeldFolder::hold(data).unwrap(), HeldFolder::hold(uninterrupted).unwrap());
    let threads = Threads::new(1).unwrap();
    assert_eq!(audit(&held, &threads).findings, []);
    let (own, expected) = (held.open(&threads, clock).unwrap(), whole.open(&threads, clock).unwrap());
    for (own, expected) in own.nodes().iter().zip(expected.nodes()) {
        let party = own.party();
        for table in TableName::ALL {
            let values = |node: &Node| node.store().values(table).unwrap();
            let (own, expected) = (values(own), values(expected));
            let differing = own.iter().zip(&expected).find(|(own, expected)| own != expected);
            let key = differing.map(|((key, _), _)| store::printable(table, key));
            let counts = (own.len(), expected.len());
            assert!(own == expected, "{party}: table {}, key {key:?}, {counts:?} values", table.name());
        }
        let files = tiny::sealed_files(uninterrupted, party);
        assert_eq!(tiny::sealed_files(data, party), files, "{party}");
        for file in files.iter().map(String::as_str).chain(["checkpoint"]) {
            let read = |data: &Path| fs::read(data.join(party.name()).join(file)).unwrap();
            assert!(read(data) == read(uninterrupted), "{party}/{file}");
        }
        // How often it was stored may differ.
        assert_eq!(
            own.folder().sign_lock().unwrap(),
            expected.folder().sign_lock().unwrap(),
            "{party}/signlock"
        );
    }
    assert_eq!(own.cosigners(own.node(Party::Grid).member().size()).len(), 3);
    let accepted = own.node(Party::Supplier).books().accepted();
    let present: usize = accepted.blocks_sorted().iter().map(|block| block.present_count()).sum();
    assert_eq!(u64::try_from(present).unwrap(), DAY_READING_COUNT * u64::try_from(DAYS.len()).unwrap());
}

#[test]
fn killed_anywhere_it_goes_on_and_ends_as_if_nothing_had_happened() {
    const SEED: u64 = 20_261_123;
    const KILL_COUNT: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("input");
    worker::write_input(&input);
    let whole = uninterrupted(folder.path(), &input);
    let mut random = Random(SEED);
    let (mut kill_count, mut ledger_count) = (0, 0);
    let mut after: BTreeMap<String, usize> = BTreeMap::new();
    while kill_count < KILL_COUNT {
        let data = folder.path().join(format!("ledger-{ledger_count}"));
        let mut acknowledged = Acknowledged::default();
        loop {
            let lines = run_and_kill(&data, &input, &mut random);
            lines.iter().for_each(|line| acknowledged.take(line));
            assert!(!lines.iter().any(|line| line.starts_with("failed")), "seed {SEED}: {lines:?}");
            if lines.iter().any(|line| line == DONE) {
                break;
            }
            kill_count += 1;
            let last = lines.iter().rev().find_map(|line| line.strip_prefix(ACK)).unwrap_or("nothing");
            *after.entry(last.split(' ').next().unwrap().to_owned()).or_default() += 1;
            // Looked at in a copy, so that the next worker finds the folder as the killed one left it.
            let copy = folder.path().join("copy");
            if data.exists() {
                tiny::copy(&data, &copy);
                acknowledged.check(&copy, &input);
                fs::remove_dir_all(&copy).unwrap();
            }
        }
        assert_same_ledger(&data, &whole);
        fs::remove_dir_all(&data).unwrap();
        ledger_count += 1;
    }
    println!(
        "seed {SEED}: {kill_count} kills in {ledger_count} ledgers, the last word before them: {after:?}"
    );
}

/// A small disk that grows a little after every failure, in a mount namespace of its own.
const GROWING_DISK: &str = r#"
mount -t tmpfs -o size=${SIZE}k tmpfs "$MOUNT" || exit 77
while :; do
    "$@"
    code=$?
    echo "run ${SIZE} ${code}"
    [ $code = 0 ] && break
    SIZE=$((SIZE + STEP))
    [ $SIZE -gt 32768 ] && exit 1
    mount -o remount,size=${SIZE}k "$MOUNT" || exit 1
done
cp -r "$MOUNT/data" "$RESCUED"
"#;

#[test]
fn a_full_disk_is_named_and_once_it_is_larger_the_same_run_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (input, mount, rescued) = (path("input"), path("mount"), path("rescued"));
    let mut probe = Process::new("unshare");
    probe.args(["-m", "mount", "-t", "tmpfs", "tmpfs"]).arg(folder.path());
    if !probe.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: this user may not mount");
        return;
    }
    worker::write_input(&input);
    fs::create_dir(&mount).unwrap();
    let whole = uninterrupted(folder.path(), &input);
    let worker = worker::process(&mount.join("data"), &input);
    let mut process = Process::new("unshare");
    process.args(["-m", "sh", "-c", GROWING_DISK, "sh"]).arg(worker.get_program()).args(worker.get_args());
    process.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    process.env("MOUNT", &mount).env("RESCUED", &rescued).env("SIZE", "64").env("STEP", "96");
    let output = process.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !errors.contains("panicked"), "{said}\n{errors}");
    let failures: Vec<&str> = said.lines().filter(|line| line.starts_with("failed")).collect();
    for failure in &failures {
        let is_named = failure.contains(mount.to_str().unwrap()) && failure.contains("No space left");
        assert!(is_named, "{failure}");
    }
    assert_eq!(failures.len() + 1, said.lines().filter(|line| line.starts_with("run ")).count(), "{said}");
    assert!(failures.len() > 3, "{said}");
    let mut acknowledged = Acknowledged::default();
    said.lines().for_each(|line| acknowledged.take(line));
    acknowledged.check(&rescued, &input);
    assert_same_ledger(&rescued, &whole);
    println!("disk full {} times, each time with the file named", failures.len());
}

#[test]
fn a_second_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data, input) = (folder.path().join("data"), folder.path().join("input"));
    worker::write_input(&input);
    assert!(matches!(HeldFolder::hold(&data), Err(LedgerError::Missing(_))));
    let ledger = common::Ledger::create(&data, 1);
    let said = run(&data, &input);
    assert!(said.contains("failed: ") && said.contains("is in use by another process"), "{said}");
    assert!(matches!(HeldFolder::hold(&data), Err(LedgerError::Locked(_))));
    drop(ledger);
    let said = run(&data, &input);
    assert!(said.contains(DONE), "{said}");

    fs::remove_file(data.join("tallywatt.toml")).unwrap();
    assert!(matches!(HeldFolder::hold(&data), Err(LedgerError::ConfigLost(_))));
    let half_made = folder.path().join("half made");
    fs::create_dir_all(half_made.join("grid")).unwrap();
    assert!(matches!(HeldFolder::hold(&half_made), Err(LedgerError::HalfMade(_))));
}
