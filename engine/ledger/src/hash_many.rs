//! Many short inputs hashed side by side, each to its standard BLAKE3 hash.
//!
//! ```text
//!   input 0 ▒▒▒▒▒ ─┐
//!   input 1 ▒▒▒▒▒ ─┼─ one SIMD register an input word ─▶ 8 or 16 hashes at once
//!   …              │
//!   input n ▒▒▒▒▒ ─┘  all of one size: a multiple of 64, at most 1,024 bytes
//! ```
//!
//! The kernels are those of the `blake3` package, whose function for this is public but not promised to stay.
//! Hence its version is pinned, this file is the only one that calls it, and before the first use it is compared with
//! the promised functions for every size. Where they differ, or an input has another size, the promised ones
//! are used: slower, the same hashes.

use std::sync::OnceLock;

use blake3::IncrementCounter;
use blake3::platform::Platform;

/// Inputs are blocks of this many bytes.
pub const BLOCK_SIZE: usize = 64;
/// The largest input that is hashed side by side: a BLAKE3 chunk.
pub const INPUT_SIZE_MAX: usize = 1_024;
/// How many inputs are handed to the kernel at once: twice its widest register, so that tails are rare.
const GROUP_COUNT: usize = 64;

/// A hash.
pub type Digest = [u8; 32];

/// Which hash.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// The plain hash.
    Plain,
    /// The hash under a key.
    Keyed(&'a [u8; 32]),
}

/// Hashes inputs of `input_size` bytes that stand end to end, the hash of input `i` into `digests[i]`.
///
/// # Panics
/// If `inputs` is not `digests.len()` times `input_size` bytes.
pub fn hash_each(mode: Mode<'_>, inputs: &[u8], input_size: usize, digests: &mut [Digest]) {
    assert_eq!(inputs.len(), input_size * digests.len(), "every input has a place for its hash");
    match checked_platform() {
        Some(platform) if is_kernel_size(input_size) => {
            by_size(*platform, mode, inputs, input_size, digests);
        }
        _ => one_by_one(mode, inputs, input_size, digests),
    }
}

/// The hash of one input, by the promised function.
#[must_use]
pub fn hash_one(mode: Mode<'_>, input: &[u8]) -> Digest {
    match mode {
        Mode::Plain => *blake3::hash(input).as_bytes(),
        Mode::Keyed(key) => *blake3::keyed_hash(key, input).as_bytes(),
    }
}

/// The naive way, which the kernel must equal.
pub fn one_by_one(mode: Mode<'_>, inputs: &[u8], input_size: usize, digests: &mut [Digest]) {
    for (at, digest) in digests.iter_mut().enumerate() {
        *digest = hash_one(mode, &inputs[at * input_size..(at + 1) * input_size]);
    }
}

const fn is_kernel_size(size: usize) -> bool {
    size > 0 && size.is_multiple_of(BLOCK_SIZE) && size <= INPUT_SIZE_MAX
}

/// The kernel is compiled for one input size at a time.
fn by_size(platform: Platform, mode: Mode<'_>, inputs: &[u8], input_size: usize, digests: &mut [Digest]) {
    macro_rules! sizes {
        ($($blocks:literal)*) => {
            match input_size / BLOCK_SIZE {
                $($blocks => side_by_side::<{ $blocks * BLOCK_SIZE }>(platform, mode, inputs, digests),)*
                _ => one_by_one(mode, inputs, input_size, digests),
            }
        };
    }
    sizes!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

/// BLAKE3's flags for an input that is one chunk and a whole message (BLAKE3 specification, table 3).
const CHUNK_START: u8 = 1;
const CHUNK_END_AND_ROOT: u8 = 2 | 8;
const KEYED_HASH: u8 = 16;
/// The key of the plain hash: the initial value of SHA-256.
const PLAIN_KEY: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

fn side_by_side<const SIZE: usize>(
    platform: Platform,
    mode: Mode<'_>,
    inputs: &[u8],
    digests: &mut [Digest],
) {
    let (key, flags) = match mode {
        Mode::Plain => (PLAIN_KEY, 0),
        Mode::Keyed(key) => (key_words(key), KEYED_HASH),
    };
    let (inputs, rest) = inputs.as_chunks::<SIZE>();
    assert!(rest.is_empty() && inputs.len() == digests.len(), "every input has a place for its hash");
    let mut refs: [&[u8; SIZE]; GROUP_COUNT] = [&[0; SIZE]; GROUP_COUNT];
    for (inputs, digests) in inputs.chunks(GROUP_COUNT).zip(digests.chunks_mut(GROUP_COUNT)) {
        for (place, input) in refs.iter_mut().zip(inputs) {
            *place = input;
        }
        platform.hash_many(
            &refs[..inputs.len()],
            &key,
            0,
            IncrementCounter::No,
            flags,
            CHUNK_START,
            CHUNK_END_AND_ROOT,
            digests.as_flattened_mut(),
        );
    }
}

fn key_words(key: &[u8; 32]) -> [u32; 8] {
    let (words, _) = key.as_chunks::<4>();
    let mut key_words = [0; 8];
    for (word, bytes) in key_words.iter_mut().zip(words) {
        *word = u32::from_le_bytes(*bytes);
    }
    key_words
}

/// The machine's kernel, if it gives the standard hash for every size.
fn checked_platform() -> Option<&'static Platform> {
    static PLATFORM: OnceLock<Option<Platform>> = OnceLock::new();
    PLATFORM
        .get_or_init(|| {
            let platform = Platform::detect();
            is_standard(platform).then_some(platform)
        })
        .as_ref()
}

/// Hashes inputs of every size both ways: as many as the widest register holds, and one more.
fn is_standard(platform: Platform) -> bool {
    const COUNT: usize = 17;
    let bytes: Vec<u8> = (0..COUNT * INPUT_SIZE_MAX).map(|at| (at * 131 % 251).to_le_bytes()[0]).collect();
    let key = [0x5a; 32];
    (1..=INPUT_SIZE_MAX / BLOCK_SIZE).all(|blocks| {
        let size = blocks * BLOCK_SIZE;
        [Mode::Plain, Mode::Keyed(&key)].into_iter().all(|mode| {
            let (mut fast, mut standard) = ([[0; 32]; COUNT], [[0; 32]; COUNT]);
            by_size(platform, mode, &bytes[..COUNT * size], size, &mut fast);
            one_by_one(mode, &bytes[..COUNT * size], size, &mut standard);
            fast == standard
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every size around the kernel's limits, every count around its width.
    #[test]
    fn equals_the_promised_functions() {
        assert!(checked_platform().is_some(), "this machine's kernel gives other hashes");
        let bytes: Vec<u8> = (0..200 * 1_100_usize).map(|at| (at * 7919 % 256).to_le_bytes()[0]).collect();
        let key = [7; 32];
        for size in [1, 33, 63, 64, 65, 128, 192, 256, 320, 576, 1_024, 1_088] {
            for count in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 65, 129, 200] {
                for mode in [Mode::Plain, Mode::Keyed(&key)] {
                    let (mut fast, mut naive) = (vec![[0; 32]; count], vec![[1; 32]; count]);
                    hash_each(mode, &bytes[..size * count], size, &mut fast);
                    one_by_one(mode, &bytes[..size * count], size, &mut naive);
                    assert_eq!(fast, naive, "{count} inputs of {size} bytes");
                }
            }
        }
    }
}
