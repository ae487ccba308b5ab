//! Evidence that a node makes by itself: a text in its folder that `verify` reads without it.
//!
//! What a crash leaves: an older text of the same dispute, or none. The statements that it held are gone then, but for those
//! that others hold; the finding stays.

use tallywatt_consensus::machine::Cosignature;
use tallywatt_consensus::members::Standing;
use tallywatt_core::agreement::Party;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::double_signature::DoubleSignature;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_ledger::wrong_result::{Dispute, Judgement, WrongResult};

use super::{Node, NodeError};
use crate::node_folder::EVIDENCE_NAME;

impl Node {
    /// Keeps the evidence of a dispute in a file of the node's folder, and says what people must be told of it: the line.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn keep_dispute(&self, dispute: &Dispute) -> Result<String, NodeError> {
        let proposal = dispute.proposal();
        let what = format!(
            "{} {} of {}",
            proposal.command.name(),
            proposal.number,
            judged(dispute.judgement(), proposal.proposer, dispute)
        );
        let evidence = match self.evidence_of(dispute)? {
            Ok(evidence) => evidence,
            Err(lack) => return Ok(format!("{what}; no evidence of it: {lack}")),
        };
        let name = format!("wrong-result-{}.evidence", &proposal.id().to_string()[..16]);
        self.keep(what, &name, &evidence.encode())
    }

    /// Keeps the evidence of a double signature, and gives the line of it: both signatures need nothing else to be believed.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn keep_double_signature(&self, one: &Cosignature, other: &Cosignature) -> Result<String, NodeError> {
        let Cosignature { signer, size, .. } = one;
        let what = format!("{signer} signed two heads of size {size}: {} and {}", one.root, other.root);
        let origin = self.books.genesis().map_or("", |genesis| genesis.origin.as_str());
        let note = |signed: &Cosignature| {
            let text = Checkpoint::new(origin, signed.size, signed.root).ok()?.to_text();
            Note::new(&text, vec![signed.line.clone()]).ok()
        };
        let evidence =
            note(one).zip(note(other)).and_then(|(one, other)| DoubleSignature::new(one, other).ok());
        match evidence {
            Some(evidence) => {
                let name = format!("double-signature-{signer}-{size}.evidence");
                self.keep(what, &name, &evidence.encode())
            }
            None => Ok(what),
        }
    }

    fn keep(&self, what: String, name: &str, text: &str) -> Result<String, NodeError> {
        let kept = self.folder.keep_evidence(name, text.as_bytes());
        Ok(match kept.map_err(|source| NodeError::Folder { party: self.party, source })? {
            true => format!("{what}; evidence: {EVIDENCE_NAME}/{name}"),
            false => format!("{what}; the folder of evidence is full"),
        })
    }

    /// The dispute with the first block, and that block's place in the log under the newest head that is sealed, or at least
    /// final; or what is missing. It is believed by the keys of the first block: who signs by keys that a motion named cannot be
    /// convicted so.
    fn evidence_of(&self, dispute: &Dispute) -> Result<Result<WrongResult, &'static str>, NodeError> {
        let (party, member) = (self.party, &self.member);
        let newest = member.newest_head(Standing::Sealed).or_else(|| member.newest_head(Standing::Final));
        let fail = |source| NodeError::Store { party, source };
        let no_head = "no head is final yet";
        let (Some(size), Some(first)) = (newest, self.store.block(0).map_err(fail)?) else {
            return Ok(Err(no_head));
        };
        if self.books.genesis().is_none_or(|genesis| dispute.check(genesis).is_err()) {
            return Ok(Err("a party signed it by a key that the first block does not name"));
        }
        let note = member.head_note(size).map_err(|source| NodeError::Member { party, source })?;
        let Some(note) = note else { return Ok(Err(no_head)) };
        let path = member.log().prove_inclusion(0, size);
        let path = path.map_err(|error| NodeError::Member { party, source: error.into() })?;
        let damaged = |what: String| NodeError::Damaged { party, place: format!("head {size}"), what };
        let proof = TlogProof::new(None, 0, path, note).map_err(|error| damaged(error.to_string()))?;
        Ok(Ok(WrongResult::new(first.block, first.leaf, dispute.clone(), proof)))
    }
}

/// The words behind "of": who proposed it, and what the statements come to.
fn judged(judgement: Judgement, proposer: Party, dispute: &Dispute) -> String {
    let others: Vec<&str> = dispute.others().iter().map(|(party, _)| party.name()).collect();
    match judgement {
        Judgement::Contradicted(party) => {
            format!("{proposer}: two parties signed another result than {party}")
        }
        Judgement::Open => {
            format!("{proposer}: {} signed another result, one of them is wrong", others.join(" and "))
        }
        Judgement::OtherFile => {
            format!(
                "{proposer}: {} signed another result, of another file than it names",
                others.join(" and ")
            )
        }
    }
}
