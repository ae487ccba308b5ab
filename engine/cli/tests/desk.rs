//! The desk of running nodes: who is granted what gets it, who is not is denied, and every denial is kept.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use common::nodes::{Nodes, at};
use common::{Place, Ran};
use tallywatt_consensus::message::{FileGiven, Reply, Request};
use tallywatt_core::agreement::Party;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ledger::block::{Attestation, Proposal};
use tallywatt_ledger::command::Command;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_node::books::records::{document_bytes, publication_of};
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::peers::limits::ANSWER_WAIT;
use tallywatt_node::peers::link::Link;
use tallywatt_node::peers::tls::Identity;
use tallywatt_node::running::founding::free_addresses;
use tallywatt_node::running::view::{Proposed, Until};

const DATA: &str = "demo/data";
const ORIGIN: &str = "tallywatt.demo/pilot";

/// A town's month through three nodes, which run again with a desk each, and the keys of those who ask.
struct Town {
    nodes: Nodes,
    place: Place,
    desks: [SocketAddr; 3],
}

impl Town {
    fn new() -> Self {
        let place = Place::new();
        let ran = place.json("tallywatt demo --folder demo --processes --households 20");
        assert_eq!(ran["verdict"], "valid");
        let nodes = Nodes::of(&place.path().join(DATA), ORIGIN);
        let mut town = Self { nodes, place, desks: free_addresses().unwrap() };
        for party in Party::ALL {
            town.start(party);
        }
        town.nodes.wait_sealed(10);
        town
    }

    fn start(&mut self, party: Party) {
        self.nodes.start_with_desk(party, self.desks[at(party)]);
        let desk = self.desks[at(party)];
        self.nodes.wait("the desk listens", |_| TcpStream::connect(desk).is_ok());
    }

    /// Makes a key; gives what a list names it by.
    fn key(&self, name: &str) -> String {
        let made = self.place.json(&format!("tallywatt ask new-key {name} --key {name}.key"));
        made["key"].as_str().unwrap().to_owned()
    }

    /// Publishes a list of a party at its node: keys with role and what else stands in the grant.
    fn publish(&self, party: Party, number: u32, grants: &[(&str, &str, &str)]) {
        let head = format!(
            "kind = \"access\"\nparty = \"{party}\"\nnumber = {number}\nvalid_from = \"2020-01-01\"\n"
        );
        let grant = |(key, role, more): &(&str, &str, &str)| {
            format!("[[grant]]\nkey = \"{key}\"\nrole = \"{role}\"\nvalid_from = \"2020-01-01\"\n{more}\n")
        };
        let text: String = std::iter::once(head).chain(grants.iter().map(grant)).collect();
        let name = format!("{party}-{number}.toml");
        self.place.write(&name, text);
        let before = self.nodes.size(Party::Supplier);
        self.place.expect(0, &format!("tallywatt -C {DATA}/{party} tariff publish {name}"));
        self.nodes.wait_sealed(before + 1);
    }

    fn ask(&self, at_desk: Party, name: &str, asked: &str) -> Ran {
        let desk = self.desks[at(at_desk)];
        self.place.sh(&format!("tallywatt ask --desk {desk} --origin {ORIGIN} --key {name}.key {asked}"))
    }

    fn given(&self, at_desk: Party, name: &str, asked: &str) -> Ran {
        let ran = self.ask(at_desk, name, asked);
        assert_eq!(ran.code, 0, "{name} asks {asked}: {ran:?}\n{}", self.nodes.log(at_desk));
        ran
    }

    fn denied(&self, at_desk: Party, name: &str, asked: &str, why: &str) {
        let ran = self.ask(at_desk, name, asked);
        assert_eq!(ran.code, 1, "{name} asks {asked}: {ran:?}");
        assert!(ran.err.contains(&format!("denied: {why}")), "{name} asks {asked}: {}", ran.err);
    }
}

/// A day of two usage points, or one.
fn readings(points: &[&str]) -> String {
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let row = |point: &&str| format!("{point},1-0:1.8.0,2026-03-01{}\n", ",10".repeat(48));
    format!("usage_point,obis,date{columns}\n{}", points.iter().map(row).collect::<String>())
}

#[test]
fn the_desk_gives_each_its_own_and_keeps_every_denial() {
    let mut town = Town::new();
    let [anna, gone, late, clerk, watch, gate] =
        ["anna", "gone", "late", "clerk", "watch", "gate"].map(|name| town.key(name));
    let consumer = "accounts = [\"A-000017\"]";
    let expired = "valid_to = \"2020-02-01\"\naccounts = [\"A-000017\"]";
    let of_supplier = [
        (anna.as_str(), "consumer", consumer),
        (late.as_str(), "consumer", expired),
        (clerk.as_str(), "supplier", ""),
        (watch.as_str(), "regulator", ""),
        (gone.as_str(), "consumer", consumer),
    ];
    town.publish(Party::Supplier, 1, &of_supplier);
    let of_grid = [
        (gate.as_str(), "gateway", "usage_points = [\"GATE-1\", \"GATE-2\"]"),
        (watch.as_str(), "regulator", ""),
    ];
    town.publish(Party::Grid, 1, &of_grid);

    receipts(&town, &of_supplier);
    gateways(&town);
    strangers(&town);

    // What was denied, for the node's own operator and the regulator; at another node it is another list.
    let denials = |town: &Town| {
        let listed = town.given(Party::Supplier, "watch", "denials --format json").object();
        let rows = listed["rows"].as_array().unwrap().clone();
        let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
        let line = |row| format!("{} {}: {}", text(row, "who"), text(row, "asked"), text(row, "why"));
        rows.iter().map(line).collect::<Vec<_>>()
    };
    let before = denials(&town);
    for want in [
        "A-000016 is none of the accounts of anna",
        "expired on 2020-02-01",
        "revoked by list 2",
        "no party has",
    ] {
        assert!(before.iter().any(|line| line.contains(want)), "{want}: {before:#?}");
        assert!(town.nodes.log(Party::Supplier).contains(want), "{want} is logged");
    }
    town.given(Party::Supplier, "clerk", "denials");
    town.denied(
        Party::Supplier,
        "anna",
        "denials",
        "anna is a consumer, who may not read the denials of supplier",
    );
    town.denied(Party::Grid, "clerk", "denials", "clerk is a supplier, who may not read the denials of grid");
    town.nodes.kill(Party::Supplier);
    town.start(Party::Supplier);
    let after = denials(&town);
    let added: Vec<&String> = after.iter().filter(|line| !before.contains(line)).collect();
    assert_eq!(after.len(), before.len() + 1, "they are there after a restart: {after:#?}");
    assert!(
        added.len() == 1 && added[0].contains("may not read the denials"),
        "and the one since: {added:?}"
    );
    hostile(&town);
    town.given(Party::Supplier, "anna", "checkpoint");
    assert!(town.nodes.is_up(Party::Supplier) && town.nodes.is_up(Party::Grid));
    for party in Party::ALL {
        assert!(!town.nodes.log(party).contains("panicked"), "{}", town.nodes.log(party));
    }
    rules(&town, &denials);
}

/// What may not be proposed is kept too: of the node's own operator, and of a peer.
fn rules(town: &Town, denials: &dyn Fn(&Town) -> Vec<String>) {
    let text = town.place.text("grid-1.toml").replace("number = 1", "number = 2");
    let bytes = document_bytes(&parse_document("grid-2.toml", &text).unwrap());
    let command = Command::Publish(publication_of(&bytes).unwrap());
    let mut door = town.nodes.door(Party::Supplier);
    let proposed = door.propose(&command, Some(&bytes), Until::Final).unwrap();
    let told = "cannot extend the chain: supplier may not propose the access list of grid";
    assert!(matches!(&proposed, Proposed::Failed(why) if why == told), "{proposed:?}");

    let size = town.nodes.size(Party::Supplier);
    let block = |height: u64| door.blocks(height).unwrap().0[0].block.hash();
    let [chain, parent] = [0, size - 1].map(block);
    let (proposer, number, time_unix_s) = (Party::Bank, 1_000, u64::MAX >> 1);
    let proposal = Proposal { chain, parent, proposer, number, time_unix_s, command };
    let folder = NodeFolder::below(&town.nodes.data(Party::Bank), Party::Bank);
    let identity = Identity::read(folder.path(), ORIGIN, Party::Bank).unwrap();
    let config = town.place.text(&format!("{DATA}/supplier/tallywatt.toml"));
    let listen = config.lines().find_map(|line| line.strip_prefix("listen = \"")).unwrap();
    let address = listen.trim_end_matches('"').parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut link = Link::new(identity, Party::Supplier, address);
    let in_anothers_name = Proposal { proposer: Party::Grid, ..proposal.clone() };
    // Whoever signed it: it is refused for what it asks.
    let signed = |party| Attestation { party, signature: [0; 64] };
    let announced = Request::Announce(in_anothers_name, signed(Party::Grid), FileGiven::None);
    let reply = runtime.block_on(link.call(&announced, ANSWER_WAIT)).unwrap();
    assert!(matches!(reply, Reply::Not(_)), "{reply:?}");
    let announced = Request::Announce(proposal, signed(Party::Bank), FileGiven::Inline(bytes));
    let reply = runtime.block_on(link.call(&announced, ANSWER_WAIT)).unwrap();
    assert!(matches!(reply, Reply::Taken(_)), "{reply:?}");
    let wanted = [
        "an operator of supplier propose: publish: supplier may not propose the access list of grid",
        "the bank's node to propose: bank speaks in the name of another",
        "the bank's node propose: publish: bank may not propose the access list of grid",
    ];
    town.nodes.wait("all these denials are kept", |_| {
        let kept = denials(town);
        wanted.iter().all(|want| kept.iter().any(|line| line.contains(want)))
    });
}

fn receipts(town: &Town, of_supplier: &[(&str, &str, &str)]) {
    let own = "receipt A-000017 2026-03 -o own.receipt";
    town.given(Party::Supplier, "gone", "receipt A-000017 2026-03 -o gone.receipt");
    town.given(Party::Supplier, "anna", own);
    let policy = town.place.path().join(DATA).join("supplier/trust.policy");
    let verified =
        town.place.expect(0, &format!("tallywatt verify own.receipt --policy {}", policy.display()));
    assert!(verified.out.contains("VALID    bill A-000017, 2026-03"), "{}", verified.out);
    // At the grid company's node as well, byte for byte but for the signatures' order of coming.
    town.given(Party::Grid, "anna", "receipt A-000017 2026-03 -o grid.receipt");
    town.place.expect(0, &format!("tallywatt verify grid.receipt --policy {}", policy.display()));
    town.denied(
        Party::Supplier,
        "anna",
        "receipt A-000016 2026-03",
        "A-000016 is none of the accounts of anna",
    );
    town.denied(Party::Supplier, "late", own, "the grant of late as consumer expired on 2020-02-01");
    town.given(Party::Supplier, "clerk", "receipt A-000016 2026-03 -o other.receipt");
    town.given(Party::Supplier, "watch", "receipt A-000016 2026-03 -o other.receipt");
    let none = town.ask(Party::Supplier, "clerk", "receipt NOBODY 2026-03");
    assert!(none.code == 2 && none.err.contains("account NOBODY has no bill for 2026-03"), "{}", none.err);
    // The bank's node has the bills, not the readings that a receipt opens.
    let bank = town.ask(Party::Bank, "watch", own);
    assert!(
        bank.code == 2 && bank.err.contains("the bank's node computes no batches of readings"),
        "{}",
        bank.err
    );

    let head = town.given(Party::Bank, "anna", "checkpoint").out;
    let policy = Policy::parse(&std::fs::read_to_string(policy).unwrap()).unwrap();
    let verdict = policy.evaluate(&Note::parse(&head).unwrap()).unwrap();
    assert!(verdict.accepted().is_some(), "{head}");

    // The next list leaves one out.
    town.publish(Party::Supplier, 2, &of_supplier[..of_supplier.len() - 1]);
    town.denied(
        Party::Supplier,
        "gone",
        own,
        "the grant of gone as consumer is revoked by list 2 of supplier",
    );
    town.given(Party::Supplier, "anna", own);
}

fn gateways(town: &Town) {
    town.place.write("own.csv", readings(&["GATE-1", "GATE-2"]));
    town.place.write("foreign.csv", readings(&["GATE-1", "EKB-000014"]));
    town.place.write("cut.csv", readings(&["GATE-1"]).replace(",10\n", ",ten\n"));
    let inbox = town.place.path().join(DATA).join("grid/inbox");
    let why = "EKB-000014 is none of the usage points of gate";
    town.denied(Party::Grid, "gate", "readings foreign.csv", why);
    town.denied(Party::Grid, "anna", "readings own.csv", "anna is a consumer, who may not hand in readings");
    town.denied(
        Party::Grid,
        "gate",
        "receipt A-000017 2026-03",
        "gate is a gateway, who may not have receipts",
    );
    for (asked, want) in [
        ("readings cut.csv", "nothing of it is taken: line 2 would be set aside"),
        ("readings own.csv --profile nothing", "nothing of it is taken"),
        ("readings own.csv --profile nem12", "nothing of it is taken"),
        ("readings own.csv --profile parquet", "are not taken here"),
    ] {
        let ran = town.ask(Party::Grid, "gate", asked);
        assert!(ran.code == 2 && ran.err.contains(want), "{asked}: {}", ran.err);
    }
    assert!(!inbox.exists(), "nothing is kept of any of these");
    let elsewhere = town.ask(Party::Supplier, "gate", "readings own.csv");
    assert!(elsewhere.err.contains("the supplier's node takes no readings"), "{}", elsewhere.err);

    let hash = content_hash(&town.place.read("own.csv"));
    for _ in 0..2 {
        let taken = town.given(Party::Grid, "gate", "readings own.csv");
        assert!(taken.out.contains(&format!("taken {hash}")), "{}", taken.out);
    }
    let files = town.place.files(&format!("{DATA}/grid/inbox"));
    assert_eq!(files, [inbox.join("tallywatt").join(hash.to_string())]);
    assert_eq!(std::fs::read(&files[0]).unwrap(), town.place.read("own.csv"));
    let grid = format!("tallywatt -C {DATA}/grid");
    town.place.expect(0, &format!("{grid} ingest {DATA}/grid/inbox/tallywatt --zone UTC"));
    let day = town.place.expect(0, &format!("{grid} readings show GATE-2 2026-03-01"));
    assert!(day.out.contains("10"), "{}", day.out);
}

fn strangers(town: &Town) {
    town.key("nobody");
    town.denied(Party::Supplier, "nobody", "checkpoint", "no party has granted this key anything");
    // Anna's name under another key, her request at another time, and for another network.
    town.place.json("tallywatt ask new-key anna --key other.key");
    town.denied(Party::Supplier, "other", "checkpoint", "no party has granted this key anything");
    town.denied(Party::Supplier, "anna", "checkpoint --clock-offset -400", "the request is 40");
    town.denied(
        Party::Supplier,
        "anna",
        "checkpoint --origin another.example",
        "the request is for another.example",
    );
    town.place.expect(
        12,
        &format!("tallywatt ask --desk {} --key missing.key new-key \"two words\"", town.desks[0]),
    );
}

/// Whatever comes to the port: refused, ended, and the desk goes on.
fn hostile(town: &Town) {
    let note = "tallywatt/request/v1\n";
    let post = |length: usize, body: &str| {
        format!(
            "POST /request HTTP/1.1\r\nhost: d\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let noise: Vec<u8> = (0..300_u32).flat_map(|at| content_hash(&at.to_le_bytes()).0).collect();
    let long = "x".repeat(5_000);
    let table: Vec<(Vec<u8>, &str)> = vec![
        (noise.clone(), "400"),
        (b"GET /request HTTP/1.1\r\nhost: d\r\nconnection: close\r\n\r\n".to_vec(), "405"),
        (b"POST /else HTTP/1.1\r\nhost: d\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec(), "404"),
        (post(0, "").into_bytes(), "400"),
        (post(note.len(), note).into_bytes(), "400"),
        (post(long.len(), &long).into_bytes(), "413"),
        ([post(noise.len(), "").into_bytes(), noise].concat(), "4"),
        // It claims more than it sends, and never ends.
        (post(1 << 40, "tallywatt").into_bytes(), "408"),
        (b"POST /request HTTP/1.1\r\nhost".to_vec(), ""),
        (Vec::new(), ""),
    ];
    std::thread::scope(|scope| {
        for (bytes, want) in &table {
            for party in [Party::Grid, Party::Supplier] {
                let desk = town.desks[at(party)];
                scope.spawn(move || {
                    let mut stream = TcpStream::connect(desk).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                    // It may have ended before all is written.
                    let _ = stream.write_all(bytes);
                    let mut answer = Vec::new();
                    let ended = stream.read_to_end(&mut answer);
                    let answer = String::from_utf8_lossy(&answer).into_owned();
                    let is_ended = ended.is_ok()
                        || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
                    assert!(is_ended, "{party} ends it: {answer}");
                    let status = answer.split(' ').nth(1).unwrap_or_default();
                    // What is not read when it ends the connection may take the answer along.
                    assert!(answer.is_empty() || status.starts_with(want), "{party}: {answer}, not {want}");
                });
            }
        }
    });
}
