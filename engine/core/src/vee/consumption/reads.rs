//! Which reads stand, and of which meter each is.

use crate::calendar::UtcSeconds;
use crate::meter::{DialReading, Installation, RegisterRead};
use crate::meter_event::ReceivedRead;
use crate::quality::Quality;

use super::{Failure, Why, on_dial};

/// One read that stands, of a known meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    pub(super) at: UtcSeconds,
    pub(super) dial: DialReading,
    pub(super) quality: Quality,
    /// [`ReceivedRead::precedence`].
    precedence: (u8, Option<UtcSeconds>),
}

/// The reads that stand, an installation each, in order of time, one an instant.
pub(super) fn assign(
    reads: &[ReceivedRead],
    installations: &[Installation],
    failures: &mut Vec<Failure>,
) -> Vec<Vec<Shown>> {
    let mut shown: Vec<Vec<Shown>> = vec![Vec::new(); installations.len()];
    for received in reads.iter().filter(|received| received.read.quality != Quality::Missing) {
        let (read, precedence) = (&received.read, received.precedence());
        let fail = |why| Failure { from: read.at, to: read.at, why };
        match meter_of(read, installations) {
            Ok(at) if !on_dial(&installations[at], read.dial) => failures.push(fail(Why::PastDial)),
            Ok(at) => {
                shown[at].push(Shown { at: read.at, dial: read.dial, quality: read.quality, precedence });
            }
            Err(why) => failures.push(fail(why)),
        }
    }
    for (installed, all) in installations.iter().zip(&mut shown) {
        all.sort_unstable();
        let mut standing = Vec::with_capacity(all.len());
        for instant in all.chunk_by(|a, b| a.at == b.at) {
            match stands(installed, instant) {
                Ok(read) => standing.push(read),
                Err(why) => failures.push(Failure { from: instant[0].at, to: instant[0].at, why }),
            }
        }
        *all = standing;
    }
    shown
}

/// Which installation a read is of. At the instant of an exchange both are asked, and the dial tells.
fn meter_of(read: &RegisterRead, installations: &[Installation]) -> Result<usize, Why> {
    let next = installations.partition_point(|installed| installed.from <= read.at);
    let covers = |at: &usize| installations[*at].to.is_none_or(|(to, _)| read.at <= to);
    let is_named = |at: &usize| read.meter.is_none_or(|meter| installations[*at].meter == meter);
    let covering: Vec<usize> = (next.saturating_sub(2)..next).filter(covers).collect();
    let mut named = covering.iter().copied().filter(is_named);
    match (named.next(), named.next()) {
        (None, _) if covering.is_empty() => Err(Why::NoMeter),
        (None, _) => Err(Why::OtherMeter),
        (Some(only), None) => Ok(only),
        (Some(removed), Some(new)) if installations[new].first == read.dial => {
            let is_last = installations[removed].to.is_some_and(|(_, last)| last == read.dial);
            Ok(if is_last { removed } else { new })
        }
        (Some(removed), Some(_)) => Ok(removed),
    }
}

/// Which of the reads at one instant stands, by [`ReceivedRead::precedence`]. What a fitter noted at installation and
/// removal ranks as measured, and every position rests on it: no read stands against it.
fn stands(installed: &Installation, instant: &[Shown]) -> Result<Shown, Why> {
    let best = instant.iter().map(|read| read.precedence).max();
    let mut best_reads = instant.iter().filter(|read| Some(read.precedence) == best);
    let read = *best_reads.next_back().expect("an instant has a read");
    if best_reads.any(|other| other.dial != read.dial) {
        return Err(Why::Conflict);
    }
    let noted = match installed.to {
        Some((to, last)) if to == read.at => last,
        _ if installed.from == read.at => installed.first,
        _ => return Ok(read),
    };
    if noted == read.dial { Ok(read) } else { Err(Why::NotAsNoted) }
}
