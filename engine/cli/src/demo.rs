//! `demo`: a town of 400 homes for one month through every room, to a verdict; and `demo tamper`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::Value;
use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::Period;
use tallywatt_core::label::AccountId;
use tallywatt_fixtures::documents;
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_fixtures::write::{ReadingFormat, write_readings};
use tallywatt_ledger::seal::SealKind;
use tallywatt_node::intake::Intake;
use tallywatt_node::ledger_folder::{HeldFolder, POLICY_NAME, Secrets};
use tallywatt_shards::batch_file::places::{self, LeafPlace};
use tallywatt_shards::durable;

use crate::args::{Arguments, Demo, DemoAction};
use crate::failure::{Failure, code};
use crate::nodes::Children;
use crate::open::{Opened, liar, open_held, open_running, period_of};
use crate::output::{Output, Report, word};
use crate::{bill, documents as published, export, ingest, pay, prove};

/// Says that a folder is a demonstration's, and may be replaced by the next.
const MARKER: &str = ".tallywatt-demo";

/// Runs the demonstration.
pub fn run(demo: &Demo, arguments: &Arguments, output: &Output) -> Result<Report, Failure> {
    match &demo.action {
        Some(DemoAction::Tamper) => tamper(&demo.folder),
        None => Story::begin(demo, arguments, *output)?.tell(),
    }
}

struct Story<'a> {
    demo: &'a Demo,
    arguments: &'a Arguments,
    output: Output,
    town: Town,
    period: Period,
    begun: Instant,
    step: u32,
    /// What the whole came to, for programs.
    figures: Vec<(&'static str, Value)>,
}

impl<'a> Story<'a> {
    fn begin(demo: &'a Demo, arguments: &'a Arguments, output: Output) -> Result<Self, Failure> {
        let period = period_of(&demo.period)?;
        let days = u32::try_from(period.day_count()).unwrap_or(31);
        let town = Town::new(demo.seed, demo.households, days, period.first_day())
            .map_err(|error| Failure::usage(error, "choose other --households"))?;
        fresh_folder(&demo.folder)?;
        Ok(Self {
            demo,
            arguments,
            output,
            town,
            period,
            begun: Instant::now(),
            step: 0,
            figures: Vec::new(),
        })
    }

    fn tell(mut self) -> Result<Report, Failure> {
        let folder = self.demo.folder.clone();
        let files = self.make_town(&folder)?;
        let mut data = folder.join("data");
        let currency = "RUB".parse().map_err(|_| Failure::usage("RUB is no currency", "this is a defect"))?;
        let (origin, secrets) = ("tallywatt.demo/pilot", Secrets::Demonstration(self.demo.seed));
        // Held to the end of the story: the nodes stop with it.
        let mut children = None;
        let mut opened = if self.demo.processes {
            let nodes = children.insert(Children::start(
                &data,
                origin,
                currency,
                secrets,
                liar(self.arguments)?.map(|(party, _)| party),
            )?);
            let folders = nodes.folders();
            data = data.join(Party::Grid.name());
            open_running(HeldFolder::hold_for_command(&data)?, &folders, self.arguments)?
        } else {
            open_held(HeldFolder::create(&data, origin, currency, secrets)?, self.arguments)?
        };
        let text = match children {
            None => "grid company, bank and supplier: a node, a store and keys each",
            Some(_) => "grid company, bank and supplier: a process each, mutual TLS over loopback",
        };
        self.say("parties", text.into())?;
        self.publish(&mut opened, &folder.join("town"))?;
        self.take_in(&mut opened, &data, &files)?;
        self.issue_bills(&mut opened)?;
        self.settle(&mut opened, &folder.join("town"))?;
        self.archive(&opened, &folder.join("parquet"))?;
        self.prove(&opened, &folder, &data)
    }

    fn say(&mut self, name: &str, text: String) -> Result<(), Failure> {
        self.step += 1;
        self.output.step(&format!(" {:>2}  {name:<9} {text}", self.step))
    }

    /// Keeps facts of a step under the names that the whole gives them.
    fn keep(&mut self, report: &Report, names: &[(&str, &'static str)]) {
        for (name, kept) in names {
            let found = report.facts.iter().find(|(known, _)| known == name);
            self.figures.extend(found.map(|(_, value)| (*kept, value.clone())));
        }
    }

    fn make_town(&mut self, folder: &Path) -> Result<Vec<(Region, PathBuf)>, Failure> {
        let town_folder = folder.join("town");
        let fail = |error: std::io::Error| Failure::file("write below", &town_folder, &error);
        fs::create_dir_all(&town_folder).map_err(fail)?;
        let written =
            write_readings(&self.town, ReadingFormat::DayCsv, &town_folder, &mut |_| {}).map_err(fail)?;
        documents::write_documents(&self.town, &town_folder).map_err(fail)?;
        let text = format!(
            "{} homes: {} in Yekaterinburg (UTC+5), {} in Kaliningrad (UTC+2); {} half-hourly, with feeder heads",
            self.town.household_count(),
            self.town.household_count_in(Region::Yekaterinburg),
            self.town.household_count_in(Region::Kaliningrad),
            self.period
        );
        self.say("town", text)?;
        self.figures.push(("homes", self.town.household_count().into()));
        Ok(written.into_iter().map(|file| (file.region, file.path)).collect())
    }

    fn publish(&mut self, opened: &mut Opened, town: &Path) -> Result<(), Failure> {
        let mut files = Vec::new();
        for name in ["tariffs", "agreements"] {
            files.extend(sorted_files(&town.join(name))?);
        }
        published::publish_files(opened, &files)?;
        let contracts = published::publish_contracts(opened, &town.join("contracts.csv"))?;
        let text =
            format!("{} tariffs and agreements, {} contracts", files.len(), fact(&contracts, "contracts"));
        self.say("documents", text)
    }

    fn take_in(
        &mut self,
        opened: &mut Opened,
        data: &Path,
        files: &[(Region, PathBuf)],
    ) -> Result<(), Failure> {
        let books = opened.consortium.node(Party::Grid).books();
        let mut intake = Intake::open(data, books)?;
        let profile = ingest::read_profile("tallywatt")?;
        let mut reports = Vec::new();
        for (region, path) in files {
            let profile = profile
                .with_zone(region.zone_name())
                .map_err(|error| Failure::usage(error, "this is a defect: report it"))?;
            let interrupt = AtomicBool::new(false);
            let paths = std::slice::from_ref(path);
            reports.extend(ingest::load((&mut intake, books), paths, &profile, &interrupt, self.output)?);
        }
        let mut report = Report::default();
        ingest::tell(&reports, &mut report);
        let text = format!(
            "{} offered, {} accepted, {} set aside; durable before acknowledged",
            fact(&report, "readings offered"),
            fact(&report, "accepted"),
            fact(&report, "set aside")
        );
        self.say("readings", text)?;
        self.keep(&report, &[("readings offered", "readings offered"), ("accepted", "readings accepted")]);
        let mut sealed = Report::default();
        ingest::seal(&mut intake, opened, &mut sealed)?;
        let text = format!(
            "batch 1: {} register-days, {} kWh, root {}…: {}",
            fact(&sealed, "sealed days"),
            fact(&sealed, "sealed import kWh"),
            fact(&sealed, "batch root").chars().take(16).collect::<String>(),
            fact(&sealed, "status")
        );
        self.say("seal", text)?;
        self.disputes(&sealed)
    }

    fn issue_bills(&mut self, opened: &mut Opened) -> Result<(), Failure> {
        let report = bill::run_bills(opened, self.period, None, false)?;
        let text = format!(
            "{} bills, {} kWh, {} RUB: {}",
            fact(&report, "bills"),
            fact(&report, "energy kWh"),
            fact(&report, "total"),
            fact(&report, "status")
        );
        self.keep(&report, &[("bills", "bills"), ("energy kWh", "billed kWh"), ("total", "billed")]);
        self.say("bills", text)?;
        self.disputes(&report)
    }

    fn settle(&mut self, opened: &mut Opened, town: &Path) -> Result<(), Failure> {
        let bills =
            opened.consortium.node(Party::Supplier).books().bills(self.period).unwrap_or_default().to_vec();
        let amount_of = |account: &AccountId| {
            bills.iter().find(|bill| bill.account == *account).map(|bill| bill.total.as_minor())
        };
        let received = self.period.end_day().period();
        let path = documents::write_payments(&self.town, received, &amount_of, town)
            .map_err(|error| Failure::file("write below", town, &error))?;
        let report = pay::run_payments(opened, pay::read(&path)?, None)?;
        let legs: Vec<String> = report
            .table
            .iter()
            .flat_map(|table| &table.rows)
            .map(|row| row.iter().filter_map(|value| value.as_str()).collect::<Vec<_>>().join(" "))
            .collect();
        let text = format!(
            "{} payments, {} RUB = {}: {}",
            fact(&report, "payments"),
            fact(&report, "paid"),
            legs.join(" + "),
            fact(&report, "status")
        );
        self.keep(&report, &[("payments", "payments"), ("paid", "paid"), ("sum of legs", "sum of legs")]);
        self.say("payments", text)?;
        self.disputes(&report)
    }

    fn archive(&mut self, opened: &Opened, folder: &Path) -> Result<(), Failure> {
        let report = export::write(opened, folder)?;
        let text = format!(
            "{} files for other tools, {} rows, {} bytes: {}",
            fact(&report, "files"),
            fact(&report, "rows"),
            fact(&report, "bytes"),
            folder.display()
        );
        self.say("parquet", text)
    }

    /// A liar is named, and ends the story: without all three there is no sealed head, and no receipt.
    fn disputes(&self, report: &Report) -> Result<(), Failure> {
        if report.notes.is_empty() || report.code == 0 || report.code == code::SET_ASIDE {
            return Ok(());
        }
        for note in &report.notes {
            self.output.step(&format!("     caught    {note}"))?;
        }
        Err(Failure::with_code(
            report.code,
            format!("the parties do not agree, and nothing more is sealed: {}", report.notes.join("; ")),
            format!("tallywatt -C {} chain status", word(&self.demo.folder.join("data"))),
        ))
    }

    fn prove(mut self, opened: &Opened, folder: &Path, data: &Path) -> Result<Report, Failure> {
        let books = opened.consortium.node(Party::Supplier).books();
        let bills = books.bills(self.period).unwrap_or_default();
        let shown = bills.get(16).or_else(|| bills.first());
        let shown = shown.ok_or_else(|| Failure::usage("no bill was issued", "choose other --households"))?;
        let receipt = prove::prove_bill(opened, shown.account, self.period)?;
        let path = folder.join(format!("bill-{}-{}.receipt", shown.account, self.period));
        let bytes = receipt.encode();
        let absolute = std::path::absolute(&path).map_err(|error| Failure::file("resolve", &path, &error))?;
        durable::write_durably(&absolute, &bytes)?;
        let text = format!("{} ({} bytes)", path.display(), bytes.len());
        self.say("receipt", text)?;
        let policy_path = data.join(POLICY_NAME);
        let policy =
            prove::read_policy(&policy_path).map_err(|why| Failure::usage(why, "run the demo again"))?;
        let verified = tallywatt_verify::verify(&bytes, &policy);
        let mut report = bill::bill_report(books, shown);
        let head = bill_text(&report);
        self.say("checked", format!("all in {} ms", self.begun.elapsed().as_millis()))?;
        self.output.step(&format!("\n{head}\n{}", verified.to_string().trim_end()))?;
        let mut facts = vec![("verdict", Value::from(verified.verdict.name()))];
        facts.push(("receipt", path.display().to_string().into()));
        facts.push(("policy", policy_path.display().to_string().into()));
        facts.append(&mut self.figures);
        facts.append(&mut report.facts);
        report.facts = facts;
        report.text = Some(String::new());
        report.code = verified.exit_code();
        let (data, folder) = (word(data), word(folder));
        report.then(format!("tallywatt verify {} --policy {}", word(&path), word(&policy_path)));
        report.then(format!("tallywatt -C {data} chain log"));
        report.then(format!("tallywatt -C {data} pay split"));
        report.then(format!("tallywatt -C {data} bill show {} {}", shown.account, self.period));
        report.then(format!("tallywatt demo tamper --folder {folder} && tallywatt -C {data} chain audit"));
        Ok(report)
    }
}

/// A bill as people read it.
fn bill_text(report: &Report) -> String {
    let mut text = String::new();
    for (name, value) in &report.facts {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!(" {name:<20} {value}\n"));
    }
    for row in report.table.iter().flat_map(|table| &table.rows) {
        let field = |at: usize| row[at].as_str().unwrap_or_default();
        text.push_str(&format!(
            "   {:<18} {:>12} {} × {} = {} → {}\n",
            field(0),
            field(1),
            field(2),
            field(3),
            field(4),
            field(5)
        ));
    }
    text
}

fn fact(report: &Report, name: &str) -> String {
    let found = report.facts.iter().find(|(known, _)| *known == name);
    found.map_or_else(String::new, |(_, value)| {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    })
}

fn sorted_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fail = |error: std::io::Error| Failure::file("list", folder, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        files.push(entry.map_err(fail)?.path());
    }
    files.sort();
    Ok(files)
}

/// An empty folder; an earlier demonstration in it is removed, anything else is left alone.
fn fresh_folder(folder: &Path) -> Result<(), Failure> {
    let marker = folder.join(MARKER);
    if folder.exists() {
        if !marker.exists() {
            return Err(Failure::usage(
                format!("{} is there already, and not from a demonstration", folder.display()),
                "name another with --folder",
            ));
        }
        fs::remove_dir_all(folder).map_err(|error| Failure::file("remove", folder, &error))?;
    }
    fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, &error))?;
    fs::write(&marker, "made by `tallywatt demo`, which may remove this folder\n")
        .map_err(|error| Failure::file("write", &marker, &error))
}

/// Flips one byte of a sealed reading at the grid company.
fn tamper(folder: &Path) -> Result<Report, Failure> {
    let path = folder.join("data/grid/batches/000001.twb");
    let mut bytes = fs::read(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            Failure::usage(format!("no demonstration in {}", folder.display()), "run `tallywatt demo` first")
        } else {
            Failure::file("read", &path, &error)
        }
    })?;
    // A byte in the middle of the packed values of a leaf in the middle of the file.
    let (places, damage) = places::places(SealKind::Batch, &bytes);
    let is_packed = |place: &&LeafPlace| place.width > 0;
    let middle = places[places.len() / 2..].iter().find(is_packed).filter(|_| damage.is_none());
    let place = middle.ok_or_else(|| {
        let error = damage.map_or("no leaf has a value".into(), |damage| damage.to_string());
        Failure::usage(
            format!("{}: {error}", path.display()),
            "it is damaged already: run `tallywatt demo` again",
        )
    })?;
    let within = place.values.len() / 2;
    let offset = place.values.start + within;
    // Bit 3 of that byte.
    let slot = (8 * within + 3) / usize::from(place.width);
    bytes[offset] ^= 0x08;
    fs::write(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))?;
    let key = place.leaf.block().key();
    let mut report = Report::default();
    report.fact("file", path.display().to_string()).fact("offset", offset);
    report.fact("bit", "0x08 flipped");
    report.fact("that is", format!("{} {} {}, interval {slot}", key.usage_point, key.register, key.day));
    report.then(format!("tallywatt -C {} chain audit", word(&folder.join("data"))));
    Ok(report)
}
