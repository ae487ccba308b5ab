//! One node's books: what it knows of readings, documents, bills and payments, and the one function by which
//! it computes every command itself.
//!
//! ```text
//!   Input ──compute──▶ Computed { command, file }      the proposer, the two others, recovery and the audit
//!                           │ ordered in the chain      all run this same function
//!                           ▼
//!                        absorb                         the books move on
//! ```
//!
//! Nothing here reads a clock or a disk; the same inputs in the same order give the same books.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;
use tallywatt_core::account::{AccountState, OpenBill, Payment};
use tallywatt_core::agreement::Agreement;
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::{Period, Zone};
use tallywatt_core::contract::{self, Contract};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::{AccountId, Label, UsagePointId};
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::rate::{self, BillInputs};
use tallywatt_core::split::{self, Leg, RunningSplit, SettledPayment};
use tallywatt_core::tariff::TariffBook;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::command::{
    BatchCommit, BillsCommit, Command, DocumentKind, Genesis, PeriodCommit, Publication, SettlementCommit,
};
use tallywatt_ledger::day_leaf::{BlindingSecret, DayLeaf};
use tallywatt_ledger::seal::{SealError, SealKind, SealedTree};
use tallywatt_ledger::tree::{Root, Tree, TreeKind};
use tallywatt_ledger::{bill_bytes, digest, document};
use tallywatt_shards::accepted::AcceptedSet;
use tallywatt_shards::batch_file::{self, BatchFileError};
use tallywatt_shards::closing::close_period;
use tallywatt_shards::sealing;
use tallywatt_shards::threads::Threads;

use crate::list_file::{self, ListError, ListKind};

/// What a command is computed from.
#[derive(Debug, Clone)]
pub enum Input {
    /// The first block.
    Genesis(Box<Genesis>),
    /// The canonical bytes of a tariff or agreement.
    Document(Vec<u8>),
    /// A contract list file.
    Contracts(Vec<u8>),
    /// A batch file.
    Batch(Vec<u8>),
    /// The close of a period.
    Period(Period),
    /// The bills of a period.
    Bills(Period),
    /// New payments, in any order.
    Payments(Vec<Payment>),
}

/// A command and the file it stands for.
#[derive(Debug, Clone)]
pub struct Computed {
    /// What goes on the chain.
    pub command: Command,
    /// What each node keeps beside it; `None` for the genesis.
    pub file: Option<Vec<u8>>,
    /// Accounts that could not be billed, with the reason.
    pub unbilled: Vec<(AccountId, String)>,
}

/// Why a command cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// Stored or received bytes are not canonical.
    #[error("{what}: {source}")]
    Codec {
        /// Of what.
        what: &'static str,
        /// Where.
        source: CodecError,
    },
    /// A list file is damaged.
    #[error(transparent)]
    List(#[from] ListError),
    /// A batch file is damaged.
    #[error(transparent)]
    BatchFile(#[from] BatchFileError),
    /// Leaves cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A batch does not follow from what was accepted before.
    #[error("batch {sequence}, leaf {at} of {usage_point} on {day}: {what}")]
    Leaf {
        /// The batch.
        sequence: u64,
        /// Index of the leaf.
        at: usize,
        /// Its usage point.
        usage_point: UsagePointId,
        /// Its day.
        day: String,
        /// What is wrong.
        what: &'static str,
    },
    /// There is nothing to do it from.
    #[error("{0}")]
    Nothing(String),
    /// Something is known already, or something else.
    #[error("{0}")]
    Conflict(String),
    /// Sums past 64-bit minor units.
    #[error("sums of {0} do not fit 64 bits")]
    Overflow(&'static str),
}

/// One node's books.
pub struct Books {
    secret: BlindingSecret,
    threads: Threads,
    accepted: AcceptedSet,
    revisions: HashMap<BlockKey, u8>,
    batch_count: u64,
    tariffs: TariffBook,
    agreements: Vec<Published<Agreement>>,
    contracts: Vec<Contract>,
    periods: BTreeMap<Period, (Root, Vec<DayLeaf>)>,
    bills: BTreeMap<Period, Vec<Bill>>,
    accounts: BTreeMap<AccountId, AccountState>,
    payments: BTreeMap<Label, Payment>,
    running: BTreeMap<ContentHash, RunningSplit>,
    settlement_count: u64,
}

impl Books {
    /// Empty books.
    #[must_use]
    pub fn new(secret: BlindingSecret, threads: Threads) -> Self {
        Self {
            secret,
            threads,
            accepted: AcceptedSet::new(),
            revisions: HashMap::new(),
            batch_count: 0,
            tariffs: TariffBook::default(),
            agreements: Vec::new(),
            contracts: Vec::new(),
            periods: BTreeMap::new(),
            bills: BTreeMap::new(),
            accounts: BTreeMap::new(),
            payments: BTreeMap::new(),
            running: BTreeMap::new(),
            settlement_count: 0,
        }
    }

    /// What was accepted and sealed.
    #[must_use]
    pub const fn accepted(&self) -> &AcceptedSet {
        &self.accepted
    }

    /// Published tariffs.
    #[must_use]
    pub const fn tariffs(&self) -> &TariffBook {
        &self.tariffs
    }

    /// Published agreements.
    #[must_use]
    pub fn agreements(&self) -> &[Published<Agreement>] {
        &self.agreements
    }

    /// The contract list, in canonical order.
    #[must_use]
    pub fn contracts(&self) -> &[Contract] {
        &self.contracts
    }

    /// The leaves of a closed period, in seal order.
    #[must_use]
    pub fn period_leaves(&self, period: Period) -> Option<&[DayLeaf]> {
        self.periods.get(&period).map(|(_, leaves)| leaves.as_slice())
    }

    /// The bills of a period, by account.
    #[must_use]
    pub fn bills(&self, period: Period) -> Option<&[Bill]> {
        self.bills.get(&period).map(Vec::as_slice)
    }

    /// Periods that are billed.
    pub fn billed_periods(&self) -> impl Iterator<Item = Period> {
        self.bills.keys().copied()
    }

    /// Accounts and what they owe.
    #[must_use]
    pub const fn accounts(&self) -> &BTreeMap<AccountId, AccountState> {
        &self.accounts
    }

    /// Payments settled so far.
    #[must_use]
    pub const fn payments(&self) -> &BTreeMap<Label, Payment> {
        &self.payments
    }

    /// How many times a register-day was sealed.
    #[must_use]
    pub fn revision(&self, key: &BlockKey) -> Option<u8> {
        self.revisions.get(key).copied()
    }

    /// The batch file that seals these blocks as the next batch: what the grid company proposes.
    ///
    /// # Errors
    /// [`BooksError::Nothing`] without blocks, [`BooksError::Conflict`] after 255 revisions of a day.
    pub fn batch_file(&self, blocks: &[&DayBlock]) -> Result<Vec<u8>, BooksError> {
        if blocks.is_empty() {
            return Err(BooksError::Nothing("no reading is new since the last batch".into()));
        }
        if let Some(block) = blocks.iter().find(|block| self.revision(&block.key()) == Some(u8::MAX)) {
            let key = block.key();
            return Err(BooksError::Conflict(format!(
                "{} on {} was corrected 255 times, at most 255",
                key.usage_point, key.day
            )));
        }
        let revision_of = |key: &BlockKey| self.revision(key).map_or(0, |last| last.saturating_add(1));
        let leaves = sealing::leaves_of(blocks, SealKind::Batch, &self.secret, revision_of, &self.threads);
        Ok(batch_file::encode(SealKind::Batch, self.batch_count + 1, &leaves)?)
    }

    /// The input that a proposed command and its file stand for.
    ///
    /// # Errors
    /// [`BooksError`] if the file is missing or damaged.
    pub fn input_of(command: &Command, file: Option<&[u8]>) -> Result<Input, BooksError> {
        let given = || {
            let missing =
                || BooksError::Nothing(format!("the file of the proposed {} was not given", command.name()));
            file.map(<[u8]>::to_vec).ok_or_else(missing)
        };
        Ok(match command {
            Command::Genesis(genesis) => Input::Genesis(genesis.clone()),
            Command::Publish(_) => Input::Document(given()?),
            Command::Contracts(_) => Input::Contracts(given()?),
            Command::Batch(_) => Input::Batch(given()?),
            Command::Period(commit) => Input::Period(commit.period),
            Command::Bills(commit) => Input::Bills(commit.period),
            Command::Settlement(_) => {
                let settled = read_settled(&given()?)?;
                Input::Payments(settled.into_iter().map(|settled| settled.payment).collect())
            }
        })
    }

    /// Computes the command for an input, from these books alone.
    ///
    /// # Errors
    /// [`BooksError`]; the books do not change either way.
    pub fn compute(&self, input: Input) -> Result<Computed, BooksError> {
        let plain = |command, file| Ok(Computed { command, file, unbilled: Vec::new() });
        match input {
            Input::Genesis(genesis) => plain(Command::Genesis(genesis), None),
            Input::Document(bytes) => plain(Command::Publish(publication_of(&bytes)?), Some(bytes)),
            Input::Contracts(bytes) => {
                let contracts = read_contracts(&bytes)?;
                plain(Command::Contracts(document::contracts_root(&contracts)), Some(bytes))
            }
            Input::Batch(bytes) => plain(Command::Batch(self.seal_batch(&bytes)?), Some(bytes)),
            Input::Period(period) => self.close(period),
            Input::Bills(period) => self.bill(period),
            Input::Payments(payments) => self.settle(payments),
        }
    }

    /// Moves the books on by a command in the chain. The file was checked when the command was computed.
    ///
    /// # Errors
    /// [`BooksError`] if the file is damaged.
    pub fn absorb(&mut self, command: &Command, file: Option<&[u8]>) -> Result<(), BooksError> {
        let file = match (command, file) {
            (Command::Genesis(_), _) => &[][..],
            (_, Some(file)) => file,
            (_, None) => {
                return Err(BooksError::Nothing(format!("the file of the {} is missing", command.name())));
            }
        };
        match command {
            Command::Genesis(_) => {}
            Command::Publish(publication) => self.absorb_document(publication.kind, file)?,
            Command::Contracts(_) => {
                self.contracts = read_contracts(file)?;
                for contract in &self.contracts {
                    self.accounts.entry(contract.account).or_default();
                }
            }
            Command::Batch(commit) => {
                for leaf in batch_file::decode(file)?.leaves {
                    self.revisions.insert(leaf.block().key(), leaf.revision());
                    let key = leaf.block().key();
                    self.accepted.merge(leaf.into_block()).map_err(|_| {
                        BooksError::Conflict(format!("{} on {} changed its grid", key.usage_point, key.day))
                    })?;
                }
                self.accepted.take_touched();
                self.batch_count = commit.sequence;
            }
            Command::Period(commit) => {
                self.periods.insert(commit.period, (commit.sealed.root, batch_file::decode(file)?.leaves));
            }
            Command::Bills(commit) => self.absorb_bills(commit.period, file)?,
            Command::Settlement(commit) => {
                for settled in read_settled(file)? {
                    if let Some(account) = self.accounts.get_mut(&settled.payment.account) {
                        account.pay(settled.payment.amount);
                    }
                    self.payments.insert(settled.payment.id, settled.payment);
                }
                self.running.extend(commit.running.iter().copied());
                self.settlement_count = commit.sequence;
            }
        }
        Ok(())
    }

    fn absorb_document(&mut self, kind: DocumentKind, bytes: &[u8]) -> Result<(), BooksError> {
        match kind {
            DocumentKind::Tariff => {
                let tariff = document::decode_tariff(bytes)
                    .map_err(|source| BooksError::Codec { what: "tariff", source })?;
                self.tariffs
                    .publish(document::publish_tariff(tariff))
                    .map_err(|error| BooksError::Conflict(error.to_string()))
            }
            DocumentKind::Agreement => {
                let agreement = document::decode_agreement(bytes)
                    .map_err(|source| BooksError::Codec { what: "agreement", source })?;
                self.agreements.push(document::publish_agreement(agreement));
                self.agreements.sort_by_key(|known| (known.body.id, known.body.validity));
                Ok(())
            }
        }
    }

    fn absorb_bills(&mut self, period: Period, file: &[u8]) -> Result<(), BooksError> {
        let bills = read_bills(file)?;
        for bill in &bills {
            self.accounts.entry(bill.account).or_default().issue(OpenBill {
                bill: digest::content_hash(&bill_bytes::encode_bill(bill)),
                period,
                agreement: bill.agreement,
                total: bill.total,
                paid: Money::ZERO,
                payee_part: bill.payee_part,
            });
        }
        self.bills.insert(period, bills);
        Ok(())
    }

    /// Checks a batch against what was accepted before, leaf by leaf, and seals it.
    fn seal_batch(&self, bytes: &[u8]) -> Result<BatchCommit, BooksError> {
        let file = batch_file::decode(bytes)?;
        let sequence = file.sequence;
        if file.kind != SealKind::Batch || sequence != self.batch_count + 1 || file.leaves.is_empty() {
            return Err(BooksError::Conflict(format!(
                "batch file {sequence} does not follow {}",
                self.batch_count
            )));
        }
        let check = |(at, leaf): (usize, &DayLeaf)| {
            self.check_leaf(leaf).map_err(|what| {
                let key = leaf.block().key();
                BooksError::Leaf {
                    sequence,
                    at,
                    usage_point: key.usage_point,
                    day: key.day.to_string(),
                    what,
                }
            })
        };
        let checked: Vec<Result<(), BooksError>> =
            self.threads.pool().install(|| file.leaves.par_iter().enumerate().map(check).collect());
        checked.into_iter().collect::<Result<(), BooksError>>()?;
        let sealed = sealing::seal(SealKind::Batch, &file.leaves, &self.threads)?.sealed();
        Ok(BatchCommit { sequence, file: digest::content_hash(bytes), sealed })
    }

    /// A leaf carries this ledger's blinding and its next revision, and takes back nothing accepted before.
    fn check_leaf(&self, leaf: &DayLeaf) -> Result<(), &'static str> {
        if !leaf.is_blinded_by(&self.secret) {
            return Err("its blinding is not this ledger's");
        }
        let key = leaf.block().key();
        let next = self.revision(&key).map_or(Some(0), |last| last.checked_add(1));
        if next != Some(leaf.revision()) {
            return Err("its revision is not the next");
        }
        if let Some(known) = self.accepted.get(&key) {
            let mut joined = known.clone();
            let same_grid = joined.merge(leaf.block()).is_ok();
            if !same_grid
                || joined.values_wh() != leaf.block().values_wh()
                || joined.qualities() != leaf.block().qualities()
            {
                return Err("it takes back readings accepted before");
            }
        }
        Ok(())
    }

    fn close(&self, period: Period) -> Result<Computed, BooksError> {
        let zones = self.zones_of(period);
        let zone_of = |usage_point: &UsagePointId| &zones[usage_point];
        let blocks = close_period(&self.accepted, period, zone_of, &self.threads);
        if blocks.is_empty() {
            return Err(BooksError::Nothing(format!("no readings of {period} are sealed")));
        }
        let leaves = sealing::leaves_of(&blocks, SealKind::Period, &self.secret, |_| 0, &self.threads);
        let sealed = sealing::seal(SealKind::Period, &leaves, &self.threads)?.sealed();
        let file = batch_file::encode(SealKind::Period, period.number().into(), &leaves)?;
        let command = Command::Period(PeriodCommit { period, batches: self.batch_count, sealed });
        Ok(Computed { command, file: Some(file), unbilled: Vec::new() })
    }

    /// Whose local days a usage point follows: its contract's zone, else the offset its own days have.
    fn zones_of(&self, period: Period) -> HashMap<UsagePointId, Zone> {
        let mut zones: HashMap<UsagePointId, Zone> =
            self.contracts.iter().map(|contract| (contract.usage_point, contract.zone.clone())).collect();
        for block in self.accepted.blocks_of_period(period) {
            zones.entry(block.key().usage_point).or_insert_with(|| {
                let quarters = block.offset_quarters();
                let sign = if quarters < 0 { '-' } else { '+' };
                let minutes = u32::from(quarters.unsigned_abs()) * 15;
                let name = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
                Zone::parse(&name).unwrap_or_else(|_| Zone::parse("UTC").expect("UTC is a zone"))
            });
        }
        zones
    }

    /// The bills of a period as they would be, whether it is closed yet or not: a plan.
    ///
    /// # Errors
    /// [`BooksError`].
    pub fn plan_bills(&self, period: Period) -> Result<Computed, BooksError> {
        if self.periods.contains_key(&period) {
            return self.bill(period);
        }
        let closed = self.close(period)?;
        let leaves = batch_file::decode(closed.file.as_deref().unwrap_or_default())?.leaves;
        match closed.command {
            Command::Period(commit) => self.bill_from(period, commit.sealed.root, &leaves),
            _ => unreachable!("closing a period computes a period command"),
        }
    }

    fn bill(&self, period: Period) -> Result<Computed, BooksError> {
        let closed = self.periods.get(&period);
        let (readings, leaves) =
            closed.ok_or_else(|| BooksError::Nothing(format!("period {period} is not closed")))?;
        self.bill_from(period, *readings, leaves)
    }

    fn bill_from(&self, period: Period, readings: Root, leaves: &[DayLeaf]) -> Result<Computed, BooksError> {
        let blocks: HashMap<BlockKey, &DayBlock> =
            leaves.iter().map(|leaf| (leaf.block().key(), leaf.block())).collect();
        let find = |key: &BlockKey| blocks.get(key).copied();
        let held = |contract: &&Contract| {
            contract.validity.from() < period.end_day()
                && contract.validity.to().is_none_or(|to| to > period.first_day())
        };
        let groups: Vec<&[Contract]> = self
            .contracts
            .chunk_by(|a, b| a.account == b.account)
            .filter(|group| group.iter().any(|contract| held(&contract)))
            .collect();
        let rated: Vec<(AccountId, Result<Bill, String>)> = self.threads.pool().install(|| {
            groups
                .par_iter()
                .map(|group| (group[0].account, self.bill_account(period, group, readings.hash, &find)))
                .collect()
        });
        let (mut bills, mut unbilled) = (Vec::new(), Vec::new());
        for (account, result) in rated {
            match result {
                Ok(bill) => bills.push(bill),
                Err(reason) => unbilled.push((account, reason)),
            }
        }
        if bills.is_empty() {
            let why = unbilled.first().map_or("no contract holds in it".into(), |(_, reason)| reason.clone());
            return Err(BooksError::Nothing(format!("no account can be billed for {period}: {why}")));
        }
        let records: Vec<Vec<u8>> = bills.iter().map(bill_bytes::encode_bill).collect();
        let file = list_file::encode(ListKind::Bills, &records);
        let sum = |add: &dyn Fn(&Bill) -> i64| {
            bills
                .iter()
                .try_fold(0_i64, |sum, bill| sum.checked_add(add(bill)))
                .ok_or(BooksError::Overflow("bills"))
        };
        let payee_part: ExactAmount = bills.iter().map(|bill| bill.payee_part).sum();
        let command = Command::Bills(BillsCommit {
            period,
            readings,
            contracts: document::contracts_root(&self.contracts),
            bills: tree_over(TreeKind::Bills, &records).root(),
            file: digest::content_hash(&file),
            energy_wh: sum(&|bill| bill.energy().as_wh())?,
            total: Money::from_minor(sum(&|bill| bill.total.as_minor())?),
            payee_part,
        });
        Ok(Computed { command, file: Some(file), unbilled })
    }

    fn bill_account<'b>(
        &self,
        period: Period,
        contracts: &[Contract],
        readings: ContentHash,
        find: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<Bill, String> {
        let account = contracts[0].account;
        let id = contracts[0].agreement;
        if contracts.iter().any(|contract| contract.agreement != id) {
            return Err(format!("the contracts of account {account} name different agreements"));
        }
        let day = period.first_day();
        let agreement = self
            .agreements
            .iter()
            .find(|known| known.body.id == id && known.body.validity.contains(day))
            .ok_or_else(|| format!("agreement {id} has no version that holds on {day}"))?;
        let inputs = BillInputs { account, period, contracts, tariffs: &self.tariffs, agreement, readings };
        rate::bill(&inputs, find).map_err(|error| error.to_string())
    }

    fn settle(&self, mut payments: Vec<Payment>) -> Result<Computed, BooksError> {
        payments.sort_by_key(|payment| (payment.booked, payment.id));
        let mut fresh: Vec<Payment> = Vec::new();
        for payment in payments {
            match self.payments.get(&payment.id) {
                Some(known) if *known == payment => {}
                Some(_) => {
                    let text = format!("payment {} is already settled with other contents", payment.id);
                    return Err(BooksError::Conflict(text));
                }
                None => fresh.push(payment),
            }
        }
        if fresh.is_empty() {
            return Err(BooksError::Nothing("every payment is settled already: nothing is new".into()));
        }
        let agreements: BTreeMap<ContentHash, Agreement> =
            self.agreements.iter().map(|known| (known.hash, known.body.clone())).collect();
        let mut accounts: BTreeMap<AccountId, AccountState> = BTreeMap::new();
        let mut running = self.running.clone();
        let mut settled = Vec::with_capacity(fresh.len());
        for payment in fresh {
            let known = self.accounts.get(&payment.account);
            let account = known.map(|known| accounts.entry(payment.account).or_insert_with(|| known.clone()));
            settled.push(split::settle(payment, account, &agreements, &mut running));
        }
        let records: Vec<Vec<u8>> = settled.iter().map(bill_bytes::encode_settled).collect();
        let file = list_file::encode(ListKind::Settlement, &records);
        let paid = settled
            .iter()
            .try_fold(Money::ZERO, |sum, settled| sum.checked_add(settled.payment.amount))
            .ok_or(BooksError::Overflow("payments"))?;
        let command = Command::Settlement(SettlementCommit {
            sequence: self.settlement_count + 1,
            file: digest::content_hash(&file),
            payments: tree_over(TreeKind::Payments, &records).root(),
            paid,
            legs: sum_legs(&settled)?,
            running: running
                .into_iter()
                .filter(|(hash, split)| self.running.get(hash) != Some(split))
                .collect(),
        });
        Ok(Computed { command, file: Some(file), unbilled: Vec::new() })
    }

    /// The sealed tree of a closed period, to prove leaves of it.
    ///
    /// # Errors
    /// [`BooksError`] if the period is not closed.
    pub fn period_tree(&self, period: Period) -> Result<SealedTree, BooksError> {
        let leaves = self.period_leaves(period);
        let leaves = leaves.ok_or_else(|| BooksError::Nothing(format!("period {period} is not closed")))?;
        Ok(sealing::seal(SealKind::Period, leaves, &self.threads)?)
    }

    /// The threads these books compute with.
    #[must_use]
    pub const fn threads(&self) -> &Threads {
        &self.threads
    }
}

/// The tree over the content hashes of canonical records.
#[must_use]
pub fn tree_over(kind: TreeKind, records: &[Vec<u8>]) -> Tree {
    Tree::new(kind, records.iter().map(|record| digest::content_hash(record)).collect())
}

/// The contract list file of these contracts.
#[must_use]
pub fn contracts_file(contracts: &[Contract]) -> Vec<u8> {
    let records: Vec<Vec<u8>> = contracts.iter().map(document::encode_contract).collect();
    list_file::encode(ListKind::Contracts, &records)
}

/// The publication that a document's canonical bytes stand for.
///
/// # Errors
/// [`BooksError::Codec`] if they are neither a tariff nor an agreement.
pub fn publication_of(bytes: &[u8]) -> Result<Publication, BooksError> {
    if bytes.get(1) == Some(&document::TARIFF_KIND) {
        let tariff =
            document::decode_tariff(bytes).map_err(|source| BooksError::Codec { what: "tariff", source })?;
        let published = document::publish_tariff(tariff);
        let (id, validity) = (published.body.parts().id, published.body.parts().validity);
        return Ok(Publication { kind: DocumentKind::Tariff, id, hash: published.hash, validity });
    }
    let agreement = document::decode_agreement(bytes)
        .map_err(|source| BooksError::Codec { what: "agreement", source })?;
    let published = document::publish_agreement(agreement);
    let (id, validity) = (published.body.id, published.body.validity);
    Ok(Publication { kind: DocumentKind::Agreement, id, hash: published.hash, validity })
}

fn read_contracts(bytes: &[u8]) -> Result<Vec<Contract>, BooksError> {
    let records = list_file::decode(ListKind::Contracts, bytes)?;
    let decode = |record| {
        document::decode_contract(record).map_err(|source| BooksError::Codec { what: "contract", source })
    };
    let contracts = records.into_iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let ordered =
        contract::in_order(contracts.clone()).map_err(|error| BooksError::Conflict(error.to_string()))?;
    if ordered != contracts {
        return Err(BooksError::Conflict("the contract list is not in canonical order".into()));
    }
    Ok(contracts)
}

/// The bills of a bill file.
///
/// # Errors
/// [`BooksError`] if it is damaged.
pub fn read_bills(bytes: &[u8]) -> Result<Vec<Bill>, BooksError> {
    let decode =
        |record| bill_bytes::decode_bill(record).map_err(|source| BooksError::Codec { what: "bill", source });
    list_file::decode(ListKind::Bills, bytes)?.into_iter().map(decode).collect()
}

/// The settled payments of a settlement file.
///
/// # Errors
/// [`BooksError`] if it is damaged.
pub fn read_settled(bytes: &[u8]) -> Result<Vec<SettledPayment>, BooksError> {
    let decode = |record| {
        bill_bytes::decode_settled(record)
            .map_err(|source| BooksError::Codec { what: "settled payment", source })
    };
    list_file::decode(ListKind::Settlement, bytes)?.into_iter().map(decode).collect()
}

fn sum_legs(settled: &[SettledPayment]) -> Result<Vec<Leg>, BooksError> {
    let mut sums: BTreeMap<_, Money> = BTreeMap::new();
    for leg in settled.iter().flat_map(|settled| &settled.legs) {
        let sum = sums.entry((leg.party, leg.kind)).or_default();
        *sum = sum.checked_add(leg.amount).ok_or(BooksError::Overflow("legs"))?;
    }
    Ok(sums.into_iter().map(|((party, kind), amount)| Leg { party, kind, amount }).collect())
}
