//! Resource policies: what is refused when one is put.

use crate::SecretsManagerService;
use crate::errors::{invalid_parameter, store};
use crate::shapes::errors::{MALFORMED_POLICY_DOCUMENT_EXCEPTION, PUBLIC_POLICY_EXCEPTION};
use access::BindError;
use aws_wire::{RequestContext, ServiceError};
use serde_json::Value;

impl SecretsManagerService {
    /// Refuses a policy that the engine which evaluates it would not take, and one for principals that do not exist.
    /// Returns it as it is kept.
    pub(crate) async fn bound_policy(
        &self,
        context: &RequestContext,
        text: &str,
    ) -> Result<String, ServiceError> {
        let bound = access::bind_resource_policy(&self.tables, &context.account, text).await;
        bound.map_err(|error| match error {
            BindError::Store(error) => store(error),
            BindError::NoPrincipal(_) => ServiceError::new(
                &MALFORMED_POLICY_DOCUMENT_EXCEPTION,
                "This resource policy contains an unsupported principal.",
            ),
            BindError::Malformed(error) => {
                ServiceError::new(&MALFORMED_POLICY_DOCUMENT_EXCEPTION, error.to_string())
            }
        })
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
    fn public_policies_are_told_apart() {
        let good = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue",
            "Principal":{"AWS":"arn:aws:iam::123456789012:role/r"},"Resource":"*"}]}"#;
        assert!(check_not_public(good).is_ok());
        assert!(check_not_public(&good.replace("arn:aws:iam::123456789012:role/r", "*")).is_err());
        assert!(check_not_public("").is_err());
    }
}
