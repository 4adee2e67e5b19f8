//! Writes the CUDA texts into a folder, and prints their names and hashes: what `ptx/make` makes PTX of.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use widebragg_devices::ptx::sources;

fn main() -> ExitCode {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: texts FOLDER");
        return ExitCode::from(2);
    };
    for source in sources() {
        let path = folder.join(&source.name).with_extension("cu");
        if let Err(error) = fs::write(&path, &source.text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{} {}", source.name, source.hash);
    }
    ExitCode::SUCCESS
}
