//! Documents and contracts: by which prices, by which agreement, and for which usage points an account is billed.

use tallywatt_core::agreement::Agreement;
use tallywatt_core::contract::{self, Contract};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;
use tallywatt_core::market::MarketBook;
use tallywatt_core::tariff::{Tariff, TariffBook};
use tallywatt_core::validity::Validity;
use tallywatt_ledger::command::{DocumentKind, Publication};
use tallywatt_ledger::tree::{TreeKind, verify_path};

use crate::chain::{BillCommit, Trusted};
use crate::evidence::{BillClaim, Evidence, MarketRecord};
use crate::report::{Passed, Step};

/// What a bill's amounts are taken from.
pub(crate) struct Prices {
    pub tariffs: TariffBook,
    pub market: MarketBook,
}

/// **documents**: each tariff version, price series, list of hours and the agreement was published on the chain, and the
/// bill names exactly these.
///
/// Without it a price could be made up, or taken from a version that never held. Gives what to bill by.
pub(crate) fn documents(evidence: &Evidence, claim: &BillClaim, trusted: &Trusted<'_>) -> Step<Prices> {
    let mut wanted: Vec<Publication> = claim.tariffs.iter().map(publication_of_tariff).collect();
    wanted.push(publication_of_agreement(&claim.agreement));
    wanted.extend(claim.market.iter().map(publication_of_market));
    for document in &wanted {
        let is_published = trusted.publications.contains(&document);
        if !is_published {
            return Err(format!("{} {} was not published", document.id, document.hash.short()).into());
        }
    }
    if trusted.publications.len() != wanted.len() {
        let (blocks, documents) = (trusted.publications.len(), wanted.len());
        return Err(format!("{blocks} publications for {documents} documents").into());
    }
    let bill = &claim.bill.body;
    let hashes: Vec<ContentHash> = claim.tariffs.iter().map(|tariff| tariff.hash).collect();
    if bill.tariffs != hashes {
        return Err("the bill names other tariff versions than these, or in another order".to_owned().into());
    }
    let hashes: Vec<ContentHash> = claim.market.iter().map(MarketRecord::hash).collect();
    if bill.market != hashes {
        let what =
            "the bill names other price series, lists of hours or plans than these, or in another order";
        return Err(what.to_owned().into());
    }
    if bill.agreement != claim.agreement.hash {
        return Err("the bill names another agreement".to_owned().into());
    }
    check_activation(evidence, claim, trusted)?;
    let first_day = bill.period.first_day();
    if !claim.agreement.body.validity.contains(first_day) {
        return Err(format!("the agreement does not hold on {first_day}").into());
    }
    if bill.currency != trusted.genesis.currency {
        let (found, expected) = (bill.currency, trusted.genesis.currency);
        return Err(format!("the bill is in {found}, the ledger in {expected}").into());
    }
    let mut prices = Prices { tariffs: TariffBook::default(), market: MarketBook::new() };
    for tariff in &claim.tariffs {
        prices.tariffs.publish(tariff.clone()).map_err(|error| error.to_string())?;
    }
    for document in &claim.market {
        match document {
            MarketRecord::Series(series) => prices.market.publish_series(series.clone()),
            MarketRecord::Hours(hours) => prices.market.publish_hours(hours.clone()),
            MarketRecord::Plan(plan) => prices.market.publish_plan(plan.clone()),
        }
        .map_err(|error| error.to_string())?;
    }
    let versions = claim.tariffs.iter().map(|tariff| {
        let parts = tariff.body.parts();
        format!("tariff {} {}", parts.id, parts.validity)
    });
    let figures = claim.market.iter().map(|document| match document {
        MarketRecord::Series(series) => {
            format!("price series {} {}", series.body.parts().id, series.body.parts().validity)
        }
        MarketRecord::Hours(hours) => {
            format!("hour list {} {}", hours.body.parts().id, hours.body.parts().validity)
        }
        MarketRecord::Plan(plan) => {
            let parts = plan.body.parts();
            format!("plan of {} {}", parts.usage_point, parts.validity)
        }
    });
    let detail = format!(
        "{}; agreement {}, signed by both its parties; published in {} blocks up to {}",
        versions.chain(figures).collect::<Vec<_>>().join("; "),
        claim.agreement.body.id,
        wanted.len(),
        evidence.blocks.last().map_or(0, |last| last.block.height),
    );
    Ok(Passed::new(prices, detail))
}

/// Both parties signed the agreement, each with the key by which it attests, and it held when the bills were sealed.
///
/// Without it the supplier alone could write what the grid company gets.
fn check_activation(evidence: &Evidence, claim: &BillClaim, trusted: &Trusted<'_>) -> Result<(), String> {
    let Agreement { id, .. } = claim.agreement.body;
    let [(height, activation)] = trusted.activations[..] else {
        let count = trusted.activations.len();
        return Err(format!(
            "{count} activations of agreement {id}, need one: both parties must have signed it"
        ));
    };
    if activation.agreement != claim.agreement.hash {
        let (found, expected) = (activation.agreement.short(), claim.agreement.hash.short());
        return Err(format!("the activation is of agreement {found}, the bill of {expected}"));
    }
    let keys = trusted.keys.at(height);
    activation.check(&claim.agreement, &trusted.genesis.origin, keys).map_err(|error| error.to_string())?;
    let (from, sealed) = (activation.from.max(height), evidence.sealed_by.block.height);
    if from > sealed {
        return Err(format!("agreement {id} holds from block {from} on, the bills are of block {sealed}"));
    }
    Ok(())
}

fn publication_of_tariff(tariff: &Published<Tariff>) -> Publication {
    let parts = tariff.body.parts();
    publication(DocumentKind::Tariff, parts.id, tariff.hash, parts.validity)
}

fn publication_of_agreement(agreement: &Published<Agreement>) -> Publication {
    let Agreement { id, validity, .. } = agreement.body;
    publication(DocumentKind::Agreement, id, agreement.hash, validity)
}

fn publication_of_market(document: &MarketRecord) -> Publication {
    match document {
        MarketRecord::Series(series) => {
            let parts = series.body.parts();
            publication(DocumentKind::PriceSeries, parts.id, series.hash, parts.validity)
        }
        MarketRecord::Hours(hours) => {
            let parts = hours.body.parts();
            publication(DocumentKind::HourList, parts.id, hours.hash, parts.validity)
        }
        MarketRecord::Plan(plan) => {
            let parts = plan.body.parts();
            publication(DocumentKind::PlanSeries, parts.usage_point, plan.hash, parts.validity)
        }
    }
}

fn publication(kind: DocumentKind, id: Label, hash: ContentHash, validity: Validity) -> Publication {
    Publication { kind, id, hash, validity }
}

/// **contracts**: each contract is in the list that the bills were computed from, all are the account's, none twice,
/// and none between two of them is left out.
///
/// Without it an account could be billed for somebody else's usage point, or by a tariff it has no contract for.
pub(crate) fn contracts(claim: &BillClaim, commit: &BillCommit) -> Step<()> {
    let bill = &claim.bill.body;
    let mut last = None;
    for opened in &claim.contracts {
        let point = opened.body.usage_point;
        if opened.body.account != bill.account {
            let (found, expected) = (opened.body.account, bill.account);
            return Err(format!("a contract of account {found}, the bill is of {expected}").into());
        }
        verify_path(TreeKind::Contracts, &opened.hash, opened.index, &opened.path, &commit.contracts)
            .map_err(|error| format!("contract of {point}: {error}"))?;
        // The list is in order of account, so an account's contracts are neighbours.
        if last.is_some_and(|last: u64| last.checked_add(1) != Some(opened.index)) {
            return Err(format!("contract {} does not follow the one before it", opened.index).into());
        }
        last = Some(opened.index);
        check_agreement(&opened.body, claim)?;
    }
    let all: Vec<Contract> = claim.contracts.iter().map(|opened| opened.body.clone()).collect();
    let sorted = contract::in_order(all.clone()).map_err(|error| error.to_string())?;
    if sorted != all {
        return Err("contracts are not in their canonical order".to_owned().into());
    }
    let detail =
        format!("{} of account {}, in a list of {}", all.len(), bill.account, commit.contracts.count);
    // At an end of the list nothing can stand on that side.
    let is_whole_list = u64::try_from(all.len()).is_ok_and(|count| count == commit.contracts.count);
    let others = (!is_whole_list).then(|| "that the account has no contract but these".to_owned());
    Ok(Passed::new((), detail).but_not(others))
}

/// A contract that holds in the month names the bill's agreement.
fn check_agreement(contract: &Contract, claim: &BillClaim) -> Result<(), String> {
    let holds = claim.bill.body.period.days().any(|day| contract.validity.contains(day));
    let (found, expected) = (contract.agreement, claim.agreement.body.id);
    if holds && found != expected {
        return Err(format!(
            "contract of {} is under agreement {found}, not {expected}",
            contract.usage_point
        ));
    }
    Ok(())
}
