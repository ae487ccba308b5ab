//! Meters: an exchange is noted, and what reads and meters tell of consumption is shown.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::decimal::Decimal;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::meter::{DialReading, Installation, MeterSerial, Multiplier};
use tallywatt_core::meter_event::ReceivedRead;
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_core::vee::consumption::{Consumption, consumption, meters};
use tallywatt_node::books::Books;
use tallywatt_node::intake::{ByHand, Intake};

use crate::args::Arguments;
use crate::by_hand::options::{ExchangeOptions, RegistersOptions};
use crate::by_hand::{name_of, now, settle, shell_word};
use crate::failure::{Failure, code};
use crate::instant::instant_of;
use crate::open::{Opened, data_option, usage_point_of};
use crate::output::{Report, Table};

/// Notes which meter was taken out, and which was put in.
pub fn exchange(
    opened: &mut Opened,
    options: &ExchangeOptions,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let (usage_point, register) = (usage_point_of(&options.usage_point)?, register_of(&options.obis)?);
    let (who, at) = (name_of(&options.who)?, instant_of(&options.at)?);
    let books = opened.readings()?;
    let mut intake = Intake::open(&arguments.data, books)?;
    let sealed = books.installations(&usage_point);
    let known: Vec<Installation> =
        sealed.chain(intake.unsealed_installations(&usage_point)).copied().collect();
    let known = of_register(&known, register);
    let (old, new) = (
        taken_out(options, books, (usage_point, register, at), &known)?,
        put_in(options, (usage_point, register, at))?,
    );
    let mut all: Vec<Installation> = known.clone();
    all.extend([old, new]);
    // What contradicts what is known would leave no read that can be trusted to a meter.
    consumption(&[], &of_register(&all, register)).map_err(|error| {
        Failure::usage(
            error,
            "see `tallywatt readings registers` for the meters that are known; nothing was recorded",
        )
    })?;
    let mut table = Table::new(&["meter", "from", "first kWh", "to", "last kWh", "digits", "multiplier"]);
    for one in [&old, &new] {
        table.row(vec![
            json!(one.meter.to_string()),
            json!(one.from.to_string()),
            json!(one.first.to_string()),
            json!(one.to.map(|(to, _)| to.to_string())),
            json!(one.to.map(|(_, last)| last.to_string())),
            json!(one.digits),
            json!(factor(one.multiplier)),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("usage point", usage_point.to_string()).fact("register", register.to_string());
    report.fact("at", at.to_string()).fact("who", who.as_str());
    if options.plan {
        report.fact("status", "planned, nothing is recorded");
        report.then("run the same command without --plan");
        return Ok(report);
    }
    // Of meters no local day is asked.
    let zone = Zone::parse("UTC").map_err(|error| Failure::usage(error, "this is a defect: report it"))?;
    let done = intake.exchange(&ByHand { books, zone: &zone, who, at: now() }, &[old, new])?;
    settle(&done, options.keep_open, &mut intake, opened, arguments, &mut report)?;
    let point = shell_word(usage_point.as_str());
    report.then(format!("tallywatt{} readings registers {point}", data_option(arguments)));
    Ok(report)
}

/// The meter taken out: as it was noted when it was put in, else from its first read on, the one that stands.
fn taken_out(
    options: &ExchangeOptions,
    books: &Books,
    (usage_point, register, at): (UsagePointId, Register, UtcSeconds),
    known: &[Installation],
) -> Result<Installation, Failure> {
    let meter: MeterSerial =
        options.old_meter.parse().map_err(|error| Failure::usage(error, "--old-meter: check the number"))?;
    let last = dial_of("--last", &options.last)?;
    if let Some(installed) = known.iter().find(|one| one.meter == meter && one.from < at) {
        if installed.to.is_some_and(|to| to != (at, last)) {
            return Err(Failure::usage(
                format!("meter {meter} was taken out already"),
                "see `tallywatt readings registers` for when; nothing was recorded",
            ));
        }
        return Ok(Installation { to: Some((at, last)), ..*installed });
    }
    let is_its_own = |read: &&ReceivedRead| {
        let read = &read.read;
        read.register == register
            && read.at < at
            && read.quality != Quality::Missing
            && read.meter.is_none_or(|own| own == meter)
    };
    let standing = |one: &&ReceivedRead| (Reverse(one.read.at), one.precedence());
    let first =
        books.register_reads(&usage_point).filter(is_its_own).max_by_key(standing).ok_or_else(|| {
            Failure::usage(
                format!("nothing is known of meter {meter} at {usage_point} before {at}"),
                "ingest when it was put in with --profile meters, or its reads with --profile reads",
            )
        })?;
    Ok(Installation {
        usage_point,
        register,
        from: first.read.at,
        meter,
        first: first.read.dial,
        to: Some((at, last)),
        digits: options.digits,
        multiplier: multiplier_of(&options.multiplier)?,
    })
}

fn put_in(
    options: &ExchangeOptions,
    (usage_point, register, from): (UsagePointId, Register, UtcSeconds),
) -> Result<Installation, Failure> {
    let meter: MeterSerial =
        options.new_meter.parse().map_err(|error| Failure::usage(error, "--new-meter: check the number"))?;
    let first = dial_of("--first", &options.first)?;
    let multiplier = multiplier_of(&options.multiplier)?;
    Ok(Installation {
        usage_point,
        register,
        from,
        meter,
        first,
        to: None,
        digits: options.digits,
        multiplier,
    })
}

/// Reads, meters, and what was used between.
pub fn registers(
    opened: &Opened,
    options: &RegistersOptions,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    let usage_point = usage_point_of(&options.usage_point)?;
    let only = options.obis.as_deref().map(register_of).transpose()?;
    let books = opened.readings()?;
    let is_wanted = |register: Register| only.is_none_or(|only| only == register);
    let reads: Vec<ReceivedRead> =
        books.register_reads(&usage_point).filter(|one| is_wanted(one.read.register)).copied().collect();
    let installations: Vec<Installation> =
        books.installations(&usage_point).filter(|one| is_wanted(one.register)).copied().collect();
    if reads.is_empty() && installations.is_empty() {
        return Err(Failure::usage(
            format!("no reads and no meters of {usage_point} are sealed"),
            "ingest reads with --profile reads, meters with --profile meters",
        ));
    }
    let mut registers: BTreeSet<Register> = reads.iter().map(|one| one.read.register).collect();
    registers.extend(installations.iter().map(|one| one.register));
    let columns = ["what", "register", "from", "to", "meter", "kWh", "Wh", "quality", "says"];
    let mut table = Table::new(&columns);
    let (mut meter_count, mut span_count, mut conflict_count) = (0_u64, 0_u64, 0_u64);
    for register in registers {
        let own: Vec<ReceivedRead> =
            reads.iter().filter(|one| one.read.register == register).copied().collect();
        let meters = of_register(&installations, register);
        own.iter().for_each(|read| table.row(read_row(read)));
        meters.iter().for_each(|meter| table.row(meter_row(meter)));
        meter_count += u64::try_from(meters.len()).unwrap_or(u64::MAX);
        match consumption(&own, &meters) {
            Ok(found) => {
                span_count += u64::try_from(found.spans.len()).unwrap_or(u64::MAX);
                conflict_count += u64::try_from(found.failures.len()).unwrap_or(u64::MAX);
                tell(&found, register, &mut table);
            }
            Err(error) => {
                conflict_count += 1;
                table.row(row(
                    "conflict",
                    register,
                    [json!(null), json!(null), json!(null), json!(null), json!(null), json!(null)],
                    error.to_string(),
                ));
            }
        }
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("usage point", usage_point.to_string()).fact("register reads", reads.len());
    report.fact("meters", meter_count).fact("spans", span_count).fact("conflicts", conflict_count);
    if conflict_count > 0 {
        report.code = code::DIFFERENCES;
    }
    report.then(format!("tallywatt{} readings totals", data_option(arguments)));
    Ok(report)
}

/// The meters of one register, in order of time.
fn of_register(installations: &[Installation], register: Register) -> Vec<Installation> {
    let own: Vec<Installation> =
        installations.iter().filter(|one| one.register == register).copied().collect();
    meters(&own)
}

fn tell(found: &Consumption, register: Register, table: &mut Table) {
    for span in &found.spans {
        let how = &span.how;
        let mut says = match how.meter_count {
            1 => "1 meter".to_owned(),
            count => format!("{count} meters"),
        };
        if how.rolled_over {
            says.push_str(", rolled over");
        }
        let fields = [
            json!(span.from.to_string()),
            json!(span.to.to_string()),
            json!(null),
            json!(null),
            json!(span.energy_wh),
            json!(how.quality.name()),
        ];
        table.row(row("span", register, fields, says));
    }
    for failure in &found.failures {
        let fields = [
            json!(failure.from.to_string()),
            json!(failure.to.to_string()),
            json!(null),
            json!(null),
            json!(null),
            json!(null),
        ];
        table.row(row("conflict", register, fields, failure.why.to_string()));
    }
}

fn read_row(received: &ReceivedRead) -> Vec<Value> {
    let read = &received.read;
    let fields = [
        json!(read.at.to_string()),
        json!(null),
        json!(read.meter.map(|meter| meter.to_string())),
        json!(read.dial.to_string()),
        json!(null),
        json!(read.quality.name()),
    ];
    let who = received.who.map(|who| format!("by {who}"));
    let received = received.received.map(|at| format!("received {at}"));
    row("read", read.register, fields, who.into_iter().chain(received).collect::<Vec<_>>().join(", "))
}

fn meter_row(meter: &Installation) -> Vec<Value> {
    let fields = [
        json!(meter.from.to_string()),
        json!(meter.to.map(|(to, _)| to.to_string())),
        json!(meter.meter.to_string()),
        json!(meter.first.to_string()),
        json!(null),
        json!(null),
    ];
    let last = meter.to.map(|(_, last)| format!("last {last}, ")).unwrap_or_default();
    let says = format!("{last}{} dials, × {}", meter.digits, factor(meter.multiplier));
    row("meter", meter.register, fields, says)
}

fn row(what: &str, register: Register, fields: [Value; 6], says: String) -> Vec<Value> {
    let mut row = vec![json!(what), json!(register.to_string())];
    row.extend(fields);
    row.push(Value::String(says));
    row
}

/// A multiplier without needless zeros: `30`, `0.05`.
fn factor(multiplier: Multiplier) -> String {
    let (whole, rest) = (multiplier.as_millionths() / 1_000_000, multiplier.as_millionths() % 1_000_000);
    let text = format!("{whole}.{rest:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn register_of(text: &str) -> Result<Register, Failure> {
    text.parse().map_err(|error| Failure::usage(error, "write it as 1-0:1.8.0"))
}

/// Kilowatt-hours of a dial.
fn dial_of(name: &str, text: &str) -> Result<DialReading, Failure> {
    let wrong = |what: &dyn std::fmt::Display| {
        Failure::usage(
            format!("{name} {text:?}: {what}"),
            "write what the dial showed in kWh, such as 1234.56",
        )
    };
    let dial = Decimal::parse(text.as_bytes(), b'.').and_then(|dial| dial.scaled(6));
    let dial = dial.map_err(|error| wrong(&error))?;
    if dial < 0 {
        Err(wrong(&"a dial is never below zero"))
    } else {
        Ok(DialReading::from_milliwatt_hours(dial))
    }
}

fn multiplier_of(text: &str) -> Result<Multiplier, Failure> {
    Multiplier::parse(text).map_err(|error| {
        Failure::usage(format!("--multiplier {text:?}: {error}"), "write 1 for a meter without transformers")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_short() {
        for (text, want) in [("1", "1"), ("30", "30"), ("0.05", "0.05"), ("100", "100"), ("1.5", "1.5")] {
            assert_eq!(factor(Multiplier::parse(text).unwrap()), want);
        }
    }
}
