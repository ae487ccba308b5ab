//! Replies to files in layouts 80020 and 80040: what became of each, for its sender's system.
//!
//! They are written after what they tell of is acknowledged. A crash before that leaves a file without its reply: the same
//! command again takes nothing in twice, and writes it. A reply that cannot be written is told, and stops nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufRead, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tallywatt_core::calendar::UtcSeconds;
use tallywatt_core::meter::{Installation, RegisterRead};
use tallywatt_core::reading::{Issued, RawReading};
use tallywatt_core::rejection::Rejection;
use tallywatt_ingest::container::each_member;
use tallywatt_ingest::decode::{DecodeSummary, decode};
use tallywatt_ingest::format::WHOLE_FILE_SIZE_MAX;
use tallywatt_ingest::layout80020_reply::{MessageFacts, Outcome, Reply};
use tallywatt_ingest::profile::Profile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_ingest::sink::{ReadOrigin, ReadingRun, ReadingSink};
use tallywatt_node::intake::{ImportEnd, ImportReport, Intake};
use tallywatt_shards::durable::{create_folder_durably, write_durably};

use crate::failure::Failure;
use crate::open::now_unix_s;

/// What the names of replies begin with.
const PREFIX: &str = "reply_";
/// The most bytes of a file's name in that of its reply: file systems take 255 in all, the number and `.tmp` with them.
const STEM_SIZE_MAX: usize = 150;
/// The most replies that are named because they could not be written.
const NOTE_COUNT_MAX: usize = 20;

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

/// What became of the replies themselves.
#[derive(Debug, Default)]
pub struct Written {
    /// Files that have their reply.
    pub count: u64,
    /// What could not be replied to, and why: what it tells of is acknowledged, so it fails nothing.
    pub notes: Vec<String>,
}

/// Writes a reply to each file that was dealt with, in the order of the files and their members.
pub fn write(
    folder: &Path,
    files: &[PathBuf],
    profile: &Profile,
    reports: &[ImportReport],
    intake: &Intake,
) -> Written {
    // Several may have one name: each is told of in the order of the reports.
    let mut by_name: BTreeMap<&str, VecDeque<&ImportReport>> = BTreeMap::new();
    reports.iter().for_each(|report| by_name.entry(report.name.as_str()).or_default().push_back(report));
    let mut replies = Replies {
        folder,
        profile,
        intake,
        at: UtcSeconds(i64::try_from(now_unix_s()).unwrap_or(i64::MAX)),
        earlier: count_in(folder),
        written: BTreeSet::new(),
        failed_count: 0,
        notes: Vec::new(),
    };
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) => {
                replies.fail(&path.display().to_string(), &error);
                continue;
            }
        };
        // A container that cannot be opened holds no message to reply to; its report says why.
        let _: Result<(), FileRefusal> = each_member(&name, file, &mut |member, reader| {
            let within = if member == name { String::new() } else { format!("!{member}") };
            let queue = by_name.get_mut(format!("{}{within}", path.display()).as_str());
            // Where there is none, it was interrupted before it was begun.
            if let Some(report) = queue.and_then(VecDeque::pop_front) {
                replies.reply(&format!("{name}{within}"), reader, report);
            }
            Ok(())
        });
    }
    let more = replies.failed_count - replies.notes.len();
    if more > 0 {
        replies.notes.push(format!("and {more} more"));
    }
    Written { count: u64::try_from(replies.written.len()).unwrap_or(u64::MAX), notes: replies.notes }
}

struct Replies<'a> {
    folder: &'a Path,
    profile: &'a Profile,
    intake: &'a Intake,
    at: UtcSeconds,
    /// Replies that were there before.
    earlier: u64,
    written: BTreeSet<String>,
    failed_count: usize,
    /// Of the first failures.
    notes: Vec<String>,
}

impl Replies<'_> {
    fn reply(&mut self, name: &str, reader: &mut dyn BufRead, report: &ImportReport) {
        if matches!(report.end, ImportEnd::Interrupted(_)) {
            return;
        }
        // What the message says of itself, and what was passed over in it, is not kept: it is read again, as far as a
        // decoder would. Where it cannot be, its end is known all the same.
        let mut bytes = Vec::new();
        let limit = u64::try_from(WHOLE_FILE_SIZE_MAX).unwrap_or(u64::MAX).saturating_add(1);
        _ = reader.take(limit).read_to_end(&mut bytes);
        let decoded = decode(self.profile, name, &mut bytes.as_slice(), &mut Unkept);
        let rejections = report.id.map_or(&[][..], |id| self.intake.rejections(&id));
        let passed_over = decoded.as_ref().copied().unwrap_or_default();
        let counts = &report.counts;
        let summary = DecodeSummary {
            reading_count: counts.accepted + counts.duplicate + counts.corrected,
            rejected_count: counts.conflict + counts.rejected,
            ..passed_over
        };
        let outcome = match &report.end {
            ImportEnd::Refused { problem, next_step } => {
                let same = decoded.as_ref().err().filter(|refusal| refusal.to_string() == *problem);
                Outcome::Refused { problem, next_step, line: same.and_then(FileRefusal::line) }
            }
            _ => Outcome::Taken { summary: &summary, rejections },
        };
        let count = u64::try_from(self.written.len()).unwrap_or(u64::MAX);
        let id = self.earlier.saturating_add(count).saturating_add(1);
        let reply = Reply { id, at: self.at, zone: self.profile.zone() };
        let text = reply.write(name, &MessageFacts::read(&bytes), &outcome);
        let own = self.own_name(name);
        // A crash here leaves the reply whole, or not at all.
        match write_durably(&self.folder.join(&own), &text) {
            Ok(()) => _ = self.written.insert(own),
            Err(error) => self.fail(name, &error),
        }
    }

    fn fail(&mut self, name: &str, error: &dyn Display) {
        self.failed_count += 1;
        if self.notes.len() < NOTE_COUNT_MAX {
            self.notes.push(format!("no reply to {name}: {error}; the same command again writes it"));
        }
    }

    /// `reply_<file>.xml`, the file's name cut if it is long; of files of one name the later ones are counted.
    fn own_name(&self, name: &str) -> String {
        let stem = name.strip_suffix(".xml").or_else(|| name.strip_suffix(".XML")).unwrap_or(name);
        let stem: String =
            stem.chars().map(|c| if matches!(c, '/' | '\\') || c.is_control() { '_' } else { c }).collect();
        let stem = &stem[..stem.floor_char_boundary(STEM_SIZE_MAX)];
        let first = format!("{PREFIX}{stem}.xml");
        let others = (2_u64..).map(|number| format!("{PREFIX}{stem}-{number}.xml"));
        let mut names = std::iter::once(first).chain(others);
        names.find(|name| !self.written.contains(name)).expect("there are more numbers than files")
    }
}

/// Replies that a folder holds; one that cannot be listed numbers its replies from 1.
fn count_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let names = entries.flatten().map(|entry| entry.file_name());
    let own = names.filter(|name| name.to_string_lossy().starts_with(PREFIX));
    u64::try_from(own.count()).unwrap_or(u64::MAX)
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
