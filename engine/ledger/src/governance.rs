//! A motion: another key for a party, or another witness, from a block on; with the consent of all three parties.
//!
//! ```text
//! tallywatt/governance/v1
//! tallywatt.example/region-66                                     the log's origin: a consent counts in one network
//! motion 1                                                        counted from 1 without gaps: a consent counts once
//! keys of bank                                                    or, instead of these four lines:
//! log tallywatt.example/region-66+95b634a7+AQ…                    witness regulator.example/witness+1b2c3d4e+BA…
//! witness tallywatt.example/region-66/bank/witness+1f2e3d4c+BA…   witness none
//! exec tallywatt.example/region-66/bank/exec+a1b2c3d4+AQ…
//! from block 120                                                  the first that the new keys attest, and whose head they sign
//!
//! — tallywatt.example/region-66/grid/exec b64(key id[4] ‖ signature[64])
//! — tallywatt.example/region-66/bank/exec b64(key id[4] ‖ signature[64])
//! — tallywatt.example/region-66/supplier/exec b64(key id[4] ‖ signature[64])
//! ```
//!
//! - The three seats are fixed by what they do. Another organisation takes one by the motion that replaces all its keys.
//! - All three sign, each with the exec key in force before the motion: the party whose keys change with the old one.
//! - Whoever reads a motion checks the consents again; that parties attested its block is not enough.
//! - Which keys are in force at which block is for [`KeyHistory`](crate::key_history::KeyHistory).
//!
//! Also in `FORMAT.md` §4.

use std::fmt;

use tallywatt_core::agreement::Party;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::{PartyKeys, short_text};
use crate::key_history::{KeyHistory, KeysError, KeysInForce};
use crate::note::Note;

/// How far ahead of its own block a motion may take effect, blocks: until it does there is no other.
pub const FROM_AHEAD_MAX: u64 = 1_024;
/// The most motions of a ledger: a receipt carries them all.
pub const MOTION_COUNT_MAX: u64 = 256;

const FIRST_LINE: &str = "tallywatt/governance/v1";
const NO_WITNESS: &str = "none";
const SIGNATURE_SIZE: usize = 64;

/// What is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Motion {
    /// The keys of a party: each may stay, one changes at least.
    Keys {
        /// Whose.
        party: Party,
        /// All three as they are from then on.
        keys: PartyKeys,
    },
    /// The witness that is no party: its C2SP verifier key, or that there is none from then on.
    Witness(Option<String>),
}

/// `keys of bank`, `witness <key>` or `witness none`.
impl fmt::Display for Motion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys { party, .. } => write!(out, "keys of {party}"),
            Self::Witness(key) => write!(out, "witness {}", key.as_deref().unwrap_or(NO_WITNESS)),
        }
    }
}

/// A motion with the consents that make it count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Governance {
    /// Motions are numbered from 1 without gaps.
    pub number: u64,
    /// The first block that is attested by the keys it names, and whose head they sign: above its own.
    pub from: u64,
    /// What changes.
    pub motion: Motion,
    /// The signatures of grid company, bank and supplier, in that order.
    pub consents: [[u8; SIGNATURE_SIZE]; 3],
}

/// Why a motion does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GovernanceError {
    /// The note is of something else, or of another network.
    #[error("the note signs no motion of {origin}")]
    Text {
        /// The network.
        origin: String,
    },
    /// It is not the next, or there are too many.
    #[error("motion {number} is not the next, which is {next} of at most {MOTION_COUNT_MAX}")]
    Number {
        /// Its number.
        number: u64,
        /// The next.
        next: u64,
    },
    /// Another is still to take effect.
    #[error("motion {number} takes effect from block {from} on: until then there is no other")]
    Pending {
        /// The other's number.
        number: u64,
        /// From when on it holds.
        from: u64,
    },
    /// It would take effect before it stands, or too late.
    #[error(
        "a motion after block {height} cannot take effect from block {from} on, but 1 to {FROM_AHEAD_MAX} later"
    )]
    From {
        /// When it would.
        from: u64,
        /// The height it stands at, or that of the motion before.
        height: u64,
    },
    /// The keys it names.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A signature by a key that no party attests with.
    #[error("motion {number} is signed by key {key}, which no party consents with now")]
    Key {
        /// Its number.
        number: u64,
        /// The key.
        key: String,
    },
    /// A party has not signed.
    #[error("motion {number} is not signed by {party}")]
    Missing {
        /// Its number.
        number: u64,
        /// Who has not.
        party: Party,
    },
    /// A signature that is not the party's over this motion.
    #[error("the signature of {party} is not its own under motion {number}")]
    Signature {
        /// Its number.
        number: u64,
        /// Whose.
        party: Party,
    },
}

/// The text that all three parties sign.
#[must_use]
pub fn motion_text(origin: &str, number: u64, motion: &Motion, from: u64) -> String {
    let keys = match motion {
        Motion::Keys { keys: PartyKeys { log, witness, exec }, .. } => {
            format!("\nlog {log}\nwitness {witness}\nexec {exec}")
        }
        Motion::Witness(_) => String::new(),
    };
    format!("{FIRST_LINE}\n{origin}\nmotion {number}\n{motion}{keys}\nfrom block {from}\n")
}

/// Reads what [`motion_text`] wrote for this network: number, motion and height.
///
/// # Errors
/// [`GovernanceError::Text`] for any other text.
pub fn parse_motion_text(origin: &str, text: &str) -> Result<(u64, Motion, u64), GovernanceError> {
    let read = || {
        let mut lines = text.lines().skip(2);
        let mut after = |word: &str| lines.next()?.strip_prefix(word);
        let number = after("motion ")?.parse().ok()?;
        let what = after("")?;
        let motion = match (what.strip_prefix("keys of "), what.strip_prefix("witness ")) {
            (Some(name), _) => {
                let party = Party::from_name(name)?;
                let mut key = |word| after(word).map(str::to_owned);
                let keys = PartyKeys { log: key("log ")?, witness: key("witness ")?, exec: key("exec ")? };
                Motion::Keys { party, keys }
            }
            (None, Some(key)) => Motion::Witness(Some(key.to_owned()).filter(|key| key != NO_WITNESS)),
            (None, None) => return None,
        };
        Some((number, motion, after("from block ")?.parse().ok()?))
    };
    // The whole text is compared once more: a second spelling would be another text to sign.
    read()
        .filter(|(number, motion, from)| text == motion_text(origin, *number, motion, *from))
        .ok_or_else(|| GovernanceError::Text { origin: origin.to_owned() })
}

impl Governance {
    /// The motion of a note that all three parties signed, as the next of a ledger with these keys. In which block it may stand is
    /// for [`KeyHistory::check`].
    ///
    /// # Errors
    /// [`GovernanceError`] names what is missing, or whose signature it should not be.
    pub fn of_note(note: &Note, history: &KeyHistory) -> Result<Self, GovernanceError> {
        let (number, motion, from) = parse_motion_text(history.origin(), note.text())?;
        let keys = history.newest();
        let mut consents: [Option<[u8; SIGNATURE_SIZE]>; 3] = [None; 3];
        for line in note.signatures() {
            let party = keys.exec_party(line);
            let party = party.ok_or_else(|| GovernanceError::Key { number, key: line.key() })?;
            let signature = line.signature().try_into();
            let signature = signature.map_err(|_| GovernanceError::Signature { number, party })?;
            consents[usize::from(party.code()) - 1] = Some(signature);
        }
        let [Some(grid), Some(bank), Some(supplier)] = consents else {
            let has_not = |party: &Party| consents[usize::from(party.code()) - 1].is_none();
            let party = Party::ALL.into_iter().find(has_not).unwrap_or(Party::Grid);
            return Err(GovernanceError::Missing { number, party });
        };
        let governance = Self { number, from, motion, consents: [grid, bank, supplier] };
        governance.check_consents(history.origin(), keys)?;
        Ok(governance)
    }

    /// The text that its parties signed.
    #[must_use]
    pub fn text(&self, origin: &str) -> String {
        motion_text(origin, self.number, &self.motion, self.from)
    }

    /// All three have signed, each with its own key in force.
    pub(crate) fn check_consents(&self, origin: &str, keys: &KeysInForce) -> Result<(), GovernanceError> {
        let (text, number) = (self.text(origin), self.number);
        for (party, signature) in Party::ALL.into_iter().zip(&self.consents) {
            let checked = keys.check_exec(party, &text, signature);
            checked.map_err(|_| GovernanceError::Signature { number, party })?;
        }
        Ok(())
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u64(self.number).u64(self.from);
        match &self.motion {
            Motion::Keys { party, keys } => {
                writer.u8(1).u8(party.code()).text(&keys.log).text(&keys.witness).text(&keys.exec);
            }
            // No key is an empty text.
            Motion::Witness(key) => {
                writer.u8(2).text(key.as_deref().unwrap_or_default());
            }
        }
        for signature in &self.consents {
            writer.raw(signature);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (number, from) = (reader.u64("motion number")?, reader.u64("from height")?);
        let at = reader.at();
        let motion = match reader.u8("motion")? {
            1 => {
                let at = reader.at();
                let party = Party::from_code(reader.u8("party of the keys")?);
                let party = party.ok_or(CodecError::Value { field: "party of the keys", at })?;
                let log = short_text(reader, "log key")?;
                let witness = short_text(reader, "witness key")?;
                let exec = short_text(reader, "exec key")?;
                Motion::Keys { party, keys: PartyKeys { log, witness, exec } }
            }
            2 => Motion::Witness(Some(short_text(reader, "key of a witness")?).filter(|key| !key.is_empty())),
            _ => return Err(reader.refuse("motion", at)),
        };
        let mut consent = || {
            let at = reader.at();
            let signature = reader.raw("consent", SIGNATURE_SIZE)?.try_into();
            signature.map_err(|_| CodecError::Truncated { field: "consent", at })
        };
        let consents = [consent()?, consent()?, consent()?];
        Ok(Self { number, from, motion, consents })
    }
}

#[cfg(test)]
mod tests;
