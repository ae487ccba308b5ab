//! NEM13: its records, and what each wrong one gives.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::bend::{Watch, bend};
use common::run;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::Collected;

const RECORD: &str = "250,NMI1,1141,1,41,41,METER,E,00990,20260101120000,A,,,01020,20260401120000,E62,77,Door,30,KWH,20260701,20260402000000,\n";

fn profile() -> Profile {
    Profile::builtin("nem13").unwrap()
}

fn file(records: &str) -> String {
    format!("100,NEM13,202604020000,A,B\n{records}900\n")
}

fn told(found: &Collected) -> String {
    let reads = found.register_reads.iter().map(|(read, origin)| {
        let meter = read.meter.map_or("no meter".to_owned(), |meter| meter.to_string());
        format!(
            "{} {} {} {meter} {} {}@{}",
            read.usage_point, read.register, read.at, read.dial, read.quality, origin.line
        )
    });
    let rejections = found.rejections.iter().map(|rejection| {
        format!("{}×{}@{} {}", rejection.code, rejection.reading_count, rejection.line, rejection.raw)
    });
    reads.chain(rejections).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(records: &str, want: &[&str]) {
    let (found, _) = run(&profile(), "x", file(records).as_bytes()).unwrap();
    assert_eq!(told(&found), want.join("\n"), "{records}");
}

const FIRST: &str = "NMI1 1-41:1.8.0 2026-01-01T02:00:00Z METER 990.000000 valid@2";
const SECOND: &str = "NMI1 1-41:1.8.0 2026-04-01T02:00:00Z METER 1020.000000 projected@2";

#[test]
fn two_reads_a_record() {
    check(RECORD, &[FIRST, SECOND]);
    check(&format!("{RECORD}550,N,,E,\n"), &[FIRST, SECOND]);
    let (found, summary) = run(&profile(), "x", file(&format!("{RECORD}550,N,,E,\n")).as_bytes()).unwrap();
    assert_eq!((summary.register_read_count, summary.ignored_count), (2, 1));
    // 2026-04-02T00:00 in market time, as the file says too.
    assert_eq!(found.issues.len(), 1);
    assert_eq!(found.issues[0].issued.0, 1_775_052_000);
    let unsaid = RECORD.replace("20260402000000", "");
    let (found, _) = run(&profile(), "x", file(&unsaid).as_bytes()).unwrap();
    assert_eq!(found.issues[0].issued.0, 1_775_052_000);
}

#[test]
fn registers_and_units() {
    let in_wh = RECORD.replace("KWH", "Wh");
    check(
        &in_wh,
        &[
            "NMI1 1-41:1.8.0 2026-01-01T02:00:00Z METER 0.990000 valid@2",
            "NMI1 1-41:1.8.0 2026-04-01T02:00:00Z METER 1.020000 projected@2",
        ],
    );
    let fed_in = RECORD.replace(",E,00990", ",I,00990").replace(",30,KWH", ",-30,KWH").replace("METER", "");
    check(
        &fed_in,
        &[
            "NMI1 1-41:2.8.0 2026-01-01T02:00:00Z no meter 990.000000 valid@2",
            "NMI1 1-41:2.8.0 2026-04-01T02:00:00Z no meter 1020.000000 projected@2",
        ],
    );
    let reactive = RECORD.replace(",E,00990", ",I,00990").replace("KWH", "KVARH").replace("41,41", "11,11");
    check(
        &reactive,
        &[
            "NMI1 1-11:4.8.0 2026-01-01T02:00:00Z METER 990.000000 valid@2",
            "NMI1 1-11:4.8.0 2026-04-01T02:00:00Z METER 1020.000000 projected@2",
        ],
    );
}

/// The quantity is held against the dials; the reads stand whatever it says.
#[test]
fn quantities() {
    for (previous, current, quantity, want) in [
        ("00990", "01020", "30", None),
        ("00990", "01020", "30.000", None),
        ("00990", "01020", "", None),
        ("99890", "02034", "2144", None),
        ("9999941.00", "0000106.00", "165", None),
        // As many dials as the longer of the two was written with.
        (
            "99890",
            "002034",
            "2144",
            Some("R18×0@2 quantity 2144 KWH, dials 99890 to 002034: 902144.000000 kWh"),
        ),
        ("00990", "00980", "-10", None),
        ("00990", "01020", "-30", Some("R18×0@2 quantity -30 KWH, dials 00990 to 01020: 30.000000 kWh")),
        (
            "00990",
            "01020",
            "1200",
            Some("R18×0@2 quantity 1200 KWH, dials 00990 to 01020: 30.000000 kWh, a multiplier of 40"),
        ),
        ("00990", "01020", "31", Some("R18×0@2 quantity 31 KWH, dials 00990 to 01020: 30.000000 kWh")),
        ("00990", "00990", "5", Some("R18×0@2 quantity 5 KWH, dials 00990 to 00990: 0.000000 kWh")),
        ("00990", "01020", "many", Some("R11×0@2 many")),
    ] {
        let record = RECORD
            .replace("00990", previous)
            .replace("01020", current)
            .replace(",30,", &format!(",{quantity},"));
        let (found, summary) = run(&profile(), "x", file(&record).as_bytes()).unwrap();
        assert_eq!(summary.register_read_count, 2, "{record}");
        let said = told(&found).lines().skip(2).map(str::to_owned).collect::<Vec<_>>().join("\n");
        assert_eq!(said, want.unwrap_or_default(), "{record}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    // A read by itself: the other one stands.
    for (from, to, want) in [
        (",00990,", ",,", "R11×1@2 "),
        (",00990,", ",-990,", "R13×1@2 -990"),
        (",00990,", ",1e3,", "R11×1@2 1e3"),
        (",00990,", ",9900000000000,", "R11×1@2 9900000000000"),
        (",00990,", ",0.0000001,", "R12×1@2 0.0000001"),
        (",A,,,", ",X,,,", "R16×1@2 X"),
        (",A,,,", ",V,,,", "R16×1@2 V"),
    ] {
        check(&RECORD.replace(from, to), &[SECOND, want]);
    }
    let (_, summary) = run(&profile(), "x", file(&RECORD.replace(",A,,,", ",N,,,")).as_bytes()).unwrap();
    assert_eq!((summary.register_read_count, summary.null_count), (1, 1));
    // The whole record.
    for (from, to, code) in [
        ("NMI1", "", "R04"),
        (",41,41,", ",4,41,", "R05"),
        (",41,41,", ",E1,41,", "R05"),
        (",41,41,", ",01,41,", "R05"),
        (",E,0", ",X,0", "R05"),
        ("KWH", "KW", "R06"),
        ("20260101120000", "20260132120000", "R07"),
        ("20260401120000", "", "R07"),
        ("20260402000000", "x", "R07"),
        (",20260701,20260402000000,", ",20260701,20260402000000,,", "R03"),
        (",30,KWH,20260701,20260402000000,", "", "R03"),
        ("250,", "300,", "R03"),
    ] {
        let (found, summary) =
            run(&profile(), "x", file(&format!("{}{RECORD}", RECORD.replacen(from, to, 1))).as_bytes())
                .unwrap();
        assert_eq!(summary.register_read_count, 2, "{from} → {to}");
        assert_eq!(found.rejections.len(), 1, "{from} → {to}: {}", told(&found));
        assert_eq!(found.rejections[0].code.to_string(), code, "{from} → {to}");
    }
    let damaged = RECORD.replace("20260401120000", "2.02604E+13");
    let (found, _) = run(&profile(), "x", file(&damaged).as_bytes()).unwrap();
    assert!(found.rejections[0].raw.starts_with("\"2.02604E+13\" was rewritten by a spreadsheet"));
}

/// 10,000 files made unsound: no panic, no file takes a second, and whatever is refused or set aside says why and where.
#[test]
fn files_that_are_broken() {
    let variants = [
        file(RECORD),
        file(&format!("{RECORD}550,N,,E,\n{}", RECORD.replace("KWH", "wh"))),
        file(&RECORD.replace(",E,00990", ",I,00990").repeat(3)),
        file(&RECORD.replace(",A,,,", ",N,,,")).replace('\n', "\r\n"),
        file(&RECORD.replace("Door", "\"Door, locked\"")),
        file(&RECORD.replace("00990", "99990").replace("01020", "00020")),
        format!("{RECORD}\n{RECORD}"),
    ];
    let optional = Profile::parse("optional", "format = \"nem13\"\nframe = \"optional\"\n").unwrap();
    let profiles = [profile(), optional];
    for seed in 0..10_000_u64 {
        let at = usize::try_from(seed).unwrap();
        let (sound, other) = (&variants[at % 7], &variants[at / 7 % 7]);
        let bytes = bend(sound.as_bytes(), other.as_bytes(), seed);
        let watch = Watch::start();
        match run(&profiles[at % 2], "x", &bytes) {
            Err(refusal) => assert!(!refusal.next_step().is_empty() && !refusal.to_string().is_empty()),
            Ok((found, summary)) => {
                assert_eq!(summary.register_read_count, found.register_reads.len() as u64, "seed {seed}");
                for rejection in &found.rejections {
                    assert!((1..=summary.line_count).contains(&rejection.line), "seed {seed}: {rejection:?}");
                    assert!(!rejection.code.reason().is_empty());
                }
            }
        }
        watch.stop(&|| format!("seed {seed}"));
    }
}
