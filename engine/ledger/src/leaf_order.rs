//! The order of leaves, straight from their first bytes.
//!
//! ```text
//!   0   33   usage point
//!  33    1   OBIS group C: flow
//!  34    1   OBIS group B: channel
//!  35    1   OBIS group E: zone register
//!  36    4   delivery day, big-endian, its sign bit turned over
//! ```
//!
//! Two of these compare as the `BlockKey`s of their leaves do, so whoever sorts, checks or searches leaves need not
//! decode them.

use tallywatt_core::day_block::BlockKey;

use crate::blinding::POINT_AT;
use crate::day_pack::Header;

/// Bytes of an order key.
pub const ORDER_KEY_SIZE: usize = POINT_AT.end - POINT_AT.start + 3 + 4;
/// What leaves of one partition are sorted by.
pub type OrderKey = [u8; ORDER_KEY_SIZE];

const REGISTER_AT: usize = POINT_AT.end - POINT_AT.start;
const DAY_AT: usize = REGISTER_AT + 3;

/// The order key of the leaf that begins so.
#[must_use]
pub fn order_key(header: &Header) -> OrderKey {
    build(&header[POINT_AT], [header[4], header[3], header[5]], day_of(header))
}

/// The order key of the leaf of this register-day.
#[must_use]
pub fn order_key_of(key: &BlockKey) -> OrderKey {
    let register = key.register;
    build(
        key.usage_point.padded(),
        [register.flow.group_c(), register.channel, register.zone],
        key.day.number(),
    )
}

/// Whether the leaf that begins with `header` stands after the one that begins with `before`. Mostly it is the next day
/// of the same register, which needs no order keys.
#[must_use]
pub fn is_after(before: &Header, header: &Header) -> bool {
    let is_same_register = before[3..6] == header[3..6] && before[POINT_AT] == header[POINT_AT];
    if is_same_register { day_of(before) < day_of(header) } else { order_key(before) < order_key(header) }
}

fn day_of(header: &Header) -> i32 {
    i32::from_le_bytes([header[8], header[9], header[10], header[11]])
}

fn build(usage_point: &[u8], register: [u8; 3], day: i32) -> OrderKey {
    let mut order = [0; ORDER_KEY_SIZE];
    order[..REGISTER_AT].copy_from_slice(usage_point);
    order[REGISTER_AT..DAY_AT].copy_from_slice(&register);
    order[DAY_AT..].copy_from_slice(&(day ^ i32::MIN).to_be_bytes());
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tallywatt_core::calendar::Day;
    use tallywatt_core::register::{Flow, Register};

    fn key() -> impl Strategy<Value = BlockKey> {
        let points = ["A", "A1", "B", "EKB-000017", "DE000562668020O6G56M11SN51G21M24S"];
        (0..points.len(), 0..4_usize, 0..3_u8, 0..3_u8, 0..5_i32).prop_map(
            move |(point, flow, channel, zone, day)| BlockKey {
                usage_point: points[point].parse().unwrap(),
                register: Register { flow: Flow::ALL[flow], channel, zone },
                day: Day::from_number(day * 300).unwrap(),
            },
        )
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
        fn compares_as_the_keys_do(a in key(), b in key(), noise in any::<[u8; 2]>()) {
            let (first, second) = (order_key(&header(&a, noise[0])), order_key(&header(&b, noise[1])));
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
            prop_assert_eq!(first, order_key_of(&a));
            prop_assert_eq!(is_after(&header(&a, noise[0]), &header(&b, noise[1])), a < b);
        }
    }
}
