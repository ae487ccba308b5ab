//! What an honest node computes: a function of the place in the chain alone, so that a lie is a difference.

use tallywatt_consensus::machine::NotComputed;
use tallywatt_consensus::members::{Directory, Keys};
use tallywatt_consensus::state::State;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::Money;
use tallywatt_core::split::{Leg, LegKind};
use tallywatt_core::validity::Validity;
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::command::{BatchCommit, Command, DocumentKind, Genesis, Publication, SettlementCommit};
use tallywatt_ledger::governance::{Governance, Motion, motion_text};
use tallywatt_ledger::key::Cosigner;
use tallywatt_ledger::seal::{Sealed, Totals};
use tallywatt_ledger::tree::Root;

pub const ORIGIN: &str = "tallywatt.test/simulation";

pub fn keys(party: Party) -> Keys {
    let seed = |use_: u8| [party.code() * 16 + use_; 32];
    Keys::from_seeds(ORIGIN, party, &[seed(1), seed(2), seed(3)]).unwrap()
}

/// The keys that take the place of the first of the party whose keys change.
pub fn next_keys(party: Party) -> Keys {
    let seed = |use_: u8| [party.code() * 16 + 8 + use_; 32];
    Keys::from_seeds(ORIGIN, party, &[seed(1), seed(2), seed(3)]).unwrap()
}

/// Whose keys change, in runs in which they do.
pub const CHANGES: Party = Party::Bank;

/// The keys of a party at a height, where they change from a height on.
pub fn keys_at(party: Party, height: u64, changed_from: Option<u64>) -> Keys {
    let is_changed = party == CHANGES && changed_from.is_some_and(|from| from <= height);
    if is_changed { next_keys(party) } else { keys(party) }
}

/// The next motion, with the consents of all: other keys, a few blocks after it.
fn motion(state: &State) -> Command {
    let height: u64 = Party::ALL.iter().map(|party| state.next_number(*party) - 1).sum();
    let (number, from) = (state.motion_count() + 1, height + 3);
    let motion = Motion::Keys { party: CHANGES, keys: next_keys(CHANGES).public() };
    let text = motion_text(ORIGIN, number, &motion, from);
    let consents =
        Party::ALL.map(|party| keys(party).exec.sign(&text).unwrap().signature().try_into().unwrap());
    Command::Govern(Box::new(Governance { number, from, motion, consents }))
}

pub fn witness_key() -> Cosigner {
    Cosigner::from_seed("regulator.test/witness", &[0x77; 32]).unwrap()
}

/// It names a witness, whether one is there in the run or not: without it, all three parties seal.
pub fn genesis() -> Command {
    let parties = Party::ALL.map(|party| keys(party).public());
    let currency = "RUB".parse().unwrap();
    let witness = Some(witness_key().verifier_key().to_string());
    let attesters = Attesters::default();
    Command::Genesis(Box::new(Genesis {
        origin: ORIGIN.into(),
        currency,
        tzdb: "2026a".into(),
        parties,
        witness,
        attesters,
    }))
}

/// Who must recompute and attest a command here, said again without asking the code that is tested: the bank no batch.
pub fn is_attester(party: Party, command: &Command) -> bool {
    party != Party::Bank || !matches!(command, Command::Batch(_))
}

pub fn directory() -> Directory {
    let Command::Genesis(genesis) = genesis() else { unreachable!("it is the genesis") };
    Directory::of(&genesis).unwrap()
}

fn file(number: u64) -> ContentHash {
    let mut hash = [0xF1; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    ContentHash(hash)
}

fn batch(sequence: u64) -> Command {
    let import_wh = i64::try_from(sequence * 1_000 + 7).unwrap();
    let totals = Totals { energy_wh: [import_wh, 0, 0, 0], ..Totals::default() };
    let root = Root { hash: file(sequence << 8), count: 256 };
    Command::Batch(BatchCommit { sequence, file: file(sequence), sealed: Sealed { root, totals } })
}

fn document(number: u64) -> Command {
    let year = i32::try_from(2_000 + number % 5_000).unwrap();
    let day = |year: i32| format!("{year:04}-01-01").parse().unwrap();
    Command::Publish(Publication {
        kind: DocumentKind::Tariff,
        id: "tariff".parse().unwrap(),
        hash: file(number << 16),
        validity: Validity::new(day(year), Some(day(year + 1))).unwrap(),
    })
}

fn settlement(sequence: u64) -> Command {
    let paid = i64::try_from(sequence * 300).unwrap();
    let leg = |party, minor| Leg { party, kind: LegKind::Remainder, amount: Money::from_minor(minor) };
    Command::Settlement(SettlementCommit {
        sequence,
        file: file(sequence << 24),
        payments: Root { hash: file(sequence << 32), count: 1 },
        paid: Money::from_minor(paid),
        reversed: Money::ZERO,
        credited: Money::ZERO,
        legs: vec![leg(Party::Grid, paid / 3), leg(Party::Supplier, paid - paid / 3)],
        back: Vec::new(),
        running: Vec::new(),
    })
}

/// What `party` would propose next; where keys change, the supplier proposes it.
pub fn next_command(party: Party, state: &State, rotates: bool) -> Command {
    match party {
        Party::Supplier if rotates && state.motion_count() == 0 && state.next_number(party) == 2 => {
            motion(state)
        }
        Party::Grid if state.chain().is_none() => genesis(),
        Party::Grid => batch(state.batch_count() + 1),
        Party::Supplier => document(state.next_number(Party::Supplier)),
        Party::Bank => settlement(state.settlement_count() + 1),
    }
}

/// What an honest node computes for a proposed command, on a state.
pub fn computed(command: &Command, proposer: Party, state: &State) -> Result<Command, NotComputed> {
    let own = match command {
        Command::Genesis(_) => genesis(),
        Command::Batch(_) => batch(state.batch_count() + 1),
        Command::Publish(_) => document(state.next_number(proposer)),
        Command::Settlement(_) => settlement(state.settlement_count() + 1),
        Command::Govern(_) => motion(state),
        Command::Contracts(_)
        | Command::Period(_)
        | Command::Bills(_)
        | Command::Corrections(_)
        | Command::Activate(_) => {
            return Err(NotComputed::Fails("nobody asked for it".to_owned()));
        }
    };
    Ok(own)
}

/// The money in a state: what all parties got is what came in.
pub fn money_adds_up(state: &State) -> bool {
    let got = Party::ALL.iter().flat_map(|party| LegKind::ALL.map(|kind| state.paid(*party, kind)));
    got.map(Money::as_minor).sum::<i64>() == state.received().as_minor()
}

/// The same command with one figure bent, as a liar would have it.
pub fn bent(command: &Command, way: u64) -> Command {
    let mut bent = command.clone();
    match &mut bent {
        Command::Batch(batch) if way.is_multiple_of(2) => batch.sealed.root.hash.0[3] ^= 1,
        // A reading dropped.
        Command::Batch(batch) => batch.sealed.totals.energy_wh[0] -= 1,
        // Another tariff in its place.
        Command::Publish(publication) => publication.hash.0[5] ^= 1,
        // Money moved from one leg to the other.
        Command::Settlement(settlement) => {
            let moved = |leg: &Leg, by: i64| Money::from_minor(leg.amount.as_minor() + by);
            settlement.legs[0].amount = moved(&settlement.legs[0], 1);
            settlement.legs[1].amount = moved(&settlement.legs[1], -1);
        }
        Command::Genesis(genesis) => genesis.tzdb.push('x'),
        Command::Contracts(_)
        | Command::Period(_)
        | Command::Bills(_)
        | Command::Corrections(_)
        | Command::Activate(_)
        | Command::Govern(_) => {}
    }
    bent
}
