//! What bills need of a month, folded from a sealed batch: packs in, running uses out, no frame in between.
//!
//! ```text
//!   batch file ── 1 MiB of packs ──▶ days ──┬─ whole, first revision ──▶ RunningUse of its usage point
//!   (a partition at a time,                 └─ anything else ──────────▶ irregular: for the slow path
//!    partitions side by side)
//! ```
//!
//! Irregular is a day that the columns cannot tell the whole of: with intervals that have no value, of other intervals
//! than the patterns, with a clock change, or corrected, so that an earlier batch holds another copy of it. Its usage
//! point is listed as ever; the sums are then those of its other days.
//!
//! Invariants: results stand by partition and usage point, whatever the number of threads; memory is one partition's
//! uses and 1 MiB a thread.

use rayon::prelude::*;
use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::determinants::{DayPattern, RunningUse};
use tallywatt_core::label::{LABEL_SIZE_MAX, UsagePointId};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::day_leaf::LeafTag;
use tallywatt_ledger::day_pack::{Header, PackReader, Qualities};
use tallywatt_ledger::leaf_key::{LeafKey, is_after};

use crate::batch_file::BatchFileError;
use crate::batch_file::reader::BatchReader;
use crate::threads::Threads;

/// The most days of a period.
pub const USE_DAY_COUNT_MAX: u16 = 366;

const DAY_MINUTES: usize = 24 * 60;
const POINT_AT: usize = 15;

/// Which days of which register are folded, and how.
#[derive(Debug, Clone, Copy)]
pub struct UsePeriod<'a> {
    /// The register that is billed.
    pub register: Register,
    /// The first day.
    pub first: Day,
    /// How many days, at most [`USE_DAY_COUNT_MAX`].
    pub day_count: u16,
    /// The zones of a working day, and of a weekend.
    pub patterns: &'a [DayPattern; 2],
}

/// The usage points of one partition that have days in the period, in order, and what they used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionUse {
    /// The partition.
    pub partition: u8,
    /// Its usage points.
    pub points: Vec<UsagePointId>,
    /// What each used on its regular days.
    pub uses: Vec<RunningUse>,
    /// The other days, in order.
    pub irregular: Vec<BlockKey>,
}

/// Every partition's uses.
///
/// # Errors
/// [`BatchFileError`]: the first of the first partition that has one.
///
/// # Panics
/// If the period has more than [`USE_DAY_COUNT_MAX`] days.
pub fn fold_use(
    reader: &BatchReader<'_>,
    period: &UsePeriod<'_>,
    threads: &Threads,
) -> Result<Vec<PartitionUse>, BatchFileError> {
    fold_each(reader, period, threads, |part| part)
}

/// What `take` makes of every partition's uses, on the thread that folded them: for more usage points than memory holds.
///
/// # Errors
/// As [`fold_use`].
///
/// # Panics
/// As [`fold_use`].
pub fn fold_each<T: Send>(
    reader: &BatchReader<'_>,
    period: &UsePeriod<'_>,
    threads: &Threads,
    take: impl Fn(PartitionUse) -> T + Sync + Send,
) -> Result<Vec<T>, BatchFileError> {
    let fold = |partition| fold_partition(reader, period, partition).map(&take);
    let folded: Vec<Result<T, BatchFileError>> =
        threads.pool().install(|| (0..=u8::MAX).into_par_iter().map(fold).collect());
    folded.into_iter().collect()
}

/// One partition's uses.
///
/// # Errors
/// As [`fold_use`].
///
/// # Panics
/// As [`fold_use`].
pub fn fold_partition(
    reader: &BatchReader<'_>,
    period: &UsePeriod<'_>,
    partition: u8,
) -> Result<PartitionUse, BatchFileError> {
    let mut fold = Fold::new(period, partition);
    let mut packs = reader.partition(partition);
    while let Some((pack, bytes)) = packs.next_pack()? {
        fold.pack(pack, bytes, reader.kind().leaf_tag())?;
    }
    Ok(fold.part)
}

/// A partition's fold, as far as its packs were read.
struct Fold<'a> {
    part: PartitionUse,
    register: Register,
    patterns: &'a [DayPattern; 2],
    first: i32,
    /// Which pattern each day has.
    kinds: Vec<u8>,
    /// The day read last.
    last: Option<Header>,
}

impl<'a> Fold<'a> {
    fn new(period: &UsePeriod<'a>, partition: u8) -> Self {
        let UsePeriod { register, first, day_count, patterns } = *period;
        assert!(day_count <= USE_DAY_COUNT_MAX, "a period has at most a year's days");
        let days = (0..i32::from(day_count)).map_while(|at| first.plus(at));
        let part = PartitionUse { partition, points: Vec::new(), uses: Vec::new(), irregular: Vec::new() };
        let kinds = days.map(|day| u8::from(day.is_weekend())).collect();
        Self { part, register, patterns, first: first.number(), kinds, last: None }
    }

    fn pack(&mut self, pack: usize, bytes: &[u8], tag: LeafTag) -> Result<(), BatchFileError> {
        let refuse = |within: usize, source| BatchFileError::Pack { pack, within, source };
        let (mut days, size) = PackReader::new(bytes, tag).map_err(|source| refuse(0, source))?;
        if size != bytes.len() {
            return Err(refuse(0, CodecError::Value { field: "pack size", at: 0 }));
        }
        let mut within = 0;
        while days.advance().map_err(|source| refuse(within, source))? {
            let header = days.header();
            if self.last.as_ref().is_some_and(|last| !is_after(last, header)) {
                return Err(BatchFileError::Order { pack, within });
            }
            self.day(&days).map_err(|source| BatchFileError::Leaf { pack, within, source })?;
            self.last = Some(*days.header());
            within += 1;
        }
        Ok(())
    }

    fn day(&mut self, day: &PackReader<'_>) -> Result<(), CodecError> {
        let header = day.header();
        let Register { flow, channel, zone } = self.register;
        if [header[3], header[4], header[5]] != [channel, flow.group_c(), zone] {
            return Ok(());
        }
        let number = i32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let at = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some(&kind) = at.and_then(|at| self.kinds.get(at)) else { return Ok(()) };
        let point = header[POINT_AT..].first_chunk::<LABEL_SIZE_MAX>().expect("a header ends in a name");
        if self.part.points.last().is_none_or(|last| last.padded() != point) {
            let refuse = |_| CodecError::Value { field: "usage point", at: POINT_AT };
            self.part.points.push(UsagePointId::from_padded(point).map_err(refuse)?);
            self.part.uses.push(RunningUse::default());
        }
        let pattern = &self.patterns[usize::from(kind)];
        let values_wh = day.values_wh();
        let has_shape = values_wh.len() == pattern.lane_count()
            && values_wh.len() * usize::from(header[2]) == DAY_MINUTES
            && header[7] == 0;
        if has_shape && is_whole(day.qualities())? {
            let running = self.part.uses.last_mut().expect("every usage point has a use");
            // Packed values have 31 bits, and a period has fewer days than a use counts.
            running.add_day(values_wh, pattern).expect("a day of the pattern's shape is added");
        } else {
            self.part.irregular.push(LeafKey::of_header(header).block_key());
        }
        Ok(())
    }
}

/// Whether every interval has a value.
fn is_whole(qualities: Qualities<'_>) -> Result<bool, CodecError> {
    let billable = |code| {
        Quality::from_code(code)
            .map(Quality::is_billable)
            .ok_or(CodecError::Value { field: "quality", at: 0 })
    };
    match qualities {
        Qualities::All(code) => billable(code),
        Qualities::Each(codes) => {
            // All are looked at, so that a code of the table's is never taken for granted.
            codes.iter().try_fold(true, |whole, &code| Ok(billable(code)? && whole))
        }
    }
}
