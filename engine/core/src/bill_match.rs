//! Our bills beside those that another system issued for the same month, and what a difference comes from.

use std::collections::BTreeMap;

use crate::bill::Bill;
use crate::label::AccountId;
use crate::money::Money;

/// A bill that another system issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuedBill {
    /// Whose.
    pub account: AccountId,
    /// What was to be paid, tax included.
    pub total: Money,
    /// Energy billed, Wh, if it says so.
    pub energy_wh: Option<i64>,
}

/// What a difference comes from; the first that explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// There is none.
    Same,
    /// The account has no bill here.
    OnlyThere,
    /// The account has no bill there.
    OnlyHere,
    /// Other energy was billed.
    Energy,
    /// No more than rounding each line and tax apart can make.
    Rounding,
    /// Exactly our tax on top, or in the prices: one of the two bills has it and the other has not.
    Tax,
    /// The energy is the same, so prices, ranges or charges differ.
    Price,
    /// The other bill does not say its energy.
    Unknown,
}

impl Verdict {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::OnlyThere => "no bill here",
            Self::OnlyHere => "no bill there",
            Self::Energy => "other energy",
            Self::Rounding => "rounding",
            Self::Tax => "tax left out",
            Self::Price => "same energy, other price",
            Self::Unknown => "unknown: no energy given",
        }
    }
}

/// One account in both lists, or in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matched<'b> {
    /// Whose.
    pub account: AccountId,
    /// Our bill.
    pub ours: Option<&'b Bill>,
    /// Theirs.
    pub theirs: Option<IssuedBill>,
    /// What the difference comes from.
    pub verdict: Verdict,
}

/// Every account of either list, in order of the accounts.
#[must_use]
pub fn match_bills<'b>(ours: &'b [Bill], theirs: &[IssuedBill]) -> Vec<Matched<'b>> {
    let mut pairs: BTreeMap<AccountId, (Option<&Bill>, Option<IssuedBill>)> = BTreeMap::new();
    for bill in ours {
        pairs.entry(bill.account).or_default().0 = Some(bill);
    }
    for bill in theirs {
        pairs.entry(bill.account).or_default().1 = Some(*bill);
    }
    let matched = pairs.into_iter().map(|(account, (ours, theirs))| {
        let verdict = match (ours, theirs) {
            (Some(ours), Some(theirs)) => verdict(ours, theirs),
            (Some(_), None) => Verdict::OnlyHere,
            (None, _) => Verdict::OnlyThere,
        };
        Matched { account, ours, theirs, verdict }
    });
    matched.collect()
}

fn verdict(ours: &Bill, theirs: IssuedBill) -> Verdict {
    let minor = |money: Money| i128::from(money.as_minor());
    let difference = minor(theirs.total) - minor(ours.total);
    let is_same_energy = theirs.energy_wh.map(|wh| wh == ours.energy().as_wh());
    if difference == 0 && is_same_energy != Some(false) {
        return Verdict::Same;
    }
    if is_same_energy == Some(false) {
        return Verdict::Energy;
    }
    // Each rounded amount may be off by less than one minor unit on either side.
    let rounded_count = i128::try_from(ours.lines.len() + ours.vat.len()).unwrap_or(i128::MAX);
    if difference.abs() <= rounded_count {
        return Verdict::Rounding;
    }
    let tax: i128 = ours.vat.iter().map(|line| minor(line.amount)).sum();
    match is_same_energy {
        _ if difference.abs() == tax => Verdict::Tax,
        Some(_) => Verdict::Price,
        None => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{ChargeKind, ChargeLine, Completeness, VatLine};
    use crate::hash::ContentHash;
    use crate::money::ExactAmount;
    use crate::tariff::Vat;

    /// 100 kWh for 500.00 and 100.00 tax on top.
    fn bill(account: &str) -> Bill {
        let (kind, quantity) = (ChargeKind::Energy { range: 0, zone: 0 }, 100_000);
        let price = "5".parse().unwrap();
        let exact = ExactAmount::from_e11(50_000_000_000_000);
        let amount = Money::from_minor(50_000);
        let vat = Vat { rate_e4: 2_000, is_included: false };
        Bill {
            account: account.parse().unwrap(),
            period: "2026-03".parse().unwrap(),
            currency: "RUB".parse().unwrap(),
            tariffs: vec![ContentHash::default()],
            agreement: ContentHash::default(),
            readings: ContentHash::default(),
            lines: vec![ChargeLine { version: 0, kind, quantity, price, exact, amount }],
            vat: vec![VatLine { vat, base: amount, amount: Money::from_minor(10_000) }],
            completeness: Completeness::default(),
            total: Money::from_minor(60_000),
            payee_part: ExactAmount::ZERO,
            market: Vec::new(),
        }
    }

    #[test]
    fn each_difference_has_its_verdict() {
        // their total in minor units and energy in Wh, what comes of it
        let table = [
            (60_000, Some(100_000), Verdict::Same),
            (60_000, None, Verdict::Same),
            (60_000, Some(99_999), Verdict::Energy),
            (61_000, Some(101_000), Verdict::Energy),
            (60_002, Some(100_000), Verdict::Rounding),
            (59_998, None, Verdict::Rounding),
            (60_003, Some(100_000), Verdict::Price),
            (50_000, Some(100_000), Verdict::Tax),
            (70_000, None, Verdict::Tax),
            (50_001, Some(100_000), Verdict::Price),
            (50_001, None, Verdict::Unknown),
        ];
        let ours = [bill("A")];
        for (minor, energy_wh, want) in table {
            let (account, total) = ("A".parse().unwrap(), Money::from_minor(minor));
            let matched = match_bills(&ours, &[IssuedBill { account, total, energy_wh }]);
            assert_eq!((matched.len(), matched[0].verdict), (1, want), "{minor}, {energy_wh:?}");
        }
    }

    #[test]
    fn every_account_stands_once_in_order() {
        let ours = [bill("C"), bill("A")];
        let theirs = ["B", "A"].map(|account| IssuedBill {
            account: account.parse().unwrap(),
            total: Money::from_minor(60_000),
            energy_wh: None,
        });
        let matched = match_bills(&ours, &theirs);
        let found: Vec<_> = matched.iter().map(|one| (one.account.to_string(), one.verdict)).collect();
        let want = [("A", Verdict::Same), ("B", Verdict::OnlyThere), ("C", Verdict::OnlyHere)];
        assert_eq!(found, want.map(|(account, verdict)| (account.to_owned(), verdict)));
    }
}
