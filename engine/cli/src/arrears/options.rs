//! The words of `arrears`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Arrears {
    /// What to do instead of the list.
    #[command(subcommand)]
    pub action: Option<ArrearsAction>,
    /// As of the end of this day, YYYY-MM-DD: payments booked later are not known. Default: today in UTC.
    #[arg(long, global = true, value_name = "DAY")]
    pub as_of: Option<String>,
    /// Only this account, a row a bill instead of a row an account.
    #[arg(long)]
    pub account: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum ArrearsAction {
    /// How the penalty of one bill comes to be, piece by piece; it is shown, and booked into no bill.
    Explain {
        /// Account.
        account: String,
        /// Month of the bill, YYYY-MM.
        period: String,
    },
    /// The text of the penalty table for households in Russia that comes with the program: look at what it calls
    /// unconfirmed, then publish it with `tariff publish`.
    Table,
}
