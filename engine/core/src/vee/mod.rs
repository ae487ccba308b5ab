//! Validation and estimation: pure rules over readings and day blocks.
//!
//! [`judge`] is asked for every reading as it comes in; [`estimate`] fills what a closed period lacks.

pub mod estimate;
pub mod guard;
pub mod judge;
