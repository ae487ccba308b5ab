//! A chunk of an import: buffered while the file is decoded, judged and made durable as one.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::reading::RawReading;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_core::vee::judge::Limits;
use tallywatt_ingest::sink::ReadingSink;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_shards::accepted::Outcome;
use tallywatt_shards::intake_record::{INTAKE_KIND, IntakeCounts, IntakeRecord};

use crate::intake::{
    CHUNK_READING_COUNT, CHUNK_REJECTION_COUNT, ImportRun, Intake, IntakeError, Progress, remember,
};

/// What was read since the last acknowledgement.
#[derive(Default)]
pub(super) struct Chunk {
    readings: Vec<RawReading>,
    rejections: Vec<Rejection>,
}

/// Buffers what the decoder finds, and flushes it chunk by chunk.
pub(super) struct ChunkSink<'a, 'r> {
    pub(super) intake: &'a mut Intake,
    pub(super) id: ContentHash,
    pub(super) file_name: String,
    pub(super) known_cursor: u64,
    pub(super) limits: Limits,
    pub(super) bytes: &'a Rc<Cell<u64>>,
    pub(super) run: &'a mut ImportRun<'r>,
    pub(super) chunk: Chunk,
    pub(super) failed: Option<IntakeError>,
    pub(super) last_line: u64,
}

impl ChunkSink<'_, '_> {
    fn is_wanted(&self, line: u64) -> bool {
        line > self.known_cursor && self.run.only_lines.is_none_or(|lines| lines.contains(&line))
    }

    /// Judges and joins the chunk, makes it durable, and only then counts it.
    pub(super) fn flush(&mut self, is_finished: bool) -> Result<(), IntakeError> {
        let Chunk { readings, mut rejections } = std::mem::take(&mut self.chunk);
        let mut counts = IntakeCounts::default();
        for rejection in &rejections {
            counts.offered += u64::from(rejection.reading_count);
            counts.rejected += u64::from(rejection.reading_count);
        }
        let (zone, source) = (self.run.profile.zone(), self.run.profile.source());
        for reading in &readings {
            counts.offered += 1;
            let code = match self.intake.accepted.accept(reading, zone, source, &self.limits) {
                Outcome::Accepted => {
                    counts.accepted += 1;
                    continue;
                }
                Outcome::Duplicate => {
                    counts.duplicate += 1;
                    continue;
                }
                Outcome::Corrected => {
                    counts.corrected += 1;
                    continue;
                }
                Outcome::Conflict => {
                    counts.conflict += 1;
                    RejectionCode::Conflict
                }
                Outcome::Rejected(code) => {
                    counts.rejected += 1;
                    code
                }
            };
            let raw = format!(
                "{} {} {} {} Wh",
                reading.usage_point, reading.register, reading.start, reading.energy_wh
            );
            rejections.push(Rejection::new(code, reading.line, 1, raw.as_bytes()));
        }
        let touched = self.intake.accepted.take_touched();
        let frames: Vec<DayLeaf> = touched
            .iter()
            .filter_map(|key| self.intake.accepted.get(key))
            .cloned()
            .map(DayLeaf::frame)
            .collect();
        self.write(is_finished, counts, &rejections, &frames)?;
        self.intake.unsealed.extend(touched);
        let import = &self.intake.imports[&self.id];
        let readings = import.counts.offered - import.counts.rejected;
        (self.run.progress)(Progress { bytes: self.bytes.get(), readings, rejected: import.counts.rejected });
        Ok(())
    }

    /// One record, or several when one line alone held more than fits one.
    fn write(
        &mut self,
        is_finished: bool,
        counts: IntakeCounts,
        rejections: &[Rejection],
        frames: &[DayLeaf],
    ) -> Result<(), IntakeError> {
        let frame_parts: Vec<&[DayLeaf]> = frames.chunks(CHUNK_READING_COUNT).collect();
        let rejection_parts: Vec<&[Rejection]> = rejections.chunks(CHUNK_REJECTION_COUNT).collect();
        let part_count = frame_parts.len().max(rejection_parts.len()).max(1);
        let cursor = self.intake.imports.get(&self.id).map_or(0, |import| import.cursor);
        for part in 0..part_count {
            let is_last = part + 1 == part_count;
            let record = IntakeRecord {
                file: self.id,
                file_name: self.file_name.clone(),
                // The cursor moves with the last part only: a crash between two offers the chunk again.
                line_cursor: if is_last { self.last_line.max(cursor) } else { cursor },
                is_finished: is_finished && is_last,
                counts: if is_last { counts } else { IntakeCounts::default() },
                rejections: rejection_parts.get(part).map(|part| part.to_vec()).unwrap_or_default(),
                frames: frame_parts.get(part).map(|part| part.to_vec()).unwrap_or_default(),
            };
            self.intake.write_ahead.append(INTAKE_KIND, &[&record.encode()?])?;
            self.intake.write_ahead.sync()?;
            remember(&mut self.intake.imports, record);
        }
        Ok(())
    }
}

impl ReadingSink for ChunkSink<'_, '_> {
    fn reading(&mut self, reading: RawReading) {
        if self.is_wanted(reading.line) {
            self.chunk.readings.push(reading);
        }
    }

    fn reject(&mut self, rejection: Rejection) {
        if self.is_wanted(rejection.line) {
            self.chunk.rejections.push(rejection);
        }
    }

    fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        self.last_line = line;
        let is_full = self.chunk.readings.len() >= CHUNK_READING_COUNT
            || self.chunk.rejections.len() >= CHUNK_REJECTION_COUNT;
        if is_full && let Err(error) = self.flush(false) {
            self.failed = Some(error);
            return ControlFlow::Break(());
        }
        if self.run.interrupt.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
