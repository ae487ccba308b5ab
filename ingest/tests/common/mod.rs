//! What the tests of the decoders share.
#![allow(dead_code, reason = "each test file takes what it needs")]

pub mod bend;
pub mod crc;
pub mod mended;
pub mod reads;
pub mod sound;

use std::path::PathBuf;

use tallywatt_ingest::decode::{DecodeSummary, decode};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::Collected;

/// A file decoded into memory.
pub fn run(profile: &Profile, name: &str, bytes: &[u8]) -> Result<(Collected, DecodeSummary), FileRefusal> {
    let mut found = Collected::default();
    let mut reader = bytes;
    let summary = decode(profile, name, &mut reader, &mut found)?;
    assert_eq!(summary.reading_count, found.readings.len() as u64);
    let lost: u64 = found.rejections.iter().map(|rejection| u64::from(rejection.reading_count)).sum();
    assert_eq!(summary.rejected_count, lost);
    Ok((found, summary))
}

/// What became of a file, a word each: `readings a@start=Wh q…; R12×1@line raw…`, or the refusal.
pub fn tell(profile: &Profile, text: &[u8]) -> String {
    match run(profile, "meter.csv", text) {
        Err(refusal) => {
            assert!(!refusal.next_step().is_empty());
            format!("refused: {refusal}")
        }
        Ok((found, _)) => {
            let readings = found.readings.iter().map(|reading| {
                let quality = match reading.quality.name() {
                    "valid" => String::new(),
                    name => format!(" {name}"),
                };
                format!("{} {}={}{quality}", reading.usage_point, reading.start, reading.energy_wh)
            });
            let rejections = found.rejections.iter().map(|rejection| {
                format!("{}×{}@{}", rejection.code, rejection.reading_count, rejection.line)
            });
            readings.chain(rejections).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The folder of recorded files, where a checkout has it.
pub fn recorded(path: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let found = folder.exists().then(|| folder.join(path));
    if found.is_none() {
        println!("skipped: ../shared/data is not here");
    }
    found
}

/// Every file under `folder`, in order.
pub fn files_under(folder: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}
