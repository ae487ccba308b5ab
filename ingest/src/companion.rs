//! What telegrams of meters leave unsaid, and who says it instead: the usage point, and when the dials were read.
//!
//! ```text
//!   usage point   usage_point = "NAME"   usage_point_from = "file"      NAME@20260301T120000Z.bin
//!                                        usage_point_from = "meter"     the number on its plate
//!   read at       read_at = "2026-03-01T12:00:00Z"
//!                                        read_at_from = "file"               ^^^^^^^^^^^^^^^^ in UTC
//! ```
//!
//! A stamp from outside is that of one message. A second message without its own cannot have been sent at the same
//! instant, so it is set aside rather than given it too.

use tallywatt_core::calendar::{UtcSeconds, WallTime, Zone};
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::MeterSerial;
use tallywatt_core::rejection::RejectionCode;

use crate::profile::ProfileError;
use crate::profile_text::{Document, Text};
use crate::refusal::{FileRefusal, shown};
use crate::stamp::{Stamp, StampPattern};

/// What a profile says for the telegrams.
#[derive(Debug, Clone)]
pub(crate) struct Companion {
    points: PointFrom,
    read_at: StampFrom,
}

#[derive(Debug, Clone, Copy)]
enum PointFrom {
    Constant(UsagePointId),
    File,
    Meter,
}

#[derive(Debug, Clone, Copy)]
enum StampFrom {
    /// Each message says it, or is set aside.
    Message,
    Constant(UtcSeconds),
    File,
}

impl Companion {
    pub(crate) fn read(document: &Document, text: Text<'_>) -> Result<Self, ProfileError> {
        let points = match (document.usage_point.as_deref(), document.usage_point_from.as_deref()) {
            (Some(name), None) => Label::new(name.as_bytes())
                .map(PointFrom::Constant)
                .map_err(|_| text.value("usage_point", name, "1 to 33 printable ASCII characters"))?,
            (None, Some("file")) => PointFrom::File,
            (None, Some("meter")) => PointFrom::Meter,
            (None, Some(other)) => return Err(text.value("usage_point_from", other, "file or meter")),
            (None, None) => return Err(ProfileError::Missing { key: "usage_point" }),
            (Some(_), Some(_)) => return Err(text.unused("usage_point")),
        };
        let read_at = match (document.read_at.as_deref(), document.read_at_from.as_deref()) {
            (None, None) => StampFrom::Message,
            (Some(stamp), None) => match StampPattern::Rfc3339.read(stamp.as_bytes()) {
                Some(Stamp::Instant(instant)) => StampFrom::Constant(instant),
                _ => return Err(text.value("read_at", stamp, "a stamp such as 2026-03-01T12:00:00Z")),
            },
            (None, Some("file")) => StampFrom::File,
            (None, Some(other)) => return Err(text.value("read_at_from", other, "file")),
            (Some(_), Some(_)) => return Err(text.unused("read_at")),
        };
        Ok(Self { points, read_at })
    }

    /// What is said for the messages of this file.
    ///
    /// # Errors
    /// [`FileRefusal::Header`] for a name that does not say what the profile takes from it.
    pub(crate) fn of_file(&self, file_name: &str) -> Result<OfFile, FileRefusal> {
        let name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let (point, stamp) = stem.split_once('@').map_or((stem, None), |(point, stamp)| (point, Some(stamp)));
        let refused = |what: String| FileRefusal::Header { line: 1, what };
        let point = match self.points {
            PointFrom::Meter => None,
            PointFrom::Constant(point) => Some(point),
            PointFrom::File => Some(Label::new(point.as_bytes()).map_err(|error| {
                refused(format!("file name {:?} is no usage point: {error}", shown(point)))
            })?),
        };
        let read_at = match self.read_at {
            StampFrom::Message => None,
            StampFrom::Constant(instant) => Some(instant),
            StampFrom::File => Some(stamp.and_then(utc_stamp).ok_or_else(|| {
                refused(format!("file name {:?} has no stamp such as @20260301T120000Z", shown(stem)))
            })?),
        };
        Ok(OfFile { point, read_at })
    }
}

/// `20260301T120000Z`: colons may not stand in the names of files everywhere.
fn utc_stamp(text: &str) -> Option<UtcSeconds> {
    let pattern = StampPattern::parse("YYYYMMDDTHHmmss", true)?;
    let stamp = pattern.read(text.strip_suffix('Z')?.as_bytes())?;
    match stamp.resolve(&Zone::parse("UTC").ok()?) {
        WallTime::Once(instant) => Some(instant),
        WallTime::Twice(..) | WallTime::Never => None,
    }
}

/// What is said for the messages of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfFile {
    /// `None`: the meter's number is the usage point's name.
    point: Option<UsagePointId>,
    read_at: Option<UtcSeconds>,
}

impl OfFile {
    /// # Errors
    /// [`RejectionCode::UsagePoint`] if only the meter could say it and does not.
    pub(crate) fn usage_point(&self, meter: Option<MeterSerial>) -> Result<UsagePointId, RejectionCode> {
        self.point.or(meter).ok_or(RejectionCode::UsagePoint)
    }

    /// The stamp for a message that has none; it is gone then.
    ///
    /// # Errors
    /// [`RejectionCode::Stamp`] if there is none, or another message had it.
    pub(crate) fn take_stamp(&mut self) -> Result<UtcSeconds, RejectionCode> {
        self.read_at.take().ok_or(RejectionCode::Stamp)
    }
}
