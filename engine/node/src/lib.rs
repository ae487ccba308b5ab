//! The node: the only room that knows the world. Disk, clock, threads, three nodes, and the conductors.
//!
//! ```text
//!   ledger_folder   a data folder: config, lock, three nodes
//!   intake          files ─▶ accepted readings, durable, then acknowledged ─▶ a sealed batch
//!   close           period, bills, settlement: plan, and the very same as a run
//!   prove           receipts
//!   audit           re-reads, re-hashes and recomputes everything stored
//! ```

pub mod archive;
pub mod audit;
pub mod books;
pub mod compare;
pub mod consortium;
pub mod intake;
pub mod ledger_folder;
pub mod list_file;
pub mod node;
pub mod node_folder;
pub mod prove;
pub mod quarantine;
pub mod store;
