//! Validation and estimation: pure rules over readings and day blocks.
//!
//! [`judge`] is asked for every reading as it comes in; [`consumption`] tells what lies between register reads;
//! [`estimate`] fills what a closed period lacks; [`non_delivery`] bills a point that delivers nothing at all.

pub mod consumption;
pub mod estimate;
pub mod judge;
pub mod non_delivery;
pub mod profile;
