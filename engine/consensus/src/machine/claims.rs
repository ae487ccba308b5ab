//! What parties say of proposals, each in its own signature: where two say different things, evidence.
//!
//! ```text
//!   announced, with its proposer's signature ─▶ claim ◀─ attestations, dissents: this member's own, and those that it hears
//!                                                 │ somebody computed something else
//!                                                 ▼
//!                                              Dispute: reported each time it grows
//! ```
//!
//! Claims are of proposals on the last block and on the one before it: a dissent may come when the block is made already.
//! Everything in a claim was checked; what came before its proposal is checked when that comes.

use std::collections::{BTreeMap, VecDeque};

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, OtherResult, Proposal};
use tallywatt_ledger::wrong_result::Dispute;

use super::event::Dissent;
use super::{JUDGED_COUNT_MAX, Member};

/// Proposals that are held against each other, on two blocks.
const CLAIM_COUNT_MAX: usize = 2 * JUDGED_COUNT_MAX;
/// Dissents of one party that came before what they are about; the oldest gives way.
const EARLY_COUNT_MAX: usize = 4;

/// Of proposals by their ids.
#[derive(Default)]
pub(super) struct Claims {
    by_proposal: BTreeMap<ContentHash, Claim>,
    early: BTreeMap<Party, VecDeque<(ContentHash, OtherResult)>>,
}

struct Claim {
    proposal: Proposal,
    /// Of the block that it would be.
    height: u64,
    attestations: BTreeMap<Party, Attestation>,
    others: BTreeMap<Party, OtherResult>,
}

impl Claim {
    /// What it comes to, if somebody computed something else.
    fn dispute(&self) -> Option<Dispute> {
        // Who said both contradicts nobody but itself: its first word stands.
        let attestations = self.attestations.values().copied().collect();
        let others: Vec<_> = self.others.iter().map(|(party, other)| (*party, other.clone())).collect();
        if others.is_empty() {
            return None;
        }
        Dispute::new(self.proposal.clone(), attestations, others).ok()
    }

    fn has_said(&self, party: Party) -> bool {
        self.attestations.contains_key(&party) || self.others.contains_key(&party)
    }
}

impl Claims {
    /// A block stands: what is on it, and what was beside it, is still of use.
    pub(super) fn turn(&mut self, parent: &ContentHash) {
        self.by_proposal.retain(|_, claim| claim.proposal.parent == *parent);
    }

    /// Somebody attested: the dispute that this adds to.
    pub(super) fn attest(&mut self, id: &ContentHash, attestation: Attestation) -> Option<Dispute> {
        let claim = self.by_proposal.get_mut(id)?;
        if claim.has_said(attestation.party) {
            return None;
        }
        claim.attestations.insert(attestation.party, attestation);
        claim.dispute()
    }

    /// Somebody computed something else, and signed it: the dispute that this makes or adds to.
    pub(super) fn dissent(&mut self, id: &ContentHash, party: Party, other: OtherResult) -> Option<Dispute> {
        let claim = self.by_proposal.get_mut(id)?;
        if claim.has_said(party) {
            return None;
        }
        claim.others.insert(party, other);
        claim.dispute()
    }
}

impl Member {
    /// Takes up a proposal that its proposer signed, with the dissents that came before it: the dispute, if there is one.
    pub(super) fn claim(&mut self, proposal: &Proposal, attestation: Attestation) -> Option<Dispute> {
        let id = proposal.id();
        // Of the genesis there is no chain yet that evidence could be of.
        self.directory.as_ref()?;
        if self.claims.by_proposal.contains_key(&id) || self.claims.by_proposal.len() >= CLAIM_COUNT_MAX {
            return None;
        }
        let attestations = BTreeMap::from([(attestation.party, attestation)]);
        let claim =
            Claim { proposal: proposal.clone(), height: self.size(), attestations, others: BTreeMap::new() };
        self.claims.by_proposal.insert(id, claim);
        let mut dispute = None;
        for (party, early) in std::mem::take(&mut self.claims.early) {
            for (about, other) in early {
                if about == id {
                    dispute = self.hear_other(&id, party, other).or(dispute);
                } else {
                    self.keep_early(about, party, other);
                }
            }
        }
        dispute
    }

    /// A dissent with the result that its party signed: the dispute that it makes or adds to, if the signature holds. One of a
    /// proposal that is not known yet waits for it.
    pub(super) fn hear_dissent(&mut self, dissent: &Dissent) -> Option<Dispute> {
        let other = dissent.computed.as_deref()?.clone();
        if self.claims.by_proposal.contains_key(&dissent.proposal) {
            return self.hear_other(&dissent.proposal, dissent.party, other);
        }
        self.keep_early(dissent.proposal, dissent.party, other);
        None
    }

    fn hear_other(&mut self, id: &ContentHash, party: Party, other: OtherResult) -> Option<Dispute> {
        let (claim, directory) = (self.claims.by_proposal.get(id)?, self.directory.as_ref()?);
        if !directory.dissents(&claim.proposal, party, &other, claim.height) {
            return None;
        }
        self.claims.dissent(id, party, other)
    }

    fn keep_early(&mut self, id: ContentHash, party: Party, other: OtherResult) {
        let early = self.claims.early.entry(party).or_default();
        if early.len() >= EARLY_COUNT_MAX {
            early.pop_front();
        }
        early.push_back((id, other));
    }
}
