//! Where readings become day blocks, and what becomes of those: joined, made durable, sealed, closed, archived.
//!
//! ```text
//!  chunk ─▶ pipeline ─▶ Shard: DayTable, LetGo ─▶ WriteAhead ─▶ acknowledged
//!                          │
//!                          └─ cut ─▶ PartitionSealer ─▶ batch_file ─▶ use_fold ─▶ determinants
//!                                                          └─▶ archive (Parquet, for others)
//!  AcceptedSet (sealed days, by key) ─ closing::close_period ─▶ estimated day blocks ─▶ bills
//! ```
//!
//! Everything that leaves here is a function of the accepted set: not of the order readings came in, not of
//! the number of threads, not of where a crash fell. Files hold whole records or are found out; see
//! [`write_ahead::recovery`] for what is forgiven and what is not.

pub mod accepted;
pub mod archive;
mod archive_columns;
mod archive_days;
mod archive_file;
mod archive_rows;
mod archive_stripes;
pub mod batch_file;
pub mod closing;
mod column_chunk;
pub mod cut;
pub mod day_slot;
pub mod day_table;
mod direct;
pub mod durable;
pub mod in_order;
pub mod intake_record;
pub mod key_filter;
pub mod lane;
pub mod layered;
pub mod let_go;
pub mod partition_sealer;
pub mod pipeline;
mod queues;
mod run_length;
mod run_length_reader;
pub mod scan;
mod scan_pages;
pub mod sealing;
pub mod shard;
pub mod threads;
pub mod use_file;
pub mod use_fold;
pub mod write_ahead;
