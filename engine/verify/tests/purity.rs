//! The other crates that compute what is signed are as pure as the core, which tests itself the same way.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

#[path = "../../core/tests/scan/mod.rs"]
mod scan;

use std::path::Path;

/// Crate, fewest sources it has, and the sources that may do what a program does.
const PURE: &[(&str, usize, &[&str])] =
    &[("ledger", 16, &[]), ("consensus", 6, &[]), ("verify", 6, &["main.rs"])];

#[test]
fn what_is_signed_is_computed_purely() {
    for (name, count_min, left_out) in PURE {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        let (count, findings) = scan::folder(&source, left_out);
        assert!(count >= *count_min, "{count} sources of {name}");
        assert!(findings.is_empty(), "{name}: {findings:#?}");
        for file in *left_out {
            assert!(
                !scan::text(file, &std::fs::read_to_string(source.join(file)).unwrap()).is_empty(),
                "{file}"
            );
        }
    }
}
