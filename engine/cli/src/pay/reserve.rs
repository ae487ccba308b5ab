//! `pay reserve`: what the bank holds of legs until an order releases it, and which bills are disputed.

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::money::Money;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::open::{data_option, open};
use crate::output::{Report, Table};

/// Lists it by account and month.
pub fn list(arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let reserve = opened.consortium.node(Party::Bank).books().payments().reserve();
    let mut table = Table::new(&["account", "period", "disputed", "held"]);
    let mut sum = Money::ZERO;
    let keys = reserve.keys();
    for key in &keys {
        let held = reserve.held(key);
        sum = [sum, held].into_iter().sum();
        let disputed = if reserve.is_disputed(key) { "yes" } else { "no" };
        table.row(vec![
            json!(key.0.to_string()),
            json!(key.1.to_string()),
            json!(disputed),
            json!(held.to_string()),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("bills", keys.len()).fact("held in reserve", sum.to_string());
    report
        .notes
        .push("a row with `reserve` holds or releases: payment_id,account,date,amount,period,reserve".into());
    report.then(format!("tallywatt{} pay plan ORDERS.csv", data_option(arguments)));
    Ok(report)
}
