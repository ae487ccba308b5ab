//! The order of entries, as a trait: one sequence that every member reads from the start.
//!
//! A single process puts a list behind it. Between processes the order is a replicated log, which tells each node of
//! an entry when it is agreed, instead of being read. Either way members only see entries in one order, and never trust
//! whoever ordered them: each applies every entry itself.

use tallywatt_ledger::block::{Attestation, Proposal};

/// A proposal that enough parties attested, to be placed in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What.
    pub proposal: Proposal,
    /// Who attested it, by party.
    pub attestations: Vec<Attestation>,
}

/// A sequence of entries that only grows. An entry that cannot extend the chain where it stands is passed over, by every
/// member alike; so the index of an entry is not the height of its block.
pub trait OrderedLog {
    /// Why an entry could not be appended or read.
    type Error: std::error::Error;

    /// Appends an entry and gives its index. When it returns, the entry is ordered: it will never be at
    /// another index, nor another entry at this one.
    ///
    /// # Errors
    /// The implementation's: no leader, no quorum, a disk.
    fn append(&mut self, entry: Entry) -> Result<u64, Self::Error>;

    /// The entry at `index`; `None` past the end.
    ///
    /// # Errors
    /// The implementation's.
    fn entry(&self, index: u64) -> Result<Option<Entry>, Self::Error>;
}
