//! A sound message of each kind that nodes send each other, of the town.

use tallywatt_consensus::machine::{Abstention, Cosignature, Dissent};
use tallywatt_consensus::message::{FileGiven, FileName, OrderKind, Position, Reply, Request};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_ledger::block::{Attestation, OtherResult, dissent_text};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::tree::Root;

use super::super::town::{ORIGIN, Town, exec, witness};

/// Place of the proposal in the town's chain: contracts, which are short.
const PROPOSED: usize = 5;

/// Requests by name.
pub fn requests(town: &Town) -> Vec<(&'static str, Request)> {
    let block = &town.blocks[PROPOSED].0;
    let (proposal, id) = (block.proposal.clone(), block.proposal.id());
    let entry = Entry { proposal: proposal.clone(), attestations: block.attestations.clone() };
    let signed = |party: Party, text: &str| exec(party).sign(text).unwrap().signature().try_into().unwrap();
    let own = proposal.proposer;
    let attestation = Attestation { party: own, signature: signed(own, &proposal.attest_text()) };
    let other = |input| {
        let command = Command::Contracts(Root { hash: id, count: 4 });
        let signature = signed(Party::Supplier, &dissent_text(&id, input, &command));
        Some(Box::new(OtherResult { input, command, signature }))
    };
    let name = FileName { hash: id, size: 70_000 };
    let (party, detail) = (Party::Supplier, "contracts: proposed 5, computed 4".to_owned());
    let dissent =
        |computed| Request::Dissent(Dissent { party, proposal: id, computed, detail: detail.clone() });
    vec![
        ("append-order", Request::Order(OrderKind::Append, vec![1, 2, 3])),
        ("vote", Request::Order(OrderKind::Vote, vec![4])),
        ("append", Request::Append(entry, b"a small file".to_vec())),
        ("read-index", Request::ReadIndex),
        ("announce", Request::Announce(proposal.clone(), attestation, FileGiven::None)),
        (
            "announce-inline",
            Request::Announce(proposal.clone(), attestation, FileGiven::Inline(vec![8; 100])),
        ),
        ("announce-named", Request::Announce(proposal, attestation, FileGiven::Named(name))),
        ("attest", Request::Attest(attestation)),
        ("dissent", dissent(other(Some(id)))),
        ("dissent-unfiled", dissent(other(None))),
        ("dissent-nothing", dissent(None)),
        ("abstain", Request::Abstain(Abstention { party, proposal: id, reason: detail.clone() })),
        ("cosign", Request::Cosign(cosignature(town))),
        ("file-of", Request::FileOf(id)),
        ("chunk", Request::Chunk(id, 1 << 20)),
        ("newest", Request::Newest(true)),
        ("position", Request::Position),
    ]
}

/// Replies by name.
pub fn replies(town: &Town) -> Vec<(&'static str, Reply)> {
    let own = Some(cosignature(town));
    vec![
        ("order", Reply::Order(vec![1])),
        ("taken", Reply::Taken(7)),
        ("not", Reply::Not("no leader".to_owned())),
        ("file", Reply::File(FileName { hash: town.blocks[PROPOSED].0.hash(), size: 3 })),
        ("chunk", Reply::Chunk(vec![6; 100])),
        ("newest", Reply::Newest { own: own.clone(), newest: own, ordered_size: town.log.size() }),
        ("newest-nothing", Reply::Newest { own: None, newest: None, ordered_size: 0 }),
        ("position", Reply::Position(Position { term: 3, index: 9 })),
    ]
}

/// The bank's signature under the newest head.
fn cosignature(town: &Town) -> Cosignature {
    let (size, root) = (town.log.size(), town.log.root());
    let text = Checkpoint::new(ORIGIN, size, root).unwrap().to_text();
    let line = witness(Party::Bank).sign_cosignature(&text, 1_795_000_000).unwrap();
    Cosignature { signer: Party::Bank.into(), size, root, line }
}
