//! NEM12: its frame, its records, and what each wrong one gives.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;
#[path = "common/ways.rs"]
mod ways;

use common::bend::{Watch, bend};
use common::{run, tell};
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::decode::{decode_noted, decode_noted_by_row};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::Collected;
use ways::Dice;

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
    assert_eq!(summary, want, "{records:.2000}");
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
    check(&format!("{CHANNEL}700,1\n{ok}"), "0 read, 0 null; R03×0@3; R03×48@4");
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
    let mega = format!("100,NEM12\n{}{ok}900\n", CHANNEL.replace("E1,N1", "Q1,N1").replace("kWh", "MVArh"));
    // 0.001 Mvarh are 1,000 varh.
    assert_eq!(run(&profile(), "x", mega.as_bytes()).unwrap().0.readings[0].energy_wh, 1_000);
    assert_eq!(found.readings[47].start.to_string(), "2026-03-01T13:30:00Z");
}

/// A 200 that cannot be read does not leave its days to the meter before.
#[test]
fn a_lost_channel_takes_its_days_with_it() {
    let (ok, varies) = (day("A"), day("V"));
    let runs = "400,1,40,A,,\n400,41,48,N,,\n";
    let other = CHANNEL.replace("NMI1", "NMI2");
    let long = other.replace("N1", &"N".repeat(70_000));
    for (lost, code) in [
        (other.replace(",1,", ",\"1,"), "R03"),
        (other.replace("200,", "2\"00,"), "R03"),
        (other.replace("200,", "2O0,"), "R03"),
        (other.replace("200,", "20,"), "R03"),
        (long, "R01"),
        (other.replace("NMI2", ""), "R04"),
    ] {
        // The next day is the same in both ways of reading; the 400s of a lost day are lost with it.
        let records = format!("{CHANNEL}{ok}{lost}{ok}{varies}{runs}500,O,S1,20260301,\n{ok}{CHANNEL}{ok}");
        let want = format!("96 read, 0 null; {code}×0@4; {code}×48@5; {code}×48@6; {code}×48@10");
        check(&records, &want);
        let text = format!("100,NEM12,202603020000,A,B\n{records}900\n");
        let (found, _) = run(&profile(), "x", text.as_bytes()).unwrap();
        assert!(found.readings.iter().all(|reading| reading.usage_point.as_str() == "NMI1"), "{lost:.80}");
        ways::check(&profile(), text.as_bytes(), 1 << 16, &lost[..20]);
    }
    // What is known to be no 200 leaves the register in force, and a day's own 400s go with it.
    check(&format!("{CHANNEL}{}{runs}{ok}", varies.replace(",V,", ",\"V,")), "48 read, 0 null; R03×48@3");
    check(&format!("{CHANNEL}500,\"O,\n{ok}"), "48 read, 0 null; R03×0@3");
    check(&format!("{CHANNEL}{varies}400,1,40,\"A,\n{ok}"), "48 read, 0 null; R03×0@4; R16×48@3");
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
        (format!("100,NEM13\n{ok}900"), "refused: line 1: a NEM13 file: take the profile nem13"),
        (format!("{header}250,N\n900"), "refused: line 2: a NEM13 file: take the profile nem13"),
        (
            format!("100,NEM12,2.00405E+11,A,B\n{ok}900"),
            "refused: line 1: creation stamp \"2.00405E+11\" was rewritten by a spreadsheet: take the file as it was sent",
        ),
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

/// Whole files whose frame is not, with the profile that takes them.
#[test]
fn frames_that_need_not_be_whole() {
    let profile = Profile::parse("any", "format = \"nem12\"\nframe = \"optional\"\n").unwrap();
    let ok = format!("{CHANNEL}{}", day("A"));
    let summary = |text: &str| match run(&profile, "x", text.as_bytes()) {
        Ok((found, summary)) => {
            format!("{} read, {} set aside", summary.reading_count, found.rejections.len())
        }
        Err(refusal) => format!("refused: {refusal}"),
    };
    let header = "100,NEM12,202603020000,A,B\n";
    for (text, want) in [
        (ok.clone(), "48 read, 0 set aside"),
        (format!("\n{ok}900\n\n{ok}900\n"), "96 read, 0 set aside"),
        (format!("{header}{ok}{header}{ok}"), "96 read, 0 set aside"),
        // A 900 ends what its 200 said.
        (format!("{ok}900\n{}", day("A")), "48 read, 1 set aside"),
        (format!("{CHANNEL}{}400,1,48,F14,76,", day("V")), "48 read, 0 set aside"),
        (
            format!("{ok}100,NEM13,202603020000,A,B\n"),
            "refused: line 3: a NEM13 file: take the profile nem13",
        ),
        ("250,N,11\n".to_owned(), "refused: line 1: a NEM13 file: take the profile nem13"),
        (CHANNEL.to_owned(), "refused: file holds no readings"),
        ("\n".to_owned(), "refused: file is empty"),
    ] {
        assert_eq!(summary(&text), want, "{text}");
    }
    let error = Profile::parse("x", "format = \"nem12\"\nframe = \"some\"\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: `frame` is \"some\", need required or optional");
    assert!(Profile::parse("x", "format = \"80020\"\nunit = \"kWh\"\nframe = \"optional\"\n").is_err());
}

/// The day's own update stamp says its issue, else the file's creation; later deliveries of a day stand.
#[test]
fn issues() {
    let ok = day("A");
    let file = |header: &str, records: &str| {
        let text = format!("{header}\n{CHANNEL}{records}900\n");
        let (found, _) = run(&profile(), "x", text.as_bytes()).unwrap();
        found.issues.iter().map(|from| (from.issued.0, from.reading_index)).collect::<Vec<_>>()
    };
    // 2026-03-02T00:00 in market time.
    let issue = 1_772_373_600;
    assert_eq!(file("100,NEM12,202603020000,A,B", &ok.replace("20260302000000", "")), [(issue, 0)]);
    assert_eq!(file("100,NEM12,20260302,A,B", &ok.replace("20260302000000", "")), [(issue, 0)]);
    assert_eq!(file("100,NEM12,,A,B", &ok.replace("20260302000000", "")), []);
    let later = ok.replace("20260302000000", "20260302000001");
    assert_eq!(
        file("100,NEM12,202603020000,A,B", &format!("{ok}{later}{ok}")),
        [(issue, 0), (issue + 1, 48), (issue, 96)]
    );
}

/// A stamp that a spreadsheet rewrote takes its day with it, and the finding says so.
#[test]
fn stamps_that_spreadsheets_rewrote() {
    let ok = day("A");
    for (from, to, says) in [
        ("20260302000000", "2.0260302E+13", "\"2.0260302E+13\" was rewritten by a spreadsheet"),
        ("20260302000000", "2/03/2026 0:00", "\"2/03/2026 0:00\" was rewritten by a spreadsheet"),
        ("300,20260301", "300,1/03/2026", "\"1/03/2026\" was rewritten by a spreadsheet"),
    ] {
        let text = format!("100,NEM12,202603020000,A,B\n{CHANNEL}{}{ok}900\n", ok.replace(from, to));
        let (found, summary) = run(&profile(), "x", text.as_bytes()).unwrap();
        assert_eq!((summary.reading_count, summary.rejected_count), (48, 48), "{to}");
        assert_eq!(found.rejections[0].code, RejectionCode::Stamp);
        assert!(found.rejections[0].raw.starts_with(says), "{}", found.rejections[0].raw);
    }
    let text = format!("100,NEM12,20260332,A,B\n{CHANNEL}{ok}900\n");
    assert_eq!(run(&profile(), "x", text.as_bytes()).unwrap().0.rejections[0].code, RejectionCode::Stamp);
}

/// Flags, methods and reasons are counted, whether or not anyone knows the method.
#[test]
fn notes() {
    let text = format!(
        "100,NEM12,202603020000,A,B\n{CHANNEL}{}{}400,1,20,F14,76,\n400,21,40,S99,,\n400,41,48,N,1,\n{}900\n",
        day("A"),
        day("V"),
        day("E52").replace("E52,", "E52,79")
    );
    let want = "300 A: 1 records, 48 values\n\
        300 E52 reason 79 (previous read): 1 records, 48 values\n\
        300 V: 1 records, 0 values\n\
        400 F14 reason 76 (retrospective like day): 1 records, 20 values\n\
        400 N reason 1: 1 records, 8 values\n\
        400 S99: 1 records, 20 values\n";
    let mut found = Collected::default();
    let (summary, notes) = decode_noted(&profile(), "x", &mut text.as_bytes(), &mut found).unwrap();
    assert_eq!(notes.to_string(), want);
    assert_eq!((summary.reading_count, summary.null_count), (136, 8));
    let (_, notes) =
        decode_noted_by_row(&profile(), "x", &mut text.as_bytes(), &mut Collected::default()).unwrap();
    assert_eq!(notes.to_string(), want);
}

/// The short way finds what the records find, in the same order, with the same notes; gives its values in runs.
#[track_caller]
fn check_lane(profile: &Profile, bytes: &[u8], context: &str) -> u64 {
    let noted = |by_row: bool| {
        let (mut text, mut sink) = (bytes, Collected::default());
        let noted = if by_row {
            decode_noted_by_row(profile, "x", &mut text, &mut sink)
        } else {
            decode_noted(profile, "x", &mut text, &mut sink)
        };
        noted.map_err(|refusal| refusal.to_string())
    };
    assert_eq!(noted(false), noted(true), "{context}");
    ways::check(profile, bytes, 1 << 16, context).0
}

/// Words by how often they are drawn: the first most often.
fn word<'a>(dice: &mut Dice, plain: usize, words: &[&'a str]) -> &'a str {
    if dice.below(100) < plain { words[0] } else { dice.of(words) }
}

fn value(dice: &mut Dice, plain: usize, is_kilo: bool) -> String {
    let limit = [10, 100, 1_000, 10_000, 10_000_000][dice.below(5)];
    let whole = dice.below(limit);
    if dice.below(1_000) >= plain {
        let odd = [
            "",
            " 1",
            "1 ",
            "-1",
            ".",
            "1.",
            "..5",
            "1e3",
            "0.0005",
            "0.1230",
            "1.2.3",
            "x",
            "\"1\"",
            "123456789.5",
            "00000000001",
            "A",
            "1;2",
            "+1",
            "0.50000000000",
            "9999999.999",
            "12345678",
            "\u{e9}",
        ];
        return (*dice.of(&odd)).to_owned();
    }
    match (is_kilo, dice.below(4)) {
        (true, 0) => format!(".{:03}", dice.below(1_000)),
        (true, 1) => format!("{whole}.{}", dice.below(10)),
        (true, 2) => format!("{whole}.{:03}", dice.below(1_000)),
        _ => whole.to_string(),
    }
}

fn written(dice: &mut Dice, plain: usize) -> String {
    let mut text = word(
        dice,
        plain,
        &["100,NEM12,202603020000,A,B\n", "100,NEM12,,\n", "100,NEM12,x\r\n", "100,NEM12\n"],
    )
    .to_owned();
    for _ in 0..=dice.below(3) {
        let (minutes, count) = *dice.of(&[&("30", 48), &("15", 96), &("5", 288), &("30", 96)]);
        let unit = word(dice, plain, &["kWh", "KWH", "WH", "MWh", "kW"]);
        let suffix = word(dice, plain, &["E1", "B2", "K1"]);
        text.push_str(&format!("200,NMI{},E1,1,{suffix},N1,M,{unit},{minutes},\n", dice.below(3)));
        for _ in 0..dice.below(5) {
            let date = word(
                dice,
                plain,
                &[
                    "20260301",
                    "20260302",
                    "20261004",
                    "20260405",
                    "19700101",
                    "20260230",
                    "2026030",
                    "1/03/2026",
                ],
            );
            text.push_str(&format!("{},{date},", word(dice, plain, &["300", " 300", "\"300\"", "301"])));
            let count = if dice.below(100) < plain { count } else { count + dice.below(3) - 1 };
            for _ in 0..count {
                text.push_str(&value(dice, 990 + plain / 10, unit.starts_with(['k', 'K'])));
                text.push(',');
            }
            let rare = word(dice, plain, &["S14", "N", "E52", "F", "X", "F1", "", "7"]);
            let flag = dice.of(&["A", "A", "V", "V", rare]);
            text.push_str(flag);
            text.push_str(word(
                dice,
                plain,
                &[
                    ",,,20260302000000,",
                    ",,,,",
                    "",
                    ",76,\"a,b\",20260302000000,",
                    ",1,x,202603020000,20260401000000",
                    ",,,20261004000000,",
                    ",,,2.0E+13,",
                    ",,,,,,",
                    ",,, 20260302000000 ,",
                    ",\"76\",,20260302000000,",
                    ",,a\"b,20260302000000,",
                ],
            ));
            let newline = *dice.of(&[&"\n", &"\n", &"\r\n"]);
            text.push_str(newline);
            let mut from = 1;
            while flag == "V" && from <= count && dice.below(100) < 50 + plain / 2 {
                let end = (from + dice.below(count)).min(count);
                let first = if dice.below(100) < plain { from } else { dice.below(count + 2) };
                text.push_str(&format!("{},{first},{end},", word(dice, plain, &["400", " 400", "400 "])));
                text.push_str(word(
                    dice,
                    plain,
                    &[
                        "A,,",
                        "F14,76,",
                        "N,1,\"x,y\"",
                        "S51",
                        "V,,",
                        "Q",
                        "A,,,",
                        "E52,0,word",
                        "F14,\"76\",",
                        "A,,a\"b",
                    ],
                ));
                text.push_str(newline);
                from = end + 1;
            }
            text.push_str(word(
                dice,
                plain,
                &["", "", "\n", "400,1,48,A,,\n", "500,O,S1,20260301,\n", "  \n", "900\n", "junk\n"],
            ));
        }
    }
    text.push_str(word(dice, plain, &["900\n", "900", "900,,\r\n\n", ""]));
    text
}

fn profiles() -> Vec<Profile> {
    let parse = |text: &str| Profile::parse("x", &format!("format = \"nem12\"\n{text}")).unwrap();
    vec![
        profile(),
        parse("frame = \"optional\"\n"),
        parse("frame = \"optional\"\nround_to_wh = true\nzone = \"Australia/Sydney\"\n"),
    ]
}

#[test]
fn the_short_way_is_the_long_one() {
    let profiles = profiles();
    let (mut run_value_count, mut file_count) = (0, 0);
    for seed in 0..600 {
        let mut dice = Dice(seed);
        // From files without a fault to files full of them.
        let plain = [100, 98, 95, 80][dice.below(4)];
        let text = written(&mut dice, plain);
        for profile in &profiles {
            run_value_count += check_lane(profile, text.as_bytes(), &format!("seed {seed}"));
            file_count += 1;
        }
    }
    assert!(run_value_count > file_count * 100, "{run_value_count} values in runs of {file_count} files");
}

/// 10,000 files made unsound: no panic, no file takes a second, and whatever is refused or set aside says why and where.
#[test]
fn files_that_are_broken() {
    let profiles = profiles();
    let sounds: Vec<String> = (0..40).map(|seed| written(&mut Dice(seed), 100)).collect();
    for seed in 0..10_000_u64 {
        let at = usize::try_from(seed).unwrap();
        let (sound, other) = (&sounds[at % 40], &sounds[(at / 40) % 40]);
        let bytes = bend(sound.as_bytes(), other.as_bytes(), seed);
        let profile = &profiles[at % 3];
        let watch = Watch::start();
        let context = format!("seed {seed}");
        match run(profile, "x", &bytes) {
            Err(refusal) => assert!(!refusal.next_step().is_empty() && !refusal.to_string().is_empty()),
            Ok((found, summary)) => {
                for rejection in &found.rejections {
                    assert!((1..=summary.line_count).contains(&rejection.line), "{context}: {rejection:?}");
                    assert!(!rejection.code.reason().is_empty());
                }
            }
        }
        watch.stop(&|| context.clone());
        // The rest of the time: the short way on every tenth of them.
        if seed % 10 == 0 {
            check_lane(profile, &bytes, &context);
        }
    }
}
