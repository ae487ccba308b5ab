//! Taking files in: decode, judge, assemble, make durable, acknowledge. Resumable, and idempotent by content.
//!
//! ```text
//!   file ─▶ chunks ─▶ pipeline of `shards`: each shard judges and joins its own ─▶ write-ahead record {days, set aside, cursor}
//!                                                                                     │ fdatasync, many chunks at once
//!                                                                                     ▼ acknowledged: the cursor stands
//! ```
//!
//! What a crash leaves: every chunk that was acknowledged, nothing of the others. Running the same command again
//! goes on behind the last durable line; the readings of a chunk that was not acknowledged are offered again.
//!
//! An import is known by the hash of the file's bytes, its member in an archive and the profile's text. A
//! finished one is not read again: repeating it changes nothing.

mod by_hand;
mod chunk;
mod foreign;
mod import;
mod report;
mod sealed;
mod source;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::blocks::DAY_BLOCK_SIZE;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::DecodeSummary;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::source_notes::SourceNotes;
use tallywatt_ledger::codec::Writer;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::partition_of;
use tallywatt_shards::cut::CutError;
use tallywatt_shards::durable::{self, DurableError};
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord, IntakeRecordError, parts_of};
use tallywatt_shards::lane::shard_of;
use tallywatt_shards::let_go::LetGoError;
use tallywatt_shards::shard::{ReplayError, Shard, ShardError};
use tallywatt_shards::write_ahead::{Record, WriteAhead, WriteAheadError, WriteAheadLimits};

use crate::books::{Books, BooksError};
pub use crate::intake::by_hand::{ByHand, Delivery, Values};
pub use crate::intake::chunk::{
    CHUNK_EVENT_COUNT, CHUNK_FRAME_COUNT, CHUNK_READING_COUNT, CHUNK_REJECTION_COUNT,
};
pub use crate::intake::foreign::{HELPER_COMMAND, HELPER_ENVIRONMENT, Helper, HelperLimits};
use crate::intake::foreign::{Helped, Rows};
use crate::intake::import::{Decoded, Member};
pub use crate::intake::report::{ImportEnd, ImportReport, OfRun, Progress};
use crate::intake::report::{refused, report};
use crate::intake::source::{Counted, hash_file};
use crate::quarantine::{self, Quarantined};

/// How much of what an intake takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntakeLimits {
    /// Memory that days may take before the durable ones are let go of, bytes; they are found again in the write-ahead
    /// log.
    pub memory_size: usize,
    /// Chunks on the way at once, for each shard; never fewer than 2 in all.
    pub chunks_per_shard: usize,
    /// Readings in a chunk of a format that is decoded in one piece.
    pub chunk_reading_count: usize,
    /// Bytes of a chunk of a format that is decoded in blocks, where its own blocks are not smaller.
    pub block_size: usize,
}

impl Default for IntakeLimits {
    fn default() -> Self {
        Self {
            memory_size: 2 << 30,
            chunks_per_shard: 3,
            chunk_reading_count: CHUNK_READING_COUNT,
            block_size: DAY_BLOCK_SIZE,
        }
    }
}

/// Rejections in a record when the log starts over.
const RECORD_REJECTION_COUNT: usize = 4_096;

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
    /// A day known from before cannot be had.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// Days that were let go of cannot be read.
    #[error(transparent)]
    LetGo(#[from] LetGoError),
    /// The days cannot be sealed.
    #[error(transparent)]
    Cut(#[from] CutError),
    /// Days written ahead cannot be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// What is sealed cannot be read, or is not kept here.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// An earlier import failed half-way.
    #[error("an earlier import failed: open the intake again, it goes on behind the last durable line")]
    Failed,
}

/// What is known of an import.
#[derive(Debug, Clone, Default)]
struct Import {
    name: String,
    cursor: u64,
    is_finished: bool,
    counts: IntakeCounts,
    rejections: Vec<Rejection>,
}

/// The intake of the grid company's node.
pub struct Intake {
    write_ahead: WriteAhead,
    folder: PathBuf,
    quarantine: PathBuf,
    limits: IntakeLimits,
    /// Reads what is not read in this process.
    helper: Option<Helper>,
    shards: Vec<Shard>,
    imports: BTreeMap<ContentHash, Import>,
    torn_size: u64,
    /// An import ended half-way: the shards hold days that are not durable.
    is_failed: bool,
}

/// What an import needs beside the file.
pub struct ImportRun<'a> {
    /// How to read it.
    pub profile: &'a Profile,
    /// What is sealed already.
    pub books: &'a Books,
    /// The clock: readings after it are in the future.
    pub now: UtcSeconds,
    /// Set from outside to stop after the line at hand.
    pub interrupt: &'a AtomicBool,
    /// Told when chunks were acknowledged.
    pub progress: &'a mut dyn FnMut(Progress),
    /// Take these lines only: a retry of what was set aside.
    pub only_lines: Option<&'a BTreeSet<u64>>,
}

impl Intake {
    /// Opens the intake below a data folder, with as many shards as the books have threads.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn open(data: &Path, books: &Books) -> Result<Self, IntakeError> {
        Self::open_bounded(data, books, IntakeLimits::default())
    }

    /// The same, within other limits.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn open_bounded(data: &Path, books: &Books, limits: IntakeLimits) -> Result<Self, IntakeError> {
        let quarantine = data.join("quarantine");
        durable::create_folder_durably(&quarantine)?;
        let shard_count = books.threads().count();
        let mut shards = Vec::with_capacity(shard_count);
        shards.resize_with(shard_count, || Shard::bounded(limits.memory_size / shard_count));
        let (folder, mut imports) = (data.join("intake"), BTreeMap::new());
        let (write_ahead, recovered) =
            WriteAhead::open(&folder, WriteAheadLimits::default(), &mut |record| {
                recover(&mut shards, &mut imports, &record)
            })?;
        shards.iter_mut().for_each(|shard| shard.read_from(write_ahead.reader()));
        let torn_size = recovered.torn_size;
        let (helper, is_failed) = (None, false);
        let intake =
            Self { write_ahead, folder, quarantine, limits, helper, shards, imports, torn_size, is_failed };
        // A crash may have come between the last chunk and the quarantine's file.
        for (id, import) in intake.imports.iter().filter(|(_, import)| import.is_finished) {
            quarantine::ensure(&intake.quarantine, id, &import.name, &import.rejections)?;
        }
        Ok(intake)
    }

    /// The same, with a program that reads files of formats which are not read in this process; without one they are
    /// refused.
    #[must_use]
    pub fn with_helper(self, helper: Helper) -> Self {
        Self { helper: Some(helper), ..self }
    }

    /// Bytes of an unfinished write that were cut off when the intake was opened.
    #[must_use]
    pub const fn torn_size(&self) -> u64 {
        self.torn_size
    }

    /// Bytes of the write-ahead log.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.write_ahead.size()
    }

    /// Takes in a file: plain, gzip, Zstandard, or every member of a zip.
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
        let file_hash = hash_file(path, run.books.threads())?;
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
            let shown = if member_name == name { name.clone() } else { format!("{name}!{member_name}") };
            let id = import_id(&file_hash, (at, &shown), run);
            let file_name = printable_name(&shown);
            let member = Member { id, name: &shown, file_name, bytes: &bytes };
            let report =
                self.import_member(&member, (path, at, file_hash), reader, run).map_err(Visit::Failed)?;
            reports.push(ImportReport { id: Some(id), ..report });
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
        member: &Member<'_>,
        (path, at, content): (&Path, u32, ContentHash),
        reader: &mut dyn BufRead,
        run: &mut ImportRun<'_>,
    ) -> Result<ImportReport, IntakeError> {
        let known = self.imports.get(&member.id).cloned().unwrap_or_default();
        if known.is_finished {
            return Ok(report(member.name, &known, OfRun::default(), None, ImportEnd::Repeated));
        }
        let resumed_from = (known.cursor > 0).then_some(known.cursor);
        let decoded = match self.rows(path, reader, run)? {
            None => {
                let decoded = self.decode_member(member, reader, false, run)?;
                if let Decoded::InOnePiece = decoded {
                    self.decode_again(member, path, at, run)?
                } else {
                    decoded
                }
            }
            Some(Helped::Refused(refusal)) => Decoded::Refused(refusal, 0),
            Some(Helped::Interrupted) => Decoded::Done(
                DecodeSummary { stopped: true, ..DecodeSummary::default() },
                SourceNotes::default(),
            ),
            Some(Helped::Rows(rows)) => self.decode_rows(member, &rows, run)?,
        };
        let known = |intake: &Self| intake.imports.get(&member.id).cloned().unwrap_or_default();
        match decoded {
            Decoded::InOnePiece => unreachable!("decoded in one piece already"),
            Decoded::Refused(refusal, dropped) => {
                let mut import = known(self);
                import.counts.offered += dropped;
                import.counts.refused += dropped;
                quarantine::ensure(
                    &self.quarantine,
                    &member.id,
                    &path.display().to_string(),
                    &import.rejections,
                )?;
                let end = ImportEnd::Refused { problem: refusal.to_string(), next_step: refusal.next_step() };
                Ok(report(member.name, &import, OfRun::default(), resumed_from, end))
            }
            Decoded::Done(summary, notes) if summary.stopped => {
                let import = known(self);
                let end = ImportEnd::Interrupted(import.cursor);
                Ok(report(member.name, &import, OfRun::of(&summary, notes), resumed_from, end))
            }
            Decoded::Done(summary, notes) => {
                self.finish(member)?;
                let import = known(self);
                let header = quarantine::Header {
                    id: member.id,
                    name: path.display().to_string(),
                    member: at,
                    profile: run.profile.name().to_owned(),
                    zone: Some(run.profile.zone().name().to_owned()),
                    content: Some(content),
                };
                quarantine::write(&self.quarantine, &header, &import.rejections)?;
                Ok(report(
                    member.name,
                    &import,
                    OfRun::of(&summary, notes),
                    resumed_from,
                    ImportEnd::Finished,
                ))
            }
        }
    }

    /// Has a helper read the file, if its format asks for one.
    fn rows(
        &self,
        path: &Path,
        reader: &mut dyn BufRead,
        run: &ImportRun<'_>,
    ) -> Result<Option<Helped>, IntakeError> {
        let Some(foreign) = run.profile.foreign() else { return Ok(None) };
        let Some(helper) = &self.helper else {
            let what = "it is read by a helper program, and none was named".to_owned();
            return Ok(Some(Helped::Refused(FileRefusal::Foreign { what })));
        };
        // The quarantine is on the disk of the data, and holds files by any name.
        Ok(Some(helper.rows(foreign, (path, reader), &self.quarantine, run.interrupt)?))
    }

    /// Decodes the rows that a helper wrote.
    fn decode_rows(
        &mut self,
        member: &Member<'_>,
        rows: &Rows,
        run: &mut ImportRun<'_>,
    ) -> Result<Decoded, IntakeError> {
        let quarantine = self.quarantine.clone();
        let reader = || rows.reader().map_err(DurableError::io("read below", &quarantine));
        let decoded = self.decode_member(member, &mut reader()?, false, run)?;
        if let Decoded::InOnePiece = decoded {
            return self.decode_member(member, &mut reader()?, true, run);
        }
        Ok(decoded)
    }

    /// Opens the file again, and decodes one member of it in one piece.
    fn decode_again(
        &mut self,
        member: &Member<'_>,
        path: &Path,
        wanted: u32,
        run: &mut ImportRun<'_>,
    ) -> Result<Decoded, IntakeError> {
        let file = File::open(path).map_err(DurableError::io("open", path))?;
        let counted = Counted { file, bytes: Rc::clone(member.bytes) };
        let (mut at, mut decoded) = (0_u32, None);
        let visited: Result<(), Visit> = each_member(member.name, counted, &mut |_, reader| {
            if at == wanted {
                decoded = Some(self.decode_member(member, reader, true, run).map_err(Visit::Failed)?);
            }
            at += 1;
            Ok(())
        });
        match (visited, decoded) {
            (Err(Visit::Failed(error)), _) => Err(error),
            (Err(Visit::Refused(refusal)), _) => Ok(Decoded::Refused(refusal, 0)),
            (Ok(()), Some(decoded)) => Ok(decoded),
            (Ok(()), None) => Ok(Decoded::Refused(FileRefusal::Empty, 0)),
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
            Ok(vec![report(&header.name, &Import::default(), OfRun::default(), None, end)])
        };
        let file_hash = match hash_file(&path, run.books.threads()) {
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
        let reports = self.import_members(&path, Some(header.member), run)?;
        let is_same = reports.iter().any(|report| report.id == Some(header.id));
        let is_done = |report: &ImportReport| matches!(report.end, ImportEnd::Finished | ImportEnd::Repeated);
        // Interrupted before it began, there is no report, and nothing was tried.
        // The very same retry within one second is the same import, whose file must stay.
        if !is_same && !reports.is_empty() && reports.iter().all(is_done) {
            // What is still wrong stands in the retry's own quarantine file by now.
            quarantine::remove(&self.quarantine, &set_aside.header.id)?;
        }
        Ok(reports)
    }

    /// What was set aside of an import, in the order in which it was found.
    #[must_use]
    pub fn rejections(&self, import: &ContentHash) -> &[Rejection] {
        self.imports.get(import).map_or(&[], |import| import.rejections.as_slice())
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
    /// A crash before that leaves the old log: its days equal the sealed ones, and nothing is sealed twice.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub fn rotate(&mut self) -> Result<(), IntakeError> {
        let mut records = self.imports.iter().flat_map(|(id, import)| remembered(id, import));
        self.write_ahead.start_over::<IntakeError>(&mut records)?;
        self.shards.iter_mut().for_each(Shard::clear);
        Ok(())
    }
}

/// The records that remember an import: several if much of it was set aside.
fn remembered(id: &ContentHash, import: &Import) -> impl Iterator<Item = Result<(u8, Vec<u8>), IntakeError>> {
    let parts: Vec<&[Rejection]> = match import.rejections.as_slice() {
        [] => vec![&[]],
        some => some.chunks(RECORD_REJECTION_COUNT).collect(),
    };
    let last = parts.len() - 1;
    parts.into_iter().enumerate().map(move |(at, part)| {
        let record = IntakeRecord {
            file: *id,
            file_name: import.name.clone(),
            line_cursor: import.cursor,
            is_finished: import.is_finished,
            counts: if at == last { import.counts } else { IntakeCounts::default() },
            rejections: part.to_vec(),
            events: Vec::new(),
            packs: Vec::new(),
        };
        Ok((INTAKE_KIND, record.encode()?))
    })
}

/// Replays a record: its days join those of the records before it.
fn recover(
    shards: &mut [Shard],
    imports: &mut BTreeMap<ContentHash, Import>,
    record: &Record<'_>,
) -> Result<(), IntakeError> {
    let intake = IntakeRecord::decode(record.payload)?;
    let packs_start = record.payload.len() - intake.packs.len();
    replay_events(shards, &intake.events)?;
    for (partition, range) in parts_of(&intake.packs)? {
        let start = u32::try_from(packs_start + range.start).expect("a record is below 4 GiB");
        let shard = shard_of(partition, shards.len());
        shards[shard].replay(partition, &intake.packs[range], (record.place, start))?;
    }
    remember(imports, intake);
    Ok(())
}

/// Gives each shard the events of its usage points, also none: the packs are read with them.
fn replay_events(shards: &mut [Shard], events: &[MeterEvent]) -> Result<(), IntakeError> {
    let mut own = vec![Vec::new(); shards.len()];
    for event in events {
        let partition = event.usage_point().map_or(0, |usage_point| partition_of(&usage_point));
        own[shard_of(partition, shards.len())].push(event.clone());
    }
    for (shard, own) in shards.iter_mut().zip(own) {
        shard.replay_events(&own)?;
    }
    Ok(())
}

/// Counts a record.
fn remember(imports: &mut BTreeMap<ContentHash, Import>, record: IntakeRecord) {
    let import = imports.entry(record.file).or_default();
    import.name = record.file_name;
    import.cursor = record.line_cursor;
    import.is_finished = record.is_finished;
    import.rejections.extend(record.rejections);
    import.counts.add(&record.counts);
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

/// The same bytes under another profile, or retried, are another import; under another name too, where that says whose
/// values they are.
fn import_id(file: &ContentHash, (member, name): (u32, &str), run: &ImportRun<'_>) -> ContentHash {
    let mut writer = Writer::default();
    writer.hash(file).u32(member).text(run.profile.content()).text(run.profile.zone().name());
    if run.profile.is_named_by_file() {
        writer.text(name);
    }
    if let Some(lines) = run.only_lines {
        writer.i64(run.now.0).count(lines.len());
        for line in lines {
            writer.u64(*line);
        }
    }
    content_hash(&writer.finish())
}

/// At most [`tallywatt_shards::intake_record::FILE_NAME_SIZE_MAX`] bytes, no control characters.
fn printable_name(name: &str) -> String {
    let mut printable = String::new();
    for character in name.chars().map(|c| if c.is_control() { '?' } else { c }) {
        if printable.len() + character.len_utf8() > tallywatt_shards::intake_record::FILE_NAME_SIZE_MAX {
            break;
        }
        printable.push(character);
    }
    if printable.is_empty() { "?".into() } else { printable }
}
