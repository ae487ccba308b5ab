//! What a debt that is paid late costs: a dated table of steps and yearly rates, and the pieces that it makes of a debt.
//!
//! ```text
//!   due day ─┬─ day 1 ─── 30 ─┬─ 31 ─── 90 ─┬─ 91 ─────▶     days overdue, of each part until it is paid
//!            │    nothing     │  rate / 300 │  rate / 130    of the part, a day
//!            └ the rate of the day on which the part is paid, or each day's own; at most a cap where one holds
//! ```
//!
//! A debt falls into the parts in which it is paid, and what is still open on the day that is asked for. A penalty bears
//! no penalty itself. It is a sum of fractions with one denominator, exact, and rounded once: [`pieces::ExactPenalty::round`]. A
//! due day on a weekend is not moved. The shape is that of article 155, part 14 of the Russian housing code; figures are data.
//!
//! ```
//! use tallywatt_core::penalty::YearlyRate;
//! let rate: YearlyRate = "9.5".parse()?;
//! assert_eq!((rate.as_e6(), rate.to_string().as_str()), (95_000, "9.5"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod pieces;

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use crate::calendar::{Day, Period};
use crate::decimal::{Decimal, DecimalError, write_scaled};
use crate::label::Label;
use crate::validity::Validity;

/// The longest title or source, bytes.
pub const PENALTY_TEXT_SIZE_MAX: usize = 240;
/// The most steps in a table.
pub const STEP_COUNT_MAX: usize = 8;
/// The most dated due days in a table.
pub const DUE_DAY_COUNT_MAX: usize = 16;
/// The most dated rates in a table.
pub const YEARLY_RATE_COUNT_MAX: usize = 1_024;
/// The most caps in a table.
pub const CAP_COUNT_MAX: usize = 64;
/// The highest rate a year, in 10^-6: 1,000 %.
pub const RATE_E6_MAX: u32 = 10_000_000;
/// The highest least common multiple of a table's divisors.
pub const COMMON_DIVISOR_MAX: u32 = 1_000_000;
/// The last day of a month that a debt may be due on: every month has it.
const DUE_DAY_MAX: u8 = 28;
/// Decimals of a rate in per cent.
const PERCENT_DECIMALS: u32 = 4;
/// Rate units in a whole.
const RATE_WHOLE: u32 = 1_000_000;
/// More days than the calendar has.
const DAY_COUNT_MAX: i128 = 100_000;

// So the exact penalty of any debt fits 128 bits, and nothing below needs to ask.
const _: () =
    assert!(i128::MAX / DAY_COUNT_MAX / RATE_E6_MAX as i128 / COMMON_DIVISOR_MAX as i128 > i64::MAX as i128);

/// A rate a year, in 10^-6 of the debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct YearlyRate(u32);

impl YearlyRate {
    /// From 10^-6; `None` above [`RATE_E6_MAX`].
    #[must_use]
    pub fn from_e6(e6: u32) -> Option<Self> {
        (e6 <= RATE_E6_MAX).then_some(Self(e6))
    }

    /// In 10^-6.
    #[must_use]
    pub const fn as_e6(self) -> u32 {
        self.0
    }
}

/// Why a text is no rate a year.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateTextError {
    /// Not a decimal number, or too fine.
    #[error(transparent)]
    Decimal(#[from] DecimalError),
    /// Below nothing, or above [`RATE_E6_MAX`].
    #[error("not from 0 to 1000 per cent a year")]
    Range,
}

/// Per cent a year: `9.5`, at most four decimals.
impl FromStr for YearlyRate {
    type Err = RateTextError;

    fn from_str(text: &str) -> Result<Self, RateTextError> {
        let e6 = Decimal::parse(text.as_bytes(), b'.')?.scaled(PERCENT_DECIMALS)?;
        u32::try_from(e6).ok().and_then(Self::from_e6).ok_or(RateTextError::Range)
    }
}

/// Per cent a year.
impl fmt::Display for YearlyRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, i128::from(self.0), PERCENT_DECIMALS, 0)
    }
}

/// On which day of the next month a month's bill is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueDay {
    /// For bills that are due in a month which begins on this day or later.
    pub from: Day,
    /// The day of that month, 1 to 28: the last on which nothing is late.
    pub day_of_month: u8,
}

/// What a day of a stretch of overdue days costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The first of its days; the day after the due day is 1.
    pub from_day: u16,
    /// What the rate a year is divided by, to be the rate a day; `None`: these days cost nothing.
    pub divisor: Option<NonZeroU16>,
}

/// A rate, until the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedRate {
    /// Its first day.
    pub from: Day,
    /// The rate.
    pub rate: YearlyRate,
}

/// The highest rate that counts on some days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// On which days.
    pub validity: Validity,
    /// The highest rate then.
    pub rate: YearlyRate,
}

/// Which day's rate counts for a day overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RateOn {
    /// That of the day on which the part is paid; of what is open, that of the day that is asked for.
    Payment = 1,
    /// Each day's own.
    EachDay = 2,
}

impl RateOn {
    /// Both, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::Payment, Self::EachDay];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::EachDay => "each-day",
        }
    }
}

/// What a penalty table is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PenaltyParts {
    /// Its name; versions share it.
    pub id: Label,
    /// What people call it.
    pub title: String,
    /// Where its figures come from.
    pub source: String,
    /// The days as of which it is asked.
    pub validity: Validity,
    /// Due days, the earliest first.
    pub due_days: Vec<DueDay>,
    /// Steps; the first begins on day 1.
    pub steps: Vec<Step>,
    /// Rates, the earliest first.
    pub rates: Vec<DatedRate>,
    /// Caps, the earliest first.
    pub caps: Vec<Cap>,
    /// Which day's rate counts.
    pub rate_on: RateOn,
    /// Whether the day of a payment is still a day overdue.
    pub counts_payment_day: bool,
}

/// Why parts are no penalty table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PenaltyError {
    /// A title or source that is too long or not plain.
    #[error("{0} is longer than {PENALTY_TEXT_SIZE_MAX} bytes or has control characters")]
    Text(&'static str),
    /// None, or too many, of a list.
    #[error("{count} {what}, need {min} to {max}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// The fewest.
        min: usize,
        /// The most.
        max: usize,
    },
    /// A due day out of order, or one that not every month has; counted from 1.
    #[error(
        "due day {0}: need a day of the month from 1 to {DUE_DAY_MAX}, each from a later date than the one before"
    )]
    DueDay(usize),
    /// A step out of order; counted from 1.
    #[error("step {0}: the first begins on day 1, each other after the one before")]
    Step(usize),
    /// Divisors whose fractions have no denominator that we compute with.
    #[error("the divisors of the steps have no common multiple up to {COMMON_DIVISOR_MAX}")]
    Divisors,
    /// A rate out of order; counted from 1.
    #[error("rate {0}: each holds from a later date than the one before")]
    Rate(usize),
    /// Two caps on one day, or out of order; counted from 1.
    #[error("cap {0}: it begins before the one before it ends")]
    Cap(usize),
}

/// Why a table has no penalty for a debt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPenalty {
    /// It does not say when the bill is due.
    #[error("the table names no due day for bills of {0}")]
    DueDay(Period),
    /// It does not say the rate of a day that counts.
    #[error("the table names no rate for {0}")]
    Rate(Day),
}

/// A checked penalty table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PenaltyTable {
    parts: PenaltyParts,
    /// The least common multiple of the divisors.
    common_divisor: u32,
}

impl PenaltyTable {
    /// Checks that the parts are a table.
    ///
    /// # Errors
    /// [`PenaltyError`] names the first part that is not.
    pub fn new(parts: PenaltyParts) -> Result<Self, PenaltyError> {
        for (what, text) in [("title", &parts.title), ("source", &parts.source)] {
            if text.len() > PENALTY_TEXT_SIZE_MAX || text.chars().any(char::is_control) {
                return Err(PenaltyError::Text(what));
            }
        }
        for (what, count, min, max) in [
            ("due days", parts.due_days.len(), 1, DUE_DAY_COUNT_MAX),
            ("steps", parts.steps.len(), 1, STEP_COUNT_MAX),
            ("rates", parts.rates.len(), 1, YEARLY_RATE_COUNT_MAX),
            ("caps", parts.caps.len(), 0, CAP_COUNT_MAX),
        ] {
            if !(min..=max).contains(&count) {
                return Err(PenaltyError::Count { what, count, min, max });
            }
        }
        let is_day = |due: &DueDay| (1..=DUE_DAY_MAX).contains(&due.day_of_month);
        let misplaced = first_misplaced(&parts.due_days, |a, b| a.from < b.from);
        if let Some(at) = parts.due_days.iter().position(|due| !is_day(due)).or(misplaced) {
            return Err(PenaltyError::DueDay(at + 1));
        }
        let late_start = (parts.steps[0].from_day != 1).then_some(0);
        if let Some(at) = late_start.or(first_misplaced(&parts.steps, |a, b| a.from_day < b.from_day)) {
            return Err(PenaltyError::Step(at + 1));
        }
        if let Some(at) = first_misplaced(&parts.rates, |a, b| a.from < b.from) {
            return Err(PenaltyError::Rate(at + 1));
        }
        let follows = |a: &Cap, b: &Cap| a.validity.to().is_some_and(|to| to <= b.validity.from());
        if let Some(at) = first_misplaced(&parts.caps, follows) {
            return Err(PenaltyError::Cap(at + 1));
        }
        let common_divisor = common_multiple(&parts.steps).ok_or(PenaltyError::Divisors)?;
        Ok(Self { parts, common_divisor })
    }

    /// What it is made from.
    #[must_use]
    pub const fn parts(&self) -> &PenaltyParts {
        &self.parts
    }

    /// The last day on which a bill of `period` is paid in time: a day of the month after it.
    ///
    /// # Errors
    /// [`NoPenalty::DueDay`] before the first due day of the table.
    pub fn due_day(&self, period: Period) -> Result<Day, NoPenalty> {
        let month = period.end_day();
        let holding = self.parts.due_days.iter().rev().find(|due| due.from <= month);
        let due = holding.and_then(|due| month.plus(i32::from(due.day_of_month) - 1));
        due.ok_or(NoPenalty::DueDay(period))
    }

    /// The rate of a day, at most its cap.
    ///
    /// # Errors
    /// [`NoPenalty::Rate`] before the first rate of the table.
    pub fn rate_on(&self, day: Day) -> Result<YearlyRate, NoPenalty> {
        let dated = self.parts.rates.iter().rev().find(|dated| dated.from <= day);
        let rate = dated.ok_or(NoPenalty::Rate(day))?.rate;
        let cap = self.parts.caps.iter().find(|cap| cap.validity.contains(day));
        Ok(cap.map_or(rate, |cap| cap.rate.min(rate)))
    }
}

/// Index of the first entry that does not stand in order behind the one before it.
fn first_misplaced<T>(list: &[T], is_in_order: impl Fn(&T, &T) -> bool) -> Option<usize> {
    list.windows(2).position(|pair| !is_in_order(&pair[0], &pair[1])).map(|at| at + 1)
}

/// The least common multiple of the divisors, up to its limit.
fn common_multiple(steps: &[Step]) -> Option<u32> {
    steps.iter().filter_map(|step| step.divisor).try_fold(1_u32, |multiple, divisor| {
        let divisor = u32::from(divisor.get());
        let common = u32::try_from(greatest_common_divisor(multiple.into(), divisor.into())).ok()?;
        (multiple / common).checked_mul(divisor).filter(|multiple| *multiple <= COMMON_DIVISOR_MAX)
    })
}

fn greatest_common_divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
