//! Books: a closed period to bills, payments to settlements.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use tallywatt_core::account::{Entry, OpenBill};
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::Period;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::AccountId;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::payment_book::{Agreements, Settlement};
use tallywatt_core::rate::{BillInputs, BlockIndex, RateRun};
use tallywatt_core::split::{Cause, Leg};
use tallywatt_ledger::command::{BillsCommit, Command, SettlementCommit};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::tree::{Root, TreeKind};
use tallywatt_ledger::{bill_bytes, digest, document, settled_bytes};

use crate::books::records::{read_bills, tree_over};
use crate::books::{Books, BooksError, Computed, bill_hash};
use crate::list_file;
use crate::list_file::ListKind;

impl Books {
    /// The bills of a period as they would be, whether it is closed yet or not: a plan.
    ///
    /// # Errors
    /// [`BooksError`].
    pub fn plan_bills(&self, period: Period) -> Result<Computed, BooksError> {
        self.secret()?;
        if self.periods.contains_key(&period) {
            return self.bill(period);
        }
        let closed = self.close(period)?;
        let leaves = self.decode_sealed(closed.file.as_deref().unwrap_or_default())?.leaves;
        let mut planned = match closed.command {
            Command::Period(commit) => self.bill_from(period, commit.sealed.root, &leaves)?,
            _ => unreachable!("closing a period computes a period command"),
        };
        for (account, reason) in &mut planned.unbilled {
            let of_account = closed.unbilled.iter().filter(|(own, _)| own == account);
            of_account.for_each(|(_, why)| *reason += &format!("; {why}"));
        }
        Ok(planned)
    }

    pub(super) fn bill(&self, period: Period) -> Result<Computed, BooksError> {
        let closed = self.periods.get(&period);
        let closed = closed.ok_or_else(|| BooksError::Nothing(format!("period {period} is not closed")))?;
        self.bill_from(period, closed.root(), closed.leaves())
    }

    pub(super) fn bill_from(
        &self,
        period: Period,
        readings: Root,
        leaves: &[DayLeaf],
    ) -> Result<Computed, BooksError> {
        let blocks = BlockIndex::new(leaves.iter().map(DayLeaf::block));
        let held = |contract: &&Contract| {
            contract.validity.from() < period.end_day()
                && contract.validity.to().is_none_or(|to| to > period.first_day())
        };
        let groups: Vec<&[Contract]> = self
            .contracts
            .chunk_by(|a, b| a.account == b.account)
            .filter(|group| group.iter().any(|contract| held(&contract)))
            .collect();
        let rated: Vec<(AccountId, Result<Bill, String>)> = self.threads.pool().install(|| {
            groups
                .par_iter()
                .map_init(
                    || (RateRun::new(period), blocks.cursor()),
                    |(run, cursor), group| {
                        let find = |key: &BlockKey| cursor.find(key);
                        (group[0].account, self.bill_account(run, group, readings.hash, &find))
                    },
                )
                .collect()
        });
        let (mut bills, mut unbilled) = (Vec::new(), Vec::new());
        for (account, result) in rated {
            match result {
                Ok(bill) => bills.push(bill),
                Err(reason) => unbilled.push((account, reason)),
            }
        }
        if bills.is_empty() {
            let why = unbilled.first().map_or("no contract holds in it".into(), |(_, reason)| reason.clone());
            return Err(BooksError::Nothing(format!("no account can be billed for {period}: {why}")));
        }
        let records: Vec<Vec<u8>> = bills.iter().map(bill_bytes::encode_bill).collect();
        let file = list_file::encode(ListKind::Bills, &records);
        let sum = |add: &dyn Fn(&Bill) -> i64| {
            bills
                .iter()
                .try_fold(0_i64, |sum, bill| sum.checked_add(add(bill)))
                .ok_or(BooksError::Overflow("bills"))
        };
        let payee_part: ExactAmount = bills.iter().map(|bill| bill.payee_part).sum();
        let command = Command::Bills(BillsCommit {
            period,
            readings,
            contracts: document::contracts_root(&self.contracts),
            bills: tree_over(TreeKind::Bills, &records).root(),
            file: digest::content_hash(&file),
            energy_wh: sum(&|bill| bill.energy().as_wh())?,
            total: Money::from_minor(sum(&|bill| bill.total.as_minor())?),
            payee_part,
        });
        Ok(Computed { command, file: Some(file), unbilled })
    }

    pub(super) fn bill_account<'b>(
        &self,
        run: &mut RateRun,
        contracts: &[Contract],
        readings: ContentHash,
        find: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<Bill, String> {
        let (account, period) = (contracts[0].account, run.period());
        let id = contracts[0].agreement;
        if contracts.iter().any(|contract| contract.agreement != id) {
            return Err(format!("the contracts of account {account} name different agreements"));
        }
        let day = period.first_day();
        let agreement = self
            .agreements
            .iter()
            .find(|known| known.body.id == id && known.body.validity.contains(day))
            .ok_or_else(|| format!("agreement {id} has no version that holds on {day}"))?;
        if !self.is_active(&agreement.hash) {
            return Err(match self.active_from(&agreement.hash) {
                None => format!("agreement {id} is not signed by both its parties"),
                Some(from) => format!("agreement {id} holds from block {from} on"),
            });
        }
        let (tariffs, market) = (&self.tariffs, &self.market);
        let inputs = BillInputs { account, period, contracts, tariffs, agreement, readings, market };
        let previous = self.previous_of(period, contracts)?;
        run.bill_after(&inputs, previous, find).map_err(|error| error.to_string())
    }

    pub(super) fn agreements_by_hash(&self) -> Agreements {
        self.agreements.iter().map(|known| (known.hash, known.body.clone())).collect()
    }

    pub(super) fn absorb_bills(&mut self, period: Period, file: &[u8]) -> Result<(), BooksError> {
        let bills = read_bills(file)?;
        for bill in &bills {
            let open = OpenBill {
                bill: bill_hash(bill),
                period,
                since: period.end_day(),
                agreement: bill.agreement,
                total: bill.total,
                paid: Money::ZERO,
                payee_part: bill.payee_part,
                payee_paid: ExactAmount::ZERO,
            };
            self.payments.issue(bill.account, open);
        }
        self.bills.insert(period, bills);
        self.remember_billed(period);
        self.contracts_by_period.insert(period, Arc::clone(&self.contracts));
        // Accounts that could not be billed are found again by having no bill.
        self.look_at(period, BTreeSet::new());
        Ok(())
    }

    /// Whose readings the bills of a period used, those before too.
    pub(super) fn remember_billed(&mut self, period: Period) {
        let used = self.contracts.iter().map(|contract| (contract.usage_point, contract.register));
        self.billed.entry(period).or_default().extend(used);
    }

    pub(super) fn settle(&self, entries: Vec<Entry>) -> Result<Computed, BooksError> {
        let agreements = self.agreements_by_hash();
        let Settlement { settled, running } = self.payments.settlement(entries, &agreements)?;
        let records: Vec<Vec<u8>> = settled.iter().map(settled_bytes::encode_settled).collect();
        let file = list_file::encode(ListKind::Settlement, &records);
        let (mut paid, mut reversed, mut credited) = (Money::ZERO, Money::ZERO, Money::ZERO);
        for one in &settled {
            let sum = match &one.cause {
                Cause::Payment(_) => &mut paid,
                Cause::Reversal(_) => &mut reversed,
                Cause::Credit(_) => &mut credited,
                Cause::Release(_) | Cause::Match(_) | Cause::Withdrawal(_) | Cause::TrueUp(_) => continue,
                Cause::Accrual(_) | Cause::Reserve(_) => continue,
            };
            *sum = sum.checked_add(one.amount()).ok_or(BooksError::Overflow("payments"))?;
        }
        let command = Command::Settlement(SettlementCommit {
            sequence: self.settlement_count + 1,
            file: digest::content_hash(&file),
            payments: tree_over(TreeKind::Payments, &records).root(),
            paid,
            reversed,
            credited,
            legs: sum_legs(settled.iter().flat_map(|settled| &settled.legs))?,
            back: sum_legs(settled.iter().flat_map(|settled| &settled.back))?,
            running: running.into_iter().collect(),
        });
        Ok(Computed { command, file: Some(file), unbilled: Vec::new() })
    }
}

fn sum_legs<'a>(legs: impl Iterator<Item = &'a Leg>) -> Result<Vec<Leg>, BooksError> {
    let mut sums: BTreeMap<_, Money> = BTreeMap::new();
    for leg in legs {
        let sum = sums.entry((leg.party, leg.kind)).or_default();
        *sum = sum.checked_add(leg.amount).ok_or(BooksError::Overflow("legs"))?;
    }
    Ok(sums.into_iter().map(|((party, kind), amount)| Leg { party, kind, amount }).collect())
}
