//! Payments, reversals and releases over whole accounts: tables of what happens, and what holds for any sequence of them.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::collections::BTreeMap;

use tallywatt_core::account::{AccountState, Entry, OpenBill, Payment, Reversal};
use tallywatt_core::accrual::{ACCRUAL_DUE_DAY_MAX, Basis, Closing};
use tallywatt_core::agreement::{Party, SHARE_WHOLE};
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{AccountId, Label};
use tallywatt_core::money::{ExactAmount, Money, Rounding};
use tallywatt_core::payment_book::{Agreements, PaymentBook};
use tallywatt_core::payment_terms::{Limits, PaymentTerms, SplitRounding};
use tallywatt_core::reserve::{ReserveAction, ReserveOf, ReserveOrder, ReserveTerms, ReserveWhile};
use tallywatt_core::split::{Cause, LegKind, RunningSplit, Settled, allocate};
use tallywatt_core::suspense::Match;
use tallywatt_core::transfer::{TransferBook, TransferKey, TransferLine, TransferRelease, TransferTerms};

#[path = "payments/accrual.rs"]
mod accrual;
#[path = "payments/reserve.rs"]
mod reserve;
#[path = "payments/story.rs"]
mod story;
#[path = "payments/suspense.rs"]
mod suspense;

use story::{Random, agreement, bill, entry, hash, order, tell, two};

#[test]
fn stories() {
    let default = "designated earlier current";
    let table: &[(&str, &str, &[&str])] = &[
        // F2, oldest first, an advance.
        (default, "b1G90/30 b2S50/10 p1:100", &["P p1: 01 90/30, 02 10/2"]),
        (default, "b1G90/30 p1:100", &["P p1: 01 90/30, advance 10"]),
        (default, "b1G90/30 b2S50/10 p1:60@02", &["P p1: 02 50/10, 01 10/3"]),
        // F3: by open amounts, the largest remainder to the first of equal ones.
        ("proportional", "b1G90/30 b2G60/20 p1:15 p2:5", &["P p1: 01 9/3, 02 6/2", "P p2: 01 3/1, 02 2/1"]),
        // F6: what is paid ahead is split by the next bill's own agreement.
        (default, "p1:100 b1S90/45 .", &["P p1: advance 100", "A p1: 01 90/45"]),
        (
            default,
            "p1:60 p2:60 b1G90/30 p3:5 b2S90/9 .",
            &[
                "P p1: advance 60",
                "P p2: advance 60",
                "A p1: 01 60/20",
                "A p2: 01 30/10",
                "P p3: advance 5",
                "A p2: 02 30/3",
                "A p3: 02 5/1",
            ],
        ),
        // F7: back along the same legs, the newest first, and the bills are open again.
        (
            default,
            "b1G90/30 b2S50/10 p1:150 r2<p1:150",
            &["P p1: 01 90/30, 02 50/10, advance 10", "R r2: 02 50/10, 01 90/30, advance 10"],
        ),
        (default, "b1G90/30 p1:90 r2<p1:90 p3:90", &["P p1: 01 90/30", "R r2: 01 90/30", "P p3: 01 90/30"]),
        (
            default,
            "b1G90/30 b2S50/10 p1:150 r2<p1:20 r3<p1:60 r4<p1:70",
            &[
                "P p1: 01 90/30, 02 50/10, advance 10",
                "R r2: 02 10/2, advance 10",
                "R r3: 02 40/8, 01 20/7",
                "R r4: 01 70/23",
            ],
        ),
        (
            default,
            "p1:100 b1S90/45 . r2<p1:95",
            &["P p1: advance 100", "A p1: 01 90/45", "R r2: 01 85/43, advance 10"],
        ),
        // What another payment had paid ahead goes to the bill that is open again.
        (
            default,
            "b1G90/30 p1:90 p2:50 r3<p1:90",
            &["P p1: 01 90/30", "P p2: advance 50", "R r3: 01 90/30", "A p2: 01 50/17"],
        ),
        // A reversal in the registry of its payment, and one of money in suspense.
        (default, "b1G90/30 r5<p5:40+p5:90", &["P p5: 01 90/30", "R r5: 01 40/13"]),
        (
            default,
            "x1:70 r2<x1:30 r3<x1:40",
            &["P x1: suspense 70", "R r2: suspense 30", "R r3: suspense 40"],
        ),
        // Once more is passed over, alone or among others.
        (default, "b1G90/30 p1:30 p1:30+p2:30", &["P p1: 01 30/10", "P p2: 01 30/10"]),
    ];
    for (steps, story, want) in table {
        let terms = PaymentTerms { order: order(steps), ..PaymentTerms::default() };
        let mut book = PaymentBook::default();
        book.open_account("A".parse().unwrap());
        assert_eq!(tell(&mut book, &two(&terms), story).unwrap(), *want, "{steps}: {story}");
    }
}

#[test]
fn what_is_refused() {
    let table = [
        ("p1:90 p1:91", "payment p1 is already settled with other contents"),
        ("p1:90 p1:90@02", "payment p1 is already settled with other contents"),
        ("p1:90 r2<p1:1 r2<p1:2", "payment r2 is already settled with other contents"),
        ("p1:90 r2<p1:90 r2:5", "payment r2 is already settled with other contents"),
        ("p1:90+p1:91", "payment p1 stands twice in the registry"),
        ("p1:90+p1:90", "payment p1 stands twice in the registry"),
        ("p1:0", "payment p1 is not above zero"),
        ("p1:90 r2<p1:-1", "payment r2 is not above zero"),
        ("p1:90 r2<p3:1", "reversal r2 is of payment p3, which was never settled"),
        ("p1:90 r2<p1:50 r3<p1:50", "reversal r3 takes 0.50 back, at most 0.40 is left of payment p1"),
        ("p1:90 r2<p1:50+r3<p1:50", "reversal r3 takes 0.50 back, at most 0.40 is left of payment p1"),
        ("p1:90 r2<p1:90 r3<r2:90", "reversal r3 is of payment r2, which was never settled"),
        ("p5:90 r4<p5:1", "reversal r4 is of 2026-03-04, its payment of 2026-03-05"),
        ("p1:90 p1:90", "every payment is settled already: nothing is new"),
        (".", "every payment is settled already: nothing is new"),
        ("p1:9223372036854775807 p2:1", "sums of all payments ever received do not fit 64 bits"),
    ];
    for (story, want) in table {
        let mut book = PaymentBook::default();
        book.open_account("A".parse().unwrap());
        let got = tell(&mut book, &two(&PaymentTerms::default()), story);
        assert_eq!(got.unwrap_err(), want, "{story}");
    }
    let mut book = PaymentBook::default();
    tell(&mut book, &Agreements::new(), "x1:70").unwrap();
    let Entry::Reversal(reversal) = entry("r2<x1:70") else { unreachable!("it is a reversal") };
    let other = Reversal { account: "A".parse().unwrap(), ..reversal };
    let refused = book.settle(vec![Entry::Reversal(other)], &Agreements::new()).unwrap_err();
    assert_eq!(refused.to_string(), "reversal r2 is of account A, its payment of X");
}

/// A stored entry that is not what the books give is refused when it is read again.
#[test]
fn what_does_not_follow_is_refused() {
    let agreements = two(&PaymentTerms::default());
    let mut book = PaymentBook::default();
    tell(&mut book, &agreements, "b1G90/30 b2S50/10 p1:100").unwrap();
    let reversal = book.settle(vec![entry("r2<p1:60")], &agreements).unwrap().remove(0);
    let payment = book.settle(vec![entry("p2:20")], &agreements).unwrap().remove(0);
    let bend = |settled: &Settled, bent: fn(&mut Settled)| {
        let mut other = settled.clone();
        bent(&mut other);
        assert_ne!(other, *settled);
        let refused = book.clone().apply(&other).unwrap_err();
        assert!(refused.to_string().contains("does not follow"), "{refused}");
    };
    bend(&payment, |settled| settled.allocations[0].bill = hash(9));
    bend(&payment, |settled| settled.legs.truncate(1));
    bend(&reversal, |settled| settled.allocations.reverse());
    bend(&reversal, |settled| settled.allocations[0].bill = hash(1));
    book.apply(&payment).unwrap();
    assert!(book.apply(&payment).is_err(), "a payment is never split twice");
}

fn random_terms(random: &mut Random) -> PaymentTerms {
    let orders = ["designated earlier current", "proportional", "designated proportional", "current earlier"];
    let limit = |random: &mut Random| [Money::ZERO, random.minor(2_000)][usize::from(random.below(3) == 0)];
    let payee = Limits { at_least: limit(random), at_most: None };
    let most = Money::from_minor(payee.at_least.as_minor() + random.minor(5_000).as_minor());
    let payee = Limits { at_most: (random.below(3) == 0).then_some(most), ..payee };
    let terms = PaymentTerms {
        order: order(random.pick::<&str>(&orders)),
        rounding: *random.pick(&SplitRounding::ALL),
        payee,
        remainder: Limits { at_least: limit(random), at_most: None },
        transfer: TransferTerms {
            minimum: Money::from_minor(random.minor(60_001).as_minor() - 1),
            release: *random.pick(&TransferRelease::ALL),
        },
        basis: match random.below(2) {
            0 => Basis::Cash,
            _ => Basis::Accrual(1 + u8::try_from(random.below(u64::from(ACCRUAL_DUE_DAY_MAX))).unwrap()),
        },
        reserve: (random.below(2) == 0).then(|| ReserveTerms {
            of: *random.pick(&ReserveOf::ALL),
            share: 1 + u32::try_from(random.below(u64::from(SHARE_WHOLE))).unwrap(),
            when: *random.pick(&ReserveWhile::ALL),
        }),
        ..PaymentTerms::default()
    };
    terms.check().unwrap();
    terms
}

/// Ten million payments over one to four open bills of two agreements: Σ legs = payment, no leg below zero, each within a
/// minor unit of its exact part.
#[test]
fn ten_million_payments_are_their_legs() {
    const CASES_A_SEED: u64 = 2_500;
    let run = |seeds: std::ops::Range<u64>| {
        let mut cases = 0;
        for seed in seeds {
            let mut random = Random::new(seed);
            let agreements: BTreeMap<_, _> =
                [1, 2].map(|tag| (hash(tag), agreement(Party::Grid, random_terms(&mut random)))).into();
            let mut account = AccountState::default();
            for month in 1..=1 + u8::try_from(random.below(4)).unwrap() {
                let total = random.minor(1_000_000);
                let tag = u8::try_from(random.below(2)).unwrap() + 1;
                account.issue(bill(month, tag, total, i128::from(random.below(1_001))));
            }
            let order = &agreements[&account.open.last().unwrap().agreement].terms.order;
            let due = ExactAmount::from_e11(i128::from(random.below(1 << 40)));
            let running = BTreeMap::from([(hash(1), RunningSplit::at(due).unwrap())]);
            for case in 0..CASES_A_SEED {
                let amount = random.minor(1_200_000);
                let placed = account.place(amount, None, order);
                let allocations = allocate(&account, &placed, &agreements, &running);
                let advance =
                    amount.as_minor() - placed.iter().map(|(_, taken)| taken.as_minor()).sum::<i64>();
                let mut sum = advance;
                for one in &allocations {
                    let (payee, remainder) = (one.payee.as_minor(), one.remainder().as_minor());
                    assert!(payee >= 0 && remainder >= 0, "seed {seed} case {case}: {allocations:?}");
                    let off = (one.payee.exact().as_e11() - one.payee_part.as_e11()).abs();
                    assert!(off < Money::from_minor(1).exact().as_e11(), "seed {seed} case {case}");
                    sum += payee + remainder;
                }
                let is_paid = account.debt() <= amount;
                assert!(sum == amount.as_minor() && advance >= 0, "seed {seed} case {case}: {allocations:?}");
                assert!(advance == 0 || is_paid, "seed {seed} case {case}: parked beside an open bill");
                cases += 1;
            }
        }
        cases
    };
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(2_000..4_000));
        (run(0..2_000), other.join().unwrap())
    });
    assert_eq!(first + second, 10_000_000_u64);
}

/// Sums over a book, from its accounts on the one side and from what was settled on the other.
#[derive(Default)]
struct Tally {
    legs: BTreeMap<(Party, LegKind), i64>,
    received: i64,
    billed: i64,
    transfers: TransferBook,
    /// Agreement, month and the payee's exact part of every bill.
    parts: Vec<(ContentHash, Period, i128)>,
    /// What allocations brought each payee, and true-ups.
    payees: BTreeMap<(ContentHash, Period), i64>,
    trued_up: BTreeMap<ContentHash, i64>,
}

impl Tally {
    fn add(&mut self, settled: &Settled, agreements: &Agreements) {
        self.transfers.add(settled, agreements);
        for leg in &settled.legs {
            *self.legs.entry((leg.party, leg.kind)).or_default() += leg.amount.as_minor();
        }
        for leg in &settled.back {
            *self.legs.entry((leg.party, leg.kind)).or_default() -= leg.amount.as_minor();
        }
        self.received += match &settled.cause {
            Cause::Payment(payment) => payment.amount.as_minor(),
            Cause::Reversal(reversal) => -reversal.amount.as_minor(),
            Cause::Release(_)
            | Cause::Match(_)
            | Cause::Withdrawal(_)
            | Cause::TrueUp(_)
            | Cause::Credit(_)
            | Cause::Accrual(_)
            | Cause::Reserve(_) => 0,
        };
        let sign = if matches!(settled.cause, Cause::Reversal(_)) { -1 } else { 1 };
        for one in &settled.allocations {
            *self.payees.entry((one.agreement, one.period)).or_default() += sign * one.payee.as_minor();
        }
        if let Cause::Accrual(one) = &settled.cause {
            let Closing { agreement, period } = one.closing;
            let trued_up = self.trued_up.entry(agreement).or_default();
            *trued_up += one.amount.as_minor();
            let is_own = |hash: ContentHash, month: Period| hash == agreement && month <= period;
            let parts = self.parts.iter().filter(|(hash, month, _)| is_own(*hash, *month));
            let accrued = ExactAmount::from_e11(parts.map(|(.., part)| part).sum()).round(Rounding::HalfUp);
            let own = self.payees.iter().filter(|((hash, month), _)| is_own(*hash, *month));
            let got = own.map(|(_, minor)| minor).sum::<i64>() + *trued_up;
            assert_eq!(got, accrued.unwrap().as_minor(), "what accrued up to {period}, and nothing else");
        }
    }

    fn check(&self, book: &PaymentBook, why: &str) {
        let of = |kind| Party::ALL.iter().filter_map(|party| self.legs.get(&(*party, kind))).sum::<i64>();
        let state = |sum: fn(&AccountState) -> Money| {
            book.accounts().values().map(|state| sum(state).as_minor()).sum::<i64>()
        };
        let running: i64 = book.running().values().map(|split| split.paid.as_minor()).sum();
        // Only what moves between two of them is below zero with one.
        for ((party, kind), sum) in &self.legs {
            let may_be = *kind == LegKind::Accrual || *kind == LegKind::Reserve && *party != Party::Bank;
            assert!(may_be || *sum >= 0, "{why}: {:?}", self.legs);
        }
        assert_eq!((of(LegKind::Accrual), of(LegKind::Reserve)), (0, 0), "{why}");
        let held: i64 = book.reserve().keys().iter().map(|key| book.reserve().held(key).as_minor()).sum();
        let of_bank = self.legs.get(&(Party::Bank, LegKind::Reserve)).copied().unwrap_or_default();
        assert_eq!(of_bank, held, "{why}: reserve");
        assert_eq!(self.legs.values().sum::<i64>(), self.received, "{why}: legs are what was received");
        assert_eq!(of(LegKind::Advance), state(AccountState::advance), "{why}: advances");
        assert_eq!(
            self.billed - state(AccountState::debt),
            of(LegKind::Part) + of(LegKind::Remainder),
            "{why}: bills"
        );
        assert_eq!(of(LegKind::Part), running, "{why}: running splits");
        let suspended: i64 = book.suspense().iter().map(|placed| placed.suspended().as_minor()).sum();
        assert_eq!(of(LegKind::Suspense), suspended, "{why}: suspense");
        let left: i64 = book.payments().values().map(|placed| placed.left().as_minor()).sum();
        assert_eq!(left, self.received, "{why}: no payment is lost");
        // The day equation, over all days.
        let day = |party| book.days().values().map(|sheet| sheet.handed_over(party).as_minor()).sum::<i64>();
        let handed_over = day(Party::Grid) + day(Party::Supplier);
        let of_bank = suspended + held;
        assert_eq!(handed_over + of_bank, self.received, "{why}: hand-over lists, suspense and reserve");
        assert_eq!(day(Party::Bank), of_bank, "{why}: suspense and reserve");
        self.check_transfers(why);
        for (day, sheet) in book.days() {
            let sum: i64 = sheet.legs().values().map(|amount| amount.as_minor()).sum();
            assert_eq!(sum, sheet.paid().as_minor() - sheet.reversed().as_minor(), "{why}: {day}");
        }
    }
}

impl Tally {
    /// The equation of every day for every party, each day from the one before it; and nothing is lost on the way.
    fn check_transfers(&self, why: &str) {
        let first: Day = "2026-01-01".parse().unwrap();
        let Some(last) = self.transfers.open_day() else { return };
        let mut carried: BTreeMap<TransferKey, i64> = BTreeMap::new();
        let mut transferred: BTreeMap<Party, i64> = BTreeMap::new();
        let mut day = first;
        loop {
            for (key, line) in self.transfers.day(day) {
                let before = carried.remove(&key).unwrap_or_default();
                let TransferLine { due, carried_in, carried_out, .. } = line;
                let sum = due.as_minor() + carried_in.as_minor();
                assert_eq!(before, carried_in.as_minor(), "{why}: {day} {key:?} {line:?}");
                assert_eq!(sum, line.transferred.as_minor() + carried_out.as_minor(), "{why}: {day} {key:?}");
                carried.insert(key, carried_out.as_minor());
                *transferred.entry(key.0).or_default() += line.transferred.as_minor();
            }
            if day == last {
                break;
            }
            day = day.plus(1).unwrap();
        }
        for party in [Party::Grid, Party::Supplier] {
            let legs: i64 = self.legs.iter().filter(|((of, _), _)| *of == party).map(|(_, sum)| sum).sum();
            let left: i64 = carried.iter().filter(|((of, _), _)| *of == party).map(|(_, sum)| sum).sum();
            let got = transferred.get(&party).copied().unwrap_or_default();
            assert_eq!(got + left, legs, "{why}: transfers to {party} and what is carried on");
        }
    }
}

/// Bills, payments and reversals in any sequence, cut into registries anyhow; at the end every payment is taken back.
#[test]
fn any_sequence_balances() {
    for seed in 0..400 {
        let mut random = Random::new(seed ^ 0x00ac_c0de);
        let agreements: Agreements = [(1, Party::Grid), (2, Party::Supplier), (3, Party::Grid)]
            .map(|(tag, payee)| (hash(tag), agreement(payee, random_terms(&mut random))))
            .into();
        let (mut book, mut tally) = (PaymentBook::default(), Tally::default());
        let accounts = ["A", "B", "C"].map(|name| name.parse().unwrap());
        accounts[..2].iter().for_each(|account| book.open_account(*account));
        let mut issued = BTreeMap::new();
        for step in 0..60_u64 {
            let why = format!("seed {seed} step {step}");
            if random.below(90) == 0 {
                // What waits in suspense for it is found before the next entries.
                book.open_account(accounts[2]);
            }
            if random.below(4) == 0 {
                let account = *random.pick(&accounts[..2]);
                let month: &mut u8 = issued.entry(account).or_insert(0);
                if *month < 12 {
                    *month += 1;
                    let total = random.minor(100_000);
                    let tag = u8::try_from(random.below(3)).unwrap() + 1;
                    // The months of two accounts are two bills.
                    let new = bill(*month, tag, total, i128::from(random.below(1_001)));
                    let hash = ContentHash([*month + if account == accounts[0] { 0 } else { 100 }; 32]);
                    book.issue(account, OpenBill { bill: hash, ..new });
                    tally.parts.push((new.agreement, new.period, new.payee_part.as_e11()));
                    tally.billed += total.as_minor();
                }
            }
            if let Some(entry) = random_order(&mut random, &book, &accounts, step)
                && let Ok(settled) = book.settle(vec![entry], &agreements)
            {
                for one in settled {
                    book.apply(&one).unwrap();
                    tally.add(&one, &agreements);
                }
                tally.check(&book, &why);
            }
            let entries = random_entries(&mut random, &book, &accounts, step);
            let Ok(settled) = book.settle(entries.clone(), &agreements) else {
                assert!(entries.is_empty() && !book.is_waiting(), "{why}: {entries:?}");
                continue;
            };
            for one in &settled {
                book.apply(one).unwrap();
                tally.add(one, &agreements);
            }
            tally.check(&book, &why);
            assert!(!book.is_waiting(), "{why}: parked money waits beside an open bill");
            assert!(entries.iter().all(|entry| book.is_settled(entry)), "{why}");
            assert!(book.settle(entries, &agreements).is_err(), "{why}: the same registry once more");
        }
        take_everything_back(&mut book, &mut tally, &agreements, &mut random, seed);
    }
}

/// A month to true up, or a reserve to hold or release, that may be there or not.
fn random_order(random: &mut Random, book: &PaymentBook, accounts: &[AccountId], step: u64) -> Option<Entry> {
    let months: Vec<(ContentHash, Period)> = book.accrual().months().keys().copied().collect();
    if months.is_empty() || random.below(3) > 0 {
        return None;
    }
    let (agreement, period) = *random.pick(&months);
    if random.below(2) == 0 {
        return Some(Entry::Accrual(Closing { agreement, period }));
    }
    let booked = format!("2026-{:02}-{:02}", 1 + step / 5, 1 + step % 5 * 5).parse().unwrap();
    let (id, account) = (format!("o{step}").parse().unwrap(), *random.pick(accounts));
    let action = *random.pick(&ReserveAction::ALL);
    Some(Entry::Reserve(ReserveOrder { id, account, period, booked, action }))
}

/// Whether an entry moves the money of a payment on.
fn names(entry: &Entry, id: &Label) -> bool {
    match entry {
        Entry::Payment(_) | Entry::Accrual(_) | Entry::Reserve(_) => false,
        Entry::Reversal(reversal) => reversal.payment == *id,
        Entry::Match(one) => one.payment == *id,
    }
}

fn random_entries(random: &mut Random, book: &PaymentBook, accounts: &[AccountId], step: u64) -> Vec<Entry> {
    let booked = format!("2026-{:02}-{:02}", 1 + step / 5, 1 + step % 5 * 5).parse().unwrap();
    let mut entries = Vec::new();
    for at in 0..random.below(4) {
        let known: Vec<Payment> = book.payments().values().map(|placed| placed.payment().clone()).collect();
        let id = format!("s{step}-{at}").parse().unwrap();
        if known.is_empty() || random.below(3) > 0 {
            let period = (random.below(3) == 0).then(|| format!("2026-{:02}", 1 + random.below(12)));
            let period = period.map(|text| text.parse().unwrap());
            let (account, amount) = (*random.pick(accounts), random.minor(60_000));
            entries.push(Entry::Payment(Payment { id, account, booked, amount, period, remittance: None }));
            continue;
        }
        let held: Vec<(Label, Money)> = book
            .suspense()
            .iter()
            .filter(|placed| !book.accounts().contains_key(&placed.payment().account))
            .map(|placed| (placed.payment().id, placed.suspended()))
            .collect();
        if !held.is_empty() && random.below(2) == 0 {
            let (payment, left) = *random.pick(&held);
            let amount = if random.below(2) == 0 { left } else { random.minor(left.as_minor()) };
            let account = *random.pick(&accounts[..2]);
            // A part of it may be named once a registry, or the whole would be passed.
            if !entries.iter().any(|entry| names(entry, &payment)) {
                entries.push(Entry::Match(Match { id, payment, account, booked, amount }));
            }
            continue;
        }
        let payment = random.pick(&known).clone();
        let left = book.payments()[&payment.id].left();
        if left > Money::ZERO && !entries.iter().any(|entry| names(entry, &payment.id)) {
            let amount = if random.below(2) == 0 { left } else { random.minor(left.as_minor()) };
            let Payment { id: payment, account, .. } = payment;
            entries.push(Entry::Reversal(Reversal { id, payment, account, booked, amount }));
        }
    }
    entries
}

/// Reversals of all that is left, in random order: nobody has anything, and all bills are as they were issued.
fn take_everything_back(
    book: &mut PaymentBook,
    tally: &mut Tally,
    agreements: &Agreements,
    random: &mut Random,
    seed: u64,
) {
    loop {
        let left: Vec<(Payment, Money)> = book
            .payments()
            .values()
            .map(|placed| (placed.payment().clone(), placed.left()))
            .filter(|(_, left)| *left > Money::ZERO)
            .collect();
        let Some((Payment { id: payment, account, .. }, amount)) =
            (!left.is_empty()).then(|| random.pick(&left).clone())
        else {
            break;
        };
        let id = format!("r{payment}").parse().unwrap();
        let booked = "2027-01-01".parse().unwrap();
        let entry = Entry::Reversal(Reversal { id, payment, account, booked, amount });
        for one in book.settle(vec![entry], agreements).unwrap() {
            book.apply(&one).unwrap();
            tally.add(&one, agreements);
        }
        tally.check(book, &format!("seed {seed} back {payment}"));
    }
    // What accrued stays between the parties, paid or not; the next true-up counts all of it.
    let is_zero = |((_, kind), sum): (&(Party, LegKind), &i64)| *kind == LegKind::Accrual || *sum == 0;
    assert!(tally.legs.iter().all(is_zero), "seed {seed}: {:?}", tally.legs);
    assert!(book.running().values().all(|split| *split == RunningSplit::default()), "seed {seed}");
    for state in book.accounts().values() {
        let fresh = |open: &OpenBill| open.paid == Money::ZERO && open.payee_paid == ExactAmount::ZERO;
        assert!(state.open.iter().all(fresh) && state.parked().is_empty(), "seed {seed}");
    }
    let owed: i64 = book.accounts().values().map(|state| state.debt().as_minor()).sum();
    assert_eq!(owed, tally.billed, "seed {seed}");
}
