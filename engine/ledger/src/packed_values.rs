//! Values of one day in as many bits as the largest of them needs.
//!
//! ```text
//!   width 10:  ▒▒▒▒▒▒▒▒▒▒░░░░░░░░░░▓▓▓▓▓▓▓▓▓▓…      value i in bits 10 i to 10 i + 9, the lowest bit first;
//!              byte 0  │byte 1  │byte 2  │byte 3       the last byte's spare bits are zero
//! ```
//!
//! Eight values of width w are w bytes. The loops are compiled once a width, so that every shift is a constant.
//! Also in `FORMAT.md` §10.

/// Values are packed in groups of this many: a whole number of bytes for every width.
const GROUP_COUNT: usize = 8;
/// The largest width: values are not negative.
pub const WIDTH_MAX: u8 = 31;
/// Bytes of a group of the largest width, and what an eight-byte read behind its last value touches.
const WINDOW_SIZE: usize = WIDTH_MAX as usize + 8;

/// The width that `values` need: 0 when all are zero.
///
/// # Panics
/// If a value is negative.
#[must_use]
pub fn width_of(values: &[i32]) -> u8 {
    let all = values.iter().fold(0, |all, value| all | value);
    assert!(all >= 0, "negative values are refused before they are packed");
    u8::try_from(u32::BITS - all.leading_zeros()).expect("at most 31")
}

/// Bytes that `count` values of a width take.
#[must_use]
pub const fn packed_size(count: usize, width: u8) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Calls the loop that is compiled for a width.
macro_rules! by_width {
    ($width:expr, $call:ident $arguments:tt) => {
        by_width!($width, $call $arguments, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25
            26 27 28 29 30 31)
    };
    ($width:expr, $call:ident $arguments:tt, $($known:literal)*) => {
        match $width {
            0 => {}
            $($known => $call::<$known> $arguments,)*
            _ => unreachable!("a width is at most 31"),
        }
    };
}

/// Appends the values.
///
/// # Panics
/// If `width` is not [`width_of`] them or more, or above [`WIDTH_MAX`].
pub fn pack(values: &[i32], width: u8, bytes: &mut Vec<u8>) {
    assert!((width_of(values)..=WIDTH_MAX).contains(&width), "every value fits the width");
    pack_fitting(values, width, bytes);
}

/// As [`pack`], for a caller that has just asked [`width_of`].
pub(crate) fn pack_fitting(values: &[i32], width: u8, bytes: &mut Vec<u8>) {
    by_width!(width, pack_groups(values, bytes));
}

/// Fills `values` from the front of `bytes`.
///
/// # Panics
/// If `bytes` holds fewer than [`packed_size`], or `width` is above [`WIDTH_MAX`].
pub fn unpack(bytes: &[u8], width: u8, values: &mut [i32]) {
    assert!(width <= WIDTH_MAX && bytes.len() >= packed_size(values.len(), width), "the values are there");
    if width == 0 {
        values.fill(0);
    }
    by_width!(width, unpack_groups(bytes, values));
}

fn pack_groups<const WIDTH: usize>(values: &[i32], bytes: &mut Vec<u8>) {
    let (groups, rest) = values.as_chunks::<GROUP_COUNT>();
    for group in groups {
        bytes.extend_from_slice(&pack_group::<WIDTH>(group)[..WIDTH]);
    }
    if !rest.is_empty() {
        let mut group = [0; GROUP_COUNT];
        group[..rest.len()].copy_from_slice(rest);
        bytes.extend_from_slice(&pack_group::<WIDTH>(&group)[..(rest.len() * WIDTH).div_ceil(8)]);
    }
}

#[inline]
fn pack_group<const WIDTH: usize>(group: &[i32; GROUP_COUNT]) -> [u8; WINDOW_SIZE] {
    let mut bytes = [0; WINDOW_SIZE];
    let (mut word, mut filled, mut at) = (0_u64, 0, 0);
    for value in group {
        word |= u64::from(value.cast_unsigned()) << filled;
        filled += WIDTH;
        if filled >= 32 {
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes()[..4]);
            (word, filled, at) = (word >> 32, filled - 32, at + 4);
        }
    }
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes()[..4]);
    bytes
}

fn unpack_groups<const WIDTH: usize>(bytes: &[u8], values: &mut [i32]) {
    let (groups, rest) = values.as_chunks_mut::<GROUP_COUNT>();
    for (at, group) in groups.iter_mut().enumerate() {
        let start = at * WIDTH;
        match bytes.get(start..start + WIDTH + 8) {
            Some(window) => unpack_group::<WIDTH>(window, group),
            None => unpack_last::<WIDTH>(&bytes[start..], group),
        }
    }
    if !rest.is_empty() {
        let mut group = [0; GROUP_COUNT];
        unpack_last::<WIDTH>(&bytes[groups.len() * WIDTH..], &mut group);
        rest.copy_from_slice(&group[..rest.len()]);
    }
}

/// A group too near the end for reads of eight bytes: out of a copy with room behind it.
fn unpack_last<const WIDTH: usize>(bytes: &[u8], group: &mut [i32; GROUP_COUNT]) {
    let mut window = [0; WINDOW_SIZE];
    let size = bytes.len().min(WIDTH);
    window[..size].copy_from_slice(&bytes[..size]);
    unpack_group::<WIDTH>(&window[..WIDTH + 8], group);
}

#[inline]
fn unpack_group<const WIDTH: usize>(window: &[u8], group: &mut [i32; GROUP_COUNT]) {
    let window = &window[..WIDTH + 8];
    for (at, value) in group.iter_mut().enumerate() {
        let bit = at * WIDTH;
        let word =
            window[bit / 8..bit / 8 + 8].try_into().expect("the window reaches 8 bytes past the group");
        let masked = u64::from_le_bytes(word) >> (bit % 8) & ((1 << WIDTH) - 1);
        *value = i32::try_from(masked).expect("at most 31 bits");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bit by bit, as drawn above.
    fn naive(values: &[i32], width: u8) -> Vec<u8> {
        let mut bytes = vec![0; packed_size(values.len(), width)];
        for (at, value) in values.iter().enumerate() {
            for bit in 0..usize::from(width) {
                let place = at * usize::from(width) + bit;
                bytes[place / 8] |= u8::from(value >> bit & 1 == 1) << (place % 8);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn equals_the_naive_packing(width in 0..=WIDTH_MAX, raw in prop::collection::vec(any::<u32>(), 0..300)) {
            let values: Vec<i32> =
                raw.iter().map(|raw| (u64::from(*raw) % (1 << width)).try_into().unwrap()).collect();
            let mut bytes = vec![9];
            pack(&values, width, &mut bytes);
            prop_assert_eq!(&bytes[1..], naive(&values, width));
            let mut back = vec![-1; values.len()];
            unpack(&bytes[1..], width, &mut back);
            prop_assert_eq!(back, values);
        }
    }

    #[test]
    fn widths() {
        for (values, width) in
            [(vec![], 0), (vec![0, 0], 0), (vec![1, 0], 1), (vec![512], 10), (vec![i32::MAX], 31)]
        {
            assert_eq!(width_of(&values), width, "{values:?}");
        }
    }
}
