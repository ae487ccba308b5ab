//! Telegrams of the customer's port P1 (DSMR 2.2 to 5, e-MUCS of Fluvius, and their kin): what a meter says of itself.
//!
//! ```text
//!   /KFM5KAIFA-METER                 maker and type
//!   1-3:0.2.8(42)                    version
//!   0-0:1.0.0(161113205757W)         when: wall clock of the zone, S in summer and W in winter
//!   0-0:96.1.1(4530303033…)          which meter: hexadecimal of its number
//!   1-0:1.8.1(001581.123*kWh)        a dial
//!   0-1:24.2.1(161129…W)(00981.443*m3)  gas: counted, not read
//!   !6796                            CRC-16/ARC of everything from / to !
//! ```
//!
//! | code | read as |
//! |---|---|
//! | `1-B:C.8.E`, C from 1 to 4 | a register read: Wh, kWh, MWh, varh, kvarh, Mvarh |
//! | `0-0:1.0.0` | when the dials were read |
//! | `0-0:96.1.1`, `0-0:96.1.0`, `0-0:42.0.0` (hexadecimal), `0-0:96.1.255` (text) | the meter, the first of these that is there |
//! | `1-3:0.2.8`, `0-0:96.1.4` | the version |
//! | anything else | counted as ignored |
//!
//! **CRC.** A CRC that is there is always checked. Telegrams before version 4 have none: they are taken if the profile
//! says `crc = "optional"`, and only while they state no version, because those that do have a CRC. A broken telegram
//! is set aside whole.
//!
//! The decoder is our own: the one crate there is (`dsmr5` 0.4) takes no telegram without a CRC, none with a code it does
//! not know, none of more than 2,048 bytes, and gives dials as floats.

mod frame;
mod stamp;
mod telegram;

use std::ops::ControlFlow;

use tallywatt_core::rejection::RejectionCode;

use self::frame::{Outcome, Piece, Pieces};
use self::stamp::Seasons;
use self::telegram::Telegram;
use crate::companion::{Companion, OfFile};
use crate::dial::Dial;
use crate::format::{Format, FormatKind, SourceFile};
use crate::refusal::FileRefusal;
use crate::tally::Tally;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "p1",
    keys: &["usage_point", "usage_point_from", "read_at", "read_at_from", "crc", "round_to_wh"],
    zone: None,
    read: |document, text| {
        let needs_crc = match document.crc.as_deref() {
            None | Some("required") => true,
            Some("optional") => false,
            Some(other) => return Err(text.value("crc", other, "required or optional")),
        };
        let dial = Dial { rounds: document.round_to_wh.unwrap_or(false) };
        Ok(Box::new(P1 { companion: Companion::read(&document, text)?, dial, needs_crc }))
    },
    profiles: &[("p1", include_str!("../profiles/p1.toml"))],
};

/// What telegrams leave unsaid.
#[derive(Debug)]
struct P1 {
    companion: Companion,
    dial: Dial,
    needs_crc: bool,
}

impl Format for P1 {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let bytes = file.whole()?;
        let mut reader = Reader {
            profile: self,
            of_file: self.companion.of_file(file.name)?,
            seasons: Seasons::of(file.zone),
            telegram: Telegram::default(),
        };
        let mut telegram_count = 0_u64;
        for piece in Pieces::of(&bytes) {
            telegram_count += u64::from(!matches!(piece.outcome, Outcome::Outside));
            tally.summary.line_count = piece.last_line;
            if reader.piece(&piece, tally).is_break() {
                return Ok(());
            }
        }
        tally.summary.line_count = tally.summary.line_count.max(frame::line_count(&bytes));
        if telegram_count == 0 {
            let what = "no telegram begins in it: no line begins with /".to_owned();
            return Err(FileRefusal::NotThisFormat { line: 1, what });
        }
        Ok(())
    }
}

/// Reads piece after piece; keeps its memory.
struct Reader<'a> {
    profile: &'a P1,
    of_file: OfFile,
    seasons: Seasons<'a>,
    telegram: Telegram,
}

impl Reader<'_> {
    fn piece(&mut self, piece: &Piece<'_>, tally: &mut Tally<'_>) -> ControlFlow<()> {
        let refused = match piece.outcome {
            Outcome::Outside => {
                outside(piece, tally);
                return tally.line_done(piece.last_line);
            }
            Outcome::Broken(code, why) => Err((code, why.to_owned())),
            Outcome::Whole { crc } => self.whole(piece, crc, tally),
        };
        if let Err((code, why)) = refused {
            let head = piece.text.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii();
            let raw = format!("{}: {why}", String::from_utf8_lossy(&head[..head.len().min(80)]));
            tally.reject(code, piece.line, telegram::register_count(piece.text), raw.as_bytes());
        }
        tally.line_done(piece.last_line)
    }

    /// Hands a telegram over, or says why it is set aside whole.
    fn whole(
        &mut self,
        piece: &Piece<'_>,
        crc: &[u8],
        tally: &mut Tally<'_>,
    ) -> Result<(), (RejectionCode, String)> {
        let telegram = &mut self.telegram;
        telegram.read(piece).map_err(|why| (RejectionCode::Structure, why.to_owned()))?;
        if crc.is_empty() {
            if self.profile.needs_crc || telegram.states_version {
                return Err((RejectionCode::Structure, "no CRC".to_owned()));
            }
        } else {
            frame::check_crc(piece.text, crc).map_err(|why| (RejectionCode::Structure, why))?;
        }
        tally.summary.ignored_count += telegram.ignored_count;
        if telegram.dials.is_empty() {
            return Ok(());
        }
        let point = self.of_file.usage_point(telegram.meter);
        let point = point.map_err(|code| (code, "no number of its meter that is a name".to_owned()))?;
        let read_at = match telegram.stamp(piece) {
            Some(text) => self.seasons.place(text).map_err(|code| (code, shown(text)))?,
            None => self.of_file.take_stamp().map_err(|code| (code, "no stamp".to_owned()))?,
        };
        telegram.hand_over(piece, point, read_at, self.profile.dial, tally);
        Ok(())
    }
}

/// What stands between telegrams is not looked at, unless it is the remains of one.
fn outside(piece: &Piece<'_>, tally: &mut Tally<'_>) {
    if piece.text.iter().any(|byte| matches!(byte, b'(' | b'!')) {
        let count = telegram::register_count(piece.text);
        tally.reject(RejectionCode::Structure, piece.line, count, piece.text);
    } else {
        tally.summary.ignored_count += piece.last_line - piece.line + 1;
    }
}

fn shown(text: &[u8]) -> String {
    format!("stamp {}", String::from_utf8_lossy(&text[..text.len().min(40)]))
}
