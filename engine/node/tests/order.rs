//! What is known does not depend on how it came: readings in conflict, delivered again in a later issue, taken back, reads of
//! dials, meters; split into deliveries at random, repeated, in any order, cut anywhere, opened again, on any number of
//! threads: one period root and one set of events. Each case is held against the naive set: all values into `DayLayers`.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::day_layers::{DayLayers, DayState, Put};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::layer::{LayerHead, LayerKind, Origin};
use tallywatt_core::meter::{DialReading, RegisterRead};
use tallywatt_core::meter_event::{MeterEvent, ReceivedRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, Source};
use tallywatt_core::register::Register;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::tree::Root;
use tallywatt_node::books::{Books, Input};
use tallywatt_node::intake::{Delivery, Intake, IntakeLimits};
use tallywatt_shards::threads::Threads;
use tiny::Random;

const POINTS: [&str; 3] = ["P-1", "P-2", "EKB-000017"];
const SEED: u64 = 20_260_301;
const CASE_COUNT: u64 = 1_000;
/// 2026-03-10 00:00 UTC: no clock changes near it.
const START: i64 = 1_773_100_800;

/// Consecutive hours of one register that a source says something of.
#[derive(Debug, Clone)]
enum Said {
    Values {
        withdrawn: bool,
        issued: u64,
        point: &'static str,
        hour: i64,
        quality: Quality,
        values: Vec<i64>,
    },
    Read(u64, RegisterRead),
}

impl Said {
    fn any(random: &mut Random) -> Self {
        let point = POINTS[random.index(3)];
        let hour = i64::try_from(random.below(60)).unwrap();
        if random.below(6) == 0 {
            let read = RegisterRead {
                usage_point: point.parse().unwrap(),
                register: Register::IMPORT,
                at: UtcSeconds(START + hour * 3_600),
                meter: None,
                dial: DialReading::from_milliwatt_hours(i64::try_from(random.below(4)).unwrap() * 1_000_000),
                quality: Quality::Valid,
            };
            return Self::Read(random.below(3), read);
        }
        let withdrawn = random.below(5) == 0;
        let issued = [0, 0, 0, 1, 2, 3][random.index(6)];
        let qualities =
            [Quality::Valid, Quality::Valid, Quality::Validated, Quality::EstimatedLinear, Quality::Raw];
        let quality = qualities[random.index(5)];
        let count = [1, 6, 24, 40][random.index(4)];
        // Often a whole day, so that some days come in order.
        let hour = if count == 24 { hour / 24 * 24 } else { hour };
        let flat = random.below(3) == 0;
        let values = (0..count).map(|_| if flat { 2 } else { i64::try_from(random.below(3)).unwrap() });
        Self::Values { withdrawn, issued, point, hour, quality, values: values.collect() }
    }

    /// The same in two parts.
    fn split(&self, random: &mut Random) -> Vec<Self> {
        match self {
            Self::Values { withdrawn, issued, point, hour, quality, values } if values.len() > 1 => {
                let at = 1 + random.index(values.len() - 1);
                let part = |from: usize, values: &[i64]| Self::Values {
                    withdrawn: *withdrawn,
                    issued: *issued,
                    point,
                    hour: hour + i64::try_from(from).unwrap(),
                    quality: *quality,
                    values: values.to_vec(),
                };
                vec![part(0, &values[..at]), part(at, &values[at..])]
            }
            whole => vec![whole.clone()],
        }
    }

    fn hand_over(&self, sink: &mut dyn ReadingSink, line: u64) {
        match self {
            Self::Read(issued, read) => {
                sink.issued(Issued(*issued));
                sink.register_read(read, ReadOrigin { line, who: None });
            }
            Self::Values { withdrawn, issued, point, hour, quality, values } => {
                let run = ReadingRun {
                    usage_point: point.parse().unwrap(),
                    register: Register::IMPORT,
                    start: UtcSeconds(START + hour * 3_600),
                    interval_minutes: 60,
                    quality: *quality,
                    first_line: line,
                    lines_per_value: 0,
                    values_wh: values,
                };
                sink.issued(Issued(*issued));
                if *withdrawn { sink.withdraw(&run) } else { sink.run(&run) }
            }
        }
    }
}

/// What all of it comes to: every value put into the set of its day.
fn naive(said: &[Said], threads: &Threads) -> (Root, Vec<MeterEvent>) {
    let zone = Zone::parse("UTC").unwrap();
    let mut days: BTreeMap<BlockKey, DayLayers> = BTreeMap::new();
    let mut events: BTreeSet<MeterEvent> = BTreeSet::new();
    for said in said {
        let Said::Values { withdrawn, issued, point, hour, quality, values } = said else {
            let Said::Read(issued, read) = said else { unreachable!("one of the two") };
            let received = (*issued > 0).then(|| UtcSeconds(i64::try_from(*issued).unwrap()));
            events.insert(MeterEvent::Read(ReceivedRead { read: *read, who: None, received }));
            continue;
        };
        for (at, wh) in values.iter().enumerate() {
            let start = UtcSeconds(START + (hour + i64::try_from(at).unwrap()) * 3_600);
            let local = zone.local_day_of(start).unwrap();
            let point = point.parse().unwrap();
            let empty = DayBlock::empty(point, Register::IMPORT, local, 60, Source::Automated).unwrap();
            let day = days.entry(empty.key()).or_insert_with(|| DayLayers::on_grid_of(&empty));
            let mut head = LayerHead::delivered(Issued(*issued));
            if *withdrawn {
                (head.kind, head.origin) = (LayerKind::Withdrawn, Origin::WITHDRAWN_BY_SOURCE);
            }
            let value = (i32::try_from(*wh).unwrap(), *quality);
            assert_ne!(day.put(head, empty.interval_at(start).unwrap(), value), Put::Full);
        }
    }
    let blocks: Vec<DayBlock> = days.values().map(DayLayers::fold).collect();
    for (key, layers) in days {
        events.extend(DayState::of(layers).into_iter().flat_map(|state| state.events(key)));
    }
    let events: Vec<MeterEvent> = events.into_iter().collect();
    let mut books = Books::new(BlindingSecret::new([7; 32]), threads.clone());
    let file = books.batch_file_with(&blocks, &events).unwrap();
    seal(&mut books, file);
    (period_root(&books), events)
}

fn seal(books: &mut Books, file: Vec<u8>) {
    let batch = books.compute(Input::Batch(file)).unwrap();
    books.absorb(&batch.command, batch.file.as_deref()).unwrap();
}

fn period_root(books: &Books) -> Root {
    // A month in which nothing was measured has nothing to close.
    match books.compute(Input::Period("2026-03".parse().unwrap())) {
        Ok(closed) => match closed.command {
            Command::Period(commit) => commit.sealed.root,
            _ => unreachable!("a period was computed"),
        },
        Err(_) => Root { hash: ContentHash([0; 32]), count: 0 },
    }
}

/// How often something happened that the test is of.
#[derive(Debug, Default)]
struct Met {
    conflicts: u64,
    corrected: u64,
    duplicates: u64,
    batches: u64,
    layered_days: usize,
    reopened: u64,
}

fn deliver_all(
    data: &Path,
    said: &[Said],
    threads: &Threads,
    random: &mut Random,
    met: &mut Met,
) -> (Root, Vec<MeterEvent>) {
    let mut books = Books::new(BlindingSecret::new([7; 32]), threads.clone());
    let memory_size = [usize::MAX, 0, 3_000][random.index(3)];
    let limits = IntakeLimits { memory_size, ..IntakeLimits::default() };
    let open = |books: &Books| Intake::open_bounded(data, books, limits).unwrap();
    let mut intake = open(&books);
    let zone = Zone::parse("UTC").unwrap();
    let mut rest = said;
    while !rest.is_empty() {
        let count = (1 + random.index(12)).min(rest.len());
        let (part, after) = rest.split_at(count);
        rest = after;
        let number = u8::try_from(rest.len() % 251).unwrap();
        let delivery = Delivery {
            books: &books,
            id: ContentHash([number; 32]),
            name: "case",
            zone: &zone,
            source: Source::Automated,
            now: UtcSeconds(START + 90 * 86_400),
        };
        let report = intake
            .deliver(&delivery, &mut |sink| {
                part.iter().zip(1..).for_each(|(said, line)| said.hand_over(sink, line));
            })
            .unwrap();
        assert!(report.counts.is_balanced(), "{report:?}");
        met.conflicts += report.counts.conflict;
        met.corrected += report.counts.corrected;
        met.duplicates += report.counts.duplicate;
        if random.below(6) == 0 {
            drop(intake);
            intake = open(&books);
            met.reopened += 1;
        }
        if rest.is_empty() || random.below(4) == 0 {
            if let Some(file) = intake.batch_file(&books).unwrap() {
                seal(&mut books, file);
                met.batches += 1;
            }
            assert_eq!(intake.batch_file(&books).unwrap(), None, "nothing is sealed twice");
            // A crash may come before the log starts over.
            if random.below(3) > 0 {
                intake.rotate().unwrap();
            }
        }
    }
    (period_root(&books), books.events())
}

#[test]
fn a_thousand_cases_come_to_the_same_however_they_come() {
    let threads = [1, 2, 3, 5].map(|count| Threads::new(count).unwrap());
    let mut met = Met::default();
    for case in 0..CASE_COUNT {
        let mut random = Random(SEED ^ (case << 20));
        let said: Vec<Said> = (0..4 + random.index(16)).map(|_| Said::any(&mut random)).collect();
        let (root, events) = naive(&said, &threads[0]);
        met.layered_days += usize::from(events.iter().any(|event| matches!(event, MeterEvent::Layer(_))));
        let mut dealt: Vec<Said> = said.iter().flat_map(|said| said.split(&mut random)).collect();
        for _ in 0..random.below(5) {
            dealt.push(dealt[random.index(dealt.len())].clone());
        }
        for at in (1..dealt.len()).rev() {
            dealt.swap(at, random.index(at + 1));
        }
        let folder = in_memory_folder();
        let own = &threads[random.index(4)];
        let (own_root, own_events) = deliver_all(folder.path(), &dealt, own, &mut random, &mut met);
        assert_eq!(own_events, events, "seed {SEED}, case {case}, of {said:#?}, dealt as {dealt:#?}");
        assert_eq!(own_root, root, "seed {SEED}, case {case}, of {said:#?}, dealt as {dealt:#?}");
    }
    let cases = usize::try_from(CASE_COUNT).unwrap();
    assert!(
        met.layered_days > cases / 2 && met.conflicts > CASE_COUNT && met.corrected > CASE_COUNT,
        "{met:?}"
    );
    assert!(
        met.duplicates > CASE_COUNT && met.batches > CASE_COUNT && met.reopened > CASE_COUNT / 4,
        "{met:?}"
    );
    eprintln!("{met:?}");
}

/// Thousands of syncs: where there is one, on a disk that is memory.
fn in_memory_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
