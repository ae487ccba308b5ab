//! A double signature: made from two served heads, checked offline, and refused where nobody is at fault.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::fs;

use common::Place;
use common::one_account::ledger;

/// The keys of one network, used for two histories of one size: each publishes another agreement's month of bills.
#[test]
fn two_histories_convict_those_who_signed_both() {
    let (place, other) = (ledger(), ledger());
    place.expect(0, "tallywatt bill run 2026-03");
    other.expect(0, "tallywatt bill run 2026-04");
    for place in [&place, &other] {
        place.expect(0, "tallywatt chain tiles served");
    }
    fs::copy(other.path().join("served/checkpoint"), place.path().join("theirs")).unwrap();
    let made = place.json("tallywatt chain evidence served/checkpoint theirs");
    assert_ne!(made["root"], made["other_root"], "{made}");
    let text = place.text("double-signature.evidence");
    place.expect(0, "tallywatt chain evidence theirs served/checkpoint");
    assert_eq!(place.text("double-signature.evidence"), text, "in either order");

    // Nothing but the file and the policy is needed.
    let bare = Place::new();
    bare.write("evidence", &text);
    bare.write("policy", place.read("tallywatt-data/trust.policy"));
    let ran = bare.expect(0, "tallywatt verify evidence --policy policy");
    for party in ["grid", "bank", "supplier"] {
        assert!(ran.out.contains(&format!(" pass  signatures   {party} signed both by key ")), "{}", ran.out);
    }
    assert!(ran.out.contains(" not checked        which of the two histories is right\n"), "{}", ran.out);
    assert!(ran.out.contains("grid, bank, supplier signed two heads of size "), "{}", ran.out);
    let report = bare.json("tallywatt verify evidence --policy policy");
    assert_eq!((&report["verdict"], report["rows"].as_array().unwrap().len()), (&"valid".into(), 4));

    bare.write("forged", text.replacen("note ", "note A", 1));
    bare.expect(1, "tallywatt verify forged --policy policy");
    bare.write("newer", "tallywatt-evidence/v2\n");
    bare.expect(2, "tallywatt verify newer --policy policy");
    bare.expect(2, "tallywatt verify evidence --policy evidence");
    // Of a network whose keys signed neither.
    bare.expect(0, "tallywatt init --demonstration-keys 8");
    let ran = bare.expect(1, "tallywatt verify evidence");
    assert!(
        ran.out.contains("INVALID  evidence: no key that the policy knows signed both heads"),
        "{}",
        ran.out
    );
}

#[test]
fn heads_of_one_history_are_no_evidence() {
    let place = ledger();
    place.expect(0, "tallywatt chain tiles served");
    fs::copy(place.path().join("served/checkpoint"), place.path().join("before")).unwrap();
    let refused = place.expect(1, "tallywatt chain evidence before served/checkpoint");
    assert!(refused.err.contains("one history"), "{}", refused.err);
    place.expect(0, "tallywatt bill run 2026-04");
    place.expect(0, "tallywatt chain tiles served");
    let refused = place.expect(1, "tallywatt chain evidence before served/checkpoint");
    assert!(refused.err.contains("a log may grow"), "{}", refused.err);
    place.write("nothing", "no head\n");
    place.expect(2, "tallywatt chain evidence before nothing");
    place.expect(2, "tallywatt chain evidence before missing");
    assert!(!place.path().join("double-signature.evidence").exists());
}
