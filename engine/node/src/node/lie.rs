//! What a node tells others that is not so: a switch for tests and demonstrations.

use tallywatt_core::money::Money;
use tallywatt_core::split::{Leg, LegKind};
use tallywatt_ledger::bill_bytes::encode_bill;
use tallywatt_ledger::command::{BillsCommit, Command};
use tallywatt_ledger::digest;
use tallywatt_ledger::tree::TreeKind;

use crate::books::Computed;
use crate::books::records::{read_bills, tree_over};
use crate::list_file::{self, ListKind};

/// A test switch: this node computes something else than it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// One watt-hour or one minor unit more in every command it recomputes.
    Figures,
    /// Another root over the same leaves.
    Root,
    /// A batch with one reading less.
    Reading,
    /// A document under the hash of another.
    Tariff,
    /// A minor unit of a payment from the payee to the rest; the parts add up.
    Split,
    /// A minor unit more in the first bill, its file, root and sums alike.
    Bill,
}

impl Lie {
    /// All of them, by the names that a test gives.
    pub const ALL: [(&'static str, Self); 6] = [
        ("figures", Self::Figures),
        ("root", Self::Root),
        ("reading", Self::Reading),
        ("tariff", Self::Tariff),
        ("split", Self::Split),
        ("bill", Self::Bill),
    ];

    /// Bends what a lie is about, and leaves the rest.
    pub(super) fn bend(self, computed: &mut Computed) {
        match (self, &mut computed.command) {
            (Self::Figures, Command::Batch(batch)) => batch.sealed.totals.energy_wh[0] += 1,
            (Self::Figures, Command::Period(period)) => period.sealed.totals.energy_wh[0] += 1,
            (Self::Figures, Command::Bills(bills)) => bills.total = more(bills.total, 1),
            (Self::Figures, Command::Settlement(settlement)) => {
                settlement.paid = more(settlement.paid, 1);
                // The legs still add up, or nobody could read it.
                let is_free = |leg: &&mut Leg| matches!(leg.kind, LegKind::Remainder | LegKind::Advance);
                if let Some(leg) = settlement.legs.iter_mut().find(is_free) {
                    leg.amount = more(leg.amount, 1);
                }
            }
            (Self::Figures, Command::Corrections(corrections)) => {
                corrections.total = more(corrections.total, 1)
            }
            (Self::Root, Command::Batch(batch)) => batch.sealed.root.hash.0[0] ^= 1,
            (Self::Root, Command::Period(period)) => period.sealed.root.hash.0[0] ^= 1,
            (Self::Reading, Command::Batch(batch)) => {
                batch.sealed.totals.interval_count -= 1;
                let counts = &mut batch.sealed.totals.quality_counts;
                if let Some(count) = counts.iter_mut().find(|count| **count > 0) {
                    *count -= 1;
                }
            }
            (Self::Bill, Command::Bills(bills)) => {
                let bent = computed.file.as_deref().and_then(|file| bend_bill(bills, file));
                computed.file = bent.or_else(|| computed.file.take());
            }
            (Self::Tariff, Command::Publish(publication)) => publication.hash.0[0] ^= 1,
            (Self::Split, Command::Settlement(settlement)) => {
                for leg in &mut settlement.legs {
                    match leg.kind {
                        LegKind::Part => leg.amount = more(leg.amount, -1),
                        LegKind::Remainder => leg.amount = more(leg.amount, 1),
                        _ => {}
                    }
                }
                if let Some((_, running)) = settlement.running.first_mut() {
                    running.paid = more(running.paid, -1);
                }
            }
            // They carry nothing of the kind.
            _ => {}
        }
    }
}

/// The file with a minor unit more in its first bill, and the command that follows from it.
fn bend_bill(commit: &mut BillsCommit, file: &[u8]) -> Option<Vec<u8>> {
    let mut bills = read_bills(file).ok()?;
    let bill = bills.first_mut()?;
    let line = bill.lines.first_mut()?;
    line.amount = more(line.amount, 1);
    // It stays a bill that can be read: the base of its tax is the sum of its lines.
    let vat = bill.vat.first_mut()?;
    (vat.base, bill.total) = (more(vat.base, 1), more(bill.total, 1));
    let records: Vec<Vec<u8>> = bills.iter().map(encode_bill).collect();
    let bent = list_file::encode(ListKind::Bills, &records);
    commit.bills = tree_over(TreeKind::Bills, &records).root();
    (commit.file, commit.total) = (digest::content_hash(&bent), more(commit.total, 1));
    Some(bent)
}

fn more(amount: Money, minor: i64) -> Money {
    Money::from_minor(amount.as_minor() + minor)
}
