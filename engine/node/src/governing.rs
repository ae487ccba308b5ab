//! Keys that change, as a party's folder sees it: the next key set, and the trust policy of the keys in force.

use std::path::{Path, PathBuf};

use tallywatt_consensus::members::{SEALED_COUNT, Signer};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::key_history::{KeyHistory, KeysInForce};
use tallywatt_ledger::policy::{POLICY_SIZE_MAX, Policy};
use tallywatt_shards::durable;

use crate::ledger_folder::{LedgerError, POLICY_NAME, Secrets, secret};
use crate::node_folder::NodeFolder;

/// How the names of earlier trust policies begin.
const BEFORE: &str = "trust-before-";
/// The group of a trust policy that holds parties and witness: who says that there is one history.
const HISTORY: &str = "history";

/// Makes the next key set of a party beside those it has: log, witness and exec key in that order, those that are to change from
/// new seeds, the others as in the newest set. Gives the new file.
///
/// # Errors
/// [`LedgerError`].
pub fn make_key_set(folder: &NodeFolder, changes: [bool; 3]) -> Result<PathBuf, LedgerError> {
    let mut seeds = folder.newest_seeds()?;
    for (seed, _) in seeds.iter_mut().zip(changes).filter(|(_, changes)| *changes) {
        *seed = secret(Secrets::Random, "next key")?;
    }
    Ok(folder.add_key_set(&seeds)?)
}

/// Whose signatures count: all three parties' witness keys, or three of these and the witness's.
pub(crate) fn policy_of(keys: &KeysInForce) -> Result<Policy, LedgerError> {
    let logs = Party::ALL.map(|party| keys.of(party).log.clone());
    let named = |signer: Signer| match signer {
        Signer::Party(party) => Some(&keys.of(party).witness),
        Signer::Witness => keys.witness(),
    };
    let witnesses =
        Signer::ALL.into_iter().filter_map(|signer| Some((signer.name().to_owned(), named(signer)?.clone())));
    let witnesses: Vec<_> = witnesses.collect();
    let policy = match keys.witness() {
        None => Policy::parties(&logs, &witnesses, SEALED_COUNT),
        Some(_) => Policy::group(HISTORY, &logs, &witnesses, SEALED_COUNT),
    };
    policy.map_err(|error| LedgerError::Policy(error.to_string()))
}

/// Writes the trust policy of the keys that sign a head of this size, where there is none, or one of keys that were replaced
/// since: that one stays beside it, for receipts of that time. One that somebody wrote for himself is left alone.
///
/// A crash between the two leaves the old one twice; the next start goes on.
///
/// # Errors
/// [`LedgerError`].
pub(crate) fn keep_policy(data: &Path, keys: &KeyHistory, size: u64) -> Result<(), LedgerError> {
    let (path, now) = (data.join(POLICY_NAME), keys.of_head(size));
    let is_there = path.exists();
    if is_there && keys.motion_count() == 0 {
        return Ok(());
    }
    let text = policy_of(now)?.to_string();
    if is_there {
        let limit = u64::try_from(POLICY_SIZE_MAX).unwrap_or(u64::MAX);
        let found = durable::read_limited(&path, limit)?;
        let mut is_earlier = false;
        for earlier in keys.all().filter(|earlier| earlier.from() < now.from()) {
            is_earlier |= policy_of(earlier)?.to_string().as_bytes() == found;
        }
        if found == text.as_bytes() || !is_earlier {
            return Ok(());
        }
        durable::write_durably(&data.join(format!("{BEFORE}{}.policy", now.from())), &found)?;
    }
    Ok(durable::write_durably(&path, text.as_bytes())?)
}

/// Whether keys of this folder's ledger have changed, as far as the folder knows without its chain: then those of the first
/// block may be gone.
pub(crate) fn has_changed(data: &Path) -> bool {
    let names = std::fs::read_dir(data).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.into_iter().any(|name| name.to_string_lossy().starts_with(BEFORE))
}
