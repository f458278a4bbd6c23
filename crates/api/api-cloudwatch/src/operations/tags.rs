//! TagResource, UntagResource and ListTagsForResource: of alarms.

use crate::CloudWatchService;
use crate::alarm::merged_tags;
use crate::errors::{from_store, no_resource};
use crate::shapes::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use aws_wire::{RequestContext, ServiceError};
use identifiers::Arn;
use resources::cloudwatch::Alarm;
use store::Versioned;

/// The name of the alarm with an ARN.
pub fn alarm_name(context: &RequestContext, arn: &str) -> Option<String> {
    let parsed: Arn = arn.parse().ok()?;
    let own = parsed.service == "cloudwatch"
        && parsed.region == context.region.as_str()
        && parsed.account == context.account.as_str();
    parsed.resource.strip_prefix("alarm:").filter(|_| own).map(str::to_owned)
}

async fn alarm(
    service: &CloudWatchService,
    context: &RequestContext,
    arn: &str,
) -> Result<Versioned<Alarm>, ServiceError> {
    let name = alarm_name(context, arn).ok_or_else(|| no_resource(arn))?;
    service.alarm(context, &name).await?.ok_or_else(|| no_resource(arn))
}

/// Puts tags on an alarm.
pub async fn tag(
    service: &CloudWatchService,
    context: &RequestContext,
    input: TagResourceInput,
) -> Result<TagResourceOutput, ServiceError> {
    let old = alarm(service, context, &input.resource_arn).await?;
    let tags = merged_tags(input.tags, old.tags.clone())?;
    service
        .outbox
        .tables()
        .replace(&old, Alarm { tags, ..(*old.value).clone() })
        .await
        .map_err(from_store)?;
    Ok(TagResourceOutput::default())
}

/// Takes tags off an alarm.
pub async fn untag(
    service: &CloudWatchService,
    context: &RequestContext,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, ServiceError> {
    let old = alarm(service, context, &input.resource_arn).await?;
    let mut tags = old.tags.clone();
    tags.retain(|(key, _)| !input.tag_keys.contains(key));
    service
        .outbox
        .tables()
        .replace(&old, Alarm { tags, ..(*old.value).clone() })
        .await
        .map_err(from_store)?;
    Ok(UntagResourceOutput::default())
}

/// The tags of an alarm.
pub async fn list(
    service: &CloudWatchService,
    context: &RequestContext,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, ServiceError> {
    let alarm = alarm(service, context, &input.resource_arn).await?;
    let tags = alarm.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}
