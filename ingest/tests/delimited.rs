//! Delimited text: every rejection and refusal that it can give.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::{recorded, run, tell};
use tallywatt_ingest::profile::{Profile, ProfileError};

const LONG: &str = r#"
format = "csv"
layout = "long"
unit = "kWh"
stamp_format = "YYYY-MM-DD HH:mm"
zone = "Europe/Amsterdam"
interval_minutes = 30

[columns]
usage_point = "point"
start = "start"
value = "value"
obis = "obis"
quality = "quality"
ignore = ["weather"]
"#;

const HEADER: &str = "point,obis,start,value,quality,weather\n";

fn long() -> Profile {
    Profile::parse("long", LONG).unwrap()
}

#[track_caller]
fn check_row(row: &str, want: &str) {
    assert_eq!(tell(&long(), format!("{HEADER}{row}\n").as_bytes()), want, "{row}");
}

#[test]
fn rows_of_one_value() {
    let table = [
        ("a,1-0:1.8.0,2026-03-01 00:00,1.5,,fair", "a 2026-02-28T23:00:00Z=1500"),
        ("\"a\",1.8.0,2026-03-01 00:00,\"1.5\",8,", "a 2026-02-28T23:00:00Z=1500 estimated_reference_day"),
        (" a ,1.8.0,2026-03-01 00:00, 1.5 ,raw,", "a 2026-02-28T23:00:00Z=1500 raw"),
        ("a,1.8.0,2026-03-01 24:00,1,,", "a 2026-03-01T23:00:00Z=1000"),
        ("a,1.8.0,2026-03-01 00:00,-1,,", "a 2026-02-28T23:00:00Z=-1000"),
        ("a,1.8.0,2026-03-01 00:00,0,missing,", ""),
        // Set aside, in the order of the codes.
        ("a,1.8.0,2026-03-01 00:00,1,", "R03×1@2"),
        ("a,1.8.0,2026-03-01 00:00,1,,,", "R03×1@2"),
        ("\"a,1.8.0,2026-03-01 00:00,1,,", "R03×1@2"),
        ("a\"b,1.8.0,2026-03-01 00:00,1,,", "R03×1@2"),
        (",1.8.0,2026-03-01 00:00,1,,", "R04×1@2"),
        ("ж,1.8.0,2026-03-01 00:00,1,,", "R04×1@2"),
        ("a,5.8.0,2026-03-01 00:00,1,,", "R05×1@2"),
        ("a,1-0:3.8.0,2026-03-01 00:00,1,,", "R06×1@2"),
        ("a,1.8.0,2026-02-29 00:00,1,,", "R07×1@2"),
        ("a,1.8.0,1970-01-01 00:00,1,,", "R07×1@2"),
        ("a,1.8.0,2026-03-29 02:30,1,,", "R08×1@2"),
        ("a,1.8.0,2026-03-01 00:00,1e3,,", "R11×1@2"),
        ("a,1.8.0,2026-03-01 00:00,nan,,", "R11×1@2"),
        ("a,1.8.0,2026-03-01 00:00,1.0001,,", "R12×1@2"),
        ("a,1.8.0,2026-03-01 00:00,1,6,", "R16×1@2"),
        ("a,1.8.0,2026-03-01 00:00,1,good,", "R16×1@2"),
        ("a,1.8.0,2026-03-01 00:00,,,", "R17×1@2"),
        // The first wrong thing by precedence is told.
        (",9,x,y,z,", "R04×1@2"),
        ("a,1.8.0,x,y,z,", "R07×1@2"),
        ("a,1.8.0,2026-03-01 00:00,y,z,", "R11×1@2"),
        ("a,1.8.0,2026-03-01 00:00,,z,", "R16×1@2"),
    ];
    for (row, want) in table {
        check_row(row, want);
    }
}

#[test]
fn text_and_lines() {
    let check = |text: &[u8], want: &str| assert_eq!(tell(&long(), text), want);
    let bytes = |head: &str, middle: &[u8], tail: &str| [head.as_bytes(), middle, tail.as_bytes()].concat();
    let good = "b,1.8.0,2026-03-01 00:00,1,,\n";
    let read = "b 2026-02-28T23:00:00Z=1000";
    check(b"", "refused: file is empty");
    check(HEADER.as_bytes(), "refused: file holds no readings");
    check(&bytes(HEADER, b"\n\r\n", ""), "refused: file holds no readings");
    check(&bytes(HEADER, b"a\xff,,,,,\n", good), &format!("{read}; R02×1@2"));
    check(&bytes(HEADER, &[b'x'; 70_000], &format!("\n{good}")), &format!("{read}; R01×1@2"));
    check(&bytes(HEADER, good.as_bytes(), "b,1.8.0,2026-03"), &format!("{read}; R03×1@3"));
    check(&bytes(HEADER, good.trim_end().as_bytes(), ""), read);
    let marked = format!("\u{feff}{HEADER}{good}").replace('\n', "\r\n");
    check(marked.as_bytes(), read);
    check(&bytes("", b"\xff\xfep\0o\0", ""), "refused: line 1: not text in utf-8");
    check(&bytes("", &[b'x'; 70_000], "\n"), "refused: header line in bytes: more than 65536");
    check(b"\"point,obis\n", "refused: line 1: quotes do not match");
    check(b"point,point\n", "refused: line 1: column \"point\" stands there twice");
    check(b"point,obis,start,quality\n", "refused: line 1: column \"value\" of the profile is missing");
    let unknown = "refused: line 1: column \"rain\" is not in the profile, \
                   which has \"start\", \"point\", \"value\", \"obis\", \"quality\"";
    check(b"point,obis,start,value,quality,rain\n", unknown);
}

/// 02:00 and 02:30 come twice on 25 October 2026; each register has its own clock.
#[test]
fn a_doubled_hour_in_order() {
    let mut text = HEADER.to_owned();
    for (stamp, value) in [("01:30", 1), ("02:00", 2), ("02:30", 3), ("02:00", 4), ("02:30", 5), ("03:00", 6)]
    {
        for obis in ["1.8.0", "2.8.0"] {
            text.push_str(&format!("a,{obis},2026-10-25 {stamp},0.00{value},,\n"));
        }
    }
    let (found, _) = run(&long(), "x", text.as_bytes()).unwrap();
    for (at, pair) in found.readings.chunks(2).enumerate() {
        let want = "2026-10-24T23:30:00Z";
        assert_eq!(pair[0].start, pair[1].start);
        assert_eq!(pair[0].start.plus(-1_800 * i64::try_from(at).unwrap()).to_string(), want);
    }
    assert_eq!(found.readings.len(), 12);
}

#[test]
fn stamps_at_the_end_of_the_interval() {
    let text = LONG.replace("[columns]", "stamp = \"end\"\n[columns]");
    let profile = Profile::parse("end", &text).unwrap();
    let file = format!("{HEADER}a,1.8.0,2026-03-29 03:00,1,,\n");
    assert_eq!(tell(&profile, file.as_bytes()), "a 2026-03-29T00:30:00Z=1000");
}

#[test]
fn a_column_a_usage_point() {
    let text = r#"
format = "csv"
layout = "wide"
delimiter = ";"
decimal = ","
encoding = "windows-1251"
unit = "kWh"
stamp_format = "DD.MM.YYYY HH:mm"
zone = "Europe/Amsterdam"
interval_minutes = 60
[columns]
start = "Время"
ignore = ["Итого"]
"#;
    let profile = Profile::parse("wide", text).unwrap();
    let (header, rest) = (
        "Время;a;b;Итого\n",
        "01.03.2026 00:00;1,5;;9\n29.03.2026 02:00;1;2;3\n25.10.2026 02:00;1;1;1\n25.10.2026 02:00;2;2;2\nx;1;2;3\n1;2\n",
    );
    let (bytes, _, _) = encode_1251(&format!("{header}{rest}"));
    let want = "a 2026-02-28T23:00:00Z=1500; a 2026-10-25T00:00:00Z=1000; b 2026-10-25T00:00:00Z=1000; \
                a 2026-10-25T01:00:00Z=2000; b 2026-10-25T01:00:00Z=2000; R17×1@2; R08×2@3; R07×2@6; R03×2@7";
    assert_eq!(tell(&profile, &bytes), want);
    assert_eq!(tell(&profile, "Время;a\n".as_bytes()).split(':').next(), Some("refused"));
}

/// Cyrillic capitals and small letters, which is all the tests need of the encoding.
fn encode_1251(text: &str) -> (Vec<u8>, (), ()) {
    let byte = |letter: char| match u32::from(letter) {
        code @ 0..=0x7f => u8::try_from(code).unwrap(),
        code => u8::try_from(code - 0x410 + 0xc0).unwrap(),
    };
    (text.chars().map(byte).collect(), (), ())
}

#[test]
fn a_row_a_day() {
    let profile = Profile::builtin("tallywatt").unwrap().with_zone("Europe/Amsterdam").unwrap();
    let columns = |count: usize| (1..=count).map(|at| format!(",v{at}")).collect::<String>();
    let row = |day: &str, count: usize, width: usize| {
        let values: String =
            (1..=width).map(|at| if at <= count { format!(",{at}") } else { ",".to_owned() }).collect();
        format!("a,1-0:1.8.0,{day}{values}\n")
    };
    // day, values, columns: readings, nulls, lost
    let table = [
        ("2026-03-01", 48, 48, (48, 0, 0)),
        ("2026-03-01", 40, 48, (40, 8, 0)),
        ("2026-03-29", 46, 48, (46, 2, 0)),
        ("2026-03-29", 48, 48, (46, 0, 2)),
        ("2026-10-25", 50, 50, (50, 0, 0)),
        ("2026-13-25", 47, 48, (0, 0, 47)),
    ];
    for (day, count, width, want) in table {
        let text = format!("usage_point,obis,date{}\n{}", columns(width), row(day, count, width));
        let (found, summary) = run(&profile, "x", text.as_bytes()).unwrap();
        let got = (summary.reading_count, summary.null_count, summary.rejected_count);
        assert_eq!(got, want, "{day} with {count} of {width}");
        let total: i64 = found.readings.iter().map(|reading| reading.energy_wh).sum();
        let taken = i64::try_from(want.0).unwrap();
        assert_eq!(total, taken * (taken + 1) / 2);
    }
    let text = b"usage_point,obis,date,v1,v3\n";
    assert!(tell(&profile, text).starts_with("refused: line 1: column \"v3\" is not in the profile"));
}

#[test]
fn profiles_that_are_refused() {
    let check = |from: &str, to: &str, want: &str| {
        let error = Profile::parse("bad", &LONG.replace(from, to)).unwrap_err().to_string();
        assert_eq!(error.lines().next().unwrap(), want);
    };
    check("kWh", "kW", "line 4: `unit` is \"kW\", need Wh, kWh, MWh, varh, kvarh or Mvarh");
    check(
        "kWh",
        "kvarh",
        "line 4: `unit` is \"kvarh\", need a unit of the register: Wh for active, varh for reactive",
    );
    let error = Profile::parse("bad", &LONG.replace("zone", "zonn")).unwrap_err().to_string();
    assert!(
        error.starts_with("line 6: unknown field `zonn`, expected one of `format`, `layout`, "),
        "{error}"
    );
    check(
        "Europe/Amsterdam",
        "Europe/Amstredam",
        "line 6: `zone` is \"Europe/Amstredam\", need a zone such as Europe/Amsterdam or +01:00",
    );
    check("= 30", "= 20", "line 7: `interval_minutes` is \"20\", need 5, 15, 30 or 60");
    check("\"csv\"", "\"nem12\"", "line 3: `layout` has no meaning in this format and layout");
    check("start = \"start\"", "", "`start` is missing");
    check(
        "HH:mm",
        "hh:mm",
        "line 5: `stamp_format` is \"YYYY-MM-DD hh:mm\", need rfc3339, epoch, or a pattern such as YYYY-MM-DD HH:mm:ss",
    );
    assert_eq!(Profile::builtin("x").unwrap_err(), ProfileError::Unknown("x".to_owned()));
}

#[test]
fn built_in_profiles() {
    for name in Profile::builtin_names() {
        let profile = Profile::builtin(name).unwrap();
        let moved = profile.with_zone("Asia/Yekaterinburg").unwrap();
        assert_eq!((moved.name(), moved.zone().name()), (name, "Asia/Yekaterinburg"));
        assert_eq!(moved.content().matches("\nzone").count() + 1, 1, "one zone only: {}", moved.content());
        assert_eq!(Profile::parse(name, moved.content()).unwrap().zone(), moved.zone());
    }
}

/// Corner cases of delimited text, through a profile that is not theirs.
#[test]
fn other_peoples_corner_cases() {
    let Some(folder) = recorded("malformed/csv") else { return };
    let text = LONG.replace("point\"", "a\"").replace("\"start\"", "\"b\"").replace("\"value\"", "\"c\"");
    let profile = Profile::parse("abc", &text).unwrap();
    for path in common::files_under(folder) {
        let bytes = std::fs::read(&path).unwrap();
        let told = tell(&profile, &bytes);
        assert!(told.starts_with("refused") || told.starts_with('R'), "{}: {told}", path.display());
    }
}
