//! Amount and record: that the bill follows from what was opened, and that it is the one that was issued.

use tallywatt_core::bill::Bill;
use tallywatt_core::contract::Contract;
use tallywatt_core::rate::{BillInputs, bill_after as compute};
use tallywatt_ledger::receipt::Subject;
use tallywatt_ledger::tree::verify_path;

use crate::chain::{BillCommit, Trusted};
use crate::documents::Prices;
use crate::evidence::BillClaim;
use crate::previous::{not_checked, previous};
use crate::readings::OpenedReadings;
use crate::report::{Passed, Refusal, Step};

/// **amount**: the bill, computed here from the opened leaves, contracts, tariffs, agreement and the bill before, is the
/// very same.
///
/// Without it a bill that was sealed could still be wrong. A bill has one spelling, so equal values are equal bytes.
/// Local days follow the time-zone database: with another one than the ledger's, a difference proves nothing.
pub(crate) fn amount(
    claim: &BillClaim,
    commit: &BillCommit,
    prices: &Prices,
    opened: &OpenedReadings<'_>,
    trusted: &Trusted<'_>,
) -> Step<()> {
    let stated = &claim.bill.body;
    let contracts: Vec<Contract> = claim.contracts.iter().map(|contract| contract.body.clone()).collect();
    let inputs = BillInputs {
        account: stated.account,
        period: commit.period,
        contracts: &contracts,
        tariffs: &prices.tariffs,
        agreement: &claim.agreement,
        readings: commit.readings.hash,
        market: &prices.market,
    };
    let previous = previous(claim, trusted)?;
    let computed = compute(&inputs, previous, &|key| opened.block(key)).map_err(|error| error.to_string());
    let difference = match &computed {
        Ok(computed) => first_difference(stated, computed),
        Err(error) => Some(format!("no bill follows from the readings: {error}")),
    };
    match difference {
        None => {
            let mut detail = format!(
                "{} {} recomputed from {} lines over {} Wh",
                stated.total,
                stated.currency,
                stated.lines.len(),
                opened.energy_wh()
            );
            if let Some(previous) = previous {
                detail.push_str(&format!(", standing on the bill of {}", previous.period));
            }
            Ok(Passed::new((), detail).but_not(not_checked(claim)))
        }
        Some(text) if trusted.is_tzdb_ours() => Err(Refusal::Broken(text)),
        Some(text) => {
            let theirs = &trusted.genesis.tzdb;
            Err(Refusal::Unable(format!("{text}; use a verifier with time-zone data {theirs} to be sure")))
        }
    }
}

/// What differs first, the total before all else.
fn first_difference(stated: &Bill, computed: &Bill) -> Option<String> {
    if stated == computed {
        return None;
    }
    if stated.total != computed.total {
        return Some(format!(
            "the bill says {}, the readings and tariff give {}",
            stated.total, computed.total
        ));
    }
    for (at, (says, gives)) in stated.lines.iter().zip(&computed.lines).enumerate() {
        if says != gives {
            return Some(format!(
                "line {} of the bill says {} × {} = {}, the readings and tariff give {} × {} = {}",
                at + 1,
                says.quantity,
                says.price,
                says.amount,
                gives.quantity,
                gives.price,
                gives.amount
            ));
        }
    }
    let table = [
        ("period", stated.period == computed.period),
        ("currency", stated.currency == computed.currency),
        ("number of lines", stated.lines.len() == computed.lines.len()),
        ("tariff versions", stated.tariffs == computed.tariffs),
        ("root of the readings", stated.readings == computed.readings),
        ("tax", stated.vat == computed.vat),
        ("completeness", stated.completeness == computed.completeness),
        ("payee's part", stated.payee_part == computed.payee_part),
        ("list of price series, hours and plans", stated.market == computed.market),
        ("bill before", stated.previous == computed.previous),
        ("list of what it carries on", stated.carried == computed.carried),
    ];
    let field = table.iter().find(|(_, is_same)| !is_same).map_or("agreement", |(field, _)| field);
    Some(format!("the bill's {field} is not what the readings and tariff give"))
}

/// **record**: this very bill is in the sealed list, and its account and month are those of the subject.
///
/// Without it a right computation could be shown for a bill that was never issued, or under another's name.
pub(crate) fn record(subject: Subject, claim: &BillClaim, commit: &BillCommit) -> Step<()> {
    let stated = &claim.bill.body;
    let is_subject = subject == Subject::Bill { period: stated.period, account: stated.account };
    if !is_subject {
        return Err(format!(
            "the bill is of {}, {}, the subject is {subject}",
            stated.account, stated.period
        )
        .into());
    }
    let opened = &claim.bill;
    verify_path(commit.tree, &opened.hash, opened.index, &opened.path, &commit.list)
        .map_err(|error| format!("the bill was not issued: {error}"))?;
    let what = if claim.correction.is_some() { "correction" } else { "bill" };
    Ok(Passed::new((), format!("{what} {} of {} in {}", opened.index + 1, commit.list.count, commit.period)))
}
