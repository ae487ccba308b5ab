//! The rule pack file: which rules are asked of which registers, with what parameters, as TOML.
//!
//! ```toml
//! kind = "rule-pack"
//! id = "generic"
//! title = "Generic"
//! source = "catalogue of rules; configurable defaults"
//! valid_from = "2026-01-01"
//! # valid_to = "2027-01-01"     # the first day it no longer holds
//! [default]                     # of all classes
//! off = ["V11"]                 # rules that are not asked
//! skew_s_max = 300              # a parameter of core::vee::parameters, a whole number in the unit of its name
//! [class.industrial]            # residential | commercial | industrial | export | reactive
//! on = ["V11"]                  # asked after all
//! outlier_sigma_wh_min = 50000
//! [estimation]
//! linear_minutes_max = 120
//! like_day_count = 3
//! like_days_back = 90
//! like_days_min = 3
//! uses_outage_neighbours = false
//! previous_year = true
//! class_profile = true
//! apportioning = "never"        # or "evenly": a register's energy over a month without intervals
//! ```
//!
//! What a file leaves out is the catalogue's default. The packs that come with the program are such files.

use std::collections::BTreeMap;
use std::ops::Range as Span;

use serde::Deserialize;
use tallywatt_core::vee::estimate::parameters::{Apportioning, EstimationParameters};
use tallywatt_core::vee::pack::{CLASS_COUNT, ClassRules, PackError, RegisterClass, RulePack, RulePackParts};
use tallywatt_core::vee::parameters::{PARAMETERS, ParameterError, RuleParameters};
use tallywatt_core::vee::rule::Rule;
use toml::{Spanned, Value};

use super::error::DocumentError;
use super::field::{Field, Source};
use super::{DOCUMENT_SIZE_MAX, Kind};

/// The packs that come with the program, by id.
const BUILTIN: [(&str, &str); 5] = [
    ("generic", include_str!("../../rule_packs/generic.toml")),
    ("california-like", include_str!("../../rule_packs/california-like.toml")),
    ("aemo-like", include_str!("../../rule_packs/aemo-like.toml")),
    ("russia-households", include_str!("../../rule_packs/russia-households.toml")),
    ("russia-commercial", include_str!("../../rule_packs/russia-commercial.toml")),
];

const NAMES: &str = "write 1 to 33 printable ASCII characters";
const RULES: &str = "write a list of rule numbers, such as [\"V10\", \"V11\"]";
const PARAMETER: &str = "write a parameter of the catalogue, as a whole number in the unit of its name";
const CLASSES: &str = "write residential, commercial, industrial, export or reactive";
const APPORTIONING: &str = "write \"never\" or \"evenly\"";

/// The parameters of a class by name, with the lists `off` and `on`.
type ClassTable = BTreeMap<String, Field>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulePackFile {
    #[serde(rename = "kind")]
    _kind: Field,
    id: Field,
    title: Field,
    source: Field,
    valid_from: Field,
    valid_to: Option<Field>,
    #[serde(default)]
    default: ClassTable,
    #[serde(default)]
    class: BTreeMap<String, Spanned<ClassTable>>,
    estimation: Option<EstimationTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EstimationTable {
    linear_minutes_max: Option<Field>,
    like_day_count: Option<Field>,
    like_days_back: Option<Field>,
    like_days_min: Option<Field>,
    uses_outage_neighbours: Option<Field>,
    previous_year: Option<Field>,
    class_profile: Option<Field>,
    apportioning: Option<Field>,
}

/// The text of a pack that comes with the program; `None` for an id that none has.
#[must_use]
pub fn builtin_rule_pack(id: &str) -> Option<&'static str> {
    BUILTIN.into_iter().find(|(known, _)| *known == id).map(|(_, text)| text)
}

/// The ids of the packs that come with the program.
pub fn builtin_rule_packs() -> impl Iterator<Item = &'static str> {
    BUILTIN.into_iter().map(|(id, _)| id)
}

/// Reads a rule pack file; `file` is its name in messages.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_rule_pack(file: &str, text: &str) -> Result<RulePack, DocumentError> {
    let source = Source::new(file, text);
    if text.len() > DOCUMENT_SIZE_MAX {
        let problem = format!("file of {} bytes, at most {DOCUMENT_SIZE_MAX}", text.len());
        return Err(DocumentError::new(file, None, problem, "write one rule pack a file"));
    }
    let Kind { kind } = source.read()?;
    if source.text("kind", &kind)? != "rule-pack" {
        return Err(source.fail(&kind.span(), "not a rule pack", "write kind = \"rule-pack\""));
    }
    parse(&source)
}

pub(super) fn parse(source: &Source<'_>) -> Result<RulePack, DocumentError> {
    let file: RulePackFile = source.read()?;
    let default = rules_of(source, &ClassRules::default(), &file.default)?;
    let mut classes = [default; CLASS_COUNT];
    for (name, table) in &file.class {
        let Some(at) = RegisterClass::ALL.iter().position(|class| class.name() == name) else {
            let problem = format!("class {name:?} is not known");
            return Err(source.fail(&table.span(), problem, CLASSES));
        };
        classes[at] = rules_of(source, &default, table.get_ref())?;
    }
    let parts = RulePackParts {
        id: source.parse("id", &file.id, NAMES)?,
        title: source.text("title", &file.title)?.to_owned(),
        source: source.text("source", &file.source)?.to_owned(),
        validity: source.validity(&file.valid_from, file.valid_to.as_ref())?,
        classes,
        estimation: match &file.estimation {
            Some(table) => estimation_of(source, table)?,
            None => EstimationParameters::default(),
        },
    };
    RulePack::new(parts).map_err(|error| {
        let (span, next_step) = place_of(&error, &file);
        source.fail(&span, error.to_string(), next_step)
    })
}

fn rules_of(
    source: &Source<'_>,
    default: &ClassRules,
    table: &ClassTable,
) -> Result<ClassRules, DocumentError> {
    let ClassRules { mut asked, parameters } = *default;
    let mut values = parameters.values();
    for (name, field) in table {
        match name.as_str() {
            "off" => asked = rule_list(source, field)?.into_iter().fold(asked, |set, rule| set.without(rule)),
            "on" => asked = rule_list(source, field)?.into_iter().fold(asked, |set, rule| set.with(rule)),
            _ => {
                let Some(at) = PARAMETERS.iter().position(|spec| spec.name == name) else {
                    let problem = format!("parameter {name:?} is not known");
                    return Err(source.fail(&field.span(), problem, PARAMETER));
                };
                values[at] = source.whole(name, field, PARAMETERS[at].min..=PARAMETERS[at].max, PARAMETER)?;
            }
        }
    }
    Ok(ClassRules { asked, parameters: RuleParameters::from_values(values) })
}

fn rule_list(source: &Source<'_>, field: &Field) -> Result<Vec<Rule>, DocumentError> {
    let Value::Array(list) = field.get_ref() else {
        return Err(source.fail(&field.span(), "not a list of rules", RULES));
    };
    let rule = |value: &Value| {
        let number = value.as_str().and_then(|text| text.strip_prefix('V'));
        let rule = number.filter(|number| number.len() == 2).and_then(|number| number.parse().ok());
        rule.and_then(Rule::from_number)
            .ok_or_else(|| source.fail(&field.span(), format!("{value} is not a rule"), RULES))
    };
    list.iter().map(rule).collect()
}

fn estimation_of(
    source: &Source<'_>,
    table: &EstimationTable,
) -> Result<EstimationParameters, DocumentError> {
    let mut parameters = EstimationParameters::default();
    if let Some(field) = &table.linear_minutes_max {
        parameters.linear_minutes_max = source.whole("linear_minutes_max", field, 0..=u16::MAX, PARAMETER)?;
    }
    if let Some(field) = &table.like_day_count {
        parameters.like_day_count = source.whole("like_day_count", field, 0..=u8::MAX, PARAMETER)?;
    }
    if let Some(field) = &table.like_days_back {
        parameters.like_days_back = source.whole("like_days_back", field, 0..=u16::MAX, PARAMETER)?;
    }
    if let Some(field) = &table.like_days_min {
        parameters.like_days_min = source.whole("like_days_min", field, 0..=u8::MAX, PARAMETER)?;
    }
    let flags = [
        ("uses_outage_neighbours", &table.uses_outage_neighbours, &mut parameters.uses_outage_neighbours),
        ("previous_year", &table.previous_year, &mut parameters.previous_year),
        ("class_profile", &table.class_profile, &mut parameters.class_profile),
    ];
    for (name, field, set) in flags {
        if let Some(field) = field {
            *set = source.flag(name, field)?;
        }
    }
    if let Some(field) = &table.apportioning {
        let known = |text: &str| Apportioning::ALL.into_iter().find(|one| one.name() == text);
        parameters.apportioning = field.get_ref().as_str().and_then(known).ok_or_else(|| {
            source.fail(&field.span(), format!("apportioning is {}", field.get_ref()), APPORTIONING)
        })?;
    }
    Ok(parameters)
}

/// Where in the file a mistake stands that shows only when the parts are put together.
fn place_of(error: &PackError, file: &RulePackFile) -> (Span<usize>, &'static str) {
    let top = file.id.span();
    match error {
        PackError::Text("title") => (file.title.span(), "shorten it"),
        PackError::Text(_) => (file.source.span(), "shorten it"),
        PackError::Parameter { class, error } => {
            let name = match error {
                ParameterError::Range { name, .. } | ParameterError::Order { less: name, .. } => *name,
            };
            let of_class = file.class.get(class.name()).map(|table| table.get_ref());
            let field = of_class.and_then(|table| table.get(name)).or_else(|| file.default.get(name));
            (field.map_or(top, Spanned::span), "let the lesser be below the greater")
        }
        PackError::LikeDays { .. } => {
            let field = file.estimation.as_ref().and_then(|table| table.like_days_min.as_ref());
            (field.map_or(top, Spanned::span), "need no more like days than are taken, and at least one")
        }
    }
}
