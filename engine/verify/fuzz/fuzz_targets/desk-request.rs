//! Any bytes read as `desk-request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_verify_fuzz::check("desk-request", bytes));
