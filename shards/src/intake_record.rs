//! What one step of taking in a file did: the payload that is made durable before the sender is told.
//!
//! ```text
//! offset size
//!    0    1   version = 2, or 3 if there are events
//!    1    1   kind = 0x30
//!    2   32   import: hash over file, member, profile and zone
//!   34  4+n   file name, at most 255 bytes of UTF-8, no control characters
//!    …    8   u64 line cursor: lines up to and including it are dealt with
//!    …    1   1 when the file is finished, else 0
//!    …   56   u64 offered, accepted, duplicate, corrected, conflict, rejected, refused
//!    …    4   u32 number of rejections, then each:
//!               1 code, 8 u64 line, 4 u32 reading count, 4+n raw text
//!    …    4   u32 size of the events, then these: only in version 3, and then not empty
//!    …    4   u32 size of what follows
//!    …    …   packs of the days that changed, as they stand then, as drawn in `tallywatt_ledger::day_pack`
//! ```
//!
//! The events say what the days beside them follow from that are not plain, and hold what is of no day. Replaying a record
//! joins its days: replaying it twice, or after later ones, gives the same days. A chunk of a
//! file is one record, so it is durable as a whole or not at all. Also in `FORMAT.md` §7.

use std::ops::Range;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::rejection::{RAW_SIZE_MAX, Rejection, RejectionCode};
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::day_leaf::LeafTag;
use tallywatt_ledger::day_pack::PackReader;
use tallywatt_ledger::meter_event_bytes::{decode_events, encode_events};
use tallywatt_ledger::seal::partitions_of;

/// Kind of these records in the write-ahead log, and in their own second byte.
pub const INTAKE_KIND: u8 = 0x30;
/// The version of these bytes.
pub const INTAKE_VERSION: u8 = 2;
/// The version of these bytes where there are events.
pub const INTAKE_EVENTS_VERSION: u8 = 3;
/// The longest file name.
pub const FILE_NAME_SIZE_MAX: usize = 255;
/// The most rejections in one record.
pub const REJECTION_COUNT_MAX: u32 = 1 << 20;
/// The longest raw text: [`RAW_SIZE_MAX`] bytes, each escaped.
pub const RAW_TEXT_SIZE_MAX: usize = 8 * RAW_SIZE_MAX;

/// What became of the readings of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IntakeCounts {
    /// Readings the source offered.
    pub offered: u64,
    /// Filled an interval that had no value.
    pub accepted: u64,
    /// Equal to what was there.
    pub duplicate: u64,
    /// Replaced, or was outranked by, a value of another rank.
    pub corrected: u64,
    /// Differed from a value of equal rank.
    pub conflict: u64,
    /// Set aside by a rule.
    pub rejected: u64,
    /// Decoded, and dropped because the file itself was then refused: never in a record, which is of what was taken.
    pub refused: u64,
}

/// One step of taking in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeRecord {
    /// The import: a hash over the file, its member, the profile and the zone, not over its name.
    pub file: ContentHash,
    /// What its sender called it.
    pub file_name: String,
    /// Lines up to and including this one are dealt with; an import goes on behind it.
    pub line_cursor: u64,
    /// Whether the whole file is dealt with.
    pub is_finished: bool,
    /// What became of its readings.
    pub counts: IntakeCounts,
    /// What was set aside.
    pub rejections: Vec<Rejection>,
    /// What the days that are not plain follow from, and what is of no day; in order, each once.
    pub events: Vec<MeterEvent>,
    /// Packs of the days that changed, as they stand then.
    pub packs: Vec<u8>,
}

/// Why a record cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeRecordError {
    /// The file name is empty, too long, or has control characters.
    #[error("file name of {size} bytes: need 1 to {FILE_NAME_SIZE_MAX} without control characters")]
    FileName {
        /// Its size.
        size: usize,
    },
    /// A rejection's raw text is too long.
    #[error("raw text of {size} bytes in rejection {at}, at most {RAW_TEXT_SIZE_MAX}")]
    RawText {
        /// Index of the rejection.
        at: usize,
        /// Its size.
        size: usize,
    },
    /// Too many rejections or frames.
    #[error("{count} {what} in one intake record, at most {max}")]
    Count {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        max: u32,
    },
    /// The bytes are not a canonical record.
    #[error("intake record: {0}")]
    Codec(#[from] CodecError),
    /// A pack in it is not canonical.
    #[error("pack at byte {at} of an intake record: {source}")]
    Pack {
        /// Where it begins.
        at: usize,
        /// What is wrong.
        source: CodecError,
    },
}

impl IntakeRecord {
    /// The canonical bytes.
    ///
    /// # Errors
    /// [`IntakeRecordError`] names the limit.
    pub fn encode(&self) -> Result<Vec<u8>, IntakeRecordError> {
        let mut bytes = self.encode_head(self.packs.len())?;
        bytes.extend_from_slice(&self.packs);
        Ok(bytes)
    }

    /// The bytes before the packs, when these are `packs_size` bytes that stand elsewhere.
    ///
    /// # Errors
    /// [`IntakeRecordError`] names the limit.
    pub fn encode_head(&self, packs_size: usize) -> Result<Vec<u8>, IntakeRecordError> {
        self.check()?;
        let version = if self.events.is_empty() { INTAKE_VERSION } else { INTAKE_EVENTS_VERSION };
        let mut writer = Writer::record(version, INTAKE_KIND);
        writer.hash(&self.file).text(&self.file_name).u64(self.line_cursor).u8(self.is_finished.into());
        for count in self.counts.in_order() {
            writer.u64(count);
        }
        writer.count(self.rejections.len());
        for rejection in &self.rejections {
            let Rejection { code, line, reading_count, raw } = rejection;
            writer.u8(code.number()).u64(*line).u32(*reading_count).text(raw);
        }
        if !self.events.is_empty() {
            let events = encode_events(&self.events);
            writer.count(events.len()).raw(&events);
        }
        writer.count(packs_size);
        Ok(writer.finish())
    }

    /// Reads a record that takes up all of `bytes`; encoding it again gives the same bytes.
    ///
    /// # Errors
    /// [`IntakeRecordError`] names the first thing that is not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, IntakeRecordError> {
        let has_events = bytes.first() == Some(&INTAKE_EVENTS_VERSION);
        let version = if has_events { INTAKE_EVENTS_VERSION } else { INTAKE_VERSION };
        let mut reader = Reader::record(bytes, version, INTAKE_KIND)?;
        let file = reader.hash("file hash")?;
        let file_name = reader.text("file name")?.to_owned();
        let line_cursor = reader.u64("line cursor")?;
        let finished_at = reader.at();
        let is_finished = match reader.u8("finished")? {
            0 => false,
            1 => true,
            _ => return Err(reader.refuse("finished", finished_at).into()),
        };
        let counts = IntakeCounts::read(&mut reader)?;
        let rejections = read_rejections(&mut reader)?;
        let events = if has_events { read_events(&mut reader)? } else { Vec::new() };
        let packs_size = reader.u32("packs size")?;
        let packs_size = usize::try_from(packs_size).unwrap_or(usize::MAX);
        let packs = reader.raw("packs", packs_size)?.to_vec();
        reader.finish()?;
        let record = Self { file, file_name, line_cursor, is_finished, counts, rejections, events, packs };
        record.check()?;
        Ok(record)
    }

    /// The rules that encoding and decoding share.
    fn check(&self) -> Result<(), IntakeRecordError> {
        let size = self.file_name.len();
        let has_control = self.file_name.chars().any(char::is_control);
        if size == 0 || size > FILE_NAME_SIZE_MAX || has_control {
            return Err(IntakeRecordError::FileName { size });
        }
        check_count("rejections", self.rejections.len(), REJECTION_COUNT_MAX)?;
        for (at, rejection) in self.rejections.iter().enumerate() {
            let size = rejection.raw.len();
            if size > RAW_TEXT_SIZE_MAX {
                return Err(IntakeRecordError::RawText { at, size });
            }
        }
        Ok(())
    }
}

/// Where in a record's packs each partition's days are: consecutive packs of one partition are one part.
///
/// # Errors
/// [`IntakeRecordError::Pack`] if a pack or its first day cannot be read.
pub fn parts_of(packs: &[u8]) -> Result<Vec<(u8, Range<usize>)>, IntakeRecordError> {
    let mut parts: Vec<(u8, Range<usize>)> = Vec::new();
    let mut at = 0;
    while at < packs.len() {
        let wrong = |source| IntakeRecordError::Pack { at, source };
        let (mut pack, size) = PackReader::new(&packs[at..], LeafTag::Frame).map_err(wrong)?;
        pack.advance().map_err(wrong)?;
        let mut partition = [0];
        partitions_of(&[*pack.header()], &mut partition);
        match parts.last_mut() {
            Some((last, range)) if *last == partition[0] => range.end += size,
            _ => parts.push((partition[0], at..at + size)),
        }
        at += size;
    }
    Ok(parts)
}

impl IntakeCounts {
    /// Readings that stand in the quarantine: set aside by a rule, or joined and in conflict.
    #[must_use]
    pub const fn quarantined(&self) -> u64 {
        self.conflict + self.rejected
    }

    /// Whether each reading that was offered became one thing, and one only.
    #[must_use]
    pub const fn is_balanced(&self) -> bool {
        let dealt_with = self.accepted + self.duplicate + self.corrected + self.quarantined();
        self.offered == dealt_with + self.refused
    }

    /// Adds another step's.
    pub fn add(&mut self, part: &Self) {
        self.offered += part.offered;
        self.accepted += part.accepted;
        self.duplicate += part.duplicate;
        self.corrected += part.corrected;
        self.conflict += part.conflict;
        self.rejected += part.rejected;
        self.refused += part.refused;
    }

    const fn in_order(&self) -> [u64; 7] {
        let Self { offered, accepted, duplicate, corrected, conflict, rejected, refused } = *self;
        [offered, accepted, duplicate, corrected, conflict, rejected, refused]
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            offered: reader.u64("offered")?,
            accepted: reader.u64("accepted")?,
            duplicate: reader.u64("duplicate")?,
            corrected: reader.u64("corrected")?,
            conflict: reader.u64("conflict")?,
            rejected: reader.u64("rejected")?,
            refused: reader.u64("refused")?,
        })
    }
}

/// The events of a record: there are some.
fn read_events(reader: &mut Reader<'_>) -> Result<Vec<MeterEvent>, CodecError> {
    let at = reader.at();
    let size = usize::try_from(reader.u32("events size")?).unwrap_or(usize::MAX);
    let events = decode_events(reader.raw("events", size)?)?;
    if events.is_empty() { Err(reader.refuse("events", at)) } else { Ok(events) }
}

fn check_count(what: &'static str, count: usize, max: u32) -> Result<(), IntakeRecordError> {
    if u32::try_from(count).is_ok_and(|count| count <= max) {
        return Ok(());
    }
    Err(IntakeRecordError::Count { what, count, max })
}

fn read_rejections(reader: &mut Reader<'_>) -> Result<Vec<Rejection>, CodecError> {
    let count = reader.count("rejections", REJECTION_COUNT_MAX)?;
    let mut rejections = Vec::new();
    for _ in 0..count {
        let code_at = reader.at();
        let code = RejectionCode::from_number(reader.u8("rejection code")?)
            .ok_or(CodecError::Value { field: "rejection code", at: code_at })?;
        let line = reader.u64("line")?;
        let reading_count = reader.u32("reading count")?;
        let raw = reader.text("raw text")?.to_owned();
        rejections.push(Rejection { code, line, reading_count, raw });
    }
    Ok(rejections)
}
