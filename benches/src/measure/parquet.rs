//! Bills straight from a foreign Parquet file: the one the rivals read.

use std::time::Instant;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::columns::rate_mixed;
use tallywatt_core::determinants::{DayPattern, RunningUse};
use tallywatt_fixtures::country::{self, SLOT_COUNT, tariffs::patterns, tariffs::plans};
use tallywatt_shards::scan::{ScanColumns, ScanFile, ScanKey, ScanRun, ScanValues};

use super::store::{BillSums, plans_of, sums};
use super::{Answer, Failure, Setup, files};

/// Rows of one value: `meter_id`, `ts`, `wh`.
pub const PARQUET_FILE: &str = "readings.parquet";
const STEP_SECONDS: u32 = 1_800;
const DAY_SECONDS: i64 = 86_400;

/// The meters of one row group, in its order.
#[derive(Default)]
struct Group {
    numbers: Vec<u64>,
    uses: Vec<RunningUse>,
    /// The start of a day whose rest comes with the next run.
    begun: Vec<i32>,
    /// What is not as the country's files are.
    odd: Option<String>,
}

impl Group {
    fn take(&mut self, run: &ScanRun<'_>, (origin, patterns): (UtcSeconds, &[DayPattern; 2])) {
        if let Err(odd) = self.add(run, origin, patterns) {
            self.odd.get_or_insert(odd);
        }
    }

    fn add(
        &mut self,
        run: &ScanRun<'_>,
        origin: UtcSeconds,
        patterns: &[DayPattern; 2],
    ) -> Result<(), String> {
        let (ScanKey::Number(number), ScanValues::Int32(mut values_wh)) = (run.usage_point, run.values_wh)
        else {
            return Err("meters are numbers, values 32 bits".to_owned());
        };
        let number = u64::try_from(number).map_err(|error| error.to_string())?;
        if self.numbers.last() != Some(&number) {
            self.numbers.push(number);
            self.uses.push(RunningUse::default());
        }
        let seconds = run.first_start.0 - origin.0;
        let begun = i64::try_from(self.begun.len()).map_err(|error| error.to_string())?;
        let begun_seconds = begun * i64::from(STEP_SECONDS);
        let is_odd = seconds.rem_euclid(DAY_SECONDS) != begun_seconds
            || seconds < 0
            || (run.step_seconds != STEP_SECONDS && values_wh.len() > 1);
        if is_odd {
            return Err(format!("a gap before {} of meter {number}", run.first_start));
        }
        let mut day = u64::try_from(seconds / DAY_SECONDS).map_err(|error| error.to_string())?;
        let sum = self.uses.last_mut().expect("pushed above");
        let mut add = |values_wh: &[i32], day: u64| {
            let pattern = &patterns[usize::from(country::is_weekend(u32::try_from(day).unwrap_or(u32::MAX)))];
            sum.add_day(values_wh, pattern).map_err(|error| error.to_string())
        };
        if !self.begun.is_empty() {
            let (rest, after) = values_wh.split_at(values_wh.len().min(SLOT_COUNT - self.begun.len()));
            self.begun.extend_from_slice(rest);
            values_wh = after;
            if self.begun.len() < SLOT_COUNT {
                return Ok(());
            }
            add(&self.begun, day)?;
            self.begun.clear();
            day += 1;
        }
        let (days, rest) = values_wh.as_chunks::<SLOT_COUNT>();
        for (values_wh, day) in days.iter().zip(day..) {
            add(values_wh, day)?;
        }
        self.begun.extend_from_slice(rest);
        Ok(())
    }
}

/// Bills every meter from [`PARQUET_FILE`].
///
/// # Errors
/// [`Failure`], also if a meter's days are not whole or in one row group.
pub fn bill(setup: &Setup) -> Result<Answer, Failure> {
    let (patterns, plans, origin) = (patterns(), plans(), files::local_day(0)?.start);
    let start = Instant::now();
    let columns = ScanColumns { usage_point: "meter_id", start: "ts", energy: "wh" };
    let file = ScanFile::open(&setup.path(PARQUET_FILE), columns)?;
    let groups =
        file.fold(&setup.threads, Group::default, |group, run| group.take(&run, (origin, &patterns)))?;
    let mut all = BillSums::default();
    for group in groups {
        let is_whole = |sum: &RunningUse| sum.day_count() == setup.day_count;
        if let Some(odd) = group.odd {
            return Err(odd.into());
        }
        if !group.begun.is_empty() || !group.uses.iter().all(is_whole) {
            return Err("a meter's days are not all in one row group".into());
        }
        let mut totals = vec![0; group.uses.len()];
        rate_mixed(&plans, &plans_of(&group.numbers), &group.uses, &mut totals)?;
        all.add(&sums(&group.numbers, &group.uses, &totals));
    }
    Ok(Answer { took: start.elapsed(), sums: all.named(), parts: Vec::new() })
}
