//! Books: which rule pack holds on a day.

use tallywatt_core::calendar::Day;
use tallywatt_core::hash::Published;
use tallywatt_core::vee::pack::RulePack;
use tallywatt_ingest::documents::{builtin_rule_pack, parse_rule_pack};
use tallywatt_ledger::rule_pack_bytes::publish_rule_pack;

use crate::books::Books;

/// The pack of the program that holds where none is published.
pub const BUILTIN_PACK: &str = "generic";

/// [`BUILTIN_PACK`], with its hash.
pub(super) fn builtin() -> Published<RulePack> {
    let text = builtin_rule_pack(BUILTIN_PACK).expect("the pack comes with the program");
    publish_rule_pack(parse_rule_pack(BUILTIN_PACK, text).expect("the program's packs are read by its tests"))
}

impl Books {
    /// Published rule packs, in the order of the chain.
    #[must_use]
    pub fn rule_packs(&self) -> &[Published<RulePack>] {
        &self.rule_packs
    }

    /// The rule pack that holds on `day`: of the published ones valid then, the one that stands last in the chain,
    /// whatever its name; without any, the program's own [`BUILTIN_PACK`], whatever its dates.
    ///
    /// The order of the chain is the same for all parties, and two versions of one name never hold on one day.
    #[must_use]
    pub fn rule_pack_on(&self, day: Day) -> &Published<RulePack> {
        let mut latest_first = self.rule_packs.iter().rev();
        latest_first.find(|pack| pack.body.parts().validity.contains(day)).unwrap_or(&self.builtin_pack)
    }
}
