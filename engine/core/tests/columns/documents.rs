//! Totals against the bill documents, and split columns against splitting one by one.

use tallywatt_core::agreement::Agreement;
use tallywatt_core::bill::{Bill, ChargeKind, ChargeLine, Completeness};
use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::columns::{
    ColumnError, PlanError, RatePlan, SplitPlan, due_columns, rate_columns, split_columns,
};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::determinants::{DayPattern, RunningUse, ZoneSet};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::money::{ExactAmount, Money, PricePerKwh};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::split::RunningSplit;
use tallywatt_core::tariff::{Tariff, TariffBook};

use crate::random::{Random, always, random_agreement, random_tariff};

/// Tariffs that are billed both ways.
const TARIFF_COUNT: u64 = 300;

/// A month of one usage point: its blocks, some days missing, and the same folded.
fn random_month(
    random: &mut Random,
    tariff: &Tariff,
    zone: &Zone,
    period: Period,
) -> (Vec<DayBlock>, Option<RunningUse>) {
    let (mut blocks, mut point) = (Vec::new(), RunningUse::default());
    let mut fits = true;
    for day in period.days() {
        if day != period.first_day() && random.below(12) == 0 {
            point.add_empty_day().unwrap();
            continue;
        }
        let local = zone.local_day(day);
        let count = usize::from(local.interval_count(30).unwrap());
        let values: Vec<i32> = (0..count).map(|_| i32::try_from(random.below(300)).unwrap()).collect();
        match DayPattern::of_tariff(tariff, zone, local, 30, ZoneSet::NONE) {
            Ok(pattern) => point.add_day(&values, &pattern).unwrap(),
            Err(_) => fits = false,
        }
        let key = BlockKey { usage_point: "P".parse().unwrap(), register: Register::IMPORT, day };
        let qualities = vec![Quality::Valid; count];
        let block = DayBlock::from_parts(key, local.start, 30, Source::Automated, values, qualities);
        blocks.push(block.unwrap());
    }
    (blocks, fits.then_some(point))
}

fn document(
    tariff: &Tariff,
    agreement: &Agreement,
    zone: &Zone,
    period: Period,
    blocks: &[DayBlock],
) -> Bill {
    let mut tariffs = TariffBook::default();
    tariffs.publish(Published { hash: ContentHash([1; 32]), body: tariff.clone() }).unwrap();
    let contract = Contract {
        account: "A".parse().unwrap(),
        usage_point: "P".parse().unwrap(),
        register: Register::IMPORT,
        zone: zone.clone(),
        tariff: "t".parse().unwrap(),
        agreement: "grid".parse().unwrap(),
        validity: always(),
    };
    let inputs = BillInputs {
        account: contract.account,
        period,
        contracts: std::slice::from_ref(&contract),
        tariffs: &tariffs,
        agreement: &Published { hash: ContentHash([2; 32]), body: agreement.clone() },
        readings: ContentHash::default(),
        market: &tallywatt_core::market::MarketBook::new(),
    };
    bill(&inputs, &|key| blocks.iter().find(|block| block.key() == *key)).unwrap()
}

#[test]
fn plans_of_tariffs_equal_bill_documents() {
    let (mut taken, mut refused) = (0, Vec::new());
    for seed in 0..TARIFF_COUNT {
        let mut random = Random::new(seed ^ 0xb111);
        let (tariff, agreement) = (random_tariff(&mut random), random_agreement(&mut random));
        let (zone, period) = random.pick(&[
            ("Europe/Amsterdam", "2013-03"),
            ("Europe/Amsterdam", "2013-10"),
            ("UTC", "2026-02"),
        ]);
        let (zone, period) = (Zone::parse(zone).unwrap(), period.parse().unwrap());
        let plan = match RatePlan::of(&tariff) {
            Ok(plan) => plan,
            Err(error) => {
                refused.push(error);
                continue;
            }
        };
        let split = SplitPlan::of(&agreement, &tariff).unwrap();
        taken += 1;
        let months: Vec<_> = (0..4).map(|_| random_month(&mut random, &tariff, &zone, period)).collect();
        let uses: Vec<RunningUse> = months.iter().map(|(_, point)| point.unwrap()).collect();
        let mut totals = vec![0; uses.len()];
        rate_columns(&plan, &uses, &mut totals).unwrap();
        let mut part = ExactAmount::ZERO;
        for ((blocks, point), &total) in months.iter().zip(&totals) {
            let bill = document(&tariff, &agreement, &zone, period, blocks);
            let energy_wh = point.unwrap().total_wh();
            let got = (total, energy_wh);
            assert_eq!(got, (bill.total.as_minor(), bill.energy().as_wh()), "seed {seed}: {tariff:?}");
            part = part.checked_add(bill.payee_part).unwrap();
        }
        assert_eq!(due_columns(split, &uses, &totals), Ok(part), "seed {seed}");
    }
    assert!(taken >= 100, "{taken} taken");
    assert!(refused.contains(&PlanError::Order) && refused.contains(&PlanError::Zones(4)), "{refused:?}");
}

#[test]
fn split_columns_equal_splitting_one_by_one() {
    for seed in 0..60 {
        let mut random = Random::new(seed ^ 0x5417);
        let (tariff, agreement) = (random_tariff(&mut random), random_agreement(&mut random));
        let Ok(split) = SplitPlan::of(&agreement, &tariff) else { continue };
        let count = usize::try_from(random.below(2_000)).unwrap();
        let bound = random.pick(&[2_000, 3_000_000, 1 << 45]);
        let uses: Vec<RunningUse> = (0..count).map(|_| random.point(bound)).collect();
        let mut total = || {
            let top = random.pick(&[0, 1, 100, 3_000_000, 1 << 36]);
            random.signed(top + 1)
        };
        let totals: Vec<i64> = uses.iter().map(|_| total()).collect();
        // Naive: one part, one split, one row after the other.
        let (mut naive, mut legs, mut part_of) = (RunningSplit::default(), Vec::new(), Vec::new());
        for (point, &total) in uses.iter().zip(&totals) {
            let part = naive_part(&agreement, &tariff, point, total);
            legs.push(naive.split(Money::from_minor(total), part));
            part_of.push(part);
        }
        for thread_count in [1, 2, 3, 16] {
            let (mut payee, mut remainder) = (vec![0; count], vec![0; count]);
            let mut running = RunningSplit::default();
            let step = count.div_ceil(thread_count).max(1);
            for start in (0..count).step_by(step) {
                let rows = start..count.min(start + step);
                let before = due_columns(split, &uses[..start], &totals[..start]).unwrap();
                assert_eq!(RunningSplit::at(before), Some(running));
                split_columns(
                    split,
                    &uses[rows.clone()],
                    &totals[rows.clone()],
                    &mut running,
                    &mut payee[rows.clone()],
                    &mut remainder[rows],
                )
                .unwrap();
            }
            assert_eq!(running, naive, "seed {seed}");
            for row in 0..count {
                let got = (Money::from_minor(payee[row]), Money::from_minor(remainder[row]));
                assert_eq!(got, legs[row], "seed {seed} row {row}");
                assert_eq!(payee[row] + remainder[row], totals[row]);
            }
        }
    }
}

/// Through the agreement itself: a bill with one line a zone.
fn naive_part(agreement: &Agreement, tariff: &Tariff, point: &RunningUse, total: i64) -> ExactAmount {
    // A share of the total needs no zones, so its tariff may have more than a running use.
    let zone_count = tariff.parts().zones.len().min(3);
    let line = |zone: usize| ChargeLine {
        version: 0,
        kind: ChargeKind::Energy { range: 0, zone: u8::try_from(zone).unwrap() },
        quantity: point.zones_wh()[zone],
        price: PricePerKwh::default(),
        exact: ExactAmount::ZERO,
        amount: Money::ZERO,
    };
    let bill = Bill {
        account: "A".parse().unwrap(),
        period: "2026-03".parse().unwrap(),
        currency: "RUB".parse().unwrap(),
        tariffs: vec![ContentHash::default()],
        agreement: ContentHash::default(),
        readings: ContentHash::default(),
        lines: (0..zone_count).map(line).collect(),
        vat: Vec::new(),
        completeness: Completeness::default(),
        total: Money::from_minor(total),
        payee_part: ExactAmount::ZERO,
        market: Vec::new(),
    };
    agreement.payee_part(&bill, &[tariff]).unwrap()
}

#[test]
fn a_total_that_cannot_be_split_is_said() {
    let split = SplitPlan::per_kwh([PricePerKwh::from_e8(230_000_000); 3]);
    let uses = vec![RunningUse::default(); 300];
    let mut totals = vec![0; 300];
    totals[299] = -1;
    let (mut payee, mut remainder) = (vec![0; 300], vec![0; 300]);
    let mut running = RunningSplit::default();
    let got = split_columns(split, &uses, &totals, &mut running, &mut payee, &mut remainder);
    assert_eq!(got, Err(ColumnError::Negative { row: 299, total_minor: -1 }));
    assert_eq!(running, RunningSplit::default());
    totals[299] = i64::MAX;
    let full = RunningUse::from_parts([1 << 56; 3], 0, 1).unwrap();
    let uses: Vec<RunningUse> = uses.iter().map(|_| full).collect();
    totals[298] = i64::MAX;
    let dear = SplitPlan::per_kwh([PricePerKwh::from_e8(i64::MAX); 3]);
    assert_eq!(due_columns(dear, &uses, &totals), Err(ColumnError::Overflow { row: 299 }));
    assert_eq!(due_columns(dear, &uses[..9], &totals), Err(ColumnError::Lengths { expected: 9, found: 300 }));
}
