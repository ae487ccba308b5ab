//! Any bytes against the ways to decode `meters`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("meters", bytes));
