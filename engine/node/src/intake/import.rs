//! One file, or one member of an archive, through the pipeline.
//!
//! ```text
//!   a format that can be cut:  blocks ─▶ decoders, side by side ─▶ shards ─▶ commit
//!   any other:                 decoder, on this thread ──────────▶ shards ─▶ commit
//! ```
//!
//! A block may turn out to lean on what stands before it, or to refuse the file, when blocks behind it are with the shards
//! already. Then the shards are filled again from the write-ahead log, and the file is decoded in one piece.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::atomic::Ordering;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::reading::Issued;
use tallywatt_ingest::block_decoder::{BlockDecoder, BlockSum, split};
use tallywatt_ingest::blocks::{Block, Blocks};
use tallywatt_ingest::decode::{DecodeSummary, decode_noted};
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::source_notes::SourceNotes;
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord};
use tallywatt_shards::lane::Chunk;
use tallywatt_shards::pipeline::{self, CHUNK_COUNT_MAX, Feeder, PipelineError, PipelineLimits};
use tallywatt_shards::shard::Rules;
use tallywatt_shards::write_ahead::{WriteAhead, WriteAheadError, look_through};

use crate::intake::chunk::{Acknowledged, BlockSink, ChunkSink, Teller, Wanted, Work};
use crate::intake::sealed::SealedDays;
use crate::intake::{Import, ImportRun, Intake, IntakeError, recover, remember};

/// The most that is set aside of one file, findings: they are kept in memory and in the quarantine, and nobody reads more.
const SET_ASIDE_COUNT_MAX: usize = 250_000;

/// A member that is being imported.
pub(super) struct Member<'a> {
    /// The import.
    pub(super) id: ContentHash,
    /// What it is called.
    pub(super) name: &'a str,
    /// What its records call it.
    pub(super) file_name: String,
    /// How many bytes of the file were read.
    pub(super) bytes: &'a std::rc::Rc<std::cell::Cell<u64>>,
}

/// How decoding a member ended.
pub(super) enum Decoded {
    /// To its end, or until it was interrupted.
    Done(DecodeSummary, SourceNotes),
    /// The file is refused, with so many readings that were decoded and dropped.
    Refused(FileRefusal, u64),
    /// It has to be decoded in one piece.
    InOnePiece,
}

/// Why the committer stops.
pub(super) enum Halt {
    Failed(IntakeError),
    Refused(FileRefusal, u64),
    InOnePiece,
}

impl Intake {
    /// Decodes a member side by side where its format allows it, and makes what it holds durable.
    pub(super) fn decode_member(
        &mut self,
        member: &Member<'_>,
        reader: &mut dyn BufRead,
        in_one_piece: bool,
        run: &mut ImportRun<'_>,
    ) -> Result<Decoded, IntakeError> {
        // A retry looks at single lines, which blocks do not make faster.
        if in_one_piece || run.only_lines.is_some() || self.shards.len() == 1 {
            return self.decode_whole(member, reader, run);
        }
        match split(run.profile, member.name, &mut *reader) {
            Err(refusal) => Ok(Decoded::Refused(refusal, 0)),
            Ok(Some((decoder, blocks))) => {
                let blocks = blocks.in_blocks_of(self.limits.block_size);
                self.decode_blocks(member, &decoder, blocks, run)
            }
            Ok(None) => self.decode_whole(member, reader, run),
        }
    }

    fn decode_whole(
        &mut self,
        member: &Member<'_>,
        reader: &mut dyn BufRead,
        run: &mut ImportRun<'_>,
    ) -> Result<Decoded, IntakeError> {
        let wanted = Wanted { after: self.cursor(&member.id), only: run.only_lines };
        let (profile, acknowledged) = (run.profile, Acknowledged::default());
        let reading_count = self.limits.chunk_reading_count;
        let source = |feeder: &mut Feeder<'_, Work>, run: &mut ImportRun<'_>| {
            let chunk = feeder.take();
            let teller = Teller { run, acknowledged: &acknowledged, bytes: member.bytes, told: 0 };
            let issued = Issued::UNSAID;
            let mut sink = ChunkSink { feeder, chunk, wanted, teller, reading_count, last_line: 0, issued };
            let summary = decode_noted(profile, member.name, reader, &mut sink);
            match (summary, sink.chunk.take()) {
                (Ok(summary), Some(mut rest)) => {
                    rest.cursor = sink.last_line.max(wanted.after);
                    sink.feeder.send(rest);
                    Ok(summary)
                }
                (Ok(summary), None) => Ok(summary),
                // Of a refused file the chunk at hand is dropped.
                (Err(refusal), dropped) => Err((refusal, dropped.map_or(0, |chunk| dropped_count(&chunk)))),
            }
        };
        let decoded =
            self.pipe(member, 0, run, &acknowledged, source, &|| Box::new(|_| {}), &mut |_| Ok(()))?;
        Ok(match decoded {
            Ok(Ok((summary, notes))) => Decoded::Done(summary, notes),
            Ok(Err((refusal, dropped))) => Decoded::Refused(refusal, dropped),
            Err(halted) => halted,
        })
    }

    fn decode_blocks(
        &mut self,
        member: &Member<'_>,
        decoder: &BlockDecoder,
        mut blocks: Blocks<'_>,
        run: &mut ImportRun<'_>,
    ) -> Result<Decoded, IntakeError> {
        let wanted = Wanted { after: self.cursor(&member.id), only: None };
        let (acknowledged, mut sum) = (Acknowledged::default(), BlockSum::new(decoder));
        let source = |feeder: &mut Feeder<'_, Work>, run: &mut ImportRun<'_>| {
            let mut teller = Teller { run, acknowledged: &acknowledged, bytes: member.bytes, told: 0 };
            loop {
                if teller.run.interrupt.load(Ordering::Relaxed) {
                    return Ok(true);
                }
                let Some(mut chunk) = feeder.take() else { return Ok(false) };
                chunk.block.end = None;
                if !blocks.read(chunk.block.block.get_or_insert_with(Block::default))? {
                    return Ok(false);
                }
                feeder.send(chunk);
                teller.tell();
            }
        };
        let start = || -> pipeline::Decode<'_, Work> {
            let mut worker = decoder.worker();
            Box::new(move |chunk| {
                let Some(block) = chunk.block.block.take() else { return };
                chunk.block.end = Some(worker.decode(&block, &mut BlockSink::new(chunk, wanted)));
                chunk.block.block = Some(block);
            })
        };
        let mut settle = |chunk: &mut Chunk<Work>| match chunk.block.end.take() {
            Some(Ok(end)) => sum.add(&end).map_err(|_| Halt::InOnePiece),
            Some(Err(tallywatt_ingest::block_decoder::BlockError::Refused(refusal))) => {
                Err(Halt::Refused(refusal, dropped_count(chunk)))
            }
            _ => Err(Halt::InOnePiece),
        };
        let decoder_count = self.shards.len();
        let piped = self.pipe(member, decoder_count, run, &acknowledged, source, &start, &mut settle)?;
        let stopped = match piped {
            Err(halted) => return Ok(halted),
            Ok(Err(refusal)) => return Ok(Decoded::Refused(refusal, 0)),
            Ok(Ok(stopped)) => stopped,
        };
        if stopped {
            // Interrupted: what there is so far need not be a whole file.
            return Ok(Decoded::Done(
                DecodeSummary { stopped, ..DecodeSummary::default() },
                SourceNotes::default(),
            ));
        }
        Ok(match sum.finish() {
            Ok(summary) => Decoded::Done(summary, SourceNotes::default()),
            Err(refusal) => Decoded::Refused(refusal, 0),
        })
    }

    /// Runs the pipeline over one member. The inner result is what the source gave, or why the committer stopped.
    #[allow(clippy::too_many_arguments, clippy::type_complexity, reason = "one call a way of decoding")]
    fn pipe<'d, R>(
        &mut self,
        member: &Member<'_>,
        decoder_count: usize,
        run: &mut ImportRun<'_>,
        acknowledged: &Acknowledged,
        source: impl FnOnce(&mut Feeder<'_, Work>, &mut ImportRun<'_>) -> R,
        decoder: &(dyn Fn() -> pipeline::Decode<'d, Work> + Sync),
        settle: &mut (dyn FnMut(&mut Chunk<Work>) -> Result<(), Halt> + Send),
    ) -> Result<Result<R, Decoded>, IntakeError> {
        self.check()?;
        let mut limits = run.books.limits(run.now);
        if let Some(power_max_w) = run.profile.max_power_w() {
            limits.power_max_w = limits.power_max_w.min(power_max_w);
        }
        let rules = Rules { zone: run.profile.zone(), source: run.profile.source(), limits };
        let sealed = SealedDays(run.books);
        let chunk_count = (self.shards.len() * self.limits.chunks_per_shard).clamp(2, CHUNK_COUNT_MAX);
        let mut committer = Committer {
            write_ahead: &mut self.write_ahead,
            imports: &mut self.imports,
            id: member.id,
            file_name: &member.file_name,
            is_last: false,
            acknowledged,
        };
        let mut commit = |chunks: &mut [Chunk<Work>]| committer.commit(chunks, settle);
        let limits = PipelineLimits { chunk_count, decoder_count };
        // Until it has ended well, the shards may hold days that are not durable.
        self.is_failed = true;
        let source = |feeder: &mut Feeder<'_, Work>| source(feeder, run);
        let piped = pipeline::run(&mut self.shards, (&rules, &sealed), limits, source, decoder, &mut commit);
        let halted = match piped {
            Ok(sourced) => {
                self.is_failed = false;
                return Ok(Ok(sourced));
            }
            Err(PipelineError::Shard(error)) => return Err(error.into()),
            Err(PipelineError::Commit(Halt::Failed(error))) => return Err(error),
            Err(PipelineError::Commit(Halt::Refused(refusal, dropped))) => Decoded::Refused(refusal, dropped),
            Err(PipelineError::Commit(Halt::InOnePiece)) => Decoded::InOnePiece,
        };
        self.refill()?;
        Ok(Err(halted))
    }

    /// Fills the shards again with what is durable.
    pub(super) fn refill(&mut self) -> Result<(), IntakeError> {
        self.shards.iter_mut().for_each(tallywatt_shards::shard::Shard::clear);
        let (shards, mut imports) = (&mut self.shards, BTreeMap::new());
        look_through(&self.folder, &mut |record| recover(shards, &mut imports, &record))?;
        self.is_failed = false;
        Ok(())
    }

    /// Notes durably that a member is dealt with to its end.
    pub(super) fn finish(&mut self, member: &Member<'_>) -> Result<(), IntakeError> {
        let record = IntakeRecord {
            file: member.id,
            file_name: member.file_name.clone(),
            line_cursor: self.cursor(&member.id),
            is_finished: true,
            counts: IntakeCounts::default(),
            rejections: Vec::new(),
            events: Vec::new(),
            packs: Vec::new(),
        };
        self.write_ahead.append(INTAKE_KIND, &[&record.encode()?])?;
        self.write_ahead.sync()?;
        remember(&mut self.imports, record);
        Ok(())
    }

    pub(super) fn cursor(&self, id: &ContentHash) -> u64 {
        self.imports.get(id).map_or(0, |import| import.cursor)
    }
}

/// Readings of a chunk that nobody has judged yet.
fn dropped_count(chunk: &Chunk<Work>) -> u64 {
    let rejected: u64 = chunk.rejections.iter().map(|rejection| u64::from(rejection.reading_count)).sum();
    u64::try_from(chunk.reading_count()).unwrap_or(u64::MAX).saturating_add(rejected)
}

/// Makes chunks durable, and remembers them when they are.
pub(super) struct Committer<'a> {
    pub(super) write_ahead: &'a mut WriteAhead,
    pub(super) imports: &'a mut BTreeMap<ContentHash, Import>,
    pub(super) id: ContentHash,
    pub(super) file_name: &'a str,
    /// Whether a chunk is all there is: then its record also ends the import.
    pub(super) is_last: bool,
    pub(super) acknowledged: &'a Acknowledged,
}

impl Committer<'_> {
    pub(super) fn commit(
        &mut self,
        chunks: &mut [Chunk<Work>],
        settle: &mut (dyn FnMut(&mut Chunk<Work>) -> Result<(), Halt> + Send),
    ) -> Result<(), Halt> {
        let mut records = Vec::with_capacity(chunks.len());
        let mut halted = Ok(());
        for chunk in chunks {
            halted = settle(chunk);
            if halted.is_err() {
                break;
            }
            records.push(self.append(chunk).map_err(Halt::Failed)?);
        }
        // A crash here, or in the sync, leaves none of these chunks or some of the first: they are offered again.
        self.write_ahead.sync().map_err(|error| Halt::Failed(error.into()))?;
        for record in records {
            remember(self.imports, record);
            self.acknowledged.chunks.fetch_add(1, Ordering::Release);
        }
        if let Some(import) = self.imports.get(&self.id) {
            let readings = import.counts.offered - import.counts.rejected;
            self.acknowledged.readings.store(readings, Ordering::Relaxed);
            self.acknowledged.rejected.store(import.counts.rejected, Ordering::Relaxed);
            if import.rejections.len() > SET_ASIDE_COUNT_MAX && halted.is_ok() {
                halted = Err(Halt::Refused(FileRefusal::SetAside { limit: SET_ASIDE_COUNT_MAX }, 0));
            }
        }
        halted
    }

    /// Puts a chunk in line for the next sync, and notes in it where its days will lie.
    fn append(&mut self, chunk: &mut Chunk<Work>) -> Result<IntakeRecord, IntakeError> {
        let record = IntakeRecord {
            file: self.id,
            file_name: self.file_name.to_owned(),
            line_cursor: chunk.cursor,
            is_finished: self.is_last,
            counts: chunk.counts(),
            rejections: chunk.take_rejections(),
            events: chunk.take_events(),
            packs: Vec::new(),
        };
        let packs_size = chunk.lanes.iter().map(|lane| lane.outcome.packs.len()).sum();
        let head = record.encode_head(packs_size)?;
        let mut packs_start = head.len();
        let mut parts = vec![head.as_slice()];
        for lane in &mut chunk.lanes {
            lane.outcome.packs_start = packs_start;
            packs_start += lane.outcome.packs.len();
            parts.push(&lane.outcome.packs);
        }
        let place = match self.write_ahead.append(INTAKE_KIND, &parts) {
            Err(WriteAheadError::GroupSize { .. }) => {
                self.write_ahead.sync()?;
                self.write_ahead.append(INTAKE_KIND, &parts)?
            }
            appended => appended?,
        };
        chunk.written = Some(place);
        Ok(record)
    }
}
