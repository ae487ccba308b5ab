//! Crash images of the write-ahead folder, and what is recovered of each.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ahead;
mod town;

use std::fs;
use std::ops::Range;
use std::path::Path;

use ahead::{Image, Log, SMALL, log_of, open, quick_folder, recovered, sizes_of};
use tallywatt_shards::write_ahead::recovery::{Proof, Rot};
use tallywatt_shards::write_ahead::{WriteAheadError, WriteAheadLimits};
use town::Random;

/// Sizes of the payloads, group by group: of one block, of several, without bytes, ending just at a block's end.
const GROUPS: &[&[usize]] = &[&[10], &[0, 1, 100], &[9_000, 3], &[4_096 - 88 - 32 - 5], &[5_000, 5_000]];

/// What an image must come to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    /// So many groups, and this much torn.
    Recovered(usize, u64),
    /// Segment, offset and number of the damaged group, and the proof.
    Rot(u32, u64, u64, Proof),
}

/// Opens the image twice in a folder of its own: the verdict, what is left on the disk, and that a further record
/// finds its place.
#[track_caller]
fn check(image: &Image, want: Verdict, what: &str) {
    let folder = quick_folder();
    image.write(folder.path());
    match want {
        Verdict::Rot(segment, offset, sequence, proof) => {
            let error = open(folder.path(), SMALL).map(drop).expect_err(what);
            let WriteAheadError::Rot { path, rot } = error else { panic!("{what}: {error}") };
            assert_eq!(rot, Rot { offset, sequence, proof }, "{what}");
            assert!(path.ends_with(format!("1-{segment}.twa")), "{what}: {}", path.display());
            assert_eq!(Image::read(folder.path()), *image, "{what}: a refused folder stays as it is");
        }
        Verdict::Recovered(group_count, torn_size) => {
            let Log { mut ahead, found, records } = open(folder.path(), SMALL).expect(what);
            assert_eq!(found.torn_size, torn_size, "{what}");
            assert_eq!(sizes_of(&records), GROUPS[..group_count].concat(), "{what}");
            assert_eq!(found.group_count, u64::try_from(group_count).unwrap(), "{what}");
            for record in &records {
                assert_eq!(ahead.reader().read(record.place).unwrap(), record.payload, "{what}");
            }
            ahead.append(9, &[b"goes ", b"on"]).unwrap();
            ahead.sync().unwrap();
            drop(ahead);
            let again = recovered(folder.path());
            assert_eq!((again.found.torn_size, again.records.len()), (0, records.len() + 1), "{what}");
            assert_eq!(again.records.last().unwrap().payload, b"goes on", "{what}");
        }
    }
}

/// The groups in one segment: the image, and where each group lies.
fn one_segment() -> (Image, Vec<Range<usize>>) {
    let folder = tempfile::tempdir().unwrap();
    let limits = WriteAheadLimits { segment_size_min: 65_536, segment_size_max: 65_536 };
    drop(log_of(folder.path(), limits, GROUPS));
    let image = Image::read(folder.path());
    assert_eq!(image.0.len(), 1);
    (image, spans())
}

/// Where each group lies when all are in one segment.
fn spans() -> Vec<Range<usize>> {
    let mut end = 0;
    let sizes = GROUPS.iter().map(|group| 88 + group.iter().map(|size| 5 + size).sum::<usize>() + 32);
    sizes
        .map(|size| {
            (end, {
                end += size.next_multiple_of(4_096);
                end
            })
        })
        .map(|(start, end)| start..end)
        .collect()
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap()
}

/// Where the hash of a group ends and its padding begins.
fn padding_of(at: usize, spans: &[Range<usize>]) -> usize {
    spans[at].start + 88 + GROUPS[at].iter().map(|size| 5 + size).sum::<usize>() + 32
}

/// Bytes from `start` to the last that is not zero.
fn torn(bytes: &[u8], start: usize) -> u64 {
    bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| wide((last + 1).saturating_sub(start)))
}

#[test]
fn every_truncation_recovers_the_groups_before_it() {
    let (image, spans) = one_segment();
    let bytes = &image.0["1-1.twa"];
    let used = spans.last().unwrap().end;
    // Every byte around what means something, and every 101st between.
    let edges: Vec<usize> = (0..spans.len())
        .flat_map(|at| [spans[at].start, spans[at].start + 88, padding_of(at, &spans)])
        .collect();
    let is_near = |size: usize| edges.iter().any(|edge| size.abs_diff(*edge) < 34);
    for size in (0..=used + 9_000).filter(|&size| is_near(size) || size % 101 == 0).chain([bytes.len()]) {
        // A group is whole without its padding: past a segment's end there are zeros.
        let complete = (0..spans.len()).filter(|&at| padding_of(at, &spans) <= size).count();
        let end = complete.checked_sub(1).map_or(0, |last| spans[last].end);
        let torn_size = torn(&bytes[..size], end);
        check(
            &image.with("1-1.twa", |bytes| bytes.truncate(size)),
            Verdict::Recovered(complete, torn_size),
            &format!("cut to {size}"),
        );
        // The same bytes gone, the room still there.
        check(
            &image.with("1-1.twa", |bytes| bytes[size..].fill(0)),
            Verdict::Recovered(complete, torn_size),
            &format!("zeros from {size}"),
        );
    }
}

#[test]
fn flips_in_every_region() {
    let (image, spans) = one_segment();
    let bytes = image.0["1-1.twa"].clone();
    let last = spans.len() - 1;
    for (at, span) in spans.iter().enumerate() {
        let padding = padding_of(at, &spans);
        for offset in
            (span.start..span.end).filter(|offset| offset % 4_096 < 300 || padding.abs_diff(*offset) < 50)
        {
            let mask = 1 << (offset % 8);
            let flipped = image.with("1-1.twa", |bytes| bytes[offset] ^= mask);
            let what = format!("group {at}, offset {offset}");
            if offset == span.start + 8 {
                check_version(&flipped, span.start, 2 ^ mask);
                continue;
            }
            let (start, sequence) = (wide(span.start), wide(at + 1));
            let want = if offset >= padding {
                Verdict::Rot(1, start, sequence, Proof::Itself)
            } else if at < last {
                Verdict::Rot(1, start, sequence, Proof::LaterGroup { offset: wide(spans[at + 1].start) })
            } else {
                let torn_size = torn(&bytes, span.start);
                // The last byte of the hash, should the flip make it zero.
                let torn_size = torn_size
                    - u64::from(bytes[offset] == mask && wide(offset + 1 - span.start) == torn_size);
                Verdict::Recovered(last, torn_size)
            };
            check(&flipped, want, &what);
        }
    }
    // Room that was laid out: what stands there is no group, and is cut off.
    let end = spans[last].end;
    for offset in [end, end + 1, end + 4_095, end + 4_096, bytes.len() - 1] {
        let flipped = image.with("1-1.twa", |bytes| bytes[offset] ^= 1);
        check(
            &flipped,
            Verdict::Recovered(spans.len(), wide(offset + 1 - end)),
            &format!("room at {offset}"),
        );
    }
}

fn check_version(image: &Image, start: usize, want: u8) {
    let folder = tempfile::tempdir().unwrap();
    image.write(folder.path());
    let error = open(folder.path(), SMALL).map(drop).unwrap_err();
    let WriteAheadError::Version { offset, version, .. } = error else { panic!("{error}") };
    assert_eq!((offset, version), (wide(start), want));
    assert_eq!(Image::read(folder.path()), *image);
}

#[test]
fn what_a_power_cut_leaves_of_the_last_write() {
    let (image, spans) = one_segment();
    let (last, span) = (spans.len() - 1, spans.last().unwrap().clone());
    // Any of its sectors may be there, and any not.
    let sectors: Vec<usize> = (span.start..padding_of(last, &spans)).step_by(512).collect();
    let mut random = Random(17);
    for round in 0..200 {
        let lost: Vec<usize> = sectors.iter().copied().filter(|_| random.below(2) == 0).collect();
        let torn_image =
            image.with("1-1.twa", |bytes| lost.iter().for_each(|&at| bytes[at..at + 512].fill(0)));
        let want = if lost.is_empty() { spans.len() } else { last };
        let torn_size = if lost.is_empty() { 0 } else { torn(&torn_image.0["1-1.twa"], span.start) };
        check(&torn_image, Verdict::Recovered(want, torn_size), &format!("seed 17, round {round}: {lost:?}"));
    }
    // A whole group lost in the middle: zeros, but what is behind them was written later.
    for at in 0..last {
        let lost = image.with("1-1.twa", |bytes| bytes[spans[at].clone()].fill(0));
        let proof = Proof::LaterGroup { offset: wide(spans[at + 1].start) };
        check(
            &lost,
            Verdict::Rot(1, wide(spans[at].start), wide(at + 1), proof),
            &format!("group {at} lost"),
        );
    }
    // Garbage where the last group was, with and without what looks like the beginning of one.
    for magic in [&b""[..], b"\x89TWWAL\r\n\x02"] {
        let garbage = image.with("1-1.twa", |bytes| {
            for byte in &mut bytes[span.clone()] {
                *byte = random.next().to_le_bytes()[0] | 1;
            }
            bytes[span.start..span.start + magic.len()].copy_from_slice(magic);
        });
        check(&garbage, Verdict::Recovered(last, wide(span.len())), "garbage");
    }
}

#[test]
fn groups_out_of_place() {
    let (image, spans) = one_segment();
    let (last, end) = (spans.len() - 1, spans.last().unwrap().end);
    // A copy further on is bound to where it was; it is no group there, and no proof of anything.
    for at in 0..spans.len() {
        let copied = image.with("1-1.twa", |bytes| bytes.copy_within(spans[at].clone(), end));
        let torn_size = torn(&copied.0["1-1.twa"], end);
        check(&copied, Verdict::Recovered(spans.len(), torn_size), &format!("copy of {at}"));
    }
    // A group of another history with the same place and number.
    let folder = tempfile::tempdir().unwrap();
    let limits = WriteAheadLimits { segment_size_min: 65_536, segment_size_max: 65_536 };
    let mut other = GROUPS.to_vec();
    other[0] = &[11];
    drop(log_of(folder.path(), limits, &other));
    let other = Image::read(folder.path());
    let mixed = image.with("1-1.twa", |bytes| {
        bytes[spans[last].clone()].copy_from_slice(&other.0["1-1.twa"][spans[last].clone()]);
    });
    let proof = Proof::OtherGroup { sequence: wide(last + 1) };
    check(&mixed, Verdict::Rot(1, wide(spans[last].start), wide(last + 1), proof), "another history");
    // Another generation's and another segment's are none at all.
    for name in ["2-1.twa", "1-2.twa"] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), &image.0["1-1.twa"]).unwrap();
        let error = open(folder.path(), SMALL).map(|log| log.found);
        match name {
            "2-1.twa" => assert_eq!(error.unwrap().group_count, 0),
            _ => assert!(matches!(error, Err(WriteAheadError::Rot { .. })), "{error:?}"),
        }
    }
}

/// Segments of two blocks: groups 1 and 2 in the first, 3 in the second, 4 and 5 in the third, the fifth beyond its room.
fn three_segments(folder: &Path) -> Image {
    drop(log_of(folder, SMALL, GROUPS));
    let image = Image::read(folder);
    let sizes: Vec<(&str, usize)> =
        image.0.iter().map(|(name, bytes)| (name.as_str(), bytes.len())).collect();
    assert_eq!(sizes, [("1-1.twa", 8_192), ("1-2.twa", 12_288), ("1-3.twa", 4_096 + 12_288)]);
    image
}

#[test]
fn damage_across_segments() {
    let folder = tempfile::tempdir().unwrap();
    let image = three_segments(folder.path());
    check(&image, Verdict::Recovered(5, 0), "undamaged");
    let later = |number| Proof::LaterSegment { number };
    let other = |sequence| Proof::OtherGroup { sequence };
    let last_torn = torn(&image.0["1-3.twa"], 4_096);
    type Damage = fn(&mut Vec<u8>);
    let table: [(&str, &str, Damage, Verdict); 11] = [
        ("first group flipped", "1-1.twa", |bytes| bytes[90] ^= 1, Verdict::Rot(1, 0, 1, later(2))),
        (
            "last group of the first flipped",
            "1-1.twa",
            |bytes| bytes[4_096 + 90] ^= 1,
            Verdict::Rot(1, 4_096, 2, later(2)),
        ),
        (
            "last group of the first zero",
            "1-1.twa",
            |bytes| bytes[4_096..].fill(0),
            Verdict::Rot(1, 4_096, 2, later(2)),
        ),
        ("first cut", "1-1.twa", |bytes| bytes.truncate(4_096), Verdict::Rot(2, 0, 2, other(3))),
        ("first emptied", "1-1.twa", Vec::clear, Verdict::Rot(2, 0, 1, other(3))),
        ("first longer", "1-1.twa", |bytes| bytes.push(0), Verdict::Rot(1, 8_192, 3, later(2))),
        (
            "middle of the second flipped",
            "1-2.twa",
            |bytes| bytes[5_000] ^= 1,
            Verdict::Rot(2, 0, 3, later(3)),
        ),
        ("second emptied", "1-2.twa", Vec::clear, Verdict::Rot(3, 0, 3, other(4))),
        ("last group flipped", "1-3.twa", |bytes| bytes[5_000] ^= 1, Verdict::Recovered(4, last_torn)),
        ("third all zero", "1-3.twa", |bytes| bytes.fill(0), Verdict::Recovered(3, 0)),
        ("third empty", "1-3.twa", Vec::clear, Verdict::Recovered(3, 0)),
    ];
    for (what, name, damage, want) in table {
        check(&image.with(name, damage), want, what);
    }
    for (number, want) in [
        (1, Verdict::Rot(1, 0, 1, later(2))),
        (2, Verdict::Rot(2, 0, 3, later(3))),
        (3, Verdict::Recovered(3, 0)),
    ] {
        let mut image = image.clone();
        image.0.remove(&format!("1-{number}.twa"));
        check(&image, want, &format!("segment {number} gone"));
    }
}
