//! What registers counted between their reads, put to the rules of [`checks`]: V08, V12, V14, V15.
//!
//! Every stretch of spans that touches the month is asked, under the pack of the month's first day; its row stands under
//! its first local day in the month. V12 is asked where every interval of the stretch is known and its ends lie on their
//! grid. Days after the month are not looked at, so V12 is told in the month in which the stretch ends. Of a stretch that
//! lies in one day it names the intervals.

use std::collections::BTreeMap;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::Published;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::meter::Installation;
use tallywatt_core::meter_event::ReceivedRead;
use tallywatt_core::register::Register;
use tallywatt_core::vee::consumption::checks::{Fall, Stretch};
use tallywatt_core::vee::consumption::checks::{
    at_daily_use_of, ceiling, daily_use, falls, stretches, sum_check,
};
use tallywatt_core::vee::consumption::{MeterDials, Span, consumption, dials};
use tallywatt_core::vee::finding::Finding;
use tallywatt_core::vee::pack::{RegisterClass, RulePack};

use super::{Exception, Point, inputs, money, parameters_of};
use crate::books::Books;
use crate::point_days::DayClock;

/// The meters of a register, what their dials showed and what they counted. Nothing is known of meters that contradict
/// each other.
#[derive(Default)]
pub(super) struct Meters {
    pub(super) installations: Vec<Installation>,
    dials: Vec<MeterDials>,
    pub(super) spans: Vec<Span>,
}

impl Meters {
    /// Of every register of a usage point that a meter is known of.
    pub(super) fn of_point(books: &Books, usage_point: &UsagePointId) -> BTreeMap<Register, Self> {
        let mut installed: BTreeMap<Register, Vec<Installation>> = BTreeMap::new();
        for one in books.installations(usage_point) {
            installed.entry(one.register).or_default().push(*one);
        }
        let of_register = |(register, installations): (Register, Vec<Installation>)| {
            let reads = books.register_reads(usage_point).filter(|one| one.read.register == register);
            let reads: Vec<ReceivedRead> = reads.copied().collect();
            let dials = dials(&reads, &installations).unwrap_or_default();
            let spans = consumption(&reads, &installations).map(|found| found.spans).unwrap_or_default();
            let installations = dials.iter().map(|meter| meter.installation).collect();
            (register, Self { installations, dials, spans })
        };
        installed.into_iter().map(of_register).collect()
    }

    /// `meter M-1 from 110.000000 to 121.786000 kWh`, each meter that was read twice from `from` to `to`.
    fn shown(&self, from: UtcSeconds, to: UtcSeconds) -> impl Iterator<Item = String> {
        self.dials.iter().filter_map(move |meter| {
            let mut within = meter.dials.range(from..=to).map(|(_, dial)| dial);
            let (first, last) = (within.next()?, within.next_back()?);
            Some(format!("meter {} from {first} to {last} kWh", meter.installation.meter))
        })
    }
}

/// Where and by which pack something between reads is looked at.
struct Place<'a> {
    key: BlockKey,
    /// Its first instant in the month.
    at: UtcSeconds,
    class: RegisterClass,
    pack: &'a Published<RulePack>,
}

/// A finding with what it follows from.
struct Found {
    finding: Finding,
    first_interval: Option<String>,
    inputs: Vec<String>,
    energy_wh: Option<i64>,
}

impl Found {
    fn of(finding: Finding, inputs: Vec<String>, energy_wh: Option<i64>) -> Self {
        Self { finding, first_interval: None, inputs, energy_wh }
    }
}

impl Point<'_> {
    /// What was found between the reads of its registers, by register, rule and time.
    pub(super) fn look_between_reads(&self, rows: &mut Vec<Exception>) {
        for (&register, meters) in &self.meters {
            let class = RegisterClass::of(register, self.class);
            let pack = self.books.rule_pack_on(self.wanted.period.first_day());
            let parameters = &pack.body.rules_of(class).parameters;
            let place = |from, to| self.place(register, class, pack, (from, to));
            let mut tell = |(from, to), found: Option<Found>| {
                let Some(found) = found else { return };
                let Some(place) = place(from, to) else { return };
                rows.extend(self.row(&place, found, (from, to)));
            };
            for one in stretches(&meters.spans, 1) {
                let counted = |finding: Finding| {
                    let above_wh = finding.measured.saturating_sub(finding.limit);
                    let mut inputs: Vec<String> = meters.shown(one.from, one.to).collect();
                    inputs.push(format!("counted {} Wh", one.energy_wh));
                    Found::of(finding, inputs, Some(above_wh))
                };
                tell((one.from, one.to), ceiling(&one, parameters).map(counted));
                let covered = Covered::of(self.series(register), &one);
                let checked = covered.and_then(|covered| {
                    let finding = sum_check(&one, covered.total_wh, parameters)?;
                    Some(self.sum_found(finding, &covered, &one, meters))
                });
                tell((one.from, one.to), checked);
            }
            let long = stretches(&meters.spans, parameters.use_days_min);
            for pair in long.windows(2) {
                let [before, now] = pair else { continue };
                let compared =
                    daily_use(now, before, parameters).map(|finding| use_found(finding, now, before));
                tell((now.from, now.to), compared);
            }
            for meter in &meters.dials {
                for Fall { before, after, finding } in falls(meter, parameters) {
                    let serial = meter.installation.meter;
                    let inputs = vec![format!("meter {serial} from {} to {} kWh", before.1, after.1)];
                    tell((before.0, after.0), Some(Found::of(finding, inputs, None)));
                }
            }
        }
    }

    /// `None` where it does not touch the month.
    fn place<'p>(
        &self,
        register: Register,
        class: RegisterClass,
        pack: &'p Published<RulePack>,
        (from, to): (UtcSeconds, UtcSeconds),
    ) -> Option<Place<'p>> {
        let period = self.wanted.period;
        let clock = |day| DayClock::on(self.contracts, (register, day), self.days.last().copied());
        let month_start = clock(period.first_day()).start_of(period.first_day());
        let month_end = clock(period.end_day()).start_of(period.end_day());
        if from >= month_end || to <= month_start {
            return None;
        }
        let at = from.max(month_start);
        let day = clock(period.first_day()).day_of(at)?;
        let key = BlockKey { usage_point: self.usage_point, register, day };
        Some(Place { key, at, class, pack })
    }

    /// The register's days, in order.
    fn series(&self, register: Register) -> &[&DayBlock] {
        let from = self.days.partition_point(|block| block.key().register < register);
        let to = self.days.partition_point(|block| block.key().register <= register);
        &self.days[from..to]
    }

    fn sum_found(&self, finding: Finding, covered: &Covered<'_>, one: &Stretch, meters: &Meters) -> Found {
        let mut inputs: Vec<String> = meters.shown(one.from, one.to).collect();
        inputs.push(format!("values add up to {} Wh", covered.total_wh));
        let energy_wh = Some(finding.measured);
        let Some((block, first, count)) = covered.within else {
            return Found::of(finding, inputs, energy_wh);
        };
        let finding =
            Finding::over(finding.rule, first, count, finding.measured.into(), finding.limit.into());
        inputs.push(format!("values {}", inputs::values(&finding, block)));
        let shown = DayClock::of(self.contracts, block).shown(block.interval_start(first));
        Found { first_interval: Some(shown), ..Found::of(finding, inputs, energy_wh) }
    }

    fn row(
        &self,
        place: &Place<'_>,
        found: Found,
        (from, to): (UtcSeconds, UtcSeconds),
    ) -> Option<Exception> {
        let Found { finding, first_interval, inputs, energy_wh } = found;
        let is_asked = place.pack.body.rules_of(place.class).asked.contains(finding.rule);
        if !is_asked || self.wanted.rule.is_some_and(|rule| rule != finding.rule) {
            return None;
        }
        let cost = |wh| money::cost_at(self.books.tariffs(), self.contracts, &place.key, [(place.at, wh)]);
        let told = [format!("from {from} to {to}")].into_iter().chain(inputs);
        let in_question = energy_wh.map(|wh| format!("in question {wh} Wh"));
        Some(Exception {
            key: place.key,
            finding,
            between: Some((from, to)),
            first_interval,
            class: place.class,
            pack: place.pack.hash,
            energy_wh,
            money: energy_wh.and_then(cost),
            inputs: told.chain(in_question).collect::<Vec<_>>().join("; "),
            parameters: parameters_of(finding.rule, &place.pack.body, place.class),
        })
    }
}

fn use_found(finding: Finding, now: &Stretch, before: &Stretch) -> Found {
    let shown = |one: &Stretch| format!("{} Wh in {} days", one.energy_wh, one.day_count());
    let inputs =
        vec![shown(now), format!("before, from {} to {}: {}", before.from, before.to, shown(before))];
    let off_wh = at_daily_use_of(now, before).map(|wh| now.energy_wh.saturating_sub(wh).saturating_abs());
    Found::of(finding, inputs, off_wh)
}

/// The intervals of a stretch, all of them known.
struct Covered<'a> {
    total_wh: i64,
    /// The day that it lies in, its first interval there and how many.
    within: Option<(&'a DayBlock, usize, usize)>,
}

impl<'a> Covered<'a> {
    /// `None` where one is missing, or an end of the stretch is within an interval.
    fn of(series: &[&'a DayBlock], one: &Stretch) -> Option<Self> {
        let end = |block: &DayBlock| block.interval_start(block.interval_count());
        let first_day = series.partition_point(|block| end(block) <= one.from);
        let (mut reached, mut total_wh, mut within) = (one.from, 0, None);
        for block in series[first_day..].iter().take_while(|block| block.start() < one.to) {
            let first = block.interval_at(reached)?;
            let before =
                (first..block.interval_count()).take_while(|at| block.interval_start(at + 1) <= one.to);
            let mut count = 0;
            for at in before {
                if !block.qualities()[at].is_billable() {
                    return None;
                }
                total_wh += i64::from(block.values_wh()[at]);
                reached = block.interval_start(at + 1);
                count += 1;
            }
            within = if block.start() <= one.from { Some((*block, first, count)) } else { None };
        }
        (reached == one.to).then_some(Self { total_wh, within })
    }
}
