//! DescribeImages.

use crate::EcrPublicService;
use crate::errors::invalid;
use crate::images::{Images, find_or_fail};
use crate::paging;
use crate::shapes::{DescribeImagesRequest, DescribeImagesResponse, ImageDetail};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{Image, given_name};

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let images = service.images(&repository).await?;
    if let Some(ids) = input.image_ids {
        if input.max_results.is_some() || input.next_token.is_some() {
            return Err(invalid("maxResults and nextToken cannot be used when imageIds is given."));
        }
        let mut details: Vec<ImageDetail> = Vec::new();
        for id in &ids {
            let image = find_or_fail(&images, &repository, id)?;
            // One that is named twice is described once.
            if !details.iter().any(|known| known.image_digest.as_ref() == Some(&image.digest)) {
                details.push(detail(&images, image));
            }
        }
        return Ok(DescribeImagesResponse { image_details: Some(details), next_token: None });
    }
    let scope = format!("details {}", repository.name);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let all: Vec<ImageDetail> = images.images.values().map(|image| detail(&images, image)).collect();
    let (details, next_token) = page.cut(all, |detail| detail.image_digest.clone().unwrap_or_default());
    Ok(DescribeImagesResponse { image_details: Some(details), next_token })
}

fn detail(images: &Images, image: &Image) -> ImageDetail {
    let tags = images.tags_of(&image.digest);
    ImageDetail {
        registry_id: Some(image.account.to_string()),
        repository_name: Some(given_name(&image.repository).to_owned()),
        image_digest: Some(image.digest.clone()),
        image_tags: (!tags.is_empty()).then_some(tags),
        image_size_in_bytes: size(images, image),
        image_pushed_at: Some(image.pushed_at),
        image_manifest_media_type: Some(image.media_type.clone()),
        artifact_media_type: image.artifact_type.clone(),
    }
}

/// The size of an image; of an index that of the largest image in it.
pub(crate) fn size(images: &Images, image: &Image) -> Option<i64> {
    let children = image.children.iter().filter_map(|child| images.images.get(child));
    let largest = children.map(|child| child.size).max().unwrap_or_default();
    i64::try_from(image.size.max(largest)).ok()
}
