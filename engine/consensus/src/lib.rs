//! Attest, order, cosign: how three parties that do not trust each other agree on one chain.
//!
//! ```text
//!   proposer   Propose ─▶ announce ──────────────▶ others recompute ─▶ attest, or dissent with their own result
//!                              ◀────────────────────────┘
//!   ordered log   entry {proposal, attestations} ─▶ every member applies it, or passes it over: a pure function of the log
//!   member        store block and state ─▶ store the sign lock ─▶ cosign the head
//!   heads         ordered ─▶ final (2 of 3 cosigned) ─▶ sealed (3 of 3)
//! ```
//!
//! [`machine::Member`] is pure: events in, actions out; no clock, disk, socket or thread. What it must find
//! again after a crash goes through the actions it asks for, in the order it asks for them.
//!
//! Said plainly: three parties outvote one. With two signatures of three, a party that signs twice is
//! proven, not prevented; with all three, no two histories can both be sealed. Money leaves on `sealed` only.

pub mod lock;
pub mod machine;
pub mod members;
pub mod message;
pub mod order;
pub mod state;
