//! What a message says of itself, before any of its values.

use tallywatt_core::calendar::{Day, Zone};
use tallywatt_core::reading::Issued;
use tallywatt_core::rejection::RejectionCode;

use super::file_name::FileName;
use super::message::Element;
use crate::refusal::{FileRefusal, shown};
use crate::stamp::{Stamp, StampPattern, number, read_compact_day};

/// The most tax numbers of areas that are kept.
const AREA_INN_COUNT_MAX: usize = 64;
/// Bits of an issue that tell messages of one second apart by their numbers.
const NUMBER_BITS: u32 = 24;
/// The last message number that fits them; later ones tie.
const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;

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

    /// Which delivery of its sender the message is: its timestamp, and among those of one second its number.
    ///
    /// A number starts again each year, and with each new system of the sender; a timestamp does not, so it decides where
    /// it is there. It is the sender's wall clock, taken as it stands: only the order counts. Without it the number
    /// stands alone, below any timestamp but those of the first minute of 1970. The same message again is the same delivery.
    pub(super) fn issued(&self) -> Issued {
        let number = self.number().unwrap_or(0);
        match self.timestamp_s() {
            Some(seconds) => Issued(seconds << NUMBER_BITS | number.min(NUMBER_MAX)),
            None => Issued(number),
        }
    }

    fn number(&self) -> Option<u64> {
        number(self.number.as_bytes()).map(u64::from)
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
            if self.number().is_some() && number(name.number.as_bytes()).map(u64::from) != self.number() {
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
