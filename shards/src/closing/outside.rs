//! What lies outside the days that are estimated, where a register span reaches past them.
//!
//! ```text
//!   span      ├─────────────────────────────────────┤
//!   month     ▒▒ ▒▒ ▒▒ .. .. │ .. .. ▒▒ ▒▒ ▒▒ ▒▒ ▒▒          its gap, and the next month's: one running sum over both
//! ```
//!
//! * A month that is closed stands as it was closed, so that what is left of the span is what the months after it get.
//! * A month that is open gives what was measured. Its missing intervals weigh what its own close would give them by the
//!   lower rungs, so that each of two open months shows the difference of one running sum.
//! * A month of which nothing is sealed gives nothing, and the span is refused.

use tallywatt_core::calendar::{Day, Period, UtcSeconds};
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::vee::consumption::Span;
use tallywatt_core::vee::estimate::decision::{Refusal, RefusedScaling};
use tallywatt_core::vee::estimate::evidence::{Evidence, Outside, OutsideInterval, Stretch};
use tallywatt_core::vee::estimate::{outside, outside_closed};

use super::{Close, ClosedDay, DAYS_AROUND_MAX, belong_together, is_whole};

impl Close<'_, '_> {
    /// Every interval of the months that spans with a gap reach, if they reach past a run of these days; in order of time.
    pub(super) fn outside(&self, days: &[DayBlock]) -> Vec<OutsideInterval> {
        let Some(reach) = self.reach(days) else { return Vec::new() };
        let local = |at: UtcSeconds| self.zone.local_day_of(at).map(|local| local.day.period().number());
        let (Some(first), Some(last)) = (local(reach.from), local(reach.to.plus(-1))) else {
            return Vec::new();
        };
        let months = (first..=last).filter_map(Period::from_number);
        months
            .flat_map(|month| match month == self.period {
                true => self.outside_open(month, days),
                false => self.outside_month(month),
            })
            .collect()
    }

    /// From the first to the last instant of the spans that touch a gap and lie in no run whole.
    fn reach(&self, days: &[DayBlock]) -> Option<Stretch> {
        let mut reach: Option<Stretch> = None;
        for run in days.chunk_by(belong_together).filter(|run| !run.iter().all(is_whole)) {
            let last = &run[run.len() - 1];
            let whole = Stretch { from: run[0].start(), to: last.interval_start(last.interval_count()) };
            for span in self.evidence.register_spans {
                let Span { from, to, .. } = *span;
                let is_long = to.0.saturating_sub(from.0) > i64::from(DAYS_AROUND_MAX) * 86_400;
                if is_long || whole.holds(Stretch { from, to }) || !run.iter().any(|block| lacks(block, span))
                {
                    continue;
                }
                let so_far = reach.unwrap_or(Stretch { from, to });
                reach = Some(Stretch { from: so_far.from.min(from), to: so_far.to.max(to) });
            }
        }
        reach
    }

    /// What another month is to a span.
    fn outside_month(&self, month: Period) -> Vec<OutsideInterval> {
        let mut all = Vec::new();
        for day in month.days() {
            match (self.closed_day)(&self.on(day)) {
                ClosedDay::Open => {
                    let known = month.days().filter_map(|day| self.accepted.get(&self.on(day)));
                    let known: Vec<&DayBlock> = known.collect();
                    return self.outside_open(month, &self.with_missing_days(month, &known));
                }
                ClosedDay::Absent => {
                    let local = self.zone.local_day(day);
                    let at = Stretch { from: local.start, to: local.end };
                    let state = Outside::Refused(RefusedScaling::ClosedWithout);
                    all.push(OutsideInterval { at, state });
                }
                ClosedDay::With(block) => all.extend(outside_closed(block)),
            }
        }
        all
    }

    /// What the days of an open month are to a span, a run after the other.
    fn outside_open(&self, month: Period, days: &[DayBlock]) -> Vec<OutsideInterval> {
        days.chunk_by(belong_together)
            .flat_map(|run| {
                let days_around = self.days_around(month, run);
                let previous_year = self.previous_year(run);
                let evidence =
                    Evidence { days_around: &days_around, previous_year: &previous_year, ..self.evidence };
                outside(run, &evidence, self.parameters)
            })
            .collect()
    }

    /// Names what the register counted on days that are absent still, if nothing names it yet.
    pub(super) fn refuse_absent(&self, days: &[DayBlock], refusals: &mut Vec<Refusal>) {
        let Evidence { register_spans, register_failures, .. } = self.evidence;
        if register_spans.is_empty() && register_failures.is_empty() {
            return;
        }
        let spans = register_spans.iter().map(|span| (span.from, span.to, RefusedScaling::NoGrid));
        let failures = register_failures
            .iter()
            .map(|failure| (failure.from, failure.to, RefusedScaling::NotCounted(failure.why)));
        let is_absent =
            |day: &Day| days.binary_search_by_key(day, |block: &DayBlock| block.key().day).is_err();
        for day in self.period.days().filter(is_absent) {
            let local = self.zone.local_day(day);
            for (from, to, why) in spans.clone().chain(failures.clone()) {
                let is_named = refusals.iter().any(|refusal| (refusal.from, refusal.to) == (from, to));
                if from < local.end && local.start < to && !is_named {
                    refusals.push(Refusal { from, to, why });
                }
            }
        }
    }
}

/// Whether an interval of the day that the span touches has no value.
fn lacks(block: &DayBlock, span: &Span) -> bool {
    (0..block.interval_count()).any(|slot| {
        let is_touched = block.interval_start(slot) < span.to && span.from < block.interval_start(slot + 1);
        is_touched && !block.qualities()[slot].is_billable()
    })
}
