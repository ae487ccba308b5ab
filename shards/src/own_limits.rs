//! Limits that a process sets on itself before it reads what a stranger sent. They can only be made narrower after.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// What a process may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLimits {
    /// Memory that it writes to, in bytes: an allocation past it fails.
    pub memory_size: u64,
    /// Time on a processor, in seconds: past it the system ends the process.
    pub cpu_seconds: u64,
    /// Bytes of a file that it writes: past it the system ends the process.
    pub file_size: u64,
}

impl OwnLimits {
    /// Sets them on this process.
    ///
    /// # Errors
    /// What the system says; the limits set before stay set.
    pub fn set(&self) -> io::Result<()> {
        let limits = [
            // Heap and private mappings; what an allocator only lays claim to does not count.
            (Resource::Data, self.memory_size),
            (Resource::As, self.memory_size.saturating_add(RESERVED_SIZE)),
            (Resource::Cpu, self.cpu_seconds),
            (Resource::Fsize, self.file_size),
            // What was in the file is not left behind in another.
            (Resource::Core, 0),
        ];
        for (resource, limit) in limits {
            setrlimit(resource, Rlimit { current: Some(limit), maximum: Some(limit) })?;
        }
        Ok(())
    }
}

/// Addresses beside the memory that is written to: the program's text, its stacks, what an allocator only lays claim to.
const RESERVED_SIZE: u64 = 1 << 30;
