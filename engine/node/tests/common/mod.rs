//! A ledger in a temporary folder, driven as the commands drive it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tallywatt_core::agreement::Party;
use tallywatt_core::calendar::{Period, UtcSeconds};
use tallywatt_core::contract;
use tallywatt_ingest::documents::{Document, parse_contracts, parse_document};
use tallywatt_ingest::profile::Profile;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::document;
use tallywatt_ledger::seal::Sealed;
use tallywatt_node::books::Input;
use tallywatt_node::books::records::contracts_file;
use tallywatt_node::consortium::{Consortium, Outcome};
use tallywatt_node::intake::{ImportReport, ImportRun, Intake};
use tallywatt_node::ledger_folder::{HeldFolder, Secrets};
use tallywatt_shards::threads::Threads;

/// A fixed clock, after every reading of the fixtures.
pub const NOW_UNIX_S: u64 = 1_790_000_000;

pub fn clock() -> u64 {
    NOW_UNIX_S
}

pub struct Ledger {
    pub path: PathBuf,
    pub folder: HeldFolder,
    pub consortium: Consortium,
    pub threads: Threads,
}

impl Ledger {
    pub fn create(path: &Path, threads: usize) -> Self {
        let currency = "RUB".parse().unwrap();
        let folder =
            HeldFolder::create(path, "tallywatt.test/ledger", currency, Secrets::Demonstration(7)).unwrap();
        Self::with(folder, threads)
    }

    pub fn open(path: &Path, threads: usize) -> Self {
        Self::with(HeldFolder::hold(path).unwrap(), threads)
    }

    fn with(folder: HeldFolder, threads: usize) -> Self {
        let threads = Threads::new(threads).unwrap();
        let consortium = folder.open(&threads, clock).unwrap();
        Self { path: folder.path().to_owned(), folder, consortium, threads }
    }

    /// Publishes tariff and agreement texts.
    pub fn publish(&mut self, texts: &[&str]) {
        for text in texts {
            let bytes = match parse_document("test.toml", text).unwrap() {
                Document::Tariff(tariff) => document::encode_tariff(&tariff),
                Document::Agreement(agreement) => document::encode_agreement(&agreement),
            };
            self.propose(Party::Supplier, Input::Document(bytes));
        }
    }

    /// Publishes a contract list given as CSV text.
    pub fn contracts(&mut self, csv: &str) {
        let contracts =
            contract::in_order(parse_contracts("contracts.csv", csv.as_bytes()).unwrap()).unwrap();
        self.propose(Party::Supplier, Input::Contracts(contracts_file(&contracts)));
    }

    /// Takes files in, in this order, and seals them as one batch; `None` if nothing was new.
    pub fn ingest(&mut self, files: &[PathBuf], profile: &Profile) -> (Vec<ImportReport>, Option<Sealed>) {
        let mut intake = Intake::open(&self.path, self.consortium.node(Party::Grid).books()).unwrap();
        let mut reports = Vec::new();
        for file in files {
            let interrupt = AtomicBool::new(false);
            let now = UtcSeconds(i64::try_from(NOW_UNIX_S).unwrap());
            let progress = &mut |_| {};
            let mut run = ImportRun { profile, now, interrupt: &interrupt, progress, only_lines: None };
            reports.extend(intake.import(file, &mut run).unwrap());
        }
        let blocks = intake.unsealed_blocks();
        if blocks.is_empty() {
            return (reports, None);
        }
        let file = self.consortium.node(Party::Grid).books().batch_file(&blocks).unwrap();
        let outcome = self.propose(Party::Grid, Input::Batch(file));
        intake.rotate().unwrap();
        let Command::Batch(batch) = outcome.computed.command else { unreachable!("a batch was proposed") };
        (reports, Some(batch.sealed))
    }

    /// Closes and bills a month.
    pub fn bill(&mut self, period: Period) -> Outcome {
        self.propose(Party::Grid, Input::Period(period));
        self.propose(Party::Supplier, Input::Bills(period))
    }

    /// Proposes, and expects every party to sign.
    pub fn propose(&mut self, proposer: Party, input: Input) -> Outcome {
        let outcome = self.consortium.propose(proposer, input).unwrap();
        assert!(outcome.is_sealed(), "{:?}", outcome.findings);
        outcome
    }
}

/// One rate of 5.00, VAT inside.
pub const TARIFF: &str = r#"
kind = "tariff"
id = "one"
title = "One rate"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "test"
vat = { rate_percent = "22", included = true }
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = { all = "5.00" }
"#;

/// 2.00 a kilowatt-hour to the grid company, the rest to the supplier.
pub const AGREEMENT: &str = r#"
kind = "agreement"
id = "split"
title = "Split"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { all = "2.00" }
"#;

/// Publishes what one home needs, and writes its two days of 100 Wh a half-hour.
pub fn one_home(ledger: &mut Ledger, folder: &Path) -> (PathBuf, Profile) {
    ledger.publish(&[TARIFF, AGREEMENT]);
    ledger.contracts(
        "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
         A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-30,\n",
    );
    let row = |day: &str| format!("P-1,1-0:1.8.0,{day}{}\n", ",100".repeat(48));
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let text = format!("usage_point,obis,date{columns}\n{}{}", row("2026-03-30"), row("2026-03-31"));
    let file = folder.join("readings.csv");
    std::fs::write(&file, text).unwrap();
    (file, Profile::builtin("tallywatt").unwrap().with_zone("Asia/Yekaterinburg").unwrap())
}

/// The prepared data beside the project, if it is here.
pub fn shared_data() -> Option<PathBuf> {
    let folder = std::env::var_os("TALLYWATT_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    if folder.exists() {
        Some(folder)
    } else {
        println!("skipped: {} is not here", folder.display());
        None
    }
}
