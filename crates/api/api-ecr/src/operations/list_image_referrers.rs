//! ListImageReferrers.

use crate::errors::invalid_at;
use crate::shapes::{
    ArtifactStatus, ArtifactStatusFilter, ImageReferrer, ListImageReferrersRequest,
    ListImageReferrersResponse,
};
use crate::{EcrService, paging};
use aws_wire::{RequestContext, ServiceError};
use resources::ecr::Image;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use store::Versioned;

/// Referrers of a page when the request does not say.
const USUAL: i32 = 50;

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: ListImageReferrersRequest,
) -> Result<ListImageReferrersResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let subject = input.subject_id.image_digest;
    if subject.parse::<blob_store::Digest>().is_err() {
        return Err(invalid_at("subjectId.imageDigest", "Invalid digest"));
    }
    let filter = input.filter.unwrap_or_default();
    let types = filter.artifact_types.unwrap_or_default();
    let status = filter.artifact_status.unwrap_or(ArtifactStatusFilter::Active);
    let fits = |image: &Image| match status {
        ArtifactStatusFilter::Any => true,
        ArtifactStatusFilter::Active => !image.is_archived(),
        ArtifactStatusFilter::Archived => image.is_archived(),
        // An image is restored at once.
        ArtifactStatusFilter::Activating => false,
    };
    let of_type = |image: &Image| {
        types.is_empty() || image.artifact_type.as_ref().is_some_and(|kind| types.contains(kind))
    };
    let scope = format!("referrers {} {subject} {status:?} {types:?}", repository.name);
    let limit = input.max_results.unwrap_or(USUAL);
    let page = paging::request(input.next_token.as_deref(), Some(limit), scope)?;
    let mut referrers = Vec::new();
    let note = |image: Versioned<Image>| {
        if image.subject.as_ref() == Some(&subject) && fits(&image) && of_type(&image) {
            referrers.push(show(&image));
        }
        if page.is_enough(referrers.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    service.each_image(&repository, page.after.as_deref(), note).await?;
    let (referrers, next_token) = page.cut(referrers, |referrer: &ImageReferrer| referrer.digest.clone());
    Ok(ListImageReferrersResponse { referrers: Some(referrers), next_token })
}

fn show(image: &Image) -> ImageReferrer {
    let manifest: Value = serde_json::from_str(&image.manifest).unwrap_or_default();
    let annotations = manifest["annotations"].as_object().map(|annotations| {
        let text = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        annotations.iter().filter_map(text).collect::<BTreeMap<_, _>>()
    });
    ImageReferrer {
        digest: image.digest.clone(),
        media_type: image.media_type.clone(),
        artifact_type: image.artifact_type.clone(),
        size: i64::try_from(image.manifest.len()).unwrap_or(i64::MAX),
        annotations,
        artifact_status: Some(if image.is_archived() {
            ArtifactStatus::Archived
        } else {
            ArtifactStatus::Active
        }),
    }
}
