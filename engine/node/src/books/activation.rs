//! Books: which agreements both parties have signed.

use tallywatt_core::agreement::Agreement;
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_ledger::activation::Activation;
use tallywatt_ledger::command::Genesis;

use crate::books::{Books, BooksError};

impl Books {
    /// The first block's contents, once there is one.
    #[must_use]
    pub fn genesis(&self) -> Option<&Genesis> {
        self.genesis.as_deref()
    }

    /// The height that the next block has.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// From which height on an agreement holds that both its parties signed.
    #[must_use]
    pub fn active_from(&self, agreement: &ContentHash) -> Option<u64> {
        self.active.get(agreement).copied()
    }

    /// Whether the next block may bill and split by an agreement.
    #[must_use]
    pub fn is_active(&self, agreement: &ContentHash) -> bool {
        self.active_from(agreement).is_some_and(|from| from <= self.height)
    }

    /// The published agreement with this hash.
    #[must_use]
    pub fn agreement(&self, hash: &ContentHash) -> Option<&Published<Agreement>> {
        self.agreements.iter().find(|known| known.hash == *hash)
    }

    /// Whether an activation may stand in the next block.
    pub(super) fn check_activation(&self, activation: &Activation) -> Result<(), BooksError> {
        let hash = activation.agreement;
        let agreement = self.agreement(&hash);
        let agreement =
            agreement.ok_or_else(|| BooksError::Nothing(format!("agreement {hash} is not published")))?;
        if self.active_from(&hash).is_some() {
            let id = agreement.body.id;
            return Err(BooksError::Conflict(format!("agreement {id} {} is active already", hash.short())));
        }
        let keys = self.keys()?;
        Ok(activation.check(agreement, keys.origin(), keys.at(self.height))?)
    }
}
