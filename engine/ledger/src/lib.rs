//! Canonical bytes, hashes, trees, the log and its signatures: everything that two parties must agree on.
//!
//! Floor 2 of the house. The bytes are drawn in `engine/ledger/FORMAT.md`; the page and the code name each other.

pub mod codec;
pub mod day_leaf;
pub mod digest;
pub mod seal;
pub mod tree;
