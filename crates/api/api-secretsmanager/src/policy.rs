//! Resource policies: what is refused when one is put.

use crate::errors::invalid_parameter;
use crate::shapes::errors::{MALFORMED_POLICY_DOCUMENT_EXCEPTION, PUBLIC_POLICY_EXCEPTION};
use aws_wire::ServiceError;
use serde_json::Value;

/// What is wrong with a policy; `None` when nothing is.
pub(crate) fn fault(text: &str) -> Option<&'static str> {
    let Ok(Value::Object(document)) = serde_json::from_str::<Value>(text) else {
        return Some("This resource policy contains invalid Json.");
    };
    if !matches!(document.get("Version").and_then(Value::as_str), None | Some("2012-10-17" | "2008-10-17")) {
        return Some("This resource policy contains an unsupported Version.");
    }
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => return Some("This resource policy contains no statement."),
    };
    statements.into_iter().find_map(statement_fault)
}

fn statement_fault(statement: &Value) -> Option<&'static str> {
    let one_of = |names: [&str; 2]| names.iter().filter(|name| statement.get(**name).is_some()).count() == 1;
    if !matches!(statement["Effect"].as_str(), Some("Allow" | "Deny")) {
        return Some("A statement of this resource policy has no valid Effect.");
    }
    if !one_of(["Principal", "NotPrincipal"]) {
        return Some("A statement of this resource policy must name a Principal.");
    }
    if !one_of(["Action", "NotAction"]) {
        return Some("A statement of this resource policy must name an Action.");
    }
    if !one_of(["Resource", "NotResource"]) {
        return Some("A statement of this resource policy must name a Resource.");
    }
    None
}

/// Refuses a policy that AWS would not take.
pub(crate) fn check(text: &str) -> Result<(), ServiceError> {
    match fault(text) {
        Some(fault) => Err(ServiceError::new(&MALFORMED_POLICY_DOCUMENT_EXCEPTION, fault)),
        None => Ok(()),
    }
}

/// Refuses a policy that lets everybody in.
pub(crate) fn check_not_public(text: &str) -> Result<(), ServiceError> {
    let document: Value = serde_json::from_str(text)
        .map_err(|_| invalid_parameter("This resource policy contains invalid Json."))?;
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        statement => vec![statement],
    };
    if statements.into_iter().any(is_public) {
        return Err(ServiceError::new(
            &PUBLIC_POLICY_EXCEPTION,
            "You can't attach a resource policy that allows broad access to the secret.",
        ));
    }
    Ok(())
}

fn is_public(statement: &Value) -> bool {
    let everybody = |principal: &Value| match principal {
        Value::String(text) => text == "*",
        Value::Array(items) => items.iter().any(|item| item == "*"),
        _ => false,
    };
    let principal = &statement["Principal"];
    statement["Effect"] == "Allow"
        && statement.get("Condition").is_none()
        && (everybody(principal) || everybody(&principal["AWS"]) || statement.get("NotPrincipal").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_and_public_policies_are_told_apart() {
        let good = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue",
            "Principal":{"AWS":"arn:aws:iam::123456789012:role/r"},"Resource":"*"}]}"#;
        assert_eq!(fault(good), None);
        assert!(check_not_public(good).is_ok());
        assert!(check_not_public(&good.replace("arn:aws:iam::123456789012:role/r", "*")).is_err());
        for bad in [
            "",
            "some policy",
            "[]",
            "{}",
            r#"{"Statement":[]}"#,
            r#"{"Statement":[{}]}"#,
            "{\"Statement\":1}",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        for name in ["Effect", "Principal", "Action", "Resource"] {
            assert!(fault(&good.replace(name, "Other")).is_some(), "{name}");
        }
        let deep = "[".repeat(100_000);
        assert!(check(&deep).is_err());
    }
}
