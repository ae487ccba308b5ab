//! The walk from read to read, meter by meter, that makes spans.

use crate::calendar::UtcSeconds;
use crate::meter::{DialReading, Installation, Multiplier};
use crate::money::div_half_even;
use crate::quality::Quality;

use super::reads::Shown;
use super::{Consumption, Failure, How, ROLLOVER_TENTHS, Span, Why};

/// A multiplied dial is in thousandths of a watt-hour times millionths.
const PARTS_PER_WH: i128 = 1_000_000_000;

/// Where the walk stands.
#[derive(Default)]
pub(super) struct Walk {
    found: Consumption,
    open: Option<Open>,
    /// When the meter before was removed.
    removed: Option<UtcSeconds>,
}

/// The span that the next read will close.
struct Open {
    from: UtcSeconds,
    energy_wh: i128,
    meter_count: u16,
    rollover_count: u8,
    quality: Quality,
    multiplier: Multiplier,
    fault: Option<Why>,
}

impl Open {
    fn at(from: UtcSeconds, quality: Quality, multiplier: Multiplier) -> Self {
        let (meter_count, rollover_count) = (1, 0);
        Self { from, energy_wh: 0, meter_count, rollover_count, quality, multiplier, fault: None }
    }
}

impl Walk {
    /// Walks over one meter's reads, from its installation to its removal.
    pub(super) fn meter(&mut self, installed: &Installation, reads: &[Shown]) {
        self.enter(installed);
        let mut position = Position::of(installed);
        for &read in reads {
            self.step(position.reach(read.dial));
            // A read at the very start of a span opens nothing new, but says how good the start is.
            self.close(read.at, read.quality);
            self.open = Some(Open::at(read.at, read.quality, installed.multiplier));
        }
        if let Some((to, last)) = installed.to {
            self.step(position.reach(last));
            self.removed = Some(to);
        }
    }

    /// The meter counts on from the one before it, or starts a chain of its own.
    fn enter(&mut self, installed: &Installation) {
        if let Some(removed) = self.removed.take() {
            if removed == installed.from {
                match &mut self.open {
                    // A read at the very exchange: the new meter alone counts what follows.
                    Some(open) if open.from == removed => open.multiplier = installed.multiplier,
                    Some(open) => {
                        open.meter_count = open.meter_count.saturating_add(1);
                        open.multiplier = open.multiplier.max(installed.multiplier);
                    }
                    None => {}
                }
                return;
            }
            self.close(removed, Quality::Valid);
            self.found.failures.push(Failure { from: removed, to: installed.from, why: Why::Gap });
        }
        self.open = Some(Open::at(installed.from, Quality::Valid, installed.multiplier));
    }

    fn step(&mut self, step: Result<Step, Why>) {
        let Some(open) = &mut self.open else { return };
        match step {
            Ok(Step { energy_wh, rolled_over }) => {
                open.energy_wh += energy_wh;
                open.rollover_count += u8::from(rolled_over);
                if open.rollover_count > 1 {
                    open.fault = open.fault.or(Some(Why::TwoRollovers));
                    open.rollover_count = 1;
                }
            }
            Err(why) => open.fault = open.fault.or(Some(why)),
        }
    }

    fn close(&mut self, to: UtcSeconds, quality: Quality) {
        let Some(open) = self.open.take() else { return };
        if open.from == to {
            return;
        }
        let lesser = if quality.rank() < open.quality.rank() { quality } else { open.quality };
        let how = How {
            meter_count: open.meter_count,
            rolled_over: open.rollover_count > 0,
            quality: lesser,
            multiplier: open.multiplier,
        };
        match (open.fault, i64::try_from(open.energy_wh)) {
            (None, Ok(energy_wh)) => self.found.spans.push(Span { from: open.from, to, energy_wh, how }),
            (fault, _) => {
                let why = fault.unwrap_or(Why::PastRange);
                self.found.failures.push(Failure { from: open.from, to, why });
            }
        }
    }

    /// Closes with the removal of the last meter, if it was removed.
    pub(super) fn end(mut self) -> Consumption {
        if let Some(removed) = self.removed.take() {
            self.close(removed, Quality::Valid);
        }
        self.found
    }
}

/// From one read to the next.
struct Step {
    energy_wh: i128,
    rolled_over: bool,
}

/// What a meter has counted since it was installed.
struct Position {
    multiplier: i128,
    first: i128,
    dial_end: i128,
    dial: i128,
    rollover_count: i128,
    wh: i128,
}

impl Position {
    fn of(installed: &Installation) -> Self {
        let wide = |dial: DialReading| i128::from(dial.as_milliwatt_hours());
        let first = wide(installed.first);
        Self {
            multiplier: i128::from(installed.multiplier.as_millionths()),
            first,
            dial_end: wide(installed.dial_end()),
            dial: first,
            rollover_count: 0,
            wh: 0,
        }
    }

    /// Goes to the next dial. After a dial that went backwards the walk goes on from there: what follows is sound again.
    fn reach(&mut self, dial: DialReading) -> Result<Step, Why> {
        let (before, dial) = (self.dial, i128::from(dial.as_milliwatt_hours()));
        self.dial = dial;
        let fell = dial < before;
        let rolled_over = fell && before * 10 > self.dial_end * ROLLOVER_TENTHS;
        self.rollover_count += i128::from(rolled_over);
        let counted = dial - self.first + self.rollover_count * self.dial_end;
        let parts = counted.checked_mul(self.multiplier).ok_or(Why::PastRange)?;
        let wh = div_half_even(parts, PARTS_PER_WH);
        let energy_wh = wh - self.wh;
        self.wh = wh;
        if fell && !rolled_over {
            return Err(Why::Backwards);
        }
        Ok(Step { energy_wh, rolled_over })
    }
}
