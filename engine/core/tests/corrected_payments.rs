//! Corrections and bills below zero in the payment book: tables of what happens, and what holds for any sequence of bills,
//! corrections up and down, payments and reversals.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::collections::BTreeMap;

use tallywatt_core::account::{AccountState, Entry, OpenBill, Payment, Restated, Reversal};
use tallywatt_core::accrual::{Basis, Closing};
use tallywatt_core::agreement::{Agreement, Party, SHARE_WHOLE, SplitRule};
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::AccountId;
use tallywatt_core::money::{ExactAmount, Money, Rounding};
use tallywatt_core::payment_book::{Agreements, PaymentBook};
use tallywatt_core::payment_terms::{Limits, PaymentTerms, SplitRounding, Step};
use tallywatt_core::reserve::{ReserveAction, ReserveOf, ReserveOrder, ReserveTerms, ReserveWhile};
use tallywatt_core::split::{Cause, LegKind, Settled};
use tallywatt_core::suspense::Match;
use tallywatt_core::validity::Validity;

/// A linear congruential generator: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x51a7)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 31) ^ (self.0 << 33)) % bound
    }

    fn minor(&mut self, most: i64) -> i64 {
        i64::try_from(self.below(most.unsigned_abs())).unwrap() + 1
    }
}

fn hash(tag: u8) -> ContentHash {
    ContentHash([tag; 32])
}

fn agreement(payee: Party, terms: PaymentTerms) -> Agreement {
    let remainder = if payee == Party::Grid { Party::Supplier } else { Party::Grid };
    Agreement {
        id: "split".parse().unwrap(),
        title: String::new(),
        currency: "RUB".parse().unwrap(),
        validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
        payee,
        remainder,
        rule: SplitRule::Share(SHARE_WHOLE),
        terms,
    }
    .check()
    .unwrap()
}

/// `G` and `S`: the grid company or the supplier for payee.
fn two(terms: &PaymentTerms) -> Agreements {
    [(1, Party::Grid), (2, Party::Supplier)]
        .map(|(tag, payee)| (hash(tag), agreement(payee, terms.clone())))
        .into()
}

fn account() -> AccountId {
    "A".parse().unwrap()
}

fn month(number: u8) -> Period {
    format!("2026-{number:02}").parse().unwrap()
}

fn bill(tag: u8, number: u8, agreement: u8, total: i64, part: ExactAmount) -> OpenBill {
    OpenBill {
        bill: hash(tag),
        period: month(number),
        since: month(number).end_day(),
        agreement: hash(agreement),
        total: Money::from_minor(total),
        paid: Money::ZERO,
        payee_part: part,
        payee_paid: ExactAmount::ZERO,
    }
}

fn minor(text: &str) -> ExactAmount {
    Money::from_minor(text.parse().unwrap()).exact()
}

/// One settled entry as text: `W p1: 01 30/10` takes 30 of the payment off January's bill, of which 10 are the payee's; legs
/// of parties behind it, what is given back below zero.
fn written(settled: &Settled) -> String {
    let kind = match &settled.cause {
        Cause::Payment(_) => "P",
        Cause::Reversal(_) => "R",
        Cause::Release(_) => "A",
        Cause::Match(_) => "M",
        Cause::Withdrawal(_) => "W",
        Cause::TrueUp(_) => "T",
        Cause::Credit(_) => "C",
        Cause::Accrual(_) => "U",
        Cause::Reserve(_) => "H",
    };
    let id = settled.id().to_string();
    let mut parts: Vec<String> = settled
        .allocations
        .iter()
        .map(|one| format!("{:02} {}/{}", one.bill.0[0], one.amount.as_minor(), one.payee.as_minor()))
        .collect();
    if matches!(settled.cause, Cause::TrueUp(_) | Cause::Credit(_)) {
        let signed = settled.legs.iter().map(|leg| (leg, 1)).chain(settled.back.iter().map(|leg| (leg, -1)));
        parts.extend(signed.map(|(leg, sign)| {
            format!("{} {} {}", leg.party, leg.kind.name(), sign * leg.amount.as_minor())
        }));
    }
    for leg in settled.legs.iter().chain(&settled.back) {
        let is_shown = matches!(settled.cause, Cause::Payment(_) | Cause::Reversal(_));
        if leg.kind == LegKind::Advance && is_shown {
            parts.push(format!("{} {}", leg.kind.name(), leg.amount.as_minor()));
        }
    }
    format!("{kind} {}: {}", &id[..id.len().min(7)], parts.join(", "))
}

/// Runs a story, a step a word. `b1G90/30` issues January's bill of 90 under agreement G, of which 30 are the payee's;
/// `c11G60/20` corrects January to 60, of which 20 are: the correction is known as 11, 12, …, and made on the 9th of June.
/// `p1:100` is a payment, `r2<p1:40` takes 40 of it back; `.` is a registry without entries.
fn tell(book: &mut PaymentBook, agreements: &Agreements, story: &str) -> Vec<String> {
    let mut told = Vec::new();
    for step in story.split_whitespace() {
        if let Some(text) = step.strip_prefix(['b', 'c']) {
            let (head, part) = text.split_once('/').unwrap();
            let at = head.find(['G', 'S']).unwrap();
            let agreement = if head[at..].starts_with('G') { 1 } else { 2 };
            let total: i64 = head[at + 1..].parse().unwrap();
            let tag: u8 = head[..at].parse().unwrap();
            if step.starts_with('b') {
                book.issue(account(), bill(tag, tag, agreement, total, minor(part)));
            } else {
                let new = Restated {
                    correction: hash(tag),
                    period: month(tag / 10),
                    since: "2026-06-09".parse().unwrap(),
                    agreement: hash(agreement),
                    total: Money::from_minor(total),
                    payee_part: minor(part),
                };
                book.restate(account(), &new);
            }
            continue;
        }
        let entries: Vec<Entry> = if step == "." { Vec::new() } else { vec![entry(step)] };
        let settled = match book.settle(entries, agreements) {
            Ok(settled) => settled,
            Err(error) => {
                told.push(error.to_string());
                continue;
            }
        };
        for one in &settled {
            book.apply(one).unwrap();
            told.push(written(one));
        }
        assert!(!book.is_waiting(), "{story}");
    }
    told
}

fn entry(text: &str) -> Entry {
    let (head, amount) = text.rsplit_once(':').unwrap();
    let (id, payment) = head.split_once('<').map_or((head, None), |(id, payment)| (id, Some(payment)));
    let booked: Day = format!("2026-03-{:0>2}", &id[1..]).parse().unwrap();
    let (id, amount) = (id.parse().unwrap(), Money::from_minor(amount.parse().unwrap()));
    match payment {
        Some(payment) => Entry::Reversal(Reversal {
            id,
            payment: payment.parse().unwrap(),
            account: account(),
            booked,
            amount,
        }),
        None => {
            Entry::Payment(Payment { id, account: account(), booked, amount, period: None, remittance: None })
        }
    }
}

const NOTHING: &str = "every payment is settled already: nothing is new";

/// Each row by hand: parts are thirds where they can be, so that a pro-rata part is whole.
#[test]
fn stories() {
    let table: &[(&str, &[&str])] = &[
        // Upwards: a debt of its own, with its own split.
        ("b1G90/30 p1:90 c11G120/40 p2:30", &["P p1: 01 90/30", "P p2: 11 30/10"]),
        ("b1G90/30 c11G120/40 p1:120", &["P p1: 01 90/30, 11 30/10"]),
        (
            "b1G90/30 p1:100 c11G120/40 . p2:20",
            &["P p1: 01 90/30, advance 10", "A p1: 11 10/3", "P p2: 11 20/7"],
        ),
        // Downwards, and nothing paid: so much less to pay.
        ("b1G90/30 c11G60/20 . p1:70", &[NOTHING, "P p1: 01 60/20, advance 10"]),
        // Paid in full: what is too much waits, of the newest payment, along its own legs.
        ("b1G90/30 p1:60 p2:30 c11G60/20 .", &["P p1: 01 60/20", "P p2: 01 30/10", "W p2: 01 30/10"]),
        // Paid in part: first what is open is less.
        ("b1G90/30 p1:60 c11G45/15 .", &["P p1: 01 60/20", "W p1: 01 15/5"]),
        // What waits goes to the next open bill at once.
        ("b1G90/30 p1:90 b2S50/10 c11G60/20 .", &["P p1: 01 90/30", "W p1: 01 30/10", "A p1: 02 30/6"]),
        // The payee's part alone: the parties settle it between themselves.
        (
            "b1G90/30 p1:90 c11G90/45 .",
            &["P p1: 01 90/30", "T p1: 01 90/45, grid part 15, supplier remainder -15"],
        ),
        (
            "b1G90/30 p1:90 c11G90/12 .",
            &["P p1: 01 90/30", "T p1: 01 90/12, supplier remainder 18, grid part -18"],
        ),
        // Less in all, and more for the payee.
        (
            "b1G90/30 p1:90 c11G60/30 .",
            &["P p1: 01 90/30", "W p1: 01 30/10", "T p1: 01 60/30, grid part 10, supplier remainder -10"],
        ),
        // More in all, and less for the payee: the increase is all the remainder taker's, and the rest a true-up.
        (
            "b1G90/30 p1:90 c11G100/25 . p2:10",
            &["P p1: 01 90/30", "T p1: 01 90/25, supplier remainder 5, grid part -5", "P p2: 11 10/0"],
        ),
        // What the next payment can make good is no true-up: of 20 still to come the payee gets 4.
        ("b1G90/30 p1:60 c11G80/24 . p2:20", &["P p1: 01 60/20", NOTHING, "P p2: 01 20/4"]),
        // Up, then down: the increase goes first, as far as it is open.
        ("b1G90/30 p1:90 c11G120/40 c12G105/35 p2:15", &["P p1: 01 90/30", "P p2: 11 15/5"]),
        (
            "b1G90/30 p1:120 c11G120/40 . c12G75/25 .",
            &["P p1: 01 90/30, advance 30", "A p1: 11 30/10", "W p1: 01 15/5", "W p1: 11 30/10"],
        ),
        // Below zero: an advance, from the parties as its parts are; the next bill takes it.
        (
            "b1G-50/-20 . b2S90/9 .",
            &[
                "C bill:01: 01 50/20, supplier advance 50, grid part -20, supplier remainder -30",
                "A bill:01: 02 50/5",
            ],
        ),
        (
            "b1G90/30 p1:90 c11G-10/-4 .",
            &[
                "P p1: 01 90/30",
                "W p1: 01 90/30",
                "C bill:0b: 11 10/4, supplier advance 10, grid part -4, supplier remainder -6",
            ],
        ),
        // From below zero up: a debt of 80 with a part of 29, as the credit stays; and parted otherwise below zero.
        (
            "b1G-50/-20 . c11G30/9 .",
            &[
                "C bill:01: 01 50/20, supplier advance 50, grid part -20, supplier remainder -30",
                "A bill:01: 11 50/18",
            ],
        ),
        (
            "b1G-50/-20 . c11G-50/-5 .",
            &[
                "C bill:01: 01 50/20, supplier advance 50, grid part -20, supplier remainder -30",
                "T bill:01: 01 50/5, grid part 15, supplier remainder -15",
            ],
        ),
        // A reversal finds the money where it lies now.
        (
            "b1G90/30 p1:90 c11G60/30 . r2<p1:90",
            &[
                "P p1: 01 90/30",
                "W p1: 01 30/10",
                "T p1: 01 60/30, grid part 10, supplier remainder -10",
                "R r2: 01 60/30, advance 30",
            ],
        ),
        (
            "b1G90/30 p1:90 r2<p1:30 c11G90/45 . p3:30",
            &["P p1: 01 90/30", "R r2: 01 30/10", NOTHING, "P p3: 01 30/25"],
        ),
        // Another agreement from now on, whose payee is the supplier.
        (
            "b1G90/30 p1:90 c11S90/20 .",
            &[
                "P p1: 01 90/30",
                "T p1: 01 90/20, grid remainder 70, supplier part 20, grid part -30, supplier remainder -60",
            ],
        ),
        // A reference of the ledger's own is nobody's payment, and no payment that could be taken back.
        (
            "b1G-50/-20 . r2<bill:0101010101010101010101010101:5",
            &[
                "C bill:01: 01 50/20, supplier advance 50, grid part -20, supplier remainder -30",
                "reversal r2 is of payment bill:0101010101010101010101010101, which was never settled",
            ],
        ),
    ];
    let mut wrong = Vec::new();
    for (story, want) in table {
        let mut book = PaymentBook::default();
        book.open_account(account());
        let got = tell(&mut book, &two(&PaymentTerms::default()), story);
        if got != *want {
            wrong.push(format!("{story}\n   got {got:#?}\n  want {want:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a test knows of a month by itself: what is to be paid, the payee's part, and the agreement.
type Stands = BTreeMap<u8, (i64, i128, u8)>;

/// Sums over a book, from what was settled on the one side and from its accounts on the other.
#[derive(Default)]
struct Tally {
    legs: BTreeMap<(Party, LegKind), i64>,
    received: i64,
    /// Entries that leave a payee up to a unit off: all but payments of cumulative rounding.
    disturbed: i64,
    /// What was trued up under each agreement.
    accrued: BTreeMap<u8, i64>,
}

impl Tally {
    fn add(&mut self, settled: &Settled) {
        for leg in &settled.legs {
            *self.legs.entry((leg.party, leg.kind)).or_default() += leg.amount.as_minor();
        }
        for leg in &settled.back {
            *self.legs.entry((leg.party, leg.kind)).or_default() -= leg.amount.as_minor();
        }
        self.received += match &settled.cause {
            Cause::Payment(payment) => payment.amount.as_minor(),
            Cause::Reversal(reversal) => -reversal.amount.as_minor(),
            _ => 0,
        };
        if let Cause::Accrual(one) = &settled.cause {
            *self.accrued.entry(one.closing.agreement.0[0]).or_default() += one.amount.as_minor();
        }
        self.disturbed += i64::try_from(settled.allocations.len()).unwrap();
    }

    fn of(&self, kind: LegKind) -> i64 {
        Party::ALL.iter().filter_map(|party| self.legs.get(&(*party, kind))).sum()
    }

    /// A payee has got, with payments and true-ups, what accrued of what stands: the grid company's parts are of 1, the
    /// supplier's of 2.
    fn check_accrued(&self, agreement: u8, stands: &Stands, why: &str) {
        let payee = if agreement == 1 { Party::Grid } else { Party::Supplier };
        let parts = stands.values().filter(|(.., of)| *of == agreement).map(|(_, part, _)| *part);
        let accrued = ExactAmount::from_e11(parts.sum()).round(Rounding::HalfUp).unwrap().as_minor();
        let part = self.legs.get(&(payee, LegKind::Part)).copied().unwrap_or_default();
        assert_eq!(part + self.accrued[&agreement], accrued, "{why}: accrued under {agreement}");
    }

    fn check(&self, book: &PaymentBook, stands: &Stands, why: &str) {
        let empty = AccountState::default();
        let state = book.accounts().get(&account()).unwrap_or(&empty);
        assert_eq!(self.legs.values().sum::<i64>(), self.received, "{why}: legs are what was received");
        let held: i64 = book.payments().values().map(|placed| placed.suspended().as_minor()).sum();
        assert_eq!(self.of(LegKind::Suspense), held, "{why}: suspense");
        assert_eq!(self.of(LegKind::Advance), state.advance().as_minor(), "{why}: advances");
        assert!(state.parked().iter().all(|parked| parked.amount > Money::ZERO), "{why}: parked");
        let running: i64 = book.running().values().map(|split| split.paid.as_minor()).sum();
        assert_eq!(self.of(LegKind::Part), running, "{why}: running splits");
        let reserved: i64 = book.reserve().keys().iter().map(|key| book.reserve().held(key).as_minor()).sum();
        let of_bank = self.legs.get(&(Party::Bank, LegKind::Reserve)).copied().unwrap_or_default();
        assert_eq!((self.of(LegKind::Reserve), of_bank), (0, reserved), "{why}: reserve");
        // No payment is lost or split twice: what is left of all is what was received, and what bills below zero gave.
        let left: i64 = book.payments().values().map(|placed| placed.left().as_minor()).sum();
        let given: i64 = state.credits().iter().map(|credit| credit.paid.as_minor()).sum();
        assert_eq!(left, self.received + given, "{why}: no payment is lost");
        // What is to be paid, and was: month by month as the test knows it.
        let to_pay: i64 = stands.values().map(|(total, ..)| *total).sum();
        let paid = left - held - state.advance().as_minor();
        assert_eq!(state.debt().as_minor(), to_pay + given - paid, "{why}: owed");
        for sheet in book.days().values() {
            assert!(sheet.is_balanced(), "{why}");
        }
    }
}

fn random_terms(random: &mut Random, has_limits: bool) -> PaymentTerms {
    let orders = ["earlier current", "proportional", "current earlier"];
    let order = orders[usize::try_from(random.below(3)).unwrap()];
    let step = |name: &str| Step::from_name(name).unwrap();
    let rounding = SplitRounding::ALL[usize::try_from(random.below(2)).unwrap()];
    let most = Money::from_minor(random.minor(60));
    let payee = Limits { at_least: Money::ZERO, at_most: has_limits.then_some(most) };
    let basis = if random.below(2) == 0 { Basis::Cash } else { Basis::Accrual(12) };
    let reserve = (random.below(2) == 0).then(|| ReserveTerms {
        of: ReserveOf::ALL[usize::try_from(random.below(2)).unwrap()],
        share: 1 + u32::try_from(random.below(u64::from(SHARE_WHOLE))).unwrap(),
        when: ReserveWhile::ALL[usize::try_from(random.below(2)).unwrap()],
    });
    let order = order.split(' ').map(step).collect();
    PaymentTerms { order, rounding, payee, basis, reserve, ..PaymentTerms::default() }
}

/// A total and a part of it, below zero now and then.
fn random_bill(random: &mut Random, can_be_below: bool) -> (i64, i128) {
    let sign = if can_be_below && random.below(5) == 0 { -1 } else { 1 };
    let total = random.minor(300) - 1;
    let whole = Money::from_minor(total).exact().as_e11();
    let part = match random.below(6) {
        0 => 0,
        1 => whole,
        _ => whole / 997 * i128::from(random.below(998)),
    };
    (sign * total, i128::from(sign) * part)
}

struct Run {
    random: Random,
    agreements: Agreements,
    book: PaymentBook,
    tally: Tally,
    stands: Stands,
    correction_count: u8,
    reference_count: u32,
    kinds: BTreeMap<&'static str, u64>,
}

impl Run {
    fn new(seed: u64, has_limits: bool) -> Self {
        let mut random = Random::new(seed);
        let terms = random_terms(&mut random, has_limits);
        let mut book = PaymentBook::default();
        book.open_account(account());
        Self {
            agreements: two(&terms),
            random,
            book,
            tally: Tally::default(),
            stands: Stands::new(),
            correction_count: 0,
            reference_count: 0,
            kinds: BTreeMap::new(),
        }
    }

    fn settle(&mut self, entries: Vec<Entry>, why: &str) {
        let Ok(settlement) = self.book.settlement(entries.clone(), &self.agreements) else { return };
        for one in &settlement.settled {
            self.book.apply(one).unwrap_or_else(|error| panic!("{why}: {error}"));
            self.tally.add(one);
            let kind = match &one.cause {
                Cause::Withdrawal(_) => "withdrawals",
                Cause::TrueUp(_) => "true-ups",
                Cause::Credit(_) => "credits",
                Cause::Release(_) => "releases",
                Cause::Match(_) => "matches",
                Cause::Reversal(_) => "reversals",
                Cause::Payment(_) => "payments",
                Cause::Accrual(_) => "accruals",
                Cause::Reserve(_) => "orders",
            };
            *self.kinds.entry(kind).or_default() += 1;
        }
        for (agreement, split) in &settlement.running {
            assert_eq!(self.book.running().get(agreement), Some(split), "{why}");
        }
        assert!(!self.book.is_waiting(), "{why}: something waits");
        self.tally.check(&self.book, &self.stands, why);
        assert!(self.book.settle(entries, &self.agreements).is_err(), "{why}: the same once more");
    }

    fn step(&mut self, can_be_below: bool, why: &str) {
        let agreement = if self.random.below(12) == 0 { 2 } else { 1 };
        match self.random.below(10) {
            0 | 1 => {
                let number = u8::try_from(self.stands.len()).unwrap() + 1;
                let (total, part) = random_bill(&mut self.random, can_be_below);
                let new = bill(number, number, agreement, total, ExactAmount::from_e11(part));
                self.book.issue(account(), new);
                self.stands.insert(number, (total, part, agreement));
            }
            2 | 3 if !self.stands.is_empty() => {
                let count = u64::try_from(self.stands.len()).unwrap();
                let number = u8::try_from(self.random.below(count)).unwrap() + 1;
                let (mut total, mut part) = random_bill(&mut self.random, can_be_below);
                // Now and then the total stays, and the part alone is another.
                if let (0, Some((was, ..))) = (self.random.below(4), self.stands.get(&number)) {
                    total = *was;
                    part = Money::from_minor(total).exact().as_e11() / 13 * i128::from(self.random.below(14));
                }
                self.correction_count += 1;
                let new = Restated {
                    correction: hash(100 + self.correction_count),
                    period: month(number),
                    since: "2026-12-09".parse().unwrap(),
                    agreement: hash(agreement),
                    total: Money::from_minor(total),
                    payee_part: ExactAmount::from_e11(part),
                };
                self.book.restate(account(), &new);
                self.stands.insert(number, (total, part, agreement));
            }
            4 => self.reverse(why),
            5 => self.settle(Vec::new(), why),
            6 if self.random.below(4) == 0 => self.match_later(why),
            7 => self.accrue(agreement, why),
            8 => self.order(why),
            _ => {
                let minor = self.random.minor(250);
                self.pay(minor, why);
            }
        }
    }

    /// Trues up what accrued up to the newest month, once it is there.
    fn accrue(&mut self, agreement: u8, why: &str) {
        let Some((newest, _)) = self.stands.last_key_value() else { return };
        let closing = Closing { agreement: hash(agreement), period: month(*newest) };
        let before = self.kinds.get("accruals").copied();
        self.settle(vec![Entry::Accrual(closing)], why);
        if self.kinds.get("accruals").copied() > before {
            self.tally.check_accrued(agreement, &self.stands, why);
        }
    }

    /// Disputes a month, or releases what is held of it.
    fn order(&mut self, why: &str) {
        let Some((newest, _)) = self.stands.last_key_value() else { return };
        let period = month(1 + u8::try_from(self.random.below(u64::from(*newest))).unwrap());
        self.reference_count += 1;
        let id = format!("o-{:04}", self.reference_count).parse().unwrap();
        let action = ReserveAction::ALL[usize::try_from(self.random.below(2)).unwrap()];
        let booked = "2026-12-30".parse().unwrap();
        let order = ReserveOrder { id, account: account(), period, booked, action };
        self.settle(vec![Entry::Reserve(order)], why);
    }

    fn pay(&mut self, minor: i64, why: &str) {
        self.reference_count += 1;
        let id = format!("p-{:04}", self.reference_count).parse().unwrap();
        let booked = format!("2026-{:02}-11", 1 + self.random.below(12)).parse().unwrap();
        let amount = Money::from_minor(minor);
        self.settle(
            vec![Entry::Payment(Payment {
                id,
                account: account(),
                booked,
                amount,
                period: None,
                remittance: None,
            })],
            why,
        );
    }

    /// A payment for an account nobody has; a part of it is matched to the account.
    fn match_later(&mut self, why: &str) {
        self.reference_count += 1;
        let (id, account_of_none) = (format!("p-{:04}", self.reference_count), "X".parse().unwrap());
        let booked = format!("2026-{:02}-11", 1 + self.random.below(12)).parse().unwrap();
        let amount = Money::from_minor(self.random.minor(250));
        let payment = id.parse().unwrap();
        self.settle(
            vec![Entry::Payment(Payment {
                id: payment,
                account: account_of_none,
                booked,
                amount,
                period: None,
                remittance: None,
            })],
            why,
        );
        let amount = Money::from_minor(self.random.minor(amount.as_minor()));
        let id = format!("m-{:04}", self.reference_count).parse().unwrap();
        let booked = "2026-12-30".parse().unwrap();
        self.settle(vec![Entry::Match(Match { id, payment, account: account(), booked, amount })], why);
    }

    fn reverse(&mut self, why: &str) {
        let left = |entry: &&tallywatt_core::placed_payment::PlacedPayment| {
            entry.left() > Money::ZERO && entry.payment().id.as_str().starts_with('p')
        };
        let known: Vec<(Payment, Money)> = self
            .book
            .payments()
            .values()
            .filter(left)
            .map(|placed| (placed.payment().clone(), placed.left()))
            .collect();
        if known.is_empty() {
            return;
        }
        let at = usize::try_from(self.random.below(u64::try_from(known.len()).unwrap())).unwrap();
        let (Payment { id: payment, account, .. }, left) = known[at].clone();
        let minor =
            if self.random.below(2) == 0 { left.as_minor() } else { self.random.minor(left.as_minor()) };
        self.reference_count += 1;
        let id = format!("r-{:04}", self.reference_count).parse().unwrap();
        let booked = "2027-01-01".parse().unwrap();
        let amount = Money::from_minor(minor);
        self.settle(vec![Entry::Reversal(Reversal { id, payment, account, booked, amount })], why);
    }

    /// Pays what is owed: then each payee has got its part of what stands, to the last 10^-11; and in whole units within the
    /// rounding of the entries.
    fn pay_everything(&mut self, why: &str) {
        self.settle(Vec::new(), why);
        let debt = self.book.accounts()[&account()].debt().as_minor();
        if debt > 0 {
            self.pay(debt, why);
        }
        let state = &self.book.accounts()[&account()];
        assert_eq!(state.debt(), Money::ZERO, "{why}");
        let due: i128 = self.book.running().values().map(|split| split.due.as_e11()).sum();
        let part: i128 = self.stands.values().map(|(_, part, _)| *part).sum();
        assert_eq!(due, part, "{why}: the payee's part of what stands");
        let off = Money::from_minor(self.tally.of(LegKind::Part)).exact().as_e11() - part;
        let unit = Money::from_minor(1).exact().as_e11();
        assert!(off.abs() <= unit * i128::from(self.tally.disturbed), "{why}: {off} off");
    }

    /// Takes every payment back: nobody has anything but what bills below zero gave and took.
    fn take_everything_back(&mut self, why: &str) {
        while self.tally.received > 0 {
            self.reverse(why);
        }
        let state = &self.book.accounts()[&account()];
        if state.credits().is_empty() {
            let is_over =
                |((_, kind), sum): (&(Party, LegKind), &i64)| *kind == LegKind::Accrual || *sum == 0;
            assert!(self.tally.legs.iter().all(is_over), "{why}: {:?}", self.tally.legs);
            let is_zero =
                |split: &tallywatt_core::split::RunningSplit| (split.due, split.paid) == Default::default();
            assert!(self.book.running().values().all(is_zero), "{why}");
            assert!(state.open.iter().all(|open| open.paid == Money::ZERO), "{why}");
        }
    }
}

/// A hundred thousand lives of an account: bills, corrections up and down, payments and reversals, in any order.
#[test]
fn any_sequence_balances() {
    const SEQUENCES_A_THREAD: u64 = 50_000;
    let run = |seeds: std::ops::Range<u64>| {
        let (mut kinds, mut count) = (BTreeMap::<&'static str, u64>::new(), 0_u64);
        for seed in seeds {
            let (has_limits, can_be_below) = (seed % 8 == 7, seed % 3 == 1);
            let mut one = Run::new(seed, has_limits);
            for step in 0..12 {
                one.step(can_be_below, &format!("seed {seed} step {step}"));
            }
            let why = format!("seed {seed} at the end");
            if has_limits {
                one.settle(Vec::new(), &why);
            } else {
                one.pay_everything(&why);
            }
            one.take_everything_back(&why);
            one.kinds.into_iter().for_each(|(kind, more)| *kinds.entry(kind).or_default() += more);
            count += 1;
        }
        (count, kinds)
    };
    let ((first, kinds), (second, _)) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(SEQUENCES_A_THREAD..2 * SEQUENCES_A_THREAD));
        (run(0..SEQUENCES_A_THREAD), other.join().unwrap())
    });
    println!("{} sequences; of the first half {kinds:?}", first + second);
    assert!(first + second >= 100_000);
    assert!(kinds.len() == 9 && kinds.values().all(|count| *count > 3_000), "{kinds:?}");
}
