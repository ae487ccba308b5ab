//! Closing a billing month: whole days that nobody delivered are added, gaps are estimated with the evidence there is.
//!
//! ```text
//!   day       1    2    3    4    5    6    7        one register of one usage point
//!   known     ..   ▒▒   ..   ▒▒   ▓▓   ▓▓   ..        ▒ half-hours, ▓ quarter-hours
//!   counted  ────────────────┤                       a register span
//!   runs     [..   ▒▒   ..   ▒▒] [▓▓   ▓▓]            a missing day takes the length of the known day before it
//! ```
//!
//! Each run of consecutive days with one interval length is estimated by itself. Days between known days are added, and
//! days before the first and after the last as far as register spans reach, because a meter counted there. Others stay
//! absent: nothing says that the point was there.
//!
//! Like days are days of the month, or before it; none after its end, so that it does not show when a month was closed. A
//! register span is weighed whole, over other runs and months too (`closing/outside.rs`). The result is a function of the
//! accepted set, the zones, the evidence, the parameters, and what other months were closed with before.

mod outside;

use rayon::prelude::*;
use tallywatt_core::calendar::{Day, Period, Zone};
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

/// How many days before a run like days are looked for, and how long a register span is that is weighed, at most.
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

/// What another month says of a register-day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedDay<'a> {
    /// The month is not closed.
    Open,
    /// It was closed without this day.
    Absent,
    /// It was closed with this.
    With(&'a DayBlock),
}

/// The period's day blocks with what can be estimated filled in, and how.
///
/// `zone_of` gives the zone a usage point's local days are of. `evidence_of` gives what is known beside the accepted
/// set; it is asked only for registers with a gap or an absent day. Its days around, intervals outside, year before and
/// zone are not looked at: they follow from the rest. Like days are taken from before the month as far as
/// [`EstimationParameters::like_days_back`], unless it has no limit. `closed_day` gives what other months were closed
/// with; all days of one month are open, or none.
pub fn close_period<'zone, 'evidence, 'closed>(
    accepted: &AcceptedSet,
    period: Period,
    zone_of: impl Fn(&UsagePointId) -> &'zone Zone + Sync,
    evidence_of: impl Fn(&UsagePointId, Register) -> Evidence<'evidence> + Sync,
    closed_day: impl Fn(&BlockKey) -> ClosedDay<'closed> + Sync,
    parameters: &EstimationParameters,
    threads: &Threads,
) -> ClosedPeriod {
    let known = accepted.blocks_of_period(period);
    let registers: Vec<&[&DayBlock]> = known
        .chunk_by(|a, b| (a.key().usage_point, a.key().register) == (b.key().usage_point, b.key().register))
        .collect();
    let close = |known: &&[&DayBlock]| {
        let BlockKey { usage_point, register, .. } = known[0].key();
        let is_full = known.len() == period.days().count() && known.iter().all(|block| is_whole(block));
        let (days, estimation) = if is_full {
            (known.iter().map(|&block| block.clone()).collect(), Estimation::default())
        } else {
            let zone = zone_of(&usage_point);
            let evidence = Evidence { zone: Some(zone), ..evidence_of(&usage_point, register) };
            let closed_day = &closed_day;
            let key = known[0].key();
            Close { accepted, period, zone, key, parameters, evidence, closed_day }.close(known)
        };
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

/// The close of one register's month.
struct Close<'a, 'closed> {
    accepted: &'a AcceptedSet,
    period: Period,
    zone: &'a Zone,
    /// Of any day of the register.
    key: BlockKey,
    parameters: &'a EstimationParameters,
    evidence: Evidence<'a>,
    closed_day: &'a (dyn Fn(&BlockKey) -> ClosedDay<'closed> + Sync),
}

impl Close<'_, '_> {
    /// The month's days with gaps filled, and how; from its known days, sorted.
    fn close(&self, known: &[&DayBlock]) -> (Vec<DayBlock>, Estimation) {
        let mut days = self.with_missing_days(self.period, known);
        let outside = self.outside(&days);
        let mut all = Estimation::default();
        for run in days.chunk_by_mut(belong_together).filter(|run| !run.iter().all(is_whole)) {
            let days_around = self.days_around(self.period, run);
            let previous_year = self.previous_year(run);
            let evidence = Evidence {
                days_around: &days_around,
                previous_year: &previous_year,
                outside: &outside,
                ..self.evidence
            };
            let Estimation { decisions, refusals } = estimate_with(run, &evidence, self.parameters);
            all.decisions.extend(decisions);
            all.refusals.extend(refusals);
        }
        self.refuse_absent(&days, &mut all.refusals);
        // A span over two runs may be refused in both.
        all.refusals.sort_by_key(|refusal| (refusal.from, refusal.to));
        all.refusals.dedup();
        (days, all)
    }

    /// The accepted days beside a run that may be like its days, sorted: as known before anything was estimated.
    fn days_around(&self, month: Period, run: &[DayBlock]) -> Vec<DayBlock> {
        // Without a limit the run's own days are meant, as they were before there was evidence.
        let back = match self.parameters.like_days_back {
            u16::MAX => 0,
            days => i32::from(days).min(DAYS_AROUND_MAX),
        };
        let (first, last) = (run[0].key().day, run[run.len() - 1].key().day);
        // What comes after the month is no like day of it: when it was closed would show.
        let ahead = back.min(month.end_day().since(last) - 1);
        let before = (1..=back).rev().filter_map(|days| first.plus(-days));
        let after = (1..=ahead).filter_map(|days| last.plus(days));
        before.chain(after).filter_map(|day| self.accepted.get(&self.on(day)).cloned()).collect()
    }

    /// The accepted days 52 weeks before, if they may stand for these.
    fn previous_year(&self, run: &[DayBlock]) -> Vec<DayBlock> {
        let days = run.iter().filter(|_| self.parameters.previous_year);
        days.filter_map(|block| {
            let day = block.key().day.plus(-YEAR_DAYS)?;
            self.accepted.get(&self.on(day)).cloned()
        })
        .collect()
    }

    /// The known days of a month, the empty ones between them, and the empty ones as far as register spans reach.
    fn with_missing_days(&self, month: Period, known: &[&DayBlock]) -> Vec<DayBlock> {
        let (Some(first), Some(last)) = (known.first(), known.last()) else { return Vec::new() };
        let (first, last) = (first.key().day, last.key().day);
        let from = month.days().take_while(|&day| day < first).find(|&day| self.is_counted(day));
        let to = month.days().rev().take_while(|&day| day > last).find(|&day| self.is_counted(day));
        let (from, to) = (from.unwrap_or(first), to.unwrap_or(last));
        let (mut before, mut rest) = (None, known);
        let mut days = Vec::with_capacity(known.len());
        for day in month.days().filter(|day| (from..=to).contains(day)) {
            match rest.split_first() {
                Some((&next, after)) if next.key().day == day => {
                    days.push(next.clone());
                    (before, rest) = (Some(next), after);
                }
                _ => days.extend(self.missing_day(day, before, rest.first().copied())),
            }
        }
        assert!(rest.is_empty(), "blocks of one register are sorted by day, and each day has one");
        days
    }

    /// An empty day between known ones. `None` where intervals of that length do not fill it: an hourly register in a zone
    /// whose clocks move by half an hour. Estimation then stops at that day.
    fn missing_day(&self, day: Day, before: Option<&DayBlock>, next: Option<&DayBlock>) -> Option<DayBlock> {
        let minutes = before.or(next)?.interval_minutes();
        // Nobody delivered it; it says the most cautious of what its neighbours say, so synthetic stays synthetic.
        let source = before.into_iter().chain(next).map(DayBlock::source).max()?;
        let BlockKey { usage_point, register, .. } = self.key;
        DayBlock::empty(usage_point, register, self.zone.local_day(day), minutes, source).ok()
    }

    /// Whether a register span reaches into the day.
    fn is_counted(&self, day: Day) -> bool {
        let spans = self.evidence.register_spans;
        if spans.is_empty() {
            return false;
        }
        let local = self.zone.local_day(day);
        let next = spans.partition_point(|span| span.to <= local.start);
        spans.get(next).is_some_and(|span| span.from < local.end)
    }

    /// The register on another day.
    fn on(&self, day: Day) -> BlockKey {
        BlockKey { day, ..self.key }
    }
}

fn is_whole(block: &DayBlock) -> bool {
    block.present_count() == block.interval_count()
}

/// Whether estimation may look from one day to the next.
fn belong_together(a: &DayBlock, b: &DayBlock) -> bool {
    b.key().day.since(a.key().day) == 1 && a.interval_minutes() == b.interval_minutes()
}
