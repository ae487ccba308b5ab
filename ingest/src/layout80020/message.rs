//! A message as its elements open and close.

use tallywatt_core::calendar::Day;
use tallywatt_core::quality::Quality;
use tallywatt_core::rejection::RejectionCode;

use crate::refusal::{FileRefusal, shown};
use crate::scale::Scale;
use crate::stamp::{number, read_compact_day};

/// The attributes that this layout reads; those it does not define, such as either spelling of the extended
/// status, are passed over.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    class: Option<String>,
    code: Option<String>,
    start: Option<String>,
    end: Option<String>,
    summer: Option<String>,
    status: Option<String>,
}

impl Attributes {
    pub(super) fn keep(&mut self, name: &str, value: &str) {
        let place = match name {
            "class" => &mut self.class,
            "code" => &mut self.code,
            "start" => &mut self.start,
            "end" => &mut self.end,
            "summer" => &mut self.summer,
            "status" => &mut self.status,
            _ => return,
        };
        *place = Some(value.to_owned());
    }
}

/// What an open element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Message,
    DateTime,
    Day,
    Area,
    Point,
    Channel,
    Period,
    Value,
    /// Counted and passed over with all that is in it.
    Ignored,
    /// Names, numbers, comments: of no use here.
    Other,
}

/// A message so far.
#[derive(Debug)]
pub(super) struct Message {
    scale: Scale,
    open: Vec<Element>,
    /// Text of the day or value that is open.
    text: String,
    closed: bool,
    point: String,
    pub(super) day: Option<Day>,
    pub(super) channels: Vec<Channel>,
    pub(super) ignored_count: u64,
}

/// A channel of a measuring point.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) point: String,
    pub(super) code: String,
    pub(super) line: u64,
    pub(super) periods: Vec<Period>,
}

/// A period of a channel.
#[derive(Debug)]
pub(super) struct Period {
    pub(super) line: u64,
    /// First minute of the day and length in minutes, by the wall clock; the attributes' text if they cannot be read.
    pub(super) span: Result<(u32, u32), String>,
    pub(super) summer: bool,
    pub(super) status: Result<Quality, String>,
    /// Watt-hours and whether they were rounded, or why not and the text.
    pub(super) energy: Result<(i64, bool), (RejectionCode, String)>,
    value_count: u32,
}

impl Message {
    pub(super) fn new(scale: Scale) -> Self {
        Self {
            scale,
            open: Vec::new(),
            text: String::new(),
            closed: false,
            point: String::new(),
            day: None,
            channels: Vec::new(),
            ignored_count: 0,
        }
    }

    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Takes text of the innermost element, and says how much of it there is.
    pub(super) fn add_text(&mut self, content: &str) -> usize {
        if matches!(self.open.last(), Some(Element::Day | Element::Value)) {
            self.text.push_str(content);
        }
        self.text.len()
    }

    pub(super) fn open(&mut self, name: &str, attributes: Attributes, line: u64) -> Result<(), FileRefusal> {
        let element = self.element(name, line)?;
        match element {
            Element::Message => check_class(&attributes, line)?,
            Element::Point => self.point = attributes.code.unwrap_or_default(),
            Element::Channel => self.channels.push(Channel {
                point: self.point.clone(),
                code: attributes.code.unwrap_or_default(),
                line,
                periods: Vec::new(),
            }),
            Element::Period => {
                if let Some(channel) = self.channels.last_mut() {
                    channel.periods.push(Period::open(attributes, line));
                }
            }
            Element::Value => {
                self.text.clear();
                if let Some(period) = self.period() {
                    period.value_count += 1;
                    period.status = status_of(attributes.status);
                }
            }
            Element::Day => self.text.clear(),
            Element::Ignored if self.open.last() != Some(&Element::Ignored) => self.ignored_count += 1,
            Element::DateTime | Element::Area | Element::Ignored | Element::Other => (),
        }
        self.open.push(element);
        Ok(())
    }

    /// What `name` is inside the innermost element.
    fn element(&self, name: &str, line: u64) -> Result<Element, FileRefusal> {
        Ok(match (self.open.last(), name) {
            (None, "message") if !self.closed => Element::Message,
            (None, _) if !self.closed => {
                let what = format!("the root element is {:?}, not a message", shown(name));
                return Err(FileRefusal::NotThisFormat { line, what });
            }
            (Some(Element::Ignored), _) => Element::Ignored,
            (Some(Element::Message), "datetime") => Element::DateTime,
            (Some(Element::DateTime), "day") => Element::Day,
            (Some(Element::Message), "area") => Element::Area,
            (Some(Element::Area), "measuringpoint" | "accountpoint" | "deliverypoint") => Element::Point,
            (Some(Element::Area), "name" | "inn") => Element::Other,
            (Some(Element::Area), _) => Element::Ignored,
            (Some(Element::Point), "measuringchannel") => Element::Channel,
            (Some(Element::Point), other) if other.ends_with("channel") => Element::Channel,
            (Some(Element::Channel), "period") => Element::Period,
            (Some(Element::Period), "value") => Element::Value,
            (None, _)
            | (_, "message" | "area" | "measuringpoint" | "measuringchannel" | "period" | "value" | "day") => {
                let what = format!("element {:?} where it may not stand", shown(name));
                return Err(FileRefusal::Xml { line, what });
            }
            (Some(_), _) => Element::Other,
        })
    }

    pub(super) fn close(&mut self, line: u64) -> Result<(), FileRefusal> {
        match self.open.pop() {
            Some(Element::Day) => self.close_day(line),
            Some(Element::Value) => {
                let (text, scale) = (std::mem::take(&mut self.text), self.scale);
                if let Some(period) = self.period() {
                    period.energy = energy_of(&text, scale, period.value_count);
                }
                Ok(())
            }
            Some(Element::Message) => {
                self.closed = true;
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(FileRefusal::Xml { line, what: "an element ends that did not begin".to_owned() }),
        }
    }

    fn close_day(&mut self, line: u64) -> Result<(), FileRefusal> {
        let text = self.text.trim();
        let day = read_compact_day(text.as_bytes()).filter(|_| self.day.is_none()).ok_or_else(|| {
            let what = format!("day {:?} is not one date written YYYYMMDD", shown(text));
            FileRefusal::Header { line, what }
        })?;
        self.day = Some(day);
        Ok(())
    }

    fn period(&mut self) -> Option<&mut Period> {
        self.channels.last_mut()?.periods.last_mut()
    }

    /// The message, once the file has ended.
    pub(super) fn finished(self, line: u64) -> Result<Self, FileRefusal> {
        if !self.closed {
            return Err(FileRefusal::Truncated { line, what: "no message".to_owned() });
        }
        if self.channels.iter().all(|channel| channel.periods.is_empty()) {
            return Err(FileRefusal::NoReadings);
        }
        Ok(self)
    }
}

fn check_class(attributes: &Attributes, line: u64) -> Result<(), FileRefusal> {
    match attributes.class.as_deref() {
        Some("80020" | "80040") => Ok(()),
        other => {
            let what = format!("message class {:?}, not 80020 or 80040", shown(other.unwrap_or_default()));
            Err(FileRefusal::NotThisFormat { line, what })
        }
    }
}

impl Period {
    fn open(attributes: Attributes, line: u64) -> Self {
        let (start, end) = (attributes.start.unwrap_or_default(), attributes.end.unwrap_or_default());
        let (span, summer) = match (minute_of(&start), minute_of(&end), attributes.summer.as_deref()) {
            (Some(first), Some(end), None | Some("" | "0")) => (Ok((first, length(first, end))), false),
            (Some(first), Some(end), Some("1")) => (Ok((first, length(first, end))), true),
            (_, _, summer) => (Err(shown(&format!("{start}-{end} {}", summer.unwrap_or_default()))), false),
        };
        let energy = Err((RejectionCode::NoValue, String::new()));
        Self { line, span, summer, status: Ok(Quality::Valid), energy, value_count: 0 }
    }
}

/// `HHMM` as minutes since midnight; 2400 is the next midnight.
fn minute_of(text: &str) -> Option<u32> {
    let clock = number(text.as_bytes()).filter(|_| text.len() == 4)?;
    let (hour, minute) = (clock / 100, clock % 100);
    crate::stamp::second_of_day(hour, minute, 0).map(|second| second / 60)
}

/// Minutes from `first` to `end`, past midnight if `end` is not after it.
fn length(first: u32, end: u32) -> u32 {
    if end > first { end - first } else { end + 1_440 - first }
}

/// 0 is commercial, 1 is not; nothing said is commercial.
fn status_of(status: Option<String>) -> Result<Quality, String> {
    match status.as_deref() {
        None | Some("" | "0") => Ok(Quality::Valid),
        Some("1") => Ok(Quality::Raw),
        Some(other) => Err(shown(other)),
    }
}

/// A number with a point or a comma, padded with whatever white space.
fn energy_of(text: &str, scale: Scale, value_count: u32) -> Result<(i64, bool), (RejectionCode, String)> {
    let number = text.trim();
    let separator = if number.contains(',') { b',' } else { b'.' };
    let scaled = match number {
        _ if value_count > 1 => Err(RejectionCode::Structure),
        "" => Err(RejectionCode::NoValue),
        _ => scale.watt_hours(number.as_bytes(), separator),
    };
    scaled.map_err(|code| (code, shown(number)))
}
