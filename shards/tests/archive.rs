//! What a Parquet reader finds in the archive is what the leaves say.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use tallywatt_core::day_block::DayBlock;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::quality::Quality;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::{SealKind, partition_of};
use tallywatt_shards::archive::{ArchiveBatch, ArchiveError, read_totals, write_parquet};
use tallywatt_shards::sealing::leaves_of;
use tallywatt_shards::threads::Threads;
use town::{Random, town as blocks_of_town, without};

fn batch(shard_count: u16) -> ArchiveBatch {
    let zone_name = "Europe/Amsterdam".to_owned();
    ArchiveBatch { sequence: 17, root: ContentHash([0xa5; 32]), zone_name, shard_count }
}

fn leaves(point_count: usize, dates: &[&str]) -> Vec<DayLeaf> {
    let mut blocks = blocks_of_town(point_count, dates, &mut Random(21));
    for (at, block) in blocks.iter_mut().enumerate() {
        if at % 5 == 0 {
            *block = without(block, |interval| interval % 7 == 3);
        }
    }
    let secret = BlindingSecret::new([4; 32]);
    leaves_of(&blocks, SealKind::Batch, &secret, |_| 2, &Threads::new(2).unwrap())
}

/// A row as text, in the order of the columns.
type Row = [String; 8];

fn rows_of_leaf(leaf: &DayLeaf) -> Vec<Row> {
    let block = leaf.block();
    let row = |at: usize| {
        let quality = block.qualities()[at];
        let wh =
            if quality == Quality::Missing { "null".to_owned() } else { block.values_wh()[at].to_string() };
        [
            block.key().usage_point.to_string(),
            block.key().register.to_string(),
            (block.interval_start(at).0 * 1_000_000).to_string(),
            (i32::from(block.interval_minutes()) * 60).to_string(),
            wh,
            quality.name().to_owned(),
            leaf.revision().to_string(),
            leaf.hash().to_string(),
        ]
    };
    (0..block.interval_count()).map(row).collect()
}

fn rows_of_file(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let text = |field: &Field| match field {
        Field::Null => "null".to_owned(),
        Field::Str(text) => text.clone(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) | Field::TimestampMicros(value) => value.to_string(),
        Field::Bytes(bytes) => bytes.data().iter().map(|byte| format!("{byte:02x}")).collect(),
        other => panic!("no column is of {other:?}"),
    };
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let fields: Vec<String> = row.get_column_iter().map(|(_, field)| text(field)).collect();
        rows.push(fields.try_into().unwrap());
    }
    rows
}

#[test]
fn a_reader_finds_what_the_leaves_say() {
    let leaves = leaves(30, &["2026-03-28", "2026-03-29"]);
    for shard_count in [1, 3, 256] {
        let folder = tempfile::tempdir().unwrap();
        let files =
            write_parquet(folder.path(), &leaves, &batch(shard_count), &Threads::new(2).unwrap()).unwrap();
        let mut want: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for leaf in &leaves {
            let shard =
                u32::from(partition_of(&leaf.block().key().usage_point)) * u32::from(shard_count) / 256;
            let day = leaf.block().key().day;
            let path = format!("reading/delivery_date={day}/shard={shard}/part-17.parquet");
            want.entry(path).or_default().extend(rows_of_leaf(leaf));
        }
        assert_eq!(files.len(), want.len());
        for file in &files {
            let path = folder.path().join(&file.relative_path);
            let bytes = fs::read(&path).unwrap();
            assert_eq!(file.size, u64::try_from(bytes.len()).unwrap());
            assert_eq!(file.blake3, content_hash(&bytes));
            let rows = rows_of_file(&path);
            assert!(rows.is_sorted_by_key(|row| (&row[0], &row[1], &row[2])), "{}", file.relative_path);
            let mut want = want.remove(&file.relative_path).expect("each file is expected once");
            want.sort();
            assert_eq!(rows, want, "{}", file.relative_path);
            assert_eq!(file.row_count, u64::try_from(rows.len()).unwrap());
            let totals = read_totals(&path).unwrap();
            let values = want.iter().filter_map(|row| row[4].parse::<i64>().ok());
            assert_eq!((totals.row_count, totals.energy_wh), (file.row_count, values.clone().sum::<i64>()));
            assert_eq!(totals.row_count - totals.missing_count, u64::try_from(values.count()).unwrap());
        }
    }
}

#[test]
fn files_name_their_batch_and_do_not_depend_on_threads() {
    let leaves = leaves(20, &["2026-03-29"]);
    let written = |leaves: &[DayLeaf], thread_count| {
        let folder = tempfile::tempdir().unwrap();
        let threads = Threads::new(thread_count).unwrap();
        let files = write_parquet(folder.path(), leaves, &batch(4), &threads).unwrap();
        // Once more over what is there, as after a crash.
        assert_eq!(write_parquet(folder.path(), leaves, &batch(4), &threads).unwrap(), files);
        (folder, files)
    };
    let (folder, files) = written(&leaves, 1);
    let mut shuffled = leaves.clone();
    Random(1).shuffle(&mut shuffled);
    for count in [2, 3, 8] {
        assert_eq!(written(&shuffled, count).1, files, "{count} threads");
    }
    let path = folder.path().join(&files[0].relative_path);
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata();
    let pairs: BTreeMap<&str, &str> = metadata
        .key_value_metadata()
        .unwrap()
        .iter()
        .map(|pair| (pair.key.as_str(), pair.value.as_deref().unwrap()))
        .collect();
    assert_eq!(pairs["tallywatt.schema_version"], "1");
    assert_eq!(pairs["tallywatt.batch_root"], "a5".repeat(32));
    assert_eq!(pairs["tallywatt.zone"], "Europe/Amsterdam");
    let names: Vec<&str> = metadata.schema_descr().columns().iter().map(|column| column.name()).collect();
    let want = "usage_point_id obis interval_start interval_seconds energy_wh quality revision leaf_hash";
    assert_eq!(names.join(" "), want);
}

#[test]
fn refusals() {
    let folder = tempfile::tempdir().unwrap();
    let threads = Threads::new(1).unwrap();
    let leaves = leaves(2, &["2026-03-29"]);
    for shard_count in [0, 257] {
        let got = write_parquet(folder.path(), &leaves, &batch(shard_count), &threads);
        assert!(matches!(got, Err(ArchiveError::ShardCount(refused)) if refused == shard_count));
    }
    let doubled = [&leaves[..], &leaves[..1]].concat();
    let error = write_parquet(folder.path(), &doubled, &batch(1), &threads).unwrap_err();
    let key = leaves[0].block().key();
    assert_eq!(error.to_string(), format!("{} {} 2026-03-29 is there twice", key.usage_point, key.register));
    let path = folder.path().join("x.parquet");
    fs::write(&path, b"PAR1 not").unwrap();
    assert!(matches!(read_totals(&path), Err(ArchiveError::Parquet { .. })));
}

/// More than one row group, and no more bytes a reading than promised.
#[test]
fn bytes_a_reading() {
    let folder = tempfile::tempdir().unwrap();
    let blocks: Vec<DayBlock> = blocks_of_town(12_000, &["2026-03-02"], &mut Random(22));
    let threads = Threads::new(2).unwrap();
    let leaves = leaves_of(&blocks, SealKind::Batch, &BlindingSecret::new([4; 32]), |_| 0, &threads);
    let files = write_parquet(folder.path(), &leaves, &batch(1), &threads).unwrap();
    let totals = read_totals(&folder.path().join(&files[0].relative_path)).unwrap();
    assert_eq!(totals.energy_wh, blocks.iter().map(DayBlock::total_wh).sum::<i64>());
    assert_eq!(totals.row_count, 24_000 * 48);
    let milli_bytes = files[0].size * 1_000 / totals.row_count;
    println!("{milli_bytes} thousandths of a byte a reading");
    assert!(milli_bytes < 2_400, "{milli_bytes} thousandths of a byte a reading");
}
