//! `tallywatt`: arguments to one call into the node or a library, its result to a table, JSON or CSV.
//!
//! stdout is the result, stderr everything else. Exit codes: 0 done or valid; 1 checked and the answer is no;
//! 2 usage, or could not check; 3 done, some input set aside; 4 done, differences found; 10 no data folder;
//! 11 in use; 12 key refused; 13 no quorum; 78 bad configuration; 130 interrupted, safe to run again.

mod agreements;
mod args;
mod arrears;
mod ask;
mod bench;
mod bill;
mod bill_correct;
mod bill_qr;
mod bill_reasons;
mod by_hand;
mod chain;
mod chain_tiles;
mod config;
mod decode_parquet;
mod demo;
mod documents;
mod eligibility;
mod evidence;
mod exceptions;
mod export;
mod failure;
mod gaps;
mod governing;
mod history;
mod ingest;
mod instant;
mod interrupt;
mod joining;
mod losses;
mod nodes;
mod open;
mod output;
mod pay;
mod price_caps;
mod progress;
mod prove;
mod readings;
mod readings_decisions;
mod readings_share;
mod replies;
mod rounding;
mod synth;
mod tariff_compare;
mod tariffs;
mod witness;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use failure::Failure;
use output::{Output, Report};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    if let Command::DecodeParquet(file) = &arguments.command {
        return decode_parquet::run(file);
    }
    let output = Output::new(arguments.format, arguments.quiet);
    match run(&arguments, &output) {
        Ok(report) => output.finish(&report),
        Err(failure) => output.fail(&failure),
    }
}

/// Help and version are results; anything else is wrong usage, in JSON if that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let asks_json = words.iter().any(|word| word == "--format=json")
        || words.windows(2).any(|pair| pair == ["--format", "json"]);
    if asks_json && error.use_stderr() {
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::usage(what, "see `tallywatt --help`");
        return Output::new(args::Format::Json, false).fail(&failure);
    }
    // Where the help cannot be written there is nowhere to say so.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::code::USAGE))
}

fn run(arguments: &Arguments, output: &Output) -> Result<Report, Failure> {
    match &arguments.command {
        Command::Demo(demo) => demo::run(demo, arguments, output),
        Command::Synth(synth) => synth::run(synth, arguments, output),
        Command::Init(init) => config::init(init, arguments),
        Command::Join(join) => joining::join(join, arguments),
        Command::Recover => joining::recover(arguments),
        Command::Witness(options) => witness::run(options, arguments),
        Command::Start(options) => nodes::start(options, arguments),
        Command::Ask(options) => ask::run(options, arguments),
        Command::Stop => nodes::stop(arguments),
        Command::Status => nodes::status(arguments),
        Command::Ingest(ingest) => ingest::run(ingest, arguments, output),
        Command::Readings(readings) => readings::run(readings, arguments),
        Command::Losses(losses) => losses::run(losses, arguments),
        Command::Tariff(tariff) => documents::run_tariff(tariff, arguments),
        Command::Agreement(agreement) => agreements::run(agreement, arguments),
        Command::Keys(keys) => governing::run_keys(keys, arguments),
        Command::Govern(govern) => governing::run(govern, arguments),
        Command::Contract(contract) => documents::run_contract(contract, arguments),
        Command::Bill(bill) => bill::run(bill, arguments),
        Command::Arrears(arrears) => arrears::run(arrears, arguments),
        Command::Pay(pay) => pay::run(pay, arguments),
        Command::Prove(prove) => prove::run(prove, arguments),
        Command::Verify(verify) => prove::verify(verify, arguments),
        Command::Chain(chain) => chain::run(chain, arguments),
        Command::Export(export) => export::run(export, arguments),
        Command::Config(config) => config::run(config, arguments),
        Command::Bench(bench) => bench::run(bench, arguments, output),
        Command::DecodeParquet(_) => unreachable!("a helper reports to whoever started it"),
    }
}
