//! From a message's periods to readings: each placed in its day by the wall clock.

use tallywatt_core::calendar::{Day, UtcSeconds, WallTime, Zone};
use tallywatt_core::label::UsagePointId;
use tallywatt_core::reading::INTERVAL_MINUTES;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::RejectionCode;

use super::message::{Channel, Message, Period};
use crate::refusal::FileRefusal;
use crate::stamp::in_order;
use crate::tally::{self, Interval, Tally};

/// Hands a whole message over, channel by channel.
pub(super) fn hand_over(message: Message, zone: &Zone, tally: &mut Tally<'_>) -> Result<(), FileRefusal> {
    let Some(day) = message.day else {
        return Err(FileRefusal::Header { line: 1, what: "the message names no day".to_owned() });
    };
    for (at, channel) in message.channels.iter().enumerate() {
        match register_of(channel) {
            Ok((usage_point, register)) => place(channel, usage_point, register, day, zone, tally),
            Err(code) => {
                let raw = format!("point {} channel {}", channel.point, channel.code);
                tally.reject(code, channel.line, tally::count(channel.periods.len()), raw.as_bytes());
            }
        }
        let last_line = channel.periods.last().map_or(channel.line, |period| period.line);
        // A line is done with its last channel: many messages are one long line.
        let is_line_done = message.channels.get(at + 1).is_none_or(|next| next.line > last_line);
        if is_line_done && tally.line_done(last_line).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

fn register_of(channel: &Channel) -> Result<(UsagePointId, Register), RejectionCode> {
    let point = UsagePointId::new(channel.point.as_bytes()).map_err(|_| RejectionCode::UsagePoint)?;
    let flow = match channel.code.as_str() {
        "01" | "1" => Flow::Import,
        "02" | "2" => Flow::Export,
        "03" | "3" => Flow::ReactiveImport,
        "04" | "4" => Flow::ReactiveExport,
        _ => return Err(RejectionCode::Register),
    };
    Ok((point, Register::total(flow, 0)))
}

fn place(
    channel: &Channel,
    usage_point: UsagePointId,
    register: Register,
    day: Day,
    zone: &Zone,
    tally: &mut Tally<'_>,
) {
    let flagged = channel
        .periods
        .iter()
        .any(|period| period.summer && matches!(wall_of(period, day, zone), Some(WallTime::Twice(..))));
    let mut previous = None;
    tally.gather_for(usage_point, register);
    for period in &channel.periods {
        match start_of(period, day, zone, flagged, &mut previous) {
            Err((code, raw)) => tally.reject(code, period.line, 1, raw.as_bytes()),
            Ok((start, interval_minutes)) => match (&period.energy, &period.status) {
                (Ok((energy_wh, rounded)), Ok(quality)) => {
                    tally.summary.rounded_count += u64::from(*rounded);
                    tally.gather(Interval {
                        start,
                        minutes: interval_minutes,
                        energy_wh: *energy_wh,
                        quality: *quality,
                        line: period.line,
                    });
                }
                (Err((code, raw)), Ok(_)) => tally.reject(*code, period.line, 1, raw.as_bytes()),
                (Err((code, raw)), Err(_)) if *code < RejectionCode::QualityFlag => {
                    tally.reject(*code, period.line, 1, raw.as_bytes())
                }
                (_, Err(raw)) => tally.reject(RejectionCode::QualityFlag, period.line, 1, raw.as_bytes()),
            },
        }
    }
}

fn wall_of(period: &Period, day: Day, zone: &Zone) -> Option<WallTime> {
    let (first, _) = period.span.as_ref().ok()?;
    Some(zone.resolve(day, first * 60))
}

/// The first instant and the length of a period.
///
/// In a doubled hour, a message that marks its summer periods says which pass each belongs to; one that
/// marks none gives them in order.
fn start_of(
    period: &Period,
    day: Day,
    zone: &Zone,
    flagged: bool,
    previous: &mut Option<UtcSeconds>,
) -> Result<(UtcSeconds, u8), (RejectionCode, String)> {
    let (first, minutes) = match &period.span {
        Ok(span) => *span,
        Err(raw) => return Err((RejectionCode::Stamp, raw.clone())),
    };
    let raw = || format!("{:02}{:02}, {minutes} minutes", first / 60, first % 60);
    let wall = zone.resolve(day, first * 60);
    let instant = match wall {
        WallTime::Twice(summer, _) if flagged && period.summer => Ok(summer),
        WallTime::Twice(_, winter) if flagged => Ok(winter),
        _ => in_order(wall, *previous),
    };
    let instant = instant.map_err(|code| (code, raw()))?;
    if instant.0 < 0 {
        return Err((RejectionCode::Stamp, raw()));
    }
    *previous = Some(instant);
    let interval = INTERVAL_MINUTES.into_iter().find(|&taken| u32::from(taken) == minutes);
    interval.map(|interval| (instant, interval)).ok_or_else(|| (RejectionCode::IntervalSize, raw()))
}
