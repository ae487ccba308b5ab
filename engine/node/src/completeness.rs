//! Completeness of a month: what each register should have delivered, what came, and who fell silent (V27).
//!
//! ```text
//!   contracts ─▶ register-days expected ─┐
//!                                        ├─▶ DayCoverage ─▶ RegisterCoverage     expected, delivered, state
//!   accepted days ───────────────────────┘
//! ```
//!
//! Expected is every day on which a contract bills the register, with the interval count of its zone's calendar; and every
//! day that came without a contract. Without an instant given, whole days count up to the one in which the newest
//! accepted reading of the ledger ends; with one, the intervals that ended by then. The length of an interval is that of
//! the register's nearest day, the earlier of two; a register that never delivered has none, so its count is not known.
//!
//! Whether a register is silent is asked at that instant, at the end of the month, or where its contract ends, whichever
//! comes first.

use std::collections::BTreeMap;

use tallywatt_core::calendar::{Day, Period, UtcSeconds};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::register::Register;
use tallywatt_core::vee::pack::RegisterClass;
use tallywatt_core::vee::parameters::RuleParameters;
use tallywatt_core::vee::rules::surveillance;

use crate::books::Books;
use crate::point_days::{DayClock, PointContracts, PointDays, contract_on, last_value_end};

/// How a register or its day stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// All came.
    Complete,
    /// Something lacks.
    Gap,
    /// Less came in the month than the pack's `coverage_thousandths_min`.
    UnderCovered,
    /// Nothing came for the pack's `silent_s` or longer.
    Silent,
}

impl State {
    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "COMPLETE",
            Self::Gap => "GAP",
            Self::UnderCovered => "UNDER_COVERED",
            Self::Silent => "SILENT",
        }
    }
}

/// Intervals expected and delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// As many as the calendar has; `None` where the length of an interval is not known.
    pub expected: Option<u64>,
    /// As many have a value.
    pub delivered: u64,
}

impl Coverage {
    /// As many lack; `None` where it is not known.
    #[must_use]
    pub fn missing(self) -> Option<u64> {
        self.expected.map(|expected| expected.saturating_sub(self.delivered))
    }

    /// The delivered part in thousandths, down; `None` where nothing was expected, or it is not known.
    #[must_use]
    pub fn thousandths(self) -> Option<u64> {
        (self.delivered * 1_000).checked_div(self.expected?)
    }

    /// Whether all of it came.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.missing() == Some(0)
    }

    fn add(&mut self, other: Self) {
        self.expected = match (self.expected, other.expected) {
            (Some(a), Some(b)) => Some(a + b),
            (known, None) | (None, known) => known,
        };
        self.delivered += other.delivered;
    }
}

/// One register's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayCoverage {
    /// Which day.
    pub day: Day,
    /// What came of it.
    pub coverage: Coverage,
    /// Nothing at all is known of it.
    pub is_absent: bool,
    /// How it stands: that of the register where something lacks.
    pub state: State,
}

/// One register's month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterCoverage {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which register.
    pub register: Register,
    /// All days together.
    pub coverage: Coverage,
    /// Its expected days.
    pub days: Vec<DayCoverage>,
    /// Until when it has values, up to the instant it is asked at; `None` without any.
    pub last_seen: Option<UtcSeconds>,
    /// How it stands.
    pub state: State,
}

impl RegisterCoverage {
    /// Days of which nothing is known.
    #[must_use]
    pub fn absent_count(&self) -> usize {
        self.days.iter().filter(|day| day.is_absent).count()
    }
}

/// What came of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completeness {
    /// Until when readings are expected; `None` without a reading and without an instant.
    pub until: Option<UtcSeconds>,
    /// By usage point and register.
    pub registers: Vec<RegisterCoverage>,
}

impl Completeness {
    /// All registers by day: what came, and how many registers have nothing.
    #[must_use]
    pub fn by_day(&self) -> BTreeMap<Day, (Coverage, usize)> {
        let mut days: BTreeMap<Day, (Coverage, usize)> = BTreeMap::new();
        for day in self.registers.iter().flat_map(|register| &register.days) {
            let (coverage, absent) = days.entry(day.day).or_default();
            coverage.add(day.coverage);
            *absent += usize::from(day.is_absent);
        }
        days
    }
}

/// What came of `period` until `at`; without one, until the newest accepted reading.
#[must_use]
pub fn completeness(books: &Books, period: Period, at: Option<UtcSeconds>) -> Completeness {
    let newest = || books.accepted().blocks_sorted().into_iter().filter_map(last_value_end).max();
    let Some(until) = at.or_else(newest) else {
        return Completeness { until: None, registers: Vec::new() };
    };
    let days = PointDays::before(books, period.end_day(), None);
    let contracts = PointContracts::of(books);
    let mut wanted: Vec<(UsagePointId, Register)> = days
        .all()
        .iter()
        .filter(|block| block.key().day >= period.first_day())
        .map(|block| (block.key().usage_point, block.key().register))
        .chain(contracts.all().iter().map(|contract| (contract.usage_point, contract.register)))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let look = |(usage_point, register): (UsagePointId, Register)| {
        let own = contracts.of_point(&usage_point);
        let look = Look {
            books,
            period,
            until,
            is_to_the_interval: at.is_some(),
            series: days.of_register(&usage_point, register),
            contracts: own,
            register,
        };
        look.register(usage_point)
    };
    let registers = wanted.into_iter().map(look).filter(|register| !register.days.is_empty()).collect();
    Completeness { until: Some(until), registers }
}

/// One register being looked at.
struct Look<'a> {
    books: &'a Books,
    period: Period,
    until: UtcSeconds,
    /// Whether a day counts only as far as it is over.
    is_to_the_interval: bool,
    /// Its known days up to the month's end, sorted.
    series: &'a [&'a DayBlock],
    /// Those of its point.
    contracts: &'a [&'a Contract],
    register: Register,
}

impl Look<'_> {
    fn register(&self, usage_point: UsagePointId) -> RegisterCoverage {
        let mut days: Vec<DayCoverage> = self.period.days().filter_map(|day| self.day(day)).collect();
        let mut coverage = Coverage::default();
        days.iter().for_each(|day| coverage.add(day.coverage));
        let (asked_at, since) = self.asked_at();
        let before = |block: &&&DayBlock| block.start() < asked_at;
        let last_seen = self.series.iter().filter(before).rev().find_map(|block| last_value_end(block));
        let last_seen = last_seen.map(|seen| seen.min(asked_at));
        let parameters = self.parameters();
        let installed = last_seen.or(since).unwrap_or(asked_at);
        let is_silent = surveillance::silent(last_seen, installed, asked_at, parameters).is_some();
        let is_under = coverage.expected.is_some_and(|expected| {
            surveillance::under_covered(coverage.delivered, expected, parameters).is_some()
        });
        let state = match () {
            () if is_silent => State::Silent,
            () if is_under => State::UnderCovered,
            () if days.iter().all(|day| day.coverage.is_complete()) => State::Complete,
            () => State::Gap,
        };
        for day in &mut days {
            let is_after = last_seen.is_none_or(|seen| self.end_of(day.day) > seen);
            day.state = match state {
                _ if day.coverage.is_complete() => State::Complete,
                // What lacked before it fell silent is a gap like any other.
                State::Silent if !is_after && is_under => State::UnderCovered,
                State::Silent if !is_after => State::Gap,
                state => state,
            };
        }
        RegisterCoverage { usage_point, register: self.register, coverage, days, last_seen, state }
    }

    /// A day, if it is expected or came.
    fn day(&self, day: Day) -> Option<DayCoverage> {
        let contract = contract_on(self.contracts, self.register, day);
        let known = self.series.binary_search_by_key(&day, |block| block.key().day).ok();
        let block = known.map(|at| self.series[at]);
        let start = match (contract, block) {
            (Some(contract), _) => contract.zone.local_day(day).start,
            (None, Some(block)) => block.start(),
            (None, None) => return None,
        };
        // Where the clock is ahead a day has begun that nobody sends yet.
        let is_due = self.is_to_the_interval || block.is_some() || self.end_of(day) <= self.until;
        if start >= self.until || !is_due {
            return None;
        }
        let minutes = self.interval_minutes(day);
        let count = match contract {
            Some(contract) => minutes
                .and_then(|minutes| DayClock::Zone(&contract.zone).interval_count(day, minutes))
                .map(usize::from)
                .or_else(|| block.map(DayBlock::interval_count)),
            None => block.map(DayBlock::interval_count),
        };
        let over = minutes.map_or(usize::MAX, |minutes| {
            usize::try_from((self.until.0 - start.0) / (i64::from(minutes) * 60)).unwrap_or(usize::MAX)
        });
        let limit = if self.is_to_the_interval { over } else { usize::MAX };
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let delivered = block.map_or(0, |block| {
            block.qualities().iter().take(limit).filter(|quality| quality.is_billable()).count()
        });
        let coverage =
            Coverage { expected: count.map(|count| wide(count.min(limit))), delivered: wide(delivered) };
        Some(DayCoverage { day, coverage, is_absent: delivered == 0, state: State::Gap })
    }

    /// The interval length of the nearest known day, the earlier of two.
    fn interval_minutes(&self, day: Day) -> Option<u8> {
        let nearest = self.series.iter().min_by_key(|block| {
            let other = block.key().day;
            (other.since(day).unsigned_abs(), other)
        });
        nearest.map(|block| block.interval_minutes())
    }

    /// The first instant after a day.
    fn end_of(&self, day: Day) -> UtcSeconds {
        let clock = contract_on(self.contracts, self.register, day).map(|one| DayClock::Zone(&one.zone));
        let clock = clock.or_else(|| self.series.last().map(|block| DayClock::of(self.contracts, block)));
        let next = day.plus(1).unwrap_or(day);
        clock.unwrap_or(DayClock::Offset(0)).start_of(next)
    }

    /// When silence is asked about, and since when its contract expects readings.
    fn asked_at(&self) -> (UtcSeconds, Option<UtcSeconds>) {
        let last_day = self.period.end_day().plus(-1).unwrap_or(self.period.first_day());
        let month_end = self.end_of(last_day);
        let own = self.contracts.iter().filter(|one| {
            one.register == self.register
                && one.validity.from() < self.period.end_day()
                && one.validity.to().is_none_or(|to| to > self.period.first_day())
        });
        let last = own.max_by_key(|one| one.validity.from());
        let end = last.and_then(|one| Some(one.zone.local_day(one.validity.to()?).start));
        let since = last.map(|one| one.zone.local_day(one.validity.from()).start);
        (self.until.min(month_end).min(end.unwrap_or(month_end)), since)
    }

    fn parameters(&self) -> &RuleParameters {
        let pack = self.books.rule_pack_on(self.period.first_day());
        let class = RegisterClass::of(self.register, RegisterClass::Residential);
        &pack.body.rules_of(class).parameters
    }
}
