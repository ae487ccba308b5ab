//! A witness that is no party: cosigns the heads of logs as long as each extends the one before, and nothing else.
//!
//! ```text
//!   old 7                                          the head it signed last, as the log knows it
//!   <hash, base64>                                 consistency from 7 to the head below, one line each
//!                                                  one empty line
//!   <signed checkpoint>                            C2SP tlog-witness, `add-checkpoint`
//!
//!   known log? ─▶ signed by it, and by two parties? ─▶ from where I stand? ─▶ consistent? ─▶ store ─▶ cosign
//!      404            403                                 409                  422
//! ```
//!
//! - It needs no reading, no bill and no key of a party. With three parties and a witness, three of four signatures still
//!   leave no two histories that are both sealed, and one party may be down. That the figures are right it does not say.
//! - A log that is known by its genesis has parties: what fewer than two of them cosigned is refused, so that one party
//!   alone cannot lead the witness to where no honest head follows. It is shown the notes of motions that change their keys. Of a log that is known by its keys it asks the log's
//!   signature, as the standard does.
//! - Nothing here stores or serves: [`Witness::check`] gives what is to be stored, and [`Witness::cosign`] is called after.
//!
//! Source: C2SP tlog-witness.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tallywatt_core::agreement::Party;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::command::Genesis;
use crate::governance::{Governance, GovernanceError};
use crate::key::{Cosigner, KeyKind, VerifierKey};
use crate::key_history::{KeyHistory, KeysError};
use crate::log::{self, CONSISTENCY_COUNT_MAX, LogError, LogHash};
use crate::note::{NOTE_SIZE_MAX, Note, NoteError, SignatureLine};

/// Most bytes of a request: a note, a proof, and the line before them.
pub const WITNESS_REQUEST_SIZE_MAX: usize = NOTE_SIZE_MAX + 64 * (CONSISTENCY_COUNT_MAX + 1);

/// How many logs a witness watches.
pub const WATCHED_COUNT_MAX: usize = 64;

/// How many keys a log has.
pub const LOG_KEY_COUNT_MAX: usize = 16;

/// How many parties must have cosigned a head of a log that has parties.
pub const COSIGNED_COUNT_MIN: usize = 2;

const OLD: &str = "old ";

/// A head that a log asks a witness to cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the witness cosigned last; 0 for none.
    pub old_size: u64,
    /// Consistency from there; empty from 0.
    pub proof: Vec<LogHash>,
    /// The head, signed by its log.
    pub note: Note,
}

/// Why a head is not cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// Not a request.
    #[error("line {line} of the request: {problem}")]
    Request {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// More bytes than a request has.
    #[error("a request of {bytes} bytes, at most {WITNESS_REQUEST_SIZE_MAX}")]
    TooLong {
        /// How many.
        bytes: usize,
    },
    /// A note that is none, or a key of another kind.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A text that is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A genesis whose keys cannot be relied on.
    #[error("the keys of the genesis: {0}")]
    Keys(#[from] KeysError),
    /// A motion that does not follow from the genesis and those before it.
    #[error(transparent)]
    Motion(#[from] GovernanceError),
    /// A log that this witness does not watch.
    #[error("no log {origin} is watched here")]
    UnknownLog {
        /// Of which log the head is.
        origin: String,
    },
    /// No signature by a key of the log.
    #[error("no key of log {origin} signed the head of size {size}")]
    Unsigned {
        /// Of which log the head is.
        origin: String,
        /// Its size.
        size: u64,
    },
    /// Too few of the log's parties cosigned the head.
    #[error(
        "{count} parties cosigned the head of size {size} of {origin}, at least {COSIGNED_COUNT_MIN} needed"
    )]
    Uncosigned {
        /// Of which log the head is.
        origin: String,
        /// Its size.
        size: u64,
        /// How many.
        count: usize,
    },
    /// Logs, or keys of one, past a limit or under no name in common.
    #[error("{0}")]
    Logs(String),
    /// A head behind, or a proof from another place.
    #[error("the request starts at size {old}, the last head cosigned here has size {known}")]
    Old {
        /// Where it starts.
        old: u64,
        /// Where the witness stands.
        known: u64,
    },
    /// A head smaller than where its proof starts.
    #[error("a head of size {size} does not extend one of size {old}")]
    Smaller {
        /// Its size.
        size: u64,
        /// Where its proof starts.
        old: u64,
    },
    /// Two heads of one size with different roots: the log has forked.
    #[error(
        "a head of size {size} with root {found}, cosigned here with root {known}: the log has two histories"
    )]
    Forked {
        /// The size of both.
        size: u64,
        /// The root of the one that is asked about.
        found: LogHash,
        /// The root of the one that was cosigned.
        known: LogHash,
    },
    /// A head that does not extend the last one.
    #[error("the head of size {size} is not shown to extend that of size {old}: {source}")]
    Inconsistent {
        /// Its size.
        size: u64,
        /// The size of the one before.
        old: u64,
        /// What is wrong with the proof.
        source: LogError,
    },
}

impl WitnessError {
    /// The status of the answer over HTTP, by C2SP tlog-witness.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::UnknownLog { .. } => 404,
            Self::Unsigned { .. } | Self::Uncosigned { .. } => 403,
            Self::Old { .. } | Self::Forked { .. } => 409,
            Self::Inconsistent { .. } => 422,
            Self::Request { .. }
            | Self::TooLong { .. }
            | Self::Note(_)
            | Self::Checkpoint(_)
            | Self::Keys(_)
            | Self::Motion(_)
            | Self::Logs(_)
            | Self::Smaller { .. } => 400,
        }
    }

    /// The size that the answer of a conflict carries: of the head cosigned last.
    #[must_use]
    pub const fn known_size(&self) -> Option<u64> {
        match self {
            Self::Old { known, .. } => Some(*known),
            Self::Forked { size, .. } => Some(*size),
            _ => None,
        }
    }

    /// Whether the head, signed by its log, does not follow from the one cosigned last: both are to be kept.
    #[must_use]
    pub const fn is_evidence(&self) -> bool {
        matches!(self, Self::Forked { .. } | Self::Inconsistent { .. })
    }
}

impl AddCheckpoint {
    /// The request of this text.
    ///
    /// # Errors
    /// [`WitnessError::Request`], [`WitnessError::TooLong`], [`WitnessError::Note`].
    pub fn parse(text: &str) -> Result<Self, WitnessError> {
        if text.len() > WITNESS_REQUEST_SIZE_MAX {
            return Err(WitnessError::TooLong { bytes: text.len() });
        }
        let fail = |line, problem| WitnessError::Request { line, problem };
        let (first, mut rest) = text.split_once('\n').ok_or(fail(1, "it does not end"))?;
        let old = first.strip_prefix(OLD).ok_or(fail(1, "it does not begin with `old `"))?;
        let is_canonical =
            old.bytes().all(|byte| byte.is_ascii_digit()) && (old == "0" || !old.starts_with('0'));
        let old_size = old.parse().ok().filter(|_| is_canonical).ok_or(fail(1, "`old` is not a size"))?;
        let mut proof = Vec::new();
        loop {
            let at = proof.len() + 2;
            let (line, after) = rest.split_once('\n').ok_or(fail(at, "it does not end"))?;
            rest = after;
            if line.is_empty() {
                break;
            }
            if proof.len() == CONSISTENCY_COUNT_MAX {
                return Err(fail(at, "the proof has more hashes than any can have"));
            }
            proof.push(LogHash::from_base64(line).map_err(|_| fail(at, "it is no hash"))?);
        }
        Ok(Self { old_size, proof, note: Note::parse(rest)? })
    }

    /// As text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = format!("{OLD}{}\n", self.old_size);
        for hash in &self.proof {
            writeln!(text, "{hash}").expect("a string takes any text");
        }
        text.push('\n');
        text + &self.note.encode()
    }
}

/// A log to watch: whose signature its heads carry.
#[derive(Debug, Clone)]
pub struct WatchedLog {
    origin: String,
    signers: Signers,
}

#[derive(Debug, Clone)]
enum Signers {
    /// The log's own keys, of which one must have signed.
    Keys(Vec<VerifierKey>),
    /// A ledger's: one of the log keys in force for a head, and two of the parties' witness keys.
    Parties(Box<KeyHistory>),
}

impl WatchedLog {
    /// The log that any of these keys signs for: they have its origin as their name.
    ///
    /// # Errors
    /// [`WitnessError::Note`] for a key that is not a log's, [`WitnessError::Logs`] for none, too many, or keys of two logs.
    pub fn of_keys(keys: Vec<VerifierKey>) -> Result<Self, WitnessError> {
        check_keys(&keys, KeyKind::Log)?;
        let origin = keys.first().map(|key| key.name().to_owned());
        let origin = origin.ok_or_else(|| WitnessError::Logs("a log without a key".to_owned()))?;
        if let Some(other) = keys.iter().find(|key| key.name() != origin) {
            return Err(WitnessError::Logs(format!("{} is no key of log {origin}", other.key())));
        }
        Ok(Self { origin, signers: Signers::Keys(keys) })
    }

    /// The log that a genesis founds, with its parties; their keys as the notes of all motions since change them, in order.
    ///
    /// # Errors
    /// [`WitnessError::Keys`], [`WitnessError::Motion`], and [`WitnessError::Logs`] for keys of another log.
    pub fn of_genesis(genesis: &Genesis, motions: &[Note]) -> Result<Self, WitnessError> {
        let mut history = KeyHistory::of(genesis)?;
        let named = history.newest().of(Party::Grid).log.name();
        if named != genesis.origin {
            let origin = &genesis.origin;
            return Err(WitnessError::Logs(format!("the genesis of {origin} names keys of {named}")));
        }
        for note in motions {
            let governance = Governance::of_note(note, &history)?;
            history.follow(&governance)?;
        }
        Ok(Self { origin: genesis.origin.clone(), signers: Signers::Parties(Box::new(history)) })
    }

    /// Whether its parties name, or named, this witness; of a log that is known by its keys nothing is said.
    #[must_use]
    pub fn names(&self, witness: &VerifierKey) -> bool {
        match &self.signers {
            Signers::Keys(_) => true,
            Signers::Parties(history) => history.all().any(|keys| keys.witness() == Some(witness)),
        }
    }

    /// Its name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the log signed a note, and its parties if it has any.
    ///
    /// # Errors
    /// [`WitnessError::UnknownLog`], [`WitnessError::Unsigned`], [`WitnessError::Uncosigned`], [`WitnessError::Checkpoint`].
    pub fn check_signed(&self, note: &Note) -> Result<Checkpoint, WitnessError> {
        let head = Checkpoint::parse(note.text())?;
        let (origin, size) = (head.origin().to_owned(), head.size());
        if origin != self.origin {
            return Err(WitnessError::UnknownLog { origin });
        }
        let signs = |key: &VerifierKey| {
            note.signatures().iter().any(|line| key.verify_signature(note.text(), line).is_ok())
        };
        let (is_by_log, keys) = match &self.signers {
            Signers::Keys(keys) => (keys.iter().any(signs), None),
            Signers::Parties(history) => {
                let keys = history.of_head(size);
                (Party::ALL.into_iter().any(|party| signs(&keys.of(party).log)), Some(keys))
            }
        };
        if !is_by_log {
            return Err(WitnessError::Unsigned { origin, size });
        }
        let Some(keys) = keys else { return Ok(head) };
        let has_signed = |party: &Party| {
            let key = &keys.of(*party).witness;
            note.signatures().iter().any(|line| key.verify_cosignature(note.text(), line).is_ok())
        };
        let count = Party::ALL.iter().filter(|party| has_signed(party)).count();
        if count < COSIGNED_COUNT_MIN {
            return Err(WitnessError::Uncosigned { origin, size, count });
        }
        Ok(head)
    }
}

fn check_keys(keys: &[VerifierKey], expected: KeyKind) -> Result<(), WitnessError> {
    if keys.len() > LOG_KEY_COUNT_MAX {
        return Err(WitnessError::Logs(format!("{} keys of a log, at most {LOG_KEY_COUNT_MAX}", keys.len())));
    }
    match keys.iter().find(|key| key.kind() != expected) {
        Some(key) => Err(NoteError::WrongKind { key: key.key(), found: key.kind(), expected }.into()),
        None => Ok(()),
    }
}

/// What a witness knows: which logs it watches, and the head of each that it cosigned last.
#[derive(Debug)]
pub struct Witness {
    signer: Cosigner,
    logs: BTreeMap<String, (WatchedLog, Option<Checkpoint>)>,
}

impl Witness {
    /// A witness that watches nothing yet.
    #[must_use]
    pub const fn new(signer: Cosigner) -> Self {
        Self { signer, logs: BTreeMap::new() }
    }

    /// Watches a log, from the head it cosigned last.
    ///
    /// # Errors
    /// [`WitnessError::Logs`] for one that is watched already, or one too many; [`WitnessError::UnknownLog`] for a head of
    /// another log.
    pub fn watch(&mut self, log: WatchedLog, last: Option<Checkpoint>) -> Result<(), WitnessError> {
        let origin = log.origin.clone();
        if let Some(last) = last.as_ref().filter(|last| last.origin() != origin) {
            return Err(WitnessError::UnknownLog { origin: last.origin().to_owned() });
        }
        if self.logs.contains_key(&origin) {
            return Err(WitnessError::Logs(format!("log {origin} is watched already")));
        }
        if self.logs.len() >= WATCHED_COUNT_MAX {
            return Err(WitnessError::Logs(format!("a log more than {WATCHED_COUNT_MAX}")));
        }
        self.logs.insert(origin, (log, last));
        Ok(())
    }

    /// Its key.
    #[must_use]
    pub fn verifier_key(&self) -> &VerifierKey {
        self.signer.verifier_key()
    }

    /// The size of a log that it cosigned last; 0 before the first.
    #[must_use]
    pub fn size(&self, origin: &str) -> u64 {
        self.logs.get(origin).and_then(|(_, last)| last.as_ref()).map_or(0, Checkpoint::size)
    }

    /// Whether a head may be cosigned: it is signed by its log, and extends the last one. Gives what is to be stored first.
    ///
    /// # Errors
    /// [`WitnessError`] says why not; nothing is changed.
    pub fn check(&self, request: &AddCheckpoint) -> Result<Checkpoint, WitnessError> {
        let AddCheckpoint { old_size, proof, note } = request;
        let origin = Checkpoint::parse(note.text())?.origin().to_owned();
        let Some((log, last)) = self.logs.get(&origin) else {
            return Err(WitnessError::UnknownLog { origin });
        };
        let head = log.check_signed(note)?;
        let (size, known) = (head.size(), last.as_ref().map_or(0, Checkpoint::size));
        if *old_size > size {
            return Err(WitnessError::Smaller { size, old: *old_size });
        }
        if *old_size != known {
            return Err(WitnessError::Old { old: *old_size, known });
        }
        let Some(last) = last.as_ref().filter(|last| last.size() > 0) else {
            return if proof.is_empty() {
                Ok(head)
            } else {
                Err(WitnessError::Request { line: 2, problem: "a proof from size 0 has no hash" })
            };
        };
        if size == known && head.root() != last.root() {
            return Err(WitnessError::Forked { size, found: head.root(), known: last.root() });
        }
        log::verify_consistency(known, size, proof, last.root(), head.root())
            .map_err(|source| WitnessError::Inconsistent { size, old: known, source })?;
        Ok(head)
    }

    /// Signs a head that [`Witness::check`] gave, once it is stored.
    ///
    /// # Errors
    /// [`WitnessError::Note`] for a time that a cosignature cannot hold.
    ///
    /// # Panics
    /// If it is of no log that is watched, or behind the last one: then it was not checked.
    pub fn cosign(&mut self, head: Checkpoint, time_unix_s: u64) -> Result<SignatureLine, WitnessError> {
        let (_, last) =
            self.logs.get_mut(head.origin()).expect("a head that was checked is of a watched log");
        let known = last.as_ref().map_or(0, Checkpoint::size);
        assert!(head.size() >= known, "a witness never signs a smaller head");
        let line = self.signer.sign_cosignature(&head.to_text(), time_unix_s)?;
        *last = Some(head);
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::PartyKeys;
    use crate::key::LogSigner;
    use crate::log::{Log, leaf_hash};

    const ORIGIN: &str = "tallywatt.test/witness";

    fn log_key(seed: u8) -> LogSigner {
        LogSigner::from_seed(ORIGIN, &[seed; 32]).unwrap()
    }

    fn witness() -> Witness {
        let mut witness = Witness::new(Cosigner::from_seed("regulator.test", &[7; 32]).unwrap());
        let log = WatchedLog::of_keys(vec![log_key(1).verifier_key().clone()]).unwrap();
        witness.watch(log, None).unwrap();
        witness
    }

    /// A log whose leaves differ from another's from leaf `fork` on.
    fn log(size: u64, fork: u64) -> Log {
        let mut log = Log::new();
        for at in 0..size {
            log.append(leaf_hash(&[&at.to_le_bytes()[..], &[u8::from(at >= fork)]].concat())).unwrap();
        }
        log
    }

    fn head(log: &Log, size: u64, seed: u8) -> Note {
        let text = Checkpoint::new(ORIGIN, size, log.root_at(size).unwrap()).unwrap().to_text();
        let line = log_key(seed).sign(&text).unwrap();
        Note::new(&text, vec![line]).unwrap()
    }

    fn ask(log: &Log, old_size: u64, size: u64, seed: u8) -> AddCheckpoint {
        let proof = if old_size == 0 { Vec::new() } else { log.prove_consistency(old_size, size).unwrap() };
        AddCheckpoint { old_size, proof, note: head(log, size, seed) }
    }

    /// Every pair of sizes of one log is cosigned, and the line holds under the witness's key.
    #[test]
    fn an_honest_log_is_followed() {
        let log = log(20, 20);
        for old in 0..20 {
            for size in old.max(1)..=20 {
                let mut witness = witness();
                for (from, to) in [(0, old), (old, size)].into_iter().filter(|(_, to)| *to > 0) {
                    let request = ask(&log, from, to, 1);
                    assert_eq!(AddCheckpoint::parse(&request.encode()).as_ref(), Ok(&request));
                    let head = witness.check(&request).unwrap();
                    let line = witness.cosign(head, 1_700_000_000 + to).unwrap();
                    let key = witness.verifier_key();
                    assert_eq!(
                        key.verify_cosignature(request.note.text(), &line),
                        Ok(1_700_000_000 + to),
                        "{from} to {to}"
                    );
                }
                assert_eq!(witness.size(ORIGIN), size);
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let (honest, other) = (log(9, 9), log(9, 3));
        let fresh = witness();
        let mut witness = witness();
        let first = ask(&honest, 0, 5, 1);
        let head = witness.check(&first).unwrap();
        witness.cosign(head, 1).unwrap();
        let elsewhere = {
            let text = Checkpoint::new("another.test", 9, honest.root()).unwrap().to_text();
            let line = LogSigner::from_seed("another.test", &[1; 32]).unwrap().sign(&text).unwrap();
            AddCheckpoint { note: Note::new(&text, vec![line]).unwrap(), ..ask(&honest, 5, 9, 1) }
        };
        let mut cut = ask(&honest, 5, 9, 1);
        cut.proof.pop();
        let table = [
            (elsewhere, 404, "no log another.test is watched here"),
            (ask(&honest, 5, 9, 2), 403, "no key of log tallywatt.test/witness signed the head of size 9"),
            (
                ask(&honest, 0, 9, 1),
                409,
                "the request starts at size 0, the last head cosigned here has size 5",
            ),
            (
                ask(&honest, 3, 9, 1),
                409,
                "the request starts at size 3, the last head cosigned here has size 5",
            ),
            (
                ask(&honest, 3, 4, 1),
                409,
                "the request starts at size 3, the last head cosigned here has size 5",
            ),
            (
                AddCheckpoint { old_size: 5, ..ask(&honest, 3, 4, 1) },
                400,
                "a head of size 4 does not extend one of size 5",
            ),
            (ask(&other, 5, 5, 1), 409, "the log has two histories"),
            (ask(&other, 5, 9, 1), 422, "is not shown to extend that of size 5: proof leads to root"),
            (cut, 422, "is not shown to extend that of size 5: proof has 4 hashes, exactly 5 needed"),
        ];
        for (request, status, want) in table {
            let error = witness.check(&request).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
            assert_eq!(error.status(), status, "{error}");
        }
        assert_eq!(witness.check(&ask(&honest, 5, 9, 1)).unwrap().size(), 9, "and it goes on");
        let proof = vec![honest.root()];
        let error = fresh.check(&AddCheckpoint { proof, ..ask(&honest, 0, 5, 1) }).unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the request: a proof from size 0 has no hash");
    }

    /// A log with parties, as a genesis names them: one of them alone gets nothing cosigned, not even with a key twice.
    #[test]
    fn a_party_alone_is_not_followed() {
        let cosigner = |seed: u8| Cosigner::from_seed(&format!("{ORIGIN}/{seed}"), &[seed; 32]).unwrap();
        let keys = |seed: u8| PartyKeys {
            log: log_key(seed).verifier_key().to_string(),
            witness: cosigner(seed + 10).verifier_key().to_string(),
            exec: log_key(seed + 20).verifier_key().to_string(),
        };
        let genesis = Genesis {
            origin: ORIGIN.into(),
            currency: "RUB".parse().unwrap(),
            tzdb: "2026a".into(),
            parties: [keys(1), keys(2), keys(3)],
            witness: None,
            attesters: crate::attesters::Attesters::default(),
        };
        let log = log(9, 9);
        let mut witness = Witness::new(Cosigner::from_seed("regulator.test", &[7; 32]).unwrap());
        witness.watch(WatchedLog::of_genesis(&genesis, &[]).unwrap(), None).unwrap();
        let table: [(&[u8], Option<usize>); 6] = [
            (&[], Some(0)),
            (&[11], Some(1)),
            (&[12, 7], Some(1)),
            (&[7, 8, 9], Some(0)),
            (&[11, 13], None),
            (&[11, 12, 13], None),
        ];
        for (seeds, count) in table {
            let text = head(&log, 9, 2).text().to_owned();
            let mut lines = vec![log_key(2).sign(&text).unwrap()];
            lines.extend(seeds.iter().map(|seed| cosigner(*seed).sign_cosignature(&text, 5).unwrap()));
            let note = Note::new(&text, lines).unwrap();
            let checked = witness.check(&AddCheckpoint { old_size: 0, proof: Vec::new(), note });
            match count {
                None => assert_eq!(checked.unwrap().size(), 9, "{seeds:?}"),
                Some(count) => {
                    let error = checked.unwrap_err();
                    let want = WitnessError::Uncosigned { origin: ORIGIN.into(), size: 9, count };
                    assert_eq!((error.status(), error), (403, want), "{seeds:?}");
                }
            }
        }
        let elsewhere = Genesis { origin: "another.test".into(), ..genesis.clone() };
        let error = WatchedLog::of_genesis(&elsewhere, &[]).unwrap_err().to_string();
        assert_eq!(error, "the genesis of another.test names keys of tallywatt.test/witness");
        let again =
            witness.watch(WatchedLog::of_genesis(&genesis, &[]).unwrap(), None).unwrap_err().to_string();
        assert_eq!(again, "log tallywatt.test/witness is watched already");
    }

    /// Each log has a memory of its own, and goes on from a head that was stored.
    #[test]
    fn logs_are_watched_apart() {
        let (one, honest) = (log(9, 3), log(9, 9));
        let other = LogSigner::from_seed("another.test", &[1; 32]).unwrap();
        let mut witness = witness();
        let last = Checkpoint::new("another.test", 4, one.root_at(4).unwrap()).unwrap();
        let watched = WatchedLog::of_keys(vec![other.verifier_key().clone()]).unwrap();
        let misplaced =
            witness.watch(watched.clone(), Some(Checkpoint::parse(head(&one, 4, 1).text()).unwrap()));
        assert!(misplaced.is_err());
        witness.watch(watched, Some(last)).unwrap();
        assert_eq!((witness.size(ORIGIN), witness.size("another.test")), (0, 4));
        let checked = witness.check(&ask(&honest, 0, 5, 1)).unwrap();
        witness.cosign(checked, 1).unwrap();
        let text = Checkpoint::new("another.test", 9, one.root()).unwrap().to_text();
        let note = Note::new(&text, vec![other.sign(&text).unwrap()]).unwrap();
        let proof = one.prove_consistency(4, 9).unwrap();
        let checked = witness.check(&AddCheckpoint { old_size: 4, proof, note }).unwrap();
        witness.cosign(checked, 2).unwrap();
        assert_eq!((witness.size(ORIGIN), witness.size("another.test")), (5, 9));
        assert!(
            WatchedLog::of_keys(vec![other.verifier_key().clone(), log_key(1).verifier_key().clone()])
                .is_err()
        );
    }

    #[test]
    fn texts_that_are_no_request() {
        let log = log(9, 9);
        let text = ask(&log, 5, 9, 1).encode();
        let table = [
            (String::new(), "line 1 of the request: it does not end"),
            (text.replace("old 5", "new 5"), "line 1 of the request: it does not begin with `old `"),
            (text.replace("old 5", "old 05"), "line 1 of the request: `old` is not a size"),
            (text.replace("old 5", "old +5"), "line 1 of the request: `old` is not a size"),
            (text.replace("old 5", "old 18446744073709551616"), "line 1 of the request: `old` is not a size"),
            (text.replacen('=', "?", 1), "line 2 of the request: it is no hash"),
            (text.split_inclusive('\n').take(3).collect(), "line 4 of the request: it does not end"),
            (
                format!("old 5\n{}", format!("{}\n", log.root()).repeat(CONSISTENCY_COUNT_MAX + 1)),
                "line 43 of the request: the proof has more hashes than any can have",
            ),
            ("a".repeat(WITNESS_REQUEST_SIZE_MAX + 1), "a request of 68225 bytes, at most 68224"),
        ];
        for (text, want) in table {
            assert_eq!(AddCheckpoint::parse(&text).unwrap_err().to_string(), want);
        }
        // Any cut is another request or none: never one that is taken for this.
        for size in (0..text.len()).filter(|size| text.is_char_boundary(*size)) {
            assert_ne!(AddCheckpoint::parse(&text[..size]).ok(), AddCheckpoint::parse(&text).ok(), "{size}");
        }
    }
}
