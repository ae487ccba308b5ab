//! The audit: re-reads, re-hashes and recomputes everything stored, and names every place that is not what it was.
//!
//! ```text
//!   audit ─┬─ audit_party  × 3 ─┬─ files      values and sealed files against the hashes stored with them
//!          │                    ├─ party      blocks, leaves, state, heads and lock through a fresh member
//!          │                    └─ recompute  every command and file through fresh books
//!          ├─ the nodes against each other
//!          └─ audit_beside        the write-ahead log, the trust policy
//! ```
//!
//! It trusts nothing it can compute. It changes nothing, but that a store which was not closed is brought in
//! order first, as opening it would.

mod files;
mod party;
mod recompute;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::block::Block;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::key_history::KeyHistory;
use tallywatt_shards::durable;
use tallywatt_shards::intake_record::IntakeRecord;
use tallywatt_shards::threads::Threads;
use tallywatt_shards::write_ahead::{WriteAheadError, look_through, segment};

use crate::governing::policy_of;
use crate::ledger_folder::{HeldFolder, POLICY_NAME};
use crate::node_folder::NodeFolder;
use crate::store::ChainStore;

const INTAKE_PLACE: &str = "intake";

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

/// Audits a held data folder: all three nodes, or the one that is there.
#[must_use]
pub fn audit(folder: &HeldFolder, threads: &Threads) -> AuditReport {
    let mut report = AuditReport::default();
    let mut chains: Vec<(Party, Vec<Vec<u8>>)> = Vec::new();
    let alone = folder.config().settings().map(|settings| settings.party);
    for party in Party::ALL.into_iter().filter(|party| alone.is_none_or(|alone| alone == *party)) {
        let (own, blocks) = guarded(party, |own| party::audit(folder, party, threads, own));
        merge(&mut report, own);
        chains.extend(blocks.map(|blocks| (party, blocks)));
    }
    compare_chains(&chains, &mut report);
    let longest = chains.iter().map(|(_, blocks)| blocks.as_slice()).max_by_key(|blocks| blocks.len());
    merge(&mut report, audit_beside(folder, longest.unwrap_or_default()));
    report.not_checked.push("that the meters measured right".into());
    report
        .not_checked
        .push("that no party keeps another chain elsewhere: compare heads with the other parties".into());
    report.findings.sort();
    report
}

/// Audits what one party keeps; of the others it reads only copies of files that are damaged here.
#[must_use]
pub fn audit_party(folder: &HeldFolder, party: Party, threads: &Threads) -> AuditReport {
    guarded(party, |report| party::audit(folder, party, threads, report)).0
}

/// The quick part of one party's audit: its stored values, and its sealed files against the hashes stored there.
#[must_use]
pub fn audit_sealed_files(folder: &HeldFolder, party: Party) -> AuditReport {
    let audited = guarded(party, |report| {
        let path = NodeFolder::below(folder.path(), party).path().join("chain.redb");
        match ChainStore::open_to_read(&path) {
            Err(error) => report.find(format!("{party}/chain.redb"), error.to_string()),
            Ok(store) => {
                let tables = files::read_tables(party, &store, report);
                files::audit_sealed(folder.path(), party, &tables, report);
            }
        }
    });
    audited.0
}

/// Every value of a party's open store against the hash stored with it.
#[must_use]
pub fn audit_values(party: Party, store: &ChainStore) -> AuditReport {
    guarded(party, |report| files::read_tables(party, store, report)).0
}

/// What belongs to no party: the write-ahead log and the trust policy, which lists keys that the blocks of a chain name.
#[must_use]
pub fn audit_beside(folder: &HeldFolder, chain: &[Vec<u8>]) -> AuditReport {
    let mut report = AuditReport::default();
    audit_intake(folder.path(), &mut report);
    audit_policy(folder, chain, &mut report);
    report
}

/// A damaged store may make its library panic; that is a finding, not the end of the audit.
fn guarded<T>(party: Party, audit: impl FnOnce(&mut AuditReport) -> T) -> (AuditReport, Option<T>) {
    let mut own = AuditReport::default();
    let audited = catch_unwind(AssertUnwindSafe(|| audit(&mut own))).ok();
    if audited.is_none() {
        own.find(format!("{party}/chain.redb"), "the store is damaged beyond reading");
    }
    (own, audited)
}

fn merge(report: &mut AuditReport, own: AuditReport) {
    report.findings.extend(own.findings);
    report.not_checked.extend(own.not_checked);
    for (what, count) in own.checked {
        *report.checked.entry(what).or_default() += count;
    }
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

/// The write-ahead log: every group but an unfinished last one has its hash, and its records can be read.
fn audit_intake(data: &Path, report: &mut AuditReport) {
    let folder = data.join(INTAKE_PLACE);
    let mut findings = Vec::new();
    let looked = look_through::<WriteAheadError>(&folder, &mut |record| {
        if let Err(error) = IntakeRecord::decode(record.payload) {
            let segment =
                place_in_intake(&segment::path(&folder, record.place.generation, record.place.segment));
            let place = format!("{segment} record {}", record.number);
            findings.push((place, error.to_string()));
        }
        Ok(())
    });
    for (place, what) in findings {
        report.find(place, what);
    }
    match looked {
        Err(WriteAheadError::Rot { path, rot }) => report.find(place_in_intake(&path), rot.to_string()),
        Err(WriteAheadError::Version { path, .. }) => {
            report.find(place_in_intake(&path), "a group is of a version that this program does not know");
        }
        Err(error) => report.find(INTAKE_PLACE, error.to_string()),
        Ok(recovered) => {
            let count = usize::try_from(recovered.record_count).unwrap_or(usize::MAX);
            report.count("write-ahead records", count);
            if recovered.torn_size > 0 {
                let what = "bytes at its end are no whole group: an interrupted write, or damage";
                let path = segment::path(&folder, recovered.generation, recovered.segment);
                report.find(place_in_intake(&path), format!("{} {what}", recovered.torn_size));
            }
        }
    }
}

fn place_in_intake(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy());
    format!("{INTAKE_PLACE}/{}", name.unwrap_or_default())
}

/// The trust policy beside the data lists the keys of the first block, or of a motion: which of them are in force shows a node
/// when it is opened, and writes it anew.
fn audit_policy(held: &HeldFolder, chain: &[Vec<u8>], report: &mut AuditReport) {
    let path = held.path().join(POLICY_NAME);
    let expected = policies_of(chain).or_else(|| held.policy().ok().map(|policy| vec![policy.to_string()]));
    match (durable::read_limited(&path, 1 << 20), expected) {
        (Ok(bytes), Some(texts)) if texts.iter().any(|text| bytes == text.as_bytes()) => {
            report.count("trust policies", 1);
        }
        (Err(error), _) => report.find(POLICY_NAME, error.to_string()),
        _ => report.find(POLICY_NAME, "it does not list exactly the parties' keys"),
    }
}

/// The policy of each set of keys that a chain names; none of a chain that cannot be read.
fn policies_of(chain: &[Vec<u8>]) -> Option<Vec<String>> {
    let mut keys: Option<KeyHistory> = None;
    for bytes in chain {
        let block = Block::decode(bytes).ok()?;
        match (&block.proposal.command, &mut keys) {
            (Command::Genesis(genesis), None) => keys = KeyHistory::of(genesis).ok(),
            (Command::Govern(governance), Some(keys)) => keys.apply(governance, block.height).ok()?,
            _ => {}
        }
    }
    keys?.all().map(|keys| Some(policy_of(keys).ok()?.to_string())).collect()
}
