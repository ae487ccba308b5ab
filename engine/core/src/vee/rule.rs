//! The catalogue of rules: closed, numbered, each with what it means to a person and what follows from it.
//!
//! ```text
//!   V01 V02 V03 V05 V07 V08 V21   at intake: judge and the decoders, as a RejectionCode; the value is set aside
//!   V01 V04 V06 V09 … V25 V29     of a register-day that was taken: validate
//!   V26 V27 V28 V30               of a device, a delivery, a feeder, a bill: functions of their own
//!   V08 V12 V14 V15               also of what a register counted between reads: consumption::checks
//! ```

use std::fmt;

use crate::rejection::RejectionCode;

/// Number of rules.
pub const RULE_COUNT: usize = 30;

/// A rule. Its number is stable, stands in every finding, and is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rule {
    /// The meter was installed at the usage point at that time.
    Identity = 1,
    /// One interval has one value.
    Duplicate = 2,
    /// Intervals lie on the grid of their day.
    Grid = 3,
    /// As many intervals as the local day has.
    IntervalCount = 4,
    /// Not in the future, not too far back.
    Window = 5,
    /// The meter's clock is right.
    ClockDrift = 6,
    /// Energy is not negative.
    Negative = 7,
    /// No more than the supply can carry.
    Ceiling = 8,
    /// The highest value of a day is in proportion to the third highest.
    Spike = 9,
    /// No value is far from the median (Hampel).
    Outlier = 10,
    /// No jump from one interval to the next.
    Step = 11,
    /// The intervals add up to what the register counted.
    SumCheck = 12,
    /// The zone registers add up to the total register.
    ZoneSum = 13,
    /// A register that went back had come to its end.
    Rollover = 14,
    /// Daily use is in proportion to what it was.
    HighLow = 15,
    /// The highest value is in proportion to the last period's.
    HistoricalMax = 16,
    /// No long run of zeros on an occupied point.
    ZeroRun = 17,
    /// No long run of one value.
    FlatLine = 18,
    /// No use on a disconnected point.
    InactiveUse = 19,
    /// The multiplier delivered is the one installed.
    MultiplierMatch = 20,
    /// The unit is one of the channel's.
    Unit = 21,
    /// Reactive energy is in proportion to active.
    Reactive = 22,
    /// Main and check meter agree.
    MainCheck = 23,
    /// The device reported nothing that spoils a value.
    DeviceStatus = 24,
    /// Measured at all, now and then.
    ProlongedEstimation = 25,
    /// All channels of a device are there.
    Siblings = 26,
    /// Deliveries come, and are whole.
    Delivery = 27,
    /// What a feeder gave is what its meters took, but for losses.
    FeederBalance = 28,
    /// No full import and full export at once.
    ProsumerSymmetry = 29,
    /// A measured value that replaces a billed one is near it.
    Replacement = 30,
}

/// What follows from a finding. In order: what weighs most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Set aside at intake: no finding of a value that was taken has it.
    Reject,
    /// The value is taken and should be estimated anew.
    Estimate,
    /// Somebody is told, and a bill may wait for them.
    Alert,
    /// The value stands; somebody may look.
    Warn,
}

impl Severity {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Estimate => "estimate",
            Self::Alert => "alert",
            Self::Warn => "warn",
        }
    }
}

struct Entry {
    rule: Rule,
    name: &'static str,
    meaning: &'static str,
    severity: Severity,
    unit: &'static str,
    rejections: &'static [RejectionCode],
}

const fn entry(
    rule: Rule,
    severity: Severity,
    unit: &'static str,
    name: &'static str,
    meaning: &'static str,
) -> Entry {
    Entry { rule, name, meaning, severity, unit, rejections: &[] }
}

const fn at_intake(entry: Entry, rejections: &'static [RejectionCode]) -> Entry {
    Entry { rejections, ..entry }
}

use RejectionCode as Code;
use Severity::{Alert, Estimate, Reject, Warn};

/// By number.
const CATALOGUE: [Entry; RULE_COUNT] = [
    at_intake(
        entry(Rule::Identity, Alert, "s", "identity", "no meter was installed here at that time"),
        &[Code::UsagePoint, Code::Register],
    ),
    at_intake(
        entry(Rule::Duplicate, Reject, "Wh", "duplicate", "two values of equal rank for one interval"),
        &[Code::Conflict],
    ),
    at_intake(
        entry(Rule::Grid, Reject, "s", "grid", "the interval is off the grid of its day"),
        &[Code::NoSuchLocalTime, Code::IntervalSize, Code::OffGrid],
    ),
    entry(
        Rule::IntervalCount,
        Estimate,
        "intervals",
        "interval count",
        "intervals of the day are missing, or too many",
    ),
    at_intake(
        entry(Rule::Window, Reject, "s", "window", "the interval lies in the future or too far back"),
        &[Code::Future, Code::Stale],
    ),
    entry(
        Rule::ClockDrift,
        Warn,
        "s",
        "clock drift",
        "the meter's clock is wrong; past the second limit the day is no good",
    ),
    at_intake(
        entry(
            Rule::Negative,
            Reject,
            "Wh",
            "negative",
            "energy below zero: feed-in has a register of its own",
        ),
        &[Code::Negative],
    ),
    at_intake(
        entry(Rule::Ceiling, Reject, "Wh", "ceiling", "more than the supply can carry"),
        &[Code::AboveCeiling],
    ),
    entry(
        Rule::Spike,
        Estimate,
        "thousandths",
        "spike",
        "the day's highest value is far above its third highest",
    ),
    entry(Rule::Outlier, Warn, "Wh", "outlier", "a value is far from the median of its day"),
    entry(Rule::Step, Warn, "per cent", "step", "a value differs too much from the one before"),
    entry(
        Rule::SumCheck,
        Warn,
        "Wh",
        "sum check",
        "the intervals do not add up to what the register counted",
    ),
    entry(Rule::ZoneSum, Warn, "mWh", "zone sum", "the zone registers do not add up to the total register"),
    entry(Rule::Rollover, Alert, "mWh", "rollover", "the register went back without having come to its end"),
    entry(Rule::HighLow, Warn, "thousandths", "high or low use", "daily use is far from what it was"),
    entry(
        Rule::HistoricalMax,
        Warn,
        "Wh",
        "historical maximum",
        "a value is far above the last period's highest",
    ),
    entry(Rule::ZeroRun, Warn, "minutes", "zero run", "an occupied point used nothing for long"),
    entry(Rule::FlatLine, Warn, "intervals", "flat line", "one value again and again"),
    entry(Rule::InactiveUse, Alert, "Wh", "inactive use", "energy flowed while the point was disconnected"),
    entry(
        Rule::MultiplierMatch,
        Alert,
        "millionths",
        "multiplier",
        "the multiplier delivered is not the one installed",
    ),
    at_intake(
        entry(Rule::Unit, Reject, "", "unit", "the unit is not one of the channel's"),
        &[Code::Register, Code::Unit],
    ),
    entry(Rule::Reactive, Warn, "thousandths", "reactive", "more reactive energy than the active explains"),
    entry(
        Rule::MainCheck,
        Warn,
        "thousandths",
        "main and check",
        "main and check meter differ by more than their class",
    ),
    entry(
        Rule::DeviceStatus,
        Estimate,
        "status bits",
        "device status",
        "the device itself says that the value is spoilt",
    ),
    entry(Rule::ProlongedEstimation, Alert, "days", "prolonged estimation", "nothing was measured for long"),
    entry(Rule::Siblings, Warn, "channels", "siblings", "channels of the device are missing"),
    entry(
        Rule::Delivery,
        Alert,
        "s or thousandths",
        "delivery",
        "the meter is silent, or delivers too little",
    ),
    entry(
        Rule::FeederBalance,
        Alert,
        "thousandths",
        "feeder balance",
        "the feeder's losses are out of their range",
    ),
    entry(
        Rule::ProsumerSymmetry,
        Warn,
        "Wh",
        "prosumer symmetry",
        "import and export above capacity in one interval",
    ),
    at_intake(
        entry(
            Rule::Replacement,
            Alert,
            "Wh",
            "replacement",
            "a measured value is far from the one that was billed",
        ),
        &[Code::Replacement],
    ),
];

impl Rule {
    /// Every rule, by number.
    pub const ALL: [Self; RULE_COUNT] = {
        let mut all = [Self::Identity; RULE_COUNT];
        let mut at = 0;
        while at < RULE_COUNT {
            all[at] = CATALOGUE[at].rule;
            at += 1;
        }
        all
    };

    /// Its stable number, 1 to 30.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// From its number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.number() == number)
    }

    const fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize - 1]
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// What a finding means, for the person who has to look.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.entry().meaning
    }

    /// What follows from a finding. What intake sets aside under [`Rule::rejections`] is set aside whatever this says.
    #[must_use]
    pub const fn severity(self) -> Severity {
        self.entry().severity
    }

    /// The unit of what a finding measured and of its limit.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        self.entry().unit
    }

    /// The codes under which intake decides it; none for a rule that is asked of values that were taken only.
    #[must_use]
    pub const fn rejections(self) -> &'static [RejectionCode] {
        self.entry().rejections
    }

    /// Sorts findings on one interval: the severest first, then by number.
    #[must_use]
    pub const fn precedence(self) -> (Severity, u8) {
        (self.severity(), self.number())
    }
}

/// `V09`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "V{:02}", self.number())
    }
}

/// Some of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSet(u32);

impl RuleSet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << RULE_COUNT) - 1);

    /// From bits: bit 0 is rule 1. `None` if a bit is no rule's.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 { Some(Self(bits)) } else { None }
    }

    /// As bits: bit 0 is rule 1.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    const fn bit(rule: Rule) -> u32 {
        1 << (rule.number() - 1)
    }

    /// Whether it holds `rule`.
    #[must_use]
    pub const fn contains(self, rule: Rule) -> bool {
        self.0 & Self::bit(rule) != 0
    }

    /// With `rule`.
    #[must_use]
    pub const fn with(self, rule: Rule) -> Self {
        Self(self.0 | Self::bit(rule))
    }

    /// Without `rule`.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self(self.0 & !Self::bit(rule))
    }

    /// With `rule` if `is_in`; without a branch.
    #[must_use]
    pub const fn with_if(self, rule: Rule, is_in: bool) -> Self {
        Self(self.0 | ((is_in as u32) << (rule.number() - 1)))
    }

    /// What both hold.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What either holds.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_every_rule_is_explained() {
        for (at, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(rule.number()), at + 1);
            assert_eq!(Rule::from_number(rule.number()), Some(rule));
            assert!(!rule.name().is_empty() && !rule.meaning().is_empty(), "{rule}");
            assert!(rule == Rule::Unit || !rule.unit().is_empty(), "{rule}");
            assert!(RuleSet::ALL.contains(rule) && !RuleSet::ALL.without(rule).contains(rule));
            assert_eq!(RuleSet::NONE.with_if(rule, true), RuleSet::NONE.with(rule));
        }
        assert_eq!((Rule::from_number(0), Rule::from_number(31)), (None, None));
        assert_eq!(Rule::Spike.to_string(), "V09");
        assert_eq!((RuleSet::from_bits(1 << 29).is_some(), RuleSet::from_bits(1 << 30)), (true, None));
    }

    #[test]
    fn every_rejection_of_a_value_is_a_rule_or_of_the_format() {
        use RejectionCode::{
            FinerThanWattHour, LineTooLong, NoValue, NotANumber, NotText, QualityFlag, Stamp, Structure,
        };
        let of_the_format =
            [LineTooLong, NotText, Structure, Stamp, NotANumber, FinerThanWattHour, QualityFlag, NoValue];
        for code in RejectionCode::ALL {
            let is_a_rule = Rule::ALL.iter().any(|rule| rule.rejections().contains(&code));
            assert_ne!(is_a_rule, of_the_format.contains(&code), "{code}");
        }
    }

    #[test]
    fn the_severest_comes_first() {
        use Rule::{InactiveUse, IntervalCount, Negative, Spike, ZeroRun};
        let mut rules = [Spike, ZeroRun, InactiveUse, Negative, IntervalCount];
        rules.sort_by_key(|rule| rule.precedence());
        assert_eq!(rules, [Negative, IntervalCount, Spike, InactiveUse, ZeroRun]);
    }
}
