//! Canonical bytes: fixed-width little-endian numbers and length-prefixed strings, one form per value.
//!
//! A decoder that uses [`Reader`] to the end and re-encodes gets the same bytes, or the input is refused.
//! Lengths from outside are checked against a named limit before anything is allocated.

use tallywatt_core::hash::ContentHash;
use tallywatt_core::label::{LABEL_SIZE_MAX, Label};

/// The longest byte string in any canonical record but a list of records.
pub const BYTES_SIZE_MAX: u32 = 1 << 20;

/// Why stored or received bytes are not a canonical record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end inside a field.
    #[error("bytes end at {at} inside `{field}`")]
    Truncated {
        /// The field.
        field: &'static str,
        /// Offset of the field.
        at: usize,
    },
    /// A field holds a value that its type does not have.
    #[error("`{field}` at {at} holds a value that is not allowed")]
    Value {
        /// The field.
        field: &'static str,
        /// Offset of the field.
        at: usize,
    },
    /// A length or count is past its limit.
    #[error("`{field}` at {at} is {count} long, at most {max}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Offset of the field.
        at: usize,
        /// Claimed length.
        count: u64,
        /// The limit.
        max: u64,
    },
    /// Bytes are left over.
    #[error("{count} bytes after the end of the record")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The record is of another kind or version.
    #[error("record of kind {kind}, version {version}; this reads kind {want} in its one version")]
    Kind {
        /// Kind found.
        kind: u8,
        /// Version found.
        version: u8,
        /// Kind expected.
        want: u8,
    },
}

/// Appends canonical fields to a buffer.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty record with its version and kind in front.
    #[must_use]
    pub fn record(version: u8, kind: u8) -> Self {
        Self { bytes: vec![version, kind] }
    }

    /// The finished bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.bytes.push(value);
        self
    }

    /// Two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Four bytes, signed.
    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Eight bytes, signed.
    pub fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Sixteen bytes, signed.
    pub fn i128(&mut self, value: i128) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// A hash.
    pub fn hash(&mut self, value: &ContentHash) -> &mut Self {
        self.raw(&value.0)
    }

    /// A name, zero-padded to 33 bytes.
    pub fn label(&mut self, value: &Label) -> &mut Self {
        self.raw(value.padded())
    }

    /// A length in four bytes, then the bytes.
    ///
    /// # Panics
    /// Past [`BYTES_SIZE_MAX`]: such a record is never built here.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let size = u32::try_from(value.len()).unwrap_or(u32::MAX);
        assert!(size <= BYTES_SIZE_MAX, "byte string of {size}, at most {BYTES_SIZE_MAX}");
        self.u32(size).raw(value)
    }

    /// A length, then UTF-8.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// The number of records that follow.
    ///
    /// # Panics
    /// Past four billion.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.u32(u32::try_from(count).expect("counts in records are far below four billion"))
    }

    /// Bytes as they are: fixed-width fields only.
    pub fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(value);
        self
    }
}

/// Takes canonical fields from bytes, never past their end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Over bytes without a kind in front.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Over a record that must be of this version and kind.
    ///
    /// # Errors
    /// [`CodecError::Kind`] or [`CodecError::Truncated`].
    pub fn record(bytes: &'a [u8], version: u8, kind: u8) -> Result<Self, CodecError> {
        let mut reader = Self::new(bytes);
        let found = (reader.u8("version")?, reader.u8("kind")?);
        if found != (version, kind) {
            return Err(CodecError::Kind { version: found.0, kind: found.1, want: kind });
        }
        Ok(reader)
    }

    /// Where the next field starts.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// The next `size` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn raw(&mut self, field: &'static str, size: usize) -> Result<&'a [u8], CodecError> {
        let at = self.at;
        let end = at.checked_add(size).ok_or(CodecError::Truncated { field, at })?;
        let part = self.bytes.get(at..end).ok_or(CodecError::Truncated { field, at })?;
        self.at = end;
        Ok(part)
    }

    /// All bytes that are left.
    ///
    /// # Errors
    /// [`CodecError::Truncated`] if there are none.
    pub fn rest(&mut self, field: &'static str) -> Result<&'a [u8], CodecError> {
        let size = self.bytes.len() - self.at;
        if size == 0 { Err(CodecError::Truncated { field, at: self.at }) } else { self.raw(field, size) }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CodecError> {
        let at = self.at;
        self.raw(field, N)?.try_into().map_err(|_| CodecError::Truncated { field, at })
    }

    /// One byte.
    ///
    /// # Errors
    /// [`CodecError::Truncated`], as for every fixed-width field below.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, CodecError> {
        Ok(self.array::<1>(field)?[0])
    }

    /// Two bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn u16(&mut self, field: &'static str) -> Result<u16, CodecError> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn u32(&mut self, field: &'static str) -> Result<u32, CodecError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Four bytes, signed.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn i32(&mut self, field: &'static str) -> Result<i32, CodecError> {
        self.array(field).map(i32::from_le_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn u64(&mut self, field: &'static str) -> Result<u64, CodecError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// Eight bytes, signed.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn i64(&mut self, field: &'static str) -> Result<i64, CodecError> {
        self.array(field).map(i64::from_le_bytes)
    }

    /// Sixteen bytes, signed.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn i128(&mut self, field: &'static str) -> Result<i128, CodecError> {
        self.array(field).map(i128::from_le_bytes)
    }

    /// A hash.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn hash(&mut self, field: &'static str) -> Result<ContentHash, CodecError> {
        self.array(field).map(ContentHash)
    }

    /// A zero-padded name.
    ///
    /// # Errors
    /// [`CodecError::Value`] if it is not a name.
    pub fn label(&mut self, field: &'static str) -> Result<Label, CodecError> {
        let at = self.at;
        let bytes: [u8; LABEL_SIZE_MAX] = self.array(field)?;
        Label::from_padded(&bytes).map_err(|_| CodecError::Value { field, at })
    }

    /// A length, then as many bytes.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] past [`BYTES_SIZE_MAX`].
    pub fn bytes(&mut self, field: &'static str) -> Result<&'a [u8], CodecError> {
        let at = self.at;
        let size = self.u32(field)?;
        if size > BYTES_SIZE_MAX {
            return Err(CodecError::TooLong { field, at, count: size.into(), max: BYTES_SIZE_MAX.into() });
        }
        self.raw(field, usize::try_from(size).unwrap_or(usize::MAX))
    }

    /// A length, then UTF-8.
    ///
    /// # Errors
    /// [`CodecError::Value`] if it is not UTF-8.
    pub fn text(&mut self, field: &'static str) -> Result<&'a str, CodecError> {
        let at = self.at;
        std::str::from_utf8(self.bytes(field)?).map_err(|_| CodecError::Value { field, at })
    }

    /// The number of records that follow, at most `max`.
    ///
    /// # Errors
    /// [`CodecError::TooLong`].
    pub fn count(&mut self, field: &'static str, max: u32) -> Result<usize, CodecError> {
        let at = self.at;
        let count = self.u32(field)?;
        if count > max {
            return Err(CodecError::TooLong { field, at, count: count.into(), max: max.into() });
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// A value that a field's type may not have.
    #[must_use]
    pub const fn refuse(&self, field: &'static str, at: usize) -> CodecError {
        CodecError::Value { field, at }
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`CodecError::Trailing`].
    pub fn finish(self) -> Result<(), CodecError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            count => Err(CodecError::Trailing { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_back() {
        let mut writer = Writer::record(1, 9);
        writer.u16(7).i32(-5).i128(-1).text("Wh").label(&"P 1".parse().unwrap()).count(2);
        let bytes = writer.finish();
        let mut reader = Reader::record(&bytes, 1, 9).unwrap();
        assert_eq!(reader.u16("a"), Ok(7));
        assert_eq!(reader.i32("b"), Ok(-5));
        assert_eq!(reader.i128("c"), Ok(-1));
        assert_eq!(reader.text("d"), Ok("Wh"));
        assert_eq!(reader.label("e").unwrap().as_str(), "P 1");
        assert_eq!(
            reader.clone().count("f", 1),
            Err(CodecError::TooLong { field: "f", at: 63, count: 2, max: 1 })
        );
        assert_eq!(reader.count("f", 2), Ok(2));
        assert_eq!(reader.finish(), Ok(()));
        for size in 0..bytes.len() {
            let mut reader = Reader::new(&bytes[..size]);
            let whole = reader.raw("all", bytes.len());
            assert!(matches!(whole, Err(CodecError::Truncated { .. })), "{size}");
        }
    }

    #[test]
    fn a_length_is_never_trusted() {
        let mut reader = Reader::new(&[0xff; 8]);
        assert!(matches!(reader.bytes("x"), Err(CodecError::TooLong { .. })));
    }
}
