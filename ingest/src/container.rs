//! Opens what files come in: plain, gzip, Zstandard, or zip with any number of members.
//!
//! Nothing is extracted to disk. The kind is told by the first bytes, never by the name. Expansion is capped
//! on what comes out, not on what a header promises; the memory that a Zstandard frame asks for is capped by its
//! window. An archive inside an archive is refused.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;
use zip::ZipArchive;
use zstd::stream::read::Decoder as ZstdDecoder;

use crate::refusal::{ExpansionLimit, FileRefusal};

/// Bytes read at a time.
const BUFFER_SIZE: usize = 256 << 10;
/// The most bytes that come out of one compressed file, all its members together.
pub const EXPANDED_SIZE_MAX: u64 = 2 << 30;
/// The most bytes out for one byte in, past [`EXPANSION_FLOOR_SIZE`].
pub const EXPANSION_RATIO_MAX: u64 = 100;
/// What any compressed file may expand to, however small it is: a year of zeros packs well.
pub const EXPANSION_FLOOR_SIZE: u64 = 16 << 20;
/// The most members of an archive.
pub const MEMBER_COUNT_MAX: usize = 1_024;

/// The largest window of a Zstandard frame, as the power of two of its bytes: 8 MiB, what RFC 8878 (3.1.1.1.2) asks every
/// decoder to take. `zstd --long` and `--ultra` ask for more.
pub const WINDOW_LOG_MAX: u32 = 23;

const _: () = assert!(EXPANSION_FLOOR_SIZE <= EXPANDED_SIZE_MAX);

/// Opens `reader` and calls `visit` with the name and bytes of each file in it, in order.
///
/// The name of a plain or gzip file is `name`; of a member, the last part of its path, for display only.
///
/// # Errors
/// What `visit` gives, or a [`FileRefusal`] of the container. Bytes that expand past a limit fail the read
/// inside `visit`.
pub fn each_member<E: From<FileRefusal>>(
    name: &str,
    mut reader: impl Read + Seek,
    visit: &mut dyn FnMut(&str, &mut dyn BufRead) -> Result<(), E>,
) -> Result<(), E> {
    let size = reader.seek(SeekFrom::End(0)).map_err(FileRefusal::from_io)?;
    reader.rewind().map_err(FileRefusal::from_io)?;
    let mut magic = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut magic).map_err(FileRefusal::from_io)?;
    reader.rewind().map_err(FileRefusal::from_io)?;
    let mut left = size.saturating_mul(EXPANSION_RATIO_MAX).clamp(EXPANSION_FLOOR_SIZE, EXPANDED_SIZE_MAX);
    match Kind::of(&magic) {
        Kind::Plain => visit(name, &mut BufReader::with_capacity(BUFFER_SIZE, reader)),
        Kind::Gzip => {
            let unpacked = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_SIZE, reader));
            visit_unpacked(name, unpacked, &mut left, visit)
        }
        Kind::Zstd => {
            let unpacked = unpacked_zstd(reader).map_err(FileRefusal::from_io)?;
            visit_unpacked(name, unpacked, &mut left, visit)
        }
        Kind::Zip => each_of_zip(reader, &mut left, visit),
    }
}

/// What bytes begin like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Gzip,
    Zstd,
    Zip,
}

impl Kind {
    fn of(magic: &[u8]) -> Self {
        match magic {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or a frame to be skipped, which some compressors write first.
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6] => Self::Zip,
            _ => Self::Plain,
        }
    }
}

fn each_of_zip<E: From<FileRefusal>>(
    reader: impl Read + Seek,
    left: &mut u64,
    visit: &mut dyn FnMut(&str, &mut dyn BufRead) -> Result<(), E>,
) -> Result<(), E> {
    let broken = |error: zip::result::ZipError| FileRefusal::Archive { what: error.to_string() };
    let refused = |what: &str| FileRefusal::Archive { what: what.to_owned() };
    let mut archive = ZipArchive::new(BufReader::with_capacity(BUFFER_SIZE, reader)).map_err(broken)?;
    if archive.len() > MEMBER_COUNT_MAX {
        let limit = u64::try_from(MEMBER_COUNT_MAX).unwrap_or(u64::MAX);
        return Err(FileRefusal::TooLarge { what: "members of an archive", limit }.into());
    }
    if archive.has_overlapping_entries().map_err(broken)? {
        return Err(refused("members overlap").into());
    }
    let mut file_count = 0;
    for at in 0..archive.len() {
        let member = archive.by_index(at).map_err(broken)?;
        if member.is_dir() {
            continue;
        }
        if member.is_symlink() || member.encrypted() {
            return Err(refused("a member is a link or needs a password").into());
        }
        let name = member.name().map(|name| display_name(&name)).map_err(broken)?;
        visit_unpacked(&name, member, left, visit)?;
        file_count += 1;
    }
    if file_count == 0 { Err(refused("no files in it").into()) } else { Ok(()) }
}

/// Reads frame after frame to the end of the file.
fn unpacked_zstd(reader: impl Read) -> io::Result<impl Read> {
    let mut decoder = ZstdDecoder::with_buffer(BufReader::with_capacity(BUFFER_SIZE, reader))?;
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(Zstd(decoder))
}

/// Tells what the library says of the bytes apart from what the system says of the file.
struct Zstd<R: BufRead>(ZstdDecoder<'static, R>);

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match (error.kind(), error.raw_os_error()) {
            (io::ErrorKind::Other, None) => io::Error::new(io::ErrorKind::InvalidData, error),
            _ => error,
        })
    }
}

/// The last part of a member's path, without control characters.
fn display_name(path: &str) -> String {
    let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|character| !character.is_control()).take(200).collect()
}

fn visit_unpacked<E: From<FileRefusal>>(
    name: &str,
    unpacked: impl Read,
    left: &mut u64,
    visit: &mut dyn FnMut(&str, &mut dyn BufRead) -> Result<(), E>,
) -> Result<(), E> {
    let capped = Capped { inner: unpacked, limit: *left, left };
    let mut bytes = BufReader::with_capacity(BUFFER_SIZE, capped);
    let magic = bytes.fill_buf().map_err(FileRefusal::from_io)?;
    if Kind::of(&magic[..magic.len().min(4)]) != Kind::Plain {
        return Err(FileRefusal::Archive { what: "an archive inside an archive".to_owned() }.into());
    }
    visit(name, &mut bytes)
}

/// Fails once more than `left` bytes have come out.
struct Capped<'a, R> {
    inner: R,
    limit: u64,
    left: &'a mut u64,
}

impl<R: Read> Read for Capped<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.inner.read(buffer)?;
        match self.left.checked_sub(u64::try_from(size).unwrap_or(u64::MAX)) {
            Some(left) => {
                *self.left = left;
                Ok(size)
            }
            None => Err(io::Error::other(ExpansionLimit(self.limit))),
        }
    }
}
