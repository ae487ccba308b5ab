//! `instructions`: names the stages, and where each is counted; `instructions STAGE FOLDER`: runs one, for callgrind to
//! count, after `instructions --prepare STAGE FOLDER`.

use std::path::Path;
use std::process::ExitCode;

use tallywatt_benches::instructions::{STAGES, prepare, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_prepare = words.first().is_some_and(|word| word == "--prepare");
    match &words[usize::from(is_prepare)..] {
        [] if !is_prepare => {
            STAGES.iter().for_each(|stage| println!("{} {}", stage.name, stage.scope.name()))
        }
        [name, folder] => {
            let Some(stage) = STAGES.iter().find(|stage| stage.name == name) else {
                eprintln!("error: no stage is named {name}");
                return ExitCode::from(2);
            };
            if is_prepare {
                prepare(stage, Path::new(folder));
            } else {
                println!("{}", run(stage, Path::new(folder)));
            }
        }
        _ => {
            eprintln!("usage: instructions [[--prepare] STAGE FOLDER]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
