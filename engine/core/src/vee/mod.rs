//! Validation and estimation: pure rules over readings and day blocks.
//!
//! ```text
//!   RawReading ──judge──▶ DayBlock ──validate──▶ Finding, Finding, …      rule.rs: the thirty rules
//!                            │           ▲                                 pack.rs: which, with what parameters
//!                            └─push─▶ MeterState                           rules/: a file a family
//! ```
//!
//! [`judge`] is asked for every reading as it comes in; [`validate`](validate::validate) for every day that was taken;
//! [`estimate`] fills what a closed period lacks.

pub mod columns;
pub mod estimate;
pub mod finding;
pub mod judge;
pub mod pack;
pub mod parameters;
pub mod rule;
pub mod rules;
pub mod screen;
pub mod state;
pub mod validate;

pub use validate::validate;
