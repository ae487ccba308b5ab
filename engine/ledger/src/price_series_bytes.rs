//! Canonical bytes of a price series.
//!
//! ```text
//! price series 0x3d  version = 1 ‖ kind ‖ id[33] title source currency[3] from[i32] to[i32] time zone
//!                    minutes[u8] start[i64], UTC seconds
//!                    prices[u32] × price[i64], 10^-8 a kWh
//! ```
//!
//! Also in `FORMAT.md` §3.

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::Published;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::price_series::{PRICE_COUNT_MAX, PriceSeries, PriceSeriesParts};
use tallywatt_core::tariff::TEXT_SIZE_MAX;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{read_count, read_currency, read_validity, read_zone, short_text, write_validity};
use crate::receipt::LINE_SIZE_MAX;

/// The version of these bytes.
pub const PRICE_SERIES_VERSION: u8 = 1;
/// Kind byte of a price series.
pub const PRICE_SERIES_KIND: u8 = 0x3d;

// A whole series fits one line of a receipt in base64.
const _: () = assert!((PRICE_COUNT_MAX * 8 + 2_048).div_ceil(3) * 4 < LINE_SIZE_MAX - 64);

/// The canonical bytes of a price series.
#[must_use]
pub fn encode_price_series(series: &PriceSeries) -> Vec<u8> {
    let parts = series.parts();
    let mut writer = Writer::record(PRICE_SERIES_VERSION, PRICE_SERIES_KIND);
    writer.label(&parts.id).text(&parts.title).text(&parts.source).raw(&parts.currency.bytes());
    write_validity(&mut writer, parts.validity);
    writer.text(parts.zone.name()).u8(parts.minutes).i64(parts.start.0);
    writer.count(parts.prices.len());
    for price in &parts.prices {
        writer.i64(price.as_e8());
    }
    writer.finish()
}

/// The price series of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`PriceSeries::new`] refuses together.
pub fn decode_price_series(bytes: &[u8]) -> Result<PriceSeries, CodecError> {
    let mut reader = Reader::record(bytes, PRICE_SERIES_VERSION, PRICE_SERIES_KIND)?;
    let begin = reader.at();
    let id = reader.label("series id")?;
    let title = short_text(&mut reader, "title", TEXT_SIZE_MAX)?.to_owned();
    let source = short_text(&mut reader, "source", TEXT_SIZE_MAX)?.to_owned();
    let currency = read_currency(&mut reader)?;
    let validity = read_validity(&mut reader)?;
    let zone = read_zone(&mut reader)?;
    let minutes = reader.u8("minutes")?;
    let start = UtcSeconds(reader.i64("start")?);
    let count = read_count(&mut reader, "prices", PRICE_COUNT_MAX)?;
    let prices =
        (0..count).map(|_| reader.i64("price").map(PricePerKwh::from_e8)).collect::<Result<_, _>>()?;
    let refused = reader.refuse("price series", begin);
    reader.finish()?;
    let parts = PriceSeriesParts { id, title, source, currency, validity, zone, minutes, start, prices };
    PriceSeries::new(parts).map_err(|_| refused)
}

/// The series together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_price_series(series: PriceSeries) -> Published<PriceSeries> {
    Published { hash: digest::content_hash(&encode_price_series(&series)), body: series }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::check;
    use tallywatt_core::calendar::Zone;
    use tallywatt_core::price_series::series_grid;
    use tallywatt_core::validity::Validity;

    /// The day of the spring clock change: 23 hours.
    fn series() -> PriceSeries {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let day = |text: &str| text.parse().unwrap();
        let validity = Validity::new(day("2026-03-29"), Some(day("2026-03-30"))).unwrap();
        let grid = series_grid(&zone, validity, 60).unwrap();
        let prices = (0..grid.count).map(|at| PricePerKwh::from_e8((at - 5) * 1_234_567)).collect();
        PriceSeries::new(PriceSeriesParts {
            id: "de-lu".parse().unwrap(),
            title: "Day-ahead".into(),
            source: "illustrative".into(),
            currency: "EUR".parse().unwrap(),
            validity,
            zone,
            minutes: 60,
            start: grid.start,
            prices,
        })
        .unwrap()
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        assert_eq!(series().parts().prices.len(), 23);
        check(&series(), encode_price_series, decode_price_series);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hash() {
        let hash = publish_price_series(series()).hash.to_string();
        assert_eq!(hash, "9f95ece54ce589385d0936cc270288e210bc2d876058c407673892b8278d0399");
    }

    #[test]
    fn limits_come_before_content() {
        let mut bytes = encode_price_series(&series());
        let count_at = bytes.len() - 23 * 8 - 4;
        bytes[count_at..count_at + 4].copy_from_slice(&35_137_u32.to_le_bytes());
        match decode_price_series(&bytes) {
            Err(CodecError::TooLong { field, .. }) => assert_eq!(field, "prices"),
            other => panic!("{other:?}"),
        }
    }
}
