//! The bill that a bill stands on: what it carried, and that it was issued for the month before.

use tallywatt_core::carried::PreviousBill;
use tallywatt_ledger::tree::verify_path;

use crate::chain::Trusted;
use crate::evidence::{BillClaim, Stood};

/// The bill before, or a correction of it, opened up to the commit of its own month; `None` where the bill stands on none.
///
/// Without it a credit or a peak could be made up. That the bill before was itself computed right is for its own receipt.
pub(crate) fn previous<'a>(
    claim: &'a BillClaim,
    trusted: &Trusted<'_>,
) -> Result<Option<PreviousBill<'a>>, String> {
    let stated = &claim.bill.body;
    let (opened, commit) = match (&claim.previous, trusted.previous, stated.previous) {
        (None, None, None) => return Ok(None),
        (Some(opened), Some(commit), Some(hash))
            if opened.hash == hash && commit.day.is_some() == matches!(opened.body, Stood::Correction(_)) =>
        {
            (opened, commit)
        }
        (_, _, Some(hash)) => {
            return Err(format!("the bill stands on bill {}, which is not here", hash.short()));
        }
        (_, _, None) => return Err("a bill before it is here, and the bill stands on none".to_owned()),
    };
    let before = opened.body.bill();
    if before.account != stated.account {
        return Err(format!("the bill before is of account {}, not {}", before.account, stated.account));
    }
    if before.period.number() + 1 != stated.period.number() || commit.period != before.period {
        return Err(format!("the bill before is of {}, the bill of {}", before.period, stated.period));
    }
    verify_path(commit.tree, &opened.hash, opened.index, &opened.path, &commit.list)
        .map_err(|error| format!("the bill before was not issued: {error}"))?;
    Ok(Some(PreviousBill { hash: opened.hash, period: before.period, carried: &before.carried }))
}

/// What the reader is told of the months before.
pub(crate) fn not_checked(claim: &BillClaim) -> Option<String> {
    let stated = &claim.bill.body;
    match &claim.previous {
        Some(opened) => Some(format!(
            "that the bill of {} before it is right: it has a receipt of its own",
            opened.body.bill().period
        )),
        None if stated.carried.is_empty() => None,
        None => Some("that no bill of the month before carried anything to this one".to_owned()),
    }
}
