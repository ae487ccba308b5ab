//! SML (Smart Message Language 1.03 and 1.04, BSI TR-03109-1 Annex IV): what German meters push out of their optical
//! port, byte after byte, with whatever noise the reading head adds.
//!
//! ```text
//!   1b1b1b1b 01010101                 a file begins
//!     76 … 72 6301 01 …               open: passed over
//!     76 … 72 6307 01 77 …            a list: server, sensor time, entries
//!       77 07 0100010800ff …  621e 52ff 59…    OBIS, status, time, unit 30 = Wh, scaler -1, value
//!     76 … 72 6302 01 …               close: passed over
//!   1b1b1b1b 1a pp ssss               pp bytes of padding; CRC-16/X.25, or Kermit of some meters, low byte first
//! ```
//!
//! | read | from |
//! |---|---|
//! | register | an entry's OBIS `1-B:C.8.E*255`, C from 1 to 4; others are counted as ignored |
//! | dial | value × 10^scaler in unit 30 or 32 |
//! | meter | the server id: of ten bytes by DIN 43863-5 as it is on the plate (`1EMH0012119929`), else in hexadecimal |
//! | read at | the entry's time, else the list's sensor time, else its gateway time, if it is a time of day (UTC) |
//!
//! Most meters know no time of day, only the seconds they have been running (`secIndex`): then the stamp comes from the
//! profile or the file's name, or the entry is set aside. The place of a finding is the byte its frame begins with,
//! counted from 1. A frame whose check sum, or the check sum of one of whose messages, is wrong is set aside whole.
//!
//! The decoder is our own: `sml-rs` 0.4 (June 2024) refuses a file that holds a time of day, the only thing a read can be
//! placed by, knows one of the two check sums, and does not say where a broken frame stood.

mod element;
mod list;
mod transport;

use std::ops::ControlFlow;

use tallywatt_core::meter::RegisterRead;
use tallywatt_core::quality::Quality;
use tallywatt_core::rejection::RejectionCode;

use self::list::{Entry, List};
use self::transport::{Found, Stream};
use crate::companion::{Companion, OfFile};
use crate::dial::Dial;
use crate::format::{Format, FormatKind, SourceFile};
use crate::obis;
use crate::refusal::FileRefusal;
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "sml",
    keys: &["usage_point", "usage_point_from", "read_at", "read_at_from", "round_to_wh"],
    zone: None,
    read: |document, text| {
        let dial = Dial { rounds: document.round_to_wh.unwrap_or(false) };
        Ok(Box::new(Sml { companion: Companion::read(&document, text)?, dial }))
    },
    profiles: &[("sml", include_str!("../profiles/sml.toml"))],
};

/// What files leave unsaid.
#[derive(Debug)]
struct Sml {
    companion: Companion,
    dial: Dial,
}

impl Format for Sml {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let bytes = file.whole()?;
        let mut of_file = self.companion.of_file(file.name)?;
        let mut stream = Stream::of(&bytes);
        let mut has_frame = false;
        while let Some((at, found)) = stream.next() {
            has_frame |= !matches!(found, Found::Noise);
            let place = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
            if self.found(&found, place, &mut of_file, tally).is_break() {
                return Ok(());
            }
        }
        if has_frame {
            return Ok(());
        }
        let what = "no SML file begins in it: nowhere 1b1b1b1b 01010101".to_owned();
        Err(FileRefusal::NotThisFormat { line: 1, what })
    }
}

impl Sml {
    fn found(
        &self,
        found: &Found<'_>,
        place: u64,
        of_file: &mut OfFile,
        tally: &mut Tally<'_>,
    ) -> ControlFlow<()> {
        let lists = match found {
            Found::Noise => {
                tally.summary.ignored_count += 1;
                return tally.line_done(place);
            }
            Found::Broken(why) => Err(*why),
            Found::Frame(content) => list::read(content),
        };
        tally.summary.line_count += 1;
        match lists {
            Ok(lists) => lists.iter().for_each(|list| self.hand_over(list, place, of_file, tally)),
            // How many reads are lost with it, nobody can tell.
            Err(why) => tally.reject(RejectionCode::Structure, place, 1, format!("frame: {why}").as_bytes()),
        }
        tally.line_done(place)
    }

    fn hand_over(&self, list: &List<'_>, place: u64, of_file: &mut OfFile, tally: &mut Tally<'_>) {
        let meter = list.meter();
        let usage_point = of_file.usage_point(meter);
        let has_no_stamp =
            |entry: &Entry<'_>| entry.instant.is_none() && obis::register(entry.code).is_some();
        // One stamp from outside is for all entries of a list.
        let read_at = match list.instant {
            Some(instant) => Ok(instant),
            None if list.entries.iter().any(has_no_stamp) => of_file.take_stamp(),
            None => Err(RejectionCode::Stamp),
        };
        for entry in &list.entries {
            let Some(register) = obis::register(entry.code) else {
                tally.summary.ignored_count += 1;
                continue;
            };
            let read = || {
                let usage_point = usage_point?;
                let unit = entry.unit.and_then(obis::unit).filter(|unit| unit.measures(register.flow));
                unit.ok_or(RejectionCode::Unit)?;
                let at = entry.instant.map_or(read_at, Ok)?;
                let number = entry.number.ok_or(RejectionCode::NoValue)?;
                let (dial, rounded) = self.dial.counted(number, entry.scaler)?;
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
                Err(code) => tally.reject(code, place, 1, format!("{register} of {list}").as_bytes()),
            }
        }
    }
}
