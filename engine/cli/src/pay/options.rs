//! What `pay` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Payments.
#[derive(Debug, Args)]
pub struct Pay {
    /// What to do.
    #[command(subcommand)]
    pub action: PayAction,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
pub enum PayAction {
    /// Match and split the payments of a registry, or take back those it reverses, and record nothing.
    Plan {
        /// Payments CSV with its trailer.
        file: PathBuf,
        /// Write the settlement file here.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Match, split and record the payments of a registry, or take back those it reverses.
    Run {
        /// Payments CSV with its trailer.
        file: PathBuf,
        /// Refuse unless the settlement is byte for byte that of this plan.
        #[arg(long)]
        plan: Option<PathBuf>,
    },
    /// What each party has got.
    Split {
        /// Of what was booked on one day: hand-over lists and suspense.
        #[arg(long)]
        day: Option<String>,
    },
    /// What accrued by month, or settle a month's difference to what payments have brought the payee.
    TrueUp {
        /// Month to settle, YYYY-MM. Default: list all months.
        period: Option<String>,
    },
    /// What the bank holds of legs, and which bills are disputed.
    Reserve,
    /// Money that matches no account, the oldest first, with what its payer wrote.
    Suspense {
        /// Ages on this day, YYYY-MM-DD. Default: today.
        #[arg(long)]
        as_of: Option<String>,
    },
}
