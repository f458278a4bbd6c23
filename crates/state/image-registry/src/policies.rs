//! The policy that holds for a repository: its own and that of its registry, as one document.

use crate::ImageRegistry;
use identifiers::AccountId;
use resources::ecr::{Registry, Repository};
use serde_json::{Value, json};
use std::sync::Arc;
use store::StoreError;

impl ImageRegistry {
    /// What other accounts may do with a repository, and what nobody may; `None` when nothing is said.
    pub async fn policy_of(
        &self,
        account: &AccountId,
        repository: Option<&Repository>,
    ) -> Result<Option<Arc<str>>, StoreError> {
        let registry = self.tables.get::<Registry>(account.as_str()).await?;
        let registry = registry.as_ref().and_then(|registry| registry.policy.as_deref());
        let own = repository.and_then(|repository| repository.policy.as_deref());
        Ok(match (registry, own) {
            (Some(registry), Some(own)) => Some(joined(registry, own).into()),
            (one, other) => one.or(other).map(Into::into),
        })
    }
}

/// The statements of both, without their names, which might be the same.
fn joined(registry: &str, own: &str) -> String {
    let mut all = Vec::new();
    for text in [registry, own] {
        // Both were checked when they were put.
        let mut document: Value = serde_json::from_str(text).unwrap_or_default();
        match document["Statement"].take() {
            Value::Array(statements) => all.extend(statements),
            statement => all.push(statement),
        }
    }
    for statement in &mut all {
        if let Some(statement) = statement.as_object_mut() {
            statement.remove("Sid");
        }
    }
    json!({"Version": "2012-10-17", "Statement": all}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_both() {
        let one = r#"{"Version":"2012-10-17","Statement":{"Sid":"a","Effect":"Allow"}}"#;
        let two = r#"{"Statement":[{"Sid":"a","Effect":"Deny"}]}"#;
        assert_eq!(
            joined(one, two),
            r#"{"Statement":[{"Effect":"Allow"},{"Effect":"Deny"}],"Version":"2012-10-17"}"#
        );
    }
}
