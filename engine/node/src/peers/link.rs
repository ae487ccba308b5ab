//! One connection to a peer: a request, its answer, the next. It is dialled when it is needed, and again when it failed.

use std::net::SocketAddr;
use std::time::Duration;

use tallywatt_consensus::message::{Reply, Request};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::codec::CodecError;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::peers::frame::{self, FrameError};
use crate::peers::limits::HANDSHAKE_WAIT;
use crate::peers::tls::Identity;

/// Why a peer gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It cannot be reached, or is not who it should be.
    #[error("cannot reach {peer} at {address}: {source}")]
    Reach {
        /// Who.
        peer: Party,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The connection failed.
    #[error("{peer}: {source}")]
    Frame {
        /// Who.
        peer: Party,
        /// Why.
        source: FrameError,
    },
    /// The answer is none.
    #[error("{peer} answers with {source}")]
    Malformed {
        /// Who.
        peer: Party,
        /// What is wrong with it.
        source: CodecError,
    },
    /// It closed the connection.
    #[error("{0} closed the connection")]
    Closed(Party),
    /// It took too long.
    #[error("{peer} gives no answer within {} ms", wait.as_millis())]
    Slow {
        /// Who.
        peer: Party,
        /// The limit.
        wait: Duration,
    },
}

/// A peer, and the connection to it if there is one.
pub struct Link {
    identity: Identity,
    peer: Party,
    address: SocketAddr,
    stream: Option<TlsStream<TcpStream>>,
}

impl Link {
    /// A link that is not dialled yet.
    #[must_use]
    pub const fn new(identity: Identity, peer: Party, address: SocketAddr) -> Self {
        Self { identity, peer, address, stream: None }
    }

    /// Another link to the same peer, not dialled yet.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::new(self.identity.clone(), self.peer, self.address)
    }

    /// Who is at the other end.
    #[must_use]
    pub const fn peer(&self) -> Party {
        self.peer
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// [`LinkError`]; the next call dials again. Whether the request was taken is not known then.
    pub async fn call(&mut self, request: &Request, wait: Duration) -> Result<Reply, LinkError> {
        let had_stream = self.stream.is_some();
        let (peer, bytes) = (self.peer, request.encode());
        let mut answer = timeout(wait, self.exchange(&bytes)).await;
        // The peer may have gone and come back since the last call: what it never read is sent once more.
        if had_stream && matches!(answer, Ok(Err(LinkError::Closed(_) | LinkError::Frame { .. }))) {
            self.stream = None;
            answer = timeout(wait, self.exchange(&bytes)).await;
        }
        let answer = answer.unwrap_or(Err(LinkError::Slow { peer, wait }));
        // Half an exchange leaves an answer in the way of the next one.
        if answer.is_err() {
            self.stream = None;
        }
        answer
    }

    async fn exchange(&mut self, bytes: &[u8]) -> Result<Reply, LinkError> {
        let peer = self.peer;
        // Taken out: a call that is given up halfway must not leave its stream behind.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.dial().await?,
        };
        let fail = |source| LinkError::Frame { peer, source };
        frame::write(&mut stream, bytes).await.map_err(fail)?;
        let answer = frame::read(&mut stream).await.map_err(fail)?.ok_or(LinkError::Closed(peer))?;
        let reply = Reply::decode(&answer).map_err(|source| LinkError::Malformed { peer, source })?;
        self.stream = Some(stream);
        Ok(reply)
    }

    async fn dial(&self) -> Result<TlsStream<TcpStream>, LinkError> {
        let (peer, address) = (self.peer, self.address);
        let dial = async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            // The name is checked in the handshake: whoever answers here is this peer.
            let connector = self.identity.connector(peer).ok_or_else(|| std::io::Error::other("no peer"))?;
            connector.connect(self.identity.name_of(peer), stream).await
        };
        let dialled = timeout(HANDSHAKE_WAIT, dial).await;
        let dialled = dialled.map_err(|_| LinkError::Slow { peer, wait: HANDSHAKE_WAIT })?;
        dialled.map_err(|source| LinkError::Reach { peer, address, source })
    }
}
