//! Fields of a TOML document with the place they stand at.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use serde::de::DeserializeOwned;
use tallywatt_core::decimal::{Decimal, DecimalError};
use tallywatt_core::validity::Validity;
use toml::{Spanned, Value};

use super::error::DocumentError;

/// A value and where it stands.
pub(super) type Field = Spanned<Value>;

const QUOTE: &str = "put the value in double quotes";
const SHAPE: &str = "compare the file with the example of its kind";
const FLAG: &str = "write true or false";
const DECIMAL: &str = "write a decimal number with a point, such as \"6.43\"";
/// The most characters of a value that a message shows.
const SHOWN_CHARS_MAX: usize = 40;

/// The text of a document and the name of its file.
pub(super) struct Source<'t> {
    file: &'t str,
    text: &'t str,
}

impl<'t> Source<'t> {
    pub(super) const fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text }
    }

    /// The document as a struct of fields.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, DocumentError> {
        toml::from_str(self.text).map_err(|error| {
            let line = error.span().map(|span| self.line(&span));
            DocumentError::new(self.file, line, error.message(), SHAPE)
        })
    }

    /// A failure at a place.
    pub(super) fn fail(
        &self,
        span: &Range<usize>,
        problem: impl Into<String>,
        next_step: &'static str,
    ) -> DocumentError {
        DocumentError::new(self.file, Some(self.line(span)), problem, next_step)
    }

    /// The text of a field.
    pub(super) fn text<'f>(&self, name: &str, field: &'f Field) -> Result<&'f str, DocumentError> {
        match field.get_ref() {
            Value::String(text) => Ok(text),
            _ => Err(self.fail(&field.span(), format!("{name} is not text: {}", self.shown(field)), QUOTE)),
        }
    }

    /// A field that some type of `core` takes from its text.
    pub(super) fn parse<T>(
        &self,
        name: &str,
        field: &Field,
        next_step: &'static str,
    ) -> Result<T, DocumentError>
    where
        T: FromStr<Err: Display>,
    {
        let text = self.text(name, field)?;
        text.parse().map_err(|error| self.fail(&field.span(), format!("{name}: {error}"), next_step))
    }

    /// A decimal number in units of `10^-decimals`. A float is refused: its digits are gone already.
    pub(super) fn decimal(&self, name: &str, field: &Field, decimals: u32) -> Result<i64, DocumentError> {
        if let Value::Float(_) | Value::Integer(_) = field.get_ref() {
            let problem = format!("write {name} as text, {} loses digits as a number", self.shown(field));
            return Err(self.fail(&field.span(), problem, QUOTE));
        }
        let text = self.text(name, field)?;
        let scaled = Decimal::parse(text.as_bytes(), b'.').and_then(|number| number.scaled(decimals));
        scaled.map_err(|error| {
            let problem = match error {
                DecimalError::TooFine => format!("{name} {text} has more than {decimals} decimals"),
                other => format!("{name} {text:?}: {other}"),
            };
            self.fail(&field.span(), problem, DECIMAL)
        })
    }

    /// A whole number in a range.
    pub(super) fn whole<T>(
        &self,
        name: &str,
        field: &Field,
        range: RangeInclusive<T>,
        next_step: &'static str,
    ) -> Result<T, DocumentError>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let number = match field.get_ref() {
            Value::Integer(number) => T::try_from(*number).ok(),
            _ => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let problem = format!("{name} is not a whole number from {} to {}", range.start(), range.end());
            self.fail(&field.span(), problem, next_step)
        })
    }

    /// Yes or no.
    pub(super) fn flag(&self, name: &str, field: &Field) -> Result<bool, DocumentError> {
        match field.get_ref() {
            Value::Boolean(flag) => Ok(*flag),
            _ => Err(self.fail(&field.span(), format!("{name} is neither true nor false"), FLAG)),
        }
    }

    /// The days from `from` until the day before `to`.
    pub(super) fn validity(&self, from: &Field, to: Option<&Field>) -> Result<Validity, DocumentError> {
        const DATES: &str = "write dates as \"2026-01-01\"; valid_to is the first day it no longer holds";
        let from_day = self.parse("valid_from", from, DATES)?;
        let to_day = to.map(|to| self.parse("valid_to", to, DATES)).transpose()?;
        Validity::new(from_day, to_day).map_err(|error| {
            let span = to.map_or(from.span(), Spanned::span);
            self.fail(&span, error.to_string(), DATES)
        })
    }

    /// The line of a place, counted from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> u64 {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        let breaks = before.iter().filter(|&&byte| byte == b'\n').count();
        u64::try_from(breaks).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// A value as it is written in the file, cut short.
    fn shown(&self, field: &Field) -> String {
        let written = self.text.get(field.span()).unwrap_or_default();
        written.chars().take_while(|character| !character.is_control()).take(SHOWN_CHARS_MAX).collect()
    }
}
