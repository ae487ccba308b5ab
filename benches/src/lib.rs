//! Criterion suites, one file per stage.
