//! Imports that stop half way, and write-ahead logs that are torn or rotten: whatever happened on the way, each
//! reading is counted once and the readings are those of an import that nothing disturbed.
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

mod common;

use std::path::{Path, PathBuf};

use common::intake::{NEVER, books, import, open, period_root, unsealed, write_ahead_bytes, write_ahead_of};
use common::town_profile;
use tallywatt_fixtures::random::Key;
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_fixtures::write::{ReadingFormat, write_readings};
use tallywatt_ingest::profile::Profile;
use tallywatt_node::intake::{ImportEnd, ImportReport, Intake, IntakeError, IntakeLimits};
use tallywatt_shards::intake_record::IntakeCounts;
use tallywatt_shards::write_ahead::WriteAheadError;
use tallywatt_shards::write_ahead::recovery::Proof;

/// 846 register-days of one region, 40,608 readings: two whole chunks and more.
fn town_file(format: ReadingFormat, folder: &Path) -> PathBuf {
    let town = Town::new(7, 1_000, 1, "2026-03-02".parse().unwrap()).unwrap();
    let files = write_readings(&town, format, folder, &mut |_| {}).unwrap();
    files.into_iter().find(|file| file.region == Region::Yekaterinburg).unwrap().path
}

const READING_COUNT: u64 = 846 * 48;

/// The day CSV with a row twice, a row with another value, a value that is none and a row that is cut.
fn troubled_csv(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(town_file(ReadingFormat::DayCsv, folder)).unwrap();
    let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
    let (prefix, last) = rows[20].rsplit_once(',').unwrap();
    let other = format!("{prefix},{}", last.parse::<i64>().unwrap() + 5);
    let broken = rows[700].replacen("2026-03-02,", "2026-03-03,x", 1);
    let cut = rows[800][..60].to_owned();
    rows.insert(600, rows[10].clone());
    rows.extend([other, broken, cut]);
    let path = folder.join("troubled.csv");
    std::fs::write(&path, rows.join("\n")).unwrap();
    path
}

/// The same XML without a line break.
fn one_line_80020(folder: &Path) -> PathBuf {
    let bytes = std::fs::read(town_file(ReadingFormat::Layout80020, folder)).unwrap();
    let path = folder.join("one-line.xml");
    let bytes: Vec<u8> = bytes.into_iter().filter(|byte| !b"\r\n".contains(byte)).collect();
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn an_interrupted_import_goes_on_and_counts_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let table = [
        ("tallywatt", troubled_csv(&file("csv"))),
        ("frames", town_file(ReadingFormat::Frames, &file("frames"))),
        ("packs", town_file(ReadingFormat::Packs, &file("packs"))),
        ("nem12", town_file(ReadingFormat::Nem12, &file("nem12"))),
        ("80020", town_file(ReadingFormat::Layout80020, &file("80020"))),
        ("80020", one_line_80020(&file("80020-line"))),
    ];
    for (at, (name, path)) in table.iter().enumerate() {
        let profile = town_profile(name, Region::Yekaterinburg);
        let mut whole = open(&file(&format!("whole-{at}")));
        let want = import(&mut whole, path, &profile, NEVER);
        assert!(want.counts.accepted >= READING_COUNT, "{name}: {want:?}");
        let (root, set_aside) = (period_root(&whole), whole.quarantined().unwrap());
        // Interrupted once after the first or second chunk, after every chunk, or again before it is where it was.
        let cases: [(&str, &dyn Fn(usize) -> usize); 4] = [
            ("once", &|run| if run == 1 { 1 } else { NEVER }),
            ("later", &|run| if run == 1 { 2 } else { NEVER }),
            ("always", &|run| if run < 100 { 1 } else { NEVER }),
            ("sooner", &|run| [5, 1, NEVER][run.min(3) - 1]),
        ];
        for (case, stop_after) in cases {
            let data = file(&format!("data-{at}-{case}"));
            let mut run_count = 0;
            let report = loop {
                run_count += 1;
                let report = import(&mut open(&data), path, &profile, stop_after(run_count));
                match report.end {
                    ImportEnd::Interrupted(_) => assert!(run_count < 100),
                    _ => break report,
                }
            };
            assert_eq!(report.end, ImportEnd::Finished, "{name}");
            // One long line is one chunk: there is no second to stop after.
            let has_second_chunk = at < 5;
            assert!(run_count > 1 || !has_second_chunk, "{name}, file {at}, was never interrupted");
            assert_eq!((report.counts, &report.rejected), (want.counts, &want.rejected), "{name}, {case}");
            let again = open(&data);
            assert_eq!(period_root(&again), root, "{name}");
            assert_eq!(again.quarantined().unwrap(), set_aside, "{name}");
        }
    }
}

/// Days that memory has no room for are found again where they were written: taking in, sealing and opening again give
/// the same, however little there is.
#[test]
fn little_memory_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let profile = town_profile("tallywatt", Region::Yekaterinburg);
    let frames = town_profile("frames", Region::Yekaterinburg);
    // Readings that were bent first, then the right ones: every day comes back to be joined.
    let inputs = [
        (troubled_csv(&file("csv")), &profile),
        (town_file(ReadingFormat::Frames, &file("frames")), &frames),
        (town_file(ReadingFormat::DayCsv, &file("again")), &profile),
    ];
    let mut wants = Vec::new();
    for memory_size in [usize::MAX, 0, 20_000, 300_000] {
        let data = file(&format!("data-{memory_size}"));
        let limits = IntakeLimits { memory_size, block_size: 16_384, ..IntakeLimits::default() };
        let mut intake = Intake::open_bounded(&data, &books(), limits).unwrap();
        let counts: Vec<IntakeCounts> =
            inputs.iter().map(|(path, profile)| import(&mut intake, path, profile, NEVER).counts).collect();
        assert!(counts[0].conflict > 0 && counts[1].duplicate > 0, "{counts:?}");
        let batch = intake.batch_file(&books()).unwrap();
        drop(intake);
        let again = Intake::open_bounded(&data, &books(), limits).unwrap();
        assert!(again.batch_file(&books()).unwrap() == batch, "opened again with {memory_size} bytes");
        wants.push((counts, batch));
    }
    assert!(wants.iter().all(|got| *got == wants[0]), "some memory size gave another batch or other counts");
}

/// Every way a write can be cut off: the import goes on from the chunk before.
#[test]
fn a_torn_write_is_cut_off_and_offered_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = troubled_csv(folder.path());
    let plain = town_profile("tallywatt", Region::Yekaterinburg);
    // Most readings are set aside: a chunk takes several records then.
    let strict = Profile::parse("strict", &format!("max_power_w = 250\n{}", plain.content())).unwrap();
    for (case, profile) in [plain, strict].iter().enumerate() {
        let data = folder.path().join(format!("data-{case}"));
        let want = import(&mut open(&data), &path, profile, NEVER);
        let root = period_root(&open(&data));
        let bytes = write_ahead_bytes(&data);
        let mut torn_count = 0;
        let size_max = u32::try_from(bytes.len()).unwrap();
        for seed in 0..16 {
            let torn = folder.path().join(format!("torn-{case}-{seed}"));
            std::fs::create_dir_all(torn.join("intake")).unwrap();
            let size = usize::try_from(Key::new(seed, 0, 0).at(0).below(size_max)).unwrap();
            std::fs::write(write_ahead_of(&torn), &bytes[..size]).unwrap();
            let mut intake = open(&torn);
            // Nothing is torn where a group ends.
            torn_count += usize::from(intake.torn_size() > 0);
            let report = import(&mut intake, &path, profile, NEVER);
            assert_eq!(report.end, ImportEnd::Finished, "seed {seed}");
            check_same(&report, &want, &format!("case {case}, {size} of {size_max} bytes"));
            drop(intake);
            let mut intake = open(&torn);
            assert_eq!((intake.torn_size(), period_root(&intake)), (0, root), "seed {seed}");
            // What is remembered is the same after another opening, and after the sealed days are let go.
            for _ in 0..2 {
                let repeated = import(&mut intake, &path, profile, NEVER);
                assert_eq!(repeated.end, ImportEnd::Repeated);
                check_same(&repeated, &want, &format!("case {case}, {size} of {size_max} bytes, again"));
                intake.rotate().unwrap();
                drop(intake);
                intake = open(&torn);
            }
        }
        assert!(torn_count > 8, "case {case}: {torn_count} of 16 torn");
    }
}

fn check_same(report: &ImportReport, want: &ImportReport, case: &str) {
    assert_eq!((report.counts, &report.rejected), (want.counts, &want.rejected), "{case}");
}

#[test]
fn rot_in_the_middle_is_refused_with_its_place_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = town_file(ReadingFormat::DayCsv, folder.path());
    import(&mut open(&data), &path, &town_profile("tallywatt", Region::Yekaterinburg), NEVER);
    let whole = write_ahead_bytes(&data);
    for at in [100, whole.len() / 3, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(write_ahead_of(&data), &bytes).unwrap();
        let Err(error) = Intake::open(&data, &books()) else { panic!("rot at {at} was taken") };
        let text = error.to_string();
        let IntakeError::WriteAhead(WriteAheadError::Rot { rot, .. }) = error else { panic!("{text}") };
        let Proof::LaterGroup { offset } = rot.proof else { panic!("{text}") };
        let at = u64::try_from(at).unwrap();
        assert!(rot.offset <= at && at < offset, "{text}");
        assert!(text.contains(&format!(" at {} is damaged", rot.offset)), "{text}");
        assert_eq!(std::fs::read(write_ahead_of(&data)).unwrap(), bytes, "a refused file stays as it is");
    }
    std::fs::write(write_ahead_of(&data), whole).unwrap();
    assert_eq!(unsealed(&open(&data)).len(), 846);
}
