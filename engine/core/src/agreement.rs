//! An agreement: what part of a bill the grid company gets, who takes the rest, and how it is rounded.

use crate::bill::Bill;
use crate::label::Label;
use crate::money::{ExactAmount, PricePerKwh};
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
        Ok(self)
    }

    /// The payee's part of a bill, exact; never more than its total.
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
                    if let crate::bill::ChargeKind::Energy { zone, .. } = line.kind {
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

fn rate_for(rates: &[(Label, PricePerKwh)], zone: &Label) -> Result<PricePerKwh, AgreementError> {
    let named = |name: &str| rates.iter().find(|(known, _)| known.as_str() == name).map(|(_, rate)| *rate);
    named(zone.as_str()).or_else(|| named("all")).ok_or(AgreementError::NoRate(*zone))
}
