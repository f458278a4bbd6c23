//! `cargo xtask test` and `cargo xtask ci`.

use crate::tools;
use crate::{coverage, shapes, tidy};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs every test: Rust first, then the real clients against a real region.
pub(crate) fn test(root: &Path, rust_only: bool) -> Result<()> {
    tools::require(tools::FOR_TESTS)?;
    let python = tools::python(root)?;
    tools::run(tools::cargo().args(["build", "--package", "longshore"]).current_dir(root))?;
    rust_tests(root)?;
    if !rust_only {
        println!("test: real clients against a region");
        // They wait more than they work, and every process has regions of its own.
        let arguments = ["-m", "pytest", "-q", "-n", "3", "--dist", "loadfile", "tests/conformance"];
        tools::run(Command::new(python).args(arguments).current_dir(root))?;
    }
    Ok(())
}

/// Runs peers' own test suites as a black box against a region. What they need comes from the Python package index, and
/// it fails when that cannot be reached: a baseline that is skipped in silence is none.
pub(crate) fn peers(root: &Path, services: &[String]) -> Result<()> {
    tools::require(tools::FOR_TESTS)?;
    let python = tools::python(root)?;
    tools::run(tools::cargo().args(["build", "--package", "longshore"]).current_dir(root))?;
    tools::run(Command::new(python).arg("tests/peers/moto.py").args(services).current_dir(root))
}

fn rust_tests(root: &Path) -> Result<()> {
    let nextest =
        tools::cargo().args(["nextest", "--version"]).output().is_ok_and(|output| output.status.success());
    if nextest {
        let arguments = ["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"];
        tools::run(tools::cargo().args(arguments).current_dir(root))?;
        return tools::run(
            tools::cargo().args(["test", "--workspace", "--doc", "--quiet"]).current_dir(root),
        );
    }
    tools::run(tools::cargo().args(["test", "--workspace"]).current_dir(root))
}

/// Everything continuous integration checks, cheapest first.
pub(crate) fn run(root: &Path) -> Result<()> {
    step("format", || tools::run(tools::cargo().args(["fmt", "--all", "--check"]).current_dir(root)))?;
    step("tidy", || tidy::run(root))?;
    step("shapes", || shapes::run(root, true))?;
    step("coverage", || coverage::run(root, true))?;
    step("clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
        tools::run(tools::cargo().args(arguments).current_dir(root))
    })?;
    step("licences", || licences(root))?;
    step("advisories", || advisories(root))?;
    step("tests", || test(root, false))?;
    step("peers", || peers(root, &[]))
}

fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("ci: {name}");
    work()
}

/// Known vulnerabilities of the dependencies, where cargo-audit and its database are on this machine: the gate needs no
/// network.
fn advisories(root: &Path) -> Result<()> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let database = home.unwrap_or_default().join("advisory-db");
    let audit = tools::cargo().args(["audit", "--version"]).output();
    if !database.is_dir() || !audit.is_ok_and(|output| output.status.success()) {
        println!("advisories: not checked, cargo-audit or {} is missing", database.display());
        return Ok(());
    }
    let arguments = ["audit", "--no-fetch", "--stale", "--deny", "warnings", "--db"];
    tools::run(tools::cargo().args(arguments).arg(&database).current_dir(root))
}

/// Licences of every dependency against the list of permissive ones, from cargo's own metadata.
fn licences(root: &Path) -> Result<()> {
    let output = tools::cargo()
        .args(["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        if !permissive(licence) && !EXCEPTIONS.iter().any(|(exception, _)| *exception == name) {
            faults.push(format!("{name}: {licence:?}"));
        }
    }
    anyhow::ensure!(faults.is_empty(), "licences that are not on the list: {}", faults.join(", "));
    println!("licences: {} packages, all permissive", packages.len());
    Ok(())
}

/// Licences that may be linked into an Apache-2.0 program without further duties than attribution.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

/// Packages whose licence is not on the list, and why they may be linked all the same.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("pathrs", "MPL-2.0 covers its own files only, which are linked unchanged; libcontainer needs it"),
    ("rust-criu", "MIT, said in its LICENSE file and not in its manifest; libcontainer needs it"),
];

/// Whether an SPDX expression can be met with permissive licences alone.
fn permissive(expression: &str) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    let listed = |name: &str| PERMISSIVE.contains(&name.trim());
    !flat.trim().is_empty() && flat.split(" AND ").all(|part| part.split(" OR ").any(listed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spdx_expressions() {
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-3.0 OR MIT",
        ] {
            assert!(permissive(good), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0"] {
            assert!(!permissive(bad), "{bad}");
        }
    }
}
