//! The built binary in a folder of its own.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod nodes;
pub mod one_account;
pub mod proxy;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Path of the binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_tallywatt");

/// A temporary folder that commands run in.
pub struct Place {
    folder: TempDir,
}

/// What a command gave.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file below the folder.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Every file below a folder of it, sorted.
    pub fn files(&self, name: &str) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.path().join(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files.sort();
        files
    }

    /// A command ready to run here, with nothing of the caller's settings.
    pub fn command(&self, program: &str) -> Command {
        let folder = Path::new(BINARY).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.current_dir(self.path()).stdin(Stdio::null());
        command.env_remove("TALLYWATT_DATA").env("PATH", format!("{}:{path}", folder.display()));
        command
    }

    /// Runs `tallywatt` with these words.
    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::of(&self.command(BINARY).args(words).output().unwrap())
    }

    /// Runs a line of shell with `tallywatt` on the path.
    pub fn sh(&self, line: &str) -> Ran {
        Ran::of(&self.command("sh").args(["-c", line]).output().unwrap())
    }

    /// Runs a line that must give this exit code.
    pub fn expect(&self, code: i32, line: &str) -> Ran {
        let ran = self.sh(line);
        assert_eq!(ran.code, code, "$ {line}\n{}\n{}", ran.out, ran.err);
        ran
    }

    /// Runs a line that must succeed, and reads its one JSON object.
    pub fn json(&self, line: &str) -> Value {
        self.expect(0, &format!("{line} --format json")).object()
    }

    /// Where the ledger stands: heights, roots, money. Equal before and after what must change nothing.
    pub fn status(&self) -> Value {
        self.json("tallywatt chain status")
    }

    /// A ledger with the documents and readings of a town; nothing billed yet.
    pub fn town(&self, meters: u32, days: u32) {
        self.expect(0, &format!("tallywatt synth --output town --meters {meters} --days {days} --documents"));
        self.expect(0, "tallywatt init --demonstration-keys 7");
        self.expect(0, "tallywatt tariff publish town/tariffs/*.toml town/agreements/*.toml --sign");
        self.expect(0, "tallywatt contract publish town/contracts.csv");
        self.ingest_town("town", "tallywatt");
    }

    /// Takes in the readings of both regions.
    pub fn ingest_town(&self, folder: &str, profile: &str) {
        for (region, zone) in [("yekaterinburg", "Asia/Yekaterinburg"), ("kaliningrad", "Europe/Kaliningrad")]
        {
            self.expect(
                0,
                &format!("tallywatt ingest {folder}/readings/{region}* --profile {profile} --zone {zone}"),
            );
        }
    }
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// stdout as one JSON object and nothing else.
    pub fn object(&self) -> Value {
        let value: Value =
            serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert!(value.is_object(), "{self:?}");
        value
    }

    /// The commands that it says to run next.
    pub fn next_commands(&self) -> Vec<&str> {
        let next = self.err.lines().filter_map(|line| line.trim_start().strip_prefix("next: "));
        next.filter(|command| command.starts_with("tallywatt ")).collect()
    }
}
