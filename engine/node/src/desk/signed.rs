//! Whose request a note is, and whether it is for this log and of this time.

use tallywatt_core::access::{Denial, HolderKey};
use tallywatt_ledger::key::{KeyKind, VerifierKey};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::request::{REQUEST_WINDOW_S, Request};

use crate::desk::DeskView;
use crate::http::Answer;
use crate::store::{Asker, Denied};

/// A request whose signature holds.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) request: Request,
    pub(super) key: HolderKey,
    /// Name and id of the key.
    pub(super) who: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is not permitted: that is kept.
    Denied(Denied),
    /// It is no request, or cannot be served now.
    Answer(Answer),
}

impl Refused {
    /// It is no request.
    pub(super) fn malformed(why: impl std::fmt::Display) -> Self {
        Self::Answer(Answer::refused(400, why))
    }
}

impl Signed {
    /// Reads a note, and finds its key among those that lists name or named.
    pub(super) fn read(view: &DeskView, origin: &str, note: &[u8], now_unix_s: u64) -> Result<Self, Refused> {
        let text = std::str::from_utf8(note).map_err(|_| Refused::malformed("the request is not text"))?;
        let note = Note::parse(text).map_err(Refused::malformed)?;
        let request = Request::parse(note.text()).map_err(Refused::malformed)?;
        let name = request.holder.as_str();
        let denied = |asker, who: &str, why: &str| {
            Refused::Denied(Denied::new(asker, now_unix_s, who, &request.asked.to_string(), why))
        };
        let known = view.access.keys_of(&request.holder);
        let known = known.filter_map(|key| VerifierKey::new(name, KeyKind::Log, key).ok());
        let known: Vec<VerifierKey> = known.collect();
        let line_of =
            |key: &VerifierKey| note.signatures().iter().find(|line| key.is_named_by(line)).cloned();
        let named = known.iter().find_map(|key| Some((key, line_of(key)?)));
        let Some((key, line)) = named else {
            let own = note.signatures().iter().find(|line| line.name() == name);
            let who = own.map_or_else(|| name.to_owned(), tallywatt_ledger::note::SignatureLine::key);
            return Err(denied(Asker::Stranger, &who, &Denial::Unknown.to_string()));
        };
        let who = key.key();
        if key.verify_signature(note.text(), &line).is_err() {
            return Err(denied(Asker::Stranger, &who, "the signature does not hold"));
        }
        if request.origin != origin {
            let why = format!("the request is for {}", request.origin);
            return Err(denied(Asker::Holder, &who, &why));
        }
        let off_s = request.time_unix_s.abs_diff(now_unix_s);
        if off_s > REQUEST_WINDOW_S {
            let why = format!("the request is {off_s} s off this node's clock, at most {REQUEST_WINDOW_S}");
            return Err(denied(Asker::Holder, &who, &why));
        }
        let key = *key.public_key();
        Ok(Self { request, key, who })
    }

    /// That it is not permitted.
    pub(super) fn denied(&self, now_unix_s: u64, why: &str) -> Refused {
        let asked = self.request.asked.to_string();
        Refused::Denied(Denied::new(Asker::Holder, now_unix_s, &self.who, &asked, why))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tallywatt_core::access::{AccessBook, AccessList, AccessParts, Grant, Role};
    use tallywatt_core::agreement::Party;
    use tallywatt_core::validity::Validity;
    use tallywatt_ledger::digest::content_hash;
    use tallywatt_ledger::key::LogSigner;

    use super::*;

    const ORIGIN: &str = "tallywatt.test/desk";
    const NOW: u64 = 1_795_000_000;

    fn signer(name: &str, seed: u8) -> LogSigner {
        LogSigner::from_seed(name, &[seed; 32]).unwrap()
    }

    fn view() -> DeskView {
        let grant = Grant {
            holder: "anna.test".parse().unwrap(),
            role: Role::Consumer,
            key: *signer("anna.test", 1).verifier_key().public_key(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            scope: vec!["A-1".parse().unwrap()],
        };
        let parts = AccessParts {
            party: Party::Supplier,
            number: 1,
            from: "2026-01-01".parse().unwrap(),
            grants: vec![grant],
        };
        let mut access = AccessBook::default();
        access.publish(AccessList::new(parts).unwrap()).unwrap();
        DeskView { access: Arc::new(access), sealed: None }
    }

    fn told(note: &str) -> String {
        match Signed::read(&view(), ORIGIN, note.as_bytes(), NOW) {
            Ok(signed) => format!("{} asks {}", signed.who, signed.request.asked),
            Err(Refused::Denied(denied)) => denied.to_string(),
            Err(Refused::Answer(answer)) => {
                format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
            }
        }
    }

    #[test]
    fn whose_note_it_is() {
        let request = |origin: &str, holder: &str, time_unix_s| Request {
            origin: origin.to_owned(),
            holder: holder.parse().unwrap(),
            asked: "checkpoint".parse().unwrap(),
            time_unix_s,
            body: content_hash(b""),
        };
        let signed = |request: &Request, by: &LogSigner| {
            Note::new(&request.text(), vec![by.sign(&request.text()).unwrap()]).unwrap().encode()
        };
        let anna = signer("anna.test", 1);
        let good = signed(&request(ORIGIN, "anna.test", NOW), &anna);
        // Signed by another key under the line of hers.
        let own = request(ORIGIN, "anna.test", NOW).text();
        let other = signer("anna.test", 2).sign(&own).unwrap();
        let line = tallywatt_ledger::note::SignatureLine::new(
            "anna.test",
            anna.verifier_key().key_id(),
            other.signature().to_vec(),
        );
        let forged = Note::new(&own, vec![line.unwrap()]).unwrap().encode();
        let table = [
            (good.clone(), "anna.test+d"),
            (forged, "denied: stranger anna.test+"),
            (
                signed(&request(ORIGIN, "anna.test", NOW), &signer("anna.test", 2)),
                "denied: stranger anna.test+",
            ),
            (
                signed(&request(ORIGIN, "anna.test", NOW), &signer("bert.test", 1)),
                "denied: stranger anna.test asks",
            ),
            (
                signed(&request(ORIGIN, "bert.test", NOW), &signer("bert.test", 1)),
                "denied: stranger bert.test+",
            ),
            (signed(&request("other.test", "anna.test", NOW), &anna), "the request is for other.test"),
            (signed(&request(ORIGIN, "anna.test", NOW - 301), &anna), "301 s off"),
            (signed(&request(ORIGIN, "anna.test", NOW + 301), &anna), "301 s off"),
            (signed(&request(ORIGIN, "anna.test", NOW + 300), &anna), " asks checkpoint"),
            (good.replace("checkpoint", "denials"), "the signature does not hold"),
            (good.replace("v1", "v2"), "400 the text does not begin"),
            (good.replace("checkpoint", "everything"), "400 what is asked"),
            (String::new(), "400 "),
        ];
        for (note, want) in table {
            let told = told(&note);
            let want = if want == "anna.test+d" { " asks checkpoint" } else { want };
            assert!(told.contains(want), "{told}, not {want}");
        }
    }
}
