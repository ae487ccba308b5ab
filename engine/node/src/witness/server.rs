//! The side that answers: `POST /add-checkpoint` over HTTP/1.1, one request after another on a connection.
//!
//! What is checked, stored and signed is checked, stored and signed under one lock, so that no two requests cross.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Incoming;
use hyper::{Method, Request};
use tallywatt_ledger::command::Genesis;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::witness::{AddCheckpoint, WITNESS_REQUEST_SIZE_MAX, WatchedLog, Witness, WitnessError};
use tokio::net::TcpListener;

use crate::http::{self, TEXT_TYPE};
use crate::witness::folder::{WitnessFolder, WitnessFolderError, WitnessStartError};

/// Where a witness is asked.
pub const ADD_CHECKPOINT_PATH: &str = "/add-checkpoint";
/// The content type of a size.
pub(super) const SIZE_TYPE: &str = "text/x.tlog.size";

/// Which logs to watch.
#[derive(Debug)]
pub enum Watch {
    /// That of a genesis and the notes of all motions since, which must name this witness.
    Genesis(Box<Genesis>, Vec<Note>),
    /// One that is known by its keys.
    Log(WatchedLog),
}

/// A witness that answers.
#[derive(Debug)]
pub struct Service {
    held: Mutex<(Witness, WitnessFolder)>,
    clock: fn() -> u64,
    log: fn(&str),
}

/// An answer, whatever carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Of the body.
    pub content_type: &'static str,
    /// The cosignature line, the size, or why not.
    pub body: String,
}

impl Answer {
    fn refused(status: u16, why: impl std::fmt::Display) -> Self {
        Self { status, content_type: TEXT_TYPE, body: format!("{why}\n") }
    }
}

impl Service {
    /// A witness that goes on from what its folder holds.
    ///
    /// # Errors
    /// [`WitnessStartError`].
    pub fn open(
        folder: WitnessFolder,
        logs: Vec<Watch>,
        clock: fn() -> u64,
        log: fn(&str),
    ) -> Result<Self, WitnessStartError> {
        let mut witness = Witness::new(folder.cosigner()?);
        for watch in logs {
            let watched = match watch {
                Watch::Log(watched) => watched,
                Watch::Genesis(genesis, motions) => {
                    let watched = WatchedLog::of_genesis(&genesis, &motions)?;
                    if !watched.names(witness.verifier_key()) {
                        let own = witness.verifier_key().to_string();
                        return Err(WitnessStartError::NotNamed { origin: genesis.origin, own });
                    }
                    watched
                }
            };
            let last = folder.last(&watched)?;
            let (origin, size) = (watched.origin().to_owned(), last.as_ref().map_or(0, |head| head.size()));
            witness.watch(watched, last)?;
            log(&format!("watches {origin}, from size {size}"));
        }
        Ok(Self { held: Mutex::new((witness, folder)), clock, log })
    }

    /// Answers the body of a request to add a checkpoint.
    #[must_use]
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        let request = std::str::from_utf8(body)
            .map_err(|_| "the request is not text".to_owned())
            .and_then(|text| AddCheckpoint::parse(text).map_err(|error| error.to_string()));
        let request = match request {
            Ok(request) => request,
            Err(why) => return Answer::refused(400, why),
        };
        // One that broke off left the lock with what is stored, or behind it: a head that is stored and not signed is
        // signed when it is asked for again.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let (witness, folder) = &mut *held;
        match self.decide(witness, folder, &request) {
            Ok(answer) => answer,
            Err(error) => {
                (self.log)(&format!("cannot store: {error}"));
                Answer::refused(500, "the witness cannot store what it would sign")
            }
        }
    }

    fn decide(
        &self,
        witness: &mut Witness,
        folder: &WitnessFolder,
        request: &AddCheckpoint,
    ) -> Result<Answer, WitnessFolderError> {
        let head = match witness.check(request) {
            Ok(head) => head,
            Err(error) => {
                if error.is_evidence() {
                    self.keep(folder, &error, request)?;
                }
                return Ok(match error.known_size() {
                    Some(size) => Answer { status: 409, content_type: SIZE_TYPE, body: format!("{size}\n") },
                    None => Answer::refused(error.status(), error),
                });
            }
        };
        // A crash before this leaves the head before, one after it a head that nobody has a signature under.
        folder.store_head(head.origin(), &request.note)?;
        let line = witness.cosign(head, (self.clock)())?;
        Ok(Answer { status: 200, content_type: TEXT_TYPE, body: line.encode() })
    }

    fn keep(
        &self,
        folder: &WitnessFolder,
        error: &WitnessError,
        request: &AddCheckpoint,
    ) -> Result<(), WitnessFolderError> {
        let origin = request.note.text().lines().next().unwrap_or_default();
        let place = match folder.keep_refused(origin, &request.note)? {
            Some(path) => format!("both notes are in {}", path.display()),
            None => "enough is kept already".to_owned(),
        };
        (self.log)(&format!("refused: {origin}: {error}; {place}"));
        Ok(())
    }
}

impl http::Service for Service {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> http::Answer {
        match (request.method(), request.uri().path()) {
            (&Method::POST, ADD_CHECKPOINT_PATH) => {}
            (_, ADD_CHECKPOINT_PATH) => return http::Answer::refused(405, "only POST"),
            _ => return http::Answer::refused(404, format!("only {ADD_CHECKPOINT_PATH} is served here")),
        }
        match http::small_body(request.into_body(), WITNESS_REQUEST_SIZE_MAX).await {
            Err(refused) => refused,
            Ok(body) => {
                // It waits for the disk.
                match tokio::task::spawn_blocking(move || self.add_checkpoint(&body)).await {
                    Ok(Answer { status, content_type, body }) => {
                        http::Answer { status, content_type, body: body.into_bytes() }
                    }
                    Err(_) => http::Answer::refused(500, "the witness broke off"),
                }
            }
        }
    }
}

/// Serves until Ctrl-C, or a request to end.
///
/// # Errors
/// The system's, if it gives no thread or socket.
pub fn run(listen_on: SocketAddr, service: Service) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let log = service.log;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen_on).await?;
        log(&format!("witness listens on {}", listener.local_addr()?));
        let listening = tokio::spawn(http::listen(listener, Arc::new(service)));
        crate::running::asked_to_end().await;
        listening.abort();
        log("witness has stopped");
        Ok(())
    })
}
