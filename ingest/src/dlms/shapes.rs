//! The shapes that makers give to what they push, and what of it is read.

use std::fmt;

use tallywatt_core::label::Label;
use tallywatt_core::meter::MeterSerial;
use tallywatt_core::register::{Flow, Register};

use super::axdr::Value;
use super::clock::{STAMP_SIZE, Stamp};
use crate::obis;

/// Bytes of an OBIS code.
const CODE_SIZE: usize = 6;
/// Lists that say no units, and the power of ten of the watt-hours they count in.
const LISTS: [(&[u8], i8); 2] = [(b"Kamstrup_V0001", 1), (b"KFM_001", 0)];
/// Kaifa of Norway: how many values, where the time stands, and the dials behind it.
const PLACES: [(usize, usize); 2] = [(14, 9), (18, 13)];
/// What stands behind the time, in order.
const PLACED_FLOWS: [Flow; 4] = Flow::ALL;

/// What a push says.
#[derive(Debug, Default)]
pub(super) struct Push<'a> {
    list_name: Option<&'a [u8]>,
    pub(super) meter: Option<MeterSerial>,
    pub(super) stamp: Option<Stamp>,
    pub(super) dials: Vec<DialValue>,
    pub(super) ignored_count: u64,
}

/// A dial, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DialValue {
    pub(super) register: Register,
    /// `None` if it is no whole number.
    pub(super) number: Option<i128>,
    pub(super) scaler: i8,
    /// `None` if neither the value nor the list's name says it.
    pub(super) unit: Option<u64>,
}

/// For messages: `the push of 6970631403757615`.
impl fmt::Display for Push<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meter {
            Some(meter) => write!(f, "the push of {meter}"),
            None => f.write_str("a push of no meter"),
        }
    }
}

/// Reads the body of a notification that was sent at this time.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read<'a>(body: &Value<'a>, sent_at: Option<Stamp>) -> Result<Push<'a>, &'static str> {
    let Value::List(values) = body else { return Err("a body that is no list") };
    let mut push = Push::default();
    let is_rows = !values.is_empty() && values.iter().all(|value| matches!(value, Value::List(_)));
    if is_rows {
        for row in values {
            push.row(row)?;
        }
    } else if is_placed(values) {
        push.places(values);
    } else {
        push.pairs(values)?;
    }
    push.name_units();
    push.stamp = push.stamp.or(sent_at);
    Ok(push)
}

/// Values without codes, behind the name of their list.
fn is_placed(values: &[Value<'_>]) -> bool {
    let has_code = |value: &Value<'_>| code(value).is_some();
    let is_kaifa = values.first().and_then(Value::string) == Some(LISTS[1].0);
    // The shortest push is a power alone.
    is_kaifa && !values.iter().any(has_code) || values.len() == 1
}

fn code(value: &Value<'_>) -> Option<[u8; CODE_SIZE]> {
    match value {
        Value::Bytes(bytes) => (*bytes).try_into().ok(),
        _ => None,
    }
}

impl<'a> Push<'a> {
    /// `{code, value}` or `{code, value, {scaler, unit}}`.
    fn row(&mut self, row: &Value<'a>) -> Result<(), &'static str> {
        let Value::List(row) = row else { return Err("a row that is no list") };
        match row.as_slice() {
            [name, value] => self.value(code(name).ok_or("a row without its code")?, value, None),
            [name, value, unit] => {
                let unit = scaler_and_unit(unit).ok_or("a scaler and unit that are none")?;
                self.value(code(name).ok_or("a row without its code")?, value, Some(unit))
            }
            _ => return Err("a row of no two or three values"),
        }
        Ok(())
    }

    /// `[name or time,] code, value[, {scaler, unit}], code, …`.
    fn pairs(&mut self, values: &[Value<'a>]) -> Result<(), &'static str> {
        let mut rest = values;
        if let [first, others @ ..] = rest
            && code(first).is_none()
        {
            match first {
                Value::Bytes(bytes) if bytes.len() == STAMP_SIZE => self.stamp = (*bytes).try_into().ok(),
                first => self.list_name = first.string(),
            }
            rest = others;
        }
        while let [name, value, others @ ..] = rest {
            let code = code(name).ok_or("a value without its code")?;
            let unit = others.first().and_then(scaler_and_unit);
            rest = if unit.is_some() { &others[1..] } else { others };
            self.value(code, value, unit);
        }
        // Some add the meter's number behind the last pair.
        self.ignored_count += u64::from(!rest.is_empty());
        Ok(())
    }

    fn places(&mut self, values: &[Value<'a>]) {
        self.list_name = values.first().and_then(Value::string);
        self.meter = values.get(1).and_then(Value::string).and_then(|name| Label::new(name).ok());
        let Some(&(_, at)) = PLACES.iter().find(|(count, _)| *count == values.len()) else {
            self.ignored_count += 1;
            return;
        };
        self.stamp = values[at].string().and_then(|bytes| bytes.try_into().ok());
        for (flow, value) in PLACED_FLOWS.into_iter().zip(&values[at + 1..]) {
            self.dial(Register::total(flow, 0), value, None);
        }
        self.ignored_count += 1;
    }

    fn value(&mut self, code: [u8; CODE_SIZE], value: &Value<'a>, unit: Option<(i8, u64)>) {
        if let Some(register) = obis::register(&code) {
            return self.dial(register, value, unit);
        }
        match (code, value.string()) {
            ([0, 0, 1, 0, 0, 255] | [0, 1, 1, 0, 0, 255], Some(bytes)) => self.stamp = bytes.try_into().ok(),
            ([0, 0, 96, 1, 0, 255] | [1, 1, 0, 0, 5, 255], Some(name)) => self.meter = Label::new(name).ok(),
            ([1, 0 | 1, 0, 2, 129, 255], Some(name)) => self.list_name = Some(name),
            _ => self.ignored_count += 1,
        }
    }

    fn dial(&mut self, register: Register, value: &Value<'a>, unit: Option<(i8, u64)>) {
        let number = match value {
            Value::Number(number) => Some(*number),
            _ => None,
        };
        let (scaler, unit) = unit.map_or((0, None), |(scaler, unit)| (scaler, Some(unit)));
        self.dials.push(DialValue { register, number, scaler, unit });
    }

    /// The units of a list that says none itself.
    fn name_units(&mut self) {
        let known = self.list_name.and_then(|name| LISTS.iter().find(|(known, _)| *known == name));
        let Some(&(_, scaler)) = known else { return };
        for dial in self.dials.iter_mut().filter(|dial| dial.unit.is_none()) {
            let is_reactive = matches!(dial.register.flow, Flow::ReactiveImport | Flow::ReactiveExport);
            (dial.scaler, dial.unit) = (scaler, Some(if is_reactive { 32 } else { 30 }));
        }
    }
}

fn scaler_and_unit(value: &Value<'_>) -> Option<(i8, u64)> {
    match value {
        Value::List(pair) => match pair.as_slice() {
            [Value::Number(scaler), Value::Choice(unit)] => {
                Some((i8::try_from(*scaler).ok()?, u64::from(*unit)))
            }
            _ => None,
        },
        _ => None,
    }
}
