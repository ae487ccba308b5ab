//! Opening a data folder for a command.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Period;
use tallywatt_core::label::UsagePointId;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_node::books::Books;
use tallywatt_node::consortium::Outcome;
use tallywatt_node::ledger::Ledger;
use tallywatt_node::ledger_folder::HeldFolder;
use tallywatt_node::node::Lie;
use tallywatt_node::running::view::RunningNodes;

use crate::args::Arguments;
use crate::failure::{Failure, code};
use crate::output::{Report, word};

/// A held data folder with its nodes open, or the doors to those that run.
pub struct Opened {
    /// The folder.
    pub folder: HeldFolder,
    /// The nodes.
    pub consortium: Ledger,
}

impl Opened {
    /// The books of a node at hand that keeps readings.
    ///
    /// # Errors
    /// [`Failure`] where only the bank's is at hand, which keeps none.
    pub fn readings(&self) -> Result<&Books, Failure> {
        let books = self.consortium.node(Party::Grid).books();
        if books.keeps_readings() { Ok(books) } else { Err(books.not_kept(CommandKind::Batch).into()) }
    }
}

/// Holds and opens the data folder of the command line.
pub fn open(arguments: &Arguments) -> Result<Opened, Failure> {
    let folder = HeldFolder::hold_for_command(&arguments.data)?;
    open_held(folder, arguments)
}

/// Opens a held data folder.
pub fn open_held(folder: HeldFolder, arguments: &Arguments) -> Result<Opened, Failure> {
    let threads = folder.config().pool(arguments.threads)?;
    let mut consortium = match folder.config().settings() {
        None => Ledger::Together(Box::new(folder.open(&threads, now_unix_s)?)),
        Some(settings) => {
            let folders = [(folder.path(), settings.party)];
            Ledger::Running(RunningNodes::open(&folders, &folder.config().origin, &threads)?)
        }
    };
    if let Some((party, lie)) = liar(arguments)? {
        consortium.node_mut(party).set_lie(lie);
    }
    Ok(Opened { folder, consortium })
}

/// Opens nodes that run on these folders; `folder` is the first of them, held for a command.
pub fn open_running(
    folder: HeldFolder,
    folders: &[(PathBuf, Party)],
    arguments: &Arguments,
) -> Result<Opened, Failure> {
    let threads = folder.config().pool(arguments.threads)?;
    let folders: Vec<_> = folders.iter().map(|(path, party)| (path.as_path(), *party)).collect();
    let running = RunningNodes::open(&folders, &folder.config().origin, &threads)?;
    Ok(Opened { folder, consortium: Ledger::Running(running) })
}

/// The party that is to compute something else, if any, and what.
pub fn liar(arguments: &Arguments) -> Result<Option<(Party, Lie)>, Failure> {
    let Some(name) = &arguments.liar else { return Ok(None) };
    let party = Party::from_name(name);
    let party = party
        .ok_or_else(|| Failure::usage(format!("no party is named {name}"), "name grid, bank or supplier"))?;
    let lie = Lie::ALL.into_iter().find(|(known, _)| *known == arguments.lie);
    let lie = lie.ok_or_else(|| {
        let names = Lie::ALL.map(|(name, _)| name).join(", ");
        Failure::usage(format!("no lie is named {}", arguments.lie), format!("name one of {names}"))
    })?;
    Ok(Some((party, lie.1)))
}

/// UTC seconds of the system's clock.
pub fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Adds what became of a proposal; a dispute makes the command answer no.
pub fn record(report: &mut Report, outcome: &Outcome) {
    if let Some(height) = outcome.height {
        report.fact("block", height);
    }
    report.fact("status", outcome.status());
    report.notes.extend(outcome.findings.iter().cloned());
    if outcome.height.is_none() || !outcome.is_sealed() {
        report.code = if outcome.height.is_none() { code::NO } else { code::NO_QUORUM };
    }
}

/// Reads a month.
pub fn period_of(text: &str) -> Result<Period, Failure> {
    text.parse().map_err(|error| Failure::usage(error, "write it as 2026-03"))
}

/// Reads the name of a usage point.
pub fn usage_point_of(text: &str) -> Result<UsagePointId, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("usage point: {error}"), "check the name"))
}

/// The `-C` part of a next command.
pub fn data_option(arguments: &Arguments) -> String {
    if arguments.data.as_os_str() == "tallywatt-data" {
        String::new()
    } else {
        format!(" -C {}", word(&arguments.data))
    }
}
