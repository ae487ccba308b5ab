//! Heads: what this member signs, when, and what the signatures of all under one head come to.
//!
//! ```text
//!   stored ─▶ lock allows it? ─▶ StoreLock ─▶ LockStored ─▶ cosignature ─┐
//!   others' cosignatures, verified ──────────────────────────────────────┴─▶ 2 parties final, 3 signers sealed
//!                        under another root ─▶ Diverged; the same key under both ─▶ DoubleSigned
//! ```
//!
//! The witness is a signer among others, but for two things: it never makes a head final, and nobody freezes for its sake.
//!
//! A member that starts again asks its peers for its own newest signature before it signs: its folder may have been put back
//! from a copy that is older than what the key has signed since.
//!
//! A head of size n is signed by the keys in force at its last block. Keys that a motion replaced count for nothing under later
//! heads; the lock goes on across the change, so sizes stay monotone whichever key signs.

use std::collections::{BTreeMap, BTreeSet};

use tallywatt_core::agreement::Party;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::key::{Cosigner, VerifierKey};
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::note::Note;

use super::{Action, Cosignature, Fault, Member, MemberError, Report};
use crate::lock::{LockError, SignLock};
use crate::members::{FINAL_COUNT, Signer, Standing};

/// How far ahead of its own chain a member keeps the signatures of others, blocks.
pub const AHEAD_COUNT_MAX: u64 = 1_024;

/// Among how many of the newest heads one that is final or sealed is looked for.
const RECENT_COUNT_MAX: usize = 64;

/// Signatures under heads, by size and signer.
#[derive(Default)]
pub(super) struct Heads {
    /// Under the root computed here.
    own_root: BTreeMap<u64, BTreeMap<Signer, Cosignature>>,
    /// Under another.
    other_root: BTreeMap<u64, BTreeMap<Signer, Cosignature>>,
    /// Under heads that this chain has not reached; whether they hold is seen when it has.
    ahead: BTreeMap<(u64, Signer), Cosignature>,
    /// The largest size that each signer signed under the root computed here, and under another.
    newest: [BTreeMap<Signer, u64>; 2],
}

impl Heads {
    /// Puts a verified signature under the root computed here, or under another; `false` if that signer's is there.
    fn insert(&mut self, cosignature: Cosignature, is_own_root: bool) -> bool {
        let Cosignature { signer, size, .. } = cosignature;
        let heads = if is_own_root { &mut self.own_root } else { &mut self.other_root };
        let is_new = heads.entry(size).or_default().insert(signer, cosignature).is_none();
        let newest = self.newest[usize::from(!is_own_root)].entry(signer).or_default();
        *newest = (*newest).max(size);
        is_new
    }
}

impl Member {
    /// Who signed the head of this size with the root computed here.
    #[must_use]
    pub fn cosigners(&self, size: u64) -> Vec<Signer> {
        self.heads.own_root.get(&size).map(|lines| lines.keys().copied().collect()).unwrap_or_default()
    }

    /// What the signatures under the head of this size come to.
    #[must_use]
    pub fn standing(&self, size: u64) -> Standing {
        Standing::of(&self.cosigners(size))
    }

    /// The size of the largest head that stands so high, if one is known here.
    #[must_use]
    pub fn newest_head(&self, standing: Standing) -> Option<u64> {
        let newest = self.heads.own_root.iter().rev().take(RECENT_COUNT_MAX);
        newest.map(|(size, _)| *size).find(|size| self.standing(*size) >= standing)
    }

    /// The signature of one under the head of this size, if it is known here.
    #[must_use]
    pub fn cosignature(&self, size: u64, signer: Signer) -> Option<&Cosignature> {
        self.heads.own_root.get(&size)?.get(&signer)
    }

    /// The signature under the largest head that is known here of a signer: what a party asks its peers for when it starts.
    #[must_use]
    pub fn newest_cosignature(&self, signer: Signer) -> Option<&Cosignature> {
        let ahead = self.heads.ahead.iter().rev().find(|((_, by), _)| *by == signer);
        let [own, other] = self.heads.newest.each_ref().map(|newest| newest.get(&signer).copied());
        match ahead {
            Some((_, cosignature)) => Some(cosignature),
            None if other > own => self.heads.other_root.get(&other?)?.get(&signer),
            None => self.heads.own_root.get(&own?)?.get(&signer),
        }
    }

    /// The head of this size as a C2SP note: this party's log signature if it holds the key in force, then every cosignature, by
    /// signer; nothing if nobody has signed it.
    ///
    /// # Errors
    /// [`MemberError`] if no such head is known.
    pub fn head_note(&self, size: u64) -> Result<Option<Note>, MemberError> {
        let text = self.checkpoint(size, self.log.root_at(size)?)?.to_text();
        let named = self.directory.as_ref().map(|directory| directory.log_key(self.party, size));
        let log = named.and_then(|named| self.keys.log(named));
        let mut lines: Vec<_> = log.map(|log| log.sign(&text)).transpose()?.into_iter().collect();
        if let Some(head) = self.heads.own_root.get(&size) {
            lines.extend(head.values().map(|cosignature| cosignature.line.clone()));
        }
        Ok(if lines.is_empty() { None } else { Some(Note::new(&text, lines)?) })
    }

    /// The key that the chain names for this party under a head of this size.
    fn named_key(&self, size: u64) -> Option<&VerifierKey> {
        self.directory.as_ref().and_then(|directory| directory.cosigner_key(self.party.into(), size))
    }

    /// The key that signs a head of this size here, if this node holds it.
    fn cosigner(&self, size: u64) -> Result<&Cosigner, MemberError> {
        let lack = MemberError::Keyless { party: self.party, height: size.saturating_sub(1) };
        self.named_key(size).and_then(|named| self.keys.witness(named)).ok_or(lack)
    }

    /// Whether this node lacks a key that the chain names for its party at the next block: then it signs nothing.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        let Some(directory) = &self.directory else { return false };
        let keys = directory.keys().at(self.size()).of(self.party);
        self.keys.exec(&keys.exec).is_none()
            || self.keys.witness(&keys.witness).is_none()
            || self.keys.log(&keys.log).is_none()
    }

    /// Tells people, once for each set of keys, that this node lacks them.
    fn keyless(&mut self, size: u64) -> Vec<Action> {
        let Some(directory) = &self.directory else { return Vec::new() };
        let from = directory.keys().of_head(size).from();
        match self.keyless_from.replace(from) == Some(from) {
            true => Vec::new(),
            false => vec![Action::Report(Report::Keyless { from })],
        }
    }

    /// Puts a signature back that was stored with a head.
    ///
    /// # Errors
    /// [`MemberError`] if it does not verify.
    pub fn restore_cosignature(&mut self, cosignature: Cosignature) -> Result<(), MemberError> {
        self.cosigned(cosignature).map(|_| ())
    }

    /// After a restart: asks for its own signature under the last head, if that is missing.
    ///
    /// # Errors
    /// [`MemberError::Log`] never in a sound member.
    pub fn resume(&mut self) -> Result<Vec<Action>, MemberError> {
        match self.size() {
            0 => Ok(Vec::new()),
            size => self.stored(size),
        }
    }

    /// The block of this size is durable: its head may be signed, if the lock and the peers allow it, and no newer one is
    /// there.
    pub(super) fn stored(&mut self, size: u64) -> Result<Vec<Action>, MemberError> {
        let is_signed = self.cosigners(size).contains(&self.party.into());
        let is_early = size < self.floor || !self.has_heard();
        if self.frozen.is_some() || size != self.size() || is_signed || is_early {
            return Ok(Vec::new());
        }
        if self.cosigner(size).is_err() {
            return Ok(self.keyless(size));
        }
        let root = self.log.root_at(size)?;
        if self.fault == Some(Fault::NoLock) {
            return Ok(vec![Action::StoreLock(SignLock { size, root })]);
        }
        match SignLock::advance(self.lock, size, root) {
            Ok(lock) => Ok(vec![Action::StoreLock(lock)]),
            // The chain has not come back yet to where this key has signed.
            Err(LockError::Smaller { .. }) => Ok(Vec::new()),
            Err(error @ LockError::OtherRoot { .. }) => {
                Ok(self.stop(format!("its key has signed another history: {error}")))
            }
        }
    }

    /// Whether enough peers said what they hold: any of them has seen a signature that counted for something; without a lock
    /// only all of them can tell that there was none.
    fn has_heard(&self) -> bool {
        let needed = if self.has_own_lock() { 1 } else { Party::ALL.len() - 1 };
        self.heard.len() >= needed || self.fault == Some(Fault::NoLock)
    }

    /// Whether its lock is the last one it stored.
    const fn has_own_lock(&self) -> bool {
        self.lock.is_some() && !self.is_restored
    }

    /// Takes what a peer holds of this member's own signatures.
    ///
    /// A signature may have left this node and reached nobody yet. Its head was ordered before, so a member that has no lock
    /// of its own signs nothing smaller than what is ordered now. A peer that exaggerates keeps it from signing, not from
    /// following: people must look.
    pub(super) fn hear(
        &mut self,
        from: Party,
        own: Option<Cosignature>,
        ordered_size: u64,
    ) -> Result<Vec<Action>, MemberError> {
        if from == self.party || self.fault == Some(Fault::NoLock) {
            return Ok(Vec::new());
        }
        // Of a key that was replaced since, it says how far the party has signed, and nothing of the key in force.
        let mut is_of_retired = false;
        if let Some(Cosignature { size, root, line, .. }) = &own {
            let text = self.checkpoint(*size, *root)?.to_text();
            let held = self.keys.witnesses().map(Cosigner::verifier_key);
            let key = held.chain(self.named_key(*size)).find(|key| key.is_named_by(line));
            let key =
                key.ok_or(MemberError::Keyless { party: self.party, height: size.saturating_sub(1) })?;
            key.verify_cosignature(&text, line)?;
            is_of_retired = self.named_key(self.size()).is_some_and(|named| named != key);
        }
        if !self.has_own_lock() && !self.heard.contains(&from) {
            self.floor = self.floor.max(ordered_size);
        }
        let Some(Cosignature { size, root, .. }) = own else {
            self.heard.insert(from);
            return self.resume();
        };
        let is_other_here = size <= self.size() && self.log.root_at(size)? != root;
        let is_other_locked = self.lock.is_some_and(|lock| lock.size == size && lock.root != root);
        if is_other_here || is_other_locked {
            return Ok(self.stop(format!("{from} holds its signature under another head of size {size}")));
        }
        match self.lock {
            None if self.size() > 0 && !self.is_restored && !is_of_retired => Ok(self.stop(
                "its sign lock is lost: the key is not to be used any more, a motion may replace it"
                    .to_owned(),
            )),
            Some(lock) if lock.size >= size => {
                self.heard.insert(from);
                self.resume()
            }
            _ => Ok(vec![Action::RaiseLock { lock: SignLock { size, root }, from }]),
        }
    }

    /// The lock is what a peer held: that peer has said what it has.
    pub(super) fn lock_raised(&mut self, lock: SignLock, from: Party) -> Result<Vec<Action>, MemberError> {
        if self.lock.is_none_or(|held| held.size < lock.size) {
            self.lock = Some(lock);
        }
        self.heard.insert(from);
        self.resume()
    }

    /// Freezes, and tells people why.
    fn stop(&mut self, reason: String) -> Vec<Action> {
        self.freeze(reason).map(|reason| Action::Report(Report::Frozen(reason))).into_iter().collect()
    }

    pub(super) fn sign(&mut self, lock: SignLock, now_unix_s: u64) -> Result<Vec<Action>, MemberError> {
        if self.fault != Some(Fault::NoLock) {
            SignLock::advance(self.lock, lock.size, lock.root)?;
        }
        self.lock = Some(lock);
        let checkpoint = self.checkpoint(lock.size, lock.root)?;
        let line = self.cosigner(lock.size)?.sign_cosignature(&checkpoint.to_text(), now_unix_s)?;
        let cosignature = Cosignature { signer: self.party.into(), size: lock.size, root: lock.root, line };
        let mut actions = vec![Action::SendCosignature(cosignature.clone())];
        // Just made: it verifies.
        actions.extend(self.place(cosignature)?);
        Ok(actions)
    }

    pub(super) fn cosigned(&mut self, cosignature: Cosignature) -> Result<Vec<Action>, MemberError> {
        let Cosignature { signer, size, root, .. } = cosignature;
        if self.cosignature(size, signer) == Some(&cosignature) {
            return Ok(Vec::new());
        }
        let Some(directory) = &self.directory else { return Ok(Vec::new()) };
        let text = self.checkpoint(size, root)?.to_text();
        let key = directory.cosigner_key(signer, size).ok_or(MemberError::NoWitness(size))?;
        key.verify_cosignature(&text, &cosignature.line)?;
        let own_size = self.size();
        if size > own_size && size - own_size > AHEAD_COUNT_MAX {
            return Err(MemberError::Ahead { size, own: own_size });
        }
        self.place(cosignature)
    }

    /// Puts a signature that verifies where it belongs: under this chain's head of its size, or ahead of it.
    fn place(&mut self, cosignature: Cosignature) -> Result<Vec<Action>, MemberError> {
        let Cosignature { size, root, .. } = cosignature;
        if size > self.size() {
            return Ok(self.keep_ahead(cosignature));
        }
        let own = self.log.root_at(size)?;
        Ok(if root == own { self.agreeing(cosignature) } else { self.contradicting(cosignature, own) })
    }

    /// Keeps a signature under a head that is still to come; the newest of a signer is enough, if it holds.
    fn keep_ahead(&mut self, cosignature: Cosignature) -> Vec<Action> {
        let key = (cosignature.size, cosignature.signer);
        match self.heads.ahead.get(&key) {
            // Of two keys only one is in force there, and which one the blocks between have told by now.
            Some(known)
                if known.root != cosignature.root && known.line.key_id() == cosignature.line.key_id() =>
            {
                let (own_root, other_root) = (Box::new(known.clone()), Box::new(cosignature));
                vec![Action::Report(Report::DoubleSigned { own_root, other_root })]
            }
            _ => {
                self.heads.ahead.insert(key, cosignature);
                Vec::new()
            }
        }
    }

    /// Signatures that came before the block they are under. One whose key a block between has replaced counts for nothing.
    pub(super) fn take_ahead(&mut self) -> Result<Vec<Action>, MemberError> {
        let size = self.size();
        let mut actions = Vec::new();
        for signer in Signer::ALL {
            if let Some(cosignature) = self.heads.ahead.remove(&(size, signer)) {
                match self.cosigned(cosignature) {
                    Ok(taken) => actions.extend(taken),
                    Err(MemberError::Note(_) | MemberError::NoWitness(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(actions)
    }

    fn agreeing(&mut self, cosignature: Cosignature) -> Vec<Action> {
        let Cosignature { signer, size, .. } = cosignature;
        let other = self.heads.other_root.get(&size).and_then(|lines| lines.get(&signer)).cloned();
        let before = self.standing(size);
        if !self.heads.insert(cosignature.clone(), true) {
            return Vec::new();
        }
        let mut actions: Vec<Action> = double_signed(Some(cosignature), other).into_iter().collect();
        let after = self.standing(size);
        if before < Standing::Final && after >= Standing::Final {
            actions.push(Action::Report(Report::Final(size)));
        }
        if before < Standing::Sealed && after >= Standing::Sealed {
            actions.push(Action::Report(Report::Sealed(size)));
        }
        actions
    }

    /// A valid signature under another root: portable evidence against one of the two.
    fn contradicting(&mut self, cosignature: Cosignature, own: LogHash) -> Vec<Action> {
        let Cosignature { signer, size, root, .. } = cosignature;
        let agreed = self.heads.own_root.get(&size).and_then(|lines| lines.get(&signer)).cloned();
        if !self.heads.insert(cosignature.clone(), false) {
            return Vec::new();
        }
        let lines = &self.heads.other_root[&size];
        let parties: BTreeSet<Party> = lines
            .iter()
            .filter(|(_, line)| line.root == root)
            .filter_map(|(signer, _)| signer.party())
            .collect();
        let mut actions = vec![Action::Report(Report::Diverged { height: size - 1, signer, root, own })];
        actions.extend(double_signed(agreed, Some(cosignature)));
        // A witness computes nothing: where it and one party stand elsewhere, this member may still be right.
        if parties.len() >= FINAL_COUNT {
            actions.extend(self.stop(format!("both others signed another head over block {}", size - 1)));
        }
        actions
    }

    fn checkpoint(&self, size: u64, root: LogHash) -> Result<Checkpoint, MemberError> {
        Ok(Checkpoint::new(&self.origin, size, root)?)
    }
}

/// One key under two roots at one size.
fn double_signed(own: Option<Cosignature>, other: Option<Cosignature>) -> Option<Action> {
    let (own_root, other_root) = (Box::new(own?), Box::new(other?));
    Some(Action::Report(Report::DoubleSigned { own_root, other_root }))
}
