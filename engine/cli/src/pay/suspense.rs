//! `pay suspense`: money that the bank holds because it found no account for it.

use serde_json::json;
use tallywatt_core::account::Payment;
use tallywatt_core::agreement::Party;
use tallywatt_core::money::Money;
use tallywatt_core::suspense::Remittance;

use crate::args::Arguments;
use crate::arrears::day_of;
use crate::failure::Failure;
use crate::open::{data_option, open};
use crate::output::{Report, Table};

/// Lists it by age, the oldest first.
pub fn list(as_of: Option<&str>, arguments: &Arguments) -> Result<Report, Failure> {
    let as_of = day_of(as_of)?;
    let opened = open(arguments)?;
    let held = opened.consortium.node(Party::Bank).books().payments().suspense();
    let mut table = Table::new(&["payment", "account", "booked", "days", "amount", "remittance"]);
    let mut sum = Money::ZERO;
    for placed in &held {
        let Payment { id, account, booked, remittance, .. } = placed.payment();
        let days = (as_of.number() - booked.number()).max(0);
        sum = [sum, placed.suspended()].into_iter().sum();
        table.row(vec![
            json!(id.to_string()),
            json!(account.to_string()),
            json!(booked.to_string()),
            json!(days),
            json!(placed.suspended().to_string()),
            json!(remittance.as_ref().map_or("", Remittance::as_str)),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("as of", as_of.to_string()).fact("payments", held.len());
    report.fact("in suspense", sum.to_string());
    if held.is_empty() {
        report.then(format!("tallywatt{} pay split", data_option(arguments)));
    } else {
        report.notes.push(
            "a row with `matches` gives money to an account: payment_id,account,date,amount,matches".into(),
        );
        report.then(format!("tallywatt{} pay plan MATCHES.csv", data_option(arguments)));
    }
    Ok(report)
}
