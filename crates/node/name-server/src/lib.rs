//! The name server of a host's tasks: a process of its own, so that names are found while the server is killed or upgraded.
//!
//! [`start`] is for who tells it what to answer, [`run`] is the process: one thread, which answers for the zones that it was told
//! and asks the host's resolvers for the rest. How it is found, started, told and replaced is in the crate `daemon`, what it is
//! told and what it answers from that in `dns-zones`; here are sockets, messages and limits.
//!
//! Promises: an answer is from one whole configuration, the last one, also after the process was killed; a process that hands over
//! gives its sockets to the next one and still answers what it has read; nobody but the machine and its tasks is answered; one
//! client cannot keep others from having queries passed on.

mod limits;
mod message;
mod process;
mod resolvers;
mod serve;
mod server;

pub use daemon::{ControlError, ProcessError};
pub use process::run;

use daemon::{Daemon, Home};
use dns_zones::{Configuration, Report};
use environment::Environment;
use std::path::{Path, PathBuf};

/// First argument of the program that [`start`] starts; `--dir` and the directory follow.
pub const COMMAND: &str = "name-server";

/// The process that serves names from a directory.
pub type NameServer = Daemon<Configuration, Report>;

/// Where the process of `directory` is found, and how it is started: `program` with [`COMMAND`].
pub fn home(directory: &Path, program: PathBuf, environment: &Environment) -> Home {
    Home {
        name: "name server",
        directory: directory.to_owned(),
        program,
        command: COMMAND,
        arguments: Vec::new(),
        environment: environment.clone(),
        started: None,
    }
}

/// Finds the process of `directory`, or starts it. One that was started from another file than `program` is now hands over to a
/// new one.
pub async fn start(
    directory: &Path,
    program: PathBuf,
    environment: &Environment,
) -> Result<NameServer, ControlError> {
    NameServer::start(home(directory, program, environment)).await
}
