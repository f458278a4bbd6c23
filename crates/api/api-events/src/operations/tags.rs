//! TagResource, UntagResource, ListTagsForResource: of buses and rules.

use crate::EventsService;
use crate::errors::{invalid, not_found, store};
use crate::names::own;
use crate::shapes::{
    ListTagsForResourceRequest, ListTagsForResourceResponse, Tag, TagResourceRequest, TagResourceResponse,
    UntagResourceRequest, UntagResourceResponse,
};
use aws_wire::{RequestContext, ServiceError};
use resources::events::{DEFAULT_BUS, Rule};

/// Most tags of a resource.
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
        return Err(invalid("A resource can have at most 50 tags."));
    }
    Ok(tags)
}

/// What has tags.
pub(crate) enum Tagged {
    Bus(String),
    /// Its bus and its name.
    Rule(String, String),
}

/// The resource of an ARN.
pub(crate) fn tagged(context: &RequestContext, arn: &str) -> Result<Tagged, ServiceError> {
    if let Some(bus) = own(context, arn, "event-bus") {
        return Ok(Tagged::Bus(bus));
    }
    match own(context, arn, "rule") {
        Some(path) => Ok(match path.rsplit_once('/') {
            Some((bus, rule)) => Tagged::Rule(bus.to_owned(), rule.to_owned()),
            None => Tagged::Rule(DEFAULT_BUS.to_owned(), path),
        }),
        None => Err(not_found(format!("Resource {arn} does not exist."))),
    }
}

impl EventsService {
    /// The tags of a resource.
    pub(crate) async fn tags(&self, context: &RequestContext, arn: &str) -> Result<Tags, ServiceError> {
        match tagged(context, arn)? {
            Tagged::Bus(bus) => Ok(self.bus(context, &bus).await?.tags),
            Tagged::Rule(bus, rule) => Ok(self.rule(context, Some(&bus), &rule).await?.tags.clone()),
        }
    }

    async fn change_tags(
        &self,
        context: &RequestContext,
        arn: &str,
        change: impl Fn(Tags) -> Result<Tags, ServiceError>,
    ) -> Result<(), ServiceError> {
        match tagged(context, arn)? {
            Tagged::Bus(bus) => {
                self.change_bus(context, &bus, |bus| {
                    bus.tags = change(std::mem::take(&mut bus.tags))?;
                    Ok(())
                })
                .await?;
            }
            Tagged::Rule(bus, rule) => {
                let old = self.rule(context, Some(&bus), &rule).await?;
                let new = Rule { tags: change(old.tags.clone())?, ..(*old.value).clone() };
                self.tables().replace(&old, new).await.map_err(store)?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn tag(
    service: &EventsService,
    context: &RequestContext,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, ServiceError> {
    service.change_tags(context, &input.resource_arn, |tags| read(input.tags.clone(), tags)).await?;
    Ok(TagResourceResponse::default())
}

pub(crate) async fn untag(
    service: &EventsService,
    context: &RequestContext,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, ServiceError> {
    let change = |mut tags: Tags| {
        tags.retain(|(key, _)| !input.tag_keys.contains(key));
        Ok(tags)
    };
    service.change_tags(context, &input.resource_arn, change).await?;
    Ok(UntagResourceResponse::default())
}

pub(crate) async fn list(
    service: &EventsService,
    context: &RequestContext,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, ServiceError> {
    let tags = service.tags(context, &input.resource_arn).await?;
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value });
    Ok(ListTagsForResourceResponse { tags: Some(tags.collect()) })
}
