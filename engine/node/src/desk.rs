//! The desk of a running node: what holders of granted keys ask of it, each request a signed note over HTTP/1.1.
//!
//! ```text
//!   POST /request ─▶ note ─ whose key? ─ its log, its time? ─ permits ─▶ checkpoint | denials | receipt | readings
//!                              └───────────┴────────────┴──▶ denied: stored by the conductor, logged, 403
//! ```
//!
//! It is off unless `start` is given an address. It decides by the access lists that the conductor shows it, and never waits
//! for the chain: receipts are made by a copy of the books in a thread of its own, readings are kept in `inbox/` until the
//! operator takes them in.
//!
//! Invariants: nothing is answered that [`tallywatt_core::access::permits`] does not permit; of a file of readings nothing is
//! taken unless every usage point in it may be; what is acknowledged is durable; bodies, times and connections have limits.
//!
//! The connection itself is not encrypted: loopback, a private network, or a proxy that speaks TLS stands before it.

pub mod client;
mod inbox;
pub mod key_file;
pub(crate) mod proving;
pub(crate) mod server;
mod signed;

use std::sync::Arc;

use tallywatt_core::access::AccessBook;

/// Where a desk is asked.
pub const REQUEST_PATH: &str = "/request";
/// Below the data folder: what gateways handed in, a folder a profile, each file by its content hash.
pub const INBOX_NAME: &str = "inbox";
/// The largest file of readings that is taken.
pub const READINGS_SIZE_MAX: usize = 16 << 20;

/// What the conductor shows the desk.
#[derive(Debug, Clone)]
pub(crate) struct DeskView {
    /// Every party's access lists.
    pub(crate) access: Arc<AccessBook>,
    /// Size of the newest head that was sealed when it was the newest, and the head as a note.
    pub(crate) sealed: Option<(u64, Arc<str>)>,
}
