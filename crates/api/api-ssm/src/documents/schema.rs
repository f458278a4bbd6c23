//! What the content of each type of document may say: the published schemas 0.3 (runbooks), 1.0 (sessions) and 1.2, 2.0
//! and 2.2 (commands and policies). What a step's `inputs` hold is the business of the action that reads them.

use crate::errors::{bad_content, bad_schema_version};
use aws_wire::ServiceError;
use resources::ssm::{DocumentKind, Platform};
use serde_json::{Map, Value};
use std::collections::HashSet;

type Checked = Result<(), ServiceError>;
type Object = Map<String, Value>;

/// Most characters of a step's name.
const STEP_NAME: usize = 128;
/// What the schemas 2.0 and 2.2 let a step say.
const STEP_KEYS: &[&str] = &[
    "action",
    "finallyStep",
    "inputs",
    "isEnd",
    "maxAttempts",
    "name",
    "onFailure",
    "onSuccess",
    "outputs",
    "precondition",
    "settings",
    "timeoutSeconds",
];
/// Actions of the schemas 1.2, 2.0 and 2.2.
const COMMAND_ACTIONS: &[&str] = &[
    "aws:applications",
    "aws:cloudWatch",
    "aws:configureDocker",
    "aws:configurePackage",
    "aws:domainJoin",
    "aws:downloadContent",
    "aws:psModule",
    "aws:refreshAssociation",
    "aws:runDockerAction",
    "aws:runDocument",
    "aws:runPowerShellScript",
    "aws:runShellScript",
    "aws:softwareInventory",
    "aws:updateAgent",
    "aws:updateSsmAgent",
];
const SESSION_TYPES: &[&str] = &["InteractiveCommands", "NonInteractiveCommands", "Port", "Standard_Stream"];
const PARAMETER_TYPES: &[&str] = &["Boolean", "Integer", "MapList", "String", "StringList", "StringMap"];

/// Refuses what the schema does not allow, and says which version of it the content follows.
pub(crate) fn check(value: &Value, kind: DocumentKind) -> Result<String, ServiceError> {
    let root = object(value, "/")?;
    require(root, &["schemaVersion"], "/")?;
    let version = text(&root["schemaVersion"], "/schemaVersion")?;
    match (kind, version) {
        (DocumentKind::Command, "1.2") => old_command(root)?,
        (DocumentKind::Command | DocumentKind::Policy, "2.0" | "2.2") => command(root)?,
        (DocumentKind::Automation, "0.3") => automation(root)?,
        (DocumentKind::Session, "1.0") => session(root)?,
        _ => return Err(bad_schema_version(version, kind)),
    }
    if let Some(description) = present(root, "description") {
        text(description, "/description")?;
    }
    parameters(root, kind)?;
    Ok(version.to_owned())
}

/// Where the steps of a checked content can run.
pub(crate) fn platforms(value: &Value, kind: DocumentKind) -> Vec<Platform> {
    let every = vec![Platform::Windows, Platform::Linux, Platform::MacOs];
    if !matches!(kind, DocumentKind::Command | DocumentKind::Policy) {
        return every;
    }
    let steps =
        value["mainSteps"].as_array().into_iter().flatten().filter_map(|step| step["action"].as_str());
    let old = value["runtimeConfig"].as_object().into_iter().flatten().map(|(action, _)| action.as_str());
    let mut anywhere: Vec<Platform> = steps.chain(old).flat_map(runs_on).copied().collect();
    anywhere.sort_unstable();
    anywhere.dedup();
    if anywhere.is_empty() { every } else { anywhere }
}

fn runs_on(action: &str) -> &'static [Platform] {
    match action {
        "aws:runShellScript" => &[Platform::Linux, Platform::MacOs],
        "aws:applications" | "aws:cloudWatch" | "aws:psModule" => &[Platform::Windows],
        "aws:domainJoin" => &[Platform::Windows, Platform::Linux],
        _ => &[Platform::Windows, Platform::Linux, Platform::MacOs],
    }
}

fn old_command(root: &Object) -> Checked {
    allow(root, &["schemaVersion", "description", "parameters", "runtimeConfig"], "/")?;
    require(root, &["runtimeConfig"], "/")?;
    for (action, config) in object(&root["runtimeConfig"], "/runtimeConfig")? {
        known(action, COMMAND_ACTIONS, "/runtimeConfig")?;
        let config = object(config, &format!("/runtimeConfig/{action}"))?;
        require(config, &["properties"], &format!("/runtimeConfig/{action}"))?;
    }
    Ok(())
}

fn command(root: &Object) -> Checked {
    allow(root, &["schemaVersion", "description", "parameters", "variables", "mainSteps", "files"], "/")?;
    steps(root, |step, path| {
        allow(step, STEP_KEYS, path)?;
        known(text(&step["action"], path)?, COMMAND_ACTIONS, &format!("{path}/action"))
    })
}

fn automation(root: &Object) -> Checked {
    let keys = [
        "schemaVersion",
        "description",
        "assumeRole",
        "parameters",
        "variables",
        "mainSteps",
        "outputs",
        "files",
    ];
    allow(root, &keys, "/")?;
    steps(root, |step, path| {
        let action = text(&step["action"], path)?;
        let name = action.strip_prefix("aws:").unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(fault(&format!("action {action} is not supported"), &format!("{path}/action")));
        }
        Ok(())
    })
}

fn session(root: &Object) -> Checked {
    allow(root, &["schemaVersion", "description", "sessionType", "inputs", "parameters", "properties"], "/")?;
    require(root, &["sessionType"], "/")?;
    let kind = text(&root["sessionType"], "/sessionType")?;
    known(kind, SESSION_TYPES, "/sessionType")?;
    if let Some(inputs) = present(root, "inputs") {
        object(inputs, "/inputs")?;
    }
    match (kind, present(root, "properties")) {
        ("Standard_Stream", None) | (_, Some(Value::Object(_) | Value::Array(_))) => Ok(()),
        (_, Some(_)) => Err(fault("instance type does not match any allowed primitive type", "/properties")),
        (_, None) => require(root, &["properties"], "/"),
    }
}

fn steps(root: &Object, check: impl Fn(&Object, &str) -> Checked) -> Checked {
    require(root, &["mainSteps"], "/")?;
    let Value::Array(steps) = &root["mainSteps"] else { return Err(wrong_type("array", "/mainSteps")) };
    if steps.is_empty() {
        return Err(fault(
            "array is too short: must have at least 1 elements but instance has 0 elements",
            "/mainSteps",
        ));
    }
    let mut names = HashSet::new();
    for (index, step) in steps.iter().enumerate() {
        let path = format!("/mainSteps/{index}");
        let step = object(step, &path)?;
        require(step, &["action", "name"], &path)?;
        let name = text(&step["name"], &format!("{path}/name"))?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if name.is_empty() || name.len() > STEP_NAME || !name.bytes().all(letters) {
            return Err(fault(&format!("step name {name} is not valid"), &format!("{path}/name")));
        }
        if !names.insert(name) {
            return Err(fault(&format!("step name {name} is repeated"), &format!("{path}/name")));
        }
        if let Some(inputs) = present(step, "inputs") {
            object(inputs, &format!("{path}/inputs"))?;
        }
        check(step, &path)?;
    }
    Ok(())
}

fn parameters(root: &Object, kind: DocumentKind) -> Checked {
    let Some(parameters) = present(root, "parameters") else { return Ok(()) };
    for (name, parameter) in object(parameters, "/parameters")? {
        let path = format!("/parameters/{name}");
        let parameter = object(parameter, &path)?;
        require(parameter, &["type"], &path)?;
        let given = text(&parameter["type"], &format!("{path}/type"))?;
        // Runbooks have types of resources, such as AWS::EC2::Instance::Id and List<AWS::S3::Bucket::Name>, too.
        if kind != DocumentKind::Automation {
            known(given, PARAMETER_TYPES, &format!("{path}/type"))?;
        }
        if present(parameter, "allowedValues").is_some_and(|values| !values.is_array()) {
            return Err(wrong_type("array", &format!("{path}/allowedValues")));
        }
    }
    Ok(())
}

/// A member that is there and not null.
fn present<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Object, ServiceError> {
    value.as_object().ok_or_else(|| wrong_type("object", path))
}

fn text<'a>(value: &'a Value, path: &str) -> Result<&'a str, ServiceError> {
    value.as_str().ok_or_else(|| wrong_type("string", path))
}

fn require(object: &Object, keys: &[&str], path: &str) -> Checked {
    let missing: Vec<&str> = keys.iter().copied().filter(|key| present(object, key).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(fault(&format!("object has missing required properties ({})", list(&missing)), path))
}

fn allow(object: &Object, keys: &[&str], path: &str) -> Checked {
    let unknown: Vec<&str> = object.keys().map(String::as_str).filter(|key| !keys.contains(key)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(fault(
        &format!("object instance has properties which are not allowed by the schema: {}", list(&unknown)),
        path,
    ))
}

fn known(value: &str, values: &[&str], path: &str) -> Checked {
    if values.contains(&value) {
        return Ok(());
    }
    Err(fault(
        &format!("instance value ({}) not found in enum (possible values: {})", quoted(value), list(values)),
        path,
    ))
}

fn wrong_type(wanted: &str, path: &str) -> ServiceError {
    fault(
        &format!("instance type does not match any allowed primitive type (allowed: [{}])", quoted(wanted)),
        path,
    )
}

fn quoted(text: &str) -> String {
    format!("\\\"{text}\\\"")
}

fn list(names: &[&str]) -> String {
    format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(","))
}

/// A fault as AWS reports it: the message of its schema validator, with quotes escaped, and where.
fn fault(message: &str, path: &str) -> ServiceError {
    bad_content(format!("[message: \"{message}\" - parent node: {path}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(value: &Value, kind: DocumentKind) -> String {
        check(value, kind).expect_err("refused").message.into_owned()
    }

    #[test]
    fn each_type_has_its_schema() {
        let step = json!([{"action": "aws:runShellScript", "name": "a", "inputs": {}}]);
        let good = [
            (DocumentKind::Command, json!({"schemaVersion": "2.2", "mainSteps": step})),
            (
                DocumentKind::Command,
                json!({"schemaVersion": "1.2", "runtimeConfig": {"aws:runShellScript": {"properties": []}}}),
            ),
            (DocumentKind::Policy, json!({"schemaVersion": "2.0", "description": null, "mainSteps": step})),
            (
                DocumentKind::Automation,
                json!({"schemaVersion": "0.3", "mainSteps": [{"action": "aws:sleep", "name": "a"}],
                    "parameters": {"i": {"type": "AWS::EC2::Instance::Id"}}}),
            ),
            (
                DocumentKind::Session,
                json!({"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {}}),
            ),
            (
                DocumentKind::Session,
                json!({"schemaVersion": "1.0", "sessionType": "InteractiveCommands",
                    "parameters": {"command": {"type": "String"}}, "properties": {"linux": {"commands": "ls"}}}),
            ),
        ];
        for (kind, value) in good {
            assert!(check(&value, kind).is_ok(), "{value}");
        }
    }

    #[test]
    fn faults_say_what_and_where() {
        assert_eq!(
            refusal(&json!({}), DocumentKind::Command),
            r#"[message: "object has missing required properties ([\"schemaVersion\"])" - parent node: /]"#
        );
        let versions =
            [(DocumentKind::Command, "0.3"), (DocumentKind::Session, "2.2"), (DocumentKind::Automation, "1")];
        for (kind, version) in versions {
            let error = check(&json!({"schemaVersion": version}), kind).expect_err("refused");
            assert_eq!(error.shape.name, "InvalidDocumentSchemaVersion");
        }
        let cases = [
            (json!([]), "parent node: /]"),
            (json!({"schemaVersion": 2}), "parent node: /schemaVersion]"),
            (json!({"schemaVersion": "2.2", "mainSteps": []}), "at least 1"),
            (json!({"schemaVersion": "2.2", "mainSteps": [{}]}), r#"[\"action\",\"name\"]"#),
            (
                json!({"schemaVersion": "2.2", "mainSteps": [], "x": 1}),
                r#"not allowed by the schema: [\"x\"]"#,
            ),
            (
                json!({"schemaVersion": "2.2", "mainSteps": [{"action": "aws:fly", "name": "a"}]}),
                "parent node: /mainSteps/0/action]",
            ),
            (
                json!({"schemaVersion": "2.2", "mainSteps": [{"action": "aws:runShellScript", "name": "a b"}]}),
                "a b",
            ),
            (
                json!({"schemaVersion": "2.2", "mainSteps": [{"action": "aws:runShellScript", "name": "a"},
                    {"action": "aws:runShellScript", "name": "a"}]}),
                "repeated",
            ),
        ];
        for (value, expected) in cases {
            let found = refusal(&value, DocumentKind::Command);
            assert!(found.contains(expected), "{value}: {found}");
        }
    }
}
