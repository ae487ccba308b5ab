//! Founding a consortium: three data folders, one for each party's node, that know one another.
//!
//! ```text
//!   each party, at home:  prepare ─▶ keys, certificate, and a card to show ──┐ cards are exchanged
//!   each party, at home:  join    ◀── three cards ───────────────────────────┘
//!
//!   <folder>/party.card   tallywatt.toml with [node]   genesis.twg   trust.policy
//!           <party>/      keys, blinding secret, node.pem node.key, authority-<party>.pem
//! ```
//!
//! No secret leaves its party but one: the ledger's blinding secret, by which leaves are made that nobody else can guess. The
//! grid company makes it, and hands it over to whoever recomputes readings. From the same three cards each party makes the
//! same first block.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::Path;

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::tzdb_version;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::tariff::Currency;
use tallywatt_ledger::attesters::{Attesters, CommandKind};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_ledger::digest;
use tallywatt_ledger::key_history::KeyHistory;
use tallywatt_shards::durable;

use crate::governing::policy_of;
use crate::ledger_folder::{CONFIG_NAME, Config, LedgerError, POLICY_NAME, Secrets, secret};
use crate::node_folder::NodeFolder;
use crate::peers::certificates::{Certificate, write_authority};
use crate::running::card::{CARD_NAME, CARD_SIZE_MAX, Card, blinding_hash};
use crate::running::settings::NodeSettings;

/// Name of the file with the first block's contents.
pub const GENESIS_NAME: &str = "genesis.twg";
/// The largest such file.
const GENESIS_SIZE_MAX: u64 = 64 * 1024;

/// Ports that are looked at for free ones.
const FREE_PORTS: Range<u16> = 12_000..30_000;
const PORT_TRIES_MAX: usize = 1_000;

/// What one party begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preparing<'a> {
    /// The log's origin: names the network.
    pub origin: &'a str,
    /// Currency of the ledger.
    pub currency: Currency,
    /// Where the keys come from.
    pub secrets: Secrets,
    /// Whose node.
    pub party: Party,
    /// Where the others reach it.
    pub address: SocketAddr,
}

impl Preparing<'_> {
    /// Makes a data folder with the party's secrets, and its card, which is written last.
    ///
    /// # Errors
    /// [`LedgerError`], also if there is something there already.
    pub fn make(&self, data: &Path) -> Result<Card, LedgerError> {
        let Self { origin, currency, secrets, party, address } = *self;
        let node = NodeFolder::below(data, party);
        if node.path().exists() || data.join(CONFIG_NAME).exists() {
            return Err(LedgerError::Exists(data.to_owned()));
        }
        durable::create_folder_durably(data)?;
        let seed = |use_: &str| secret(secrets, &format!("{party} {use_}"));
        let blinding = match party {
            Party::Grid => Some(BlindingSecret::new(secret(secrets, "blinding")?)),
            _ => None,
        };
        node.create(&[seed("log")?, seed("witness")?, seed("exec")?], blinding.as_ref())?;
        let certificate = Certificate::make(origin, party)?;
        certificate.write(node.path())?;
        let card = Card {
            origin: origin.to_owned(),
            currency,
            tzdb: tzdb_version().to_owned(),
            party,
            address,
            keys: node.keys(origin)?.public(),
            blinding: blinding.as_ref().map(blinding_hash),
            authority: certificate.authority_pem().to_owned(),
        };
        durable::write_durably(&data.join(CARD_NAME), card.text().as_bytes())?;
        Ok(card)
    }
}

/// What a party joins the two others with.
pub struct Joining<'a> {
    /// The cards of all three, in any order, its own among them.
    pub cards: &'a [Card],
    /// Where its node listens; where the others reach it, if not said.
    pub listen: Option<SocketAddr>,
    /// Milliseconds between the leader's signs of life.
    pub heartbeat_ms: u64,
    /// The ledger's blinding secret, as the grid company handed it over.
    pub blinding: Option<BlindingSecret>,
    /// A witness that is no party, if there is to be one: all three name the same.
    pub witness: Option<NamedWitness<'a>>,
}

impl Joining<'_> {
    /// Makes the data folder of a party, which was prepared before, one of the consortium of these cards. Its config is
    /// written last; until then it may be tried again. Gives the hash of the first block's contents, which is the same for
    /// all three.
    ///
    /// # Errors
    /// [`LedgerError::Card`] if the cards do not make a consortium.
    pub fn make(&self, data: &Path) -> Result<ContentHash, LedgerError> {
        if data.join(CONFIG_NAME).exists() {
            return Err(LedgerError::Exists(data.to_owned()));
        }
        let own = read_card(&data.join(CARD_NAME))?;
        let cards = by_party(self.cards)?;
        let party = own.party;
        if cards[&party] != &own {
            return Err(LedgerError::Card(format!("the card of the {party} is not the one in this folder")));
        }
        let genesis = genesis_of(&cards, self.witness)?;
        let keys = KeyHistory::of(&genesis).map_err(|error| LedgerError::Card(error.to_string()))?;
        let policy = policy_of(keys.newest())?.to_string();
        let node = NodeFolder::below(data, party);
        self.keep_blinding(&node, cards[&Party::Grid])?;
        for (other, card) in &cards {
            write_authority(node.path(), *other, &card.authority)?;
        }
        let settings = NodeSettings {
            party,
            listen: self.listen.unwrap_or(own.address),
            heartbeat_ms: self.heartbeat_ms,
            witness: self.witness.map(|witness| witness.address.to_owned()),
            peers: cards
                .iter()
                .filter(|(other, _)| **other != party)
                .map(|(other, card)| (*other, card.address))
                .collect(),
        };
        let text = Config::text(&own.origin, own.currency) + &settings.text();
        let genesis = Command::Genesis(Box::new(genesis)).encode();
        durable::write_durably(&data.join(GENESIS_NAME), &genesis)?;
        durable::write_durably(&data.join(POLICY_NAME), policy.as_bytes())?;
        durable::write_durably(&data.join(CONFIG_NAME), text.as_bytes())?;
        Ok(digest::content_hash(&genesis))
    }

    fn keep_blinding(&self, node: &NodeFolder, of_grid: &Card) -> Result<(), LedgerError> {
        let fail = |problem: &str| Err(LedgerError::Card(problem.to_owned()));
        if !keeps_readings(node.party()) {
            return match &self.blinding {
                None => Ok(()),
                Some(_) => fail("this party keeps no readings: the blinding secret is not for it"),
            };
        }
        if let Some(given) = &self.blinding
            && !node.has_blinding_secret()
        {
            node.keep_blinding_secret(given)?;
        }
        if !node.has_blinding_secret() {
            return fail(
                "the ledger's blinding secret is missing: the grid company has it, in blinding.secret",
            );
        }
        if Some(blinding_hash(&node.blinding_secret()?)) != of_grid.blinding {
            return fail(
                "the blinding secret in this folder is not the one that the grid company's card names",
            );
        }
        Ok(())
    }
}

/// Whether a party's node keeps readings, and so the secret that blinds them.
fn keeps_readings(party: Party) -> bool {
    Attesters::default().holds(party, CommandKind::Batch)
}

/// Reads a card.
///
/// # Errors
/// [`LedgerError::Card`] names the file.
pub fn read_card(path: &Path) -> Result<Card, LedgerError> {
    let bytes = durable::read_limited(path, CARD_SIZE_MAX)?;
    let fail = |problem: &dyn std::fmt::Display| LedgerError::Card(format!("{}: {problem}", path.display()));
    let text = String::from_utf8(bytes).map_err(|_| fail(&"not text"))?;
    Card::parse(&text).map_err(|error| fail(&error))
}

/// One card of each party, of one network.
fn by_party(cards: &[Card]) -> Result<BTreeMap<Party, &Card>, LedgerError> {
    let fail = |problem: String| Err(LedgerError::Card(problem));
    let mut by_party: BTreeMap<Party, &Card> = BTreeMap::new();
    for card in cards {
        if by_party.insert(card.party, card).is_some_and(|before| before != card) {
            return fail(format!("two different cards are of the {}", card.party));
        }
    }
    if let Some(missing) = Party::ALL.into_iter().find(|party| !by_party.contains_key(party)) {
        return fail(format!("the card of the {missing} is missing"));
    }
    let first = by_party[&Party::Grid];
    for card in by_party.values() {
        let differs = [
            ("origin", card.origin != first.origin),
            ("currency", card.currency != first.currency),
            ("time zone data", card.tzdb != first.tzdb),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
            return fail(format!(
                "the cards of the {} and the {} differ in their {what}",
                first.party, card.party
            ));
        }
        if by_party.values().any(|other| other.party != card.party && other.authority == card.authority) {
            return fail(format!("the {} shows another party's certificate authority", card.party));
        }
        if by_party.values().any(|other| other.party != card.party && other.address == card.address) {
            return fail(format!("the {} and another party are at one address", card.party));
        }
    }
    if first.tzdb != tzdb_version() {
        let own = tzdb_version();
        return fail(format!("the cards are of time zone data {}, this program has {own}", first.tzdb));
    }
    Ok(by_party)
}

fn genesis_of(
    cards: &BTreeMap<Party, &Card>,
    witness: Option<NamedWitness<'_>>,
) -> Result<Genesis, LedgerError> {
    let first = cards[&Party::Grid];
    let genesis = Genesis {
        origin: first.origin.clone(),
        currency: first.currency,
        tzdb: first.tzdb.clone(),
        parties: Party::ALL.map(|party| cards[&party].keys.clone()),
        witness: witness.map(|witness| witness.key.to_owned()),
        attesters: Attesters::default(),
    };
    KeyHistory::of(&genesis).map_err(|error| LedgerError::Card(error.to_string()))?;
    Ok(genesis)
}

/// What a consortium is founded with, all of it in one place: for demonstrations, tests and a pilot in one house.
#[derive(Debug, Clone, Copy)]
pub struct Founding<'a> {
    /// The log's origin: names the network.
    pub origin: &'a str,
    /// Currency of the ledger.
    pub currency: Currency,
    /// Where the keys come from.
    pub secrets: Secrets,
    /// Where the nodes of grid, bank and supplier listen.
    pub addresses: [SocketAddr; 3],
    /// Milliseconds between the leader's signs of life.
    pub heartbeat_ms: u64,
    /// A witness that is no party, if there is to be one.
    pub witness: Option<NamedWitness<'a>>,
}

/// A witness as a consortium names it.
#[derive(Debug, Clone, Copy)]
pub struct NamedWitness<'a> {
    /// Its verifier key.
    pub key: &'a str,
    /// Where it is asked, as host and port.
    pub address: &'a str,
}

impl Founding<'_> {
    /// Makes the data folders `grid`, `bank` and `supplier` in `folder`, as each party would make its own.
    ///
    /// # Errors
    /// [`LedgerError`], also if one of them is there already.
    pub fn make(&self, folder: &Path) -> Result<(), LedgerError> {
        let Self { origin, currency, secrets, addresses, heartbeat_ms, witness } = *self;
        let data = |party: Party| folder.join(party.name());
        if let Some(there) = Party::ALL.into_iter().map(data).find(|data| data.exists()) {
            return Err(LedgerError::Exists(there));
        }
        durable::create_folder_durably(folder)?;
        let mut cards = Vec::new();
        for (party, address) in Party::ALL.into_iter().zip(addresses) {
            cards.push(Preparing { origin, currency, secrets, party, address }.make(&data(party))?);
        }
        let of_grid = NodeFolder::below(&data(Party::Grid), Party::Grid);
        for party in Party::ALL {
            let blinding = match keeps_readings(party) {
                true => Some(of_grid.blinding_secret()?),
                false => None,
            };
            Joining { cards: &cards, listen: None, heartbeat_ms, blinding, witness }.make(&data(party))?;
        }
        Ok(())
    }
}

/// Three addresses of the loopback that are free now, below those which systems give to whoever dials: a node that is
/// started again finds its own.
///
/// # Errors
/// The system's, if it has no random numbers or too few ports.
pub fn free_addresses() -> std::io::Result<[SocketAddr; 3]> {
    let mut free = Vec::new();
    for _ in 0..PORT_TRIES_MAX {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let span = FREE_PORTS.end - FREE_PORTS.start;
        let address = SocketAddr::from(([127, 0, 0, 1], FREE_PORTS.start + u16::from_le_bytes(bytes) % span));
        if !free.contains(&address) && TcpListener::bind(address).is_ok() {
            free.push(address);
        }
        if let Ok(free) = free.as_slice().try_into() {
            return Ok(free);
        }
    }
    Err(std::io::Error::other("no three free ports on the loopback"))
}

/// Reads the first block's contents in a node's data folder.
///
/// # Errors
/// [`LedgerError::Genesis`].
pub fn read_genesis(data: &Path) -> Result<Genesis, LedgerError> {
    read_genesis_file(&data.join(GENESIS_NAME))
}

/// Reads the first block's contents from a file.
///
/// # Errors
/// [`LedgerError::Genesis`].
pub fn read_genesis_file(path: &Path) -> Result<Genesis, LedgerError> {
    let (path, bytes) = (path.to_owned(), durable::read_limited(path, GENESIS_SIZE_MAX)?);
    match Command::decode(&bytes) {
        Ok(Command::Genesis(genesis)) => Ok(*genesis),
        Ok(other) => Err(LedgerError::Genesis { path, problem: format!("a {}", other.name()) }),
        Err(error) => Err(LedgerError::Genesis { path, problem: error.to_string() }),
    }
}
