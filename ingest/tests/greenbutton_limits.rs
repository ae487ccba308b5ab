//! Green Button: what no dial shows and no calendar holds, and links that would be followed for ever.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::bend::Watch;
use common::{run, tell};
use tallywatt_ingest::profile::Profile;

const FORWARD: &str = "<flowDirection>1</flowDirection><uom>72</uom>";

fn entry(links: &[(&str, &str)], content: &str) -> String {
    let link = |(rel, href): &(&str, &str)| format!("<link rel=\"{rel}\" href=\"{href}\"/>");
    format!("<entry>{}<content>{content}</content></entry>\n", links.iter().map(link).collect::<String>())
}

fn reading(start: i64, seconds: u32, value: &str) -> String {
    format!(
        "<IntervalReading><timePeriod><duration>{seconds}</duration><start>{start}</start></timePeriod>\
         <value>{value}</value></IntervalReading>"
    )
}

/// A point, a series, a type, and a block whose links are these, in line 4.
fn feed(of_type: &str, block_links: &[(&str, &str)], blocks: &str) -> String {
    let point = "C/5/UsagePoint/1";
    let series = format!("{point}/MeterReading/1");
    let parts = [
        entry(&[("self", point)], "<UsagePoint/>"),
        entry(&[("self", "T/1")], &format!("<ReadingType>{of_type}</ReadingType>")),
        entry(&[("self", &series), ("related", "T/1")], "<MeterReading/>"),
        entry(block_links, blocks),
    ];
    format!("<feed>{}</feed>", parts.concat())
}

fn block(readings: &str) -> String {
    format!("<IntervalBlock>{readings}</IntervalBlock>")
}

const UP: &str = "C/5/UsagePoint/1/MeterReading/1/IntervalBlock";

fn builtin() -> Profile {
    Profile::builtin("greenbutton").unwrap()
}

#[test]
fn dials() {
    let check = |power: &str, reading: &str, want: &str| {
        let of_type = format!(
            "{FORWARD}<accumulationBehaviour>1</accumulationBehaviour><powerOfTenMultiplier>{power}</powerOfTenMultiplier>"
        );
        let text = feed(&of_type, &[("up", UP)], &block(reading));
        let told = match run(&builtin(), "x", text.as_bytes()) {
            Ok((found, _)) => {
                let reads =
                    found.register_reads.iter().map(|(read, _)| format!("{} {}", read.at.0, read.dial));
                let rejections = found.rejections.iter().map(|one| format!("{}: {}", one.code, one.raw));
                reads.chain(rejections).collect::<Vec<_>>().join("; ")
            }
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(told, want, "{power} {reading}");
    };
    check("0", &reading(900, 0, "12345"), "900 12.345000");
    check("0", &reading(900, 0, "-5"), "R13: value -5 of 0 s from 900");
    check("0", &reading(900, 0, "-0.001"), "R13: value -0.001 of 0 s from 900");
    // The greatest dial has twelve nines of kilowatt-hours: 10^15 Wh are past it.
    check("0", &reading(900, 0, "999999999999999"), "900 999999999999.999000");
    check("0", &reading(900, 0, "1000000000000000"), "R14: value 1000000000000000 of 0 s from 900");
    check("-6", &reading(900, 0, "5001"), "R12: value 5001 of 0 s from 900");
    // 2199-12-30 begins at 7,257,945,600.
    check("0", &reading(7_257_945_599, 0, "5"), "7257945599 0.005000");
    check("0", &reading(7_257_945_599, 1, "5"), "R07: value 5 of 1 s from 7257945599");
    check("0", &reading(7_257_945_599, u32::MAX, "5"), "R07: value 5 of 4294967295 s from 7257945599");
    let untimed = "<IntervalReading><value>5</value></IntervalReading>";
    check("0", &(reading(7_257_945_599, 0, "5") + untimed), "7257945599 0.005000; R09: no duration");
    let energy = format!("{FORWARD}<intervalLength>900</intervalLength>");
    let text = feed(&energy, &[("up", UP)], &block(&(reading(7_257_944_700, 900, "5") + untimed)));
    assert_eq!(tell(&builtin(), text.as_bytes()), "5/1 2199-12-29T23:45:00Z=5; R07×1@4");
}

#[test]
fn links_that_are_too_long() {
    let readings = block(&reading(0, 900, "7"));
    let check = |up: &str, want: &str| {
        let text = feed(FORWARD, &[("up", up)], &readings.repeat(2));
        assert_eq!(tell(&builtin(), text.as_bytes()), want, "{}", up.len());
    };
    let long = |size: usize| format!("{}/{UP}", "x".repeat(size - UP.len() - 1));
    check(UP, "5/1 1970-01-01T00:00:00Z=7; 5/1 1970-01-01T00:00:00Z=7");
    // Its own way leads elsewhere, but it is followed.
    check(&long(2_048), "R06×1@4; R06×1@4");
    // A link that is not followed is no reason to take what stands before.
    check(&long(2_049), "R03×0@4; R04×1@4; R04×1@4");
    let of_profile =
        "format = 'greenbutton'\nzone = 'UTC'\nusage_point = 'X'\nunit = 'kWh'\nobis = '1-0:1.8.0'";
    let text = feed(FORWARD, &[("self", &long(2_049))], &readings);
    let told = tell(&Profile::parse("own", of_profile).unwrap(), text.as_bytes());
    assert_eq!(told, "X 1970-01-01T00:00:00Z=7000; R03×0@4");
}

/// Each takes as long as it is, however its links are made.
#[test]
fn links_are_followed_once_an_entry() {
    let list = "/IntervalBlock";
    let readings = block(&reading(0, 900, "7"));
    for (size, entry_count, block_count) in [(64_000, 1, 20_000), (2_040, 1, 100_000), (2_040, 8_000, 1)] {
        let up = list.repeat(size / list.len());
        let of_entry = entry(&[("up", &up)], &readings.repeat(block_count));
        let text = format!("<feed>{}</feed>", of_entry.repeat(entry_count));
        let watch = Watch::start();
        let (found, _) = run(&builtin(), "x", text.as_bytes()).unwrap();
        watch.stop(&|| format!("{size} {entry_count} {block_count}"));
        assert!(found.rejections.len() >= entry_count * block_count, "{size}");
    }
}
