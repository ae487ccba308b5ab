//! Whatever comes to a node's ports, from strangers and from a party that has gone bad: it is refused, and the node stays up.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::nodes::{Nodes, ORIGIN, at};
use tallywatt_consensus::message::{FileGiven, OrderKind, Reply, Request};
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, Proposal};
use tallywatt_ledger::digest::content_hash;
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::peers::certificates::{Certificate, authority_name};
use tallywatt_node::peers::limits::{
    ANSWER_WAIT, CONNECTION_COUNT_MAX, CONNECTIONS_OF_PARTY_MAX, FRAME_SIZE_MAX, FRAME_WAIT, HANDSHAKE_WAIT,
};
use tallywatt_node::peers::link::Link;
use tallywatt_node::peers::tls::Identity;
use tallywatt_node::running::founding::free_addresses;
use tallywatt_node::running::view::{Proposed, Until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes that look like nothing, the same for each seed.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let hash = |at: usize| content_hash(format!("noise {seed} {at}").as_bytes()).0;
    (0..size.div_ceil(32)).flat_map(hash).take(size).collect()
}

/// The identity of the bank, whose keys have fallen into other hands.
fn bank(nodes: &Nodes) -> Identity {
    let folder = NodeFolder::below(&nodes.data(Party::Bank), Party::Bank);
    Identity::read(folder.path(), ORIGIN, Party::Bank).unwrap()
}

/// Sends bytes as a stranger; whether the other side ended the connection within `wait`.
async fn is_ended(address: SocketAddr, bytes: &[u8], wait: Duration) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may end before all is written.
    let _ = stream.write_all(bytes).await;
    let mut sink = Vec::new();
    timeout(wait, stream.read_to_end(&mut sink)).await.is_ok()
}

/// Sends bytes behind a good handshake; whether the other side ended the connection within `wait`, with nothing said.
async fn is_ended_behind_handshake(
    identity: &Identity,
    to: Party,
    address: SocketAddr,
    bytes: &[u8],
    wait: Duration,
) -> bool {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = identity.connector(to).unwrap().connect(identity.name_of(to), stream).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let mut said = Vec::new();
    let ended = timeout(wait, stream.read_to_end(&mut said)).await.is_ok();
    ended && said.is_empty()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

#[test]
fn strangers_and_a_bad_party_are_refused_and_the_node_stays_up() {
    let mut nodes = Nodes::running();
    // One of them has a desk for holders of granted keys, which is a port like the others.
    let desk = free_addresses().unwrap()[0];
    nodes.stop(Party::Grid);
    nodes.start_with_desk(Party::Grid, desk);
    nodes.wait("the desk listens", |_| std::net::TcpStream::connect(desk).is_ok());
    nodes.wait_sealed(1);
    // The bank's node is gone, its keys are not.
    nodes.stop(Party::Bank);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for to in [Party::Grid, Party::Supplier] {
        let address = nodes.addresses[at(to)];
        let identity = bank(&nodes);
        runtime.block_on(async {
            tokio::join!(
                strangers(address),
                strangers(control_of(&nodes, to)),
                strangers(desk),
                silent_strangers(desk),
                silent_strangers(address),
                bad_frames(&identity, to, address),
                slow_frames(&identity, to, address),
            );
            bad_requests(identity.clone(), to, address).await;
            other_certificates(&nodes, to, address).await;
            too_many(&identity, to, address).await;
        });
        assert!(nodes.is_up(to), "{to} is up\n{}", nodes.log(to));
        let lines = nodes.log(to).lines().count();
        assert!(lines < 200, "{to} logs {lines} lines");
        assert!(!nodes.log(to).contains("panicked"), "{}", nodes.log(to));
    }
    let proposed = nodes.publish(Party::Supplier, "after-all-that", Until::Sealed);
    assert!(matches!(&proposed, Proposed::Done { cosigners, .. } if cosigners.len() == 2), "{proposed:?}");
    nodes.start(Party::Bank);
    nodes.wait_sealed(2);
}

fn control_of(nodes: &Nodes, party: Party) -> SocketAddr {
    let text = std::fs::read_to_string(nodes.data(party).join("control")).unwrap();
    text.lines().next().unwrap().parse().unwrap()
}

async fn strangers(address: SocketAddr) {
    let ended = HANDSHAKE_WAIT + Duration::from_secs(5);
    let table: [&[u8]; 6] = [
        &noise(1, 10_000),
        &[0; 100],
        &[0xff; 100],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        // The head of a handshake, cut off, and one that claims more than a record may hold.
        &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03],
        &[0x16, 0x03, 0x01, 0xff, 0xff, 0x01],
    ];
    for bytes in table {
        assert!(is_ended(address, bytes, ended).await, "{address}: {:02x?}", &bytes[..6]);
    }
    for seed in 0..50 {
        let size = usize::try_from(seed * 13 % 200).unwrap() + 1;
        assert!(is_ended(address, &noise(seed, size), ended).await, "{address}: noise {seed}");
    }
}

/// Connections that say nothing are ended, and hold nobody up meanwhile.
async fn silent_strangers(address: SocketAddr) {
    let mut silent = Vec::new();
    for _ in 0..CONNECTION_COUNT_MAX / 4 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    for mut stream in silent {
        let mut sink = Vec::new();
        let ended = timeout(HANDSHAKE_WAIT * 3, stream.read_to_end(&mut sink)).await;
        assert!(ended.is_ok(), "{address}: a silent connection is ended");
    }
}

async fn bad_frames(identity: &Identity, to: Party, address: SocketAddr) {
    let table: [(&str, Vec<u8>); 5] = [
        ("of no bytes", framed(&[])),
        ("too long", u32::try_from(FRAME_SIZE_MAX + 1).unwrap().to_be_bytes().to_vec()),
        ("much too long", vec![0xff; 64]),
        ("no request", framed(&noise(2, 500))),
        ("of another version", framed(&[9, 0x60, 4])),
    ];
    for (what, bytes) in table {
        let ended = is_ended_behind_handshake(identity, to, address, &bytes, ANSWER_WAIT).await;
        assert!(ended, "{to}: a frame {what}");
    }
    for seed in 0..100 {
        // A good head, so that the decoder looks further.
        let mut bytes = vec![1, 0x60];
        bytes.extend(noise(seed, 1 + usize::try_from(seed).unwrap() * 7));
        bytes[2] = 6 + u8::try_from(seed % 20).unwrap();
        let ended = is_ended_behind_handshake(identity, to, address, &framed(&bytes), ANSWER_WAIT).await;
        assert!(ended || [9, 10, 11, 12].contains(&bytes[2]), "{to}: request noise {seed}");
    }
}

async fn slow_frames(identity: &Identity, to: Party, address: SocketAddr) {
    let begun = Instant::now();
    let half = &framed(&noise(3, 1_000))[..500];
    assert!(
        is_ended_behind_handshake(identity, to, address, half, FRAME_WAIT * 2).await,
        "{to}: half a frame"
    );
    assert!(
        begun.elapsed() + Duration::from_secs(1) > FRAME_WAIT,
        "it was given its time: {:?}",
        begun.elapsed()
    );
}

async fn bad_requests(identity: Identity, to: Party, address: SocketAddr) {
    let mut link = Link::new(identity, to, address);
    let mut ask = async |request: &Request| link.call(request, ANSWER_WAIT).await.unwrap();
    for seed in 0..100 {
        let kind = if seed % 2 == 0 { OrderKind::Append } else { OrderKind::Vote };
        let bytes = noise(seed, usize::try_from(seed).unwrap() * 11 + 1);
        let reply = ask(&Request::Order(kind, bytes)).await;
        assert!(matches!(reply, Reply::Not(_)), "{to}: order noise {seed}: {reply:?}");
    }
    let hash = ContentHash([7; 32]);
    for request in [Request::FileOf(hash), Request::Chunk(hash, 0), Request::Chunk(hash, u64::MAX)] {
        let reply = ask(&request).await;
        assert!(matches!(reply, Reply::Not(_)), "{request:?}: {reply:?}");
    }
    // In the name of another, and a flood of proposals on no block.
    let (command, bytes) = common::nodes::document("bad");
    let mut proposal =
        Proposal { chain: hash, parent: hash, proposer: to, number: 1, time_unix_s: 0, command };
    let noise = |party| Attestation { party, signature: [0x5a; 64] };
    let reply = ask(&Request::Announce(proposal.clone(), noise(to), FileGiven::None)).await;
    assert!(matches!(reply, Reply::Not(_)), "{to}: {reply:?}");
    proposal.proposer = Party::Bank;
    for number in 0..200 {
        proposal.number = number;
        let given = FileGiven::Inline(bytes.clone());
        let reply = ask(&Request::Announce(proposal.clone(), noise(Party::Bank), given)).await;
        assert!(matches!(reply, Reply::Taken(_)), "it is kept for a while, or not: {reply:?}");
    }
}

/// Certificates of the same names by another authority, and by the right hands for another network.
async fn other_certificates(nodes: &Nodes, to: Party, address: SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    Certificate::make(ORIGIN, Party::Bank).unwrap().write(folder.path()).unwrap();
    let known = NodeFolder::below(&nodes.data(Party::Bank), Party::Bank);
    for name in Party::ALL.map(authority_name) {
        std::fs::copy(known.path().join(&name), folder.path().join(&name)).unwrap();
    }
    let identity = Identity::read(folder.path(), ORIGIN, Party::Bank).unwrap();
    let stranger = Link::new(identity, to, address).call(&Request::Newest(false), ANSWER_WAIT).await;
    assert!(stranger.is_err(), "{to}: {stranger:?}");
    assert!(
        Identity::read(folder.path(), ORIGIN, Party::Grid).is_err(),
        "a certificate of the bank is not the grid's"
    );
    assert!(Identity::read(folder.path(), "another.example", Party::Bank).is_err(), "nor of another network");
}

async fn too_many(identity: &Identity, to: Party, address: SocketAddr) {
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_OF_PARTY_MAX {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = identity.connector(to).unwrap().connect(identity.name_of(to), stream).await.unwrap();
        stream.write_all(&framed(&Request::Newest(false).encode())).await.unwrap();
        stream.flush().await.unwrap();
        let mut first = [0; 1];
        stream.read_exact(&mut first).await.unwrap();
        held.push(stream);
    }
    let request = framed(&Request::Newest(false).encode());
    assert!(
        is_ended_behind_handshake(identity, to, address, &request, ANSWER_WAIT).await,
        "{to}: one too many"
    );
    drop(held);
}
