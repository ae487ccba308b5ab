//! What is no money of the bank's: what accrued is settled between the parties, a reserve is held or released.

use super::{Agreements, PaymentBook, SettleError};
use crate::accrual::{AccrualError, Accrued, Basis, Closing, due_day};
use crate::agreement::Party;
use crate::money::Money;
use crate::reserve::{ReserveAction, ReserveError, ReserveMove, ReserveOrder, ReserveWhile};
use crate::split::{Cause, LegKind, Legs, Settled, agreement_of};

impl PaymentBook {
    /// Gives the payee what accrued up to a month beside what payments have brought it.
    pub(super) fn accrue(
        &mut self,
        closing: Closing,
        agreements: &Agreements,
    ) -> Result<Settled, SettleError> {
        let Closing { agreement: hash, period } = closing;
        let agreement = agreements.get(&hash);
        let agreement = agreement.ok_or(AccrualError::Unknown { agreement: hash, period })?;
        let id = agreement.id;
        let Basis::Accrual(day) = agreement.terms.basis else {
            return Err(AccrualError::Cash { id, period }.into());
        };
        let amount = self.accrual.open(&closing)?.ok_or(AccrualError::Nothing { id, period })?;
        let (mut legs, mut back) = (Legs::default(), Legs::default());
        let (to, from) = match amount >= Money::ZERO {
            true => (agreement.payee, agreement.remainder),
            false => (agreement.remainder, agreement.payee),
        };
        let size = Money::from_minor(amount.as_minor().abs());
        legs.add(to, LegKind::Accrual, size);
        back.add(from, LegKind::Accrual, size);
        let accrued = Accrued { closing, booked: due_day(period, day), amount };
        let settled = Settled::new(Cause::Accrual(accrued), Vec::new(), legs, back);
        self.apply(&settled)?;
        Ok(settled)
    }

    pub(super) fn apply_accrued(&mut self, accrued: &Accrued) -> Result<(), SettleError> {
        if self.accrual.open(&accrued.closing)? != Some(accrued.amount) {
            return Err(SettleError::Record(accrued.closing.id()));
        }
        self.accrual.true_up(accrued);
        Ok(())
    }

    /// Marks a bill as disputed, or gives parties all that is held of it.
    pub(super) fn carry_out(
        &mut self,
        order: ReserveOrder,
        agreements: &Agreements,
    ) -> Result<Settled, SettleError> {
        let one = self.check_order(order)?;
        if order.action == ReserveAction::Hold {
            self.check_terms(&order, agreements)?;
        }
        let (mut legs, mut back) = (Legs::default(), Legs::default());
        for (hash, amount) in &one.released {
            let party = agreement_of(agreements, hash).reserve_party();
            legs.add(party.expect("legs are held under agreements that say so"), LegKind::Reserve, *amount);
            back.add(Party::Bank, LegKind::Reserve, *amount);
        }
        let settled = Settled::new(Cause::Reserve(one), Vec::new(), legs, back);
        self.apply(&settled)?;
        Ok(settled)
    }

    /// A bill can be disputed under an agreement that holds something for it then.
    fn check_terms(&self, order: &ReserveOrder, agreements: &Agreements) -> Result<(), ReserveError> {
        let bills =
            self.accounts.get(&order.account).into_iter().flat_map(|state| state.bills_of(order.period));
        let of_bills: Vec<_> = bills.map(|bill| agreement_of(agreements, &bill.agreement)).collect();
        let holds = |when| when == ReserveWhile::Disputed;
        match of_bills.last() {
            Some(agreement)
                if !of_bills.iter().any(|one| one.terms.reserve.is_some_and(|own| holds(own.when))) =>
            {
                Err(ReserveError::NoTerms { id: order.id, agreement: agreement.id })
            }
            _ => Ok(()),
        }
    }

    /// What an order moves.
    fn check_order(&self, order: ReserveOrder) -> Result<ReserveMove, ReserveError> {
        let ReserveOrder { id, account, period, action, .. } = order;
        let bill = self.accounts.get(&account).and_then(|state| state.bills_of(period).next());
        bill.ok_or(ReserveError::NoBill { id, account, period })?;
        let key = (account, period);
        let (held, is_disputed) = (self.reserve.held_by_agreement(&key), self.reserve.is_disputed(&key));
        let released = match action {
            ReserveAction::Hold if is_disputed => return Err(ReserveError::Disputed { id, account, period }),
            ReserveAction::Hold => Vec::new(),
            ReserveAction::Release if held.is_empty() && !is_disputed => {
                return Err(ReserveError::Nothing { id, account, period });
            }
            ReserveAction::Release => held,
        };
        Ok(ReserveMove { order, released })
    }

    pub(super) fn apply_order(&mut self, one: &ReserveMove) -> Result<(), SettleError> {
        if self.check_order(one.order)? != *one {
            return Err(SettleError::Record(one.order.id));
        }
        self.reserve.carry_out(&one.order);
        Ok(())
    }
}
