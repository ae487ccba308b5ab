//! The resources of a feed, as they are written.

use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Issued;
use tallywatt_core::rejection::RejectionCode;

use crate::refusal::shown;
use crate::stamp::CALENDAR_END_S;

/// What an entry says of itself beside its content.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The Atom id.
    pub(super) id: String,
    /// Where it is found.
    pub(super) own: Option<String>,
    /// The list it is in.
    pub(super) up: Option<String>,
    pub(super) related: Vec<String>,
    /// A link is not kept, because it is too long: then none of those that are leads anywhere.
    pub(super) is_cut: bool,
    pub(super) issued: Option<Issued>,
}

impl Links {
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_none() && self.up.is_none() && self.related.is_empty() && !self.is_cut
    }
}

/// A number as it is written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Written {
    #[default]
    Absent,
    Whole(i64),
    /// No whole number: a decimal, or anything else.
    Text(Box<str>),
    /// Written twice.
    Doubled,
}

/// The most digits of a number that is read as such; more are left to the decimal reader.
pub(super) const DIGIT_COUNT_MAX: usize = 16;

impl Written {
    pub(super) fn read(&mut self, text: &str) {
        let text = text.trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_whole =
            (1..=DIGIT_COUNT_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        *self = match text.parse() {
            _ if *self != Self::Absent => Self::Doubled,
            Ok(number) if is_whole => Self::Whole(number),
            _ if text.is_empty() => Self::Absent,
            _ => Self::Text(shown(text).into()),
        };
    }

    /// For a message.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Absent => "none".to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Text(text) => text.to_string(),
            Self::Doubled => "written twice".to_owned(),
        }
    }
}

/// A point of delivery.
#[derive(Debug)]
pub(super) struct UsagePoint {
    /// Of the feed's entries it is in the one of this number.
    pub(super) entry: usize,
    /// Electricity is 0.
    pub(super) kind: Written,
}

/// A series of a usage point.
#[derive(Debug)]
pub(super) struct MeterReading {
    pub(super) entry: usize,
}

/// What a series measures.
#[derive(Debug, Default)]
pub(super) struct ReadingType {
    pub(super) entry: usize,
    pub(super) accumulation: Written,
    pub(super) commodity: Written,
    pub(super) default_quality: Written,
    pub(super) flow: Written,
    pub(super) interval_length: Written,
    pub(super) power_of_ten: Written,
    pub(super) tou: Written,
    pub(super) uom: Written,
}

/// A block of readings.
#[derive(Debug)]
pub(super) struct IntervalBlock {
    pub(super) entry: usize,
    pub(super) line: u64,
    /// First instant of its first reading, for readings that name none.
    pub(super) start: Written,
    pub(super) readings: Vec<IntervalReading>,
}

/// A reading, as far as it can be read without its type. Small: a year of them is held at once.
#[derive(Debug)]
pub(super) struct IntervalReading {
    pub(super) line: u64,
    /// Seconds since 1970.
    start: i64,
    /// Seconds.
    duration_s: u32,
    quality: Option<Quality>,
    value: i64,
    /// What the numbers do not tell.
    odd: Option<Box<Odd>>,
}

/// What is out of the ordinary in a reading.
#[derive(Debug)]
struct Odd {
    has_start: bool,
    has_duration: bool,
    value: Written,
    /// What is wrong with it already: the first in order of precedence.
    problem: Option<(RejectionCode, String)>,
}

impl IntervalReading {
    /// Seconds since 1970; `None` where no time period is written.
    pub(super) fn start(&self) -> Option<i64> {
        self.odd.as_ref().is_none_or(|odd| odd.has_start).then_some(self.start)
    }

    /// Seconds; `None` where none is written.
    pub(super) fn duration_s(&self) -> Option<u32> {
        self.odd.as_ref().is_none_or(|odd| odd.has_duration).then_some(self.duration_s)
    }

    pub(super) fn value(&self) -> Written {
        self.odd.as_ref().map_or(Written::Whole(self.value), |odd| odd.value.clone())
    }

    pub(super) fn quality(&self) -> Option<Quality> {
        self.quality
    }

    /// What is wrong with it, whatever its type.
    pub(super) fn problem(&self) -> Option<&(RejectionCode, String)> {
        self.odd.as_ref()?.problem.as_ref()
    }
}

impl IntervalReading {
    /// The regular case: every number is whole and plausible; `None` if one is not.
    pub(super) fn regular(
        line: u64,
        start: i64,
        duration_s: i64,
        value: i64,
        quality: Option<i64>,
    ) -> Option<Self> {
        let quality = match quality {
            None => None,
            Some(code) => Some(quality_of(code)?),
        };
        let duration_s = u32::try_from(duration_s).ok()?;
        (0..CALENDAR_END_S).contains(&start).then_some(Self {
            line,
            start,
            duration_s,
            quality,
            value,
            odd: None,
        })
    }
}

/// The quality of an ESPI code; ours for a missing value is none of them.
pub(super) fn quality_of(code: i64) -> Option<Quality> {
    u8::try_from(code).ok().and_then(Quality::from_code).filter(|&quality| quality != Quality::Missing)
}

/// A reading whose elements are being read.
#[derive(Debug, Default)]
pub(super) struct OpenReading {
    pub(super) line: u64,
    pub(super) start: Written,
    pub(super) duration: Written,
    pub(super) value: Written,
    /// Of the lowest rank so far, or the code that is none.
    pub(super) quality: Option<Result<Quality, String>>,
}

impl OpenReading {
    pub(super) fn add_quality(&mut self, text: &str) {
        let mut code = Written::Absent;
        code.read(text);
        let read = match code {
            Written::Whole(code) => quality_of(code),
            _ => None,
        };
        let read = read.ok_or_else(|| shown(text.trim()));
        self.quality = Some(match (self.quality.take(), read) {
            (Some(Err(code)), _) | (_, Err(code)) => Err(code),
            (None, Ok(quality)) => Ok(quality),
            (Some(Ok(known)), Ok(quality)) => Ok(if quality.rank() < known.rank() { quality } else { known }),
        });
    }

    pub(super) fn closed(self) -> IntervalReading {
        let start = match self.start {
            Written::Absent => Ok(None),
            Written::Whole(start) if (0..CALENDAR_END_S).contains(&start) => Ok(Some(start)),
            _ => Err((RejectionCode::Stamp, format!("start {}", self.start.told()))),
        };
        let duration = match self.duration {
            Written::Absent => Ok(None),
            Written::Whole(seconds) => u32::try_from(seconds).map(Some).map_err(|_| ()),
            _ => Err(()),
        };
        let duration = duration
            .map_err(|()| (RejectionCode::IntervalSize, format!("duration {}", self.duration.told())));
        let (quality, flag) = match self.quality {
            None => (None, None),
            Some(Ok(quality)) => (Some(quality), None),
            Some(Err(code)) => (None, Some((RejectionCode::QualityFlag, format!("quality {code}")))),
        };
        let value = match self.value {
            Written::Absent => Some((RejectionCode::NoValue, "no value".to_owned())),
            Written::Doubled => Some((RejectionCode::Structure, "two values".to_owned())),
            _ => None,
        };
        let problems = [start.as_ref().err().cloned(), duration.as_ref().err().cloned(), value, flag]
            .into_iter()
            .flatten();
        let problem = problems.min_by_key(|(code, _)| *code);
        let (start, duration_s) = (start.unwrap_or_default(), duration.unwrap_or_default());
        let (value, is_regular) = match (&self.value, start, duration_s, &problem) {
            (Written::Whole(value), Some(_), Some(_), None) => (*value, true),
            _ => (0, false),
        };
        let odd = || Odd {
            has_start: start.is_some(),
            has_duration: duration_s.is_some(),
            value: self.value.clone(),
            problem,
        };
        IntervalReading {
            line: self.line,
            start: start.unwrap_or_default(),
            duration_s: duration_s.unwrap_or_default(),
            quality,
            value,
            odd: if is_regular { None } else { Some(Box::new(odd())) },
        }
    }
}
