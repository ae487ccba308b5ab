//! The state that the chain stands for: a table of canonical keys and values, a pure function of its blocks.
//!
//! Every node computes it for itself; its root goes into the node's log leaf. So a node that computes anything
//! else signs another head, and is seen at once.
//!
//! | key | value |
//! |---|---|
//! | `genesis` | hash of the genesis block |
//! | `number/<party>` | how many proposals of the party are in the chain |
//! | `document/<kind>/<hash>` | name and validity of a published tariff, agreement or rule pack |
//! | `active/<agreement>` | height from which on an agreement holds that both its parties signed |
//! | `motions` | number of motions that changed keys |
//! | `motion/<number>` | height from which on it holds, and hash of the command |
//! | `contracts` | root of the contract list |
//! | `batches` | number of batches |
//! | `batch/<sequence>` | the batch's file and root |
//! | `period/<month>` | root of the closed period, and how often it was closed before |
//! | `bills/<month>` | root and sum of its bills |
//! | `corrections` | number of runs of corrections |
//! | `corrected/<month>` | root and day of its last run |
//! | `settlements` | number of settlements |
//! | `running/<agreement>` | running split |
//! | `paid/<party>/<kind>` | sum of all legs, less what was given back |
//! | `billed`, `received` | sums over all bills and what corrections charge, and over all payments less reversals |
//! | `credited` | sum of the bills below zero that were given to accounts; there once there is one |

use std::collections::BTreeMap;

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::Label;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::split::{Leg, LegKind, RunningSplit};
use tallywatt_core::validity::Validity;
use tallywatt_ledger::activation::Activation;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::block::Proposal;
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::command::{
    BillsCommit, Command, CorrectionsCommit, DocumentKind, PeriodCommit, Publication, SettlementCommit,
};
use tallywatt_ledger::digest::{self, Domain};
use tallywatt_ledger::tree::{Root, Tree, TreeKind};

/// One entry that a block changed: its key and new value.
pub type Change = (Vec<u8>, Vec<u8>);

/// Why a command cannot extend the chain. The block is never formed; nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The party may not propose this kind of command.
    #[error("{proposer} may not propose a {command}")]
    Proposer {
        /// Who.
        proposer: Party,
        /// What.
        command: &'static str,
    },
    /// A party's access list is for that party to propose.
    #[error("{proposer} may not propose the access list of {id}")]
    NotOwn {
        /// Who.
        proposer: Party,
        /// Whose list.
        id: String,
    },
    /// The proposer's number is not its next.
    #[error("{proposer} numbers its proposal {number}, its next is {next}")]
    Number {
        /// Who.
        proposer: Party,
        /// Its number.
        number: u64,
        /// The next.
        next: u64,
    },
    /// The proposal is for another chain, or a second genesis.
    #[error("the proposal is for another chain")]
    Chain,
    /// The document is already published.
    #[error("document {0} is already published")]
    Published(ContentHash),
    /// The agreement is not published.
    #[error("agreement {0} is not published")]
    Unpublished(ContentHash),
    /// Both parties have signed it before.
    #[error("agreement {0} is active already")]
    Active(ContentHash),
    /// Another version of the document holds on one of its days.
    #[error("{id} {validity} overlaps a version already published")]
    Overlap {
        /// The document.
        id: String,
        /// Its validity.
        validity: Validity,
    },
    /// Batches or settlements are not contiguous.
    #[error("{what} {got} does not follow {last}")]
    Sequence {
        /// Of what.
        what: &'static str,
        /// Its sequence.
        got: u64,
        /// The last in the chain.
        last: u64,
    },
    /// The period is billed already.
    #[error("period {0} is already {1}")]
    Done(Period, &'static str),
    /// The period was closed another number of times.
    #[error("period {period} is closed as revision {got}, its next is {next}")]
    Revision {
        /// Which.
        period: Period,
        /// The revision it names.
        got: u32,
        /// The next.
        next: u32,
    },
    /// The corrections are of a day before those that stand.
    #[error("corrections of {period} on {day} come before those of {last}")]
    Early {
        /// Which month.
        period: Period,
        /// Their day.
        day: Day,
        /// The day of the last ones.
        last: Day,
    },
    /// There are no bills to correct.
    #[error("period {0} is not billed")]
    Unbilled(Period),
    /// The command names a root that is not the chain's.
    #[error("the {0} it names are not the chain's")]
    Stale(&'static str),
    /// Sums do not fit what was paid out before.
    #[error("running splits do not follow from the chain's and the legs")]
    Running,
}

impl Invalid {
    /// Whether the proposer lacks the right, whatever it proposed and when.
    #[must_use]
    pub const fn is_denial(&self) -> bool {
        matches!(self, Self::Proposer { .. } | Self::NotOwn { .. })
    }
}

/// A root's hash and count.
const ROOT_SIZE: usize = 40;

/// The table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The leaf of each entry, as it is in the root: a block changes few of them.
    leaves: BTreeMap<Vec<u8>, ContentHash>,
    /// The days on which versions of a document hold, by kind and name: what the entries say, in another order.
    versions: BTreeMap<(u8, Label), Vec<Validity>>,
}

impl State {
    /// Every entry, in order of key.
    pub fn entries(&self) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.entries.iter()
    }

    /// The root over all entries.
    #[must_use]
    pub fn root(&self) -> ContentHash {
        Tree::new(TreeKind::State, self.leaves.values().copied().collect()).root().hash
    }

    /// Hash of the genesis block, once there is one.
    #[must_use]
    pub fn chain(&self) -> Option<ContentHash> {
        self.hash_at(b"genesis")
    }

    /// The proposer's next number.
    #[must_use]
    pub fn next_number(&self, proposer: Party) -> u64 {
        self.u64_at(&key("number", &[proposer.code()])) + 1
    }

    /// How many batches are in the chain.
    #[must_use]
    pub fn batch_count(&self) -> u64 {
        self.u64_at(b"batches")
    }

    /// How many settlements are in the chain.
    #[must_use]
    pub fn settlement_count(&self) -> u64 {
        self.u64_at(b"settlements")
    }

    /// How many runs of corrections are in the chain.
    #[must_use]
    pub fn correction_count(&self) -> u64 {
        self.u64_at(b"corrections")
    }

    /// How many motions changed keys.
    #[must_use]
    pub fn motion_count(&self) -> u64 {
        self.u64_at(b"motions")
    }

    /// The contract list's root, once there is one.
    #[must_use]
    pub fn contracts(&self) -> Option<Root> {
        self.root_at(b"contracts")
    }

    /// How often the period was closed.
    #[must_use]
    pub fn close_count(&self, period: Period) -> u32 {
        let value = self.entries.get(&key("period", &period.number().to_be_bytes()));
        let revision = value.and_then(|value| {
            let mut reader = Reader::new(value);
            reader.raw("root", ROOT_SIZE).ok()?;
            reader.u32("revision").ok()
        });
        revision.map_or(0, |revision| revision + 1)
    }

    /// The day of the last corrections of the period's bills.
    #[must_use]
    pub fn corrected_on(&self, period: Period) -> Option<Day> {
        let mut reader = Reader::new(self.entries.get(&key("corrected", &period.number().to_be_bytes()))?);
        reader.raw("root", ROOT_SIZE).ok()?;
        Day::from_number(reader.i32("day").ok()?)
    }

    /// The closed period's readings root, of its newest revision.
    #[must_use]
    pub fn period(&self, period: Period) -> Option<Root> {
        self.root_at(&key("period", &period.number().to_be_bytes()))
    }

    /// The period's bills root.
    #[must_use]
    pub fn bills(&self, period: Period) -> Option<Root> {
        self.root_at(&key("bills", &period.number().to_be_bytes()))
    }

    /// The running split of an agreement.
    #[must_use]
    pub fn running(&self, agreement: &ContentHash) -> RunningSplit {
        let read = |value: &Vec<u8>| -> Result<RunningSplit, CodecError> {
            let mut reader = Reader::new(value);
            let due = ExactAmount::from_e11(reader.i128("due")?);
            Ok(RunningSplit { due, paid: Money::from_minor(reader.i64("paid")?) })
        };
        self.entries.get(&key("running", &agreement.0)).and_then(|value| read(value).ok()).unwrap_or_default()
    }

    /// Sum of the legs of a kind that a party has got, less what it gave back.
    #[must_use]
    pub fn paid(&self, party: Party, kind: LegKind) -> Money {
        self.money_at(&key("paid", &[party.code(), kind.code()]))
    }

    /// Sum of all bills, and of what corrections charge more.
    #[must_use]
    pub fn billed(&self) -> Money {
        self.money_at(b"billed")
    }

    /// Sum of the bills below zero that were given to accounts.
    #[must_use]
    pub fn credited(&self) -> Money {
        self.money_at(b"credited")
    }

    /// Sum of all payments, less all reversals.
    #[must_use]
    pub fn received(&self) -> Money {
        self.money_at(b"received")
    }

    /// Applies a proposal, and gives the entries that changed. On an error nothing has changed.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn apply(&mut self, proposal: &Proposal, block: ContentHash) -> Result<Vec<Change>, Invalid> {
        let changes = self.changes(proposal, block)?;
        for (key, value) in &changes {
            self.leaves.insert(key.clone(), leaf_of(key, value));
            self.entries.insert(key.clone(), value.clone());
        }
        if let Command::Publish(Publication { kind, id, validity, .. }) = &proposal.command {
            self.versions.entry((*kind as u8, *id)).or_default().push(*validity);
        }
        Ok(changes)
    }

    /// Whether a proposal could be applied now.
    ///
    /// # Errors
    /// [`Invalid`].
    pub fn check(&self, proposal: &Proposal) -> Result<(), Invalid> {
        self.changes(proposal, ContentHash::default()).map(|_| ())
    }

    fn changes(&self, proposal: &Proposal, block: ContentHash) -> Result<Vec<Change>, Invalid> {
        let Proposal { chain, proposer, number, command, .. } = proposal;
        if !CommandKind::of(command).proposers().contains(proposer) {
            return Err(Invalid::Proposer { proposer: *proposer, command: command.name() });
        }
        if let Command::Publish(Publication { kind: DocumentKind::Access, id, .. }) = command
            && id.as_str() != proposer.name()
        {
            return Err(Invalid::NotOwn { proposer: *proposer, id: id.to_string() });
        }
        let next = self.next_number(*proposer);
        if *number != next {
            return Err(Invalid::Number { proposer: *proposer, number: *number, next });
        }
        let is_genesis = matches!(command, Command::Genesis(_));
        if is_genesis != self.entries.is_empty() || *chain != self.chain().unwrap_or_default() {
            return Err(Invalid::Chain);
        }
        let mut changes = vec![(key("number", &[proposer.code()]), number.to_le_bytes().to_vec())];
        match command {
            Command::Genesis(_) => changes.push((b"genesis".to_vec(), block.0.to_vec())),
            Command::Publish(publication) => changes.push(self.publish(publication)?),
            Command::Contracts(root) => changes.push((b"contracts".to_vec(), root_value(root))),
            Command::Batch(batch) => {
                follows("batch", batch.sequence, self.batch_count())?;
                let mut value = Writer::default();
                value.hash(&batch.file).raw(&root_value(&batch.sealed.root));
                changes.push((b"batches".to_vec(), batch.sequence.to_le_bytes().to_vec()));
                changes.push((key("batch", &batch.sequence.to_be_bytes()), value.finish()));
            }
            Command::Period(period) => changes.push(self.close(period)?),
            Command::Bills(bills) => changes.extend(self.bill(bills)?),
            Command::Settlement(settlement) => changes.extend(self.settle(settlement)?),
            Command::Corrections(corrections) => changes.extend(self.correct(corrections)?),
            Command::Activate(activation) => changes.push(self.activate(activation)?),
            // Consents and keys are checked by the member, which knows the keys of each height.
            Command::Govern(governance) => {
                follows("motion", governance.number, self.motion_count())?;
                let mut value = Writer::default();
                value.u64(governance.from).hash(&command.digest());
                changes.push((b"motions".to_vec(), governance.number.to_le_bytes().to_vec()));
                changes.push((key("motion", &governance.number.to_be_bytes()), value.finish()));
            }
        }
        Ok(changes)
    }

    fn publish(&self, publication: &Publication) -> Result<Change, Invalid> {
        let Publication { kind, id, hash, validity } = publication;
        let document = key("document", &[&[*kind as u8], &hash.0[..]].concat());
        if self.entries.contains_key(&document) {
            return Err(Invalid::Published(*hash));
        }
        let versions = self.versions.get(&(*kind as u8, *id));
        // Each access list replaces the one before, from its first day on: they have no end, and follow by number.
        let is_replaced = *kind == DocumentKind::Access;
        if !is_replaced && versions.into_iter().flatten().any(|known| known.overlaps(*validity)) {
            return Err(Invalid::Overlap { id: id.to_string(), validity: *validity });
        }
        let mut value = Writer::default();
        value.label(id).i32(validity.from().number()).i32(validity.to().map_or(-1, Day::number));
        Ok((document, value.finish()))
    }

    /// Whether a document of this kind is published.
    #[must_use]
    pub fn is_published(&self, kind: DocumentKind, hash: &ContentHash) -> bool {
        self.entries.contains_key(&key("document", &[&[kind as u8], &hash.0[..]].concat()))
    }

    /// Whether both parties of an agreement have signed it, and from which height on it holds.
    #[must_use]
    pub fn active_from(&self, agreement: &ContentHash) -> Option<u64> {
        let value = self.entries.get(&key("active", &agreement.0))?;
        value.as_slice().try_into().ok().map(u64::from_le_bytes)
    }

    /// The signatures are checked by whoever recomputes the command: the keys are in the first block, not here.
    fn activate(&self, activation: &Activation) -> Result<Change, Invalid> {
        let Activation { agreement, from, .. } = activation;
        if !self.is_published(DocumentKind::Agreement, agreement) {
            return Err(Invalid::Unpublished(*agreement));
        }
        if self.active_from(agreement).is_some() {
            return Err(Invalid::Active(*agreement));
        }
        Ok((key("active", &agreement.0), from.to_le_bytes().to_vec()))
    }

    fn close(&self, period: &PeriodCommit) -> Result<Change, Invalid> {
        let next = self.close_count(period.period);
        if period.revision != next {
            return Err(Invalid::Revision { period: period.period, got: period.revision, next });
        }
        if period.batches != self.batch_count() {
            return Err(Invalid::Stale("batches"));
        }
        let mut value = Writer::default();
        value.raw(&root_value(&period.sealed.root)).u32(period.revision);
        Ok((key("period", &period.period.number().to_be_bytes()), value.finish()))
    }

    fn correct(&self, corrections: &CorrectionsCommit) -> Result<Vec<Change>, Invalid> {
        let CorrectionsCommit { period, day, .. } = *corrections;
        follows("correction run", corrections.sequence, self.correction_count())?;
        if self.bills(period).is_none() {
            return Err(Invalid::Unbilled(period));
        }
        if self.period(period) != Some(corrections.readings) {
            return Err(Invalid::Stale("readings"));
        }
        if self.contracts() != Some(corrections.contracts) {
            return Err(Invalid::Stale("contracts"));
        }
        if let Some(last) = self.corrected_on(period).filter(|last| day < *last) {
            return Err(Invalid::Early { period, day, last });
        }
        let billed = self.billed().checked_add(corrections.charged).ok_or(Invalid::Running)?;
        let mut value = Writer::default();
        value.raw(&root_value(&corrections.corrections)).i32(day.number());
        Ok(vec![
            (b"corrections".to_vec(), corrections.sequence.to_le_bytes().to_vec()),
            (key("corrected", &period.number().to_be_bytes()), value.finish()),
            (b"billed".to_vec(), billed.as_minor().to_le_bytes().to_vec()),
        ])
    }

    fn bill(&self, bills: &BillsCommit) -> Result<Vec<Change>, Invalid> {
        if self.bills(bills.period).is_some() {
            return Err(Invalid::Done(bills.period, "billed"));
        }
        if self.period(bills.period) != Some(bills.readings) {
            return Err(Invalid::Stale("readings"));
        }
        if self.contracts() != Some(bills.contracts) {
            return Err(Invalid::Stale("contracts"));
        }
        let billed = self.billed().checked_add(bills.total).ok_or(Invalid::Running)?;
        let mut value = Writer::default();
        value.raw(&root_value(&bills.bills)).i64(bills.total.as_minor());
        Ok(vec![
            (key("bills", &bills.period.number().to_be_bytes()), value.finish()),
            (b"billed".to_vec(), billed.as_minor().to_le_bytes().to_vec()),
        ])
    }

    fn settle(&self, settlement: &SettlementCommit) -> Result<Vec<Change>, Invalid> {
        follows("settlement", settlement.sequence, self.settlement_count())?;
        let mut changes = vec![(b"settlements".to_vec(), settlement.sequence.to_le_bytes().to_vec())];
        // Bills below zero are given by the parties, whether anything was paid to them before or not: by so much, and no
        // more, a party may have given what it has not got.
        let credited = self.credited().checked_add(settlement.credited).ok_or(Invalid::Running)?;
        if settlement.credited != Money::ZERO {
            changes.push((b"credited".to_vec(), credited.as_minor().to_le_bytes().to_vec()));
        }
        let least = Money::from_minor(-credited.as_minor());
        let mut paid_out = 0_i128;
        for (agreement, after) in &settlement.running {
            let before = self.running(agreement);
            if self.active_from(agreement).is_none() || after.due < least.exact() || after.paid < least {
                return Err(Invalid::Running);
            }
            paid_out += i128::from(after.paid.as_minor()) - i128::from(before.paid.as_minor());
            let mut value = Writer::default();
            value.i128(after.due.as_e11()).i64(after.paid.as_minor());
            changes.push((key("running", &agreement.0), value.finish()));
        }
        let sum_of = |legs: &[Leg], kind: LegKind| {
            let of_kind = legs.iter().filter(|leg| leg.kind == kind);
            of_kind.map(|leg| i128::from(leg.amount.as_minor())).sum::<i128>()
        };
        let net = |kind| sum_of(&settlement.legs, kind) - sum_of(&settlement.back, kind);
        // What accrues, and a reserve, moves between two of them.
        let is_even = net(LegKind::Accrual) == 0 && net(LegKind::Reserve) == 0;
        if net(LegKind::Part) != paid_out || !is_even {
            return Err(Invalid::Running);
        }
        let mut sums: BTreeMap<(Party, LegKind), Money> = BTreeMap::new();
        let got = settlement.legs.iter().map(|leg| (leg, leg.amount.as_minor()));
        let given = settlement.back.iter().map(|leg| (leg, -leg.amount.as_minor()));
        for (Leg { party, kind, .. }, minor) in got.chain(given) {
            let sum = sums.entry((*party, *kind)).or_insert_with(|| self.paid(*party, *kind));
            *sum = sum.checked_add(Money::from_minor(minor)).ok_or(Invalid::Running)?;
        }
        for ((party, kind), sum) in sums {
            // Nobody gives back what it has not got, but for bills below zero, what accrued, and what the bank holds of it.
            let least = match kind {
                LegKind::Part | LegKind::Remainder => Some(least),
                LegKind::Accrual => None,
                LegKind::Reserve if party != Party::Bank => None,
                LegKind::Reserve | LegKind::Advance | LegKind::Suspense => Some(Money::ZERO),
            };
            if least.is_some_and(|least| sum < least) {
                return Err(Invalid::Running);
            }
            let at = key("paid", &[party.code(), kind.code()]);
            changes.push((at, sum.as_minor().to_le_bytes().to_vec()));
        }
        let received = self.received().checked_add(settlement.paid);
        let received = received.and_then(|sum| sum.checked_sub(settlement.reversed));
        let received = received.filter(|sum| *sum >= Money::ZERO).ok_or(Invalid::Running)?;
        changes.push((b"received".to_vec(), received.as_minor().to_le_bytes().to_vec()));
        Ok(changes)
    }

    fn u64_at(&self, key: &[u8]) -> u64 {
        self.entries.get(key).and_then(|value| value.as_slice().try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    fn money_at(&self, key: &[u8]) -> Money {
        let bytes = self.entries.get(key).and_then(|value| value.as_slice().try_into().ok());
        Money::from_minor(bytes.map_or(0, i64::from_le_bytes))
    }

    fn hash_at(&self, key: &[u8]) -> Option<ContentHash> {
        self.entries.get(key)?.as_slice().try_into().ok().map(ContentHash)
    }

    fn root_at(&self, key: &[u8]) -> Option<Root> {
        let mut reader = Reader::new(self.entries.get(key)?);
        Some(Root { hash: reader.hash("root").ok()?, count: reader.u64("count").ok()? })
    }
}

fn follows(what: &'static str, got: u64, last: u64) -> Result<(), Invalid> {
    if got == last + 1 { Ok(()) } else { Err(Invalid::Sequence { what, got, last }) }
}

fn key(table: &str, rest: &[u8]) -> Vec<u8> {
    [table.as_bytes(), b"/", rest].concat()
}

fn leaf_of(key: &[u8], value: &[u8]) -> ContentHash {
    let mut writer = Writer::default();
    writer.bytes(key).bytes(value);
    digest::domain_hash(Domain::State, &writer.finish())
}

fn root_value(root: &Root) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.hash(&root.hash).u64(root.count);
    writer.finish()
}
