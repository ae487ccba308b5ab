//! MSCONS: recorded interchanges against totals computed elsewhere, every segment that matters, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::fs;

use common::bend::{Watch, bend};
use common::{files_under, recorded, run, tell};
use serde_json::Value;
use tallywatt_core::decimal::Decimal;
use tallywatt_core::quality::Quality;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::profile::Profile;

fn profile() -> Profile {
    Profile::builtin("mscons").unwrap()
}

// ---- recorded interchanges ----

#[test]
fn recorded_interchanges() {
    let (Some(folder), Some(expected)) = (recorded("mscons"), recorded("expected/mscons_totals.json")) else {
        return;
    };
    let expected: Value = serde_json::from_str(&fs::read_to_string(expected).unwrap()).unwrap();
    let paths = files_under(folder);
    let mut compared = 0;
    for (key, want) in expected.as_object().unwrap() {
        let name = key.rsplit('/').next().unwrap();
        let path = paths.iter().find(|path| path.ends_with(name)).unwrap();
        recorded_interchange(name, &fs::read(path).unwrap(), want);
        compared += 1;
    }
    assert_eq!((compared, paths.len()), (8, 8));
}

/// Codes of the totals, and the registers they stand for.
const REGISTERS: [(&str, &str); 8] = [
    ("1-1:1.10.0", "1-1:1.8.0"),
    ("1-1:1.29.0*255", "1-1:1.8.0"),
    ("1-1:1.29.0*255:SWR", "1-1:1.8.0"),
    ("1-1:2.29.0*255", "1-1:2.8.0"),
    ("1-1:5.29.0*255", "1-1:3.8.5"),
    ("1-1:6.29.0*255", "1-1:3.8.6"),
    ("1-1:7.29.0*255", "1-1:4.8.7"),
    ("1-1:8.29.0*255", "1-1:4.8.8"),
];

fn recorded_interchange(name: &str, bytes: &[u8], want: &Value) {
    let (found, summary) = run(&profile(), name, bytes).unwrap();
    let [series] = want["series"].as_array().unwrap().as_slice() else { panic!("{name}") };
    let text = |key: &str| series[key].as_str();
    // The D.99A file has its point in the fourth component, which the totals leave out.
    let point = text("loc").filter(|point| !point.is_empty()).unwrap_or("CH1022201234500000000000000022079");
    let register = REGISTERS.iter().find(|(code, _)| Some(*code) == text("obis")).unwrap().1;
    // The month's file has stamps that slipped: intervals of 14, 16, 25 and 75 minutes and one that ends before it begins
    // are set aside, three of 5 minutes are what they say.
    let slipped = if name == "MSCONS_TL_SAMPLE01.txt" { (67, 3) } else { (0, 0) };
    let short_count = found.readings.iter().filter(|reading| reading.interval_minutes == 5).count();
    let odd = found.rejections.iter().filter(|rejection| rejection.code == RejectionCode::IntervalSize);
    let odd_wh: Vec<i64> = odd.map(|rejection| told_wh(&rejection.raw)).collect();
    assert_eq!((odd_wh.len(), short_count), slipped, "{name}");
    for reading in found.readings.iter().filter(|reading| reading.interval_minutes != 5) {
        let got = format!("{} {} {}", reading.usage_point, reading.register, reading.interval_minutes);
        assert_eq!(got, format!("{point} {register} 15"), "{name}");
    }
    assert_eq!(Some(summary.reading_count + summary.rejected_count), series["n"].as_u64(), "{name}");
    let sum_wh = Decimal::parse(text("sum").unwrap().as_bytes(), b'.').unwrap().scaled(3).unwrap();
    let values_wh = found.readings.iter().map(|reading| reading.energy_wh).chain(odd_wh.iter().copied());
    assert_eq!(values_wh.sum::<i64>(), sum_wh, "{name}");
    // Of its values the D.99A file says no times: the totals neither.
    let (first, last) =
        (text("first").unwrap_or("201303240000+01"), text("last").unwrap_or("201303250000+01"));
    let last_end = found.readings.last().unwrap().start.plus(900);
    assert_eq!(
        (local(found.readings[0].start.0), local(last_end.0)),
        (first.to_owned(), last.to_owned()),
        "{name}"
    );
    for (qualifier, count) in want["qual"].as_object().unwrap() {
        let quality = if qualifier == "79" { Quality::Derived } else { Quality::Valid };
        let got = found.readings.iter().filter(|reading| reading.quality == quality).count();
        let got = got + if qualifier == "220" { odd_wh.len() } else { 0 };
        assert_eq!(Some(got as u64), count.as_u64(), "{name} {qualifier}");
    }
    // A wrong count is told, and nothing else is set aside.
    let structure = found.rejections.iter().filter(|rejection| rejection.code != RejectionCode::IntervalSize);
    let findings: Vec<&str> = structure.map(|rejection| rejection.raw.as_str()).collect();
    let mismatches: Vec<&str> =
        want["unt_mismatch"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!((findings, summary.rejected_count), (mismatches, odd_wh.len() as u64), "{name}");
    assert_eq!(found.issues.len(), 1, "{name}");
}

/// Of `segment 17: QTY+220:1,289`.
fn told_wh(raw: &str) -> i64 {
    let value = raw.rsplit(':').next().unwrap();
    Decimal::parse(value.as_bytes(), b',').unwrap().scaled(3).unwrap()
}

/// As the files write it, an hour ahead of UTC.
fn local(seconds: i64) -> String {
    let text = tallywatt_core::calendar::UtcSeconds(seconds + 3_600).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).take(12).collect();
    format!("{digits}+01")
}

// ---- segments ----

const UNB: &str = "UNB+UNOC:3+a:500+b:500+160112:1347+x'";
const HEAD: &str =
    "UNH+1+MSCONS:D:04B:UN:2.2e'BGM+7+d1+9'DTM+137:197001020000?+00:303'NAD+DP'LOC+172+P'LIN+1'";

/// An interchange of one message with a right count.
fn interchange(body: &str) -> String {
    let count = body.matches('\'').count() - body.matches("?'").count() + 1;
    format!("{UNB}{body}UNT+{count}+1'UNZ+1+x'")
}

fn value(quantity: &str) -> String {
    format!("QTY+{quantity}'DTM+163:197001010000?+00:303'DTM+164:197001010015?+00:303'")
}

#[track_caller]
fn check(text: &str, want: &str) {
    assert_eq!(tell(&profile(), text.as_bytes()), want, "{text}");
}

#[test]
fn quantities() {
    let of = |code: &str, quantity: &str| interchange(&format!("{HEAD}PIA+5+{code}:SRW'{}", value(quantity)));
    let one = |quantity: &str| of("1-1?:1.29.0*255", quantity);
    let at = "P 1970-01-01T00:00:00Z=";
    let table = [
        (one("220:36.300"), format!("{at}36300")),
        (one("220:36.300:KWH"), format!("{at}36300")),
        (one("220:36:WHR"), format!("{at}36")),
        (one("220:1:MWH"), format!("{at}1000000")),
        (one("220:-1.5"), format!("{at}-1500")),
        (one("46:1"), format!("{at}1000")),
        (one("67:1"), format!("{at}1000 derived")),
        (one("79:1"), format!("{at}1000 derived")),
        (one("187:1"), format!("{at}1000 projected")),
        (one("201:1"), format!("{at}1000 other")),
        (one("20:1"), format!("{at}1000 raw")),
        (one("999:1"), "R16×1@1".to_owned()),
        (one("220"), "R17×1@1".to_owned()),
        (one("220:x"), "R11×1@1".to_owned()),
        (one("220:1,5"), "R11×1@1".to_owned()),
        (one("220:0.0005"), "R12×1@1".to_owned()),
        (one("220:1:MTQ"), "R06×1@1".to_owned()),
        (one("220:1:K3"), "R06×1@1".to_owned()),
        (of("1-1?:5.29.0", "220:1:K3"), format!("{at}1000")),
        (of("1-1?:5.29.0", "220:1:KWH"), "R06×1@1".to_owned()),
        (of("1-1?:1.6.0", "220:1"), "R05×1@1".to_owned()),
        (of("7-1?:99.33.17", "220:1"), "R05×1@1".to_owned()),
        (interchange(&format!("{HEAD}{}", value("220:1"))), "R05×1@1".to_owned()),
        (one("220:1").replace("LOC+172+P", "LOC+172+\u{e9}"), "R04×1@1".to_owned()),
        (one("220:1").replace("LOC+172+P", "LOC+107+P"), "R04×1@1".to_owned()),
        (
            one("220:1").replace("LOC+172+P'", "LOC+172+P'NAD+DP'").replace("UNT+11", "UNT+12"),
            "R04×1@1".to_owned(),
        ),
        (one("220:1").replace("LOC+172+P", "LOC+172+P?+Q"), "P+Q 1970-01-01T00:00:00Z=1000".to_owned()),
    ];
    for (text, want) in table {
        check(&text, &want);
    }
    // A comma where UNA says so, whatever the other signs.
    let comma = format!("UNA:+,? '{}", one("220:36,3"));
    check(&comma, &format!("{at}36300"));
    let other = comma
        .replace("?:", "\u{1}")
        .replace("?+", "\u{2}")
        .replace('?', "!")
        .replace(':', ";")
        .replace('+', "*");
    let other = other.replace('\u{1}', ":").replace('\u{2}', "+").replace('\'', "~\r\n");
    check(other.trim_end(), &format!("{at}36300"));
}

#[test]
fn times() {
    let of = |times: &str| interchange(&format!("{HEAD}PIA+5+1-1?:1.29.0'QTY+220:1'{times}"));
    let table = [
        ("DTM+163:197007010000:203'DTM+164:197007010100:203'", "P 1970-06-30T23:00:00Z=1000"),
        ("DTM+163:197001010000?+01:303'DTM+164:197001010100?+01:303'", "R07×1@1"),
        ("DTM+163:197001010000?+00:303'DTM+164:197001010030?+00:303'", "P 1970-01-01T00:00:00Z=1000"),
        ("DTM+163:197001010000?+00:303'DTM+164:197001010030?-01:303'", "R09×1@1"),
        ("DTM+163:197001010000?+00:303'DTM+164:197001020000?+00:303'", "R09×1@1"),
        ("DTM+163:197001010000?+00:303'DTM+164:197001010000?+00:303'", "R09×1@1"),
        ("DTM+163:197001010000?+00:303'", "R07×1@1"),
        ("DTM+163:x:303'DTM+164:197001010030?+00:303'", "R07×1@1"),
        ("DTM+7:197001010030?+00:303'", "R07×1@1"),
        ("", "R07×1@1"),
        ("DTM+163:202103280230:203'DTM+164:202103280300:203'", "R08×1@1"),
    ];
    for (times, want) in table {
        check(&of(times), want);
    }
    // The doubled hour, twice over, by the wall clock.
    let hour =
        |from: &str, to: &str| format!("QTY+220:1'DTM+163:20211031{from}:203'DTM+164:20211031{to}:203'");
    let night =
        [hour("0100", "0200"), hour("0200", "0300"), hour("0200", "0300"), hour("0300", "0400")].concat();
    let starts = ["2021-10-30T23", "2021-10-31T00", "2021-10-31T01", "2021-10-31T02"];
    let want = starts.map(|start| format!("P {start}:00:00Z=1000")).join("; ");
    check(&interchange(&format!("{HEAD}PIA+5+1-1?:1.29.0'{night}")), &want);
    // The quarter before the clocks go forward, and the two that they pass over.
    let quarter =
        |from: &str, to: &str| format!("QTY+220:1'DTM+163:20210328{from}:203'DTM+164:20210328{to}:203'");
    let night =
        [quarter("0145", "0200"), quarter("0200", "0215"), quarter("0245", "0300"), quarter("0300", "0315")];
    let want = "P 2021-03-28T00:45:00Z=1000; P 2021-03-28T01:00:00Z=1000; R08×1@1; R08×1@1";
    check(&interchange(&format!("{HEAD}PIA+5+1-1?:1.29.0'{}", night.concat())), want);
}

#[test]
fn load_profiles_without_times() {
    let body = |series: &str| {
        format!(
            "UNH+1+MSCONS:D:99A:UN:1.6'BGM+7+d1+9'DTM+137:197001020000:203'NAD+HN+a'LOC+172+::87:Q'{series}LIN+1'PIA+5+1-1?:1.29.0'\
             QTY+46:1:KWH'QTY+79:x:KWH'QTY+46:3:KWH'"
        )
    };
    let both = "DTM+163:197001010000?+00:303'DTM+672:15:806'";
    check(&interchange(&body(both)), "Q 1970-01-01T00:00:00Z=1000; Q 1970-01-01T00:30:00Z=3000; R11×1@1");
    check(&interchange(&body("DTM+163:197001010000?+00:303'")), "R09×1@1; R09×1@1; R09×1@1");
    check(&interchange(&body("DTM+672:15:806'")), "R07×1@1; R07×1@1; R07×1@1");
    // A value that is too long has its quarter all the same.
    let long = body(both).replace("79:x", &format!("79:2:{}", "x".repeat(5_000)));
    check(&interchange(&long), "Q 1970-01-01T00:00:00Z=1000; Q 1970-01-01T00:30:00Z=3000; R01×1@1");
    // A begin that cannot be read is not that of the values before.
    let begin = format!("DTM+163:{}:303'QTY+46:4:KWH'", "1".repeat(5_000));
    check(
        &interchange(&(body(both) + "LIN+2'PIA+5+1-1?:2.29.0'" + &begin)),
        "Q 1970-01-01T00:00:00Z=1000; Q 1970-01-01T00:30:00Z=3000; R11×1@1; R01×0@1; R07×1@1",
    );
    // Nothing is placed past the calendar.
    let late = "DTM+163:219912292345?+00:303'DTM+672:15:806'";
    check(&interchange(&body(late)), "Q 2199-12-29T23:45:00Z=1000; R07×1@1; R07×1@1");
}

/// What cannot be read leaves no value to the point, the register or the message before.
#[test]
fn segments_that_are_lost() {
    let long = "x".repeat(5_000);
    let (at, later) = ("P 1970-01-01T00:00:00Z=1000", "P 1970-01-01T00:15:00Z=2000");
    let second = "QTY+220:2'DTM+163:197001010015?+00:303'DTM+164:197001010030?+00:303'";
    for (lost, want) in [
        (format!("LOC+172+{long}'LIN+2'PIA+5+1-1?:1.29.0'"), format!("{at}; R01×0@1; R01×1@1")),
        (format!("NAD+{long}'LIN+2'PIA+5+1-1?:1.29.0'"), format!("{at}; R01×0@1; R01×1@1")),
        ("L0C+172+Q'LIN+2'PIA+5+1-1?:1.29.0'".to_owned(), format!("{at}; R03×0@1; R03×1@1")),
        (format!("L0C+172+{long}'LIN+2'PIA+5+1-1?:1.29.0'"), format!("{at}; R01×0@1; R01×1@1")),
        ("L0C+172+Q'LOC+172+P'PIA+5+1-1?:1.29.0'".to_owned(), format!("{at}; {later}; R03×0@1")),
        (format!("LIN+2+{long}'"), format!("{at}; R01×0@1; R05×1@1")),
        (format!("PIA+5+{long}'"), format!("{at}; R01×0@1; R05×1@1")),
        (format!("RFF+{long}'"), format!("{at}; R01×0@1; R01×1@1")),
        (format!("BGM+7+d1+1+{long}'"), format!("{at}; R01×0@1; R01×1@1")),
        (format!("STS+{long}'"), format!("{at}; {later}; R01×0@1")),
        (format!("QTY+220:{long}'"), format!("{at}; {later}; R01×1@1")),
        (format!("QTY+220:1'DTM+163:{long}'"), format!("{at}; {later}; R01×0@1; R01×1@1")),
    ] {
        let text = interchange(&format!("{HEAD}PIA+5+1-1?:1.29.0'{}{lost}{second}", value("220:1")));
        assert_eq!(tell(&profile(), text.as_bytes()), want, "{:.60}", lost);
    }
}

#[test]
fn register_reads() {
    let body = format!("{HEAD}RFF+MG:1EMH0001'PIA+5+1-1?:1.8.1'QTY+220:12345.678'DTM+9:19700102:102'");
    let (found, summary) = run(&profile(), "x", interchange(&body).as_bytes()).unwrap();
    assert_eq!((summary.register_read_count, summary.reading_count, found.rejections.len()), (1, 0, 0));
    let (read, _) = found.register_reads[0];
    let told =
        format!("{} {} {} {} {}", read.usage_point, read.register, read.at, read.meter.unwrap(), read.dial);
    assert_eq!(told, "P 1-1:1.8.1 1970-01-01T23:00:00Z 1EMH0001 12345.678000");
    // What no dial shows, and what is finer than one.
    for (number, want) in [
        ("-5", "R13×1@1"),
        ("-0.001", "R13×1@1"),
        ("1000000000000", "R14×1@1"),
        ("1.0000001", "R12×1@1"),
        ("1:MTQ", "R06×1@1"),
    ] {
        check(&interchange(&body.replace("12345.678", number)), want);
    }
    // An instant is no interval; what a month took is none that is taken.
    check(&interchange(&body.replace("1.8.1", "1.29.0")), "R07×1@1");
    let month = body.replace("DTM+9:19700102:102'", "DTM+163:197002010000:203'DTM+164:197003010000:203'");
    check(&interchange(&month), "R09×1@1");
}

#[test]
fn withdrawals() {
    let message = |head: &str| {
        let body = format!(
            "UNH+1+MSCONS:D:04B:UN:2.2e'{head}NAD+DP'LOC+172+P'LIN+1'PIA+5+1-1?:1.29.0'{}",
            value("220:1")
        );
        let count = body.matches('\'').count() + 1;
        format!("{body}UNT+{count}+1'")
    };
    let first = message("BGM+7+d1+9'DTM+137:197001020000?+00:303'");
    let table = [
        // Named by a document that stands before.
        ("BGM+7+d2+1'DTM+137:197001030000?+00:303'RFF+ACW:d1'", 86_400),
        ("BGM+7+d2+9'DTM+137:197001030000?+00:303'RFF+Z13:13006'RFF+ACW:d1'", 86_400),
        // Named with its time.
        ("BGM+7+d2+1'DTM+137:197001030000?+00:303'RFF+ACW:d9'DTM+171:197001010001?+00:303'", 60),
        // Not known, and not named.
        ("BGM+7+d2+1'DTM+137:197001030000?+00:303'RFF+ACW:d9'", 0),
        ("BGM+7+d2+1'DTM+137:197001030000?+00:303'", 0),
    ];
    for (head, issue) in table {
        let text = format!("{UNB}{first}{}UNZ+2+x'", message(head));
        let (found, summary) = run(&profile(), "x", text.as_bytes()).unwrap();
        assert_eq!(
            (summary.reading_count, summary.withdrawn_count, found.rejections.len()),
            (1, 1, 0),
            "{text}"
        );
        assert_eq!(found.withdrawn[0].energy_wh, 1_000);
        assert_eq!(found.issues.last().unwrap().issued.0, issue, "{head}");
    }
    let empty = "UNH+1+MSCONS:D:04B:UN:2.2e'BGM+7+d2+1'RFF+ACW:d1'UNT+4+1'";
    let (found, _) = run(&profile(), "x", format!("{UNB}{first}{empty}UNZ+2+x'").as_bytes()).unwrap();
    assert_eq!(found.rejections[0].raw, "withdrawal of message \"d1\" without values");
    // Alone in its file it is no empty file.
    let (found, summary) = run(&profile(), "x", format!("{UNB}{empty}UNZ+1+x'").as_bytes()).unwrap();
    assert_eq!((found.rejections.len(), summary.rejected_count), (1, 0));
    assert_eq!(found.rejections[0].raw, "withdrawal of message \"d1\" without values");
    let by_process = empty.replace("d2+1'RFF", "d2+9'RFF+Z13:13006'RFF").replace("UNT+4", "UNT+5");
    check(&format!("{UNB}{by_process}UNZ+1+x'"), "R03×0@1");
    check(&format!("{UNB}{}UNZ+1+x'", empty.replace("d2+1", "d2+9")), "refused: file holds no readings");
    let read = message("BGM+7+d2+1'").replace("1.29.0", "1.8.0").replace("0015", "0000");
    check(&format!("{UNB}{read}UNZ+1+x'"), "R03×1@1; R03×0@1");
}

#[test]
fn frames() {
    let sound = interchange(&format!("{HEAD}PIA+5+1-1?:1.29.0'{}", value("220:1")));
    let ok = "P 1970-01-01T00:00:00Z=1000";
    let table = [
        (sound.clone(), ok.to_owned()),
        (sound.replace('\'', "'\r\n"), ok.to_owned()),
        (format!("\u{feff}UNA:+.? '\n{sound}"), ok.to_owned()),
        (sound.replace("UNT+11", "UNT+9"), format!("{ok}; R03×0@1")),
        (sound.replace("UNT+11+1", "UNT+11+2"), format!("{ok}; R03×0@1")),
        (sound.replace("UNZ+1", "UNZ+3"), format!("{ok}; R03×0@1")),
        // It may have been a LOC: nothing tells whose the value is.
        (sound.replace("LIN+1'", "L!N+1'"), "R03×0@1; R03×1@1".to_owned()),
        (sound.replace("LIN+1'", &format!("LIN+{}'", "1".repeat(5_000))), format!("{ok}; R01×0@1")),
        (sound.replace("UNZ+1+x'", ""), "refused: line 1: file is cut off: no end segment UNZ".to_owned()),
        (
            sound.replace("UNZ+1+x'", "UNZ+1+x"),
            "refused: line 1: file is cut off: a segment without its end".to_owned(),
        ),
        (sound.replace("UNT+11+1'", ""), "refused: line 1: a message without its end UNT".to_owned()),
        (sound.replace("UNB+", "UNX+"), "refused: line 1: the first segment is \"UNX\", not UNB".to_owned()),
        (sound.replace("UNOC", "UNOX"), "refused: line 1: not text in UNOA to UNOK, or UNOY".to_owned()),
        (sound.replace("UNH", "ABC"), "refused: line 1: a segment outside a message".to_owned()),
        (
            sound.replace("MSCONS", "UTILMD"),
            "refused: line 1: no MSCONS message in the interchange".to_owned(),
        ),
        (format!("{sound}LIN+1'"), "refused: line 1: a segment after the end segment UNZ".to_owned()),
        (format!("{UNB}UNZ+0+x'"), "refused: file holds no readings".to_owned()),
        (" \r\n".to_owned(), "refused: file is empty".to_owned()),
        (
            format!("UNA:::::'{sound}"),
            "refused: line 1: UNA does not name six signs, all different".to_owned(),
        ),
    ];
    for (text, want) in table {
        check(&text, &want);
    }
    // Messages of other kinds are counted.
    let other = sound.replace("UNZ+1", "UNH+2+APERAK:D:07B'QTY+220:1'UNT+3+2'UNZ+2");
    let (found, summary) = run(&profile(), "x", other.as_bytes()).unwrap();
    assert_eq!((found.readings.len(), found.rejections.len(), summary.ignored_count), (1, 0, 1));
    let numbered = run(&profile(), "x", sound.replace("220:1'", "220:x'").as_bytes()).unwrap().0;
    assert_eq!(numbered.rejections[0].raw, "segment 9: QTY+220:x");
}

#[test]
fn profiles() {
    let error =
        |more: &str| Profile::parse("test", &format!("format = 'mscons'\n{more}")).unwrap_err().to_string();
    assert_eq!(error(""), "`zone` is missing");
    assert!(error("zone = 'UTC'\nunit = 'm3'").starts_with("line 3: `unit` is \"m3\""));
    assert!(error("zone = 'UTC'\nobis = '1.8.0'").starts_with("line 3: `obis` has no meaning"));
    let plain =
        Profile::parse("test", "format = 'mscons'\nzone = 'UTC'\nunit = 'Wh'\nmultiplier = '40'").unwrap();
    let text = interchange(&format!("{HEAD}PIA+5+1-1?:1.29.0'{}", value("220:2")));
    assert_eq!(tell(&plain, text.as_bytes()), "P 1970-01-01T00:00:00Z=80");
}

// ---- broken interchanges ----

const SEED: u64 = 20_261_123;

#[test]
fn ten_thousand_malformed_interchanges() {
    println!("seed {SEED}");
    let series = |code: &str, count: usize| format!("LIN+1'PIA+5+{code}'{}", value("220:0.5").repeat(count));
    let sound = [
        interchange(&format!("{HEAD}{}{}", series("1-1?:1.29.0", 20), series("1-1?:5.29.0*255", 4))),
        format!("UNA:+,? '{}", interchange(&format!("{HEAD}{}", series("1-1?:2.29.0", 9))))
            .replace("0.5", "0,5"),
        interchange(&format!(
            "{HEAD}DTM+163:197001010000?+00:303'DTM+672:15:806'PIA+5+1-1?:1.29.0'{}",
            "QTY+46:1:KWH'".repeat(30)
        )),
        interchange(&format!("{HEAD}RFF+MG:1'PIA+5+1-1?:1.8.1'QTY+220:12345.678'DTM+9:19700102:102'"))
            .replace('\'', "'\r\n"),
        interchange(&format!("{}{}", HEAD.replace("+9'", "+1'RFF+ACW:d0'"), series("1-1?:1.29.0", 3))),
    ];
    let mut refused_count = 0;
    for number in 0..10_000_usize {
        let (one, other) = (&sound[number % 5], &sound[number / 5 % 5]);
        let bytes = bend(one.as_bytes(), other.as_bytes(), SEED ^ number as u64);
        let watch = Watch::start();
        match run(&profile(), "x", &bytes) {
            Err(refusal) => {
                refused_count += 1;
                assert!(!refusal.to_string().is_empty() && !refusal.next_step().is_empty());
            }
            Ok((found, _)) => {
                for rejection in found.rejections {
                    let is_told = rejection.line > 0 && !rejection.raw.is_empty();
                    assert!(is_told && !rejection.code.reason().is_empty(), "seed {SEED}, file {number}");
                }
            }
        }
        watch.stop(&|| format!("seed {SEED}, file {number}"));
    }
    assert!((500..9_500).contains(&refused_count), "{refused_count} refused");
}

#[test]
fn a_month_of_many_series_is_read_in_one_go() {
    let series = format!("LIN+1'PIA+5+1-1?:1.29.0'{}", value("220:0.5").repeat(2_976));
    let text = interchange(&format!("{HEAD}{}", series.repeat(20)));
    let (found, _) = run(&profile(), "x", text.as_bytes()).unwrap();
    assert_eq!(found.readings.len(), 59_520);
}
