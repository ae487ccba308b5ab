//! The words of `bill correct`.

use std::path::PathBuf;

use clap::Args;
use tallywatt_core::calendar::Day;

#[derive(Debug, Args)]
pub struct CorrectOptions {
    /// Month, YYYY-MM.
    pub period: String,
    /// The day on which the corrections are made: what they raise is owed from then on.
    #[arg(long)]
    pub on: Day,
    /// Compute the corrections and record nothing; a run with --planned records the very same.
    #[arg(long)]
    pub plan: bool,
    /// Write the planned correction file here.
    #[arg(short, long, requires = "plan")]
    pub output: Option<PathBuf>,
    /// Refuse unless the corrections are byte for byte those of this plan.
    #[arg(long, value_name = "FILE", conflicts_with = "plan")]
    pub planned: Option<PathBuf>,
}
