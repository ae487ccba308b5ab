//! Ten thousand malformed files of delimited text and of JSON lines: whatever the bytes, each is dealt with at once, and
//! everything that is wrong has a reason and a place.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::bend::{Watch, bend};
use common::run;
use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_ingest::decode::decode_by_row;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::Collected;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::day_pack::{PACK_FILE_MAGIC, PackWriter};

/// Of each shape.
const FILE_COUNT: u64 = 10_000;
const SEED: u64 = 20_261_123;

const LONG: &str = "format='csv'\nlayout='long'\nunit='kWh'\nstamp_format='YYYY-MM-DD HH:mm'\nzone='Europe/Amsterdam'\ninterval_minutes=30\n\
    [columns]\nusage_point='p'\nstart='t'\nvalue='v'\nobis='o'\nquality='q'\nignore=['x']\n";
const WIDE: &str = "format='csv'\nlayout='wide'\nunit='Wh'\nstamp_format='D-M-YYYY HH:mm'\nzone='Europe/Amsterdam'\ninterval_minutes=15\n\
    delimiter=';'\ndecimal=','\n[columns]\nstart='t'\nignore=['x']\n";
const DAY: &str = "format='csv'\nlayout='day'\nunit='Wh'\nzone='Asia/Yekaterinburg'\ninterval_minutes=60\nencoding='windows-1251'\n\
    [columns]\nusage_point='p'\nobis='o'\ndate='d'\n";
const OBJECTS: &str = "format='json-lines'\nunit='kWh'\nstamp_format='YYYY-MM-DD HH:mm'\nzone='Europe/Amsterdam'\ninterval_minutes=30\n\
    [columns]\nusage_point='p'\nstart='t'\nvalue='v'\nobis='o'\nquality='q'\nignore=['x']\n";

/// A profile and a sound file of it, over a change of the clock.
fn shapes() -> [(&'static str, Profile, Vec<u8>); 4] {
    let clock = |step: usize, minutes: usize| (step * minutes / 60, step * minutes % 60);
    let (mut long, mut objects) = ("p,x,o,t,v,q\n".to_owned(), String::new());
    let (mut wide, mut day) = ("t;A;\"B\";x\n".to_owned(), "p,o,d,v1,v2,v3,v4,v5,v6\n".to_owned());
    for step in 0..40 {
        let (hour, minute) = clock(step, 30);
        let point = ["A-1", "B \\\"2"][step / 30];
        let stamp = format!("2026-03-29 {hour:02}:{minute:02}");
        long += &format!("{},\"a, b\",1.8.0,{stamp},0.{step:03},\n", &point[..3]);
        objects += &format!(
            "{{\"p\":\"{point}\",\"x\":[1,{{\"y\":null}}],\"t\":\"{stamp}\",\"v\":0.{step:03},\"o\":\"1.8.0\",\"q\":null}}\n"
        );
        let (hour, minute) = clock(step, 15);
        wide += &format!("29-3-2026 {hour:02}:{minute:02};{step};1{step};\n");
        day += &format!("P{step},1-0:1.8.0,2026-03-{:02},1,2,3,,{step},6\n", step % 31 + 1);
    }
    let parse = |name, toml| Profile::parse(name, toml).unwrap();
    [
        ("long", parse("long", LONG), long.into_bytes()),
        ("wide", parse("wide", WIDE), wide.into_bytes()),
        ("day", parse("day", DAY), day.into_bytes()),
        ("objects", parse("objects", OBJECTS), objects.into_bytes()),
    ]
}

#[test]
fn ten_thousand_malformed_files() {
    let shapes = shapes();
    let (mut refused_count, mut rejected_count, mut whole_count) = (0, 0, 0);
    for (at, (name, profile, sound)) in shapes.iter().enumerate() {
        assert!(run(profile, "m.csv", sound).unwrap().0.readings.len() > 30, "{name} is sound");
        let (_, _, other) = &shapes[(at + 1) % shapes.len()];
        for number in 0..FILE_COUNT {
            let seed = SEED + number;
            let other = if number % 3 == 0 { other } else { sound };
            let bytes = bend(sound, other, seed);
            let line_count = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
            let context = || format!("{name}, seed {seed}:\n{}", String::from_utf8_lossy(&bytes));
            let watch = Watch::start();
            let result = run(profile, "m.csv", &bytes);
            watch.stop(&context);
            match result {
                Err(refusal) => {
                    refused_count += 1;
                    assert!(
                        !refusal.next_step().is_empty() && !refusal.to_string().is_empty(),
                        "{}",
                        context()
                    );
                }
                Ok((found, summary)) => {
                    for rejection in &found.rejections {
                        assert!((1..=line_count).contains(&rejection.line), "{rejection:?}, {}", context());
                        assert!(!rejection.code.reason().is_empty() && rejection.reading_count > 0);
                    }
                    rejected_count += u64::from(!found.rejections.is_empty());
                    whole_count += u64::from(found.rejections.is_empty());
                    // The short way and the reference agree on it.
                    let mut by_row = Collected::default();
                    let by_row_summary =
                        decode_by_row(profile, "m.csv", &mut &bytes[..], &mut by_row).unwrap();
                    assert!(by_row == found && by_row_summary == summary, "{}", context());
                }
            }
        }
    }
    println!(
        "seed {SEED}: {refused_count} refused, {rejected_count} with rejections, {whole_count} sound still"
    );
    assert!(
        refused_count > 300 && rejected_count > 5_000,
        "{refused_count} refused, {rejected_count} rejected"
    );
}

/// Frames of three days, and the same in a file of packs.
fn days_of_our_own() -> [(&'static str, Vec<u8>); 2] {
    let zone = Zone::parse("Europe/Amsterdam").unwrap();
    let (mut frames, mut packs, mut writer) = (Vec::new(), PACK_FILE_MAGIC.to_vec(), PackWriter::default());
    for (point, day) in [("A", "2026-03-28"), ("A", "2026-03-29"), ("EKB-000017", "2026-10-25")] {
        let local = zone.local_day(day.parse().unwrap());
        let mut block =
            DayBlock::empty(point.parse().unwrap(), Register::IMPORT, local, 60, Source::Manual).unwrap();
        for (at, wh) in (0..block.interval_count()).zip((0..).step_by(37)) {
            block.put(at, wh, Quality::Valid, &mut MergeCounts::default());
        }
        let leaf = DayLeaf::frame(block);
        frames.extend_from_slice(leaf.bytes());
        writer.push(leaf.bytes());
    }
    writer.finish(&mut packs);
    [("frames", frames), ("packs", packs)]
}

#[test]
fn ten_thousand_malformed_files_of_our_own() {
    let sound = days_of_our_own();
    let mut refused_count = 0;
    for (at, (name, bytes)) in sound.iter().enumerate() {
        let profile = Profile::builtin(name).unwrap();
        assert_eq!(run(&profile, "m", bytes).unwrap().0.readings.len(), 24 + 23 + 25, "{name} is sound");
        for number in 0..FILE_COUNT {
            let other = if number % 3 == 0 { &sound[1 - at].1 } else { bytes };
            let bent = bend(bytes, other, SEED + number);
            let watch = Watch::start();
            let result = run(&profile, "m", &bent);
            watch.stop(&|| format!("{name}, seed {}", SEED + number));
            if let Err(refusal) = result {
                refused_count += 1;
                assert!(!refusal.next_step().is_empty() && !refusal.to_string().is_empty());
            }
        }
    }
    println!("seed {SEED}: {refused_count} refused");
    assert!(refused_count > 1_000, "{refused_count} refused");
}
