//! The word of a person on readings and meters, and what became of files: edit, history, exchange, registers, replies.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;
use serde_json::{Value, json};

const EKB: &str = "--zone Asia/Yekaterinburg";
const METERS: &str = "usage_point,obis,meter,from,first,to,last,digits,multiplier\n";
const READS: &str = "usage_point,obis,read_at,value,unit,who,meter,minutes,entered_at,quality,reason\n";

/// A day of half-hours of 10 Wh each, as the `tallywatt` profile reads it.
fn day(point: &str, date: &str) -> String {
    let names: Vec<String> = (1..=48).map(|at| format!("v{at}")).collect();
    format!("usage_point,obis,date,{}\n{point},1-0:1.8.0,{date},{}\n", names.join(","), ["10"; 48].join(","))
}

/// A ledger with one sealed day of one usage point.
fn tiny() -> Place {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.write("day.csv", day("X-1", "2026-03-02"));
    place.expect(0, &format!("tallywatt ingest day.csv {EKB}"));
    place
}

fn rows(object: &Value) -> &Vec<Value> {
    object["rows"].as_array().unwrap()
}

#[test]
fn an_edit_is_planned_sealed_and_remembered() {
    let place = tiny();
    let edit =
        "tallywatt readings edit X-1 2026-03-02 10:00=7 03:30=99 04:00=98 --who anna --reason meter-fault";
    let before = place.status();
    let plan = place.json(&format!("{edit} --plan"));
    assert_eq!(place.status(), before, "a plan records nothing");
    let run = place.json(edit);
    assert_eq!(rows(&plan), rows(&run));
    let told: Vec<(&str, i64, i64)> = rows(&run)
        .iter()
        .map(|row| {
            (
                row["interval_start"].as_str().unwrap(),
                row["stands_wh"].as_i64().unwrap(),
                row["will_stand_wh"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("2026-03-01T22:30:00Z", 10, 99), ("2026-03-01T23:00:00Z", 10, 98), ("2026-03-02T05:00:00Z", 10, 7)]
    );
    assert_eq!(
        (&run["corrected"], &run["set_aside"], &run["batch"]),
        (&3.into(), &0.into(), &2.into()),
        "{run}"
    );

    let history = place.json("tallywatt readings show X-1 2026-03-02 --history");
    assert_eq!(rows(&history).len(), 48 + 3, "{history}");
    assert!(rows(&history)[..48].iter().all(|row| row["batch"] == 1 && row["reason"] == "delivery"));
    for (row, (start, _, wh)) in rows(&history)[48..].iter().zip(told) {
        assert_eq!(
            json!([row["batch"], row["revision"], row["interval_start"], row["wh"], row["quality"]]),
            json!([2, 1, start, wh, "edited"])
        );
        assert_eq!(json!([row["reason"], row["who"]]), json!(["meter-fault", "anna"]));
        assert!(row["when"].as_str().unwrap().ends_with('Z'), "{row}");
    }
    let value = |option: &str| {
        let shown = place.json(&format!("tallywatt readings show X-1 2026-03-02 {option}"));
        json!([shown["revision"], shown["rows"][7]["wh"], shown["rows"][7]["quality"]])
    };
    assert_eq!(value("--as-of 1"), json!([0, 10, "valid"]));
    assert_eq!(value("--as-of 2"), json!([1, 99, "edited"]));
    assert_eq!(value(""), json!([1, 99, "edited"]));
    place.expect(0, "tallywatt chain audit");
}

#[test]
fn an_edit_kept_open_is_sealed_with_what_comes_next() {
    let place = tiny();
    place.expect(0, "tallywatt readings edit X-1 2026-03-02 00:00=5 --who anna --reason 2 --keep-open");
    let stands =
        |place: &Place| place.json("tallywatt readings show X-1 2026-03-02")["rows"][0]["wh"].clone();
    assert_eq!(stands(&place), 10);
    // What is open is what the next edit sees.
    let plan = place.json("tallywatt readings edit X-1 2026-03-02 00:00=6 --who anna --reason 2 --plan");
    assert_eq!(plan["rows"][0]["stands_wh"], 5);
    place.write("next.csv", day("X-1", "2026-03-03"));
    place.expect(0, &format!("tallywatt ingest next.csv {EKB}"));
    assert_eq!(stands(&place), 5);
}

#[test]
fn a_time_that_the_clocks_showed_twice_is_named_by_its_instant() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    let profile = "format = \"csv\"\nlayout = \"long\"\nunit = \"Wh\"\nstamp_format = \"rfc3339\"\nzone = \"Europe/Berlin\"\n\
                   interval_minutes = 30\n\n[columns]\nusage_point = \"id\"\nstart = \"start\"\nvalue = \"v\"\n";
    place.write("long.toml", profile);
    let rows = (0..50).map(|at| {
        let minutes = 22 * 60 + at * 30;
        let day = if minutes < 1_440 { "2025-10-25" } else { "2025-10-26" };
        format!("X-1,{day}T{:02}:{:02}:00Z,10\n", minutes / 60 % 24, minutes % 60)
    });
    place.write("autumn.csv", format!("id,start,v\n{}", rows.collect::<String>()));
    place.expect(0, "tallywatt ingest autumn.csv --profile long.toml");
    let edit = |value: &str, zone: &str| {
        format!("tallywatt readings edit X-1 2025-10-26 {value} --who anna --reason 2{zone}")
    };
    let zone = " --zone Europe/Berlin";
    // A day of 25 hours has no offset of its own.
    let ran = place.expect(2, &edit("05:00=1", ""));
    assert!(ran.err.contains("--zone"), "{}", ran.err);
    let ran = place.expect(2, &edit("02:30=1", zone));
    assert!(ran.err.contains("2025-10-26T00:30:00Z=WH or 2025-10-26T01:30:00Z=WH"), "{}", ran.err);
    place.expect(0, &edit("2025-10-26T01:30:00Z=1", zone));
    let shown = place.json("tallywatt readings show X-1 2025-10-26");
    assert_eq!(json!([shown["rows"][5]["wh"], shown["rows"][7]["wh"]]), json!([10, 1]));
}

#[test]
fn a_correction_of_a_billed_value_waits_until_it_is_approved() {
    let place = Place::new();
    place.town(20, 31);
    place.expect(0, "tallywatt bill run 2026-03");
    let rows_of_town = place.text("town/readings/yekaterinburg.csv");
    let mut lines = rows_of_town.lines();
    let (header, first) = (lines.next().unwrap(), lines.next().unwrap());
    let mut fields: Vec<String> = first.split(',').map(str::to_owned).collect();
    let billed: i64 = fields[3].parse().unwrap();
    fields[3] = (billed + 50_000).to_string();
    place.write("much.csv", format!("{header}\n{}\n", fields.join(",")));
    let ran = place.expect(3, &format!("tallywatt ingest much.csv {EKB}"));
    assert!(ran.out.contains("sum ") && !ran.out.contains('≠') && ran.err.contains("R20"), "{ran:?}");
    let pending = place.json("tallywatt readings pending");
    let row = &rows(&pending)[0];
    assert_eq!(
        (pending["waiting"].clone(), row["stands_wh"].clone()),
        (1.into(), billed.into()),
        "{pending}"
    );
    assert_eq!(row["would_stand_wh"], billed + 50_000);
    let hash = row["hash"].as_str().unwrap();
    // The town's files tell no issue; the person's word is the later one.
    let ran = place.expect(0, &format!("tallywatt readings approve {hash} --who anna --format json"));
    assert_eq!(json!([ran.object()["conflict"], ran.object()["set_aside"]]), json!([0, 0]), "{ran:?}");
    let shown = place.json(&format!("tallywatt readings show {} {}", fields[0], fields[2]));
    assert_eq!(
        json!([shown["rows"][0]["wh"], shown["rows"][0]["quality"]]),
        json!([billed + 50_000, "valid"])
    );
    assert_eq!(place.json("tallywatt readings pending")["waiting"], 0);
    let again = place.expect(2, &format!("tallywatt readings approve {hash} --who anna"));
    assert!(again.err.contains("waits") && again.err.contains("readings pending"), "{}", again.err);
    place.expect(0, "tallywatt chain audit");
}

#[test]
fn an_exchange_joins_the_consumption_of_two_meters() {
    let place = tiny();
    place.write("meters.csv", format!("{METERS}X-1,1-0:1.8.0,M-1,2026-03-01 00:00,100,,,6,2\n"));
    let read =
        |at: &str, kwh: &str, meter: &str| format!("X-1,1-0:1.8.0,{at},{kwh},kWh,ivanova,{meter},,,,\n");
    let reads = [read("2026-03-05 00:00", "150", "M-1"), read("2026-03-15 00:00", "30", "M-2")].concat();
    place.write("reads.csv", format!("{READS}{reads}"));
    let taken = place.json("tallywatt ingest meters.csv --profile meters");
    assert_eq!(taken["installations"], 1, "{taken}");
    assert_eq!(place.json("tallywatt ingest reads.csv --profile reads")["register_reads"], 2);

    let exchange = "tallywatt readings exchange X-1 --at 2026-03-10T05:00:00+05:00 --old-meter M-1 --last 180 \
                    --new-meter M-2 --first 0 --digits 6 --multiplier 1";
    let before = place.status();
    let plan = place.json(&format!("{exchange} --plan"));
    assert_eq!(place.status(), before);
    let run = place.json(exchange);
    assert_eq!(rows(&plan), rows(&run));
    assert_eq!(
        json!([plan["rows"][0]["multiplier"], plan["rows"][0]["to"], plan["rows"][1]["from"]]),
        json!(["2", "2026-03-10T00:00:00Z", "2026-03-10T00:00:00Z"])
    );
    let told = place.json("tallywatt readings registers X-1");
    assert_eq!(
        json!([told["register_reads"], told["meters"], told["conflicts"]]),
        json!([2, 2, 0]),
        "{told}"
    );
    let over = rows(&told).iter().find(|row| row["what"] == "span" && row["says"] == "2 meters").unwrap();
    // 30 kWh on the old dial × 2, and 30 on the new one.
    assert_eq!(
        json!([over["from"], over["to"], over["wh"]]),
        json!(["2026-03-05T00:00:00Z", "2026-03-15T00:00:00Z", 90_000])
    );
    // The same again changes nothing; another end of the same meter is refused.
    assert_eq!(place.json(exchange)["batch"], "nothing new to seal");
    let other = place.expect(2, &exchange.replace("--last 180", "--last 181"));
    assert!(other.err.contains("taken out already"), "{}", other.err);
    // A second dial at one instant is a conflict that is named.
    place.write("other.csv", format!("{READS}{}", read("2026-03-05 00:00", "151", "M-1")));
    place.expect(0, "tallywatt ingest other.csv --profile reads");
    let ran = place.expect(4, "tallywatt readings registers X-1 --format json");
    let told = ran.object();
    let conflict = rows(&told).iter().find(|row| row["what"] == "conflict").unwrap();
    assert!(conflict["says"].as_str().unwrap().contains("at one instant differ"), "{conflict}");
    place.expect(0, "tallywatt chain audit");
}

/// A mistyped 95,000 and the 10,050 that was entered later, in either order; then an entry that tells no other time.
#[test]
fn a_read_entered_later_stands_for_the_mistyped_one() {
    for files in [["wrong", "right"], ["right", "wrong"]] {
        let place = tiny();
        place.write("meters.csv", format!("{METERS}X-1,1-0:1.8.0,M-1,2026-02-01 00:00,10000,,,5,1\n"));
        let read = |at: &str, kwh: u32, entered: &str| {
            format!("X-1,1-0:1.8.0,2026-{at} 00:00,{kwh},kWh,anna,M-1,,{entered},,\n")
        };
        let wrong = [read("03-01", 95_000, "2026-03-01 09:00"), read("04-01", 10_100, "")].concat();
        let right = read("03-01", 10_050, "2026-03-02 09:00");
        place.write("wrong.csv", format!("{READS}{wrong}"));
        place.write("right.csv", format!("{READS}{right}"));
        place.expect(0, "tallywatt ingest meters.csv --profile meters");
        for name in files {
            place.expect(0, &format!("tallywatt ingest {name}.csv --profile reads --zone UTC"));
            if name == "wrong" && name == files[0] {
                // 85,000 kWh in February, and a rollover of 15,100 kWh in March.
                let found = place.expect(0, "tallywatt readings exceptions 2026-03 --rule V15 --explain");
                assert!(found.out.contains("15100000 Wh in 31 days"), "{}", found.out);
                assert!(found.err.contains("readings registers X-1 --obis 1-0:1.8.0"), "{found:?}");
            }
        }
        let found = place.json("tallywatt readings exceptions 2026-03 --rule V15");
        assert_eq!(found["exceptions"], 0, "{found}");
        let told = place.json("tallywatt readings registers X-1");
        let of_kind = |kind: &str| rows(&told).iter().filter(|row| row["what"] == kind).collect::<Vec<_>>();
        let spans: Vec<&Value> = of_kind("span").iter().map(|row| &row["wh"]).collect();
        assert_eq!((spans, &told["conflicts"]), (vec![&json!(50_000), &json!(50_000)], &json!(0)), "{told}");
        let says: Vec<&str> = of_kind("read").iter().map(|row| row["says"].as_str().unwrap()).collect();
        let received = ["by anna, received 2026-03-02T09:00:00Z", "by anna, received 2026-03-01T09:00:00Z"];
        assert_eq!(says, [received[0], received[1], "by anna"]);

        // Of one time of entry it is a conflict again, and both spans are one.
        place.write("other.csv", format!("{READS}{}", read("03-01", 10_051, "2026-03-02 09:00")));
        place.expect(0, "tallywatt ingest other.csv --profile reads --zone UTC");
        let told = place.expect(4, "tallywatt readings registers X-1 --format json").object();
        let spans: Vec<&Value> =
            rows(&told).iter().filter(|row| row["what"] == "span").map(|row| &row["wh"]).collect();
        assert_eq!((spans, &told["conflicts"]), (vec![&json!(100_000)], &json!(1)), "{told}");
        place.expect(0, "tallywatt chain audit");
    }
}

#[test]
fn each_80020_file_gets_its_reply() {
    let place = Place::new();
    place.expect(0, "tallywatt synth --output town --to 80020 --meters 20 --days 2");
    place.expect(0, "tallywatt init --demonstration-keys 7");
    let ingest =
        format!("tallywatt ingest town/readings/yekaterinburg* --profile 80020 {EKB} --replies replies");
    let taken = place.json(&ingest);
    assert!(taken["files"].as_u64().unwrap() > 0 && taken["replies"] == taken["files"], "{taken}");
    let names = |place: &Place| place.files("replies");
    let first = names(&place);
    assert_eq!(taken["replies"], first.len());
    for file in &first {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("reply_") && name.ends_with(".xml"), "{name}");
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        assert!(text.contains("<reply status=\"ok\"") && text.contains("rejected=\"0\""), "{text}");
    }
    // What is known already is replied to again, by the same name; what is refused by its reason.
    place.write("bad/cut.xml", "<message class=\"80020\" number=\"7\"><area>");
    place.write("worse/cut.xml", "no message");
    assert_eq!(place.json(&ingest)["rows"][0]["end"], "known already, not read again");
    assert_eq!(names(&place), first);
    place.expect(2, "tallywatt ingest bad worse --profile 80020 --replies replies");
    for (name, said) in [("cut", "number=\"7\""), ("cut-2", "<reason>")] {
        let text = place.text(&format!("replies/reply_{name}.xml"));
        assert!(text.contains("<reply status=\"error\"") && text.contains(said), "{text}");
    }
}

/// A message of two half-hours of `point`, the values written so.
fn message(number: u32, point: &str, values: [&str; 2]) -> String {
    format!(
        "<message class=\"80020\" version=\"2\" number=\"{number}\"><datetime><day>20260302</day></datetime><area>\n\
         <measuringpoint code=\"{point}\"><measuringchannel code=\"01\">\
         <period start=\"0000\" end=\"0030\"><value>{}</value></period>\
         <period start=\"0030\" end=\"0100\"><value>{}</value></period>\
         </measuringchannel></measuringpoint></area></message>",
        values[0], values[1]
    )
}

/// A zip of stored members.
fn zip_of(members: &[(&str, &str)]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
        })
    };
    let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
    let (mut files, mut list) = (Vec::new(), Vec::new());
    for (name, text) in members {
        let offset = size(&files);
        let (text, name_size) = (text.as_bytes(), u16::try_from(name.len()).unwrap().to_le_bytes());
        let sums = [crc(text).to_le_bytes(), size(text), size(text)].concat();
        // Version 2.0, no flags, stored, 1980-01-01.
        let head = [20, 0, 0, 0, 0, 0, 0, 0, 33, 0];
        files.extend([b"PK\x03\x04", &head[..], &sums, &name_size, &[0; 2], name.as_bytes(), text].concat());
        let tail = [&name_size[..], &[0; 12], &offset, name.as_bytes()].concat();
        list.extend([b"PK\x01\x02\x14\0", &head[..], &sums, &tail].concat());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let end = [&[0; 4], &count[..], &count, &size(&list), &size(&files), &[0; 2]].concat();
    [files, list, b"PK\x05\x06".to_vec(), end].concat()
}

#[test]
fn replies_tell_what_became_of_their_own_file_and_stop_nothing() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    let ingest = |files: &str| format!("tallywatt ingest {files} --profile 80020 {EKB} --replies replies");
    let reply = |name: &str| place.text(&format!("replies/reply_{name}.xml"));
    // Two of one name: the first is sound, the second is not.
    let (sound, other) = (message(7, "P-1", ["1", "2"]), message(8, "P-2", ["1", "x"]));
    place.write("mail.zip", zip_of(&[("a/same.xml", &sound), ("b/same.xml", &other)]));
    let told = place.expect(3, &format!("{} --format json", ingest("mail.zip"))).object();
    assert_eq!(told["replies"], 2, "{told}");
    let said = [reply("mail.zip!same"), reply("mail.zip!same-2")];
    assert!(said[0].contains("status=\"ok\" readings=\"2\" rejected=\"0\""), "{}", said[0]);
    assert!(said[1].contains("status=\"error\" readings=\"1\" rejected=\"1\""), "{}", said[1]);
    // What differs from a value of the same issue is not taken, whatever the decoder says.
    place.write("other.xml", message(7, "P-1", ["1", "3"]));
    place.expect(3, &ingest("other.xml"));
    let text = reply("other");
    assert!(text.contains("status=\"error\" readings=\"1\" rejected=\"1\""), "{text}");
    // A name of 240 bytes, cut inside a letter of two; and a reply whose place is taken.
    let long = format!("{}x", "ж".repeat(119));
    place.write(&format!("{long}.xml"), message(7, "P-3", ["1", "2"]));
    place.write("taken.xml", message(7, "P-4", ["1", "2"]));
    place.write("replies/reply_taken.xml/in_the_way", "");
    let told =
        place.expect(0, &format!("{} --format json", ingest(&format!("{long}.xml taken.xml")))).object();
    assert_eq!(told["replies"], 1, "{told}");
    assert!(told.to_string().contains("no reply to taken.xml"), "{told}");
    assert!(reply(&"ж".repeat(75)).contains("readings=\"2\""));
    // Both are sealed.
    for point in ["P-3", "P-4"] {
        place.expect(0, &format!("tallywatt readings show {point} 2026-03-02"));
    }
}

#[test]
fn what_was_offered_is_the_sum_of_what_became_of_it() {
    let place = tiny();
    let sum = |place: &Place, command: &str, code: i32| {
        place.expect(code, &format!("{command} --format json")).object()["sum"].clone()
    };
    let other = day("X-1", "2026-03-02").replace(",10,10", ",11,-1").replacen(",11,", ",10,", 1);
    place.write("other.csv", &other);
    let told = sum(&place, &format!("tallywatt ingest other.csv {EKB}"), 3);
    let text = told.as_str().unwrap();
    assert!(
        text.starts_with("48 = 0 accepted + 1 duplicate + 0 corrected + 23 conflict + 24 set aside"),
        "{text}"
    );
    place.write("empty.csv", "");
    let told = sum(&place, &format!("tallywatt ingest empty.csv {EKB}"), 2);
    assert_eq!(told, "0 = 0 accepted + 0 duplicate + 0 corrected + 0 conflict + 0 set aside + 0 refused");
}

/// A command on the tiny ledger, and what stderr must name.
const WRONG: &[(&str, &[&str])] = &[
    ("edit Y-1 2026-03-02 03:30=5 --who anna --reason 2", &["Y-1", "readings totals"]),
    ("edit X-1 2026-03-04 03:30=5 --who anna --reason 2", &["2026-03-04"]),
    ("edit X-1 2026-03-32 03:30=5 --who anna --reason 2", &["2026-03-32"]),
    ("edit X-1 2026-03-02 25:00=5 --who anna --reason 2", &["25:00", "14:30"]),
    ("edit X-1 2026-03-02 03:10=5 --who anna --reason 2", &["03:10", "30 minutes"]),
    ("edit X-1 2026-03-02 2026-03-03T00:00:00Z=5 --who anna --reason 2", &["no interval"]),
    ("edit X-1 2026-03-02 03:30=-5 --who anna --reason 2", &["R13", "negative", "nothing was recorded"]),
    ("edit X-1 2026-03-02 03:30=9999999999 --who anna --reason 2", &["R14", "ceiling"]),
    ("edit X-1 2026-03-02 03:30=1.5 --who anna --reason 2", &["1.5", "whole watt-hours"]),
    ("edit X-1 2026-03-02 03:30 --who anna --reason 2", &["03:30", "14:30=250"]),
    ("edit X-1 2026-03-02 03:30=5 03:30=6 --who anna --reason 2", &["twice"]),
    ("edit X-1 2026-03-02 03:30=5 --who anna --reason because", &["because", "manual-edit (2)"]),
    ("edit X-1 2026-03-02 03:30=5 --who anna --reason delivery", &["delivery"]),
    ("edit X-1 2026-03-02 03:30=5 --who Анна --reason 2", &["--who", "Latin"]),
    ("edit X-1 2026-03-02 03:30=5 --who anna --reason 2 --zone UTC", &["--zone", "2026-03-01T19:00:00Z"]),
    ("edit X-1 2026-03-02 03:30=5 --who anna --reason 2 --zone Mars/Phobos", &["Mars/Phobos"]),
    ("edit X-1 2026-03-02 --who anna --reason 2", &["required"]),
    ("show X-1 2026-03-02 --as-of 2", &["batch 2 is not sealed yet"]),
    ("show X-1 2026-03-02 --as-of 0", &["are sealed in batches 1 to 0"]),
    ("show Y-1 2026-03-02 --history", &["Y-1"]),
    ("approve 12 --who anna", &["64 lowercase hex digits", "readings pending"]),
    ("registers X-1", &["no reads and no meters of X-1"]),
    ("registers X-1 --obis power", &["power", "1-0:1.8.0"]),
];

const EXCHANGE: &str = "exchange X-1 --at 2026-03-10T00:00:00Z --old-meter M-1 --last 180 --new-meter M-2 --first 0 \
                        --digits 6 --multiplier 1";

/// A word of the exchange, what it is replaced by, and what stderr must name.
const WRONG_EXCHANGE: &[(&str, &str, &str)] = &[
    ("X-1", "Y-1", "nothing is known of meter M-1 at Y-1"),
    ("M-1", "M-9", "meter M-9"),
    ("2026-03-10T00:00:00Z", "2026-03-10", "not an instant"),
    ("--last 180", "--last x", "--last"),
    ("--first 0", "--first=-1", "below zero"),
    ("--first 0", "--first 1000000", "cannot show"),
    ("--last 180", "--last 1000000", "cannot show"),
    ("--digits 6", "--digits 13", "13 dials"),
    ("--multiplier 1", "--multiplier 0", "--multiplier"),
    ("--at 2026-03-10", "--at 2026-02-10", "nothing is known of meter M-1"),
];

#[test]
fn wrong_words_change_nothing_and_say_the_next_step() {
    let place = tiny();
    let check = |place: &Place, command: &str, says: &[&str]| {
        let before = place.status();
        let ran = place.expect(2, &format!("tallywatt readings {command}"));
        for said in says {
            assert!(ran.err.contains(said), "{command}: {said}: {}", ran.err);
        }
        let is_told = ran.err.contains("next: ") || ran.err.contains("--help");
        assert!(is_told, "{command}: no next step: {}", ran.err);
        assert_eq!(place.status(), before, "{command}");
    };
    for (command, says) in WRONG {
        check(&place, command, says);
    }
    let hash = "0".repeat(64);
    check(&place, &format!("approve {hash} --who anna"), &["no correction 0000", "readings pending"]);
    place.write("meters.csv", format!("{METERS}X-1,1-0:1.8.0,M-1,2026-03-01 00:00,100,,,6,1\n"));
    place.expect(0, "tallywatt ingest meters.csv --profile meters");
    for (word, wrong, said) in WRONG_EXCHANGE {
        check(&place, &EXCHANGE.replace(word, wrong), &[said]);
    }
    let ran = place.expect(2, &format!("tallywatt ingest day.csv {EKB} --replies replies"));
    assert!(ran.err.contains("await none") && !place.path().join("replies").exists(), "{}", ran.err);
}

/// A profile of hours in watt-hours.
fn long(settings: &str, column: &str) -> String {
    format!(
        "format = 'csv'\nlayout = 'long'\nunit = 'Wh'\nstamp_format = 'YYYY-MM-DD HH:mm'\nzone = 'UTC'\n\
         interval_minutes = 60\n{settings}\n[columns]\n{column}\nstart = 'start'\nvalue = 'v'\n"
    )
}

/// Files of one meter each, whose name is the meter's: equal bytes are not one file.
#[test]
fn equal_bytes_of_two_meters_are_two_files() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.write("name.toml", long("usage_point_from = 'file'", ""));
    for meter in ["MTR-A", "MTR-B"] {
        place.write(&format!("{meter}.csv"), "start,v\n2026-03-01 00:00,5\n2026-03-01 01:00,6\n");
    }
    let both = place.json("tallywatt ingest MTR-A.csv MTR-B.csv --profile name.toml");
    assert_eq!(
        json!([both["readings_offered"], both["accepted"], both["sealed_days"]]),
        json!([4, 4, 2]),
        "{both}"
    );
    let again = place.json("tallywatt ingest MTR-B.csv --profile name.toml");
    assert_eq!(again["batch"], "nothing new to seal");
}

/// What is tried again is read by the zone that it was read by.
#[test]
fn a_retry_keeps_the_zone() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.write("low.toml", long("max_power_w = 1", "usage_point = 'id'"));
    place.write("high.toml", long("", "usage_point = 'id'"));
    place.write("two.csv", "id,start,v\nX-1,2026-03-02 00:00,5\nX-1,2026-03-02 01:00,6\n");
    place.expect(3, "tallywatt ingest two.csv --profile low.toml --zone Asia/Yekaterinburg");
    place.expect(0, "tallywatt ingest --retry --profile high.toml");
    let shown = place.json("tallywatt readings show X-1 2026-03-02");
    assert_eq!(
        json!([shown["rows"][0]["interval_start"], shown["rows"][0]["wh"]]),
        json!(["2026-03-01T19:00:00Z", 5]),
        "{shown}"
    );
}

/// A day without a contract is edited by its own offset, also where that is none.
#[test]
fn an_edit_in_utc_and_an_exchange_kept_open() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.write("day.csv", day("X-1", "2026-03-02"));
    place.expect(0, "tallywatt ingest day.csv --zone UTC");
    place.expect(0, "tallywatt readings edit X-1 2026-03-02 00:30=201 --who anna --reason manual-edit");
    let shown = place.json("tallywatt readings show X-1 2026-03-02");
    assert_eq!(shown["rows"][1]["wh"], 201);
    place.write("meters.csv", format!("{METERS}X-1,1-0:1.8.0,M-1,2026-03-01 00:00,100,,,6,2\n"));
    place.expect(0, "tallywatt ingest meters.csv --profile meters");
    let exchange = |new: &str, more: &str| {
        format!(
            "tallywatt readings exchange X-1 --at 2026-03-10T00:00:00Z --old-meter M-1 --last 180 --new-meter {new} \
             --first 0 --digits 6 --multiplier 1{more}"
        )
    };
    place.expect(0, &exchange("M-2", " --keep-open"));
    // It is not sealed yet, and known all the same.
    let ran = place.expect(2, &exchange("M-3", ""));
    assert!(ran.err.contains("M-"), "{}", ran.err);
}
