//! What a Java archive says of itself: `pom.properties`, `MANIFEST.MF`, its file name.

use super::lines;
use crate::{Ecosystem, Package};

/// The artifact of a `pom.properties`.
pub(crate) fn pom_properties(content: &[u8]) -> Option<Package> {
    let (mut group, mut artifact, mut version) = ("", "", "");
    for line in lines(content) {
        let Some((key, value)) = line.split_once(['=', ':']) else { continue };
        match key.trim() {
            "groupId" => group = value.trim(),
            "artifactId" => artifact = value.trim(),
            "version" => version = value.trim(),
            _ => {}
        }
    }
    if group.is_empty() || artifact.is_empty() {
        return None;
    }
    Some(Package::new(Ecosystem::Maven, format!("{group}:{artifact}"), version)).filter(Package::is_plausible)
}

/// What an archive without `pom.properties` is, from its manifest and its name.
pub(crate) fn guess(file_name: &str, manifest: Option<&[u8]>) -> Option<Package> {
    let (mut title, mut version, mut symbolic) = ("", "", "");
    for line in manifest.map(lines).into_iter().flatten() {
        let Some((key, value)) = line.split_once(": ") else { continue };
        match key {
            "Implementation-Title" => title = value.trim(),
            "Implementation-Version" => version = value.trim(),
            "Bundle-SymbolicName" => symbolic = value.split(';').next().unwrap_or_default().trim(),
            "Bundle-Version" if version.is_empty() => version = value.trim(),
            _ => {}
        }
    }
    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    let at = stem.match_indices('-').find(|(at, _)| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let named = at.map(|(at, _)| (&stem[..at], &stem[at + 1..]));
    // A file name with a version is what build tools give; titles are often prose.
    let (name, version) = match named {
        Some((name, named)) => (name, if version.is_empty() { named } else { version }),
        None if !symbolic.is_empty() => (symbolic, version),
        None if !title.contains(' ') => (title, version),
        None => (stem, version),
    };
    Some(Package::new(Ecosystem::Maven, name, version)).filter(Package::is_plausible)
}
