//! A witness and its folder: what it stores before it signs, what it keeps of what it refuses, how it starts again.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::key::{LogSigner, VerifierKey};
use tallywatt_ledger::log::{Log, leaf_hash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::witness::{AddCheckpoint, WatchedLog};
use tallywatt_node::witness::folder::{WitnessFolder, WitnessFolderError, WitnessStartError};
use tallywatt_node::witness::server::{Answer, Service, Watch};
use tempfile::TempDir;

const ORIGIN: &str = "tallywatt.test/witnessed";
const TIME_UNIX_S: u64 = 1_795_000_000;

fn signer() -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[1; 32]).unwrap()
}

/// A log whose leaves differ from another's from leaf `fork` on.
fn log(size: u64, fork: u64) -> Log {
    let mut log = Log::new();
    for at in 0..size {
        log.append(leaf_hash(&[&at.to_le_bytes()[..], &[u8::from(at >= fork)]].concat())).unwrap();
    }
    log
}

fn note(log: &Log, size: u64) -> Note {
    let text = Checkpoint::new(ORIGIN, size, log.root_at(size).unwrap()).unwrap().to_text();
    let line = signer().sign(&text).unwrap();
    Note::new(&text, vec![line]).unwrap()
}

fn asked(log: &Log, old_size: u64, size: u64) -> Vec<u8> {
    let proof = if old_size == 0 { Vec::new() } else { log.prove_consistency(old_size, size).unwrap() };
    AddCheckpoint { old_size, proof, note: note(log, size) }.encode().into_bytes()
}

struct Place {
    folder: TempDir,
    key: VerifierKey,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = WitnessFolder::create(folder.path(), "regulator.test").unwrap();
        Self { folder, key }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> Result<Service, WitnessStartError> {
        let logs = vec![Watch::Log(WatchedLog::of_keys(vec![signer().verifier_key().clone()]).unwrap())];
        Service::open(WitnessFolder::hold(self.path())?, logs, || TIME_UNIX_S, |_| {})
    }

    fn head(&self) -> PathBuf {
        let mut heads = fs::read_dir(self.path().join("heads")).unwrap();
        heads.next().unwrap().unwrap().path()
    }

    fn refused(&self) -> Vec<(String, String)> {
        let folders = fs::read_dir(self.path().join("refused")).unwrap();
        let text = |path: PathBuf| fs::read_to_string(path).unwrap();
        let pair = |path: PathBuf| (text(path.join("known.note")), text(path.join("refused.note")));
        folders.map(|entry| pair(entry.unwrap().path())).collect()
    }

    /// Whether an answer is a signature under this head.
    fn signed(&self, answer: &Answer, note: &Note) -> bool {
        let lines = Note::parse(&format!("{}\n{}", note.text(), answer.body));
        let line = lines.ok().map(|note| note.signatures()[0].clone());
        answer.status == 200
            && line.is_some_and(|line| self.key.verify_cosignature(note.text(), &line) == Ok(TIME_UNIX_S))
    }
}

fn size_of(answer: &Answer) -> Option<&str> {
    let is_size = answer.status == 409 && answer.content_type == "text/x.tlog.size";
    is_size.then(|| answer.body.strip_suffix('\n')).flatten()
}

#[test]
fn what_was_signed_is_known_after_a_start() {
    let (place, honest) = (Place::new(), log(20, 20));
    let service = place.open().unwrap();
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 0, 7)), &note(&honest, 7)));
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 7, 9)), &note(&honest, 9)));
    assert!(matches!(place.open(), Err(WitnessStartError::Folder(WitnessFolderError::Locked(_)))));
    drop(service);
    let service = place.open().unwrap();
    for (old, size) in [(0, 7), (0, 20), (7, 9), (8, 8), (10, 20)] {
        let answer = service.add_checkpoint(&asked(&honest, old, size));
        assert_eq!(size_of(&answer), Some("9"), "old {old}, size {size}: {answer:?}");
    }
    // The same head again, and one after it.
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 9, 9)), &note(&honest, 9)));
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 9, 20)), &note(&honest, 20)));
    assert!(place.refused().is_empty());
}

/// A crash between the disk and the answer leaves a head without a signature: no other is signed in its place.
#[test]
fn a_head_is_durable_before_its_signature_leaves() {
    let (place, honest, forked) = (Place::new(), log(20, 20), log(20, 5));
    let folder = WitnessFolder::hold(place.path()).unwrap();
    folder.store_head(ORIGIN, &note(&honest, 7)).unwrap();
    drop(folder);
    let service = place.open().unwrap();
    assert_eq!(size_of(&service.add_checkpoint(&asked(&forked, 0, 7))), Some("7"));
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 7, 7)), &note(&honest, 7)));
    // What cannot be stored is not signed.
    let heads = place.path().join("heads");
    let head = place.head();
    fs::remove_file(&head).unwrap();
    fs::create_dir(&head).unwrap();
    let answer = service.add_checkpoint(&asked(&honest, 7, 9));
    assert_eq!((answer.status, answer.body.contains('\u{2014}')), (500, false), "{answer:?}");
    fs::remove_dir_all(heads).unwrap();
    drop(service);
    let error = place.open().unwrap_err().to_string();
    assert!(error.contains("is not known any more"), "{error}");
}

#[test]
fn a_fork_is_refused_and_both_notes_are_kept() {
    let (place, honest, forked) = (Place::new(), log(20, 20), log(20, 5));
    let service = place.open().unwrap();
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 0, 9)), &note(&honest, 9)));
    for _ in 0..2 {
        assert_eq!(size_of(&service.add_checkpoint(&asked(&forked, 9, 9))), Some("9"));
        assert_eq!(service.add_checkpoint(&asked(&forked, 9, 12)).status, 422);
    }
    let mut refused = place.refused();
    refused.sort();
    let known = note(&honest, 9).encode();
    let mut want = vec![(known.clone(), note(&forked, 9).encode()), (known, note(&forked, 12).encode())];
    want.sort();
    assert_eq!(refused, want, "each pair once");
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 9, 12)), &note(&honest, 12)));
}

/// Any flipped bit of the stored head is seen at the next start, or is in no signed byte.
#[test]
fn a_damaged_head_is_not_gone_on_from() {
    let (place, honest) = (Place::new(), log(9, 9));
    let service = place.open().unwrap();
    assert!(place.signed(&service.add_checkpoint(&asked(&honest, 0, 9)), &note(&honest, 9)));
    drop(service);
    let (path, sound) = (place.head(), fs::read(place.head()).unwrap());
    for at in 0..sound.len() {
        let mut bent = sound.clone();
        bent[at] ^= 1;
        fs::write(&path, &bent).unwrap();
        assert!(place.open().is_err(), "byte {at}");
    }
    fs::write(&path, &sound).unwrap();
    assert_eq!(size_of(&place.open().unwrap().add_checkpoint(&asked(&honest, 0, 9))), Some("9"));
}

#[test]
fn a_key_is_made_once() {
    let place = Place::new();
    let written = fs::read_to_string(place.path().join("witness.key")).unwrap();
    assert_eq!(written, format!("{}\n", place.key));
    assert!(WitnessFolder::create(place.path(), "regulator.test").is_err());
    assert!(WitnessFolder::create(&place.path().join("other"), "two words").is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(place.path().join("witness.seed")).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "only its owner reads the seed");
    }
    let other = Place::new();
    fs::copy(other.path().join("witness.key"), place.path().join("witness.key")).unwrap();
    assert!(place.open().unwrap_err().to_string().contains("not the key of the seed beside it"));
}
