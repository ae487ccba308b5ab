//! What a running node says of itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A peer as a node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Whether it answered when it was asked last.
    pub is_up: bool,
    /// Size of the largest head it signed, as far as is known here.
    pub signed: u64,
}

/// The witness as a node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessStatus {
    /// Why it did not sign when it was asked last, if so.
    pub problem: Option<String>,
    /// Size of the largest head it signed, as far as is known here.
    pub signed: u64,
}

/// A node's view of itself, its peers and the order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whose node.
    pub party: String,
    /// Blocks stored.
    pub blocks: u64,
    /// Root of the log over them.
    pub root: String,
    /// Size of the largest head that two parties signed.
    pub final_size: u64,
    /// Size of the largest head that three signed, the witness counted.
    pub sealed_size: u64,
    /// Size of the largest head it signed itself.
    pub signed: u64,
    /// Who leads the order.
    pub leader: Option<String>,
    /// Term of the order.
    pub term: u64,
    /// Index of the last entry of the order that was taken or passed over.
    pub applied: u64,
    /// Why it signs nothing any more, if so.
    pub frozen: Option<String>,
    /// Which keys are in force at the next block, in words.
    pub keys: String,
    /// Whether this node lacks its own of them, and so signs nothing.
    pub is_keyless: bool,
    /// The peers.
    pub peers: BTreeMap<String, PeerStatus>,
    /// The witness, if the chain names one.
    pub witness: Option<WitnessStatus>,
    /// What was found of disputes.
    pub findings: Vec<String>,
}
