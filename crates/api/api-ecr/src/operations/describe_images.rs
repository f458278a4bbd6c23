//! DescribeImages.

use crate::EcrService;
use crate::errors::invalid;
use crate::images::{Images, passes};
use crate::shapes::{
    DescribeImagesRequest, DescribeImagesResponse, ImageDetail, ImageIdentifier, ImageStatus, errors,
};
use crate::{paging, scanning};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{Image, Repository};

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let images = service.images(&repository).await?;
    let scans = service.scans(&repository).await?;
    let ids = input.image_ids.unwrap_or_default();
    if !ids.is_empty() {
        if input.max_results.is_some() || input.next_token.is_some() {
            return Err(invalid("maxResults and nextToken cannot be used when imageIds is given."));
        }
        let details = ids.iter().map(|id| {
            let image = images.find(id).map_err(|_| not_found(context, &repository, id))?;
            Ok(scanning::with_scan(detail(&images, image), scans.get(&image.digest)))
        });
        let details = details.collect::<Result<Vec<_>, ServiceError>>()?;
        return Ok(DescribeImagesResponse { image_details: Some(details), next_token: None });
    }
    let filter = input.filter.and_then(|filter| filter.tag_status);
    let scope = format!("details {} {filter:?}", repository.name);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let all: Vec<ImageDetail> = images
        .images
        .values()
        .filter(|image| passes(filter, !images.tags_of(&image.digest).is_empty()))
        .map(|image| scanning::with_scan(detail(&images, image), scans.get(&image.digest)))
        .collect();
    let (details, next_token) = page.cut(all, |detail| detail.image_digest.clone().unwrap_or_default());
    Ok(DescribeImagesResponse { image_details: Some(details), next_token })
}

fn detail(images: &Images, image: &Image) -> ImageDetail {
    let tags = images.tags_of(&image.digest);
    ImageDetail {
        registry_id: Some(image.account.to_string()),
        repository_name: Some(image.repository.clone()),
        image_digest: Some(image.digest.clone()),
        image_tags: (!tags.is_empty()).then_some(tags),
        image_size_in_bytes: i64::try_from(image.size).ok(),
        image_pushed_at: Some(image.pushed_at),
        image_manifest_media_type: Some(image.media_type.clone()),
        artifact_media_type: image.artifact_type.clone(),
        subject_manifest_digest: image.subject.clone(),
        image_status: Some(ImageStatus::Active),
        ..ImageDetail::default()
    }
}

pub(crate) fn not_found(
    context: &RequestContext,
    repository: &Repository,
    id: &ImageIdentifier,
) -> ServiceError {
    let text = |text: &Option<String>| text.as_ref().map_or("null".to_owned(), |text| format!("'{text}'"));
    let message = format!(
        "The image with imageId {{imageDigest:{}, imageTag:{}}} does not exist within the repository with name '{}' in \
         the registry with id '{}'",
        text(&id.image_digest),
        text(&id.image_tag),
        repository.name,
        context.account
    );
    ServiceError::new(&errors::IMAGE_NOT_FOUND_EXCEPTION, message)
}
