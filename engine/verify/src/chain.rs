//! Signatures, inclusion, chain: that the sealing block is one the parties agreed on, in the log the policy knows.

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Day, Period, tzdb_version};
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::activation::Activation;
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::block::Block;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::{BatchCommit, BillsCommit, Command, Genesis, Publication};
use tallywatt_ledger::key::VerifierKey;
use tallywatt_ledger::key_history::{KeyHistory, KeySet, KeysInForce};
use tallywatt_ledger::log::{LogHash, verify_inclusion};
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_ledger::tree::{Root, TreeKind};

use crate::evidence::{BillClaim, Claim, Evidence, OpenedBlock};
use crate::report::{Passed, Step};

/// How many parties must attest a block: one alone proves nothing to the others.
const ATTESTATION_COUNT_MIN: usize = 2;

/// What the receipt claims, with the commit of the same kind in the sealing block.
#[derive(Clone, Copy)]
pub(crate) enum Commit<'a> {
    Bill(&'a BillClaim, BillCommit),
    Batch(&'a BatchCommit),
}

/// What a block says of the bills or corrections that it commits.
#[derive(Clone, Copy)]
pub(crate) struct BillCommit {
    pub period: Period,
    pub readings: Root,
    pub contracts: Root,
    /// The list in which the bill or correction stands.
    pub list: Root,
    pub tree: TreeKind,
    /// Of corrections.
    pub day: Option<Day>,
}

impl BillCommit {
    /// `None` of any other command.
    pub fn of(command: &Command) -> Option<Self> {
        match command {
            Command::Bills(BillsCommit { period, readings, contracts, bills, .. }) => Some(Self {
                period: *period,
                readings: *readings,
                contracts: *contracts,
                list: *bills,
                tree: TreeKind::Bills,
                day: None,
            }),
            Command::Corrections(commit) => Some(Self {
                period: commit.period,
                readings: commit.readings,
                contracts: commit.contracts,
                list: commit.corrections,
                tree: TreeKind::Corrections,
                day: Some(commit.day),
            }),
            _ => None,
        }
    }
}

/// What the chain says, once it is believed.
pub(crate) struct Trusted<'a> {
    pub genesis: &'a Genesis,
    /// Whose keys were in force when.
    pub keys: KeyHistory,
    pub publications: Vec<&'a Publication>,
    /// The bills or corrections of the month before, if the receipt has one of it.
    pub previous: Option<BillCommit>,
    /// With the heights of their blocks.
    pub activations: Vec<(u64, &'a Activation)>,
    pub commit: Commit<'a>,
}

impl Trusted<'_> {
    /// Whether the parties compute local days with the time-zone database of this verifier.
    pub fn is_tzdb_ours(&self) -> bool {
        self.genesis.tzdb == tzdb_version()
    }
}

/// **signatures**: the checkpoint is signed by a log of the policy and cosigned by its quorum.
///
/// Without it anybody could write a log of their own. Stricter than the policy format: a line by a key that the
/// policy does not know fails too, since a receipt is made for its readers and has no reason to carry one.
pub(crate) fn signatures(proof: &TlogProof, policy: &Policy) -> Step<Checkpoint> {
    let verdict = policy.evaluate(proof.note()).map_err(|error| error.to_string())?;
    let witnesses: Vec<&str> = verdict.witnesses.iter().map(|cosigned| cosigned.witness.as_str()).collect();
    if let Some(key) = verdict.unknown.first() {
        return Err(format!("the policy does not know the key {key}").into());
    }
    if verdict.logs.is_empty() {
        return Err("no log of the policy signed the checkpoint".to_owned().into());
    }
    let head = verdict.accepted().ok_or_else(|| {
        format!("the policy's quorum is not met by the cosignatures of: {}", listed(&witnesses))
    })?;
    let detail = format!(
        "{} of size {}, cosigned by {}",
        head.origin(),
        head.size(),
        if witnesses.is_empty() { "nobody, as the policy allows".to_owned() } else { listed(&witnesses) }
    );
    let alone = witnesses.is_empty().then(|| "that anybody but the log itself saw this history".to_owned());
    Ok(Passed::new(head.clone(), detail).but_not(alone))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// **inclusion**: every block in the receipt is the one its log leaf names, and that leaf is in the signed log.
///
/// Without it a block could be shown that was never agreed, or one block in the place of another.
pub(crate) fn inclusion(evidence: &Evidence, head: &Checkpoint) -> Step<()> {
    let mut last: Option<&OpenedBlock> = None;
    for opened in evidence.blocks.iter().chain([&evidence.sealed_by]) {
        let height = opened.block.height;
        check_logged(opened, head).map_err(|error| format!("block {height}: {error}"))?;
        if let Some(last) = last {
            check_order(last, opened)?;
        }
        last = Some(opened);
    }
    let sealed_by = &evidence.sealed_by;
    let mut last: Option<&OpenedBlock> = None;
    for motion in &evidence.motions {
        let height = motion.block.height;
        check_logged(motion, head).map_err(|error| format!("block {height}: {error}"))?;
        if let Some(last) = last {
            check_order(last, motion)?;
        }
        last = Some(motion);
    }
    if let Some(before) = evidence.before() {
        let height = before.sealed_by.block.height;
        check_logged(&before.sealed_by, head).map_err(|error| format!("block {height}: {error}"))?;
        if height >= sealed_by.block.height {
            let own = sealed_by.block.height;
            return Err(format!("block {height} is to stand before block {own}").into());
        }
    }
    if evidence.proof.index() != sealed_by.block.height {
        let (index, height) = (evidence.proof.index(), sealed_by.block.height);
        return Err(format!("the proof is of leaf {index}, the sealing block has height {height}").into());
    }
    let detail = format!(
        "block {} and {} before it are in the log of size {}",
        sealed_by.block.height,
        evidence.blocks.len(),
        head.size()
    );
    Ok(Passed::new((), detail))
}

fn check_logged(opened: &OpenedBlock, head: &Checkpoint) -> Result<(), String> {
    let OpenedBlock { block, log_leaf, path } = opened;
    if log_leaf.height != block.height {
        return Err(format!("its log leaf is of height {}", log_leaf.height));
    }
    if log_leaf.block != block.hash() {
        return Err(format!("its log leaf names block {}, it is {}", log_leaf.block, block.hash()));
    }
    verify_inclusion(log_leaf.hash(), log_leaf.height, head.size(), path, head.root())
        .map_err(|error| error.to_string())
}

/// Heights ascend, and where two blocks are neighbours the later names the earlier.
fn check_order(last: &OpenedBlock, next: &OpenedBlock) -> Result<(), String> {
    let (before, height) = (last.block.height, next.block.height);
    if height <= before {
        return Err(format!("block {height} stands after block {before}"));
    }
    let is_neighbour = height - before == 1;
    if is_neighbour
        && (next.block.proposal.parent != last.block.hash() || next.log_leaf.parent != last.log_leaf.hash())
    {
        return Err(format!("block {height} does not name block {before} as the one before it"));
    }
    Ok(())
}

/// **chain**: all blocks are of one chain, whose genesis and motions name the policy's keys, and each was attested by the keys in
/// force when it was made.
///
/// Without it a block of another network, or one that a single party made up, could seal the subject.
pub(crate) fn chain<'a>(evidence: &'a Evidence, head: &Checkpoint, policy: &Policy) -> Step<Trusted<'a>> {
    let (first, publications) = evidence.blocks.split_first().ok_or("no genesis block".to_owned())?;
    let genesis = check_genesis(first, head)?;
    let keys = follow_motions(genesis, &evidence.motions)?;
    check_keys(&keys, head, policy)?;
    let chain = first.block.hash();
    let before = evidence.before().map(|before| &before.sealed_by);
    let blocks = evidence.blocks.iter().chain(&evidence.motions).chain([&evidence.sealed_by]).chain(before);
    for OpenedBlock { block, .. } in blocks {
        if block.height > 0 && block.proposal.chain != chain {
            return Err(format!("block {} is of another chain than the genesis", block.height).into());
        }
        check_attestations(block, keys.at(block.height), &genesis.attesters)
            .map_err(|error| format!("block {}: {error}", block.height))?;
    }
    let Supporting { publications, activations, previous } = supporting(evidence, publications)?;
    let changes = match keys.motion_count() {
        0 => String::new(),
        count => format!("; keys as {count} motions of all parties left them"),
    };
    let later = (keys.motion_count() > 0).then(|| "that no later motion took these keys away".to_owned());
    let trusted =
        Trusted { genesis, keys, publications, activations, previous, commit: commit_of(evidence)? };
    let detail = format!(
        "{} blocks of chain {}, each attested by {ATTESTATION_COUNT_MIN} or more of those who recompute its kind{changes}",
        evidence.blocks.len() + evidence.motions.len() + 1 + usize::from(before.is_some()),
        chain.short()
    );
    let ours = tzdb_version();
    let other_tzdb = (!trusted.is_tzdb_ours()).then(|| {
        format!(
            "that time-zone data {} of the ledger and {ours} of this verifier agree",
            trusted.genesis.tzdb
        )
    });
    Ok(Passed::new(trusted, detail).but_not(other_tzdb).but_not(later))
}

/// What the blocks between genesis and sealing block say.
#[derive(Default)]
struct Supporting<'a> {
    publications: Vec<&'a Publication>,
    activations: Vec<(u64, &'a Activation)>,
    /// The bills of one month before, where the receipt has a bill of it.
    previous: Option<BillCommit>,
}

fn supporting<'a>(evidence: &Evidence, blocks: &'a [OpenedBlock]) -> Result<Supporting<'a>, String> {
    let stands_on_bill = matches!(&evidence.claim, Claim::Bill(claim) if claim.previous.is_some());
    let mut supporting = Supporting::default();
    for OpenedBlock { block, .. } in blocks {
        let height = block.height;
        match &block.proposal.command {
            Command::Publish(publication) => supporting.publications.push(publication),
            Command::Activate(activation) => supporting.activations.push((height, activation)),
            other if stands_on_bill && supporting.previous.is_none() && BillCommit::of(other).is_some() => {
                supporting.previous = BillCommit::of(other);
            }
            other => {
                let name = other.name();
                return Err(format!("block {height} is a {name}, expected a publication or an activation"));
            }
        }
    }
    Ok(supporting)
}

/// The genesis stands at height 0, names nothing before it, and is of the log that the checkpoint is of.
fn check_genesis<'a>(first: &'a OpenedBlock, head: &Checkpoint) -> Result<&'a Genesis, String> {
    let OpenedBlock { block, log_leaf, .. } = first;
    let Command::Genesis(genesis) = &block.proposal.command else {
        return Err(format!("the first block is a {}, expected the genesis", block.proposal.command.name()));
    };
    let none = ContentHash::default();
    let is_first = block.height == 0
        && block.proposal.parent == none
        && block.proposal.chain == none
        && log_leaf.parent == LogHash::from_bytes(none.0);
    if !is_first {
        return Err("the genesis names a block before it, or a height above 0".to_owned());
    }
    if genesis.origin != head.origin() {
        return Err(format!("the genesis is of {}, the checkpoint of {}", genesis.origin, head.origin()));
    }
    Ok(genesis)
}

/// The keys of the genesis, and what each motion made of them: all parties consented by the keys then in force, no number is
/// left out, and no key comes back.
fn follow_motions(genesis: &Genesis, motions: &[OpenedBlock]) -> Result<KeyHistory, String> {
    let mut keys = KeyHistory::of(genesis).map_err(|error| format!("the genesis: {error}"))?;
    for OpenedBlock { block, .. } in motions {
        let (height, command) = (block.height, &block.proposal.command);
        let Command::Govern(governance) = command else {
            return Err(format!("block {height} is a {}, expected a motion", command.name()));
        };
        keys.apply(governance, height).map_err(|error| format!("block {height}: {error}"))?;
    }
    Ok(keys)
}

/// Every key of the policy is in force for the same use under the head: else the policy is of another network, or of another
/// time.
fn check_keys(keys: &KeyHistory, head: &Checkpoint, policy: &Policy) -> Result<(), String> {
    let is_log = |now: &KeysInForce, key: &VerifierKey| names(now, key, |keys| &keys.log);
    let is_witness = |now: &KeysInForce, key: &VerifierKey| {
        now.witness() == Some(key) || names(now, key, |keys| &keys.witness)
    };
    let logs = policy.logs().iter().map(|key| (key, is_log as fn(&KeysInForce, &VerifierKey) -> bool));
    let witnesses =
        policy.witnesses().map(|(_, key)| (key, is_witness as fn(&KeysInForce, &VerifierKey) -> bool));
    let now = keys.of_head(head.size());
    let Some((key, named)) = logs.chain(witnesses).find(|(key, named)| !named(now, key)) else {
        return Ok(());
    };
    let (kind, name) = (key.kind(), key.key());
    match keys.all().any(|earlier| named(earlier, key)) {
        true => Err(format!(
            "the policy's {kind} key {name} is not in force at the head of size {}: a motion replaced it",
            head.size()
        )),
        false if keys.motion_count() == 0 => {
            Err(format!("the genesis does not name the policy's {kind} key {name}"))
        }
        false => Err(format!("neither genesis nor motions name the policy's {kind} key {name}")),
    }
}

/// Whether a key is a party's for this use.
fn names(now: &KeysInForce, key: &VerifierKey, of: fn(&KeySet) -> &VerifierKey) -> bool {
    Party::ALL.into_iter().any(|party| of(now.of(party)) == key)
}

/// The proposer and at least one other party signed what the block says, and only parties that the genesis has recompute its
/// kind: where it names two, both. No signature in it is false.
fn check_attestations(block: &Block, keys: &KeysInForce, attesters: &Attesters) -> Result<(), String> {
    let text = block.proposal.attest_text();
    let asked = attesters.of_command(&block.proposal.command);
    for attestation in &block.attestations {
        let party = attestation.party;
        if !asked.contains(party) {
            let name = block.proposal.command.name();
            return Err(format!("attested by {party}, a block of {name} is recomputed by {asked}"));
        }
        keys.check_exec(party, &text, &attestation.signature)
            .map_err(|error| format!("attestation of {party}: {error}"))?;
    }
    let proposer = block.proposal.proposer;
    if !block.attestations.iter().any(|attestation| attestation.party == proposer) {
        return Err(format!("its proposer {proposer} did not attest it"));
    }
    match block.attestations.len() {
        count if count < ATTESTATION_COUNT_MIN => {
            Err(format!("attested by {count} party, at least {ATTESTATION_COUNT_MIN} needed"))
        }
        _ => Ok(()),
    }
}

/// A bill is sealed by a bills block, a corrected one by a block of corrections, a day by a batch.
fn commit_of(evidence: &Evidence) -> Result<Commit<'_>, String> {
    let command = &evidence.sealed_by.block.proposal.command;
    match (&evidence.claim, command) {
        (Claim::Bill(claim), Command::Bills(_) | Command::Corrections(_))
            if claim.correction.is_some() == matches!(command, Command::Corrections(_)) =>
        {
            let commit = BillCommit::of(command).ok_or("the block commits no bills".to_owned())?;
            Ok(Commit::Bill(claim, commit))
        }
        (Claim::Day, Command::Batch(commit)) if evidence.blocks.len() == 1 => Ok(Commit::Batch(commit)),
        (Claim::Day, Command::Batch(_)) => Err("a day needs no block but the genesis".to_owned()),
        (_, other) => Err(format!("a {} block cannot seal {}", other.name(), evidence.subject)),
    }
}
