//! What was set aside, kept as JSON lines beside the data: one file an import, a header line, then a line each.
//!
//! Nobody is asked to trust it: it is made from the write-ahead log, and can be made again.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::rejection::{Rejection, RejectionCode};
use tallywatt_shards::durable::{self, DurableError};

/// The largest quarantine file read.
const FILE_SIZE_MAX: u64 = 1 << 30;

/// Which import a quarantine file is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The import.
    pub id: ContentHash,
    /// Path of the source file, as it was given.
    pub name: String,
    /// Which member of the file, if it is an archive; counted from 0.
    pub member: u32,
    /// Name of the profile it was read with.
    pub profile: String,
    /// The zone it was read by; unknown as below.
    pub zone: Option<String>,
    /// Hash of the source file's bytes; unknown when a crash left this file to be made again.
    pub content: Option<ContentHash>,
}

/// What was set aside of one import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Which import.
    pub header: Header,
    /// What, in order of line.
    pub rejections: Vec<Rejection>,
}

impl Quarantined {
    /// The lines to try again.
    #[must_use]
    pub fn lines(&self) -> BTreeSet<u64> {
        self.rejections.iter().map(|rejection| rejection.line).collect()
    }
}

/// Writes the file of an import, durably; without anything set aside there is none.
///
/// # Errors
/// [`DurableError`].
pub fn write(folder: &Path, header: &Header, rejections: &[Rejection]) -> Result<(), DurableError> {
    if rejections.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<&Rejection> = rejections.iter().collect();
    sorted.sort_by(|a, b| (a.line, a.code, &a.raw).cmp(&(b.line, b.code, &b.raw)));
    let Header { id, name, member, profile, zone, content } = header;
    let content = content.map(|hash| hash.to_string());
    let first = json!({
        "import": id.to_string(), "file": name, "member": member, "profile": profile, "zone": zone, "content": content
    });
    let mut text = format!("{first}\n");
    for rejection in sorted {
        let line = json!({
            "line": rejection.line,
            "code": rejection.code.to_string(),
            "reason": rejection.code.reason(),
            "readings": rejection.reading_count,
            "raw": rejection.raw,
        });
        text.push_str(&format!("{line}\n"));
    }
    durable::write_durably(&path_of(folder, &header.id), text.as_bytes())
}

/// Writes the file of a finished import if a crash left it out. The source's path is then only its name.
///
/// # Errors
/// [`DurableError`].
pub fn ensure(
    folder: &Path,
    id: &ContentHash,
    name: &str,
    rejections: &[Rejection],
) -> Result<(), DurableError> {
    let done = folder.join(format!("{id}.retried"));
    if path_of(folder, id).exists() || done.exists() {
        return Ok(());
    }
    let header = Header {
        id: *id,
        name: name.to_owned(),
        member: 0,
        profile: String::new(),
        zone: None,
        content: None,
    };
    write(folder, &header, rejections)
}

/// Marks an import's quarantine as tried again; doing so twice changes nothing.
///
/// # Errors
/// [`DurableError`].
pub fn remove(folder: &Path, id: &ContentHash) -> Result<(), DurableError> {
    let (from, to) = (path_of(folder, id), folder.join(format!("{id}.retried")));
    match std::fs::rename(&from, &to) {
        Err(error) if error.kind() == ErrorKind::NotFound && to.exists() => return Ok(()),
        renamed => renamed.map_err(DurableError::io("rename", &from))?,
    }
    durable::sync_folder(folder)
}

/// Every quarantine file, in order of name.
///
/// # Errors
/// [`DurableError`]; a line that is no quarantine line is passed over, it can be made again.
pub fn read_all(folder: &Path) -> Result<Vec<Quarantined>, DurableError> {
    let mut paths: Vec<PathBuf> = Vec::new();
    if folder.exists() {
        for entry in std::fs::read_dir(folder).map_err(DurableError::io("list", folder))? {
            let path = entry.map_err(DurableError::io("list", folder))?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let bytes = durable::read_limited(&path, FILE_SIZE_MAX)?;
        all.extend(parse(&String::from_utf8_lossy(&bytes)));
    }
    Ok(all)
}

fn parse(text: &str) -> Option<Quarantined> {
    let mut lines = text.lines();
    let first: Value = serde_json::from_str(lines.next()?).ok()?;
    let field = |name: &str| first[name].as_str().map(str::to_owned);
    let header = Header {
        id: field("import")?.parse().ok()?,
        name: field("file")?,
        member: u32::try_from(first["member"].as_u64()?).ok()?,
        profile: field("profile")?,
        zone: field("zone"),
        content: field("content").and_then(|hash| hash.parse().ok()),
    };
    let rejections = lines.filter_map(|line| rejection_of(&serde_json::from_str(line).ok()?)).collect();
    Some(Quarantined { header, rejections })
}

fn rejection_of(value: &Value) -> Option<Rejection> {
    let number = value["code"].as_str()?.strip_prefix('R')?.parse().ok()?;
    Some(Rejection {
        code: RejectionCode::from_number(number)?,
        line: value["line"].as_u64()?,
        reading_count: u32::try_from(value["readings"].as_u64()?).ok()?,
        raw: value["raw"].as_str()?.to_owned(),
    })
}

fn path_of(folder: &Path, id: &ContentHash) -> PathBuf {
    folder.join(format!("{id}.jsonl"))
}
