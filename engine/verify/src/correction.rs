//! Before and delta: that a correction names what stood before, and says rightly what it changes and charges.

use tallywatt_core::bill::Bill;
use tallywatt_core::correction::{Correction, DeltaLine, Stands};
use tallywatt_ledger::tree::verify_path;

use crate::chain::BillCommit;
use crate::evidence::{BeforeClaim, BillClaim, CorrectionClaim, Stood};
use crate::report::{Passed, Step};

impl BeforeClaim {
    fn stands(&self) -> Stands<'_> {
        match &self.stood.body {
            Stood::Bill(bill) => Stands::issued(self.stood.hash, bill),
            Stood::Correction(correction) => Stands::corrected(self.stood.hash, correction),
        }
    }

    fn bill(&self) -> &Bill {
        self.stood.body.bill()
    }
}

/// **before**: what the correction says stood before is the account's bill of the month, or a correction of it, and the chain
/// committed it earlier.
///
/// Without it a correction could start from a bill that nobody was sent, and charge what was charged already.
pub(crate) fn before(claim: &BillClaim, correction: &CorrectionClaim) -> Step<()> {
    let named = correction.body.before;
    let Some(before) = &correction.before else {
        return match named {
            Some(hash) => Err(format!("what stood before, {}, is not there", hash.short()).into()),
            None => {
                let untold = "that the account had no bill for this month before".to_owned();
                Ok(Passed::new((), "it is the account's first bill for the month".to_owned())
                    .but_not([untold]))
            }
        };
    };
    let stood = &before.stood;
    if named != Some(stood.hash) {
        let named = named.map_or_else(|| "nothing".to_owned(), |hash| hash.short());
        return Err(format!("the correction names {named} as before it, not {}", stood.hash.short()).into());
    }
    let (now, was) = (&claim.bill.body, before.bill());
    if (was.account, was.period) != (now.account, now.period) {
        return Err(format!("what stood before is of {}, {}", was.account, was.period).into());
    }
    let block = &before.sealed_by.block;
    let command = &block.proposal.command;
    let commit = BillCommit::of(command)
        .filter(|commit| commit.day.is_some() == matches!(stood.body, Stood::Correction(_)))
        .ok_or_else(|| format!("block {} is a {}, and cannot commit it", block.height, command.name()))?;
    if commit.period != was.period {
        return Err(format!("block {} is of {}", block.height, commit.period).into());
    }
    verify_path(commit.tree, &stood.hash, stood.index, &stood.path, &commit.list)
        .map_err(|error| format!("what stood before was not issued: {error}"))?;
    let what = match stood.body {
        Stood::Bill(_) => "bill",
        Stood::Correction(_) => "correction",
    };
    let detail =
        format!("{what} {} of {} {}, block {}", stood.hash.short(), was.total, was.currency, block.height);
    Ok(Passed::new((), detail).but_not(["that what stood before was right".to_owned()]))
}

/// **delta**: each line, the tax, the totals and what is charged are what both bills, the day and the agreement give.
///
/// Without it the lines of a correction could say one thing and its total another, or an increase be charged that comes too
/// late for it.
pub(crate) fn delta(claim: &BillClaim, correction: &CorrectionClaim, commit: &BillCommit) -> Step<()> {
    let stated = &correction.body;
    if commit.day != Some(stated.day) {
        return Err(format!("the correction is of {}, its block of another day", stated.day).into());
    }
    let stands = correction.before.as_ref().map(BeforeClaim::stands);
    let months = claim.agreement.body.terms.back_billing_months;
    let computed = Correction::new(stands.as_ref(), stated.day, stated.bill.clone(), months);
    let computed = computed.map_err(|error| error.to_string())?;
    if let Some(text) = first_difference(stated, &computed) {
        return Err(text.into());
    }
    let charged = stated.charged.total;
    let mut detail =
        format!("{} in {} lines, charged {charged}", stated.delta.total, stated.delta.lines.len());
    if let Some(months) = stated.barred_by {
        detail.push_str(&format!(": an increase more than {months} months after the month is not charged"));
    }
    Ok(Passed::new((), detail))
}

/// What differs first.
fn first_difference(stated: &Correction, computed: &Correction) -> Option<String> {
    if stated == computed {
        return None;
    }
    let written = |line: Option<&DeltaLine>| {
        line.map_or_else(
            || "nothing".to_owned(),
            |line| format!("{} for {} = {}", line.quantity, line.exact, line.amount),
        )
    };
    let count = stated.delta.lines.len().max(computed.delta.lines.len());
    for at in 0..count {
        let (says, gives) = (stated.delta.lines.get(at), computed.delta.lines.get(at));
        if says != gives {
            let (says, gives) = (written(says), written(gives));
            return Some(format!("line {} of the difference says {says}, the bills give {gives}", at + 1));
        }
    }
    if stated.delta != computed.delta {
        let (says, gives) = (stated.delta.total, computed.delta.total);
        return Some(format!("the difference says {says}, the bills give {gives}, or another tax or part"));
    }
    let (says, gives) = (stated.charged.total, computed.charged.total);
    match computed.barred_by {
        Some(months) if stated.barred_by.is_none() => Some(format!(
            "{says} is charged, an increase more than {months} months after the month, or of a bill on which one was held back"
        )),
        _ => Some(format!(
            "{says} is charged and {} owed, the bills give {gives} and {}",
            stated.owed.total, computed.owed.total
        )),
    }
}
