//! The files of commands: which lie here, and how one that does not is fetched from a peer.
//!
//! ```text
//!   <node>/staged/<proposal>    fetched or made, named by no block yet     gone with the next block
//!   <node>/batches/… bills/…    of a block                                 served to whoever asks by hash
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use tallywatt_consensus::message::{CHUNK_SIZE_MAX, FileName, Reply, Request};
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::codec::Reader;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::digest;
use tallywatt_shards::durable::{self, DurableError};

use crate::node::{Node, NodeError, SealedFile};
use crate::node_folder::{self, SEALED_FILE_SIZE_MAX};
use crate::peers::limits::{ANSWER_WAIT, CHUNK_WAIT};
use crate::peers::link::Link;
use crate::peers::tls::Identity;

/// The folder of files that no block names yet.
const STAGED_NAME: &str = "staged";

/// Which files lie here, by the proposal they belong to and by hash.
pub(super) struct Files {
    folder: PathBuf,
    index: RwLock<Index>,
}

#[derive(Default)]
struct Index {
    by_proposal: BTreeMap<ContentHash, (CommandKind, FileName)>,
    by_hash: BTreeMap<ContentHash, (CommandKind, PathBuf)>,
    /// Those of them that no block names.
    staged: Vec<ContentHash>,
}

impl Files {
    /// The files of a node's chain. What was staged before stays: it may be named by the next block.
    pub(super) fn of(node: &mut Node) -> Result<Self, NodeError> {
        let party = node.party();
        let folder = node.folder().path().to_owned();
        let disk = |source: DurableError| NodeError::Folder { party, source: source.into() };
        durable::create_folder_durably(&folder.join(STAGED_NAME)).map_err(disk)?;
        let mut index = Index::default();
        for SealedFile { proposal, kind, path, value } in node.take_sealed_files() {
            let mut reader = Reader::new(&value);
            if let (Ok(size), Ok(hash)) = (reader.u64("size"), reader.hash("hash")) {
                index.by_proposal.insert(proposal, (kind, FileName { hash, size }));
                index.by_hash.insert(hash, (kind, folder.join(path)));
            }
        }
        Ok(Self { folder, index: RwLock::new(index) })
    }

    fn staged_path(&self, id: &ContentHash) -> PathBuf {
        self.folder.join(STAGED_NAME).join(id.to_string())
    }

    /// Makes the file of a proposal durable before anybody is told of it, or of what came out of it.
    pub(super) fn stage(
        &self,
        id: ContentHash,
        kind: CommandKind,
        bytes: &[u8],
    ) -> Result<FileName, DurableError> {
        let path = self.staged_path(&id);
        durable::write_durably(&path, bytes)?;
        let name = name_of(bytes);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.by_proposal.insert(id, (kind, name));
        index.by_hash.insert(name.hash, (kind, path));
        index.staged.push(id);
        Ok(name)
    }

    /// The staged file of a proposal, from before a restart perhaps.
    pub(super) fn staged(&self, id: &ContentHash) -> Option<Vec<u8>> {
        durable::read_limited(&self.staged_path(id), SEALED_FILE_SIZE_MAX).ok()
    }

    /// The block of a proposal is stored: its file lies in its place, and nothing that was staged is needed any more.
    pub(super) fn settle(&self, id: ContentHash, command: &Command, file: Option<&[u8]>) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for staged in std::mem::take(&mut index.staged) {
            if let Some((_, name)) = index.by_proposal.remove(&staged) {
                index.by_hash.remove(&name.hash);
            }
            // One that stays behind is overwritten or removed another time.
            let _ = std::fs::remove_file(self.staged_path(&staged));
        }
        if let (Some(path), Some(bytes)) = (node_folder::file_of(command), file) {
            let (kind, name) = (CommandKind::of(command), name_of(bytes));
            index.by_proposal.insert(id, (kind, name));
            index.by_hash.insert(name.hash, (kind, self.folder.join(path)));
        }
    }

    /// Removes what was staged before this start and is named by nothing.
    pub(super) fn clear_staged(&self) {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let Ok(entries) = std::fs::read_dir(self.folder.join(STAGED_NAME)) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if !index.by_hash.values().any(|(_, known)| *known == path) {
                // It is looked at again at the next start.
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// What the file of a proposal is known by.
    pub(super) fn name(&self, id: &ContentHash) -> Option<FileName> {
        self.index.read().unwrap_or_else(PoisonError::into_inner).by_proposal.get(id).map(|(_, name)| *name)
    }

    /// Of what kind the file is that a peer asks for, if it lies here.
    pub(super) fn kind_asked(&self, request: &Request) -> Option<CommandKind> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        match request {
            Request::FileOf(id) => index.by_proposal.get(id).map(|(kind, _)| *kind),
            Request::Chunk(hash, _) => index.by_hash.get(hash).map(|(kind, _)| *kind),
            _ => None,
        }
    }

    /// A piece of a file.
    pub(super) fn chunk(&self, hash: &ContentHash, offset: u64) -> Result<Vec<u8>, String> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let path = index.by_hash.get(hash).map(|(_, path)| path.clone());
        drop(index);
        let path = path.ok_or_else(|| format!("no file {hash} here"))?;
        read_piece(&path, offset).map_err(|error| format!("cannot read the file {hash}: {error}"))
    }
}

fn read_piece(path: &Path, offset: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut piece = Vec::new();
    file.take(u64::try_from(CHUNK_SIZE_MAX).unwrap_or(0)).read_to_end(&mut piece)?;
    if piece.is_empty() { Err(std::io::Error::other("nothing at this offset")) } else { Ok(piece) }
}

fn name_of(bytes: &[u8]) -> FileName {
    FileName { hash: digest::content_hash(bytes), size: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
}

/// Where a file may be fetched from, in the order in which they are asked.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) identity: Identity,
    pub(super) peers: Vec<(Party, SocketAddr)>,
}

impl Sources {
    /// Fetches the file of a proposal: by its name if that is known, else by what a peer says its name is, which must not be
    /// another than the command's own. What came is what was named; whether it is the right file only the recomputation tells.
    pub(super) async fn fetch(&self, id: ContentHash, wanted: Wanted) -> Result<Vec<u8>, String> {
        let mut reasons = Vec::new();
        for (peer, address) in &self.peers {
            let mut link = Link::new(self.identity.clone(), *peer, *address);
            match fetch_from(&mut link, id, wanted).await {
                Ok(bytes) => return Ok(bytes),
                Err(reason) => reasons.push(format!("{peer}: {reason}")),
            }
        }
        Err(reasons.join("; "))
    }
}

/// What is known of a file before it is fetched.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// As its proposer gave it.
    pub(super) name: Option<FileName>,
    /// As the command gives it.
    pub(super) hash: Option<ContentHash>,
}

async fn fetch_from(link: &mut Link, id: ContentHash, wanted: Wanted) -> Result<Vec<u8>, String> {
    let name = match wanted.name {
        Some(name) => name,
        None => {
            match link.call(&Request::FileOf(id), ANSWER_WAIT).await.map_err(|error| error.to_string())? {
                Reply::File(name) => name,
                Reply::Not(reason) => return Err(reason),
                _ => return Err("its answer is to something else".into()),
            }
        }
    };
    if let Some(hash) = wanted.hash.filter(|hash| *hash != name.hash) {
        return Err(format!("it names the file {}, the command {hash}", name.hash));
    }
    if name.size > SEALED_FILE_SIZE_MAX || name.size == 0 {
        return Err(format!("a file of {} bytes, at most {SEALED_FILE_SIZE_MAX}", name.size));
    }
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let offset = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if offset >= name.size {
            break;
        }
        let reply = link.call(&Request::Chunk(name.hash, offset), CHUNK_WAIT).await;
        match reply.map_err(|error| error.to_string())? {
            Reply::Chunk(piece) => bytes.extend_from_slice(&piece),
            Reply::Not(reason) => return Err(reason),
            _ => return Err("its answer is to something else".into()),
        }
    }
    let found = name_of(&bytes);
    if found == name { Ok(bytes) } else { Err(format!("it gave {} instead of {}", found.hash, name.hash)) }
}
