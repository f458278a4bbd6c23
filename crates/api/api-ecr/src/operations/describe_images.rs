//! DescribeImages.

use crate::EcrService;
use crate::errors::{invalid, store};
use crate::images::{TagCounts, is_wanted, passes, show_status};
use crate::shapes::{
    DescribeImagesFilter, DescribeImagesRequest, DescribeImagesResponse, ImageDetail, TagStatus,
};
use crate::{paging, scanning};
use aws_wire::{Page, RequestContext, ServiceError};
use resources::ecr::{Image, ImagePulls, ImageScan, Repository, rows_of};
use std::collections::HashSet;
use std::ops::ControlFlow;
use store::Versioned;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let ids = input.image_ids.unwrap_or_default();
    let (details, next_token) = if ids.is_empty() {
        let filter = input.filter.unwrap_or_default();
        let scope = format!("details {} {:?} {:?}", repository.name, filter.tag_status, filter.image_status);
        let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
        let details = following(service, &repository, &filter, &page).await?;
        page.cut(details, |detail| detail.image_digest.clone().unwrap_or_default())
    } else {
        if input.max_results.is_some() || input.next_token.is_some() {
            return Err(invalid("maxResults and nextToken cannot be used when imageIds is given."));
        }
        let mut details: Vec<ImageDetail> = Vec::new();
        for id in &ids {
            let image = service.find_or_fail(&repository, id).await?;
            // One that is named twice is described once.
            if !details.iter().any(|known| known.image_digest.as_ref() == Some(&image.digest)) {
                details.push(detail(&image));
            }
        }
        (details, None)
    };
    let details = complete(service, &repository, details).await?;
    Ok(DescribeImagesResponse { image_details: Some(details), next_token })
}

/// The images of a page and one more, without what other rows say of them.
async fn following(
    service: &EcrService,
    repository: &Repository,
    filter: &DescribeImagesFilter,
    page: &Page,
) -> Result<Vec<ImageDetail>, ServiceError> {
    let counts = match filter.tag_status {
        None | Some(TagStatus::Any) => TagCounts::default(),
        Some(_) => service.tag_counts(repository).await?,
    };
    let mut details = Vec::new();
    let note = |image: Versioned<Image>| {
        if is_wanted(filter.image_status, &image) && passes(filter.tag_status, counts.of(&image.digest) > 0) {
            details.push(detail(&image));
        }
        if page.is_enough(details.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    service.each_image(repository, page.after.as_deref(), note).await?;
    Ok(details)
}

/// Adds tags, scans and pulls.
async fn complete(
    service: &EcrService,
    repository: &Repository,
    details: Vec<ImageDetail>,
) -> Result<Vec<ImageDetail>, ServiceError> {
    let digests: HashSet<&str> = details.iter().filter_map(|detail| detail.image_digest.as_deref()).collect();
    let tags = service.tags_of(repository, digests).await?;
    let rows = rows_of(&repository.account, &repository.name);
    let mut completed = Vec::with_capacity(details.len());
    for detail in details {
        let digest = detail.image_digest.clone().unwrap_or_default();
        let key = format!("{rows}{digest}");
        let pulls = service.tables.get::<ImagePulls>(&key).await.map_err(store)?;
        let scan = service.tables.get::<ImageScan>(&key).await.map_err(store)?;
        let names = tags.names(&digest);
        let detail = ImageDetail {
            image_tags: (!names.is_empty()).then_some(names),
            last_recorded_pull_time: pulls.map(|pulls| pulls.last_pulled_at),
            ..detail
        };
        completed.push(scanning::with_scan(detail, scan.as_ref()));
    }
    Ok(completed)
}

fn detail(image: &Image) -> ImageDetail {
    ImageDetail {
        registry_id: Some(image.account.to_string()),
        repository_name: Some(image.repository.clone()),
        image_digest: Some(image.digest.clone()),
        image_size_in_bytes: i64::try_from(image.size).ok(),
        image_pushed_at: Some(image.pushed_at),
        image_manifest_media_type: Some(image.media_type.clone()),
        artifact_media_type: image.artifact_type.clone(),
        subject_manifest_digest: image.subject.clone(),
        image_status: Some(show_status(image.storage_class)),
        last_archived_at: image.archived_at,
        last_activated_at: image.activated_at,
        ..ImageDetail::default()
    }
}
