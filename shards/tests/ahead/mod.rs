//! Logs in folders, and folders as images, for the tests beside this folder.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tallywatt_shards::write_ahead::{RecordPlace, Recovered, WriteAhead, WriteAheadError, WriteAheadLimits};

/// A folder in memory where there is such a place: thousands of syncs.
pub fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// Segments of two blocks.
pub const SMALL: WriteAheadLimits = WriteAheadLimits { segment_size_min: 8_192, segment_size_max: 8_192 };

/// A record that outlives the log's opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub kind: u8,
    pub number: u64,
    pub place: RecordPlace,
    pub payload: Vec<u8>,
}

pub struct Log {
    pub ahead: WriteAhead,
    pub found: Recovered,
    pub records: Vec<Kept>,
}

pub fn open(folder: &Path, limits: WriteAheadLimits) -> Result<Log, WriteAheadError> {
    let mut records = Vec::new();
    let (ahead, found) = WriteAhead::open::<WriteAheadError>(folder, limits, &mut |record| {
        let payload = record.payload.to_vec();
        records.push(Kept { kind: record.kind, number: record.number, place: record.place, payload });
        Ok(())
    })?;
    Ok(Log { ahead, found, records })
}

/// What a folder holds, its log closed again.
pub fn recovered(folder: &Path) -> Log {
    open(folder, SMALL).unwrap()
}

/// A log with these groups: sizes of their payloads, which differ in their bytes and hold no zero.
pub fn log_of(folder: &Path, limits: WriteAheadLimits, groups: &[&[usize]]) -> WriteAhead {
    let mut ahead = open(folder, limits).unwrap().ahead;
    for (group, sizes) in groups.iter().enumerate() {
        for (at, size) in sizes.iter().enumerate() {
            let byte = u8::try_from(1 + (group * 16 + at) % 255).unwrap();
            ahead.append(byte, &[&vec![byte; *size]]).unwrap();
        }
        ahead.sync().unwrap();
    }
    ahead
}

pub fn sizes_of(records: &[Kept]) -> Vec<usize> {
    records.iter().map(|record| record.payload.len()).collect()
}

/// Every file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(pub BTreeMap<String, Vec<u8>>);

impl Image {
    pub fn read(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        Self(
            entries
                .map(|path| {
                    (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
                })
                .collect(),
        )
    }

    pub fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The same with one file changed.
    pub fn with(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut image = self.clone();
        change(image.0.get_mut(name).unwrap());
        image
    }
}
