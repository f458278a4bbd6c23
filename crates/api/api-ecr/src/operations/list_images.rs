//! ListImages.

use crate::EcrService;
use crate::images::{is_wanted, passes};
use crate::paging;
use crate::shapes::{ImageIdentifier, ListImagesRequest, ListImagesResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::Image;
use std::ops::ControlFlow;
use store::Versioned;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: ListImagesRequest,
) -> Result<ListImagesResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let filter = input.filter.unwrap_or_default();
    let (filter, image_status) = (filter.tag_status, filter.image_status);
    let scope = format!("images {} {filter:?} {image_status:?}", repository.name);
    let page = paging::request(input.next_token.as_deref(), input.max_results, scope)?;
    let counts = service.tag_counts(&repository).await?;
    // A page can end among the tags of an image, which then has some left.
    let last = page.after.as_deref().and_then(|last| last.split(' ').next()).unwrap_or_default();
    let (mut digests, mut count) = (Vec::new(), 0);
    let mut note = |image: Versioned<Image>| {
        let tags = counts.of(&image.digest);
        if is_wanted(image_status, &image) && passes(filter, tags > 0) {
            digests.push(image.digest.clone());
            // Of the image where the page before ended none may be left.
            count += if image.digest == last { 0 } else { tags.max(1) };
        }
        if page.is_enough(count) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    if let Some(image) = service.image(&repository, last).await? {
        let _ = note(image);
    }
    service.each_image(&repository, Some(last), note).await?;
    let tags = service.tags_of(&repository, digests.iter().map(String::as_str).collect()).await?;
    let mut ids = Vec::new();
    for digest in &digests {
        let mut tags = tags.names(digest);
        tags.sort_unstable();
        let id = |tag| ImageIdentifier { image_digest: Some(digest.clone()), image_tag: tag };
        if tags.is_empty() {
            ids.push(id(None));
        }
        ids.extend(tags.into_iter().map(|tag| id(Some(tag))));
    }
    let key = |id: &ImageIdentifier| {
        format!(
            "{} {}",
            id.image_digest.as_deref().unwrap_or_default(),
            id.image_tag.as_deref().unwrap_or_default()
        )
    };
    let (ids, next_token) = page.cut(ids, key);
    Ok(ListImagesResponse { image_ids: Some(ids), next_token })
}
