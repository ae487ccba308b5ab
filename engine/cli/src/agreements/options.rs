//! What `agreement` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Agreements.
#[derive(Debug, Args)]
pub struct Agreement {
    /// What to do.
    #[command(subcommand)]
    pub action: AgreementAction,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
pub enum AgreementAction {
    /// Sign an agreement as one of its parties: the signature is put into FILE.note, beside the other's.
    Sign {
        /// Agreement file.
        file: PathBuf,
        /// As whom: grid or supplier.
        #[arg(long)]
        party: String,
        /// The first block that may follow it; at once, if it is there already. Both must sign the same.
        #[arg(long, default_value_t = 0)]
        from: u64,
    },
    /// Put both parties' signatures on the chain: from then on bills and splits may follow the agreement.
    Activate {
        /// Agreement file, published before; its signatures stand in FILE.note.
        file: PathBuf,
    },
    /// What is proposed, and what both parties have signed.
    List,
}
