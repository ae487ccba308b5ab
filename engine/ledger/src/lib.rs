//! Placeholder.

pub mod checkpoint;
pub mod log;
pub mod note;
pub mod policy;
pub mod tlog_proof;
