//! dpkg's `status`: paragraphs of `Field: value`. Only packages that are installed count.

use super::lines;
use crate::{Ecosystem, Package, Source};

#[derive(Default)]
struct Paragraph<'a> {
    package: &'a str,
    version: &'a str,
    status: &'a str,
    source: &'a str,
    architecture: &'a str,
}

/// The packages of a status file, or of one file of `status.d`, which has no `Status`.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    let mut packages = Vec::new();
    let mut paragraph = Paragraph::default();
    for line in lines(content).chain(std::iter::once("")) {
        if line.trim().is_empty() {
            packages.extend(package(&std::mem::take(&mut paragraph)));
            continue;
        }
        // Continued lines belong to fields that do not matter here.
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match field {
            "Package" => paragraph.package = value,
            "Version" => paragraph.version = value,
            "Status" => paragraph.status = value,
            "Source" => paragraph.source = value,
            "Architecture" => paragraph.architecture = value,
            _ => {}
        }
    }
    packages
}

fn package(paragraph: &Paragraph<'_>) -> Option<Package> {
    // `want flag status`: files are there unless it is config-files or not-installed.
    let state = paragraph.status.rsplit(' ').next().unwrap_or_default();
    if matches!(state, "config-files" | "not-installed") {
        return None;
    }
    let mut package = Package::new(Ecosystem::Deb, paragraph.package, paragraph.version);
    package.architecture = Some(paragraph.architecture.to_owned()).filter(|name| !name.is_empty());
    package.source = source(paragraph);
    package.is_plausible().then_some(package)
}

/// `Source: name` or `Source: name (version)`; the version is there when it is not the package's own.
fn source(paragraph: &Paragraph<'_>) -> Option<Source> {
    let (name, version) = match paragraph.source.split_once(" (") {
        Some((name, version)) => (name, version.trim_end_matches(')')),
        None => (paragraph.source, paragraph.version),
    };
    let other = !name.is_empty() && (name, version) != (paragraph.package, paragraph.version);
    other.then(|| Source { name: name.to_owned(), version: version.to_owned() })
}
