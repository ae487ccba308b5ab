//! Which leaf goes in which file of the archive, and in what order.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::BlockKey;
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
    let shards: Vec<u16> =
        if shard_count == 1 { vec![0; leaves.len()] } else { leaves.par_iter().map(shard_of).collect() };
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
    let mut keyed: Vec<(BlockKey, usize, &DayLeaf)> = leaves
        .into_iter()
        .map(|leaf| (leaf.block().key(), ranks[&leaf.block().key().register], leaf))
        .collect();
    keyed.sort_by_key(|&(key, rank, _)| (key.usage_point, rank));
    match keyed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(ArchiveError::Repeated(pair[0].0)),
        None => Ok(keyed.into_iter().map(|(_, _, leaf)| leaf).collect()),
    }
}
