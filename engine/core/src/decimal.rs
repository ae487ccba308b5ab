//! Decimal numbers from outside, read without floats: ASCII digits, one separator, at most 18 digits.
//!
//! Refused rather than guessed: exponents, `NaN`, other scripts' digits, grouping, a bare separator.

use std::fmt;

/// The most digits a number from outside may have, so that it always fits an `i64`.
pub const DIGIT_COUNT_MAX: usize = 18;

/// Why a text is not a decimal number we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not `[-+]digits[.digits]`.
    #[error("not a decimal number")]
    Syntax,
    /// More than [`DIGIT_COUNT_MAX`] significant digits.
    #[error("more than {DIGIT_COUNT_MAX} digits")]
    TooLong,
    /// Non-zero digits beyond the wanted number of decimals.
    #[error("more decimals than the unit carries")]
    TooFine,
}

/// A decimal number: `mantissa / 10^scale`, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i64,
    scale: u32,
}

impl Decimal {
    /// Parses `text` with `separator` (`b'.'` or `b','`) before the decimals.
    ///
    /// # Errors
    /// [`DecimalError::Syntax`] or [`DecimalError::TooLong`].
    pub fn parse(text: &[u8], separator: u8) -> Result<Self, DecimalError> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let mut mantissa = 0_i64;
        let mut scale = 0_u32;
        let mut digit_count = 0_usize;
        let mut seen_digit = false;
        let mut seen_separator = false;
        for &byte in digits {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    // Leading zeros carry nothing and do not use up the limit.
                    if mantissa != 0 || byte != b'0' {
                        digit_count += 1;
                        if digit_count > DIGIT_COUNT_MAX {
                            return Err(DecimalError::TooLong);
                        }
                    }
                    mantissa = mantissa * 10 + i64::from(byte - b'0');
                    if seen_separator {
                        scale += 1;
                        if scale > 64 {
                            return Err(DecimalError::TooLong);
                        }
                    }
                }
                _ if byte == separator && !seen_separator && seen_digit => seen_separator = true,
                _ => return Err(DecimalError::Syntax),
            }
        }
        if !seen_digit || (seen_separator && scale == 0) {
            return Err(DecimalError::Syntax);
        }
        Ok(Self { mantissa: if negative { -mantissa } else { mantissa }, scale })
    }

    /// The value in units of `10^-decimals`, exact.
    ///
    /// # Errors
    /// [`DecimalError::TooFine`] if that would drop a digit that is not zero, [`DecimalError::TooLong`] past `i64`.
    pub fn scaled(self, decimals: u32) -> Result<i64, DecimalError> {
        if self.mantissa == 0 {
            return Ok(0);
        }
        if self.scale <= decimals {
            let factor = 10_i64.checked_pow(decimals - self.scale).ok_or(DecimalError::TooLong)?;
            return self.mantissa.checked_mul(factor).ok_or(DecimalError::TooLong);
        }
        let Some(divisor) = 10_i64.checked_pow(self.scale - decimals) else {
            return Err(DecimalError::TooFine);
        };
        if self.mantissa % divisor != 0 {
            return Err(DecimalError::TooFine);
        }
        Ok(self.mantissa / divisor)
    }

    /// The value in units of `10^-decimals`, rounded half to even; says whether anything was dropped.
    ///
    /// Only for a source whose profile declares that its values are nearest-unit copies of meter counts
    /// (exports through binary floats write `1.0930001` for `1.093`).
    ///
    /// # Errors
    /// [`DecimalError::TooLong`] past `i64`.
    pub fn nearest(self, decimals: u32) -> Result<(i64, bool), DecimalError> {
        match self.scaled(decimals) {
            Ok(value) => Ok((value, false)),
            Err(DecimalError::TooFine) => {
                let divisor = 10_i128.checked_pow(self.scale - decimals).ok_or(DecimalError::TooLong)?;
                let rounded = crate::money::div_half_even(i128::from(self.mantissa), divisor);
                i64::try_from(rounded).map(|value| (value, true)).map_err(|_| DecimalError::TooLong)
            }
            Err(other) => Err(other),
        }
    }
}

/// Writes `value / 10^decimals` with a point, without trailing zeros beyond `keep` decimals.
///
/// # Errors
/// Only what the formatter itself reports.
pub fn write_scaled(f: &mut fmt::Formatter<'_>, value: i128, decimals: u32, keep: u32) -> fmt::Result {
    let unit = 10_u128.pow(decimals);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let mut fraction = format!("{:0width$}", magnitude % unit, width = decimals as usize);
    while fraction.len() > keep as usize && fraction.ends_with('0') {
        fraction.pop();
    }
    if fraction.is_empty() || decimals == 0 {
        write!(f, "{sign}{}", magnitude / unit)
    } else {
        write!(f, "{sign}{}.{fraction}", magnitude / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_from_outside() {
        let table: &[(&str, u32, Result<i64, DecimalError>)] = &[
            ("0", 3, Ok(0)),
            ("0.292", 3, Ok(292)),
            ("-1.5", 3, Ok(-1_500)),
            ("+7", 0, Ok(7)),
            ("1.0930001", 3, Err(DecimalError::TooFine)),
            ("1.0930000", 3, Ok(1_093)),
            ("0000000000000000000000012", 0, Ok(12)),
            ("0.00000000000000000000", 3, Ok(0)),
            ("999999999999999999", 0, Ok(999_999_999_999_999_999)),
            ("999999999999999999", 3, Err(DecimalError::TooLong)),
            ("9999999999999999999", 0, Err(DecimalError::TooLong)),
            ("", 0, Err(DecimalError::Syntax)),
            ("-", 0, Err(DecimalError::Syntax)),
            (".5", 1, Err(DecimalError::Syntax)),
            ("5.", 1, Err(DecimalError::Syntax)),
            ("1e3", 0, Err(DecimalError::Syntax)),
            ("NaN", 0, Err(DecimalError::Syntax)),
            ("1 000", 0, Err(DecimalError::Syntax)),
            ("1.2.3", 3, Err(DecimalError::Syntax)),
            ("١٢", 0, Err(DecimalError::Syntax)),
        ];
        for (text, decimals, want) in table {
            let got = Decimal::parse(text.as_bytes(), b'.').and_then(|number| number.scaled(*decimals));
            assert_eq!(got, *want, "{text} at {decimals} decimals");
        }
        assert_eq!(Decimal::parse(b"1,5", b',').and_then(|number| number.scaled(3)), Ok(1_500));
    }

    #[test]
    fn nearest_is_half_to_even() {
        for (text, want) in
            [("1.0930001", 1_093), ("1.1289999", 1_129), ("0.0005", 0), ("0.0015", 2), ("-0.0015", -2)]
        {
            let got = Decimal::parse(text.as_bytes(), b'.').and_then(|number| number.nearest(3));
            assert_eq!(got, Ok((want, true)), "{text}");
        }
    }
}
