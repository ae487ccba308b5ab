//! The targets of the fuzzer: what each of them decodes, and what it is held to.

use std::cell::RefCell;
use std::io::Cursor;

use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::{DecodeSummary, decode, decode_by_row};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::Collected;

use super::common::mended::mended;
use super::ways;

/// Each target, its built-in profiles, and a zone of summer time that they are decoded in as well; empty for none.
pub const TARGETS: [(&str, &[&str], &str); 17] = [
    ("csv-long", &["lcl", "opendsm"], "Europe/Amsterdam"),
    ("csv-wide", &["zonnedael"], "Europe/Amsterdam"),
    ("csv-day", &["tallywatt"], "Europe/Amsterdam"),
    ("json-lines", &["json-lines"], ""),
    ("nem12", &["nem12"], ""),
    ("nem13", &["nem13"], ""),
    ("80020", &["80020"], "Europe/Amsterdam"),
    ("greenbutton", &["greenbutton"], ""),
    ("mscons", &["mscons"], ""),
    ("p1", &["p1"], ""),
    ("sml", &["sml"], ""),
    ("dlms", &["dlms"], ""),
    ("reads", &["reads"], "Europe/Amsterdam"),
    ("meters", &["meters"], "Europe/Amsterdam"),
    ("frames", &["frames"], ""),
    ("packs", &["packs"], ""),
    ("parquet", &["parquet"], ""),
];

/// The target of what files come in: its members are decoded as NEM12.
pub const CONTAINERS: &str = "containers";

/// The profiles that a target decodes with.
pub fn profiles(target: &str) -> Vec<Profile> {
    let (_, names, zone) = TARGETS.iter().find(|(name, ..)| *name == target).unwrap();
    let mut profiles: Vec<Profile> = names.iter().map(|name| Profile::builtin(name).unwrap()).collect();
    if !zone.is_empty() {
        let moved: Vec<Profile> = profiles.iter().map(|profile| profile.with_zone(zone).unwrap()).collect();
        profiles.extend(moved);
    }
    profiles
}

/// Every way to decode `bytes` by the profiles of a target finds the same, and what it says adds up: as they are, and
/// where they have check sums also with those made right.
pub fn check(target: &str, profiles: &[Profile], bytes: &[u8]) {
    // Blocks of a row or so, or of a few.
    let block_size = 1 + bytes.len() % 200;
    let mended = mended(target, bytes);
    for profile in profiles {
        for bytes in [Some(bytes), mended.as_deref()].into_iter().flatten() {
            ways::check(profile, bytes, block_size, profile.name());
        }
    }
}

/// Whatever file is opened gives the same by both ways, and every refusal says what to do.
pub fn check_container(nem12: &Profile, bytes: &[u8]) {
    let of = |by_row: bool| {
        let members = RefCell::new(Vec::<(String, Result<DecodeSummary, String>, Collected)>::new());
        let opened = each_member("x", Cursor::new(bytes), &mut |name, bytes| {
            let mut found = Collected::default();
            let decoded = match by_row {
                true => decode_by_row(nem12, name, bytes, &mut found),
                false => decode(nem12, name, bytes, &mut found),
            };
            // One refused member does not keep the next from being read.
            members.borrow_mut().push((
                name.to_owned(),
                decoded.map_err(|refusal| ways::words(&refusal)),
                found,
            ));
            Ok::<(), FileRefusal>(())
        });
        (opened.map_err(|refusal| ways::words(&refusal)), members.into_inner())
    };
    assert_eq!(of(false), of(true));
}
