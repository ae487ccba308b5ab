//! Corrections and meter events through intake, batches and books: what stands, what stood, what waits, what is refused.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;
#[path = "common/tiny.rs"]
mod tiny;

use common::Ledger;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock, MergeCounts};
use tallywatt_core::day_layers::{DayLayers, DayState};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::Label;
use tallywatt_core::layer::{CorrectionReason, LayerHead, LayerKind};
use tallywatt_core::meter::{DialReading, Installation, Multiplier, RegisterRead};
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::quality::Quality::{self, Edited, Missing, Questionable, Valid};
use tallywatt_core::reading::{Issued, Source};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_node::audit::audit;
use tallywatt_node::books::{Books, Input};
use tallywatt_node::intake::{ByHand, Delivery, ImportEnd, ImportReport, Intake, Values};
use tallywatt_shards::intake_record::IntakeCounts;
use tallywatt_shards::threads::Threads;

/// 2026-03-10 00:00 UTC.
const START: i64 = 1_773_100_800;

fn zone() -> Zone {
    Zone::parse("UTC").unwrap()
}

fn key() -> BlockKey {
    let day = "2026-03-10".parse().unwrap();
    BlockKey { usage_point: "P-1".parse().unwrap(), register: Register::IMPORT, day }
}

fn anna() -> Label {
    "anna".parse().unwrap()
}

/// Books and an intake on top of them.
struct World {
    folder: tempfile::TempDir,
    books: Books,
    intake: Intake,
    delivery_count: u32,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let books = Books::new(BlindingSecret::new([7; 32]), Threads::new(2).unwrap());
        let intake = Intake::open(folder.path(), &books).unwrap();
        Self { folder, books, intake, delivery_count: 0 }
    }

    fn deliver(&mut self, fill: &mut dyn FnMut(&mut dyn ReadingSink)) -> IntakeCounts {
        self.delivery_count += 1;
        self.intake_of(self.delivery_count, fill)
    }

    fn intake_of(&mut self, number: u32, fill: &mut dyn FnMut(&mut dyn ReadingSink)) -> IntakeCounts {
        let zone = zone();
        let mut id = [1; 32];
        id[..4].copy_from_slice(&number.to_le_bytes());
        let delivery = Delivery {
            books: &self.books,
            id: ContentHash(id),
            name: "delivery",
            zone: &zone,
            source: Source::Automated,
            now: UtcSeconds(START + 90 * 86_400),
        };
        let report = self.intake.deliver(&delivery, fill).unwrap();
        assert!(report.counts.is_balanced(), "{report:?}");
        report.counts
    }

    /// Hours of the day from `hour` on, of an issue.
    fn values(&mut self, issued: u64, hour: i64, values_wh: &[i64]) -> IntakeCounts {
        self.deliver(&mut |sink| {
            sink.issued(Issued(issued));
            sink.run(&run(hour, values_wh));
        })
    }

    fn withdraw(&mut self, issued: u64, hour: i64, values_wh: &[i64]) -> IntakeCounts {
        self.deliver(&mut |sink| {
            sink.issued(Issued(issued));
            sink.withdraw(&run(hour, values_wh));
        })
    }

    fn by_hand<T>(&mut self, at: i64, work: impl FnOnce(&mut Intake, &ByHand<'_>) -> T) -> T {
        let zone = zone();
        let by = ByHand { books: &self.books, zone: &zone, who: anna(), at: UtcSeconds(START + at) };
        work(&mut self.intake, &by)
    }

    fn edit(&mut self, at: i64, hour: i64, values_wh: &[i64]) -> ImportReport {
        let values = values_of(hour, values_wh);
        let why = CorrectionReason::MeterFault;
        self.by_hand(10 * 86_400 + at, |intake, by| intake.edit(by, &values, why).unwrap())
    }

    /// Seals what is new; says whether anything was.
    fn cut(&mut self) -> bool {
        let Some(file) = self.intake.batch_file(&self.books).unwrap() else { return false };
        seal(&mut self.books, file);
        self.intake.rotate().unwrap();
        true
    }

    fn reopen(self) -> Self {
        let Self { folder, books, intake, delivery_count } = self;
        // The log is held as long as the intake is open.
        drop(intake);
        let intake = Intake::open(folder.path(), &books).unwrap();
        Self { folder, books, intake, delivery_count }
    }

    /// What stands in an hour, sealed or not.
    fn stands(&self, hour: usize) -> (i32, Quality) {
        let unsealed = self.intake.unsealed_blocks(&self.books).unwrap();
        let own = unsealed.iter().find(|block| block.key() == key());
        own.or_else(|| self.books.accepted().get(&key())).map_or((0, Missing), |block| block.interval(hour))
    }
}

fn run(hour: i64, values_wh: &[i64]) -> ReadingRun<'_> {
    ReadingRun {
        usage_point: key().usage_point,
        register: Register::IMPORT,
        start: UtcSeconds(START + hour * 3_600),
        interval_minutes: 60,
        quality: Valid,
        first_line: 1,
        lines_per_value: 0,
        values_wh,
    }
}

fn values_of(hour: i64, values_wh: &[i64]) -> Values<'_> {
    let (usage_point, register) = (key().usage_point, Register::IMPORT);
    Values { usage_point, register, start: UtcSeconds(START + hour * 3_600), interval_minutes: 60, values_wh }
}

fn seal(books: &mut Books, file: Vec<u8>) {
    let batch = books.compute(Input::Batch(file)).unwrap();
    books.absorb(&batch.command, batch.file.as_deref()).unwrap();
}

#[test]
fn a_later_issue_stands_and_both_are_remembered() {
    let mut world = World::new();
    let counts = world.values(1, 0, &[5; 24]);
    assert_eq!((counts.offered, counts.accepted), (24, 24));
    assert!(world.cut());
    assert_eq!(world.books.events(), [MeterEvent::Stamp { key: key(), issued: Issued(1) }]);
    // The same again changes nothing.
    assert_eq!(world.values(1, 0, &[5; 24]).duplicate, 24);
    assert!(!world.cut());
    let counts = world.values(2, 3, &[7, 5]);
    assert_eq!((counts.offered, counts.corrected), (2, 2));
    // An earlier one that comes later is outranked.
    assert_eq!(world.values(0, 3, &[9]).corrected, 1);
    assert!(world.cut());
    assert_eq!(world.stands(3), (7, Valid));
    let history = world.books.history(&key());
    let seen: Vec<_> = history
        .iter()
        .map(|one| (one.batch, one.revision, one.block.interval(3), one.layers.len()))
        .collect();
    assert_eq!(seen, [(1, 0, (5, Valid), 1), (2, 1, (7, Valid), 3)]);
    let as_of = |batch| world.books.as_of(batch).get(&key()).map(|block| block.interval(3));
    assert_eq!([as_of(0), as_of(1), as_of(2)], [None, Some((5, Valid)), Some((7, Valid))]);
}

#[test]
fn what_is_taken_back_does_not_stand() {
    let mut world = World::new();
    // Before it was ever delivered: it is kept, and the day is known.
    assert_eq!(world.withdraw(1, 4, &[5]).accepted, 1);
    assert_eq!(world.values(1, 0, &[5; 24]).offered, 24);
    assert_eq!((world.stands(3), world.stands(4)), ((5, Valid), (0, Missing)));
    assert!(world.cut());
    assert_eq!(world.withdraw(1, 3, &[5]).corrected, 1);
    assert_eq!(world.withdraw(1, 3, &[5]).duplicate, 1);
    world = world.reopen();
    assert_eq!(world.stands(3), (0, Missing));
    // Without a word of issues: taken back and delivered anew, across a cut and a restart.
    assert_eq!(world.values(0, 3, &[6]).accepted, 1);
    assert!(world.cut());
    assert_eq!(world.withdraw(0, 3, &[6]).corrected, 1);
    assert_eq!(world.stands(3), (0, Missing));
    world = world.reopen();
    assert_eq!(world.values(0, 3, &[8]).accepted, 1);
    assert_eq!(world.stands(3), (8, Valid));
    assert!(world.cut());
    assert_eq!(world.stands(3), (8, Valid));
}

#[test]
fn a_conflict_keeps_both_values() {
    let mut world = World::new();
    world.values(0, 0, &[5; 24]);
    assert_eq!(world.values(0, 3, &[7]).conflict, 1);
    assert_eq!(world.stands(3), (5, Questionable));
    assert!(world.cut());
    // The source takes the smaller one back, and the other stands.
    assert_eq!(world.withdraw(0, 3, &[5]).corrected, 1);
    assert_eq!((world.stands(3), world.stands(4)), ((7, Valid), (5, Valid)));
}

#[test]
fn a_person_sets_values_and_sets_them_back() {
    let mut world = World::new();
    world.values(0, 0, &[5; 24]);
    world.values(3, 2, &[6]);
    assert!(world.cut());
    let report = world.edit(0, 2, &[9, 9]);
    assert_eq!((report.counts.offered, report.counts.corrected), (2, 2), "{report:?}");
    assert_eq!([1, 2, 3].map(|hour| world.stands(hour)), [(5, Valid), (9, Edited), (9, Edited)]);
    // The very same step again is the same; in another second it changes nothing.
    assert_eq!(world.edit(0, 2, &[9, 9]).end, ImportEnd::Repeated);
    assert_eq!(world.edit(1, 2, &[9, 9]).counts.duplicate, 2);
    world = world.reopen();
    assert_eq!(world.edit(1, 3, &[5]).counts.corrected, 1);
    assert_eq!([2, 3].map(|hour| world.stands(hour)), [(9, Edited), (5, Edited)]);
    // A value that breaks a rule is set aside.
    let report = world.edit(2, 2, &[-1]);
    assert_eq!(report.rejected.get(&RejectionCode::Negative), Some(&1), "{report:?}");
    assert!(world.cut());
    let history = world.books.history(&key());
    let edits = history[1].layers.iter().filter(|layer| {
        let origin = layer.head.origin;
        origin.who == Some(anna()) && origin.reason == CorrectionReason::MeterFault && origin.at.is_some()
    });
    assert!(edits.count() >= 3, "{:?}", history[1].layers);
    let by_hand = world.by_hand(20 * 86_400, |intake, by| {
        let why = CorrectionReason::Settled;
        intake.withdraw(by, &values_of(5, &[5]), Issued::UNSAID, why).unwrap()
    });
    assert_eq!(by_hand.counts.corrected, 1);
    assert_eq!(world.stands(5), (0, Missing));
}

fn from_line(line: u64) -> ReadOrigin {
    ReadOrigin { line, who: None }
}

#[test]
fn dials_and_meters_are_kept_once() {
    let mut world = World::new();
    let read = |hour: i64, kwh: i64| RegisterRead {
        usage_point: key().usage_point,
        register: Register::IMPORT,
        at: UtcSeconds(START + hour * 3_600),
        meter: None,
        dial: DialReading::from_milliwatt_hours(kwh * 1_000_000),
        quality: Valid,
    };
    let meter = |serial: &str, from: i64, to: Option<i64>| Installation {
        usage_point: key().usage_point,
        register: Register::IMPORT,
        from: UtcSeconds(START + from * 3_600),
        meter: serial.parse().unwrap(),
        first: DialReading::from_milliwatt_hours(0),
        to: to.map(|to| (UtcSeconds(START + to * 3_600), DialReading::from_milliwatt_hours(7_000_000))),
        digits: 6,
        multiplier: Multiplier::ONE,
    };
    let reads = |sink: &mut dyn ReadingSink| {
        sink.register_read(&read(5, 100), from_line(1));
        sink.register_read(&read(0, 90), from_line(2));
        sink.register_read(&read(5, 100), from_line(3));
    };
    world.deliver(&mut { reads });
    world.deliver(&mut { reads });
    world = world.reopen();
    // A batch without a leaf.
    assert!(world.cut());
    world.deliver(&mut { reads });
    assert!(!world.cut());
    // Another dial at the same instant: both are kept.
    world.deliver(&mut |sink| sink.register_read(&read(5, 101), from_line(1)));
    let exchange = [meter("M-1", 0, Some(6)), meter("M-2", 6, None)];
    world.by_hand(86_400, |intake, by| intake.exchange(by, &exchange).unwrap());
    world = world.reopen();
    assert!(world.cut());
    let point = key().usage_point;
    let dials: Vec<_> = world.books.register_reads(&point).map(|one| one.read).collect();
    assert_eq!(dials, [read(0, 90), read(5, 100), read(5, 101)]);
    assert!(world.books.register_reads(&point).all(|one| one.received.is_none()));
    // The same dial of an issue is kept beside them, and says so; delivered again it is known.
    for is_new in [true, false] {
        world.deliver(&mut |sink| {
            sink.issued(Issued(1_773_200_000));
            sink.register_read(&read(5, 100), from_line(1));
        });
        assert_eq!(world.cut(), is_new);
    }
    let received: Vec<_> = world.books.register_reads(&point).map(|one| one.received).collect();
    assert_eq!(received, [None, None, Some(UtcSeconds(1_773_200_000)), None]);
    assert_eq!(world.books.installations(&point).copied().collect::<Vec<_>>(), exchange);
    assert_eq!(world.books.register_reads(&"P-2".parse().unwrap()).count(), 0);
}

/// A leaf that does not follow from its layers, or drops what was known, is refused by whoever recomputes the batch.
#[test]
fn batches_that_do_not_follow_are_refused() {
    let mut world = World::new();
    world.values(1, 0, &[5; 24]);
    world.values(2, 3, &[7]);
    assert!(world.cut());
    let known = world.books.accepted().get(&key()).unwrap().clone();
    let layers = DayState::layers_of(world.books.day_state(&key()), &known);
    let with = |issued: u64, value: i32| {
        let mut all = layers.clone();
        all.put(LayerHead::delivered(Issued(issued)), 3, (value, Valid));
        all
    };
    let events = |layers: &DayLayers| DayState::of(layers.clone()).unwrap().events(key());
    let mut other: DayBlock = known.emptied();
    for hour in 0..24 {
        other.put(hour, 8, Valid, &mut MergeCounts::default());
    }
    let good = with(3, 9);
    let fresh = DayLayers::of(other.clone(), Issued(3));
    let mut unordered = events(&good);
    unordered.truncate(unordered.len() - 1);
    let alone: &[DayBlock] = &[];
    let one = |block: DayBlock| vec![block];
    let table = [
        (one(good.fold()), events(&good), None),
        (one(known.clone()), events(&good), Some("it is not what its layers give")),
        (one(good.fold()), vec![], Some("it takes back layers known before")),
        (one(fresh.fold()), events(&fresh), Some("it takes back layers known before")),
        (one(good.fold()), unordered, Some("it is not what its layers give")),
        (alone.to_vec(), events(&layers), Some("nothing of its layers is new")),
        (alone.to_vec(), events(&good), Some("it is not what its layers give")),
        // A later issue of the same value: the leaf is as it was.
        (alone.to_vec(), events(&with(3, 7)), None),
        (alone.to_vec(), vec![stamp_of("P-9")], Some("it has layers and no leaf")),
    ];
    for (at, (blocks, events, want)) in table.into_iter().enumerate() {
        let file = world.books.batch_file_with(&blocks, &events).unwrap();
        let got = world.books.compute(Input::Batch(file)).map(drop).map_err(|error| error.to_string());
        match want {
            None => assert_eq!(got, Ok(()), "case {at}"),
            Some(want) => assert!(got.as_ref().is_err_and(|got| got.ends_with(want)), "case {at}: {got:?}"),
        }
    }
}

/// A stamp of a day of a usage point.
fn stamp_of(point: &str) -> MeterEvent {
    let key = BlockKey { usage_point: point.parse().unwrap(), ..key() };
    MeterEvent::Stamp { key, issued: Issued(3) }
}

/// What a bill used is replaced by itself only if the new value is near; else it waits for a word.
#[test]
fn what_was_billed_is_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let path = tiny::build(folder.path());
    let mut ledger = Ledger::open(&path, 2);
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    ledger.seal(&mut intake);
    let zone = Zone::parse("Asia/Yekaterinburg").unwrap();
    let at = UtcSeconds(common::now().0 - 86_400);
    let start = zone.local_day("2026-03-30".parse().unwrap()).start;
    let key = BlockKey { day: "2026-03-30".parse().unwrap(), ..key() };
    let delivery = |books, id: u8, values: &[i64], intake: &mut Intake| {
        let run = ReadingRun { start, interval_minutes: 30, ..run(0, values) };
        let (name, now, source) = ("late", common::now(), Source::Automated);
        let delivery = Delivery { books, id: ContentHash([id; 32]), name, zone: &zone, source, now };
        intake
            .deliver(&delivery, &mut |sink| {
                sink.issued(Issued(9));
                sink.run(&run);
            })
            .unwrap()
    };
    // The second is far from the 100 Wh that were billed.
    let report = delivery(ledger.books(), 1, &[150, 5_000], &mut intake);
    assert_eq!((report.counts.corrected, report.counts.rejected), (1, 1), "{report:?}");
    assert_eq!(report.rejected.get(&RejectionCode::Replacement), Some(&1));
    let value = |books: &Books, at| books.accepted().get(&key).unwrap().interval(at);
    let waiting = intake.pending(ledger.books());
    assert_eq!(waiting.len(), 1);
    ledger.seal(&mut intake);
    assert_eq!([0, 1].map(|at| value(ledger.books(), at)), [(150, Valid), (100, Valid)]);
    assert_eq!(ledger.books().pending().count(), 1);
    let by = ByHand { books: ledger.books(), zone: &zone, who: anna(), at };
    assert!(intake.approve(&by, &ContentHash([1; 32])).unwrap().is_none());
    let approved = intake.approve(&by, &waiting[0].0).unwrap().unwrap();
    assert_eq!(approved.counts.corrected, 1, "{approved:?}");
    assert_eq!(intake.pending(ledger.books()), []);
    drop(intake);
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    assert_eq!(intake.pending(ledger.books()), []);
    ledger.seal(&mut intake);
    assert_eq!(value(ledger.books(), 1), (5_000, Valid));
    assert_eq!(ledger.books().pending().count(), 0);
    // The others computed the same, and so does the audit.
    let path = ledger.path.clone();
    let threads = ledger.threads.clone();
    drop(ledger);
    let ledger = Ledger::open(&path, 1);
    for party in [Party::Grid, Party::Supplier] {
        assert_eq!(value(ledger.consortium.node(party).books(), 1), (5_000, Valid));
    }
    drop(ledger.consortium);
    let report = audit(&ledger.folder, &threads);
    assert_eq!(report.findings, []);
}

/// A day that is sealed with every value of it that comes, as pushes of five minutes do, is sealed however often.
#[test]
fn a_day_is_sealed_more_than_256_times() {
    let mut world = World::new();
    for round in 0..260_u32 {
        let issued = u64::from(round) + 1;
        world.intake_of(round, &mut |sink| {
            sink.issued(Issued(issued));
            sink.run(&run(3, &[i64::from(round)]));
        });
        assert!(world.cut(), "round {round}");
    }
    assert_eq!(world.stands(3), (259, Valid));
    let history = world.books.history(&key());
    let revisions: Vec<u8> = history.iter().map(|one| one.revision).collect();
    assert_eq!((revisions.len(), revisions[254], revisions[255], revisions[259]), (260, 254, 255, 255));
    assert_eq!(history[100].block.interval(3), (100, Valid));
}

/// Values that are each near what was billed, and together far from it, wait together; in what the pack of the day allows,
/// they pass.
#[test]
fn many_small_differences_are_a_large_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&tiny::build(folder.path()), 2);
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    ledger.seal(&mut intake);
    let zone = Zone::parse("Asia/Yekaterinburg").unwrap();
    let deliver = |ledger: &Ledger, intake: &mut Intake, id: u8, day: &str, values: &[i64]| {
        let start = zone.local_day(day.parse().unwrap()).start;
        let run = ReadingRun { start, interval_minutes: 30, ..run(0, values) };
        let (books, now, source) = (ledger.books(), common::now(), Source::Automated);
        let delivery = Delivery { books, id: ContentHash([id; 32]), name: "late", zone: &zone, source, now };
        let mut fill = |sink: &mut dyn ReadingSink| {
            sink.issued(Issued(9));
            sink.run(&run);
        };
        let counts = intake.deliver(&delivery, &mut fill).unwrap().counts;
        (counts.corrected, counts.duplicate, counts.rejected)
    };
    // 48 × 100 Wh were billed, and the guard is 1,000 Wh and a fifth: ten zeros pass, an eleventh does not.
    assert_eq!(deliver(&ledger, &mut intake, 1, "2026-03-30", &[0; 10]), (10, 0, 0));
    assert_eq!(deliver(&ledger, &mut intake, 2, "2026-03-30", &[0; 11]), (0, 10, 1));
    // 48 × 200 Wh.
    assert_eq!(deliver(&ledger, &mut intake, 3, "2026-03-31", &[0; 48]), (0, 0, 48));
    assert_eq!(intake.pending(ledger.books()).len(), 2);
    ledger.seal(&mut intake);
    drop(intake);
    ledger.publish(&["kind = \"rule-pack\"\nid = \"wide\"\ntitle = \"Wide\"\nsource = \"test\"\n\
                      valid_from = \"2026-03-31\"\n[default]\nreplacement_wh_max = 4000\n"]);
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    assert_eq!(deliver(&ledger, &mut intake, 5, "2026-03-31", &[0; 20]), (20, 0, 0));
    assert_eq!(deliver(&ledger, &mut intake, 6, "2026-03-30", &[0; 20]), (0, 10, 10));
}

/// The pack that was published bounds what intake takes, as far as its widest class does.
#[test]
fn intake_asks_the_published_pack() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&tiny::build(folder.path()), 2);
    let zone = Zone::parse("Asia/Yekaterinburg").unwrap();
    let start = zone.local_day("2026-04-02".parse().unwrap()).start;
    let deliver = |ledger: &Ledger, intake: &mut Intake, id: u8| {
        // 5,750 Wh in half an hour is 11.5 kW, or 10 kW and the margin.
        let run = ReadingRun { start, interval_minutes: 30, ..run(0, &[5_750, 5_751]) };
        let (books, source, now) = (ledger.books(), Source::Automated, start.plus(86_400 * 10));
        let delivery = Delivery { books, id: ContentHash([id; 32]), name: "late", zone: &zone, source, now };
        let report = intake.deliver(&delivery, &mut |sink| sink.run(&run)).unwrap();
        report.rejected.into_iter().collect::<Vec<_>>()
    };
    let publish = |ledger: &mut Ledger, id: &str, rules: &str| {
        let text = format!(
            "kind = \"rule-pack\"\nid = \"{id}\"\ntitle = \"T\"\nsource = \"test\"\nvalid_from = \"2026-01-01\"\n{rules}"
        );
        ledger.publish(&[&text]);
    };
    publish(&mut ledger, "one-class", "[class.residential]\npower_w_max = 10000\n");
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    assert_eq!(deliver(&ledger, &mut intake, 1), []);
    drop(intake);
    publish(&mut ledger, "power", "[default]\npower_w_max = 10000\n");
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    assert_eq!(deliver(&ledger, &mut intake, 2), [(RejectionCode::AboveCeiling, 1)]);
    drop(intake);
    publish(&mut ledger, "age", "[default]\nage_days_max = 9\n");
    let mut intake = Intake::open(&ledger.path, ledger.books()).unwrap();
    assert_eq!(deliver(&ledger, &mut intake, 3), [(RejectionCode::Stale, 2)]);
}

/// Each reading that was offered became one thing.
#[test]
fn counts_add_up_over_mixed_inputs() {
    let mut world = World::new();
    let counts = world.deliver(&mut |sink| {
        sink.run(&run(0, &[5, -1, 5, 5]));
        sink.run(&run(1, &[i64::MAX, 6, 5]));
        sink.issued(Issued(4));
        sink.run(&run(2, &[7, 7]));
        sink.withdraw(&run(2, &[7, 8]));
        sink.issued(Issued(0));
        sink.run(&ReadingRun { interval_minutes: 30, ..run(5, &[1]) });
        sink.run(&ReadingRun { quality: Quality::EstimatedLinear, ..run(0, &[4]) });
    });
    let want = IntakeCounts {
        offered: 13,
        accepted: 4,
        duplicate: 1,
        corrected: 4,
        conflict: 1,
        rejected: 3,
        refused: 0,
    };
    assert_eq!(counts, want);
    // Of a file that is broken nothing of the chunk at hand is used, and all of it is counted.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.frames");
    let mut day = DayBlock::empty(
        key().usage_point,
        Register::IMPORT,
        zone().local_day(key().day),
        60,
        Source::Automated,
    )
    .unwrap();
    (0..24).for_each(|hour| day.put(hour, 5, Valid, &mut MergeCounts::default()));
    let frame = DayLeaf::frame(day);
    let mut bent = frame.bytes().to_vec();
    bent[0] = 9;
    std::fs::write(&path, [frame.bytes(), &bent].concat()).unwrap();
    for threads in [1, 3] {
        let data = tempfile::tempdir().unwrap();
        let books = Books::new(BlindingSecret::new([7; 32]), Threads::new(threads).unwrap());
        let mut intake = Intake::open(data.path(), &books).unwrap();
        let profile = Profile::builtin("frames").unwrap().with_zone("UTC").unwrap();
        let (interrupt, progress) = (false.into(), &mut |_| {});
        let now = common::now();
        let mut run = tallywatt_node::intake::ImportRun {
            profile: &profile,
            books: &books,
            now,
            interrupt: &interrupt,
            progress,
            only_lines: None,
        };
        let [report] = intake.import(&path, &mut run).unwrap().try_into().unwrap();
        assert!(matches!(report.end, ImportEnd::Refused { .. }), "{report:?}");
        assert!(report.counts.is_balanced(), "{threads} threads: {report:?}");
        assert_eq!((report.counts.offered, report.counts.refused), (24, 24), "{threads} threads: {report:?}");
        assert_eq!(intake.unsealed_blocks(&books).unwrap(), []);
    }
}

#[test]
fn a_withdrawal_names_a_kind() {
    // What the events of a batch say of a withdrawal is said of no other kind.
    let mut world = World::new();
    world.withdraw(0, 0, &[5]);
    let events = world.intake.unsealed_events(&world.books).unwrap();
    let [MeterEvent::Layer(layer)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((layer.head.kind, layer.block.interval(0)), (LayerKind::Withdrawn, (5, Valid)));
    assert_eq!(world.stands(0), (0, Missing));
}
