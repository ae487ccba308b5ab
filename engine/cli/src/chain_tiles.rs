//! `chain tiles`: the log as files that any web server can serve.

use std::path::Path;

use tallywatt_core::agreement::Party;
use tallywatt_node::tile_folder::{self, TileFolderError};

use crate::args::Arguments;
use crate::failure::{Failure, code};
use crate::open::{data_option, open};
use crate::output::{Report, word};

/// Writes or completes the tree below `folder`.
pub fn run(folder: &Path, arguments: &Arguments) -> Result<Report, Failure> {
    let opened = open(arguments)?;
    let absolute = std::path::absolute(folder).map_err(|error| Failure::file("resolve", folder, &error))?;
    let written = tile_folder::write(opened.consortium.node(Party::Grid), &absolute)?;
    let mut report = Report::default();
    report.fact("folder", folder.display().to_string()).fact("origin", written.head.origin());
    report.fact("leaves", written.head.size()).fact("leaves before", written.size_before);
    report.fact("files written", written.written_count).fact("files there", written.there_count);
    report.fact("root", written.head.root().to_string());
    report.then(format!(
        "serve {} with any web server; tallywatt{} chain status",
        word(folder),
        data_option(arguments)
    ));
    Ok(report)
}

impl From<TileFolderError> for Failure {
    fn from(error: TileFolderError) -> Self {
        let what = error.to_string();
        match error {
            TileFolderError::NotSealed { .. } => Self::with_code(
                code::NO_QUORUM,
                what,
                "see `tallywatt chain status` for who did not sign, and why",
            ),
            TileFolderError::OtherLog { .. } | TileFolderError::OtherBytes { .. } => Self::with_code(
                code::NO,
                what,
                "name another folder; if this one was served, find out who changed it",
            ),
            TileFolderError::Disk(error) => error.into(),
            _ => Self::usage(what, "run `tallywatt chain audit`: it names everything that is damaged"),
        }
    }
}
