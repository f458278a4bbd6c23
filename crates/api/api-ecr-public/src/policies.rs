//! Policies of repositories, which say who else may push: checked when they are put, by ARN again when they are shown.

use crate::EcrPublicService;
use crate::errors::{invalid_at, store};
use access::BindError;
use aws_wire::{RequestContext, ServiceError};
use serde_json::Value;

impl EcrPublicService {
    /// A policy as it is kept, if it is one.
    pub(crate) async fn bound_policy(
        &self,
        context: &RequestContext,
        text: &str,
    ) -> Result<String, ServiceError> {
        let refused = || invalid_at("PolicyText", "Invalid repository policy provided");
        if !is_about_public(text) {
            return Err(refused());
        }
        let bound = access::bind_resource_policy(&self.tables, &context.account, text).await;
        bound.map_err(|error| match error {
            BindError::Store(error) => store(error),
            BindError::NoPrincipal(_) | BindError::Malformed(_) => refused(),
        })
    }

    /// A kept policy as it is shown.
    pub(crate) async fn shown_policy(&self, kept: &str) -> Result<String, ServiceError> {
        access::show_principals(&self.tables, kept).await.map_err(store)
    }
}

/// Whether all actions are those of the public registry. What is not JSON is left to the check of the language.
fn is_about_public(text: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return true };
    let statements = match &document["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        statement => vec![statement],
    };
    let fits = |action: &Value| {
        let text = action.as_str().unwrap_or_default().to_ascii_lowercase();
        text == "*" || text.starts_with("ecr-public:")
    };
    statements.into_iter().flat_map(|statement| [&statement["Action"], &statement["NotAction"]]).all(
        |actions| match actions {
            Value::Array(actions) => actions.iter().all(fits),
            Value::Null => true,
            action => fits(action),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_of_other_services_are_refused() {
        for (action, fits) in [
            (r#""ecr-public:PutImage""#, true),
            (r#"["ecr-public:*","ECR-PUBLIC:PutImage"]"#, true),
            (r#""ecr:PutImage""#, false),
            (r#""*""#, true),
            (r#""s3:GetObject""#, false),
            (r#"["ecr-public:PutImage","iam:PassRole"]"#, false),
            ("1", false),
        ] {
            let one = format!(r#"{{"Statement":{{"Action":{action}}}}}"#);
            let list =
                format!(r#"{{"Statement":[{{"Action":"ecr-public:PutImage"}},{{"NotAction":{action}}}]}}"#);
            assert_eq!((is_about_public(&one), is_about_public(&list)), (fits, fits), "{action}");
        }
    }
}
