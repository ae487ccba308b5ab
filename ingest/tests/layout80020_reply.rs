//! Replies to 80020 messages: whole texts, in both encodings, and what no input may break.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use tallywatt_core::calendar::{UtcSeconds, Zone};
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_ingest::decode::{DecodeSummary, decode};
use tallywatt_ingest::layout80020_reply::{ERROR_COUNT_MAX, Encoding, MessageFacts, Outcome, Reply};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::sink::Collected;

const NAME: &str = "80020_5257072937_20260301_7.xml";

fn message(encoding: &str, values: [&str; 2]) -> String {
    let [first, second] = values;
    format!(
        "<?xml version=\"1.0\" encoding=\"{encoding}\"?>\n<message class=\"80020\" version=\"2\" number=\"7\">\n\
         <datetime><timestamp>20260302040922</timestamp><daylightsavingtime>0</daylightsavingtime><day>20260301</day></datetime>\n\
         <sender><inn>5257072937</inn></sender>\n<area><inn>1</inn>\n\
         <measuringpoint code=\"P\"><measuringchannel code=\"01\">\n\
         <period start=\"0000\" end=\"0030\"><value>{first}</value></period>\n\
         <period start=\"0030\" end=\"0100\"><value>{second}</value></period>\n\
         </measuringchannel></measuringpoint><peretok/><deliverygroup/><deliverygroup/></area></message>\n"
    )
}

fn replied(name: &str, bytes: &[u8]) -> Vec<u8> {
    let zone = Zone::parse("Europe/Moscow").unwrap();
    // 2026-03-02 04:15:07 in Moscow.
    let reply = Reply { id: 13, at: UtcSeconds(1_772_414_107), zone: &zone };
    let mut found = Collected::default();
    let decoded = decode(&Profile::builtin("80020").unwrap(), name, &mut &bytes[..], &mut found);
    let problem = decoded.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let outcome = match &decoded {
        Ok(summary) => Outcome::Taken { summary, rejections: &found.rejections },
        Err(refusal) => {
            Outcome::Refused { problem: &problem, next_step: refusal.next_step(), line: refusal.line() }
        }
    };
    reply.write(name, &MessageFacts::read(bytes), &outcome)
}

#[track_caller]
fn check(name: &str, message: &str, want: &str) {
    assert_eq!(String::from_utf8(replied(name, message.as_bytes())).unwrap(), want);
}

#[test]
fn whole_texts() {
    let head = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
        <message class=\"60091\" version=\"1\" id=\"13\" datetime=\"20260302041507\">\n\
        <file name=\"80020_5257072937_20260301_7.xml\" class=\"80020\" number=\"7\" inn=\"5257072937\" day=\"20260301\">\n";
    let tail = "</reply>\n</file>\n</message>\n";
    check(
        NAME,
        &message("utf-8", ["5", "6"]),
        &format!(
            "{head}<reply status=\"ok\" readings=\"2\" rejected=\"0\" groups=\"2\" flows=\"1\" errors=\"0\">\n{tail}"
        ),
    );
    check(
        NAME,
        &message("utf-8", ["5", "&lt;ж"]),
        &format!(
            "{head}<reply status=\"error\" readings=\"1\" rejected=\"1\" groups=\"2\" flows=\"1\" errors=\"1\">\n\
             <error line=\"8\" code=\"R11\" readings=\"1\"><reason>not a number</reason><text>&lt;ж</text></error>\n{tail}"
        ),
    );
    check(
        NAME,
        message("utf-8", ["5", "6"]).split("</area>").next().unwrap(),
        &format!(
            "{head}<reply status=\"error\" readings=\"0\" errors=\"1\">\n\
             <error line=\"9\"><reason>line 9: file is cut off: elements are still open</reason>\
             <step>fetch the file again: its end is missing</step></error>\n{tail}"
        ),
    );
}

#[test]
fn in_the_encoding_of_the_message() {
    let sent = message("windows-1251", ["5", "1"]).replace("P\"", "Ж\"");
    let bytes: Vec<u8> = sent.chars().map(|letter| if letter == 'Ж' { 0xc6 } else { letter as u8 }).collect();
    let reply = replied("80020_файл_€_№_漢.xml", &bytes);
    assert!(reply.starts_with(b"<?xml version=\"1.0\" encoding=\"windows-1251\"?>\n"));
    let holds = |part: &[u8]| reply.windows(part.len()).any(|found| found == part);
    // In windows-1251; a letter it lacks is a reference.
    assert!(holds(b"name=\"80020_\xf4\xe0\xe9\xeb_\x88_\xb9_&#28450;.xml\""));
    assert!(holds(b"code=\"R04\" readings=\"2\"><reason>not a usage point name</reason><text>point \xc6 channel 01</text>"));
}

#[test]
fn facts_of_what_can_be_read() {
    let whole = message("utf-8", ["5", "6"]);
    let facts = |text: &str| {
        let MessageFacts { class, number, sender_inn, day, .. } = MessageFacts::read(text.as_bytes());
        format!("{class} {number} {sender_inn} {day}")
    };
    let table = [
        (whole.as_str(), "80020 7 5257072937 20260301"),
        (&whole.replace("<area>", "<area></wrong>"), "80020 7 5257072937 20260301"),
        (whole.split("<sender>").next().unwrap(), "80020 7  20260301"),
        (&whole.replace("80020", "80030"), "80030 7  "),
        ("<html/>", "   "),
        ("", "   "),
    ];
    for (text, want) in table {
        assert_eq!(facts(text), want);
    }
    let unknown = MessageFacts::read(whole.replace("utf-8", "koi8-r").as_bytes());
    assert_eq!((unknown.class.as_str(), unknown.encoding), ("", Encoding::Utf8));
}

#[test]
fn long_lists_and_odd_names() {
    let zone = Zone::parse("UTC").unwrap();
    let reply = Reply { id: u64::MAX, at: UtcSeconds(i64::MIN), zone: &zone };
    let rejections =
        vec![Rejection::new(RejectionCode::Structure, 1, 1, b"\"'<&>\x01]]>"); ERROR_COUNT_MAX + 5];
    let outcome = Outcome::Taken { summary: &DecodeSummary::default(), rejections: &rejections };
    let text = reply.write(&"\"<\u{1}\n\u{ffff}".repeat(500), &MessageFacts::default(), &outcome);
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("<error ").count(), ERROR_COUNT_MAX);
    assert!(text.contains(&format!("errors=\"{}\"", ERROR_COUNT_MAX + 5)) && text.contains("datetime=\"\""));
    assert!(text.contains("<text>&quot;&apos;&lt;&amp;&gt;\\u{1}]]&gt;</text>"));
    assert!(text.len() < 300_000 && !text.chars().any(|letter| letter.is_control() && letter != '\n'));
}
