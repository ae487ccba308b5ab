//! Signed notes: a text and the lines of those who signed it, with the keys that make and check such lines.
//!
//! ```text
//! tallywatt.example/region-66                          text: one or more lines
//! 37
//! J8kmCWcYgKAOmFCvVm8bl7bXl1DvRgOiv7A8NcDa7gI=
//!                                                      one empty line
//! — grid.example b64(key id[4] ‖ signature)            one line a signature
//! — bank.example b64(key id[4] ‖ signature)
//!
//! log key        0x01   signature = Ed25519(text)[64]
//! cosigner key   0x04   signature = time[8, big-endian] ‖ Ed25519("cosignature/v1\ntime <time>\n" ‖ text)[64]
//! ```
//!
//! - A note has one spelling: what [`Note::parse`] takes, [`Note::encode`] gives back byte for byte.
//! - A [`SignatureLine`] alone says nothing; only a [`VerifierKey`] turns it into a fact.
//! - Stricter than the standard: one line a key and note, lower-case key ids, no weak public keys. Also in `FORMAT.md` §5.
//!
//! Source: C2SP signed-note and C2SP tlog-cosignature (Ed25519, version 1); Ed25519 as in RFC 8032.
//!
//! ```
//! use tallywatt_ledger::note::{Cosigner, Note};
//!
//! let bank = Cosigner::from_seed("bank.example", &[7; 32])?;
//! let line = bank.sign_cosignature("hello\n", 1_795_000_000)?;
//! let note = Note::new("hello\n", vec![line])?;
//! let note = Note::parse(&note.encode())?;
//! let time = bank.verifier_key().verify_cosignature(note.text(), &note.signatures()[0])?;
//! assert_eq!(time, 1_795_000_000);
//! # Ok::<(), tallywatt_ledger::note::NoteError>(())
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// Most bytes in a note, signatures included.
pub const NOTE_SIZE_MAX: usize = 64 * 1024;

/// Most signature lines in a note: the count that every reader of notes must take.
pub const SIGNATURE_COUNT_MAX: usize = 16;

/// Most bytes in the name of a key.
pub const KEY_NAME_SIZE_MAX: usize = 255;

/// Most bytes of a signature behind its key id: room for the kinds we do not check (ML-DSA-44 takes 2,428).
pub const SIGNATURE_SIZE_MAX: usize = 8 * 1024;

/// The last second a cosignature may carry: 2^63 - 1.
pub const COSIGNATURE_TIME_MAX: u64 = u64::MAX >> 1;

const KEY_ID_SIZE: usize = 4;
const PUBLIC_KEY_SIZE: usize = 32;
const ED25519_SIZE: usize = 64;
const TIME_SIZE: usize = 8;
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

/// The first four bytes of a hash over name, kind and public key; written as eight hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; KEY_ID_SIZE]);

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
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

    fn encode(&self) -> String {
        let bytes = [&self.key_id.0, self.signature.as_slice()].concat();
        format!("{SIGNATURE_MARK}{} {}\n", self.name, STANDARD.encode(bytes))
    }
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// Signs the note text as it stands: the log's own key.
    Log,
    /// Signs a time and the note text: a witness of the log.
    Cosigner,
}

impl KeyKind {
    const fn algorithm(self) -> u8 {
        match self {
            KeyKind::Log => 0x01,
            KeyKind::Cosigner => 0x04,
        }
    }

    const fn from_algorithm(algorithm: u8) -> Option<KeyKind> {
        match algorithm {
            0x01 => Some(KeyKind::Log),
            0x04 => Some(KeyKind::Cosigner),
            _ => None,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            KeyKind::Log => "log",
            KeyKind::Cosigner => "cosigner",
        })
    }
}

/// A public key with its name and kind, written `<name>+<key id>+<base64 of kind and key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    public: VerifyingKey,
}

impl VerifierKey {
    /// Puts a key together from its 32-byte Ed25519 encoding.
    ///
    /// # Errors
    /// [`NoteError::KeyName`], or [`NoteError::KeyPoint`] for bytes that are no key or a weak one.
    pub fn new(
        name: &str,
        kind: KeyKind,
        public_key: &[u8; PUBLIC_KEY_SIZE],
    ) -> Result<VerifierKey, NoteError> {
        check_name(name)?;
        let name = name.to_owned();
        match VerifyingKey::from_bytes(public_key) {
            Ok(public) if !public.is_weak() => Ok(VerifierKey { name, kind, public }),
            _ => Err(NoteError::KeyPoint { name }),
        }
    }

    /// Reads a key as `Display` writes it (C2SP signed-note, verifier keys).
    ///
    /// # Errors
    /// [`NoteError::KeyShape`] for other spellings, [`NoteError::KeyAlgorithm`] for other kinds,
    /// [`NoteError::KeyIdMismatch`] when the id is not the key's, and those of [`VerifierKey::new`].
    pub fn parse(text: &str) -> Result<VerifierKey, NoteError> {
        let shape = || NoteError::KeyShape { bytes: text.len() };
        // The base64 part may hold a plus itself.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(code)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(shape());
        };
        check_name(name)?;
        let found = parse_key_id(id).ok_or_else(shape)?;
        let bytes = STANDARD.decode(code).map_err(|_| shape())?;
        let (algorithm, public) = bytes.split_first().ok_or_else(shape)?;
        let kind = KeyKind::from_algorithm(*algorithm)
            .ok_or_else(|| NoteError::KeyAlgorithm { name: name.to_owned(), algorithm: *algorithm })?;
        let key = VerifierKey::new(name, kind, public.try_into().map_err(|_| shape())?)?;
        let expected = key.key_id();
        if found != expected {
            return Err(NoteError::KeyIdMismatch { name: key.name, found, expected });
        }
        Ok(key)
    }

    /// The name of the key; for a log key, the origin of its log.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 bytes of the public key (RFC 8032).
    pub fn public_key(&self) -> &[u8; PUBLIC_KEY_SIZE] {
        self.public.as_bytes()
    }

    /// The first four bytes of `SHA-256(name ‖ "\n" ‖ kind ‖ public key)`.
    pub fn key_id(&self) -> KeyId {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind.algorithm()])
            .chain_update(self.public_key())
            .finalize()
            .into();
        KeyId([a, b, c, d])
    }

    /// Name and id of the key, as in `bank.example+1a2b3c4d`.
    pub fn key(&self) -> String {
        format!("{}+{}", self.name, self.key_id())
    }

    /// Whether the line claims to be by this key.
    pub fn is_named_by(&self, line: &SignatureLine) -> bool {
        self.name == line.name && self.key_id() == line.key_id
    }

    /// Checks the line of a log key over a note text.
    ///
    /// # Errors
    /// [`NoteError::WrongKind`], [`NoteError::OtherKey`], [`NoteError::SignatureSize`], and
    /// [`NoteError::BadSignature`] when the signature does not fit (checked without the leniencies of RFC 8032).
    pub fn verify_signature(&self, text: &str, line: &SignatureLine) -> Result<(), NoteError> {
        self.check_line(KeyKind::Log, line)?;
        self.check_size(line, ED25519_SIZE)?;
        self.verify_bytes(text.as_bytes(), &line.signature)
    }

    /// Checks the line of a cosigner key over a note text, and returns the time it carries in Unix seconds.
    ///
    /// # Errors
    /// As [`VerifierKey::verify_signature`], and [`NoteError::Time`] above [`COSIGNATURE_TIME_MAX`].
    pub fn verify_cosignature(&self, text: &str, line: &SignatureLine) -> Result<u64, NoteError> {
        self.check_line(KeyKind::Cosigner, line)?;
        self.check_size(line, TIME_SIZE + ED25519_SIZE)?;
        let (time, signature) =
            line.signature.split_first_chunk().expect("the length was checked just above");
        let time_unix_s = u64::from_be_bytes(*time);
        let message = cosignature_message(text, time_unix_s)?;
        self.verify_bytes(message.as_bytes(), signature)?;
        Ok(time_unix_s)
    }

    fn check_line(&self, expected: KeyKind, line: &SignatureLine) -> Result<(), NoteError> {
        if self.kind != expected {
            return Err(NoteError::WrongKind { key: self.key(), found: self.kind, expected });
        }
        if !self.is_named_by(line) {
            return Err(NoteError::OtherKey { found: line.key(), expected: self.key() });
        }
        Ok(())
    }

    fn check_size(&self, line: &SignatureLine, expected: usize) -> Result<(), NoteError> {
        let bytes = line.signature.len();
        if bytes != expected {
            return Err(NoteError::SignatureSize { key: self.key(), bytes, expected });
        }
        Ok(())
    }

    fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), NoteError> {
        // Without the leniencies of RFC 8032: two verifiers must not differ on a signature.
        Signature::from_slice(signature)
            .and_then(|signature| self.public.verify_strict(message, &signature))
            .map_err(|_| NoteError::BadSignature { key: self.key() })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.kind.algorithm()], self.public_key().as_slice()].concat();
        write!(out, "{}+{}+{}", self.name, self.key_id(), STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The private key of a log: signs note texts as they stand.
///
/// `Debug` shows the public side only; the seed is wiped when the value is dropped.
pub struct LogSigner(PrivateKey);

impl LogSigner {
    /// Makes the key from its 32-byte seed (RFC 8032); the name is the log's origin.
    ///
    /// # Errors
    /// [`NoteError::KeyName`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<LogSigner, NoteError> {
        PrivateKey::from_seed(name, KeyKind::Log, seed).map(LogSigner)
    }

    /// The public side.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.0.verifier
    }

    /// Signs a note text; the same text gives the same line.
    ///
    /// # Errors
    /// [`NoteError::TextEnd`], [`NoteError::ControlCharacter`] or [`NoteError::NoteSize`] for what is no note text.
    pub fn sign(&self, text: &str) -> Result<SignatureLine, NoteError> {
        check_text(text)?;
        Ok(self.0.line(self.0.secret.sign(text.as_bytes()).to_bytes().to_vec()))
    }
}

/// The private key of a witness: signs a time and a note text.
///
/// `Debug` shows the public side only; the seed is wiped when the value is dropped.
pub struct Cosigner(PrivateKey);

impl Cosigner {
    /// Makes the key from its 32-byte seed (RFC 8032).
    ///
    /// # Errors
    /// [`NoteError::KeyName`].
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Cosigner, NoteError> {
        PrivateKey::from_seed(name, KeyKind::Cosigner, seed).map(Cosigner)
    }

    /// The public side.
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.0.verifier
    }

    /// Signs a note text at a time in Unix seconds; the same text and time give the same line.
    ///
    /// Signing is all it does: that the text extends what was signed before is for the caller to hold durably first.
    ///
    /// # Errors
    /// [`NoteError::Time`], and [`NoteError::TextEnd`], [`NoteError::ControlCharacter`] or [`NoteError::NoteSize`] for
    /// what is no note text.
    pub fn sign_cosignature(&self, text: &str, time_unix_s: u64) -> Result<SignatureLine, NoteError> {
        check_text(text)?;
        let signature = self.0.secret.sign(cosignature_message(text, time_unix_s)?.as_bytes());
        Ok(self.0.line([time_unix_s.to_be_bytes().as_slice(), &signature.to_bytes()].concat()))
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LogSigner({})", self.verifier_key())
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Cosigner({})", self.verifier_key())
    }
}

/// A secret with its public side. No `Debug`, no `Clone`.
struct PrivateKey {
    secret: SigningKey,
    verifier: VerifierKey,
}

impl PrivateKey {
    fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<PrivateKey, NoteError> {
        let secret = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, kind, secret.verifying_key().as_bytes())?;
        Ok(PrivateKey { secret, verifier })
    }

    fn line(&self, signature: Vec<u8>) -> SignatureLine {
        SignatureLine { name: self.verifier.name.clone(), key_id: self.verifier.key_id(), signature }
    }
}

/// The bytes under a cosignature (C2SP tlog-cosignature, Ed25519 signed message).
fn cosignature_message(text: &str, time_unix_s: u64) -> Result<String, NoteError> {
    if time_unix_s > COSIGNATURE_TIME_MAX {
        return Err(NoteError::Time { time_unix_s });
    }
    Ok(format!("cosignature/v1\ntime {time_unix_s}\n{text}"))
}

fn parse_key_id(text: &str) -> Option<KeyId> {
    let id = KeyId(u32::from_str_radix(text, 16).ok()?.to_be_bytes());
    // The integer parser also takes a sign, upper case and missing zeroes.
    (id.to_string() == text).then_some(id)
}

fn check_text(text: &str) -> Result<(), NoteError> {
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

fn check_name(name: &str) -> Result<(), NoteError> {
    let is_refused = |character: char| character.is_whitespace() || character < ' ' || character == '+';
    if name.is_empty() || name.len() > KEY_NAME_SIZE_MAX || name.contains(is_refused) {
        return Err(NoteError::KeyName { name: name.chars().take(64).collect() });
    }
    Ok(())
}
