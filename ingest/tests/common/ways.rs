//! All ways to decode a file, held against the reference; and seeded random input.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::ops::ControlFlow;

use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, RawReading, Source as ReadingSource};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::block_decoder::{After, BlockError, BlockSum, split};
use tallywatt_ingest::blocks::Block;
use tallywatt_ingest::decode::{DecodeSummary, decode, decode_by_row};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::{RUN_VALUE_COUNT_MAX, ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_ledger::day_leaf::DayLeaf;

/// The same numbers for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }

    pub fn one_in(&mut self, limit: usize) -> bool {
        self.below(limit) == 0
    }

    pub fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Reading(RawReading),
    Issued(Issued),
    RegisterRead(RegisterRead, ReadOrigin),
    Installation(Installation, u64),
    Withdrawn(RawReading),
    Rejection(Rejection),
}

/// Everything in order; checks what a decoder promises of runs and lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Events {
    pub events: Vec<Event>,
    done: u64,
    /// Values that came in runs of more than one.
    run_value_count: u64,
}

impl ReadingSink for Events {
    fn reading(&mut self, reading: RawReading) {
        assert!(reading.line > self.done);
        self.events.push(Event::Reading(reading));
    }

    fn run(&mut self, run: &ReadingRun<'_>) {
        assert!((1..=RUN_VALUE_COUNT_MAX).contains(&run.values_wh.len()));
        if run.values_wh.len() > 1 {
            self.run_value_count += run.values_wh.len() as u64;
        }
        run.readings().for_each(|reading| self.reading(reading));
        assert_eq!(run.readings().last().unwrap().line, run.last_line());
    }

    fn issued(&mut self, issued: Issued) {
        self.events.push(Event::Issued(issued));
    }

    fn register_read(&mut self, read: &RegisterRead, origin: ReadOrigin) {
        assert!(origin.line > self.done);
        self.events.push(Event::RegisterRead(*read, origin));
    }

    fn installation(&mut self, installation: &Installation, line: u64) {
        assert!(line > self.done);
        self.events.push(Event::Installation(*installation, line));
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        assert!(run.first_line > self.done);
        self.events.extend(run.readings().map(Event::Withdrawn));
    }

    fn reject(&mut self, rejection: Rejection) {
        assert!(rejection.line > self.done);
        self.events.push(Event::Rejection(rejection));
    }

    fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        assert!(line > self.done);
        self.done = line;
        ControlFlow::Continue(())
    }
}

type Told = (Result<DecodeSummary, String>, Vec<Event>, u64);

fn told(result: Result<DecodeSummary, String>, found: Events) -> Told {
    // What a refused file gave before is dropped, but a short way gives the same.
    (result, found.events, found.done)
}

/// Block by block, each into a sink of its own, by workers that take turns; `None` for a format that is read whole.
fn by_blocks(profile: &Profile, bytes: &[u8], block_size: usize) -> Option<(Told, bool)> {
    let mut found = Events::default();
    let mut reader = bytes;
    let opened = split(profile, "meter.csv", &mut reader);
    let (decoder, blocks) = match opened {
        Err(refusal) => return Some((told(Err(words(&refusal)), found), false)),
        Ok(opened) => opened?,
    };
    let mut blocks = blocks.in_blocks_of(block_size);
    let mut workers = [decoder.worker(), decoder.worker(), decoder.worker()];
    let mut sum = BlockSum::new(&decoder);
    let mut block = Block::default();
    let mut count = 0;
    let mut leaned = false;
    while blocks.read(&mut block).unwrap() {
        let mut part = Events { done: block.first_line() - 1, ..Events::default() };
        match workers[count % 3].decode(&block, &mut part).and_then(|end| sum.add(&end)) {
            Ok(()) => {
                found.events.append(&mut part.events);
                // A block of blank lines says nothing.
                found.done = if part.done >= block.first_line() { part.done } else { found.done };
            }
            Err(BlockError::Refused(refusal)) => {
                found.events.append(&mut part.events);
                found.done = if part.done >= block.first_line() { part.done } else { found.done };
                return Some((told(Err(words(&refusal)), found), false));
            }
            Err(BlockError::Earlier { .. }) => {
                leaned = true;
                break;
            }
        }
        count += 1;
    }
    if leaned {
        // The rest from the start, behind the last line of the last block that was taken.
        let line = block.first_line() - 1;
        let result = decode(profile, "meter.csv", &mut &bytes[..], &mut After { line, sink: &mut found });
        return Some((told(result.map_err(|refusal| words(&refusal)), found), true));
    }
    Some((told(sum.finish().map_err(|refusal| words(&refusal)), found), false))
}

/// All ways agree on `bytes`; gives how many values came in runs, and whether a block leaned on earlier ones.
#[track_caller]
pub fn check(profile: &Profile, bytes: &[u8], block_size: usize, context: &str) -> (u64, bool) {
    let (want, run_value_count) = check_lane(profile, "meter.csv", bytes, context);
    let Some((got, leaned)) = by_blocks(profile, bytes, block_size) else { return (run_value_count, false) };
    same(&got, &want, "blocks", bytes, context);
    (run_value_count, leaned)
}

/// The short way agrees with the reference on a file that is read whole; gives how many values came in runs.
#[track_caller]
pub fn check_whole(profile: &Profile, file_name: &str, bytes: &[u8], context: &str) -> u64 {
    check_lane(profile, file_name, bytes, context).1
}

/// What a refusal says, which has to say what to do.
pub fn words(refusal: &FileRefusal) -> String {
    assert!(!refusal.next_step().is_empty() && !refusal.to_string().is_empty());
    refusal.to_string()
}

/// What a summary counts is what was handed over, and what was set aside has a reason and a place.
#[track_caller]
fn adds_up((result, events, _): &Told, bytes: &[u8], context: &str) {
    let mut want = DecodeSummary::default();
    for event in events {
        match event {
            Event::Reading(_) => want.reading_count += 1,
            Event::RegisterRead(..) => want.register_read_count += 1,
            Event::Installation(..) => want.installation_count += 1,
            Event::Withdrawn(_) => want.withdrawn_count += 1,
            Event::Issued(_) => {}
            Event::Rejection(rejection) => {
                want.rejected_count += u64::from(rejection.reading_count);
                let has_place = (1..=bytes.len() as u64 + 1).contains(&rejection.line);
                assert!(has_place && !rejection.code.reason().is_empty(), "{rejection:?}, {context}");
            }
        }
    }
    if let Ok(summary) = result {
        let got = DecodeSummary {
            reading_count: summary.reading_count,
            register_read_count: summary.register_read_count,
            installation_count: summary.installation_count,
            withdrawn_count: summary.withdrawn_count,
            rejected_count: summary.rejected_count,
            ..DecodeSummary::default()
        };
        assert_eq!(got, want, "{context}");
    }
}

#[track_caller]
fn check_lane(profile: &Profile, file_name: &str, bytes: &[u8], context: &str) -> (Told, u64) {
    let mut by_row = Events::default();
    let want =
        decode_by_row(profile, file_name, &mut &bytes[..], &mut by_row).map_err(|refusal| words(&refusal));
    let want = told(want, by_row);
    adds_up(&want, bytes, context);
    let mut by_lane = Events::default();
    let got = decode(profile, file_name, &mut &bytes[..], &mut by_lane).map_err(|refusal| words(&refusal));
    let run_value_count = by_lane.run_value_count;
    same(&told(got, by_lane), &want, "lane", bytes, context);
    (want, run_value_count)
}

#[track_caller]
fn same(got: &Told, want: &Told, way: &str, bytes: &[u8], context: &str) {
    let show = || format!("{context}\n{}", String::from_utf8_lossy(&bytes[..bytes.len().min(4_000)]));
    assert_eq!(got.0, want.0, "{way}, {}", show());
    if let Some(at) = (0..want.1.len().max(got.1.len())).find(|&at| want.1.get(at) != got.1.get(at)) {
        panic!("{way}, event {at}: {:?}, want {:?}, {}", got.1.get(at), want.1.get(at), show());
    }
    assert_eq!(got.2, want.2, "{way}: last line, {}", show());
}

pub fn frame(dice: &mut Dice) -> Vec<u8> {
    let zone = Zone::parse(dice.of(&["UTC", "Europe/Amsterdam"])).unwrap();
    let local = zone.local_day(dice.of(&["2026-03-01", "2026-03-29", "2026-10-25"]).parse().unwrap());
    let point = dice.of(&["A", "EKB-000017"]).parse().unwrap();
    let minutes = *dice.of(&[&15, &30, &60]);
    let mut block =
        DayBlock::empty(point, Register::IMPORT, local, minutes, ReadingSource::Synthetic).unwrap();
    for at in 0..block.interval_count() {
        let quality = *dice.of(&[&Quality::Valid, &Quality::Valid, &Quality::Raw, &Quality::Missing]);
        block.put(at, i32::try_from(dice.below(9_000)).unwrap(), quality, &mut MergeCounts::default());
    }
    DayLeaf::frame(block).bytes().to_vec()
}
