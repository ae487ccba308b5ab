//! The node: the only room that knows the world. Disk, clock, threads, three nodes, and the conductors.
//!
//! ```text
//!   ledger_folder   a data folder: config, lock, three nodes
//!   intake          files ─▶ accepted readings, durable, then acknowledged ─▶ a sealed batch
//!   close           period, bills, settlement: plan, and the very same as a run
//!   exceptions      what the rules say of the accepted days, with the money at stake
//!   completeness    what came of what was expected
//!   losses          what feeders gave against what their meters took
//!   arrears         who owes what for how long, and what the penalty table makes of it
//!   prove           receipts
//!   desk            what holders of granted keys ask of a running node, and the asking
//!   governing       keys that change, as a folder sees it: the next key set, the trust policy
//!   witness         the regulator's: cosigns heads that follow one another, and the asking of it
//!   audit           re-reads, re-hashes and recomputes everything stored
//! ```

pub mod archive;
pub mod arrears;
pub mod audit;
pub mod books;
pub mod compare;
pub mod completeness;
pub mod consortium;
pub mod derivation;
pub mod desk;
pub mod exceptions;
pub mod governing;
mod http;
pub mod intake;
pub mod ledger;
pub mod ledger_folder;
pub mod list_file;
pub mod losses;
pub mod node;
pub mod node_folder;
pub mod order;
pub mod peers;
mod point_days;
pub mod prove;
pub mod quarantine;
pub mod running;
pub mod sign_lock_file;
pub mod store;
pub mod tile_folder;
pub mod witness;
