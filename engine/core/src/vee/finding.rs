//! What a rule found: which rule, where, what it measured and against what limit.

use std::fmt;

use crate::vee::rule::Rule;

/// One finding. With the day's values, the rule's number and the pack it can be made again, by anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// The first interval it is about.
    pub first_interval: u16,
    /// How many intervals from there; 0 if it is not about intervals.
    pub interval_count: u16,
    /// What was measured, in [`Rule::unit`].
    pub measured: i64,
    /// What it was held against, in the same unit.
    pub limit: i64,
}

impl Finding {
    /// About one interval.
    #[must_use]
    pub fn at(rule: Rule, interval: usize, measured: i128, limit: i128) -> Self {
        Self::over(rule, interval, 1, measured, limit)
    }

    /// About `count` intervals from `first`. What passes `i64` is shown as its end.
    #[must_use]
    pub fn over(rule: Rule, first: usize, count: usize, measured: i128, limit: i128) -> Self {
        Self {
            rule,
            first_interval: u16::try_from(first).unwrap_or(u16::MAX),
            interval_count: u16::try_from(count).unwrap_or(u16::MAX),
            measured: saturated(measured),
            limit: saturated(limit),
        }
    }

    /// Not about intervals.
    #[must_use]
    pub fn of(rule: Rule, measured: i128, limit: i128) -> Self {
        Self::over(rule, 0, 0, measured, limit)
    }
}

/// `V09 spike: intervals 3 to 3: 2091 thousandths, limit 1800`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.rule, self.rule.name())?;
        if self.interval_count > 0 {
            let last = u32::from(self.first_interval) + u32::from(self.interval_count) - 1;
            write!(f, "intervals {} to {last}: ", self.first_interval)?;
        }
        write!(f, "{} {}, limit {}", self.measured, self.rule.unit(), self.limit)
    }
}

fn saturated(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

/// `numerator / divisor`, up; so what fails a limit by a part of a unit is shown above it.
pub(crate) fn div_up(numerator: i128, divisor: i128) -> i128 {
    -((-numerator).div_euclid(divisor.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown() {
        let spike = Finding::at(Rule::Spike, 3, 2_091, 1_800);
        assert_eq!(spike.to_string(), "V09 spike: intervals 3 to 3: 2091 thousandths, limit 1800");
        let silent = Finding::of(Rule::Delivery, i128::MAX, -1);
        assert_eq!(silent.to_string(), format!("V27 delivery: {} s or thousandths, limit -1", i64::MAX));
        assert_eq!((div_up(7, 2), div_up(-7, 2), div_up(8, 2), div_up(1, 0)), (4, -3, 4, 1));
    }
}
