//! The canonical records in sealed files, read and written.

use tallywatt_core::access::AccessParts;
use tallywatt_core::bill::Bill;
use tallywatt_core::contract;
use tallywatt_core::contract::Contract;
use tallywatt_core::correction::Correction;
use tallywatt_core::split::Settled;
use tallywatt_core::validity::Validity;
use tallywatt_ingest::documents::Document;
use tallywatt_ledger::command::{DocumentKind, Publication};
use tallywatt_ledger::tree::{Tree, TreeKind};
use tallywatt_ledger::{
    access_bytes, agreement_bytes, bill_bytes, correction_bytes, digest, document, hour_list_bytes,
    penalty_bytes, plan_series_bytes, price_series_bytes, rule_pack_bytes, settled_bytes, sharing_bytes,
    tariff_bytes,
};

use crate::books::BooksError;
use crate::list_file;
use crate::list_file::ListKind;

/// The tree over the content hashes of canonical records.
#[must_use]
pub fn tree_over(kind: TreeKind, records: &[Vec<u8>]) -> Tree {
    Tree::new(kind, records.iter().map(|record| digest::content_hash(record)).collect())
}

/// The contract list file of these contracts.
#[must_use]
pub fn contracts_file(contracts: &[Contract]) -> Vec<u8> {
    let records: Vec<Vec<u8>> = contracts.iter().map(document::encode_contract).collect();
    list_file::encode(ListKind::Contracts, &records)
}

/// The canonical bytes of a document that was read from a file.
#[must_use]
pub fn document_bytes(document: &Document) -> Vec<u8> {
    match document {
        Document::Tariff(tariff) => tariff_bytes::encode_tariff(tariff),
        Document::Agreement(agreement) => agreement_bytes::encode_agreement(agreement),
        Document::RulePack(pack) => rule_pack_bytes::encode_rule_pack(pack),
        Document::PenaltyTable(table) => penalty_bytes::encode_penalty_table(table),
        Document::PriceSeries(series) => price_series_bytes::encode_price_series(series),
        Document::HourList(hours) => hour_list_bytes::encode_hour_list(hours),
        Document::PlanSeries(plan) => plan_series_bytes::encode_plan_series(plan),
        Document::SharingGroup(group) => sharing_bytes::encode_sharing_group(group),
        Document::Access(list) => access_bytes::encode_access_list(list),
    }
}

/// The publication that a document's canonical bytes stand for.
///
/// # Errors
/// [`BooksError::Codec`] if they are no document.
pub fn publication_of(bytes: &[u8]) -> Result<Publication, BooksError> {
    let codec = |what| move |source| BooksError::Codec { what, source };
    match bytes.get(1) {
        Some(&tariff_bytes::TARIFF_KIND) => {
            let published =
                tariff_bytes::publish_tariff(tariff_bytes::decode_tariff(bytes).map_err(codec("tariff"))?);
            let (id, validity) = (published.body.parts().id, published.body.parts().validity);
            Ok(Publication { kind: DocumentKind::Tariff, id, hash: published.hash, validity })
        }
        Some(&rule_pack_bytes::RULE_PACK_KIND) => {
            let pack = rule_pack_bytes::decode_rule_pack(bytes).map_err(codec("rule pack"))?;
            let published = rule_pack_bytes::publish_rule_pack(pack);
            let (id, validity) = (published.body.parts().id, published.body.parts().validity);
            Ok(Publication { kind: DocumentKind::RulePack, id, hash: published.hash, validity })
        }
        Some(&penalty_bytes::PENALTY_KIND) => {
            let table = penalty_bytes::decode_penalty_table(bytes).map_err(codec("penalty table"))?;
            let published = penalty_bytes::publish_penalty_table(table);
            let (id, validity) = (published.body.parts().id, published.body.parts().validity);
            Ok(Publication { kind: DocumentKind::PenaltyTable, id, hash: published.hash, validity })
        }
        Some(&price_series_bytes::PRICE_SERIES_KIND) => {
            let series = price_series_bytes::decode_price_series(bytes).map_err(codec("price series"))?;
            let published = price_series_bytes::publish_price_series(series);
            let (id, validity) = (published.body.parts().id, published.body.parts().validity);
            Ok(Publication { kind: DocumentKind::PriceSeries, id, hash: published.hash, validity })
        }
        Some(&hour_list_bytes::HOUR_LIST_KIND) => {
            let hours = hour_list_bytes::decode_hour_list(bytes).map_err(codec("hour list"))?;
            let published = hour_list_bytes::publish_hour_list(hours);
            let (id, validity) = (published.body.parts().id, published.body.parts().validity);
            Ok(Publication { kind: DocumentKind::HourList, id, hash: published.hash, validity })
        }
        Some(&plan_series_bytes::PLAN_SERIES_KIND) => {
            let plan = plan_series_bytes::decode_plan_series(bytes).map_err(codec("plan"))?;
            let published = plan_series_bytes::publish_plan_series(plan);
            let (id, validity) = (published.body.parts().usage_point, published.body.parts().validity);
            Ok(Publication { kind: DocumentKind::PlanSeries, id, hash: published.hash, validity })
        }
        Some(&access_bytes::ACCESS_KIND) => {
            let list = access_bytes::decode_access_list(bytes).map_err(codec("access list"))?;
            let AccessParts { party, from, .. } = *list.parts();
            let id = party.name().parse().expect("the name of a party is a name");
            let validity = Validity::new(from, None).expect("what has no end is not before it begins");
            let hash = access_bytes::publish_access_list(list).hash;
            Ok(Publication { kind: DocumentKind::Access, id, hash, validity })
        }
        Some(&sharing_bytes::SHARING_KIND) => {
            let group = sharing_bytes::decode_sharing_group(bytes).map_err(codec("sharing group"))?;
            let published = sharing_bytes::publish_sharing_group(group);
            let (id, validity) = (published.body.parts().id, published.body.parts().validity);
            Ok(Publication { kind: DocumentKind::SharingGroup, id, hash: published.hash, validity })
        }
        _ => {
            let agreement = agreement_bytes::decode_agreement(bytes).map_err(codec("agreement"))?;
            let published = agreement_bytes::publish_agreement(agreement);
            let (id, validity) = (published.body.id, published.body.validity);
            Ok(Publication { kind: DocumentKind::Agreement, id, hash: published.hash, validity })
        }
    }
}

pub(crate) fn read_contracts(bytes: &[u8]) -> Result<Vec<Contract>, BooksError> {
    let records = list_file::decode(ListKind::Contracts, bytes)?;
    let decode = |record| {
        document::decode_contract(record).map_err(|source| BooksError::Codec { what: "contract", source })
    };
    let contracts = records.into_iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let ordered =
        contract::in_order(contracts.clone()).map_err(|error| BooksError::Conflict(error.to_string()))?;
    if ordered != contracts {
        return Err(BooksError::Conflict("the contract list is not in canonical order".into()));
    }
    Ok(contracts)
}

/// The bills of a bill file.
///
/// # Errors
/// [`BooksError`] if it is damaged.
pub fn read_bills(bytes: &[u8]) -> Result<Vec<Bill>, BooksError> {
    let decode =
        |record| bill_bytes::decode_bill(record).map_err(|source| BooksError::Codec { what: "bill", source });
    list_file::decode(ListKind::Bills, bytes)?.into_iter().map(decode).collect()
}

/// The corrections of a correction file.
///
/// # Errors
/// [`BooksError`] if it is damaged.
pub fn read_corrections(bytes: &[u8]) -> Result<Vec<Correction>, BooksError> {
    let decode = |record| {
        correction_bytes::decode_correction(record)
            .map_err(|source| BooksError::Codec { what: "correction", source })
    };
    list_file::decode(ListKind::Corrections, bytes)?.into_iter().map(decode).collect()
}

/// The settled entries of a settlement file.
///
/// # Errors
/// [`BooksError`] if it is damaged.
pub fn read_settled(bytes: &[u8]) -> Result<Vec<Settled>, BooksError> {
    let decode = |record| {
        settled_bytes::decode_settled(record)
            .map_err(|source| BooksError::Codec { what: "settled entry", source })
    };
    list_file::decode(ListKind::Settlement, bytes)?.into_iter().map(decode).collect()
}
