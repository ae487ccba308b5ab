//! Reads Rust sources for what a pure crate must not use: by words, comments and texts left out.
//!
//! Words, not types: cheap, and enough to stop a slip. Whoever hides a clock behind a macro of another crate is
//! stopped by the table of dependencies instead.

use std::fs;
use std::path::Path;

/// Modules of `std` that reach out of the program, or start something in it.
const STD_MODULES: &[&str] = &["env", "fs", "net", "os", "process", "thread"];
/// Words that mean a clock, the terminal, chance, a float or unchecked memory wherever they stand.
const WORDS: &[&str] = &[
    "SystemTime",
    "Instant",
    "print",
    "println",
    "eprint",
    "eprintln",
    "dbg",
    "rand",
    "getrandom",
    "f32",
    "f64",
    "unsafe",
];

/// A word that must not be there.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// File below the scanned folder, with `/` between its parts.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// The word.
    pub word: String,
}

/// Scans every source below `folder` but those named, and says how many there were.
pub fn folder(folder: &Path, left_out: &[&str]) -> (usize, Vec<Finding>) {
    let (mut count, mut findings) = (0, Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let file = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
            if path.is_dir() {
                folders.push(path);
            } else if file.ends_with(".rs") && !left_out.contains(&file.as_str()) {
                count += 1;
                findings.extend(text(&file, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    (count, findings)
}

/// Scans one source.
pub fn text(file: &str, source: &str) -> Vec<Finding> {
    let tokens = tokens(&blanked(source));
    let word = |at: usize| tokens.get(at).map_or("", |token: &(usize, String)| token.1.as_str());
    let mut findings = Vec::new();
    let mut found = |at: usize| {
        let (line, word) = tokens[at].clone();
        findings.push(Finding { file: file.to_owned(), line, word });
    };
    for at in 0..tokens.len() {
        // A clock's present is asked of a type; `now` alone is an argument.
        let is_present = word(at) == "now" && at > 0 && word(at - 1) == ":" && word(at + 1) == "(";
        if WORDS.contains(&word(at)) || is_present {
            found(at);
        }
        if (word(at), word(at + 1), word(at + 2)) != ("std", ":", ":") {
            continue;
        }
        if STD_MODULES.contains(&word(at + 3)) {
            found(at + 3);
        } else if word(at + 3) == "{" {
            // `use std::{fs, io}`: the first words of each branch, one level deep.
            let mut depth = 1;
            for inner in at + 4..tokens.len() {
                depth += i32::from(word(inner) == "{") - i32::from(word(inner) == "}");
                let is_first = ["{", ","].contains(&word(inner - 1));
                if depth == 1 && is_first && STD_MODULES.contains(&word(inner)) {
                    found(inner);
                }
                if depth == 0 {
                    break;
                }
            }
        }
    }
    findings
}

/// Words and single characters, with their lines.
fn tokens(source: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    let mut line = 1;
    for character in source.chars() {
        let is_word = character.is_alphanumeric() || character == '_';
        match tokens.last_mut() {
            Some((_, word)) if is_word && is_open => word.push(character),
            _ if !character.is_whitespace() => tokens.push((line, character.to_string())),
            _ => {}
        }
        is_open = is_word;
        line += usize::from(character == '\n');
    }
    tokens
}

/// The source with comments, texts and characters blanked, its lines kept.
fn blanked(source: &str) -> String {
    let characters: Vec<char> = source.chars().collect();
    let mut out = String::with_capacity(source.len());
    let mut at = 0;
    while at < characters.len() {
        let size = match (characters[at], characters.get(at + 1).copied()) {
            ('/', Some('/')) => characters[at..].iter().take_while(|&&c| c != '\n').count(),
            ('/', Some('*')) => block_comment_size(&characters[at..]),
            ('"', _) => text_size(&characters[at..], is_raw(&characters[..at])),
            ('\'', Some('\\')) => 2 + text_size(&characters[at + 2..], None).min(12),
            ('\'', Some(_)) if characters.get(at + 2) == Some(&'\'') => 3,
            _ => 0,
        };
        let blank = |character: &char| if *character == '\n' { '\n' } else { ' ' };
        out.extend(characters[at..].iter().take(size).map(blank));
        if size == 0 {
            out.push(characters[at]);
        }
        at += size.max(1);
    }
    out
}

/// How many `#` a raw text must end with, if what stands before its quote opens one.
fn is_raw(before: &[char]) -> Option<usize> {
    let hashes = before.iter().rev().take_while(|&&c| c == '#').count();
    (before.iter().rev().nth(hashes) == Some(&'r')).then_some(hashes)
}

/// Size of a text from its first quote to past its last.
fn text_size(from: &[char], raw: Option<usize>) -> usize {
    let mut at = 1;
    while at < from.len() {
        match (from[at], raw) {
            ('\\', None) => at += 1,
            ('"', None) => return at + 1,
            ('\'', None) if from[0] != '"' => return at + 1,
            ('"', Some(hashes))
                if from[at + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes =>
            {
                return at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    from.len()
}

fn block_comment_size(from: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at + 1 < from.len() {
        match (from[at], from[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    from.len()
}
