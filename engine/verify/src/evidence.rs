//! A receipt's records, decoded and hashed here, and not believed yet.

use tallywatt_core::agreement::Agreement;
use tallywatt_core::bill::Bill;
use tallywatt_core::contract::Contract;
use tallywatt_core::correction::Correction;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::hour_list::HourList;
use tallywatt_core::plan_series::PlanSeries;
use tallywatt_core::price_series::PriceSeries;
use tallywatt_core::tariff::Tariff;
use tallywatt_ledger::agreement_bytes::{decode_agreement, encode_agreement};
use tallywatt_ledger::bill_bytes::{decode_bill, encode_bill};
use tallywatt_ledger::block::{Block, LogLeaf};
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::correction_bytes::{CORRECTION_KIND, decode_correction, encode_correction};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::document::{decode_contract, encode_contract};
use tallywatt_ledger::hour_list_bytes::{decode_hour_list, encode_hour_list};
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::plan_series_bytes::{PLAN_SERIES_KIND, decode_plan_series, encode_plan_series};
use tallywatt_ledger::price_series_bytes::{PRICE_SERIES_KIND, decode_price_series, encode_price_series};
use tallywatt_ledger::receipt::{
    Before, BillPart, CorrectionPart, LoggedBlock, Placed, Receipt, ReceiptError, Subject,
};
use tallywatt_ledger::seal::PartitionSummary;
use tallywatt_ledger::tariff_bytes::{decode_tariff, encode_tariff};
use tallywatt_ledger::tlog_proof::TlogProof;

use crate::report::{Passed, Refusal, Step};

/// A decoded record, the hash of its bytes, and where it says it stands.
pub(crate) struct Opened<T> {
    pub body: T,
    pub hash: ContentHash,
    pub index: u64,
    pub path: Vec<ContentHash>,
}

/// A decoded block with its log leaf and path; the sealing block's path is in the proof.
pub(crate) struct OpenedBlock {
    pub block: Block,
    pub log_leaf: LogLeaf,
    pub path: Vec<LogHash>,
}

/// A price series, a list of hours or a plan.
pub(crate) enum MarketRecord {
    Series(Published<PriceSeries>),
    Hours(Published<HourList>),
    Plan(Published<PlanSeries>),
}

impl MarketRecord {
    pub const fn hash(&self) -> ContentHash {
        match self {
            Self::Series(series) => series.hash,
            Self::Hours(hours) => hours.hash,
            Self::Plan(plan) => plan.hash,
        }
    }
}

pub(crate) struct BillClaim {
    /// Of a corrected bill: the bill as it stands, under the hash and in the place of the correction.
    pub bill: Opened<Bill>,
    pub correction: Option<CorrectionClaim>,
    pub tariffs: Vec<Published<Tariff>>,
    pub agreement: Published<Agreement>,
    pub contracts: Vec<Opened<Contract>>,
    pub market: Vec<MarketRecord>,
    /// What it stands on, of the month before.
    pub previous: Option<Opened<Stood>>,
}

pub(crate) struct CorrectionClaim {
    pub body: Correction,
    pub before: Option<BeforeClaim>,
}

/// What stood before: a bill or a correction.
pub(crate) enum Stood {
    Bill(Box<Bill>),
    Correction(Box<Correction>),
}

impl Stood {
    /// The bill that stood.
    pub fn bill(&self) -> &Bill {
        match self {
            Self::Bill(bill) => bill,
            Self::Correction(correction) => &correction.bill,
        }
    }
}

pub(crate) struct BeforeClaim {
    pub stood: Opened<Stood>,
    pub sealed_by: OpenedBlock,
}

pub(crate) enum Claim {
    Bill(Box<BillClaim>),
    Day,
}

pub(crate) struct Evidence {
    pub subject: Subject,
    pub claim: Claim,
    pub partitions: Vec<Opened<PartitionSummary>>,
    pub leaves: Vec<Opened<DayLeaf>>,
    pub blocks: Vec<OpenedBlock>,
    /// The motions that changed keys, wherever they stand.
    pub motions: Vec<OpenedBlock>,
    pub sealed_by: OpenedBlock,
    pub proof: TlogProof,
}

impl Evidence {
    pub fn is_corrected(&self) -> bool {
        matches!(&self.claim, Claim::Bill(claim) if claim.correction.is_some())
    }

    /// What stood before, of a corrected bill that had one.
    pub fn before(&self) -> Option<&BeforeClaim> {
        match &self.claim {
            Claim::Bill(claim) => claim.correction.as_ref()?.before.as_ref(),
            Claim::Day => None,
        }
    }
}

/// **file**: the bytes are a receipt in its one spelling, and so is each record in it.
///
/// Without it two readers could see two things in one file: what one skips, the other believes.
pub(crate) fn open(bytes: &[u8]) -> Step<Evidence> {
    let receipt = Receipt::parse(bytes).map_err(|error| match error {
        ReceiptError::Version { .. } => Refusal::Unable(error.to_string()),
        _ => Refusal::Broken(error.to_string()),
    })?;
    let (leaves, blocks) = (receipt.leaves.len(), receipt.blocks.len() + receipt.motions.len() + 1);
    let detail = format!("receipt of {} bytes with {leaves} day leaves and {blocks} blocks", bytes.len());
    Ok(Passed::new(decode(receipt)?, detail))
}

fn decode(receipt: Receipt) -> Result<Evidence, Refusal> {
    let claim = match receipt.bill {
        Some(part) => Claim::Bill(Box::new(decode_claim(part)?)),
        None => Claim::Day,
    };
    let partition = |record: &[u8]| PartitionSummary::decode(record);
    let partitions = receipt.partitions.into_iter().map(|placed| {
        let summary = canonical("partition", &placed.record, partition, PartitionSummary::encode)?;
        let index = u64::from(summary.body.partition);
        Ok(Opened { body: summary.body, hash: summary.hash, index, path: placed.path })
    });
    let leaf = |placed| opened("leaf", placed, DayLeaf::decode, |leaf| leaf.bytes().to_vec());
    let blocks = receipt.blocks.into_iter().map(|placed| decode_block(&placed.logged, placed.path));
    let motions = receipt.motions.into_iter().map(|placed| decode_block(&placed.logged, placed.path));
    Ok(Evidence {
        subject: receipt.subject,
        claim,
        partitions: partitions.collect::<Result<_, Refusal>>()?,
        leaves: receipt.leaves.into_iter().map(leaf).collect::<Result<_, _>>()?,
        blocks: blocks.collect::<Result<_, _>>()?,
        motions: motions.collect::<Result<_, _>>()?,
        sealed_by: decode_block(&receipt.sealed_by, receipt.proof.path().to_vec())?,
        proof: receipt.proof,
    })
}

fn decode_claim(part: BillPart) -> Result<BillClaim, Refusal> {
    let tariff = |record: &Vec<u8>| canonical("tariff", record, decode_tariff, encode_tariff);
    let contract = |placed| opened("contract", placed, decode_contract, encode_contract);
    let (bill, correction) = match part.correction {
        None => (opened("bill", part.bill, decode_bill, encode_bill)?, None),
        Some(own) => decode_correction_claim(part.bill, own)?,
    };
    Ok(BillClaim {
        bill,
        correction,
        tariffs: part.tariffs.iter().map(tariff).collect::<Result<_, _>>()?,
        agreement: canonical("agreement", &part.agreement, decode_agreement, encode_agreement)?,
        contracts: part.contracts.into_iter().map(contract).collect::<Result<_, _>>()?,
        market: part.market.iter().map(|record| decode_market(record)).collect::<Result<_, _>>()?,
        previous: part.previous.map(decode_stood).transpose()?,
    })
}

fn decode_correction_claim(
    placed: Placed,
    part: CorrectionPart,
) -> Result<(Opened<Bill>, Option<CorrectionClaim>), Refusal> {
    let Opened { body, hash, index, path } =
        opened("correction", placed, decode_correction, encode_correction)?;
    let before = part.before.map(decode_before).transpose()?;
    let bill = Opened { body: body.bill.clone(), hash, index, path };
    Ok((bill, Some(CorrectionClaim { body, before })))
}

fn decode_before(before: Before) -> Result<BeforeClaim, Refusal> {
    let Before { record, sealed_by } = before;
    let stood = decode_stood(record)?;
    Ok(BeforeClaim { stood, sealed_by: decode_block(&sealed_by.logged, sealed_by.path)? })
}

/// The second byte of a record says what it is.
fn decode_stood(placed: Placed) -> Result<Opened<Stood>, Refusal> {
    let is_correction = placed.record.get(1) == Some(&CORRECTION_KIND);
    let stood = if is_correction {
        let Opened { body, hash, index, path } =
            opened("correction", placed, decode_correction, encode_correction)?;
        Opened { body: Stood::Correction(Box::new(body)), hash, index, path }
    } else {
        let Opened { body, hash, index, path } = opened("bill", placed, decode_bill, encode_bill)?;
        Opened { body: Stood::Bill(Box::new(body)), hash, index, path }
    };
    Ok(stood)
}

/// The second byte of a record says what it is.
fn decode_market(record: &[u8]) -> Result<MarketRecord, Refusal> {
    match record.get(1) {
        Some(&PRICE_SERIES_KIND) => {
            canonical("price series", record, decode_price_series, encode_price_series)
                .map(MarketRecord::Series)
        }
        Some(&PLAN_SERIES_KIND) => {
            canonical("plan", record, decode_plan_series, encode_plan_series).map(MarketRecord::Plan)
        }
        _ => canonical("hour list", record, decode_hour_list, encode_hour_list).map(MarketRecord::Hours),
    }
}

fn decode_block(logged: &LoggedBlock, path: Vec<LogHash>) -> Result<OpenedBlock, Refusal> {
    let block = canonical("block", &logged.record, Block::decode, Block::encode)?.body;
    let log_leaf = canonical("log leaf", &logged.log_leaf, LogLeaf::decode, LogLeaf::encode)?.body;
    Ok(OpenedBlock { block, log_leaf, path })
}

fn opened<T>(
    what: &str,
    placed: Placed,
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> Result<Opened<T>, Refusal> {
    let Published { hash, body } = canonical(what, &placed.record, decode, encode)?;
    Ok(Opened { body, hash, index: placed.index, path: placed.path })
}

/// Decodes a record, writes it again and compares: a second spelling would have a second hash.
fn canonical<T>(
    what: &str,
    record: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> Result<Published<T>, Refusal> {
    let body = decode(record).map_err(|error| Refusal::Broken(format!("{what} record: {error}")))?;
    if encode(&body) != record {
        return Err(Refusal::Broken(format!("{what} record is not in its one spelling")));
    }
    Ok(Published { hash: content_hash(record), body })
}
