//! The sharing group file: whose generation is shared among whom, as TOML.
//!
//! ```toml
//! kind = "sharing-group"
//! id = "house-12"
//! title = "House 12"
//! valid_from = "2026-01-01"
//! # valid_to = "2027-01-01"     # the first day it no longer holds
//! mode = "capped"               # static | capped | dynamic
//! [generator]
//! usage_point = "ROOF"
//! obis = "1-0:2.8.0"
//! [[participant]]
//! usage_point = "FLAT-1"
//! obis = "1-0:1.8.0"
//! share_percent = "10"          # at most six decimals; left out in mode dynamic
//! ```

use std::ops::Range as Span;

use serde::Deserialize;
use tallywatt_core::sharing::{
    PART_WHOLE, Participant, SharedRegister, SharingError, SharingGroup, SharingMode, SharingParts,
};
use toml::Spanned;

use super::error::DocumentError;
use super::field::{Field, Source};

/// Decimals of a per cent down to the unit of [`Participant::part`].
const PART_DECIMALS: u32 = 6;

const NAMES: &str = "write 1 to 33 printable ASCII characters";
const OBIS: &str = "write the register as \"1-0:1.8.0\"";
const MODES: &str = "write mode = \"static\", \"capped\" or \"dynamic\"";
const PARTS: &str =
    "write share_percent above 0 for each participant, together at most 100; none in mode dynamic";
const ONCE: &str = "name each usage point once, and the generator only as the generator";
const COUNT: &str = "write [[participant]] 1 to 256 times";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SharingFile {
    #[serde(rename = "kind")]
    _kind: Field,
    id: Field,
    title: Field,
    valid_from: Field,
    valid_to: Option<Field>,
    mode: Field,
    generator: RegisterTable,
    #[serde(default)]
    participant: Vec<Spanned<ParticipantTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterTable {
    usage_point: Field,
    obis: Field,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ParticipantTable {
    usage_point: Field,
    obis: Field,
    share_percent: Option<Field>,
}

/// Reads a sharing group file.
pub(super) fn parse(source: &Source<'_>) -> Result<SharingGroup, DocumentError> {
    let file: SharingFile = source.read()?;
    let name = source.text("mode", &file.mode)?;
    let mode = SharingMode::ALL.into_iter().find(|mode| mode.name() == name);
    let mode = mode.ok_or_else(|| {
        source.fail(&file.mode.span(), format!("sharing mode {name:?} is not known"), MODES)
    })?;
    let participants = file.participant.iter().map(|one| participant_of(source, one.get_ref()));
    let parts = SharingParts {
        id: source.parse("id", &file.id, NAMES)?,
        title: source.text("title", &file.title)?.to_owned(),
        validity: source.validity(&file.valid_from, file.valid_to.as_ref())?,
        generator: register_of(source, &file.generator.usage_point, &file.generator.obis)?,
        mode,
        participants: participants.collect::<Result<_, _>>()?,
    };
    SharingGroup::new(parts).map_err(|error| {
        let (span, next_step) = place_of(&error, &file);
        source.fail(&span, error.to_string(), next_step)
    })
}

fn participant_of(source: &Source<'_>, table: &ParticipantTable) -> Result<Participant, DocumentError> {
    let part = match &table.share_percent {
        None => 0,
        Some(field) => {
            let part = source.decimal("share_percent", field, PART_DECIMALS)?;
            let part = u32::try_from(part).ok().filter(|part| (1..=PART_WHOLE).contains(part));
            part.ok_or_else(|| source.fail(&field.span(), "share_percent is not above 0, up to 100", PARTS))?
        }
    };
    Ok(Participant { consumes: register_of(source, &table.usage_point, &table.obis)?, part })
}

fn register_of(source: &Source<'_>, point: &Field, obis: &Field) -> Result<SharedRegister, DocumentError> {
    let usage_point = source.parse("usage point", point, NAMES)?;
    Ok(SharedRegister { usage_point, register: source.parse("obis", obis, OBIS)? })
}

/// Where in the file a mistake stands that shows only when the parts are put together.
fn place_of(error: &SharingError, file: &SharingFile) -> (Span<usize>, &'static str) {
    let last = |of: &str| {
        let named =
            |one: &&Spanned<ParticipantTable>| one.get_ref().usage_point.get_ref().as_str() == Some(of);
        file.participant.iter().rfind(named).map(Spanned::get_ref)
    };
    let point = |of: &str| last(of).map_or(file.id.span(), |one| one.usage_point.span());
    match error {
        SharingError::Count(_) => (file.id.span(), COUNT),
        SharingError::Title => (file.title.span(), "shorten it"),
        SharingError::Twice(of) | SharingError::Generator(of) => (point(of.as_str()), ONCE),
        SharingError::Flow { usage_point, .. } => {
            let of = usage_point.as_str();
            (
                last(of).map_or(file.generator.obis.span(), |one| one.obis.span()),
                "write the register of that flow",
            )
        }
        SharingError::Parts(_) => (file.participant.last().map_or(file.id.span(), Spanned::span), PARTS),
        SharingError::Part(of) => (point(of.as_str()), PARTS),
    }
}
