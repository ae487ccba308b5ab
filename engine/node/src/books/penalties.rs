//! Books: which penalty table is asked on a day, and when bills were paid.

use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::money::Money;
use tallywatt_core::penalty::PenaltyTable;

use crate::books::Books;

impl Books {
    /// Published penalty tables, in the order of the chain.
    #[must_use]
    pub fn penalty_tables(&self) -> &[Published<PenaltyTable>] {
        &self.penalty_tables
    }

    /// The penalty table that is asked on `day`: of those that hold then, the one that stands last in the chain, whatever
    /// its name. Without any there are no penalties: the program has none of its own to fall back on.
    #[must_use]
    pub fn penalty_table_on(&self, day: Day) -> Option<&Published<PenaltyTable>> {
        self.penalty_tables.iter().rev().find(|table| table.body.parts().validity.contains(day))
    }

    /// The months that are billed, in order.
    pub fn billed_periods(&self) -> impl Iterator<Item = Period> {
        self.bills.keys().copied()
    }

    /// What settled payments paid of a bill on which day, in the order of the chain.
    #[must_use]
    pub fn payments_of(&self, bill: &ContentHash) -> &[(Day, Money)] {
        self.paid_by_bill.get(bill).map_or(&[], Vec::as_slice)
    }
}
