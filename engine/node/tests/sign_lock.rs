//! The sign lock on disk: cut anywhere and flipped anywhere it is the last lock, the one before, or refused.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

use tallywatt_consensus::lock::SignLock;
use tallywatt_ledger::log::LogHash;
use tallywatt_node::sign_lock_file::{FILE_SIZE, SLOT_SIZE, StoredLock, read, store};

fn lock(size: u64) -> SignLock {
    let tag = u8::try_from(size % 251).expect("below 251");
    SignLock { size, root: LogHash::from_bytes([tag; 32]) }
}

/// The file after each of some locks.
fn files(sizes: &[u64]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signlock");
    let stored = sizes.iter().map(|size| {
        store(&path, &lock(*size)).expect("it is stored");
        let held = read(&path).expect("it reads").expect("it is there");
        assert_eq!((held.lock, held.is_whole), (lock(*size), true));
        std::fs::read(&path).expect("it reads")
    });
    stored.collect()
}

#[test]
fn a_write_that_is_cut_anywhere_leaves_one_of_two_locks() {
    let files = files(&[1, 2, 3, 67, 67, 68]);
    for (sizes, pair) in [1, 2, 3, 67, 67, 68].windows(2).zip(files.windows(2)) {
        let (before, after) = (&pair[0], &pair[1]);
        let mut torn_count = 0;
        for cut in 0..=FILE_SIZE {
            // What is written piece by piece may come in either order.
            for (head, tail) in [(after, before), (before, after)] {
                let torn = [&head[..cut], &tail[cut..]].concat();
                let held = StoredLock::decode(&torn).expect("one slot was not written to");
                assert!([lock(sizes[0]), lock(sizes[1])].contains(&held.lock), "cut at {cut}");
                assert!(held.is_whole || held.lock == lock(sizes[0]), "cut at {cut}: the lock before");
                torn_count += usize::from(!held.is_whole);
            }
        }
        assert!(torn_count > 0);
    }
}

#[test]
fn a_flip_is_never_another_lock() {
    for (at, file) in files(&[5, 6, 7]).into_iter().enumerate() {
        let whole = StoredLock::decode(&file).expect("it is whole");
        let before = lock(4 + u64::try_from(at).expect("small"));
        for place in 0..FILE_SIZE {
            for mask in [1, 0x80] {
                let mut bytes = file.clone();
                bytes[place] ^= mask;
                match StoredLock::decode(&bytes) {
                    None => assert_eq!(at, 0, "byte {place}: there is another slot"),
                    Some(held) => {
                        assert!(!held.is_whole, "byte {place}");
                        assert!(held.lock == whole.lock || held.lock == before, "byte {place}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_no_lock_is_refused() {
    let file = files(&[5, 6]).pop().expect("two");
    let slots = (&file[..SLOT_SIZE], &file[SLOT_SIZE..]);
    let zeros = vec![0; FILE_SIZE];
    let twice = [slots.0, slots.0].concat();
    // The second slot of a later time beside the first of an earlier, and of a time that went back.
    let later = files(&[5, 6, 7, 8]).pop().expect("four");
    let gap = [slots.0, &later[SLOT_SIZE..]].concat();
    let back = [slots.0, &files(&[1, 2]).pop().expect("two")[SLOT_SIZE..]].concat();
    for bytes in [&b""[..], &file[..FILE_SIZE - 1], &[&file[..], &[0]].concat(), &zeros, &twice, &gap, &back]
    {
        assert_eq!(StoredLock::decode(bytes), None);
    }
    // Only before the second lock may a slot be empty.
    let emptied = [&files(&[5, 6, 7]).pop().expect("three")[..SLOT_SIZE], &zeros[SLOT_SIZE..]].concat();
    let held = StoredLock::decode(&emptied).expect("one slot is whole");
    assert_eq!((held.lock, held.is_whole), (lock(7), false));
}
