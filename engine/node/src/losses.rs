//! Losses: what each feeder gave against what its meters took (V28), beside the technical norm of its list.
//!
//! ```text
//!   head ── gave ──▶ feeder ──┬─▶ meter ┐
//!                             ├─▶ meter ├ took      loss = gave − took
//!                             └─▶ meter ┘
//! ```
//!
//! Every energy is net: import less export, of the total registers, or of the zone registers where a channel has no
//! total. A register-day that lacks, or lacks a value, makes the balance incomplete: it is shown, and judged no further. Days
//! count up to the last of which any point of the feeder has something.
//!
//! | verdict | loss |
//! |---|---|
//! | within norm | at most the norm, and not below the pack's `loss_thousandths_min` |
//! | above norm | above the norm, and at most the pack's `loss_thousandths_max` |
//! | out of range | V28: below `loss_thousandths_min`, or above both the norm and `loss_thousandths_max` |
//!
//! The parameters are the pack's for industrial registers: a head is measured behind transformers.

use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::money::div_half_even;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::vee::finding::Finding;
use tallywatt_core::vee::pack::RegisterClass;
use tallywatt_core::vee::parameters::RuleParameters;
use tallywatt_core::vee::rules::balance;
use tallywatt_ingest::documents::Feeder;

use crate::books::Books;
use crate::point_days::{PointDays, day_of, packs_of};

/// What a balance comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    WithinNorm,
    /// Above the norm.
    AboveNorm,
    /// Out of the pack's range: V28.
    OutOfRange,
    /// Readings lack, so it cannot be said.
    Incomplete,
}

impl Verdict {
    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WithinNorm => "WITHIN_NORM",
            Self::AboveNorm => "ABOVE_NORM",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::Incomplete => "INCOMPLETE",
        }
    }
}

/// A feeder's balance over a month or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// The feeder's head.
    pub head: UsagePointId,
    /// Of one day; `None` of the month.
    pub day: Option<Day>,
    /// What the head gave, Wh.
    pub head_wh: i64,
    /// What the meters took, Wh.
    pub meters_wh: i64,
    /// Point-days without readings, or with gaps.
    pub lacking_count: usize,
    /// The norm, thousandths.
    pub norm_thousandths: i64,
    /// What V28 found.
    pub finding: Option<Finding>,
    /// What it comes to.
    pub verdict: Verdict,
}

impl Balance {
    /// What the feeder lost, Wh.
    #[must_use]
    pub fn loss_wh(&self) -> i64 {
        self.head_wh.saturating_sub(self.meters_wh)
    }

    /// The loss in thousandths of what the head gave, to the nearest, halves to even; `None` if it gave nothing.
    #[must_use]
    pub fn loss_thousandths(&self) -> Option<i128> {
        (self.head_wh > 0)
            .then(|| div_half_even(i128::from(self.loss_wh()) * 1_000, i128::from(self.head_wh)))
    }
}

/// The balances of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Losses {
    /// The packs that hold in the month, by name and content hash.
    pub packs: Vec<(Label, ContentHash)>,
    /// By head, and by day if that was asked for.
    pub balances: Vec<Balance>,
    /// Points of the list without any reading in the month, with their heads; a head stands beside itself.
    pub without_readings: Vec<(UsagePointId, UsagePointId)>,
}

/// Balances each feeder over the month, or over each of its days.
#[must_use]
pub fn losses(books: &Books, period: Period, feeders: &[Feeder], is_by_day: bool) -> Losses {
    let mut accepted = PointDays::before(books, period.end_day(), None);
    accepted.keep_from(period.first_day());
    let (mut balances, mut without_readings) = (Vec::new(), Vec::new());
    for feeder in feeders {
        let points = std::iter::once(&feeder.head).chain(&feeder.meters);
        let absent = points.clone().filter(|point| accepted.of_point(point).is_empty());
        without_readings.extend(absent.map(|point| (feeder.head, *point)));
        let blocks = points.flat_map(|point| accepted.of_point(point));
        let last_day = blocks.map(|block| block.key().day).max();
        let days: Vec<Day> =
            period.days().filter(|day| last_day.is_some_and(|last_day| *day <= last_day)).collect();
        if is_by_day {
            balances.extend(
                days.iter().map(|day| balance_of(books, &accepted, feeder, &[*day], Some(*day), *day)),
            );
        } else {
            balances.push(balance_of(books, &accepted, feeder, &days, None, period.first_day()));
        }
    }
    Losses { packs: packs_of(books, period), balances, without_readings }
}

fn balance_of(
    books: &Books,
    accepted: &PointDays<'_>,
    feeder: &Feeder,
    days: &[Day],
    day: Option<Day>,
    judged_on: Day,
) -> Balance {
    let sum = |point: &UsagePointId| {
        let of_point = accepted.of_point(point);
        days.iter().fold((0_i64, 0_usize), |(wh, lacking), &day| {
            let (day_wh, is_whole) = net_of(of_point, day);
            (wh.saturating_add(day_wh), lacking + usize::from(!is_whole))
        })
    };
    let (head_wh, mut lacking_count) = sum(&feeder.head);
    let mut meters_wh = 0_i64;
    for meter in &feeder.meters {
        let (wh, lacking) = sum(meter);
        meters_wh = meters_wh.saturating_add(wh);
        lacking_count += lacking;
    }
    let pack = books.rule_pack_on(judged_on);
    let own = pack.body.rules_of(RegisterClass::Industrial).parameters;
    let norm_thousandths = feeder.loss_thousandths_norm;
    let parameters =
        RuleParameters { loss_thousandths_max: own.loss_thousandths_max.max(norm_thousandths), ..own };
    let finding = balance::feeder(head_wh, meters_wh, &parameters);
    let loss = (i128::from(head_wh) - i128::from(meters_wh)) * 1_000;
    let verdict = match finding {
        _ if lacking_count > 0 || days.is_empty() => Verdict::Incomplete,
        Some(_) => Verdict::OutOfRange,
        None if loss > i128::from(norm_thousandths) * i128::from(head_wh) => Verdict::AboveNorm,
        None => Verdict::WithinNorm,
    };
    Balance { head: feeder.head, day, head_wh, meters_wh, lacking_count, norm_thousandths, finding, verdict }
}

/// A point's net energy of a day, Wh, and whether nothing of it lacks.
fn net_of(point: &[&DayBlock], day: Day) -> (i64, bool) {
    let (mut net_wh, mut is_whole, mut has_any) = (0_i64, true, false);
    for series in point.chunk_by(|a, b| a.key().register == b.key().register) {
        let register = series[0].key().register;
        let sign = match register.flow {
            Flow::Import => 1,
            Flow::Export => -1,
            Flow::ReactiveImport | Flow::ReactiveExport => continue,
        };
        let has_total = || {
            let total = Register { zone: 0, ..register };
            point.iter().any(|block| block.key().register == total)
        };
        if register.zone != 0 && has_total() {
            continue;
        }
        has_any = true;
        match day_of(series, register, day) {
            Some(block) => {
                net_wh = net_wh.saturating_add(sign * block.total_wh());
                is_whole &= block.present_count() == block.interval_count();
            }
            None => is_whole = false,
        }
    }
    (net_wh, is_whole && has_any)
}
