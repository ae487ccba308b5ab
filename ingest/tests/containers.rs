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
                Err(error) => return Err(FileRefusal::from_io(error)),
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

/// One that is broken is refused by its own name, and the others are read.
#[test]
fn a_broken_member_is_refused_alone() {
    let text = b"some text that packs, some text that packs, some text that packs";
    let inner = zip_of(&[("b", b"c")]);
    let whole = zip_of(&[("a", b"1"), ("b", text), ("c.zip", &inner), ("d", text)]);
    let told = |bytes: &[u8]| {
        let mut told = Vec::new();
        let done = each_member("x.zip", Cursor::new(bytes), &mut |name: &str, member: &mut dyn BufRead| {
            let mut text = Vec::new();
            let read = member.read_to_end(&mut text).map_err(FileRefusal::from_io);
            told.push(
                read.map_or_else(|refusal| format!("{name} {refusal}"), |size| format!("{name} {size}")),
            );
            Ok::<(), FileRefusal>(())
        });
        told.extend(done.err().map(|refusal| refusal.to_string()));
        told.join("; ")
    };
    assert_eq!(told(&whole), "a 1; b 64; c.zip archive: an archive inside an archive; d 64");
    // The packed bytes of b, behind its head, its name and what else is said of it.
    let second = 4 + whole[4..].windows(4).position(|part| part == b"PK\x03\x04").unwrap();
    let number = |at: usize| usize::from(whole[second + at]) + 256 * usize::from(whole[second + at + 1]);
    let first = 30 + number(26) + number(28);
    assert!(number(18) > 10);
    for offset in first..first + number(18) {
        let mut bent = whole.clone();
        bent[second + offset] ^= 0xff;
        let got = told(&bent);
        assert!(got.starts_with("a 1; b ") && got.ends_with("; d 64"), "{got}");
        assert!(got.contains("b archive: ") && !got.contains("cannot"), "{offset}: {got}");
    }
    // What is past the limit ends it all.
    let zeros = vec![0; usize::try_from(EXPANSION_FLOOR_SIZE).unwrap() + 1];
    let got = told(&zip_of(&[("a", b"1"), ("b", &zeros), ("c", b"1")]));
    assert_eq!(
        got,
        "a 1; b expanded size in bytes: more than 16777215; archive: members left unread: the ones before them fill all that \
         an archive may expand to"
    );
}

/// Tapes and devices fill a file up with zeros; anything else behind its end is wrong.
#[test]
fn what_follows_a_gzip_file() {
    let own = |size| vec![("given.name".to_owned(), size)];
    assert_eq!(open(&[gzip(b"abcd"), vec![0; 600_000]].concat()).unwrap(), own(4));
    assert_eq!(open(&[gzip(b"abcd"), gzip(b"e"), vec![0; 7]].concat()).unwrap(), own(5));
    for wrong in [&b"x"[..], b"\0\0x", &[&[0][..], &gzip(b"e")].concat(), b"\x1f\x8b"] {
        let refusal = open(&[&gzip(b"abcd"), wrong].concat()).unwrap_err().to_string();
        assert!(refusal.starts_with("archive: "), "{refusal}");
    }
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
        Err(refusal) => {
            let is_told = matches!(refusal, FileRefusal::Archive { .. } | FileRefusal::TooLarge { .. });
            assert!(is_told, "{context}: {refusal}");
        }
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
        assert!(refusal.to_string().starts_with("expanded size in bytes: more than "), "{refusal}");
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
