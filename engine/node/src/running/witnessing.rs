//! Asking the witness: the newest head that two parties signed, again and again until it is cosigned or there is a newer one.
//!
//! ```text
//!   conductor ─ head ─▶ asking ─ how is it shown from size n? ─▶ conductor
//!                 ▲         └─ POST ─▶ witness ─▶ signed: told · stands elsewhere: from there · else: again, later
//! ```
//!
//! Each node asks by itself. A witness that is down, slow or lying costs this task its time, and nobody else's: the
//! conductor gives a head away and goes on. A head that only one party signed is not shown to it: a witness that signed a
//! wrong one would cosign no right one any more.

use std::time::Duration;

use tallywatt_consensus::machine::Cosignature;
use tallywatt_consensus::members::Signer;
use tallywatt_ledger::key::VerifierKey;
use tallywatt_ledger::log::{LogError, LogHash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::witness::AddCheckpoint;
use tokio::sync::{mpsc, oneshot, watch};

use crate::running::conductor::Told;
use crate::witness::client::{self, Answered};

/// How long until a witness that did not sign is asked again.
const AGAIN: Duration = Duration::from_millis(500);
/// How often one head is shown before the next pause: once to learn where the witness stands, once from there, and once more
/// if another node was faster.
const TRY_COUNT_MAX: usize = 3;

/// A head to be cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) size: u64,
    pub(super) root: LogHash,
    /// Signed by this party as the log, and cosigned by two.
    pub(super) note: Note,
    /// The witness's key in force for it.
    pub(super) key: VerifierKey,
}

/// What the witness said.
pub enum Witnessed {
    /// It signed.
    Signed(Cosignature),
    /// It did not, and why.
    Not(String),
}

/// Who asks.
pub(super) struct Witnessing {
    heads: watch::Sender<Option<Head>>,
}

impl Witnessing {
    /// Begins to ask the witness at an address, until it is dropped.
    pub(super) fn open(address: String, teller: mpsc::Sender<Told>) -> Self {
        let (heads, wanted) = watch::channel(None);
        tokio::spawn(ask(Asking { address, teller, known: 0 }, wanted));
        Self { heads }
    }

    /// Asks for this head from here on.
    pub(super) fn ask(&self, head: Head) {
        self.heads.send_replace(Some(head));
    }
}

struct Asking {
    address: String,
    teller: mpsc::Sender<Told>,
    /// Where the witness stands, as far as is known.
    known: u64,
}

async fn ask(mut asking: Asking, mut heads: watch::Receiver<Option<Head>>) {
    let mut signed = 0;
    loop {
        let head = heads.borrow_and_update().clone().filter(|head| head.size > signed);
        let Some(head) = head else {
            match heads.changed().await {
                Ok(()) => continue,
                Err(_) => return,
            }
        };
        let (size, root) = (head.size, head.root);
        let told = match asking.show(head).await {
            Ok(line) => {
                signed = size;
                Witnessed::Signed(Cosignature { signer: Signer::Witness, size, root, line })
            }
            Err(reason) => Witnessed::Not(reason),
        };
        let is_signed = matches!(told, Witnessed::Signed(_));
        if asking.teller.send(Told::Witnessed(told)).await.is_err() {
            return;
        }
        if !is_signed {
            tokio::time::sleep(AGAIN).await;
        }
        if heads.has_changed().is_err() {
            return;
        }
    }
}

impl Asking {
    async fn show(&mut self, head: Head) -> Result<tallywatt_ledger::note::SignatureLine, String> {
        for _ in 0..TRY_COUNT_MAX {
            let old_size = self.known;
            let proof = match old_size {
                0 => Vec::new(),
                _ => self.proof(old_size, head.size).await?,
            };
            let request = AddCheckpoint { old_size, proof, note: head.note.clone() };
            match client::add_checkpoint(&self.address, &head.key, &request).await? {
                Answered::Signed(line) => {
                    self.known = head.size;
                    return Ok(line);
                }
                Answered::Stands(size) if size == old_size => {
                    let told =
                        "it has cosigned another head of this size: one of the two is of a false history";
                    return Err(format!("{told} (size {size})"));
                }
                Answered::Stands(size) if size > head.size => {
                    // Another node was faster, or it lies: the next head is shown from where it stands then.
                    self.known = 0;
                    return Err(format!("it stands at size {size}, this head has {}", head.size));
                }
                Answered::Stands(size) => self.known = size,
                Answered::Refused(status, reason) => {
                    self.known = 0;
                    return Err(format!("it refuses the head of size {} ({status}): {reason}", head.size));
                }
            }
        }
        Err("it stands elsewhere each time it is asked".to_owned())
    }

    async fn proof(&self, old_size: u64, size: u64) -> Result<Vec<LogHash>, String> {
        let stopping = || "the node is stopping".to_owned();
        let (reply, proof) = oneshot::channel();
        self.teller.send(Told::Proof(old_size, size, reply)).await.map_err(|_| stopping())?;
        let proof: Result<Vec<LogHash>, LogError> = proof.await.map_err(|_| stopping())?;
        proof.map_err(|error| error.to_string())
    }
}
