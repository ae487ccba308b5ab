//! What a device says of its own values (V24): bits an interval, and the quality they leave it.

use crate::quality::Quality;
use crate::vee::columns::{DayColumns, DayContext};
use crate::vee::finding::Finding;
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;

use super::stretches;

/// The status of one interval, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceStatus(u16);

impl DeviceStatus {
    /// More pulses than the counter of an interval holds.
    pub const PULSE_OVERFLOW: Self = Self(1);
    /// More intervals than the memory holds.
    pub const DATA_OVERFLOW: Self = Self(1 << 1);
    /// The device started again.
    pub const HARDWARE_RESET: Self = Self(1 << 2);
    /// Its memory was read wrongly.
    pub const PARITY: Self = Self(1 << 3);
    /// Its program hung and was ended.
    pub const WATCHDOG: Self = Self(1 << 4);
    /// It counted a test.
    pub const TEST_MODE: Self = Self(1 << 5);
    /// There was no supply for some of the interval.
    pub const POWER_OUTAGE: Self = Self(1 << 6);
    /// Its clock was set within the interval.
    pub const CLOCK_SET: Self = Self(1 << 7);

    /// What leaves a value standing: an outage is a true zero.
    const HARMLESS: u16 = Self::POWER_OUTAGE.0;
    const KNOWN: u16 = (1 << 8) - 1;

    /// From bits; `None` if one is not known.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits & !Self::KNOWN == 0 { Some(Self(bits)) } else { None }
    }

    /// As bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The quality that a value with this status has instead of its own; `None` if it keeps it.
    #[must_use]
    pub const fn quality(self) -> Option<Quality> {
        if self.0 & !Self::HARMLESS == 0 { None } else { Some(Quality::Raw) }
    }

    /// Whether there was an outage: such an interval is a poor end of a straight line.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        self.0 & Self::POWER_OUTAGE.0 != 0
    }
}

/// V24: intervals that the device says are spoilt, and that have a value.
pub fn device_status(
    day: &DayColumns<'_>,
    context: &DayContext<'_>,
    _: &RuleParameters,
    findings: &mut Vec<Finding>,
) {
    let count = day.values_wh().len().min(context.statuses.len());
    let spoilt = |at: usize| day.qualities()[at].is_billable() && context.statuses[at].quality().is_some();
    for (first, last) in stretches(count, spoilt) {
        let bits = context.statuses[first..=last].iter().fold(0, |bits, status| bits | status.bits());
        findings.push(Finding::over(Rule::DeviceStatus, first, last - first + 1, bits.into(), 0));
    }
}
