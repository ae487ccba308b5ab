//! One usage point's month under versions of a tariff: what tables of worked cases start from.

use tallywatt_core::agreement::SplitRule;
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillError, BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{
    DayKind, FixedCharges, MonthSet, Range, RangeKind, RangeRule, RoundEach, Tariff, TariffBook, TariffParts,
    TariffZone, Vat, Window,
};

use super::{agreement, label, validity};

/// Every day.
pub(crate) fn window(from_minute: u16, to_minute: u16) -> Window {
    Window { months: MonthSet::ALL, days: DayKind::Every, from_minute, to_minute }
}

/// One zone, no tax, rounded by line.
pub(crate) fn parts(kind: RangeKind, ranges: Vec<Range>) -> TariffParts {
    TariffParts {
        id: label("t"),
        title: "t".into(),
        source: "worked by hand".into(),
        currency: "EUR".parse().unwrap(),
        validity: validity(None, None),
        holidays: Vec::new(),
        zones: vec![TariffZone { name: label("all"), windows: vec![window(0, 1_440)] }],
        range_rule: RangeRule { kind, ..RangeRule::default() },
        ranges,
        demands: Vec::new(),
        fixed: FixedCharges::default(),
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 0, is_included: false },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Line,
        series: Vec::new(),
        netting: None,
        carry: tallywatt_core::tariff::CarryRules::default(),
        deviation: None,
        eligibility: None,
    }
}

/// The usage point `P` of account `A`, under tariff `t`.
pub(crate) fn contract(zone: &str) -> Contract {
    Contract {
        account: label("A"),
        usage_point: label("P"),
        register: Register::IMPORT,
        zone: Zone::parse(zone).unwrap(),
        tariff: label("t"),
        agreement: label("grid"),
        validity: validity(None, None),
        overrides: Vec::new(),
    }
}

/// Every day of the period that the contract holds; `wh` says what is used in an interval of a day.
pub(crate) fn blocks(
    contract: &Contract,
    period: Period,
    minutes: u8,
    wh: &mut dyn FnMut(Day, usize) -> i64,
) -> Vec<DayBlock> {
    let held = period.days().filter(|day| contract.validity.contains(*day));
    held.map(|day| {
        let key = BlockKey { usage_point: contract.usage_point, register: contract.register, day };
        let local = contract.zone.local_day(day);
        let count = usize::from(local.interval_count(minutes).unwrap());
        let values = (0..count).map(|at| i32::try_from(wh(day, at)).unwrap()).collect();
        let qualities = vec![Quality::Valid; count];
        DayBlock::from_parts(key, local.start, minutes, Source::Synthetic, values, qualities).unwrap()
    })
    .collect()
}

/// The bill of these blocks; the payee gets a cent a kilowatt-hour.
pub(crate) fn try_bill(
    versions: Vec<TariffParts>,
    contract: &Contract,
    period: Period,
    blocks: &[DayBlock],
    market: &MarketBook,
) -> Result<Bill, BillError> {
    let mut tariffs = TariffBook::default();
    for (tag, parts) in (1..).zip(versions) {
        let body = Tariff::new(parts).unwrap();
        tariffs.publish(Published { hash: ContentHash([tag; 32]), body }).unwrap();
    }
    let mut split = agreement(SplitRule::PerKwh(vec![(label("all"), "0.01".parse().unwrap())]));
    split.body.currency = "EUR".parse().unwrap();
    let inputs = BillInputs {
        account: label("A"),
        period,
        contracts: std::slice::from_ref(contract),
        tariffs: &tariffs,
        agreement: &split,
        readings: ContentHash::default(),
        market,
    };
    bill(&inputs, &|key| blocks.iter().find(|block| block.key() == *key))
}

/// February 2026 by the hour in UTC, all zero but what is given as (day of the month, hour, Wh).
pub(crate) fn billed(versions: Vec<TariffParts>, used: &[(i32, usize, i64)]) -> Bill {
    let (contract, period): (_, Period) = (contract("UTC"), "2026-02".parse().unwrap());
    let blocks = blocks(&contract, period, 60, &mut |day, at| {
        let number = day.since(period.first_day()) + 1;
        used.iter().filter(|(on, hour, _)| (*on, *hour) == (number, at)).map(|(.., wh)| wh).sum()
    });
    try_bill(versions, &contract, period, &blocks, &MarketBook::new()).unwrap()
}
