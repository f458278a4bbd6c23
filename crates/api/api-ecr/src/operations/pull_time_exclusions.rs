//! RegisterPullTimeUpdateExclusion, DeregisterPullTimeUpdateExclusion and ListPullTimeUpdateExclusions.

use crate::shapes::{
    DeregisterPullTimeUpdateExclusionRequest, DeregisterPullTimeUpdateExclusionResponse,
    ListPullTimeUpdateExclusionsRequest, ListPullTimeUpdateExclusionsResponse,
    RegisterPullTimeUpdateExclusionRequest, RegisterPullTimeUpdateExclusionResponse, errors,
};
use crate::{EcrService, paging};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::PullTimeExclusion;

/// Most principals whose pulls are not recorded.
const MOST: usize = 100;

pub(crate) async fn register_pull_time_update_exclusion(
    service: &EcrService,
    context: &RequestContext,
    input: RegisterPullTimeUpdateExclusionRequest,
) -> Result<RegisterPullTimeUpdateExclusionResponse, ServiceError> {
    let principal_arn = input.principal_arn;
    let changed = service.change_registry(&context.account, |registry| {
        let exclusions = &mut registry.pull_time_exclusions;
        if exclusions.iter().any(|exclusion| exclusion.principal_arn == principal_arn) {
            let text =
                format!("The pull time update exclusion for principal '{principal_arn}' already exists.");
            return Err(ServiceError::new(&errors::EXCLUSION_ALREADY_EXISTS_EXCEPTION, text));
        }
        if exclusions.len() >= MOST {
            let text = format!("A registry has at most {MOST} pull time update exclusions.");
            return Err(ServiceError::new(&errors::LIMIT_EXCEEDED_EXCEPTION, text));
        }
        exclusions.push(PullTimeExclusion { principal_arn: principal_arn.clone(), created_at: context.time });
        exclusions.sort_by(|a, b| a.principal_arn.cmp(&b.principal_arn));
        Ok(())
    });
    changed.await?;
    Ok(RegisterPullTimeUpdateExclusionResponse {
        principal_arn: Some(principal_arn),
        created_at: Some(context.time),
    })
}

pub(crate) async fn deregister_pull_time_update_exclusion(
    service: &EcrService,
    context: &RequestContext,
    input: DeregisterPullTimeUpdateExclusionRequest,
) -> Result<DeregisterPullTimeUpdateExclusionResponse, ServiceError> {
    let principal_arn = input.principal_arn;
    let changed = service.change_registry(&context.account, |registry| {
        let before = registry.pull_time_exclusions.len();
        registry.pull_time_exclusions.retain(|exclusion| exclusion.principal_arn != principal_arn);
        if registry.pull_time_exclusions.len() == before {
            let text =
                format!("The pull time update exclusion for principal '{principal_arn}' does not exist.");
            return Err(ServiceError::new(&errors::EXCLUSION_NOT_FOUND_EXCEPTION, text));
        }
        Ok(())
    });
    changed.await?;
    Ok(DeregisterPullTimeUpdateExclusionResponse { principal_arn: Some(principal_arn) })
}

pub(crate) async fn list_pull_time_update_exclusions(
    service: &EcrService,
    context: &RequestContext,
    input: ListPullTimeUpdateExclusionsRequest,
) -> Result<ListPullTimeUpdateExclusionsResponse, ServiceError> {
    let page = paging::request(input.next_token.as_deref(), input.max_results, "exclusions".to_owned())?;
    let registry = service.registry_of(&context.account).await?;
    let arns = registry.pull_time_exclusions.into_iter().map(|exclusion| exclusion.principal_arn).collect();
    let (arns, next_token) = page.cut(arns, String::clone);
    Ok(ListPullTimeUpdateExclusionsResponse { pull_time_update_exclusions: Some(arns), next_token })
}
