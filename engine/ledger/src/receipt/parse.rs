//! Reading a receipt: line by line, in one order, every word in its one spelling.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::register::Register;

use super::{
    BLOCK_COUNT_MAX, Before, BillPart, CONTRACT_COUNT_MAX, CorrectionPart, FIRST_LINE, LEAF_COUNT_MAX,
    LINE_SIZE_MAX, LineError, LoggedBlock, MARKET_RECORD_COUNT_MAX, MOTION_BLOCK_COUNT_MAX, NO_PATH,
    PARTITION_COUNT_MAX, Placed, PlacedBlock, PlacedPartition, RECEIPT_SIZE_MAX, Receipt, ReceiptError,
    Subject, TARIFF_COUNT_MAX,
};
use crate::checkpoint::{parse_decimal, shortened};
use crate::log::LogHash;
use crate::tlog_proof::TlogProof;
use crate::tree::PATH_LENGTH_MAX;

const HASH_SIZE: usize = 32;

pub(super) fn parse(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
    if bytes.len() > RECEIPT_SIZE_MAX {
        return Err(ReceiptError::TooLong { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        ReceiptError::Line { line, cause: LineError::NotText }
    })?;
    let mut lines = Lines { rest: text, line: 1 };
    parse_first_line(&mut lines)?;
    let subject = lines.one("subject", parse_subject)?;
    let bill = match subject {
        Subject::Bill { .. } => Some(parse_bill_part(&mut lines)?),
        Subject::Day { .. } => None,
    };
    let receipt = Receipt {
        subject,
        bill,
        partitions: lines.many("partition", PARTITION_COUNT_MAX, parse_partition)?,
        leaves: lines.many("leaf", LEAF_COUNT_MAX, parse_placed)?,
        blocks: lines.many("block", BLOCK_COUNT_MAX, parse_block)?,
        motions: lines.any("motion", MOTION_BLOCK_COUNT_MAX, parse_block)?,
        sealed_by: lines.one("sealed-by", |words| {
            let [record, log_leaf] = exactly(words, "a block and its log leaf")?;
            Ok(LoggedBlock { record: parse_record(record)?, log_leaf: parse_record(log_leaf)? })
        })?,
        proof: parse_proof(&mut lines)?,
    };
    check_spelling(&receipt.encode(), bytes)?;
    Ok(receipt)
}

/// The whole text is compared once more, so that a spelling which slipped through above is still refused.
fn check_spelling(written: &[u8], read: &[u8]) -> Result<(), ReceiptError> {
    if written == read {
        return Ok(());
    }
    let same = written.iter().zip(read).take_while(|(a, b)| a == b);
    let line = 1 + same.filter(|(byte, _)| **byte == b'\n').count();
    Err(ReceiptError::Line { line, cause: LineError::Spelling })
}

fn parse_first_line(lines: &mut Lines<'_>) -> Result<(), ReceiptError> {
    let first = lines.peek();
    if first == Some(FIRST_LINE) {
        lines.skip();
        return Ok(());
    }
    let version = first.and_then(|line| line.strip_prefix("tallywatt-receipt/v")).and_then(parse_decimal);
    match version {
        Some(version) => Err(ReceiptError::Version { version: version.to_string() }),
        None => Err(lines.unexpected(FIRST_LINE)),
    }
}

fn parse_bill_part(lines: &mut Lines<'_>) -> Result<BillPart, ReceiptError> {
    let one_record = |words: &str| parse_record(exactly::<1>(words, "one record")?[0]);
    let (bill, correction) = match lines.take("correction", parse_placed)? {
        None => (lines.one("bill", parse_placed)?, None),
        Some(correction) => {
            let before = match lines.take("before", parse_placed)? {
                None => None,
                Some(record) => Some(Before { record, sealed_by: lines.one("before-block", parse_block)? }),
            };
            (correction, Some(CorrectionPart { before }))
        }
    };
    Ok(BillPart {
        bill,
        correction,
        tariffs: lines.many("tariff", TARIFF_COUNT_MAX, one_record)?,
        agreement: lines.one("agreement", one_record)?,
        contracts: lines.many("contract", CONTRACT_COUNT_MAX, parse_placed)?,
        market: lines.any("market", MARKET_RECORD_COUNT_MAX, one_record)?,
        previous: lines.take("previous", parse_placed)?,
    })
}

fn parse_proof(lines: &mut Lines<'_>) -> Result<TlogProof, ReceiptError> {
    if lines.peek() != Some("") {
        return Err(lines.unexpected("one empty line, then the proof"));
    }
    lines.skip();
    let line = lines.line;
    let proof = TlogProof::parse(lines.rest).map_err(|cause| ReceiptError::Proof { line, cause })?;
    match proof.extra() {
        None => Ok(proof),
        Some(_) => Err(ReceiptError::Line { line: line + 1, cause: LineError::Extra }),
    }
}

/// The lines that are left, and the number of the next one.
struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    /// The next line without its newline; `None` if no newline ends it.
    fn peek(&self) -> Option<&'a str> {
        self.rest.split_once('\n').map(|(line, _)| line)
    }

    fn skip(&mut self) {
        if let Some((_, rest)) = self.rest.split_once('\n') {
            self.rest = rest;
            self.line += 1;
        }
    }

    fn error(&self, cause: LineError) -> ReceiptError {
        ReceiptError::Line { line: self.line, cause }
    }

    fn unexpected(&self, expected: &'static str) -> ReceiptError {
        let found = shortened(self.rest.split('\n').next().unwrap_or_default());
        self.error(LineError::Expected { expected, found })
    }

    /// Takes the next line if it has this keyword.
    fn take<T>(
        &mut self,
        keyword: &'static str,
        parse: impl Fn(&'a str) -> Result<T, LineError>,
    ) -> Result<Option<T>, ReceiptError> {
        let Some(line) = self.peek() else { return Ok(None) };
        let Some(words) = line.strip_prefix(keyword).and_then(|words| words.strip_prefix(' ')) else {
            return Ok(None);
        };
        if line.len() > LINE_SIZE_MAX {
            return Err(self.error(LineError::TooLong { bytes: line.len() }));
        }
        let value = parse(words).map_err(|cause| self.error(cause))?;
        self.skip();
        Ok(Some(value))
    }

    fn one<T>(
        &mut self,
        keyword: &'static str,
        parse: impl Fn(&'a str) -> Result<T, LineError>,
    ) -> Result<T, ReceiptError> {
        self.take(keyword, parse)?.ok_or_else(|| self.unexpected(keyword))
    }

    /// One line of this keyword or more, up to `max`.
    fn many<T>(
        &mut self,
        keyword: &'static str,
        max: usize,
        parse: impl Fn(&'a str) -> Result<T, LineError>,
    ) -> Result<Vec<T>, ReceiptError> {
        let first = self.one(keyword, &parse)?;
        self.rest_of(keyword, max, parse, vec![first])
    }

    /// Lines of this keyword, none or up to `max`.
    fn any<T>(
        &mut self,
        keyword: &'static str,
        max: usize,
        parse: impl Fn(&'a str) -> Result<T, LineError>,
    ) -> Result<Vec<T>, ReceiptError> {
        self.rest_of(keyword, max, parse, Vec::new())
    }

    fn rest_of<T>(
        &mut self,
        keyword: &'static str,
        max: usize,
        parse: impl Fn(&'a str) -> Result<T, LineError>,
        mut values: Vec<T>,
    ) -> Result<Vec<T>, ReceiptError> {
        while let Some(value) = self.take(keyword, &parse)? {
            if values.len() == max {
                self.line -= 1;
                return Err(self.error(LineError::TooMany { keyword, max }));
            }
            values.push(value);
        }
        Ok(values)
    }
}

fn wrong(expected: &'static str, word: &str) -> LineError {
    LineError::Word { expected, word: shortened(word) }
}

fn exactly<'a, const N: usize>(words: &'a str, expected: &'static str) -> Result<[&'a str; N], LineError> {
    let split: Vec<&str> = words.split(' ').take(N + 1).collect();
    split.try_into().map_err(|_| wrong(expected, words))
}

/// Names may hold spaces, so the name is all that is left of the line.
fn parse_subject(words: &str) -> Result<Subject, LineError> {
    let shape = || wrong("a bill with month and account, or a day with register and usage point", words);
    let (kind, rest) = words.split_once(' ').ok_or_else(shape)?;
    let (first, rest) = rest.split_once(' ').ok_or_else(shape)?;
    match kind {
        "bill" => Ok(Subject::Bill {
            period: first.parse().map_err(|_| wrong("a month such as 2026-03", first))?,
            account: rest.parse().map_err(|_| wrong("an account", rest))?,
        }),
        "day" => {
            let day = first.parse().map_err(|_| wrong("a day such as 2026-03-14", first))?;
            let (code, name) = rest.split_once(' ').ok_or_else(shape)?;
            let register: Register = code.parse().map_err(|_| wrong("a register", code))?;
            if register.to_string() != code {
                return Err(wrong("a register such as 1-0:1.8.0", code));
            }
            let usage_point = name.parse().map_err(|_| wrong("a usage point", name))?;
            Ok(Subject::Day { day, register, usage_point })
        }
        _ => Err(shape()),
    }
}

fn parse_placed(words: &str) -> Result<Placed, LineError> {
    let [record, index, path] = exactly(words, "a record, an index and a path")?;
    let index = parse_decimal(index).ok_or_else(|| wrong("a decimal without leading zeros", index))?;
    Ok(Placed { record: parse_record(record)?, index, path: parse_path(path, ContentHash)? })
}

fn parse_partition(words: &str) -> Result<PlacedPartition, LineError> {
    let [record, path] = exactly(words, "a summary and a path")?;
    Ok(PlacedPartition { record: parse_record(record)?, path: parse_path(path, ContentHash)? })
}

fn parse_block(words: &str) -> Result<PlacedBlock, LineError> {
    let [record, log_leaf, path] = exactly(words, "a block, its log leaf and a path")?;
    let logged = LoggedBlock { record: parse_record(record)?, log_leaf: parse_record(log_leaf)? };
    Ok(PlacedBlock { logged, path: parse_path(path, LogHash::from_bytes)? })
}

fn parse_record(word: &str) -> Result<Vec<u8>, LineError> {
    match STANDARD.decode(word) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(wrong("padded base64 of at least one byte", word)),
    }
}

fn parse_path<T>(word: &str, hash: impl Fn([u8; HASH_SIZE]) -> T) -> Result<Vec<T>, LineError> {
    if word == NO_PATH {
        return Ok(Vec::new());
    }
    let refused = || wrong("a path: - or padded base64 of 1 to 40 hashes", word);
    if word.len() > (PATH_LENGTH_MAX * HASH_SIZE).div_ceil(3) * 4 {
        return Err(refused());
    }
    let bytes = STANDARD.decode(word).map_err(|_| refused())?;
    let (hashes, []) = bytes.as_chunks::<HASH_SIZE>() else { return Err(refused()) };
    if hashes.is_empty() || hashes.len() > PATH_LENGTH_MAX {
        return Err(refused());
    }
    Ok(hashes.iter().map(|bytes| hash(*bytes)).collect())
}
