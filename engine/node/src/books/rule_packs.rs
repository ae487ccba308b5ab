//! Books: which rule pack holds on a day.

use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::hash::Published;
use tallywatt_core::vee::judge::Limits;
use tallywatt_core::vee::pack::{RegisterClass, RulePack};
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
        self.published_rule_pack_on(day).unwrap_or(&self.builtin_pack)
    }

    /// What a reading may be at `now`: as the widest class of the pack that was published for that day allows, for intake
    /// does not know the class of a point; what is too much for a class, `exceptions` finds. Without a pack, generous.
    #[must_use]
    pub fn limits(&self, now: UtcSeconds) -> Limits {
        let today = i32::try_from(now.0.div_euclid(86_400)).ok().and_then(Day::from_number);
        let Some(pack) = today.and_then(|day| self.published_rule_pack_on(day)) else {
            return Limits::generous(now);
        };
        let of_class = |class| Limits::of(&pack.body.rules_of(class).parameters, now);
        let widest = |a: Limits, b: Limits| Limits {
            power_max_w: a.power_max_w.max(b.power_max_w),
            now,
            skew_s: a.skew_s.max(b.skew_s),
            oldest: a.oldest.min(b.oldest),
        };
        RegisterClass::ALL.into_iter().map(of_class).reduce(widest).unwrap_or_else(|| Limits::generous(now))
    }

    /// The same, without the program's own.
    pub(super) fn published_rule_pack_on(&self, day: Day) -> Option<&Published<RulePack>> {
        self.rule_packs.iter().rev().find(|pack| pack.body.parts().validity.contains(day))
    }
}
