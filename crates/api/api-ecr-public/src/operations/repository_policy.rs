//! SetRepositoryPolicy, GetRepositoryPolicy and DeleteRepositoryPolicy.

use crate::EcrPublicService;
use crate::errors::{invalid, nothing_of};
use crate::repositories::repository_arn;
use crate::shapes::{
    DeleteRepositoryPolicyRequest, DeleteRepositoryPolicyResponse, GetRepositoryPolicyRequest,
    GetRepositoryPolicyResponse, SetRepositoryPolicyRequest, SetRepositoryPolicyResponse, errors,
};
use access::{Asked, Caller, RequestFacts};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::Repository;

pub(crate) async fn set_repository_policy(
    service: &EcrPublicService,
    context: &RequestContext,
    input: SetRepositoryPolicyRequest,
) -> Result<SetRepositoryPolicyResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let policy = service.bound_policy(context, &input.policy_text).await?;
    if input.force != Some(true) && locks_out(service, context, &found, &policy).await {
        return Err(invalid(
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy would not let the caller set \
             another one; use force to set it all the same'",
        ));
    }
    let changed = service.change(&found, |repository| repository.policy = Some(policy.clone())).await?;
    Ok(SetRepositoryPolicyResponse {
        registry_id: Some(changed.account.to_string()),
        repository_name: Some(changed.given_name().to_owned()),
        policy_text: Some(service.shown_policy(&policy).await?),
    })
}

/// Whether the caller could not put another policy in place of this one. The root always finds a way.
async fn locks_out(
    service: &EcrPublicService,
    context: &RequestContext,
    repository: &Repository,
    policy: &str,
) -> bool {
    let Some(caller) = context.extensions.get::<Caller>() else { return false };
    let arn = repository_arn(repository);
    let asked =
        [Asked { resource_policy: Some(policy), ..Asked::new("ecr-public:SetRepositoryPolicy", &arn) }];
    let facts = RequestFacts {
        time: context.time,
        source_ip: context.source_ip,
        region: context.region.as_str(),
        user_agent: None,
        secure_transport: false,
    };
    service.access.authorize(caller, &asked, &facts).await.is_err()
}

pub(crate) async fn get_repository_policy(
    service: &EcrPublicService,
    context: &RequestContext,
    input: GetRepositoryPolicyRequest,
) -> Result<GetRepositoryPolicyResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let policy = found.policy.as_deref().ok_or_else(|| no_policy(&found))?;
    Ok(GetRepositoryPolicyResponse {
        registry_id: Some(found.account.to_string()),
        repository_name: Some(found.given_name().to_owned()),
        policy_text: Some(service.shown_policy(policy).await?),
    })
}

pub(crate) async fn delete_repository_policy(
    service: &EcrPublicService,
    context: &RequestContext,
    input: DeleteRepositoryPolicyRequest,
) -> Result<DeleteRepositoryPolicyResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let policy = found.policy.as_deref().ok_or_else(|| no_policy(&found))?;
    service.change(&found, |repository| repository.policy = None).await?;
    Ok(DeleteRepositoryPolicyResponse {
        registry_id: Some(found.account.to_string()),
        repository_name: Some(found.given_name().to_owned()),
        policy_text: Some(service.shown_policy(policy).await?),
    })
}

fn no_policy(repository: &Repository) -> ServiceError {
    nothing_of(&errors::REPOSITORY_POLICY_NOT_FOUND_EXCEPTION, "Repository policy", repository)
}
