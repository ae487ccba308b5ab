//! What the conductor shows of its node: the head in the store, the trust policy, the status.

use tallywatt_consensus::members::{FINAL_COUNT, SEALED_COUNT, Signer};
use tallywatt_core::agreement::Party;

use super::Conductor;
use crate::governing;
use crate::running::RunError;
use crate::running::status::{PeerStatus, Status, WitnessStatus};

impl Conductor {
    /// Stores and publishes the newest head, with what was signed since: durably once it is quiet, since each block that
    /// comes makes what was stored before it durable too.
    pub(super) fn store_head(&mut self) -> Result<(), RunError> {
        let size = self.parts.node.member().size();
        self.flush()?;
        let is_quiet = self.head_size == size;
        self.head_size = size;
        if std::mem::replace(&mut self.is_head_stale, false) {
            self.is_head_soft = true;
            self.parts.node.store_head_soon()?;
        }
        if is_quiet && std::mem::take(&mut self.is_head_soft) {
            self.parts.node.flush()?;
        }
        Ok(())
    }

    /// Writes the trust policy anew when other keys sign heads. Without it only what is given out of this folder by name is old.
    pub(super) fn keep_policy(&mut self) {
        let member = self.parts.node.member();
        let Some(directory) = member.directory() else { return };
        let from = directory.keys().of_head(member.size()).from();
        if self.policy_from.replace(from) != Some(from)
            && let Err(error) = governing::keep_policy(&self.parts.data, directory.keys(), member.size())
        {
            self.log(&format!("the trust policy is not written: {error}"));
        }
    }

    /// Shows people and the desk what this node holds now.
    pub(super) fn publish(&self) {
        self.show_desk();
        let (member, order) = (self.parts.node.member(), &self.parts.order);
        let signed = |signer: Signer| self.signed.get(&signer).copied().unwrap_or(0);
        let books = self.parts.node.books();
        let is_witnessed = match books.keys_now() {
            Ok(keys) => keys.witness().is_some(),
            Err(_) => self.parts.genesis.witness.is_some(),
        };
        let witness = is_witnessed.then(|| WitnessStatus {
            problem: self.witness_problem.clone(),
            signed: signed(Signer::Witness),
        });
        let peers = self.parts.peers.keys().map(|peer| {
            let is_up = self.down.get(peer) == Some(&false);
            (peer.name().to_owned(), PeerStatus { is_up, signed: signed((*peer).into()) })
        });
        self.parts.state.send_replace(Status {
            party: self.party.name().to_owned(),
            blocks: member.size(),
            root: member.log().root().to_string(),
            final_size: nth_largest(Party::ALL.map(|party| signed(party.into())), FINAL_COUNT),
            sealed_size: nth_largest(Signer::ALL.map(signed), SEALED_COUNT),
            signed: signed(self.party.into()),
            leader: order.leader().map(|leader| leader.name().to_owned()),
            term: order.position().term,
            applied: self.parts.applied,
            frozen: member.frozen().map(str::to_owned),
            keys: books.keys_words(),
            is_keyless: member.is_keyless(),
            peers: peers.collect(),
            witness,
            findings: self.findings.clone(),
        });
    }
}

/// The size that so many of these reach: heads are of one chain, so who signed a larger one signed all before it.
fn nth_largest<const N: usize>(mut sizes: [u64; N], count: usize) -> u64 {
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes[count - 1]
}
