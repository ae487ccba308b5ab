//! What gateways hand in: looked through before anything is kept, kept durably before it is acknowledged.
//!
//! ```text
//!   <data>/inbox/<profile>/<content hash>     the file, as it came: `tallywatt ingest <data>/inbox/<profile> --profile <profile>`
//!          inbox/.coming/<content hash>       being written; what a crash leaves there is overwritten when it comes again
//! ```
//!
//! The folder names the profile by which the usage points were looked for: read by another, a file could be of others.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tallywatt_core::access::SCOPE_COUNT_MAX;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_shards::durable::{self, DurableError};

/// The most readings of one file.
const READING_COUNT_MAX: u64 = 8_000_000;
/// What the inbox holds at most, bytes: the operator takes files in and removes them.
pub(super) const INBOX_SIZE_MAX: u64 = 4 << 30;
/// How many files it holds at most.
pub(super) const INBOX_FILE_COUNT_MAX: usize = 65_536;

/// Every usage point that a file is of, in order; of more than any gateway can have, some.
///
/// # Errors
/// Why nothing of the file can be taken, whoever sends it: one line that would be set aside is enough.
pub(super) fn points_of(profile: &Label, file: &[u8]) -> Result<Vec<UsagePointId>, String> {
    let profile = Profile::builtin(profile.as_str()).map_err(|error| error.to_string())?;
    if profile.foreign().is_some() || profile.is_named_by_file() {
        return Err(format!("files by the profile {} are not taken here", profile.name()));
    }
    let mut seen = Seen::default();
    let visited = each_member("handed in", Cursor::new(file), &mut |name, bytes| {
        decode(&profile, name, bytes, &mut seen).map(drop)
    });
    visited.map_err(|refusal: FileRefusal| refusal.to_string())?;
    match seen.refused {
        Some(why) => Err(why),
        None => Ok(seen.points.into_iter().collect()),
    }
}

/// Usage points, and nothing else of what a file holds.
#[derive(Default)]
struct Seen {
    points: BTreeSet<UsagePointId>,
    reading_count: u64,
    refused: Option<String>,
}

impl Seen {
    fn see(&mut self, point: UsagePointId, reading_count: usize) {
        self.points.insert(point);
        self.reading_count =
            self.reading_count.saturating_add(u64::try_from(reading_count).unwrap_or(u64::MAX));
        if self.reading_count > READING_COUNT_MAX && self.refused.is_none() {
            self.refused = Some(format!("more than {READING_COUNT_MAX} readings in one file"));
        }
    }
}

impl ReadingSink for Seen {
    fn reading(&mut self, reading: RawReading) {
        self.see(reading.usage_point, 1);
    }

    fn run(&mut self, run: &ReadingRun<'_>) {
        self.see(run.usage_point, run.values_wh.len());
    }

    // A day without a value is of its usage point too.
    fn frame(&mut self, frame: &[u8], _line: u64) {
        let leaf = DayLeaf::decode(frame).expect("a decoder hands over canonical frames only");
        self.see(leaf.block().key().usage_point, leaf.block().interval_count());
    }

    fn issued(&mut self, _issued: Issued) {}

    fn register_read(&mut self, read: &RegisterRead, _origin: ReadOrigin) {
        self.see(read.usage_point, 1);
    }

    fn installation(&mut self, installation: &Installation, _line: u64) {
        self.see(installation.usage_point, 1);
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        self.see(run.usage_point, run.values_wh.len());
    }

    fn reject(&mut self, rejection: Rejection) {
        let Rejection { line, code, raw, .. } = rejection;
        self.refused.get_or_insert_with(|| format!("line {line} would be set aside ({code:?}): {raw}"));
    }

    fn line_done(&mut self, _line: u64) -> ControlFlow<()> {
        let is_over = self.refused.is_some() || self.points.len() > SCOPE_COUNT_MAX;
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Why a file is not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum InboxError {
    /// The operator is to take files in first.
    #[error("the inbox is full: {count} files of {size} bytes together")]
    Full {
        /// How many there are.
        count: usize,
        /// Their size.
        size: u64,
    },
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DurableError),
}

/// Where files wait for the operator.
pub(super) struct Inbox {
    folder: PathBuf,
    /// One at a time: what there is room for is counted, then used.
    writing: Mutex<()>,
}

impl Inbox {
    pub(super) fn below(data: &Path) -> Self {
        Self { folder: data.join(super::INBOX_NAME), writing: Mutex::default() }
    }

    /// Keeps a file durably, once.
    pub(super) fn keep(&self, profile: &Label, hash: &ContentHash, file: &[u8]) -> Result<(), InboxError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (coming, folder) = (self.folder.join(".coming"), self.folder.join(profile.as_str()));
        let place = folder.join(hash.to_string());
        if place.exists() {
            return Ok(());
        }
        let (count, size) = self.used()?;
        let added = u64::try_from(file.len()).unwrap_or(u64::MAX);
        if count >= INBOX_FILE_COUNT_MAX || size.saturating_add(added) > INBOX_SIZE_MAX {
            return Err(InboxError::Full { count, size });
        }
        durable::create_folder_durably(&coming)?;
        durable::create_folder_durably(&folder)?;
        let written = coming.join(hash.to_string());
        durable::write_durably(&written, file)?;
        // A crash before this leaves it where nobody looks; after it, it is there for good.
        Ok(durable::rename_durably(&written, &place)?)
    }

    /// How many files wait, and their size.
    fn used(&self) -> Result<(usize, u64), InboxError> {
        let (mut count, mut size) = (0, 0_u64);
        if !self.folder.exists() {
            return Ok((count, size));
        }
        let read = |folder: &Path| fs::read_dir(folder).map_err(DurableError::io("read", folder));
        for profile in read(&self.folder)? {
            let profile = profile.map_err(DurableError::io("read", &self.folder))?.path();
            if !profile.is_dir() {
                continue;
            }
            for file in read(&profile)? {
                let file = file.map_err(DurableError::io("read", &profile))?;
                count += 1;
                // One that the operator has just removed takes no room.
                size = size.saturating_add(file.metadata().map_or(0, |metadata| metadata.len()));
            }
        }
        Ok((count, size))
    }
}

#[cfg(test)]
mod tests {
    use tallywatt_ledger::digest::content_hash;

    use super::*;

    /// A day of each usage point.
    fn days(points: &[&str]) -> String {
        let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
        let row = |point: &&str| format!("{point},1-0:1.8.0,2026-03-01{}\n", ",10".repeat(48));
        format!("usage_point,obis,date{columns}\n{}", points.iter().map(row).collect::<String>())
    }

    #[test]
    fn a_file_is_kept_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::below(folder.path());
        let (profile, file) = ("nem12".parse().unwrap(), b"some bytes");
        let hash = content_hash(file);
        for _ in 0..2 {
            inbox.keep(&profile, &hash, file).unwrap();
        }
        let place = folder.path().join("inbox/nem12").join(hash.to_string());
        assert_eq!(fs::read(place).unwrap(), file);
        assert_eq!(inbox.used().unwrap(), (1, 10));
    }

    #[test]
    fn every_usage_point_is_seen_or_nothing_is_taken() {
        let good = days(&["P-2", "P-1", "P-2"]);
        let table = [
            ("tallywatt", good.clone(), "P-1 P-2"),
            ("tallywatt", good.replacen(",10", ",ten", 1), "line 2 would be set aside"),
            ("tallywatt", String::new(), "empty"),
            ("nem12", good.clone(), "line 1"),
            ("nothing", good.clone(), "nothing"),
            ("parquet", good.clone(), "by the profile parquet are not taken here"),
            ("opendsm", good, "by the profile opendsm are not taken here"),
        ];
        for (profile, file, want) in table {
            let told = match points_of(&profile.parse().unwrap(), file.as_bytes()) {
                Ok(points) => points.iter().map(Label::as_str).collect::<Vec<_>>().join(" "),
                Err(why) => why,
            };
            assert!(told.contains(want), "{profile}: {told}, not {want}");
        }
    }
}
