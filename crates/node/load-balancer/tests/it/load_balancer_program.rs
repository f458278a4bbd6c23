//! The process as a program of its own, for tests and measurements: `load-balancer --dir DIRECTORY`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, flag, directory] = arguments.as_slice() else { return ExitCode::FAILURE };
    if command != load_balancer::COMMAND || flag != "--dir" {
        return ExitCode::FAILURE;
    }
    match load_balancer::run(&PathBuf::from(directory), None) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
