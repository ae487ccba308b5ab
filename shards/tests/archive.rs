//! What a Parquet reader finds in the archive is what the leaves say.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::Field;
use parquet::schema::parser::parse_message_type;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::ContentHash;
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::{SealKind, partition_of};
use tallywatt_shards::archive::{ArchiveBatch, ArchiveError, read_totals, write_leaf_hashes, write_parquet};
use tallywatt_shards::sealing::leaves_of;
use tallywatt_shards::threads::Threads;
use town::{Random, town as blocks_of_town, without, zone};

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
    sealed(&blocks, |_| 2)
}

fn sealed(blocks: &[DayBlock], revision_of: impl Fn(&BlockKey) -> u8 + Sync) -> Vec<DayLeaf> {
    let secret = BlindingSecret::new([4; 32]);
    leaves_of(blocks, SealKind::Batch, &secret, revision_of, &Threads::new(2).unwrap())
}

/// Leaves of every kind: four lengths of interval, days of 23, 24 and 25 hours, many registers, and
/// qualities that change in runs, from whole days to single intervals.
fn mixed_leaves(seed: u64) -> Vec<DayLeaf> {
    let random = &mut Random(seed);
    let registers = [Register::IMPORT, Register::total(Flow::Export, 0), Register::total(Flow::Import, 12)];
    let mut blocks = Vec::new();
    for point in 0..1 + random.below(60) {
        for register in &registers[..1 + random.below(3)] {
            for date in ["2026-03-28", "2026-03-29", "2026-10-25"] {
                let minutes = [30, 30, 30, 5, 15, 60][random.below(6)];
                blocks.push(mixed_day(&format!("P-{}", point * 37), *register, date, minutes, random));
            }
        }
    }
    sealed(&blocks, |key| key.usage_point.as_str().len().try_into().unwrap())
}

fn mixed_day(name: &str, register: Register, date: &str, minutes: u8, random: &mut Random) -> DayBlock {
    let local = zone().local_day(date.parse().unwrap());
    let key = BlockKey { usage_point: name.parse().unwrap(), register, day: local.day };
    let count = usize::from(local.interval_count(minutes).unwrap());
    let (mut values, mut qualities) = (Vec::new(), Vec::new());
    let longest = [count, 20, 3][random.below(3)];
    let largest = [1, 300, 70_000, i32::MAX.try_into().unwrap()][random.below(4)];
    while values.len() < count {
        let quality = Quality::ALL[random.below(Quality::ALL.len())];
        for _ in 0..(1 + random.below(longest)).min(count - values.len()) {
            let wh = i32::try_from(random.below(largest)).unwrap();
            values.push(if quality == Quality::Missing { 0 } else { wh });
            qualities.push(quality);
        }
    }
    DayBlock::from_parts(key, local.start, minutes, Source::Automated, values, qualities).unwrap()
}

/// The reading table written through the Parquet library's own column writers, a value a row.
fn naive_file(path: &Path, leaves: &[&DayLeaf]) {
    let schema = "message reading {
        REQUIRED BYTE_ARRAY usage_point_id (STRING); REQUIRED BYTE_ARRAY obis (STRING);
        REQUIRED INT64 interval_start (TIMESTAMP(MICROS, true)); REQUIRED INT32 interval_seconds;
        OPTIONAL INT64 energy_wh; REQUIRED BYTE_ARRAY quality (STRING); REQUIRED INT32 revision; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let rows: Vec<(&DayLeaf, usize)> = leaves
        .iter()
        .flat_map(|leaf| (0..leaf.block().interval_count()).map(move |at| (*leaf, at)))
        .collect();
    let mut group = writer.next_row_group().unwrap();
    let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    let points = rows.iter().map(|(leaf, _)| text(leaf.block().key().usage_point.as_str())).collect();
    write::<ByteArrayType>(&mut group, points, None);
    let registers = rows.iter().map(|(leaf, _)| text(&leaf.block().key().register.to_string())).collect();
    write::<ByteArrayType>(&mut group, registers, None);
    let starts = rows.iter().map(|(leaf, at)| leaf.block().interval_start(*at).0 * 1_000_000).collect();
    write::<Int64Type>(&mut group, starts, None);
    let lengths = rows.iter().map(|(leaf, _)| i32::from(leaf.block().interval_minutes()) * 60).collect();
    write::<Int32Type>(&mut group, lengths, None);
    let quality = |&(leaf, at): &(&DayLeaf, usize)| leaf.block().qualities()[at];
    let present = |row: &&(&DayLeaf, usize)| quality(row) != Quality::Missing;
    let values = rows.iter().filter(present).map(|(leaf, at)| leaf.block().values_wh()[*at].into()).collect();
    let levels: Vec<i16> = rows.iter().map(|row| i16::from(present(&row))).collect();
    write::<Int64Type>(&mut group, values, Some(&levels));
    write::<ByteArrayType>(&mut group, rows.iter().map(|row| text(quality(row).name())).collect(), None);
    write::<Int32Type>(&mut group, rows.iter().map(|(leaf, _)| leaf.revision().into()).collect(), None);
    group.close().unwrap();
    writer.close().unwrap();
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: Vec<T::T>,
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(&values, levels, None).unwrap();
    column.close().unwrap();
}

#[test]
fn a_naive_writer_says_the_same() {
    for seed in 100..130 {
        println!("seed {seed}");
        let leaves = mixed_leaves(seed);
        let folder = tempfile::tempdir().unwrap();
        let files = write_parquet(folder.path(), &leaves, &batch(2), &Threads::new(2).unwrap()).unwrap();
        let mut row_count = 0;
        for file in &files {
            let mut of_file: Vec<&DayLeaf> = leaves
                .iter()
                .filter(|leaf| {
                    let key = leaf.block().key();
                    let shard = u16::from(partition_of(&key.usage_point)) * 2 / 256;
                    file.relative_path.contains(&format!("delivery_date={}/shard={shard}/", key.day))
                })
                .collect();
            of_file.sort_by_key(|leaf| {
                let key = leaf.block().key();
                (key.usage_point, key.register.to_string())
            });
            let naive = folder.path().join("naive.parquet");
            naive_file(&naive, &of_file);
            let path = folder.path().join(&file.relative_path);
            assert_eq!(rows_of_file(&path), rows_of_file(&naive), "{}", file.relative_path);
            assert_eq!(read_totals(&path).unwrap(), read_totals(&naive).unwrap(), "{}", file.relative_path);
            row_count += file.row_count;
        }
        let want: usize = leaves.iter().map(|leaf| leaf.block().interval_count()).sum();
        assert_eq!(row_count, u64::try_from(want).unwrap());
    }
}

#[test]
fn leaf_hashes_lie_beside() {
    let leaves = leaves(30, &["2026-03-28", "2026-03-29"]);
    let folder = tempfile::tempdir().unwrap();
    let threads = Threads::new(2).unwrap();
    let files = write_leaf_hashes(folder.path(), &leaves, &batch(2), &threads).unwrap();
    let mut got = Vec::new();
    for file in &files {
        assert!(file.relative_path.starts_with("leaf/delivery_date=2026-03-2"), "{}", file.relative_path);
        let reader = SerializedFileReader::new(File::open(folder.path().join(&file.relative_path)).unwrap());
        let of_file: Vec<String> = reader
            .unwrap()
            .get_row_iter(None)
            .unwrap()
            .map(|row| {
                let row = row.unwrap();
                row.get_column_iter().map(|(_, field)| text_of(field)).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(file.row_count, u64::try_from(of_file.len()).unwrap());
        assert!(of_file.is_sorted());
        got.extend(of_file);
    }
    let mut want: Vec<String> = leaves
        .iter()
        .map(|leaf| {
            let key = leaf.block().key();
            format!("{} {} {} {}", key.usage_point, key.register, leaf.revision(), leaf.hash())
        })
        .collect();
    got.sort();
    want.sort();
    assert_eq!(got, want);
}

/// Readers leave out a file or a row group by what it says of itself.
#[test]
fn bounds_are_said() {
    let leaves = leaves(30, &["2026-03-29"]);
    let folder = tempfile::tempdir().unwrap();
    let files = write_parquet(folder.path(), &leaves, &batch(1), &Threads::new(2).unwrap()).unwrap();
    let path = folder.path().join(&files[0].relative_path);
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    let bounds = |column: usize| {
        let statistics = group.column(column).statistics().unwrap();
        (statistics.min_bytes_opt().unwrap().to_vec(), statistics.max_bytes_opt().unwrap().to_vec())
    };
    assert_eq!(bounds(0), (b"NL-000000".to_vec(), b"NL-000029".to_vec()));
    let instants = leaves.iter().flat_map(|leaf| {
        (0..leaf.block().interval_count()).map(|at| leaf.block().interval_start(at).0 * 1_000_000)
    });
    let bytes = |instant: Option<i64>| instant.unwrap().to_le_bytes().to_vec();
    assert_eq!(bounds(2), (bytes(instants.clone().min()), bytes(instants.max())));
    let missing_count = read_totals(&folder.path().join(&files[0].relative_path)).unwrap().missing_count;
    assert_eq!(group.column(4).statistics().unwrap().null_count_opt(), Some(missing_count));
    assert_eq!(
        group.sorting_columns().unwrap().iter().map(|by| by.column_idx).collect::<Vec<_>>(),
        [0, 1, 2]
    );
}

/// A row as text, in the order of the columns.
type Row = [String; 7];

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
        ]
    };
    (0..block.interval_count()).map(row).collect()
}

fn text_of(field: &Field) -> String {
    match field {
        Field::Null => "null".to_owned(),
        Field::Str(text) => text.clone(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) | Field::TimestampMicros(value) => value.to_string(),
        Field::Bytes(bytes) => bytes.data().iter().map(|byte| format!("{byte:02x}")).collect(),
        other => panic!("no column is of {other:?}"),
    }
}

fn rows_of_file(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let mut rows = Vec::new();
    for row in reader.get_row_iter(None).unwrap() {
        let row = row.unwrap();
        let fields: Vec<String> = row.get_column_iter().map(|(_, field)| text_of(field)).collect();
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
    assert_eq!(pairs["tallywatt.schema_version"], "2");
    assert_eq!(pairs["tallywatt.batch_root"], "a5".repeat(32));
    assert_eq!(pairs["tallywatt.zone"], "Europe/Amsterdam");
    let names: Vec<&str> = metadata.schema_descr().columns().iter().map(|column| column.name()).collect();
    let want = "usage_point_id obis interval_start interval_seconds energy_wh quality revision";
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
    assert!(milli_bytes < 1_600, "{milli_bytes} thousandths of a byte a reading");
}
