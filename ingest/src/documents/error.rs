//! Why a document or table is refused: file, line, problem, next step.

use std::fmt;

/// A file that was refused as a whole, and the first thing that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentError {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, counted from 1; `None` where it is the whole file.
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: String,
    next_step: &'static str,
}

impl DocumentError {
    pub(super) fn new(
        file: &str,
        line: Option<u64>,
        problem: impl Into<String>,
        next_step: &'static str,
    ) -> Self {
        Self { file: file.to_owned(), line, problem: problem.into(), next_step }
    }

    /// What to do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        self.next_step
    }
}

/// `file:line: problem`.
impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

impl std::error::Error for DocumentError {}
