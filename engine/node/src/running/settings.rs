//! Who a node is and where the others are: the `[node]` part of a data folder's config.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;
use tallywatt_core::agreement::Party;

use crate::order::HEARTBEAT_MS;

/// The range of a heartbeat, milliseconds: below it a busy machine looks dead, above it a dead one looks busy.
pub const HEARTBEAT_MS_RANGE: std::ops::RangeInclusive<u64> = 20..=5_000;

/// The longest host name.
const ADDRESS_SIZE_MAX: usize = 253;

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
    /// Where the witness is asked that the genesis names, as host and port.
    #[serde(default)]
    pub witness: Option<String>,
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
    /// Where the witness is asked, as host and port.
    pub witness: Option<String>,
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
        let witness = self.witness.as_deref().map(check_address).transpose();
        let witness = witness.map_err(|problem| ("witness", problem))?;
        Ok(NodeSettings { party, listen: self.listen, heartbeat_ms: self.heartbeat_ms, witness, peers })
    }
}

/// The address of a witness, if it is a host and a port.
///
/// # Errors
/// What is wrong with it.
pub fn check_address(text: &str) -> Result<String, String> {
    let is_host = |host: &str| {
        let is_taken = |found: char| found.is_ascii_alphanumeric() || ".-:[]".contains(found);
        !host.is_empty() && host.len() <= ADDRESS_SIZE_MAX && host.chars().all(is_taken)
    };
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse().is_ok_and(|port: u16| port > 0) => {
            Ok(text.to_owned())
        }
        _ => Err(format!("{text:?} is no host and port, such as witness.example:7110")),
    }
}

impl NodeSettings {
    /// Its text in a config.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { party, listen, heartbeat_ms, witness, peers } = self;
        let witness = witness
            .as_ref()
            .map(|address| format!("\n# Where the witness is asked.\nwitness = \"{address}\"\n"));
        let witness = witness.unwrap_or_default();
        let peers: String = peers.iter().map(|(peer, address)| format!("{peer} = \"{address}\"\n")).collect();
        format!(
            "\n# This folder holds the node of one party; `tallywatt start` runs it.\n[node]\nparty = \"{party}\"\n\n\
             # Where it listens for the nodes of the other two.\nlisten = \"{listen}\"\n\n\
             # Milliseconds between the leader's signs of life: 150 in one house, 250 between towns.\n\
             heartbeat_ms = {heartbeat_ms}\n{witness}\n# Where the others listen.\n[node.peers]\n{peers}"
        )
    }
}
