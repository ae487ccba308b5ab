//! `chain`: status, log, show, audit; tiles and evidence in files of their own.

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_node::audit::{AuditReport, audit};
use tallywatt_node::ledger_folder::HeldFolder;

use crate::args::{Arguments, Chain, ChainAction};
use crate::chain_tiles;
use crate::evidence;
use crate::failure::{Failure, code};
use crate::open::{data_option, open};
use crate::output::{Report, Table};

/// The chain.
pub fn run(chain: &Chain, arguments: &Arguments) -> Result<Report, Failure> {
    match &chain.action {
        ChainAction::Status => status(arguments),
        ChainAction::Log => log(arguments),
        ChainAction::Show { height } => show(*height, arguments),
        ChainAction::Evidence { one: Some(one), other: Some(other), output } => {
            evidence::make(one, other, output)
        }
        ChainAction::Evidence { .. } => evidence::list(arguments),
        ChainAction::Tiles { folder } => chain_tiles::run(folder, arguments),
        ChainAction::Audit => {
            // A node that runs is stopped first: what is audited must not change meanwhile.
            let folder = HeldFolder::hold(&arguments.data)?;
            let threads = folder.config().pool(arguments.threads)?;
            Ok(audited(&audit(&folder, &threads), arguments))
        }
    }
}

fn status(arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let mut table = Table::new(&["node", "blocks", "root", "signed by", "state"]);
    for node in opened.consortium.nodes() {
        let member = node.member();
        let signers: Vec<&str> = member.cosigners(member.size()).iter().map(|party| party.name()).collect();
        let state = match (member.frozen(), member.is_keyless()) {
            (Some(_), _) => "frozen",
            (None, true) => "without keys",
            (None, false) => "signing",
        };
        table.row(vec![
            json!(node.party().name()),
            json!(member.size()),
            json!(member.log().root().to_string()),
            json!(signers.join(" ")),
            json!(state),
        ]);
    }
    let member = opened.consortium.node(Party::Grid).member();
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("origin", opened.folder.config().origin.clone());
    report.fact("chain", member.state().chain().map_or_else(String::new, |hash| hash.to_string()));
    if let Some(genesis) = opened.consortium.node(Party::Grid).books().genesis() {
        report.fact("recomputed by", genesis.attesters.words());
    }
    report.fact("keys", opened.consortium.node(Party::Grid).books().keys_words());
    report.fact("billed", member.state().billed().to_string());
    report.fact("received", member.state().received().to_string());
    let findings = opened.consortium.node(Party::Grid).store().findings();
    report.notes = findings.map_err(|error| Failure::usage(error, "run `tallywatt chain audit`"))?;
    for node in opened.consortium.nodes() {
        report.notes.extend(node.keeps_no());
        if let Some(reason) = node.member().frozen() {
            report.notes.push(format!("{} signs nothing any more: {reason}", node.party().name()));
        }
    }
    report.then(format!("tallywatt{} chain log", data_option(arguments)));
    Ok(report)
}

fn log(arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let blocks = opened.consortium.node(Party::Grid).store().blocks();
    let blocks = blocks.map_err(|error| Failure::usage(error, "run `tallywatt chain audit`"))?;
    let mut table = Table::new(&["block", "time", "proposer", "command", "figures", "attested by"]);
    for stored in blocks {
        let block = &stored.block;
        let figures: Vec<String> = block
            .proposal
            .command
            .figures()
            .iter()
            .take(3)
            .filter(|(name, _)| *name != "keys")
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let attested: Vec<&str> =
            block.attestations.iter().map(|attestation| attestation.party.name()).collect();
        table.row(vec![
            json!(block.height),
            json!(UtcSeconds(i64::try_from(block.proposal.time_unix_s).unwrap_or(i64::MAX)).to_string()),
            json!(block.proposal.proposer.name()),
            json!(block.proposal.command.name()),
            json!(figures.join(", ")),
            json!(attested.join(" ")),
        ]);
    }
    let newest = table.rows.len().saturating_sub(1);
    let mut report = Report { table: Some(table), ..Report::default() };
    report.then(format!("tallywatt{} chain show {newest}", data_option(arguments)));
    Ok(report)
}

fn show(height: u64, arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let blocks = opened.consortium.node(Party::Grid).store().blocks();
    let blocks = blocks.map_err(|error| Failure::usage(error, "run `tallywatt chain audit`"))?;
    let found = usize::try_from(height).ok().and_then(|height| blocks.get(height));
    let stored = found.ok_or_else(|| {
        Failure::usage(
            format!("there is no block {height}: the chain has {}", blocks.len()),
            "see `tallywatt chain log`",
        )
    })?;
    let mut report = Report::default();
    report.fact("block", height).fact("hash", stored.block.hash().to_string());
    report.fact("parent", stored.block.proposal.parent.to_string());
    report.fact("state root", stored.leaf.state.to_string());
    report.fact("command", stored.block.proposal.command.name());
    report.fact("proposer", stored.block.proposal.proposer.name());
    let mut table = Table::new(&["figure", "value"]);
    for (name, value) in stored.block.proposal.command.figures() {
        table.row(vec![json!(name), json!(value)]);
    }
    report.table = Some(table);
    let signers: Vec<&str> =
        opened.consortium.cosigners(height + 1).iter().map(|party| party.name()).collect();
    if !signers.is_empty() {
        report.fact("head signed by", signers.join(" "));
    }
    report.then(format!("tallywatt{} chain audit", data_option(arguments)));
    Ok(report)
}

fn audited(found: &AuditReport, arguments: &Arguments) -> Report {
    let mut report = Report::default();
    let mut table = Table::new(&["place", "what"]);
    for finding in &found.findings {
        table.row(vec![json!(finding.place), json!(finding.what)]);
    }
    for (what, count) in &found.checked {
        report.fact(what, *count);
    }
    let option = data_option(arguments);
    let verdict = if found.findings.is_empty() { "SOUND" } else { "DAMAGED" };
    report.text = Some(audit_text(found, verdict));
    if found.findings.is_empty() {
        report.then(format!("tallywatt{option} chain status"));
    } else {
        report.code = code::NO;
        report.then(format!(
            "restore the named file from another party's copy, then: tallywatt{option} chain audit"
        ));
    }
    report.fact("findings", found.findings.len()).fact("verdict", verdict);
    report.table = Some(table);
    report.notes.extend(found.not_checked.iter().map(|what| format!("not checked: {what}")));
    report
}

/// What was looked at, each finding with its place on a line of its own, the verdict last.
fn audit_text(found: &AuditReport, verdict: &str) -> String {
    let width = found.checked.keys().map(|what| what.len()).max().unwrap_or(0);
    let mut text: String =
        found.checked.iter().map(|(what, count)| format!(" {what:<width$}  {count:>12}\n")).collect();
    for finding in &found.findings {
        text.push_str(&format!("\n {}\n     {}\n", finding.place, finding.what));
    }
    let count = found.findings.len();
    let findings = if count == 1 { "1 finding".to_owned() } else { format!("{count} findings") };
    text.push_str(&format!("\n{verdict}  {findings}\n"));
    text
}
