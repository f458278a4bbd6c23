//! Python's `METADATA` and `PKG-INFO`: the headers of a mail message.

use super::lines;
use crate::{Ecosystem, Package};

/// The package that the file describes.
pub(crate) fn parse(content: &[u8]) -> Vec<Package> {
    let mut package = Package::new(Ecosystem::Python, "", "");
    // An empty line ends the headers; the description follows.
    for line in lines(content).take_while(|line| !line.is_empty()) {
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match field {
            "Name" if package.name.is_empty() => value.clone_into(&mut package.name),
            "Version" if package.version.is_empty() => value.clone_into(&mut package.version),
            "License" | "License-Expression" if !value.is_empty() && value != "UNKNOWN" => {
                package.license = Some(value.to_owned());
            }
            _ => {}
        }
    }
    Some(package).filter(Package::is_plausible).into_iter().collect()
}
