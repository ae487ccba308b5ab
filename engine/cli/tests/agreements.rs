//! An agreement is signed by both of its parties before anything is billed by it, as they meet it at the command line.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::one_account::ledger;

#[test]
fn two_signatures_then_bills() {
    let place = ledger();
    // The next version of the agreement, which nobody has signed.
    let next = place.text("split.toml").replace("2026-01-01", "2026-04-01").replace("Split", "Split again");
    place.write("next.toml", &next);
    place.write(
        "first.toml",
        place.text("split.toml").replace("2026-01-01\"", "2026-01-01\"\nvalid_to = \"2026-04-01\""),
    );
    let overlapping = place.expect(2, "tallywatt tariff publish next.toml");
    assert!(overlapping.err.contains("overlaps"), "{}", overlapping.err);

    let other = next.replace("id = \"split\"", "id = \"other\"");
    place.write("other.toml", &other);
    let told = place.expect(0, "tallywatt tariff publish other.toml");
    assert!(
        told.err.contains("agreement other is proposed") || told.out.contains("agreement other is proposed")
    );
    let status = |place: &common::Place| {
        let report = place.json("tallywatt agreement list");
        let rows = report["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {}", row["id"], row["status"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(status(&place), ["other proposed", "split active"]);

    // Neither without a note, nor with one signature, nor as the bank.
    let refused = place.expect(2, "tallywatt agreement activate other.toml");
    assert!(refused.err.contains("agreement other is not signed"), "{}", refused.err);
    let refused = place.expect(2, "tallywatt agreement sign other.toml --party bank");
    assert!(refused.err.contains("bank is no party of agreement other"), "{}", refused.err);
    assert_eq!(place.json("tallywatt agreement sign other.toml --party grid")["status"], "signed");
    assert_eq!(place.json("tallywatt agreement sign other.toml --party grid")["status"], "signed before");
    let refused = place.expect(2, "tallywatt agreement activate other.toml");
    assert!(refused.err.contains("agreement other is not signed by supplier"), "{}", refused.err);
    assert_eq!(place.json("tallywatt agreement sign other.toml --party supplier")["signatures"], 2);

    // A note of another file is no consent to this one; a bent one is none at all.
    place.write("next.toml.note", place.text("other.toml.note"));
    let refused = place.expect(2, "tallywatt agreement activate next.toml");
    assert!(refused.err.contains("but other words"), "{}", refused.err);
    let refused = place.expect(2, "tallywatt agreement sign next.toml --party grid");
    assert!(refused.err.contains("signs other words than agreement split"), "{}", refused.err);

    assert_eq!(place.json("tallywatt agreement activate other.toml")["status"], "sealed");
    assert_eq!(status(&place), ["other active", "split active"]);
    let twice = place.expect(2, "tallywatt agreement activate other.toml");
    assert!(twice.err.contains("is active already"), "{}", twice.err);
    place.expect(0, "tallywatt bill run 2026-04");
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}
