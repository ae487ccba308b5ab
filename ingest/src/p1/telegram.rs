//! One telegram: its lines, and what of them is read.

use std::ops::Range;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_core::meter::{MeterSerial, RegisterRead};
use tallywatt_core::quality::Quality;
use tallywatt_core::register::Register;
use tallywatt_core::rejection::RejectionCode;

use super::frame::Piece;
use crate::dial::Dial;
use crate::scale::Unit;
use crate::tally::{self, Tally};

/// Codes of the meter's number, the best first, and whether its characters are written in hexadecimal.
const METER_CODES: [(&[u8], bool); 4] =
    [(b"0-0:96.1.1", true), (b"0-0:96.1.0", true), (b"0-0:42.0.0", true), (b"0-0:96.1.255", false)];

/// What a telegram says; places are those of its text. Keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Telegram {
    stamp: Option<Range<usize>>,
    /// `None` if it names no meter, or by no name that we take.
    pub(super) meter: Option<MeterSerial>,
    /// Rank in [`METER_CODES`] of the code that named it.
    meter_rank: usize,
    pub(super) states_version: bool,
    pub(super) dials: Vec<DialLine>,
    pub(super) ignored_count: u64,
}

/// A line that shows a dial.
#[derive(Debug)]
pub(super) struct DialLine {
    register: Register,
    line: u64,
    text: Range<usize>,
}

impl Telegram {
    /// Reads the lines of a telegram.
    ///
    /// # Errors
    /// What is wrong with it as a whole.
    pub(super) fn read(&mut self, piece: &Piece<'_>) -> Result<(), &'static str> {
        self.dials.clear();
        (self.stamp, self.meter, self.meter_rank) = (None, None, METER_CODES.len());
        (self.states_version, self.ignored_count) = (false, 0);
        for (line, range) in lines(piece) {
            let text = &piece.text[range.clone()];
            if line == piece.line {
                if text.len() < 5 || !text[1..4].iter().all(u8::is_ascii_alphanumeric) {
                    return Err("no three letters and a digit behind /");
                }
            } else if !matches!(text, b"" | b"!") {
                self.line(text, range, line)?;
            }
        }
        Ok(())
    }

    fn line(&mut self, text: &[u8], range: Range<usize>, line: u64) -> Result<(), &'static str> {
        let (code, value) = code_and_value(text).ok_or("a line is not a code and values in brackets")?;
        if let Some(register) = register(code) {
            self.dials.push(DialLine { register, line, text: range });
            return Ok(());
        }
        let code = code.strip_suffix(b"*255").unwrap_or(code);
        if let Some(rank) = METER_CODES.iter().position(|(known, _)| *known == code) {
            if rank == self.meter_rank {
                return Err("its meter is named twice");
            }
            if rank < self.meter_rank {
                (self.meter, self.meter_rank) = (meter(value, METER_CODES[rank].1), rank);
            }
            return Ok(());
        }
        match code {
            b"0-0:1.0.0" if self.stamp.is_some() => return Err("it has two stamps"),
            b"0-0:1.0.0" => {
                let start = range.end - 1 - value.len();
                self.stamp = Some(start..range.end - 1);
            }
            b"1-3:0.2.8" | b"0-0:96.1.4" => self.states_version = true,
            _ => self.ignored_count += 1,
        }
        Ok(())
    }

    /// The text of its stamp.
    pub(super) fn stamp<'a>(&self, piece: &Piece<'a>) -> Option<&'a [u8]> {
        self.stamp.clone().map(|range| &piece.text[range])
    }

    /// Hands over what its dials show.
    pub(super) fn hand_over(
        &self,
        piece: &Piece<'_>,
        usage_point: UsagePointId,
        at: UtcSeconds,
        dial: Dial,
        tally: &mut Tally<'_>,
    ) {
        for line in &self.dials {
            let text = &piece.text[line.text.clone()];
            match shown(text, line.register, dial) {
                Ok((dial, rounded)) => {
                    tally.summary.rounded_count += u64::from(rounded);
                    let (register, meter, quality) = (line.register, self.meter, Quality::Valid);
                    let read = RegisterRead { usage_point, register, at, meter, dial, quality };
                    tally.register_read(&read, line.line);
                }
                Err(code) => tally.reject(code, line.line, 1, text),
            }
        }
    }
}

/// What a dial's line shows, and whether it was rounded.
fn shown(
    text: &[u8],
    register: Register,
    dial: Dial,
) -> Result<(tallywatt_core::meter::DialReading, bool), RejectionCode> {
    let (_, value) = code_and_value(text).ok_or(RejectionCode::Structure)?;
    let star = memchr::memchr(b'*', value).ok_or(RejectionCode::Structure)?;
    let (number, unit) = (&value[..star], &value[star + 1..]);
    if memchr::memchr2(b'(', b')', value).is_some() {
        return Err(RejectionCode::Structure);
    }
    let unit = Unit::named_loosely(unit).filter(|unit| unit.measures(register.flow));
    dial.written(number, b'.', unit.ok_or(RejectionCode::Unit)?)
}

/// `code(value)` or `code(value)(value)…`: the code, and what stands between the first and the last bracket.
fn code_and_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = memchr::memchr(b'(', text)?;
    let value = text[open + 1..].strip_suffix(b")")?;
    Some((&text[..open], value))
}

/// The energy register of a code with its medium.
fn register(code: &[u8]) -> Option<Register> {
    // Most lines are of no energy: do not parse those.
    let is_energy = code.starts_with(b"1-") && memchr::memmem::find(code, b".8.").is_some();
    std::str::from_utf8(code).ok().filter(|_| is_energy)?.parse().ok()
}

/// The number of a meter, if it is a name. One that is not hexadecimal of printable characters is taken as it is written.
fn meter(value: &[u8], in_hexadecimal: bool) -> Option<MeterSerial> {
    if value.iter().all(|&digit| digit == b'0') {
        return None;
    }
    let decoded = in_hexadecimal.then(|| hexadecimal(value)).flatten();
    decoded.and_then(|name| Label::new(&name).ok()).or_else(|| Label::new(value).ok())
}

/// The bytes that pairs of digits stand for.
fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?);
    digits.chunks(2).map(pair).collect()
}

/// The lines of a telegram and where they stand in its text.
fn lines<'a>(piece: &Piece<'a>) -> impl Iterator<Item = (u64, Range<usize>)> + use<'a> {
    let text = piece.text;
    let mut at = 0;
    (piece.line..).map_while(move |line| {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let size = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let start = at;
        at += size + 1;
        let end = start + rest[..size].strip_suffix(b"\r").unwrap_or(&rest[..size]).len();
        Some((line, start..end))
    })
}

/// The dials of a telegram that is set aside, as far as they can be told.
pub(super) fn register_count(text: &[u8]) -> u32 {
    let is_dial =
        |line: &&[u8]| memchr::memchr(b'(', line).is_some_and(|open| register(&line[..open]).is_some());
    tally::count(text.split(|&byte| byte == b'\n').filter(is_dial).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_meters() {
        let table = [
            ("4B384547303034303436333935353037", true, Some("K8EG004046395507")),
            ("3960221976967177082151037881335713", true, None),
            ("39602219769671770821510378813357", true, Some("39602219769671770821510378813357")),
            ("00000000000000", true, None),
            ("1ESY1336001560", false, Some("1ESY1336001560")),
            ("XYZ", true, Some("XYZ")),
            ("", true, None),
        ];
        for (text, in_hexadecimal, want) in table {
            let got = meter(text.as_bytes(), in_hexadecimal);
            assert_eq!(got.as_ref().map(Label::as_str), want, "{text}");
        }
    }
}
