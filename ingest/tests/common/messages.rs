//! Messages in layout 80020, in the hands of many senders.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::fmt::Write as _;

use super::ways::Dice;

/// How a sender writes.
struct Hand {
    /// Before a period, and around what is in it.
    indent: &'static str,
    inner: &'static str,
    quote: char,
    /// Attributes of a period and of a value; `S`, `E`, `M` stand for start, end, summer.
    period: &'static str,
    value: &'static str,
    /// Around the number.
    pad: &'static str,
    point: char,
    decimals: usize,
    minutes: usize,
    midnight: &'static str,
    marks_summer: bool,
    /// One in so many periods is out of the ordinary; none if 0.
    odd_one_in: usize,
}

impl Hand {
    fn of(dice: &mut Dice, is_ordinary: bool) -> Self {
        Self {
            indent: dice.of(&["", "\n", "\r\n", "\n      ", "\t"]),
            inner: dice.of(&["", "", "\n  ", " "]),
            quote: *dice.of(&[&'"', &'"', &'\'']),
            period: dice.of(&["S E M", "S E", "E S M", "M  S   E", "S E M "]),
            value: dice.of(&[
                "",
                " status=Q0Q",
                " status=Q0Q errofmeasuring=QQ exstendedstatus=QQ param1=QQ param2=QQ param3=QQ",
                " extendedstatus=QQ status=Q1Q",
                " exstendedstatus=Q1114Q param1=Q131150001113003Q",
            ]),
            pad: dice.of(&["", "", "\n", " \n\t"]),
            point: *dice.of(&[&'.', &',']),
            decimals: dice.below(5),
            minutes: *dice.of(&[&30, &30, &60, &15]),
            midnight: dice.of(&["0000", "2400"]),
            marks_summer: dice.one_in(2),
            odd_one_in: if is_ordinary { 0 } else { *dice.of(&[&3, &10, &60]) },
        }
    }

    fn period(&self, dice: &mut Dice, first: usize, summer: bool, text: &mut String) {
        let clock = |minute: usize| format!("{:02}{:02}", minute / 60, minute % 60);
        let quoted = |value: &str| format!("{0}{value}{0}", self.quote);
        let odd = self.odd_one_in > 0 && dice.one_in(self.odd_one_in);
        let what = if odd { 1 + dice.below(16) } else { 0 };
        let end = match first + self.minutes {
            1_440 => self.midnight.to_owned(),
            end => clock(if what == 1 { end % 1_440 + 5 } else { end }),
        };
        let start = match what {
            2 => "9999".to_owned(),
            3 => clock(first)[1..].to_owned(),
            _ => clock(first),
        };
        let mark = if what == 4 { "2" } else { ["0", "1"][usize::from(summer ^ (what == 5))] };
        let mut attributes = self.period.to_owned();
        if summer && !attributes.contains('M') {
            attributes.push_str(" M");
        }
        let attributes = attributes
            .replace('S', &format!("start={}", quoted(&start)))
            .replace('E', &format!("end={}", quoted(&end)))
            .replace('M', &format!("summer={}", quoted(mark)));
        let status = match what {
            6 => " status=\"1\"".to_owned(),
            7 => " status=\"7\" exstendedstatus=\"x\"".to_owned(),
            8 => " exstendedstatus=\"2203\"".to_owned(),
            _ => self.value.replace('Q', &self.quote.to_string()),
        };
        let number = match what {
            9 => "five".to_owned(),
            10 => "-3".to_owned(),
            11 => String::new(),
            12 => "12345678901.5".to_owned(),
            13 => "1.50000".to_owned(),
            14 => "&#50;<![CDATA[3]]>".to_owned(),
            _ => self.number(dice),
        };
        let beside = match what {
            15 => "<!-- beside --> text <note/>\n",
            16 => "<?note?>",
            _ => "",
        };
        let Self { indent, inner, pad, .. } = self;
        write!(text, "{indent}{beside}<period {attributes}>{inner}<value{status}>{pad}{number}{pad}</value>{inner}</period>")
            .unwrap();
        if odd && dice.one_in(8) {
            text.push_str("<period start=\"0000\" end=\"0030\"/>");
        }
    }

    fn number(&self, dice: &mut Dice) -> String {
        let digit_count = 1 + u32::try_from(dice.below(8)).unwrap();
        let whole = dice.below(10_usize.pow(digit_count));
        match self.decimals {
            0 => whole.to_string(),
            // Past a watt-hour only zeros are exact.
            4 if !dice.one_in(9) => format!("{whole}{}{:03}0", self.point, dice.below(1_000)),
            decimals => format!(
                "{whole}{}{:0decimals$}",
                self.point,
                dice.below(10_usize.pow(u32::try_from(decimals).unwrap()))
            ),
        }
    }
}

/// A message, in UTF-8 or windows-1251; an ordinary one has nothing that its sender does once only.
pub fn message(dice: &mut Dice, is_ordinary: bool) -> Vec<u8> {
    let day =
        if is_ordinary { "20260301" } else { dice.of(&["20260301", "20101031", "20100328", "20110101"]) };
    let encoding = dice.of(&["utf-8", "windows-1251"]);
    let class = dice.of(&["80020", "80040"]);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"{encoding}\"?>\n<message class=\"{class}\" version=\"2\" number=\"{}\">\n",
        dice.below(40)
    );
    let daylight = dice.of(&["0", "1", "2", "9"]);
    let sender =
        dice.of(&["<name>Завод</name><inn>5257072937</inn>", "<inn>5257072937</inn>\n<name>Ж</name>"]);
    writeln!(
        text,
        "<datetime><timestamp>{}</timestamp><daylightsavingtime>{daylight}</daylightsavingtime><day>{day}</day></datetime>\
         <sender>{sender}</sender>",
        dice.of(&["20260302040922", "", "20260302"])
    )
    .unwrap();
    for _ in 0..=dice.below(2) {
        text.push_str("<area timezone=\"1\"><name>Цех</name><inn>1328903069</inn>\n");
        let hand = Hand::of(dice, is_ordinary);
        for point in 0..=dice.below(3) {
            let kind = dice.of(&[
                "measuringpoint",
                "measuringpoint",
                "accountpoint",
                "deliverypoint",
                "deliverygroup",
                "peretok",
            ]);
            let is_group = matches!(kind, "deliverygroup" | "peretok");
            let code = if is_ordinary || !dice.one_in(9) {
                format!("13115000111300{point}")
            } else {
                "Ж".to_owned()
            };
            write!(text, "<{kind} code=\"{code}\" codefrom=\"1\" codeto=\"2\" name=\"Ввод {point}\">")
                .unwrap();
            for channel in 1..=if is_group { 1 } else { 1 + dice.below(4) } {
                if !is_group {
                    write!(text, "{}<measuringchannel code=\"0{channel}\" desc=\"акт. прием\">", hand.indent)
                        .unwrap();
                }
                for minute in (0..1_440).step_by(hand.minutes) {
                    let doubled = day == "20101031" && minute / 60 == 2;
                    if hand.odd_one_in > 0 && dice.one_in(hand.odd_one_in * 4) {
                        continue;
                    }
                    hand.period(dice, minute, doubled && hand.marks_summer, &mut text);
                    // The second pass of the hour, behind all of the first.
                    if doubled && minute + hand.minutes == 180 {
                        for minute in (120..180).step_by(hand.minutes) {
                            hand.period(dice, minute, false, &mut text);
                        }
                    }
                }
                if !is_group {
                    text.push_str("</measuringchannel>");
                }
            }
            writeln!(text, "</{kind}>").unwrap();
        }
        text.push_str("</area>\n");
    }
    text.push_str("<comment>все</comment></message>\n");
    if encoding == "utf-8" { text.into_bytes() } else { windows_1251(&text) }
}

/// ASCII and Russian letters as windows-1251 writes them.
pub fn windows_1251(text: &str) -> Vec<u8> {
    let byte = |letter: char| match u32::from(letter) {
        code @ 0..=0x7f => u8::try_from(code).unwrap(),
        code => u8::try_from(code - 0x350).unwrap(),
    };
    text.chars().map(byte).collect()
}
