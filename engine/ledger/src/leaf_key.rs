//! The order of leaves as bytes: usage point, register, day, so that comparing keys is comparing 40 bytes.
//!
//! ```text
//!   33 usage point, zero-padded │ 1 flow │ 1 channel │ 1 zone register │ 4 day, big-endian, sign flipped
//! ```

use std::cmp::Ordering;

use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::label::{LABEL_SIZE_MAX, UsagePointId};
use tallywatt_core::register::{Flow, Register};

use crate::blinding::POINT_AT;
use crate::day_pack::Header;

/// Bytes of a key.
pub const LEAF_KEY_SIZE: usize = 40;
const SIGN: u8 = 0x80;

/// Which register-day a leaf is of; ordered as [`BlockKey`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeafKey([u8; LEAF_KEY_SIZE]);

impl Ord for LeafKey {
    /// As the bytes compare, eight at a time.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let ((left, _), (right, _)) = (self.0.as_chunks::<8>(), other.0.as_chunks::<8>());
        // A loop: words made into arrays first are compared through calls that are inlined in some builds and not in others,
        // where they took an eighth of a load.
        for (left, right) in left.iter().zip(right) {
            match u64::from_be_bytes(*left).cmp(&u64::from_be_bytes(*right)) {
                Ordering::Equal => (),
                unequal => return unequal,
            }
        }
        Ordering::Equal
    }
}

impl PartialOrd for LeafKey {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl LeafKey {
    /// From the first bytes of a canonical leaf or frame.
    #[must_use]
    pub fn of_header(header: &Header) -> Self {
        let mut key = [0; LEAF_KEY_SIZE];
        key[..LABEL_SIZE_MAX].copy_from_slice(&header[POINT_AT]);
        // In the header channel comes before flow; in the order it does not.
        key[LABEL_SIZE_MAX..].copy_from_slice(&[
            header[4],
            header[3],
            header[5],
            header[11] ^ SIGN,
            header[10],
            header[9],
            header[8],
        ]);
        Self(key)
    }

    /// Of a register-day.
    #[must_use]
    pub fn new(key: &BlockKey) -> Self {
        let mut bytes = [0; LEAF_KEY_SIZE];
        bytes[..LABEL_SIZE_MAX].copy_from_slice(key.usage_point.padded());
        let Register { flow, channel, zone } = key.register;
        let [high, day @ ..] = key.day.number().to_be_bytes();
        bytes[LABEL_SIZE_MAX..].copy_from_slice(&[
            flow.group_c(),
            channel,
            zone,
            high ^ SIGN,
            day[0],
            day[1],
            day[2],
        ]);
        Self(bytes)
    }

    /// The register-day it is of.
    ///
    /// # Panics
    /// If it was made of bytes that were no leaf.
    #[must_use]
    pub fn block_key(&self) -> BlockKey {
        let (name, rest) = self.0.split_first_chunk::<LABEL_SIZE_MAX>().expect("a key is 40 bytes");
        let day = i32::from_be_bytes([rest[3] ^ SIGN, rest[4], rest[5], rest[6]]);
        BlockKey {
            usage_point: UsagePointId::from_padded(name).expect("keys are made of canonical leaves"),
            register: Register {
                flow: Flow::from_group_c(rest[0]).expect("keys are made of canonical leaves"),
                channel: rest[1],
                zone: rest[2],
            },
            day: Day::from_number(day).expect("keys are made of canonical leaves"),
        }
    }

    /// Its usage point, zero-padded.
    #[must_use]
    pub fn point(&self) -> &[u8; LABEL_SIZE_MAX] {
        self.0.first_chunk().expect("a key is 40 bytes")
    }
}

/// Whether two leaves are of one usage point.
#[must_use]
pub fn is_same_point(a: &Header, b: &Header) -> bool {
    point_words(a) == point_words(b)
}

/// The usage point in words, the first byte lowest: the last word holds its last byte alone.
pub(crate) fn point_words(header: &Header) -> [u64; LABEL_SIZE_MAX.div_ceil(8)] {
    let (words, rest) = header[POINT_AT].as_chunks::<8>();
    [words[0], words[1], words[2], words[3], [rest[0], 0, 0, 0, 0, 0, 0, 0]].map(u64::from_le_bytes)
}

/// Whether the leaf that begins with `header` stands after the one that begins with `before`. Mostly it is the next day
/// of the same register, which needs no keys.
#[must_use]
pub fn is_after(before: &Header, header: &Header) -> bool {
    let day = |header: &Header| i32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    let is_same_register = before[3..6] == header[3..6] && is_same_point(before, header);
    if is_same_register {
        day(before) < day(header)
    } else {
        LeafKey::of_header(before) < LeafKey::of_header(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_key() -> impl Strategy<Value = BlockKey> {
        let flow = (0..4_usize).prop_map(|at| Flow::ALL[at]);
        ("[A-C]{1,3}", flow, 0..3_u8, 0..3_u8, 0..800_i32).prop_map(|(name, flow, channel, zone, day)| {
            BlockKey {
                usage_point: name.parse().unwrap(),
                register: Register { flow, channel, zone },
                day: Day::from_number(day).unwrap(),
            }
        })
    }

    /// A leaf's first bytes, with everything that does not count set to `noise`.
    fn header(key: &BlockKey, noise: u8) -> Header {
        let mut header = [noise; 48];
        (header[3], header[4]) = (key.register.channel, key.register.flow.group_c());
        header[5] = key.register.zone;
        header[8..12].copy_from_slice(&key.day.number().to_le_bytes());
        header[POINT_AT].copy_from_slice(key.usage_point.padded());
        header
    }

    proptest! {
        #[test]
        fn ordered_as_block_keys(a in any_key(), b in any_key(), noise in any::<[u8; 2]>()) {
            let (first, second) = (header(&a, noise[0]), header(&b, noise[1]));
            prop_assert_eq!(LeafKey::of_header(&first), LeafKey::new(&a));
            prop_assert_eq!(is_after(&first, &second), a < b);
            prop_assert_eq!(LeafKey::new(&a).cmp(&LeafKey::new(&b)), a.cmp(&b));
            prop_assert_eq!(LeafKey::new(&a).block_key(), a);
        }
    }
}
