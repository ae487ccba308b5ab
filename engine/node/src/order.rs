//! The order of entries among nodes: a replicated log that two of three disks must hold before anybody applies.
//!
//! ```text
//!   append(entry) ─▶ the leader, here or at a peer ─▶ entries on two of three disks ─▶ relay ─▶ the node, one by one
//! ```
//!
//! It decides what comes next, and nothing else: each node takes every entry by its own member of the chain, and passes
//! over what does not follow. So a leader can delay, and nothing more.
//!
//! Invariants: nothing is acknowledged that is not on this disk ([`log_store`]); nothing handed to the node is ever taken
//! back ([`log_store`] refuses); no entry is ever thrown away, the log is the chain; who leads and votes is who its
//! certificate names ([`RaftOrder::answer`]); the voters are the three parties, whoever proposes others.

pub mod learning;
pub mod log_store;
mod network;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openraft::error::{InitializeError, RaftError};
use openraft::raft::{AppendEntriesRequest, VoteRequest};
use openraft::{Config, EmptyNode, EntryPayload, Raft, SnapshotPolicy, TokioRuntime};
use serde::{Deserialize, Serialize};
use tallywatt_consensus::message::{INLINE_SIZE_MAX, OrderKind, Position, Reply, Request, encode_entry};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_ledger::block::BLOCK_SIZE_MAX;
use tokio::sync::{Mutex, mpsc};

use crate::order::learning::Learning;
use crate::order::log_store::{LogStore, LogStoreError};
use crate::order::network::Network;
use crate::order::relay::Relay;
use crate::peers::limits::{ANSWER_WAIT, ENTRY_COUNT_MAX};
use crate::peers::link::{Link, LinkError};
use crate::peers::tls::Identity;

/// Entries that wait for the node: a leader goes on while its own node computes.
pub const RELAYED_COUNT_MAX: usize = 256;
/// Time from one sign of life of the leader to the next, unless the settings say otherwise, milliseconds.
pub const HEARTBEAT_MS: u64 = 250;
/// After how many heartbeats without one each party, in order, stands for election. They differ by more than two, and so
/// never stand at once again and again: a node draws its own time only once.
const ELECTION_HEARTBEATS: [u64; 3] = [6, 10, 14];
/// How long one attempt to append may take.
const APPEND_WAIT: Duration = Duration::from_secs(10);

/// An entry as the order carries it: its canonical bytes, which each node reads itself; and its command's file, if that is
/// small: it lies on two of three disks then without a fetch, and without a sync of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryBytes {
    /// The entry.
    pub entry: Vec<u8>,
    /// The file, at most [`INLINE_SIZE_MAX`]; empty if there is none, or it is fetched.
    pub file: Vec<u8>,
}

impl EntryBytes {
    const fn is_small(&self) -> bool {
        self.entry.len() <= BLOCK_SIZE_MAX && self.file.len() <= INLINE_SIZE_MAX
    }
}

openraft::declare_raft_types!(
    /// What the order is made of.
    pub Types:
        D = EntryBytes,
        R = (),
        Node = EmptyNode,
        SnapshotData = Cursor<Vec<u8>>,
        AsyncRuntime = TokioRuntime,
);

/// Where an entry of the order stands, and what it is.
#[derive(Debug)]
pub struct Ordered {
    /// Its index in the order.
    pub index: u64,
    /// The entry; `None` where the order speaks of itself, or the bytes are none: every node passes those over.
    pub entry: Option<Entry>,
    /// The file that came with it. Whoever ordered the entry chose it: it is looked at before it is believed.
    pub file: Vec<u8>,
}

/// Why an entry is not ordered.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// The store.
    #[error(transparent)]
    Store(#[from] LogStoreError),
    /// The settings.
    #[error("the order's settings: {0}")]
    Settings(String),
    /// It has stopped: its disk failed, or a leader wanted to take back what is applied.
    #[error("the order has stopped: {0}")]
    Stopped(String),
    /// Nobody leads now.
    #[error("nobody leads the order now")]
    NoLeader,
    /// The leader could not be asked.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The leader said no.
    #[error("{leader} does not order it: {reason}")]
    Refused {
        /// Who.
        leader: Party,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("the entry is not ordered within {} s: no second node", .0.as_secs())]
    Slow(Duration),
    /// The entry is too large.
    #[error("an entry of {0} bytes with its file, at most {BLOCK_SIZE_MAX} and {INLINE_SIZE_MAX}")]
    TooLarge(usize),
}

/// This node's part of the order.
#[derive(Clone)]
pub struct RaftOrder {
    raft: Raft<Types>,
    store: LogStore,
    learning: Learning,
    identity: Identity,
    peers: BTreeMap<Party, SocketAddr>,
    links: Arc<Mutex<BTreeMap<Party, Link>>>,
}

/// The number a party votes by.
const fn id_of(party: Party) -> u64 {
    party.code() as u64
}

fn party_of(id: u64) -> Option<Party> {
    u8::try_from(id).ok().and_then(Party::from_code)
}

fn voters() -> BTreeSet<u64> {
    Party::ALL.into_iter().map(id_of).collect()
}

impl RaftOrder {
    /// Starts this node's part over its log store. Entries behind index `applied`, which the node has in its chain already,
    /// come out of the receiver in order.
    ///
    /// # Errors
    /// [`OrderError`].
    pub async fn start(
        store: LogStore,
        learning: Learning,
        identity: Identity,
        peers: BTreeMap<Party, SocketAddr>,
        heartbeat_ms: u64,
        applied: u64,
    ) -> Result<(Self, mpsc::Receiver<Ordered>), OrderError> {
        let party = identity.party();
        let election_ms = ELECTION_HEARTBEATS[usize::from(party.code()) - 1] * heartbeat_ms;
        let config = Config {
            cluster_name: "tallywatt".to_owned(),
            heartbeat_interval: heartbeat_ms,
            election_timeout_min: election_ms,
            election_timeout_max: election_ms + 1,
            max_payload_entries: u64::try_from(ENTRY_COUNT_MAX).unwrap_or(1),
            snapshot_policy: SnapshotPolicy::Never,
            enable_elect: learning.is_done(),
            ..Config::default()
        };
        let config = config.validate().map_err(|error| OrderError::Settings(error.to_string()))?;
        let (sender, receiver) = mpsc::channel(RELAYED_COUNT_MAX);
        store.set_applied(applied);
        let relay = Relay::new(sender, store.applied_index(), applied);
        let network = Network::new(identity.clone(), peers.clone());
        let raft = Raft::new(id_of(party), Arc::new(config), network, store.clone(), relay).await;
        let raft = raft.map_err(|error| OrderError::Stopped(error.to_string()))?;
        let links = Arc::new(Mutex::new(BTreeMap::new()));
        Ok((Self { raft, store, learning, identity, peers, links }, receiver))
    }

    /// Names the three parties as voters, once for all: one node does it, the others hear of it.
    ///
    /// # Errors
    /// [`OrderError::Stopped`].
    pub async fn found(&self) -> Result<(), OrderError> {
        match self.raft.initialize(voters()).await {
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => Err(OrderError::Stopped(error.to_string())),
        }
    }

    /// Who leads, as this node knows.
    #[must_use]
    pub fn leader(&self) -> Option<Party> {
        self.raft.metrics().borrow().current_leader.and_then(party_of)
    }

    /// How far this node's part is.
    #[must_use]
    pub fn position(&self) -> Position {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow();
        Position { term: metrics.current_term, index: metrics.last_log_index.unwrap_or(0) }
    }

    /// Learns the order from the peers, if it has to, and votes from then on.
    ///
    /// # Errors
    /// [`OrderError::Stopped`] if the order ends before, or the end of learning cannot be kept.
    pub async fn learn(&self) -> Result<(), OrderError> {
        if self.learning.is_done() {
            return Ok(());
        }
        let mut goal = Position::default();
        for (peer, address) in &self.peers {
            let mut link = Link::new(self.identity.clone(), *peer, *address);
            loop {
                if let Ok(Reply::Position(far)) = link.call(&Request::Position, ANSWER_WAIT).await {
                    goal = Position { term: goal.term.max(far.term), index: goal.index.max(far.index) };
                    break;
                }
                tokio::time::sleep(learning::ASK_EVERY).await;
            }
        }
        self.learning.set_goal(goal);
        let mut changes = self.raft.metrics();
        while !self.learning.is_reached(self.position()) {
            let changed = changes.changed().await;
            changed.map_err(|_| OrderError::Stopped("it ended while it was learned".to_owned()))?;
        }
        self.learning.end().map_err(|error| OrderError::Stopped(error.to_string()))?;
        self.raft.runtime_config().elect(true);
        Ok(())
    }

    /// Why it runs no more, if so.
    #[must_use]
    pub fn stopped(&self) -> Option<String> {
        self.raft.metrics().borrow().running_state.as_ref().err().map(ToString::to_string)
    }

    /// What freezes this node, if a leader wanted to take back what is applied here.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.store.refusal()
    }

    /// Appends an entry, here or at the leader, and gives its index. Ordered is what this returns for; on an error it may
    /// be ordered all the same, and appended again it is passed over the second time.
    ///
    /// # Errors
    /// [`OrderError`].
    pub async fn append(&self, entry: &Entry, file: &[u8]) -> Result<u64, OrderError> {
        match self.leader() {
            None => Err(OrderError::NoLeader),
            Some(leader) if leader == self.identity.party() => self.append_here(entry, file).await,
            Some(leader) => {
                self.ask(leader, &Request::Append(entry.clone(), file.to_vec()), APPEND_WAIT).await
            }
        }
    }

    /// Appends an entry as the leader.
    ///
    /// # Errors
    /// [`OrderError`], also if it leads no more.
    pub async fn append_here(&self, entry: &Entry, file: &[u8]) -> Result<u64, OrderError> {
        let bytes = EntryBytes { entry: encode_entry(entry), file: file.to_vec() };
        if !bytes.is_small() {
            return Err(OrderError::TooLarge(bytes.entry.len() + file.len()));
        }
        let write = tokio::time::timeout(APPEND_WAIT, self.raft.client_write(bytes)).await;
        match write.map_err(|_| OrderError::Slow(APPEND_WAIT))? {
            Ok(written) => Ok(written.log_id.index),
            Err(RaftError::APIError(_)) => Err(OrderError::NoLeader),
            Err(RaftError::Fatal(error)) => Err(OrderError::Stopped(error.to_string())),
        }
    }

    /// Up to which index the order was agreed when this was asked.
    ///
    /// # Errors
    /// [`OrderError`].
    pub async fn read_index(&self) -> Result<u64, OrderError> {
        match self.leader() {
            None => Err(OrderError::NoLeader),
            Some(leader) if leader == self.identity.party() => self.read_index_here().await,
            Some(leader) => self.ask(leader, &Request::ReadIndex, ANSWER_WAIT).await,
        }
    }

    /// The same, as the leader.
    ///
    /// # Errors
    /// [`OrderError`], also if it leads no more.
    pub async fn read_index_here(&self) -> Result<u64, OrderError> {
        let read = tokio::time::timeout(ANSWER_WAIT, self.raft.get_read_log_id()).await;
        match read.map_err(|_| OrderError::Slow(ANSWER_WAIT))? {
            Ok((read, _)) => Ok(read.map_or(0, |id| id.index)),
            Err(RaftError::APIError(_)) => Err(OrderError::NoLeader),
            Err(RaftError::Fatal(error)) => Err(OrderError::Stopped(error.to_string())),
        }
    }

    async fn ask(&self, leader: Party, request: &Request, wait: Duration) -> Result<u64, OrderError> {
        let address = *self.peers.get(&leader).ok_or(OrderError::NoLeader)?;
        // The link is taken out while it is used: two entries do not wait for each other.
        let held = self.links.lock().await.remove(&leader);
        let mut link = held.unwrap_or_else(|| Link::new(self.identity.clone(), leader, address));
        let reply = link.call(request, wait).await?;
        self.links.lock().await.insert(leader, link);
        match reply {
            Reply::Taken(index) => Ok(index),
            Reply::Not(reason) => Err(OrderError::Refused { leader, reason }),
            _ => Err(OrderError::Refused { leader, reason: "its answer is to something else".into() }),
        }
    }

    /// Answers one of the order's own messages; not now, while this node votes for nobody. `from` leads or stands for election
    /// only as itself.
    ///
    /// # Errors
    /// Why it is none that this node takes.
    pub async fn answer(
        &self,
        from: Party,
        kind: OrderKind,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, String> {
        let own_name = |id: Option<u64>| match id == Some(id_of(from)) {
            true => Ok(()),
            false => Err(format!("{from} speaks in the name of another")),
        };
        let malformed = |error: postcard::Error| format!("not a message of the order: {error}");
        let reply = match kind {
            OrderKind::Append => {
                let request: AppendEntriesRequest<Types> = postcard::from_bytes(bytes).map_err(malformed)?;
                own_name(request.vote.leader_id().voted_for())?;
                check_entries(&request)?;
                postcard::to_stdvec(&self.raft.append_entries(request).await)
            }
            OrderKind::Vote => {
                let request: VoteRequest<u64> = postcard::from_bytes(bytes).map_err(malformed)?;
                own_name(request.vote.leader_id().voted_for())?;
                if !self.learning.may_vote(request.vote.leader_id().term, self.position().index) {
                    return Ok(None);
                }
                postcard::to_stdvec(&self.raft.vote(request).await)
            }
        };
        reply.map(Some).map_err(|error| error.to_string())
    }

    /// Stops this node's part: nothing is appended or voted for any more.
    pub async fn stop(&self) {
        // It has stopped then, one way or the other.
        let _ = self.raft.shutdown().await;
    }
}

/// What a leader may send: so many entries, none too large, and no other voters than the three parties.
fn check_entries(request: &AppendEntriesRequest<Types>) -> Result<(), String> {
    if request.entries.len() > ENTRY_COUNT_MAX {
        return Err(format!("{} entries in one message, at most {ENTRY_COUNT_MAX}", request.entries.len()));
    }
    for entry in &request.entries {
        match &entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(bytes) if bytes.is_small() => {}
            EntryPayload::Normal(EntryBytes { entry, file }) => {
                let (entry, file) = (entry.len(), file.len());
                return Err(format!(
                    "an entry of {entry} bytes with a file of {file}, at most {BLOCK_SIZE_MAX} and {INLINE_SIZE_MAX}"
                ));
            }
            EntryPayload::Membership(members) => {
                let is_all = *members.get_joint_config() == vec![voters()];
                if !is_all || members.learner_ids().next().is_some() {
                    return Err("an entry that names other voters than the three parties".to_owned());
                }
            }
        }
    }
    Ok(())
}
