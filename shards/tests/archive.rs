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
use tallywatt_core::quality::Quality;
use tallywatt_core::reading::Source;
use tallywatt_core::register::{Flow, Register};
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::seal::{SealKind, partition_of, seal_order};
use tallywatt_shards::archive::{ArchiveError, ArchiveLayout, Archived, read_totals, write_parquet};
use tallywatt_shards::batch_file::reader::BatchReader;
use tallywatt_shards::batch_file::{self, BatchFileError, HEADER_SIZE};
use tallywatt_shards::sealing::leaves_of;
use tallywatt_shards::threads::Threads;
use town::{Random, household_day, town as blocks_of_town, without, zone};

const ZONE_NAME: &str = "Europe/Amsterdam";

fn secret() -> BlindingSecret {
    BlindingSecret::new([4; 32])
}

/// The leaves as a batch file's bytes.
fn batch_of(leaves: &[DayLeaf]) -> Vec<u8> {
    let threads = Threads::new(2).unwrap();
    batch_file::encode(SealKind::Batch, 17, leaves, &secret(), &threads).unwrap().0
}

/// Archives a batch file, with the hashes of its leaves.
fn archive_bytes(
    folder: &Path,
    batch: &[u8],
    shard_count: u16,
    thread_count: usize,
) -> Result<Archived, ArchiveError> {
    let layout = ArchiveLayout { zone_name: ZONE_NAME.to_owned(), shard_count };
    let threads = Threads::new(thread_count).unwrap();
    write_parquet(folder, &BatchReader::of(batch).unwrap(), &layout, Some(&secret()), &threads)
}

fn archive(folder: &Path, leaves: &[DayLeaf], shard_count: u16) -> Archived {
    archive_bytes(folder, &batch_of(leaves), shard_count, 2).unwrap()
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
    leaves_of(blocks, SealKind::Batch, &secret(), revision_of, &Threads::new(2).unwrap())
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
        let written = archive(folder.path(), &leaves, 2);
        for thread_count in [1, 3, 8] {
            let other = tempfile::tempdir().unwrap();
            let got = archive_bytes(other.path(), &batch_of(&leaves), 2, thread_count).unwrap();
            assert_eq!(got, written, "{thread_count} threads");
        }
        let files = written.readings;
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
    let files = archive(folder.path(), &leaves, 2).leaves;
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
    let files = archive(folder.path(), &leaves, 1).readings;
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
        let files = archive(folder.path(), &leaves, shard_count).readings;
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
    let batch = batch_of(&leaves);
    let written = |thread_count| {
        let folder = tempfile::tempdir().unwrap();
        let files = archive_bytes(folder.path(), &batch, 4, thread_count).unwrap();
        // Once more over what is there, as after a crash.
        assert_eq!(archive_bytes(folder.path(), &batch, 4, thread_count).unwrap(), files);
        (folder, files)
    };
    let (folder, files) = written(1);
    for count in [2, 3, 8] {
        assert_eq!(written(count).1, files, "{count} threads");
    }
    // Without the secret and out of a file, on one of the threads: the same readings.
    let (alone, threads) = (tempfile::tempdir().unwrap(), Threads::new(1).unwrap());
    let (path, layout) =
        (alone.path().join("batch"), ArchiveLayout { zone_name: ZONE_NAME.to_owned(), shard_count: 4 });
    fs::write(&path, &batch).unwrap();
    let reader = BatchReader::open(&path).unwrap();
    let unproven =
        threads.pool().install(|| write_parquet(alone.path(), &reader, &layout, None, &threads)).unwrap();
    assert_eq!(unproven, Archived { leaves: Vec::new(), readings: files.readings.clone() });
    let files = files.readings;
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
    assert_eq!(pairs["tallywatt.batch_root"], reader_root(&batch));
    assert_eq!(pairs["tallywatt.zone"], "Europe/Amsterdam");
    let names: Vec<&str> = metadata.schema_descr().columns().iter().map(|column| column.name()).collect();
    let want = "usage_point_id obis interval_start interval_seconds energy_wh quality revision";
    assert_eq!(names.join(" "), want);
}

fn reader_root(batch: &[u8]) -> String {
    BatchReader::of(batch).unwrap().sealed().root.hash.to_string()
}

#[test]
fn refusals() {
    let folder = tempfile::tempdir().unwrap();
    let batch = batch_of(&leaves(2, &["2026-03-29"]));
    for shard_count in [0, 257] {
        let got = archive_bytes(folder.path(), &batch, shard_count, 1);
        assert!(matches!(got, Err(ArchiveError::ShardCount(refused)) if refused == shard_count));
    }
    let other = BlindingSecret::new([5; 32]);
    let (layout, threads) =
        (ArchiveLayout { zone_name: ZONE_NAME.to_owned(), shard_count: 1 }, Threads::new(1).unwrap());
    let reader = BatchReader::of(&batch).unwrap();
    let got = write_parquet(folder.path(), &reader, &layout, Some(&other), &threads);
    assert!(matches!(got, Err(ArchiveError::Batch(BatchFileError::Top { .. }))), "{got:?}");
    let path = folder.path().join("x.parquet");
    fs::write(&path, b"PAR1 not").unwrap();
    assert!(matches!(read_totals(&path), Err(ArchiveError::Parquet { .. })));
}

/// Packs are searched for in the index: one out of order must not be missed.
#[test]
fn an_index_out_of_order_is_refused() {
    let dates: Vec<String> = (1..=28).map(|day| format!("2026-02-{day:02}")).collect();
    let dates: Vec<&str> = dates
        .iter()
        .map(String::as_str)
        .chain(["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"])
        .collect();
    let block = |at: usize| {
        household_day(
            1,
            Register::total(Flow::Import, u8::try_from(at / 33).unwrap()),
            dates[at % 33],
            &mut Random(3),
        )
    };
    let blocks: Vec<DayBlock> = (0..99).map(block).collect();
    let mut batch = batch_of(&sealed(&blocks, |_| 0));
    let reader = BatchReader::of(&batch).unwrap();
    assert_eq!(reader.pack_count(), 2);
    let second = reader.entry(1).first;
    let at = (0..batch.len() - 48).rev().find(|&at| batch[at..at + 48] == second).unwrap();
    batch[at + 15] = b'A';
    let layout = ArchiveLayout { zone_name: ZONE_NAME.to_owned(), shard_count: 1 };
    let folder = tempfile::tempdir().unwrap();
    let threads = Threads::new(1).unwrap();
    for secret in [None, Some(&secret())] {
        let got = write_parquet(folder.path(), &BatchReader::of(&batch).unwrap(), &layout, secret, &threads);
        assert!(
            matches!(got, Err(ArchiveError::Batch(BatchFileError::Order { pack: 1, within: 0 }))),
            "{got:?}"
        );
    }
}

/// A flipped bit of any packed leaf is found before a file has its name.
#[test]
fn no_damage_is_archived() {
    let batch = batch_of(&leaves(3, &["2026-03-28", "2026-03-29"]));
    let reader = BatchReader::of(&batch).unwrap();
    let packs_size: usize =
        (0..reader.pack_count()).map(|pack| reader.pack_bytes(pack..pack + 1).unwrap().len()).sum();
    let folder = tempfile::tempdir().unwrap();
    for at in HEADER_SIZE..HEADER_SIZE + packs_size {
        let mut damaged = batch.clone();
        damaged[at] ^= 1 << (at % 8);
        let got = archive_bytes(folder.path(), &damaged, 1, 1);
        assert!(matches!(got, Err(ArchiveError::Batch(_))), "byte {at}: {got:?}");
    }
    let reading = folder.path().join("reading/delivery_date=2026-03-28/shard=0/part-17.parquet");
    assert!(!reading.exists());
}

/// More days than files are held open for.
#[test]
fn many_days_rest_between_row_groups() {
    let dates: Vec<String> =
        (1..=3).flat_map(|month| (1..=28).map(move |day| format!("2026-{month:02}-{day:02}"))).collect();
    let leaves = leaves(3, &dates.iter().map(String::as_str).collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    let written = archive(folder.path(), &leaves, 1);
    assert_eq!((written.readings.len(), written.leaves.len()), (84, 84));
    let totals =
        written.readings.iter().map(|file| read_totals(&folder.path().join(&file.relative_path)).unwrap());
    let energy: i64 = leaves.iter().map(|leaf| leaf.block().total_wh()).sum();
    assert_eq!(totals.map(|totals| totals.energy_wh).sum::<i64>(), energy);
}

/// Several stripes and row groups: every row once, in order, the same for any number of threads; and no more bytes a
/// reading than promised.
#[test]
fn a_large_batch_is_cut_by_itself_alone() {
    const POINT_COUNT: usize = 140_000;
    let mut blocks = blocks_of_town(500, &["2026-03-02"], &mut Random(22));
    blocks.truncate(1_000);
    let start = blocks.len();
    for point in 500..POINT_COUNT {
        let of = &blocks[point * 7 % start];
        let key = BlockKey { usage_point: format!("NL-{point:06}").parse().unwrap(), ..of.key() };
        let (values, qualities) = (of.values_wh().to_vec(), of.qualities().to_vec());
        blocks.push(DayBlock::from_parts(key, of.start(), 30, of.source(), values, qualities).unwrap());
    }
    let mut leaves = sealed(&blocks, |_| 0);
    leaves.sort_by_key(|leaf| seal_order(&leaf.block().key()));
    let batch = batch_of(&leaves);
    let mut first: Option<Archived> = None;
    for thread_count in [1, 2, 3, 8] {
        let folder = tempfile::tempdir().unwrap();
        let written = archive_bytes(folder.path(), &batch, 1, thread_count).unwrap();
        if let Some(first) = &first {
            assert_eq!(written, *first, "{thread_count} threads");
            continue;
        }
        let file = &written.readings[0];
        let path = folder.path().join(&file.relative_path);
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let rows: Vec<i64> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
        let tail = rows.iter().filter(|count| **count < (1 << 20) - 48).count();
        assert!(rows.len() > 6 && tail == 1, "a stripe's groups are full but for the last: {rows:?}");
        let bounds = |at: usize| {
            let statistics = reader.metadata().row_group(at).column(0).statistics().unwrap();
            (statistics.min_bytes_opt().unwrap().to_vec(), statistics.max_bytes_opt().unwrap().to_vec())
        };
        assert!((1..rows.len()).all(|at| bounds(at - 1).1 <= bounds(at).0), "sorted through the file");
        let totals = read_totals(&path).unwrap();
        assert_eq!(totals.energy_wh, blocks.iter().map(DayBlock::total_wh).sum::<i64>());
        assert_eq!(totals.row_count, u64::try_from(48 * blocks.len()).unwrap());
        let leaf_count: u64 = written.leaves.iter().map(|file| file.row_count).sum();
        assert_eq!(leaf_count, u64::try_from(blocks.len()).unwrap());
        first = Some(written);
    }
}

/// No more bytes a reading than promised.
#[test]
fn bytes_a_reading() {
    let folder = tempfile::tempdir().unwrap();
    let blocks: Vec<DayBlock> = blocks_of_town(12_000, &["2026-03-02"], &mut Random(22));
    let files = archive(folder.path(), &sealed(&blocks, |_| 0), 1).readings;
    let totals = read_totals(&folder.path().join(&files[0].relative_path)).unwrap();
    assert_eq!(totals.energy_wh, blocks.iter().map(DayBlock::total_wh).sum::<i64>());
    assert_eq!(totals.row_count, 24_000 * 48);
    let milli_bytes = files[0].size * 1_000 / totals.row_count;
    println!("{milli_bytes} thousandths of a byte a reading");
    assert!(milli_bytes < 1_600, "{milli_bytes} thousandths of a byte a reading");
}
