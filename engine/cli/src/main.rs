//! Tallywatt.
fn main() {}
