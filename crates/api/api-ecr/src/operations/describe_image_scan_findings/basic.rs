//! Findings as basic scanning shows them.

use crate::shapes::{Attribute, FindingSeverity, ImageScanFinding};
use resources::ecr::ImageFinding;

/// A finding with what is known of it as attributes.
pub(super) fn show(finding: &ImageFinding) -> ImageScanFinding {
    let mut attributes = Vec::new();
    let mut add = |key: &str, value: &str| {
        attributes.push(Attribute { key: key.to_owned(), value: Some(value.to_owned()) });
    };
    if let Some(package) = finding.packages.first() {
        add("package_version", &package.source_version);
        add("package_name", &finding.package);
        if let Some(fixed) = &package.fixed {
            add("fixed_in_version", fixed);
        }
    }
    for score in &finding.scores {
        // One of each major version, the first being the most telling.
        let major = score.version.split('.').next().unwrap_or_default();
        let key = format!("CVSS{major}_SCORE");
        if !attributes.iter().any(|attribute| attribute.key == key) {
            let mut add = |key: String, value: String| attributes.push(Attribute { key, value: Some(value) });
            add(format!("CVSS{major}_VECTOR"), score.vector.clone());
            add(key, score.value.to_string());
        }
    }
    let text = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    ImageScanFinding {
        name: Some(finding.name.clone()),
        description: text(&finding.description).or_else(|| text(&finding.title)),
        uri: finding.references.first().cloned(),
        severity: Some(severity(&finding.severity)),
        attributes: Some(attributes),
    }
}

fn severity(word: &str) -> FindingSeverity {
    word.parse().unwrap_or(FindingSeverity::Undefined)
}
