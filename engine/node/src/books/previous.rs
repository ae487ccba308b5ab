//! Books: the bill that the next one of an account stands on.

use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::Period;
use tallywatt_core::carried::PreviousBill;
use tallywatt_core::contract::Contract;
use tallywatt_core::label::AccountId;

use crate::books::Books;

impl Books {
    /// The account's bill of the month before as it stands, if its next bill stands on it.
    ///
    /// Without one it is the first, and nothing was carried. Bills that stand on one another are issued in order: neither
    /// over a month that is not billed, nor behind one that is.
    pub(super) fn previous_of(
        &self,
        period: Period,
        contracts: &[Contract],
    ) -> Result<Option<PreviousBill<'_>>, String> {
        let versions = self.tariffs.versions();
        if !versions.iter().any(|version| version.body.carries()) {
            return Ok(None);
        }
        let account = contracts[0].account;
        let last = Period::from_number(period.number().saturating_sub(1));
        let before = last.filter(|last| *last != period).and_then(|last| self.bill_of(last, account));
        let carries = contracts.iter().any(|contract| {
            let held = |day: &tallywatt_core::calendar::Day| contract.validity.contains(*day);
            versions.iter().filter(|version| version.body.carries()).any(|version| {
                let parts = version.body.parts();
                let is_own = parts.id == contract.tariff;
                is_own && period.days().filter(held).any(|day| parts.validity.contains(day))
            })
        });
        match before {
            Some(bill) if carries || !bill.carried.is_empty() => {
                self.check_none_later(period, account)?;
                let hash = self.stands(bill.period, &account).map(|stands| stands.hash);
                Ok(hash.map(|hash| PreviousBill { hash, period: bill.period, carried: &bill.carried }))
            }
            None if carries => {
                self.check_none_later(period, account)?;
                self.check_no_gap(period, contracts)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// The accounts whose bill of a month stands on one that no longer stands: what it carried may be another now.
    pub(super) fn stand_on_corrected(&self, period: Period) -> Vec<AccountId> {
        let last = Period::from_number(period.number().saturating_sub(1));
        let is_corrected = last.is_some_and(|last| self.is_corrected(last));
        let standing = self.standing(period).filter(|_| is_corrected).unwrap_or_default();
        let stands_on_other = |bill: &&Bill| {
            let now = last.and_then(|last| self.stands(last, &bill.account)).map(|stands| stands.hash);
            (bill.previous.is_some() || !bill.carried.is_empty()) && bill.previous != now
        };
        standing.iter().map(|stands| stands.bill).filter(stands_on_other).map(|bill| bill.account).collect()
    }

    fn bill_of(&self, period: Period, account: AccountId) -> Option<&Bill> {
        self.stands_hash_free(period, &account)
    }

    /// No later bill stands without this one.
    fn check_none_later(&self, period: Period, account: AccountId) -> Result<(), String> {
        // What stands already is corrected; the months after it are corrected in their turn.
        if self.bill_of(period, account).is_some() {
            return Ok(());
        }
        let mut later = self.bills.keys().copied().filter(|known| *known > period);
        let stands = |known: &Period| {
            let bill = self.bill_of(*known, account);
            bill.is_some_and(|bill| bill.previous.is_some() || !bill.carried.is_empty())
        };
        match later.find(stands) {
            Some(known) => Err(format!(
                "the bill of {known} was issued without that of {period}, on which it would stand"
            )),
            None => Ok(()),
        }
    }

    /// Between the account's last bill that carried something and this month it held no contract.
    fn check_no_gap(&self, period: Period, contracts: &[Contract]) -> Result<(), String> {
        let account = contracts[0].account;
        let carried =
            |known: &Period| self.bill_of(*known, account).is_some_and(|bill| !bill.carried.is_empty());
        let Some(last) = self.bills.keys().rev().copied().filter(|known| *known < period).find(carried)
        else {
            return Ok(());
        };
        let months = (last.number() + 1..period.number()).filter_map(Period::from_number);
        let mut missing = months.filter(|month| {
            month.days().any(|day| contracts.iter().any(|contract| contract.validity.contains(day)))
        });
        match missing.next() {
            Some(month) => Err(format!("{month} is not billed, and the bill of {period} would stand on it")),
            None => Ok(()),
        }
    }
}
