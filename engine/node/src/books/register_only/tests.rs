use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::meter::{DialReading, Installation, Multiplier, RegisterRead};
use tallywatt_core::meter_event::{MeterEvent, ReceivedRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_core::validity::Validity;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_shards::threads::Threads;

use super::*;
use crate::books::Input;
use crate::books::records::contracts_file;

/// 2026-03-01 00:00 UTC.
const MARCH: i64 = 1_772_323_200;

fn at(day: i64) -> UtcSeconds {
    UtcSeconds(MARCH + day * 86_400)
}

fn dial(kwh: i64) -> DialReading {
    DialReading::from_milliwatt_hours(kwh * 1_000_000)
}

/// Books of one meter, installed ten days before March at zero, with these reads (days after 1 March, kWh).
fn books(reads: &[(i64, i64)], from: &str) -> Books {
    let mut books = Books::new(BlindingSecret::new([7; 32]), Threads::new(2).unwrap());
    let (usage_point, register) = ("P-1".parse().unwrap(), Register::IMPORT);
    let read = |&(day, kwh): &(i64, i64)| {
        let (dial, quality) = (dial(kwh), Quality::Valid);
        let read = RegisterRead { usage_point, register, at: at(day), meter: None, dial, quality };
        MeterEvent::Read(ReceivedRead { read, who: None, received: None })
    };
    let mut events: Vec<MeterEvent> = reads.iter().map(read).collect();
    events.push(MeterEvent::Installed(Installation {
        usage_point,
        register,
        from: at(-10),
        meter: "M-1".parse().unwrap(),
        first: dial(0),
        to: None,
        digits: 6,
        multiplier: Multiplier::ONE,
    }));
    events.sort_unstable();
    let contract = Contract {
        account: "A-1".parse().unwrap(),
        usage_point,
        register,
        zone: Zone::parse("UTC").unwrap(),
        tariff: "one".parse().unwrap(),
        agreement: "split".parse().unwrap(),
        validity: Validity::new(from.parse().unwrap(), None).unwrap(),
        overrides: Vec::new(),
    };
    let batch = books.batch_file_with::<DayBlock>(&[], &events).unwrap();
    for input in [Input::Contracts(contracts_file(&[contract])), Input::Batch(batch)] {
        let computed = books.compute(input).unwrap();
        books.absorb(&computed.command, computed.file.as_deref()).unwrap();
    }
    books
}

fn laid(books: &Books, period: &str, rule: &Apportion<'_>) -> RegisterOnly {
    let counted = books.counted(books.batch_count());
    books.register_only(period.parse().unwrap(), &BTreeSet::new(), &counted, rule)
}

/// The watt-hours and days of a month, or why there are none.
#[track_caller]
fn check(reads: &[(i64, i64)], (from, period): (&str, &str), rule: &Apportion<'_>, want: &str) {
    let RegisterOnly { days, unbilled, .. } = laid(&books(reads, from), period, rule);
    let wh: i64 = days.iter().map(DayBlock::total_wh).sum();
    let told = match unbilled.as_slice() {
        [] => format!("{wh} Wh in {} days", days.len()),
        all => all.iter().map(|(account, reason)| format!("{account}: {reason}")).collect(),
    };
    assert_eq!(told, want);
}

#[test]
fn a_month_of_reads_alone() {
    let (even, never) = (Apportion::EvenlyByTime, Apportion::Never);
    let since = "2026-01-01";
    // 100 kWh over the ten days before March, its 31 and nine of April: 2 kWh a day.
    let wide = [(40, 100)];
    check(&wide, (since, "2026-03"), &even, "62000 Wh in 31 days");
    check(&wide, ("2026-03-11", "2026-03"), &even, "42000 Wh in 21 days");
    check(&wide, ("2026-05-01", "2026-03"), &even, "0 Wh in 0 days");
    let none = "A-1: P-1 register 1-0:1.8.0 has no interval of";
    let no_rule = "energy between two reads is not apportioned: no rule says how";
    let cut = "cannot cut the span from 2026-02-19T00:00:00Z to 2026-04-10T00:00:00Z";
    check(&wide, (since, "2026-03"), &never, &format!("{none} 2026-03: {cut}: {no_rule}"));
    // Read at both ends of the month: how much is known, when is not.
    let sharp = [(0, 7), (31, 70)];
    check(&sharp, (since, "2026-03"), &even, "63000 Wh in 31 days");
    let counted = "the register counted 63000 Wh";
    check(&sharp, (since, "2026-03"), &never, &format!("{none} 2026-03: {counted}, but {no_rule}"));
    let late = "no read at or after 2026-04-01T00:00:00Z";
    check(&[(3, 7)], (since, "2026-03"), &even, &format!("{none} 2026-03: {late}"));
}

/// Months that follow each other make the spans to the watt-hour, wherever reads lie.
#[test]
fn months_add_up() {
    let books = books(&[(5, 1), (47, 98), (100, 211)], "2026-01-01");
    let rule = Apportion::EvenlyByTime;
    let sum = |period: &str| laid(&books, period, &rule).days.iter().map(DayBlock::total_wh).sum::<i64>();
    let counted = books.counted(books.batch_count());
    let spans = counted.spans(&("P-1".parse().unwrap(), Register::IMPORT));
    let whole = of_period(spans, at(0), at(92), &rule).unwrap().energy_wh;
    assert_eq!(sum("2026-03") + sum("2026-04") + sum("2026-05"), whole);
}
