//! Every recorded NEM12 file through a ledger: each reading is accounted for once, and what is broken changes nothing.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::path::{Path, PathBuf};

use common::intake::{NEVER, check_counts, import, open, unsealed};
use common::{Ledger, shared_data};
use tallywatt_core::agreement::Party;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::audit::audit;
use tallywatt_node::intake::{ImportEnd, ImportReport};

/// Every file below `folder`, in order.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn is_refused(report: &ImportReport) -> bool {
    matches!(&report.end, ImportEnd::Refused { problem, next_step } if !problem.is_empty() && !next_step.is_empty())
}

fn is_nem13(path: &Path) -> bool {
    path.file_name().unwrap().to_string_lossy().to_uppercase().contains("NEM13")
}

#[test]
fn every_file_is_accounted_for_in_one_ledger() {
    let Some(shared) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 2);
    let nem12 = Profile::builtin("nem12").unwrap();
    let files: Vec<PathBuf> =
        files_under(&shared.join("nem12")).into_iter().filter(|path| !is_nem13(path)).collect();
    assert_eq!(files.len(), 52);
    let (reports, sealed) = ledger.ingest(&files, &nem12);
    assert_eq!(reports.len(), 52);
    let mut accepted = 0;
    for report in &reports {
        assert_eq!(report.end, ImportEnd::Finished, "{report:?}");
        check_counts(report);
        assert!(report.counts.offered > 0, "{report:?}");
        accepted += report.counts.accepted;
    }
    // What was accepted is what is sealed: nothing is counted twice, nothing is lost.
    assert_eq!(sealed.unwrap().totals.reading_count(), accepted);

    let (again, sealed) = ledger.ingest(&files, &nem12);
    assert!(sealed.is_none());
    for (first, again) in reports.iter().zip(&again) {
        assert_eq!((&again.end, again.counts), (&ImportEnd::Repeated, first.counts));
    }
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    assert_eq!(audit(&held, &threads).findings, []);
}

/// Alone, no file meets another: nothing of it is set aside, and what it accepts it holds.
#[test]
fn every_file_alone_is_accepted_whole() {
    let Some(shared) = shared_data() else { return };
    let folder = tempfile::tempdir().unwrap();
    let nem12 = Profile::builtin("nem12").unwrap();
    let files = files_under(&shared.join("nem12"));
    for (at, path) in files.iter().filter(|path| !is_nem13(path)).enumerate() {
        let mut intake = open(&folder.path().join(at.to_string()));
        let report = import(&mut intake, path, &nem12, NEVER);
        assert!(report.counts.accepted > 0 && report.counts.rejected == 0, "{report:?}");
        let held: usize = unsealed(&intake).iter().map(|block| block.present_count()).sum();
        assert_eq!(u64::try_from(held).unwrap(), report.counts.accepted, "{report:?}");
    }
}

/// NEM13 holds register reads, not intervals: refused with a reason and the next step, nothing is used.
#[test]
fn nem13_is_refused() {
    let Some(shared) = shared_data() else { return };
    let mut files = files_under(&shared.join("nem13"));
    files.extend(files_under(&shared.join("nem12")).into_iter().filter(|path| is_nem13(path)));
    assert_eq!(files.len(), 32);
    check_unchanged(&files, &|report| {
        assert!(is_refused(report), "{report:?}");
        assert_eq!(report.counts.offered, 0, "{report:?}");
    });
}

#[test]
fn what_is_broken_is_refused_or_set_aside_with_a_reason() {
    let Some(shared) = shared_data() else { return };
    let files = files_under(&shared.join("malformed/nem12"));
    assert_eq!(files.len(), 6);
    check_unchanged(&files, &|report| {
        check_counts(report);
        let is_set_aside = report.counts.rejected > 0 && report.counts.rejected == report.counts.offered;
        assert!(is_refused(report) || is_set_aside, "{report:?}");
    });
}

/// Ingests each file alone; nothing is sealed, and the chain stays as it was.
fn check_unchanged(files: &[PathBuf], check: &dyn Fn(&ImportReport)) {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 1);
    let nem12 = Profile::builtin("nem12").unwrap();
    for path in files {
        let (reports, sealed) = ledger.ingest(std::slice::from_ref(path), &nem12);
        assert!(sealed.is_none(), "{reports:?}");
        assert!(!reports.is_empty(), "{}", path.display());
        reports.iter().for_each(check);
    }
    assert_eq!(ledger.consortium.node(Party::Grid).member().size(), 1);
    assert!(ledger.books().accepted().is_empty());
}
