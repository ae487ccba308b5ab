//! What must hold at every step, and in the end.
//!
//! | | |
//! |---|---|
//! | I1 | a key never signs a smaller head, nor two roots at one size; nor does a witness that knows what it signed |
//! | I2 | a signed head is durable |
//! | I3 | every block under a signed head was recomputed by the signer, if that is one who recomputes its kind, and is what an honest node computes |
//! | I4 | one chain, one sequence of leaves |
//! | I5 | a block that was stored is never replaced |
//! | I6 | the proposals of each party are numbered without gaps |
//! | I7 | two sealed histories never; of two final ones, the key that signed both is named by its own signatures |
//! | I8 | what the parties got is what came in |
//! | I9 | a block has the valid attestations that its kind needs, and no other; nobody recomputes what is not theirs |
//! | I10 | evidence of a wrong result holds by its signatures, and convicts the liar or nobody |
//! | I11 | an attestation is by the exec key in force at its block, a signature by the witness key in force at the head's last block |

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_consensus::machine::{Cosignature, Report};
use tallywatt_consensus::members::{self, Signer, Standing};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Block, Proposal};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::wrong_result::{Dispute, Judgement};

use crate::truth;
use crate::world::{Disk, Node};

fn standing(signers: &BTreeSet<Signer>) -> Standing {
    Standing::of(&signers.iter().copied().collect::<Vec<_>>())
}

/// How many breaches are kept.
const BREACH_COUNT_MAX: usize = 5;

pub struct Monitor {
    pub breaches: Vec<String>,
    liar: Option<Party>,
    /// Down for good.
    lost: Option<Party>,
    /// Of each key: the size signed last, and the root by size.
    last_size: BTreeMap<Signer, u64>,
    signed: BTreeMap<(u64, Signer), BTreeSet<LogHash>>,
    /// Proposals that a party computed, by id, and their blocks.
    recomputed: BTreeSet<(Party, ContentHash)>,
    stored: BTreeMap<(Party, u64), ContentHash>,
    leaves: BTreeMap<ContentHash, LogHash>,
    /// Blocks whose attestations were looked at.
    attested: BTreeSet<ContentHash>,
    /// From which block on the keys of a party are others, as each node has stored it.
    changed_from: BTreeMap<Party, u64>,
    is_changed: bool,
    checked: BTreeMap<Party, usize>,
    put_back: BTreeSet<Party>,
    is_named: bool,
    is_convicted: bool,
    /// Histories were shown that cannot both be.
    has_forked: bool,
}

impl Monitor {
    pub fn new(liar: Option<Party>, lost: Option<Party>) -> Self {
        Self {
            breaches: Vec::new(),
            liar,
            lost,
            last_size: BTreeMap::new(),
            signed: BTreeMap::new(),
            recomputed: BTreeSet::new(),
            stored: BTreeMap::new(),
            leaves: BTreeMap::new(),
            attested: BTreeSet::new(),
            changed_from: BTreeMap::new(),
            is_changed: false,
            checked: BTreeMap::new(),
            put_back: BTreeSet::new(),
            is_named: false,
            is_convicted: false,
            has_forked: false,
        }
    }

    fn breach(&mut self, text: String) {
        if self.breaches.len() < BREACH_COUNT_MAX {
            self.breaches.push(text);
        }
    }

    /// A liar showed two nodes different histories: agreement is not promised any more, safety is.
    pub fn forked(&mut self) {
        self.has_forked = true;
    }

    /// A folder was put back from a copy: what is stored there begins again from the copy.
    pub fn put_back(&mut self, party: Party) {
        self.put_back.insert(party);
        self.checked.remove(&party);
    }

    pub fn recomputed(&mut self, party: Party, proposal: &Proposal) {
        self.recomputed.insert((party, proposal.id()));
    }

    pub fn stored(&mut self, party: Party, block: &Block) {
        if self.liar == Some(party) {
            return;
        }
        self.check_attestations(party, block);
        if let Command::Govern(governance) = &block.proposal.command {
            self.changed_from.insert(party, governance.from);
        }
        self.is_changed |= self.changed_from.get(&party).is_some_and(|from| *from <= block.height);
        let hash = block.hash();
        let before = self.stored.insert((party, block.height), hash);
        // A node that was put back may be shown another history by a liar: it must not sign it, but cannot know.
        let is_excused = self.put_back.contains(&party) && self.has_forked;
        if before.is_some_and(|before| before != hash) && !is_excused {
            self.breach(format!("I5: {party} replaced its block {}", block.height));
        }
    }

    /// A member is to recompute a proposal.
    pub fn asked(&mut self, party: Party, proposal: &Proposal) {
        if !truth::is_attester(party, &proposal.command) {
            self.breach(format!("I9: {party} is to recompute a {}", proposal.command.name()));
        }
    }

    fn check_attestations(&mut self, party: Party, block: &Block) {
        if !self.attested.insert(block.hash()) {
            return;
        }
        let Block { height, proposal, attestations } = block;
        let sound = attestations.iter().filter(|attestation| {
            let keys = truth::keys_at(attestation.party, *height, self.changed_from.get(&party).copied());
            // A signature of Ed25519 is the same each time.
            truth::is_attester(attestation.party, &proposal.command)
                && members::attest(&keys, attestation.party, proposal) == **attestation
        });
        let parties: BTreeSet<Party> = sound.map(|attestation| attestation.party).collect();
        if parties.len() != attestations.len() || parties.len() < 2 || !parties.contains(&proposal.proposer) {
            let of = proposal.command.name();
            let by: Vec<Party> = attestations.iter().map(|attestation| attestation.party).collect();
            self.breach(format!("I9: {party} stored block {height}, a {of} attested by {by:?}"));
        }
    }

    /// Whether a block stands at a height from which on keys are others.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// An honest member sends a signature, or the liar one it made up.
    pub fn signed(&mut self, cosignature: &Cosignature, disk: &Disk) {
        let Cosignature { signer, size, root, .. } = cosignature;
        let party = &signer.party().expect("a member signs as a party");
        if self.liar == Some(*party) {
            return self.liar_signed(*party, *size, *root);
        }
        self.honest_signed(*signer, *size, *root);
        let keys = truth::keys_at(*party, size - 1, self.changed_from.get(party).copied());
        let text = Checkpoint::new(truth::ORIGIN, *size, *root).unwrap().to_text();
        if keys.witness.verifier_key().verify_cosignature(&text, &cosignature.line).is_err() {
            self.breach(format!("I11: {party} signed size {size} with a key that is not in force"));
        }
        if disk.blocks.len() as u64 != *size || disk.lock.is_none_or(|lock| lock.size != *size) {
            self.breach(format!("I2: {party} signed size {size}, its disk has {}", disk.blocks.len()));
        }
        for (block, _) in &disk.blocks {
            let is_own = truth::is_attester(*party, &block.proposal.command);
            if is_own && !self.recomputed.contains(&(*party, block.proposal.id())) {
                self.breach(format!("I3: {party} signed block {} and never computed it", block.height));
            }
        }
    }

    fn honest_signed(&mut self, signer: Signer, size: u64, root: LogHash) {
        let roots = self.signed.entry((size, signer)).or_default();
        roots.insert(root);
        if roots.len() > 1 {
            self.breach(format!("I1: {signer} signed two roots at size {size}"));
        }
        let last = self.last_size.insert(signer, size).unwrap_or(0);
        if last > size {
            self.breach(format!("I1: {signer} signed size {size} after {last}"));
        }
    }

    /// The witness answers with a signature.
    pub fn witness_signed(&mut self, size: u64, root: LogHash) {
        self.honest_signed(Signer::Witness, size, root);
    }

    /// The liar signs whatever it likes.
    pub fn liar_signed(&mut self, party: Party, size: u64, root: LogHash) {
        self.signed.entry((size, party.into())).or_default().insert(root);
    }

    pub fn reported(&mut self, by: Party, report: &Report) {
        let Some(liar) = self.liar else {
            if matches!(
                report,
                Report::Disputed { .. }
                    | Report::Diverged { .. }
                    | Report::DoubleSigned { .. }
                    | Report::Contradiction(_)
                    | Report::Frozen(_)
                    | Report::Keyless { .. }
            ) {
                self.breach(format!("I4: {by} reports {report:?}, and nobody lies"));
            }
            return;
        };
        if by == liar {
            return;
        }
        match report {
            Report::DoubleSigned { own_root, other_root } => {
                let named = [own_root.signer, other_root.signer];
                if named != [liar.into(), liar.into()] || own_root.root == other_root.root {
                    self.breach(format!("I7: {by} holds evidence against {named:?}, the liar is {liar}"));
                }
                self.is_named = true;
            }
            Report::Disputed { dissent, .. } if dissent.party == liar => self.is_named = true,
            Report::Contradiction(dispute) => self.check_evidence(by, liar, dispute),
            Report::Refused { .. }
            | Report::Disputed { .. }
            | Report::Abstained { .. }
            | Report::Overtaken { .. }
            | Report::Diverged { .. }
            | Report::Frozen(_)
            | Report::Keyless { .. }
            | Report::Final(_)
            | Report::Sealed(_) => {}
        }
    }

    /// What an honest member holds is believed by everybody who has the first block, and names nobody but the liar.
    fn check_evidence(&mut self, by: Party, liar: Party, dispute: &Dispute) {
        let Command::Genesis(genesis) = truth::genesis() else { unreachable!("it is the genesis") };
        if let Err(error) = dispute.check(&genesis) {
            self.breach(format!("I10: {by} holds evidence that does not hold: {error}"));
        }
        match dispute.judgement() {
            Judgement::Contradicted(party) if party == liar => self.is_convicted = true,
            Judgement::Contradicted(party) => {
                self.breach(format!("I10: {by} holds evidence against {party}, the liar is {liar}"));
            }
            Judgement::Open | Judgement::OtherFile => {}
        }
    }

    pub fn is_liar_convicted(&self) -> bool {
        self.is_convicted
    }

    /// An honest node computed otherwise than the liar proposed: its dissent names the proposal.
    pub fn dissented_from(&mut self, proposer: Party) {
        self.is_named |= self.liar == Some(proposer);
    }

    pub fn is_liar_named(&self) -> bool {
        self.is_named
    }

    fn honest<'a>(&self, nodes: &'a BTreeMap<Party, Node>) -> Vec<(Party, &'a Node)> {
        nodes
            .iter()
            .filter(|(party, _)| self.liar != Some(**party) && self.lost != Some(**party))
            .map(|(party, node)| (*party, node))
            .collect()
    }

    pub fn check_nodes(&mut self, nodes: &BTreeMap<Party, Node>) {
        for (party, node) in self.honest(nodes) {
            let checked = self.checked.get(&party).copied().unwrap_or(0);
            for (at, (block, leaf)) in node.disk.blocks.iter().enumerate().skip(checked) {
                self.check_block(party, &node.disk, at, block);
                let hash = leaf.hash();
                if *self.leaves.entry(block.hash()).or_insert(hash) != hash {
                    self.breach(format!("I4: {party} has another leaf for block {}", block.height));
                }
            }
            self.checked.insert(party, node.disk.blocks.len());
            if let Some(member) = &node.member
                && !truth::money_adds_up(member.state())
            {
                self.breach(format!("I8: the state of {party} does not add up"));
            }
        }
        for size in self.newly_signed() {
            let roots = self.roots_by_signers(size);
            if roots.values().filter(|signers| standing(signers) == Standing::Sealed).count() > 1 {
                self.breach(format!("I7: two histories of size {size} are sealed"));
            }
        }
    }

    fn newly_signed(&self) -> BTreeSet<u64> {
        self.signed.iter().filter(|(_, roots)| roots.len() > 1).map(|((size, _), _)| *size).collect()
    }

    fn check_block(&mut self, party: Party, disk: &Disk, at: usize, block: &Block) {
        let number = |count: &Block| (count.proposal.proposer, count.proposal.number);
        let (proposer, own) = number(block);
        let before =
            disk.blocks[..at].iter().filter(|(block, _)| block.proposal.proposer == proposer).count();
        if own != before as u64 + 1 {
            self.breach(format!("I6: block {at} of {party} is number {own} of {proposer}, {before} before"));
        }
    }

    fn roots_by_signers(&self, size: u64) -> BTreeMap<LogHash, BTreeSet<Signer>> {
        let mut roots: BTreeMap<LogHash, BTreeSet<Signer>> = BTreeMap::new();
        let of_size = (size, Signer::Party(Party::Grid))..=(size, Signer::Witness);
        for ((_, signer), signed) in self.signed.range(of_size) {
            signed.iter().for_each(|root| {
                roots.entry(*root).or_default().insert(*signer);
            });
        }
        roots
    }

    /// Sizes at which two histories are final, and how many of them have one that is sealed by the witness too.
    pub fn conflicting_finals(&self) -> (usize, usize) {
        let sizes: BTreeSet<u64> = self.signed.keys().map(|(size, _)| *size).collect();
        let (mut conflicts, mut sealed) = (0, 0);
        for roots in sizes.iter().map(|size| self.roots_by_signers(*size)) {
            if roots.values().filter(|signers| standing(signers) >= Standing::Final).count() > 1 {
                conflicts += 1;
                let is_sealed = |signers: &BTreeSet<Signer>| {
                    standing(signers) == Standing::Sealed && signers.contains(&Signer::Witness)
                };
                sealed += usize::from(roots.values().any(is_sealed));
            }
        }
        (conflicts, sealed)
    }

    pub fn check_end(
        &mut self,
        nodes: &BTreeMap<Party, Node>,
        views: &BTreeMap<Party, Vec<Entry>>,
        now_ms: u64,
    ) {
        for (party, node) in self.honest(nodes) {
            for (block, _) in &node.disk.blocks {
                let is_bent = block.proposal.time_unix_s > 1_774_000_000 + now_ms + 3_600 + 600;
                if is_bent && node.member.as_ref().is_some_and(|member| member.frozen().is_none()) {
                    self.breach(format!("I3: {party} signed block {} from the future", block.height));
                }
            }
        }
        let sizes: BTreeSet<u64> = self.signed.keys().map(|(size, _)| *size).collect();
        for size in sizes {
            let roots: Vec<BTreeSet<Signer>> = self.roots_by_signers(size).into_values().collect();
            let finals: Vec<&BTreeSet<Signer>> =
                roots.iter().filter(|signers| standing(signers) >= Standing::Final).collect();
            for pair in finals.windows(2) {
                let both: Vec<&Signer> = pair[0].intersection(pair[1]).collect();
                if both.is_empty() || both.iter().any(|signer| signer.party() != self.liar) {
                    self.breach(format!("I7: two final histories of size {size}, both signed by {both:?}"));
                }
            }
        }
        if self.has_forked {
            return;
        }
        let honest = self.honest(nodes);
        let sizes: BTreeSet<usize> = honest.iter().map(|(_, node)| node.disk.blocks.len()).collect();
        if sizes.len() != 1 || sizes.contains(&0) {
            let of: Vec<(Party, usize, usize)> = honest
                .iter()
                .map(|(party, node)| (*party, node.disk.blocks.len(), views[party].len() - node.disk.applied))
                .collect();
            self.breach(format!("the honest end at different sizes (blocks, entries left): {of:?}"));
        }
        for (party, node) in &honest {
            let Some(member) = &node.member else {
                self.breach(format!("{party} is down in the end"));
                continue;
            };
            if let Some(reason) = member.frozen() {
                self.breach(format!("{party} is frozen: {reason}"));
            }
            let signers = member.cosigners(member.size());
            if honest.iter().any(|(party, _)| !signers.contains(&(*party).into())) {
                self.breach(format!("{party} knows the signatures of {signers:?} only"));
            }
            if self.lost.is_some() && member.standing(member.size()) != Standing::Sealed {
                self.breach(format!(
                    "the head of {party} is not sealed with {:?} down: {signers:?}",
                    self.lost
                ));
            }
        }
    }
}
