//! Validation and estimation: pure rules over readings and day blocks.
//!
//! ```text
//!   RawReading ──judge──▶ DayBlock ──validate──▶ Finding, Finding, …      rule.rs: the thirty rules
//!                            │           ▲                                 pack.rs: which, with what parameters
//!                            └─push─▶ MeterState                           rules/: a file a family
//!
//!   RegisterRead, Installation ──consumption──▶ spans ──┐
//!                                        day blocks ────┴──estimate──▶ gaps filled, each with its Decision
//! ```
//!
//! [`judge`] is asked for every reading as it comes in; [`validate`](validate::validate) for every day that was taken;
//! [`consumption`] tells what lies between register reads; [`estimate`] fills what a closed period lacks;
//! [`non_delivery`] bills a point that delivers nothing at all.

pub mod columns;
pub mod consumption;
pub mod estimate;
pub mod finding;
pub mod guard;
pub mod judge;
pub mod non_delivery;
pub mod pack;
pub mod parameters;
pub mod profile;
pub mod rule;
pub mod rules;
pub mod screen;
pub mod state;
pub mod validate;

pub use validate::validate;
