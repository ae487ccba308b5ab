//! Which peers this node reaches by itself, as the regular question to them shows.
//!
//! A network may let a node call others and not be called by them. As a leader it would keep its place by its own messages, and
//! nobody could ask it for anything: so nobody takes the order's messages from who cannot be asked, as if they were lost, and
//! another leads.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tallywatt_core::agreement::Party;

/// How long a peer may not be reached and still lead or be voted for: a peer that starts is not there at once.
const UNREACHED_MAX: Duration = Duration::from_secs(2);

/// Since when which peers are not reached.
#[derive(Default)]
pub(super) struct Reach {
    unreached: Mutex<BTreeMap<Party, Instant>>,
}

impl Reach {
    /// A peer was asked.
    pub(super) fn asked(&self, peer: Party, is_answered: bool) {
        let mut unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        if is_answered {
            unreached.remove(&peer);
        } else {
            unreached.entry(peer).or_insert_with(Instant::now);
        }
    }

    /// Whether a peer is not reached for so long that it may not lead.
    pub(super) fn is_lost(&self, peer: Party) -> bool {
        let unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        unreached.get(&peer).is_some_and(|since| since.elapsed() > UNREACHED_MAX)
    }
}
