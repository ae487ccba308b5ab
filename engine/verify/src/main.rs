//! `tallywatt-verify FILE --policy FILE [--format table|json]`: checks a receipt, offline.
//!
//! Exit code 0: valid. 1: invalid. 2: could not check, which also holds for a wrong command line.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tallywatt_ledger::policy::{POLICY_SIZE_MAX, Policy};
use tallywatt_ledger::receipt::RECEIPT_SIZE_MAX;
use tallywatt_verify::report::Report;
use tallywatt_verify::verify;

const USAGE: &str = "\
usage: tallywatt-verify FILE --policy FILE [--format table|json]

Checks a receipt by the keys in a policy, without a network.
Exit code: 0 valid, 1 invalid, 2 could not check.
";
const COULD_NOT_CHECK: u8 = 2;

#[derive(Clone, Copy)]
enum Format {
    Table,
    Json,
}

struct Arguments {
    receipt: PathBuf,
    policy: PathBuf,
    format: Format,
}

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let is_question = |word: &std::ffi::OsString| word == "--help" || word == "-h";
    if words.iter().any(is_question) {
        return print(USAGE, 0);
    }
    let arguments = match read_arguments(words) {
        Ok(arguments) => arguments,
        Err(error) => return complain(&error),
    };
    match check(&arguments) {
        Ok(report) => print(&written(&report, arguments.format), report.exit_code()),
        Err(error) => {
            // A program that asked for JSON gets JSON on every outcome.
            if let Format::Json = arguments.format {
                print(&written(&Report::unreadable(&error), Format::Json), COULD_NOT_CHECK);
            }
            complain(&error)
        }
    }
}

fn complain(error: &str) -> ExitCode {
    // Nothing is left to do if even this cannot be written.
    let _ = writeln!(io::stderr(), "error: {error}");
    ExitCode::from(COULD_NOT_CHECK)
}

fn written(report: &Report, format: Format) -> String {
    match format {
        Format::Table => report.to_string(),
        Format::Json => report.to_json() + "\n",
    }
}

/// A report that did not reach its reader is no answer.
fn print(text: &str, code: u8) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::from(COULD_NOT_CHECK),
    }
}

fn read_arguments(words: Vec<std::ffi::OsString>) -> Result<Arguments, String> {
    let (mut receipt, mut policy, mut format) = (None, None, Format::Table);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--policy" {
            let file = words.next().ok_or("--policy needs a file; see --help")?;
            if policy.replace(PathBuf::from(file)).is_some() {
                return Err("--policy is given twice; give one".to_owned());
            }
        } else if word == "--format" {
            let name = words.next().unwrap_or_default();
            format = match name.to_str() {
                Some("table") => Format::Table,
                Some("json") => Format::Json,
                _ => return Err(format!("--format {name:?} is neither table nor json; see --help")),
            };
        } else if word.to_str().is_some_and(|word| word.starts_with("--")) {
            return Err(format!("unknown option {word:?}; see --help"));
        } else if receipt.replace(PathBuf::from(&word)).is_some() {
            return Err(format!("{word:?} is a second file; check one receipt at a time"));
        }
    }
    let receipt = receipt.ok_or("no receipt given; see --help")?;
    let policy = policy.ok_or("no policy given: name the file with the keys you trust by --policy FILE")?;
    Ok(Arguments { receipt, policy, format })
}

fn check(arguments: &Arguments) -> Result<Report, String> {
    let Arguments { receipt, policy, .. } = arguments;
    let policy_bytes = read(policy, POLICY_SIZE_MAX, "policy")?;
    let policy_text =
        String::from_utf8(policy_bytes).map_err(|_| not_a_policy(policy, "it is not text in UTF-8"))?;
    let trust = Policy::parse(&policy_text).map_err(|error| not_a_policy(policy, &error.to_string()))?;
    Ok(verify(&read(receipt, RECEIPT_SIZE_MAX, "receipt")?, &trust))
}

fn not_a_policy(path: &Path, why: &str) -> String {
    format!("{} is not a policy: {why}; ask the ledger's parties for theirs", path.display())
}

/// Reads a file, one byte past its limit at most.
fn read(path: &Path, size_max: usize, what: &str) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("cannot read {what} {}: {error}; check the path", path.display());
    let limit = u64::try_from(size_max).map_or(u64::MAX, |size| size.saturating_add(1));
    let mut bytes = Vec::new();
    File::open(path).map_err(cannot)?.take(limit).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > size_max {
        return Err(format!("{} has more than {size_max} bytes; no {what} is that long", path.display()));
    }
    Ok(bytes)
}
