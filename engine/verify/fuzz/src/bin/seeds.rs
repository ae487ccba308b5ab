//! Writes the sound files of every target into a corpus folder: `seeds FOLDER`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: seeds FOLDER");
        return ExitCode::from(2);
    };
    for (target, name, bytes) in tallywatt_verify_fuzz::seeds() {
        let folder = Path::new(&folder).join(target);
        if let Err(error) =
            fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(format!("sound-{name}")), bytes))
        {
            eprintln!("cannot write into {}: {error}", folder.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
