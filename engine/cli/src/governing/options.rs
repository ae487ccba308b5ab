//! What `keys` and `govern` take.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

/// A party's keys.
#[derive(Debug, Args)]
pub struct Keys {
    /// What to do.
    #[command(subcommand)]
    pub action: KeysAction,
}

/// What to do with them.
#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Make the next key set of a party, beside those it has: it signs once all three have consented to it (`govern draft --keys`).
    Next {
        /// Whose; needed where the folder holds more than one party.
        #[arg(long)]
        party: Option<String>,
        /// Only this key is to change; may be given twice. Default: all three.
        #[arg(long, value_enum)]
        only: Vec<KeyUse>,
    },
    /// Which keys are in force, and who holds them.
    List,
}

/// What a party's key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyUse {
    /// Signs heads as the log.
    Log,
    /// Cosigns heads.
    Witness,
    /// Attests commands, and consents.
    Exec,
}

/// Motions.
#[derive(Debug, Args)]
pub struct Govern {
    /// What to do.
    #[command(subcommand)]
    pub action: GovernAction,
}

/// What to do with motions.
#[derive(Debug, Subcommand)]
pub enum GovernAction {
    /// Write a motion, signed by the party that drafts it, into a new file: the next key set of a party, those of an
    /// organisation that takes its seat, or another witness.
    #[command(group(ArgGroup::new("what").required(true)))]
    Draft {
        /// The note to write.
        note: PathBuf,
        /// The newest key set in the folder of --party takes the place of its keys.
        #[arg(long, group = "what")]
        keys: bool,
        /// Another organisation takes a party's seat: the keys in its card (`init --party`) take the place of that party's.
        #[arg(long, group = "what", value_name = "CARD")]
        card: Option<PathBuf>,
        /// This verifier key is the witness's, in place of another or of none.
        #[arg(long, group = "what", value_name = "KEY")]
        witness: Option<String>,
        /// There is no witness any more.
        #[arg(long, group = "what")]
        no_witness: bool,
        /// The first block that the new keys attest, and whose head they sign.
        #[arg(long, value_name = "HEIGHT")]
        from: u64,
        /// As whom; needed where the folder holds more than one party.
        #[arg(long)]
        party: Option<String>,
    },
    /// Sign a motion: say yes to it as one of the parties. Read first what it says.
    Sign {
        /// The note; the signature is put into it, below the others.
        note: PathBuf,
        /// As whom; needed where the folder holds more than one party.
        #[arg(long)]
        party: Option<String>,
    },
    /// Put a motion that all three have signed on the chain.
    Apply {
        /// The note.
        note: PathBuf,
    },
    /// The motions on the chain.
    List,
}
