//! The binary: exit codes, where the text goes, JSON on every outcome.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod town;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use town::{Town, policy};

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_tallywatt-verify")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn write(name: &str, bytes: &[u8]) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn exit_codes() {
    let receipt = Town::new().bill_receipt("A-000030").encode();
    let good = write("good.receipt", &receipt);
    let bad = write("bad.receipt", &receipt[1..]);
    let newer = write("newer.receipt", b"tallywatt-receipt/v9\n");
    let trust = write("town.policy", policy(3).to_string().as_bytes());
    let no_policy = write("not.policy", b"quorum\n");

    // arguments, exit code, last line on stdout, start of stderr
    let table: &[(&[&str], i32, &str, &str)] = &[
        (&[&good, "--policy", &trust], 0, "VALID    bill A-000030, 2026-03, ", ""),
        (&["--policy", &trust, &bad], 1, "INVALID  file: line 1: ", ""),
        (&[&newer, "--policy", &trust], 2, "UNCHECKED file: line 1: receipt of version 9", ""),
        (&[&good, "--policy", &trust, "--format", "json"], 0, "{\"verdict\":\"valid\"", ""),
        (&[&bad, "--policy", &trust, "--format", "json"], 1, "{\"verdict\":\"invalid\"", ""),
        (
            &["/none", "--policy", &trust, "--format", "json"],
            2,
            "{\"verdict\":\"unchecked\"",
            "error: cannot read receipt",
        ),
        (&["/none", "--policy", &trust], 2, "", "error: cannot read receipt /none: "),
        (&[&good, "--policy", &no_policy], 2, "", "error: "),
        (&[&good], 2, "", "error: no policy given"),
        (&["--policy", &trust], 2, "", "error: no receipt given"),
        (&[&good, &good, "--policy", &trust], 2, "", "error: "),
        (&[&good, "--policy", &trust, "--fast"], 2, "", "error: unknown option"),
        (&[&good, "--policy", &trust, "--format", "xml"], 2, "", "error: --format"),
        (&["--help"], 0, "Exit code: 0 valid", ""),
    ];
    for (arguments, code, last, error) in table {
        let (found, stdout, stderr) = run(arguments);
        assert_eq!(found, *code, "{arguments:?}: {stdout}{stderr}");
        assert!(stdout.lines().last().unwrap_or_default().starts_with(last), "{arguments:?}: {stdout}");
        assert!(
            stderr.starts_with(error) && stderr.is_empty() == error.is_empty(),
            "{arguments:?}: {stderr}"
        );
    }
}
