//! `init --party`, `join`, `recover`: the node of one party, made by that party alone.

use std::path::PathBuf;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::tariff::Currency;
use tallywatt_node::ledger_folder::{HeldFolder, Secrets};
use tallywatt_node::node_folder::{NodeFolder, read_blinding_secret};
use tallywatt_node::running::card::{CARD_NAME, Card};
use tallywatt_node::running::founding::{Joining, Preparing, read_card};
use tallywatt_node::running::recovering;
use tallywatt_node::running::settings::HEARTBEAT_MS_RANGE;

use crate::args::{Arguments, Init};
use crate::failure::Failure;
use crate::joining::options::Join;
use crate::nodes;
use crate::open::data_option;
use crate::output::{Report, Table, word};

pub mod options;

/// Makes a party's keys, certificate and card.
pub fn prepare(init: &Init, currency: Currency, arguments: &Arguments) -> Result<Report, Failure> {
    let name = init.party.as_deref().unwrap_or_default();
    let party = Party::from_name(name).ok_or_else(|| {
        Failure::usage(format!("no party is named {name:?}"), "name grid, bank or supplier")
    })?;
    let address = init.address.ok_or_else(|| {
        Failure::usage("a node needs an address", "give --address HOST:PORT, where the others reach it")
    })?;
    let secrets = init.demonstration_keys.map_or(Secrets::Random, Secrets::Demonstration);
    let card = Preparing { origin: &init.origin, currency, secrets, party, address }.make(&arguments.data)?;
    let mut report = Report::default();
    report.fact("party", party.name()).fact("origin", init.origin.as_str());
    report.fact("card", arguments.data.join(CARD_NAME).display().to_string());
    report.fact("card hash", card.hash().to_string());
    report.notes.push("give the card to the two others, and have them read its hash back to you".into());
    if party == Party::Grid {
        let secret = NodeFolder::below(&arguments.data, party).path().join("blinding.secret");
        report.notes.push(format!(
            "hand {} over to the supplier, by a way that nobody else can read: who recomputes readings needs it",
            secret.display()
        ));
    }
    report.then(format!("tallywatt{} join GRID.card BANK.card SUPPLIER.card", data_option(arguments)));
    Ok(report)
}

/// Joins the two other parties.
pub fn join(join: &Join, arguments: &Arguments) -> Result<Report, Failure> {
    if !HEARTBEAT_MS_RANGE.contains(&join.heartbeat_ms) {
        let (from, to) = HEARTBEAT_MS_RANGE.into_inner();
        let what = format!("--heartbeat-ms {}: need {from} to {to}", join.heartbeat_ms);
        return Err(Failure::usage(what, "name a number such as 250"));
    }
    let cards: Vec<Card> = join.cards.iter().map(|path| read_card(path)).collect::<Result<_, _>>()?;
    let blinding = join.blinding.as_deref().map(read_blinding_secret).transpose();
    let blinding = blinding.map_err(tallywatt_node::ledger_folder::LedgerError::from)?;
    let witness = nodes::named_witness(join.witness.as_deref(), join.witness_address.as_deref())?;
    let (listen, heartbeat_ms) = (join.listen, join.heartbeat_ms);
    let joining = Joining { cards: &cards, listen, heartbeat_ms, blinding, witness };
    let genesis = joining.make(&arguments.data)?;
    let mut report = Report::default();
    report.fact("first block", genesis.to_string());
    let mut table = Table::new(&["party", "address", "card hash"]);
    for party in Party::ALL {
        if let Some(card) = cards.iter().find(|card| card.party == party) {
            let (address, hash) = (card.address.to_string(), card.hash().to_string());
            table.row(vec![json!(party.name()), json!(address), json!(hash)]);
        }
    }
    report.table = Some(table);
    report
        .notes
        .push("compare these hashes with the others' before you start: they are the same everywhere".into());
    report.then(format!("tallywatt{} start", data_option(arguments)));
    Ok(report)
}

/// Sets a node's chain aside, so that it is made again from its peers.
pub fn recover(arguments: &Arguments) -> Result<Report, Failure> {
    let folder = HeldFolder::hold(&arguments.data)?;
    let settings = nodes::settings(&folder)?;
    let aside: PathBuf = recovering::recover(&folder, settings.party)?;
    let mut report = Report::default();
    report.fact("node", settings.party.name()).fact("set aside", aside.display().to_string());
    report.notes.push(
        "it takes everything from its peers again, and checks it; until both have answered it neither votes nor signs"
            .into(),
    );
    report.notes.push(format!("when `status` says that it has signed all, {} may be removed", word(&aside)));
    report.then(format!("tallywatt{} start", data_option(arguments)));
    Ok(report)
}
