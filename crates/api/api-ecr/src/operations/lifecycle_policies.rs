//! PutLifecyclePolicy, GetLifecyclePolicy and DeleteLifecyclePolicy.

use crate::EcrService;
use crate::errors::{invalid_at, nothing_of};
use crate::shapes::{
    DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse, GetLifecyclePolicyRequest,
    GetLifecyclePolicyResponse, PutLifecyclePolicyRequest, PutLifecyclePolicyResponse, errors,
};
use aws_wire::{RequestContext, ServiceError};
use lifecycle_policy::LifecyclePolicy;
use resources::ecr::{LifecyclePolicyText, Repository};

/// Reads a policy, or says what is wrong with it.
pub(crate) fn read(text: &str) -> Result<LifecyclePolicy, ServiceError> {
    LifecyclePolicy::parse(text).map_err(|error| invalid_at("LifecyclePolicyText", &error.to_string()))
}

pub(crate) async fn put_lifecycle_policy(
    service: &EcrService,
    context: &RequestContext,
    input: PutLifecyclePolicyRequest,
) -> Result<PutLifecyclePolicyResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let text = input.lifecycle_policy_text;
    read(&text)?;
    let changed = service
        .change(&found, |repository| {
            let (text, put_at) = (text.clone(), context.time);
            repository.lifecycle = Some(LifecyclePolicyText { text, put_at, evaluated_at: None });
        })
        .await?;
    Ok(PutLifecyclePolicyResponse {
        registry_id: Some(changed.account.to_string()),
        repository_name: Some(changed.name.clone()),
        lifecycle_policy_text: Some(text),
    })
}

pub(crate) async fn get_lifecycle_policy(
    service: &EcrService,
    context: &RequestContext,
    input: GetLifecyclePolicyRequest,
) -> Result<GetLifecyclePolicyResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let policy = found.lifecycle.clone().ok_or_else(|| no_policy(&found))?;
    Ok(GetLifecyclePolicyResponse {
        registry_id: Some(found.account.to_string()),
        repository_name: Some(found.name.clone()),
        last_evaluated_at: Some(policy.evaluated_at.unwrap_or(policy.put_at)),
        lifecycle_policy_text: Some(policy.text),
    })
}

pub(crate) async fn delete_lifecycle_policy(
    service: &EcrService,
    context: &RequestContext,
    input: DeleteLifecyclePolicyRequest,
) -> Result<DeleteLifecyclePolicyResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let policy = found.lifecycle.clone().ok_or_else(|| no_policy(&found))?;
    service.change(&found, |repository| repository.lifecycle = None).await?;
    Ok(DeleteLifecyclePolicyResponse {
        registry_id: Some(found.account.to_string()),
        repository_name: Some(found.name.clone()),
        last_evaluated_at: Some(policy.evaluated_at.unwrap_or(policy.put_at)),
        lifecycle_policy_text: Some(policy.text),
    })
}

pub(crate) fn no_policy(repository: &Repository) -> ServiceError {
    nothing_of(&errors::LIFECYCLE_POLICY_NOT_FOUND_EXCEPTION, "Lifecycle policy", repository)
}
