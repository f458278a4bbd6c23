//! CreateTrail.

use crate::CloudTrailService;
use crate::errors::{from_delivery, from_store, refused};
use crate::operations::tags;
use crate::shapes::errors::{MAXIMUM_NUMBER_OF_TRAILS_EXCEEDED_EXCEPTION, TRAIL_ALREADY_EXISTS_EXCEPTION};
use crate::shapes::{CreateTrailRequest, CreateTrailResponse};
use crate::trails::{Extras, check_bucket, check_name, check_prefix, check_regions};
use aws_wire::{RequestContext, ServiceError};
use resources::cloudtrail::{Delivery, Trail};
use std::collections::BTreeMap;
use store::StoreError;

/// Most trails of an account in a region.
const MOST_TRAILS: usize = 5;

/// Makes a trail that does not log yet.
pub(crate) async fn run(
    service: &CloudTrailService,
    context: &RequestContext,
    input: CreateTrailRequest,
) -> Result<CreateTrailResponse, ServiceError> {
    check_name(&input.name)?;
    check_bucket(&input.s3_bucket_name)?;
    let prefix = input.s3_key_prefix.filter(|prefix| !prefix.is_empty());
    if let Some(prefix) = &prefix {
        check_prefix(prefix)?;
    }
    let include_global = input.include_global_service_events.unwrap_or(true);
    let is_multi_region = input.is_multi_region_trail.unwrap_or(false);
    check_regions(is_multi_region, include_global)?;
    let extras = Extras {
        sns_topic: input.sns_topic_name.as_deref(),
        log_group: input.cloud_watch_logs_log_group_arn.as_deref(),
        log_role: input.cloud_watch_logs_role_arn.as_deref(),
        kms_key: input.kms_key_id.as_deref(),
        validation: input.enable_log_file_validation,
        organization: input.is_organization_trail,
    };
    extras.refuse()?;
    let tags = tags::read(&input.tags_list.unwrap_or_default())?;
    let tags = tags::joined(&BTreeMap::new(), &tags)?;
    check_number(service, context).await?;
    let trail = Trail {
        account: context.account.to_string(),
        name: input.name,
        id: service.tables.environment().random_hex(16),
        home_region: context.region.to_string(),
        bucket: input.s3_bucket_name,
        prefix,
        include_global_service_events: include_global,
        is_multi_region,
        created_at: context.time,
        is_logging: false,
        started_at: None,
        stopped_at: None,
        selectors: None,
        tags,
        delivery: Delivery::default(),
    };
    service.delivery.make_bucket(&trail.bucket).await.map_err(from_delivery)?;
    let trail = service.tables.create(trail.clone()).await.map_err(|error| match error {
        StoreError::AlreadyExists(_) => {
            let text = format!("Trail {} already exists for customer: {}", trail.name, context.account);
            refused(&TRAIL_ALREADY_EXISTS_EXCEPTION, text)
        }
        error => from_store(error),
    })?;
    Ok(CreateTrailResponse {
        name: Some(trail.name.clone()),
        s3_bucket_name: Some(trail.bucket.clone()),
        s3_key_prefix: trail.prefix.clone(),
        include_global_service_events: Some(trail.include_global_service_events),
        is_multi_region_trail: Some(trail.is_multi_region),
        trail_arn: Some(trail.arn()),
        log_file_validation_enabled: Some(false),
        is_organization_trail: Some(false),
        ..CreateTrailResponse::default()
    })
}

async fn check_number(service: &CloudTrailService, context: &RequestContext) -> Result<(), ServiceError> {
    let prefix = Trail::key_of(context.account.as_str(), "");
    let trails = service.tables.list_all::<Trail>(&prefix).await.map_err(from_store)?;
    if trails.len() < MOST_TRAILS {
        return Ok(());
    }
    let text = format!("User: {} already has {MOST_TRAILS} trails in {}.", context.account, context.region);
    Err(refused(&MAXIMUM_NUMBER_OF_TRAILS_EXCEEDED_EXCEPTION, text))
}
