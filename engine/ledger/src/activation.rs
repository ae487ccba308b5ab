//! Consent to an agreement: the text that both of its parties sign, and the activation that puts their signatures on the chain.
//!
//! ```text
//! tallywatt/agreement/v1
//! tallywatt.example/region-66                                     the log's origin: a consent counts in one network
//! grid-2026 195b634749a4afd79bd065a9ae2e51b1ce069bb1f539ff50…     id and content hash of the agreement
//! from block 0                                                    the first that may follow it; at once from an earlier one
//!
//! — tallywatt.example/region-66/grid/exec b64(key id[4] ‖ signature[64])
//! — tallywatt.example/region-66/supplier/exec b64(key id[4] ‖ signature[64])
//! ```
//!
//! - A note of it stands beside the agreement's file, with one signature line a party, in any order.
//! - An agreement counts from its activation on: with the signatures of its payee and its remainder taker, and no other.
//! - The keys are those in force at the activation's block. Whoever reads an activation checks the signatures again; that
//!   parties attested its block is not enough.
//!
//! Also in `FORMAT.md` §4.

use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;

use crate::block::Attestation;
use crate::codec::{CodecError, Reader, Writer};
use crate::key_history::KeysInForce;
use crate::note::Note;

const FIRST_LINE: &str = "tallywatt/agreement/v1";
const FROM: &str = "from block ";
const SIGNATURE_SIZE: usize = 64;

/// Both parties' signatures under an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Content hash of the agreement.
    pub agreement: ContentHash,
    /// The height from which on it holds, as both have signed; never before that of its own block.
    pub from: u64,
    /// The signatures of its two parties, by party.
    pub consents: [Attestation; 2],
}

/// Why signatures do not activate an agreement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActivationError {
    /// The note is of something else.
    #[error("the note does not sign agreement {id} {hash}, but other words", hash = .hash.short())]
    Text {
        /// The agreement.
        id: Label,
        /// Its hash.
        hash: ContentHash,
    },
    /// A signature by a key that no party attests with.
    #[error("agreement {id} is signed by key {key}, which is no party's")]
    Key {
        /// The agreement.
        id: Label,
        /// The key.
        key: String,
    },
    /// A party that the agreement is not between.
    #[error("agreement {id} is signed by {party}, and is between {payee} and {remainder}")]
    Party {
        /// The agreement.
        id: Label,
        /// Who signed.
        party: Party,
        /// Its payee.
        payee: Party,
        /// Its remainder taker.
        remainder: Party,
    },
    /// A party has not signed.
    #[error("agreement {id} is not signed by {party}")]
    Missing {
        /// The agreement.
        id: Label,
        /// Who has not.
        party: Party,
    },
    /// A signature that is not the party's over this agreement.
    #[error("the signature of {party} is not its own under agreement {id} {hash}", hash = .hash.short())]
    Signature {
        /// The agreement.
        id: Label,
        /// Its hash.
        hash: ContentHash,
        /// Whose.
        party: Party,
    },
}

/// The text that both parties sign.
#[must_use]
pub fn consent_text(origin: &str, id: &Label, hash: &ContentHash, from: u64) -> String {
    format!("{FIRST_LINE}\n{origin}\n{id} {hash}\n{FROM}{from}\n")
}

/// The height in the last line of a consent.
fn height_in(text: &str) -> Option<u64> {
    text.lines().last()?.strip_prefix(FROM)?.parse().ok()
}

impl Activation {
    /// The activation of an agreement whose note both parties signed, by the keys in force at the block it is to stand in.
    ///
    /// # Errors
    /// [`ActivationError`] names what is missing, or whose signature it should not be.
    pub fn of_note(
        note: &Note,
        agreement: &Published<Agreement>,
        origin: &str,
        keys: &KeysInForce,
    ) -> Result<Self, ActivationError> {
        let (id, hash) = (agreement.body.id, agreement.hash);
        let is_ours = |from: &u64| note.text() == consent_text(origin, &id, &hash, *from);
        let from = height_in(note.text()).filter(is_ours).ok_or(ActivationError::Text { id, hash })?;
        let mut consents: Vec<Attestation> = Vec::new();
        for line in note.signatures() {
            let signer = keys.exec_party(line);
            let party = signer.ok_or_else(|| ActivationError::Key { id, key: line.key() })?;
            let signature = line.signature().try_into();
            let signature = signature.map_err(|_| ActivationError::Signature { id, hash, party })?;
            consents.push(Attestation { party, signature });
        }
        consents.sort_by_key(|consent| consent.party);
        check(&consents, from, agreement, origin, keys)?;
        let consents = consents.try_into().expect("both parties have signed, and nobody else");
        Ok(Self { agreement: hash, from, consents })
    }

    /// Checks the signatures against the agreement that the activation names, and the keys in force at its block.
    ///
    /// # Errors
    /// [`ActivationError`].
    pub fn check(
        &self,
        agreement: &Published<Agreement>,
        origin: &str,
        keys: &KeysInForce,
    ) -> Result<(), ActivationError> {
        check(&self.consents, self.from, agreement, origin, keys)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.hash(&self.agreement).u64(self.from);
        for consent in &self.consents {
            writer.u8(consent.party.code()).raw(&consent.signature);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let (agreement, from) = (reader.hash("agreement")?, reader.u64("from height")?);
        let mut consent = || {
            let at = reader.at();
            let party = Party::from_code(reader.u8("consenting party")?);
            let party = party.ok_or(CodecError::Value { field: "consenting party", at })?;
            let at = reader.at();
            let signature = reader.raw("consent", SIGNATURE_SIZE)?.try_into();
            let signature = signature.map_err(|_| CodecError::Truncated { field: "consent", at })?;
            Ok(Attestation { party, signature })
        };
        let consents: [Attestation; 2] = [consent()?, consent()?];
        let at = reader.at();
        if consents[0].party >= consents[1].party {
            return Err(CodecError::Value { field: "consents", at });
        }
        Ok(Self { agreement, from, consents })
    }
}

/// Both parties have signed, each with its own key, and nobody else has.
fn check(
    consents: &[Attestation],
    from: u64,
    agreement: &Published<Agreement>,
    origin: &str,
    keys: &KeysInForce,
) -> Result<(), ActivationError> {
    let Agreement { id, payee, remainder, .. } = agreement.body;
    let hash = agreement.hash;
    let text = consent_text(origin, &id, &hash, from);
    for Attestation { party, signature } in consents {
        let party = *party;
        if ![payee, remainder].contains(&party) {
            return Err(ActivationError::Party { id, party, payee, remainder });
        }
        let checked = keys.check_exec(party, &text, signature);
        checked.map_err(|_| ActivationError::Signature { id, hash, party })?;
    }
    let has_signed = |party: &Party| consents.iter().any(|consent| consent.party == *party);
    match [payee, remainder].into_iter().find(|party| !has_signed(party)) {
        Some(party) => Err(ActivationError::Missing { id, party }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement_bytes::publish_agreement;
    use crate::codec::Reader;
    use crate::command::{Genesis, PartyKeys};
    use crate::key::{Cosigner, LogSigner};
    use crate::key_history::KeyHistory;
    use tallywatt_core::agreement::SplitRule;
    use tallywatt_core::payment_terms::PaymentTerms;
    use tallywatt_core::validity::Validity;

    const ORIGIN: &str = "tallywatt.test/activation";

    fn signer(party: Party, origin: &str) -> LogSigner {
        LogSigner::from_seed(&format!("{origin}/{party}/exec"), &[party.code(); 32]).unwrap()
    }

    fn keys() -> KeysInForce {
        let keys = |party: Party| PartyKeys {
            log: LogSigner::from_seed(ORIGIN, &[party.code() + 16; 32]).unwrap().verifier_key().to_string(),
            witness: Cosigner::from_seed("w", &[party.code() + 32; 32]).unwrap().verifier_key().to_string(),
            exec: signer(party, ORIGIN).verifier_key().to_string(),
        };
        let genesis = Genesis {
            origin: ORIGIN.into(),
            currency: "RUB".parse().unwrap(),
            tzdb: "2026a".into(),
            parties: Party::ALL.map(keys),
            witness: None,
            attesters: crate::attesters::Attesters::default(),
        };
        KeyHistory::of(&genesis).unwrap().at(0).clone()
    }

    fn agreement(title: &str) -> Published<Agreement> {
        publish_agreement(Agreement {
            id: "grid 2026".parse().unwrap(),
            title: title.into(),
            currency: "RUB".parse().unwrap(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            payee: Party::Grid,
            remainder: Party::Supplier,
            rule: SplitRule::Share(45_000_000),
            terms: PaymentTerms::default(),
        })
    }

    /// The consent of `signers` to an agreement in a network; `x` is a key that is nobody's.
    fn note(signers: &str, title: &str, origin: &str) -> Note {
        let agreement = agreement(title);
        let text = consent_text(origin, &agreement.body.id, &agreement.hash, 5);
        let sign = |name: &str| match Party::from_name(name) {
            Some(party) => signer(party, ORIGIN).sign(&text).unwrap(),
            None => LogSigner::from_seed("nobody", &[9; 32]).unwrap().sign(&text).unwrap(),
        };
        Note::new(&text, signers.split_whitespace().map(sign).collect()).unwrap()
    }

    #[test]
    fn who_must_sign_what() {
        let hash = agreement("A").hash.short().to_string();
        let other = format!("the note does not sign agreement grid 2026 {hash}, but other words");
        let table = [
            ("grid supplier", "A", ORIGIN, "ok"),
            ("supplier grid", "A", ORIGIN, "ok"),
            ("grid", "A", ORIGIN, "agreement grid 2026 is not signed by supplier"),
            ("supplier", "A", ORIGIN, "agreement grid 2026 is not signed by grid"),
            (
                "grid bank",
                "A",
                ORIGIN,
                "agreement grid 2026 is signed by bank, and is between grid and supplier",
            ),
            (
                "grid bank supplier",
                "A",
                ORIGIN,
                "agreement grid 2026 is signed by bank, and is between grid and supplier",
            ),
            ("grid supplier", "B", ORIGIN, &other),
            ("grid supplier", "A", "tallywatt.test/other", &other),
        ];
        for (signers, title, origin, want) in table {
            let got = Activation::of_note(&note(signers, title, origin), &agreement("A"), ORIGIN, &keys());
            let told = got.as_ref().map_or_else(ToString::to_string, |_| "ok".into());
            assert_eq!(told, want, "{signers} {title} {origin}");
            if let Ok(activation) = got {
                assert_eq!(
                    (activation.from, activation.check(&agreement("A"), ORIGIN, &keys())),
                    (5, Ok(()))
                );
                let sooner = Activation { from: 4, ..activation.clone() };
                assert!(sooner.check(&agreement("A"), ORIGIN, &keys()).is_err());
                let moved = activation.check(&agreement("B"), ORIGIN, &keys()).unwrap_err().to_string();
                assert!(moved.starts_with("the signature of grid is not its own under agreement"), "{moved}");
            }
        }
        let nobody = Activation::of_note(&note("grid x", "A", ORIGIN), &agreement("A"), ORIGIN, &keys());
        assert!(nobody.unwrap_err().to_string().ends_with(", which is no party's"));
    }

    /// The same again from bytes; any flipped bit gives other bytes, and no signature that counts.
    #[test]
    fn bytes_and_values_are_one_to_one() {
        let signed = note("grid supplier", "A", ORIGIN);
        let value = Activation::of_note(&signed, &agreement("A"), ORIGIN, &keys()).unwrap();
        let mut writer = Writer::default();
        value.write(&mut writer);
        let bytes = writer.finish();
        let read = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let value = Activation::read(&mut reader)?;
            reader.finish().map(|()| value)
        };
        assert_eq!(read(&bytes).as_ref(), Ok(&value));
        for size in 0..bytes.len() {
            assert!(read(&bytes[..size]).is_err(), "cut to {size} bytes");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let Ok(other) = read(&bent) else { continue };
            assert_ne!(other, value, "bit {bit}");
            let is_of_other = other.agreement != value.agreement;
            assert!(is_of_other || other.check(&agreement("A"), ORIGIN, &keys()).is_err(), "bit {bit}");
        }
        let swapped = Activation { consents: [value.consents[1], value.consents[0]], ..value };
        let mut writer = Writer::default();
        swapped.write(&mut writer);
        assert!(read(&writer.finish()).is_err());
    }
}
