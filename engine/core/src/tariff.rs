//! A tariff: zones by local wall clock, graduated ranges, a fixed charge a day, VAT, and one rounding rule.
//!
//! A tariff is a document: it is checked once when it is built, named by the hash of its canonical bytes, and
//! never changed. A new price is a new version with its own validity.
//!
//! ```text
//!          zone →     night   day
//!   range  ≤ 3900 kWh  3.02   6.43     price = f(range, zone)
//!     ↓    ≤ 6000 kWh  4.97   8.27     ranges are graduated: each part of the month's energy
//!          above       5.90   9.47     is paid at the price of the range it falls into, in order of time
//! ```

use std::fmt;
use std::str::FromStr;

use crate::calendar::Day;
use crate::hash::Published;
use crate::label::Label;
use crate::money::{PricePerKwh, Rounding};
use crate::validity::Validity;

/// The most zones in a tariff.
pub const ZONE_COUNT_MAX: usize = 8;
/// The most ranges in a tariff.
pub const RANGE_COUNT_MAX: usize = 8;
/// The most windows in a zone.
pub const WINDOW_COUNT_MAX: usize = 16;
/// Zone boundaries stand on this grid, so that no interval straddles two zones.
pub const CELL_MINUTES: u16 = 5;
/// Longest title or source line, bytes.
pub const TEXT_SIZE_MAX: usize = 240;

const CELL_COUNT: usize = 24 * 60 / CELL_MINUTES as usize;
const NO_ZONE: u8 = u8::MAX;

/// An ISO 4217 currency with two decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The three letters.
    #[must_use]
    pub const fn bytes(self) -> [u8; 3] {
        self.0
    }

    /// From three capital letters.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 3]) -> Option<Self> {
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }
}

impl FromStr for Currency {
    type Err = TariffError;

    fn from_str(text: &str) -> Result<Self, TariffError> {
        let bytes = <[u8; 3]>::try_from(text.as_bytes()).ok();
        bytes.and_then(Self::from_bytes).ok_or_else(|| TariffError::Currency(text.chars().take(20).collect()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.0).expect("a currency holds capital letters only"))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which days a window holds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DayKind {
    /// Every day.
    Every = 0,
    /// Monday to Friday.
    Weekday = 1,
    /// Saturday and Sunday.
    Weekend = 2,
}

impl DayKind {
    const fn covers(self, is_weekend: bool) -> bool {
        match self {
            Self::Every => true,
            Self::Weekday => !is_weekend,
            Self::Weekend => is_weekend,
        }
    }
}

/// A stretch of the local wall clock; past midnight if `to_minute` is not after `from_minute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// On which days.
    pub days: DayKind,
    /// First minute of the day, 0 to 1439.
    pub from_minute: u16,
    /// First minute after it, 1 to 1440.
    pub to_minute: u16,
}

/// A zone: its name and when it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TariffZone {
    /// Its name, as on the bill.
    pub name: Label,
    /// When it holds.
    pub windows: Vec<Window>,
}

/// A range of the month's energy and its price in each zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Upper bound of the month's energy, Wh, inclusive; `None` for the last range.
    pub up_to_wh: Option<i64>,
    /// A price for each zone, in the order of the zones.
    pub prices: Vec<PricePerKwh>,
}

/// Value-added tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vat {
    /// Rate in hundredths of a per cent: 22 % is 2,200.
    pub rate_e4: u16,
    /// Whether the prices contain it.
    pub is_included: bool,
}

/// What is rounded to the minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RoundEach {
    /// Every charge line; the total is the sum of rounded lines.
    Line = 0,
    /// The bill; the lines' amounts are shares of its rounded total.
    Bill = 1,
}

/// The parts of a tariff, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TariffParts {
    /// Its name; versions share it.
    pub id: Label,
    /// What people call it.
    pub title: String,
    /// Where the prices come from: an order, a page, or that they are illustrative.
    pub source: String,
    /// Currency of all prices.
    pub currency: Currency,
    /// Local days it holds on.
    pub validity: Validity,
    /// Zones.
    pub zones: Vec<TariffZone>,
    /// Ranges, ascending.
    pub ranges: Vec<Range>,
    /// Currency units a day and usage point, 10^-8.
    pub fixed_per_day: PricePerKwh,
    /// Value-added tax.
    pub vat: Vat,
    /// How amounts are rounded.
    pub rounding: Rounding,
    /// What is rounded.
    pub round_each: RoundEach,
}

/// A checked tariff version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    parts: TariffParts,
    /// Zone by [working day, weekend] and five-minute cell.
    cells: [Vec<u8>; 2],
}

/// Why parts do not make a tariff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// Not three capital letters.
    #[error("{0:?} is not a currency code such as RUB")]
    Currency(String),
    /// Too many or too few of something.
    #[error("{count} {what}, need 1 to {max}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// At most.
        max: usize,
    },
    /// A title or source is too long, or has control characters.
    #[error("{0} is longer than {TEXT_SIZE_MAX} bytes or has control characters")]
    Text(&'static str),
    /// Two zones have one name.
    #[error("two zones are named {0}")]
    ZoneName(Label),
    /// A window is not on the five-minute grid or outside the day.
    #[error(
        "window {from_minute} to {to_minute} of zone {zone}: minutes must be multiples of {CELL_MINUTES} within a day"
    )]
    Window {
        /// The zone.
        zone: Label,
        /// Its first minute.
        from_minute: u16,
        /// Its end.
        to_minute: u16,
    },
    /// Two zones hold at one time.
    #[error("zones {first} and {second} both hold at {at}")]
    Overlap {
        /// One zone.
        first: Label,
        /// The other.
        second: Label,
        /// When.
        at: CellTime,
    },
    /// No zone holds at some time.
    #[error("no zone holds at {0}")]
    Gap(CellTime),
    /// Ranges do not ascend, or the last is bounded.
    #[error("range {0}: bounds must ascend from above zero, and only the last has none")]
    Bounds(usize),
    /// A range has not one price a zone.
    #[error("range {range} has {count} prices for {zones} zones")]
    Prices {
        /// Which range.
        range: usize,
        /// Its prices.
        count: usize,
        /// Zones of the tariff.
        zones: usize,
    },
    /// A negative price.
    #[error("negative price {0}")]
    Negative(PricePerKwh),
    /// A VAT rate above 100 %.
    #[error("VAT of {0} hundredths of a per cent, at most 10000")]
    Vat(u16),
}

/// A time of the week's pattern, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellTime {
    is_weekend: bool,
    minute: u16,
}

impl fmt::Display for CellTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = if self.is_weekend { "weekend" } else { "working day" };
        write!(f, "{:02}:{:02} of a {day}", self.minute / 60, self.minute % 60)
    }
}

impl Tariff {
    /// Checks the parts.
    ///
    /// # Errors
    /// [`TariffError`] names the first part that is wrong.
    pub fn new(parts: TariffParts) -> Result<Self, TariffError> {
        check_count("zones", parts.zones.len(), ZONE_COUNT_MAX)?;
        check_count("ranges", parts.ranges.len(), RANGE_COUNT_MAX)?;
        check_text("title", &parts.title)?;
        check_text("source", &parts.source)?;
        check_ranges(&parts)?;
        if parts.vat.rate_e4 > 10_000 {
            return Err(TariffError::Vat(parts.vat.rate_e4));
        }
        let cells = [cells_of(&parts.zones, false)?, cells_of(&parts.zones, true)?];
        Ok(Self { parts, cells })
    }

    /// The checked parts.
    #[must_use]
    pub const fn parts(&self) -> &TariffParts {
        &self.parts
    }

    /// Which zone holds at a wall-clock minute.
    ///
    /// # Panics
    /// If `minute` is 1440 or more.
    #[must_use]
    pub fn zone_at(&self, is_weekend: bool, minute: u16) -> usize {
        let cell = usize::from(minute / CELL_MINUTES);
        usize::from(self.cells[usize::from(is_weekend)][cell])
    }

    /// Which range the watt-hour after `used_wh` falls into, and how many watt-hours are left in it.
    #[must_use]
    pub fn range_after(&self, used_wh: i64) -> (usize, Option<i64>) {
        for (at, range) in self.parts.ranges.iter().enumerate() {
            match range.up_to_wh {
                Some(bound) if used_wh >= bound => {}
                Some(bound) => return (at, Some(bound - used_wh)),
                None => return (at, None),
            }
        }
        unreachable!("the last range has no bound: checked when the tariff was built")
    }
}

fn check_count(what: &'static str, count: usize, max: usize) -> Result<(), TariffError> {
    if (1..=max).contains(&count) { Ok(()) } else { Err(TariffError::Count { what, count, max }) }
}

fn check_text(what: &'static str, text: &str) -> Result<(), TariffError> {
    let fits = text.len() <= TEXT_SIZE_MAX && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(TariffError::Text(what)) }
}

fn check_ranges(parts: &TariffParts) -> Result<(), TariffError> {
    let mut last_bound = 0;
    for (at, range) in parts.ranges.iter().enumerate() {
        let is_last = at + 1 == parts.ranges.len();
        match range.up_to_wh {
            Some(bound) if !is_last && bound > last_bound => last_bound = bound,
            None if is_last => {}
            _ => return Err(TariffError::Bounds(at + 1)),
        }
        if range.prices.len() != parts.zones.len() {
            let (count, zones) = (range.prices.len(), parts.zones.len());
            return Err(TariffError::Prices { range: at + 1, count, zones });
        }
    }
    let prices = parts.ranges.iter().flat_map(|range| &range.prices).chain([&parts.fixed_per_day]);
    match prices.copied().find(|price| price.as_e8() < 0) {
        Some(price) => Err(TariffError::Negative(price)),
        None => Ok(()),
    }
}

/// The zone of every five-minute cell of a day: each exactly one.
fn cells_of(zones: &[TariffZone], is_weekend: bool) -> Result<Vec<u8>, TariffError> {
    let mut cells = vec![NO_ZONE; CELL_COUNT];
    for (at, zone) in zones.iter().enumerate() {
        if zones[..at].iter().any(|other| other.name == zone.name) {
            return Err(TariffError::ZoneName(zone.name));
        }
        check_count("windows in a zone", zone.windows.len(), WINDOW_COUNT_MAX)?;
        let code = u8::try_from(at).expect("a tariff has at most 8 zones");
        for window in &zone.windows {
            let Window { days, from_minute, to_minute } = *window;
            let on_grid = from_minute % CELL_MINUTES == 0 && to_minute % CELL_MINUTES == 0;
            if !on_grid || from_minute >= 1_440 || !(1..=1_440).contains(&to_minute) {
                return Err(TariffError::Window { zone: zone.name, from_minute, to_minute });
            }
            if !days.covers(is_weekend) {
                continue;
            }
            let (from, to) = (usize::from(from_minute / CELL_MINUTES), usize::from(to_minute / CELL_MINUTES));
            let stretch: Box<dyn Iterator<Item = usize>> =
                if from < to { Box::new(from..to) } else { Box::new((from..CELL_COUNT).chain(0..to)) };
            for cell in stretch {
                if cells[cell] != NO_ZONE {
                    let first = zones[usize::from(cells[cell])].name;
                    return Err(TariffError::Overlap {
                        first,
                        second: zone.name,
                        at: cell_time(cell, is_weekend),
                    });
                }
                cells[cell] = code;
            }
        }
    }
    match cells.iter().position(|&code| code == NO_ZONE) {
        Some(cell) => Err(TariffError::Gap(cell_time(cell, is_weekend))),
        None => Ok(cells),
    }
}

fn cell_time(cell: usize, is_weekend: bool) -> CellTime {
    let minute = u16::try_from(cell).expect("a day has 288 cells") * CELL_MINUTES;
    CellTime { is_weekend, minute }
}

/// All published tariff versions.
#[derive(Debug, Clone, Default)]
pub struct TariffBook {
    versions: Vec<Published<Tariff>>,
}

/// Why a version cannot join the book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tariff {id}: the version {new} overlaps the version {old} already published")]
pub struct OverlapError {
    id: Label,
    old: Validity,
    new: Validity,
}

impl TariffBook {
    /// Adds a version. The same version again changes nothing.
    ///
    /// # Errors
    /// [`OverlapError`] if another version of that tariff holds on one of its days.
    pub fn publish(&mut self, version: Published<Tariff>) -> Result<(), OverlapError> {
        if self.versions.iter().any(|known| known.hash == version.hash) {
            return Ok(());
        }
        let new = version.body.parts();
        for known in &self.versions {
            let old = known.body.parts();
            if old.id == new.id && old.validity.overlaps(new.validity) {
                return Err(OverlapError { id: new.id, old: old.validity, new: new.validity });
            }
        }
        self.versions.push(version);
        self.versions.sort_by_key(|known| (known.body.parts().id, known.body.parts().validity));
        Ok(())
    }

    /// The version of `id` that holds on `day`.
    #[must_use]
    pub fn version(&self, id: &Label, day: Day) -> Option<&Published<Tariff>> {
        self.versions
            .iter()
            .find(|known| known.body.parts().id == *id && known.body.parts().validity.contains(day))
    }

    /// Every version, by name and first day.
    #[must_use]
    pub fn versions(&self) -> &[Published<Tariff>] {
        &self.versions
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hash::ContentHash;

    /// Parses `day 07:00-23:00 23:00-24:00; night …` into zones.
    pub(crate) fn zones(text: &str) -> Vec<TariffZone> {
        let minute = |clock: &str| -> u16 {
            let (hours, minutes) = clock.split_once(':').unwrap();
            hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
        };
        text.split("; ")
            .map(|zone| {
                let mut words = zone.split(' ');
                let name = words.next().unwrap().parse().unwrap();
                let windows = words
                    .map(|word| {
                        let (days, clock) = match word.split_once('@') {
                            Some(("weekday", clock)) => (DayKind::Weekday, clock),
                            Some(("weekend", clock)) => (DayKind::Weekend, clock),
                            _ => (DayKind::Every, word),
                        };
                        let (from, to) = clock.split_once('-').unwrap();
                        Window { days, from_minute: minute(from), to_minute: minute(to) }
                    })
                    .collect();
                TariffZone { name, windows }
            })
            .collect()
    }

    pub(crate) fn parts(zone_text: &str, prices: &[&[&str]], bounds: &[i64]) -> TariffParts {
        let ranges = prices
            .iter()
            .enumerate()
            .map(|(at, prices)| Range {
                up_to_wh: bounds.get(at).copied(),
                prices: prices.iter().map(|price| price.parse().unwrap()).collect(),
            })
            .collect();
        TariffParts {
            id: "test".parse().unwrap(),
            title: "Test".into(),
            source: "test".into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2000-01-01".parse().unwrap(), None).unwrap(),
            zones: zones(zone_text),
            ranges,
            fixed_per_day: PricePerKwh::default(),
            vat: Vat { rate_e4: 2_000, is_included: true },
            rounding: Rounding::HalfUp,
            round_each: RoundEach::Bill,
        }
    }

    /// Zones, prices by range and zone, bounds in Wh, what comes of them.
    type Row<'r> = (&'r str, &'r [&'r [&'r str]], &'r [i64], &'r str);

    #[test]
    fn each_mistake_is_named() {
        let table: &[Row<'_>] = &[
            ("all 00:00-24:00", &[&["4.87"]], &[], "ok"),
            ("day 07:00-23:00; night 23:00-07:00", &[&["5.6", "1.63"]], &[], "ok"),
            ("p weekday@00:00-24:00; q weekend@00:00-24:00", &[&["1", "2"]], &[], "ok"),
            (
                "day 07:00-23:00; night 22:00-07:00",
                &[&["1", "2"]],
                &[],
                "zones day and night both hold at 22:00 of a working day",
            ),
            (
                "day 07:00-23:00; night 23:00-06:00",
                &[&["1", "2"]],
                &[],
                "no zone holds at 06:00 of a working day",
            ),
            ("p weekday@00:00-24:00", &[&["1"]], &[], "no zone holds at 00:00 of a weekend"),
            ("a 00:00-12:00; a 12:00-24:00", &[&["1", "2"]], &[], "two zones are named a"),
            (
                "a 00:02-00:02",
                &[&["1"]],
                &[],
                "window 2 to 2 of zone a: minutes must be multiples of 5 within a day",
            ),
            ("all 00:00-24:00", &[&["1", "2"]], &[], "range 1 has 2 prices for 1 zones"),
            (
                "all 00:00-24:00",
                &[&["1"], &["2"]],
                &[],
                "range 1: bounds must ascend from above zero, and only the last has none",
            ),
            (
                "all 00:00-24:00",
                &[&["1"], &["2"], &["3"]],
                &[5, 5],
                "range 2: bounds must ascend from above zero, and only the last has none",
            ),
            ("all 00:00-24:00", &[&["-1"]], &[], "negative price -1.00"),
            ("all 00:00-24:00", &[], &[], "0 ranges, need 1 to 8"),
        ];
        for (zone_text, prices, bounds, want) in table {
            let got =
                Tariff::new(parts(zone_text, prices, bounds)).map_or_else(|e| e.to_string(), |_| "ok".into());
            assert_eq!(got, *want, "{zone_text}");
        }
    }

    #[test]
    fn zones_over_midnight_and_weekends() {
        let tariff =
            Tariff::new(parts("day 07:00-23:00; night 23:00-07:00", &[&["5.6", "1.63"]], &[])).unwrap();
        for (minute, want) in [(0, 1), (419, 1), (420, 0), (1_379, 0), (1_380, 1), (1_439, 1)] {
            assert_eq!(tariff.zone_at(false, minute), want, "minute {minute}");
        }
        let weekly =
            Tariff::new(parts("p weekday@00:00-24:00; q weekend@00:00-24:00", &[&["1", "2"]], &[])).unwrap();
        assert_eq!((weekly.zone_at(false, 0), weekly.zone_at(true, 0)), (0, 1));
    }

    #[test]
    fn ranges_are_graduated() {
        let tariff =
            Tariff::new(parts("all 00:00-24:00", &[&["1"], &["2"], &["3"]], &[3_900, 6_000])).unwrap();
        for (used, want) in
            [(0, (0, Some(3_900))), (3_899, (0, Some(1))), (3_900, (1, Some(2_100))), (6_000, (2, None))]
        {
            assert_eq!(tariff.range_after(used), want, "{used} Wh used");
        }
    }

    #[test]
    fn versions_do_not_overlap() {
        let mut book = TariffBook::default();
        let version = |from: &str, to: Option<&str>, tag: u8| {
            let mut parts = parts("all 00:00-24:00", &[&["1"]], &[]);
            parts.validity = Validity::new(from.parse().unwrap(), to.map(|to| to.parse().unwrap())).unwrap();
            Published { hash: ContentHash([tag; 32]), body: Tariff::new(parts).unwrap() }
        };
        book.publish(version("2026-07-01", None, 2)).unwrap();
        book.publish(version("2026-01-01", Some("2026-07-01"), 1)).unwrap();
        book.publish(version("2026-07-01", None, 2)).unwrap();
        assert!(book.publish(version("2026-06-30", Some("2026-07-02"), 3)).is_err());
        let id = "test".parse().unwrap();
        let tag = |day: &str| book.version(&id, day.parse().unwrap()).map(|version| version.hash.0[0]);
        assert_eq!((tag("2025-12-31"), tag("2026-06-30"), tag("2026-07-01")), (None, Some(1), Some(2)));
    }
}
