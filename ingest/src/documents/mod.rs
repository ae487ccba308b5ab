//! Documents and tables that people and banks write: tariffs, agreements, rule packs, penalty tables, price series, hour lists,
//! plans, price caps, contracts, access lists, payment registries.
//!
//! ```text
//! tariff, agreement, rule pack or penalty, TOML ─▶ parse_document  ─▶ Document          one version a file
//! rule pack, TOML                               ─▶ parse_rule_pack ─▶ RulePack          one version a file
//! price series, hour list, plan, CSV           ─▶ parse_document  ─▶ Document          some days a file
//! contracts, CSV                                ─▶ parse_contracts ─▶ Vec<Contract>     in canonical order
//! feeders, CSV                                  ─▶ parse_feeders   ─▶ Vec<Feeder>       by head
//! bills issued elsewhere, CSV                   ─▶ parse_issued_bills ─▶ Vec<IssuedBill>  by account
//! payment registry, CSV                         ─▶ parse_payments  ─▶ PaymentRegistry   in file order, equal to its trailer
//! ```
//!
//! A file is taken whole or not at all. Whatever is wrong is named with file and line, and what to do next.
//! Numbers with decimals are text everywhere: a binary float would lose digits before we see them.
//!
//! ```
//! use tallywatt_ingest::documents::parse_document;
//!
//! let text = "kind = \"tariff\"\nid = \"flat\"\ncurrency = 810";
//! let error = parse_document("flat.toml", text).unwrap_err();
//! assert_eq!(error.line, Some(1));
//! assert_eq!(error.to_string(), "flat.toml:1: missing field `title`");
//! ```

mod access_file;
pub mod agreement_file;
pub mod contract_file;
mod deviation_table;
mod eligibility_table;
pub mod error;
pub mod feeder_file;
mod field;
pub mod hour_list_file;
mod interval_rows;
pub mod issued_file;
mod market_text;
mod netting_table;
mod own_prices;
pub mod payment_file;
pub mod payment_qr;
pub mod penalty_file;
pub mod plan_series_file;
mod price_cap;
pub mod price_series_file;
mod rows;
pub mod rule_pack_file;
pub mod sharing_file;
mod tariff_cases;
pub mod tariff_file;
mod tariff_text;
mod urdb;
mod urdb_coincident;
mod urdb_eligibility;
mod urdb_prosumer;
mod windows;

use serde::Deserialize;
use tallywatt_core::access::AccessList;
use tallywatt_core::agreement::Agreement;
use tallywatt_core::hour_list::HourList;
use tallywatt_core::penalty::PenaltyTable;
use tallywatt_core::plan_series::PlanSeries;
use tallywatt_core::price_series::PriceSeries;
use tallywatt_core::sharing::SharingGroup;
use tallywatt_core::tariff::Tariff;
use tallywatt_core::vee::pack::RulePack;

use field::{Field, Source};

pub use contract_file::parse_contracts;
pub use error::DocumentError;
pub use feeder_file::{Feeder, parse_feeders};
pub use issued_file::parse_issued_bills;
pub use market_text::MARKET_SIZE_MAX;
pub use own_prices::render_own_prices;
pub use payment_file::{PaymentRegistry, parse_payments};
pub use penalty_file::{builtin_penalty_table, builtin_penalty_tables};
pub use price_cap::{PriceCap, check_price_cap, parse_price_cap};
pub use rule_pack_file::{builtin_rule_pack, builtin_rule_packs, parse_rule_pack};
pub use tariff_cases::{TariffCase, parse_tariff_cases};
pub use tariff_text::render_tariff;
pub use urdb::{ImportedTariff, UrdbOptions, import_urdb};
pub use windows::render as render_window;

/// The largest tariff, agreement, rule pack or penalty table file, bytes.
pub const DOCUMENT_SIZE_MAX: usize = 1 << 20;
/// The largest contract list, feeder list or payment registry, bytes; all are read as a stream.
pub const TABLE_SIZE_MAX: u64 = 1 << 30;
/// The longest line of such a list, bytes.
pub const LINE_SIZE_MAX: usize = 4_096;

const _: () = assert!(LINE_SIZE_MAX < DOCUMENT_SIZE_MAX);

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A tariff version.
    Tariff(Box<Tariff>),
    /// A version of an agreement.
    Agreement(Agreement),
    /// A version of a rule pack.
    RulePack(Box<RulePack>),
    /// A version of a penalty table.
    PenaltyTable(Box<PenaltyTable>),
    /// Prices by the interval.
    PriceSeries(Box<PriceSeries>),
    /// Hours at which power counts.
    HourList(Box<HourList>),
    /// What a usage point is to take, hour by hour.
    PlanSeries(Box<PlanSeries>),
    /// A version of a sharing group.
    SharingGroup(SharingGroup),
    /// A party's access list.
    Access(AccessList),
}

/// Only the field that says what the rest is.
#[derive(Deserialize)]
struct Kind {
    kind: Field,
}

/// Reads a document's file; `file` is its name in messages. Price series, lists of hours and plans are tables, all others TOML.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_document(file: &str, text: &str) -> Result<Document, DocumentError> {
    if let Some(kind) = market_text::kind_of(text) {
        return parse_market(file, text, kind);
    }
    let source = Source::new(file, text);
    if text.len() > DOCUMENT_SIZE_MAX {
        let problem = format!("file of {} bytes, at most {DOCUMENT_SIZE_MAX}", text.len());
        return Err(DocumentError::new(file, None, problem, "write one document a file"));
    }
    let Kind { kind } = source.read()?;
    match source.text("kind", &kind)? {
        "tariff" => tariff_file::parse(&source).map(|tariff| Document::Tariff(Box::new(tariff))),
        "agreement" => agreement_file::parse(&source).map(Document::Agreement),
        "rule-pack" => rule_pack_file::parse(&source).map(|pack| Document::RulePack(Box::new(pack))),
        "penalty" => penalty_file::parse(&source).map(|table| Document::PenaltyTable(Box::new(table))),
        "sharing-group" => sharing_file::parse(&source).map(Document::SharingGroup),
        "access" => access_file::parse(&source).map(Document::Access),
        other => {
            let problem = format!("kind {other:?} is not known");
            let next_step = "write kind = \"tariff\", \"agreement\", \"rule-pack\", \"penalty\", \"sharing-group\" \
                             or \"access\"";
            Err(source.fail(&kind.span(), problem, next_step))
        }
    }
}

/// Reads a price series, a list of hours or a plan.
fn parse_market(file: &str, text: &str, kind: &str) -> Result<Document, DocumentError> {
    if text.len() > MARKET_SIZE_MAX {
        let problem = format!("file of {} bytes, at most {MARKET_SIZE_MAX}", text.len());
        return Err(DocumentError::new(file, None, problem, "write fewer days a file"));
    }
    match kind {
        "price-series" => {
            price_series_file::parse(file, text).map(|series| Document::PriceSeries(Box::new(series)))
        }
        "hour-list" => hour_list_file::parse(file, text).map(|hours| Document::HourList(Box::new(hours))),
        "plan-series" => plan_series_file::parse(file, text).map(|plan| Document::PlanSeries(Box::new(plan))),
        other => {
            let problem = format!("kind {} is not known", rows::shown(other));
            let next_step = "write #kind,price-series, #kind,hour-list or #kind,plan-series";
            Err(DocumentError::new(file, Some(1), problem, next_step))
        }
    }
}
