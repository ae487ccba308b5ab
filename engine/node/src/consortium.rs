//! The three nodes in one process: messages between them, and the one order they all read.
//!
//! What crosses a network between organisations is here a queue of events. The order is behind
//! [`OrderedLog`]; a replicated log takes the place of [`LocalOrder`] without a change to the nodes.

use std::collections::VecDeque;
use std::convert::Infallible;

use tallywatt_consensus::lock::SignLock;
use tallywatt_consensus::machine::{Action, Event, Report};
use tallywatt_consensus::members::{Signer, Standing};
use tallywatt_consensus::order::{Entry, OrderedLog};
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::hash::Published;
use tallywatt_ledger::activation::{self, Activation};
use tallywatt_ledger::digest;
use tallywatt_ledger::note::Note;

use crate::books::{BooksError, Computed, Input};
use crate::node::{Node, NodeError};
use crate::node_folder::has_input_file;

/// An order that lives in this process: entries are durable once the nodes have stored their blocks.
#[derive(Debug, Default)]
pub struct LocalOrder {
    entries: Vec<Entry>,
}

impl OrderedLog for LocalOrder {
    type Error = Infallible;

    fn append(&mut self, entry: Entry) -> Result<u64, Infallible> {
        self.entries.push(entry);
        Ok(u64::try_from(self.entries.len() - 1).unwrap_or(u64::MAX))
    }

    fn entry(&self, index: u64) -> Result<Option<Entry>, Infallible> {
        Ok(usize::try_from(index).ok().and_then(|index| self.entries.get(index)).cloned())
    }
}

/// What became of a proposal.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was proposed.
    pub computed: Computed,
    /// The height it got; `None` if it was refused.
    pub height: Option<u64>,
    /// Who cosigned the head over it.
    pub cosigners: Vec<Signer>,
    /// What people must be told: disputes, divergences, frozen nodes; each once.
    pub findings: Vec<String>,
}

impl Outcome {
    /// Whether three signed it, the witness counted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        Standing::of(&self.cosigners) == Standing::Sealed
    }

    /// `sealed`, `final`, `ordered` or `refused`.
    #[must_use]
    pub fn status(&self) -> &'static str {
        self.height.map_or("refused", |_| Standing::of(&self.cosigners).name())
    }
}

/// That nothing is recorded, and why: the others computed something else, or one that must attest gave no answer.
pub(crate) fn refused_text(height: u64, proposer: Party, missing: &[Party]) -> String {
    let names: Vec<&str> = missing.iter().map(|party| party.name()).collect();
    match names.as_slice() {
        [] => format!("block {height}: nobody else computed what {proposer} proposed: nothing is recorded"),
        _ => format!(
            "block {height}: what {proposer} proposed waits for the attestation of {}: nothing is recorded yet, \
             propose it again when it is there; what needs it less goes on",
            names.join(" and ")
        ),
    }
}

/// That a party's node signs nothing for want of keys.
pub(crate) fn keyless_text(party: Party, from: u64) -> String {
    format!("{party} signs nothing: its node does not hold the keys that are in force from block {from} on")
}

/// The activation of a published agreement, signed as both of its parties, and who proposes it. Their keys must both be here.
pub(crate) fn activation_by<'n>(
    node: impl Fn(Party) -> &'n Node,
    agreement: &Published<Agreement>,
) -> Result<(Party, Activation), NodeError> {
    // At once.
    let from = 0;
    let mut lines = Vec::new();
    for party in [agreement.body.payee, agreement.body.remainder] {
        lines.push(node(party).consent(agreement, from)?);
    }
    let party = agreement.body.remainder;
    let books = |source: BooksError| NodeError::Books { party, source };
    let own = node(party).books();
    let (keys, now) = (own.keys().map_err(books)?, own.keys_now().map_err(books)?);
    let text = activation::consent_text(keys.origin(), &agreement.body.id, &agreement.hash, from);
    let signed = Note::new(&text, lines).expect("two parties sign a well-formed text with two keys");
    let activation = Activation::of_note(&signed, agreement, keys.origin(), now);
    Ok((party, activation.map_err(|error| books(error.into()))?))
}

/// The three nodes.
pub struct Consortium {
    nodes: Vec<Node>,
    order: LocalOrder,
    clock: fn() -> u64,
}

impl Consortium {
    /// Brings three opened nodes to one height, and signs what is left to sign.
    ///
    /// A node that crashed between ordering and storing is behind; it follows the longest chain by computing
    /// every block itself, as it would have then.
    ///
    /// # Errors
    /// [`NodeError`].
    ///
    /// # Panics
    /// If they are not grid, bank and supplier in this order.
    pub fn join(nodes: Vec<Node>, clock: fn() -> u64) -> Result<Self, NodeError> {
        let parties: Vec<Party> = nodes.iter().map(Node::party).collect();
        assert_eq!(parties, Party::ALL, "a consortium is grid, bank and supplier");
        let mut consortium = Self { nodes, order: LocalOrder::default(), clock };
        let longest = (0..consortium.nodes.len()).max_by_key(|at| consortium.nodes[*at].member().size());
        let longest = longest.expect("there are three nodes");
        let blocks = consortium.nodes[longest].store().blocks();
        let party = consortium.nodes[longest].party();
        let blocks = blocks.map_err(|source| NodeError::Store { party, source })?;
        let mut findings = Vec::new();
        for stored in blocks {
            let (proposal, attestations) = (stored.block.proposal.clone(), stored.block.attestations.clone());
            let entry = Entry { proposal, attestations };
            let Ok(_) = consortium.order.append(entry.clone());
            for at in 0..consortium.nodes.len() {
                if consortium.nodes[at].member().size() == stored.block.height {
                    consortium.follow(at, &entry, &mut findings)?;
                }
            }
        }
        consortium.exchange(&mut findings)?;
        consortium.keep(&findings)?;
        Ok(consortium)
    }

    /// The node of a party.
    #[must_use]
    pub fn node(&self, party: Party) -> &Node {
        &self.nodes[usize::from(party.code()) - 1]
    }

    /// The node of a party, to switch a fault on.
    pub fn node_mut(&mut self, party: Party) -> &mut Node {
        &mut self.nodes[usize::from(party.code()) - 1]
    }

    /// The nodes, in the order of the parties.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Computes what `proposer` would propose, and changes nothing: the plan of what [`Consortium::propose`] does.
    ///
    /// # Errors
    /// [`NodeError::Books`].
    pub fn plan(&self, proposer: Party, input: Input) -> Result<Computed, NodeError> {
        self.node(proposer).compute(input)
    }

    /// Proposes, has it recomputed by the others, orders it, stores it on all nodes, and signs.
    ///
    /// # Errors
    /// [`NodeError`]: a node could not go on. What was stored stays; opening again goes on from there.
    pub fn propose(&mut self, proposer: Party, input: Input) -> Result<Outcome, NodeError> {
        let computed = self.plan(proposer, input)?;
        // No file is written before the block stands: a proposal that is refused must not touch what is sealed.
        let file = computed.file.as_deref();
        let before = self.node(proposer).member().size();
        let mut findings = Vec::new();
        let (command, now_unix_s) = (computed.command.clone(), (self.clock)());
        self.run(vec![(proposer, Event::Propose { command, now_unix_s })], proposer, file, &mut findings)?;
        let size = self.node(proposer).member().size();
        for node in &mut self.nodes {
            node.store_head()?;
        }
        self.keep(&findings)?;
        let height = (size > before).then(|| size - 1);
        let cosigners = if height.is_some() { self.cosigners(size) } else { Vec::new() };
        Ok(Outcome { computed, height, cosigners, findings })
    }

    /// Signs a published agreement as both of its parties, whose keys are all here, and proposes its activation.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn activate(&mut self, agreement: &Published<Agreement>) -> Result<Outcome, NodeError> {
        let (party, activation) = activation_by(|party| self.node(party), agreement)?;
        self.propose(party, Input::Activation(Box::new(activation)))
    }

    /// Who signed the head of this size, as most nodes see it.
    #[must_use]
    pub fn cosigners(&self, size: u64) -> Vec<Signer> {
        let seen = self.nodes.iter().map(|node| node.member().cosigners(size));
        seen.max_by_key(Vec::len).unwrap_or_default()
    }

    /// Keeps what was found on every node: a dispute is remembered after the party in question has mended it.
    fn keep(&self, findings: &[String]) -> Result<(), NodeError> {
        for node in &self.nodes {
            for finding in findings {
                node.store_finding(node.member().size(), finding)?;
            }
        }
        Ok(())
    }

    /// Delivers events until nobody has anything left to do.
    fn run(
        &mut self,
        events: Vec<(Party, Event)>,
        proposer: Party,
        file: Option<&[u8]>,
        findings: &mut Vec<String>,
    ) -> Result<(), NodeError> {
        let mut queue = VecDeque::from(events);
        // Signatures wait until every node has the block they are under.
        let mut signatures = VecDeque::new();
        while let Some((to, event)) = queue.pop_front().or_else(|| signatures.pop_front()) {
            for action in self.node_mut(to).step(event)? {
                let others = Party::ALL.into_iter().filter(|party| *party != to);
                match action {
                    Action::Announce(proposal, attestation) => {
                        let announced = |party| (party, Event::Announced(proposal.clone(), attestation));
                        queue.extend(others.map(announced));
                    }
                    Action::Recompute(proposal) => {
                        let own = self.node(to).recompute(&proposal, file);
                        let (input, now_unix_s) = (file.map(digest::content_hash), (self.clock)());
                        let input = input.filter(|_| has_input_file(&proposal.command));
                        queue.push_back((to, Event::Recomputed { proposal, own, input, now_unix_s }));
                    }
                    Action::SendAttestation(attestation) => {
                        queue.push_back((proposer, Event::Attested(attestation)));
                    }
                    Action::SendDissent(dissent) => {
                        queue.extend(others.map(|party| (party, Event::Dissented(dissent.clone()))));
                    }
                    Action::SendAbstention(abstention) => {
                        queue.push_back((proposer, Event::Abstained(abstention)));
                    }
                    Action::Order(entry) => {
                        let Ok(_) = self.order.append(entry.clone());
                        queue.extend(Party::ALL.map(|party| (party, Event::Ordered(entry.clone()))));
                    }
                    Action::Store { block, leaf, changes } => {
                        self.node_mut(to).store_block(&block, &leaf, &changes, file)?;
                        queue.push_back((to, Event::Stored(block.height + 1)));
                    }
                    Action::StoreLock(lock) => {
                        self.store_lock(to, &lock)?;
                        queue.push_back((to, Event::LockStored { lock, now_unix_s: (self.clock)() }));
                    }
                    Action::RaiseLock { lock, from } => {
                        self.store_lock(to, &lock)?;
                        queue.push_back((to, Event::LockRaised { lock, from }));
                    }
                    Action::SendCosignature(cosignature) => {
                        signatures.extend(others.map(|party| (party, Event::Cosigned(cosignature.clone()))));
                    }
                    Action::Pass(reason) => findings.push(format!("an entry is passed over: {reason}")),
                    Action::Report(Report::Contradiction(dispute)) => {
                        findings.push(self.node(to).keep_dispute(&dispute)?);
                    }
                    Action::Report(Report::DoubleSigned { own_root, other_root }) => {
                        findings.push(self.node(to).keep_double_signature(&own_root, &other_root)?);
                    }
                    Action::Report(report) => findings.extend(self.finding(to, &report)),
                }
            }
        }
        findings.sort();
        findings.dedup();
        Ok(())
    }

    fn store_lock(&self, party: Party, lock: &SignLock) -> Result<(), NodeError> {
        let stored = self.node(party).folder().store_sign_lock(lock);
        stored.map_err(|source| NodeError::Folder { party, source })
    }

    /// Lets a node that is behind compute and store one block that another has. Its file is read where it is kept.
    fn follow(&mut self, at: usize, entry: &Entry, findings: &mut Vec<String>) -> Result<(), NodeError> {
        let (party, command) = (self.nodes[at].party(), &entry.proposal.command);
        let height = self.nodes[at].member().size();
        let keeper = self.nodes.iter().find(|node| node.member().size() > height && node.keeps(command));
        let file = match keeper {
            Some(node) => {
                let file = node.folder().read_file(command);
                file.map_err(|source| NodeError::Folder { party: node.party(), source })?
            }
            None => None,
        };
        self.run(vec![(party, Event::Ordered(entry.clone()))], party, file.as_deref(), findings)
    }

    /// Each node tells the others what it holds of their signatures, and they sign what a crash left unsigned.
    fn exchange(&mut self, findings: &mut Vec<String>) -> Result<(), NodeError> {
        let mut told = Vec::new();
        for node in &self.nodes {
            let (from, ordered_size) = (node.party(), node.member().size());
            for to in Party::ALL.into_iter().filter(|to| *to != from) {
                let own = node.member().newest_cosignature(to.into()).cloned();
                told.push((to, Event::Heard { from, own, ordered_size }));
                if let Some(newest) = node.member().newest_cosignature(from.into()) {
                    told.push((to, Event::Cosigned(newest.clone())));
                }
            }
        }
        self.run(told, Party::Grid, None, findings)?;
        for node in &mut self.nodes {
            if !node.has_stored_head()? {
                node.store_head()?;
            }
        }
        Ok(())
    }

    /// What people must be told of a report; nothing of ordinary progress.
    fn finding(&self, by: Party, report: &Report) -> Option<String> {
        match report {
            Report::Final(_) | Report::Sealed(_) | Report::Overtaken { .. } => None,
            // Kept where they are found.
            Report::Contradiction(_) | Report::DoubleSigned { .. } => None,
            Report::Abstained { height, abstention } => {
                Some(format!("block {height}: {} gives no answer: {}", abstention.party, abstention.reason))
            }
            Report::Disputed { height, command, proposer, dissent } => Some(format!(
                "block {height} ({command} proposed by {proposer}): {} computed something else: {}",
                dissent.party, dissent.detail
            )),
            Report::Refused { height, proposer, missing } => Some(refused_text(*height, *proposer, missing)),
            Report::Diverged { height, signer, root, own } => {
                // Which of the two roots do most members hold? The other signer is the one to name.
                let size = height + 1;
                let holders =
                    self.nodes.iter().filter(|node| node.member().log().root_at(size).ok() == Some(*own));
                let named = if holders.count() * 2 > self.nodes.len() { *signer } else { by.into() };
                Some(format!(
                    "block {height}: {named} signed another head than the others ({root} against {own})"
                ))
                .filter(|_| named == *signer)
            }
            Report::Frozen(reason) => Some(format!("{by} signs nothing any more: {reason}")),
            Report::Keyless { from } => Some(keyless_text(by, *from)),
        }
    }
}
