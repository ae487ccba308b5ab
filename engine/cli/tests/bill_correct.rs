//! Correction bills as a biller meets them: planned, run, shown, proven, settled, audited.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use common::one_account::ledger;
use serde_json::{Value, json};

/// The account's contract from a day on.
fn contract_from(place: &Place, day: &str) {
    let list = format!(
        "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
         A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,{day},\n"
    );
    place.write("contracts.csv", list);
    place.expect(0, "tallywatt contract publish contracts.csv");
}

fn facts(report: &Value, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{name} {}", report[*name]).replace('"', "")).collect()
}

/// 6 kWh a day at 10.00: April is 1,800.00, and 1,200.00 from the 11th on.
#[test]
fn a_month_is_corrected_down_and_up_again() {
    let place = ledger();
    place.expect(0, "tallywatt bill run 2026-04");
    place.write("paid.csv", "payment_id,account,date,amount\nP-1,A-1,2026-05-02,1800.00\n#TOTAL,1,1800.00\n");
    place.expect(0, "tallywatt pay run paid.csv");
    let nothing = place.json("tallywatt bill correct 2026-04 --on 2026-06-09");
    assert_eq!(nothing["status"], "no bill of 2026-04 is another now");

    contract_from(&place, "2026-04-11");
    let line = "tallywatt bill correct 2026-04 --on 2026-06-09";
    let planned = place.json(&format!("{line} --plan --output correct.plan"));
    let names = ["corrections", "first_bills", "energy_kwh", "total", "charged", "increases_held_back"];
    let want = [
        "corrections 1",
        "first_bills 0",
        "energy_kwh -60.000",
        "total -600.00",
        "charged -600.00",
        "increases_held_back 0",
    ];
    assert_eq!(facts(&planned, &names), want);
    let before = place.status();
    assert_eq!(planned["status"], "planned, nothing recorded");
    assert_eq!(place.status(), before);
    let run = place.json(&format!("{line} --planned correct.plan"));
    assert_eq!(facts(&run, &names), want);
    assert_eq!((&run["rows"], &run["corrections_settled"]), (&planned["rows"], &json!(1)));
    let row = &run["rows"][0];
    assert_eq!(
        (&row["before"], &row["now"], &row["change"]),
        (&json!("1800.00"), &json!("1200.00"), &json!("-600.00"))
    );

    // What stands, with what changed of it.
    let shown = place.json("tallywatt bill show A-1 2026-04");
    let line = &shown["rows"][0];
    assert_eq!(
        (&line["quantity"], &line["change"], &line["amount_change"]),
        (&json!("120.000"), &json!("-60.000"), &json!("-600.00"))
    );
    assert_eq!(
        facts(&shown, &["total", "change", "charged", "made_on"]),
        ["total 1200.00 RUB", "change -600.00", "charged -600.00", "made_on 2026-06-09"]
    );
    assert!(shown["correction"].as_str().unwrap().starts_with("1 of 1, "), "{shown}");
    let list = place.json("tallywatt bill list 2026-04");
    assert_eq!(
        facts(&list, &["bills", "corrected", "total", "charged"]),
        ["bills 1", "corrected 1", "total 1200.00", "charged 1200.00"]
    );
    let explained = place.json("tallywatt bill explain A-1 2026-04 --line 1");
    assert_eq!(explained["energy_kwh"], "120.000");
    // What was paid too much waits for the next bill; the grid company gave its 2.00 of 60 kWh back.
    let arrears = place.json("tallywatt bill arrears");
    assert_eq!(facts(&arrears, &["owed", "paid_ahead"]), ["owed 0.00", "paid_ahead 600.00"]);
    let day = place.json("tallywatt pay split --day 2026-06-09");
    assert_eq!(day["handed_over_to_grid"], "-120.00");

    // Up again: the increase is a debt of that day, and the advance pays it at once.
    contract_from(&place, "2026-03-31");
    place.expect(4, "tallywatt bill correct 2026-04 --on 2026-06-20 --planned correct.plan");
    let up = place.json("tallywatt bill correct 2026-04 --on 2026-06-20");
    assert_eq!(
        facts(&up, &["total", "charged", "advances_released"]),
        ["total 600.00", "charged 600.00", "advances_released 1"]
    );
    let arrears = place.json("tallywatt bill arrears");
    assert_eq!(facts(&arrears, &["owed", "paid_ahead"]), ["owed 0.00", "paid_ahead 0.00"]);
    let refused = place.expect(2, "tallywatt bill correct 2026-03 --on 2026-06-20");
    assert!(refused.err.contains("2026-03 is not billed"), "{}", refused.err);

    // What stands now, and what stood, each with its proof.
    for (option, verdict) in [
        ("", "VALID    bill A-1, 2026-04, 1800.00 RUB, corrected by 600.00, charged 600.00"),
        (" --correction 1", "VALID    bill A-1, 2026-04, 1200.00 RUB, corrected by -600.00, charged -600.00"),
        (" --correction 0", "VALID    bill A-1, 2026-04, 1800.00 RUB"),
    ] {
        place.expect(0, &format!("tallywatt prove bill A-1 2026-04{option} --output one.receipt"));
        let verified = place.expect(0, "tallywatt verify one.receipt --policy tallywatt-data/trust.policy");
        assert_eq!(verified.out.lines().last(), Some(verdict));
    }
    let missing = place.expect(2, "tallywatt prove bill A-1 2026-04 --correction 3");
    assert!(missing.err.contains("has 2 corrections"), "{}", missing.err);
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.contains("SOUND  0 findings"), "{}", audit.out);
}

/// One year after the month an agreement may close it for increases.
#[test]
fn an_increase_that_comes_late_is_shown_and_not_charged() {
    let agreement = common::one_account::AGREEMENT.replace("rule =", "back_billing_months = 12\nrule =");
    let place = common::one_account::ledger_under(&agreement);
    contract_from(&place, "2026-04-11");
    place.expect(0, "tallywatt bill run 2026-04");
    contract_from(&place, "2026-03-31");
    let late = place.json("tallywatt bill correct 2026-04 --on 2027-05-01");
    assert_eq!(
        facts(&late, &["total", "charged", "increases_held_back"]),
        ["total 600.00", "charged 0.00", "increases_held_back 1"]
    );
    let remark = "not charged: an increase more than 12 months after the month";
    assert_eq!(late["rows"][0]["remark"], remark);
    let shown = place.json("tallywatt bill show A-1 2026-04");
    assert_eq!(
        facts(&shown, &["total", "owed_for_the_month", "remark"]),
        ["total 1800.00 RUB".into(), "owed_for_the_month 1200.00".into(), format!("remark {remark}")]
    );
    let arrears = place.json("tallywatt bill arrears");
    assert_eq!(arrears["owed"], "1200.00");
}
