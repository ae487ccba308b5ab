//! Who a node is and where the others are: the `[node]` part of a data folder's config.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;
use tallywatt_core::agreement::Party;

use crate::order::HEARTBEAT_MS;

/// The range of a heartbeat, milliseconds: below it a busy machine looks dead, above it a dead one looks busy.
pub const HEARTBEAT_MS_RANGE: std::ops::RangeInclusive<u64> = 20..=5_000;

/// The part of the config as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Whose node: grid, bank or supplier.
    pub party: String,
    /// Where it listens for its peers.
    pub listen: SocketAddr,
    /// Time from one sign of life of the leader to the next, milliseconds.
    #[serde(default = "default_heartbeat_ms")]
    pub heartbeat_ms: u64,
    /// Where the other two listen.
    pub peers: BTreeMap<String, SocketAddr>,
}

const fn default_heartbeat_ms() -> u64 {
    HEARTBEAT_MS
}

/// The same, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSettings {
    /// Whose node.
    pub party: Party,
    /// Where it listens for its peers.
    pub listen: SocketAddr,
    /// Time from one sign of life of the leader to the next, milliseconds.
    pub heartbeat_ms: u64,
    /// Where the other two listen.
    pub peers: BTreeMap<Party, SocketAddr>,
}

impl NodeConfig {
    /// Checks it: one party, its two peers, a heartbeat in range.
    ///
    /// # Errors
    /// The key that is wrong, and what is wrong with it.
    pub fn check(&self) -> Result<NodeSettings, (&'static str, String)> {
        let named = |name: &str| Party::from_name(name).ok_or_else(|| format!("no party is named {name:?}"));
        let party = named(&self.party).map_err(|problem| ("party", problem))?;
        let mut peers = BTreeMap::new();
        for (name, address) in &self.peers {
            let peer = named(name).map_err(|problem| ("peers", problem))?;
            peers.insert(peer, *address);
        }
        let others: Vec<Party> = Party::ALL.into_iter().filter(|other| *other != party).collect();
        if !peers.keys().eq(others.iter()) {
            let names: Vec<&str> = others.iter().map(|other| other.name()).collect();
            return Err(("peers", format!("need the addresses of {}", names.join(" and "))));
        }
        if !HEARTBEAT_MS_RANGE.contains(&self.heartbeat_ms) {
            let (from, to) = HEARTBEAT_MS_RANGE.into_inner();
            return Err(("heartbeat_ms", format!("{} ms, need {from} to {to}", self.heartbeat_ms)));
        }
        Ok(NodeSettings { party, listen: self.listen, heartbeat_ms: self.heartbeat_ms, peers })
    }
}

impl NodeSettings {
    /// Its text in a config.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { party, listen, heartbeat_ms, peers } = self;
        let peers: String = peers.iter().map(|(peer, address)| format!("{peer} = \"{address}\"\n")).collect();
        format!(
            "\n# This folder holds the node of one party; `tallywatt start` runs it.\n[node]\nparty = \"{party}\"\n\n\
             # Where it listens for the nodes of the other two.\nlisten = \"{listen}\"\n\n\
             # Milliseconds between the leader's signs of life: 150 in one house, 250 between towns.\n\
             heartbeat_ms = {heartbeat_ms}\n\n# Where the others listen.\n[node.peers]\n{peers}"
        )
    }
}
