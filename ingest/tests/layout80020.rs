//! Layout 80020: messages in every shape that senders give them, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::{run, tell};
use tallywatt_ingest::profile::Profile;

/// Moscow turned its clocks until 2011: 2010-10-31 has 25 hours, 2010-03-28 has 23.
fn profile() -> Profile {
    Profile::builtin("80020").unwrap()
}

fn message(day: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<message class=\"80020\" version=\"2\" number=\"7\">\n\
         <datetime><timestamp>20100101000000</timestamp><daylightsavingtime>0</daylightsavingtime>\
         <day>{day}</day></datetime>\n<sender><name>Завод</name><inn>1</inn></sender>\n\
         <area timezone=\"1\"><inn>1</inn><name>Цех</name>\n{body}\n</area>\n</message>\n"
    )
}

fn channel(code: &str, periods: &str) -> String {
    format!(
        "<measuringpoint code=\"P1\" name=\"Ввод 1\"><measuringchannel code=\"{code}\" desc=\"x\">{periods}</measuringchannel></measuringpoint>"
    )
}

fn period(start: &str, end: &str, value: &str) -> String {
    format!("<period start=\"{start}\" end=\"{end}\"><value>{value}</value></period>")
}

#[track_caller]
fn check(day: &str, body: &str, want: &str) {
    assert_eq!(tell(&profile(), message(day, body).as_bytes()), want, "{body}");
}

#[test]
fn periods() {
    let one = |inner: &str| channel("01", &format!("<period start=\"0000\" end=\"0030\">{inner}</period>"));
    let table = [
        (one("<value status=\"0\">5</value>"), "P1 2009-12-31T21:00:00Z=5000"),
        (one("<value>\n  5.25\n</value>"), "P1 2009-12-31T21:00:00Z=5250"),
        (one("<value>5,25</value>"), "P1 2009-12-31T21:00:00Z=5250"),
        (one("<value><![CDATA[5]]>&#50;</value>"), "P1 2009-12-31T21:00:00Z=52000"),
        (
            one("<value status=\"1\" exstendedstatus=\"2\" extendedstatus=\"3\">5</value>"),
            "P1 2009-12-31T21:00:00Z=5000 raw",
        ),
        (one("<value status=\"2\">5</value>"), "R16×1@6"),
        (one("<value>5</value><value>6</value>"), "R03×1@6"),
        (one("<value>five</value>"), "R11×1@6"),
        (one("<value>0.0005</value>"), "R12×1@6"),
        (one("<value/>"), "R17×1@6"),
        (one(""), "R17×1@6"),
        (channel("02", &period("2330", "0000", "1")), "P1 2010-01-01T20:30:00Z=1000"),
        (channel("03", &period("2300", "2400", "1")), "P1 2010-01-01T20:00:00Z=1000"),
        (channel("04", &period("0000", "0045", "1")), "R09×1@6"),
        (channel("01", &period("0000", "2500", "1")), "R07×1@6"),
        (channel("01", "<period start=\"0000\"><value>1</value></period>"), "R07×1@6"),
        (channel("05", &period("0000", "0030", "1").repeat(3)), "R05×3@6"),
        (channel("01", &period("0000", "0030", "1")).replace("P1", "Ж"), "R04×1@6"),
        (
            channel("01", &period("0000", "0030", "1")).replace("measuringpoint", "accountpoint"),
            "P1 2009-12-31T21:00:00Z=1000",
        ),
        (
            channel("01", &period("0000", "0030", "1")).replace("measuringpoint", "deliverypoint"),
            "P1 2009-12-31T21:00:00Z=1000",
        ),
    ];
    for (body, want) in table {
        check("20100101", &body, want);
    }
}

#[test]
fn flows_areas_and_what_is_passed_over() {
    let all = ["01", "02", "03", "04"].map(|code| channel(code, &period("0000", "0100", "1"))).concat();
    let groups = "<deliverygroup code=\"g\"><period start=\"0000\" end=\"0100\"><value>9</value></period></deliverygroup>\
                  <peretok codefrom=\"a\" codeto=\"b\"/>";
    let text = message("20100101", &format!("{all}{groups}</area><area timezone=\"1\">{all}"));
    let (found, summary) = run(&profile(), "x", text.as_bytes()).unwrap();
    let flows: Vec<String> = found.readings.iter().map(|reading| reading.register.to_string()).collect();
    assert_eq!(flows[..4], ["1-0:1.8.0", "1-0:2.8.0", "1-0:3.8.0", "1-0:4.8.0"]);
    assert_eq!((flows.len(), summary.ignored_count), (8, 2));
    assert!(found.readings.iter().all(|reading| reading.interval_minutes == 60));
}

#[test]
fn windows_1251() {
    let text =
        message("20100101", &channel("01", &period("0000", "0030", "1"))).replace("utf-8", "windows-1251");
    let bytes: Vec<u8> = text
        .chars()
        .map(|letter| {
            u8::try_from(u32::from(letter))
                .unwrap_or_else(|_| u8::try_from(u32::from(letter) - 0x350).unwrap())
        })
        .collect();
    assert!(std::str::from_utf8(&bytes).is_err());
    assert_eq!(tell(&profile(), &bytes), "P1 2009-12-31T21:00:00Z=1000");
    let marked = text.replace("windows-1251", "UTF-8");
    assert_eq!(tell(&profile(), format!("\u{feff}{marked}").as_bytes()), "P1 2009-12-31T21:00:00Z=1000");
    assert_eq!(
        tell(&profile(), text.replace("windows-1251", "koi8-r").as_bytes()),
        "refused: line 1: not text in utf-8 or windows-1251"
    );
    assert_eq!(
        tell(
            &profile(),
            &bytes.iter().map(|&byte| if byte == b'w' { b'W' } else { byte }).collect::<Vec<_>>()
        ),
        "P1 2009-12-31T21:00:00Z=1000"
    );
    let undeclared = text.replace(" encoding=\"windows-1251\"", "").replace("Завод", "\u{0}");
    assert_eq!(
        tell(&profile(), [undeclared.as_bytes(), b"\xff"].concat().as_slice()),
        "refused: line 9: not text in utf-8"
    );
}

#[test]
fn the_doubled_hour() {
    let flagged = |summer: &str, start: &str, end: &str| {
        format!("<period start=\"{start}\" end=\"{end}\" summer=\"{summer}\"><value>1</value></period>")
    };
    let (first, second) = ("P1 2010-10-30T22:00:00Z=1000", "P1 2010-10-30T23:00:00Z=1000");
    // Marked: the mark decides, whatever the order.
    let marked = [flagged("0", "0200", "0300"), flagged("1", "0200", "0300")].concat();
    check("20101031", &channel("01", &marked), &format!("{second}; {first}"));
    // Not marked: the order decides.
    let plain = period("0200", "0300", "1").repeat(2);
    check("20101031", &channel("01", &plain), &format!("{first}; {second}"));
    let halves = [period("0200", "0230", "1"), period("0230", "0300", "1")].concat().repeat(2);
    let (found, _) = run(&profile(), "x", message("20101031", &channel("01", &halves)).as_bytes()).unwrap();
    let steps: Vec<i64> = found.readings.windows(2).map(|pair| pair[1].start.0 - pair[0].start.0).collect();
    assert_eq!(steps, [1_800; 3]);
    // The mark means nothing outside the doubled hour, and cannot be other than 0 or 1.
    check("20100701", &channel("01", &flagged("1", "0000", "0030")), "P1 2010-06-30T20:00:00Z=1000");
    check("20100701", &channel("01", &flagged("2", "0000", "0030")), "R07×1@6");
    check("20100328", &channel("01", &period("0200", "0230", "1")), "R08×1@6");
}

#[test]
fn messages_that_are_refused() {
    let good = message("20100101", &channel("01", &period("0000", "0030", "1")));
    let at_body = |from: &str, to: &str| good.replacen(from, to, 1);
    let attributes: String = (0..65).map(|at| format!(" a{at}=\"\"")).collect();
    let table = [
        (
            at_body("<message", "<!DOCTYPE x><message"),
            "refused: line 2: document types and entities are never taken",
        ),
        (
            at_body("<message", "<!doctype x [<!ENTITY a \"b\">]><message"),
            "refused: line 2: document types and entities are never taken",
        ),
        (at_body(">1</value>", ">&a;</value>"), "refused: line 6: an entity that XML does not define"),
        (at_body("80020", "80030"), "refused: line 2: message class \"80030\", not 80020 or 80040"),
        (
            at_body("<day>20100101", "<day>20101301"),
            "refused: line 3: day \"20101301\" is not one date written YYYYMMDD",
        ),
        (at_body("<day>20100101</day>", ""), "refused: line 1: the message names no day"),
        (
            at_body("<sender>", "<period/><sender>"),
            "refused: line 4: element \"period\" where it may not stand",
        ),
        (at_body("</measuringchannel>", ""), ""),
        (at_body("name=\"Ввод 1\"", "name=\"a\" name=\"b\""), ""),
        (at_body("desc=\"x\"", "desc=x"), ""),
        (
            at_body("desc=\"x\"", &attributes),
            "refused: line 6: more than 64 attributes, or one that is too long",
        ),
        (
            at_body("<sender>", &format!("<sender>{}", "<a>".repeat(40))),
            "refused: line 4: elements nested deeper than 32, or a name past 256 bytes",
        ),
        (
            at_body(">1</value>", &format!(">{}</value>", "1".repeat(70_000))),
            "refused: text of an element in bytes: more than 65536",
        ),
        (format!("{good}<message/>"), "refused: line 9: element \"message\" where it may not stand"),
        (format!("{good}x"), "refused: line 9: text outside the root element"),
        ("<html></html>".to_owned(), "refused: line 1: the root element is \"html\", not a message"),
        (message("20100101", ""), "refused: file holds no readings"),
        (String::new(), "refused: file is empty"),
        (" \n".to_owned(), "refused: line 2: file is cut off: no message"),
    ];
    for (text, want) in table {
        let got = tell(&profile(), text.as_bytes());
        assert!(if want.is_empty() { got.starts_with("refused") } else { got == want }, "{got}\n{want}");
    }
    // Cut anywhere, it gives nothing.
    let whole = good.trim_end();
    for size in (0..whole.len()).filter(|&size| whole.is_char_boundary(size)) {
        assert!(tell(&profile(), &whole.as_bytes()[..size]).starts_with("refused"), "cut to {size}");
    }
    assert_eq!(tell(&profile(), whole.as_bytes()), "P1 2009-12-31T21:00:00Z=1000");
}
