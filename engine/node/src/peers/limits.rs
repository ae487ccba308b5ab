//! What one node takes from another, at most; what a message may hold is beside the messages, in `consensus::message`.

use std::time::Duration;

use tallywatt_consensus::message::{CHUNK_SIZE_MAX, INLINE_SIZE_MAX};
use tallywatt_ledger::block::BLOCK_SIZE_MAX;

/// The largest message, and what is read before a length is believed.
pub const FRAME_SIZE_MAX: usize = 6 << 20;
/// How many entries the order sends in one message.
pub const ENTRY_COUNT_MAX: usize = 16;
/// Connections that are open at one time, from all peers and strangers together.
pub const CONNECTION_COUNT_MAX: usize = 64;
/// Connections of one party at one time.
pub const CONNECTIONS_OF_PARTY_MAX: usize = 24;
/// How long a stranger has to show a certificate.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
/// How long the rest of a message may take once it has begun.
pub const FRAME_WAIT: Duration = Duration::from_secs(10);
/// How long a connection may say nothing.
pub const IDLE_WAIT: Duration = Duration::from_secs(120);
/// How long a peer has to answer a small request.
pub const ANSWER_WAIT: Duration = Duration::from_secs(3);
/// How long a peer has to answer with a piece of a file.
pub const CHUNK_WAIT: Duration = Duration::from_secs(10);
/// Notes that wait for one peer; the oldest of what a peer missed it asks for again.
pub const NOTE_COUNT_MAX: usize = 256;
/// Proposals of one party on one block that are looked at in a minute, where each may mean a large file. A party proposes the same again
/// when nobody was there to answer, so there may be a few.
pub const PROPOSALS_OF_PARTY_MAX: usize = 16;
/// The same, of those whose small file came along.
pub const SMALL_PROPOSALS_OF_PARTY_MAX: usize = 100;
/// Refusals that are logged in one minute; the rest are counted.
pub const REFUSALS_LOGGED_MAX: u32 = 60;

const _: () = assert!(
    ENTRY_COUNT_MAX * (BLOCK_SIZE_MAX + INLINE_SIZE_MAX + 64) + 1024 <= FRAME_SIZE_MAX,
    "the order's messages fit"
);
const _: () = assert!(CHUNK_SIZE_MAX + 64 <= FRAME_SIZE_MAX, "a piece of a file fits");
const _: () = assert!(INLINE_SIZE_MAX + BLOCK_SIZE_MAX + 64 <= FRAME_SIZE_MAX, "an announcement fits");
