//! Signed notes: a text and the lines of those who signed it.
//!
//! ```text
//! tallywatt.example/region-66                          text: one or more lines
//! 37
//! J8kmCWcYgKAOmFCvVm8bl7bXl1DvRgOiv7A8NcDa7gI=
//!                                                      one empty line
//! — grid.example b64(key id[4] ‖ signature)            one line a signature
//! — bank.example b64(key id[4] ‖ signature)
//! ```
//!
//! - A note has one spelling: what [`Note::parse`] takes, [`Note::encode`] gives back byte for byte.
//! - A [`SignatureLine`] alone says nothing; only a [`VerifierKey`](crate::key::VerifierKey) turns it into a fact.
//! - Stricter than the standard: one line a key and note. Also in `FORMAT.md` §5.
//!
//! Source: C2SP signed-note.
//!
//! ```
//! use tallywatt_ledger::key::Cosigner;
//! use tallywatt_ledger::note::Note;
//!
//! let bank = Cosigner::from_seed("bank.example", &[7; 32])?;
//! let line = bank.sign_cosignature("hello\n", 1_795_000_000)?;
//! let note = Note::new("hello\n", vec![line])?;
//! let note = Note::parse(&note.encode())?;
//! let time = bank.verifier_key().verify_cosignature(note.text(), &note.signatures()[0])?;
//! assert_eq!(time, 1_795_000_000);
//! # Ok::<(), tallywatt_ledger::note::NoteError>(())
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{COSIGNATURE_TIME_MAX, KEY_ID_SIZE, KEY_NAME_SIZE_MAX, KeyId, KeyKind, check_name};

/// Most bytes in a note, signatures included.
pub const NOTE_SIZE_MAX: usize = 64 * 1024;

/// Most signature lines in a note: the count that every reader of notes must take.
pub const SIGNATURE_COUNT_MAX: usize = 16;

/// Most bytes of a signature behind its key id: room for the kinds we do not check (ML-DSA-44 takes 2,428).
pub const SIGNATURE_SIZE_MAX: usize = 8 * 1024;

const SIGNATURE_MARK: &str = "\u{2014} ";

/// Why a note, a key or a signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note is too long.
    #[error("note has {bytes} bytes, at most {NOTE_SIZE_MAX}")]
    NoteSize {
        /// Bytes found.
        bytes: usize,
    },
    /// The text of a note does not end in a newline.
    #[error("note text of {bytes} bytes does not end in a newline")]
    TextEnd {
        /// Bytes in the text.
        bytes: usize,
    },
    /// A control character other than newline.
    #[error("note has control character {code:#04x} at byte {offset}, only newline is allowed")]
    ControlCharacter {
        /// The character.
        code: u32,
        /// Its place from the start of the text or note.
        offset: usize,
    },
    /// No empty line between text and signatures.
    #[error("note of {bytes} bytes has no empty line before its signatures")]
    NoSeparator {
        /// Bytes found.
        bytes: usize,
    },
    /// Not between one and [`SIGNATURE_COUNT_MAX`] signature lines.
    #[error("note has {count} signatures, 1 to {SIGNATURE_COUNT_MAX} needed")]
    SignatureCount {
        /// Lines found.
        count: usize,
    },
    /// A signature line that is not mark, name and base64, parted by single spaces, with a newline at its end.
    #[error("signature line {line} is not an em dash, a key name and base64 between single spaces")]
    SignatureLine {
        /// The line, counted from 1 after the empty line.
        line: usize,
    },
    /// The base64 of a line is not canonical, or holds no signature, or too much of one.
    #[error(
        "signature of {name} is not the padded base64 of {KEY_ID_SIZE} key id bytes and 1 to {SIGNATURE_SIZE_MAX} more"
    )]
    SignatureBytes {
        /// The key name of the line.
        name: String,
    },
    /// Two lines of one key.
    #[error("note has two signatures of key {key}")]
    SignedTwice {
        /// Name and id of the key.
        key: String,
    },
    /// A key name that is empty, too long, or has a space, a plus or a control character.
    #[error(
        "key name {name:?} is not 1 to {KEY_NAME_SIZE_MAX} bytes without spaces, plus and control characters"
    )]
    KeyName {
        /// The name, cut to its first characters.
        name: String,
    },
    /// A verifier key that is not name, id and base64 joined by plus signs.
    #[error(
        "verifier key of {bytes} bytes is not a name, 8 lower-case hex digits and base64, joined by plus"
    )]
    KeyShape {
        /// Bytes found.
        bytes: usize,
    },
    /// A kind of key that is not used here.
    #[error("key {name} is of kind {algorithm:#04x}, only 0x01 and 0x04 are known")]
    KeyAlgorithm {
        /// The key name.
        name: String,
        /// The byte before the public key.
        algorithm: u8,
    },
    /// A public key that is no point of the curve, or one of the few whose signatures fit many texts.
    #[error("public key of {name} is not a usable Ed25519 key")]
    KeyPoint {
        /// The key name.
        name: String,
    },
    /// The id written in a verifier key is not the id of its key.
    #[error("key {name} is written with id {found}, its bytes have id {expected}")]
    KeyIdMismatch {
        /// The key name.
        name: String,
        /// The id as written.
        found: KeyId,
        /// The id that name, kind and public key give.
        expected: KeyId,
    },
    /// A key of one kind was asked to check a line of the other.
    #[error("key {key} is a {found} key, expected a {expected} key")]
    WrongKind {
        /// Name and id of the key.
        key: String,
        /// The kind it is.
        found: KeyKind,
        /// The kind needed.
        expected: KeyKind,
    },
    /// The line names another key.
    #[error("signature is by key {found}, expected {expected}")]
    OtherKey {
        /// Name and id in the line.
        found: String,
        /// Name and id of the key.
        expected: String,
    },
    /// A signature of a length that its kind does not have.
    #[error("signature of key {key} has {bytes} bytes, exactly {expected} needed")]
    SignatureSize {
        /// Name and id of the key.
        key: String,
        /// Bytes found, without the key id.
        bytes: usize,
        /// Bytes that the kind has.
        expected: usize,
    },
    /// A time past the end of signed 64-bit seconds.
    #[error("cosignature time {time_unix_s} s is above the limit of {COSIGNATURE_TIME_MAX} s")]
    Time {
        /// Seconds since 1970.
        time_unix_s: u64,
    },
    /// The signature does not fit the text.
    #[error("signature of key {key} does not fit the text")]
    BadSignature {
        /// Name and id of the key.
        key: String,
    },
}

/// A text with at least one signature line, well-formed but not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// Puts a note together.
    ///
    /// # Errors
    /// [`NoteError::TextEnd`], [`NoteError::ControlCharacter`], [`NoteError::SignatureCount`],
    /// [`NoteError::SignedTwice`] and [`NoteError::NoteSize`], each for the limit it names.
    pub fn new(text: &str, signatures: Vec<SignatureLine>) -> Result<Note, NoteError> {
        check_text(text)?;
        let count = signatures.len();
        if count == 0 || count > SIGNATURE_COUNT_MAX {
            return Err(NoteError::SignatureCount { count });
        }
        for (place, line) in signatures.iter().enumerate() {
            if signatures[..place].iter().any(|other| other.name == line.name && other.key_id == line.key_id)
            {
                return Err(NoteError::SignedTwice { key: line.key() });
            }
        }
        let note = Note { text: text.to_owned(), signatures };
        check_size(note.encode().len())?;
        Ok(note)
    }

    /// Reads a note. The last empty line parts text from signatures, so the text may have empty lines of its own.
    ///
    /// # Errors
    /// Any [`NoteError`] about notes, lines and names; every text that [`Note::encode`] would not write is refused.
    pub fn parse(note: &str) -> Result<Note, NoteError> {
        let bytes = note.len();
        check_size(bytes)?;
        let cut = note.rfind("\n\n").ok_or(NoteError::NoSeparator { bytes })?;
        let (text, lines) = (&note[..=cut], &note[cut + 2..]);
        let count = lines.split_inclusive('\n').count();
        if count > SIGNATURE_COUNT_MAX {
            return Err(NoteError::SignatureCount { count });
        }
        let signatures = lines
            .split_inclusive('\n')
            .zip(1..)
            .map(|(line, number)| SignatureLine::parse(line, number))
            .collect::<Result<_, _>>()?;
        Note::new(text, signatures)
    }

    /// Writes the note: text, empty line, one line a signature.
    pub fn encode(&self) -> String {
        let mut note = format!("{}\n", self.text);
        for line in &self.signatures {
            note.push_str(&line.encode());
        }
        note
    }

    /// The signed text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order, one to [`SIGNATURE_COUNT_MAX`].
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }
}

/// One line under a note: who signed, and the bytes of the signature. Nothing about it is checked but its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    name: String,
    key_id: KeyId,
    signature: Vec<u8>,
}

impl SignatureLine {
    /// Puts a line together from a key name, a key id and the signature behind that id.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], or [`NoteError::SignatureBytes`] unless the signature has 1 to [`SIGNATURE_SIZE_MAX`] bytes.
    pub fn new(name: &str, key_id: KeyId, signature: Vec<u8>) -> Result<SignatureLine, NoteError> {
        check_name(name)?;
        let name = name.to_owned();
        if signature.is_empty() || signature.len() > SIGNATURE_SIZE_MAX {
            return Err(NoteError::SignatureBytes { name });
        }
        Ok(SignatureLine { name, key_id, signature })
    }

    /// The name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The signature, without the key id.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Name and id of the key, as in `bank.example+1a2b3c4d`.
    pub fn key(&self) -> String {
        format!("{}+{}", self.name, self.key_id)
    }

    /// Reads a line with its newline; `number` is its place under the note, from 1.
    fn parse(line: &str, number: usize) -> Result<SignatureLine, NoteError> {
        let (name, code) = line
            .strip_prefix(SIGNATURE_MARK)
            .and_then(|rest| rest.strip_suffix('\n'))
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::SignatureLine { line: number })?;
        check_name(name)?;
        let refused = || NoteError::SignatureBytes { name: name.to_owned() };
        let bytes = STANDARD.decode(code).map_err(|_| refused())?;
        let (key_id, signature) = bytes.split_first_chunk().ok_or_else(refused)?;
        SignatureLine::new(name, KeyId(*key_id), signature.to_vec())
    }

    /// Writes the line, with its newline.
    pub fn encode(&self) -> String {
        let bytes = [&self.key_id.0, self.signature.as_slice()].concat();
        format!("{SIGNATURE_MARK}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

pub(crate) fn check_text(text: &str) -> Result<(), NoteError> {
    check_size(text.len())?;
    if !text.ends_with('\n') {
        return Err(NoteError::TextEnd { bytes: text.len() });
    }
    match text.char_indices().find(|(_, character)| *character < ' ' && *character != '\n') {
        Some((offset, character)) => Err(NoteError::ControlCharacter { code: u32::from(character), offset }),
        None => Ok(()),
    }
}

fn check_size(bytes: usize) -> Result<(), NoteError> {
    if bytes > NOTE_SIZE_MAX { Err(NoteError::NoteSize { bytes }) } else { Ok(()) }
}
