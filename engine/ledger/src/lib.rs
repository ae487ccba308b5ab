//! Placeholder.

pub mod checkpoint;
pub mod log;
pub mod note;
