//! Malformed files, made of sound ones.

/// The most changes to one file.
const CHANGE_COUNT_MAX: usize = 4;
/// The most bytes of one change.
const CHANGE_SIZE_MAX: usize = 40;

/// What one byte is set to: what the formats are made of, and what none of them holds.
const BYTES: &[u8] = b",;|.\n\r\t\0\"'<>&/=!()*{}[]?0123456789-+: eNTUAZ\xff";

/// `sound` with bits flipped, bytes set, parts cut out, repeated, put in from `other`, or its end missing: the same for
/// one seed.
pub fn bend(sound: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut below = |limit: usize| {
        // SplitMix64: neighbouring seeds have nothing in common.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    };
    let mut bytes = sound.to_vec();
    for _ in 0..=below(CHANGE_COUNT_MAX) {
        if bytes.is_empty() {
            return bytes;
        }
        let (at, size) = (below(bytes.len()), 1 + below(CHANGE_SIZE_MAX));
        let end = (at + size).min(bytes.len());
        match below(8) {
            0 | 1 => bytes[at] ^= 1 << below(8),
            2 | 3 => bytes[at] = BYTES[below(BYTES.len())],
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            6 if !other.is_empty() => {
                let from = below(other.len());
                let part = other[from..(from + size).min(other.len())].to_vec();
                bytes.splice(at..end, part);
            }
            _ if below(4) == 0 => bytes.truncate(at),
            _ => bytes.swap(at, end - 1),
        }
    }
    bytes
}
