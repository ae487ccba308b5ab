//! Green Button: recorded feeds against totals computed elsewhere, every shape that feeds have, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;
#[path = "common/ways.rs"]
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use common::bend::{Watch, bend};
use common::{files_under, recorded, run, tell};
use serde_json::Value;
use tallywatt_core::quality::Quality;
use tallywatt_core::rejection::RejectionCode;
use tallywatt_ingest::decode::{decode, decode_by_row};
use tallywatt_ingest::greenbutton::{self, FeedCounts};
use tallywatt_ingest::profile::Profile;
use ways::{Dice, Event, Events};

fn builtin() -> Profile {
    Profile::builtin("greenbutton").unwrap()
}

fn profile(more: &str) -> Profile {
    Profile::parse("test", &format!("format = 'greenbutton'\nzone = 'UTC'\n{more}")).unwrap()
}

// ---- recorded feeds ----

/// A reading as a feed writes it: start, seconds, value.
type Raw = (i64, i64, i64);

/// From a rejection's text: `value 21600 of 86400 s from 1357016400`.
fn rejected(raw: &str) -> Raw {
    let words: Vec<&str> = raw.split(' ').collect();
    let ["value", value, "of", seconds, "s", "from", start] = words.as_slice() else { panic!("{raw}") };
    (start.parse().unwrap(), seconds.parse().unwrap(), value.parse().unwrap())
}

/// What the recorded files differ in from the totals, and why.
const DIFFERENCES: [(&str, &str); 3] = [
    // Blocks alone: what they measure stands in feeds that are not here, so a profile says it.
    ("ESPIIntervalBlock.xml", "unit = 'Wh'\nobis = '1-0:1.8.0'"),
    ("PGEIntervalBlock.xml", "unit = 'Wh'\nobis = '1-0:1.8.0'"),
    // Its type says that all readings are raw; the totals count what stands in the readings alone.
    ("BulkSCEIntervalBlock.xml", ""),
];

#[test]
fn recorded_feeds() {
    let (Some(folder), Some(expected)) =
        (recorded("greenbutton"), recorded("expected/greenbutton_totals.json"))
    else {
        return;
    };
    let expected: Value = serde_json::from_str(&fs::read_to_string(expected).unwrap()).unwrap();
    let paths: BTreeMap<String, _> = files_under(folder)
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    let mut compared = 0;
    for (key, want) in expected.as_object().unwrap() {
        let name = key.rsplit('/').next().unwrap();
        recorded_feed(name, &fs::read(&paths[name]).unwrap(), want);
        compared += 1;
    }
    assert_eq!(compared, 26);
}

fn recorded_feed(name: &str, bytes: &[u8], want: &Value) {
    let number = |key: &str| want[key].as_i64().unwrap();
    let counts = greenbutton::count(bytes).unwrap();
    let FeedCounts { usage_point_count, meter_reading_count, block_count, .. } = counts;
    let counted = [
        ("usagepoints", usage_point_count),
        ("meterreadings", meter_reading_count),
        ("intervalblocks", block_count),
        ("intervalreadings", counts.interval_reading_count),
        ("usagesummaries", counts.usage_summary_count),
    ];
    for (key, got) in counted {
        assert_eq!(i64::try_from(got).unwrap(), number(key), "{name} {key}");
    }
    if counts.interval_reading_count == 0 {
        let refused = run(&builtin(), name, bytes).unwrap_err();
        return assert_eq!(refused.to_string(), "file holds no readings", "{name}");
    }
    let more = DIFFERENCES.iter().find(|(file, _)| *file == name).map_or("", |(_, more)| more);
    let (found, summary) = run(&profile(more), name, bytes).unwrap();
    assert_eq!(summary.ignored_count, counts.ignored_count(), "{name}");
    let taken = found
        .readings
        .iter()
        .map(|reading| (reading.start.0, i64::from(reading.interval_minutes) * 60, reading.energy_wh));
    let raws: Vec<Raw> =
        taken.chain(found.rejections.iter().map(|rejection| rejected(&rejection.raw))).collect();
    assert!(found.rejections.iter().all(|rejection| rejection.code == RejectionCode::IntervalSize));
    assert_eq!(raws.iter().map(|raw| raw.2).sum::<i64>(), number("sum_value_raw"), "{name}");
    assert_eq!(raws.iter().map(|raw| raw.0).min(), want["min_start"].as_i64(), "{name}");
    assert_eq!(raws.iter().map(|raw| raw.0 + raw.1).max(), want["max_end"].as_i64(), "{name}");
    assert_eq!(
        i64::try_from(raws.iter().filter(|raw| raw.2 < 0).count()).unwrap(),
        number("negative"),
        "{name}"
    );
    // A start that comes again in a later block is a delivery again, no duplicate.
    let blocks = block_lines(bytes);
    let lines = found.readings.iter().map(|reading| reading.line);
    let lines = lines.chain(found.rejections.iter().map(|rejection| rejection.line));
    let starts: BTreeSet<(usize, i64)> =
        lines.zip(&raws).map(|(line, raw)| (blocks.partition_point(|&block| block <= line), raw.0)).collect();
    assert_eq!(i64::try_from(raws.len() - starts.len()).unwrap(), number("duplicate_starts"), "{name}");
    let mut durations = BTreeMap::new();
    raws.iter().for_each(|raw| *durations.entry(raw.1.to_string()).or_insert(0_u64) += 1);
    assert_eq!(durations, told_map(&want["durations"]), "{name}");
    let mut qualities = BTreeMap::new();
    for reading in found.readings.iter().filter(|reading| reading.quality != Quality::Valid) {
        *qualities.entry(reading.quality.code().to_string()).or_insert(0_u64) += 1;
    }
    if name == "BulkSCEIntervalBlock.xml" {
        assert_eq!(qualities.remove("14"), Some(97));
    }
    assert_eq!(qualities, told_map(&want["quality"]), "{name}");
    // Costs are counted, not summed: nothing is billed by them.
    assert!(counts.cost_count > 0 || number("sum_cost_raw") == 0, "{name}");
}

/// Lines in which blocks begin.
fn block_lines(bytes: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(bytes);
    let begins = |line: &str| {
        line.contains("<IntervalBlock") || line.contains(":IntervalBlock>") && !line.contains("</")
    };
    (1..).zip(text.lines()).filter(|(_, line)| begins(line)).map(|(number, _)| number).collect()
}

/// A map that the totals hold as text.
fn told_map(text: &Value) -> BTreeMap<String, u64> {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

#[test]
fn recorded_points_and_types() {
    let table = [
        ("alliance/test_usage_data_01.xml", "9B6C7066/5446AF3F"),
        ("misc/BulkSCEIntervalBlock.xml", "VJEWP31BE/NB6WRU"),
        ("misc/intervals_APUC000000_electric.xml", "237422/1402026"),
        ("official_customers/TestGBDataHourlyNineDaysBinnedDaily.xml", "2/2"),
    ];
    for (file, point) in table {
        let Some(path) = recorded(&format!("greenbutton/{file}")) else { return };
        let (found, _) = run(&builtin(), "x", &fs::read(path).unwrap()).unwrap();
        let points: BTreeSet<String> = found
            .readings
            .iter()
            .map(|reading| format!("{} {}", reading.usage_point, reading.register))
            .collect();
        assert_eq!(points.into_iter().collect::<Vec<_>>(), [format!("{point} 1-0:1.8.0")], "{file}");
    }
    for (file, want) in [
        ("misc/entryOnly.xml", "refused: file holds no readings"),
        ("misc/namespace.xml", "refused: file holds no readings"),
        ("misc/ESPIReadingTypes.xml", "refused: file holds no readings"),
    ] {
        let Some(path) = recorded(&format!("greenbutton/{file}")) else { return };
        assert_eq!(tell(&builtin(), &fs::read(path).unwrap()), want, "{file}");
    }
}

// ---- feeds by shape ----

const ROOT: &str = "<feed xmlns=\"http://www.w3.org/2005/Atom\">";

fn links(own: &str, up: &str, related: &str) -> String {
    let link = |rel: &str, href: &str| match href {
        "" => String::new(),
        href => format!("<link rel=\"{rel}\" href=\"{href}\"/>"),
    };
    link("self", own) + &link("up", up) + &link("related", related)
}

fn entry(links: &str, content: &str) -> String {
    format!("<entry>{links}<content>{content}</content></entry>\n")
}

fn reading(start: u64, seconds: u64, value: &str) -> String {
    format!(
        "<IntervalReading><timePeriod><duration>{seconds}</duration><start>{start}</start></timePeriod>\
         <value>{value}</value></IntervalReading>"
    )
}

fn reading_type(inside: &str) -> String {
    format!("<ReadingType>{inside}</ReadingType>")
}

const FORWARD: &str =
    "<flowDirection>1</flowDirection><powerOfTenMultiplier>0</powerOfTenMultiplier><uom>72</uom>";

/// A whole feed: one point, one series, one type, one block.
fn feed(inside_type: &str, block: &str) -> String {
    let parts = [
        entry(&links("C/5/UsagePoint/1", "C/5/UsagePoint", "C/5/UsagePoint/1/MeterReading"), "<UsagePoint/>"),
        entry(&links("T/1", "T", ""), &reading_type(inside_type)),
        entry(
            &links("C/5/UsagePoint/1/MeterReading/1", "C/5/UsagePoint/1/MeterReading", "T/1"),
            "<MeterReading/>",
        ),
        entry(
            &links(
                "C/5/UsagePoint/1/MeterReading/1/IntervalBlock/1",
                "C/5/UsagePoint/1/MeterReading/1/IntervalBlock",
                "",
            ),
            &format!("<IntervalBlock>{block}</IntervalBlock>"),
        ),
    ];
    format!("{ROOT}{}</feed>", parts.concat())
}

#[track_caller]
fn check(profile: &Profile, feed: &str, want: &str) {
    assert_eq!(tell(profile, feed.as_bytes()), want, "{feed}");
}

#[test]
fn values() {
    let one = |seconds: u64, value: &str| reading(0, seconds, value);
    let at = "5/1 1970-01-01T00:00:00Z=";
    let table = [
        (one(900, "282"), format!("{at}282")),
        (one(300, "0"), format!("{at}0")),
        (one(3_600, "-7"), format!("{at}-7")),
        (one(1_800, " 2<!-- ! -->8\n"), format!("{at}28")),
        (one(900, "<![CDATA[1]]>&#50;"), format!("{at}12")),
        (one(900, "1.0"), format!("{at}1")),
        (one(900, "1.5"), "R12×1@4".to_owned()),
        (one(900, "x"), "R11×1@4".to_owned()),
        (one(900, ""), "R17×1@4".to_owned()),
        (one(900, "1</value><value>2"), "R03×1@4".to_owned()),
        (one(0, "0"), String::new()),
        (one(0, "5"), "R09×1@4".to_owned()),
        (one(7_200, "5"), "R09×1@4".to_owned()),
        (one(86_400, "5"), "R09×1@4".to_owned()),
        (one(900, "5").replace("<start>0", "<start>no"), "R07×1@4".to_owned()),
        (one(900, "5").replace("<start>0", "<start>-900"), "R07×1@4".to_owned()),
        (one(900, "5").replace("<duration>900", "<duration>-900"), "R09×1@4".to_owned()),
        (one(900, "5").replace("<start>0", "<start><!-- 1970 -->0<!-- -->"), format!("{at}5")),
        (
            one(900, "5") + &one(900, "5").replace("<start>0", "<start>900"),
            format!("{at}5; 5/1 1970-01-01T00:15:00Z=5"),
        ),
    ];
    for (block, want) in table {
        check(&builtin(), &feed(FORWARD, &block), &want);
    }
}

#[test]
fn qualities() {
    let with = |quality: &str| reading(0, 900, "5").replace("<value>", &format!("{quality}<value>"));
    let one = |code: &str| with(&format!("<ReadingQuality><quality>{code}</quality></ReadingQuality>"));
    let at = "5/1 1970-01-01T00:00:00Z=5";
    let table = [
        (one("0"), at.to_owned()),
        (one("7"), format!("{at} edited")),
        (one("8"), format!("{at} estimated_reference_day")),
        (one("17"), format!("{at} validated")),
        (one("15"), "R16×1@4".to_owned()),
        (one("255"), "R16×1@4".to_owned()),
        (one("x"), "R16×1@4".to_owned()),
        (
            with(
                "<ReadingQuality><quality>17</quality></ReadingQuality><ReadingQuality><quality>8</quality></ReadingQuality>",
            ),
            format!("{at} estimated_reference_day"),
        ),
    ];
    for (block, want) in table {
        check(&builtin(), &feed(FORWARD, &block), &want);
    }
    let raw = FORWARD.to_owned() + "<defaultQuality>14</defaultQuality>";
    check(&builtin(), &feed(&raw, &reading(0, 900, "5")), &format!("{at} raw"));
    check(&builtin(), &feed(&raw, &one("0")), at);
}

#[test]
fn reading_types() {
    let block = reading(0, 900, "5").repeat(3);
    let of = |from: &str, to: &str| feed(&FORWARD.replace(from, to), &block);
    let refused = [
        of("72", "169"),
        of("72", "38"),
        of("<uom>72</uom>", ""),
        of("<uom>72</uom>", "<uom>72</uom><uom>72</uom>"),
        of(">0<", ">10<"),
        feed(FORWARD, &block).replace("<ReadingType>", "<Other>").replace("</ReadingType>", "</Other>"),
    ];
    for text in refused {
        check(&builtin(), &text, "R06×3@4");
    }
    let refused = [
        of("Direction>1<", "Direction>4<"),
        of("<flowDirection>1</flowDirection>", ""),
        of("<uom>", "<commodity>7</commodity><uom>"),
        of("<uom>", "<accumulationBehaviour>12</accumulationBehaviour><uom>"),
        of("<uom>", "<tou>256</tou><uom>"),
        feed(FORWARD, &block).replace(
            "<UsagePoint/>",
            "<UsagePoint><ServiceCategory><kind>1</kind></ServiceCategory></UsagePoint>",
        ),
    ];
    for text in refused {
        check(&builtin(), &text, "R05×3@4");
    }
    let undirected = of("<flowDirection>1</flowDirection>", "");
    let found = run(&profile("obis = '1-0:2.8.0'"), "x", undirected.as_bytes()).unwrap().0;
    assert_eq!((found.readings.len(), found.readings[0].register.to_string().as_str()), (3, "1-0:2.8.0"));
    let named = run(&builtin(), "x", of("72", "169").as_bytes()).unwrap().0;
    assert!(
        named.rejections[0].raw.starts_with("uom 169 (therm), block C/5/"),
        "{}",
        named.rejections[0].raw
    );
    // From type to register and value.
    let table = [
        ("72", "72", "1-0:1.8.0=5"),
        ("Direction>1<", "Direction>19<", "1-0:2.8.0=5"),
        ("72", "73", "1-0:3.8.0=5"),
        (">0<", ">3<", "1-0:1.8.0=5000"),
        ("<uom>", "<tou>2</tou><uom>", "1-0:1.8.2=5"),
        ("<uom>", "<accumulationBehaviour>4</accumulationBehaviour><uom>", "1-0:1.8.0=5"),
    ];
    for (from, to, want) in table {
        let found = run(&builtin(), "x", of(from, to).as_bytes()).unwrap().0;
        assert_eq!(format!("{}={}", found.readings[0].register, found.readings[0].energy_wh), want);
    }
    let milli = FORWARD.replace(">0<", ">-3<");
    let (at, values) = ("5/1 1970-01-01T00:00:00Z=", |value| reading(0, 900, value));
    check(&builtin(), &feed(&milli, &values("5000")), &format!("{at}5"));
    check(&builtin(), &feed(&milli, &values("5001")), "R12×1@4");
    check(&profile("round_to_wh = true"), &feed(&milli, &values("5500")), &format!("{at}6"));
}

#[test]
fn register_reads() {
    let cumulative = FORWARD.to_owned() + "<accumulationBehaviour>1</accumulationBehaviour>";
    let text = feed(&cumulative.replace(">0<", ">3<"), &reading(900, 0, "12345"));
    let (found, summary) = run(&builtin(), "x", text.as_bytes()).unwrap();
    assert_eq!((summary.register_read_count, summary.reading_count, summary.rejected_count), (1, 0, 0));
    let (read, origin) = found.register_reads[0];
    assert_eq!((read.at.0, read.dial.to_string().as_str(), origin.line), (900, "12345.000000", 4));
}

#[test]
fn readings_without_a_period() {
    let block = "<interval><duration>3600</duration><start>7200</start></interval>".to_owned()
        + &"<IntervalReading><value>5</value></IntervalReading>".repeat(2);
    let typed = FORWARD.to_owned() + "<intervalLength>1800</intervalLength>";
    check(&builtin(), &feed(&typed, &block), "5/1 1970-01-01T02:00:00Z=5; 5/1 1970-01-01T02:30:00Z=5");
    check(&builtin(), &feed(FORWARD, &block), "R09×1@4; R07×1@4");
    check(&builtin(), &feed(&typed, &block.replace("interval>", "other>")), "R07×1@4; R07×1@4");
}

#[test]
fn points_series_and_blocks() {
    let point = |number: u32| {
        entry(
            &links(&format!("C/5/UsagePoint/{number}"), "", &format!("C/5/UsagePoint/{number}/MeterReading")),
            "<UsagePoint/>",
        )
    };
    let series = |point: u32, number: u32, of_type: &str| {
        let list = format!("C/5/UsagePoint/{point}/MeterReading");
        entry(&links(&format!("{list}/{number}"), &list, of_type), "<MeterReading/>")
    };
    let block = |point: u32, number: u32, value: &str| {
        let list = format!("C/5/UsagePoint/{point}/MeterReading/{number}/IntervalBlock");
        let block = format!("<IntervalBlock>{}</IntervalBlock>", reading(0, 900, value));
        entry(&links(&format!("{list}/9"), &list, ""), &block.repeat(2))
    };
    let types = entry(&links("T/1", "", ""), &reading_type(FORWARD))
        + &entry(&links("T/2", "", ""), &reading_type(&FORWARD.replace(">1<", ">19<")));
    // Blocks first, types last: order does not matter where links are.
    let parts = [
        block(2, 1, "21"),
        block(1, 2, "12"),
        block(1, 1, "11"),
        series(1, 1, "T/1"),
        series(1, 2, "T/2"),
        series(2, 1, "T/1"),
        point(1),
        point(2),
        types,
    ];
    let text = format!("{ROOT}{}</feed>", parts.concat());
    let (found, summary) = run(&builtin(), "x", text.as_bytes()).unwrap();
    let told: Vec<String> = found
        .readings
        .iter()
        .map(|reading| format!("{} {}={}", reading.usage_point, reading.register, reading.energy_wh))
        .collect();
    let want = ["5/2 1-0:1.8.0=21", "5/1 1-0:2.8.0=12", "5/1 1-0:1.8.0=11"].map(|one| [one; 2]).concat();
    assert_eq!((told, summary.rejected_count), (want.iter().map(|one| (*one).to_owned()).collect(), 0));
    let named = profile("usage_point = 'X'");
    check(&named, &text, "refused: line 1: the feed has 2 usage points, the profile names one");
}

#[test]
fn order_where_there_are_no_links() {
    let block = |value| entry("", &format!("<IntervalBlock>{}</IntervalBlock>", reading(0, 900, value)));
    let id = |number| format!("<id>urn:uuid:48c2a019-5598-4e16-b0f9-49e4ff27f5f{number}</id>");
    let of_type = |flow: &str| entry("", &reading_type(&FORWARD.replace(">1<", &format!(">{flow}<"))));
    let one =
        |number, flow| entry(&id(number), "<UsagePoint/>") + &entry("", "<MeterReading/>") + &of_type(flow);
    let text = format!("{ROOT}{}{}{}{}</feed>", one(1, "1"), block("1"), one(2, "1"), block("2"));
    let at = |number, value| format!("48c2a01955984e16b0f949e4ff27f5f{number} 1970-01-01T00:00:00Z={value}");
    check(&builtin(), &text, &format!("{}; {}", at(1, 1), at(2, 2)));
    // Without a series.
    let text = format!(
        "{ROOT}{}{}{}{}</feed>",
        entry(&id(1), "<UsagePoint/>"),
        of_type("1"),
        block("1"),
        entry(&id(2), "<UsagePoint/>")
    );
    check(&builtin(), &text, &at(1, 1));
    // One entry with everything in it.
    let all = format!(
        "<UsagePoint/><MeterReading/>{}<IntervalBlock>{}</IntervalBlock>",
        reading_type(FORWARD),
        reading(0, 900, "3")
    );
    check(&builtin(), &entry(&id(3), &all), &at(3, 3));
    // No point at all.
    check(&builtin(), &format!("{ROOT}{}{}</feed>", of_type("1"), block("4")), "R04×1@2");
    check(
        &profile("usage_point = 'X'"),
        &format!("{ROOT}{}{}</feed>", of_type("1"), block("4")),
        "X 1970-01-01T00:00:00Z=4",
    );
    check(
        &profile("usage_point_from = 'file'"),
        &format!("{ROOT}{}{}</feed>", of_type("1"), block("4")),
        "meter 1970-01-01T00:00:00Z=4",
    );
}

#[test]
fn blocks_alone() {
    let text = entry(
        &links(
            "S/0/UsagePoint/7/MeterReading/x==/IntervalBlock/1",
            "S/0/UsagePoint/7/MeterReading/x==/IntervalBlock",
            "",
        ),
        &format!("<IntervalBlock>{}</IntervalBlock>", reading(0, 3_600, "5")),
    );
    check(&builtin(), &text, "R06×1@1");
    check(&profile("unit = 'kWh'\nobis = '1-0:2.8.0'"), &text, "0/7 1970-01-01T00:00:00Z=5000");
    check(&profile("unit = 'kWh'\nobis = '1-0:3.8.0'"), &text, "R06×1@1");
    // A prefix more, or none, is the same.
    let prefixed = text.replace("<Interval", "<ns0:Interval").replace("</Interval", "</ns0:Interval");
    check(&profile("unit = 'kWh'\nobis = '1-0:2.8.0'"), &prefixed, "0/7 1970-01-01T00:00:00Z=5000");
}

#[test]
fn issues() {
    let text = feed(FORWARD, &reading(0, 900, "5"));
    let told = |text: &str| {
        let (found, _) = run(&builtin(), "x", text.as_bytes()).unwrap();
        found.issues.iter().map(|from| from.issued.0).collect::<Vec<_>>()
    };
    assert_eq!(told(&text), [0; 0]);
    let dated = |stamp: &str| {
        text.replace(
            "<content><IntervalBlock>",
            &format!("<updated>{stamp}</updated><content><IntervalBlock>"),
        )
    };
    for stamp in ["1970-01-02T00:00:00Z", "1970-01-02T01:00:00.9+01:00", "1970-01-02T00:00:00"] {
        assert_eq!(told(&dated(stamp)), [86_400], "{stamp}");
    }
    assert_eq!(told(&dated("yesterday")), [0; 0]);
    let feed_dated = text.replace(ROOT, &format!("{ROOT}<updated>1970-01-01T00:00:01Z</updated>"));
    assert_eq!(told(&feed_dated), [1]);
}

#[test]
fn files_refused() {
    let text = feed(FORWARD, &reading(0, 900, "5"));
    let cut = &text[..text.len() - 1];
    let table = [
        ("<html/>".to_owned(), "refused: line 1: the root element is \"html\", not a feed or an entry"),
        (format!("{ROOT}</feed>"), "refused: file holds no readings"),
        (cut.to_owned(), "refused: line 5: syntax error: tag not closed: `>` not found before end of input"),
        (cut.replace("</feed", ""), "refused: line 5: file is cut off: elements are still open"),
        (format!("{text}{text}"), "refused: line 5: a second root element"),
        (
            text.replace("<value>", "<IntervalReading><value>"),
            "refused: line 4: element \"IntervalReading\" where it may not stand",
        ),
        (format!("<!DOCTYPE x>{text}"), "refused: line 1: document types and entities are never taken"),
        (
            text.replace("<content>", &format!("{}<content>", links("a", "", "").repeat(300))),
            "refused: links of an entry: more than 256",
        ),
    ];
    for (text, want) in table {
        check(&builtin(), &text, want);
    }
}

#[test]
fn profiles() {
    let error = |more: &str| {
        Profile::parse("test", &format!("format = 'greenbutton'\nzone = 'UTC'\n{more}"))
            .unwrap_err()
            .to_string()
    };
    assert!(error("usage_point = ' '").starts_with("line 3: `usage_point` is \" \""));
    assert!(error("usage_point_from = 'row'").starts_with("line 3: `usage_point_from` is \"row\""));
    assert!(error("obis = '1.7.0'").starts_with("line 3: `obis` is"));
    assert!(
        error("usage_point = 'X'\nusage_point_from = 'file'")
            .starts_with("line 4: `usage_point_from` has no")
    );
    assert!(error("layout = 'long'").starts_with("line 3: `layout` has no meaning"));
}

// ---- the short way ----

fn told(
    by: impl FnOnce(
        &mut Events,
    )
        -> Result<tallywatt_ingest::decode::DecodeSummary, tallywatt_ingest::refusal::FileRefusal>,
) -> (String, Vec<Event>) {
    let mut found = Events::default();
    let result = by(&mut found);
    (format!("{result:?}"), found.events)
}

/// Both ways agree on `bytes`.
#[track_caller]
fn same(bytes: &[u8], context: &str) {
    let want = told(|found| decode_by_row(&builtin(), "x", &mut &bytes[..], found));
    let got = told(|found| decode(&builtin(), "x", &mut &bytes[..], found));
    assert_eq!(got.0, want.0, "{context}\n{}", String::from_utf8_lossy(bytes));
    if let Some(at) = (0..want.1.len().max(got.1.len())).find(|&at| want.1.get(at) != got.1.get(at)) {
        let text = String::from_utf8_lossy(bytes);
        panic!("{context}: event {at}: {:?}, want {:?}\n{text}", got.1.get(at), want.1.get(at));
    }
}

/// A feed whose readings are nearly all of one shape.
fn random_feed(dice: &mut Dice) -> Vec<u8> {
    let gap = dice.of(&["", "\n\t\t", "\r\n  ", " "]).to_owned();
    let cost = dice.of(&["", "<cost>C</cost>"]).to_owned();
    let quality = dice.of(&["", "<ReadingQuality><quality>Q</quality></ReadingQuality>"]).to_owned();
    let comment = dice.of(&["", "<!-- D -->", "<!--D-->"]).to_owned();
    let shape = format!(
        "{gap}<IntervalReading>{gap}{cost}{gap}{quality}<timePeriod>{gap}<duration>900</duration><start>S{comment}</start>{gap}{comment}\
         </timePeriod>{gap}<value>V</value>{gap}</IntervalReading>"
    );
    let mut blocks = String::new();
    let mut start = 1_330_578_000;
    for _ in 0..1 + dice.below(3) {
        let mut block = format!("<interval><start>{start}</start></interval>");
        for _ in 0..dice.below(40) {
            let value = match dice.below(40) {
                0 => "-5".to_owned(),
                1 => dice.of(&["", "1.5", "x", "12345678901234567", "007", "1<!-- -->2", " 8 "]).to_owned(),
                _ => dice.below(100_000).to_string(),
            };
            let mut one = shape.replace('V', &value).replace('S', &start.to_string());
            one = one
                .replace('C', &dice.below(2_000).to_string())
                .replace('Q', dice.of(&["17", "8", "14", "0"]));
            one = one.replace('D', dice.of(&["3/1/2012 5:00:00 AM", "a - b", "é", "x>"]));
            match dice.below(60) {
                0 => one = one.replace("900", dice.of(&["3600", "0", "7200", "x"])),
                1 => one = one.replace("</value>", "</value><tou>1</tou>"),
                2 => one = one.replace("<value>", "<value\n>"),
                3 => one.push_str("<!-- between -->"),
                _ => (),
            }
            block.push_str(&one);
            start += 900;
        }
        blocks.push_str(&format!("{block}</IntervalBlock><IntervalBlock>"));
    }
    feed(FORWARD, blocks.strip_suffix("</IntervalBlock><IntervalBlock>").unwrap()).into_bytes()
}

const SEED: u64 = 20_261_123;

#[test]
fn the_short_way_gives_what_the_reference_gives() {
    println!("seed {SEED}");
    let mut dice = Dice(SEED);
    let mut other = random_feed(&mut dice);
    for number in 0..600 {
        let bytes = random_feed(&mut dice);
        same(&bytes, &format!("seed {SEED}, feed {number}"));
        let bent = bend(&bytes, &other, SEED + number);
        same(&bent, &format!("seed {SEED}, bent feed {number}"));
        other = bytes;
    }
    let Some(folder) = recorded("greenbutton") else { return };
    for path in files_under(folder) {
        same(&fs::read(&path).unwrap(), &path.display().to_string());
    }
}

#[test]
fn ten_thousand_malformed_feeds() {
    println!("seed {SEED}");
    let mut dice = Dice(SEED);
    let sound: Vec<Vec<u8>> = (0..40).map(|_| random_feed(&mut dice)).collect();
    let profiles = [builtin(), profile("unit = 'kWh'\nobis = '1-0:2.8.0'\nround_to_wh = true")];
    let mut refused_count = 0;
    for number in 0..10_000 {
        let (one, other) = (dice.below(sound.len()), dice.below(sound.len()));
        let bytes = bend(&sound[one], &sound[other], SEED ^ number);
        let watch = Watch::start();
        match run(&profiles[dice.below(2)], "x", &bytes) {
            Err(refusal) => {
                refused_count += 1;
                assert!(!refusal.to_string().is_empty() && !refusal.next_step().is_empty());
            }
            Ok((found, _)) => {
                let is_told = |rejection: &tallywatt_core::rejection::Rejection| {
                    rejection.line > 0 && !rejection.raw.is_empty() && !rejection.code.reason().is_empty()
                };
                assert!(found.rejections.iter().all(is_told), "seed {SEED}, file {number}");
            }
        }
        watch.stop(&|| format!("seed {SEED}, file {number}"));
    }
    assert!((1_000..10_000).contains(&refused_count), "{refused_count} refused");
}
