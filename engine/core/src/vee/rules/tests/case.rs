//! A day in a few numbers and what is known around it, for the rows of the rules.

use crate::calendar::{Day, UtcSeconds};
use crate::meter::{DialReading, Installation, Multiplier};
use crate::quality::Quality;
use crate::register::Register;
use crate::vee::columns::{DayColumns, DayContext, RegisterSpan, ZoneDials};
use crate::vee::finding::Finding;
use crate::vee::pack::{ClassRules, RegisterClass};
use crate::vee::parameters::RuleParameters;
use crate::vee::rule::Rule;
use crate::vee::rules::DAY_RULES;
use crate::vee::rules::status::DeviceStatus;
use crate::vee::screen::suspects;
use crate::vee::state::MeterState;

/// 2026-03-02, a Monday, in UTC.
pub(super) const START: UtcSeconds = UtcSeconds(20_514 * 86_400);
pub(super) const MWH_PER_KWH: i64 = 1_000_000;

/// Values and qualities of one day.
#[derive(Clone, Default)]
pub(super) struct Columns(Vec<i32>, Vec<Quality>);

impl Columns {
    /// `5 - 7 3*0 2e 46*1`: values, `-` a missing one, `3*` three of them, `e` an estimated one.
    pub(super) fn parse(text: &str) -> Self {
        let mut columns = Self::default();
        for word in text.split_whitespace() {
            let (count, cell) = word.split_once('*').unwrap_or(("1", word));
            let (wh, quality) = match (cell, cell.strip_suffix('e')) {
                ("-", _) => (0, Quality::Missing),
                (_, Some(wh)) => (wh.parse().unwrap(), Quality::EstimatedLinear),
                _ => (cell.parse().unwrap(), Quality::Valid),
            };
            for _ in 0..count.parse::<usize>().unwrap() {
                columns.0.push(wh);
                columns.1.push(quality);
            }
        }
        columns
    }

    pub(super) fn day(&self, minutes: u8) -> DayColumns<'_> {
        DayColumns::new(START, minutes, &self.0, &self.1).unwrap()
    }
}

/// A day and what is known around it; half-hours, and as many as are given, unless a row says otherwise.
pub(super) struct Case {
    pub(super) day: Columns,
    pub(super) minutes: u8,
    pub(super) expected_count: usize,
    pub(super) parameters: RuleParameters,
    pub(super) state: Option<MeterState>,
    pub(super) previous: Option<Columns>,
    pub(super) check: Option<Columns>,
    pub(super) active: Option<Columns>,
    pub(super) active_export: Option<Columns>,
    pub(super) opposite: Option<Columns>,
    pub(super) capacity_w: Option<i64>,
    pub(super) installations: Vec<Installation>,
    /// Dials at both ends, kWh.
    pub(super) span_kwh: Option<(i64, i64)>,
    /// Zone dials and their total, kWh.
    pub(super) zones_kwh: Option<(Vec<i64>, i64)>,
    pub(super) multiplier: Option<&'static str>,
    pub(super) clock_ahead_s: Option<i64>,
    pub(super) statuses: Vec<DeviceStatus>,
    pub(super) is_occupied: bool,
    pub(super) is_disconnected: bool,
    pub(super) is_irregular: bool,
}

impl Case {
    pub(super) fn new(day: &str) -> Self {
        let day = Columns::parse(day);
        Self {
            expected_count: day.0.len(),
            day,
            minutes: 30,
            parameters: RuleParameters::default(),
            state: None,
            previous: None,
            check: None,
            active: None,
            active_export: None,
            opposite: None,
            capacity_w: None,
            installations: Vec::new(),
            span_kwh: None,
            zones_kwh: None,
            multiplier: None,
            clock_ahead_s: None,
            statuses: Vec::new(),
            is_occupied: true,
            is_disconnected: false,
            is_irregular: false,
        }
    }

    /// Pushes a day of half-hours that lies `back` days before.
    pub(super) fn history(&mut self, back: i32, day: &str) {
        let columns = Columns::parse(day);
        let state = self.state.get_or_insert_default();
        state.push(today().plus(-back).unwrap(), &columns.day(30)).unwrap();
    }

    /// What the rule finds, as text. If it finds something, the screen must have suspected it.
    pub(super) fn run(mut self, rule: Rule) -> String {
        if let Some(state) = &mut self.state {
            state.begin(today()).unwrap();
        }
        let zones: Vec<DialReading> =
            self.zones_kwh.iter().flat_map(|(zones, _)| zones).map(|&kwh| dial(kwh)).collect();
        let minutes = self.minutes;
        let context = DayContext {
            state: self.state.as_ref(),
            previous: self.previous.as_ref().map(|columns| columns.day(minutes)),
            installations: &self.installations,
            span: self.span_kwh.map(|(start, end)| RegisterSpan { start: dial(start), end: dial(end) }),
            zone_dials: self
                .zones_kwh
                .as_ref()
                .map(|&(_, total)| ZoneDials { zones: &zones, total: dial(total) }),
            multiplier: self.multiplier.map(|text| Multiplier::parse(text).unwrap()),
            clock_ahead_s: self.clock_ahead_s,
            statuses: &self.statuses,
            is_occupied: self.is_occupied,
            is_disconnected: self.is_disconnected,
            is_irregular: self.is_irregular,
            check: self.check.as_ref().map(|columns| columns.day(minutes)),
            active: self.active.as_ref().map(|columns| columns.day(minutes)),
            active_export: self.active_export.as_ref().map(|columns| columns.day(minutes)),
            opposite: self.opposite.as_ref().map(|columns| columns.day(minutes)),
            capacity_w: self.capacity_w,
            ..DayContext::plain(RegisterClass::Residential, self.expected_count)
        };
        let rules = ClassRules { parameters: self.parameters.check().unwrap(), ..ClassRules::default() };
        let (_, find) = DAY_RULES.iter().find(|(own, _)| *own == rule).expect("a rule of a day");
        let mut findings = Vec::new();
        find(&self.day.day(minutes), &context, &rules.parameters, &mut findings);
        assert!(
            findings.is_empty() || suspects(&self.day.day(minutes), &context, &rules).contains(rule),
            "the screen left out {findings:?}"
        );
        shown(rule, findings)
    }
}

/// `first+count measured/limit`, or without intervals `measured/limit`.
pub(super) fn shown(rule: Rule, findings: impl IntoIterator<Item = Finding>) -> String {
    let shown = findings.into_iter().map(|finding| {
        assert_eq!(finding.rule, rule);
        let Finding { first_interval, interval_count, measured, limit, .. } = finding;
        match interval_count {
            0 => format!("{measured}/{limit}"),
            _ => format!("{first_interval}+{interval_count} {measured}/{limit}"),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

pub(super) fn today() -> Day {
    "2026-03-02".parse().unwrap()
}

pub(super) fn dial(kwh: i64) -> DialReading {
    DialReading::from_milliwatt_hours(kwh * MWH_PER_KWH)
}

/// A meter from so many seconds after midnight to so many.
pub(super) fn installed(from_s: i64, to_s: Option<i64>, multiplier: &str) -> Installation {
    Installation {
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        from: START.plus(from_s),
        meter: "M".parse().unwrap(),
        first: dial(0),
        to: to_s.map(|to_s| (START.plus(to_s), dial(1))),
        digits: 5,
        multiplier: Multiplier::parse(multiplier).unwrap(),
    }
}
