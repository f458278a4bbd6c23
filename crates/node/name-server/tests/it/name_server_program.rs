//! The process as a program of its own, for tests: `name-server --dir DIRECTORY`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, flag, directory] = arguments.as_slice() else { return ExitCode::FAILURE };
    if command != name_server::COMMAND || flag != "--dir" {
        return ExitCode::FAILURE;
    }
    match name_server::run(&PathBuf::from(directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
