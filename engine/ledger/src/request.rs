//! What the holder of a granted key asks of a node: a signed note, and what comes with it.
//!
//! ```text
//! tallywatt/request/v1
//! <origin of the log>
//! <holder: the name of the key>
//! <what is asked>              checkpoint | denials | receipt ACCOUNT MONTH | readings PROFILE
//! <UTC seconds>
//! <content hash of what comes behind the note>
//!
//! — <holder> <signature of the holder's key, as of a log's>
//!                              an empty line, if anything comes behind
//! <what comes behind>
//! ```
//!
//! So any tool that signs notes makes one. Also in `FORMAT.md` §13. Source: C2SP signed-note.
//!
//! ```
//! use tallywatt_ledger::{key::LogSigner, note::Note, request::Request};
//!
//! let anna = LogSigner::from_seed("anna.example", &[7; 32])?;
//! let request = Request {
//!     origin: "tallywatt.example/pilot".to_owned(),
//!     holder: "anna.example".parse()?,
//!     asked: "receipt A-000017 2026-03".parse()?,
//!     time_unix_s: 1_795_000_000,
//!     body: tallywatt_ledger::digest::content_hash(b""),
//! };
//! let note = Note::new(&request.text(), vec![anna.sign(&request.text())?])?;
//! assert_eq!(Request::parse(note.text())?, request);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::str::FromStr;

use tallywatt_core::calendar::Period;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{AccountId, Label};

use crate::checkpoint::ORIGIN_SIZE_MAX;

/// The first line.
pub const REQUEST_MARK: &str = "tallywatt/request/v1";
/// The most bytes of a request's note.
pub const REQUEST_NOTE_SIZE_MAX: usize = 4_096;
/// How far the time of a request may be from the clock of who is asked, seconds: within it the same request may come again.
pub const REQUEST_WINDOW_S: u64 = 300;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The newest head that is sealed.
    Checkpoint,
    /// What was denied at this node.
    Denials,
    /// The receipt of an account's bill as it stands.
    Receipt {
        /// Whose.
        account: AccountId,
        /// Of which month.
        period: Period,
    },
    /// To take in the readings that come behind the note.
    Readings {
        /// The built-in profile by which they are read.
        profile: Label,
    },
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Denials => f.write_str("denials"),
            Self::Receipt { account, period } => write!(f, "receipt {account} {period}"),
            Self::Readings { profile } => write!(f, "readings {profile}"),
        }
    }
}

/// Why a text is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It does not begin as one.
    #[error("the text does not begin with {REQUEST_MARK}")]
    Mark,
    /// It has more lines, or fewer.
    #[error("the text has not the six lines of a request")]
    Lines,
    /// A line is not what it should be.
    #[error("{0} is none, or not as it is written")]
    Line(&'static str),
}

impl FromStr for Asked {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let fail = || RequestError::Line("what is asked");
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let asked = match word {
            "checkpoint" => Self::Checkpoint,
            "denials" => Self::Denials,
            "receipt" => {
                // The name of an account may have spaces, a month has none.
                let (account, period) = rest.rsplit_once(' ').ok_or_else(fail)?;
                let account = account.parse().map_err(|_| fail())?;
                Self::Receipt { account, period: period.parse().map_err(|_| fail())? }
            }
            "readings" => Self::Readings { profile: rest.parse().map_err(|_| fail())? },
            _ => return Err(fail()),
        };
        if asked.to_string() == text { Ok(asked) } else { Err(fail()) }
    }
}

/// The text that a holder signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Of which log.
    pub origin: String,
    /// The name of the key that signs it.
    pub holder: Label,
    /// What is asked.
    pub asked: Asked,
    /// When, UTC seconds.
    pub time_unix_s: u64,
    /// Content hash of what comes behind the note; of nothing where nothing does.
    pub body: ContentHash,
}

impl Request {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { origin, holder, asked, time_unix_s, body } = self;
        format!("{REQUEST_MARK}\n{origin}\n{holder}\n{asked}\n{time_unix_s}\n{body}\n")
    }

    /// From its text, which has one spelling.
    ///
    /// # Errors
    /// [`RequestError`] names the first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        let body = text.strip_prefix(REQUEST_MARK).and_then(|rest| rest.strip_prefix('\n'));
        let lines: Vec<&str> = body.ok_or(RequestError::Mark)?.split('\n').collect();
        let [origin, holder, asked, time, body, ""] = lines[..] else { return Err(RequestError::Lines) };
        let request = Self {
            origin: Some(origin)
                .filter(|origin| !origin.is_empty() && origin.len() <= ORIGIN_SIZE_MAX)
                .ok_or(RequestError::Line("the origin"))?
                .to_owned(),
            holder: holder.parse().map_err(|_| RequestError::Line("the holder"))?,
            asked: asked.parse()?,
            time_unix_s: time.parse().map_err(|_| RequestError::Line("the time"))?,
            body: body.parse().map_err(|_| RequestError::Line("the content hash"))?,
        };
        if request.time_unix_s.to_string() == time {
            Ok(request)
        } else {
            Err(RequestError::Line("the time"))
        }
    }
}

/// Where the note of a request ends; the byte there is the newline of an empty line, and what comes behind begins after it.
/// `None` while that line is not there.
#[must_use]
pub fn end_of_note(bytes: &[u8]) -> Option<usize> {
    // An empty line stands between text and signatures, the next one behind the signatures.
    let mut ends = (1..bytes.len()).filter(|at| bytes[at - 1] == b'\n' && bytes[*at] == b'\n');
    ends.nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

    fn text(asked: &str) -> String {
        format!("{REQUEST_MARK}\ntallywatt.test/desk\nanna.example\n{asked}\n1795000000\n{HASH}\n")
    }

    #[test]
    fn one_spelling() {
        for asked in
            ["checkpoint", "denials", "receipt A-000017 2026-03", "receipt Klant 2 2026-03", "readings nem12"]
        {
            let request = Request::parse(&text(asked)).unwrap();
            assert_eq!((request.text(), request.asked.to_string()), (text(asked), asked.to_owned()));
        }
        let good = text("checkpoint");
        let table = [
            ("v1", "v2", "does not begin with"),
            ("checkpoint", "checkpoint ", "what is asked"),
            ("checkpoint", "checkpoints", "what is asked"),
            ("checkpoint", "receipt A-1", "what is asked"),
            ("checkpoint", "receipt A-1 2026-3", "what is asked"),
            ("checkpoint", "receipt  A-1 2026-03", "what is asked"),
            ("checkpoint", "readings", "what is asked"),
            ("checkpoint", "", "what is asked"),
            ("tallywatt.test/desk", "", "the origin"),
            ("anna.example", "", "the holder"),
            ("1795000000", "01795000000", "the time"),
            ("1795000000", "-1", "the time"),
            ("1795000000", "+1", "the time"),
            ("af13", "AF13", "the content hash"),
            ("anna.example\n", "", "six lines"),
            ("anna.example", "anna.example\nx", "six lines"),
        ];
        for (from, to, want) in table {
            let error = Request::parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(want), "{from:?} → {to:?}: {error}");
        }
        assert_eq!(Request::parse(good.trim_end()), Err(RequestError::Lines));
    }

    #[test]
    fn where_a_note_ends() {
        let table: [(&[u8], Option<usize>); 6] = [
            (b"", None),
            (b"a\n\nb\n", None),
            (b"a\n\nb\n\n", Some(5)),
            (b"a\n\nb\n\nc\n\n", Some(5)),
            (b"\n\n\n", Some(2)),
            (b"a\nb\nc", None),
        ];
        for (bytes, want) in table {
            assert_eq!(end_of_note(bytes), want, "{bytes:?}");
        }
    }
}
