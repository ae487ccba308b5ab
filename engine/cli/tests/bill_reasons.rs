//! `bill explain | why | match` and `tariff show | test | import`, as a billing analyst types them.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use serde_json::Value;

/// A decimal text in 10^-11.
fn e11(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{decimals:0<11}").parse().unwrap()
}

#[test]
fn a_bill_is_explained_and_compared() {
    let place = Place::new();
    place.town(20, 61);
    place.expect(0, "tallywatt bill run 2026-03");
    place.expect(0, "tallywatt bill run 2026-04");
    let mut explained = 0;
    for account in ["A-000001", "A-000002", "A-000003", "A-000004", "A-000017"] {
        let bill = place.json(&format!("tallywatt bill show {account} 2026-04"));
        for (at, line) in (1..).zip(bill["rows"].as_array().unwrap()) {
            let explain = format!("tallywatt bill explain {account} 2026-04 --line {at}");
            let told = place.json(&explain);
            assert_eq!((&told["line"], &told["exact"]), (&line["line"], &line["exact"]), "{account}");
            // The days of a zone add up to its energy in all ranges.
            let days = told["rows"].as_array().unwrap();
            let sum: i128 = days.iter().map(|day| e11(&day["kwh"])).sum();
            assert_eq!(sum, e11(&told["energy_of_its_zone_in_all_ranges_kwh"]), "{told}");
            let day = place.json(&format!("{explain} --day 2026-04-07"));
            let of_day = days.iter().find(|row| row["day"] == "2026-04-07").unwrap();
            assert_eq!(day["rows"].as_array().unwrap().len(), of_day["intervals"], "{day}");
            explained += 1;
        }
        let why = place.json(&format!("tallywatt bill why {account} 2026-03 2026-04"));
        let terms = why["rows"].as_array().unwrap();
        assert_eq!(terms.iter().map(|term| e11(&term["amount"])).sum::<i128>(), e11(&why["difference"]));
        let march = place.json(&format!("tallywatt bill show {account} 2026-03"));
        let total = |bill: &Value| bill["total"].as_str().unwrap().trim_end_matches(" RUB").to_owned();
        let difference = e11(&total(&bill).into()) - e11(&total(&march).into());
        assert_eq!(e11(&why["difference"]), difference, "{why}");
    }
    assert!(explained >= 5, "{explained} lines");
    let wrong = place.expect(2, "tallywatt bill explain A-000017 2026-04 --line 99");
    assert!(wrong.err.contains("the bill has lines 1 to "), "{}", wrong.err);
    // Cheapest first; under its own tariff the bill is the one that was issued.
    let compared = place.json("tallywatt tariff compare A-000017 2026-04");
    let totals: Vec<i128> =
        compared["rows"].as_array().unwrap().iter().map(|row| e11(&row["total"])).collect();
    assert!(totals.len() > 1 && totals.is_sorted(), "{compared}");
    let own = place.json("tallywatt contract list");
    let own = own["rows"].as_array().unwrap().iter().find(|row| row["account"] == "A-000017").unwrap();
    let same = compared["rows"].as_array().unwrap().iter().find(|row| row["tariff"] == own["tariff"]);
    assert_eq!(same.unwrap()["difference"], "0.00", "{compared}");
    // A list that another system could have issued: one bill is left out, one is another's, one is dearer.
    let bills = place.json("tallywatt bill list 2026-04");
    let mut list = "account,total,energy_kwh\n".to_owned();
    for row in &bills["rows"].as_array().unwrap()[1..] {
        let field = |name: &str| row[name].as_str().unwrap().to_owned();
        list += &format!("{},{},{}\n", field("account"), field("total"), field("kwh"));
    }
    place.write("same.csv", &list);
    let same = place.expect(4, "tallywatt bill match 2026-04 same.csv --format json").object();
    assert_eq!((&same["same"], &same["no_bill_there"]), (&19.into(), &1.into()), "{same}");
    list += "A-999999,1.00,\n";
    place.write("more.csv", list.replacen("\nA-000003,", "\nA-000003,9", 1));
    let more = place.expect(4, "tallywatt bill match 2026-04 more.csv --format json").object();
    let verdicts: Vec<&str> =
        more["rows"].as_array().unwrap().iter().map(|row| row["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["no bill there", "same energy, other price", "no bill here"], "{more}");
    let twice = format!("{list}A-999999,1.00,\n");
    place.write("twice.csv", twice);
    let refused = place.expect(2, "tallywatt bill match 2026-04 twice.csv");
    assert!(
        refused.err.contains("twice.csv:22: account A-999999 stands on line 21 already"),
        "{}",
        refused.err
    );
}

/// A bill is explained and proved by the contracts it was computed from, also when another list is in force since.
#[test]
fn a_bill_keeps_its_own_contract_list() {
    let place = Place::new();
    place.town(20, 31);
    place.expect(0, "tallywatt bill run 2026-03");
    let account = "A-000003";
    let explain = format!("tallywatt bill explain {account} 2026-03 --line 1");
    let day = format!("{explain} --day 2026-03-07");
    let (before, before_day) = (place.json(&explain), place.json(&day));
    // The account leaves the list altogether.
    let list = place.text("town/contracts.csv");
    let left: String =
        list.lines().filter(|line| !line.starts_with(account)).map(|line| format!("{line}\n")).collect();
    assert!(left.lines().count() < list.lines().count());
    place.write("left.csv", left);
    place.expect(0, "tallywatt contract publish left.csv");
    assert_eq!((place.json(&explain), place.json(&day)), (before.clone(), before_day.clone()));
    assert!(!before["rows"].as_array().unwrap().is_empty(), "{before}");
    // Starts are those of the contract's wall clock.
    let starts: Vec<&str> =
        before_day["rows"].as_array().unwrap().iter().map(|row| row["start"].as_str().unwrap()).collect();
    let own = list.lines().find(|line| line.starts_with(account)).unwrap();
    let offset = if own.contains("Asia/Yekaterinburg") { "+05:00" } else { "+02:00" };
    let is_local = |start: &&str| start.starts_with("2026-03-07T") && start.ends_with(offset);
    assert!(!starts.is_empty() && starts.iter().all(is_local), "{starts:?}");
    place.expect(0, &format!("tallywatt prove bill {account} 2026-03 --output bill.receipt"));
    let verified = place.expect(0, "tallywatt verify bill.receipt");
    assert!(verified.out.contains("VALID"), "{}", verified.out);
}

/// Each bill says how much of it is estimated: in its table, in the list, and in the verifier's report.
#[test]
fn estimates_are_shown_by_share() {
    let place = Place::new();
    place.expect(0, "tallywatt synth --output town --meters 20 --days 31 --documents");
    // One day of one home is not read, and ten of another.
    let readings = place.text("town/readings/yekaterinburg.csv");
    let is_lost = |line: &&str| {
        let one = line.starts_with("EKB-000005,") && line.contains(",2026-03-10,");
        one || (line.starts_with("EKB-000007,") && line.contains(",2026-03-2"))
    };
    let left: String =
        readings.lines().filter(|line| !is_lost(line)).map(|line| format!("{line}\n")).collect();
    place.write("town/readings/yekaterinburg.csv", left);
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.expect(0, "tallywatt tariff publish town/tariffs/*.toml town/agreements/*.toml --sign");
    place.expect(0, "tallywatt contract publish town/contracts.csv");
    place.ingest_town("town", "tallywatt");
    place.expect(0, "tallywatt bill run 2026-03");
    let list = place.json("tallywatt bill list 2026-03");
    let mut flagged = 0;
    let mut shares = Vec::new();
    for row in list["rows"].as_array().unwrap() {
        let account = row["account"].as_str().unwrap();
        let shown = place.json(&format!("tallywatt bill show {account} 2026-03"));
        let words = shown["estimated"].as_str().unwrap();
        let (intervals, energy) =
            (row["estimated_share"].as_str().unwrap(), row["estimated_energy_share"].as_str().unwrap());
        assert!(words.starts_with(&format!("{intervals} % of intervals, {energy} % of kWh")), "{words}");
        flagged += u64::from(words.ends_with("above 10.0 %"));
        // By hand from the counts, rounded half up, but never to nothing.
        let (part, whole) = (row["estimated"].as_u64().unwrap(), row["expected"].as_u64().unwrap());
        let tenths = if part == 0 { 0 } else { ((part * 2_000 + whole) / (whole * 2)).max(1) };
        assert_eq!(intervals, format!("{}.{}", tenths / 10, tenths % 10), "{account}");
        shares.push((part, account.to_owned(), intervals.to_owned(), energy.to_owned()));
    }
    assert_eq!(list["bills_with_much_estimated"], flagged);
    let (part, account, intervals, energy) = shares.into_iter().max().unwrap();
    assert!(part > 0 && flagged > 0, "nothing is estimated in this town");
    place.expect(0, &format!("tallywatt prove bill {account} 2026-03 --output bill.receipt"));
    let verified = place.json("tallywatt verify bill.receipt");
    assert_eq!(verified["figures"]["estimated_intervals_percent"], intervals, "{verified}");
    assert_eq!(verified["figures"]["estimated_energy_percent"], energy, "{verified}");
    let told =
        verified["checks"].as_array().unwrap().iter().find(|check| check["name"] == "completeness").unwrap();
    let want = format!("estimated {intervals} % of intervals, {energy} % of kWh");
    assert!(told["detail"].as_str().unwrap().contains(&want), "{told}");
}

const RATE: &str = r#"{"label": "539f6a23ec4f024411ec8beb", "name": "General", "utility": "Someone", "startdate": 1514764800,
"energyratestructure": [[{"rate": 0.05, "max": 300, "unit": "kWh"}, {"rate": 0.07}]],
"energyweekdayschedule": [HOURS], "energyweekendschedule": [HOURS],
"flatdemandstructure": [[{"rate": 13.5}]], "flatdemandmonths": [0,0,0,0,0,0,0,0,0,0,0,0],
"fixedchargefirstmeter": 12.5, "fixedchargeunits": "$/month"}"#;

const CASES: &str = r#"[[case]]
name = "a flat kilowatt"
tariffs = ["general.toml"]
period = "2018-01"
zone = "America/Chicago"
minutes = 60
use = [{ wh = 1000 }]
# 744 kWh: 300 x 0.05 + 444 x 0.07 = 46.08; 1 kW x 13.50; 12.50
total = "72.08"
lines = { "period-0, range 1" = "15.00", "period-0, range 2" = "31.08", "flat-demand-0" = "13.50", "fixed by month" = "12.50" }
[[case]]
name = "before the tariff"
tariffs = ["general.toml"]
period = "2017-12"
zone = "America/Chicago"
minutes = 60
use = [{ wh = 1000 }]
error = "no version that holds on 2017-12-01"
"#;

#[test]
fn a_rate_is_imported_shown_and_tested() {
    let place = Place::new();
    let hours = vec![format!("[{}]", vec!["0"; 24].join(",")); 12].join(",");
    place.write("rate.json", RATE.replace("HOURS", &hours));
    let imported = place.expect(0, "tallywatt tariff import rate.json general.toml --holiday 2018-07-04");
    assert!(imported.out.contains("urdb-539f6a23ec4f024411ec8beb"), "{}", imported.out);
    let again = place.expect(2, "tallywatt tariff import rate.json general.toml");
    assert!(again.err.contains("general.toml"), "{}", again.err);
    place.expect(0, "tallywatt tariff check general.toml");
    let shown = place.json("tallywatt tariff show general.toml");
    assert_eq!(shown["holidays"], "2018-07-04", "{shown}");
    let prices: Vec<&str> =
        shown["rows"].as_array().unwrap().iter().map(|row| row["price"].as_str().unwrap()).collect();
    assert_eq!(prices, ["0.05", "0.07", "13.50", "12.50"], "{shown}");
    place.write("cases.toml", CASES);
    let tested = place.json("tallywatt tariff test cases.toml");
    assert_eq!((&tested["cases"], &tested["as_expected"]), (&2.into(), &2.into()), "{tested}");
    place.write("wrong.toml", CASES.replace("72.08", "72.09").replace("31.08", "31.09"));
    let wrong = place.expect(4, "tallywatt tariff test wrong.toml --format json").object();
    assert_eq!(wrong["rows"][0]["place"], "wrong.toml:1", "{wrong}");
    assert_eq!(
        wrong["rows"][0]["result"],
        "total 72.08, expected 72.09; period-0, range 2 31.08, expected 31.09"
    );
    place.write("bent.toml", CASES.replace("minutes = 60", "minutes = 45"));
    let bent = place.expect(2, "tallywatt tariff test bent.toml");
    assert!(bent.err.contains("bent.toml:6: intervals of 45 minutes"), "{}", bent.err);
    let schedule = format!(
        "\"coincidentrateschedule\": [{hours}], \"coincidentratestructure\": [[{{\"rate\": 9.25}}]],"
    );
    let rate = RATE.replace("HOURS", &hours).replacen('{', &format!("{{{schedule}"), 1);
    place.write("coincident.json", rate);
    let unnamed = place.expect(2, "tallywatt tariff import coincident.json coincident.toml");
    assert!(unnamed.err.contains("coincidentratestructure: demand at hours that the rate does not name"));
    assert!(unnamed.err.contains("--coincident-hours"), "{}", unnamed.err);
    place.expect(0, "tallywatt tariff import coincident.json coincident.toml --coincident-hours system-peak");
    let shown = place.json("tallywatt tariff show coincident.toml");
    let rows = shown["rows"].as_array().unwrap();
    assert!(
        rows.iter().any(|row| row["price"] == "9.25" && row.to_string().contains("system-peak")),
        "{shown}"
    );
    let broken = RATE.replacen("HOURS", &hours, 1).replace("HOURS", "[0]");
    place.write("ragged.json", broken);
    let ragged = place.expect(2, "tallywatt tariff import ragged.json ragged.toml");
    assert!(ragged.err.contains("energyweekendschedule: 1 months, need 12"), "{}", ragged.err);
}
