//! Any bytes against the ways to decode `parquet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("parquet", bytes));
