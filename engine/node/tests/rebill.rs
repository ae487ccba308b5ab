//! Only what changed is computed again, and equals a full recomputation: random towns, late readings, contract lists, tariffs and
//! agreements, against a reference that rates everybody and compares everything.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{AGREEMENT, TARIFF};
use tallywatt_core::account::{Entry, Payment};
use tallywatt_core::agreement::Party;
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::{Day, Period, Zone};
use tallywatt_core::contract::{Contract, in_order};
use tallywatt_core::correction::Correction;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{AccountId, UsagePointId};
use tallywatt_core::money::Money;
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill as rate};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::TariffBook;
use tallywatt_core::validity::Validity;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ledger::activation::{Activation, consent_text};
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::{Command, Genesis, PartyKeys};
use tallywatt_ledger::key::{Cosigner, LogSigner};
use tallywatt_ledger::note::Note;
use tallywatt_node::books::records::{contracts_file, document_bytes, read_corrections};
use tallywatt_node::books::{Books, Computed, Input};
use tallywatt_shards::threads::Threads;

const SEEDS: u64 = 200;
const ROUNDS: u32 = 4;
const POINTS: u64 = 9;
/// Of the month that is billed.
const DAYS: [&str; 4] = ["2026-03-01", "2026-03-14", "2026-03-15", "2026-03-31"];

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(u64::try_from(all.len()).unwrap())).unwrap()]
    }
}

fn march() -> Period {
    "2026-03".parse().unwrap()
}

fn zone() -> Zone {
    Zone::parse("Asia/Yekaterinburg").unwrap()
}

fn point(number: u64) -> UsagePointId {
    format!("P-{number}").parse().unwrap()
}

const ORIGIN: &str = "tallywatt.test/rebill";

fn signer(party: Party) -> LogSigner {
    LogSigner::from_seed(&format!("{ORIGIN}/{party}/exec"), &[party.code(); 32]).unwrap()
}

struct World {
    random: Random,
    books: Books,
    /// Days that were delivered.
    known: BTreeSet<(u64, &'static str)>,
    /// Versions that are still to come: of tariff `b` from the 15th, of agreement `late`.
    late: Vec<String>,
    /// Agreements that both parties have signed.
    signed: BTreeSet<ContentHash>,
    payment_count: u32,
    on: Day,
}

impl World {
    fn new(seed: u64) -> Self {
        let books = Books::new(BlindingSecret::new([7; 32]), Threads::new(2).unwrap());
        let mut world = Self {
            random: Random(seed),
            books,
            known: BTreeSet::new(),
            late: Vec::new(),
            signed: BTreeSet::new(),
            payment_count: 0,
            on: "2026-04-01".parse().unwrap(),
        };
        let genesis = Genesis {
            origin: ORIGIN.into(),
            currency: "RUB".parse().unwrap(),
            tzdb: String::new(),
            parties: Party::ALL.map(|party| PartyKeys {
                log: LogSigner::from_seed(ORIGIN, &[party.code() + 16; 32])
                    .unwrap()
                    .verifier_key()
                    .to_string(),
                witness: Cosigner::from_seed("w", &[party.code() + 32; 32])
                    .unwrap()
                    .verifier_key()
                    .to_string(),
                exec: signer(party).verifier_key().to_string(),
            }),
            witness: None,
            attesters: Attesters::default(),
        };
        world.books.absorb(&Command::Genesis(Box::new(genesis)), None).unwrap();
        let half = |text: &str| {
            let text = text.replace("\"one\"", "\"b\"").replace("5.00", "4.00");
            text.replace(
                "valid_from = \"2026-01-01\"",
                "valid_from = \"2026-01-01\"\nvalid_to = \"2026-03-15\"",
            )
        };
        let capped = AGREEMENT.replace("rule =", "back_billing_months = 2\nrule =");
        for text in [TARIFF.to_owned(), half(TARIFF), capped] {
            world.publish(&text);
        }
        world.sign();
        world.late = vec![
            TARIFF.replace("\"one\"", "\"b\"").replace("5.00", "7.00").replace("2026-01-01", "2026-03-15"),
            AGREEMENT.replace("id = \"split\"", "id = \"late\"").replace("2.00", "1.50"),
        ];
        world.contracts();
        world.deliver(14);
        world
    }

    fn apply(&mut self, input: Input) -> Option<Computed> {
        let computed = self.books.compute(input).ok()?;
        self.books.absorb(&computed.command, computed.file.as_deref()).unwrap();
        Some(computed)
    }

    fn publish(&mut self, text: &str) {
        let bytes = document_bytes(&parse_document("test.toml", text).unwrap());
        self.apply(Input::Document(bytes)).unwrap();
    }

    /// Signs every agreement as both of its parties.
    fn sign(&mut self) {
        let proposed = self.books.agreements().iter().filter(|known| !self.signed.contains(&known.hash));
        for agreement in proposed.cloned().collect::<Vec<_>>() {
            let text = consent_text(ORIGIN, &agreement.body.id, &agreement.hash, 0);
            let lines = [agreement.body.payee, agreement.body.remainder]
                .map(|party| signer(party).sign(&text).unwrap());
            let note = Note::new(&text, lines.to_vec()).unwrap();
            let keys = self.books.keys_now().unwrap();
            let activation = Activation::of_note(&note, &agreement, ORIGIN, keys).unwrap();
            self.apply(Input::Activation(Box::new(activation))).unwrap();
            self.signed.insert(agreement.hash);
        }
    }

    /// A list of its own: every point to one of a few accounts, or to none, from some day on, by some tariff and agreement.
    fn contracts(&mut self) {
        let mut list = Vec::new();
        for number in 1..=POINTS {
            if self.random.below(8) == 0 {
                continue;
            }
            let account = format!("A-{}", if self.random.below(3) == 0 { 1 } else { number });
            let from = *self.random.pick(&["2026-01-01", "2026-01-01", "2026-03-14", "2026-04-01"]);
            list.push(Contract {
                account: account.parse().unwrap(),
                usage_point: point(number),
                register: Register::IMPORT,
                zone: zone(),
                tariff: self.random.pick(&["one", "one", "one", "b"]).parse().unwrap(),
                agreement: self.random.pick(&["split", "split", "split", "split", "late"]).parse().unwrap(),
                validity: Validity::new(from.parse().unwrap(), None).unwrap(),
                overrides: Vec::new(),
            });
        }
        let file = contracts_file(&in_order(list).unwrap());
        self.apply(Input::Contracts(file)).unwrap();
    }

    /// One contract more, less, or otherwise: the rest of the list stays.
    fn change_one_contract(&mut self) {
        let mut list = self.books.contracts().to_vec();
        let at = usize::try_from(self.random.below(u64::try_from(list.len().max(1)).unwrap())).unwrap();
        match (self.random.below(3), list.get_mut(at)) {
            (0, Some(contract)) => contract.tariff = "one".parse().unwrap(),
            (1, Some(contract)) => {
                contract.validity = Validity::new("2026-03-15".parse().unwrap(), None).unwrap();
            }
            (2, Some(_)) => {
                list.remove(at);
            }
            _ => {}
        }
        let file = contracts_file(&in_order(list).unwrap());
        self.apply(Input::Contracts(file)).unwrap();
    }

    /// Seals days that were not delivered before.
    fn deliver(&mut self, count: u64) {
        let mut blocks = Vec::new();
        for _ in 0..count {
            let (number, date) = (self.random.below(POINTS) + 1, *self.random.pick(&DAYS));
            if !self.known.insert((number, date)) {
                continue;
            }
            let day: Day = date.parse().unwrap();
            let key = BlockKey { usage_point: point(number), register: Register::IMPORT, day };
            let values = (0..24).map(|_| i32::try_from(self.random.below(3_000)).unwrap()).collect();
            let start = zone().local_day(day).start;
            let qualities = vec![Quality::Valid; 24];
            blocks.push(DayBlock::from_parts(key, start, 60, Source::Synthetic, values, qualities).unwrap());
        }
        blocks.sort_by_key(|block| tallywatt_ledger::seal::seal_order(&block.key()));
        if !blocks.is_empty() {
            let file = self.books.batch_file(&blocks).unwrap();
            self.apply(Input::Batch(file)).unwrap();
        }
    }

    /// The bill of every account that has a contract in the month, or a bill, as it would be now: the reference.
    fn all_bills(&self, leaves: &BTreeMap<BlockKey, DayBlock>) -> BTreeMap<AccountId, Result<Bill, String>> {
        let period = march();
        let holds = |one: &&Contract| period.days().any(|day| one.validity.contains(day));
        let held = self.books.contracts().iter().filter(holds).map(|one| one.account);
        let standing = self.books.standing(period).unwrap();
        let standing = standing.iter().map(|stands| stands.bill.account);
        let accounts: BTreeSet<AccountId> = held.chain(standing).collect();
        let mut tariffs = TariffBook::default();
        for version in self.books.tariffs().versions() {
            tariffs.publish(version.clone()).unwrap();
        }
        let of = |account: &AccountId| {
            let own: Vec<Contract> =
                self.books.contracts().iter().filter(|one| one.account == *account).cloned().collect();
            if !own.iter().any(|one| holds(&one)) {
                return Err(format!("account {account} has no contract in {period}"));
            }
            let id = own[0].agreement;
            if own.iter().any(|one| one.agreement != id) {
                return Err(format!("the contracts of account {account} name different agreements"));
            }
            let first = period.first_day();
            let holds = self
                .books
                .agreements()
                .iter()
                .find(|one| one.body.id == id && one.body.validity.contains(first));
            let agreement = holds.ok_or(format!("agreement {id} has no version that holds on {first}"))?;
            if !self.signed.contains(&agreement.hash) {
                return Err(format!("agreement {id} is not signed by both its parties"));
            }
            let inputs = BillInputs {
                account: *account,
                period,
                contracts: &own,
                tariffs: &tariffs,
                agreement,
                readings: Default::default(),
                market: self.books.market(),
            };
            rate(&inputs, &|key| leaves.get(key)).map_err(|error| error.to_string())
        };
        accounts.iter().map(|account| (*account, of(account))).collect()
    }

    /// Corrects the month, if anything changed, and holds it against the reference.
    fn correct(&mut self, why: &str) -> bool {
        let planned = self.books.plan_corrections(march(), self.on);
        if let Ok(closed) = self.books.compute(Input::Period(march())) {
            self.books.absorb(&closed.command, closed.file.as_deref()).unwrap();
        }
        let leaves: BTreeMap<BlockKey, DayBlock> = self
            .books
            .period_leaves(march())
            .unwrap()
            .iter()
            .map(|leaf| (leaf.block().key(), leaf.block().clone()))
            .collect();
        let root = self.books.period_root(march()).unwrap().hash;
        let (mut want, mut failed) = (Vec::new(), Vec::new());
        for (account, bill) in self.all_bills(&leaves) {
            let now = match bill {
                Ok(bill) => Bill { readings: root, ..bill },
                Err(reason) => {
                    failed.push((account, reason));
                    continue;
                }
            };
            let stands = self.books.stands(march(), &account);
            if stands.is_some_and(|stands| !Correction::is_due(stands.bill, &now)) {
                continue;
            }
            let agreement = self.books.agreements().iter().find(|known| known.hash == now.agreement).unwrap();
            let cap = agreement.body.terms.back_billing_months;
            want.push(Correction::new(stands.as_ref(), self.on, now, cap).unwrap());
        }
        let corrected = self.books.compute(Input::Corrections(march(), self.on));
        let corrected = match corrected {
            Ok(corrected) => corrected,
            Err(error) => {
                assert!(want.is_empty(), "{why}: {error}, and {} corrections are due", want.len());
                assert!(planned.is_err(), "{why}: plan = run");
                return false;
            }
        };
        let got = read_corrections(corrected.file.as_deref().unwrap()).unwrap();
        assert_eq!(got, want, "{why}");
        assert_eq!(corrected.unbilled, failed, "{why}");
        let planned = planned.unwrap_or_else(|error| panic!("{why}: {error}"));
        assert_eq!(
            (&planned.command, &planned.file),
            (&corrected.command, &corrected.file),
            "{why}: plan = run"
        );
        assert_eq!(planned.unbilled, corrected.unbilled, "{why}");
        let before = self.totals();
        self.books.absorb(&corrected.command, corrected.file.as_deref()).unwrap();
        let Command::Corrections(commit) = corrected.command else { unreachable!("they are corrections") };
        let after = self.totals();
        let sums = (commit.total.as_minor(), commit.charged.as_minor());
        assert_eq!(sums, (after.0 - before.0, after.1 - before.1), "{why}: original and corrections");
        assert!(self.books.compute(Input::Corrections(march(), self.on)).is_err(), "{why}: once more");
        for one in &got {
            let stands = self.books.stands(march(), &one.bill.account).unwrap();
            assert_eq!((stands.bill, stands.owed), (&one.bill, one.owed), "{why}");
            assert!(one.delta.is_balanced(), "{why}");
        }
        true
    }

    /// Sums of what stands: of the bills, and of what is owed.
    fn totals(&self) -> (i64, i64) {
        let standing = self.books.standing(march()).unwrap();
        standing.iter().fold((0, 0), |(total, owed), stands| {
            (total + stands.bill.total.as_minor(), owed + stands.owed.total.as_minor())
        })
    }

    fn pay(&mut self) {
        self.payment_count += 1;
        let account = format!("A-{}", self.random.below(POINTS) + 1);
        let payment = Payment {
            id: format!("PAY-{}", self.payment_count).parse().unwrap(),
            account: account.parse().unwrap(),
            booked: "2026-04-05".parse().unwrap(),
            amount: Money::from_minor(i64::try_from(self.random.below(60_000)).unwrap() + 1),
            period: None,
            remittance: None,
        };
        self.apply(Input::Payments(vec![Entry::Payment(payment)])).unwrap();
    }

    /// What is owed, less what is paid, is what accounts have open, less what they are ahead.
    fn check_accounts(&self, why: &str) {
        let owed = self.totals().1;
        let known = self.books.accounts();
        let paid: i64 = self
            .books
            .payments()
            .payments()
            .values()
            .filter(|placed| known.contains_key(&placed.payment().account))
            .map(|placed| placed.left().as_minor())
            .sum();
        let open: i64 = known.values().map(|state| state.debt().as_minor()).sum();
        let ahead: i64 = known.values().map(|state| state.advance().as_minor()).sum();
        assert!(!self.books.payments().is_waiting(), "{why}");
        let suspended = self.books.payments().days().values();
        let suspended: i64 = suspended.map(|sheet| sheet.handed_over(Party::Bank).as_minor()).sum();
        assert_eq!(owed - (paid - suspended_of_known(self, suspended)), open - ahead, "{why}");
    }
}

/// Money of accounts that had no contract when it came stays in suspense, whoever has one since.
fn suspended_of_known(world: &World, all: i64) -> i64 {
    let known = world.books.accounts();
    let others: i64 = world
        .books
        .payments()
        .payments()
        .values()
        .filter(|placed| !known.contains_key(&placed.payment().account))
        .map(|placed| placed.left().as_minor())
        .sum();
    all - others
}

#[test]
fn a_correction_is_a_full_rebill() {
    let (mut corrected, mut idle, mut barred, mut first) = (0, 0, 0, 0);
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        if world.apply(Input::Period(march())).is_none() || world.apply(Input::Bills(march())).is_none() {
            continue;
        }
        for round in 0..ROUNDS {
            let why = format!("seed {seed} round {round}");
            for _ in 0..=world.random.below(2) {
                match world.random.below(7) {
                    0 | 1 => {
                        let count = world.random.below(4) + 1;
                        world.deliver(count);
                    }
                    2 => world.change_one_contract(),
                    3 if world.random.below(2) == 0 => world.contracts(),
                    4 => {
                        if let Some(text) = world.late.pop() {
                            world.publish(&text);
                        }
                    }
                    5 => world.sign(),
                    _ => world.pay(),
                }
            }
            world.on = world.on.plus(i32::try_from(world.random.below(40)).unwrap()).unwrap();
            if !world.correct(&why) {
                idle += 1;
                continue;
            }
            corrected += 1;
            world.apply(Input::Payments(Vec::new()));
            world.check_accounts(&why);
        }
        let all = world.books.standing(march()).unwrap().into_iter();
        for stands in all {
            let own = world.books.corrections(march(), &stands.bill.account);
            barred += own.iter().filter(|one| one.body.barred_by.is_some()).count();
            first += own.iter().filter(|one| one.body.before.is_none()).count();
        }
    }
    println!(
        "{corrected} runs of corrections, {idle} without any, {barred} increases held back, {first} first bills"
    );
    assert!(corrected > 200 && idle > 50 && barred > 50 && first > 50);
}
