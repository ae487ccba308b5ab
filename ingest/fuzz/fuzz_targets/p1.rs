//! Any bytes against the ways to decode `p1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_ingest_fuzz::check("p1", bytes));
