//! The verifier: a receipt and a policy in, one verdict out, with a line for each thing that was checked.
//!
//! ```text
//!  file ─▶ signatures ─▶ inclusion ─▶ chain ─┬─▶ documents ─▶ contracts ─▶ readings ─▶ completeness ─▶ amount ─▶ record
//!          (policy)      (log)               └─▶ readings of one day
//! ```
//!
//! Pure: no clock, no network, no key but those of the policy. Every hash, leaf and amount is computed here from
//! the records in the receipt; nothing that a receipt claims about itself is taken over. The checks stand in the
//! order above, each believes only what passed before it, and the first that fails ends the walk.
//!
//! | file | what it holds |
//! |---|---|
//! | `evidence.rs` | the receipt's records decoded, not believed |
//! | `chain.rs` | signatures, inclusion, chain: the sealing block is what the parties agreed on |
//! | `documents.rs` | documents, contracts: by which prices, for which usage points |
//! | `readings.rs` | readings, completeness: which leaves, all of them |
//! | `amount.rs` | amount, record: the bill follows from the above and was issued |
//! | `previous.rs` | the bill that it stands on was issued, and what it carried |
//! | `correction.rs` | before, delta: of a corrected bill, what stood before, and the difference |
//! | `report.rs` | what was found, as lines and as JSON |
//!
//! ```
//! use tallywatt_ledger::key::{Cosigner, LogSigner};
//! use tallywatt_ledger::policy::Policy;
//! use tallywatt_verify::{report::Verdict, verify};
//!
//! let log = LogSigner::from_seed("tallywatt.example/region-66", &[1; 32])?;
//! let bank = Cosigner::from_seed("bank.example", &[2; 32])?;
//! let policy = Policy::parties(&[log.verifier_key().clone()], &[("bank".into(), bank.verifier_key().clone())], 1)?;
//! let report = verify(b"not a receipt\n", &policy);
//! assert_eq!((report.verdict, report.exit_code()), (Verdict::Invalid, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amount;
mod chain;
mod correction;
mod documents;
mod evidence;
mod previous;
mod readings;
pub mod report;

use tallywatt_core::bill::Bill;
use tallywatt_core::day_block::DayBlock;
use tallywatt_ledger::command::BatchCommit;
use tallywatt_ledger::policy::Policy;

use chain::{BillCommit, Commit, Trusted};
use evidence::{BillClaim, Evidence};
use report::{Journal, Report};

/// A value that a report of verdict `Valid` vouches for. Only this crate can make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The value, and no longer any trace that it was verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What a valid receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// A bill.
    Bill(Box<Verified<Bill>>),
    /// A day's readings.
    Day(Box<Verified<DayBlock>>),
}

/// Checks a receipt by a policy. Never panics, whatever the bytes are.
#[must_use]
pub fn verify(receipt: &[u8], policy: &Policy) -> Report {
    let mut journal = Journal::default();
    let proven = follow(receipt, policy, &mut journal);
    journal.into_report(proven)
}

/// The walk; `None` as soon as a check does not pass.
fn follow(receipt: &[u8], policy: &Policy, journal: &mut Journal) -> Option<Proven> {
    let evidence = journal.record("file", evidence::open(receipt))?;
    journal.subject = Some(evidence.subject);
    journal.is_corrected = evidence.is_corrected();

    let head = journal.record("signatures", chain::signatures(&evidence.proof, policy))?;
    journal.figures.log_size = Some(head.size());
    journal.record("inclusion", chain::inclusion(&evidence, &head))?;
    let trusted = journal.record("chain", chain::chain(&evidence, &head, policy))?;
    journal.figures.height = Some(evidence.sealed_by.block.height);

    match trusted.commit {
        Commit::Bill(claim, commit) => follow_bill(&evidence, claim, &trusted, &commit, journal),
        Commit::Batch(commit) => follow_day(&evidence, commit, journal),
    }
}

fn follow_bill(
    evidence: &Evidence,
    claim: &BillClaim,
    trusted: &Trusted<'_>,
    commit: &BillCommit,
    journal: &mut Journal,
) -> Option<Proven> {
    let prices = journal.record("documents", documents::documents(evidence, claim, trusted))?;
    journal.record("contracts", documents::contracts(claim, commit))?;
    let opened = journal.record("readings", readings::of_bill(evidence, claim, commit))?;
    journal.figures.interval_count = Some(opened.interval_count());
    journal.figures.energy_wh = Some(opened.energy_wh());
    journal.figures.quality_counts = opened.quality_counts();
    journal.figures.estimated = Some(journal.record("completeness", readings::completeness(claim, &opened))?);
    journal.record("amount", amount::amount(claim, commit, &prices, &opened, trusted))?;
    if let Some(own) = &claim.correction {
        journal.record("before", correction::before(claim, own))?;
        journal.record("delta", correction::delta(claim, own, commit))?;
        journal.figures.change = Some((own.body.delta.total, own.body.charged.total));
    }
    journal.record("record", amount::record(evidence.subject, claim, commit))?;
    journal.figures.total = Some((claim.bill.body.total, claim.bill.body.currency));
    journal.not_checked("that the meter itself measured right");
    journal.not_checked("that no other bill exists for this account and month");
    Some(Proven::Bill(Box::new(Verified(claim.bill.body.clone()))))
}

fn follow_day(evidence: &Evidence, commit: &BatchCommit, journal: &mut Journal) -> Option<Proven> {
    let opened = journal.record("readings", readings::of_day(evidence, commit))?;
    journal.figures.interval_count = Some(opened.interval_count());
    journal.figures.energy_wh = Some(opened.energy_wh());
    journal.figures.quality_counts = opened.quality_counts();
    let leaf = &evidence.leaves.first()?.body;
    journal.figures.revision = Some(leaf.revision());
    journal.not_checked("that the meter itself measured right");
    journal.not_checked("that no later revision of this day was sealed");
    Some(Proven::Day(Box::new(Verified(leaf.block().clone()))))
}
