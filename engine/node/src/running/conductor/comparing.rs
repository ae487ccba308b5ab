//! After a dissent: where the proposer's file differs first from this node's own, and how each value follows.
//!
//! The answer is on its way before; nobody waits for this, and a file that does not come leaves the finding without it.

use tallywatt_ledger::block::Proposal;

use super::{Conductor, Told};
use crate::derivation;
use crate::node_folder;
use crate::running::RunError;
use crate::running::files::{Sources, Wanted};

/// A proposal that this node computed otherwise, with the file that it computed.
pub struct Differing {
    pub(super) proposal: Proposal,
    pub(super) own: Vec<u8>,
}

impl Conductor {
    /// Compares the two files: the proposer's is here, or is asked for, at the proposer alone and by the hash that the command
    /// names. One at a time: who proposes many lies is found out by the first.
    pub(super) fn compare(&mut self, differing: Differing, theirs: Option<Vec<u8>>) -> Result<(), RunError> {
        let Proposal { proposer, command, .. } = &differing.proposal;
        if !derivation::is_comparable(command) || self.is_comparing {
            return Ok(());
        }
        self.is_comparing = true;
        if let Some(theirs) = theirs {
            return self.compared(&differing, Ok(theirs));
        }
        let peers = self.parts.peers.iter().filter(|(party, _)| *party == proposer);
        let peers = peers.map(|(party, address)| (*party, *address)).collect();
        let sources = Sources { identity: self.parts.identity.clone(), peers };
        let wanted = Wanted { name: None, hash: node_folder::file_hash_of(command) };
        let (id, teller) = (differing.proposal.id(), self.parts.teller.clone());
        tokio::spawn(async move {
            let result = sources.fetch(id, wanted).await;
            // A conductor that has stopped tells nobody.
            let _ = teller.send(Told::Differing(Box::new(differing), result)).await;
        });
        Ok(())
    }

    /// Tells people of the first value that differs.
    pub(super) fn compared(
        &mut self,
        differing: &Differing,
        theirs: Result<Vec<u8>, String>,
    ) -> Result<(), RunError> {
        self.is_comparing = false;
        let Differing { proposal, own } = differing;
        let what = format!("{} {} of {}", proposal.command.name(), proposal.number, proposal.proposer);
        let theirs = match theirs {
            Ok(theirs) => theirs,
            Err(reason) => {
                self.log(&format!("{what} cannot be compared value by value: {reason}"));
                return Ok(());
            }
        };
        let books = self.parts.node.books();
        match derivation::first_difference(books, &proposal.command, own, &theirs) {
            Some(found) => self.find(format!("{what} differs first here: {found}"), true),
            None => Ok(()),
        }
    }
}
