//! What a source says of its values in its own codes, counted: for the person who asks why so much is estimated.
//!
//! ```text
//!   400,1,20,F14,76   ──▶   record 400, flag F14, reason 76 (retrospective like day): 1 record, 20 values
//! ```
//!
//! Nothing rests on these counts. What the ledger needs of a code, the value's quality carries.

use std::collections::BTreeMap;
use std::fmt;

/// The longest code kept; more of it is cut off.
pub const MARK_SIZE_MAX: usize = 8;
/// The most different notes kept of one file; what comes past them is counted together.
pub const NOTE_COUNT_MAX: usize = 1_024;

/// A code of the source's own, as written; what is not printable ASCII is a question mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mark([u8; MARK_SIZE_MAX]);

impl Mark {
    /// From the text of a field.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut mark = [0; MARK_SIZE_MAX];
        for (kept, &byte) in mark.iter_mut().zip(text) {
            *kept = if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'?' };
        }
        Self(mark)
    }

    /// The code; empty if the field was.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let size = self.0.iter().take_while(|&&byte| byte != 0).count();
        str::from_utf8(&self.0[..size]).expect("a mark is printable ASCII")
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// One thing that a source says of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceNote {
    /// The kind of record that says it: `300`.
    pub record: Mark,
    /// The flag, with its method where the format has one: `F14`.
    pub flag: Mark,
    /// The reason's code; empty if none is given.
    pub reason: Mark,
    /// What the format's documents call the method; empty for one they do not list.
    pub meaning: &'static str,
}

/// How often it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoteCounts {
    /// Records that say it.
    pub record_count: u64,
    /// Values it is said of.
    pub value_count: u64,
}

impl NoteCounts {
    const fn add(&mut self, other: Self) {
        self.record_count += other.record_count;
        self.value_count += other.value_count;
    }
}

/// Everything one file says, in the order of record, flag and reason.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct SourceNotes {
    counts: BTreeMap<SourceNote, NoteCounts>,
    unlisted: NoteCounts,
}

impl SourceNotes {
    /// Counts a note.
    pub(crate) fn add(&mut self, note: &SourceNote, counts: NoteCounts) {
        if let Some(known) = self.counts.get_mut(note) {
            known.add(counts);
        } else if self.counts.len() < NOTE_COUNT_MAX {
            self.counts.insert(*note, counts);
        } else {
            self.unlisted.add(counts);
        }
    }

    /// Counts what another file says too.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(note, counts)| self.add(note, counts));
        self.unlisted.add(other.unlisted);
    }

    /// The notes with their counts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceNote, NoteCounts)> {
        self.counts.iter().map(|(note, &counts)| (note, counts))
    }

    /// What came after [`NOTE_COUNT_MAX`] different notes, together.
    #[must_use]
    pub const fn unlisted(&self) -> NoteCounts {
        self.unlisted
    }
}

/// A line a note: `300 A: 28 records, 1344 values`.
impl fmt::Display for SourceNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (note, counts) in self.iter() {
            write!(f, "{} {}", note.record, note.flag)?;
            if !note.reason.as_str().is_empty() {
                write!(f, " reason {}", note.reason)?;
            }
            if !note.meaning.is_empty() {
                write!(f, " ({})", note.meaning)?;
            }
            writeln!(f, ": {} records, {} values", counts.record_count, counts.value_count)?;
        }
        if self.unlisted != NoteCounts::default() {
            writeln!(
                f,
                "others: {} records, {} values",
                self.unlisted.record_count, self.unlisted.value_count
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_printable_and_short() {
        for (text, want) in [("F14", "F14"), ("", ""), ("a\tb\u{e9}", "a?b??"), ("0123456789", "01234567")] {
            assert_eq!(Mark::of(text.as_bytes()).as_str(), want);
        }
    }

    #[test]
    fn notes_are_told_in_order_and_bounded() {
        let note = |flag: &str, reason: &str, meaning| SourceNote {
            record: Mark::of(b"400"),
            flag: Mark::of(flag.as_bytes()),
            reason: Mark::of(reason.as_bytes()),
            meaning,
        };
        let mut notes = SourceNotes::default();
        notes.add(&note("F14", "76", "like day"), NoteCounts { record_count: 1, value_count: 20 });
        notes.add(&note("A", "", ""), NoteCounts { record_count: 1, value_count: 4 });
        notes.add(&note("F14", "76", "like day"), NoteCounts { record_count: 1, value_count: 1 });
        let want = "400 A: 1 records, 4 values\n400 F14 reason 76 (like day): 2 records, 21 values\n";
        assert_eq!(notes.to_string(), want);
        let mut merged = notes.clone();
        merged.merge(&notes);
        assert!(merged.to_string().ends_with("400 F14 reason 76 (like day): 4 records, 42 values\n"));
        for number in 0..NOTE_COUNT_MAX {
            notes.add(&note("S", &number.to_string(), ""), NoteCounts { record_count: 1, value_count: 2 });
        }
        assert_eq!(notes.iter().count(), NOTE_COUNT_MAX);
        assert_eq!(notes.unlisted(), NoteCounts { record_count: 2, value_count: 4 });
        assert!(notes.to_string().ends_with("others: 2 records, 4 values\n"));
    }
}
