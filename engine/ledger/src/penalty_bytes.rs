//! Canonical bytes of a penalty table: what a debt that is paid late costs.
//!
//! ```text
//! penalty table 0x3c version = 1 ‖ kind ‖ id[33] title source from[i32] to[i32]
//!                    rate on[u8] payment day counts[u8]
//!                    due days[u32] × { from[i32] day of the month[u8] }
//!                    steps[u32] × { from day[u16] divisor[u16], 0 for days that cost nothing }
//!                    rates[u32] × { from[i32] rate[u32], 10^-6 a year }
//!                    caps[u32] × { from[i32] to[i32] rate[u32] }
//! ```
//!
//! Its rounding, halves up and once a debt, is the version's. Also in `FORMAT.md` §3.

use std::num::NonZeroU16;

use tallywatt_core::hash::Published;
use tallywatt_core::penalty::{
    CAP_COUNT_MAX, Cap, DUE_DAY_COUNT_MAX, DatedRate, DueDay, PENALTY_TEXT_SIZE_MAX, PenaltyParts,
    PenaltyTable, RateOn, STEP_COUNT_MAX, Step, YEARLY_RATE_COUNT_MAX, YearlyRate,
};

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{read_code, read_day, read_validity, short_text, write_validity};

/// The version of these bytes.
pub const PENALTY_VERSION: u8 = 1;
/// Kind byte of a penalty table.
pub const PENALTY_KIND: u8 = 0x3c;

/// The canonical bytes of a penalty table.
#[must_use]
pub fn encode_penalty_table(table: &PenaltyTable) -> Vec<u8> {
    let parts = table.parts();
    let mut writer = Writer::record(PENALTY_VERSION, PENALTY_KIND);
    writer.label(&parts.id).text(&parts.title).text(&parts.source);
    write_validity(&mut writer, parts.validity);
    writer.u8(parts.rate_on.code()).u8(parts.counts_payment_day.into());
    writer.count(parts.due_days.len());
    for due in &parts.due_days {
        writer.i32(due.from.number()).u8(due.day_of_month);
    }
    writer.count(parts.steps.len());
    for step in &parts.steps {
        writer.u16(step.from_day).u16(step.divisor.map_or(0, NonZeroU16::get));
    }
    writer.count(parts.rates.len());
    for dated in &parts.rates {
        writer.i32(dated.from.number()).u32(dated.rate.as_e6());
    }
    writer.count(parts.caps.len());
    for cap in &parts.caps {
        write_validity(&mut writer, cap.validity);
        writer.u32(cap.rate.as_e6());
    }
    writer.finish()
}

/// The penalty table of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`PenaltyTable::new`] refuses together.
pub fn decode_penalty_table(bytes: &[u8]) -> Result<PenaltyTable, CodecError> {
    let mut reader = Reader::record(bytes, PENALTY_VERSION, PENALTY_KIND)?;
    let start = reader.at();
    let id = reader.label("penalty table id")?;
    let title = short_text(&mut reader, "title", PENALTY_TEXT_SIZE_MAX)?.to_owned();
    let source = short_text(&mut reader, "source", PENALTY_TEXT_SIZE_MAX)?.to_owned();
    let validity = read_validity(&mut reader)?;
    let rate_on =
        read_code(&mut reader, "rate on", |code| RateOn::ALL.into_iter().find(|known| known.code() == code))?;
    let counts_payment_day = read_code(&mut reader, "payment day counts", |code| match code {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })?;
    let due_days = read_list(&mut reader, "due days", DUE_DAY_COUNT_MAX, |reader| {
        Ok(DueDay { from: read_day(reader, "due from")?, day_of_month: reader.u8("day of the month")? })
    })?;
    let steps = read_list(&mut reader, "steps", STEP_COUNT_MAX, |reader| {
        let from_day = reader.u16("step from")?;
        Ok(Step { from_day, divisor: NonZeroU16::new(reader.u16("divisor")?) })
    })?;
    let rates = read_list(&mut reader, "rates", YEARLY_RATE_COUNT_MAX, |reader| {
        Ok(DatedRate { from: read_day(reader, "rate from")?, rate: read_rate(reader)? })
    })?;
    let caps = read_list(&mut reader, "caps", CAP_COUNT_MAX, |reader| {
        Ok(Cap { validity: read_validity(reader)?, rate: read_rate(reader)? })
    })?;
    let refused = reader.refuse("penalty table", start);
    reader.finish()?;
    let parts = PenaltyParts {
        id,
        title,
        source,
        validity,
        due_days,
        steps,
        rates,
        caps,
        rate_on,
        counts_payment_day,
    };
    PenaltyTable::new(parts).map_err(|_| refused)
}

fn read_list<'a, T>(
    reader: &mut Reader<'a>,
    field: &'static str,
    max: usize,
    read: impl Fn(&mut Reader<'a>) -> Result<T, CodecError>,
) -> Result<Vec<T>, CodecError> {
    let max = u32::try_from(max).expect("limits of documents are far below four billion");
    let count = reader.count(field, max)?;
    (0..count).map(|_| read(reader)).collect()
}

fn read_rate(reader: &mut Reader<'_>) -> Result<YearlyRate, CodecError> {
    let at = reader.at();
    YearlyRate::from_e6(reader.u32("rate")?).ok_or_else(|| reader.refuse("rate", at))
}

/// The penalty table together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_penalty_table(table: PenaltyTable) -> Published<PenaltyTable> {
    Published { hash: digest::content_hash(&encode_penalty_table(&table)), body: table }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::calendar::Day;
    use tallywatt_core::validity::Validity;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    /// The id is 33 bytes long, so that every byte says something.
    fn table() -> PenaltyTable {
        let step = |from_day, divisor| Step { from_day, divisor: NonZeroU16::new(divisor) };
        let rate = |percent: &str| percent.parse().unwrap();
        let validity = |from, to| Validity::new(day(from), Some(day(to))).unwrap();
        PenaltyTable::new(PenaltyParts {
            id: "a-table-of-a-name-of-33-bytes-xxx".parse().unwrap(),
            title: "A table".into(),
            source: "illustrative".into(),
            validity: validity("2026-01-01", "2027-01-01"),
            due_days: vec![
                DueDay { from: day("2020-01-01"), day_of_month: 10 },
                DueDay { from: day("2026-03-01"), day_of_month: 15 },
            ],
            steps: vec![step(1, 0), step(31, 300), step(91, 130)],
            rates: vec![
                DatedRate { from: day("2020-01-01"), rate: rate("9.5") },
                DatedRate { from: day("2024-10-28"), rate: rate("21") },
            ],
            caps: vec![Cap { validity: validity("2022-02-28", "2025-01-01"), rate: rate("9.5") }],
            rate_on: RateOn::Payment,
            counts_payment_day: true,
        })
        .unwrap()
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        let bytes = encode_penalty_table(&table());
        assert_eq!(decode_penalty_table(&bytes), Ok(table()));
        let head = 2 + 33 + 4 + 7 + 4 + 12 + 8 + 2;
        assert_eq!(bytes.len(), head + (4 + 2 * 5) + (4 + 3 * 4) + (4 + 2 * 8) + (4 + 12));
        for size in 0..bytes.len() {
            assert!(decode_penalty_table(&bytes[..size]).is_err(), "cut to {size} bytes");
        }
        assert_eq!(
            decode_penalty_table(&[&bytes[..], &[0]].concat()),
            Err(CodecError::Trailing { count: 1 })
        );
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = decode_penalty_table(&bent) {
                assert_ne!(other, table(), "bit {bit}");
                assert_eq!(encode_penalty_table(&other), bent, "bit {bit}");
            }
        }
    }

    /// A changed hash here is a change of every ledger that names a table: never in passing.
    #[test]
    fn golden_hash() {
        let want = "01b83c09133df9633d598237a03a90001c83f4781e0952a241a79d593d59234d";
        assert_eq!(publish_penalty_table(table()).hash.to_string(), want);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let bytes = encode_penalty_table(&table());
        let flags_at = 2 + 33 + 4 + 7 + 4 + 12 + 8;
        let (due_at, steps_at) = (flags_at + 2 + 4, flags_at + 2 + 4 + 10 + 4);
        let rates_at = steps_at + 12 + 4;
        // offset of a byte, its new value, the field that is named
        let cases = [
            (flags_at, 3, "rate on"),
            (flags_at + 1, 2, "payment day counts"),
            (due_at + 3, 0x80, "due from"),
            (due_at + 4, 29, "penalty table"),
            (steps_at, 2, "penalty table"),
            (rates_at + 7, 1, "rate"),
            (rates_at + 8 + 3, 0x40, "rate from"),
            (rates_at + 16 + 4 + 7, 0x80, "valid to"),
        ];
        for (at, byte, want) in cases {
            let mut bent = bytes.clone();
            bent[at] = byte;
            match decode_penalty_table(&bent) {
                Err(CodecError::Value { field, .. }) => assert_eq!(field, want, "{at}"),
                other => panic!("{at}: {other:?}"),
            }
        }
        for (at, count, want) in
            [(flags_at + 2, 17, "due days"), (steps_at - 4, 9, "steps"), (bytes.len() - 16, 65, "caps")]
        {
            let mut bent = bytes.clone();
            bent[at] = count;
            match decode_penalty_table(&bent) {
                Err(CodecError::TooLong { field, .. }) => assert_eq!(field, want, "{at}"),
                other => panic!("{at}: {other:?}"),
            }
        }
    }
}
