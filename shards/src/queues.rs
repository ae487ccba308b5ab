//! The queues and threads of the pipeline: crossbeam's bounded lock-free queues, or, to try out schedules in a test,
//! shuttle's.
//!
//! None of our own: a queue hop costs nothing beside a message of 4,096 readings.

#[cfg(not(feature = "shuttle"))]
pub(crate) use crossbeam_channel::{Receiver, Sender, bounded};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::thread::{Scope, scope};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::mpsc::{Receiver, SyncSender as Sender, sync_channel as bounded};
#[cfg(feature = "shuttle")]
pub(crate) use shuttle::thread::{Scope, scope};
