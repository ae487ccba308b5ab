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
//! The frame is checked before the first value is handed over, so that a file that was cut off gives nothing.

mod records;

use std::ops::ControlFlow;

use tallywatt_core::calendar::Zone;
use tallywatt_core::rejection::RejectionCode;

use self::records::{Channel, Day, Run};
use crate::format::{Format, FormatKind, SourceFile};
use crate::lines::Fields;
use crate::refusal::{FileRefusal, shown};
use crate::tally::Tally;

/// The longest record, in bytes: 288 values of 18 digits take a third of it.
const RECORD_SIZE_MAX: usize = 64 << 10;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "nem12",
    keys: &["round_to_wh"],
    // Market time: Brisbane's all year, everywhere.
    zone: Some("+10:00"),
    read: |document, _| Ok(Box::new(Nem12 { rounds: document.round_to_wh.unwrap_or(false) })),
    profiles: &[("nem12", include_str!("../profiles/nem12.toml"))],
};

/// NEM12 files say everything but whether rounding is allowed.
#[derive(Debug, Clone, Copy)]
struct Nem12 {
    rounds: bool,
}

impl Format for Nem12 {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let text = file.whole()?;
        decode(self, file.zone, &text, tally)
    }
}

/// Decodes a whole file.
fn decode(profile: &Nem12, zone: &Zone, text: &[u8], tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
    check_frame(text)?;
    let mut reader =
        Reader { profile, zone, channel: Channel::none(), pending: None, day_lost: false, last_line: 0 };
    let mut fields = Fields::default();
    for (line, record) in records(text) {
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
    Ok(())
}

/// The records with their lines, counted from 1; blank lines are passed over.
fn records(text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    (1..).zip(text.split(|&byte| byte == b'\n')).filter_map(|(line, record)| {
        let record = record.strip_suffix(b"\r").unwrap_or(record);
        (!record.trim_ascii().is_empty()).then_some((line, record))
    })
}

/// The record's kind: what stands before its first comma.
fn kind(record: &[u8]) -> &[u8] {
    record.split(|&byte| byte == b',').next().unwrap_or_default().trim_ascii()
}

fn is_run(record: &[u8]) -> bool {
    kind(record) == b"400"
}

/// One 100 first, one 900 last, and at least one 300 between them.
fn check_frame(text: &[u8]) -> Result<(), FileRefusal> {
    let header = |line, what: &str| FileRefusal::Header { line, what: what.to_owned() };
    let mut day_count = 0_u64;
    let (mut first, mut ended) = (true, false);
    let mut last_line = 1;
    for (line, record) in records(text) {
        if std::str::from_utf8(record).is_err() {
            return Err(FileRefusal::NotText { line, encoding: "utf-8" });
        }
        if ended {
            return Err(header(line, "a record after the end record 900"));
        }
        match (kind(record), first) {
            (b"100", true) => check_header(record, line)?,
            (b"100", false) => return Err(header(line, "a second header record 100")),
            (_, true) => return Err(header(line, "the first record is not the header record 100")),
            (b"300", false) => day_count += 1,
            (b"900", false) => ended = true,
            _ => (),
        }
        first = false;
        last_line = line;
    }
    if first {
        return Err(FileRefusal::Empty);
    }
    if !ended {
        return Err(FileRefusal::Truncated { line: last_line, what: "no end record 900".to_owned() });
    }
    if day_count == 0 { Err(FileRefusal::NoReadings) } else { Ok(()) }
}

fn check_header(record: &[u8], line: u64) -> Result<(), FileRefusal> {
    let version = record.split(|&byte| byte == b',').nth(1).unwrap_or_default().trim_ascii();
    match version {
        b"NEM12" => Ok(()),
        b"NEM13" => {
            let what = "a NEM13 file: register reads are not taken yet".to_owned();
            Err(FileRefusal::NotThisFormat { line, what })
        }
        other => {
            let what = format!("version {:?}, not NEM12", shown(&String::from_utf8_lossy(other)));
            Err(FileRefusal::NotThisFormat { line, what })
        }
    }
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
    last_line: u64,
}

impl Reader<'_> {
    fn record(&mut self, record: &[u8], line: u64, fields: &mut Fields, tally: &mut Tally<'_>) {
        if record.len() > RECORD_SIZE_MAX {
            let count = if kind(record) == b"300" { records::value_count_of(&self.channel) } else { 0 };
            return tally.reject(RejectionCode::LineTooLong, line, count, record);
        }
        let Some(row) = fields.split(record, b',') else {
            let count = if kind(record) == b"300" { records::value_count_of(&self.channel) } else { 0 };
            return tally.reject(RejectionCode::Structure, line, count, record);
        };
        match row.field(0) {
            b"100" | b"900" => (),
            b"200" => {
                self.channel = Channel::read(row);
                if let Err(code) = self.channel {
                    tally.reject(code, line, 0, record);
                }
            }
            b"300" => match records::read_day(&self.channel, row, line, self.zone, self.profile.rounds) {
                Ok(day) => self.pending = Some(day),
                Err((code, count)) => {
                    self.day_lost = true;
                    return tally.reject(code, line, count, record);
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
            _ => tally.reject(RejectionCode::Structure, line, 0, record),
        }
        self.day_lost = false;
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
