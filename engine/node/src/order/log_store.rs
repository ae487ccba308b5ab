//! The order on disk: entries and the vote, in a redb of its own.
//!
//! | table | key | value |
//! |---|---|---|
//! | `entries` | index | the entry, as postcard |
//! | `votes` | `vote` | the last vote, as postcard |
//!
//! ```text
//!   append, vote, truncate ─▶ one thread: everything that waits in ONE two-phase commit ─▶ acknowledged
//! ```
//!
//! Every value carries a version and its own hash, bound to its table and key. A crash before a commit returns leaves none
//! of it, and nobody was told otherwise; after it, all of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{
    AnyError, Entry as RaftEntry, EntryPayload, LogId, LogState, OptionalSend, RaftLogReader, StorageError,
    StorageIOError, Vote,
};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;
use tallywatt_consensus::message::encode_entry;
use tallywatt_consensus::order::Entry;
use tallywatt_ledger::block::Block;
use tallywatt_ledger::codec::Writer;
use tallywatt_ledger::digest;
use tallywatt_shards::durable::{self, DurableError};
use tokio::sync::oneshot;

use crate::order::Types;

const ENTRIES: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("entries");
const VOTES: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("votes");
const VOTE_KEY: &str = "vote";
const VALUE_VERSION: u8 = 1;
const HASH_SIZE: usize = 32;
/// How many writes go into one commit.
const GROUP_COUNT_MAX: usize = 256;
/// How many of the newest entries are kept at hand; those that are not on disk yet are among them.
const KEPT_COUNT_MAX: usize = 1_024;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogStoreError {
    /// The system refused.
    #[error(transparent)]
    Disk(#[from] DurableError),
    /// The store refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Store {
        /// What was attempted.
        action: &'static str,
        /// Which store.
        path: PathBuf,
        /// What it said.
        source: Box<redb::Error>,
    },
    /// A stored value is not what was written.
    #[error("{}: {table} {key}: the value is not what was written", path.display())]
    Damaged {
        /// Which store.
        path: PathBuf,
        /// Which table.
        table: &'static str,
        /// Which key.
        key: String,
    },
    /// The chain holds what the order does not.
    #[error("{}: the chain has block {height}, which is not in the order", path.display())]
    Behind {
        /// Which store.
        path: PathBuf,
        /// The first block that is not found.
        height: u64,
    },
}

/// The entries of the order, next to the blocks they became.
pub struct ChainWalk<'s> {
    store: &'s LogStore,
    entries: redb::Range<'static, u64, &'static [u8]>,
    index: u64,
}

impl ChainWalk<'_> {
    /// The small file that came with the entry of the next block; empty if none did.
    ///
    /// # Errors
    /// [`LogStoreError::Behind`] if the block is not in the order: the two folders are not of one node.
    pub fn file_of(&mut self, block: &Block) -> Result<Vec<u8>, LogStoreError> {
        let Block { height, proposal, attestations } = block.clone();
        let wanted = encode_entry(&Entry { proposal, attestations });
        for item in self.entries.by_ref() {
            let (key, value) = item.map_err(|error| self.store.failed("read", error.into()))?;
            let entry = self.store.entry(key.value(), value.value())?;
            if let EntryPayload::Normal(bytes) = entry.payload
                && bytes.entry == wanted
            {
                self.index = entry.log_id.index;
                return Ok(bytes.file);
            }
        }
        Err(LogStoreError::Behind { path: self.store.shared.path.clone(), height })
    }

    /// The index of the entry that the last block was; 0 before the first.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }
}

enum Write {
    Append(Vec<(u64, Vec<u8>)>, LogFlushed<Types>),
    Vote(Vec<u8>, oneshot::Sender<Result<(), String>>),
    Truncate(u64, oneshot::Sender<Result<(), String>>),
}

struct Shared {
    path: PathBuf,
    database: Database,
    /// The newest entries by index.
    kept: Mutex<BTreeMap<u64, RaftEntry<Types>>>,
    /// Up to here every entry is on disk.
    flushed: AtomicU64,
    refusal: Mutex<Option<String>>,
}

/// The order's log and vote on this node's disk.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<Shared>,
    /// Up to here the node has applied, or may have.
    applied: Arc<AtomicU64>,
    writer: mpsc::Sender<Write>,
}

impl LogStore {
    /// Opens the store, or makes an empty one, and starts its writing thread.
    ///
    /// # Errors
    /// [`LogStoreError`].
    pub fn open(path: &Path) -> Result<Self, LogStoreError> {
        if !path.exists() {
            // A crash while a store is made leaves a file that is no store yet: so under another name.
            let new = path.with_extension("redb.new");
            durable::remove_if_there(&new)?;
            drop(open_database(&new)?);
            durable::rename_durably(&new, path)?;
        }
        let database = open_database(path)?;
        let shared = Shared {
            path: path.to_owned(),
            database,
            kept: Mutex::default(),
            flushed: AtomicU64::new(0),
            refusal: Mutex::default(),
        };
        let (writer, receiver) = mpsc::channel();
        let store = Self { shared: Arc::new(shared), applied: Arc::default(), writer };
        let last = store.last()?.map_or(0, |entry| entry.log_id.index);
        store.shared.flushed.store(last, Ordering::SeqCst);
        let shared = Arc::clone(&store.shared);
        let spawned =
            std::thread::Builder::new().name("order".into()).spawn(move || write_all(&shared, &receiver));
        spawned.map_err(DurableError::io("start the writer of", path))?;
        Ok(store)
    }

    /// Whether there is neither an entry nor a vote.
    ///
    /// # Errors
    /// [`LogStoreError`].
    pub fn is_empty(&self) -> Result<bool, LogStoreError> {
        Ok(self.last()?.is_none() && self.vote()?.is_none())
    }

    /// Begins a walk of entries and blocks side by side: the chain is what the order gives when each entry that follows is
    /// taken, so the entry of the last block says up to where the node has applied.
    ///
    /// # Errors
    /// [`LogStoreError::Store`].
    pub fn walk(&self) -> Result<ChainWalk<'_>, LogStoreError> {
        let open = || -> Result<redb::Range<'static, u64, &'static [u8]>, redb::Error> {
            Ok(self.shared.database.begin_read()?.open_table(ENTRIES)?.range::<u64>(..)?)
        };
        let entries = open().map_err(|source| self.failed("read", source))?;
        Ok(ChainWalk { store: self, entries, index: 0 })
    }

    /// Says up to which index the node has applied.
    pub fn set_applied(&self, index: u64) {
        self.applied.fetch_max(index, Ordering::SeqCst);
    }

    /// The index up to which the node has applied, to raise it.
    #[must_use]
    pub fn applied_index(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.applied)
    }

    /// What a leader wanted to take back, if any did.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        lock(&self.shared.refusal).clone()
    }

    fn last(&self) -> Result<Option<RaftEntry<Types>>, LogStoreError> {
        let kept = lock(&self.shared.kept).values().next_back().cloned();
        if kept.is_some() {
            return Ok(kept);
        }
        let read = || -> Result<Option<(u64, Vec<u8>)>, redb::Error> {
            let table = self.shared.database.begin_read()?.open_table(ENTRIES)?;
            Ok(table.last()?.map(|(key, value)| (key.value(), value.value().to_vec())))
        };
        let last = read().map_err(|source| self.failed("read", source))?;
        last.map(|(index, value)| self.entry(index, &value)).transpose()
    }

    fn range(&self, from: u64, to: u64) -> Result<Vec<RaftEntry<Types>>, LogStoreError> {
        let mut entries = Vec::new();
        let first_kept = {
            let kept = lock(&self.shared.kept);
            entries.extend(kept.range(from..to).map(|(_, entry)| entry.clone()));
            kept.keys().next().copied().unwrap_or(u64::MAX)
        };
        if from >= first_kept {
            return Ok(entries);
        }
        let read = || -> Result<Vec<(u64, Vec<u8>)>, redb::Error> {
            let table = self.shared.database.begin_read()?.open_table(ENTRIES)?;
            let mut values = Vec::new();
            for item in table.range(from..to.min(first_kept))? {
                let (key, value) = item?;
                values.push((key.value(), value.value().to_vec()));
            }
            Ok(values)
        };
        let stored = read().map_err(|source| self.failed("read", source))?;
        let stored = stored.iter().map(|(index, value)| self.entry(*index, value));
        let mut stored = stored.collect::<Result<Vec<_>, _>>()?;
        stored.append(&mut entries);
        Ok(stored)
    }

    fn entry(&self, index: u64, sealed: &[u8]) -> Result<RaftEntry<Types>, LogStoreError> {
        let damaged = || self.damaged(ENTRIES_NAME, index.to_string());
        let entry: RaftEntry<Types> =
            unseal(ENTRIES_NAME, &index.to_be_bytes(), sealed).ok_or_else(damaged)?;
        if entry.log_id.index == index { Ok(entry) } else { Err(damaged()) }
    }

    fn vote(&self) -> Result<Option<Vote<u64>>, LogStoreError> {
        let read = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = self.shared.database.begin_read()?.open_table(VOTES)?;
            Ok(table.get(VOTE_KEY)?.map(|value| value.value().to_vec()))
        };
        let Some(sealed) = read().map_err(|source| self.failed("read", source))? else { return Ok(None) };
        let vote = unseal(VOTES_NAME, VOTE_KEY.as_bytes(), &sealed);
        vote.map(Some).ok_or_else(|| self.damaged(VOTES_NAME, VOTE_KEY.to_owned()))
    }

    async fn write(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Write,
    ) -> Result<(), AnyError> {
        let (done, wait) = oneshot::channel();
        let gone = || AnyError::error("the writer of the order has stopped");
        self.writer.send(make(done)).map_err(|_| gone())?;
        wait.await.map_err(|_| gone())?.map_err(AnyError::error)
    }

    fn failed(&self, action: &'static str, source: redb::Error) -> LogStoreError {
        LogStoreError::Store { action, path: self.shared.path.clone(), source: Box::new(source) }
    }

    fn damaged(&self, table: &'static str, key: String) -> LogStoreError {
        LogStoreError::Damaged { path: self.shared.path.clone(), table, key }
    }
}

const ENTRIES_NAME: &str = "entries";
const VOTES_NAME: &str = "votes";

impl RaftLogReader<Types> for LogStore {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<RaftEntry<Types>>, StorageError<u64>> {
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        Ok(self.range(from, to).map_err(|error| StorageIOError::read_logs(AnyError::new(&error)))?)
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError<u64>> {
        let last = self.last().map_err(|error| StorageIOError::read_logs(AnyError::new(&error)))?;
        Ok(LogState { last_purged_log_id: None, last_log_id: last.map(|entry| entry.log_id) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Result<(), StorageError<u64>> {
        let sealed = seal(VOTES_NAME, VOTE_KEY.as_bytes(), vote).map_err(StorageIOError::write_vote)?;
        Ok(self.write(|done| Write::Vote(sealed, done)).await.map_err(StorageIOError::write_vote)?)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        Ok(self.vote().map_err(|error| StorageIOError::read_vote(AnyError::new(&error)))?)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = RaftEntry<Types>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut sealed = Vec::new();
        {
            let mut kept = lock(&self.shared.kept);
            for entry in entries {
                let index = entry.log_id.index;
                let bytes = seal(ENTRIES_NAME, &index.to_be_bytes(), &entry);
                sealed.push((index, bytes.map_err(StorageIOError::write_logs)?));
                kept.insert(index, entry);
            }
            // Only what is on disk may be forgotten here.
            let flushed = self.shared.flushed.load(Ordering::SeqCst);
            while kept.len() > KEPT_COUNT_MAX && kept.keys().next().is_some_and(|first| *first <= flushed) {
                kept.pop_first();
            }
        }
        // A sender that is gone drops the callback, and that stops the order: nothing is acknowledged.
        let sent = self.writer.send(Write::Append(sealed, callback));
        Ok(sent.map_err(|_| StorageIOError::write_logs(AnyError::error("the writer has stopped")))?)
    }

    async fn truncate(&mut self, id: LogId<u64>) -> Result<(), StorageError<u64>> {
        let applied = self.applied.load(Ordering::SeqCst);
        if id.index <= applied {
            let refusal = format!(
                "a leader wants entry {} and all after it taken back (term {}), but the chain stands on entry {applied}: \
                 this node stops",
                id.index, id.leader_id.term
            );
            *lock(&self.shared.refusal) = Some(refusal.clone());
            return Err(StorageIOError::write_logs(AnyError::error(refusal)).into());
        }
        lock(&self.shared.kept).split_off(&id.index);
        self.shared.flushed.fetch_min(id.index.saturating_sub(1), Ordering::SeqCst);
        Ok(self.write(|done| Write::Truncate(id.index, done)).await.map_err(StorageIOError::write_logs)?)
    }

    async fn purge(&mut self, id: LogId<u64>) -> Result<(), StorageError<u64>> {
        // Not asked for by these settings; if it ever is, forgetting the chain's history is refused.
        let what = format!("entries up to {} are the chain, and are not thrown away", id.index);
        Err(StorageIOError::write_logs(AnyError::error(what)).into())
    }
}

fn open_database(path: &Path) -> Result<Database, LogStoreError> {
    let open = || -> Result<Database, redb::Error> {
        let database = Database::create(path)?;
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_two_phase_commit(true);
        transaction.open_table(ENTRIES)?;
        transaction.open_table(VOTES)?;
        transaction.commit()?;
        Ok(database)
    };
    let fail =
        |source| LogStoreError::Store { action: "open", path: path.to_owned(), source: Box::new(source) };
    open().map_err(fail)
}

/// The writing thread: whatever waits goes into one commit, in the order it came; then all of it is acknowledged.
fn write_all(shared: &Shared, receiver: &mpsc::Receiver<Write>) {
    while let Ok(first) = receiver.recv() {
        let mut group = vec![first];
        while group.len() < GROUP_COUNT_MAX {
            let Ok(next) = receiver.try_recv() else { break };
            group.push(next);
        }
        let written = commit(&shared.database, &group).map_err(|error| error.to_string());
        for write in group {
            match write {
                Write::Append(entries, callback) => {
                    if let (Ok(()), Some((last, _))) = (&written, entries.last()) {
                        shared.flushed.fetch_max(*last, Ordering::SeqCst);
                    }
                    callback.log_io_completed(written.clone().map_err(std::io::Error::other));
                }
                Write::Vote(_, done) | Write::Truncate(_, done) => {
                    // Who asked is gone only when the order has stopped.
                    let _ = done.send(written.clone());
                }
            }
        }
        if written.is_err() {
            return;
        }
    }
}

fn commit(database: &Database, group: &[Write]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    // Peers may be hostile: the one-phase commit's checksum is no defence against chosen values.
    transaction.set_two_phase_commit(true);
    {
        let (mut entries, mut votes) = (transaction.open_table(ENTRIES)?, transaction.open_table(VOTES)?);
        for write in group {
            match write {
                Write::Append(sealed, _) => {
                    for (index, bytes) in sealed {
                        entries.insert(*index, bytes.as_slice())?;
                    }
                }
                Write::Vote(bytes, _) => {
                    votes.insert(VOTE_KEY, bytes.as_slice())?;
                }
                Write::Truncate(from, _) => entries.retain_in(*from.., |_, _| false)?,
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Version, value, then the hash over table, key, version and value.
fn seal<T: serde::Serialize>(table: &str, key: &[u8], value: &T) -> Result<Vec<u8>, AnyError> {
    let mut sealed = vec![VALUE_VERSION];
    sealed.extend(postcard::to_stdvec(value).map_err(|error| AnyError::new(&error))?);
    let hash = value_hash(table, key, &sealed);
    sealed.extend_from_slice(&hash);
    Ok(sealed)
}

fn unseal<T: DeserializeOwned>(table: &str, key: &[u8], sealed: &[u8]) -> Option<T> {
    let (body, hash) = sealed.split_at_checked(sealed.len().checked_sub(HASH_SIZE)?)?;
    let (&version, value) = body.split_first()?;
    if version != VALUE_VERSION || value_hash(table, key, body) != hash {
        return None;
    }
    postcard::from_bytes(value).ok()
}

fn value_hash(table: &str, key: &[u8], body: &[u8]) -> [u8; HASH_SIZE] {
    let mut writer = Writer::default();
    writer.text(table).bytes(key).raw(body);
    digest::content_hash(&writer.finish()).0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use openraft::storage::RaftLogStorageExt;
    use openraft::{CommittedLeaderId, EntryPayload, LogId, Vote};

    use super::*;
    use crate::order::EntryBytes;

    fn entry(term: u64, index: u64) -> RaftEntry<Types> {
        let bytes = EntryBytes { entry: index.to_be_bytes().to_vec(), file: Vec::new() };
        let log_id = LogId::new(CommittedLeaderId::new(term, 1), index);
        RaftEntry { log_id, payload: EntryPayload::Normal(bytes) }
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
    }

    async fn indices(store: &mut LogStore, range: std::ops::Range<u64>) -> Vec<(u64, u64)> {
        let entries = store.try_get_log_entries(range).await.expect("it reads");
        entries.iter().map(|entry| (entry.log_id.leader_id.term, entry.log_id.index)).collect()
    }

    #[test]
    fn what_is_acknowledged_is_there_again() {
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("order.redb");
            let mut store = LogStore::open(&path).expect("a new store");
            assert_eq!(store.get_log_state().await.expect("it reads").last_log_id, None);
            let count = 3 * KEPT_COUNT_MAX as u64;
            for first in (1..=count).step_by(64) {
                store
                    .blocking_append((first..first + 64).map(|index| entry(1, index)))
                    .await
                    .expect("it is flushed");
            }
            let vote = Vote::new_committed(4, 2);
            store.save_vote(&vote).await.expect("it is flushed");
            assert!(lock(&store.shared.kept).len() <= KEPT_COUNT_MAX + 64, "old entries are let go of");
            let want: Vec<(u64, u64)> = (1..=count).map(|index| (1, index)).collect();
            assert_eq!(indices(&mut store, 0..u64::MAX).await, want, "from memory and disk");
            drop(store);
            // The writing thread lets the file go when it has seen that nobody is left.
            let mut store = reopened(&path);
            assert_eq!(store.read_vote().await.expect("it reads"), Some(vote));
            assert_eq!(indices(&mut store, 0..u64::MAX).await, want);
            assert_eq!(indices(&mut store, 5..8).await, want[4..7]);
            assert_eq!(
                store.get_log_state().await.expect("it reads").last_log_id.map(|id| id.index),
                Some(count)
            );
        });
    }

    fn reopened(path: &Path) -> LogStore {
        for _ in 0..1_000 {
            if let Ok(store) = LogStore::open(path) {
                return store;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("the store is not let go of");
    }

    #[test]
    fn what_is_applied_is_never_taken_back() {
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let mut store = LogStore::open(&folder.path().join("order.redb")).expect("a new store");
            store.blocking_append((1..=10).map(|index| entry(1, index))).await.expect("it is flushed");
            store.set_applied(6);
            store.truncate(entry(1, 8).log_id).await.expect("8 is not applied");
            assert_eq!(store.refusal(), None);
            assert_eq!(indices(&mut store, 0..u64::MAX).await.len(), 7);
            store.blocking_append([entry(2, 8)]).await.expect("it is flushed");
            for index in [1, 6] {
                let refused = store.truncate(entry(2, index).log_id).await;
                assert!(refused.is_err() && store.refusal().is_some(), "truncate at {index}");
            }
            assert!(store.purge(entry(1, 3).log_id).await.is_err(), "the log is the chain");
            let held = indices(&mut store, 0..u64::MAX).await;
            assert_eq!((held.len(), held[7]), (8, (2, 8)), "nothing was taken back");
        });
    }

    #[test]
    fn a_value_that_is_not_what_was_written_is_found() {
        run(async {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("order.redb");
            let mut store = LogStore::open(&path).expect("a new store");
            store.blocking_append((1..=3).map(|index| entry(1, index))).await.expect("it is flushed");
            drop(store);
            drop(reopened(&path));
            let sealed = seal(ENTRIES_NAME, &2_u64.to_be_bytes(), &entry(1, 2)).expect("it is encoded");
            for at in [0, 5, sealed.len() - 1] {
                let mut other = sealed.clone();
                other[at] ^= 1;
                assert!(
                    unseal::<RaftEntry<Types>>(ENTRIES_NAME, &2_u64.to_be_bytes(), &other).is_none(),
                    "byte {at}"
                );
            }
            let elsewhere = unseal::<RaftEntry<Types>>(ENTRIES_NAME, &3_u64.to_be_bytes(), &sealed);
            assert!(elsewhere.is_none(), "a value at another index");
        });
    }
}
