//! One organisation's node as a process of its own: what `tallywatt start` runs until it is told to stop.
//!
//! ```text
//!   peers ──▶ listener ──▶ doorman ──┐
//!   order ──▶ relay ─────────────────┼──▶ conductor: one thread, one node, one event at a time ──▶ outboxes ──▶ peers
//!   operator ─▶ control ─────────────┤            └──▶ disk
//!   holder ───▶ desk ── denials ─────┘
//! ```
//!
//! The conductor does for one node what a consortium in one process does for three, by the same [`crate::node::Node`] and
//! the same pure member; only what lies between the nodes is another.
//!
//! What a crash leaves: a block that is ordered and not stored here is heard again at the next start, from the order's own
//! log; a file that is fetched and named by no block is removed with the next block.

pub mod card;
pub(crate) mod conductor;
pub mod control;
mod doorman;
mod files;
pub mod founding;
mod outbox;
mod proposing;
mod reach;
pub mod recovering;
pub mod settings;
pub mod status;
pub mod view;
mod witnessing;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::command::Genesis;
use tallywatt_shards::threads::Threads;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::desk::DeskView;
use crate::desk::proving::Original;
use crate::desk::server::Desk;
use crate::http;
use crate::node::{Lie, Node, NodeError};
use crate::node_folder::NodeFolder;
use crate::order::learning::Learning;
use crate::order::log_store::{LogStore, LogStoreError};
use crate::order::{OrderError, RaftOrder};
use crate::peers::link::Link;
use crate::peers::listener;
use crate::peers::tls::{Identity, TlsError};
use crate::running::conductor::{Conductor, Told};
use crate::running::doorman::Doorman;
use crate::running::files::Files;
use crate::running::outbox::Outbox;
use crate::running::reach::Reach;
use crate::running::settings::NodeSettings;
use crate::running::witnessing::Witnessing;
use crate::store::StoreError;

/// Events that wait for the conductor, of all peers together: a peer that sends more waits.
const TOLD_COUNT_MAX: usize = 1_024;

/// Why a node cannot start, or stops by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The order's store.
    #[error(transparent)]
    LogStore(#[from] LogStoreError),
    /// The order.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A socket, a thread, a file.
    #[error("cannot {action}: {source}")]
    System {
        /// What was attempted.
        action: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The node's chain is of another network.
    #[error("the chain in this folder does not begin with the genesis in it")]
    Genesis,
    /// It may not go on.
    #[error("{0}")]
    Frozen(String),
}

impl RunError {
    fn system(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let action = action.into();
        move |source| Self::System { action, source }
    }
}

/// What a node is started with.
pub struct Start<'a> {
    /// The data folder, held by the caller.
    pub data: &'a Path,
    /// The log's origin.
    pub origin: &'a str,
    /// Who it is, and where the others are.
    pub settings: &'a NodeSettings,
    /// The first block that all parties agreed on outside.
    pub genesis: Genesis,
    /// Threads to compute with.
    pub threads: Threads,
    /// Where holders of granted keys may ask it, if they may.
    pub desk: Option<SocketAddr>,
    /// A test switch: it computes something else than it should.
    pub lie: Option<Lie>,
    /// UTC seconds.
    pub clock: fn() -> u64,
    /// Where lines for people go.
    pub log: fn(&str),
}

/// Runs a node until Ctrl-C, a request to end, or its operator stops it.
///
/// # Errors
/// [`RunError`]: why it could not start, or had to stop.
pub fn run(start: &Start<'_>) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(RunError::system("start the threads of the network"))?;
    let opened = open(start)?;
    runtime.block_on(serve(start, opened))
}

/// A node and its order's log, brought together.
struct Opened {
    node: Node,
    store: LogStore,
    learning: Learning,
    applied: u64,
    identity: Identity,
}

fn open(start: &Start<'_>) -> Result<Opened, RunError> {
    let party = start.settings.party;
    let folder = NodeFolder::below(start.data, party);
    let identity = Identity::read(folder.path(), start.origin, party)?;
    let store = LogStore::open(&folder.path().join("order.redb"))?;
    let mut walk = store.walk()?;
    let node = Node::open_in_order(folder, party, start.origin, start.threads.clone(), &mut walk);
    let mut node = match node {
        Err(NodeError::Order { source, .. }) => return Err(source.into()),
        other => other?,
    };
    let applied = walk.index();
    drop(walk);
    if let Some(lie) = start.lie {
        node.set_lie(lie);
    }
    if node.books().genesis().is_some_and(|genesis| *genesis != start.genesis) {
        return Err(RunError::Genesis);
    }
    let learning = Learning::of(node.folder().path(), store.is_empty()?);
    let learning = learning.map_err(|source| NodeError::Folder { party, source: source.into() })?;
    Ok(Opened { node, store, learning, applied, identity })
}

async fn serve(start: &Start<'_>, opened: Opened) -> Result<(), RunError> {
    let Opened { mut node, store, learning, applied, identity } = opened;
    let settings = start.settings;
    let party = settings.party;
    let listener = bind(settings.listen).await?;
    let control = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let (peers, heartbeat_ms) = (settings.peers.clone(), settings.heartbeat_ms);
    let (order, ordered) =
        RaftOrder::start(store, learning, identity.clone(), peers, heartbeat_ms, applied).await?;
    let (teller, told) = mpsc::channel::<Told>(TOLD_COUNT_MAX);
    let files = Arc::new(Files::of(&mut node)?);
    let reach = Arc::new(Reach::default());
    let outbox = |peer, address| {
        Outbox::open(Link::new(identity.clone(), peer, address), teller.clone(), Arc::clone(&reach))
    };
    let outboxes = settings.peers.iter().map(|(peer, address)| (*peer, outbox(*peer, *address))).collect();
    let witnessing = witnessing(start, &teller);
    let asked_at = match start.desk {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let (state, states) = watch::channel(status::Status::default());
    let token =
        control::publish(start.data, &control).map_err(RunError::system("publish the control port"))?;
    let served = tokio::spawn(control::listen(control, token, teller.clone(), states));
    // Behind the operator's door, by which its copy of the books follows.
    let (desk, asked) = match asked_at {
        None => (None, None),
        Some(listener) => {
            // What the chain grants is known before the first request is taken.
            let access = Arc::clone(node.books().access());
            let (desk, view) = watch::channel(DeskView { access, sealed: None });
            (Some(desk), Some(open_desk(start, listener, view, &teller)?))
        }
    };
    let doorman = Doorman {
        order: order.clone(),
        teller: teller.clone(),
        files: Arc::clone(&files),
        reach,
        party,
        attesters: start.genesis.attesters.clone(),
        clock: start.clock,
        log: start.log,
    };
    let listened = tokio::spawn(listener::listen(listener, identity.clone(), Arc::new(doorman)));
    let learned = tokio::spawn(learn(order.clone(), party, start.log));
    let conductor = Conductor::new(conductor::Parts {
        data: start.data.to_owned(),
        node,
        genesis: start.genesis.clone(),
        order: order.clone(),
        applied,
        identity,
        peers: settings.peers.clone(),
        outboxes,
        witnessing,
        files,
        teller: teller.clone(),
        state,
        desk,
        clock: start.clock,
        log: start.log,
    });
    let runtime = tokio::runtime::Handle::current();
    let (done, mut ended) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("conductor".into()).spawn(move || {
        let result = runtime.block_on(conductor.conduct(ordered, told));
        // Nobody listens only when the process is ending.
        let _ = done.send(result);
    });
    let thread = thread.map_err(RunError::system("start the conductor"))?;
    (start.log)(&format!("{party} listens on {}", settings.listen));
    let result = tokio::select! {
        ended = &mut ended => ended.unwrap_or(Ok(())),
        () = asked_to_end() => {
            // Whatever it is computing is finished first, then it ends.
            let _ = teller.send(Told::Stop).await;
            ended.await.unwrap_or(Ok(()))
        }
    };
    order.stop().await;
    learned.abort();
    listened.abort();
    served.abort();
    if let Some(asked) = asked {
        asked.abort();
    }
    // It has sent its result: nothing is left to wait for.
    let _ = thread.join();
    control::withdraw(start.data);
    (start.log)(&format!("{party} has stopped"));
    result
}

/// Learns the order before this node votes; the grid company names the voters then, if nobody has.
async fn learn(order: RaftOrder, party: Party, log: fn(&str)) {
    let learned = match order.learn().await {
        Ok(()) if party == Party::Grid => order.found().await,
        learned => learned,
    };
    if let Err(error) = learned {
        log(&format!("{party} votes for nobody: {error}"));
    }
}

/// Lets holders of granted keys ask.
fn open_desk(
    start: &Start<'_>,
    listener: TcpListener,
    view: watch::Receiver<DeskView>,
    teller: &mpsc::Sender<Told>,
) -> Result<JoinHandle<()>, RunError> {
    let original = Original {
        data: start.data.to_owned(),
        party: start.settings.party,
        origin: start.origin.to_owned(),
        threads: start.threads.clone(),
    };
    let desk = Desk::open(original, view, teller.clone(), start.clock, start.log);
    let desk = desk.map_err(RunError::system("start the desk"))?;
    let address = listener.local_addr().map_err(RunError::system("listen for the desk"))?;
    (start.log)(&format!("the desk listens on {address}"));
    Ok(tokio::spawn(http::listen(listener, Arc::new(desk))))
}

/// Who asks the witness, if the settings say where it is: of a head for which the chain names one.
fn witnessing(start: &Start<'_>, teller: &mpsc::Sender<Told>) -> Option<Witnessing> {
    let address = start.settings.witness.as_ref()?;
    Some(Witnessing::open(address.clone(), teller.clone()))
}

/// Waits for Ctrl-C, or what a service manager sends.
pub(crate) async fn asked_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return,
            _ = terminate.recv() => return,
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Nobody can ask: the operator's door is left.
        std::future::pending::<()>().await;
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(RunError::system(format!("listen on {address}")))
}
