//! The process of a host's load balancers, for who configures it.

use crate::COMMAND;
use daemon::{ControlError, Daemon, Home};
use environment::Environment;
use load_balancing::{Configuration, Report};
use std::path::Path;

/// The process that serves the load balancers of a directory.
pub type LoadBalancers = Daemon<Configuration, Report>;

/// Finds the process of `directory`, or starts `program` with [`COMMAND`], `--dir` and the directory. One that was started from
/// another file than `program` is now hands over to a new one.
pub async fn start(
    directory: &Path,
    program: &Path,
    environment: &Environment,
) -> Result<LoadBalancers, ControlError> {
    LoadBalancers::start(Home {
        name: "load balancers",
        directory: directory.to_owned(),
        program: program.to_owned(),
        command: COMMAND,
        arguments: Vec::new(),
        environment: environment.clone(),
        started: None,
    })
    .await
}
