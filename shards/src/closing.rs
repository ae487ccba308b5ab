//! Closing a billing month: whole days that nobody delivered are added, gaps are estimated.
//!
//! ```text
//!   day      1    2    3    4    5    6         one register of one usage point
//!   known    ▒▒   ▒▒   ..   ▒▒   ▓▓   ▓▓        ▒ half-hours, ▓ quarter-hours
//!   runs    [▒▒   ▒▒   ▒▒   ▒▒] [▓▓   ▓▓]       the missing day takes the length of the day before it
//! ```
//!
//! Each run of consecutive days with one interval length is estimated by itself. Days before the first and
//! after the last known day of the month stay absent: nothing says that the point was there. The result is a
//! function of the accepted set and the zones alone.

use rayon::prelude::*;
use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::vee::estimate::estimate;
use tallywatt_ledger::seal::seal_order;

use crate::accepted::AcceptedSet;
use crate::threads::Threads;

/// The period's day blocks with what can be estimated filled in, in seal order.
///
/// `zone_of` gives the zone a usage point's local days are of.
pub fn close_period<'zone>(
    accepted: &AcceptedSet,
    period: Period,
    zone_of: impl Fn(&UsagePointId) -> &'zone Zone + Sync,
    threads: &Threads,
) -> Vec<DayBlock> {
    let known = accepted.blocks_of_period(period);
    let registers: Vec<&[&DayBlock]> = known
        .chunk_by(|a, b| (a.key().usage_point, a.key().register) == (b.key().usage_point, b.key().register))
        .collect();
    threads.pool().install(|| {
        let closed: Vec<Vec<DayBlock>> = registers
            .par_iter()
            .map(|known| close_register(known, zone_of(&known[0].key().usage_point)))
            .collect();
        let mut blocks: Vec<DayBlock> = closed.into_iter().flatten().collect();
        blocks.par_sort_by_cached_key(|block| seal_order(&block.key()));
        blocks
    })
}

/// One register's days of the period, sorted.
fn close_register(known: &[&DayBlock], zone: &Zone) -> Vec<DayBlock> {
    let mut days = with_missing_days(known, zone);
    for run in days.chunk_by_mut(belong_together) {
        estimate(run);
    }
    days
}

/// Whether estimation may look from one day to the next.
fn belong_together(a: &DayBlock, b: &DayBlock) -> bool {
    b.key().day.since(a.key().day) == 1 && a.interval_minutes() == b.interval_minutes()
}

fn with_missing_days(known: &[&DayBlock], zone: &Zone) -> Vec<DayBlock> {
    let mut days: Vec<DayBlock> = Vec::with_capacity(known.len());
    for &next in known {
        if let Some(before) = days.last().cloned() {
            let gap_days = next.key().day.since(before.key().day);
            assert!(gap_days > 0, "blocks of one register are sorted by day");
            days.extend((1..gap_days).filter_map(|after| missing_day(&before, next, after, zone)));
        }
        days.push(next.clone());
    }
    days
}

/// The empty day `after` days behind `before`. `None` where intervals of that length do not fill it: an hourly
/// register in a zone whose clocks move by half an hour. Estimation then stops at that day.
fn missing_day(before: &DayBlock, next: &DayBlock, after: i32, zone: &Zone) -> Option<DayBlock> {
    let local = zone.local_day(before.key().day.plus(after)?);
    // Nobody delivered it; it says the most cautious of what its neighbours say, so synthetic stays synthetic.
    let source = before.source().max(next.source());
    let key = before.key();
    DayBlock::empty(key.usage_point, key.register, local, before.interval_minutes(), source).ok()
}
