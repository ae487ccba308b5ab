//! What files come in, and frames: archives, bombs, and our own bytes.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::io::{BufRead, Cursor, Read, Write};

use common::{run, tell};
use flate2::{Compression, write::GzEncoder};
use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_ingest::container::{EXPANSION_FLOOR_SIZE, WINDOW_LOG_MAX, each_member};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use zip::write::{SimpleFileOptions, ZipWriter};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 19).unwrap()
}

/// A frame that asks its reader to keep `2^window_log` bytes.
fn zst_of_window(bytes: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Names and sizes of what is in `bytes`.
fn open(bytes: &[u8]) -> Result<Vec<(String, u64)>, FileRefusal> {
    let mut found = Vec::new();
    each_member("given.name", Cursor::new(bytes), &mut |name: &str, member: &mut dyn BufRead| {
        let mut size = 0;
        let mut buffer = [0; 4_096];
        loop {
            match member.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => size += count as u64,
                Err(error) => return Err(FileRefusal::Io(error)),
            }
        }
        found.push((name.to_owned(), size));
        Ok::<(), FileRefusal>(())
    })?;
    Ok(found)
}

#[test]
fn plain_gzip_zstandard_and_zip() {
    let own = |size| vec![("given.name".to_owned(), size)];
    assert_eq!(open(b"abc").unwrap(), own(3));
    assert_eq!(open(b"").unwrap(), own(0));
    assert_eq!(open(&gzip(b"abcd")).unwrap(), own(4));
    assert_eq!(open(&[gzip(b"abcd"), gzip(b"e")].concat()).unwrap(), own(5));
    assert_eq!(open(&zst(b"abcd")).unwrap(), own(4));
    assert_eq!(open(&[zst(b"abcd"), zst(b"e")].concat()).unwrap(), own(5));
    let skipped = b"\x50\x2a\x4d\x18\x02\0\0\0xx";
    assert_eq!(open(&[skipped, &zst(b"abcd")[..]].concat()).unwrap(), own(4));
    assert_eq!(open(&zst_of_window(b"abcd", WINDOW_LOG_MAX)).unwrap(), own(4));
    let archive = zip_of(&[("a.csv", b"abc"), ("../../etc/b\x1b.csv", b"")]);
    assert_eq!(open(&archive).unwrap(), [("a.csv".to_owned(), 3), ("b.csv".to_owned(), 0)]);
}

#[test]
fn archives_that_are_refused() {
    let check = |bytes: &[u8], want: &str| {
        let error = open(bytes).unwrap_err().to_string();
        assert!(error.contains(want), "{error}, want {want}");
    };
    check(&zip_of(&[("a.zip", &zip_of(&[("b", b"c")]))]), "an archive inside an archive");
    check(&zip_of(&[("a.gz", &gzip(b"c"))]), "an archive inside an archive");
    check(&gzip(&gzip(b"c")), "an archive inside an archive");
    check(&zip_of(&[("a.zst", &zst(b"c"))]), "an archive inside an archive");
    check(&gzip(&zst(b"c")), "an archive inside an archive");
    check(&zst(&gzip(b"c")), "an archive inside an archive");
    check(&zst(&zst(b"c")), "an archive inside an archive");
    check(&zst_of_window(&[7; 100], WINDOW_LOG_MAX + 1), "too much memory");
    check(b"\x28\xb5\x2f\xfdnothing", "archive: ");
    check(&zip_of(&[]), "no files in it");
    check(b"PK\x03\x04nothing", "archive: ");
    let names: Vec<String> = (0..1_025).map(|at| at.to_string()).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    check(&zip_of(&members), "members of an archive: more than 1024");
    let whole = gzip(&[7; 100_000]);
    assert!(open(&whole[..whole.len() - 9]).is_err(), "a cut gzip file is refused");
}

/// However a Zstandard file is cut or bent, it is refused as an archive, or what it holds is given whole.
#[test]
fn zstandard_cut_and_bent() {
    let text: Vec<u8> = (0..40_000_u32).flat_map(|at| format!("{},\n", at * at % 977).into_bytes()).collect();
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&text).unwrap();
    let whole = encoder.finish().unwrap();
    let want = vec![("given.name".to_owned(), text.len() as u64)];
    let check = |bytes: &[u8], context: String| match open(bytes) {
        Ok(found) => assert_eq!(found, want, "{context}"),
        // The reader above wraps what a decoder would tell apart.
        Err(FileRefusal::Io(error)) => {
            assert_eq!(error.kind() == std::io::ErrorKind::Other, is_limit(&error), "{context}: {error}");
        }
        Err(refusal) => assert!(matches!(refusal, FileRefusal::Archive { .. }), "{context}: {refusal}"),
    };
    for size in (4..whole.len()).step_by(97) {
        assert!(open(&whole[..size]).is_err(), "cut to {size}");
        check(&whole[..size], format!("cut to {size}"));
    }
    for at in (4..whole.len()).step_by(31) {
        let mut bent = whole.clone();
        bent[at] ^= 1 << (at % 8);
        check(&bent, format!("bit {} of byte {at} flipped", at % 8));
    }
}

fn is_limit(error: &std::io::Error) -> bool {
    error.to_string().contains("expands past")
}

/// The cap is on what comes out, for one member and for all together.
#[test]
fn bombs() {
    let size = usize::try_from(EXPANSION_FLOOR_SIZE).unwrap();
    let zeros = vec![0; size + 1];
    assert!(open(&gzip(&zeros[..size])).is_ok());
    let half: &[u8] = &zeros[..size / 2 + 1];
    assert!(open(&zst(&zeros[..size])).is_ok());
    for bomb in [gzip(&zeros), zst(&zeros), zip_of(&[("a", &zeros)]), zip_of(&[("a", half), ("b", half)])] {
        let refusal = open(&bomb).unwrap_err();
        assert!(refusal.to_string().contains("expands past"), "{refusal}");
    }
    // Inside a decoder it is a limit, not a failure of the disk.
    let mut refusal = None;
    let done = each_member("x", Cursor::new(gzip(&zeros)), &mut |name: &str, bytes: &mut dyn BufRead| {
        let profile = Profile::builtin("nem12").unwrap();
        let mut text = Vec::new();
        bytes.take(10).read_to_end(&mut text).unwrap();
        let mut sink = tallywatt_ingest::sink::Collected::default();
        refusal = tallywatt_ingest::decode::decode(&profile, name, bytes, &mut sink).err();
        Ok::<(), FileRefusal>(())
    });
    assert!(done.is_ok());
    assert_eq!(refusal.unwrap().to_string(), "expanded size in bytes: more than 16777216");
}

fn frame(day: &str) -> DayLeaf {
    let local = Zone::parse("Asia/Yekaterinburg").unwrap().local_day(day.parse().unwrap());
    let point = "EKB-000001".parse().unwrap();
    let mut block = DayBlock::empty(point, Register::IMPORT, local, 30, Source::Synthetic).unwrap();
    for at in 0..47 {
        block.put(at, i32::try_from(at).unwrap(), Quality::Valid, &mut MergeCounts::default());
    }
    DayLeaf::frame(block)
}

#[test]
fn frames_end_to_end() {
    let profile = Profile::builtin("frames").unwrap();
    let bytes: Vec<u8> =
        (1..=30).flat_map(|day| frame(&format!("2026-04-{day:02}")).bytes().to_vec()).collect();
    let (found, summary) = run(&profile, "x", &bytes).unwrap();
    assert_eq!((summary.line_count, summary.reading_count, summary.null_count), (30, 30 * 47, 30));
    assert_eq!(found.readings[48].start.to_string(), "2026-04-01T19:30:00Z");
    assert_eq!(found.readings.iter().map(|reading| reading.energy_wh).sum::<i64>(), 30 * 46 * 47 / 2);
    assert_eq!(tell(&profile, b""), "refused: file is empty");
    assert!(tell(&profile, &bytes[..bytes.len() - 1]).starts_with("refused: line 30: file is cut off"));
    let sealed = DayLeaf::batch(frame("2026-04-01").into_block(), 0, &BlindingSecret::new([1; 32]));
    assert_eq!(tell(&profile, sealed.bytes()), "refused: frame 1: a sealed leaf, not a frame");
    let mut bent = bytes.clone();
    bent[0] = 9;
    assert!(tell(&profile, &bent).starts_with("refused: frame 1"));
}
