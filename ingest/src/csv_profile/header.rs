//! The header of a delimited file: which column holds what. Every column must be accounted for.

use tallywatt_core::label::UsagePointId;

use super::{CsvProfile, Layout, PointFrom};
use crate::lines::Fields;
use crate::refusal::{FileRefusal, shown};
use crate::tally;

/// The most interval columns of the day layout: 25 hours of 5 minutes.
const INTERVAL_COLUMN_COUNT_MAX: usize = 300;

/// Where in a row everything stands. Columns are counted from 0.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) column_count: usize,
    /// The stamp, or the date in the day layout.
    pub(super) start: usize,
    pub(super) obis: Option<usize>,
    pub(super) quality: Option<usize>,
    pub(super) point: PointAt,
    pub(super) values: Vec<ValueColumn>,
}

/// Where a row's usage point stands.
#[derive(Debug)]
pub(super) enum PointAt {
    Column(usize),
    /// The same in every row.
    Fixed(UsagePointId),
    /// In the wide layout: with each value column.
    Columns(Vec<UsagePointId>),
}

/// A column of values.
#[derive(Debug)]
pub(super) struct ValueColumn {
    pub(super) at: usize,
    pub(super) name: String,
}

impl Plan {
    /// The values that a row of this file is expected to hold.
    pub(super) fn reading_count(&self) -> u32 {
        tally::count(self.values.len())
    }
}

/// Reads the header.
pub(super) fn read(
    profile: &CsvProfile,
    file_name: &str,
    text: &[u8],
    fields: &mut Fields,
) -> Result<Plan, FileRefusal> {
    if !profile.encoding.holds(text) || text.contains(&0) {
        return Err(FileRefusal::NotText { line: 1, encoding: profile.encoding.name() });
    }
    let row = fields
        .split(text, profile.delimiter)
        .ok_or_else(|| FileRefusal::Header { line: 1, what: "quotes do not match".to_owned() })?;
    let names: Vec<String> = (0..row.len()).map(|at| profile.encoding.text(row.field(at))).collect();
    plan_of(profile, file_name, &names)
}

/// Where everything stands in rows of columns with these names.
pub(super) fn plan_of(profile: &CsvProfile, file_name: &str, names: &[String]) -> Result<Plan, FileRefusal> {
    let header = Header { profile, names };
    header.has_no_doubles()?;
    match profile.layout {
        Layout::Long => header.long(file_name),
        Layout::Wide => header.wide(),
        Layout::Day => header.day(file_name),
    }
}

struct Header<'a> {
    profile: &'a CsvProfile,
    names: &'a [String],
}

impl Header<'_> {
    fn has_no_doubles(&self) -> Result<(), FileRefusal> {
        let mut sorted: Vec<&String> = self.names.iter().collect();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let what = format!("column {:?} stands there twice", shown(pair[0]));
                Err(FileRefusal::Header { line: 1, what })
            }
            None => Ok(()),
        }
    }

    fn long(&self, file_name: &str) -> Result<Plan, FileRefusal> {
        let columns = &self.profile.columns;
        let value = self.required(columns.value.as_ref())?;
        let plan = Plan {
            column_count: self.names.len(),
            start: self.required(Some(&columns.start))?,
            obis: self.optional(columns.obis.as_ref())?,
            quality: self.optional(columns.quality.as_ref())?,
            point: self.point(file_name)?,
            values: vec![ValueColumn { at: value, name: self.names[value].clone() }],
        };
        self.all_known(&[])?;
        Ok(plan)
    }

    fn wide(&self) -> Result<Plan, FileRefusal> {
        let start = self.required(Some(&self.profile.columns.start))?;
        let mut points = Vec::new();
        let mut values = Vec::new();
        for (at, name) in self.names.iter().enumerate() {
            if at == start || self.profile.columns.ignore.contains(name) {
                continue;
            }
            points.push(UsagePointId::new(name.as_bytes()).map_err(|error| {
                let what = format!("column {:?} is no usage point: {error}", shown(name));
                FileRefusal::Header { line: 1, what }
            })?);
            values.push(ValueColumn { at, name: name.clone() });
        }
        if values.is_empty() {
            return Err(FileRefusal::NoReadings);
        }
        let point = PointAt::Columns(points);
        Ok(Plan { column_count: self.names.len(), start, obis: None, quality: None, point, values })
    }

    fn day(&self, file_name: &str) -> Result<Plan, FileRefusal> {
        let columns = &self.profile.columns;
        let values: Vec<ValueColumn> = (1..=INTERVAL_COLUMN_COUNT_MAX)
            .map_while(|number| {
                let name = format!("v{number}");
                self.find(&name).map(|at| ValueColumn { at, name })
            })
            .collect();
        let plan = Plan {
            column_count: self.names.len(),
            start: self.required(Some(&columns.start))?,
            obis: self.optional(columns.obis.as_ref())?,
            quality: None,
            point: self.point(file_name)?,
            values,
        };
        if plan.values.is_empty() {
            return Err(FileRefusal::MissingColumn { column: "v1".to_owned(), line: 1 });
        }
        self.all_known(&plan.values)?;
        Ok(plan)
    }

    fn point(&self, file_name: &str) -> Result<PointAt, FileRefusal> {
        match self.profile.points {
            PointFrom::Column | PointFrom::Header => {
                self.required(self.profile.columns.usage_point.as_ref()).map(PointAt::Column)
            }
            PointFrom::Constant(point) => Ok(PointAt::Fixed(point)),
            PointFrom::File => {
                let name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
                let stem = name.split('.').next().unwrap_or_default();
                UsagePointId::new(stem.as_bytes()).map(PointAt::Fixed).map_err(|error| FileRefusal::Header {
                    line: 1,
                    what: format!("file name {:?} is no usage point: {error}", shown(stem)),
                })
            }
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    fn optional(&self, name: Option<&String>) -> Result<Option<usize>, FileRefusal> {
        name.map(|name| self.required(Some(name))).transpose()
    }

    fn required(&self, name: Option<&String>) -> Result<usize, FileRefusal> {
        let name = name.map(String::as_str).unwrap_or_default();
        self.find(name).ok_or_else(|| FileRefusal::MissingColumn { column: shown(name), line: 1 })
    }

    /// Every column is named by the profile, ignored by it, or one of `values`.
    fn all_known(&self, values: &[ValueColumn]) -> Result<(), FileRefusal> {
        let columns = &self.profile.columns;
        let mut named = vec![&columns.start];
        named.extend(
            [&columns.usage_point, &columns.value, &columns.obis, &columns.quality].into_iter().flatten(),
        );
        for (at, name) in self.names.iter().enumerate() {
            let known = named.contains(&name)
                || columns.ignore.contains(name)
                || values.iter().any(|value| value.at == at);
            if !known {
                let mut expected: Vec<String> = named.iter().map(|name| format!("{name:?}")).collect();
                if self.profile.layout == Layout::Day {
                    expected.push("v1, v2, … one an interval".to_owned());
                }
                return Err(FileRefusal::UnknownColumn {
                    column: shown(name),
                    line: 1,
                    expected: expected.join(", "),
                });
            }
        }
        Ok(())
    }
}
