//! DescribeImageTags.

use crate::EcrPublicService;
use crate::images::Images;
use crate::operations::describe_images::size;
use crate::paging;
use crate::shapes::{
    DescribeImageTagsRequest, DescribeImageTagsResponse, ImageTagDetail, ReferencedImageDetail,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::ImageTag;

pub(crate) async fn run(
    service: &EcrPublicService,
    context: &RequestContext,
    input: DescribeImageTagsRequest,
) -> Result<DescribeImageTagsResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let scope = format!("tags {}", repository.name);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let images = service.images(&repository).await?;
    let tags: Vec<&ImageTag> = images.tags.values().map(|tag| &*tag.value).collect();
    let (tags, next_token) = page.cut(tags, |tag| tag.tag.clone());
    let details = tags.into_iter().map(|tag| detail(&images, tag)).collect();
    Ok(DescribeImageTagsResponse { image_tag_details: Some(details), next_token })
}

fn detail(images: &Images, tag: &ImageTag) -> ImageTagDetail {
    let image = images.images.get(&tag.digest).map(|image| ReferencedImageDetail {
        image_digest: Some(image.digest.clone()),
        image_size_in_bytes: size(images, image),
        image_pushed_at: Some(image.pushed_at),
        image_manifest_media_type: Some(image.media_type.clone()),
        artifact_media_type: image.artifact_type.clone(),
    });
    ImageTagDetail { image_tag: Some(tag.tag.clone()), created_at: Some(tag.tagged_at), image_detail: image }
}
