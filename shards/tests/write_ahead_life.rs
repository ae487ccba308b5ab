//! A write-ahead log in use: who may open it, how it grows, is read back, and starts over.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ahead;
mod town;

use std::fs;
use std::sync::mpsc;
use std::thread;

use ahead::{Image, Kept, SMALL, log_of, open, recovered, sizes_of};
use tallywatt_shards::write_ahead::{
    RecordPlace, WriteAhead, WriteAheadError, WriteAheadLimits, look_through,
};
use town::Random;

fn start_over(ahead: &mut WriteAhead, payloads: &[&[u8]]) -> Result<(), WriteAheadError> {
    ahead.start_over(&mut payloads.iter().map(|payload| Ok((7, payload.to_vec()))))
}

fn payloads(records: &[Kept]) -> Vec<&[u8]> {
    records.iter().map(|record| record.payload.as_slice()).collect()
}

#[test]
fn one_process_at_a_time_and_only_what_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/log");
    let mut log = open(&path, SMALL).unwrap();
    assert_eq!(Image::read(&path).names(), Vec::<&str>::new(), "an empty log takes no room");
    log.ahead.append(1, &[b"o", b"", b"ne"]).unwrap();
    assert_eq!(Image::read(&path).names(), Vec::<&str>::new(), "nothing is written before a sync");
    assert!(matches!(open(&path, SMALL).map(drop), Err(WriteAheadError::Locked(_))));
    log.ahead.sync().unwrap();
    log.ahead.sync().unwrap();
    assert_eq!(log.ahead.size(), 4_096, "a sync of nothing writes nothing");
    log.ahead.append(2, &[b"never synced"]).unwrap();
    // Looked through, though it is held; and nothing of it changes.
    let before = Image::read(&path);
    let looked = look_through::<WriteAheadError>(&path, &mut |record| {
        assert_eq!((record.kind, record.number, record.payload), (1, 1, &b"one"[..]));
        Ok(())
    });
    assert_eq!(looked.unwrap().record_count, 1);
    assert_eq!(Image::read(&path), before);
    drop(log);
    assert_eq!(payloads(&recovered(&path).records), [b"one"]);
    let nowhere = look_through::<WriteAheadError>(&folder.path().join("absent"), &mut |_| Ok(()));
    assert_eq!(nowhere.unwrap().record_count, 0);
}

#[test]
fn what_the_caller_refuses_ends_the_opening() {
    let folder = tempfile::tempdir().unwrap();
    drop(log_of(folder.path(), SMALL, &[&[1], &[2]]));
    let opened = WriteAhead::open(folder.path(), SMALL, &mut |record| {
        if record.number == 2 { Err(WriteAheadError::Foreign("by the caller".into())) } else { Ok(()) }
    });
    assert!(matches!(opened.map(drop), Err(WriteAheadError::Foreign(_))));
    assert_eq!(recovered(folder.path()).records.len(), 2, "nothing is held or changed");
}

#[test]
fn room_grows_with_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let limits = WriteAheadLimits { segment_size_min: 5_000, segment_size_max: 40_000 };
    drop(log_of(folder.path(), limits, &[&[1][..]; 15]));
    let blocks = |image: Image| image.0.values().map(|bytes| bytes.len() / 4_096).collect::<Vec<usize>>();
    // 5,000 bytes are two blocks, then as much as there is, then 40,000 bytes: ten blocks.
    assert_eq!(blocks(Image::read(folder.path())), [2, 2, 4, 8]);
    // Opened again it goes on in the room that is there.
    drop(log_of(folder.path(), limits, &[&[1]]));
    assert_eq!(blocks(Image::read(folder.path())), [2, 2, 4, 8]);
    // A group larger than a segment has one of its own.
    drop(log_of(folder.path(), limits, &[&[100_000], &[1]]));
    assert_eq!(blocks(Image::read(folder.path())), [2, 2, 4, 8, 25, 10]);
    assert_eq!(recovered(folder.path()).records.len(), 18);
}

#[test]
fn random_logs_come_back_as_they_were_appended() {
    const SEED: u64 = 20_261_122;
    let mut random = Random(SEED);
    for round in 0..30 {
        let folder = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for _ in 0..1 + random.below(4) {
            let (min, max) = (1 + random.below(20_000), 20_000 + random.below(40_000));
            let [min, max] = [min, max].map(|size| u64::try_from(size).unwrap());
            let limits = WriteAheadLimits { segment_size_min: min, segment_size_max: max };
            let mut log = open(folder.path(), limits).unwrap();
            assert_eq!(log.records, expected, "seed {SEED}, round {round}");
            for _ in 0..random.below(8) {
                for _ in 0..random.below(6) {
                    let size_max = [10, 5_000, 30_000][random.below(3)];
                    let size = random.below(size_max);
                    let payload: Vec<u8> = (0..size).map(|_| random.next().to_le_bytes()[0]).collect();
                    let (front, back) = payload.split_at(random.below(payload.len() + 1));
                    let kind = random.next().to_le_bytes()[0];
                    let place = log.ahead.append(kind, &[front, back]).unwrap();
                    let number = u64::try_from(expected.len() + 1).unwrap();
                    expected.push(Kept { kind, number, place, payload });
                }
                log.ahead.sync().unwrap();
            }
            let reader = log.ahead.reader();
            for record in &expected {
                assert_eq!(reader.read(record.place).unwrap(), record.payload, "seed {SEED}, round {round}");
            }
        }
        assert_eq!(recovered(folder.path()).records, expected, "seed {SEED}, round {round}");
    }
}

#[test]
fn records_are_read_back_from_other_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut ahead = open(folder.path(), SMALL).unwrap().ahead;
    let (sender, receiver) = mpsc::channel::<(RecordPlace, Vec<u8>)>();
    let reader = ahead.reader();
    let reading = thread::spawn(move || {
        receiver.iter().filter(|(place, payload)| reader.read(*place).unwrap() == *payload).count()
    });
    for round in 0..200_u8 {
        let payload = vec![round; 40 * usize::from(round)];
        let place = ahead.append(1, &[&payload]).unwrap();
        let early = ahead.reader().read(place);
        assert!(matches!(early, Err(WriteAheadError::NotThere { why: "it is not synced", .. })), "{early:?}");
        ahead.sync().unwrap();
        sender.send((place, payload)).unwrap();
    }
    drop(sender);
    assert_eq!(reading.join().unwrap(), 200);
    let place = ahead.append(1, &[b"0123456789"]).unwrap();
    ahead.sync().unwrap();
    let reader = ahead.reader();
    let mut three = [0; 3];
    reader.read_at(place, 4, &mut three).unwrap();
    assert_eq!(&three, b"456");
    for (wrong, start) in [
        (place, 8),
        (place, u32::MAX),
        (RecordPlace { segment: 0, ..place }, 0),
        (RecordPlace { segment: place.segment + 1, ..place }, 0),
        (RecordPlace { offset: u64::MAX, ..place }, 0),
        (RecordPlace { size: u32::MAX, ..place }, 0),
        (RecordPlace { generation: 2, ..place }, 0),
    ] {
        let refused = reader.read_at(wrong, start, &mut three);
        assert!(matches!(refused, Err(WriteAheadError::NotThere { .. })), "{wrong:?}: {refused:?}");
    }
    start_over(&mut ahead, &[b"new"]).unwrap();
    let gone = reader.read(place);
    assert!(
        matches!(gone, Err(WriteAheadError::NotThere { why: "the log has started over", .. })),
        "{gone:?}"
    );
    drop(ahead);
    let log = recovered(folder.path());
    assert_eq!(log.ahead.reader().read(log.records[0].place).unwrap(), b"new");
}

#[test]
fn starting_over_holds_just_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut ahead = log_of(folder.path(), SMALL, &[&[1], &[9_000], &[3]]);
    start_over(&mut ahead, &[b"a", &[b'x'; 20_000], b"c"]).unwrap();
    assert_eq!(Image::read(folder.path()).names(), ["2-1.twa"]);
    ahead.append(8, &[b"d"]).unwrap();
    ahead.sync().unwrap();
    drop(ahead);
    let mut log = recovered(folder.path());
    assert_eq!(sizes_of(&log.records), [1, 20_000, 1, 1]);
    start_over(&mut log.ahead, &[]).unwrap();
    start_over(&mut log.ahead, &[]).unwrap();
    assert_eq!(Image::read(folder.path()).names(), ["4-1.twa"]);
    drop(log);
    let mut log = recovered(folder.path());
    assert_eq!(log.records, []);
    log.ahead.append(8, &[b"e"]).unwrap();
    log.ahead.sync().unwrap();
    drop(log);
    assert_eq!(payloads(&recovered(folder.path()).records), [b"e"]);
    // More than one group, and more than one segment.
    let large = vec![vec![1; 6 << 20], vec![2; 12 << 20], vec![3; 5]];
    let mut ahead = recovered(folder.path()).ahead;
    start_over(&mut ahead, &large.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>()).unwrap();
    assert_eq!(Image::read(folder.path()).names(), ["5-1.twa", "5-2.twa"]);
    drop(ahead);
    assert_eq!(payloads(&recovered(folder.path()).records), large);
}

#[test]
fn starting_over_refuses_to_lose_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut ahead = open(folder.path(), SMALL).unwrap().ahead;
    ahead.append(1, &[b"x"]).unwrap();
    let lost = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| start_over(&mut ahead, &[])));
    assert!(lost.is_err());
}

/// The folder as a crash leaves it at each step of starting over, and after it.
#[test]
fn starting_over_is_interrupted_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let mut ahead = log_of(folder.path(), SMALL, &[&[1], &[2], &[9_000], &[4]]);
    let old = Image::read(folder.path());
    assert_eq!(old.names(), ["1-1.twa", "1-2.twa", "1-3.twa"]);
    let large = [vec![1; 17 << 20], vec![2; 5]];
    start_over(&mut ahead, &[&large[0], &large[1]]).unwrap();
    drop(ahead);
    let new = Image::read(folder.path());
    assert_eq!(new.names(), ["2-1.twa", "2-2.twa"]);
    let (old_sizes, new_sizes) = (vec![1, 2, 9_000, 4], vec![17 << 20, 5]);
    let none = Vec::new();

    let first = &new.0["2-1.twa"];
    let unfinished = |bytes: &[u8]| ("2-1.twa.next".to_owned(), bytes.to_vec());
    let second = |bytes: &[u8]| ("2-2.twa".to_owned(), bytes.to_vec());
    let half = &new.0["2-2.twa"][..100];
    let mut table = vec![
        ("nothing written", old.clone(), vec![], &old_sizes),
        ("name only", old.clone(), vec![unfinished(b"")], &old_sizes),
        ("room laid out", old.clone(), vec![unfinished(&vec![0; first.len()])], &old_sizes),
        ("torn", old.clone(), vec![unfinished(&first[..first.len() / 2])], &old_sizes),
        ("first segment", old.clone(), vec![unfinished(first)], &old_sizes),
        ("second torn", old.clone(), vec![unfinished(first), second(half)], &old_sizes),
        ("all but the rename", old.clone(), vec![unfinished(first), second(&new.0["2-2.twa"])], &old_sizes),
        ("removed up to the mark", old.clone(), vec![unfinished(b"")], &old_sizes),
        (
            "renamed",
            Image([old.0.clone(), new.0.clone()].into_iter().flatten().collect()),
            vec![],
            &new_sizes,
        ),
        ("nothing before", Image([].into()), vec![unfinished(first), second(half)], &none),
    ];
    for gone in [&["1-1.twa"][..], &["1-2.twa"], &["1-1.twa", "1-2.twa"], &["1-2.twa", "1-3.twa"]] {
        let mut files = old.0.clone();
        files.retain(|name, _| !gone.contains(&name.as_str()));
        files.extend(new.0.clone());
        table.push(("some of the old removed", Image(files), vec![], &new_sizes));
    }
    for (what, mut image, more, want) in table {
        let folder = tempfile::tempdir().unwrap();
        image.0.extend(more);
        image.write(folder.path());
        let mut log = recovered(folder.path());
        assert_eq!((sizes_of(&log.records), log.found.torn_size), (want.clone(), 0), "{what}");
        let is_new = *want == new_sizes;
        let names = if want.is_empty() {
            vec![]
        } else if is_new {
            new.names()
        } else {
            old.names()
        };
        assert_eq!(Image::read(folder.path()).names(), names, "{what}");
        // And again, up to the end this time.
        start_over(&mut log.ahead, &[b"x"]).unwrap();
        drop(log);
        assert_eq!(payloads(&recovered(folder.path()).records), [b"x"], "{what}");
    }
}

#[test]
fn damage_to_the_newest_generation_keeps_every_other() {
    let folder = tempfile::tempdir().unwrap();
    drop(log_of(folder.path(), SMALL, &[&[1], &[2], &[3]]));
    let old = Image::read(folder.path());
    let mut ahead = recovered(folder.path()).ahead;
    start_over(&mut ahead, &[b"a"]).unwrap();
    for _ in 0..3 {
        ahead.append(1, &[b"b"]).unwrap();
        ahead.sync().unwrap();
    }
    drop(ahead);
    old.write(folder.path());
    let whole = Image::read(folder.path());
    let rotten = whole.with("2-1.twa", |bytes| bytes[100] ^= 1);
    let mut beheaded = whole.clone();
    beheaded.0.remove("2-1.twa");
    for (image, name) in [(rotten, "2-1.twa: group 1 at 0"), (beheaded, "2-1.twa: group 1 at 0")] {
        let folder = tempfile::tempdir().unwrap();
        image.write(folder.path());
        let error = open(folder.path(), SMALL).map(drop).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
        assert_eq!(Image::read(folder.path()), image);
    }
}

#[test]
fn files_that_are_no_segments() {
    let folder = tempfile::tempdir().unwrap();
    drop(log_of(folder.path(), SMALL, &[&[1]]));
    for name in ["notes.txt", ".hidden", "readings.twa.next", "lost+found", "3-2.twa.next"] {
        fs::write(folder.path().join(name), b"x").unwrap();
    }
    assert_eq!(recovered(folder.path()).records.len(), 1);
    assert_eq!(Image::read(folder.path()).names().len(), 6, "they are left alone");
    for name in ["readings.twa", "01-1.twa", "1-0.twa", "copy of 1-1.twa"] {
        fs::write(folder.path().join(name), b"x").unwrap();
        let error = open(folder.path(), SMALL).map(drop).unwrap_err();
        assert!(matches!(&error, WriteAheadError::Foreign(path) if path.ends_with(name)), "{error}");
        fs::remove_file(folder.path().join(name)).unwrap();
    }
}
