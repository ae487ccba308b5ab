//! Why a whole file is refused. Nothing of a refused file may be used.

use std::io;

/// Why nothing of a file may be used. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
pub enum FileRefusal {
    /// No bytes.
    #[error("file is empty")]
    Empty,
    /// So much was set aside that the rest is not worth reading.
    #[error("more than {limit} rows are set aside: the file is not what its profile says")]
    SetAside {
        /// As many are kept.
        limit: usize,
    },
    /// Not text in the encoding that the profile or the file declares.
    #[error("line {line}: not text in {encoding}")]
    NotText {
        /// Where.
        line: u64,
        /// The declared encoding.
        encoding: &'static str,
    },
    /// A column that the profile neither names nor ignores.
    #[error("line {line}: column {column:?} is not in the profile, which has {expected}")]
    UnknownColumn {
        /// The column's name, cut to a printable length.
        column: String,
        /// Line of the header.
        line: u64,
        /// The columns that the profile names, in its words.
        expected: String,
    },
    /// A column that the profile names is not there.
    #[error("line {line}: column {column:?} of the profile is missing")]
    MissingColumn {
        /// The column's name.
        column: String,
        /// Line of the header.
        line: u64,
    },
    /// The file does not begin as its format begins.
    #[error("line {line}: {what}")]
    Header {
        /// Where.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The file ends before its format ends.
    #[error("line {line}: file is cut off: {what}")]
    Truncated {
        /// The last line there is.
        line: u64,
        /// What is missing.
        what: String,
    },
    /// A limit of the decoder.
    #[error("{what}: more than {limit}")]
    TooLarge {
        /// What there is too much of, with its unit.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Not well-formed, or a part of XML that is never taken: document types, entities, deep nesting.
    #[error("line {line}: {what}")]
    Xml {
        /// Where.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The file is sound and holds no values.
    #[error("file holds no readings")]
    NoReadings,
    /// The file is of another format than the profile says.
    #[error("line {line}: {what}")]
    NotThisFormat {
        /// Where.
        line: u64,
        /// What it is instead.
        what: String,
    },
    /// A day-block frame that is not canonical.
    #[error("frame {frame}: {what}")]
    Frame {
        /// Which frame, counted from 1.
        frame: u64,
        /// What is wrong with it.
        what: String,
    },
    /// An archive that cannot be opened, or that holds what is never taken: archives, links, passwords.
    #[error("archive: {what}")]
    Archive {
        /// What is wrong with it.
        what: String,
    },
    /// A file that a helper process has to read, and could not.
    #[error("cannot read the file: {what}")]
    Foreign {
        /// What the helper said, or how it ended.
        what: String,
    },
    /// The file cannot be read.
    #[error("cannot read the file: {0}")]
    Io(#[source] io::Error),
}

impl FileRefusal {
    /// What the person who sent the file can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Empty => "export the file again and check that it was copied whole",
            Self::NotText { .. } => {
                "set `encoding` in the profile to the file's encoding, or save the file as UTF-8"
            }
            Self::UnknownColumn { .. } => {
                "name the column in the profile's [columns] table, or list it under ignore"
            }
            Self::MissingColumn { .. } => "mend the column's name in the profile's [columns] table",
            Self::Header { .. } => {
                "check that the file matches the profile, and that its first lines are whole"
            }
            Self::Truncated { .. } => "fetch the file again: its end is missing",
            Self::TooLarge { .. } => "split the file and send its parts",
            Self::SetAside { .. } => "choose the profile that fits, and see what was set aside first",
            Self::Xml { .. } => "ask the sender for a well-formed file",
            Self::NoReadings => "check the period that the export was asked for",
            Self::NotThisFormat { .. } => "choose the profile of the file's own format",
            Self::Frame { .. } => "write the frames again from their source",
            Self::Archive { .. } => {
                "fetch the file again; if it opens elsewhere, unpack it and send the files in it"
            }
            Self::Foreign { .. } => {
                "check that the file opens elsewhere, and that the profile names its columns; then fetch it again"
            }
            Self::Io(_) => "check that the file can be opened, and try again",
        }
    }

    /// Where in the file it is, where that is a line.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::NotText { line, .. }
            | Self::UnknownColumn { line, .. }
            | Self::MissingColumn { line, .. }
            | Self::Header { line, .. }
            | Self::Truncated { line, .. }
            | Self::Xml { line, .. }
            | Self::NotThisFormat { line, .. } => Some(*line),
            Self::Empty
            | Self::TooLarge { .. }
            | Self::SetAside { .. }
            | Self::NoReadings
            | Self::Frame { .. }
            | Self::Archive { .. }
            | Self::Foreign { .. }
            | Self::Io(_) => None,
        }
    }

    /// From a read that failed: a limit that a reader of this crate set, or the world.
    #[must_use]
    pub fn from_io(error: io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<ExpansionLimit>()) {
            Some(limit) => Self::TooLarge { what: "expanded size in bytes", limit: limit.0 },
            // What the system says of a file has its number; what a decompressor says of the bytes has none.
            None if error.raw_os_error().is_none()
                && matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
                ) =>
            {
                Self::Archive { what: error.to_string() }
            }
            None => Self::Io(error),
        }
    }
}

/// A compressed file grew past its limit, in bytes. Travels inside an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("compressed data expands past {0} bytes")]
pub(crate) struct ExpansionLimit(pub(crate) u64);

/// At most 80 characters of a name from outside, for a message.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
