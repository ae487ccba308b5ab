//! An agreement: what part of a bill the grid company gets, who takes the rest, and how it is rounded.

use crate::bill::Bill;
use crate::label::Label;
use crate::money::{ExactAmount, PricePerKwh};
use crate::payment_terms::{PaymentTerms, TermsError};
use crate::tariff::{Currency, TEXT_SIZE_MAX, Tariff};
use crate::validity::Validity;

/// The most zone rates in an agreement.
pub const RATE_COUNT_MAX: usize = 16;
/// Parts of a whole in a share: 45.123 % is 45,123,000.
pub const SHARE_WHOLE: u32 = 100_000_000;

/// A party of the consortium. The order of the codes is the order of their names in every output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Party {
    /// The grid company: delivers energy.
    Grid = 1,
    /// The bank: moves money.
    Bank = 2,
    /// The supplier: sells energy.
    Supplier = 3,
}

impl Party {
    /// All three, in the order of their codes.
    pub const ALL: [Self; 3] = [Self::Grid, Self::Bank, Self::Supplier];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Grid),
            2 => Some(Self::Bank),
            3 => Some(Self::Supplier),
            _ => None,
        }
    }

    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Bank => "bank",
            Self::Supplier => "supplier",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|party| party.name() == name)
    }
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How the payee's part of a bill is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitRule {
    /// A regulated rate per kilowatt-hour, tax included: by zone name, `all` for any other zone.
    PerKwh(Vec<(Label, PricePerKwh)>),
    /// A fixed share of the total, in parts of [`SHARE_WHOLE`].
    Share(u32),
}

/// How payments of one group of bills are split between the parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its name; versions share it.
    pub id: Label,
    /// What people call it, at most [`TEXT_SIZE_MAX`] bytes without control characters.
    pub title: String,
    /// Currency.
    pub currency: Currency,
    /// Days it holds on; a bill follows the version that holds on its period's first day.
    pub validity: Validity,
    /// Who gets the computed part.
    pub payee: Party,
    /// Who takes the rest, to the last minor unit.
    pub remainder: Party,
    /// How the part is computed.
    pub rule: SplitRule,
    /// How payments are placed, rounded and limited.
    pub terms: PaymentTerms,
}

/// Why an agreement cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// The title is too long, or has control characters.
    #[error("title is longer than {TEXT_SIZE_MAX} bytes or has control characters")]
    Title,
    /// Payee and remainder taker are one party.
    #[error("{0} is both payee and remainder taker: the shares add up to more than the payment")]
    OneParty(Party),
    /// The bank takes part in the split: it moves money, it does not own it.
    #[error("the bank can be neither payee nor remainder taker")]
    Bank,
    /// A share above the whole.
    #[error("shares add up to more than 100 %: {0} of {SHARE_WHOLE}")]
    Share(u32),
    /// No rates, too many, or one zone twice.
    #[error("{0} rates, need 1 to {RATE_COUNT_MAX}, each zone once")]
    Rates(usize),
    /// A negative rate.
    #[error("negative rate {0}")]
    Negative(PricePerKwh),
    /// The terms of payment cannot be taken.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// A zone of the tariff has no rate.
    #[error("the agreement has no rate for zone {0}, and none for all")]
    NoRate(Label),
}

impl Agreement {
    /// Checks the parts of an agreement.
    ///
    /// # Errors
    /// [`AgreementError`] names the first that is wrong.
    pub fn check(self) -> Result<Self, AgreementError> {
        if self.title.len() > TEXT_SIZE_MAX || self.title.chars().any(char::is_control) {
            return Err(AgreementError::Title);
        }
        if self.payee == self.remainder {
            return Err(AgreementError::OneParty(self.payee));
        }
        if self.payee == Party::Bank || self.remainder == Party::Bank {
            return Err(AgreementError::Bank);
        }
        match &self.rule {
            SplitRule::Share(share) if *share > SHARE_WHOLE => return Err(AgreementError::Share(*share)),
            SplitRule::Share(_) => {}
            SplitRule::PerKwh(rates) => {
                let mut names: Vec<Label> = rates.iter().map(|(zone, _)| *zone).collect();
                names.sort();
                names.dedup();
                if rates.is_empty() || rates.len() > RATE_COUNT_MAX || names.len() != rates.len() {
                    return Err(AgreementError::Rates(rates.len()));
                }
                if let Some((_, rate)) = rates.iter().find(|(_, rate)| rate.as_e8() < 0) {
                    return Err(AgreementError::Negative(*rate));
                }
            }
        }
        self.terms.check()?;
        Ok(self)
    }

    /// The payee's part of a bill, exact; never more than its total, and nothing of a bill that is not above zero.
    ///
    /// What a bill below zero gives back is the remainder taker's to bear, whose energy had such a price: delivery is not
    /// paid back. It comes to the payee all the same, because the bill that it pays later is split as any other.
    ///
    /// `tariffs` are the versions the bill's lines point to, in order.
    ///
    /// # Errors
    /// [`AgreementError::NoRate`].
    pub fn payee_part(&self, bill: &Bill, tariffs: &[&Tariff]) -> Result<ExactAmount, AgreementError> {
        let part = match &self.rule {
            SplitRule::Share(share) => {
                let whole = i128::from(SHARE_WHOLE);
                let product = bill.total.exact().as_e11() * i128::from(*share);
                ExactAmount::from_e11(product.div_euclid(whole))
            }
            SplitRule::PerKwh(rates) => {
                let mut sum = ExactAmount::ZERO;
                for line in &bill.lines {
                    if let Some(zone) = line.kind.energy_zone() {
                        let tariff = tariffs[usize::from(line.version)];
                        let name = tariff.parts().zones[usize::from(zone)].name;
                        let charge = rate_for(rates, &name)?.charge(line.energy());
                        sum = [sum, charge].into_iter().sum();
                    }
                }
                sum
            }
        };
        Ok(part.clamp(ExactAmount::ZERO, bill.total.exact().max(ExactAmount::ZERO)))
    }
}

pub(crate) fn rate_for(rates: &[(Label, PricePerKwh)], zone: &Label) -> Result<PricePerKwh, AgreementError> {
    let named = |name: &str| rates.iter().find(|(known, _)| known.as_str() == name).map(|(_, rate)| *rate);
    named(zone.as_str()).or_else(|| named("all")).ok_or(AgreementError::NoRate(*zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bill::{ChargeKind, ChargeLine, Completeness};
    use crate::energy::Energy;
    use crate::hash::ContentHash;
    use crate::money::Money;
    use crate::tariff::FixedPer;

    fn rates(text: &str) -> SplitRule {
        let rate = |rate: &str| {
            let (zone, price) = rate.split_once(' ').unwrap();
            (zone.parse().unwrap(), price.parse().unwrap())
        };
        SplitRule::PerKwh(text.split_terminator(", ").map(rate).collect())
    }

    fn agreement(payee: Party, remainder: Party, rule: SplitRule) -> Agreement {
        Agreement {
            id: "grid".parse().unwrap(),
            title: "Grid and supplier".into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            payee,
            remainder,
            rule,
            terms: PaymentTerms::default(),
        }
    }

    #[test]
    fn each_mistake_is_named() {
        use Party::{Bank, Grid, Supplier};
        let many: Vec<String> = (0..17).map(|at| format!("z{at} 1")).collect();
        let table = [
            (Grid, Supplier, rates("all 2.3"), "ok"),
            (Supplier, Grid, SplitRule::Share(SHARE_WHOLE), "ok"),
            (Grid, Supplier, rates("night 0, all 2.3"), "ok"),
            (
                Grid,
                Grid,
                rates("all 2.3"),
                "grid is both payee and remainder taker: the shares add up to more than the payment",
            ),
            (Bank, Supplier, rates("all 2.3"), "the bank can be neither payee nor remainder taker"),
            (Grid, Bank, rates("all 2.3"), "the bank can be neither payee nor remainder taker"),
            (
                Grid,
                Supplier,
                SplitRule::Share(SHARE_WHOLE + 1),
                "shares add up to more than 100 %: 100000001 of 100000000",
            ),
            (Grid, Supplier, rates(""), "0 rates, need 1 to 16, each zone once"),
            (Grid, Supplier, rates(&many.join(", ")), "17 rates, need 1 to 16, each zone once"),
            (Grid, Supplier, rates("a 1, b 2, a 3"), "3 rates, need 1 to 16, each zone once"),
            (Grid, Supplier, rates("all -2.3"), "negative rate -2.30"),
        ];
        for (payee, remainder, rule, want) in table {
            let got = agreement(payee, remainder, rule.clone()).check();
            assert_eq!(got.map_or_else(|e| e.to_string(), |_| "ok".into()), want, "{rule:?}");
        }
        for title in ["x".repeat(TEXT_SIZE_MAX + 1), "a\u{7}".into()] {
            let untitled = Agreement { title, ..agreement(Grid, Supplier, rates("all 2.3")) };
            assert_eq!(untitled.check(), Err(AgreementError::Title));
        }
        let terms = PaymentTerms { order: Vec::new(), ..PaymentTerms::default() };
        let unordered = Agreement { terms, ..agreement(Grid, Supplier, rates("all 2.3")) };
        assert_eq!(unordered.check(), Err(AgreementError::Terms(TermsError::Unreached)));
    }

    /// A bill of 100 kWh by day, 50 kWh by night and a fixed charge, with a total in minor units.
    fn bill(total: i64) -> Bill {
        let line = |kind, quantity| ChargeLine {
            version: 0,
            kind,
            quantity,
            price: PricePerKwh::default(),
            exact: ExactAmount::ZERO,
            amount: Money::ZERO,
        };
        Bill {
            account: "A".parse().unwrap(),
            period: "2026-03".parse().unwrap(),
            currency: "RUB".parse().unwrap(),
            tariffs: vec![ContentHash::default()],
            agreement: ContentHash::default(),
            readings: ContentHash::default(),
            lines: vec![
                line(ChargeKind::Energy { range: 0, zone: 0 }, Energy::from_wh(100_000).as_wh()),
                line(ChargeKind::Energy { range: 0, zone: 1 }, Energy::from_wh(50_000).as_wh()),
                line(ChargeKind::Fixed(FixedPer::Day), 31),
            ],
            vat: Vec::new(),
            completeness: Completeness::default(),
            total: Money::from_minor(total),
            payee_part: ExactAmount::ZERO,
            market: Vec::new(),
        }
    }

    #[test]
    fn payee_parts() {
        let zones = "day 07:00-23:00; night 23:00-07:00";
        let tariff = Tariff::new(crate::tariff::tests::parts(zones, &[&["6.43", "3.02"]], &[])).unwrap();
        // rule, total in minor units, the payee's part
        let table = [
            (rates("all 2.3"), 100_000, "345.00"),
            (rates("night 1.1, all 2.3"), 100_000, "285.00"),
            (rates("day 2, night 1.1"), 100_000, "255.00"),
            (rates("day 0, night 0"), 100_000, "0.00"),
            (rates("all 2.3"), 34_499, "344.99"), // never more than there is to pay
            (rates("all 2.3"), 0, "0.00"),
            (rates("day 2.3"), 100_000, "the agreement has no rate for zone night, and none for all"),
            (SplitRule::Share(45_123_000), 33_333, "150.4084959"),
            (SplitRule::Share(1), 1, "0.0000000001"),
            (SplitRule::Share(SHARE_WHOLE), 33_333, "333.33"),
            (SplitRule::Share(0), 33_333, "0.00"),
            (SplitRule::Share(45_123_000), -33_333, "0.00"),
            (SplitRule::Share(SHARE_WHOLE), -1, "0.00"),
            (rates("all 2.3"), -33_333, "0.00"),
        ];
        for (rule, total, want) in table {
            let agreement = agreement(Party::Grid, Party::Supplier, rule.clone()).check().unwrap();
            let got = agreement.payee_part(&bill(total), &[&tariff]);
            let got = got.map_or_else(|error| error.to_string(), |part| part.to_string());
            assert_eq!(got, want, "{rule:?} of {total}");
        }
    }
}
