//! A sink with counters: what every decoder writes to.

use std::ops::ControlFlow;

use tallywatt_core::reading::RawReading;
use tallywatt_core::rejection::{Rejection, RejectionCode};

use crate::decode::DecodeSummary;
use crate::sink::ReadingSink;

/// Counts what goes through it.
pub(crate) struct Tally<'a> {
    sink: &'a mut dyn ReadingSink,
    pub(crate) summary: DecodeSummary,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(sink: &'a mut dyn ReadingSink) -> Self {
        Self { sink, summary: DecodeSummary::default() }
    }

    pub(crate) fn reading(&mut self, reading: RawReading) {
        self.summary.reading_count += 1;
        self.sink.reading(reading)
    }

    pub(crate) fn reject(&mut self, code: RejectionCode, line: u64, reading_count: u32, raw: &[u8]) {
        self.summary.rejected_count += u64::from(reading_count);
        self.sink.reject(Rejection::new(code, line, reading_count, raw))
    }

    pub(crate) fn line_done(&mut self, line: u64) -> ControlFlow<()> {
        let flow = self.sink.line_done(line);
        self.summary.stopped |= flow.is_break();
        flow
    }
}

/// A count of lost readings; past `u32` it stays there.
pub(crate) fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
