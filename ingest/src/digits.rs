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

/// The plain number that fills the field at `at`, in units of `10^-decimals`, and where the next field begins.
///
/// ```text
///   "18.023,1"  ─ delimiter at 6, point at 2 ─▶  "18" "023"  ─ point out, rest shifted out ─▶  "00018023" ─ fold ─▶ 18023
/// ```
///
/// As [`number_at`], but a number may begin with its point, and the delimiter must follow it.
#[inline(always)]
pub(crate) fn field_at(bytes: &[u8], at: usize, delimiter: u8, decimals: u32) -> Option<(i64, usize)> {
    let word = word_at(bytes, at)?;
    // In bits: where the delimiter stands, and where the point, if it stands before it.
    let size = first_zero(word ^ every(delimiter)).trailing_zeros() & !7;
    if size == 64 {
        let (number, end) = number_at(bytes, at, b'.', decimals)?;
        return (*bytes.get(end)? == delimiter).then_some((number, end + 1));
    }
    let whole = (first_zero(word ^ every(b'.')).trailing_zeros() & !7).min(size);
    let point = if whole < size { 8 } else { 0 };
    let values = word ^ every(b'0');
    let before = !u64::MAX.wrapping_shl(whole);
    let joined = (values & before) | ((values >> point) & !before);
    let (digits, finer) = (size - point, size - point - whole);
    let power = POWERS.get(usize::try_from(decimals.checked_sub(finer / 8)?).ok()?)?;
    // The first test is for no digits at all, the second for a point without digits behind it.
    if digits == 0 || point > finer {
        return None;
    }
    let aligned = joined.wrapping_shl(64 - digits);
    if (aligned.wrapping_add(every(0x76)) | aligned) & every(0x80) != 0 {
        return None;
    }
    let number = i64::try_from(fold(aligned)).ok()? * power;
    Some((number, at + usize::try_from(size / 8).ok()? + 1))
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

    proptest! {
        #[test]
        fn numbers_are_those_of_the_reference(text in "[0-9.:/\0\u{ff}-]{0,18}", decimals in 0..7_u32) {
            check(&text, decimals);
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
