//! Tables that people keep: reads of dials, corrections of intervals, and which meter counts where.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::reads::{bend_all, tell_reads};
use common::run;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::{Issued, Source};
use tallywatt_ingest::profile::Profile;

fn reads() -> Profile {
    Profile::builtin("reads").unwrap().with_zone("Asia/Yekaterinburg").unwrap()
}

fn meters() -> Profile {
    Profile::builtin("meters").unwrap().with_zone("Europe/Berlin").unwrap()
}

const READS: &str = "usage_point,obis,read_at,value,unit,who,meter,minutes,entered_at,quality,reason\n";
const METERS: &str = "usage_point,obis,meter,from,first,to,last,digits,multiplier\n";

/// A row of reads as it should be; then with one field replaced.
#[track_caller]
fn check_read(column: &str, field: &str, want: &str) {
    let sound = [
        ("usage_point", "EKB-1"),
        ("obis", "1-0:1.8.1"),
        ("read_at", "2026-03-01 12:00"),
        ("value", "123.456"),
        ("unit", "kWh"),
        ("who", "ivanova"),
        ("meter", ""),
        ("minutes", ""),
        ("entered_at", ""),
        ("quality", ""),
        ("reason", ""),
    ];
    let row = sound.map(|(name, value)| if name == column { field } else { value }).join(",");
    let told = tell_reads(&reads(), "x", format!("{READS}{row}\n").as_bytes());
    // What is set aside is shown whole.
    assert_eq!(told.replace(&format!(" {row}"), ""), want, "{column} = {field:?}");
}

#[test]
fn reads_of_dials() {
    let read = "EKB-1 1-0:1.8.1 2026-03-01T07:00:00Z=123.456000 edited by ivanova@2";
    check_read("", "", read);
    check_read("meter", "M 17", &read.replace(" by", " M 17 by"));
    check_read("quality", "edited", read);
    check_read("quality", "estimated", &read.replace("edited", "other"));
    check_read("reason", "\"gate shut, read through the window\"", read);
    check_read("unit", "wh", &read.replace("123.456000", "0.123456"));
    check_read("value", "0", &read.replace("123.456000", "0.000000"));
    check_read("minutes", "30", "EKB-1 1-0:1.8.1 2026-03-01T07:00:00Z=123456 edited@2");
    for (column, field, code) in [
        ("who", "", "R03"),
        ("who", "Иванова", "R03"),
        ("meter", "a number of more than thirty-three characters", "R03"),
        ("usage_point", "", "R04"),
        ("obis", "1-0:1.7.0", "R05"),
        ("obis", "", "R05"),
        ("unit", "", "R06"),
        ("unit", "kvarh", "R06"),
        ("unit", "kW", "R06"),
        ("read_at", "2026-03-01", "R07"),
        ("read_at", "", "R07"),
        ("entered_at", "yesterday", "R07"),
        ("minutes", "20", "R09"),
        ("minutes", "-30", "R09"),
        ("value", "12a", "R11"),
        ("value", "1.2345678", "R12"),
        ("value", "-1", "R13"),
        ("value", "1000000000000", "R14"),
        ("quality", "valid", "R16"),
        ("value", "", "R17"),
        ("reason", "a,b", "R03"),
        ("reason", "\"a", "R03"),
        ("reason", "\u{0}", "R02"),
        ("reason", &"x".repeat(5_000), "R01"),
    ] {
        if field.len() < 100 && field != "\u{0}" {
            check_read(column, field, &format!("{code}×1@2"));
        } else {
            let row = format!("a,1.8.0,2026-03-01 12:00,1,kWh,b,,,,,{field}\n");
            let (found, _) = run(&reads(), "x", format!("{READS}{row}").as_bytes()).unwrap();
            assert_eq!(found.rejections[0].code.to_string(), code);
        }
    }
}

/// An entry by a person is of a person, and of when it was entered.
#[test]
fn entries_say_whose_and_when() {
    assert_eq!(reads().source(), Source::Manual);
    let rows = "a,1.8.0,2026-03-01 12:00,1,kWh,ann,,,2026-03-02 05:00,,\n\
                a,1.8.0,2026-03-01 12:00,2,kWh,bob,,,2026-03-03 05:00,,\n\
                a,1.8.0,2026-03-01 12:30,3,kWh,bob,,30,2026-03-03 05:00,,\n";
    let (found, _) = run(&reads(), "x", format!("{READS}{rows}").as_bytes()).unwrap();
    let whose = found.register_reads.iter().map(|(_, origin)| (origin.line, origin.who.unwrap().to_string()));
    assert_eq!(whose.collect::<Vec<_>>(), [(2, "ann".to_owned()), (3, "bob".to_owned())]);
    let issues = found.issues.iter().map(|from| (from.issued, from.read_index, from.reading_index));
    assert_eq!(issues.collect::<Vec<_>>(), [(Issued(1_772_409_600), 0, 0), (Issued(1_772_496_000), 1, 0)]);
    // Below what a meter sends, above an estimate.
    let rank = found.readings[0].quality.rank();
    assert!(Quality::Derived.rank() < rank && rank < Quality::Valid.rank(), "{rank}");
}

#[test]
fn headers() {
    let row = "a,1.8.0,2026-03-01 12:00,1,kWh,b\n";
    let table = [
        (String::new(), "refused: file is empty"),
        ("usage_point,obis,read_at,value,unit,who\n".to_owned(), "refused: file holds no readings"),
        (
            format!("usage_point,obis,read_at,value,unit,by\n{row}"),
            "refused: line 1: column \"by\" is not in the profile",
        ),
        (
            format!("usage_point,obis,read_at,value,unit,unit\n{row}"),
            "refused: line 1: column \"unit\" stands there twice",
        ),
        (
            format!("usage_point,obis,read_at,value,unit\n{row}"),
            "refused: line 1: column \"who\" of the profile is missing",
        ),
        (format!("{}\n", "x".repeat(5_000)), "refused: line 1: the first line is too long to be a header"),
        ("usage_point,\"obis\n".to_owned(), "refused: line 1: quotes do not match"),
    ];
    for (text, want) in table {
        let told = tell_reads(&reads(), "x", text.as_bytes());
        assert!(told.starts_with(want), "{told}");
    }
    assert_eq!(tell_reads(&reads(), "x", b"\xff,\n"), "refused: line 1: not text in utf-8");
    // Columns stand in any order.
    let text = "who,value,unit,obis,usage_point,read_at\nb,1,kWh,1.8.0,a,2026-03-01 12:00\n\n";
    assert_eq!(
        tell_reads(&reads(), "x", text.as_bytes()),
        "a 1-0:1.8.0 2026-03-01T07:00:00Z=1.000000 edited by b@2"
    );
    let by_semicolon = "format = \"reads\"\ndelimiter = \";\"\ndecimal = \",\"\nstamp_format = \"rfc3339\"\nzone = \"UTC\"\n";
    let by_semicolon = Profile::parse("x", by_semicolon).unwrap();
    let text = "who;value;unit;obis;usage_point;read_at\nb;1,5;kWh;1.8.0;a;2026-03-01T12:00:00+05:00\n";
    assert_eq!(
        tell_reads(&by_semicolon, "x", text.as_bytes()),
        "a 1-0:1.8.0 2026-03-01T07:00:00Z=1.500000 edited by b@2"
    );
}

/// The installations of rows, and what is set aside.
#[track_caller]
fn check_meters(rows: &str, want: &str) {
    let told = match run(&meters(), "x", format!("{METERS}{rows}").as_bytes()) {
        Err(refusal) => format!("refused: {refusal}"),
        Ok((found, summary)) => {
            assert_eq!(summary.installation_count, found.installations.len() as u64);
            let placed = found.installations.iter().map(|(meter, line)| {
                let to = meter.to.map_or("…".to_owned(), |(to, last)| format!("{to}={last}"));
                let Installation { usage_point, register, from, first, digits, .. } = *meter;
                let factor = meter.multiplier.as_millionths();
                format!(
                    "{usage_point} {register} {} {from}={first} {to} {digits} ×{factor}@{line}",
                    meter.meter
                )
            });
            let aside =
                found.rejections.iter().map(|rejection| format!("{}@{}", rejection.code, rejection.line));
            placed.chain(aside).collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(told, want, "{rows}");
}

use tallywatt_core::meter::Installation;

#[test]
fn installations() {
    check_meters(
        "DE1,1-0:1.8.0,1EMH0012119929,2026-03-01 00:00,0,2026-07-01 00:00,999999.9,6,40\n\
         DE1,1-0:1.8.0,1EMH2,2026-07-01 00:00,0.5,,,6,\n",
        "DE1 1-0:1.8.0 1EMH0012119929 2026-02-28T23:00:00Z=0.000000 2026-06-30T22:00:00Z=999999.900000 6 ×40000000@2; \
         DE1 1-0:1.8.0 1EMH2 2026-06-30T22:00:00Z=0.500000 … 6 ×1000000@3",
    );
    for (row, code) in [
        (",1.8.0,M,2026-03-01 00:00,0,,,6,1", "R04"),
        ("P,1.7.0,M,2026-03-01 00:00,0,,,6,1", "R05"),
        ("P,1.8.0,,2026-03-01 00:00,0,,,6,1", "R03"),
        ("P,1.8.0,M,2026-02-30 00:00,0,,,6,1", "R07"),
        ("P,1.8.0,M,2026-03-29 02:30,0,,,6,1", "R08"),
        ("P,1.8.0,M,2026-10-25 02:30,0,,,6,1", "R07"),
        ("P,1.8.0,M,2026-03-01 00:00,,,,6,1", "R17"),
        ("P,1.8.0,M,2026-03-01 00:00,1000000,,,6,1", "R14"),
        ("P,1.8.0,M,2026-03-01 00:00,-1,,,6,1", "R13"),
        ("P,1.8.0,M,2026-03-01 00:00,0,2026-04-01 00:00,,6,1", "R03"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,7,6,1", "R03"),
        ("P,1.8.0,M,2026-03-01 00:00,0,2026-03-01 00:00,7,6,1", "R07"),
        ("P,1.8.0,M,2026-03-01 00:00,0,2026-04-01 00:00,1000000,6,1", "R14"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,,0,1", "R03"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,,13,1", "R03"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,,,1", "R03"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,,6,0", "R11"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,,6,-1", "R11"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,,6,0.0000001", "R11"),
        ("P,1.8.0,M,2026-03-01 00:00,0,,,6", "R03"),
    ] {
        check_meters(&format!("{row}\n"), &format!("{code}@2"));
    }
    let good = "P 1-0:1.8.0 M 2026-02-28T23:00:00Z=0.000000 2026-03-31T22:00:00Z=7.000000 6 ×1000000@2";
    let first = "P,1.8.0,M,2026-03-01 00:00,0,2026-04-01 00:00,7,6,1\n";
    check_meters(&format!("{first}P,1.8.0,N,2026-03-31 00:00,0,,,6,1\n"), &format!("{good}; R18@3"));
    check_meters(&format!("{first}P,1.8.0,N,2026-01-01 00:00,0,,,6,1\n"), &format!("{good}; R18@3"));
    check_meters(
        &format!("{first}P,1.8.0,N,2026-04-01 00:00,0,,,6,1\nP,1.8.0,O,2027-04-01 00:00,0,,,6,1\n"),
        &format!("{good}; P 1-0:1.8.0 N 2026-03-31T22:00:00Z=0.000000 … 6 ×1000000@3; R18@4"),
    );
}

#[test]
fn profiles() {
    for (text, want) in [
        ("format = \"reads\"\nzone = \"UTC\"", "`stamp_format` is missing"),
        (
            "format = \"reads\"\nzone = \"UTC\"\nstamp_format = \"YYYY-MM-DD\"",
            "line 3: `stamp_format` is \"YYYY-MM-DD\", need rfc3339, epoch, or a pattern such as YYYY-MM-DD HH:mm:ss",
        ),
        (
            "format = \"meters\"\nzone = \"UTC\"\nstamp_format = \"YYYY-MM-DD\"\nobis = \"1.8.0\"",
            "line 4: `obis` has no meaning in this format and layout",
        ),
    ] {
        assert_eq!(Profile::parse("x", text).unwrap_err().to_string(), want, "{text}");
    }
    assert!(
        Profile::parse("x", "format = \"meters\"\nzone = \"UTC\"\nstamp_format = \"YYYY-MM-DD\"").is_ok()
    );
}

#[test]
fn ten_thousand_malformed_files() {
    let sounds = [
        format!("{READS}EKB-1,1-0:1.8.1,2026-03-01 12:00,123.456,kWh,ivanova,M1,,2026-03-02 05:00,edited,\"no, not there\"\n").repeat(1),
        format!("{READS}{}", "EKB-1,1-0:1.8.1,2026-03-01 12:00,0.5,kWh,ivanova,,30,,estimated,\n".repeat(4)),
    ];
    bend_all(&reads(), "x", &sounds.map(String::into_bytes), 20_261_003, &mut |found| {
        assert!(found.register_reads.iter().all(|(_, origin)| origin.who.is_some()));
    });
    let sounds = [
        format!(
            "{METERS}DE1,1-0:1.8.0,1EMH1,2026-03-01 00:00,0,2026-07-01 00:00,999.9,6,40\nDE1,1-0:1.8.0,1EMH2,2026-07-01 00:00,0.5,,,6,\n"
        ),
        format!("{METERS}DE2,1-0:2.8.0,1EMH3,2026-03-01 00:00,\"17\",,,12,0.05\n"),
    ];
    bend_all(&meters(), "x", &sounds.map(String::into_bytes), 20_261_004, &mut |found| {
        for (meter, _) in &found.installations {
            assert!(meter.first < meter.dial_end() && meter.to.is_none_or(|(to, _)| to > meter.from));
        }
    });
}
