//! The town's month closed again, and corrected twice.
//!
//! ```text
//! block 10 period, closed again   11 corrections   12 contracts: accounts 30 and 40 from the 29th   13 corrections
//! ```

use tallywatt_core::bill::Bill;
use tallywatt_core::contract::Contract;
use tallywatt_core::correction::{Correction, Stands};
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::tariff::TariffBook;
use tallywatt_core::validity::Validity;
use tallywatt_ledger::agreement_bytes::encode_agreement;
use tallywatt_ledger::bill_bytes::encode_bill;
use tallywatt_ledger::command::{Command, CorrectionsCommit, PeriodCommit};
use tallywatt_ledger::correction_bytes::encode_correction;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::document::{contracts_tree, encode_contract};
use tallywatt_ledger::receipt::{Before, BillPart, CorrectionPart, Placed, Receipt, Subject};
use tallywatt_ledger::seal::{SealKind, SealedTree};
use tallywatt_ledger::tariff_bytes::encode_tariff;
use tallywatt_ledger::tree::{Tree, TreeKind};

use super::{
    ACTIVATION_HEIGHT, BILLS_HEIGHT, MarketBook, Party, Plan, Town, block, day, month, sort, witness,
};

/// One run of corrections, and what it was computed from.
pub struct Run {
    pub height: usize,
    pub corrections: Vec<Correction>,
    contracts: Vec<Contract>,
}

pub struct Corrected {
    pub town: Town,
    leaves: Vec<DayLeaf>,
    period: SealedTree,
    pub runs: Vec<Run>,
}

/// Corrects the town on two days; `edit` changes each correction after it was computed and before it is sealed.
pub fn corrected(plan: Plan, days: [&str; 2], edit: fn(&mut Correction)) -> Corrected {
    let town = Town::planned(plan);
    let leaves = late_leaves(&town);
    let period = SealedTree::seal(SealKind::Period, &leaves).unwrap();
    let mut all = Corrected { town, leaves, period, runs: Vec::new() };
    let sealed = all.period.sealed();
    all.town.commit(Command::Period(PeriodCommit { period: month(), revision: 1, batches: 2, sealed }));
    let contracts = all.town.contracts.clone();
    all.correct(days[0], contracts.clone(), edit);
    let from = |contract: Contract| {
        let is_late = ["A-000030", "A-000040"].contains(&contract.account.as_str());
        let validity = Validity::new(day("2026-03-29"), None).unwrap();
        if is_late { Contract { validity, ..contract } } else { contract }
    };
    let contracts: Vec<Contract> = contracts.into_iter().map(from).collect();
    all.town.commit(Command::Contracts(contracts_tree(&contracts).root()));
    all.correct(days[1], contracts, edit);
    all
}

/// The two silent days of account 40, and another last day of account 30.
fn late_leaves(town: &Town) -> Vec<DayLeaf> {
    let of =
        |account: &str| town.contracts.iter().find(|contract| contract.account.as_str() == account).unwrap();
    let silent = of("A-000040");
    let mut leaves: Vec<DayLeaf> = town.leaves.clone();
    for date in ["2026-03-10", "2026-03-31"] {
        leaves.push(DayLeaf::period(block(silent, day(date)), &town.secret));
    }
    let moved = of("A-000030");
    let known = block(moved, day("2026-03-31"));
    let values = known.values_wh().iter().map(|wh| wh + 1_000).collect();
    let key = known.key();
    let (start, count) = (known.interval_start(0), known.interval_count());
    let other =
        DayBlock::from_parts(key, start, 30, Source::Synthetic, values, vec![Quality::Valid; count]).unwrap();
    leaves.retain(|leaf| leaf.block().key() != key);
    leaves.push(DayLeaf::period(other, &town.secret));
    sort(&mut leaves);
    leaves
}

impl Corrected {
    fn bill(&self, contract: &Contract) -> Bill {
        let mut book = TariffBook::default();
        for version in &self.town.tariffs {
            book.publish(version.clone()).unwrap();
        }
        let inputs = BillInputs {
            account: contract.account,
            period: month(),
            contracts: std::slice::from_ref(contract),
            tariffs: &book,
            agreement: &self.town.agreement,
            readings: self.period.sealed().root.hash,
            market: &MarketBook::new(),
        };
        bill(&inputs, &|key| self.leaves.iter().map(DayLeaf::block).find(|block| block.key() == *key))
            .unwrap()
    }

    /// What stands of an account before a run, and the record of it.
    fn stood(&self, account: &str, run_count: usize) -> Option<(Vec<u8>, usize)> {
        for run in self.runs[..run_count].iter().rev() {
            if let Some(at) = position(&run.corrections, account) {
                return Some((encode_correction(&run.corrections[at]), run.height));
            }
        }
        let issued = self.town.bills.iter().find(|bill| bill.account.as_str() == account)?;
        Some((encode_bill(issued), BILLS_HEIGHT))
    }

    fn correct(&mut self, on: &str, contracts: Vec<Contract>, edit: fn(&mut Correction)) {
        let mut corrections = Vec::new();
        for contract in &contracts {
            let account = contract.account.as_str();
            let hash = content_hash(&self.stood(account, self.runs.len()).unwrap().0);
            let last = self
                .runs
                .iter()
                .rev()
                .find_map(|run| Some(&run.corrections[position(&run.corrections, account)?]));
            let issued = self.town.bills.iter().find(|bill| bill.account.as_str() == account).unwrap();
            let stands = last.map_or(Stands::issued(hash, issued), |last| Stands::corrected(hash, last));
            let now = self.bill(contract);
            if Correction::is_due(stands.bill, &now) {
                let cap = self.town.agreement.body.terms.back_billing_months;
                let mut correction = Correction::new(Some(&stands), day(on), now, cap).unwrap();
                edit(&mut correction);
                corrections.push(correction);
            }
        }
        let height = self.town.blocks.len();
        let sum = |of: fn(&Correction) -> i64| Money::from_minor(corrections.iter().map(of).sum());
        self.town.commit(Command::Corrections(CorrectionsCommit {
            sequence: u64::try_from(self.runs.len()).unwrap() + 1,
            period: month(),
            day: day(on),
            readings: self.period.sealed().root,
            contracts: contracts_tree(&contracts).root(),
            corrections: tree(&corrections).root(),
            file: Default::default(),
            energy_wh: 0,
            total: sum(|one| one.delta.total.as_minor()),
            payee_part: ExactAmount::ZERO,
            charged: sum(|one| one.charged.total.as_minor()),
        }));
        self.runs.push(Run { height, corrections, contracts });
    }

    /// A correction in its tree, or the bill in its own, of the runs up to one.
    pub fn placed(&self, account: &str, run_count: usize) -> (Placed, usize) {
        for run in self.runs[..run_count].iter().rev() {
            if let Some(at) = position(&run.corrections, account) {
                let path = tree(&run.corrections).path(at).unwrap();
                let record = encode_correction(&run.corrections[at]);
                return (Placed { record, index: u64::try_from(at).unwrap(), path }, run.height);
            }
        }
        (self.town.placed_bill(account), BILLS_HEIGHT)
    }

    /// The receipt of what stood after a run, counted from 1.
    pub fn receipt(&self, account: &str, number: usize) -> Receipt {
        let run = &self.runs[number - 1];
        let own = &run.corrections[position(&run.corrections, account).unwrap()];
        let at = run.contracts.iter().position(|one| one.account.as_str() == account).unwrap();
        let contract = &run.contracts[at];
        let used: Vec<usize> = (0..self.town.tariffs.len())
            .filter(|version| own.bill.tariffs.contains(&self.town.tariffs[*version].hash))
            .collect();
        let billed = self.leaves.iter().filter(|leaf| {
            let key = leaf.block().key();
            key.usage_point == contract.usage_point && contract.validity.contains(key.day)
        });
        let usage_point = contract.usage_point.as_str();
        let (leaves, partitions): (Vec<_>, Vec<_>) = billed
            .map(|leaf| self.town.leaf(usage_point, leaf.block().key().day, &self.period, leaf))
            .unzip();
        let (record, height) = self.placed(account, number - 1);
        let before = Before { record, sealed_by: self.town.placed_block(height) };
        let part = BillPart {
            bill: self.placed(account, number).0,
            correction: Some(CorrectionPart { before: Some(before) }),
            tariffs: used.iter().map(|version| encode_tariff(&self.town.tariffs[*version].body)).collect(),
            agreement: encode_agreement(&self.town.agreement.body),
            contracts: vec![Placed {
                record: encode_contract(contract),
                index: u64::try_from(at).unwrap(),
                path: contracts_tree(&run.contracts).path(at).unwrap(),
            }],
            market: Vec::new(),
            previous: None,
        };
        let heights =
            [0].into_iter().chain(used.iter().map(|version| version + 1)).chain([3, ACTIVATION_HEIGHT]);
        Receipt {
            subject: Subject::Bill { period: month(), account: own.bill.account },
            bill: Some(part),
            partitions: partitions.into_iter().take(1).collect(),
            leaves,
            blocks: heights.map(|height| self.town.placed_block(height)).collect(),
            motions: self.town.motions(),
            sealed_by: self.town.logged(run.height),
            proof: self.town.proof(run.height, &Party::ALL.map(witness)),
        }
    }
}

fn position(corrections: &[Correction], account: &str) -> Option<usize> {
    corrections.iter().position(|one| one.bill.account.as_str() == account)
}

fn tree(corrections: &[Correction]) -> Tree {
    let hashes = corrections.iter().map(|one| content_hash(&encode_correction(one)));
    Tree::new(TreeKind::Corrections, hashes.collect())
}
