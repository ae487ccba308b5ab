//! Messages: put together of segments, and what a data notification says.

use super::axdr;
use super::clock::{STAMP_SIZE, Stamp};
use super::hdlc::Frame;
use super::shapes::{self, Push};

/// The largest message, all its segments together.
const MESSAGE_SIZE_MAX: usize = 64 << 10;

/// Before a message: to the client, from the server.
const LLC: [u8; 3] = [0xe6, 0xe7, 0x00];
const DATA_NOTIFICATION: u8 = 0x0f;
/// Ciphering with a global or dedicated key, and its general forms.
const CIPHERED: [u8; 8] = [0xc8, 0xc9, 0xcc, 0xcd, 0xdb, 0xdc, 0xdd, 0xd1];

/// A message that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    addresses: Vec<u8>,
    message: Vec<u8>,
    is_open: bool,
}

const SEGMENTS_LOST: &str = "segments of a message are lost";

impl Assembly {
    /// Adds a frame. First what is lost of the message before; then the message that is whole now, without its LLC, if
    /// one is.
    pub(super) fn add(
        &mut self,
        frame: &Frame<'_>,
    ) -> (Option<&'static str>, Result<Option<Vec<u8>>, &'static str>) {
        let mut lost = None;
        let goes_on = self.is_open && self.addresses == frame.addresses && !frame.content.starts_with(&LLC);
        if self.is_open && !goes_on {
            lost = self.abandon();
        }
        if frame.content.is_empty() && !goes_on {
            return (lost, Ok(None));
        }
        if !goes_on {
            let Some(content) = frame.content.strip_prefix(&LLC) else {
                return (lost, Err("no LLC header e6 e7 00, or a segment of nothing"));
            };
            self.addresses = frame.addresses.to_vec();
            self.message = content.to_vec();
        } else if self.message.len() + frame.content.len() > MESSAGE_SIZE_MAX {
            self.abandon();
            return (lost, Err("a message of more than 65536 bytes"));
        } else {
            self.message.extend_from_slice(frame.content);
        }
        self.is_open = frame.is_segment;
        (lost, Ok((!frame.is_segment).then(|| std::mem::take(&mut self.message))))
    }

    /// Drops a message that is not whole; says so if there was one.
    pub(super) fn abandon(&mut self) -> Option<&'static str> {
        let was_open = std::mem::take(&mut self.is_open);
        self.message.clear();
        was_open.then_some(SEGMENTS_LOST)
    }
}

/// Reads a data notification.
///
/// # Errors
/// What it is instead, or what is wrong with it.
pub(super) fn read(message: &[u8]) -> Result<Push<'_>, &'static str> {
    let rest = match message.split_first() {
        Some((&DATA_NOTIFICATION, rest)) => rest,
        Some((tag, _)) if CIPHERED.contains(tag) => return Err("encrypted"),
        _ => return Err("not a data notification"),
    };
    // A number of the sender's own.
    let rest = rest.get(4..).ok_or("a notification that is cut off")?;
    let (sent_at, rest) = stamp(rest).ok_or("a notification without its time")?;
    let body = axdr::read(rest)?;
    shapes::read(&body, sent_at)
}

/// A time that may be empty; some meters write it with a tag, as values are.
fn stamp(bytes: &[u8]) -> Option<(Option<Stamp>, &[u8])> {
    let bytes = bytes.strip_prefix(&[9]).unwrap_or(bytes);
    let (&size, rest) = bytes.split_first()?;
    match usize::from(size) {
        0 => Some((None, rest)),
        STAMP_SIZE => {
            let (stamp, rest) = rest.split_first_chunk()?;
            Some((Some(*stamp), rest))
        }
        _ => None,
    }
}
