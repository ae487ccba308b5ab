//! Opening a data folder for a command.

use std::time::{SystemTime, UNIX_EPOCH};

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Period;
use tallywatt_core::label::UsagePointId;
use tallywatt_node::consortium::{Consortium, Outcome};
use tallywatt_node::ledger_folder::HeldFolder;
use tallywatt_node::node::Lie;

use crate::args::Arguments;
use crate::failure::{Failure, code};
use crate::output::{Report, word};

/// A held data folder with its three nodes open.
pub struct Opened {
    /// The folder.
    pub folder: HeldFolder,
    /// The nodes.
    pub consortium: Consortium,
}

/// Holds and opens the data folder of the command line.
pub fn open(arguments: &Arguments) -> Result<Opened, Failure> {
    let folder = HeldFolder::hold(&arguments.data)?;
    open_held(folder, arguments)
}

/// Opens a held data folder.
pub fn open_held(folder: HeldFolder, arguments: &Arguments) -> Result<Opened, Failure> {
    let threads = folder.config().pool(arguments.threads)?;
    let mut consortium = folder.open(&threads, now_unix_s)?;
    if let Some(name) = &arguments.liar {
        let party = Party::from_name(name).ok_or_else(|| {
            Failure::usage(format!("no party is named {name}"), "name grid, bank or supplier")
        })?;
        consortium.node_mut(party).set_lie(Lie::Figures);
    }
    Ok(Opened { folder, consortium })
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
