//! What a party asks the chain to record: roots and deltas only, never a reading or a name of a customer.
//!
//! Every number in a command is a result that each other party recomputes from its own data before it attests.
//! Bytes in `FORMAT.md` §4.

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::Label;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::split::{Leg, RunningSplit};
use tallywatt_core::tariff::Currency;
use tallywatt_core::validity::Validity;

use crate::activation::Activation;
use crate::attesters::Attesters;
use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::read_day;
use crate::governance::Governance;
use crate::legs::{read_legs, write_legs};
use crate::seal::{Sealed, Totals};
use crate::tree::Root;

/// Kind byte of a command's canonical bytes.
const COMMAND_KIND: u8 = 0x40;
/// The most agreements one settlement may touch.
pub const RUNNING_COUNT_MAX: u32 = 1_024;
/// Longest key or version text in a genesis, and key in a motion.
const GENESIS_TEXT_MAX: usize = 512;

/// The keys by which one party is known, as C2SP verifier keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyKeys {
    /// Signs heads as the log.
    pub log: String,
    /// Cosigns heads: recomputed and durable here.
    pub witness: String,
    /// Attests commands.
    pub exec: String,
}

/// The first command: who the parties are, and what is fixed for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The log's C2SP origin; names the network, so that nothing signed here counts elsewhere.
    pub origin: String,
    /// Currency of the ledger.
    pub currency: Currency,
    /// Version of the time-zone database all parties compute with.
    pub tzdb: String,
    /// Keys of grid company, bank and supplier, in that order.
    pub parties: [PartyKeys; 3],
    /// Key of a witness that is no party, as a C2SP verifier key, if there is one.
    pub witness: Option<String>,
    /// Who recomputes and attests what.
    pub attesters: Attesters,
}

/// What kind of document is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum DocumentKind {
    /// A tariff version.
    Tariff = 1,
    /// An agreement version.
    Agreement = 2,
    /// A version of a rule pack.
    RulePack = 3,
    /// A version of a penalty table.
    PenaltyTable = 4,
    /// Prices by the interval.
    PriceSeries = 5,
    /// Hours at which power counts.
    HourList = 6,
    /// A version of a sharing group.
    SharingGroup = 7,
    /// What a usage point is to take, hour by hour.
    PlanSeries = 8,
    /// Whom a party grants what.
    Access = 9,
}

impl DocumentKind {
    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tariff => "tariff",
            Self::Agreement => "agreement",
            Self::RulePack => "rule pack",
            Self::PenaltyTable => "penalty table",
            Self::PriceSeries => "price series",
            Self::HourList => "hour list",
            Self::SharingGroup => "sharing group",
            Self::PlanSeries => "plan",
            Self::Access => "access list",
        }
    }
}

/// A document made known by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name.
    pub id: Label,
    /// Hash of its canonical bytes.
    pub hash: ContentHash,
    /// When it holds.
    pub validity: Validity,
}

/// A batch of readings, sealed at a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchCommit {
    /// Batches are numbered from 1 without gaps.
    pub sequence: u64,
    /// Hash of the batch file, by which the parties fetch it.
    pub file: ContentHash,
    /// Root and totals.
    pub sealed: Sealed,
}

/// A billing period's accepted set, estimates filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodCommit {
    /// Which month.
    pub period: Period,
    /// How many times it was closed before.
    pub revision: u32,
    /// Batches 1 to this one went into it.
    pub batches: u64,
    /// Root and totals.
    pub sealed: Sealed,
}

/// The bills of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillsCommit {
    /// Which month.
    pub period: Period,
    /// Root of the period's readings.
    pub readings: Root,
    /// Root of the contract list.
    pub contracts: Root,
    /// Root over the bills' content hashes, in order of account.
    pub bills: Root,
    /// Hash of the bill file.
    pub file: ContentHash,
    /// Energy billed, Wh.
    pub energy_wh: i64,
    /// Sum of the totals.
    pub total: Money,
    /// Sum of the payees' parts, exact.
    pub payee_part: ExactAmount,
}

/// The corrections of a period's bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorrectionsCommit {
    /// Runs of corrections are numbered from 1 without gaps, over all periods.
    pub sequence: u64,
    /// Which month.
    pub period: Period,
    /// On which day.
    pub day: Day,
    /// Root of the period's readings, of its newest revision.
    pub readings: Root,
    /// Root of the contract list.
    pub contracts: Root,
    /// Root over the corrections' content hashes, in order of account.
    pub corrections: Root,
    /// Hash of the correction file.
    pub file: ContentHash,
    /// Energy billed more than before, Wh.
    pub energy_wh: i64,
    /// Sum of the differences of the totals.
    pub total: Money,
    /// Sum of the differences of the payees' parts, exact.
    pub payee_part: ExactAmount,
    /// Sum of what is charged more than before.
    pub charged: Money,
}

/// The split of a registry of payments and reversals, and of the parked money that became due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementCommit {
    /// Settlements are numbered from 1 without gaps.
    pub sequence: u64,
    /// Hash of the settlement file.
    pub file: ContentHash,
    /// Root over the settled entries' content hashes, in the order in which they were settled.
    pub payments: Root,
    /// Sum of the payments.
    pub paid: Money,
    /// Sum of the reversals.
    pub reversed: Money,
    /// Sum of the bills below zero that accounts were given.
    pub credited: Money,
    /// Sums of the legs got, by (party, kind).
    pub legs: Vec<Leg>,
    /// Sums of the legs given back, by (party, kind); with them the legs add up to `paid` less `reversed`.
    pub back: Vec<Leg>,
    /// Running splits after it, by agreement.
    pub running: Vec<(ContentHash, RunningSplit)>,
}

/// What a party asks the chain to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The first block.
    Genesis(Box<Genesis>),
    /// A document: a tariff, an agreement, a rule pack, a penalty table, a price series or a list of hours.
    Publish(Publication),
    /// The contract list, replacing the one before.
    Contracts(Root),
    /// A batch of readings.
    Batch(BatchCommit),
    /// The close of a period.
    Period(PeriodCommit),
    /// The bills of a period.
    Bills(BillsCommit),
    /// The split of payments.
    Settlement(SettlementCommit),
    /// The corrections of a period's bills.
    Corrections(CorrectionsCommit),
    /// Both parties' consent to a published agreement.
    Activate(Activation),
    /// Other keys from a block on, with the consent of all parties.
    Govern(Box<Governance>),
}

impl Command {
    /// What people call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "genesis",
            Self::Publish(_) => "publish",
            Self::Contracts(_) => "contracts",
            Self::Batch(_) => "batch",
            Self::Period(_) => "period",
            Self::Bills(_) => "bills",
            Self::Settlement(_) => "settlement",
            Self::Corrections(_) => "corrections",
            Self::Activate(_) => "activation",
            Self::Govern(_) => "motion",
        }
    }

    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1, COMMAND_KIND);
        match self {
            Self::Genesis(genesis) => write_genesis(writer.u8(1), genesis),
            Self::Publish(publication) => write_publication(writer.u8(2), publication),
            Self::Contracts(root) => write_root(writer.u8(3), root),
            Self::Batch(batch) => {
                writer.u8(4).u64(batch.sequence).hash(&batch.file);
                write_sealed(&mut writer, &batch.sealed);
            }
            Self::Period(period) => {
                writer.u8(9).u32(period.period.number()).u64(period.batches);
                write_sealed(&mut writer, &period.sealed);
                writer.u32(period.revision);
            }
            Self::Bills(bills) => write_bills(writer.u8(6), bills),
            Self::Settlement(settlement) => write_settlement(writer.u8(11), settlement),
            Self::Corrections(corrections) => write_corrections(writer.u8(10), corrections),
            Self::Activate(activation) => activation.write(writer.u8(12)),
            Self::Govern(governance) => governance.write(writer.u8(13)),
        }
        writer.finish()
    }

    /// From canonical bytes.
    ///
    /// # Errors
    /// [`CodecError`] names the first field that is not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::record(bytes, 1, COMMAND_KIND)?;
        let at = reader.at();
        let command = match reader.u8("command")? {
            1 => Self::Genesis(Box::new(read_genesis(&mut reader)?)),
            2 => Self::Publish(read_publication(&mut reader)?),
            3 => Self::Contracts(read_root(&mut reader)?),
            4 => Self::Batch(BatchCommit {
                sequence: reader.u64("batch sequence")?,
                file: reader.hash("batch file")?,
                sealed: read_sealed(&mut reader)?,
            }),
            6 => Self::Bills(read_bills(&mut reader)?),
            9 => Self::Period(PeriodCommit {
                period: read_period(&mut reader)?,
                batches: reader.u64("batches")?,
                sealed: read_sealed(&mut reader)?,
                revision: reader.u32("period revision")?,
            }),
            10 => Self::Corrections(read_corrections(&mut reader)?),
            11 => Self::Settlement(read_settlement(&mut reader)?),
            12 => Self::Activate(Activation::read(&mut reader)?),
            13 => Self::Govern(Box::new(Governance::read(&mut reader)?)),
            _ => return Err(reader.refuse("command", at)),
        };
        reader.finish()?;
        Ok(command)
    }

    /// Its figures by name, as people read and compare them.
    #[must_use]
    pub fn figures(&self) -> Vec<(&'static str, String)> {
        let root = |root: &Root| format!("{} over {}", root.hash, root.count);
        let sealed = |sealed: &Sealed| {
            let totals = &sealed.totals;
            vec![
                ("readings", totals.reading_count().to_string()),
                ("missing", totals.missing_count().to_string()),
                ("import_wh", totals.import_wh().to_string()),
                ("energy_wh", format!("{:?}", totals.energy_wh)),
                ("qualities", format!("{:?}", totals.quality_counts)),
                ("root", root(&sealed.root)),
            ]
        };
        match self {
            Self::Genesis(genesis) => {
                let mut figures = vec![("origin", genesis.origin.clone()), ("tzdb", genesis.tzdb.clone())];
                figures.push(("currency", genesis.currency.to_string()));
                figures.push(("keys", format!("{:?}", genesis.parties)));
                figures.extend(genesis.witness.clone().map(|key| ("witness", key)));
                figures.push(("attesters", genesis.attesters.words()));
                figures
            }
            Self::Publish(publication) => vec![
                ("document", publication.id.to_string()),
                ("validity", publication.validity.to_string()),
                ("kind", publication.kind.name().to_owned()),
                ("hash", publication.hash.to_string()),
            ],
            Self::Contracts(contracts) => {
                vec![("contracts", contracts.count.to_string()), ("root", root(contracts))]
            }
            Self::Batch(batch) => {
                let mut figures = vec![("sequence", batch.sequence.to_string())];
                figures.extend(sealed(&batch.sealed));
                figures.push(("file", batch.file.to_string()));
                figures
            }
            Self::Period(period) => {
                let mut figures = vec![("period", period.period.to_string())];
                figures.extend(sealed(&period.sealed));
                figures.push(("batches", period.batches.to_string()));
                figures.push(("revision", period.revision.to_string()));
                figures
            }
            Self::Corrections(corrections) => vec![
                ("period", corrections.period.to_string()),
                ("corrections", corrections.corrections.count.to_string()),
                ("total", corrections.total.to_string()),
                ("charged", corrections.charged.to_string()),
                ("energy_wh", corrections.energy_wh.to_string()),
                ("payee_part", corrections.payee_part.to_string()),
                ("day", corrections.day.to_string()),
                ("sequence", corrections.sequence.to_string()),
                ("root", root(&corrections.corrections)),
                ("readings", root(&corrections.readings)),
                ("contracts", root(&corrections.contracts)),
                ("file", corrections.file.to_string()),
            ],
            Self::Bills(bills) => vec![
                ("period", bills.period.to_string()),
                ("bills", bills.bills.count.to_string()),
                ("total", bills.total.to_string()),
                ("energy_wh", bills.energy_wh.to_string()),
                ("payee_part", bills.payee_part.to_string()),
                ("root", root(&bills.bills)),
                ("readings", root(&bills.readings)),
                ("contracts", root(&bills.contracts)),
                ("file", bills.file.to_string()),
            ],
            Self::Activate(activation) => vec![
                ("agreement", activation.agreement.to_string()),
                ("from", activation.from.to_string()),
                ("consents", format!("{:?}", activation.consents)),
            ],
            Self::Govern(governance) => vec![
                ("number", governance.number.to_string()),
                ("motion", governance.motion.to_string()),
                ("from", governance.from.to_string()),
                ("keys", format!("{:?}", governance.motion)),
                ("consents", format!("{:?}", governance.consents)),
            ],
            Self::Settlement(settlement) => {
                let mut figures = vec![("sequence", settlement.sequence.to_string())];
                figures.push(("payments", settlement.payments.count.to_string()));
                figures.push(("paid", settlement.paid.to_string()));
                figures.push(("reversed", settlement.reversed.to_string()));
                if settlement.credited != Money::ZERO {
                    figures.push(("credited", settlement.credited.to_string()));
                }
                let written = |leg: &Leg| format!("{} {}", leg.amount, leg.kind.name());
                for leg in &settlement.legs {
                    let name = match leg.party {
                        Party::Grid => "to grid",
                        Party::Bank => "to bank",
                        Party::Supplier => "to supplier",
                    };
                    figures.push((name, written(leg)));
                }
                for leg in &settlement.back {
                    let name = match leg.party {
                        Party::Grid => "back from grid",
                        Party::Bank => "back from bank",
                        Party::Supplier => "back from supplier",
                    };
                    figures.push((name, written(leg)));
                }
                figures.push(("running", format!("{:?}", settlement.running)));
                figures.push(("root", root(&settlement.payments)));
                figures.push(("file", settlement.file.to_string()));
                figures
            }
        }
    }

    /// The first figure in which another command differs, both values named; empty if they are equal.
    #[must_use]
    pub fn difference(&self, computed: &Self) -> String {
        let (proposed, own) = (self.figures(), computed.figures());
        let first = proposed.iter().zip(&own).find(|(a, b)| a != b);
        match first {
            Some(((name, a), (other, b))) if name == other => format!("{name}: proposed {a}, computed {b}"),
            Some(((a, _), (b, _))) => format!("proposed {a}, computed {b}"),
            None if self == computed => String::new(),
            None => {
                format!("proposed a {} of {} figures, computed {}", self.name(), proposed.len(), own.len())
            }
        }
    }

    /// What the parties attest: the hash of the canonical bytes.
    #[must_use]
    pub fn digest(&self) -> ContentHash {
        digest::content_hash(&self.encode())
    }
}

fn write_root(writer: &mut Writer, root: &Root) {
    writer.hash(&root.hash).u64(root.count);
}

fn read_root(reader: &mut Reader<'_>) -> Result<Root, CodecError> {
    Ok(Root { hash: reader.hash("root")?, count: reader.u64("root count")? })
}

fn write_sealed(writer: &mut Writer, sealed: &Sealed) {
    write_root(writer, &sealed.root);
    sealed.totals.write(writer);
}

fn read_sealed(reader: &mut Reader<'_>) -> Result<Sealed, CodecError> {
    Ok(Sealed { root: read_root(reader)?, totals: Totals::read(reader)? })
}

fn read_period(reader: &mut Reader<'_>) -> Result<Period, CodecError> {
    let at = reader.at();
    Period::from_number(reader.u32("period")?).ok_or(CodecError::Value { field: "period", at })
}

fn write_genesis(writer: &mut Writer, genesis: &Genesis) {
    writer.text(&genesis.origin).raw(&genesis.currency.bytes()).text(&genesis.tzdb);
    for keys in &genesis.parties {
        writer.text(&keys.log).text(&keys.witness).text(&keys.exec);
    }
    // No key is an empty text.
    writer.text(genesis.witness.as_deref().unwrap_or_default());
    genesis.attesters.write(writer);
}

fn read_genesis(reader: &mut Reader<'_>) -> Result<Genesis, CodecError> {
    let origin = short_text(reader, "origin")?;
    let at = reader.at();
    let currency = <[u8; 3]>::try_from(reader.raw("currency", 3)?).ok().and_then(Currency::from_bytes);
    let currency = currency.ok_or(CodecError::Value { field: "currency", at })?;
    let tzdb = short_text(reader, "time-zone database")?;
    let mut keys = || {
        Ok(PartyKeys {
            log: short_text(reader, "log key")?,
            witness: short_text(reader, "witness key")?,
            exec: short_text(reader, "exec key")?,
        })
    };
    let parties = [keys()?, keys()?, keys()?];
    let witness = Some(short_text(reader, "key of a witness")?).filter(|key| !key.is_empty());
    Ok(Genesis { origin, currency, tzdb, parties, witness, attesters: Attesters::read(reader)? })
}

/// A text of at most [`GENESIS_TEXT_MAX`] bytes.
pub(crate) fn short_text(reader: &mut Reader<'_>, field: &'static str) -> Result<String, CodecError> {
    let at = reader.at();
    let text = reader.text(field)?;
    if text.len() > GENESIS_TEXT_MAX {
        return Err(CodecError::Value { field, at });
    }
    Ok(text.to_owned())
}

fn write_publication(writer: &mut Writer, publication: &Publication) {
    writer.u8(publication.kind as u8).label(&publication.id).hash(&publication.hash);
    writer.i32(publication.validity.from().number());
    writer.i32(publication.validity.to().map_or(-1, Day::number));
}

fn read_publication(reader: &mut Reader<'_>) -> Result<Publication, CodecError> {
    let at = reader.at();
    let kind = match reader.u8("document kind")? {
        1 => DocumentKind::Tariff,
        2 => DocumentKind::Agreement,
        3 => DocumentKind::RulePack,
        4 => DocumentKind::PenaltyTable,
        5 => DocumentKind::PriceSeries,
        6 => DocumentKind::HourList,
        7 => DocumentKind::SharingGroup,
        8 => DocumentKind::PlanSeries,
        9 => DocumentKind::Access,
        _ => return Err(reader.refuse("document kind", at)),
    };
    let (id, hash) = (reader.label("document id")?, reader.hash("document hash")?);
    let at = reader.at();
    let refuse = || CodecError::Value { field: "validity", at };
    let from = Day::from_number(reader.i32("valid from")?).ok_or_else(refuse)?;
    let to = match reader.i32("valid to")? {
        -1 => None,
        number => Some(Day::from_number(number).ok_or_else(refuse)?),
    };
    let validity = Validity::new(from, to).map_err(|_| refuse())?;
    Ok(Publication { kind, id, hash, validity })
}

fn write_bills(writer: &mut Writer, bills: &BillsCommit) {
    writer.u32(bills.period.number());
    for root in [&bills.readings, &bills.contracts, &bills.bills] {
        write_root(writer, root);
    }
    writer.hash(&bills.file).i64(bills.energy_wh).i64(bills.total.as_minor()).i128(bills.payee_part.as_e11());
}

fn read_bills(reader: &mut Reader<'_>) -> Result<BillsCommit, CodecError> {
    Ok(BillsCommit {
        period: read_period(reader)?,
        readings: read_root(reader)?,
        contracts: read_root(reader)?,
        bills: read_root(reader)?,
        file: reader.hash("bill file")?,
        energy_wh: reader.i64("energy")?,
        total: Money::from_minor(reader.i64("total")?),
        payee_part: ExactAmount::from_e11(reader.i128("payee part")?),
    })
}

fn write_corrections(writer: &mut Writer, corrections: &CorrectionsCommit) {
    writer.u64(corrections.sequence).u32(corrections.period.number()).i32(corrections.day.number());
    for root in [&corrections.readings, &corrections.contracts, &corrections.corrections] {
        write_root(writer, root);
    }
    writer.hash(&corrections.file).i64(corrections.energy_wh).i64(corrections.total.as_minor());
    writer.i128(corrections.payee_part.as_e11()).i64(corrections.charged.as_minor());
}

fn read_corrections(reader: &mut Reader<'_>) -> Result<CorrectionsCommit, CodecError> {
    Ok(CorrectionsCommit {
        sequence: reader.u64("correction sequence")?,
        period: read_period(reader)?,
        day: read_day(reader, "correction day")?,
        readings: read_root(reader)?,
        contracts: read_root(reader)?,
        corrections: read_root(reader)?,
        file: reader.hash("correction file")?,
        energy_wh: reader.i64("energy")?,
        total: Money::from_minor(reader.i64("total")?),
        payee_part: ExactAmount::from_e11(reader.i128("payee part")?),
        charged: Money::from_minor(reader.i64("charged")?),
    })
}

fn write_settlement(writer: &mut Writer, settlement: &SettlementCommit) {
    writer.u64(settlement.sequence).hash(&settlement.file);
    write_root(writer, &settlement.payments);
    writer.i64(settlement.paid.as_minor()).i64(settlement.reversed.as_minor());
    writer.i64(settlement.credited.as_minor());
    write_legs(writer, &settlement.legs);
    write_legs(writer, &settlement.back);
    writer.count(settlement.running.len());
    for (agreement, running) in &settlement.running {
        writer.hash(agreement).i128(running.due.as_e11()).i64(running.paid.as_minor());
    }
}

fn read_settlement(reader: &mut Reader<'_>) -> Result<SettlementCommit, CodecError> {
    let (sequence, file, payments) =
        (reader.u64("settlement sequence")?, reader.hash("settlement file")?, read_root(reader)?);
    let paid = Money::from_minor(reader.i64("paid")?);
    let reversed = Money::from_minor(reader.i64("reversed")?);
    let credited = Money::from_minor(reader.i64("credited")?);
    let at = reader.at();
    let (legs, back) = (read_legs(reader)?, read_legs(reader)?);
    let sum = |legs: &[Leg]| legs.iter().map(|leg| i128::from(leg.amount.as_minor())).sum::<i128>();
    let received = i128::from(paid.as_minor()) - i128::from(reversed.as_minor());
    let are_sums = [paid, reversed, credited].iter().all(|sum| *sum >= Money::ZERO);
    if sum(&legs) - sum(&back) != received || !are_sums {
        return Err(reader.refuse("legs", at));
    }
    let mut running: Vec<(ContentHash, RunningSplit)> = Vec::new();
    for _ in 0..reader.count("running splits", RUNNING_COUNT_MAX)? {
        let at = reader.at();
        let agreement = reader.hash("agreement")?;
        let due = ExactAmount::from_e11(reader.i128("due")?);
        let paid = Money::from_minor(reader.i64("paid out")?);
        if running.last().is_some_and(|(last, _)| *last >= agreement) {
            return Err(reader.refuse("running splits", at));
        }
        running.push((agreement, RunningSplit { due, paid }));
    }
    Ok(SettlementCommit { sequence, file, payments, paid, reversed, credited, legs, back, running })
}

#[cfg(test)]
mod tests;
