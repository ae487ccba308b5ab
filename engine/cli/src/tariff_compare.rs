//! `tariff compare`: what a month of an account would have cost under other tariffs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::calendar::Period;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;
use tallywatt_core::money::Money;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::rate::{BillInputs, RateRun};
use tallywatt_core::tariff::{Tariff, TariffBook};

use crate::args::Arguments;
use crate::bill::{contracts_of, find};
use crate::eligibility;
use crate::failure::Failure;
use crate::open::{Opened, data_option};
use crate::output::{Report, Table};
use crate::tariffs::read_tariff;

/// Rates the month's readings again under each tariff, all of the account's contracts with it; cheapest first.
pub fn run(
    opened: &Opened,
    account: &str,
    period: Period,
    files: &[PathBuf],
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let books = opened.readings()?;
    let issued = find(books, account, period)?;
    let contracts = contracts_of(books, issued);
    let leaves = books.period_leaves(period).unwrap_or_default();
    let blocks: BTreeMap<_, _> = leaves.iter().map(|leaf| (leaf.block().key(), leaf.block())).collect();
    let mut candidates: BTreeMap<Label, TariffBook> = BTreeMap::new();
    for file in files {
        publish(&mut candidates, read_tariff(file)?, &file.display().to_string())?;
    }
    if files.is_empty() {
        for version in books.tariffs().versions() {
            publish(&mut candidates, version.clone(), "the chain")?;
        }
    }
    // Only where some candidate has bounds is there a column for them.
    let is_bounded = |tariff: &Published<Tariff>| tariff.body.parts().eligibility.is_some();
    let has_bounds = candidates.values().any(|book| book.versions().iter().any(is_bounded));
    let mut run = RateRun::new(period);
    let find_block = |key: &BlockKey| blocks.get(key).copied();
    let mut rows: Vec<(Money, Label, Vec<serde_json::Value>)> = Vec::new();
    let mut report = Report::default();
    for (id, tariffs) in &candidates {
        let first = tariffs.versions()[0].body.parts();
        if first.currency != issued.currency {
            report
                .notes
                .push(format!("{id} is in {}, the bill in {}: left out", first.currency, issued.currency));
            continue;
        }
        let moved: Vec<Contract> =
            contracts.iter().map(|contract| Contract { tariff: *id, ..contract.clone() }).collect();
        let inputs = BillInputs {
            account: issued.account,
            period,
            contracts: &moved,
            tariffs,
            agreement: &nobodys(first),
            readings: issued.readings,
            market: books.market(),
        };
        match run.bill(&inputs, &find_block) {
            Ok(other) => {
                let difference = other.total.checked_sub(issued.total);
                let difference = difference.map_or(String::new(), |difference| difference.to_string());
                let mut row = vec![json!(id.to_string()), json!(other.total.to_string()), json!(difference)];
                if has_bounds {
                    let passed = run.ineligible(&moved, tariffs, &find_block);
                    row.push(json!(eligibility::in_words(passed.iter())));
                }
                rows.push((other.total, *id, row));
            }
            Err(error) => report.notes.push(format!("{id}: {error}")),
        }
    }
    rows.sort_by_key(|(total, id, _)| (*total, *id));
    let columns = ["tariff", "total", "difference", "not for it"];
    let mut table = Table::new(&columns[..if has_bounds { 4 } else { 3 }]);
    rows.into_iter().for_each(|(.., row)| table.row(row));
    report.table = Some(table);
    report.fact("account", issued.account.to_string()).fact("period", period.to_string());
    report.fact("issued", issued.total.to_string());
    report.then(format!("tallywatt{} bill show {account} {period}", data_option(arguments)));
    Ok(report)
}

fn publish(
    candidates: &mut BTreeMap<Label, TariffBook>,
    version: Published<Tariff>,
    place: &str,
) -> Result<(), Failure> {
    let book = candidates.entry(version.body.parts().id).or_default();
    let next = "name one version for each day";
    book.publish(version).map_err(|error| Failure::usage(format!("{place}: {error}"), next))
}

/// An agreement by which nobody gets a part: what is compared is what is paid, not who gets it.
fn nobodys(parts: &tallywatt_core::tariff::TariffParts) -> Published<Agreement> {
    let body = Agreement {
        id: parts.id,
        title: String::new(),
        currency: parts.currency,
        validity: parts.validity,
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: SplitRule::Share(0),
        terms: PaymentTerms::default(),
    };
    Published { hash: ContentHash::default(), body }
}
