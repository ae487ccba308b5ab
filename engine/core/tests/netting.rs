//! Netting of energy fed in: worked cases, and random months against a reference that moves single watt-hours.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test takes what it needs of it")]
mod common;
#[path = "netting/naive.rs"]
mod naive;

use std::collections::BTreeMap;

use common::{Random, agreement, label, validity};
use naive::{Totals, naive, random_case};
use tallywatt_core::agreement::SplitRule;
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::bill_change::charge_name;
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::carried::{Carried, CarriedKind, PreviousBill};
use tallywatt_core::contract::{Contract, in_order};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::energy::Energy;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillError, BillInputs, bill_after};
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{
    CarryRules, DayKind, FixedCharges, MonthSet, Netting, NettingMode, Range, RangeRule, RoundEach, Tariff,
    TariffBook, TariffError, TariffParts, TariffZone, Vat, Window,
};
use tallywatt_core::validity::Validity;

const EXPORT: Register = Register::total(Flow::Export, 0);

/// Zones `all`, or `day` 07 to 23 and `night`; their prices and sell prices times `factor`.
fn parts(zone_count: usize, mode: NettingMode, factor: i64) -> TariffParts {
    let window = |from_minute, to_minute| Window {
        months: MonthSet::ALL,
        days: DayKind::Every,
        from_minute,
        to_minute,
    };
    let zone = |name: &str, windows| TariffZone { name: label(name), windows };
    let zones = match zone_count {
        1 => vec![zone("all", vec![window(0, 1_440)])],
        _ => vec![zone("day", vec![window(420, 1_380)]), zone("night", vec![window(1_380, 420)])],
    };
    let prices = |prices: [i64; 2]| -> Vec<PricePerKwh> {
        prices[..zone_count].iter().map(|price| PricePerKwh::from_e8(price * factor * 100_000_000)).collect()
    };
    TariffParts {
        id: label("t"),
        title: "T".into(),
        source: "test".into(),
        currency: "RUB".parse().unwrap(),
        validity: validity(None, None),
        holidays: Vec::new(),
        zones,
        range_rule: RangeRule::default(),
        ranges: vec![Range::plain(None, prices([10, 5]))],
        demands: Vec::new(),
        fixed: FixedCharges::default(),
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 0, is_included: false },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Line,
        series: Vec::new(),
        netting: Some(Netting {
            mode,
            minutes: 0,
            sell: prices([4, 2]),
            pools_zones: false,
            settle_month: None,
        }),
        carry: CarryRules::default(),
        deviation: None,
        eligibility: None,
    }
}

fn mode_of(name: &str) -> NettingMode {
    NettingMode::ALL.into_iter().find(|mode| mode.name() == name).unwrap()
}

fn contract(register: Register, zone: &Zone, validity: Validity) -> Contract {
    Contract {
        account: label("A"),
        usage_point: label("P"),
        register,
        zone: zone.clone(),
        tariff: label("t"),
        agreement: label("grid"),
        validity,
        overrides: Vec::new(),
    }
}

/// A month's blocks of a register; `value` gives Wh and quality of the interval that begins at a minute of the wall clock.
fn month(
    blocks: &mut BTreeMap<BlockKey, DayBlock>,
    register: Register,
    zone: &Zone,
    period: Period,
    minutes: u8,
    value: &mut dyn FnMut(u16) -> (i32, Quality),
) {
    for day in period.days() {
        let local = zone.local_day(day);
        let count = local.interval_count(minutes).unwrap();
        let starts = (0..count).map(|at| local.start.plus(i64::from(at) * i64::from(minutes) * 60));
        let (values, qualities) = starts.map(|start| value(zone.wall_minute(start))).unzip();
        let key = BlockKey { usage_point: label("P"), register, day };
        let block = DayBlock::from_parts(key, local.start, minutes, Source::Synthetic, values, qualities);
        blocks.insert(key, block.unwrap());
    }
}

struct Case {
    period: Period,
    contracts: Vec<Contract>,
    book: TariffBook,
    blocks: BTreeMap<BlockKey, DayBlock>,
    before: Vec<Carried>,
}

impl Case {
    fn bill(&self) -> Result<Bill, BillError> {
        let inputs = BillInputs {
            account: label("A"),
            period: self.period,
            contracts: &self.contracts,
            tariffs: &self.book,
            agreement: &agreement(SplitRule::Share(0)),
            readings: ContentHash::default(),
            market: &MarketBook::default(),
        };
        let previous = PreviousBill {
            hash: ContentHash([7; 32]),
            period: Period::from_number(self.period.number() - 1).unwrap(),
            carried: &self.before,
        };
        let previous = Some(previous).filter(|_| !self.before.is_empty());
        bill_after(&inputs, previous, &|key| self.blocks.get(key))
    }

    fn publish(&mut self, versions: Vec<TariffParts>) -> Result<(), TariffError> {
        for (tag, parts) in (1..).zip(versions) {
            let body = Tariff::new(parts)?;
            self.book.publish(Published { hash: ContentHash([tag; 32]), body }).unwrap();
        }
        Ok(())
    }
}

/// `00:00-24:00=100,…`: Wh of an interval that begins in one of the stretches.
fn pattern(text: &str) -> impl Fn(u16) -> i32 {
    let minute = |clock: &str| {
        let (hours, minutes) = clock.split_once(':').unwrap();
        hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
    };
    let stretches: Vec<(u16, u16, i32)> = text
        .split(',')
        .map(|stretch| {
            let (clocks, wh) = stretch.split_once('=').unwrap();
            let (from, to) = clocks.split_once('-').unwrap();
            (minute(from), minute(to), wh.parse().unwrap())
        })
        .collect();
    move |at| stretches.iter().find(|(from, to, _)| (*from..*to).contains(&at)).map_or(0, |found| found.2)
}

/// `mode | import minutes and pattern | export minutes and pattern | options`
fn case(text: &str) -> Case {
    let [mode, import, export, options] = text.split(" | ").collect::<Vec<_>>()[..] else { panic!("{text}") };
    let options: BTreeMap<&str, &str> =
        options.split_whitespace().map(|option| option.split_once('=').unwrap_or((option, ""))).collect();
    let period: Period = options.get("month").unwrap_or(&"2026-01").parse().unwrap();
    let zone = Zone::parse(options.get("tz").unwrap_or(&"UTC")).unwrap();
    let mut first = parts(if options.contains_key("two") { 2 } else { 1 }, mode_of(mode), 1);
    let netting = first.netting.as_mut().unwrap();
    netting.minutes = options.get("grid").map_or(0, |minutes| minutes.parse().unwrap());
    netting.settle_month = options.get("settle").map(|month| month.parse().unwrap());
    if options.contains_key("pool") {
        netting.pools_zones = true;
        netting.sell = vec![netting.sell[0]; netting.sell.len()];
    }
    if let Some(percent) = options.get("vat") {
        first.vat.rate_e4 = percent.parse::<u16>().unwrap() * 100;
    }
    if let Some(bound) = options.get("range") {
        let dearer =
            first.ranges[0].prices.iter().map(|price| PricePerKwh::from_e8(price.as_e8() * 2)).collect();
        first.ranges[0].up_to_wh = Some(bound.parse::<i64>().unwrap() * 1_000);
        first.ranges.push(Range::plain(None, dearer));
        if options.contains_key("shares") {
            first.range_rule.counting = tallywatt_core::tariff::RangeCounting::Shares;
        }
    }
    if let Some(minimum) = options.get("minimum") {
        first.minimum_per_month = minimum.parse().unwrap();
    }
    let mut versions = vec![first];
    if let Some((day, mode)) = options.get("switch").and_then(|switch| switch.split_once(':')) {
        let day: Day = day.parse().unwrap();
        versions.push(parts(versions[0].zones.len(), mode_of(mode), 2));
        versions[0].validity = validity(None, Some(day));
        versions[1].validity = validity(Some(day), None);
    }
    let held = |name: &str| {
        let day = |name: &str| options.get(name).map(|day| day.parse().unwrap());
        validity(day(name), day("to"))
    };
    let mut case = Case {
        period,
        contracts: vec![
            contract(Register::IMPORT, &zone, held("import-from")),
            contract(EXPORT, &zone, held("export-from")),
        ],
        book: TariffBook::default(),
        blocks: BTreeMap::new(),
        before: Vec::new(),
    };
    for (register, channel) in [(Register::IMPORT, import), (EXPORT, export)] {
        let (minutes, text) = channel.split_once(' ').unwrap();
        let wh = pattern(text);
        let mut value = |minute| (wh(minute), Quality::Valid);
        month(&mut case.blocks, register, &zone, period, minutes.parse().unwrap(), &mut value);
    }
    if let Some((zone, wh)) = options.get("before").and_then(|before| before.split_once(':')) {
        let zone = (zone != "-").then(|| label(zone));
        let kind = CarriedKind::Credit { usage_point: label("P"), zone };
        case.before.push(Carried { kind, quantity: wh.parse().unwrap() });
    }
    case.publish(versions).unwrap();
    case
}

/// `v1 all 62.000, all, fed in 24.800 = 520.80; credit night 18.600`.
fn in_words(case: &Case, bill: &Bill) -> String {
    let mut words = Vec::new();
    for line in &bill.lines {
        let at = usize::from(line.version);
        let hash = bill.tariffs[at];
        let tariff = case.book.versions().iter().find(|version| version.hash == hash).unwrap();
        let name = charge_name(line.kind, &tariff.body);
        let version = if case.book.versions().len() > 1 { format!("v{} ", at + 1) } else { String::new() };
        let quantity = match line.kind {
            ChargeKind::Minimum => line.amount.to_string(),
            _ => Energy::from_wh(line.quantity).to_string(),
        };
        words.push(format!("{version}{name} {quantity}"));
    }
    let mut text = format!("{} = {}", words.join(", "), bill.total).trim_start().to_owned();
    for one in &bill.carried {
        let CarriedKind::Credit { zone, .. } = one.kind else { panic!("{one:?}") };
        let zone = zone.map_or("any".to_owned(), |zone| zone.to_string());
        text += &format!("; credit {zone} {}", Energy::from_wh(i64::try_from(one.quantity).unwrap()));
    }
    text
}

/// 100 Wh an hour: 2.4 kWh a day, 74.4 in January. 10 to 14 at 300: 1.2 a day, 37.2; 8 to 18 at 500: 5.0 a day, 155.0.
/// Import costs 10 (night 5), export earns 4 (night 2); a second version twice as much.
#[test]
fn table() {
    let table = [
        // Each mode, export smaller than import. By interval: 20 hours of import, 4 of 200 Wh export.
        ("none | 60 00:00-24:00=100 | 60 10:00-14:00=300 | ", "all 74.400, all, fed in 37.200 = 595.20"),
        ("interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | ", "all 62.000, all, fed in 24.800 = 520.80"),
        ("zone-month | 60 00:00-24:00=100 | 60 10:00-14:00=300 | ", "all 37.200 = 372.00"),
        ("month-carry | 60 00:00-24:00=100 | 60 10:00-14:00=300 | ", "all 37.200 = 372.00"),
        (
            "net-billing | 60 00:00-24:00=100 | 60 10:00-14:00=300 | ",
            "all 74.400, all, fed in 37.200 = 595.20",
        ),
        // Export larger. By interval: 14 hours of import 43.4, 10 hours of 400 Wh export 124.0.
        ("none | 60 00:00-24:00=100 | 60 08:00-18:00=500 | ", "all 74.400, all, fed in 155.000 = 124.00"),
        ("interval | 60 00:00-24:00=100 | 60 08:00-18:00=500 | ", "all 43.400, all, fed in 124.000 = -62.00"),
        ("zone-month | 60 00:00-24:00=100 | 60 08:00-18:00=500 | ", "all, fed in 80.600 = -322.40"),
        ("month-carry | 60 00:00-24:00=100 | 60 08:00-18:00=500 | ", "= 0.00; credit all 80.600"),
        (
            "net-billing | 60 00:00-24:00=100 | 60 08:00-18:00=500 | ",
            "all 74.400, all, fed in 155.000 = 124.00",
        ),
        ("month-carry | 60 00:00-24:00=100 | 60 08:00-18:00=500 | settle=1", "all, fed in 80.600 = -322.40"),
        ("month-carry | 60 00:00-24:00=100 | 60 08:00-18:00=500 | settle=2", "= 0.00; credit all 80.600"),
        // Nothing on one side, or on both.
        ("interval | 60 00:00-24:00=0 | 60 00:00-24:00=0 | ", "= 0.00"),
        ("month-carry | 60 00:00-24:00=0 | 60 00:00-24:00=0 | ", "= 0.00"),
        ("interval | 60 00:00-24:00=0 | 60 08:00-18:00=500 | ", "all, fed in 155.000 = -620.00"),
        ("zone-month | 60 00:00-24:00=100 | 60 00:00-24:00=0 | ", "all 74.400 = 744.00"),
        ("zone-month | 60 00:00-24:00=100 | 60 00:00-24:00=100 | ", "= 0.00"),
        ("interval | 60 00:00-24:00=100 | 60 00:00-24:00=100 | ", "= 0.00"),
        // Half-hours and quarter-hours: netted by the half-hour, two of 50 against 400: 2.3 and 0.7 a day.
        ("interval | 30 00:00-24:00=50 | 15 10:00-11:00=200 | ", "all 71.300, all, fed in 21.700 = 626.20"),
        ("interval | 15 00:00-24:00=25 | 30 10:00-11:00=400 | ", "all 71.300, all, fed in 21.700 = 626.20"),
        // 200 and 0 against 150 in one half-hour: 50 a day.
        ("interval | 15 10:00-10:15=200 | 30 10:00-10:30=150 | ", "all 1.550 = 15.50"),
        // The same by quarter-hours: nothing meets; over half an hour it does; over an hour more is fed in.
        ("interval | 15 10:00-10:15=200 | 15 10:15-10:30=150 | ", "all 6.200, all, fed in 4.650 = 43.40"),
        ("interval | 15 10:00-10:15=200 | 15 10:15-10:30=150 | grid=30", "all 1.550 = 15.50"),
        ("interval | 15 10:00-10:15=200 | 15 10:45-11:00=300 | grid=60", "all, fed in 3.100 = -12.40"),
        (
            "interval | 15 10:00-10:15=200 | 15 10:45-11:00=300 | grid=30",
            "all 6.200, all, fed in 9.300 = 24.80",
        ),
        ("interval | 5 00:00-24:00=10 | 60 12:00-13:00=100 | ", "all 86.180 = 861.80"),
        // Two zones: day 49.6, night 24.8. 5 to 9 at 300 is 18.6 each.
        (
            "none | 60 00:00-24:00=100 | 60 05:00-09:00=300 | two",
            "day 49.600, night 24.800, day, fed in 18.600, night, fed in 18.600 = 508.40",
        ),
        (
            "interval | 60 00:00-24:00=100 | 60 05:00-09:00=300 | two",
            "day 43.400, night 18.600, day, fed in 12.400, night, fed in 12.400 = 452.60",
        ),
        ("zone-month | 60 00:00-24:00=100 | 60 05:00-09:00=300 | two", "day 31.000, night 6.200 = 341.00"),
        (
            "net-billing | 60 00:00-24:00=100 | 60 05:00-09:00=300 | two",
            "day 49.600, night 24.800, day, fed in 18.600, night, fed in 18.600 = 508.40",
        ),
        // 0 to 7 at 200: 43.4 at night. One zone's export never nets another's import, unless they are pooled.
        (
            "zone-month | 60 00:00-24:00=100 | 60 00:00-07:00=200 | two",
            "day 49.600, night, fed in 18.600 = 458.80",
        ),
        (
            "month-carry | 60 00:00-24:00=100 | 60 00:00-07:00=200 | two",
            "day 49.600 = 496.00; credit night 18.600",
        ),
        ("month-carry | 60 00:00-24:00=100 | 60 00:00-07:00=200 | two pool", "day 31.000 = 310.00"),
        ("month-carry | 60 00:00-24:00=100 | 60 08:00-18:00=500 | two pool", "= 0.00; credit any 80.600"),
        (
            "month-carry | 60 00:00-24:00=100 | 60 08:00-18:00=500 | two",
            "night 24.800 = 124.00; credit day 105.400",
        ),
        // An hour of the zone's edge: netted as a whole over 60 minutes, what is left stays where it was measured.
        (
            "interval | 30 22:30-23:00=100 | 30 23:00-23:30=300 | two grid=60",
            "day 3.100, night, fed in 9.300 = 12.40",
        ),
        // March has 743 hours here, the 29th no hour 2.
        (
            "interval | 60 00:00-24:00=100 | 60 02:00-03:00=50 | tz=Europe/Berlin month=2026-03",
            "all 72.800 = 728.00",
        ),
        (
            "zone-month | 60 00:00-24:00=100 | 60 02:00-03:00=50 | tz=Europe/Berlin month=2026-03",
            "all 72.800 = 728.00",
        ),
        (
            "interval | 60 00:00-24:00=100 | 60 01:00-04:00=200 | tz=Europe/Berlin month=2026-03",
            "all 65.100, all, fed in 9.200 = 614.20",
        ),
        // October has 745, the 25th hour 2 twice.
        (
            "interval | 60 00:00-24:00=100 | 60 02:00-03:00=50 | tz=Europe/Berlin month=2026-10",
            "all 72.900 = 729.00",
        ),
        (
            "interval | 60 00:00-24:00=100 | 60 02:00-03:00=300 | tz=Europe/Berlin month=2026-10",
            "all 71.300, all, fed in 6.400 = 687.40",
        ),
        (
            "interval | 15 00:00-24:00=25 | 15 02:00-02:15=100 | tz=Europe/Berlin month=2026-10",
            "all 73.700, all, fed in 2.400 = 727.40",
        ),
        (
            "zone-month | 60 00:00-24:00=100 | 60 02:00-03:00=100 | two tz=Europe/Berlin month=2026-10",
            "day 49.600, night 21.700 = 604.50",
        ),
        (
            "zone-month | 60 00:00-24:00=100 | 60 02:00-03:00=100 | two tz=Europe/Berlin month=2026-03",
            "day 49.600, night 21.700 = 604.50",
        ),
        // Half an hour goes and comes in Lord Howe: 23.5 hours on 4 October, so two half-hours are netted in 30 of the days.
        (
            "interval | 30 00:00-24:00=50 | 30 02:00-02:30=80 | tz=Australia/Lord_Howe month=2026-10 grid=60",
            "all 71.950 = 719.50",
        ),
        // From the 16th on both, or one of them.
        (
            "interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | import-from=2026-01-16 export-from=2026-01-16",
            "all 32.000, all, fed in 12.800 = 268.80",
        ),
        (
            "interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | export-from=2026-01-16",
            "all 68.000, all, fed in 12.800 = 628.80",
        ),
        (
            "interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | import-from=2026-01-16",
            "all 32.000, all, fed in 30.800 = 196.80",
        ),
        (
            "zone-month | 60 00:00-24:00=100 | 60 10:00-14:00=300 | export-from=2026-01-16",
            "all 55.200 = 552.00",
        ),
        // Ten days of the first version, 21 of the second.
        (
            "interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | switch=2026-01-11:interval",
            "v1 all 20.000, v1 all, fed in 8.000, v2 all 42.000, v2 all, fed in 16.800 = 873.60",
        ),
        (
            "zone-month | 60 00:00-24:00=100 | 60 10:00-14:00=300 | switch=2026-01-11:zone-month",
            "v1 all 12.000, v2 all 25.200 = 624.00",
        ),
        (
            "none | 60 00:00-24:00=100 | 60 10:00-14:00=300 | switch=2026-01-11:interval",
            "v1 all 24.000, v1 all, fed in 12.000, v2 all 42.000, v2 all, fed in 16.800 = 897.60",
        ),
        (
            "month-carry | 60 00:00-24:00=100 | 60 08:00-18:00=500 | switch=2026-01-11:month-carry",
            "= 0.00; credit all 80.600",
        ),
        (
            "month-carry | 60 00:00-24:00=100 | 60 08:00-18:00=500 | switch=2026-01-11:zone-month",
            "v1 all, fed in 26.000, v2 all, fed in 54.600 = -540.80",
        ),
        // Credit of the month before.
        (
            "month-carry | 60 00:00-24:00=100 | 60 10:00-14:00=300 | before=all:50000",
            "= 0.00; credit all 12.800",
        ),
        ("month-carry | 60 00:00-24:00=100 | 60 10:00-14:00=300 | before=all:10000", "all 27.200 = 272.00"),
        (
            "month-carry | 60 00:00-24:00=100 | 60 10:00-14:00=300 | before=all:50000 to=2026-02-01",
            "all, fed in 12.800 = -51.20",
        ),
        // Credit of any zone, or of one that is no more, goes to the zones in their order.
        (
            "month-carry | 60 00:00-24:00=100 | 60 00:00-24:00=0 | two before=-:20000",
            "day 29.600, night 24.800 = 420.00",
        ),
        (
            "month-carry | 60 00:00-24:00=100 | 60 00:00-24:00=0 | two before=peak:60000",
            "night 14.400 = 72.00",
        ),
        // Tax of 20 % on top: what is sold bears none, what is credited lowers the base.
        (
            "none | 60 00:00-24:00=100 | 60 10:00-14:00=300 | vat=20",
            "all 74.400, all, fed in 37.200 = 744.00",
        ),
        (
            "net-billing | 60 00:00-24:00=100 | 60 10:00-14:00=300 | vat=20",
            "all 74.400, all, fed in 37.200 = 714.24",
        ),
        // Ranges of what is left: 50 at 10, the rest at 20.
        (
            "interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | range=50",
            "all, range 1 50.000, all, range 2 12.000, all, fed in 24.800 = 640.80",
        ),
        (
            "zone-month | 60 00:00-24:00=100 | 60 10:00-14:00=300 | range=30 shares",
            "all, range 1 30.000, all, range 2 7.200 = 444.00",
        ),
        // A minimum is of what is charged; what is fed in does not count towards it.
        (
            "zone-month | 60 00:00-24:00=100 | 60 10:00-14:00=300 | minimum=500",
            "all 37.200, minimum 128.00 = 500.00",
        ),
        (
            "none | 60 00:00-24:00=10 | 60 10:00-14:00=300 | minimum=500",
            "all 7.440, minimum 425.60, all, fed in 37.200 = 351.20",
        ),
    ];
    assert!(table.len() >= 40, "{}", table.len());
    for (text, want) in table {
        let case = case(text);
        let bill = case.bill().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(in_words(&case, &bill), want, "{text}");
        let expected: usize = case
            .contracts
            .iter()
            .flat_map(|one| {
                case.blocks
                    .iter()
                    .filter(|(key, _)| key.register == one.register && one.validity.contains(key.day))
            })
            .map(|(_, block)| block.interval_count())
            .sum();
        assert_eq!(usize::try_from(bill.completeness.expected), Ok(expected), "{text}");
    }
}

/// Export that is not read yet is not nothing: a day without counts as missing, a month without has no bill.
#[test]
fn missing_export_is_said() {
    let mut late = case("interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | ");
    late.blocks.retain(|key, _| key.register == Register::IMPORT || key.day.number() % 31 != 5);
    let lost = 31 - late.blocks.keys().filter(|key| key.register == EXPORT).count();
    assert_eq!(lost, 1);
    let bill = late.bill().unwrap();
    assert_eq!((bill.completeness.expected, bill.completeness.missing), (2 * 744, 24));
    // That day's import is billed in full: 400 Wh more, and 800 Wh less are fed in.
    assert_eq!(in_words(&late, &bill), "all 62.400, all, fed in 24.000 = 528.00");
    late.blocks.retain(|key, _| key.register == Register::IMPORT);
    let want = "usage point P has no readings in 2026-01";
    assert_eq!(late.bill().unwrap_err().to_string(), want);
    // The other channel alone is billed without trouble: both ways, by contracts of their own.
    late.contracts.retain(|one| one.register == Register::IMPORT);
    assert_eq!(in_words(&late, &late.bill().unwrap()), "all 74.400 = 744.00");
    let mut alone = case("interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | ");
    alone.contracts.retain(|one| one.register == EXPORT);
    alone.blocks.retain(|key, _| key.register == EXPORT);
    assert_eq!(in_words(&alone, &alone.bill().unwrap()), "all, fed in 37.200 = -148.80");
}

#[test]
fn what_cannot_be_netted_is_refused_by_name() {
    let plain = "interval | 60 00:00-24:00=100 | 60 10:00-14:00=300 | switch=2026-01-11:interval";
    let refused = |bend: fn(&mut Case), want: &str| {
        let mut case = case(plain);
        bend(&mut case);
        assert_eq!(case.bill().unwrap_err().to_string(), want);
    };
    refused(
        |case| {
            let mut second = parts(1, NettingMode::Interval, 1);
            second.netting = None;
            second.validity = validity(Some("2026-01-11".parse().unwrap()), None);
            let mut first = parts(1, NettingMode::Interval, 1);
            first.validity = validity(None, second.validity.from().into());
            case.book = TariffBook::default();
            case.publish(vec![first, second]).unwrap();
        },
        "tariff t has versions with and without netting in one month",
    );
    refused(
        |case| {
            let reactive = Register::total(Flow::ReactiveImport, 0);
            case.contracts.push(Contract { register: reactive, ..case.contracts[0].clone() });
        },
        "usage point P has a reactive register under a tariff that nets energy",
    );
    refused(
        |case| {
            let second = Register::total(Flow::Export, 1);
            case.contracts.push(Contract { register: second, ..case.contracts[1].clone() });
        },
        "usage point P has two registers of one flow on 2026-01-01 under a tariff that nets energy",
    );
    refused(
        |case| {
            let kind = CarriedKind::Credit { usage_point: label("P"), zone: None };
            case.before.push(Carried { kind, quantity: 12 });
        },
        "usage point P has a credit of 12 Wh that no tariff of this month nets or settles",
    );
    refused(
        |case| {
            let key =
                BlockKey { usage_point: label("P"), register: EXPORT, day: "2026-01-05".parse().unwrap() };
            let qualities = vec![Quality::Valid; 24];
            let start = case.blocks[&key].start().plus(3_600);
            let block =
                DayBlock::from_parts(key, start, 60, Source::Synthetic, vec![0; 24], qualities).unwrap();
            case.blocks.insert(key, block);
        },
        "the readings of P on 2026-01-05 do not follow the local day of UTC",
    );
    // What is wrong with a tariff's netting.
    type Row = (fn(&mut Netting), &'static str);
    let table: &[Row] = &[
        (|netting| netting.sell.push(PricePerKwh::default()), "2 sell prices for 1 zones"),
        (|netting| netting.sell[0] = PricePerKwh::from_e8(-1), "negative price -0.00000001"),
        (
            |netting| (netting.minutes, netting.mode) = (60, NettingMode::ZoneMonth),
            "netting over 60 minutes: only mode interval has a grid, of 5, 15, 30 or 60 minutes",
        ),
        (
            |netting| netting.minutes = 45,
            "netting over 45 minutes: only mode interval has a grid, of 5, 15, 30 or 60 minutes",
        ),
        (
            |netting| netting.settle_month = Some(1),
            "a settling month from 1 to 12 and pooled zones of one sell price are for mode month-carry only",
        ),
        (
            |netting| (netting.settle_month, netting.mode) = (Some(13), NettingMode::MonthCarry),
            "a settling month from 1 to 12 and pooled zones of one sell price are for mode month-carry only",
        ),
        (
            |netting| netting.pools_zones = true,
            "a settling month from 1 to 12 and pooled zones of one sell price are for mode month-carry only",
        ),
    ];
    for (bend, want) in table {
        let mut bent = parts(1, NettingMode::Interval, 1);
        bend(bent.netting.as_mut().unwrap());
        assert_eq!(Tariff::new(bent).unwrap_err().to_string(), *want);
    }
    let mut pooled = parts(2, NettingMode::MonthCarry, 1);
    pooled.netting.as_mut().unwrap().pools_zones = true;
    assert_eq!(Tariff::new(pooled).unwrap_err(), TariffError::NettingCredit);
    let mut ordered = parts(1, NettingMode::ZoneMonth, 1);
    ordered.ranges.insert(0, Range { up_to_wh: Some(1), ..ordered.ranges[0].clone() });
    assert_eq!(Tariff::new(ordered).unwrap_err(), TariffError::NettingOrder);
}

#[test]
fn random_months_equal_the_reference() {
    let mut seen = BTreeMap::new();
    for seed in 0..600 {
        let case = random_case(seed);
        let bill = case.bill().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let mut got = Totals::default();
        for line in &bill.lines {
            let at = usize::from(line.version);
            let version =
                case.book.versions().iter().find(|version| version.hash == bill.tariffs[at]).unwrap();
            let zone = |zone: u8| version.body.parts().zones[usize::from(zone)].name;
            match line.kind {
                ChargeKind::Energy { zone: of, .. } => got.taken.insert((at, zone(of)), line.quantity),
                ChargeKind::Export { zone: of } => got.credited.insert((at, zone(of)), line.quantity),
                other => panic!("{other:?}"),
            };
        }
        for one in &bill.carried {
            let CarriedKind::Credit { zone, .. } = one.kind else { panic!("{one:?}") };
            got.credit.insert(zone, i64::try_from(one.quantity).unwrap());
        }
        let want = naive(&case);
        assert_eq!(got, want, "seed {seed}");
        assert_eq!(bill.previous.is_some(), !case.before.is_empty(), "seed {seed}");
        *seen.entry((want.credited.is_empty(), want.credit.is_empty(), bill.tariffs.len())).or_insert(0) += 1;
    }
    assert!(seen.len() >= 6, "{seen:?}");
}
