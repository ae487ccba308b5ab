//! Books: a closed period to bills, payments to settlements.

use std::collections::BTreeMap;

use rayon::prelude::*;
use tallywatt_core::account::{AccountState, Payment};
use tallywatt_core::agreement::Agreement;
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::Period;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{AccountId, Label};
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::rate::{BillInputs, BlockIndex, RateRun};
use tallywatt_core::split;
use tallywatt_core::split::{Leg, SettledPayment};
use tallywatt_ledger::command::{BillsCommit, Command, SettlementCommit};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::tree::{Root, TreeKind};
use tallywatt_ledger::{bill_bytes, digest, document};

use crate::books::records::tree_over;
use crate::books::{Books, BooksError, Computed};
use crate::list_file;
use crate::list_file::ListKind;

impl Books {
    /// The bills of a period as they would be, whether it is closed yet or not: a plan.
    ///
    /// # Errors
    /// [`BooksError`].
    pub fn plan_bills(&self, period: Period) -> Result<Computed, BooksError> {
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
        let (readings, leaves) =
            closed.ok_or_else(|| BooksError::Nothing(format!("period {period} is not closed")))?;
        self.bill_from(period, *readings, leaves)
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
        let inputs = BillInputs { account, period, contracts, tariffs: &self.tariffs, agreement, readings };
        run.bill(&inputs, find).map_err(|error| error.to_string())
    }

    pub(super) fn settle(&self, mut payments: Vec<Payment>) -> Result<Computed, BooksError> {
        payments.sort_by_key(|payment| (payment.booked, payment.id));
        let mut fresh: Vec<Payment> = Vec::new();
        for payment in payments {
            match self.payments.get(&payment.id) {
                Some(known) if *known == payment => {}
                Some(_) => {
                    let text = format!("payment {} is already settled with other contents", payment.id);
                    return Err(BooksError::Conflict(text));
                }
                None => fresh.push(payment),
            }
        }
        let mut ids: Vec<Label> = fresh.iter().map(|payment| payment.id).collect();
        ids.sort();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(BooksError::Conflict(format!("payment {} stands twice in the registry", pair[0])));
        }
        // Nothing an account or an agreement holds can be more than all there ever was.
        let mut amounts = self.payments.values().chain(&fresh).map(|payment| payment.amount);
        let received = amounts.try_fold(Money::ZERO, |sum, amount| sum.checked_add(amount));
        received.ok_or(BooksError::Overflow("all payments ever received"))?;
        if fresh.is_empty() {
            return Err(BooksError::Nothing("every payment is settled already: nothing is new".into()));
        }
        let agreements: BTreeMap<ContentHash, Agreement> =
            self.agreements.iter().map(|known| (known.hash, known.body.clone())).collect();
        let mut accounts: BTreeMap<AccountId, AccountState> = BTreeMap::new();
        let mut running = self.running.clone();
        let mut settled = Vec::with_capacity(fresh.len());
        for payment in fresh {
            let known = self.accounts.get(&payment.account);
            let account = known.map(|known| accounts.entry(payment.account).or_insert_with(|| known.clone()));
            settled.push(split::settle(payment, account, &agreements, &mut running));
        }
        let records: Vec<Vec<u8>> = settled.iter().map(bill_bytes::encode_settled).collect();
        let file = list_file::encode(ListKind::Settlement, &records);
        let paid = settled
            .iter()
            .try_fold(Money::ZERO, |sum, settled| sum.checked_add(settled.payment.amount))
            .ok_or(BooksError::Overflow("payments"))?;
        let command = Command::Settlement(SettlementCommit {
            sequence: self.settlement_count + 1,
            file: digest::content_hash(&file),
            payments: tree_over(TreeKind::Payments, &records).root(),
            paid,
            legs: sum_legs(&settled)?,
            running: running
                .into_iter()
                .filter(|(hash, split)| self.running.get(hash) != Some(split))
                .collect(),
        });
        Ok(Computed { command, file: Some(file), unbilled: Vec::new() })
    }
}

fn sum_legs(settled: &[SettledPayment]) -> Result<Vec<Leg>, BooksError> {
    let mut sums: BTreeMap<_, Money> = BTreeMap::new();
    for leg in settled.iter().flat_map(|settled| &settled.legs) {
        let sum = sums.entry((leg.party, leg.kind)).or_default();
        *sum = sum.checked_add(leg.amount).ok_or(BooksError::Overflow("legs"))?;
    }
    Ok(sums.into_iter().map(|((party, kind), amount)| Leg { party, kind, amount }).collect())
}
