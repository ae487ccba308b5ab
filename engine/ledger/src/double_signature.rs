//! Evidence that a key signed two histories: two heads of one log and size with different roots, in a text that stands by itself.
//!
//! ```text
//! tallywatt-evidence/v1
//! double-signature
//! note <base64 of a signed checkpoint>         the one whose root is the lower
//! note <base64 of another>                     of the same origin and size
//! ```
//!
//! - Nobody signs two roots at one size: the sign lock is stored before a signature leaves. So whoever did is at fault, or has lost the key.
//! - The text has one spelling, whichever head is found first; who made it does not matter, and it needs no signature.
//! - A line that does not hold convicts nobody, and acquits nobody else. Which history is right is not said.
//!
//! Bytes in `FORMAT.md` §8.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError, shortened};
use crate::key::VerifierKey;
use crate::log::LogHash;
use crate::note::{NOTE_SIZE_MAX, Note, NoteError, SignatureLine};
use crate::policy::Policy;

/// How every evidence begins, whatever its version.
pub const EVIDENCE_MARK: &[u8] = b"tallywatt-evidence/";

/// Most bytes in the text: two notes in base64, and 1 KiB for the rest.
pub const EVIDENCE_SIZE_MAX: usize = 2 * NOTE_SIZE_MAX.div_ceil(3) * 4 + 1024;

const HEAD: &str = "tallywatt-evidence/v1\ndouble-signature\n";

/// Why a text is no evidence, or convicts nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// The text is too long.
    #[error("evidence has {bytes} bytes, at most {EVIDENCE_SIZE_MAX}")]
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// Another version, which may be sound.
    #[error("evidence begins with {found:?}, this reads tallywatt-evidence/v1 only")]
    Version {
        /// The first line, cut to its first characters.
        found: String,
    },
    /// Not the four lines, or not in their one spelling.
    #[error("evidence is not its four lines in their one spelling")]
    Shape,
    /// A note that is none.
    #[error("cannot read note {number}: {cause}")]
    Note {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        cause: NoteError,
    },
    /// A note whose text is no checkpoint.
    #[error("cannot read the head of note {number}: {cause}")]
    Checkpoint {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        cause: CheckpointError,
    },
    /// Heads of two logs.
    #[error("the heads are of {first} and of {second}: two logs may differ")]
    Origins {
        /// Origin of one.
        first: String,
        /// Origin of the other.
        second: String,
    },
    /// Heads of two sizes.
    #[error("the heads are of size {first} and {second}: a log may grow")]
    Sizes {
        /// Size of one.
        first: u64,
        /// Size of the other.
        second: u64,
    },
    /// One head twice.
    #[error("both heads have root {root}: one history")]
    OneRoot {
        /// The root.
        root: LogHash,
    },
    /// No key that the policy knows signed both.
    #[error("no key that the policy knows signed both heads of size {size}")]
    Nobody {
        /// Size of the heads.
        size: u64,
    },
}

/// A key that signed both heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubleSigner {
    /// The witness as the policy names it, or the name of a log key.
    pub name: String,
    /// Name and id of the key.
    pub key: String,
    /// The times in both lines of a witness, Unix seconds.
    pub times_unix_s: Option<[u64; 2]>,
}

/// Two heads of one log and size, well-formed; who signed them is for [`DoubleSignature::signers`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubleSignature {
    notes: [Note; 2],
    heads: [Checkpoint; 2],
}

impl DoubleSignature {
    /// Puts two signed heads side by side, in either order.
    ///
    /// # Errors
    /// [`EvidenceError`] unless they are of one origin and size, with two roots.
    pub fn new(one: Note, other: Note) -> Result<DoubleSignature, EvidenceError> {
        let head = |note: &Note, number| {
            Checkpoint::parse(note.text()).map_err(|cause| EvidenceError::Checkpoint { number, cause })
        };
        let heads = [head(&one, 1)?, head(&other, 2)?];
        let [first, second] = &heads;
        if first.origin() != second.origin() {
            let (first, second) = (first.origin().to_owned(), second.origin().to_owned());
            return Err(EvidenceError::Origins { first, second });
        }
        if first.size() != second.size() {
            return Err(EvidenceError::Sizes { first: first.size(), second: second.size() });
        }
        if first.root() == second.root() {
            return Err(EvidenceError::OneRoot { root: first.root() });
        }
        let (mut notes, mut heads) = ([one, other], heads);
        if heads[0].root() > heads[1].root() {
            notes.reverse();
            heads.reverse();
        }
        Ok(DoubleSignature { notes, heads })
    }

    /// Reads an evidence.
    ///
    /// # Errors
    /// [`EvidenceError`] for every text that [`DoubleSignature::encode`] would not write.
    pub fn parse(bytes: &[u8]) -> Result<DoubleSignature, EvidenceError> {
        if bytes.len() > EVIDENCE_SIZE_MAX {
            return Err(EvidenceError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| EvidenceError::Shape)?;
        let first_line = text.split('\n').next().unwrap_or_default();
        if bytes.starts_with(EVIDENCE_MARK) && !HEAD.starts_with(&format!("{first_line}\n")) {
            return Err(EvidenceError::Version { found: shortened(first_line) });
        }
        let rest = text.strip_prefix(HEAD).ok_or(EvidenceError::Shape)?;
        let lines: Vec<&str> = rest.split('\n').collect();
        let [one, other, ""] = lines[..] else { return Err(EvidenceError::Shape) };
        let evidence = DoubleSignature::new(parse_note(one, 1)?, parse_note(other, 2)?)?;
        if evidence.encode() == text { Ok(evidence) } else { Err(EvidenceError::Shape) }
    }

    /// Writes the evidence.
    pub fn encode(&self) -> String {
        let [one, other] = self.notes.each_ref().map(|note| STANDARD.encode(note.encode()));
        format!("{HEAD}note {one}\nnote {other}\n")
    }

    /// Both heads, the one with the lower root first.
    pub fn heads(&self) -> &[Checkpoint; 2] {
        &self.heads
    }

    /// The keys of the policy that signed both heads: logs first, then witnesses, in the policy's order; at least one.
    ///
    /// # Errors
    /// [`EvidenceError::Nobody`].
    pub fn signers(&self, policy: &Policy) -> Result<Vec<DoubleSigner>, EvidenceError> {
        let mut signers = Vec::new();
        for key in policy.logs() {
            let holds = |note: &Note, line: &SignatureLine| key.verify_signature(note.text(), line).ok();
            if self.both(key, holds).is_some() {
                let name = key.name().to_owned();
                signers.push(DoubleSigner { name, key: key.key(), times_unix_s: None });
            }
        }
        for (name, key) in policy.witnesses() {
            let holds = |note: &Note, line: &SignatureLine| key.verify_cosignature(note.text(), line).ok();
            if let Some(times) = self.both(key, holds) {
                signers.push(DoubleSigner {
                    name: name.to_owned(),
                    key: key.key(),
                    times_unix_s: Some(times),
                });
            }
        }
        if signers.is_empty() {
            return Err(EvidenceError::Nobody { size: self.heads[0].size() });
        }
        Ok(signers)
    }

    /// What a key's lines say under both notes, if both hold.
    fn both<T>(
        &self,
        key: &VerifierKey,
        holds: impl Fn(&Note, &SignatureLine) -> Option<T>,
    ) -> Option<[T; 2]> {
        let of = |note: &Note| {
            let line = note.signatures().iter().find(|line| key.is_named_by(line))?;
            holds(note, line)
        };
        Some([of(&self.notes[0])?, of(&self.notes[1])?])
    }
}

fn parse_note(line: &str, number: usize) -> Result<Note, EvidenceError> {
    let code = line.strip_prefix("note ").ok_or(EvidenceError::Shape)?;
    let bytes = STANDARD.decode(code).map_err(|_| EvidenceError::Shape)?;
    let text = String::from_utf8(bytes).map_err(|_| EvidenceError::Shape)?;
    Note::parse(&text).map_err(|cause| EvidenceError::Note { number, cause })
}
