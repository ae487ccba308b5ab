//! Batch files: one form, the same bytes into memory and into a file, every damage found and named.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use std::fs;
use std::sync::OnceLock;

use tallywatt_core::meter_event::MeterEvent;
use tallywatt_core::reading::Issued;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::meter_event_bytes::encode_events;
use tallywatt_ledger::seal::{SealError, SealKind, SealedTree, partition_of, seal_order};
use tallywatt_ledger::tree::{Root, verify_path};
use tallywatt_shards::batch_file::places::{self, places};
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::batch_file::writer::BatchWriter;
use tallywatt_shards::batch_file::{self, BatchFileError, FOOTER_SIZE, HASH_SIZE, HEADER_SIZE};
use tallywatt_shards::threads::Threads;
use town::{Random, household_day};

const ENTRY_SIZE: usize = 88;
const SUMMARY_SIZE: usize = 203;

fn secret() -> BlindingSecret {
    BlindingSecret::new([9; 32])
}

fn threads() -> Threads {
    static THREADS: OnceLock<Threads> = OnceLock::new();
    THREADS.get_or_init(|| Threads::new(2).unwrap()).clone()
}

/// Both registers of some usage points over some days of March, in seal order.
fn leaves(kind: SealKind, point_count: usize, day_count: u32) -> Vec<DayLeaf> {
    let (mut random, mut leaves) = (Random(15), Vec::new());
    for point in 0..point_count {
        for register in [Register::IMPORT, Register::total(Flow::Export, 0)] {
            for day in 1..=day_count {
                let block = household_day(point, register, &format!("2026-03-{day:02}"), &mut random);
                leaves.push(match kind {
                    SealKind::Batch => {
                        DayLeaf::batch(block, u8::try_from(random.below(3)).unwrap(), &secret())
                    }
                    SealKind::Period => DayLeaf::period(block, &secret()),
                });
            }
        }
    }
    leaves.sort_by_key(|leaf| seal_order(&leaf.block().key()));
    leaves
}

fn encode(kind: SealKind, leaves: &[DayLeaf]) -> Vec<u8> {
    batch_file::encode(kind, 17, leaves, &secret(), &threads()).unwrap().0
}

fn decode(bytes: &[u8]) -> Result<Vec<DayLeaf>, BatchFileError> {
    batch_file::decode(bytes, &secret(), &threads()).map(|file| file.leaves)
}

/// With the hash at the end made right again: what a liar writes, not what a disk spoils.
fn rehashed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - HASH_SIZE;
    let hash = content_hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&hash.0);
    bytes
}

#[test]
fn files_hold_what_the_naive_way_seals() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [SealKind::Batch, SealKind::Period] {
        for (point_count, day_count) in [(0, 0), (1, 1), (3, 31), (300, 2), (1, 31)] {
            let leaves = leaves(kind, point_count, day_count);
            let naive = SealedTree::seal(kind, &leaves).unwrap();
            let bytes = encode(kind, &leaves);
            let path = folder.path().join("file");
            let (hash, sealed) =
                batch_file::write(&path, kind, 17, &leaves, &secret(), &Threads::new(1).unwrap()).unwrap();
            assert_eq!((hash, sealed), (content_hash(&bytes), naive.sealed()));
            assert_eq!(fs::read(&path).unwrap(), bytes);
            let read = batch_file::read(&path, &secret(), &threads()).unwrap();
            assert_eq!((read.kind, read.sequence, read.sealed), (kind, 17, naive.sealed()));
            assert_eq!(read.leaves, leaves);

            for reader in [BatchReader::of(&bytes).unwrap(), BatchReader::open(&path).unwrap()] {
                assert_eq!(reader.sealed(), naive.sealed());
                assert_eq!(reader.verify_all(&secret(), &threads()).unwrap(), naive.sealed());
                for leaf in leaves.iter().step_by(7) {
                    let key = leaf.block().key();
                    let (proved, proof) = reader.prove(&key, &secret()).unwrap().unwrap();
                    assert_eq!((&proved, Some(&proof)), (leaf, naive.prove(&key).as_ref()));
                    let root = Root { hash: proof.summary.root.hash, count: proof.summary.root.count };
                    let tree = kind.partition_tree();
                    assert_eq!(verify_path(tree, &proved.hash(), proof.index, &proof.path, &root), Ok(()));
                    assert_eq!(reader.find(&key, &secret()).unwrap().as_ref(), Some(leaf));
                    let mut absent = key;
                    absent.register.zone = 1;
                    assert_eq!(reader.find(&absent, &secret()).unwrap(), None);
                    assert_eq!(reader.prove(&absent, &secret()).unwrap(), None);
                }
            }
            let (places, damage) = places(kind, &bytes);
            assert!(damage.is_none());
            assert!(places.iter().map(|place| place.leaf.block()).eq(leaves.iter().map(DayLeaf::block)));
        }
    }
}

/// Two usage points of one partition, so that there is a whole pack and a part of one, and a third elsewhere.
fn small() -> (Vec<DayLeaf>, Vec<u8>) {
    let all = leaves(SealKind::Batch, 400, 1);
    let partition = partition_of(&all[0].block().key().usage_point);
    let (mut random, mut own) = (Random(5), Vec::new());
    for day in 1..=31 {
        for leaf in [&all[0], &all[1], all.last().unwrap()] {
            let key = leaf.block().key();
            let point = key.usage_point.to_string()[3..].parse().unwrap();
            let block = household_day(point, key.register, &format!("2026-03-{day:02}"), &mut random);
            own.push(DayLeaf::batch(block, 0, &secret()));
        }
    }
    own.push(
        all.iter().rfind(|leaf| partition_of(&leaf.block().key().usage_point) == partition).unwrap().clone(),
    );
    own.sort_by_key(|leaf| seal_order(&leaf.block().key()));
    own.dedup_by_key(|leaf| leaf.block().key());
    let bytes = encode(SealKind::Batch, &own);
    (own, bytes)
}

/// What may be wrong where a byte was flipped.
fn is_named(error: &BatchFileError, at: usize, bytes: &[u8]) -> bool {
    let reader = BatchReader::of(bytes).unwrap();
    let index_at = bytes.len()
        - FOOTER_SIZE
        - (0..=255).filter(|partition| reader.summary(*partition).root.count > 0).count() * SUMMARY_SIZE
        - reader.pack_count() * ENTRY_SIZE;
    let packs_end = index_at + reader.pack_count() * ENTRY_SIZE;
    let pack_at = |pack: usize| usize::try_from(reader.entry(pack).offset).unwrap();
    let own_pack = |at: usize| (0..reader.pack_count()).rfind(|pack| pack_at(*pack) <= at).unwrap();
    match at {
        _ if at < HEADER_SIZE => match error {
            BatchFileError::Header(_) | BatchFileError::Hash { .. } => true,
            // Another kind: no tree has that root.
            BatchFileError::Root => at == 9,
            _ => false,
        },
        _ if at < index_at => match error {
            BatchFileError::Pack { pack, .. }
            | BatchFileError::Leaf { pack, .. }
            | BatchFileError::Order { pack, .. }
            | BatchFileError::Place { pack, .. }
            | BatchFileError::First { pack }
            | BatchFileError::Top { pack, .. } => *pack == own_pack(at),
            _ => false,
        },
        _ if at < packs_end => match error {
            BatchFileError::First { pack } | BatchFileError::Top { pack, .. } => {
                *pack == (at - index_at) / ENTRY_SIZE
            }
            BatchFileError::Offset { pack } => pack.abs_diff((at - index_at) / ENTRY_SIZE) <= 1,
            // Packs that are cut elsewhere cannot be read.
            BatchFileError::Pack { pack, .. } => pack.abs_diff((at - index_at) / ENTRY_SIZE) <= 1,
            _ => false,
        },
        _ if at < bytes.len() - FOOTER_SIZE => {
            matches!(
                error,
                BatchFileError::SummaryBytes { .. } | BatchFileError::Summary { .. } | BatchFileError::Root
            ) || matches!(error, BatchFileError::Footer(_))
        }
        _ => matches!(error, BatchFileError::Footer(_) | BatchFileError::Root | BatchFileError::Hash { .. }),
    }
}

#[test]
fn every_flipped_byte_is_found_and_named() {
    let (_, bytes) = small();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let one = Threads::new(1).unwrap();
    for at in 0..bytes.len() {
        let mut image = bytes.clone();
        image[at] ^= 1 << (at % 8);
        let error = decode(&image).unwrap_err();
        assert!(is_named(&error, at, &bytes), "byte {at} of {}: {error}", bytes.len());
        if at % 97 == 0 {
            fs::write(&path, &image).unwrap();
            let checked = BatchReader::open(&path).and_then(|reader| reader.verify_all(&secret(), &one));
            assert_eq!(checked.unwrap_err().to_string(), error.to_string(), "byte {at}");
        }
        // A liar makes the hash at the end right again. Nothing but the sequence number can be another then.
        if at < bytes.len() - HASH_SIZE {
            assert_eq!(decode(&rehashed(image)).is_ok(), (16..24).contains(&at), "byte {at}");
        }
    }
}

#[test]
fn every_cut_is_refused() {
    let (_, bytes) = small();
    for size in 0..bytes.len() {
        assert!(decode(&bytes[..size]).is_err(), "cut to {size}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(decode(&longer).is_err());
}

#[test]
fn files_that_are_refused() {
    let (own, bytes) = small();
    let edited = |at: usize, with: &[u8]| {
        let mut image = bytes.clone();
        image[at..at + with.len()].copy_from_slice(with);
        rehashed(image)
    };
    let footer = bytes.len() - FOOTER_SIZE;
    let huge = u64::MAX.to_le_bytes();
    let large = (1_u64 << 32).to_le_bytes();
    let text = |name: &str, at: usize| format!("`{name}` at {at} holds a value that is not allowed");
    let table = [
        (edited(0, b"X"), format!("batch file header: {}", text("magic", 0))),
        (edited(8, &[1]), format!("batch file header: {}", text("version", 8))),
        (edited(9, &[3]), format!("batch file header: {}", text("kind", 9))),
        (edited(12, &[1]), format!("batch file header: {}", text("zero", 10))),
        (edited(63, &[1]), format!("batch file header: {}", text("zero", 24))),
        // Counts that nothing is allocated for.
        (edited(footer, &huge), format!("batch file footer: {}", text("index offset", 0))),
        (edited(footer, &large), format!("batch file footer: {}", text("index offset", 0))),
        (edited(footer + 8, &huge), format!("batch file footer: {}", text("pack count", 8))),
        (edited(footer + 8, &large), format!("batch file footer: {}", text("pack count", 8))),
        (edited(footer + 16, &huge), format!("batch file footer: {}", text("partition count", 16))),
        (edited(footer - SUMMARY_SIZE + 2, &[0]), "summary 1 of a batch file: `partition` at 2".to_owned()),
        (
            edited(footer - SUMMARY_SIZE + 35, &[&huge[..], &huge[..]].concat()),
            "the packs of partition".to_owned(),
        ),
    ];
    for (image, want) in table {
        let error = decode(&image).unwrap_err().to_string();
        assert!(error.starts_with(&want), "{error}, not {want}");
    }
    let other = batch_file::decode(&bytes, &BlindingSecret::new([8; 32]), &threads()).unwrap_err();
    assert!(matches!(other, BatchFileError::Top { pack: 0, .. }), "another secret: {other}");

    let mut backwards = own.clone();
    backwards.reverse();
    let got = batch_file::encode(SealKind::Batch, 1, &backwards, &secret(), &threads());
    assert!(matches!(got, Err(BatchFileError::Seal(_))));
    let got = batch_file::encode(SealKind::Period, 1, &own, &secret(), &threads());
    assert!(matches!(got, Err(BatchFileError::Seal(SealError::Place { .. }))));
}

#[test]
fn a_file_that_is_not_ended_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    drop(BatchWriter::create(&path, SealKind::Batch, 1).unwrap());
    assert!(!path.exists());
    let (hash, sealed) = BatchWriter::create(&path, SealKind::Batch, 17).unwrap().finish_durably().unwrap();
    assert_eq!(hash, content_hash(&encode(SealKind::Batch, &[])));
    assert_eq!(sealed, SealedTree::seal(SealKind::Batch, &[]).unwrap().sealed());
}

/// What stands beside the leaves comes back; every flip is found, also by a liar who mends the hash, unless it is another
/// sound set.
#[test]
fn events_stand_beside_the_leaves() {
    let leaves = leaves(SealKind::Batch, 1, 1);
    let events: Vec<MeterEvent> =
        leaves.iter().map(|leaf| MeterEvent::Stamp { key: leaf.block().key(), issued: Issued(5) }).collect();
    let with = |leaves: &[DayLeaf], events: &[MeterEvent]| {
        batch_file::encode_with(SealKind::Batch, 17, (leaves, events), &secret(), &threads()).unwrap()
    };
    let (bytes, sealed) = with(&leaves, &events);
    let (plain, plain_sealed) = with(&leaves, &[]);
    assert_eq!(
        (plain, plain_sealed),
        (encode(SealKind::Batch, &leaves), sealed),
        "the root is of the leaves"
    );
    let read = |bytes: &[u8]| batch_file::decode(bytes, &secret(), &threads()).map(|file| file.events);
    assert_eq!(read(&bytes).unwrap(), events);
    assert_eq!(places::events(&bytes).unwrap(), events);
    assert_eq!(read(&with(&[], &events).0).unwrap(), events, "no leaf at all");
    let reader = BatchReader::of(&bytes).unwrap();
    reader.verify_all(&secret(), &threads()).unwrap();
    let start = bytes.len() - FOOTER_SIZE - encode_events(&events).len();
    for at in start..bytes.len() - FOOTER_SIZE {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        assert!(read(&bent).is_err(), "byte {at}");
        if let Ok(other) = read(&rehashed(bent.clone())) {
            assert_eq!(with(&leaves, &other).0, rehashed(bent), "byte {at}");
            assert_ne!(other, events, "byte {at}");
        }
    }
    // The version says whether there are some.
    for version in [1, 2, 4] {
        let mut other = bytes.clone();
        other[8] = version;
        assert!(read(&rehashed(other)).is_err(), "version {version}");
    }
    let mut other = encode(SealKind::Batch, &leaves);
    other[8] = 3;
    assert!(read(&rehashed(other)).is_err(), "a place for events and none");
}
