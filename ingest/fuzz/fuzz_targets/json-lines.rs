//! Any bytes against the ways to decode `json-lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("json-lines", bytes));
