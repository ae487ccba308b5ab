//! What this node proposes: one proposal at a time, announced, decided, ordered, and made again if another came first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tallywatt_consensus::machine::Event;
use tallywatt_consensus::members::Signer;
use tallywatt_consensus::message::{FileGiven, INLINE_SIZE_MAX, Request};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::block::{Attestation, Proposal};
use tallywatt_ledger::command::Command;

use super::{AGAIN, Conductor};
use crate::books::Books;
use crate::consortium::refused_text;
use crate::node::NodeError;
use crate::node_folder::has_input_file;
use crate::order::OrderError;
use crate::running::RunError;
use crate::running::proposing::{
    AWAY_WAIT, COMPUTE_WAIT, Current, Proposed, THIRD_WAIT, TRIES_MAX, WANTED_COUNT_MAX, Wanted,
};

impl Conductor {
    pub(super) fn want(&mut self, wanted: Wanted) {
        if self.queue.len() >= WANTED_COUNT_MAX {
            let what = format!("{WANTED_COUNT_MAX} commands wait already");
            // An operator that is gone waits for nothing.
            let _ = wanted.reply.send(Proposed::Failed(what));
        } else {
            self.queue.push_back(wanted);
        }
    }

    /// Proposes what waits, when nothing is in flight and nothing is to be taken first.
    pub(super) fn propose_next(&mut self) -> Result<(), RunError> {
        while self.current.is_none()
            && !self.pending
            && self.unsigned.is_none()
            && self.parts.node.member().waiting().is_none()
        {
            let Some(wanted) = self.queue.pop_front() else { return Ok(()) };
            self.propose(wanted)?;
        }
        Ok(())
    }

    pub(super) fn propose(&mut self, wanted: Wanted) -> Result<(), RunError> {
        let node = &self.parts.node;
        let input = Books::input_of(&wanted.command, wanted.file.as_deref());
        let computed = input.map_err(|error| error.to_string()).and_then(|input| {
            node.compute(input).map_err(|error| match error {
                NodeError::Books { source, .. } => source.to_string(),
                other => other.to_string(),
            })
        });
        let computed = match computed {
            Ok(computed) => computed,
            Err(error) => {
                // An operator that is gone waits for nothing.
                let _ = wanted.reply.send(Proposed::Failed(error));
                return Ok(());
            }
        };
        let (command, now_unix_s) = (computed.command.clone(), (self.parts.clock)());
        let actions = match self.parts.node.step(Event::Propose { command, now_unix_s }) {
            Ok(actions) => actions,
            Err(error @ NodeError::Member { .. }) => {
                let who = format!("an operator of {}", self.party);
                self.deny_proposal(&who, computed.command.name(), &error);
                let NodeError::Member { source, .. } = error else { return Ok(()) };
                // As above.
                let _ = wanted.reply.send(Proposed::Failed(source.to_string()));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let proposal = self.parts.node.member().in_flight();
        let id = proposal.map(Proposal::id).expect("a proposal that is announced is in flight");
        let asked = self.attesters().of_command(&computed.command);
        match computed.file {
            Some(file) if self.is_fetched(&computed.command, &file) => {
                self.hold(id, &computed.command, file)?;
            }
            file => {
                self.held.insert(id, file);
            }
        }
        self.current = Some(Current {
            wanted,
            id,
            command: computed.command,
            asked,
            attested: BTreeSet::from([self.party]),
            answered: BTreeSet::new(),
            undelivered: BTreeSet::new(),
            since: Instant::now(),
            agreed: None,
            ordering: None,
            findings: Vec::new(),
        });
        for action in actions {
            self.act(action, None)?;
        }
        self.decide()
    }

    /// Whether a file lies ready to be fetched before its entry is ordered: a large one, one that is not for everybody to read,
    /// and one that somebody takes who does not compute it.
    fn is_fetched(&self, command: &Command, file: &[u8]) -> bool {
        let kind = CommandKind::of(command);
        if has_input_file(command) {
            return file.len() > INLINE_SIZE_MAX || !self.attesters().all_hold(kind);
        }
        let computes = self.attesters().of(kind);
        let takes = |party: &Party| !computes.contains(*party) && self.attesters().holds(*party, kind);
        Party::ALL.iter().any(takes)
    }

    /// Tells those who are to attest a proposal of it, and nobody else.
    pub(super) fn announce(&mut self, proposal: &Proposal, attestation: Attestation) {
        let (id, command) = (proposal.id(), &proposal.command);
        let held = self.held.get(&id).and_then(Option::as_ref).filter(|_| has_input_file(command));
        let file = match held {
            None => FileGiven::None,
            Some(bytes) if !self.is_fetched(command, bytes) => FileGiven::Inline(bytes.clone()),
            Some(_) => self.parts.files.name(&id).map_or(FileGiven::None, FileGiven::Named),
        };
        let asked = self.attesters().of_command(command);
        for (peer, outbox) in self.parts.outboxes.iter().filter(|(peer, _)| asked.contains(**peer)) {
            let request = Request::Announce(proposal.clone(), attestation, file.clone());
            if !outbox.announce(request, id)
                && let Some(current) = &mut self.current
            {
                current.undelivered.insert(*peer);
            }
        }
    }

    /// Goes on with the proposal in flight once everybody who can answer has: who is not there is not waited for, nor who
    /// was too slow the last time, if two agree. Without two who is not there is given a moment: it may be back and not seen.
    pub(super) fn decide(&mut self) -> Result<(), RunError> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if current.ordering.is_some() {
            return Ok(());
        }
        let has_two = current.attested.len() >= tallywatt_consensus::members::FINAL_COUNT;
        if has_two && current.agreed.is_none() {
            current.agreed = Some(Instant::now());
        }
        let is_late = current.agreed.is_some_and(|agreed| agreed.elapsed() >= THIRD_WAIT)
            || current.since.elapsed() >= COMPUTE_WAIT;
        let (mut silent, mut is_missed) = (Vec::new(), false);
        for peer in self.parts.peers.keys().filter(|peer| current.asked.contains(**peer)) {
            let is_away = self.down.get(peer) == Some(&true) || current.undelivered.contains(peer);
            let is_slow = has_two && self.slow.contains(peer);
            if !current.answered.contains(peer) && !is_away && !is_slow {
                silent.push(*peer);
            }
            is_missed |= !current.answered.contains(peer) && is_away;
        }
        let may_come = is_missed && !has_two && current.since.elapsed() < AWAY_WAIT;
        if may_come || (!silent.is_empty() && !is_late) {
            return Ok(());
        }
        for peer in silent {
            self.find(format!("{peer} is too slow to answer and is not waited for"), false)?;
            self.slow.insert(peer);
        }
        self.step(Event::Overdue)
    }

    pub(super) fn refused(&mut self, height: u64, proposer: Party, missing: &[Party]) {
        let Some(current) = self.current.take() else { return };
        let Current { wanted, command, mut findings, .. } = current;
        let mut line = refused_text(height, proposer, missing);
        let outcome = if missing.is_empty() {
            findings.push(line.clone());
            Proposed::Done { height: None, cosigners: Vec::new(), findings, command }
        } else {
            for finding in findings {
                line.push_str("; ");
                line.push_str(&finding);
            }
            Proposed::NoQuorum(line.clone())
        };
        self.log(&line);
        // An operator that is gone waits for nothing.
        let _ = wanted.reply.send(outcome);
    }

    /// Has an entry ordered: asks until it stands in the log, here or at whoever leads then, or something else does.
    pub(super) fn order(&mut self, entry: Entry) {
        let is_over = Arc::new(AtomicBool::new(false));
        if let Some(current) = &mut self.current {
            current.ordering = Some((Instant::now(), Arc::clone(&is_over)));
        }
        let held = self.held.get(&entry.proposal.id()).and_then(Option::as_ref);
        let is_sent = |file: &&Vec<u8>| {
            has_input_file(&entry.proposal.command) && !self.is_fetched(&entry.proposal.command, file)
        };
        let file = held.filter(is_sent).cloned().unwrap_or_default();
        let (order, log) = (self.parts.order.clone(), self.parts.log);
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                match order.append(&entry, &file).await {
                    Ok(_) => return,
                    Err(error @ (OrderError::TooLarge(_) | OrderError::Stopped(_))) => {
                        log(&format!("an entry cannot be ordered: {error}"));
                        return;
                    }
                    Err(_) => tokio::time::sleep(AGAIN).await,
                }
            }
        });
    }

    /// Another block came first: the command is computed anew on it.
    pub(super) fn again(&mut self, current: Current) {
        let Current { mut wanted, ordering, .. } = current;
        if let Some((_, is_over)) = ordering {
            is_over.store(true, Ordering::Relaxed);
        }
        wanted.tries += 1;
        if wanted.tries >= TRIES_MAX {
            let what = format!("{TRIES_MAX} times another block came first");
            // An operator that is gone waits for nothing.
            let _ = wanted.reply.send(Proposed::Failed(what));
        } else {
            self.queue.push_front(wanted);
        }
    }

    pub(super) fn finish(&mut self) {
        let mut down: BTreeSet<Signer> =
            self.down.iter().filter(|(_, is_down)| **is_down).map(|(party, _)| (*party).into()).collect();
        if self.parts.witnessing.is_none() || self.witness_problem.is_some() {
            down.insert(Signer::Witness);
        }
        let mut waiting = Vec::new();
        for finishing in std::mem::take(&mut self.finishing) {
            let signers = self.signers_of(finishing.height + 1);
            if finishing.is_finished(&signers, &down) {
                finishing.finish(signers);
            } else {
                waiting.push(finishing);
            }
        }
        self.finishing = waiting;
    }
}
