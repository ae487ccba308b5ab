//! The card of a party: what the other two must know of it before there is a chain. Public; a text file.
//!
//! ```text
//!   grid: init ─▶ party.card ─┐
//!   bank: init ─▶ party.card ─┼─▶ each: join ─▶ the same first block, three folders that know one another
//!   supplier: init ─▶ card ───┘
//! ```
//!
//! A card is as true as the way it came: people compare the hashes of cards and of the first block, which `join` prints, by
//! another way.

use std::net::SocketAddr;

use serde::Deserialize;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::tariff::Currency;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::codec::Writer;
use tallywatt_ledger::command::PartyKeys;
use tallywatt_ledger::digest;

/// Name of the card in the party's own data folder.
pub const CARD_NAME: &str = "party.card";
/// The largest card.
pub const CARD_SIZE_MAX: u64 = 16 * 1024;

/// What a party shows the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The log's origin: names the network.
    pub origin: String,
    /// Currency of the ledger.
    pub currency: Currency,
    /// Version of the time-zone database it computes with.
    pub tzdb: String,
    /// Whose it is.
    pub party: Party,
    /// Where the others reach its node.
    pub address: SocketAddr,
    /// Its public keys.
    pub keys: PartyKeys,
    /// Hash by which the ledger's blinding secret is recognised; from the grid company, which makes it.
    pub blinding: Option<ContentHash>,
    /// The certificate of its authority, PEM.
    pub authority: String,
}

/// Why a text is no card.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// Not the text of a card.
    #[error("not a card: {0}")]
    Text(String),
    /// A value is none that a card may hold.
    #[error("not a card: its {0} is none")]
    Value(&'static str),
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    origin: String,
    currency: String,
    tzdb: String,
    party: String,
    address: SocketAddr,
    log: String,
    witness: String,
    exec: String,
    blinding: Option<String>,
    authority: String,
}

impl Card {
    /// Reads a card: only its own canonical text is one.
    ///
    /// # Errors
    /// [`CardError`].
    pub fn parse(text: &str) -> Result<Self, CardError> {
        let written: Written =
            toml::from_str(text).map_err(|error| CardError::Text(error.message().to_owned()))?;
        let blinding = written.blinding.as_deref().map(str::parse::<ContentHash>).transpose();
        let card = Self {
            origin: written.origin,
            currency: written.currency.parse().map_err(|_| CardError::Value("currency"))?,
            tzdb: written.tzdb,
            party: Party::from_name(&written.party).ok_or(CardError::Value("party"))?,
            address: written.address,
            keys: PartyKeys { log: written.log, witness: written.witness, exec: written.exec },
            blinding: blinding.map_err(|_| CardError::Value("blinding"))?,
            authority: written.authority,
        };
        // What would be read back as something else is not written like that by anybody honest.
        if card.text() == text {
            Ok(card)
        } else {
            Err(CardError::Text("it was changed or made by hand".into()))
        }
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { origin, currency, tzdb, party, address, keys, blinding, authority } = self;
        let PartyKeys { log, witness, exec } = keys;
        let blinding = blinding.map_or_else(String::new, |hash| format!("blinding = \"{hash}\"\n"));
        format!(
            "# Tallywatt: what the {party} shows the other parties. Nothing in it is secret.\n\
             origin = \"{origin}\"\ncurrency = \"{currency}\"\ntzdb = \"{tzdb}\"\nparty = \"{party}\"\n\
             address = \"{address}\"\nlog = \"{log}\"\nwitness = \"{witness}\"\nexec = \"{exec}\"\n{blinding}\
             authority = '''\n{authority}'''\n"
        )
    }

    /// What people compare to know that they hold the same card.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        digest::content_hash(self.text().as_bytes())
    }
}

/// The hash by which a blinding secret is recognised. It says nothing of the secret, which is 32 random bytes.
#[must_use]
pub fn blinding_hash(secret: &BlindingSecret) -> ContentHash {
    let mut writer = Writer::default();
    writer.text("tallywatt/blinding/v1").raw(secret.as_bytes());
    digest::content_hash(&writer.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card {
            origin: "tallywatt.example/card".into(),
            currency: "RUB".parse().unwrap(),
            tzdb: "2026b".into(),
            party: Party::Grid,
            address: "192.0.2.7:7101".parse().unwrap(),
            keys: PartyKeys { log: "l+1+2".into(), witness: "w+1+2".into(), exec: "e+1+2".into() },
            blinding: Some(blinding_hash(&BlindingSecret::new([7; 32]))),
            authority: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".into(),
        }
    }

    #[test]
    fn a_card_is_read_as_it_was_written() {
        let card = card();
        assert_eq!(Card::parse(&card.text()).unwrap(), card);
        let without = Card { blinding: None, ..card };
        assert_eq!(Card::parse(&without.text()).unwrap(), without);
    }

    #[test]
    fn another_text_is_no_card() {
        let text = card().text();
        for bent in [
            String::new(),
            text.replace("party = \"grid\"", "party = \"regulator\""),
            text.replace("RUB", "roubles"),
            text.replace("192.0.2.7:7101", "192.0.2.7"),
            text.replace("blinding = \"", "blinding = \"0"),
            text.replace("exec", "extra = 1\nexec"),
            format!("{text}\n"),
            text.replace("l+1+2", "l+1+2\\u0022"),
        ] {
            assert!(Card::parse(&bent).is_err(), "{bent}");
        }
    }
}
