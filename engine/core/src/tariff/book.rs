//! All published tariff versions, and which one holds on a day.

use crate::calendar::Day;
use crate::hash::Published;
use crate::label::Label;
use crate::validity::Validity;

use super::Tariff;

/// All published tariff versions.
#[derive(Debug, Clone, Default)]
pub struct TariffBook {
    versions: Vec<Published<Tariff>>,
}

/// Why a version cannot join the book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tariff {id}: the version {new} overlaps the version {old} already published")]
pub struct OverlapError {
    id: Label,
    old: Validity,
    new: Validity,
}

impl TariffBook {
    /// Adds a version. The same version again changes nothing.
    ///
    /// # Errors
    /// [`OverlapError`] if another version of that tariff holds on one of its days.
    pub fn publish(&mut self, version: Published<Tariff>) -> Result<(), OverlapError> {
        if self.versions.iter().any(|known| known.hash == version.hash) {
            return Ok(());
        }
        let new = version.body.parts();
        for known in &self.versions {
            let old = known.body.parts();
            if old.id == new.id && old.validity.overlaps(new.validity) {
                return Err(OverlapError { id: new.id, old: old.validity, new: new.validity });
            }
        }
        self.versions.push(version);
        self.versions.sort_by_key(|known| (known.body.parts().id, known.body.parts().validity));
        Ok(())
    }

    /// The version of `id` that holds on `day`.
    #[must_use]
    pub fn version(&self, id: &Label, day: Day) -> Option<&Published<Tariff>> {
        self.versions
            .iter()
            .find(|known| known.body.parts().id == *id && known.body.parts().validity.contains(day))
    }

    /// Every version, by name and first day.
    #[must_use]
    pub fn versions(&self) -> &[Published<Tariff>] {
        &self.versions
    }
}
