//! Files bent from sound ones: flipped, cut, spliced. The same for the same seed.

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }
}

/// Bytes that formats give a meaning to.
const SIGNS: &[u8] = b"<>&/=\"'+:?.,;-!0123456789 \n\r\0\xffUNATZ";

/// `sound` with one to eight changes; parts of `other` may come into it.
pub fn bend(sound: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut bytes = sound.to_vec();
    for _ in 0..1 + dice.below(8) {
        if bytes.is_empty() {
            break;
        }
        let at = dice.below(bytes.len());
        let end = (at + 1 + dice.below(60)).min(bytes.len());
        match dice.below(10) {
            0..=2 => bytes[at] = SIGNS[dice.below(SIGNS.len())],
            3 => bytes[at] ^= 1 << dice.below(8),
            4 => bytes.insert(at, SIGNS[dice.below(SIGNS.len())]),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            7 if dice.below(4) == 0 => bytes.truncate(at),
            _ if !other.is_empty() => {
                let from = dice.below(other.len());
                let part = &other[from..(from + 1 + dice.below(200)).min(other.len())];
                bytes.splice(at..end, part.iter().copied());
            }
            _ => (),
        }
    }
    bytes
}
