//! P1: telegrams, their check sums and stamps, what each wrong one gives, and the recorded ones.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use std::fs;

use common::crc::arc;
use common::reads::{bend_all, reads_of, tell_reads};
use common::{recorded, run};
use serde_json::Value;
use tallywatt_ingest::profile::Profile;

const HEAD: &str = "/ISK5\\2M550T-1012\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(170102192002W)\r\n";
const METER: &str = "0-0:96.1.1(4530303031)\r\n";
const DIALS: &str = "1-0:1.8.1(000004.426*kWh)\r\n1-0:2.8.0(000002.444*kWh)\r\n";
const REST: &str = "1-0:1.7.0(00.244*kW)\r\n0-1:24.2.1(170102161005W)(00000.107*m3)\r\n";
/// What `DIALS` give in a telegram of `HEAD` and `METER`.
const READ: &str = "E0001 1-0:1.8.1 2017-01-02T18:20:02Z=4.426000 E0001@6; E0001 1-0:2.8.0 2017-01-02T18:20:02Z=2.444000 E0001@7";

fn profile(more: &str) -> Profile {
    let text = format!("format = \"p1\"\nzone = \"Europe/Amsterdam\"\n{more}");
    Profile::parse("p1", &text).unwrap()
}

fn by_meter() -> Profile {
    Profile::builtin("p1").unwrap()
}

/// Closes a telegram with its check sum.
fn closed(body: &str) -> String {
    format!("{body}!{:04X}\r\n", arc(format!("{body}!").as_bytes()))
}

#[track_caller]
fn check(profile: &Profile, text: &str, want: &str) {
    assert_eq!(tell_reads(profile, "EAN1@20200301T120000Z.txt", text.as_bytes()), want, "{text}");
}

#[test]
fn telegrams() {
    let sound = closed(&format!("{HEAD}{METER}{DIALS}{REST}"));
    check(&by_meter(), &sound, READ);
    let (_, summary) = run(&by_meter(), "x", sound.as_bytes()).unwrap();
    assert_eq!((summary.register_read_count, summary.ignored_count, summary.line_count), (2, 2, 10));
    // Several in a file, and what stands between them.
    let second = READ.replace("@6", "@19").replace("@7", "@20");
    check(&by_meter(), &format!("{sound}\r\nnoise\r\n\r\n{sound}"), &format!("{READ}; {second}"));
    check(
        &by_meter(),
        &format!("9*kWh)\r\n!1234\r\n{}", &sound),
        &format!("{}; R03×0@1 9*kWh)\\r\\n!1234", READ.replace("@6", "@8").replace("@7", "@9")),
    );
    // Codes in full.
    check(
        &by_meter(),
        &closed(&format!("{HEAD}{METER}1-0:1.8.0*255(1.5*kWh)\r\n")),
        "E0001 1-0:1.8.0 2017-01-02T18:20:02Z=1.500000 E0001@6",
    );
    check(
        &by_meter(),
        &closed(&format!("{HEAD}{METER}1-0:3.8.0(7*varh)\r\n")),
        "E0001 1-0:3.8.0 2017-01-02T18:20:02Z=0.007000 E0001@6",
    );
    // Nothing of energy.
    check(&by_meter(), &closed(&format!("{HEAD}{METER}{REST}")), "");
}

#[test]
fn wrong_lines() {
    for (line, want) in [
        ("1-0:1.8.0(1.5*kW)", "R06×1@6 1-0:1.8.0(1.5*kW)"),
        ("1-0:1.8.0(1.5*kvarh)", "R06×1@6 1-0:1.8.0(1.5*kvarh)"),
        ("1-0:1.8.0(1.5)", "R03×1@6 1-0:1.8.0(1.5)"),
        ("1-0:1.8.0()", "R03×1@6 1-0:1.8.0()"),
        ("1-0:1.8.0(x*kWh)", "R11×1@6 1-0:1.8.0(x*kWh)"),
        ("1-0:1.8.0(*kWh)", "R11×1@6 1-0:1.8.0(*kWh)"),
        ("1-0:1.8.0(-1*kWh)", "R13×1@6 1-0:1.8.0(-1*kWh)"),
        ("1-0:1.8.0(1.0000001*kWh)", "R12×1@6 1-0:1.8.0(1.0000001*kWh)"),
        ("1-0:1.8.0(1000000000000*kWh)", "R14×1@6 1-0:1.8.0(1000000000000*kWh)"),
        ("1-0:1.8.0(170102192002W)(1*kWh)", "R03×1@6 1-0:1.8.0(170102192002W)(1*kWh)"),
        ("1-0:1.8.0", "R03×0@1 /ISK5\\2M550T-1012: a line is not a code and values in brackets"),
        ("0-0:1.0.0(170102192003W)\r\n1.8.0(1*kWh)", "R03×0@1 /ISK5\\2M550T-1012: it has two stamps"),
        ("0-0:96.1.1(00)\r\n", "R03×0@1 /ISK5\\2M550T-1012: its meter is named twice"),
    ] {
        check(&by_meter(), &closed(&format!("{HEAD}{METER}{line}\r\n")), want);
    }
    let (found, summary) = run(
        &profile("usage_point = \"A\"\nround_to_wh = true\n"),
        "x",
        closed(&format!("{HEAD}1-0:1.8.0(1.0000015*kWh)\r\n")).as_bytes(),
    )
    .unwrap();
    assert_eq!((found.register_reads[0].0.dial.as_milliwatt_hours(), summary.rounded_count), (1_000_002, 1));
}

/// What is broken never becomes a reading.
#[test]
fn broken_telegrams() {
    let body = format!("{HEAD}{METER}{DIALS}{REST}");
    let sound = closed(&body);
    let crc = &sound[body.len() + 1..body.len() + 5];
    let lines = sound.replace("\r\n", "\n");
    let computed = arc(format!("{body}!").replace("\r\n", "\n").as_bytes());
    let head = "/ISK5\\2M550T-1012";
    check(&by_meter(), &lines, &format!("R03×2@1 {head}: CRC {crc}, computed {computed:04X}"));
    check(&by_meter(), &format!("{body}!\r\n"), &format!("R03×2@1 {head}: no CRC"));
    check(&by_meter(), &format!("{body}!12\r\n"), &format!("R03×2@1 {head}: no CRC of four digits behind !"));
    check(&by_meter(), &body, &format!("R03×2@1 {head}: cut off: no line begins with !"));
    check(
        &by_meter(),
        &format!("{HEAD}{METER}{DIALS}{sound}"),
        &format!(
            "{}; R03×2@1 {head}: cut off: the next telegram begins",
            READ.replace("@6", "@13").replace("@7", "@14")
        ),
    );
    check(
        &by_meter(),
        &closed("/I\r\n1-0:1.8.0(1*kWh)\r\n"),
        "R03×1@1 /I: no three letters and a digit behind /",
    );
    check(&by_meter(), "hello\r\n", "refused: line 1: no telegram begins in it: no line begins with /");
    check(&by_meter(), "", "refused: file is empty");
    let long = format!("{HEAD}{}", "0-0:96.13.0(00)\r\n".repeat(2_000));
    let told = tell_reads(&by_meter(), "x", closed(&long).as_bytes());
    let want = format!("R01×0@1 {head}: telegram of more than 16384 bytes; R03×0@966 0-0:96.13.0(00)");
    assert!(told.starts_with(&want), "{told}");
}

#[test]
fn stamps() {
    let dial = "1-0:1.8.0(1*kWh)\r\n";
    let at = |stamp: &str| closed(&format!("/ISK5\\2M\r\n\r\n0-0:1.0.0({stamp})\r\n{METER}{dial}"));
    for (stamp, want) in [
        ("160701120000S", "E0001 1-0:1.8.0 2016-07-01T10:00:00Z=1.000000 E0001@5"),
        ("161030023000S", "E0001 1-0:1.8.0 2016-10-30T00:30:00Z=1.000000 E0001@5"),
        ("161030023000W", "E0001 1-0:1.8.0 2016-10-30T01:30:00Z=1.000000 E0001@5"),
        ("160701120000W", "R07×1@1 /ISK5\\2M: stamp 160701120000W"),
        ("160327023000S", "R08×1@1 /ISK5\\2M: stamp 160327023000S"),
        ("", "R07×1@1 /ISK5\\2M: stamp "),
    ] {
        check(&by_meter(), &at(stamp), want);
    }
    // Telegrams that say no time, of meters that make no check sum.
    let old = format!("/ISK5\\2M\r\n\r\n{METER}{dial}!\r\n");
    check(&by_meter(), &old, "R03×1@1 /ISK5\\2M: no CRC");
    check(&profile("usage_point = \"A\"\ncrc = \"optional\""), &old, "R07×1@1 /ISK5\\2M: no stamp");
    let want = "A 1-0:1.8.0 2020-03-01T12:00:00Z=1.000000 E0001@4";
    let named = "usage_point = \"A\"\ncrc = \"optional\"\nread_at = \"2020-03-01T13:00:00+01:00\"";
    check(&profile(named), &old, want);
    check(&profile(named), &format!("{old}{old}"), &format!("{want}; R07×1@6 /ISK5\\2M: no stamp"));
    let by_name = "usage_point_from = \"file\"\ncrc = \"optional\"\nread_at_from = \"file\"";
    check(&profile(by_name), &old, &want.replace("A ", "EAN1 "));
    assert_eq!(
        tell_reads(&profile(by_name), "EAN1.txt", old.as_bytes()),
        "refused: line 1: file name \"EAN1\" has no stamp such as @20260301T120000Z"
    );
    // A telegram that states its version has a check sum.
    check(
        &profile("usage_point = \"A\"\ncrc = \"optional\""),
        &format!("{HEAD}{dial}!\r\n"),
        "R03×1@1 /ISK5\\2M550T-1012: no CRC",
    );
    check(
        &by_meter(),
        &closed(&format!("{HEAD}{dial}")),
        "R04×1@1 /ISK5\\2M550T-1012: no number of its meter that is a name",
    );
}

#[test]
fn profiles() {
    for (more, want) in [
        ("", "`usage_point` is missing"),
        ("usage_point = \"\"", "line 3: `usage_point` is \"\", need 1 to 33 printable ASCII characters"),
        ("usage_point_from = \"x\"", "line 3: `usage_point_from` is \"x\", need file or meter"),
        (
            "usage_point = \"A\"\nusage_point_from = \"file\"",
            "line 3: `usage_point` has no meaning in this format and layout",
        ),
        ("usage_point = \"A\"\ncrc = \"no\"", "line 4: `crc` is \"no\", need required or optional"),
        (
            "usage_point = \"A\"\nread_at = \"now\"",
            "line 4: `read_at` is \"now\", need a stamp such as 2026-03-01T12:00:00Z",
        ),
        ("usage_point = \"A\"\nread_at_from = \"x\"", "line 4: `read_at_from` is \"x\", need file"),
        ("usage_point = \"A\"\nunit = \"kWh\"", "line 4: `unit` has no meaning in this format and layout"),
    ] {
        let text = format!("format = \"p1\"\nzone = \"UTC\"\n{more}");
        assert_eq!(Profile::parse("x", &text).unwrap_err().to_string(), want, "{more}");
    }
}

/// The recorded telegrams, against what another reader found in them.
#[test]
fn recorded_telegrams() {
    let Some(folder) = recorded("p1") else { return };
    let expected = fs::read_to_string(folder.join("../expected/p1_totals.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let expected = expected.as_object().unwrap();
    assert_eq!(expected.len(), 9);
    let lenient =
        "usage_point = \"A\"\nread_at = \"2020-03-01T12:00:00Z\"\ncrc = \"optional\"\nround_to_wh = true\n";
    for (name, want) in expected {
        let bytes = fs::read(folder.join(name)).unwrap();
        let (strict, summary) = run(&profile("usage_point = \"A\"\n"), name, &bytes).unwrap();
        assert_eq!(Some(summary.line_count), want["crlf"].as_u64(), "{name}");
        let why = strict.rejections.first().map(|rejection| rejection.raw.as_str());
        match want["crc_ok"].as_bool() {
            Some(true) => assert_eq!(why, None, "{name}"),
            Some(false) => {
                assert!(why.unwrap().contains(": CRC ") && strict.register_reads.is_empty(), "{name}")
            }
            None => assert!(why.unwrap().ends_with(": no CRC") && strict.register_reads.is_empty(), "{name}"),
        }
        // What their authors broke is mended by hand: a telegram with the check sum it should have.
        let end = bytes.iter().position(|&byte| byte == b'!').unwrap();
        let mended = match want["crc_ok"].as_bool() {
            Some(false) => closed(std::str::from_utf8(&bytes[..end]).unwrap()).into_bytes(),
            _ => bytes,
        };
        let (found, _) = run(&profile(lenient), name, &mended).unwrap();
        let got: Vec<(String, String)> = found
            .register_reads
            .iter()
            .map(|(read, _)| (read.register.to_string(), read.dial.to_string()))
            .collect();
        if name.starts_with("TELEGRAM_ESY5Q3D") {
            // The other reader does not read codes in full.
            assert!(want["import_export"].as_object().unwrap().is_empty());
            assert_eq!(got, [("1-0:1.8.0".to_owned(), "32549.506166".to_owned())]);
            continue;
        }
        let want: Vec<(String, String)> = want["import_export"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(code, value)| {
                let number = value.as_str().unwrap().trim_matches(['(', ')']).strip_suffix("*kWh").unwrap();
                let trimmed = number.trim_start_matches('0');
                let zero = if trimmed.starts_with('.') { "0" } else { "" };
                (code.clone(), format!("{zero}{trimmed}000"))
            })
            .collect();
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn ten_thousand_malformed_files() {
    let body = format!("{HEAD}{METER}{DIALS}{REST}");
    let sounds = [
        closed(&body),
        closed(&body).repeat(3),
        closed(&format!(
            "{HEAD}{METER}1-0:1.8.0*255(1.5*kWh)\r\n0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(200501000000S)\r\n"
        )),
    ];
    let sounds: Vec<Vec<u8>> = sounds.map(String::into_bytes).into();
    let known = reads_of(&by_meter(), "x", &sounds);
    let mut read_count = 0;
    bend_all(&by_meter(), "x", &sounds, 20_261_001, &mut |found| {
        read_count += found.register_reads.len();
        assert!(found.register_reads.iter().all(|(read, _)| known.contains(read)), "{found:?}");
    });
    assert!(read_count > 5_000, "{read_count} reads in what was left whole");
    let old: Vec<Vec<u8>> = vec![format!("/ISK5\\2M\r\n\r\n{METER}{DIALS}!\r\n").into_bytes()];
    let lenient = profile("usage_point = \"A\"\ncrc = \"optional\"\nread_at = \"2020-03-01T12:00:00Z\"");
    bend_all(&lenient, "x", &old, 20_261_002, &mut |_| ());
}
