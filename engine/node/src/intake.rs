//! Taking files in: decode, judge, assemble, make durable, acknowledge. Resumable, and idempotent by content.
//!
//! ```text
//!   file ─decode─▶ buffer ─ 16,384 readings ─▶ accepted set ─▶ write-ahead record {days, set aside, cursor}
//!                                                                    │ fdatasync
//!                                                                    ▼ acknowledged: the cursor stands
//! ```
//!
//! What a crash leaves: nothing of the chunk at hand, all of every chunk before. Running the same command again
//! goes on behind the last durable line; the readings of a chunk that was not acknowledged are offered again.
//! A chunk that takes several records counts with the last of them: without it none of the others does.
//!
//! An import is known by the hash of the file's bytes, its member in an archive and the profile's text. A
//! finished one is not read again: repeating it changes nothing.

mod chunk;
mod source;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_core::vee::judge::Limits;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ledger::codec::Writer;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_shards::accepted::AcceptedSet;
use tallywatt_shards::durable::{self, DurableError};
use tallywatt_shards::intake_record::{
    FILE_NAME_SIZE_MAX, FRAME_COUNT_MAX, INTAKE_KIND, IntakeCounts, IntakeRecord, IntakeRecordError,
    REJECTION_COUNT_MAX,
};
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, WriteAheadLimits};

use crate::books::Books;
use crate::intake::chunk::{Chunk, ChunkSink};
use crate::intake::source::{Counted, hash_file};
use crate::quarantine::{self, Quarantined};

/// Readings in a chunk: what one acknowledgement covers.
pub const CHUNK_READING_COUNT: usize = 16_384;
/// Things set aside in a chunk.
const CHUNK_REJECTION_COUNT: usize = 4_096;
const _: () = assert!(CHUNK_READING_COUNT <= FRAME_COUNT_MAX as usize);
const _: () = assert!(CHUNK_REJECTION_COUNT <= REJECTION_COUNT_MAX as usize);

/// Why an import cannot go on. What was acknowledged stays.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The system refused.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// The write-ahead log.
    #[error(transparent)]
    WriteAhead(#[from] WriteAheadError),
    /// A record of it.
    #[error("write-ahead record: {0}")]
    Record(#[from] IntakeRecordError),
    /// A recovered day does not fit what is sealed.
    #[error("a recovered day of {0} does not fit the sealed readings")]
    Recovered(String),
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// What it is called.
    pub name: String,
    /// What became of its readings, over all runs.
    pub counts: IntakeCounts,
    /// Values rounded to whole watt-hours, as the profile allows; of this run.
    pub rounded: u64,
    /// The line it went on from, if it was begun before.
    pub resumed_from: Option<u64>,
    /// How it ended.
    pub end: ImportEnd,
    /// What was set aside, by code.
    pub rejected: BTreeMap<RejectionCode, u64>,
    /// The first line that something was set aside of, by code.
    pub first_lines: BTreeMap<RejectionCode, u64>,
}

/// How an import ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportEnd {
    /// The whole file is dealt with.
    Finished,
    /// It was finished before: nothing was read.
    Repeated,
    /// Interrupted after this line; the same command goes on from there.
    Interrupted(u64),
    /// The file is refused: why, and what to do. Nothing of it was used, unless earlier chunks say so.
    Refused {
        /// Why.
        problem: String,
        /// What to do.
        next_step: &'static str,
    },
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Bytes of the file read.
    pub bytes: u64,
    /// Readings acknowledged.
    pub readings: u64,
    /// Readings set aside.
    pub rejected: u64,
}

/// What is known of an import.
#[derive(Debug, Clone, Default)]
struct Import {
    name: String,
    cursor: u64,
    is_finished: bool,
    counts: IntakeCounts,
    rejections: Vec<Rejection>,
    unfinished: Unfinished,
}

/// What the records of a chunk hold whose last record has not come.
#[derive(Debug, Clone, Default)]
struct Unfinished {
    rejections: Vec<Rejection>,
    frames: Vec<DayLeaf>,
}

/// The intake of the grid company's node.
pub struct Intake {
    write_ahead: WriteAhead,
    quarantine: PathBuf,
    accepted: AcceptedSet,
    unsealed: BTreeSet<BlockKey>,
    imports: BTreeMap<ContentHash, Import>,
    torn_size: u64,
}

/// What an import needs beside the file.
pub struct ImportRun<'a> {
    /// How to read it.
    pub profile: &'a Profile,
    /// The clock: readings after it are in the future.
    pub now: UtcSeconds,
    /// Set from outside to stop after the line at hand.
    pub interrupt: &'a AtomicBool,
    /// Told after every chunk.
    pub progress: &'a mut dyn FnMut(Progress),
    /// Take these lines only: a retry of what was set aside.
    pub only_lines: Option<&'a BTreeSet<u64>>,
}

impl Intake {
    /// Opens the intake below a data folder, on top of what the books have sealed.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn open(data: &Path, books: &Books) -> Result<Self, IntakeError> {
        let quarantine = data.join("quarantine");
        durable::create_folder_durably(&quarantine)?;
        let mut accepted = AcceptedSet::new();
        for block in books.accepted().blocks_sorted() {
            merge(&mut accepted, block.clone())?;
        }
        accepted.take_touched();
        let (mut unsealed, mut imports) = (BTreeSet::new(), BTreeMap::new());
        let mut recover = |record: IntakeRecord| -> Result<(), IntakeError> {
            for frame in remember(&mut imports, record) {
                let block = frame.into_block();
                let key = block.key();
                merge(&mut accepted, block)?;
                if accepted.get(&key) != books.accepted().get(&key) {
                    unsealed.insert(key);
                }
            }
            Ok(())
        };
        let folder = data.join("intake");
        let (write_ahead, recovered) =
            WriteAhead::open(&folder, WriteAheadLimits::default(), &mut |record| {
                recover(IntakeRecord::decode(record.payload)?)
            })?;
        let torn_size = recovered.torn_size;
        let mut intake = Self { write_ahead, quarantine, accepted, unsealed, imports, torn_size };
        intake.accepted.take_touched();
        intake.drop_unfinished()?;
        // A crash may have come between the last chunk and the quarantine's file.
        for (id, import) in intake.imports.iter().filter(|(_, import)| import.is_finished) {
            quarantine::ensure(&intake.quarantine, id, &import.name, &import.rejections)?;
        }
        Ok(intake)
    }

    /// Bytes of an unfinished write that were cut off when the intake was opened.
    #[must_use]
    pub const fn torn_size(&self) -> u64 {
        self.torn_size
    }

    /// Days that are not sealed yet, sorted.
    #[must_use]
    pub fn unsealed_blocks(&self) -> Vec<&DayBlock> {
        self.unsealed.iter().filter_map(|key| self.accepted.get(key)).collect()
    }

    /// Takes in a file: plain, gzip, or every member of a zip.
    ///
    /// # Errors
    /// [`IntakeError`]: the world failed. A file that is wrong is no error but a report that says so.
    pub fn import(&mut self, path: &Path, run: &mut ImportRun<'_>) -> Result<Vec<ImportReport>, IntakeError> {
        self.import_members(path, None, run)
    }

    /// Takes in every member of a file, or only one of them.
    fn import_members(
        &mut self,
        path: &Path,
        only_member: Option<u32>,
        run: &mut ImportRun<'_>,
    ) -> Result<Vec<ImportReport>, IntakeError> {
        let file_hash = hash_file(path)?;
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        let file = File::open(path).map_err(DurableError::io("open", path))?;
        let bytes = Rc::new(Cell::new(0_u64));
        let counted = Counted { file, bytes: Rc::clone(&bytes) };
        let mut reports = Vec::new();
        let mut member = 0_u32;
        let visited: Result<(), Visit> = each_member(&name, counted, &mut |member_name, reader| {
            let at = member;
            member += 1;
            if run.interrupt.load(Ordering::Relaxed) || only_member.is_some_and(|only| only != at) {
                return Ok(());
            }
            let id = import_id(&file_hash, at, run);
            let shown = if member_name == name { name.clone() } else { format!("{name}!{member_name}") };
            let report = self
                .import_member(id, (path, at, file_hash), &shown, reader, &bytes, run)
                .map_err(Visit::Failed)?;
            reports.push(report);
            Ok(())
        });
        match visited {
            Ok(()) => Ok(reports),
            Err(Visit::Failed(error)) => Err(error),
            Err(Visit::Refused(refusal)) => {
                reports.push(refused(&name, IntakeCounts::default(), &refusal));
                Ok(reports)
            }
        }
    }

    fn import_member(
        &mut self,
        id: ContentHash,
        (path, member, content): (&Path, u32, ContentHash),
        name: &str,
        reader: &mut dyn io::BufRead,
        bytes: &Rc<Cell<u64>>,
        run: &mut ImportRun<'_>,
    ) -> Result<ImportReport, IntakeError> {
        let known = self.imports.get(&id).cloned().unwrap_or_default();
        if known.is_finished {
            return Ok(report(name, &known, 0, None, ImportEnd::Repeated));
        }
        let resumed_from = (known.cursor > 0).then_some(known.cursor);
        let mut limits = Limits::generous(run.now);
        if let Some(power_max_w) = run.profile.max_power_w() {
            limits.power_max_w = power_max_w;
        }
        let file_name = printable_name(name);
        let profile = run.profile;
        let mut sink = ChunkSink {
            intake: self,
            id,
            file_name,
            known_cursor: known.cursor,
            limits,
            bytes,
            run,
            chunk: Chunk::default(),
            failed: None,
            last_line: 0,
        };
        let decoded = decode(profile, name, reader, &mut sink);
        if let Some(error) = sink.failed.take() {
            return Err(error);
        }
        match decoded {
            Err(refusal) => {
                let import = self.imports.get(&id).cloned().unwrap_or_default();
                Ok(refused(name, import.counts, &refusal))
            }
            Ok(summary) => {
                let is_finished = !summary.stopped;
                sink.flush(is_finished)?;
                let last_line = sink.last_line;
                let import = self.imports.get(&id).cloned().unwrap_or_default();
                let end = if is_finished { ImportEnd::Finished } else { ImportEnd::Interrupted(last_line) };
                if is_finished {
                    let header = quarantine::Header {
                        id,
                        name: path.display().to_string(),
                        member,
                        profile: profile.name().to_owned(),
                        content: Some(content),
                    };
                    quarantine::write(&self.quarantine, &header, &import.rejections)?;
                }
                Ok(report(name, &import, summary.rounded_count, resumed_from, end))
            }
        }
    }

    /// Tries again what was set aside of one file, with a profile that may have been corrected.
    ///
    /// # Errors
    /// [`IntakeError`]. A file that has changed since is refused in the report.
    pub fn retry(
        &mut self,
        set_aside: &Quarantined,
        run: &mut ImportRun<'_>,
    ) -> Result<Vec<ImportReport>, IntakeError> {
        let header = &set_aside.header;
        let path = PathBuf::from(&header.name);
        let refuse = |problem: String, next_step| {
            let end = ImportEnd::Refused { problem, next_step };
            Ok(vec![report(&header.name, &Import::default(), 0, None, end)])
        };
        let file_hash = match hash_file(&path) {
            Ok(hash) => hash,
            // One source that is gone must not keep the others from being tried.
            Err(error) => {
                return refuse(
                    error.to_string(),
                    "put the file back where it was, or run from the same folder",
                );
            }
        };
        if header.content.is_some_and(|content| content != file_hash) {
            return refuse("the file has changed since".into(), "ingest the changed file as a new one");
        }
        let is_same = import_id(&file_hash, header.member, run) == header.id;
        let reports = self.import_members(&path, Some(header.member), run)?;
        let is_done = |report: &ImportReport| matches!(report.end, ImportEnd::Finished | ImportEnd::Repeated);
        // Interrupted before it began, there is no report, and nothing was tried.
        // The very same retry within one second is the same import, whose file must stay.
        if !is_same && !reports.is_empty() && reports.iter().all(is_done) {
            // What is still wrong stands in the retry's own quarantine file by now.
            quarantine::remove(&self.quarantine, &set_aside.header.id)?;
        }
        Ok(reports)
    }

    /// Everything set aside so far.
    ///
    /// # Errors
    /// [`IntakeError::Disk`].
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, IntakeError> {
        Ok(quarantine::read_all(&self.quarantine)?)
    }

    /// After the unsealed days are sealed in the chain: the write-ahead log starts over, and only remembers the imports.
    ///
    /// A crash leaves the old log or the new one: the days of the old equal the sealed ones, and nothing is sealed
    /// twice.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn rotate(&mut self) -> Result<(), IntakeError> {
        let mut records = self.imports.iter().flat_map(|(id, import)| {
            let parts: Vec<&[Rejection]> = import.rejections.chunks(CHUNK_REJECTION_COUNT).collect();
            let part_count = parts.len().max(1);
            (0..part_count).map(move |part| {
                let is_last = part + 1 == part_count;
                let record = IntakeRecord {
                    file: *id,
                    file_name: import.name.clone(),
                    line_cursor: if is_last { import.cursor } else { 0 },
                    is_finished: import.is_finished && is_last,
                    counts: if is_last { import.counts } else { IntakeCounts::default() },
                    rejections: parts.get(part).map(|part| part.to_vec()).unwrap_or_default(),
                    frames: Vec::new(),
                };
                Ok::<_, IntakeError>((INTAKE_KIND, record.encode()?))
            })
        });
        self.write_ahead.start_over(&mut records)?;
        self.unsealed.clear();
        Ok(())
    }

    /// Says of chunks that a crash cut off between two records that they will be offered again. A crash here: as if
    /// never opened.
    fn drop_unfinished(&mut self) -> Result<(), IntakeError> {
        let is_cut_off = |import: &Import| {
            !import.unfinished.rejections.is_empty() || !import.unfinished.frames.is_empty()
        };
        let cut_off = self.imports.iter().filter(|(_, import)| is_cut_off(import));
        let records: Vec<IntakeRecord> = cut_off
            .map(|(id, import)| IntakeRecord {
                file: *id,
                file_name: import.name.clone(),
                line_cursor: import.cursor,
                is_finished: false,
                counts: IntakeCounts::default(),
                rejections: Vec::new(),
                frames: Vec::new(),
            })
            .collect();
        for record in records {
            self.write_ahead.append(INTAKE_KIND, &[&record.encode()?])?;
            self.write_ahead.sync()?;
            remember(&mut self.imports, record);
        }
        Ok(())
    }
}

/// Counts a record, with those before it of the same chunk, and gives the days it makes known.
fn remember(imports: &mut BTreeMap<ContentHash, Import>, record: IntakeRecord) -> Vec<DayLeaf> {
    let import = imports.entry(record.file).or_default();
    import.name.clone_from(&record.file_name);
    if is_part(&record, import.cursor) {
        import.unfinished.rejections.extend(record.rejections);
        import.unfinished.frames.extend(record.frames);
        return Vec::new();
    }
    let mut chunk = std::mem::take(&mut import.unfinished);
    if is_empty(&record) && !record.is_finished {
        // Nothing was taken in, so nothing that stood open was finished.
        chunk = Unfinished::default();
    }
    import.cursor = record.line_cursor;
    import.is_finished = record.is_finished;
    import.rejections.append(&mut chunk.rejections);
    import.rejections.extend(record.rejections);
    add_counts(&mut import.counts, &record.counts);
    chunk.frames.extend(record.frames);
    chunk.frames
}

/// Whether more records of the same chunk follow: only the last moves the cursor, counts or finishes.
fn is_part(record: &IntakeRecord, cursor: u64) -> bool {
    let moves = record.line_cursor != cursor || record.is_finished;
    !moves && record.counts == IntakeCounts::default() && !is_empty(record)
}

fn is_empty(record: &IntakeRecord) -> bool {
    record.counts == IntakeCounts::default() && record.rejections.is_empty() && record.frames.is_empty()
}

enum Visit {
    Refused(FileRefusal),
    Failed(IntakeError),
}

impl From<FileRefusal> for Visit {
    fn from(refusal: FileRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The same bytes under another profile, or retried, are another import.
fn import_id(file: &ContentHash, member: u32, run: &ImportRun<'_>) -> ContentHash {
    let mut writer = Writer::default();
    writer.hash(file).u32(member).text(run.profile.content()).text(run.profile.zone().name());
    if let Some(lines) = run.only_lines {
        writer.i64(run.now.0).count(lines.len());
        for line in lines {
            writer.u64(*line);
        }
    }
    content_hash(&writer.finish())
}

fn merge(accepted: &mut AcceptedSet, block: DayBlock) -> Result<(), IntakeError> {
    let key = block.key();
    let merged = accepted.merge(block);
    merged.map(|_| ()).map_err(|_| IntakeError::Recovered(format!("{} on {}", key.usage_point, key.day)))
}

/// At most [`FILE_NAME_SIZE_MAX`] bytes, no control characters.
fn printable_name(name: &str) -> String {
    let mut printable = String::new();
    for character in name.chars().map(|c| if c.is_control() { '?' } else { c }) {
        if printable.len() + character.len_utf8() > FILE_NAME_SIZE_MAX {
            break;
        }
        printable.push(character);
    }
    if printable.is_empty() { "?".into() } else { printable }
}

fn add_counts(sum: &mut IntakeCounts, part: &IntakeCounts) {
    sum.offered += part.offered;
    sum.accepted += part.accepted;
    sum.duplicate += part.duplicate;
    sum.corrected += part.corrected;
    sum.conflict += part.conflict;
    sum.rejected += part.rejected;
    sum.refused += part.refused;
}

fn report(
    name: &str,
    import: &Import,
    rounded: u64,
    resumed_from: Option<u64>,
    end: ImportEnd,
) -> ImportReport {
    let (mut rejected, mut first_lines) = (BTreeMap::new(), BTreeMap::new());
    for rejection in &import.rejections {
        let first = first_lines.entry(rejection.code).or_insert(rejection.line);
        *first = rejection.line.min(*first);
        *rejected.entry(rejection.code).or_default() += u64::from(rejection.reading_count);
    }
    let (name, counts) = (name.to_owned(), import.counts);
    ImportReport { name, counts, rounded, resumed_from, end, rejected, first_lines }
}

fn refused(name: &str, counts: IntakeCounts, refusal: &FileRefusal) -> ImportReport {
    let end = ImportEnd::Refused { problem: refusal.to_string(), next_step: refusal.next_step() };
    ImportReport {
        name: name.to_owned(),
        counts,
        rounded: 0,
        resumed_from: None,
        end,
        rejected: BTreeMap::new(),
        first_lines: BTreeMap::new(),
    }
}
