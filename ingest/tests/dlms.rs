//! DLMS pushes: frames and segments, the shapes of each maker, what each wrong one gives, and published ones.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;

use common::crc::x25;
use common::reads::{bend_all, reads_of, tell_reads};
use common::run;
use tallywatt_ingest::profile::Profile;

fn by_meter() -> Profile {
    Profile::builtin("dlms").unwrap()
}

fn profile(more: &str) -> Profile {
    Profile::parse("dlms", &format!("format = \"dlms\"\nzone = \"Europe/Oslo\"\n{more}")).unwrap()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn summed(bytes: &[u8]) -> Vec<u8> {
    [bytes, &x25(bytes).to_le_bytes()].concat()
}

/// A frame around content; the segment bit as said.
fn frame(content: &[u8], is_segment: bool) -> Vec<u8> {
    let size = 8 + content.len() + 2;
    let format = 0xa0 | if is_segment { 8 } else { 0 } | u8::try_from(size >> 8).unwrap();
    let header = summed(&[format, size.to_le_bytes()[0], 0x41, 0x08, 0x83, 0x13]);
    [&[0x7e][..], &summed(&[&header, content].concat()), &[0x7e]].concat()
}

/// Sent on 2026-03-01 at 12:00 by a clock that says it is an hour ahead of UTC.
const NOON: &str = "0c 07ea0301070c0000ffffc400";
/// The same without a deviation.
const LOCAL_NOON: &str = "0c 07ea0301070c0000ff800000";
const METER: &str = "0202 0906 0000600100ff 0a06 4d2d30303137";

fn message(stamp: &str, body: &str) -> Vec<u8> {
    bytes_of(&format!("e6e700 0f 40000000 {stamp} {body}"))
}

fn push(stamp: &str, body: &str) -> Vec<u8> {
    frame(&message(stamp, body), false)
}

/// Rows: the meter, and one dial.
fn rows(row: &str) -> String {
    format!("0102 {METER} {row}")
}

const DIAL: &str = "0203 0906 0100010800ff 06 00012345 0202 0f01 161e";
const READ: &str = "M-0017 1-0:1.8.0 2026-03-01T11:00:00Z=745.650000 M-0017@1";

#[track_caller]
fn check(profile: &Profile, bytes: &[u8], want: &str) {
    assert_eq!(tell_reads(profile, "P@20260301T130000Z.bin", bytes), want);
}

#[test]
fn shapes() {
    check(&by_meter(), &push(NOON, &rows(DIAL)), READ);
    check(&by_meter(), &push(LOCAL_NOON, &rows(DIAL)), READ);
    // An array or a structure, a time with a tag, and the list's own time before that of sending.
    check(&by_meter(), &push(&format!("09 {NOON}"), &rows(DIAL).replacen("01", "02", 1)), READ);
    let timed = format!("0103 0202 0906 0000010000ff 09{NOON} {METER} {DIAL}");
    check(&by_meter(), &push("0c 07ea0301070f0000ff800000", &timed), READ);
    check(&by_meter(), &push("00", &timed), READ);
    // Pairs, each with its scaler and unit.
    let pairs = format!(
        "0208 09{NOON} 0906 0100010800ff 06 00012345 0202 0f01 161e 0906 0100020800ff 12 0005 0202 0f00 161e 0906 0000600100ff"
    );
    let pairs = format!("{pairs} 0a06 4d2d30303137").replacen("0208", "0209", 1);
    check(
        &by_meter(),
        &push("00", &pairs),
        &format!("{READ}; M-0017 1-0:2.8.0 2026-03-01T11:00:00Z=0.005000 M-0017@1"),
    );
    // Pairs without units, by the name of their list: 10 Wh and 1 Wh.
    let named =
        |name: &str| format!("0205 {name} 0906 0101000005ff 0a06 4d2d30303137 0906 0101010800ff 06 00012345");
    let read = "M-0017 1-1:1.8.0 2026-03-01T11:00:00Z=745.650000 M-0017@1";
    check(&by_meter(), &push(NOON, &named("0a0e 4b616d73747275705f5630303031")), read);
    check(&by_meter(), &push(NOON, &named("0907 4b464d5f303031")), &read.replace("745.650000", "74.565000"));
    check(&by_meter(), &push(NOON, &named("0a03 4b464d")), "R06×1@1 1-1:1.8.0 of the push of M-0017");
    // What is no energy is counted.
    let (_, summary) =
        run(&by_meter(), "x", &push(NOON, &rows("0203 0906 0100010700ff 06 00000462 0202 0f00 161b")))
            .unwrap();
    assert_eq!((summary.register_read_count, summary.ignored_count, summary.line_count), (0, 1, 1));
    check(&by_meter(), &push(NOON, "0201 06 000016dc"), "");
}

#[test]
fn wrong_values() {
    for (row, want) in [
        ("0202 0906 0100010800ff 06 00012345", "R06×1@1 1-0:1.8.0 of the push of M-0017"),
        ("0203 0906 0100010800ff 06 00012345 0202 0f01 161b", "R06×1@1 1-0:1.8.0 of the push of M-0017"),
        ("0203 0906 0100010800ff 06 00012345 0202 0f01 1620", "R06×1@1 1-0:1.8.0 of the push of M-0017"),
        ("0203 0906 0100010800ff 17 00012345 0202 0f01 161e", "R11×1@1 1-0:1.8.0 of the push of M-0017"),
        ("0203 0906 0100010800ff 00 0202 0f01 161e", "R11×1@1 1-0:1.8.0 of the push of M-0017"),
        ("0203 0906 0100010800ff 06 00012345 0202 0f0a 161e", "R11×1@1 1-0:1.8.0 of the push of M-0017"),
        ("0203 0906 0100010800ff 05 ffffffff 0202 0f01 161e", "R13×1@1 1-0:1.8.0 of the push of M-0017"),
        (
            "0203 0906 0100010800ff 15 ffffffffffffffff 0202 0f09 161e",
            "R14×1@1 1-0:1.8.0 of the push of M-0017",
        ),
        ("0203 0906 0100010800ff 06 00012345 0202 0ffc 161e", "R12×1@1 1-0:1.8.0 of the push of M-0017"),
        (
            "0203 0906 0100010800ff 06 00012345 0202 161e 0f01",
            "R03×1@1 frame: a scaler and unit that are none",
        ),
        ("0203 0905 0100010800 06 00012345 0202 0f01 161e", "R03×1@1 frame: a row without its code"),
        ("0201 0906 0100010800ff", "R03×1@1 frame: a row of no two or three values"),
    ] {
        check(&by_meter(), &push(NOON, &rows(row)), want);
    }
    check(&by_meter(), &push("00", &rows(DIAL)), "R07×1@1 the push of M-0017");
    check(&by_meter(), &push("0c 07ea0231070c0000ff800000", &rows(DIAL)), "R07×1@1 the push of M-0017");
    check(&by_meter(), &push("0c 07ea031d07021e00ff800000", &rows(DIAL)), "R08×1@1 the push of M-0017");
    check(&by_meter(), &push(NOON, &format!("0101 {DIAL}")), "R04×1@1 a push of no meter");
    let named = profile("usage_point_from = \"file\"\nread_at_from = \"file\"");
    let read = READ.replacen("M-0017", "P", 1);
    check(&named, &push("00", &rows(DIAL)), &read.replace("T11", "T13"));
    check(
        &named,
        &push("00", &rows(DIAL)).repeat(2),
        &format!("{}; R07×1@63 the push of M-0017", read.replace("T11", "T13")),
    );
    // A meter that writes no deviation whatever its clock shows.
    let zero = push("0c 07ea0301070c0000ff000000", &rows(DIAL));
    check(&by_meter(), &zero, &READ.replace("T11", "T12"));
    check(&profile("usage_point_from = \"meter\"\nclock = \"zone\""), &zero, READ);
    let wrong = Profile::parse("x", "format = \"dlms\"\nzone = \"UTC\"\nusage_point = \"a\"\nclock = \"x\"")
        .unwrap_err();
    assert_eq!(wrong.to_string(), "line 4: `clock` is \"x\", need stated or zone");
}

#[test]
fn frames_and_segments() {
    let whole = message(NOON, &rows(DIAL));
    let (first, rest) = whole.split_at(20);
    let (second, third) = rest.split_at(9);
    let segments = [frame(first, true), frame(second, true), frame(third, false)];
    let at = segments[0].len() + segments[1].len() + 1;
    check(&by_meter(), &segments.concat(), &READ.replace("@1", &format!("@{at}")));
    // A segment that is lost, and a message whose end never came.
    let sound = push(NOON, &rows(DIAL));
    let gap = [&segments[0][..], &sound].concat();
    let at = segments[0].len() + 1;
    check(
        &by_meter(),
        &gap,
        &format!(
            "{}; R03×1@{at} frame: segments of a message are lost",
            READ.replace("@1", &format!("@{at}"))
        ),
    );
    check(
        &by_meter(),
        &segments[0],
        &format!("R03×1@{} message: segments of a message are lost", segments[0].len() + 1),
    );
    check(&by_meter(), &segments[2], "R03×1@1 frame: no LLC header e6 e7 00, or a segment of nothing");
    let endless = [
        &frame(&[&[0xe6, 0xe7, 0x00][..], &[0; 2_000]].concat(), true)[..],
        &frame(&[0; 2_000], true).repeat(40),
    ]
    .concat();
    let told = tell_reads(&by_meter(), "x", &endless);
    assert!(
        told.starts_with("R03×1@") && told.contains("frame: a message of more than 65536 bytes"),
        "{told}"
    );
    // What is encrypted, or broken, or of another kind.
    check(
        &by_meter(),
        &frame(&bytes_of("e6e700 db 08 4b464d1010000023 81f8 20 0000010e"), false),
        "R03×1@1 frame: encrypted",
    );
    check(
        &by_meter(),
        &frame(&bytes_of("e6e700 c4 01 c1 00"), false),
        "R03×1@1 frame: not a data notification",
    );
    check(
        &by_meter(),
        &frame(&bytes_of("e6e600 0f"), false),
        "R03×1@1 frame: no LLC header e6 e7 00, or a segment of nothing",
    );
    check(&by_meter(), &push("05 0102030405", ""), "R03×1@1 frame: a notification without its time");
    check(&by_meter(), &push("00", ""), "R03×1@1 frame: a value that is cut off");
    check(&by_meter(), &push("00", "06 00000000"), "R03×1@1 frame: a body that is no list");
    let mut flipped = sound.clone();
    flipped[40] ^= 8;
    check(&by_meter(), &flipped, "R03×1@1 frame: wrong check sum");
    check(
        &by_meter(),
        &[&[9, 9][..], &sound, &sound].concat(),
        &format!("{}; {}", READ.replace("@1", "@3"), READ.replace("@1", &format!("@{}", sound.len() + 3))),
    );
    check(&by_meter(), b"", "refused: file is empty");
    check(&by_meter(), b"noise", "refused: line 1: no HDLC frame begins in it: nowhere 7e and format type 3");
}

/// Pushes of real meters, as projects that read them have published them.
#[test]
fn published_pushes() {
    // Kaifa of Norway, list 3 (elwiz, its test of the Kaifa decoder): a frame with its check sums.
    let kaifa = "7EA09B01020110EEAEE6E7000F40000000090C07E60A100715000AFF800000021209074B464D5F3030310910363937303633313430\
        3337353736313509084D413330344833450600000D6206000000000600000000060000003306000029250600002FED06000012100600000915\
        06000000000600000929090C07E60A100715000AFF8000000604F00BD4060000000006022388EB060020B37DAB327E";
    check(
        &by_meter(),
        &bytes_of(kaifa),
        "6970631403757615 1-0:1.8.0 2022-10-16T19:00:10Z=82840.532000 6970631403757615@1; \
         6970631403757615 1-0:2.8.0 2022-10-16T19:00:10Z=0.000000 6970631403757615@1; \
         6970631403757615 1-0:3.8.0 2022-10-16T19:00:10Z=35883.243000 6970631403757615@1; \
         6970631403757615 1-0:4.8.0 2022-10-16T19:00:10Z=2143.101000 6970631403757615@1",
    );
    // Aidon of Norway, list 3 (elwiz, its test of the Aidon decoder): in 10 Wh, with a deviation of zero.
    let aidon = "7EA18A41088313EBFDE6E7000F40000000000112020209060101000281FF0A0B4149444F4E5F5630303031020209060000600100FF0A10\
        37333539393932383931323337303238020209060000600107FF0A0436353334020309060100010700FF06000006CF02020F00161B0203\
        09060100020700FF060000000002020F00161B020309060100030700FF060000000002020F00161D020309060100040700FF060000017C\
        02020F00161D0203090601001F0700FF10001402020FFF1621020309060100330700FF10003602020FFF1621020309060100470700FF10\
        000202020FFF1621020309060100200700FF12092702020FFF1623020309060100340700FF12091802020FFF1623020309060100480700\
        FF12093902020FFF1623020209060000010000FF090C07E60A0F06140000FF000000020309060100010800FF0600F9E77D02020F01161E\
        020309060100020800FF060000000002020F01161E020309060100030800FF06000154E102020F011620020309060100040800FF060009\
        965402020F0116202CB07E";
    check(
        &profile("usage_point_from = \"meter\"\nclock = \"zone\""),
        &bytes_of(aidon),
        "7359992891237028 1-0:1.8.0 2022-10-15T18:00:00Z=163777.250000 7359992891237028@1; \
         7359992891237028 1-0:2.8.0 2022-10-15T18:00:00Z=0.000000 7359992891237028@1; \
         7359992891237028 1-0:3.8.0 2022-10-15T18:00:00Z=872.650000 7359992891237028@1; \
         7359992891237028 1-0:4.8.0 2022-10-15T18:00:00Z=6283.080000 7359992891237028@1",
    );
    // Aidon of Sweden (its maker's description of the port, as hanporten has it): no meter is named.
    let swedish = "7ea2434108831385ebe6e7000f4000000000011b020209060000010000ff090c07e30c1001073b28ff8000ff020309060100010700ff06\
        0000046202020f00161b020309060100020700ff060000000002020f00161b020309060100030700ff06000005e302020f00161d0203\
        09060100040700ff060000000002020f00161d0203090601001f0700ff10000002020fff1621020309060100330700ff10004b02020f\
        ff1621020309060100470700ff10000002020fff1621020309060100200700ff12090302020fff1623020309060100340700ff1209c3\
        02020fff1623020309060100480700ff12090402020fff1623020309060100150700ff060000000002020f00161b0203090601001607\
        00ff060000000002020f00161b020309060100170700ff060000000002020f00161d020309060100180700ff060000000002020f0016\
        1d020309060100290700ff060000046202020f00161b0203090601002a0700ff060000000002020f00161b0203090601002b0700ff06\
        000005e202020f00161d0203090601002c0700ff060000000002020f00161d0203090601003d0700ff060000000002020f00161b0203\
        090601003e0700ff060000000002020f00161b0203090601003f0700ff060000000002020f00161d020309060100400700ff06000000\
        0002020f00161d020309060100010800ff060099598602020f00161e020309060100020800ff060000000802020f00161e0203090601\
        00030800ff060064ed4b02020f001620020309060100040800ff060000000502020f001620be407e";
    check(
        &profile("usage_point_from = \"file\""),
        &bytes_of(swedish),
        "P 1-0:1.8.0 2019-12-16T06:59:40Z=10049.926000@1; P 1-0:2.8.0 2019-12-16T06:59:40Z=0.008000@1; \
         P 1-0:3.8.0 2019-12-16T06:59:40Z=6614.347000@1; P 1-0:4.8.0 2019-12-16T06:59:40Z=0.005000@1",
    );
    // Kamstrup of Norway, hourly list: the message; the frame it was published in has the check sum of another.
    let kamstrup = "E6 E7 00 0F 00 00 00 00 0C 07 E3 07 09 02 14 00 05 FF 80 00 80 02 23 0A 0E 4B 61 6D 73 74 72 75 70 5F 56 30 30 30 31 \
        09 06 01 01 00 00 05 FF 0A 10 32 32 30 30 35 36 37 32 32 33 31 39 37 37 31 34 09 06 01 01 60 01 01 FF 0A 12 36 38 34 31 31 33 \
        31 42 4E 32 34 33 31 30 31 30 34 30 09 06 01 01 01 07 00 FF 06 00 00 01 6C 09 06 01 01 02 07 00 FF 06 00 00 00 00 09 06 01 01 \
        03 07 00 FF 06 00 00 00 00 09 06 01 01 04 07 00 FF 06 00 00 01 42 09 06 01 01 1F 07 00 FF 06 00 00 00 85 09 06 01 01 33 07 00 \
        FF 06 00 00 00 5C 09 06 01 01 47 07 00 FF 06 00 00 00 3F 09 06 01 01 20 07 00 FF 12 00 EB 09 06 01 01 34 07 00 FF 12 00 EB 09 \
        06 01 01 48 07 00 FF 12 00 EB 09 06 00 01 01 00 00 FF 09 0C 07 E3 07 09 02 14 00 05 FF 80 00 80 09 06 01 01 01 08 00 FF 06 00 \
        38 DE 2A 09 06 01 01 02 08 00 FF 06 00 00 00 00 09 06 01 01 03 08 00 FF 06 00 00 00 1F 09 06 01 01 04 08 00 FF 06 00 09 00 85";
    check(
        &by_meter(),
        &frame(&bytes_of(kamstrup), false),
        "2200567223197714 1-1:1.8.0 2019-07-09T18:00:05Z=37268.900000 2200567223197714@1; \
         2200567223197714 1-1:2.8.0 2019-07-09T18:00:05Z=0.000000 2200567223197714@1; \
         2200567223197714 1-1:3.8.0 2019-07-09T18:00:05Z=0.310000 2200567223197714@1; \
         2200567223197714 1-1:4.8.0 2019-07-09T18:00:05Z=5899.570000 2200567223197714@1",
    );
    // Two pushes without energy (AmsToMqttBridge): a list of one value, and one of 25.
    check(
        &by_meter(),
        &bytes_of("7EA027010201105A87E6E7000F40000000090C07E1090C0217122AFF8000000201060000 0528B80C7E"),
        "",
    );
}

#[test]
fn ten_thousand_malformed_files() {
    let whole = message(NOON, &rows(DIAL));
    let sounds = [
        push(NOON, &rows(DIAL)).repeat(3),
        [frame(&whole[..20], true), frame(&whole[20..], false), push(LOCAL_NOON, &rows(DIAL))].concat(),
        push(
            NOON,
            "0205 0a0e 4b616d73747275705f5630303031 0906 0101000005ff 0a06 4d2d30303137 0906 0101010800ff 06 00012345",
        ),
    ];
    let known = reads_of(&by_meter(), "x", &sounds);
    let mut read_count = 0;
    bend_all(&by_meter(), "x", &sounds, 20_261_008, &mut |found| {
        read_count += found.register_reads.len();
        assert!(found.register_reads.iter().all(|(read, _)| known.contains(read)), "{found:?}");
    });
    assert!(read_count > 5_000, "{read_count} reads in what was left whole");
}

/// Frames whose check sums are right and whose messages are not.
#[test]
fn ten_thousand_malformed_messages() {
    let messages = [
        message(NOON, &rows(DIAL)),
        message(
            NOON,
            "0205 0907 4b464d5f303031 0906 0101000005ff 0a06 4d2d30303137 0906 0101010800ff 06 00012345",
        ),
        message(
            "00",
            &format!(
                "020e 0907 4b464d5f303031 {} 09{NOON} {}",
                "06 00000001".repeat(8),
                "06 00000002".repeat(4)
            ),
        ),
    ];
    println!("seed 20261009");
    for seed in 0..10_000 {
        let (sound, other) = (&messages[seed % 3], &messages[seed / 3 % 3]);
        let bent = common::bend::bend(&sound[3..], other, 20_261_009 + seed as u64);
        let content = [&[0xe6, 0xe7, 0x00][..], &bent].concat();
        let _ = tell_reads(&by_meter(), "x", &frame(&content, seed % 5 == 0));
    }
}
