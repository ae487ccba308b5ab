//! Verify: a whole receipt as a customer would check it, and the signatures alone.

// The ledger that the verifier's own tests build: one description of it, in one place.
#[path = "../../engine/verify/tests/town/mod.rs"]
mod ledger_town;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_verify::report::Verdict;
use tallywatt_verify::verify;

/// A receipt of a bill and one of a day, and the policy that sealed them.
pub struct Case {
    policy: Policy,
    note: Note,
    bill: Vec<u8>,
    day: Vec<u8>,
}

impl Default for Case {
    fn default() -> Self {
        Self::new()
    }
}

impl Case {
    /// From a ledger of five households and one month.
    #[must_use]
    pub fn new() -> Self {
        let town = ledger_town::Town::new();
        Self {
            policy: ledger_town::policy(Party::ALL.len()),
            note: town.note(&Party::ALL.map(ledger_town::witness)),
            bill: town.bill_receipt("A-000017").encode(),
            day: town.day_receipt("EKB-000017", "2026-03-14").encode(),
        }
    }

    /// Checks the receipt of a month's bill: 31 leaves, two tariff versions.
    #[must_use]
    pub fn run_bill(&self) -> Verdict {
        verify(&self.bill, &self.policy).verdict
    }

    /// Checks the receipt of a day's readings.
    #[must_use]
    pub fn run_day(&self) -> Verdict {
        verify(&self.day, &self.policy).verdict
    }

    /// How many witnesses' signatures hold under the checkpoint.
    ///
    /// # Panics
    /// Never: the note is well signed.
    #[must_use]
    pub fn run_policy(&self) -> usize {
        self.policy.evaluate(&self.note).expect("the note is well signed").witnesses.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_hold_and_bent_ones_do_not() {
        let case = Case::new();
        assert_eq!((case.run_bill(), case.run_day(), case.run_policy()), (Verdict::Valid, Verdict::Valid, 3));
        let mut bent = Case::new();
        for receipt in [&mut bent.bill, &mut bent.day] {
            let at = receipt.len() / 2;
            receipt[at] ^= 1;
        }
        assert_eq!((bent.run_bill(), bent.run_day()), (Verdict::Invalid, Verdict::Invalid));
    }
}
