//! Any bytes read as `tlog-proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_verify_fuzz::check("tlog-proof", bytes));
