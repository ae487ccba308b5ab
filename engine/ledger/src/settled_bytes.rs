//! Canonical bytes of what was settled: a payment, a reversal, a release of held money, a match, or what a correction moves,
//! with its legs.
//!
//! ```text
//! settled 0x34   version = 3 ‖ kind ‖ id[33] account[33] booked[i32] amount[i64]
//!                cause[u8] = 1, a payment: month named[u32], 0 for none ‖ remittance text, empty for none
//!                cause[u8] = 2, a reversal: payment[33]
//!                cause[u8] = 3, a release: held as[u8], 1 an advance, 2 in suspense; the id is that of the payment
//!                cause[u8] = 4, a match: payment[33]
//!                cause[u8] = 5, a withdrawal, = 6, a true-up: correction[32]; the id is that of the payment
//!                cause[u8] = 7, a credit: bill[32]; the id is its reference
//!                allocations[u32] × { bill[32] agreement[32] amount[i64] payee part[i128] payee[i64] }
//!                legs[u32] × { party[u8] kind[u8] amount[i64] }      got
//!                legs[u32] × { party[u8] kind[u8] amount[i64] }      given back
//! ```
//!
//! Amounts are minor units, exact amounts 10^-11. A record that decodes encodes to the same bytes and adds up
//! ([`Settled::is_balanced`]). That it follows from the bills and payments before it only computing it again can tell.
//! Also in `FORMAT.md` §3.

use tallywatt_core::account::{Allocation, Payment, Reversal};
use tallywatt_core::calendar::Period;
use tallywatt_core::money::Money;
use tallywatt_core::split::{Cause, Credit, Held, Release, Settled, TrueUp, Withdrawal};
use tallywatt_core::suspense::{Match, REMITTANCE_SIZE_MAX, Remittance};

use crate::bill_bytes::{fits, read_payee_part};
use crate::codec::{CodecError, Reader, Writer};
use crate::document::{read_code, read_day, short_text};
use crate::legs::{LEG_COUNT_MAX, read_legs, write_legs};

/// The version of these bytes: 3 since money in suspense is matched.
pub const SETTLED_VERSION: u8 = 3;
/// Kind byte of a settled entry.
pub const SETTLED_KIND: u8 = 0x34;
/// The most bills that one entry pays or opens again.
pub const ALLOCATION_COUNT_MAX: u32 = 4_096;

const PAYMENT: u8 = 1;
const REVERSAL: u8 = 2;
const RELEASE: u8 = 3;
const MATCH: u8 = 4;
const WITHDRAWAL: u8 = 5;
const TRUE_UP: u8 = 6;
const CREDIT: u8 = 7;
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
    };
    writer.count(allocations.len());
    for allocation in allocations {
        writer.hash(&allocation.bill).hash(&allocation.agreement);
        writer.i64(allocation.amount.as_minor()).i128(allocation.payee_part.as_e11());
        writer.i64(allocation.payee.as_minor());
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
        let (bill, agreement) = (reader.hash("paid bill")?, reader.hash("agreement")?);
        let amount = read_above_zero(&mut reader, "allocated amount")?;
        let payee_part = read_payee_part(&mut reader, amount)?;
        let payee = Money::from_minor(reader.i64("payee's leg")?);
        allocations.push(Allocation { bill, agreement, amount, payee_part, payee });
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
    let amount = read_above_zero(reader, "amount")?;
    let at = reader.at();
    Ok(match reader.u8("cause")? {
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
        _ => return Err(reader.refuse("cause", at)),
    })
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
    use tallywatt_core::hash::ContentHash;
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
            agreement: ContentHash([9; 32]),
            amount: Money::from_minor(minor),
            payee_part: ExactAmount::from_e11(Money::from_minor(minor).exact().as_e11() / 4),
            payee: Money::from_minor(minor / 4),
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

    /// Round trip; every truncation and an extra byte refused; every flipped bit refused or another value.
    #[test]
    fn bytes_and_values_are_one_to_one() {
        let values =
            [settled(), suspended(), reversed(), released(), matched(), found(), reversed_in_suspense()];
        for value in values.into_iter().chain([withdrawn(), trued_up(), credited()]) {
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
            ("payment", settled(), "b48be81d81b3cc9a6d6b26c24365b21b4170c03ff5dfa97abca3494823a2dcb0"),
            ("suspended", suspended(), "07eb59507ab1a533a9586d4eafecb924924414c2d189833ce82f6741ac3b2447"),
            ("reversal", reversed(), "61ae07710d47e6f2d8018b84e1d4e3b92bb6602aaf683dd1ecb56655d6d56fdf"),
            ("match", matched(), "d332bc4526bd14dbcf7a7d8a4070b26a9cd4b894e654878703a33bf060c2266f"),
            ("found", found(), "6385a8f0e6b44ca8c0bb8c3b809d6becb15f68e2beb6c54709cbc105c564ece1"),
            ("release", released(), "1bebb49e11e3d76bf313efc16fd11397161913a2b6097b9797050e1d3f723fc9"),
            ("withdrawal", withdrawn(), "b65692f6918579814a7242f4e7c5bb314983c68d4f8a879e3b63c0360b5f785e"),
            ("true-up", trued_up(), "d7c49747ce0c28a1c57944ef13f3657200cd4ea9cd528d1922e2c462e7ae94f0"),
            ("credit", credited(), "dd91d22732c0bad59db52a3bb73a825399c4f2c9924c9294d90849a4ed37b9d6"),
        ];
        for (name, settled, want) in table {
            assert_eq!(content_hash(&encode_settled(&settled)).to_string(), want, "{name}");
        }
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
