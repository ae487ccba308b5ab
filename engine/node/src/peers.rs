//! Nodes that talk to each other: framed messages (`consensus::message`) over mutual TLS 1.3, one connection for one purpose.
//!
//! ```text
//!   certificates   a consortium's authority, and a certificate for each party     made once, by init
//!   link           one connection to a peer: a request, its answer, the next      dialled again when it fails
//!   listener       connections from peers: who they are, then their requests      refused, bounded, logged
//! ```
//!
//! Invariants: nothing is read from a peer before its certificate names a party of this consortium; who sends is who the
//! certificate names, never what a message says; every length, count and wait has a limit in [`limits`]; whatever a peer
//! sends, the worst that happens is that its connection is closed.

pub mod certificates;
pub mod frame;
pub mod limits;
pub mod link;
pub mod listener;
pub mod tls;
