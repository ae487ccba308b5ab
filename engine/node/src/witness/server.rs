//! The side that answers: `POST /add-checkpoint` over HTTP/1.1, one request after another on a connection.
//!
//! What is checked, stored and signed is checked, stored and signed under one lock, so that no two requests cross.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tallywatt_ledger::command::Genesis;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::witness::{AddCheckpoint, WITNESS_REQUEST_SIZE_MAX, WatchedLog, Witness, WitnessError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::witness::folder::{WitnessFolder, WitnessFolderError, WitnessStartError};

/// Where a witness is asked.
pub const ADD_CHECKPOINT_PATH: &str = "/add-checkpoint";
/// Connections at one time; more wait.
pub const CONNECTION_COUNT_MAX: usize = 64;
/// How long the head of a request may take, and then its body.
pub const REQUEST_WAIT: Duration = Duration::from_secs(5);
/// How long a connection may last: who asks often begins another.
pub const CONNECTION_WAIT: Duration = Duration::from_secs(60);
/// The most bytes of a request's head.
const HEADER_SIZE_MAX: usize = 16 * 1024;
/// The content type of a size.
pub(super) const SIZE_TYPE: &str = "text/x.tlog.size";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";

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

/// Takes connections until the task is dropped.
pub async fn listen(listener: TcpListener, service: Arc<Service>) {
    let room = Arc::new(Semaphore::new(CONNECTION_COUNT_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            // Whatever a connection does, it ends.
            let _ = timeout(CONNECTION_WAIT, serve(stream, service)).await;
            drop(permit);
        });
    }
}

async fn serve(stream: TcpStream, service: Arc<Service>) {
    let answer = service_fn(|request| {
        let service = Arc::clone(&service);
        async move { answer(request, service).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_WAIT)
        .max_buf_size(HEADER_SIZE_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    // A peer that breaks off is no fault of this side.
    let _ = served.await;
}

async fn answer(
    request: Request<Incoming>,
    service: Arc<Service>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let answer = match (request.method(), request.uri().path()) {
        (&Method::POST, ADD_CHECKPOINT_PATH) => {
            let body = Limited::new(request.into_body(), WITNESS_REQUEST_SIZE_MAX).collect();
            match timeout(REQUEST_WAIT, body).await {
                Err(_) => Answer::refused(408, "the request does not come"),
                Ok(Err(_)) => Answer::refused(
                    413,
                    format!("the request breaks off, or has more than {WITNESS_REQUEST_SIZE_MAX} bytes"),
                ),
                Ok(Ok(body)) => {
                    let body = body.to_bytes();
                    // It waits for the disk.
                    let answered = tokio::task::spawn_blocking(move || service.add_checkpoint(&body)).await;
                    answered.unwrap_or_else(|_| Answer::refused(500, "the witness broke off"))
                }
            }
        }
        (_, ADD_CHECKPOINT_PATH) => Answer::refused(405, "only POST"),
        _ => Answer::refused(404, format!("only {ADD_CHECKPOINT_PATH} is served here")),
    };
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    Ok(response)
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
        let listening = tokio::spawn(listen(listener, Arc::new(service)));
        crate::running::asked_to_end().await;
        listening.abort();
        log("witness has stopped");
        Ok(())
    })
}
