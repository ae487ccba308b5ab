//! What the verifier found: a line a check, what it did not check, and one verdict last.
//!
//! The same report is written on every outcome, as lines for people and as JSON for programs.

use std::fmt;
use std::fmt::Write as _;

use tallywatt_core::estimated::EstimatedShare;
use tallywatt_core::money::Money;
use tallywatt_core::quality::Quality;
use tallywatt_core::tariff::Currency;
use tallywatt_ledger::receipt::Subject;

use crate::Proven;

/// The checks that every receipt goes through, in order.
const COMMON_CHECKS: [&str; 4] = ["file", "signatures", "inclusion", "chain"];
/// The checks of a bill after those.
const BILL_CHECKS: [&str; 6] = ["documents", "contracts", "readings", "completeness", "amount", "record"];
/// The checks of a corrected bill after those.
const CORRECTION_CHECKS: [&str; 8] =
    ["documents", "contracts", "readings", "completeness", "amount", "before", "delta", "record"];
/// The checks of a day after those.
const DAY_CHECKS: [&str; 1] = ["readings"];

/// The outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every check passed.
    Valid,
    /// A check failed: do not believe the receipt.
    Invalid,
    /// This verifier cannot tell; another may.
    Unchecked,
}

impl Verdict {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Unchecked => "unchecked",
        }
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It was not reached, or cannot be done here.
    Skip,
}

impl Status {
    /// Its name in lines and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name, never changed.
    pub name: &'static str,
    /// What became of it.
    pub status: Status,
    /// What was found, for people; without control characters.
    pub detail: String,
}

/// Numbers that passed their checks; what was not reached is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Leaves in the outer log.
    pub log_size: Option<u64>,
    /// Height of the block that commits the subject.
    pub height: Option<u64>,
    /// Intervals opened.
    pub interval_count: Option<u64>,
    /// Their energy, Wh.
    pub energy_wh: Option<i64>,
    /// Intervals by quality, those that occur.
    pub quality_counts: Vec<(Quality, u64)>,
    /// Revision of a day's readings.
    pub revision: Option<u8>,
    /// How much of a bill is estimated.
    pub estimated: Option<EstimatedShare>,
    /// The bill's total.
    pub total: Option<(Money, Currency)>,
    /// Of a corrected bill: what it has more than the one before, and what is charged of that.
    pub change: Option<(Money, Money)>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The outcome.
    pub verdict: Verdict,
    /// What the receipt says it proves; to be believed if the verdict is valid.
    pub subject: Option<Subject>,
    /// Numbers that passed their checks.
    pub figures: Figures,
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// What was not checked, and is not claimed.
    pub not_checked: Vec<String>,
    /// What is proven: there if and only if the verdict is valid.
    pub proven: Option<Proven>,
}

impl Report {
    /// The report on a receipt or policy that could not even be read.
    #[must_use]
    pub fn unreadable(why: &str) -> Self {
        let mut journal = Journal::default();
        let step: Step<()> = Err(Refusal::Unable(why.to_owned()));
        // Nothing passed, so there is no value to take.
        let _ = journal.record("file", step);
        journal.into_report(None)
    }

    /// 0 valid, 1 invalid, 2 could not check.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Valid => 0,
            Verdict::Invalid => 1,
            Verdict::Unchecked => 2,
        }
    }

    /// The check that ended the walk, if one did.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&Check> {
        match self.verdict {
            Verdict::Valid => None,
            Verdict::Invalid => self.checks.iter().find(|check| check.status == Status::Fail),
            Verdict::Unchecked => self.checks.iter().find(|check| check.status == Status::Skip),
        }
    }

    /// The verdict in a line, without the newline.
    #[must_use]
    pub fn verdict_line(&self) -> String {
        let word = self.verdict.name().to_uppercase();
        let what = self
            .stopped_by()
            .map_or_else(|| self.subject_with_figures(), |check| format!("{}: {}", check.name, check.detail));
        format!("{word:<8} {what}")
    }

    fn subject_with_figures(&self) -> String {
        let figures = &self.figures;
        match self.subject {
            Some(Subject::Bill { period, account }) => {
                let total =
                    figures.total.map_or_else(String::new, |(total, currency)| format!("{total} {currency}"));
                let change = figures.change.map_or_else(String::new, |(change, charged)| {
                    format!(", corrected by {change}, charged {charged}")
                });
                format!("bill {account}, {period}, {total}{change}")
            }
            Some(Subject::Day { day, register, usage_point }) => {
                let mut text = format!("day {usage_point} {register}, {day}");
                let counts =
                    figures.quality_counts.iter().map(|(quality, count)| format!(", {count} {quality}"));
                let energy = figures.energy_wh.map(|wh| format!(", {wh} Wh"));
                let revision = figures.revision.map(|revision| format!(", revision {revision}"));
                text.extend(energy.into_iter().chain(counts).chain(revision));
                text
            }
            None => "nothing".to_owned(),
        }
    }

    /// One JSON object, the same fields on every outcome.
    #[must_use]
    pub fn to_json(&self) -> String {
        let checks = self.checks.iter().map(|Check { name, status, detail }| {
            let (name, status, detail) = (json_text(name), json_text(status.name()), json_text(detail));
            format!("{{\"name\":{name},\"status\":{status},\"detail\":{detail}}}")
        });
        let not_checked = self.not_checked.iter().map(|text| json_text(text));
        let tool =
            format!("{{\"name\":\"tallywatt-verify\",\"version\":{}}}", json_text(env!("CARGO_PKG_VERSION")));
        json_object(&[
            ("verdict", json_text(self.verdict.name())),
            ("exit_code", self.exit_code().to_string()),
            ("summary", json_text(&self.verdict_line())),
            ("subject", self.subject.as_ref().map_or_else(null, json_subject)),
            ("figures", json_figures(&self.figures)),
            ("checks", json_list(checks)),
            ("not_checked", json_list(not_checked)),
            ("tool", tool),
        ])
    }
}

/// A line a check, then what was not checked, then the verdict.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Check { name, status, detail } in &self.checks {
            writeln!(out, " {}  {name:<12} {detail}", status.name())?;
        }
        for text in &self.not_checked {
            writeln!(out, " not checked        {text}")?;
        }
        writeln!(out, "{}", self.verdict_line())
    }
}

fn json_subject(subject: &Subject) -> String {
    match subject {
        Subject::Bill { period, account } => json_object(&[
            ("kind", json_text("bill")),
            ("period", json_text(&period.to_string())),
            ("account", json_text(account.as_str())),
        ]),
        Subject::Day { day, register, usage_point } => json_object(&[
            ("kind", json_text("day")),
            ("day", json_text(&day.to_string())),
            ("register", json_text(&register.to_string())),
            ("usage_point", json_text(usage_point.as_str())),
        ]),
    }
}

fn json_figures(figures: &Figures) -> String {
    let number = |value: Option<String>| value.unwrap_or_else(null);
    let text = |of: fn(&EstimatedShare) -> String| {
        figures.estimated.as_ref().map_or_else(null, |share| json_text(&of(share)))
    };
    let counts = figures.quality_counts.iter();
    let counts: Vec<(&str, String)> =
        counts.map(|(quality, count)| (quality.name(), count.to_string())).collect();
    json_object(&[
        ("log_size", number(figures.log_size.map(|size| size.to_string()))),
        ("height", number(figures.height.map(|height| height.to_string()))),
        ("interval_count", number(figures.interval_count.map(|count| count.to_string()))),
        ("energy_wh", number(figures.energy_wh.map(|wh| wh.to_string()))),
        ("quality_counts", json_object(&counts)),
        ("revision", number(figures.revision.map(|revision| revision.to_string()))),
        ("estimated_intervals_percent", text(|share| share.intervals.to_string())),
        ("estimated_energy_percent", text(|share| share.energy.to_string())),
        // As text: a program that reads it as a binary fraction would lose kopecks.
        ("total", figures.total.map_or_else(null, |(total, _)| json_text(&total.to_string()))),
        ("change", figures.change.map_or_else(null, |(change, _)| json_text(&change.to_string()))),
        ("charged", figures.change.map_or_else(null, |(_, charged)| json_text(&charged.to_string()))),
        ("currency", figures.total.map_or_else(null, |(_, currency)| json_text(&currency.to_string()))),
    ])
}

fn null() -> String {
    "null".to_owned()
}

fn json_object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}:{value}", json_text(name))).collect();
    format!("{{{}}}", fields.join(","))
}

fn json_list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

/// A JSON string (RFC 8259, section 7).
fn json_text(text: &str) -> String {
    let mut json = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control < ' ' => {
                write!(json, "\\u{:04x}", u32::from(control))
                    .expect("a string takes all that is written to it");
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// Why a check does not pass.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The receipt is wrong.
    Broken(String),
    /// This verifier cannot tell.
    Unable(String),
}

/// A message alone says that the receipt is wrong.
impl From<String> for Refusal {
    fn from(detail: String) -> Self {
        Self::Broken(detail)
    }
}

/// What a check found, for those after it and for the reader.
#[derive(Debug)]
pub(crate) struct Passed<T> {
    value: T,
    detail: String,
    not_checked: Vec<String>,
}

impl<T> Passed<T> {
    pub fn new(value: T, detail: String) -> Self {
        Self { value, detail, not_checked: Vec::new() }
    }

    pub fn but_not(mut self, not_checked: impl IntoIterator<Item = String>) -> Self {
        self.not_checked.extend(not_checked);
        self
    }
}

pub(crate) type Step<T> = Result<Passed<T>, Refusal>;

/// The report as it grows.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub subject: Option<Subject>,
    pub figures: Figures,
    /// Whether the subject is a corrected bill.
    pub is_corrected: bool,
    checks: Vec<Check>,
    not_checked: Vec<String>,
    is_unable: bool,
}

impl Journal {
    /// Writes a check down; gives back its value if it passed.
    pub fn record<T>(&mut self, name: &'static str, step: Step<T>) -> Option<T> {
        let (status, detail, value) = match step {
            Ok(passed) => {
                passed.not_checked.into_iter().for_each(|text| self.not_checked(&text));
                (Status::Pass, passed.detail, Some(passed.value))
            }
            Err(Refusal::Broken(detail)) => (Status::Fail, detail, None),
            Err(Refusal::Unable(detail)) => {
                self.is_unable = true;
                (Status::Skip, detail, None)
            }
        };
        self.checks.push(Check { name, status, detail: printable(&detail) });
        value
    }

    pub fn not_checked(&mut self, text: &str) {
        self.not_checked.push(printable(text));
    }

    pub fn into_report(mut self, proven: Option<Proven>) -> Report {
        let own: &[&'static str] = match self.subject {
            Some(Subject::Bill { .. }) if self.is_corrected => &CORRECTION_CHECKS,
            Some(Subject::Bill { .. }) => &BILL_CHECKS,
            Some(Subject::Day { .. }) => &DAY_CHECKS,
            None => &[],
        };
        for name in COMMON_CHECKS.iter().chain(own).skip(self.checks.len()) {
            self.checks.push(Check { name, status: Status::Skip, detail: "not reached".to_owned() });
        }
        let verdict = match &proven {
            Some(_) => Verdict::Valid,
            None if self.is_unable => Verdict::Unchecked,
            None => Verdict::Invalid,
        };
        let Self { subject, figures, checks, not_checked, .. } = self;
        Report { verdict, subject, figures, checks, not_checked, proven }
    }
}

/// Names in a receipt come from outside: none of them may move a terminal's cursor or colour its text.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}
