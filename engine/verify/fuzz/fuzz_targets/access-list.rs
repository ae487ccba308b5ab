//! Any bytes read as `access-list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_verify_fuzz::check("access-list", bytes));
