//! Each party makes its own node: keys at home, cards exchanged; and a node that lost its chain makes it again from its peers.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use common::Place;
use common::nodes::{Nodes, at};
use tallywatt_core::agreement::Party;
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::running::founding::free_addresses;
use tallywatt_node::running::view::{Proposed, Until};

const CARDS: &str = "grid/party.card bank/party.card supplier/party.card";

/// Three folders, prepared apart.
fn prepared() -> Place {
    let place = Place::new();
    let addresses = free_addresses().unwrap();
    for party in Party::ALL {
        let address = addresses[at(party)];
        place.expect(0, &format!("tallywatt -C {party} init --origin tallywatt.example/apart --party {party} --address {address}"));
    }
    place
}

fn join(place: &Place, party: Party) -> serde_json::Value {
    // The bank keeps no readings, and has nothing to blind them with.
    let blinding = if party == Party::Supplier { "--blinding grid/grid/blinding.secret" } else { "" };
    place.json(&format!("tallywatt -C {party} join {CARDS} {blinding} --heartbeat-ms 150"))
}

#[test]
fn three_parties_make_their_own_nodes_and_begin_one_chain() {
    let place = prepared();
    let refused = place.expect(10, "tallywatt -C bank status");
    assert!(refused.err.contains("join"), "{}", refused.err);
    let first: Vec<_> = Party::ALL
        .into_iter()
        .map(|party| join(&place, party)["first_block"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!((&first[1], &first[2]), (&first[0], &first[0]), "the same first block");
    // No secret of one lies with another, but the blinding.
    for party in Party::ALL {
        let own = place.text(&format!("{party}/{party}/keys.seeds"));
        for other in Party::ALL.into_iter().filter(|other| *other != party) {
            let files = place.files(other.name());
            let has = |part: &str| {
                files.iter().any(|file| {
                    std::fs::read(file).unwrap().windows(part.len()).any(|w| w == part.as_bytes())
                })
            };
            assert!(own.lines().all(|seed| !has(seed)), "a seed of {party} with {other}");
            assert!(!place.path().join(format!("{other}/{party}/node.key")).exists());
        }
    }
    let mut nodes = Nodes::of(place.path(), "tallywatt.example/apart");
    for party in Party::ALL {
        nodes.start(party);
    }
    nodes.wait_sealed(1);
    let published = nodes.publish(Party::Supplier, "first", Until::Sealed);
    assert!(matches!(published, Proposed::Done { height: Some(1), .. }), "{published:?}");
}

#[test]
fn cards_that_make_no_consortium_are_refused() {
    let place = prepared();
    let refuse = |words: &str, says: &str| {
        let ran = place.sh(&format!("tallywatt -C supplier join {words}"));
        assert!(ran.code != 0 && ran.err.contains(says), "{words}: {} {}", ran.code, ran.err);
        assert!(!place.path().join("supplier/tallywatt.toml").exists(), "{words}: nothing is joined");
    };
    let with = |name: &str, from: &str, to: &str| {
        let text = place.text("grid/party.card");
        assert!(text.contains(from));
        place.write(name, text.replace(from, to));
    };
    let secret = "--blinding grid/grid/blinding.secret";
    refuse(CARDS, "blinding secret is missing");
    refuse(
        &format!("grid/party.card grid/party.card supplier/party.card {secret}"),
        "card of the bank is missing",
    );
    place.expect(
        0,
        "tallywatt -C other init --origin tallywatt.example/apart --party grid --address 127.0.0.1:7001",
    );
    refuse(
        &format!("{CARDS} --blinding other/grid/blinding.secret"),
        "not the one that the grid company's card names",
    );
    std::fs::remove_file(place.path().join("supplier/supplier/blinding.secret")).unwrap();
    place.expect(
        0,
        "tallywatt -C third init --origin tallywatt.example/third --party grid --address 127.0.0.1:7001",
    );
    refuse(
        &format!("third/party.card bank/party.card supplier/party.card {secret}"),
        "differ in their origin",
    );
    refuse(&format!("grid/party.card other/party.card supplier/party.card {secret}"), "two different cards");
    place.expect(
        0,
        "tallywatt -C fourth init --origin tallywatt.example/apart --party supplier --address 127.0.0.1:7002",
    );
    refuse(
        &format!("grid/party.card bank/party.card fourth/party.card {secret}"),
        "not the one in this folder",
    );
    // The bank shows the grid company's key as its own.
    let line = |party: &str, name: &str| {
        let text = place.text(&format!("{party}/party.card"));
        text.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    };
    let text = place.text("bank/party.card").replace(&line("bank", "exec"), &line("grid", "exec"));
    place.write("stolen.card", text);
    refuse(&format!("grid/party.card stolen.card supplier/party.card {secret}"), "another party's");
    with("bent.card", "address = \"", "address = \" ");
    refuse(&format!("bent.card bank/party.card supplier/party.card {secret}"), "not a card");
    with("older.card", "tzdb = \"2", "tzdb = \"1");
    refuse(&format!("older.card bank/party.card supplier/party.card {secret}"), "time zone data");
    join(&place, Party::Supplier);
    let bank = place.sh(&format!("tallywatt -C bank join {CARDS} {secret}"));
    assert!(bank.code != 0 && bank.err.contains("keeps no readings"), "{}", bank.err);
    let again = place.sh(&format!("tallywatt -C supplier join {CARDS}"));
    assert!(again.code != 0 && again.err.contains("already"), "{}", again.err);
}

/// A node whose chain is gone takes all of it from its peers, and checks it. Until it has learned the order it votes for
/// nobody: an entry that only its lost disk and a dead leader held could be lost with its vote.
#[test]
fn a_node_without_its_chain_makes_it_again() {
    let mut nodes = Nodes::running();
    for at in 0..10 {
        let published = nodes.publish(Party::Supplier, &format!("before-{at}"), Until::Sealed);
        assert!(matches!(published, Proposed::Done { .. }), "{published:?}");
    }
    let (lost, other) = (Party::Bank, Party::Grid);
    nodes.kill(lost);
    nodes.kill(other);
    let place = Place::new();
    let recovered = place.json(&format!("tallywatt -C {} recover", nodes.data(lost).display()));
    assert!(recovered["set_aside"].as_str().unwrap().ends_with("set-aside-1"));
    nodes.start(lost);
    nodes.wait("it waits for its peers", |nodes| nodes.status(lost).is_some());
    // Two of three are there, and it does not help the other to lead.
    let supplier = |nodes: &Nodes| nodes.status(Party::Supplier).unwrap();
    let term = supplier(&nodes).term;
    nodes.wait("it is asked for its vote again and again", |nodes| supplier(nodes).term > term + 2);
    assert_eq!(nodes.leader(), None);
    assert_eq!(nodes.status(lost).unwrap().blocks, 0);
    nodes.start(other);
    nodes.wait_sealed(11);
    // All of the folder but its keys and certificates gone: it joins without anybody's help.
    nodes.kill(lost);
    let folder = NodeFolder::below(&nodes.data(lost), lost);
    let kept = ["keys.seeds", "node.pem", "node.key"];
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let (path, name) =
            (entry.as_ref().unwrap().path(), entry.unwrap().file_name().into_string().unwrap());
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else if !kept.contains(&name.as_str()) && !name.starts_with("authority-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    nodes.start(lost);
    nodes.wait_sealed(11);
    let published = nodes.publish(Party::Supplier, "after", Until::Sealed);
    assert!(matches!(&published, Proposed::Done { cosigners, .. } if cosigners.len() == 3), "{published:?}");
    for party in Party::ALL {
        nodes.stop(party);
    }
    let [grid, bank, supplier] = nodes.stored();
    assert_eq!((bank.len(), supplier.len()), (grid.len(), grid.len()));
    for (at, want) in grid.iter().enumerate() {
        assert_eq!((&bank[at].leaf, &supplier[at].leaf), (&want.leaf, &want.leaf), "leaf {at}");
    }
    // A lost lock cannot be made again.
    std::fs::remove_file(folder.path().join("signlock")).unwrap();
    let ran = place.sh(&format!("tallywatt -C {} recover", nodes.data(lost).display()));
    assert!(ran.code != 0 && ran.err.contains("sign lock is lost"), "{}", ran.err);
}
