//! The parts of a botocore service model that the generator reads.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A `service-2.json`.
#[derive(Deserialize)]
pub(crate) struct Model {
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

/// The service as a whole.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) api_version: String,
    pub(crate) endpoint_prefix: String,
    #[serde(default)]
    pub(crate) json_version: String,
    pub(crate) protocol: String,
    #[serde(default)]
    pub(crate) protocols: Vec<String>,
    pub(crate) signing_name: Option<String>,
    #[serde(default)]
    pub(crate) target_prefix: String,
    #[serde(default)]
    pub(crate) xml_namespace: String,
}

/// An operation.
#[derive(Deserialize)]
pub(crate) struct Operation {
    #[serde(default)]
    pub(crate) http: Http,
    pub(crate) input: Option<Reference>,
    pub(crate) output: Option<Reference>,
    #[serde(default)]
    pub(crate) errors: Vec<Reference>,
    /// `none` for operations that are called without credentials.
    pub(crate) authtype: Option<String>,
}

/// How a REST protocol addresses an operation.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: Option<String>,
    pub(crate) request_uri: Option<String>,
    pub(crate) response_code: Option<u16>,
}

/// A use of a shape, with what the place of use adds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    pub(crate) location: Option<String>,
    pub(crate) location_name: Option<String>,
    pub(crate) query_name: Option<String>,
    #[serde(default)]
    pub(crate) flattened: bool,
    #[serde(default)]
    pub(crate) idempotency_token: bool,
    pub(crate) result_wrapper: Option<String>,
    pub(crate) timestamp_format: Option<String>,
}

/// A shape.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) members: BTreeMap<String, Reference>,
    #[serde(default)]
    pub(crate) required: BTreeSet<String>,
    pub(crate) member: Option<Reference>,
    pub(crate) key: Option<Reference>,
    pub(crate) value: Option<Reference>,
    #[serde(default)]
    pub(crate) flattened: bool,
    #[serde(default)]
    pub(crate) union: bool,
    /// Whatever JSON the caller sends.
    #[serde(default)]
    pub(crate) document: bool,
    #[serde(default)]
    pub(crate) exception: bool,
    #[serde(default)]
    pub(crate) fault: bool,
    #[serde(default)]
    pub(crate) sensitive: bool,
    pub(crate) error: Option<ErrorTrait>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) pattern: Option<String>,
    #[serde(rename = "enum", default)]
    pub(crate) values: Vec<String>,
    pub(crate) timestamp_format: Option<String>,
}

/// What query and REST protocols say of an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorTrait {
    pub(crate) code: Option<String>,
    pub(crate) http_status_code: Option<u16>,
    #[serde(default)]
    pub(crate) sender_fault: bool,
}

impl Model {
    /// Names of all shapes reachable from `roots`, the roots included.
    pub(crate) fn reachable(&self, roots: impl IntoIterator<Item = String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open: Vec<String> = roots.into_iter().collect();
        while let Some(name) = open.pop() {
            let Some(shape) = self.shapes.get(&name) else { continue };
            if found.insert(name) {
                let uses = shape.members.values().chain(&shape.member).chain(&shape.key).chain(&shape.value);
                open.extend(uses.map(|reference| reference.shape.clone()));
            }
        }
        found
    }
}
