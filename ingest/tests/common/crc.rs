//! Check sums bit by bit: another way than the decoders take.

/// A reflected CRC-16: polynomial with its lowest power first, what it begins with, what is added at the end.
fn crc16(bytes: &[u8], polynomial: u16, start: u16, end: u16) -> u16 {
    let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| u16::from(byte >> bit & 1)));
    let sum = bits.fold(start, |sum, bit| {
        let carry = (sum & 1) ^ bit;
        (sum >> 1) ^ (carry * polynomial)
    });
    sum ^ end
}

/// CRC-16/ARC, of P1.
pub fn arc(bytes: &[u8]) -> u16 {
    crc16(bytes, 0xa001, 0, 0)
}

/// CRC-16/X.25, of HDLC and SML.
pub fn x25(bytes: &[u8]) -> u16 {
    crc16(bytes, 0x8408, 0xffff, 0xffff)
}

/// CRC-16/Kermit, which some meters use in its place.
pub fn kermit(bytes: &[u8]) -> u16 {
    crc16(bytes, 0x8408, 0, 0)
}
