//! DescribeImages.

use crate::EcrService;
use crate::errors::{invalid, store};
use crate::images::{Images, find_or_fail, is_wanted, passes, show_status};
use crate::shapes::{DescribeImagesRequest, DescribeImagesResponse, ImageDetail};
use crate::{paging, scanning};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::{Image, ImagePulls, rows_of};
use std::collections::HashMap;
use store::Versioned;

/// When images were pulled last, by digest.
type Pulls = HashMap<String, Versioned<ImagePulls>>;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let images = service.images(&repository).await?;
    let scans = service.scans(&repository).await?;
    let rows = rows_of(&repository.account, &repository.name);
    let pulls = service.tables.list_all::<ImagePulls>(&rows).await.map_err(store)?;
    let pulls: Pulls = pulls.into_iter().map(|pulls| (pulls.digest.clone(), pulls)).collect();
    let ids = input.image_ids.unwrap_or_default();
    if !ids.is_empty() {
        if input.max_results.is_some() || input.next_token.is_some() {
            return Err(invalid("maxResults and nextToken cannot be used when imageIds is given."));
        }
        let mut details: Vec<ImageDetail> = Vec::new();
        for id in &ids {
            let image = find_or_fail(&images, &repository, id)?;
            // One that is named twice is described once.
            if !details.iter().any(|known| known.image_digest.as_ref() == Some(&image.digest)) {
                let shown = detail(&images, &pulls, image);
                details.push(scanning::with_scan(shown, scans.get(&image.digest)));
            }
        }
        return Ok(DescribeImagesResponse { image_details: Some(details), next_token: None });
    }
    let filter = input.filter.unwrap_or_default();
    let (tag_status, image_status) = (filter.tag_status, filter.image_status);
    let scope = format!("details {} {tag_status:?} {image_status:?}", repository.name);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let all: Vec<ImageDetail> = images
        .images
        .values()
        .filter(|image| is_wanted(image_status, image))
        .filter(|image| passes(tag_status, !images.tags_of(&image.digest).is_empty()))
        .map(|image| scanning::with_scan(detail(&images, &pulls, image), scans.get(&image.digest)))
        .collect();
    let (details, next_token) = page.cut(all, |detail| detail.image_digest.clone().unwrap_or_default());
    Ok(DescribeImagesResponse { image_details: Some(details), next_token })
}

fn detail(images: &Images, pulls: &Pulls, image: &Image) -> ImageDetail {
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
        last_recorded_pull_time: pulls.get(&image.digest).map(|pulls| pulls.last_pulled_at),
        subject_manifest_digest: image.subject.clone(),
        image_status: Some(show_status(image.storage_class)),
        last_archived_at: image.archived_at,
        last_activated_at: image.activated_at,
        ..ImageDetail::default()
    }
}
