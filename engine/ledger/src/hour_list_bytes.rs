//! Canonical bytes of a list of hours.
//!
//! ```text
//! hour list 0x3e  version = 1 ‖ kind ‖ id[33] title source from[i32] to[i32] time zone
//!                 each[u8] hours[u32] × start[i64], UTC seconds, ascending
//! ```
//!
//! Also in `FORMAT.md` §3.

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::Published;
use tallywatt_core::hour_list::{HOUR_COUNT_MAX, HourList, HourListParts, HourNeed};
use tallywatt_core::tariff::TEXT_SIZE_MAX;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{read_code, read_count, read_validity, read_zone, short_text, write_validity};

/// The version of these bytes.
pub const HOUR_LIST_VERSION: u8 = 1;
/// Kind byte of a list of hours.
pub const HOUR_LIST_KIND: u8 = 0x3e;

/// The canonical bytes of a list of hours.
#[must_use]
pub fn encode_hour_list(list: &HourList) -> Vec<u8> {
    let parts = list.parts();
    let mut writer = Writer::record(HOUR_LIST_VERSION, HOUR_LIST_KIND);
    writer.label(&parts.id).text(&parts.title).text(&parts.source);
    write_validity(&mut writer, parts.validity);
    writer.text(parts.zone.name()).u8(parts.each as u8);
    writer.count(parts.starts.len());
    for start in &parts.starts {
        writer.i64(start.0);
    }
    writer.finish()
}

/// The list of hours of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`HourList::new`] refuses together.
pub fn decode_hour_list(bytes: &[u8]) -> Result<HourList, CodecError> {
    let mut reader = Reader::record(bytes, HOUR_LIST_VERSION, HOUR_LIST_KIND)?;
    let begin = reader.at();
    let id = reader.label("hour list id")?;
    let title = short_text(&mut reader, "title", TEXT_SIZE_MAX)?.to_owned();
    let source = short_text(&mut reader, "source", TEXT_SIZE_MAX)?.to_owned();
    let validity = read_validity(&mut reader)?;
    let zone = read_zone(&mut reader)?;
    let each = read_code(&mut reader, "each", |code| match code {
        0 => Some(HourNeed::WorkingDay),
        1 => Some(HourNeed::Month),
        _ => None,
    })?;
    let count = read_count(&mut reader, "hours", HOUR_COUNT_MAX)?;
    let starts = (0..count).map(|_| reader.i64("hour").map(UtcSeconds)).collect::<Result<_, _>>()?;
    let refused = reader.refuse("hour list", begin);
    reader.finish()?;
    HourList::new(HourListParts { id, title, source, validity, zone, each, starts }).map_err(|_| refused)
}

/// The list together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_hour_list(list: HourList) -> Published<HourList> {
    Published { hash: digest::content_hash(&encode_hour_list(&list)), body: list }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::check;
    use tallywatt_core::calendar::{WallTime, Zone};
    use tallywatt_core::validity::Validity;

    fn list(each: HourNeed) -> HourList {
        let zone = Zone::parse("Asia/Yekaterinburg").unwrap();
        let days = ["2026-03-02", "2026-03-03", "2026-03-04"].map(|day| day.parse().unwrap());
        let start = |day| match zone.resolve(day, 9 * 3_600) {
            WallTime::Once(start) => start,
            other => panic!("{other:?}"),
        };
        HourList::new(HourListParts {
            id: "so-ural".parse().unwrap(),
            title: "Часы пика".into(),
            source: "illustrative".into(),
            validity: Validity::new("2026-03-01".parse().unwrap(), Some("2026-04-01".parse().unwrap()))
                .unwrap(),
            each,
            starts: days.map(start).to_vec(),
            zone,
        })
        .unwrap()
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        check(&list(HourNeed::WorkingDay), encode_hour_list, decode_hour_list);
        check(&list(HourNeed::Month), encode_hour_list, decode_hour_list);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hash() {
        let hash = publish_hour_list(list(HourNeed::WorkingDay)).hash.to_string();
        assert_eq!(hash, "1532b301fc74a7baf14f58b8fc7c86e3a3316f626b0e9d3d99c808ea441c7821");
    }
}
