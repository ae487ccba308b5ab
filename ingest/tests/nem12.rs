//! NEM12: its frame, its records, and what each wrong one gives.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::{run, tell};
use tallywatt_ingest::profile::Profile;

fn profile() -> Profile {
    Profile::builtin("nem12").unwrap()
}

const CHANNEL: &str = "200,NMI1,E1,1,E1,N1,METER,kWh,30,\n";

/// A 300 of 48 values of 1 Wh, with `quality`.
fn day(quality: &str) -> String {
    format!("300,20260301{},{quality},,,20260302000000,\n", ",0.001".repeat(48))
}

#[track_caller]
fn check(records: &str, want: &str) {
    let text = format!("100,NEM12,202603020000,A,B\n{records}900\n");
    let summary = match run(&profile(), "x", text.as_bytes()) {
        Err(refusal) => format!("refused: {refusal}"),
        Ok((found, summary)) => {
            let mut words = vec![format!("{} read, {} null", summary.reading_count, summary.null_count)];
            words.extend(found.rejections.iter().map(|rejection| {
                format!("{}×{}@{}", rejection.code, rejection.reading_count, rejection.line)
            }));
            words.join("; ")
        }
    };
    assert_eq!(summary, want, "{records}");
}

#[test]
fn records() {
    let ok = day("A");
    check(&format!("{CHANNEL}{ok}"), "48 read, 0 null");
    check(&format!("{CHANNEL}{ok}500,O,S1,20260301,\n"), "48 read, 0 null");
    check(&format!("{CHANNEL}{}", day("N")), "0 read, 48 null");
    check(&format!("{CHANNEL}{}400,1,40,A,,\n400,41,48,N,,\n", day("V")), "40 read, 8 null");
    check(&format!("{CHANNEL}{}400,1,40,A,,\n", day("V")), "40 read, 0 null; R16×8@3");
    check(&format!("{CHANNEL}{}", day("V")), "0 read, 0 null; R16×48@3");
    check(&format!("{CHANNEL}{}400,1,48,A\n400,2,3,A\n", day("V")), "48 read, 0 null; R03×0@5");
    check(&format!("{CHANNEL}{}400,1,49,A\n", day("V")), "0 read, 0 null; R03×0@4; R16×48@3");
    check(&format!("{CHANNEL}{}400,0,48,A\n", day("V")), "0 read, 0 null; R03×0@4; R16×48@3");
    check(&format!("{CHANNEL}{}400,1,48,V\n", day("V")), "0 read, 0 null; R16×0@4; R16×48@3");
    check(&format!("{CHANNEL}{ok}400,1,48,F14\n"), "48 read, 0 null; R03×0@4");
    check(&format!("{CHANNEL}400,1,48,A\n{ok}"), "48 read, 0 null; R03×0@3");
    check(&format!("{CHANNEL}{}", day("X")), "0 read, 0 null; R16×48@3");
    check(&format!("{CHANNEL}{}", day("F1")), "0 read, 0 null; R16×48@3");
    check(&format!("{CHANNEL}{}", day("")), "0 read, 0 null; R03×48@3");
    check(&ok, "0 read, 0 null; R03×48@2");
    check(&format!("{CHANNEL}700,1\n{ok}"), "48 read, 0 null; R03×0@3");
    check(&format!("{CHANNEL}{}{ok}", ok.replacen(",0.001", "", 1)), "48 read, 0 null; R03×48@3");
    check(&format!("{CHANNEL}{}{ok}", ok.replacen(",0.001", ",1,1,1", 1)), "48 read, 0 null; R03×48@3");
    check(&format!("{CHANNEL}{}", ok.replace("20260301", "20260230")), "0 read, 0 null; R07×48@3");
    check(&format!("{CHANNEL}{}", ok.replace("0.001", ".001")), "48 read, 0 null");
    for (value, code) in [("1e3", "R11"), (".", "R11"), ("0.0001", "R12"), ("", "R17")] {
        check(
            &format!("{CHANNEL}{}", ok.replacen("0.001", value, 1)),
            &format!("47 read, 0 null; {code}×1@3"),
        );
    }
}

#[test]
fn channels() {
    let ok = day("A");
    for (from, to, code) in [
        ("NMI1,", ",", "R04"),
        ("E1,N1", "J1,N1", "R05"),
        ("E1,N1", "E0,N1", "R05"),
        ("E1,N1", "E12,N1", "R05"),
        ("kWh", "kW", "R06"),
        ("kWh", "kvarh", "R06"),
        (",30,", ",60,", "R09"),
        (",30,", ",,", "R09"),
        (",30,", "", "R03"),
    ] {
        check(
            &format!("{}{ok}", CHANNEL.replace(from, to)),
            &format!("0 read, 0 null; {code}×0@2; {code}×48@3"),
        );
    }
    let (found, _) = run(
        &profile(),
        "x",
        format!("100,NEM12\n{}{ok}900\n", CHANNEL.replace("E1,N1", "KB,N1").replace("kWh", "KVARH"))
            .as_bytes(),
    )
    .unwrap();
    assert_eq!(found.readings[0].register.to_string(), "1-11:4.8.0");
    assert_eq!(found.readings[47].start.to_string(), "2026-03-01T13:30:00Z");
}

/// A file that is refused gives nothing, whatever stands in it.
#[test]
fn frames_that_are_refused() {
    let ok = format!("{CHANNEL}{}", day("A"));
    let header = "100,NEM12,202603020000,A,B\n";
    let table = [
        (String::new(), "refused: file is empty"),
        ("\n\n".to_owned(), "refused: file is empty"),
        (format!("{ok}900\n"), "refused: line 1: the first record is not the header record 100"),
        (format!("{header}{ok}"), "refused: line 3: file is cut off: no end record 900"),
        (format!("{header}{ok}90"), "refused: line 4: file is cut off: no end record 900"),
        (format!("{header}{header}{ok}900"), "refused: line 2: a second header record 100"),
        (format!("{header}{ok}900\n{ok}900\n"), "refused: line 5: a record after the end record 900"),
        (format!("{header}900\n"), "refused: file holds no readings"),
        (format!("100,NEM13\n{ok}900"), "refused: line 1: a NEM13 file: register reads are not taken yet"),
        (format!("100,NEM99\n{ok}900"), "refused: line 1: version \"NEM99\", not NEM12"),
    ];
    for (text, want) in table {
        assert_eq!(tell(&profile(), text.as_bytes()), want, "{text}");
    }
    assert_eq!(tell(&profile(), b"100,NEM12\n\xff\n900"), "refused: line 2: not text in utf-8");
}

/// In a zone with summer time a day may not have 48 half-hours, so its values have no place.
#[test]
fn market_time_has_no_summer_time() {
    let profile = profile().with_zone("Australia/Sydney").unwrap();
    let text = format!("100,NEM12\n{CHANNEL}{}900\n", day("A").replace("20260301", "20261004"));
    assert_eq!(tell(&profile, text.as_bytes()), "R10×48@3");
}
