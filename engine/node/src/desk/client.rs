//! The side that asks: one signed request, one answer, within limits.

use std::time::Duration;

use tallywatt_ledger::note::Note;
use tallywatt_ledger::receipt::RECEIPT_SIZE_MAX;
use tokio::time::timeout;

use crate::desk::REQUEST_PATH;
use crate::http;

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
    let answer =
        http::post(address, REQUEST_PATH, "application/octet-stream", request, RECEIPT_SIZE_MAX).await?;
    Ok(Answered { status: answer.status, body: answer.body })
}
