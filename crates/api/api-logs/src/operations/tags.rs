//! TagResource, UntagResource and ListTagsForResource for log groups, and the older operations that take a group's name.

use crate::LogsService;
use crate::errors::{from_store, invalid, no_group};
use crate::lookup::group_name;
use crate::shapes::errors::TOO_MANY_TAGS_EXCEPTION;
use crate::shapes::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, ListTagsLogGroupRequest,
    ListTagsLogGroupResponse, TagLogGroupRequest, TagResourceRequest, UntagLogGroupRequest,
    UntagResourceRequest,
};
use aws_wire::{RequestContext, ServiceError};
use resources::logs::LogGroup;
use std::collections::BTreeMap;
use store::StoreError;

/// Most tags of a group.
const MOST_TAGS: usize = 50;

/// Why a change of tags ends.
enum Refused {
    TooMany,
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Adds tags, replacing those of the same key.
pub async fn tag(
    service: &LogsService,
    context: &RequestContext,
    input: TagResourceRequest,
) -> Result<(), ServiceError> {
    add(service, context, tagged(context, &input.resource_arn)?, &input.tags).await
}

/// The same for a group that is named.
pub async fn tag_group(
    service: &LogsService,
    context: &RequestContext,
    input: TagLogGroupRequest,
) -> Result<(), ServiceError> {
    add(service, context, &input.log_group_name, &input.tags).await
}

/// Removes tags; those that are not there are no error.
pub async fn untag(
    service: &LogsService,
    context: &RequestContext,
    input: UntagResourceRequest,
) -> Result<(), ServiceError> {
    remove(service, context, tagged(context, &input.resource_arn)?, &input.tag_keys).await
}

/// The same for a group that is named.
pub async fn untag_group(
    service: &LogsService,
    context: &RequestContext,
    input: UntagLogGroupRequest,
) -> Result<(), ServiceError> {
    remove(service, context, &input.log_group_name, &input.tags).await
}

/// The tags of a group.
pub async fn list(
    service: &LogsService,
    context: &RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let name = tagged(context, &input.resource_arn)?;
    let group = service.require_group(context, name).await?;
    Ok(ListTagsForResourceResponse { tags: Some(group.tags.clone()) })
}

/// The same for a group that is named.
pub async fn list_of_group(
    service: &LogsService,
    context: &RequestContext,
    input: ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse, ServiceError> {
    let group = service.require_group(context, &input.log_group_name).await?;
    Ok(ListTagsLogGroupResponse { tags: Some(group.tags.clone()) })
}

async fn add(
    service: &LogsService,
    context: &RequestContext,
    name: &str,
    tags: &BTreeMap<String, String>,
) -> Result<(), ServiceError> {
    if tags.keys().any(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(invalid("Tag keys beginning with aws: are reserved for AWS."));
    }
    change(service, context, name, |group| group.tags.extend(tags.clone())).await
}

async fn remove(
    service: &LogsService,
    context: &RequestContext,
    name: &str,
    keys: &[String],
) -> Result<(), ServiceError> {
    change(service, context, name, |group| group.tags.retain(|key, _| !keys.contains(key))).await
}

async fn change(
    service: &LogsService,
    context: &RequestContext,
    name: &str,
    change: impl Fn(&mut LogGroup),
) -> Result<(), ServiceError> {
    let key = LogGroup::key_of(context.account.as_str(), name);
    let changed = service.tables.update(&key, |old: &LogGroup| {
        let mut group = old.clone();
        change(&mut group);
        if group.tags.len() > MOST_TAGS { Err(Refused::TooMany) } else { Ok(Some(group)) }
    });
    match changed.await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(no_group()),
        Err(Refused::Store(error)) => Err(from_store(error)),
        Err(Refused::TooMany) => Err(ServiceError::new(
            &TOO_MANY_TAGS_EXCEPTION,
            format!("A log group can have at most {MOST_TAGS} tags."),
        )),
    }
}

fn tagged<'a>(context: &RequestContext, arn: &'a str) -> Result<&'a str, ServiceError> {
    if !arn.starts_with("arn:") {
        return Err(invalid("The specified resource ARN is invalid."));
    }
    group_name(context, arn)
}
