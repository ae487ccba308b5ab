//! Money paid ahead, named for a month, and taken back: as a bank and a supplier meet it, in figures worked out by hand.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::one_account::rows;
use common::{Place, one_account};
use serde_json::Value;

/// With registries to settle.
fn ledger() -> Place {
    let place = one_account::ledger();
    for (name, text) in [
        ("ahead.csv", "payment_id,account,date,amount\nP-1,A-1,2026-04-02,100.00\n#TOTAL,1,100.00\n"),
        (
            "back.csv",
            "payment_id,account,date,amount,period,reverses\nR-1,A-1,2026-05-05,-100.00,,P-1\n#TOTAL,1,-100.00\n",
        ),
        (
            "named.csv",
            "payment_id,account,date,amount,period\nP-2,A-1,2026-05-06,1800.00,2026-04\n#TOTAL,1,1800.00\n",
        ),
        (
            "more.csv",
            "payment_id,account,date,amount,reverses\nR-2,A-1,2026-05-07,-1800.01,P-2\n#TOTAL,1,-1800.01\n",
        ),
        (
            "part.csv",
            "payment_id,account,date,amount,reverses\nR-2,A-1,2026-05-07,-0.10,P-2\n#TOTAL,1,-0.10\n",
        ),
    ] {
        place.write(name, text);
    }
    place
}

fn owed(place: &Place) -> (Value, Value) {
    let arrears = place.json("tallywatt bill arrears");
    (arrears["owed"].clone(), arrears["paid_ahead"].clone())
}

#[test]
fn money_goes_ahead_to_a_month_and_back() {
    let place = ledger();
    place.expect(0, "tallywatt pay run ahead.csv");
    assert_eq!(rows(&place.json("tallywatt pay split")), ["supplier advance 100.00"]);

    // The bills issued since take it, each by its own agreement.
    let billed = place.json("tallywatt bill run 2026-03");
    assert_eq!((&billed["total"], &billed["advances_released"]), (&"60.00".into(), &1.into()));
    let split = place.json("tallywatt pay split");
    let want = ["grid part 12.00", "supplier remainder 48.00", "supplier advance 40.00"];
    assert_eq!(rows(&split), want);
    assert_eq!(place.json("tallywatt bill run 2026-04")["advances_released"], 1);
    assert_eq!(owed(&place), ("1760.00".into(), "0.00".into()));

    // Taken back along the same legs; a plan of it is the run, and once more is nothing new.
    place.expect(0, "tallywatt pay plan back.csv --output back.plan");
    let back = place.json("tallywatt pay run back.csv --plan back.plan");
    assert_eq!((&back["reversed"], &back["sum_of_legs"]), (&"100.00".into(), &"-100.00".into()));
    assert_eq!(rows(&back), ["grid part -20.00", "supplier remainder -80.00"]);
    assert_eq!(owed(&place), ("1860.00".into(), "0.00".into()));
    assert_eq!(place.json("tallywatt pay run back.csv")["status"], "nothing new");
    let day = place.json("tallywatt pay split --day 2026-05-05");
    assert_eq!((&day["handed_over_to_grid"], &day["sum"]), (&"-20.00".into(), &"-100.00".into()));

    // The month that was named is paid, the older bill is not.
    let named = place.json("tallywatt pay run named.csv");
    assert_eq!(rows(&named), ["grid part 360.00", "supplier remainder 1440.00"]);
    assert_eq!(owed(&place), ("60.00".into(), "0.00".into()));

    let refused = place.expect(2, "tallywatt pay run more.csv");
    assert!(
        refused.err.contains("reversal R-2 takes 1800.01 back, at most 1800.00 is left"),
        "{}",
        refused.err
    );
    let part = place.json("tallywatt pay run part.csv");
    assert_eq!(rows(&part), ["grid part -0.02", "supplier remainder -0.08"]);
    let split = place.json("tallywatt pay split");
    assert_eq!((&split["received"], &split["sum_of_legs"]), (&"1799.90".into(), &"1799.90".into()));
    place.expect(2, "tallywatt pay split --day 2026-05-08");
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}
