//! A ledger in a temporary folder, driven as the commands drive it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

pub mod intake;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use tallywatt_core::agreement::Party;
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::{Period, UtcSeconds};
use tallywatt_core::contract;
use tallywatt_fixtures::documents::write_documents;
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::documents::{parse_contracts, parse_document};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::seal::Sealed;
use tallywatt_node::books::records::{contracts_file, document_bytes};
use tallywatt_node::books::{Books, Input};
use tallywatt_node::consortium::{Consortium, Outcome};
use tallywatt_node::intake::{ImportReport, ImportRun, Intake};
use tallywatt_node::ledger_folder::{HeldFolder, Secrets};
use tallywatt_node::prove::bill_receipt;
use tallywatt_shards::threads::Threads;
use tallywatt_verify::report::{Report, Verdict};

/// A fixed clock, after every reading of the fixtures.
pub const NOW_UNIX_S: u64 = 1_790_000_000;

pub fn clock() -> u64 {
    NOW_UNIX_S
}

/// The same instant as the intake takes it.
pub fn now() -> UtcSeconds {
    UtcSeconds(i64::try_from(NOW_UNIX_S).unwrap())
}

/// Zones and prices of a tariff: one rate; night and day; night, half-peak and peak.
pub const ONE_RATE: &str = r#"
zone = [{ name = "all", windows = ["00:00-24:00"] }]
range = [{ price = { all = "4.87" } }]
"#;
pub const TWO_ZONE: &str = r#"
zone = [{ name = "night", windows = ["23:00-07:00"] }, { name = "day", windows = ["07:00-23:00"] }]
range = [{ price = { night = "1.63", day = "5.60" } }]
"#;
pub const THREE_ZONE: &str = r#"
zone = [
    { name = "night", windows = ["23:00-07:00"] },
    { name = "half-peak", windows = ["10:00-17:00", "21:00-23:00"] },
    { name = "peak", windows = ["07:00-10:00", "17:00-21:00"] },
]
range = [{ price = { night = "1.63", half-peak = "4.87", peak = "5.84" } }]
"#;
/// Prices of [`THREE_ZONE`] in kopecks.
pub const THREE_ZONE_MINOR: [i64; 3] = [163, 487, 584];

/// The text of tariff `id`, rounded half up once a bill.
pub fn tariff(id: &str, zones_and_ranges: &str) -> String {
    format!(
        "kind = \"tariff\"\nid = \"{id}\"\ntitle = \"Tariff {id}\"\ncurrency = \"RUB\"\n\
         valid_from = \"2010-01-01\"\nrounding = \"half-up\"\nround_each = \"bill\"\nsource = \"test\"\n\
         vat = {{ rate_percent = \"20\", included = true }}\n{zones_and_ranges}"
    )
}

/// The agreement that every bill of these tests is split by.
pub const SPLIT: &str = r#"
kind = "agreement"
id = "split"
title = "Split"
currency = "RUB"
valid_from = "2010-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { all = "1.00" }
"#;

/// A contract list: a row an (account, usage point, zone, tariff), valid since 2010.
pub fn contract_list<'a>(rows: impl IntoIterator<Item = (&'a str, &'a str, &'a str, &'a str)>) -> String {
    let mut text = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n".to_owned();
    for (account, usage_point, zone, tariff) in rows {
        text += &format!("{account},{usage_point},1-0:1.8.0,{zone},{tariff},split,2010-01-01,\n");
    }
    text
}

/// What one bill of [`THREE_ZONE`] comes to for these watt-hours of night, half-peak and peak, in kopecks.
pub fn three_zone_minor(zones_wh: [i64; 3]) -> i64 {
    let exact: i64 = zones_wh.iter().zip(THREE_ZONE_MINOR).map(|(wh, price)| wh * price).sum();
    (exact + 500) / 1_000
}

/// The zone of [`THREE_ZONE`] that an hour of the wall clock lies in.
pub fn three_zone_of(hour: u32) -> usize {
    match hour {
        23 | 0..7 => 0,
        10..17 | 21..23 => 1,
        _ => 2,
    }
}

/// `0.292` kWh as 292 Wh; digits past the third round to the nearest.
pub fn naive_wh(kwh: &str) -> i64 {
    let (whole, decimals) = kwh.split_once('.').unwrap_or((kwh, ""));
    let thousandths: i64 = format!("{decimals:0<4}")[..4].parse().unwrap();
    whole.parse::<i64>().unwrap() * 1_000 + (thousandths + 5) / 10
}

/// The text of a file, out of its gzip.
pub fn text_of(path: &Path) -> String {
    let mut text = String::new();
    each_member("given", std::fs::File::open(path).unwrap(), &mut |_, bytes| {
        bytes.read_to_string(&mut text).map(|_| ()).map_err(FileRefusal::Io)
    })
    .unwrap();
    text
}

/// A file recorded elsewhere that the project carries.
pub fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/recorded").join(name)
}

/// Copies a folder with everything below it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
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
            let bytes = document_bytes(&parse_document("test.toml", text).unwrap());
            self.propose(Party::Supplier, Input::Document(bytes));
        }
        self.activate();
    }

    /// Signs every agreement that is not active yet, as both of its parties.
    pub fn activate(&mut self) {
        let books = self.consortium.node(Party::Supplier).books();
        let proposed = books.agreements().iter().filter(|known| books.active_from(&known.hash).is_none());
        for agreement in proposed.cloned().collect::<Vec<_>>() {
            assert!(self.consortium.activate(&agreement).unwrap().is_sealed());
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
        let books = self.consortium.node(Party::Grid).books();
        let mut intake = Intake::open(&self.path, books).unwrap();
        let mut reports = Vec::new();
        for file in files {
            let interrupt = AtomicBool::new(false);
            let progress = &mut |_| {};
            let mut run =
                ImportRun { profile, books, now: now(), interrupt: &interrupt, progress, only_lines: None };
            reports.extend(intake.import(file, &mut run).unwrap());
        }
        let sealed = self.seal(&mut intake);
        (reports, sealed)
    }

    /// Seals what an intake holds as one batch; `None` if nothing is new.
    pub fn seal(&mut self, intake: &mut Intake) -> Option<Sealed> {
        let file = intake.batch_file(self.books()).unwrap()?;
        let blocks = intake.unsealed_blocks(self.books()).unwrap();
        let events = intake.unsealed_events(self.books()).unwrap();
        let plain = self.books().batch_file_with(&blocks, &events).unwrap();
        assert_eq!(plain, file, "the plain way makes the same file");
        let outcome = self.propose(Party::Grid, Input::Batch(file));
        intake.rotate().unwrap();
        let Command::Batch(batch) = outcome.computed.command else { unreachable!("a batch was proposed") };
        Some(batch.sealed)
    }

    /// The grid company's books.
    pub fn books(&self) -> &Books {
        self.consortium.node(Party::Grid).books()
    }

    /// The bill of an account, and what a stranger with the trust policy says of its receipt: that it is valid.
    pub fn proven(&self, account: &str, period: Period) -> (&Bill, Report) {
        let node = self.consortium.node(Party::Supplier);
        let account = account.parse().unwrap();
        let receipt = bill_receipt(node, account, period).unwrap().encode();
        let report = tallywatt_verify::verify(&receipt, &self.folder.policy().unwrap());
        assert_eq!(report.verdict, Verdict::Valid, "{report}");
        let bills = node.books().bills(period).unwrap();
        let bill = bills.iter().find(|bill| bill.account == account).unwrap();
        assert_eq!(report.figures.total.map(|(total, _)| total), Some(bill.total));
        (bill, report)
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

/// A ledger with the documents and contracts of a town.
pub fn town_ledger(path: &Path, threads: usize, town: &Town) -> Ledger {
    let documents = tempfile::tempdir().unwrap();
    write_documents(town, documents.path()).unwrap();
    let read = |folder: &str| {
        let entries = std::fs::read_dir(documents.path().join(folder)).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.into_iter().map(|path| std::fs::read_to_string(path).unwrap()).collect::<Vec<String>>()
    };
    let mut ledger = Ledger::create(path, threads);
    for text in read("tariffs").into_iter().chain(read("agreements")) {
        ledger.publish(&[&text]);
    }
    ledger.contracts(&std::fs::read_to_string(documents.path().join("contracts.csv")).unwrap());
    ledger
}

/// A built-in profile for a town's file of a region: its zone, and readings that say they are synthetic. The
/// source is in the leaf, so files of one town must name one source to give one root.
pub fn town_profile(name: &str, region: Region) -> Profile {
    let builtin = Profile::builtin(name).unwrap().with_zone(region.zone_name()).unwrap();
    match builtin.content().contains("source = ") {
        true => builtin,
        false => Profile::parse(name, &format!("source = \"synthetic\"\n{}", builtin.content())).unwrap(),
    }
}
