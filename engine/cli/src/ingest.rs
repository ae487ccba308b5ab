//! `ingest`: files to accepted readings, and a sealed batch at the end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Period, UtcSeconds};
use tallywatt_core::energy::Energy;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::command::Command;
use tallywatt_node::books::{Books, Input};
use tallywatt_node::intake::{Helper, ImportEnd, ImportReport, ImportRun, Intake, OfRun};
use tallywatt_shards::intake_record::IntakeCounts;

use crate::args::{Arguments, Ingest};
use crate::failure::{Failure, code};
use crate::interrupt;
use crate::open::{Opened, data_option, now_unix_s, open, record};
use crate::output::{Output, Report, Table};
use crate::progress::Meter;
use crate::replies;

/// How many kinds of what was set aside are told, first come.
const NOTE_COUNT_MAX: usize = 20;
/// The most codes of sources that are shown.
const SAID_COUNT_MAX: usize = 16;

/// Loads files and seals a batch.
pub fn run(ingest: &Ingest, arguments: &Arguments, output: &Output) -> Result<Report, Failure> {
    if ingest.files.is_empty() && !ingest.retry {
        return Err(Failure::usage("no files are named", "name files, or --retry for what was set aside"));
    }
    let mut profile = read_profile(&ingest.profile)?;
    if let Some(zone) = &ingest.zone {
        profile = profile.with_zone(zone).map_err(|error| {
            let error = error.to_string();
            let what = error.trim_start_matches("line 1: ");
            Failure::usage(
                format!("--zone: {what}"),
                "name a zone such as Asia/Yekaterinburg, or an offset such as +05:00",
            )
        })?;
    }
    let files = files_in(&ingest.files)?;
    // What is acknowledged is durable, so a second Ctrl-C may end at once.
    let interrupt = interrupt::flag(|| {})?;
    let mut opened = open(arguments)?;
    let books = opened.readings()?;
    let program = std::env::current_exe().map_err(|error| Failure::usage(error, "run it by its path"))?;
    let mut intake = Intake::open(&arguments.data, books)?.with_helper(Helper::new(program));
    let mut report = Report::default();
    if intake.torn_size() > 0 {
        report.notes.push(format!(
            "{} bytes of an unfinished write were cut off; nothing acknowledged was in them",
            intake.torn_size()
        ));
    }
    if let Some(folder) = &ingest.replies {
        replies::check(folder, &profile)?;
    }
    let started = Instant::now();
    let reports = if ingest.retry {
        retry((&mut intake, books), (&profile, ingest.zone.is_some()), &interrupt, *output)?
    } else {
        load((&mut intake, books), &files, &profile, &interrupt, *output)?
    };
    let taken_ms = started.elapsed().as_millis();
    tell(&reports, &mut report);
    if let Some(folder) = &ingest.replies {
        let written = replies::write(folder, &files, &profile, &reports, &intake);
        report.fact("replies", written.count);
        report.notes.extend(written.notes);
    }
    // A rate is of this machine at this hour: only who watches is told, results stay the same.
    if output.draws_progress() {
        // What was taken in before was not taken in now.
        let is_new =
            |import: &&ImportReport| import.end != ImportEnd::Repeated && import.resumed_from.is_none();
        let offered: u128 =
            reports.iter().filter(is_new).map(|import| u128::from(import.counts.offered)).sum();
        if offered > 0 {
            report.notes.push(format!("{} readings/s until acknowledged", offered * 1_000 / taken_ms.max(1)));
        }
    }
    let is_interrupted = interrupt.load(Ordering::Relaxed);
    if !ingest.keep_open && !is_interrupted {
        seal(&mut intake, &mut opened, &mut report)?;
    }
    next_steps(&reports, is_interrupted, arguments, &mut report);
    Ok(report)
}

/// The files named, and those in the folders named, in order of their paths.
fn files_in(named: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in named {
        let metadata = fs::metadata(path).map_err(|error| Failure::file("open", path, &error))?;
        if !metadata.is_dir() {
            files.push(path.clone());
            continue;
        }
        let fail = |error: std::io::Error| Failure::file("list", path, &error);
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !is_hidden {
                entries.push(entry.path());
            }
        }
        entries.sort();
        files.extend(files_in(&entries)?);
    }
    Ok(files)
}

/// A built-in profile by name, or a profile file.
pub fn read_profile(name: &str) -> Result<Profile, Failure> {
    if Profile::builtin_names().any(|known| known == name) {
        return Profile::builtin(name).map_err(|error| Failure::usage(error, "this is a defect: report it"));
    }
    let path = Path::new(name);
    let text = fs::read_to_string(path).map_err(|error| {
        let known: Vec<&str> = Profile::builtin_names().collect();
        Failure::usage(
            format!("cannot read the profile {name}: {error}"),
            format!("name a file, or one of: {}", known.join(", ")),
        )
    })?;
    Profile::parse(name, &text).map_err(|error| {
        Failure::with_code(
            code::CONFIG,
            placed(name, &error.to_string()),
            "mend the line; `tallywatt config profiles NAME` shows examples",
        )
    })
}

/// Imports files, in the order given.
pub fn load(
    (intake, books): (&mut Intake, &Books),
    files: &[PathBuf],
    profile: &Profile,
    interrupt: &AtomicBool,
    output: Output,
) -> Result<Vec<ImportReport>, Failure> {
    let total: u64 = files.iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum();
    let mut meter = Meter::new(output, "ingest", total, "bytes");
    let (mut reports, mut before) = (Vec::new(), 0_u64);
    for file in files {
        let mut told = |progress: tallywatt_node::intake::Progress| {
            let message = format!("{} readings, {} set aside", progress.readings, progress.rejected);
            meter.set(before + progress.bytes, &message);
        };
        let now = UtcSeconds(i64::try_from(now_unix_s()).unwrap_or(i64::MAX));
        let progress = &mut told;
        let mut run = ImportRun { profile, books, now, interrupt, progress, only_lines: None };
        let imported = intake.import(file, &mut run)?;
        reports.extend(imported.into_iter().map(|report| with_path(report, file)));
        before += fs::metadata(file).map_or(0, |file| file.len());
        if interrupt.load(Ordering::Relaxed) {
            break;
        }
    }
    meter.finish();
    Ok(reports)
}

/// Names the file by the path it was given, so that messages lead to it.
fn with_path(mut report: ImportReport, file: &Path) -> ImportReport {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(member) = report.name.strip_prefix(&name) {
        report.name = format!("{}{member}", file.display());
    }
    report
}

/// Each file is read by the zone it was read by before, unless one is named now: another zone makes other days of it.
fn retry(
    (intake, books): (&mut Intake, &Books),
    (profile, is_zone_named): (&Profile, bool),
    interrupt: &AtomicBool,
    output: Output,
) -> Result<Vec<ImportReport>, Failure> {
    let set_aside = intake.quarantined()?;
    let total = u64::try_from(set_aside.len()).unwrap_or(u64::MAX);
    let mut meter = Meter::new(output, "retry", total, "files");
    let mut reports = Vec::new();
    for quarantined in &set_aside {
        let lines = quarantined.lines();
        let mut told = |_| meter.set(0, &quarantined.header.name);
        let now = UtcSeconds(i64::try_from(now_unix_s()).unwrap_or(i64::MAX));
        let (progress, only_lines) = (&mut told, Some(&lines));
        let before = quarantined.header.zone.as_deref().filter(|_| !is_zone_named);
        let profile = match before {
            Some(zone) => &profile.with_zone(zone).map_err(|error| {
                Failure::usage(error, format!("name --zone: {} was read by {zone}", quarantined.header.name))
            })?,
            None => profile,
        };
        let mut run = ImportRun { profile, books, now, interrupt, progress, only_lines };
        reports.extend(intake.retry(quarantined, &mut run)?);
    }
    meter.finish();
    Ok(reports)
}

/// Seals what is new as the next batch. Nothing new is no failure: the cut is empty.
pub fn seal(intake: &mut Intake, opened: &mut Opened, report: &mut Report) -> Result<(), Failure> {
    let books = opened.readings()?;
    let Some(file) = intake.batch_file(books)? else {
        report.fact("batch", "nothing new to seal");
        return Ok(());
    };
    if books.has_closed() {
        let days = books.decode_sealed(&file)?.leaves;
        let months: BTreeSet<Period> = days.iter().map(|day| day.block().key().day.period()).collect();
        for month in months.into_iter().filter(|month| books.period_leaves(*month).is_some()) {
            let what = "what comes now changes its bills by `tallywatt bill correct` only";
            report.notes.push(format!("{month} is closed: {what}"));
        }
    }
    let outcome = opened.consortium.propose(Party::Grid, Input::Batch(file))?;
    if let Command::Batch(batch) = &outcome.computed.command {
        report.fact("batch", batch.sequence).fact("batch root", batch.sealed.root.hash.to_string());
        report.fact("sealed days", batch.sealed.totals.leaf_count);
        report.fact("sealed readings", batch.sealed.totals.reading_count());
        report.fact("sealed import kWh", Energy::from_wh(batch.sealed.totals.import_wh()).to_string());
    }
    record(report, &outcome);
    if outcome.height.is_some() {
        intake.rotate()?;
    }
    Ok(())
}

/// Adds counts and a row a file.
pub fn tell(reports: &[ImportReport], report: &mut Report) {
    let mut table = Table::new(&[
        "file",
        "offered",
        "accepted",
        "duplicate",
        "corrected",
        "conflict",
        "set aside",
        "refused",
        "end",
    ]);
    let mut aside_notes = Vec::new();
    let (mut sum, mut of_runs) = (IntakeCounts::default(), OfRun::default());
    for import in reports {
        let counts = &import.counts;
        sum.add(counts);
        of_runs.rounded += import.of_run.rounded;
        of_runs.register_reads += import.of_run.register_reads;
        of_runs.installations += import.of_run.installations;
        of_runs.withdrawn += import.of_run.withdrawn;
        of_runs.notes.merge(&import.of_run.notes);
        for (code, count) in &import.rejected {
            let line = import.first_lines.get(code).copied().unwrap_or_default();
            let reason = code.reason();
            let became = match code {
                RejectionCode::Conflict => "readings, of which the smaller value stands as questionable",
                _ => "readings set aside",
            };
            aside_notes.push(format!("{}:{line}: {code} {reason}: {count} {became}", import.name));
        }
        let end = match &import.end {
            ImportEnd::Finished => {
                import.resumed_from.map_or("done".into(), |line| format!("done, went on behind line {line}"))
            }
            ImportEnd::Repeated => "known already, not read again".into(),
            ImportEnd::Interrupted(line) => format!("interrupted after line {line}"),
            ImportEnd::Refused { problem, next_step } => {
                report.notes.push(format!("{}, refused", placed(&import.name, problem)));
                report.next.push((*next_step).to_owned());
                format!("refused: {problem}")
            }
        };
        table.row(vec![
            json!(import.name),
            json!(counts.offered),
            json!(counts.accepted),
            json!(counts.duplicate),
            json!(counts.corrected),
            json!(counts.conflict),
            json!(counts.rejected),
            json!(counts.refused),
            json!(end),
        ]);
    }
    report.fact("files", reports.len()).fact("readings offered", sum.offered).fact("accepted", sum.accepted);
    report.fact("duplicate", sum.duplicate).fact("corrected", sum.corrected).fact("conflict", sum.conflict);
    report.fact("set aside", sum.rejected).fact("refused", sum.refused).fact("sum", balance(&sum));
    for (name, count) in [
        ("register reads", of_runs.register_reads),
        ("installations", of_runs.installations),
        ("withdrawn", of_runs.withdrawn),
        ("rounded to whole Wh", of_runs.rounded),
    ] {
        if count > 0 {
            report.fact(name, count);
        }
    }
    let said = of_runs.notes.to_string();
    if !said.is_empty() {
        let more = said.lines().count().saturating_sub(SAID_COUNT_MAX);
        let mut said: Vec<String> = said.lines().take(SAID_COUNT_MAX).map(str::to_owned).collect();
        if more > 0 {
            said.push(format!("{more} more codes"));
        }
        report.fact("source says", said.join("; "));
    }
    let unsaid = aside_notes.len().saturating_sub(NOTE_COUNT_MAX);
    report.notes.extend(aside_notes.into_iter().take(NOTE_COUNT_MAX));
    if unsaid > 0 {
        report.notes.push(format!("{unsaid} more; see `tallywatt readings quarantine`"));
    }
    // A screen of files is a list; more are a sum.
    report.is_folded = reports.len() > 40;
    report.table = Some(table);
    let refused = reports.iter().filter(|import| matches!(import.end, ImportEnd::Refused { .. })).count();
    if refused > 0 && refused == reports.len() {
        report.code = code::USAGE;
    } else if refused > 0 || reports.iter().any(|import| !import.rejected.is_empty()) {
        report.code = code::SET_ASIDE;
    }
}

/// What was offered as the sum of what became of it: `3 = 2 accepted + 1 duplicate + 0 corrected + …`.
fn balance(sum: &IntakeCounts) -> String {
    let IntakeCounts { offered, accepted, duplicate, corrected, conflict, rejected, refused } = sum;
    let parts = accepted + duplicate + corrected + conflict + rejected + refused;
    // Each reading became one thing: another sign here is a defect, and is seen.
    let sign = if parts == *offered { "=" } else { "≠" };
    format!(
        "{offered} {sign} {accepted} accepted + {duplicate} duplicate + {corrected} corrected + {conflict} conflict + \
         {rejected} set aside + {refused} refused"
    )
}

/// `file:line: problem`, where the problem says its line.
fn placed(name: &str, problem: &str) -> String {
    let numbered = problem.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    match numbered.filter(|(line, _)| line.parse::<u64>().is_ok()) {
        Some((line, what)) => format!("{name}:{line}: {what}"),
        None => format!("{name}: {problem}"),
    }
}

fn next_steps(reports: &[ImportReport], is_interrupted: bool, arguments: &Arguments, report: &mut Report) {
    let option = data_option(arguments);
    if is_interrupted {
        report.code = code::INTERRUPTED;
        report.then("run the same command again: it goes on from there, and nothing is doubled");
        return;
    }
    let is_set_aside = |waits: bool| {
        let codes = reports.iter().flat_map(|import| import.rejected.keys());
        codes.into_iter().any(|code| (*code == RejectionCode::Replacement) == waits)
    };
    if is_set_aside(true) {
        report.then(format!("tallywatt{option} readings pending"));
    }
    if is_set_aside(false) {
        report.then(format!("tallywatt{option} readings quarantine"));
    }
    report.then(format!("tallywatt{option} readings totals"));
}
