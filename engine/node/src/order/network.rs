//! The order's own messages, over links to the peers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use openraft::EmptyNode;
use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tallywatt_consensus::message::{OrderKind, Reply, Request};
use tallywatt_core::agreement::Party;

use crate::order::{Types, party_of};
use crate::peers::link::Link;
use crate::peers::tls::Identity;

/// Makes links to the peers.
pub(super) struct Network {
    identity: Identity,
    peers: BTreeMap<Party, SocketAddr>,
}

impl Network {
    pub(super) const fn new(identity: Identity, peers: BTreeMap<Party, SocketAddr>) -> Self {
        Self { identity, peers }
    }
}

/// A link to one peer; none to who is no peer of ours.
pub(super) struct Connection {
    target: u64,
    link: Option<Link>,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> Connection {
        let peer = party_of(target).and_then(|party| Some((party, *self.peers.get(&party)?)));
        let link = peer.map(|(party, address)| Link::new(self.identity.clone(), party, address));
        Connection { target, link }
    }
}

type CallError<E = openraft::error::Infallible> = RPCError<u64, EmptyNode, RaftError<u64, E>>;

impl Connection {
    async fn call<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        kind: OrderKind,
        request: &Q,
        option: &RPCOption,
    ) -> Result<A, CallError> {
        let unreachable = |error: io::Error| CallError::Unreachable(Unreachable::new(&error));
        let link = self.link.as_mut().ok_or_else(|| unreachable(io::Error::other("no such peer")))?;
        let bytes =
            postcard::to_stdvec(request).map_err(|error| CallError::Network(NetworkError::new(&error)))?;
        let reply = link.call(&Request::Order(kind, bytes), option.hard_ttl()).await;
        match reply.map_err(|error| CallError::Unreachable(Unreachable::new(&error)))? {
            Reply::Order(bytes) => {
                let answer: Result<A, RaftError<u64>> = postcard::from_bytes(&bytes)
                    .map_err(|error| CallError::Network(NetworkError::new(&error)))?;
                answer.map_err(|error| CallError::RemoteError(RemoteError::new(self.target, error)))
            }
            Reply::Not(reason) => Err(unreachable(io::Error::other(reason))),
            _ => Err(unreachable(io::Error::other("its answer is to something else"))),
        }
    }
}

impl RaftNetwork<Types> for Connection {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, CallError> {
        self.call(OrderKind::Append, &request, &option).await
    }

    async fn install_snapshot(
        &mut self,
        _request: InstallSnapshotRequest<Types>,
        _option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, CallError<InstallSnapshotError>> {
        let error = io::Error::other("the log is the chain, there are no snapshots");
        Err(RPCError::Unreachable(Unreachable::new(&error)))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, CallError> {
        self.call(OrderKind::Vote, &request, &option).await
    }
}
