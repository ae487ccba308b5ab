//! Messages as their segments come.

use std::collections::HashMap;

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::{MeterSerial, RegisterRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{INTERVAL_MINUTES, Issued};
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;

use super::series::{Measured, first_instant, measured, quality, stamp, unit};
use super::syntax::Segment;
use crate::dial;
use crate::scale::Scale;
use crate::sink::ReadingRun;
use crate::stamp::{CALENDAR_END_S, Stamp, in_order, number};
use crate::tally::{Interval, Tally};

/// Whether a segment says that its message is a withdrawal: by its function, or by its process.
pub(super) fn is_withdrawal(segment: &Segment<'_>) -> bool {
    match &*segment.tag() {
        b"BGM" => &*segment.component(3, 0) == b"1",
        b"RFF" => &*segment.component(1, 0) == b"Z13" && &*segment.component(1, 1) == b"13006",
        _ => false,
    }
}

/// Where in an interchange a segment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    Interchange,
    /// In a message of ours.
    Message,
    /// In one of another kind.
    Other,
    End,
}

/// A message so far.
#[derive(Debug, Default)]
struct Message {
    is_ours: bool,
    reference: Vec<u8>,
    document: Vec<u8>,
    segment_count: u64,
    issued: Issued,
    withdraws: bool,
    /// A segment that says what the message is for cannot be read: why none of its values may be used.
    lost: Option<RejectionCode>,
    /// The message that is withdrawn, and its issue if that is written too.
    withdrawn: Option<(Vec<u8>, Option<Issued>)>,
    /// The last RFF named it: a DTM behind it is its.
    is_at_withdrawn: bool,
    value_count: u64,
}

/// A usage point and what is measured there.
#[derive(Debug)]
struct Series {
    /// The name, or what stands there instead.
    point: Result<UsagePointId, RejectionCode>,
    meter: Option<MeterSerial>,
    measured: Option<Measured>,
    begin: Option<Stamp>,
    step_minutes: Option<u32>,
    /// Where a value without times of its own begins.
    next: Option<UtcSeconds>,
    previous: Option<UtcSeconds>,
}

impl Series {
    const fn new(point: Result<UsagePointId, RejectionCode>) -> Self {
        let (measured, begin, step_minutes) = (None, None, None);
        Self { point, meter: None, measured, begin, step_minutes, next: None, previous: None }
    }
}

/// A time that is written: its stamp, if it is one.
type Time = Option<Option<Stamp>>;

/// A quantity whose times may still follow.
#[derive(Debug)]
struct Quantity<'a> {
    segment: Segment<'a>,
    /// It, or a time of it, cannot be read: its place is taken, and nothing of it.
    lost: Option<RejectionCode>,
    begin: Time,
    end: Time,
    instant: Time,
}

impl<'a> Quantity<'a> {
    const fn new(segment: Segment<'a>, lost: Option<RejectionCode>) -> Self {
        Self { segment, lost, begin: None, end: None, instant: None }
    }
}

/// When a value was measured.
#[derive(Debug, Clone, Copy)]
enum When {
    Interval(UtcSeconds, u8),
    Instant(UtcSeconds),
}

/// Reads segment after segment.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    scale: Scale,
    zone: &'a Zone,
    message_count: u64,
    message: Message,
    series: Series,
    quantity: Option<Quantity<'a>>,
    gathering: Option<(UsagePointId, Register)>,
}

/// Issues of the messages so far, by their documents.
pub(super) type Issues = HashMap<Vec<u8>, Issued>;

impl<'a> Reader<'a> {
    pub(super) fn new(scale: Scale, zone: &'a Zone) -> Self {
        let (message, series) = (Message::default(), Series::new(Err(RejectionCode::UsagePoint)));
        Self { scale, zone, message_count: 0, message, series, quantity: None, gathering: None }
    }

    /// Whether nothing is held back that stands before.
    pub(super) fn is_between(&self) -> bool {
        self.quantity.is_none()
    }

    pub(super) fn segment(&mut self, segment: &Segment<'a>, issues: &mut Issues, tally: &mut Tally<'_>) {
        let tag = segment.tag();
        self.message.segment_count += 1;
        match &*tag {
            b"UNH" => return self.begin(segment, tally),
            b"UNZ" => return self.end_interchange(segment, tally),
            _ if !self.message.is_ours => return,
            _ => (),
        }
        if !matches!(&*tag, b"DTM" | b"STS") {
            self.settle(issues, tally);
        }
        if segment.is_too_long() {
            return self.lose(RejectionCode::LineTooLong, &tag, segment, tally);
        }
        match &*tag {
            b"BGM" => {
                self.message.document = segment.component(2, 0).into_owned();
                self.message.withdraws |= is_withdrawal(segment);
            }
            b"DTM" => self.time(segment, tally),
            b"RFF" => self.reference(segment, tally),
            b"NAD" => self.series = Series::new(Err(RejectionCode::UsagePoint)),
            b"LOC" => self.series = Series::new(point(segment)),
            b"LIN" => {
                self.series.measured = None;
                (self.series.next, self.series.previous) = (None, None);
            }
            b"PIA" if &*segment.component(1, 0) == b"5" => {
                self.series.measured = measured(&segment.component(2, 0));
            }
            b"QTY" => {
                self.quantity = Some(Quantity::new(*segment, None));
            }
            b"UNT" => self.end(segment, issues, tally),
            tag if tag.len() == 3 && tag.iter().all(u8::is_ascii_uppercase) => (),
            _ => self.lose(RejectionCode::Structure, &tag, segment, tally),
        }
    }

    /// Sets a segment aside that cannot be read, and what hangs on it: values must not be booked to the point, the register
    /// or the interval of what stood before. A segment of no known tag may have named a point.
    fn lose(&mut self, code: RejectionCode, tag: &[u8], segment: &Segment<'a>, tally: &mut Tally<'_>) {
        let series = &mut self.series;
        match (tag, &mut self.quantity) {
            // It is told when its times are known, for the next value may count from it.
            (b"QTY", _) => return self.quantity = Some(Quantity::new(*segment, Some(code))),
            (b"DTM", Some(quantity)) => {
                quantity.lost = Some(code);
                series.begin = None;
            }
            (b"DTM", None) => (series.begin, series.step_minutes, series.next) = (None, None, None),
            (b"LIN", _) => (series.measured, series.next, series.previous) = (None, None, None),
            (b"PIA", _) => series.measured = None,
            (b"RFF", _) if &*segment.component(1, 0) == b"MG" => series.meter = None,
            (b"BGM" | b"RFF", _) => self.message.lost = Some(code),
            (b"STS" | b"UNT", _) => (),
            _ => *series = Series::new(Err(code)),
        }
        tally.reject(code, segment.line, 0, &segment.told())
    }

    fn begin(&mut self, segment: &Segment<'a>, tally: &mut Tally<'_>) {
        self.message_count += 1;
        let (reference, is_ours) = (segment.component(1, 0).into_owned(), segment.is_mscons());
        tally.summary.ignored_count += u64::from(!is_ours);
        self.message = Message { is_ours, reference, segment_count: 1, ..Message::default() };
        self.series = Series::new(Err(RejectionCode::UsagePoint));
    }

    fn end(&mut self, segment: &Segment<'a>, issues: &mut Issues, tally: &mut Tally<'_>) {
        let message = &mut self.message;
        let mut told =
            |what: String| tally.reject(RejectionCode::Structure, segment.line, 0, what.as_bytes());
        let (said, reference) = (segment.component(1, 0), segment.component(2, 0));
        if number(&said).map(u64::from) != Some(message.segment_count) {
            let said = String::from_utf8_lossy(&said).into_owned();
            told(format!("UNT says {said} segments, counted {}", message.segment_count));
        }
        if *reference != *message.reference {
            told(format!("UNT ends message {}", String::from_utf8_lossy(&reference)));
        }
        if message.withdraws && message.value_count == 0 {
            let (withdrawn, _) = message.withdrawn.take().unwrap_or_default();
            told(format!("withdrawal of message {:?} without values", String::from_utf8_lossy(&withdrawn)));
        }
        message.is_ours = false;
        issues.insert(std::mem::take(&mut message.document), message.issued);
    }

    fn end_interchange(&mut self, segment: &Segment<'a>, tally: &mut Tally<'_>) {
        let said = segment.component(1, 0);
        if number(&said).map(u64::from) != Some(self.message_count) {
            let said = String::from_utf8_lossy(&said);
            let what = format!("UNZ says {said} messages, counted {}", self.message_count);
            tally.reject(RejectionCode::Structure, segment.line, 0, what.as_bytes());
        }
    }

    fn time(&mut self, segment: &Segment<'a>, tally: &mut Tally<'_>) {
        let (kind, text, format) =
            (segment.component(1, 0), segment.component(1, 1), segment.component(1, 2));
        let read = || stamp(&text, &format);
        let issued = |stamp: Option<Stamp>| {
            let instant = stamp.and_then(|stamp| first_instant(stamp, self.zone))?;
            u64::try_from(instant.0).ok().map(Issued)
        };
        let (message, series) = (&mut self.message, &mut self.series);
        match (&*kind, &mut self.quantity) {
            (b"137", _) => match issued(read()) {
                Some(issue) => message.issued = issue,
                None => tally.reject(RejectionCode::Stamp, segment.line, 0, &segment.told()),
            },
            (_, None) if message.is_at_withdrawn => {
                if let Some((_, issue)) = &mut message.withdrawn {
                    *issue = issued(read());
                }
                message.is_at_withdrawn = false;
            }
            (b"163", Some(quantity)) => quantity.begin = Some(read()),
            (b"164", Some(quantity)) => quantity.end = Some(read()),
            (b"7", Some(quantity)) => quantity.instant = Some(read()),
            (b"9", Some(quantity)) => quantity.instant = quantity.instant.or(Some(read())),
            (b"163", None) => (series.begin, series.next) = (read(), None),
            (b"672", None) if &*format == b"806" => series.step_minutes = number(&text),
            _ => (),
        }
    }

    fn reference(&mut self, segment: &Segment<'a>, tally: &mut Tally<'_>) {
        let (kind, text) = (segment.component(1, 0), segment.component(1, 1));
        self.message.is_at_withdrawn = false;
        match &*kind {
            b"Z13" => self.message.withdraws |= is_withdrawal(segment),
            b"ACW" => {
                self.message.withdrawn = Some((text.into_owned(), None));
                self.message.is_at_withdrawn = true;
            }
            b"MG" => {
                self.series.meter = Label::new(&text).ok();
                if self.series.meter.is_none() {
                    tally.reject(RejectionCode::Structure, segment.line, 0, &segment.told());
                }
            }
            _ => (),
        }
    }

    /// Hands the open quantity over, now that no time of it can follow.
    fn settle(&mut self, issues: &Issues, tally: &mut Tally<'_>) {
        let Some(quantity) = self.quantity.take() else { return };
        let segment = quantity.segment;
        let when = self.when(&quantity);
        if quantity.lost.is_some() && quantity.begin.is_none() != quantity.end.is_none() {
            // Where the next value begins was in the time that is lost.
            self.series.next = None;
        }
        let handed = match quantity.lost.or(self.message.lost) {
            Some(code) => Err(code),
            None => self.hand_over(&segment, when, issues, tally),
        };
        if let Err(code) = handed {
            tally.reject(code, segment.line, 1, &segment.told());
        }
    }

    /// The quantity's time; the series goes on behind it.
    fn when(&mut self, quantity: &Quantity<'_>) -> Result<When, RejectionCode> {
        let (series, zone) = (&mut self.series, self.zone);
        let resolved = |stamp: Option<Stamp>, previous| {
            let instant = in_order(stamp.ok_or(RejectionCode::Stamp)?.resolve(zone), previous)?;
            if (0..CALENDAR_END_S).contains(&instant.0) { Ok(instant) } else { Err(RejectionCode::Stamp) }
        };
        let is_cumulative = series.measured.is_some_and(|measured| measured.is_cumulative);
        let (start, seconds) = match (quantity.begin, quantity.end, quantity.instant) {
            (Some(begin), Some(end), _) => {
                let start = resolved(begin, series.previous)?;
                let stop = resolved(end, Some(start)).map(|stop| stop.0 - start.0);
                (start, length_s(begin, end, stop)?)
            }
            (None, None, Some(instant)) if is_cumulative => {
                return Ok(When::Instant(resolved(instant, None)?));
            }
            (None, None, None) => {
                let start = series.next.map_or_else(|| resolved(series.begin, None), Ok)?;
                if start.0 >= CALENDAR_END_S {
                    return Err(RejectionCode::Stamp);
                }
                (start, i64::from(series.step_minutes.ok_or(RejectionCode::IntervalSize)?) * 60)
            }
            _ => return Err(RejectionCode::Stamp),
        };
        series.previous = Some(start);
        series.next = Some(start.plus(seconds));
        if seconds == 0 && is_cumulative {
            return Ok(When::Instant(start));
        }
        taken(seconds).map(|minutes| When::Interval(start, minutes)).ok_or(RejectionCode::IntervalSize)
    }

    fn hand_over(
        &mut self,
        segment: &Segment<'_>,
        when: Result<When, RejectionCode>,
        issues: &Issues,
        tally: &mut Tally<'_>,
    ) -> Result<(), RejectionCode> {
        let usage_point = self.series.point?;
        let register = self.series.measured.ok_or(RejectionCode::Register)?.register;
        let scale = match &*segment.component(1, 2) {
            b"" => self.scale,
            code => {
                let unit = unit(code).filter(|unit| unit.measures(register.flow));
                self.scale.with_unit(unit.ok_or(RejectionCode::Unit)?)
            }
        };
        let when = when?;
        let text = segment.component(1, 1);
        let quality = quality(&segment.component(1, 0));
        if text.is_empty() {
            return Err(if quality.is_some() { RejectionCode::NoValue } else { RejectionCode::QualityFlag });
        }
        let scale = match when {
            When::Interval(..) => scale,
            When::Instant(_) => scale.finer(3).ok_or(RejectionCode::NotANumber)?,
        };
        let (value, rounded) = scale.watt_hours(&text, segment.signs.decimal)?;
        let quality = quality.ok_or(RejectionCode::QualityFlag)?;
        self.say_issue(issues, tally);
        tally.summary.rounded_count += u64::from(rounded);
        match when {
            When::Instant(_) if self.message.withdraws => return Err(RejectionCode::Structure),
            When::Instant(at) => {
                let dial = dial::shown(i128::from(value))?;
                let meter = self.series.meter;
                tally.register_read(
                    &RegisterRead { usage_point, register, at, meter, dial, quality },
                    segment.line,
                );
            }
            When::Interval(start, minutes) if self.message.withdraws => {
                tally.withdraw(&taken_back(
                    usage_point,
                    register,
                    start,
                    minutes,
                    quality,
                    segment.line,
                    &[value],
                ));
            }
            When::Interval(start, minutes) => {
                if self.gathering != Some((usage_point, register)) {
                    self.gathering = Some((usage_point, register));
                    tally.gather_for(usage_point, register);
                }
                tally.gather(Interval { start, minutes, energy_wh: value, quality, line: segment.line });
            }
        }
        self.message.value_count += 1;
        Ok(())
    }

    /// The issue of the values: the message's own, or that of the message it withdraws.
    fn say_issue(&self, issues: &Issues, tally: &mut Tally<'_>) {
        let message = &self.message;
        let withdrawn = message.withdrawn.as_ref();
        let known = || withdrawn.and_then(|(document, issue)| issue.or(issues.get(document).copied()));
        let issued = if message.withdraws { known().unwrap_or(Issued::UNSAID) } else { message.issued };
        tally.issued(issued);
    }
}

/// The interval of so many seconds, if it is taken.
fn taken(seconds: i64) -> Option<u8> {
    INTERVAL_MINUTES.into_iter().find(|&taken| i64::from(taken) * 60 == seconds)
}

/// From begin to end. Where the clocks turn, an end without an offset may be written as no clock showed it, or as it was
/// shown an hour later: then the length is that by the clock's face, if it is taken.
fn length_s(
    begin: Option<Stamp>,
    end: Option<Stamp>,
    seconds: Result<i64, RejectionCode>,
) -> Result<i64, RejectionCode> {
    let (Some(Stamp::Wall(first_day, first)), Some(Stamp::Wall(last_day, last))) = (begin, end) else {
        return seconds;
    };
    let by_face = i64::from(last_day.since(first_day)) * 86_400 + i64::from(last) - i64::from(first);
    match seconds {
        Ok(seconds) if taken(seconds).is_some() || taken(by_face).is_none() => Ok(seconds),
        Err(code) if taken(by_face).is_none() => Err(code),
        _ => Ok(by_face),
    }
}

fn taken_back<'v>(
    usage_point: UsagePointId,
    register: Register,
    start: UtcSeconds,
    interval_minutes: u8,
    quality: Quality,
    first_line: u64,
    values_wh: &'v [i64],
) -> ReadingRun<'v> {
    ReadingRun {
        usage_point,
        register,
        start,
        interval_minutes,
        quality,
        first_line,
        lines_per_value: 0,
        values_wh,
    }
}

/// The usage point of a LOC: its id, or where that is empty the name behind it, as D.99A files have it.
fn point(segment: &Segment<'_>) -> Result<UsagePointId, RejectionCode> {
    if &*segment.component(1, 0) != b"172" {
        return Err(RejectionCode::UsagePoint);
    }
    let id = segment.component(2, 0);
    let name = if id.is_empty() { segment.component(2, 3) } else { id };
    UsagePointId::new(&name).map_err(|_| RejectionCode::UsagePoint)
}

impl Segment<'_> {
    /// For a rejection: which segment it is, and how it is written.
    fn told(&self) -> Vec<u8> {
        [format!("segment {}: ", self.number).as_bytes(), self.raw].concat()
    }
}
