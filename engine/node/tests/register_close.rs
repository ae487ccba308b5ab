//! A month closed with register reads: energy is conserved, late actuals stand, and the order of files does not show.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::path::{Path, PathBuf};

use common::{AGREEMENT, Ledger, TARIFF};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_core::vee::consumption::Why;
use tallywatt_core::vee::estimate::decision::{Method, Refusal, RefusedScaling};
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::tree::Root;
use tallywatt_node::audit::audit;
use tallywatt_node::books::Input;
use tallywatt_node::intake::ImportEnd;

/// Half-hours that lack on 10 March, where 500 Wh each were used: far above what other days show.
const GAP: std::ops::Range<usize> = 10..30;
const GAP_DAY: i16 = 10;
/// The day that was first estimated by its source.
const LATE_DAY: i16 = 20;
/// The day without a value whose register read lies within an interval.
const OFF_GRID_DAY: i16 = 25;

fn march() -> Period {
    "2026-03".parse().unwrap()
}

fn used_wh(day: i16, slot: usize) -> i64 {
    match day {
        GAP_DAY if GAP.contains(&slot) => 500,
        _ => 100 + i64::from(day) + i64::try_from(slot).unwrap(),
    }
}

fn day_wh(day: i16) -> i64 {
    (0..48).map(|slot| used_wh(day, slot)).sum()
}

/// What the dial shows when a day begins, in kWh with three decimals.
fn dial(day: i16) -> String {
    let wh = 1_000_000 + (1..day).map(day_wh).sum::<i64>();
    format!("{}.{:03}", wh / 1_000, wh % 1_000)
}

/// Files by name, each with the profile that reads it.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn write(folder: &Path) -> Self {
        let row = |day: i16| {
            let cell = |slot: usize| match day {
                GAP_DAY if GAP.contains(&slot) => ",".to_owned(),
                _ => format!(",{}", used_wh(day, slot)),
            };
            format!("P-1,1-0:1.8.0,2026-03-{day:02}{}\n", (0..48).map(cell).collect::<String>())
        };
        let rows = |keep: &dyn Fn(i16) -> bool| {
            let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
            let days: String = (1..=31).filter(|&day| keep(day)).map(row).collect();
            format!("usage_point,obis,date{columns}\n{days}")
        };
        let estimates = |slot: usize| {
            let (hour, minute) = (slot / 2, slot % 2 * 30);
            let at = format!("2026-03-{LATE_DAY:02} {hour:02}:{minute:02}");
            format!("P-1,1-0:1.8.0,{at},900,Wh,anna,,30,estimated\n")
        };
        let reads = "usage_point,obis,read_at,value,unit,who,meter,minutes,quality\n";
        let dials = [
            format!("P-1,1-0:1.8.0,2026-03-10 00:00,{},kWh,anna,M-1,,\n", dial(GAP_DAY)),
            format!("P-1,1-0:1.8.0,2026-03-11 00:00,{},kWh,anna,M-1,,\n", dial(GAP_DAY + 1)),
            format!("P-1,1-0:1.8.0,2026-03-25 12:10,{},kWh,anna,M-1,,\n", dial(OFF_GRID_DAY + 1)),
            "P-2,1-0:1.8.0,2026-04-02 09:00,61,kWh,anna,M-2,,\n".to_owned(),
        ];
        let is_known = |day: i16| ![LATE_DAY, OFF_GRID_DAY].contains(&day);
        let files = [
            (
                "meters",
                "usage_point,obis,meter,from,first,digits\n\
                 P-1,1-0:1.8.0,M-1,2026-03-01 00:00,1000,6\nP-2,1-0:1.8.0,M-2,2026-02-20 12:00,0,6\n"
                    .to_owned(),
            ),
            ("reads", format!("{reads}{}", dials.concat())),
            ("estimates", format!("{reads}{}", (0..48).map(estimates).collect::<String>())),
            ("intervals", rows(&is_known)),
            ("actual", rows(&|day| day == LATE_DAY)),
        ];
        for (name, text) in files {
            std::fs::write(folder.join(format!("{name}.csv")), text).unwrap();
        }
        Self { folder: folder.to_owned() }
    }

    fn ingest(&self, ledger: &mut Ledger, names: &[&str]) {
        for name in names {
            let profile = match *name {
                "meters" => "meters",
                "reads" | "estimates" => "reads",
                _ => "tallywatt",
            };
            let profile = Profile::builtin(profile).unwrap().with_zone("UTC").unwrap();
            let (reports, _) = ledger.ingest(&[self.folder.join(format!("{name}.csv"))], &profile);
            assert_eq!(reports[0].end, ImportEnd::Finished, "{name}");
        }
    }
}

fn ledger(folder: &Path) -> Ledger {
    let mut ledger = Ledger::create(folder, 2);
    ledger.publish(&[TARIFF, AGREEMENT]);
    ledger.contracts(
        "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
         A-1,P-1,1-0:1.8.0,UTC,one,split,2026-01-01,\nA-2,P-2,1-0:1.8.0,UTC,one,split,2026-01-01,\n",
    );
    ledger
}

fn key(day: i16) -> BlockKey {
    let day = Day::from_ymd(2026, 3, i8::try_from(day).unwrap()).unwrap();
    BlockKey { usage_point: "P-1".parse().unwrap(), register: Register::IMPORT, day }
}

/// The root of March as it would be closed now.
fn root(ledger: &Ledger) -> Root {
    match ledger.books().compute(Input::Period(march())).unwrap().command {
        Command::Period(commit) => commit.sealed.root,
        _ => unreachable!("a period was computed"),
    }
}

fn closed_day(ledger: &Ledger, party: Party, day: i16) -> DayBlock {
    let leaves = ledger.consortium.node(party).books().period_leaves(march()).unwrap();
    leaves.iter().map(|leaf| leaf.block()).find(|block| block.key() == key(day)).unwrap().clone()
}

#[test]
fn a_gap_between_reads_gets_what_the_register_counted() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::write(folder.path());
    let mut ledger = ledger(&folder.path().join("data"));

    // By the ladder alone: like days, and far from what was used.
    files.ingest(&mut ledger, &["intervals"]);
    let by_ladder = root(&ledger);
    let decided = ledger.books().decisions(march()).unwrap();
    let methods: Vec<&str> = decided[0].estimation.decisions.iter().map(|one| one.method.name()).collect();
    assert!(methods.iter().all(|name| *name == "like days"), "{methods:?}");

    files.ingest(&mut ledger, &["meters", "reads"]);
    assert_ne!(root(&ledger), by_ladder);
    let outcome = ledger.propose(Party::Grid, Input::Period(march()));
    let [(account, reason)] = outcome.computed.unbilled.as_slice() else {
        panic!("one point has no interval")
    };
    assert_eq!(account.to_string(), "A-2");
    assert!(reason.starts_with("P-2 register 1-0:1.8.0 has no interval of 2026-03: cannot cut"), "{reason}");

    for party in [Party::Grid, Party::Supplier] {
        let books = ledger.consortium.node(party).books();
        let block = closed_day(&ledger, party, GAP_DAY);
        assert_eq!(block.total_wh(), day_wh(GAP_DAY), "the register's energy, to the watt-hour");
        // Read by a person: known, but no measurement.
        assert!(GAP.clone().all(|slot| block.interval(slot).1 == Quality::EstimatedReferenceDay));
        let decided = books.decisions(march()).unwrap();
        // P-2 has no interval, so what its register counted is laid nowhere, and that is said.
        assert_eq!(decided.len(), 2);
        let [Refusal { from, to, why: RefusedScaling::NoInterval }] = decided[1].estimation.refusals[..]
        else {
            panic!("{:?}", decided[1])
        };
        let laid = (from.to_string(), to.to_string(), decided[1].usage_point.as_str());
        assert_eq!(laid, ("2026-02-20T12:00:00Z".into(), "2026-04-02T09:00:00Z".into(), "P-2"));
        let scaled: Vec<Method> = decided[0]
            .estimation
            .decisions
            .iter()
            .filter(|one| one.day == key(GAP_DAY).day)
            .map(|one| one.method)
            .collect();
        let known_wh = day_wh(GAP_DAY) - 500 * 20;
        let [Method::Scaled { register_wh, known_wh: shown_wh, missing_count: 20, .. }] = scaled.as_slice()
        else {
            panic!("{scaled:?}")
        };
        assert_eq!((*register_wh, *shown_wh), (day_wh(GAP_DAY), known_wh));
        // The read at ten past twelve is no read of an interval: said, and the ladder went on.
        let whys: Vec<RefusedScaling> = decided[0].estimation.refusals.iter().map(|one| one.why).collect();
        assert_eq!(whys, [RefusedScaling::OffGrid]);
        assert_eq!(Some(decided), ledger.books().decisions(march()).ok(), "{party:?}");
    }

    // What is sealed after the close changes neither it nor what is said of it.
    let before = ledger.books().decisions(march()).unwrap();
    files.ingest(&mut ledger, &["actual"]);
    assert_eq!(ledger.books().decisions(march()).unwrap(), before);
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&held, &threads).findings, []);
}

/// 61 kWh in the 981 hours from 20 February 12:00 to 2 April 09:00, laid evenly: by hand, round(61,000 × 204 / 981) =
/// 12,685 Wh until March begins and round(61,000 × 948 / 981) = 58,948 Wh until it ends.
#[test]
fn a_month_without_intervals_by_a_rule_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::write(folder.path());
    let mut ledger = ledger(&folder.path().join("data"));
    ledger.publish(&["kind = \"rule-pack\"\nid = \"even\"\ntitle = \"Even\"\nsource = \"test\"\n\
                      valid_from = \"2026-01-01\"\n[estimation]\napportioning = \"evenly\"\n"]);
    files.ingest(&mut ledger, &["meters", "reads", "intervals"]);
    let outcome = ledger.propose(Party::Grid, Input::Period(march()));
    assert_eq!(outcome.computed.unbilled, []);
    for party in [Party::Grid, Party::Supplier] {
        let leaves = ledger.consortium.node(party).books().period_leaves(march()).unwrap();
        let own = leaves.iter().map(|leaf| leaf.block());
        let own: Vec<&DayBlock> = own.filter(|block| block.key().usage_point.as_str() == "P-2").collect();
        assert_eq!(own.len(), 31);
        assert_eq!(own.iter().map(|block| block.total_wh()).sum::<i64>(), 58_948 - 12_685);
    }
    ledger.propose(Party::Supplier, Input::Bills(march()));
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&held, &threads).findings, []);
}

#[test]
fn late_actuals_and_the_order_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::write(folder.path());
    let mut roots = Vec::new();
    let orders = [
        ["meters", "reads", "intervals", "estimates", "actual"],
        ["actual", "estimates", "intervals", "reads", "meters"],
        ["intervals", "estimates", "reads", "actual", "meters"],
    ];
    for (at, order) in orders.iter().enumerate() {
        let mut ledger = ledger(&folder.path().join(format!("data-{at}")));
        if at == 0 {
            files.ingest(&mut ledger, &order[..4]);
            let estimated = ledger.books().accepted().get(&key(LATE_DAY)).unwrap().total_wh();
            assert_eq!(estimated, 900 * 48);
            let before = root(&ledger);
            files.ingest(&mut ledger, &order[4..]);
            assert_ne!(root(&ledger), before);
        } else {
            files.ingest(&mut ledger, order);
        }
        ledger.propose(Party::Grid, Input::Period(march()));
        for party in [Party::Grid, Party::Supplier] {
            assert_eq!(closed_day(&ledger, party, LATE_DAY).total_wh(), day_wh(LATE_DAY), "{order:?}");
            assert_eq!(closed_day(&ledger, party, GAP_DAY).total_wh(), day_wh(GAP_DAY), "{order:?}");
        }
        roots.push(ledger.books().period_root(march()).unwrap());
    }
    assert!(roots.iter().all(|one| *one == roots[0]), "{roots:?}");
}

/// One register of 100 Wh a half-hour, 4.8 kWh a day, where its intervals are known.
///
/// A step is `meter` and `read`, the dial at the first and the last instant; `02:1-23`, intervals of days of a month;
/// `=02`, the close of a month.
#[track_caller]
fn check_months((dials, steps): ([(&str, &str); 2], &str), want: &[(&str, i64, usize, &[RefusedScaling])]) {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = ledger(&folder.path().join("data"));
    let [(from, first), (to, last)] = dials;
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    for step in steps.split(' ') {
        let (profile, text) = match (step, step.split_once(':')) {
            ("meter", _) => (
                "meters",
                format!(
                    "usage_point,obis,meter,from,first,digits\nP-1,1-0:1.8.0,M-1,{from} 00:00,{first},6\n"
                ),
            ),
            ("read", _) => (
                "reads",
                format!(
                    "usage_point,obis,read_at,value,unit,who,meter\nP-1,1-0:1.8.0,{to} 00:00,{last},kWh,anna,M-1\n"
                ),
            ),
            (_, Some((month, days))) => {
                let (first, last) = days.split_once('-').unwrap();
                let days = first.parse::<u8>().unwrap()..=last.parse::<u8>().unwrap();
                let row = |day| format!("P-1,1-0:1.8.0,2026-{month}-{day:02}{}\n", ",100".repeat(48));
                let rows: String = days.map(row).collect();
                ("tallywatt", format!("usage_point,obis,date{columns}\n{rows}"))
            }
            _ => {
                let month = step.strip_prefix('=').unwrap();
                ledger.propose(Party::Grid, Input::Period(format!("2026-{month}").parse().unwrap()));
                continue;
            }
        };
        let path = folder.path().join("step.csv");
        std::fs::write(&path, text).unwrap();
        let profile = Profile::builtin(profile).unwrap().with_zone("UTC").unwrap();
        let (reports, _) = ledger.ingest(&[path], &profile);
        assert_eq!(reports[0].end, ImportEnd::Finished, "{step}");
    }
    for party in [Party::Grid, Party::Supplier] {
        let books = ledger.consortium.node(party).books();
        for (month, wh, missing_count, refused) in want {
            let month: Period = format!("2026-{month}").parse().unwrap();
            let blocks = || books.period_leaves(month).unwrap().iter().map(|leaf| leaf.block());
            let present_count: usize = blocks().map(DayBlock::present_count).sum();
            let expected_count = usize::try_from(month.day_count()).unwrap() * 48;
            let got = (blocks().map(DayBlock::total_wh).sum::<i64>(), expected_count - present_count);
            assert_eq!(got, (*wh, *missing_count), "{steps}: {month}");
            let decided = books.decisions(month).unwrap();
            let whys: Vec<RefusedScaling> =
                decided.iter().flat_map(|one| &one.estimation.refusals).map(|one| one.why).collect();
            assert_eq!(whys, *refused, "{steps}: {month}");
        }
    }
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&held, &threads).findings, []);
}

/// 160 kWh in March, of which intervals of twenty days show 96: the other eleven days get 64.
#[test]
fn days_that_only_a_register_counted_are_filled() {
    let dials = [("2026-03-01", "1000"), ("2026-04-01", "1160")];
    for steps in ["meter read 03:1-20 =03", "meter read 03:12-31 =03", "03:6-25 read meter =03"] {
        check_months((dials, steps), &[("03", 160_000, 0, &[])]);
    }
    // Nothing counted after the twentieth: nothing says that the point was there.
    check_months((dials, "meter 03:1-20 =03"), &[("03", 96_000, 11 * 48, &[])]);
    // Read at the end of the 25th: five days more get 24 kWh, the last six stay absent.
    let early = [("2026-03-01", "1000"), ("2026-03-26", "1120")];
    check_months((early, "meter read 03:1-20 =03"), &[("03", 120_000, 6 * 48, &[])]);
    // The register shows less than the intervals: it is refused, and the ladder goes on with 4.8 kWh a day.
    let less = [("2026-03-01", "1000"), ("2026-04-01", "1095")];
    let why = RefusedScaling::NegativeRemainder { register_wh: 95_000, known_wh: 96_000 };
    check_months((less, "meter read 03:1-20 =03"), &[("03", 148_800, 0, &[why])]);
    // The dial fell: there is no span, and that is said.
    let fell = [("2026-03-01", "1000"), ("2026-04-01", "900")];
    let why = RefusedScaling::NotCounted(Why::Backwards);
    check_months((fell, "meter read 03:1-20 =03"), &[("03", 96_000, 11 * 48, &[why])]);
}

/// One span of 355.2 kWh over February and March, with a gap over the end of February.
#[test]
fn months_that_one_span_joins() {
    use RefusedScaling::{ClosedWithout, UnknownOutside};
    let dials = [("2026-02-01", "1000"), ("2026-04-01", "1355.2")];
    let months = |steps: &str, february: (i64, usize, &[_]), march: (i64, usize, &[_])| {
        let (own, next) = (february, march);
        let want = [("02", own.0, own.1, own.2), ("03", next.0, next.1, next.2)];
        check_months((dials, steps), &want);
    };
    // Known are 23 + 26 days of 4.8 kWh = 235.2; ten days alike get 120: five in February, 110.4 + 60, five in March,
    // 124.8 + 60. Whichever is closed first.
    let known = "meter read 02:1-23 03:6-31";
    for closes in ["=02 =03", "=03 =02"] {
        months(&format!("{known} {closes}"), (170_400, 0, &[]), (184_800, 0, &[]));
    }
    // February is closed while nothing of March is sealed: like days, 28 × 4.8. March gets what is left of the span.
    let steps = "meter read 02:1-23 =02 03:6-31 =03";
    months(steps, (134_400, 0, &[UnknownOutside]), (220_800, 0, &[]));
    // The same where the read comes after February is closed, and its gap is between known days.
    let steps = "meter 02:1-19 02:25-28 =02 03:1-5 03:11-31 read =03";
    months(steps, (134_400, 0, &[]), (220_800, 0, &[]));
    // February was closed with five days absent: what was used there is not March's. Like days then, 31 × 4.8.
    let steps = "meter 02:1-23 =02 03:6-31 read =03";
    months(steps, (110_400, 5 * 48, &[]), (148_800, 0, &[ClosedWithout]));
}
