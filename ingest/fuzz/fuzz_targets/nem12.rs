//! Any bytes against the ways to decode `nem12`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("nem12", bytes));
