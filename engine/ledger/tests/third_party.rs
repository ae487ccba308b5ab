//! The log, its proofs, its heads and its tiles against the crates of others: what each makes, the other takes.
//!
//! `ct-merkle` (trees and proofs), `signed_note` (notes), `tlog_tiles` (checkpoints and tiled logs): none of them is built into anything here.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::Sha256;
use signed_note::{Signer, StandardSigner, StandardVerifier, Verifier, VerifierList};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::key::{Cosigner, LogSigner, VerifierKey};
use tallywatt_ledger::log::{Log, LogHash, leaf_hash, verify_consistency, verify_inclusion};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::tiles::{ENTRY_SIZE_MAX, TILE_WIDTH, Tile, TileError, entry_bundle, tiles};
use tallywatt_ledger::witness::{AddCheckpoint, WatchedLog, Witness};
use tlog_tiles::{TileHashReader, TileReader};

const ORIGIN: &str = "tallywatt.example/region-66";
const LOG_SEED: [u8; 32] = [1; 32];
const WITNESS_SEED: [u8; 32] = [2; 32];
const TIME_UNIX_S: u64 = 1_795_000_000;

fn leaf(index: u64) -> Vec<u8> {
    format!("block {index}").into_bytes()
}

fn log_of(size: u64) -> Log {
    let mut log = Log::new();
    for index in 0..size {
        log.append(leaf_hash(&leaf(index))).unwrap();
    }
    log
}

fn digests(hashes: &[LogHash]) -> Vec<sha2::digest::Output<Sha256>> {
    hashes.iter().map(|hash| (*hash.as_bytes()).into()).collect()
}

fn hashes(bytes: &[u8]) -> Vec<LogHash> {
    bytes.as_chunks::<32>().0.iter().map(|bytes| LogHash::from_bytes(*bytes)).collect()
}

#[test]
fn ct_merkle_and_the_log_take_each_others_proofs() {
    const SIZE_MAX: u64 = 70;
    let log = log_of(SIZE_MAX);
    let mut theirs: MemoryBackedTree<Sha256, Vec<u8>> = MemoryBackedTree::new();
    let root = |size: u64| RootHash::<Sha256>::new((*log.root_at(size).unwrap().as_bytes()).into(), size);
    let (mut inclusion_count, mut consistency_count) = (0, 0);
    for size in 1..=SIZE_MAX {
        theirs.push(leaf(size - 1));
        assert_eq!(theirs.root(), root(size), "root of {size}");
        for index in 0..size {
            let own = log.prove_inclusion(index, size).unwrap();
            let proof = InclusionProof::from_digests(&digests(&own));
            root(size).verify_inclusion(&leaf(index), index, &proof).unwrap();
            assert!(root(size).verify_inclusion(&leaf(index + 1), index, &proof).is_err());
            let proof = theirs.prove_inclusion(usize::try_from(index).unwrap());
            let path = hashes(proof.as_bytes());
            let named = log.root_at(size).unwrap();
            assert_eq!(verify_inclusion(leaf_hash(&leaf(index)), index, size, &path, named), Ok(()));
            inclusion_count += 1;
        }
        for old in 1..=size {
            let own = log.prove_consistency(old, size).unwrap();
            let proof = ConsistencyProof::from_digests(&digests(&own));
            root(size).verify_consistency(&root(old), &proof).unwrap();
            let proof = theirs.prove_consistency(usize::try_from(size - old).unwrap());
            let (before, after) = (log.root_at(old).unwrap(), log.root_at(size).unwrap());
            assert_eq!(verify_consistency(old, size, &hashes(proof.as_bytes()), before, after), Ok(()));
            consistency_count += 1;
        }
    }
    assert_eq!((inclusion_count, consistency_count), (2_485, 2_485));
}

/// Another author's signer for an Ed25519 seed; `skey` as in their crate.
fn their_signer(key: &VerifierKey, name: &str, seed: &[u8; 32]) -> StandardSigner {
    let public = [&[1], key.public_key().as_slice()].concat();
    let id = signed_note::key_id(name, &public);
    let code = STANDARD.encode([&[1], seed.as_slice()].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id:08x}+{code}")).unwrap()
}

/// A cosignature over their signer and verifier: they know log keys alone. Source: C2SP tlog-cosignature.
struct TheirCosigner {
    name: String,
    id: u32,
    signer: StandardSigner,
    verifier: StandardVerifier,
}

impl TheirCosigner {
    fn new(key: &VerifierKey, seed: &[u8; 32]) -> Self {
        let (name, public) = (key.name().to_owned(), key.public_key());
        let id = signed_note::key_id(&name, &[&[4], public.as_slice()].concat());
        let log_id = signed_note::key_id(&name, &[&[1], public.as_slice()].concat());
        let code = STANDARD.encode([&[1], public.as_slice()].concat());
        let verifier = StandardVerifier::new(&format!("{name}+{log_id:08x}+{code}")).unwrap();
        Self { signer: their_signer(key, &name, seed), name, id, verifier }
    }

    fn sign(&self, text: &str) -> signed_note::Signature {
        let signature = self.signer.sign(&Self::message(TIME_UNIX_S, text.as_bytes())).unwrap();
        let timed = [TIME_UNIX_S.to_be_bytes().as_slice(), &signature].concat();
        signed_note::Signature::new(self.name.clone(), self.id, timed).unwrap()
    }

    fn message(time: u64, text: &[u8]) -> Vec<u8> {
        [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat()
    }
}

impl Verifier for TheirCosigner {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk() else { return false };
        self.verifier.verify(&Self::message(u64::from_be_bytes(*time), text), signature)
    }
}

#[test]
fn signed_note_and_the_note_take_each_others_signatures() {
    let log = LogSigner::from_seed(ORIGIN, &LOG_SEED).unwrap();
    let bank = Cosigner::from_seed("bank.example", &WITNESS_SEED).unwrap();
    let head = Checkpoint::new(ORIGIN, 9, log_of(9).root()).unwrap();
    let text = head.to_text();
    let lines = vec![log.sign(&text).unwrap(), bank.sign_cosignature(&text, TIME_UNIX_S).unwrap()];
    let own = Note::new(&text, lines).unwrap().encode();

    // Theirs of the same keys are the very same bytes.
    let cosignature = TheirCosigner::new(bank.verifier_key(), &WITNESS_SEED).sign(&text);
    let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
    theirs.add_sigs(&[&their_signer(log.verifier_key(), ORIGIN, &LOG_SEED)]).unwrap();
    let theirs = [theirs.to_bytes(), cosignature.to_bytes()].concat();
    assert_eq!(String::from_utf8(theirs.clone()).unwrap(), own);
    let keys = [log.verifier_key().clone()];
    let policy = Policy::parties(&keys, &[("bank".into(), bank.verifier_key().clone())], 1).unwrap();
    let note = Note::parse(std::str::from_utf8(&theirs).unwrap()).unwrap();
    assert_eq!(policy.evaluate(&note).unwrap().accepted(), Some(&head));

    // Ours, read and checked by them; a flipped bit anywhere is refused or names another key.
    let log_verifier = StandardVerifier::new(&log.verifier_key().to_string()).unwrap();
    let known = || {
        VerifierList::new(vec![Box::new(log_verifier.clone()), {
            Box::new(TheirCosigner::new(bank.verifier_key(), &WITNESS_SEED))
        }])
    };
    let verified = |bytes: &[u8]| -> usize {
        let note = signed_note::Note::from_bytes(bytes);
        note.ok().and_then(|note| note.verify(&known()).ok()).map_or(0, |(verified, _)| verified.len())
    };
    assert_eq!(verified(own.as_bytes()), 2);
    for at in 0..own.len() {
        let mut bent = own.clone().into_bytes();
        bent[at] ^= 1;
        assert!(verified(&bent) < 2, "byte {at} of a note");
        let ours = std::str::from_utf8(&bent).ok().and_then(|text| Note::parse(text).ok());
        let holds = ours
            .and_then(|note| policy.evaluate(&note).ok())
            .is_some_and(|verdict| verdict.unknown.is_empty());
        assert!(!holds, "byte {at} of a note");
    }
}

/// What a witness answers is, behind the head it was asked for, a note that they take; the proof it was asked with is theirs too.
#[test]
fn signed_note_takes_the_line_of_a_witness() {
    const LAST: u64 = 40;
    let (log, grows) = (LogSigner::from_seed(ORIGIN, &LOG_SEED).unwrap(), log_of(LAST));
    let mut witness = Witness::new(Cosigner::from_seed("regulator.example", &WITNESS_SEED).unwrap());
    witness.watch(WatchedLog::of_keys(vec![log.verifier_key().clone()]).unwrap(), None).unwrap();
    let root = |size: u64| RootHash::<Sha256>::new((*grows.root_at(size).unwrap().as_bytes()).into(), size);
    let mut old_size = 0;
    for size in [1, 2, 7, 8, 33, LAST] {
        let text = Checkpoint::new(ORIGIN, size, grows.root_at(size).unwrap()).unwrap().to_text();
        let note = Note::new(&text, vec![log.sign(&text).unwrap()]).unwrap();
        let proof = if old_size == 0 { Vec::new() } else { grows.prove_consistency(old_size, size).unwrap() };
        let request = AddCheckpoint { old_size, proof, note }.encode();
        let request = AddCheckpoint::parse(&request).unwrap();
        if old_size > 0 {
            let theirs = ConsistencyProof::from_digests(&digests(&request.proof));
            root(size).verify_consistency(&root(old_size), &theirs).unwrap();
        }
        let head = witness.check(&request).unwrap();
        let line = witness.cosign(head, TIME_UNIX_S + size).unwrap();
        let own = VerifierKey::parse(&witness.verifier_key().to_string()).unwrap();
        let known = VerifierList::new(vec![
            Box::new(StandardVerifier::new(&log.verifier_key().to_string()).unwrap()),
            Box::new(TheirCosigner::new(&own, &WITNESS_SEED)),
        ]);
        let answered = request.note.encode() + &line.encode();
        let (verified, unknown) =
            signed_note::Note::from_bytes(answered.as_bytes()).unwrap().verify(&known).unwrap();
        assert_eq!((verified.len(), unknown.len()), (2, 0), "size {size}");
        // Under another head the line is nobody's.
        let bent = answered.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
        assert!(signed_note::Note::from_bytes(bent.as_bytes()).unwrap().verify(&known).is_err());
        old_size = size;
    }
}

#[test]
fn tlog_tiles_and_the_checkpoint_read_each_other() {
    for size in [0, 1, 2, 255, 256, 70_000] {
        let head = Checkpoint::new(ORIGIN, size, log_of(size).root()).unwrap();
        let theirs = tlog_tiles::Checkpoint::from_bytes(head.to_text().as_bytes()).unwrap();
        assert_eq!((theirs.origin(), theirs.size(), theirs.extension()), (ORIGIN, size, ""));
        assert_eq!(theirs.hash().0, *head.root().as_bytes());
        assert_eq!(Checkpoint::parse(std::str::from_utf8(&theirs.to_bytes()).unwrap()), Ok(head));
    }
}

/// A served folder: what a client may fetch, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Served(BTreeMap<String, Vec<u8>>);

impl Served {
    fn grow(&mut self, log: &Log, old: u64, new: u64) {
        for tile in tiles(old, new) {
            self.add(tile.path(), tile.bytes(log).unwrap());
            if let (Some(path), Some(leaves)) = (tile.entries_path(), tile.leaves()) {
                let entries: Vec<Vec<u8>> = leaves.map(leaf).collect();
                self.add(path, entry_bundle(&tile, &entries).unwrap());
            }
        }
    }

    fn add(&mut self, path: String, bytes: Vec<u8>) {
        let before = self.0.insert(path.clone(), bytes);
        assert_eq!(before, None, "{path} is written once");
    }
}

/// Their client of a tiled log, over nothing but the served files.
struct Client<'a> {
    served: &'a Served,
    fetched: RefCell<BTreeSet<String>>,
}

impl TileReader for Client<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let fetch = |tile: &tlog_tiles::Tile| {
            // Their paths are those of Go's checksum database: the height stands in them.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            self.fetched.borrow_mut().insert(path.clone());
            self.served.0.get(&path).cloned().ok_or(tlog_tiles::Error::InvalidTile)
        };
        tiles.iter().map(fetch).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn their_hash(hash: LogHash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

#[test]
fn tlog_tiles_reads_the_log_from_its_tiles_alone() {
    const SIZES: [u64; 12] = [1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 65_536, 70_000];
    let log = log_of(70_000);
    let (mut served, mut size) = (Served::default(), 0);
    for next in SIZES {
        let before = served.clone();
        served.grow(&log, size, next);
        assert!(
            before.0.iter().all(|(path, bytes)| served.0[path] == *bytes),
            "nothing that was there is another"
        );
        let mut at_once = Served::default();
        at_once.grow(&log, 0, next);
        assert!(
            at_once.0.iter().all(|(path, bytes)| served.0[path] == *bytes),
            "growing gives what writing at once gives"
        );
        let root = log.root_at(next).unwrap();
        let client = Client { served: &served, fetched: RefCell::default() };
        let reader = TileHashReader::new(next, their_hash(root), &client);
        assert_eq!(tlog_tiles::tree_hash(next, &reader).unwrap(), their_hash(root), "{next}");
        for index in [0, next / 2, next - 1] {
            let proof = tlog_tiles::prove_record(next, index, &reader).unwrap();
            let own: Vec<LogHash> = proof.iter().map(|hash| LogHash::from_bytes(hash.0)).collect();
            assert_eq!(own, log.prove_inclusion(index, next).unwrap(), "leaf {index} of {next}");
            tlog_tiles::check_record(
                &proof,
                next,
                their_hash(root),
                index,
                tlog_tiles::record_hash(&leaf(index)),
            )
            .unwrap();
        }
        if size > 0 {
            let proof = tlog_tiles::prove_tree(next, size, &reader).unwrap();
            let own: Vec<LogHash> = proof.iter().map(|hash| LogHash::from_bytes(hash.0)).collect();
            let old_root = log.root_at(size).unwrap();
            assert_eq!(verify_consistency(size, next, &own, old_root, root), Ok(()), "{size} in {next}");
        }
        assert!(client.fetched.borrow().len() <= 9, "a few tiles are enough: {:?}", client.fetched.borrow());
        size = next;
    }
}

/// A proof read from bent tiles leads to no signed head. That the reader itself refuses a tile is not asked for: `tlog_tiles` 0.2.0 holds
/// a full tile against its parent only where more tiles are read than the head has subtrees.
#[test]
fn a_bent_tile_proves_nothing() {
    const SIZE: u64 = 700;
    let log = log_of(SIZE);
    let mut served = Served::default();
    served.grow(&log, 0, SIZE);
    let root = their_hash(log.root());
    let proven_count = |served: &Served| {
        let client = Client { served, fetched: RefCell::default() };
        let reader = TileHashReader::new(SIZE, root, &client);
        let is_proven = |index: &u64| {
            let proof = tlog_tiles::prove_record(SIZE, *index, &reader);
            let hash = tlog_tiles::record_hash(&leaf(*index));
            proof.is_ok_and(|proof| tlog_tiles::check_record(&proof, SIZE, root, *index, hash).is_ok())
        };
        (0..SIZE).filter(is_proven).count()
    };
    assert_eq!(proven_count(&served), 700);
    // With its last hash bent, a tile proves its last leaf alone, whose path has all the others; the top proves nothing.
    for (path, left) in
        [("tile/0/000", 445), ("tile/0/001", 445), ("tile/0/002.p/188", 0), ("tile/1/000.p/2", 0)]
    {
        let mut bent = served.clone();
        *bent.0.get_mut(path).unwrap().last_mut().unwrap() ^= 1;
        assert_eq!(proven_count(&bent), left, "{path}");
    }
}

/// The spec's own example, and the paths that it spells out.
#[test]
fn tiles_are_those_of_the_specification() {
    let all = tiles(0, 70_000);
    let count = |level: u32, width: u64| {
        all.iter().filter(|tile| (tile.level(), tile.width()) == (level, width)).count()
    };
    let expected = [(0, TILE_WIDTH, 273), (0, 112, 1), (1, TILE_WIDTH, 1), (1, 17, 1), (2, 1, 1)];
    for (level, width, tile_count) in expected {
        assert_eq!(count(level, width), tile_count, "level {level}, width {width}");
    }
    assert_eq!(all.len(), 277);
    let paths = |old, new| tiles(old, new).iter().map(Tile::path).collect::<Vec<_>>();
    let table: [(u64, u64, &[&str]); 8] = [
        (0, 0, &[]),
        (0, 1, &["tile/0/000.p/1"]),
        (0, 256, &["tile/0/000", "tile/1/000.p/1"]),
        (255, 256, &["tile/0/000", "tile/1/000.p/1"]),
        (256, 257, &["tile/0/001.p/1"]),
        (257, 257, &[]),
        (300, 200, &[]),
        (1_234_067 * 256, 1_234_067 * 256 + 8, &["tile/0/x001/x234/067.p/8"]),
    ];
    for (old, new, expected) in table {
        assert_eq!(paths(old, new), expected, "{old} to {new}");
    }
    assert!(tiles(u64::MAX, u64::MAX).is_empty() && tiles(1 << 40, u64::MAX).is_empty());
}

#[test]
fn bundles_are_entries_behind_their_sizes() {
    let tile = tiles(0, 2)[0];
    assert_eq!(tile.entries_path().unwrap(), "tile/entries/000.p/2");
    assert_eq!(entry_bundle(&tile, &[b"one".to_vec(), Vec::new()]), Ok(b"\0\x03one\0\0".to_vec()));
    let refused = entry_bundle(&tile, &[Vec::new()]);
    assert!(matches!(refused, Err(TileError::EntryCount { found: 1, expected: 2, .. })), "{refused:?}");
    let refused = entry_bundle(&tile, &[Vec::new(), vec![0; ENTRY_SIZE_MAX + 1]]);
    assert!(matches!(refused, Err(TileError::EntrySize { index: 1, bytes: 65_536, .. })), "{refused:?}");
    let refused = tile.bytes(&log_of(1));
    assert!(matches!(refused, Err(TileError::BeyondLog { .. })), "{refused:?}");
}
