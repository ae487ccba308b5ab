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

pub mod records;

mod access;
mod activation;
mod billing;
mod closed_period;
mod closing;
mod correcting;
mod counted;
mod eligibility;
mod kept;
mod keys;
mod market;
mod penalties;
mod previous;
mod published;
mod register_only;
mod rule_packs;
mod sealed_readings;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tallywatt_core::access::AccessBook;
use tallywatt_core::account::{AccountState, Entry};
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::contract::Contract;
use tallywatt_core::correction::Correction;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::day_layers::DayState;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::{AccountId, UsagePointId};
use tallywatt_core::layer::Layer;
use tallywatt_core::market::MarketBook;
use tallywatt_core::meter::Installation;
use tallywatt_core::meter_event::{MeterEvent, ReceivedRead};
use tallywatt_core::money::Money;
use tallywatt_core::payment_book::{PaymentBook, SettleError};
use tallywatt_core::penalty::PenaltyTable;
use tallywatt_core::register::Register;
use tallywatt_core::sharing::SharingGroup;
use tallywatt_core::split::Settled;
use tallywatt_core::tariff::TariffBook;
use tallywatt_core::transfer::TransferBook;
use tallywatt_core::vee::guard::ReplacementGuard;
use tallywatt_core::vee::pack::{RegisterClass, RulePack};
use tallywatt_ledger::activation::{Activation, ActivationError};
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::codec::CodecError;
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::document;
use tallywatt_ledger::governance::{Governance, GovernanceError};
use tallywatt_ledger::key_history::{KeyHistory, KeysError};
use tallywatt_ledger::seal::{SealError, SealKind, SealedTree};
use tallywatt_ledger::tree::Root;
use tallywatt_shards::accepted::AcceptedSet;
use tallywatt_shards::batch_file::{BatchFile, BatchFileError};
use tallywatt_shards::threads::Threads;
use tallywatt_shards::{batch_file, sealing};

use crate::books::closed_period::ClosedPeriod;
use crate::books::correcting::LookedAt;
pub use crate::books::correcting::bill_hash;
use crate::books::records::{publication_of, read_contracts, read_settled};
pub use crate::books::sealed_readings::Revision;
use crate::books::sealed_readings::SealedReadings;
use crate::list_file::ListError;

/// What a command is computed from.
#[derive(Debug, Clone)]
pub enum Input {
    /// The first block.
    Genesis(Box<Genesis>),
    /// The canonical bytes of a document: a tariff, an agreement, a rule pack, a penalty table, a price series or an hour list.
    Document(Vec<u8>),
    /// A contract list file.
    Contracts(Vec<u8>),
    /// A batch file.
    Batch(Vec<u8>),
    /// The close of a period; of one that is closed, at what is sealed now.
    Period(Period),
    /// The bills of a period.
    Bills(Period),
    /// Both parties' signatures under a published agreement.
    Activation(Box<Activation>),
    /// Other keys, with the signatures of all parties.
    Motion(Box<Governance>),
    /// New payments and reversals, in any order; without any, what is parked is released to bills.
    Payments(Vec<Entry>),
    /// The corrections of a period's bills on a day.
    Corrections(Period, Day),
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
    /// What a batch says of a day beside its block does not follow from what was known.
    #[error("batch {sequence}, {} on {}: {what}", key.usage_point, key.day)]
    State {
        /// The batch.
        sequence: u64,
        /// The day.
        key: BlockKey,
        /// What is wrong.
        what: &'static str,
    },
    /// There is nothing to do it from.
    #[error("{0}")]
    Nothing(String),
    /// Something is known already, or something else.
    #[error("{0}")]
    Conflict(String),
    /// Payments cannot be settled.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// An agreement is not signed by both its parties.
    #[error(transparent)]
    Activation(#[from] ActivationError),
    /// A motion does not count.
    #[error(transparent)]
    Motion(#[from] GovernanceError),
    /// Keys that the first block names cannot be relied on.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// This party does not compute it: it is not to have what it follows from.
    #[error("the {party}'s node computes no {what} and keeps nothing they follow from: {keepers} do")]
    NotKept {
        /// Whose node.
        party: &'static str,
        /// Which kind of command.
        what: &'static str,
        /// Who computes it.
        keepers: String,
    },
    /// Sums past 64-bit minor units.
    #[error("sums of {0} do not fit 64 bits")]
    Overflow(&'static str),
}

/// One node's books.
pub struct Books {
    /// Whose, if they keep less than everything.
    party: Option<Party>,
    secret: Option<BlindingSecret>,
    threads: Threads,
    readings: SealedReadings,
    batch_count: u64,
    tariffs: TariffBook,
    agreements: Vec<Published<Agreement>>,
    market: MarketBook,
    /// In the order of the chain.
    rule_packs: Vec<Published<RulePack>>,
    builtin_pack: Published<RulePack>,
    /// In the order of the chain.
    penalty_tables: Vec<Published<PenaltyTable>>,
    /// In the order of the chain.
    sharing_groups: Vec<Published<SharingGroup>>,
    access: Arc<AccessBook>,
    contracts: Arc<Vec<Contract>>,
    /// The first block's contents, once there is one.
    genesis: Option<Box<Genesis>>,
    /// The keys of all by height, once there is a first block.
    keys: Option<KeyHistory>,
    /// How many blocks these books have absorbed: the height of the next.
    height: u64,
    /// Agreements that both parties signed, and from which height on they hold.
    active: BTreeMap<ContentHash, u64>,
    /// The contract lists that the bills of a period were computed from; shared where they did not change.
    contracts_by_period: BTreeMap<Period, Arc<Vec<Contract>>>,
    /// Likewise those of each correction, by its hash.
    contracts_by_correction: BTreeMap<ContentHash, Arc<Vec<Contract>>>,
    periods: BTreeMap<Period, ClosedPeriod>,
    /// Every close of a period in the order of the chain, and how many batches were sealed then.
    closes: Vec<(Period, u64)>,
    bills: BTreeMap<Period, Vec<Bill>>,
    /// Whose readings the bills of a period used.
    billed: BTreeMap<Period, BTreeSet<(UsagePointId, Register)>>,
    corrections: BTreeMap<Period, BTreeMap<AccountId, Vec<Published<Correction>>>>,
    correction_count: u64,
    /// What the bills of a period were computed from last.
    looked_at: BTreeMap<Period, LookedAt>,
    payments: PaymentBook,
    transfers: TransferBook,
    /// What was put against each bill by day, what was taken back from it below zero.
    paid_by_bill: BTreeMap<ContentHash, Vec<(Day, Money)>>,
    /// What corrections made of each debt by day, above zero what is more.
    changes_by_debt: BTreeMap<ContentHash, Vec<(Day, Money)>>,
    settlement_count: u64,
}

impl Books {
    /// Empty books of one who computes everything.
    #[must_use]
    pub fn new(secret: BlindingSecret, threads: Threads) -> Self {
        Self { secret: Some(secret), ..Self::empty(threads) }
    }

    fn empty(threads: Threads) -> Self {
        Self {
            party: None,
            secret: None,
            threads,
            readings: SealedReadings::default(),
            batch_count: 0,
            tariffs: TariffBook::default(),
            agreements: Vec::new(),
            market: MarketBook::new(),
            rule_packs: Vec::new(),
            builtin_pack: rule_packs::builtin(),
            penalty_tables: Vec::new(),
            sharing_groups: Vec::new(),
            access: Arc::default(),
            contracts: Arc::default(),
            genesis: None,
            keys: None,
            height: 0,
            active: BTreeMap::new(),
            contracts_by_period: BTreeMap::new(),
            contracts_by_correction: BTreeMap::new(),
            periods: BTreeMap::new(),
            closes: Vec::new(),
            bills: BTreeMap::new(),
            billed: BTreeMap::new(),
            corrections: BTreeMap::new(),
            correction_count: 0,
            looked_at: BTreeMap::new(),
            payments: PaymentBook::default(),
            transfers: TransferBook::default(),
            paid_by_bill: BTreeMap::new(),
            changes_by_debt: BTreeMap::new(),
            settlement_count: 0,
        }
    }

    /// What was accepted and sealed.
    #[must_use]
    pub const fn accepted(&self) -> &AcceptedSet {
        self.readings.accepted()
    }

    /// What was accepted when batch `batch` was the newest; nothing before the first.
    #[must_use]
    pub fn as_of(&self, batch: u64) -> AcceptedSet {
        self.readings.as_of(batch)
    }

    /// Every time a register-day was sealed, the first first: what stood then, and what it followed from.
    #[must_use]
    pub fn history(&self, key: &BlockKey) -> Vec<Revision> {
        self.readings.history(key)
    }

    /// What a register-day's block follows from; nothing if it was delivered once, or never contradicted.
    #[must_use]
    pub fn day_state(&self, key: &BlockKey) -> Option<&DayState> {
        self.readings.state(key)
    }

    /// The reads of a usage point's registers, in order of register and time; two of one time that differ are both there.
    pub fn register_reads(&self, usage_point: &UsagePointId) -> impl Iterator<Item = &ReceivedRead> {
        self.readings.reads(usage_point)
    }

    /// The meters of a usage point, in order of register and time.
    pub fn installations(&self, usage_point: &UsagePointId) -> impl Iterator<Item = &Installation> {
        self.readings.installations(usage_point)
    }

    /// The sealed corrections that wait, by what they are known by.
    pub fn pending(&self) -> impl Iterator<Item = (&ContentHash, &Layer)> {
        let is_open =
            |hash: &ContentHash| !self.readings.approvals().iter().any(|approval| approval.layer == *hash);
        self.readings.pending().iter().filter(move |(hash, _)| is_open(hash))
    }

    /// Everything sealed that is no leaf, in order: what days that are not plain follow from, and what is of no day. It
    /// depends on what was sealed, not on how it was cut.
    #[must_use]
    pub fn events(&self) -> Vec<MeterEvent> {
        self.readings.events()
    }

    /// Whether an event that is of no day is sealed.
    #[must_use]
    pub fn holds(&self, event: &MeterEvent) -> bool {
        self.readings.holds(event)
    }

    /// What the bills of a closed period used of a day, in watt-hours an interval, as it was closed last; nothing if none
    /// used it.
    #[must_use]
    pub fn billed(&self, key: &BlockKey) -> Option<Vec<i32>> {
        let period = key.day.period();
        if !self.billed.get(&period)?.contains(&(key.usage_point, key.register)) {
            return None;
        }
        self.closed_block(key).map(|block| block.values_wh().to_vec())
    }

    /// What a register-day's period was closed with last.
    fn closed_block(&self, key: &BlockKey) -> Option<&DayBlock> {
        let closed = self.periods.get(&key.day.period())?;
        closed.block_at(key, closed.revision_count() - 1)
    }

    /// Whether any bill is issued.
    #[must_use]
    pub fn has_billed(&self) -> bool {
        !self.billed.is_empty()
    }

    /// How far from a billed value of a day a measurement may be and replace it by itself: as V30 of the rule pack that was
    /// published for the day says of a household's register, which is what a point is until a document says otherwise.
    #[must_use]
    pub fn replacement_guard(&self, key: &BlockKey) -> ReplacementGuard {
        let class = RegisterClass::of(key.register, RegisterClass::Residential);
        let published = self.published_rule_pack_on(key.day);
        published.map_or_else(ReplacementGuard::default, |pack| {
            ReplacementGuard::of(&pack.body.rules_of(class).parameters)
        })
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

    /// Published sharing groups, in the order of the chain.
    #[must_use]
    pub fn sharing_groups(&self) -> &[Published<SharingGroup>] {
        &self.sharing_groups
    }

    /// Published price series, lists of hours and plans.
    #[must_use]
    pub const fn market(&self) -> &MarketBook {
        &self.market
    }

    /// The contract list, in canonical order.
    #[must_use]
    pub fn contracts(&self) -> &[Contract] {
        &self.contracts
    }

    /// The contract list that what stands of an account's month was computed from, which may not be the one in force;
    /// nothing if nothing stands.
    #[must_use]
    pub fn contracts_behind(&self, period: Period, account: &AccountId) -> Option<&[Contract]> {
        let list = match self.corrections(period, account).last() {
            Some(last) => self.contracts_by_correction.get(&last.hash),
            None => self.contracts_by_period.get(&period),
        };
        list.map(|contracts| contracts.as_slice())
    }

    /// The leaves of a closed period's newest revision, in seal order.
    #[must_use]
    pub fn period_leaves(&self, period: Period) -> Option<&[DayLeaf]> {
        self.periods.get(&period).map(ClosedPeriod::leaves)
    }

    /// A day's block as it stood in the readings that a bill rests on, if its period was ever closed with them.
    #[must_use]
    pub fn block_behind(&self, bill: &Bill, key: &BlockKey) -> Option<&DayBlock> {
        self.periods.get(&bill.period)?.block_of(&bill.readings, key)
    }

    /// Root of the readings that a period was closed with last.
    #[must_use]
    pub fn period_root(&self, period: Period) -> Option<Root> {
        self.periods.get(&period).map(ClosedPeriod::root)
    }

    /// How often a period was closed.
    #[must_use]
    pub fn close_count(&self, period: Period) -> usize {
        self.periods.get(&period).map_or(0, ClosedPeriod::revision_count)
    }

    /// The bills of a period as they were issued, by account. What stands of them now: [`Books::standing`].
    #[must_use]
    pub fn bills(&self, period: Period) -> Option<&[Bill]> {
        self.bills.get(&period).map(Vec::as_slice)
    }

    /// Accounts and what they owe.
    #[must_use]
    pub const fn accounts(&self) -> &BTreeMap<AccountId, AccountState> {
        self.payments.accounts()
    }

    /// Payments settled so far, and where their money is.
    #[must_use]
    pub const fn payments(&self) -> &PaymentBook {
        &self.payments
    }

    /// What the bank transfers to each party day by day.
    #[must_use]
    pub const fn transfers(&self) -> &TransferBook {
        &self.transfers
    }

    /// Whether any period is closed.
    #[must_use]
    pub fn has_closed(&self) -> bool {
        !self.periods.is_empty()
    }

    /// How many batches are sealed.
    #[must_use]
    pub const fn batch_count(&self) -> u64 {
        self.batch_count
    }

    /// How many times a register-day was sealed.
    #[must_use]
    pub fn revision(&self, key: &BlockKey) -> Option<u8> {
        self.readings.revision(key)
    }

    /// The batch file that seals these blocks as the next batch: the plain way, which `Intake::batch_file` must equal.
    ///
    /// # Errors
    /// [`BooksError::Nothing`] without blocks.
    pub fn batch_file<D: Borrow<DayBlock> + Sync>(&self, blocks: &[D]) -> Result<Vec<u8>, BooksError> {
        self.batch_file_with(blocks, &[])
    }

    /// The same, with what stands beside the leaves, in order.
    ///
    /// # Errors
    /// As [`Books::batch_file`].
    pub fn batch_file_with<D: Borrow<DayBlock> + Sync>(
        &self,
        blocks: &[D],
        events: &[MeterEvent],
    ) -> Result<Vec<u8>, BooksError> {
        if blocks.is_empty() && events.is_empty() {
            return Err(BooksError::Nothing("no reading is new since the last batch".into()));
        }
        let revision_of = |key: &BlockKey| self.revision(key).map_or(0, |last| last.saturating_add(1));
        let leaves = sealing::leaves_of(blocks, SealKind::Batch, self.secret()?, revision_of, &self.threads);
        let sequence = self.batch_count + 1;
        let content = (leaves.as_slice(), events);
        Ok(batch_file::encode_with(SealKind::Batch, sequence, content, self.secret()?, &self.threads)?.0)
    }

    /// Reads a batch or period file of this ledger, and checks all there is.
    ///
    /// # Errors
    /// [`BooksError::BatchFile`] names what is wrong first; [`BooksError::NotKept`] where no readings are kept.
    pub fn decode_sealed(&self, bytes: &[u8]) -> Result<BatchFile, BooksError> {
        Ok(batch_file::decode(bytes, self.secret()?, &self.threads)?)
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
            Command::Activate(activation) => Input::Activation(Box::new(activation.clone())),
            Command::Govern(governance) => Input::Motion(governance.clone()),
            Command::Settlement(_) => {
                let settled = read_settled(&given()?)?;
                Input::Payments(settled.iter().filter_map(Settled::entry).collect())
            }
            Command::Corrections(commit) => Input::Corrections(commit.period, commit.day),
        })
    }

    /// Computes the command for an input, from these books alone.
    ///
    /// # Errors
    /// [`BooksError`]; the books do not change either way.
    pub fn compute(&self, input: Input) -> Result<Computed, BooksError> {
        self.check_own(&input)?;
        let plain = |command, file| Ok(Computed { command, file, unbilled: Vec::new() });
        match input {
            Input::Genesis(genesis) => plain(Command::Genesis(genesis), None),
            Input::Document(bytes) => {
                market::check(&self.market, &bytes)?;
                self.check_access(&bytes)?;
                plain(Command::Publish(publication_of(&bytes)?), Some(bytes))
            }
            Input::Contracts(bytes) => {
                let contracts = read_contracts(&bytes)?;
                plain(Command::Contracts(document::contracts_root(&contracts)), Some(bytes))
            }
            Input::Batch(bytes) => plain(Command::Batch(self.seal_batch(&bytes)?), Some(bytes)),
            Input::Period(period) => self.close(period),
            Input::Bills(period) => self.bill(period),
            Input::Activation(activation) => {
                self.check_activation(&activation)?;
                plain(Command::Activate(*activation), None)
            }
            Input::Motion(governance) => {
                self.check_motion(&governance)?;
                plain(Command::Govern(governance), None)
            }
            Input::Payments(payments) => self.settle(payments),
            Input::Corrections(period, day) => self.correct(period, day),
        }
    }

    /// Moves the books on by a command in the chain. The file was checked when the command was computed; one that is taken as
    /// others attested it is checked here.
    ///
    /// # Errors
    /// [`BooksError`] if the file is damaged.
    pub fn absorb(&mut self, command: &Command, file: Option<&[u8]>) -> Result<(), BooksError> {
        let kind = CommandKind::of(command);
        if !self.keeps(kind) {
            self.absorb_unseen(command);
            return Ok(());
        }
        if let Some(file) = file.filter(|_| !self.recomputes(kind)) {
            self.check_taken(command, file)?;
        }
        let file = match (command, file) {
            (Command::Genesis(_) | Command::Activate(_) | Command::Govern(_), _) => &[][..],
            (_, Some(file)) => file,
            (_, None) => {
                return Err(BooksError::Nothing(format!("the file of the {} is missing", command.name())));
            }
        };
        self.take_keys(command)?;
        match command {
            Command::Genesis(genesis) => self.genesis = Some(genesis.clone()),
            Command::Govern(_) => {}
            Command::Activate(activation) => {
                self.active.insert(activation.agreement, activation.from.max(self.height));
            }
            Command::Publish(publication) => self.absorb_document(publication.kind, file)?,
            Command::Contracts(_) => {
                self.contracts = Arc::new(read_contracts(file)?);
                for contract in self.contracts.iter() {
                    self.payments.open_account(contract.account);
                }
            }
            Command::Batch(commit) => {
                let batch = self.decode_sealed(file)?;
                self.readings.absorb(batch)?;
                self.batch_count = commit.sequence;
            }
            Command::Period(commit) => {
                let leaves = self.decode_sealed(file)?.leaves;
                let root = commit.sealed.root;
                match self.periods.get_mut(&commit.period) {
                    Some(closed) => closed.close_again(root, leaves),
                    None => {
                        self.periods.insert(commit.period, ClosedPeriod::new(root, leaves));
                    }
                }
                self.closes.push((commit.period, commit.batches));
            }
            Command::Bills(commit) => self.absorb_bills(commit.period, file)?,
            Command::Settlement(commit) => {
                let agreements = self.agreements_by_hash();
                for settled in read_settled(file)? {
                    for (bill, amount) in settled.paid_of_bills() {
                        let paid = self.paid_by_bill.entry(bill).or_default();
                        paid.push((settled.booked(), amount));
                    }
                    self.payments.apply(&settled)?;
                    self.transfers.add(&settled, &agreements);
                }
                self.settlement_count = commit.sequence;
            }
            Command::Corrections(commit) => self.absorb_corrections(commit, file)?,
        }
        self.height += 1;
        Ok(())
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
