//! No bytes make a decoder panic, and what it says of them adds up.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::run;
use proptest::prelude::*;
use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::{PACK_FILE_MAGIC, PackWriter};

/// A sound file of every built-in profile.
fn sound(name: &str) -> Vec<u8> {
    let text = match name {
        "tallywatt" => "usage_point,obis,date,v1,v2,v3\na,1-0:1.8.0,2026-03-29,1,,3\nb,1.8.0,2026-10-25,4,5,6\n".to_owned(),
        "zonnedael" => "datetime,a,\"b\"\n1-1-2013 00:00,1,2\n31-3-2013 02:00,3,4\n".to_owned(),
        "lcl" => "LCLid,stdorToU,DateTime,KWH/hh (per half hour)\na,Std,2013-01-01 00:00:00,0.292\na,Std,2013-01-01 00:30:00,1.0930001\n".to_owned(),
        "opendsm" => "start,value\n2015-11-22T00:00:00-06:00,0.29\n2015-11-22T01:00:00-06:00,1.47\n".to_owned(),
        "json-lines" => "{\"usage_point\":\"a\",\"obis\":\"1.8.0\",\"start\":\"2026-03-01T00:00:00Z\",\"value\":1}\n\
            {\"value\": 2,\"start\":\"2026-03-01T00:30:00Z\", \"quality\":null,\"obis\":\"\\u0031.8.0\",\"usage_point\":\"a\"}\n".to_owned(),
        // What its helper makes of the file.
        "parquet" => "usage_point,obis,start,value,quality\na,1.8.0,2026-03-01T00:00:00Z,1,\na,1.8.0,2026-03-01T00:30:00Z,2,raw\n".to_owned(),
        "nem12" => {
            let values = ",0.5".repeat(48);
            format!("100,NEM12,1,A,B\n200,N,E1,1,E1,N1,M,kWh,30,\n300,20260301{values},V,,,,\n400,1,40,A,,\n400,41,48,N,,\n900\n")
        }
        "80020" => "<?xml version=\"1.0\" encoding=\"windows-1251\"?><message class=\"80020\"><datetime><day>20101031</day></datetime>\
            <area><measuringpoint code=\"P\"><measuringchannel code=\"01\"><period start=\"0200\" end=\"0230\" summer=\"1\">\
            <value status=\"0\">5&amp;</value></period></measuringchannel></measuringpoint><peretok/></area></message>".to_owned(),
        _ => {
            let local = Zone::parse("UTC").unwrap().local_day("2026-03-01".parse().unwrap());
            let block = DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Manual).unwrap();
            let frames = DayLeaf::frame(block).bytes().repeat(3);
            return if name == "frames" { frames } else { packed(&frames) };
        }
    };
    text.into_bytes()
}

/// A file of packs of these frames.
fn packed(mut frames: &[u8]) -> Vec<u8> {
    let (mut writer, mut bytes) = (PackWriter::default(), PACK_FILE_MAGIC.to_vec());
    while !frames.is_empty() {
        let (leaf, size) = DayLeaf::decode_first(frames).unwrap();
        writer.push(leaf.bytes());
        frames = &frames[size..];
    }
    writer.finish(&mut bytes);
    bytes
}

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
