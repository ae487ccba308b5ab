//! Receipts for those who ask: a copy of the books in memory, in a thread of its own, so that the chain waits for nobody's
//! receipt. The copy is made when the first is asked for, and follows the node by the operator's door.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Period;
use tallywatt_core::label::AccountId;
use tallywatt_shards::threads::Threads;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::books::BooksError;
use crate::http::{Answer, CONNECTION_WAIT};
use crate::node::NodeError;
use crate::prove::{ProveError, bill_receipt};
use crate::running::view::RunningNodes;

/// Receipts that wait for one that is made.
const JOB_COUNT_MAX: usize = 16;
/// How long a receipt may take: the copy of a long chain is not made in a moment.
const PROVE_WAIT: Duration = Duration::from_secs(50);
const _: () = assert!(PROVE_WAIT.as_secs() < CONNECTION_WAIT.as_secs());
/// How often the third signature under a new block is looked for, and how long between.
const SEAL_TRIES: usize = 20;
const SEAL_PAUSE: Duration = Duration::from_millis(100);

/// Of what node the copy is.
pub(crate) struct Original {
    pub(crate) data: PathBuf,
    pub(crate) party: Party,
    pub(crate) origin: String,
    pub(crate) threads: Threads,
}

/// Who makes receipts.
pub(super) struct Prover {
    jobs: SyncSender<Job>,
}

struct Job {
    account: AccountId,
    period: Period,
    reply: oneshot::Sender<Result<Vec<u8>, Answer>>,
}

impl Prover {
    /// Starts the thread, which ends with this value.
    pub(super) fn start(original: Original) -> std::io::Result<Self> {
        let (jobs, wanted) = sync_channel(JOB_COUNT_MAX);
        std::thread::Builder::new().name("receipts".into()).spawn(move || work(&original, &wanted))?;
        Ok(Self { jobs })
    }

    /// The receipt of an account's bill as it stands.
    pub(super) async fn receipt(&self, account: AccountId, period: Period) -> Result<Vec<u8>, Answer> {
        let (reply, made) = oneshot::channel();
        let busy = || Answer::refused(503, "receipts are being made for others: ask again in a minute");
        match self.jobs.try_send(Job { account, period, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(busy()),
            Err(TrySendError::Disconnected(_)) => return Err(Answer::refused(500, "no receipts are made")),
        }
        match timeout(PROVE_WAIT, made).await {
            Ok(Ok(made)) => made,
            Ok(Err(_)) => Err(Answer::refused(500, "the receipt could not be made")),
            Err(_) => Err(busy()),
        }
    }
}

fn work(original: &Original, wanted: &Receiver<Job>) {
    let mut copy = None;
    while let Ok(Job { account, period, reply }) = wanted.recv() {
        // Who does not wait any more is spared the work.
        if reply.is_closed() {
            continue;
        }
        let made = make(original, &mut copy, account, period);
        // As above.
        let _ = reply.send(made);
    }
}

fn make(
    original: &Original,
    copy: &mut Option<RunningNodes>,
    account: AccountId,
    period: Period,
) -> Result<Vec<u8>, Answer> {
    let failed = |error: &NodeError| Answer::refused(503, format!("the books cannot be read now: {error}"));
    let mut nodes = match copy.take() {
        Some(nodes) => nodes,
        None => {
            let Original { data, party, origin, threads } = original;
            let opened = RunningNodes::open(&[(data.as_path(), *party)], origin, threads);
            opened.map_err(|error| failed(&error))?
        }
    };
    let mut tries = 0;
    loop {
        tries += 1;
        // One that cannot follow is not kept.
        nodes.refresh().map_err(|error| failed(&error))?;
        match bill_receipt(&nodes.nodes()[0], account, period) {
            Ok(receipt) => {
                *copy = Some(nodes);
                return Ok(receipt.encode());
            }
            Err(ProveError::NotSealed { .. }) if tries < SEAL_TRIES => std::thread::sleep(SEAL_PAUSE),
            Err(error) => {
                *copy = Some(nodes);
                return Err(refusal(&error));
            }
        }
    }
}

fn refusal(error: &ProveError) -> Answer {
    let status = match error {
        ProveError::Nothing(_) => 404,
        ProveError::NotSealed { .. } => 503,
        ProveError::Books(BooksError::NotKept { .. }) => 501,
        _ => 500,
    };
    Answer::refused(status, error)
}
