//! StartLifecyclePolicyPreview and GetLifecyclePolicyPreview.
//!
//! A preview keeps its policy and its moment; what it says is worked out when it is asked for, from the images of that
//! moment that are still there.

use super::lifecycle_policies::{no_policy, read};
use crate::errors::{invalid, nothing_of, store};
use crate::images::passes;
use crate::shapes::{
    GetLifecyclePolicyPreviewRequest, GetLifecyclePolicyPreviewResponse, ImageActionType, ImageIdentifier,
    LifecyclePolicyPreviewResult, LifecyclePolicyPreviewStatus as Status, LifecyclePolicyPreviewSummary,
    LifecyclePolicyRuleAction, LifecyclePolicyStorageClass, LifecyclePolicyTargetStorageClass,
    StartLifecyclePolicyPreviewRequest, StartLifecyclePolicyPreviewResponse, TransitioningImageTotalCount,
    errors,
};
use crate::{EcrService, paging};
use aws_wire::{RequestContext, ServiceError};
use lifecycle_policy::{Action, LifecyclePolicy, candidates, evaluate};
use resources::ecr::{
    Image, ImagePulls, ImageTag, LifecyclePolicyPreview, Repository, StorageClass, rows_of,
};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// How long a preview can be asked for.
const LIFE: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn start_lifecycle_policy_preview(
    service: &EcrService,
    context: &RequestContext,
    input: StartLifecyclePolicyPreviewRequest,
) -> Result<StartLifecyclePolicyPreviewResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let own = || found.lifecycle.as_ref().map(|policy| policy.text.clone());
    let text = input.lifecycle_policy_text.or_else(own).ok_or_else(|| no_policy(&found))?;
    read(&text)?;
    let preview = LifecyclePolicyPreview {
        account: found.account.clone(),
        repository: found.name.clone(),
        text: text.clone(),
        started_at: context.time,
    };
    service.tables.batch().put_any(&preview).commit().await.map_err(store)?;
    Ok(StartLifecyclePolicyPreviewResponse {
        registry_id: Some(found.account.to_string()),
        repository_name: Some(found.name.clone()),
        lifecycle_policy_text: Some(text),
        status: Some(Status::InProgress),
    })
}

pub(crate) async fn get_lifecycle_policy_preview(
    service: &EcrService,
    context: &RequestContext,
    input: GetLifecyclePolicyPreviewRequest,
) -> Result<GetLifecyclePolicyPreviewResponse, ServiceError> {
    let found = service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let key = rows_of(&found.account, &found.name);
    let preview = service.tables.get::<LifecyclePolicyPreview>(&key).await.map_err(store)?;
    let preview = preview.ok_or_else(|| {
        let shape = &errors::LIFECYCLE_POLICY_PREVIEW_NOT_FOUND_EXCEPTION;
        nothing_of(shape, "Lifecycle policy preview", &found)
    })?;
    let answer = GetLifecyclePolicyPreviewResponse {
        registry_id: Some(found.account.to_string()),
        repository_name: Some(found.name.clone()),
        lifecycle_policy_text: Some(preview.text.clone()),
        ..GetLifecyclePolicyPreviewResponse::default()
    };
    if context.time.since(preview.started_at) > LIFE {
        return Ok(GetLifecyclePolicyPreviewResponse { status: Some(Status::Expired), ..answer });
    }
    let policy = read(&preview.text)?;
    let all = results(service, &found, (&policy, &preview)).await?;
    let summary = summary(&all);
    let filter = input.filter.and_then(|filter| filter.tag_status);
    let wanted = match &input.image_ids {
        Some(ids) => Some(wanted(service, &found, ids).await?),
        None => None,
    };
    if wanted.is_some() && (input.max_results.is_some() || input.next_token.is_some()) {
        return Err(invalid("maxResults and nextToken cannot be used when imageIds is given."));
    }
    let shown: Vec<_> = all
        .into_iter()
        .filter(|result| passes(filter, result.image_tags.is_some()))
        .filter(|result| {
            let digest = result.image_digest.as_deref().unwrap_or_default();
            wanted.as_ref().is_none_or(|wanted| wanted.contains(digest))
        })
        .collect();
    let scope = format!("preview {} {} {filter:?}", found.name, preview.started_at.as_millis());
    let limit = input.max_results.or_else(|| wanted.as_ref().map(|_| 100));
    let page = paging::request(input.next_token.as_deref(), limit, scope)?;
    let (shown, next_token) = page.cut(shown, |result| result.image_digest.clone().unwrap_or_default());
    Ok(GetLifecyclePolicyPreviewResponse {
        status: Some(Status::Complete),
        preview_results: Some(shown),
        summary: Some(summary),
        next_token,
        ..answer
    })
}

/// Digests of the images that are asked for.
async fn wanted(
    service: &EcrService,
    repository: &Repository,
    ids: &[ImageIdentifier],
) -> Result<HashSet<String>, ServiceError> {
    let mut wanted = HashSet::new();
    for id in ids {
        if let Ok(image) = service.find_image(repository, id).await? {
            wanted.insert(image.digest.clone());
        }
    }
    Ok(wanted)
}

/// What the preview says of each image, by digest.
async fn results(
    service: &EcrService,
    repository: &Repository,
    (policy, preview): (&LifecyclePolicy, &LifecyclePolicyPreview),
) -> Result<Vec<LifecyclePolicyPreviewResult>, ServiceError> {
    let rows = rows_of(&repository.account, &repository.name);
    // What becomes of one image depends on all the others.
    let images = service.tables.list_all::<Image>(&rows).await.map_err(store)?;
    let tags = service.tables.list_all::<ImageTag>(&rows).await.map_err(store)?;
    let pulls = service.tables.list_all::<ImagePulls>(&rows).await.map_err(store)?;
    let mut candidates = candidates(
        images.iter().map(|image| &*image.value),
        tags.iter().map(|tag| &*tag.value),
        pulls.iter().map(|pulls| &*pulls.value),
    );
    candidates.retain(|image| image.pushed_at <= preview.started_at);
    let mut results = BTreeMap::new();
    for plan in evaluate(policy, &candidates, preview.started_at) {
        let image = &candidates[plan.image];
        let tags = image.tags.clone();
        let expires = plan.action == Action::Expire;
        let result = LifecyclePolicyPreviewResult {
            image_tags: (!tags.is_empty()).then_some(tags),
            image_digest: Some(image.digest.clone()),
            image_pushed_at: Some(image.pushed_at),
            action: Some(LifecyclePolicyRuleAction {
                r#type: Some(if expires { ImageActionType::Expire } else { ImageActionType::Transition }),
                target_storage_class: (!expires).then_some(LifecyclePolicyTargetStorageClass::Archive),
            }),
            applied_rule_priority: Some(plan.priority),
            storage_class: Some(match image.storage_class {
                StorageClass::Standard => LifecyclePolicyStorageClass::Standard,
                StorageClass::Archive => LifecyclePolicyStorageClass::Archive,
            }),
        };
        results.insert(image.digest.clone(), result);
    }
    Ok(results.into_values().collect())
}

fn summary(results: &[LifecyclePolicyPreviewResult]) -> LifecyclePolicyPreviewSummary {
    let expires = |result: &&LifecyclePolicyPreviewResult| {
        result.action.as_ref().and_then(|action| action.r#type) == Some(ImageActionType::Expire)
    };
    let expiring = results.iter().filter(expires).count();
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let transitioning = results.len() - expiring;
    LifecyclePolicyPreviewSummary {
        expiring_image_total_count: Some(number(expiring)),
        transitioning_image_total_counts: (transitioning > 0).then(|| {
            vec![TransitioningImageTotalCount {
                target_storage_class: Some(LifecyclePolicyTargetStorageClass::Archive),
                image_total_count: Some(number(transitioning)),
            }]
        }),
    }
}
