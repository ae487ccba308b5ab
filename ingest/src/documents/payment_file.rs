//! The bank's payment registry, as CSV: `payment_id,account,date,amount`, closed by `#TOTAL,<count>,<sum>`.
//!
//! More columns may be there. `period` is the month that the payer named, `2026-03`, or empty. `reverses` is the payment
//! that a row takes back, a refund or a chargeback, or empty; such a row has an id of its own and an amount below zero.
//! `matches` is the payment in suspense of which a row gives an amount to its account. `remittance` is what the payer wrote:
//!
//! ```text
//! payment_id,account,date,amount,period,reverses,matches,remittance
//! P-17,A-000001,2026-04-02,120.00,2026-03,,,
//! P-18,A-000001,2026-04-09,-20.00,,P-17,,
//! P-19,A000002,2026-04-09,70.00,,,,"flat 2, March"
//! M-1,A-000002,2026-04-10,70.00,,,P-19,
//! #TOTAL,4,170.00
//! ```
//!
//! The sum of the trailer is what came in less what went back: a match moves nothing in or out. Nor does an order of a reserve:
//! with `hold` in the column `reserve` the account's bill of the month in `period` is disputed from that day on, with `release`
//! all that is held of it is given to the party whose it is. Such a row has no amount:
//!
//! ```text
//! payment_id,account,date,amount,period,reserve
//! D-1,A-000001,2026-04-09,,2026-03,hold
//! #TOTAL,1,0.00
//! ```
//! The trailer is what tells a whole file from one that was cut off on its way, so it is never optional. A
//! registry that is wrong anywhere is refused everywhere: half a registry would settle twice when it comes again.

use std::collections::HashMap;
use std::io::Read;

use tallywatt_core::account::{Entry, Payment, Reversal};
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::label::Label;
use tallywatt_core::money::{MINOR_DECIMALS, Money};
use tallywatt_core::reserve::{ReserveAction, ReserveOrder};
use tallywatt_core::suspense::{Match, Remittance};

use super::error::DocumentError;
use super::rows::{Columns, Rows, shown};

const COLUMNS: [&str; COLUMN_COUNT] =
    ["payment_id", "account", "date", "amount", "period", "reverses", "matches", "remittance", "reserve"];
const COLUMN_COUNT: usize = 9;
/// As many of them must be there.
const REQUIRED_COUNT: usize = 4;
const TRAILER: &str = "#TOTAL";

const VALUE: &str = "ask the bank for a corrected registry";
const AGAIN: &str = "fetch the whole file from the bank again";

/// A registry whose rows equal its trailer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentRegistry {
    /// Payments, reversals, matches and orders of reserves, in file order, each id once.
    pub entries: Vec<Entry>,
    /// The sum of the payments, less the reversals.
    pub total: Money,
}

/// Reads a payment registry; `file` is its name in messages.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_payments(file: &str, input: impl Read) -> Result<PaymentRegistry, DocumentError> {
    let mut rows = Rows::new(file, input);
    let columns = rows.header_with(COLUMNS, REQUIRED_COUNT)?;
    let mut registry = PaymentRegistry::default();
    // Only looked up, never walked: the order of the payments is that of the file.
    let mut known: HashMap<Label, (usize, u64)> = HashMap::new();
    while let Some(row) = rows.next_row()? {
        if row[0] == TRAILER {
            check_trailer(&rows, &row, &registry)?;
            return match rows.next_row()? {
                None => Ok(registry),
                Some(_) => Err(rows.fail(rows.line(), format!("a row after the {TRAILER} line"), AGAIN)),
            };
        }
        let entry = entry_of(&rows, &columns, &row)?;
        let place = (registry.entries.len(), rows.line());
        if let Some((index, line)) = known.insert(entry.id(), place) {
            let problem = if registry.entries[index] == entry {
                format!("the payment of line {line} once more")
            } else {
                format!("payment_id {} stands on line {line} already, with other content", entry.id())
            };
            return Err(rows.fail(rows.line(), problem, VALUE));
        }
        let total = registry.total.checked_add(entry.signed_amount());
        registry.total =
            total.ok_or_else(|| rows.fail(rows.line(), "the sum passes 64-bit minor units", VALUE))?;
        registry.entries.push(entry);
    }
    Err(rows.fail(
        rows.line().max(1),
        format!("the file ends without its {TRAILER} line: it was cut off"),
        AGAIN,
    ))
}

fn entry_of<R: Read>(
    rows: &Rows<'_, R>,
    columns: &Columns<COLUMN_COUNT>,
    row: &[String],
) -> Result<Entry, DocumentError> {
    let [id, account, date, written, period, reverses, matches, remittance, reserve] =
        columns.pick(rows, row)?;
    let fail = |problem: String| rows.fail(rows.line(), problem, VALUE);
    let id = id.parse().map_err(|error| fail(format!("payment_id: {error}")))?;
    let account = account.parse().map_err(|error| fail(format!("account: {error}")))?;
    let booked = date.parse::<Day>().map_err(|error| fail(format!("date: {error}")))?;
    if !reserve.is_empty() {
        let action = ReserveAction::from_name(reserve)
            .ok_or_else(|| fail(format!("reserve {}: write hold or release", shown(reserve))))?;
        if ![written, reverses, matches, remittance].iter().all(|field| field.is_empty()) {
            return Err(fail(
                "an order of a reserve has no amount and no text, reverses and matches nothing".into(),
            ));
        }
        let period = period.parse().map_err(|error| fail(format!("period: {error}")))?;
        return Ok(Entry::Reserve(ReserveOrder { id, account, period, booked, action }));
    }
    let is_reversal = !reverses.is_empty();
    let amount = amount_of(written, is_reversal);
    let amount = amount.map_err(|problem| fail(format!("amount {}: {problem}", shown(written))))?;
    if is_reversal || !matches.is_empty() {
        let what = if is_reversal { "reversal" } else { "match" };
        if is_reversal && !matches.is_empty() {
            return Err(fail("a row that both reverses and matches".into()));
        }
        if !remittance.is_empty() {
            return Err(fail(format!("a {what} with a remittance text: that of its payment stands")));
        }
    }
    if !matches.is_empty() {
        let payment = matches.parse().map_err(|error| fail(format!("matches: {error}")))?;
        if !period.is_empty() {
            return Err(fail("a match with a period: the month that its payer named holds".into()));
        }
        return Ok(Entry::Match(Match { id, payment, account, booked, amount }));
    }
    if is_reversal {
        let payment = reverses.parse().map_err(|error| fail(format!("reverses: {error}")))?;
        if !period.is_empty() {
            return Err(fail(
                "a reversal with a period: it goes back to the bills that its payment paid".into(),
            ));
        }
        return Ok(Entry::Reversal(Reversal { id, payment, account, booked, amount }));
    }
    let named = (!period.is_empty()).then(|| period.parse::<Period>()).transpose();
    let period = named.map_err(|error| fail(format!("period: {error}")))?;
    let text = (!remittance.is_empty()).then(|| Remittance::new(remittance)).transpose();
    let remittance = text.map_err(|error| fail(format!("remittance: {error}")))?;
    Ok(Entry::Payment(Payment { id, account, booked, amount, period, remittance }))
}

/// An amount above zero, or that of a reversal, which is below zero; written with at most two decimals.
fn amount_of(text: &str, is_reversal: bool) -> Result<Money, String> {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let amount: Money = text.parse().map_err(|error| format!("{error}"))?;
    match () {
        () if u32::try_from(decimals).is_ok_and(|count| count > MINOR_DECIMALS) => {
            Err(format!("more than {MINOR_DECIMALS} decimals"))
        }
        () if is_reversal && amount >= Money::ZERO => Err("not below zero, as a reversal is".to_owned()),
        () if is_reversal => {
            Money::ZERO.checked_sub(amount).ok_or_else(|| "more than can be paid".to_owned())
        }
        () if amount <= Money::ZERO => Err("not above zero".to_owned()),
        () => Ok(amount),
    }
}

fn check_trailer<R: Read>(
    rows: &Rows<'_, R>,
    row: &[String],
    registry: &PaymentRegistry,
) -> Result<(), DocumentError> {
    let fail = |problem: String| Err(rows.fail(rows.line(), problem, AGAIN));
    let [_, count, sum] = row else {
        return fail(format!("the {TRAILER} line is not {TRAILER},<count>,<sum>"));
    };
    let (Ok(count), Ok(sum)) = (count.parse::<usize>(), sum.parse::<Money>()) else {
        return fail(format!("the {TRAILER} line is not {TRAILER},<count>,<sum>"));
    };
    if count != registry.entries.len() {
        return fail(format!(
            "the {TRAILER} line counts {count} payments, the file has {}",
            registry.entries.len()
        ));
    }
    if sum != registry.total {
        return fail(format!("the {TRAILER} line sums to {sum}, the payments to {}", registry.total));
    }
    Ok(())
}
