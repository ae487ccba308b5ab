//! What every fuzz target calls, and the files that fuzzing begins with.
//!
//! The checks are those of the verifier's tests: they are taken from their folder, not written again.
#![allow(clippy::unwrap_used, reason = "a fuzz target stops where it is surprised")]

#[path = "../../tests/town/texts.rs"]
mod texts;
#[path = "../../tests/town/mod.rs"]
mod town;

pub use texts::{TARGETS, check, seeds};
