//! Receipts: one file that proves a bill, or a day of readings, to somebody who has nothing else.

use std::borrow::Cow;

use tallywatt_consensus::members::Standing;
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::Period;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::AccountId;
use tallywatt_ledger::block::{Block, LogLeaf};
use tallywatt_ledger::command::{Command, DocumentKind};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::receipt::{
    Before, BillPart, CorrectionPart, LoggedBlock, Placed, PlacedBlock, PlacedPartition, Receipt, Subject,
};
use tallywatt_ledger::seal::{LeafProof, SealKind, SealedTree};
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_ledger::tree::{Root, TreeKind};
use tallywatt_ledger::{
    agreement_bytes, bill_bytes, digest, document, hour_list_bytes, plan_series_bytes, price_series_bytes,
    tariff_bytes,
};
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::sealing;

use crate::books::records::{read_contracts, tree_over};
use crate::books::{Books, BooksError};
use crate::list_file::{self, ListKind};
use crate::node::Node;
use crate::node_folder::FolderError;
use crate::store::StoreError;

/// Why a receipt cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// There is no such bill or day.
    #[error("{0}")]
    Nothing(String),
    /// The chain lacks a signature: the receipt would not verify.
    #[error("the head of {size} blocks has {count} of 3 signatures: a receipt needs three")]
    NotSealed {
        /// Size of the log.
        size: u64,
        /// Signatures there are.
        count: usize,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A sealed file.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What the receipt would open is not kept here.
    #[error(transparent)]
    Books(#[from] BooksError),
    /// Stored things do not fit together; the audit names where.
    #[error("{0}: run `tallywatt chain audit`")]
    Damaged(String),
}

/// The chain as receipts need it: every block with its leaf, and the newest head.
struct Chain<'a> {
    node: &'a Node,
    blocks: Vec<(Block, LogLeaf)>,
    size: u64,
}

impl<'a> Chain<'a> {
    fn of(node: &'a Node) -> Result<Self, ProveError> {
        let size = node.member().size();
        let count = node.member().cosigners(size).len();
        if node.member().standing(size) < Standing::Sealed {
            return Err(ProveError::NotSealed { size, count });
        }
        let blocks = node.store().blocks()?.into_iter().map(|stored| (stored.block, stored.leaf)).collect();
        Ok(Self { node, blocks, size })
    }

    fn find(&self, wanted: impl Fn(&Command) -> bool) -> Option<&(Block, LogLeaf)> {
        self.blocks.iter().find(|(block, _)| wanted(&block.proposal.command))
    }

    fn publication(&self, kind: DocumentKind, hash: &ContentHash) -> Result<&(Block, LogLeaf), ProveError> {
        let found = self.find(|command| {
            matches!(command, Command::Publish(published) if published.kind == kind && published.hash == *hash)
        });
        found.ok_or_else(|| ProveError::Damaged(format!("document {hash} is in no block")))
    }

    fn placed(&self, (block, leaf): &(Block, LogLeaf)) -> Result<PlacedBlock, ProveError> {
        let path = self.node.member().log().prove_inclusion(block.height, self.size);
        let path = path.map_err(|error| ProveError::Damaged(error.to_string()))?;
        Ok(PlacedBlock { logged: logged(block, leaf), path })
    }

    /// Every block of a motion: by them a verifier comes from the keys of the genesis to those that signed the head.
    fn motions(&self) -> Result<Vec<PlacedBlock>, ProveError> {
        let is_motion = |(block, _): &&(Block, LogLeaf)| matches!(block.proposal.command, Command::Govern(_));
        self.blocks.iter().filter(is_motion).map(|block| self.placed(block)).collect()
    }

    fn proof(&self, height: u64) -> Result<TlogProof, ProveError> {
        let damaged = |error: String| ProveError::Damaged(error);
        let path = self.node.member().log().prove_inclusion(height, self.size);
        let path = path.map_err(|error| damaged(error.to_string()))?;
        let note = self.node.member().head_note(self.size).map_err(|error| damaged(error.to_string()))?;
        let note =
            note.ok_or_else(|| damaged(format!("nobody has signed the head of size {}", self.size)))?;
        TlogProof::new(None, height, path, note).map_err(|error| damaged(error.to_string()))
    }
}

fn logged(block: &Block, leaf: &LogLeaf) -> LoggedBlock {
    LoggedBlock { record: block.encode(), log_leaf: leaf.encode() }
}

/// A bill or correction in the block that commits it.
struct Issued<'a> {
    placed: Placed,
    bill: Bill,
    /// Of a correction.
    before: Option<ContentHash>,
    block: &'a (Block, LogLeaf),
    readings: Root,
    contracts: Root,
}

/// The receipt of an account's bill as it stands now.
///
/// # Errors
/// [`ProveError`].
pub fn bill_receipt(node: &Node, account: AccountId, period: Period) -> Result<Receipt, ProveError> {
    let number = node.books().corrections(period, &account).len();
    bill_receipt_of(node, account, period, number)
}

/// The receipt of an account's bill as it was issued, number 0, or of one of its corrections, counted from 1.
///
/// # Errors
/// [`ProveError`].
pub fn bill_receipt_of(
    node: &Node,
    account: AccountId,
    period: Period,
    number: usize,
) -> Result<Receipt, ProveError> {
    // Bills are here, but not the readings that a receipt opens.
    node.books().secret()?;
    let chain = Chain::of(node)?;
    let books = node.books();
    let issued = issued(&chain, account, period, number)?;
    let bill = &issued.bill;
    let correction = match (number, issued.before) {
        (0, _) => None,
        (_, None) => Some(CorrectionPart { before: None }),
        (_, Some(_)) => {
            let before = self::issued(&chain, account, period, number - 1)?;
            let sealed_by = chain.placed(before.block)?;
            Some(CorrectionPart { before: Some(Before { record: before.placed, sealed_by }) })
        }
    };
    let tariffs: Vec<Vec<u8>> = bill
        .tariffs
        .iter()
        .filter_map(|hash| books.tariffs().versions().iter().find(|version| version.hash == *hash))
        .map(|version| tariff_bytes::encode_tariff(&version.body))
        .collect();
    let agreement = books.agreements().iter().find(|known| known.hash == bill.agreement);
    let agreement =
        agreement.ok_or_else(|| ProveError::Damaged(format!("agreement {} is unknown", bill.agreement)))?;
    // Not the list in force: the block commits to the list of its own day.
    let list = contracts_then(node, issued.contracts)?;
    let contract_tree = document::contracts_tree(&list);
    let own: Vec<usize> = (0..list.len()).filter(|at| list[*at].account == account).collect();
    let contracts = own
        .iter()
        .map(|&at| Placed {
            record: document::encode_contract(&list[at]),
            index: index(at),
            path: contract_tree.path(at).unwrap_or_default(),
        })
        .collect();

    let all = leaves_then(&chain, period, issued.readings)?;
    let tree = sealing::seal(SealKind::Period, &all, books.threads());
    let tree = tree.map_err(|error| ProveError::Damaged(error.to_string()))?;
    let is_billed = |leaf: &&DayLeaf| {
        let key = leaf.block().key();
        own.iter().map(|&at| &list[at]).any(|contract| {
            contract.usage_point == key.usage_point
                && contract.register == key.register
                && contract.validity.contains(key.day)
        })
    };
    let mut billed: Vec<&DayLeaf> = all.iter().filter(is_billed).collect();
    billed.sort_by_key(|leaf| leaf.block().key());
    let (partitions, leaves) = opened(&tree, &billed)?;

    let previous = bill.previous.map(|hash| previous_bill(&chain, bill, &hash)).transpose()?;
    let mut blocks = vec![&chain.blocks[0]];
    blocks.extend(previous.as_ref().map(|(_, block)| *block));
    for hash in &bill.tariffs {
        blocks.push(chain.publication(DocumentKind::Tariff, hash)?);
    }
    blocks.push(chain.publication(DocumentKind::Agreement, &bill.agreement)?);
    let activated = chain.find(
        |command| matches!(command, Command::Activate(activation) if activation.agreement == bill.agreement),
    );
    blocks.push(activated.ok_or_else(|| {
        ProveError::Damaged(format!("agreement {} is activated in no block", bill.agreement))
    })?);
    let mut market = Vec::with_capacity(bill.market.len());
    for hash in &bill.market {
        let (kind, record) = market_record(books, hash)?;
        blocks.push(chain.publication(kind, hash)?);
        market.push(record);
    }
    blocks.sort_by_key(|(block, _)| block.height);
    blocks.dedup_by_key(|(block, _)| block.height);
    let sealed_by = issued.block;
    Ok(Receipt {
        subject: Subject::Bill { period, account },
        bill: Some(BillPart {
            bill: issued.placed,
            correction,
            tariffs,
            agreement: agreement_bytes::encode_agreement(&agreement.body),
            contracts,
            market,
            previous: previous.map(|(placed, _)| placed),
        }),
        partitions,
        leaves,
        blocks: blocks.into_iter().map(|block| chain.placed(block)).collect::<Result<_, _>>()?,
        motions: chain.motions()?,
        sealed_by: logged(&sealed_by.0, &sealed_by.1),
        proof: chain.proof(sealed_by.0.height)?,
    })
}

/// A bill as it was issued, number 0, or a correction of it, and the block it stands in.
fn issued<'a>(
    chain: &'a Chain<'_>,
    account: AccountId,
    period: Period,
    number: usize,
) -> Result<Issued<'a>, ProveError> {
    let books = chain.node.books();
    if books.bills(period).is_none() {
        return Err(ProveError::Nothing(format!("period {period} is not billed")));
    }
    let corrections = books.corrections(period, &account);
    let damaged = |what: &str| ProveError::Damaged(format!("the {what} of {period} are in no block"));
    if number == 0 {
        let bills = books.bills(period).unwrap_or_default();
        let at = bills.binary_search_by_key(&account, |bill| bill.account);
        let at =
            at.map_err(|_| ProveError::Nothing(format!("account {account} has no bill for {period}")))?;
        let block = chain
            .find(|command| matches!(command, Command::Bills(commit) if commit.period == period))
            .ok_or_else(|| damaged("bills"))?;
        let Command::Bills(commit) = &block.0.proposal.command else { return Err(damaged("bills")) };
        let records: Vec<Vec<u8>> = bills.iter().map(bill_bytes::encode_bill).collect();
        let path = tree_over(TreeKind::Bills, &records).path(at).unwrap_or_default();
        let placed = Placed { record: records[at].clone(), index: index(at), path };
        let (readings, contracts) = (commit.readings, commit.contracts);
        return Ok(Issued { placed, bill: bills[at].clone(), before: None, block, readings, contracts });
    }
    let wanted = corrections.get(number - 1).ok_or_else(|| {
        let count = corrections.len();
        ProveError::Nothing(format!("the bill of account {account} for {period} has {count} corrections"))
    })?;
    for block in &chain.blocks {
        let command = &block.0.proposal.command;
        let Command::Corrections(commit) = command else { continue };
        if commit.period != period {
            continue;
        }
        let bytes = chain.node.folder().read_file(command)?.unwrap_or_default();
        let records = list_file::decode(ListKind::Corrections, &bytes);
        let records = records.map_err(|error| ProveError::Damaged(error.to_string()))?;
        let records: Vec<Vec<u8>> = records.into_iter().map(<[u8]>::to_vec).collect();
        let Some(at) = records.iter().position(|record| digest::content_hash(record) == wanted.hash) else {
            continue;
        };
        let path = tree_over(TreeKind::Corrections, &records).path(at).unwrap_or_default();
        let placed = Placed { record: records[at].clone(), index: index(at), path };
        let (readings, contracts) = (commit.readings, commit.contracts);
        let (bill, before) = (wanted.body.bill.clone(), wanted.body.before);
        return Ok(Issued { placed, bill, before, block, readings, contracts });
    }
    Err(damaged("corrections"))
}

/// The contract list of a root, which may have been replaced since.
fn contracts_then(node: &Node, root: Root) -> Result<Vec<Contract>, ProveError> {
    if document::contracts_root(node.books().contracts()) == root {
        return Ok(node.books().contracts().to_vec());
    }
    let bytes = node.folder().read_file(&Command::Contracts(root))?.unwrap_or_default();
    read_contracts(&bytes).map_err(|error| ProveError::Damaged(error.to_string()))
}

/// The leaves of a period as it was closed with this root: it may have been closed again since.
fn leaves_then<'a>(
    chain: &'a Chain<'_>,
    period: Period,
    root: Root,
) -> Result<Cow<'a, [DayLeaf]>, ProveError> {
    let books = chain.node.books();
    if books.period_root(period) == Some(root) {
        return Ok(Cow::Borrowed(books.period_leaves(period).unwrap_or_default()));
    }
    let (block, _) = chain
        .find(|command| matches!(command, Command::Period(commit) if commit.sealed.root == root))
        .ok_or_else(|| ProveError::Damaged(format!("the readings {} are in no block", root.hash)))?;
    let bytes = chain.node.folder().read_file(&block.proposal.command)?.unwrap_or_default();
    let file = books.decode_sealed(&bytes).map_err(|error| ProveError::Damaged(error.to_string()))?;
    Ok(Cow::Owned(file.leaves))
}

/// A price series, a list of hours or a plan that a bill names: its kind and bytes.
fn market_record(books: &Books, hash: &ContentHash) -> Result<(DocumentKind, Vec<u8>), ProveError> {
    let series = books.market().series().iter().find(|known| known.hash == *hash);
    let hours = books.market().hours().iter().find(|known| known.hash == *hash);
    let plan = books.market().plans().iter().find(|known| known.hash == *hash);
    match (series, hours, plan) {
        (Some(series), ..) => {
            Ok((DocumentKind::PriceSeries, price_series_bytes::encode_price_series(&series.body)))
        }
        (None, Some(hours), _) => {
            Ok((DocumentKind::HourList, hour_list_bytes::encode_hour_list(&hours.body)))
        }
        (None, None, Some(plan)) => {
            Ok((DocumentKind::PlanSeries, plan_series_bytes::encode_plan_series(&plan.body)))
        }
        (None, None, None) => Err(ProveError::Damaged(format!("document {hash} is unknown"))),
    }
}

/// What a bill stands on: the bill of the month before or a correction of it, and the block that commits that.
fn previous_bill<'c>(
    chain: &'c Chain<'_>,
    bill: &Bill,
    hash: &ContentHash,
) -> Result<(Placed, &'c (Block, LogLeaf)), ProveError> {
    let damaged = || ProveError::Damaged(format!("the bill {hash} that this one stands on is unknown"));
    let period = Period::from_number(bill.period.number() - 1).ok_or_else(damaged)?;
    let corrections = chain.node.books().corrections(period, &bill.account);
    let number = match corrections.iter().position(|known| known.hash == *hash) {
        Some(at) => at + 1,
        None => 0,
    };
    let before = issued(chain, bill.account, period, number)?;
    if digest::content_hash(&before.placed.record) != *hash {
        return Err(damaged());
    }
    Ok((before.placed, before.block))
}

/// The receipt of a register's day, as it was sealed last.
///
/// # Errors
/// [`ProveError`].
pub fn day_receipt(node: &Node, key: BlockKey) -> Result<Receipt, ProveError> {
    let secret = node.books().secret()?;
    let chain = Chain::of(node)?;
    let BlockKey { usage_point, register, day } = key;
    if node.books().revision(&key).is_none() {
        let text = format!("no readings of {usage_point} register {register} on {day} are sealed");
        return Err(ProveError::Nothing(text));
    }
    for sealed_by in chain.blocks.iter().rev() {
        let command = &sealed_by.0.proposal.command;
        if !matches!(command, Command::Batch(_)) {
            continue;
        }
        let damaged = |error: String| ProveError::Damaged(error);
        let bytes = node.folder().read_file(command)?.unwrap_or_default();
        let proved = BatchReader::of(&bytes).and_then(|file| file.prove(&key, secret));
        let Some((leaf, proof)) = proved.map_err(|error| damaged(error.to_string()))? else { continue };
        let (partition, placed) = placed(&leaf, proof);
        return Ok(Receipt {
            subject: Subject::Day { day, register, usage_point },
            bill: None,
            partitions: vec![partition],
            leaves: vec![placed],
            blocks: vec![chain.placed(&chain.blocks[0])?],
            motions: chain.motions()?,
            sealed_by: logged(&sealed_by.0, &sealed_by.1),
            proof: chain.proof(sealed_by.0.height)?,
        });
    }
    Err(ProveError::Damaged(format!("the day {day} of {usage_point} is in no batch")))
}

/// Leaves with their paths, and each partition once.
fn opened(tree: &SealedTree, leaves: &[&DayLeaf]) -> Result<(Vec<PlacedPartition>, Vec<Placed>), ProveError> {
    let mut partitions: Vec<(u8, PlacedPartition)> = Vec::new();
    let mut opened = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        let key = leaf.block().key();
        let proof = tree.prove(&key);
        let proof = proof.ok_or_else(|| {
            ProveError::Damaged(format!("{} on {} is not in its tree", key.usage_point, key.day))
        })?;
        let number = proof.summary.partition;
        let (partition, leaf) = placed(leaf, proof);
        partitions.push((number, partition));
        opened.push(leaf);
    }
    partitions.sort_by_key(|(partition, _)| *partition);
    partitions.dedup_by_key(|(partition, _)| *partition);
    Ok((partitions.into_iter().map(|(_, placed)| placed).collect(), opened))
}

/// A leaf and its partition as receipts have them.
fn placed(leaf: &DayLeaf, proof: LeafProof) -> (PlacedPartition, Placed) {
    let LeafProof { index, path, summary, upper_path } = proof;
    let partition = PlacedPartition { record: summary.encode(), path: upper_path };
    (partition, Placed { record: leaf.bytes().to_vec(), index, path })
}

fn index(at: usize) -> u64 {
    u64::try_from(at).unwrap_or(u64::MAX)
}
