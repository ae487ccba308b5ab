//! NEM12: interval data of the Australian market (AEMO, Meter Data File Format for NEM12 and NEM13).
//!
//! ```text
//!   100 ─ header            exactly one, first
//!     200 ─ one register    NMI, suffix, unit, interval length
//!       300 ─ one day       date, 1440 / length values, quality
//!         400 ─ quality of a run of the day's intervals, if the 300 says V
//!       500 ─ manual readings around it: counted, not read
//!   900 ─ end               exactly one, last
//! ```
//!
//! The [frame] is checked before the first value is handed over, so that a file that was cut off gives nothing.
//!
//! A 200 that cannot be read, and a record of an unknown kind, which may be one, leave no register: the days up to the next
//! 200 are set aside with its reason.
//!
//! Each day is of an issue: the update stamp of its 300, or the 100's creation stamp. So of two deliveries of a day, in one
//! file or in two, the one that its source changed last stands. Methods and reasons of the [quality] codes are counted in
//! the [notes](crate::source_notes), record by record. Ordinary days go the [short way](lane).
//!
//! Providers differ, and all of this is taken: units in any capitals (`KWH`), `.5` for `0.5`, blanks around fields, blank
//! lines, a byte-order mark, `\r\n`, fields left out at the end of a record, a new 200 before each day.

pub(crate) mod frame;
mod lane;
pub(crate) mod quality;
mod records;
pub(crate) mod stamps;

use std::ops::ControlFlow;

use tallywatt_core::calendar::Zone;
use tallywatt_core::reading::Issued;
use tallywatt_core::rejection::RejectionCode;

use self::frame::{Frame, RECORD_SIZE_MAX, Records, Version};
use self::lane::Lane;
use self::records::{Channel, Day, DayContext, Run};
use crate::decode::Pace;
use crate::format::{Format, FormatKind, SourceFile};
use crate::lines::Fields;
use crate::refusal::FileRefusal;
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "nem12",
    keys: &["round_to_wh", "frame"],
    // Market time: Brisbane's all year, everywhere.
    zone: Some("+10:00"),
    read: |document, text| {
        let frame = Frame::read(document.frame.as_deref(), text)?;
        Ok(Box::new(Nem12 { rounds: document.round_to_wh.unwrap_or(false), frame }))
    },
    profiles: &[("nem12", include_str!("../profiles/nem12.toml"))],
};

/// NEM12 files say everything but whether rounding is allowed, and whether their frame must be whole.
#[derive(Debug, Clone, Copy)]
struct Nem12 {
    rounds: bool,
    frame: Frame,
}

impl Format for Nem12 {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let text = file.whole()?;
        decode(self, file.zone, &text, file.pace, tally)
    }
}

/// Decodes a whole file.
fn decode(
    profile: &Nem12,
    zone: &Zone,
    text: &[u8],
    pace: Pace,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    frame::check(text, Version::Nem12, profile.frame)?;
    let mut reader = Reader::new(profile, zone);
    let mut lane = (pace == Pace::ByLane).then(|| Lane::new(zone));
    let mut fields = Fields::default();
    let mut records = Records::new(text);
    loop {
        if let Some(lane) = &mut lane
            && reader.lane(lane, &mut records, tally).is_break()
        {
            return Ok(());
        }
        let Some((line, record)) = records.next() else { break };
        tally.summary.line_count = line;
        if !is_run(record) && reader.flush(tally).is_break() {
            return Ok(());
        }
        reader.record(record, line, &mut fields, tally);
        reader.last_line = line;
        if reader.pending.is_none() && tally.line_done(line).is_break() {
            return Ok(());
        }
    }
    // Only a file that need not end in a 900 ends in a day.
    let _ = reader.flush(tally);
    Ok(())
}

fn is_run(record: &[u8]) -> bool {
    frame::kind(record) == b"400"
}

/// Where in the file we are.
struct Reader<'a> {
    profile: &'a Nem12,
    zone: &'a Zone,
    /// The last 200, or why it cannot be used.
    channel: Result<Channel, RejectionCode>,
    /// The last 300, while its 400s may still follow.
    pending: Option<Day>,
    /// The last 300 was set aside, and its 400s with it.
    day_lost: bool,
    /// The issue of days that do not name their own.
    created: Issued,
    last_line: u64,
}

impl<'a> Reader<'a> {
    const fn new(profile: &'a Nem12, zone: &'a Zone) -> Self {
        Self {
            profile,
            zone,
            channel: Channel::none(),
            pending: None,
            day_lost: false,
            created: Issued::UNSAID,
            last_line: 0,
        }
    }

    /// Takes the days from here that go the short way.
    fn lane(
        &mut self,
        lane: &mut Lane<'_>,
        records: &mut Records<'_>,
        tally: &mut Tally<'_>,
    ) -> ControlFlow<()> {
        loop {
            let (text, at, line) = records.rest();
            let Ok(channel) = self.channel else { return ControlFlow::Continue(()) };
            if !text.get(at..).is_some_and(|rest| rest.starts_with(b"300,")) {
                return ControlFlow::Continue(());
            }
            tally.summary.line_count = line;
            self.flush(tally)?;
            let Some(day) = lane.day(text, at, &channel, self.created) else {
                return ControlFlow::Continue(());
            };
            let end_line = line + day.line_count;
            lane.hand_over(&day, &channel, line, tally);
            self.day_lost = false;
            self.last_line = end_line - 1;
            // The next record is there, and is not a 400: it is what ends a day.
            tally.summary.line_count = end_line;
            records.skip_to(day.end, end_line);
            tally.line_done(self.last_line)?;
        }
    }

    fn record(&mut self, record: &[u8], line: u64, fields: &mut Fields, tally: &mut Tally<'_>) {
        if record.len() > RECORD_SIZE_MAX {
            return self.lose(RejectionCode::LineTooLong, record, line, tally);
        }
        let Some(row) = fields.split(record, b',') else {
            return self.lose(RejectionCode::Structure, record, line, tally);
        };
        match row.field(0) {
            b"100" => {
                self.channel = Channel::none();
                self.created = frame::created(row, record, line, self.zone, tally);
            }
            b"900" => self.channel = Channel::none(),
            b"200" => {
                self.channel = Channel::read(row);
                if let Err(code) = self.channel {
                    tally.reject(code, line, 0, record);
                }
            }
            b"300" => match records::read_day(self.context(), row, line) {
                Ok(day) => self.pending = Some(day),
                Err((code, count)) => {
                    self.day_lost = true;
                    let text = records::day_text(&self.channel, row, record);
                    return tally.reject(code, line, count, &text);
                }
            },
            b"400" => match (&mut self.pending, Run::read(row)) {
                (Some(day), Ok(run)) => {
                    if let Err(code) = day.cover(&run) {
                        tally.reject(code, line, 0, record)
                    }
                }
                (Some(_), Err(code)) => tally.reject(code, line, 0, record),
                (None, _) if self.day_lost => return,
                (None, _) => tally.reject(RejectionCode::Structure, line, 0, record),
            },
            b"500" => tally.summary.ignored_count += 1,
            _ => return self.lose(RejectionCode::Structure, record, line, tally),
        }
        self.day_lost = false;
    }

    /// Sets a record aside that cannot be read. What is not known to be of another kind may have been a 200: the days behind
    /// it are then nobody's, for the register before it would take another meter's values.
    fn lose(&mut self, code: RejectionCode, record: &[u8], line: u64, tally: &mut Tally<'_>) {
        let kind = frame::kind(record);
        let count = if kind == b"300" { records::value_count_of(&self.channel, record) } else { 0 };
        match kind {
            b"300" => self.day_lost = true,
            b"400" | b"500" => (),
            _ => (self.channel, self.day_lost) = (Err(code), false),
        }
        tally.reject(code, line, count, record)
    }

    const fn context(&self) -> DayContext<'_> {
        let rounds = self.profile.rounds;
        DayContext { channel: &self.channel, zone: self.zone, rounds, created: self.created }
    }

    /// Hands the pending day over, now that no 400 can follow.
    fn flush(&mut self, tally: &mut Tally<'_>) -> ControlFlow<()> {
        match self.pending.take() {
            None => ControlFlow::Continue(()),
            Some(day) => {
                day.hand_over(tally);
                tally.line_done(self.last_line)
            }
        }
    }
}
