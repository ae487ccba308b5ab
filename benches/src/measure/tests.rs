//! Every task at a small size, its sums those that other programs found.

use super::*;

const METERS: u64 = 1_000;

fn setup(folder: &Path, thread_count: usize, day_count: u16) -> Setup {
    let threads = Threads::new(thread_count).unwrap();
    let (meter_count, leaf_count) = (METERS, 5_000);
    Setup { folder: folder.to_owned(), threads, meter_count, day_count, leaf_count, memory_mib: 64 }
}

fn check(setup: &Setup, task: &str, want: &[(&str, i128)]) -> Answer {
    let (_, run) = TASKS.iter().find(|(name, _)| *name == task).unwrap();
    let answer = run(setup).unwrap_or_else(|failure| panic!("{task}: {failure}"));
    for (name, sum) in want {
        assert_eq!(answer.sum(name), Some(*sum), "{task}: {name}");
    }
    answer
}

#[test]
fn bills_from_the_store_and_from_kept_uses() {
    let folder = tempfile::tempdir().unwrap();
    let want = [
        ("readings", i128::from(METERS) * 30 * 48),
        ("energy_wh", 2_333_405_358),
        ("total_kop", 2_104_078_446),
        ("checksum", 835_037_791_476),
    ];
    let mut grid = Vec::new();
    for thread_count in [2, 1, 3] {
        let setup = setup(folder.path(), thread_count, 30);
        if thread_count == 2 {
            check(&setup, "prepare-store", &[]);
            check(&setup, "prepare-determinants", &[]);
        }
        check(&setup, "bill-store", &want);
        grid.push(check(&setup, "bill-determinants", &want).sum("grid_kop"));
    }
    // 2.30 a kilowatt-hour of 2,333,405.358: 536,683,232.34 kopecks.
    assert_eq!(grid, [Some(536_683_232); 3]);
}

#[test]
fn files_become_batches() {
    let folder = tempfile::tempdir().unwrap();
    let (mut sums, mut ahead) = (Vec::new(), Vec::new());
    for (thread_count, memory_mib) in [(2, 64), (1, 64), (3, 0)] {
        let setup = Setup { memory_mib, ..setup(folder.path(), thread_count, 3) };
        if thread_count == 2 {
            check(&setup, "prepare-csv", &[]);
            check(&setup, "prepare-frames", &[]);
        }
        for task in ["load-csv", "load-frames"] {
            let answer = check(&setup, task, &[("readings", i128::from(METERS) * 3 * 48)]);
            sums.push((answer.sum("energy_wh"), answer.sum("batch_bytes").is_some()));
            ahead.push(answer.sum("ahead_bytes").unwrap());
        }
    }
    assert!(sums.iter().all(|one| *one == sums[0]), "{sums:?}");
    assert!(ahead.iter().all(|size| *size > 0));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "what was loaded is gone: {left:?}");
}

#[test]
fn batches_become_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let mut sums = Vec::new();
    for thread_count in [2, 1, 3] {
        let setup = setup(folder.path(), thread_count, 3);
        if thread_count == 2 {
            check(&setup, "prepare-packs", &[]);
        }
        let readings =
            check(&setup, "archive", &[("readings", i128::from(METERS) * 3 * 48), ("leaf_bytes", 0)]);
        let proven =
            check(&setup, "archive-proven", &[("parquet_bytes", readings.sum("parquet_bytes").unwrap())]);
        assert!(proven.sum("leaf_bytes").unwrap() > i128::from(METERS) * 3 * 32);
        sums.push((readings.sums, proven.sums));
    }
    assert!(sums.iter().all(|one| *one == sums[0]), "{sums:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left.len(), 1, "what was written is gone: {left:?}");
}

#[test]
fn trees() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(folder.path(), 1, 1);
    for (task, proofs) in [("merkle-build", 0), ("merkle-prove", 20_000), ("merkle-verify", 20_000)] {
        check(&setup, task, &[("leaves", 5_000), ("proofs", proofs)]);
    }
}

#[test]
fn lines_of_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let setup = setup(folder.path(), 1, 1);
    assert!(answer(&setup, "hello").unwrap().contains("\"bill-store\""));
    assert_eq!(answer(&setup, "rest").unwrap(), r#"{"task": "rest", "unsupported": true}"#);
    let told = answer(&setup, "merkle-build").unwrap();
    assert!(told.starts_with(r#"{"task": "merkle-build", "seconds": 0."#) && told.ends_with('}'), "{told}");
    assert!(answer(&setup, "bill-store").is_err(), "there is no store");
    assert_eq!(sizes_of(Path::new("x/1000x30")), Some((1_000, 30)));
    assert_eq!(sizes_of(Path::new("x/town")), None);
}
