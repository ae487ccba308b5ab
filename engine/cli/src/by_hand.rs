//! What a person does to readings: sets values, and lets corrections pass that wait.
//!
//! ```text
//!   edit     words ─▶ what stands, what will stand ─┬─ plan: told, nothing else
//!                     (each value judged)           └─ one acknowledged record ─▶ sealed, unless it is to stay open
//!   approve  a hash of `pending` ─────────────────────────────────┘
//! ```
//!
//! An edit is taken whole or not at all: a value that breaks a rule is named before anything is written.

use std::collections::BTreeMap;

use serde_json::json;
use tallywatt_core::calendar::{UtcSeconds, WallTime, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::Label;
use tallywatt_core::layer::CorrectionReason;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::RawReading;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_core::vee::judge::{Limits, judge};
use tallywatt_node::books::Books;
use tallywatt_node::intake::{ByHand, ImportEnd, ImportReport, Intake, Values};

use crate::args::Arguments;
use crate::by_hand::options::{ApproveOptions, EditOptions};
use crate::failure::{Failure, code};
use crate::ingest::seal;
use crate::instant::{clock_of, instant_of};
use crate::open::{Opened, data_option, now_unix_s};
use crate::output::{Report, Table, word};
use crate::readings::block_key;

pub mod meters;
pub mod options;

/// Why a person may set a value; the other reasons are a source's.
const REASONS: [CorrectionReason; 5] = [
    CorrectionReason::ManualEdit,
    CorrectionReason::MeterFault,
    CorrectionReason::EstimateReplaced,
    CorrectionReason::MeterExchange,
    CorrectionReason::Settled,
];

/// Sets values of a day.
pub fn edit(opened: &mut Opened, options: &EditOptions, arguments: &Arguments) -> Result<Report, Failure> {
    let key = block_key(&options.usage_point, &options.day, &options.obis)?;
    let (who, why, at) = (name_of(&options.who)?, reason_of(&options.reason)?, now());
    let books = opened.readings()?;
    let mut intake = Intake::open(&arguments.data, books)?;
    let block = known_block(&intake, books, &key)?;
    let zone = zone_of(options.zone.as_deref(), books, &block)?;
    let values = values_of(&options.values, &block, &zone)?;
    check(&values, &block, &books.limits(at))?;

    let mut report = Report::default();
    report.fact("usage point", key.usage_point.to_string()).fact("register", key.register.to_string());
    report.fact("day", key.day.to_string()).fact("zone", zone.name());
    report.fact("who", who.as_str()).fact("reason", why.name());
    report.table = Some(comparison(&values, &block));
    let shown = format!(
        "tallywatt{} readings show {} {} --obis {} --history",
        data_option(arguments),
        shell_word(key.usage_point.as_str()),
        key.day,
        key.register
    );
    if options.plan {
        report.fact("status", "planned, nothing is recorded");
        report.then("run the same command without --plan");
        return Ok(report);
    }
    let by = ByHand { books, zone: &zone, who, at };
    let runs: Vec<(usize, Vec<i64>)> = runs_of(&values);
    let runs: Vec<Values<'_>> = runs
        .iter()
        .map(|(first, values_wh)| Values {
            usage_point: key.usage_point,
            register: key.register,
            start: block.interval_start(*first),
            interval_minutes: block.interval_minutes(),
            values_wh,
        })
        .collect();
    let done = intake.edit_all(&by, &runs, why)?;
    settle(&done, options.keep_open, &mut intake, opened, arguments, &mut report)?;
    report.then(shown);
    Ok(report)
}

/// The corrections that wait for a person's word.
pub fn pending(opened: &Opened, arguments: &Arguments) -> Result<Report, Failure> {
    let books = opened.readings()?;
    let intake = Intake::open(&arguments.data, books)?;
    let mut table = Table::new(&[
        "hash",
        "usage point",
        "register",
        "day",
        "interval start",
        "stands Wh",
        "would stand Wh",
        "quality",
        "issue",
        "reason",
        "who",
    ]);
    let waiting = intake.pending(books);
    for (hash, layer) in &waiting {
        let (key, origin) = (layer.block.key(), layer.head.origin);
        let stands = books.accepted().get(&key);
        for at in 0..layer.block.interval_count() {
            let (wh, quality) = layer.block.interval(at);
            if quality == Quality::Missing {
                continue;
            }
            let start = layer.block.interval_start(at);
            let before = stands.and_then(|block| Some(block.interval(block.interval_at(start)?)));
            table.row(vec![
                json!(hash.to_string()),
                json!(key.usage_point.to_string()),
                json!(key.register.to_string()),
                json!(key.day.to_string()),
                json!(start.to_string()),
                before.map_or(json!(null), value_of),
                json!(wh),
                json!(quality.name()),
                json!(layer.head.issued.0),
                json!(origin.reason.name()),
                json!(origin.who.map(|who| who.to_string())),
            ]);
        }
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("waiting", waiting.len());
    let option = data_option(arguments);
    match waiting.first() {
        Some((hash, _)) => report.then(format!("tallywatt{option} readings approve {hash} --who NAME")),
        None => report.then(format!("tallywatt{option} readings totals")),
    };
    Ok(report)
}

/// Lets a correction pass that waits.
pub fn approve(
    opened: &mut Opened,
    options: &ApproveOptions,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let see = format!("see `tallywatt{} readings pending` for what waits", data_option(arguments));
    let hash: ContentHash = options.hash.parse().map_err(|error| Failure::usage(error, &see))?;
    let (who, at) = (name_of(&options.who)?, now());
    let books = opened.readings()?;
    let mut intake = Intake::open(&arguments.data, books)?;
    let waiting = intake.pending(books);
    let none = || Failure::usage(format!("no correction {hash} waits"), &see);
    let (_, layer) = waiting.iter().find(|(own, _)| *own == hash).ok_or_else(none)?;
    let zone = zone_of(options.zone.as_deref(), books, &layer.block)?;
    let key = layer.block.key();
    let by = ByHand { books, zone: &zone, who, at };
    let done = intake.approve(&by, &hash)?.ok_or_else(none)?;
    let mut report = Report::default();
    report.fact("hash", hash.to_string()).fact("who", who.as_str());
    report.fact("usage point", key.usage_point.to_string()).fact("register", key.register.to_string());
    report.fact("day", key.day.to_string());
    settle(&done, options.keep_open, &mut intake, opened, arguments, &mut report)?;
    report.then(format!(
        "tallywatt{} readings show {} {} --obis {} --history",
        data_option(arguments),
        shell_word(key.usage_point.as_str()),
        key.day,
        key.register
    ));
    Ok(report)
}

/// Tells what became of a step by hand, and seals it unless it is to stay open.
fn settle(
    done: &ImportReport,
    keeps_open: bool,
    intake: &mut Intake,
    opened: &mut Opened,
    arguments: &Arguments,
    report: &mut Report,
) -> Result<(), Failure> {
    let counts = &done.counts;
    report.fact("accepted", counts.accepted).fact("corrected", counts.corrected);
    report.fact("duplicate", counts.duplicate).fact("conflict", counts.conflict);
    report.fact("set aside", counts.rejected);
    if done.end == ImportEnd::Repeated {
        report.notes.push("the very same step was recorded before: nothing is done twice".into());
    }
    for (code, count) in &done.rejected {
        let became = match code {
            RejectionCode::Conflict => "values, of which the smaller stands as questionable",
            _ => "values set aside",
        };
        report.notes.push(format!("{code} {}: {count} {became}", code.reason()));
        report.code = code::SET_ASIDE;
    }
    if keeps_open {
        report.fact("batch", "acknowledged, not sealed");
        report.then(format!(
            "tallywatt{} ingest FILES, which seals what is open with them",
            data_option(arguments)
        ));
        return Ok(());
    }
    seal(intake, opened, report)
}

/// The day as it stands, sealed or not.
fn known_block(intake: &Intake, books: &Books, key: &BlockKey) -> Result<DayBlock, Failure> {
    let open = intake.unsealed_blocks(books)?.into_iter().find(|block| block.key() == *key);
    open.or_else(|| books.accepted().get(key).cloned()).ok_or_else(|| {
        Failure::usage(
            format!("no readings of {} register {} on {} are known", key.usage_point, key.register, key.day),
            "see `tallywatt readings totals` for what is there",
        )
    })
}

/// The zone of a day: the one named, else the contract's, else the offset that the day itself has.
fn zone_of(named: Option<&str>, books: &Books, block: &DayBlock) -> Result<Zone, Failure> {
    let key = block.key();
    let advice = "name the zone of its readings with --zone, such as Asia/Yekaterinburg";
    let fits = |zone: &Zone| {
        let local = zone.local_day(key.day);
        let count = local.interval_count(block.interval_minutes()).map(usize::from);
        local.start == block.interval_start(0) && count == Some(block.interval_count())
    };
    if let Some(name) = named {
        let zone = Zone::parse(name).map_err(|error| Failure::usage(format!("--zone: {error}"), advice))?;
        return if fits(&zone) {
            Ok(zone)
        } else {
            let start = block.interval_start(0);
            Err(Failure::usage(format!("--zone: {} begins at {start}, not as in {name}", key.day), advice))
        };
    }
    let of_contract = books
        .contracts()
        .iter()
        .find(|contract| contract.usage_point == key.usage_point && fits(&contract.zone))
        .map(|contract| contract.zone.clone());
    of_contract.or_else(|| Zone::parse(&offset_of(block)).ok().filter(fits)).ok_or_else(|| {
        Failure::usage(format!("the zone of {} on {} is not known", key.usage_point, key.day), advice)
    })
}

/// How far the day's first instant is from midnight in UTC, as a zone is written: `+05:00`, `UTC`.
fn offset_of(block: &DayBlock) -> String {
    let minutes = (i64::from(block.key().day.number()) * 86_400 - block.interval_start(0).0) / 60;
    if minutes == 0 {
        return "UTC".to_owned();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// `HH:MM=Wh` by the clock of the zone, or `2026-03-14T06:00:00Z=Wh`; by interval.
fn values_of(words: &[String], block: &DayBlock, zone: &Zone) -> Result<BTreeMap<usize, i64>, Failure> {
    let mut values = BTreeMap::new();
    for text in words {
        let form = "write it as 14:30=250, in whole watt-hours";
        let wrong = |what: String| Failure::usage(format!("{text:?}: {what}"), form);
        let (time, wh) = text.split_once('=').ok_or_else(|| wrong("no time and value".into()))?;
        let wh: i64 = wh.parse().map_err(|_| wrong(format!("{wh:?} is not a number of whole watt-hours")))?;
        let start = start_of(time, block, zone)?;
        let at = block.interval_at(start).ok_or_else(|| {
            let minutes = block.interval_minutes();
            Failure::usage(
                format!("{text:?}: no interval of {} begins then", block.key().day),
                format!("its intervals have {minutes} minutes each: name the start of one"),
            )
        })?;
        if values.insert(at, wh).is_some() {
            return Err(Failure::usage(format!("{text:?}: the interval is named twice"), "name it once"));
        }
    }
    Ok(values)
}

fn start_of(time: &str, block: &DayBlock, zone: &Zone) -> Result<UtcSeconds, Failure> {
    if time.contains('T') {
        return instant_of(time);
    }
    let day = block.key().day;
    let second = clock_of(time)
        .ok_or_else(|| Failure::usage(format!("{time:?} is not a time of day"), "write it as 14:30"))?;
    match zone.resolve(day, second) {
        WallTime::Once(start) => Ok(start),
        WallTime::Never => Err(Failure::usage(
            format!("the clocks of {zone} never showed {time} on {day}"),
            "name the start of an interval that there was",
        )),
        WallTime::Twice(first, second) => Err(Failure::usage(
            format!("the clocks of {zone} showed {time} twice on {day}"),
            format!("write the instant instead: {first}=WH or {second}=WH"),
        )),
    }
}

/// Every value keeps the rules: an edit is taken whole or not at all.
fn check(values: &BTreeMap<usize, i64>, block: &DayBlock, limits: &Limits) -> Result<(), Failure> {
    let key = block.key();
    for (at, wh) in values {
        let reading = RawReading {
            usage_point: key.usage_point,
            register: key.register,
            start: block.interval_start(*at),
            interval_minutes: block.interval_minutes(),
            energy_wh: *wh,
            quality: Quality::Edited,
            line: 1,
        };
        if let Err(code) = judge(&reading, &block.grid(), limits) {
            return Err(Failure::usage(
                format!("{} at {}, {wh} Wh: {code} {}", key.usage_point, reading.start, code.reason()),
                "mend the value: nothing was recorded",
            ));
        }
    }
    Ok(())
}

/// A row a value: what stands, and what will.
fn comparison(values: &BTreeMap<usize, i64>, block: &DayBlock) -> Table {
    let columns = ["interval start", "stands Wh", "stands quality", "will stand Wh", "will stand quality"];
    let mut table = Table::new(&columns);
    for (at, wh) in values {
        let (stands, quality) = block.interval(*at);
        table.row(vec![
            json!(block.interval_start(*at).to_string()),
            value_of((stands, quality)),
            json!(quality.name()),
            json!(wh),
            json!(Quality::Edited.name()),
        ]);
    }
    table
}

/// A value, or nothing where it is missing.
pub fn value_of((wh, quality): (i32, Quality)) -> serde_json::Value {
    if quality == Quality::Missing { json!(null) } else { json!(wh) }
}

/// Runs of consecutive intervals: where each begins, and its values.
fn runs_of(values: &BTreeMap<usize, i64>) -> Vec<(usize, Vec<i64>)> {
    let mut runs: Vec<(usize, Vec<i64>)> = Vec::new();
    for (at, wh) in values {
        match runs.last_mut() {
            Some((first, run)) if *first + run.len() == *at => run.push(*wh),
            _ => runs.push((*at, vec![*wh])),
        }
    }
    runs
}

/// A reason by name or code.
fn reason_of(text: &str) -> Result<CorrectionReason, Failure> {
    let is_named = |reason: &&CorrectionReason| reason.name() == text || reason.code().to_string() == text;
    REASONS.iter().find(is_named).copied().ok_or_else(|| {
        let names: Vec<String> =
            REASONS.iter().map(|reason| format!("{} ({})", reason.name(), reason.code())).collect();
        Failure::usage(
            format!("--reason: {text:?} is no reason of a person"),
            format!("name one of: {}", names.join(", ")),
        )
    })
}

/// A person's name as records carry it.
fn name_of(text: &str) -> Result<Label, Failure> {
    text.parse().map_err(|error| {
        Failure::usage(format!("--who: {error}"), "write the name in at most 33 Latin letters and digits")
    })
}

/// The clock.
fn now() -> UtcSeconds {
    UtcSeconds(i64::try_from(now_unix_s()).unwrap_or(i64::MAX))
}

/// A name as a word of a command.
fn shell_word(text: &str) -> String {
    word(std::path::Path::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_of_consecutive_intervals() {
        let values = BTreeMap::from([(0, 5), (1, 6), (3, 7), (47, 8), (48, 9)]);
        assert_eq!(runs_of(&values), [(0, vec![5, 6]), (3, vec![7]), (47, vec![8, 9])]);
        assert!(runs_of(&BTreeMap::new()).is_empty());
    }

    #[test]
    fn reasons_have_names_and_codes() {
        for (text, want) in [
            ("manual-edit", Some(CorrectionReason::ManualEdit)),
            ("3", Some(CorrectionReason::MeterFault)),
            ("settled", Some(CorrectionReason::Settled)),
            ("0", None),
            ("delivery", None),
            ("withdrawn-by-source", None),
            ("because", None),
            ("", None),
        ] {
            assert_eq!(reason_of(text).ok(), want, "{text:?}");
        }
    }
}
