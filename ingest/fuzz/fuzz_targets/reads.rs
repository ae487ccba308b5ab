//! Any bytes against the ways to decode `reads`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("reads", bytes));
