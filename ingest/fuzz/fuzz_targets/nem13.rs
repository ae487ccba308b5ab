//! Any bytes against the ways to decode `nem13`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("nem13", bytes));
