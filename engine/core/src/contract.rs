//! A contract: which account pays for a usage point, by which tariff and agreement, on which days.

use crate::calendar::Zone;
use crate::label::{AccountId, Label, UsagePointId};
use crate::register::Register;
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
