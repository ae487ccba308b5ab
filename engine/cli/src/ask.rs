//! `ask`: signed requests to the desk of a running node, and the keys that sign them. It needs no ledger.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use tallywatt_core::label::Label;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::request::{Asked, Request};
use tallywatt_node::desk::READINGS_SIZE_MAX;
use tallywatt_node::desk::client::{self, request_bytes};
use tallywatt_node::desk::key_file::{self, KeyFileError};
use tallywatt_shards::durable;

use crate::args::Arguments;
use crate::failure::{Failure, code};
use crate::open::now_unix_s;
use crate::output::{Report, Table, word};

#[derive(Debug, Args)]
pub struct AskOptions {
    /// What to ask.
    #[command(subcommand)]
    pub action: AskAction,
    /// Where the desk is, as host and port: what `start --desk` was given.
    #[arg(long, global = true, value_name = "HOST:PORT", default_value = "127.0.0.1:7120")]
    pub desk: String,
    /// File of the key that signs.
    #[arg(long, global = true, value_name = "FILE", default_value = "holder.key")]
    pub key: PathBuf,
    /// Name of the network.
    #[arg(long, global = true, default_value = "tallywatt.example/pilot")]
    pub origin: String,
}

#[derive(Debug, Subcommand)]
pub enum AskAction {
    /// Make a key, and print its verifier key: an access list grants it something.
    NewKey {
        /// Name of the key, as C2SP has it: a host name, say.
        name: String,
    },
    /// The receipt of an account's bill, as it stands now.
    Receipt {
        /// Account.
        account: String,
        /// Month, YYYY-MM.
        period: String,
        /// Where to write it. Default: a name that says what it proves.
        #[arg(short, long)]
        output: Option<PathBuf>,
    },
    /// The newest sealed head of the log.
    Checkpoint,
    /// Hand in a file of readings.
    Readings {
        /// The file: plain, gzip, Zstandard or zip.
        file: PathBuf,
        /// A built-in profile, see `config profiles`.
        #[arg(long, default_value = "tallywatt")]
        profile: String,
    },
    /// What the node denied.
    Denials,
}

/// Makes a key, or asks.
pub fn run(options: &AskOptions, arguments: &Arguments) -> Result<Report, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(error, "see `tallywatt ask --help`");
    let asked = |text: String| text.parse::<Asked>().map_err(|error| wrong(&error));
    match &options.action {
        AskAction::NewKey { name } => new_key(name, options),
        AskAction::Receipt { account, period, output } => {
            let body = send(options, arguments, asked(format!("receipt {account} {period}"))?, &[])?;
            let name = format!("bill-{account}-{period}.receipt").replace(['/', ' ', ':'], "-");
            let path = output.clone().unwrap_or_else(|| PathBuf::from(name));
            write(&path, &body)?;
            let mut report = Report::default();
            report.fact("receipt", path.display().to_string()).fact("bytes", body.len());
            report.then(format!("tallywatt verify {} --policy trust.policy", word(&path)));
            Ok(report)
        }
        AskAction::Checkpoint => {
            let text = text_of(send(options, arguments, Asked::Checkpoint, &[])?)?;
            let mut report = Report::default();
            report.fact("checkpoint", text.clone());
            report.text = Some(text);
            Ok(report)
        }
        AskAction::Readings { file, profile } => {
            let limit = u64::try_from(READINGS_SIZE_MAX).unwrap_or(u64::MAX);
            let bytes = durable::read_limited(file, limit)?;
            if bytes.is_empty() {
                return Err(wrong(&format!("{} is empty", file.display())));
            }
            let answer = text_of(send(options, arguments, asked(format!("readings {profile}"))?, &bytes)?)?;
            let mut report = Report::default();
            report.fact("status", answer.trim_end());
            Ok(report)
        }
        AskAction::Denials => {
            let text = text_of(send(options, arguments, Asked::Denials, &[])?)?;
            let mut table = Table::new(&["time", "asker", "who", "asked", "why"]);
            for line in text.lines() {
                let fields: Vec<&str> = line.split('\t').collect();
                if fields.len() == table.columns.len() {
                    table.row(fields.into_iter().map(|field| json!(field)).collect());
                }
            }
            Ok(Report { table: Some(table), ..Report::default() })
        }
    }
}

fn new_key(name: &str, options: &AskOptions) -> Result<Report, Failure> {
    let key = key_file::create(&options.key, name).map_err(key_failure)?;
    let mut report = Report::default();
    report.fact("key", key.to_string()).fact("file", options.key.display().to_string());
    report
        .notes
        .push("the file is a secret; the key is for the access list of who grants you something".into());
    Ok(report)
}

/// Signs a request, sends it, and gives what is answered.
fn send(
    options: &AskOptions,
    arguments: &Arguments,
    asked: Asked,
    behind: &[u8],
) -> Result<Vec<u8>, Failure> {
    let signer = key_file::read(&options.key).map_err(key_failure)?;
    let holder = signer.verifier_key().name();
    let holder =
        holder.parse::<Label>().map_err(|error| Failure::with_code(code::KEY, error, "make another key"))?;
    let request = Request {
        origin: options.origin.clone(),
        holder,
        asked,
        time_unix_s: now_unix_s().saturating_add_signed(arguments.clock_offset),
        body: content_hash(behind),
    };
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(error, "name the network with --origin");
    let line = signer.sign(&request.text()).map_err(|error| wrong(&error))?;
    let note = Note::new(&request.text(), vec![line]).map_err(|error| wrong(&error))?;
    let answered = client::ask(&options.desk, request_bytes(&note, behind));
    let answered = answered.map_err(|error| {
        let next = "name a running desk with --desk: `tallywatt start --desk HOST:PORT`";
        Failure::usage(format!("{} gives no answer: {error}", options.desk), next)
    })?;
    let told = || String::from_utf8_lossy(&answered.body).trim_end().chars().take(1_000).collect::<String>();
    match answered.status {
        200 => Ok(answered.body),
        403 => {
            let next = "ask whoever granted the key: the supplier consumers, the grid company gateways";
            Err(Failure::with_code(code::NO, format!("denied: {}", told()), next))
        }
        503 => Err(Failure::usage(told(), "ask again in a minute")),
        status => Err(Failure::usage(format!("answer {status}: {}", told()), "nothing was changed")),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let path = std::path::absolute(path).map_err(|error| Failure::file("resolve", path, &error))?;
    Ok(durable::write_durably(&path, bytes)?)
}

fn text_of(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes)
        .map_err(|_| Failure::usage("the answer is not text", "is it a desk that answers?"))
}

fn key_failure(error: KeyFileError) -> Failure {
    match error {
        KeyFileError::Disk(error) => error.into(),
        other => {
            Failure::with_code(code::KEY, other, "make a key with `tallywatt ask new-key NAME --key FILE`")
        }
    }
}
