//! HDLC frames of format type 3 in a stream of bytes (IEC 62056-46).

use crc::{CRC_16_IBM_SDLC, Crc};

const FLAG: u8 = 0x7e;
/// The largest frame between its flags: its length has eleven bits.
const FRAME_SIZE_MAX: usize = 0x7ff;
/// Format, two addresses of a byte, control, check sum.
const FRAME_SIZE_MIN: usize = 2 + 1 + 1 + 1 + 2;
/// The longest address.
const ADDRESS_SIZE_MAX: usize = 4;

const X25: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);

const _: () =
    assert!(FRAME_SIZE_MIN + 2 * (ADDRESS_SIZE_MAX - 1) < FRAME_SIZE_MAX, "a frame holds its addresses");

/// What a stretch of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Of no frame.
    Noise,
    /// A frame that did not arrive as it was sent, and what is wrong with it.
    Broken(&'static str),
    Frame(Frame<'a>),
}

/// A frame whose check sums are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Both addresses.
    pub(super) addresses: &'a [u8],
    /// Whether further segments of the message follow.
    pub(super) is_segment: bool,
    /// Empty in frames that say nothing but who speaks.
    pub(super) content: &'a [u8],
}

/// Cuts a stream into frames and what stands between them. Two frames may share a flag.
pub(super) struct Link<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Link<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next stretch, and where it begins.
    pub(super) fn next(&mut self) -> Option<(usize, Found<'a>)> {
        // Flags fill the line while nobody speaks.
        while self.bytes.get(self.at) == Some(&FLAG) && !self.begins(self.at) {
            self.at += 1;
        }
        let start = self.at;
        if start >= self.bytes.len() {
            return None;
        }
        if !self.begins(start) {
            self.at = self.next_beginning(start + 1);
            return Some((start, Found::Noise));
        }
        let (size, found) = read(&self.bytes[start + 1..]);
        // Its last flag may be the first of the next.
        self.at = match size {
            Some(size) => start + 1 + size,
            None => self.next_beginning(start + 1),
        };
        Some((start, found))
    }

    fn begins(&self, at: usize) -> bool {
        matches!(self.bytes.get(at..), Some([FLAG, format, ..]) if format >> 4 == 0xa)
    }

    fn next_beginning(&self, from: usize) -> usize {
        let flags = memchr::memchr_iter(FLAG, &self.bytes[from..]).map(|at| from + at);
        flags.into_iter().find(|&at| self.begins(at)).unwrap_or(self.bytes.len())
    }
}

/// Reads a frame behind its flag: how long it is if its header is sound, and what it is.
fn read(rest: &[u8]) -> (Option<usize>, Found<'_>) {
    let &[high, low, ..] = rest else { return (None, Found::Broken("cut off")) };
    let size = usize::from(high & 7) << 8 | usize::from(low);
    if size < FRAME_SIZE_MIN {
        return (None, Found::Broken("shorter than its header"));
    }
    let Some(header_size) = header_size(rest, size) else {
        return (None, Found::Broken("addresses without an end"));
    };
    let Some(header) = rest.get(..header_size) else { return (None, Found::Broken("cut off")) };
    // Without content the check sum of the header is that of the frame.
    if size != header_size && !is_summed(header) {
        return (None, Found::Broken("wrong check sum of its header"));
    }
    let Some(frame) = rest.get(..size) else { return (None, Found::Broken("cut off")) };
    if rest.get(size) != Some(&FLAG) {
        return (None, Found::Broken("does not end where it says"));
    }
    if !is_summed(frame) {
        // The header is sound, and so is the length: what follows is another frame.
        return (Some(size), Found::Broken("wrong check sum"));
    }
    let content = if size == header_size { &[][..] } else { &frame[header_size..size - 2] };
    let is_segment = high & 8 != 0;
    (Some(size), Found::Frame(Frame { addresses: &frame[2..header_size - 3], is_segment, content }))
}

/// Bytes up to the header's check sum, that with them; `None` if its addresses do not end within the frame.
fn header_size(rest: &[u8], size: usize) -> Option<usize> {
    let mut at = 2;
    for _ in 0..2 {
        let address = rest.get(at..)?.iter().take(ADDRESS_SIZE_MAX).position(|byte| byte & 1 == 1)?;
        at += address + 1;
    }
    let header_size = at + 1 + 2;
    // A frame with content has a check sum of its own too.
    (header_size == size || header_size + 2 < size).then_some(header_size)
}

/// Whether the last two bytes are the check sum of those before them, low byte first.
fn is_summed(bytes: &[u8]) -> bool {
    match bytes.split_last_chunk::<2>() {
        Some((content, sum)) => X25.checksum(content) == u16::from_le_bytes(*sum),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed(bytes: &[u8]) -> Vec<u8> {
        [bytes, &X25.checksum(bytes).to_le_bytes()].concat()
    }

    fn framed(content: &[u8]) -> Vec<u8> {
        let size = 8 + content.len() + 2;
        let header = summed(&[0xa0 | u8::try_from(size >> 8).unwrap(), size.to_le_bytes()[0], 1, 2, 1, 0x10]);
        [&[FLAG][..], &summed(&[&header, content].concat()), &[FLAG]].concat()
    }

    fn check(bytes: &[u8], want: &[(usize, &str)]) {
        let mut link = Link::of(bytes);
        let mut got = Vec::new();
        while let Some((at, found)) = link.next() {
            got.push(match found {
                Found::Noise => (at, "noise".to_owned()),
                Found::Broken(why) => (at, why.to_owned()),
                Found::Frame(frame) => (at, format!("{:02x?} {:02x?}", frame.addresses, frame.content)),
            });
        }
        let want: Vec<(usize, String)> = want.iter().map(|&(at, found)| (at, found.to_owned())).collect();
        assert_eq!(got, want, "{bytes:02x?}");
    }

    #[test]
    fn links() {
        let sound = framed(&[7, FLAG, 0xa0]);
        let told = "[01, 02, 01] [07, 7e, a0]";
        check(&[], &[]);
        check(&[FLAG; 3], &[]);
        check(&sound, &[(0, told)]);
        check(&sound.repeat(2), &[(0, told), (15, told)]);
        // A shared flag, and flags that fill the line.
        check(&[&sound[..14], &sound].concat(), &[(0, told), (14, told)]);
        check(&[&[FLAG; 4][..], &sound, &[FLAG; 4]].concat(), &[(4, told)]);
        check(&[&[1, 2][..], &sound, &[3]].concat(), &[(0, "noise"), (2, told), (17, "noise")]);
        check(&sound[..12], &[(0, "cut off"), (10, "cut off")]);
        check(&sound[..2], &[(0, "cut off")]);
        check(&[FLAG, 0xa0, 3, 1, 1], &[(0, "shorter than its header")]);
        check(&[FLAG, 0xa0, 30, 2, 2, 2, 2, 2], &[(0, "addresses without an end")]);
        let mut wrong = sound.clone();
        wrong[9] ^= 1;
        check(&[&wrong[..], &sound].concat(), &[(0, "wrong check sum"), (15, told)]);
        let mut wrong = sound.clone();
        wrong[6] ^= 1;
        check(&wrong, &[(0, "wrong check sum of its header"), (10, "addresses without an end")]);
        let mut wrong = sound.clone();
        wrong[14] = 0;
        check(&wrong, &[(0, "does not end where it says"), (10, "addresses without an end")]);
        // A frame that only says who speaks.
        let bare = [&[FLAG][..], &summed(&[0xa0, 7, 3, 5, 0x93]), &[FLAG]].concat();
        check(&bare, &[(0, "[03, 05] []")]);
        // Another format type is noise.
        check(&[FLAG, 0xb0, 7, 1], &[(1, "noise")]);
    }
}
