//! Values in A-XDR, the encoding of DLMS (IEC 61334-6): a tag, then so many bytes, or so many values.

/// The deepest nesting: pushes in use have three levels.
const NESTING_MAX: usize = 16;
/// The most values of an array or structure.
const LIST_LENGTH_MAX: usize = 1_024;
/// The most values of a message, all levels together.
const VALUE_COUNT_MAX: usize = 16_384;
/// The most bytes that a length is written in.
const LENGTH_SIZE_MAX: u8 = 4;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Null,
    /// An array or a structure.
    List(Vec<Value<'a>>),
    /// A string of bytes, or a date and time.
    Bytes(&'a [u8]),
    /// A string of characters.
    Text(&'a [u8]),
    Number(i128),
    /// One of an agreed list, such as a unit.
    Choice(u8),
    /// Well formed, and of no use here: truth values, bits, floats.
    Other,
}

impl<'a> Value<'a> {
    /// Strings of either kind.
    pub(super) const fn string(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Bytes(bytes) | Self::Text(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Reads one value and nothing after it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &[u8]) -> Result<Value<'_>, &'static str> {
    let mut reader = Reader { rest: bytes, count: 0 };
    let value = reader.value(NESTING_MAX)?;
    if reader.rest.is_empty() { Ok(value) } else { Err("bytes after its value") }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Values so far.
    count: usize,
}

const CUT_OFF: &str = "a value that is cut off";

impl<'a> Reader<'a> {
    fn value(&mut self, levels_left: usize) -> Result<Value<'a>, &'static str> {
        self.count += 1;
        if self.count > VALUE_COUNT_MAX {
            return Err("more than 16384 values");
        }
        let tag = self.take(1)?[0];
        Ok(match tag {
            0 | 255 => Value::Null,
            1 | 2 => {
                let count = self.length()?;
                let levels_left = levels_left.checked_sub(1).ok_or("more than 16 levels")?;
                if count > LIST_LENGTH_MAX {
                    return Err("more than 1024 values in a list");
                }
                Value::List((0..count).map(|_| self.value(levels_left)).collect::<Result<_, _>>()?)
            }
            4 => {
                let bit_count = self.length()?;
                self.take(bit_count.div_ceil(8))?;
                Value::Other
            }
            9 => Value::Bytes(self.string()?),
            10 | 12 => Value::Text(self.string()?),
            25 => Value::Bytes(self.take(12)?),
            5 => Value::Number(self.signed(4)?),
            15 => Value::Number(self.signed(1)?),
            16 => Value::Number(self.signed(2)?),
            20 => Value::Number(self.signed(8)?),
            6 => Value::Number(self.unsigned(4)?),
            17 => Value::Number(self.unsigned(1)?),
            18 => Value::Number(self.unsigned(2)?),
            21 => Value::Number(self.unsigned(8)?),
            22 => Value::Choice(self.take(1)?[0]),
            3 | 13 => self.other(1)?,
            23 | 27 => self.other(4)?,
            24 => self.other(8)?,
            26 => self.other(5)?,
            _ => return Err("a value of no known kind"),
        })
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(taken)
    }

    fn other(&mut self, size: usize) -> Result<Value<'a>, &'static str> {
        self.take(size).map(|_| Value::Other)
    }

    fn string(&mut self) -> Result<&'a [u8], &'static str> {
        let size = self.length()?;
        self.take(size)
    }

    /// Up to 127 in one byte, or the number of bytes it takes and those.
    fn length(&mut self) -> Result<usize, &'static str> {
        let first = self.take(1)?[0];
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        let size = first & 0x7f;
        if size == 0 || size > LENGTH_SIZE_MAX {
            return Err("a length of more than four bytes");
        }
        let bytes = self.take(usize::from(size))?;
        Ok(bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)))
    }

    fn unsigned(&mut self, size: usize) -> Result<i128, &'static str> {
        Ok(self.take(size)?.iter().fold(0, |number, &byte| number << 8 | i128::from(byte)))
    }

    /// Two's complement.
    fn signed(&mut self, size: usize) -> Result<i128, &'static str> {
        let bytes = self.take(size)?;
        let start = if bytes[0] >= 0x80 { -1 } else { 0 };
        Ok(bytes.iter().fold(start, |number, &byte| number << 8 | i128::from(byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let list = |values: &[Value<'static>]| Value::List(values.to_vec());
        let table: &[(&[u8], Result<Value<'_>, &str>)] = &[
            (&[0], Ok(Value::Null)),
            (&[2, 2, 15, 0xff, 22, 30], Ok(list(&[Value::Number(-1), Value::Choice(30)]))),
            (&[1, 0x81, 1, 18, 1, 2], Ok(list(&[Value::Number(258)]))),
            (&[9, 2, 1, 2], Ok(Value::Bytes(&[1, 2]))),
            (&[10, 1, b'A'], Ok(Value::Text(b"A"))),
            (&[6, 0xff, 0xff, 0xff, 0xff], Ok(Value::Number(0xffff_ffff))),
            (&[5, 0xff, 0xff, 0xff, 0xfe], Ok(Value::Number(-2))),
            (&[21, 255, 255, 255, 255, 255, 255, 255, 255], Ok(Value::Number(u64::MAX.into()))),
            (&[20, 128, 0, 0, 0, 0, 0, 0, 0], Ok(Value::Number(i64::MIN.into()))),
            (&[4, 9, 0, 0], Ok(Value::Other)),
            (&[23, 0, 0, 0, 0], Ok(Value::Other)),
            (&[], Err(CUT_OFF)),
            (&[6, 0, 0, 0], Err(CUT_OFF)),
            (&[9, 3, 1, 2], Err(CUT_OFF)),
            (&[2, 2, 0], Err(CUT_OFF)),
            (&[0, 0], Err("bytes after its value")),
            (&[7], Err("a value of no known kind")),
            (&[19, 0], Err("a value of no known kind")),
            (&[9, 0x80], Err("a length of more than four bytes")),
            (&[9, 0x85, 0, 0, 0, 0, 1, 7], Err("a length of more than four bytes")),
            (&[1, 0x82, 0x04, 0x01], Err("more than 1024 values in a list")),
            (&[9, 0x84, 255, 255, 255, 255], Err(CUT_OFF)),
        ];
        for (bytes, want) in table {
            assert_eq!(read(bytes), *want, "{bytes:02x?}");
        }
    }

    #[test]
    fn limits() {
        let nested = |levels: usize| [[2, 1].repeat(levels), vec![0]].concat();
        assert!(read(&nested(NESTING_MAX)).is_ok());
        assert_eq!(read(&nested(NESTING_MAX + 1)), Err("more than 16 levels"));
        assert_eq!(read(&nested(100_000)), Err("more than 16 levels"));
        let wide =
            [&[1, 0x82, 0x04, 0x00][..], &[[1, 17].as_slice(), &[0; 17]].concat().repeat(1_024)].concat();
        assert_eq!(read(&wide), Err("more than 16384 values"));
    }
}
