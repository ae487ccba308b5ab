//! NEM13: reads of accumulation meters of the Australian market (AEMO, Meter Data File Format for NEM12 and NEM13).
//!
//! ```text
//!   100 ─ header                exactly one, first
//!     250 ─ two register reads  NMI, suffix, serial, direction; previous and current dial, stamp, quality; quantity, unit
//!       550 ─ manual readings   counted, not read
//!   900 ─ end                   exactly one, last
//! ```
//!
//! The frame is NEM12's, and so are the [quality codes](crate::nem12::quality) and stamps.

mod accumulation;

use tallywatt_core::calendar::Zone;
use tallywatt_core::reading::Issued;
use tallywatt_core::rejection::RejectionCode;

use self::accumulation::Accumulation;
use crate::format::{Format, FormatKind, SourceFile};
use crate::lines::Fields;
use crate::nem12::frame::{self, Frame, RECORD_SIZE_MAX, Records, Version};
use crate::refusal::FileRefusal;
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "nem13",
    keys: &["frame"],
    // Market time, as in NEM12.
    zone: Some("+10:00"),
    read: |document, text| Ok(Box::new(Nem13 { frame: Frame::read(document.frame.as_deref(), text)? })),
    profiles: &[("nem13", include_str!("../profiles/nem13.toml"))],
};

/// NEM13 files say everything but whether their frame must be whole.
#[derive(Debug, Clone, Copy)]
struct Nem13 {
    frame: Frame,
}

impl Format for Nem13 {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let text = file.whole()?;
        frame::check(&text, Version::Nem13, self.frame)?;
        let mut fields = Fields::default();
        let mut created = Issued::UNSAID;
        for (line, record) in Records::new(&text) {
            tally.summary.line_count = line;
            take(record, line, file.zone, &mut fields, &mut created, tally);
            if tally.line_done(line).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn take(
    record: &[u8],
    line: u64,
    zone: &Zone,
    fields: &mut Fields,
    created: &mut Issued,
    tally: &mut Tally<'_>,
) {
    let lost = if frame::kind(record) == b"250" { accumulation::READ_COUNT } else { 0 };
    if record.len() > RECORD_SIZE_MAX {
        return tally.reject(RejectionCode::LineTooLong, line, lost, record);
    }
    let Some(row) = fields.split(record, b',') else {
        return tally.reject(RejectionCode::Structure, line, lost, record);
    };
    match row.field(0) {
        b"100" => *created = frame::created(row, record, line, zone, tally),
        b"250" => match Accumulation::read(row, zone, *created) {
            Ok(accumulation) => accumulation.hand_over(row, line, tally),
            Err(code) => tally.reject(code, line, lost, &accumulation::text(row, record)),
        },
        b"550" => tally.summary.ignored_count += 1,
        b"900" => *created = Issued::UNSAID,
        _ => tally.reject(RejectionCode::Structure, line, lost, record),
    }
}
