//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use tallywatt_core::calendar::Day;
use tallywatt_core::label::Label;

use crate::agreements::options::Agreement;
use crate::arrears::options::Arrears;
use crate::ask::AskOptions;
use crate::bill_correct::options::CorrectOptions;
use crate::by_hand::options::{ApproveOptions, EditOptions, ExchangeOptions, RegistersOptions};
use crate::decode_parquet::DecodeParquet;
use crate::governing::options::{Govern, Keys};
use crate::joining::options::Join;
use crate::nodes::StartOptions;
use crate::pay::options::Pay;
use crate::readings_share::ShareOptions;
use crate::witness::WitnessOptions;

/// Meter readings in, bills out, money split, and a proof of every line that anyone can check offline.
#[derive(Debug, Parser)]
#[command(name = "tallywatt", version, max_term_width = 100)]
pub struct Arguments {
    /// Data folder.
    #[arg(
        short = 'C',
        long = "data",
        global = true,
        env = "TALLYWATT_DATA",
        default_value = "tallywatt-data"
    )]
    pub data: PathBuf,
    /// How results are written.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Threads to compute with; results do not depend on it. Default: the config's.
    #[arg(long, global = true)]
    pub threads: Option<usize>,
    /// No progress, no hints.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Test switch: this party computes something else than it should (grid, bank or supplier).
    #[arg(long, global = true, hide = true)]
    pub liar: Option<String>,
    /// Test switch: what it computes otherwise.
    #[arg(long, global = true, hide = true, default_value = "figures")]
    pub lie: String,
    /// Test switch: a node's clock is so many seconds ahead, or behind below zero.
    #[arg(long, global = true, hide = true, allow_negative_numbers = true, default_value_t = 0)]
    pub clock_offset: i64,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON object.
    Json,
    /// The rows as CSV.
    Csv,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// A town of 400 homes for one month, from readings to a proven bill; `demo tamper` damages it.
    Demo(Demo),
    /// Make a town's readings of any size; the same seed gives the same bytes.
    Synth(Synth),
    /// Make a data folder: three nodes in one, three apart, or one party's own.
    Init(Init),
    /// Make the folder of a party, prepared by `init --party`, one of a consortium with two others.
    Join(Join),
    /// A regulator's witness, which cosigns heads and needs no ledger: make its key, serve.
    Witness(WitnessOptions),
    /// Run the node of one party until it is stopped.
    Start(StartOptions),
    /// Ask the desk of a running node, as the holder of a granted key: receipt, checkpoint, readings, denials, new-key.
    Ask(AskOptions),
    /// Stop the node that runs on the data folder.
    Stop,
    /// How the node that runs on the data folder is: its chain, who leads, its peers.
    Status,
    /// Set the chain of a node aside that is damaged or was put back from a copy: `start` makes it again from the peers.
    Recover,
    /// Load meter data files; resumable, and repeating changes nothing.
    Ingest(Ingest),
    /// Look at readings: show, gaps, exceptions, decisions, quarantine, totals; and mend them: edit, exchange, pending,
    /// approve, registers.
    Readings(Readings),
    /// Balance feeders: what their heads gave against what their meters took.
    Losses(Losses),
    /// Tariffs, agreements, rule packs, penalty tables, price series, hour lists, plans, access lists: check, publish, list.
    Tariff(Tariff),
    /// Agreements: sign as each party, activate, list.
    Agreement(Agreement),
    /// A party's keys: make the next set, list which are in force.
    Keys(Keys),
    /// Motions for other keys, or another witness: draft, sign as each party, apply, list.
    Govern(Govern),
    /// Contracts: publish, list.
    Contract(Contract),
    /// Bills: plan, run, correct, show, explain, why, match, qr, list, arrears.
    Bill(Bill),
    /// Open bills by account and age, and what the published penalty table makes of bills paid late: it is shown, and
    /// booked into no bill.
    Arrears(Arrears),
    /// Payments: plan, run, split, suspense, reserve, true-up.
    Pay(Pay),
    /// Write a receipt: a file that proves a bill or a day of readings.
    Prove(Prove),
    /// Check a receipt; with --policy it needs no data folder, and never a network.
    Verify(Verify),
    /// The chain: status, log, show, audit, tiles, evidence.
    Chain(Chain),
    /// Write the sealed readings as Parquet.
    Export(Export),
    /// Settings: check, show, profiles.
    Config(Config),
    /// Measure this machine: its limits first, then each stage as a share of its limit. A quarter of a minute.
    Bench(Bench),
    /// Write a stranger's Parquet out as rows, within limits: what `ingest` starts for each such file.
    #[command(hide = true)]
    DecodeParquet(DecodeParquet),
}

#[derive(Debug, Args)]
pub struct Demo {
    /// What to do instead of the whole demonstration.
    #[command(subcommand)]
    pub action: Option<DemoAction>,
    /// Folder to work in; an earlier demonstration there is replaced.
    #[arg(long, global = true, default_value = "tallywatt-demo")]
    pub folder: PathBuf,
    /// Homes in the town.
    #[arg(long, default_value_t = 400)]
    pub households: u64,
    /// The month, YYYY-MM.
    #[arg(long, default_value = "2026-03")]
    pub period: String,
    /// Seed of the town.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Run the three nodes as processes of their own, over loopback.
    #[arg(long)]
    pub processes: bool,
}

#[derive(Debug, Subcommand)]
pub enum DemoAction {
    /// Flip one byte of a sealed reading at the grid company; `chain audit` then names it.
    Tamper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SynthFormat {
    /// CSV, a row a register-day.
    Csv,
    /// Макет 80020 XML.
    #[value(name = "80020")]
    Layout80020,
    /// NEM12.
    Nem12,
    /// Binary day-block frames.
    Frames,
    /// Binary packs of day-block frames: the smallest.
    Packs,
}

#[derive(Debug, Args)]
pub struct Synth {
    /// Folder to write to.
    #[arg(short, long)]
    pub output: PathBuf,
    /// Household meters.
    #[arg(long, default_value_t = 400)]
    pub meters: u64,
    /// Days.
    #[arg(long, default_value_t = 31)]
    pub days: u32,
    /// First day, YYYY-MM-DD.
    #[arg(long, default_value = "2026-03-01")]
    pub first_day: String,
    /// Seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Format of the readings.
    #[arg(long = "to", value_enum, default_value_t = SynthFormat::Csv)]
    pub to: SynthFormat,
    /// Also write tariffs, agreements and contracts.
    #[arg(long)]
    pub documents: bool,
}

#[derive(Debug, Args)]
pub struct Init {
    /// Name of the network; every signature is bound to it.
    #[arg(long, default_value = "tallywatt.example/pilot")]
    pub origin: String,
    /// Currency of the ledger.
    #[arg(long, default_value = "RUB")]
    pub currency: String,
    /// Derive the keys from this number instead of random bytes: for demonstrations, anybody can make them again.
    #[arg(long)]
    pub demonstration_keys: Option<u64>,
    /// Make three data folders, grid, bank and supplier, below the data folder: a node each, to be started as processes of
    /// their own. All their secrets are made here.
    #[arg(long)]
    pub apart: bool,
    /// With --apart: where the nodes listen; this port, and the two that follow.
    #[arg(long, default_value_t = 7101, requires = "apart")]
    pub port: u16,
    /// With --apart: the verifier key of a witness, so that two parties and it seal too.
    #[arg(long, value_name = "KEY", requires = "apart", requires = "witness_address")]
    pub witness: Option<String>,
    /// With --witness: where it is asked, as host and port.
    #[arg(long, value_name = "HOST:PORT", requires = "witness")]
    pub witness_address: Option<String>,
    /// Make the keys, the certificate and the card of one party alone: grid, bank or supplier; then `join`.
    #[arg(long, conflicts_with = "apart", requires = "address")]
    pub party: Option<String>,
    /// With --party: where the others reach its node.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "party")]
    pub address: Option<std::net::SocketAddr>,
}

#[derive(Debug, Args)]
pub struct Ingest {
    /// Files: plain, gzip, Zstandard or zip; or folders of such files.
    pub files: Vec<PathBuf>,
    /// A built-in profile (see `config profiles`) or a profile file.
    #[arg(long, default_value = "tallywatt")]
    pub profile: String,
    /// Time zone of the stamps and of the delivery day, instead of the profile's.
    #[arg(long)]
    pub zone: Option<String>,
    /// Do not seal a batch at the end.
    #[arg(long)]
    pub keep_open: bool,
    /// Try again what was set aside.
    #[arg(long, conflicts_with = "files")]
    pub retry: bool,
    /// Write a reply to each file in layout 80020 or 80040 into this folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "retry")]
    pub replies: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Readings {
    #[command(subcommand)]
    pub action: ReadingsAction,
}

#[derive(Debug, Subcommand)]
pub enum ReadingsAction {
    /// The sealed values of a usage point's day.
    Show {
        /// Usage point.
        usage_point: String,
        /// Day, YYYY-MM-DD.
        day: String,
        /// Register.
        #[arg(long, default_value = "1-0:1.8.0")]
        obis: String,
        /// What each sealing of the day changed, by whom and why.
        #[arg(long)]
        history: bool,
        /// The day as it was known after this batch.
        #[arg(long, value_name = "BATCH", conflicts_with = "history")]
        as_of: Option<u64>,
    },
    /// Set values of a day by hand: what stands there is taken back, and remembered.
    Edit(EditOptions),
    /// Note that a meter was taken out and another put in.
    Exchange(ExchangeOptions),
    /// Corrections that wait for a person's word: they would change by much what a bill used.
    Pending,
    /// Let a correction pass that waits.
    Approve(ApproveOptions),
    /// Reads of a usage point's dials, its meters, and what was used between.
    Registers(RegistersOptions),
    /// Days of a month that lack values, and who fell silent.
    Gaps(GapsOptions),
    /// A block's generation, shared among its usage points over a closed month.
    Share(ShareOptions),
    /// What the rules find in a month's readings, most money at stake first.
    Exceptions(ExceptionsOptions),
    /// How every estimate of a month came to be.
    Decisions {
        /// Month, YYYY-MM.
        period: String,
        /// Of one usage point only.
        #[arg(long)]
        usage_point: Option<String>,
    },
    /// What was set aside, by reason.
    Quarantine,
    /// Readings, energy and days by usage point and month.
    Totals,
}

#[derive(Debug, Args)]
pub struct GapsOptions {
    /// Month, YYYY-MM.
    pub period: String,
    /// A row a register or a row a day, whether something lacks or not. Default: a row a register-day that lacks something.
    #[arg(long, value_enum)]
    pub by: Option<GapsBy>,
    /// Readings are expected until then: 2026-03-14T06:00:00Z, or with an offset. Default: the day of the newest accepted reading.
    #[arg(long)]
    pub at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GapsBy {
    /// A row a register.
    Point,
    /// A row a day.
    Day,
}

#[derive(Debug, Args)]
pub struct ExceptionsOptions {
    /// Month, YYYY-MM.
    pub period: String,
    /// One usage point only.
    #[arg(long)]
    pub usage_point: Option<String>,
    /// One rule only, V01 to V30.
    #[arg(long)]
    pub rule: Option<String>,
    /// Also what each rule looked at, its parameters and the hash of its pack.
    #[arg(long)]
    pub explain: bool,
}

#[derive(Debug, Args)]
pub struct Losses {
    /// Month, YYYY-MM.
    pub period: String,
    /// Feeder list CSV: head, usage point, technical norm of the loss in thousandths.
    #[arg(long, value_name = "FILE")]
    pub feeders: PathBuf,
    /// A row a day instead of one a feeder.
    #[arg(long, value_enum)]
    pub by: Option<LossesBy>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LossesBy {
    /// A row a day.
    Day,
}

#[derive(Debug, Args)]
pub struct Tariff {
    #[command(subcommand)]
    pub action: TariffAction,
}

#[derive(Debug, Subcommand)]
pub enum TariffAction {
    /// Read tariff, agreement, rule pack, penalty table, price series, hour list and plan files, and say what is wrong with them.
    Check {
        /// Files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A price cap file: refuse tariffs that pass it. Prices of series are compared as far as their files are given.
        #[arg(long)]
        cap: Option<PathBuf>,
    },
    /// Put tariffs, agreements, rule packs, penalty tables, price series, hour lists and plans on the chain. An agreement is proposed
    /// by it, and counts once both of its parties have signed it.
    Publish {
        /// Also sign agreements as both of their parties, whose keys are all in this folder, and activate them.
        #[arg(long)]
        sign: bool,
        /// Files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// What is published.
    List,
    /// A tariff in full: zones, prices by range, demand, fixed charges.
    Show {
        /// A tariff file, or the name of a published tariff.
        tariff: String,
        /// Of a published tariff the version that holds on this day; else its last.
        #[arg(long)]
        day: Option<Day>,
    },
    /// What a billed month of an account would have cost under other tariffs, cheapest first.
    Compare {
        /// Account.
        account: String,
        /// Month, YYYY-MM.
        period: String,
        /// Tariff files; without one, all published tariffs.
        files: Vec<PathBuf>,
    },
    /// Compute the bills of test cases, and say where they are not what the cases expect.
    Test {
        /// Files of cases (TOML); tariffs are named in them.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Turn a rate of the utility rate database (URDB, JSON) into a tariff file.
    Import {
        /// The rate.
        rate: PathBuf,
        /// The tariff file to write; it must not exist.
        file: PathBuf,
        /// Name of the tariff; else `urdb-` and the rate's label.
        #[arg(long)]
        id: Option<Label>,
        /// First day it holds; else the rate's own.
        #[arg(long)]
        from: Option<Day>,
        /// The first day it no longer holds; else the day after the rate's last, if it has one.
        #[arg(long)]
        to: Option<Day>,
        /// A day billed as a weekend; may be given several times.
        #[arg(long)]
        holiday: Vec<Day>,
        /// Tiers count the energy of each period by itself, not of all together.
        #[arg(long)]
        each_period: bool,
        /// The list of hours at which coincident demand is taken: a rate has its prices, not its hours.
        #[arg(long)]
        coincident_hours: Option<Label>,
    },
}

#[derive(Debug, Args)]
pub struct Contract {
    #[command(subcommand)]
    pub action: ContractAction,
}

#[derive(Debug, Subcommand)]
pub enum ContractAction {
    /// Put the contract list on the chain; it replaces the one before.
    Publish {
        /// CSV file.
        file: PathBuf,
    },
    /// The contract list.
    List,
}

#[derive(Debug, Args)]
pub struct Bill {
    #[command(subcommand)]
    pub action: BillAction,
}

#[derive(Debug, Subcommand)]
pub enum BillAction {
    /// Compute the bills of a month and record nothing; `run --plan` records the very same.
    Plan {
        /// Month, YYYY-MM.
        period: String,
        /// Write the bill file here.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// Close the month and record its bills.
    Run {
        /// Month, YYYY-MM.
        period: String,
        /// Refuse unless the bills are byte for byte those of this plan.
        #[arg(long)]
        plan: Option<PathBuf>,
        /// Go on although some accounts cannot be billed: a month is billed once, they stay without a bill.
        #[arg(long)]
        leave_unbilled: bool,
    },
    /// Correct a billed month by what came late: readings, contracts, tariffs, agreements. No bill is rewritten.
    Correct(CorrectOptions),
    /// What a line of a bill counts: its days, or the intervals of one day.
    Explain {
        /// Account.
        account: String,
        /// Month, YYYY-MM.
        period: String,
        /// Which line, counted from 1; without it the bill.
        #[arg(long)]
        line: Option<usize>,
        /// The intervals of this day.
        #[arg(long, requires = "line")]
        day: Option<Day>,
    },
    /// Hold a month's bills against those that another system issued, and say what each difference comes from.
    Match {
        /// Month, YYYY-MM.
        period: String,
        /// CSV file: account,total,energy_kwh.
        file: PathBuf,
    },
    /// Why an account's bill of one month is not that of another: terms that add up to the difference.
    Why {
        /// Account.
        account: String,
        /// The month compared with, YYYY-MM.
        earlier: String,
        /// The month asked about, YYYY-MM.
        later: String,
    },
    /// One account's bill as it stands now, line by line; of a corrected one, what changed.
    Show {
        /// Account.
        account: String,
        /// Month, YYYY-MM.
        period: String,
    },
    /// The text of a square code that pays what is open of a month's bill (GOST R 56042).
    Qr {
        /// Account.
        account: String,
        /// Month, YYYY-MM.
        period: String,
        /// The payee's own text, as its bank gives it: ST00012|Name=…|PersonalAcc=…|BankName=…|BIC=…|CorrespAcc=…
        payee: PathBuf,
    },
    /// All bills of a month as they stand now.
    List {
        /// Month, YYYY-MM.
        period: String,
    },
    /// Who owes what.
    Arrears,
}

#[derive(Debug, Args)]
pub struct Prove {
    #[command(subcommand)]
    pub subject: ProveSubject,
    /// Where to write the receipt. Default: a name that says what it proves.
    #[arg(short, long, global = true)]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum ProveSubject {
    /// An account's bill, as it stands now.
    Bill {
        /// Account.
        account: String,
        /// Month, YYYY-MM.
        period: String,
        /// As it stood before: 0 the bill as it was issued, 1 its first correction, and so on.
        #[arg(long)]
        correction: Option<usize>,
    },
    /// A day of readings.
    Day {
        /// Usage point.
        usage_point: String,
        /// Day, YYYY-MM-DD.
        day: String,
        /// Register.
        #[arg(long, default_value = "1-0:1.8.0")]
        obis: String,
    },
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The receipt.
    pub file: PathBuf,
    /// Whose signatures count: a C2SP tlog-policy. Default: `trust.policy` in the data folder.
    #[arg(long)]
    pub policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Chain {
    #[command(subcommand)]
    pub action: ChainAction,
}

#[derive(Debug, Subcommand)]
pub enum ChainAction {
    /// Height, head and signatures of each node.
    Status,
    /// Every block, a line each.
    Log,
    /// One block.
    Show {
        /// Height.
        height: u64,
    },
    /// Re-read, re-hash and recompute everything stored.
    Audit,
    /// Write the log as static files (C2SP tlog-tiles), or complete them.
    Tiles {
        /// Folder to write to.
        folder: PathBuf,
    },
    /// Put two signed heads of one size with different roots into a file that `verify` reads; without them, name the evidence that
    /// the nodes made by themselves.
    Evidence {
        /// A signed head.
        #[arg(requires = "other")]
        one: Option<PathBuf>,
        /// The other.
        other: Option<PathBuf>,
        /// File to write.
        #[arg(long, default_value = "double-signature.evidence")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct Export {
    /// Folder to write to.
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    pub action: ConfigAction,
}

#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Read the data folder's settings and say what is wrong with them.
    Check,
    /// The settings in force.
    Show,
    /// The built-in profiles, or the text of one.
    Profiles {
        /// Name.
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Bench {
    /// Folder whose disk is measured; what is written there is removed again. Default: the data folder if there is
    /// one, else the system's folder for temporary files.
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// Measure instead how fast three nodes, as processes over the loopback, agree on so many blocks, one after the other.
    #[arg(long, value_name = "BLOCKS", conflicts_with_all = ["svg", "quick"])]
    pub blocks: Option<u64>,
    /// With --blocks: so many more while one node is away, which then catches up and starts again. Default: as many.
    #[arg(long, value_name = "BLOCKS", requires = "blocks")]
    pub missed: Option<u64>,
    /// Smaller inputs and less time each: seconds in all, for a look. The figures are worth little.
    #[arg(long)]
    pub quick: bool,
    /// Also draw the figures as an SVG picture.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}
