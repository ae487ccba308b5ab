//! The penalty table file: what a debt that is paid late costs, as TOML.
//!
//! ```toml
//! kind = "penalty"
//! id = "households"
//! title = "Households"
//! source = "article 155"
//! valid_from = "2026-01-01"     # the days as of which it is asked
//! # valid_to = "2027-01-01"     # the first day it no longer holds
//! rate_on = "payment"           # the rate of the day of payment, or "each-day": each day's own
//! counts_payment_day = true     # the day of a payment is still a day overdue
//! rounding = "half-up"          # of a debt's penalty, once; the only rule there is
//! [[due]]                       # the last day on which nothing is late, in the month after the bill's
//! from = "2020-01-01"           # of bills that are due in a month which begins then or later
//! day = 10                      # 1 to 28
//! [[step]]
//! from_day = 1                  # days overdue: the day after the due day is 1; without a divisor they cost nothing
//! [[step]]
//! from_day = 31
//! divisor = 300                 # rate a year / 300 is the rate a day
//! [[rate]]
//! from = "2025-10-27"           # until the next one
//! percent = "16.5"              # a year, at most four decimals
//! [[cap]]                       # may be left out: no rate above this counts on its days
//! valid_from = "2022-02-28"
//! valid_to = "2025-01-01"       # the first day it no longer holds
//! percent = "9.5"
//! ```
//!
//! The lists ascend. A table may be asked of any day from its first rate on, whatever its `valid_from`; of two that are
//! published and hold, the one that was published later is asked, so new rates come as a new file with all the old ones.

use std::num::NonZeroU16;
use std::ops::Range as Span;

use serde::Deserialize;
use tallywatt_core::calendar::Day;
use tallywatt_core::penalty::{
    Cap, DatedRate, DueDay, PenaltyError, PenaltyParts, PenaltyTable, RateOn, Step, YearlyRate,
};
use toml::{Spanned, Value};

use super::error::DocumentError;
use super::field::{Field, Source};

/// The tables that come with the program, by id.
const BUILTIN: [(&str, &str); 1] =
    [("russia-households-penalty", include_str!("../../rule_packs/russia-households-penalty.toml"))];

const NAMES: &str = "write 1 to 33 printable ASCII characters";
const DATE: &str = "write the date as \"2026-01-01\"";
const RATE: &str = "write per cent a year with a point and at most four decimals, such as \"9.5\"";
const RATE_ON: &str = "write rate_on = \"payment\" or \"each-day\"";
const NUMBER: &str = "write a whole number without quotes";
const LISTS: &str = "write [[due]], [[step]] and [[rate]] at least once each, and no more of them than that";
const ORDER: &str = "let each entry begin after the one before it";
const DUE_DAYS: &str = "write a day that every month has, and let each entry begin after the one before it";
const DIVISORS: &str = "write divisors with common factors, such as 300 and 130";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PenaltyFile {
    #[serde(rename = "kind")]
    _kind: Field,
    id: Field,
    title: Field,
    source: Field,
    valid_from: Field,
    valid_to: Option<Field>,
    rate_on: Field,
    counts_payment_day: Field,
    rounding: Field,
    #[serde(default)]
    due: Vec<Spanned<DueTable>>,
    #[serde(default)]
    step: Vec<Spanned<StepTable>>,
    #[serde(default)]
    rate: Vec<Spanned<RateTable>>,
    #[serde(default)]
    cap: Vec<Spanned<CapTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DueTable {
    from: Field,
    day: Field,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    from_day: Field,
    divisor: Option<Field>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateTable {
    from: Field,
    percent: Field,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CapTable {
    valid_from: Field,
    valid_to: Option<Field>,
    percent: Field,
}

/// The text of a penalty table that comes with the program; `None` for an id that none has.
#[must_use]
pub fn builtin_penalty_table(id: &str) -> Option<&'static str> {
    BUILTIN.into_iter().find(|(known, _)| *known == id).map(|(_, text)| text)
}

/// The ids of the penalty tables that come with the program.
pub fn builtin_penalty_tables() -> impl Iterator<Item = &'static str> {
    BUILTIN.into_iter().map(|(id, _)| id)
}

pub(super) fn parse(source: &Source<'_>) -> Result<PenaltyTable, DocumentError> {
    let file: PenaltyFile = source.read()?;
    let rounding = source.text("rounding", &file.rounding)?;
    if rounding != "half-up" {
        let problem = format!("rounding {rounding:?} is not known");
        return Err(source.fail(&file.rounding.span(), problem, "write rounding = \"half-up\""));
    }
    let due = |entry: &Spanned<DueTable>| {
        let DueTable { from, day } = entry.get_ref();
        Ok(DueDay {
            from: source.parse("from", from, DATE)?,
            day_of_month: source.whole("day", day, 1..=28, NUMBER)?,
        })
    };
    let step = |entry: &Spanned<StepTable>| {
        let StepTable { from_day, divisor } = entry.get_ref();
        let divisor =
            divisor.as_ref().map(|field| source.whole("divisor", field, 1..=u16::MAX, NUMBER)).transpose()?;
        Ok(Step {
            from_day: source.whole("from_day", from_day, 1..=u16::MAX, NUMBER)?,
            divisor: divisor.and_then(NonZeroU16::new),
        })
    };
    let rate = |entry: &Spanned<RateTable>| {
        let RateTable { from, percent } = entry.get_ref();
        Ok(DatedRate { from: source.parse::<Day>("from", from, DATE)?, rate: rate_of(source, percent)? })
    };
    let cap = |entry: &Spanned<CapTable>| {
        let CapTable { valid_from, valid_to, percent } = entry.get_ref();
        let validity = source.validity(valid_from, valid_to.as_ref())?;
        Ok(Cap { validity, rate: rate_of(source, percent)? })
    };
    let parts = PenaltyParts {
        id: source.parse("id", &file.id, NAMES)?,
        title: source.text("title", &file.title)?.to_owned(),
        source: source.text("source", &file.source)?.to_owned(),
        validity: source.validity(&file.valid_from, file.valid_to.as_ref())?,
        due_days: file.due.iter().map(due).collect::<Result<_, _>>()?,
        steps: file.step.iter().map(step).collect::<Result<_, _>>()?,
        rates: file.rate.iter().map(rate).collect::<Result<_, _>>()?,
        caps: file.cap.iter().map(cap).collect::<Result<_, _>>()?,
        rate_on: rate_on(source, &file.rate_on)?,
        counts_payment_day: source.flag("counts_payment_day", &file.counts_payment_day)?,
    };
    PenaltyTable::new(parts).map_err(|error| {
        let (span, next_step) = place_of(&error, &file);
        source.fail(&span, error.to_string(), next_step)
    })
}

fn rate_on(source: &Source<'_>, field: &Field) -> Result<RateOn, DocumentError> {
    let text = source.text("rate_on", field)?;
    let known = RateOn::ALL.into_iter().find(|known| known.name() == text);
    known.ok_or_else(|| source.fail(&field.span(), format!("rate_on {text:?} is not known"), RATE_ON))
}

/// Per cent a year, as text: a float would have lost digits.
fn rate_of(source: &Source<'_>, field: &Field) -> Result<YearlyRate, DocumentError> {
    if let Value::Float(_) | Value::Integer(_) = field.get_ref() {
        let problem = format!("write percent as text, {} loses digits as a number", field.get_ref());
        return Err(source.fail(&field.span(), problem, "put the value in double quotes"));
    }
    source.parse("percent", field, RATE)
}

/// Where in the file a mistake stands that shows only when the parts are put together.
fn place_of(error: &PenaltyError, file: &PenaltyFile) -> (Span<usize>, &'static str) {
    fn nth<T>(list: &[Spanned<T>], number: usize, top: Span<usize>) -> Span<usize> {
        number.checked_sub(1).and_then(|at| list.get(at)).map_or(top, Spanned::span)
    }
    let top = file.id.span();
    match *error {
        PenaltyError::Text("title") => (file.title.span(), "shorten it"),
        PenaltyError::Text(_) => (file.source.span(), "shorten it"),
        PenaltyError::Count { .. } => (top, LISTS),
        PenaltyError::DueDay(number) => (nth(&file.due, number, top), DUE_DAYS),
        PenaltyError::Step(number) => (nth(&file.step, number, top), ORDER),
        PenaltyError::Divisors => (nth(&file.step, 1, top), DIVISORS),
        PenaltyError::Rate(number) => (nth(&file.rate, number, top), ORDER),
        PenaltyError::Cap(number) => (nth(&file.cap, number, top), ORDER),
    }
}
