//! What the order hands on: every agreed entry, in order, once since the start.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openraft::EmptyNode;
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, EntryPayload, LogId, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError,
    StorageIOError, StoredMembership,
};
use tallywatt_consensus::message::decode_entry;
use tokio::sync::mpsc;

use crate::order::{Ordered, Types};

/// Takes agreed entries and gives them to the node. What they mean is not its business: it keeps no state that a crash
/// could lose, but hears every entry again at a start and skips those that the node has in its chain.
#[derive(Clone)]
pub(super) struct Relay {
    node: mpsc::Sender<Ordered>,
    applied: Arc<AtomicU64>,
    /// The node had applied up to here when it started.
    known: u64,
    last: Option<LogId<u64>>,
    membership: StoredMembership<u64, EmptyNode>,
}

impl Relay {
    pub(super) fn new(node: mpsc::Sender<Ordered>, applied: Arc<AtomicU64>, known: u64) -> Self {
        Self { node, applied, known, last: None, membership: StoredMembership::default() }
    }
}

impl RaftStateMachine<Types> for Relay {
    type SnapshotBuilder = Self;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId<u64>>, StoredMembership<u64, EmptyNode>), StorageError<u64>> {
        Ok((self.last, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, StorageError<u64>>
    where
        I: IntoIterator<Item = openraft::Entry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut replies = Vec::new();
        for entry in entries {
            let (id, index) = (entry.log_id, entry.log_id.index);
            let mut file = Vec::new();
            let entry = match entry.payload {
                EntryPayload::Blank => None,
                EntryPayload::Normal(bytes) => {
                    file = bytes.file;
                    decode_entry(&bytes.entry).ok()
                }
                EntryPayload::Membership(members) => {
                    self.membership = StoredMembership::new(Some(id), members);
                    None
                }
            };
            if index > self.known {
                // From here on it must not be taken back: the node may have stored it before this goes on.
                self.applied.fetch_max(index, Ordering::SeqCst);
                let sent = self.node.send(Ordered { index, entry, file }).await;
                sent.map_err(|_| StorageIOError::apply(id, AnyError::error("the node has stopped")))?;
            }
            self.last = Some(id);
            replies.push(());
        }
        Ok(replies)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        Err(no_snapshots())
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta<u64, EmptyNode>,
        _snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<u64>> {
        Err(no_snapshots())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError<u64>> {
        Ok(None)
    }
}

impl RaftSnapshotBuilder<Types> for Relay {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError<u64>> {
        Err(no_snapshots())
    }
}

/// The log is never cut, so nobody ever needs one; a peer that offers one has something else in mind.
fn no_snapshots() -> StorageError<u64> {
    StorageIOError::write_snapshot(None, AnyError::error("the log is the chain, there are no snapshots"))
        .into()
}
