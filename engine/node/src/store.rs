//! A node's chain store: blocks, their leaves, the state, the heads. redb, two-phase commits.
//!
//! | table | key | value |
//! |---|---|---|
//! | `blocks` | height | the block's canonical bytes |
//! | `leaves` | height | the log leaf's canonical bytes |
//! | `state` | state key | state value |
//! | `heads` | size | the head as a C2SP note |
//! | `files` | path in the node's folder | size and BLAKE3 of a sealed file |
//! | `findings` | height, then the text's hash | who computed or signed something else |
//! | `denials` | kind of asker, then a number | what was asked and not permitted |
//!
//! Every value carries a version and its own hash, bound to its table and key, so that a value changed or
//! moved is found whatever the store believes of its pages. Bytes in `FORMAT.md` §6.

mod denials;

use std::path::{Path, PathBuf};

use redb::{
    Database, DatabaseError, Durability, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, ReadableTable,
    TableDefinition, TransactionError,
};
use tallywatt_consensus::state::Change;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Block, LogLeaf};
use tallywatt_ledger::codec::{CodecError, Writer};
use tallywatt_ledger::digest;
use tallywatt_shards::durable::{self, DurableError};

pub use denials::{Asker, DENIAL_TEXT_SIZE_MAX, Denied};

const VALUE_VERSION: u8 = 1;
const HASH_SIZE: usize = 32;
const NOT_ITS_HASH: &str = "the value does not have the hash stored with it";

/// Keys are bytes in every table: heights and sizes big-endian, so that they sort.
type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Keys and values of a table, in order of key.
pub type Values = Vec<(Vec<u8>, Vec<u8>)>;

/// The tables, in the order they are audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableName {
    /// Blocks by height.
    Blocks,
    /// Log leaves by height.
    Leaves,
    /// The state's entries.
    State,
    /// Heads by size.
    Heads,
    /// Sealed files by path.
    Files,
    /// Disputes and divergences by height.
    Findings,
    /// What was asked and not permitted.
    Denials,
}

impl TableName {
    /// All tables.
    pub const ALL: [Self; 7] =
        [Self::Blocks, Self::Leaves, Self::State, Self::Heads, Self::Files, Self::Findings, Self::Denials];

    /// Its name in the store and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Leaves => "leaves",
            Self::State => "state",
            Self::Heads => "heads",
            Self::Files => "files",
            Self::Findings => "findings",
            Self::Denials => "denials",
        }
    }

    const fn definition(self) -> Table {
        TableDefinition::new(self.name())
    }
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    #[error("{}: {table} {key}: {what}", path.display())]
    Damaged {
        /// Which store.
        path: PathBuf,
        /// Which table.
        table: &'static str,
        /// Which key, printable.
        key: String,
        /// What is wrong.
        what: String,
    },
}

/// A block and its leaf as stored.
#[derive(Debug, Clone)]
pub struct StoredBlock {
    /// The block.
    pub block: Block,
    /// Its leaf.
    pub leaf: LogLeaf,
}

/// The store of one node.
pub struct ChainStore {
    path: PathBuf,
    handle: Handle,
}

enum Handle {
    Writable(Database),
    ReadOnly(ReadOnlyDatabase),
}

impl Handle {
    fn begin_read(&self) -> Result<ReadTransaction, TransactionError> {
        match self {
            Self::Writable(database) => database.begin_read(),
            Self::ReadOnly(database) => database.begin_read(),
        }
    }
}

impl ChainStore {
    /// Opens the store, or makes an empty one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            // A crash while a store is made leaves a file that is no store yet: so under another name.
            let new = path.with_extension("redb.new");
            durable::remove_if_there(&new)?;
            drop(Self::open_or_create(&new)?);
            // A crash here leaves the whole store under that name; it is made again. After this, it is there.
            durable::rename_durably(&new, path)?;
        }
        Self::open_or_create(path)
    }

    fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        let fail = |source: redb::Error| StoreError::Store {
            action: "open",
            path: path.to_owned(),
            source: Box::new(source),
        };
        let database = Database::create(path).map_err(|error| fail(error.into()))?;
        let store = Self { path: path.to_owned(), handle: Handle::Writable(database) };
        store.create_tables()?;
        Ok(store)
    }

    /// Opens an existing store and changes nothing in it, unless it was not closed: then it is brought in order
    /// as [`ChainStore::open`] does.
    ///
    /// # Errors
    /// [`StoreError`], also if there is none.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        match ReadOnlyDatabase::open(path) {
            Ok(database) => Ok(Self { path: path.to_owned(), handle: Handle::ReadOnly(database) }),
            Err(DatabaseError::RepairAborted) => Self::open(path),
            Err(error) => Err(StoreError::Store {
                action: "open",
                path: path.to_owned(),
                source: Box::new(error.into()),
            }),
        }
    }

    /// Stores a block, its leaf, the entries it changed and what is recorded of its sealed file (path, and size
    /// and hash), in one durable transaction.
    ///
    /// A crash before it returns leaves all of it or nothing; a crash after leaves a block not yet signed.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is stored.
    pub fn store_block(
        &self,
        block: &Block,
        leaf: &LogLeaf,
        changes: &[Change],
        file: Option<(&str, &[u8])>,
    ) -> Result<(), StoreError> {
        self.put_block(Durability::Immediate, block, leaf, changes, file)
    }

    /// The same, durable with the next durable transaction, [`ChainStore::flush`] if need be: for a node that hears many
    /// blocks one after the other. A crash before that leaves the blocks before, and the order gives these again.
    ///
    /// # Errors
    /// As [`ChainStore::store_block`].
    pub fn store_block_soon(
        &self,
        block: &Block,
        leaf: &LogLeaf,
        changes: &[Change],
        file: Option<(&str, &[u8])>,
    ) -> Result<(), StoreError> {
        self.put_block(Durability::None, block, leaf, changes, file)
    }

    /// Makes all that was stored durable.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn flush(&self) -> Result<(), StoreError> {
        self.write("flush", Durability::Immediate, |_| Ok(()))
    }

    fn put_block(
        &self,
        durability: Durability,
        block: &Block,
        leaf: &LogLeaf,
        changes: &[Change],
        file: Option<(&str, &[u8])>,
    ) -> Result<(), StoreError> {
        let height = block.height.to_be_bytes();
        self.write("store a block in", durability, |transaction| {
            put(transaction, TableName::Blocks, &height, &block.encode())?;
            put(transaction, TableName::Leaves, &height, &leaf.encode())?;
            for (key, value) in changes {
                put(transaction, TableName::State, key, value)?;
            }
            if let Some((path, value)) = file {
                put(transaction, TableName::Files, path.as_bytes(), value)?;
            }
            Ok(())
        })
    }

    /// Stores a head.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn store_head(&self, size: u64, note: &str) -> Result<(), StoreError> {
        self.put_head(Durability::Immediate, size, note)
    }

    /// Stores a head, durable with the next durable transaction. A crash before that loses signatures under it, which the
    /// parties give again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn store_head_soon(&self, size: u64, note: &str) -> Result<(), StoreError> {
        self.put_head(Durability::None, size, note)
    }

    fn put_head(&self, durability: Durability, size: u64, note: &str) -> Result<(), StoreError> {
        self.write("store a head in", durability, |transaction| {
            put(transaction, TableName::Heads, &size.to_be_bytes(), note.as_bytes())
        })
    }

    /// Stores a finding under the height it speaks of; the same one again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn store_finding(&self, height: u64, finding: &str) -> Result<(), StoreError> {
        let hash = digest::content_hash(finding.as_bytes());
        let key = [&height.to_be_bytes()[..], &hash.0[..8]].concat();
        self.write("store a finding in", Durability::Immediate, |transaction| {
            put(transaction, TableName::Findings, &key, finding.as_bytes())
        })
    }

    /// All findings, in order of height.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn findings(&self) -> Result<Vec<String>, StoreError> {
        let values = self.values(TableName::Findings)?;
        Ok(values.into_iter().map(|(_, text)| String::from_utf8_lossy(&text).into_owned()).collect())
    }

    /// Every value of a table, in order of key, each checked against its own hash.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the first value that fails.
    pub fn values(&self, table: TableName) -> Result<Values, StoreError> {
        let mut values = Vec::new();
        for (key, value) in self.sealed_values(table)? {
            let value =
                unseal(table, &key, &value).ok_or_else(|| self.damaged(table, &key, NOT_ITS_HASH.into()))?;
            values.push((key, value));
        }
        Ok(values)
    }

    /// Every value of a table as it is stored, with version and hash.
    ///
    /// # Errors
    /// [`StoreError::Store`].
    pub fn sealed_values(&self, table: TableName) -> Result<Values, StoreError> {
        let read = || -> Result<Values, redb::Error> {
            let transaction = self.handle.begin_read()?;
            let mut values = Vec::new();
            for item in transaction.open_table(table.definition())?.iter()? {
                let (key, value) = item?;
                values.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(values)
        };
        read().map_err(|source| self.failed("read", source))
    }

    /// Writes a value as it is, unsealed: only the demonstration of tampering and the tests of the audit do.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn overwrite(&self, table: TableName, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.write("overwrite a value in", Durability::Immediate, |transaction| {
            transaction.open_table(table.definition())?.insert(key, value)?;
            Ok(())
        })
    }

    /// All blocks with their leaves, in order of height, without gaps.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn blocks(&self) -> Result<Vec<StoredBlock>, StoreError> {
        self.walk()?.collect()
    }

    /// The same, one after the other, as they stand now.
    ///
    /// # Errors
    /// [`StoreError::Store`].
    pub fn walk(&self) -> Result<BlockWalk, StoreError> {
        let open = |table: TableName| -> Result<TableWalk, redb::Error> {
            let table = self.handle.begin_read()?.open_table(table.definition())?;
            Ok(table.range::<&[u8]>(..)?)
        };
        let failed = |source| self.failed("read", source);
        let (blocks, leaves) =
            (open(TableName::Blocks).map_err(failed)?, open(TableName::Leaves).map_err(failed)?);
        Ok(BlockWalk { path: self.path.clone(), blocks, leaves, height: 0 })
    }

    /// The block at a height with its leaf; `None` past the end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn block(&self, height: u64) -> Result<Option<StoredBlock>, StoreError> {
        let key = height.to_be_bytes();
        let read = || -> Result<[Option<Vec<u8>>; 2], redb::Error> {
            let transaction = self.handle.begin_read()?;
            let mut found = [None, None];
            for (found, table) in found.iter_mut().zip([TableName::Blocks, TableName::Leaves]) {
                let table = transaction.open_table(table.definition())?;
                *found = table.get(key.as_slice())?.map(|value| value.value().to_vec());
            }
            Ok(found)
        };
        let [block, leaf] = read().map_err(|source| self.failed("read", source))?;
        let Some(block) = block else { return Ok(None) };
        let wrong = |what: String| self.damaged(TableName::Blocks, &key, what);
        let unsealed = |table, value: &[u8]| {
            unseal(table, &key, value).ok_or_else(|| wrong("not the hash stored with it".into()))
        };
        let block = unsealed(TableName::Blocks, &block)?;
        let leaf = unsealed(TableName::Leaves, &leaf.unwrap_or_default())?;
        let codec = |error: CodecError| wrong(error.to_string());
        let block = Block::decode(&block).map_err(codec)?;
        let leaf = LogLeaf::decode(&leaf).map_err(codec)?;
        if block.height != height || leaf.height != height {
            return Err(wrong("not the block of this height".into()));
        }
        Ok(Some(StoredBlock { block, leaf }))
    }

    /// A store in memory, of a process that only looks at what another stores.
    ///
    /// # Errors
    /// [`StoreError::Store`].
    pub fn in_memory(path: &Path) -> Result<Self, StoreError> {
        let fail = |source: redb::Error| StoreError::Store {
            action: "make a copy in memory of",
            path: path.to_owned(),
            source: Box::new(source),
        };
        let database = Database::builder().create_with_backend(redb::backends::InMemoryBackend::new());
        let database = database.map_err(|error| fail(error.into()))?;
        let store = Self { path: path.to_owned(), handle: Handle::Writable(database) };
        store.create_tables()?;
        Ok(store)
    }

    fn create_tables(&self) -> Result<(), StoreError> {
        self.write("create tables in", Durability::Immediate, |transaction| {
            for table in TableName::ALL {
                transaction.open_table(table.definition())?;
            }
            Ok(())
        })
    }

    /// All heads, in order of size.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn heads(&self) -> Result<Vec<(u64, String)>, StoreError> {
        let heads = self.values(TableName::Heads)?.into_iter();
        heads.map(|(key, note)| self.head(&key, note)).collect()
    }

    /// The largest heads, the largest first.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn newest_heads(&self, count: usize) -> Result<Vec<(u64, String)>, StoreError> {
        let read = || -> Result<Values, redb::Error> {
            let table = self.handle.begin_read()?.open_table(TableName::Heads.definition())?;
            let mut values = Vec::new();
            for item in table.iter()?.rev().take(count) {
                let (key, value) = item?;
                values.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok(values)
        };
        let sealed = read().map_err(|source| self.failed("read", source))?;
        let heads = sealed.into_iter().map(|(key, value)| {
            let note = unseal(TableName::Heads, &key, &value);
            let note = note.ok_or_else(|| self.damaged(TableName::Heads, &key, NOT_ITS_HASH.into()))?;
            self.head(&key, note)
        });
        heads.collect()
    }

    fn head(&self, key: &[u8], note: Vec<u8>) -> Result<(u64, String), StoreError> {
        let wrong = || self.damaged(TableName::Heads, key, "not a size and a note".into());
        let size = u64::from_be_bytes(key.try_into().map_err(|_| wrong())?);
        Ok((size, String::from_utf8(note).map_err(|_| wrong())?))
    }

    fn write(
        &self,
        action: &'static str,
        durability: Durability,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), StoreError> {
        let Handle::Writable(database) = &self.handle else {
            unreachable!("a store that was opened to read is not written to");
        };
        let run = || -> Result<(), redb::Error> {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(durability)?;
            // Peers may be hostile: the one-phase commit's checksum is no defence against chosen values.
            transaction.set_two_phase_commit(true);
            work(&transaction)?;
            transaction.commit()?;
            Ok(())
        };
        run().map_err(|source| self.failed(action, source))
    }

    fn failed(&self, action: &'static str, source: redb::Error) -> StoreError {
        StoreError::Store { action, path: self.path.clone(), source: Box::new(source) }
    }

    fn damaged(&self, table: TableName, key: &[u8], what: String) -> StoreError {
        damaged(&self.path, table, key, what)
    }
}

fn damaged(path: &Path, table: TableName, key: &[u8], what: String) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), table: table.name(), key: printable(table, key), what }
}

type KeyValue = (Vec<u8>, Vec<u8>);
type TableWalk = redb::Range<'static, &'static [u8], &'static [u8]>;

/// Blocks with their leaves, each read and checked when it is asked for.
pub struct BlockWalk {
    path: PathBuf,
    blocks: TableWalk,
    leaves: TableWalk,
    height: u64,
}

impl BlockWalk {
    fn read(&mut self) -> Result<Option<StoredBlock>, StoreError> {
        let path = &self.path;
        let next = |walk: &mut TableWalk| -> Result<Option<KeyValue>, StoreError> {
            let read = |source: redb::StorageError| StoreError::Store {
                action: "read",
                path: path.clone(),
                source: Box::new(source.into()),
            };
            let Some((key, value)) = walk.next().transpose().map_err(read)? else { return Ok(None) };
            Ok(Some((key.value().to_vec(), value.value().to_vec())))
        };
        let unsealed = |table, key: &[u8], sealed: &[u8]| {
            unseal(table, key, sealed).ok_or_else(|| damaged(path, table, key, NOT_ITS_HASH.into()))
        };
        let (block, leaf) = (next(&mut self.blocks)?, next(&mut self.leaves)?);
        let Some((key, block)) = block else {
            let stray = |(key, _): KeyValue| {
                damaged(path, TableName::Leaves, &key, "a leaf without its block".into())
            };
            return leaf.map_or(Ok(None), |leaf| Err(stray(leaf)));
        };
        let wrong = |what: String| damaged(path, TableName::Blocks, &key, what);
        let codec = |error: CodecError| wrong(error.to_string());
        let block = Block::decode(&unsealed(TableName::Blocks, &key, &block)?).map_err(codec)?;
        let leaf = match leaf.filter(|(leaf_key, _)| *leaf_key == key) {
            Some((_, leaf)) => unsealed(TableName::Leaves, &key, &leaf)?,
            None => Vec::new(),
        };
        let leaf = LogLeaf::decode(&leaf).map_err(codec)?;
        let height = self.height;
        if key[..] != height.to_be_bytes() || block.height != height || leaf.height != height {
            return Err(wrong("heights have a gap".into()));
        }
        self.height += 1;
        Ok(Some(StoredBlock { block, leaf }))
    }
}

impl Iterator for BlockWalk {
    type Item = Result<StoredBlock, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// A key as people read it: a number for heights and sizes, text for the rest.
#[must_use]
pub fn printable(table: TableName, key: &[u8]) -> String {
    match (table, <[u8; 8]>::try_from(key)) {
        (TableName::Blocks | TableName::Leaves | TableName::Heads, Ok(number)) => {
            u64::from_be_bytes(number).to_string()
        }
        _ => key.escape_ascii().to_string(),
    }
}

fn put(
    transaction: &redb::WriteTransaction,
    table: TableName,
    key: &[u8],
    value: &[u8],
) -> Result<(), redb::Error> {
    transaction.open_table(table.definition())?.insert(key, seal(table, key, value).as_slice())?;
    Ok(())
}

/// Version, payload, then the hash over table, key, version and payload.
#[must_use]
pub fn seal(table: TableName, key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut sealed = vec![VALUE_VERSION];
    sealed.extend_from_slice(payload);
    let hash = value_hash(table, key, &sealed);
    sealed.extend_from_slice(&hash.0);
    sealed
}

/// The payload of a stored value, if it has the hash stored with it.
#[must_use]
pub fn unseal(table: TableName, key: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let body_size = sealed.len().checked_sub(HASH_SIZE)?;
    let (body, hash) = sealed.split_at(body_size);
    let (&version, payload) = body.split_first()?;
    let matches = version == VALUE_VERSION && value_hash(table, key, body).0 == hash;
    matches.then(|| payload.to_vec())
}

fn value_hash(table: TableName, key: &[u8], body: &[u8]) -> ContentHash {
    let mut writer = Writer::default();
    writer.text(table.name()).bytes(key).raw(body);
    digest::content_hash(&writer.finish())
}
