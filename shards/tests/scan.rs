//! A foreign file is scanned as a row-by-row reader finds it, whatever its writer did.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod town;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::record::{Field, Row};
use parquet::schema::parser::parse_message_type;
use tallywatt_shards::scan::{BATCH_ROW_COUNT, ScanColumns, ScanError, ScanFile, ScanKey, ScanValues};
use tallywatt_shards::threads::Threads;
use town::Random;

const COLUMNS: ScanColumns<'static> = ScanColumns { usage_point: "point", start: "start", energy: "wh" };

/// Point, start in seconds, step in seconds, energies.
type Run = (String, i64, i64, Vec<i64>);

fn scanned(path: &Path, thread_count: usize) -> Result<Vec<Vec<Run>>, ScanError> {
    let file = ScanFile::open(path, COLUMNS)?;
    file.fold(&Threads::new(thread_count).unwrap(), Vec::new, |runs: &mut Vec<Run>, run| {
        let point = match run.usage_point {
            ScanKey::Number(number) => number.to_string(),
            ScanKey::Text(text) => text.to_owned(),
        };
        let values = match run.values_wh {
            ScanValues::Int32(values) => values.iter().copied().map(i64::from).collect(),
            ScanValues::Int64(values) => values.to_vec(),
        };
        assert_eq!(run.values_wh.count(), values.len());
        runs.push((point, run.first_start.0, run.step_seconds.into(), values));
    })
}

/// The same, a row at a time, through the library's row reader.
fn naive(path: &Path, units_per_second: i64) -> Vec<Vec<Run>> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let groups = (0..reader.num_row_groups()).map(|group| {
        let mut runs: Vec<Run> = Vec::new();
        for (at, row) in reader.get_row_group(group).unwrap().get_row_iter(None).unwrap().enumerate() {
            let (point, start, wh) = cells(&row.unwrap());
            let start = start / units_per_second;
            match runs.last_mut().filter(|last| last.0 == point && at % BATCH_ROW_COUNT != 0) {
                Some((_, first, step, values)) if values.len() == 1 && start > *first => {
                    *step = start - *first;
                    values.push(wh);
                }
                Some((_, first, step, values))
                    if *step > 0 && start == *first + *step * i64::try_from(values.len()).unwrap() =>
                {
                    values.push(wh);
                }
                _ => runs.push((point, start, 0, vec![wh])),
            }
        }
        runs
    });
    groups.collect()
}

fn cells(row: &Row) -> (String, i64, i64) {
    let fields: Vec<&Field> = row.get_column_iter().map(|(_, field)| field).collect();
    let number = |field: &Field| match field {
        Field::Int(number) => i64::from(*number),
        Field::Long(number) | Field::TimestampMillis(number) | Field::TimestampMicros(number) => *number,
        other => panic!("no column is of {other:?}"),
    };
    let point = match fields[1] {
        Field::Str(text) => text.clone(),
        other => number(other).to_string(),
    };
    (point, number(fields[0]), number(fields[2]))
}

/// What a writer may choose.
struct Choices {
    point: &'static str,
    start: (&'static str, i64),
    energy: &'static str,
    repetition: &'static str,
    properties: WriterProperties,
}

fn choices(random: &mut Random) -> Choices {
    let mut properties = WriterProperties::builder()
        .set_writer_version([WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0][random.below(2)])
        .set_data_page_row_count_limit([50, 1_000, 1 << 20][random.below(3)])
        .set_data_page_size_limit([100, 5_000, 1 << 20][random.below(3)])
        .set_dictionary_page_size_limit([40, 1 << 20][random.below(2)])
        .set_write_batch_size([7, 1_024][random.below(2)])
        .set_dictionary_enabled(random.below(3) > 0)
        .set_compression(
            [
                Compression::UNCOMPRESSED,
                Compression::SNAPPY,
                Compression::LZ4_RAW,
                Compression::ZSTD(ZstdLevel::try_new(1).unwrap()),
            ][random.below(4)],
        );
    for column in ["start", "wh"] {
        if random.below(3) == 0 {
            let encoding = [Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT, Encoding::PLAIN];
            properties = properties
                .set_column_dictionary_enabled(column.into(), false)
                .set_column_encoding(column.into(), encoding[random.below(3)]);
        }
    }
    Choices {
        point: ["INT32 point", "INT64 point", "BYTE_ARRAY point (STRING)"][random.below(3)],
        start: [
            ("INT64 start (TIMESTAMP(MILLIS, true))", 1_000),
            ("INT64 start (TIMESTAMP(MILLIS, false))", 1_000),
            ("INT64 start (TIMESTAMP(MICROS, true))", 1_000_000),
            ("INT64 start (TIMESTAMP(NANOS, true))", 1_000_000_000),
            ("INT64 start (TIMESTAMP_MICROS)", 1_000_000),
            ("INT64 start", 1),
        ][random.below(6)],
        energy: ["INT32 wh", "INT64 wh"][random.below(2)],
        repetition: ["REQUIRED", "OPTIONAL"][random.below(2)],
        properties: properties.build(),
    }
}

/// Point, start in seconds, energy: mostly in order, with gaps, repeats and rows that go back.
fn rows(count: usize, random: &mut Random) -> Vec<(i64, i64, i64)> {
    let mut rows = Vec::new();
    while rows.len() < count {
        let point = i64::try_from(random.below(6)).unwrap();
        let mut start = i64::try_from(random.below(200)).unwrap() * 900 - 90_000;
        let step = [1_800, 1_800, 900, 0, -1_800, 60][random.below(6)];
        let longest = [3, 60, 5_000][random.below(3)];
        for _ in 0..(1 + random.below(longest)).min(count - rows.len()) {
            rows.push((point, start, i64::try_from(random.below(1_000_000)).unwrap() - 1_000));
            start += if random.below(40) == 0 { 3_600 } else { step };
        }
    }
    rows
}

fn write(path: &Path, groups: &[Vec<(i64, i64, i64)>], choices: &Choices, null_at: Option<(usize, usize)>) {
    let Choices { point, start: (start, units), energy, repetition, properties } = choices;
    let schema = format!(
        "message m {{ {repetition} {start}; {repetition} {point}; {repetition} {energy}; REQUIRED INT32 other; }}"
    );
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(properties.clone());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let narrow = |number: i64| i32::try_from(number).unwrap();
    for (at, rows) in groups.iter().enumerate() {
        let mut group = writer.next_row_group().unwrap();
        let is_optional = *repetition == "OPTIONAL";
        let levels = |column: usize| {
            let null = null_at.filter(|null| null.1 == column && at + 1 == groups.len()).map(|null| null.0);
            let levels = (0..rows.len()).map(|row| i16::from(Some(row) != null)).collect::<Vec<_>>();
            is_optional.then_some(levels)
        };
        let starts = rows.iter().map(|row| row.1 * units).collect();
        put::<Int64Type>(&mut group, starts, levels(0));
        match *point {
            "INT32 point" => {
                put::<Int32Type>(&mut group, rows.iter().map(|row| narrow(row.0)).collect(), levels(1));
            }
            "INT64 point" => put::<Int64Type>(&mut group, rows.iter().map(|row| row.0).collect(), levels(1)),
            _ => {
                let text = |row: &(i64, i64, i64)| ByteArray::from(format!("NL-{}", row.0).into_bytes());
                put::<ByteArrayType>(&mut group, rows.iter().map(text).collect(), levels(1));
            }
        }
        match *energy {
            "INT32 wh" => {
                put::<Int32Type>(&mut group, rows.iter().map(|row| narrow(row.2)).collect(), levels(2));
            }
            _ => put::<Int64Type>(&mut group, rows.iter().map(|row| row.2).collect(), levels(2)),
        }
        put::<Int32Type>(&mut group, vec![0; rows.len()], None);
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: Vec<T::T>,
    levels: Option<Vec<i16>>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    let present = |at: &usize| levels.as_ref().is_none_or(|levels| levels[*at] == 1);
    let present: Vec<T::T> = (0..values.len()).filter(present).map(|at| values[at].clone()).collect();
    column.typed::<T>().write_batch(&present, levels.as_deref(), None).unwrap();
    column.close().unwrap();
}

#[test]
fn runs_are_what_a_row_reader_finds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    for seed in 0..150 {
        println!("seed {seed}");
        let random = &mut Random(seed);
        let choices = choices(random);
        let row_count = [1, 300, 5_000, 20_000][random.below(4)];
        let groups: Vec<_> = (0..random.below(4)).map(|_| rows(row_count, random)).collect();
        write(&path, &groups, &choices, None);
        let want = naive(&path, choices.start.1);
        assert_eq!(scanned(&path, 1).unwrap(), want);
        assert_eq!(scanned(&path, 3).unwrap(), want);
    }
}

/// Runs that are longer than a batch, and pages that end elsewhere.
#[test]
fn batches_end_where_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    let random = &mut Random(5);
    let mut choices = choices(random);
    choices.properties = WriterProperties::builder().set_data_page_row_count_limit(40_000).build();
    let rows = (0..200_000).map(|at| (at / 150_000, at % 150_000 * 60, at)).collect();
    write(&path, &[rows], &choices, None);
    let got = scanned(&path, 2).unwrap();
    assert_eq!(got, naive(&path, choices.start.1));
    let counts: Vec<usize> = got[0].iter().map(|run| run.3.len()).collect();
    assert_eq!(counts, [65_536, 65_536, 18_928, 46_608, 3_392]);
}

#[test]
fn a_row_without_a_value_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    for seed in 0..60 {
        println!("seed {seed}");
        let random = &mut Random(seed);
        let mut choices = choices(random);
        choices.repetition = "OPTIONAL";
        let groups = [rows(3_000, random), rows(3_000, random)];
        let (row, column) = (random.below(3_000), random.below(3));
        write(&path, &groups, &choices, Some((row, column)));
        let error = scanned(&path, 2).unwrap_err().to_string();
        let column = ["start", "point", "wh"][column];
        assert_eq!(error, format!("row group 1, column {column:?}: row {row} has no value"));
    }
}

#[test]
fn refusals() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    fs::write(&path, b"PAR1 not").unwrap();
    assert!(matches!(ScanFile::open(&path, COLUMNS), Err(ScanError::Footer { .. })));
    let mut chosen = choices(&mut Random(1));
    chosen.start = ("INT64 start (TIMESTAMP(MILLIS, true))", 1_000);
    chosen.properties = WriterProperties::default();
    write(&path, &[vec![(1, 0, 5)]], &chosen, None);
    let table = [("other", "start", "wh"), ("none", "start", "wh"), ("point", "other", "wh")];
    for (at, (usage_point, start, energy)) in table.into_iter().enumerate() {
        let got = ScanFile::open(&path, ScanColumns { usage_point, start, energy });
        assert_eq!(got.is_err(), at > 0, "{usage_point} {start} {energy}");
    }
    // Half a second.
    chosen.start.1 = 500;
    write(&path, &[vec![(1, 0, 5), (1, 1, 5)]], &chosen, None);
    let error = scanned(&path, 1).unwrap_err().to_string();
    assert_eq!(error, "row group 0, column \"start\": row 1 does not start at a whole second");
}

/// A bit of a small file turned, and the file cut: an error or some runs, never a panic.
#[test]
fn damage_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.parquet");
    for seed in 0..12 {
        println!("seed {seed}");
        let random = &mut Random(seed);
        let choices = choices(random);
        write(&path, &[rows(40, random)], &choices, None);
        let bytes = fs::read(&path).unwrap();
        for _ in 0..300 {
            let at = random.below(bytes.len());
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << random.below(8);
            fs::write(&path, &damaged).unwrap();
            drop(scanned(&path, 1));
            fs::write(&path, &bytes[..at]).unwrap();
            assert!(scanned(&path, 1).is_err());
        }
    }
}
