//! The ledger as a command meets it: three nodes in this process, or nodes that run in others.

use tallywatt_consensus::members::Signer;
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::hash::Published;

use crate::books::{Computed, Input};
use crate::consortium::{self, Consortium, Outcome};
use crate::node::{Node, NodeError};
use crate::running::view::RunningNodes;

/// Where the nodes are.
pub enum Ledger {
    /// All three in this process.
    Together(Box<Consortium>),
    /// Each in a process of its own; those whose folders are at hand.
    Running(RunningNodes),
}

impl Ledger {
    /// The node of a party; of another party, where only that is at hand: their books are the same.
    #[must_use]
    pub fn node(&self, party: Party) -> &Node {
        match self {
            Self::Together(consortium) => consortium.node(party),
            Self::Running(running) => {
                let nodes = running.nodes();
                nodes.iter().find(|node| node.party() == party).unwrap_or(&nodes[0])
            }
        }
    }

    /// The node of a party, to switch a fault on.
    pub fn node_mut(&mut self, party: Party) -> &mut Node {
        match self {
            Self::Together(consortium) => consortium.node_mut(party),
            Self::Running(running) => {
                let at = running.nodes().iter().position(|node| node.party() == party).unwrap_or(0);
                &mut running.nodes_mut()[at]
            }
        }
    }

    /// The nodes at hand, in the order of the parties.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        match self {
            Self::Together(consortium) => consortium.nodes(),
            Self::Running(running) => running.nodes(),
        }
    }

    /// Computes what `proposer` would propose, and changes nothing.
    ///
    /// # Errors
    /// [`NodeError::Books`].
    pub fn plan(&self, proposer: Party, input: Input) -> Result<Computed, NodeError> {
        self.node(proposer).compute(input)
    }

    /// Proposes, has it recomputed, ordered, stored and signed.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn propose(&mut self, proposer: Party, input: Input) -> Result<Outcome, NodeError> {
        match self {
            Self::Together(consortium) => consortium.propose(proposer, input),
            Self::Running(running) => running.propose(proposer, input),
        }
    }

    /// Signs a published agreement as both of its parties, whose keys must be here, and proposes its activation.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn activate(&mut self, agreement: &Published<Agreement>) -> Result<Outcome, NodeError> {
        for party in [agreement.body.payee, agreement.body.remainder] {
            if self.node(party).party() != party {
                let what = "signs its agreements itself, with `tallywatt agreement sign`".to_owned();
                return Err(NodeError::Running { party, what, is_quorum: false });
            }
        }
        let (party, activation) = consortium::activation_by(|party| self.node(party), agreement)?;
        self.propose(party, Input::Activation(Box::new(activation)))
    }

    /// Who signed the head of this size, as most nodes see it.
    #[must_use]
    pub fn cosigners(&self, size: u64) -> Vec<Signer> {
        let seen = self.nodes().iter().map(|node| node.member().cosigners(size));
        seen.max_by_key(Vec::len).unwrap_or_default()
    }
}
