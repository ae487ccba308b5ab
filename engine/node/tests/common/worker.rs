//! The main job as a process of its own that can be killed: every step is done once, and said when it is durable.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::atomic::AtomicBool;
use std::{env, fs};

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_ingest::documents::{parse_contracts, parse_document};
use tallywatt_node::books::records::{contracts_file, document_bytes, publication_of};
use tallywatt_node::books::{Books, Input};
use tallywatt_node::consortium::Consortium;
use tallywatt_node::intake::{ImportEnd, ImportReport, ImportRun, Intake};
use tallywatt_node::ledger_folder::{HeldFolder, LedgerError, Secrets};
use tallywatt_shards::threads::Threads;

use crate::common::{AGREEMENT, NOW_UNIX_S, TARIFF, clock};
use crate::tiny;

/// What a line begins with that says that something is durable.
pub const ACK: &str = "ack ";
/// The last of them.
pub const DONE: &str = "ack done";
const DATA_VARIABLE: &str = "TALLYWATT_TEST_WORKER_DATA";
const INPUT_VARIABLE: &str = "TALLYWATT_TEST_WORKER_INPUT";
/// Days, and batches: two of the billed month, one after it.
pub const DAYS: [&str; 3] = ["2026-03-30", "2026-03-31", "2026-04-01"];
/// Usage points a day: more than two chunks of readings.
const POINT_COUNT: usize = 700;
/// Readings a day.
pub const DAY_READING_COUNT: u64 = 48 * POINT_COUNT as u64;

/// Writes the days' files; the first two usage points have contracts.
pub fn write_input(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    for (at, day) in DAYS.iter().enumerate() {
        let mut text = format!("usage_point,obis,date{columns}\n");
        for point in 1..=POINT_COUNT {
            let wh = 100 * (at + 1) + point;
            text.push_str(&format!("P-{point},1-0:1.8.0,{day}{}\n", format!(",{wh}").repeat(48)));
        }
        fs::write(folder.join(format!("{day}.csv")), text).unwrap();
    }
}

/// This test file's own program, told to be the worker on these folders.
pub fn process(data: &Path, input: &Path) -> Process {
    let mut process = Process::new(env::current_exe().unwrap());
    process.args(["--exact", "worker", "--nocapture"]).env(DATA_VARIABLE, data).env(INPUT_VARIABLE, input);
    process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    process
}

/// To be called by the test named `worker`: works if this process was started to, and ends it then.
pub fn work_if_asked() {
    let (Some(data), Some(input)) = (env::var_os(DATA_VARIABLE), env::var_os(INPUT_VARIABLE)) else { return };
    match work(&PathBuf::from(data), &PathBuf::from(input)) {
        Ok(()) => println!("{DONE}"),
        Err(error) => {
            println!("failed: {error}");
            std::process::exit(2);
        }
    }
}

fn ack(what: impl std::fmt::Display) {
    println!("{ACK}{what}");
}

/// The whole job from wherever it stands.
fn work(data: &Path, input: &Path) -> Result<(), Box<dyn Error>> {
    let held = hold(data)?;
    ack("created");
    let threads = Threads::new(1)?;
    let mut consortium = held.open(&threads, clock)?;
    publish(&mut consortium)?;
    seal_day(data, &mut consortium, input, DAYS[0])?;
    seal_day(data, &mut consortium, input, DAYS[1])?;
    let month = tiny::MONTH.parse()?;
    if consortium.node(Party::Grid).books().period_leaves(month).is_none() {
        propose(&mut consortium, Party::Grid, Input::Period(month))?;
    }
    if consortium.node(Party::Supplier).books().bills(month).is_none() {
        propose(&mut consortium, Party::Supplier, Input::Bills(month))?;
    }
    if consortium.node(Party::Bank).books().payments().payments().is_empty() {
        propose(&mut consortium, Party::Bank, Input::Payments(tiny::payments()))?;
    }
    seal_day(data, &mut consortium, input, DAYS[2])
}

/// Holds the folder; one that was not finished is begun anew.
fn hold(data: &Path) -> Result<HeldFolder, Box<dyn Error>> {
    match HeldFolder::hold(data) {
        Err(LedgerError::HalfMade(_)) => fs::remove_dir_all(data)?,
        Err(LedgerError::Missing(_)) => {}
        held => return Ok(held?),
    }
    Ok(HeldFolder::create(data, "tallywatt.test/ledger", "RUB".parse()?, Secrets::Demonstration(7))?)
}

fn publish(consortium: &mut Consortium) -> Result<(), Box<dyn Error>> {
    for text in [TARIFF, AGREEMENT] {
        let bytes = document_bytes(&parse_document("test.toml", text)?);
        let publication = publication_of(&bytes)?;
        let state = consortium.node(Party::Supplier).member().state();
        if !state.is_published(publication.kind, &publication.hash) {
            propose(consortium, Party::Supplier, Input::Document(bytes))?;
        }
    }
    let books = consortium.node(Party::Supplier).books();
    let proposed = books.agreements().iter().find(|known| books.active_from(&known.hash).is_none()).cloned();
    if let Some(agreement) = proposed {
        consortium.activate(&agreement)?;
    }
    if consortium.node(Party::Supplier).books().contracts().is_empty() {
        let contracts = parse_contracts("contracts.csv", tiny::CONTRACTS.as_bytes())?;
        let contracts = tallywatt_core::contract::in_order(contracts)?;
        propose(consortium, Party::Supplier, Input::Contracts(contracts_file(&contracts)))?;
    }
    Ok(())
}

/// Takes a day in and seals it.
fn seal_day(data: &Path, consortium: &mut Consortium, input: &Path, day: &str) -> Result<(), Box<dyn Error>> {
    let books = consortium.node(Party::Grid).books();
    let mut intake = Intake::open(data, books)?;
    let file = input.join(format!("{day}.csv"));
    let reports =
        import(&mut intake, books, &file, &mut |progress| ack(format!("chunk {day} {}", progress.readings)))?;
    for report in reports {
        match report.end {
            ImportEnd::Repeated => {}
            ImportEnd::Finished => ack(format!("import {day} {}", report.counts.accepted)),
            end => return Err(format!("{day}: {end:?}").into()),
        }
    }
    let blocks = intake.unsealed_blocks(books)?;
    // Readings of the next day may be here already; they are its own batch, so that the cuts are the same.
    if blocks.iter().any(|block| block.key().day.to_string() == day) {
        let batch = books.batch_file(&blocks)?;
        propose(consortium, Party::Grid, Input::Batch(batch))?;
        intake.rotate()?;
    }
    Ok(())
}

/// Imports a file as the worker does.
pub fn import(
    intake: &mut Intake,
    books: &Books,
    file: &Path,
    told: &mut dyn FnMut(tallywatt_node::intake::Progress),
) -> Result<Vec<ImportReport>, Box<dyn Error>> {
    let (interrupt, now) = (AtomicBool::new(false), UtcSeconds(i64::try_from(NOW_UNIX_S)?));
    let profile = tiny::profile();
    let mut run =
        ImportRun { profile: &profile, books, now, interrupt: &interrupt, progress: told, only_lines: None };
    Ok(intake.import(file, &mut run)?)
}

fn propose(consortium: &mut Consortium, proposer: Party, input: Input) -> Result<(), Box<dyn Error>> {
    let outcome = consortium.propose(proposer, input)?;
    match outcome.height {
        Some(height) if outcome.is_sealed() => {
            ack(format!("block {height} {}", outcome.computed.command.digest()));
            Ok(())
        }
        _ => Err(format!("{}: {:?}", outcome.status(), outcome.findings).into()),
    }
}
