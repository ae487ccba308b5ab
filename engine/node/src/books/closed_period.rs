//! Books: a month as it was closed, and how it stood when it was closed before.
//!
//! ```text
//!   revision 0 ◀── undo 0 ── revision 1 ◀── undo 1 ── revision 2: the leaves
//! ```
//!
//! Only the newest revision is held whole. An undo holds, of each day that the next revision changed, the leaf that stood.

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::seal_order;
use tallywatt_ledger::tree::Root;

/// What stood of each day that the next revision changed; nothing where there was no such day.
type Undo = BTreeMap<BlockKey, Option<DayLeaf>>;

/// A closed month.
#[derive(Debug)]
pub(super) struct ClosedPeriod {
    /// By revision.
    roots: Vec<Root>,
    /// Of the newest revision, in seal order.
    leaves: Vec<DayLeaf>,
    undos: Vec<Undo>,
}

impl ClosedPeriod {
    pub(super) fn new(root: Root, leaves: Vec<DayLeaf>) -> Self {
        Self { roots: vec![root], leaves, undos: Vec::new() }
    }

    /// Moves on to the next revision.
    pub(super) fn close_again(&mut self, root: Root, leaves: Vec<DayLeaf>) {
        let mut undo = Undo::new();
        changes(&self.leaves, &leaves, |key, before| {
            undo.insert(key, before.cloned());
        });
        self.undos.push(undo);
        self.roots.push(root);
        self.leaves = leaves;
    }

    pub(super) fn root(&self) -> Root {
        *self.roots.last().expect("a closed month was closed once")
    }

    pub(super) fn revision_count(&self) -> usize {
        self.roots.len()
    }

    pub(super) fn leaves(&self) -> &[DayLeaf] {
        &self.leaves
    }

    /// A day's block as it stood in a revision.
    pub(super) fn block_at(&self, key: &BlockKey, revision: usize) -> Option<&DayBlock> {
        let undone = self.undos.iter().skip(revision).find_map(|undo| undo.get(key));
        match undone {
            Some(leaf) => leaf.as_ref().map(DayLeaf::block),
            None => {
                let order = |leaf: &DayLeaf| seal_order(&leaf.block().key());
                let at = self.leaves.binary_search_by_key(&seal_order(key), order).ok()?;
                Some(self.leaves[at].block())
            }
        }
    }

    /// A day's block as it stood in the revision of this root.
    pub(super) fn block_of(&self, root: &ContentHash, key: &BlockKey) -> Option<&DayBlock> {
        let revision = self.roots.iter().position(|own| own.hash == *root)?;
        self.block_at(key, revision)
    }

    /// The registers of which some day is another than in a revision.
    pub(super) fn changed_since(&self, revision: usize) -> BTreeSet<(UsagePointId, Register)> {
        let keys = self.undos.iter().skip(revision).flat_map(BTreeMap::keys);
        keys.map(|key| (key.usage_point, key.register)).collect()
    }
}

/// The registers of which some day differs in two revisions.
pub(super) fn changed_between(before: &[DayLeaf], after: &[DayLeaf]) -> BTreeSet<(UsagePointId, Register)> {
    let mut changed = BTreeSet::new();
    changes(before, after, |key, _| {
        changed.insert((key.usage_point, key.register));
    });
    changed
}

/// Walks both in seal order; tells each day that differs, and what stood before.
fn changes(before: &[DayLeaf], after: &[DayLeaf], mut tell: impl FnMut(BlockKey, Option<&DayLeaf>)) {
    let order = |leaf: &&DayLeaf| seal_order(&leaf.block().key());
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    loop {
        let first = match (old.peek().map(order), new.peek().map(order)) {
            (None, None) => return,
            (Some(was), Some(is)) => was.cmp(&is),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
        };
        let was = if first.is_le() { old.next() } else { None };
        let is = if first.is_ge() { new.next() } else { None };
        if was.map(DayLeaf::bytes) != is.map(DayLeaf::bytes) {
            let key = was.or(is).expect("one of them is there").block().key();
            tell(key, was);
        }
    }
}
