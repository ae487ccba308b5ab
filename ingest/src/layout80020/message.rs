//! A message as its elements open and close.

use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::RejectionCode;

use super::attributes::Attributes;
use super::header::Header;
use super::lane::Stretch;
use super::period::Period;
use super::{Class, Layout80020};
use crate::refusal::{FileRefusal, shown};

/// The channel that a group's and a flow's own periods are read as: energy taken.
const IMPORT_CODE: &str = "01";
/// The most channels of a message: more than a file of the largest size has with a day in each.
const CHANNEL_COUNT_MAX: usize = 1 << 16;
/// The most periods of a message, all channels together.
const PERIOD_COUNT_MAX: usize = 1 << 20;

/// What an open element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Message,
    DateTime,
    Day,
    Timestamp,
    DaylightSaving,
    Sender,
    SenderInn,
    Area,
    AreaInn,
    Point,
    /// A group of points or a flow between areas: its periods stand in it.
    Group,
    Channel,
    Period,
    Value,
    /// Counted and passed over with all that is in it.
    Ignored,
    /// Names, numbers, comments: of no use here.
    Other,
}

impl Element {
    /// Whether its text is read.
    const fn has_text(self) -> bool {
        matches!(
            self,
            Self::Day
                | Self::Timestamp
                | Self::DaylightSaving
                | Self::SenderInn
                | Self::AreaInn
                | Self::Value
        )
    }
}

/// A message so far.
#[derive(Debug)]
pub(super) struct Message {
    profile: Layout80020,
    open: Vec<Element>,
    /// Text of the innermost element, if it is read.
    text: String,
    closed: bool,
    point: Code<UsagePointId>,
    pub(super) header: Header,
    pub(super) channels: Vec<Channel>,
    /// Periods that the reader read; the others stand in stretches.
    read_period_count: usize,
    /// Values of all stretches, each of which names its own.
    pub(super) values_wh: Vec<i64>,
    pub(super) ignored: Ignored,
}

/// What was passed over.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ignored {
    /// Everything, the two below with it.
    pub(super) count: u64,
    pub(super) group_count: u64,
    pub(super) flow_count: u64,
}

/// What a code names, or its text as it is shown: codes may be long, and there are many channels.
type Code<T> = Result<T, Box<str>>;

/// A channel of a measuring point.
#[derive(Debug)]
pub(super) struct Channel {
    /// Whose it is and what it measures, or why it cannot be told and the text.
    pub(super) register: Result<(UsagePointId, Register), Box<(RejectionCode, String)>>,
    pub(super) line: u64,
    pub(super) parts: Vec<Part>,
}

/// What a channel's periods were read as.
#[derive(Debug)]
pub(super) enum Part {
    One(Period),
    /// Many, ahead of the reader.
    Stretch(Stretch),
}

impl Channel {
    fn new(point: &Code<UsagePointId>, code: &str, line: u64) -> Self {
        let register = match (point, register_of(code)) {
            (Ok(point), Some(register)) => Ok((*point, register)),
            (Ok(point), None) => Err((RejectionCode::Register, point.as_str())),
            (Err(point), _) => Err((RejectionCode::UsagePoint, &**point)),
        };
        let told = |(reason, point)| Box::new((reason, format!("point {point} channel {}", shown(code))));
        Self { register: register.map_err(told), line, parts: Vec::new() }
    }

    pub(super) fn period_count(&self) -> usize {
        self.parts.iter().map(Part::period_count).sum()
    }

    pub(super) fn last_line(&self) -> u64 {
        match self.parts.last() {
            None => self.line,
            Some(Part::One(period)) => period.line,
            Some(Part::Stretch(stretch)) => stretch.last_line(),
        }
    }
}

impl Part {
    fn period_count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Stretch(stretch) => stretch.values.len(),
        }
    }
}

impl Message {
    pub(super) fn new(profile: Layout80020) -> Self {
        Self {
            profile,
            open: Vec::new(),
            text: String::new(),
            closed: false,
            point: point_of(""),
            header: Header::default(),
            channels: Vec::new(),
            read_period_count: 0,
            values_wh: Vec::new(),
            ignored: Ignored::default(),
        }
    }

    /// Takes text of the innermost element, and says how much of it there is.
    pub(super) fn add_text(&mut self, content: &str) -> usize {
        if self.open.last().is_some_and(|element| element.has_text()) {
            self.text.push_str(content);
        }
        self.text.len()
    }

    pub(super) fn open(&mut self, name: &str, attributes: Attributes, line: u64) -> Result<(), FileRefusal> {
        self.check_period_count()?;
        let element = self.element(name, line)?;
        if element.has_text() {
            self.text.clear();
        }
        match element {
            Element::Message => self.open_message(attributes, line)?,
            Element::Point => self.point = point_of(&attributes.code.unwrap_or_default()),
            Element::Group => {
                self.point = match (attributes.code, attributes.code_from, attributes.code_to) {
                    (Some(code), ..) => point_of(&code),
                    (None, from, to) => {
                        point_of(&format!("{}>{}", from.unwrap_or_default(), to.unwrap_or_default()))
                    }
                };
                self.open_channel(IMPORT_CODE, line)?;
            }
            Element::Channel => self.open_channel(&attributes.code.unwrap_or_default(), line)?,
            Element::Period => {
                self.read_period_count += 1;
                if let Some(channel) = self.channels.last_mut() {
                    channel.parts.push(Part::One(Period::open(&attributes, line)));
                }
            }
            Element::Value => {
                if let Some(period) = self.period() {
                    period.open_value(&attributes);
                }
            }
            Element::Ignored if self.open.last() != Some(&Element::Ignored) => self.ignored.add(name),
            _ => (),
        }
        self.open.push(element);
        Ok(())
    }

    fn open_message(&mut self, attributes: Attributes, line: u64) -> Result<(), FileRefusal> {
        let header = &mut self.header;
        header.line = line;
        header.class = attributes.class.map(|class| shown(&class)).unwrap_or_default();
        header.version = attributes.version.map(|version| shown(&version)).unwrap_or_default();
        header.number = attributes.number.map(|number| shown(&number)).unwrap_or_default();
        self.profile.class.check(&self.header.class, line)
    }

    fn open_channel(&mut self, code: &str, line: u64) -> Result<(), FileRefusal> {
        if self.channels.len() == CHANNEL_COUNT_MAX {
            return Err(too_many("channels of a message", CHANNEL_COUNT_MAX));
        }
        self.channels.push(Channel::new(&self.point, code, line));
        Ok(())
    }

    /// Asked before each element and at its end, so that periods that were taken ahead of the reader count too.
    fn check_period_count(&self) -> Result<(), FileRefusal> {
        if self.read_period_count + self.values_wh.len() > PERIOD_COUNT_MAX {
            return Err(too_many("periods of a message", PERIOD_COUNT_MAX));
        }
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
            (Some(Element::DateTime), "timestamp") => Element::Timestamp,
            (Some(Element::DateTime), "daylightsavingtime") => Element::DaylightSaving,
            (Some(Element::Message), "sender") => Element::Sender,
            (Some(Element::Sender), "inn") => Element::SenderInn,
            (Some(Element::Message), "area") => Element::Area,
            (Some(Element::Area), "measuringpoint" | "accountpoint" | "deliverypoint") => Element::Point,
            (Some(Element::Area), "deliverygroup" | "peretok") if self.profile.groups => Element::Group,
            (Some(Element::Area), "inn") => Element::AreaInn,
            (Some(Element::Area), "name") => Element::Other,
            (Some(Element::Area), _) => Element::Ignored,
            (Some(Element::Point), "measuringchannel") => Element::Channel,
            (Some(Element::Point), other) if other.ends_with("channel") => Element::Channel,
            (Some(Element::Channel | Element::Group), "period") => Element::Period,
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
        self.check_period_count()?;
        let Some(element) = self.open.pop() else {
            return Err(FileRefusal::Xml { line, what: "an element ends that did not begin".to_owned() });
        };
        match element {
            Element::Value => {
                let (mut text, scale) = (std::mem::take(&mut self.text), self.profile.scale);
                if let Some(period) = self.period() {
                    period.close_value(&text, scale);
                }
                text.clear();
                self.text = text;
            }
            Element::Message => self.closed = true,
            element if element.has_text() => {
                let text = std::mem::take(&mut self.text);
                self.header.take(element, &text, line)?;
            }
            _ => (),
        }
        Ok(())
    }

    /// The period that is open, or was last.
    fn period(&mut self) -> Option<&mut Period> {
        match self.channels.last_mut()?.parts.last_mut()? {
            Part::One(period) => Some(period),
            Part::Stretch(_) => None,
        }
    }

    /// The channel whose next period may come now: one is open, and none of its periods is.
    pub(super) fn channel_between_periods(&mut self) -> Option<(&mut Channel, &mut Vec<i64>)> {
        match self.open.last() {
            Some(Element::Channel | Element::Group) => {
                self.channels.last_mut().map(|channel| (channel, &mut self.values_wh))
            }
            _ => None,
        }
    }

    /// The message, once the file has ended.
    pub(super) fn finished(self, line: u64) -> Result<Self, FileRefusal> {
        if !self.closed {
            return Err(FileRefusal::Truncated { line, what: "no message".to_owned() });
        }
        if self.channels.iter().all(|channel| channel.parts.is_empty()) {
            return Err(FileRefusal::NoReadings);
        }
        Ok(self)
    }
}

fn point_of(code: &str) -> Code<UsagePointId> {
    UsagePointId::new(code.as_bytes()).map_err(|_| shown(code).into())
}

fn register_of(code: &str) -> Option<Register> {
    let flow = match code {
        "01" | "1" => Flow::Import,
        "02" | "2" => Flow::Export,
        "03" | "3" => Flow::ReactiveImport,
        "04" | "4" => Flow::ReactiveExport,
        _ => return None,
    };
    Some(Register::total(flow, 0))
}

fn too_many(what: &'static str, limit: usize) -> FileRefusal {
    FileRefusal::TooLarge { what, limit: u64::try_from(limit).unwrap_or(u64::MAX) }
}

impl Ignored {
    fn add(&mut self, name: &str) {
        self.count += 1;
        self.group_count += u64::from(name == "deliverygroup");
        self.flow_count += u64::from(name == "peretok");
    }
}

impl Class {
    fn check(self, class: &str, line: u64) -> Result<(), FileRefusal> {
        let wanted = match (self, class) {
            (Self::Any, "80020" | "80040") | (Self::Only80020, "80020") | (Self::Only80040, "80040") => {
                return Ok(());
            }
            (Self::Any, _) => "80020 or 80040",
            (Self::Only80020, _) => "80020",
            (Self::Only80040, _) => "80040",
        };
        Err(FileRefusal::NotThisFormat { line, what: format!("message class {class:?}, not {wanted}") })
    }
}
