//! A usage point's accepted days and contracts side by side: what exceptions, completeness and losses look at.
//!
//! ```text
//!   AcceptedSet ─▶ PointDays   sorted by (usage point, register, day)   a slice a point, a slice a register
//!   contracts   ─▶ PointContracts                                       a slice a point
//! ```

use tallywatt_core::calendar::{Day, Period, UtcSeconds, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::register::Register;

use crate::books::Books;

const QUARTER_HOUR_S: i64 = 900;
const DAY_S: i64 = 86_400;

/// Accepted days before a day, sorted by key.
pub(crate) struct PointDays<'a> {
    blocks: Vec<&'a DayBlock>,
}

impl<'a> PointDays<'a> {
    /// Of all usage points, or of one.
    pub(crate) fn before(books: &'a Books, end: Day, only: Option<UsagePointId>) -> Self {
        let mut blocks = books.accepted().blocks_sorted();
        blocks.retain(|block| {
            block.key().day < end && only.is_none_or(|usage_point| block.key().usage_point == usage_point)
        });
        blocks.sort_unstable_by_key(|block| block.key());
        Self { blocks }
    }

    /// Leaves out what lies before a day.
    pub(crate) fn keep_from(&mut self, day: Day) {
        self.blocks.retain(|block| block.key().day >= day);
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[&'a DayBlock] {
        &self.blocks
    }

    /// A slice a usage point.
    pub(crate) fn points(&self) -> Vec<&[&'a DayBlock]> {
        self.blocks.chunk_by(|a, b| a.key().usage_point == b.key().usage_point).collect()
    }

    /// The days of one usage point.
    pub(crate) fn of_point(&self, usage_point: &UsagePointId) -> &[&'a DayBlock] {
        between(&self.blocks, |block| block.key().usage_point.cmp(usage_point))
    }

    /// The days of one register.
    pub(crate) fn of_register(&self, usage_point: &UsagePointId, register: Register) -> &[&'a DayBlock] {
        between(self.of_point(usage_point), |block| block.key().register.cmp(&register))
    }
}

/// The stretch of a sorted slice that compares equal.
fn between<T>(sorted: &[T], compare: impl Fn(&T) -> std::cmp::Ordering) -> &[T] {
    let from = sorted.partition_point(|item| compare(item).is_lt());
    let to = sorted.partition_point(|item| compare(item).is_le());
    &sorted[from..to]
}

/// The day of one register, among the days of its usage point.
pub(crate) fn day_of<'a>(point: &[&'a DayBlock], register: Register, day: Day) -> Option<&'a DayBlock> {
    let place = point.binary_search_by_key(&(register, day), |block| (block.key().register, block.key().day));
    place.ok().map(|at| point[at])
}

/// Contracts by usage point, register and day.
pub(crate) struct PointContracts<'a> {
    contracts: Vec<&'a Contract>,
}

impl<'a> PointContracts<'a> {
    pub(crate) fn of(books: &'a Books) -> Self {
        let mut contracts: Vec<&Contract> = books.contracts().iter().collect();
        contracts.sort_by_key(|contract| (contract.usage_point, contract.register, contract.validity));
        Self { contracts }
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[&'a Contract] {
        &self.contracts
    }

    pub(crate) fn of_point(&self, usage_point: &UsagePointId) -> &[&'a Contract] {
        between(&self.contracts, |contract| contract.usage_point.cmp(usage_point))
    }
}

/// The contract that bills a register on a day, among those of its usage point.
pub(crate) fn contract_on<'a>(
    contracts: &[&'a Contract],
    register: Register,
    day: Day,
) -> Option<&'a Contract> {
    contracts.iter().copied().find(|one| one.register == register && one.validity.contains(day))
}

/// By which wall clock a usage point's day is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DayClock<'a> {
    /// Its contract's.
    Zone(&'a Zone),
    /// Without a contract: as far ahead of UTC as the day's own start, seconds.
    Offset(i64),
}

impl<'a> DayClock<'a> {
    /// The clock of a day: the zone of the contract for its register, else of any contract of its point.
    pub(crate) fn of(contracts: &[&'a Contract], block: &DayBlock) -> Self {
        let key = block.key();
        Self::on(contracts, (key.register, key.day), Some(block))
    }

    /// The same for a register and a day without a block: a near one, if there is any, says how far ahead of UTC it is.
    pub(crate) fn on(
        contracts: &[&'a Contract],
        (register, day): (Register, Day),
        near: Option<&DayBlock>,
    ) -> Self {
        let contract = contract_on(contracts, register, day).or_else(|| contracts.first().copied());
        match contract {
            Some(contract) => Self::Zone(&contract.zone),
            None => Self::Offset(near.map_or(0, |block| i64::from(block.offset_quarters()) * QUARTER_HOUR_S)),
        }
    }

    /// The local day of an instant; `None` outside the calendar.
    pub(crate) fn day_of(self, instant: UtcSeconds) -> Option<Day> {
        match self {
            Self::Zone(zone) => zone.local_day_of(instant).map(|local| local.day),
            Self::Offset(ahead_s) => {
                let days = instant.plus(ahead_s).0.div_euclid(DAY_S);
                i32::try_from(days).ok().and_then(Day::from_number)
            }
        }
    }

    /// The first instant of a day.
    pub(crate) fn start_of(self, day: Day) -> UtcSeconds {
        match self {
            Self::Zone(zone) => zone.local_day(day).start,
            Self::Offset(ahead_s) => UtcSeconds(i64::from(day.number()) * DAY_S - ahead_s),
        }
    }

    /// How many intervals the day has; `None` if they do not fill it.
    pub(crate) fn interval_count(self, day: Day, interval_minutes: u8) -> Option<u16> {
        match self {
            Self::Zone(zone) => zone.local_day(day).interval_count(interval_minutes),
            Self::Offset(_) => u16::try_from(24 * 60 / u32::from(interval_minutes.max(1))).ok(),
        }
    }

    /// What the wall clock shows: `2026-03-02T14:30+05:00`.
    pub(crate) fn shown(self, instant: UtcSeconds) -> String {
        let ahead_s = match self {
            Self::Offset(ahead_s) => ahead_s,
            Self::Zone(zone) => {
                let Some(local) = zone.local_day_of(instant) else { return instant.to_string() };
                let minute = i64::from(zone.wall_minute(instant));
                i64::from(local.day.number()) * DAY_S + minute * 60 - instant.0.div_euclid(60) * 60
            }
        };
        let wall = instant.plus(ahead_s).to_string();
        let sign = if ahead_s < 0 { '-' } else { '+' };
        let minutes = ahead_s.abs() / 60;
        format!("{}{sign}{:02}:{:02}", &wall[..wall.len().min(16)], minutes / 60, minutes % 60)
    }
}

/// The rule packs that hold in a month, in the order of its days, each once.
#[must_use]
pub(crate) fn packs_of(books: &Books, period: Period) -> Vec<(Label, ContentHash)> {
    let mut packs: Vec<(Label, ContentHash)> = Vec::new();
    for day in period.days() {
        let pack = books.rule_pack_on(day);
        if packs.iter().all(|(_, hash)| *hash != pack.hash) {
            packs.push((pack.body.parts().id, pack.hash));
        }
    }
    packs
}

/// The end of the last interval that has a value; `None` without one.
pub(crate) fn last_value_end(block: &DayBlock) -> Option<UtcSeconds> {
    let last = block.qualities().iter().rposition(|quality| quality.is_billable())?;
    Some(block.interval_start(last + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wall_clock_shows() {
        let check = |clock: DayClock<'_>, instant: i64, want: &str| {
            assert_eq!(clock.shown(UtcSeconds(instant)), want, "{instant}");
        };
        let (berlin, honolulu) =
            (Zone::parse("Europe/Berlin").unwrap(), Zone::parse("Pacific/Honolulu").unwrap());
        check(DayClock::Zone(&berlin), 1_774_746_000, "2026-03-29T03:00+02:00");
        check(DayClock::Zone(&berlin), 1_774_742_400, "2026-03-29T01:00+01:00");
        check(DayClock::Zone(&honolulu), 1_774_742_400, "2026-03-28T14:00-10:00");
        check(DayClock::Offset(5 * 3_600), 1_774_742_400, "2026-03-29T05:00+05:00");
        check(DayClock::Offset(-12_600), 1_774_742_400, "2026-03-28T20:30-03:30");
    }

    #[test]
    fn days_of_a_clock() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let day = "2026-03-29".parse().unwrap();
        assert_eq!(DayClock::Zone(&berlin).interval_count(day, 30), Some(46));
        assert_eq!(DayClock::Zone(&berlin).start_of(day), UtcSeconds(1_774_738_800));
        assert_eq!(DayClock::Offset(3_600).interval_count(day, 30), Some(48));
        assert_eq!(DayClock::Offset(3_600).start_of(day), UtcSeconds(1_774_738_800));
    }
}
