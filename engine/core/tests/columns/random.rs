//! Random plans, usage points, tariffs and agreements.

use tallywatt_core::agreement::{Agreement, Party, SHARE_WHOLE, SplitRule};
use tallywatt_core::calendar::Day;
use tallywatt_core::columns::{PlanLine, Quantity};
use tallywatt_core::determinants::{RunningUse, ZoneSet};
use tallywatt_core::money::{PricePerKwh, Rounding};
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::tariff::{
    DayKind, FixedCharges, MonthSet, Range, RangeRule, RoundEach, Tariff, TariffParts, TariffZone, Vat,
    Window,
};
use tallywatt_core::validity::Validity;

pub const ROUNDINGS: [Rounding; 3] = [Rounding::HalfUp, Rounding::HalfEven, Rounding::Down];
pub const ROUND_EACH: [RoundEach; 2] = [RoundEach::Line, RoundEach::Bill];

/// A linear congruential generator: the same numbers everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x51a7)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 31) ^ (self.0 << 33)) % bound
    }

    pub fn signed(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap()
    }

    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()].clone()
    }

    /// Coarse prices meet halves of the minor unit often, fine ones never.
    pub fn price(&mut self) -> PricePerKwh {
        let coarse = self.signed(2_000) * 500_000;
        let fine = self.signed(4_000_000_000);
        PricePerKwh::from_e8(self.pick(&[coarse, coarse, fine]))
    }

    pub fn vat(&mut self) -> Vat {
        Vat { rate_e4: self.pick(&[0, 950, 2_000, 2_200, 10_000]), is_included: self.below(3) == 0 }
    }

    pub fn point(&mut self, bound: u64) -> RunningUse {
        let zones_wh = [0; 3].map(|_: i64| self.signed(bound));
        let demand_wh = i32::try_from(self.below(bound.min(1 << 31))).unwrap();
        RunningUse::from_parts(zones_wh, demand_wh, u16::try_from(self.below(32)).unwrap()).unwrap()
    }

    pub fn zones(&mut self) -> ZoneSet {
        self.pick(&[
            ZoneSet::ALL,
            ZoneSet::NONE,
            ZoneSet::of(&[0]),
            ZoneSet::of(&[1, 2]),
            ZoneSet::of(&[2]),
            ZoneSet::of(&[0, 1]),
        ])
    }

    pub fn line(&mut self, may_be_negative: bool) -> PlanLine {
        let above_wh = self.signed(1_000_000);
        let up_to_wh = (self.below(2) == 0).then_some(above_wh + 1 + self.signed(2_000_000));
        let zones = self.zones();
        let factor = self.pick(&[1, 2, 4, 12]);
        let quantity = self.pick(&[
            Quantity::Energy(zones),
            Quantity::Energy(zones),
            Quantity::EnergyBetween { above_wh, up_to_wh },
            Quantity::Demand { factor },
            Quantity::Days,
        ]);
        let price = self.price().as_e8();
        let sign = if may_be_negative && self.below(3) == 0 { -1 } else { 1 };
        PlanLine { quantity, price: PricePerKwh::from_e8(sign * price) }
    }
}

pub fn day(text: &str) -> Day {
    text.parse().unwrap()
}

pub fn always() -> Validity {
    Validity::new(day("2000-01-01"), None).unwrap()
}

pub fn random_tariff(random: &mut Random) -> Tariff {
    // Zones as (name, from hour, to hour): one to four of them.
    let zones: &[(&str, u16, u16)] = random.pick(&[
        &[("all", 0, 24)][..],
        &[("day", 7, 23), ("night", 23, 7)],
        &[("night", 23, 7), ("half", 10, 23), ("peak", 7, 10)],
        &[("a", 0, 6), ("b", 6, 12), ("c", 12, 18), ("d", 18, 24)],
    ]);
    let zones: Vec<TariffZone> = zones
        .iter()
        .map(|&(name, from, to)| TariffZone {
            name: name.parse().unwrap(),
            windows: vec![Window {
                months: MonthSet::ALL,
                days: DayKind::Every,
                from_minute: from * 60,
                to_minute: to * 60,
            }],
        })
        .collect();
    let (range_count, is_even) = (1 + random.below(3), random.below(2) == 0);
    let first: Vec<PricePerKwh> = zones.iter().map(|_| random.price()).collect();
    let mut bound = 0;
    let ranges = (1..=range_count)
        .map(|number| {
            bound += 1 + random.signed(120_000);
            let more = random.price().as_e8();
            let price = |first: &PricePerKwh| PricePerKwh::from_e8(first.as_e8() + more);
            let prices = match (number, is_even) {
                (1, _) => first.clone(),
                (_, true) => first.iter().map(price).collect(),
                (_, false) => first.iter().map(|_| random.price()).collect(),
            };
            Range::plain((number < range_count).then_some(bound), prices)
        })
        .collect();
    let parts = TariffParts {
        id: "t".parse().unwrap(),
        title: "t".into(),
        source: "random".into(),
        currency: "RUB".parse().unwrap(),
        validity: always(),
        zones,
        ranges,
        holidays: Vec::new(),
        range_rule: RangeRule::default(),
        demands: Vec::new(),
        fixed: FixedCharges {
            per_day: random.pick(&[PricePerKwh::default(), "1.235".parse().unwrap()]),
            ..FixedCharges::default()
        },
        minimum_per_month: PricePerKwh::default(),
        vat: random.vat(),
        rounding: random.pick(&ROUNDINGS),
        round_each: random.pick(&ROUND_EACH),
        series: Vec::new(),
        netting: None,
        carry: tallywatt_core::tariff::CarryRules::default(),
        deviation: None,
        eligibility: None,
    };
    Tariff::new(parts).unwrap()
}

pub fn random_agreement(random: &mut Random) -> Agreement {
    let share = SplitRule::Share(u32::try_from(random.below(u64::from(SHARE_WHOLE) + 1)).unwrap());
    let rates = [("all", "2.3"), ("night", "1.1"), ("peak", "40")];
    let rates = rates.map(|(zone, rate)| (zone.parse().unwrap(), rate.parse().unwrap())).to_vec();
    Agreement {
        id: "grid".parse().unwrap(),
        title: "Grid and supplier".into(),
        currency: "RUB".parse().unwrap(),
        validity: always(),
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: random.pick(&[share, SplitRule::PerKwh(rates)]),
        terms: PaymentTerms::default(),
    }
}
