//! The side that asks: one request, one answer, within limits.

use std::time::Duration;

use tallywatt_ledger::key::VerifierKey;
use tallywatt_ledger::note::{NOTE_SIZE_MAX, Note, SignatureLine};
use tallywatt_ledger::witness::AddCheckpoint;
use tokio::time::timeout;

use crate::http::{self, TEXT_TYPE};
use crate::witness::server::{ADD_CHECKPOINT_PATH, SIZE_TYPE};

/// How long a witness may take, from the dialling to the end of its answer.
pub const WITNESS_WAIT: Duration = Duration::from_secs(5);
/// How much is told of why it refuses, characters.
const REASON_SIZE_MAX: usize = 200;

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// Its signature under the head, which holds.
    Signed(SignatureLine),
    /// The size that it cosigned last.
    Stands(u64),
    /// It cosigns this head not: the HTTP status, and what it says.
    Refused(u16, String),
}

/// Asks the witness at `address` (host and port) to cosign a head, and checks what it signed with its key.
///
/// # Errors
/// Why there is no answer that means anything.
pub async fn add_checkpoint(
    address: &str,
    key: &VerifierKey,
    request: &AddCheckpoint,
) -> Result<Answered, String> {
    let answer = timeout(WITNESS_WAIT, exchange(address, request.encode())).await;
    let (status, content_type, body) =
        answer.map_err(|_| format!("no answer within {} s", WITNESS_WAIT.as_secs()))??;
    read(status, &content_type, &body, key, request.note.text())
}

/// What an answer says.
fn read(
    status: u16,
    content_type: &str,
    body: &str,
    key: &VerifierKey,
    text: &str,
) -> Result<Answered, String> {
    match status {
        200 => {
            // The lines behind the text of the head are a note: who else signed does not matter.
            let note = Note::parse(&format!("{text}\n{body}")).map_err(|error| error.to_string())?;
            let line = note.signatures().iter().find(|line| key.is_named_by(line));
            let line = line.ok_or_else(|| format!("no signature of {}", key.key()))?;
            key.verify_cosignature(text, line).map_err(|error| error.to_string())?;
            Ok(Answered::Signed(line.clone()))
        }
        409 if content_type == SIZE_TYPE => {
            let size = body.strip_suffix('\n').and_then(|digits| {
                let size: u64 = digits.parse().ok()?;
                (size.to_string() == digits).then_some(size)
            });
            size.map(Answered::Stands).ok_or_else(|| "it answers with a size that is none".to_owned())
        }
        _ => {
            let reason: String =
                body.chars().filter(|found| !found.is_control()).take(REASON_SIZE_MAX).collect();
            Ok(Answered::Refused(status, reason))
        }
    }
}

async fn exchange(address: &str, body: String) -> Result<(u16, String, String), String> {
    let answer =
        http::post(address, ADD_CHECKPOINT_PATH, TEXT_TYPE, body.into_bytes(), NOTE_SIZE_MAX).await?;
    let body = String::from_utf8(answer.body).map_err(|_| "its answer is not text".to_owned())?;
    Ok((answer.status, answer.content_type, body))
}

#[cfg(test)]
mod tests {
    use tallywatt_ledger::key::Cosigner;

    use super::*;

    const TEXT: &str = "tallywatt.test/asked\n9\nJ8kmCWcYgKAOmFCvVm8bl7bXl1DvRgOiv7A8NcDa7gI=\n";

    fn cosigner(name: &str, seed: u8) -> Cosigner {
        Cosigner::from_seed(name, &[seed; 32]).unwrap()
    }

    /// What a witness answers is believed only where its own key signed this very head.
    #[test]
    fn what_a_lying_witness_answers() {
        let own = cosigner("regulator.test", 1);
        let line = |by: &Cosigner, text: &str| by.sign_cosignature(text, 5).unwrap().encode();
        let other_text = TEXT.replace("\n9\n", "\n8\n");
        let (good, other) = (line(&own, TEXT), line(&cosigner("another.test", 2), TEXT));
        let both = format!("{other}{good}");
        let forged = line(&cosigner("regulator.test", 2), TEXT);
        let stale = line(&own, &other_text);
        let size = "text/x.tlog.size";
        let table: [(u16, &str, &str, &str); 14] = [
            (200, "", &good, "signed"),
            (200, "", &both, "signed"),
            (200, "", &other, "no signature of regulator.test+"),
            (200, "", &forged, "no signature of regulator.test+"),
            (200, "", &stale, "does not fit the text"),
            (200, "", "", "1 to 16 needed"),
            (200, "", "ok\n", "is not an em dash"),
            (409, size, "12\n", "stands at 12"),
            (409, size, "12", "a size that is none"),
            (409, size, "012\n", "a size that is none"),
            (409, size, "-1\n", "a size that is none"),
            (409, "text/plain", "12\n", "refused 409: 12"),
            (422, "text/plain", "no\u{7}\r\n", "refused 422: no"),
            (500, "", "", "refused 500: "),
        ];
        for (status, content_type, body, want) in table {
            let told = match read(status, content_type, body, own.verifier_key(), TEXT) {
                Ok(Answered::Signed(_)) => "signed".to_owned(),
                Ok(Answered::Stands(size)) => format!("stands at {size}"),
                Ok(Answered::Refused(status, reason)) => format!("refused {status}: {reason}"),
                Err(error) => error,
            };
            let holds = if want.starts_with("refused") { told == want } else { told.contains(want) };
            assert!(holds, "{status} {body:?}: {told}");
        }
    }
}
