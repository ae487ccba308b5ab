//! The exceptions of a month: every accepted register-day put to the rules of the pack that holds on it, and what
//! registers counted between their reads.
//!
//! ```text
//!   usage point ─┬▶ register ─▶ day, day, …           side by side by point, gathered in their order
//!                │               │ validate, with     the state of the days before, the day before, registers beside it,
//!                │               │                    the zone's interval count, the class, the capacity, the meters
//!                ├▶ register ─▶ span, span, …         V08, V12, V14, V15 between reads: `between_reads`
//!                └▶ day ─▶ its registers              V26: `siblings`
//!                                ▼
//!                            Exception                rule, inputs, parameters, pack hash, money at stake
//! ```
//!
//! A function of the books alone. What they do not know is left out, and the rules that need it are never asked, whatever
//! a pack says:
//!
//! | rule | no file says |
//! |---|---|
//! | V06 clock drift | how far a meter's clock is ahead |
//! | V19 inactive use | when a point is disconnected |
//! | V20 multiplier | the multiplier that came with values |
//! | V23 main and check | which meter checks which |
//! | V24 device status | what a device says of an interval, but as its quality |
//!
//! Of occupancy nothing is known either: V17 takes every point as occupied, V15 none as irregular. V12 and V14 are asked
//! between reads only, of whole days there too. V02, V03, V05, V07 and V21 are decided at intake, and so is V08 of an
//! interval and whether the names of V01 are known; V30 where a correction waits. V27 is told by
//! [`completeness`](crate::completeness), with the days that lack altogether, V28 by [`losses`](crate::losses). What reads
//! contradict beside V14, such as two of one rank at one instant, [`consumption`](tallywatt_core::vee::consumption) tells,
//! and so `readings registers`.
//!
//! The class of a point that no document names follows from what it draws: the median of its days' highest power, so
//! that no spike makes a factory of a home; where it delivered none, the lower median of its spans' mean power. Up to 15 kW
//! it is residential, up to 150 kW commercial, above industrial: the thresholds of Russian connection rules for homes and
//! small business. The capacity is the pack's `power_w_max` of the class, unless that is left at its most, which stands for
//! "not known".

mod between_reads;
mod inputs;
mod money;
mod siblings;

use std::collections::BTreeMap;

use rayon::prelude::*;
use tallywatt_core::calendar::{Period, UtcSeconds};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::DialReading;
use tallywatt_core::money::Money;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::vee::columns::{DayColumns, DayContext, ZoneDials};
use tallywatt_core::vee::consumption::Span;
use tallywatt_core::vee::finding::Finding;
use tallywatt_core::vee::pack::{RegisterClass, RulePack};
use tallywatt_core::vee::parameters::PARAMETERS;
use tallywatt_core::vee::rule::Rule;
use tallywatt_core::vee::state::MeterState;
use tallywatt_core::vee::validate;

use self::between_reads::Meters;
use crate::books::Books;
use crate::point_days::{DayClock, PointContracts, PointDays, day_of, packs_of};

/// A point that draws more is commercial, watts.
pub const RESIDENTIAL_W_MAX: i64 = 15_000;
/// A point that draws more is industrial, watts.
pub const COMMERCIAL_W_MAX: i64 = 150_000;

const _: () = assert!(RESIDENTIAL_W_MAX < COMMERCIAL_W_MAX);

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The month.
    pub period: Period,
    /// One usage point only.
    pub usage_point: Option<UsagePointId>,
    /// One rule only.
    pub rule: Option<Rule>,
}

/// One finding, and all that it follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Which register-day; of what lies between reads, its first day in the month.
    pub key: BlockKey,
    /// What was found.
    pub finding: Finding,
    /// Between which register reads; `None` if it is about the day.
    pub between: Option<(UtcSeconds, UtcSeconds)>,
    /// When the first interval starts by the local clock; `None` if it is not about intervals.
    pub first_interval: Option<String>,
    /// The class whose parameters held.
    pub class: RegisterClass,
    /// The pack that held, by its content hash.
    pub pack: ContentHash,
    /// The energy in question, Wh; `None` where it cannot be said.
    pub energy_wh: Option<i64>,
    /// What that energy costs under the contract; `None` where it cannot be said.
    pub money: Option<Money>,
    /// What the rule looked at.
    pub inputs: String,
    /// What it was held against: every parameter of the rule.
    pub parameters: String,
}

/// The exceptions of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceptions {
    /// The packs that hold in the month, by name and content hash, in the order of its days.
    pub packs: Vec<(Label, ContentHash)>,
    /// Register-days put to the rules.
    pub day_count: usize,
    /// What was found: most money at stake first, then by usage point, register, day, rule and interval.
    pub rows: Vec<Exception>,
}

/// Puts the month's accepted days to the rules.
#[must_use]
pub fn exceptions(books: &Books, wanted: &Wanted) -> Exceptions {
    let days = PointDays::before(books, wanted.period.end_day(), wanted.usage_point);
    let contracts = PointContracts::of(books);
    let with_days = days.points().into_iter().map(|days| days[0].key().usage_point);
    let is_wanted = |point: &UsagePointId| wanted.usage_point.is_none_or(|only| only == *point);
    let mut points: Vec<UsagePointId> = with_days.chain(books.metered().copied().filter(is_wanted)).collect();
    points.sort_unstable();
    points.dedup();
    let found: Vec<(usize, Vec<Exception>)> = books.threads().pool().install(|| {
        let look = |usage_point: &UsagePointId| {
            let (days, meters) = (days.of_point(usage_point), Meters::of_point(books, usage_point));
            let class = class_of(days, &meters);
            let (usage_point, contracts) = (*usage_point, contracts.of_point(usage_point));
            Point { books, wanted, usage_point, days, meters, contracts, class }.look()
        };
        points.par_iter().map(look).collect()
    });
    let day_count = found.iter().map(|(count, _)| count).sum();
    let mut rows: Vec<Exception> = found.into_iter().flat_map(|(_, rows)| rows).collect();
    rows.sort_by_key(|row| {
        let Finding { rule, first_interval, .. } = row.finding;
        (std::cmp::Reverse(row.money), row.key, rule.number(), first_interval)
    });
    Exceptions { packs: packs_of(books, wanted.period), day_count, rows }
}

/// The class of a point that no document names, from the median of its days' highest power; of a point that delivered none,
/// from the lower median of its spans' mean power.
fn class_of(days: &[&DayBlock], meters: &BTreeMap<Register, Meters>) -> RegisterClass {
    let highest_w = |block: &&DayBlock| {
        let highest_wh = block.values_wh().iter().copied().max().unwrap_or(0);
        i64::from(highest_wh) * 60 / i64::from(block.interval_minutes())
    };
    let mut powers: Vec<i64> =
        days.iter().filter(|block| block.key().register.flow == Flow::Import).map(highest_w).collect();
    let mut middle = powers.len() / 2;
    if powers.is_empty() {
        let of_import = meters.iter().filter(|(register, _)| register.flow == Flow::Import);
        powers = of_import.flat_map(|(_, meters)| &meters.spans).map(mean_w).collect();
        middle = powers.len().saturating_sub(1) / 2;
    }
    if powers.is_empty() {
        return RegisterClass::Residential;
    }
    match *powers.select_nth_unstable(middle).1 {
        power if power <= RESIDENTIAL_W_MAX => RegisterClass::Residential,
        power if power <= COMMERCIAL_W_MAX => RegisterClass::Commercial,
        _ => RegisterClass::Industrial,
    }
}

fn mean_w(span: &Span) -> i64 {
    let seconds = (span.to.0 - span.from.0).max(1);
    i64::try_from(i128::from(span.energy_wh) * 3_600 / i128::from(seconds)).unwrap_or(i64::MAX)
}

/// One usage point.
struct Point<'a> {
    books: &'a Books,
    wanted: &'a Wanted,
    usage_point: UsagePointId,
    /// All of it, sorted by register and day.
    days: &'a [&'a DayBlock],
    meters: BTreeMap<Register, Meters>,
    contracts: &'a [&'a Contract],
    class: RegisterClass,
}

impl Point<'_> {
    /// How many days were put to the rules, and what was found: by register and day, then between reads, then by day.
    fn look(&self) -> (usize, Vec<Exception>) {
        let (mut count, mut rows) = (0, Vec::new());
        let first_day = self.wanted.period.first_day();
        for series in self.days.chunk_by(|a, b| a.key().register == b.key().register) {
            let mut state = MeterState::default();
            let nothing = Meters::default();
            let meters = self.meters.get(&series[0].key().register).unwrap_or(&nothing);
            for (at, block) in series.iter().enumerate() {
                let day = block.key().day;
                state.begin(day).expect("the days of a register are sorted, each once");
                if day >= first_day {
                    count += 1;
                    self.look_at((series, at), meters, &state, &mut rows);
                }
                let pushed = state.push(day, &DayColumns::of(block));
                pushed.expect("the days of a register are sorted, each once");
            }
        }
        self.look_between_reads(&mut rows);
        self.look_at_siblings(&mut rows);
        (count, rows)
    }

    fn look_at(
        &self,
        (series, at): (&[&DayBlock], usize),
        meters: &Meters,
        state: &MeterState,
        rows: &mut Vec<Exception>,
    ) {
        let (block, key) = (series[at], series[at].key());
        let pack = self.books.rule_pack_on(key.day);
        let class = RegisterClass::of(key.register, self.class);
        let clock = DayClock::of(self.contracts, block);
        let zones = self.zones_of(block);
        let columns = |register| day_of(self.days, register, key.day).map(DayColumns::of);
        let context = DayContext {
            state: Some(state),
            previous: series[..at]
                .last()
                .filter(|before| key.day.since(before.key().day) == 1)
                .map(|before| DayColumns::of(before)),
            installations: &meters.installations,
            zone_dials: zones.as_deref().map(|zones| ZoneDials { zones, total: counted(block) }),
            active: active_of(key.register, Flow::Import).and_then(columns),
            active_export: active_of(key.register, Flow::Export).and_then(columns),
            opposite: opposite_of(key.register).and_then(columns),
            capacity_w: capacity_w(&pack.body, class),
            ..DayContext::plain(class, self.expected_count(clock, block))
        };
        for finding in validate(&DayColumns::of(block), &context, &pack.body) {
            if self.wanted.rule.is_some_and(|rule| rule != finding.rule) {
                continue;
            }
            let energy = money::energy(&finding, block, series, &pack.body);
            let rules = pack.body.rules_of(class);
            let inputs = inputs::shown(&finding, block, (&context, &rules.parameters), energy.as_deref());
            let first = usize::from(finding.first_interval);
            rows.push(Exception {
                key,
                finding,
                between: None,
                first_interval: (finding.interval_count > 0)
                    .then(|| clock.shown(block.interval_start(first))),
                class,
                pack: pack.hash,
                energy_wh: energy.as_deref().map(money::total_wh),
                money: energy
                    .and_then(|energy| money::cost(self.books.tariffs(), self.contracts, block, &energy)),
                inputs,
                parameters: parameters_of(finding.rule, &pack.body, class),
            });
        }
    }

    /// Intervals of the local day; without a contract, as many as came.
    fn expected_count(&self, clock: DayClock<'_>, block: &DayBlock) -> usize {
        match clock {
            DayClock::Offset(_) => block.interval_count(),
            DayClock::Zone(_) => {
                let count = clock.interval_count(block.key().day, block.interval_minutes());
                count.map_or(block.interval_count(), usize::from)
            }
        }
    }

    /// What the zone registers beside a total register counted that day; `None` unless all that the point has are there
    /// and whole.
    fn zones_of(&self, block: &DayBlock) -> Option<Vec<DialReading>> {
        let key = block.key();
        if key.register.zone != 0 || block.present_count() != block.interval_count() {
            return None;
        }
        let Register { flow, channel, .. } = key.register;
        let is_zone =
            |register: Register| register.flow == flow && register.channel == channel && register.zone != 0;
        let mut zones = Vec::new();
        for series in self.days.chunk_by(|a, b| a.key().register == b.key().register) {
            let register = series[0].key().register;
            if is_zone(register) {
                let zone = day_of(series, register, key.day)?;
                if zone.present_count() != zone.interval_count() {
                    return None;
                }
                zones.push(counted(zone));
            }
        }
        (!zones.is_empty()).then_some(zones)
    }
}

/// What the register counted that day.
fn counted(block: &DayBlock) -> DialReading {
    DialReading::from_milliwatt_hours(block.total_wh().saturating_mul(1_000))
}

/// The register that counts the other way.
fn opposite_of(register: Register) -> Option<Register> {
    let flow = match register.flow {
        Flow::Import => Flow::Export,
        Flow::Export => Flow::Import,
        Flow::ReactiveImport | Flow::ReactiveExport => return None,
    };
    Some(Register { flow, ..register })
}

/// The active register of a flow that stands beside a reactive one.
fn active_of(register: Register, flow: Flow) -> Option<Register> {
    let is_reactive = matches!(register.flow, Flow::ReactiveImport | Flow::ReactiveExport);
    is_reactive.then_some(Register { flow, ..register })
}

/// What the pack says that a supply of the class carries.
fn capacity_w(pack: &RulePack, class: RegisterClass) -> Option<i64> {
    let spec = PARAMETERS.iter().find(|spec| spec.name == "power_w_max")?;
    let power_w = pack.rules_of(class).parameters.power_w_max;
    (power_w < spec.max).then_some(power_w)
}

/// Every parameter of a rule, with its value.
fn parameters_of(rule: Rule, pack: &RulePack, class: RegisterClass) -> String {
    let values = pack.rules_of(class).parameters.values();
    let own = PARAMETERS.iter().zip(values).filter(|(spec, _)| spec.rule == rule);
    own.map(|(spec, value)| format!("{} {value}", spec.name)).collect::<Vec<_>>().join(", ")
}
