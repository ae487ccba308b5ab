//! The core is pure: no clock, file, socket, environment, process, thread, terminal, chance, float or unchecked memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

mod scan;

use std::path::Path;

#[test]
fn the_core_is_pure() {
    let (count, findings) = scan::folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[]);
    assert!(count >= 20, "{count} sources found");
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn every_slip_is_found() {
    // A source, and the words found in it with their lines.
    let table: &[(&str, &[(usize, &str)])] = &[
        ("use std::fs;", &[(1, "fs")]),
        ("fn f() {\n    let _ = std::fs::read(\"x\");\n}", &[(2, "fs")]),
        ("use std::{collections::BTreeMap,\n    net::TcpStream, thread};", &[(2, "net"), (2, "thread")]),
        ("use std::{io::{self, Read}, env};", &[(1, "env")]),
        ("use core::time; let t = std::time::SystemTime::now();", &[(1, "SystemTime"), (1, "now")]),
        ("use std::time::Instant;", &[(1, "Instant")]),
        ("let today = Zoned::now();", &[(1, "now")]),
        ("fn f() { std :: process :: exit(1) }", &[(1, "process")]),
        ("println!(\"{x}\"); eprintln!(); dbg!(x);", &[(1, "println"), (1, "eprintln"), (1, "dbg")]),
        ("fn share(x: f64) -> f32 { x as f32 }", &[(1, "f64"), (1, "f32"), (1, "f32")]),
        ("use rand::Rng;", &[(1, "rand")]),
        ("unsafe { *pointer }", &[(1, "unsafe")]),
        // After what is left out, the rest is still read, and on its line.
        ("let a = '\"'; unsafe {} // \"", &[(1, "unsafe")]),
        ("let a = \"\\\"\"; unsafe {}", &[(1, "unsafe")]),
        ("let a = r#\"a \" b\n\"#; unsafe {}", &[(2, "unsafe")]),
        ("let a = '\\''; unsafe {}", &[(1, "unsafe")]),
        ("let a = '\\u{2014}'; unsafe {}", &[(1, "unsafe")]),
        ("/* a /* b */ c */ unsafe {}", &[(1, "unsafe")]),
        ("fn f<'a>(x: &'a str) { unsafe {} }", &[(1, "unsafe")]),
        // None of these is a slip.
        ("fn judge(now: UtcSeconds) -> bool { start > now }", &[]),
        ("// std::fs, f64 and unsafe\n/* println!() */", &[]),
        ("let text = \"std::fs f64 unsafe\";", &[]),
        ("let text = r#\"unsafe \"f64\" \"#;", &[]),
        ("use std::{fmt, io::env_like};", &[]),
        ("let environment = known::fs; let process = operand_f64;", &[]),
    ];
    for (source, want) in table {
        let found = scan::text("a.rs", source);
        let got: Vec<(usize, &str)> =
            found.iter().map(|finding| (finding.line, finding.word.as_str())).collect();
        assert_eq!(got, *want, "{source}");
        assert!(found.iter().all(|finding| finding.file == "a.rs"));
    }
}
