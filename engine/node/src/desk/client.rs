//! The side that asks: one signed request, one answer, within limits.

use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::receipt::RECEIPT_SIZE_MAX;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::desk::REQUEST_PATH;

/// How long a desk may take, from the dialling to the end of its answer.
pub const DESK_WAIT: Duration = Duration::from_secs(60);

/// What a desk answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status: 200, or 403 where it is denied.
    pub status: u16,
    /// What was asked for, or why not.
    pub body: Vec<u8>,
}

/// The bytes of a request: its note, and what comes behind.
#[must_use]
pub fn request_bytes(note: &Note, behind: &[u8]) -> Vec<u8> {
    let mut bytes = note.encode().into_bytes();
    if !behind.is_empty() {
        bytes.push(b'\n');
        bytes.extend_from_slice(behind);
    }
    bytes
}

/// Sends a request to the desk at `address`, host and port, and waits for the answer.
///
/// # Errors
/// Why there is no answer.
pub fn ask(address: &str, request: Vec<u8>) -> Result<Answered, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let answered = runtime.block_on(async { timeout(DESK_WAIT, exchange(address, request)).await });
    answered.map_err(|_| format!("no answer within {} s", DESK_WAIT.as_secs()))?
}

async fn exchange(address: &str, request: Vec<u8>) -> Result<Answered, String> {
    fn told(error: impl std::fmt::Display) -> String {
        error.to_string()
    }
    let stream = TcpStream::connect(address).await.map_err(told)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
    // It ends with this request, however that ends.
    let mut carried = tokio::task::JoinSet::new();
    carried.spawn(connection);
    let request = Request::post(REQUEST_PATH)
        .header(HOST, address)
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(Full::new(Bytes::from(request)))
        .map_err(told)?;
    let response = sender.send_request(request).await.map_err(told)?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), RECEIPT_SIZE_MAX).collect().await.map_err(told)?.to_bytes();
    Ok(Answered { status, body: body.to_vec() })
}
