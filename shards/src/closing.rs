//! Closing a billing month: whole days that nobody delivered are added, gaps are estimated with the evidence there is.
//!
//! ```text
//!   day      1    2    3    4    5    6         one register of one usage point
//!   known    ▒▒   ▒▒   ..   ▒▒   ▓▓   ▓▓        ▒ half-hours, ▓ quarter-hours
//!   runs    [▒▒   ▒▒   ▒▒   ▒▒] [▓▓   ▓▓]       the missing day takes the length of the day before it
//!   around  the accepted days that a register span or a like day reaches to, before, after and between runs
//! ```
//!
//! Each run of consecutive days with one interval length is estimated by itself. Days before the first and
//! after the last known day of the month stay absent: nothing says that the point was there. The result is a
//! function of the accepted set, the zones, the evidence and the parameters alone.

use rayon::prelude::*;
use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;
use tallywatt_core::vee::consumption::apportion::APPORTION_DAYS_MAX;
use tallywatt_core::vee::estimate::decision::Estimation;
use tallywatt_core::vee::estimate::estimate_with;
use tallywatt_core::vee::estimate::evidence::Evidence;
use tallywatt_core::vee::estimate::parameters::EstimationParameters;
use tallywatt_core::vee::estimate::previous_year::YEAR_DAYS;
use tallywatt_ledger::seal::seal_order;

use crate::accepted::AcceptedSet;
use crate::threads::Threads;

/// How many days before or after a run are looked at, at most: as long as a register span may be.
pub const DAYS_AROUND_MAX: i32 = APPORTION_DAYS_MAX;

/// A closed month.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClosedPeriod {
    /// Its day blocks, in seal order.
    pub blocks: Vec<DayBlock>,
    /// What was done to which register, in order of usage point and register; nothing of registers without a gap.
    pub estimations: Vec<RegisterEstimation>,
}

/// What the close of a month did to one register's days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterEstimation {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which register.
    pub register: Register,
    /// Estimates and refusals, in order of time.
    pub estimation: Estimation,
}

/// The period's day blocks with what can be estimated filled in, and how.
///
/// `zone_of` gives the zone a usage point's local days are of. `evidence_of` gives what is known beside the accepted
/// set; it is asked only for registers with a gap. What it says of days around and of the year before is not looked at:
/// those are the accepted set's. Days are taken from around as far as [`EstimationParameters::like_days_back`], unless
/// it has no limit, and as far as a register span reaches.
pub fn close_period<'zone, 'evidence>(
    accepted: &AcceptedSet,
    period: Period,
    zone_of: impl Fn(&UsagePointId) -> &'zone Zone + Sync,
    evidence_of: impl Fn(&UsagePointId, Register) -> Evidence<'evidence> + Sync,
    parameters: &EstimationParameters,
    threads: &Threads,
) -> ClosedPeriod {
    let known = accepted.blocks_of_period(period);
    let registers: Vec<&[&DayBlock]> = known
        .chunk_by(|a, b| (a.key().usage_point, a.key().register) == (b.key().usage_point, b.key().register))
        .collect();
    let close = |known: &&[&DayBlock]| {
        let BlockKey { usage_point, register, .. } = known[0].key();
        let mut days = with_missing_days(known, zone_of(&usage_point));
        let mut estimation = Estimation::default();
        if !days.iter().all(is_whole) {
            let evidence = evidence_of(&usage_point, register);
            let surroundings = Surroundings { accepted, period, parameters, evidence };
            estimation = surroundings.estimate(&mut days);
        }
        (days, RegisterEstimation { usage_point, register, estimation })
    };
    threads.pool().install(|| {
        let closed: Vec<(Vec<DayBlock>, RegisterEstimation)> = registers.par_iter().map(close).collect();
        let (days, mut estimations): (Vec<Vec<DayBlock>>, Vec<RegisterEstimation>) =
            closed.into_iter().unzip();
        let mut blocks: Vec<DayBlock> = days.into_iter().flatten().collect();
        blocks.par_sort_by_cached_key(|block| seal_order(&block.key()));
        estimations.retain(|register| register.estimation != Estimation::default());
        ClosedPeriod { blocks, estimations }
    })
}

/// What one register's days are estimated with.
struct Surroundings<'a> {
    accepted: &'a AcceptedSet,
    period: Period,
    parameters: &'a EstimationParameters,
    evidence: Evidence<'a>,
}

impl Surroundings<'_> {
    /// Estimates one register's days of the period, sorted.
    fn estimate(&self, days: &mut [DayBlock]) -> Estimation {
        let mut all = Estimation::default();
        for run in days.chunk_by_mut(belong_together).filter(|run| !run.iter().all(is_whole)) {
            let days_around = self.days_around(run);
            let previous_year = self.previous_year(run);
            let evidence =
                Evidence { days_around: &days_around, previous_year: &previous_year, ..self.evidence };
            let Estimation { decisions, refusals } = estimate_with(run, &evidence, self.parameters);
            all.decisions.extend(decisions);
            all.refusals.extend(refusals);
        }
        // A span over two runs is refused in both.
        all.refusals.dedup();
        all
    }

    /// The accepted days before and after a run, sorted: as known before anything was estimated.
    fn days_around(&self, run: &[DayBlock]) -> Vec<DayBlock> {
        let (first, last) = (&run[0], &run[run.len() - 1]);
        let (start, end) = (first.start(), last.interval_start(last.interval_count()));
        let spans = self.evidence.register_spans.iter().filter(|span| span.from < end && start < span.to);
        let from = spans.clone().map(|span| span.from).min().unwrap_or(start);
        let to = spans.map(|span| span.to).max().unwrap_or(end);
        // Without a limit the period's own days are meant, as they were before there was evidence.
        let back = match self.parameters.like_days_back {
            u16::MAX => 0,
            days => i32::from(days).min(DAYS_AROUND_MAX),
        };
        // What comes after the month is no like day of it: when it was closed would show.
        let ahead = back.min(self.period.end_day().since(last.key().day) - 1);
        let mut days =
            self.days_beside(first, -1, back, |block| from < block.interval_start(block.interval_count()));
        days.reverse();
        days.extend(self.days_beside(last, 1, ahead, |block| block.start() < to));
        days
    }

    /// Known days from the one next to `edge` on: all of the nearest `always`, and further ones without a hole as long as
    /// they are reached.
    fn days_beside(
        &self,
        edge: &DayBlock,
        step: i32,
        always: i32,
        is_reached: impl Fn(&DayBlock) -> bool,
    ) -> Vec<DayBlock> {
        let mut days = Vec::new();
        for after in 1..=DAYS_AROUND_MAX {
            let Some(day) = edge.key().day.plus(step * after) else { break };
            let block = self.accepted.get(&BlockKey { day, ..edge.key() });
            if after > always && !block.is_some_and(&is_reached) {
                break;
            }
            days.extend(block.cloned());
        }
        days
    }

    /// The accepted days 52 weeks before, if they may stand for these.
    fn previous_year(&self, run: &[DayBlock]) -> Vec<DayBlock> {
        let days = run.iter().filter(|_| self.parameters.previous_year);
        days.filter_map(|block| {
            let day = block.key().day.plus(-YEAR_DAYS)?;
            self.accepted.get(&BlockKey { day, ..block.key() }).cloned()
        })
        .collect()
    }
}

fn is_whole(block: &DayBlock) -> bool {
    block.present_count() == block.interval_count()
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
