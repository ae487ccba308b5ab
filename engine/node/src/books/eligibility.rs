//! Books: which accounts took a tariff that is not for them, by what a month came to. Told to the supplier; no command says it.

use tallywatt_core::calendar::Period;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::label::AccountId;
use tallywatt_core::rate::{BlockIndex, Ineligible, RateRun};
use tallywatt_core::tariff::Tariff;
use tallywatt_ledger::day_leaf::DayLeaf;

use crate::books::Books;

impl Books {
    /// The bounds that the accounts' month passed, in order of the contract list: of a closed period as it was closed
    /// last, of another as it would be now. `None` where no tariff of the month has bounds: then nothing was looked at.
    #[must_use]
    pub fn ineligible(&self, period: Period) -> Option<Vec<(AccountId, Ineligible)>> {
        let is_bounded = |tariff: &Tariff| {
            let validity = tariff.parts().validity;
            let holds =
                validity.from() < period.end_day() && validity.to().is_none_or(|to| to > period.first_day());
            holds && tariff.parts().eligibility.is_some()
        };
        let versions = self.tariffs.versions().iter().filter(|version| is_bounded(&version.body));
        let bounded: Vec<_> = versions.map(|version| version.body.parts().id).collect();
        if bounded.is_empty() {
            return None;
        }
        let contracts = self.contracts.iter().filter(|contract| bounded.contains(&contract.tariff));
        let contracts: Vec<&Contract> = contracts.collect();
        if contracts.is_empty() {
            return Some(Vec::new());
        }
        Some(match self.period_leaves(period) {
            Some(leaves) => self.ineligible_by(period, &contracts, leaves.iter().map(DayLeaf::block)),
            None => self.ineligible_by(period, &contracts, &self.blocks_of_close(period)),
        })
    }

    fn ineligible_by<'b>(
        &self,
        period: Period,
        contracts: &[&Contract],
        blocks: impl IntoIterator<Item = &'b DayBlock>,
    ) -> Vec<(AccountId, Ineligible)> {
        let blocks = BlockIndex::new(blocks);
        let cursor = blocks.cursor();
        let find = |key: &BlockKey| cursor.find(key);
        let mut run = RateRun::new(period);
        let of_one = |contract: &&Contract| {
            let found = run.ineligible(std::slice::from_ref(*contract), &self.tariffs, &find);
            found.into_iter().map(|one| (contract.account, one)).collect::<Vec<_>>()
        };
        contracts.iter().flat_map(of_one).collect()
    }
}
