//! Rating against two oracles: a naive reference on random accounts, and bills of real households that
//! another program computed.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rust_decimal::{Decimal, RoundingStrategy};
use tallywatt_core::agreement::{Agreement, SHARE_WHOLE, SplitRule};
use tallywatt_core::bill::{Bill, ChargeKind, Completeness};
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::{Contract, in_order};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;
use tallywatt_core::money::{Money, PricePerKwh, Rounding};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{
    DayKind, FixedCharges, MonthSet, Range, RangeRule, RoundEach, Tariff, TariffBook, TariffParts,
    TariffZone, Vat, Window,
};

use common::{Random, agreement, label, validity};

/// Random accounts that are billed both ways.
const CASE_COUNT: u64 = 400;

type Blocks = BTreeMap<BlockKey, DayBlock>;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn clock(text: &str) -> u16 {
    let (hours, minutes) = text.split_once(':').unwrap();
    hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
}

/// `night 23:00-07:00; day weekday@07:00-23:00 …` as zones.
fn zones(text: &str) -> Vec<TariffZone> {
    let window = |word: &str| {
        let (months, word) = match word.split_once('/') {
            Some(("odd", word)) => (0b0101_0101_0101, word),
            Some((_, word)) => (0b1010_1010_1010, word),
            None => (0xFFF, word),
        };
        let (days, clocks) = word.split_once('@').unwrap_or(("", word));
        let days = DayKind::ALL.into_iter().find(|kind| kind.name() == days).unwrap();
        let (from, to) = clocks.split_once('-').unwrap();
        let months = MonthSet::from_bits(months).unwrap();
        Window { months, days, from_minute: clock(from), to_minute: clock(to) }
    };
    let zone = |zone: &str| {
        let (name, windows) = zone.split_once(' ').unwrap();
        TariffZone { name: label(name), windows: windows.split(' ').map(window).collect() }
    };
    text.split("; ").map(zone).collect()
}

impl Random {
    fn signed(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }
}

/// One random account and everything its bill follows from.
struct Case {
    period: Period,
    contracts: Vec<Contract>,
    tariffs: TariffBook,
    agreement: Published<Agreement>,
    blocks: Blocks,
    /// Interval length of each usage point, minutes.
    minutes: BTreeMap<Label, u8>,
}

impl Case {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (zone, period) = random.pick(&[
            ("Europe/Amsterdam", "2013-03"),
            ("Europe/Amsterdam", "2013-10"),
            ("Europe/Amsterdam", "2013-02"),
            ("America/Sao_Paulo", "2018-11"),
            ("Asia/Yekaterinburg", "2026-03"),
            ("+05:30", "2024-02"),
            ("UTC", "2026-11"),
        ]);
        let (zone, period): (Zone, Period) = (Zone::parse(zone).unwrap(), period.parse().unwrap());
        let mut case = Self {
            period,
            contracts: Vec::new(),
            tariffs: random_tariffs(&mut random, period),
            agreement: random_agreement(&mut random),
            blocks: Blocks::new(),
            minutes: BTreeMap::new(),
        };
        let start = period.first_day();
        for at in 0..1 + random.below(4) {
            let usage_point = label(&format!("P{at}"));
            let minutes = random.pick(&[15, 30, 60]);
            let from = random.one_in(4).then(|| start.plus(9).unwrap());
            let to = random.one_in(4).then(|| start.plus(19).unwrap());
            case.contracts.push(Contract {
                account: label("A"),
                usage_point,
                register: Register::IMPORT,
                zone: zone.clone(),
                tariff: random.pick(&[label("t"), label("t"), label("u")]),
                agreement: label("grid"),
                validity: validity(from, to),
                overrides: Vec::new(),
            });
            case.minutes.insert(usage_point, minutes);
            for day in period.days() {
                // Day 11 is always there: a usage point without any readings has no bill.
                if day != start.plus(10).unwrap() && random.one_in(12) {
                    continue;
                }
                let block = random_block(&mut random, usage_point, &zone, day, minutes);
                case.blocks.insert(block.key(), block);
            }
        }
        case.contracts = in_order(case.contracts).unwrap();
        case
    }

    fn bill(&self) -> Bill {
        let inputs = BillInputs {
            account: label("A"),
            period: self.period,
            contracts: &self.contracts,
            tariffs: &self.tariffs,
            agreement: &self.agreement,
            readings: ContentHash::default(),
            market: &tallywatt_core::market::MarketBook::new(),
        };
        bill(&inputs, &|key| self.blocks.get(key)).unwrap()
    }
}

/// Tariffs `t` and `u`, each of one version or of two that meet within the month.
fn random_tariffs(random: &mut Random, period: Period) -> TariffBook {
    let mut book = TariffBook::default();
    let rounding = random.pick(&[Rounding::HalfUp, Rounding::HalfEven, Rounding::Down]);
    let round_each = random.pick(&[RoundEach::Line, RoundEach::Bill]);
    let mut tag = 0;
    for id in ["t", "u"] {
        let change = random.one_in(2).then(|| {
            let days = 1 + random.below(27);
            period.first_day().plus(i32::try_from(days).unwrap()).unwrap()
        });
        let validities = match change {
            None => vec![(None, None)],
            Some(change) => vec![(None, Some(change)), (Some(change), None)],
        };
        for (from, to) in validities {
            let zones = zones(random.pick(&[
                "all 00:00-24:00",
                "day 07:00-23:00; night 23:00-07:00",
                "night 23:00-07:00; half 10:00-17:00 21:00-23:00; peak 07:00-10:00 17:00-21:00",
                "peak weekday@02:00-03:00 weekday@08:00-20:00; low weekday@20:00-02:00 weekday@03:00-08:00 day-off@00:00-24:00",
                "work weekday@00:00-24:00; weekend weekend@00:00-24:00; feast holiday@00:00-24:00",
                "day odd/07:00-19:00 even/08:00-20:00; night odd/19:00-07:00 even/20:00-08:00",
            ]));
            let is_holiday = |day: &Day| day.number() % 9 == 0;
            let has_holidays = random.one_in(2);
            let holidays = period.days().filter(|day| has_holidays && is_holiday(day)).collect();
            let mut bound = 0;
            let range_count = 1 + random.below(3);
            let ranges = (1..=range_count)
                .map(|number| {
                    bound += 1 + random.signed(120_000);
                    let price = |_: &TariffZone| {
                        // Coarse prices meet halves of the minor unit often, fine ones never.
                        let coarse = PricePerKwh::from_e8(random.signed(2_000) * 500_000);
                        let fine = PricePerKwh::from_e8(random.signed(4_000_000_000));
                        random.pick(&[coarse, fine])
                    };
                    let prices = zones.iter().map(price).collect();
                    Range::plain((number < range_count).then_some(bound), prices)
                })
                .collect();
            tag += 1;
            let tariff = Tariff::new(TariffParts {
                id: label(id),
                title: id.into(),
                source: "random".into(),
                currency: "RUB".parse().unwrap(),
                validity: validity(from, to),
                zones,
                ranges,
                holidays,
                range_rule: RangeRule::default(),
                demands: Vec::new(),
                fixed: FixedCharges {
                    per_day: random.pick(&[PricePerKwh::default(), "1.235".parse().unwrap()]),
                    ..FixedCharges::default()
                },
                minimum_per_month: PricePerKwh::default(),
                vat: Vat { rate_e4: random.pick(&[0, 950, 2_000, 2_200]), is_included: random.one_in(2) },
                rounding,
                round_each,
                series: Vec::new(),
                netting: None,
                carry: tallywatt_core::tariff::CarryRules::default(),
                deviation: None,
                eligibility: None,
            });
            book.publish(Published { hash: ContentHash([tag; 32]), body: tariff.unwrap() }).unwrap();
        }
    }
    book
}

fn random_agreement(random: &mut Random) -> Published<Agreement> {
    if random.one_in(2) {
        return agreement(SplitRule::Share(u32::try_from(random.below(u64::from(SHARE_WHOLE) + 1)).unwrap()));
    }
    let rates = [("all", "2.3"), ("night", "1.1"), ("peak", "40")];
    agreement(SplitRule::PerKwh(rates.map(|(zone, rate)| (label(zone), rate.parse().unwrap())).to_vec()))
}

fn random_block(random: &mut Random, usage_point: Label, zone: &Zone, day: Day, minutes: u8) -> DayBlock {
    let local = zone.local_day(day);
    let count = local.interval_count(minutes).unwrap();
    let (mut values, mut qualities) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let quality = match random.below(20) {
            0 => Quality::Missing,
            1 => Quality::EstimatedLinear,
            2 => Quality::Derived,
            3 => Quality::Questionable,
            _ => Quality::Valid,
        };
        let wh = i32::try_from(random.below(150)).unwrap();
        values.push(if quality == Quality::Missing { 0 } else { wh });
        qualities.push(quality);
    }
    let key = BlockKey { usage_point, register: Register::IMPORT, day };
    DayBlock::from_parts(key, local.start, minutes, Source::Automated, values, qualities).unwrap()
}

/// What a line is for: tariff, first day of its version, then range and zone; a fixed charge comes last.
type LineKey = (Label, Day, Option<(usize, usize)>);

/// The same while counting, in the order of a bill's lines: 0 before energy, 1 before days.
type Counted = (Label, Day, (u8, usize, usize));

/// A bill the slow way.
#[derive(Debug, PartialEq)]
struct NaiveBill {
    /// Quantity, exact and rounded amount of each line.
    lines: Vec<(i64, Decimal, Decimal)>,
    /// Base and tax by rate.
    vat: Vec<(Vat, Decimal, Decimal)>,
    total: Decimal,
    payee_part: Decimal,
    completeness: Completeness,
}

/// Every interval looked up by itself, every watt-hour put into its range by itself, every sum a decimal.
fn naive(case: &Case) -> NaiveBill {
    let mut quantities: BTreeMap<Counted, i64> = BTreeMap::new();
    let mut completeness = Completeness::default();
    for tariff in [label("t"), label("u")] {
        let mut used_wh = 0;
        for day in case.period.days() {
            let mut intervals = Vec::new();
            for contract in &case.contracts {
                if contract.tariff != tariff || !contract.validity.contains(day) {
                    continue;
                }
                let parts = case.tariffs.version(&tariff, day).unwrap().body.parts();
                *quantities.entry((tariff, parts.validity.from(), (1, 0, 0))).or_default() += 1;
                let (usage_point, register) = (contract.usage_point, contract.register);
                let Some(block) = case.blocks.get(&BlockKey { usage_point, register, day }) else {
                    let local = contract.zone.local_day(day);
                    let seconds = u32::try_from(local.end.0 - local.start.0).unwrap();
                    let count = seconds / 60 / u32::from(case.minutes[&usage_point]);
                    completeness.expected += count;
                    completeness.missing += count;
                    continue;
                };
                for at in 0..block.interval_count() {
                    completeness.expected += 1;
                    match block.qualities()[at] {
                        Quality::Missing => completeness.missing += 1,
                        Quality::EstimatedLinear | Quality::Derived => completeness.estimated += 1,
                        _ => completeness.measured += 1,
                    }
                    let start = block.interval_start(at);
                    let minute = contract.zone.wall_minute(start);
                    intervals.push((start, naive_zone(parts, day, minute), block.values_wh()[at], parts));
                }
            }
            intervals.sort_by_key(|(start, ..)| *start);
            for (_, zone, wh, parts) in intervals {
                for _ in 0..wh {
                    let is_below = |range: &Range| range.up_to_wh.is_none_or(|bound| used_wh < bound);
                    let range = parts.ranges.iter().position(is_below).unwrap();
                    *quantities.entry((tariff, parts.validity.from(), (0, range, zone))).or_default() += 1;
                    used_wh += 1;
                }
            }
        }
    }
    let lines = quantities.into_iter().map(|((tariff, from, (order, range, zone)), quantity)| {
        ((tariff, from, (order == 0).then_some((range, zone))), quantity)
    });
    price(case, &lines.collect::<Vec<_>>(), completeness)
}

fn naive_zone(parts: &TariffParts, day: Day, minute: u16) -> usize {
    let is_holiday = parts.holidays.contains(&day);
    let month: u32 = day.to_string()[5..7].parse().unwrap();
    let holds = |window: &Window| {
        let on_day = match window.days {
            DayKind::Every => true,
            DayKind::Weekday => !day.is_weekend() && !is_holiday,
            DayKind::Weekend => day.is_weekend() && !is_holiday,
            DayKind::Holiday => is_holiday,
            DayKind::DayOff => day.is_weekend() || is_holiday,
        } && window.months.bits() >> (month - 1) & 1 == 1;
        let (from, to) = (window.from_minute, window.to_minute);
        let at_time = if from < to { (from..to).contains(&minute) } else { minute >= from || minute < to };
        on_day && at_time
    };
    parts.zones.iter().position(|zone| zone.windows.iter().any(holds)).unwrap()
}

fn round(amount: Decimal, rounding: Rounding) -> Decimal {
    let strategy = match rounding {
        Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
        Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
        Rounding::Down => RoundingStrategy::ToNegativeInfinity,
    };
    amount.round_dp_with_strategy(2, strategy)
}

fn price(case: &Case, quantities: &[(LineKey, i64)], completeness: Completeness) -> NaiveBill {
    let mut lines = Vec::new();
    let mut bases: BTreeMap<Vat, Decimal> = BTreeMap::new();
    let (mut exact_sum, mut rounded_sum, mut due) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
    let rounding = case.tariffs.versions()[0].body.parts().rounding;
    for ((tariff, from, kind), quantity) in quantities {
        let parts = case.tariffs.version(tariff, *from).unwrap().body.parts();
        let exact = match kind {
            Some((range, zone)) => {
                let kwh = Decimal::new(*quantity, 3);
                due += kwh * per_kwh_rate(&case.agreement.body, &parts.zones[*zone].name);
                Decimal::new(parts.ranges[*range].prices[*zone].as_e8(), 8) * kwh
            }
            None if parts.fixed.per_day.as_e8() == 0 => continue,
            None => Decimal::new(parts.fixed.per_day.as_e8(), 8) * Decimal::from(*quantity),
        };
        exact_sum += exact;
        let amount = match parts.round_each {
            RoundEach::Line => round(exact, rounding),
            RoundEach::Bill => round(exact_sum, rounding) - rounded_sum,
        };
        rounded_sum += amount;
        *bases.entry(parts.vat).or_default() += amount;
        lines.push((*quantity, exact, amount));
    }
    let vat: Vec<(Vat, Decimal, Decimal)> = bases
        .into_iter()
        .map(|(vat, base)| {
            let rate = Decimal::new(i64::from(vat.rate_e4), 4);
            let tax = if vat.is_included { base * rate / (Decimal::ONE + rate) } else { base * rate };
            (vat, base, round(tax, rounding))
        })
        .collect();
    let on_top: Decimal = vat.iter().filter(|(vat, ..)| !vat.is_included).map(|(.., tax)| *tax).sum();
    let total = rounded_sum + on_top;
    let due = match case.agreement.body.rule {
        SplitRule::PerKwh(_) => due,
        SplitRule::Share(share) => {
            let exact = total * Decimal::new(i64::from(share), 8);
            exact.round_dp_with_strategy(11, RoundingStrategy::ToZero)
        }
    };
    NaiveBill { lines, vat, total, payee_part: due.min(total), completeness }
}

fn per_kwh_rate(agreement: &Agreement, zone: &Label) -> Decimal {
    let SplitRule::PerKwh(rates) = &agreement.rule else { return Decimal::ZERO };
    let rate = |name: &str| rates.iter().find(|(known, _)| known.as_str() == name);
    let (_, rate) = rate(zone.as_str()).or_else(|| rate("all")).unwrap();
    Decimal::new(rate.as_e8(), 8)
}

fn money(amount: Money) -> Decimal {
    Decimal::new(amount.as_minor(), 2)
}

/// The fast bill in the terms of the slow one.
fn in_naive_terms(bill: &Bill) -> NaiveBill {
    let exact = |e11| Decimal::from_i128_with_scale(e11, 11);
    let line = |line: &tallywatt_core::bill::ChargeLine| {
        (line.quantity, exact(line.exact.as_e11()), money(line.amount))
    };
    NaiveBill {
        lines: bill.lines.iter().map(line).collect(),
        vat: bill.vat.iter().map(|line| (line.vat, money(line.base), money(line.amount))).collect(),
        total: money(bill.total),
        payee_part: exact(bill.payee_part.as_e11()),
        completeness: bill.completeness,
    }
}

#[test]
fn equals_the_naive_reference() {
    let (mut lines, mut ranges_met, mut clamped) = (0, 0, 0);
    for seed in 0..CASE_COUNT {
        let case = Case::random(seed);
        let bill = case.bill();
        let want = naive(&case);
        assert_eq!(in_naive_terms(&bill), want, "seed {seed}");
        lines += bill.lines.len();
        let is_above = |line: &&tallywatt_core::bill::ChargeLine| {
            matches!(line.kind, ChargeKind::Energy { range: 1.., .. })
        };
        ranges_met += usize::from(bill.lines.iter().any(|line| is_above(&line)));
        clamped += usize::from(bill.total > Money::ZERO && bill.payee_part == bill.total.exact());
    }
    // A generator that stopped reaching the hard places would make this test say nothing.
    assert!(lines > 1_000 && ranges_met > 100 && clamped > 3, "{lines} lines, {ranges_met}, {clamped}");
}

/// The folder of shared test data, if this checkout has one beside it.
fn shared_data() -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("TALLYWATT_SHARED_DATA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: ../shared/data is not here");
    None
}

/// All day blocks of the wide file: a column a household, a row a quarter-hour, by a clock without summer time.
fn households(folder: &std::path::Path, zone: &Zone) -> (Vec<Label>, Blocks) {
    let path = folder.join("interval/zonnedael_56m/liander_zonnedael_2013_original.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let names: Vec<Label> = lines.next().unwrap().split(',').skip(1).map(label).collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let mut blocks = Blocks::new();
    for (number, rows) in (0..).zip(rows.chunks(96)) {
        let day = day("2013-01-01").plus(number).unwrap();
        let date: Vec<String> = day.to_string().split('-').rev().map(str::to_owned).collect();
        let stamp =
            format!("{}-{}-2013 23:45", date[0].trim_start_matches('0'), date[1].trim_start_matches('0'));
        assert_eq!(rows[95][0], stamp, "days of 96 rows");
        for (column, name) in names.iter().enumerate() {
            let values = rows.iter().map(|row| row[column + 1].parse().unwrap()).collect();
            let key = BlockKey { usage_point: *name, register: Register::IMPORT, day };
            let start = zone.local_day(day).start;
            let qualities = vec![Quality::Valid; 96];
            let block = DayBlock::from_parts(key, start, 15, Source::Automated, values, qualities).unwrap();
            blocks.insert(key, block);
        }
    }
    (names, blocks)
}

/// The bill of some usage points by one tariff, rounded once, VAT of 20 % included.
fn household_bill(
    points: &[Label],
    blocks: &Blocks,
    zone: &Zone,
    period: Period,
    zone_text: &str,
    ranges: &[(Option<i64>, &[&str])],
) -> Bill {
    let prices = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let tariff = Tariff::new(TariffParts {
        id: label("t"),
        title: "Households".into(),
        source: "published prices".into(),
        currency: "RUB".parse().unwrap(),
        validity: validity(None, None),
        zones: zones(zone_text),
        ranges: ranges.iter().map(|(up_to_wh, texts)| Range::plain(*up_to_wh, prices(texts))).collect(),
        holidays: Vec::new(),
        range_rule: RangeRule::default(),
        demands: Vec::new(),
        fixed: FixedCharges::default(),
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 2_000, is_included: true },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Bill,
        series: Vec::new(),
        netting: None,
        carry: tallywatt_core::tariff::CarryRules::default(),
        deviation: None,
        eligibility: None,
    });
    let mut tariffs = TariffBook::default();
    tariffs.publish(Published { hash: ContentHash([1; 32]), body: tariff.unwrap() }).unwrap();
    let contract = |point: &Label| Contract {
        account: label("A"),
        usage_point: *point,
        register: Register::IMPORT,
        zone: zone.clone(),
        tariff: label("t"),
        agreement: label("grid"),
        validity: validity(None, None),
        overrides: Vec::new(),
    };
    let contracts = in_order(points.iter().map(contract).collect()).unwrap();
    let inputs = BillInputs {
        account: label("A"),
        period,
        contracts: &contracts,
        tariffs: &tariffs,
        agreement: &agreement(SplitRule::Share(0)),
        readings: ContentHash::default(),
        market: &tallywatt_core::market::MarketBook::new(),
    };
    bill(&inputs, &|key| blocks.get(key)).unwrap()
}

/// Watt-hours of each zone, or range, that a bill charges for.
fn energy_by(bill: &Bill, of: impl Fn(u8, u8) -> u8) -> BTreeMap<u8, i64> {
    let mut sums = BTreeMap::new();
    for line in &bill.lines {
        if let ChargeKind::Energy { range, zone } = line.kind {
            *sums.entry(of(range, zone)).or_default() += line.quantity;
        }
    }
    sums
}

#[test]
fn equals_the_bills_of_real_households() {
    let Some(folder) = shared_data() else { return };
    let text = std::fs::read_to_string(folder.join("expected/ru_zonnedael.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
    let zone = Zone::parse("+01:00").unwrap();
    let (names, blocks) = households(&folder, &zone);
    assert_eq!((names.len(), blocks.len()), (56, 56 * 181));
    let period = |month: &str| format!("2013-{month:0>2}").parse().unwrap();
    let mut bill_count = 0;
    for (name, months) in expected["per_meter"].as_object().unwrap() {
        for (month, want) in months.as_object().unwrap() {
            let bill = |zone_text: &str, prices: &[&str]| {
                let ranges = [(None, prices)];
                household_bill(&[label(name)], &blocks, &zone, period(month), zone_text, &ranges)
            };
            let one = bill("all 00:00-24:00", &["4.87"]);
            let two = bill("night 23:00-07:00; day 07:00-23:00", &["1.63", "5.60"]);
            let three = bill(
                "night 23:00-07:00; half 10:00-17:00 21:00-23:00; peak 07:00-10:00 17:00-21:00",
                &["1.63", "4.87", "5.84"],
            );
            for (key, bill) in [("one_rate", &one), ("two_zone", &two), ("three_zone", &three)] {
                assert_eq!(bill.total.to_string(), want[key].as_str().unwrap(), "{name} month {month} {key}");
                bill_count += 1;
            }
            let exact: Decimal = want["exact_three_zone"].as_str().unwrap().parse().unwrap();
            assert_eq!(Decimal::from_i128_with_scale(three.exact_total().as_e11(), 11), exact);
            let wh = ["night", "half_peak", "peak"].map(|zone| want["wh"][zone].as_i64().unwrap());
            let got = energy_by(&three, |_, zone| zone);
            assert_eq!(got.into_values().collect::<Vec<_>>(), wh, "{name} month {month}");
        }
    }
    for (month, want) in expected["bands_ulyanovsk_2025"].as_object().unwrap() {
        let ranges: [(Option<i64>, &[&str]); 3] =
            [(Some(3_900_000), &["4.93"]), (Some(6_000_000), &["8.27"]), (None, &["9.47"])];
        let bill = household_bill(&names, &blocks, &zone, period(month), "all 00:00-24:00", &ranges);
        let decimal = |key: &str| want[key].as_str().unwrap().parse::<Decimal>().unwrap();
        assert_eq!(bill.total.to_string(), want["bill"].as_str().unwrap(), "month {month}");
        assert_eq!(Decimal::new(bill.energy().as_wh(), 3), decimal("kwh"), "month {month}");
        for (range, wh) in energy_by(&bill, |range, _| range) {
            let key = ["I", "II", "III"][usize::from(range)];
            assert_eq!(Decimal::new(wh, 3), decimal(key), "month {month} range {key}");
        }
        bill_count += 1;
    }
    println!("{bill_count} bills equal");
    assert!(bill_count > 300, "{bill_count} bills");
}
