//! What a node tells others that is not so: a switch for tests and demonstrations.

use tallywatt_core::money::Money;
use tallywatt_core::split::{Leg, LegKind};
use tallywatt_ledger::command::Command;

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
}

impl Lie {
    /// All of them, by the names that a test gives.
    pub const ALL: [(&'static str, Self); 5] = [
        ("figures", Self::Figures),
        ("root", Self::Root),
        ("reading", Self::Reading),
        ("tariff", Self::Tariff),
        ("split", Self::Split),
    ];

    /// Bends what a lie is about, and leaves the rest.
    pub(super) fn bend(self, command: &mut Command) {
        match (self, command) {
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

fn more(amount: Money, minor: i64) -> Money {
    Money::from_minor(amount.as_minor() + minor)
}
