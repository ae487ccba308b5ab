//! The order of leaves as bytes: usage point, register, day, so that comparing keys is comparing 40 bytes.
//!
//! ```text
//!   33 usage point, zero-padded │ 1 flow │ 1 channel │ 1 zone register │ 4 day, big-endian, sign flipped
//! ```

use tallywatt_core::calendar::Day;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::label::{LABEL_SIZE_MAX, UsagePointId};
use tallywatt_core::register::{Flow, Register};

use crate::blinding::POINT_AT;
use crate::day_leaf::HEADER_SIZE;

/// Bytes of a key.
pub const LEAF_KEY_SIZE: usize = 40;
const SIGN: u8 = 0x80;

/// Which register-day a leaf is of; ordered as [`BlockKey`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafKey([u8; LEAF_KEY_SIZE]);

impl LeafKey {
    /// From the first bytes of a canonical leaf or frame.
    #[must_use]
    pub fn of_header(header: &[u8; HEADER_SIZE]) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_key() -> impl Strategy<Value = BlockKey> {
        let flow = (0..4_usize).prop_map(|at| Flow::ALL[at]);
        ("[A-C]{1,3}", flow, 0..3_u8, 0..3_u8, -400..400_i32).prop_map(|(name, flow, channel, zone, day)| {
            BlockKey {
                usage_point: name.parse().unwrap(),
                register: Register { flow, channel, zone },
                day: Day::from_number(day).unwrap(),
            }
        })
    }

    proptest! {
        #[test]
        fn ordered_as_block_keys(a in any_key(), b in any_key()) {
            prop_assert_eq!(LeafKey::new(&a).cmp(&LeafKey::new(&b)), a.cmp(&b));
            prop_assert_eq!(LeafKey::new(&a).block_key(), a);
        }
    }
}
