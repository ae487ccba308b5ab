//! Which leaf goes in which file of the archive, and in what order.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tallywatt_core::calendar::Day;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::partition_of;

use crate::archive::{ArchiveError, SHARD_COUNT_MAX};

/// The leaves of one file, in the order of its rows.
pub(crate) struct FileLeaves<'a> {
    /// Their day.
    pub(crate) day: Day,
    /// Their shard.
    pub(crate) shard: u16,
    /// Sorted as the text columns sort, for readers that rely on it.
    pub(crate) leaves: Vec<&'a DayLeaf>,
}

/// The files, in order of day and shard.
pub(crate) fn files_of(leaves: &[DayLeaf], shard_count: u16) -> Result<Vec<FileLeaves<'_>>, ArchiveError> {
    let shard_of = |leaf: &DayLeaf| {
        u16::from(partition_of(&leaf.block().key().usage_point)) * shard_count / SHARD_COUNT_MAX
    };
    // In seal order the registers and days of a usage point lie side by side: its name is hashed once.
    let shards: Vec<u16> = leaves
        .par_chunk_by(|a, b| a.block().key().usage_point == b.block().key().usage_point)
        .flat_map_iter(|run| std::iter::repeat_n(shard_of(&run[0]), run.len()))
        .collect();
    let mut files: BTreeMap<(Day, u16), Vec<&DayLeaf>> = BTreeMap::new();
    for (leaf, shard) in leaves.iter().zip(shards) {
        files.entry((leaf.block().key().day, shard)).or_default().push(leaf);
    }
    let ranks = register_ranks(leaves);
    files
        .into_par_iter()
        .map(|((day, shard), leaves)| Ok(FileLeaves { day, shard, leaves: in_row_order(leaves, &ranks)? }))
        .collect()
}

/// The registers by their text, of which there are few: texts are not compared leaf by leaf.
fn register_ranks(leaves: &[DayLeaf]) -> BTreeMap<Register, usize> {
    let mut texts: BTreeMap<Register, String> = BTreeMap::new();
    for leaf in leaves {
        let register = leaf.block().key().register;
        texts.entry(register).or_insert_with(|| register.to_string());
    }
    let mut ordered: Vec<(String, Register)> =
        texts.into_iter().map(|(register, text)| (text, register)).collect();
    ordered.sort();
    ordered.into_iter().enumerate().map(|(rank, (_, register))| (register, rank)).collect()
}

fn in_row_order<'a>(
    leaves: Vec<&'a DayLeaf>,
    ranks: &BTreeMap<Register, usize>,
) -> Result<Vec<&'a DayLeaf>, ArchiveError> {
    let mut keyed: Vec<([u128; 2], u8, usize, &DayLeaf)> = leaves
        .into_iter()
        .map(|leaf| {
            let key = leaf.block().key();
            let (start, last) = name_number(&key.usage_point);
            (start, last, ranks[&key.register], leaf)
        })
        .collect();
    keyed.sort_by_key(|&(start, last, rank, _)| (start, last, rank));
    match keyed.windows(2).find(|pair| pair[0].3.block().key() == pair[1].3.block().key()) {
        Some(pair) => Err(ArchiveError::Repeated(pair[0].3.block().key())),
        None => Ok(keyed.into_iter().map(|(.., leaf)| leaf).collect()),
    }
}

/// A name as numbers that sort as the name does. Names begin alike, and comparing numbers is no call.
fn name_number(usage_point: &UsagePointId) -> ([u128; 2], u8) {
    let (parts, last) = usage_point.padded().as_chunks::<16>();
    ([u128::from_be_bytes(parts[0]), u128::from_be_bytes(parts[1])], last[0])
}
