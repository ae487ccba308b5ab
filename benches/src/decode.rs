//! Decode: the same month of one region from day rows, wide rows, NEM12, rows of one value and frames into a sink
//! that only counts; the last two also by the reference, which reads every row and frame by itself.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use tallywatt_core::calendar::Day;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::meter::RegisterRead;
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::rejection::Rejection;
use tallywatt_fixtures::profile::{DayConditions, SLOT_COUNT, half_hours};
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_fixtures::write::{ReadingFormat, parts, write_part};
use tallywatt_ingest::decode::{decode, decode_by_row};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::{ReadingRun, ReadingSink};
use tallywatt_ledger::day_leaf::DayLeaf;

use crate::measure::files::{CSV_HEADER, csv_profile};
use crate::town::town;
use crate::wide;

const REGION: Region = Region::Yekaterinburg;

/// One stamp a row, one column a usage point.
const WIDE_PROFILE: &str = r#"
format = "csv"
layout = "wide"
unit = "Wh"
stamp_format = "YYYY-MM-DD HH:mm"
zone = "Asia/Yekaterinburg"
interval_minutes = 30

[columns]
start = "start"
"#;

/// What a file was found to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Values.
    pub reading_count: u64,
    /// Their sum.
    pub energy_wh: i64,
    /// Reads of cumulative registers.
    pub register_read_count: u64,
    /// Values taken back.
    pub withdrawn_count: u64,
    /// Things set aside.
    pub rejection_count: u64,
}

impl ReadingSink for Counted {
    fn reading(&mut self, reading: RawReading) {
        self.reading_count += 1;
        self.energy_wh += reading.energy_wh;
    }

    fn run(&mut self, run: &ReadingRun<'_>) {
        self.reading_count += wide(run.values_wh.len());
        self.energy_wh += run.values_wh.iter().sum::<i64>();
    }

    fn frame(&mut self, frame: &[u8], line: u64) {
        let leaf = DayLeaf::decode(frame).expect("a decoder hands over canonical frames");
        let _ = line;
        self.reading_count += wide(leaf.block().present_count());
        self.energy_wh += leaf.block().total_wh();
    }

    fn issued(&mut self, _issued: Issued) {}

    fn register_read(&mut self, _read: &RegisterRead, _line: u64) {
        self.register_read_count += 1;
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        self.withdrawn_count += wide(run.values_wh.len());
    }

    fn reject(&mut self, _rejection: Rejection) {
        self.rejection_count += 1;
    }

    fn line_done(&mut self, _line: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Counts frames by their size and number alone: what is left is the cost of checking them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct FramesOnly(Counted, u64);

impl ReadingSink for FramesOnly {
    fn reading(&mut self, reading: RawReading) {
        self.0.reading(reading);
    }

    fn frame(&mut self, frame: &[u8], _line: u64) {
        self.1 += wide(frame.len());
    }

    fn issued(&mut self, issued: Issued) {
        self.0.issued(issued);
    }

    fn register_read(&mut self, read: &RegisterRead, line: u64) {
        self.0.register_read(read, line);
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        self.0.withdraw(run);
    }

    fn reject(&mut self, rejection: Rejection) {
        self.0.reject(rejection);
    }

    fn line_done(&mut self, _line: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A file in memory and how it is read.
pub struct Case {
    /// The layout's name.
    pub name: &'static str,
    profile: Profile,
    bytes: Vec<u8>,
}

impl Case {
    /// Decodes the file.
    ///
    /// # Panics
    /// If the file is refused.
    #[must_use]
    pub fn run(&self) -> Counted {
        let mut counted = Counted::default();
        decode(&self.profile, "town.csv", &mut self.bytes.as_slice(), &mut counted)
            .expect("a generated file is sound");
        counted
    }

    /// Decodes the file by the reference.
    ///
    /// # Panics
    /// If the file is refused.
    #[must_use]
    pub fn run_by_row(&self) -> Counted {
        let mut counted = Counted::default();
        decode_by_row(&self.profile, "town.csv", &mut self.bytes.as_slice(), &mut counted)
            .expect("a generated file is sound");
        counted
    }

    /// Decodes the file into a sink that looks into no frame; gives the number of readings.
    ///
    /// # Panics
    /// If the file is refused.
    #[must_use]
    pub fn run_unopened(&self) -> u64 {
        decode(&self.profile, "town.csv", &mut self.bytes.as_slice(), &mut FramesOnly::default())
            .expect("a generated file is sound")
            .reading_count
    }
}

/// The five layouts of the same readings.
///
/// # Panics
/// If the town is too large for one NEM12 file.
#[must_use]
pub fn cases(household_count: u64, day_count: u32) -> [Case; 5] {
    let town = town(household_count, day_count);
    let builtin = |name| {
        let profile = Profile::builtin(name).and_then(|profile| profile.with_zone(REGION.zone_name()));
        profile.expect("the profile comes with the program")
    };
    let by_column = Profile::parse("wide", WIDE_PROFILE).expect("the profile above is sound");
    let long = csv_profile().and_then(|profile| Ok(profile.with_zone(REGION.zone_name())?));
    let long = long.expect("the profile of the country's rows is sound");
    [
        Case { name: "day", profile: builtin("tallywatt"), bytes: written(&town, ReadingFormat::DayCsv) },
        Case { name: "wide", profile: by_column, bytes: wide_rows(&town) },
        Case { name: "nem12", profile: builtin("nem12"), bytes: written(&town, ReadingFormat::Nem12) },
        Case { name: "long", profile: long, bytes: long_rows(&town) },
        Case { name: "frames", profile: builtin("frames"), bytes: written(&town, ReadingFormat::Frames) },
    ]
}

/// The same readings as day-block frames.
///
/// # Panics
/// Never: the profile comes with the program.
#[must_use]
pub fn frames(household_count: u64, day_count: u32) -> Case {
    let profile = Profile::builtin("frames").expect("the profile comes with the program");
    Case { name: "frames", profile, bytes: written(&town(household_count, day_count), ReadingFormat::Frames) }
}

fn written(town: &Town, format: ReadingFormat) -> Vec<u8> {
    let own: Vec<_> = parts(town, format).filter(|part| part.region == REGION).collect();
    let [part] = own.as_slice() else { panic!("{} files, one is measured", own.len()) };
    let mut bytes = Vec::new();
    write_part(town, part, &mut bytes, &mut |_| {}).expect("memory takes all that is written to it");
    bytes
}

/// Households and head meters, as the other formats have them.
fn wide_rows(town: &Town) -> Vec<u8> {
    let feeders: Vec<_> =
        (0..town.feeder_count_in(REGION)).map(|number| town.feeder(REGION, number)).collect();
    let mut text = "start".to_owned();
    for feeder in &feeders {
        let points = feeder.households().map(|household| household.usage_point());
        for point in points.chain([feeder.head_usage_point()]) {
            push(&mut text, format_args!(",{point}"));
        }
    }
    text.push('\n');
    for &day in town.days() {
        let conditions = DayConditions::new(town.seed(), REGION, day);
        let mut columns = Vec::new();
        for feeder in &feeders {
            let mut sum = [0; SLOT_COUNT];
            for household in feeder.households() {
                let values = half_hours(&household, &conditions);
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                columns.push(values);
            }
            columns.push(feeder.head_day(&sum, day));
        }
        for slot in 0..SLOT_COUNT {
            push(&mut text, format_args!("{day} {:02}:{:02}", slot / 2, slot % 2 * 30));
            for values in &columns {
                push(&mut text, format_args!(",{}", values[slot]));
            }
            text.push('\n');
        }
    }
    text.into_bytes()
}

/// One row a value, meter after meter, day after day, as [`csv_profile`] reads them.
fn long_rows(town: &Town) -> Vec<u8> {
    let mut text = CSV_HEADER.to_owned();
    let conditions: Vec<_> =
        town.days().iter().map(|&day| (day, DayConditions::new(town.seed(), REGION, day))).collect();
    let mut rows = |point: UsagePointId, day: Day, values: &[i32; SLOT_COUNT]| {
        for (slot, value) in values.iter().enumerate() {
            push(&mut text, format_args!("{point},{day} {:02}:{:02}:00,{value}\n", slot / 2, slot % 2 * 30));
        }
    };
    for feeder in (0..town.feeder_count_in(REGION)).map(|number| town.feeder(REGION, number)) {
        let mut sums = vec![[0; SLOT_COUNT]; conditions.len()];
        for household in feeder.households() {
            for ((day, conditions), sum) in conditions.iter().zip(&mut sums) {
                let values = half_hours(&household, conditions);
                sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                rows(household.usage_point(), *day, &values);
            }
        }
        for ((day, _), sum) in conditions.iter().zip(&sums) {
            rows(feeder.head_usage_point(), *day, &feeder.head_day(sum, *day));
        }
    }
    text.into_bytes()
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_layouts_one_result() {
        // 13 households and their head meter, two days.
        let want = Counted {
            reading_count: 14 * 2 * 48,
            energy_wh: ENERGY_WH,
            rejection_count: 0,
            ..Counted::default()
        };
        for case in cases(16, 2) {
            assert_eq!(case.run(), want, "{}", case.name);
            assert_eq!(case.run_by_row(), want, "{} by row", case.name);
            assert_eq!(case.run_unopened(), want.reading_count, "{} unopened", case.name);
        }
    }
    const ENERGY_WH: i64 = 577_350;
}
