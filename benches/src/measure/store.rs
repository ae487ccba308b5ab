//! Bills of a month from our own store: a sealed batch file, opened and read, folded and rated.

use std::time::Instant;

use tallywatt_core::columns::rate_mixed;
use tallywatt_core::determinants::{DayPattern, RunningUse};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;
use tallywatt_fixtures::country::Country;
use tallywatt_fixtures::country::tariffs::{TARIFF_COUNT, patterns, plans};
use tallywatt_ledger::seal::{PARTITION_COUNT, SealError, SealKind, partition_of};
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::batch_file::writer::BatchWriter;
use tallywatt_shards::partition_sealer::{PartitionSealer, SealedPartition};
use tallywatt_shards::use_fold::{UsePeriod, fold_each};

use super::files::{self, FRAME_SIZE, prepared, write_frame};
use super::{Answer, Failure, Setup, side_by_side};
use crate::town::secret;

/// The store.
pub const STORE_FILE: &str = "store.twb";

/// What bills add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BillSums {
    /// Days billed.
    pub day_count: u64,
    /// Energy billed.
    pub energy_wh: i64,
    /// Sum of the bills, kopecks.
    pub total_kop: i64,
    /// The bills, each times its meter's weight.
    pub checksum: i64,
}

impl BillSums {
    /// Adds another part's.
    pub fn add(&mut self, part: &Self) {
        self.day_count += part.day_count;
        self.energy_wh += part.energy_wh;
        self.total_kop += part.total_kop;
        self.checksum += part.checksum;
    }

    /// As the worker says it.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, i128)> {
        vec![
            ("readings", i128::from(self.day_count) * 48),
            ("energy_wh", self.energy_wh.into()),
            ("total_kop", self.total_kop.into()),
            ("checksum", self.checksum.into()),
        ]
    }
}

/// Seals the country's days into [`STORE_FILE`], partition by partition.
///
/// # Errors
/// [`Failure`].
pub fn prepare(setup: &Setup) -> Result<Answer, Failure> {
    let country = Country::new(setup.meter_count)?;
    let mut meters: Vec<Vec<u64>> = vec![Vec::new(); PARTITION_COUNT];
    for number in 0..setup.meter_count {
        meters[usize::from(partition_of(&country.meter(number).usage_point()))].push(number);
    }
    let days = (0..setup.day_count).map(files::local_day).collect::<Result<Vec<_>, _>>()?;
    let secret = secret();
    let seal = |partition: usize| -> Result<SealedPartition, SealError> {
        let number = u8::try_from(partition).expect("a partition is below 256");
        let mut sealer = PartitionSealer::new(SealKind::Batch, number, &secret);
        let mut frame = [0; FRAME_SIZE];
        for &meter in &meters[partition] {
            let meter = country.meter(meter);
            for (at, local) in (0..).zip(&days) {
                write_frame(&meter, at, local, &mut frame);
                sealer.push(&frame)?;
            }
        }
        sealer.finish()
    };
    let mut writer = BatchWriter::create(&setup.path(STORE_FILE), SealKind::Batch, 1)?;
    let some = setup.threads.count();
    for start in (0..PARTITION_COUNT).step_by(some) {
        for part in side_by_side(&setup.threads, start..PARTITION_COUNT.min(start + some), seal) {
            writer.put(&part?)?;
        }
    }
    writer.finish_durably()?;
    Ok(prepared(setup))
}

/// Bills every meter from [`STORE_FILE`].
///
/// # Errors
/// [`Failure`], also if there are days that cannot be folded.
pub fn bill(setup: &Setup) -> Result<Answer, Failure> {
    let (patterns, plans) = (patterns(), plans());
    let start = Instant::now();
    let reader = BatchReader::open(&setup.path(STORE_FILE))?;
    let period = period(setup, &patterns)?;
    let parts = fold_each(&reader, &period, &setup.threads, |part| -> Result<BillSums, Failure> {
        if !part.irregular.is_empty() {
            return Err(format!("{} days are not whole", part.irregular.len()).into());
        }
        let mut totals = vec![0; part.uses.len()];
        let numbers = meter_numbers(&part.points)?;
        rate_mixed(&plans, &plans_of(&numbers), &part.uses, &mut totals)?;
        Ok(sums(&numbers, &part.uses, &totals))
    })?;
    let mut all = BillSums::default();
    for part in parts {
        all.add(&part?);
    }
    Ok(Answer { took: start.elapsed(), sums: all.named(), parts: Vec::new() })
}

/// The days that are billed.
///
/// # Errors
/// [`Failure`] past the calendar.
pub fn period<'a>(setup: &Setup, patterns: &'a [DayPattern; 2]) -> Result<UsePeriod<'a>, Failure> {
    let day_count = setup.day_count;
    Ok(UsePeriod { register: Register::IMPORT, first: files::day(0)?, day_count, patterns })
}

/// The number in each name: digits, behind an `M` or by themselves.
///
/// # Errors
/// [`Failure`] for another name.
pub fn meter_numbers(points: &[UsagePointId]) -> Result<Vec<u64>, Failure> {
    let number = |point: &UsagePointId| {
        let name = point.as_str();
        name.strip_prefix('M')
            .unwrap_or(name)
            .parse::<u64>()
            .map_err(|_| format!("{name} is no meter").into())
    };
    points.iter().map(number).collect()
}

/// The tariff of each meter.
#[must_use]
pub fn plans_of(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().map(|number| (number % TARIFF_COUNT as u64).to_le_bytes()[0]).collect()
}

/// What some bills add up to.
#[must_use]
pub fn sums(numbers: &[u64], uses: &[RunningUse], totals: &[i64]) -> BillSums {
    let mut sums = BillSums::default();
    for ((number, one), &total) in numbers.iter().zip(uses).zip(totals) {
        sums.day_count += u64::from(one.day_count());
        sums.energy_wh += one.total_wh();
        sums.total_kop += total;
        sums.checksum += (number % 1_009 + 1).cast_signed() * total;
    }
    sums
}
