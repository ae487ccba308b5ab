//! What the operator sees of a month: exceptions with the money at stake, completeness, losses. Figures worked by hand.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::path::Path;

use common::{AGREEMENT, Ledger, TARIFF};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Day, Period, UtcSeconds, Zone};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::vee::rule::Rule;
use tallywatt_ingest::documents::parse_feeders;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::audit::audit;
use tallywatt_node::books::Input;
use tallywatt_node::completeness::completeness;
use tallywatt_node::exceptions::{Exception, Exceptions, Wanted, exceptions};
use tallywatt_node::intake::ImportEnd;
use tallywatt_node::losses::losses;

const ZONE: &str = "Asia/Yekaterinburg";
/// The built-in pack of that name; its hash is held in `ingest/tests/documents.rs`.
const GENERIC: &str = "076b5cce236cda506dab0a6f7cbb19534b0ddc0e6d16c364921780ea1e028c10";

fn march() -> Period {
    "2026-03".parse().unwrap()
}

fn march_day(day: i32) -> Day {
    march().first_day().plus(day - 1).unwrap()
}

/// A day of half-hours; `None` is missing.
fn block(point: &str, obis: &str, day: i32, value: impl Fn(usize) -> Option<i32>) -> DayBlock {
    let local = Zone::parse(ZONE).unwrap().local_day(march_day(day));
    let key = BlockKey {
        usage_point: point.parse().unwrap(),
        register: obis.parse::<Register>().unwrap(),
        day: local.day,
    };
    let values: Vec<Option<i32>> = (0..48).map(value).collect();
    let qualities =
        values.iter().map(|wh| if wh.is_some() { Quality::Valid } else { Quality::Missing }).collect();
    let values = values.iter().map(|wh| wh.unwrap_or(0)).collect();
    DayBlock::from_parts(key, local.start, 30, Source::Synthetic, values, qualities).unwrap()
}

/// What every plain day holds: never one value twelve times, 4,893 Wh in all.
fn plain(slot: usize) -> Option<i32> {
    Some(100 + i32::try_from(slot % 5).unwrap())
}

/// A ledger with these sealed days; the points `P-1` to `P-6` have contracts for their total import from 1 March.
fn ledger(folder: &Path, threads: usize, blocks: &[DayBlock]) -> Ledger {
    let mut ledger = Ledger::create(&folder.join("data"), threads);
    ledger.publish(&[TARIFF, AGREEMENT]);
    let mut contracts = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n".to_owned();
    for at in 1..=6 {
        contracts += &format!("A-{at},P-{at},1-0:1.8.0,{ZONE},one,split,2026-03-01,\n");
    }
    ledger.contracts(&contracts);
    if !blocks.is_empty() {
        let file = ledger.books().batch_file(blocks).unwrap();
        ledger.propose(Party::Grid, Input::Batch(file));
    }
    ledger
}

fn wanted(rule: Option<Rule>) -> Wanted {
    Wanted { period: march(), usage_point: None, rule }
}

/// Ten days of six points, with one fault each.
fn faulty_days() -> Vec<DayBlock> {
    let mut blocks = Vec::new();
    for day in 1..=10 {
        let spiked = |slot| if day == 5 && slot == 20 { Some(5_000) } else { plain(slot) };
        blocks.push(block("P-1", "1.8.0", day, spiked));
        blocks.push(block(
            "P-2",
            "1.8.0",
            day,
            |slot| if matches!(day, 5 | 6) { Some(0) } else { plain(slot) },
        ));
        let gap = |slot| if day == 4 && matches!(slot, 10 | 11) { None } else { plain(slot) };
        blocks.push(block("P-3", "1.8.0", day, gap));
        // The total counts 3,001 Wh more on one day than its zones, no value of it standing out.
        let twice = |slot| plain(slot).map(|wh| 2 * wh);
        let more = |slot: usize| twice(slot).map(|wh| wh + if slot < 47 { 63 } else { 40 });
        blocks.push(block("P-4", "1.8.0", day, |slot| if day == 3 { more(slot) } else { twice(slot) }));
        for zone in ["1.8.1", "1.8.2"] {
            blocks.push(block("P-4", zone, day, plain));
        }
        // Nobody has a contract for it.
        blocks.push(block("P-9", "1.8.0", day, spiked));
    }
    blocks
}

fn line(row: &Exception) -> String {
    let money = row.money.map_or("-".into(), |money| money.to_string());
    format!(
        "{} {} {} {} {}/{} {money}",
        row.key.usage_point,
        row.key.register,
        row.first_interval.as_deref().unwrap_or("-"),
        row.finding.rule,
        row.finding.measured,
        row.finding.limit
    )
}

fn lines(found: &Exceptions) -> Vec<String> {
    found.rows.iter().map(line).collect()
}

/// Each amount by hand, at 5.00 a kilowatt-hour: 4,898 Wh from the median of 102 Wh, 4,896 Wh above the third highest,
/// a like day of 4,893 Wh (24.465, half up), 3,001 Wh between zones and total, two like intervals of 100 and 101 Wh.
#[test]
fn every_finding_with_the_money_at_stake() {
    let want = [
        "P-1 1-0:1.8.0 2026-03-05T10:00+05:00 V10 4898/3000 24.49",
        "P-1 1-0:1.8.0 2026-03-05T10:00+05:00 V09 47077/1800 24.48",
        "P-2 1-0:1.8.0 2026-03-06T00:00+05:00 V17 2880/2880 24.47",
        "P-4 1-0:1.8.0 - V13 3001000/3000000 15.01",
        "P-3 1-0:1.8.0 2026-03-04T05:00+05:00 V04 46/48 1.01",
        "P-9 1-0:1.8.0 2026-03-05T10:00+05:00 V09 47077/1800 -",
        "P-9 1-0:1.8.0 2026-03-05T10:00+05:00 V10 4898/3000 -",
    ];
    let mut first = None;
    for threads in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path(), threads, &faulty_days());
        let found = exceptions(ledger.books(), &wanted(None));
        assert_eq!(lines(&found), want);
        assert_eq!(found.day_count, 70);
        let packs: Vec<String> = found.packs.iter().map(|(id, hash)| format!("{id} {hash}")).collect();
        assert_eq!(packs, [format!("generic {GENERIC}")]);
        assert_eq!(*first.get_or_insert_with(|| found.clone()), found, "{threads} threads");
    }
}

#[test]
fn a_finding_is_traceable() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), 1, &faulty_days());
    let only = Wanted { usage_point: Some("P-1".parse().unwrap()), ..wanted(Some(Rule::Spike)) };
    let found = exceptions(ledger.books(), &only);
    let [row] = &found.rows[..] else { panic!("{:?}", lines(&found)) };
    assert_eq!((found.day_count, row.energy_wh, row.class.name()), (10, Some(4_896), "residential"));
    assert_eq!(row.inputs, "highest 5000 Wh, third highest 104 Wh; values 5000; in question 4896 Wh");
    assert_eq!(row.parameters, "spike_thousandths_max 1800, spike_wh_min 1000, spike_spares_history 0");
    assert_eq!(row.pack.to_string(), GENERIC);
    let run = &exceptions(ledger.books(), &wanted(Some(Rule::ZeroRun))).rows[0];
    let shown =
        "1440 minutes of zeros before this day; values 0 0 0 0 0 0 0 0 … 48 in all; in question 4893 Wh";
    assert_eq!((run.inputs.as_str(), run.finding.interval_count), (shown, 48));
}

const METERS: &str = "usage_point,obis,meter,from,first,to,last,digits,multiplier\n";
const READS: &str = "usage_point,obis,read_at,value,unit,who,meter,minutes,quality\n";

/// Takes a table in, by the profile of its name.
fn ingest(ledger: &mut Ledger, folder: &Path, name: &str, text: &str) {
    let file = folder.join(format!("{name}.csv"));
    std::fs::write(&file, text).unwrap();
    let profile = Profile::builtin(name).unwrap().with_zone(ZONE).unwrap();
    let (reports, _) = ledger.ingest(&[file], &profile);
    assert!(reports[0].end == ImportEnd::Finished && reports[0].rejected.is_empty(), "{:?}", reports[0]);
}

/// Meters as `P-1 M-1 2026-01-01 00:00 9400 - - 5 1`, reads as `P-1 2026-03-01 00:00 10000`; all of the total import.
fn ingest_dials(ledger: &mut Ledger, folder: &Path, meters: &[&str], reads: &[&str]) {
    let rows = |lines: &[&str], columns: &dyn Fn(&[&str]) -> String| -> String {
        lines.iter().map(|line| columns(&line.split_whitespace().collect::<Vec<_>>())).collect()
    };
    let meters = rows(meters, &|words| match words {
        [point, meter, day, time, first, digits, multiplier] => {
            format!("{point},1-0:1.8.0,{meter},{day} {time},{first},,,{digits},{multiplier}\n")
        }
        [point, meter, day, time, first, to_day, to_time, last, digits, multiplier] => format!(
            "{point},1-0:1.8.0,{meter},{day} {time},{first},{to_day} {to_time},{last},{digits},{multiplier}\n"
        ),
        _ => panic!("{words:?}"),
    });
    let reads = rows(reads, &|words| match words {
        [point, day, time, kwh] => format!("{point},1-0:1.8.0,{day} {time},{kwh},kWh,anna,,,\n"),
        _ => panic!("{words:?}"),
    });
    ingest(ledger, folder, "meters", &format!("{METERS}{meters}"));
    ingest(ledger, folder, "reads", &format!("{READS}{reads}"));
}

/// A point without intervals: 600 kWh in 59 days, then 85,000 kWh (a typing error of 95,000 for 10,050), which makes the
/// next read a rollover of 15,100 kWh. At 5.00 a kilowatt-hour.
#[test]
fn reads_are_held_against_the_span_before_and_the_supply() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), 2, &[]);
    let reads = ["P-1 2026-03-01 00:00 10000", "P-1 2026-04-01 00:00 95000", "P-1 2026-05-01 00:00 10100"];
    ingest_dials(&mut ledger, folder.path(), &["P-1 M-1 2026-01-01 00:00 9400 5 1"], &reads);
    let of_month = |ledger: &Ledger, month: &str| {
        exceptions(ledger.books(), &Wanted { period: month.parse().unwrap(), ..wanted(None) })
    };
    // 85,000 ÷ 31 against 600 ÷ 59; in question what is above 600 × 31 ÷ 59 = 315.254 kWh.
    let march = of_month(&ledger, "2026-03");
    assert_eq!(lines(&march), ["P-1 1-0:1.8.0 - V15 269624/2000 423423.73"]);
    assert_eq!((march.rows[0].key.day, march.rows[0].class.name()), (march_day(1), "commercial"));
    let shown = "from 2026-02-28T19:00:00Z to 2026-03-31T19:00:00Z; 85000000 Wh in 31 days; \
                 before, from 2025-12-31T19:00:00Z to 2026-02-28T19:00:00Z: 600000 Wh in 59 days; \
                 in question 84684746 Wh";
    assert_eq!(march.rows[0].inputs, shown);
    // 15,100 ÷ 30 against 85,000 ÷ 31; below 85,000 × 30 ÷ 31 = 82,258.065 kWh.
    assert_eq!(lines(&of_month(&ledger, "2026-04")), ["P-1 1-0:1.8.0 - V15 183/500 335790.33"]);
    assert_eq!(lines(&of_month(&ledger, "2026-02")), [""; 0]);

    // 15 kW × 1.15 × 744 h = 12,834 kWh, and one digit of the dial; in April 720 h.
    let known = pack("known", "2026-01-01", "[default]\npower_w_max = 15000\n");
    ledger.publish(&[&known]);
    let march = of_month(&ledger, "2026-03");
    let want =
        ["P-1 1-0:1.8.0 - V15 269624/2000 423423.73", "P-1 1-0:1.8.0 - V08 85000000/12835000 360825.00"];
    assert_eq!(lines(&march), want);
    let shown = "from 2026-02-28T19:00:00Z to 2026-03-31T19:00:00Z; meter M-1 from 10000.000000 to 95000.000000 kWh; \
                 counted 85000000 Wh; in question 72165000 Wh";
    assert_eq!(march.rows[1].inputs, shown);
    let want = ["P-1 1-0:1.8.0 - V15 183/500 335790.33", "P-1 1-0:1.8.0 - V08 15100000/12421000 13395.00"];
    assert_eq!(lines(&of_month(&ledger, "2026-04")), want);
    let quiet = pack("quiet", "2026-01-01", "[default]\noff = [\"V08\", \"V15\"]\n");
    ledger.publish(&[&quiet]);
    assert_eq!(lines(&of_month(&ledger, "2026-03")), [""; 0]);
}

/// Ten plain days of 4,893 Wh; half a day holds 2,446 Wh.
#[test]
fn intervals_are_held_against_whatever_reads_lie_around_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut days = Vec::new();
    for day in 1..=10 {
        for point in ["P-1", "P-3", "P-4", "P-5"] {
            days.push(block(point, "1.8.0", day, plain));
        }
        days.push(block("P-2", "1.8.0", day, |slot| plain(slot).filter(|_| day != 4 || slot != 7)));
    }
    let mut ledger = ledger(folder.path(), 1, &days);
    let meters = [
        "P-1 M-1 2026-03-01 00:00 110 6 1",
        "P-2 M-2 2026-03-01 00:00 110 6 1",
        "P-3 M-3 2026-03-01 00:00 110 6 1",
        "P-4 M-4 2026-03-01 00:00 110 2026-03-04 12:00 130 6 1",
        "P-4 M-5 2026-03-04 12:00 0 6 1",
        "P-5 M-6 2026-03-01 00:00 0 6 20",
    ];
    let reads = [
        // A week of 34,251 Wh and a little more than a kilowatt-hour; then two days and a half, and just one.
        "P-1 2026-03-08 00:00 145.252",
        "P-1 2026-03-10 12:00 158.484",
        // One interval lacks; the read lies in an interval.
        "P-2 2026-03-08 00:00 200",
        "P-3 2026-03-08 00:10 200",
        // Over an exchange: 20 kWh by the one, 17.251 by the other.
        "P-4 2026-03-08 00:00 17.251",
        // Behind transformers of 20: a digit is 20 kWh.
        "P-5 2026-03-08 00:00 2.71255",
        "P-5 2026-03-11 00:00 0",
    ];
    ingest_dials(&mut ledger, folder.path(), &meters, &reads);
    let found = exceptions(ledger.books(), &wanted(Some(Rule::SumCheck)));
    let want = ["P-4 1-0:1.8.0 - V12 3000/1000 15.00", "P-1 1-0:1.8.0 - V12 1001/1000 5.01"];
    assert_eq!(lines(&found), want);
    let shown = "from 2026-02-28T19:00:00Z to 2026-03-07T19:00:00Z; meter M-4 from 110.000000 to 130.000000 kWh; \
                 meter M-5 from 0.000000 to 17.251000 kWh; values add up to 34251 Wh; in question 3000 Wh";
    assert_eq!((found.rows[0].inputs.as_str(), found.rows[0].key.day), (shown, march_day(1)));
    let found = exceptions(ledger.books(), &wanted(Some(Rule::Rollover)));
    assert_eq!(lines(&found), ["P-5 1-0:1.8.0 - V14 2712550/900000000000 -"]);
    assert!(found.rows[0].inputs.contains("meter M-6 from 2.712550 to 0.000000 kWh"), "{:?}", found.rows[0]);
}

/// `P-1` lacks one zone on the 6th and everything on the 3rd; it feeds in from the 8th on, and delivered reactive energy
/// twice. `P-2` has had no meter of its zone since the 8th.
#[test]
fn a_register_that_lacks_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut days = Vec::new();
    for day in (1..=10).filter(|day| *day != 3) {
        let came =
            [("1.8.0", true), ("1.8.1", true), ("1.8.2", day != 6), ("2.8.0", day > 7), ("3.8.0", day < 3)];
        days.extend(came.iter().filter(|one| one.1).map(|(obis, _)| block("P-1", obis, day, plain)));
        days.push(block("P-2", "1.8.0", day, plain));
        days.extend((day < 8).then(|| block("P-2", "1.8.1", day, plain)));
    }
    let mut ledger = ledger(folder.path(), 1, &days);
    let rule = wanted(Some(Rule::Siblings));
    let lack = "P-1 1-0:1.8.2 - V26 2/3 -";
    let silent = "P-2 1-0:1.8.1 - V26 1/2 -";
    assert_eq!(lines(&exceptions(ledger.books(), &rule)), [lack, silent, silent, silent]);
    let meters = "P-2,1-0:1.8.1,M-1,2026-02-20 00:00,100,2026-03-08 00:00,117,6,1\n";
    ingest(&mut ledger, folder.path(), "meters", &format!("{METERS}{meters}"));
    let found = exceptions(ledger.books(), &rule);
    assert_eq!(lines(&found), [lack]);
    assert_eq!((found.rows[0].key.day, found.rows[0].inputs.as_str()), (march_day(6), "without 1-0:1.8.2"));
}

/// Meters and reads of `P-1`, whose plain days hold 4,893 Wh: 2,000 Wh too few on the 2nd, a dial that falls on the 3rd,
/// an exchange on the 4th, whose day no single dial spans, and a meter taken out on the 6th.
#[test]
fn dials_are_held_against_the_days_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let days: Vec<DayBlock> = (1..=6).map(|day| block("P-1", "1.8.0", day, plain)).collect();
    let mut ledger = ledger(folder.path(), 1, &days);
    let files = [
        (
            "meters",
            "usage_point,obis,meter,from,first,to,last,digits,multiplier\n\
             P-1,1-0:1.8.0,M-1,2026-02-20 00:00,100,,,6,1\n",
        ),
        (
            "meters",
            "usage_point,obis,meter,from,first,to,last,digits,multiplier\n\
             P-1,1-0:1.8.0,M-1,2026-02-20 00:00,100,2026-03-04 12:00,117,6,1\n\
             P-1,1-0:1.8.0,M-2,2026-03-04 12:00,0,2026-03-06 12:00,10,6,1\n",
        ),
        (
            "reads",
            "usage_point,obis,read_at,value,unit,who,meter,minutes,quality\n\
             P-1,1-0:1.8.0,2026-03-01 00:00,110,kWh,anna,M-1,,\n\
             P-1,1-0:1.8.0,2026-03-02 00:00,114.893,kWh,anna,M-1,,\n\
             P-1,1-0:1.8.0,2026-03-03 00:00,121.786,kWh,anna,M-1,,\n\
             P-1,1-0:1.8.0,2026-03-04 00:00,115,kWh,anna,M-1,,\n\
             P-1,1-0:1.8.0,2026-03-05 00:00,3,kWh,anna,M-2,,\n\
             P-1,1-0:1.8.0,2026-03-06 00:00,7.893,kWh,anna,M-2,,\n",
        ),
    ];
    for (name, text) in files {
        ingest(&mut ledger, folder.path(), name, text);
    }
    let rule = |rule| exceptions(ledger.books(), &wanted(Some(rule)));
    let found = rule(Rule::SumCheck);
    assert_eq!(lines(&found), ["P-1 1-0:1.8.0 2026-03-02T00:00+05:00 V12 2000/1000 10.00"]);
    assert_eq!(
        found.rows[0].inputs,
        "from 2026-03-01T19:00:00Z to 2026-03-02T19:00:00Z; meter M-1 from 114.893000 to 121.786000 kWh; \
         values add up to 4893 Wh; values 100 101 102 103 104 100 101 102 … 48 in all; in question 2000 Wh"
    );
    assert_eq!(lines(&rule(Rule::Rollover)), ["P-1 1-0:1.8.0 - V14 121786000/900000000000 -"]);
    let found = rule(Rule::Identity);
    assert_eq!(lines(&found), ["P-1 1-0:1.8.0 2026-03-06T12:00+05:00 V01 1772780400/1771527600 -"]);
    assert!(found.rows[0].inputs.contains("meter M-2 from "), "{}", found.rows[0].inputs);
}

/// A point that takes 96 Wh a day and gives 4,800 varh: on the 1st it feeds in 19,200 Wh, which explain them, on the 2nd
/// nothing is known of that, on the 3rd it is 480 Wh.
#[test]
fn reactive_energy_is_held_against_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = Vec::new();
    for day in 1..=3 {
        blocks.push(block("P-1", "1.8.0", day, |_| Some(2)));
        blocks.push(block("P-1", "3.8.0", day, |_| Some(100)));
    }
    blocks.push(block("P-1", "2.8.0", 1, |_| Some(400)));
    blocks.push(block("P-1", "2.8.0", 3, |_| Some(10)));
    let ledger = ledger(folder.path(), 1, &blocks);
    let found = exceptions(ledger.books(), &wanted(Some(Rule::Reactive)));
    let want = [
        "P-1 1-0:3.8.0 2026-03-02T00:00+05:00 V22 50000/2000 -",
        "P-1 1-0:3.8.0 2026-03-03T00:00+05:00 V22 8334/2000 -",
    ];
    assert_eq!(lines(&found), want);
    let inputs = |at: usize| found.rows[at].inputs.split("; values").next().unwrap().to_owned();
    assert_eq!(inputs(0), "active energy 96 Wh");
    assert_eq!(inputs(1), "active energy 96 Wh; active energy fed in 480 Wh");
}

fn pack(id: &str, from: &str, rest: &str) -> String {
    format!(
        "kind = \"rule-pack\"\nid = \"{id}\"\ntitle = \"Test\"\nsource = \"test\"\nvalid_from = \"{from}\"\n{rest}"
    )
}

#[test]
fn the_pack_published_last_holds_from_its_day_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(folder.path(), 1, &faulty_days());
    // Named so that neither order of names is the order of the chain.
    let strict = pack("m-strict", "2026-03-01", "valid_to = \"2026-03-09\"\n[default]\noff = [\"V10\"]\n");
    let later =
        pack("a-later", "2026-03-05", "valid_to = \"2026-03-06\"\n[default]\noff = [\"V09\", \"V10\"]\n");
    let other = pack("z-other", "2027-01-01", "");
    ledger.publish(&[&strict, &later, &other]);
    let on = |day| ledger.books().rule_pack_on(march_day(day)).body.parts().id.to_string();
    assert_eq!([on(4), on(5), on(6), on(9)], ["m-strict", "a-later", "m-strict", "generic"]);
    let found = exceptions(ledger.books(), &wanted(None));
    let rules: Vec<String> = found.rows.iter().map(|row| row.finding.rule.to_string()).collect();
    assert_eq!(rules, ["V17", "V13", "V04"], "{:?}", lines(&found));
    assert_eq!(found.rows[0].pack, ledger.books().rule_packs()[0].hash);
    let names: Vec<&str> = found.packs.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(names, ["m-strict", "a-later", "generic"]);

    let again = pack("m-strict", "2026-03-08", "");
    let bytes = tallywatt_ingest::documents::parse_document("again.toml", &again).unwrap();
    let bytes = tallywatt_node::books::records::document_bytes(&bytes);
    let refused = ledger.consortium.propose(Party::Supplier, Input::Document(bytes));
    assert!(refused.is_err(), "two versions of one pack on one day");

    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&held, &threads).findings, []);
    drop(held);
    let opened = Ledger::open(&folder.path().join("data"), 1);
    assert_eq!(exceptions(opened.books(), &wanted(None)), found, "the packs are read back from the chain");
}

/// What the operator is told of each register: `delivered/expected state`, days absent, and the days that lack.
fn register_lines(ledger: &Ledger, at: Option<UtcSeconds>) -> Vec<String> {
    let found = completeness(ledger.books(), march(), at);
    let shown = |register: &tallywatt_node::completeness::RegisterCoverage| {
        let lacking: Vec<String> = register
            .days
            .iter()
            .filter(|day| !day.coverage.is_complete())
            .map(|day| format!("{}{}", &day.day.to_string()[8..], &day.state.name()[..1]))
            .collect();
        let expected = register.coverage.expected.map_or("?".into(), |count| count.to_string());
        format!(
            "{} {}/{expected} {} {} {}",
            register.usage_point,
            register.coverage.delivered,
            register.state.name(),
            register.absent_count(),
            lacking.join(" ")
        )
        .trim_end()
        .to_owned()
    };
    found.registers.iter().map(shown).collect()
}

#[test]
fn what_lacks_and_who_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = Vec::new();
    for day in 1..=10 {
        blocks.push(block("P-1", "1.8.0", day, plain));
        if day != 5 {
            blocks.push(block("P-2", "1.8.0", day, plain));
        }
        if day <= 7 {
            blocks.push(block("P-3", "1.8.0", day, plain));
        }
        // The last two of 480 intervals but one lack.
        let gap = |slot| if day == 10 && matches!(slot, 45 | 46) { None } else { plain(slot) };
        blocks.push(block("P-5", "1.8.0", day, gap));
        if day <= 9 {
            blocks.push(block("P-6", "1.8.0", day, plain));
        }
    }
    blocks.push(block("P-9", "1.8.0", 2, |slot| plain(slot).filter(|_| slot < 40)));
    let ledger = ledger(folder.path(), 1, &blocks);
    // The newest reading ends with 10 March. P-3 has said nothing for three days, P-6 for one; P-4 never did.
    assert_eq!(
        register_lines(&ledger, None),
        [
            "P-1 480/480 COMPLETE 0",
            "P-2 432/480 UNDER_COVERED 1 05U",
            "P-3 336/480 SILENT 3 08S 09S 10S",
            "P-4 0/? SILENT 10 01S 02S 03S 04S 05S 06S 07S 08S 09S 10S",
            "P-5 478/480 GAP 0 10G",
            "P-6 432/480 UNDER_COVERED 1 10U",
            "P-9 40/48 SILENT 0 02S",
        ]
    );
    // At noon of 8 March, local: a day and a half are over since P-3's last value but for a day.
    let noon = Zone::parse(ZONE).unwrap().local_day(march_day(8)).start.plus(12 * 3_600);
    assert_eq!(
        register_lines(&ledger, Some(noon)),
        [
            "P-1 360/360 COMPLETE 0",
            "P-2 312/360 UNDER_COVERED 1 05U",
            "P-3 336/360 UNDER_COVERED 1 08U",
            "P-4 0/? SILENT 8 01S 02S 03S 04S 05S 06S 07S 08S",
            "P-5 360/360 COMPLETE 0",
            "P-6 360/360 COMPLETE 0",
            "P-9 40/48 SILENT 0 02S",
        ]
    );
    // 36 hours after the last value, to the second.
    let limit = Zone::parse(ZONE).unwrap().local_day(march_day(8)).start.plus(129_600);
    let of_third = |at: UtcSeconds| register_lines(&ledger, Some(at))[2].clone();
    assert_eq!(of_third(limit.plus(-1)), "P-3 336/407 UNDER_COVERED 2 08U 09U");
    assert_eq!(of_third(limit), "P-3 336/408 SILENT 2 08S 09S");
    let days = completeness(ledger.books(), march(), None).by_day();
    let (coverage, absent) = days[&march_day(10)];
    // P-1, P-2, P-3, P-5 and P-6 should have 48 each; P-4's are not known.
    assert_eq!((coverage.expected, coverage.delivered, absent), (Some(240), 142, 3));
    assert_eq!(coverage.thousandths(), Some(591));
}

/// One feeder a case: the head's value an interval, the norm, what it comes to.
#[test]
fn a_feeder_against_its_meters() {
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = Vec::new();
    for day in 1..=2 {
        for (point, wh) in
            [("H-5", 200), ("H-17", 230), ("H-0", 190), ("H-minus", 189), ("M-1", 100), ("M-2", 90)]
        {
            blocks.push(block(point, "1.8.0", day, |_| Some(wh)));
        }
        // Takes 60 and gives 10 back; its zone registers count the same once more and are not added to the total.
        for (obis, wh) in [("1.8.0", 60), ("1.8.1", 60), ("2.8.0", 10)] {
            blocks.push(block("M-3", obis, day, |_| Some(wh)));
        }
        blocks.push(block("H-net", "1.8.0", day, |_| Some(51)));
    }
    blocks.push(block("H-late", "1.8.0", 1, |_| Some(52)));
    let ledger = ledger(folder.path(), 1, &blocks);
    let check = |rows: &[&str], want: &[&str]| {
        let list = format!("head,usage_point,loss_permille_norm\n{}\n", rows.join("\n"));
        let found = losses(ledger.books(), march(), &parse_feeders("f", list.as_bytes()).unwrap(), false);
        let shown: Vec<String> = found
            .balances
            .iter()
            .map(|balance| {
                let loss = balance.loss_thousandths().map_or("-".into(), |loss| loss.to_string());
                format!("{} {} {loss} {}", balance.head_wh, balance.meters_wh, balance.verdict.name())
            })
            .chain(found.without_readings.iter().map(|(head, point)| format!("{head}: no {point}")))
            .collect();
        assert_eq!(shown, want, "{rows:?}");
    };
    // Two days of 48 half-hours: 200 × 96 Wh given, 190 × 96 taken, 10 of 200 lost.
    check(&["H-5,M-1,50", "H-5,M-2,50"], &["19200 18240 50 WITHIN_NORM"]);
    check(&["H-5,M-1,49", "H-5,M-2,49"], &["19200 18240 50 ABOVE_NORM"]);
    // 40 of 230 lost: above the pack's 12 per cent, unless the feeder's own norm is higher.
    check(&["H-17,M-1,49", "H-17,M-2,49"], &["22080 18240 174 OUT_OF_RANGE"]);
    check(&["H-17,M-1,174", "H-17,M-2,174"], &["22080 18240 174 WITHIN_NORM"]);
    check(&["H-0,M-1,0", "H-0,M-2,0"], &["18240 18240 0 WITHIN_NORM"]);
    check(&["H-minus,M-1,50", "H-minus,M-2,50"], &["18144 18240 -5 OUT_OF_RANGE"]);
    check(&["H-net,M-3,50"], &["4896 4800 20 WITHIN_NORM"]);
    check(&["H-late,M-3,50"], &["2496 4800 -923 INCOMPLETE"]);
    check(&["H-5,M-1,50", "H-5,M-9,50"], &["19200 9600 500 INCOMPLETE", "H-5: no M-9"]);
    check(&["H-9,M-1,50"], &["0 9600 - INCOMPLETE", "H-9: no H-9"]);
    check(&["H-9,M-9,50"], &["0 0 - INCOMPLETE", "H-9: no H-9", "H-9: no M-9"]);

    let list = "head,usage_point,loss_permille_norm\nH-late,M-3,60\n";
    let by_day = losses(ledger.books(), march(), &parse_feeders("f", list.as_bytes()).unwrap(), true);
    let shown: Vec<String> = by_day
        .balances
        .iter()
        .map(|balance| format!("{} {} {}", balance.day.unwrap(), balance.loss_wh(), balance.verdict.name()))
        .collect();
    assert_eq!(shown, ["2026-03-01 96 WITHIN_NORM", "2026-03-02 -2400 INCOMPLETE"]);
}
