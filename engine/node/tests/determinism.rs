//! The same readings give the same roots, bills and settlements, however they come and however many threads
//! compute: in any order, split and repeated in any way, in any format, in one batch or several.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::path::{Path, PathBuf};

use common::{Ledger, now, town_ledger, town_profile};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::vee::estimate::evidence::Evidence;
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_core::vee::judge::Limits;
use tallywatt_fixtures::documents::write_payments_to;
use tallywatt_fixtures::random::Key;
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_fixtures::write::{ReadingFormat, write_readings};
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::documents::parse_payments;
use tallywatt_ingest::sink::Collected;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::seal::SealKind;
use tallywatt_ledger::tree::Root;
use tallywatt_node::books::Input;
use tallywatt_node::intake::{ImportEnd, ImportRun, Intake};
use tallywatt_shards::accepted::AcceptedSet;
use tallywatt_shards::closing::{ClosedDay, close_period};
use tallywatt_shards::sealing;
use tallywatt_shards::threads::Threads;

/// A file of a region's readings.
type Source = (Region, PathBuf);

fn town(household_count: u64, day_count: u32) -> Town {
    Town::new(7, household_count, day_count, "2026-03-01".parse().unwrap()).unwrap()
}

fn period() -> Period {
    "2026-03".parse().unwrap()
}

/// A town's readings as rows, by region, that can be dealt out to files in any way.
struct Rows {
    header: String,
    rows: Vec<(Region, String)>,
}

impl Rows {
    fn of(town: &Town) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut header, mut rows) = (String::new(), Vec::new());
        for file in write_readings(town, ReadingFormat::DayCsv, folder.path(), &mut |_| {}).unwrap() {
            let text = std::fs::read_to_string(&file.path).unwrap();
            let (first, rest) = text.split_once('\n').unwrap();
            first.clone_into(&mut header);
            rows.extend(rest.lines().map(|row| (file.region, row.to_owned())));
        }
        Self { header, rows }
    }

    /// The rows in a seeded order.
    fn shuffled(&self, seed: u64) -> Self {
        let mut rows = self.rows.clone();
        shuffle(&mut rows, seed);
        Self { header: self.header.clone(), rows }
    }

    /// Every row twice.
    fn doubled(&self) -> Self {
        Self { header: self.header.clone(), rows: [self.rows.clone(), self.rows.clone()].concat() }
    }

    /// Every row as its first and its second half-day: the other values are left out.
    fn halves(&self) -> [Self; 2] {
        let half = |is_kept: &dyn Fn(usize) -> bool| {
            let cut = |row: &String| {
                let field = |(at, field)| if at < 3 || is_kept(at - 3) { field } else { "" };
                row.split(',').enumerate().map(field).collect::<Vec<&str>>().join(",")
            };
            let rows = self.rows.iter().map(|(region, row)| (*region, cut(row))).collect();
            Self { header: self.header.clone(), rows }
        };
        [half(&|at| at < 20), half(&|at| at >= 20)]
    }

    /// Deals the rows of each region out to `count` files.
    fn files(&self, folder: &Path, count: usize) -> Vec<Source> {
        std::fs::create_dir_all(folder).unwrap();
        let mut files = Vec::new();
        for region in Region::ALL {
            let rows: Vec<&str> =
                self.rows.iter().filter(|(of, _)| *of == region).map(|(_, row)| row.as_str()).collect();
            for (at, part) in rows.chunks(rows.len().div_ceil(count)).enumerate() {
                let path = folder.join(format!("{region}-{at}.csv"));
                std::fs::write(&path, format!("{}\n{}\n", self.header, part.join("\n"))).unwrap();
                files.push((region, path));
            }
        }
        files
    }
}

/// Fisher and Yates, from a seed.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let key = Key::new(seed, 0, 0);
    for at in (1..items.len()).rev() {
        let bound = u32::try_from(at + 1).unwrap();
        let draw = key.at(u64::try_from(at).unwrap()).below(bound);
        items.swap(at, usize::try_from(draw).unwrap());
    }
}

/// Everything a ledger makes of readings.
#[derive(Debug, PartialEq, Eq)]
struct Made {
    batches: Vec<Root>,
    period: Root,
    period_file: Vec<u8>,
    bills: Vec<u8>,
    settlement: Vec<u8>,
    /// Canonical bytes of each block and of its leaf in the log, which holds the state root.
    blocks: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Made {
    /// Without what names the batches.
    fn without_batches(self) -> (Root, Vec<u8>, Vec<u8>, Vec<u8>) {
        (self.period, self.period_file, self.bills, self.settlement)
    }
}

/// Takes each cut's files in and seals them as one batch, then closes, bills and settles.
fn run(town: &Town, threads: usize, profile: &str, cuts: &[Vec<Source>]) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = town_ledger(&folder.path().join("data"), threads, town);
    let batches = cuts.iter().filter_map(|files| ingest(&mut ledger, profile, files)).collect();
    let closed = ledger.propose(Party::Grid, Input::Period(period()));
    let Command::Period(commit) = &closed.computed.command else { unreachable!("a period was proposed") };
    let root = commit.sealed.root;
    let bills = ledger.propose(Party::Supplier, Input::Bills(period()));
    assert_eq!(bills.computed.unbilled, []);
    let mut registry = Vec::new();
    let owed = |account: &_| {
        let bills = ledger.books().bills(period()).unwrap();
        bills.iter().find(|bill| bill.account == *account).map(|bill| bill.total.as_minor())
    };
    write_payments_to(town, "2026-04".parse().unwrap(), &owed, &mut registry).unwrap();
    let payments = parse_payments("payments.csv", registry.as_slice()).unwrap().entries;
    let settled = ledger.propose(Party::Bank, Input::Payments(payments));
    let stored = ledger.consortium.node(Party::Bank).store().blocks().unwrap();
    Made {
        batches,
        period: root,
        period_file: closed.computed.file.unwrap(),
        bills: bills.computed.file.unwrap(),
        settlement: settled.computed.file.unwrap(),
        blocks: stored.iter().map(|stored| (stored.block.encode(), stored.leaf.encode())).collect(),
    }
}

/// One batch of these files; `None` if nothing in them was new.
fn ingest(ledger: &mut Ledger, profile: &str, files: &[Source]) -> Option<Root> {
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    for (region, path) in files {
        let profile = town_profile(profile, *region);
        let (interrupt, progress) = (false.into(), &mut |_| {});
        let mut run = ImportRun {
            profile: &profile,
            books: ledger.books(),
            now: now(),
            interrupt: &interrupt,
            progress,
            only_lines: None,
        };
        for report in intake.import(path, &mut run).unwrap() {
            assert!(matches!(report.end, ImportEnd::Finished | ImportEnd::Repeated), "{report:?}");
            assert_eq!(report.rejected.len(), 0, "{report:?}");
        }
    }
    ledger.seal(&mut intake).map(|sealed| sealed.root)
}

#[test]
fn any_number_of_threads_makes_the_same_blocks() {
    let town = town(24, 31);
    let folder = tempfile::tempdir().unwrap();
    let files = Rows::of(&town).files(folder.path(), 1);
    let one = run(&town, 1, "tallywatt", std::slice::from_ref(&files));
    for threads in [2, 3, 8] {
        let other = run(&town, threads, "tallywatt", std::slice::from_ref(&files));
        assert!(one == other, "{threads} threads");
    }
}

#[test]
fn any_order_splitting_and_repetition_in_one_batch_makes_the_same_blocks() {
    let town = town(24, 31);
    let folder = tempfile::tempdir().unwrap();
    let rows = Rows::of(&town);
    let want = run(&town, 2, "tallywatt", &[rows.files(&folder.path().join("plain"), 1)]);
    let seed = 20_260_301;
    let check = |case: &str, files: Vec<Source>| {
        assert!(run(&town, 2, "tallywatt", &[files]) == want, "{case}, seed {seed}");
    };
    for count in [1, 2, 5, 17] {
        let mut files = rows.shuffled(seed + count).files(&folder.path().join(format!("split-{count}")), 1);
        if count > 1 {
            let part_count = usize::try_from(count).unwrap();
            files = rows.shuffled(seed).files(&folder.path().join(format!("split-{count}")), part_count);
        }
        shuffle(&mut files, seed + count);
        check(&format!("rows shuffled, in {count} files a region"), files);
    }
    let mut reversed = rows.files(&folder.path().join("reversed"), 5);
    reversed.reverse();
    check("files in reverse", reversed);
    let doubled = rows.doubled().shuffled(seed).files(&folder.path().join("doubled"), 3);
    check("every row twice", doubled);
    let mut repeated = rows.files(&folder.path().join("repeated"), 2);
    let copies = rows.files(&folder.path().join("copies"), 1);
    repeated.extend(repeated.clone());
    repeated.extend(copies);
    check("whole files repeated, as they are and joined", repeated);
}

/// Blocks name their batches; the period, the bills and the settlement are the same bytes.
#[test]
fn several_batches_make_the_same_period_bills_and_settlement() {
    let town = town(24, 31);
    let folder = tempfile::tempdir().unwrap();
    let rows = Rows::of(&town);
    let want = run(&town, 2, "tallywatt", &[rows.files(&folder.path().join("plain"), 1)]).without_batches();
    let [early, late] = rows.halves();
    let cut = |name: &str, rows: &Rows| rows.files(&folder.path().join(name), 1);
    let five = rows.shuffled(5).files(&folder.path().join("five"), 5);
    let cases: [(&str, usize, Vec<Vec<Source>>); 3] = [
        ("ten files, a batch each", 10, five.into_iter().map(|file| vec![file]).collect()),
        ("half-days, each day sealed twice", 2, vec![cut("early", &early), cut("late", &late)]),
        ("the later half first, then everything", 2, vec![cut("late-2", &late), cut("all", &rows)]),
    ];
    for (case, batch_count, cuts) in cases {
        let made = run(&town, 2, "tallywatt", &cuts);
        assert_eq!(made.batches.len(), batch_count, "{case}");
        assert!(made.without_batches() == want, "{case}");
    }
}

/// NEM12 counts its channels from 1, so its stream E1 is the register `1-1:1.8.0`: the day CSV is written so too.
#[test]
fn all_formats_make_one_period_root() {
    let town = town(24, 31);
    let folder = tempfile::tempdir().unwrap();
    let files = |format: ReadingFormat| -> Vec<Source> {
        let written = write_readings(&town, format, &folder.path().join(format!("{format:?}")), &mut |_| {});
        written.unwrap().into_iter().map(|file| (file.region, file.path)).collect()
    };
    let root = |profile: &str, files: &[Source]| {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = town_ledger(&folder.path().join("data"), 2, &town);
        ingest(&mut ledger, profile, files).unwrap();
        let closed = ledger.propose(Party::Grid, Input::Period(period())).computed;
        closed.file.unwrap()
    };
    let day_csv = root("tallywatt", &files(ReadingFormat::DayCsv));
    assert!(root("80020", &files(ReadingFormat::Layout80020)) == day_csv);
    assert!(root("frames", &files(ReadingFormat::Frames)) == day_csv);
    assert!(root("packs", &files(ReadingFormat::Packs)) == day_csv);

    let mut channel_1 = Rows::of(&town);
    for (_, row) in &mut channel_1.rows {
        *row = row.replace(",1-0:1.8.0,", ",1-1:1.8.0,");
    }
    let day_csv_1 = root("tallywatt", &channel_1.files(&folder.path().join("channel-1"), 1));
    let nem12 = root("nem12", &files(ReadingFormat::Nem12));
    assert!(nem12 == day_csv_1 && nem12 != day_csv);
}

#[test]
fn a_repeated_import_changes_nothing() {
    let town = town(8, 3);
    let folder = tempfile::tempdir().unwrap();
    let rows = Rows::of(&town);
    let files = rows.files(&folder.path().join("plain"), 1);
    let other = rows.shuffled(9).files(&folder.path().join("shuffled"), 2);
    let mut ledger = town_ledger(&folder.path().join("data"), 1, &town);
    assert!(ingest(&mut ledger, "tallywatt", &files).is_some());
    let size = ledger.consortium.node(Party::Grid).member().size();
    for again in [&files, &other, &files] {
        assert_eq!(ingest(&mut ledger, "tallywatt", again), None);
    }
    assert_eq!(ledger.consortium.node(Party::Grid).member().size(), size);
}

/// Readings of a tiny town, one by one, in 120 seeded orders, cut into batches at seeded places.
#[test]
fn any_order_of_single_readings_closes_to_one_root() {
    let town = town(3, 3);
    let mut readings = Vec::new();
    for (region, row) in Rows::of(&town).rows {
        let header: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
        let text = format!("usage_point,obis,date{header}\n{row}\n");
        let mut found = Collected::default();
        decode(&town_profile("tallywatt", region), "rows.csv", &mut text.as_bytes(), &mut found).unwrap();
        readings.extend(found.readings);
    }
    // Three households of one region, and its head meter.
    assert_eq!(readings.len(), 4 * 3 * 48);
    // Without some, so that closing has something to estimate.
    readings.retain(|reading| (reading.start.0 / 1_800) % 29 != 0);
    let zone = Zone::parse(Region::Yekaterinburg.zone_name()).unwrap();
    let (limits, threads) = (Limits::generous(now()), Threads::new(2).unwrap());
    let source = town_profile("tallywatt", Region::Yekaterinburg).source();
    let close = |accepted: &AcceptedSet| -> Root {
        let parameters = EstimationParameters::default();
        let nothing = |_: &_, _| Evidence::default();
        let blocks: Vec<DayBlock> =
            close_period(accepted, period(), |_| &zone, nothing, |_| ClosedDay::Open, &parameters, &threads)
                .blocks;
        let secret = BlindingSecret::new([7; 32]);
        let leaves = sealing::leaves_of(&blocks, SealKind::Period, &secret, |_| 0, &threads);
        sealing::seal(SealKind::Period, &leaves, &threads).unwrap().sealed().root
    };
    let accept = |accepted: &mut AcceptedSet, part: &[_]| {
        for reading in part {
            accepted.accept(reading, &zone, source, &limits);
        }
    };
    let mut whole = AcceptedSet::new();
    accept(&mut whole, &readings);
    let want = close(&whole);
    for seed in 0..120 {
        // Some of them twice.
        let again = readings.len() - usize::try_from(Key::new(seed, 1, 0).at(0).below(200)).unwrap();
        let mut order = [readings.clone(), readings[again..].to_vec()].concat();
        shuffle(&mut order, seed);
        let at = usize::try_from(Key::new(seed, 2, 0).at(0).below(400)).unwrap();
        // Two batches taken in apart, then joined day by day, in either direction.
        let (mut left, mut right) = (AcceptedSet::new(), AcceptedSet::new());
        accept(&mut left, &order[..at]);
        accept(&mut right, &order[at..]);
        let (mut into, from) = if seed % 2 == 0 { (left, right) } else { (right, left) };
        for block in from.blocks_sorted() {
            into.merge(block.clone()).unwrap();
        }
        assert_eq!(close(&into), want, "seed {seed}");
    }
}
