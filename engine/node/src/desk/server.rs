//! The side that answers: `POST /request` over HTTP/1.1.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Method, Request};
use tallywatt_core::access::{Action, Denial, permits};
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Day;
use tallywatt_core::label::Label;
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::request::{Asked, REQUEST_NOTE_SIZE_MAX, end_of_note};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::desk::inbox::{self, Inbox, InboxError};
use crate::desk::proving::{Original, Prover};
use crate::desk::signed::{Refused, Signed};
use crate::desk::{DeskView, READINGS_SIZE_MAX, REQUEST_PATH};
use crate::http::{self, Answer, CONNECTION_WAIT, REQUEST_WAIT, TEXT_TYPE};
use crate::peers::listener::Refusals;
use crate::running::conductor::Told;
use crate::store::Denied;

/// Files of readings that are held in memory at one time.
const UPLOAD_COUNT_MAX: usize = 4;
/// How long a file of readings may take to come.
const UPLOAD_WAIT: Duration = Duration::from_secs(30);
const _: () = assert!(UPLOAD_WAIT.as_secs() < CONNECTION_WAIT.as_secs());
/// How long an answer waits until the denial behind it is stored.
const STORE_WAIT: Duration = Duration::from_secs(5);
const RECEIPT_TYPE: &str = "application/octet-stream";

/// A desk that answers.
pub(crate) struct Desk {
    party: Party,
    origin: String,
    view: watch::Receiver<DeskView>,
    teller: mpsc::Sender<Told>,
    prover: Prover,
    inbox: Arc<Inbox>,
    uploads: Semaphore,
    refusals: Mutex<Refusals>,
    clock: fn() -> u64,
    log: fn(&str),
}

impl Desk {
    /// The desk of the node that runs on a data folder.
    ///
    /// # Errors
    /// The system's, if it gives no thread.
    pub(crate) fn open(
        original: Original,
        view: watch::Receiver<DeskView>,
        teller: mpsc::Sender<Told>,
        clock: fn() -> u64,
        log: fn(&str),
    ) -> std::io::Result<Self> {
        let (party, origin) = (original.party, original.origin.clone());
        let inbox = Arc::new(Inbox::below(&original.data));
        let prover = Prover::start(original)?;
        let (uploads, refusals) = (Semaphore::new(UPLOAD_COUNT_MAX), Mutex::new(Refusals::new()));
        Ok(Self { party, origin, view, teller, prover, inbox, uploads, refusals, clock, log })
    }

    async fn serve(&self, body: Incoming) -> Result<Answer, Refused> {
        let mut coming = Coming { body, bytes: Vec::new(), is_whole: false };
        let note = match timeout(REQUEST_WAIT, coming.note()).await {
            Ok(note) => note?,
            Err(_) => return Err(Refused::Answer(Answer::refused(408, "the request does not come"))),
        };
        let view = self.view.borrow().clone();
        let signed = Signed::read(&view, &self.origin, &note, (self.clock)())?;
        match signed.request.asked {
            Asked::Readings { profile } => self.take_readings(&view, &signed, profile, coming).await,
            Asked::Checkpoint => {
                self.end(&signed, &mut coming).await?;
                self.permit(&view, &signed, &Action::ReadLog)?;
                let (_, head) = view.sealed.ok_or_else(|| {
                    Refused::Answer(Answer::refused(503, "no head was sealed since this node started"))
                })?;
                Ok(Answer { status: 200, content_type: TEXT_TYPE, body: head.as_bytes().to_vec() })
            }
            Asked::Denials => {
                self.end(&signed, &mut coming).await?;
                self.permit(&view, &signed, &Action::ReadDenials { of: self.party })?;
                let denials =
                    self.denials().await.map_err(|why| Refused::Answer(Answer::refused(503, why)))?;
                let lines: String = denials.iter().map(line_of).collect();
                Ok(Answer { status: 200, content_type: TEXT_TYPE, body: lines.into_bytes() })
            }
            Asked::Receipt { account, period } => {
                self.end(&signed, &mut coming).await?;
                self.permit(&view, &signed, &Action::OpenReceipt { account })?;
                let body = self.prover.receipt(account, period).await.map_err(Refused::Answer)?;
                Ok(Answer { status: 200, content_type: RECEIPT_TYPE, body })
            }
        }
    }

    /// Nothing comes behind the note, and that is signed.
    async fn end(&self, signed: &Signed, coming: &mut Coming) -> Result<(), Refused> {
        let rest = timeout(REQUEST_WAIT, coming.rest(0)).await;
        let rest = rest.map_err(|_| Refused::Answer(Answer::refused(408, "the request does not end")))??;
        self.check_body(signed, &rest)
    }

    /// That the holder of the request's key may do this today, UTC.
    fn permit(&self, view: &DeskView, signed: &Signed, action: &Action<'_>) -> Result<(), Refused> {
        self.permitted(view, signed, action)
            .map_err(|denial| signed.denied((self.clock)(), &denial.to_string()))
    }

    fn permitted(&self, view: &DeskView, signed: &Signed, action: &Action<'_>) -> Result<(), Denial> {
        let today = i32::try_from((self.clock)() / 86_400).ok().and_then(Day::from_number);
        // A clock outside of the calendar knows no day on which anything is granted.
        let today = today.ok_or(Denial::Unknown)?;
        permits(&view.access, &signed.key, action, today).map(drop)
    }

    fn check_body(&self, signed: &Signed, body: &[u8]) -> Result<(), Refused> {
        if content_hash(body) == signed.request.body {
            return Ok(());
        }
        Err(signed.denied((self.clock)(), "what came behind the note is not what was signed"))
    }

    /// Takes a file of readings, if all of its usage points are the gateway's own.
    async fn take_readings(
        &self,
        view: &DeskView,
        signed: &Signed,
        profile: Label,
        mut coming: Coming,
    ) -> Result<Answer, Refused> {
        // Before a byte of the file is read: of nothing a gateway that may hand in is told just that, all others why not.
        match self.permitted(view, signed, &Action::SubmitReadings { points: &[] }) {
            Ok(()) | Err(Denial::Nothing { .. }) => {}
            Err(denial) => return Err(signed.denied((self.clock)(), &denial.to_string())),
        }
        if !CommandKind::Batch.proposers().contains(&self.party) {
            let what = format!("the {}'s node takes no readings: the grid company's does", self.party);
            return Err(Refused::Answer(Answer::refused(501, what)));
        }
        let busy = || Refused::Answer(Answer::refused(503, "files of others are coming in: send it again"));
        let _held = self.uploads.try_acquire().map_err(|_| busy())?;
        let rest = timeout(UPLOAD_WAIT, coming.rest(READINGS_SIZE_MAX)).await;
        let file = rest.map_err(|_| Refused::Answer(Answer::refused(408, "the file does not come")))??;
        self.check_body(signed, &file)?;
        // Decoding and the disk take their time.
        let looked = tokio::task::spawn_blocking(move || (inbox::points_of(&profile, &file), file)).await;
        let broke_off = |_| Refused::Answer(Answer::refused(500, "the file could not be looked through"));
        let (points, file) = looked.map_err(broke_off)?;
        let points = points.map_err(|why| {
            let what = format!("nothing of it is taken: {why}");
            Refused::Answer(Answer::refused(422, what))
        })?;
        self.permit(view, signed, &Action::SubmitReadings { points: &points })?;
        let (inbox, hash) = (Arc::clone(&self.inbox), signed.request.body);
        let kept = tokio::task::spawn_blocking(move || inbox.keep(&profile, &hash, &file)).await;
        match kept.map_err(broke_off)? {
            Ok(()) => {
                let body = format!("taken {hash}\n").into_bytes();
                Ok(Answer { status: 200, content_type: TEXT_TYPE, body })
            }
            Err(error) => {
                self.tell(&format!("readings are not kept: {error}"));
                let status = if matches!(error, InboxError::Full { .. }) { 507 } else { 500 };
                Err(Refused::Answer(Answer::refused(
                    status,
                    "the file cannot be kept now: send it again later",
                )))
            }
        }
    }

    async fn denials(&self) -> Result<Vec<Denied>, String> {
        let stopping = || "the node is stopping".to_owned();
        let (reply, given) = oneshot::channel();
        self.teller.send(Told::Denials(reply)).await.map_err(|_| stopping())?;
        given.await.map_err(|_| stopping())?
    }

    /// Has a denial stored before it is answered; one that the disk does not take is denied all the same.
    async fn deny(&self, denied: Denied) -> Answer {
        self.tell(&denied.to_string());
        let answer = Answer::refused(403, &denied.why);
        let (stored, is_stored) = oneshot::channel();
        if self.teller.send(Told::Denied(denied, Some(stored))).await.is_ok() {
            // The conductor says so if it is not.
            let _ = timeout(STORE_WAIT, is_stored).await;
        }
        answer
    }

    /// Tells people, within the limit of lines.
    fn tell(&self, line: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = refusals.next(line) {
            (self.log)(&line);
        }
    }
}

impl http::Service for Desk {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        match (request.method(), request.uri().path()) {
            (&Method::POST, REQUEST_PATH) => {}
            (_, REQUEST_PATH) => return Answer::refused(405, "only POST"),
            _ => return Answer::refused(404, format!("only {REQUEST_PATH} is served here")),
        }
        match self.serve(request.into_body()).await {
            Ok(answer) => answer,
            Err(Refused::Denied(denied)) => self.deny(denied).await,
            Err(Refused::Answer(answer)) => answer,
        }
    }
}

/// One denial as a line: when, what kind of asker, who, what, why, with tabs between.
fn line_of(denied: &Denied) -> String {
    let Denied { asker, at_unix_s, who, asked, why } = denied;
    format!("{at_unix_s}\t{}\t{who}\t{asked}\t{why}\n", asker.name())
}

/// A request as it comes in.
struct Coming {
    body: Incoming,
    /// What came and is not used.
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Coming {
    /// Waits for more; whether there is any.
    async fn more(&mut self) -> Result<bool, Refused> {
        if self.is_whole {
            return Ok(false);
        }
        match self.body.frame().await {
            None => self.is_whole = true,
            Some(Err(_)) => return Err(Refused::malformed("the request breaks off")),
            Some(Ok(frame)) => {
                if let Some(bytes) = frame.data_ref() {
                    self.bytes.extend_from_slice(bytes);
                }
            }
        }
        Ok(!self.is_whole)
    }

    /// The note in front: all there is, if nothing comes behind it.
    async fn note(&mut self) -> Result<Vec<u8>, Refused> {
        loop {
            if let Some(end) = end_of_note(&self.bytes).filter(|end| *end <= REQUEST_NOTE_SIZE_MAX) {
                let behind = self.bytes.split_off(end + 1);
                let mut note = std::mem::replace(&mut self.bytes, behind);
                note.truncate(end);
                return Ok(note);
            }
            if self.bytes.len() > REQUEST_NOTE_SIZE_MAX {
                let what = format!("a note of more than {REQUEST_NOTE_SIZE_MAX} bytes");
                return Err(Refused::Answer(Answer::refused(413, what)));
            }
            if !self.more().await? {
                return Ok(std::mem::take(&mut self.bytes));
            }
        }
    }

    /// What comes behind it.
    async fn rest(&mut self, size_max: usize) -> Result<Vec<u8>, Refused> {
        loop {
            if self.bytes.len() > size_max {
                let what = format!("more than {size_max} bytes behind the note");
                return Err(Refused::Answer(Answer::refused(413, what)));
            }
            if !self.more().await? {
                return Ok(std::mem::take(&mut self.bytes));
            }
        }
    }
}
