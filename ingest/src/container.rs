//! Opens what files come in: plain, gzip, Zstandard, or zip with any number of members.
//!
//! Nothing is extracted to disk. The kind is told by the first bytes, never by the name. Expansion is capped
//! on what comes out, not on what a header promises; the memory that a Zstandard frame asks for is capped by its
//! window. An archive inside an archive is refused.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::GzDecoder;
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
/// The name of a plain or gzip file is `name`; of a member, the last part of its path, for display only. What cannot be
/// unpacked is given with a reader that fails, so that it is refused by its own name and the other members are not.
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
            let unpacked = Gzip(Some(GzDecoder::new(BufReader::with_capacity(BUFFER_SIZE, reader))));
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
        let name = archive.name_for_index(at).and_then(Result::ok).unwrap_or_default().into_owned();
        let shown = display_name(&name);
        match archive.by_index(at) {
            Ok(member) if member.is_dir() => continue,
            Ok(member) if member.is_symlink() || member.encrypted() => {
                visit_broken(&shown, "the member is a link or needs a password", visit)?;
            }
            Ok(member) => visit_unpacked(&shown, member, left, visit)?,
            // The members behind it are whole all the same.
            Err(error) => visit_broken(&shown, &format!("the member cannot be unpacked: {error}"), visit)?,
        }
        file_count += 1;
        if *left == 0 && at + 1 < archive.len() {
            return Err(refused(
                "members left unread: the ones before them fill all that an archive may expand to",
            )
            .into());
        }
    }
    if file_count == 0 { Err(refused("no files in it").into()) } else { Ok(()) }
}

/// Gives `visit` a member that cannot be read, so that it is refused by its name and the others are not.
fn visit_broken<E: From<FileRefusal>>(
    name: &str,
    what: &str,
    visit: &mut dyn FnMut(&str, &mut dyn BufRead) -> Result<(), E>,
) -> Result<(), E> {
    let error = io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    visit(name, &mut BufReader::with_capacity(1, Broken(Some(error))))
}

/// Fails with its error, and then for ever.
struct Broken(Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::InvalidData.into()))
    }
}

/// Reads member after member to the end of the file, or to the zeros that a tape or a device fills it up with.
struct Gzip<R: BufRead>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            let size = decoder.read(buffer)?;
            if size > 0 || buffer.is_empty() {
                return Ok(size);
            }
            let Some(mut rest) = self.0.take().map(GzDecoder::into_inner) else { break };
            match rest.fill_buf()?.first() {
                None => break,
                Some(0) => return pass_zeros(&mut rest).map(|()| 0),
                Some(_) => self.0 = Some(GzDecoder::new(rest)),
            }
        }
        Ok(0)
    }
}

/// Fails unless only zeros follow.
fn pass_zeros(rest: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let part = rest.fill_buf()?;
        if part.is_empty() {
            return Ok(());
        }
        if part.iter().any(|&byte| byte != 0) {
            let what = "something follows the zeros behind the end of a gzip file";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let size = part.len();
        rest.consume(size);
    }
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
    let kind = match bytes.fill_buf() {
        Ok(magic) => Kind::of(&magic[..magic.len().min(4)]),
        Err(error) => return visit(name, &mut BufReader::with_capacity(1, Broken(Some(error)))),
    };
    match kind {
        Kind::Plain => visit(name, &mut bytes),
        _ => visit_broken(name, "an archive inside an archive", visit),
    }
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
            None => {
                *self.left = 0;
                Err(io::Error::other(ExpansionLimit(self.limit)))
            }
        }
    }
}
