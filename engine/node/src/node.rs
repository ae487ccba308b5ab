//! One party's node: its folder and store, its member of the chain, its books. Does what the member asks for.
//!
//! Opening a node is the normal path run again: every stored block goes through the member and the books in
//! order, every sealed file is checked against the hash stored with it.

mod evidence;
mod lie;

use std::collections::BTreeMap;

use tallywatt_consensus::lock::SignLock;
use tallywatt_consensus::machine::{Action, Cosignature, Event, Member, MemberError, NotComputed};
use tallywatt_consensus::members::{KeyRing, Signer};
use tallywatt_consensus::state::Change;
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_ledger::activation;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::block::{Block, LogLeaf, Proposal};
use tallywatt_ledger::command::Command;
use tallywatt_ledger::digest;
use tallywatt_ledger::key_history::KeysInForce;
use tallywatt_ledger::note::{Note, SignatureLine};
use tallywatt_shards::threads::Threads;

use crate::books::{Books, BooksError, Computed, Input};
use crate::node_folder::{self, FolderError, NodeFolder};
use crate::order::log_store::{ChainWalk, LogStoreError};
use crate::store::{ChainStore, StoreError, StoredBlock, TableName, Values};

pub use lie::Lie;

/// How many of the newest heads have their cosignatures checked again when a node opens.
const HEADS_RESTORED: usize = 4;

/// Why a node cannot be opened or go on.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its folder.
    #[error("{party}: {source}")]
    Folder {
        /// Whose.
        party: Party,
        /// Why.
        source: FolderError,
    },
    /// Its store.
    #[error("{party}: {source}")]
    Store {
        /// Whose.
        party: Party,
        /// Why.
        source: StoreError,
    },
    /// Its member of the chain.
    #[error("{party}: {source}")]
    Member {
        /// Whose.
        party: Party,
        /// Why.
        source: MemberError,
    },
    /// Its books.
    #[error("{party}: {source}")]
    Books {
        /// Whose.
        party: Party,
        /// Why.
        source: BooksError,
    },
    /// The log of its order.
    #[error("{party}: {source}")]
    Order {
        /// Whose.
        party: Party,
        /// Why.
        source: LogStoreError,
    },
    /// The process that runs it did not do what it was asked.
    #[error("{party}: {what}")]
    Running {
        /// Whose.
        party: Party,
        /// Why.
        what: String,
        /// Too few parties are there.
        is_quorum: bool,
    },
    /// Something stored is not what it was.
    #[error("{party}: {place}: {what}")]
    Damaged {
        /// Whose.
        party: Party,
        /// Where.
        place: String,
        /// What is wrong.
        what: String,
    },
}

/// One party's node.
pub struct Node {
    party: Party,
    folder: NodeFolder,
    store: ChainStore,
    member: Member,
    books: Books,
    lie: Option<Lie>,
    sealed_files: Vec<SealedFile>,
}

/// What a node that was opened found of the file of a block.
pub struct SealedFile {
    /// The block's proposal.
    pub proposal: ContentHash,
    /// What it is.
    pub kind: CommandKind,
    /// Where it lies in the node's folder.
    pub path: String,
    /// Its size and hash, as the table `files` has them.
    pub value: Vec<u8>,
}

impl Node {
    /// Opens the node in `folder`: reads its keys, lock and store, and goes through its chain.
    ///
    /// # Errors
    /// [`NodeError`] names the first thing that is not what it was.
    pub fn open(folder: NodeFolder, party: Party, origin: &str, threads: Threads) -> Result<Self, NodeError> {
        Self::open_with(folder, party, origin, threads, None)
    }

    /// The same, with the log of its order beside it: each block must be in it, and a small file of which a power cut left
    /// less than was written is there again.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn open_in_order(
        folder: NodeFolder,
        party: Party,
        origin: &str,
        threads: Threads,
        order: &mut ChainWalk<'_>,
    ) -> Result<Self, NodeError> {
        Self::open_with(folder, party, origin, threads, Some(order))
    }

    fn open_with(
        folder: NodeFolder,
        party: Party,
        origin: &str,
        threads: Threads,
        order: Option<&mut ChainWalk<'_>>,
    ) -> Result<Self, NodeError> {
        let disk = |source| NodeError::Folder { party, source };
        let keys = folder.key_sets(origin).map_err(disk)?;
        let lock = folder.sign_lock().map_err(disk)?;
        folder.make_room().map_err(disk)?;
        let books = empty_books(&folder, party, threads)?;
        let store = ChainStore::open(&folder.path().join("chain.redb"))
            .map_err(|source| NodeError::Store { party, source })?;
        let mut member = Member::new(party, keys, origin.to_owned(), lock);
        if folder.is_restored() {
            member.set_restored();
        }
        let sealed_files = Vec::new();
        let mut node = Self { party, folder, store, member, books, lie: None, sealed_files };
        node.replay(order)?;
        Ok(node)
    }

    /// A copy in memory of a node that another process runs, with no block yet: for reading and planning. It signs nothing.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn view(folder: NodeFolder, party: Party, origin: &str, threads: Threads) -> Result<Self, NodeError> {
        let disk = |source| NodeError::Folder { party, source };
        let keys = folder.key_sets(origin).map_err(disk)?;
        let books = empty_books(&folder, party, threads)?;
        let store = ChainStore::in_memory(&folder.path().join("chain.redb"))
            .map_err(|source| NodeError::Store { party, source })?;
        let member = Member::new(party, keys, origin.to_owned(), None);
        Ok(Self { party, folder, store, member, books, lie: None, sealed_files: Vec::new() })
    }

    /// Takes the next block that the running node stored: its file lies in the node's folder.
    ///
    /// # Errors
    /// [`NodeError`] if it does not follow.
    pub fn follow(&mut self, stored: &StoredBlock) -> Result<(), NodeError> {
        let party = self.party;
        self.member
            .restore(&stored.block, &stored.leaf)
            .map_err(|source| NodeError::Member { party, source })?;
        let command = &stored.block.proposal.command;
        let file = self.read_file(command)?;
        let recorded =
            node_folder::file_of(command).zip(file.as_deref()).map(|(path, bytes)| (path, file_value(bytes)));
        let recorded = recorded.as_ref().map(|(path, value)| (path.as_str(), &value[..]));
        self.store
            .store_block(&stored.block, &stored.leaf, &[], recorded)
            .map_err(|source| NodeError::Store { party, source })?;
        self.absorb(command, file.as_deref())
    }

    /// Whether this party keeps the file of a command.
    #[must_use]
    pub fn keeps(&self, command: &Command) -> bool {
        self.books.keeps(CommandKind::of(command))
    }

    /// That this party's node does not hold everything, if so, for people.
    #[must_use]
    pub fn keeps_no(&self) -> Option<String> {
        let kept: Vec<&str> =
            self.books.genesis()?.attesters.kept_from(self.party).map(CommandKind::name).collect();
        (!kept.is_empty()).then(|| format!("{}'s node keeps no {}", self.party, kept.join(", ")))
    }

    /// The file of a command in this node's folder; none if it has none, or this party never gets it.
    fn read_file(&self, command: &Command) -> Result<Option<Vec<u8>>, NodeError> {
        if !self.keeps(command) {
            return Ok(None);
        }
        self.folder.read_file(command).map_err(|source| NodeError::Folder { party: self.party, source })
    }

    /// Moves the books on; behind the first block it is known what they must have.
    fn absorb(&mut self, command: &Command, file: Option<&[u8]>) -> Result<(), NodeError> {
        let party = self.party;
        self.books.absorb(command, file).map_err(|source| NodeError::Books { party, source })?;
        if matches!(command, Command::Genesis(_)) && self.books.keeps_readings() && !self.books.has_secret() {
            let missing = self.folder.blinding_secret().map(drop);
            missing.map_err(|source| NodeError::Folder { party, source })?;
        }
        Ok(())
    }

    /// Checks a file that others attested and this party takes against what its block says of it.
    ///
    /// # Errors
    /// [`NodeError::Books`].
    pub fn check_taken(&self, command: &Command, file: &[u8]) -> Result<(), NodeError> {
        let party = self.party;
        self.books.check_taken(command, file).map_err(|source| NodeError::Books { party, source })
    }

    /// Takes the newest head of the running node, with its signatures.
    ///
    /// # Errors
    /// [`NodeError`] if they are not what they say.
    pub fn see_head(&mut self, size: u64, note: &str) -> Result<(), NodeError> {
        let party = self.party;
        self.store.store_head(size, note).map_err(|source| NodeError::Store { party, source })?;
        self.restore_cosignatures()
    }

    /// The files of the blocks it was opened with, once.
    pub fn take_sealed_files(&mut self) -> Vec<SealedFile> {
        std::mem::take(&mut self.sealed_files)
    }

    /// Switches a lie on.
    pub fn set_lie(&mut self, lie: Lie) {
        self.lie = Some(lie);
    }

    /// Whose node it is.
    #[must_use]
    pub const fn party(&self) -> Party {
        self.party
    }

    /// Its folder.
    #[must_use]
    pub const fn folder(&self) -> &NodeFolder {
        &self.folder
    }

    /// Its store.
    #[must_use]
    pub const fn store(&self) -> &ChainStore {
        &self.store
    }

    /// Its member of the chain.
    #[must_use]
    pub const fn member(&self) -> &Member {
        &self.member
    }

    /// Signs the consent of this party to a published agreement, with the key by which it attests.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn consent(&self, agreement: &Published<Agreement>, from: u64) -> Result<SignatureLine, NodeError> {
        let origin = self.books.genesis().map_or("", |genesis| genesis.origin.as_str());
        self.consent_to(&activation::consent_text(origin, &agreement.body.id, &agreement.hash, from))
    }

    /// Signs a text that this party consents to, with the exec key in force at the next block.
    ///
    /// # Errors
    /// [`NodeError`], also if the folder does not hold that key.
    pub fn consent_to(&self, text: &str) -> Result<SignatureLine, NodeError> {
        let party = self.party;
        let failed = |source| NodeError::Folder { party, source };
        let keys = self.books.keys().map_err(|source| NodeError::Books { party, source })?;
        let held = KeyRing::from(self.folder.key_sets(keys.origin()).map_err(failed)?);
        let exec = held.exec(&keys.at(self.books.height()).of(party).exec);
        let exec = exec.ok_or_else(|| failed(self.folder.lacking_keys()))?;
        exec.sign(text).map_err(|error| failed(error.into()))
    }

    /// Its books.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// Takes one event.
    ///
    /// # Errors
    /// [`NodeError::Member`].
    pub fn step(&mut self, event: Event) -> Result<Vec<Action>, NodeError> {
        let party = self.party;
        self.member.step(event).map_err(|source| NodeError::Member { party, source })
    }

    /// Computes a command from an input, as this party's books give it.
    ///
    /// # Errors
    /// [`NodeError::Books`].
    pub fn compute(&self, input: Input) -> Result<Computed, NodeError> {
        let party = self.party;
        let mut computed = self.books.compute(input).map_err(|source| NodeError::Books { party, source })?;
        if let Some(lie) = self.lie {
            lie.bend(&mut computed);
        }
        Ok(computed)
    }

    /// Recomputes a proposal from its file and this node's books: the command this node would have proposed.
    ///
    /// # Errors
    /// Why it cannot be computed here, as the dissent says it.
    pub fn recompute(&self, proposal: &Proposal, file: Option<&[u8]>) -> Result<Command, NotComputed> {
        self.recompute_with_file(proposal, file).map(|computed| computed.command)
    }

    /// The same, with the file that this node would keep beside the command.
    ///
    /// # Errors
    /// As [`Node::recompute`].
    pub fn recompute_with_file(
        &self,
        proposal: &Proposal,
        file: Option<&[u8]>,
    ) -> Result<Computed, NotComputed> {
        let input = Books::input_of(&proposal.command, file);
        let input = input.map_err(|error| NotComputed::Fails(error.to_string()))?;
        self.compute(input).map_err(|error| NotComputed::Fails(error.to_string()))
    }

    /// Makes a command's file durable here.
    ///
    /// # Errors
    /// [`NodeError::Folder`].
    pub fn store_file(&self, command: &Command, file: Option<&[u8]>) -> Result<(), NodeError> {
        let party = self.party;
        match file {
            None => Ok(()),
            Some(bytes) => {
                self.folder.store_file(command, bytes).map_err(|source| NodeError::Folder { party, source })
            }
        }
    }

    /// Makes an agreed block durable and moves the books on.
    ///
    /// A crash between the file and the block leaves a file that no block names, nor the store; a crash after
    /// the block is made good by the replay at the next start.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn store_block(
        &mut self,
        block: &Block,
        leaf: &LogLeaf,
        changes: &[Change],
        file: Option<&[u8]>,
    ) -> Result<(), NodeError> {
        let file = file.filter(|_| self.keeps(&block.proposal.command));
        self.store_file(&block.proposal.command, file)?;
        self.put_block(block, leaf, changes, file, true)
    }

    /// The same, of a block whose file, if it has one, is durable in the log of the order. `is_durable`: the block is durable
    /// when this returns; if not, before the head over it is signed comes [`Node::flush`]. A crash leaves what the order's
    /// log makes whole at the next start.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn store_ordered_block(
        &mut self,
        block: &Block,
        leaf: &LogLeaf,
        changes: &[Change],
        file: Option<&[u8]>,
        is_durable: bool,
    ) -> Result<(), NodeError> {
        let file = file.filter(|_| self.keeps(&block.proposal.command));
        if let Some(bytes) = file {
            let party = self.party;
            let written = self.folder.write_file(&block.proposal.command, bytes);
            written.map_err(|source| NodeError::Folder { party, source })?;
        }
        self.put_block(block, leaf, changes, file, is_durable)
    }

    /// Makes all blocks stored so far durable.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn flush(&self) -> Result<(), NodeError> {
        let party = self.party;
        self.store.flush().map_err(|source| NodeError::Store { party, source })
    }

    fn put_block(
        &mut self,
        block: &Block,
        leaf: &LogLeaf,
        changes: &[Change],
        file: Option<&[u8]>,
        is_durable: bool,
    ) -> Result<(), NodeError> {
        let (party, command) = (self.party, &block.proposal.command);
        let recorded = node_folder::file_of(command).zip(file).map(|(path, bytes)| (path, file_value(bytes)));
        let recorded = recorded.as_ref().map(|(path, value)| (path.as_str(), &value[..]));
        let stored = match is_durable {
            true => self.store.store_block(block, leaf, changes, recorded),
            false => self.store.store_block_soon(block, leaf, changes, recorded),
        };
        stored.map_err(|source| NodeError::Store { party, source })?;
        self.absorb(command, file)?;
        // The set that a motion names lies in the folder since it was drafted.
        if let (Command::Govern(_), Ok(keys)) = (command, self.books.keys()) {
            let sets = self.folder.key_sets(keys.origin());
            self.member.set_keys(sets.map_err(|source| NodeError::Folder { party, source })?);
        }
        Ok(())
    }

    /// Stores the newest head with all signatures known, and publishes it.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn store_head(&mut self) -> Result<(), NodeError> {
        self.put_head(true)
    }

    /// The same, durable with the next block: signatures that a crash takes are given again by who made them.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn store_head_soon(&mut self) -> Result<(), NodeError> {
        self.put_head(false)
    }

    fn put_head(&mut self, is_durable: bool) -> Result<(), NodeError> {
        let (party, size) = (self.party, self.member.size());
        if size == 0 {
            return Ok(());
        }
        let note = self.member.head_note(size).map_err(|source| NodeError::Member { party, source })?;
        // Without the keys in force, and before anybody else has signed, there is none.
        let Some(note) = note.map(|note| note.encode()) else { return Ok(()) };
        let stored = match is_durable {
            true => self.store.store_head(size, &note),
            false => self.store.store_head_soon(size, &note),
        };
        stored.map_err(|source| NodeError::Store { party, source })?;
        self.folder.publish_head(&note).map_err(|source| NodeError::Folder { party, source })
    }

    /// Whether the newest head is stored and published with all signatures known.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn has_stored_head(&self) -> Result<bool, NodeError> {
        let (party, size) = (self.party, self.member.size());
        if size == 0 {
            return Ok(true);
        }
        let note = self.member.head_note(size).map_err(|source| NodeError::Member { party, source })?;
        let Some(note) = note.map(|note| note.encode()) else { return Ok(true) };
        let heads = self.store.newest_heads(1).map_err(|source| NodeError::Store { party, source })?;
        let published = self.folder.published_head().map_err(|source| NodeError::Folder { party, source })?;
        Ok(heads.first() == Some(&(size, note.clone())) && published == Some(note))
    }

    fn replay(&mut self, mut order: Option<&mut ChainWalk<'_>>) -> Result<(), NodeError> {
        let party = self.party;
        let fail = |source| NodeError::Store { party, source };
        let files = self.stored_files().map_err(fail)?;
        let lock = self.folder.sign_lock().map_err(|source| NodeError::Folder { party, source })?;
        let signed = lock.map_or(0, |lock| lock.size);
        for stored in self.store.walk().map_err(fail)? {
            let stored = stored.map_err(fail)?;
            let carried = match &mut order {
                Some(walk) => {
                    walk.file_of(&stored.block).map_err(|source| NodeError::Order { party, source })?
                }
                None => Vec::new(),
            };
            let command = &stored.block.proposal.command;
            let path = node_folder::file_of(command);
            let value = path.as_ref().and_then(|path| files.get(path.as_bytes()));
            let file = self.whole_file(command, value, &carried)?;
            if stored.block.height >= signed && self.member.recomputes(command) {
                self.judge_unsigned(&stored.block, file.as_deref())?;
            }
            // Under the head that the lock holds everything was checked before it was signed; below, lock and log are compared.
            let restored = match stored.block.height + 1 < signed {
                true => self.member.restore_signed(&stored.block, &stored.leaf),
                false => self.member.restore(&stored.block, &stored.leaf),
            };
            restored.map_err(|source| NodeError::Member { party, source })?;
            self.absorb(command, file.as_deref())?;
            if let Some((path, value)) = path.zip(value.cloned()) {
                let (proposal, kind) = (stored.block.proposal.id(), CommandKind::of(command));
                self.sealed_files.push(SealedFile { proposal, kind, path, value });
            }
        }
        self.check_keys()?;
        let stored = self.store.values(TableName::State).map_err(fail)?;
        let own: Values =
            self.member.state().entries().map(|(key, value)| (key.clone(), value.clone())).collect();
        if stored != own {
            let differing = stored.iter().zip(&own).find(|(a, b)| a != b).map(|(entry, _)| entry.0.clone());
            let place = differing.map_or("state".into(), |key| format!("state {}", key.escape_ascii()));
            let what = "the stored state does not follow from the blocks".to_owned();
            return Err(NodeError::Damaged { party, place, what });
        }
        self.restore_cosignatures()?;
        self.check_lock(lock)
    }

    /// What a key of nobody signs counts for nothing, and would only be seen at the next block. Who held a seat once may follow
    /// the chain, and signs nothing.
    fn check_keys(&self) -> Result<(), NodeError> {
        let party = self.party;
        let failed = |source| NodeError::Folder { party, source };
        let Ok(keys) = self.books.keys() else { return Ok(()) };
        let held = self.folder.key_sets(keys.origin()).map_err(failed)?;
        let is_named = |named: &KeysInForce| held.iter().any(|held| held.public() == named.of(party).texts());
        if keys.all().any(is_named) { Ok(()) } else { Err(failed(self.folder.foreign_keys())) }
    }

    /// The chain must hold the head this key signed last. If it is shorter, the store was rolled back, to a
    /// backup perhaps, and anything signed now could contradict what was signed before. A node that is being recovered
    /// signs nothing before its chain is there again.
    fn check_lock(&mut self, lock: Option<SignLock>) -> Result<(), NodeError> {
        let party = self.party;
        let damaged = |what: &str| NodeError::Damaged { party, place: "signlock".into(), what: what.into() };
        let size = self.member.size();
        match lock {
            Some(lock) if lock.size > size && self.folder.is_restored() => Ok(()),
            Some(lock) if self.member.log().root_at(lock.size).ok() != Some(lock.root) => Err(damaged(
                "this key has signed a head that the stored chain does not hold: it was rolled back",
            )),
            None if self.has_signed_with_key_in_force() => {
                let has_next = self.books.keys().is_ok_and(|keys| {
                    let sets = self.folder.key_sets(keys.origin()).unwrap_or_default();
                    sets.iter().any(|set| !keys.knows(set.witness.verifier_key()))
                });
                if !has_next {
                    return Err(NodeError::Folder { party, source: self.folder.lock_lost() });
                }
                // It follows the chain to where the motion takes effect, and is started again then.
                self.member.stop_signing(
                    "its sign lock is lost: it goes on with other keys, once a motion for them \
                                          has taken effect and it is started again"
                        .to_owned(),
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the key that signs the next head has signed one.
    fn has_signed_with_key_in_force(&self) -> bool {
        let (signer, size) = (self.party.into(), self.member.size());
        let Some(directory) = self.member.directory() else { return false };
        let named = |size| directory.cosigner_key(signer, size);
        self.member.cosigners(size).contains(&signer) && named(size) == named(size + 1)
    }

    /// The sealed file of a command as it was recorded. One that came with the order is written again from there if it is
    /// not: it was durable in the order's log only.
    fn whole_file(
        &self,
        command: &Command,
        value: Option<&Vec<u8>>,
        carried: &[u8],
    ) -> Result<Option<Vec<u8>>, NodeError> {
        let party = self.party;
        let read = self.read_file(command);
        if let Ok(Some(bytes)) = &read
            && value == Some(&file_value(bytes))
        {
            return Ok(Some(bytes.clone()));
        }
        if value.is_some_and(|value| *value == file_value(carried)) {
            self.store_file(command, Some(carried))?;
            return Ok(Some(carried.to_vec()));
        }
        match read? {
            None => Ok(None),
            Some(_) => {
                let what = "its bytes do not have the hash stored with it".to_owned();
                Err(NodeError::Damaged {
                    party,
                    place: node_folder::file_of(command).unwrap_or_default(),
                    what,
                })
            }
        }
    }

    /// A block that this key has not signed is computed again before it may: the node may have dissented, or
    /// crashed before it could.
    fn judge_unsigned(&mut self, block: &Block, file: Option<&[u8]>) -> Result<(), NodeError> {
        let own = self.recompute(&block.proposal, file);
        let (proposal, now_unix_s) = (block.proposal.clone(), block.proposal.time_unix_s);
        let input = file.filter(|_| node_folder::has_input_file(&proposal.command)).map(digest::content_hash);
        self.step(Event::Recomputed { proposal, own, input, now_unix_s }).map(|_| ())
    }

    /// Keeps a finding for good, under the height it speaks of.
    ///
    /// # Errors
    /// [`NodeError::Store`].
    pub fn store_finding(&self, height: u64, finding: &str) -> Result<(), NodeError> {
        let party = self.party;
        self.store.store_finding(height, finding).map_err(|source| NodeError::Store { party, source })
    }

    fn stored_files(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
        Ok(self.store.values(TableName::Files)?.into_iter().collect())
    }

    fn restore_cosignatures(&mut self) -> Result<(), NodeError> {
        let party = self.party;
        let heads =
            self.store.newest_heads(HEADS_RESTORED).map_err(|source| NodeError::Store { party, source })?;
        for (size, text) in &heads {
            let damaged = |what: String| NodeError::Damaged { party, place: format!("head {size}"), what };
            let note = Note::parse(text).map_err(|error| damaged(error.to_string()))?;
            let Some(directory) = self.member.directory() else { continue };
            let mut cosignatures = Vec::new();
            for signer in Signer::ALL {
                let Some(key) = directory.cosigner_key(signer, *size) else { continue };
                for line in note.signatures().iter().filter(|line| key.is_named_by(line)) {
                    let root =
                        self.member.log().root_at(*size).map_err(|error| damaged(error.to_string()))?;
                    cosignatures.push(Cosignature { signer, size: *size, root, line: line.clone() });
                }
            }
            for cosignature in cosignatures {
                self.member.restore_cosignature(cosignature).map_err(|error| damaged(error.to_string()))?;
            }
        }
        Ok(())
    }
}

/// The books of a party before its first block: with the secret, if it was given one.
fn empty_books(folder: &NodeFolder, party: Party, threads: Threads) -> Result<Books, NodeError> {
    let secret = folder.has_blinding_secret().then(|| folder.blinding_secret()).transpose();
    let secret = secret.map_err(|source| NodeError::Folder { party, source })?;
    Ok(Books::of_party(party, secret, threads))
}

/// What the `files` table holds for a file of these bytes.
fn file_value(bytes: &[u8]) -> Vec<u8> {
    let mut writer = tallywatt_ledger::codec::Writer::default();
    writer.u64(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).hash(&digest::content_hash(bytes));
    writer.finish()
}
