//! Progress on stderr: a bar on a terminal, else a line every ten seconds.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output::Output;

const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress of a long command.
pub struct Meter {
    bar: Option<ProgressBar>,
    output: Output,
    what: String,
    begun: Instant,
    last: Instant,
}

impl Meter {
    /// Over `total` steps of `unit`.
    pub fn new(output: Output, what: &str, total: u64, unit: &str) -> Self {
        let bar = output.draws_progress().then(|| {
            let bar = ProgressBar::new(total);
            let template = format!(" {{prefix}} {{wide_bar}} {{percent:>3}}%  {{human_pos}} of {{human_len}} {unit}  {{msg}}  {{eta}} left");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar.set_prefix(what.to_owned());
            bar
        });
        let now = Instant::now();
        Self { bar, output, what: what.to_owned(), begun: now, last: now }
    }

    /// Moves to a position.
    pub fn set(&mut self, position: u64, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            bar.set_message(message.to_owned());
        } else if self.output.tells_progress() && self.last.elapsed() >= LINE_EVERY {
            self.last = Instant::now();
            let text = format!("{}: {message}, {} s", self.what, self.begun.elapsed().as_secs());
            self.output.hint("status", &text);
        }
    }

    /// Takes the bar away.
    pub fn finish(self) -> Duration {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.begun.elapsed()
    }
}
