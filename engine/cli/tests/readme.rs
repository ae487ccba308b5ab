//! The README's commands run as printed, and what it shows of their output is what they print.
//!
//! In a `console` block, `$ ` begins a command, run by `sh` in one temporary folder with the binary on the path;
//! `# exit N` behind it is the exit code expected, else 0. Every other line must be a line of the command's
//! stdout, `…` stands for lines left out.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::path::Path;

use common::Place;

struct Shown<'a> {
    line: usize,
    command: &'a str,
    code: i32,
    lines: Vec<&'a str>,
}

fn shown(text: &str) -> Vec<Shown<'_>> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut is_console = false;
    for (at, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            is_console = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| is_console) {
            let code = command.split_once("# exit ").map_or(0, |(_, code)| code.trim().parse().unwrap());
            shown.push(Shown { line: at + 1, command, code, lines: Vec::new() });
        } else if is_console && !line.trim().is_empty() && line.trim() != "…" {
            shown.last_mut().unwrap().lines.push(line.trim());
        }
    }
    shown
}

#[test]
fn every_command_of_the_readme_does_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let shown = shown(&text);
    assert!(shown.len() >= 18, "the walk has lost its commands: {} are left", shown.len());
    for stage in
        ["demo", "synth", "init", "publish", "ingest", "bill run", "pay run", "prove", "verify", "audit"]
    {
        assert!(shown.iter().any(|shown| shown.command.contains(stage)), "no command shows {stage}");
    }
    let place = Place::new();
    for Shown { line, command, code, lines } in &shown {
        let ran = place.sh(command);
        assert_eq!(ran.code, *code, "README.md:{line}: $ {command}\n{}{}", ran.out, ran.err);
        for expected in lines {
            let is_there = ran.out.lines().any(|printed| printed.trim() == *expected);
            assert!(is_there, "README.md:{line}: $ {command}\ndoes not print: {expected}\n{}", ran.out);
        }
    }
}

/// Codes of the README's table are those of the program.
#[test]
fn the_table_of_exit_codes_is_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("../../README.md")).unwrap();
    let source = std::fs::read_to_string(root.join("src/failure.rs")).unwrap();
    let codes: Vec<u8> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const ")?.split_once(": u8 = "))
        .map(|(_, code)| code.trim_end_matches(';').parse().unwrap())
        .collect();
    assert!(codes.len() >= 10, "{codes:?}");
    for code in codes.iter().chain(&[0]) {
        assert!(text.contains(&format!("\n| {code} | ")), "README.md has no row for exit code {code}");
    }
}
