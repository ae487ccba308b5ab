//! What machine this is, as far as the system says.

use std::fmt;
use std::fs;
use std::path::Path;

/// The machine.
pub struct Machine {
    processor: String,
    core_count: usize,
    memory: String,
    system: String,
}

impl Machine {
    /// The one we run on. What is not told is left out.
    pub fn here() -> Self {
        Self {
            processor: processor(&text("/proc/cpuinfo")),
            core_count: std::thread::available_parallelism().map_or(1, usize::from),
            memory: memory(&text("/proc/meminfo")),
            system: format!("{} {}", std::env::consts::OS, text("/proc/sys/kernel/osrelease").trim()),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = format!("{} {}", self.core_count, if self.core_count == 1 { "core" } else { "cores" });
        let parts = [self.processor.as_str(), &cores, &self.memory, self.system.trim()];
        out.write_str(&parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let found = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
    found.split_once(':').map(|(_, value)| value.trim())
}

/// The model, and the widest registers that it hashes with.
fn processor(text: &str) -> String {
    let model = value(text, "model name").unwrap_or(std::env::consts::ARCH);
    let flags = value(text, "flags").unwrap_or_default();
    let is_there = |flag: &&(&str, &str)| flags.split(' ').any(|known| known == flag.0);
    let wide = [("avx512f", " (AVX-512)"), ("avx2", " (AVX2)")];
    format!("{model}{}", wide.iter().find(is_there).map_or("", |flag| flag.1))
}

fn memory(text: &str) -> String {
    let kib = value(text, "MemTotal").and_then(|value| value.split(' ').next()?.parse::<u64>().ok());
    kib.map_or_else(String::new, |kib| format!("{} GiB", (kib + (1 << 19)) >> 20))
}

/// Bytes that may be taken at once without pressing others out: an eighth of what is free, if that is told.
pub fn spare_memory() -> Option<usize> {
    let kib: usize = value(&text("/proc/meminfo"), "MemAvailable")?.split(' ').next()?.parse().ok()?;
    Some(kib / 8 * 1_024)
}

/// Bytes of the largest cache, if that is told.
pub fn cache_size() -> Option<usize> {
    let size = |index: u32| {
        let told = text(&format!("/sys/devices/system/cpu/cpu0/cache/index{index}/size"));
        told.trim().strip_suffix('K')?.parse::<usize>().ok()
    };
    (0..8).filter_map(size).max().map(|kib| kib * 1_024)
}

/// The kind of file system that a folder is on, if that is told: `tmpfs` has no disk.
pub fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    mounted_on(&text("/proc/self/mounts"), &folder)
}

/// The mount with the longest path above the folder; of two there, the later.
fn mounted_on(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(point, _)| folder.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        assert_eq!(processor("model name\t: Some CPU\nflags\t\t: sse2 avx2\n"), "Some CPU (AVX2)");
        assert_eq!(processor("flags: avx2 avx512f\nmodel name: X\n"), "X (AVX-512)");
        assert_eq!(processor(""), std::env::consts::ARCH);
        assert_eq!(memory("MemFree: 1 kB\nMemTotal:       24653456 kB\n"), "24 GiB");
        assert_eq!(memory(""), "");
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n";
        assert_eq!(mounted_on(mounts, Path::new("/tmp/x")).as_deref(), Some("tmpfs"));
        assert_eq!(mounted_on(mounts, Path::new("/tmpx")).as_deref(), Some("ext4"));
        assert_eq!(mounted_on("", Path::new("/")), None);
    }
}
