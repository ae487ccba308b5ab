//! Arrears: what is open of each bill, for how long, and what the penalty table that holds makes of it.
//!
//! ```text
//!   bills of ended months ─┐      each correction that raised one is a debt of its own, from its day on
//!   settled payments ──────┼─▶ Debt { open, due, days overdue, age, penalty }     as of a day
//!   penalty table ─────────┘
//! ```
//!
//! Nothing is stored: what was paid when follows from the settlements. Penalties are shown, and are in no bill. Without a
//! table a bill counts as due on the last day of its month, and an increase on the day of its correction; with one it is due as
//! a bill of the month of that day would be. Payments that were booked, and corrections that were made after the day, are not
//! known on it; what a correction took off counts as never owed.

use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{AccountId, Label};
use tallywatt_core::money::Money;
use tallywatt_core::penalty::pieces::{OverdueDebt, Penalty};
use tallywatt_core::penalty::{NoPenalty, PenaltyTable};

use crate::books::{Books, bill_hash};

/// For how long a bill is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// Its due day is still to come.
    NotDue,
    /// At most 30 days overdue; 0 on the due day itself.
    UpTo30,
    /// 31 to 90.
    UpTo90,
    /// 91 to 180.
    UpTo180,
    /// More.
    Older,
}

impl Age {
    /// All, youngest first.
    pub const ALL: [Self; 5] = [Self::NotDue, Self::UpTo30, Self::UpTo90, Self::UpTo180, Self::Older];

    /// Of a bill that is overdue for so many days; below zero, it is still to be due.
    #[must_use]
    pub const fn of(days_overdue: i32) -> Self {
        match days_overdue {
            ..0 => Self::NotDue,
            0..=30 => Self::UpTo30,
            31..=90 => Self::UpTo90,
            91..=180 => Self::UpTo180,
            181.. => Self::Older,
        }
    }

    /// Its name in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotDue => "not due",
            Self::UpTo30 => "0-30",
            Self::UpTo90 => "31-90",
            Self::UpTo180 => "91-180",
            Self::Older => "older",
        }
    }
}

/// What a bill came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debt {
    /// Whose.
    pub account: AccountId,
    /// For which month.
    pub period: Period,
    /// The correction it came with; `None` of a bill as it was issued.
    pub correction: Option<ContentHash>,
    /// What was to be paid.
    pub total: Money,
    /// What is still.
    pub open: Money,
    /// The last day on which nothing is late.
    pub due: Day,
    /// Days since then, whether anything is open or not; below zero before it.
    pub days_overdue: i32,
    /// The penalty until the day that is asked for; `None` without a table.
    pub penalty: Option<Result<Penalty, NoPenalty>>,
}

impl Debt {
    /// For how long it is open; `None` if it is paid.
    #[must_use]
    pub fn age(&self) -> Option<Age> {
        (self.open > Money::ZERO).then_some(Age::of(self.days_overdue))
    }

    /// The penalty in minor units; `None` without a table, where it does not say, and past 64 bits.
    #[must_use]
    pub fn penalty_amount(&self) -> Option<Money> {
        self.penalty.as_ref()?.as_ref().ok()?.amount()
    }

    /// Whether something is open, or was paid so late that it cost something.
    fn is_in_arrears(&self) -> bool {
        self.open > Money::ZERO || self.penalty_amount().is_some_and(|amount| amount > Money::ZERO)
    }
}

/// What is open as of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrears {
    /// The penalty table that is asked, by name and content hash.
    pub table: Option<(Label, ContentHash)>,
    /// Bills that are open, or were paid late at a cost; by account, then by month.
    pub debts: Vec<Debt>,
}

/// What is open as of a day, of all accounts or of one.
#[must_use]
pub fn arrears(books: &Books, as_of: Day, account: Option<&AccountId>) -> Arrears {
    let mut debts: Vec<Debt> = Vec::new();
    for period in books.billed_periods().filter(|period| period.end_day() <= as_of) {
        let standing = books.standing(period).unwrap_or_default().into_iter();
        let accounts = standing.map(|stands| stands.bill.account);
        for own in accounts.filter(|own| account.is_none_or(|account| own == account)) {
            debts.extend(debts_of(books, period, &own, as_of).into_iter().filter(Debt::is_in_arrears));
        }
    }
    debts.sort_by_key(|debt| (debt.account, debt.period));
    let table = books.penalty_table_on(as_of);
    Arrears { table: table.map(|table| (table.body.parts().id, table.hash)), debts }
}

/// What an account's month came to as of a day, whether anything is open of it or not: its bill, if it was issued one, and each
/// increase by a correction.
#[must_use]
pub fn debts_of(books: &Books, period: Period, account: &AccountId, as_of: Day) -> Vec<Debt> {
    let bills = books.bills(period).unwrap_or_default();
    let issued = bills.binary_search_by_key(account, |bill| bill.account).ok().map(|at| &bills[at]);
    let mut debts = Vec::new();
    if let Some(bill) = issued {
        let total = Money::from_minor(bill.total.as_minor().max(0));
        debts.extend(debt_of(
            books,
            Known { account, period, correction: None },
            bill_hash(bill),
            total,
            as_of,
        ));
    }
    for correction in books.corrections(period, account) {
        let known = Known { account, period, correction: Some((correction.hash, correction.body.day)) };
        debts.extend(debt_of(books, known, correction.hash, Money::ZERO, as_of));
    }
    debts
}

/// Which debt it is: of a bill, or of a correction and its day.
#[derive(Clone, Copy)]
struct Known<'a> {
    account: &'a AccountId,
    period: Period,
    correction: Option<(ContentHash, Day)>,
}

/// What one debt came to; `None` of a correction that raised nothing, or was not made by that day.
fn debt_of(books: &Books, known: Known<'_>, hash: ContentHash, issued: Money, as_of: Day) -> Option<Debt> {
    let Known { account, period, correction } = known;
    let changes = books.changes_of(&hash).iter().filter(|(day, _)| *day <= as_of);
    // A change below zero of a correction itself is a credit, and no debt.
    let changed: i64 = changes.map(|(_, change)| change.as_minor()).sum();
    let total = Money::from_minor((issued.as_minor() + changed).max(0));
    let is_raised =
        books.changes_of(&hash).first().is_some_and(|(day, more)| *day <= as_of && *more > Money::ZERO);
    if correction.is_some() && !is_raised {
        return None;
    }
    let paid = standing(books.payments_of(&hash), as_of);
    // What is paid beyond a total that was lowered is on its way to the account's advance.
    let paid_minor: i64 = paid.iter().map(|(_, amount)| amount.as_minor()).sum();
    let open = Money::from_minor((total.as_minor() - paid_minor).max(0));
    let table = books.penalty_table_on(as_of).map(|table| &table.body);
    let billed_in = correction.map_or(period, |(_, day)| day.period());
    let due = table.map(|table| table.due_day(billed_in));
    let due_day = match (&due, correction) {
        (Some(Ok(day)), _) => *day,
        (_, Some((_, day))) => day,
        (_, None) => last_day(period),
    };
    let penalty_of =
        |table: &PenaltyTable, due: Day| table.penalty(&OverdueDebt { due, total, payments: &paid, as_of });
    let penalty = due.zip(table).map(|(due, table)| due.and_then(|due| penalty_of(table, due)));
    Some(Debt {
        account: *account,
        period,
        correction: correction.map(|(hash, _)| hash),
        total,
        open,
        due: due_day,
        days_overdue: as_of.since(due_day),
        penalty,
    })
}

fn last_day(period: Period) -> Day {
    period.end_day().plus(-1).expect("the day before a month's end is one of its days")
}

/// What was paid on which day, as far as it stood on a day. What a reversal or a correction took back counts as never paid: it
/// undoes the latest payments.
fn standing(moves: &[(Day, Money)], as_of: Day) -> Vec<(Day, Money)> {
    let mut paid: Vec<(Day, Money)> = Vec::new();
    for &(day, amount) in moves.iter().filter(|(day, _)| *day <= as_of) {
        if amount > Money::ZERO {
            paid.push((day, amount));
            continue;
        }
        let mut back = -amount.as_minor();
        while let Some((_, last)) = paid.last_mut().filter(|_| back > 0) {
            let taken = back.min(last.as_minor());
            *last = Money::from_minor(last.as_minor() - taken);
            back -= taken;
            if *last == Money::ZERO {
                paid.pop();
            }
        }
    }
    paid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        let table = [
            (i32::MIN, Age::NotDue),
            (-1, Age::NotDue),
            (0, Age::UpTo30),
            (30, Age::UpTo30),
            (31, Age::UpTo90),
            (90, Age::UpTo90),
            (91, Age::UpTo180),
            (180, Age::UpTo180),
            (181, Age::Older),
            (i32::MAX, Age::Older),
        ];
        for (days, want) in table {
            assert_eq!(Age::of(days), want, "{days}");
        }
    }

    #[test]
    fn what_is_taken_back_was_never_paid() {
        let day = |text: &str| text.parse::<Day>().unwrap();
        let paid = |minor| Money::from_minor(minor);
        let dated = [(day("2026-05-02"), paid(30)), (day("2026-05-01"), paid(20))];
        let moves = [dated[0], dated[1], (day("2026-05-09"), paid(-25)), (day("2026-06-01"), paid(5))];
        for (as_of, want) in [
            ("2026-05-01", vec![dated[1]]),
            ("2026-05-08", dated.to_vec()),
            ("2026-05-09", vec![(dated[0].0, paid(25))]),
            ("2026-06-01", vec![(dated[0].0, paid(25)), moves[3]]),
        ] {
            assert_eq!(standing(&moves, day(as_of)), want, "{as_of}");
        }
    }
}
