//! `cargo xtask bench`: figures side by side with the peers, in one run.

use crate::tools;
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Builds the release program and runs `bench/bench.py`, which prints the figures.
pub(crate) fn run(root: &Path, which: &[String]) -> Result<()> {
    tools::require(tools::FOR_TESTS)?;
    tools::require(tools::FOR_BENCHMARKS)?;
    let python = tools::python(root)?;
    tools::run(tools::cargo().args(["build", "--release", "--package", "longshore"]).current_dir(root))?;
    tools::run(Command::new(python).arg("bench/bench.py").args(which).current_dir(root))
}
