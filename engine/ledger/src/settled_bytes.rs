//! Canonical bytes of what was settled: a payment, a reversal, a release of held money, a match, what a correction moves, what
//! accrued, or an order of a reserve, with its legs.
//!
//! ```text
//! settled 0x34   version = 4 ‖ kind ‖ id[33] account[33] booked[i32] amount[i64]
//!                cause[u8] = 1, a payment: month named[u32], 0 for none ‖ remittance text, empty for none
//!                cause[u8] = 2, a reversal: payment[33]
//!                cause[u8] = 3, a release: held as[u8], 1 an advance, 2 in suspense; the id is that of the payment
//!                cause[u8] = 4, a match: payment[33]
//!                cause[u8] = 5, a withdrawal, = 6, a true-up: correction[32]; the id is that of the payment
//!                cause[u8] = 7, a credit: bill[32]; the id is its reference
//!                cause[u8] = 8, what accrued: agreement[32] month[u32] to the payee[i64]; id and account are its name
//!                cause[u8] = 9, an order of a reserve: action[u8] month[u32] released[u32] × { agreement[32] amount[i64] }
//!                allocations[u32] × { bill[32] month[u32] agreement[32] amount[i64] payee part[i128] payee[i64] held[i64] }
//!                legs[u32] × { party[u8] kind[u8] amount[i64] }      got
//!                legs[u32] × { party[u8] kind[u8] amount[i64] }      given back
//! ```
//!
//! Amounts are minor units, exact amounts 10^-11. A record that decodes encodes to the same bytes and adds up
//! ([`Settled::is_balanced`]). That it follows from the bills and payments before it only computing it again can tell.
//! Also in `FORMAT.md` §3.

use tallywatt_core::account::{Allocation, Payment, Reversal};
use tallywatt_core::accrual::{Accrued, Closing};
use tallywatt_core::calendar::Period;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::Money;
use tallywatt_core::reserve::{ReserveAction, ReserveMove, ReserveOrder};
use tallywatt_core::split::{Cause, Credit, Held, Release, Settled, TrueUp, Withdrawal};
use tallywatt_core::suspense::{Match, REMITTANCE_SIZE_MAX, Remittance};

use crate::bill_bytes::{fits, read_payee_part};
use crate::codec::{CodecError, Reader, Writer};
use crate::document::{read_code, read_day, short_text};
use crate::legs::{LEG_COUNT_MAX, read_legs, write_legs};

/// The version of these bytes: 3 since money in suspense is matched, 4 since what accrues is settled and legs are held.
pub const SETTLED_VERSION: u8 = 4;
/// Kind byte of a settled entry.
pub const SETTLED_KIND: u8 = 0x34;
/// The most bills that one entry pays or opens again.
pub const ALLOCATION_COUNT_MAX: u32 = 4_096;
/// The most agreements under which legs of one account's month are held.
pub const RELEASED_COUNT_MAX: u32 = 64;

const PAYMENT: u8 = 1;
const REVERSAL: u8 = 2;
const RELEASE: u8 = 3;
const MATCH: u8 = 4;
const WITHDRAWAL: u8 = 5;
const TRUE_UP: u8 = 6;
const CREDIT: u8 = 7;
const ACCRUAL: u8 = 8;
const ORDER: u8 = 9;
/// The month of a payment whose payer named none; a month's number is above 20,000.
const NO_MONTH: u32 = 0;

/// The canonical bytes of a settled entry.
///
/// # Panics
/// Past [`ALLOCATION_COUNT_MAX`] or [`LEG_COUNT_MAX`].
#[must_use]
pub fn encode_settled(settled: &Settled) -> Vec<u8> {
    let Settled { cause, allocations, legs, back } = settled;
    assert!(fits(allocations.len(), ALLOCATION_COUNT_MAX), "{} allocations of an entry", allocations.len());
    let leg_count = legs.len().max(back.len());
    assert!(fits(leg_count, LEG_COUNT_MAX), "{leg_count} legs of an entry");
    let mut writer = Writer::record(SETTLED_VERSION, SETTLED_KIND);
    writer.label(&settled.id()).label(&settled.account());
    writer.i32(settled.booked().number()).i64(settled.amount().as_minor());
    match cause {
        Cause::Payment(payment) => {
            writer.u8(PAYMENT).u32(payment.period.map_or(NO_MONTH, Period::number));
            writer.text(payment.remittance.as_ref().map_or("", Remittance::as_str))
        }
        Cause::Reversal(reversal) => writer.u8(REVERSAL).label(&reversal.payment),
        Cause::Release(release) => writer.u8(RELEASE).u8(release.from.code()),
        Cause::Match(one) => writer.u8(MATCH).label(&one.payment),
        Cause::Withdrawal(withdrawal) => writer.u8(WITHDRAWAL).hash(&withdrawal.correction),
        Cause::TrueUp(true_up) => writer.u8(TRUE_UP).hash(&true_up.correction),
        Cause::Credit(credit) => writer.u8(CREDIT).hash(&credit.bill),
        Cause::Accrual(accrued) => {
            let Closing { agreement, period } = &accrued.closing;
            writer.u8(ACCRUAL).hash(agreement).u32(period.number()).i64(accrued.amount.as_minor())
        }
        Cause::Reserve(ReserveMove { order, released }) => {
            assert!(fits(released.len(), RELEASED_COUNT_MAX), "{} agreements of an order", released.len());
            writer.u8(ORDER).u8(order.action.code()).u32(order.period.number()).count(released.len());
            for (agreement, amount) in released {
                writer.hash(agreement).i64(amount.as_minor());
            }
            &mut writer
        }
    };
    writer.count(allocations.len());
    for allocation in allocations {
        writer.hash(&allocation.bill).u32(allocation.period.number()).hash(&allocation.agreement);
        writer.i64(allocation.amount.as_minor()).i128(allocation.payee_part.as_e11());
        writer.i64(allocation.payee.as_minor()).i64(allocation.held.as_minor());
    }
    write_legs(&mut writer, legs);
    write_legs(&mut writer, back);
    writer.finish()
}

/// The settled entry of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, legs out of order, or numbers that do not add up.
pub fn decode_settled(bytes: &[u8]) -> Result<Settled, CodecError> {
    let mut reader = Reader::record(bytes, SETTLED_VERSION, SETTLED_KIND)?;
    let cause = read_cause(&mut reader)?;
    let allocation_count = reader.count("allocations", ALLOCATION_COUNT_MAX)?;
    let mut allocations = Vec::new();
    for _ in 0..allocation_count {
        let (bill, period) = (reader.hash("paid bill")?, read_month(&mut reader)?);
        let agreement = reader.hash("agreement")?;
        let amount = read_above_zero(&mut reader, "allocated amount")?;
        let payee_part = read_payee_part(&mut reader, amount)?;
        let payee = Money::from_minor(reader.i64("payee's leg")?);
        let held = Money::from_minor(reader.i64("held")?);
        allocations.push(Allocation { bill, period, agreement, amount, payee_part, payee, held });
    }
    let legs_at = reader.at();
    let (legs, back) = (read_legs(&mut reader)?, read_legs(&mut reader)?);
    let settled = Settled { cause, allocations, legs, back };
    if !settled.is_balanced() {
        return Err(reader.refuse("legs", legs_at));
    }
    reader.finish()?;
    Ok(settled)
}

fn read_cause(reader: &mut Reader<'_>) -> Result<Cause, CodecError> {
    let (id, account) = (reader.label("payment id")?, reader.label("account")?);
    let booked = read_day(reader, "booking day")?;
    let amount_at = reader.at();
    let amount = Money::from_minor(reader.i64("amount")?);
    let at = reader.at();
    let code = reader.u8("cause")?;
    // What an order releases may be nothing, and so may what accrued beside payments.
    if amount < Money::ZERO || amount == Money::ZERO && ![ACCRUAL, ORDER].contains(&code) {
        return Err(reader.refuse("amount", amount_at));
    }
    Ok(match code {
        PAYMENT => {
            let at = reader.at();
            let period = match reader.u32("month named")? {
                NO_MONTH => None,
                number => Some(Period::from_number(number).ok_or_else(|| reader.refuse("month named", at))?),
            };
            let remittance = match short_text(reader, "remittance", REMITTANCE_SIZE_MAX)? {
                "" => None,
                text => Some(Remittance::new(text).map_err(|_| reader.refuse("remittance", at))?),
            };
            Cause::Payment(Payment { id, account, booked, amount, period, remittance })
        }
        REVERSAL => Cause::Reversal(Reversal {
            id,
            payment: reader.label("reversed payment")?,
            account,
            booked,
            amount,
        }),
        RELEASE => {
            let from = read_code(reader, "held as", Held::from_code)?;
            Cause::Release(Release { payment: id, account, booked, amount, from })
        }
        MATCH => {
            Cause::Match(Match { id, payment: reader.label("matched payment")?, account, booked, amount })
        }
        WITHDRAWAL => {
            let correction = reader.hash("correction")?;
            Cause::Withdrawal(Withdrawal { payment: id, correction, account, booked, amount })
        }
        TRUE_UP => {
            let correction = reader.hash("correction")?;
            Cause::TrueUp(TrueUp { payment: id, correction, account, booked, amount })
        }
        CREDIT => {
            let credit = Credit { bill: reader.hash("credited bill")?, account, booked, amount };
            if credit.reference() != id {
                return Err(reader.refuse("cause", at));
            }
            Cause::Credit(credit)
        }
        ACCRUAL => {
            let closing = Closing { agreement: reader.hash("agreement")?, period: read_month(reader)? };
            let to_payee = Money::from_minor(reader.i64("to the payee")?);
            let is_named = id == closing.id() && account == id;
            if !is_named || to_payee.as_minor().checked_abs() != Some(amount.as_minor()) {
                return Err(reader.refuse("cause", at));
            }
            Cause::Accrual(Accrued { closing, booked, amount: to_payee })
        }
        ORDER => {
            let action = read_code(reader, "action", ReserveAction::from_code)?;
            let order = ReserveOrder { id, account, period: read_month(reader)?, booked, action };
            let one = ReserveMove { order, released: read_released(reader)? };
            if one.amount() != amount {
                return Err(reader.refuse("cause", at));
            }
            Cause::Reserve(one)
        }
        _ => return Err(reader.refuse("cause", at)),
    })
}

/// What an order releases: by agreement, ascending, above zero, its sum within 64 bits.
fn read_released(reader: &mut Reader<'_>) -> Result<Vec<(ContentHash, Money)>, CodecError> {
    let at = reader.at();
    let (mut released, mut sum) = (Vec::new(), Money::ZERO);
    for _ in 0..reader.count("released", RELEASED_COUNT_MAX)? {
        let (agreement, amount) = (reader.hash("agreement")?, read_above_zero(reader, "released amount")?);
        let is_after = released.last().is_none_or(|(last, _)| *last < agreement);
        sum = sum.checked_add(amount).filter(|_| is_after).ok_or_else(|| reader.refuse("released", at))?;
        released.push((agreement, amount));
    }
    Ok(released)
}

fn read_month(reader: &mut Reader<'_>) -> Result<Period, CodecError> {
    let at = reader.at();
    Period::from_number(reader.u32("month")?).ok_or_else(|| reader.refuse("month", at))
}

fn read_above_zero(reader: &mut Reader<'_>, field: &'static str) -> Result<Money, CodecError> {
    let at = reader.at();
    let amount = Money::from_minor(reader.i64(field)?);
    if amount > Money::ZERO { Ok(amount) } else { Err(reader.refuse(field, at)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::agreement::Party;
    use tallywatt_core::money::ExactAmount;
    use tallywatt_core::split::{Leg, LegKind};

    use crate::digest::content_hash;

    fn leg(party: Party, kind: LegKind, minor: i64) -> Leg {
        Leg { party, kind, amount: Money::from_minor(minor) }
    }

    fn payment() -> Payment {
        Payment {
            id: "2026-04-02/000017".parse().unwrap(),
            account: "EKB-000001".parse().unwrap(),
            booked: "2026-04-02".parse().unwrap(),
            amount: Money::from_minor(10_500),
            period: Some("2026-03".parse().unwrap()),
            remittance: Some(Remittance::new("за свет, март").unwrap()),
        }
    }

    fn settled() -> Settled {
        let allocation = |tag: u8, minor| Allocation {
            bill: ContentHash([tag; 32]),
            period: "2026-03".parse().unwrap(),
            agreement: ContentHash([9; 32]),
            amount: Money::from_minor(minor),
            payee_part: ExactAmount::from_e11(Money::from_minor(minor).exact().as_e11() / 4),
            payee: Money::from_minor(minor / 4),
            held: Money::ZERO,
        };
        Settled {
            cause: Cause::Payment(payment()),
            allocations: vec![allocation(5, 4_000), allocation(6, 6_000)],
            legs: vec![
                leg(Party::Grid, LegKind::Part, 2_500),
                leg(Party::Supplier, LegKind::Remainder, 7_500),
                leg(Party::Supplier, LegKind::Advance, 500),
            ],
            back: Vec::new(),
        }
    }

    fn suspended() -> Settled {
        let legs = vec![leg(Party::Bank, LegKind::Suspense, 10_500)];
        let cause = Cause::Payment(Payment { period: None, remittance: None, ..payment() });
        Settled { cause, allocations: Vec::new(), legs, back: Vec::new() }
    }

    fn reversed() -> Settled {
        let Payment { id: payment, account, booked, amount, .. } = payment();
        let id = "2026-04-09/000002".parse().unwrap();
        let Settled { mut allocations, legs: back, .. } = settled();
        allocations.reverse();
        let cause = Cause::Reversal(Reversal { id, payment, account, booked, amount });
        Settled { cause, allocations, legs: Vec::new(), back }
    }

    fn released() -> Settled {
        let Payment { id: payment, account, booked, .. } = payment();
        let amount = Money::from_minor(4_000);
        let cause = Cause::Release(Release { payment, account, booked, amount, from: Held::Advance });
        let allocations = settled().allocations[..1].to_vec();
        let legs =
            vec![leg(Party::Grid, LegKind::Part, 1_000), leg(Party::Supplier, LegKind::Remainder, 3_000)];
        Settled { cause, allocations, legs, back: vec![leg(Party::Supplier, LegKind::Advance, 4_000)] }
    }

    /// A part of it is paid ahead.
    fn matched() -> Settled {
        let Payment { id: payment, account, booked, amount, .. } = payment();
        let id = "match/000003".parse().unwrap();
        let back = vec![leg(Party::Bank, LegKind::Suspense, 10_500)];
        let cause = Cause::Match(Match { id, payment, account, booked, amount });
        Settled { cause, back, ..settled() }
    }

    /// Its account became known.
    fn found() -> Settled {
        let Payment { id: payment, account, booked, amount, .. } = payment();
        let back = vec![leg(Party::Bank, LegKind::Suspense, 10_500)];
        let cause = Cause::Release(Release { payment, account, booked, amount, from: Held::Suspense });
        Settled { cause, back, ..settled() }
    }

    /// Half of it was matched before.
    fn reversed_in_suspense() -> Settled {
        let mut reversed = reversed();
        reversed.back[2].amount = Money::from_minor(200);
        reversed.back.insert(1, leg(Party::Bank, LegKind::Suspense, 300));
        reversed
    }

    fn withdrawn() -> Settled {
        let Settled { cause, allocations, legs: back, back: legs } = released();
        let Cause::Release(Release { payment, account, booked, amount, .. }) = cause else {
            unreachable!("it is a release")
        };
        let correction = ContentHash([7; 32]);
        let cause = Cause::Withdrawal(Withdrawal { payment, correction, account, booked, amount });
        Settled { cause, allocations, legs, back }
    }

    fn trued_up() -> Settled {
        let Settled { cause, allocations, .. } = withdrawn();
        let Cause::Withdrawal(Withdrawal { payment, correction, account, booked, amount }) = cause else {
            unreachable!("it is a withdrawal")
        };
        let cause = Cause::TrueUp(TrueUp { payment, correction, account, booked, amount });
        let legs = vec![leg(Party::Grid, LegKind::Part, 300)];
        Settled { cause, allocations, legs, back: vec![leg(Party::Supplier, LegKind::Remainder, 300)] }
    }

    fn credited() -> Settled {
        let Settled { allocations, legs, back, .. } = withdrawn();
        let Payment { account, booked, .. } = payment();
        let amount = Money::from_minor(4_000);
        let cause = Cause::Credit(Credit { bill: allocations[0].bill, account, booked, amount });
        Settled { cause, allocations, legs, back }
    }

    /// Half of the payee's legs is held.
    fn held() -> Settled {
        let mut held = settled();
        for allocation in &mut held.allocations {
            allocation.held = Money::from_minor(allocation.payee.as_minor() / 2);
        }
        held.legs.insert(1, leg(Party::Bank, LegKind::Reserve, 1_250));
        held.legs.sort();
        held.back = vec![leg(Party::Grid, LegKind::Reserve, 1_250)];
        held
    }

    /// What a correction makes less than what is held is let go.
    fn let_go() -> Settled {
        let mut one = trued_up();
        one.allocations[0].held = Money::from_minor(700);
        one.legs.insert(1, leg(Party::Grid, LegKind::Reserve, 50));
        one.back.insert(1, leg(Party::Bank, LegKind::Reserve, 50));
        one.back.sort();
        one
    }

    fn accrued(minor: i64) -> Settled {
        let closing = Closing { agreement: ContentHash([9; 32]), period: "2026-03".parse().unwrap() };
        let (booked, amount) = ("2026-04-12".parse().unwrap(), Money::from_minor(minor));
        let legs = |party| match minor {
            0 => Vec::new(),
            _ => vec![leg(party, LegKind::Accrual, minor.abs())],
        };
        let (legs, back) = (legs(Party::Grid), legs(Party::Supplier));
        let (legs, back) = if minor < 0 { (back, legs) } else { (legs, back) };
        let cause = Cause::Accrual(Accrued { closing, booked, amount });
        Settled { cause, allocations: Vec::new(), legs, back }
    }

    fn ordered(action: ReserveAction, released: &[(u8, i64)]) -> Settled {
        let Payment { account, booked, .. } = payment();
        let (id, period) = ("order/000004".parse().unwrap(), "2026-03".parse().unwrap());
        let order = ReserveOrder { id, account, period, booked, action };
        let of = |(tag, minor): &(u8, i64)| (ContentHash([*tag; 32]), Money::from_minor(*minor));
        let one = ReserveMove { order, released: released.iter().map(of).collect() };
        let legs = |party| match one.amount() {
            Money::ZERO => Vec::new(),
            amount => vec![leg(party, LegKind::Reserve, amount.as_minor())],
        };
        let (legs, back) = (legs(Party::Grid), legs(Party::Bank));
        Settled { cause: Cause::Reserve(one), allocations: Vec::new(), legs, back }
    }

    fn release_of_two() -> Settled {
        ordered(ReserveAction::Release, &[(8, 250), (9, 1_000)])
    }

    /// Round trip; every truncation and an extra byte refused; every flipped bit refused or another value.
    #[test]
    fn bytes_and_values_are_one_to_one() {
        let values =
            [settled(), suspended(), reversed(), released(), matched(), found(), reversed_in_suspense()];
        let moved = [withdrawn(), trued_up(), credited(), held(), let_go(), release_of_two()];
        let accruals = [accrued(700), accrued(-700), accrued(0), ordered(ReserveAction::Hold, &[])];
        for value in values.into_iter().chain(moved).chain(accruals) {
            let bytes = encode_settled(&value);
            assert_eq!(decode_settled(&bytes).as_ref(), Ok(&value));
            for size in 0..bytes.len() {
                assert!(decode_settled(&bytes[..size]).is_err(), "cut to {size} bytes");
            }
            assert_eq!(decode_settled(&[&bytes[..], &[0]].concat()), Err(CodecError::Trailing { count: 1 }));
            for bit in 0..bytes.len() * 8 {
                let mut bent = bytes.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                if let Ok(other) = decode_settled(&bent) {
                    assert_ne!(other, value, "bit {bit}");
                    assert_eq!(encode_settled(&other), bent, "bit {bit}");
                }
            }
        }
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hashes() {
        let table = [
            ("payment", settled(), "541a1edb3ac52002d36094e555c59d780e273f81e4fc949a3effe2660a5c229f"),
            ("suspended", suspended(), "4e10419fc7a3d2c558e02aa9f0b96ca58d5440d05758549f8d40602d40359bb9"),
            ("reversal", reversed(), "120e2f9f6e07675bc2521be01a1dfaa9dca6a934bf418b04df37ac72cb481fec"),
            ("match", matched(), "72686733022fecc52898653f87075a34b00a7db193a7c6456069153bca6d39ef"),
            ("found", found(), "8c4546b6881cd9670b97043e4cc871b98d6c12ae28a76943417a452be7439b9d"),
            ("release", released(), "09b573fe17e572231b436697acc43f7a598401b79b358e0c2cc5c5b472c2fc28"),
            ("withdrawal", withdrawn(), "67a0390ec5119bf6f50bf76a9d3f580146c40c9db625fdfc557e3013e208d530"),
            ("true-up", trued_up(), "2cb6dd91324730e4c8ddee73465826d6a6f271ab80709a743024d4a409494e73"),
            ("credit", credited(), "19ce1f12f80d34b6c45b7c72594828ecb3377d1873f21d64bf76257082ab2ffc"),
            ("held", held(), "de6cbc74e9b67d930939408fbf8e78e6a37bf96e42c4421f0190e28a3cddc91a"),
            ("accrual", accrued(700), "db15fa910a39254b56a2376160d3c2f08a32ac5615a05f8f8e429b9d5ca58858"),
            ("order", release_of_two(), "f7ab0438a54f447469245c0945cdec395ec26f1c4639424b24a800a412db7ec4"),
        ];
        let got =
            table.clone().map(|(name, value, _)| (name, content_hash(&encode_settled(&value)).to_string()));
        assert_eq!(got, table.map(|(name, _, want)| (name, want.to_owned())));
    }

    /// The field that is refused, and what was done to the value before it was encoded.
    type Bent = (&'static str, fn(&mut Settled));

    #[test]
    fn a_settled_entry_adds_up() {
        let table: &[Bent] = &[
            ("amount", |settled| {
                settled.cause = Cause::Payment(Payment { amount: Money::ZERO, ..payment() });
            }),
            ("legs", |settled| {
                settled.cause = Cause::Payment(Payment { amount: Money::from_minor(10_501), ..payment() });
            }),
            ("legs", |settled| settled.legs[0].amount = Money::from_minor(2_499)),
            ("legs", |settled| settled.legs.truncate(2)),
            ("legs", |settled| settled.back = settled.legs.clone()),
            ("legs", |settled| settled.allocations.truncate(1)),
            ("legs", |settled| settled.allocations[0].payee = Money::from_minor(1_001)),
            ("legs", |settled| settled.allocations[0].payee = Money::from_minor(-1)),
            ("leg", |settled| settled.legs.swap(0, 1)),
            ("leg", |settled| settled.legs[1] = settled.legs[0]),
            ("leg", |settled| settled.legs[0].party = Party::Bank),
            ("leg", |settled| settled.legs[2].kind = LegKind::Suspense),
            ("leg amount", |settled| settled.legs[2].amount = Money::from_minor(-500)),
            ("allocated amount", |settled| settled.allocations[0].amount = Money::ZERO),
            ("legs", |settled| settled.allocations[0].held = Money::from_minor(1)),
            ("legs", |settled| settled.back = vec![leg(Party::Grid, LegKind::Reserve, 1)]),
            ("legs", |settled| settled.back = vec![leg(Party::Supplier, LegKind::Accrual, 5)]),
            ("payee part", |settled| settled.allocations[0].payee_part = ExactAmount::from_e11(-1)),
            ("payee part", |settled| settled.allocations[0].payee_part = Money::from_minor(4_001).exact()),
        ];
        for (want, bend) in table {
            let mut bent = settled();
            bend(&mut bent);
            match decode_settled(&encode_settled(&bent)) {
                Err(CodecError::Value { field, .. }) => assert_eq!(field, *want),
                other => panic!("{want}: {other:?}"),
            }
        }
        let bends: &[Bent] = &[
            ("legs", |settled| settled.legs[0].amount = Money::from_minor(299)),
            ("legs", |settled| settled.back.clear()),
            ("legs", |settled| settled.back[0] = settled.legs[0]),
            ("legs", |settled| settled.back[0].kind = LegKind::Advance),
        ];
        for (want, bend) in bends {
            let mut bent = trued_up();
            bend(&mut bent);
            let got = decode_settled(&encode_settled(&bent));
            assert!(matches!(got, Err(CodecError::Value { field, .. }) if field == *want), "{got:?}");
        }
        let bends: &[Bent] = &[
            ("legs", |settled| settled.legs.clear()),
            ("legs", |settled| settled.legs[0].amount = Money::from_minor(699)),
            ("legs", |settled| settled.back[0].party = Party::Grid),
            ("legs", |settled| settled.legs[0].kind = LegKind::Part),
        ];
        for (want, bend) in bends {
            let mut bent = accrued(700);
            bend(&mut bent);
            let got = decode_settled(&encode_settled(&bent));
            assert!(matches!(got, Err(CodecError::Value { field, .. }) if field == *want), "{got:?}");
        }
        for (released, want) in [
            (&[(9, 1_000), (8, 250)][..], "released"),
            (&[(9, 1_000), (9, 250)], "released"),
            (&[(9, 0)], "released amount"),
            (&[(8, i64::MAX), (9, 1)], "released"),
        ] {
            let mut bent = release_of_two();
            let Cause::Reserve(one) = &mut bent.cause else { unreachable!("it is an order") };
            let ReserveMove { order, .. } = one.clone();
            bent.cause = ordered(order.action, &[(9, 1_250)]).cause;
            let mut bytes = encode_settled(&bent);
            // The list of what is released: a count and a row of 40 bytes.
            let at = 2 + 33 + 33 + 4 + 8 + 1 + 1 + 4;
            let rows = released
                .iter()
                .flat_map(|(tag, minor): &(u8, i64)| [&[*tag; 32][..], &minor.to_le_bytes()].concat());
            let count = u32::try_from(released.len()).unwrap().to_le_bytes();
            bytes.splice(at..at + 4 + 40, count.into_iter().chain(rows));
            let got = decode_settled(&bytes);
            assert!(matches!(got, Err(CodecError::Value { field, .. }) if field == want), "{got:?}");
        }
        let mut bytes = encode_settled(&credited());
        bytes[2] ^= 1;
        assert_eq!(decode_settled(&bytes), Err(CodecError::Value { field: "cause", at: 80 }));
        for (at, bent, want) in [(80, 80, "cause"), (81, 83, "month named")] {
            let mut bytes = encode_settled(&settled());
            bytes[bent] = 0xff;
            let got = decode_settled(&bytes);
            assert_eq!(got, Err(CodecError::Value { field: want, at }));
        }
    }
}
