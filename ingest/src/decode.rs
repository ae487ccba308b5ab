//! The one door: bytes of one file in, findings out.

use std::io::BufRead;

use crate::format::SourceFile;
use crate::profile::Profile;
use crate::refusal::FileRefusal;
use crate::sink::ReadingSink;
use crate::source_notes::SourceNotes;
use crate::tally::Tally;

/// What went through a decoder.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DecodeSummary {
    /// Lines read, the header with them; frames in a file of frames or of packs, and in a stream of pushes.
    pub line_count: u64,
    /// Values handed over.
    pub reading_count: u64,
    /// Reads of cumulative registers handed over.
    pub register_read_count: u64,
    /// Installations of meters handed over.
    pub installation_count: u64,
    /// Values that the source took back.
    pub withdrawn_count: u64,
    /// Values lost to rejections: the sum of their `reading_count`.
    pub rejected_count: u64,
    /// Values that were finer than one watt-hour and were rounded, which their profile allows.
    pub rounded_count: u64,
    /// Intervals that the file itself says have no value.
    pub null_count: u64,
    /// Records of a known kind that carry nothing read here: NEM12 500, NEM13 550, 80020 groups and flows, power and gas in
    /// telegrams and the noise between them, Green Button summaries and costs.
    pub ignored_count: u64,
    /// Of these, 80020 groups of points (`deliverygroup`).
    pub ignored_group_count: u64,
    /// Of these, 80020 flows between areas (`peretok`).
    pub ignored_flow_count: u64,
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
    decode_noted(profile, file_name, bytes, sink).map(|(summary, _)| summary)
}

/// As [`decode`], with what the source says of its values in its own codes.
///
/// # Errors
/// As [`decode`].
pub fn decode_noted(
    profile: &Profile,
    file_name: &str,
    bytes: &mut dyn BufRead,
    sink: &mut dyn ReadingSink,
) -> Result<(DecodeSummary, SourceNotes), FileRefusal> {
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
    decode_noted_by_row(profile, file_name, bytes, sink).map(|(summary, _)| summary)
}

/// As [`decode_by_row`], with what the source says of its values in its own codes.
///
/// # Errors
/// As [`decode`].
pub fn decode_noted_by_row(
    profile: &Profile,
    file_name: &str,
    bytes: &mut dyn BufRead,
    sink: &mut dyn ReadingSink,
) -> Result<(DecodeSummary, SourceNotes), FileRefusal> {
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
) -> Result<(DecodeSummary, SourceNotes), FileRefusal> {
    let mut tally = Tally::new(sink);
    let mut file = SourceFile { name: file_name, zone: profile.zone(), bytes, pace };
    profile.format().decode(&mut file, &mut tally)?;
    Ok(tally.finish_noted())
}
