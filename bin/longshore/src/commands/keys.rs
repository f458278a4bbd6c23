//! `longshore keys`: the keys under which a region seals secrets.

use crate::data_dir::DataDir;
use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use environment::Environment;
use std::path::PathBuf;

/// Show or rotate the keys that secrets are sealed with.
///
/// Keep a copy of the file region.keys of the data directory somewhere safe: without it nobody can read the secrets.
#[derive(Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Subcommand)]
enum KeysCommand {
    /// List the ids of the keys and when they were made, newest last
    List(DirectoryArgs),
    /// Add a key that seals from now on
    ///
    /// A running region takes it up within seconds and seals all stored values anew; one that does not run does so at
    /// its next start. Older keys are dropped two days later.
    Rotate(DirectoryArgs),
}

#[derive(Args)]
struct DirectoryArgs {
    /// Data directory of the region [default: as `longshore up`]
    #[arg(long, env = "LONGSHORE_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Prints ids and dates; keys themselves are shown to nobody.
pub(crate) fn run(arguments: KeysArgs) -> Result<()> {
    let (directory, rotate) = match arguments.command {
        KeysCommand::List(directory) => (directory, false),
        KeysCommand::Rotate(directory) => (directory, true),
    };
    let dir = DataDir::new(directory.data_dir.unwrap_or_else(crate::settings::default_data_dir));
    ensure!(
        dir.has_key_ring(),
        "there is no region in {}; start one with `longshore up`, or name its directory with --data-dir",
        dir.path().display()
    );
    let ring = dir.key_ring(Environment::real())?;
    if rotate {
        ring.rotate()?;
    }
    for key in ring.list() {
        println!("{}  {}", key.id, key.created_at.to_rfc3339_seconds());
    }
    Ok(())
}
