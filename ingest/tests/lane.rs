//! The short ways against the reference: the same findings, in the same order, whatever the file.
#![allow(clippy::unwrap_used, reason = "a test stops where it is surprised")]

#[path = "common/ways.rs"]
mod ways;

use tallywatt_core::calendar::Day;
use tallywatt_ingest::profile::Profile;
use ways::{Dice, check, frame};

/// A source, with what its generated lines look like.
struct Source {
    name: &'static str,
    toml: &'static str,
    header: &'static str,
    delimiter: &'static str,
    /// `P` point, `T` stamp, `V` value, `O` register, `Q` quality, `X` anything.
    columns: &'static str,
    stamp: &'static str,
    minutes: usize,
    /// Whether its ordinary lines must come in runs.
    is_foretold: bool,
}

const SOURCES: &[Source] = &[
    Source {
        name: "plain",
        toml: "unit='Wh'\nstamp_format='YYYY-MM-DD HH:mm:ss'\nzone='Asia/Yekaterinburg'\ninterval_minutes=30\n[columns]\nusage_point='meter_id'\nstart='ts'\nvalue='wh'\n",
        header: "meter_id,ts,wh",
        delimiter: ",",
        columns: "PTV",
        stamp: "YYYY-MM-DD HH:mm:ss",
        minutes: 30,
        is_foretold: true,
    },
    Source {
        name: "columns",
        toml: "unit='kWh'\ndelimiter=';'\ndecimal=','\nstamp='end'\nstamp_format='DD.MM.YYYY HH:mm'\nzone='Europe/Amsterdam'\ninterval_minutes=15\n[columns]\nusage_point='p'\nstart='t'\nvalue='v'\nobis='o'\nquality='q'\nignore=['x']\n",
        header: "x;o;p;t;v;q",
        delimiter: ";",
        columns: "XOPTVQ",
        stamp: "DD.MM.YYYY HH:mm",
        minutes: 15,
        is_foretold: true,
    },
    Source {
        name: "offsets",
        toml: "unit='kWh'\nstamp_format='rfc3339'\nzone='America/Chicago'\ninterval_minutes=60\nusage_point_from='file'\n[columns]\nstart='start'\nvalue='value'\n",
        header: "start,value",
        delimiter: ",",
        columns: "TV",
        stamp: "YYYY-MM-DDTHH:mm:ss+01:00",
        minutes: 60,
        is_foretold: true,
    },
    Source {
        name: "value first",
        toml: "unit='kWh'\nencoding='windows-1251'\ndelimiter=\"\\t\"\nround_to_wh=true\nstamp_format='D-M-YYYY HH:mm'\nzone='Europe/Amsterdam'\ninterval_minutes=30\n[columns]\nusage_point='p'\nstart='t'\nvalue='v'\nignore=['x']\n",
        header: "v\tt\tx\tp",
        delimiter: "\t",
        columns: "VTXP",
        stamp: "D-M-YYYY HH:mm",
        minutes: 30,
        is_foretold: true,
    },
    Source {
        name: "hours",
        toml: "unit='MWh'\nstamp='end'\nstamp_format='YYYYMMDDTHH'\nzone='Australia/Lord_Howe'\ninterval_minutes=60\nusage_point='ONE'\n[columns]\nstart='t'\nvalue='v'\n",
        header: "t,v",
        delimiter: ",",
        columns: "TV",
        stamp: "YYYYMMDDTHH",
        minutes: 60,
        is_foretold: true,
    },
    Source {
        name: "multiplied",
        toml: "unit='kWh'\nmultiplier='40'\nstamp_format='YYYY-MM-DD HH:mm'\nzone='UTC'\ninterval_minutes=5\n[columns]\nusage_point='p'\nstart='t'\nvalue='v'\n",
        header: "p,t,v",
        delimiter: ",",
        columns: "PTV",
        stamp: "YYYY-MM-DD HH:mm",
        minutes: 5,
        is_foretold: false,
    },
    Source {
        name: "time first",
        toml: "unit='Wh'\nstamp_format='HH:mm D.M.YYYY'\nzone='Europe/Amsterdam'\ninterval_minutes=30\n[columns]\nusage_point='p'\nstart='t'\nvalue='v'\n",
        header: "p,t,v",
        delimiter: ",",
        columns: "PTV",
        stamp: "HH:mm D.M.YYYY",
        minutes: 30,
        is_foretold: false,
    },
    Source {
        name: "wide",
        toml: "unit='Wh'\nstamp_format='YYYY-MM-DD HH:mm'\nzone='Europe/Amsterdam'\ninterval_minutes=30\n[columns]\nstart='t'\n",
        header: "t,A,B,C",
        delimiter: ",",
        columns: "TVVV",
        stamp: "YYYY-MM-DD HH:mm",
        minutes: 30,
        is_foretold: false,
    },
    Source {
        name: "day",
        toml: "unit='Wh'\nzone='Europe/Amsterdam'\ninterval_minutes=60\n[columns]\nusage_point='p'\nobis='o'\ndate='d'\n",
        header: "p,o,d,v1,v2,v3,v4,v5",
        delimiter: ",",
        columns: "POTVVVVV",
        stamp: "YYYY-MM-DD",
        minutes: 60,
        is_foretold: true,
    },
];

impl Source {
    fn profile(&self) -> Profile {
        let layout = match self.name {
            "wide" | "day" => self.name,
            _ => "long",
        };
        Profile::parse(self.name, &format!("format='csv'\nlayout='{layout}'\n{}", self.toml)).unwrap()
    }

    fn stamp(&self, day: Day, minute: usize) -> String {
        let date = day.to_string();
        let (year, month, day) = (&date[..4], &date[5..7], &date[8..]);
        let short = |text: &str| text.trim_start_matches('0').to_owned();
        let text = self.stamp.replace("YYYY", year);
        let text =
            text.replace("HH", &format!("{:02}", minute / 60)).replace("mm", &format!("{:02}", minute % 60));
        let text = text.replace("ss", "00").replace("MM", month).replace("DD", day);
        text.replace('M', &short(month)).replace('D', &short(day))
    }

    fn line(&self, dice: &mut Dice, point: &str, day: Day, minute: usize, quality: &str) -> Vec<u8> {
        let mut fields = Vec::new();
        for column in self.columns.chars() {
            fields.push(match column {
                'P' => point.to_owned(),
                'O' => "1-0:1.8.0".to_owned(),
                'Q' => quality.to_owned(),
                'X' => dice.of(&["", "fair", "12", "wind & rain", "fair"]).to_owned(),
                'T' => self.stamp(day, minute),
                _ => self.value(dice),
            });
        }
        fields.join(self.delimiter).into_bytes()
    }

    fn value(&self, dice: &mut Dice) -> String {
        let separator = if self.delimiter == ";" { "," } else { "." };
        match dice.below(40) {
            0 => dice
                .of(&[
                    "",
                    "-5",
                    "+5",
                    "9999999999999999999",
                    "123456789012",
                    "12345678",
                    "1234567",
                    "1e3",
                    "nan",
                    "0x1",
                    "007",
                    ".5",
                    "5.",
                    "5,",
                    "1.0",
                    "1,0",
                    "0.1234",
                    "0,1234",
                    "1.500000",
                    "0",
                    "00000000000001",
                    "1 000",
                    " 7",
                    "7 ",
                    "\"8\"",
                    "1.0000000000",
                    "2147483648",
                    "1:",
                    "1/",
                    "12\u{661}",
                ])
                .to_owned(),
            1..25 => dice.below(2_000).to_string(),
            _ if self.toml.starts_with("unit='Wh'") => dice.below(90_000).to_string(),
            _ => {
                format!("{}{separator}{:0width$}", dice.below(300), dice.below(10), width = 1 + dice.below(3))
            }
        }
    }
}

/// Changes a line into one that may not be ordinary.
fn oddity(dice: &mut Dice, source: &Source, line: &mut Vec<u8>) {
    let delimiter = source.delimiter.as_bytes()[0];
    let at = dice.below(line.len() + 1);
    let mut fields: Vec<Vec<u8>> = line.split(|&byte| byte == delimiter).map(<[u8]>::to_vec).collect();
    let field_at = dice.below(fields.len());
    let field = &mut fields[field_at];
    match dice.below(20) {
        0 => *field = [b"\"", field.as_slice(), b"\""].concat(),
        1 => *field = [b" ", field.as_slice(), b" "].concat(),
        2 => field.push(b' '),
        3 => field.extend_from_slice(dice.of(&[&b"+03:00"[..], b"Z", b".000", b":00", b"\0"])),
        4 => field.clear(),
        5 => fields.push(Vec::new()),
        6 => _ = fields.pop(),
        7 => {
            line.insert(at, *dice.of(&[&b'"', &b'\r', &b'\n', &0xe9, &0, &delimiter, &b' ', &b'1']));
            return;
        }
        8 if at < line.len() => {
            line[at] = *dice.of(&[&b'0', &b'9', &b'-', &b':', &0xff, &b'"', &b'/', &b';', &b' ']);
            return;
        }
        9 if at < line.len() => {
            line.remove(at);
            return;
        }
        10 => {
            line.splice(0..0, *b"\xef\xbb\xbf");
            return;
        }
        11 => *line = source.header.as_bytes().to_vec(),
        12 => line.clear(),
        13 => *line = b"  \t".to_vec(),
        14 => line.truncate(at),
        15 => {
            line.extend_from_slice(b"\r\r");
            return;
        }
        16 if dice.one_in(20) => {
            line.resize(line.len() + 65_520 + dice.below(40), b' ');
            return;
        }
        _ => {
            // Another time of day, on the grid or off it.
            *line = source.line(dice, "7", "2026-03-29".parse().unwrap(), 60 * 24, "");
            return;
        }
    }
    if !line.is_empty() && !fields.is_empty() && !matches!(line.as_slice(), b"  \t") {
        *line = fields.join(&delimiter);
    }
}

fn file(dice: &mut Dice, source: &Source) -> Vec<u8> {
    let mut text = Vec::new();
    if dice.one_in(4) {
        text.extend_from_slice(b"\xef\xbb\xbf");
    }
    text.extend_from_slice(source.header.as_bytes());
    let line_break: &[u8] = if dice.one_in(4) { b"\r\n" } else { b"\n" };
    text.extend_from_slice(line_break);
    // One file in four has nothing odd but its values; the others one odd line in so many.
    let odd_rate = *dice.of(&[&usize::MAX, &200, &30, &6]);
    let dates =
        ["2026-01-01", "2026-03-28", "2026-10-24", "2026-04-04", "2026-12-30", "1970-01-01", "2199-12-29"];
    let first: Day = dice.of(&dates).parse().unwrap();
    let by_time = dice.one_in(5);
    let (point_count, day_count) = (1 + dice.below(3), 1 + dice.below(4));
    let slots = if source.name == "day" { 1 } else { 1_440 / source.minutes };
    let quality = dice.of(&["", "raw", "0", "8", "missing", "good"]);
    let points: Vec<String> = (0..point_count).map(|_| (dice.below(99_999)).to_string()).collect();
    let mut lines = Vec::new();
    for (point, day, slot) in (0..point_count * day_count * slots).map(|at| match by_time {
        true => (at % point_count, at / point_count / slots, at / point_count % slots),
        false => (at / slots / day_count, at / slots % day_count, at % slots),
    }) {
        let Some(day) = first.plus(i32::try_from(day).unwrap()) else { continue };
        let minute = slot * source.minutes;
        // A quality that lasts for a while, so that runs break on it.
        let quality = if slot % 17 < 12 { quality } else { "" };
        lines.push(source.line(dice, &points[point], day, minute, quality));
        // The doubled hour, as a whole; gaps; lines out of order.
        let is_twice = dice.one_in(30) && slot >= 4;
        if is_twice {
            for back in (0..4).rev() {
                lines.push(source.line(dice, &points[point], day, minute - back * source.minutes, quality));
            }
        }
        if dice.one_in(80) {
            lines.pop();
        }
        if dice.one_in(200) && lines.len() > 1 {
            let at = dice.below(lines.len());
            let last = lines.len() - 1;
            lines.swap(at, last);
        }
    }
    for (at, mut line) in lines.into_iter().enumerate() {
        if odd_rate != usize::MAX && dice.one_in(odd_rate) {
            oddity(dice, source, &mut line);
        }
        text.extend_from_slice(&line);
        text.extend_from_slice(if at % 97 == 96 && odd_rate == 6 { b"\r\n" } else { line_break });
        if odd_rate != usize::MAX && dice.one_in(4 * odd_rate) {
            text.extend_from_slice(line_break);
        }
    }
    if dice.one_in(3) {
        let cut = dice.below(12).min(text.len());
        text.truncate(text.len() - cut);
    }
    text
}

#[test]
fn short_ways_find_what_the_reference_finds() {
    const SEED: u64 = 20_261_122;
    println!("seed {SEED}");
    let mut leaned_count = 0;
    for source in SOURCES {
        let profile = source.profile();
        let (mut run_value_count, mut line_count) = (0, 0);
        for case in 0..300 {
            let mut dice = Dice(SEED + case);
            let bytes = file(&mut dice, source);
            let block_size = *dice.of(&[&1, &64, &1_000, &4_000, &(1 << 20)]);
            let context = format!("seed {SEED}, source {}, case {case}, blocks of {block_size}", source.name);
            let (in_runs, leaned) = check(&profile, &bytes, block_size, &context);
            run_value_count += in_runs;
            line_count += bytes.iter().filter(|&&byte| byte == b'\n').count();
            leaned_count += u64::from(leaned);
        }
        println!("{}: {run_value_count} values in runs, of {line_count} lines", source.name);
        if source.is_foretold {
            assert!(
                run_value_count > line_count as u64 / 10,
                "{}: {run_value_count} of {line_count}",
                source.name
            );
        } else {
            assert_eq!(run_value_count, 0, "{}", source.name);
        }
    }
    println!("{leaned_count} files with a block that leans on earlier ones");
    assert!(leaned_count > 10);
}

#[test]
fn a_file_of_many_blocks() {
    let source = &SOURCES[0];
    let profile = source.profile();
    let mut dice = Dice(5);
    let mut text = b"meter_id,ts,wh\n".to_vec();
    for point in 0..40 {
        for day in 0..60 {
            let day = "2026-01-01".parse::<Day>().unwrap().plus(day).unwrap();
            for slot in 0..48 {
                text.extend(source.line(&mut dice, &point.to_string(), day, 30 * slot, ""));
                text.push(b'\n');
            }
        }
    }
    assert!(text.len() > 3 << 20);
    check(&profile, &text, 1 << 20, "many blocks");
    check(&profile, &text, 10_007, "many small blocks");
}

#[test]
fn frames_are_found_as_the_reference_finds_them() {
    const SEED: u64 = 31;
    println!("seed {SEED}");
    let profile = Profile::builtin("frames").unwrap();
    let mut run_value_count = 0;
    for case in 0..400 {
        let mut dice = Dice(SEED + case);
        let mut bytes: Vec<u8> = (0..dice.below(12)).flat_map(|_| frame(&mut dice)).collect();
        if dice.one_in(2) && !bytes.is_empty() {
            let at = dice.below(bytes.len());
            match dice.below(4) {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 1 << dice.below(8),
                2 => bytes[at] = 0xff,
                _ => bytes.extend_from_slice(&[0; 9]),
            }
        }
        let block_size = *dice.of(&[&1, &1_000, &2_000, &(1 << 20)]);
        let context = format!("seed {SEED}, case {case}, blocks of {block_size}");
        run_value_count += check(&profile, &bytes, block_size, &context).0;
    }
    assert!(run_value_count > 20_000, "{run_value_count}");
}
