//! The audit: re-reads, re-hashes and recomputes everything stored, and names every place that is not what it was.
//!
//! It trusts nothing it can compute: values against their own hashes, files against the hashes stored with
//! them, blocks against their leaves, every command against what fresh books give, the state against the
//! blocks, heads against the log and the parties' keys, and the nodes against each other. It changes nothing.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tallywatt_consensus::machine::Member;
use tallywatt_consensus::members::Directory;
use tallywatt_core::agreement::Party;
use tallywatt_ledger::block::{Block, LogLeaf};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::codec::Reader;
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_ledger::digest;
use tallywatt_ledger::note::Note;
use tallywatt_shards::durable;
use tallywatt_shards::recovery;
use tallywatt_shards::threads::Threads;

use crate::books::Books;
use crate::compare;
use crate::ledger_folder::{HeldFolder, POLICY_NAME};
use crate::node_folder::{self, NodeFolder, SEALED_FILE_SIZE_MAX};
use crate::store::{self, ChainStore, TableName, Values};

/// One place that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where: party, file or table, record.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// What the audit looked at, and what it found.
#[derive(Debug, Clone, Default)]
pub struct AuditReport {
    /// What is wrong; empty if all is well.
    pub findings: Vec<Finding>,
    /// What was looked at, by name.
    pub checked: BTreeMap<&'static str, u64>,
    /// What was not checked, and why.
    pub not_checked: Vec<String>,
}

impl AuditReport {
    fn find(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let finding = Finding { place: place.into(), what: what.into() };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn count(&mut self, what: &'static str, count: usize) {
        *self.checked.entry(what).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
    }
}

/// Audits a held data folder.
#[must_use]
pub fn audit(folder: &HeldFolder, threads: &Threads) -> AuditReport {
    let mut report = AuditReport::default();
    let mut chains: Vec<(Party, Vec<Vec<u8>>)> = Vec::new();
    for party in Party::ALL {
        // A damaged store may make its library panic; that is a finding, not the end of the audit.
        let mut own = AuditReport::default();
        let audited = catch_unwind(AssertUnwindSafe(|| audit_node(folder, party, threads, &mut own)));
        merge(&mut report, own);
        match audited {
            Ok(blocks) => chains.push((party, blocks)),
            Err(_) => report.find(format!("{party}/chain.redb"), "the store is damaged beyond reading"),
        }
    }
    compare_chains(&chains, &mut report);
    audit_intake(folder.path(), &mut report);
    audit_policy(folder, &mut report);
    report.not_checked.push("that the meters measured right".into());
    report
        .not_checked
        .push("that no party keeps another chain elsewhere: compare heads with the other parties".into());
    report.findings.sort();
    report
}

fn merge(report: &mut AuditReport, own: AuditReport) {
    report.findings.extend(own.findings);
    for (what, count) in own.checked {
        *report.checked.entry(what).or_default() += count;
    }
}

/// Audits one node; gives its blocks' bytes.
fn audit_node(held: &HeldFolder, party: Party, threads: &Threads, report: &mut AuditReport) -> Vec<Vec<u8>> {
    let folder = NodeFolder::below(held.path(), party);
    let store = match ChainStore::open(&folder.path().join("chain.redb")) {
        Ok(store) => store,
        Err(error) => {
            report.find(format!("{party}/chain.redb"), error.to_string());
            return Vec::new();
        }
    };
    let tables = read_tables(party, &store, report);
    audit_files(held.path(), party, &tables[&"files"], report);
    let chain = decode_chain(party, &tables, report);
    audit_chain(held, party, &folder, &chain, &tables, threads, report);
    chain.into_iter().map(|(block, _)| block.encode()).collect()
}

/// Every table's values that have their own hash; those that have not are found by name.
fn read_tables(party: Party, store: &ChainStore, report: &mut AuditReport) -> BTreeMap<&'static str, Values> {
    let mut tables = BTreeMap::new();
    for table in TableName::ALL {
        let mut values = Values::new();
        match store.sealed_values(table) {
            Err(error) => report.find(format!("{party}/chain.redb {}", table.name()), error.to_string()),
            Ok(sealed) => {
                report.count("stored values", sealed.len());
                for (key, value) in sealed {
                    match store::unseal(table, &key, &value) {
                        Some(payload) => values.push((key, payload)),
                        None => report.find(
                            format!("{party}/chain.redb {} {}", table.name(), store::printable(table, &key)),
                            "the value does not have the hash stored with it",
                        ),
                    }
                }
            }
        }
        tables.insert(table.name(), values);
    }
    tables
}

/// Every sealed file against the size and hash stored for it; a difference is traced to its record.
fn audit_files(data: &Path, party: Party, files: &Values, report: &mut AuditReport) {
    report.count("sealed files", files.len());
    for (path, value) in files {
        let relative = path.escape_ascii().to_string();
        let place = format!("{party}/{relative}");
        let mut reader = Reader::new(value);
        let (Ok(size), Ok(hash)) = (reader.u64("size"), reader.hash("hash")) else {
            report.find(place, "its stored size and hash cannot be read");
            continue;
        };
        let bytes =
            match durable::read_limited(&data.join(party.name()).join(&relative), SEALED_FILE_SIZE_MAX) {
                Ok(bytes) => bytes,
                Err(error) => {
                    report.find(place, error.to_string());
                    continue;
                }
            };
        report.count("bytes of sealed files", bytes.len());
        if u64::try_from(bytes.len()) == Ok(size) && digest::content_hash(&bytes) == hash {
            continue;
        }
        // An intact copy at another party tells which record it is.
        let intact = Party::ALL.into_iter().filter(|other| *other != party).find_map(|other| {
            let copy =
                durable::read_limited(&data.join(other.name()).join(&relative), SEALED_FILE_SIZE_MAX).ok()?;
            (digest::content_hash(&copy) == hash).then_some((other, copy))
        });
        match intact {
            Some((other, copy)) => {
                let (record, what) = compare::first_difference(&relative, &bytes, &copy);
                let place = if record.is_empty() { place } else { format!("{place} {record}") };
                report.find(place, format!("{what} in the copy of {other}"));
            }
            None => report.find(
                place,
                "its bytes do not have the hash stored with it, and no party has an intact copy",
            ),
        }
    }
}

fn decode_chain(
    party: Party,
    tables: &BTreeMap<&'static str, Values>,
    report: &mut AuditReport,
) -> Vec<(Block, LogLeaf)> {
    let (blocks, leaves) = (&tables["blocks"], &tables["leaves"]);
    report.count("blocks", blocks.len());
    if blocks.len() != leaves.len() {
        report.find(format!("{party}/chain.redb"), "blocks and leaves differ in number");
    }
    let mut chain = Vec::new();
    for ((height, (key, block)), (_, leaf)) in blocks.iter().enumerate().zip(leaves) {
        let place = format!("{party}/chain.redb block {height}");
        if *key != u64::try_from(height).unwrap_or(u64::MAX).to_be_bytes() {
            report.find(place, "heights have a gap");
            return chain;
        }
        match (Block::decode(block), LogLeaf::decode(leaf)) {
            (Ok(block), Ok(leaf)) => chain.push((block, leaf)),
            (Err(error), _) | (_, Err(error)) => {
                report.find(place, error.to_string());
                return chain;
            }
        }
    }
    chain
}

/// Runs the whole chain again on fresh books and a fresh member.
fn audit_chain(
    held: &HeldFolder,
    party: Party,
    folder: &NodeFolder,
    chain: &[(Block, LogLeaf)],
    tables: &BTreeMap<&'static str, Values>,
    threads: &Threads,
    report: &mut AuditReport,
) {
    let origin = &held.config().origin;
    let opened =
        folder.keys(origin).and_then(|keys| Ok((keys, folder.blinding_secret()?, folder.sign_lock()?)));
    let (keys, secret, lock) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            report.find(format!("{party}/ keys, blinding secret or sign lock"), error.to_string());
            return;
        }
    };
    let public = keys.public();
    let mut member = Member::new(party, keys, origin.clone(), lock);
    let mut books = Books::new(secret, threads.clone());
    for (block, leaf) in chain {
        let place = format!("{party} block {} ({})", block.height, block.proposal.command.name());
        if let Err(error) = member.restore(block, leaf) {
            report.find(place, error.to_string());
            return;
        }
        if let Command::Genesis(genesis) = &block.proposal.command {
            audit_genesis(party, genesis, &public, report);
        }
        if !recompute(party, folder, &mut books, block, &place, report) {
            return;
        }
    }
    report.count("blocks recomputed", chain.len());
    audit_state(party, &member, &tables["state"], report);
    audit_heads(party, folder, &member, &tables["heads"], report);
    match lock {
        Some(lock) if member.log().root_at(lock.size).ok() == Some(lock.root) => {}
        None if chain.is_empty() => {}
        _ => report.find(format!("{party}/signlock"), "it does not hold a head of this chain"),
    }
}

fn audit_genesis(
    party: Party,
    genesis: &Genesis,
    public: &tallywatt_ledger::command::PartyKeys,
    report: &mut AuditReport,
) {
    if genesis.parties[usize::from(party.code()) - 1] != *public {
        report.find(format!("{party}/keys.seeds"), "these keys are not the ones in the first block");
    }
}

/// Computes a block's command from the books, compares command and file, and moves the books on.
fn recompute(
    party: Party,
    folder: &NodeFolder,
    books: &mut Books,
    block: &Block,
    place: &str,
    report: &mut AuditReport,
) -> bool {
    let command = &block.proposal.command;
    let file = match folder.read_file(command) {
        Ok(file) => file,
        Err(error) => {
            report.find(place, error.to_string());
            return false;
        }
    };
    let computed = Books::input_of(command, file.as_deref()).and_then(|input| books.compute(input));
    match computed {
        Err(error) => {
            report.find(place, format!("cannot be recomputed: {error}"));
            return false;
        }
        Ok(computed) => {
            if computed.command != *command {
                report
                    .find(place, format!("recomputed otherwise: {}", command.difference(&computed.command)));
                return false;
            }
            if let (Some(stored), Some(own)) = (&file, &computed.file)
                && stored != own
            {
                let relative = node_folder::file_of(command).unwrap_or_default();
                let (record, what) = compare::first_difference(&relative, stored, own);
                report.find(format!("{party}/{relative} {record}"), format!("{what} when recomputed"));
                return false;
            }
        }
    }
    if let Err(error) = books.absorb(command, file.as_deref()) {
        report.find(place, error.to_string());
        return false;
    }
    true
}

fn audit_state(party: Party, member: &Member, stored: &Values, report: &mut AuditReport) {
    let own: BTreeMap<&Vec<u8>, &Vec<u8>> = member.state().entries().collect();
    let stored: BTreeMap<&Vec<u8>, &Vec<u8>> = stored.iter().map(|(key, value)| (key, value)).collect();
    for key in own.keys().chain(stored.keys()) {
        if own.get(*key) != stored.get(*key) {
            report.find(
                format!("{party}/chain.redb state {}", key.escape_ascii()),
                "the stored entry does not follow from the blocks",
            );
        }
    }
}

/// Every stored head: a note over the log's own root at that size, with signatures that verify.
fn audit_heads(party: Party, folder: &NodeFolder, member: &Member, heads: &Values, report: &mut AuditReport) {
    report.count("heads", heads.len());
    let Some(directory) = member.directory() else { return };
    let mut newest = None;
    for (key, text) in heads {
        let size = <[u8; 8]>::try_from(key.as_slice()).map_or(0, u64::from_be_bytes);
        let place = format!("{party}/chain.redb heads {size}");
        match check_head(size, text, member, directory) {
            Ok(()) => newest = Some((size, text)),
            Err(what) => report.find(place, what),
        }
    }
    let published = folder.published_head();
    match (published, newest) {
        (Ok(Some(text)), Some((size, stored))) => {
            if text.as_bytes() != stored.as_slice() {
                report.find(format!("{party}/checkpoint"), "it is not the newest stored head");
            }
            if size != member.size() {
                report.find(
                    format!("{party}/chain.redb heads"),
                    format!("the newest head is of {size} of {} blocks", member.size()),
                );
            }
        }
        (Ok(None), None) if member.size() == 0 => {}
        (Err(error), _) => report.find(format!("{party}/checkpoint"), error.to_string()),
        _ => report.find(format!("{party}/checkpoint"), "there is no published head, or none is stored"),
    }
}

fn check_head(size: u64, text: &[u8], member: &Member, directory: &Directory) -> Result<(), String> {
    let text = std::str::from_utf8(text).map_err(|_| "not text".to_owned())?;
    let note = Note::parse(text).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
    let own = member.log().root_at(size).map_err(|error| error.to_string())?;
    if checkpoint.size() != size || checkpoint.root() != own {
        return Err("it is not over this log's root".into());
    }
    for line in note.signatures() {
        let mut verified = false;
        for party in Party::ALL {
            let (log, witness) = (directory.log_key(party), directory.witness_key(party));
            verified |= log.is_named_by(line) && log.verify_signature(note.text(), line).is_ok();
            verified |= witness.is_named_by(line) && witness.verify_cosignature(note.text(), line).is_ok();
        }
        if !verified {
            return Err(format!("the signature of {} does not verify", line.key()));
        }
    }
    Ok(())
}

/// All nodes hold the same blocks.
fn compare_chains(chains: &[(Party, Vec<Vec<u8>>)], report: &mut AuditReport) {
    let Some((first, blocks)) = chains.iter().max_by_key(|(_, blocks)| blocks.len()) else { return };
    for (party, own) in chains {
        if own.len() < blocks.len() {
            report.find(
                format!("{party}"),
                format!("it has {} blocks, {first} has {}", own.len(), blocks.len()),
            );
        }
        if let Some(height) = own.iter().zip(blocks).position(|(a, b)| a != b) {
            report.find(format!("{party} block {height}"), format!("it is not the block that {first} holds"));
        }
    }
}

/// The write-ahead file: every record but an unfinished last one has its hash.
fn audit_intake(data: &Path, report: &mut AuditReport) {
    let path = data.join("intake/readings.twa");
    if !path.exists() {
        return;
    }
    match durable::read_limited(&path, SEALED_FILE_SIZE_MAX) {
        Err(error) => report.find("intake/readings.twa", error.to_string()),
        Ok(bytes) => match recovery::recover(&bytes) {
            Err(rot) => report.find("intake/readings.twa", rot.to_string()),
            Ok(recovered) => {
                report.count("write-ahead records", recovered.records.len());
                if recovered.torn_size > 0 {
                    report.find(
                        "intake/readings.twa",
                        format!(
                            "{} bytes at its end are no whole record: an interrupted write, or damage",
                            recovered.torn_size
                        ),
                    );
                }
            }
        },
    }
}

/// The trust policy beside the data lists the keys of the first block.
fn audit_policy(held: &HeldFolder, report: &mut AuditReport) {
    let path = held.path().join(POLICY_NAME);
    let expected = held.policy().map(|policy| policy.to_string());
    match (durable::read_limited(&path, 1 << 20), expected) {
        (Ok(bytes), Ok(text)) if bytes == text.as_bytes() => report.count("trust policies", 1),
        (Err(error), _) => report.find(POLICY_NAME, error.to_string()),
        _ => report.find(POLICY_NAME, "it does not list exactly the parties' keys"),
    }
}
