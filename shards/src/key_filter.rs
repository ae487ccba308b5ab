//! A Bloom filter: whether a key may be among those that were put in. "No" is certain; "yes" is wrong once in a
//! few hundred times, and costs a look.
//!
//! ```text
//!   key ──seeded hash──▶ block of 64 bits, and four bits in it: one cache line a question
//! ```

use ahash::RandomState;
use tallywatt_ledger::leaf_key::LeafKey;

/// Bits a key.
const BITS_PER_KEY: usize = 16;
/// Bits set for a key.
const BITS_SET: u32 = 4;

/// Which keys may be known. Seeded, in memory only.
#[derive(Debug)]
pub struct KeyFilter {
    hash: RandomState,
    words: Vec<u64>,
}

impl KeyFilter {
    /// A filter for so many keys.
    #[must_use]
    pub fn new(key_count: usize) -> Self {
        let word_count = (key_count * BITS_PER_KEY).div_ceil(64).max(1);
        Self { hash: RandomState::new(), words: vec![0; word_count] }
    }

    /// Puts a key in.
    pub fn insert(&mut self, key: &LeafKey) {
        let (at, bits) = self.place(key);
        self.words[at] |= bits;
    }

    /// Whether a key may be in; `false` is certain.
    #[must_use]
    pub fn may_hold(&self, key: &LeafKey) -> bool {
        let (at, bits) = self.place(key);
        self.words[at] & bits == bits
    }

    fn place(&self, key: &LeafKey) -> (usize, u64) {
        let hash = self.hash.hash_one(key);
        let count = u64::try_from(self.words.len()).expect("a length fits u64");
        // The upper half chooses the word, six bits of the lower half each bit.
        let word = (u128::from(hash) * u128::from(count)) >> 64;
        let bits = (0..BITS_SET).fold(0, |bits, at| bits | 1 << (hash >> (6 * at) & 63));
        (usize::try_from(word).expect("below the length"), bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_core::calendar::Day;
    use tallywatt_core::day_block::BlockKey;
    use tallywatt_core::register::Register;

    fn key(at: usize) -> LeafKey {
        let usage_point = format!("M{at:09}").parse().unwrap();
        LeafKey::new(&BlockKey {
            usage_point,
            register: Register::IMPORT,
            day: Day::from_number(20_000).unwrap(),
        })
    }

    #[test]
    fn never_denies_what_is_in_and_seldom_affirms_what_is_not() {
        let mut filter = KeyFilter::new(5_000);
        (0..5_000).for_each(|at| filter.insert(&key(at)));
        assert!((0..5_000).all(|at| filter.may_hold(&key(at))));
        let wrong = (5_000..55_000).filter(|&at| filter.may_hold(&key(at))).count();
        assert!(wrong < 1_000, "{wrong} of 50,000 wrongly affirmed");
    }
}
