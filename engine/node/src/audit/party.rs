//! One party's chain through a fresh member: blocks, leaves, state, heads, lock, keys.

use std::collections::BTreeMap;

use tallywatt_consensus::machine::Member;
use tallywatt_consensus::members::{Directory, Keys, Signer};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::block::{Block, LogLeaf};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::{Command, PartyKeys};
use tallywatt_ledger::key_history::KeysInForce;
use tallywatt_ledger::note::Note;
use tallywatt_shards::threads::Threads;

use super::files::{self, Tables};
use super::{AuditReport, recompute};
use crate::ledger_folder::HeldFolder;
use crate::node_folder::NodeFolder;
use crate::sign_lock_file::StoredLock;
use crate::store::{ChainStore, Values};

/// Audits one party; gives its blocks' bytes.
pub fn audit(held: &HeldFolder, party: Party, threads: &Threads, report: &mut AuditReport) -> Vec<Vec<u8>> {
    let folder = NodeFolder::below(held.path(), party);
    let mut chain = Vec::new();
    match ChainStore::open_to_read(&folder.path().join("chain.redb")) {
        Err(error) => report.find(format!("{party}/chain.redb"), error.to_string()),
        Ok(store) => {
            let tables = files::read_tables(party, &store, report);
            files::audit_sealed(held.path(), party, &tables, report);
            chain = decode_chain(party, &tables, report);
            audit_chain(&held.config().origin, party, &folder, &chain, &tables, report);
        }
    }
    let attesters = chain.first().and_then(|(block, _)| match &block.proposal.command {
        Command::Genesis(genesis) => Some(&genesis.attesters),
        _ => None,
    });
    // Who keeps no readings has nothing that they are blinded with.
    let needs_secret = attesters.is_none_or(|attesters| attesters.holds(party, CommandKind::Batch));
    match needs_secret.then(|| folder.blinding_secret()).transpose() {
        Err(error) => report.find(format!("{party}/blinding.secret"), error.to_string()),
        Ok(secret) => recompute::audit(party, &folder, secret, &chain, threads, report),
    }
    chain.into_iter().map(|(block, _)| block.encode()).collect()
}

/// The blocks with their leaves from the first on, up to the first that cannot be read.
fn decode_chain(party: Party, tables: &Tables, report: &mut AuditReport) -> Vec<(Block, LogLeaf)> {
    let (blocks, leaves) = (&tables["blocks"], &tables["leaves"]);
    report.count("blocks", blocks.values.len());
    let is_whole = blocks.is_whole && leaves.is_whole;
    let leaf_of: BTreeMap<&Vec<u8>, &Vec<u8>> = leaves.values.iter().map(|(key, leaf)| (key, leaf)).collect();
    let mut chain = Vec::new();
    for (height, (key, block)) in blocks.values.iter().enumerate() {
        let place = format!("{party}/chain.redb block {height}");
        let Some(leaf) =
            leaf_of.get(key).filter(|_| *key == u64::try_from(height).unwrap_or(u64::MAX).to_be_bytes())
        else {
            report.find(place, "the block or its leaf is not there");
            return chain;
        };
        match (Block::decode(block), LogLeaf::decode(leaf)) {
            (Ok(block), Ok(leaf)) => chain.push((block, leaf)),
            (Err(error), _) | (_, Err(error)) => {
                report.find(place, error.to_string());
                return chain;
            }
        }
    }
    if blocks.values.len() < leaves.values.len() {
        report.find(format!("{party}/chain.redb leaves {}", blocks.values.len()), "a leaf without its block");
    } else if is_whole && tables["files"].is_whole {
        let commands: Vec<&Command> = chain.iter().map(|(block, _)| &block.proposal.command).collect();
        let held = commands.into_iter().filter(|command| {
            let genesis = chain.first().map(|(block, _)| &block.proposal.command);
            match genesis {
                Some(Command::Genesis(genesis)) => genesis.attesters.holds(party, CommandKind::of(command)),
                _ => true,
            }
        });
        files::audit_recorded(party, &held.collect::<Vec<_>>(), tables, report);
    }
    chain
}

/// Puts the chain through a fresh member, and compares what the party keeps beside it.
fn audit_chain(
    origin: &str,
    party: Party,
    folder: &NodeFolder,
    chain: &[(Block, LogLeaf)],
    tables: &Tables,
    report: &mut AuditReport,
) {
    let lock =
        folder.stored_lock().inspect_err(|error| report.find(format!("{party}/signlock"), error.to_string()));
    let keys = match folder.key_sets(origin) {
        Ok(keys) => keys,
        Err(error) => {
            report.find(format!("{party}/keys.seeds"), error.to_string());
            report.not_checked.push(format!("{party}: the chain's signatures, for want of keys"));
            return;
        }
    };
    let public: Vec<PartyKeys> = keys.iter().map(Keys::public).collect();
    let mut member = Member::new(party, keys, origin.to_owned(), None);
    for (block, leaf) in chain {
        if let Err(error) = member.restore(block, leaf) {
            let place = format!("{party} block {} ({})", block.height, block.proposal.command.name());
            report.find(place, error.to_string());
            report
                .not_checked
                .push(format!("{party}: state, heads and lock, after a block that does not follow"));
            return;
        }
    }
    audit_keys(party, &member, &public, report);
    audit_state(party, &member, &tables["state"].values, report);
    let signed = audit_heads(party, folder, &member, &tables["heads"].values, report);
    if let Ok(lock) = lock {
        audit_lock(party, lock, signed, &member, report);
    }
}

/// The node holds keys that the chain names, or named, for its party.
fn audit_keys(party: Party, member: &Member, held: &[PartyKeys], report: &mut AuditReport) {
    let Some(directory) = member.directory() else { return };
    let is_named = |keys: &KeysInForce| held.contains(&keys.of(party).texts());
    if !directory.keys().all().any(is_named) {
        report.find(format!("{party}/keys.seeds"), "these keys are not the ones in the first block");
    } else if member.is_keyless() {
        report.not_checked.push(format!("{party}: its keys in force, which its node does not hold"));
    }
}

/// The lock holds a head of this chain, and no head after it has this party's signature.
fn audit_lock(
    party: Party,
    stored: Option<StoredLock>,
    signed: u64,
    member: &Member,
    report: &mut AuditReport,
) {
    let place = format!("{party}/signlock");
    if stored.is_some_and(|stored| !stored.is_whole) {
        let what = "one of its slots is damaged, or was being written to when the power went: the next signature mends it";
        report.find(place.clone(), what);
    }
    match stored.map(|stored| stored.lock) {
        None if signed == 0 => {}
        None => report.find(place, "it is missing, but this key has signed heads"),
        Some(lock) if member.log().root_at(lock.size).ok() != Some(lock.root) => {
            report.find(place, "it does not hold a head of this chain");
        }
        Some(lock) if lock.size < signed => report.find(
            place,
            format!(
                "it holds the head of {} blocks, but this key has signed the head of {signed}",
                lock.size
            ),
        ),
        Some(_) => {}
    }
}

fn audit_state(party: Party, member: &Member, stored: &Values, report: &mut AuditReport) {
    let own: BTreeMap<&Vec<u8>, &Vec<u8>> = member.state().entries().collect();
    let stored: BTreeMap<&Vec<u8>, &Vec<u8>> = stored.iter().map(|(key, value)| (key, value)).collect();
    for key in own.keys().chain(stored.keys()) {
        if own.get(*key) != stored.get(*key) {
            report.find(
                format!("{party}/chain.redb state {}", key.escape_ascii()),
                "the stored entry does not follow from the blocks",
            );
        }
    }
}

/// Every stored head: a note over the log's own root at that size, with signatures that verify. Gives the
/// largest size that this party has signed.
fn audit_heads(
    party: Party,
    folder: &NodeFolder,
    member: &Member,
    heads: &Values,
    report: &mut AuditReport,
) -> u64 {
    report.count("heads", heads.len());
    let Some(directory) = member.directory() else { return 0 };
    let (mut newest, mut signed) = (None, 0);
    for (key, text) in heads {
        let size = <[u8; 8]>::try_from(key.as_slice()).map_or(0, u64::from_be_bytes);
        match check_head(size, text, member, directory) {
            Ok(signers) => {
                newest = Some((size, text));
                if signers.contains(&party.into()) {
                    signed = size;
                }
            }
            Err(what) => report.find(format!("{party}/chain.redb heads {size}"), what),
        }
    }
    match newest {
        Some((size, _)) if size == member.size() => {}
        None if member.size() == 0 => {}
        newest => report.find(
            format!("{party}/chain.redb heads"),
            format!(
                "the newest head is of {} of {} blocks",
                newest.map_or(0, |(size, _)| size),
                member.size()
            ),
        ),
    }
    let place = format!("{party}/checkpoint");
    match (folder.published_head(), newest) {
        (Ok(Some(text)), Some((_, stored))) if text.as_bytes() == stored.as_slice() => {}
        (Ok(None), None) if member.size() == 0 => {}
        (Ok(None), _) => report.find(place, "there is no published head"),
        (Ok(Some(_)), _) => report.find(place, "it is not the newest stored head"),
        (Err(error), _) => report.find(place, error.to_string()),
    }
    signed
}

/// Whose cosignatures the head carries.
fn check_head(size: u64, text: &[u8], member: &Member, directory: &Directory) -> Result<Vec<Signer>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "not text".to_owned())?;
    let note = Note::parse(text).map_err(|error| error.to_string())?;
    let checkpoint = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
    let own = member.log().root_at(size).map_err(|error| error.to_string())?;
    if checkpoint.size() != size || checkpoint.root() != own {
        return Err("it is not over this log's root".into());
    }
    let mut cosigners = Vec::new();
    for line in note.signatures() {
        let mut verified = false;
        for signer in Signer::ALL {
            let log = signer.party().map(|party| directory.log_key(party, size));
            verified |= log.is_some_and(|log| log.verify_signature(note.text(), line).is_ok());
            let key = directory.cosigner_key(signer, size);
            if key.is_some_and(|key| key.verify_cosignature(note.text(), line).is_ok()) {
                verified = true;
                cosigners.push(signer);
            }
        }
        if !verified {
            return Err(format!("the signature of {} does not verify", line.key()));
        }
    }
    Ok(cosigners)
}
