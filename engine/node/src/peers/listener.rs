//! Connections from peers: who they are, then their requests, one at a time and answered in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tallywatt_consensus::message::{Reply, Request};
use tallywatt_core::agreement::Party;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::peers::frame;
use crate::peers::limits::{
    CONNECTION_COUNT_MAX, CONNECTIONS_OF_PARTY_MAX, HANDSHAKE_WAIT, REFUSALS_LOGGED_MAX,
};
use crate::peers::tls::Identity;

/// What answers the requests of peers.
pub trait Service: Send + Sync + 'static {
    /// The answer to a request of `from`, as its certificate names it. It never fails: what cannot be done is said.
    fn answer(&self, from: Party, request: Request) -> impl Future<Output = Reply> + Send;

    /// Why a request is not this peer's to make, if so.
    fn refuses(&self, from: Party, request: &Request) -> Option<String>;

    /// Told of what was refused.
    fn log(&self, line: &str);
}

/// What is common to all connections.
struct Shared<S> {
    identity: Identity,
    service: Arc<S>,
    /// Connections by party.
    open: Mutex<BTreeMap<Party, usize>>,
    refusals: Mutex<Refusals>,
}

/// Takes connections until the task is dropped.
pub async fn listen<S: Service>(listener: TcpListener, identity: Identity, service: Arc<S>) {
    let room = Arc::new(Semaphore::new(CONNECTION_COUNT_MAX));
    let (open, refusals) = (Mutex::default(), Mutex::new(Refusals::new()));
    let shared = Arc::new(Shared { identity, service, open, refusals });
    loop {
        // Without room nobody is accepted: strangers wait in the system's queue, and the handshake's limit ends them.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                shared.refuse(&format!("cannot accept a connection: {error}"));
                // No files left, most likely: others must end first.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(reason) = shared.serve(stream, address).await {
                shared.refuse(&format!("connection of {address} refused: {reason}"));
            }
            drop(permit);
        });
    }
}

impl<S: Service> Shared<S> {
    async fn serve(&self, stream: TcpStream, address: SocketAddr) -> Result<(), String> {
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let accepted = timeout(HANDSHAKE_WAIT, self.identity.acceptor().accept(stream)).await;
        let accepted = accepted.map_err(|_| "its handshake takes too long".to_owned())?;
        let mut stream = accepted.map_err(|error| format!("its handshake: {error}"))?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let from = self.identity.party_of(chain).filter(|from| *from != self.identity.party());
        let from = from.ok_or("its certificate names no other party of this network")?;
        let _held = Held::take(&self.open, from)?;
        loop {
            let bytes = match frame::read(&mut stream).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(()),
                // A peer that is killed sends nothing more, and nobody is to blame.
                Err(frame::FrameError::Connection(_)) => return Ok(()),
                Err(error) => return Err(format!("{from}: {error}")),
            };
            let request = Request::decode(&bytes).map_err(|error| format!("{from} asks {error}"))?;
            let reply = match self.service.refuses(from, &request) {
                Some(reason) => {
                    self.refuse(&format!("a request of {from} refused: {reason}"));
                    Reply::Not(reason)
                }
                None => self.service.answer(from, request).await,
            };
            if let Err(error) = frame::write(&mut stream, &reply.encode()).await {
                return match error {
                    frame::FrameError::Connection(_) => Ok(()),
                    other => Err(format!("{from} at {address}: {other}")),
                };
            }
        }
    }

    fn refuse(&self, line: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = refusals.next(line) {
            self.service.log(&line);
        }
    }
}

/// A connection of a party that counts as long as this lives.
struct Held<'a> {
    open: &'a Mutex<BTreeMap<Party, usize>>,
    party: Party,
}

impl<'a> Held<'a> {
    fn take(open: &'a Mutex<BTreeMap<Party, usize>>, party: Party) -> Result<Self, String> {
        let mut counts = open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(party).or_default();
        if *count >= CONNECTIONS_OF_PARTY_MAX {
            return Err(format!("{party} has {count} connections, at most {CONNECTIONS_OF_PARTY_MAX}"));
        }
        *count += 1;
        Ok(Self { open, party })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut counts = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.party) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Logs so many refusals a minute and counts the rest: a stranger must not fill the disk.
pub(crate) struct Refusals {
    since: Instant,
    logged: u32,
    unlogged: u64,
}

impl Refusals {
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), logged: 0, unlogged: 0 }
    }

    /// The line to log, if it is.
    pub(crate) fn next(&mut self, line: &str) -> Option<String> {
        let mut line = line.to_owned();
        if self.since.elapsed() >= Duration::from_secs(60) {
            if self.unlogged > 0 {
                line.push_str(&format!("; {} more in the minute before", self.unlogged));
            }
            *self = Self::new();
        }
        if self.logged >= REFUSALS_LOGGED_MAX {
            self.unlogged += 1;
            return None;
        }
        self.logged += 1;
        Some(line)
    }
}
