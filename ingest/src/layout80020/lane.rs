//! The short way for ordinary periods: one that differs from the period before in its two clocks and its value only is
//! compared, not read.
//!
//! ```text
//!   read by the reader:  \n<period start="0000" end="0030" summer="0"><value status="0">513</value></period>
//!   foretold:           |\n<period start="0030" end="0100" summer="0"><value status="0">|…|</value></period>|
//!                        head, one for each period of a day                              number   tail
//!   gathered:            498, 471, 502 …                 one stretch, until a period is not as foretold
//! ```
//!
//! The reader stays the reference. Every text of a foretold period was read by it before, in the same place of the same
//! kind of element, and means the same again; only digits are read here. So a period that passes gives what the reader
//! would have given and is as well-formed, and every other one goes to the reader.

use std::ops::Range;

use tallywatt_core::quality::Quality;
use tallywatt_core::reading::INTERVAL_MINUTES;

use super::period::{DAY_MINUTES, Period, separator_of};
use super::shape::Shape;
use crate::digits::number_at;
use crate::xml::Ahead;

/// The longest text of an ordinary period, in bytes.
const PERIOD_SIZE_MAX: usize = 512;
/// The most periods that are left to the reader after what was foretold did not come.
const PAUSE_PERIOD_COUNT_MAX: u32 = 63;

/// Periods of one channel that came as foretold.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) first_line: u64,
    pub(super) lines_per_period: u8,
    pub(super) first_minute: u32,
    /// Length of each.
    pub(super) minutes: u8,
    pub(super) summer: bool,
    pub(super) quality: Quality,
    /// Which of the message's values.
    pub(super) values: Range<usize>,
}

impl Stretch {
    pub(super) fn last_line(&self) -> u64 {
        let steps = u64::try_from(self.values.len().saturating_sub(1)).unwrap_or(u64::MAX);
        self.first_line + steps * u64::from(self.lines_per_period)
    }

    /// Its periods one by one.
    pub(super) fn periods(&self, values_wh: &[i64]) -> impl Iterator<Item = Period> {
        let (mut line, mut first) = (self.first_line, self.first_minute);
        values_wh[self.values.clone()].iter().map(move |&energy_wh| {
            let span = (first, u32::from(self.minutes));
            let period = Period::foretold(line, span, self.summer, self.quality, energy_wh);
            line += u64::from(self.lines_per_period);
            first += u32::from(self.minutes);
            period
        })
    }
}

/// What the next period of the channel must look like.
#[derive(Debug)]
pub(super) struct Lane {
    /// Decimals of the unit in watt-hours.
    decimals: u32,
    template: Option<Template>,
    /// Which period of the day comes next.
    slot: usize,
    /// Where the period begins that the reader reads now.
    read_from: Option<usize>,
    /// Periods to leave to the reader, and how many at the next disappointment.
    pause: u32,
    next_pause: u32,
}

/// Ordinary periods of one kind.
#[derive(Debug)]
struct Template {
    minutes: u8,
    summer: bool,
    quality: Quality,
    /// Up to the number: for each period of the day, one after another.
    heads: Vec<u8>,
    /// That of the last period, if it ends at 2400.
    last_head: Vec<u8>,
    tail: Vec<u8>,
    separator: u8,
    /// Line breaks up to the end of the period's start, and in all.
    start_breaks: u64,
    breaks: u8,
}

impl Lane {
    pub(super) const fn new(decimals: u32) -> Self {
        Self { decimals, template: None, slot: 0, read_from: None, pause: 0, next_pause: 0 }
    }

    /// At the start of a channel.
    pub(super) const fn begin(&mut self) {
        self.slot = 0;
    }

    /// Foretells the period after `period`, which the reader has just read up to `at`.
    pub(super) fn learn(&mut self, bytes: &[u8], at: usize, period: &Period) {
        let Some(from) = self.read_from.take() else { return };
        let Ok((first, minutes)) = period.span else { return };
        if let Some(template) =
            self.template.as_ref().filter(|template| u32::from(template.minutes) == minutes)
        {
            self.slot = template.slot_after(first);
        }
        if self.pause > 0 {
            self.pause -= 1;
        } else if let Some(template) = Template::of(&bytes[from..at], period) {
            self.slot = template.slot_after(first);
            self.template = Some(template);
        }
    }

    /// Takes the periods from `at` that come as foretold; `line` is where that is.
    pub(super) fn gather(
        &mut self,
        bytes: &[u8],
        at: usize,
        line: u64,
        values_wh: &mut Vec<i64>,
    ) -> Option<(Stretch, Ahead)> {
        self.read_from = Some(at);
        let template = self.template.as_ref().filter(|_| self.pause == 0)?;
        let (first_slot, from) = (self.slot, values_wh.len());
        let end = template.take_periods(bytes, at, first_slot, self.decimals, values_wh);
        let count = values_wh.len() - from;
        if count == 0 {
            // A channel that ends is no disappointment.
            if first_slot < template.slot_count() {
                self.pause = self.next_pause;
                self.next_pause = (2 * self.next_pause + 1).min(PAUSE_PERIOD_COUNT_MAX);
            }
            return None;
        }
        self.next_pause = 0;
        self.slot = first_slot + count;
        self.read_from = Some(end);
        let stretch = Stretch {
            first_line: line + template.start_breaks,
            lines_per_period: template.breaks,
            first_minute: template.minute_of(first_slot),
            minutes: template.minutes,
            summer: template.summer,
            quality: template.quality,
            values: from..values_wh.len(),
        };
        let line_breaks = u64::try_from(count).unwrap_or(u64::MAX) * u64::from(template.breaks);
        Some((stretch, Ahead { size: end - at, line_breaks }))
    }
}

impl Template {
    /// What `text`, read as `period`, has in common with the other periods of its day; `None` if it is no ordinary one.
    fn of(text: &[u8], period: &Period) -> Option<Self> {
        let (Ok((first, minutes)), Ok(quality), Ok(_)) = (&period.span, &period.quality, &period.energy)
        else {
            return None;
        };
        let minutes = INTERVAL_MINUTES.into_iter().find(|&taken| u32::from(taken) == *minutes)?;
        if first % u32::from(minutes) != 0 || text.len() > PERIOD_SIZE_MAX {
            return None;
        }
        let shape = Shape::of(text)?;
        let breaks = |text: &[u8]| text.iter().filter(|&&byte| byte == b'\n').count();
        let (head, tail) = (&text[..shape.number.start], &text[shape.number.end..]);
        let mut heads =
            Vec::with_capacity(head.len() * usize::try_from(DAY_MINUTES / u32::from(minutes)).ok()?);
        let with_clocks = |start: [u8; 4], end: [u8; 4]| {
            let mut head = head.to_vec();
            head[shape.start_at..shape.start_at + 4].copy_from_slice(&start);
            head[shape.end_at..shape.end_at + 4].copy_from_slice(&end);
            head
        };
        for start in (0..DAY_MINUTES).step_by(usize::from(minutes)) {
            let end = (start + u32::from(minutes)) % DAY_MINUTES;
            heads.extend(with_clocks(clock_text(start), clock_text(end)));
        }
        Some(Self {
            minutes,
            summer: period.summer,
            quality: *quality,
            last_head: with_clocks(clock_text(DAY_MINUTES - u32::from(minutes)), *b"2400"),
            heads,
            tail: tail.to_vec(),
            separator: separator_of(&text[shape.number.clone()]),
            start_breaks: u64::try_from(breaks(&text[..shape.tag_end])).ok()?,
            breaks: u8::try_from(breaks(text)).ok()?,
        })
    }

    fn slot_count(&self) -> usize {
        self.heads.len() / self.last_head.len()
    }

    /// Takes periods from `at` on, the first of them number `slot` of the day; gives where they end.
    fn take_periods(
        &self,
        bytes: &[u8],
        mut at: usize,
        slot: usize,
        decimals: u32,
        values_wh: &mut Vec<i64>,
    ) -> usize {
        let (head_size, tail_size) = (self.last_head.len(), self.tail.len());
        let heads = self.heads.get(slot * head_size..).unwrap_or_default();
        for head in heads.chunks_exact(head_size) {
            let Some(found) = bytes.get(at..at + head_size) else { break };
            if found != head && !(self.is_last(head) && found == self.last_head) {
                break;
            }
            let Some((energy_wh, end)) = number_at(bytes, at + head_size, self.separator, decimals) else {
                break;
            };
            if bytes.get(end..end + tail_size) != Some(&*self.tail) {
                break;
            }
            values_wh.push(energy_wh);
            at = end + tail_size;
        }
        at
    }

    /// Whether `head` is that of the day's last period.
    fn is_last(&self, head: &[u8]) -> bool {
        self.heads.ends_with(head)
    }

    fn minute_of(&self, slot: usize) -> u32 {
        u32::try_from(slot).unwrap_or(u32::MAX) * u32::from(self.minutes)
    }

    /// Which period comes after the one that begins at `minute`.
    fn slot_after(&self, minute: u32) -> usize {
        usize::try_from(minute / u32::from(self.minutes)).unwrap_or(usize::MAX - 1) + 1
    }
}

/// `HHMM`.
fn clock_text(minute: u32) -> [u8; 4] {
    let (hour, minute) = (minute / 60, minute % 60);
    [hour / 10, hour % 10, minute / 10, minute % 10].map(|digit| b'0' + u8::try_from(digit).unwrap_or(0))
}
