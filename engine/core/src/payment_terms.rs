//! The terms of payment in an agreement: in what order a payment goes over the open bills of an account, how its legs are
//! rounded, and what a party gets of each payment at least and at most.
//!
//! ```text
//!   payment ── designated ──▶ earlier ──▶ current ──▶ what is left is an advance      the order that holds unless another is agreed
//!   payment ── designated ──▶ proportional ─────────▶ what is left is an advance
//! ```
//!
//! * An order reaches every open bill, so money is parked only while nothing is owed.
//! * Limits move a part between the payments of a bill: what a cap holds back, or a floor gives early, is made up for by
//!   its next payments. What a cap still holds back when the bill is paid in full stays with the other party.

use crate::accrual::{ACCRUAL_DUE_DAY_MAX, Basis};
use crate::agreement::SHARE_WHOLE;
use crate::money::{ExactAmount, Money};
use crate::reserve::ReserveTerms;
use crate::transfer::TransferTerms;

/// The most steps in an order: each at most once.
pub const STEP_COUNT_MAX: usize = 4;

/// The longest time for which increases are still billed, in months.
pub const BACK_BILLING_MONTHS_MAX: u8 = 120;

/// One step of the order in which a payment goes over the open bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Step {
    /// The bill of the month that the payer named; nothing where none is named.
    Designated = 1,
    /// The bills of months before the newest that was billed, the oldest first.
    Earlier = 2,
    /// The bill of the newest month that was billed.
    Current = 3,
    /// All open bills, in proportion to what is open of each (Russian government decree 354, clause 118).
    Proportional = 4,
}

impl Step {
    /// All four, in the order of their codes.
    pub const ALL: [Self; STEP_COUNT_MAX] =
        [Self::Designated, Self::Earlier, Self::Current, Self::Proportional];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.code() == code)
    }

    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Designated => "designated",
            Self::Earlier => "earlier",
            Self::Current => "current",
            Self::Proportional => "proportional",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// How exact parts become whole minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum SplitRounding {
    /// What the payee has got of all payments is the rounded sum of what it was due: the residual is carried on.
    #[default]
    Cumulative = 1,
    /// Each payment by itself: both parts down, and a minor unit left over to the larger remainder, the payee's at a tie.
    LargestRemainder = 2,
}

impl SplitRounding {
    /// Both, in the order of their codes.
    pub const ALL: [Self; 2] = [Self::Cumulative, Self::LargestRemainder];

    /// The stored code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// From the stored code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|rounding| rounding.code() == code)
    }

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cumulative => "cumulative",
            Self::LargestRemainder => "largest-remainder",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rounding| rounding.name() == name)
    }
}

/// What one party gets of each payment under an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// At least this, or the whole payment if it is less.
    pub at_least: Money,
    /// At most this; `None` for any amount.
    pub at_most: Option<Money>,
}

/// How payments under an agreement are placed, rounded and limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentTerms {
    /// The steps, first to last; that of an account is the agreement of its newest open bill.
    pub order: Vec<Step>,
    /// How parts are rounded.
    pub rounding: SplitRounding,
    /// What the payee gets of each payment; holds where both parties' limits cannot.
    pub payee: Limits,
    /// What the remainder taker gets of each payment.
    pub remainder: Limits,
    /// When a day's money is transferred to a party.
    pub transfer: TransferTerms,
    /// For how many months after its month a bill may still be raised, 1 to [`BACK_BILLING_MONTHS_MAX`]; `None` for any
    /// time. It stands in the agreement, of which a bill has exactly one: its tariff versions could differ in it, and what is
    /// not charged is lost to both parties, who sign the agreement.
    pub back_billing_months: Option<u8>,
    /// What the payee's part is counted of.
    pub basis: Basis,
    /// What the bank holds back, if anything.
    pub reserve: Option<ReserveTerms>,
}

impl Default for PaymentTerms {
    /// The month the payer named, else the oldest bill first; cumulative rounding; no limits.
    fn default() -> Self {
        Self {
            order: vec![Step::Designated, Step::Earlier, Step::Current],
            rounding: SplitRounding::default(),
            payee: Limits::default(),
            remainder: Limits::default(),
            transfer: TransferTerms::default(),
            back_billing_months: None,
            basis: Basis::default(),
            reserve: None,
        }
    }
}

/// Why terms cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// A step stands twice.
    #[error("step {name} stands twice in the order", name = .0.name())]
    Repeated(Step),
    /// Some open bill is never reached.
    #[error("the order does not reach every open bill: end with earlier and current, or with proportional")]
    Unreached,
    /// A step behind which nothing is open any more.
    #[error("step {name} gets nothing: the steps before it reach every open bill", name = .0.name())]
    Idle(Step),
    /// A limit below zero.
    #[error("a limit of {0} is below zero")]
    Negative(Money),
    /// A floor above its cap.
    #[error("at least {at_least} is more than at most {at_most}")]
    Crossed {
        /// The floor.
        at_least: Money,
        /// The cap.
        at_most: Money,
    },
    /// Both parties are capped.
    #[error("both parties have a cap: nobody would get what is above them")]
    BothCapped,
    /// A time for which nothing, or nearly everything, is billed.
    #[error("back-billing for {0} months, need 1 to {BACK_BILLING_MONTHS_MAX}")]
    BackBilling(u8),
    /// A due day that some month has not.
    #[error("due day {0} is not from 1 to {ACCRUAL_DUE_DAY_MAX}")]
    DueDay(u8),
    /// A reserve of nothing, or of more than a leg.
    #[error("a reserve of {0} of {SHARE_WHOLE} is not a part of a leg")]
    Reserve(u32),
}

impl PaymentTerms {
    /// Checks the terms.
    ///
    /// # Errors
    /// [`TermsError`] names the first that is wrong.
    pub fn check(&self) -> Result<(), TermsError> {
        for (at, step) in self.order.iter().enumerate() {
            let before = &self.order[..at];
            match () {
                () if before.contains(step) => return Err(TermsError::Repeated(*step)),
                () if reaches_all(before) => return Err(TermsError::Idle(*step)),
                () => {}
            }
        }
        if !reaches_all(&self.order) {
            return Err(TermsError::Unreached);
        }
        for limits in [self.payee, self.remainder] {
            let Limits { at_least, at_most } = limits;
            if let Some(limit) =
                [Some(at_least), at_most].into_iter().flatten().find(|own| *own < Money::ZERO)
            {
                return Err(TermsError::Negative(limit));
            }
            if let Some(at_most) = at_most.filter(|at_most| at_least > *at_most) {
                return Err(TermsError::Crossed { at_least, at_most });
            }
        }
        if self.transfer.minimum < Money::ZERO {
            return Err(TermsError::Negative(self.transfer.minimum));
        }
        if let Basis::Accrual(day) = self.basis
            && !(1..=ACCRUAL_DUE_DAY_MAX).contains(&day)
        {
            return Err(TermsError::DueDay(day));
        }
        if let Some(share) = self.reserve.map(|reserve| reserve.share)
            && !(1..=SHARE_WHOLE).contains(&share)
        {
            return Err(TermsError::Reserve(share));
        }
        if self.payee.at_most.is_some() && self.remainder.at_most.is_some() {
            return Err(TermsError::BothCapped);
        }
        match self.back_billing_months {
            Some(months) if !(1..=BACK_BILLING_MONTHS_MAX).contains(&months) => {
                Err(TermsError::BackBilling(months))
            }
            _ => Ok(()),
        }
    }

    /// The payee's part of a payment within the limits of both; where these cannot both hold, within the payee's.
    ///
    /// Each more of `part` and `amount` gives as much more at most, and never less: so parts that are limited along the
    /// way lie within their amounts.
    #[must_use]
    pub fn within_limits(&self, part: ExactAmount, amount: Money) -> ExactAmount {
        let rest_of = |limit: Money| Money::from_minor((amount.as_minor() - limit.as_minor()).max(0));
        let least = self.remainder.at_most.map_or(Money::ZERO, rest_of);
        let most = rest_of(self.remainder.at_least);
        let part = part.clamp(least.exact(), most.exact());
        let least = self.payee.at_least.min(amount);
        let most = self.payee.at_most.unwrap_or(amount).min(amount);
        part.clamp(least.exact(), most.exact())
    }
}

fn reaches_all(order: &[Step]) -> bool {
    order.contains(&Step::Proportional) || (order.contains(&Step::Earlier) && order.contains(&Step::Current))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::reserve::{ReserveOf, ReserveWhile};

    /// `earlier current`: the steps by name.
    pub(crate) fn order(text: &str) -> Vec<Step> {
        text.split_whitespace().map(|name| Step::from_name(name).unwrap()).collect()
    }

    /// `5..100`, `..`: minor units.
    pub(crate) fn limits(text: &str) -> Limits {
        let (least, most) = text.split_once("..").unwrap();
        let money = |text: &str| Money::from_minor(text.parse().unwrap());
        let at_least = if least.is_empty() { Money::ZERO } else { money(least) };
        Limits { at_least, at_most: (!most.is_empty()).then(|| money(most)) }
    }

    #[test]
    fn each_mistake_is_named() {
        let unreached =
            "the order does not reach every open bill: end with earlier and current, or with proportional";
        // order, limits of payee and remainder taker in minor units
        let table = [
            ("designated earlier current", "..", "..", "ok"),
            ("current earlier", "..", "..", "ok"),
            ("proportional", "..", "..", "ok"),
            ("designated current proportional", "..", "..", "ok"),
            ("earlier proportional", "100..100", "5..", "ok"),
            ("", "..", "..", unreached),
            ("designated", "..", "..", unreached),
            ("designated earlier", "..", "..", unreached),
            ("current", "..", "..", unreached),
            ("current current earlier", "..", "..", "step current stands twice in the order"),
            (
                "proportional designated",
                "..",
                "..",
                "step designated gets nothing: the steps before it reach every open bill",
            ),
            (
                "earlier current proportional",
                "..",
                "..",
                "step proportional gets nothing: the steps before it reach every open bill",
            ),
            ("proportional", "-1..", "..", "a limit of -0.01 is below zero"),
            ("proportional", "..", "..-1", "a limit of -0.01 is below zero"),
            ("proportional", "..", "101..100", "at least 1.01 is more than at most 1.00"),
            ("proportional", "..5", "..5", "both parties have a cap: nobody would get what is above them"),
        ];
        for (steps, payee, remainder, want) in table {
            let terms = PaymentTerms {
                order: order(steps),
                rounding: SplitRounding::Cumulative,
                payee: limits(payee),
                remainder: limits(remainder),
                ..PaymentTerms::default()
            };
            let got = terms.check().map_or_else(|error| error.to_string(), |()| "ok".into());
            assert_eq!(got, want, "{steps:?} {payee} {remainder}");
        }
        assert_eq!(PaymentTerms::default().check(), Ok(()));
        let transfer = TransferTerms { minimum: Money::from_minor(-1), ..TransferTerms::default() };
        for (months, want) in [(0, "back-billing for 0 months, need 1 to 120"), (1, "ok"), (120, "ok")] {
            let terms = PaymentTerms { back_billing_months: Some(months), ..PaymentTerms::default() };
            assert_eq!(terms.check().map_or_else(|error| error.to_string(), |()| "ok".into()), want);
        }
        let terms = PaymentTerms { back_billing_months: Some(121), ..PaymentTerms::default() };
        assert_eq!(terms.check(), Err(TermsError::BackBilling(121)));
        let below = PaymentTerms { transfer, ..PaymentTerms::default() }.check();
        assert_eq!(below, Err(TermsError::Negative(Money::from_minor(-1))));
        for day in [0, 29] {
            let terms = PaymentTerms { basis: Basis::Accrual(day), ..PaymentTerms::default() };
            assert_eq!(terms.check(), Err(TermsError::DueDay(day)));
        }
        for share in [0, SHARE_WHOLE + 1] {
            let reserve = ReserveTerms { of: ReserveOf::Payee, share, when: ReserveWhile::Always };
            let terms = PaymentTerms { reserve: Some(reserve), ..PaymentTerms::default() };
            assert_eq!(terms.check(), Err(TermsError::Reserve(share)));
        }
    }

    #[test]
    fn parts_within_limits() {
        // limits of payee and remainder taker, the payee's part and the payment, all in minor units
        let table = [
            ("..", "..", 40, 100, 40),
            ("50..", "..", 40, 100, 50),
            ("..30", "..", 40, 100, 30),
            ("..", "50..", 60, 100, 50),
            ("..", "..50", 40, 100, 50),
            ("..", "..50", 60, 100, 60),
            ("50..", "..", 10, 30, 30), // a payment below the floor is all the payee's
            ("..", "50..", 10, 30, 0),
            ("50..", "80..", 10, 100, 50), // both cannot hold: the payee's does
            ("..30", "..50", 40, 100, 30),
            ("0..0", "..", 40, 100, 0),
        ];
        for (payee, remainder, part, amount, want) in table {
            let terms = PaymentTerms {
                payee: limits(payee),
                remainder: limits(remainder),
                ..PaymentTerms::default()
            };
            let got = terms.within_limits(Money::from_minor(part).exact(), Money::from_minor(amount));
            assert_eq!(got, Money::from_minor(want).exact(), "{payee} {remainder} {part} of {amount}");
        }
    }

    #[test]
    fn codes_and_names() {
        for step in Step::ALL {
            assert_eq!(Step::from_code(step.code()), Some(step));
            assert_eq!(Step::from_name(step.name()), Some(step));
        }
        assert_eq!((0..=255_u8).filter_map(Step::from_code).count(), Step::ALL.len());
        for rounding in SplitRounding::ALL {
            assert_eq!(SplitRounding::from_code(rounding.code()), Some(rounding));
            assert_eq!(SplitRounding::from_name(rounding.name()), Some(rounding));
        }
        assert_eq!((0..=255_u8).filter_map(SplitRounding::from_code).count(), SplitRounding::ALL.len());
    }
}
