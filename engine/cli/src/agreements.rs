//! `agreement`: signed by both of its parties, and active from then on.
//!
//! ```text
//!   agreement.toml ──publish──▶ proposed ──sign, each party──▶ agreement.toml.note ──activate──▶ bills and splits follow it
//! ```

pub mod options;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::hash::Published;
use tallywatt_ingest::documents::{Document, parse_document};
use tallywatt_ledger::activation::{Activation, consent_text};
use tallywatt_ledger::agreement_bytes::publish_agreement;
use tallywatt_ledger::note::{NOTE_SIZE_MAX, Note};
use tallywatt_node::books::Input;
use tallywatt_node::node::NodeError;
use tallywatt_shards::durable;

use crate::agreements::options::{Agreement as Asked, AgreementAction};
use crate::args::Arguments;
use crate::failure::{Failure, code};
use crate::open::{Opened, data_option, open, record};
use crate::output::{Report, Table, word};

const SIGN: &str = "sign it as each party with `tallywatt agreement sign FILE --party NAME`";

/// Agreements.
pub fn run(asked: &Asked, arguments: &Arguments) -> Result<Report, Failure> {
    match &asked.action {
        AgreementAction::Sign { file, party, from } => sign(file, party, *from, arguments),
        AgreementAction::Activate { file } => activate(file, arguments),
        AgreementAction::List => list(arguments),
    }
}

fn read(file: &Path) -> Result<Published<Agreement>, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?;
    let name = file.display().to_string();
    match parse_document(&name, &text)? {
        Document::Agreement(agreement) => Ok(publish_agreement(agreement)),
        _ => Err(Failure::usage(format!("{name}: not an agreement"), "name an agreement file")),
    }
}

/// `agreement.toml.note`.
fn note_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file.as_os_str());
    name.push(".note");
    PathBuf::from(name)
}

fn read_note(path: &Path) -> Result<Note, Failure> {
    let limit = u64::try_from(NOTE_SIZE_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read_limited(path, limit)?;
    let text = String::from_utf8_lossy(&bytes);
    Note::parse(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display()), SIGN))
}

fn sign(file: &Path, party: &str, from: u64, arguments: &Arguments) -> Result<Report, Failure> {
    let agreement = read(file)?;
    let Agreement { id, payee, remainder, .. } = agreement.body;
    let next = format!("name {payee} or {remainder}");
    let party = Party::from_name(party)
        .filter(|party| [payee, remainder].contains(party))
        .ok_or_else(|| Failure::usage(format!("{party} is no party of agreement {id}"), next))?;
    let opened = open(arguments)?;
    let node = opened.consortium.node(party);
    let origin = node.books().genesis().map_or("", |genesis| genesis.origin.as_str());
    let text = consent_text(origin, &id, &agreement.hash, from);
    let path = note_path(file);
    let mut lines = if path.exists() {
        let known = read_note(&path)?;
        if known.text() != text {
            let problem =
                format!("{}: signs other words than agreement {id} from block {from}", path.display());
            return Err(Failure::usage(
                problem,
                "name the block it names, or move it away: it is of another version",
            ));
        }
        known.signatures().to_vec()
    } else {
        Vec::new()
    };
    let line = node.consent(&agreement, from)?;
    let mut report = Report::default();
    report.fact("agreement", id.to_string()).fact("hash", agreement.hash.to_string());
    report.fact("party", party.name()).fact("note", path.display().to_string());
    if lines.contains(&line) {
        report.fact("status", "signed before");
    } else {
        lines.push(line);
        let note = Note::new(&text, lines.clone());
        let note = note.map_err(|error| Failure::usage(format!("{}: {error}", path.display()), SIGN))?;
        durable::write_durably(&path, note.encode().as_bytes())?;
        report.fact("status", "signed");
    }
    report.fact("signatures", lines.len());
    let option = data_option(arguments);
    let other = if party == payee { remainder } else { payee };
    report.then(match lines.len() {
        1 if from > 0 => {
            format!("tallywatt{option} agreement sign {} --party {other} --from {from}", word(file))
        }
        1 => format!("tallywatt{option} agreement sign {} --party {other}", word(file)),
        _ => format!("tallywatt{option} agreement activate {}", word(file)),
    });
    Ok(report)
}

fn activate(file: &Path, arguments: &Arguments) -> Result<Report, Failure> {
    let agreement = read(file)?;
    let path = note_path(file);
    if !path.exists() {
        let problem =
            format!("{} is not there: agreement {} is not signed", path.display(), agreement.body.id);
        return Err(Failure::usage(problem, SIGN));
    }
    let note = read_note(&path)?;
    let mut opened = open(arguments)?;
    let proposer = agreement.body.remainder;
    let books = opened.consortium.node(proposer).books();
    let (keys, now) = (books.keys()?, books.keys_now()?);
    let activation = Activation::of_note(&note, &agreement, keys.origin(), now);
    let activation =
        activation.map_err(|error| Failure::usage(format!("{}: {error}", path.display()), SIGN))?;
    let from = activation.from.max(books.height());
    let outcome = opened.consortium.propose(proposer, Input::Activation(Box::new(activation)));
    let outcome = outcome.map_err(|error| {
        Failure::usage(error, "publish it with `tallywatt tariff publish`, and activate it once")
    })?;
    let mut report = Report::default();
    report.fact("agreement", agreement.body.id.to_string()).fact("from block", from);
    record(&mut report, &outcome);
    report.then(format!("tallywatt{} agreement list", data_option(arguments)));
    Ok(report)
}

fn list(arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let books = opened.consortium.node(Party::Supplier).books();
    let mut table = Table::new(&["id", "validity", "payee", "remainder", "status", "from block", "hash"]);
    let mut proposed = 0;
    for known in books.agreements() {
        let from = books.active_from(&known.hash);
        let status = match from {
            None => "proposed",
            Some(_) if books.is_active(&known.hash) => "active",
            Some(_) => "signed",
        };
        proposed += usize::from(from.is_none());
        table.row(vec![
            json!(known.body.id.to_string()),
            json!(known.body.validity.to_string()),
            json!(known.body.payee.name()),
            json!(known.body.remainder.name()),
            json!(status),
            json!(from.map_or_else(String::new, |from| from.to_string())),
            json!(known.hash.short()),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("proposed", proposed);
    report.then(format!("tallywatt{} contract list", data_option(arguments)));
    Ok(report)
}

/// Signs these agreements as both of their parties, whose keys are all in this folder, and activates those that are not yet.
pub fn activate_all(
    opened: &mut Opened,
    agreements: &[Published<Agreement>],
    report: &mut Report,
) -> Result<(), NodeError> {
    let mut activated = 0;
    for agreement in agreements {
        if opened.consortium.node(Party::Supplier).books().active_from(&agreement.hash).is_some() {
            continue;
        }
        let outcome = opened.consortium.activate(agreement)?;
        report.notes.extend(outcome.findings.iter().cloned());
        if !outcome.is_sealed() {
            report.code = if outcome.height.is_none() { code::NO } else { code::NO_QUORUM };
        }
        activated += 1;
    }
    report.fact("activated", activated);
    Ok(())
}
