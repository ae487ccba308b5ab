//! Any bytes read as `log-leaf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_verify_fuzz::check("log-leaf", bytes));
