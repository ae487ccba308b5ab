//! Trust as a small text: which keys are known, and which of them together make a checkpoint believed.
//!
//! ```text
//! log <vkey>                              a log key; its name is the origin of the log
//! witness grid <vkey>                     a cosigner key under a name of its own
//! witness bank <vkey>
//! witness regulator <vkey>
//! group companies all grid bank           counts as cosigned when all (or any, or k) of its members do
//! group sealed 2 companies regulator
//! quorum sealed                           a witness, a group, or none
//! ```
//!
//! - A name is used only below the line that defines it, so groups cannot go in circles.
//! - A name is a member of one group at most, so a witness counts in one way only.
//! - A public key stands in one line only, so no key can fill two seats.
//! - A line by a known key that does not verify refuses the whole note.
//!
//! Source: C2SP tlog-policy, without URLs, with at least one log, and with keys distinct over logs *and* witnesses.
//!
//! ```
//! use tallywatt_ledger::key::{Cosigner, LogSigner};
//! use tallywatt_ledger::policy::Policy;
//!
//! let log = LogSigner::from_seed("tallywatt.example/region-66", &[1; 32])?;
//! let bank = Cosigner::from_seed("bank.example", &[2; 32])?;
//! let policy = Policy::parties(&[log.verifier_key().clone()], &[("bank".into(), bank.verifier_key().clone())], 1)?;
//! assert_eq!(Policy::parse(&policy.to_string())?, policy);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use crate::checkpoint::{Checkpoint, CheckpointError, parse_decimal, shortened};
use crate::key::{KeyKind, VerifierKey};
use crate::note::{Note, NoteError};

/// Most bytes in a policy text.
pub const POLICY_SIZE_MAX: usize = 64 * 1024;

/// Most logs, most witnesses and most groups in a policy: what the standard asks every reader to take.
pub const DEFINITION_COUNT_MAX: usize = 32;

/// Most bytes in the name of a witness or a group.
pub const MEMBER_NAME_SIZE_MAX: usize = 255;

/// The name of the quorum that asks for no cosignature.
const NO_QUORUM: &str = "none";

/// The name of the one group that [`Policy::parties`] defines.
const PARTIES: &str = "parties";

/// Why a policy is refused, or why a note cannot be judged by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The text is too long.
    #[error("policy has {bytes} bytes, at most {POLICY_SIZE_MAX}")]
    TooLong {
        /// Bytes found.
        bytes: usize,
    },
    /// The last line has no newline: the text may have been cut.
    #[error("policy of {bytes} bytes does not end in a newline")]
    TextEnd {
        /// Bytes found.
        bytes: usize,
    },
    /// Something is wrong in a line.
    #[error("policy line {line}: {cause}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong; never itself a [`PolicyError::Line`].
        cause: Box<PolicyError>,
    },
    /// A control character other than tab and newline.
    #[error("control character {code:#04x}, only tab and newline are allowed")]
    ControlCharacter {
        /// The character.
        code: u32,
    },
    /// A first word that is no keyword.
    #[error("keyword {found:?} is not log, witness, group or quorum")]
    Keyword {
        /// The word, cut to its first characters.
        found: String,
    },
    /// A line with words missing or left over.
    #[error("{keyword} takes {expected}, found {found} words")]
    WordCount {
        /// The keyword of the line.
        keyword: &'static str,
        /// The words that belong behind it.
        expected: &'static str,
        /// Words found behind it.
        found: usize,
    },
    /// A key that does not read.
    #[error("{0}")]
    Key(NoteError),
    /// A key of the other kind.
    #[error("key {key} is a {found} key, expected a {expected} key")]
    WrongKind {
        /// Name and id of the key.
        key: String,
        /// The kind it is.
        found: KeyKind,
        /// The kind the line needs.
        expected: KeyKind,
    },
    /// A public key, or a key name with a key id, that an earlier line has.
    #[error("key {key} is defined twice")]
    KeyTwice {
        /// Name and id of the later key.
        key: String,
    },
    /// A name that cannot be written in a policy, or is kept for the quorum of nothing.
    #[error(
        "name {name:?} is not 1 to {MEMBER_NAME_SIZE_MAX} bytes without spaces and control characters, other than {NO_QUORUM}"
    )]
    Name {
        /// The name, cut to its first characters.
        name: String,
    },
    /// A witness or group name that an earlier line defines.
    #[error("name {name:?} is defined twice")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// A name that no earlier line defines.
    #[error("name {name:?} is not defined above")]
    NameUnknown {
        /// The name, cut to its first characters.
        name: String,
    },
    /// A name that is a member already, of this group or another.
    #[error("name {name:?} is already a member of a group")]
    MemberTwice {
        /// The name.
        name: String,
    },
    /// A threshold that is not any, all or a number of members.
    #[error("threshold {threshold:?} is not any, all or a decimal of 1 to {members}")]
    Threshold {
        /// The threshold as written, cut to its first characters.
        threshold: String,
        /// Members of the group.
        members: usize,
    },
    /// More than [`DEFINITION_COUNT_MAX`] of one kind.
    #[error("more than {DEFINITION_COUNT_MAX} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
    },
    /// No log key.
    #[error("policy has no log, at least 1 needed")]
    NoLog,
    /// No quorum line.
    #[error("policy has no quorum line, exactly 1 needed")]
    NoQuorum,
    /// A second quorum line.
    #[error("quorum is defined twice")]
    QuorumTwice,
    /// The note's text is no checkpoint.
    #[error("note text is not a checkpoint: {0}")]
    Checkpoint(CheckpointError),
    /// A known log key signed the checkpoint of another log.
    #[error("log key {key} signed a checkpoint of origin {origin:?}")]
    OtherOrigin {
        /// Name and id of the key.
        key: String,
        /// The origin of the checkpoint.
        origin: String,
    },
    /// A line by a known key does not verify.
    #[error("{who} did not sign this note: {cause}")]
    BadSignature {
        /// The witness as the policy names it, or name and id of the log key.
        who: String,
        /// What is wrong with the line.
        cause: NoteError,
    },
}

/// Known logs, known witnesses, and the quorum over them.
///
/// `Display` writes the policy as a text that [`Policy::parse`] reads back to an equal policy: logs first, then
/// witnesses and groups in their order, thresholds as numbers, without comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    /// Witnesses and groups as defined; a group names only places below its own.
    members: Vec<Member>,
    /// A place in `members`.
    quorum: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    name: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Witness(VerifierKey),
    Group { threshold: usize, members: Vec<usize> },
}

/// A witness whose cosignature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness as the policy names it.
    pub witness: String,
    /// The time in its line, Unix seconds. The policy asks nothing of it.
    pub time_unix_s: u64,
}

/// What a policy finds in a note: every fact checked, and nothing claimed beyond them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The checkpoint as the note has it; believed only through [`Verdict::accepted`].
    pub checkpoint: Checkpoint,
    /// Name and id of each log key that signed, in the order of the note.
    pub logs: Vec<String>,
    /// The witnesses that cosigned, in the order of the note.
    pub witnesses: Vec<Cosigned>,
    /// Name and id of each line's key that the policy does not know, in the order of the note. Nothing was checked there.
    pub unknown: Vec<String>,
    /// Whether the witnesses above fill the quorum.
    pub is_quorum: bool,
}

impl Verdict {
    /// The checkpoint, if a known log signed it and the quorum holds.
    pub fn accepted(&self) -> Option<&Checkpoint> {
        (self.is_quorum && !self.logs.is_empty()).then_some(&self.checkpoint)
    }
}

impl Policy {
    /// The usual policy: any of these log keys, and `threshold` of these named witnesses.
    ///
    /// # Errors
    /// As [`Policy::parse`], without line numbers; [`PolicyError::Threshold`] unless `1 <= threshold <= witnesses`.
    pub fn parties(
        logs: &[VerifierKey],
        witnesses: &[(String, VerifierKey)],
        threshold: usize,
    ) -> Result<Policy, PolicyError> {
        Self::group(PARTIES, logs, witnesses, threshold)
    }

    /// The same, with a name for the group of the witnesses.
    ///
    /// # Errors
    /// As [`Policy::parties`], and for a name that no group may have.
    pub fn group(
        group: &str,
        logs: &[VerifierKey],
        witnesses: &[(String, VerifierKey)],
        threshold: usize,
    ) -> Result<Policy, PolicyError> {
        let mut draft = Draft::default();
        for key in logs {
            draft.define_log(key.clone())?;
        }
        for (name, key) in witnesses {
            draft.define_witness(name, key.clone())?;
        }
        let names: Vec<&str> = witnesses.iter().map(|(name, _)| name.as_str()).collect();
        draft.define_group(group, &threshold.to_string(), &names)?;
        draft.define_quorum(group)?;
        draft.finish()
    }

    /// Reads a policy text.
    ///
    /// Words stand between spaces and tabs; empty lines, and lines whose first word begins with `#`, are skipped.
    ///
    /// # Errors
    /// [`PolicyError::Line`] with the line that is wrong, or what is wrong with the text as a whole.
    pub fn parse(text: &str) -> Result<Policy, PolicyError> {
        let bytes = text.len();
        if bytes > POLICY_SIZE_MAX {
            return Err(PolicyError::TooLong { bytes });
        }
        if !text.ends_with('\n') {
            return Err(PolicyError::TextEnd { bytes });
        }
        let mut draft = Draft::default();
        for (line, number) in text.split_terminator('\n').zip(1..) {
            draft
                .read_line(line)
                .map_err(|cause| PolicyError::Line { line: number, cause: Box::new(cause) })?;
        }
        draft.finish()
    }

    /// The log keys, in their order.
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// The witnesses with their names, in their order.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &VerifierKey)> {
        self.members.iter().filter_map(|member| match &member.rule {
            Rule::Witness(key) => Some((member.name.as_str(), key)),
            Rule::Group { .. } => None,
        })
    }

    /// Checks every line of a note that a known key claims to have signed, and counts the quorum.
    ///
    /// A quorum that is not met is no error: the verdict says so.
    ///
    /// # Errors
    /// [`PolicyError::Checkpoint`] when the text is no checkpoint, [`PolicyError::OtherOrigin`] and
    /// [`PolicyError::BadSignature`] when a line names a known key and does not hold.
    pub fn evaluate(&self, note: &Note) -> Result<Verdict, PolicyError> {
        let checkpoint = Checkpoint::parse(note.text()).map_err(PolicyError::Checkpoint)?;
        let (mut logs, mut witnesses, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for line in note.signatures() {
            if let Some(key) = self.logs.iter().find(|key| key.is_named_by(line)) {
                if key.name() != checkpoint.origin() {
                    let origin = checkpoint.origin().to_owned();
                    return Err(PolicyError::OtherOrigin { key: key.key(), origin });
                }
                key.verify_signature(note.text(), line)
                    .map_err(|cause| PolicyError::BadSignature { who: key.key(), cause })?;
                logs.push(key.key());
            } else if let Some((name, key)) = self.witnesses().find(|(_, key)| key.is_named_by(line)) {
                let time_unix_s = key
                    .verify_cosignature(note.text(), line)
                    .map_err(|cause| PolicyError::BadSignature { who: name.to_owned(), cause })?;
                witnesses.push(Cosigned { witness: name.to_owned(), time_unix_s });
            } else {
                unknown.push(line.key());
            }
        }
        let is_quorum = self.is_quorum(&witnesses);
        Ok(Verdict { checkpoint, logs, witnesses, unknown, is_quorum })
    }

    fn is_quorum(&self, cosigned: &[Cosigned]) -> bool {
        let Some(quorum) = self.quorum else {
            return true;
        };
        let mut holds: Vec<bool> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            holds.push(match &member.rule {
                Rule::Witness(_) => cosigned.iter().any(|by| by.witness == member.name),
                // Members stand below their group, so their answers are there already.
                Rule::Group { threshold, members } => {
                    members.iter().filter(|place| holds[**place]).count() >= *threshold
                }
            });
        }
        holds[quorum]
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for key in &self.logs {
            writeln!(out, "log {key}")?;
        }
        for Member { name, rule } in &self.members {
            match rule {
                Rule::Witness(key) => writeln!(out, "witness {name} {key}")?,
                Rule::Group { threshold, members } => {
                    write!(out, "group {name} {threshold}")?;
                    members.iter().try_for_each(|place| write!(out, " {}", self.members[*place].name))?;
                    writeln!(out)?;
                }
            }
        }
        writeln!(out, "quorum {}", self.quorum.map_or(NO_QUORUM, |place| self.members[place].name.as_str()))
    }
}

/// A policy while it is read: each definition is checked against those before it.
#[derive(Default)]
struct Draft {
    logs: Vec<VerifierKey>,
    members: Vec<Member>,
    quorum: Option<Option<usize>>,
}

impl Draft {
    fn read_line(&mut self, line: &str) -> Result<(), PolicyError> {
        // Bytes above ASCII are opaque here, so only the ASCII controls are looked at.
        if let Some(control) = line.chars().find(|found| found.is_ascii_control() && *found != '\t') {
            return Err(PolicyError::ControlCharacter { code: u32::from(control) });
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let Some((keyword, rest)) = words.split_first() else {
            return Ok(());
        };
        let wrong = |keyword, expected| PolicyError::WordCount { keyword, expected, found: rest.len() };
        match (*keyword, rest) {
            (comment, _) if comment.starts_with('#') => Ok(()),
            ("log", [key]) => self.define_log(VerifierKey::parse(key).map_err(PolicyError::Key)?),
            ("log", _) => Err(wrong("log", "a key")),
            ("witness", [name, key]) => {
                self.define_witness(name, VerifierKey::parse(key).map_err(PolicyError::Key)?)
            }
            ("witness", _) => Err(wrong("witness", "a name and a key")),
            ("group", [name, threshold, members @ ..]) if !members.is_empty() => {
                self.define_group(name, threshold, members)
            }
            ("group", _) => Err(wrong("group", "a name, a threshold and members")),
            ("quorum", [name]) => self.define_quorum(name),
            ("quorum", _) => Err(wrong("quorum", "a name")),
            (found, _) => Err(PolicyError::Keyword { found: shortened(found) }),
        }
    }

    fn define_log(&mut self, key: VerifierKey) -> Result<(), PolicyError> {
        check_count(self.logs.len(), "logs")?;
        self.check_key(&key, KeyKind::Log)?;
        self.logs.push(key);
        Ok(())
    }

    fn define_witness(&mut self, name: &str, key: VerifierKey) -> Result<(), PolicyError> {
        check_count(self.witness_keys().count(), "witnesses")?;
        self.check_key(&key, KeyKind::Cosigner)?;
        self.define(name, Rule::Witness(key))
    }

    fn define_group(&mut self, name: &str, threshold: &str, members: &[&str]) -> Result<(), PolicyError> {
        check_count(self.members.len() - self.witness_keys().count(), "groups")?;
        let count = members.len();
        let threshold = match threshold {
            "any" => Some(1),
            "all" => Some(count),
            number => parse_decimal(number).and_then(|number| usize::try_from(number).ok()),
        }
        .filter(|number| (1..=count).contains(number))
        .ok_or_else(|| PolicyError::Threshold { threshold: shortened(threshold), members: count })?;
        let mut places = Vec::new();
        for member in members {
            let place = self.place(member)?;
            if places.contains(&place) || self.is_member(place) {
                return Err(PolicyError::MemberTwice { name: (*member).to_owned() });
            }
            places.push(place);
        }
        self.define(name, Rule::Group { threshold, members: places })
    }

    fn define_quorum(&mut self, name: &str) -> Result<(), PolicyError> {
        let quorum = if name == NO_QUORUM { None } else { Some(self.place(name)?) };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err(PolicyError::QuorumTwice),
        }
    }

    fn finish(self) -> Result<Policy, PolicyError> {
        if self.logs.is_empty() {
            return Err(PolicyError::NoLog);
        }
        let quorum = self.quorum.ok_or(PolicyError::NoQuorum)?;
        Ok(Policy { logs: self.logs, members: self.members, quorum })
    }

    fn define(&mut self, name: &str, rule: Rule) -> Result<(), PolicyError> {
        let is_refused = |found: char| found == ' ' || found.is_ascii_control();
        if name.is_empty()
            || name.len() > MEMBER_NAME_SIZE_MAX
            || name == NO_QUORUM
            || name.contains(is_refused)
        {
            return Err(PolicyError::Name { name: shortened(name) });
        }
        if self.place(name).is_ok() {
            return Err(PolicyError::NameTwice { name: name.to_owned() });
        }
        self.members.push(Member { name: name.to_owned(), rule });
        Ok(())
    }

    fn place(&self, name: &str) -> Result<usize, PolicyError> {
        let found = self.members.iter().position(|member| member.name == name);
        found.ok_or_else(|| PolicyError::NameUnknown { name: shortened(name) })
    }

    fn is_member(&self, place: usize) -> bool {
        self.members
            .iter()
            .any(|member| matches!(&member.rule, Rule::Group { members, .. } if members.contains(&place)))
    }

    fn witness_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.members.iter().filter_map(|member| match &member.rule {
            Rule::Witness(key) => Some(key),
            Rule::Group { .. } => None,
        })
    }

    fn check_key(&self, key: &VerifierKey, expected: KeyKind) -> Result<(), PolicyError> {
        let found = key.kind();
        if found != expected {
            return Err(PolicyError::WrongKind { key: key.key(), found, expected });
        }
        let is_same =
            |other: &VerifierKey| other.public_key() == key.public_key() || other.key() == key.key();
        if self.logs.iter().chain(self.witness_keys()).any(is_same) {
            return Err(PolicyError::KeyTwice { key: key.key() });
        }
        Ok(())
    }
}

fn check_count(count: usize, what: &'static str) -> Result<(), PolicyError> {
    if count >= DEFINITION_COUNT_MAX { Err(PolicyError::TooMany { what }) } else { Ok(()) }
}
