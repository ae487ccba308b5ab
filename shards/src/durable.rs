//! Whole files that survive a power cut, or were never there.
//!
//! ```text
//!   write <name>.tmp ─▶ fsync it ─▶ rename to <name> ─▶ fsync the folder
//!        │                 │              │                   └ a crash after this: the whole file
//!        │                 │              └ a crash here: the old file or the whole new one
//!        └─────────────────┴ a crash here: a stray <name>.tmp, overwritten by the next attempt
//! ```
//!
//! What is longer than [`GATHERED_SIZE`] goes past the page cache: it is copied once less, and does not wait for the sync.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::direct::{self, AlignedBuffer, BLOCK_SIZE};

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than the reader takes.
    #[error("cannot read {}: {size} bytes, at most {max}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// The path has no file name, or no folder.
    #[error("{} does not name a file", .0.display())]
    NotAFile(PathBuf),
}

impl DurableError {
    /// For `map_err`: names the action and the path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// Writes a whole file; when this returns, it survives a power cut. Replaces a file of that name.
///
/// # Errors
/// [`DurableError`]. After a failed sync nothing is retried: the system may have dropped the bytes and forgot.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let mut file = DurableFile::create(path)?;
    file.write(bytes)?;
    file.commit()
}

/// Writes a file that a process which ends here finds whole or as it was; a power cut may leave less. For what can be made
/// again. Replaces a file of that name.
///
/// # Errors
/// [`DurableError`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let temporary = temporary_of(path)?;
    // A crash here leaves a stray <name>.tmp, overwritten by the next attempt.
    fs::write(&temporary, bytes).map_err(DurableError::io("write", &temporary))?;
    fs::rename(&temporary, path).map_err(DurableError::io("rename to", path))
}

/// The name under which a file is written before it has its own.
fn temporary_of(path: &Path) -> Result<PathBuf, DurableError> {
    let name = path.file_name().ok_or_else(|| DurableError::NotAFile(path.to_owned()))?;
    let mut temporary_name = OsString::from(name);
    temporary_name.push(".tmp");
    Ok(path.with_file_name(temporary_name))
}

/// Bytes that are gathered before they are written.
pub const GATHERED_SIZE: usize = 4 << 20;
const _: () = assert!(GATHERED_SIZE.is_multiple_of(BLOCK_SIZE));

/// A file that is written piece by piece, and is there when it is whole.
#[derive(Debug)]
pub struct DurableFile {
    /// Past the page cache; `None` before the first write and while it rests.
    direct: Option<File>,
    gathered: AlignedBuffer,
    /// Where the gathered bytes belong.
    offset: u64,
    temporary: PathBuf,
    path: PathBuf,
}

impl DurableFile {
    /// Begins `<name>.tmp`.
    ///
    /// # Errors
    /// [`DurableError`].
    pub fn create(path: &Path) -> Result<Self, DurableError> {
        let temporary = temporary_of(path)?;
        File::create(&temporary).map_err(DurableError::io("create", &temporary))?;
        let (gathered, path) = (AlignedBuffer::default(), path.to_owned());
        Ok(Self { direct: None, gathered, offset: 0, temporary, path })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`DurableError`].
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), DurableError> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(GATHERED_SIZE - self.gathered.len()));
            self.gathered.extend(now);
            bytes = later;
            if self.gathered.len() == GATHERED_SIZE {
                self.write_blocks()?;
            }
        }
        Ok(())
    }

    /// Makes what was written so far durable but for less than a block, so that less is left to
    /// [`DurableFile::commit`].
    ///
    /// # Errors
    /// [`DurableError`]. After a failed sync nothing is retried.
    pub fn sync(&mut self) -> Result<(), DurableError> {
        self.write_blocks()?;
        match &self.direct {
            Some(direct) => direct.sync_data().map_err(DurableError::io("sync", &self.temporary)),
            None => Ok(()),
        }
    }

    /// Gives the system's handle and the room for gathered bytes back until more is written: of files written in turn
    /// there may be more than a program may hold open.
    ///
    /// # Errors
    /// [`DurableError`].
    pub fn rest(&mut self) -> Result<(), DurableError> {
        // Whoever opens it again is not told of writes that failed before, so these are made durable first.
        self.sync()?;
        self.direct = None;
        let mut gathered = AlignedBuffer::default();
        gathered.extend(self.gathered.as_slice());
        self.gathered = gathered;
        Ok(())
    }

    /// Writes what is gathered but for less than a block.
    fn write_blocks(&mut self) -> Result<(), DurableError> {
        let (blocks, rest) = self.gathered.as_slice().split_at(self.gathered.len() / BLOCK_SIZE * BLOCK_SIZE);
        if blocks.is_empty() {
            return Ok(());
        }
        let direct = match &mut self.direct {
            Some(direct) => direct,
            none => none.insert(direct::open_to_write(&self.temporary)?),
        };
        // A crash from here leaves a torn <name>.tmp, which nobody reads.
        direct.write_all_at(blocks, self.offset).map_err(DurableError::io("write", &self.temporary))?;
        self.offset += u64::try_from(blocks.len()).expect("a size in memory fits u64");
        let rest = rest.to_vec();
        self.gathered.clear();
        self.gathered.extend(&rest);
        Ok(())
    }

    /// Gives the file its name; when this returns, it survives a power cut. Replaces a file of that name.
    ///
    /// # Errors
    /// [`DurableError`]. After a failed sync nothing is retried.
    pub fn commit(self) -> Result<(), DurableError> {
        let opened = File::options().write(true).open(&self.temporary);
        let file = opened.map_err(DurableError::io("open", &self.temporary))?;
        // The end of the file is no whole block.
        let written = file.write_all_at(self.gathered.as_slice(), self.offset);
        written.map_err(DurableError::io("write", &self.temporary))?;
        // The rename must not overtake the content, so the content is made durable first.
        file.sync_all().map_err(DurableError::io("sync", &self.temporary))?;
        drop(file);
        // A crash here leaves a whole <name>.tmp; the next attempt writes the same bytes again.
        rename_durably(&self.temporary, &self.path)
    }
}

/// Renames a durable file within its folder, over one of that name; when this returns, it survives a power cut.
///
/// # Errors
/// [`DurableError`].
pub fn rename_durably(from: &Path, to: &Path) -> Result<(), DurableError> {
    fs::rename(from, to).map_err(DurableError::io("rename to", to))?;
    // A crash here leaves either name; each is whole.
    sync_folder(folder_of(to)?)
}

/// Removes a file, if there is one.
///
/// # Errors
/// [`DurableError`].
pub fn remove_if_there(path: &Path) -> Result<(), DurableError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(DurableError::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Creates a folder and those above it; when this returns, each survives a power cut.
///
/// # Errors
/// [`DurableError`].
pub fn create_folder_durably(folder: &Path) -> Result<(), DurableError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder_of(folder)?;
    create_folder_durably(parent)?;
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) => return Err(DurableError::io("create folder", folder)(error)),
    }
    // A crash before this may lose the empty folder, and nothing else.
    sync_folder(parent)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// [`DurableError`].
pub fn sync_folder(folder: &Path) -> Result<(), DurableError> {
    let handle = File::open(folder).map_err(DurableError::io("open folder", folder))?;
    handle.sync_all().map_err(DurableError::io("sync folder", folder))
}

/// Reads a whole file of at most `max` bytes. The size the system reports is never trusted for more than a
/// first guess.
///
/// # Errors
/// [`DurableError`].
pub fn read_limited(path: &Path, max: u64) -> Result<Vec<u8>, DurableError> {
    let mut file = File::open(path).map_err(DurableError::io("open", path))?;
    read_handle_limited(&mut file, path, max)
}

/// As [`read_limited`], from an open file's present position.
pub(crate) fn read_handle_limited(file: &mut File, path: &Path, max: u64) -> Result<Vec<u8>, DurableError> {
    let size = file.metadata().map_err(DurableError::io("stat", path))?.len();
    if size > max {
        return Err(DurableError::TooLarge { path: path.to_owned(), size, max });
    }
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(DurableError::io("read", path))?;
    let read_size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if read_size > max {
        return Err(DurableError::TooLarge { path: path.to_owned(), size: read_size, max });
    }
    Ok(bytes)
}

/// The folder a path lies in: `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> Result<&Path, DurableError> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(DurableError::NotAFile(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_files_are_whole_and_leave_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b=1/c");
        create_folder_durably(&deep).unwrap();
        create_folder_durably(&deep).unwrap();
        let path = deep.join("part-1.x");
        // What a crash in the middle of an earlier attempt left.
        fs::write(deep.join("part-1.x.tmp"), b"torn").unwrap();
        let mut file = DurableFile::create(&path).unwrap();
        for part in [&b"fi"[..], b"rs", b"t"] {
            file.write(part).unwrap();
            file.rest().unwrap();
        }
        file.commit().unwrap();
        assert_eq!(read_limited(&path, 6).unwrap(), b"first");
        write_durably(&path, b"second").unwrap();
        assert_eq!(read_limited(&path, 6).unwrap(), b"second");
        write_whole(&path, b"third").unwrap();
        assert_eq!(read_limited(&path, 6).unwrap(), b"third");
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 1);
    }

    #[test]
    fn long_files_are_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        for size in [GATHERED_SIZE - 1, GATHERED_SIZE, GATHERED_SIZE + 1, 2 * GATHERED_SIZE + 4_097] {
            let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
            for piece in [900_001, 1_000_003, size] {
                let mut file = DurableFile::create(&path).unwrap();
                for part in bytes.chunks(piece) {
                    file.write(part).unwrap();
                    if part.len() < 1_000_000 {
                        file.rest().unwrap();
                    }
                }
                file.commit().unwrap();
                assert!(read_limited(&path, 1 << 30).unwrap() == bytes, "{size} bytes in pieces of {piece}");
            }
        }
    }

    #[test]
    fn refusals_name_the_file_and_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, b"12345").unwrap();
        let error = read_limited(&path, 4).unwrap_err().to_string();
        assert!(error.ends_with("x: 5 bytes, at most 4"), "{error}");
        let error = write_durably(&folder.path().join("absent/x"), b"").unwrap_err().to_string();
        assert!(error.starts_with("cannot create ") && error.contains("absent"), "{error}");
        assert!(matches!(write_durably(Path::new("/"), b""), Err(DurableError::NotAFile(_))));
    }
}
