//! Transfers below a minimum, carried from day to day, as a bank meets them.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use common::one_account::{AGREEMENT, ledger_under};

/// Due, carried in, transferred and carried on of a day: for the grid company, and for the supplier.
fn day(place: &Place, day: &str) -> [String; 2] {
    let report = place.json(&format!("tallywatt pay split --day {day}"));
    ["grid", "supplier"].map(|party| {
        let names = ["due_to", "carried_in_for", "transferred_to", "carried_on_for"];
        let amount = |name: &str| report[format!("{name}_{party}")].as_str().unwrap().to_owned();
        names.map(amount).join(" ")
    })
}

#[test]
fn small_amounts_wait() {
    let terms = "minimum_transfer = \"100.00\"\ntransfer_release = \"month-end\"\nrule =";
    let place = ledger_under(&AGREEMENT.replace("rule =", terms));
    place.expect(0, "tallywatt bill run 2026-04");
    for (name, text) in [
        ("1.csv", "P-1,A-1,2026-05-04,300.00,\nP-2,A-1,2026-05-06,250.00,\n#TOTAL,2,550.00\n"),
        ("2.csv", "R-1,A-1,2026-05-08,-100.00,P-2\nP-3,A-1,2026-05-09,10.00,\n#TOTAL,2,-90.00\n"),
        // Booked on a day that is over.
        ("3.csv", "P-4,A-1,2026-05-05,50.00,\n#TOTAL,1,50.00\n"),
    ] {
        place.write(name, format!("payment_id,account,date,amount,reverses\n{text}"));
        place.expect(0, &format!("tallywatt pay run {name}"));
    }
    // A fifth is the grid company's: 60.00 of the first day wait, and go with 50.00 of the second.
    assert_eq!(day(&place, "2026-05-04"), ["60.00 0.00 0.00 60.00", "240.00 0.00 240.00 0.00"]);
    assert_eq!(day(&place, "2026-05-06"), ["50.00 60.00 110.00 0.00", "200.00 0.00 200.00 0.00"]);
    assert_eq!(day(&place, "2026-05-08"), ["-20.00 0.00 0.00 -20.00", "-80.00 0.00 0.00 -80.00"]);
    assert_eq!(day(&place, "2026-05-09"), ["12.00 -20.00 0.00 -8.00", "48.00 -80.00 0.00 -32.00"]);
    let late = place.json("tallywatt pay split --day 2026-05-09");
    assert_eq!((&late["late_for_grid"], &late["sum"]), (&"10.00".into(), &"10.00".into()));
    // The last of the month transfers what is left, and then nothing is.
    assert_eq!(day(&place, "2026-05-31"), ["0.00 -8.00 -8.00 0.00", "0.00 -32.00 -32.00 0.00"]);
    place.expect(2, "tallywatt pay split --day 2026-06-01");
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}
