//! SPDX 2.3.

use crate::Subject;
use image_packages::{Distribution, Inventory, Package};
use serde_json::{Value, json};

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";
const UNKNOWN: &str = "NOASSERTION";

pub(crate) fn document(subject: &Subject, inventory: &Inventory) -> Value {
    let distribution = inventory.distribution.as_ref();
    let mut packages = vec![image(subject)];
    packages.extend(distribution.map(system));
    for (number, found) in inventory.packages.iter().enumerate() {
        packages.push(package(number, found, distribution));
    }
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", &IMAGE.into())];
    for package in &packages[1..] {
        relationships.push(relationship(IMAGE, "CONTAINS", &package["SPDXID"]));
    }
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": DOCUMENT,
        "name": subject.name,
        "documentNamespace": format!("https://spdx.org/spdxdocs/longshore-{}", subject.id),
        "creationInfo": {
            "created": subject.created,
            "creators": [format!("Tool: longshore-{}", subject.tool_version)],
        },
        "packages": packages,
        "relationships": relationships,
    })
}

fn relationship(from: &str, kind: &str, to: &Value) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

fn common(id: String, name: &str, purpose: &str) -> Value {
    json!({
        "SPDXID": id,
        "name": name,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
        "primaryPackagePurpose": purpose,
    })
}

fn purl(locator: String) -> Value {
    json!([{
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": locator,
    }])
}

fn image(subject: &Subject) -> Value {
    let mut image = common(IMAGE.to_owned(), &subject.name, "CONTAINER");
    image["versionInfo"] = subject.digest.as_str().into();
    image["externalRefs"] = purl(subject.purl());
    if let Some(hex) = subject.digest.strip_prefix("sha256:") {
        image["checksums"] = json!([{"algorithm": "SHA256", "checksumValue": hex}]);
    }
    image
}

fn system(distribution: &Distribution) -> Value {
    let mut system = common("SPDXRef-OperatingSystem".to_owned(), &distribution.id, "OPERATING-SYSTEM");
    if let Some(version) = &distribution.version {
        system["versionInfo"] = version.as_str().into();
    }
    system
}

fn package(number: usize, found: &Package, distribution: Option<&Distribution>) -> Value {
    let mut package = common(format!("SPDXRef-Package-{}-{number}", found.ecosystem), &found.name, "LIBRARY");
    package["versionInfo"] = found.version.as_str().into();
    package["externalRefs"] = purl(found.purl(distribution));
    package["sourceInfo"] = format!("found in {}", found.path).into();
    // What packages state is often no licence expression; it is quoted, not asserted.
    if let Some(license) = &found.license {
        package["licenseComments"] = format!("The package states: {license}").into();
    }
    package
}
