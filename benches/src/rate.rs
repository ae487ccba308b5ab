//! Rate: one month's bills of a town's households, two zones and two ranges.

use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::rate::{BillInputs, BlockIndex, RateRun};
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{
    DayKind, FixedCharges, MonthSet, Range, RangeRule, RoundEach, Tariff, TariffBook, TariffParts,
    TariffZone, Vat, Window,
};
use tallywatt_core::validity::Validity;
use tallywatt_ledger::agreement_bytes::publish_agreement;
use tallywatt_ledger::tariff_bytes::publish_tariff;

use crate::town::{blocks, town};

/// What the bills of a month add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Billed {
    /// Bills.
    pub bill_count: u64,
    /// Energy billed.
    pub energy_wh: i64,
    /// Sum of the totals, minor units.
    pub total_minor: i64,
}

/// A month of day blocks, and all that bills follow from.
pub struct Case {
    period: Period,
    contracts: Vec<Contract>,
    tariffs: TariffBook,
    agreement: Published<Agreement>,
    blocks: Vec<DayBlock>,
}

impl Case {
    /// March of a town.
    ///
    /// # Panics
    /// If there can be no such town.
    #[must_use]
    pub fn new(household_count: u64) -> Self {
        let town = town(household_count, 31);
        let contracts = town
            .households()
            .map(|household| Contract {
                account: household.account(),
                usage_point: household.usage_point(),
                register: Register::IMPORT,
                zone: Zone::parse(household.region().zone_name()).expect("both zones are in the bundle"),
                tariff: tariff().body.parts().id,
                agreement: agreement().body.id,
                validity: since_january(),
                overrides: Vec::new(),
            })
            .collect();
        let mut tariffs = TariffBook::default();
        tariffs.publish(tariff()).expect("one version overlaps no other");
        let blocks = blocks(&town);
        let period = "2026-03".parse().expect("a month as people write it");
        Self { period, contracts, tariffs, agreement: agreement(), blocks }
    }

    /// How many households.
    #[must_use]
    pub fn point_count(&self) -> usize {
        self.contracts.len()
    }

    /// Computes every bill.
    ///
    /// # Panics
    /// If one cannot be computed.
    #[must_use]
    pub fn run(&self) -> Billed {
        let index = BlockIndex::new(&self.blocks);
        let (mut run, cursor) = (RateRun::new(self.period), index.cursor());
        let found = |key: &BlockKey| cursor.find(key);
        let mut billed = Billed::default();
        for contract in &self.contracts {
            let inputs = BillInputs {
                account: contract.account,
                period: self.period,
                contracts: std::slice::from_ref(contract),
                tariffs: &self.tariffs,
                agreement: &self.agreement,
                readings: ContentHash::default(),
                market: &tallywatt_core::market::MarketBook::new(),
            };
            let bill = run.bill(&inputs, &found).expect("a whole month under one tariff is billed");
            billed.bill_count += 1;
            billed.energy_wh += bill.energy().as_wh();
            billed.total_minor += bill.total.as_minor();
        }
        billed
    }
}

fn since_january() -> Validity {
    let from = "2026-01-01".parse().expect("a day as people write it");
    Validity::new(from, None).expect("a validity without end is sound")
}

fn price(text: &str) -> PricePerKwh {
    text.parse().expect("a price as people write it")
}

fn tariff() -> Published<Tariff> {
    let zone = |name: &str, from_minute, to_minute| TariffZone {
        name: name.parse().expect("a short name"),
        windows: vec![Window { months: MonthSet::ALL, days: DayKind::Every, from_minute, to_minute }],
    };
    let range = |up_to_wh, prices: [&str; 2]| Range::plain(up_to_wh, prices.map(price).to_vec());
    let parts = TariffParts {
        id: "two-zone".parse().expect("a short name"),
        title: "Two zones".to_owned(),
        source: "illustrative".to_owned(),
        currency: "RUB".parse().expect("three capital letters"),
        validity: since_january(),
        zones: vec![zone("day", 7 * 60, 23 * 60), zone("night", 23 * 60, 7 * 60)],
        ranges: vec![range(Some(390_000), ["6.43", "3.02"]), range(None, ["8.27", "4.97"])],
        holidays: Vec::new(),
        range_rule: RangeRule::default(),
        demands: Vec::new(),
        fixed: FixedCharges::default(),
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 2_200, is_included: true },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Line,
        series: Vec::new(),
        netting: None,
        carry: tallywatt_core::tariff::CarryRules::default(),
        deviation: None,
        eligibility: None,
    };
    publish_tariff(Tariff::new(parts).expect("two zones cover the day"))
}

fn agreement() -> Published<Agreement> {
    let rates = vec![("all".parse().expect("a short name"), price("2.30"))];
    let agreement = Agreement {
        id: "grid-split".parse().expect("a short name"),
        title: "Delivery".to_owned(),
        currency: "RUB".parse().expect("three capital letters"),
        validity: since_january(),
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: SplitRule::PerKwh(rates),
        terms: PaymentTerms::default(),
    };
    publish_agreement(agreement.check().expect("one rate for all zones is sound"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bills_add_up() {
        let case = Case::new(16);
        let billed = case.run();
        assert_eq!(billed, Billed { bill_count: 16, energy_wh: 5_183_113, total_minor: 3_162_919 });
        let energy: i64 = case.blocks.iter().map(DayBlock::total_wh).sum();
        assert_eq!(billed.energy_wh, energy, "all that was measured is billed");
    }
}
