//! Stories of bills and payments, told and written in words; and random numbers.

use tallywatt_core::account::{Entry, OpenBill, Payment, Restated, Reversal};
use tallywatt_core::accrual::Closing;
use tallywatt_core::agreement::{Agreement, Party, SHARE_WHOLE, SplitRule};
use tallywatt_core::calendar::Period;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::payment_book::{Agreements, PaymentBook};
use tallywatt_core::payment_terms::{PaymentTerms, Step};
use tallywatt_core::reserve::{ReserveAction, ReserveOrder};
use tallywatt_core::split::{Cause, Held, Leg, LegKind, Release, Settled};
use tallywatt_core::suspense::Match;
use tallywatt_core::validity::Validity;

/// The second byte of the hash of a bill of account X.
const OF_X: u8 = 200;

/// A linear congruential generator: the same numbers everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x51a7)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 31) ^ (self.0 << 33)) % bound
    }

    pub fn minor(&mut self, most: i64) -> Money {
        Money::from_minor(i64::try_from(self.below(most.unsigned_abs())).unwrap() + 1)
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()]
    }
}

pub fn agreement(payee: Party, terms: PaymentTerms) -> Agreement {
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

pub fn hash(tag: u8) -> ContentHash {
    ContentHash([tag; 32])
}

/// A bill of 2026 whose tag is its month, under agreement `tag`, with a share of the total in thousandths.
pub fn bill(month: u8, agreement: u8, total: Money, per_mille: i128) -> OpenBill {
    let period: Period = format!("2026-{month:02}").parse().unwrap();
    OpenBill {
        bill: hash(month),
        period,
        since: period.end_day(),
        agreement: hash(agreement),
        total,
        paid: Money::ZERO,
        payee_part: ExactAmount::from_e11(total.exact().as_e11() / 1_000 * per_mille),
        payee_paid: ExactAmount::ZERO,
    }
}

/// `G` and `S` have the same terms, and the grid company or the supplier for payee.
pub fn two(terms: &PaymentTerms) -> Agreements {
    [(1, Party::Grid), (2, Party::Supplier)]
        .map(|(tag, payee)| (hash(tag), agreement(payee, terms.clone())))
        .into()
}

pub fn order(text: &str) -> Vec<Step> {
    text.split_whitespace().map(|name| Step::from_name(name).unwrap()).collect()
}

/// One settled entry as text: `P p1: 01 30/10` is a payment that pays 30 of January's bill, of which 10 are the payee's; `X01`
/// is a bill of account X. `accrual` is what the payee gets, `reserve` what the bank does, each less what it gives.
pub fn written(settled: &Settled) -> String {
    let id = settled.id();
    let head = match &settled.cause {
        Cause::Payment(_) => format!("P {id}"),
        Cause::Reversal(_) => format!("R {id}"),
        Cause::Release(Release { from: Held::Advance, .. }) => format!("A {id}"),
        Cause::Release(_) => format!("F {id}"),
        Cause::Match(_) => format!("M {id}"),
        Cause::Withdrawal(_) => format!("W {id}"),
        Cause::TrueUp(_) => format!("T {id}"),
        Cause::Credit(_) => format!("C {id}"),
        Cause::Accrual(one) => format!("U {}", &one.closing.period.to_string()[5..]),
        Cause::Reserve(_) => format!("H {id}"),
    };
    let mut parts: Vec<String> = settled
        .allocations
        .iter()
        .map(|one| {
            let account = if one.bill.0[1] == OF_X { "X" } else { "" };
            let month = one.bill.0[0];
            format!("{account}{month:02} {}/{}", one.amount.as_minor(), one.payee.as_minor())
        })
        .collect();
    // What is released or matched was an advance, or in suspense, as the letter says.
    let legs = if matches!(settled.cause, Cause::Reversal(_)) { &settled.back } else { &settled.legs };
    for leg in legs.iter().filter(|leg| leg.kind.is_of_no_agreement()) {
        parts.push(format!("{} {}", leg.kind.name(), leg.amount.as_minor()));
    }
    let is_due = |leg: &Leg| match leg.kind {
        LegKind::Accrual => leg.party == Party::Grid,
        kind => kind == LegKind::Reserve && leg.party == Party::Bank,
    };
    let signed = settled.legs.iter().map(|leg| (leg, 1)).chain(settled.back.iter().map(|leg| (leg, -1)));
    for (leg, sign) in signed.filter(|(leg, _)| is_due(leg)) {
        parts.push(format!("{} {}", leg.kind.name(), sign * leg.amount.as_minor()));
    }
    format!("{head}: {}", parts.join(", "))
}

/// Runs a story, a step a word: `b1G90/30` issues January's bill of 90 minor units under agreement G, of which 30 are the
/// payee's, and `X1G90/30` one of account X, which is not known before its first bill or `oX`; `p1:100` is a payment of 100, `p1:100@02` names February; `r2<p1:40` takes 40 of it back; `x1:70` is
/// a payment for account X, and `m2<x1:30` says that 30 of it are A's, `m2<x1:30>B` B's. `t01` trues
/// January up under G, `T01` under S; `h2@01` says that January's bill is disputed, `f2@01` releases what is held of it;
/// `c11G60/20` corrects January's bill to 60, of which 20 are the payee's, on the 9th of June. Steps that
/// are joined by `+` are one registry; `.` is one without entries.
pub fn tell(book: &mut PaymentBook, agreements: &Agreements, story: &str) -> Result<Vec<String>, String> {
    let mut told = Vec::new();
    for step in story.split_whitespace() {
        if let Some(name) = step.strip_prefix('o') {
            book.open_account(name.parse().unwrap());
            continue;
        }
        if let Some(text) = step.strip_prefix(['b', 'X', 'c']) {
            let (head, part) = text.split_once('/').unwrap();
            let at = head.find(['G', 'S']).unwrap();
            let tag = if head[at..].starts_with('G') { 1 } else { 2 };
            let total = Money::from_minor(head[at + 1..].parse().unwrap());
            // In minor units and tenths of one.
            let (whole, tenths) = part.split_once('.').unwrap_or((part, "0"));
            let [whole, tenths] = [whole, tenths].map(|text| text.parse::<i64>().unwrap());
            let tenth = Money::from_minor(1).exact().as_e11() / 10;
            let part = ExactAmount::from_e11(tenth * i128::from(whole * 10 + tenths));
            if step.starts_with('c') {
                let number: u8 = head[..at].parse().unwrap();
                let new = Restated {
                    correction: hash(number),
                    period: format!("2026-{:02}", number / 10).parse().unwrap(),
                    since: "2026-06-09".parse().unwrap(),
                    agreement: hash(tag),
                    total,
                    payee_part: part,
                };
                book.restate("A".parse().unwrap(), &new);
                continue;
            }
            let mut open = OpenBill { payee_part: part, ..bill(head[..at].parse().unwrap(), tag, total, 0) };
            let is_of_x = step.starts_with('X');
            if is_of_x {
                open.bill.0[1] = OF_X;
            }
            book.issue(if is_of_x { "X" } else { "A" }.parse().unwrap(), open);
            continue;
        }
        let entries: Vec<Entry> = step.split('+').filter(|text| *text != ".").map(entry).collect();
        let settled = book.settle(entries, agreements).map_err(|error| error.to_string())?;
        for one in &settled {
            book.apply(one).unwrap();
            told.push(written(one));
        }
    }
    Ok(told)
}

pub fn entry(text: &str) -> Entry {
    if let Some(month) = text.strip_prefix(['t', 'T']) {
        let agreement = hash(if text.starts_with('t') { 1 } else { 2 });
        return Entry::Accrual(Closing { agreement, period: format!("2026-{month}").parse().unwrap() });
    }
    if let Some((id, month)) = text.split_once('@').filter(|(id, _)| id.starts_with(['h', 'f'])) {
        let action = if id.starts_with('h') { ReserveAction::Hold } else { ReserveAction::Release };
        return Entry::Reserve(ReserveOrder {
            id: id.parse().unwrap(),
            account: "A".parse().unwrap(),
            period: format!("2026-{month}").parse().unwrap(),
            booked: format!("2026-03-{:0>2}", &id[1..]).parse().unwrap(),
            action,
        });
    }
    let (head, rest) = text.split_once(':').unwrap();
    let (rest, to) = rest.split_once('>').unwrap_or((rest, "A"));
    let (amount, month) = rest.split_once('@').map_or((rest, None), |(amount, month)| (amount, Some(month)));
    // `x1` and `y1` are of accounts that are not there; a reference of p5 is booked on the 5th.
    let (id, payment) = head.split_once('<').map_or((head, None), |(id, payment)| (id, Some(payment)));
    let account = match &payment.unwrap_or(id)[..1] {
        "x" => "X",
        "y" => "Y",
        _ => "A",
    };
    let account = account.parse().unwrap();
    let booked = format!("2026-03-{:0>2}", &id[1..]).parse().unwrap();
    let (id, amount) = (id.parse().unwrap(), Money::from_minor(amount.parse().unwrap()));
    match payment {
        Some(payment) if head.starts_with('m') => {
            let (payment, account) = (payment.parse().unwrap(), to.parse().unwrap());
            Entry::Match(Match { id, payment, account, booked, amount })
        }
        Some(payment) => {
            Entry::Reversal(Reversal { id, payment: payment.parse().unwrap(), account, booked, amount })
        }
        None => {
            let period = month.map(|month| format!("2026-{month}").parse().unwrap());
            Entry::Payment(Payment { id, account, booked, amount, period, remittance: None })
        }
    }
}
