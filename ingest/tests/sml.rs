//! SML: frames in a noisy stream, their lists, what each wrong one gives; and another reader of the same bytes.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

mod common;
#[path = "common/ways.rs"]
mod ways;

use common::crc::{kermit, x25};
use common::reads::{bend_all, reads_of, tell_reads};
use common::run;
use sml_rs::parser::common::Value;
use sml_rs::parser::complete::{File, MessageBody, parse};
use tallywatt_ingest::profile::Profile;
use ways::Dice;

fn profile(more: &str) -> Profile {
    Profile::parse("sml", &format!("format = \"sml\"\nzone = \"Europe/Berlin\"\n{more}")).unwrap()
}

fn by_meter() -> Profile {
    Profile::builtin("sml").unwrap()
}

/// 1EMH0012119929 by DIN 43863-5.
const SERVER: &[u8] = &[0x0a, 0x01, b'E', b'M', b'H', 0, 0, 0xb8, 0xef, 0x79];
/// 2026-03-01T12:00:00Z, a time of day.
const NOON: &[u8] = &[0x72, 0x62, 0x02, 0x65, 0x69, 0xa4, 0x2a, 0x40];
/// Seconds since the meter started.
const RUNNING: &[u8] = &[0x72, 0x62, 0x01, 0x65, 0x01, 0x69, 0x1c, 0xc0];
const NONE: &[u8] = &[0x01];
const WH: &[u8] = &[0x62, 30];

/// The low byte.
fn byte(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    let size = bytes.len() + 1;
    let head =
        if size < 16 { vec![byte(size)] } else { vec![0x80 | byte((size + 1) >> 4), byte(size + 1) & 15] };
    [head, bytes.to_vec()].concat()
}

fn list(parts: &[&[u8]]) -> Vec<u8> {
    let count = parts.len();
    let head =
        if count < 16 { vec![0x70 | byte(count)] } else { vec![0xf0 | byte(count >> 4), byte(count) & 15] };
    [head, parts.concat()].concat()
}

type Sum = fn(&[u8]) -> u16;

fn message(kind: &[u8], body: &[u8], sum: Sum) -> Vec<u8> {
    let choice = list(&[kind, body]);
    let mut bytes = [&[0x76][..], &octets(&[1, 2, 3]), &[0x62, 0, 0x62, 0], &choice].concat();
    let crc = sum(&bytes).to_le_bytes();
    bytes.extend_from_slice(&[0x63, crc[0], crc[1], 0]);
    bytes
}

fn entry(code: [u8; 6], time: &[u8], unit: &[u8], scaler: i8, value: &[u8]) -> Vec<u8> {
    list(&[&octets(&code), &[0x65, 0, 0, 1, 0x80], time, unit, &[0x52, scaler.to_le_bytes()[0]], value, NONE])
}

/// A value of so many bytes.
fn counted(number: u64) -> Vec<u8> {
    [&[0x69][..], &number.to_be_bytes()].concat()
}

fn dial(zone: u8, time: &[u8], number: u64) -> Vec<u8> {
    entry([1, 0, 1, 8, zone, 255], time, WH, -1, &counted(number))
}

fn file(server: &[u8], sensor: &[u8], entries: &[Vec<u8>], sum: Sum) -> Vec<u8> {
    let open = list(&[NONE, NONE, &octets(&[9]), &octets(server), NONE, NONE]);
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let values = list(&[NONE, &octets(server), NONE, sensor, &list(&entries), NONE, NONE]);
    [
        message(&[0x63, 1, 1], &open, sum),
        message(&[0x63, 7, 1], &values, sum),
        message(&[0x63, 2, 1], &list(&[NONE]), sum),
    ]
    .concat()
}

fn framed(content: &[u8], sum: Sum) -> Vec<u8> {
    let mut bytes = vec![0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1];
    let mut run = 0;
    for &byte in content {
        bytes.push(byte);
        run = if byte == 0x1b { run + 1 } else { 0 };
        if run == 4 {
            bytes.extend_from_slice(&[0x1b; 4]);
            run = 0;
        }
    }
    let padding = (4 - bytes.len() % 4) % 4;
    bytes.extend_from_slice(&[0; 3][..padding]);
    bytes.extend_from_slice(&[0x1b, 0x1b, 0x1b, 0x1b, 0x1a, byte(padding)]);
    let crc = sum(&bytes).to_le_bytes();
    [&bytes[..], &crc].concat()
}

fn frame(entries: &[Vec<u8>]) -> Vec<u8> {
    framed(&file(SERVER, NONE, entries, x25), x25)
}

#[track_caller]
fn check(profile: &Profile, bytes: &[u8], want: &str) {
    assert_eq!(tell_reads(profile, "P@20260301T130000Z.bin", bytes), want);
}

const READ: &str = "1EMH0012119929 1-0:1.8.0 2026-03-01T12:00:00Z=12.345600 1EMH0012119929@1";

#[test]
fn lists() {
    check(&by_meter(), &frame(&[dial(0, NOON, 123_456)]), READ);
    // The list's time, for entries that know the seconds since their start only.
    let entries =
        [dial(0, RUNNING, 123_456), entry([1, 0, 16, 7, 0, 255], NONE, &[0x62, 27], 0, &[0x52, 0xff])];
    let content = file(SERVER, NOON, &entries, x25);
    check(&by_meter(), &framed(&content, x25), READ);
    let (_, summary) = run(&by_meter(), "x", &framed(&content, x25)).unwrap();
    assert_eq!((summary.register_read_count, summary.ignored_count, summary.line_count), (1, 1, 1));
    // The other check sum, for either.
    for (inner, outer) in [(kermit as Sum, kermit as Sum), (kermit, x25), (x25, kermit)] {
        check(&by_meter(), &framed(&file(SERVER, NOON, &[dial(0, NONE, 123_456)], inner), outer), READ);
    }
    // A time with the offsets of its clock is in UTC all the same.
    let local = [&[0x72, 0x62, 0x03, 0x73][..], &NOON[3..], &[0x53, 0, 60, 0x53, 0, 0]].concat();
    check(&by_meter(), &frame(&[dial(0, &local, 123_456)]), READ);
    // Zones, export, a number of three bytes, bytes that look like escapes.
    let entries = [
        entry([1, 0, 1, 8, 2, 255], NOON, WH, 0, &[0x54, 0, 1, 0]),
        entry([1, 0, 2, 8, 0, 255], NOON, WH, 3, &[0x65, 0x1b, 0x1b, 0x1b, 0x1b]),
        entry([1, 1, 3, 8, 0, 255], NOON, &[0x62, 32], -3, &[0x62, 7]),
    ];
    check(
        &by_meter(),
        &frame(&entries),
        "1EMH0012119929 1-0:1.8.2 2026-03-01T12:00:00Z=0.256000 1EMH0012119929@1; \
         1EMH0012119929 1-0:2.8.0 2026-03-01T12:00:00Z=454761243.000000 1EMH0012119929@1; \
         1EMH0012119929 1-1:3.8.0 2026-03-01T12:00:00Z=0.000007 1EMH0012119929@1",
    );
    // A number of another kind is written in hexadecimal.
    let other = framed(&file(&[6, b'E', b'M', b'H', 1], NOON, &[dial(0, NONE, 1)], x25), x25);
    check(&by_meter(), &other, "06454D4801 1-0:1.8.0 2026-03-01T12:00:00Z=0.000100 06454D4801@1");
    let nameless = framed(&file(&[7; 17], NOON, &[dial(0, NONE, 1)], x25), x25);
    check(&by_meter(), &nameless, "R04×1@1 1-0:1.8.0 of a list of no meter");
}

#[test]
fn stamps_from_outside() {
    let bytes = frame(&[dial(0, RUNNING, 123_456), dial(1, NONE, 5)]);
    check(
        &by_meter(),
        &bytes,
        "R07×1@1 1-0:1.8.0 of the list of 1EMH0012119929; R07×1@1 1-0:1.8.1 of the list of 1EMH0012119929",
    );
    let named = profile("usage_point_from = \"file\"\nread_at_from = \"file\"");
    let want = "P 1-0:1.8.0 2026-03-01T13:00:00Z=12.345600 1EMH0012119929@1; P 1-0:1.8.1 2026-03-01T13:00:00Z=0.000500 1EMH0012119929@1";
    check(&named, &bytes, want);
    // A second frame was sent at another time.
    let twice = format!(
        "{want}; R07×1@{0} 1-0:1.8.0 of the list of 1EMH0012119929; R07×1@{0} 1-0:1.8.1 of the list of 1EMH0012119929",
        bytes.len() + 1
    );
    check(&named, &bytes.repeat(2), &twice);
    // A clock that was never set says no time of day; nor does a time that is written bare.
    for time in [&[0x72, 0x62, 0x02, 0x65, 0, 0, 0x10, 0][..], &[0x65, 0x69, 0xa4, 0x2a, 0x40]] {
        check(&by_meter(), &frame(&[dial(0, time, 1)]), "R07×1@1 1-0:1.8.0 of the list of 1EMH0012119929");
    }
}

#[test]
fn wrong_entries() {
    let code = [1, 0, 1, 8, 0, 255];
    for (wrong, want) in [
        (entry(code, NOON, NONE, 0, &counted(1)), "R06"),
        (entry(code, NOON, &[0x62, 27], 0, &counted(1)), "R06"),
        (entry(code, NOON, &[0x62, 32], 0, &counted(1)), "R06"),
        (entry(code, NOON, WH, -4, &counted(1)), "R12"),
        (entry(code, NOON, WH, 0, &[0x52, 0xff]), "R13"),
        (entry(code, NOON, WH, 9, &counted(u64::MAX)), "R14"),
        (entry(code, NOON, WH, 10, &counted(1)), "R11"),
        (entry(code, NOON, WH, 0, &octets(b"12")), "R17"),
        (entry(code, NOON, WH, 0, NONE), "R17"),
    ] {
        check(&by_meter(), &frame(&[wrong]), &format!("{want}×1@1 1-0:1.8.0 of the list of 1EMH0012119929"));
    }
    // Values of past periods, and other quantities, are none of these.
    check(&by_meter(), &frame(&[entry([1, 0, 1, 8, 0, 1], NOON, WH, 0, &counted(1))]), "");
    let rounding = profile("usage_point_from = \"meter\"\nround_to_wh = true");
    let (found, summary) = run(&rounding, "x", &frame(&[entry(code, NOON, WH, -4, &counted(15))])).unwrap();
    assert_eq!((found.register_reads[0].0.dial.as_milliwatt_hours(), summary.rounded_count), (2, 1));
}

/// Noise is passed over; what is broken is set aside with the byte it begins with.
#[test]
fn noise_and_broken_frames() {
    let sound = frame(&[dial(0, NOON, 123_456)]);
    let size = sound.len();
    let noisy = [&[0xff, 0x1b, 0x1b][..], &sound, b"noise", &sound[..40], &sound].concat();
    let want = [
        READ.replace("@1", "@4"),
        READ.replace("@1", &format!("@{}", 3 + size + 5 + 40 + 1)),
        format!("R03×1@{} frame: cut off: the next begins", 3 + size + 5 + 1),
    ];
    check(&by_meter(), &noisy, &want.join("; "));
    let mut flipped = sound.clone();
    flipped[60] ^= 0x40;
    check(&by_meter(), &flipped, "R03×1@1 frame: wrong check sum");
    check(&by_meter(), &sound[..size - 9], "R03×1@1 frame: cut off");
    check(&by_meter(), &sound[4..], "R03×1@1 frame: its beginning is lost");
    check(&by_meter(), b"noise", "refused: line 1: no SML file begins in it: nowhere 1b1b1b1b 01010101");
    check(&by_meter(), b"", "refused: file is empty");
    // A frame that is sound around a message that is not.
    let mut content = file(SERVER, NOON, &[dial(0, NONE, 1)], x25);
    let at = content.windows(2).position(|pair| pair == [0x62, 30]).unwrap();
    content[at + 1] = 32;
    check(&by_meter(), &framed(&content, x25), "R03×1@1 frame: wrong check sum of a message");
    for (content, why) in [
        (vec![0x75], "a message that is none"),
        (message(&[0x63, 7, 1], &[0x71; 8], x25), "a list that is none"),
        (message(&[0x63, 2, 1], &list(&[NONE]), x25).repeat(65), "more than 64 messages"),
        (message(&[0x63, 2, 1], &list(&[NONE]), x25)[..18].to_vec(), "a message without its end"),
    ] {
        let told = tell_reads(&by_meter(), "x", &framed(&content, x25));
        assert_eq!(told, format!("R03×1@1 frame: {why}"), "{content:02x?}");
    }
}

/// Recorded frames of real meters, as the test files of libsml (volkszaehler) have them: meter, code, dial.
#[test]
fn published_frames() {
    for (source, hex, want) in [
        ("EMH_eHZ361L5R", EMH_EHZ361L5R, "A 1-0:2.8.1 2020-03-01T12:00:00Z=110340.315100 31303031313835@1"),
        ("HOLLEY_DTZ541", HOLLEY_DTZ541, "A 1-0:1.8.0 2020-03-01T12:00:00Z=2324.000000 1HLY0200879590@1"),
    ] {
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let named = profile("usage_point = \"A\"\nread_at = \"2020-03-01T12:00:00Z\"");
        assert_eq!(tell_reads(&named, "x", &bytes), want, "{source}");
    }
}

const EMH_EHZ361L5R: &str = "1b1b1b1b01010101760598e0ce95620062007263010176010108486167084219ad08313030313138350101635b2000760598\
    e0ce9662006200726307017701083130303131383501017577078181c78203ff010101010648414745520177070100000000\
    ff0101010108313030313138350177070100020801ff628201621e52ff690000000041c4988f01770700006001ffff010101\
    010b303030303131363931370177070100010701ff628201621b52fc55fca4988401010163fedb00760598e0ce9762006200\
    726302017101631b000000001b1b1b1b1a02db3a";
const HOLLEY_DTZ541: &str = "1b1b1b1b01010101760400000162006200726500000101760101070000016c54b00b0a01484c5902000d6be672620165016c\
    54b00163bfb2007604000002620062007265000007017707ffffffffffff0b0a01484c5902000d6be6070100620affff7262\
    0165016c54b07377070100603201010101010104484c590177070100600100ff010101010b0a01484c5902000d6be6017707\
    0100010800ff65001c010472620165016c54b0621e5203630914010101637eb8007604000003620062007265000002017101\
    63e823001b1b1b1b1a004c50";

/// Where another reader understands a frame, we find the same dials in it.
#[test]
fn as_another_reader_reads_them() {
    let named = profile("usage_point = \"A\"\nread_at = \"2020-03-01T12:00:00Z\"\nround_to_wh = true");
    let mut dice = Dice(20_261_005);
    let mut dial_count = 0;
    for _ in 0..500 {
        let entries: Vec<Vec<u8>> = (0..1 + dice.below(20)).map(|_| random_entry(&mut dice)).collect();
        let content = file(SERVER, RUNNING, &entries, x25);
        let theirs = parse(&content).unwrap();
        let want = dials_of(&theirs);
        let (found, _) = run(&named, "x", &framed(&content, x25)).unwrap();
        let got: Vec<(u8, u8, i64)> = found
            .register_reads
            .iter()
            .map(|(read, _)| {
                (read.register.flow.group_c(), read.register.zone, read.dial.as_milliwatt_hours())
            })
            .collect();
        assert_eq!(got, want);
        dial_count += got.len();
    }
    assert!(dial_count > 1_000, "{dial_count}");
}

fn random_entry(dice: &mut Dice) -> Vec<u8> {
    let group = [1, 2, 3, 16][dice.below(4)];
    let unit = if group == 3 { [0x62, 32] } else { [0x62, 30] };
    let number = (dice.below(1 << 24) as u64) << dice.below(16);
    let value = match dice.below(3) {
        0 => counted(number),
        1 => [&[0x59][..], &number.to_be_bytes()].concat(),
        _ => [&[0x65][..], &number.to_be_bytes()[4..]].concat(),
    };
    let time = if dice.one_in(2) { RUNNING } else { NONE };
    entry([1, 0, group, 8, byte(dice.below(4)), 255], time, &unit, [-3, -2, -1, 0, 1][dice.below(5)], &value)
}

/// Flow, zone, and thousandths of a watt-hour.
fn dials_of(file: &File<'_>) -> Vec<(u8, u8, i64)> {
    let lists = file.messages.iter().filter_map(|message| match &message.message_body {
        MessageBody::GetListResponse(list) => Some(&list.val_list),
        _ => None,
    });
    lists
        .flatten()
        .filter(|entry| entry.obj_name[2] < 5)
        .map(|entry| {
            let number = match entry.value {
                Value::I64(number) => number,
                Value::U32(number) => number.into(),
                Value::U64(number) => number.try_into().unwrap(),
                ref other => panic!("{other:?}"),
            };
            let power = u32::try_from(entry.scaler.unwrap() + 3).unwrap();
            (entry.obj_name[2], entry.obj_name[4], number * 10_i64.pow(power))
        })
        .collect()
}

#[test]
fn ten_thousand_malformed_files() {
    let sounds = [
        frame(&[dial(0, NOON, 123_456), dial(1, NOON, 5)]),
        [&frame(&[dial(0, NOON, 1)])[..], b"noise", &frame(&[dial(2, NOON, 0x1b1b_1b1b_1b1b)])].concat(),
        framed(
            &file(
                SERVER,
                NOON,
                &[dial(0, RUNNING, 7), entry([1, 0, 2, 8, 0, 255], NONE, WH, 0, &[0x53, 1, 2])],
                kermit,
            ),
            kermit,
        ),
    ];
    let known = reads_of(&by_meter(), "x", &sounds);
    let mut read_count = 0;
    bend_all(&by_meter(), "x", &sounds, 20_261_006, &mut |found| {
        read_count += found.register_reads.len();
        assert!(found.register_reads.iter().all(|(read, _)| known.contains(read)), "{found:?}");
    });
    assert!(read_count > 1_000, "{read_count} reads in what was left whole");
}

/// Files whose check sums are right and whose content is not.
#[test]
fn ten_thousand_malformed_contents() {
    let contents = [
        file(SERVER, NOON, &[dial(0, NOON, 123_456), dial(1, RUNNING, 5)], x25),
        file(
            &[9; 20],
            NONE,
            &[entry([1, 0, 1, 8, 0, 255], NOON, WH, -1, &[0x59, 0, 0, 0, 0, 0, 0, 0, 1])],
            x25,
        ),
    ];
    for seed in 0..10_000 {
        let bent = common::bend::bend(&contents[seed % 2], &contents[1 - seed % 2], 20_261_007 + seed as u64);
        // Close the messages again where their ends still stand.
        let _ = tell_reads(&by_meter(), "x", &framed(&bent, x25));
        let _ = tell_reads(
            &by_meter(),
            "x",
            &framed(&message(&[0x63, 7, 1], &bent[bent.len().min(40)..], x25), x25),
        );
    }
}
