//! MSCONS: metered values as EDIFACT messages (UN/EDIFACT D.99A, D.04B), as the German and Swiss markets send them.
//!
//! ```text
//!   UNA                      the signs that separate, if not the customary ones
//!   UNB                      interchange
//!     UNH … MSCONS           message
//!       BGM, DTM+137, RFF+Z13    kind, issue, process
//!       NAD, LOC+172         usage point
//!         LIN, PIA+5         series, its OBIS code
//!           QTY, DTM+163, DTM+164     value, begin and end
//!     UNT                    count of segments
//!   UNZ                      count of messages
//! ```
//!
//! The frame is checked before the first value is handed over: an interchange that breaks off gives nothing. A count in UNT
//! or UNZ that is wrong is told (R03, no readings lost) and the values are taken: EDIFACT would have the message sent back,
//! but senders are known whose UNT is always wrong and whose values are right.
//!
//! | QTY | means | taken as |
//! |---|---|---|
//! | 220, 46 | true value, delivered quantity | valid |
//! | 67 | substitute | derived |
//! | 79 | what D.99A senders set apart from 46; a quantity summed up, by the newer guide | derived: less than measured |
//! | 187 | forecast | projected |
//! | 201 | proposed value | other |
//! | 20 | value not to be used | raw |
//!
//! Any other qualifier is rejected (R16). How a substitute was made (STS) is passed over.
//!
//! | OBIS | taken as |
//! |---|---|
//! | 1-b:1.d.e, 2.d.e | import, export |
//! | 1-b:3.d.e, 4.d.e | reactive import, reactive export |
//! | 1-b:5.d.0, 6.d.0 | reactive import, zones 5 and 6 |
//! | 1-b:7.d.0, 8.d.0 | reactive export, zones 7 and 8 |
//! | d = 29, 10, 9 | energy of an interval |
//! | d = 8 | a register read where one instant is given (DTM+7, DTM+9), else energy of an interval |
//!
//! Registers know no quadrants. 3 is the sum of 5 and 6, and 4 of 7 and 8, as a total is of its zones; so a quadrant stands as
//! the zone of its number, and the channel b is kept. All else is rejected with its code (R05): powers, gas, heat.
//!
//! A value has its own DTM+163 and DTM+164. Where it has neither, the series has a begin and a step (DTM+672, in minutes, as
//! D.99A load profiles do), and the values follow one another. A unit that is not written is the profile's.
//!
//! The message's DTM+137 is the issue of its values. A withdrawal (BGM function 1, or RFF+Z13:13006) books nothing: its values
//! are taken back, of the issue of the message that RFF+ACW names: by the DTM behind it, or as that message stands earlier
//! in the file. A withdrawal without values, and a file of nothing else, is taken and told (R03, no readings lost), with the
//! document it withdraws: which values it means is not in it.
//!
//! A segment that cannot be read takes with it what hangs on it: a value its interval, a LOC, a NAD or one of no known tag
//! the values up to the next LOC, a BGM or RFF those of its message.

mod message;
mod series;
mod syntax;

use self::message::{Issues, Place, Reader};
use self::syntax::{Segment, Segments};
use crate::format::{Format, FormatKind, SourceFile};
use crate::refusal::{FileRefusal, shown};
use crate::scale::{Scale, Unit};
use crate::tally::Tally;

/// The most messages of one interchange.
const MESSAGE_COUNT_MAX: u64 = 1 << 20;

pub(crate) const KIND: FormatKind = FormatKind {
    name: "mscons",
    keys: &["unit", "multiplier", "round_to_wh"],
    zone: None,
    read: |document, text| Ok(Box::new(Mscons { scale: document.scale(text, Some(Unit::KWH))? })),
    profiles: &[("mscons", include_str!("../profiles/mscons.toml"))],
};

/// MSCONS files say everything but the unit of values that name none.
#[derive(Debug, Clone, Copy)]
struct Mscons {
    scale: Scale,
}

impl Format for Mscons {
    fn decode(&self, file: &mut SourceFile<'_>, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
        let bytes = file.whole()?;
        let segments = Segments::of(&bytes)?;
        let last_line = check_frame(segments)?;
        let mut reader = Reader::new(self.scale, file.zone);
        let mut issues = Issues::new();
        let mut previous_line = 0;
        for segment in segments {
            let segment = segment?;
            reader.segment(&segment, &mut issues, tally);
            // A line is done when the next has begun: most interchanges are one long line.
            if segment.line > previous_line + 1 && reader.is_between() {
                previous_line = segment.line - 1;
                if tally.line_done(previous_line).is_break() {
                    return Ok(());
                }
            }
        }
        tally.summary.line_count = last_line;
        let _ = tally.line_done(last_line);
        Ok(())
    }
}

/// One UNB first, whole messages, one UNZ last, and at least one MSCONS with a quantity, or one that withdraws another and
/// may do without; says the last line.
fn check_frame(segments: Segments<'_>) -> Result<u64, FileRefusal> {
    let header = |line, what: String| Err(FileRefusal::Header { line, what });
    let mut place = Place::Start;
    let (mut message_count, mut ours_count, mut told_count) = (0, 0_u64, 0_u64);
    let mut last_line = 1;
    for segment in segments {
        let segment = segment?;
        last_line = segment.line;
        let tag = segment.tag();
        place = match (place, &*tag) {
            (Place::Start, b"UNB") => {
                check_syntax(&segment)?;
                Place::Interchange
            }
            (Place::Start, _) => {
                let what =
                    format!("the first segment is {:?}, not UNB", shown(&String::from_utf8_lossy(&tag)));
                return Err(FileRefusal::NotThisFormat { line: segment.line, what });
            }
            (Place::Interchange, b"UNH") => {
                message_count += 1;
                let is_ours = segment.is_mscons();
                ours_count += u64::from(is_ours);
                if is_ours { Place::Message } else { Place::Other }
            }
            // Groups of messages add nothing.
            (Place::Interchange, b"UNG" | b"UNE") => Place::Interchange,
            (Place::Interchange, b"UNZ") => Place::End,
            (Place::Interchange, _) => return header(segment.line, "a segment outside a message".to_owned()),
            (Place::Message | Place::Other, b"UNT") => Place::Interchange,
            (Place::Message | Place::Other, b"UNA" | b"UNB" | b"UNH" | b"UNZ") => {
                return header(segment.line, "a message without its end UNT".to_owned());
            }
            (Place::Message, b"QTY" | b"BGM" | b"RFF") => {
                told_count += u64::from(&*tag == b"QTY" || message::is_withdrawal(&segment));
                Place::Message
            }
            (Place::Message | Place::Other, _) => place,
            (Place::End, _) => return header(segment.line, "a segment after the end segment UNZ".to_owned()),
        };
        if message_count > MESSAGE_COUNT_MAX {
            return Err(FileRefusal::TooLarge {
                what: "messages of an interchange",
                limit: MESSAGE_COUNT_MAX,
            });
        }
    }
    match place {
        Place::Start => Err(FileRefusal::Empty),
        Place::End if message_count > 0 && ours_count == 0 => {
            let what = "no MSCONS message in the interchange".to_owned();
            Err(FileRefusal::NotThisFormat { line: 1, what })
        }
        Place::End if told_count == 0 => Err(FileRefusal::NoReadings),
        Place::End => Ok(last_line),
        _ => Err(FileRefusal::Truncated { line: last_line, what: "no end segment UNZ".to_owned() }),
    }
}

/// A code page of single bytes, or UTF-8: names must be ASCII in any of them.
fn check_syntax(unb: &Segment<'_>) -> Result<(), FileRefusal> {
    let syntax = unb.component(1, 0);
    match &*syntax {
        [b'U', b'N', b'O', b'A'..=b'K' | b'Y'] => Ok(()),
        _ => Err(FileRefusal::NotText { line: unb.line, encoding: "UNOA to UNOK, or UNOY" }),
    }
}
