//! Nine lies that one party tells the other two, over the network and with its own certificate and keys: they sign none of
//! them, their chain goes on, no two heads of one size are both sealed, and where there is evidence it convicts offline.
//!
//! Four are told by the party's own process, which computes something else: a wrong root, a dropped reading, a swapped tariff,
//! a changed split. Five by a hand that holds its keys: a double signature, a replay, a withheld file and withheld answers,
//! garbage, a date in the future.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::nodes::{Nodes, ORIGIN, at, document};
use common::{BINARY, Place, Ran, one_account};
use tallywatt_consensus::machine::{Cosignature, Dissent};
use tallywatt_consensus::members::{self, Keys};
use tallywatt_consensus::message::{FileGiven, FileName, INLINE_SIZE_MAX, Reply, Request};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, OtherResult, Proposal};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::Command as ChainCommand;
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::note::Note;
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::peers::limits::ANSWER_WAIT;
use tallywatt_node::peers::link::Link;
use tallywatt_node::peers::listener::{self, Service};
use tallywatt_node::peers::tls::Identity;
use tallywatt_node::running::status::Status;
use tallywatt_node::store::StoredBlock;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

#[test]
fn nine_lies_are_signed_by_nobody_else() {
    let mut stage = Stage::new();
    let wrong = stage.lies(Party::Supplier, "tariff", "tariff publish tariff.toml");
    let convicted = "VALID    evidence: grid and bank signed another result than supplier of publish";
    stage.tells_offline(&[Party::Grid, Party::Bank], &wrong, 0, convicted);
    stage.says(Party::Supplier, "tariff publish tariff.toml split.toml");
    stage.says(Party::Grid, "agreement sign split.toml --party grid");
    stage.says(Party::Supplier, "agreement sign split.toml --party supplier");
    stage.says(Party::Supplier, "agreement activate split.toml");
    stage.says(Party::Supplier, "contract publish contracts.csv");
    let ingest = "ingest readings.csv --zone Asia/Yekaterinburg";
    for lie in ["root", "reading"] {
        // Only two recompute readings: the file says what each signed, and not who is wrong.
        let wrong = stage.lies(Party::Grid, lie, ingest);
        let open = "UNCHECKED evidence: grid, supplier signed different results of batch";
        stage.tells_offline(&[Party::Supplier], &wrong, 2, open);
        assert!(!NodeFolder::below(&stage.nodes.data(Party::Bank), Party::Bank).path().join(&wrong).exists());
    }
    stage.says(Party::Grid, ingest);
    // It closes the month; the bills are the supplier's to propose.
    stage.run(Party::Grid, &[], "bill run 2026-04");
    let wrong = stage.lies(Party::Supplier, "bill", "bill run 2026-04");
    stage.tells_offline(
        &[Party::Grid],
        &wrong,
        2,
        "UNCHECKED evidence: grid, supplier signed different results of bills",
    );
    stage.says(Party::Supplier, "bill run 2026-04");
    let wrong = stage.lies(Party::Bank, "split", "pay run pay-1.csv");
    let convicted = "VALID    evidence: grid and supplier signed another result than bank of settlement";
    stage.tells_offline(&[Party::Grid, Party::Supplier], &wrong, 0, convicted);
    stage.says(Party::Bank, "pay run pay-1.csv");

    // From here on the supplier's keys are in other hands.
    let hand = Hand::takes(&mut stage);
    hand.dates_ahead(&mut stage);
    hand.replays(&mut stage);
    hand.sends_garbage(&mut stage);
    hand.withholds(&mut stage);
    hand.signs_twice(&mut stage);
    drop(hand);

    // Its own process, back again, stands where the others do.
    stage.nodes.start(Party::Supplier);
    stage.nodes.wait_sealed(stage.size());
    stage.says(Party::Bank, "pay run pay-3.csv");
    for party in Party::ALL {
        stage.nodes.stop(party);
    }
    let [grid, bank, supplier] = stage.nodes.stored();
    for (at, want) in grid.iter().enumerate() {
        assert_eq!((&bank[at].leaf, &supplier[at].leaf), (&want.leaf, &want.leaf), "leaf {at}");
    }
}

/// Three nodes, and the files that are proposed at them.
struct Stage {
    nodes: Nodes,
    place: Place,
}

impl Stage {
    fn new() -> Self {
        let (nodes, place) = (Nodes::running(), Place::new());
        one_account::write_inputs(&place, one_account::AGREEMENT);
        for (name, day, amount) in [("pay-1", 3, "600.00"), ("pay-2", 4, "700.00"), ("pay-3", 5, "10.00")] {
            let id = name.to_uppercase();
            let text = format!(
                "payment_id,account,date,amount\n{id},A-1,2026-05-0{day},{amount}\n#TOTAL,1,{amount}\n"
            );
            place.write(&format!("{name}.csv"), text);
        }
        Self { nodes, place }
    }

    fn run(&self, party: Party, words: &[&str], line: &str) -> Ran {
        let mut command: Command = self.place.command(BINARY);
        command.arg("-C").arg(self.nodes.data(party)).args(words).args(line.split(' '));
        Ran::of(&command.output().unwrap())
    }

    /// An honest command, sealed by all.
    #[track_caller]
    fn says(&self, party: Party, line: &str) {
        let ran = self.run(party, &[], line);
        assert_eq!(ran.code, 0, "{party}: {line}\n{}\n{}\n{}", ran.out, ran.err, self.nodes.log(party));
    }

    /// The same as a lie: whoever else attests its kind contradicts it, nothing is recorded, and nobody is frozen by it.
    #[track_caller]
    fn lies(&mut self, liar: Party, lie: &str, line: &str) -> String {
        let before = self.evidence(Party::Supplier);
        let words = ["--liar", liar.name(), "--lie", lie];
        let size = self.size();
        self.nodes.wait_sealed(size);
        self.nodes.stop(liar);
        self.nodes.start_with(liar, &words);
        self.nodes.wait_sealed(size);
        self.wait_all_there();
        let ran = self.run(liar, &words, line);
        assert_ne!(ran.code, 0, "{liar}, {lie}: {}\n{}", ran.out, ran.err);
        // Readings and bills are not the bank's to recompute.
        let is_judge = |other: &Party| {
            *other != liar && (*other != Party::Bank || !["root", "reading", "bill"].contains(&lie))
        };
        for other in Party::ALL.into_iter().filter(is_judge) {
            let said = format!("{other} computed something else");
            assert!(
                ran.err.contains(&said) || ran.out.contains(&said),
                "{liar}, {lie}: {}\n{}",
                ran.out,
                ran.err
            );
        }
        for party in Party::ALL {
            let state = self.nodes.status(party).unwrap();
            assert_eq!((self.nodes.size(party), state.frozen), (size, None), "{liar}, {lie}: at {party}");
        }
        // The file of the lie is asked for while the liar is there, and compared down to the line.
        if let Some(value) = value_of(lie) {
            self.nodes.wait(&format!("{liar}, {lie}: {value}"), |nodes| {
                let judges = Party::ALL.into_iter().filter(is_judge);
                judges.into_iter().all(|party| {
                    let findings = nodes.status(party).map(|state| state.findings).unwrap_or_default();
                    findings.iter().any(|line| line.contains(value))
                })
            });
        }
        self.nodes.stop(liar);
        self.nodes.start(liar);
        self.nodes.wait_sealed(size);
        self.wait_all_there();
        // Who lies keeps what convicts it too, since its node is honest but for the lie.
        let new: Vec<String> =
            self.evidence(Party::Supplier).into_iter().filter(|name| !before.contains(name)).collect();
        assert_eq!(new.len(), 1, "{liar}, {lie}: {new:?}");
        format!("evidence/{}", new[0])
    }

    /// The names of what a node keeps that convicts somebody.
    fn evidence(&self, party: Party) -> Vec<String> {
        let paths = NodeFolder::below(&self.nodes.data(party), party).evidence().unwrap();
        paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// Each of these nodes made by itself a file of this name in its folder, which says so to whoever has the policy, and a
    /// finding that names the file.
    #[track_caller]
    fn tells_offline(&self, at: &[Party], file: &str, code: i32, said: &str) {
        let policy: PathBuf = self.nodes.data(Party::Grid).join("trust.policy");
        std::fs::copy(policy, self.place.path().join("policy")).unwrap();
        for party in at {
            let kept = NodeFolder::below(&self.nodes.data(*party), *party).path().join(file);
            let verified = || {
                std::fs::copy(&kept, self.place.path().join("kept")).ok()?;
                Some(self.place.run(&["verify", "kept", "--policy", "policy"]))
            };
            // The word of the other honest one comes when it comes.
            self.nodes.wait(&format!("{party} holds: {said}"), |_| {
                verified().is_some_and(|ran| ran.code == code && ran.out.contains(said))
            });
            let listed = self.run(*party, &[], "chain evidence");
            assert!(listed.out.contains(file.split('/').next_back().unwrap()), "{}", listed.out);
            let findings = self.nodes.status(*party).unwrap().findings;
            assert!(findings.iter().any(|line| line.contains(file)), "{file}: {findings:#?}");
        }
    }

    fn wait_all_there(&self) {
        self.nodes.wait("all see each other", |nodes| {
            let sees = |state: Status| state.peers.values().all(|peer| peer.is_up);
            Party::ALL.iter().all(|party| nodes.status(*party).is_some_and(sees))
        });
    }

    /// Blocks of the bank.
    fn size(&self) -> u64 {
        self.nodes.size(Party::Bank)
    }

    /// The two honest ones have as many blocks as before, agree, and sign.
    #[track_caller]
    fn assert_unmoved(&self, size: u64, what: &str) {
        for party in [Party::Grid, Party::Bank] {
            let state = self.nodes.status(party).unwrap_or_else(|| panic!("{what}: {party} is gone"));
            assert_eq!((self.nodes.size(party), state.frozen), (size, None), "{what}: at {party}");
        }
    }

    /// The two honest ones record one more block.
    #[track_caller]
    fn go_on(&self, file: &str) {
        let size = self.size();
        let ran = self.run(Party::Bank, &[], &format!("pay run {file}"));
        let text = format!("{}{}", ran.out, ran.err);
        assert!(text.contains("final"), "without the third: {text}");
        self.nodes.wait("the two agree", |nodes| {
            [Party::Grid, Party::Bank].iter().all(|party| {
                nodes
                    .status(*party)
                    .is_some_and(|state| state.final_size == size + 1 && state.frozen.is_none())
            })
        });
    }

    fn blocks(&self) -> Vec<StoredBlock> {
        let mut blocks = Vec::new();
        let mut door = self.nodes.door(Party::Grid);
        loop {
            let (more, size, _) = door.blocks(u64::try_from(blocks.len()).unwrap()).unwrap();
            blocks.extend(more);
            if u64::try_from(blocks.len()).unwrap() >= size {
                return blocks;
            }
        }
    }
}

/// What the honest ones sent to the address of the supplier.
type Heard = Arc<Mutex<Vec<(Party, Request)>>>;

/// Who has the supplier's keys and certificate, and answers at its address: politely, and with nothing.
struct Hand {
    runtime: Runtime,
    identity: Identity,
    keys: Keys,
    addresses: [std::net::SocketAddr; 3],
    heard: Heard,
}

struct Ear(Heard);

impl Service for Ear {
    async fn answer(&self, from: Party, request: Request) -> Reply {
        let reply = match &request {
            Request::Order(..) | Request::Chunk(..) | Request::FileOf(_) => Reply::Not("not now".into()),
            Request::Newest(_) => Reply::Newest { own: None, newest: None, ordered_size: 0 },
            _ => Reply::Taken(0),
        };
        self.0.lock().unwrap().push((from, request));
        reply
    }

    fn refuses(&self, _from: Party, _request: &Request) -> Option<String> {
        None
    }

    fn log(&self, _line: &str) {}
}

impl Hand {
    fn takes(stage: &mut Stage) -> Self {
        stage.nodes.stop(Party::Supplier);
        let folder = NodeFolder::below(&stage.nodes.data(Party::Supplier), Party::Supplier);
        let identity = Identity::read(folder.path(), ORIGIN, Party::Supplier).unwrap();
        let keys = folder.keys(ORIGIN).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let addresses = stage.nodes.addresses;
        let (heard, own) = (Heard::default(), addresses[at(Party::Supplier)]);
        let listener = runtime.block_on(TcpListener::bind(own)).unwrap();
        runtime.spawn(listener::listen(listener, identity.clone(), Arc::new(Ear(Arc::clone(&heard)))));
        stage.nodes.wait("one of the two leads", |nodes| {
            let leader = nodes.status(Party::Bank).and_then(|state| state.leader);
            leader.is_some_and(|leader| leader != Party::Supplier.name())
        });
        Self { runtime, identity, keys, addresses, heard }
    }

    /// Tells both honest ones the same. They may refuse it, or end the connection over what they cannot read.
    fn tells(&self, request: &Request) {
        for to in [Party::Grid, Party::Bank] {
            let mut link = Link::new(self.identity.clone(), to, self.addresses[at(to)]);
            let _ = self.runtime.block_on(link.call(request, ANSWER_WAIT * 2));
        }
    }

    fn announces(&self, proposal: &Proposal, file: FileGiven) {
        self.tells(&Request::Announce(proposal.clone(), self.attest(proposal), file));
    }

    fn attest(&self, proposal: &Proposal) -> Attestation {
        members::attest(&self.keys, Party::Supplier, proposal)
    }

    fn dissent(&self, proposal: &Proposal) -> OtherResult {
        OtherResult { input: None, command: proposal.command.clone(), signature: [0x5a; 64] }
    }

    /// A proposal that follows the last block in all.
    fn proposal(&self, stage: &Stage, command: ChainCommand, time_unix_s: u64) -> Proposal {
        let blocks = stage.blocks();
        let last = &blocks.last().unwrap().block;
        let own = blocks.iter().filter(|stored| stored.block.proposal.proposer == Party::Supplier).count();
        Proposal {
            chain: blocks[0].block.hash(),
            parent: last.hash(),
            proposer: Party::Supplier,
            number: u64::try_from(own).unwrap() + 1,
            time_unix_s,
            command,
        }
    }

    /// Waits until both have answered a proposal; none of them attests it.
    #[track_caller]
    fn assert_unattested(&self, stage: &Stage, id: ContentHash, what: &str) {
        let answers = |request: &Request| match request {
            Request::Abstain(abstention) => abstention.proposal == id,
            Request::Dissent(dissent) => dissent.proposal == id,
            _ => false,
        };
        stage.nodes.wait(what, |_| {
            let heard = self.heard.lock().unwrap();
            let count = |party| heard.iter().filter(|(from, said)| *from == party && answers(said)).count();
            count(Party::Grid) > 0 && count(Party::Bank) > 0
        });
        let heard = self.heard.lock().unwrap();
        let attested = heard.iter().find(|(_, said)| matches!(said, Request::Attest(_)));
        assert!(attested.is_none(), "{what}: {attested:?}");
    }

    /// Has an entry ordered that only this party attested: every node passes it over.
    fn orders(&self, proposal: &Proposal, others: &[Attestation], file: &[u8]) {
        let mut attestations = [&[self.attest(proposal)], others].concat();
        attestations.sort_by_key(|attestation| attestation.party);
        self.tells(&Request::Append(Entry { proposal: proposal.clone(), attestations }, file.to_vec()));
    }

    /// A date an hour ahead: both give no answer, and say why.
    fn dates_ahead(&self, stage: &mut Stage) {
        let size = stage.size();
        let (command, bytes) = document("of-tomorrow");
        let proposal = self.proposal(stage, command, now() + 3_600);
        self.announces(&proposal, FileGiven::Inline(bytes.clone()));
        self.assert_unattested(stage, proposal.id(), "both abstain from a date ahead");
        self.orders(&proposal, &[], &bytes);
        stage.go_on("pay-2.csv");
        assert_eq!(stage.size(), size + 1);
    }

    /// What was said before is said again: announced, ordered, signed.
    fn replays(&self, stage: &mut Stage) {
        let size = stage.size();
        let blocks = stage.blocks();
        for stored in blocks.iter().filter(|stored| stored.block.height > 0) {
            let (proposal, attestations) = (&stored.block.proposal, &stored.block.attestations);
            if proposal.proposer == Party::Supplier {
                self.announces(proposal, FileGiven::None);
            }
            self.tells(&Request::Append(
                Entry { proposal: proposal.clone(), attestations: attestations.clone() },
                Vec::new(),
            ));
        }
        // An old command under the next number, with the attestations of its first time.
        let old =
            blocks.iter().rev().find(|stored| stored.block.proposal.proposer == Party::Supplier).unwrap();
        let again = self.proposal(stage, old.block.proposal.command.clone(), now());
        self.orders(&again, &old.block.attestations[..1], &[]);
        stage.assert_unmoved(size, "a replay");
    }

    /// Signatures of nobody, under anything.
    fn sends_garbage(&self, stage: &mut Stage) {
        let size = stage.size();
        let (command, bytes) = document("garbage");
        let proposal = self.proposal(stage, command, now());
        let noise = |party| Attestation { party, signature: [0x5a; 64] };
        for attestation in [noise(Party::Supplier), noise(Party::Grid), noise(Party::Bank)] {
            self.tells(&Request::Attest(attestation));
        }
        // A proposal that nobody signed is not recomputed: there would be nobody to hold to it.
        let unsigned = noise(Party::Supplier);
        self.tells(&Request::Announce(proposal.clone(), unsigned, FileGiven::Inline(bytes.clone())));
        stage.nodes.wait("both refuse what nobody signed", |nodes| {
            let refused = format!("proposal {} of supplier is not signed by supplier", proposal.number);
            [Party::Grid, Party::Bank].iter().all(|party| nodes.log(*party).contains(&refused))
        });
        // Another result, of nothing that anybody proposed, and in a signature of nobody.
        for computed in [None, Some(Box::new(self.dissent(&proposal)))] {
            let (party, id) = (Party::Supplier, proposal.id());
            self.tells(&Request::Dissent(Dissent { party, proposal: id, computed, detail: "so".into() }));
        }
        self.orders(&proposal, &[noise(Party::Grid), noise(Party::Bank)], &bytes);
        self.orders(&proposal, &[self.attest(&proposal)], &bytes);
        let heads = [(size, LogHash::from_bytes([7; 32])), (size + 5, LogHash::from_bytes([8; 32]))];
        for (size, root) in heads {
            let mut cosignature = self.cosign(size, root);
            // The signature of another text, and one that says it is the bank's.
            cosignature.root = LogHash::from_bytes([9; 32]);
            self.tells(&Request::Cosign(cosignature.clone()));
            cosignature.signer = Party::Bank.into();
            self.tells(&Request::Cosign(cosignature));
        }
        stage.assert_unmoved(size, "garbage");
    }

    /// A large file that it names and never gives, and no answer to what the others propose.
    fn withholds(&self, stage: &mut Stage) {
        let size = stage.size();
        let (command, _) = document("withheld");
        let proposal = self.proposal(stage, command, now());
        let name = FileName { hash: ContentHash([3; 32]), size: u64::try_from(INLINE_SIZE_MAX).unwrap() * 2 };
        self.announces(&proposal, FileGiven::Named(name));
        self.assert_unattested(stage, proposal.id(), "both abstain from what is withheld");
        self.orders(&proposal, &[], &[]);
        stage.assert_unmoved(size, "a withheld file");
        stage.place.write(
            "pay-4.csv",
            "payment_id,account,date,amount\nPAY-4,A-1,2026-05-06,20.00\n#TOTAL,1,20.00\n",
        );
        stage.go_on("pay-4.csv");
        let asked = self.heard.lock().unwrap().iter().any(|(_, said)| matches!(said, Request::Announce(..)));
        assert!(asked, "it was asked, and gave no answer");
    }

    fn cosign(&self, size: u64, root: LogHash) -> Cosignature {
        let text = Checkpoint::new(ORIGIN, size, root).unwrap().to_text();
        let line = self.keys.witness.sign_cosignature(&text, now()).unwrap();
        Cosignature { signer: Party::Supplier.into(), size, root, line }
    }

    /// Two heads of one size: both honest ones say so, hold to their own, and the two texts convict the key.
    fn signs_twice(&self, stage: &mut Stage) {
        let size = stage.size();
        let (_, _, head) = stage.nodes.door(Party::Bank).blocks(size).unwrap();
        let own = Checkpoint::parse(Note::parse(&head).unwrap().text()).unwrap();
        assert_eq!(own.size(), size);
        let (honest, other) =
            (self.cosign(size, own.root()), self.cosign(size, LogHash::from_bytes([6; 32])));
        for cosignature in [&honest, &other] {
            self.tells(&Request::Cosign(cosignature.clone()));
        }
        stage.nodes.wait("both name the double signature", |nodes| {
            [Party::Grid, Party::Bank].iter().all(|party| {
                let findings = nodes.status(*party).map(|state| state.findings).unwrap_or_default();
                findings
                    .iter()
                    .any(|line| line.contains(&format!("supplier signed two heads of size {size}")))
            })
        });
        stage.assert_unmoved(size, "a double signature");
        // The head that all signed is the honest one; the other has one signature, and there is no third party to seal it.
        let root = own.root().to_string();
        stage.nodes.wait("the honest head is sealed", |nodes| {
            nodes.status(Party::Bank).is_some_and(|state| (state.sealed_size, &state.root) == (size, &root))
        });
        for (name, cosignature) in [("one", &honest), ("other", &other)] {
            let text = Checkpoint::new(ORIGIN, size, cosignature.root).unwrap().to_text();
            let lines = vec![self.keys.log.sign(&text).unwrap(), cosignature.line.clone()];
            stage.place.write(name, Note::new(&text, lines).unwrap().encode());
        }
        // Each made the same of it by itself.
        let kept = format!("evidence/double-signature-supplier-{size}.evidence");
        let said = format!("VALID    evidence: supplier signed two heads of size {size}");
        stage.tells_offline(&[Party::Grid, Party::Bank], &kept, 0, &said);
        stage.place.expect(0, "tallywatt chain evidence one other --output twice.evidence");
        let ran = stage.place.expect(0, "tallywatt verify twice.evidence --policy policy");
        assert!(ran.out.contains("supplier signed two heads of size"), "{}", ran.out);
    }
}

/// The first value that differs, as the others find it in the file of a lie, where the file shows one.
fn value_of(lie: &str) -> Option<&'static str> {
    match lie {
        "bill" => Some("differs first here: bill of account A-1, 2026-04, line 1: computed "),
        "split" => Some("differs first here: no payment is split otherwise"),
        _ => None,
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
