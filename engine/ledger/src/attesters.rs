//! Who must recompute what: for each kind of command the parties that compute it from their own data and attest it.
//!
//! ```text
//!   kind ─▶ its set: two parties, or three ─┬─ a set of two:   both must attest, so it waits while one is away
//!                                           └─ a set of three: two must, the proposer among them
//! ```
//!
//! Who is outside the set of a kind checks the attestations, applies the command to its state, and signs history; of the
//! command's file it gets nothing, unless payments are settled from it ([`Attesters::holds`]).
//!
//! Invariants, held by the constructor and the decoder alike: every kind once; two parties or three in each set; whoever may
//! propose a kind is in its set, since nobody can vouch for what it did not compute. The table is the end of the genesis:
//! bytes in `FORMAT.md` §4.

use std::collections::BTreeMap;

use tallywatt_core::agreement::Party;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::{Command, DocumentKind};

/// A kind of command; publications by what they publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandKind {
    /// The first block.
    Genesis,
    /// A document.
    Publish(DocumentKind),
    /// The contract list.
    Contracts,
    /// A batch of readings.
    Batch,
    /// The bills of a period.
    Bills,
    /// The close of a period.
    Period,
    /// The corrections of a period's bills.
    Corrections,
    /// The split of payments.
    Settlement,
    /// Both parties' consent to an agreement.
    Activate,
    /// Other keys from a block on.
    Govern,
}

impl CommandKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 18] = [
        Self::Genesis,
        Self::Publish(DocumentKind::Tariff),
        Self::Publish(DocumentKind::Agreement),
        Self::Publish(DocumentKind::RulePack),
        Self::Publish(DocumentKind::PenaltyTable),
        Self::Publish(DocumentKind::PriceSeries),
        Self::Publish(DocumentKind::HourList),
        Self::Publish(DocumentKind::SharingGroup),
        Self::Publish(DocumentKind::PlanSeries),
        Self::Publish(DocumentKind::Access),
        Self::Contracts,
        Self::Batch,
        Self::Bills,
        Self::Period,
        Self::Corrections,
        Self::Settlement,
        Self::Activate,
        Self::Govern,
    ];

    /// Of a command.
    #[must_use]
    pub const fn of(command: &Command) -> Self {
        match command {
            Command::Genesis(_) => Self::Genesis,
            Command::Publish(publication) => Self::Publish(publication.kind),
            Command::Contracts(_) => Self::Contracts,
            Command::Batch(_) => Self::Batch,
            Command::Period(_) => Self::Period,
            Command::Bills(_) => Self::Bills,
            Command::Settlement(_) => Self::Settlement,
            Command::Corrections(_) => Self::Corrections,
            Command::Activate(_) => Self::Activate,
            Command::Govern(_) => Self::Govern,
        }
    }

    /// The command's number, and the document's or 0: as in the command's own bytes.
    const fn codes(self) -> [u8; 2] {
        match self {
            Self::Genesis => [1, 0],
            Self::Publish(document) => [2, document as u8],
            Self::Contracts => [3, 0],
            Self::Batch => [4, 0],
            Self::Bills => [6, 0],
            Self::Period => [9, 0],
            Self::Corrections => [10, 0],
            Self::Settlement => [11, 0],
            Self::Activate => [12, 0],
            Self::Govern => [13, 0],
        }
    }

    /// What people call it, in the plural where there are many.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "genesis",
            Self::Publish(DocumentKind::Tariff) => "tariffs",
            Self::Publish(DocumentKind::Agreement) => "agreements",
            Self::Publish(DocumentKind::RulePack) => "rule packs",
            Self::Publish(DocumentKind::PenaltyTable) => "penalty tables",
            Self::Publish(DocumentKind::PriceSeries) => "price series",
            Self::Publish(DocumentKind::HourList) => "hour lists",
            Self::Publish(DocumentKind::SharingGroup) => "sharing groups",
            Self::Publish(DocumentKind::PlanSeries) => "plans",
            Self::Publish(DocumentKind::Access) => "access lists",
            Self::Contracts => "contracts",
            Self::Batch => "batches of readings",
            Self::Period => "closed periods",
            Self::Bills => "bills",
            Self::Corrections => "corrections",
            Self::Settlement => "settlements",
            Self::Activate => "activations",
            Self::Govern => "motions",
        }
    }

    /// Who may propose it: the grid company readings, the supplier prices and bills, the bank payments.
    #[must_use]
    pub const fn proposers(self) -> &'static [Party] {
        match self {
            Self::Genesis | Self::Batch | Self::Period => &[Party::Grid],
            // Each its own.
            Self::Publish(DocumentKind::Access) => &Party::ALL,
            Self::Publish(_) | Self::Contracts | Self::Bills | Self::Corrections => &[Party::Supplier],
            Self::Settlement => &[Party::Bank],
            // The bank is no party of an agreement.
            Self::Activate => &[Party::Grid, Party::Supplier],
            // So all three attest it.
            Self::Govern => &Party::ALL,
        }
    }

    /// Whether payments are settled from its file: accounts, bills, what corrections changed, and how a payment is split.
    const fn is_settled_from(self) -> bool {
        matches!(
            self,
            Self::Contracts | Self::Bills | Self::Corrections | Self::Publish(DocumentKind::Agreement)
        )
    }
}

/// Two parties or three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartySet(u8);

impl PartySet {
    /// All three.
    pub const ALL: Self = Self(0b111);
    /// Those between whom energy is disputed.
    pub const GRID_AND_SUPPLIER: Self = Self(0b101);

    /// A set of parties; `None` of fewer than two.
    #[must_use]
    pub fn of(parties: &[Party]) -> Option<Self> {
        Self::from_bits(parties.iter().fold(0, |bits, party| bits | bit(*party)))
    }

    /// From a bit a party, the lowest the grid company's; `None` of fewer than two parties, or others.
    const fn from_bits(bits: u8) -> Option<Self> {
        if bits <= Self::ALL.0 && bits.count_ones() >= 2 { Some(Self(bits)) } else { None }
    }

    /// Whether `party` is one of them.
    #[must_use]
    pub fn contains(self, party: Party) -> bool {
        self.0 & bit(party) != 0
    }

    /// Each of them, in the order of the parties.
    pub fn iter(self) -> impl Iterator<Item = Party> {
        Party::ALL.into_iter().filter(move |party| self.contains(*party))
    }
}

impl std::fmt::Display for PartySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.iter().map(Party::name).collect();
        f.pad(&names.join(" and "))
    }
}

const fn bit(party: Party) -> u8 {
    1 << (party.code() - 1)
}

/// Why a table is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {kind} would be proposed by {proposer}, who is not to recompute them")]
pub struct AttestersError {
    /// The first kind that is wrong.
    pub kind: &'static str,
    /// Who could not attest its own proposal.
    pub proposer: Party,
}

/// The table: which parties attest which kind of command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attesters {
    sets: BTreeMap<CommandKind, PartySet>,
}

impl Default for Attesters {
    /// Each what it needs: readings, bills, and what is of single customers' energy, are recomputed by grid company and supplier,
    /// all else by all three. So the bank never needs a reading.
    fn default() -> Self {
        let of = |kind| match kind {
            CommandKind::Batch | CommandKind::Period | CommandKind::Bills | CommandKind::Corrections => {
                PartySet::GRID_AND_SUPPLIER
            }
            CommandKind::Publish(DocumentKind::SharingGroup | DocumentKind::PlanSeries) => {
                PartySet::GRID_AND_SUPPLIER
            }
            _ => PartySet::ALL,
        };
        Self { sets: CommandKind::ALL.into_iter().map(|kind| (kind, of(kind))).collect() }
    }
}

impl Attesters {
    /// A table from the set of each kind.
    ///
    /// # Errors
    /// [`AttestersError`] if somebody may propose what it does not recompute.
    pub fn new(of: impl Fn(CommandKind) -> PartySet) -> Result<Self, AttestersError> {
        let mut sets = BTreeMap::new();
        for kind in CommandKind::ALL {
            let set = of(kind);
            if let Some(proposer) = kind.proposers().iter().find(|party| !set.contains(**party)) {
                return Err(AttestersError { kind: kind.name(), proposer: *proposer });
            }
            sets.insert(kind, set);
        }
        Ok(Self { sets })
    }

    /// Who attests commands of a kind.
    ///
    /// # Panics
    /// Never: a table has every kind.
    #[must_use]
    pub fn of(&self, kind: CommandKind) -> PartySet {
        *self.sets.get(&kind).expect("a table has every kind")
    }

    /// Who attests a command.
    #[must_use]
    pub fn of_command(&self, command: &Command) -> PartySet {
        self.of(CommandKind::of(command))
    }

    /// Whether a party keeps the files of a kind: it recomputes them, or it settles payments from them, and takes them then as
    /// others attested them.
    #[must_use]
    pub fn holds(&self, party: Party, kind: CommandKind) -> bool {
        let settles = kind.is_settled_from() && self.of(CommandKind::Settlement).contains(party);
        settles || self.of(kind).contains(party)
    }

    /// Whether every party keeps the files of a kind, so that they may travel where everybody reads.
    #[must_use]
    pub fn all_hold(&self, kind: CommandKind) -> bool {
        Party::ALL.into_iter().all(|party| self.holds(party, kind))
    }

    /// The kinds whose files a party never gets, in order.
    pub fn kept_from(&self, party: Party) -> impl Iterator<Item = CommandKind> {
        CommandKind::ALL.into_iter().filter(move |kind| !self.holds(party, *kind))
    }

    /// In words: the sets, each with the kinds that it recomputes.
    #[must_use]
    pub fn words(&self) -> String {
        let mut by_set: BTreeMap<u8, Vec<&'static str>> = BTreeMap::new();
        for (kind, set) in &self.sets {
            by_set.entry(set.0).or_default().push(kind.name());
        }
        let line = |(bits, kinds): (&u8, &Vec<&str>)| format!("{}: {}", PartySet(*bits), kinds.join(", "));
        by_set.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.count(self.sets.len());
        for (kind, set) in &self.sets {
            writer.raw(&kind.codes()).u8(set.0);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let at = reader.at();
        let kind_count = CommandKind::ALL.len();
        if usize::try_from(reader.u32("attested kinds")?) != Ok(kind_count) {
            return Err(CodecError::Value { field: "attested kinds", at });
        }
        let mut sets = BTreeMap::new();
        for kind in CommandKind::ALL {
            let at = reader.at();
            if reader.raw("attested kind", 2)? != kind.codes() {
                return Err(CodecError::Value { field: "attested kind", at });
            }
            let at = reader.at();
            let set = PartySet::from_bits(reader.u8("attesters")?);
            let is_sound = |set: &PartySet| kind.proposers().iter().all(|party| set.contains(*party));
            sets.insert(kind, set.filter(is_sound).ok_or(CodecError::Value { field: "attesters", at })?);
        }
        Ok(Self { sets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(attesters: &Attesters) -> Vec<u8> {
        let mut writer = Writer::default();
        attesters.write(&mut writer);
        writer.finish()
    }

    fn decoded(bytes: &[u8]) -> Result<Attesters, CodecError> {
        let mut reader = Reader::new(bytes);
        let attesters = Attesters::read(&mut reader)?;
        reader.finish()?;
        Ok(attesters)
    }

    /// The default with another set in one row.
    fn with(codes: [u8; 2], set: u8) -> Vec<u8> {
        let mut bytes = encoded(&Attesters::default());
        let row = bytes[4..].chunks(3).position(|row| row[..2] == codes).unwrap();
        bytes[4 + row * 3 + 2] = set;
        bytes
    }

    #[test]
    fn the_rules_of_a_table() {
        let default = Attesters::default();
        assert_eq!(Attesters::new(|kind| default.of(kind)), Ok(default.clone()), "the default is a table");
        let all = Attesters::new(|_| PartySet::ALL).unwrap();
        for attesters in [default, all] {
            let bytes = encoded(&attesters);
            assert_eq!(decoded(&bytes).as_ref(), Ok(&attesters));
            for size in 0..bytes.len() {
                assert!(decoded(&bytes[..size]).is_err(), "cut to {size}");
            }
            for bit in 0..bytes.len() * 8 {
                let mut bent = bytes.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                if let Ok(other) = decoded(&bent) {
                    assert_ne!(other, attesters, "bit {bit}");
                    assert_eq!(encoded(&other), bent, "bit {bit}");
                }
            }
        }
        let refused = |bytes: &[u8]| match decoded(bytes) {
            Err(CodecError::Value { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        // Nobody, the grid company alone, somebody who is no party; the proposer not among them.
        for set in [0b000, 0b001, 0b1101, 0b110] {
            assert_eq!(refused(&with([4, 0], set)), "attesters", "{set:#b}");
        }
        for (codes, set) in [([11, 0], 0b101), ([6, 0], 0b011), ([12, 0], 0b011), ([12, 0], 0b110)] {
            assert_eq!(refused(&with(codes, set)), "attesters", "{codes:?} {set:#b}");
        }
        assert!(decoded(&with([11, 0], 0b110)).is_ok(), "the bank and one payee may do");
        // A kind that is none, one twice, one left out.
        let mut unknown = encoded(&Attesters::default());
        unknown[4] = 14;
        assert_eq!(refused(&unknown), "attested kind");
        let mut twice = encoded(&Attesters::default());
        twice.copy_within(4..7, 7);
        assert_eq!(refused(&twice), "attested kind");
        let mut fewer = encoded(&Attesters::default());
        fewer.truncate(fewer.len() - 3);
        fewer[0] -= 1;
        assert_eq!(refused(&fewer), "attested kinds");
    }

    #[test]
    fn a_table_that_no_proposer_could_use_is_none() {
        let error = Attesters::new(|kind| match kind {
            CommandKind::Settlement => PartySet::GRID_AND_SUPPLIER,
            _ => PartySet::ALL,
        });
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "the settlements would be proposed by bank, who is not to recompute them");
        assert_eq!(PartySet::of(&[Party::Bank]), None);
        assert_eq!(PartySet::of(&[Party::Supplier, Party::Grid]), Some(PartySet::GRID_AND_SUPPLIER));
    }

    #[test]
    fn the_bank_settles_and_holds_no_reading() {
        let attesters = Attesters::default();
        let kept: Vec<&str> = attesters.kept_from(Party::Bank).map(CommandKind::name).collect();
        assert_eq!(kept, ["sharing groups", "plans", "batches of readings", "closed periods"]);
        for party in [Party::Grid, Party::Supplier] {
            assert_eq!(attesters.kept_from(party).count(), 0);
        }
        let bills = CommandKind::Bills;
        assert!(!attesters.of(bills).contains(Party::Bank) && attesters.holds(Party::Bank, bills));
        assert!(!attesters.all_hold(CommandKind::Batch) && attesters.all_hold(bills));
        let words = attesters.words();
        assert!(
            words.starts_with("grid and supplier: sharing groups, plans, batches of readings"),
            "{words}"
        );
        assert!(words.contains("; grid and bank and supplier: genesis, tariffs"), "{words}");
    }
}
