//! Sound files made unsound, the same way for the same seed.
#![allow(dead_code, reason = "each test file takes what it needs")]

/// The most changes to one file.
const CHANGE_COUNT_MAX: u64 = 4;
/// The most bytes that one change takes out, doubles or brings in.
const PIECE_SIZE_MAX: u64 = 64;
/// Bytes that mean something to one format or another.
const TELLING: &[u8] = b",;|\t\"'\n\r\0\\/<>&={}[]:0123456789-+.eE nNtT\x80\xff\xfe";

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    /// A place in `len` bytes, or behind them.
    fn place(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64 + 1)).unwrap()
    }

    fn piece(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.place(bytes.len());
        let size = usize::try_from(1 + self.below(PIECE_SIZE_MAX)).unwrap();
        start..(start + size).min(bytes.len())
    }
}

/// `sound` with some bytes flipped, set, cut off, taken out, doubled, or replaced by what stands in `other`.
pub fn bend(sound: &[u8], other: &[u8], seed: u64) -> Vec<u8> {
    let mut draw = Draw(seed ^ 0x9e37_79b9_7f4a_7c15);
    let mut bytes = sound.to_vec();
    for _ in 0..=draw.below(CHANGE_COUNT_MAX) {
        let at = draw.place(bytes.len().saturating_sub(1)).min(bytes.len().saturating_sub(1));
        match draw.below(7) {
            _ if bytes.is_empty() => bytes.extend_from_slice(&other[draw.piece(other)]),
            0 => bytes[at] ^= 1 << draw.below(8),
            1 => bytes[at] = TELLING[draw.place(TELLING.len() - 1)],
            2 => bytes.insert(at, TELLING[draw.place(TELLING.len() - 1)]),
            3 => bytes.truncate(at),
            4 => drop(bytes.drain(draw.piece(&bytes))),
            5 => {
                let doubled = bytes[draw.piece(&bytes)].to_vec();
                bytes.splice(at..at, doubled).for_each(drop);
            }
            // The rest of another file, or a piece of it.
            _ => {
                let piece = draw.piece(other);
                let end = if draw.below(2) == 0 { other.len() } else { piece.end };
                bytes.splice(at.., other[piece.start..end].iter().copied()).for_each(drop);
            }
        }
    }
    bytes
}
