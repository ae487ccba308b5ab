//! Decode: the same month of one region from day rows, wide rows and NEM12 into a sink that only counts.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use tallywatt_core::reading::RawReading;
use tallywatt_core::rejection::Rejection;
use tallywatt_fixtures::profile::{DayConditions, SLOT_COUNT, half_hours};
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_fixtures::write::{ReadingFormat, parts, write_part};
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::ReadingSink;

use crate::town::town;

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
    /// Things set aside.
    pub rejection_count: u64,
}

impl ReadingSink for Counted {
    fn reading(&mut self, reading: RawReading) {
        self.reading_count += 1;
        self.energy_wh += reading.energy_wh;
    }

    fn reject(&mut self, _rejection: Rejection) {
        self.rejection_count += 1;
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
}

/// The three layouts of the same readings.
///
/// # Panics
/// If the town is too large for one NEM12 file.
#[must_use]
pub fn cases(household_count: u64, day_count: u32) -> [Case; 3] {
    let town = town(household_count, day_count);
    let builtin = |name| {
        let profile = Profile::builtin(name).and_then(|profile| profile.with_zone(REGION.zone_name()));
        profile.expect("the profile comes with the program")
    };
    let wide = Profile::parse("wide", WIDE_PROFILE).expect("the profile above is sound");
    [
        Case { name: "day", profile: builtin("tallywatt"), bytes: written(&town, ReadingFormat::DayCsv) },
        Case { name: "wide", profile: wide, bytes: wide_rows(&town) },
        Case { name: "nem12", profile: builtin("nem12"), bytes: written(&town, ReadingFormat::Nem12) },
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

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_layouts_one_result() {
        // 13 households and their head meter, two days.
        let want = Counted { reading_count: 14 * 2 * 48, energy_wh: ENERGY_WH, rejection_count: 0 };
        for case in cases(16, 2) {
            assert_eq!(case.run(), want, "{}", case.name);
        }
    }
    const ENERGY_WH: i64 = 577_350;
}
