//! Canonical bytes of a sharing group.
//!
//! ```text
//! version = 1 ‖ 0x43 ‖ id[33] title from[i32] to[i32]
//!   generator: usage point[33] OBIS B, C, E[3]
//!   mode[u8] 1 static, 2 capped, 3 dynamic
//!   participants[u32] × { usage point[33] OBIS B, C, E[3] part[u32], 10^-8 }, by usage point
//! ```
//!
//! Also in `FORMAT.md` §3.

use tallywatt_core::hash::Published;
use tallywatt_core::sharing::{
    PARTICIPANT_COUNT_MAX, Participant, SHARING_TITLE_SIZE_MAX, SharedRegister, SharingGroup, SharingMode,
    SharingParts,
};

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{
    read_code, read_count, read_register, read_validity, short_text, write_register, write_validity,
};

/// The version of these bytes.
pub const SHARING_VERSION: u8 = 1;
/// Kind byte of a sharing group.
pub const SHARING_KIND: u8 = 0x43;

/// The canonical bytes of a sharing group.
#[must_use]
pub fn encode_sharing_group(group: &SharingGroup) -> Vec<u8> {
    let parts = group.parts();
    let mut writer = Writer::record(SHARING_VERSION, SHARING_KIND);
    writer.label(&parts.id).text(&parts.title);
    write_validity(&mut writer, parts.validity);
    write_shared(&mut writer, &parts.generator);
    writer.u8(parts.mode as u8).count(parts.participants.len());
    for participant in &parts.participants {
        write_shared(&mut writer, &participant.consumes);
        writer.u32(participant.part);
    }
    writer.finish()
}

/// The sharing group of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, or fields that [`SharingGroup::new`] refuses together.
pub fn decode_sharing_group(bytes: &[u8]) -> Result<SharingGroup, CodecError> {
    let mut reader = Reader::record(bytes, SHARING_VERSION, SHARING_KIND)?;
    let start = reader.at();
    let id = reader.label("sharing group id")?;
    let title = short_text(&mut reader, "title", SHARING_TITLE_SIZE_MAX)?.to_owned();
    let validity = read_validity(&mut reader)?;
    let generator = read_shared(&mut reader)?;
    let mode = read_code(&mut reader, "sharing mode", |code| {
        SharingMode::ALL.into_iter().find(|mode| *mode as u8 == code)
    })?;
    let count = read_count(&mut reader, "participants", PARTICIPANT_COUNT_MAX)?;
    let mut participants = Vec::with_capacity(count);
    for _ in 0..count {
        let consumes = read_shared(&mut reader)?;
        participants.push(Participant { consumes, part: reader.u32("part")? });
    }
    let refused = reader.refuse("sharing group", start);
    reader.finish()?;
    let parts = SharingParts { id, title, validity, generator, mode, participants };
    match SharingGroup::new(parts.clone()) {
        Ok(group) if *group.parts() == parts => Ok(group),
        _ => Err(refused),
    }
}

fn write_shared(writer: &mut Writer, shared: &SharedRegister) {
    writer.label(&shared.usage_point);
    write_register(writer, shared.register);
}

fn read_shared(reader: &mut Reader<'_>) -> Result<SharedRegister, CodecError> {
    Ok(SharedRegister { usage_point: reader.label("usage point")?, register: read_register(reader)? })
}

/// The group together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_sharing_group(group: SharingGroup) -> Published<SharingGroup> {
    Published { hash: digest::content_hash(&encode_sharing_group(&group)), body: group }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::check;
    use tallywatt_core::register::{Flow, Register};
    use tallywatt_core::validity::Validity;

    fn parts() -> SharingParts {
        let shared = |name: &str, register| SharedRegister { usage_point: name.parse().unwrap(), register };
        let participant = |name: &str, part| Participant { consumes: shared(name, Register::IMPORT), part };
        SharingParts {
            id: "house-12".parse().unwrap(),
            title: "Haus 12".into(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            generator: shared("ROOF", Register::total(Flow::Export, 0)),
            mode: SharingMode::Capped,
            participants: vec![participant("FLAT-1", 10_000_000), participant("FLAT-2", 50_000_000)],
        }
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        check(&SharingGroup::new(parts()).unwrap(), encode_sharing_group, decode_sharing_group);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hash() {
        let hash = publish_sharing_group(SharingGroup::new(parts()).unwrap()).hash.to_string();
        assert_eq!(hash, "1d8cfeba09cb585e5eb3253de0068859a1ee095a8df50b0f14d60dc2aaa8b5c0");
    }

    #[test]
    fn participants_out_of_order_are_refused() {
        let group = SharingGroup::new(parts()).unwrap();
        let bytes = encode_sharing_group(&group);
        // Each participant has 33 + 3 + 4 bytes at the end.
        let at = bytes.len() - 80;
        let turned = [&bytes[..at], &bytes[at + 40..], &bytes[at..at + 40]].concat();
        match decode_sharing_group(&turned) {
            Err(CodecError::Value { field, .. }) => assert_eq!(field, "sharing group"),
            other => panic!("{other:?}"),
        }
    }
}
