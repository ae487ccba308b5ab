//! Validation and estimation: pure rules over readings and day blocks.
//!
//! [`judge`] is asked for every reading as it comes in; [`consumption`] tells what lies between register reads;
//! [`estimate`] fills what a closed period lacks.

pub mod consumption;
pub mod estimate;
pub mod judge;
pub mod profile;
