//! ListImages.

use crate::EcrService;
use crate::images::{is_wanted, passes};
use crate::paging;
use crate::shapes::{ImageIdentifier, ListImagesRequest, ListImagesResponse};
use aws_wire::{RequestContext, ServiceError};

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
    let images = service.images(&repository).await?;
    let mut ids = Vec::new();
    for (digest, image) in &images.images {
        if !is_wanted(image_status, image) {
            continue;
        }
        let mut tags = images.tags_of(digest);
        tags.sort_unstable();
        if !passes(filter, !tags.is_empty()) {
            continue;
        }
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
