//! The bank's payment registry, as CSV: `payment_id,account,date,amount`, closed by `#TOTAL,<count>,<sum>`.
//!
//! The trailer is what tells a whole file from one that was cut off on its way, so it is never optional. A
//! registry that is wrong anywhere is refused everywhere: half a registry would settle twice when it comes again.

use std::collections::HashMap;
use std::io::Read;

use tallywatt_core::account::Payment;
use tallywatt_core::calendar::Day;
use tallywatt_core::label::Label;
use tallywatt_core::money::{MINOR_DECIMALS, Money};

use super::error::DocumentError;
use super::rows::{Columns, Rows, shown};

const COLUMNS: [&str; 4] = ["payment_id", "account", "date", "amount"];
const TRAILER: &str = "#TOTAL";

const VALUE: &str = "ask the bank for a corrected registry";
const AGAIN: &str = "fetch the whole file from the bank again";

/// A registry whose rows equal its trailer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaymentRegistry {
    /// The payments, in file order, each id once.
    pub payments: Vec<Payment>,
    /// Their sum.
    pub total: Money,
}

/// Reads a payment registry; `file` is its name in messages.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_payments(file: &str, input: impl Read) -> Result<PaymentRegistry, DocumentError> {
    let mut rows = Rows::new(file, input);
    let columns = rows.header(COLUMNS)?;
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
        let payment = payment_of(&rows, &columns, &row)?;
        let place = (registry.payments.len(), rows.line());
        if let Some((index, line)) = known.insert(payment.id, place) {
            let problem = if registry.payments[index] == payment {
                format!("the payment of line {line} once more")
            } else {
                format!("payment_id {} stands on line {line} already, with other content", payment.id)
            };
            return Err(rows.fail(rows.line(), problem, VALUE));
        }
        let total = registry.total.checked_add(payment.amount);
        registry.total =
            total.ok_or_else(|| rows.fail(rows.line(), "the sum passes 64-bit minor units", VALUE))?;
        registry.payments.push(payment);
    }
    Err(rows.fail(
        rows.line().max(1),
        format!("the file ends without its {TRAILER} line: it was cut off"),
        AGAIN,
    ))
}

fn payment_of<R: Read>(
    rows: &Rows<'_, R>,
    columns: &Columns<4>,
    row: &[String],
) -> Result<Payment, DocumentError> {
    let [id, account, date, amount] = columns.pick(rows, row)?;
    let fail = |problem: String| rows.fail(rows.line(), problem, VALUE);
    Ok(Payment {
        id: id.parse().map_err(|error| fail(format!("payment_id: {error}")))?,
        account: account.parse().map_err(|error| fail(format!("account: {error}")))?,
        booked: date.parse::<Day>().map_err(|error| fail(format!("date: {error}")))?,
        amount: amount_of(amount).map_err(|problem| fail(format!("amount {}: {problem}", shown(amount))))?,
    })
}

/// An amount above zero, written with at most two decimals.
fn amount_of(text: &str) -> Result<Money, String> {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let amount: Money = text.parse().map_err(|error| format!("{error}"))?;
    match () {
        () if u32::try_from(decimals).is_ok_and(|count| count > MINOR_DECIMALS) => {
            Err(format!("more than {MINOR_DECIMALS} decimals"))
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
    if count != registry.payments.len() {
        return fail(format!(
            "the {TRAILER} line counts {count} payments, the file has {}",
            registry.payments.len()
        ));
    }
    if sum != registry.total {
        return fail(format!("the {TRAILER} line sums to {sum}, the payments to {}", registry.total));
    }
    Ok(())
}
