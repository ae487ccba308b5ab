//! A regulator's witness: a small program that cosigns heads which follow one another, and the asking of one.
//!
//! ```text
//!   node ── POST /add-checkpoint ──▶ server ─ check ─▶ folder: the head, durable ─▶ cosignature ──▶ node
//!   client                            └ inconsistent ─▶ folder: both notes, 409 or 422
//! ```
//!
//! It knows of heads only: no reading, no bill, no block comes to it, and no secret of a party. What it keeps is a key, the
//! newest head of each log, and what it refused as inconsistent.
//!
//! Source: C2SP tlog-witness.

pub use tallywatt_consensus::members::WITNESS_NAME;

pub mod client;
pub mod folder;
pub mod server;
