//! Malformed files, made of sound ones, and what dealing with one may take.

use std::time::{Duration, Instant};
use std::{fs, io};

/// What one file may take.
const TIME_MAX: Duration = Duration::from_secs(1);
/// What the process may hold at once, all files of all its tests together, KiB.
const MEMORY_KIB_MAX: u64 = 256 << 10;
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

/// How long a file takes, and how much memory.
///
/// The time is that of this thread on a processor, where Linux tells: a busy machine makes no decoder slow, and none of them
/// waits for anything.
pub struct Watch {
    start: Instant,
    start_on_processor: Option<Duration>,
}

impl Watch {
    pub fn start() -> Self {
        Self { start: Instant::now(), start_on_processor: on_processor() }
    }

    /// Fails if the file took over a second or, where Linux tells, the process has ever held over 256 MiB.
    pub fn stop(self, context: &dyn Fn() -> String) {
        let took = match (self.start_on_processor, on_processor()) {
            (Some(start), Some(end)) => end - start,
            _ => self.start.elapsed(),
        };
        assert!(took < TIME_MAX, "{took:?}, {}", context());
        if let Some(peak_kib) = peak_memory_kib().unwrap() {
            assert!(peak_kib < MEMORY_KIB_MAX, "{peak_kib} KiB, {}", context());
        }
    }
}

/// How long this thread has run: the first figure of its scheduler statistics, nanoseconds.
fn on_processor() -> Option<Duration> {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(statistics.split(' ').next()?.parse().ok()?))
}

fn peak_memory_kib() -> io::Result<Option<u64>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    Ok(Some(peak.expect("Linux tells the peak").parse().unwrap()))
}
