//! The outer log against the definition in RFC 6962, against published vectors, and against every small mutation.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tallywatt_ledger::log::{
    LOG_SIZE_MAX, Log, LogError, LogHash, empty_root, leaf_hash, verify_consistency, verify_inclusion,
};

const SIZE_MAX: u64 = 64;
const VECTORS: &str = include_str!("golden/merkle_proofs.txt");

/// RFC 6962, section 2.1, word for word and slow: the oracle.
mod definition {
    use super::*;

    fn node(left: LogHash, right: LogHash) -> LogHash {
        let bytes = [&[1_u8][..], left.as_bytes(), right.as_bytes()].concat();
        LogHash::from_bytes(Sha256::digest(bytes).into())
    }

    fn split(count: usize) -> usize {
        let mut k = 1;
        while k * 2 < count {
            k *= 2;
        }
        k
    }

    pub fn root(leaves: &[LogHash]) -> LogHash {
        match leaves {
            [] => LogHash::from_bytes(Sha256::digest(b"").into()),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len()));
                node(root(left), root(right))
            }
        }
    }

    pub fn path(m: usize, leaves: &[LogHash]) -> Vec<LogHash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut hashes, last) =
            if m < k { (path(m, left), root(right)) } else { (path(m - k, right), root(left)) };
        hashes.push(last);
        hashes
    }

    pub fn subproof(m: usize, leaves: &[LogHash], whole: bool) -> Vec<LogHash> {
        if m == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let k = split(leaves.len());
        let (left, right) = leaves.split_at(k);
        let (mut hashes, last) = if m <= k {
            (subproof(m, left, whole), root(right))
        } else {
            (subproof(m - k, right, false), root(left))
        };
        hashes.push(last);
        hashes
    }
}

fn sample() -> (Log, Vec<LogHash>) {
    let mut log = Log::new();
    let leaves: Vec<LogHash> = (0..SIZE_MAX).map(|index| leaf_hash(&index.to_be_bytes())).collect();
    for (index, leaf) in (0..).zip(&leaves) {
        assert_eq!(log.append(*leaf), Ok(index));
        assert_eq!(log.leaf(index), Some(*leaf));
    }
    (log, leaves)
}

fn first(leaves: &[LogHash], size: u64) -> &[LogHash] {
    &leaves[..usize::try_from(size).unwrap()]
}

/// Every proof near this one: a bit of each hash, a hash less, a hash more, neighbours swapped.
fn mutations(proof: &[LogHash]) -> Vec<Vec<LogHash>> {
    let mut out = Vec::new();
    for place in 0..proof.len() {
        for bit in [0, 77, 255] {
            let mut bytes = *proof[place].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let mut changed = proof.to_vec();
            changed[place] = LogHash::from_bytes(bytes);
            out.push(changed);
        }
        let mut dropped = proof.to_vec();
        dropped.remove(place);
        out.push(dropped);
        if place > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(place - 1, place);
            out.push(swapped);
        }
    }
    for place in 0..=proof.len() {
        for added in [leaf_hash(b"added"), *proof.get(place).unwrap_or(&empty_root())] {
            let mut longer = proof.to_vec();
            longer.insert(place, added);
            out.push(longer);
        }
    }
    out
}

#[test]
fn roots_follow_the_definition() {
    let (log, leaves) = sample();
    for size in 0..=SIZE_MAX {
        assert_eq!(log.root_at(size), Ok(definition::root(first(&leaves, size))), "size {size}");
    }
    assert_eq!(log.root(), definition::root(&leaves));
    assert_eq!(Log::new().root(), empty_root());
    assert_eq!(log.leaf(SIZE_MAX), None);
}

#[test]
fn every_inclusion_verifies_and_every_mutation_is_refused() {
    let (log, leaves) = sample();
    for size in 1..=SIZE_MAX {
        let root = log.root_at(size).unwrap();
        for index in 0..size {
            let place = usize::try_from(index).unwrap();
            let leaf = leaves[place];
            let path = log.prove_inclusion(index, size).unwrap();
            assert_eq!(path, definition::path(place, first(&leaves, size)), "index {index} size {size}");
            assert_eq!(verify_inclusion(leaf, index, size, &path, root), Ok(()), "index {index} size {size}");

            for changed in mutations(&path) {
                assert!(
                    verify_inclusion(leaf, index, size, &changed, root).is_err(),
                    "index {index} size {size}: {changed:?}"
                );
            }
            for other_index in [index.wrapping_sub(1), index + 1] {
                assert!(
                    verify_inclusion(leaf, other_index, size, &path, root).is_err(),
                    "{other_index} of {size}"
                );
            }
            for other_size in [size - 1, size + 1] {
                // Some paths have one shape at both sizes: only the root, signed with its size, tells them apart.
                let Ok(other_root) = log.root_at(other_size) else {
                    continue;
                };
                assert!(verify_inclusion(leaf, index, other_size, &path, other_root).is_err());
                if log.prove_inclusion(index, other_size).map(|other| other.len()) != Ok(path.len()) {
                    assert!(verify_inclusion(leaf, index, other_size, &path, root).is_err());
                }
            }
            assert!(verify_inclusion(leaf_hash(b"other"), index, size, &path, root).is_err());
            assert!(verify_inclusion(leaf, index, size, &path, leaf_hash(b"other")).is_err());
        }
    }
}

#[test]
fn every_consistency_verifies_and_every_mutation_is_refused() {
    let (log, leaves) = sample();
    for new_size in 1..=SIZE_MAX {
        let new_root = log.root_at(new_size).unwrap();
        for old_size in 1..=new_size {
            let old_root = log.root_at(old_size).unwrap();
            let proof = log.prove_consistency(old_size, new_size).unwrap();
            let oracle =
                definition::subproof(usize::try_from(old_size).unwrap(), first(&leaves, new_size), true);
            assert_eq!(proof, oracle, "{old_size} to {new_size}");
            assert_eq!(
                verify_consistency(old_size, new_size, &proof, old_root, new_root),
                Ok(()),
                "{old_size} to {new_size}"
            );

            for changed in mutations(&proof) {
                let verdict = verify_consistency(old_size, new_size, &changed, old_root, new_root);
                assert!(verdict.is_err(), "{old_size} to {new_size}: {changed:?}");
            }
            for (old, new) in [(old_root, leaf_hash(b"other")), (leaf_hash(b"other"), new_root)] {
                assert!(verify_consistency(old_size, new_size, &proof, old, new).is_err());
            }
            if old_size < new_size {
                assert!(verify_consistency(old_size, new_size, &proof, new_root, old_root).is_err());
                assert!(verify_consistency(old_size + 1, new_size, &proof, old_root, new_root).is_err());
                assert!(verify_consistency(old_size - 1, new_size, &proof, old_root, new_root).is_err());
            }
        }
    }
}

#[test]
fn impossible_questions_are_refused() {
    let (log, _) = sample();
    let hash = leaf_hash(b"x");
    let above = LOG_SIZE_MAX + 1;
    let cases: [(&str, Result<(), LogError>, LogError); 12] = [
        ("root beyond", log.root_at(65).map(drop), LogError::SizeBeyondLog { size: 65, have: 64 }),
        ("path beyond", log.prove_inclusion(0, 65).map(drop), LogError::SizeBeyondLog { size: 65, have: 64 }),
        ("index at size", log.prove_inclusion(9, 9).map(drop), LogError::IndexOutside { index: 9, size: 9 }),
        ("empty tree", log.prove_inclusion(0, 0).map(drop), LogError::IndexOutside { index: 0, size: 0 }),
        ("from nothing", log.prove_consistency(0, 9).map(drop), LogError::OldTreeEmpty),
        (
            "swapped",
            log.prove_consistency(9, 8).map(drop),
            LogError::SizesSwapped { old_size: 9, new_size: 8 },
        ),
        ("beyond", log.prove_consistency(1, 65).map(drop), LogError::SizeBeyondLog { size: 65, have: 64 }),
        ("size limit", verify_inclusion(hash, 0, above, &[], hash), LogError::SizeAboveLimit { size: above }),
        (
            "size max",
            verify_inclusion(hash, 0, u64::MAX, &[], hash),
            LogError::SizeAboveLimit { size: u64::MAX },
        ),
        (
            "at limit",
            verify_inclusion(hash, 0, LOG_SIZE_MAX, &[], hash),
            LogError::ProofLength { found: 0, expected: 40 },
        ),
        (
            "new limit",
            verify_consistency(1, above, &[], hash, hash),
            LogError::SizeAboveLimit { size: above },
        ),
        (
            "longest",
            verify_consistency(LOG_SIZE_MAX - 1, LOG_SIZE_MAX, &[], hash, hash),
            LogError::ProofLength { found: 0, expected: 41 },
        ),
    ];
    for (name, found, expected) in cases {
        assert_eq!(found, Err(expected), "{name}");
    }
}

#[test]
fn hash_texts_have_one_form() {
    let hash = leaf_hash(b"x");
    let text = hash.to_string();
    assert_eq!(LogHash::from_base64(&text), Ok(hash));
    let bare = text.trim_end_matches('=').to_owned();
    // 32 bytes leave two bits of the last letter unused: they must be zero.
    let loose = format!("{}/=", &text[..42]);
    for wrong in ["", &bare, &loose, &format!("{text}\n"), &format!("{bare}A"), &text.replace('=', "-"), "é"]
    {
        assert!(LogHash::from_base64(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn published_vectors_agree() {
    let (mut holding_count, mut failing_count) = (0, 0);
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let [name, verdict, first, second, one, two, proof @ ..] = &line.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        let numbers = [first, second].map(|number| number.parse().unwrap());
        let holds = vector_holds(name, numbers, [one, two], proof);
        assert_eq!(if holds { "holds" } else { "fails" }, *verdict, "{name}");
        *(if holds { &mut holding_count } else { &mut failing_count }) += 1;
    }
    assert_eq!((holding_count, failing_count), (7, 91));
}

fn vector_holds(name: &str, [first, second]: [u64; 2], hashes: [&str; 2], proof: &[&str]) -> bool {
    // Some vectors hold hashes of other lengths than 32 bytes: those never reach the tree.
    let hash = |text: &&str| -> Option<LogHash> {
        Some(LogHash::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
    };
    let Some(proof) = proof.iter().map(hash).collect::<Option<Vec<_>>>() else { return false };
    let [Some(one), Some(two)] = hashes.map(|text| hash(&text)) else { return false };
    if name.starts_with("inclusion/") {
        verify_inclusion(one, first, second, &proof, two).is_ok()
    } else {
        verify_consistency(first, second, &proof, one, two).is_ok()
    }
}
