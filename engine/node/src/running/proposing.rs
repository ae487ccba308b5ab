//! What an operator wants recorded: one proposal at a time, from the asking to the signatures over it.
//!
//! ```text
//!   Wanted ─compute─▶ Current ─attested, ordered, stored─▶ Finishing ─two or three signatures─▶ Proposed
//!      ▲                 │ another block came first
//!      └─────────────────┘
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use tallywatt_consensus::members::{Signer, Standing};
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::attesters::PartySet;
use tallywatt_ledger::command::Command;
use tokio::sync::oneshot;

/// Operators' commands that wait behind one that is in flight.
pub(super) const WANTED_COUNT_MAX: usize = 64;
/// How often a command is proposed anew because another block came first.
pub(super) const TRIES_MAX: u8 = 16;
/// How long the third party may take once two agree: it is waited for the next time when it has answered again.
pub(super) const THIRD_WAIT: Duration = Duration::from_secs(5);
/// How long a proposal that two do not attest waits for who is not there: a peer that starts again is seen after a moment, and
/// an operator that asks again and again is slowed down.
pub(super) const AWAY_WAIT: Duration = Duration::from_secs(2);
/// How long the others may compute.
pub(super) const COMPUTE_WAIT: Duration = Duration::from_secs(600);
/// How long an operator waits for a second disk.
pub(super) const ORDER_WAIT: Duration = Duration::from_secs(60);
/// How long the third signature is waited for.
const SEAL_WAIT: Duration = Duration::from_secs(5);
/// How long the second signature is waited for.
const FINAL_WAIT: Duration = Duration::from_secs(30);

/// How many signatures an operator waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Two.
    Final,
    /// Three, the witness counted, or two if no third is there.
    Sealed,
}

/// What became of an operator's command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives for one command")]
pub enum Proposed {
    /// It was proposed.
    Done {
        /// Its height; `None` if the others computed something else.
        height: Option<u64>,
        /// Who signed a head over it.
        cosigners: Vec<Signer>,
        /// What people must be told.
        findings: Vec<String>,
        /// What was proposed, as this node computed it.
        command: Command,
    },
    /// It cannot be computed or proposed.
    Failed(String),
    /// Too few parties are there; whether it will be recorded is not known if it was ordered.
    NoQuorum(String),
}

/// A command that an operator wants recorded.
pub struct Wanted {
    /// What, as the operator's copy of the books gave it.
    pub command: Command,
    /// Its file.
    pub file: Option<Vec<u8>>,
    /// How many signatures are waited for.
    pub until: Until,
    /// Where the outcome goes.
    pub reply: oneshot::Sender<Proposed>,
    /// How often it was proposed.
    pub tries: u8,
}

/// The proposal in flight.
pub(super) struct Current {
    pub(super) wanted: Wanted,
    pub(super) id: ContentHash,
    pub(super) command: Command,
    /// Who must attest it.
    pub(super) asked: PartySet,
    pub(super) attested: BTreeSet<Party>,
    pub(super) answered: BTreeSet<Party>,
    pub(super) undelivered: BTreeSet<Party>,
    pub(super) since: Instant,
    /// When two agreed.
    pub(super) agreed: Option<Instant>,
    /// Set when the order is asked; true ends the asking.
    pub(super) ordering: Option<(Instant, Arc<AtomicBool>)>,
    pub(super) findings: Vec<String>,
}

/// A stored block whose operator waits for signatures.
pub(super) struct Finishing {
    pub(super) wanted: Wanted,
    pub(super) height: u64,
    pub(super) command: Command,
    pub(super) since: Instant,
    pub(super) findings: Vec<String>,
}

impl Finishing {
    /// Whether nothing more is to be waited for, when these have signed and those are not there.
    pub(super) fn is_finished(&self, signers: &[Signer], down: &BTreeSet<Signer>) -> bool {
        let waited = self.since.elapsed();
        let standing = Standing::of(signers);
        let is_final = standing >= Standing::Final;
        let is_all = standing == Standing::Sealed
            || Signer::ALL.iter().all(|signer| signers.contains(signer) || down.contains(signer));
        match self.wanted.until {
            Until::Final => is_final || waited >= FINAL_WAIT,
            Until::Sealed => (is_final && (is_all || waited >= SEAL_WAIT)) || waited >= FINAL_WAIT,
        }
    }

    /// Tells the operator.
    pub(super) fn finish(self, cosigners: Vec<Signer>) {
        let Self { wanted, height, command, findings, .. } = self;
        let done = Proposed::Done { height: Some(height), cosigners, findings, command };
        // An operator that is gone finds the block in the chain.
        let _ = wanted.reply.send(done);
    }
}
