//! What the bills of one run share: each zone's local days, and each tariff version's zones by interval.
//!
//! ```text
//!   zone, day                       ─▶ start, end, is the wall clock ordinary?    once a run, not once an account
//!   version, kind of day, interval  ─▶ zone by interval, stretches of one zone, demand charges by interval
//! ```
//!
//! Both grow with the zones and versions in use, never with the accounts.

use crate::calendar::{Day, LocalDay, Period, Zone};
use crate::day_block::DayBlock;
use crate::hash::{ContentHash, Published};
use crate::reading::INTERVAL_MINUTES;
use crate::tariff::{Tariff, ZONE_COUNT_MAX};

/// Bills of one period, computed one after the other by one thread. Each is the same as [`super::bill`]'s.
///
/// Versions are told apart by their hashes, so one run serves one book of tariffs.
#[derive(Debug, Clone)]
pub struct RateRun {
    period: Period,
    /// Its first day: asked for with every day.
    first_day: Day,
    zones: Vec<ZoneDays>,
    tables: Vec<VersionTables>,
    /// The last day with a clock change: such days are few, and not alike.
    odd: DayTable,
}

/// The local days of a period in one zone, each when it is first asked for.
#[derive(Debug, Clone)]
struct ZoneDays {
    zone: Zone,
    days: Vec<Option<KnownDay>>,
}

/// A local day.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownDay {
    pub(super) local: LocalDay,
    /// The wall clock runs from midnight to midnight without a jump.
    pub(super) is_ordinary: bool,
}

/// One tariff version: the kind of each day of the period, and the ordinary days by kind and interval length.
#[derive(Debug, Clone)]
struct VersionTables {
    version: ContentHash,
    patterns: Vec<usize>,
    days: Vec<[Option<DayTable>; INTERVAL_MINUTES.len()]>,
}

/// A day: the zone and the demand charges of each interval, and where each stretch of one zone ends.
#[derive(Debug, Clone)]
struct DayTable {
    zones: Vec<u8>,
    demands: Vec<u16>,
    stretches: Vec<(usize, u8)>,
}

impl RateRun {
    /// A run over the bills of `period`.
    #[must_use]
    pub fn new(period: Period) -> Self {
        let first_day = period.first_day();
        Self { period, first_day, zones: Vec::new(), tables: Vec::new(), odd: DayTable::EMPTY }
    }

    /// The month whose bills these are.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// The place of a zone's days.
    pub(super) fn zone_place(&mut self, zone: &Zone) -> usize {
        self.zones.iter().position(|known| known.zone.name() == zone.name()).unwrap_or_else(|| {
            let count = usize::try_from(self.period.day_count()).expect("a month has days");
            self.zones.push(ZoneDays { zone: zone.clone(), days: vec![None; count] });
            self.zones.len() - 1
        })
    }

    /// A day of the period in the zone at `zone_place`.
    pub(super) fn day(&mut self, zone_place: usize, day: Day) -> KnownDay {
        let ZoneDays { zone, days } = &mut self.zones[zone_place];
        let at = usize::try_from(day.since(self.first_day)).expect("the day lies in the period");
        *days[at].get_or_insert_with(|| {
            let local = zone.local_day(day);
            let wall = |before_end_s: i64| zone.wall_minute(local.end.plus(-before_end_s));
            // Its first instant, and the last interval of the longest and the shortest length.
            let is_ordinary = local.end.0 - local.start.0 == 86_400
                && zone.wall_minute(local.start) == 0
                && (wall(3_600), wall(300)) == (23 * 60, 24 * 60 - 5);
            KnownDay { local, is_ordinary }
        })
    }

    /// The place of a version's tables.
    pub(super) fn table_place(&mut self, version: &Published<Tariff>) -> usize {
        self.tables.iter().position(|known| known.version == version.hash).unwrap_or_else(|| {
            self.tables.push(VersionTables {
                version: version.hash,
                patterns: self.period.days().map(|day| version.body.pattern_of(day)).collect(),
                days: vec![const { [const { None }; INTERVAL_MINUTES.len()] }; version.body.pattern_count()],
            });
            self.tables.len() - 1
        })
    }

    /// Adds a day's energy up by zone.
    pub(super) fn sums(
        &mut self,
        table_place: usize,
        tariff: &Tariff,
        block: &DayBlock,
        zone_place: usize,
    ) -> [i64; ZONE_COUNT_MAX] {
        let table = self.table(table_place, tariff, block, zone_place);
        let values_wh = block.values_wh();
        let mut sums = [0; ZONE_COUNT_MAX];
        let mut from = 0;
        for &(to, zone) in &table.stretches {
            sums[usize::from(zone)] += sum(&values_wh[from..to]);
            from = to;
        }
        sums
    }

    /// The zone of every interval of a day.
    pub(super) fn zones_of(
        &mut self,
        table_place: usize,
        tariff: &Tariff,
        block: &DayBlock,
        zone_place: usize,
    ) -> &[u8] {
        &self.table(table_place, tariff, block, zone_place).zones
    }

    /// The demand charges of every interval of a day, a bit each.
    pub(super) fn demands_of(
        &mut self,
        table_place: usize,
        tariff: &Tariff,
        block: &DayBlock,
        zone_place: usize,
    ) -> &[u16] {
        &self.table(table_place, tariff, block, zone_place).demands
    }

    /// The table of a day: one a kind of day where the wall clock is ordinary, else its own.
    fn table(
        &mut self,
        table_place: usize,
        tariff: &Tariff,
        block: &DayBlock,
        zone_place: usize,
    ) -> &DayTable {
        let (day, minutes) = (block.key().day, block.interval_minutes());
        let at = usize::try_from(day.since(self.first_day)).expect("the day lies in the period");
        let is_ordinary = self.day(zone_place, day).is_ordinary;
        let tables = &mut self.tables[table_place];
        let pattern = tables.patterns[at];
        if !is_ordinary {
            let zone = &self.zones[zone_place].zone;
            let wall = (0..block.interval_count()).map(|at| zone.wall_minute(block.interval_start(at)));
            self.odd = DayTable::new(tariff, pattern, wall);
            return &self.odd;
        }
        let length = INTERVAL_MINUTES.iter().position(|&known| known == minutes);
        let length = length.expect("a day block's interval is one of these lengths");
        tables.days[pattern][length]
            .get_or_insert_with(|| DayTable::new(tariff, pattern, (0..24 * 60).step_by(usize::from(minutes))))
    }
}

impl DayTable {
    const EMPTY: Self = Self { zones: Vec::new(), demands: Vec::new(), stretches: Vec::new() };

    /// Of intervals that begin at these minutes of the wall clock.
    fn new(tariff: &Tariff, pattern: usize, minutes: impl Iterator<Item = u16>) -> Self {
        let mut table = Self::EMPTY;
        for minute in minutes {
            let zone = tariff.zone_at(pattern, minute);
            table.zones.push(u8::try_from(zone).expect("a tariff has at most 16 zones"));
            table.demands.push(tariff.demands_at(pattern, minute));
        }
        let mut end = 0;
        for stretch in table.zones.chunk_by(|a, b| a == b) {
            end += stretch.len();
            table.stretches.push((end, stretch[0]));
        }
        table
    }
}

/// The sum of at most 300 values of a day block: none is negative, so it stays below 2^40 and wraps nowhere.
fn sum(values_wh: &[i32]) -> i64 {
    let add = |sum: u64, &wh: &i32| sum.wrapping_add(u64::from(wh.cast_unsigned()));
    values_wh.iter().fold(0, add).cast_signed()
}
