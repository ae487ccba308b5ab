//! Keys that change: made beside the old, agreed on by all three, in force from a block on; and receipts before and after.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use common::Place;
use common::nodes::Nodes;
use common::one_account::ledger;
use tallywatt_core::agreement::Party;
use tallywatt_node::running::view::{Proposed, Until};

fn next_block(place: &Place, data: &str) -> u64 {
    place.json(&format!("tallywatt -C {data} keys list"))["next_block"].as_u64().unwrap()
}

#[test]
fn a_month_goes_on_under_other_keys_and_its_receipts_say_so() {
    let place = ledger();
    place.expect(0, "tallywatt bill run 2026-03");
    place.expect(0, "tallywatt prove bill A-1 2026-03 --output old.receipt");
    let from = next_block(&place, "tallywatt-data") + 2;
    let draft = format!("tallywatt govern draft motion.note --keys --party supplier --from {from}");
    let unchanged = place.expect(2, &draft);
    assert!(unchanged.err.contains("changes no key"), "{}", unchanged.err);

    let whose = place.expect(2, "tallywatt keys next");
    assert!(whose.err.contains("keys of all three parties"), "{}", whose.err);
    let made = place.json("tallywatt keys next --party supplier");
    let path = place.path().join("tallywatt-data/supplier/keys-1.seeds");
    assert_eq!(made["key_set"], path.strip_prefix(place.path()).unwrap().display().to_string());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for (height, says) in [(from - 2, "cannot take effect"), (from + 5_000, "cannot take effect")] {
        let line = format!("tallywatt govern draft other.note --keys --party supplier --from {height}");
        assert!(place.expect(2, &line).err.contains(says));
    }
    assert_eq!(place.json(&draft)["signatures"], 1);
    assert!(place.expect(2, &draft).err.contains("is there already"));
    let alone = place.expect(2, "tallywatt govern apply motion.note");
    assert!(alone.err.contains("motion 1 is not signed by grid"), "{}", alone.err);
    assert_eq!(place.json("tallywatt govern sign motion.note --party grid")["status"], "signed");
    assert_eq!(place.json("tallywatt govern sign motion.note --party grid")["status"], "signed before");
    // Who signs other words signs another motion.
    let text = place.text("motion.note");
    let later = text.replace(&format!("from block {from}"), &format!("from block {}", from + 1));
    place.write("later.note", later);
    place.expect(0, "tallywatt govern sign later.note --party bank");
    let refused = place.expect(2, "tallywatt govern apply later.note");
    assert!(refused.err.contains("is not its own under motion 1"), "{}", refused.err);
    assert_eq!(place.json("tallywatt govern sign motion.note --party bank")["signatures"], 3);
    assert_eq!(place.json("tallywatt govern apply motion.note")["status"], "sealed");
    place.expect(2, "tallywatt govern apply motion.note");
    let status = place.status();
    let told = status["keys"].as_str().unwrap();
    assert!(
        told.starts_with("from block 0 on") && told.ends_with(&format!("others from block {from} on")),
        "{told}"
    );

    place.expect(0, "tallywatt bill run 2026-04");
    assert!(place.status()["keys"].as_str().unwrap().starts_with(&format!("from block {from} on")));
    place.expect(0, "tallywatt prove bill A-1 2026-04 --output new.receipt");
    place.expect(0, "tallywatt prove day P-1 2026-04-02 --output day.receipt");
    let before = format!("tallywatt-data/trust-before-{from}.policy");
    let table = [
        ("new.receipt", "tallywatt-data/trust.policy", 0, "keys as 1 motions of all parties left them"),
        ("day.receipt", "tallywatt-data/trust.policy", 0, "VALID"),
        ("old.receipt", before.as_str(), 0, "VALID"),
        ("new.receipt", before.as_str(), 1, "the policy does not know the key tallywatt.example/pilot"),
        ("old.receipt", "tallywatt-data/trust.policy", 1, "the policy does not know the key"),
    ];
    for (receipt, policy, code, says) in table {
        let ran = place.expect(code, &format!("tallywatt verify {receipt} --policy {policy}"));
        assert!(format!("{}{}", ran.out, ran.err).contains(says), "{receipt} {policy}: {ran:?}");
    }
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
    let listed = place.json("tallywatt govern list");
    assert_eq!(
        (&listed["rows"][0]["what"], &listed["rows"][0]["status"]),
        (&"keys of supplier".into(), &"in force".into())
    );

    // Without the new set the supplier's node follows, and signs nothing with the old.
    let away = place.path().join("keys-1.seeds");
    std::fs::rename(&path, &away).unwrap();
    let status = place.json("tallywatt chain status");
    assert_eq!(status["rows"][2]["state"], "without keys", "{status}");
    place.write("next.toml", place.text("split.toml").replace("\"split\"", "\"next\""));
    let refused = place.expect(2, "tallywatt tariff publish next.toml");
    assert!(refused.err.contains("does not hold the keys of supplier"), "{}", refused.err);
    std::fs::rename(&away, &path).unwrap();
    place.expect(0, "tallywatt tariff publish next.toml");
}

/// Another bank takes the bank's seat: its keys come by its card, and the old ones go.
#[test]
fn another_organisation_takes_a_seat() {
    let place = ledger();
    place.expect(
        0,
        "tallywatt -C newcomer init --origin tallywatt.example/pilot --party bank --address 127.0.0.1:7001",
    );
    place.expect(
        0,
        "tallywatt -C stranger init --origin tallywatt.example/other --party bank --address 127.0.0.1:7001",
    );
    let from = next_block(&place, "tallywatt-data") + 1;
    let stranger =
        format!("tallywatt govern draft no.note --card stranger/party.card --party grid --from {from}");
    assert!(place.expect(2, &stranger).err.contains("is not named after the log tallywatt.example/pilot"));
    place.expect(
        0,
        &format!("tallywatt govern draft seat.note --card newcomer/party.card --party grid --from {from}"),
    );
    let signed = place.json("tallywatt govern sign seat.note --party bank");
    assert!(signed["notes"].to_string().contains("signs nothing for the bank"), "{signed}");
    place.expect(0, "tallywatt govern sign seat.note --party supplier");
    place.expect(0, "tallywatt govern apply seat.note");
    // Of three two go on; nothing is sealed before the newcomer is there.
    let waiting = place.sh("tallywatt bill run 2026-03");
    assert_eq!(waiting.code, 13, "{waiting:?}");
    let bank = place.path().join("tallywatt-data/bank");
    std::fs::rename(bank.join("keys.seeds"), place.path().join("old.seeds")).unwrap();
    std::fs::copy(place.path().join("newcomer/bank/keys.seeds"), bank.join("keys.seeds")).unwrap();
    place.expect(0, "tallywatt prove bill A-1 2026-03 --output newcomer.receipt");
    place.expect(0, "tallywatt verify newcomer.receipt");
    let audit = place.expect(0, "tallywatt chain audit");
    assert!(audit.out.ends_with("SOUND  0 findings\n"), "{}", audit.out);
}

/// Three processes. The bank's keys change under way; then it loses its sign lock, and goes on with a third set.
#[test]
fn a_running_node_takes_other_keys_and_a_lost_lock_is_no_end() {
    let place = Place::new();
    let mut nodes = Nodes::running();
    let data = |party: Party| nodes.data(party).display().to_string();
    let [grid, bank, supplier] = Party::ALL.map(data);
    let publish = |nodes: &Nodes, id: &str| {
        let published = nodes.publish(Party::Supplier, id, Until::Final);
        assert!(matches!(published, Proposed::Done { height: Some(_), .. }), "{published:?}");
    };
    let agree = |name: &str, from: u64| {
        place.expect(0, &format!("tallywatt -C {bank} govern draft {name} --keys --from {from}"));
        let other = place.expect(2, &format!("tallywatt -C {grid} govern sign {name} --party bank"));
        assert!(other.err.contains("holds the keys of the grid"), "{}", other.err);
        for data in [&grid, &supplier] {
            place.expect(0, &format!("tallywatt -C {data} govern sign {name}"));
        }
    };
    place.expect(0, &format!("tallywatt -C {bank} keys next --only witness --only exec"));
    agree("one.note", 3);
    assert_eq!(place.json(&format!("tallywatt -C {supplier} govern apply one.note"))["status"], "sealed");
    for id in ["a", "b", "c"] {
        publish(&nodes, id);
    }
    nodes.wait_sealed(5);
    for party in Party::ALL {
        nodes.wait("its status tells the keys", |nodes| {
            nodes
                .status(party)
                .is_some_and(|status| status.keys.starts_with("from block 3 on") && !status.is_keyless)
        });
    }
    let policy = |party: Party| nodes.data(party).join("trust-before-3.policy");
    nodes.wait("the old policy is beside the new", |_| {
        Party::ALL.into_iter().all(|party| policy(party).exists())
    });
    nodes.kill(Party::Bank);
    nodes.start(Party::Bank);
    nodes.wait_sealed(5);

    nodes.stop(Party::Bank);
    std::fs::remove_file(nodes.data(Party::Bank).join("bank/signlock")).unwrap();
    let lost = place.expect(12, &format!("tallywatt -C {bank} start"));
    assert!(lost.err.contains("sign lock is lost") && lost.err.contains("keys next"), "{}", lost.err);
    place.expect(0, &format!("tallywatt -C {bank} keys next"));
    nodes.start(Party::Bank);
    nodes.wait("it follows and signs nothing", |nodes| {
        nodes.status(Party::Bank).is_some_and(|status| status.frozen.is_some() && status.blocks == 5)
    });
    agree("two.note", 7);
    place.expect(13, &format!("tallywatt -C {grid} govern apply two.note"));
    publish(&nodes, "d");
    publish(&nodes, "e");
    nodes.wait("the bank has followed", |nodes| {
        nodes.status(Party::Bank).is_some_and(|status| status.blocks == 8 && status.signed == 5)
    });
    nodes.stop(Party::Bank);
    nodes.start(Party::Bank);
    nodes.wait_sealed(8);
    publish(&nodes, "f");
    nodes.wait_sealed(9);

    // Without its chain and its old keys it takes all again, and signs with those that the chain names last.
    nodes.stop(Party::Bank);
    for name in ["keys.seeds", "keys-1.seeds"] {
        std::fs::remove_file(nodes.data(Party::Bank).join("bank").join(name)).unwrap();
    }
    place.expect(0, &format!("tallywatt -C {bank} recover"));
    nodes.start(Party::Bank);
    nodes.wait_sealed(9);
    publish(&nodes, "g");
    nodes.wait_sealed(10);
    for party in Party::ALL {
        nodes.stop(party);
    }
    let audit = place.json(&format!("tallywatt -C {bank} chain audit"));
    assert_eq!((&audit["verdict"], &audit["findings"]), (&"SOUND".into(), &0.into()), "{audit}");
}
