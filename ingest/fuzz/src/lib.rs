//! What every fuzz target calls, and the files that fuzzing begins with.
//!
//! The checks are those of the tests of the decoders: they are taken from their folder, not written again.
#![allow(clippy::unwrap_used, reason = "a fuzz target stops where it is surprised")]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/common/targets.rs"]
mod targets;
#[path = "../../tests/common/ways.rs"]
mod ways;

use std::sync::OnceLock;

use tallywatt_ingest::profile::Profile;

/// Decodes `bytes` in every way that `target` has.
///
/// # Panics
/// If a decoder does, if two ways find different things, or if the counts do not add up.
pub fn check(target: &str, bytes: &[u8]) {
    // A process is one target.
    static PROFILES: OnceLock<Vec<Profile>> = OnceLock::new();
    if target == targets::CONTAINERS {
        let profiles = PROFILES.get_or_init(|| targets::profiles("nem12"));
        return targets::check_container(&profiles[0], bytes);
    }
    let profiles = PROFILES.get_or_init(|| targets::profiles(target));
    targets::check(target, profiles, bytes);
}

/// The sound files: target, profile, bytes. Those of the containers are committed only.
pub fn seeds() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
    targets::TARGETS.into_iter().flat_map(|(target, names, _)| {
        names.iter().map(move |&name| (target, name, common::sound::sound(name)))
    })
}
