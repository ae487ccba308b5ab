//! Any bytes read as `add-checkpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tallywatt_verify_fuzz::check("add-checkpoint", bytes));
