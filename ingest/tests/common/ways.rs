//! All ways to decode a file, held against the reference; and seeded random input.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::ops::ControlFlow;

use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::meter::RegisterRead;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, RawReading, Source as ReadingSource};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::block_decoder::{After, BlockError, BlockSum, split};
use tallywatt_ingest::blocks::Block;
use tallywatt_ingest::decode::{DecodeSummary, decode, decode_by_row};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::{RUN_VALUE_COUNT_MAX, ReadingRun, ReadingSink};
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
    RegisterRead(RegisterRead, u64),
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

    fn register_read(&mut self, read: &RegisterRead, line: u64) {
        assert!(line > self.done);
        self.events.push(Event::RegisterRead(*read, line));
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

/// Block by block, each into a sink of its own, by workers that take turns.
fn by_blocks(profile: &Profile, bytes: &[u8], block_size: usize) -> (Told, bool) {
    let mut found = Events::default();
    let mut reader = bytes;
    let opened = split(profile, "meter.csv", &mut reader);
    let (decoder, blocks) = match opened {
        Err(refusal) => return (told(Err(refusal.to_string()), found), false),
        Ok(opened) => opened.unwrap(),
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
                return (told(Err(refusal.to_string()), found), false);
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
        return (told(result.map_err(|refusal| refusal.to_string()), found), true);
    }
    (told(sum.finish().map_err(|refusal| refusal.to_string()), found), false)
}

/// All ways agree on `bytes`; gives how many values came in runs, and whether a block leaned on earlier ones.
#[track_caller]
pub fn check(profile: &Profile, bytes: &[u8], block_size: usize, context: &str) -> (u64, bool) {
    let mut by_row = Events::default();
    let want = decode_by_row(profile, "meter.csv", &mut &bytes[..], &mut by_row)
        .map_err(|refusal| refusal.to_string());
    let want = told(want, by_row);
    let mut by_lane = Events::default();
    let got =
        decode(profile, "meter.csv", &mut &bytes[..], &mut by_lane).map_err(|refusal| refusal.to_string());
    let run_value_count = by_lane.run_value_count;
    let show = || format!("{context}\n{}", String::from_utf8_lossy(&bytes[..bytes.len().min(4_000)]));
    let same = |got: &Told, way: &str| {
        assert_eq!(got.0, want.0, "{way}, {}", show());
        if let Some(at) = (0..want.1.len().max(got.1.len())).find(|&at| want.1.get(at) != got.1.get(at)) {
            panic!("{way}, event {at}: {:?}, want {:?}, {}", got.1.get(at), want.1.get(at), show());
        }
        assert_eq!(got.2, want.2, "{way}: last line, {}", show());
    };
    same(&told(got, by_lane), "lane");
    let (got, leaned) = by_blocks(profile, bytes, block_size);
    same(&got, "blocks");
    (run_value_count, leaned)
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
