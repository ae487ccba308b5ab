//! Three nodes and a witness as processes: two parties and the witness seal, three parties seal without it, and a witness that
//! is killed still knows what it signed.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::nodes::{Nodes, ORIGIN, WAIT};
use common::{BINARY, Place};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::log::{Log, leaf_hash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::witness::AddCheckpoint;
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::running::founding::{NamedWitness, free_addresses};
use tallywatt_node::running::view::{Proposed, Until};

/// A witness as a process of its own.
struct Witness {
    folder: PathBuf,
    address: SocketAddr,
    genesis: PathBuf,
    child: Option<Child>,
}

impl Witness {
    /// Makes its key; gives it with the key.
    fn make(place: &Place) -> (Self, String) {
        let made = place.json("tallywatt -C witness witness init --name regulator.test");
        let folder = place.path().join("witness");
        let key = fs::read_to_string(folder.join("witness.key")).unwrap().trim_end().to_owned();
        assert_eq!(made["witness"], key.as_str(), "{made}");
        let address = free_addresses().unwrap()[0];
        (Self { folder, address, genesis: PathBuf::new(), child: None }, key)
    }

    fn start(&mut self) {
        let mut command = Command::new(BINARY);
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        command.arg("-C").arg(&self.folder).args(["witness", "serve", "--listen", &self.address.to_string()]);
        command.arg("--genesis").arg(&self.genesis);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(begun.elapsed() < WAIT, "it does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once, as a power cut does.
    fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Sends bytes, and reads until it ends the connection: status, head and body of the answer.
    fn send(&self, bytes: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        // It may have answered and gone before all is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, head.to_lowercase(), body.to_owned())
    }

    fn post(&self, body: &str) -> (u16, String, String) {
        let length = body.len();
        let head = format!(
            "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        self.send(format!("{head}{body}").as_bytes())
    }

    /// What it keeps of what it refused: known and refused notes.
    fn refused(&self) -> BTreeSet<(String, String)> {
        let text = |path: PathBuf| fs::read_to_string(path).unwrap();
        let folders = fs::read_dir(self.folder.join("refused")).unwrap();
        folders
            .map(|entry| entry.unwrap().path())
            .map(|path| (text(path.join("known.note")), text(path.join("refused.note"))))
            .collect()
    }
}

/// What listens in a witness's place, and is none: it says nothing, stands where no log is, signs with another key.
struct Impostor {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Impostor {
    fn listen(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let (is_over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let mut silent = Vec::new();
            for (at, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { continue };
                if over.load(Ordering::SeqCst) {
                    return;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let body = match at % 4 {
                    0 => ("409 Conflict", "1000000\n"),
                    1 => ("200 OK", "\u{2014} regulator.test AAAAAAAA\n"),
                    2 => ("200 OK", "HTTP is not for me"),
                    _ => {
                        silent.push(stream);
                        continue;
                    }
                };
                let (status, body) = body;
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: text/x.tlog.size\r\ncontent-length: {length}"
                );
                // Who asks may have gone.
                let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
                let _ = stream.read(&mut [0; 65_536]);
            }
        });
        Self { address, is_over, asked, thread: Some(thread) }
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A consortium that names a witness; nothing runs yet.
fn found(place: &Place) -> (Nodes, Witness) {
    let (mut witness, key) = Witness::make(place);
    let address = witness.address.to_string();
    let nodes = Nodes::found_with(Some(NamedWitness { key: &key, address: &address }));
    witness.genesis = nodes.data(Party::Grid).join("genesis.twg");
    (nodes, witness)
}

fn signers(proposed: &Proposed) -> Vec<&'static str> {
    let Proposed::Done { height: Some(_), cosigners, .. } = proposed else { panic!("{proposed:?}") };
    cosigners.iter().map(|signer| signer.name()).collect()
}

/// Waits until these nodes have `size` blocks, and three signatures over the newest.
fn wait_sealed_by(nodes: &Nodes, parties: &[Party], size: u64) {
    nodes.wait(&format!("{size} blocks are sealed at {parties:?}"), |nodes| {
        let states = parties.iter().filter_map(|party| nodes.status(*party));
        states.filter(|state| state.blocks >= size && state.sealed_size == state.blocks).count()
            == parties.len()
    });
}

#[test]
fn two_parties_and_the_witness_seal_and_their_receipt_is_valid() {
    let place = Place::new();
    let (mut nodes, mut witness) = found(&place);
    witness.start();
    nodes.start_all();
    nodes.kill(Party::Bank);
    let running = [Party::Grid, Party::Supplier];
    let proposed = nodes.publish(Party::Supplier, "alone", Until::Sealed);
    assert_eq!(signers(&proposed), ["grid", "supplier", "regulator"]);
    wait_sealed_by(&nodes, &running, 2);

    // A day of readings, sealed by the three signatures that there are.
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let values = ",10".repeat(48);
    place
        .write("readings.csv", format!("usage_point,obis,date{columns}\nP-1,1-0:1.8.0,2026-03-01{values}\n"));
    let data = nodes.data(Party::Grid);
    let grid = format!("tallywatt -C {}", data.display());
    place.expect(0, &format!("{grid} ingest readings.csv --zone UTC"));
    wait_sealed_by(&nodes, &running, 3);
    place.expect(0, &format!("{grid} prove day P-1 2026-03-01 --output day.receipt"));
    let policy = data.join("trust.policy");
    let text = fs::read_to_string(&policy).unwrap();
    assert!(text.ends_with("group history 3 grid bank supplier regulator\nquorum history\n"), "{text}");
    let verified = place.expect(0, &format!("tallywatt verify day.receipt --policy {}", policy.display()));
    assert!(verified.out.contains("cosigned by grid, supplier, regulator"), "{}", verified.out);
    assert!(verified.out.contains("VALID"), "{}", verified.out);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verify/python/tallywatt_verify.py");
    let python = format!("python3 {} day.receipt --policy {}", script.display(), policy.display());
    let theirs = place.expect(0, &python);
    assert!(theirs.out.contains("\nVALID "), "{}", theirs.out);
    // Without the witness's line neither takes it.
    let receipt = place.text("day.receipt");
    let cut: String =
        receipt.split_inclusive('\n').filter(|line| !line.starts_with("\u{2014} regulator.test ")).collect();
    assert_ne!(cut, receipt);
    place.write("day.receipt", cut);
    place.expect(1, &format!("tallywatt verify day.receipt --policy {}", policy.display()));
    place.expect(1, &python);

    // Who was away comes back to a chain that is sealed, and asks the witness itself.
    nodes.start(Party::Bank);
    wait_sealed_by(&nodes, &Party::ALL, 3);
    nodes.wait("the bank has the witness's signature", |nodes| {
        let witness = nodes.status(Party::Bank).and_then(|status| status.witness);
        witness.is_some_and(|witness| witness.signed == 3 && witness.problem.is_none())
    });
    for party in Party::ALL {
        let findings = nodes.status(party).unwrap().findings;
        assert!(findings.iter().all(|finding| !finding.contains("another head")), "{party}: {findings:?}");
        nodes.stop(party);
    }
    assert_eq!(nodes.stored()[0].len(), 3);
    place.expect(0, &format!("{grid} config check"));
}

#[test]
fn a_witness_that_is_gone_stops_nobody_and_knows_what_it_signed() {
    let place = Place::new();
    let (mut nodes, mut witness) = found(&place);
    witness.start();
    nodes.start_all();
    nodes.wait("the witness has signed the first block", |nodes| {
        let signed = nodes.status(Party::Grid).and_then(|status| status.witness);
        signed.is_some_and(|witness| witness.signed == 1)
    });
    witness.kill();
    let proposed = nodes.publish(Party::Supplier, "one", Until::Sealed);
    assert_eq!(signers(&proposed), ["grid", "bank", "supplier"]);
    // Nor does one that is there and lies, or says nothing.
    let impostor = Impostor::listen(witness.address);
    let proposed = nodes.publish(Party::Supplier, "two", Until::Sealed);
    assert_eq!(signers(&proposed), ["grid", "bank", "supplier"]);
    wait_sealed_by(&nodes, &Party::ALL, 3);
    nodes.wait("all three have asked", |_| impostor.asked.load(Ordering::SeqCst) >= 6);
    drop(impostor);
    nodes.wait("the node says that the witness is away", |nodes| {
        nodes
            .status(Party::Grid)
            .and_then(|status| status.witness)
            .is_some_and(|witness| witness.problem.is_some())
    });
    witness.start();
    nodes.wait("the witness has signed what it missed", |nodes| {
        let states = Party::ALL.iter().filter_map(|party| nodes.status(*party)?.witness);
        states.filter(|witness| witness.signed == 3 && witness.problem.is_none()).count() == 3
    });
    witness.kill();
    witness.start();

    // Two parties that lie together: another history of the same size, and a longer one.
    let keys = |party| NodeFolder::below(&nodes.data(party), party).keys(ORIGIN).unwrap();
    let mut forked = Log::new();
    for at in 0..6_u64 {
        forked.append(leaf_hash(&at.to_le_bytes())).unwrap();
    }
    let note = |size: u64, count: usize| {
        let text = Checkpoint::new(ORIGIN, size, forked.root_at(size).unwrap()).unwrap().to_text();
        let mut lines = vec![keys(Party::Bank).log.sign(&text).unwrap()];
        for party in &Party::ALL[1..][..count] {
            lines.push(keys(*party).witness.sign_cosignature(&text, 1_795_000_000).unwrap());
        }
        Note::new(&text, lines).unwrap()
    };
    let ask = |old_size: u64, size: u64, count: usize| {
        let proof =
            if old_size == 0 { Vec::new() } else { forked.prove_consistency(old_size, size).unwrap() };
        witness.post(&AddCheckpoint { old_size, proof, note: note(size, count) }.encode())
    };
    for (old, size) in [(0, 1), (1, 2), (0, 6), (3, 3)] {
        let (status, head, body) = ask(old, size, 2);
        assert_eq!((status, body.as_str()), (409, "3\n"), "old {old}, size {size}: {head}");
        assert!(head.contains("content-type: text/x.tlog.size"), "{head}");
    }
    let (status, _, body) = ask(3, 6, 2);
    assert!(status == 422 && body.contains("is not shown to extend that of size 3"), "{status}: {body}");
    let (status, _, body) = ask(3, 6, 1);
    assert!(status == 403 && body.contains("1 parties cosigned"), "{status}: {body}");
    let refused: BTreeSet<String> = witness.refused().into_iter().map(|(_, refused)| refused).collect();
    assert_eq!(refused, BTreeSet::from([note(3, 2).encode(), note(6, 2).encode()]));
    assert!(witness.refused().iter().all(|(known, _)| known.starts_with(&format!("{ORIGIN}\n3\n"))));

    // Whatever else comes to its port is refused, and it goes on.
    let head = "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: ";
    let silent: Vec<TcpStream> = (0..8).map(|_| TcpStream::connect(witness.address).unwrap()).collect();
    let long = format!("{head}100000\r\n\r\n{}", "a".repeat(100_000));
    let table = [
        ("GET /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n".to_owned(), 405),
        ("POST / HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(), 404),
        (format!("{head}4\r\n\r\nold "), 400),
        (format!("{head}2\r\n\r\n\u{e9}"), 400),
        (long, 413),
        ("\u{16}\u{3}\u{1}garbage\r\n\r\n".to_owned(), 400),
    ];
    for (bytes, want) in table {
        let (status, ..) = witness.send(bytes.as_bytes());
        // A connection that is ended while it still writes may lose the answer.
        assert!(
            status == want || (want == 413 && status == 0),
            "{status} to {}",
            bytes.lines().next().unwrap()
        );
    }
    let proposed = nodes.publish(Party::Supplier, "three", Until::Sealed);
    assert!(signers(&proposed).len() >= 3, "{proposed:?}");
    nodes.wait("the witness goes on", |nodes| {
        let states = Party::ALL.iter().filter_map(|party| nodes.status(*party)?.witness);
        states.filter(|witness| witness.signed == 4).count() == 3
    });
    // Who says nothing is not waited for.
    for mut stream in silent {
        stream.set_read_timeout(Some(WAIT)).unwrap();
        assert_eq!(stream.read(&mut [0; 16]).unwrap_or(0), 0, "the connection is ended");
    }
}

/// What is typed at the founding: key and address go where they belong, and what is neither is refused before anything is made.
#[test]
fn a_witness_is_named_at_the_founding() {
    let place = Place::new();
    let (_, key) = Witness::make(&place);
    let log_key = tallywatt_ledger::key::LogSigner::from_seed("regulator.test", &[1; 32]).unwrap();
    let log_key = log_key.verifier_key().to_string();
    let table = [
        (format!("--witness {key}"), "--witness-address"),
        (format!("--witness {key} --witness-address nowhere"), "is no host and port"),
        (format!("--witness {key} --witness-address :7110"), "is no host and port"),
        (format!("--witness {log_key} --witness-address host:7110"), "is no cosigner's key"),
        ("--witness regulator --witness-address host:7110".to_owned(), "--witness: "),
    ];
    for (words, want) in table {
        let refused = place.expect(2, &format!("tallywatt -C pilot init --apart {words}"));
        assert!(refused.err.contains(want), "{words}: {}", refused.err);
        assert!(!place.path().join("pilot").exists(), "{words}");
    }
    place.expect(
        0,
        &format!("tallywatt -C pilot init --apart --witness {key} --witness-address witness.example:7110"),
    );
    for party in Party::ALL {
        let config = place.text(&format!("pilot/{party}/tallywatt.toml"));
        assert!(config.contains("\nwitness = \"witness.example:7110\"\n"), "{config}");
        let policy = place.text(&format!("pilot/{party}/trust.policy"));
        assert!(policy.contains(&format!("\nwitness regulator {key}\ngroup history 3 ")), "{policy}");
        place.expect(0, &format!("tallywatt -C pilot/{party} config check"));
    }
    // A witness that this genesis does not name does not watch its log.
    place.expect(0, "tallywatt -C other witness init --name other.test");
    let refused = place.expect(2, "tallywatt -C other witness serve --genesis pilot/grid/genesis.twg");
    assert!(refused.err.contains("does not name the witness other.test+"), "{}", refused.err);
    place.expect(2, "tallywatt -C other witness serve");
    place.expect(12, "tallywatt -C nowhere witness serve --genesis pilot/grid/genesis.twg");
}
