//! Layout 80020: the short way and the reference find the same, in sound messages of many hands and in bent ones.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;
#[path = "common/messages.rs"]
mod messages;
#[path = "common/ways.rs"]
mod ways;

use common::bend::bend;
use messages::message;
use tallywatt_ingest::profile::Profile;
use ways::{Dice, check_whole};

const FILE_NAME: &str = "80020_5257072937_20260301_7.xml";

fn profiles() -> Vec<Profile> {
    let keys = ["", "groups = true\n", "round_to_wh = true\n", "multiplier = \"40\"\n", "unit = \"MWh\"\n"];
    let parse = |keys: &str| {
        Profile::parse("80020", &format!("format = \"80020\"\nzone = \"Europe/Moscow\"\n{keys}"))
    };
    keys.map(|keys| parse(keys).unwrap()).into()
}

#[test]
fn random_messages() {
    let mut dice = Dice(80_020);
    let profiles = profiles();
    let (mut in_runs, mut count) = (0, 0);
    for round in 0..600 {
        let is_ordinary = round % 3 == 0;
        let bytes = message(&mut dice, is_ordinary);
        let profile = &profiles[dice.below(profiles.len())];
        let context = format!("message {round} of seed 80020, profile {:?}", profile.content());
        in_runs += check_whole(profile, FILE_NAME, &bytes, &context);
        count += 1;
    }
    // What the short way takes comes in runs, and so does most of what it does not.
    assert!(count == 600 && in_runs > 100_000, "{in_runs} values in runs");
}

#[test]
fn bent_messages() {
    let mut dice = Dice(80_040);
    let profiles = profiles();
    for seed in 0..3_000 {
        let (sound, other) = (message(&mut dice, seed % 2 == 0), message(&mut dice, false));
        // A short message is hit more often where it matters.
        let bytes = bend(&sound, &other, seed);
        let profile = &profiles[dice.below(profiles.len())];
        check_whole(profile, "meter.xml", &bytes, &format!("seed {seed}"));
    }
}

/// One byte at a time, in a message that the short way takes whole: at every place, each kind of change.
#[test]
fn every_byte_of_a_short_message() {
    let period = |start: &str, end: &str, value: &str| {
        format!("\n<period start=\"{start}\" end=\"{end}\"><value status=\"0\">{value}</value></period>")
    };
    let channel =
        [("0000", "0100", "5"), ("0100", "0200", "60.5"), ("0200", "0300", "7"), ("0300", "0400", "88")]
            .map(|(start, end, value)| period(start, end, value))
            .concat();
    let text = format!(
        "<message class=\"80020\"><datetime><day>20260301</day></datetime><area><measuringpoint code=\"P\">\
         <measuringchannel code=\"01\">{channel}</measuringchannel>\
         <measuringchannel code=\"03\">{channel}</measuringchannel></measuringpoint></area></message>"
    );
    let profile = Profile::builtin("80020").unwrap();
    let sound = text.into_bytes();
    check_whole(&profile, "x", &sound, "sound");
    for at in 0..sound.len() {
        for byte in b"<>\"&/ 0x.\n\xff" {
            let mut bytes = sound.clone();
            bytes[at] = *byte;
            check_whole(&profile, "x", &bytes, &format!("byte {at} set to {byte}"));
            bytes[at] = sound[at];
            bytes.insert(at, *byte);
            check_whole(&profile, "x", &bytes, &format!("{byte} put in at {at}"));
        }
        let mut bytes = sound.clone();
        bytes.remove(at);
        check_whole(&profile, "x", &bytes, &format!("byte {at} gone"));
        check_whole(&profile, "x", &sound[..at], &format!("cut to {at}"));
    }
}
