//! Replies to files in layouts 80020 and 80040: what became of each, for its sender's system.
//!
//! They are written after what they tell of is acknowledged. A crash before that leaves a file without its reply: the same
//! command again takes nothing in twice, and writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::container::{EXPANDED_SIZE_MAX, each_member};
use tallywatt_ingest::decode::decode;
use tallywatt_ingest::layout80020_reply::{MessageFacts, Outcome, Reply};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_node::intake::{ImportEnd, ImportReport, Intake};
use tallywatt_shards::durable::{DurableError, create_folder_durably, write_durably};

use crate::failure::Failure;
use crate::open::now_unix_s;

/// What the names of replies begin with.
const PREFIX: &str = "reply_";

/// Whether replies are asked for files that await one; makes the folder.
pub fn check(folder: &Path, profile: &Profile) -> Result<(), Failure> {
    if !profile.is_replied_to() {
        return Err(Failure::usage(
            format!("--replies: files of the profile {} await none", profile.name()),
            "leave --replies out, or name a profile of layout 80020",
        ));
    }
    Ok(create_folder_durably(folder)?)
}

/// Writes a reply to each file that was dealt with; gives how many.
pub fn write(
    folder: &Path,
    files: &[PathBuf],
    profile: &Profile,
    reports: &[ImportReport],
    intake: &Intake,
) -> Result<u64, Failure> {
    let reports: BTreeMap<&str, &ImportReport> =
        reports.iter().map(|report| (report.name.as_str(), report)).collect();
    let mut replies = Replies {
        folder,
        profile,
        intake,
        at: UtcSeconds(i64::try_from(now_unix_s()).unwrap_or(i64::MAX)),
        earlier: count_in(folder)?,
        written: BTreeSet::new(),
    };
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = File::open(path).map_err(|error| Failure::file("open", path, &error))?;
        let visited: Result<(), Stop> = each_member(&name, file, &mut |member, reader| {
            let within = if member == name { String::new() } else { format!("!{member}") };
            match reports.get(format!("{}{within}", path.display()).as_str()) {
                Some(report) => replies.reply(&format!("{name}{within}"), reader, report),
                // Interrupted before it was begun.
                None => Ok(()),
            }
        });
        match visited {
            // A container that cannot be opened holds no message to reply to; its report says why.
            Ok(()) | Err(Stop::Refused) => {}
            Err(Stop::Failed(failure)) => return Err(failure),
        }
    }
    Ok(u64::try_from(replies.written.len()).unwrap_or(u64::MAX))
}

struct Replies<'a> {
    folder: &'a Path,
    profile: &'a Profile,
    intake: &'a Intake,
    at: UtcSeconds,
    /// Replies that were there before.
    earlier: u64,
    written: BTreeSet<String>,
}

enum Stop {
    Refused,
    Failed(Failure),
}

impl From<FileRefusal> for Stop {
    fn from(_: FileRefusal) -> Self {
        Self::Refused
    }
}

impl From<DurableError> for Stop {
    fn from(error: DurableError) -> Self {
        Self::Failed(error.into())
    }
}

impl Replies<'_> {
    fn reply(&mut self, name: &str, reader: &mut dyn BufRead, report: &ImportReport) -> Result<(), Stop> {
        if matches!(report.end, ImportEnd::Interrupted(_)) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        reader.take(EXPANDED_SIZE_MAX).read_to_end(&mut bytes).map_err(FileRefusal::from_io)?;
        let decoded = decode(self.profile, name, &mut bytes.as_slice(), &mut Unkept);
        let rejections = report.id.map_or(&[][..], |id| self.intake.rejections(&id));
        let outcome = match &decoded {
            Ok(summary) => Outcome::Taken { summary, rejections },
            Err(refusal) => Outcome::Refused(refusal),
        };
        let count = u64::try_from(self.written.len()).unwrap_or(u64::MAX);
        let id = self.earlier.saturating_add(count).saturating_add(1);
        let reply = Reply { id, at: self.at, zone: self.profile.zone() };
        let text = reply.write(name, &MessageFacts::read(&bytes), &outcome);
        let own = self.own_name(name);
        // A crash here leaves the reply whole, or not at all.
        write_durably(&self.folder.join(&own), &text)?;
        self.written.insert(own);
        Ok(())
    }

    /// `reply_<file>.xml`; of files of one name in several folders the later ones are counted.
    fn own_name(&self, name: &str) -> String {
        let stem = name.strip_suffix(".xml").or_else(|| name.strip_suffix(".XML")).unwrap_or(name);
        let stem: String =
            stem.chars().map(|c| if matches!(c, '/' | '\\') || c.is_control() { '_' } else { c }).collect();
        let first = format!("{PREFIX}{stem}.xml");
        let others = (2_u64..).map(|number| format!("{PREFIX}{stem}-{number}.xml"));
        let mut names = std::iter::once(first).chain(others);
        names.find(|name| !self.written.contains(name)).expect("there are more numbers than files")
    }
}

/// Replies that a folder holds.
fn count_in(folder: &Path) -> Result<u64, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::file("list", folder, &error))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let own = names.filter(|name| name.to_string_lossy().starts_with(PREFIX));
    Ok(u64::try_from(own.count()).unwrap_or(u64::MAX))
}

/// Takes nothing: what was found is acknowledged already.
struct Unkept;

impl ReadingSink for Unkept {
    fn reading(&mut self, _: RawReading) {}

    fn run(&mut self, _: &ReadingRun<'_>) {}

    fn issued(&mut self, _: Issued) {}

    fn register_read(&mut self, _: &RegisterRead, _: ReadOrigin) {}

    fn installation(&mut self, _: &Installation, _: u64) {}

    fn withdraw(&mut self, _: &ReadingRun<'_>) {}

    fn reject(&mut self, _: Rejection) {}

    fn line_done(&mut self, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
