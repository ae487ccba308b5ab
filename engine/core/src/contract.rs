//! A contract: which account pays for a usage point, by which tariff and agreement, on which days.

use crate::calendar::Zone;
use crate::label::{AccountId, Label, UsagePointId};
use crate::money::PricePerKwh;
use crate::register::Register;
use crate::tariff::FixedPer;
use crate::validity::Validity;

/// One usage point of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Who pays.
    pub account: AccountId,
    /// For which usage point.
    pub usage_point: UsagePointId,
    /// By which register.
    pub register: Register,
    /// Whose local days and wall clock the tariff follows.
    pub zone: Zone,
    /// By which tariff; its version follows from the day.
    pub tariff: Label,
    /// By which agreement the payment is split.
    pub agreement: Label,
    /// On which local days.
    pub validity: Validity,
    /// Prices agreed with this customer, in the place of the tariff's, in order.
    pub overrides: Vec<PriceOverride>,
}

/// The most prices that one contract may override.
pub const OVERRIDE_COUNT_MAX: usize = 64;

/// Which price of its tariff a contract overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Overridden {
    /// A zone's, in one range counted from 0, or in all of them.
    Energy {
        /// The zone's name.
        zone: Label,
        /// Which range; `None` for each that has no override of its own.
        range: Option<u8>,
    },
    /// A fixed charge.
    Fixed(FixedPer),
}

/// A price of a contract's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceOverride {
    /// In the place of which price.
    pub what: Overridden,
    /// The price.
    pub price: PricePerKwh,
}

/// Why prices of a contract's own cannot stand together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// Too many.
    #[error("{0} prices of a contract's own, at most {OVERRIDE_COUNT_MAX}")]
    Count(usize),
    /// One price is overridden twice.
    #[error("a contract overrides one price twice")]
    Twice,
    /// A negative price.
    #[error("negative price {0}")]
    Negative(PricePerKwh),
}

/// Sorts a contract's own prices into their canonical order and checks them.
///
/// # Errors
/// [`OverrideError`].
pub fn overrides_in_order(mut overrides: Vec<PriceOverride>) -> Result<Vec<PriceOverride>, OverrideError> {
    overrides.sort();
    if overrides.len() > OVERRIDE_COUNT_MAX {
        return Err(OverrideError::Count(overrides.len()));
    }
    if overrides.windows(2).any(|pair| pair[0].what == pair[1].what) {
        return Err(OverrideError::Twice);
    }
    match overrides.iter().find(|one| one.price.as_e8() < 0) {
        Some(one) => Err(OverrideError::Negative(one.price)),
        None => Ok(overrides),
    }
}

/// What these overrides make of an energy price: that of the range before that of all ranges, else the tariff's.
#[must_use]
pub fn energy_price(overrides: &[PriceOverride], zone: Label, range: u8, price: PricePerKwh) -> PricePerKwh {
    let of = |range| {
        let what = Overridden::Energy { zone, range };
        overrides.iter().find(|one| one.what == what).map(|one| one.price)
    };
    of(Some(range)).or_else(|| of(None)).unwrap_or(price)
}

/// What these overrides make of a fixed charge.
#[must_use]
pub fn fixed_price(overrides: &[PriceOverride], per: FixedPer, price: PricePerKwh) -> PricePerKwh {
    overrides.iter().find(|one| one.what == Overridden::Fixed(per)).map_or(price, |one| one.price)
}

/// Two contracts bill one register on one day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "usage point {usage_point} register {register} is billed twice: to account {first} and to account {second}"
)]
pub struct DoubleContract {
    usage_point: UsagePointId,
    register: Register,
    first: AccountId,
    second: AccountId,
}

/// Sorts contracts into their canonical order and checks that no register-day is billed twice.
///
/// # Errors
/// [`DoubleContract`].
pub fn in_order(mut contracts: Vec<Contract>) -> Result<Vec<Contract>, DoubleContract> {
    contracts.sort_by_key(|contract| (contract.usage_point, contract.register, contract.validity));
    for pair in contracts.windows(2) {
        let [first, second] = pair else { continue };
        let same = first.usage_point == second.usage_point && first.register == second.register;
        if same && first.validity.overlaps(second.validity) {
            let (usage_point, register) = (first.usage_point, first.register);
            return Err(DoubleContract {
                usage_point,
                register,
                first: first.account,
                second: second.account,
            });
        }
    }
    contracts.sort_by_key(|contract| {
        (contract.account, contract.usage_point, contract.register, contract.validity)
    });
    Ok(contracts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(account: &str, point: &str, from: &str, to: Option<&str>) -> Contract {
        Contract {
            account: account.parse().unwrap(),
            usage_point: point.parse().unwrap(),
            register: Register::IMPORT,
            zone: Zone::parse("UTC").unwrap(),
            tariff: "t".parse().unwrap(),
            agreement: "a".parse().unwrap(),
            validity: Validity::new(from.parse().unwrap(), to.map(|to| to.parse().unwrap())).unwrap(),
            overrides: Vec::new(),
        }
    }

    #[test]
    fn nobody_is_billed_twice() {
        let moved =
            [contract("B", "P", "2026-03-15", None), contract("A", "P", "2026-01-01", Some("2026-03-15"))];
        let sorted = in_order(moved.to_vec()).unwrap();
        assert_eq!(sorted[0].account.as_str(), "A");
        let twice = [contract("B", "P", "2026-03-15", None), contract("A", "P", "2026-01-01", None)];
        assert!(in_order(twice.to_vec()).unwrap_err().to_string().contains("billed twice"));
    }
}
