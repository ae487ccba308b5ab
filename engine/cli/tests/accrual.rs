//! A month on accrual, with legs held while its bill is disputed: as grid company, bank and supplier meet them.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use common::one_account::{AGREEMENT, ledger_under, rows};

fn registry(place: &Place, name: &str, text: &str) {
    place.write(name, format!("payment_id,account,date,amount,period,reverses,reserve\n{text}"));
}

#[test]
fn a_month_is_trued_up_once() {
    let place = ledger_under(&AGREEMENT.replace("rule =", "basis = \"accrual\"\ndue_day = 12\nrule ="));
    place.expect(0, "tallywatt bill run 2026-04");
    registry(&place, "half.csv", "P-1,A-1,2026-05-02,900.00,,,\n#TOTAL,1,900.00\n");
    place.expect(0, "tallywatt pay run half.csv");
    let refused = place.expect(2, "tallywatt pay true-up 2026-03");
    assert!(
        refused.err.contains("no bill up to 2026-03 is under an agreement on accrual"),
        "{}",
        refused.err
    );

    // 1,800.00 are billed, 360.00 of them the grid company's; 180.00 came with the payment.
    let open = place.json("tallywatt pay true-up");
    let cells = |report: &serde_json::Value| {
        ["accrued", "split", "true_up", "balance"]
            .map(|name| report["rows"][0][name].as_str().unwrap().to_owned())
    };
    assert_eq!(cells(&open), ["360.00", "180.00", "open", "180.00"]);
    let settled = place.json("tallywatt pay true-up 2026-04");
    assert_eq!(rows(&settled), ["grid accrual 180.00", "supplier accrual -180.00"]);
    assert_eq!((&settled["payments"], &settled["orders"]), (&0.into(), &1.into()));
    assert_eq!(place.json("tallywatt pay true-up 2026-04")["status"], "nothing new");
    let day = place.json("tallywatt pay split --day 2026-05-12");
    assert_eq!(
        (&day["transferred_to_grid"], &day["transferred_to_supplier"]),
        (&"180.00".into(), &"-180.00".into())
    );

    // The other half is split as ever: the grid company is 180.00 ahead, until the next month is trued up.
    registry(&place, "rest.csv", "P-2,A-1,2026-05-20,900.00,,,\n#TOTAL,1,900.00\n");
    let want = ["grid part 180.00", "supplier remainder 720.00"];
    assert_eq!(rows(&place.json("tallywatt pay run rest.csv")), want);
    assert_eq!(cells(&place.json("tallywatt pay true-up")), ["360.00", "360.00", "180.00", "-180.00"]);
    registry(&place, "back.csv", "R-1,A-1,2026-05-21,-900.00,,P-1,\n#TOTAL,1,-900.00\n");
    place.expect(0, "tallywatt pay run back.csv");
    assert_eq!(cells(&place.json("tallywatt pay true-up")), ["360.00", "180.00", "180.00", "0.00"]);
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}

#[test]
fn legs_are_held_while_a_bill_is_disputed() {
    let terms = "reserve_of = \"payee\"\nreserve_percent = \"50\"\nreserve_while = \"disputed\"\nrule =";
    let place = ledger_under(&AGREEMENT.replace("rule =", terms));
    place.expect(0, "tallywatt bill run 2026-04");
    registry(
        &place,
        "paid.csv",
        "D-1,A-1,2026-05-02,,2026-04,,hold\nP-1,A-1,2026-05-02,900.00,,,\n#TOTAL,2,900.00\n",
    );
    let want = ["grid part 180.00", "supplier remainder 720.00", "bank reserve 90.00", "grid reserve -90.00"];
    let ran = place.json("tallywatt pay run paid.csv");
    assert_eq!((&ran["payments"], &ran["orders"]), (&1.into(), &1.into()));
    let mut paid = rows(&ran);
    paid.sort();
    let mut sorted = want.map(str::to_owned);
    sorted.sort();
    assert_eq!(paid, sorted);
    let held = place.json("tallywatt pay reserve");
    assert_eq!((&held["held_in_reserve"], &held["rows"][0]["disputed"]), (&"90.00".into(), &"yes".into()));
    let day = place.json("tallywatt pay split --day 2026-05-02");
    assert_eq!(
        (&day["handed_over_to_grid"], &day["held_in_reserve"], &day["sum"]),
        (&"90.00".into(), &"90.00".into(), &"900.00".into())
    );
    assert_eq!(day["transferred_to_grid"], "90.00");

    registry(&place, "free.csv", "D-2,A-1,2026-05-05,,2026-04,,release\n#TOTAL,1,0.00\n");
    let freed = place.json("tallywatt pay run free.csv");
    assert_eq!(rows(&freed), ["grid reserve 90.00", "bank reserve -90.00"]);
    registry(&place, "again.csv", "D-3,A-1,2026-05-06,,2026-04,,release\n#TOTAL,1,0.00\n");
    let refused = place.expect(2, "tallywatt pay run again.csv");
    assert!(refused.err.contains("order D-3: nothing of account A-1 is held or disputed"), "{}", refused.err);
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}
