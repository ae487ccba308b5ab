//! When the parts of a tariff hold: months, kinds of day and stretches of the local wall clock, compiled to patterns of a day.
//!
//! ```text
//!   windows of zones and demand charges ──▶ 12 months × 3 kinds of day ──▶ each a pattern of 288 five-minute cells
//!                                            alike ones share a pattern     cell = zone, demand charges
//! ```
//!
//! Every cell of every pattern has exactly one zone; demand charges may overlap, and may leave cells out.

use std::fmt;

use super::{DEMAND_COUNT_MAX, DemandCharge, TariffError, TariffZone, check_count};
use crate::calendar::Day;

/// The most windows in a zone or demand charge.
pub const WINDOW_COUNT_MAX: usize = 64;
/// Boundaries stand on this grid, so that no interval straddles two zones.
pub const CELL_MINUTES: u16 = 5;
/// Cells of a day.
const CELL_COUNT: usize = 24 * 60 / CELL_MINUTES as usize;
/// No zone holds yet.
const NO_ZONE: u8 = u8::MAX;
/// Names of the months, as windows are written.
pub const MONTH_NAMES: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const _: () = assert!(DEMAND_COUNT_MAX <= u16::BITS as usize);

/// Some months of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MonthSet(u16);

impl MonthSet {
    /// Every month.
    pub const ALL: Self = Self(0xFFF);

    /// From bits, January the lowest; `None` without a month or with a thirteenth.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits == 0 || bits > 0xFFF { None } else { Some(Self(bits)) }
    }

    /// One bit a month, January the lowest.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether `month`, counted from 0, is one of them.
    #[must_use]
    pub const fn contains(self, month: usize) -> bool {
        self.0 >> month & 1 == 1
    }
}

/// What a day is to a tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DayClass {
    /// Monday to Friday, and no holiday.
    Working = 0,
    /// Saturday or Sunday, and no holiday.
    Weekend = 1,
    /// One of the tariff's holidays.
    Holiday = 2,
}

impl DayClass {
    /// All, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Working, Self::Weekend, Self::Holiday];
}

/// Which days a window holds on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum DayKind {
    /// Every day.
    Every = 0,
    /// Monday to Friday, but for holidays.
    Weekday = 1,
    /// Saturday and Sunday, but for holidays.
    Weekend = 2,
    /// Holidays.
    Holiday = 3,
    /// Saturday, Sunday and holidays.
    DayOff = 4,
}

impl DayKind {
    /// All, in the order of their codes.
    pub const ALL: [Self; 5] = [Self::Every, Self::Weekday, Self::Weekend, Self::Holiday, Self::DayOff];

    /// Its name in windows; none for every day.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Every => "",
            Self::Weekday => "weekday",
            Self::Weekend => "weekend",
            Self::Holiday => "holiday",
            Self::DayOff => "day-off",
        }
    }

    const fn covers(self, class: DayClass) -> bool {
        match self {
            Self::Every => true,
            Self::Weekday => matches!(class, DayClass::Working),
            Self::Weekend => matches!(class, DayClass::Weekend),
            Self::Holiday => matches!(class, DayClass::Holiday),
            Self::DayOff => !matches!(class, DayClass::Working),
        }
    }
}

/// A stretch of the local wall clock; past midnight if `to_minute` is not after `from_minute`.
///
/// What lies past midnight belongs to the same day's early hours, not to the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// In which months.
    pub months: MonthSet,
    /// On which days.
    pub days: DayKind,
    /// First minute of the day, 0 to 1439.
    pub from_minute: u16,
    /// First minute after it, 1 to 1440.
    pub to_minute: u16,
}

impl Window {
    /// Whether it lies within a day, on the five-minute grid.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        let on_grid =
            self.from_minute.is_multiple_of(CELL_MINUTES) && self.to_minute.is_multiple_of(CELL_MINUTES);
        on_grid && self.from_minute < 1_440 && self.to_minute >= 1 && self.to_minute <= 1_440
    }

    /// Whether it holds at a wall-clock minute of a day that is of `class`.
    #[must_use]
    pub fn covers(&self, day: Day, class: DayClass, minute: u16) -> bool {
        self.cells(month_of(day), class).any(|cell| cell == usize::from(minute / CELL_MINUTES))
    }

    fn holds(&self, month: usize, class: DayClass) -> bool {
        self.months.contains(month) && self.days.covers(class)
    }

    /// Its cells on a day of `class` in `month`, counted from 0.
    fn cells(&self, month: usize, class: DayClass) -> impl Iterator<Item = usize> + use<> {
        let holds = self.holds(month, class);
        let (from, to) =
            (usize::from(self.from_minute / CELL_MINUTES), usize::from(self.to_minute / CELL_MINUTES));
        let (late, early) = match (holds, from < to) {
            (false, _) => (0..0, 0..0),
            (true, true) => (from..to, 0..0),
            (true, false) => (from..CELL_COUNT, 0..to),
        };
        late.chain(early)
    }
}

/// The month of the year, counted from 0.
pub(super) fn month_of(day: Day) -> usize {
    usize::try_from(day.period().number() % 12).expect("a remainder of twelve is small")
}

/// A time of the year's pattern, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellTime {
    month: usize,
    class: DayClass,
    minute: u16,
}

impl fmt::Display for CellTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = match self.class {
            DayClass::Working => "working day",
            DayClass::Weekend => "weekend",
            DayClass::Holiday => "holiday",
        };
        write!(f, "{:02}:{:02} of a {day} in {}", self.minute / 60, self.minute % 60, MONTH_NAMES[self.month])
    }
}

/// A day of a tariff: the zone and the demand charges of each five-minute cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClockPattern {
    zones: Vec<u8>,
    /// A bit a demand charge.
    demands: Vec<u16>,
}

/// The patterns of a tariff's year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clock {
    patterns: Vec<ClockPattern>,
    /// Which of them, by month and class of day.
    places: [[u8; DayClass::ALL.len()]; 12],
}

impl Clock {
    /// Compiles the windows.
    pub(super) fn new(
        zones: &[TariffZone],
        demands: &[DemandCharge],
        holidays: &[Day],
    ) -> Result<Self, TariffError> {
        for zone in zones {
            check_windows(zone.name, &zone.windows)?;
        }
        for demand in demands {
            check_windows(demand.name, &demand.windows)?;
        }
        let mut clock = Self { patterns: Vec::new(), places: [[0; 3]; 12] };
        // Days on which the same windows hold have the same pattern: few are worked out, cell by cell.
        let mut known: Vec<(Vec<bool>, u8)> = Vec::new();
        for month in 0..12 {
            for class in DayClass::ALL {
                // Without holidays nothing has to hold on one.
                let class =
                    if holidays.is_empty() && class == DayClass::Holiday { DayClass::Weekend } else { class };
                let windows = zones.iter().map(|zone| &zone.windows);
                let windows = windows.chain(demands.iter().map(|demand| &demand.windows)).flatten();
                let holding: Vec<bool> = windows.map(|window| window.holds(month, class)).collect();
                if let Some((_, place)) = known.iter().find(|(same, _)| *same == holding) {
                    clock.places[month][class as usize] = *place;
                    continue;
                }
                let pattern = pattern_of(zones, demands, month, class)?;
                let place = clock.patterns.iter().position(|known| *known == pattern).unwrap_or_else(|| {
                    clock.patterns.push(pattern);
                    clock.patterns.len() - 1
                });
                let place = u8::try_from(place).expect("a year has 36 patterns at most");
                clock.places[month][class as usize] = place;
                known.push((holding, place));
            }
        }
        Ok(clock)
    }

    pub(super) const fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    pub(super) fn place(&self, month: usize, class: DayClass) -> usize {
        usize::from(self.places[month][class as usize])
    }

    pub(super) fn zone(&self, pattern: usize, minute: u16) -> u8 {
        self.patterns[pattern].zones[usize::from(minute / CELL_MINUTES)]
    }

    pub(super) fn demands(&self, pattern: usize, minute: u16) -> u16 {
        self.patterns[pattern].demands[usize::from(minute / CELL_MINUTES)]
    }
}

fn check_windows(name: crate::label::Label, windows: &[Window]) -> Result<(), TariffError> {
    check_count("windows in a zone or demand charge", windows.len(), WINDOW_COUNT_MAX)?;
    match windows.iter().find(|window| !window.is_sound()) {
        Some(&Window { from_minute, to_minute, .. }) => {
            Err(TariffError::Window { zone: name, from_minute, to_minute })
        }
        None => Ok(()),
    }
}

fn pattern_of(
    zones: &[TariffZone],
    demands: &[DemandCharge],
    month: usize,
    class: DayClass,
) -> Result<ClockPattern, TariffError> {
    let time = |cell: usize| {
        let minute = u16::try_from(cell).expect("a day has 288 cells") * CELL_MINUTES;
        CellTime { month, class, minute }
    };
    let mut pattern = ClockPattern { zones: vec![NO_ZONE; CELL_COUNT], demands: vec![0; CELL_COUNT] };
    for (at, zone) in zones.iter().enumerate() {
        let code = u8::try_from(at).expect("a tariff has few zones");
        for cell in zone.windows.iter().flat_map(|window| window.cells(month, class)) {
            if let Some(first) = zones.get(usize::from(pattern.zones[cell])) {
                let (first, second) = (first.name, zone.name);
                return Err(TariffError::Overlap { first, second, at: time(cell) });
            }
            pattern.zones[cell] = code;
        }
    }
    if let Some(cell) = pattern.zones.iter().position(|&code| code == NO_ZONE) {
        return Err(TariffError::Gap(time(cell)));
    }
    for (at, demand) in demands.iter().enumerate() {
        for cell in demand.windows.iter().flat_map(|window| window.cells(month, class)) {
            pattern.demands[cell] |= 1 << at;
        }
    }
    Ok(pattern)
}
