//! A proof that a log holds a leaf, and that others saw the log: one text which needs only a policy to be checked.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra cm93IDc=                                    optional, for the application; nobody signs it
//! index 9                                           place of the leaf in the log, from 0
//! Q4mXLuSArWxYxhr/VwN2fT+0TGo/oRSGbDqXmoxXqNs=      inclusion path, the leaf's neighbour first, 0 to 40 lines
//! …
//!                                                   one empty line
//! tallywatt.example/region-66                       the signed checkpoint, as a note
//! …
//! ```
//!
//! - A proof has one spelling: what [`TlogProof::parse`] takes, [`TlogProof::encode`] gives back byte for byte.
//! - Parsing believes nothing; [`TlogProof::verify`] does the four steps of the standard or says which one failed.
//! - Stricter than the standard: the note's text is a strict [`Checkpoint`], and extra data is never empty.
//!
//! Source: C2SP tlog-proof, version 1.
//!
//! ```
//! use tallywatt_ledger::checkpoint::Checkpoint;
//! use tallywatt_ledger::log::leaf_hash;
//! use tallywatt_ledger::key::{Cosigner, LogSigner};
//! use tallywatt_ledger::note::Note;
//! use tallywatt_ledger::policy::Policy;
//! use tallywatt_ledger::tlog_proof::TlogProof;
//!
//! let log = LogSigner::from_seed("tallywatt.example/region-66", &[1; 32])?;
//! let bank = Cosigner::from_seed("bank.example", &[2; 32])?;
//! let leaf = leaf_hash(b"genesis");
//! let text = Checkpoint::new("tallywatt.example/region-66", 1, leaf)?.to_text();
//! let note = Note::new(&text, vec![log.sign(&text)?, bank.sign_cosignature(&text, 1_795_000_000)?])?;
//! let proof = TlogProof::new(None, 0, Vec::new(), note)?.encode();
//!
//! let policy = Policy::parties(&[log.verifier_key().clone()], &[("bank".into(), bank.verifier_key().clone())], 1)?;
//! let verdict = TlogProof::parse(&proof)?.verify(leaf, &policy)?;
//! assert_eq!(verdict.witnesses[0].witness, "bank");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError, parse_decimal, shortened};
use crate::log::{LogError, LogHash, PATH_COUNT_MAX, verify_inclusion};
use crate::note::{NOTE_SIZE_MAX, Note, NoteError};
use crate::policy::{Policy, PolicyError, Verdict};

/// Most bytes of extra data, before base64.
pub const EXTRA_SIZE_MAX: usize = 64 * 1024;

/// Most bytes in a proof text: the longest note, the longest extra line, and 4 KiB for the rest.
pub const TLOG_PROOF_SIZE_MAX: usize = NOTE_SIZE_MAX + EXTRA_SIZE_MAX.div_ceil(3) * 4 + 4096;

// First line, keywords, the longest index, all path lines and the empty line.
const _: () = assert!(64 + 20 + PATH_COUNT_MAX * 45 < 4096);

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Why a text is no proof, or why a proof is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// The text is too long.
    #[error("proof has {bytes} bytes, at most {TLOG_PROOF_SIZE_MAX}")]
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// No empty line between proof and checkpoint.
    #[error("proof of {bytes} bytes has no empty line before its checkpoint")]
    NoCheckpoint {
        /// Bytes found.
        bytes: usize,
    },
    /// Another format or version.
    #[error("proof begins with {found:?}, expected {FIRST_LINE}")]
    FirstLine {
        /// The first line, cut to its first characters.
        found: String,
    },
    /// Extra data that is empty, too long or not in canonical base64.
    #[error("extra line of {chars} characters is not the padded base64 of 1 to {EXTRA_SIZE_MAX} bytes")]
    Extra {
        /// Characters behind the keyword, or bytes when a proof is put together.
        chars: usize,
    },
    /// No index line where it belongs, or an index that is not canonical.
    #[error("line {found:?} is not index and a decimal without leading zeroes")]
    Index {
        /// The line, cut to its first characters.
        found: String,
    },
    /// A path longer than any log has.
    #[error("path has {count} hashes, at most {PATH_COUNT_MAX}")]
    PathCount {
        /// Hashes found.
        count: usize,
    },
    /// A path line that is no hash.
    #[error("path line {line}: {cause}")]
    PathHash {
        /// The line, from 1 below the index.
        line: usize,
        /// What is wrong with it.
        cause: LogError,
    },
    /// What stands below the empty line is no note.
    #[error("cannot read the checkpoint note: {0}")]
    Note(NoteError),
    /// The note's text is no checkpoint.
    #[error("cannot read the checkpoint: {0}")]
    Checkpoint(CheckpointError),
    /// A signature does not hold.
    #[error("policy refuses the note: {0}")]
    Policy(PolicyError),
    /// No log key of the policy signed.
    #[error("no known log signed the checkpoint, at least 1 needed")]
    NoLog,
    /// Too few witnesses cosigned, or not the right ones.
    #[error("quorum is not met by {found} known witnesses")]
    NoQuorum {
        /// Witnesses whose lines hold.
        found: usize,
    },
    /// The path does not lead from the leaf to the root of the checkpoint.
    #[error("leaf is not in the log: {0}")]
    NotIncluded(LogError),
}

/// An inclusion path with a signed checkpoint, well-formed but not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<LogHash>,
    note: Note,
    checkpoint: Checkpoint,
}

impl TlogProof {
    /// Puts a proof together; `path` is as [`crate::log::Log::prove_inclusion`] gives it for the checkpoint in `note`.
    ///
    /// # Errors
    /// [`TlogProofError::Extra`], [`TlogProofError::PathCount`], and [`TlogProofError::Checkpoint`] when the note's
    /// text is none. Whether the path leads anywhere is for [`TlogProof::verify`].
    pub fn new(
        extra: Option<Vec<u8>>,
        index: u64,
        path: Vec<LogHash>,
        note: Note,
    ) -> Result<TlogProof, TlogProofError> {
        if let Some(bytes) = &extra
            && (bytes.is_empty() || bytes.len() > EXTRA_SIZE_MAX)
        {
            return Err(TlogProofError::Extra { chars: bytes.len() });
        }
        if path.len() > PATH_COUNT_MAX {
            return Err(TlogProofError::PathCount { count: path.len() });
        }
        let checkpoint = Checkpoint::parse(note.text()).map_err(TlogProofError::Checkpoint)?;
        Ok(TlogProof { extra, index, path, note, checkpoint })
    }

    /// Reads a proof text.
    ///
    /// # Errors
    /// [`TlogProofError`] for every text that [`TlogProof::encode`] would not write.
    pub fn parse(text: &str) -> Result<TlogProof, TlogProofError> {
        let bytes = text.len();
        if bytes > TLOG_PROOF_SIZE_MAX {
            return Err(TlogProofError::TooLong { bytes });
        }
        // No line above the checkpoint is empty, so the first empty line is the one before it.
        let (head, note) = text.split_once("\n\n").ok_or(TlogProofError::NoCheckpoint { bytes })?;
        let mut lines = head.split('\n').peekable();
        let first = lines.next().unwrap_or_default();
        if first != FIRST_LINE {
            return Err(TlogProofError::FirstLine { found: shortened(first) });
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(parse_extra).transpose()?;
        let index = parse_index(lines.next().unwrap_or_default())?;
        let count = lines.clone().count();
        if count > PATH_COUNT_MAX {
            return Err(TlogProofError::PathCount { count });
        }
        let path = lines
            .zip(1..)
            .map(|(hash, line)| {
                LogHash::from_base64(hash).map_err(|cause| TlogProofError::PathHash { line, cause })
            })
            .collect::<Result<_, _>>()?;
        TlogProof::new(extra, index, path, Note::parse(note).map_err(TlogProofError::Note)?)
    }

    /// Writes the proof text.
    pub fn encode(&self) -> String {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.path {
            text.push_str(&format!("{hash}\n"));
        }
        text.push('\n');
        text.push_str(&self.note.encode());
        text
    }

    /// Checks the note by the policy, then the path from the leaf, and tells who vouched.
    ///
    /// Lines by unknown keys are passed over, as the standard asks, and named in the verdict. Extra data is not checked
    /// by anything here.
    ///
    /// # Errors
    /// [`TlogProofError::Policy`], [`TlogProofError::NoLog`], [`TlogProofError::NoQuorum`] and
    /// [`TlogProofError::NotIncluded`], in this order.
    pub fn verify(&self, leaf: LogHash, policy: &Policy) -> Result<Verdict, TlogProofError> {
        let verdict = policy.evaluate(&self.note).map_err(TlogProofError::Policy)?;
        if verdict.logs.is_empty() {
            return Err(TlogProofError::NoLog);
        }
        let Some(head) = verdict.accepted() else {
            return Err(TlogProofError::NoQuorum { found: verdict.witnesses.len() });
        };
        verify_inclusion(leaf, self.index, head.size(), &self.path, head.root())
            .map_err(TlogProofError::NotIncluded)?;
        Ok(verdict)
    }

    /// Data for the application, signed by nobody.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The claimed place of the leaf, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The claimed path, the leaf's neighbour first.
    pub fn path(&self) -> &[LogHash] {
        &self.path
    }

    /// The signed checkpoint as a note.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The claimed checkpoint: the note's text, whoever signed it.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

fn parse_extra(line: &str) -> Result<Vec<u8>, TlogProofError> {
    let code = line.strip_prefix("extra ").unwrap_or_default();
    STANDARD.decode(code).map_err(|_| TlogProofError::Extra { chars: code.chars().count() })
}

fn parse_index(line: &str) -> Result<u64, TlogProofError> {
    let index = line.strip_prefix("index ").and_then(parse_decimal);
    index.ok_or_else(|| TlogProofError::Index { found: shortened(line) })
}
