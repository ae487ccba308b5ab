//! Files that a helper process reads first: a stranger's Parquet, written out as rows.
//!
//! ```text
//!   file ─ stdin ─▶ helper, limited ─ stdout ─▶ rows, in a file without a name ─ end mark? ─▶ decoded as delimited text
//!                        │ says no, dies, takes too long
//!                        └──▶ FileRefusal: nothing of the file is used
//! ```
//!
//! The helper is this program's own, started anew with nothing but the file: what a crafted file can do is end it. Its rows
//! are looked at when it has ended well and all of them are there, so a crash, of either, leaves nothing: the
//! next run starts the helper again, and the rows of the same file are the same.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Take, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tallywatt_ingest::container::EXPANDED_SIZE_MAX;
use tallywatt_ingest::foreign::ForeignFile;
use tallywatt_ingest::refusal::FileRefusal;
use tallywatt_shards::durable::DurableError;
use tallywatt_shards::foreign::{END_MARK_SIZE, rows_of_end_mark};

/// The word that makes this program a helper.
pub const HELPER_COMMAND: &str = "decode-parquet";
/// All that it inherits. Without this its allocator lays claim to 1 GiB at its start, which is more than a helper may have.
pub const HELPER_ENVIRONMENT: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "0");
/// What every Parquet file begins with.
const MAGIC: &[u8; 4] = b"PAR1";
/// The most bytes that are read of what a helper says.
const SAID_SIZE_MAX: u64 = 4 << 10;
/// The most characters of it that are told.
const TOLD_COUNT_MAX: usize = 300;
/// How often it is asked whether a helper has ended: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// What reads files that are not read in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helper {
    /// The program, which takes [`HELPER_COMMAND`].
    pub program: PathBuf,
    /// What one file may take.
    pub limits: HelperLimits,
}

/// What a helper may use for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelperLimits {
    /// Memory, in bytes.
    pub memory_size_max: u64,
    /// Time, in seconds: by the clock, and on a processor.
    pub seconds_max: u32,
    /// Rows, in bytes.
    pub rows_size_max: u64,
}

impl Default for HelperLimits {
    /// 512 MiB, two minutes, and as much as may come out of a compressed file.
    fn default() -> Self {
        Self { memory_size_max: 512 << 20, seconds_max: 120, rows_size_max: EXPANDED_SIZE_MAX }
    }
}

/// What became of a file.
pub(super) enum Helped {
    /// Its rows, all of them.
    Rows(Rows),
    /// Nothing of it is used.
    Refused(FileRefusal),
    /// It was stopped from outside.
    Interrupted,
}

/// Rows that a helper wrote.
pub(super) struct Rows {
    file: File,
    /// Without the end mark.
    size: u64,
}

impl Rows {
    /// Reads them from the first.
    pub(super) fn reader(&self) -> io::Result<BufReader<Take<File>>> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(BufReader::with_capacity(256 << 10, file.take(self.size)))
    }
}

impl Helper {
    /// This program, within the default limits.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self { program, limits: HelperLimits::default() }
    }

    /// Has a file written out as rows. `scratch` is a folder on a disk with room for them.
    ///
    /// # Errors
    /// [`DurableError`] if the helper cannot be started, or a file not made.
    pub(super) fn rows(
        &self,
        foreign: &ForeignFile,
        (path, bytes): (&Path, &mut dyn BufRead),
        scratch: &Path,
        interrupt: &AtomicBool,
    ) -> Result<Helped, DurableError> {
        let source = match source_of(path, bytes, scratch)? {
            Ok(source) => source,
            Err(refusal) => return Ok(Helped::Refused(refusal)),
        };
        let (rows, said) = (nameless(scratch)?, nameless(scratch)?);
        let failed = |error| DurableError::io("start", &self.program)(error);
        let mut child = self
            .command(foreign)
            .stdin(source)
            .stdout(rows.try_clone().map_err(failed)?)
            .stderr(said.try_clone().map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let ended = match self.wait(&mut child, interrupt) {
            Ok(ended) => ended,
            Err(error) => {
                // Nobody would wait for it any more.
                drop(child.kill());
                return Err(failed(error));
            }
        };
        let problem = match ended {
            Ended::Interrupted => return Ok(Helped::Interrupted),
            Ended::TooLate => format!("its helper took more than {} seconds", self.limits.seconds_max),
            Ended::By(status) if status.success() => match whole(rows) {
                Ok(rows) => return Ok(Helped::Rows(rows)),
                Err(error) => error.to_string(),
            },
            Ended::By(status) => self.problem(status, &said),
        };
        Ok(Helped::Refused(FileRefusal::Foreign { what: problem }))
    }

    fn command(&self, foreign: &ForeignFile) -> Command {
        let ForeignFile { usage_point, obis, start, value, quality, ignore, is_local, takes_floats } =
            foreign;
        let mut command = Command::new(&self.program);
        // It inherits nothing that could change what it does.
        command.arg(HELPER_COMMAND).env_clear().env(HELPER_ENVIRONMENT.0, HELPER_ENVIRONMENT.1);
        let named = [("usage-point", usage_point), ("obis", obis), ("quality", quality)];
        let named = named.into_iter().filter_map(|(option, name)| Some((option, name.as_ref()?)));
        let ignored = ignore.iter().map(|name| ("ignore", name));
        for (option, name) in named.chain([("start", start), ("value", value)]).chain(ignored) {
            command.arg(format!("--{option}={name}"));
        }
        let HelperLimits { memory_size_max, seconds_max, rows_size_max } = self.limits;
        command.arg(format!("--memory-size={memory_size_max}"));
        command.arg(format!("--cpu-seconds={seconds_max}"));
        command.arg(format!("--rows-size={rows_size_max}"));
        for (option, is_set) in [("--local", is_local), ("--floats", takes_floats)] {
            if *is_set {
                command.arg(option);
            }
        }
        command
    }

    fn wait(&self, child: &mut Child, interrupt: &AtomicBool) -> io::Result<Ended> {
        let start = Instant::now();
        let limit = Duration::from_secs(self.limits.seconds_max.into());
        let [mut pause, pause_max] = PAUSES;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Ended::By(status));
            }
            let early = if interrupt.load(Ordering::Relaxed) { Some(Ended::Interrupted) } else { None };
            let early = early.or((start.elapsed() > limit).then_some(Ended::TooLate));
            if let Some(early) = early {
                child.kill()?;
                child.wait()?;
                return Ok(early);
            }
            std::thread::sleep(pause);
            pause = (2 * pause).min(pause_max);
        }
    }

    /// What a helper that did not end well said, or what its end means.
    fn problem(&self, status: ExitStatus, said: &File) -> String {
        let HelperLimits { memory_size_max, seconds_max, rows_size_max } = self.limits;
        let mut text = Vec::new();
        let read = said.try_clone().and_then(|mut said| {
            said.rewind()?;
            said.take(SAID_SIZE_MAX).read_to_end(&mut text)
        });
        let text = if read.is_ok() { String::from_utf8_lossy(&text).into_owned() } else { String::new() };
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let is_out_of_memory = line.contains("memory allocation of") || line.contains("out of memory");
        match (status.code(), status.signal()) {
            (Some(_), _) if !line.is_empty() && !is_out_of_memory => printable(line),
            _ if is_out_of_memory => {
                format!("it asks for more memory than the {memory_size_max} bytes that its helper may have")
            }
            (_, Some(9 | 24)) => {
                format!("its helper took more than {seconds_max} seconds on a processor, or was ended")
            }
            (_, Some(25)) => format!("its rows take more than {rows_size_max} bytes"),
            (_, Some(signal)) => format!("its helper was ended by signal {signal}"),
            (code, None) => format!("its helper ended with {}", code.unwrap_or(-1)),
        }
    }
}

enum Ended {
    By(ExitStatus),
    TooLate,
    Interrupted,
}

/// The Parquet file as a file of its own: a member of an archive is unpacked first.
fn source_of(
    path: &Path,
    bytes: &mut dyn BufRead,
    scratch: &Path,
) -> Result<Result<File, FileRefusal>, DurableError> {
    match bytes.fill_buf() {
        Err(error) => return Ok(Err(FileRefusal::from_io(error))),
        Ok([]) => return Ok(Err(FileRefusal::Empty)),
        Ok(first) if !first.starts_with(MAGIC) => {
            return Ok(Err(FileRefusal::NotThisFormat { line: 1, what: "not a Parquet file".to_owned() }));
        }
        Ok(_) => (),
    }
    let plain = File::open(path).map_err(DurableError::io("open", path))?;
    let mut first = [0; MAGIC.len()];
    if plain.read_exact_at(&mut first, 0).is_ok() && first == *MAGIC {
        return Ok(Ok(plain));
    }
    let mut unpacked = nameless(scratch)?;
    loop {
        let part = match bytes.fill_buf() {
            Ok([]) => break,
            Ok(part) => part,
            Err(error) => return Ok(Err(FileRefusal::from_io(error))),
        };
        unpacked.write_all(part).map_err(DurableError::io("write below", scratch))?;
        let size = part.len();
        bytes.consume(size);
    }
    unpacked.rewind().map_err(DurableError::io("read below", scratch))?;
    Ok(Ok(unpacked))
}

/// A file that nobody else can open, and that is gone when this process is.
fn nameless(folder: &Path) -> Result<File, DurableError> {
    tempfile::tempfile_in(folder).map_err(DurableError::io("make a file in", folder))
}

/// Rows that end in an end mark which counts them.
fn whole(mut file: File) -> io::Result<Rows> {
    let broken = || io::Error::other("its helper ended before it was through");
    let mark_size = u64::try_from(END_MARK_SIZE).expect("a mark's size fits u64");
    let size = file.seek(SeekFrom::End(0))?.checked_sub(mark_size).ok_or_else(broken)?;
    let mut mark = [0; END_MARK_SIZE];
    file.read_exact_at(&mut mark, size)?;
    let row_count = rows_of_end_mark(&mark).ok_or_else(broken)?;
    let rows = Rows { file, size };
    let (mut reader, mut line_count) = (rows.reader()?, 0_u64);
    loop {
        let part = reader.fill_buf()?;
        if part.is_empty() {
            break;
        }
        let count = part.iter().map(|&byte| usize::from(byte == b'\n')).sum::<usize>();
        line_count += u64::try_from(count).expect("a count in memory fits u64");
        let size = part.len();
        reader.consume(size);
    }
    // The header is a line.
    if line_count.checked_sub(1) == Some(row_count) { Ok(rows) } else { Err(broken()) }
}

fn printable(text: &str) -> String {
    let shown = text.trim_start_matches("error: ").chars().take(TOLD_COUNT_MAX);
    shown.map(|character| if character.is_control() { '?' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_shards::foreign::end_mark;

    #[test]
    fn rows_without_their_end_are_none() {
        let rows = "usage_point,start,value\nA,x,1\nA,y,2\n";
        let told = |text: &str| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let rows = whole(file).ok()?;
            let mut read = String::new();
            rows.reader().unwrap().read_to_string(&mut read).unwrap();
            Some(read)
        };
        assert_eq!(told(&format!("{rows}{}", end_mark(2))).as_deref(), Some(rows));
        for wrong in [String::new(), rows.to_owned(), end_mark(0), format!("{rows}{}", end_mark(3))] {
            assert_eq!(told(&wrong), None, "{wrong:?}");
        }
        let cut = format!("{rows}{}", end_mark(2));
        assert!((0..cut.len()).all(|size| told(&cut[..size]).is_none()));
    }

    /// A helper that is this shell script, and what comes of a file.
    fn told(script: &str, seconds_max: u32) -> String {
        let folder = tempfile::tempdir().unwrap();
        let (program, source) = (folder.path().join("helper"), folder.path().join("a.parquet"));
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(&source, "PAR1").unwrap();
        let limits = HelperLimits { seconds_max, ..HelperLimits::default() };
        let foreign = ForeignFile {
            usage_point: None,
            obis: None,
            start: "a".to_owned(),
            value: "b".to_owned(),
            quality: None,
            ignore: vec!["-c d".to_owned()],
            is_local: false,
            takes_floats: true,
        };
        let mut bytes = &b"PAR1"[..];
        let helped = Helper { program, limits }.rows(
            &foreign,
            (&source, &mut bytes),
            folder.path(),
            &AtomicBool::new(script.contains("stopped")),
        );
        match helped.unwrap() {
            Helped::Interrupted => "interrupted".to_owned(),
            Helped::Refused(refusal) => refusal.to_string(),
            Helped::Rows(rows) => {
                let mut text = String::new();
                rows.reader().unwrap().read_to_string(&mut text).unwrap();
                text
            }
        }
    }

    #[test]
    fn helpers_that_end_in_every_way() {
        let mark = end_mark(1);
        let table = [
            (format!("echo a,b; cat; echo; printf '{mark}'"), "a,b\nPAR1\n"),
            (
                format!("echo \"$1 $2 $3 $4 $8\"; echo; printf '{mark}'"),
                "decode-parquet --start=a --value=b --ignore=-c d --floats\n\n",
            ),
            (format!("echo $HOME; echo; printf '{mark}'"), "\n\n"),
            ("echo a,b".to_owned(), "cannot read the file: its helper ended before it was through"),
            (
                format!("echo a,b; printf '{mark}'"),
                "cannot read the file: its helper ended before it was through",
            ),
            (
                format!("echo a,b; echo; printf '{mark}'; kill -9 $$"),
                "its helper took more than 1 seconds on a processor, or was ended",
            ),
            (
                format!("echo a,b; echo; printf '{mark}'; exit 3"),
                "cannot read the file: its helper ended with 3",
            ),
            ("echo 'error: no\ttable' >&2; exit 2".to_owned(), "cannot read the file: no"),
            (
                "echo 'memory allocation of 99 bytes failed' >&2; kill -6 $$".to_owned(),
                "it asks for more memory than the 536870912 bytes",
            ),
            ("kill -11 $$".to_owned(), "its helper was ended by signal 11"),
            ("exec /bin/sleep 60".to_owned(), "its helper took more than 1 seconds"),
            ("exec /bin/sleep 60 # stopped".to_owned(), "interrupted"),
        ];
        for (script, want) in table {
            let got = told(&script, 1);
            assert!(got.contains(want), "{script}: {got:?}, want {want:?}");
        }
    }
}
