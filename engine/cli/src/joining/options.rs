//! What `join` takes.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Joining the two other parties.
#[derive(Debug, Args)]
pub struct Join {
    /// The cards of grid company, bank and supplier, in any order, this party's own among them.
    #[arg(required = true, num_args = 3, value_name = "CARD")]
    pub cards: Vec<PathBuf>,
    /// The ledger's blinding secret: the file blinding.secret that the grid company handed over. The grid company has it.
    #[arg(long, value_name = "FILE")]
    pub blinding: Option<PathBuf>,
    /// Where this node listens, if not at the address in its card.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Milliseconds between the leader's signs of life: 150 in one house, 250 between towns.
    #[arg(long, default_value_t = 250)]
    pub heartbeat_ms: u64,
    /// The verifier key of a witness, so that two parties and it seal too; all three name the same.
    #[arg(long, value_name = "KEY", requires = "witness_address")]
    pub witness: Option<String>,
    /// With --witness: where it is asked, as host and port.
    #[arg(long, value_name = "HOST:PORT", requires = "witness")]
    pub witness_address: Option<String>,
}
