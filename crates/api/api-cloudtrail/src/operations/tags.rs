//! AddTags, RemoveTags and ListTags, for trails.

use crate::CloudTrailService;
use crate::errors::{from_store, no_trail, refused};
use crate::shapes::errors::{
    CLOUD_TRAIL_ARN_INVALID_EXCEPTION, INVALID_TAG_PARAMETER_EXCEPTION, TAGS_LIMIT_EXCEEDED_EXCEPTION,
};
use crate::shapes::{
    AddTagsRequest, AddTagsResponse, ListTagsRequest, ListTagsResponse, RemoveTagsRequest,
    RemoveTagsResponse, ResourceTag, Tag,
};
use crate::trails::key;
use aws_wire::{RequestContext, ServiceError};
use resources::cloudtrail::Trail;
use std::collections::BTreeMap;
use store::StoreError;

/// Most tags of a trail.
const MOST_TAGS: usize = 50;
/// Most trails whose tags one call lists.
const MOST_LISTED: usize = 20;

/// Tags by key; a tag may have no value.
pub(crate) type Tags = BTreeMap<String, Option<String>>;

/// Why a change of tags ends.
enum Failed {
    Refused(ServiceError),
    Store(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Reads tags, each key once.
pub(crate) fn read(tags: &[Tag]) -> Result<Tags, ServiceError> {
    let invalid = |text: String| Err(refused(&INVALID_TAG_PARAMETER_EXCEPTION, text));
    let mut read = Tags::new();
    for tag in tags {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return invalid("Tag keys that begin with aws: are reserved.".to_owned());
        }
        if read.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return invalid(format!("The tag key {} is given twice.", tag.key));
        }
    }
    Ok(read)
}

/// Old tags and new ones.
pub(crate) fn joined(old: &Tags, new: &Tags) -> Result<Tags, ServiceError> {
    let mut tags = old.clone();
    tags.extend(new.clone());
    if tags.len() > MOST_TAGS {
        let text = format!("A trail can have at most {MOST_TAGS} tags.");
        return Err(refused(&TAGS_LIMIT_EXCEEDED_EXCEPTION, text));
    }
    Ok(tags)
}

/// Adds tags, replacing those of the same key.
pub(crate) async fn add(
    service: &CloudTrailService,
    context: &RequestContext,
    input: AddTagsRequest,
) -> Result<AddTagsResponse, ServiceError> {
    let new = read(&input.tags_list)?;
    change(service, context, &input.resource_id, |old| joined(old, &new)).await?;
    Ok(AddTagsResponse {})
}

/// Removes tags by key, and by value where one is given; those that are not there are no error.
pub(crate) async fn remove(
    service: &CloudTrailService,
    context: &RequestContext,
    input: RemoveTagsRequest,
) -> Result<RemoveTagsResponse, ServiceError> {
    let gone = |key: &String, value: &Option<String>| {
        input.tags_list.iter().any(|tag| tag.key == *key && (tag.value.is_none() || tag.value == *value))
    };
    change(service, context, &input.resource_id, |old| {
        let mut tags = old.clone();
        tags.retain(|key, value| !gone(key, value));
        Ok(tags)
    })
    .await?;
    Ok(RemoveTagsResponse {})
}

/// The tags of trails.
pub(crate) async fn list(
    service: &CloudTrailService,
    context: &RequestContext,
    input: ListTagsRequest,
) -> Result<ListTagsResponse, ServiceError> {
    if input.resource_id_list.len() > MOST_LISTED {
        let text = format!("The tags of at most {MOST_LISTED} trails can be listed at once.");
        return Err(refused(&INVALID_TAG_PARAMETER_EXCEPTION, text));
    }
    let mut listed = Vec::new();
    for arn in input.resource_id_list {
        let key = tagged(context, &arn)?;
        let trail = service.tables.get::<Trail>(&key).await.map_err(from_store)?;
        let trail = trail.ok_or_else(|| no_trail(context, &arn))?;
        let tags = trail.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() });
        listed.push(ResourceTag { resource_id: Some(arn), tags_list: Some(tags.collect()) });
    }
    Ok(ListTagsResponse { resource_tag_list: Some(listed), next_token: None })
}

async fn change(
    service: &CloudTrailService,
    context: &RequestContext,
    arn: &str,
    change: impl Fn(&Tags) -> Result<Tags, ServiceError>,
) -> Result<(), ServiceError> {
    let key = tagged(context, arn)?;
    let changed = service.tables.update(&key, |old: &Trail| {
        let tags = change(&old.tags).map_err(Failed::Refused)?;
        Ok(Some(Trail { tags, ..old.clone() }))
    });
    match changed.await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(no_trail(context, arn)),
        Err(Failed::Store(error)) => Err(from_store(error)),
        Err(Failed::Refused(error)) => Err(error),
    }
}

/// The key of the trail with an ARN; a name will not do here.
fn tagged(context: &RequestContext, arn: &str) -> Result<String, ServiceError> {
    if !arn.starts_with("arn:") {
        let text = format!("The ARN {arn} is not the ARN of a trail.");
        return Err(refused(&CLOUD_TRAIL_ARN_INVALID_EXCEPTION, text));
    }
    key(context, arn)
}
