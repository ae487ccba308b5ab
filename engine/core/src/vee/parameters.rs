//! The parameters of the rules: whole numbers with their unit in the name, each with its range and default.
//!
//! The defaults are those of the catalogue: configurable, and not promised to be right for anybody. A parameter added
//! here goes into the canonical bytes of a rule pack, so it is a new version of that record.

use crate::vee::rule::Rule;

/// A parameter: which rule it is of, what it may be and what it is unless a pack says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterSpec {
    /// As in the struct and in the file.
    pub name: &'static str,
    /// The rule it is of.
    pub rule: Rule,
    /// The least it may be.
    pub min: i64,
    /// The most it may be.
    pub max: i64,
    /// What it is unless a pack says otherwise.
    pub default: i64,
}

macro_rules! parameters {
    ($($(#[$doc:meta])+ $name:ident: $rule:ident, $min:literal to $max:literal, $default:literal;)+) => {
        /// The parameters of all rules for one class of registers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct RuleParameters {
            $($(#[$doc])+ pub $name: i64,)+
        }

        impl Default for RuleParameters {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// Every parameter, in the order of the canonical bytes.
        pub const PARAMETERS: [ParameterSpec; [$(stringify!($name)),+].len()] = [
            $(ParameterSpec { name: stringify!($name), rule: Rule::$rule, min: $min, max: $max, default: $default },)+
        ];

        impl RuleParameters {
            /// The values, in the order of [`PARAMETERS`].
            #[must_use]
            pub const fn values(&self) -> [i64; PARAMETERS.len()] {
                [$(self.$name),+]
            }

            /// From values in the order of [`PARAMETERS`].
            #[must_use]
            pub const fn from_values(values: [i64; PARAMETERS.len()]) -> Self {
                let [$($name),+] = values;
                Self { $($name),+ }
            }
        }
    };
}

parameters! {
    /// The most power a supply can carry, watts.
    power_w_max: Ceiling, 1 to 100_000_000_000, 100_000_000_000;
    /// What is allowed on top of it.
    power_margin_thousandths: Ceiling, 0 to 10_000, 150;
    /// How far a source's clock may run ahead, seconds: an interval that ends later is in the future.
    skew_s_max: Window, 0 to 86_400, 300;
    /// How far back the end of an interval may lie, days. Old recordings load unless a pack narrows it.
    age_days_max: Window, 1 to 36_500, 36_500;
    /// A clock that is further off is warned of, seconds.
    clock_warn_s: ClockDrift, 0 to 86_400, 180;
    /// A clock that is as far off makes the day no good, seconds.
    clock_invalid_s: ClockDrift, 1 to 86_400, 3_300;
    /// The most that the highest may be above the third highest, of the third highest.
    spike_thousandths_max: Spike, 1 to 1_000_000, 1_800;
    /// A highest value up to this is never a spike, Wh.
    spike_wh_min: Spike, 0 to 2_147_483_647, 1_000;
    /// 1: a value no higher than the third highest of this period and the last is no spike either; 0: the day alone counts.
    spike_spares_history: Spike, 0 to 1, 0;
    /// The most standard deviations from the median.
    outlier_sigmas_thousandths_max: Outlier, 1 to 1_000_000, 3_000;
    /// The least that a standard deviation is taken for, Wh.
    outlier_sigma_wh_min: Outlier, 1 to 1_000_000_000, 1_000;
    /// The most that a value may differ from the one before, of the one before.
    step_percent_max: Step, 1 to 1_000_000, 500;
    /// The least that the one before is taken for, Wh.
    step_base_wh_min: Step, 1 to 2_147_483_647, 1_000;
    /// What the intervals may differ from the register: a dial unit before the multiplier, mWh.
    sum_dial_milliwatt_hours: SumCheck, 0 to 1_000_000_000_000, 1_000_000;
    /// Or this part of the intervals' sum, whichever is more.
    sum_thousandths: SumCheck, 0 to 1_000, 1;
    /// What each zone register and the total may be off, mWh.
    zone_dial_milliwatt_hours: ZoneSum, 0 to 1_000_000_000_000, 1_000_000;
    /// From which part of its dials a register that went back had come to its end, for V14. Consumption, and so a bill,
    /// takes [`ROLLOVER_TENTHS`](crate::vee::consumption::ROLLOVER_TENTHS) whatever a pack says; between register reads
    /// V14 finds what is below either.
    rollover_thousandths_min: Rollover, 0 to 1_000, 900;
    /// The least daily use, of the reference.
    use_thousandths_min: HighLow, 0 to 1_000, 500;
    /// The most daily use, of the reference.
    use_thousandths_max: HighLow, 1_000 to 1_000_000, 2_000;
    /// Whole days of a period before its daily use says anything, also as what another is held against.
    use_days_min: HighLow, 1 to 366, 7;
    /// The most that a value may be above the last period's highest.
    peak_percent_max: HistoricalMax, 0 to 1_000_000, 100;
    /// The least that the last period's highest is taken for, Wh.
    peak_wh_min: HistoricalMax, 0 to 2_147_483_647, 1_000;
    /// A run of zeros as long is found, minutes.
    zero_run_minutes: ZeroRun, 1 to 527_040, 2_880;
    /// A run of one value as long is found, intervals.
    flat_run_count: FlatLine, 2 to 60_000, 12;
    /// The most reactive energy, of the active.
    reactive_thousandths_max: Reactive, 0 to 1_000_000, 2_000;
    /// Reactive energy of a day up to this is not looked at, varh.
    reactive_varh_min: Reactive, 0 to 1_000_000_000_000, 1_000;
    /// The most that main and check meter may differ, of the check meter: twice a class of 1 %.
    check_thousandths_max: MainCheck, 0 to 1_000, 20;
    /// The most days without one measured value.
    estimated_days_max: ProlongedEstimation, 1 to 3_660, 60;
    /// A meter is silent after this, seconds.
    silent_s: Delivery, 3_600 to 31_622_400, 129_600;
    /// The least part of the expected intervals that must have come.
    coverage_thousandths_min: Delivery, 0 to 1_000, 950;
    /// The least loss of a feeder, of what it gave; below zero where meters may count more.
    loss_thousandths_min: FeederBalance, -1_000 to 1_000, 0;
    /// The most loss of a feeder, of what it gave.
    loss_thousandths_max: FeederBalance, -1_000 to 1_000, 120;
    /// How much a replacement may differ without approval, Wh.
    replacement_wh_max: Replacement, 0 to 1_000_000_000_000, 10_000;
    /// Or by this part of the billed value, whichever is more.
    replacement_percent_max: Replacement, 0 to 1_000_000, 10;
}

/// Why parameters cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// Outside the parameter's range.
    #[error("{name} is {value}, need {min} to {max}")]
    Range {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: i64,
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// Two parameters contradict each other.
    #[error("{less} is above {more}")]
    Order {
        /// Should be the lesser one.
        less: &'static str,
        /// Should be the greater one.
        more: &'static str,
    },
}

impl RuleParameters {
    /// Gives them back if each is in its range and no two contradict each other.
    ///
    /// # Errors
    /// [`ParameterError`] names the first that is not.
    pub fn check(self) -> Result<Self, ParameterError> {
        for (spec, value) in PARAMETERS.iter().zip(self.values()) {
            if !(spec.min..=spec.max).contains(&value) {
                let ParameterSpec { name, min, max, .. } = *spec;
                return Err(ParameterError::Range { name, value, min, max });
            }
        }
        if self.clock_warn_s > self.clock_invalid_s {
            return Err(ParameterError::Order { less: "clock_warn_s", more: "clock_invalid_s" });
        }
        if self.loss_thousandths_min > self.loss_thousandths_max {
            return Err(ParameterError::Order { less: "loss_thousandths_min", more: "loss_thousandths_max" });
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_values_round_trip() {
        let parameters = RuleParameters::default();
        assert_eq!(parameters.check(), Ok(parameters));
        assert_eq!(RuleParameters::from_values(parameters.values()), parameters);
        for (at, spec) in PARAMETERS.iter().enumerate() {
            assert_eq!(parameters.values()[at], spec.default, "{}", spec.name);
            for (value, is_taken) in [(spec.min - 1, false), (spec.max + 1, false)] {
                let mut values = parameters.values();
                values[at] = value;
                assert_eq!(
                    RuleParameters::from_values(values).check().is_ok(),
                    is_taken,
                    "{} = {value}",
                    spec.name
                );
            }
            assert!(PARAMETERS[..at].iter().all(|other| other.name != spec.name), "{} twice", spec.name);
        }
    }

    #[test]
    fn parameters_do_not_contradict_each_other() {
        let clock = RuleParameters { clock_warn_s: 3_301, ..RuleParameters::default() };
        assert_eq!(
            clock.check(),
            Err(ParameterError::Order { less: "clock_warn_s", more: "clock_invalid_s" })
        );
        let loss = RuleParameters { loss_thousandths_min: 121, ..RuleParameters::default() };
        assert!(loss.check().is_err());
    }
}
