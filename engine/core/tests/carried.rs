//! Bills that stand on one another: look-back, minimum of the year, credit over many months; worked by hand.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[allow(dead_code, reason = "each test takes what it needs of it")]
mod common;

use std::collections::BTreeMap;

use common::{Random, agreement, label, validity};
use tallywatt_core::agreement::SplitRule;
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::carried::{CARRIED_COUNT_MAX, CARRIED_QUANTITY_MAX, Carried, CarriedKind, PreviousBill};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillError, BillInputs, bill_after};
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::tariff::{
    CarryRules, DayKind, DemandCharge, DemandMeasure, DemandRange, FixedCharges, LookBack, MonthSet, Netting,
    NettingMode, Range, RangeRule, RoundEach, Tariff, TariffBook, TariffError, TariffParts, TariffZone, Vat,
    Window,
};
use tallywatt_core::validity::Validity;

const EXPORT: Register = Register::total(Flow::Export, 0);

fn window(months: MonthSet) -> Window {
    Window { months, days: DayKind::Every, from_minute: 0, to_minute: 1_440 }
}

/// A kilowatt costs 10 a month, a kilowatt-hour 1.
fn parts(look_back: Option<LookBack>, minimum_per_year: &str) -> TariffParts {
    let demand = DemandCharge {
        name: label("peak"),
        windows: vec![window(MonthSet::ALL)],
        minutes: 60,
        ranges: vec![DemandRange { up_to_w: None, price: "10".parse().unwrap() }],
        measure: DemandMeasure::Highest,
    };
    TariffParts {
        id: label("t"),
        title: "T".into(),
        source: "test".into(),
        currency: "RUB".parse().unwrap(),
        validity: validity(None, None),
        holidays: Vec::new(),
        zones: vec![TariffZone { name: label("all"), windows: vec![window(MonthSet::ALL)] }],
        range_rule: RangeRule::default(),
        ranges: vec![Range::plain(None, vec!["1".parse().unwrap()])],
        demands: if look_back.is_some() { vec![demand] } else { Vec::new() },
        fixed: FixedCharges::default(),
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 0, is_included: false },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Line,
        series: Vec::new(),
        netting: None,
        carry: CarryRules {
            look_backs: look_back.into_iter().collect(),
            minimum_per_year: minimum_per_year.parse().unwrap(),
        },
        deviation: None,
        eligibility: None,
    }
}

fn look_back(months: u8, percent: impl Fn(usize) -> u16) -> LookBack {
    LookBack { charge: 0, months, percent_e2: std::array::from_fn(|month| percent(month) * 100) }
}

struct Chain {
    book: TariffBook,
    contracts: Vec<Contract>,
    bills: Vec<(Period, Bill)>,
}

impl Chain {
    fn new(parts: TariffParts) -> Self {
        let mut book = TariffBook::default();
        let body = Tariff::new(parts).unwrap();
        book.publish(Published { hash: ContentHash([1; 32]), body }).unwrap();
        let contract = |register| Contract {
            account: label("A"),
            usage_point: label("P"),
            register,
            zone: Zone::parse("UTC").unwrap(),
            tariff: label("t"),
            agreement: label("grid"),
            validity: validity(None, None),
            overrides: Vec::new(),
        };
        Self { book, contracts: vec![contract(Register::IMPORT), contract(EXPORT)], bills: Vec::new() }
    }

    fn held(mut self, validity: Validity) -> Self {
        self.contracts.iter_mut().for_each(|contract| contract.validity = validity);
        self
    }

    fn without_export(mut self) -> Self {
        self.contracts.pop();
        self
    }

    /// Bills the next month: a first hour of `peak_wh`, then `wh` an hour; `export_wh` an hour.
    fn next(&mut self, month: &str, peak_wh: i32, wh: i32, export_wh: i32) -> Result<&Bill, BillError> {
        let period: Period = month.parse().unwrap();
        let zone = Zone::parse("UTC").unwrap();
        let mut blocks = BTreeMap::new();
        for contract in &self.contracts {
            for day in period.days() {
                let value = if contract.register == EXPORT { export_wh } else { wh };
                let mut values = vec![value; 24];
                if contract.register != EXPORT && day == period.first_day() {
                    values[0] = peak_wh;
                }
                let register = contract.register;
                let key = BlockKey { usage_point: contract.usage_point, register, day };
                let start = zone.local_day(day).start;
                let qualities = vec![Quality::Valid; 24];
                let block = DayBlock::from_parts(key, start, 60, Source::Synthetic, values, qualities);
                blocks.insert(key, block.unwrap());
            }
        }
        let inputs = BillInputs {
            account: label("A"),
            period,
            contracts: &self.contracts,
            tariffs: &self.book,
            agreement: &agreement(SplitRule::Share(0)),
            readings: ContentHash::default(),
            market: &MarketBook::default(),
        };
        let number = u8::try_from(self.bills.len()).unwrap();
        let previous = self.bills.last().map(|(period, bill)| PreviousBill {
            hash: ContentHash([number; 32]),
            period: *period,
            carried: &bill.carried,
        });
        let bill = bill_after(&inputs, previous, &|key| blocks.get(key))?;
        assert_eq!(bill.previous, previous.map(|previous| previous.hash));
        assert!(bill.carried.is_sorted() && bill.carried.iter().all(|one| one.kind.takes(one.quantity)));
        self.bills.push((period, bill));
        Ok(&self.bills.last().unwrap().1)
    }

    fn quantity(&self, kind: ChargeKind) -> i64 {
        let bill = &self.bills.last().unwrap().1;
        bill.lines.iter().filter(|line| line.kind == kind).map(|line| line.quantity).sum()
    }
}

const DEMAND: ChargeKind = ChargeKind::Demand { charge: 0, range: 0 };

/// Billed kilowatts month by month: at least a part of the highest peaks before.
#[test]
fn a_look_back_bills_at_least_a_part_of_earlier_peaks() {
    // 80 % of the last 3 months.
    let mut chain = Chain::new(parts(Some(look_back(3, |_| 80)), "0")).without_export();
    // month, measured W, billed W
    for (month, measured, billed) in [
        ("2025-10", 10_000, 10_000),
        ("2025-11", 4_000, 8_000), // 80 % of October
        ("2025-12", 9_000, 9_000),
        ("2026-01", 1_000, 8_000), // October still, three months ago
        ("2026-02", 1_000, 7_200), // of December
        ("2026-03", 1_001, 7_200),
        ("2026-04", 333, 800), // of February and March: 80 % of 1,001 is 800.8, cut
    ] {
        let _ = chain.next(month, measured, 0, 0).unwrap();
        assert_eq!(chain.quantity(DEMAND), billed, "{month}");
    }
    // Half of the peaks of summer months only, a year back.
    let summer = |month: usize| if (5..8).contains(&month) { 50 } else { 0 };
    let mut chain = Chain::new(parts(Some(look_back(12, summer)), "0")).without_export();
    for (month, measured, billed) in [
        ("2025-05", 90_000, 90_000),
        ("2025-06", 20_000, 20_000),
        ("2025-07", 2_000, 10_000), // half of June
        ("2025-08", 30_001, 30_001),
        ("2025-09", 1_000, 15_000), // half of August is 15,000.5
        ("2025-10", 16_000, 16_000),
    ] {
        let _ = chain.next(month, measured, 0, 0).unwrap();
        assert_eq!(chain.quantity(DEMAND), billed, "{month}");
    }
    for month in ["2025-11", "2025-12", "2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06"] {
        let _ = chain.next(month, 100, 0, 0).unwrap();
        assert_eq!(chain.quantity(DEMAND), 15_000, "{month}");
    }
    // Twelve peaks are kept, and no more.
    assert_eq!(chain.bills.last().unwrap().1.carried.len(), 12);
    for (month, billed) in [("2026-07", 15_000), ("2026-08", 15_000), ("2026-09", 50)] {
        let _ = chain.next(month, 100, 0, 0).unwrap();
        assert_eq!(chain.quantity(DEMAND), billed.max(100), "{month}");
    }
}

/// Against all peaks ever measured, kept in a list of its own.
#[test]
fn random_peaks_equal_the_reference() {
    for seed in 0..40_u64 {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut percents = [0_u16; 12];
        percents.iter_mut().for_each(|one| *one = u16::try_from(random.below(101)).unwrap());
        percents[0] = percents[0].max(1);
        let months = u8::try_from(1 + random.below(12)).unwrap();
        let mut chain =
            Chain::new(parts(Some(look_back(months, |month| percents[month])), "0")).without_export();
        let mut peaks: Vec<(u32, i64)> = Vec::new();
        for number in 0..30 {
            let period = Period::from_number(2_025 * 12 + number).unwrap();
            let measured = i32::try_from(random.below(20_000)).unwrap();
            let _ = chain.next(&period.to_string(), measured, 0, 0).unwrap();
            let floors =
                peaks.iter().rev().take(usize::from(months)).map(|(then, peak)| {
                    peak * i64::from(percents[usize::try_from(then % 12).unwrap()]) / 100
                });
            let want = floors.chain([i64::from(measured)]).max().unwrap();
            assert_eq!(chain.quantity(DEMAND), want, "seed {seed}, {period}");
            peaks.push((period.number(), i64::from(measured)));
        }
    }
}

/// A kilowatt-hour costs 1; 730 a year is 2 a day.
#[test]
fn a_minimum_of_the_year_is_settled_once() {
    let lacking = |chain: &Chain| chain.quantity(ChargeKind::YearMinimum);
    // January to December, 1 Wh an hour: 8.76 in the year, and 730 due.
    let mut chain = Chain::new(parts(None, "730")).without_export();
    for month in 1..12 {
        let bill = chain.next(&format!("2026-{month:02}"), 1, 1, 0).unwrap();
        assert_eq!((bill.lines.len(), bill.carried.len()), (1, 2), "{month}");
    }
    let bill = chain.next("2026-12", 1, 1, 0).unwrap();
    assert_eq!(bill.total.to_string(), "721.98"); // 0.744 rounded, and 721.24
    assert_eq!(bill.carried, []);
    // Each month's part of the year is cut at the eleventh decimal: twelve times at most that lacks.
    let exact = 72_124_000_000_000_i64;
    assert!((exact - 12..=exact).contains(&lacking(&chain)), "{}", lacking(&chain));
    // A new year begins with nothing.
    let bill = chain.next("2027-01", 1, 1, 0).unwrap();
    let charged = bill.carried.iter().find(|one| matches!(one.kind, CarriedKind::Charged { .. })).unwrap();
    assert_eq!(charged.quantity, 74_400_000_000);
    // From July: 184 days, 368 due; 100 Wh an hour are 441.6: nothing lacks.
    let mut chain = Chain::new(parts(None, "730")).without_export();
    for month in 7..13 {
        let _ = chain.next(&format!("2026-{month:02}"), 100, 100, 0).unwrap();
    }
    assert_eq!(lacking(&chain), 0);
    // Ends with April: settled there, for 120 days, of which 2.88 are paid.
    let ends = validity(None, Some("2026-05-01".parse().unwrap()));
    let mut chain = Chain::new(parts(None, "730")).without_export().held(ends);
    for month in 1..5 {
        let _ = chain.next(&format!("2026-{month:02}"), 1, 1, 0).unwrap();
    }
    let exact = 23_712_000_000_000_i64;
    assert!((exact - 4..=exact).contains(&lacking(&chain)), "{}", lacking(&chain));
    assert_eq!(chain.bills.last().unwrap().1.carried, []);
}

/// Summer's surplus nets winter; what is left in March is paid.
#[test]
fn credit_goes_from_month_to_month() {
    let mut netted = parts(None, "0");
    netted.netting = Some(Netting {
        mode: NettingMode::MonthCarry,
        minutes: 0,
        sell: vec!["0.5".parse().unwrap()],
        pools_zones: false,
        settle_month: Some(3),
    });
    let mut chain = Chain::new(netted);
    // month, import and export Wh an hour, billed Wh, credited Wh, credit Wh; hours: 720, 744, 720, 744, 744, 672, 744
    for (month, import, export, billed, credited, credit) in [
        ("2025-09", 100, 400, 0, 0, 216_000),
        ("2025-10", 200, 100, 0, 0, 141_600), // 74,400 of it used
        ("2025-11", 300, 0, 74_400, 0, 0),    // 216,000 less 141,600
        ("2025-12", 10, 20, 0, 0, 7_440),
        ("2026-01", 10, 20, 0, 0, 14_880),
        ("2026-02", 10, 0, 0, 0, 8_160),  // 6,720 of it used
        ("2026-03", 0, 10, 0, 15_600, 0), // 7,440 more, all settled
        ("2026-04", 10, 0, 7_200, 0, 0),
    ] {
        let bill = chain.next(month, import, import, export).unwrap();
        let carried: i128 = bill.carried.iter().map(|one| one.quantity).sum();
        assert_eq!(carried, credit, "{month}");
        assert_eq!(bill.export_energy().as_wh(), credited, "{month}");
        assert_eq!(chain.quantity(ChargeKind::Energy { range: 0, zone: 0 }), billed, "{month}");
    }
    assert_eq!(chain.bills[6].1.total.to_string(), "-7.80");
}

#[test]
fn bills_stand_in_order_and_within_limits() {
    let mut chain = Chain::new(parts(Some(look_back(3, |_| 80)), "0")).without_export();
    let _ = chain.next("2026-01", 1, 1, 0).unwrap();
    let gap = chain.next("2026-03", 1, 1, 0).unwrap_err();
    assert_eq!(gap.to_string(), "a bill of 2026-03 cannot stand on one of 2026-01");
    // A plain tariff names no bill before it.
    let mut plain = Chain::new(parts(None, "0")).without_export();
    let bill = plain.next("2026-01", 1, 1, 0).unwrap();
    assert_eq!((bill.previous, bill.carried.len()), (None, 0));
    // More than fits: each peak of each of many charges is one quantity.
    let key = |at: u32| CarriedKind::Peak {
        usage_point: label("P"),
        register: Register { zone: u8::try_from(at % 200).unwrap(), ..Register::IMPORT },
        charge: label("peak"),
        period: Period::from_number(2_026 * 12 - 1 - at / 200 % 11).unwrap(),
    };
    let contracts = (0..200).map(|zone| Contract {
        register: Register { zone, ..Register::IMPORT },
        ..chain.contracts[0].clone()
    });
    chain.contracts = contracts.collect();
    chain.bills.truncate(1);
    chain.bills[0].0 = "2025-12".parse().unwrap();
    let many: BTreeMap<CarriedKind, i128> = (0..2_200).map(|at| (key(at), 1)).collect();
    chain.bills[0].1.carried = many.into_iter().map(|(kind, quantity)| Carried { kind, quantity }).collect();
    let bill = chain.next("2026-01", 1, 1, 0).unwrap();
    assert_eq!(bill.carried.len(), 2_400);
    const { assert!(2_400 < CARRIED_COUNT_MAX) };
    // The largest quantities that decode neither wrap nor panic.
    let mut largest = Chain::new(parts(Some(look_back(3, |_| 100)), "0")).without_export();
    let _ = largest.next("2026-01", 1, 1, 0).unwrap();
    largest.bills[0].1.carried[0].quantity = CARRIED_QUANTITY_MAX;
    let _ = largest.next("2026-02", 1, 1, 0).unwrap();
    assert_eq!(i128::from(largest.quantity(DEMAND)), CARRIED_QUANTITY_MAX);
}

#[test]
fn what_is_no_look_back_is_refused() {
    let sound = look_back(3, |_| 80);
    let table = [
        (
            vec![LookBack { months: 0, ..sound }],
            "look-back of peak: need 1 to 12 months and percentages up to 100, not all zero",
        ),
        (
            vec![LookBack { months: 13, ..sound }],
            "look-back of peak: need 1 to 12 months and percentages up to 100, not all zero",
        ),
        (
            vec![look_back(3, |_| 101)],
            "look-back of peak: need 1 to 12 months and percentages up to 100, not all zero",
        ),
        (
            vec![look_back(3, |_| 0)],
            "look-back of peak: need 1 to 12 months and percentages up to 100, not all zero",
        ),
        (
            vec![LookBack { charge: 1, ..sound }],
            "look-back of t: need 1 to 12 months and percentages up to 100, not all zero",
        ),
        (
            vec![sound, sound],
            "look-back of peak: need 1 to 12 months and percentages up to 100, not all zero",
        ),
    ];
    for (look_backs, want) in table {
        let mut bent = parts(Some(sound), "0");
        bent.carry.look_backs = look_backs;
        assert_eq!(Tariff::new(bent).unwrap_err().to_string(), want);
    }
    let mut negative = parts(None, "0");
    negative.carry.minimum_per_year = PricePerKwh::from_e8(-1);
    assert_eq!(Tariff::new(negative).unwrap_err(), TariffError::Negative(PricePerKwh::from_e8(-1)));
}
