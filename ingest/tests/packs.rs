//! Files of packs: what is found is what the same frames give; damage is refused, or is another sound file.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[path = "common/ways.rs"]
mod ways;

use std::ops::ControlFlow;

use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::decode::{DecodeSummary, decode};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_ledger::day_pack::{
    PACK_FILE_MAGIC, PACK_HEADER_SIZE, PACK_LEAF_COUNT_MAX, PACK_SIZE_MAX, PackHead, PackWriter,
};
use ways::{Dice, Events, check, frame};

const BLOCK_SIZES: [&usize; 6] = [&1, &300, &1_000, &5_000, &20_000, &(1 << 20)];

fn profile() -> Profile {
    Profile::builtin("packs").unwrap()
}

/// A file of these frames, in packs of so many each; the sizes are gone through in turn.
fn packed(frames: &[Vec<u8>], counts: &[usize]) -> Vec<u8> {
    let mut bytes = PACK_FILE_MAGIC.to_vec();
    let mut writer = PackWriter::default();
    let mut counts = counts.iter().cycle();
    let mut count = *counts.next().unwrap();
    for frame in frames {
        if writer.leaf_count() == count {
            writer.finish(&mut bytes);
            count = *counts.next().unwrap();
        }
        writer.push(frame);
    }
    writer.finish(&mut bytes);
    bytes
}

fn random_file(dice: &mut Dice) -> (Vec<Vec<u8>>, Vec<u8>) {
    let limit = *dice.of(&[&6, &150, &300]);
    let count = dice.below(limit);
    let frames: Vec<Vec<u8>> = (0..count).map(|_| frame(dice)).collect();
    let counts: Vec<usize> = if dice.one_in(3) {
        vec![PACK_LEAF_COUNT_MAX]
    } else {
        (0..9).map(|_| 1 + dice.below(PACK_LEAF_COUNT_MAX)).collect()
    };
    let bytes = packed(&frames, &counts);
    (frames, bytes)
}

/// The frames themselves.
#[derive(Default)]
struct Frames(Vec<Vec<u8>>);

impl ReadingSink for Frames {
    fn reading(&mut self, reading: RawReading) {
        panic!("{reading:?} came alone");
    }

    fn frame(&mut self, frame: &[u8], line: u64) {
        self.0.push(frame.to_vec());
        assert_eq!(line, self.0.len() as u64);
    }

    fn issued(&mut self, _issued: Issued) {}

    fn register_read(&mut self, read: &RegisterRead, _origin: ReadOrigin) {
        panic!("{read:?}");
    }

    fn installation(&mut self, installation: &Installation, _line: u64) {
        panic!("{installation:?}");
    }

    fn withdraw(&mut self, run: &ReadingRun<'_>) {
        panic!("{run:?}");
    }

    fn reject(&mut self, rejection: Rejection) {
        panic!("{rejection:?}");
    }

    fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        assert_eq!(line, self.0.len() as u64);
        ControlFlow::Continue(())
    }
}

fn frames_of(bytes: &[u8]) -> Result<(DecodeSummary, Vec<Vec<u8>>), FileRefusal> {
    let mut found = Frames::default();
    decode(&profile(), "a.packs", &mut &bytes[..], &mut found).map(|summary| (summary, found.0))
}

/// How many leaves each pack of a file says it has.
fn leaf_counts(bytes: &[u8]) -> Vec<usize> {
    let mut rest = &bytes[PACK_FILE_MAGIC.len()..];
    let mut counts = Vec::new();
    while let Some(head) = rest.first_chunk() {
        let head = PackHead::read(head).unwrap();
        counts.push(usize::from(head.leaf_count));
        rest = &rest[head.size..];
    }
    counts
}

/// Refused, or the one packing of what it holds.
#[track_caller]
fn check_canonical(bytes: &[u8], context: &str) -> bool {
    let Ok((_, frames)) = frames_of(bytes) else { return false };
    assert!(packed(&frames, &leaf_counts(bytes)) == bytes, "another packing was taken, {context}");
    true
}

#[test]
fn packs_give_what_their_frames_give() {
    const SEED: u64 = 71;
    println!("seed {SEED}");
    let mut block_count = 0;
    for case in 0..120 {
        let mut dice = Dice(SEED + case);
        let (frames, bytes) = random_file(&mut dice);
        let block_size = *dice.of(&BLOCK_SIZES);
        let context = format!("seed {SEED}, case {case}, {} frames, blocks of {block_size}", frames.len());
        block_count += bytes.len().div_ceil(block_size);
        check(&profile(), &bytes, block_size, &context);
        if frames.is_empty() {
            assert!(matches!(frames_of(&bytes), Err(FileRefusal::NoReadings)), "{context}");
            continue;
        }
        let (mut by_frames, mut by_packs) = (Events::default(), Events::default());
        let end_to_end = frames.concat();
        let frames_profile = Profile::builtin("frames").unwrap();
        let want = decode(&frames_profile, "a", &mut &end_to_end[..], &mut by_frames).unwrap();
        let got = decode(&profile(), "a", &mut &bytes[..], &mut by_packs).unwrap();
        assert_eq!(got, want, "{context}");
        assert!(by_packs == by_frames, "{context}");
        assert!(frames_of(&bytes).unwrap().1 == frames, "{context}");
    }
    assert!(block_count > 1_000, "{block_count}");
}

#[test]
fn a_file_of_many_blocks() {
    let mut dice = Dice(5);
    let few: Vec<Vec<u8>> = (0..997).map(|_| frame(&mut dice)).collect();
    let frames: Vec<Vec<u8>> = few.iter().cycle().take(25_000).cloned().collect();
    let bytes = packed(&frames, &[PACK_LEAF_COUNT_MAX]);
    assert!(bytes.len() > 3 << 20, "{}", bytes.len());
    check(&profile(), &bytes, 1 << 20, "many blocks");
    check(&profile(), &bytes, 100_003, "many small blocks");
}

#[test]
fn damage_is_refused_or_is_another_sound_file() {
    const SEED: u64 = 1_723;
    println!("seed {SEED}");
    let (mut refused, mut sound) = (0, 0);
    for case in 0..800 {
        let mut dice = Dice(SEED + case);
        let (_, mut bytes) = random_file(&mut dice);
        for _ in 0..=dice.below(2) {
            let at = dice.below(bytes.len());
            match dice.below(6) {
                0 => bytes.truncate(at.max(1)),
                1 | 2 => bytes[at] ^= 1 << dice.below(8),
                3 => bytes[at] = *dice.of(&[&0, &0xff, &64, &65]),
                4 => bytes.extend_from_slice(&[0; 9][..=dice.below(8)]),
                _ => _ = bytes.remove(at),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        let block_size = *dice.of(&BLOCK_SIZES);
        let context = format!("seed {SEED}, case {case}, blocks of {block_size}");
        check(&profile(), &bytes, block_size, &context);
        *if check_canonical(&bytes, &context) { &mut sound } else { &mut refused } += 1;
    }
    println!("{refused} refused, {sound} sound");
    assert!(refused > 400 && sound > 20, "{refused} refused, {sound} sound");
}

#[test]
fn every_flipped_bit_and_every_cut() {
    let mut dice = Dice(9);
    let frames: Vec<Vec<u8>> = (0..5).map(|_| frame(&mut dice)).collect();
    let bytes = packed(&frames, &[2]);
    let whole = [0_usize, 2, 4].map(|count| packed(&frames[..count], &[2]).len());
    for at in 0..bytes.len() {
        assert_eq!(check_canonical(&bytes[..at], "cut"), at > 8 && whole.contains(&at), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            let is_sound = check_canonical(&flipped, &format!("byte {at}, bit {bit}"));
            assert!(!(is_sound && at < PACK_FILE_MAGIC.len()), "the magic is looked at whole");
        }
    }
}

#[test]
fn what_is_no_file_of_packs() {
    let mut dice = Dice(3);
    let frames = [frame(&mut dice), frame(&mut dice)];
    let sound = packed(&frames, &[64]);
    let head = |size: usize, leaf_count: u8| {
        let size = u32::try_from(size).unwrap().to_le_bytes();
        [&PACK_FILE_MAGIC[..], &size, &[leaf_count], &sound[PACK_FILE_MAGIC.len() + PACK_HEADER_SIZE..]]
            .concat()
    };
    let size = sound.len() - PACK_FILE_MAGIC.len();
    let as_text = String::from_utf8_lossy(&sound).into_owned().into_bytes();
    let unix: Vec<u8> = sound.iter().copied().filter(|byte| *byte != b'\r').collect();
    let table: [(&str, Vec<u8>, &str); 16] = [
        ("nothing", Vec::new(), "file is empty"),
        (
            "half a magic",
            sound[..3].to_vec(),
            "line 1: file is cut off: it ends inside the magic of a file of packs",
        ),
        ("a magic", sound[..8].to_vec(), "file holds no readings"),
        ("frames", frames.concat(), "line 1: not a file of packs: its magic is missing"),
        ("text", b"usage_point,obis,date\n".to_vec(), "line 1: not a file of packs: its magic is missing"),
        ("read as text", as_text, "line 1: not a file of packs: its magic is missing"),
        ("line ends mended", unix, "line 1: the magic of a file of packs is spoilt: it was copied as text"),
        ("half a head", sound[..11].to_vec(), "line 1: file is cut off: bytes end at 3 inside `pack`"),
        ("half a pack", sound[..30].to_vec(), "line 1: file is cut off: bytes end at 22 inside `pack`"),
        ("size 0", head(0, 2), "frame 1: pack: `pack size` at 0 holds a value that is not allowed"),
        (
            "size past all",
            head(PACK_SIZE_MAX + 1, 2),
            "frame 1: pack: `pack size` at 0 holds a value that is not allowed",
        ),
        (
            "size of 4 GB",
            head(0xffff_ffff, 2),
            "frame 1: pack: `pack size` at 0 holds a value that is not allowed",
        ),
        (
            "no leaves",
            head(size, 0),
            "frame 1: pack: `pack leaf count` at 4 holds a value that is not allowed",
        ),
        (
            "65 leaves",
            head(size, 65),
            "frame 1: pack: `pack leaf count` at 4 holds a value that is not allowed",
        ),
        ("one leaf more", head(size, 3), &format!("frame 3: pack: bytes end at {size} inside `control`")),
        (
            "the largest pack",
            head(PACK_SIZE_MAX, 2),
            &format!("line 1: file is cut off: bytes end at {size} inside `pack`"),
        ),
    ];
    for (case, bytes, want) in table {
        assert_eq!(frames_of(&bytes).unwrap_err().to_string(), want, "{case}");
        for block_size in BLOCK_SIZES {
            check(&profile(), &bytes, *block_size, case);
        }
    }
    // One leaf less: bytes are left over.
    let refused = frames_of(&head(size, 1)).unwrap_err().to_string();
    assert!(
        refused.starts_with("frame 2: pack: ") && refused.ends_with("after the end of the record"),
        "{refused}"
    );
}

#[test]
fn a_revision_is_no_frame() {
    let mut dice = Dice(4);
    let mut frames = [frame(&mut dice), frame(&mut dice)];
    frames[1][7] = 1;
    let refused = frames_of(&packed(&frames, &[64])).unwrap_err().to_string();
    assert!(refused.starts_with("frame 2: `revision`"), "{refused}");
}
