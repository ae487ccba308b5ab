//! Decoders: from a meter data file to [`RawReading`](tallywatt_core::reading::RawReading)s and
//! [`Rejection`](tallywatt_core::rejection::Rejection)s.
//!
//! ```text
//!   file ──container──▶ member ──decode(profile)──▶ ReadingSink
//!                                     │
//!                                     └──▶ FileRefusal: nothing of the file may be used
//! ```
//!
//! What a file looks like, its profile says: a small TOML file ([`profile`]). A decoder never guesses: what
//! the profile does not describe is rejected, with its line. No decoder panics, whatever the bytes; no length
//! read from a file is trusted; every line, text, nesting and expansion has a named limit. `ingest/fuzz/run.sh` looks for bytes that break
//! this.
//!
//! ```
//! use tallywatt_ingest::{decode::decode, profile::Profile, sink::Collected};
//! let profile = Profile::builtin("tallywatt")?.with_zone("Asia/Yekaterinburg")?;
//! let file = b"usage_point,obis,date,v1,v2\nEKB-000001,1-0:1.8.0,2026-03-01,120,\n";
//! let mut found = Collected::default();
//! let summary = decode(&profile, "town.csv", &mut &file[..], &mut found)?;
//! assert_eq!((summary.reading_count, summary.null_count), (1, 1));
//! assert_eq!(found.readings[0].energy_wh, 120);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod block_decoder;
pub mod blocks;
mod companion;
pub mod container;
mod csv_profile;
pub mod decode;
mod dial;
mod digits;
mod dlms;
pub mod documents;
pub mod foreign;
pub mod format;
mod frames;
pub mod greenbutton;
mod json_lines;
mod layout80020;
mod lines;
mod meters;
mod mscons;
mod nem12;
mod nem13;
mod obis;
mod p1;
mod packs;
pub mod profile;
mod profile_text;
mod reads;
pub mod refusal;
mod scale;
pub mod sink;
mod sml;
pub mod source_notes;
mod stamp;
mod table;
mod tally;
mod xml;

pub use layout80020::reply as layout80020_reply;
