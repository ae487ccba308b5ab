//! What became of an import, as people are told.

use std::collections::BTreeMap;

use tallywatt_core::hash::ContentHash;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::decode::DecodeSummary;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::source_notes::SourceNotes;
use tallywatt_shards::intake_record::IntakeCounts;

use crate::intake::Import;

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportReport {
    /// What it is called.
    pub name: String,
    /// What became of its readings, over all runs.
    pub counts: IntakeCounts,
    /// What is known of this run alone.
    pub of_run: OfRun,
    /// What it is known by; `None` if it was never begun.
    pub id: Option<ContentHash>,
    /// The line it went on from, if it was begun before.
    pub resumed_from: Option<u64>,
    /// How it ended.
    pub end: ImportEnd,
    /// What was set aside, by code.
    pub rejected: BTreeMap<RejectionCode, u64>,
    /// The first line that something was set aside of, by code.
    pub first_lines: BTreeMap<RejectionCode, u64>,
}

/// What the decoder told of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfRun {
    /// Values rounded to whole watt-hours, as the profile allows.
    pub rounded: u64,
    /// Reads of cumulative registers handed over.
    pub register_reads: u64,
    /// Installations of meters handed over.
    pub installations: u64,
    /// Values that the source took back.
    pub withdrawn: u64,
    /// What the source says of its values in its own codes.
    pub notes: SourceNotes,
}

impl OfRun {
    pub(super) fn of(summary: &DecodeSummary, notes: SourceNotes) -> Self {
        Self {
            notes,
            rounded: summary.rounded_count,
            register_reads: summary.register_read_count,
            installations: summary.installation_count,
            withdrawn: summary.withdrawn_count,
        }
    }
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

pub(super) fn report(
    name: &str,
    import: &Import,
    of_run: OfRun,
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
    ImportReport { name, counts, of_run, id: None, resumed_from, end, rejected, first_lines }
}

pub(super) fn refused(name: &str, counts: IntakeCounts, refusal: &FileRefusal) -> ImportReport {
    let end = ImportEnd::Refused { problem: refusal.to_string(), next_step: refusal.next_step() };
    ImportReport {
        name: name.to_owned(),
        counts,
        of_run: OfRun::default(),
        id: None,
        resumed_from: None,
        end,
        rejected: BTreeMap::new(),
        first_lines: BTreeMap::new(),
    }
}
