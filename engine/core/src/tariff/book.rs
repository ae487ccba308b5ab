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
        let new = version.body.parts();
        // Versions of one tariff stand together.
        let from = self.versions.partition_point(|known| known.body.parts().id < new.id);
        let count = self.versions[from..].partition_point(|known| known.body.parts().id == new.id);
        let same = &self.versions[from..from + count];
        if same.iter().any(|known| known.hash == version.hash) {
            return Ok(());
        }
        for known in same {
            let old = known.body.parts();
            if old.validity.overlaps(new.validity) {
                return Err(OverlapError { id: new.id, old: old.validity, new: new.validity });
            }
        }
        let place = from + same.partition_point(|known| known.body.parts().validity < new.validity);
        self.versions.insert(place, version);
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
