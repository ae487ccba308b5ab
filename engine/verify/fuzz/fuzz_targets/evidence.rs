//! Any bytes read as `evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_verify_fuzz::check("evidence", bytes));
