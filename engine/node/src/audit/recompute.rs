//! One party's commands and sealed files through fresh books.
//!
//! ```text
//!   batch       its leaves are the data: checked against the root in the block, and against the closed period
//!   settlement  its payments are the data: their split is computed again
//!   the rest    computed again whole, and compared byte for byte
//! ```
//!
//! What a party does not recompute is not recomputed for it either: a file that it took is checked against its block, of one
//! that it never gets there is nothing to check, and the report says so.
//!
//! So a file that is damaged alike at all parties, with no intact copy left, still has its record named.

use std::collections::BTreeMap;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::block::{Block, LogLeaf};
use tallywatt_ledger::codec::Reader;
use tallywatt_ledger::command::{BatchCommit, Command};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::SealKind;
use tallywatt_ledger::{digest, settled_bytes};
use tallywatt_shards::batch_file::{self, BatchFileError, HEADER_SIZE, places};
use tallywatt_shards::threads::Threads;

use super::AuditReport;
use crate::books::{Books, BooksError, Input};
use crate::compare;
use crate::list_file::{self, ListKind};
use crate::node_folder::{self, NodeFolder};

/// Version and kind of a record.
const RECORD_HEAD_SIZE: usize = 2;

/// Computes every block's command again, from the first on, up to the first that comes out otherwise.
pub fn audit(
    party: Party,
    folder: &NodeFolder,
    secret: Option<BlindingSecret>,
    chain: &[(Block, LogLeaf)],
    threads: &Threads,
    report: &mut AuditReport,
) {
    let books = Books::of_party(party, secret, threads.clone());
    let mut run = Run { party, folder, chain, books, report, recomputed: 0, others: BTreeMap::new() };
    for (block, _) in chain {
        if !run.block(block) {
            run.report.not_checked.push(format!("{party}: what follows from block {} on", block.height));
            break;
        }
    }
    let Run { books, others, recomputed, .. } = run;
    report.count("blocks recomputed", recomputed);
    for (kind, count) in others {
        let what = if books.keeps(kind) { "taken as others attested them" } else { "not kept here" };
        report.not_checked.push(format!("{party}: {} ({count} blocks): {what}", kind.name()));
    }
}

struct Run<'a> {
    party: Party,
    folder: &'a NodeFolder,
    chain: &'a [(Block, LogLeaf)],
    books: Books,
    report: &'a mut AuditReport,
    recomputed: usize,
    /// Blocks that are not this party's to recompute, by kind.
    others: BTreeMap<CommandKind, usize>,
}

impl Run<'_> {
    /// Computes a block's command from the books, compares command and file, and moves the books on.
    fn block(&mut self, block: &Block) -> bool {
        let (party, command) = (self.party, &block.proposal.command);
        let kind = CommandKind::of(command);
        let relative = node_folder::file_of(command).filter(|_| self.books.keeps(kind));
        let mut place = format!("{party} block {} ({})", block.height, command.name());
        if let Some(relative) = &relative {
            place = format!("{place}, {relative}");
        }
        let file = match relative.as_ref().map(|_| self.folder.read_file(command)).transpose() {
            Ok(file) => file.flatten(),
            Err(error) => {
                self.report.find(place, error.to_string());
                return false;
            }
        };
        if !self.books.recomputes(kind) {
            *self.others.entry(kind).or_default() += 1;
            return self.absorb(place, command, file.as_deref());
        }
        self.recomputed += 1;
        let relative = relative.unwrap_or_default();
        match Books::input_of(command, file.as_deref()).and_then(|input| self.books.compute(input)) {
            Err(error) => {
                self.report.find(place, format!("cannot be recomputed: {error}"));
                self.locate(&relative, command, file.as_deref().unwrap_or_default(), &error);
                return false;
            }
            Ok(computed) if computed.command != *command => {
                let difference = command.difference(&computed.command);
                self.report.find(place, format!("recomputed otherwise: {difference}"));
                return false;
            }
            Ok(computed) => {
                if let (Some(stored), Some(own)) = (&file, &computed.file)
                    && stored != own
                {
                    self.differs(&relative, stored, own);
                    return false;
                }
            }
        }
        self.absorb(place, command, file.as_deref())
    }

    fn absorb(&mut self, place: String, command: &Command, file: Option<&[u8]>) -> bool {
        let absorbed = self.books.absorb(command, file);
        absorbed.inspect_err(|error| self.report.find(place, error.to_string())).is_ok()
    }

    fn differs(&mut self, relative: &str, stored: &[u8], own: &[u8]) {
        let (record, what) = compare::first_difference(relative, stored, own);
        self.report.find(format!("{}/{relative} {record}", self.party), format!("{what} when recomputed"));
    }

    /// Names the record of a file that cannot be read any more.
    fn locate(&mut self, relative: &str, command: &Command, file: &[u8], error: &BooksError) {
        let party = self.party;
        match command {
            Command::Batch(commit) if digest::content_hash(file) == commit.file => {
                if matches!(error, BooksError::BatchFile(BatchFileError::Top { .. })) {
                    let what = format!("it is not the secret that blinded batch {}", commit.sequence);
                    self.report.find(format!("{party}/blinding.secret"), what);
                }
            }
            Command::Batch(commit) => {
                let (record, what) = self.in_batch(relative, commit, file, error);
                self.report.find(format!("{party}/{relative} {record}"), what);
            }
            Command::Settlement(_) => self.in_settlement(relative, file),
            _ => {}
        }
    }

    /// The first payment of a damaged settlement that cannot be read, or that is split otherwise again.
    fn in_settlement(&mut self, relative: &str, file: &[u8]) {
        let mut payments = Vec::new();
        for record in list_file::decode_unhashed(ListKind::Settlement, file).unwrap_or_default() {
            match settled_bytes::decode_settled(record) {
                Ok(settled) => payments.extend(settled.entry()),
                Err(error) => {
                    let mut reader = Reader::new(record);
                    let id = reader.raw("head", RECORD_HEAD_SIZE).and_then(|_| reader.label("payment id"));
                    let id = id.map_or("of no readable name".into(), |id| id.to_string());
                    let place = format!("{}/{relative} payment {id}", self.party);
                    self.report.find(place, format!("it cannot be read: {error}"));
                    return;
                }
            }
        }
        if let Ok(computed) = self.books.compute(Input::Payments(payments)) {
            self.differs(relative, file, computed.file.as_deref().unwrap_or_default());
        }
    }

    /// The first leaf of a damaged batch that cannot be read, or is not what the closed period holds; else the first
    /// byte that is not what its leaves give.
    fn in_batch(
        &self,
        relative: &str,
        commit: &BatchCommit,
        bytes: &[u8],
        error: &BooksError,
    ) -> (String, String) {
        let closed = self.closed_leaves(commit.sequence);
        let (places, unread) = places::places(SealKind::Batch, bytes);
        let record = |at: usize| {
            let key = places[at].leaf.block().key();
            let offset = places[at].bytes.start;
            format!(
                "offset {offset}: leaf {at}: usage point {}, register {}, {}",
                key.usage_point, key.register, key.day
            )
        };
        for (at, place) in places.iter().enumerate() {
            if let Some(twin) = closed.iter().find(|twin| twin.block().key() == place.leaf.block().key())
                && let Some(what) = value_difference(&place.leaf, twin)
            {
                return (record(at), what);
            }
        }
        if let Some(unread) = unread {
            let offset = places.last().map_or(HEADER_SIZE, |last| last.bytes.end);
            return (
                format!("offset {offset}: leaf {}", places.len()),
                format!("it cannot be read: {unread}"),
            );
        }
        let leaves: Vec<DayLeaf> = places.into_iter().map(|place| place.leaf).collect();
        let Ok(secret) = self.books.secret() else { return ("leaves".into(), error.to_string()) };
        let threads = self.books.threads();
        let events = match places::events(bytes) {
            Ok(events) => events,
            Err(error) => return ("events".into(), format!("they cannot be read: {error}")),
        };
        let content = (leaves.as_slice(), events.as_slice());
        match batch_file::encode_with(SealKind::Batch, commit.sequence, content, secret, threads) {
            Ok((own, sealed)) if sealed == commit.sealed => {
                let (record, what) = compare::first_difference(relative, bytes, &own);
                (record, format!("{what} as its leaves give it"))
            }
            _ => ("leaves".into(), format!("{error}; no closed period tells which leaf")),
        }
    }

    /// The leaves of every close that a batch went into, if its file can be read; the first close of a period first, which is
    /// the next behind the batch.
    fn closed_leaves(&self, batch: u64) -> Vec<DayLeaf> {
        let commands = self.chain.iter().map(|(block, _)| &block.proposal.command);
        let periods =
            commands.filter(|command| matches!(command, Command::Period(commit) if commit.batches >= batch));
        let files = periods.filter_map(|command| self.folder.read_file(command).ok().flatten());
        files.filter_map(|bytes| self.books.decode_sealed(&bytes).ok()).flat_map(|file| file.leaves).collect()
    }
}

fn value_difference(leaf: &DayLeaf, twin: &DayLeaf) -> Option<String> {
    let (here, there) = (leaf.block(), twin.block());
    if here.interval_count() != there.interval_count() {
        return Some("it has another number of intervals than in its closed period".into());
    }
    let differs = |slot: &usize| {
        here.values_wh()[*slot] != there.values_wh()[*slot]
            || here.qualities()[*slot] != there.qualities()[*slot]
    };
    let slot = (0..here.interval_count()).find(differs)?;
    let start = here.interval_start(slot);
    let (own, closed) = (here.values_wh()[slot], there.values_wh()[slot]);
    Some(format!(
        "interval from {start}: {own} Wh here, {closed} Wh in the closed period, or another quality"
    ))
}
