//! DLMS/COSEM pushes of the customer's port in Norway, Sweden and elsewhere: data notifications (IEC 62056-5-3) in HDLC
//! frames of format type 3 (IEC 62056-46), not encrypted.
//!
//! ```text
//!   7e a09b 01 0201 10 eeae │ e6 e7 00 │ 0f 40000000 0c 07e6…  │ 02 12 …        │ ab32 7e
//!      length, addresses,   │   LLC    │ notification, when    │ A-XDR          │ check sum
//!      control, check sum   │          │                       │                │
//! ```
//!
//! | shape | what it is |
//! |---|---|
//! | rows | `{code, value}` or `{code, value, {scaler, unit}}`: Aidon, Iskra, the Swedish branch |
//! | pairs | an optional list name or time, then `code, value[, {scaler, unit}], code, …`: Kamstrup, Kaifa of Sweden, EVN |
//! | places | 14 or 18 values after `KFM_001` without codes: Kaifa of Norway |
//!
//! | code | read as |
//! |---|---|
//! | `1-B:C.8.E*255`, C from 1 to 4 | a register read, in unit 30 Wh or 32 varh |
//! | `0-0:96.1.0`, `1-1:0.0.5` | the meter |
//! | `0-0:1.0.0`, `0-1:1.0.0` | when; else the time of the notification |
//! | `1-0:0.2.129`, `1-1:0.2.129` | the list's name |
//! | anything else | counted as ignored |
//!
//! Where no unit is said, the list's name stands for it: `Kamstrup_V0001` counts in 10 Wh, `KFM_001` in 1 Wh.
//!
//! **Time.** A deviation from UTC in a stamp is believed, unless the profile says `clock = "zone"`: some meters write
//! zero whatever their clock shows. Without one the wall clock is that of the profile's zone.
//!
//! An encrypted push is set aside with the reason "encrypted"; a frame whose check sum is wrong, with the byte it begins
//! with, counted from 1. The decoder is our own: `dlms_cosem` 0.2 (September 2022) knows no arrays, nests without a limit
//! and has floats; `hdlcparse` 2.0 reads frames alone.

mod axdr;
mod clock;
mod hdlc;
mod notification;
mod shapes;

use std::ops::ControlFlow;

use tallywatt_core::meter::RegisterRead;
use tallywatt_core::quality::Quality;
use tallywatt_core::rejection::RejectionCode;

use self::clock::Clock;
use self::hdlc::{Found, Link};
use self::notification::Assembly;
use self::shapes::Push;
use crate::companion::{Companion, OfFile};
use crate::dial::Dial;
use crate::format::{Format, FormatKind, SourceFile};
use crate::obis;
use crate::refusal::FileRefusal;
use crate::tally::{self, Tally};

pub(crate) const KIND: FormatKind = FormatKind {
    name: "dlms",
    keys: &["usage_point", "usage_point_from", "read_at", "read_at_from", "clock", "round_to_wh"],
    zone: None,
    read: |document, text| {
        let believes_deviation = match document.clock.as_deref() {
            None | Some("stated") => true,
            Some("zone") => false,
            Some(other) => return Err(text.value("clock", other, "stated or zone")),
        };
        let dial = Dial { rounds: document.round_to_wh.unwrap_or(false) };
        Ok(Box::new(Dlms { companion: Companion::read(&document, text)?, dial, believes_deviation }))
    },
    profiles: &[("dlms", include_str!("../profiles/dlms.toml"))],
};

/// What pushes leave unsaid.
#[derive(Debug)]
struct Dlms {
    companion: Companion,
    dial: Dial,
    believes_deviation: bool,
}

impl Format for Dlms {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let bytes = file.whole()?;
        let mut reader = Reader {
            dial: self.dial,
            of_file: self.companion.of_file(file.name)?,
            clock: Clock::of(file.zone, self.believes_deviation),
            assembly: Assembly::default(),
        };
        let mut link = Link::of(&bytes);
        let mut has_frame = false;
        while let Some((at, found)) = link.next() {
            has_frame |= !matches!(found, Found::Noise);
            let place = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
            if reader.found(&found, place, tally).is_break() {
                return Ok(());
            }
        }
        if !has_frame {
            let what = "no HDLC frame begins in it: nowhere 7e and format type 3".to_owned();
            return Err(FileRefusal::NotThisFormat { line: 1, what });
        }
        // The last message may want segments that never came.
        if let Some(why) = reader.assembly.abandon() {
            let place = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
            tally.reject(RejectionCode::Structure, place, 1, format!("message: {why}").as_bytes());
            let _ = tally.line_done(place);
        }
        Ok(())
    }
}

/// Reads frame after frame.
struct Reader<'a> {
    dial: Dial,
    of_file: OfFile,
    clock: Clock<'a>,
    assembly: Assembly,
}

impl Reader<'_> {
    fn found(&mut self, found: &Found<'_>, place: u64, tally: &mut Tally<'_>) -> ControlFlow<()> {
        // How many reads are lost with a frame, nobody can tell.
        let refuse = |why: &str, tally: &mut Tally<'_>| {
            tally.reject(RejectionCode::Structure, place, 1, format!("frame: {why}").as_bytes());
        };
        match found {
            Found::Noise => tally.summary.ignored_count += 1,
            Found::Broken(why) => {
                tally.summary.line_count += 1;
                refuse(why, tally);
            }
            Found::Frame(frame) => {
                tally.summary.line_count += 1;
                let (lost, message) = self.assembly.add(frame);
                if let Some(why) = lost {
                    refuse(why, tally);
                }
                match message {
                    Ok(None) => (),
                    Ok(Some(message)) => match notification::read(&message) {
                        Ok(push) => self.hand_over(&push, place, tally),
                        Err(why) => refuse(why, tally),
                    },
                    Err(why) => refuse(why, tally),
                }
            }
        }
        tally.line_done(place)
    }

    fn hand_over(&mut self, push: &Push<'_>, place: u64, tally: &mut Tally<'_>) {
        tally.summary.ignored_count += push.ignored_count;
        if push.dials.is_empty() {
            return;
        }
        let read_at = match push.stamp {
            Some(stamp) => self.clock.place(stamp),
            None => self.of_file.take_stamp(),
        };
        let (usage_point, at) = match (self.of_file.usage_point(push.meter), read_at) {
            (Ok(usage_point), Ok(at)) => (usage_point, at),
            (Err(code), _) | (_, Err(code)) => {
                let count = tally::count(push.dials.len());
                return tally.reject(code, place, count, push.to_string().as_bytes());
            }
        };
        for dial in &push.dials {
            let read = || {
                let (meter, register) = (push.meter, dial.register);
                let unit = dial.unit.and_then(obis::unit).filter(|unit| unit.measures(register.flow));
                unit.ok_or(RejectionCode::Unit)?;
                let number = dial.number.ok_or(RejectionCode::NotANumber)?;
                let (dial, rounded) = self.dial.counted(number, dial.scaler)?;
                Ok((
                    RegisterRead { usage_point, register, at, meter, dial, quality: Quality::Valid },
                    rounded,
                ))
            };
            match read() {
                Ok((read, rounded)) => {
                    tally.summary.rounded_count += u64::from(rounded);
                    tally.register_read(&read, place);
                }
                Err(code) => {
                    tally.reject(code, place, 1, format!("{} of {push}", dial.register).as_bytes());
                }
            }
        }
    }
}
