//! The pieces that a penalty table makes of one debt, and what they add up to.

use std::fmt;
use std::num::NonZeroU16;

use crate::calendar::Day;
use crate::money::{MINOR_DECIMALS, Money, div_half_up};
use crate::penalty::{
    NoPenalty, PenaltyTable, RATE_WHOLE, RateOn, Step, YearlyRate, greatest_common_divisor,
};

/// A debt with what was paid of it.
#[derive(Debug, Clone, Copy)]
pub struct OverdueDebt<'a> {
    /// The last day on which nothing is late.
    pub due: Day,
    /// What was to be paid.
    pub total: Money,
    /// What was paid of it on which day, in any order; what is paid beyond the total counts for nothing.
    pub payments: &'a [(Day, Money)],
    /// The day that is asked for. What is open then was overdue on it too; later payments are not known yet.
    pub as_of: Day,
}

/// By what a day is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The rate a year.
    pub rate: YearlyRate,
    /// What it is divided by, to be the rate a day.
    pub divisor: NonZeroU16,
}

/// Days on which one part of a debt was charged alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The first of them.
    pub from: Day,
    /// The last of them.
    pub to: Day,
    /// The part.
    pub debt: Money,
    /// By what; `None`: these days cost nothing.
    pub charge: Option<Charge>,
    /// debt × rate × days / divisor.
    pub exact: ExactPenalty,
}

impl Piece {
    /// How many days, both ends counted.
    #[must_use]
    pub const fn day_count(&self) -> i32 {
        self.to.since(self.from) + 1
    }
}

/// The penalty of one debt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Penalty {
    /// Part by part, in the order they are paid in, each by day.
    pub pieces: Vec<Piece>,
}

impl Penalty {
    /// The sum of the pieces.
    #[must_use]
    pub fn exact(&self) -> ExactPenalty {
        let none = ExactPenalty { numerator: 0, denominator: 1 };
        let denominator = self.pieces.first().map_or(none, |piece| piece.exact).denominator;
        // One table made all pieces, so they have one denominator; their days and parts are those of one debt.
        let numerator = self.pieces.iter().map(|piece| piece.exact.numerator).sum();
        ExactPenalty { numerator, denominator }
    }

    /// The penalty in minor units; `None` past 64 bits.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        self.exact().round()
    }
}

/// A penalty before rounding: a fraction of minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExactPenalty {
    numerator: i128,
    /// Above zero.
    denominator: i128,
}

impl ExactPenalty {
    /// Rounds to whole minor units, halves away from zero: the one place where a penalty loses anything.
    ///
    /// `None` past `i64` minor units.
    #[must_use]
    pub fn round(self) -> Option<Money> {
        i64::try_from(div_half_up(self.numerator, self.denominator)).ok().map(Money::from_minor)
    }

    /// In 10^-4 of the currency unit, to the nearest: for people to compare, not to compute with.
    #[must_use]
    pub fn nearest_e4(self) -> i128 {
        let whole = self.numerator / self.denominator;
        let rest = self.numerator % self.denominator;
        whole.saturating_mul(100).saturating_add(div_half_up(rest * 100, self.denominator))
    }
}

/// In lowest terms, of the currency unit: `19/60`, `19`.
impl fmt::Display for ExactPenalty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let denominator = self.denominator * 10_i128.pow(MINOR_DECIMALS);
        let common = greatest_common_divisor(self.numerator.max(1), denominator);
        let text = match (self.numerator, denominator / common) {
            (0, _) => "0".to_owned(),
            (numerator, 1) => (numerator / common).to_string(),
            (numerator, denominator) => format!("{}/{denominator}", numerator / common),
        };
        f.pad(&text)
    }
}

/// A part of a debt that is paid on one day, or open.
struct PaidPart {
    minor: i64,
    /// The last day that counts, as the number of a day.
    last_day_number: i32,
    rate_day: Day,
}

impl PenaltyTable {
    /// The penalty of a debt, piece by piece.
    ///
    /// # Errors
    /// [`NoPenalty::Rate`].
    pub fn penalty(&self, debt: &OverdueDebt<'_>) -> Result<Penalty, NoPenalty> {
        let mut pieces = Vec::new();
        for part in self.parts_of(debt) {
            self.cut(debt.due, &part, &mut pieces)?;
        }
        Ok(Penalty { pieces })
    }

    /// The parts in which a debt is paid, by day, and what is open.
    fn parts_of(&self, debt: &OverdueDebt<'_>) -> Vec<PaidPart> {
        let mut payments: Vec<(Day, Money)> =
            debt.payments.iter().copied().filter(|(day, _)| *day <= debt.as_of).collect();
        payments.sort_by_key(|(day, _)| *day);
        let mut left = debt.total.as_minor().max(0);
        let mut parts: Vec<PaidPart> = Vec::new();
        for (day, amount) in payments {
            let taken = amount.as_minor().clamp(0, left);
            left -= taken;
            let last_day_number = day.number() - i32::from(!self.parts.counts_payment_day);
            match parts.last_mut() {
                Some(last) if last.rate_day == day => last.minor += taken,
                _ => parts.push(PaidPart { minor: taken, last_day_number, rate_day: day }),
            }
        }
        parts.push(PaidPart { minor: left, last_day_number: debt.as_of.number(), rate_day: debt.as_of });
        parts.retain(|part| part.minor > 0);
        parts
    }

    /// Cuts the overdue days of a part where another step begins, and where another rate does if each day has its own.
    fn cut(&self, due: Day, part: &PaidPart, pieces: &mut Vec<Piece>) -> Result<(), NoPenalty> {
        let mut number = due.number() + 1;
        while number <= part.last_day_number {
            let is_begun = |step: &&Step| due.number() + i32::from(step.from_day) <= number;
            let begun_count = self.parts.steps.iter().take_while(is_begun).count();
            let mut last_number = part.last_day_number;
            if let Some(next) = self.parts.steps.get(begun_count) {
                last_number = last_number.min(due.number() + i32::from(next.from_day) - 1);
            }
            // What lies between a due day and a day that was asked for is a day.
            let Some(from) = Day::from_number(number) else { break };
            let charge = match (self.parts.steps[begun_count - 1].divisor, self.parts.rate_on) {
                (None, _) => None,
                (Some(divisor), RateOn::Payment) => {
                    Some(Charge { rate: self.rate_on(part.rate_day)?, divisor })
                }
                (Some(divisor), RateOn::EachDay) => {
                    let change = self.next_change(from).map_or(i32::MAX, Day::number);
                    last_number = last_number.min(change - 1);
                    Some(Charge { rate: self.rate_on(from)?, divisor })
                }
            };
            let Some(to) = Day::from_number(last_number) else { break };
            let debt = Money::from_minor(part.minor);
            pieces.push(Piece { from, to, debt, charge, exact: self.exact(debt, from, to, charge) });
            number = last_number + 1;
        }
        Ok(())
    }

    /// The first day after `day` on which another rate or cap holds.
    fn next_change(&self, day: Day) -> Option<Day> {
        let rates = self.parts.rates.iter().map(|dated| dated.from);
        let caps = self.parts.caps.iter();
        let cap_days = caps.flat_map(|cap| [Some(cap.validity.from()), cap.validity.to()]).flatten();
        rates.chain(cap_days).filter(|change| *change > day).min()
    }

    /// debt × rate × days / divisor, over the denominator of the table.
    fn exact(&self, debt: Money, from: Day, to: Day, charge: Option<Charge>) -> ExactPenalty {
        let denominator = i128::from(self.common_divisor) * i128::from(RATE_WHOLE);
        let numerator = charge.map_or(0, |Charge { rate, divisor }| {
            let days = i128::from(to.since(from)) + 1;
            let share = i128::from(self.common_divisor / u32::from(divisor.get()));
            i128::from(debt.as_minor()) * i128::from(rate.as_e6()) * days * share
        });
        ExactPenalty { numerator, denominator }
    }
}
