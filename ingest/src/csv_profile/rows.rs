//! The rows of a delimited file: each value placed in time, scaled, and handed over or set aside.

use std::collections::HashMap;

use tallywatt_core::calendar::{LocalDay, UtcSeconds, WallTime, Zone};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::RawReading;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;

use super::header::{Plan, PointAt};
use super::{CsvProfile, Layout};
use crate::lines::Row;
use crate::refusal::FileRefusal;
use crate::stamp::{StampPattern, in_order};
use crate::tally::{self, Interval, Tally};

/// The most registers that one file's clock is followed for.
pub(crate) const REGISTER_COUNT_MAX: usize = 4 << 20;

/// Reads rows, and remembers what makes the next one cheap or clear.
pub(super) struct Rows<'a> {
    profile: &'a CsvProfile,
    plan: &'a Plan,
    zone: &'a Zone,
    clock: Clock,
    last_point: Option<(Vec<u8>, UsagePointId)>,
    last_register: Option<(Vec<u8>, Register)>,
    last_day: Option<(Vec<u8>, LocalDay)>,
}

impl<'a> Rows<'a> {
    /// `is_from_start` says whether every row of the file goes through these rows, or rows before them do not.
    pub(super) fn new(profile: &'a CsvProfile, zone: &'a Zone, plan: &'a Plan, is_from_start: bool) -> Self {
        let clock = Clock { is_from_start, ..Clock::default() };
        Self { profile, plan, zone, clock, last_point: None, last_register: None, last_day: None }
    }

    /// Reads one row of the right number of fields; gives its value, if the layout has one value a row.
    ///
    /// # Errors
    /// [`FileRefusal::TooLarge`] for a file of too many registers.
    pub(super) fn hand_over(
        &mut self,
        row: Row<'_>,
        text: &[u8],
        line: u64,
        tally: &mut Tally<'_>,
    ) -> Result<Option<RawReading>, FileRefusal> {
        match self.profile.layout {
            Layout::Long => return self.long(row, text, line, tally),
            Layout::Wide => self.wide(row, line, tally),
            Layout::Day => self.day(row, text, line, tally),
        }
        Ok(None)
    }

    /// Whether a row meant one of two instants and the rows before these decide which.
    pub(super) const fn leans_on_earlier_rows(&self) -> bool {
        self.clock.leans_on_earlier_rows
    }

    /// The registers met so far, in layouts with one value a row.
    pub(super) fn register_count(&self) -> usize {
        self.clock.previous.len()
    }

    /// Rows of a register met before went past elsewhere, the last of them at `instant`.
    pub(super) fn follow(&mut self, usage_point: UsagePointId, register: Register, instant: UtcSeconds) {
        // The instant is the one it means: the clock has no other choice, and nothing to refuse.
        let placed = self.clock.place(WallTime::Once(instant), usage_point, register);
        debug_assert_eq!(placed, Ok(instant));
    }

    fn long(
        &mut self,
        row: Row<'_>,
        text: &[u8],
        line: u64,
        tally: &mut Tally<'_>,
    ) -> Result<Option<RawReading>, FileRefusal> {
        if self.clock.previous.len() > REGISTER_COUNT_MAX {
            let limit = u64::try_from(REGISTER_COUNT_MAX).unwrap_or(u64::MAX);
            return Err(FileRefusal::TooLarge { what: "registers in one file", limit });
        }
        match self.long_value(row, line, tally) {
            Ok(Some(reading)) => {
                tally.reading(reading);
                return Ok(Some(reading));
            }
            Ok(None) => tally.summary.null_count += 1,
            Err(code) => tally.reject(code, line, 1, self.profile.encoding.text(text).as_bytes()),
        }
        Ok(None)
    }

    /// The row's value; `None` if its quality says that there is none. Checks in the order of precedence.
    fn long_value(
        &mut self,
        row: Row<'_>,
        line: u64,
        tally: &mut Tally<'_>,
    ) -> Result<Option<RawReading>, RejectionCode> {
        let usage_point = self.point(row)?;
        let register = self.register(row)?;
        let wall = self.clock.read(&self.profile.stamp, self.zone, row.field(self.plan.start))?;
        let instant = self.clock.place(wall, usage_point, register)?;
        let start = self.start(instant)?;
        let field = row.field(self.plan.values[0].at);
        let value = if field.is_empty() {
            None
        } else {
            Some(self.profile.scale.watt_hours(field, self.profile.decimal)?)
        };
        let quality = self.plan.quality.map_or(Some(Quality::Valid), |at| quality(row.field(at)));
        let quality = quality.ok_or(RejectionCode::QualityFlag)?;
        if quality == Quality::Missing {
            return Ok(None);
        }
        let (energy_wh, rounded) = value.ok_or(RejectionCode::NoValue)?;
        tally.summary.rounded_count += u64::from(rounded);
        let interval_minutes = self.profile.interval_minutes;
        Ok(Some(RawReading { usage_point, register, start, interval_minutes, energy_wh, quality, line }))
    }

    fn wide(&mut self, row: Row<'_>, line: u64, tally: &mut Tally<'_>) {
        let stamp = row.field(self.plan.start);
        let placed = self
            .clock
            .read(&self.profile.stamp, self.zone, stamp)
            .and_then(|wall| self.clock.place_row(wall))
            .and_then(|instant| self.start(instant));
        let start = match placed {
            Ok(start) => start,
            Err(code) => return tally.reject(code, line, self.plan.reading_count(), stamp),
        };
        let PointAt::Columns(points) = &self.plan.point else { return };
        for (column, &usage_point) in self.plan.values.iter().zip(points) {
            let field = row.field(column.at);
            let energy = match field {
                b"" => Err(RejectionCode::NoValue),
                _ => self.profile.scale.watt_hours(field, self.profile.decimal),
            };
            match energy {
                Ok((energy_wh, rounded)) => {
                    tally.summary.rounded_count += u64::from(rounded);
                    let (register, quality) = (self.profile.register, Quality::Valid);
                    let interval_minutes = self.profile.interval_minutes;
                    tally.reading(RawReading {
                        usage_point,
                        register,
                        start,
                        interval_minutes,
                        energy_wh,
                        quality,
                        line,
                    });
                }
                Err(code) => self.set_aside(code, (line, &column.name, field), tally),
            }
        }
    }

    fn day(&mut self, row: Row<'_>, text: &[u8], line: u64, tally: &mut Tally<'_>) {
        let (usage_point, register, local) = match self.day_key(row) {
            Ok(key) => key,
            Err(code) => {
                let held = self.plan.values.iter().filter(|column| !row.field(column.at).is_empty()).count();
                let raw = self.profile.encoding.text(text);
                return tally.reject(code, line, tally::count(held), raw.as_bytes());
            }
        };
        let interval_s = i64::from(self.profile.interval_minutes) * 60;
        let mut start = local.start;
        tally.gather_for(usage_point, register);
        for column in &self.plan.values {
            let field = row.field(column.at);
            if field.is_empty() {
                tally.summary.null_count += 1;
            } else {
                let energy = match start < local.end {
                    true => self.profile.scale.watt_hours(field, self.profile.decimal),
                    // The day has fewer intervals than the file has columns.
                    false => Err(RejectionCode::OffGrid),
                };
                match energy {
                    Ok((energy_wh, rounded)) => {
                        tally.summary.rounded_count += u64::from(rounded);
                        let minutes = self.profile.interval_minutes;
                        tally.gather(Interval { start, minutes, energy_wh, quality: Quality::Valid, line });
                    }
                    Err(code) => self.set_aside(code, (line, &column.name, field), tally),
                }
            }
            start = start.plus(interval_s);
        }
    }

    fn day_key(&mut self, row: Row<'_>) -> Result<(UsagePointId, Register, LocalDay), RejectionCode> {
        let usage_point = self.point(row)?;
        let register = self.register(row)?;
        let date = row.field(self.plan.start);
        let local = match &self.last_day {
            Some((text, local)) if text == date => *local,
            _ => {
                let day = self.profile.stamp.read_day(date).ok_or(RejectionCode::Stamp)?;
                let local = self.zone.local_day(day);
                self.start(local.start)?;
                self.last_day = Some((date.to_vec(), local));
                local
            }
        };
        Ok((usage_point, register, local))
    }

    /// Sets one value aside as `column=field`.
    fn set_aside(
        &self,
        code: RejectionCode,
        (line, column, field): (u64, &str, &[u8]),
        tally: &mut Tally<'_>,
    ) {
        let raw = format!("{column}={}", self.profile.encoding.text(field));
        tally.reject(code, line, 1, raw.as_bytes());
    }

    fn point(&mut self, row: Row<'_>) -> Result<UsagePointId, RejectionCode> {
        let at = match self.plan.point {
            PointAt::Fixed(point) => return Ok(point),
            PointAt::Column(at) => at,
            PointAt::Columns(_) => return Err(RejectionCode::Structure),
        };
        remembered(&mut self.last_point, row.field(at), |field| {
            UsagePointId::new(field).map_err(|_| RejectionCode::UsagePoint)
        })
    }

    fn register(&mut self, row: Row<'_>) -> Result<Register, RejectionCode> {
        let Some(at) = self.plan.obis else { return Ok(self.profile.register) };
        let unit = self.profile.scale.unit;
        remembered(&mut self.last_register, row.field(at), |field| {
            let code = std::str::from_utf8(field).map_err(|_| RejectionCode::Register)?;
            let register: Register = code.parse().map_err(|_| RejectionCode::Register)?;
            if unit.measures(register.flow) { Ok(register) } else { Err(RejectionCode::Unit) }
        })
    }

    /// The interval's first instant from the stamp's.
    fn start(&self, instant: UtcSeconds) -> Result<UtcSeconds, RejectionCode> {
        let back_s = if self.profile.at_end { i64::from(self.profile.interval_minutes) * 60 } else { 0 };
        let start = instant.plus(-back_s);
        if start.0 < 0 { Err(RejectionCode::Stamp) } else { Ok(start) }
    }
}

/// Reads `field`, unless it is that of the row before.
fn remembered<T: Copy>(
    last: &mut Option<(Vec<u8>, T)>,
    field: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, RejectionCode>,
) -> Result<T, RejectionCode> {
    match last {
        Some((text, value)) if text == field => Ok(*value),
        _ => {
            let value = read(field)?;
            let mut text = last.take().map(|(text, _)| text).unwrap_or_default();
            text.clear();
            text.extend_from_slice(field);
            *last = Some((text, value));
            Ok(value)
        }
    }
}

/// Quality as an ESPI code or by its name; nothing said is valid. `None` for anything else.
fn quality(field: &[u8]) -> Option<Quality> {
    if field.is_empty() {
        return Some(Quality::Valid);
    }
    match crate::stamp::number(field) {
        Some(code) => Quality::from_code(u8::try_from(code).ok()?),
        None => Quality::ALL.into_iter().find(|quality| quality.name().as_bytes() == field),
    }
}

/// Follows each register's clock, so that a doubled hour is told apart by its order.
#[derive(Default)]
struct Clock {
    last_stamp: Option<(Vec<u8>, WallTime)>,
    /// The last instant of each register, in the order of their first rows.
    previous: Vec<UtcSeconds>,
    places: HashMap<(UsagePointId, Register), usize>,
    last_place: Option<(UsagePointId, Register, usize)>,
    previous_row: Option<UtcSeconds>,
    is_from_start: bool,
    leans_on_earlier_rows: bool,
}

impl Clock {
    fn read(&mut self, pattern: &StampPattern, zone: &Zone, field: &[u8]) -> Result<WallTime, RejectionCode> {
        remembered(&mut self.last_stamp, field, |field| {
            pattern.read(field).map(|stamp| stamp.resolve(zone)).ok_or(RejectionCode::Stamp)
        })
    }

    /// The instant meant by the next stamp of a file whose rows each hold every register.
    fn place_row(&mut self, wall: WallTime) -> Result<UtcSeconds, RejectionCode> {
        self.lean(wall, self.previous_row);
        let instant = in_order(wall, self.previous_row)?;
        self.previous_row = Some(instant);
        Ok(instant)
    }

    /// The instant meant by the next stamp of one register.
    fn place(
        &mut self,
        wall: WallTime,
        usage_point: UsagePointId,
        register: Register,
    ) -> Result<UtcSeconds, RejectionCode> {
        let place = match self.last_place {
            Some((last_point, last_register, place))
                if (last_point, last_register) == (usage_point, register) =>
            {
                Some(place)
            }
            _ => self.places.get(&(usage_point, register)).copied(),
        };
        let previous = place.map(|place| self.previous[place]);
        self.lean(wall, previous);
        let instant = in_order(wall, previous)?;
        let place = match place {
            Some(place) => {
                self.previous[place] = instant;
                place
            }
            None => {
                self.previous.push(instant);
                let place = self.previous.len() - 1;
                self.places.insert((usage_point, register), place);
                place
            }
        };
        self.last_place = Some((usage_point, register, place));
        Ok(instant)
    }

    /// Notes that rows before these decide what `wall` means.
    fn lean(&mut self, wall: WallTime, previous: Option<UtcSeconds>) {
        let is_open = matches!(wall, WallTime::Twice(..)) && previous.is_none();
        self.leans_on_earlier_rows |= is_open && !self.is_from_start;
    }
}
