//! What peers send: proposals, answers to ours, signatures, and what they hold.

use std::time::{Duration, Instant};

use tallywatt_consensus::machine::{Cosignature, Event, MemberError};
use tallywatt_consensus::members::{Signer, Standing};
use tallywatt_consensus::message::{FileGiven, Reply, Request};
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::block::{Attestation, Proposal};
use tallywatt_ledger::command::Command;

use super::Conductor;
use crate::node::NodeError;
use crate::peers::limits::{PROPOSALS_OF_PARTY_MAX, SMALL_PROPOSALS_OF_PARTY_MAX};
use crate::running::RunError;
use crate::running::proposing::Current;
use crate::running::witnessing::{Head, Witnessed};

/// How often it is told at most that the witness does not sign: one that lies has another reason each time.
const WITNESS_TOLD_EVERY: Duration = Duration::from_secs(10);

/// After this time as many proposals on one block are looked at again: who proposes eagerly while others are away must not
/// be shut out for as long as there is no block.
const LOOKED_AGAIN: Duration = Duration::from_secs(60);

impl Conductor {
    pub(super) fn peer(&mut self, from: Party, request: Request) -> Result<(), RunError> {
        match request {
            Request::Announce(proposal, attestation, file) => {
                return self.announced(from, proposal, attestation, file);
            }
            Request::Attest(attestation) if attestation.party == from => {
                if let Some(current) = self.current.as_mut().filter(|current| current.asked.contains(from)) {
                    current.answered.insert(from);
                    current.attested.insert(from);
                    self.slow.remove(&from);
                }
                self.step(Event::Attested(attestation))?;
            }
            Request::Dissent(dissent) => {
                self.has_answered(from, &dissent.proposal);
                self.step(Event::Dissented(dissent))?;
            }
            Request::Abstain(abstention) => {
                self.has_answered(from, &abstention.proposal);
                self.step(Event::Abstained(abstention))?;
            }
            Request::Cosign(cosignature) => self.cosigned(cosignature)?,
            // The doorman answers the others himself.
            _ => {}
        }
        self.decide()
    }

    pub(super) fn has_answered(&mut self, from: Party, id: &ContentHash) {
        let is_asked = |current: &&mut Current| current.id == *id && current.asked.contains(from);
        if let Some(current) = self.current.as_mut().filter(is_asked) {
            current.answered.insert(from);
            self.slow.remove(&from);
        }
    }

    /// Looks at a proposal of another party; keeps one that is on a block which is not here yet.
    pub(super) fn announced(
        &mut self,
        from: Party,
        proposal: Proposal,
        attestation: Attestation,
        file: FileGiven,
    ) -> Result<(), RunError> {
        if self.looked_since.elapsed() >= LOOKED_AGAIN {
            self.looked_since = Instant::now();
            self.looked.clear();
        }
        let looked = self.looked.entry(from).or_default();
        let most = match file {
            FileGiven::Inline(_) => SMALL_PROPOSALS_OF_PARTY_MAX,
            _ => PROPOSALS_OF_PARTY_MAX,
        };
        if *looked >= most {
            self.log(&format!("{from} proposes more than {most} times in a minute on one block"));
            return Ok(());
        }
        if proposal.parent != self.tip {
            self.early.push_back((from, proposal, attestation, file));
            if self.early.len() > PROPOSALS_OF_PARTY_MAX * (Party::ALL.len() - 1) {
                self.early.pop_front();
            }
            return Ok(());
        }
        *looked += 1;
        let id = proposal.id();
        match file {
            FileGiven::None => {}
            FileGiven::Inline(bytes) => {
                self.held.insert(id, Some(bytes));
            }
            FileGiven::Named(name) => {
                self.named.insert(id, name);
            }
        }
        self.step(Event::Announced(proposal, attestation))
    }

    /// Makes the file of a proposal durable: who attests it must be able to give it to the others.
    pub(super) fn hold(
        &mut self,
        id: ContentHash,
        command: &Command,
        bytes: Vec<u8>,
    ) -> Result<(), RunError> {
        let party = self.party;
        let staged = self.parts.files.stage(id, CommandKind::of(command), &bytes);
        staged.map_err(|source| NodeError::Folder { party, source: source.into() })?;
        self.held.insert(id, Some(bytes));
        Ok(())
    }

    pub(super) fn cosigned(&mut self, cosignature: Cosignature) -> Result<(), RunError> {
        let signer = cosignature.signer;
        self.step(Event::Cosigned(cosignature))?;
        self.note_signature(signer);
        self.finish();
        Ok(())
    }

    /// Takes what the witness said to this node; its signature goes on to the peers, which may have got another.
    pub(super) fn witnessed(&mut self, witnessed: Witnessed) -> Result<(), RunError> {
        match witnessed {
            Witnessed::Signed(cosignature) => {
                if self.witness_problem.take().is_some() {
                    self.log("the witness signs again");
                }
                for outbox in self.parts.outboxes.values() {
                    outbox.sign(cosignature.clone());
                }
                self.cosigned(cosignature)
            }
            Witnessed::Not(reason) => {
                let is_due = self.witness_told.is_none_or(|told| told.elapsed() >= WITNESS_TOLD_EVERY);
                if self.witness_problem.as_ref() != Some(&reason) && is_due {
                    self.log(&format!("the witness does not sign: {reason}"));
                    self.witness_told = Some(Instant::now());
                }
                self.witness_problem = Some(reason);
                self.finish();
                Ok(())
            }
        }
    }

    /// Has the witness asked for the newest head that two parties signed, once.
    pub(super) fn ask_witness(&mut self) -> Result<(), RunError> {
        let (Some(witnessing), member) = (&self.parts.witnessing, self.parts.node.member()) else {
            return Ok(());
        };
        let newest = member.newest_head(Standing::Final).filter(|size| *size > self.witness_asked);
        let Some(size) = newest else { return Ok(()) };
        if !member.cosigners(size).contains(&Signer::Witness) {
            let party = self.party;
            let fail = |source: MemberError| NodeError::Member { party, source };
            let root = member.log().root_at(size).map_err(|error| fail(error.into()))?;
            let key = member.directory().and_then(|directory| directory.cosigner_key(Signer::Witness, size));
            if let Some((key, note)) = key.zip(member.head_note(size).map_err(fail)?) {
                witnessing.ask(Head { size, root, note, key: key.clone() });
            }
        }
        self.witness_asked = size;
        Ok(())
    }

    /// Remembers the largest head of a signer that agrees with this chain.
    pub(super) fn note_signature(&mut self, signer: Signer) {
        let member = self.parts.node.member();
        if let Some(newest) = member.newest_cosignature(signer)
            && member.cosigners(newest.size).contains(&signer)
        {
            let signed = self.signed.entry(signer).or_default();
            *signed = (*signed).max(newest.size);
            self.is_head_stale = true;
        }
    }

    pub(super) fn signers_of(&self, size: u64) -> Vec<Signer> {
        self.signed.iter().filter(|(_, signed)| **signed >= size).map(|(signer, _)| *signer).collect()
    }

    /// A peer said what it has, or was not there.
    pub(super) fn answered(
        &mut self,
        peer: Party,
        is_exact: bool,
        reply: Result<Reply, String>,
    ) -> Result<(), RunError> {
        let was_down = self.down.insert(peer, reply.is_err()).unwrap_or(true);
        match reply {
            Ok(Reply::Newest { own, newest, ordered_size }) => {
                if was_down {
                    self.log(&format!("{peer} is there, with {ordered_size} blocks"));
                }
                if is_exact && self.heard.insert(peer) {
                    self.parts.outboxes[&peer].ask_exactly(false);
                    self.step(Event::Heard { from: peer, own, ordered_size })?;
                }
                if let Some(newest) = newest.filter(|newest| newest.signer == peer.into()) {
                    self.cosigned(newest)?;
                }
            }
            Err(reason) if !was_down => self.log(&format!("{peer} is not there: {reason}")),
            _ => {}
        }
        self.decide()
    }

    pub(super) fn answer_askers(&mut self) {
        let member = self.parts.node.member();
        for (from, at_least, reply) in std::mem::take(&mut self.askers) {
            if self.parts.applied < at_least {
                if !reply.is_closed() {
                    self.askers.push((from, at_least, reply));
                }
                continue;
            }
            let own = member.newest_cosignature(from.into()).cloned();
            let newest = member.newest_cosignature(self.party.into()).cloned();
            // It asks again if it did not wait.
            let _ = reply.send(Reply::Newest { own, newest, ordered_size: member.size() });
        }
    }
}
