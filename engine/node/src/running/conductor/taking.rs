//! Entries of the order, one by one, and the files and figures they need: fetched, recomputed from this node's own books.

use std::time::Duration;

use tallywatt_consensus::machine::{Event, NotComputed};
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::block::Proposal;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::digest;

use super::comparing::Differing;
use super::{AGAIN, Conductor, Told, Wait};
use crate::derivation;
use crate::node::NodeError;
use crate::node_folder::{self, has_input_file};
use crate::order::Ordered;
use crate::running::RunError;
use crate::running::files::{Sources, Wanted};

impl Conductor {
    pub(super) fn ordered(&mut self, ordered: Ordered) -> Result<(), RunError> {
        let Ordered { index, entry, file } = ordered;
        self.taking = Some(index);
        self.carried.clone_from(&file);
        if let Some(entry) = entry {
            let (id, command) = (entry.proposal.id(), &entry.proposal.command);
            let kind = CommandKind::of(command);
            let is_next = entry.proposal.parent == self.tip && has_input_file(command);
            let is_for_all = self.attesters().all_hold(kind);
            if is_next && is_for_all && !file.is_empty() && !self.held.contains_key(&id) {
                self.held.insert(id, Some(file));
                self.unproven.insert(id);
            }
            let member = self.parts.node.member();
            let is_kept_only =
                !member.recomputes(command) || member.frozen().is_some() || self.dissented.contains(&id);
            let needs_file =
                node_folder::file_of(command).is_some() && self.attesters().holds(self.party, kind);
            let is_held = self.held.contains_key(&id) && !self.dissented.contains(&id);
            // One that will be passed over needs nothing: nobody may have its file.
            if is_kept_only && needs_file && !is_held && member.takes(&entry) {
                self.pending = true;
                self.fetch(Wait::Entry(index, entry), Duration::ZERO);
                return Ok(());
            }
            self.step(Event::Ordered(entry))?;
            // Its own, and not stored: it was passed over.
            let is_waiting = self.parts.node.member().waiting().is_some();
            if let Some(current) = self.current.take_if(|current| current.id == id && !is_waiting) {
                self.again(current);
            }
        }
        self.taken()
    }

    /// Notes that an entry is dealt with, once it is.
    pub(super) fn taken(&mut self) -> Result<(), RunError> {
        if self.pending || self.parts.node.member().waiting().is_some() {
            return Ok(());
        }
        if let Some(index) = self.taking.take() {
            self.parts.applied = self.parts.applied.max(index);
            self.answer_askers();
        }
        self.propose_next()
    }

    pub(super) fn fetch(&self, wait: Wait, after: Duration) {
        let proposal = wait.proposal();
        let (id, proposer, command) = (proposal.id(), proposal.proposer, &proposal.command);
        let keepers = self.parts.peers.iter().map(|(party, address)| (*party, *address));
        let keepers = keepers.filter(|(party, _)| self.attesters().holds(*party, CommandKind::of(command)));
        let mut peers: Vec<_> = keepers.collect();
        peers.sort_by_key(|(party, _)| *party != proposer);
        let sources = Sources { identity: self.parts.identity.clone(), peers };
        let name = self.named.get(&id).copied();
        let wanted = Wanted { name, hash: node_folder::file_hash_of(command) };
        let teller = self.parts.teller.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let result = sources.fetch(id, wanted).await;
            // A conductor that has stopped hears it again from the order.
            let _ = teller.send(Told::Fetched(Box::new(wait), result)).await;
        });
    }

    pub(super) fn fetched(&mut self, wait: Wait, result: Result<Vec<u8>, String>) -> Result<(), RunError> {
        let id = wait.proposal().id();
        let bytes = match (result, &wait) {
            (Ok(bytes), _) => bytes,
            (Err(reason), Wait::Announced(proposal)) => {
                let own = Err(NotComputed::Waits(format!("its file does not come: {reason}")));
                return self.recomputed(proposal.clone(), own, None);
            }
            (Err(reason), _) => {
                self.log(&format!(
                    "the file of an ordered entry does not come, it is asked for again: {reason}"
                ));
                // The name that was announced may be wrong: what the others say is asked for now.
                self.named.remove(&id);
                self.fetch(wait, AGAIN * 5);
                return Ok(());
            }
        };
        if let Err(error) = self.check_taken(&wait, &bytes) {
            self.find(format!("{error}; it is asked for again"), true)?;
            self.fetch(wait, AGAIN * 5);
            return Ok(());
        }
        match wait {
            Wait::Announced(proposal) | Wait::Waiting(proposal) => {
                self.hold(id, &proposal.command, bytes)?;
                self.recompute(proposal)?;
            }
            Wait::Disputed(proposal, own) => {
                self.held.insert(id, Some(bytes));
                self.dissented.remove(&id);
                self.recomputed(proposal, own, None)?;
            }
            Wait::Entry(index, entry) => {
                self.held.insert(id, Some(bytes));
                self.dissented.remove(&id);
                self.pending = false;
                self.taking = Some(index);
                self.step(Event::Ordered(entry))?;
            }
        }
        self.taken()
    }

    /// A file that others attested, and that this node takes from them, is what its block says of it.
    fn check_taken(&self, wait: &Wait, bytes: &[u8]) -> Result<(), NodeError> {
        let command = &wait.proposal().command;
        let node = &self.parts.node;
        if node.member().recomputes(command) { Ok(()) } else { node.check_taken(command, bytes) }
    }

    /// Computes a proposal from this node's own books; asks for its file first if that is not here.
    pub(super) fn recompute(&mut self, proposal: Proposal) -> Result<(), RunError> {
        let id = proposal.id();
        let is_waiting = self.parts.node.member().waiting().is_some_and(|entry| entry.proposal == proposal);
        if proposal.parent != self.tip && !is_waiting {
            return Ok(());
        }
        if let Command::Genesis(genesis) = &proposal.command
            && **genesis != self.parts.genesis
        {
            let fails = NotComputed::Fails("it is not the genesis in this node's folder".to_owned());
            return self.recomputed(proposal, Err(fails), None);
        }
        let has_input = has_input_file(&proposal.command);
        let mut input = None;
        if has_input {
            input = self.held.get(&id).cloned().flatten().or_else(|| self.parts.files.staged(&id));
            if input.is_none() {
                let wait = if is_waiting { Wait::Waiting(proposal) } else { Wait::Announced(proposal) };
                self.fetch(wait, Duration::ZERO);
                return Ok(());
            }
        }
        let input_hash = input.as_deref().map(digest::content_hash);
        let own = self.parts.node.recompute_with_file(&proposal, input.as_deref());
        // Of one that was announced and comes out otherwise people are told where, after the answer.
        let (mut own_file, mut theirs) = (None, None);
        let own = match own {
            Ok(computed) if computed.command == proposal.command => {
                self.held.insert(id, computed.file);
                Ok(computed.command)
            }
            // The file may be at fault, not the proposal: what the proposer's peers hold is looked at before a word is said.
            _ if self.unproven.remove(&id) => {
                self.held.remove(&id);
                self.fetch(Wait::Waiting(proposal), Duration::ZERO);
                return Ok(());
            }
            other => {
                let own = other.map(|computed| {
                    own_file = computed.file;
                    computed.command
                });
                if derivation::is_comparable(&proposal.command) {
                    theirs.clone_from(&input);
                }
                if has_input {
                    self.held.insert(id, input);
                } else if is_waiting && node_folder::file_of(&proposal.command).is_some() {
                    self.fetch(Wait::Disputed(proposal, own), Duration::ZERO);
                    return Ok(());
                } else {
                    self.dissented.insert(id);
                }
                own
            }
        };
        let differing =
            own_file.filter(|_| !is_waiting).map(|own| Differing { proposal: proposal.clone(), own });
        self.recomputed(proposal, own, input_hash)?;
        differing.map_or(Ok(()), |differing| self.compare(differing, theirs))
    }

    pub(super) fn recomputed(
        &mut self,
        proposal: Proposal,
        own: Result<Command, NotComputed>,
        input: Option<ContentHash>,
    ) -> Result<(), RunError> {
        let now_unix_s = (self.parts.clock)();
        self.step(Event::Recomputed { proposal, own, input, now_unix_s })
    }
}
