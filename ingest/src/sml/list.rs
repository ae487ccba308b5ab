//! Messages of an SML file, and the lists of values among them.

use std::fmt;

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::LABEL_SIZE_MAX;
use tallywatt_core::meter::MeterSerial;

use super::element::{Element, Elements};
use super::transport::is_crc;

/// The most messages of a file: open, close, and a list or two between them.
const MESSAGE_COUNT_MAX: usize = 64;
/// `SML_GetList.Res`.
const GET_LIST_RESPONSE: i128 = 0x0701;
/// 2000-01-01T00:00:00Z: a clock that says less was never set.
const CLOCK_SET_S: i64 = 946_684_800;

/// A list of values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List<'a> {
    server: &'a [u8],
    /// When its sensor, or else its gateway, made it, if that is a time of day.
    pub(super) instant: Option<UtcSeconds>,
    pub(super) entries: Vec<Entry<'a>>,
}

/// A value of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) code: &'a [u8],
    pub(super) instant: Option<UtcSeconds>,
    pub(super) unit: Option<u64>,
    /// The value is the number times ten to this power.
    pub(super) scaler: i8,
    /// `None` for a value that is no number.
    pub(super) number: Option<i128>,
}

impl List<'_> {
    /// The number of the meter. Ten bytes by DIN 43863-5 are written as they are on its plate: medium, maker, block,
    /// eight digits.
    pub(super) fn meter(&self) -> Option<MeterSerial> {
        let name = match *self.server {
            [0x09 | 0x0a, medium @ 0..=9, a, b, c, block, n0, n1, n2, n3]
                if [a, b, c].iter().all(u8::is_ascii_uppercase)
                    && u32::from_be_bytes([n0, n1, n2, n3]) < 100_000_000 =>
            {
                let number = u32::from_be_bytes([n0, n1, n2, n3]);
                let maker = [a, b, c].map(char::from);
                format!("{medium}{}{}{}{block:02X}{number:08}", maker[0], maker[1], maker[2])
            }
            _ => self.server.iter().take(LABEL_SIZE_MAX).map(|byte| format!("{byte:02X}")).collect(),
        };
        name.parse().ok()
    }
}

/// For messages: `list of 1EMH0012119929`.
impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meter() {
            Some(meter) => write!(f, "the list of {meter}"),
            None => f.write_str("a list of no meter"),
        }
    }
}

/// The lists of a file's messages.
///
/// # Errors
/// What is wrong with it: then nothing of the file may be used.
pub(super) fn read(content: &[u8]) -> Result<Vec<List<'_>>, &'static str> {
    let mut elements = Elements::of(content);
    let mut lists = Vec::new();
    for _ in 0..MESSAGE_COUNT_MAX {
        if elements.rest().is_empty() {
            return Ok(lists);
        }
        lists.extend(message(&mut elements)?);
    }
    Err("more than 64 messages")
}

/// One message; its list if it is one.
fn message<'a>(elements: &mut Elements<'a>) -> Result<Option<List<'a>>, &'static str> {
    const NOT_A_MESSAGE: &str = "a message that is none";
    let start = elements.rest();
    if elements.list() != Some(6) {
        return Err(NOT_A_MESSAGE);
    }
    let mut head = || {
        elements.octets()?;
        elements.optional_number()?;
        elements.optional_number()?;
        (elements.list()? == 2).then_some(())?;
        elements.optional_number()?
    };
    let kind = head().ok_or(NOT_A_MESSAGE)?;
    let list = if kind == GET_LIST_RESPONSE {
        Some(list(elements).ok_or("a list that is none")?)
    } else {
        elements.skip().ok_or(NOT_A_MESSAGE)?;
        None
    };
    let summed = &start[..start.len() - elements.rest().len()];
    let crc = elements.optional_number().flatten().and_then(|crc| u16::try_from(crc).ok());
    // Written low byte first into a number that is read high byte first.
    if !crc.is_some_and(|crc| is_crc(summed, crc.swap_bytes())) {
        return Err("wrong check sum of a message");
    }
    match elements.rest().split_first() {
        Some((0, rest)) => *elements = Elements::of(rest),
        _ => return Err("a message without its end"),
    }
    Ok(list)
}

/// client, server, name, sensor time, values, signature, gateway time.
fn list<'a>(elements: &mut Elements<'a>) -> Option<List<'a>> {
    (elements.list()? == 7).then_some(())?;
    elements.octets()?;
    let server = elements.octets()?;
    elements.octets()?;
    let sensor = time(elements)?;
    let count = elements.list()?;
    let entries = (0..count).map(|_| entry(elements)).collect::<Option<Vec<_>>>()?;
    elements.octets()?;
    let gateway = time(elements)?;
    Some(List { server, instant: sensor.or(gateway), entries })
}

/// name, status, time, unit, scaler, value, signature.
fn entry<'a>(elements: &mut Elements<'a>) -> Option<Entry<'a>> {
    (elements.list()? == 7).then_some(())?;
    let code = elements.octets()?;
    elements.skip()?;
    let instant = time(elements)?;
    let unit = elements.optional_number()?.and_then(|unit| u64::try_from(unit).ok());
    let scaler = i8::try_from(elements.optional_number()?.unwrap_or(0)).ok()?;
    let mut value = *elements;
    elements.skip()?;
    let number = match value.next()? {
        Element::Unsigned(number) => Some(number.into()),
        Element::Signed(number) => Some(number.into()),
        Element::Octets(_) | Element::Bool | Element::List(_) => None,
    };
    elements.octets()?;
    Some(Entry { code, instant, unit, scaler, number })
}

/// A time that may be left out: the outer `None` if it is no time, the inner if it is not one of day.
///
/// Choices: 1 seconds since the meter started, 2 seconds since 1970, 3 the same with the offsets of its clock. Some
/// meters write the seconds since their start bare.
fn time(elements: &mut Elements<'_>) -> Option<Option<UtcSeconds>> {
    let mut time = *elements;
    elements.skip()?;
    match time.next()? {
        Element::Octets(b"") | Element::Unsigned(_) => return Some(None),
        Element::List(2) => (),
        _ => return None,
    }
    let seconds = match time.optional_number()?? {
        1 => return Some(None),
        2 => time.optional_number()??,
        3 if time.list()? == 3 => time.optional_number()??,
        _ => return None,
    };
    Some(i64::try_from(seconds).ok().filter(|&seconds| seconds >= CLOCK_SET_S).map(UtcSeconds))
}
