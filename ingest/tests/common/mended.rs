//! Files whose check sums are made right: what lies behind a sum is reached only so.

use super::crc::{arc, x25};

/// The most content of one HDLC frame, whose length has eleven bits.
const FRAME_CONTENT_SIZE_MAX: usize = 2_000;
/// What a frame of SML begins with, and the size of what it ends with.
const SML_START: &[u8] = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01";
const SML_END_SIZE: usize = 8;
/// The bytes before the content of an HDLC frame with addresses of one byte and of two, and those after it.
const HDLC_HEAD_SIZES: [usize; 2] = [9, 10];
const HDLC_END_SIZE: usize = 3;

/// `bytes` of that format, in a frame of their own, with every sum right; `None` for a format without sums.
pub fn mended(target: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match target {
        "p1" => Some(mended_p1(bytes)),
        "sml" => Some(mended_sml(bytes)),
        "dlms" => Some(mended_dlms(bytes)),
        _ => None,
    }
}

/// Each telegram ends in `!` and a sum of four hexadecimal digits over all of it.
fn mended_p1(bytes: &[u8]) -> Vec<u8> {
    let mut mended = Vec::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|&byte| byte == b'!') {
        let (body, after) = rest.split_at(end + 1);
        let start = body.iter().position(|&byte| byte == b'/').unwrap_or(0);
        mended.extend_from_slice(body);
        mended.extend_from_slice(format!("{:04X}", arc(&body[start..])).as_bytes());
        let digit_count = after.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
        rest = &after[digit_count..];
    }
    mended.extend_from_slice(rest);
    mended
}

/// Each message ends in `63 sum 00`, and the frame in a sum over all of it.
fn mended_sml(bytes: &[u8]) -> Vec<u8> {
    let mut content = match bytes.strip_prefix(SML_START) {
        Some(inside) => inside[..inside.len().saturating_sub(SML_END_SIZE)].to_vec(),
        None => bytes.to_vec(),
    };
    let mut start = 0;
    for at in 0..content.len().saturating_sub(3) {
        // The kind of a message begins in the same byte, but a list follows it: `63 07 01 72`.
        if at > start && content[at] == 0x63 && content[at + 3] == 0 {
            let sum = x25(&content[start..at]).to_le_bytes();
            content[at + 1..at + 3].copy_from_slice(&sum);
            start = at + 4;
        }
    }
    let mut frame = SML_START.to_vec();
    let mut run = 0;
    for byte in content {
        frame.push(byte);
        run = if byte == 0x1b { run + 1 } else { 0 };
        if run == 4 {
            frame.extend_from_slice(b"\x1b\x1b\x1b\x1b");
            run = 0;
        }
    }
    let padding = (4 - frame.len() % 4) % 4;
    frame.extend_from_slice(&[0; 3][..padding]);
    frame.extend_from_slice(&[0x1b, 0x1b, 0x1b, 0x1b, 0x1a, padding.to_le_bytes()[0]]);
    let sum = x25(&frame);
    [&frame[..], &sum.to_le_bytes()].concat()
}

/// One frame, with a sum over its head and one over all of it.
fn mended_dlms(bytes: &[u8]) -> Vec<u8> {
    let is_logical = |at: usize| bytes.get(at..).is_some_and(|rest| rest.starts_with(b"\xe6\xe7"));
    let start = HDLC_HEAD_SIZES.into_iter().find(|&size| is_logical(size)).unwrap_or(0);
    let end = bytes.len().saturating_sub(if start == 0 { 0 } else { HDLC_END_SIZE }).max(start);
    let content = &bytes[start..end.min(start + FRAME_CONTENT_SIZE_MAX)];
    let summed = |bytes: &[u8]| [bytes, &x25(bytes).to_le_bytes()].concat();
    let size = (10 + content.len()).to_be_bytes();
    let head = summed(&[0xa0 | size[6], size[7], 0x41, 0x08, 0x83, 0x13]);
    [&b"~"[..], &summed(&[&head, content].concat()), b"~"].concat()
}
