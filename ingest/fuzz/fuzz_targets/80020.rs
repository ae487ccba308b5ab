//! Any bytes against the ways to decode `80020`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("80020", bytes));
