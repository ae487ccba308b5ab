//! The bank's node gets no reading, by no way: in no announcement, not in the order, not on request. What two parties must
//! attest waits while one of them is away, and stops nothing else.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::process::Command;

use common::BINARY;
use common::nodes::{Nodes, ORIGIN, at, is_below};
use tallywatt_consensus::message::{FileGiven, INLINE_SIZE_MAX, Reply, Request, decode_entry};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Zone;
use tallywatt_core::day_block::{DayBlock, MergeCounts};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ledger::block::Block;
use tallywatt_ledger::command::{BatchCommit, Command as ChainCommand};
use tallywatt_ledger::day_leaf::HEADER_SIZE;
use tallywatt_node::books::records::{document_bytes, publication_of};
use tallywatt_node::books::{Books, Computed, Input};
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::peers::limits::ANSWER_WAIT;
use tallywatt_node::peers::link::Link;
use tallywatt_node::peers::tls::Identity;
use tallywatt_node::running::view::{Proposed, Until};
use tallywatt_shards::threads::Threads;

const GROUP: &str = "kind = \"sharing-group\"\nid = \"house-12\"\ntitle = \"House 12\"\nvalid_from = \"2026-01-01\"\n\
                     mode = \"capped\"\n[generator]\nusage_point = \"ROOF\"\nobis = \"1-0:2.8.0\"\n[[participant]]\n\
                     usage_point = \"FLAT-2\"\nobis = \"1-0:1.8.0\"\nshare_percent = \"33.333333\"\n";

/// The grid company's books before the first batch.
fn books(nodes: &Nodes) -> Books {
    let secret = NodeFolder::below(&nodes.data(Party::Grid), Party::Grid).blinding_secret().unwrap();
    Books::new(secret, Threads::new(1).unwrap())
}

/// A day of one household as the first batch: so small that it could travel with its announcement. With it some pieces of its
/// bytes, as they stand in the file and as they stand in a leaf.
fn day(books: &Books) -> (Computed, Vec<Vec<u8>>) {
    let local = Zone::parse("Asia/Yekaterinburg").unwrap().local_day("2026-03-01".parse().unwrap());
    let point = "EKB-000017".parse().unwrap();
    let mut block = DayBlock::empty(point, Register::IMPORT, local, 30, Source::Synthetic).unwrap();
    for at in 0..48_i32 {
        block.put(at.try_into().unwrap(), 977 + at * at * 13, Quality::Valid, &mut MergeCounts::default());
    }
    let file = books.batch_file(&[block]).unwrap();
    assert!(file.len() < INLINE_SIZE_MAX);
    let computed = books.compute(Input::Batch(file.clone())).unwrap();
    let leaf = books.decode_sealed(&file).unwrap().leaves.remove(0);
    let values = leaf.bytes()[HEADER_SIZE..HEADER_SIZE + 64].to_vec();
    (
        computed,
        [values]
            .into_iter()
            .chain(file.chunks_exact(32).map(<[u8]>::to_vec))
            .filter(|piece| is_telling(piece))
            .collect(),
    )
}

/// Bytes of which many differ: zeros stand everywhere.
fn is_telling(piece: &[u8]) -> bool {
    let mut bytes = piece.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len() > 12
}

fn identity(nodes: &Nodes, party: Party) -> Identity {
    Identity::read(NodeFolder::below(&nodes.data(party), party).path(), ORIGIN, party).unwrap()
}

/// What a command says at a party's folder.
fn said(nodes: &Nodes, party: Party, arguments: &str) -> (bool, String) {
    let ran =
        Command::new(BINARY).arg("-C").arg(nodes.data(party)).args(arguments.split(' ')).output().unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn a_small_batch_passes_the_bank_by() {
    let mut nodes = Nodes::running();
    let (Computed { command, file, .. }, pieces) = day(&books(&nodes));
    let proposed = nodes.door(Party::Grid).propose(&command, file.as_deref(), Until::Sealed).unwrap();
    assert!(matches!(&proposed, Proposed::Done { cosigners, .. } if cosigners.len() == 3), "{proposed:?}");
    nodes.wait_sealed(2);
    let (blocks, ..) = nodes.door(Party::Bank).blocks(1).unwrap();
    let block = &blocks[0].block;
    let by: Vec<Party> = block.attestations.iter().map(|attestation| attestation.party).collect();
    assert_eq!((&block.proposal.command, by), (&command, vec![Party::Grid, Party::Supplier]));

    // Its operator is told what it does not hold; what it holds is shown.
    let some_file = nodes.data(Party::Bank).join("trust.policy");
    let ingest = format!("ingest {} --profile tallywatt", some_file.display());
    for asked in ["readings totals", "readings exceptions 2026-03", "readings gaps 2026-03", &ingest] {
        let (is_done, text) = said(&nodes, Party::Bank, asked);
        let told = "the bank's node computes no batches of readings and keeps nothing they follow from";
        assert!(!is_done && text.contains(told), "{asked}: {text}");
    }
    for asked in ["chain log", "chain status", "status"] {
        let (is_done, text) = said(&nodes, Party::Bank, asked);
        assert!(is_done, "{asked}: {text}");
    }
    let (_, text) = said(&nodes, Party::Bank, "status");
    assert!(text.contains("sharing groups, plans, batches of readings, closed periods"), "{text}");

    // A proposer that sends the readings along all the same is not heard.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut link = Link::new(identity(&nodes, Party::Grid), Party::Bank, nodes.addresses[at(Party::Bank)]);
    let given = FileGiven::Inline(file.unwrap());
    let own = block.attestations.iter().find(|own| own.party == block.proposal.proposer).copied().unwrap();
    let announced = Request::Announce(block.proposal.clone(), own, given);
    let reply = runtime.block_on(link.call(&announced, ANSWER_WAIT)).unwrap();
    let told = "batches of readings are not recomputed here";
    assert!(matches!(&reply, Reply::Not(why) if why == told), "{reply:?}");
    assert!(nodes.log(Party::Bank).contains(&format!("a request of grid refused: {told}")));

    // The bank's keys in bad hands: whoever has them asks for what is not the bank's.
    nodes.stop(Party::Bank);
    let ChainCommand::Batch(BatchCommit { file: hash, .. }) = command else { panic!("it is a batch") };
    for to in [Party::Grid, Party::Supplier] {
        let asked = asked_of(block, hash);
        for request in &asked {
            let mut link = Link::new(identity(&nodes, Party::Bank), to, nodes.addresses[at(to)]);
            let reply = runtime.block_on(link.call(request, ANSWER_WAIT)).unwrap();
            assert!(matches!(&reply, Reply::Not(why) if why.contains("batches of readings")), "{reply:?}");
        }
        let log = nodes.log(to);
        assert!(log.contains("a request of bank refused: batches of readings are not for bank"), "{log}");
        assert!(log.contains("a request of bank refused: the order carries no batches of readings"), "{log}");
        // The other of the two gets it.
        let other = if to == Party::Grid { Party::Supplier } else { Party::Grid };
        let mut link = Link::new(identity(&nodes, other), to, nodes.addresses[at(to)]);
        let reply = runtime.block_on(link.call(&asked[0], ANSWER_WAIT)).unwrap();
        assert!(matches!(&reply, Reply::File(name) if name.hash == hash), "{reply:?}");
    }
    for party in [Party::Grid, Party::Supplier] {
        nodes.stop(party);
    }
    let of_bank = nodes.data(Party::Bank);
    for absent in ["batches", "periods", "blinding.secret", "staged"] {
        let path = of_bank.join("bank").join(absent);
        let is_empty = std::fs::read_dir(&path).map_or(true, |entries| entries.count() == 0);
        assert!(is_empty && (absent == "staged" || !path.exists()), "{}", path.display());
    }
    assert!(pieces.len() > 3, "{} pieces", pieces.len());
    for (number, piece) in pieces.iter().enumerate() {
        assert_eq!(is_below(&of_bank, piece), None, "piece {number} of the batch");
    }
    // The first is as a leaf has it, which a file packs.
    assert!(pieces[1..].iter().all(|piece| is_below(&nodes.data(Party::Supplier), piece).is_some()));
    let [grid, bank, supplier] = nodes.stored();
    assert_eq!((&bank[1].leaf, &supplier[1].leaf), (&grid[1].leaf, &grid[1].leaf));
}

/// What a peer asks to have a block's file, and to have it carried to everybody.
fn asked_of(block: &Block, hash: ContentHash) -> [Request; 3] {
    let entry = decode_entry(&Block { height: 0, ..block.clone() }.encode()).unwrap();
    [Request::FileOf(block.proposal.id()), Request::Chunk(hash, 0), Request::Append(entry, vec![7; 100])]
}

/// One of the two who must attest is away: the operator is told, nothing is recorded of it, and other commands go on. Back
/// again, it attests.
#[test]
fn what_two_must_attest_waits_for_both() {
    let mut nodes = Nodes::running();
    let group = document_bytes(&parse_document("group.toml", GROUP).unwrap());
    let publish = ChainCommand::Publish(publication_of(&group).unwrap());
    nodes.kill(Party::Grid);
    let mut door = nodes.door(Party::Supplier);
    let waits = door.propose(&publish, Some(&group), Until::Sealed).unwrap();
    let told = "what supplier proposed waits for the attestation of grid: nothing is recorded yet";
    assert!(matches!(&waits, Proposed::NoQuorum(why) if why.contains(told)), "{waits:?}");
    assert!(nodes.log(Party::Supplier).contains(told), "{}", nodes.log(Party::Supplier));
    // A tariff is recomputed by all three: two are enough.
    let goes_on = nodes.publish(Party::Supplier, "goes-on", Until::Sealed);
    assert!(matches!(&goes_on, Proposed::Done { height: Some(1), .. }), "{goes_on:?}");
    nodes.start(Party::Grid);
    nodes.wait_sealed(2);
    nodes.wait("the supplier sees the grid company", |nodes| {
        nodes.status(Party::Supplier).is_some_and(|status| status.peers["grid"].is_up)
    });
    let done = door.propose(&publish, Some(&group), Until::Sealed).unwrap();
    assert!(matches!(&done, Proposed::Done { height: Some(2), .. }), "{done:?}");
    nodes.wait_sealed(3);

    nodes.kill(Party::Supplier);
    let (Computed { command, file, .. }, _) = day(&books(&nodes));
    let waits = nodes.door(Party::Grid).propose(&command, file.as_deref(), Until::Sealed).unwrap();
    let told = "what grid proposed waits for the attestation of supplier: nothing is recorded yet";
    assert!(matches!(&waits, Proposed::NoQuorum(why) if why.contains(told)), "{waits:?}");
}
