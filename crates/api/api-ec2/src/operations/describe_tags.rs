//! DescribeTags: all tags of the account's resources.

use crate::Ec2Service;
use crate::errors::dry_run;
use crate::filters::filter;
use crate::ids::Kind;
use crate::paging::page;
use crate::shapes::{DescribeTagsRequest, DescribeTagsResult, TagDescription};
use aws_wire::{RequestContext, ServiceError};

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DescribeTagsRequest,
) -> Result<DescribeTagsResult, ServiceError> {
    dry_run(input.dry_run)?;
    let all = service.tags(context).await?;
    let mut shown: Vec<TagDescription> = Vec::new();
    for (id, tags) in all.iter() {
        let kind = Kind::of(id).and_then(|kind| kind.name.parse().ok());
        shown.extend(tags.iter().map(|(key, value)| TagDescription {
            key: Some(key.clone()),
            resource_id: Some(id.clone()),
            resource_type: kind,
            value: Some(value.clone()),
        }));
    }
    filter(&mut shown, input.filters.as_ref())?;
    // A page ends at an id and a key; no id and no key has the sign between them in front of others.
    let mut placed: Vec<(String, TagDescription)> = shown
        .into_iter()
        .map(|tag| {
            let place = [tag.resource_id.as_deref(), tag.key.as_deref()].map(Option::unwrap_or_default);
            (place.join("\u{1}"), tag)
        })
        .collect();
    placed.sort_by(|a, b| a.0.cmp(&b.0));
    let (placed, next_token) = page(placed, input.max_results, input.next_token, |(place, _)| place)?;
    Ok(DescribeTagsResult { next_token, tags: Some(placed.into_iter().map(|(_, tag)| tag).collect()) })
}
