//! `tariff` and `contract`: text files to documents on the chain; rule packs, penalty tables, price series and hour lists travel
//! with the tariffs.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tallywatt_core::agreement::{Agreement, Party};
use tallywatt_core::contract;
use tallywatt_core::hash::Published;
use tallywatt_core::label::Label;
use tallywatt_core::tariff::TariffBook;
use tallywatt_core::validity::Validity;
use tallywatt_ingest::documents::{
    Document, UrdbOptions, parse_contracts, parse_document, render_own_prices,
};
use tallywatt_ledger::command::{DocumentKind, Publication};
use tallywatt_ledger::{access_bytes, agreement_bytes};
use tallywatt_ledger::{document, tariff_bytes};
use tallywatt_node::books::Input;
use tallywatt_node::books::records::{contracts_file, document_bytes, publication_of};

use crate::agreements;
use crate::args::{Arguments, Contract, ContractAction, Tariff, TariffAction};
use crate::failure::{Failure, code};
use crate::open::{Opened, data_option, open, period_of, record};
use crate::output::{Report, Table, word};
use crate::price_caps;
use crate::tariff_compare;
use crate::tariffs;

/// Tariffs and the documents that travel with them.
pub fn run_tariff(tariff: &Tariff, arguments: &Arguments) -> Result<Report, Failure> {
    match &tariff.action {
        TariffAction::Check { files, cap } => {
            let (_, table) = read_documents(files)?;
            let mut report = Report { table: Some(table), ..Report::default() };
            if let Some(cap) = cap {
                price_caps::check(cap, files, &mut report)?;
            }
            let names: Vec<String> = files.iter().map(|file| word(file)).collect();
            report.then(format!("tallywatt{} tariff publish {}", data_option(arguments), names.join(" ")));
            Ok(report)
        }
        TariffAction::Publish { files, sign } => {
            let (documents, _) = read_documents(files)?;
            let mut opened = open(arguments)?;
            let mut report = publish(&mut opened, &documents)?;
            let agreements = agreements_of(&documents);
            if *sign {
                agreements::activate_all(&mut opened, &agreements, &mut report)?;
            }
            let books = opened.consortium.node(Party::Supplier).books();
            let unsigned = agreements.iter().filter(|agreement| books.active_from(&agreement.hash).is_none());
            let mut is_signed = true;
            for agreement in unsigned.take(20) {
                let Agreement { id, payee, remainder, .. } = agreement.body;
                report.notes.push(format!(
                    "agreement {id} is proposed: it counts once {payee} and {remainder} have signed it \
                     (`tallywatt agreement sign`, or publish it with --sign)"
                ));
                is_signed = false;
            }
            if is_signed {
                report.then(format!("tallywatt{} contract publish CONTRACTS.csv", data_option(arguments)));
            } else {
                report.then(format!(
                    "tallywatt{} agreement sign AGREEMENT.toml --party grid",
                    data_option(arguments)
                ));
            }
            Ok(report)
        }
        TariffAction::List => {
            let opened = open(arguments)?;
            let books = opened.consortium.node(Party::Supplier).books();
            let mut table = Table::new(&["kind", "id", "validity", "title", "hash"]);
            for version in books.tariffs().versions() {
                let parts = version.body.parts();
                let (id, validity) = (parts.id.to_string(), parts.validity.to_string());
                table.row(vec![
                    json!("tariff"),
                    json!(id),
                    json!(validity),
                    json!(parts.title),
                    json!(version.hash.short()),
                ]);
            }
            for known in books.agreements() {
                let (id, validity) = (known.body.id.to_string(), known.body.validity.to_string());
                table.row(vec![
                    json!("agreement"),
                    json!(id),
                    json!(validity),
                    json!(known.body.title),
                    json!(known.hash.short()),
                ]);
            }
            for known in books.rule_packs() {
                let parts = known.body.parts();
                let (id, validity) = (parts.id.to_string(), parts.validity.to_string());
                table.row(vec![
                    json!("rule pack"),
                    json!(id),
                    json!(validity),
                    json!(parts.title),
                    json!(known.hash.short()),
                ]);
            }
            for known in books.penalty_tables() {
                let parts = known.body.parts();
                let (id, validity) = (parts.id.to_string(), parts.validity.to_string());
                table.row(vec![
                    json!("penalty table"),
                    json!(id),
                    json!(validity),
                    json!(parts.title),
                    json!(known.hash.short()),
                ]);
            }
            for known in books.sharing_groups() {
                let parts = known.body.parts();
                let (id, validity) = (parts.id.to_string(), parts.validity.to_string());
                table.row(vec![
                    json!("sharing group"),
                    json!(id),
                    json!(validity),
                    json!(parts.title),
                    json!(known.hash.short()),
                ]);
            }
            for list in Party::ALL.into_iter().flat_map(|party| books.access().of(party)) {
                let parts = list.parts();
                let hash = access_bytes::publish_access_list(list.clone()).hash;
                table.row(vec![
                    json!("access list"),
                    json!(parts.party.name()),
                    json!(format!("from {}", parts.from)),
                    json!(format!("list {}, {} grants", parts.number, parts.grants.len())),
                    json!(hash.short()),
                ]);
            }
            for known in books.market().series() {
                let parts = known.body.parts();
                table.row(vec![
                    json!("price series"),
                    json!(parts.id.to_string()),
                    json!(parts.validity.to_string()),
                    json!(parts.title),
                    json!(known.hash.short()),
                ]);
            }
            for known in books.market().hours() {
                let parts = known.body.parts();
                table.row(vec![
                    json!("hour list"),
                    json!(parts.id.to_string()),
                    json!(parts.validity.to_string()),
                    json!(parts.title),
                    json!(known.hash.short()),
                ]);
            }
            let mut report = Report { table: Some(table), ..Report::default() };
            report.then(format!("tallywatt{} contract list", data_option(arguments)));
            Ok(report)
        }
        TariffAction::Show { tariff, day } => tariffs::show(tariff, *day, arguments),
        TariffAction::Compare { account, period, files } => {
            tariff_compare::run(&open(arguments)?, account, period_of(period)?, files, arguments)
        }
        TariffAction::Test { files } => tariffs::test(files),
        TariffAction::Import { rate, file, id, from, to, holiday, each_period, coincident_hours } => {
            let mut holidays = holiday.clone();
            holidays.sort();
            holidays.dedup();
            let (each_period, coincident_hours) = (*each_period, *coincident_hours);
            let (id, from, to) = (*id, *from, *to);
            let options = UrdbOptions { id, from, to, holidays, each_period, coincident_hours };
            tariffs::import(rate, file, &options)
        }
    }
}

/// Contracts.
pub fn run_contract(contract: &Contract, arguments: &Arguments) -> Result<Report, Failure> {
    match &contract.action {
        ContractAction::Publish { file } => {
            let mut opened = open(arguments)?;
            let mut report = publish_contracts(&mut opened, file)?;
            report.then(format!("tallywatt{} ingest FILES --profile NAME", data_option(arguments)));
            Ok(report)
        }
        ContractAction::List => {
            let opened = open(arguments)?;
            let books = opened.consortium.node(Party::Supplier).books();
            let mut table = Table::new(&[
                "account",
                "usage point",
                "register",
                "zone",
                "tariff",
                "agreement",
                "validity",
                "own prices",
            ]);
            for contract in books.contracts() {
                table.row(vec![
                    json!(contract.account.to_string()),
                    json!(contract.usage_point.to_string()),
                    json!(contract.register.to_string()),
                    json!(contract.zone.name()),
                    json!(contract.tariff.to_string()),
                    json!(contract.agreement.to_string()),
                    json!(contract.validity.to_string()),
                    json!(render_own_prices(&contract.overrides)),
                ]);
            }
            let mut report = Report { table: Some(table), ..Report::default() };
            report.then(format!("tallywatt{} readings totals", data_option(arguments)));
            Ok(report)
        }
    }
}

/// Reads documents and checks that no two versions of one document overlap.
fn read_documents(files: &[PathBuf]) -> Result<(Vec<Vec<u8>>, Table), Failure> {
    let mut table = Table::new(&["file", "kind", "id", "validity"]);
    let mut book = TariffBook::default();
    let mut versions: Vec<(DocumentKind, Label, Validity)> = Vec::new();
    let mut documents = Vec::new();
    for file in files {
        let bytes = fs::read(file).map_err(|error| Failure::file("read", file, &error))?;
        let name = file.display().to_string();
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("{name}: not UTF-8"), "save the file as UTF-8"))?;
        let document = parse_document(&name, &text)?;
        let bytes = document_bytes(&document);
        let Publication { kind, id, validity, .. } = publication_of(&bytes)?;
        documents.push(bytes);
        match document {
            Document::Tariff(tariff) => {
                let published = tariff_bytes::publish_tariff(*tariff);
                book.publish(published).map_err(|error| overlap(&name, &error))?;
            }
            Document::RulePack(_)
            | Document::PenaltyTable(_)
            | Document::SharingGroup(_)
            | Document::PriceSeries(_)
            | Document::PlanSeries(_)
            | Document::HourList(_) => {
                let overlapping = versions.iter().find(|(other_kind, other, held)| {
                    (*other_kind, *other) == (kind, id) && held.overlaps(validity)
                });
                if let Some((.., known)) = overlapping {
                    let text =
                        format!("{} {id}: the version {validity} overlaps the version {known}", kind.name());
                    return Err(overlap(&name, &text));
                }
                versions.push((kind, id, validity));
            }
            Document::Agreement(_) | Document::Access(_) => {}
        }
        table.row(vec![json!(name), json!(kind.name()), json!(id.to_string()), json!(validity.to_string())]);
    }
    Ok((documents, table))
}

/// Two versions of one document that hold on one day.
fn overlap(name: &str, error: &dyn Display) -> Failure {
    Failure::usage(
        format!("{name}: {error}"),
        "set valid_to of the older version, or valid_from of the newer",
    )
}

/// Reads files, publishes what is not published yet, and signs agreements as both of their parties.
pub fn publish_files(opened: &mut Opened, files: &[PathBuf]) -> Result<Report, Failure> {
    let (documents, _) = read_documents(files)?;
    let mut report = publish(opened, &documents)?;
    agreements::activate_all(opened, &agreements_of(&documents), &mut report)?;
    Ok(report)
}

/// The agreements among canonical documents.
fn agreements_of(documents: &[Vec<u8>]) -> Vec<Published<Agreement>> {
    let agreements = documents.iter().filter_map(|bytes| agreement_bytes::decode_agreement(bytes).ok());
    agreements.map(agreement_bytes::publish_agreement).collect()
}

fn publish(opened: &mut Opened, documents: &[Vec<u8>]) -> Result<Report, Failure> {
    let mut report = Report::default();
    let (mut published, mut known) = (0, 0);
    for bytes in documents {
        let publication = publication_of(bytes)?;
        let state = opened.consortium.node(Party::Supplier).member().state();
        if state.is_published(publication.kind, &publication.hash) {
            known += 1;
            continue;
        }
        // A party's access list is its own to propose; all else is the supplier's.
        let own =
            (publication.kind == DocumentKind::Access).then(|| Party::from_name(publication.id.as_str()));
        let proposer = own.flatten().unwrap_or(Party::Supplier);
        let outcome = opened.consortium.propose(proposer, Input::Document(bytes.clone()));
        let outcome = outcome.map_err(|error| {
            let text = format!("{} {}: {error}", publication.id, publication.validity);
            let next_step = match own {
                Some(_) => "number the lists of a party without gaps, and publish them at its own node",
                None => "set valid_to of the older version, or valid_from of the newer",
            };
            Failure::usage(text, next_step)
        })?;
        report.notes.extend(outcome.findings.iter().cloned());
        if !outcome.is_sealed() {
            report.code = if outcome.height.is_none() { code::NO } else { code::NO_QUORUM };
        }
        published += 1;
    }
    report.fact("published", published).fact("published before", known);
    report.fact("blocks", opened.consortium.node(Party::Supplier).member().size());
    Ok(report)
}

/// Reads and publishes the contract list, unless it is the one in force.
pub fn publish_contracts(opened: &mut Opened, file: &Path) -> Result<Report, Failure> {
    let handle = fs::File::open(file).map_err(|error| Failure::file("open", file, &error))?;
    let contracts = parse_contracts(&file.display().to_string(), handle)?;
    let contracts = contract::in_order(contracts).map_err(|error| {
        Failure::usage(
            format!("{}: {error}", file.display()),
            "end one contract with valid_to before the other begins",
        )
    })?;
    let node = opened.consortium.node(Party::Supplier);
    for contract in &contracts {
        let tariffs = node.books().tariffs().versions();
        if !tariffs.iter().any(|version| version.body.parts().id == contract.tariff) {
            return Err(Failure::usage(
                format!(
                    "{}: account {} names the unknown tariff {}",
                    file.display(),
                    contract.account,
                    contract.tariff
                ),
                "publish the tariff first with `tallywatt tariff publish`",
            ));
        }
        if !node.books().agreements().iter().any(|known| known.body.id == contract.agreement) {
            return Err(Failure::usage(
                format!(
                    "{}: account {} names the unknown agreement {}",
                    file.display(),
                    contract.account,
                    contract.agreement
                ),
                "publish the agreement first with `tallywatt tariff publish`",
            ));
        }
    }
    let mut report = Report::default();
    report.fact("contracts", contracts.len());
    if node.member().state().contracts() == Some(document::contracts_root(&contracts)) {
        report.fact("status", "in force already");
        return Ok(report);
    }
    let outcome = opened.consortium.propose(Party::Supplier, Input::Contracts(contracts_file(&contracts)))?;
    record(&mut report, &outcome);
    Ok(report)
}
