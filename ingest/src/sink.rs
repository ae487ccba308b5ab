//! Where a decoder puts what it finds.

use std::ops::ControlFlow;

use tallywatt_core::reading::RawReading;
use tallywatt_core::rejection::Rejection;

/// What a decoder hands its findings to, in the order of the file.
///
/// If decoding ends in a refusal, everything handed over before must be dropped.
pub trait ReadingSink {
    /// One value.
    fn reading(&mut self, reading: RawReading);
    /// Something that was set aside.
    fn reject(&mut self, rejection: Rejection);
    /// Everything up to and including `line` (counted from 1) is handed over. `Break` stops decoding at once:
    /// the sink failed or was interrupted.
    fn line_done(&mut self, line: u64) -> ControlFlow<()>;
}

/// A sink that keeps everything in memory: for tests and small files.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The values, in the order of the file.
    pub readings: Vec<RawReading>,
    /// What was set aside, in the order of the file.
    pub rejections: Vec<Rejection>,
}

impl ReadingSink for Collected {
    fn reading(&mut self, reading: RawReading) {
        self.readings.push(reading)
    }

    fn reject(&mut self, rejection: Rejection) {
        self.rejections.push(rejection)
    }

    fn line_done(&mut self, _line: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
