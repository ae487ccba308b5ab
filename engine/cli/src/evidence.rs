//! Evidence: of a double signature, made by `chain evidence`, and of a wrong result, which nodes make by themselves; read by `verify`.

mod wrong_result;

use std::path::Path;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_ledger::double_signature::{DoubleSignature, DoubleSigner, EvidenceError};
use tallywatt_ledger::note::{NOTE_SIZE_MAX, Note};
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::wrong_result::WRONG_RESULT_MARK;
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_shards::durable;

use crate::args::Arguments;
use crate::failure::{Failure, code};
use crate::open::data_option;
use crate::output::{Report, Table, word};

/// Puts two signed heads side by side in a file.
pub fn make(one: &Path, other: &Path, output: &Path) -> Result<Report, Failure> {
    let evidence = DoubleSignature::new(read_note(one)?, read_note(other)?).map_err(|error| {
        Failure::with_code(code::NO, error, "give two heads of one size with different roots")
    })?;
    let absolute = std::path::absolute(output).map_err(|error| Failure::file("resolve", output, &error))?;
    durable::write_durably(&absolute, evidence.encode().as_bytes())?;
    let [first, second] = evidence.heads();
    let mut report = Report::default();
    report
        .fact("evidence", output.display().to_string())
        .fact("origin", first.origin())
        .fact("size", first.size());
    report.fact("root", first.root().to_string()).fact("other root", second.root().to_string());
    report.then(format!("tallywatt verify {}", word(output)));
    Ok(report)
}

fn read_note(path: &Path) -> Result<Note, Failure> {
    let next = "give a signed head: the file `checkpoint` of a served log, or the end of a receipt";
    let bytes = durable::read_limited(path, u64::try_from(NOTE_SIZE_MAX).unwrap_or(u64::MAX))?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Failure::usage(format!("{} is not text", path.display()), next))?;
    Note::parse(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display()), next))
}

/// The evidence that the nodes of a data folder made by themselves.
pub fn list(arguments: &Arguments) -> Result<Report, Failure> {
    let mut table = Table::new(&["node", "file"]);
    let mut newest = None;
    for party in Party::ALL {
        let folder = NodeFolder::below(&arguments.data, party);
        let paths = folder.evidence();
        let paths = paths.map_err(|error| Failure::usage(error, "look at the node's folder"))?;
        for path in paths {
            table.row(vec![json!(party.name()), json!(path.display().to_string())]);
            newest = Some(path);
        }
    }
    let mut report = Report::default();
    report.fact("evidence", table.rows.len());
    report.table = Some(table);
    match newest {
        Some(path) => report.then(format!("tallywatt verify {}", word(&path))),
        None => report.then(format!("tallywatt{} chain status", data_option(arguments))),
    };
    Ok(report)
}

/// Checks an evidence: exit 0 if somebody is convicted, 1 if it does not hold, 2 if it cannot be told.
pub fn verify(bytes: &[u8], policy: &Policy) -> Report {
    if bytes.starts_with(WRONG_RESULT_MARK.as_bytes()) {
        return wrong_result::verify(bytes, policy);
    }
    let found = DoubleSignature::parse(bytes).and_then(|evidence| {
        let signers = evidence.signers(policy)?;
        Ok((evidence, signers))
    });
    match found {
        Ok((evidence, signers)) => convicted(&evidence, &signers),
        Err(error) => refused(&error),
    }
}

fn convicted(evidence: &DoubleSignature, signers: &[DoubleSigner]) -> Report {
    let [first, second] = evidence.heads();
    let mut table = Table::new(&["who", "key", "signed", "and"]);
    let mut text = String::from(" pass  file         two signed heads\n");
    text.push_str(&format!(
        " pass  heads        {} at size {}: roots {} and {}\n",
        first.origin(),
        first.size(),
        first.root(),
        second.root()
    ));
    for signer in signers {
        let times = signer
            .times_unix_s
            .map(|times| times.map(|time| UtcSeconds(i64::try_from(time).unwrap_or(i64::MAX)).to_string()));
        let when = times.as_ref().map_or_else(String::new, |[one, other]| format!(", at {one} and {other}"));
        text.push_str(&format!(
            " pass  signatures   {} signed both by key {}{when}\n",
            signer.name, signer.key
        ));
        let [one, other] = times.unwrap_or_default();
        table.row(vec![json!(signer.name), json!(signer.key), json!(one), json!(other)]);
    }
    let names: Vec<&str> = signers.iter().map(|signer| signer.name.as_str()).collect();
    let summary =
        format!("VALID    evidence: {} signed two heads of size {}", names.join(", "), first.size());
    text.push_str(" not checked        which of the two histories is right\n");
    text.push_str(&format!("{summary}\n"));
    let mut report = Report { text: Some(text), table: Some(table), ..Report::default() };
    report
        .fact("verdict", "valid")
        .fact("summary", summary)
        .fact("origin", first.origin())
        .fact("size", first.size());
    report.fact("root", first.root().to_string()).fact("other root", second.root().to_string());
    report.then("retire the key: show this file to the other parties, whose policies know it too");
    report
}

fn refused(error: &EvidenceError) -> Report {
    let (verdict, exit) = match error {
        EvidenceError::Version { .. } => ("unchecked", code::USAGE),
        _ => ("invalid", code::NO),
    };
    let summary = format!("{:<8} evidence: {error}", verdict.to_uppercase());
    let mut report = Report { code: exit, text: Some(format!("{summary}\n")), ..Report::default() };
    report.fact("verdict", verdict).fact("summary", summary);
    report.then("nobody is convicted by this file; check that the policy is that of the log it is of");
    report
}
