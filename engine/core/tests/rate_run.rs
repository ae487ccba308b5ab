//! A run over many accounts gives each the bill it would get alone, in any order of accounts and however its day
//! blocks are found. That a bill computed alone is right, `rating.rs` holds against a naive reference.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_core::agreement::{Agreement, SplitRule};
use tallywatt_core::bill::{Bill, ChargeKind};
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::{Contract, in_order};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::{AccountId, Label};
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillError, BillInputs, BlockIndex, RateRun, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{
    DayKind, FixedCharges, MonthSet, Range, RangeRule, RoundEach, Tariff, TariffBook, TariffParts,
    TariffZone, Vat, Window,
};
use tallywatt_core::validity::Validity;

use common::{Random, agreement, label, validity};

/// Random towns, and accounts in each.
const TOWN_COUNT: u64 = 40;
const ACCOUNT_COUNT: u64 = 24;

/// Zones whose clocks change at two, at midnight, by half an hour, or never; in months of the year that have it.
const ZONES: [&str; 7] = [
    "Europe/Amsterdam",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Yekaterinburg",
    "America/New_York",
    "+05:45",
    "UTC",
];
const PERIODS: [&str; 5] = ["2018-03", "2018-10", "2018-11", "2018-04", "2018-02"];

impl Random {
    fn day_of(&mut self, period: Period) -> Day {
        period.first_day().plus(1 + i32::try_from(self.below(26)).unwrap()).unwrap()
    }
}

static NO_MARKET: MarketBook = MarketBook::new();

/// A month of accounts and all that their bills follow from.
struct Town {
    period: Period,
    accounts: BTreeMap<AccountId, Vec<Contract>>,
    tariffs: TariffBook,
    agreement: Published<Agreement>,
    blocks: Vec<DayBlock>,
}

impl Town {
    fn random(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x7011);
        let period = random.pick(&PERIODS).parse().unwrap();
        let rule = SplitRule::PerKwh(vec![(label("all"), "2.3".parse().unwrap())]);
        let mut town = Self {
            period,
            accounts: BTreeMap::new(),
            tariffs: tariffs(&mut random, period),
            agreement: agreement(rule),
            blocks: Vec::new(),
        };
        for at in 0..ACCOUNT_COUNT {
            let contracts = town.contracts(&mut random, label(&format!("A{at}")));
            for point in contracts.iter().map(|contract| contract.usage_point).collect::<BTreeSet<_>>() {
                let zone = &contracts.iter().find(|contract| contract.usage_point == point).unwrap().zone;
                town.blocks.extend(readings(&mut random, point, zone, period));
            }
            town.accounts.insert(label(&format!("A{at}")), in_order(contracts).unwrap());
        }
        town
    }

    /// One to three usage points, some under another tariff from within the month on.
    fn contracts(&self, random: &mut Random, account: AccountId) -> Vec<Contract> {
        let mut contracts = Vec::new();
        for at in 0..1 + random.below(3) {
            let contract = Contract {
                account,
                usage_point: label(&format!("{account}-{at}")),
                register: Register::IMPORT,
                zone: Zone::parse(random.pick(&ZONES)).unwrap(),
                tariff: random.pick(&[label("t"), label("u")]),
                agreement: label("grid"),
                validity: validity(None, None),
                overrides: Vec::new(),
            };
            if random.one_in(3) {
                let change = random.day_of(self.period);
                let tariff = random.pick(&[label("t"), label("u"), label("u"), label("none")]);
                let after = Contract { tariff, validity: validity(Some(change), None), ..contract.clone() };
                contracts.push(Contract { validity: validity(None, Some(change)), ..contract });
                contracts.push(after);
            } else {
                contracts.push(contract);
            }
        }
        contracts
    }

    fn inputs(&self, account: AccountId) -> BillInputs<'_> {
        BillInputs {
            account,
            period: self.period,
            contracts: &self.accounts[&account],
            tariffs: &self.tariffs,
            agreement: &self.agreement,
            readings: ContentHash::default(),
            market: &NO_MARKET,
        }
    }

    /// Every bill by itself, its blocks looked for one by one.
    fn alone(&self) -> BTreeMap<AccountId, Result<Bill, BillError>> {
        let blocks: BTreeMap<BlockKey, &DayBlock> =
            self.blocks.iter().map(|block| (block.key(), block)).collect();
        let find = |key: &BlockKey| blocks.get(key).copied();
        self.accounts.keys().map(|&account| (account, bill(&self.inputs(account), &find))).collect()
    }

    /// The bills of `accounts` in one run.
    fn in_one_run<'a>(
        &self,
        accounts: impl Iterator<Item = &'a AccountId>,
    ) -> BTreeMap<AccountId, Result<Bill, BillError>> {
        let index = BlockIndex::new(&self.blocks);
        let (mut run, cursor) = (RateRun::new(self.period), index.cursor());
        let find = |key: &BlockKey| cursor.find(key);
        accounts.map(|&account| (account, run.bill(&self.inputs(account), &find))).collect()
    }
}

/// Tariffs `t` and `u`, each of one version or of two that meet within the month.
fn tariffs(random: &mut Random, period: Period) -> TariffBook {
    let mut book = TariffBook::default();
    let mut number = 0;
    for id in ["t", "u"] {
        let change = random.one_in(2).then(|| random.day_of(period));
        let halves = [(None, change), (change, None)];
        for (from, to) in halves.into_iter().take(if change.is_some() { 2 } else { 1 }) {
            number += 1;
            let parts = tariff(random, id, validity(from, to));
            let body = Tariff::new(parts).unwrap();
            book.publish(Published { hash: ContentHash([number; 32]), body }).unwrap();
        }
    }
    book
}

fn tariff(random: &mut Random, id: &str, validity: Validity) -> TariffParts {
    let window = |days, from: u16, to: u16| Window {
        months: MonthSet::ALL,
        days,
        from_minute: from * 60,
        to_minute: to * 60,
    };
    let every = |from, to| vec![window(DayKind::Every, from, to)];
    let working = |from, to| vec![window(DayKind::Weekday, from, to)];
    let low = [working(20, 8), vec![window(DayKind::Weekend, 0, 24)]].concat();
    let windows: Vec<Vec<Window>> = random.pick(&[
        vec![every(0, 24)],
        vec![every(7, 23), every(23, 7)],
        vec![every(2, 3), every(3, 2)],
        vec![working(8, 20), low],
    ]);
    let zone = |(at, windows)| TariffZone { name: label(&format!("z{at}")), windows };
    let zones: Vec<TariffZone> = windows.into_iter().enumerate().map(zone).collect();
    let mut price = |_: &TariffZone| PricePerKwh::from_e8(i64::try_from(random.below(900_000_000)).unwrap());
    let mut range = |up_to_wh| Range::plain(up_to_wh, zones.iter().map(&mut price).collect());
    let ranges = vec![range(Some(40_000)), range(Some(90_000)), range(None)];
    TariffParts {
        id: label(id),
        title: id.into(),
        source: "random".into(),
        currency: "RUB".parse().unwrap(),
        validity,
        zones,
        ranges,
        holidays: Vec::new(),
        range_rule: RangeRule::default(),
        demands: Vec::new(),
        fixed: FixedCharges { per_day: "1.235".parse().unwrap(), ..FixedCharges::default() },
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 2_200, is_included: random.one_in(2) },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Line,
        series: Vec::new(),
        netting: None,
        carry: tallywatt_core::tariff::CarryRules::default(),
        deviation: None,
        eligibility: None,
    }
}

/// A month of one usage point: of some days no block, of one usage point in forty no readings at all.
fn readings(random: &mut Random, usage_point: Label, zone: &Zone, period: Period) -> Vec<DayBlock> {
    let (minutes, is_silent) = (random.pick(&[5, 15, 30]), random.one_in(40));
    let mut blocks = Vec::new();
    for day in period.days() {
        if is_silent || random.one_in(15) {
            continue;
        }
        let local = zone.local_day(day);
        let count = usize::from(local.interval_count(minutes).unwrap());
        let is_whole = !random.one_in(6);
        let bound = u64::from(minutes) * 8;
        let mut interval = || match random.below(20) {
            0 if !is_whole => (0, Quality::Missing),
            1 if !is_whole => (7, Quality::EstimatedLinear),
            _ => (i32::try_from(random.below(bound)).unwrap(), Quality::Valid),
        };
        let (values, qualities) = (0..count).map(|_| interval()).unzip();
        let key = BlockKey { usage_point, register: Register::IMPORT, day };
        let block = DayBlock::from_parts(key, local.start, minutes, Source::Automated, values, qualities);
        blocks.push(block.unwrap());
    }
    blocks
}

#[test]
fn a_run_gives_each_account_the_bill_it_gets_alone() {
    let (mut billed, mut refused, mut last_range, mut two_versions) = (0, 0, 0, 0);
    for seed in 0..TOWN_COUNT {
        let mut town = Town::random(seed);
        let want = town.alone();
        assert_eq!(town.in_one_run(town.accounts.keys()), want, "seed {seed}");
        assert_eq!(town.in_one_run(town.accounts.keys().rev()), want, "seed {seed}, from the last");
        // Neither does it matter where the blocks stand.
        let middle = town.blocks.len() / 2;
        town.blocks.rotate_left(middle);
        town.blocks[..middle].reverse();
        assert_eq!(town.in_one_run(town.accounts.keys()), want, "seed {seed}, blocks in disorder");
        for bill in want.values() {
            let Ok(bill) = bill else {
                refused += 1;
                continue;
            };
            billed += 1;
            let is_last = |kind| matches!(kind, ChargeKind::Energy { range: 2, .. });
            last_range += u64::from(bill.lines.iter().any(|line| is_last(line.kind)));
            two_versions += u64::from(bill.tariffs.len() > 1);
        }
    }
    println!(
        "{billed} billed, {refused} refused, {last_range} in the last range, {two_versions} of versions"
    );
    // A generator that stopped reaching the hard places would make this test say nothing.
    assert!(billed > 600 && refused > 100 && last_range > 300 && two_versions > 300);
}

#[test]
#[should_panic(expected = "a run is over the bills of one period")]
fn a_run_is_of_one_period() {
    let town = Town::random(0);
    let other = Period::from_number(town.period.number() + 1).unwrap();
    let account = *town.accounts.keys().next().unwrap();
    drop(RateRun::new(other).bill(&town.inputs(account), &|_| None));
}
