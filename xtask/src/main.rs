//! Developer commands: `cargo xtask COMMAND`.

mod agent_shapes;
mod shapes;

use anyhow::Result;
use clap::Parser;
use std::path::{Path, PathBuf};

/// Developer commands of the Longshore repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Command {
    /// Generate the API shapes from the published models.
    Shapes {
        /// Fail when a generated file differs, and write nothing.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Shapes { check } => shapes::run(&root(), check),
    }
}

/// The root of the repository, which is the parent of this package.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}
