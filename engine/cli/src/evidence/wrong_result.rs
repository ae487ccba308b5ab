//! What `verify` says of evidence of a wrong result: who signed what, where the results differ, and whom two contradict.

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::wrong_result::{Dispute, Judgement, Shown, WrongResult, WrongResultError};

use crate::failure::code;
use crate::output::{Report, Table};

/// Exit 0 if somebody is contradicted by two, 2 if it cannot be told who is wrong, 1 if it does not hold.
pub(super) fn verify(bytes: &[u8], policy: &Policy) -> Report {
    let evidence = WrongResult::parse(bytes);
    let shown = evidence.as_ref().map_err(Clone::clone).and_then(|evidence| evidence.check(policy));
    match shown {
        Ok(shown) => told(&shown),
        Err(error) => refused(&error),
    }
}

fn told(shown: &Shown<'_>) -> Report {
    let (dispute, head) = (shown.dispute, &shown.verdict.checkpoint);
    let proposal = dispute.proposal();
    let (command, proposer) = (proposal.command.name(), proposal.proposer);
    let witnesses: Vec<&str> = shown.verdict.witnesses.iter().map(|one| one.witness.as_str()).collect();
    let time = UtcSeconds(i64::try_from(proposal.time_unix_s).unwrap_or(i64::MAX));
    let said = said(dispute);
    let signers: Vec<&str> = said.iter().map(|(party, ..)| party.name()).collect();
    let mut text = format!(
        " pass  file         {} signed statements of one proposal\n \
         pass  log          {} of size {}, cosigned by {}\n \
         pass  signatures   {}, each by the key by which the first block says it attests\n \
         pass  proposal     {command} {} of {proposer}, {time}, on block {}\n",
        said.len(),
        head.origin(),
        head.size(),
        witnesses.join(", "),
        signers.join(", "),
        proposal.number,
        proposal.parent.short(),
    );
    let mut table = Table::new(&["who", "said", "result"]);
    for (party, verb, result) in &said {
        text.push_str(&format!("       {:<12} {verb} {result}\n", party.name()));
        table.row(vec![json!(party.name()), json!(verb), json!(result)]);
    }
    let of = format!("{command} {} of {proposer}", proposal.number);
    let (verdict, exit, summary) = match shown.judgement {
        Judgement::Contradicted(party) => {
            let by: Vec<&str> =
                Party::ALL.iter().filter(|other| **other != party).map(|other| other.name()).collect();
            ("valid", 0, format!("{} signed another result than {party} of {of}", by.join(" and ")))
        }
        Judgement::Open => {
            let what = format!("{} signed different results of {of}", signers.join(", "));
            ("unchecked", code::USAGE, format!("{what}: at most one is right, and no two say the same"))
        }
        Judgement::OtherFile => {
            let what = "the dissent is of another file than the proposal names";
            ("unchecked", code::USAGE, format!("{what}: who gave it cannot be told"))
        }
    };
    let summary = format!("{:<8} evidence: {summary}", verdict.to_uppercase());
    text.push_str(
        " not checked        which result is right: a receipt recomputes a bill from its readings\n",
    );
    text.push_str(&format!("{summary}\n"));
    let mut report = Report { code: exit, text: Some(text), table: Some(table), ..Report::default() };
    report.fact("verdict", verdict).fact("summary", summary).fact("origin", head.origin());
    report.fact("size", head.size()).fact("command", command).fact("proposer", proposer.name());
    report.fact("proposal", proposal.id().to_string());
    if let Judgement::Contradicted(party) = shown.judgement {
        report.fact("contradicted", party.name());
    }
    match shown.judgement {
        Judgement::Contradicted(_) => {
            report
                .then("show this file to the regulator, with a receipt of a bill that the results differ in");
        }
        _ => {
            report.then(
                "have both results audited: `tallywatt chain audit` at each, and a receipt of what differs",
            );
        }
    }
    report
}

/// Who said what of the proposal, by party: the first figure that differs, where one does.
fn said(dispute: &Dispute) -> Vec<(Party, &'static str, String)> {
    let proposal = dispute.proposal();
    let proposed = proposal.id().short();
    let of = |party: Party| if party == proposal.proposer { "proposes" } else { "computes" };
    let mut said: Vec<(Party, &'static str, String)> = dispute
        .attestations()
        .iter()
        .map(|attestation| (attestation.party, of(attestation.party), proposed.clone()))
        .collect();
    let others = dispute.others().iter();
    said.extend(
        others.map(|(party, other)| (*party, "differs", proposal.command.difference(&other.command))),
    );
    said.sort_by_key(|(party, ..)| *party);
    said
}

fn refused(error: &WrongResultError) -> Report {
    let summary = format!("INVALID  evidence: {error}");
    let mut report = Report { code: code::NO, text: Some(format!("{summary}\n")), ..Report::default() };
    report.fact("verdict", "invalid").fact("summary", summary);
    report.then("nobody is convicted by this file; check that the policy is that of the log it is of");
    report
}
