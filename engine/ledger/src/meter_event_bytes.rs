//! The canonical bytes of meter events, and of a set of them.
//!
//! ```text
//!   event   version = 1 │ kind 0x36 … 0x3b │ fields
//!   set     u32 count │ each: u32 size, event        ascending, each once
//! ```
//!
//! The values of a layer stand in a pack of one frame, so a layer that says little is short. Sets are in the order of
//! [`MeterEvent`], not of their bytes. Also in `FORMAT.md` §11.

use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::Label;
use tallywatt_core::layer::{CorrectionReason, Layer, LayerHead, LayerKind, Origin};
use tallywatt_core::meter::{DialReading, Installation, Multiplier, RegisterRead};
use tallywatt_core::meter_event::{Approval, MeterEvent, ReceivedRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Issued;
use tallywatt_core::register::{Flow, Register};

use crate::codec::{CodecError, Reader, Writer};
use crate::day_leaf::{DayLeaf, LEAF_SIZE_MAX, LeafTag};
use crate::day_pack::{PackReader, PackWriter};
use crate::digest;
use crate::frame::check_day;

/// The version of these bytes, one number for all kinds.
pub const METER_EVENT_VERSION: u8 = 1;
/// A layer of a day.
pub const LAYER_KIND: u8 = 0x36;
/// The issue of a day.
pub const STAMP_KIND: u8 = 0x37;
/// A read of a register.
pub const READ_KIND: u8 = 0x38;
/// A meter in place.
pub const INSTALLED_KIND: u8 = 0x39;
/// A correction that waits.
pub const PENDING_KIND: u8 = 0x3a;
/// A correction that was let pass.
pub const APPROVED_KIND: u8 = 0x3b;
/// The most events of one set: a stamp for each day of 16 million meters, and as many again.
pub const EVENT_COUNT_MAX: u32 = 1 << 26;

/// The canonical bytes of an event.
#[must_use]
pub fn encode_event(event: &MeterEvent) -> Vec<u8> {
    let record = |kind| Writer::record(METER_EVENT_VERSION, kind);
    match event {
        MeterEvent::Layer(layer) => layer_record(LAYER_KIND, layer),
        MeterEvent::Pending(layer) => layer_record(PENDING_KIND, layer),
        MeterEvent::Stamp { key, issued } => {
            let mut writer = record(STAMP_KIND);
            put_place(&mut writer, &key.usage_point, key.register);
            writer.i32(key.day.number()).u64(issued.0);
            writer.finish()
        }
        MeterEvent::Approved(Approval { layer, who, at }) => {
            let mut writer = record(APPROVED_KIND);
            writer.hash(layer).label(who).i64(at.0);
            writer.finish()
        }
        MeterEvent::Read(ReceivedRead { read, who, received }) => {
            let RegisterRead { usage_point, register, at, meter, dial, quality } = read;
            let mut writer = record(READ_KIND);
            put_place(&mut writer, usage_point, *register);
            writer.i64(at.0);
            put_label(&mut writer, meter.as_ref());
            writer.i64(dial.as_milliwatt_hours()).u8(quality.code());
            put_label(&mut writer, who.as_ref());
            put_instant(&mut writer, *received);
            writer.finish()
        }
        MeterEvent::Installed(installation) => {
            let Installation { usage_point, register, from, meter, first, to, digits, multiplier } =
                installation;
            let mut writer = record(INSTALLED_KIND);
            put_place(&mut writer, usage_point, *register);
            writer.i64(from.0).label(meter).i64(first.as_milliwatt_hours()).u8(to.is_some().into());
            if let Some((at, last)) = to {
                writer.i64(at.0).i64(last.as_milliwatt_hours());
            }
            writer.u8(*digits).u64(multiplier.as_millionths());
            writer.finish()
        }
    }
}

/// Reads an event that takes up all of `bytes`; encoding it again gives the same bytes.
///
/// # Errors
/// [`CodecError`] names the first field that is not canonical.
pub fn decode_event(bytes: &[u8]) -> Result<MeterEvent, CodecError> {
    let kind = bytes.get(1).copied().unwrap_or_default();
    let known = matches!(kind, LAYER_KIND..=APPROVED_KIND);
    let mut reader = Reader::record(bytes, METER_EVENT_VERSION, if known { kind } else { LAYER_KIND })?;
    let event = match kind {
        STAMP_KIND => {
            let (usage_point, register) = read_place(&mut reader)?;
            let day = read_day(&mut reader)?;
            let at = reader.at();
            let issued = Issued(reader.u64("issued")?);
            if issued == Issued::UNSAID {
                return Err(reader.refuse("issued", at));
            }
            MeterEvent::Stamp { key: BlockKey { usage_point, register, day }, issued }
        }
        READ_KIND => MeterEvent::Read(read_received(&mut reader)?),
        INSTALLED_KIND => MeterEvent::Installed(read_installation(&mut reader)?),
        APPROVED_KIND => MeterEvent::Approved(Approval {
            layer: reader.hash("layer")?,
            who: reader.label("who")?,
            at: UtcSeconds(reader.i64("at")?),
        }),
        PENDING_KIND => MeterEvent::Pending(read_layer(&mut reader)?),
        _ => MeterEvent::Layer(read_layer(&mut reader)?),
    };
    reader.finish()?;
    Ok(event)
}

/// What a waiting correction is known by: the content hash of its record.
#[must_use]
pub fn pending_hash(layer: &Layer) -> ContentHash {
    digest::content_hash(&layer_record(PENDING_KIND, layer))
}

/// The canonical bytes of a set.
///
/// # Panics
/// If the events are not ascending.
#[must_use]
pub fn encode_events(events: &[MeterEvent]) -> Vec<u8> {
    assert!(events.is_sorted_by(|a, b| a < b), "a set of events is in order, each once");
    let mut writer = Writer::default();
    writer.count(events.len());
    for event in events {
        writer.bytes(&encode_event(event));
    }
    writer.finish()
}

/// Reads a set that takes up all of `bytes`.
///
/// # Errors
/// [`CodecError`]: offsets inside an event count from its beginning.
pub fn decode_events(bytes: &[u8]) -> Result<Vec<MeterEvent>, CodecError> {
    let mut reader = Reader::new(bytes);
    let count = reader.count("events", EVENT_COUNT_MAX)?;
    let mut events: Vec<MeterEvent> = Vec::new();
    for _ in 0..count {
        let at = reader.at();
        let event = decode_event(reader.bytes("event")?)?;
        if events.last().is_some_and(|last| *last >= event) {
            return Err(reader.refuse("event order", at));
        }
        events.push(event);
    }
    reader.finish()?;
    Ok(events)
}

fn layer_record(kind: u8, layer: &Layer) -> Vec<u8> {
    let LayerHead { kind: layer_kind, issued, origin } = layer.head;
    let mut writer = Writer::record(METER_EVENT_VERSION, kind);
    writer.u8(layer_kind.code()).u64(issued.0).u8(origin.reason.code());
    put_label(&mut writer, origin.who.as_ref());
    put_instant(&mut writer, origin.at);
    let (mut pack, mut packed) = (PackWriter::default(), Vec::new());
    pack.push(DayLeaf::frame(layer.block.clone()).bytes());
    pack.finish(&mut packed);
    writer.raw(&packed);
    writer.finish()
}

fn read_layer(reader: &mut Reader<'_>) -> Result<Layer, CodecError> {
    let at = reader.at();
    let kind = LayerKind::from_code(reader.u8("layer kind")?).ok_or(reader.refuse("layer kind", at))?;
    let issued = Issued(reader.u64("issued")?);
    let at = reader.at();
    let reason = CorrectionReason::from_code(reader.u8("reason")?).ok_or(reader.refuse("reason", at))?;
    let origin = Origin { reason, who: read_label(reader, "who")?, at: read_instant(reader, "at")? };
    let at = reader.at();
    let block = read_packed(reader.rest("values")?)?;
    let says_quality = block.qualities().iter().any(|q| !matches!(q, Quality::Valid | Quality::Missing));
    if block.present_count() == 0 || (kind == LayerKind::Withdrawn && says_quality) {
        return Err(reader.refuse("values", at));
    }
    Ok(Layer { head: LayerHead { kind, issued, origin }, block })
}

/// The block of a pack of one frame.
fn read_packed(bytes: &[u8]) -> Result<DayBlock, CodecError> {
    let (mut pack, size) = PackReader::new(bytes, LeafTag::Frame)?;
    if size != bytes.len() || pack.left() != 1 || !pack.advance()? {
        return Err(CodecError::Value { field: "values", at: 0 });
    }
    check_day(&pack.packed())?;
    let mut frame = [0; LEAF_SIZE_MAX];
    let frame = &mut frame[..pack.leaf_size()];
    pack.write_leaf(frame);
    // Nothing may follow the one leaf.
    pack.advance()?;
    Ok(DayLeaf::decode(frame)?.into_block())
}

fn read_received(reader: &mut Reader<'_>) -> Result<ReceivedRead, CodecError> {
    let (usage_point, register) = read_place(reader)?;
    let at = UtcSeconds(reader.i64("at")?);
    let meter = read_label(reader, "meter")?;
    let dial = DialReading::from_milliwatt_hours(reader.i64("dial")?);
    let quality_at = reader.at();
    let quality = Quality::from_code(reader.u8("quality")?).ok_or(reader.refuse("quality", quality_at))?;
    let read = RegisterRead { usage_point, register, at, meter, dial, quality };
    Ok(ReceivedRead { read, who: read_label(reader, "who")?, received: read_instant(reader, "received")? })
}

fn read_installation(reader: &mut Reader<'_>) -> Result<Installation, CodecError> {
    let (usage_point, register) = read_place(reader)?;
    let from = UtcSeconds(reader.i64("from")?);
    let meter = reader.label("meter")?;
    let first = DialReading::from_milliwatt_hours(reader.i64("first")?);
    let to = match read_flag(reader, "to")? {
        false => None,
        true => {
            let at = UtcSeconds(reader.i64("to")?);
            Some((at, DialReading::from_milliwatt_hours(reader.i64("last")?)))
        }
    };
    let at = reader.at();
    let digits = reader.u8("digits")?;
    if !(1..=Installation::DIGITS_MAX).contains(&digits) {
        return Err(reader.refuse("digits", at));
    }
    let at = reader.at();
    let multiplier = Multiplier::from_millionths(reader.u64("multiplier")?)
        .map_err(|_| reader.refuse("multiplier", at))?;
    Ok(Installation { usage_point, register, from, meter, first, to, digits, multiplier })
}

fn put_place(writer: &mut Writer, usage_point: &Label, register: Register) {
    writer.label(usage_point).raw(&[register.channel, register.flow.group_c(), register.zone]);
}

fn read_place(reader: &mut Reader<'_>) -> Result<(Label, Register), CodecError> {
    let usage_point = reader.label("usage point")?;
    let (at, channel) = (reader.at(), reader.u8("channel")?);
    let flow = Flow::from_group_c(reader.u8("flow")?).ok_or(reader.refuse("flow", at + 1))?;
    Ok((usage_point, Register { flow, channel, zone: reader.u8("zone")? }))
}

fn read_day(reader: &mut Reader<'_>) -> Result<Day, CodecError> {
    let at = reader.at();
    Day::from_number(reader.i32("day")?).ok_or(reader.refuse("day", at))
}

fn put_label(writer: &mut Writer, label: Option<&Label>) {
    writer.u8(label.is_some().into());
    if let Some(label) = label {
        writer.label(label);
    }
}

fn read_label(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<Label>, CodecError> {
    read_flag(reader, field)?.then(|| reader.label(field)).transpose()
}

fn put_instant(writer: &mut Writer, instant: Option<UtcSeconds>) {
    writer.u8(instant.is_some().into());
    if let Some(instant) = instant {
        writer.i64(instant.0);
    }
}

fn read_instant(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<UtcSeconds>, CodecError> {
    read_flag(reader, field)?.then(|| reader.i64(field).map(UtcSeconds)).transpose()
}

fn read_flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, CodecError> {
    let at = reader.at();
    match reader.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(reader.refuse(field, at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::calendar::Zone;
    use tallywatt_core::day_block::MergeCounts;
    use tallywatt_core::reading::Source;

    fn block() -> DayBlock {
        let local = Zone::parse("Asia/Yekaterinburg").unwrap().local_day("2026-03-01".parse().unwrap());
        let point = "EKB-000017".parse().unwrap();
        let mut block = DayBlock::empty(point, Register::IMPORT, local, 30, Source::Automated).unwrap();
        for at in [3, 7] {
            block.put(at, 500, Quality::Valid, &mut MergeCounts::default());
        }
        block
    }

    /// One of each, in order.
    fn events() -> Vec<MeterEvent> {
        let who: Label = "anna".parse().unwrap();
        let usage_point = "EKB-000017".parse().unwrap();
        let edit = Origin { reason: CorrectionReason::MeterFault, who: Some(who), at: Some(UtcSeconds(9)) };
        let layer = |kind, issued, origin| Layer {
            head: LayerHead { kind, issued: Issued(issued), origin },
            block: block(),
        };
        let first = DialReading::from_milliwatt_hours(5_000_000);
        let meter: Label = "M-1".parse().unwrap();
        let read = RegisterRead {
            usage_point,
            register: Register::IMPORT,
            at: UtcSeconds(1_774_000_000),
            meter: Some(meter),
            dial: first,
            quality: Quality::Valid,
        };
        let pending = layer(LayerKind::Delivered, 3, Origin::DELIVERY);
        let installed = Installation {
            usage_point,
            register: Register::IMPORT,
            from: UtcSeconds(1_774_000_000),
            meter,
            first,
            to: Some((UtcSeconds(1_775_000_000), first)),
            digits: 6,
            multiplier: Multiplier::ONE,
        };
        vec![
            MeterEvent::Stamp { key: block().key(), issued: Issued(7) },
            MeterEvent::Layer(layer(LayerKind::Delivered, 9, edit)),
            MeterEvent::Layer(layer(LayerKind::Withdrawn, 0, Origin::WITHDRAWN_BY_SOURCE)),
            MeterEvent::Pending(pending.clone()),
            MeterEvent::Approved(Approval { layer: pending_hash(&pending), who, at: UtcSeconds(10) }),
            MeterEvent::Read(ReceivedRead { read, who: Some(who), received: None }),
            MeterEvent::Read(ReceivedRead { read, who: Some(who), received: Some(UtcSeconds(11)) }),
            MeterEvent::Installed(installed),
            MeterEvent::Installed(Installation { to: None, meter: "M-2".parse().unwrap(), ..installed }),
        ]
    }

    #[test]
    fn golden_vectors() {
        let all = events();
        let table = [
            (
                "stamp",
                encode_event(&all[0]),
                "098422a45b9f3729067e318c4e87186484dd6f9afea6fb8b14d1adc4657541cf",
            ),
            (
                "layer",
                encode_event(&all[1]),
                "a824e409a8ac4150d395eb72ed421c8a1b0fbd5ba475a343aadc10a507b23ef0",
            ),
            (
                "pending",
                encode_event(&all[3]),
                "e51d4dd61fdfd2a1e829d6adf1456e06d50b73c7b133639eec0086bf64313bbe",
            ),
            (
                "approved",
                encode_event(&all[4]),
                "075360561acd8603b6241842f6cb16a29bafaea1e19283287a0f7b045aece725",
            ),
            (
                "read",
                encode_event(&all[5]),
                "895f53d6f3c0f8b34bbc60364f40a6e87c1509e72727b980f97cfbca47f9511f",
            ),
            (
                "installed",
                encode_event(&all[7]),
                "67d67774e43c744c0b6cd05b8dedc46cd694064174cbeb169f2329c3569c3b12",
            ),
            ("set", encode_events(&all), "a0ff04a25c3d0679b396171f746775ae4a4ec1a728eb68b2a7c4015308f8e97e"),
        ];
        let differing: Vec<String> = table
            .iter()
            .map(|(name, bytes, want)| (name, digest::content_hash(bytes).to_string(), want))
            .filter(|(_, got, want)| got != *want)
            .map(|(name, got, _)| format!("{name}: {got}"))
            .collect();
        assert!(differing.is_empty(), "{differing:#?}");
    }

    #[test]
    fn events_have_one_form() {
        for event in events() {
            let bytes = encode_event(&event);
            assert_eq!(decode_event(&bytes), Ok(event));
            for size in 0..bytes.len() {
                assert!(decode_event(&bytes[..size]).is_err(), "cut to {size}");
            }
        }
        let bytes = encode_events(&events());
        assert_eq!(decode_events(&bytes), Ok(events()));
        let mut taken = 0;
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut image = bytes.clone();
                image[at] ^= 1 << bit;
                if let Ok(other) = decode_events(&image) {
                    assert_eq!(encode_events(&other), image, "byte {at} bit {bit}");
                    taken += 1;
                }
            }
        }
        assert!(taken > 500, "{taken}");
    }

    #[test]
    fn sets_out_of_order_are_refused() {
        let mut writer = Writer::default();
        writer.count(2);
        for event in events().iter().take(2).rev() {
            writer.bytes(&encode_event(event));
        }
        let refused = decode_events(&writer.finish()).unwrap_err();
        assert!(matches!(refused, CodecError::Value { field: "event order", .. }), "{refused:?}");
        let mut writer = Writer::default();
        writer.count(usize::try_from(EVENT_COUNT_MAX).unwrap() + 1);
        let refused = decode_events(&writer.finish()).unwrap_err();
        assert!(matches!(refused, CodecError::TooLong { field: "events", .. }), "{refused:?}");
    }
}
