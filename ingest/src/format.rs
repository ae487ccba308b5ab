//! Formats: what each of them gives, and the list of them. Adding one is a file, and a line in [`KINDS`].
//!
//! ```text
//!   profile ──read──▶ dyn Format ──decode────────────────────────▶ Tally ──▶ sink
//!                        └──open_blocks──▶ dyn OpenedFile ──▶ dyn BlockReader   the same, on many cores
//! ```

use std::fmt;
use std::io::{BufRead, Read};

use tallywatt_core::calendar::Zone;

use crate::block_decoder::BlockError;
use crate::blocks::{Block, Blocks};
use crate::decode::Pace;
use crate::foreign::ForeignFile;
use crate::profile::ProfileError;
use crate::profile_text::{Document, Text};
use crate::refusal::FileRefusal;
use crate::tally::Tally;
use crate::{
    csv_profile, dlms, foreign, frames, greenbutton, json_lines, layout80020, meters, mscons, nem12, nem13,
    p1, packs, reads, sml,
};

/// The largest file of a format that is read whole before its first value is handed over.
pub const WHOLE_FILE_SIZE_MAX: usize = 64 << 20;

/// Every format there is.
const KINDS: [&FormatKind; 15] = [
    &csv_profile::KIND,
    &json_lines::KIND,
    &nem12::KIND,
    &nem13::KIND,
    &layout80020::KIND,
    &greenbutton::KIND,
    &mscons::KIND,
    &p1::KIND,
    &sml::KIND,
    &dlms::KIND,
    &reads::KIND,
    &meters::KIND,
    &frames::KIND,
    &packs::KIND,
    &foreign::KIND,
];

/// Their names, for messages.
pub(crate) const NAMES: &str = "csv, json-lines, nem12, nem13, 80020, greenbutton, mscons, p1, sml, dlms, reads, meters, frames, packs or parquet";

/// A kind of file, and how its profiles are read.
pub(crate) struct FormatKind {
    /// What a profile calls it.
    pub(crate) name: &'static str,
    /// The keys its profiles may have beside those that all have.
    pub(crate) keys: &'static [&'static str],
    /// The zone of a profile that names none; `None` if each must name one.
    pub(crate) zone: Option<&'static str>,
    /// Reads what is particular to it.
    pub(crate) read: fn(Document, Text<'_>) -> Result<Box<dyn Format>, ProfileError>,
    /// Profiles that come with the program: name and TOML text.
    pub(crate) profiles: &'static [(&'static str, &'static str)],
}

/// The kind of that name.
pub(crate) fn kind(name: &str) -> Option<&'static FormatKind> {
    KINDS.into_iter().find(|kind| kind.name == name)
}

/// The profiles that come with the program, in the order of the formats.
pub(crate) fn profiles() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.into_iter().flat_map(|kind| kind.profiles.iter().copied())
}

/// One file, to be decoded from its start to its end.
pub(crate) struct SourceFile<'a> {
    /// For profiles that take the usage point from it.
    pub(crate) name: &'a str,
    /// Of local stamps and of the delivery day.
    pub(crate) zone: &'a Zone,
    pub(crate) bytes: &'a mut dyn BufRead,
    pub(crate) pace: Pace,
}

impl SourceFile<'_> {
    /// The whole file, if it is not empty and not past [`WHOLE_FILE_SIZE_MAX`].
    pub(crate) fn whole(&mut self) -> Result<Vec<u8>, FileRefusal> {
        let limit = u64::try_from(WHOLE_FILE_SIZE_MAX).unwrap_or(u64::MAX);
        let mut text = Vec::new();
        self.bytes.take(limit + 1).read_to_end(&mut text).map_err(FileRefusal::from_io)?;
        match text.len() {
            0 => Err(FileRefusal::Empty),
            size if size > WHOLE_FILE_SIZE_MAX => {
                Err(FileRefusal::TooLarge { what: "file size in bytes", limit })
            }
            _ => Ok(text),
        }
    }
}

/// What a profile says of its format; decodes files of it.
pub(crate) trait Format: fmt::Debug + Send + Sync {
    /// Decodes one file. After a refusal nothing of it is used.
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal>;

    /// Reads the header and cuts the rest into blocks; `None`, and nothing read, for a format that is read whole.
    fn open_blocks<'a>(
        &self,
        _file_name: &str,
        _zone: &Zone,
        _bytes: &'a mut dyn BufRead,
    ) -> Result<Option<OpenedBlocks<'a>>, FileRefusal> {
        Ok(None)
    }

    /// What a helper needs to know, for files that one has to read first.
    fn foreign(&self) -> Option<&ForeignFile> {
        None
    }

    /// Whether the name of a file says which usage point its values are of: then the same bytes under another name are
    /// other readings.
    fn is_named_by_file(&self) -> bool {
        false
    }

    /// Whether its senders await a reply, as [`crate::layout80020_reply`] writes it.
    fn is_replied_to(&self) -> bool {
        false
    }
}

/// A file whose header is read, and the rest of it cut into blocks.
pub(crate) type OpenedBlocks<'a> = (Box<dyn OpenedFile>, Blocks<'a>);

/// A file whose header is read.
pub(crate) trait OpenedFile: fmt::Debug + Send + Sync {
    /// One thread's share: it remembers from block to block what costs time to find out.
    fn reader(&self) -> Box<dyn BlockReader + '_>;

    /// Lines before the first block.
    fn header_line_count(&self) -> u64 {
        0
    }

    /// Whether a file is without readings when its blocks held no row, rather than no line.
    fn counts_rows(&self) -> bool {
        false
    }

    /// Whether something stood before the first block: then nothing after it is a file without readings.
    fn has_start(&self) -> bool;
}

/// Decodes one block after another, in any order; what it gives of a block does not depend on the others.
pub(crate) trait BlockReader: fmt::Debug {
    fn read(&mut self, block: &Block, tally: &mut Tally<'_>) -> Result<BlockCounts, BlockError>;
}

/// What a block held, beside what went through the tally.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct BlockCounts {
    /// Lines that were not blank.
    pub(crate) row_count: u64,
    /// Registers whose clock was followed.
    pub(crate) register_count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_told() {
        let told: Vec<&str> = NAMES.split([',', ' ']).filter(|word| !matches!(*word, "" | "or")).collect();
        assert_eq!(told, KINDS.map(|kind| kind.name));
    }
}
