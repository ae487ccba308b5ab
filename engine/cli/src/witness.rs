//! `witness init`, `witness serve`: a regulator's witness, which needs no ledger.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tallywatt_ledger::key::VerifierKey;
use tallywatt_ledger::witness::WatchedLog;
use tallywatt_node::running::founding;
use tallywatt_node::witness::folder::{WitnessFolder, WitnessFolderError, WitnessStartError};
use tallywatt_node::witness::server::{self, Service, Watch};

use crate::args::Arguments;
use crate::failure::{Failure, code};
use crate::governing;
use crate::nodes;
use crate::open::{data_option, now_unix_s};
use crate::output::Report;

#[derive(Debug, Args)]
pub struct WitnessOptions {
    #[command(subcommand)]
    pub action: WitnessAction,
}

#[derive(Debug, Subcommand)]
pub enum WitnessAction {
    /// Make the key of a witness in the data folder, and print its verifier key: `init --apart --witness` takes it.
    Init(InitOptions),
    /// Cosign heads that follow one another, until it is stopped (C2SP tlog-witness, POST /add-checkpoint).
    Serve(ServeOptions),
}

#[derive(Debug, Args)]
pub struct InitOptions {
    /// Name of the key, as C2SP has it: a host name, say.
    #[arg(long, default_value = "regulator.example/witness")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct ServeOptions {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:7110")]
    pub listen: SocketAddr,
    /// Watch the log of this genesis file: heads that two of its parties cosigned.
    #[arg(long, value_name = "FILE")]
    pub genesis: Vec<PathBuf>,
    /// With one --genesis: the notes of all motions since, in order, so that it knows the keys they brought.
    #[arg(long, value_name = "NOTE", requires = "genesis")]
    pub motion: Vec<PathBuf>,
    /// Watch the log of this verifier key: heads that it signed. Keys of one name are of one log.
    #[arg(long, value_name = "KEY")]
    pub log: Vec<String>,
}

/// Does what is asked of a witness.
pub fn run(options: &WitnessOptions, arguments: &Arguments) -> Result<Report, Failure> {
    match &options.action {
        WitnessAction::Init(init) => make(init, arguments),
        WitnessAction::Serve(serve) => self::serve(serve, arguments),
    }
}

fn make(init: &InitOptions, arguments: &Arguments) -> Result<Report, Failure> {
    let key = WitnessFolder::create(&arguments.data, &init.name).map_err(folder_failure)?;
    let mut report = Report::default();
    report.fact("witness", key.to_string());
    report
        .notes
        .push("keep the folder whole: a witness that forgot what it signed must not sign again".into());
    report.then(format!("tallywatt -C pilot init --apart --witness {key} --witness-address 127.0.0.1:7110"));
    report.then(format!(
        "tallywatt{} witness serve --genesis pilot/grid/{} &",
        data_option(arguments),
        founding::GENESIS_NAME
    ));
    Ok(report)
}

fn serve(serve: &ServeOptions, arguments: &Arguments) -> Result<Report, Failure> {
    let mut logs = Vec::new();
    if serve.genesis.len() > 1 && !serve.motion.is_empty() {
        let what = "motions are of one ledger, and there are more";
        return Err(Failure::usage(what, "serve each ledger from a witness of its own"));
    }
    for path in &serve.genesis {
        let motions = serve.motion.iter().map(|path| governing::read_note(path)).collect::<Result<_, _>>()?;
        logs.push(Watch::Genesis(Box::new(founding::read_genesis_file(path)?), motions));
    }
    logs.extend(logs_of(&serve.log)?.into_iter().map(Watch::Log));
    if logs.is_empty() {
        return Err(Failure::usage("no log to watch", "name one with --genesis or --log"));
    }
    let folder = WitnessFolder::hold(&arguments.data).map_err(folder_failure)?;
    let service = Service::open(folder, logs, now_unix_s, nodes::log).map_err(|error| match error {
        WitnessStartError::Folder(error) => folder_failure(error),
        other => Failure::usage(other, "give it the genesis, or the keys, of the logs it is to watch"),
    })?;
    server::run(serve.listen, service).map_err(|error| {
        Failure::usage(format!("cannot serve on {}: {error}", serve.listen), "name another --listen")
    })?;
    let mut report = Report::default();
    report.fact("status", "stopped");
    Ok(report)
}

/// Keys as logs, in the order of their first keys.
fn logs_of(texts: &[String]) -> Result<Vec<WatchedLog>, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::usage(format!("--log: {error}"), "check the key");
    let mut logs: Vec<Vec<VerifierKey>> = Vec::new();
    for text in texts {
        let key = VerifierKey::parse(text).map_err(|error| fail(&error))?;
        match logs.iter_mut().find(|keys| keys.iter().all(|other| other.name() == key.name())) {
            Some(keys) => keys.push(key),
            None => logs.push(vec![key]),
        }
    }
    logs.into_iter().map(|keys| WatchedLog::of_keys(keys).map_err(|error| fail(&error))).collect()
}

fn folder_failure(error: WitnessFolderError) -> Failure {
    match &error {
        WitnessFolderError::Locked(_) => Failure::with_code(code::LOCKED, error, "stop the other first"),
        WitnessFolderError::Key(_) => {
            Failure::usage(error, "name it without spaces, plus or control characters")
        }
        _ => Failure::with_code(code::KEY, error, "make a witness with `tallywatt -C FOLDER witness init`"),
    }
}
