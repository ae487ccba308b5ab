//! Canonical bytes of a rule pack: which rules are asked of which registers, with what parameters.
//!
//! ```text
//! rule pack 0x35 version = 1 ‖ kind ‖ id[33] title source from[i32] to[i32]
//!                classes[5] × { asked[u32]; parameters[34] × [i64] }
//!                linear minutes[u16] like days[u8] days back[u16] fewest like days[u8]
//!                outage neighbours[u8] year before[u8] class profile[u8] apportioning[u8]
//! ```
//!
//! Classes and parameters stand in the order that `core::vee` lists them in, all of them, whatever a file left out: one pack
//! has one spelling. Another parameter is another version. Also in `FORMAT.md` §3.

use tallywatt_core::hash::Published;
use tallywatt_core::vee::estimate::parameters::{Apportioning, EstimationParameters};
use tallywatt_core::vee::pack::{CLASS_COUNT, ClassRules, PACK_TEXT_SIZE_MAX, RulePack, RulePackParts};
use tallywatt_core::vee::parameters::{PARAMETERS, RuleParameters};
use tallywatt_core::vee::rule::RuleSet;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{read_code, read_validity, short_text, write_validity};

/// The version of these bytes.
pub const RULE_PACK_VERSION: u8 = 1;
/// Kind byte of a rule pack.
pub const RULE_PACK_KIND: u8 = 0x35;

// A parameter more or less is another version of the record.
const _: () = assert!(PARAMETERS.len() == 34 && CLASS_COUNT == 5 && RULE_PACK_VERSION == 1);

/// The canonical bytes of a rule pack.
#[must_use]
pub fn encode_rule_pack(pack: &RulePack) -> Vec<u8> {
    let parts = pack.parts();
    let mut writer = Writer::record(RULE_PACK_VERSION, RULE_PACK_KIND);
    writer.label(&parts.id).text(&parts.title).text(&parts.source);
    write_validity(&mut writer, parts.validity);
    for rules in &parts.classes {
        writer.u32(rules.asked.bits());
        for value in rules.parameters.values() {
            writer.i64(value);
        }
    }
    let EstimationParameters {
        linear_minutes_max,
        like_day_count,
        like_days_back,
        like_days_min,
        uses_outage_neighbours,
        previous_year,
        class_profile,
        apportioning,
    } = parts.estimation;
    writer.u16(linear_minutes_max).u8(like_day_count).u16(like_days_back).u8(like_days_min);
    writer.u8(uses_outage_neighbours.into()).u8(previous_year.into()).u8(class_profile.into());
    writer.u8(apportioning.code());
    writer.finish()
}

/// The rule pack of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`RulePack::new`] refuses together.
pub fn decode_rule_pack(bytes: &[u8]) -> Result<RulePack, CodecError> {
    let mut reader = Reader::record(bytes, RULE_PACK_VERSION, RULE_PACK_KIND)?;
    let start = reader.at();
    let id = reader.label("rule pack id")?;
    let title = short_text(&mut reader, "title", PACK_TEXT_SIZE_MAX)?.to_owned();
    let source = short_text(&mut reader, "source", PACK_TEXT_SIZE_MAX)?.to_owned();
    let validity = read_validity(&mut reader)?;
    let mut classes = [ClassRules::default(); CLASS_COUNT];
    for rules in &mut classes {
        *rules = read_class(&mut reader)?;
    }
    let estimation = EstimationParameters {
        linear_minutes_max: reader.u16("linear minutes")?,
        like_day_count: reader.u8("like days")?,
        like_days_back: reader.u16("days back")?,
        like_days_min: reader.u8("fewest like days")?,
        uses_outage_neighbours: read_flag(&mut reader, "outage neighbours")?,
        previous_year: read_flag(&mut reader, "year before")?,
        class_profile: read_flag(&mut reader, "class profile")?,
        apportioning: read_code(&mut reader, "apportioning", |code| {
            Apportioning::ALL.into_iter().find(|known| known.code() == code)
        })?,
    };
    let refused = reader.refuse("rule pack", start);
    reader.finish()?;
    RulePack::new(RulePackParts { id, title, source, validity, classes, estimation }).map_err(|_| refused)
}

fn read_class(reader: &mut Reader<'_>) -> Result<ClassRules, CodecError> {
    let at = reader.at();
    let asked = RuleSet::from_bits(reader.u32("asked rules")?).ok_or(reader.refuse("asked rules", at))?;
    let mut values = [0; PARAMETERS.len()];
    for (value, spec) in values.iter_mut().zip(&PARAMETERS) {
        let at = reader.at();
        *value = reader.i64(spec.name)?;
        if !(spec.min..=spec.max).contains(value) {
            return Err(reader.refuse(spec.name, at));
        }
    }
    Ok(ClassRules { asked, parameters: RuleParameters::from_values(values) })
}

fn read_flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, CodecError> {
    read_code(reader, field, |code| match code {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    })
}

/// The rule pack together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_rule_pack(pack: RulePack) -> Published<RulePack> {
    Published { hash: digest::content_hash(&encode_rule_pack(&pack)), body: pack }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::validity::Validity;
    use tallywatt_core::vee::rule::Rule;

    /// The id is 33 bytes long and no class is like another, so that every byte says something.
    fn pack() -> RulePack {
        let mut classes = [ClassRules::default(); CLASS_COUNT];
        for (class, rules) in classes.iter_mut().enumerate() {
            rules.asked = rules.asked.without(Rule::ALL[class]);
            rules.parameters.flat_run_count += i64::try_from(class).unwrap();
        }
        RulePack::new(RulePackParts {
            id: "a-pack-with-a-name-of-33-bytes-xx".parse().unwrap(),
            title: "A pack".into(),
            source: "illustrative".into(),
            validity: Validity::new("2026-01-01".parse().unwrap(), Some("2027-01-01".parse().unwrap()))
                .unwrap(),
            classes,
            estimation: EstimationParameters {
                linear_minutes_max: 120,
                like_day_count: 3,
                like_days_min: 3,
                like_days_back: 90,
                uses_outage_neighbours: false,
                previous_year: false,
                class_profile: true,
                apportioning: Apportioning::Evenly,
            },
        })
        .unwrap()
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        let bytes = encode_rule_pack(&pack());
        assert_eq!(decode_rule_pack(&bytes), Ok(pack()));
        assert_eq!(bytes.len(), 2 + 33 + 4 + 6 + 4 + 12 + 8 + 5 * (4 + 34 * 8) + 10);
        for size in 0..bytes.len() {
            assert!(decode_rule_pack(&bytes[..size]).is_err(), "cut to {size} bytes");
        }
        assert_eq!(decode_rule_pack(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing { count: 1 }));
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = decode_rule_pack(&bent) {
                assert_ne!(other, pack(), "bit {bit}");
                assert_eq!(encode_rule_pack(&other), bent, "bit {bit}");
            }
        }
    }

    /// A changed hash here is a change of every ledger that names a pack: never in passing.
    #[test]
    fn golden_hash() {
        let want = "9de28eb89e3dde01adb9ea71acbe58bb5ff34c32f8a8380b75e580ac04894c55";
        assert_eq!(publish_rule_pack(pack()).hash.to_string(), want);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let bytes = encode_rule_pack(&pack());
        let (classes_at, estimation_at) = (2 + 33 + 4 + 6 + 4 + 12 + 8, bytes.len() - 10);
        // offset of a byte, its new value, the field that is named
        let table = [
            (classes_at + 3, 0x40, "asked rules"),
            (classes_at + 4 + 8 + 7, 0x80, "power_margin_thousandths"),
            (classes_at + 4 + 4 * 8 + 1, 0x1f, "rule pack"),
            (estimation_at + 2, 2, "rule pack"),
            (estimation_at + 6, 2, "outage neighbours"),
        ];
        for (at, byte, want) in table {
            let mut bent = bytes.clone();
            bent[at] = byte;
            match decode_rule_pack(&bent) {
                Err(CodecError::Value { field, .. }) => assert_eq!(field, want, "{at}"),
                other => panic!("{at}: {other:?}"),
            }
        }
    }
}
