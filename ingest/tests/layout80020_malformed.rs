//! Layout 80020: ten thousand malformed files, each decoded or refused with a reason and a place.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;
#[path = "common/messages.rs"]
mod messages;
#[path = "common/ways.rs"]
mod ways;

use common::bend::{Watch, bend};
use common::run;
use messages::message;
use tallywatt_core::calendar::UtcSeconds;
use tallywatt_ingest::layout80020_reply::{MessageFacts, Outcome, Reply};
use tallywatt_ingest::profile::Profile;
use ways::Dice;

const FILE_COUNT: u64 = 10_000;
const SEED: u64 = 2_026;

/// Files that say little and would be held at great length.
#[test]
fn files_that_amplify() {
    let profile = Profile::builtin("80020").unwrap();
    let code = "A".repeat(60_000);
    let period = "<period start=\"0000\" end=\"0030\"><value>1</value></period>";
    let message = |body: &str| {
        format!(
            "<message class=\"80020\" number=\"1\"><datetime><day>20260301</day></datetime><area>{body}</area></message>"
        )
    };
    let point = |code: &str, body: &str| format!("<measuringpoint code=\"{code}\">{body}</measuringpoint>");
    let channel = format!("<measuringchannel code=\"01\">{period}</measuringchannel>");
    for (body, want) in [
        (point(&code, &format!("{}{channel}", "<measuringchannel/>".repeat(60_000))), "60001 set aside"),
        (point(&code, &"<measuringchannel/>".repeat(70_000)), "channels of a message: more than 65536"),
        (
            point(
                "A",
                &format!("<measuringchannel code=\"01\">{}</measuringchannel>", "<period/>".repeat(500_000)),
            ),
            "500000 set aside",
        ),
        (
            point("A", &format!("<measuringchannel code=\"01\">{}", "<period/>".repeat(1_100_000))),
            "periods of a message: more than 1048576",
        ),
        (
            (0..20)
                .map(|at| point("A", &format!("<measuringchannel code=\"{at}{code}\"/>")))
                .collect::<String>()
                + &point("A", &channel),
            "20 set aside",
        ),
    ] {
        let text = message(&body);
        let watch = Watch::start();
        let told = match run(&profile, "x", text.as_bytes()) {
            Ok((found, _)) => format!("{} set aside", found.rejections.len()),
            Err(refusal) => refusal.to_string(),
        };
        watch.stop(&|| want.to_owned());
        assert_eq!(told, want);
    }
}

#[test]
fn malformed_files() {
    println!("seed {SEED}");
    let mut dice = Dice(SEED);
    let profile = Profile::builtin("80020").unwrap();
    let sound: Vec<Vec<u8>> = (0..60).map(|at| message(&mut dice, at % 2 == 0)).collect();
    let reply = Reply { id: 1, at: UtcSeconds(1_772_400_000), zone: profile.zone() };
    let (mut refused_count, mut rejected_count) = (0, 0);
    for file in 0..FILE_COUNT {
        let (one, other) = (dice.below(sound.len()), dice.below(sound.len()));
        let bytes = bend(&sound[one], &sound[other], SEED + file);
        let watch = Watch::start();
        let decoded = run(&profile, "80020_5257072937_20260301_7.xml", &bytes);
        watch.stop(&|| format!("file {file}"));
        let facts = MessageFacts::read(&bytes);
        let receipt = match &decoded {
            Err(refusal) => {
                refused_count += 1;
                assert!(!refusal.next_step().is_empty() && !refusal.to_string().is_empty());
                let problem = &refusal.to_string();
                let (next_step, line) = (refusal.next_step(), refusal.line());
                reply.write("x", &facts, &Outcome::Refused { problem, next_step, line })
            }
            Ok((found, summary)) => {
                rejected_count += found.rejections.len();
                for rejection in &found.rejections {
                    assert!(!rejection.code.reason().is_empty(), "file {file}");
                    assert!((1..=summary.line_count).contains(&rejection.line), "file {file}: {rejection:?}");
                }
                reply.write("x", &facts, &Outcome::Taken { summary, rejections: &found.rejections })
            }
        };
        assert!(receipt.ends_with(b"</message>\n"), "file {file}");
    }
    // Bending must reach both ends.
    assert!(refused_count > FILE_COUNT / 3 && refused_count < FILE_COUNT && rejected_count > 1_000);
}
