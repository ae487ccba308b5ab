//! Price series, lists of hours and plans: from their canonical bytes into the market book.

use tallywatt_core::market::MarketBook;
use tallywatt_ledger::command::DocumentKind;
use tallywatt_ledger::{hour_list_bytes, plan_series_bytes, price_series_bytes};

use super::BooksError;

/// Takes a published document in; of another kind than these three it is no codec's.
///
/// # Errors
/// [`BooksError`] if the bytes are no such document, or another of its name tells of the same time.
pub(super) fn publish(market: &mut MarketBook, kind: DocumentKind, bytes: &[u8]) -> Result<(), BooksError> {
    let codec = |source| BooksError::Codec { what: kind.name(), source };
    let taken = match kind {
        DocumentKind::PlanSeries => {
            let plan = plan_series_bytes::decode_plan_series(bytes).map_err(codec)?;
            market.publish_plan(plan_series_bytes::publish_plan_series(plan))
        }
        DocumentKind::HourList => {
            let hours = hour_list_bytes::decode_hour_list(bytes).map_err(codec)?;
            market.publish_hours(hour_list_bytes::publish_hour_list(hours))
        }
        _ => {
            let series = price_series_bytes::decode_price_series(bytes).map_err(codec)?;
            market.publish_series(price_series_bytes::publish_price_series(series))
        }
    };
    taken.map_err(|error| BooksError::Conflict(error.to_string()))
}

/// Whether a document, if it is one of these, could be taken in. That two of one name do not tell of one day the chain
/// sees to; days of two zones can be apart and their instants not.
///
/// # Errors
/// [`BooksError`] if the bytes are no such document, or another of its name tells of the same time.
pub(super) fn check(market: &MarketBook, bytes: &[u8]) -> Result<(), BooksError> {
    let checked = match bytes.get(1) {
        Some(&plan_series_bytes::PLAN_SERIES_KIND) => {
            let codec = |source| BooksError::Codec { what: DocumentKind::PlanSeries.name(), source };
            let plan = plan_series_bytes::decode_plan_series(bytes).map_err(codec)?;
            market.check_plan(&plan_series_bytes::publish_plan_series(plan))
        }
        Some(&price_series_bytes::PRICE_SERIES_KIND) => {
            let codec = |source| BooksError::Codec { what: DocumentKind::PriceSeries.name(), source };
            let series = price_series_bytes::decode_price_series(bytes).map_err(codec)?;
            market.check_series(&price_series_bytes::publish_price_series(series))
        }
        _ => Ok(()),
    };
    checked.map_err(|error| BooksError::Conflict(error.to_string()))
}
