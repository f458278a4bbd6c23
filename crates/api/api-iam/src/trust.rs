//! Trust policies name principals, and those of the own account must exist.
//!
//! AWS refuses a trust policy whose user or role is not there. Principals of other accounts are taken as they are: only
//! some accounts are kept in this region, and nobody can look into the others.

use crate::IamService;
use crate::documents::{check_trust, size};
use crate::errors::{Failure, malformed, over_quota};
use crate::quotas;
use aws_wire::RequestContext;
use resources::iam::{Role, User, key_of, name_of};
use serde_json::Value;

impl IamService {
    /// Checks the trust policy of a role: its form, its size, and whom it names.
    pub(crate) async fn check_trust(&self, context: &RequestContext, document: &str) -> Result<(), Failure> {
        check_trust(document)?;
        if size(document) > quotas::TRUST_POLICY_SIZE {
            return Err(over_quota("ACLSizePerRole", quotas::TRUST_POLICY_SIZE));
        }
        for arn in principals(document) {
            if !self.principal_exists(context, &arn).await? {
                return Err(malformed(format_args!("Invalid principal in policy: \"AWS\":\"{arn}\"")));
            }
        }
        Ok(())
    }

    async fn principal_exists(&self, context: &RequestContext, arn: &str) -> Result<bool, Failure> {
        let account = &context.account;
        if let Some(name) = name_of(arn, account, "user") {
            let found = self.tables.get::<User>(&key_of(account, name)).await?;
            return Ok(found.is_some_and(|user| user.arn() == arn));
        }
        if let Some(name) = name_of(arn, account, "role") {
            let found = self.tables.get::<Role>(&key_of(account, name)).await?;
            return Ok(found.is_some_and(|role| role.arn() == arn));
        }
        Ok(true)
    }
}

/// What stands under `"AWS"` in the principals of a document that is known to be a policy.
fn principals(document: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(document).unwrap_or_default();
    let mut found = Vec::new();
    for statement in one_or_many(&document["Statement"]) {
        for principal in one_or_many(&statement["Principal"]["AWS"]) {
            found.extend(principal.as_str().map(str::to_owned));
        }
    }
    found
}

fn one_or_many(value: &Value) -> &[Value] {
    match value {
        Value::Array(many) => many,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests {
    use super::principals;

    #[test]
    fn principals_are_found_alone_and_in_lists() {
        let one = r#"{"Statement":{"Principal":{"AWS":"a","Service":"x"}}}"#;
        assert_eq!(principals(one), ["a"]);
        let many = r#"{"Statement":[{"Principal":{"AWS":["a","b"]}},{"Principal":"*"},{}]}"#;
        assert_eq!(principals(many), ["a", "b"]);
    }
}
