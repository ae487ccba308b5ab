//! The TOML text of a profile: its shape, and what of it may stand together.

use serde::Deserialize;

use tallywatt_core::calendar::Zone;
use tallywatt_core::reading::Source;

use crate::format::{self, Format, FormatKind};
use crate::profile::ProfileError;
use crate::scale::{Scale, Unit};

/// The largest profile, in bytes.
pub(crate) const PROFILE_SIZE_MAX: usize = 64 << 10;

/// Every key a profile may have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) format: String,
    pub(crate) layout: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) delimiter: Option<String>,
    pub(crate) decimal: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) multiplier: Option<String>,
    pub(crate) stamp: Option<String>,
    pub(crate) stamp_format: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) interval_minutes: Option<u8>,
    pub(crate) obis: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) round_to_wh: Option<bool>,
    pub(crate) usage_point: Option<String>,
    pub(crate) usage_point_from: Option<String>,
    pub(crate) crc: Option<String>,
    pub(crate) clock: Option<String>,
    pub(crate) read_at: Option<String>,
    pub(crate) read_at_from: Option<String>,
    pub(crate) max_power_w: Option<i64>,
    pub(crate) frame: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) groups: Option<bool>,
    pub(crate) columns: Option<ColumnsTable>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColumnsTable {
    pub(crate) usage_point: Option<String>,
    pub(crate) start: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) obis: Option<String>,
    pub(crate) quality: Option<String>,
    pub(crate) date: Option<String>,
    #[serde(default)]
    pub(crate) ignore: Vec<String>,
}

/// What every profile says, whatever its format.
pub(crate) struct Common {
    pub(crate) zone: Zone,
    pub(crate) source: Source,
    pub(crate) max_power_w: Option<i64>,
}

/// A profile's text with the means to say where in it something stands.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Text<'_> {
    /// Line of `key`, counted from 1; the first line if it is not there.
    fn line(self, key: &str) -> u64 {
        let at = self.0.lines().position(|line| {
            let rest = line.trim_start().strip_prefix(key);
            rest.is_some_and(|rest| rest.trim_start().starts_with('=') || rest.starts_with(']'))
        });
        u64::try_from(at.unwrap_or(0)).unwrap_or(0) + 1
    }

    pub(crate) fn parse(self) -> Result<Document, ProfileError> {
        if self.0.len() > PROFILE_SIZE_MAX {
            return Err(ProfileError::TooLong { size: self.0.len() });
        }
        toml::from_str(self.0).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start).min(self.0.len());
            let breaks = self.0.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count();
            let line = u64::try_from(breaks).unwrap_or(0) + 1;
            ProfileError::Toml { line, message: error.message().to_owned() }
        })
    }

    pub(crate) fn value(self, key: &'static str, value: &str, expected: &'static str) -> ProfileError {
        ProfileError::Value { line: self.line(key), key, value: value.chars().take(80).collect(), expected }
    }
}

impl Document {
    pub(crate) fn common(&self, text: Text<'_>) -> Result<Common, ProfileError> {
        let default_zone = format::kind(&self.format).and_then(|kind| kind.zone);
        let zone = self.zone.as_deref().or(default_zone).ok_or(ProfileError::Missing { key: "zone" })?;
        let zone = Zone::parse(zone)
            .map_err(|_| text.value("zone", zone, "a zone such as Europe/Amsterdam or +01:00"))?;
        let source = match self.source.as_deref() {
            None | Some("automated") => Source::Automated,
            Some("manual") => Source::Manual,
            Some("synthetic") => Source::Synthetic,
            Some(other) => return Err(text.value("source", other, "automated, manual or synthetic")),
        };
        if let Some(power) = self.max_power_w.filter(|&power| power <= 0) {
            return Err(text.value("max_power_w", &power.to_string(), "a number of watts above zero"));
        }
        Ok(Common { zone, source, max_power_w: self.max_power_w })
    }

    /// Reads what is particular to the format that the profile names.
    pub(crate) fn into_format(self, text: Text<'_>) -> Result<Box<dyn Format>, ProfileError> {
        let kind =
            format::kind(&self.format).ok_or_else(|| text.value("format", &self.format, format::NAMES))?;
        self.has_only(kind, text)?;
        (kind.read)(self, text)
    }

    /// Refuses the keys that the format does not use.
    fn has_only(&self, kind: &FormatKind, text: Text<'_>) -> Result<(), ProfileError> {
        let given = [
            ("layout", self.layout.is_some()),
            ("encoding", self.encoding.is_some()),
            ("delimiter", self.delimiter.is_some()),
            ("decimal", self.decimal.is_some()),
            ("stamp", self.stamp.is_some()),
            ("stamp_format", self.stamp_format.is_some()),
            ("interval_minutes", self.interval_minutes.is_some()),
            ("obis", self.obis.is_some()),
            ("usage_point", self.usage_point.is_some()),
            ("usage_point_from", self.usage_point_from.is_some()),
            ("[columns", self.columns.is_some()),
            ("unit", self.unit.is_some()),
            ("multiplier", self.multiplier.is_some()),
            ("frame", self.frame.is_some()),
            ("round_to_wh", self.round_to_wh.is_some()),
            ("class", self.class.is_some()),
            ("groups", self.groups.is_some()),
            ("crc", self.crc.is_some()),
            ("clock", self.clock.is_some()),
            ("read_at", self.read_at.is_some()),
            ("read_at_from", self.read_at_from.is_some()),
        ];
        let unused = given.map(|(key, there)| (key, there && !kind.keys.contains(&key)));
        text.none_of(&unused)
    }

    /// Unit and multiplier; `default` is the unit of a format that has one by custom.
    pub(crate) fn scale(&self, text: Text<'_>, default: Option<Unit>) -> Result<Scale, ProfileError> {
        let unit = match self.unit.as_deref() {
            Some(name) => Unit::named(name)
                .ok_or_else(|| text.value("unit", name, "Wh, kWh, MWh, varh, kvarh or Mvarh"))?,
            None => default.ok_or(ProfileError::Missing { key: "unit" })?,
        };
        let multiplier = self.multiplier.as_deref().unwrap_or("1");
        Scale::with_multiplier(unit, self.round_to_wh.unwrap_or(false), multiplier).ok_or_else(|| {
            text.value("multiplier", multiplier, "a decimal number above zero, with at most 9 decimals")
        })
    }
}

impl Text<'_> {
    pub(crate) fn unused(self, key: &'static str) -> ProfileError {
        ProfileError::Unused { line: self.line(key), key: key.trim_start_matches('[') }
    }

    pub(crate) fn none_of(self, keys: &[(&'static str, bool)]) -> Result<(), ProfileError> {
        match keys.iter().find(|(_, there)| *there) {
            Some((key, _)) => Err(self.unused(key)),
            None => Ok(()),
        }
    }
}
