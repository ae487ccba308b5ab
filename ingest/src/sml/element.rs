//! Elements of SML's binary encoding: a type and length, then so many bytes, or so many elements.

/// The most elements of a list: a meter in use sends some twenty.
const LIST_LENGTH_MAX: usize = 1_024;
/// The most bytes of a type and length: sizes up to 65,535.
const LENGTH_SIZE_MAX: usize = 4;

/// One element, as its type and length say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element<'a> {
    /// Bytes; none where something optional is not there.
    Octets(&'a [u8]),
    Bool,
    Signed(i64),
    Unsigned(u64),
    /// So many elements follow.
    List(usize),
}

/// Reads element after element; nothing in it recurses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is not read yet.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next element; `None` if its bytes are not one.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (kind, size, length) = self.type_and_length()?;
        let rest = &self.rest[size..];
        if kind == 7 {
            self.rest = rest;
            return (length <= LIST_LENGTH_MAX).then_some(Element::List(length));
        }
        // The length of everything else counts its own bytes too.
        let (value, rest) = rest.split_at_checked(length.checked_sub(size)?)?;
        let element = match (kind, value.len()) {
            (0, _) => Element::Octets(value),
            (4, 1) => Element::Bool,
            (5, 1..=8) => Element::Signed(signed(value)),
            (6, 1..=8) => Element::Unsigned(unsigned(value)),
            _ => return None,
        };
        self.rest = rest;
        Some(element)
    }

    /// Type, bytes of the type and length, and what the length says.
    fn type_and_length(&self) -> Option<(u8, usize, usize)> {
        let first = *self.rest.first()?;
        let kind = first >> 4 & 7;
        let mut length = usize::from(first & 15);
        let mut size = 1;
        let mut byte = first;
        while byte & 0x80 != 0 {
            byte = *self.rest.get(size).filter(|_| size < LENGTH_SIZE_MAX)?;
            if byte & 0x70 != 0 {
                return None;
            }
            length = length << 4 | usize::from(byte & 15);
            size += 1;
        }
        Some((kind, size, length))
    }

    /// Passes over one element and all that is in it.
    pub(super) fn skip(&mut self) -> Option<()> {
        // Each element takes a byte at least, so the bytes bound the loop.
        let mut left = 1_usize;
        while left > 0 {
            left -= 1;
            if let Element::List(count) = self.next()? {
                left = left.checked_add(count)?;
            }
        }
        Some(())
    }

    /// The number of elements of the list that comes next.
    pub(super) fn list(&mut self) -> Option<usize> {
        match self.next()? {
            Element::List(count) => Some(count),
            _ => None,
        }
    }

    /// The bytes that come next.
    pub(super) fn octets(&mut self) -> Option<&'a [u8]> {
        match self.next()? {
            Element::Octets(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number that comes next; `Some(None)` if it is left out.
    pub(super) fn optional_number(&mut self) -> Option<Option<i128>> {
        match self.next()? {
            Element::Unsigned(number) => Some(Some(number.into())),
            Element::Signed(number) => Some(Some(number.into())),
            Element::Octets(b"") => Some(None),
            Element::Octets(_) | Element::Bool | Element::List(_) => None,
        }
    }
}

fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

/// Two's complement of as many bytes as there are.
fn signed(bytes: &[u8]) -> i64 {
    let is_negative = bytes.first().is_some_and(|&byte| byte >= 0x80);
    let start = if is_negative { -1_i64 } else { 0 };
    bytes.iter().fold(start, |number, &byte| number << 8 | i64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements() {
        let long = [&[0x81, 0x02][..], &[7; 16]].concat();
        let table: &[(&[u8], Option<Element<'_>>)] = &[
            (&[0x01], Some(Element::Octets(&[]))),
            (&[0x03, 1, 2], Some(Element::Octets(&[1, 2]))),
            (&long, Some(Element::Octets(&[7; 16]))),
            (&[0x42, 1], Some(Element::Bool)),
            (&[0x52, 0xff], Some(Element::Signed(-1))),
            (&[0x54, 0xff, 0xff, 0xfe], Some(Element::Signed(-2))),
            (&[0x59, 0x80, 0, 0, 0, 0, 0, 0, 0], Some(Element::Signed(i64::MIN))),
            (&[0x62, 0xff], Some(Element::Unsigned(255))),
            (&[0x69, 255, 255, 255, 255, 255, 255, 255, 255], Some(Element::Unsigned(u64::MAX))),
            (&[0x77], Some(Element::List(7))),
            (&[0xf1, 0x00], Some(Element::List(16))),
            (&[], None),
            (&[0x00], None),
            (&[0x02], None),
            (&[0x51], None),
            (&[0x61], None),
            (&[0x43, 1, 1], None),
            (&[0x5a, 0, 0, 0, 0, 0, 0, 0, 0, 0], None),
            (&[0x12, 1], None),
            (&[0x80], None),
            (&[0x81, 0x72], None),
            (&[0x80, 0x80, 0x80, 0x80, 0x01], None),
            (&[0xff, 0x8f, 0x0f], None),
        ];
        for (bytes, want) in table {
            assert_eq!(Elements::of(bytes).next(), *want, "{bytes:02x?}");
        }
    }

    #[test]
    fn what_is_skipped() {
        let bytes = [0x72, 0x62, 1, 0x73, 0x01, 0x71, 0x01, 0x52, 5, 0x62, 9];
        let mut elements = Elements::of(&bytes);
        assert_eq!(elements.skip(), Some(()));
        assert_eq!(elements.rest(), &[0x62, 9]);
        // Deep lists take no stack.
        assert_eq!(Elements::of(&[0x71; 100_000]).skip(), None);
    }
}
