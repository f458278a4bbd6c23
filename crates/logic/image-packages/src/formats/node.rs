//! Node's `package.json` of installed modules, and `package-lock.json`.

use crate::{Ecosystem, Package};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most levels of dependencies in a lock file of the old form.
const DEEPEST: u32 = 32;

#[derive(Deserialize)]
struct Module {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    license: serde_json::Value,
}

#[derive(Deserialize)]
struct Lock {
    /// From version 2 on: by path.
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
    /// Before: by name.
    #[serde(default)]
    dependencies: BTreeMap<String, OldLocked>,
}

#[derive(Deserialize)]
struct Locked {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    link: bool,
}

#[derive(Deserialize)]
struct OldLocked {
    version: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, OldLocked>,
}

/// The module that a `package.json` describes.
pub(crate) fn package(content: &[u8]) -> Vec<Package> {
    let Ok(module) = serde_json::from_slice::<Module>(content) else { return Vec::new() };
    let mut package =
        Package::new(Ecosystem::Npm, module.name.unwrap_or_default(), module.version.unwrap_or_default());
    package.license = module.license.as_str().map(str::to_owned);
    Some(package).filter(Package::is_plausible).into_iter().collect()
}

/// The packages of a lock file.
pub(crate) fn lock(content: &[u8]) -> Vec<Package> {
    let Ok(lock) = serde_json::from_slice::<Lock>(content) else { return Vec::new() };
    let mut packages = Vec::new();
    for (path, locked) in lock.packages {
        // The empty path is the project itself; links lead to what has an entry of its own.
        let Some((_, name)) = path.rsplit_once("node_modules/") else { continue };
        if let Some(version) = locked.version.filter(|_| !locked.link) {
            let name = locked.name.unwrap_or_else(|| name.to_owned());
            packages.push(Package::new(Ecosystem::Npm, name, version));
        }
    }
    if packages.is_empty() {
        old(lock.dependencies, DEEPEST, &mut packages);
    }
    packages.retain(Package::is_plausible);
    packages.sort();
    packages.dedup();
    packages
}

fn old(dependencies: BTreeMap<String, OldLocked>, depth: u32, packages: &mut Vec<Package>) {
    for (name, locked) in dependencies {
        // Versions that are addresses are no versions.
        if let Some(version) = locked.version.filter(|version| !version.contains(['/', ':'])) {
            packages.push(Package::new(Ecosystem::Npm, name, version));
        }
        if let Some(depth) = depth.checked_sub(1) {
            old(locked.dependencies, depth, packages);
        }
    }
}
