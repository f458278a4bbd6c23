//! CycloneDX 1.6.

use crate::Subject;
use image_packages::{Distribution, Ecosystem, Inventory, Package};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub(crate) fn document(subject: &Subject, inventory: &Inventory) -> Value {
    let distribution = inventory.distribution.as_ref();
    let mut references = BTreeSet::new();
    let mut components: Vec<Value> = distribution.map(system).into_iter().collect();
    for package in &inventory.packages {
        components.push(component(subject, package, distribution, &mut references));
    }
    let root = subject.purl();
    let parts: Vec<&Value> = components.iter().map(|component| &component["bom-ref"]).collect();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{}", subject.id),
        "version": 1,
        "metadata": {
            "timestamp": subject.created,
            "tools": {"components": [
                {"type": "application", "name": "longshore", "version": subject.tool_version},
            ]},
            "component": {
                "type": "container",
                "bom-ref": root,
                "name": subject.name,
                "version": subject.digest,
                "purl": root,
            },
        },
        "dependencies": [{"ref": root, "dependsOn": parts}],
        "components": components,
    })
}

fn system(distribution: &Distribution) -> Value {
    let mut component = json!({
        "type": "operating-system",
        "bom-ref": format!("os:{}@{}", distribution.id, distribution.version.as_deref().unwrap_or("rolling")),
        "name": distribution.id,
    });
    if let Some(version) = &distribution.version {
        component["version"] = version.as_str().into();
    }
    if let Some(name) = &distribution.pretty_name {
        component["description"] = name.as_str().into();
    }
    component
}

fn component(
    subject: &Subject,
    package: &Package,
    distribution: Option<&Distribution>,
    references: &mut BTreeSet<String>,
) -> Value {
    let purl = package.purl(distribution);
    let mut reference = purl.clone();
    // The same package may lie in several places.
    let mut number = 1;
    while !references.insert(reference.clone()) {
        number += 1;
        reference = format!("{purl}#{number}");
    }
    let (group, name) = match package.ecosystem {
        Ecosystem::Maven => package.name.split_once(':'),
        Ecosystem::Npm => package.name.split_once('/'),
        _ => None,
    }
    .map_or((None, package.name.as_str()), |(group, name)| (Some(group), name));
    let mut properties = Vec::new();
    let mut property = |name: &str, value: &str| {
        properties.push(json!({"name": format!("longshore:{name}"), "value": value}));
    };
    property("path", &package.path);
    if let Some(layer) = subject.layers.get(package.layer) {
        property("layer", layer);
    }
    if let Some(source) = &package.source {
        property("source-package", &source.name);
        property("source-version", &source.version);
    }
    let mut component = Map::new();
    component.insert("type".into(), "library".into());
    component.insert("bom-ref".into(), reference.into());
    if let Some(group) = group {
        component.insert("group".into(), group.into());
    }
    component.insert("name".into(), name.into());
    component.insert("version".into(), package.version.as_str().into());
    component.insert("purl".into(), purl.into());
    if let Some(license) = &package.license {
        component.insert("licenses".into(), json!([{"license": {"name": license}}]));
    }
    component.insert("properties".into(), properties.into());
    component.into()
}
