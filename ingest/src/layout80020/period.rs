//! A period of a channel, and what its attributes and value say.

use std::borrow::Cow;

use tallywatt_core::quality::Quality;
use tallywatt_core::rejection::RejectionCode;

use super::attributes::Attributes;
use crate::refusal::shown;
use crate::scale::Scale;
use crate::stamp::{number, second_of_day};

/// Minutes of a day.
pub(super) const DAY_MINUTES: u32 = 1_440;
/// The extended status of a value that was measured elsewhere: the connection ran over a bypass breaker.
const MEASURED_ELSEWHERE: &str = "1114";

/// A period of a channel.
#[derive(Debug, Clone)]
pub(super) struct Period {
    pub(super) line: u64,
    /// First minute of the day and length in minutes, by the wall clock; the attributes' text if they cannot be read.
    pub(super) span: Result<(u32, u32), Box<str>>,
    pub(super) summer: bool,
    pub(super) quality: Result<Quality, Box<str>>,
    /// Watt-hours and whether they were rounded, or why not and the text.
    pub(super) energy: Result<(i64, bool), (RejectionCode, Box<str>)>,
    value_count: u32,
}

// As many are held at once as a message may have.
const _: () = assert!(size_of::<Period>() <= 96);

impl Period {
    pub(super) fn open(attributes: &Attributes, line: u64) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (start, end) = (text(&attributes.start), text(&attributes.end));
        let first = minute_of(&start).filter(|&first| first < DAY_MINUTES);
        let (span, summer) = match (first, minute_of(&end), attributes.summer.as_deref()) {
            (Some(first), Some(end), None | Some("" | "0")) => (Ok((first, length(first, end))), false),
            (Some(first), Some(end), Some("1")) => (Ok((first, length(first, end))), true),
            (_, _, summer) => {
                (Err(shown(&format!("{start}-{end} {}", summer.unwrap_or_default())).into()), false)
            }
        };
        let energy = Err((RejectionCode::NoValue, "".into()));
        Self { line, span, summer, quality: Ok(Quality::Valid), energy, value_count: 0 }
    }

    pub(super) fn open_value(&mut self, attributes: &Attributes) {
        self.value_count += 1;
        self.quality = quality_of(attributes);
    }

    pub(super) fn close_value(&mut self, text: &str, scale: Scale) {
        self.energy = energy_of(text, scale, self.value_count);
    }

    /// One that came as foretold.
    pub(super) fn foretold(
        line: u64,
        span: (u32, u32),
        summer: bool,
        quality: Quality,
        energy_wh: i64,
    ) -> Self {
        Self {
            line,
            span: Ok(span),
            summer,
            quality: Ok(quality),
            energy: Ok((energy_wh, false)),
            value_count: 1,
        }
    }

    /// Whether nothing, or zero, was delivered: what senders write into the hour that the clock passes over.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self.energy, Ok((0, _)) | Err((RejectionCode::NoValue, _)))
    }
}

/// `HHMM` as minutes since midnight; 2400 is the next midnight.
pub(super) fn minute_of(text: &str) -> Option<u32> {
    let clock = number(text.as_bytes()).filter(|_| text.len() == 4)?;
    second_of_day(clock / 100, clock % 100, 0).map(|second| second / 60)
}

/// Minutes from `first` to `end`, past midnight if `end` is not after it.
fn length(first: u32, end: u32) -> u32 {
    if end > first { end - first } else { end + DAY_MINUTES - first }
}

/// The table in the documentation of this format.
fn quality_of(attributes: &Attributes) -> Result<Quality, Box<str>> {
    let said = |status: &Option<String>| {
        let text = status.as_deref().unwrap_or_default();
        (!text.bytes().all(|byte| byte == b'0')).then(|| text.to_owned())
    };
    let extended = match (said(&attributes.extended), said(&attributes.exstended)) {
        (Some(one), Some(other)) if one != other => Some(format!("{one} {other}")),
        (one, other) => one.or(other),
    };
    match (attributes.status.as_deref(), extended.as_deref()) {
        (None | Some("" | "0"), None) => Ok(Quality::Valid),
        (None | Some("" | "0"), Some(MEASURED_ELSEWHERE)) => Ok(Quality::Derived),
        (None | Some("" | "0" | "1"), _) => Ok(Quality::Raw),
        (Some(other), _) => Err(shown(other).into()),
    }
}

/// A number with a point or a comma, padded with whatever white space; as senders write it, with a sign, without the zero
/// before the point, and with blanks between its thousands.
fn energy_of(text: &str, scale: Scale, value_count: u32) -> Result<(i64, bool), (RejectionCode, Box<str>)> {
    let number = text.trim();
    let scaled = match number {
        _ if value_count > 1 => Err(RejectionCode::Structure),
        "" => Err(RejectionCode::NoValue),
        _ => {
            let plain = plain(number);
            scale.watt_hours(plain.as_bytes(), separator_of(plain.as_bytes()))
        }
    };
    scaled.map_err(|code| (code, shown(number).into()))
}

/// `number` with a zero before a leading point, and without blanks between thousands; left alone where its blanks stand
/// elsewhere, for then they are no grouping and its digits may not be run together.
fn plain(number: &str) -> Cow<'_, str> {
    let (sign, digits) = number.split_at(usize::from(number.starts_with(['+', '-'])));
    let (whole, decimals) = digits.split_at(digits.find(['.', ',']).unwrap_or(digits.len()));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && decimals.len() > 1 {
        return Cow::Owned(format!("{sign}0{decimals}"));
    }
    let mut groups = whole.split(char::is_whitespace);
    let starts_well = groups.next().is_some_and(|group| is_number(group) && group.len() <= 3);
    if starts_well && whole.len() > 3 && groups.all(|group| is_number(group) && group.len() == 3) {
        let whole: String = whole.split(char::is_whitespace).collect();
        return Cow::Owned(format!("{sign}{whole}{decimals}"));
    }
    Cow::Borrowed(number)
}

/// What stands before the decimals of a number.
pub(super) fn separator_of(number: &[u8]) -> u8 {
    if number.contains(&b',') { b',' } else { b'.' }
}
