//! The one door: bytes of one file in, findings out.

use std::io::{BufRead, Read};

use crate::csv_profile;
use crate::frames;
use crate::layout80020;
use crate::nem12;
use crate::packs;
use crate::profile::{Format, Profile};
use crate::refusal::FileRefusal;
use crate::sink::ReadingSink;
use crate::tally::Tally;

/// The largest file of a format that is read whole before its first value is handed over.
pub const WHOLE_FILE_SIZE_MAX: usize = 64 << 20;

/// What went through a decoder.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DecodeSummary {
    /// Lines read, the header with them; frames in a file of frames or of packs.
    pub line_count: u64,
    /// Values handed over.
    pub reading_count: u64,
    /// Values lost to rejections: the sum of their `reading_count`.
    pub rejected_count: u64,
    /// Values that were finer than one watt-hour and were rounded, which their profile allows.
    pub rounded_count: u64,
    /// Intervals that the file itself says have no value.
    pub null_count: u64,
    /// Records of a known kind that carry no interval values: NEM12 500, 80020 groups and flows.
    pub ignored_count: u64,
    /// The sink stopped decoding before the end.
    pub stopped: bool,
}

/// Decodes one file. `file_name` is for profiles that take the usage point from it.
///
/// # Errors
/// [`FileRefusal`]: the whole file is refused, and what the sink got of it must be dropped.
///
/// ```
/// use tallywatt_ingest::{decode::decode, profile::Profile, refusal::FileRefusal, sink::Collected};
/// let refused = decode(&Profile::builtin("nem12")?, "x.csv", &mut &b""[..], &mut Collected::default());
/// assert!(matches!(refused, Err(FileRefusal::Empty)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode(
    profile: &Profile,
    file_name: &str,
    bytes: &mut dyn BufRead,
    sink: &mut dyn ReadingSink,
) -> Result<DecodeSummary, FileRefusal> {
    decode_at(Pace::ByLane, profile, file_name, bytes, sink)
}

/// As [`decode`], but every row and every frame is read by the reference: what the short ways are held against,
/// in tests and benchmarks.
///
/// # Errors
/// As [`decode`].
pub fn decode_by_row(
    profile: &Profile,
    file_name: &str,
    bytes: &mut dyn BufRead,
    sink: &mut dyn ReadingSink,
) -> Result<DecodeSummary, FileRefusal> {
    decode_at(Pace::ByRow, profile, file_name, bytes, sink)
}

/// Which way ordinary lines and frames go. What is found is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The short one.
    ByLane,
    /// The reference.
    ByRow,
}

fn decode_at(
    pace: Pace,
    profile: &Profile,
    file_name: &str,
    bytes: &mut dyn BufRead,
    sink: &mut dyn ReadingSink,
) -> Result<DecodeSummary, FileRefusal> {
    let mut tally = Tally::new(sink);
    match profile.format() {
        Format::Csv(csv) => csv_profile::decode(csv, profile.zone(), file_name, bytes, pace, &mut tally)?,
        Format::Nem12(nem12) => nem12::decode(nem12, profile.zone(), &whole(bytes)?, &mut tally)?,
        Format::Layout80020(layout) => {
            layout80020::decode(layout, profile.zone(), &whole(bytes)?, &mut tally)?
        }
        Format::Frames => frames::decode(bytes, pace, &mut tally)?,
        Format::Packs => packs::decode(bytes, pace, &mut tally)?,
    }
    Ok(tally.finish())
}

/// The whole file, if it is not empty and not past the limit.
fn whole(bytes: &mut dyn BufRead) -> Result<Vec<u8>, FileRefusal> {
    let limit = u64::try_from(WHOLE_FILE_SIZE_MAX).unwrap_or(u64::MAX);
    let mut text = Vec::new();
    bytes.take(limit + 1).read_to_end(&mut text).map_err(FileRefusal::from_io)?;
    match text.len() {
        0 => Err(FileRefusal::Empty),
        size if size > WHOLE_FILE_SIZE_MAX => {
            Err(FileRefusal::TooLarge { what: "file size in bytes", limit })
        }
        _ => Ok(text),
    }
}
