//! Delimited text by a profile: one value a row, one column a usage point, or one row a register-day.
//!
//! A row that cannot be read is one rejection that counts the values lost with it; decoding goes on with the
//! next line. Only the header, an empty file and the limits refuse a file.
//!
//! ```text
//!   header ──▶ Plan      blocks of whole lines ──▶ Lane ──▶ runs       lines that come as foretold
//!                                                   └────▶ Rows        every other line, and the reference
//! ```
//!
//! The objects of JSON lines, and the rows that a helper makes of Parquet, are read by the same rows.

mod header;
mod known_days;
mod lane;
mod rows;
mod settings;

use std::io::BufRead;

use tallywatt_core::calendar::Zone;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::reading::RawReading;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;

use self::header::Plan;
pub(crate) use self::lane::Lane;
use self::lane::LearnFrom;
pub(crate) use self::rows::REGISTER_COUNT_MAX;
use self::rows::Rows;
use crate::block_decoder::BlockError;
use crate::blocks::{BLOCK_SIZE_MAX, Block, Blocks};
use crate::decode::Pace;
use crate::format::{BlockCounts, BlockReader, Format, FormatKind, OpenedBlocks, OpenedFile, SourceFile};
use crate::json_lines::Keys;
use crate::lines::{BlockLines, Fields, Line, LineReader, Row};
use crate::refusal::FileRefusal;
use crate::scale::Scale;
use crate::stamp::StampPattern;
use crate::tally::Tally;

/// The longest line of the long and day layouts, in bytes.
pub(crate) const LINE_SIZE_MAX: usize = 64 << 10;
/// The longest line of the wide layout, in bytes: it has a column for every usage point.
const WIDE_LINE_SIZE_MAX: usize = 1 << 20;

// A block holds enough of any line to tell that it is too long.
const _: () = assert!(WIDE_LINE_SIZE_MAX + 16 < BLOCK_SIZE_MAX && LINE_SIZE_MAX <= WIDE_LINE_SIZE_MAX);

pub(crate) const KIND: FormatKind = FormatKind {
    name: "csv",
    keys: &[
        "layout",
        "encoding",
        "delimiter",
        "decimal",
        "stamp",
        "stamp_format",
        "interval_minutes",
        "obis",
        "usage_point",
        "usage_point_from",
        "[columns",
        "unit",
        "multiplier",
        "round_to_wh",
    ],
    zone: None,
    read: |document, text| Ok(Box::new(document.into_csv(text)?)),
    profiles: &[
        ("tallywatt", include_str!("../profiles/tallywatt.toml")),
        ("zonnedael", include_str!("../profiles/zonnedael.toml")),
        ("lcl", include_str!("../profiles/lcl.toml")),
        ("opendsm", include_str!("../profiles/opendsm.toml")),
    ],
};

/// The keys of a profile whose rows hold a reading each, however they are written down.
pub(crate) const ROW_KEYS: &[&str] = &[
    "stamp",
    "stamp_format",
    "interval_minutes",
    "obis",
    "usage_point",
    "usage_point_from",
    "[columns",
    "unit",
    "multiplier",
    "round_to_wh",
];

/// How a file of delimited text is read.
#[derive(Debug, Clone)]
pub(crate) struct CsvProfile {
    pub(crate) layout: Layout,
    pub(crate) encoding: Encoding,
    pub(crate) delimiter: u8,
    /// What stands before the decimals.
    pub(crate) decimal: u8,
    pub(crate) scale: Scale,
    /// The register of rows that name none.
    pub(crate) register: Register,
    /// Of the stamp column, or of the date column in the day layout.
    pub(crate) stamp: StampPattern,
    /// Stamps name the end of the interval.
    pub(crate) at_end: bool,
    pub(crate) interval_minutes: u8,
    pub(crate) points: PointFrom,
    pub(crate) columns: Columns,
}

/// How values stand in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One value a row.
    Long,
    /// One stamp a row, one column a usage point.
    Wide,
    /// One register-day a row, one column an interval.
    Day,
}

/// Encodings of delimited text. Both hold ASCII as itself, so rows are split before they are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Windows1251,
}

/// Where a row's usage point is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PointFrom {
    Column,
    /// The wide layout: in the header.
    Header,
    Constant(UsagePointId),
    /// The file's name up to its first dot.
    File,
}

/// The columns a profile names.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) usage_point: Option<String>,
    /// The stamp; in the day layout the date.
    pub(crate) start: String,
    pub(crate) value: Option<String>,
    pub(crate) obis: Option<String>,
    pub(crate) quality: Option<String>,
    pub(crate) ignore: Vec<String>,
}

impl Layout {
    const fn line_size_max(self) -> usize {
        match self {
            Self::Long | Self::Day => LINE_SIZE_MAX,
            Self::Wide => WIDE_LINE_SIZE_MAX,
        }
    }
}

impl Encoding {
    const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Windows1251 => "windows-1251",
        }
    }

    /// Whether `bytes` are text in this encoding.
    pub(crate) fn holds(self, bytes: &[u8]) -> bool {
        match self {
            Self::Utf8 => bytes.is_ascii() || std::str::from_utf8(bytes).is_ok(),
            Self::Windows1251 => true,
        }
    }

    /// The text of a name or a raw line.
    fn text(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Self::Windows1251 => encoding_rs::WINDOWS_1251.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}

impl Format for CsvProfile {
    fn is_named_by_file(&self) -> bool {
        matches!(self.points, PointFrom::File)
    }

    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let opened = open(self, file.name, file.bytes)?;
        tally.summary.line_count = 1;
        let SourceFile { zone, bytes, pace, .. } = file;
        decode_rows((self, zone, &opened), Blocks::of_lines(*bytes), *pace, tally)
    }

    fn open_blocks<'a>(
        &self,
        file_name: &str,
        zone: &Zone,
        bytes: &'a mut dyn BufRead,
    ) -> Result<Option<OpenedBlocks<'a>>, FileRefusal> {
        let opened = open(self, file_name, bytes)?;
        Ok(Some((opened_file(self, zone, opened), Blocks::of_lines(bytes))))
    }
}

/// A file whose header is read, with what its blocks need to be decoded on any thread.
#[derive(Debug)]
struct OpenedCsv {
    profile: CsvProfile,
    zone: Zone,
    opened: Opened,
}

/// Rows that were opened, to be read block by block.
pub(crate) fn opened_file(profile: &CsvProfile, zone: &Zone, opened: Opened) -> Box<dyn OpenedFile> {
    Box::new(OpenedCsv { profile: profile.clone(), zone: zone.clone(), opened })
}

impl OpenedFile for OpenedCsv {
    fn reader(&self) -> Box<dyn BlockReader + '_> {
        Box::new(CsvReader { file: self, lane: self.opened.lane(&self.profile) })
    }

    fn header_line_count(&self) -> u64 {
        self.opened.first_line - 1
    }

    fn counts_rows(&self) -> bool {
        true
    }

    fn has_start(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct CsvReader<'a> {
    file: &'a OpenedCsv,
    lane: Option<Lane>,
}

impl BlockReader for CsvReader<'_> {
    fn read(&mut self, block: &Block, tally: &mut Tally<'_>) -> Result<BlockCounts, BlockError> {
        let OpenedCsv { profile, zone, opened } = self.file;
        let mut body = Body::new(profile, zone, opened, block.first_line() == opened.first_line);
        if let Some(lane) = &mut self.lane {
            lane.restart();
        }
        match body.read(block.bytes(), block.first_line(), self.lane.as_mut(), tally) {
            Ok(()) | Err(Cut::Stopped) => {
                Ok(BlockCounts { row_count: body.row_count, register_count: body.register_count() })
            }
            Err(Cut::Refused(refusal)) => Err(refusal.into()),
            Err(Cut::Leans { line }) => Err(BlockError::Earlier { line }),
        }
    }
}

/// A file whose header is read: what its blocks need to be decoded, each by itself.
#[derive(Debug)]
pub(crate) struct Opened {
    plan: Plan,
    line_size_max: usize,
    /// Line of the first row.
    first_line: u64,
    cutting: Cutting,
}

/// How a line is cut into the fields of a row.
#[derive(Debug)]
enum Cutting {
    /// At this byte.
    Delimited(u8),
    /// By the keys of an object.
    Keys(Keys),
}

impl Opened {
    /// Lines from the first on, each an object with these keys.
    pub(crate) fn of_objects(profile: &CsvProfile, file_name: &str, keys: Keys) -> Result<Self, FileRefusal> {
        let plan = header::plan_of(profile, file_name, keys.named())?;
        Ok(Self { plan, line_size_max: LINE_SIZE_MAX, first_line: 1, cutting: Cutting::Keys(keys) })
    }

    fn split<'a>(&self, fields: &'a mut Fields, line: &'a [u8]) -> Option<Row<'a>> {
        match &self.cutting {
            Cutting::Delimited(delimiter) => fields.split(line, *delimiter),
            Cutting::Keys(keys) => keys.split(fields, line).ok(),
        }
    }

    /// The short way through its lines, if they have one.
    pub(crate) fn lane(&self, profile: &CsvProfile) -> Option<Lane> {
        Lane::new(profile, &self.plan, matches!(self.cutting, Cutting::Keys(_)))
    }
}

/// Reads the header, and leaves `bytes` where the second line begins.
pub(crate) fn open(
    profile: &CsvProfile,
    file_name: &str,
    bytes: &mut dyn BufRead,
) -> Result<Opened, FileRefusal> {
    let line_size_max = profile.layout.line_size_max();
    let mut lines = LineReader::new(bytes, line_size_max);
    match lines.next()? {
        Line::End => Err(FileRefusal::Empty),
        Line::TooLong => {
            let limit = u64::try_from(line_size_max).unwrap_or(u64::MAX);
            Err(FileRefusal::TooLarge { what: "header line in bytes", limit })
        }
        Line::Whole => {
            let plan = header::read(profile, file_name, lines.text(), &mut Fields::default())?;
            let cutting = Cutting::Delimited(profile.delimiter);
            Ok(Opened { plan, line_size_max, first_line: 2, cutting })
        }
    }
}

/// Reads the lines after the header, block by block.
pub(crate) struct Body<'a> {
    profile: &'a CsvProfile,
    zone: &'a Zone,
    opened: &'a Opened,
    rows: Rows<'a>,
    fields: Fields,
    /// Lines that were not blank.
    pub(crate) row_count: u64,
}

/// Why a block is not read to its end.
#[derive(Debug)]
pub(crate) enum Cut {
    Refused(FileRefusal),
    /// The sink said so.
    Stopped,
    /// What this line means, lines before the block decide.
    Leans {
        line: u64,
    },
}

impl From<FileRefusal> for Cut {
    fn from(refusal: FileRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<'a> Body<'a> {
    /// `is_from_start` says whether the blocks begin with the first after the header.
    pub(crate) fn new(
        profile: &'a CsvProfile,
        zone: &'a Zone,
        opened: &'a Opened,
        is_from_start: bool,
    ) -> Self {
        let rows = Rows::new(profile, zone, &opened.plan, is_from_start);
        Self { profile, zone, opened, rows, fields: Fields::default(), row_count: 0 }
    }

    /// The registers met so far.
    pub(crate) fn register_count(&self) -> usize {
        self.rows.register_count()
    }

    /// Reads a block of whole lines. Without a lane, every line is read by rows.
    pub(crate) fn read(
        &mut self,
        block: &[u8],
        first_line: u64,
        mut lane: Option<&mut Lane>,
        tally: &mut Tally<'_>,
    ) -> Result<(), Cut> {
        let mut lines = BlockLines::new(block, first_line, self.opened.line_size_max);
        loop {
            if let Some(lane) = lane.as_deref_mut() {
                self.gather(&mut lines, lane, tally)?;
            }
            let (kind, text) = lines.next();
            let line = lines.number();
            let reading = match kind {
                Line::End => return Ok(()),
                Line::Whole if text.trim_ascii().is_empty() => {
                    tally.summary.line_count = line;
                    continue;
                }
                _ => self.line(kind, text, line, tally)?,
            };
            if let Some(lane) = lane.as_deref_mut() {
                match reading {
                    Some(reading) => {
                        let (profile, zone, fields) = (self.profile, self.zone, &self.fields);
                        let from = LearnFrom { profile, zone, fields };
                        lane.learn(&from, text, &reading);
                    }
                    None => lane.pass(),
                }
            }
        }
    }

    /// Hands over the lines that come as foretold.
    fn gather(
        &mut self,
        lines: &mut BlockLines<'_>,
        lane: &mut Lane,
        tally: &mut Tally<'_>,
    ) -> Result<(), Cut> {
        // Past the limit the next row refuses the file.
        while self.rows.register_count() <= REGISTER_COUNT_MAX {
            let (block, at) = lines.rest();
            let Some(found) = lane.gather(block, at, lines.number() + 1) else { break };
            let count = u64::try_from(found.run.values_wh.len()).unwrap_or(u64::MAX);
            self.rows.follow(found.run.usage_point, found.run.register, found.instant);
            self.row_count += count;
            tally.run(&found.run);
            lines.skip_to(found.end, count);
            tally.summary.line_count = lines.number();
            if tally.line_done(lines.number()).is_break() {
                return Err(Cut::Stopped);
            }
        }
        Ok(())
    }

    /// Reads one line that is not blank; gives its value, if the layout has one value a line.
    fn line(
        &mut self,
        kind: Line,
        text: &[u8],
        line: u64,
        tally: &mut Tally<'_>,
    ) -> Result<Option<RawReading>, Cut> {
        tally.summary.line_count = line;
        let reading_count = self.opened.plan.reading_count();
        let mut reading = None;
        match kind {
            Line::TooLong => tally.reject(RejectionCode::LineTooLong, line, reading_count, text),
            _ if !self.profile.encoding.holds(text) => {
                tally.reject(RejectionCode::NotText, line, reading_count, text);
            }
            _ => match self.opened.split(&mut self.fields, text) {
                Some(row) if row.len() == self.opened.plan.column_count => {
                    reading = self.rows.hand_over(row, text, line, tally)?;
                    if self.rows.leans_on_earlier_rows() {
                        return Err(Cut::Leans { line });
                    }
                }
                Some(_) | None => {
                    let raw = self.profile.encoding.text(text);
                    tally.reject(RejectionCode::Structure, line, reading_count, raw.as_bytes());
                }
            },
        }
        self.row_count += 1;
        if tally.line_done(line).is_break() { Err(Cut::Stopped) } else { Ok(reading) }
    }
}

/// Decodes the rows of a file, from its first to its last.
pub(crate) fn decode_rows(
    (profile, zone, opened): (&CsvProfile, &Zone, &Opened),
    mut blocks: Blocks<'_>,
    pace: Pace,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    let mut body = Body::new(profile, zone, opened, true);
    let mut lane = match pace {
        Pace::ByLane => opened.lane(profile),
        Pace::ByRow => None,
    };
    let mut block = Block::default();
    while blocks.read(&mut block)? {
        match body.read(block.bytes(), block.first_line(), lane.as_mut(), tally) {
            Ok(()) => (),
            Err(Cut::Stopped) => return Ok(()),
            Err(Cut::Refused(refusal)) => return Err(refusal),
            Err(Cut::Leans { line }) => unreachable!("line {line}: no line is before the first block"),
        }
    }
    if body.row_count == 0 { Err(FileRefusal::NoReadings) } else { Ok(()) }
}
