//! The canonical records in sealed files, read and written.

use tallywatt_core::bill::Bill;
use tallywatt_core::contract;
use tallywatt_core::contract::Contract;
use tallywatt_core::split::SettledPayment;
use tallywatt_ledger::command::{DocumentKind, Publication};
use tallywatt_ledger::tree::{Tree, TreeKind};
use tallywatt_ledger::{bill_bytes, digest, document};

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

/// The publication that a document's canonical bytes stand for.
///
/// # Errors
/// [`BooksError::Codec`] if they are neither a tariff nor an agreement.
pub fn publication_of(bytes: &[u8]) -> Result<Publication, BooksError> {
    if bytes.get(1) == Some(&document::TARIFF_KIND) {
        let tariff =
            document::decode_tariff(bytes).map_err(|source| BooksError::Codec { what: "tariff", source })?;
        let published = document::publish_tariff(tariff);
        let (id, validity) = (published.body.parts().id, published.body.parts().validity);
        return Ok(Publication { kind: DocumentKind::Tariff, id, hash: published.hash, validity });
    }
    let agreement = document::decode_agreement(bytes)
        .map_err(|source| BooksError::Codec { what: "agreement", source })?;
    let published = document::publish_agreement(agreement);
    let (id, validity) = (published.body.id, published.body.validity);
    Ok(Publication { kind: DocumentKind::Agreement, id, hash: published.hash, validity })
}

pub(super) fn read_contracts(bytes: &[u8]) -> Result<Vec<Contract>, BooksError> {
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

/// The settled payments of a settlement file.
///
/// # Errors
/// [`BooksError`] if it is damaged.
pub fn read_settled(bytes: &[u8]) -> Result<Vec<SettledPayment>, BooksError> {
    let decode = |record| {
        bill_bytes::decode_settled(record)
            .map_err(|source| BooksError::Codec { what: "settled payment", source })
    };
    list_file::decode(ListKind::Settlement, bytes)?.into_iter().map(decode).collect()
}
