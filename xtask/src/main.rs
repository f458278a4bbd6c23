//! Developer commands: `cargo xtask COMMAND`.

mod agent_shapes;
mod bench;
mod ci;
mod coverage;
mod managed_policies;
mod shapes;
mod tidy;
mod tools;

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
    /// Write the tables of built operations in docs/coverage.
    Coverage {
        /// Fail when a table differs, and write nothing.
        #[arg(long)]
        check: bool,
    },
    /// Write the data of the crate aws-managed-policies from the published package.
    ManagedPolicies,
    /// Check the direction of dependency and list sizes.
    Tidy,
    /// Install what the tests need, then run them all and print the totals.
    Test {
        /// Only the Rust tests, without the tests with real clients.
        #[arg(long)]
        rust_only: bool,
    },
    /// Run peers' own test suites against a region, and compare with the lists in tests/peers.
    Peers {
        /// Which services; all that have a list when none is given.
        service: Vec<String>,
    },
    /// Run the benchmarks side by side with their peers and print the figures.
    Bench {
        /// Which: run-task, api, registry, start; all when none is given.
        which: Vec<String>,
    },
    /// Everything continuous integration checks.
    Ci,
}

fn main() -> Result<()> {
    let root = root();
    match Command::parse() {
        Command::Shapes { check } => shapes::run(&root, check),
        Command::Coverage { check } => coverage::run(&root, check),
        Command::ManagedPolicies => managed_policies::run(&root),
        Command::Tidy => tidy::run(&root),
        Command::Test { rust_only } => ci::test(&root, rust_only),
        Command::Peers { service } => ci::peers(&root, &service),
        Command::Bench { which } => bench::run(&root, &which),
        Command::Ci => ci::run(&root),
    }
}

/// The root of the repository, which is the parent of this package.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}
