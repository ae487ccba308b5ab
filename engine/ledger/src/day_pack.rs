//! A pack: up to 64 day leaves without what follows from something else.
//!
//! ```text
//! offset size
//!    0     4   u32 size of the pack
//!    4     1   number of leaves, 1 to 64
//!    5     …   leaves, end to end:
//!               1   control
//!                     bit  0    another usage point than the leaf before: 1 shared bytes, 1 other bytes n, n its end
//!                     bits 1-2  day: 0 as before, 1 the next, 2 given in 4 bytes
//!                     bit  3    another shape: bytes 2 to 7 and 12 to 14 of the leaf
//!                     bits 4-5  qualities: 0 all valid, 1 all of one code, given, 2 N codes, given
//!               1   width w of the values
//!               …   N values in w bits each
//! ```
//!
//! The first leaf's "before" is zeros. The blinding follows from the ledger's secret, the tag from the container. A
//! leaf of 320 bytes takes about 75. One set of leaves has one packing, and reading refuses every other. A
//! full pack's leaves are those of one subtree of `tree::TreeTop`, so a proof reads one pack. A file that a sender
//! makes of packs begins with [`PACK_FILE_MAGIC`]. Also in `FORMAT.md` §10.

use tallywatt_core::day_block::INTERVAL_COUNT_MAX;
use tallywatt_core::label::LABEL_SIZE_MAX;
use tallywatt_core::quality::Quality;

use crate::blinding::{BLINDING_AT, POINT_AT};
use crate::codec::CodecError;
use crate::day_leaf::{HEADER_SIZE, LEAF_VERSION, LeafTag, leaf_size};
use crate::leaf_key::point_words;
use crate::packed_values::{WIDTH_MAX, pack_fitting, packed_size, unpack, width_of};
use crate::tree::SUBTREE_LEAF_COUNT;

/// The most leaves in a pack.
pub const PACK_LEAF_COUNT_MAX: usize = SUBTREE_LEAF_COUNT;
/// Bytes before the first leaf.
pub const PACK_HEADER_SIZE: usize = 5;
/// What a file of packs, end to end, begins with. Its first byte is in no UTF-8 text and in no windows-1251 text, and
/// is no version of a record; a copy that mends line ends, drops the eighth bit or stops at a control-Z spoils it.
pub const PACK_FILE_MAGIC: [u8; 8] = *b"\x98TP1\r\n\x1a\n";
/// The largest pack: every leaf with all its parts given.
pub const PACK_SIZE_MAX: usize = PACK_HEADER_SIZE + PACK_LEAF_COUNT_MAX * PACKED_LEAF_SIZE_MAX;
const PACKED_LEAF_SIZE_MAX: usize = 2 + 2 + LABEL_SIZE_MAX + 4 + 9 + 5 * INTERVAL_COUNT_MAX as usize;

/// The first bytes of a leaf: which day of which register it is.
pub type Header = [u8; HEADER_SIZE];
/// Code of a valid reading, the ordinary quality.
const VALID: u8 = Quality::Valid.code();
const MISSING: u8 = Quality::Missing.code();

const COUNT_MAX: usize = INTERVAL_COUNT_MAX as usize;
/// Fields of the header that leaves mostly share, beside day and usage point.
const SHAPE_PARTS: [std::ops::Range<usize>; 2] = [2..8, 12..15];
const DAY_AT: std::ops::Range<usize> = 8..12;
const COUNT_AT: std::ops::Range<usize> = 12..14;

/// The qualities of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualities<'a> {
    /// Every interval's.
    All(u8),
    /// Interval by interval.
    Each(&'a [u8]),
}

impl<'a> Qualities<'a> {
    /// The same, in its shortest form.
    #[must_use]
    pub fn of(codes: &'a [u8]) -> Self {
        match codes.first() {
            // Without a way out, so that many are compared at once.
            Some(&first) if codes.iter().fold(0, |other, &code| other | (code ^ first)) == 0 => {
                Self::All(first)
            }
            _ => Self::Each(codes),
        }
    }
}

/// A day as it stands in a pack: the values in as many bits as the largest needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackedDay<'a> {
    /// Its leaf's first bytes.
    pub header: &'a Header,
    /// In their shortest form, as [`Qualities::of`] gives them.
    pub qualities: Qualities<'a>,
    /// Bits a value, as `packed_values::width_of` gives it.
    pub width: u8,
    /// The values, `width` bits each.
    pub bits: &'a [u8],
}

impl PackedDay<'_> {
    /// How many intervals have a value.
    #[must_use]
    pub fn present_count(&self) -> usize {
        let count = interval_count(self.header);
        match self.qualities {
            Qualities::All(MISSING) => 0,
            Qualities::All(_) => count,
            Qualities::Each(codes) => count - codes.iter().filter(|code| **code == MISSING).count(),
        }
    }

    /// The largest value, Wh.
    ///
    /// # Panics
    /// If there are not as many bits as the header states values.
    #[must_use]
    pub fn max_wh(&self) -> i32 {
        let mut values = [0; COUNT_MAX];
        self.values(&mut values).iter().copied().max().unwrap_or(0)
    }

    /// Size of its leaf.
    #[must_use]
    pub fn leaf_size(&self) -> usize {
        leaf_size(interval_count(self.header))
    }

    /// Writes its leaf, with a blinding of zeros.
    ///
    /// # Panics
    /// If `leaf` is not [`PackedDay::leaf_size`] bytes, or there are not as many bits as the header states values.
    pub fn write_leaf(&self, leaf: &mut [u8]) {
        let mut values = [0; COUNT_MAX];
        write_leaf(self.header, self.values(&mut values), self.qualities, leaf);
    }

    fn values<'v>(&self, values: &'v mut [i32; COUNT_MAX]) -> &'v [i32] {
        let values = &mut values[..interval_count(self.header)];
        unpack(self.bits, self.width, values);
        values
    }
}

/// Writes the leaf of a day, with a blinding of zeros.
///
/// # Panics
/// If `leaf` is not its size.
fn write_leaf(header: &Header, values: &[i32], qualities: Qualities<'_>, leaf: &mut [u8]) {
    assert_eq!(leaf.len(), leaf_size(values.len()), "the leaf fits its place");
    leaf[..HEADER_SIZE].copy_from_slice(header);
    leaf[BLINDING_AT].fill(0);
    let (value_bytes, rest) = leaf[BLINDING_AT.end..].split_at_mut(4 * values.len());
    for (bytes, value) in value_bytes.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *bytes = value.to_le_bytes();
    }
    let (codes, padding) = rest.split_at_mut(values.len());
    match qualities {
        Qualities::All(code) => codes.fill(code),
        Qualities::Each(each) => codes.copy_from_slice(each),
    }
    padding.fill(0);
}

/// What a pack's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackHead {
    /// Bytes of the pack, these first ones with them: at most [`PACK_SIZE_MAX`].
    pub size: usize,
    /// Leaves in it, 1 to [`PACK_LEAF_COUNT_MAX`].
    pub leaf_count: u8,
}

impl PackHead {
    /// Reads them; that the pack holds what they say is for its reader.
    ///
    /// # Errors
    /// [`CodecError::Value`] if size or count is out of range.
    pub fn read(bytes: &[u8; PACK_HEADER_SIZE]) -> Result<Self, CodecError> {
        let [a, b, c, d, leaf_count] = *bytes;
        let size = usize::try_from(u32::from_le_bytes([a, b, c, d]));
        let size = size.ok().filter(|size| (PACK_HEADER_SIZE..=PACK_SIZE_MAX).contains(size));
        let size = size.ok_or(CodecError::Value { field: "pack size", at: 0 })?;
        if leaf_count == 0 || usize::from(leaf_count) > PACK_LEAF_COUNT_MAX {
            return Err(CodecError::Value { field: "pack leaf count", at: 4 });
        }
        Ok(Self { size, leaf_count })
    }
}

/// Packs leaves, pack by pack.
#[derive(Debug, Clone)]
pub struct PackWriter {
    bytes: Vec<u8>,
    previous: Header,
    count: u8,
}

impl Default for PackWriter {
    fn default() -> Self {
        Self { bytes: vec![0; PACK_HEADER_SIZE], previous: [0; HEADER_SIZE], count: 0 }
    }
}

impl PackWriter {
    /// Leaves in the pack so far.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether no further leaf fits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.leaf_count() == PACK_LEAF_COUNT_MAX
    }

    /// Adds a canonical leaf or frame; its tag and blinding are not kept.
    ///
    /// # Panics
    /// If the pack is full or the bytes are no leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let header = leaf.first_chunk::<HEADER_SIZE>().expect("a leaf has a header");
        let count = interval_count(header);
        let (values_at, qualities_at) = (BLINDING_AT.end, BLINDING_AT.end + 4 * count);
        let mut values = [0; COUNT_MAX];
        for (value, bytes) in values.iter_mut().zip(leaf[values_at..qualities_at].as_chunks::<4>().0) {
            *value = i32::from_le_bytes(*bytes);
        }
        self.push_day(header, &values[..count], Qualities::of(&leaf[qualities_at..qualities_at + count]));
    }

    /// Adds a day by its parts.
    ///
    /// # Panics
    /// If the pack is full, or the number of values or qualities is not the header's.
    pub fn push_day(&mut self, header: &Header, values: &[i32], qualities: Qualities<'_>) {
        assert_eq!(values.len(), interval_count(header), "the header states the number of values");
        self.begin_day(header, qualities);
        let width = width_of(values);
        self.bytes.push(width);
        pack_fitting(values, width, &mut self.bytes);
    }

    /// Adds a day whose values are packed already.
    ///
    /// # Panics
    /// If the pack is full, or the number of bits or qualities is not the header's.
    pub fn push_packed(&mut self, day: &PackedDay<'_>) {
        let PackedDay { header, qualities, width, bits } = *day;
        assert_eq!(
            bits.len(),
            packed_size(interval_count(header), width),
            "the header states the number of values"
        );
        self.begin_day(header, qualities);
        self.bytes.push(width);
        self.bytes.extend_from_slice(bits);
    }

    /// What stands before the values.
    fn begin_day(&mut self, header: &Header, qualities: Qualities<'_>) {
        assert!(!self.is_full(), "a pack has at most 64 leaves");
        let shared = shared_size(&self.previous, header);
        let control = control_of(&self.previous, header, shared, qualities);
        self.bytes.push(control.byte());
        if control.has_point {
            let name = &header[POINT_AT];
            let size = name_size(name);
            self.bytes.extend([shared, size - shared].map(small));
            self.bytes.extend_from_slice(&name[shared..size]);
        }
        if control.day == DAY_GIVEN {
            self.bytes.extend_from_slice(&header[DAY_AT]);
        }
        if control.has_shape {
            SHAPE_PARTS.into_iter().for_each(|part| self.bytes.extend_from_slice(&header[part]));
        }
        match qualities {
            Qualities::All(VALID) => {}
            Qualities::All(code) => self.bytes.push(code),
            Qualities::Each(codes) => {
                assert_eq!(codes.len(), interval_count(header), "every value has a quality");
                self.bytes.extend_from_slice(codes);
            }
        }
        self.previous = *header;
        self.count += 1;
    }

    /// Makes room for a leaf: a full pack goes to `out`, and the next begins.
    pub fn make_room(&mut self, out: &mut Vec<u8>) {
        if self.is_full() {
            self.finish(out);
        }
    }

    /// Appends the finished pack to `out` and begins the next; nothing if there is no leaf.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.count == 0 {
            return;
        }
        let size = u32::try_from(self.bytes.len()).expect("a pack is at most PACK_SIZE_MAX");
        self.bytes[..4].copy_from_slice(&size.to_le_bytes());
        self.bytes[4] = self.count;
        out.extend_from_slice(&self.bytes);
        self.bytes.truncate(PACK_HEADER_SIZE);
        (self.previous, self.count) = ([0; HEADER_SIZE], 0);
    }
}

/// Reads one pack, day by day.
#[derive(Debug, Clone)]
pub struct PackReader<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u8,
    header: Header,
    values: [i32; COUNT_MAX],
    qualities: Qualities<'a>,
    width: u8,
    bits: &'a [u8],
}

impl<'a> PackReader<'a> {
    /// The pack at the front of `bytes`, and how long it is: packs stand end to end. Its leaves get this tag.
    ///
    /// # Errors
    /// [`CodecError`] if it is cut off or its size or count is out of range.
    pub fn new(bytes: &'a [u8], tag: LeafTag) -> Result<(Self, usize), CodecError> {
        let head = bytes
            .first_chunk::<PACK_HEADER_SIZE>()
            .ok_or(CodecError::Truncated { field: "pack", at: bytes.len() })?;
        let PackHead { size, leaf_count: left } = PackHead::read(head)?;
        let bytes = bytes.get(..size).ok_or(CodecError::Truncated { field: "pack", at: bytes.len() })?;
        let mut header = [0; HEADER_SIZE];
        (header[0], header[1]) = (LEAF_VERSION, tag as u8);
        let (values, qualities) = ([0; COUNT_MAX], Qualities::All(VALID));
        Ok((Self { bytes, at: PACK_HEADER_SIZE, left, header, values, qualities, width: 0, bits: &[] }, size))
    }

    /// Where in the pack the days read so far end.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    /// Leaves not read yet.
    #[must_use]
    pub fn left(&self) -> usize {
        usize::from(self.left)
    }

    /// Moves to the next day; `false` when there is none.
    ///
    /// # Errors
    /// [`CodecError`] if the bytes are not the one packing of their days. That the fields are those of a leaf is for
    /// the leaf's own check.
    pub fn advance(&mut self) -> Result<bool, CodecError> {
        if self.left == 0 {
            return match self.bytes.len() - self.at {
                0 => Ok(false),
                count => Err(CodecError::Trailing { count }),
            };
        }
        self.left -= 1;
        let start = self.at;
        let control = Control::from_byte(self.take(1, "control")?[0])
            .ok_or(CodecError::Value { field: "control", at: start })?;
        let previous = self.header;
        let shared = if control.has_point { self.read_point(&previous)? } else { LABEL_SIZE_MAX };
        match control.day {
            DAY_AS_BEFORE => {}
            DAY_NEXT => {
                let next = day_of(&previous).wrapping_add(1);
                self.header[DAY_AT].copy_from_slice(&next.to_le_bytes());
            }
            _ => {
                let day = self.take(DAY_AT.len(), "delivery day")?;
                self.header[DAY_AT].copy_from_slice(day);
            }
        }
        if control.has_shape {
            for part in SHAPE_PARTS {
                let shape = self.take(part.len(), "shape")?;
                self.header[part].copy_from_slice(shape);
            }
        }
        let count = interval_count(&self.header);
        if count == 0 || count > COUNT_MAX {
            return Err(CodecError::Value { field: "interval count", at: start });
        }
        self.qualities = match control.qualities {
            QUALITIES_VALID => Qualities::All(VALID),
            QUALITIES_ONE => Qualities::All(self.take(1, "quality")?[0]),
            _ => Qualities::Each(self.take(count, "qualities")?),
        };
        if control_of(&previous, &self.header, shared, self.shortest_qualities()) != control {
            return Err(CodecError::Value { field: "control", at: start });
        }
        self.read_values(count)?;
        Ok(true)
    }

    /// The day's first bytes, as in its leaf.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The day's watt-hours, in order of time.
    #[must_use]
    pub fn values_wh(&self) -> &[i32] {
        &self.values[..interval_count(&self.header)]
    }

    /// The day's qualities.
    #[must_use]
    pub const fn qualities(&self) -> Qualities<'a> {
        self.qualities
    }

    /// The day, its values as they are packed.
    #[must_use]
    pub const fn packed(&self) -> PackedDay<'_> {
        PackedDay { header: &self.header, qualities: self.qualities, width: self.width, bits: self.bits }
    }

    /// Size of the day's leaf.
    #[must_use]
    pub fn leaf_size(&self) -> usize {
        leaf_size(interval_count(&self.header))
    }

    /// Writes the day's leaf, with a blinding of zeros.
    ///
    /// # Panics
    /// If `leaf` is not [`PackReader::leaf_size`] bytes.
    pub fn write_leaf(&self, leaf: &mut [u8]) {
        write_leaf(&self.header, self.values_wh(), self.qualities, leaf);
    }

    /// Reads a name, and gives how much of it is shared.
    fn read_point(&mut self, previous: &Header) -> Result<usize, CodecError> {
        let at = self.at;
        let refuse = CodecError::Value { field: "usage point", at };
        let sizes = self.take(2, "usage point")?;
        let (shared, other) = (usize::from(sizes[0]), usize::from(sizes[1]));
        if shared + other > LABEL_SIZE_MAX {
            return Err(refuse);
        }
        let end = self.take(other, "usage point")?;
        let name = &mut self.header[POINT_AT];
        name[shared..shared + other].copy_from_slice(end);
        name[shared + other..].fill(0);
        let is_shortest = name_size(name) == shared + other && shared_size(previous, &self.header) == shared;
        if is_shortest { Ok(shared) } else { Err(refuse) }
    }

    fn shortest_qualities(&self) -> Qualities<'a> {
        match self.qualities {
            Qualities::Each(codes) => Qualities::of(codes),
            all @ Qualities::All(_) => all,
        }
    }

    fn read_values(&mut self, count: usize) -> Result<(), CodecError> {
        let at = self.at;
        let refuse = CodecError::Value { field: "values", at };
        let width = self.take(1, "width")?[0];
        if width > WIDTH_MAX {
            return Err(refuse);
        }
        let size = packed_size(count, width);
        (self.width, self.bits) = (width, self.take(size, "values")?);
        // Reads past the values are masked away, and are cheaper than a copy with room behind.
        unpack(&self.bytes[at + 1..], width, &mut self.values[..count]);
        let spare_bits = 8 * size - count * usize::from(width);
        let is_shortest = width_of(&self.values[..count]) == width
            && (spare_bits == 0 || self.bytes[at + size] >> (8 - spare_bits) == 0);
        if is_shortest { Ok(()) } else { Err(refuse) }
    }

    fn take(&mut self, size: usize, field: &'static str) -> Result<&'a [u8], CodecError> {
        let taken = self.bytes.get(self.at..self.at + size);
        let taken = taken.ok_or(CodecError::Truncated { field, at: self.at })?;
        self.at += size;
        Ok(taken)
    }
}

const DAY_AS_BEFORE: u8 = 0;
const DAY_NEXT: u8 = 1;
const DAY_GIVEN: u8 = 2;
const QUALITIES_VALID: u8 = 0;
const QUALITIES_ONE: u8 = 1;
const QUALITIES_EACH: u8 = 2;

/// What of a day is given.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Control {
    has_point: bool,
    day: u8,
    has_shape: bool,
    qualities: u8,
}

impl Control {
    fn byte(self) -> u8 {
        u8::from(self.has_point) | self.day << 1 | u8::from(self.has_shape) << 3 | self.qualities << 4
    }

    fn from_byte(byte: u8) -> Option<Self> {
        let (day, qualities) = (byte >> 1 & 3, byte >> 4 & 3);
        let is_known = byte < 1 << 6 && day <= DAY_GIVEN && qualities <= QUALITIES_EACH;
        is_known.then_some(Self { has_point: byte & 1 == 1, day, has_shape: byte >> 3 & 1 == 1, qualities })
    }
}

/// The shortest way to give a day behind the one before it.
fn control_of(previous: &Header, header: &Header, shared: usize, qualities: Qualities<'_>) -> Control {
    let day = match day_of(header).wrapping_sub(day_of(previous)) {
        0 => DAY_AS_BEFORE,
        1 => DAY_NEXT,
        _ => DAY_GIVEN,
    };
    let qualities = match qualities {
        Qualities::All(VALID) => QUALITIES_VALID,
        Qualities::All(_) => QUALITIES_ONE,
        Qualities::Each(_) => QUALITIES_EACH,
    };
    Control {
        has_point: shared < LABEL_SIZE_MAX,
        day,
        has_shape: SHAPE_PARTS.into_iter().any(|part| header[part.clone()] != previous[part]),
        qualities,
    }
}

/// How many bytes two usage points share from the front: all of them, zeros too, only if they are the same.
fn shared_size(previous: &Header, header: &Header) -> usize {
    let (before, name) = (point_words(previous), point_words(header));
    for (at, (a, b)) in before.iter().zip(name).enumerate() {
        let other = a ^ b;
        if other != 0 {
            let same = WORD_SIZE * at + low_zero_bytes(other.trailing_zeros());
            return same.min(name_size(&header[POINT_AT]));
        }
    }
    LABEL_SIZE_MAX
}

/// Bytes of a name before its zeros.
fn name_size(name: &[u8]) -> usize {
    name.rchunks(WORD_SIZE).fold(0, |size, part| {
        let mut word = [0; WORD_SIZE];
        word[WORD_SIZE - part.len()..].copy_from_slice(part);
        let zero_count = low_zero_bytes(u64::from_le_bytes(word).leading_zeros());
        if size > 0 { size + part.len() } else { part.len().saturating_sub(zero_count) }
    })
}

const WORD_SIZE: usize = 8;

fn low_zero_bytes(zero_bits: u32) -> usize {
    usize::try_from(zero_bits / u8::BITS).expect("at most 8")
}

fn day_of(header: &Header) -> i32 {
    i32::from_le_bytes([header[8], header[9], header[10], header[11]])
}

fn interval_count(header: &Header) -> usize {
    usize::from(u16::from_le_bytes([header[COUNT_AT.start], header[COUNT_AT.start + 1]]))
}

fn small(size: usize) -> u8 {
    u8::try_from(size).expect("a name has at most 33 bytes")
}
