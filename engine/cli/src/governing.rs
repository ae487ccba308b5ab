//! `keys`, `govern`: keys that change, with the consent of all three parties.
//!
//! ```text
//!   keys next ─▶ keys-1.seeds ─ govern draft ─▶ motion.note ─ govern sign, each party ─▶ govern apply ─▶ in force from its block on
//! ```

pub mod options;

use std::path::Path;

use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::governance::{Governance, GovernanceError, Motion, motion_text, parse_motion_text};
use tallywatt_ledger::key_history::KeyHistory;
use tallywatt_ledger::note::{NOTE_SIZE_MAX, Note, SignatureLine};
use tallywatt_node::books::Input;
use tallywatt_node::governing::make_key_set;
use tallywatt_node::ledger_folder::{HeldFolder, LedgerError};
use tallywatt_node::node::{Node, NodeError};
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::running::founding::read_card;
use tallywatt_shards::durable;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::governing::options::{Govern, GovernAction, KeyUse, Keys, KeysAction};
use crate::open::{Opened, data_option, open, record};
use crate::output::{Report, Table, word};

const NEXT: &str =
    "nothing was changed; `tallywatt govern list` says what stands, `tallywatt keys list` which keys hold";

/// A party's keys.
pub fn run_keys(asked: &Keys, arguments: &Arguments) -> Result<Report, Failure> {
    match &asked.action {
        KeysAction::Next { party, only } => next(party.as_deref(), only, arguments),
        KeysAction::List => list_keys(arguments),
    }
}

/// Motions.
pub fn run(asked: &Govern, arguments: &Arguments) -> Result<Report, Failure> {
    match &asked.action {
        GovernAction::Draft { note, keys, card, witness, no_witness: _, from, party } => {
            let what = match card {
                _ if *keys => Drafted::Own,
                Some(card) => Drafted::Card(card),
                None => Drafted::Witness(witness.clone()),
            };
            draft(note, &what, *from, party.as_deref(), arguments)
        }
        GovernAction::Sign { note, party } => sign(note, party.as_deref(), arguments),
        GovernAction::Apply { note } => apply(note, arguments),
        GovernAction::List => list(arguments),
    }
}

/// What a motion is drafted for.
enum Drafted<'a> {
    /// The newest key set of who drafts it.
    Own,
    /// The keys in a card.
    Card(&'a Path),
    /// A witness, or none.
    Witness(Option<String>),
}

/// As whom a command speaks: whose node the folder holds, or who is named where it holds all three.
fn speaker(folder: &HeldFolder, name: Option<&str>) -> Result<Party, Failure> {
    let own = folder.config().settings().map(|settings| settings.party);
    let named = match name {
        Some(name) => Some(Party::from_name(name).ok_or_else(|| {
            Failure::usage(format!("no party is named {name}"), "name grid, bank or supplier")
        })?),
        None => None,
    };
    match (own, named) {
        (Some(own), Some(named)) if own != named => Err(Failure::usage(
            format!("this folder holds the keys of the {own}, not of the {named}"),
            format!("let the {named} do it at its own node"),
        )),
        (Some(own), _) => Ok(own),
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Failure::usage(
            "this folder holds the keys of all three parties",
            "say as whom: --party grid, bank or supplier",
        )),
    }
}

fn next(party: Option<&str>, only: &[KeyUse], arguments: &Arguments) -> Result<Report, Failure> {
    let held = HeldFolder::hold_for_command(&arguments.data)?;
    let party = speaker(&held, party)?;
    let folder = NodeFolder::below(held.path(), party);
    let changes =
        [KeyUse::Log, KeyUse::Witness, KeyUse::Exec].map(|use_| only.is_empty() || only.contains(&use_));
    let path = make_key_set(&folder, changes)?;
    let keys = folder.newest_keys(&held.config().origin).map_err(LedgerError::from)?;
    let mut report = Report::default();
    report.fact("party", party.name()).fact("key set", path.display().to_string());
    report.fact("log", keys.log).fact("witness", keys.witness).fact("exec", keys.exec);
    report.notes.push("it signs nothing before all three have signed a motion for it, and that holds".into());
    let option = data_option(arguments);
    report.then(format!("tallywatt{option} govern draft keys.note --keys --party {party} --from HEIGHT"));
    Ok(report)
}

fn keys_of(node: &Node) -> Result<&KeyHistory, Failure> {
    Ok(node.books().keys()?)
}

fn refused(error: &GovernanceError) -> Failure {
    Failure::usage(error, NEXT)
}

fn draft(
    path: &Path,
    what: &Drafted<'_>,
    from: u64,
    party: Option<&str>,
    arguments: &Arguments,
) -> Result<Report, Failure> {
    if path.exists() {
        let problem = format!("{} is there already", path.display());
        return Err(Failure::usage(problem, "sign it with `tallywatt govern sign`, or name another file"));
    }
    let opened = open(arguments)?;
    let party = speaker(&opened.folder, party)?;
    let node = opened.consortium.node(party);
    let keys = keys_of(node)?;
    let motion = match what {
        Drafted::Witness(witness) => Motion::Witness(witness.clone()),
        Drafted::Own => {
            let newest = node.folder().newest_keys(keys.origin()).map_err(LedgerError::from)?;
            Motion::Keys { party, keys: newest }
        }
        Drafted::Card(path) => {
            let card = read_card(path)?;
            Motion::Keys { party: card.party, keys: card.keys }
        }
    };
    let number = keys.motion_count() + 1;
    let checked = keys.check_draft(number, &motion, from, node.books().height());
    checked.map_err(|error| match &error {
        GovernanceError::Keys(_) if matches!(motion, Motion::Keys { .. }) => {
            Failure::usage(&error, "make the next key set with `tallywatt keys next`")
        }
        _ => refused(&error),
    })?;
    let text = motion_text(keys.origin(), number, &motion, from);
    let mut report = Report::default();
    tell(&mut report, number, &motion, from);
    put(path, &text, vec![node.consent_to(&text)?], party, &mut report)?;
    then_sign(&mut report, path, 1, arguments);
    Ok(report)
}

fn tell(report: &mut Report, number: u64, motion: &Motion, from: u64) {
    report.fact("motion", number).fact("what", motion.to_string()).fact("from block", from);
    if let Motion::Keys { keys, .. } = motion {
        report.fact("log", keys.log.as_str()).fact("witness", keys.witness.as_str());
        report.fact("exec", keys.exec.as_str());
    }
}

fn put(
    path: &Path,
    text: &str,
    lines: Vec<SignatureLine>,
    party: Party,
    report: &mut Report,
) -> Result<(), Failure> {
    let count = lines.len();
    let note = Note::new(text, lines);
    let note = note.map_err(|error| Failure::usage(format!("{}: {error}", path.display()), NEXT))?;
    durable::write_durably(path, note.encode().as_bytes())?;
    report.fact("party", party.name()).fact("note", path.display().to_string());
    report.fact("status", "signed").fact("signatures", count);
    Ok(())
}

fn then_sign(report: &mut Report, path: &Path, count: usize, arguments: &Arguments) {
    let option = data_option(arguments);
    report.then(match count {
        count if count < Party::ALL.len() => {
            format!("tallywatt{option} govern sign {} --party PARTY", word(path))
        }
        _ => format!("tallywatt{option} govern apply {}", word(path)),
    });
}

/// Reads a motion's note.
pub fn read_note(path: &Path) -> Result<Note, Failure> {
    let limit = u64::try_from(NOTE_SIZE_MAX).unwrap_or(u64::MAX);
    let bytes = durable::read_limited(path, limit)?;
    let text = String::from_utf8_lossy(&bytes);
    Note::parse(&text).map_err(|error| {
        Failure::usage(format!("{}: {error}", path.display()), "draft one with `tallywatt govern draft`")
    })
}

fn sign(path: &Path, party: Option<&str>, arguments: &Arguments) -> Result<Report, Failure> {
    let note = read_note(path)?;
    let opened = open(arguments)?;
    let party = speaker(&opened.folder, party)?;
    let node = opened.consortium.node(party);
    let keys = keys_of(node)?;
    let read = parse_motion_text(keys.origin(), note.text());
    let (number, motion, from) = read.map_err(|error| refused(&error))?;
    let checked = keys.check_draft(number, &motion, from, node.books().height());
    checked.map_err(|error| refused(&error))?;
    let line = node.consent_to(note.text())?;
    let mut lines = note.signatures().to_vec();
    let mut report = Report::default();
    tell(&mut report, number, &motion, from);
    if lines.contains(&line) {
        report.fact("status", "signed before").fact("signatures", lines.len());
    } else {
        lines.push(line);
        put(path, note.text(), lines.clone(), party, &mut report)?;
    }
    if let Motion::Keys { party: of, keys: named } = &motion
        && *of == party
        && !node.folder().holds(keys.origin(), named).map_err(LedgerError::from)?
    {
        report.notes.push(format!(
            "these keys are not in this folder: from block {from} on the node here signs nothing for the {party}"
        ));
    }
    then_sign(&mut report, path, lines.len(), arguments);
    Ok(report)
}

fn apply(path: &Path, arguments: &Arguments) -> Result<Report, Failure> {
    let note = read_note(path)?;
    let mut opened = open(arguments)?;
    let proposer = opened.folder.config().settings().map_or(Party::Grid, |settings| settings.party);
    let books = opened.consortium.node(proposer).books();
    let governance = Governance::of_note(&note, books.keys()?);
    let governance = governance.map_err(|error| {
        let next = "each party signs it with `tallywatt govern sign NOTE`, with the keys in force now";
        Failure::usage(format!("{}: {error}", path.display()), next)
    })?;
    let mut report = Report::default();
    tell(&mut report, governance.number, &governance.motion, governance.from);
    let outcome = opened.consortium.propose(proposer, Input::Motion(Box::new(governance)));
    let outcome = outcome.map_err(|error| match error {
        NodeError::Books { source, .. } => Failure::usage(source, NEXT),
        other => other.into(),
    })?;
    record(&mut report, &outcome);
    report.notes.push(
        "give out the new `trust.policy` once it holds: receipts proven from then on need it, earlier ones the one before"
            .into(),
    );
    report.then(format!("tallywatt{} keys list", data_option(arguments)));
    Ok(report)
}

fn list(arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let node = opened.consortium.node(Party::Grid);
    let blocks = node.store().blocks();
    let blocks = blocks.map_err(|error| Failure::usage(error, "run `tallywatt chain audit`"))?;
    let mut table = Table::new(&["motion", "block", "what", "from block", "status"]);
    for stored in blocks {
        let Command::Govern(governance) = &stored.block.proposal.command else { continue };
        let holds = governance.from <= node.books().height();
        table.row(vec![
            json!(governance.number),
            json!(stored.block.height),
            json!(governance.motion.to_string()),
            json!(governance.from),
            json!(if holds { "in force" } else { "to come" }),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.then(format!("tallywatt{} keys list", data_option(arguments)));
    Ok(report)
}

fn list_keys(arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let node = opened.consortium.node(Party::Grid);
    let now = node.books().keys_now()?;
    let mut table = Table::new(&["party", "log", "witness", "exec", "held here"]);
    for party in Party::ALL {
        let keys = now.of(party).texts();
        let held = holder(&opened, party).map(|node| !node.member().is_keyless());
        let held = held.map_or("", |held| if held { "yes" } else { "no" });
        table.row(vec![
            json!(party.name()),
            json!(keys.log),
            json!(keys.witness),
            json!(keys.exec),
            json!(held),
        ]);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("next block", node.books().height()).fact("in force from block", now.from());
    let newest = keys_of(node)?.newest();
    if newest.from() > node.books().height() {
        report.fact("others from block", newest.from());
    }
    if let Some(witness) = now.witness() {
        report.fact("regulator", witness.to_string());
    }
    report.then(format!("tallywatt{} govern list", data_option(arguments)));
    Ok(report)
}

/// The node of a party, if it is at hand.
fn holder(opened: &Opened, party: Party) -> Option<&Node> {
    opened.consortium.nodes().iter().find(|node| node.party() == party)
}
