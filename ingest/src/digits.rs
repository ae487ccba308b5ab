//! Short runs of ASCII digits, eight at a time.
//!
//! ```text
//!   "513\n42,2"  ─ word ─▶  how many lead: 3  ─ shift the rest out ─▶  "00000513"  ─ fold pairs ─▶ 513
//! ```
//!
//! Only what is surely a plain number is read here; anything else is left to
//! [`Decimal`](tallywatt_core::decimal::Decimal), which says what is wrong with it.

/// Eight bytes with the same value.
const fn every(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// What a number in units of `10^-at` is multiplied by to have 6 decimals or fewer: no unit carries more.
const POWERS: [i64; 7] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

/// The eight bytes at `at`; past the end of `bytes` there are none.
#[inline(always)]
pub(crate) fn word_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// How many of the word's first bytes are digits, and the number they write.
#[inline(always)]
pub(crate) fn leading(word: u64) -> (u32, u64) {
    // A digit's value is at most 9; adding 0x76 to anything above sets the top bit, or it is set already. A
    // carry out of such a byte touches later bytes only, and only the first is asked for.
    let values = word ^ every(b'0');
    let others = (values.wrapping_add(every(0x76)) | values) & every(0x80);
    let count = others.trailing_zeros() / 8;
    (count, folded(values, count))
}

/// The number that the first `count` of eight digit values write.
#[inline(always)]
fn folded(values: u64, count: u32) -> u64 {
    // The rest is shifted out; zeros come in before the first digit.
    values.checked_shl(64 - 8 * count).map_or(0, fold)
}

/// The number that eight digit values write.
#[inline(always)]
const fn fold(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xffff_ffff
}

/// The plain number at `at` in units of `10^-decimals`, and where it ends.
///
/// `None` unless 1 to 7 digits stand there, alone or with a separator and 1 to `decimals` digits after them,
/// and the eight bytes after each place are within `bytes`. What follows the number is not looked at.
#[inline(always)]
pub(crate) fn number_at(bytes: &[u8], at: usize, separator: u8, decimals: u32) -> Option<(i64, usize)> {
    let word = word_at(bytes, at)?;
    let (count, whole) = leading(word);
    if count == 0 || count == 8 {
        return None;
    }
    let whole = i64::try_from(whole).ok()?;
    let at = at + usize::try_from(count).ok()?;
    let scale = *POWERS.get(usize::try_from(decimals).ok()?)?;
    // A separator where none is wanted stays where it is: what comes after the number does not match then.
    if decimals == 0 || (word >> (8 * count)) & 0xff != u64::from(separator) {
        return Some((whole * scale, at));
    }
    let (count, part) = leading(word_at(bytes, at + 1)?);
    let finer = decimals.checked_sub(count).filter(|_| count > 0)?;
    let part = i64::try_from(part).ok()? * POWERS[usize::try_from(finer).ok()?];
    Some((whole * scale + part, at + 1 + usize::try_from(count).ok()?))
}

/// Sets the top bit of the first byte that is zero; of later bytes, and only there, it may be set wrongly.
#[inline(always)]
const fn first_zero(word: u64) -> u64 {
    word.wrapping_sub(every(1)) & !word & every(0x80)
}

/// Reads the numbers of fields one after another; most are written as the one before.
///
/// ```text
///   "18.02,19"  ─ delimiter at 5, point at 2: the shape ─▶  "1802"  ─ 2 digits and 3 decimals to the end ─▶  00018020
/// ```
#[derive(Debug)]
pub(crate) struct FieldReader {
    delimiter: u8,
    decimals: u32,
    /// By bytes before the delimiter, and by bytes before the point.
    shapes: [Shape; 64],
    last: Shape,
}

/// How a number with its delimiter lies in a word.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    /// Zeros for digits, the point, the delimiter.
    pattern: u64,
    /// What is added to a byte of the difference to set its top bit if it may not be there: a digit past nine, or anything
    /// else than the point or the delimiter.
    limits: u64,
    /// Top bits of the bytes that count.
    counted: u64,
    /// The digits before the point; those behind it, once they have moved into its place.
    before: u64,
    behind: u64,
    /// Bits to move the digits behind the point down, then all of them up.
    down: u32,
    up: u32,
    /// Bytes of the field and its delimiter; 0 if no number is written so.
    size: usize,
}

impl Shape {
    /// Of a number with `whole` digits before its point, of `size` bytes; `whole == size` if it has no point.
    fn new(delimiter: u8, decimals: u32, size: u32, whole: u32) -> Option<Self> {
        let point = u32::from(whole < size);
        let behind = size.checked_sub(whole + point)?;
        let is_written = size > 0 && behind >= point && behind <= decimals;
        let up = 8_u32.checked_sub(whole + decimals).filter(|&bytes| is_written && bytes < 8)?;
        let mut shape =
            Self { down: 8 * point, up: 8 * up, size: usize::try_from(size).ok()? + 1, ..Self::default() };
        for at in 0..=size {
            let (byte, limit) = match at {
                _ if at == size => (delimiter, 0x7f),
                _ if at == whole => (b'.', 0x7f),
                _ => (b'0', 0x76),
            };
            shape.pattern |= u64::from(byte) << (8 * at);
            shape.limits |= limit << (8 * at);
            shape.counted |= 0x80 << (8 * at);
        }
        shape.before = !u64::MAX.wrapping_shl(8 * whole);
        shape.behind = !u64::MAX.wrapping_shl(8 * (whole + behind)) & !shape.before;
        Some(shape)
    }

    /// The number, if the word has this shape.
    #[inline(always)]
    fn number(&self, word: u64) -> Option<i64> {
        let values = word ^ self.pattern;
        // A carry goes to later bytes only, and comes from one whose own top bit is set.
        if (values.wrapping_add(self.limits) | values) & self.counted != 0 {
            return None;
        }
        let joined = (values & self.before) | (values.wrapping_shr(self.down) & self.behind);
        i64::try_from(fold(joined.wrapping_shl(self.up))).ok()
    }
}

impl FieldReader {
    /// For fields that end in `delimiter`, and numbers in units of `10^-decimals`.
    pub(crate) fn new(delimiter: u8, decimals: u32) -> Self {
        let mut shapes = [Shape::default(); 64];
        for (place, shape) in (0..).zip(&mut shapes) {
            *shape = Shape::new(delimiter, decimals, place / 8, place % 8).unwrap_or_default();
        }
        // No word has the shape of nothing, until a field was read.
        let last = Shape { counted: u64::MAX, limits: u64::MAX, ..Shape::default() };
        Self { delimiter, decimals, shapes, last }
    }

    pub(crate) const fn decimals(&self) -> u32 {
        self.decimals
    }

    /// The plain number that fills the field at `at`, and where the next field begins.
    ///
    /// As [`number_at`], but a number may begin with its point, and the delimiter must follow it.
    #[inline(always)]
    pub(crate) fn read(&mut self, bytes: &[u8], at: usize) -> Option<(i64, usize)> {
        let word = word_at(bytes, at)?;
        match self.last.number(word) {
            Some(number) => Some((number, at.wrapping_add(self.last.size))),
            None => self.read_anew(word, bytes, at),
        }
    }

    /// The same for a number that is not written as the one before.
    fn read_anew(&mut self, word: u64, bytes: &[u8], at: usize) -> Option<(i64, usize)> {
        let place = |byte: u8| first_zero(word ^ every(byte)).trailing_zeros() / 8;
        let size = place(self.delimiter);
        let whole = place(b'.').min(size);
        let shape = self.shapes.get(usize::try_from(8 * size + whole).ok()?);
        match shape {
            Some(shape) if shape.size > 0 => {
                self.last = *shape;
                Some((shape.number(word)?, at + shape.size))
            }
            // Too long for one word, or not to be written so.
            _ => {
                let (number, end) = number_at(bytes, at, b'.', self.decimals)?;
                (*bytes.get(end)? == self.delimiter).then_some((number, end + 1))
            }
        }
    }
}

/// Powers of ten, of as many digits as a word has.
const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number that 1 to 16 digits write at `at`, and where they end; `None` unless the eight bytes after each eighth digit
/// are within `bytes`.
#[inline(always)]
pub(crate) fn whole_at(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let (count, head) = leading(word_at(bytes, at)?);
    let (count, number) = match count {
        0 => return None,
        8 => {
            let (more, tail) = leading(word_at(bytes, at + 8)?);
            if more == 8 && bytes.get(at + 16).is_none_or(u8::is_ascii_digit) {
                return None;
            }
            (8 + more, head * TENS[usize::try_from(more).ok()?] + tail)
        }
        count => (count, head),
    };
    Some((i64::try_from(number).ok()?, at + usize::try_from(count).ok()?))
}

/// `text` as a number in units of `10^-decimals`, if it is plain and exact.
pub(crate) fn watt_hours(text: &[u8], separator: u8, decimals: u32) -> Option<i64> {
    const ROOM: usize = 16;
    // Room for a word past the last digit; the zeros are no digits.
    let mut padded = [0; 2 * ROOM];
    padded.get_mut(..text.len()).filter(|room| room.len() < ROOM)?.copy_from_slice(text);
    number_at(&padded, 0, separator, decimals).filter(|&(_, end)| end == text.len()).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tallywatt_core::decimal::Decimal;

    /// What is read here, the reference reads the same; short plain numbers are read here.
    fn check(text: &str, decimals: u32) {
        let got = watt_hours(text.as_bytes(), b'.', decimals);
        let want = Decimal::parse(text.as_bytes(), b'.').and_then(|number| number.scaled(decimals));
        if let Some(number) = got {
            assert_eq!(Ok(number), want, "{text:?} at {decimals}");
        }
        let is_plain = (1..=7).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        assert!(!is_plain || got.is_some(), "{text:?} is plain");
    }

    #[test]
    fn numbers() {
        let table: &[(&str, u32, Option<i64>)] = &[
            ("513", 0, Some(513)),
            ("0", 3, Some(0)),
            ("0.292", 3, Some(292)),
            ("1.5", 3, Some(1_500)),
            ("007", 0, Some(7)),
            ("9999999", 6, Some(9_999_999_000_000)),
            // Left to the reference.
            ("12345678", 0, None),
            ("1.0", 0, None),
            ("1.2345", 3, None),
            ("1.2345000", 3, None),
            ("-1", 0, None),
            ("1.", 3, None),
            (".5", 3, None),
            ("", 0, None),
            ("1 ", 0, None),
            ("1\0", 0, None),
            ("1:", 0, None),
            ("1/", 0, None),
        ];
        for &(text, decimals, want) in table {
            assert_eq!(watt_hours(text.as_bytes(), b'.', decimals), want, "{text:?} at {decimals}");
            check(text, decimals);
        }
        for number in (0..10_000_000_u64).step_by(977) {
            let (count, read) = leading(word_at(format!("{number},xxxxxxx").as_bytes(), 0).unwrap());
            assert_eq!((count as usize, read), (number.to_string().len(), number));
        }
        assert_eq!(leading(u64::from_le_bytes(*b"12345678")), (8, 12_345_678));
    }

    /// The fields before commas, where they are read, are what the reference reads with a zero before a leading point.
    fn check_fields(texts: &[&str], decimals: u32) {
        let line = format!("{},1.234,5", texts.join(","));
        let (mut reader, mut at) = (FieldReader::new(b',', decimals), 0);
        for field in line.split(',').take(texts.len()) {
            let zero = if field.starts_with('.') { "0" } else { "" };
            let want = Decimal::parse(format!("{zero}{field}").as_bytes(), b'.')
                .and_then(|number| number.scaled(decimals));
            let got = reader.read(line.as_bytes(), at);
            if let Some((number, next)) = got {
                assert_eq!((Ok(number), next), (want, at + field.len() + 1), "{field:?} at {decimals}");
            }
            let (whole, part) = field.split_once('.').unwrap_or((field, ""));
            let is_plain = (1..=5).contains(&whole.len())
                && (part.len() <= 3 && field.len() < 8 && !field.ends_with('.'))
                && [whole, part].iter().all(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            assert!(!(is_plain && decimals == 3) || got.is_some(), "{field:?} is plain");
            at += field.len() + 1;
        }
    }

    #[test]
    fn fields() {
        for (text, decimals, want) in [
            ("0.513", 3, Some(513)),
            (".004", 3, Some(4)),
            ("0", 3, Some(0)),
            ("12345", 3, Some(12_345_000)),
            ("1832.51", 3, Some(1_832_510)),
            ("1832.510", 3, Some(1_832_510)),
            ("123456", 3, Some(123_456_000)),
            ("1234567", 0, Some(1_234_567)),
            ("0.5", 0, None),
            ("0.5131", 3, None),
            ("", 3, None),
            (".", 3, None),
            ("1.", 3, None),
            ("-1", 3, None),
            ("1.2.3", 3, None),
            ("1 ", 3, None),
        ] {
            let line = format!("{text},1.234,");
            let got = FieldReader::new(b',', decimals).read(line.as_bytes(), 0).map(|(number, _)| number);
            assert_eq!(got, want, "{text:?} at {decimals}");
            check_fields(&[text, text, "0.5", text], decimals);
        }
        // The word needs room.
        assert_eq!(FieldReader::new(b',', 3).read(b"1,2", 0), None);
        assert_eq!(FieldReader::new(b',', 3).read(&[0; 16], 0), None);
    }

    #[test]
    fn whole_numbers() {
        for digits in ["0", "7", "1234567", "12345678", "1330578000", "123456789012345", "9999999999999999"] {
            let got = whole_at(format!("<{digits}</start>        ").as_bytes(), 1);
            assert_eq!(got, Some((digits.parse().unwrap(), 1 + digits.len())), "{digits}");
        }
        for not in ["", "-1", "x", "12345678901234567", "123456789012345678901234"] {
            assert_eq!(whole_at(format!("<{not}</start>        ").as_bytes(), 1), None, "{not}");
        }
        assert_eq!(whole_at(b"12345678", 0), None);
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_the_reference(text in "[0-9.:/\0\u{ff}-]{0,18}", decimals in 0..7_u32) {
            check(&text, decimals);
        }

        #[test]
        fn fields_are_those_of_the_reference(
            texts in prop::collection::vec("[0-9]{0,9}[.x]?[0-9]{0,5}[.\0\u{ff}-]?|[0-9]\\.[0-9]{3}", 1..9),
            decimals in 0..7_u32,
        ) {
            check_fields(&texts.iter().map(String::as_str).collect::<Vec<_>>(), decimals);
        }

        #[test]
        fn leading_digits_are_counted(bytes in any::<[u8; 8]>(), digits in "[0-9]{0,8}") {
            let mut mixed = bytes;
            mixed[..digits.len()].copy_from_slice(digits.as_bytes());
            let want = mixed.iter().take_while(|byte| byte.is_ascii_digit()).count();
            prop_assert_eq!(leading(u64::from_le_bytes(mixed)).0 as usize, want);
        }
    }
}
