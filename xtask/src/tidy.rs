//! `cargo xtask tidy`: the direction of dependency is enforced, sizes and missing module docs are listed.

use crate::tools;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a crate may depend on, by the folder it lies in; a name that ends in `/` is a whole folder.
/// A new edge here is a change of the architecture and belongs into ARCHITECTURE.md.
const LAYERS: &[(&str, &[&str])] = &[
    ("crates/base/identifiers", &[]),
    ("crates/base/environment", &[]),
    ("crates/base/mutations", &[]),
    ("crates/wire/", &["crates/base/"]),
    ("crates/state/resources", &["crates/base/"]),
    ("crates/state/store", &["crates/base/", "crates/state/resources"]),
    ("crates/state/store-backends", &["crates/base/", "crates/state/store", "crates/state/resources"]),
    ("crates/state/blob-store", &["crates/base/", "crates/state/store"]),
    (
        "crates/state/image-registry",
        &["crates/base/", "crates/state/resources", "crates/state/store", "crates/state/blob-store"],
    ),
    ("crates/state/audit-log", &["crates/base/", "crates/state/blob-store"]),
    ("crates/state/metric-store", &["crates/base/", "crates/state/blob-store"]),
    ("crates/state/encryption", &["crates/base/"]),
    (
        "crates/state/alarm-states",
        &["crates/base/", "crates/state/resources", "crates/state/store", "crates/state/event-outbox"],
    ),
    (
        "crates/state/event-outbox",
        &["crates/base/", "crates/state/resources", "crates/state/store", "crates/logic/event-patterns"],
    ),
    ("crates/state/aws-managed-policies", &["crates/base/"]),
    ("crates/logic/", &["crates/base/", "crates/state/resources"]),
    ("crates/logic/sbom", &["crates/logic/image-packages"]),
    ("crates/logic/vulnerabilities", &["crates/base/", "crates/logic/"]),
    ("crates/state/task-placements", &["crates/base/", "crates/state/resources"]),
    ("crates/state/virtual-networks", &["crates/base/", "crates/state/resources", "crates/state/store"]),
    ("crates/state/image-scans", &["crates/base/", "crates/state/blob-store", "crates/state/resources"]),
    ("crates/state/vulnerability-data", &["crates/base/", "crates/logic/vulnerabilities"]),
    (
        "crates/api/access",
        &[
            "crates/base/",
            "crates/state/resources",
            "crates/state/store",
            "crates/state/encryption",
            "crates/state/aws-managed-policies",
            "crates/state/audit-log",
            "crates/logic/iam-policy",
        ],
    ),
    (
        "crates/api/api-ecr",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/aws-wire",
            "crates/logic/lifecycle-policy",
        ],
    ),
    (
        "crates/api/api-events",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/aws-wire",
            "crates/logic/event-patterns",
            "crates/logic/schedule-expressions",
        ],
    ),
    (
        "crates/api/api-scheduler",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/aws-wire",
            "crates/logic/schedule-expressions",
        ],
    ),
    (
        "crates/api/api-iam",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/aws-wire",
            "crates/logic/iam-policy",
        ],
    ),
    (
        "crates/api/api-logs",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/aws-wire",
            "crates/logic/logs-insights",
        ],
    ),
    (
        "crates/api/oci-registry",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/registry-client",
            "crates/wire/file-body",
        ],
    ),
    (
        "crates/api/agent-gateway",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/agent-wire",
            "crates/wire/session-wire",
        ],
    ),
    (
        "crates/api/api-server",
        &[
            "crates/base/",
            "crates/state/",
            "crates/api/access",
            "crates/wire/aws-wire",
            "crates/wire/file-body",
        ],
    ),
    ("crates/api/api-", &["crates/base/", "crates/state/", "crates/api/access", "crates/wire/aws-wire"]),
    (
        "crates/control/controllers",
        // Images are copied to other regions through the distribution protocol.
        &["crates/base/", "crates/state/", "crates/logic/", "crates/control/", "crates/wire/registry-client"],
    ),
    ("crates/control/", &["crates/base/", "crates/state/", "crates/logic/", "crates/control/"]),
    ("crates/node/", &["crates/base/", "crates/wire/", "crates/control/reconcile", "crates/node/"]),
    ("crates/node/daemon", &["crates/base/"]),
    ("crates/node/load-balancer", &["crates/base/", "crates/logic/load-balancing", "crates/node/daemon"]),
    ("crates/node/name-server", &["crates/base/", "crates/logic/dns-zones", "crates/node/daemon"]),
];

/// Crates that only the program and tests may name.
const ONLY_FOR_PROGRAMS: &[&str] = &["crates/state/store-backends"];

/// Lines past which a file should have a reason.
const LONG_FILE: usize = 600;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    source: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    path: Option<PathBuf>,
    kind: Option<String>,
}

/// Fails on a forbidden dependency or a file without a module doc; lists long files.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut faults = dependency_faults(root)?;
    let files = rust_files(root)?;
    let mut lines = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(root.join(file)).with_context(|| format!("read {file}"))?;
        if !text.contains("//!") {
            faults.push(format!("{file} has no module doc (`//!`)"));
        }
        if file.ends_with("/mod.rs") {
            faults.push(format!("{file}: modules are `name.rs` beside `name/`, not mod.rs"));
        }
        if !file.contains("/shapes/") {
            lines.push((text.lines().count(), file.as_str()));
        }
    }
    report_sizes(&mut lines);
    for fault in &faults {
        println!("tidy: {fault}");
    }
    ensure!(faults.is_empty(), "{} faults", faults.len());
    println!("tidy: {} files, dependencies point the right way", files.len());
    Ok(())
}

fn report_sizes(lines: &mut [(usize, &str)]) {
    lines.sort_unstable();
    let total: usize = lines.iter().map(|(count, _)| count).sum();
    let median = lines.get(lines.len() / 2).map_or(0, |(count, _)| *count);
    println!("tidy: {total} lines by hand in {} files, median {median}", lines.len());
    for (count, file) in lines.iter().rev().take_while(|(count, _)| *count > LONG_FILE) {
        println!("tidy: {count:5} lines, does it still hold one idea? {file}");
    }
}

fn dependency_faults(root: &Path) -> Result<Vec<String>> {
    let output = tools::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("run cargo metadata")?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("parse cargo metadata")?;
    let mut faults = Vec::new();
    for package in metadata.packages.iter().filter(|package| package.source.is_none()) {
        let place = relative(root, package.manifest_path.parent().unwrap_or(root));
        for dependency in &package.dependencies {
            let Some(path) = &dependency.path else { continue };
            let target = relative(root, path);
            if !allowed(&place, &target, dependency.kind.as_deref() == Some("dev")) {
                faults.push(format!("{} must not depend on {}", package.name, dependency.name));
            }
        }
    }
    Ok(faults)
}

fn allowed(place: &str, target: &str, for_tests: bool) -> bool {
    if !place.starts_with("crates/") || for_tests {
        return true;
    }
    if ONLY_FOR_PROGRAMS.contains(&target) {
        return false;
    }
    // The longest matching entry decides, so that a crate's own line beats its folder's.
    let rule =
        LAYERS.iter().filter(|(prefix, _)| place.starts_with(prefix)).max_by_key(|(prefix, _)| prefix.len());
    rule.is_some_and(|(_, may)| {
        may.iter().any(|name| if name.ends_with('/') { target.starts_with(name) } else { target == *name })
    })
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// All Rust files that git tracks or would track.
fn rust_files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root)
        .output()
        .context("run git ls-files")?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter(|file| root.join(file).exists()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_point_downwards() {
        assert!(allowed("crates/api/api-ecs", "crates/state/store", false));
        assert!(allowed("bin/longshore", "crates/state/store-backends", false));
        assert!(!allowed("crates/api/api-ecs", "crates/api/api-ecr", false));
        assert!(!allowed("crates/node/node-agent", "crates/state/store", false));
        assert!(!allowed("crates/state/store", "crates/state/store-backends", false));
        assert!(!allowed("crates/base/identifiers", "crates/state/store", false));
        assert!(allowed("crates/api/api-ecs", "crates/state/store-backends", true));
    }
}
