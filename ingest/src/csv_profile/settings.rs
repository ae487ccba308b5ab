//! What a profile says of delimited text, and what of it may stand together.

use tallywatt_core::label::UsagePointId;
use tallywatt_core::reading::INTERVAL_MINUTES;
use tallywatt_core::register::Register;

use super::{Columns, CsvProfile, Encoding, Layout, PointFrom};
use crate::profile::ProfileError;
use crate::profile_text::{ColumnsTable, Document, Text};
use crate::stamp::StampPattern;

/// The most columns a profile may ignore.
const IGNORE_COUNT_MAX: usize = 4_096;

impl Document {
    pub(crate) fn into_csv(self, text: Text<'_>) -> Result<CsvProfile, ProfileError> {
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
