//! Answers the requests of peers: at once where it can, through the conductor where the node must be asked.

use std::sync::Arc;
use std::time::Duration;

use tallywatt_consensus::message::{Reply, Request};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::attesters::{Attesters, CommandKind};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::order::RaftOrder;
use crate::peers::limits::ANSWER_WAIT;
use crate::peers::listener::Service;
use crate::running::conductor::Told;
use crate::running::files::Files;
use crate::running::reach::Reach;
use crate::store::{Asker, Denied};

/// How long the conductor may be busy before a peer is told so: less than a peer waits, which would think it gone.
const BUSY_WAIT: Duration = Duration::from_secs(2);
const _: () = assert!(BUSY_WAIT.as_millis() < ANSWER_WAIT.as_millis());

/// What stands between the peers and the conductor.
pub(super) struct Doorman {
    pub(super) order: RaftOrder,
    pub(super) teller: mpsc::Sender<Told>,
    pub(super) files: Arc<Files>,
    pub(super) reach: Arc<Reach>,
    pub(super) party: Party,
    pub(super) attesters: Attesters,
    pub(super) clock: fn() -> u64,
    pub(super) log: fn(&str),
}

impl Service for Doorman {
    async fn answer(&self, from: Party, request: Request) -> Reply {
        let index = |result: Result<u64, crate::order::OrderError>| match result {
            Ok(index) => Reply::Taken(index),
            Err(error) => Reply::Not(error.to_string()),
        };
        match request {
            // Not logged: it says so several times a second, and its own log has the answer's other side.
            Request::Order(..) if self.reach.is_lost(from) => {
                Reply::Not(format!("{from} cannot be reached from here, and does not lead"))
            }
            Request::Order(kind, bytes) => match self.order.answer(from, kind, &bytes).await {
                Ok(Some(bytes)) => Reply::Order(bytes),
                Ok(None) => Reply::Not("this node learns the order again, and votes for nobody yet".into()),
                Err(reason) => {
                    (self.log)(&format!("a message of {from} is refused: {reason}"));
                    Reply::Not(reason)
                }
            },
            Request::Append(entry, file) => index(self.order.append_here(&entry, &file).await),
            Request::Position => Reply::Position(self.order.position()),
            Request::ReadIndex => index(self.order.read_index_here().await),
            Request::FileOf(id) => match self.files.name(&id) {
                Some(name) => Reply::File(name),
                None => Reply::Not(format!("no file of proposal {id} here")),
            },
            Request::Chunk(hash, offset) => {
                let files = Arc::clone(&self.files);
                let piece = tokio::task::spawn_blocking(move || files.chunk(&hash, offset)).await;
                match piece {
                    Ok(Ok(bytes)) => Reply::Chunk(bytes),
                    Ok(Err(reason)) => Reply::Not(reason),
                    Err(error) => Reply::Not(error.to_string()),
                }
            }
            Request::Newest(is_exact) => self.newest(from, is_exact).await,
            request => match self.teller.send(Told::Peer(from, Box::new(request))).await {
                Ok(()) => Reply::Taken(0),
                Err(_) => Reply::Not("the node is stopping".into()),
            },
        }
    }

    /// A party speaks for itself only; its signatures others may pass on, they prove themselves. No file goes to a party that is
    /// not to have it, nor into the order, which everybody reads; and what others recompute is not even looked at here, with what
    /// came along.
    fn refuses(&self, from: Party, request: &Request) -> Option<String> {
        let (asked, why) = self.denies(from, request)?;
        let denied = Denied::new(Asker::Party, (self.clock)(), &format!("the {from}'s node"), asked, &why);
        // It is logged too: what a busy conductor does not take is not lost.
        let _ = self.teller.try_send(Told::Denied(denied, None));
        Some(why)
    }

    fn log(&self, line: &str) {
        (self.log)(line);
    }
}

impl Doorman {
    /// What a request asks that is not its sender's to ask, and why it is not.
    fn denies(&self, from: Party, request: &Request) -> Option<(&'static str, String)> {
        let not_own = |asked| Some((asked, format!("{from} speaks in the name of another")));
        match request {
            Request::Announce(proposal, ..) if proposal.proposer != from => not_own("to propose"),
            Request::Dissent(dissent) if dissent.party != from => not_own("to dissent"),
            Request::Abstain(abstention) if abstention.party != from => not_own("to abstain"),
            Request::Append(entry, file) if !file.is_empty() => {
                let kind = CommandKind::of(&entry.proposal.command);
                let is_for_all = self.attesters.all_hold(kind);
                (!is_for_all).then(|| ("to order a file", format!("the order carries no {}", kind.name())))
            }
            Request::Announce(proposal, ..) => {
                let kind = CommandKind::of(&proposal.command);
                let is_own = self.attesters.of(kind).contains(self.party);
                (!is_own).then(|| ("to recompute", format!("{} are not recomputed here", kind.name())))
            }
            request => {
                let kind = self.files.kind_asked(request)?;
                let is_its = self.attesters.holds(from, kind);
                (!is_its).then(|| ("for a file", format!("{} are not for {from}", kind.name())))
            }
        }
    }

    async fn newest(&self, from: Party, is_exact: bool) -> Reply {
        let at_least = match is_exact {
            false => 0,
            true => match self.order.read_index().await {
                Ok(index) => index,
                Err(error) => return Reply::Not(error.to_string()),
            },
        };
        let (reply, answer) = oneshot::channel();
        if self.teller.send(Told::Asked(from, at_least, reply)).await.is_err() {
            return Reply::Not("the node is stopping".into());
        }
        match timeout(BUSY_WAIT, answer).await {
            Ok(Ok(reply)) => reply,
            _ => Reply::Not("the node is busy".into()),
        }
    }
}
