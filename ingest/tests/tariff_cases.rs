//! Worked cases of bills. Their amounts come from exact fractions and another author's zone data, each interval
//! walked one by one; the comments in the files say the arithmetic.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tallywatt_core::hash::Published;
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::Money;
use tallywatt_core::tariff::Tariff;
use tallywatt_ingest::documents::{
    DOCUMENT_SIZE_MAX, Document, TariffCase, parse_document, parse_tariff_cases,
};
use tallywatt_ledger::hour_list_bytes::publish_hour_list;
use tallywatt_ledger::price_series_bytes::publish_price_series;
use tallywatt_ledger::tariff_bytes::publish_tariff;

/// Fewer would be a folder that was not read.
const CASE_COUNT_MIN: usize = 300;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tariff_cases")
}

/// Each file of cases: its name and its text.
fn case_files() -> Vec<(String, String)> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    files.sort();
    let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (named(path), fs::read_to_string(path).unwrap())).collect()
}

/// Tariffs by file, each read once.
#[derive(Default)]
struct Tariffs(BTreeMap<PathBuf, Published<Tariff>>);

impl Tariffs {
    fn versions(&mut self, case: &TariffCase) -> Vec<Published<Tariff>> {
        let published = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap();
            match parse_document(&path.display().to_string(), &text) {
                Ok(Document::Tariff(tariff)) => publish_tariff(*tariff),
                other => panic!("{} is no tariff: {other:?}", path.display()),
            }
        };
        let files = case.files(&folder()).collect::<Vec<_>>();
        files
            .iter()
            .map(|path| self.0.entry(path.clone()).or_insert_with(|| published(path)).clone())
            .collect()
    }
}

/// The price series and lists of hours of a case.
fn market_of(case: &TariffCase) -> MarketBook {
    let mut market = MarketBook::new();
    for path in case.market_files(&folder()) {
        let text = fs::read_to_string(&path).unwrap();
        match parse_document(&path.display().to_string(), &text).unwrap() {
            Document::PriceSeries(series) => market.publish_series(publish_price_series(*series)).unwrap(),
            Document::HourList(hours) => market.publish_hours(publish_hour_list(*hours)).unwrap(),
            other => panic!("{} is neither prices nor hours: {other:?}", path.display()),
        }
    }
    market
}

#[test]
fn every_case_is_as_expected() {
    let mut tariffs = Tariffs::default();
    let (mut count, mut failures) = (0, Vec::new());
    for (file, text) in case_files() {
        for case in parse_tariff_cases(&file, &text).unwrap() {
            count += 1;
            let differing = case.run(tariffs.versions(&case), &market_of(&case));
            if !differing.is_empty() {
                failures.push(format!("{file}:{}: {}: {}", case.line, case.name, differing.join("; ")));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {count} cases differ:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= CASE_COUNT_MIN, "{count} cases, at least {CASE_COUNT_MIN}");
}

/// Every case must fail when what it expects is another minor unit, line by line too, or another reason.
#[test]
fn no_case_is_vacuous() {
    let mut tariffs = Tariffs::default();
    for (file, text) in case_files() {
        let cases = parse_tariff_cases(&file, &text).unwrap();
        let (mut wants, mut amounts) = (0, 0);
        let changed: Vec<String> = text
            .lines()
            .map(|line| match line.split_once(" = ") {
                Some(("total" | "error", _)) => {
                    wants += 1;
                    changed_texts(line, &mut 0)
                }
                Some(("lines", _)) => changed_texts(line, &mut amounts),
                _ => line.to_owned(),
            })
            .collect();
        assert_eq!(wants, cases.len(), "{file}: a total or an error in every case");
        let mut differing_count = 0;
        for (case, right) in parse_tariff_cases(&file, &changed.join("\n")).unwrap().iter().zip(&cases) {
            let differing = case.run(tariffs.versions(case), &market_of(case));
            assert!(!differing.is_empty(), "{file}:{}: {} passes with another amount", right.line, case.name);
            differing_count += differing.len();
        }
        assert_eq!(differing_count, wants + amounts, "{file}: every total, amount and reason differs");
    }
}

/// The line with every amount in it a minor unit higher, and every reason another; counts them.
fn changed_texts(line: &str, count: &mut usize) -> String {
    let (name, rest) = line.split_once(" = ").unwrap();
    if name == "error" {
        return format!("{name} = \"not {}", &rest[1..]);
    }
    // A quoted text is a name or an amount; the names of lines are no numbers.
    let changed = rest.split('"').map(|part| match part.parse::<Money>() {
        Ok(amount) => {
            *count += 1;
            Money::from_minor(amount.as_minor() + 1).to_string()
        }
        Err(_) => part.to_owned(),
    });
    format!("{name} = {}", changed.collect::<Vec<_>>().join("\""))
}

const SOUND: &str = r#"[[case]]
name = "January"
tariffs = ["flat.toml"]
period = "2026-01"
zone = "Europe/Amsterdam"
minutes = 30
held_from = "2026-01-10"
held_to = "2026-01-20"
use = [{ wh = 500 }, { windows = ["weekday 17:00-21:00"], wh = 2000 }]
total = "1234.50"
lines = { "day" = "1000.00", "night" = "234.50" }
"#;

/// What is replaced by what, the line and the exact message.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("[[case]]", "[[case]", "1: unclosed array table, expected `]`"),
    ("[[case]]", "[case]", "1: invalid type: map, expected a sequence"),
    ("[[case]]\n", "case = [1]\n[[other]]\n", "1: invalid type: integer `1`, expected a table of a case"),
    ("[[case]]", "[[cases]]", "1: unknown field `cases`, expected `case`"),
    ("name = \"January\"\n", "", "1: missing field `name`"),
    (r#"name = "January""#, "name = 1", "2: name is not text: 1"),
    (
        r#"name = "January""#,
        r#"title = "January""#,
        "2: unknown field `title`, expected one of `name`, `tariffs`, `period`, `zone`, `minutes`, `held_from`, `held_to`, `use`, `total`, `lines`, `error`, `market`",
    ),
    ("tariffs = [\"flat.toml\"]\n", "", "1: missing field `tariffs`"),
    (r#"["flat.toml"]"#, r#""flat.toml""#, r#"3: invalid type: string "flat.toml", expected a sequence"#),
    (r#"["flat.toml"]"#, r#"["flat.toml", 2]"#, "3: tariff is not text: 2"),
    ("period = \"2026-01\"\n", "", "1: missing field `period`"),
    (r#""2026-01""#, r#""2026-13""#, r#"4: period: "2026-13" is not a billing month, written YYYY-MM"#),
    (
        r#""2026-01""#,
        r#""January 2026""#,
        r#"4: period: "January 2026" is not a billing month, written YYYY-MM"#,
    ),
    (r#""2026-01""#, "2026", "4: period is not text: 2026"),
    ("zone = \"Europe/Amsterdam\"\n", "", "1: missing field `zone`"),
    (
        r#""Europe/Amsterdam""#,
        r#""Europe/Lochem""#,
        r#"5: zone: "Europe/Lochem" is neither a time zone such as Asia/Yekaterinburg nor an offset such as +05:00"#,
    ),
    (
        r#""Europe/Amsterdam""#,
        r#""+05:10""#,
        r#"5: zone: "+05:10" is neither a time zone such as Asia/Yekaterinburg nor an offset such as +05:00"#,
    ),
    (r#""Europe/Amsterdam""#, "5", "5: zone is not text: 5"),
    ("minutes = 30\n", "", "1: missing field `minutes`"),
    ("minutes = 30", "minutes = 10", "6: intervals of 10 minutes"),
    ("minutes = 30", r#"minutes = "30""#, r#"6: invalid type: string "30", expected u8"#),
    ("minutes = 30", "minutes = 300", "6: invalid value: integer `300`, expected u8"),
    ("minutes = 30", "minutes = 30.0", "6: invalid type: floating point `30.0`, expected u8"),
    (
        r#""2026-01-10""#,
        r#""2026-01-32""#,
        r#"7: held_from: "2026-01-32" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD"#,
    ),
    (r#""2026-01-10""#, "2026-01-10", "7: held_from is not text: 2026-01-10"),
    (
        r#""2026-01-20""#,
        r#""20.01.2026""#,
        r#"8: held_to: "20.01.2026" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD"#,
    ),
    (r#""2026-01-20""#, "true", "8: held_to is not text: true"),
    (
        r#""2026-01-20""#,
        r#""2026-01-10""#,
        "8: held_to 2026-01-10 is not after 2026-01-10, the first day held",
    ),
    (
        "held_from = \"2026-01-10\"\nheld_to = \"2026-01-20\"",
        r#"held_to = "2026-01-01""#,
        "7: held_to 2026-01-01 is not after 2026-01-01, the first day held",
    ),
    (
        "held_to",
        "held_until",
        "8: unknown field `held_until`, expected one of `name`, `tariffs`, `period`, `zone`, `minutes`, `held_from`, `held_to`, `use`, `total`, `lines`, `error`, `market`",
    ),
    (
        "use = [{ wh = 500 }, { windows = [\"weekday 17:00-21:00\"], wh = 2000 }]\n",
        "",
        "1: missing field `use`",
    ),
    ("{ wh = 500 }", "{ }", "9: missing field `wh`"),
    ("{ wh = 500 }", "500", "9: invalid type: integer `500`, expected a table such as { wh = 500 }"),
    ("wh = 500", "wh = -1", "9: negative energy"),
    ("wh = 500", r#"wh = "500""#, r#"9: invalid type: string "500", expected i32"#),
    ("wh = 500", "wh = 0.5", "9: invalid type: floating point `0.5`, expected i32"),
    ("wh = 500", "wh = 2147483648", "9: invalid value: integer `2147483648`, expected i32"),
    ("{ wh = 500 }", "{ wh = 500, kwh = 1 }", "9: unknown field `kwh`, expected `windows` or `wh`"),
    (
        r#""weekday 17:00-21:00""#,
        r#""sunday 17:00-21:00""#,
        r#"9: window "sunday 17:00-21:00" is not a stretch of a day"#,
    ),
    (r#""weekday 17:00-21:00""#, r#""17:00-25:00""#, r#"9: window "17:00-25:00" is not a stretch of a day"#),
    (r#""weekday 17:00-21:00""#, r#""17:02-21:00""#, r#"9: window "17:02-21:00" is not a stretch of a day"#),
    (r#""weekday 17:00-21:00""#, "17", "9: window is not text: 17"),
    (
        r#"["weekday 17:00-21:00"]"#,
        r#""weekday 17:00-21:00""#,
        r#"9: invalid type: string "weekday 17:00-21:00", expected a sequence"#,
    ),
    (r#""1234.50""#, "1234.50", "10: total is not text: 1234.50"),
    (r#""1234.50""#, r#""1234.505""#, "10: total: more decimals than the unit carries"),
    (r#""1234.50""#, r#""1,234.50""#, "10: total: not a decimal number"),
    (r#""1234.50""#, r#""99999999999999999999.00""#, "10: total: more than 18 digits"),
    (r#""1000.00""#, "1000", "11: amount is not text: 1000"),
    (r#""1000.00""#, r#""many""#, "11: amount: not a decimal number"),
    (
        r#"{ "day" = "1000.00", "night" = "234.50" }"#,
        r#""1000.00""#,
        r#"11: invalid type: string "1000.00", expected a map"#,
    ),
    (r#""night" = "234.50""#, r#""day" = "234.50""#, "11: duplicate key"),
    ("total = \"1234.50\"\n", "error = \"no version\"\n", "1: a case without one thing to expect"),
    ("lines = {", "error = \"no version\"\nlines = {", "1: a case without one thing to expect"),
    (
        r#"lines = { "day" = "1000.00", "night" = "234.50" }"#,
        r#"error = "no version""#,
        "1: a case without one thing to expect",
    ),
    (
        "total = \"1234.50\"\nlines = { \"day\" = \"1000.00\", \"night\" = \"234.50\" }\n",
        "",
        "1: a case without one thing to expect",
    ),
    (
        "total = \"1234.50\"\nlines = { \"day\" = \"1000.00\", \"night\" = \"234.50\" }",
        "error = 1",
        "10: error is not text: 1",
    ),
];

#[test]
fn every_mistake_is_named_with_its_line() {
    assert_eq!(parse_tariff_cases("cases.toml", SOUND).unwrap()[0].line, 1);
    for (right, wrong, want) in MISTAKES {
        assert!(SOUND.contains(right), "{right:?} is not in the sound file");
        let text = SOUND.replacen(right, wrong, 1);
        match parse_tariff_cases("cases.toml", &text) {
            Ok(_) => panic!("{wrong:?} is taken"),
            Err(error) => {
                assert_eq!(error.to_string(), format!("cases.toml:{want}"), "{wrong:?}");
                assert!(!error.next_step().is_empty(), "{wrong:?} without a next step");
            }
        }
    }
    assert_eq!(parse_tariff_cases("cases.toml", "").unwrap_err().problem, "missing field `case`");
    let long = "#".repeat(DOCUMENT_SIZE_MAX + 1);
    let error = parse_tariff_cases("cases.toml", &long).unwrap_err();
    assert_eq!(error.to_string(), "cases.toml: file of 1048577 bytes, at most 1048576");
}
