//! Parquet of others: read through a helper process, which may die of a file but takes nobody with it.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{BINARY, Place};
use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tallywatt_node::intake::{HELPER_COMMAND, HELPER_ENVIRONMENT};
use tallywatt_shards::foreign::{END_MARK_SIZE, rows_of_end_mark};

/// What one column holds; `None` where a row has nothing.
enum Cells {
    Text(Vec<Option<&'static str>>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    /// As many bytes as its type says.
    Fixed(Vec<Vec<u8>>),
}

/// Writes a file of one row group.
fn write(path: &Path, schema: &str, columns: &[Cells], properties: WriterProperties) {
    let schema = Arc::new(parse_message_type(&format!("message m {{ {schema} }}")).unwrap());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for cells in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let written = match (column.untyped(), cells) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Cells::Text(cells)) => {
                let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
                let texts: Vec<ByteArray> = cells.iter().flatten().map(|&text| text.into()).collect();
                writer.write_batch(&texts, Some(&levels), None)
            }
            (ColumnWriter::Int32ColumnWriter(writer), Cells::Int32(cells)) => {
                writer.write_batch(cells, None, None)
            }
            (ColumnWriter::Int64ColumnWriter(writer), Cells::Int64(cells)) => {
                writer.write_batch(cells, None, None)
            }
            (ColumnWriter::DoubleColumnWriter(writer), Cells::Double(cells)) => {
                writer.write_batch(cells, None, None)
            }
            (ColumnWriter::FixedLenByteArrayColumnWriter(writer), Cells::Fixed(cells)) => {
                let cells: Vec<_> = cells.iter().map(|cell| ByteArray::from(cell.clone()).into()).collect();
                writer.write_batch(&cells, None, None)
            }
            _ => panic!("cells of another type"),
        };
        written.unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

fn packed() -> WriterProperties {
    WriterProperties::builder().set_compression(Compression::SNAPPY).build()
}

/// Half-hours of 2026-03-01 in UTC, as seconds.
const FIRST: i64 = 1_772_323_200;

const SCHEMA: &str = "required binary meter (STRING); required int64 at (TIMESTAMP(MILLIS,true)); \
    required int32 kwh (DECIMAL(9,3)); optional binary flag (STRING); required int32 batch;";
const PROFILE: &str = "format='parquet'\nunit='kWh'\nzone='UTC'\ninterval_minutes=30\n\
    [columns]\nusage_point='meter'\nstart='at'\nvalue='kwh'\nquality='flag'\nignore=['batch']\n";

/// A stranger's file of `count` rows in two meters.
fn strangers(path: &Path, count: i64) {
    let half = count / 2;
    let meter = |at: i64| Some(if at < half { "M,1" } else { "M-2" });
    let columns = [
        Cells::Text((0..count).map(meter).collect()),
        Cells::Int64((0..count).map(|at| (FIRST + at % half * 1_800) * 1_000).collect()),
        Cells::Int32((0..i32::try_from(count).unwrap()).map(|at| 500 + at).collect()),
        Cells::Text((0..count).map(|at| (at % 5 == 0).then_some("raw")).collect()),
        Cells::Int32(vec![7; usize::try_from(count).unwrap()]),
    ];
    write(path, SCHEMA, &columns, packed());
}

const COLUMNS: [&str; 5] =
    ["--usage-point=meter", "--start=at", "--value=kwh", "--quality=flag", "--ignore=batch"];

/// What a helper made of a file: its rows, or why there are none.
fn helped(file: &Path, options: &[&str], memory_mib: u64) -> Result<String, String> {
    let rows = file.with_extension("rows");
    let mut command = Command::new(BINARY);
    command.arg(HELPER_COMMAND).args(options).env_clear().env(HELPER_ENVIRONMENT.0, HELPER_ENVIRONMENT.1);
    command
        .arg(format!("--memory-size={}", memory_mib << 20))
        .args(["--cpu-seconds=20", "--rows-size=100000000"]);
    command.stdin(File::open(file).unwrap()).stdout(File::create(&rows).unwrap()).stderr(Stdio::piped());
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        assert!(output.status.code() != Some(101), "it panicked: {said}");
        return Err(format!("{said} signal {:?}", output.status.signal()));
    }
    let text = fs::read(&rows).unwrap();
    let (rows, mark) = text.split_at(text.len() - END_MARK_SIZE);
    let row_count = rows_of_end_mark(mark).unwrap();
    assert_eq!(rows.iter().filter(|&&byte| byte == b'\n').count() as u64, row_count + 1);
    Ok(String::from_utf8(rows.to_vec()).unwrap())
}

#[test]
fn every_kind_of_column() {
    let place = Place::new();
    let path = place.path().join("a.parquet");
    let check = |schema: &str, columns: &[Cells], options: &[&str], want: &str| {
        write(&path, schema, columns, packed());
        match helped(&path, options, 512) {
            Ok(rows) => assert_eq!(rows, want, "{schema}"),
            Err(said) => assert!(said.contains(want), "{schema}: {said}, want {want}"),
        }
    };
    let at = || Cells::Int64(vec![FIRST, FIRST + 1_800]);
    let stamps = |unit: i64| Cells::Int64(vec![FIRST * unit, (FIRST + 1_800) * unit]);
    let two = ["--start=at", "--value=v"];
    check(
        "required int64 at (TIMESTAMP(MICROS,true)); required int64 v;",
        &[stamps(1_000_000), Cells::Int64(vec![-5, i64::MAX])],
        &two,
        "start,value\n2026-03-01T00:00:00Z,-5\n2026-03-01T00:30:00Z,9223372036854775807\n",
    );
    check(
        "required int64 at (TIMESTAMP(NANOS,false)); required int32 v (INTEGER(32,false));",
        &[stamps(1_000_000_000), Cells::Int32(vec![1, -1])],
        &["--start=at", "--value=v", "--local"],
        "start,value\n2026-03-01T00:00:00,1\n2026-03-01T00:30:00,4294967295\n",
    );
    check(
        "required int64 at (TIMESTAMP(MILLIS,false)); required fixed_len_byte_array(9) v (DECIMAL(20,4));",
        &[stamps(1_000), Cells::Fixed(vec![vec![0xff; 9], [vec![0; 7], vec![1, 0]].concat()])],
        &two,
        "start,value\n2026-03-01T00:00:00Z,-0.0001\n2026-03-01T00:30:00Z,0.0256\n",
    );
    let doubles = || Cells::Double(vec![1.093_000_1, 1e-7]);
    check(
        "required int64 at (TIMESTAMP(MILLIS,true)); required double v;",
        &[stamps(1_000), doubles()],
        &["--start=at", "--value=v", "--floats"],
        "start,value\n2026-03-01T00:00:00Z,1.0930001\n2026-03-01T00:30:00Z,0.0000001\n",
    );
    check(
        "required int64 at (TIMESTAMP(MILLIS,true)); required double v;",
        &[stamps(1_000), doubles()],
        &two,
        "column \"v\": binary floats",
    );
    check("required int64 at; required int64 v;", &[at(), at()], &two, "column \"at\": no timestamps");
    check(
        "required int64 at (TIMESTAMP(MILLIS,true)); required int64 v (TIMESTAMP(MILLIS,true));",
        &[stamps(1_000), at()],
        &two,
        "column \"v\": no numbers",
    );
    check(
        "required int64 at (TIMESTAMP(MILLIS,true)); required int64 v;",
        &[stamps(1_000), at()],
        &["--start=at", "--value=v", "--local"],
        "column \"at\": instants",
    );
    check(
        "required int64 at (TIMESTAMP(MILLIS,true)); required int64 v; required int64 w;",
        &[stamps(1_000), at(), at()],
        &two,
        "column \"w\": neither named nor ignored",
    );
    check("required int64 at (TIMESTAMP(MILLIS,true));", &[stamps(1_000)], &two, "column \"v\": not there");
}

/// What our own archive holds comes back as it was sealed.
#[test]
fn our_own_archive() {
    let place = Place::new();
    place.expect(0, "tallywatt synth --output town --meters 30 --days 2");
    place.expect(0, "tallywatt -C one init --demonstration-keys 7");
    let zone = "--zone Asia/Yekaterinburg";
    let first = place.json(&format!("tallywatt -C one ingest town/readings/yekaterinburg* {zone}"));
    place.expect(0, "tallywatt -C one export archive");
    place.expect(0, "tallywatt -C two init --demonstration-keys 7");
    let second = place.json(&format!("tallywatt -C two ingest archive/reading --profile parquet {zone}"));
    for fact in ["sealed_days", "sealed_readings", "sealed_import_kwh"] {
        assert!(!first[fact].is_null() && first[fact] == second[fact], "{fact}: {first}\n{second}");
    }
}

#[test]
fn a_strangers_file_by_its_profile() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.write("p.toml", PROFILE);
    strangers(&place.path().join("s.parquet"), 96);
    let ran = place.json("tallywatt ingest s.parquet --profile p.toml");
    assert_eq!((&ran["readings_offered"], &ran["accepted"]), (&96.into(), &96.into()), "{ran}");
    // 0.500 to 0.595 kWh.
    assert_eq!(ran["sealed_import_kwh"], "52.560", "{ran}");
    let again = place.json("tallywatt ingest s.parquet --profile p.toml");
    assert_eq!(again["batch"], "nothing new to seal", "{again}");
    // Packed, it is the same file inside.
    place.expect(0, "gzip -k s.parquet");
    let packed = place.json("tallywatt ingest s.parquet.gz --profile p.toml");
    assert_eq!(packed["duplicate"], 96, "{packed}");
}

#[test]
fn a_file_that_is_not_whole_is_refused_and_nothing_of_it_used() {
    let place = Place::new();
    place.expect(0, "tallywatt init --demonstration-keys 7");
    place.write("p.toml", PROFILE);
    let path = place.path().join("s.parquet");
    strangers(&path, 20_000);
    let whole = fs::read(&path).unwrap();
    let mut huge = whole.clone();
    let footer_size_at = whole.len() - 8;
    huge[footer_size_at..footer_size_at + 4].copy_from_slice(&0x7fff_ff00_u32.to_le_bytes());
    let mut no_page = whole.clone();
    no_page[4..200].fill(0xff);
    place.write("cut.parquet", &whole[..whole.len() - 100]);
    place.write("half.parquet", &whole[..whole.len() / 2]);
    place.write("four.parquet", b"PAR1");
    place.write("huge.parquet", &huge);
    place.write("no_page.parquet", &no_page);
    place.write("text.parquet", "meter,at,kwh\n");
    place.write("empty.parquet", "");
    let before = place.status();
    for name in ["cut", "half", "four", "huge", "no_page", "text", "empty"] {
        let ran = place.expect(2, &format!("tallywatt ingest {name}.parquet --profile p.toml"));
        assert!(ran.err.contains("refused") && ran.err.contains("next: "), "{name}: {}", ran.err);
        assert_eq!(place.status(), before, "{name}");
    }
}

/// A page of a few kilobytes that unpacks to more than the helper may have.
#[test]
fn a_file_past_the_memory_of_its_helper() {
    let place = Place::new();
    let path = place.path().join("bomb.parquet");
    let count = 16 << 20;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(Default::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_data_page_size_limit(usize::MAX)
        .set_data_page_row_count_limit(usize::MAX)
        .set_write_batch_size(count)
        .build();
    let cells = || Cells::Int64(vec![0; count]);
    let schema = "required int64 at (TIMESTAMP(MILLIS,true)); required int64 v;";
    write(&path, schema, &[cells(), cells()], properties);
    assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
    let said = helped(&path, &["--start=at", "--value=v"], 64).unwrap_err();
    assert!(said.contains("memory allocation") || said.contains("signal Some(6)"), "{said}");
}

/// Whatever byte is flipped, the helper ends: with all rows, or with a reason.
#[test]
fn a_thousand_flips() {
    const SEED: u64 = 20_261_123;
    const FLIP_COUNT: u64 = 1_000;
    const THREAD_COUNT: u64 = 4;
    let place = Place::new();
    let path = place.path().join("s.parquet");
    strangers(&path, 400);
    let whole = fs::read(&path).unwrap();
    let want = helped(&path, &COLUMNS, 256).unwrap();
    let flip = |number: u64| {
        let draw = (SEED + number).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
        let at = usize::try_from(draw % whole.len() as u64).unwrap();
        let mut bent = whole.clone();
        bent[at] ^= 1 << (number % 8);
        let path = path.with_extension(format!("{}.parquet", number % THREAD_COUNT));
        fs::write(&path, &bent).unwrap();
        let began = Instant::now();
        let result = helped(&path, &COLUMNS, 256);
        assert!(began.elapsed() < Duration::from_secs(10), "bit {} of byte {at}", number % 8);
        match result {
            Err(said) => {
                assert!(said.len() > " signal None".len(), "bit {} of byte {at}: no reason", number % 8);
                (1, 0)
            }
            Ok(rows) => (0, u32::from(rows != want)),
        }
    };
    let flips_of = |thread: u64| {
        let numbers = (0..FLIP_COUNT).filter(|number| number % THREAD_COUNT == thread);
        numbers.map(flip).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    let (refused, other) = std::thread::scope(|scope| {
        let flips_of = &flips_of;
        let threads: Vec<_> = (0..THREAD_COUNT).map(|thread| scope.spawn(move || flips_of(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    println!("seed {SEED}: {refused} refused, {other} with other rows");
    assert!(refused > 100, "{refused} refused");
}
