//! Whole files that survive a power cut, or were never there.
//!
//! ```text
//!   write <name>.tmp ─▶ fsync it ─▶ rename to <name> ─▶ fsync the folder
//!        │                 │              │                   └ a crash after this: the whole file
//!        │                 │              └ a crash here: the old file or the whole new one
//!        └─────────────────┴ a crash here: a stray <name>.tmp, overwritten by the next attempt
//! ```

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

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

/// A file that is written piece by piece, and is there when it is whole.
#[derive(Debug)]
pub struct DurableFile {
    /// `None` while it rests.
    file: Option<File>,
    temporary: PathBuf,
    path: PathBuf,
}

impl DurableFile {
    /// Begins `<name>.tmp`.
    ///
    /// # Errors
    /// [`DurableError`].
    pub fn create(path: &Path) -> Result<Self, DurableError> {
        let name = path.file_name().ok_or_else(|| DurableError::NotAFile(path.to_owned()))?;
        let mut temporary_name = OsString::from(name);
        temporary_name.push(".tmp");
        let temporary = path.with_file_name(temporary_name);
        let file = File::create(&temporary).map_err(DurableError::io("create", &temporary))?;
        Ok(Self { file: Some(file), temporary, path: path.to_owned() })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`DurableError`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), DurableError> {
        // A crash from here leaves a torn <name>.tmp, which nobody reads.
        let temporary = self.temporary.clone();
        self.handle()?.write_all(bytes).map_err(DurableError::io("write", &temporary))
    }

    /// Makes what was written so far durable, so that less is left to [`DurableFile::commit`].
    ///
    /// # Errors
    /// [`DurableError`]. After a failed sync nothing is retried.
    pub fn sync(&mut self) -> Result<(), DurableError> {
        let Some(file) = &self.file else { return Ok(()) };
        file.sync_data().map_err(DurableError::io("sync", &self.temporary))
    }

    /// Gives the system's handle back until more is written: of files written in turn there may be more than a
    /// program may hold open.
    ///
    /// # Errors
    /// [`DurableError`].
    pub fn rest(&mut self) -> Result<(), DurableError> {
        // Whoever opens it again is not told of writes that failed before, so these are made durable first.
        self.sync()?;
        self.file = None;
        Ok(())
    }

    /// Gives the file its name; when this returns, it survives a power cut. Replaces a file of that name.
    ///
    /// # Errors
    /// [`DurableError`]. After a failed sync nothing is retried.
    pub fn commit(mut self) -> Result<(), DurableError> {
        // The rename must not overtake the content, so the content is made durable first.
        let temporary = self.temporary.clone();
        self.handle()?.sync_all().map_err(DurableError::io("sync", &temporary))?;
        self.file = None;
        // A crash here leaves a whole <name>.tmp; the next attempt writes the same bytes again.
        rename_durably(&self.temporary, &self.path)
    }

    fn handle(&mut self) -> Result<&mut File, DurableError> {
        if self.file.is_none() {
            let file = File::options().append(true).open(&self.temporary);
            self.file = Some(file.map_err(DurableError::io("open", &self.temporary))?);
        }
        Ok(self.file.as_mut().expect("opened above"))
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
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 1);
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
