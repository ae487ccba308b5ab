//! Canonical bytes of a plan.
//!
//! ```text
//! plan 0x44  version = 1 ‖ kind ‖ usage point[33] title source from[i32] to[i32] time zone
//!            start[i64], UTC seconds
//!            hours[u32] × planned[i64], Wh
//! ```
//!
//! Also in `FORMAT.md` §3.

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::hash::Published;
use tallywatt_core::plan_series::{PLAN_HOUR_COUNT_MAX, PlanSeries, PlanSeriesParts};
use tallywatt_core::tariff::TEXT_SIZE_MAX;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{read_count, read_validity, read_zone, short_text, write_validity};
use crate::receipt::LINE_SIZE_MAX;

/// The version of these bytes.
pub const PLAN_SERIES_VERSION: u8 = 1;
/// Kind byte of a plan.
pub const PLAN_SERIES_KIND: u8 = 0x44;

// A whole plan fits one line of a receipt in base64.
const _: () = assert!((PLAN_HOUR_COUNT_MAX * 8 + 2_048).div_ceil(3) * 4 < LINE_SIZE_MAX - 64);

/// The canonical bytes of a plan.
#[must_use]
pub fn encode_plan_series(plan: &PlanSeries) -> Vec<u8> {
    let parts = plan.parts();
    let mut writer = Writer::record(PLAN_SERIES_VERSION, PLAN_SERIES_KIND);
    writer.label(&parts.usage_point).text(&parts.title).text(&parts.source);
    write_validity(&mut writer, parts.validity);
    writer.text(parts.zone.name()).i64(parts.start.0);
    writer.count(parts.planned_wh.len());
    for planned_wh in &parts.planned_wh {
        writer.i64(*planned_wh);
    }
    writer.finish()
}

/// The plan of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`PlanSeries::new`] refuses together.
pub fn decode_plan_series(bytes: &[u8]) -> Result<PlanSeries, CodecError> {
    let mut reader = Reader::record(bytes, PLAN_SERIES_VERSION, PLAN_SERIES_KIND)?;
    let begin = reader.at();
    let usage_point = reader.label("usage point")?;
    let title = short_text(&mut reader, "title", TEXT_SIZE_MAX)?.to_owned();
    let source = short_text(&mut reader, "source", TEXT_SIZE_MAX)?.to_owned();
    let validity = read_validity(&mut reader)?;
    let zone = read_zone(&mut reader)?;
    let start = UtcSeconds(reader.i64("start")?);
    let count = read_count(&mut reader, "planned hours", PLAN_HOUR_COUNT_MAX)?;
    let planned_wh = (0..count).map(|_| reader.i64("planned energy")).collect::<Result<_, _>>()?;
    let refused = reader.refuse("plan", begin);
    reader.finish()?;
    let parts = PlanSeriesParts { title, source, usage_point, validity, zone, start, planned_wh };
    PlanSeries::new(parts).map_err(|_| refused)
}

/// The plan together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_plan_series(plan: PlanSeries) -> Published<PlanSeries> {
    Published { hash: digest::content_hash(&encode_plan_series(&plan)), body: plan }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::check;
    use tallywatt_core::calendar::Zone;
    use tallywatt_core::plan_series::{PLAN_WH_MAX, plan_grid};
    use tallywatt_core::validity::Validity;

    /// The day of the autumn clock change: 25 hours.
    fn parts() -> PlanSeriesParts {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let day = |text: &str| text.parse().unwrap();
        let validity = Validity::new(day("2026-10-25"), Some(day("2026-10-26"))).unwrap();
        let (start, count) = plan_grid(&zone, validity).unwrap();
        PlanSeriesParts {
            title: "Workshop".into(),
            source: "application".into(),
            usage_point: "EKB-000017".parse().unwrap(),
            validity,
            zone,
            start,
            planned_wh: (0..count).map(|at| at * 1_234_567).collect(),
        }
    }

    fn plan() -> PlanSeries {
        PlanSeries::new(parts()).unwrap()
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        assert_eq!(plan().parts().planned_wh.len(), 25);
        check(&plan(), encode_plan_series, decode_plan_series);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hash() {
        let hash = publish_plan_series(plan()).hash.to_string();
        assert_eq!(hash, "1fbd21e299801e08ef50bce379c98f18bef5f26ca90219e086d259d4456f7e45");
    }

    #[test]
    fn limits_come_before_content() {
        let mut bytes = encode_plan_series(&plan());
        let count_at = bytes.len() - 25 * 8 - 4;
        bytes[count_at..count_at + 4].copy_from_slice(&8_785_u32.to_le_bytes());
        match decode_plan_series(&bytes) {
            Err(CodecError::TooLong { field, .. }) => assert_eq!(field, "planned hours"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn parts_that_make_no_plan() {
        type Bend = fn(&mut PlanSeriesParts);
        let table: &[(&str, Bend)] = &[
            ("a plan needs valid_to", |parts| {
                parts.validity = Validity::new(parts.validity.from(), None).unwrap();
            }),
            ("8808 hours, at most 8784", |parts| {
                let from = parts.validity.from();
                parts.validity = Validity::new(from, from.plus(367)).unwrap();
            }),
            ("the first hour is 2026-10-24T23:00:00Z, 2026-10-24T22:00:00Z begins", |parts| {
                parts.start = parts.start.plus(3_600);
            }),
            ("24 hours, the days have 25", |parts| parts.planned_wh.truncate(24)),
            ("-1 Wh planned for an hour", |parts| parts.planned_wh[3] = -1),
            ("1000000000001 Wh planned", |parts| parts.planned_wh[3] = PLAN_WH_MAX + 1),
            ("title is longer", |parts| parts.title = "x".repeat(TEXT_SIZE_MAX + 1)),
            ("source is longer than 240 bytes or has control", |parts| parts.source = "a\tb".into()),
        ];
        for (want, bend) in table {
            let mut bent = parts();
            bend(&mut bent);
            let error = PlanSeries::new(bent).unwrap_err().to_string();
            assert!(error.contains(want), "{error}, expected {want}");
        }
    }
}
