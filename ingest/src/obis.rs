//! Codes that binary telegrams write as numbers: registers as six bytes of OBIS (IEC 62056-6-1), units by their number
//! (IEC 62056-6-2).

use tallywatt_core::register::{Flow, Register};

use crate::scale::Unit;

/// The energy register of `A-B:C.D.E*F`; `None` for any other quantity, and for values of past periods.
pub(crate) const fn register(code: &[u8]) -> Option<Register> {
    match *code {
        [1, channel, flow, 8, zone, 255] => match Flow::from_group_c(flow) {
            Some(flow) => Some(Register { flow, channel, zone }),
            None => None,
        },
        _ => None,
    }
}

/// The unit of a dial: 30 Wh, 32 varh.
pub(crate) const fn unit(number: u64) -> Option<Unit> {
    match number {
        30 => Some(Unit::WH),
        32 => Some(Unit::VARH),
        _ => None,
    }
}
