//! What a message says of itself, before any of its values.

use tallywatt_core::calendar::{Day, Zone};
use tallywatt_core::reading::Issued;
use tallywatt_core::rejection::RejectionCode;

use super::file_name::FileName;
use super::message::Element;
use crate::refusal::{FileRefusal, shown};
use crate::stamp::{Stamp, StampPattern, read_compact_day};

/// The most tax numbers of areas that are kept.
const AREA_INN_COUNT_MAX: usize = 64;
/// The most digits of a message number, leading zeros not counted.
const NUMBER_DIGIT_COUNT_MAX: usize = 18;

/// As written, without white space around; empty where nothing is said.
#[derive(Debug, Clone, Default)]
pub(super) struct Header {
    /// Line of the message's start.
    pub(super) line: u64,
    pub(super) class: String,
    pub(super) version: String,
    pub(super) number: String,
    pub(super) day: Option<Day>,
    timestamp: String,
    daylight_saving: String,
    pub(super) sender_inn: String,
    area_inns: Vec<String>,
}

impl Header {
    /// Takes the whole text of one of its elements.
    pub(super) fn take(&mut self, element: Element, text: &str, line: u64) -> Result<(), FileRefusal> {
        let text = text.trim();
        match element {
            Element::Day => {
                let day =
                    read_compact_day(text.as_bytes()).filter(|_| self.day.is_none()).ok_or_else(|| {
                        let what = format!("day {:?} is not one date written YYYYMMDD", shown(text));
                        FileRefusal::Header { line, what }
                    })?;
                self.day = Some(day);
            }
            Element::Timestamp => self.timestamp = shown(text),
            Element::DaylightSaving => self.daylight_saving = shown(text),
            Element::SenderInn => self.sender_inn = shown(text),
            Element::AreaInn if self.area_inns.len() < AREA_INN_COUNT_MAX => self.area_inns.push(shown(text)),
            _ => (),
        }
        Ok(())
    }

    /// Which delivery of its sender the message is: by its number, and among those of one number by its timestamp, which is
    /// the sender's wall clock as it stands. The same message again is the same delivery; one that says neither says nothing.
    pub(super) fn issued(&self) -> Issued {
        issue_of(self.number().unwrap_or(0), self.timestamp_s().unwrap_or(0))
    }

    /// `None` for what is no number of at most [`NUMBER_DIGIT_COUNT_MAX`] digits.
    fn number(&self) -> Option<u64> {
        long_number(&self.number)
    }

    /// Seconds since 1970 on the sender's wall clock.
    fn timestamp_s(&self) -> Option<u64> {
        let pattern = match self.timestamp.len() {
            12 => "YYYYMMDDHHmm",
            _ => "YYYYMMDDHHmmss",
        };
        match StampPattern::parse(pattern, true)?.read(self.timestamp.as_bytes())? {
            Stamp::Wall(day, second) => {
                u64::try_from(i64::from(day.number()) * 86_400 + i64::from(second)).ok()
            }
            Stamp::Instant(_) => None,
        }
    }

    /// What does not fit together in what is said around the values: they are taken all the same, and each misfit is told.
    pub(super) fn misfits(&self, file_name: &str, zone: &Zone) -> Vec<(RejectionCode, String)> {
        let mut found = Vec::new();
        if !self.number.is_empty() && self.number().is_none() {
            found.push((RejectionCode::Structure, format!("message number {:?}", self.number)));
        }
        if !self.timestamp.is_empty() && self.timestamp_s().is_none() {
            found.push((RejectionCode::Stamp, format!("timestamp {:?}, not YYYYMMDDHHMMSS", self.timestamp)));
        }
        if let Some(what) = self.daylight_misfit(zone) {
            found.push((RejectionCode::Stamp, what));
        }
        if let Some(name) = FileName::read(file_name) {
            let mut compare = |what: &str, named: &str, told: &str| {
                found.push((
                    RejectionCode::Structure,
                    format!("file name says {what} {named}, message says {told}"),
                ));
            };
            if name.class != self.class {
                compare("class", name.class, &self.class);
            }
            // Senders put their own number there, or that of the area they send for.
            if name.inn != self.sender_inn && !self.area_inns.iter().any(|inn| inn == name.inn) {
                compare("inn", name.inn, &self.sender_inn);
            }
            if self.day.is_some_and(|day| read_compact_day(name.day.as_bytes()) != Some(day)) {
                let told = self.day.map(|day| day.to_string().replace('-', "")).unwrap_or_default();
                compare("day", name.day, &told);
            }
            if self.number().is_some() && long_number(name.number) != self.number() {
                compare("number", name.number, &self.number);
            }
        }
        found
    }

    /// 0 winter, 1 summer, 2 the clock is changed that day. Many senders write 0 all year, so only a change that the zone
    /// does not know is told: its profile may name the wrong zone.
    fn daylight_misfit(&self, zone: &Zone) -> Option<String> {
        let day = self.day?;
        match self.daylight_saving.as_str() {
            "" | "0" | "1" => None,
            "2" => {
                let local = zone.local_day(day);
                let is_plain = local.end.0 - local.start.0 == 86_400;
                is_plain
                    .then(|| format!("daylightsavingtime 2, but the clock of {zone} is not changed on {day}"))
            }
            other => Some(format!("daylightsavingtime {other:?}, not 0, 1 or 2")),
        }
    }
}

/// A number and what of a time fits beside it, in one that is ordered as they are: the form is told by the first bits, and
/// a later form holds greater numbers.
///
/// ```text
///   0  number 29 bits  seconds 34 bits      numbers below 536,870,912; seconds to the year 2514
///   10 number 46 bits  days 16 bits         below 70,368,744,177,664; days to the year 2149
///   11 number 62 bits                       up to 18 digits; messages of one number tie
/// ```
fn issue_of(number: u64, seconds: u64) -> Issued {
    let with = |time: u64, bits: u32| number << bits | time.min((1 << bits) - 1);
    Issued(if number < 1 << 29 {
        with(seconds, 34)
    } else if number < 1 << 46 {
        0b10 << 62 | with(seconds / 86_400, 16)
    } else {
        0b11 << 62 | number
    })
}

/// A number of at most [`NUMBER_DIGIT_COUNT_MAX`] ASCII digits behind its leading zeros.
fn long_number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = text.trim_start_matches('0');
    if !is_number || digits.len() > NUMBER_DIGIT_COUNT_MAX {
        return None;
    }
    Some(digits.bytes().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}
