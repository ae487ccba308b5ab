//! Writing past the page cache: the file, and the growing buffer whose first byte lies on a block boundary that it needs.
//!
//! ```text
//!   ┌ the vector ───────────────────────────┐
//!   │ up to 4,095 unused │ used ……… │ room   │
//!   └────────────────────┴──────────┴────────┘
//!                        └ address a multiple of 4,096
//! ```
//!
//! The vector never grows in place: its end would be moved to where the boundary is another one.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::durable::DurableError;

/// What an address, an offset and a size must be multiples of.
pub const BLOCK_SIZE: usize = 4_096;

/// See the module's page.
#[derive(Debug, Default)]
pub(crate) struct AlignedBuffer {
    bytes: Vec<u8>,
    start: usize,
}

impl AlignedBuffer {
    /// Bytes in use.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Empties it; the room stays.
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(self.start);
    }

    /// Adds bytes at the end.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds zeros at the end.
    pub(crate) fn extend_zeros(&mut self, count: usize) {
        self.reserve(count);
        let size = self.bytes.len() + count;
        self.bytes.resize(size, 0);
    }

    /// What is in use; begins at a multiple of [`BLOCK_SIZE`].
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// See [`AlignedBuffer::as_slice`].
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    fn reserve(&mut self, count: usize) {
        if self.bytes.capacity() - self.bytes.len() >= count {
            return;
        }
        let room = (self.len() + count).max(2 * self.len()).max(BLOCK_SIZE);
        let mut grown: Vec<u8> = Vec::with_capacity(room + BLOCK_SIZE);
        let start = grown.as_ptr().align_offset(BLOCK_SIZE);
        assert!(start < BLOCK_SIZE, "a boundary lies within the first block");
        grown.resize(start, 0);
        grown.extend_from_slice(self.as_slice());
        *self = Self { bytes: grown, start };
    }
}

/// Opens a file for writing past the page cache where that is possible, and makes it if there is none. Offsets and sizes of
/// writes must be multiples of [`BLOCK_SIZE`], and their bytes lie in an [`AlignedBuffer`].
pub(crate) fn open_to_write(path: &Path) -> Result<File, DurableError> {
    let open = |flags: i32| {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(target_os = "linux")]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
        #[cfg(not(target_os = "linux"))]
        let _ = flags;
        options.open(path)
    };
    match open(direct_flag()) {
        // Some file systems have no way past the page cache. The sync is what makes durable, there as here.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => open(0),
        opened => opened,
    }
    .map_err(DurableError::io("open", path))
}

#[cfg(target_os = "linux")]
fn direct_flag() -> i32 {
    rustix::fs::OFlags::DIRECT.bits().cast_signed()
}

#[cfg(not(target_os = "linux"))]
fn direct_flag() -> i32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_aligned_and_holds_what_a_vector_holds() {
        let (mut buffer, mut plain) = (AlignedBuffer::default(), Vec::new());
        for round in 0..200_u8 {
            let bytes = vec![round; usize::from(round) * 37 % 5_000];
            buffer.extend(&bytes);
            plain.extend_from_slice(&bytes);
            buffer.extend_zeros(usize::from(round % 3));
            plain.resize(plain.len() + usize::from(round % 3), 0);
            if round % 64 == 63 {
                buffer.clear();
                plain.clear();
            }
            assert_eq!(buffer.as_slice(), plain);
            assert_eq!(buffer.len(), plain.len());
            assert!(plain.is_empty() || buffer.as_slice().as_ptr().align_offset(BLOCK_SIZE) == 0);
        }
    }
}
