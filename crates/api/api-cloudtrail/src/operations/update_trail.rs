//! UpdateTrail.

use crate::CloudTrailService;
use crate::errors::from_delivery;
use crate::shapes::{UpdateTrailRequest, UpdateTrailResponse};
use crate::trails::{Extras, check_bucket, check_prefix, check_regions};
use aws_wire::{RequestContext, ServiceError};

/// Changes a trail. What was recorded before is delivered first, as the trail was.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: UpdateTrailRequest,
) -> Result<UpdateTrailResponse, ServiceError> {
    let trail = service.require_trail(context, &input.name).await?;
    if let Some(bucket) = &input.s3_bucket_name {
        check_bucket(bucket)?;
    }
    if let Some(prefix) = input.s3_key_prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
        check_prefix(prefix)?;
    }
    check_regions(
        input.is_multi_region_trail.unwrap_or(trail.is_multi_region),
        input.include_global_service_events.unwrap_or(trail.include_global_service_events),
    )?;
    let extras = Extras {
        sns_topic: input.sns_topic_name.as_deref(),
        log_group: input.cloud_watch_logs_log_group_arn.as_deref(),
        log_role: input.cloud_watch_logs_role_arn.as_deref(),
        kms_key: input.kms_key_id.as_deref(),
        validation: input.enable_log_file_validation,
        organization: input.is_organization_trail,
    };
    extras.refuse()?;
    service.delivery.deliver_before_change(&trail).await;
    if let Some(bucket) = &input.s3_bucket_name {
        service.delivery.make_bucket(bucket).await.map_err(from_delivery)?;
    }
    let changed = service.change_trail(context, &input.name, |trail| {
        if let Some(bucket) = &input.s3_bucket_name {
            trail.bucket.clone_from(bucket);
        }
        if let Some(prefix) = &input.s3_key_prefix {
            trail.prefix = (!prefix.is_empty()).then(|| prefix.clone());
        }
        if let Some(include) = input.include_global_service_events {
            trail.include_global_service_events = include;
        }
        if let Some(multi) = input.is_multi_region_trail {
            trail.is_multi_region = multi;
        }
    });
    let trail = changed.await?;
    Ok(UpdateTrailResponse {
        name: Some(trail.name.clone()),
        s3_bucket_name: Some(trail.bucket.clone()),
        s3_key_prefix: trail.prefix.clone(),
        include_global_service_events: Some(trail.include_global_service_events),
        is_multi_region_trail: Some(trail.is_multi_region),
        trail_arn: Some(trail.arn()),
        log_file_validation_enabled: Some(false),
        is_organization_trail: Some(false),
        ..UpdateTrailResponse::default()
    })
}
