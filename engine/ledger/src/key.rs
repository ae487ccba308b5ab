//! Keys of the log and its witnesses: what makes a signature line of a note, and what turns one into a fact.
//!
//! ```text
//! log key        0x01   signature = Ed25519(text)[64]
//! cosigner key   0x04   signature = time[8, big-endian] ‖ Ed25519("cosignature/v1\ntime <time>\n" ‖ text)[64]
//! key id                SHA-256(name ‖ "\n" ‖ kind ‖ public key[32]), its first four bytes
//! written                <name>+<key id>+<base64 of kind and public key>
//! ```
//!
//! - A key has one spelling: what [`VerifierKey::parse`] takes, its `Display` gives back byte for byte.
//! - Stricter than the standard: lower-case key ids, no weak public keys, no leniencies in a signature.
//! - A signer shows its public side only, and wipes its seed.
//!
//! Source: C2SP signed-note and C2SP tlog-cosignature (Ed25519, version 1); Ed25519 as in RFC 8032.
//!
//! ```
//! use tallywatt_ledger::key::{LogSigner, VerifierKey};
//!
//! let log = LogSigner::from_seed("tallywatt.example/region-66", &[7; 32])?;
//! let key = VerifierKey::parse(&log.verifier_key().to_string())?;
//! key.verify_signature("hello\n", &log.sign("hello\n")?)?;
//! # Ok::<(), tallywatt_ledger::note::NoteError>(())
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::note::{NoteError, SignatureLine, check_text};

/// Most bytes in the name of a key.
pub const KEY_NAME_SIZE_MAX: usize = 255;

/// The last second a cosignature may carry: 2^63 - 1.
pub const COSIGNATURE_TIME_MAX: u64 = u64::MAX >> 1;

/// Bytes of a key id.
pub(crate) const KEY_ID_SIZE: usize = 4;

const PUBLIC_KEY_SIZE: usize = 32;
const ED25519_SIZE: usize = 64;
const TIME_SIZE: usize = 8;

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
        self.name == line.name() && self.key_id() == line.key_id()
    }

    /// Checks the line of a log key over a note text.
    ///
    /// # Errors
    /// [`NoteError::WrongKind`], [`NoteError::OtherKey`], [`NoteError::SignatureSize`], and
    /// [`NoteError::BadSignature`] when the signature does not fit (checked without the leniencies of RFC 8032).
    pub fn verify_signature(&self, text: &str, line: &SignatureLine) -> Result<(), NoteError> {
        self.check_line(KeyKind::Log, line)?;
        self.check_size(line, ED25519_SIZE)?;
        self.verify_bytes(text.as_bytes(), line.signature())
    }

    /// Whether these bytes are the signature of this key, a log key, under a text, as attestations have it: without a line.
    pub fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        SignatureLine::new(&self.name, self.key_id(), signature.to_vec())
            .and_then(|line| self.verify_signature(text, &line))
            .is_ok()
    }

    /// Checks the line of a cosigner key over a note text, and returns the time it carries in Unix seconds.
    ///
    /// # Errors
    /// As [`VerifierKey::verify_signature`], and [`NoteError::Time`] above [`COSIGNATURE_TIME_MAX`].
    pub fn verify_cosignature(&self, text: &str, line: &SignatureLine) -> Result<u64, NoteError> {
        self.check_line(KeyKind::Cosigner, line)?;
        self.check_size(line, TIME_SIZE + ED25519_SIZE)?;
        let (time, signature) =
            line.signature().split_first_chunk().expect("the length was checked just above");
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
        let bytes = line.signature().len();
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
        SignatureLine::new(&self.verifier.name, self.verifier.key_id(), signature)
            .expect("the name was checked with the key, and a signature has 64 or 72 bytes")
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

/// Checks that a key may have this name.
pub(crate) fn check_name(name: &str) -> Result<(), NoteError> {
    let is_refused = |character: char| character.is_whitespace() || character < ' ' || character == '+';
    if name.is_empty() || name.len() > KEY_NAME_SIZE_MAX || name.contains(is_refused) {
        return Err(NoteError::KeyName { name: name.chars().take(64).collect() });
    }
    Ok(())
}
