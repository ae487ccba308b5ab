//! From a feed's blocks to readings.

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::label::UsagePointId;
use tallywatt_core::meter::RegisterRead;
use tallywatt_core::reading::{INTERVAL_MINUTES, Issued};
use tallywatt_core::rejection::RejectionCode;

use super::feed::{Feed, LINK_SIZE_MAX};
use super::meaning::{Meaning, Refused};
use super::resource::{IntervalBlock, IntervalReading, Written};
use super::ties::{Tied, Ties};
use super::{GreenButton, PointFrom};
use crate::dial;
use crate::refusal::FileRefusal;
use crate::scale::Scale;
use crate::stamp::CALENDAR_END_S;
use crate::tally::{self, Interval, Tally};

/// Hands a whole feed over, block by block.
pub(super) fn hand_over(
    profile: &GreenButton,
    feed: &Feed,
    file_name: &str,
    tally: &mut Tally<'_>,
) -> Result<(), FileRefusal> {
    if profile.point != PointFrom::Feed && feed.usage_points.len() > 1 {
        let what = format!("the feed has {} usage points, the profile names one", feed.usage_points.len());
        return Err(FileRefusal::Header { line: 1, what });
    }
    for (line, size) in &feed.long_links {
        let what = format!("a link of {size} bytes, at most {LINK_SIZE_MAX}: it ties its entry to nothing");
        tally.reject(RejectionCode::Structure, *line, 0, what.as_bytes());
    }
    let ties = Ties::of(feed);
    let mut blocks = feed.blocks.iter().peekable();
    for of_entry in feed.blocks.chunk_by(|left, right| left.entry == right.entry) {
        // The blocks of an entry have its links in common: to follow them for each would let a short file take long.
        let tied = ties.tied(of_entry[0].entry);
        let issued = tied.block.issued.or(feed.issued).unwrap_or(Issued::UNSAID);
        let known = name(profile.point, &tied, file_name)
            .and_then(|usage_point| Ok((usage_point, Meaning::of(profile, &tied)?)));
        let refused = |what: &str| format!("{what}, block {}", tied.block.own.as_deref().unwrap_or_default());
        let known = known.map_err(|(code, what)| (code, refused(&what)));
        for block in of_entry {
            blocks.next();
            tally.issued(issued);
            match &known {
                Ok((usage_point, meaning)) => place(block, *usage_point, meaning, tally),
                Err((code, raw)) => {
                    tally.reject(*code, block.line, tally::count(block.readings.len()), raw.as_bytes());
                }
            }
            let last_line = block.readings.last().map_or(block.line, |reading| reading.line);
            // A line is done with its last block: some feeds are one long line.
            let is_line_done = blocks.peek().is_none_or(|next| next.line > last_line);
            if is_line_done && tally.line_done(last_line).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn name(from: PointFrom, tied: &Tied<'_>, file_name: &str) -> Result<UsagePointId, Refused> {
    let refused = |name: String| (RejectionCode::UsagePoint, format!("usage point {name:?}"));
    match from {
        PointFrom::Profile(point) => Ok(point),
        PointFrom::Feed => tied.name().map_err(refused),
        PointFrom::File => {
            let stem = file_stem(file_name);
            UsagePointId::new(stem.as_bytes()).map_err(|_| refused(stem.to_owned()))
        }
    }
}

/// The file's name without folders and without what follows the first point.
fn file_stem(file_name: &str) -> &str {
    let name = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    name.split('.').next().unwrap_or_default()
}

fn place(block: &IntervalBlock, usage_point: UsagePointId, meaning: &Meaning, tally: &mut Tally<'_>) {
    // Where a reading without a time period begins.
    let mut next_start = match block.start {
        Written::Whole(start) => Some(start),
        _ => None,
    };
    tally.gather_for(usage_point, meaning.register);
    for reading in &block.readings {
        let start = reading.start().or(next_start);
        let duration_s = reading.duration_s().or(meaning.interval_length_s);
        next_start = start.zip(duration_s).map(|(start, seconds)| start.saturating_add(i64::from(seconds)));
        let placed = start
            .filter(|start| (0..CALENDAR_END_S).contains(start))
            .ok_or_else(|| (RejectionCode::Stamp, "no start".to_owned()))
            .and_then(|start| {
                let missing = || (RejectionCode::IntervalSize, "no duration".to_owned());
                Ok(Placed { start, duration_s: duration_s.ok_or_else(missing)?, reading, meaning })
            });
        let placed = match (reading.problem(), placed) {
            (Some(problem), Err(found)) if problem.0 > found.0 => Err(found),
            (Some(problem), _) => Err(problem.clone()),
            (None, placed) => placed,
        };
        let handed = match (placed, meaning.is_cumulative) {
            (Err(refused), _) => Err(refused),
            (Ok(placed), false) => placed.energy(tally),
            (Ok(placed), true) => placed.register_read(usage_point, tally),
        };
        if let Err((code, raw)) = handed {
            tally.reject(code, reading.line, 1, raw.as_bytes());
        }
    }
}

/// A reading whose time is known.
struct Placed<'a> {
    start: i64,
    duration_s: u32,
    reading: &'a IntervalReading,
    meaning: &'a Meaning,
}

impl Placed<'_> {
    fn energy(&self, tally: &mut Tally<'_>) -> Result<(), Refused> {
        let minutes = INTERVAL_MINUTES.into_iter().find(|&taken| u32::from(taken) * 60 == self.duration_s);
        let Some(minutes) = minutes else {
            if self.duration_s == 0 && self.reading.value() == Written::Whole(0) {
                tally.summary.null_count += 1;
                return Ok(());
            }
            return Err(self.refused(RejectionCode::IntervalSize));
        };
        let (energy_wh, rounded) = self.scaled(&self.meaning.scale)?;
        tally.summary.rounded_count += u64::from(rounded);
        tally.gather(Interval {
            start: UtcSeconds(self.start),
            minutes,
            energy_wh,
            quality: self.reading.quality().unwrap_or(self.meaning.quality),
            line: self.reading.line,
        });
        Ok(())
    }

    fn register_read(&self, usage_point: UsagePointId, tally: &mut Tally<'_>) -> Result<(), Refused> {
        let at = self.start + i64::from(self.duration_s);
        if at >= CALENDAR_END_S {
            return Err(self.refused(RejectionCode::Stamp));
        }
        let scale = self.meaning.scale.finer(3).ok_or_else(|| self.refused(RejectionCode::NotANumber))?;
        let (milliwatt_hours, rounded) = self.scaled(&scale)?;
        let dial = dial::shown(i128::from(milliwatt_hours)).map_err(|code| self.refused(code))?;
        tally.summary.rounded_count += u64::from(rounded);
        let read = RegisterRead {
            usage_point,
            register: self.meaning.register,
            at: UtcSeconds(at),
            meter: None,
            dial,
            quality: self.reading.quality().unwrap_or(self.meaning.quality),
        };
        tally.register_read(&read, self.reading.line);
        Ok(())
    }

    fn scaled(&self, scale: &Scale) -> Result<(i64, bool), Refused> {
        let scaled = match &self.reading.value() {
            Written::Whole(value) => scale.whole(*value),
            other => scale.watt_hours(other.told().as_bytes(), b'.'),
        };
        scaled.map_err(|code| self.refused(code))
    }

    /// What is set aside, told whole: nothing of it is kept elsewhere.
    fn refused(&self, code: RejectionCode) -> Refused {
        (code, format!("value {} of {} s from {}", self.reading.value().told(), self.duration_s, self.start))
    }
}
