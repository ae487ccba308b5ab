//! Consumption: what lies between the reads of one register of one usage point, over every meter that counted it.
//!
//! ```text
//!   meter A  first ──┬────────┬─────── last │ removed
//!   meter B          │        │       first │ ─────┬──────── …
//!   spans            [ A − A ][   A − A  +  B − B  ]
//! ```
//!
//! The position of a meter is what it counted since it was installed, × its multiplier, in whole watt-hours, rounded
//! once, halves to even. A span is a difference of positions. So spans telescope: whatever reads lie between, the sum is
//! the same to the watt-hour. What cannot be told is named, never guessed: [`Why`] says why there is no span.
//! Half-open in time; everything but [`consumption`] takes its spans sorted, as it gives them.

pub mod apportion;
pub mod checks;
pub mod period;
pub mod zones;

mod reads;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use crate::calendar::UtcSeconds;
use crate::meter::{DialReading, Installation, MeterSerial, Multiplier};
use crate::meter_event::ReceivedRead;
use crate::quality::Quality;

use self::reads::assign;
use self::walk::Walk;

/// A dial that falls is taken to have passed its last nines only from above so many tenths of its range (domain rule 14).
///
/// No parameter: what is billed does not depend on a rule pack. A pack may ask for more with V14 (see [`checks`]), which
/// finds and changes nothing.
pub const ROLLOVER_TENTHS: i128 = 9;

/// Energy between two reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: UtcSeconds,
    /// The instant after the last.
    pub to: UtcSeconds,
    /// How much, never below zero.
    pub energy_wh: i64,
    /// How it was found.
    pub how: How,
}

/// How a span's energy was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// Meters that counted it: more than one over an exchange.
    pub meter_count: u16,
    /// Whether a dial went from its last nines to zero.
    pub rolled_over: bool,
    /// The lesser quality of its two reads, by rank.
    pub quality: Quality,
    /// The largest multiplier in it: what one digit of a dial is worth at most.
    pub multiplier: Multiplier,
}

impl How {
    /// Whether both of its reads were measured.
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        self.quality.rank() >= Quality::Valid.rank()
    }
}

/// A place where consumption could not be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// First instant.
    pub from: UtcSeconds,
    /// The instant after the last; the same as `from` when it is about one read.
    pub to: UtcSeconds,
    /// What is wrong.
    pub why: Why,
}

/// Why a read or a span is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Reads of equal rank at one instant, received at one time, show different dials. None of them ends a span.
    #[error("reads of equal rank at one instant differ")]
    Conflict,
    /// It differs from what was noted when the meter was put in or taken out, which stands.
    #[error("the read is not what was noted when the meter was put in or taken out")]
    NotAsNoted,
    /// The dial fell, and was not near its end.
    #[error("the dial went backwards")]
    Backwards,
    /// The dial cannot show this.
    #[error("the read is not on the dial")]
    PastDial,
    /// No meter was installed then.
    #[error("no meter was installed then")]
    NoMeter,
    /// Another meter was installed then.
    #[error("the read is of a meter that was not installed then")]
    OtherMeter,
    /// One meter was removed and the next installed later.
    #[error("no meter counted between removal and installation")]
    Gap,
    /// Two dials passed their ends in one span: one of them is a wrong read.
    #[error("two rollovers in one span")]
    TwoRollovers,
    /// Past 64-bit watt-hours.
    #[error("the energy is past 64-bit watt-hours")]
    PastRange,
}

/// Why installations cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InstallationError {
    /// Dials before the point are not 1 to [`Installation::DIGITS_MAX`].
    #[error("meter {meter} has {digits} dials, need 1 to 12")]
    Digits {
        /// Which.
        meter: MeterSerial,
        /// How many.
        digits: u8,
    },
    /// Its first or last dial is one that it cannot show.
    #[error("meter {meter} cannot show {dial}")]
    Dial {
        /// Which.
        meter: MeterSerial,
        /// What it is said to have shown.
        dial: DialReading,
    },
    /// Removed before, or when, it was installed.
    #[error("meter {meter} is removed no later than installed, at {from}")]
    Order {
        /// Which.
        meter: MeterSerial,
        /// When it was installed.
        from: UtcSeconds,
    },
    /// Installed while another still counted.
    #[error("meter {meter} is installed at {from}, before the one before it is removed")]
    Overlap {
        /// Which.
        meter: MeterSerial,
        /// When it was installed.
        from: UtcSeconds,
    },
}

/// All that one register's reads tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consumption {
    /// What was used, in order of time, never overlapping.
    pub spans: Vec<Span>,
    /// What could not be told, in order of time.
    pub failures: Vec<Failure>,
}

/// Consumption of one register of one usage point. Reads and installations may come in any order.
///
/// # Errors
/// [`InstallationError`] if the installations contradict each other: then no read can be trusted to a meter.
///
/// # Panics
/// If reads or installations are not all of one register of one usage point.
pub fn consumption(
    reads: &[ReceivedRead],
    installations: &[Installation],
) -> Result<Consumption, InstallationError> {
    let mut keys = reads
        .iter()
        .map(|received| (received.read.usage_point, received.read.register))
        .chain(installations.iter().map(|installed| (installed.usage_point, installed.register)));
    let first = keys.next();
    assert!(keys.all(|key| Some(key) == first), "consumption is of one register of one usage point");
    let installations = meters(installations);
    check(&installations)?;
    let mut failures = Vec::new();
    let shown = assign(reads, &installations, &mut failures);
    let mut walk = Walk::default();
    for (installed, reads) in installations.iter().zip(&shown) {
        walk.meter(installed, reads);
    }
    let Consumption { spans, failures: found } = walk.end();
    failures.extend(found);
    failures.sort_by_key(|failure| (failure.from, failure.to));
    Ok(Consumption { spans, failures })
}

/// Installations in order of time, each once. A note that a meter was put in says less than one that also says when it was
/// taken out: of such two the longer stands.
#[must_use]
pub fn meters(installations: &[Installation]) -> Vec<Installation> {
    let closed: BTreeSet<Installation> =
        installations.iter().filter(|one| one.to.is_some()).copied().collect();
    let opened: BTreeSet<Installation> = closed.iter().map(|one| Installation { to: None, ..*one }).collect();
    let mut meters: Vec<Installation> =
        installations.iter().filter(|one| one.to.is_some() || !opened.contains(one)).copied().collect();
    meters.sort_by_key(|one| (one.from, *one));
    meters.dedup();
    meters
}

/// What the dial of one meter showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterDials {
    /// The meter.
    pub installation: Installation,
    /// By time: the reads that stand, and what was noted when it was put in and taken out.
    pub dials: BTreeMap<UtcSeconds, DialReading>,
}

/// What the dials of one register showed, a meter each, in order of time.
///
/// # Errors
/// As [`consumption`].
pub fn dials(
    reads: &[ReceivedRead],
    installations: &[Installation],
) -> Result<Vec<MeterDials>, InstallationError> {
    let installations = meters(installations);
    check(&installations)?;
    let shown = assign(reads, &installations, &mut Vec::new());
    let of_meter = |(installation, shown): (Installation, Vec<reads::Shown>)| {
        let noted = [Some((installation.from, installation.first)), installation.to];
        let mut dials: BTreeMap<UtcSeconds, DialReading> = noted.into_iter().flatten().collect();
        dials.extend(shown.iter().map(|read| (read.at, read.dial)));
        MeterDials { installation, dials }
    };
    Ok(installations.into_iter().zip(shown).map(of_meter).collect())
}

/// Energy from one instant to another, if spans begin and end there and have no hole between.
#[must_use]
pub fn between(spans: &[Span], from: UtcSeconds, to: UtcSeconds) -> Option<i64> {
    let first = spans.partition_point(|span| span.from < from);
    let (mut at, mut total_wh) = (from, 0_i64);
    for span in &spans[first..] {
        if at == to {
            break;
        }
        if span.from != at || span.to > to {
            return None;
        }
        total_wh = total_wh.checked_add(span.energy_wh)?;
        at = span.to;
    }
    (at == to).then_some(total_wh)
}

fn check(installations: &[Installation]) -> Result<(), InstallationError> {
    for (at, installed) in installations.iter().enumerate() {
        let Installation { meter, from, digits, .. } = *installed;
        if !(1..=Installation::DIGITS_MAX).contains(&digits) {
            return Err(InstallationError::Digits { meter, digits });
        }
        let last = installed.to.map_or(installed.first, |(_, last)| last);
        if let Some(dial) = [installed.first, last].into_iter().find(|&dial| !on_dial(installed, dial)) {
            return Err(InstallationError::Dial { meter, dial });
        }
        if installed.to.is_some_and(|(to, _)| to <= from) {
            return Err(InstallationError::Order { meter, from });
        }
        if at > 0 && installations[at - 1].to.is_none_or(|(to, _)| to > from) {
            return Err(InstallationError::Overlap { meter, from });
        }
    }
    Ok(())
}

fn on_dial(installed: &Installation, dial: DialReading) -> bool {
    (DialReading::default()..installed.dial_end()).contains(&dial)
}

#[cfg(test)]
mod tests;
