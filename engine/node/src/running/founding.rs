//! Founding a consortium: three data folders, one for each party's node, that know one another.
//!
//! ```text
//!   <folder>/grid/       tallywatt.toml with [node]   genesis.twg   trust.policy
//!           |  grid/     keys, blinding secret, consortium.pem node.pem node.key
//!           bank/ supplier/   likewise; the bank without the secret, which blinds readings
//! ```
//!
//! One person makes all of it here, secrets too: that is for demonstrations, tests and a pilot in one house. Parties that
//! do not trust each other make their own keys and exchange what is public.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::Path;

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::tzdb_version;
use tallywatt_core::tariff::Currency;
use tallywatt_ledger::attesters::{Attesters, CommandKind};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::{Command, Genesis};
use tallywatt_shards::durable;

use crate::ledger_folder::{CONFIG_NAME, Config, LedgerError, POLICY_NAME, Secrets, policy_of, secret};
use crate::node_folder::NodeFolder;
use crate::peers::certificates::Certificates;
use crate::running::settings::NodeSettings;

/// Name of the file with the first block's contents.
pub const GENESIS_NAME: &str = "genesis.twg";
/// The largest such file.
const GENESIS_SIZE_MAX: u64 = 64 * 1024;

/// Ports that are looked at for free ones.
const FREE_PORTS: Range<u16> = 12_000..30_000;
const PORT_TRIES_MAX: usize = 1_000;

/// What a consortium is founded with.
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
}

impl Founding<'_> {
    /// Makes the data folders `grid`, `bank` and `supplier` in `folder`. Their configs are written last.
    ///
    /// # Errors
    /// [`LedgerError`], also if one of them is there already.
    pub fn make(&self, folder: &Path) -> Result<(), LedgerError> {
        for party in Party::ALL {
            let data = folder.join(party.name());
            if data.exists() {
                return Err(LedgerError::Exists(data));
            }
        }
        let blinding = BlindingSecret::new(secret(self.secrets, "blinding")?);
        let attesters = Attesters::default();
        let certificates = Certificates::make(self.origin)?;
        let mut keys = Vec::new();
        for party in Party::ALL {
            let data = folder.join(party.name());
            let node = NodeFolder::below(&data, party);
            durable::create_folder_durably(folder)?;
            durable::create_folder_durably(&data)?;
            let seed = |use_: &str| secret(self.secrets, &format!("{party} {use_}"));
            let blinding = Some(&blinding).filter(|_| attesters.holds(party, CommandKind::Batch));
            node.create(&[seed("log")?, seed("witness")?, seed("exec")?], blinding)?;
            certificates.write(party, node.path())?;
            keys.push(node.keys(self.origin)?.public());
        }
        let genesis = Genesis {
            origin: self.origin.to_owned(),
            currency: self.currency,
            tzdb: tzdb_version().to_owned(),
            parties: keys.try_into().expect("there are three parties"),
            attesters,
        };
        let policy = policy_of(&genesis)?.to_string();
        let genesis = Command::Genesis(Box::new(genesis)).encode();
        for (at, party) in Party::ALL.into_iter().enumerate() {
            let data = folder.join(party.name());
            let others = Party::ALL.into_iter().zip(self.addresses).filter(|(other, _)| *other != party);
            let settings = NodeSettings {
                party,
                listen: self.addresses[at],
                heartbeat_ms: self.heartbeat_ms,
                peers: others.collect::<BTreeMap<_, _>>(),
            };
            durable::write_durably(&data.join(GENESIS_NAME), &genesis)?;
            durable::write_durably(&data.join(POLICY_NAME), policy.as_bytes())?;
            let text = Config::text(self.origin, self.currency) + &settings.text();
            durable::write_durably(&data.join(CONFIG_NAME), text.as_bytes())?;
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
    let path = data.join(GENESIS_NAME);
    let bytes = durable::read_limited(&path, GENESIS_SIZE_MAX)?;
    match Command::decode(&bytes) {
        Ok(Command::Genesis(genesis)) => Ok(*genesis),
        Ok(other) => Err(LedgerError::Genesis { path, problem: format!("a {}", other.name()) }),
        Err(error) => Err(LedgerError::Genesis { path, problem: error.to_string() }),
    }
}
