//! `instructions`: names the stages; `instructions STAGE FOLDER`: runs one, for callgrind to count.

use std::path::Path;
use std::process::ExitCode;

use tallywatt_benches::instructions::{STAGES, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [] => STAGES.iter().for_each(|stage| println!("{}", stage.name)),
        [name, folder] => {
            let Some(stage) = STAGES.iter().find(|stage| stage.name == name) else {
                eprintln!("error: no stage is named {name}");
                return ExitCode::from(2);
            };
            println!("{}", run(stage, Path::new(folder)));
        }
        _ => {
            eprintln!("usage: instructions [STAGE FOLDER]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
