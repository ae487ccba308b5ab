//! Canonical bytes, hashes, trees, the log and its signatures: everything that two parties must agree on.
//!
//! Floor 2 of the house. The bytes are drawn in `engine/ledger/FORMAT.md`; the page and the code name each other.

pub mod access_bytes;
pub mod activation;
pub mod agreement_bytes;
pub mod attesters;
pub mod bill_bytes;
pub mod blinding;
pub mod block;
mod carried_bytes;
pub mod checkpoint;
pub mod codec;
pub mod command;
pub mod correction_bytes;
pub mod day_leaf;
pub mod day_pack;
pub mod digest;
pub mod document;
pub mod double_signature;
pub mod frame;
pub mod governance;
pub mod hash_many;
pub mod hour_list_bytes;
pub mod key;
pub mod key_history;
pub mod leaf_key;
pub mod legs;
pub mod log;
pub mod meter_event_bytes;
pub mod note;
pub mod packed_values;
pub mod penalty_bytes;
pub mod plan_series_bytes;
pub mod policy;
pub mod price_series_bytes;
pub mod receipt;
pub mod request;
pub mod rule_pack_bytes;
pub mod seal;
pub mod settled_bytes;
pub mod sharing_bytes;
pub mod tariff_bytes;
pub mod tiles;
pub mod tlog_proof;
pub mod tree;
pub mod witness;
pub mod wrong_result;
