//! Bills of a month from the uses kept at ingest, and their split: no reading is looked at.

use std::ops::Range;
use std::time::Instant;

use tallywatt_core::columns::{SplitPlan, due_columns, rate_mixed, split_columns};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::{ExactAmount, PricePerKwh};
use tallywatt_core::split::RunningSplit;
use tallywatt_fixtures::country::tariffs::{patterns, plans};
use tallywatt_ledger::seal::PARTITION_COUNT;
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::use_file::{KeptUse, UseReader, extend};

use super::files::prepared;
use super::store::{BillSums, STORE_FILE, meter_numbers, period, plans_of, sums};
use super::{Answer, Failure, Setup, side_by_side};

/// The uses.
pub const USE_FILE: &str = "store.twu";
/// The grid's part of a kilowatt-hour, 2.30, whatever its zone.
const GRID_RATE: PricePerKwh = PricePerKwh::from_e8(230_000_000);

/// Keeps the uses of the store in [`USE_FILE`], as is done when a batch is cut.
///
/// # Errors
/// [`Failure`].
pub fn prepare(setup: &Setup) -> Result<Answer, Failure> {
    let patterns = patterns();
    let batch = BatchReader::open(&setup.path(STORE_FILE))?;
    let period = period(setup, &patterns)?;
    extend(&setup.path(USE_FILE), None, &batch, (&period, ContentHash([1; 32])), &setup.threads)?;
    Ok(prepared(setup))
}

/// A partition, rated.
struct Rated {
    kept: KeptUse,
    totals: Vec<i64>,
    sums: BillSums,
    due: ExactAmount,
}

/// Bills and splits every meter from [`USE_FILE`].
///
/// # Errors
/// [`Failure`], also if the legs of some bills do not add up to them.
pub fn bill(setup: &Setup) -> Result<Answer, Failure> {
    let (plans, split) = (plans(), SplitPlan::per_kwh([GRID_RATE; 3]));
    let start = Instant::now();
    let reader = UseReader::open(&setup.path(USE_FILE))?;
    let rate = |partition: usize| -> Result<Rated, Failure> {
        let kept = reader.partition(u8::try_from(partition)?)?;
        if kept.irregular_counts.iter().any(|count| *count > 0) {
            return Err("some days are not whole".into());
        }
        let numbers = meter_numbers(&kept.points)?;
        let mut totals = vec![0; kept.uses.len()];
        rate_mixed(&plans, &plans_of(&numbers), &kept.uses, &mut totals)?;
        let due = due_columns(split, &kept.uses, &totals)?;
        Ok(Rated { sums: sums(&numbers, &kept.uses, &totals), kept, totals, due })
    };
    let (mut all, mut due, mut grid_kop) = (BillSums::default(), ExactAmount::default(), 0_i64);
    // As many partitions as threads are rated, then split from where those before them end.
    for some in windows(setup.threads.count()) {
        let rated = side_by_side(&setup.threads, some, rate).into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut starts = Vec::with_capacity(rated.len());
        for part in &rated {
            all.add(&part.sums);
            starts.push(RunningSplit::at(due).ok_or("an amount past 64 bits")?);
            due = ExactAmount::from_e11(due.as_e11() + part.due.as_e11());
        }
        let legs =
            side_by_side(&setup.threads, 0..rated.len(), |at| split_part(split, &rated[at], starts[at]));
        for grid in legs {
            grid_kop += grid?;
        }
    }
    let mut named = all.named();
    named.push(("grid_kop", grid_kop.into()));
    Ok(Answer { took: start.elapsed(), sums: named, parts: Vec::new() })
}

/// The grid's legs of a partition.
fn split_part(split: SplitPlan, part: &Rated, mut running: RunningSplit) -> Result<i64, Failure> {
    let (mut grid, mut rest) = (vec![0; part.totals.len()], vec![0; part.totals.len()]);
    split_columns(split, &part.kept.uses, &part.totals, &mut running, &mut grid, &mut rest)?;
    let legs: i64 = grid.iter().chain(&rest).sum();
    if legs != part.sums.total_kop {
        return Err("the legs do not add up to the bills".into());
    }
    Ok(grid.iter().sum())
}

fn windows(size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..PARTITION_COUNT).step_by(size).map(move |start| start..PARTITION_COUNT.min(start + size))
}
