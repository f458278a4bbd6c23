//! Alpine's `installed`: paragraphs of `X:value`. `o` is the origin, the package that it was built with.

use super::lines;
use crate::{Ecosystem, Package, Source};

#[derive(Default)]
struct Paragraph<'a> {
    name: &'a str,
    version: &'a str,
    origin: &'a str,
    architecture: &'a str,
    license: &'a str,
}

/// The packages of the database.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    let mut packages = Vec::new();
    let mut paragraph = Paragraph::default();
    for line in lines(content).chain(std::iter::once("")) {
        if line.is_empty() {
            packages.extend(package(&std::mem::take(&mut paragraph)));
            continue;
        }
        let Some((field, value)) = line.split_once(':') else { continue };
        match field {
            "P" => paragraph.name = value,
            "V" => paragraph.version = value,
            "o" => paragraph.origin = value,
            "A" => paragraph.architecture = value,
            "L" => paragraph.license = value,
            _ => {}
        }
    }
    packages
}

fn package(paragraph: &Paragraph<'_>) -> Option<Package> {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let mut package = Package::new(Ecosystem::Apk, paragraph.name, paragraph.version);
    package.architecture = text(paragraph.architecture);
    package.license = text(paragraph.license);
    package.source = text(paragraph.origin)
        .filter(|origin| origin != paragraph.name)
        .map(|name| Source { name, version: paragraph.version.to_owned() });
    package.is_plausible().then_some(package)
}
