//! The country's files: rows of one value by meter and time, and day-block frames by day and meter.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

use tallywatt_core::calendar::{Day, LocalDay, Zone};
use tallywatt_core::day_block::MergeCounts;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_fixtures::country::{self, Country, CountryMeter, SLOT_COUNT};
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::day_leaf::leaf_size;
use tallywatt_ledger::day_pack::{PACK_FILE_MAGIC, PackWriter, Qualities};
use tallywatt_shards::day_slot;

use super::{Answer, Failure, Setup, side_by_side};

/// Rows of one value.
pub const CSV_FILE: &str = "readings.csv";
/// What [`CSV_FILE`] begins with.
pub const CSV_HEADER: &str = "meter_id,ts,wh\n";
/// Frames.
pub const FRAMES_FILE: &str = "readings.frames";
/// The country's stamps are taken for this zone's.
pub const ZONE: &str = "UTC";
/// Packs of frames.
pub const PACKS_FILE: &str = "readings.packs";
/// Bytes of a frame of 48 half-hours.
pub const FRAME_SIZE: usize = leaf_size(SLOT_COUNT);

const PART_METER_COUNT: usize = 4_096;
/// One value a row, sorted by meter and then by time: what other programs read, too.
const CSV_PROFILE: &str = r#"
format = "csv"
layout = "long"
unit = "Wh"
stamp_format = "YYYY-MM-DD HH:mm:ss"
zone = "UTC"
interval_minutes = 30

[columns]
usage_point = "meter_id"
start = "ts"
value = "wh"
"#;

/// How [`CSV_FILE`] is read, its stamps taken for those of [`ZONE`].
///
/// # Errors
/// Never: the profile is sound.
pub fn csv_profile() -> Result<Profile, Failure> {
    Ok(Profile::parse("long", CSV_PROFILE)?)
}

/// Where day `at` of the country lies.
///
/// # Errors
/// [`Failure`] past the calendar.
pub fn local_day(at: u16) -> Result<LocalDay, Failure> {
    Ok(Zone::parse(ZONE)?.local_day(day(at)?))
}

/// Day `at` of the country.
///
/// # Errors
/// [`Failure`] past the calendar.
pub fn day(at: u16) -> Result<Day, Failure> {
    country::day(at.into()).ok_or_else(|| "more days than the calendar has".into())
}

/// Writes a meter's frame of one day into `frame`, of [`FRAME_SIZE`] bytes.
///
/// # Panics
/// Never: every day of the country has 48 half-hours.
pub fn write_frame(meter: &CountryMeter, at: u16, local: &LocalDay, frame: &mut [u8]) {
    let mut values_wh = [0; SLOT_COUNT];
    meter.fill_day(at.into(), &mut values_wh);
    let point = meter.usage_point();
    let header = day_slot::empty_header(point.padded(), Register::IMPORT, local, 30, Source::Automated);
    day_slot::write_empty(&header.expect("a day of 24 hours"), frame);
    for (slot, &wh) in values_wh.iter().enumerate() {
        day_slot::put(frame, slot, (wh, Quality::Valid), &mut MergeCounts::default());
    }
}

/// Energy of all meters on all days.
///
/// # Errors
/// [`Failure`] if there can be no such country.
pub fn energy_wh(setup: &Setup) -> Result<i64, Failure> {
    let country = Country::new(setup.meter_count)?;
    let parts = side_by_side(&setup.threads, 0..part_count(setup)?, |part| {
        let mut values_wh = [0; SLOT_COUNT];
        let mut energy_wh = 0_i64;
        for meter in meters(country, part) {
            for at in 0..setup.day_count {
                meter.fill_day(at.into(), &mut values_wh);
                energy_wh += values_wh.iter().map(|&wh| i64::from(wh)).sum::<i64>();
            }
        }
        energy_wh
    });
    Ok(parts.into_iter().sum())
}

/// Writes [`CSV_FILE`].
///
/// # Errors
/// [`Failure`].
pub fn prepare_csv(setup: &Setup) -> Result<Answer, Failure> {
    let country = Country::new(setup.meter_count)?;
    let mut file = BufWriter::new(File::create(setup.path(CSV_FILE))?);
    file.write_all(CSV_HEADER.as_bytes())?;
    let dates: Vec<Day> = (0..setup.day_count).map(day).collect::<Result<_, _>>()?;
    let mut values_wh = [0; SLOT_COUNT];
    for number in 0..setup.meter_count {
        let meter = country.meter(number);
        for (at, date) in (0..).zip(&dates) {
            meter.fill_day(at, &mut values_wh);
            for (slot, wh) in values_wh.iter().enumerate() {
                writeln!(file, "{number},{date} {:02}:{:02}:00,{wh}", slot / 2, slot % 2 * 30)?;
            }
        }
    }
    file.flush()?;
    Ok(prepared(setup))
}

/// Writes [`FRAMES_FILE`].
///
/// # Errors
/// [`Failure`].
pub fn prepare_frames(setup: &Setup) -> Result<Answer, Failure> {
    let country = Country::new(setup.meter_count)?;
    let mut file = File::create(setup.path(FRAMES_FILE))?;
    let (part_count, some) = (part_count(setup)?, 4 * setup.threads.count());
    for at in 0..setup.day_count {
        let local = local_day(at)?;
        for start in (0..part_count).step_by(some) {
            let parts = side_by_side(&setup.threads, start..part_count.min(start + some), |part| {
                let mut frames = vec![0; PART_METER_COUNT * FRAME_SIZE];
                let mut size = 0;
                for (meter, frame) in meters(country, part).zip(frames.chunks_exact_mut(FRAME_SIZE)) {
                    write_frame(&meter, at, &local, frame);
                    size += FRAME_SIZE;
                }
                frames.truncate(size);
                frames
            });
            parts.iter().try_for_each(|frames| file.write_all(frames))?;
        }
    }
    Ok(prepared(setup))
}

/// Writes [`PACKS_FILE`].
///
/// # Errors
/// [`Failure`].
pub fn prepare_packs(setup: &Setup) -> Result<Answer, Failure> {
    let country = Country::new(setup.meter_count)?;
    let mut file = File::create(setup.path(PACKS_FILE))?;
    file.write_all(&PACK_FILE_MAGIC)?;
    let (part_count, some) = (part_count(setup)?, 4 * setup.threads.count());
    for at in 0..setup.day_count {
        let local = local_day(at)?;
        for start in (0..part_count).step_by(some) {
            let parts = side_by_side(&setup.threads, start..part_count.min(start + some), |part| {
                let (mut pack, mut packs) = (PackWriter::default(), Vec::new());
                for meter in meters(country, part) {
                    pack.make_room(&mut packs);
                    push_day(&meter, at, &local, &mut pack);
                }
                pack.finish(&mut packs);
                packs
            });
            parts.iter().try_for_each(|packs| file.write_all(packs))?;
        }
    }
    // What is measured next must not wait for what was prepared.
    file.sync_all()?;
    Ok(prepared(setup))
}

fn push_day(meter: &CountryMeter, at: u16, local: &LocalDay, pack: &mut PackWriter) {
    let mut values_wh = [0; SLOT_COUNT];
    meter.fill_day(at.into(), &mut values_wh);
    let point = meter.usage_point();
    let header = day_slot::empty_header(point.padded(), Register::IMPORT, local, 30, Source::Automated);
    let valid = Qualities::All(Quality::Valid.code());
    pack.push_day(&header.expect("a day of 24 hours"), &values_wh, valid);
}

/// Answer of a task that is not timed.
#[must_use]
pub fn prepared(setup: &Setup) -> Answer {
    let sums = vec![("readings", reading_count(setup))];
    Answer { took: Duration::ZERO, sums, parts: Vec::new() }
}

/// Readings of all meters on all days.
#[must_use]
pub fn reading_count(setup: &Setup) -> i128 {
    i128::from(setup.meter_count) * i128::from(setup.day_count) * 48
}

fn part_count(setup: &Setup) -> Result<usize, Failure> {
    Ok(usize::try_from(setup.meter_count)?.div_ceil(PART_METER_COUNT))
}

fn meters(country: Country, part: usize) -> impl Iterator<Item = CountryMeter> {
    let first = (part * PART_METER_COUNT) as u64;
    let end = country.meter_count().min(first + PART_METER_COUNT as u64);
    (first..end).map(move |number| country.meter(number))
}
