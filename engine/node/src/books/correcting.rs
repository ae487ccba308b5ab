//! Books: corrections of a billed month. Only what changed is computed again.
//!
//! ```text
//!   readings   days that differ from the revision that was looked at last ─┐
//!   contracts  accounts whose list is another than then ───────────────────┼─▶ accounts ─▶ rated now ─ differs? ─▶ correction
//!   tariffs    versions published since, that hold in the month ───────────┤
//!   agreements, series, hour lists likewise ───────────────────────────────┤
//!   bills that stand on a corrected bill of the month before ──────────────┤
//!   accounts without a bill, and those that were looked at in vain ────────┘
//! ```
//!
//! Whoever is not among these accounts has the same inputs as when the month's bills were computed or corrected last, so the
//! same bill: the whole month computed anew gives the same corrections (`node/tests/corrected_bills.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use tallywatt_core::account::Restated;
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::{Day, Period};
use tallywatt_core::contract::Contract;
use tallywatt_core::correction::{Correction, Owed, Stands};
use tallywatt_core::day_block::BlockKey;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::{AccountId, UsagePointId};
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_core::rate::{BillError, BlockIndex, RateRun};
use tallywatt_core::register::Register;
use tallywatt_core::validity::Validity;
use tallywatt_ledger::command::{Command, CorrectionsCommit};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::tree::{Root, TreeKind};
use tallywatt_ledger::{bill_bytes, correction_bytes, digest, document};

use crate::books::closed_period::changed_between;
use crate::books::records::{read_corrections, tree_over};
use crate::books::{Books, BooksError, Computed};
use crate::list_file;
use crate::list_file::ListKind;

/// What a month's bills were computed from when it was looked at last.
#[derive(Debug, Clone)]
pub(super) struct LookedAt {
    /// The revision of its readings.
    revision: usize,
    contracts: Arc<Vec<Contract>>,
    /// Every version of a tariff, an agreement, a price series and a list of hours that was known.
    documents: BTreeSet<ContentHash>,
    /// Accounts that were looked at without a correction: they could not be computed, or came to the same.
    in_vain: BTreeSet<AccountId>,
}

/// The readings that corrections are computed from.
struct Readings<'a> {
    root: Root,
    leaves: &'a [DayLeaf],
    /// The registers that differ from those looked at last.
    changed: BTreeSet<(UsagePointId, Register)>,
}

impl Books {
    /// The corrections of an account's bill of a month, the first first; a first bill that came late is one, too.
    #[must_use]
    pub fn corrections(&self, period: Period, account: &AccountId) -> &[Published<Correction>] {
        self.corrections.get(&period).and_then(|by| by.get(account)).map_or(&[], Vec::as_slice)
    }

    /// What stands of an account's month: its bill, or the last correction of it.
    #[must_use]
    pub fn stands(&self, period: Period, account: &AccountId) -> Option<Stands<'_>> {
        if let Some(Published { hash, body }) = self.corrections(period, account).last() {
            return Some(Stands::corrected(*hash, body));
        }
        let bills = self.bills(period)?;
        let at = bills.binary_search_by_key(account, |bill| bill.account).ok()?;
        Some(Stands::issued(bill_hash(&bills[at]), &bills[at]))
    }

    /// What stands of a billed month, by account.
    #[must_use]
    pub fn standing(&self, period: Period) -> Option<Vec<Stands<'_>>> {
        let bills = self.bills(period)?.iter().map(|bill| bill.account);
        let corrected = self.corrections.get(&period).into_iter().flat_map(BTreeMap::keys).copied();
        let accounts: BTreeSet<AccountId> = bills.chain(corrected).collect();
        Some(accounts.iter().filter_map(|account| self.stands(period, account)).collect())
    }

    /// How much more, or less, there was to pay of a debt from which day on; of an increase, its amount first.
    #[must_use]
    pub fn changes_of(&self, debt: &ContentHash) -> &[(Day, Money)] {
        self.changes_by_debt.get(debt).map_or(&[], Vec::as_slice)
    }

    /// Whether closing a month again would give other readings than it has.
    #[must_use]
    pub fn has_changed_since_closed(&self, period: Period) -> bool {
        self.close(period).is_ok()
    }

    /// The corrections of a month as they would be, closed again first if that changes it: a plan.
    ///
    /// # Errors
    /// [`BooksError`].
    pub fn plan_corrections(&self, period: Period, day: Day) -> Result<Computed, BooksError> {
        self.secret()?;
        let Ok(closed) = self.close(period) else { return self.correct(period, day) };
        let file = self.decode_sealed(closed.file.as_deref().unwrap_or_default())?;
        let mut changed = changed_between(self.period_leaves(period).unwrap_or_default(), &file.leaves);
        changed.extend(self.changed_readings(period));
        self.correct_from(period, day, Readings { root: file.sealed.root, leaves: &file.leaves, changed })
    }

    pub(super) fn correct(&self, period: Period, day: Day) -> Result<Computed, BooksError> {
        let closed = self.periods.get(&period);
        let closed = closed.ok_or_else(|| BooksError::Nothing(format!("period {period} is not closed")))?;
        let changed = self.changed_readings(period);
        self.correct_from(period, day, Readings { root: closed.root(), leaves: closed.leaves(), changed })
    }

    fn correct_from(&self, period: Period, day: Day, readings: Readings<'_>) -> Result<Computed, BooksError> {
        let looked_at = self.looked_at.get(&period);
        let looked_at =
            looked_at.ok_or_else(|| BooksError::Nothing(format!("period {period} is not billed")))?;
        let accounts = self.affected(period, looked_at, &readings.changed);
        let computed = self.compute_again(period, &accounts, &readings);
        let (mut corrections, mut unbilled) = (Vec::new(), Vec::new());
        for (account, bill) in computed {
            let bill = match bill {
                Ok(bill) => bill,
                Err(reason) => {
                    unbilled.push((account, reason));
                    continue;
                }
            };
            let stands = self.stands(period, &account);
            if stands.is_some_and(|stands| !Correction::is_due(stands.bill, &bill)) {
                continue;
            }
            let cap = self.back_billing_of(&bill);
            let correction = Correction::new(stands.as_ref(), day, bill, cap);
            corrections.push(correction.map_err(|error| BooksError::Conflict(error.to_string()))?);
        }
        if corrections.is_empty() {
            let why = unbilled.first().map(|(_, reason)| format!(": {reason}")).unwrap_or_default();
            return Err(BooksError::Nothing(format!("no bill of {period} is another now{why}")));
        }
        let (commit, file) = self.commit_of(period, day, readings.root, &corrections)?;
        Ok(Computed { command: Command::Corrections(commit), file: Some(file), unbilled })
    }

    fn commit_of(
        &self,
        period: Period,
        day: Day,
        readings: Root,
        corrections: &[Correction],
    ) -> Result<(CorrectionsCommit, Vec<u8>), BooksError> {
        let records: Vec<Vec<u8>> = corrections.iter().map(correction_bytes::encode_correction).collect();
        let file = list_file::encode(ListKind::Corrections, &records);
        let sum = |of: &dyn Fn(&Correction) -> i128| {
            let sum: i128 = corrections.iter().map(of).sum();
            i64::try_from(sum).map_err(|_| BooksError::Overflow("corrections"))
        };
        let part: i128 = corrections.iter().map(|one| one.delta.payee_part.as_e11()).sum();
        let commit = CorrectionsCommit {
            sequence: self.correction_count + 1,
            period,
            day,
            readings,
            contracts: document::contracts_root(&self.contracts),
            corrections: tree_over(TreeKind::Corrections, &records).root(),
            file: digest::content_hash(&file),
            energy_wh: sum(&|one| one.delta.energy_wh())?,
            total: Money::from_minor(sum(&|one| i128::from(one.delta.total.as_minor()))?),
            payee_part: ExactAmount::from_e11(part),
            charged: Money::from_minor(sum(&|one| i128::from(one.charged.total.as_minor()))?),
        };
        Ok((commit, file))
    }

    /// Rates accounts; those without a contract in the month cannot be.
    fn compute_again(
        &self,
        period: Period,
        accounts: &BTreeSet<AccountId>,
        readings: &Readings<'_>,
    ) -> Vec<(AccountId, Result<Bill, String>)> {
        let groups: BTreeMap<AccountId, &[Contract]> = self
            .contracts
            .chunk_by(|a, b| a.account == b.account)
            .filter(|group| group.iter().any(|contract| touches(contract.validity, period)))
            .map(|group| (group[0].account, group))
            .collect();
        let accounts: Vec<(AccountId, Option<&[Contract]>)> =
            accounts.iter().map(|account| (*account, groups.get(account).copied())).collect();
        let blocks = BlockIndex::new(readings.leaves.iter().map(DayLeaf::block));
        self.threads.pool().install(|| {
            accounts
                .into_par_iter()
                .map_init(
                    || (RateRun::new(period), blocks.cursor()),
                    |(run, cursor), (account, group)| {
                        let Some(group) = group else {
                            return (account, Err(BillError::NoContract(account, period).to_string()));
                        };
                        let find = |key: &BlockKey| cursor.find(key);
                        (account, self.bill_account(run, group, readings.root.hash, &find))
                    },
                )
                .collect()
        })
    }

    fn changed_readings(&self, period: Period) -> BTreeSet<(UsagePointId, Register)> {
        let revision = self.looked_at.get(&period).map_or(0, |looked_at| looked_at.revision);
        self.periods.get(&period).map(|closed| closed.changed_since(revision)).unwrap_or_default()
    }

    /// The accounts whose bill may be another than the one that stands.
    fn affected(
        &self,
        period: Period,
        looked_at: &LookedAt,
        changed: &BTreeSet<(UsagePointId, Register)>,
    ) -> BTreeSet<AccountId> {
        let is_new = |hash: &ContentHash| !looked_at.documents.contains(hash);
        let tariffs: BTreeSet<_> = self
            .tariffs
            .versions()
            .iter()
            .filter(|known| is_new(&known.hash) && touches(known.body.parts().validity, period))
            .map(|known| known.body.parts().id)
            .collect();
        let agreements: BTreeSet<_> = self
            .agreements
            .iter()
            .filter(|known| is_new(&known.hash) && known.body.validity.contains(period.first_day()))
            .map(|known| known.body.id)
            .collect();
        // A series or list of hours may be of any tariff that names one: whoever is billed by such a one is looked at.
        let market = self.market.series().iter().map(|known| (known.hash, known.body.parts().validity));
        let market =
            market.chain(self.market.hours().iter().map(|known| (known.hash, known.body.parts().validity)));
        let has_market =
            market.into_iter().any(|(hash, validity)| is_new(&hash) && touches(validity, period));
        // A plan is of one usage point.
        let plans = self.market.plans().iter().filter(|known| is_new(&known.hash));
        let plans = plans.map(|known| known.body.parts()).filter(|parts| touches(parts.validity, period));
        let planned: BTreeSet<UsagePointId> = plans.map(|parts| parts.usage_point).collect();
        let is_touched = |contract: &&Contract| {
            has_market
                || planned.contains(&contract.usage_point)
                || changed.contains(&(contract.usage_point, contract.register))
                || tariffs.contains(&contract.tariff)
                || agreements.contains(&contract.agreement)
        };
        let mut accounts: BTreeSet<AccountId> =
            self.contracts.iter().filter(is_touched).map(|contract| contract.account).collect();
        accounts.extend(changed_contracts(&looked_at.contracts, &self.contracts));
        accounts.extend(&looked_at.in_vain);
        accounts.extend(self.stand_on_corrected(period));
        // A bill can be another only where one stands, or could.
        let held = self.contracts.iter().filter(|contract| touches(contract.validity, period));
        let held: BTreeSet<AccountId> = held.map(|contract| contract.account).collect();
        let without = held.iter().filter(|account| self.stands_hash_free(period, account).is_none());
        let without: Vec<AccountId> = without.copied().collect();
        accounts.retain(|account| held.contains(account) || self.stands_hash_free(period, account).is_some());
        accounts.extend(without);
        accounts
    }

    /// Whether any bill of a month is corrected.
    pub(super) fn is_corrected(&self, period: Period) -> bool {
        self.corrections.contains_key(&period)
    }

    /// What stands, without the hash of its record.
    pub(super) fn stands_hash_free(&self, period: Period, account: &AccountId) -> Option<&Bill> {
        if let Some(last) = self.corrections(period, account).last() {
            return Some(&last.body.bill);
        }
        let bills = self.bills(period)?;
        bills.binary_search_by_key(account, |bill| bill.account).ok().map(|at| &bills[at])
    }

    fn back_billing_of(&self, bill: &Bill) -> Option<u8> {
        let agreement = self.agreements.iter().find(|known| known.hash == bill.agreement);
        agreement.and_then(|known| known.body.terms.back_billing_months)
    }

    /// Remembers what a month's bills were computed from now.
    pub(super) fn look_at(&mut self, period: Period, in_vain: BTreeSet<AccountId>) {
        let last = self.periods.get(&period).map_or(0, |closed| closed.revision_count() - 1);
        let tariffs = self.tariffs.versions().iter().map(|known| known.hash);
        let agreements = self.agreements.iter().map(|known| known.hash);
        let series = self.market.series().iter().map(|known| known.hash);
        let hours = self.market.hours().iter().map(|known| known.hash);
        let plans = self.market.plans().iter().map(|known| known.hash);
        let looked_at = LookedAt {
            revision: last,
            contracts: Arc::clone(&self.contracts),
            documents: tariffs.chain(agreements).chain(series).chain(hours).chain(plans).collect(),
            in_vain,
        };
        self.looked_at.insert(period, looked_at);
    }

    pub(super) fn absorb_corrections(
        &mut self,
        commit: &CorrectionsCommit,
        file: &[u8],
    ) -> Result<(), BooksError> {
        let (period, corrections) = (commit.period, read_corrections(file)?);
        let mut in_vain = match self.looked_at.get(&period) {
            Some(looked_at) => self.affected(period, looked_at, &self.changed_readings(period)),
            None => BTreeSet::new(),
        };
        for body in corrections {
            let hash = digest::content_hash(&correction_bytes::encode_correction(&body));
            let account = body.bill.account;
            self.contracts_by_correction.insert(hash, Arc::clone(&self.contracts));
            in_vain.remove(&account);
            if body.barred_by.is_none() {
                let Owed { total, payee_part } = body.owed;
                let (correction, since, agreement) = (hash, body.day, body.bill.agreement);
                let restated = Restated { correction, period, since, agreement, total, payee_part };
                for (debt, change) in self.payments.restate(account, &restated) {
                    self.changes_by_debt.entry(debt).or_default().push((body.day, change));
                }
            }
            let by_account = self.corrections.entry(period).or_default();
            by_account.entry(account).or_default().push(Published { hash, body });
        }
        self.correction_count = commit.sequence;
        self.remember_billed(period);
        self.look_at(period, in_vain);
        Ok(())
    }
}

/// Whether something holds on any day of the month.
fn touches(validity: Validity, period: Period) -> bool {
    validity.from() < period.end_day() && validity.to().is_none_or(|to| to > period.first_day())
}

/// Accounts whose contracts differ in two lists, each in canonical order.
fn changed_contracts(before: &Arc<Vec<Contract>>, after: &Arc<Vec<Contract>>) -> BTreeSet<AccountId> {
    if Arc::ptr_eq(before, after) {
        return BTreeSet::new();
    }
    fn by_account(contracts: &[Contract]) -> BTreeMap<AccountId, &[Contract]> {
        contracts.chunk_by(|a, b| a.account == b.account).map(|group| (group[0].account, group)).collect()
    }
    let (before, after) = (by_account(before), by_account(after));
    let accounts: BTreeSet<AccountId> = before.keys().chain(after.keys()).copied().collect();
    accounts.into_iter().filter(|account| before.get(account) != after.get(account)).collect()
}

/// The content hash of a bill's record.
#[must_use]
pub fn bill_hash(bill: &Bill) -> ContentHash {
    digest::content_hash(&bill_bytes::encode_bill(bill))
}
