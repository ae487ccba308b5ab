//! The TOML text of a profile: its shape, and what of it may stand together.

use serde::Deserialize;

use tallywatt_core::calendar::Zone;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::reading::{INTERVAL_MINUTES, Source};
use tallywatt_core::register::Register;

use crate::csv_profile::{Columns, CsvProfile, Encoding, Layout, PointFrom};
use crate::profile::{Format, Layout80020Profile, Nem12Profile, ProfileError};
use crate::scale::{Scale, Unit};
use crate::stamp::StampPattern;

/// The largest profile, in bytes.
pub(crate) const PROFILE_SIZE_MAX: usize = 64 << 10;
/// The most columns a profile may ignore.
const IGNORE_COUNT_MAX: usize = 4_096;

/// Every key a profile may have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    format: String,
    layout: Option<String>,
    encoding: Option<String>,
    delimiter: Option<String>,
    decimal: Option<String>,
    unit: Option<String>,
    multiplier: Option<String>,
    stamp: Option<String>,
    stamp_format: Option<String>,
    zone: Option<String>,
    interval_minutes: Option<u8>,
    obis: Option<String>,
    source: Option<String>,
    round_to_wh: Option<bool>,
    usage_point: Option<String>,
    usage_point_from: Option<String>,
    max_power_w: Option<i64>,
    columns: Option<ColumnsTable>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnsTable {
    usage_point: Option<String>,
    start: Option<String>,
    value: Option<String>,
    obis: Option<String>,
    quality: Option<String>,
    date: Option<String>,
    #[serde(default)]
    ignore: Vec<String>,
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

    fn value(self, key: &'static str, value: &str, expected: &'static str) -> ProfileError {
        ProfileError::Value { line: self.line(key), key, value: value.chars().take(80).collect(), expected }
    }
}

impl Document {
    pub(crate) fn common(&self, text: Text<'_>) -> Result<Common, ProfileError> {
        let default_zone = if self.format == "nem12" { Some("+10:00") } else { None };
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

    pub(crate) fn into_format(self, text: Text<'_>) -> Result<Format, ProfileError> {
        match self.format.as_str() {
            "csv" => Ok(Format::Csv(Box::new(self.into_csv(text)?))),
            "nem12" => {
                self.has_no_csv_keys(text)?;
                self.has_no_scale(text)?;
                Ok(Format::Nem12(Nem12Profile { rounds: self.round_to_wh.unwrap_or(false) }))
            }
            "80020" => {
                self.has_no_csv_keys(text)?;
                let scale = self.scale(text, Some(Unit::KWH))?;
                Ok(Format::Layout80020(Layout80020Profile { scale }))
            }
            "frames" => self.into_whole_wh(text, Format::Frames),
            "packs" => self.into_whole_wh(text, Format::Packs),
            other => Err(text.value("format", other, "csv, nem12, 80020, frames or packs")),
        }
    }

    /// A format that says everything, in whole watt-hours.
    fn into_whole_wh(self, text: Text<'_>, format: Format) -> Result<Format, ProfileError> {
        self.has_no_csv_keys(text)?;
        self.has_no_scale(text)?;
        text.none_of(&[("round_to_wh", self.round_to_wh.is_some())])?;
        Ok(format)
    }

    fn has_no_csv_keys(&self, text: Text<'_>) -> Result<(), ProfileError> {
        let keys = [
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
        ];
        text.none_of(&keys)
    }

    fn has_no_scale(&self, text: Text<'_>) -> Result<(), ProfileError> {
        text.none_of(&[("unit", self.unit.is_some()), ("multiplier", self.multiplier.is_some())])
    }

    fn scale(&self, text: Text<'_>, default: Option<Unit>) -> Result<Scale, ProfileError> {
        let unit = match self.unit.as_deref() {
            Some(name) => {
                Unit::named(name).ok_or_else(|| text.value("unit", name, "Wh, kWh, MWh, varh or kvarh"))?
            }
            None => default.ok_or(ProfileError::Missing { key: "unit" })?,
        };
        let multiplier = self.multiplier.as_deref().unwrap_or("1");
        Scale::with_multiplier(unit, self.round_to_wh.unwrap_or(false), multiplier).ok_or_else(|| {
            text.value("multiplier", multiplier, "a decimal number above zero, with at most 9 decimals")
        })
    }

    fn into_csv(self, text: Text<'_>) -> Result<CsvProfile, ProfileError> {
        let scale = self.scale(text, None)?;
        let register = self.register(text)?;
        if !scale.unit.measures(register.flow) {
            let unit = self.unit.unwrap_or_default();
            return Err(text.value(
                "unit",
                &unit,
                "a unit of the register: Wh for active, varh for reactive",
            ));
        }
        let layout = match self.layout.as_deref() {
            Some("long") => Layout::Long,
            Some("wide") => Layout::Wide,
            Some("day") => Layout::Day,
            Some(other) => return Err(text.value("layout", other, "long, wide or day")),
            None => return Err(ProfileError::Missing { key: "layout" }),
        };
        let encoding = match self.encoding.as_deref() {
            None | Some("utf-8") => Encoding::Utf8,
            Some("windows-1251") => Encoding::Windows1251,
            Some(other) => return Err(text.value("encoding", other, "utf-8 or windows-1251")),
        };
        let at_end = match self.stamp.as_deref() {
            None | Some("start") => false,
            Some("end") if layout == Layout::Day => return Err(text.unused("stamp")),
            Some("end") => true,
            Some(other) => return Err(text.value("stamp", other, "start or end")),
        };
        Ok(CsvProfile {
            layout,
            encoding,
            delimiter: self.delimiter(text)?,
            decimal: self.decimal(text)?,
            scale,
            register,
            stamp: self.stamp_pattern(text, layout)?,
            at_end,
            interval_minutes: self.interval(text)?,
            points: self.points(text, layout)?,
            columns: self.columns(text, layout)?,
        })
    }

    fn register(&self, text: Text<'_>) -> Result<Register, ProfileError> {
        match self.obis.as_deref() {
            None => Ok(Register::IMPORT),
            Some(code) => code
                .parse()
                .map_err(|_| text.value("obis", code, "the code of an energy register, such as 1-0:1.8.0")),
        }
    }

    fn delimiter(&self, text: Text<'_>) -> Result<u8, ProfileError> {
        let delimiter = self.delimiter.as_deref().unwrap_or(",");
        match delimiter.as_bytes() {
            [byte @ (b',' | b';' | b'\t' | b'|')] => Ok(*byte),
            _ => Err(text.value("delimiter", delimiter, "one of , ; | or a tab")),
        }
    }

    fn decimal(&self, text: Text<'_>) -> Result<u8, ProfileError> {
        match self.decimal.as_deref() {
            None | Some(".") => Ok(b'.'),
            Some(",") if self.delimiter(text)? != b',' => Ok(b','),
            Some(other) => {
                Err(text.value("decimal", other, "a point, or a comma where that is not the delimiter"))
            }
        }
    }

    fn interval(&self, text: Text<'_>) -> Result<u8, ProfileError> {
        let minutes = self.interval_minutes.ok_or(ProfileError::Missing { key: "interval_minutes" })?;
        if INTERVAL_MINUTES.contains(&minutes) {
            Ok(minutes)
        } else {
            Err(text.value("interval_minutes", &minutes.to_string(), "5, 15, 30 or 60"))
        }
    }

    fn stamp_pattern(&self, text: Text<'_>, layout: Layout) -> Result<StampPattern, ProfileError> {
        let with_time = layout != Layout::Day;
        let default = if with_time { None } else { Some("YYYY-MM-DD") };
        let pattern =
            self.stamp_format.as_deref().or(default).ok_or(ProfileError::Missing { key: "stamp_format" })?;
        StampPattern::parse(pattern, with_time).ok_or_else(|| {
            let expected = match with_time {
                true => "rfc3339, epoch, or a pattern such as YYYY-MM-DD HH:mm:ss",
                false => "a pattern of a date alone, such as YYYY-MM-DD",
            };
            text.value("stamp_format", pattern, expected)
        })
    }

    fn points(&self, text: Text<'_>, layout: Layout) -> Result<PointFrom, ProfileError> {
        let column = self.columns.as_ref().and_then(|columns| columns.usage_point.as_ref());
        match (column, self.usage_point.as_deref(), self.usage_point_from.as_deref()) {
            (None, None, None) if layout == Layout::Wide => Ok(PointFrom::Header),
            (Some(_), None, None) if layout != Layout::Wide => Ok(PointFrom::Column),
            (None, Some(name), None) if layout != Layout::Wide => UsagePointId::new(name.as_bytes())
                .map(PointFrom::Constant)
                .map_err(|_| text.value("usage_point", name, "1 to 33 printable ASCII characters")),
            (None, None, Some("file")) if layout != Layout::Wide => Ok(PointFrom::File),
            (None, None, Some(other)) if layout != Layout::Wide => {
                Err(text.value("usage_point_from", other, "file"))
            }
            (None, None, None) => Err(ProfileError::Missing { key: "usage_point" }),
            // In the wide layout the columns are the usage points; elsewhere only one of the three may say it.
            _ => Err(text.unused("usage_point")),
        }
    }

    fn columns(self, text: Text<'_>, layout: Layout) -> Result<Columns, ProfileError> {
        let table = self.columns.unwrap_or_default();
        let needed = |key, column: &Option<String>| match column {
            Some(_) => Ok(()),
            None => Err(ProfileError::Missing { key }),
        };
        match layout {
            Layout::Long => {
                needed("start", &table.start)?;
                needed("value", &table.value)?;
                text.none_of(&[("date", table.date.is_some())])?;
            }
            Layout::Wide => {
                needed("start", &table.start)?;
                text.none_of(&[
                    ("value", table.value.is_some()),
                    ("obis", table.obis.is_some()),
                    ("quality", table.quality.is_some()),
                    ("date", table.date.is_some()),
                ])?;
            }
            Layout::Day => {
                needed("date", &table.date)?;
                text.none_of(&[
                    ("start", table.start.is_some()),
                    ("value", table.value.is_some()),
                    ("quality", table.quality.is_some()),
                ])?;
            }
        }
        if table.ignore.len() > IGNORE_COUNT_MAX {
            return Err(text.value("ignore", "a longer list", "at most 4096 columns"));
        }
        let ColumnsTable { usage_point, start, value, obis, quality, date, ignore } = table;
        Ok(Columns { usage_point, start: start.or(date).unwrap_or_default(), value, obis, quality, ignore })
    }
}

impl Text<'_> {
    fn unused(self, key: &'static str) -> ProfileError {
        ProfileError::Unused { line: self.line(key), key: key.trim_start_matches('[') }
    }

    fn none_of(self, keys: &[(&'static str, bool)]) -> Result<(), ProfileError> {
        match keys.iter().find(|(_, there)| *there) {
            Some((key, _)) => Err(self.unused(key)),
            None => Ok(()),
        }
    }
}
