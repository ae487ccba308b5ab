//! The cells of one column of a stranger's file, written as text.

use std::io::Write as _;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use parquet::schema::types::ColumnDescriptor;
use tallywatt_core::calendar::Day;

use super::{ForeignError, ForeignRules, Role, shown};
use crate::scan_pages::{ColumnError, guarded};

/// The most decimals of a number: a 128-bit integer has no more digits.
const SCALE_MAX: usize = 38;
const SECONDS_PER_DAY: i64 = 86_400;
/// The Julian day of 1970-01-01, from which 96-bit timestamps count.
const JULIAN_EPOCH: i64 = 2_440_588;

/// A column of one row group, and where in it we are.
pub(super) struct ForeignColumn {
    reader: ColumnReader,
    cells: Cells,
    writing: Writing,
    is_optional: bool,
    /// Of the rows read last, whether each has a cell; none for a column where each has.
    levels: Vec<i16>,
    row_at: usize,
    cell_at: usize,
    /// The day that was written last.
    day: Option<(i64, String)>,
}

/// The cells read last.
enum Cells {
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int96(Vec<Int96>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<ByteArray>),
    Fixed(Vec<FixedLenByteArray>),
}

/// How a cell becomes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Text,
    Signed,
    Unsigned,
    /// An integer with so many decimals; in bytes, the highest first.
    Decimal {
        scale: usize,
    },
    Float,
    /// An instant in such parts of a second.
    Stamp {
        per_second: i64,
        is_local: bool,
    },
    /// Days and nanoseconds of them.
    JulianStamp {
        is_local: bool,
    },
}

impl ForeignColumn {
    pub(super) fn new(
        reader: ColumnReader,
        descriptor: &ColumnDescriptor,
        role: Role,
        rules: ForeignRules,
    ) -> Result<Self, ForeignError> {
        let fail = |what| ForeignError::Schema { column: shown(&descriptor.path().string()), what };
        let writing = match role {
            Role::Name => name_writing(descriptor).ok_or_else(|| fail("neither texts nor integers"))?,
            Role::Stamp => stamp_writing(descriptor, rules.is_local).map_err(fail)?,
            Role::Value => value_writing(descriptor, rules.takes_floats).map_err(fail)?,
        };
        let cells = match descriptor.physical_type() {
            Type::INT32 => Cells::Int32(Vec::new()),
            Type::INT64 => Cells::Int64(Vec::new()),
            Type::INT96 => Cells::Int96(Vec::new()),
            Type::FLOAT => Cells::Float(Vec::new()),
            Type::DOUBLE => Cells::Double(Vec::new()),
            Type::BYTE_ARRAY => Cells::Bytes(Vec::new()),
            Type::FIXED_LEN_BYTE_ARRAY => Cells::Fixed(Vec::new()),
            Type::BOOLEAN => return Err(fail("truth values")),
        };
        let is_optional = descriptor.max_def_level() > 0;
        Ok(Self { reader, cells, writing, is_optional, levels: Vec::new(), row_at: 0, cell_at: 0, day: None })
    }

    /// Reads the next `count` rows; those read before are done with.
    pub(super) fn read(&mut self, count: usize) -> Result<(), ColumnError> {
        let Self { reader, cells, levels, .. } = self;
        levels.clear();
        let row_count = match (reader, cells) {
            (ColumnReader::Int32ColumnReader(reader), Cells::Int32(cells)) => {
                read(reader, count, levels, cells)
            }
            (ColumnReader::Int64ColumnReader(reader), Cells::Int64(cells)) => {
                read(reader, count, levels, cells)
            }
            (ColumnReader::Int96ColumnReader(reader), Cells::Int96(cells)) => {
                read(reader, count, levels, cells)
            }
            (ColumnReader::FloatColumnReader(reader), Cells::Float(cells)) => {
                read(reader, count, levels, cells)
            }
            (ColumnReader::DoubleColumnReader(reader), Cells::Double(cells)) => {
                read(reader, count, levels, cells)
            }
            (ColumnReader::ByteArrayColumnReader(reader), Cells::Bytes(cells)) => {
                read(reader, count, levels, cells)
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Cells::Fixed(cells)) => {
                read(reader, count, levels, cells)
            }
            _ => Err(ColumnError::Damaged("a column of two types")),
        }?;
        if row_count != count || (self.is_optional && self.levels.len() != count) {
            return Err(ColumnError::Damaged("pages end before the rows do"));
        }
        (self.row_at, self.cell_at) = (0, 0);
        Ok(())
    }

    /// Writes the cell of the next row, nothing if it has none.
    pub(super) fn write_next(&mut self, out: &mut Vec<u8>) {
        let is_there = !self.is_optional || self.levels[self.row_at] > 0;
        self.row_at += 1;
        if !is_there {
            return;
        }
        let at = self.cell_at;
        self.cell_at += 1;
        match (&self.cells, self.writing) {
            (Cells::Bytes(cells), Writing::Text) => write_text(cells[at].data(), out),
            (Cells::Fixed(cells), Writing::Text) => write_text(cells[at].data(), out),
            (Cells::Bytes(cells), Writing::Decimal { scale }) => write_bytes(cells[at].data(), scale, out),
            (Cells::Fixed(cells), Writing::Decimal { scale }) => write_bytes(cells[at].data(), scale, out),
            (Cells::Int32(cells), Writing::Decimal { scale }) => write_decimal(cells[at].into(), scale, out),
            (Cells::Int64(cells), Writing::Decimal { scale }) => write_decimal(cells[at].into(), scale, out),
            (Cells::Int32(cells), Writing::Unsigned) => {
                write_decimal(cells[at].cast_unsigned().into(), 0, out)
            }
            (Cells::Int64(cells), Writing::Unsigned) => {
                write_decimal(cells[at].cast_unsigned().into(), 0, out)
            }
            (Cells::Int32(cells), _) => write_decimal(cells[at].into(), 0, out),
            (Cells::Int64(cells), Writing::Stamp { per_second, is_local }) => {
                let instant = cells[at];
                let parts = (instant.div_euclid(per_second), instant.rem_euclid(per_second));
                write_stamp(parts, is_local, &mut self.day, out);
            }
            (Cells::Int64(cells), _) => write_decimal(cells[at].into(), 0, out),
            (Cells::Float(cells), _) => write_all(out, format_args!("{}", cells[at])),
            (Cells::Double(cells), _) => write_all(out, format_args!("{}", cells[at])),
            (Cells::Int96(cells), writing) => {
                let is_local = writing == Writing::JulianStamp { is_local: true };
                write_stamp(julian(&cells[at]), is_local, &mut self.day, out);
            }
            // No other pair is made; an empty field is rejected where one is wanted.
            (Cells::Bytes(_) | Cells::Fixed(_), _) => (),
        }
    }
}

fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    levels: &mut Vec<i16>,
    cells: &mut Vec<T::T>,
) -> Result<usize, ColumnError> {
    cells.clear();
    let (row_count, cell_count, _) =
        guarded(|| reader.read_records(count, Some(&mut *levels), None, &mut *cells))?;
    let present_count = levels.iter().filter(|&&level| level > 0).count();
    let wanted = if levels.is_empty() { row_count } else { present_count };
    if cell_count != wanted || cells.len() != wanted {
        return Err(ColumnError::Damaged("a page without the values it counts"));
    }
    Ok(row_count)
}

fn is_text(descriptor: &ColumnDescriptor) -> bool {
    let is_text_like = match descriptor.logical_type_ref() {
        None => matches!(
            descriptor.converted_type(),
            ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM
        ),
        Some(logical) => matches!(logical, LogicalType::String | LogicalType::Enum),
    };
    is_text_like && matches!(descriptor.physical_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY)
}

/// How an integer is written; `None` for what only looks like one.
fn integer_writing(descriptor: &ColumnDescriptor) -> Option<Writing> {
    if !matches!(descriptor.physical_type(), Type::INT32 | Type::INT64) {
        return None;
    }
    use ConvertedType as C;
    match (descriptor.logical_type_ref(), descriptor.converted_type()) {
        (Some(LogicalType::Integer(integer)), _) => {
            Some(if integer.is_signed { Writing::Signed } else { Writing::Unsigned })
        }
        (None, C::NONE | C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64) => Some(Writing::Signed),
        (None, C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64) => Some(Writing::Unsigned),
        _ => None,
    }
}

fn name_writing(descriptor: &ColumnDescriptor) -> Option<Writing> {
    if is_text(descriptor) { Some(Writing::Text) } else { integer_writing(descriptor) }
}

fn stamp_writing(descriptor: &ColumnDescriptor, is_local: bool) -> Result<Writing, &'static str> {
    let (per_second, is_instant) = match (descriptor.physical_type(), descriptor.logical_type_ref()) {
        (Type::INT96, _) => return Ok(Writing::JulianStamp { is_local }),
        (Type::INT64, Some(LogicalType::Timestamp(timestamp))) => {
            let per_second = match timestamp.unit {
                TimeUnit::MILLIS => 1_000,
                TimeUnit::MICROS => 1_000_000,
                TimeUnit::NANOS => 1_000_000_000,
            };
            (per_second, timestamp.is_adjusted_to_u_t_c)
        }
        (Type::INT64, None) => match descriptor.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => (1_000, true),
            ConvertedType::TIMESTAMP_MICROS => (1_000_000, true),
            _ => return Err("no timestamps"),
        },
        _ => return Err("no timestamps"),
    };
    if is_local && is_instant {
        return Err("instants, and the profile says that they are read from a wall clock");
    }
    Ok(Writing::Stamp { per_second, is_local })
}

fn value_writing(descriptor: &ColumnDescriptor, takes_floats: bool) -> Result<Writing, &'static str> {
    const SCALE: &str = "a decimal of more than 38 decimals";
    let physical = descriptor.physical_type();
    let scale = match (descriptor.logical_type_ref(), descriptor.converted_type()) {
        (Some(LogicalType::Decimal(decimal)), _) => Some(decimal.scale),
        (None, ConvertedType::DECIMAL) => Some(descriptor.type_scale()),
        _ => None,
    };
    if let Some(scale) = scale {
        let scale = usize::try_from(scale).ok().filter(|&scale| scale <= SCALE_MAX).ok_or(SCALE)?;
        return Ok(Writing::Decimal { scale });
    }
    match physical {
        Type::FLOAT | Type::DOUBLE if takes_floats => Ok(Writing::Float),
        Type::FLOAT | Type::DOUBLE => Err(
            "binary floats, which are no exact watt-hours; the profile may round them: round_to_wh = true",
        ),
        _ if is_text(descriptor) => Ok(Writing::Text),
        _ => integer_writing(descriptor).ok_or("no numbers"),
    }
}

fn write_all(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes all that is written to it");
}

/// A field of delimited text. What would break its line, or is no text, becomes a character that no name has.
fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'"');
    if bytes.iter().all(is_plain) {
        return out.extend_from_slice(bytes);
    }
    out.push(b'"');
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' => out.extend_from_slice(b"\"\""),
            character if character.is_control() => out.extend_from_slice("\u{fffd}".as_bytes()),
            character => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// A two's complement of any size, its highest byte first. One past 128 bits is written as no number.
fn write_bytes(bytes: &[u8], scale: usize, out: &mut Vec<u8>) {
    const SIZE: usize = size_of::<i128>();
    let sign = if bytes.first().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
    let (high, low) = bytes.split_at(bytes.len().saturating_sub(SIZE));
    let mut all = [sign; SIZE];
    all[SIZE - low.len()..].copy_from_slice(low);
    let fits = high.iter().all(|&byte| byte == sign) && (all[0] >= 0x80) == (sign == 0xff);
    if fits && !bytes.is_empty() {
        write_decimal(i128::from_be_bytes(all), scale, out);
    } else {
        out.extend_from_slice(b"?");
    }
}

/// `mantissa × 10^-scale`, without a loss.
fn write_decimal(mantissa: i128, scale: usize, out: &mut Vec<u8>) {
    if scale == 0 {
        return write_all(out, format_args!("{mantissa}"));
    }
    let digits = format!("{:0width$}", mantissa.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if mantissa < 0 { "-" } else { "" };
    write_all(out, format_args!("{sign}{whole}.{part}"));
}

/// Whole seconds and the rest of them.
fn julian(stamp: &Int96) -> (i64, i64) {
    const PER_SECOND: i64 = 1_000_000_000;
    let [low, high, day] = stamp.data() else { return (i64::MIN, 1) };
    let nanoseconds = (i64::from(high.cast_signed()) << 32) | i64::from(*low);
    // At most 2^31 days and 2^63 nanoseconds: far below the range of seconds.
    let seconds = (i64::from(day.cast_signed()) - JULIAN_EPOCH) * SECONDS_PER_DAY;
    (seconds + nanoseconds.div_euclid(PER_SECOND), nanoseconds.rem_euclid(PER_SECOND))
}

/// A stamp in RFC 3339, or without an offset if it is a wall clock's. One that is no whole second of the calendar is
/// written so that it is no stamp.
fn write_stamp(
    (seconds, rest): (i64, i64),
    is_local: bool,
    known: &mut Option<(i64, String)>,
    out: &mut Vec<u8>,
) {
    let (day, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    if known.as_ref().is_none_or(|(known, _)| *known != day) {
        let written = i32::try_from(day).ok().and_then(Day::from_number).map(|day| day.to_string());
        *known = written.map(|text| (day, text));
    }
    let Some((_, date)) = known else { return write_all(out, format_args!("?{seconds}")) };
    out.extend_from_slice(date.as_bytes());
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    out.push(b'T');
    for (number, end) in [(hour, b':'), (minute, b':'), (second, if is_local { b' ' } else { b'Z' })] {
        let digit = |number: i64| b'0' + number.to_le_bytes()[0];
        out.extend_from_slice(&[digit(number / 10), digit(number % 10), end]);
    }
    if is_local {
        out.pop();
    }
    if rest != 0 {
        write_all(out, format_args!(".{rest}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_without_a_loss() {
        let table: &[(i128, usize, &str)] = &[
            (0, 0, "0"),
            (-5, 0, "-5"),
            (513, 3, "0.513"),
            (-7, 3, "-0.007"),
            (1_000, 3, "1.000"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ];
        for &(mantissa, scale, want) in table {
            assert_eq!(written(|out| write_decimal(mantissa, scale, out)), want);
            let bytes = mantissa.to_be_bytes();
            assert_eq!(written(|out| write_bytes(&bytes, scale, out)), want);
            let wider =
                [[bytes[0] >> 7; 4].map(|bit| if bit == 1 { 0xff } else { 0 }).to_vec(), bytes.to_vec()]
                    .concat();
            assert_eq!(written(|out| write_bytes(&wider, scale, out)), want);
        }
        assert_eq!(written(|out| write_bytes(&[0xff], 1, out)), "-0.1");
        assert_eq!(written(|out| write_bytes(&[], 0, out)), "?");
        assert_eq!(written(|out| write_bytes(&[1; 17], 0, out)), "?");
    }

    #[test]
    fn texts_and_stamps() {
        assert_eq!(written(|out| write_text(b"a b", out)), "a b");
        assert_eq!(written(|out| write_text(b"a,\"b\"\n\xff", out)), "\"a,\"\"b\"\"\u{fffd}\u{fffd}\"");
        let stamp =
            |seconds, rest, is_local| written(|out| write_stamp((seconds, rest), is_local, &mut None, out));
        assert_eq!(stamp(1_772_323_200, 0, false), "2026-03-01T00:00:00Z");
        assert_eq!(stamp(1_772_323_200 + 86_399, 0, true), "2026-03-01T23:59:59");
        assert_eq!(stamp(0, 500, false), "1970-01-01T00:00:00Z.500");
        assert_eq!(stamp(i64::MAX, 0, false), format!("?{}", i64::MAX));
        let mut day = Int96::new();
        day.set_data(1_000_000_000, 0, 2_440_588);
        assert_eq!(julian(&day), (1, 0));
    }
}
