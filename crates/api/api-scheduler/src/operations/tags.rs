//! TagResource, UntagResource, ListTagsForResource: of groups.

use crate::SchedulerService;
use crate::errors::{invalid, not_found, store};
use crate::names::group_name;
use crate::shapes::{
    ListTagsForResourceInput, ListTagsForResourceOutput, Tag, TagResourceInput, TagResourceOutput,
    UntagResourceInput, UntagResourceOutput,
};
use aws_wire::{RequestContext, ServiceError};

/// Most tags of a group.
const MOST: usize = 50;

type Tags = Vec<(String, String)>;

/// Tags with those given put over those there were.
pub(crate) fn read(given: Vec<Tag>, mut tags: Tags) -> Result<Tags, ServiceError> {
    for Tag { key, value } in given {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that start with aws: are reserved for AWS use."));
        }
        match tags.iter_mut().find(|(own, _)| *own == key) {
            Some((_, own)) => *own = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MOST {
        return Err(invalid("A schedule group can have at most 50 tags."));
    }
    Ok(tags)
}

impl SchedulerService {
    /// Changes the tags of a group; the default one gets its row by it.
    async fn change_tags(
        &self,
        context: &RequestContext,
        arn: &str,
        change: impl Fn(Tags) -> Result<Tags, ServiceError>,
    ) -> Result<(), ServiceError> {
        let name = named(context, arn)?;
        let mut group = self.group(context, &name).await?;
        group.tags = change(group.tags)?;
        group.modified_at = context.time;
        if let Some(old) = self.group_row(context, &name).await? {
            self.tables.replace(&old, group).await.map_err(store)?;
        } else {
            group.created_at = context.time;
            self.tables.create(group).await.map_err(store)?;
        }
        Ok(())
    }
}

fn named(context: &RequestContext, arn: &str) -> Result<String, ServiceError> {
    group_name(context, arn).ok_or_else(|| not_found(format!("Schedule group {arn} does not exist.")))
}

pub(crate) async fn tag(
    service: &SchedulerService,
    context: &RequestContext,
    input: TagResourceInput,
) -> Result<TagResourceOutput, ServiceError> {
    service.change_tags(context, &input.resource_arn, |tags| read(input.tags.clone(), tags)).await?;
    Ok(TagResourceOutput::default())
}

pub(crate) async fn untag(
    service: &SchedulerService,
    context: &RequestContext,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, ServiceError> {
    let change = |mut tags: Tags| {
        tags.retain(|(key, _)| !input.tag_keys.contains(key));
        Ok(tags)
    };
    service.change_tags(context, &input.resource_arn, change).await?;
    Ok(UntagResourceOutput::default())
}

pub(crate) async fn list(
    service: &SchedulerService,
    context: &RequestContext,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, ServiceError> {
    let group = service.group(context, &named(context, &input.resource_arn)?).await?;
    let tags = group.tags.into_iter().map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceOutput { tags: Some(tags.collect()) })
}
