//! JSON lines: the same findings as the same rows of CSV, and everything that is no object of the profile.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;
#[path = "common/ways.rs"]
mod ways;

use common::{run, tell};
use tallywatt_ingest::profile::Profile;
use ways::{Dice, check};

const SETTINGS: &str = "unit='kWh'\nstamp_format='YYYY-MM-DD HH:mm'\nzone='Europe/Amsterdam'\ninterval_minutes=30\n\
    [columns]\nusage_point='point'\nstart='start'\nvalue='value'\nobis='obis'\nquality='quality'\nignore=['weather','extra']\n";

fn objects() -> Profile {
    Profile::parse("objects", &format!("format='json-lines'\n{SETTINGS}")).unwrap()
}

fn csv() -> Profile {
    Profile::parse("csv", &format!("format='csv'\nlayout='long'\n{SETTINGS}")).unwrap()
}

/// The line below a sound one.
#[track_caller]
fn check_line(line: &str, want: &str) {
    let first = r#"{"point":"z","start":"2026-01-01 00:00","value":1,"obis":"1.8.0"}"#;
    let got = tell(&objects(), format!("{first}\n{line}\n").as_bytes());
    let rest = got.strip_prefix("z 2025-12-31T23:00:00Z=1000").unwrap();
    assert_eq!(rest.strip_prefix("; ").unwrap_or(rest), want, "{line}");
}

#[test]
fn objects_of_one_value() {
    let o =
        |value: &str| format!(r#"{{"point":"a","obis":"1.8.0","start":"2026-03-01 00:00","value":{value}}}"#);
    let good = "a 2026-02-28T23:00:00Z";
    check_line(&o("1.5"), &format!("{good}=1500"));
    check_line(&o("\"1.5\""), &format!("{good}=1500"));
    check_line(&o("-1"), &format!("{good}=-1000"));
    check_line(&o("1.5, \"quality\": 8"), &format!("{good}=1500 estimated_reference_day"));
    check_line(&o("1.5, \"quality\": \"raw\""), &format!("{good}=1500 raw"));
    check_line(&o("0, \"quality\": \"missing\""), "");
    check_line(&o("null, \"quality\": \"missing\""), "");
    // Past what a binary float can hold.
    check_line(&o("9007199254740.993"), &format!("{good}=9007199254740993"));
    check_line(&o("0.12300000000000001"), "R12×1@2");
    check_line(
        "\t{ \"weather\" : {\"a\":[true,false,null,\"}\",1e9]} , \"value\" : 1 , \"\\u0070oint\":\"\\u0061\", \"start\":\"2026-03-01 00:00\",\"obis\":\"1.8.0\" } \r",
        &format!("{good}=1000"),
    );
    // Set aside, in the order of the codes.
    for structure in [
        &o("1,"),
        &o("[1]"),
        &o("{}"),
        &o("true"),
        &o("01"),
        &o("1, \"value\": 1"),
        &o("1, \"weather\": 1, \"weather\": 1"),
        &o("1, \"other\": 1"),
        &o(&format!("1, \"weather\": {}{}", "[".repeat(33), "]".repeat(33))),
        &format!("{}{}", o("1"), o("1")),
        &o("1")[..40],
        "[]",
        "{",
        "null",
        "\u{feff}{}",
    ] {
        check_line(structure, "R03×1@2");
    }
    check_line("{}", "R04×1@2");
    check_line(r#"{"point":"a\u0000"}"#, "R04×1@2");
    check_line(r#"{"point":"a","obis":"5.8.0"}"#, "R05×1@2");
    check_line(r#"{"point":"a","obis":"3.8.0"}"#, "R06×1@2");
    check_line(r#"{"point":"a","obis":"1.8.0"}"#, "R07×1@2");
    check_line(r#"{"point":"a","obis":"1.8.0","start":"2026-03-29 02:30","value":1}"#, "R08×1@2");
    check_line(&o("1e3"), "R11×1@2");
    check_line(&o("\"nan\""), "R11×1@2");
    check_line(&o("1.0001"), "R12×1@2");
    check_line(&o("1,\"quality\":\"odd\""), "R16×1@2");
    check_line(&o("null"), "R17×1@2");
    check_line(&o(&format!("1, \"weather\": \"{}\"", "x".repeat(64 << 10))), "R01×1@2");
    let mut not_text =
        b"{\"point\":\"z\",\"start\":\"2026-01-01 00:00\",\"value\":1,\"obis\":\"1.8.0\"}\n".to_vec();
    not_text.extend_from_slice(b"{\"weather\":\"\xff\"}\n");
    assert!(tell(&objects(), &not_text).ends_with("R02×1@2"));
}

#[test]
fn files_that_are_refused() {
    let table = [
        ("", "refused: file is empty"),
        ("\n\n", "refused: file holds no readings"),
        ("[{\"point\":1}]", "refused: line 1: an array; JSON lines are one object a line"),
        ("point,start,value\n", "refused: line 1: not JSON lines: the first line is no object"),
        (
            "{\"watts\":1}\n",
            "refused: line 1: column \"watts\" is not in the profile, which has \"point\", \"start\", \"value\", \"obis\", \"quality\"",
        ),
    ];
    for (text, want) in table {
        assert_eq!(tell(&objects(), text.as_bytes()), want, "{text:?}");
    }
    let wrong = Profile::parse("x", "format='json-lines'\ndelimiter=','\nzone='UTC'\n").unwrap_err();
    assert!(wrong.to_string().starts_with("line 2: "), "{wrong}");
    let marked =
        b"\xef\xbb\xbf{\"point\":\"a\",\"start\":\"2026-03-01 00:00\",\"value\":1,\"obis\":\"1.8.0\"}";
    assert_eq!(tell(&objects(), marked), "a 2026-02-28T23:00:00Z=1000");
}

/// One row as both write it.
fn row(dice: &mut Dice, step: usize) -> (String, String) {
    let number = dice.below(90_000);
    let value = match dice.below(20) {
        0 => String::new(),
        1 => format!("-{number}"),
        2 => format!("{number}.0001"),
        3 => format!("{number}e2"),
        4..10 => number.to_string(),
        _ => format!("{}.{:03}", number / 1_000, number % 1_000),
    };
    let point = dice.of(&["a", "a", "a", "b", "Ж", "", "x y"]);
    let obis = dice.of(&["1.8.0", "1.8.0", "1-0:2.8.0", "9.9", "3.8.0"]);
    let quality = dice.of(&["", "", "", "raw", "8", "missing", "odd"]);
    let start = match dice.below(30) {
        0 => "2026-13-01 00:00".to_owned(),
        1 => "2026-03-29 02:30".to_owned(),
        _ => format!("2026-10-{:02} {:02}:{:02}", 25 + step / 48 % 5, step / 2 % 24, step % 2 * 30),
    };
    let delimited = format!("{point},{obis},{start},{value},{quality}");
    let mut parts = vec![
        format!("\"point\":\"{point}\""),
        format!("\"obis\": \"{}\"", obis.replace('.', dice.of(&[".", "\\u002e"]))),
        format!("\"start\" :\"{start}\""),
    ];
    match (value.is_empty(), dice.below(3)) {
        (true, 0) => (),
        (true, 1) => parts.push("\"value\":null".to_owned()),
        (true, _) => parts.push("\"value\":\"\"".to_owned()),
        (false, 0) => parts.push(format!("\"value\":\"{value}\"")),
        (false, _) => parts.push(format!("\"value\":{value}")),
    }
    match (quality.parse::<u8>().is_ok(), quality.is_empty()) {
        (true, _) => parts.push(format!("\"quality\":{quality}")),
        (_, true) if dice.one_in(2) => (),
        _ => parts.push(format!("\"quality\":\"{quality}\"")),
    }
    if dice.one_in(3) {
        parts.push("\"extra\":{\"a\":[1,2]}".to_owned());
    }
    let turn = dice.below(parts.len());
    parts.rotate_left(turn);
    (delimited, format!("{{{}}}", parts.join(",")))
}

#[test]
fn the_same_as_rows_of_csv() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let (mut delimited, mut lines) = ("point,obis,start,value,quality\n".to_owned(), String::new());
        for step in 0..=dice.below(200) {
            let (left, right) = row(&mut dice, step);
            delimited += &format!("{left}\n");
            lines += &format!("{right}\n");
        }
        let (mut want, want_summary) = run(&csv(), "m", delimited.as_bytes()).unwrap();
        let (mut got, got_summary) = run(&objects(), "m", lines.as_bytes()).unwrap();
        // The header is a line, and a raw line is as it was written.
        want.readings.iter_mut().for_each(|reading| reading.line -= 1);
        want.rejections.iter_mut().for_each(|rejection| rejection.line -= 1);
        let raw = |found: &mut tallywatt_ingest::sink::Collected| {
            found.rejections.iter_mut().for_each(|rejection| rejection.raw.clear());
        };
        raw(&mut want);
        raw(&mut got);
        assert_eq!(got, want, "seed {seed}\n{lines}");
        assert_eq!(got_summary.null_count, want_summary.null_count, "seed {seed}");
        assert_eq!(got_summary.line_count, want_summary.line_count - 1, "seed {seed}");
    }
}

/// Lines that come in blocks, and lines that come bent.
#[test]
fn every_way_agrees() {
    let mut run_value_count = 0;
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let mut text = String::new();
        for step in 0..=dice.below(120) {
            // Ordinary lines by and large, so that there are long stretches of them.
            let line = if dice.one_in(12) {
                row(&mut dice, step).1
            } else {
                let (day, hour, minute) = (1 + step / 48, step / 2 % 24, step % 2 * 30);
                format!(
                    "{{\"point\":\"a\",\"obis\":\"1.8.0\",\"start\":\"2026-03-{day:02} {hour:02}:{minute:02}\",\"value\":{}}}",
                    dice.below(900)
                )
            };
            text += &line;
            text += dice.of(&["\n", "\n", "\n", "\r\n", "\n\n"]);
        }
        let mut bytes = text.into_bytes();
        for _ in 0..dice.below(3) {
            let at = dice.below(bytes.len());
            bytes[at] = *b"\"{}[],:0 \\\n\xff".get(dice.below(12)).unwrap();
        }
        run_value_count += check(&objects(), &bytes, 1 + dice.below(400), &format!("seed {seed}")).0;
    }
    assert!(run_value_count > 5_000, "{run_value_count} values came as foretold");
}
