//! Books: the bill that the next one of an account stands on.

use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::Period;
use tallywatt_core::carried::PreviousBill;
use tallywatt_core::contract::Contract;
use tallywatt_core::label::AccountId;
use tallywatt_ledger::{bill_bytes, digest};

use crate::books::Books;

impl Books {
    /// The account's bill of the month before, if its next bill stands on it.
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
        let before = last.and_then(|last| self.bill_of(last, account)).filter(|_| last != Some(period));
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
                let hash = digest::content_hash(&bill_bytes::encode_bill(bill));
                self.check_none_later(period, account)?;
                Ok(Some(PreviousBill { hash, period: bill.period, carried: &bill.carried }))
            }
            None if carries => {
                self.check_none_later(period, account)?;
                self.check_no_gap(period, contracts)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn bill_of(&self, period: Period, account: AccountId) -> Option<&Bill> {
        let bills = self.bills.get(&period)?;
        let at = bills.binary_search_by_key(&account, |bill| bill.account).ok()?;
        Some(&bills[at])
    }

    /// No later bill stands without this one.
    fn check_none_later(&self, period: Period, account: AccountId) -> Result<(), String> {
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
