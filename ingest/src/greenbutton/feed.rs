//! A feed as its elements open and close.

use std::mem;

use tallywatt_core::reading::Issued;

use super::counts::FeedCounts;
use super::resource::{IntervalBlock, Links, MeterReading, OpenReading, ReadingType, UsagePoint, Written};
use super::shape::Shape;
use crate::decode::Pace;
use crate::refusal::{FileRefusal, shown};
use crate::stamp::{Stamp, StampPattern};
use crate::xml::{Ahead, Elements, refused};

/// The most usage points, series, types and blocks of a feed together.
const RESOURCE_COUNT_MAX: u64 = 1 << 20;
/// The most links of an entry.
const LINK_COUNT_MAX: u64 = 256;
/// The longest link that is followed, in bytes.
pub(super) const LINK_SIZE_MAX: usize = 2 << 10;

/// What an open element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Feed,
    Entry,
    Content,
    UsagePoint,
    ServiceCategory,
    MeterReading,
    ReadingType,
    Block,
    /// Of the whole block.
    BlockPeriod,
    Reading,
    TimePeriod,
    ReadingQuality,
    /// Its text is a number or a stamp.
    Leaf(Leaf),
    /// Passed over with all that is in it.
    Ignored,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Id,
    Updated,
    PointKind,
    Accumulation,
    Commodity,
    DefaultQuality,
    Flow,
    IntervalLength,
    PowerOfTen,
    Tou,
    Uom,
    BlockStart,
    Start,
    Duration,
    Value,
    Quality,
}

/// What a feed holds.
#[derive(Debug)]
pub(super) struct Feed {
    /// Those with a resource in them, in the order of the file.
    pub(super) entries: Vec<Links>,
    pub(super) usage_points: Vec<UsagePoint>,
    pub(super) meter_readings: Vec<MeterReading>,
    pub(super) reading_types: Vec<ReadingType>,
    pub(super) blocks: Vec<IntervalBlock>,
    /// Lines and sizes in bytes of links that are too long to be followed.
    pub(super) long_links: Vec<(u64, usize)>,
    /// Of the feed itself.
    pub(super) issued: Option<Issued>,
    pub(super) counts: FeedCounts,
    open: Vec<Element>,
    /// Text of the leaf that is open.
    text: String,
    attributes: LinkAttributes,
    links: Links,
    link_count: u64,
    reading: OpenReading,
    closed: bool,
    way: Way,
}

/// The attributes that the next element has, of those a link has.
#[derive(Debug, Default)]
struct LinkAttributes {
    rel: String,
    href: String,
}

/// The short way for readings of one shape.
#[derive(Debug)]
struct Way {
    taken: bool,
    shape: Option<Shape>,
    /// Where the reading that is open begins, once its first tag is read.
    reading_at: Option<usize>,
    /// A regular reading has just closed: its shape can be learnt.
    learns: bool,
}

impl Feed {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            entries: Vec::new(),
            usage_points: Vec::new(),
            meter_readings: Vec::new(),
            reading_types: Vec::new(),
            blocks: Vec::new(),
            long_links: Vec::new(),
            issued: None,
            counts: FeedCounts::default(),
            open: Vec::new(),
            text: String::new(),
            attributes: LinkAttributes::default(),
            links: Links::default(),
            link_count: 0,
            reading: OpenReading::default(),
            closed: false,
            way: Way { taken: pace == Pace::ByLane, shape: None, reading_at: None, learns: false },
        }
    }

    /// The feed is whole, once the file has ended.
    pub(super) fn finished(&self, line: u64) -> Result<(), FileRefusal> {
        if self.closed {
            return Ok(());
        }
        Err(FileRefusal::Truncated { line, what: "no feed".to_owned() })
    }

    /// What `name`, without its prefix, is inside the innermost element.
    fn element(&self, name: &str, line: u64) -> Result<Element, FileRefusal> {
        use Element as E;
        Ok(match (self.open.last(), name) {
            (None, _) if self.closed => return Err(refused(line, "a second root element")),
            (None, "feed") => E::Feed,
            (None | Some(E::Feed), "entry") => E::Entry,
            (None, _) => {
                let what = format!("the root element is {:?}, not a feed or an entry", shown(name));
                return Err(FileRefusal::NotThisFormat { line, what });
            }
            (Some(E::Ignored), _) => E::Ignored,
            (Some(E::Entry), "id") => E::Leaf(Leaf::Id),
            // Some writers put it inside the content.
            (Some(E::Feed | E::Entry | E::Content), "updated") => E::Leaf(Leaf::Updated),
            (Some(E::Entry), "content") => E::Content,
            (
                Some(E::Content),
                "ElectricPowerUsageSummary" | "UsageSummary" | "ElectricPowerQualitySummary",
            ) => E::Ignored,
            (Some(E::Content), "UsagePoint") => E::UsagePoint,
            (Some(E::Content), "MeterReading") => E::MeterReading,
            (Some(E::Content), "ReadingType") => E::ReadingType,
            (Some(E::Content | E::MeterReading), "IntervalBlock") => E::Block,
            (Some(E::UsagePoint), "ServiceCategory") => E::ServiceCategory,
            (Some(E::ServiceCategory), "kind") => E::Leaf(Leaf::PointKind),
            (Some(E::ReadingType), _) => Leaf::of_type(name).map_or(E::Other, E::Leaf),
            (Some(E::Block), "interval") => E::BlockPeriod,
            (Some(E::Block), "IntervalReading") => E::Reading,
            (Some(E::BlockPeriod), "start") => E::Leaf(Leaf::BlockStart),
            (Some(E::Reading), "timePeriod") => E::TimePeriod,
            (Some(E::Reading), "ReadingQuality") => E::ReadingQuality,
            (Some(E::Reading), "value") => E::Leaf(Leaf::Value),
            (Some(E::TimePeriod), "start") => E::Leaf(Leaf::Start),
            (Some(E::TimePeriod), "duration") => E::Leaf(Leaf::Duration),
            (Some(E::ReadingQuality), "quality") => E::Leaf(Leaf::Quality),
            (Some(_), "feed" | "entry" | "IntervalBlock" | "IntervalReading") => {
                let what = format!("element {:?} where it may not stand", shown(name));
                return Err(refused(line, what));
            }
            (Some(_), _) => E::Other,
        })
    }

    fn begin(&mut self, element: Element, line: u64) -> Result<(), FileRefusal> {
        let entry = self.entries.len();
        match element {
            Element::Entry => (self.links, self.link_count) = (Links::default(), 0),
            Element::UsagePoint => {
                self.counts.usage_point_count += 1;
                self.usage_points.push(UsagePoint { entry, kind: Written::Absent });
            }
            Element::MeterReading => {
                self.counts.meter_reading_count += 1;
                self.meter_readings.push(MeterReading { entry });
            }
            Element::ReadingType => {
                self.counts.reading_type_count += 1;
                self.reading_types.push(ReadingType { entry, ..ReadingType::default() });
            }
            Element::Block => {
                self.counts.block_count += 1;
                // A block is mostly as long as the one before.
                let size = self.blocks.last().map_or(0, |block| block.readings.len());
                let (start, readings) = (Written::Absent, Vec::with_capacity(size));
                self.blocks.push(IntervalBlock { entry, line, start, readings });
            }
            Element::Reading => self.reading = OpenReading { line, ..OpenReading::default() },
            Element::Leaf(_) => self.text.clear(),
            _ => (),
        }
        let resource_count = self.counts.usage_point_count
            + self.counts.meter_reading_count
            + self.counts.reading_type_count
            + self.counts.block_count;
        if resource_count > RESOURCE_COUNT_MAX {
            return Err(FileRefusal::TooLarge { what: "resources of a feed", limit: RESOURCE_COUNT_MAX });
        }
        Ok(())
    }

    /// Keeps the link whose attributes were read; of one that is too long, that it was there.
    fn link(&mut self, attributes: LinkAttributes, line: u64) -> Result<(), FileRefusal> {
        self.link_count += 1;
        if self.link_count > LINK_COUNT_MAX {
            return Err(FileRefusal::TooLarge { what: "links of an entry", limit: LINK_COUNT_MAX });
        }
        if attributes.href.len() > LINK_SIZE_MAX {
            self.links.is_cut = true;
            self.long_links.push((line, attributes.href.len()));
            return Ok(());
        }
        let href = Some(attributes.href).filter(|href| !href.is_empty());
        match attributes.rel.as_str() {
            "self" => self.links.own = href,
            "up" => self.links.up = href,
            "related" => self.links.related.extend(href),
            _ => (),
        }
        Ok(())
    }

    fn close_leaf(&mut self, leaf: Leaf) {
        let text = mem::take(&mut self.text);
        let of_type = self.reading_types.last_mut();
        let place = match leaf {
            Leaf::Id => return text.trim().clone_into(&mut self.links.id),
            Leaf::Updated => return self.updated(&text),
            Leaf::Quality => return self.reading.add_quality(&text),
            Leaf::PointKind => self.usage_points.last_mut().map(|point| &mut point.kind),
            Leaf::BlockStart => self.blocks.last_mut().map(|block| &mut block.start),
            Leaf::Start => Some(&mut self.reading.start),
            Leaf::Duration => Some(&mut self.reading.duration),
            Leaf::Value => Some(&mut self.reading.value),
            Leaf::Accumulation => of_type.map(|of_type| &mut of_type.accumulation),
            Leaf::Commodity => of_type.map(|of_type| &mut of_type.commodity),
            Leaf::DefaultQuality => of_type.map(|of_type| &mut of_type.default_quality),
            Leaf::Flow => of_type.map(|of_type| &mut of_type.flow),
            Leaf::IntervalLength => of_type.map(|of_type| &mut of_type.interval_length),
            Leaf::PowerOfTen => of_type.map(|of_type| &mut of_type.power_of_ten),
            Leaf::Tou => of_type.map(|of_type| &mut of_type.tou),
            Leaf::Uom => of_type.map(|of_type| &mut of_type.uom),
        };
        if let Some(place) = place {
            place.read(&text);
        }
        self.text = text;
    }

    fn updated(&mut self, text: &str) {
        let issued = issued(text.trim());
        if self.open.contains(&Element::Entry) { self.links.issued = issued } else { self.issued = issued }
    }

    fn close_reading(&mut self) {
        let reading = mem::take(&mut self.reading).closed();
        self.way.learns = self.way.taken && reading.problem().is_none();
        self.counts.interval_reading_count += 1;
        if let Some(block) = self.blocks.last_mut() {
            block.readings.push(reading);
        }
    }

    /// Readings of the shape that the last one had.
    fn skip_readings(&mut self, bytes: &[u8], at: usize, line: u64) -> Ahead {
        let (Some(shape), Some(block)) = (&self.way.shape, self.blocks.last_mut()) else {
            return Ahead::default();
        };
        let mut skipped = Ahead::default();
        while let Some(taken) = shape.read(bytes, at + skipped.size, line + skipped.line_breaks) {
            block.readings.push(taken.reading);
            self.counts.interval_reading_count += 1;
            self.counts.cost_count += shape.cost_count();
            skipped.size += taken.size;
            skipped.line_breaks += taken.line_count;
        }
        skipped
    }
}

impl Leaf {
    /// Of a reading type.
    fn of_type(name: &str) -> Option<Self> {
        Some(match name {
            "accumulationBehaviour" | "accumulationBehavior" => Self::Accumulation,
            "commodity" => Self::Commodity,
            "defaultQuality" => Self::DefaultQuality,
            "flowDirection" => Self::Flow,
            "intervalLength" => Self::IntervalLength,
            "powerOfTenMultiplier" => Self::PowerOfTen,
            "tou" => Self::Tou,
            "uom" => Self::Uom,
            _ => return None,
        })
    }
}

/// A name without its prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Seconds since 1970 of an RFC 3339 stamp; without an offset it is taken as UTC, and fractions are dropped.
fn issued(text: &str) -> Option<Issued> {
    let (date, rest) = text.split_at_checked(19)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()),
        None => rest,
    };
    let offset = if rest.is_empty() { "Z" } else { rest };
    let Stamp::Instant(instant) = StampPattern::Rfc3339.read(format!("{date}{offset}").as_bytes())? else {
        return None;
    };
    u64::try_from(instant.0).ok().map(Issued)
}

impl Elements for Feed {
    fn attribute(&mut self, name: &str, value: &str) {
        match name {
            "rel" => value.trim().clone_into(&mut self.attributes.rel),
            "href" => value.trim().clone_into(&mut self.attributes.href),
            _ => (),
        }
    }

    fn open(&mut self, name: &str, line: u64) -> Result<(), FileRefusal> {
        let name = local(name);
        let attributes = mem::take(&mut self.attributes);
        let element = self.element(name, line)?;
        self.begin(element, line)?;
        match (self.open.last(), name) {
            (Some(Element::Entry), "link") => self.link(attributes, line)?,
            (Some(Element::Reading), "cost") => self.counts.cost_count += 1,
            (Some(Element::Content), "ElectricPowerQualitySummary") => {
                self.counts.power_quality_summary_count += 1;
            }
            (Some(Element::Content), _) if element == Element::Ignored => {
                self.counts.usage_summary_count += 1;
            }
            _ => (),
        }
        self.open.push(element);
        if element == Element::Reading {
            self.way.reading_at = None;
        }
        Ok(())
    }

    fn add_text(&mut self, text: &str) -> usize {
        if matches!(self.open.last(), Some(Element::Leaf(_))) {
            self.text.push_str(text);
            return self.text.len();
        }
        0
    }

    fn close(&mut self, line: u64) -> Result<(), FileRefusal> {
        match self.open.pop() {
            Some(Element::Leaf(leaf)) => self.close_leaf(leaf),
            Some(Element::Reading) => self.close_reading(),
            Some(Element::Entry) => {
                let entry = Some(self.entries.len());
                let held = |last: Option<usize>| last == entry;
                if held(self.usage_points.last().map(|point| point.entry))
                    || held(self.meter_readings.last().map(|reading| reading.entry))
                    || held(self.reading_types.last().map(|of_type| of_type.entry))
                    || held(self.blocks.last().map(|block| block.entry))
                {
                    self.entries.push(mem::take(&mut self.links));
                }
                self.closed = self.open.is_empty();
            }
            Some(Element::Feed) => self.closed = true,
            Some(_) => (),
            None => return Err(refused(line, "an element ends that did not begin")),
        }
        Ok(())
    }

    fn take_ahead(&mut self, bytes: &[u8], at: usize, line: u64) -> Ahead {
        if !self.way.taken {
            return Ahead::default();
        }
        match self.open.last() {
            Some(Element::Reading) if self.way.reading_at.is_none() => {
                self.way.reading_at = memchr::memrchr(b'<', &bytes[..at]);
                Ahead::default()
            }
            Some(Element::Block) => {
                if let (true, Some(start)) = (mem::take(&mut self.way.learns), self.way.reading_at.take()) {
                    self.way.shape = std::str::from_utf8(&bytes[start..at]).ok().and_then(Shape::learn);
                }
                self.skip_readings(bytes, at, line)
            }
            _ => Ahead::default(),
        }
    }
}
