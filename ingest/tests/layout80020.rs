//! Layout 80020: messages in every shape that senders give them, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::{run, tell};
use tallywatt_core::reading::Issued;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::Collected;

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
        (one("<value>0005,2500000</value>"), "P1 2009-12-31T21:00:00Z=5250"),
        (one("<value>\r\n\t5\r\n</value>"), "P1 2009-12-31T21:00:00Z=5000"),
        (one("<value>5 000</value>"), "P1 2009-12-31T21:00:00Z=5000000"),
        (one("<value>1\u{a0}048\u{202f}845,5</value>"), "P1 2009-12-31T21:00:00Z=1048845500"),
        (one("<value>-1 234.5</value>"), "P1 2009-12-31T21:00:00Z=-1234500"),
        (one("<value>+5</value>"), "P1 2009-12-31T21:00:00Z=5000"),
        (one("<value>.5</value>"), "P1 2009-12-31T21:00:00Z=500"),
        (one("<value>-,25</value>"), "P1 2009-12-31T21:00:00Z=-250"),
        // Blanks that set no thousands apart join nothing.
        (one("<value>1 5</value>"), "R11×1@6"),
        (one("<value>1234 567</value>"), "R11×1@6"),
        (one("<value>1 23 456</value>"), "R11×1@6"),
        (one("<value>1 234 </value><!-- -->"), "P1 2009-12-31T21:00:00Z=1234000"),
        (one("<value>0.5 000</value>"), "R11×1@6"),
        (one("<value>- 5</value>"), "R11×1@6"),
        (one("<value>.</value>"), "R11×1@6"),
        (one("<value>+</value>"), "R11×1@6"),
        (one("<value>5,000.5</value>"), "R11×1@6"),
        (one("<value>-5</value>"), "P1 2009-12-31T21:00:00Z=-5000"),
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
    // In the order of time or of the clock, at the end of the day, or without the first half-hour of the first pass.
    let clocks = [("0130", "0200"), ("0200", "0230"), ("0230", "0300"), ("0300", "0330")];
    for (slots, hours) in [
        ([0, 1, 2, 1, 2, 3].as_slice(), "21:30 22:00 22:30 23:00 23:30 00:00"),
        (&[0, 1, 1, 2, 2, 3], "21:30 22:00 23:00 22:30 23:30 00:00"),
        (&[0, 1, 2, 3, 1, 2], "21:30 22:00 22:30 00:00 23:00 23:30"),
        (&[0, 2, 1, 2, 3], "21:30 22:30 23:00 23:30 00:00"),
        (&[0, 1, 2, 2, 3], "21:30 22:00 22:30 23:30 00:00"),
        (&[0, 1, 2, 3], "21:30 22:00 22:30 00:00"),
    ] {
        let periods: String = slots.iter().map(|&slot| period(clocks[slot].0, clocks[slot].1, "1")).collect();
        let text = message("20101031", &[channel("01", &periods), channel("02", &periods)].concat());
        let (found, _) = run(&profile(), "x", text.as_bytes()).unwrap();
        let starts = found.readings.iter().map(|reading| reading.start.to_string()[11..16].to_owned());
        assert_eq!(starts.collect::<Vec<_>>().join(" "), format!("{hours} {hours}"), "{slots:?}");
    }
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
        (
            at_body("</measuringchannel>", &format!("{}</measuringchannel>", "<period/>".repeat(1 << 20))),
            "refused: periods of a message: more than 1048576",
        ),
        (
            at_body(
                "</measuringpoint>",
                &format!("{}</measuringpoint>", "<measuringchannel/>".repeat(1 << 16)),
            ),
            "refused: channels of a message: more than 65536",
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

fn with(keys: &str) -> Profile {
    Profile::parse("80020", &format!("format = \"80020\"\nzone = \"Europe/Moscow\"\n{keys}")).unwrap()
}

#[test]
fn statuses() {
    // Attributes of the value, and what they make of it.
    let table = [
        ("", ""),
        ("status=\"\"", ""),
        ("status=\"0\"", ""),
        ("status=\" 0 \" exstendedstatus=\"\" extendedstatus=\"0\"", ""),
        ("exstendedstatus=\"0000\"", ""),
        ("status=\"0\" exstendedstatus=\"1114\" param1=\"131150001113003\"", " derived"),
        ("status=\"0\" extendedstatus=\"1114\"", " derived"),
        ("extendedstatus=\"1114\" exstendedstatus=\"1114\"", " derived"),
        ("extendedstatus=\"1114\" exstendedstatus=\"1115\"", " raw"),
        ("status=\"0\" exstendedstatus=\"2\"", " raw"),
        ("status=\"0\" extendedstatus=\"x\"", " raw"),
        ("status=\"1\"", " raw"),
        ("status=\"1\" exstendedstatus=\"1114\"", " raw"),
        ("status=\"01\"", "R16"),
        ("status=\"yes\" exstendedstatus=\"1114\"", "R16"),
    ];
    for (attributes, want) in table {
        let period = format!("<period start=\"0000\" end=\"0030\"><value {attributes}>5</value></period>");
        let want = match want {
            "R16" => "R16×1@6".to_owned(),
            quality => format!("P1 2009-12-31T21:00:00Z=5000{quality}"),
        };
        check("20100101", &channel("01", &period), &want);
    }
}

#[test]
fn groups_and_flows() {
    let hour = |value: &str| period("0000", "0100", value);
    let body = format!(
        "{}<deliverygroup code=\"G1\" name=\"x\">{}</deliverygroup>\n<peretok codefrom=\"A\" codeto=\"B\">{}</peretok>\
         <deliverygroup code=\"G2\">{}</deliverygroup>",
        channel("01", &hour("1")),
        hour("2"),
        hour("3"),
        hour("4"),
    );
    let text = message("20100101", &body);
    let (found, summary) = run(&profile(), "x", text.as_bytes()).unwrap();
    assert_eq!(found.readings.len(), 1);
    assert_eq!((summary.ignored_count, summary.ignored_group_count, summary.ignored_flow_count), (3, 2, 1));
    let (found, summary) = run(&with("groups = true"), "x", text.as_bytes()).unwrap();
    assert_eq!((summary.ignored_count, found.rejections), (0, vec![]));
    let told: Vec<_> = found
        .readings
        .iter()
        .map(|reading| format!("{} {} {}", reading.usage_point, reading.register, reading.energy_wh))
        .collect();
    let want = ["P1 1-0:1.8.0 1000", "G1 1-0:1.8.0 2000", "A>B 1-0:1.8.0 3000", "G2 1-0:1.8.0 4000"];
    assert_eq!(told, want);
    // A channel has no place in a group, and a code must be a name.
    let in_group = message(
        "20100101",
        &format!(
            "<deliverygroup code=\"G\"><measuringchannel code=\"01\">{}</measuringchannel></deliverygroup>",
            hour("1")
        ),
    );
    assert!(
        tell(&with("groups = true"), in_group.as_bytes())
            .starts_with("refused: line 6: element \"measuringchannel\"")
    );
    let unnamed = message("20100101", &format!("<peretok codefrom=\"Ж\">{}</peretok>", hour("1").repeat(2)));
    assert_eq!(tell(&with("groups = true"), unnamed.as_bytes()), "R04×2@6");
}

#[test]
fn either_class() {
    let message_80020 = message("20100101", &channel("01", &period("0000", "0030", "1")));
    let message_80040 = message_80020.replace("80020", "80040");
    let taken = "P1 2009-12-31T21:00:00Z=1000";
    let refused =
        |class: &str, wanted: &str| format!("refused: line 2: message class \"{class}\", not {wanted}");
    let table = [
        ("", &message_80020, taken.to_owned()),
        ("", &message_80040, taken.to_owned()),
        ("class = \"80020\"", &message_80020, taken.to_owned()),
        ("class = \"80040\"", &message_80040, taken.to_owned()),
        ("class = \"80020\"", &message_80040, refused("80040", "80020")),
        ("class = \"80040\"", &message_80020, refused("80020", "80040")),
    ];
    for (keys, text, want) in table {
        assert_eq!(tell(&with(keys), text.as_bytes()), want, "{keys}");
    }
    let error = Profile::parse("x", "format = \"80020\"\nzone = \"UTC\"\nclass = \"80030\"\n").unwrap_err();
    assert_eq!(error.to_string(), "line 3: `class` is \"80030\", need 80020 or 80040");
    let error = Profile::parse("x", "format = \"nem12\"\ngroups = true\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: `groups` has no meaning in this format and layout");
}

#[test]
fn changed_clocks() {
    let hour = |start: &str, end: &str, value: &str| channel("01", &period(start, end, value));
    // Forwards over 02:00 to 03:00: files hold that hour with nothing in it.
    let forward = "20100328";
    check(forward, &hour("0200", "0230", "0"), "");
    check(forward, &hour("0230", "0300", ""), "");
    check(forward, &hour("0200", "0300", "0.000"), "");
    check(forward, &hour("0230", "0300", "7"), "R08×1@6");
    check(forward, &hour("0230", "0300", "x"), "R08×1@6");
    let text = message(forward, &hour("0200", "0300", "0"));
    assert_eq!(run(&profile(), "x", text.as_bytes()).unwrap().1.null_count, 1);
    // The half-hour before it may end at either name of the instant.
    for end in ["0200", "0300"] {
        check(forward, &hour("0130", end, "1"), "P1 2010-03-27T22:30:00Z=1000");
    }
    check(forward, &hour("0130", "0330", "1"), "P1 2010-03-27T22:30:00Z=1000");
    check(forward, &hour("0100", "0330", "1"), "R09×1@6");
    // Backwards: the half-hour before the second 02:00 may end at it.
    let summer = "<period start=\"0230\" end=\"0200\" summer=\"1\"><value>1</value></period>";
    check("20101031", &channel("01", summer), "P1 2010-10-30T22:30:00Z=1000");
    for plain in ["20101030", "20110101"] {
        check(plain, &channel("01", &period("0230", "0200", "1")), "R09×1@6");
        check(plain, &channel("01", &period("0130", "0300", "1")), "R09×1@6");
    }
    // Midnight by either name is the day's end, never its start.
    for end in ["0000", "2400"] {
        check("20101031", &hour("2330", end, "1"), "P1 2010-10-31T20:30:00Z=1000");
        check("20101031", &hour("2300", end, "1"), "P1 2010-10-31T20:00:00Z=1000");
        check("20101031", &hour("0000", end, "1"), "R09×1@6");
    }
    check("20101031", &hour("2400", "0030", "1"), "R07×1@6");
}

/// A whole day of a changed clock: every half-hour of it once, in order, and its line.
#[test]
fn whole_days_of_changed_clocks() {
    let clock = |slot: usize| format!("{:02}{:02}", slot / 2 % 24, slot % 2 * 30);
    let day = |slots: &[(usize, bool)]| -> String {
        let period = |&(slot, summer): &(usize, bool)| {
            let (start, end, summer) = (clock(slot), clock(slot + 1), u8::from(summer));
            format!(
                "\n<period start=\"{start}\" end=\"{end}\" summer=\"{summer}\"><value>{}</value></period>",
                slot + 1
            )
        };
        slots.iter().map(period).collect()
    };
    let winter = |slot| (slot, false);
    let october: Vec<_> = (0..6).map(|slot| (slot, true)).chain((4..48).map(winter)).collect();
    let march: Vec<_> = (0..4).map(winter).chain((6..48).map(|slot| (slot, true))).collect();
    let plain: Vec<_> = (0..48).map(winter).collect();
    let table = [
        ("20101031", "2", october, "2010-10-30T20:00:00Z", 50),
        ("20100328", "2", march, "2010-03-27T21:00:00Z", 46),
        ("20100501", "1", plain, "2010-04-30T20:00:00Z", 48),
    ];
    for (date, daylight, slots, first, count) in table {
        let body = ["01", "02"].map(|code| channel(code, &day(&slots))).concat();
        let text = message(date, &body).replace("time>0<", &format!("time>{daylight}<"));
        let (found, _) = run(&profile(), "x", text.as_bytes()).unwrap();
        assert_eq!(found.rejections, [], "{date}");
        assert_eq!(found.readings.len(), 2 * count, "{date}");
        for (channel, readings) in (0..).zip(found.readings.chunks(count)) {
            assert_eq!(readings[0].start.to_string(), first);
            assert!(readings.windows(2).all(|pair| pair[1].start.0 - pair[0].start.0 == 1_800), "{date}");
            let lines = (1..).map(|at| 6 + channel * u64::try_from(count).unwrap() + at);
            assert!(readings.iter().zip(lines).all(|(reading, line)| reading.line == line), "{date}");
            let energies = readings.iter().map(|reading| reading.energy_wh);
            assert!(
                energies.eq(slots.iter().map(|(slot, _)| (i64::try_from(*slot).unwrap() + 1) * 1_000)),
                "{date}"
            );
        }
    }
}

#[test]
fn what_does_not_fit_together_is_told() {
    let good = message("20100101", &channel("01", &period("0000", "0030", "1")))
        .replace("<sender><name>Завод</name><inn>1<", "<sender><name>Завод</name><inn>66<");
    let told = |name: &str, text: &str| {
        let (found, _) = run(&profile(), name, text.as_bytes()).unwrap();
        assert_eq!(found.readings.len(), 1, "values are taken all the same");
        let misfits = found.rejections.iter().map(|rejection| {
            assert_eq!((rejection.reading_count, rejection.line), (0, 2));
            format!("{} {}", rejection.code, rejection.raw)
        });
        misfits.collect::<Vec<_>>().join("; ")
    };
    let names = [
        ("80020_66_20100101_7.xml", ""),
        ("80020_66_20100101_0007_4200003300.xml", ""),
        // The area's number.
        ("80020_1_20100101_7.xml", ""),
        ("80020_67_20100101_7.xml", "R03 file name says inn 67, message says 66"),
        ("80020_66_20100102_7.xml", "R03 file name says day 20100102, message says 20100101"),
        ("80020_66_20100101_8.xml", "R03 file name says number 8, message says 7"),
        ("80040_66_20100101_7.xml", "R03 file name says class 80040, message says 80020"),
        (
            "80040_66_20101301_8.xml",
            "R03 file name says class 80040, message says 80020; R03 file name says day 20101301, message says 20100101; \
             R03 file name says number 8, message says 7",
        ),
        ("town.xml", ""),
    ];
    for (name, want) in names {
        assert_eq!(told(name, &good), want, "{name}");
    }
    let table = [
        ("time>0<", "time>1<", ""),
        ("time>0<", "time><", ""),
        (
            "time>0<",
            "time>2<",
            "R07 daylightsavingtime 2, but the clock of Europe/Moscow is not changed on 2010-01-01",
        ),
        ("time>0<", "time>3<", "R07 daylightsavingtime \"3\", not 0, 1 or 2"),
        ("number=\"7\"", "number=\"VII\"", "R03 message number \"VII\""),
        ("number=\"7\"", "number=\"999999999999999999\"", ""),
        ("number=\"7\"", "number=\"1000000000000000000\"", "R03 message number \"1000000000000000000\""),
        ("number=\"7\"", "", ""),
        ("20100101000000", "20100101", "R07 timestamp \"20100101\", not YYYYMMDDHHMMSS"),
        ("20100101000000", "201001010000", ""),
        ("20100101000000", "", ""),
    ];
    for (from, to, want) in table {
        assert_eq!(told("x", &good.replace(from, to)), want, "{to}");
    }
}

#[test]
fn a_later_message_supersedes() {
    let issued = |timestamp: &str, number: &str| {
        let text = message("20100101", &channel("01", &period("0000", "0030", "1")))
            .replace("20100101000000", timestamp)
            .replace("number=\"7\"", &format!("number=\"{number}\""));
        let (found, _) = run(&profile(), "x", text.as_bytes()).unwrap();
        assert!(found.issues.iter().all(|from| from.reading_index == 0));
        found.issues.first().map_or(Issued::UNSAID, |from| from.issued)
    };
    // From the first to the last, each later than the one before: by number, and of one number by the clock.
    let in_order = [
        ("", ""),
        ("20100101000000", ""),
        ("", "1"),
        ("20110101000000", "1"),
        ("", "3"),
        ("19700101000001", "3"),
        ("201001010001", "3"),
        ("20100101000101", "3"),
        ("20991231235959", "3"),
        ("20100101000000", "4"),
        ("20101231235959", "536870911"),
        ("20100101235959", "536870912"),
        ("20100102000000", "536870912"),
        ("", "20100101000001"),
        ("20100101000000", "70368744177663"),
        ("20100101000000", "70368744177664"),
        ("", "999999999999999999"),
    ];
    let issues: Vec<Issued> = in_order.iter().map(|(timestamp, number)| issued(timestamp, number)).collect();
    assert!(issues.is_sorted_by(|earlier, later| earlier < later), "{issues:?}");
    assert_eq!(issues[0], Issued::UNSAID);
    // 1,262,304,060 seconds after 1970 began, number 3.
    assert_eq!(issues[6], Issued(3 << 34 | 1_262_304_060));
    // 14,611 days after, in the form that begins with the bits 10.
    assert_eq!(issues[12], Issued(0b10 << 62 | 536_870_912 << 16 | 14_611));
    assert_eq!(issues[16], Issued(0b11 << 62 | 999_999_999_999_999_999));
    assert_eq!(issued("20100101000000", "70368744177664"), issued("20110101000000", "70368744177664"));
    assert_eq!(issued("20100101000101", "4"), issued("20100101000101", "0000000000000000000004"));
    assert_eq!(issued("20100101000101", "4"), issued("20100101000101", "0004"));
}

/// Exporters round to whole kWh and carry the remainder to the next half-hour: five of 10.4 kWh.
#[test]
fn rounded_with_carry() {
    let mut carried_wh = 0;
    let rounded: Vec<i64> = [10_400; 5]
        .map(|wh: i64| {
            let kwh = (wh + carried_wh + 500).div_euclid(1_000);
            carried_wh += wh - kwh * 1_000;
            kwh
        })
        .into();
    assert_eq!(rounded, [10, 11, 10, 11, 10]);
    let clocks = ["0000", "0030", "0100", "0130", "0200", "0230"];
    let periods: String =
        (0..5).map(|at| period(clocks[at], clocks[at + 1], &rounded[at].to_string())).collect();
    let (found, _) = run(&profile(), "x", message("20100101", &channel("01", &periods)).as_bytes()).unwrap();
    assert_eq!(found.readings.iter().map(|reading| reading.energy_wh).sum::<i64>(), 52_000);
}

#[test]
fn as_mailed() {
    let text = message("20100101", &channel("01", &period("0000", "0030", "1")));
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["80020_1_20100101_7.xml", "80020_1_20100101_8.xml"] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
    }
    let mut told = Vec::new();
    each_member("mail.zip", writer.finish().unwrap(), &mut |name, bytes| {
        let mut found = Collected::default();
        decode(&profile(), name, bytes, &mut found)?;
        told.push((name.to_owned(), found.readings.len(), found.rejections.len()));
        Ok::<(), FileRefusal>(())
    })
    .unwrap();
    let want = [("80020_1_20100101_7.xml", 1, 0), ("80020_1_20100101_8.xml", 1, 1)];
    assert_eq!(told, want.map(|(name, readings, rejections)| (name.to_owned(), readings, rejections)));
}
