//! Telegrams: the same reads of the same meters from P1, SML and DLMS pushes and from a table, into a sink that counts.

use std::fmt::Write as _;

use tallywatt_ingest::profile::Profile;

use crate::decode::Case;

/// 2026-03-01T00:00:00Z.
const START_S: u32 = 1_772_323_200;
/// Between two telegrams of a meter.
const STEP_S: u32 = 900;

/// The reads of `meter_count` meters, `read_count` of each, in every format of telegrams.
///
/// # Panics
/// Never: the profiles come with the program.
#[must_use]
pub fn cases(meter_count: u32, read_count: u32) -> [Case; 4] {
    let all = |write: &dyn Fn(&Read, &mut Vec<u8>)| {
        let mut bytes = Vec::new();
        for step in 0..read_count {
            (0..meter_count).for_each(|meter| write(&Read { meter, step }, &mut bytes));
        }
        bytes
    };
    let case = |name, bytes| {
        let profile = Profile::builtin(name).and_then(|profile| profile.with_zone("UTC"));
        Case::new(name, profile.expect("the profile comes with the program"), bytes)
    };
    let mut table = b"usage_point,obis,read_at,value,unit,who,meter\n".to_vec();
    table.extend(all(&Read::write_row));
    [
        case("p1", all(&Read::write_p1)),
        case("sml", all(&Read::write_sml)),
        case("dlms", all(&Read::write_dlms)),
        case("reads", table),
    ]
}

/// What one meter shows at one time.
struct Read {
    meter: u32,
    step: u32,
}

impl Read {
    const fn dial_wh(&self) -> u32 {
        1_000_000 + self.meter * 1_000 + self.step * 125
    }

    /// Hours, minutes and seconds of a day of March 2026.
    const fn clock(&self) -> [u32; 4] {
        let second = self.step * STEP_S;
        [1 + second / 86_400 % 31, second / 3_600 % 24, second / 60 % 60, second % 60]
    }

    fn write_p1(&self, bytes: &mut Vec<u8>) {
        let [day, hour, minute, second] = self.clock();
        let (whole, part) = (self.dial_wh() / 1_000, self.dial_wh() % 1_000);
        let name: String = format!("M{:06}", self.meter).bytes().fold(String::new(), |mut name, byte| {
            write!(name, "{byte:02X}").expect("a string takes all that is written to it");
            name
        });
        let body = format!(
            "/TWT5METER\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(2603{day:02}{hour:02}{minute:02}{second:02}W)\r\n\
             0-0:96.1.1({name})\r\n1-0:1.8.1({whole:06}.{part:03}*kWh)\r\n1-0:2.8.1(000000.000*kWh)\r\n\
             1-0:1.7.0(00.244*kW)\r\n1-0:2.7.0(00.000*kW)\r\n1-0:32.7.0(230.0*V)\r\n\
             0-1:24.2.1(260301120000W)(00000.107*m3)\r\n!"
        );
        let crc = crc16(body.as_bytes(), 0xa001, 0, 0);
        bytes.extend_from_slice(format!("{body}{crc:04X}\r\n").as_bytes());
    }

    fn write_sml(&self, bytes: &mut Vec<u8>) {
        let time = (START_S + self.step * STEP_S).to_be_bytes();
        let server = [&[0x0b, 0x0a, 1, b'T', b'W', b'T', 0][..], &self.meter.to_be_bytes()].concat();
        let entry = |code: u8, wh: u32| {
            let head = [0x77, 7, 1, 0, code, 8, 0, 0xff, 1, 0x72, 0x62, 2, 0x65];
            [&head[..], &time, &[0x62, 30, 0x52, 0, 0x69, 0, 0, 0, 0], &wh.to_be_bytes(), &[1]].concat()
        };
        let list = [&[0x77, 1][..], &server, &[1, 1, 0x72], &entry(1, self.dial_wh()), &entry(2, 0), &[1, 1]];
        let message = [&[0x76, 2, 7, 0x62, 0, 0x62, 0, 0x72, 0x63, 7, 1][..], &list.concat()].concat();
        let crc = x25(&message).to_le_bytes();
        let mut frame = vec![0x1b, 0x1b, 0x1b, 0x1b, 1, 1, 1, 1];
        frame.extend_from_slice(&message);
        frame.extend_from_slice(&[0x63, crc[0], crc[1], 0]);
        let padding = (4 - frame.len() % 4) % 4;
        frame.extend_from_slice(&[0; 3][..padding]);
        frame.extend_from_slice(&[0x1b, 0x1b, 0x1b, 0x1b, 0x1a]);
        frame.push(u8::try_from(padding).expect("at most three"));
        let crc = x25(&frame).to_le_bytes();
        bytes.extend_from_slice(&frame);
        bytes.extend_from_slice(&crc);
    }

    fn write_dlms(&self, bytes: &mut Vec<u8>) {
        let clock = self.clock().map(|part| u8::try_from(part).expect("part of a clock"));
        let name = format!("M{:06}", self.meter);
        let row = |code: u8, wh: u32| {
            let head = [2, 3, 9, 6, 1, 0, code, 8, 0, 0xff, 6];
            [&head[..], &wh.to_be_bytes(), &[2, 2, 15, 0, 22, 30]].concat()
        };
        let head = [
            0xe6, 0xe7, 0, 0x0f, 0, 0, 0, 0, 12, 0x07, 0xea, 3, clock[0], 0xff, clock[1], clock[2], clock[3],
        ];
        let named = [1, 3, 2, 2, 9, 6, 0, 0, 96, 1, 0, 0xff, 10, 7];
        let rows = [row(1, self.dial_wh()), row(2, 0)].concat();
        let content = [&head[..], &[0xff, 0, 0, 0], &named, name.as_bytes(), &rows].concat();
        let size = u8::try_from(8 + content.len() + 2).expect("a short push");
        let mut frame = vec![0xa0, size, 0x41, 0x08, 0x83, 0x13];
        frame.extend_from_slice(&x25(&frame).to_le_bytes());
        frame.extend_from_slice(&content);
        frame.extend_from_slice(&x25(&frame).to_le_bytes());
        bytes.push(0x7e);
        bytes.extend_from_slice(&frame);
        bytes.push(0x7e);
    }

    fn write_row(&self, bytes: &mut Vec<u8>) {
        let [day, hour, minute, _] = self.clock();
        for (code, wh) in [("1-0:1.8.0", self.dial_wh()), ("1-0:2.8.0", 0)] {
            let row = format!(
                "M{0:06},{code},2026-03-{day:02} {hour:02}:{minute:02},{wh},Wh,reader,M{0:06}\n",
                self.meter
            );
            bytes.extend_from_slice(row.as_bytes());
        }
    }
}

fn x25(bytes: &[u8]) -> u16 {
    crc16(bytes, 0x8408, 0xffff, 0xffff)
}

/// A reflected CRC-16, bit by bit.
fn crc16(bytes: &[u8], polynomial: u16, start: u16, end: u16) -> u16 {
    let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| u16::from(byte >> bit & 1)));
    end ^ bits.fold(start, |sum, bit| (sum >> 1) ^ (((sum & 1) ^ bit) * polynomial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Counted;

    #[test]
    fn four_formats_one_result() {
        let want = Counted {
            register_read_count: 3 * 5 * 2,
            dials_milliwatt_hours: DIALS_MILLIWATT_HOURS,
            ..Counted::default()
        };
        for case in cases(3, 5) {
            assert_eq!(case.run(), want, "{}", case.name);
        }
    }
    const DIALS_MILLIWATT_HOURS: i64 = 15_018_750_000;
}
