//! Reads the service authorization reference and writes the IAM actions of one service's operations.

use super::names::constant;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// `models/authorization.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorizationSource {
    pub(super) package: String,
    pub(super) version: String,
    /// IAM prefix of services whose name is another.
    #[serde(default)]
    prefix: BTreeMap<String, String>,
    /// Actions of operations that have none of their own name, by `service.Operation`.
    #[serde(default)]
    exceptions: BTreeMap<String, Vec<String>>,
}

/// The reference, unpacked, and what we say beside.
pub(super) struct Reference {
    source: AuthorizationSource,
    data: PathBuf,
}

/// Actions of a service by name, in lower case.
type Actions = BTreeMap<String, Action>;

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    name: String,
    access_level: String,
    #[serde(default)]
    resource_types: Vec<ActionResource>,
    #[serde(default)]
    condition_keys: Vec<String>,
    #[serde(default)]
    dependent_actions: Vec<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionResource {
    name: String,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    condition_keys: Vec<String>,
    #[serde(default)]
    dependent_actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceType {
    key: String,
    arn: String,
    #[serde(default)]
    condition_keys: Vec<String>,
}

impl Reference {
    /// `package` is where the package was unpacked.
    pub(super) fn new(source: AuthorizationSource, package: &Path) -> Self {
        let data = package.join(&source.package).join("data");
        Self { source, data }
    }

    fn prefix<'a>(&'a self, service: &'a str) -> &'a str {
        self.source.prefix.get(service).map_or(service, String::as_str)
    }

    /// Names of the actions of an operation, its own first.
    fn actions_of(&self, service: &str, operation: &str) -> Vec<String> {
        let exception = self.source.exceptions.get(&format!("{service}.{operation}"));
        exception.cloned().unwrap_or_else(|| vec![format!("{}:{operation}", self.prefix(service))])
    }

    /// Names of the constants of an operation's actions.
    pub(super) fn constants(&self, service: &str, operation: &str) -> Vec<String> {
        self.actions_of(service, operation).iter().map(|name| action_constant(name)).collect()
    }

    /// `shapes/actions.rs`: the actions of the operations and the resource types they name.
    pub(super) fn emit(&self, service: &str, operations: &[String]) -> Result<String> {
        let names: BTreeSet<String> =
            operations.iter().flat_map(|operation| self.actions_of(service, operation)).collect();
        let mut out = super::emit::HEADER
            .replace("the published API model", "the published service authorization reference");
        out.push_str(
            "//! The IAM actions of the built operations.\n\n\
             #[allow(unused_imports)]\nuse aws_wire::authorization::{AccessLevel, Action, ActionResource, ResourceType};\n\n",
        );
        let mut kinds = BTreeSet::new();
        for name in &names {
            let (prefix, short) = name.split_once(':').with_context(|| format!("{name} has no prefix"))?;
            let actions: Actions = read(&self.data.join(format!("actions/{prefix}.json")))?;
            let action = actions
                .get(&short.to_ascii_lowercase())
                .filter(|action| action.name == short)
                .with_context(|| {
                    format!(
                        "the authorization reference has no action {name}; name the operation's action under \
                         [exceptions] of models/authorization.toml"
                    )
                })?;
            kinds.extend(action.resource_types.iter().map(|kind| (prefix.to_owned(), kind.name.clone())));
            write_action(&mut out, name, prefix, action)?;
        }
        for (prefix, kind) in &kinds {
            let types: BTreeMap<String, ResourceType> =
                read(&self.data.join(format!("resourceTypes/{prefix}.json")))?;
            let found = types.values().find(|found| found.key == *kind);
            let found = found.with_context(|| format!("{prefix} has no resource type {kind}"))?;
            writeln!(
                out,
                "pub static {}: ResourceType = ResourceType {{ name: {:?}, arn: {:?}, condition_keys: &{:?} }};\n",
                kind_constant(prefix, kind),
                found.key,
                found.arn,
                found.condition_keys,
            )?;
        }
        Ok(out)
    }
}

fn write_action(out: &mut String, name: &str, prefix: &str, action: &Action) -> Result<()> {
    let mut keys: BTreeSet<&String> = action.condition_keys.iter().collect();
    let mut dependent: BTreeSet<&String> = action.dependent_actions.iter().collect();
    let mut resources = String::new();
    for kind in &action.resource_types {
        keys.extend(&kind.condition_keys);
        dependent.extend(&kind.dependent_actions);
        write!(
            resources,
            "ActionResource {{ kind: &{}, required: {} }},",
            kind_constant(prefix, &kind.name),
            kind.required
        )?;
    }
    let keys: Vec<&String> = keys.into_iter().collect();
    let dependent: Vec<&String> = dependent.into_iter().collect();
    writeln!(
        out,
        "pub static {}: Action = Action {{ name: {name:?}, access: AccessLevel::{}, resources: &[{resources}], \
         condition_keys: &{keys:?}, dependent_actions: &{dependent:?} }};\n",
        action_constant(name),
        access_level(&action.access_level)?,
    )?;
    Ok(())
}

fn access_level(text: &str) -> Result<&'static str> {
    Ok(match text {
        "List" => "List",
        "Read" => "Read",
        "Write" => "Write",
        "Tagging" | "Tagging, Write" => "Tagging",
        "Permissions management" | "Permissions management, Write" => "PermissionsManagement",
        other => bail!("unknown access level {other}"),
    })
}

/// `ecs:RunTask` to `ECS_RUN_TASK`.
fn action_constant(name: &str) -> String {
    constant(&name.replace([':', '-'], "_"))
}

fn kind_constant(prefix: &str, kind: &str) -> String {
    format!("{}_TYPE_{}", constant(prefix), constant(kind))
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("parse {}", path.display()))
}
