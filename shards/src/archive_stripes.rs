//! How a batch is cut for the archive: into ranges of usage points, of about as many rows each.
//!
//! ```text
//!   partition 0   │pack│pack│pack│pack│pack│pack│      sorted by usage point
//!   partition 1   │pack│pack│pack│pack│pack│
//!       …                   ┊            ┊
//!   names      AA…      KM…          QZ…               a stripe lies between two names, and takes from each
//!              └ stripe 0 ┴ stripe 1 ──┴ stripe 2       partition the packs that have names of it
//! ```
//!
//! The rows of a file are sorted by usage point, the leaves of a batch by partition first: so a stripe is the smallest
//! part whose rows stand together. The cut follows from the index alone.

use std::ops::Range;

use tallywatt_core::label::LABEL_SIZE_MAX;
use tallywatt_ledger::day_pack::{Header, PACK_LEAF_COUNT_MAX};
use tallywatt_ledger::leaf_key::is_after;

use crate::batch_file::BatchFileError;
use crate::batch_file::reader::BatchReader;

/// Rows of a stripe, about: half a row group less than twelve, so that a little more or less makes no tiny one.
/// Fewer, and more packs are read twice, as each partition's first and last pack belong to two stripes.
const STRIPE_ROW_COUNT: u64 = 23 << 19;
/// Packs of the index that are looked at, about: the cut is the finer the more.
const SAMPLE_COUNT: usize = 1 << 16;

/// The name of a usage point, zero-padded, as it stands in a leaf.
pub(crate) type Name = [u8; LABEL_SIZE_MAX];

/// The usage points of some partitions from one name up to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stripe {
    /// Its partitions.
    pub(crate) partitions: Range<u16>,
    /// The first name.
    start: Name,
    /// The name behind the last; `None` for all names.
    end: Option<Name>,
}

impl Stripe {
    /// Whether the name lies in it.
    pub(crate) fn contains(&self, name: &Name) -> bool {
        self.start <= *name && self.end.is_none_or(|end| *name < end)
    }

    /// The packs of a partition that may hold days of it: all but the first and the last hold no others.
    pub(crate) fn packs_of(&self, reader: &BatchReader<'_>, partition: u8) -> Range<usize> {
        let packs = reader.packs_of(partition);
        let first_from = |wanted: &Name| {
            let (mut low, mut high) = (packs.start, packs.end);
            while low < high {
                let middle = low + (high - low) / 2;
                if name_of(&reader.entry(middle).first) < *wanted {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            low
        };
        // The pack before the first that begins in the stripe may end in it.
        let start = first_from(&self.start).saturating_sub(1).max(packs.start);
        let end = self.end.map_or(packs.end, |end| first_from(&end));
        start..end.max(start)
    }
}

/// The stripes of some partitions, in order; none if they have no leaves.
///
/// # Errors
/// [`BatchFileError::Order`] if the index is not in order: packs are searched for in it, and none may be missed.
pub(crate) fn stripes_of(
    reader: &BatchReader<'_>,
    partitions: Range<u16>,
) -> Result<Vec<Stripe>, BatchFileError> {
    let step = reader.pack_count().div_ceil(SAMPLE_COUNT).max(1);
    let mut samples: Vec<(Name, u64)> = Vec::new();
    for partition in partitions.clone().filter_map(|partition| u8::try_from(partition).ok()) {
        let packs = reader.packs_of(partition);
        for pack in packs.clone().skip(1) {
            if !is_after(&reader.entry(pack - 1).first, &reader.entry(pack).first) {
                return Err(BatchFileError::Order { pack, within: 0 });
            }
        }
        for pack in packs.clone().step_by(step) {
            let header = reader.entry(pack).first;
            let leaf_count = step.min(packs.end - pack) * PACK_LEAF_COUNT_MAX;
            let row_count = u64::from(u16::from_le_bytes([header[12], header[13]]));
            samples.push((name_of(&header), row_count * u64::try_from(leaf_count).unwrap_or(u64::MAX)));
        }
    }
    samples.sort_unstable();
    let mut stripes: Vec<Stripe> = Vec::new();
    let mut row_count = 0;
    for (name, rows) in samples {
        let is_begun = stripes.last().is_some_and(|last| last.start == name);
        if stripes.is_empty() {
            stripes.push(Stripe { partitions: partitions.clone(), start: [0; LABEL_SIZE_MAX], end: None });
        } else if row_count >= STRIPE_ROW_COUNT && !is_begun {
            if let Some(last) = stripes.last_mut() {
                last.end = Some(name);
            }
            stripes.push(Stripe { partitions: partitions.clone(), start: name, end: None });
            row_count = 0;
        }
        row_count += rows;
    }
    Ok(stripes)
}

/// Whose day begins with `header`.
pub(crate) fn name_of(header: &Header) -> Name {
    *header.last_chunk().expect("a header ends in a name")
}
