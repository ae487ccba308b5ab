//! No bytes make a decoder panic, and what it says of them adds up.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::run;
use common::sound::sound;
use proptest::prelude::*;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;

#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Insert(usize, u8),
    Remove(usize, usize),
    Repeat(usize, usize),
    Cut(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(b",;\"\n\r<>&/=0123456789-.: VNAE".to_vec())];
    prop_oneof![
        (any::<usize>(), byte.clone()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<usize>(), byte).prop_map(|(at, byte)| Change::Insert(at, byte)),
        (any::<usize>(), 1..60_usize).prop_map(|(at, size)| Change::Remove(at, size)),
        (any::<usize>(), 1..60_usize).prop_map(|(at, size)| Change::Repeat(at, size)),
        any::<usize>().prop_map(Change::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let size = bytes.len();
    match *change {
        Change::Set(at, byte) => bytes[at % size] = byte,
        Change::Insert(at, byte) => bytes.insert(at % size, byte),
        Change::Remove(at, count) => drop(bytes.drain(at % size..(at % size + count).min(size))),
        Change::Repeat(at, count) => {
            let part = bytes[at % size..(at % size + count).min(size)].to_vec();
            bytes.splice(at % size..at % size, part);
        }
        Change::Cut(at) => bytes.truncate(at % size),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        for name in Profile::builtin_names() {
            let _ = run(&Profile::builtin(name).unwrap(), "a.b", &bytes);
        }
    }

    #[test]
    fn sound_files_bent(changes in prop::collection::vec(change(), 1..6)) {
        for name in Profile::builtin_names() {
            let mut bytes = sound(name);
            changes.iter().for_each(|change| apply(&mut bytes, change));
            let _ = run(&Profile::builtin(name).unwrap(), "a.b", &bytes);
        }
    }

    #[test]
    fn archives_bent(changes in prop::collection::vec(change(), 1..6)) {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in ["a", "b"] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut writer, &sound("nem12")).unwrap();
        }
        let mut bytes = writer.finish().unwrap().into_inner();
        changes.iter().for_each(|change| apply(&mut bytes, change));
        let _ = each_member("x", std::io::Cursor::new(bytes), &mut |name, bytes| {
            let mut sink = tallywatt_ingest::sink::Collected::default();
            tallywatt_ingest::decode::decode(&Profile::builtin("nem12").unwrap(), name, bytes, &mut sink).map(|_| ())
        }) as Result<(), FileRefusal>;
    }
}

#[test]
fn the_sound_files_are_sound() {
    for name in Profile::builtin_names() {
        let decoded = run(&Profile::builtin(name).unwrap(), "a.b", &sound(name));
        assert!(decoded.is_ok(), "{name}: {decoded:?}");
    }
}
