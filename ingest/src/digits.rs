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
    let Some(digits) = values.checked_shl(64 - 8 * count) else { return 0 };
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
        fn leading_digits_are_counted(bytes in any::<[u8; 8]>(), digits in "[0-9]{0,8}") {
            let mut mixed = bytes;
            mixed[..digits.len()].copy_from_slice(digits.as_bytes());
            let want = mixed.iter().take_while(|byte| byte.is_ascii_digit()).count();
            prop_assert_eq!(leading(u64::from_le_bytes(mixed)).0 as usize, want);
        }
    }
}
