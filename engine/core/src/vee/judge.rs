//! Validation of one reading: the checks that need nothing but the reading, the grid and today.

use crate::calendar::UtcSeconds;
use crate::day_block::DayGrid;
use crate::reading::RawReading;
use crate::rejection::RejectionCode;
use crate::vee::parameters::RuleParameters;

const DAY_S: i64 = 86_400;

/// Parameters of the checks; part of the rule pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most power a usage point can draw or feed in, in watts. What an interval may hold follows from it.
    pub power_max_w: i64,
    /// Readings whose interval ends after this instant are in the future. The clock is an argument.
    pub now: UtcSeconds,
    /// How far a source's clock may run ahead, in seconds.
    pub skew_s: i64,
    /// Readings whose interval ends before this instant are stale.
    pub oldest: UtcSeconds,
}

impl Limits {
    /// 100 GW, so that only values that no point could have are refused, a clock skew of 5 minutes, and no reading too old.
    #[must_use]
    pub const fn generous(now: UtcSeconds) -> Self {
        Self { power_max_w: 100_000_000_000, now, skew_s: 300, oldest: UtcSeconds(i64::MIN) }
    }

    /// What a pack's parameters allow at `now`: the power ceiling with its margin, the skew, and how far back.
    #[must_use]
    pub fn of(parameters: &RuleParameters, now: UtcSeconds) -> Self {
        let Self { power_max_w, .. } = Self::generous(now);
        let with_margin =
            i128::from(parameters.power_w_max) * i128::from(1_000 + parameters.power_margin_thousandths);
        Self {
            power_max_w: i64::try_from(with_margin / 1_000).unwrap_or(i64::MAX).min(power_max_w),
            now,
            skew_s: parameters.skew_s_max,
            oldest: now.plus(parameters.age_days_max.saturating_mul(-DAY_S)),
        }
    }
}

/// Whether the reading fits the grid of its day: its place there and its value, or why not.
///
/// # Errors
/// The first rule it breaks, in order of precedence.
pub fn judge(reading: &RawReading, grid: &DayGrid, limits: &Limits) -> Result<(usize, i32), RejectionCode> {
    if reading.interval_minutes != grid.interval_minutes {
        return Err(RejectionCode::IntervalSize);
    }
    let at = grid.interval_at(reading.start).ok_or(RejectionCode::OffGrid)?;
    if reading.energy_wh < 0 {
        return Err(RejectionCode::Negative);
    }
    let ceiling_wh = limits.power_max_w.saturating_mul(i64::from(reading.interval_minutes)) / 60;
    let value_wh = i32::try_from(reading.energy_wh).map_err(|_| RejectionCode::AboveCeiling)?;
    if reading.energy_wh > ceiling_wh {
        return Err(RejectionCode::AboveCeiling);
    }
    // An interval that is not over has no value yet.
    let end = reading.start.plus(i64::from(reading.interval_minutes) * 60);
    if end > limits.now.plus(limits.skew_s) {
        return Err(RejectionCode::Future);
    }
    if end < limits.oldest {
        return Err(RejectionCode::Stale);
    }
    Ok((at, value_wh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Zone;
    use crate::day_block::DayBlock;
    use crate::quality::Quality;
    use crate::reading::Source;
    use crate::register::Register;

    #[test]
    fn each_rule_has_a_row() {
        use RejectionCode::{AboveCeiling, Future, IntervalSize, Negative, OffGrid, Stale};
        let local = Zone::parse("UTC").unwrap().local_day("2026-03-01".parse().unwrap());
        let block =
            DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 30, Source::Automated).unwrap();
        // The second half-hour begins before the oldest instant and ends with it. The last that is over ends with the
        // clock's skew.
        let oldest = local.start.plus(3_600);
        let limits = Limits { power_max_w: 10_000, now: local.start.plus(8_700), skew_s: 300, oldest };
        // minutes after midnight, interval minutes, Wh, want
        let table = [
            (30, 30, 0, Ok((1, 0))),
            (0, 30, 0, Err(Stale)),
            (0, 30, 5_001, Err(AboveCeiling)),
            (60, 30, 5_000, Ok((2, 5_000))),
            (60, 15, 1, Err(IntervalSize)),
            (61, 30, 1, Err(OffGrid)),
            (-30, 30, 1, Err(OffGrid)),
            (60, 30, -1, Err(Negative)),
            (60, 30, 5_001, Err(AboveCeiling)),
            (60, 30, i64::MAX, Err(AboveCeiling)),
            (120, 30, 1, Ok((4, 1))),
            (150, 30, 1, Err(Future)),
            (150, 30, 5_001, Err(AboveCeiling)),
            (61, 15, -1, Err(IntervalSize)),
        ];
        for (minutes, interval_minutes, energy_wh, want) in table {
            let reading = RawReading {
                usage_point: "P".parse().unwrap(),
                register: Register::IMPORT,
                start: local.start.plus(minutes * 60),
                interval_minutes,
                energy_wh,
                quality: Quality::Valid,
                line: 1,
            };
            assert_eq!(
                judge(&reading, &block.grid(), &limits),
                want,
                "{minutes} min, {interval_minutes} min, {energy_wh} Wh"
            );
        }
    }

    /// To the second: the end of the interval from 01:00 to 01:30 against the limits.
    #[test]
    fn the_end_of_the_interval_counts() {
        let local = Zone::parse("UTC").unwrap().local_day("2026-03-01".parse().unwrap());
        let block =
            DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 30, Source::Automated).unwrap();
        let reading = RawReading {
            usage_point: "P".parse().unwrap(),
            register: Register::IMPORT,
            start: local.start.plus(3_600),
            interval_minutes: 30,
            energy_wh: 1,
            quality: Quality::Valid,
            line: 1,
        };
        // now, skew and oldest in seconds after midnight, want
        let table = [
            (5_400, 0, 0, Ok((2, 1))),
            (5_399, 0, 0, Err(RejectionCode::Future)),
            (5_100, 300, 0, Ok((2, 1))),
            (5_099, 300, 0, Err(RejectionCode::Future)),
            (3_600, 300, 0, Err(RejectionCode::Future)),
            (5_400, 0, 5_400, Ok((2, 1))),
            (5_401, 0, 5_401, Err(RejectionCode::Stale)),
        ];
        for (now_s, skew_s, oldest_s, want) in table {
            let now = local.start.plus(now_s);
            let limits = Limits { skew_s, oldest: local.start.plus(oldest_s), ..Limits::generous(now) };
            assert_eq!(judge(&reading, &block.grid(), &limits), want, "{now_s} {skew_s} {oldest_s}");
        }
    }

    #[test]
    fn limits_follow_from_a_pack() {
        let now = UtcSeconds(1_774_000_000);
        let mut parameters = RuleParameters::default();
        // Unless a pack says otherwise, old recordings load and only the impossible is refused.
        assert_eq!(
            Limits::of(&parameters, now),
            Limits { oldest: now.plus(-36_500 * DAY_S), ..Limits::generous(now) }
        );
        (parameters.power_w_max, parameters.power_margin_thousandths) = (15_000, 150);
        (parameters.skew_s_max, parameters.age_days_max) = (60, 60);
        let want = Limits { power_max_w: 17_250, now, skew_s: 60, oldest: now.plus(-60 * DAY_S) };
        assert_eq!(Limits::of(&parameters, now), want);
    }
}
