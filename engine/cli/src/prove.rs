//! `prove` and `verify`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Period;
use tallywatt_core::label::AccountId;
use tallywatt_ledger::double_signature::EVIDENCE_MARK;
use tallywatt_ledger::policy::{POLICY_SIZE_MAX, Policy};
use tallywatt_ledger::receipt::{RECEIPT_SIZE_MAX, Receipt};
use tallywatt_node::ledger_folder::POLICY_NAME;
use tallywatt_node::prove::{bill_receipt, bill_receipt_of, day_receipt};
use tallywatt_shards::durable;
use tallywatt_verify::report::Report as VerifyReport;

use crate::args::{Arguments, Prove, ProveSubject, Verify};
use crate::evidence;
use crate::failure::Failure;
use crate::open::{Opened, open, period_of};
use crate::output::{Report, Table, word};
use crate::readings::block_key;

/// Writes a receipt.
pub fn run(prove: &Prove, arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let (receipt, name) = match &prove.subject {
        ProveSubject::Bill { account, period, correction } => {
            let id: AccountId = account
                .parse()
                .map_err(|error| Failure::usage(format!("account: {error}"), "check the name"))?;
            let month = period_of(period)?;
            let receipt = match correction {
                None => prove_bill(&opened, id, month)?,
                Some(number) => bill_receipt_of(opened.consortium.node(Party::Supplier), id, month, *number)?,
            };
            (receipt, format!("bill-{account}-{period}.receipt"))
        }
        ProveSubject::Day { usage_point, day, obis } => {
            let key = block_key(usage_point, day, obis)?;
            let receipt = day_receipt(opened.consortium.node(Party::Grid), key)?;
            (receipt, format!("day-{usage_point}-{day}.receipt"))
        }
    };
    let path = prove.output.clone().unwrap_or_else(|| PathBuf::from(name.replace(['/', ' ', ':'], "-")));
    let bytes = receipt.encode();
    durable::write_durably(&absolute(&path)?, &bytes)?;
    let policy = arguments.data.join(POLICY_NAME);
    let mut report = Report::default();
    report.fact("subject", receipt.subject.to_string());
    report.fact("receipt", path.display().to_string()).fact("bytes", bytes.len());
    report.fact("leaves", receipt.leaves.len());
    report.then(format!("tallywatt verify {} --policy {}", word(&path), word(&policy)));
    Ok(report)
}

/// The receipt of a bill as it stands now.
pub fn prove_bill(opened: &Opened, account: AccountId, period: Period) -> Result<Receipt, Failure> {
    Ok(bill_receipt(opened.consortium.node(Party::Supplier), account, period)?)
}

/// Checks a receipt, or an evidence.
pub fn verify(verify: &Verify, arguments: &Arguments) -> Result<Report, Failure> {
    let policy_path = verify.policy.clone().unwrap_or_else(|| arguments.data.join(POLICY_NAME));
    let limit = u64::try_from(RECEIPT_SIZE_MAX).unwrap_or(u64::MAX);
    let found = match (read_policy(&policy_path), durable::read_limited(&verify.file, limit)) {
        (Ok(policy), Ok(bytes)) if bytes.starts_with(EVIDENCE_MARK) => {
            return Ok(evidence::verify(&bytes, &policy));
        }
        (Ok(policy), Ok(bytes)) => tallywatt_verify::verify(&bytes, &policy),
        (Err(why), _) => VerifyReport::unreadable(&why),
        (_, Err(why)) => VerifyReport::unreadable(&why.to_string()),
    };
    let mut report = Report { code: found.exit_code(), ..Report::default() };
    report.text = Some(found.to_string());
    report.json = Some(format!("{}\n", found.to_json()));
    let mut table = Table::new(&["check", "status", "detail"]);
    for check in &found.checks {
        table.row(vec![json!(check.name), json!(check.status.name()), json!(check.detail)]);
    }
    report.table = Some(table);
    match report.code {
        0 => {
            report.then("ask another party for its trust policy too: all three must give you the same");
        }
        1 => {
            report.then("do not rely on this receipt; ask whoever gave it to you for another");
        }
        _ => {
            report
                .then("give the receipt and, with --policy, the trust policy you were given by the parties");
        }
    }
    Ok(report)
}

/// Reads a trust policy.
pub fn read_policy(path: &Path) -> Result<Policy, String> {
    let limit = u64::try_from(POLICY_SIZE_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read_limited(path, limit).map_err(|error| format!("no trust policy: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: not text", path.display()))?;
    Policy::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// A file in the working folder has one too.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    }
    std::path::absolute(path).map_err(|error| Failure::file("resolve", path, &error))
}
