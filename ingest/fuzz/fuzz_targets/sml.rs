//! Any bytes against the ways to decode `sml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("sml", bytes));
