//! Sound files bent: bits and bytes changed, ends cut off, parts left out, doubled, or taken from another file.

/// What text formats are made of.
const SIGNS: &[u8] = b",;.\n\r\"<>&/=!()*0123456789-+: \0";

/// A malformed file; the same for the same seed.
pub fn bend(sound: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |limit: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        (dice >> 11) as usize % limit.max(1)
    };
    let mut bytes = sound.to_vec();
    for _ in 0..=below(3) {
        let at = below(bytes.len());
        let end = (at + below(40)).min(bytes.len());
        match below(7) {
            _ if bytes.is_empty() => (),
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = below(256).to_le_bytes()[0],
            2 => bytes[at] = SIGNS[below(SIGNS.len())],
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let from = below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from.min(other.len())..]);
            }
        }
    }
    bytes
}
