//! PutRegistryPolicy, GetRegistryPolicy and DeleteRegistryPolicy.

use crate::EcrService;
use crate::errors::invalid_at;
use crate::operations::account_settings::{POLICY_SCOPE, V1};
use crate::shapes::{
    DeleteRegistryPolicyRequest, DeleteRegistryPolicyResponse, GetRegistryPolicyRequest,
    GetRegistryPolicyResponse, PutRegistryPolicyRequest, PutRegistryPolicyResponse, errors,
};
use aws_wire::{RequestContext, ServiceError};
use serde_json::Value;

/// The actions that a registry policy of the first scope is about.
const FIRST_SCOPE: [&str; 3] = ["ecr:ReplicateImage", "ecr:CreateRepository", "ecr:BatchImportUpstreamImage"];

pub(crate) async fn put_registry_policy(
    service: &EcrService,
    context: &RequestContext,
    input: PutRegistryPolicyRequest,
) -> Result<PutRegistryPolicyResponse, ServiceError> {
    let policy = service.bound_policy(context, &input.policy_text, "registry").await?;
    let registry = service.registry_of(&context.account).await?;
    let narrow = registry.settings.get(POLICY_SCOPE).is_some_and(|scope| scope == V1);
    if !names_resources(&policy) || (narrow && !is_of_first_scope(&policy)) {
        return Err(invalid_at("PolicyText", "Invalid registry policy provided"));
    }
    let changed = service.change_registry(&context.account, |registry| {
        registry.policy = Some(policy.clone());
        Ok(())
    });
    changed.await?;
    Ok(PutRegistryPolicyResponse {
        registry_id: Some(context.account.to_string()),
        policy_text: Some(service.shown_policy(&policy).await?),
    })
}

pub(crate) async fn get_registry_policy(
    service: &EcrService,
    context: &RequestContext,
    _input: GetRegistryPolicyRequest,
) -> Result<GetRegistryPolicyResponse, ServiceError> {
    let registry = service.registry_of(&context.account).await?;
    let policy = registry.policy.ok_or_else(|| no_policy(context))?;
    Ok(GetRegistryPolicyResponse {
        registry_id: Some(context.account.to_string()),
        policy_text: Some(service.shown_policy(&policy).await?),
    })
}

pub(crate) async fn delete_registry_policy(
    service: &EcrService,
    context: &RequestContext,
    _input: DeleteRegistryPolicyRequest,
) -> Result<DeleteRegistryPolicyResponse, ServiceError> {
    let policy = service.registry_of(&context.account).await?.policy.ok_or_else(|| no_policy(context))?;
    let changed = service.change_registry(&context.account, |registry| {
        registry.policy = None;
        Ok(())
    });
    changed.await?;
    Ok(DeleteRegistryPolicyResponse {
        registry_id: Some(context.account.to_string()),
        policy_text: Some(service.shown_policy(&policy).await?),
    })
}

fn no_policy(context: &RequestContext) -> ServiceError {
    let text = format!("Registry policy does not exist in the registry with id '{}'", context.account);
    ServiceError::new(&errors::REGISTRY_POLICY_NOT_FOUND_EXCEPTION, text)
}

fn statements(policy: &str) -> Vec<Value> {
    let mut document: Value = serde_json::from_str(policy).unwrap_or_default();
    match document["Statement"].take() {
        Value::Array(statements) => statements,
        statement => vec![statement],
    }
}

/// A registry has many repositories, so its policy says which it is about.
fn names_resources(policy: &str) -> bool {
    let named =
        |statement: &Value| statement.get("Resource").is_some() || statement.get("NotResource").is_some();
    statements(policy).iter().all(named)
}

fn is_of_first_scope(policy: &str) -> bool {
    let fits = |action: &Value| {
        action.as_str().is_some_and(|action| FIRST_SCOPE.iter().any(|one| one.eq_ignore_ascii_case(action)))
    };
    statements(policy).iter().all(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.iter().all(fits),
        action => fits(action),
    })
}
