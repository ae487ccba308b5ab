//! A receipt: one text file that proves a bill, or a day of readings, to somebody who has nothing but a policy.
//!
//! ```text
//! tallywatt-receipt/v1
//! subject bill 2026-03 A-000017            or: subject day 2026-03-14 1-0:1.8.0 EKB-000017
//! bill <record> <index> <path>             in the bills tree           ┐
//!   or, of a bill that was corrected:
//! correction <record> <index> <path>       in the corrections tree
//! before <record> <index> <path>           what stood before, if there was a bill
//! before-block <record> <log leaf> <path>  the block that commits it
//! tariff <record>                          in the order of the bill    │ of a bill only
//! agreement <record>                                                   │
//! contract <record> <index> <path>         in the contracts tree       │
//! market <record>                          as the bill names them: none or more │
//! previous <record> <index> <path>         the bill it stands on, if it names one, in its own bills tree  ┘
//! partition <record> <path>                summary, up to the sealed root
//! leaf <record> <index> <path>             day leaf, up to its partition's root
//! block <record> <log leaf> <path>         genesis, publications, activation, the bills of the month before; up to the checkpoint's root
//! motion <record> <log leaf> <path>        each block of a motion, of all there are: none or more, by height
//! sealed-by <record> <log leaf>            the block that commits the subject
//!
//! c2sp.org/tlog-proof@v1                   the sealing block's place in the log, and the signed checkpoint
//! …
//! ```
//!
//! A record is padded base64, a path the base64 of its hashes end to end or `-` without any, lowest first.
//!
//! - A receipt has one spelling: what [`Receipt::parse`] takes, [`Receipt::encode`] gives back byte for byte.
//! - Parsing believes nothing and decodes no record: that is for whoever verifies.
//! - Everything is counted against a named limit before it is kept. Bytes in `FORMAT.md` §8.
//!
//! Source: C2SP tlog-proof, version 1, for the last part.

mod parse;

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tallywatt_core::bill::{MARKET_COUNT_MAX, VERSION_COUNT_MAX};
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{AccountId, UsagePointId};
use tallywatt_core::register::Register;

use crate::block::BLOCK_SIZE_MAX;
use crate::governance::MOTION_COUNT_MAX;
use crate::log::{LogHash, PATH_COUNT_MAX};
use crate::tlog_proof::{TlogProof, TlogProofError};
use crate::tree::PATH_LENGTH_MAX;

/// Most bytes in a receipt.
pub const RECEIPT_SIZE_MAX: usize = 64 * 1024 * 1024;
/// Most bytes in a line of it, without the newline.
pub const LINE_SIZE_MAX: usize = 1024 * 1024;
/// Most tariff versions: as many as a bill may name.
pub const TARIFF_COUNT_MAX: usize = 64;
/// Most price series and hour lists: as many as a bill may name.
pub const MARKET_RECORD_COUNT_MAX: usize = 128;
/// Most contracts of one account.
pub const CONTRACT_COUNT_MAX: usize = 4_096;
/// Most partitions: all there are.
pub const PARTITION_COUNT_MAX: usize = 256;
/// Most day leaves: every contract on every day of a month.
pub const LEAF_COUNT_MAX: usize = CONTRACT_COUNT_MAX * 31;
/// Most supporting blocks: the genesis, one publication a document, the agreement's activation, and the bills of the month before.
pub const BLOCK_COUNT_MAX: usize = TARIFF_COUNT_MAX + MARKET_RECORD_COUNT_MAX + 4;
/// Most blocks of motions: as many as a ledger may have.
pub const MOTION_BLOCK_COUNT_MAX: usize = 256;

const _: () = assert!(MOTION_BLOCK_COUNT_MAX as u64 == MOTION_COUNT_MAX);
const _: () = assert!(TARIFF_COUNT_MAX == VERSION_COUNT_MAX as usize);
const _: () = assert!(MARKET_RECORD_COUNT_MAX == MARKET_COUNT_MAX as usize);
// A block, its log leaf and a path fit one line.
const _: () = assert!(BLOCK_SIZE_MAX.div_ceil(3) * 4 + 4096 < LINE_SIZE_MAX && PATH_COUNT_MAX * 44 < 2048);
const _: () = assert!(PATH_LENGTH_MAX == PATH_COUNT_MAX);

const FIRST_LINE: &str = "tallywatt-receipt/v1";
const NO_PATH: &str = "-";

/// Why a text is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The file is too long.
    #[error("receipt has {bytes} bytes, at most {RECEIPT_SIZE_MAX}")]
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// The first line names another version of receipts: it may be sound, but it cannot be read here.
    #[error("line 1: receipt of version {version}, this reads version 1 only")]
    Version {
        /// The version, cut to its first characters.
        version: String,
    },
    /// Something is wrong in a line.
    #[error("line {line}: {cause}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        cause: LineError,
    },
    /// The last part is no proof; line numbers within it count on.
    #[error("proof from line {line} on: {cause}")]
    Proof {
        /// The line the proof starts on, from 1.
        line: usize,
        /// What is wrong with it.
        cause: TlogProofError,
    },
}

impl ReceiptError {
    /// The line that is wrong, from 1; `None` if it is the file as a whole.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::TooLong { .. } => None,
            Self::Version { .. } => Some(1),
            Self::Line { line, .. } | Self::Proof { line, .. } => Some(*line),
        }
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Bytes that are not UTF-8.
    #[error("bytes are not text in UTF-8")]
    NotText,
    /// Longer than [`LINE_SIZE_MAX`].
    #[error("line has {bytes} bytes, at most {LINE_SIZE_MAX}")]
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// Another line was expected here, or the text ends.
    #[error("expected {expected}, found {found:?}")]
    Expected {
        /// What belongs here.
        expected: &'static str,
        /// What stands here, cut to its first characters.
        found: String,
    },
    /// More lines of one keyword than there may be.
    #[error("more than {max} {keyword} lines")]
    TooMany {
        /// The keyword.
        keyword: &'static str,
        /// The limit.
        max: usize,
    },
    /// A word that is not the one spelling of what belongs there.
    #[error("{word:?} is not {expected}")]
    Word {
        /// What belongs there.
        expected: &'static str,
        /// The word, cut to its first characters.
        word: String,
    },
    /// Data in the proof that no signature covers.
    #[error("the proof carries extra data, which nobody signs")]
    Extra,
    /// The line reads, but would be written otherwise.
    #[error("line is not in its one spelling")]
    Spelling,
}

/// What a receipt says it proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An account's bill for a month.
    Bill {
        /// Which month.
        period: Period,
        /// Whose.
        account: AccountId,
    },
    /// A register's readings of a local day.
    Day {
        /// Which day.
        day: Day,
        /// Which register.
        register: Register,
        /// Where.
        usage_point: UsagePointId,
    },
}

/// `bill 2026-03 A-000017` or `day 2026-03-14 1-0:1.8.0 EKB-000017`: as in the receipt.
impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bill { period, account } => write!(out, "bill {period} {account}"),
            Self::Day { day, register, usage_point } => write!(out, "day {day} {register} {usage_point}"),
        }
    }
}

/// A record and its claimed place in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The record's bytes.
    pub record: Vec<u8>,
    /// Its index in the tree, from 0.
    pub index: u64,
    /// The siblings up to the root, lowest first; at most [`PATH_LENGTH_MAX`].
    pub path: Vec<ContentHash>,
}

/// A partition's summary and its path; the index is the partition's number, which the summary holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPartition {
    /// The summary's bytes.
    pub record: Vec<u8>,
    /// The siblings up to the sealed root, lowest first.
    pub path: Vec<ContentHash>,
}

/// A block and its leaf in the outer log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedBlock {
    /// The block's bytes.
    pub record: Vec<u8>,
    /// The log leaf's bytes.
    pub log_leaf: Vec<u8>,
}

/// A block with its inclusion path; the index is its height, which the block holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedBlock {
    /// Block and log leaf.
    pub logged: LoggedBlock,
    /// The siblings up to the checkpoint's root, lowest first; at most [`PATH_COUNT_MAX`].
    pub path: Vec<LogHash>,
}

/// What only the receipt of a bill has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillPart {
    /// The bill, in the bills tree; of a corrected one the correction, in the corrections tree.
    pub bill: Placed,
    /// There if and only if `bill` is a correction.
    pub correction: Option<CorrectionPart>,
    /// The tariff versions, in the order of the bill.
    pub tariffs: Vec<Vec<u8>>,
    /// The agreement.
    pub agreement: Vec<u8>,
    /// Every contract of the account, in the contracts tree.
    pub contracts: Vec<Placed>,
    /// The price series and hour lists, in the order of the bill.
    pub market: Vec<Vec<u8>>,
    /// The bill it stands on, in the bills tree of its own month.
    pub previous: Option<Placed>,
}

/// What only the receipt of a corrected bill has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionPart {
    /// What stood before; `None` if the account had no bill.
    pub before: Option<Before>,
}

/// What stood before a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// A bill or a correction, in its tree.
    pub record: Placed,
    /// The block that commits it.
    pub sealed_by: PlacedBlock,
}

/// A receipt as read, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What it says it proves.
    pub subject: Subject,
    /// There if and only if the subject is a bill.
    pub bill: Option<BillPart>,
    /// The partitions used, ascending.
    pub partitions: Vec<PlacedPartition>,
    /// The day leaves, by key.
    pub leaves: Vec<Placed>,
    /// The genesis, publications, the bills of the month before, by height.
    pub blocks: Vec<PlacedBlock>,
    /// Every block of a motion, by height, also behind the one that commits the subject: whose keys signed the head.
    pub motions: Vec<PlacedBlock>,
    /// The block that commits the subject.
    pub sealed_by: LoggedBlock,
    /// That block's place in the log, and the signed checkpoint.
    pub proof: TlogProof,
}

impl Receipt {
    /// Reads a receipt.
    ///
    /// # Errors
    /// [`ReceiptError`] names the line, for every text that [`Receipt::encode`] would not write.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        parse::parse(bytes)
    }

    /// Writes the receipt.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\nsubject {}\n", self.subject);
        if let Some(part) = &self.bill {
            match &part.correction {
                None => write_placed(&mut text, "bill", &part.bill),
                Some(CorrectionPart { before }) => {
                    write_placed(&mut text, "correction", &part.bill);
                    if let Some(Before { record, sealed_by }) = before {
                        write_placed(&mut text, "before", record);
                        write_block(&mut text, "before-block", sealed_by);
                    }
                }
            }
            for tariff in &part.tariffs {
                write_line(&mut text, "tariff", &[&code(tariff)]);
            }
            write_line(&mut text, "agreement", &[&code(&part.agreement)]);
            for contract in &part.contracts {
                write_placed(&mut text, "contract", contract);
            }
            for document in &part.market {
                write_line(&mut text, "market", &[&code(document)]);
            }
            if let Some(previous) = &part.previous {
                write_placed(&mut text, "previous", previous);
            }
        }
        for PlacedPartition { record, path } in &self.partitions {
            write_line(&mut text, "partition", &[&code(record), &path_code(path.iter().map(|hash| &hash.0))]);
        }
        for leaf in &self.leaves {
            write_placed(&mut text, "leaf", leaf);
        }
        for block in &self.blocks {
            write_block(&mut text, "block", block);
        }
        for block in &self.motions {
            write_block(&mut text, "motion", block);
        }
        let LoggedBlock { record, log_leaf } = &self.sealed_by;
        write_line(&mut text, "sealed-by", &[&code(record), &code(log_leaf)]);
        text.push('\n');
        text.push_str(&self.proof.encode());
        text.into_bytes()
    }
}

fn write_placed(text: &mut String, keyword: &str, placed: &Placed) {
    let path = path_code(placed.path.iter().map(|hash| &hash.0));
    write_line(text, keyword, &[&code(&placed.record), &placed.index.to_string(), &path]);
}

fn write_block(text: &mut String, keyword: &str, block: &PlacedBlock) {
    let PlacedBlock { logged, path } = block;
    let path = path_code(path.iter().map(LogHash::as_bytes));
    write_line(text, keyword, &[&code(&logged.record), &code(&logged.log_leaf), &path]);
}

fn write_line(text: &mut String, keyword: &str, words: &[&str]) {
    writeln!(text, "{keyword} {}", words.join(" ")).expect("a string takes all that is written to it");
}

fn code(record: &[u8]) -> String {
    STANDARD.encode(record)
}

fn path_code<'a>(hashes: impl Iterator<Item = &'a [u8; 32]>) -> String {
    let bytes: Vec<u8> = hashes.flatten().copied().collect();
    if bytes.is_empty() { NO_PATH.to_owned() } else { STANDARD.encode(bytes) }
}
