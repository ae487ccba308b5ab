//! Splitting a payment into settlement legs. Σ legs = payment, exactly, always.
//!
//! Rounding is by cumulative residual: what the payee has got so far is always the rounded sum of what it was
//! due so far. So it is never more than half a minor unit off, after any number of payments.
//!
//! ```text
//!   due so far   S₀ ── + part ──▶ S₁              exact, 10^-11
//!   leg          round(S₁) − round(S₀)            minor units; the remainder taker gets the rest
//! ```

use std::collections::BTreeMap;

use crate::account::{AccountState, Allocation, Payment};
use crate::agreement::{Agreement, Party};
use crate::hash::ContentHash;
use crate::money::{ExactAmount, Money, Rounding};

/// How the running sum is rounded, in every agreement.
const RUNNING_ROUNDING: Rounding = Rounding::HalfUp;

/// Why a leg is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LegKind {
    /// The payee's computed part.
    Part = 1,
    /// The rest, to the remainder taker.
    Remainder = 2,
    /// Paid beyond all bills: held for the account by the supplier.
    Advance = 3,
    /// No such account: held by the bank until it is matched.
    Suspense = 4,
}

impl LegKind {
    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Part),
            2 => Some(Self::Remainder),
            3 => Some(Self::Advance),
            4 => Some(Self::Suspense),
            _ => None,
        }
    }

    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Part => "part",
            Self::Remainder => "remainder",
            Self::Advance => "advance",
            Self::Suspense => "suspense",
        }
    }
}

/// What one party gets of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leg {
    /// Who.
    pub party: Party,
    /// Why.
    pub kind: LegKind,
    /// How much; above zero.
    pub amount: Money,
}

/// What an agreement's payee was due and has got, over all payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunningSplit {
    /// Due so far, exact.
    pub due: ExactAmount,
    /// Paid out so far.
    pub paid: Money,
}

impl RunningSplit {
    /// The split that stands when `due` is due so far: where a later part of a column begins.
    ///
    /// `None` past 64-bit minor units.
    #[must_use]
    pub fn at(due: ExactAmount) -> Option<Self> {
        Some(Self { due, paid: due.round(RUNNING_ROUNDING)? })
    }

    /// Splits `amount`, of which `part` is the payee's, into (payee, remainder).
    ///
    /// # Panics
    /// If `part` is negative or above `amount`: a bill's part lies between nothing and its total.
    pub fn split(&mut self, amount: Money, part: ExactAmount) -> (Money, Money) {
        assert!(part >= ExactAmount::ZERO && part <= amount.exact(), "a part lies within the payment");
        let due = self.due.checked_add(part).expect("money due fits 128 bits");
        let target = due.round(RUNNING_ROUNDING).expect("money due fits 64-bit minor units");
        let payee = target.checked_sub(self.paid).expect("both are sums of the same payments");
        let remainder = amount.checked_sub(payee).expect("a payee's leg is within the payment");
        assert!(payee >= Money::ZERO && remainder >= Money::ZERO, "legs are not negative");
        *self = Self { due, paid: target };
        (payee, remainder)
    }
}

/// One payment, where it went and who gets what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledPayment {
    /// The payment.
    pub payment: Payment,
    /// Which bills it paid.
    pub allocations: Vec<Allocation>,
    /// Who gets what, by (party, kind).
    pub legs: Vec<Leg>,
}

/// Settles one payment against its account (`None`: no such account), under its bills' agreements.
///
/// # Panics
/// If an open bill's agreement is not among `agreements`, or the legs do not add up to the payment.
pub fn settle(
    payment: Payment,
    account: Option<&mut AccountState>,
    agreements: &BTreeMap<ContentHash, Agreement>,
    running: &mut BTreeMap<ContentHash, RunningSplit>,
) -> SettledPayment {
    let mut legs: BTreeMap<(Party, LegKind), i64> = BTreeMap::new();
    let mut add = |party, kind, amount: Money| *legs.entry((party, kind)).or_default() += amount.as_minor();
    let mut allocations = Vec::new();
    match account {
        None => add(Party::Bank, LegKind::Suspense, payment.amount),
        Some(account) => {
            let (paid, advance) = account.pay(payment.amount);
            for allocation in &paid {
                let agreement =
                    agreements.get(&allocation.agreement).expect("a bill names a published agreement");
                let split = running.entry(allocation.agreement).or_default();
                let (payee, remainder) = split.split(allocation.amount, allocation.payee_part);
                add(agreement.payee, LegKind::Part, payee);
                add(agreement.remainder, LegKind::Remainder, remainder);
            }
            add(Party::Supplier, LegKind::Advance, advance);
            allocations = paid;
        }
    }
    let legs: Vec<Leg> = legs
        .into_iter()
        .filter(|(_, minor)| *minor != 0)
        .map(|((party, kind), minor)| Leg { party, kind, amount: Money::from_minor(minor) })
        .collect();
    let sum: Money = legs.iter().map(|leg| leg.amount).sum();
    assert_eq!(sum, payment.amount, "the legs of payment {} add up to it", payment.id);
    SettledPayment { payment, allocations, legs }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::OpenBill;
    use crate::agreement::SplitRule;
    use crate::validity::Validity;
    use proptest::prelude::*;

    /// domain.md §10: 1,000 payments of 333.33 at 45.123 %: naive rounding drifts by 1.50.
    #[test]
    fn never_drifts() {
        let mut running = RunningSplit::default();
        let amount = Money::from_minor(33_333);
        let part = ExactAmount::from_e11(amount.exact().as_e11() * 45_123 / 100_000);
        let naive = part.round(Rounding::HalfUp).unwrap().as_minor() * 1_000;
        let mut grid = 0;
        for _ in 0..1_000 {
            let (payee, remainder) = running.split(amount, part);
            assert_eq!(payee.as_minor() + remainder.as_minor(), 33_333);
            grid += payee.as_minor();
        }
        assert_eq!((naive, grid), (15_041_000, 15_040_850));
    }

    fn agreement(payee: Party, remainder: Party) -> Agreement {
        Agreement {
            id: "grid".parse().unwrap(),
            title: "Grid and supplier".into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            payee,
            remainder,
            rule: SplitRule::Share(0),
        }
    }

    /// An account with two open bills of 50.00: one pays the grid a third, the other the supplier a tenth.
    fn account() -> AccountState {
        let mut account = AccountState::default();
        for (tag, period, divisor) in [(1, "2026-01", 3), (2, "2026-02", 10)] {
            let total = Money::from_minor(5_000);
            account.issue(OpenBill {
                bill: ContentHash([tag; 32]),
                period: period.parse().unwrap(),
                agreement: ContentHash([tag; 32]),
                total,
                paid: Money::ZERO,
                payee_part: ExactAmount::from_e11(total.exact().as_e11() / divisor),
            });
        }
        account
    }

    fn legs(settled: &SettledPayment) -> String {
        let leg = |leg: &Leg| format!("{} {} {}", leg.party, leg.kind.name(), leg.amount);
        settled.legs.iter().map(leg).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn where_a_payment_goes() {
        let agreements = BTreeMap::from([
            (ContentHash([1; 32]), agreement(Party::Grid, Party::Supplier)),
            (ContentHash([2; 32]), agreement(Party::Supplier, Party::Grid)),
        ]);
        // payments in minor units, how many bills the last one pays, its legs
        let table: &[(&[i64], usize, &str)] = &[
            (&[3_000], 1, "grid part 10.00, supplier remainder 20.00"),
            (&[1], 1, "supplier remainder 0.01"),
            (&[1, 1], 1, "grid part 0.01"), // two thirds of a minor unit are due by now
            (&[5_000], 1, "grid part 16.67, supplier remainder 33.33"),
            (
                &[10_000],
                2,
                "grid part 16.67, grid remainder 45.00, supplier part 5.00, supplier remainder 33.33",
            ),
            (
                &[12_000],
                2,
                "grid part 16.67, grid remainder 45.00, supplier part 5.00, supplier remainder 33.33, supplier advance 20.00",
            ),
            (&[10_000, 700], 0, "supplier advance 7.00"),
            (
                &[4_000, 2_000],
                2,
                "grid part 3.34, grid remainder 9.00, supplier part 1.00, supplier remainder 6.66",
            ),
        ];
        for (payments, bill_count, want) in table {
            let (mut account, mut running) = (account(), BTreeMap::new());
            let mut last = None;
            for minor in *payments {
                last = Some(settle(payment(*minor), Some(&mut account), &agreements, &mut running));
            }
            let last = last.unwrap();
            assert_eq!((last.allocations.len(), legs(&last).as_str()), (*bill_count, *want), "{payments:?}");
        }
    }

    #[test]
    fn an_unknown_account_is_held_by_the_bank() {
        let mut running = BTreeMap::new();
        let settled = settle(payment(700), None, &BTreeMap::new(), &mut running);
        assert_eq!(legs(&settled), "bank suspense 7.00");
        assert!(settled.allocations.is_empty() && running.is_empty());
    }

    #[test]
    fn codes_and_names() {
        for kind in [LegKind::Part, LegKind::Remainder, LegKind::Advance, LegKind::Suspense] {
            assert_eq!(LegKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!((0..=255_u8).filter_map(LegKind::from_code).count(), 4);
        for party in Party::ALL {
            assert_eq!(Party::from_code(party.code()), Some(party));
            assert_eq!(Party::from_name(party.name()), Some(party));
        }
        assert_eq!((0..=255_u8).filter_map(Party::from_code).count(), Party::ALL.len());
    }

    fn payment(minor: i64) -> Payment {
        Payment {
            id: "p-1".parse().unwrap(),
            account: "A".parse().unwrap(),
            booked: "2026-04-01".parse().unwrap(),
            amount: Money::from_minor(minor),
        }
    }

    proptest! {
        #[test]
        fn legs_add_up_and_stay_within_half_a_unit(parts in prop::collection::vec((1..1_000_000_i64, 0..=1_000_u32), 1..200)) {
            let mut running = RunningSplit::default();
            let (mut exact, mut got) = (0_i128, 0_i64);
            for (minor, per_mille) in parts {
                let amount = Money::from_minor(minor);
                let part = amount.exact().as_e11() / 1_000 * i128::from(per_mille);
                let (payee, remainder) = running.split(amount, ExactAmount::from_e11(part));
                prop_assert_eq!(payee.as_minor() + remainder.as_minor(), minor);
                exact += part;
                got += payee.as_minor();
                let off = (Money::from_minor(got).exact().as_e11() - exact).abs();
                prop_assert!(off * 2 <= Money::from_minor(1).exact().as_e11());
            }
        }
    }
}
