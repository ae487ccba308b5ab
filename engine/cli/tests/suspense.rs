//! Money in suspense, found later: by a person, by itself, and taken back, as a bank meets it.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use common::one_account::{ledger, rows};

const HEADER: &str = "payment_id,account,date,amount,reverses,matches,remittance\n";

/// What is in suspense: payment, days and amount.
fn held(place: &Place) -> Vec<String> {
    let report = place.json("tallywatt pay suspense --as-of 2026-05-12");
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        format!("{} {} {} {}", row["payment"], row["days"], row["amount"], row["remittance"]).replace('"', "")
    })
    .collect()
}

#[test]
fn money_leaves_suspense() {
    let place = ledger();
    place.expect(0, "tallywatt bill run 2026-04");
    for (name, text) in [
        ("lost.csv", "P-1,A 1,2026-05-02,1000.00,,,flat 1\nP-2,A-2,2026-05-03,50.00,,,\n#TOTAL,2,1050.00\n"),
        ("found.csv", "M-1,A-1,2026-05-04,600.00,,P-1,\n#TOTAL,1,0.00\n"),
        ("much.csv", "M-2,A-1,2026-05-04,400.01,,P-1,\n#TOTAL,1,0.00\n"),
        ("nobody.csv", "M-2,A-9,2026-05-04,4,,P-1,\n#TOTAL,1,0.00\n"),
        ("back.csv", "R-1,A 1,2026-05-06,-500.00,P-1,,\n#TOTAL,1,-500.00\n"),
    ] {
        place.write(name, format!("{HEADER}{text}"));
    }
    place.expect(3, "tallywatt pay run lost.csv");
    assert_eq!(held(&place), ["P-1 10 1000.00 flat 1", "P-2 9 50.00 "]);

    // 1,800.00 are owed, a fifth of it for the grid company. A plan of the match is the run, and once more is nothing new.
    place.expect(0, "tallywatt pay plan found.csv --output found.plan");
    let found = place.json("tallywatt pay run found.csv --plan found.plan");
    assert_eq!(rows(&found), ["grid part 120.00", "supplier remainder 480.00", "bank suspense -600.00"]);
    assert_eq!((&found["matched"], &found["sum_of_legs"]), (&1.into(), &"0.00".into()));
    assert_eq!(place.json("tallywatt pay run found.csv")["status"], "nothing new");
    assert_eq!(held(&place), ["P-1 10 400.00 flat 1", "P-2 9 50.00 "]);
    let refused = place.expect(2, "tallywatt pay run much.csv");
    let want = "match M-2 takes 400.01 out of suspense, 400.00 of payment P-1 is in it";
    assert!(refused.err.contains(want), "{}", refused.err);
    let refused = place.expect(2, "tallywatt pay run nobody.csv");
    assert!(refused.err.contains("match M-2 is to account A-9, which is not known"), "{}", refused.err);
    let day = place.json("tallywatt pay split --day 2026-05-04");
    assert_eq!((&day["handed_over_to_grid"], &day["in_suspense"]), (&"120.00".into(), &"-600.00".into()));

    // An account of exactly that name becomes known: its money is found before the next entries.
    place.write(
        "contracts.csv",
        "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to
A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-31,
A-2,P-2,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-05-01,
",
    );
    place.expect(0, "tallywatt contract publish contracts.csv");
    let back = place.json("tallywatt pay run back.csv");
    // What is in suspense goes back first, then 100.00 of what was matched, along its legs.
    let want =
        ["supplier advance 50.00", "grid part -20.00", "bank suspense -450.00", "supplier remainder -80.00"];
    assert_eq!(rows(&back), want);
    assert!(held(&place).is_empty());
    let split = place.json("tallywatt pay split");
    assert_eq!((&split["received"], &split["sum_of_legs"]), (&"550.00".into(), &"550.00".into()));
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}
