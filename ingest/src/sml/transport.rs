//! Where SML files begin and end in a stream of bytes (SML transport protocol version 1).

use crc::{CRC_16_IBM_SDLC, CRC_16_KERMIT, Crc};

/// The largest file, from its beginning to its check sum: meters in use send less than a kilobyte.
const FRAME_SIZE_MAX: usize = 16 << 10;

const ESCAPE: [u8; 4] = [0x1b; 4];
const START: [u8; 8] = [0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1];
/// Marks the end, before the number of padding bytes and the check sum.
const END: u8 = 0x1a;
const PADDING_MAX: usize = 3;

const X25: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_SDLC);
const KERMIT: Crc<u16> = Crc::<u16>::new(&CRC_16_KERMIT);

/// What a stretch of a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Of no frame.
    Noise,
    /// A frame that did not arrive as it was sent, and what is wrong with it.
    Broken(&'static str),
    /// The messages of a frame, without escapes and padding.
    Frame(Unescaped<'a>),
}

/// Content of a frame: in place if nothing in it had to be escaped.
pub(super) type Unescaped<'a> = std::borrow::Cow<'a, [u8]>;

/// Cuts a stream into frames and what stands between them.
pub(super) struct Stream<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Stream<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next stretch, and where it begins.
    pub(super) fn next(&mut self) -> Option<(usize, Found<'a>)> {
        let start = self.at;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        if !rest.starts_with(&START) {
            // From the second byte on: a beginning at the first is a frame.
            let size = memchr::memmem::find(&rest[1..], &START).map_or(rest.len(), |before| before + 1);
            self.at = start + size;
            let has_end = memchr::memmem::find(&rest[..size], &[0x1b, 0x1b, 0x1b, 0x1b, END]).is_some();
            let found = if has_end { Found::Broken("its beginning is lost") } else { Found::Noise };
            return Some((start, found));
        }
        let (size, found) = frame(rest);
        self.at = start + size;
        Some((start, found))
    }
}

/// The frame that begins at the front of `rest`, and how far it reaches.
fn frame(rest: &[u8]) -> (usize, Found<'_>) {
    let content = &rest[..rest.len().min(FRAME_SIZE_MAX)];
    let mut escapes = Vec::new();
    let mut at = START.len();
    while let Some(before) = memchr::memmem::find(&content[at..], &ESCAPE) {
        let escape = at + before;
        let Some(&[a, b, c, d]) = content.get(escape + 4..escape + 8) else {
            return (content.len(), Found::Broken("cut off"));
        };
        match [a, b, c, d] {
            ESCAPE => {
                escapes.push(escape);
                at = escape + 8;
            }
            [1, 1, 1, 1] => return (escape, Found::Broken("cut off: the next begins")),
            [END, padding, low, high] => {
                let found = closed(&content[..escape + 6], escape, &escapes, padding, [low, high]);
                return (escape + 8, found);
            }
            _ => return (escape + 4, Found::Broken("an escape that means nothing")),
        }
    }
    let why = if rest.len() > FRAME_SIZE_MAX { "more than 16384 bytes" } else { "cut off" };
    (content.len(), Found::Broken(why))
}

/// A frame whose end was found: `summed` is what its check sum is of, its content ends at `end`.
fn closed<'a>(summed: &'a [u8], end: usize, escapes: &[usize], padding: u8, crc: [u8; 2]) -> Found<'a> {
    let padding = usize::from(padding);
    if !is_crc(summed, u16::from_le_bytes(crc)) {
        return Found::Broken("wrong check sum");
    }
    let content = &summed[START.len()..end];
    let Some(size) = content.len().checked_sub(padding).filter(|_| padding <= PADDING_MAX) else {
        return Found::Broken("more padding than content");
    };
    if escapes.is_empty() {
        return Found::Frame(Unescaped::Borrowed(&content[..size]));
    }
    let mut plain = Vec::with_capacity(size);
    let mut from = START.len();
    for &escape in escapes {
        plain.extend_from_slice(&summed[from..escape + ESCAPE.len()]);
        from = escape + 2 * ESCAPE.len();
    }
    plain.extend_from_slice(&summed[from..end]);
    plain.truncate(plain.len().saturating_sub(padding));
    Found::Frame(Unescaped::Owned(plain))
}

/// Whether `crc` is a check sum of `bytes` that a meter may have computed.
pub(super) fn is_crc(bytes: &[u8], crc: u16) -> bool {
    X25.checksum(bytes) == crc || KERMIT.checksum(bytes) == crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(content: &[u8], padding: u8) -> Vec<u8> {
        let mut bytes = [&START[..], content, &ESCAPE, &[END, padding]].concat();
        let crc = X25.checksum(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn check(bytes: &[u8], want: &[(usize, &str)]) {
        let mut stream = Stream::of(bytes);
        let mut got = Vec::new();
        while let Some((at, found)) = stream.next() {
            got.push(match found {
                Found::Noise => (at, "noise".to_owned()),
                Found::Broken(why) => (at, why.to_owned()),
                Found::Frame(content) => (at, format!("{content:02x?}")),
            });
        }
        let want: Vec<(usize, String)> = want.iter().map(|&(at, found)| (at, found.to_owned())).collect();
        assert_eq!(got, want);
    }

    /// The check values of the catalogue of CRCs for `123456789`.
    #[test]
    fn crcs() {
        for (crc, want) in [(0x906e, true), (0x2189, true), (0x906f, false)] {
            assert_eq!(is_crc(b"123456789", crc), want, "{crc:04x}");
        }
    }

    #[test]
    fn streams() {
        let sound = framed(&[0x76, 0, 0, 0], 3);
        check(&[], &[]);
        check(&[0x1b; 7], &[(0, "noise")]);
        check(&sound, &[(0, "[76]")]);
        check(
            &[&[9][..], &sound, &[8, 7], &sound].concat(),
            &[(0, "noise"), (1, "[76]"), (21, "noise"), (23, "[76]")],
        );
        check(&sound[..19], &[(0, "cut off")]);
        check(&sound[..11], &[(0, "cut off")]);
        check(&sound[3..], &[(0, "its beginning is lost")]);
        check(&[&sound[..12], &sound].concat(), &[(0, "cut off: the next begins"), (12, "[76]")]);
        check(&framed(&[0], 4), &[(0, "more padding than content")]);
        check(&framed(&[0], 2), &[(0, "more padding than content")]);
        let mut wrong = sound.clone();
        wrong[9] ^= 1;
        check(&[&wrong[..], &sound].concat(), &[(0, "wrong check sum"), (20, "[76]")]);
        // Four escapes in a row are doubled.
        let escaped = [&[1][..], &[0x1b; 8], &[2, 0, 0]].concat();
        check(&framed(&escaped, 2), &[(0, "[01, 1b, 1b, 1b, 1b, 02]")]);
        check(
            &framed(&[1, 0x1b, 0x1b, 0x1b, 0x1b, 5, 5, 5, 5], 0),
            &[(0, "an escape that means nothing"), (13, "its beginning is lost")],
        );
        let long = framed(&vec![0; FRAME_SIZE_MAX], 0);
        check(&long, &[(0, "more than 16384 bytes"), (FRAME_SIZE_MAX, "its beginning is lost")]);
    }
}
