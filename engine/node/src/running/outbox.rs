//! What goes to one peer: announcements and answers in order, the newest signature, and a question now and then.
//!
//! A peer that is slow or gone holds nobody up: what waits for it is bounded and grows old, and of signatures only the
//! newest is kept, which covers all before it. What a peer missed it asks for itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tallywatt_consensus::machine::Cosignature;
use tallywatt_consensus::members::Signer;
use tallywatt_consensus::message::{Reply, Request};
use tallywatt_core::hash::ContentHash;
use tokio::sync::{mpsc, watch};

use crate::peers::limits::{ANSWER_WAIT, NOTE_COUNT_MAX};
use crate::peers::link::Link;
use crate::running::conductor::Told;
use crate::running::reach::Reach;

/// How long something waits for a peer before it is of no more use.
const NOTE_AGE_MAX: Duration = Duration::from_secs(5);
/// How often a peer is asked what it has: also how soon one that is gone is noticed.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// A request to a peer, and the proposal whose announcement it is, if it is one.
struct Note {
    request: Request,
    announces: Option<ContentHash>,
    since: Instant,
}

/// What goes to one peer.
pub(super) struct Outbox {
    notes: mpsc::Sender<Note>,
    newest: watch::Sender<BTreeMap<Signer, Cosignature>>,
    is_exact: watch::Sender<bool>,
}

impl Outbox {
    /// Opens it: three tasks with a link each, until it is dropped.
    pub(super) fn open(link: Link, teller: mpsc::Sender<Told>, reach: Arc<Reach>) -> Self {
        let (notes, waiting) = mpsc::channel(NOTE_COUNT_MAX);
        let (newest, signed) = watch::channel(BTreeMap::new());
        let (is_exact, exact) = watch::channel(true);
        tokio::spawn(deliver(link.again(), waiting, teller.clone()));
        tokio::spawn(sign(link.again(), signed));
        tokio::spawn(ask(link, exact, teller, reach));
        Self { notes, newest, is_exact }
    }

    /// Announces a proposal; whether it was taken is told.
    pub(super) fn announce(&self, request: Request, id: ContentHash) -> bool {
        self.push(request, Some(id))
    }

    /// Sends an answer.
    pub(super) fn answer(&self, request: Request) {
        // A full box is of a peer that is gone: it will propose again.
        self.push(request, None);
    }

    fn push(&self, request: Request, announces: Option<ContentHash>) -> bool {
        self.notes.try_send(Note { request, announces, since: Instant::now() }).is_ok()
    }

    /// Sends a signature, in place of an older one of its signer that still waits: this party's, or what the witness gave it.
    pub(super) fn sign(&self, cosignature: Cosignature) {
        self.newest.send_modify(|newest| {
            newest.insert(cosignature.signer, cosignature);
        });
    }

    /// Whether the peer is asked to apply all that is ordered before it says what it has.
    pub(super) fn ask_exactly(&self, is_exact: bool) {
        self.is_exact.send_replace(is_exact);
    }
}

async fn deliver(mut link: Link, mut waiting: mpsc::Receiver<Note>, teller: mpsc::Sender<Told>) {
    let peer = link.peer();
    while let Some(Note { request, announces, since }) = waiting.recv().await {
        let is_taken = since.elapsed() < NOTE_AGE_MAX
            && matches!(link.call(&request, ANSWER_WAIT).await, Ok(Reply::Taken(_)));
        if let Some(id) = announces
            && !is_taken
            && teller.send(Told::Undelivered(peer, id)).await.is_err()
        {
            return;
        }
    }
}

async fn sign(mut link: Link, mut signed: watch::Receiver<BTreeMap<Signer, Cosignature>>) {
    let mut sent: BTreeMap<Signer, Cosignature> = BTreeMap::new();
    while signed.changed().await.is_ok() {
        let newest = signed.borrow_and_update().clone();
        for (signer, cosignature) in &newest {
            if sent.get(signer) != Some(cosignature) {
                // What does not arrive is asked for.
                let _ = link.call(&Request::Cosign(cosignature.clone()), ANSWER_WAIT).await;
            }
        }
        sent = newest;
    }
}

async fn ask(
    mut link: Link,
    mut exact: watch::Receiver<bool>,
    teller: mpsc::Sender<Told>,
    reach: Arc<Reach>,
) {
    let peer = link.peer();
    loop {
        let is_exact = *exact.borrow_and_update();
        let reply =
            link.call(&Request::Newest(is_exact), ANSWER_WAIT).await.map_err(|error| error.to_string());
        reach.asked(peer, reply.is_ok());
        if teller.send(Told::Answered(peer, is_exact, reply)).await.is_err() {
            return;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
