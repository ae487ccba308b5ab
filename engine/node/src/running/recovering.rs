//! A node whose chain is damaged, or was put back from a copy, makes it again from its peers.
//!
//! ```text
//!   recover ─▶ mark: ask everybody before signing ─▶ chain, order and sealed files aside ─▶ start ─▶ learn, take, check, sign
//! ```
//!
//! A copy of a folder is older than what its keys have signed and its disk has promised since. So the order is learned
//! again before it votes (`order/learning.rs`), and every peer is asked for its signatures before it signs.

use std::path::PathBuf;

use tallywatt_core::agreement::Party;

use crate::governing::has_changed;
use crate::ledger_folder::{HeldFolder, LedgerError};
use crate::node_folder::NodeFolder;
use crate::peers::tls::Identity;

/// Sets aside what a node has of the chain; gives the folder it lies in. Keys, certificates, first block and lock must be
/// sound: they cannot be made again.
///
/// # Errors
/// [`LedgerError`] names what is missing. A lost sign lock retires the key.
pub fn recover(folder: &HeldFolder, party: Party) -> Result<PathBuf, LedgerError> {
    let node = NodeFolder::below(folder.path(), party);
    let (origin, genesis) = (&folder.config().origin, folder.genesis()?);
    // Those of a motion are compared when the chain is there again.
    let first = &genesis.parties[usize::from(party.code()) - 1];
    let is_first = node.key_sets(origin)?.iter().any(|keys| keys.public() == *first);
    if !is_first && !has_changed(folder.path()) {
        return Err(node.foreign_keys().into());
    }
    Identity::read(node.path(), origin, party)?;
    if node.sign_lock()?.is_none() && node.path().join("chain.redb").exists() {
        return Err(node.lock_lost().into());
    }
    node.set_restored()?;
    Ok(node.set_aside()?)
}
