//! The manifests that refer to a manifest, as an index. The one they refer to need not be there.

use crate::error::RegistryError;
use crate::respond::{Response, json, set};
use crate::route::{Query, page, reads};
use crate::{Inner, Place, blobs};
use http::{HeaderName, Method, StatusCode, header};
use image_registry::{MOST_MANIFEST_BYTES, OCI_INDEX};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use resources::ecr::Image;
use serde_json::{Value, json};
use store::Page;

/// Most entries of a page.
const MOST: usize = 1000;
/// Manifests that are read at a time.
const ROWS: usize = 100;
/// Bytes kept free in a page for all that is not an entry.
const MARGIN: usize = 64 * 1024;

pub(crate) async fn list(
    registry: &Inner,
    place: &Place,
    digest: &str,
    query: &Query,
    method: &Method,
) -> Result<Response, RegistryError> {
    if !reads(method) {
        return Err(RegistryError::Unsupported);
    }
    let digest = blobs::parse(digest)?.to_string();
    let wanted = query.get("artifactType").filter(|wanted| !wanted.is_empty());
    let (limit, last) = page(query, MOST)?;
    let of_type = |image: &Image| wanted.is_none_or(|wanted| image.artifact_type.as_ref() == Some(wanted));
    let prefix = place.row("");
    let mut after = last.map(|last| format!("{prefix}{last}"));
    let mut found: Vec<Value> = Vec::new();
    let (mut bytes, mut more) = (0, false);
    // Manifests are read some at a time, until the page is full and one more is seen.
    'rows: loop {
        if limit == 0 {
            break;
        }
        let rows = registry.tables.list::<Image>(&prefix, Page { after, limit: ROWS }).await?;
        let matching = rows.items.iter().filter(|image| image.subject.as_deref() == Some(&*digest));
        for image in matching.filter(|image| of_type(image)) {
            // Annotations can be so large that the page must end before this one; a page has one entry at least.
            if found.len() == limit || bytes >= MOST_MANIFEST_BYTES - MARGIN {
                more = true;
                break 'rows;
            }
            let descriptor = describe(image);
            bytes += descriptor.to_string().len();
            found.push(descriptor);
        }
        after = rows.next;
        if after.is_none() {
            break;
        }
        // Others have their turn while a large repository is looked through.
        tokio::task::yield_now().await;
    }
    let next = found.last().filter(|_| more).and_then(|last| last["digest"].as_str()).map(str::to_owned);
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found});
    let mut response = json(StatusCode::OK, &index);
    set(&mut response, header::CONTENT_TYPE, OCI_INDEX);
    let mut filter = String::new();
    if let Some(wanted) = wanted {
        set(&mut response, HeaderName::from_static("oci-filters-applied"), "artifactType");
        filter = format!("&artifactType={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC));
    }
    if let Some(last) = next {
        let link =
            format!("</v2/{}/referrers/{digest}?n={limit}&last={last}{filter}>; rel=\"next\"", place.path);
        set(&mut response, header::LINK, &link);
    }
    Ok(response)
}

fn describe(image: &Image) -> Value {
    let mut descriptor =
        json!({"mediaType": image.media_type, "digest": image.digest, "size": image.manifest.len()});
    if let Some(artifact_type) = &image.artifact_type {
        descriptor["artifactType"] = json!(artifact_type);
    }
    let mut content: Value = serde_json::from_str(&image.manifest).unwrap_or_default();
    if content["annotations"].is_object() {
        descriptor["annotations"] = content["annotations"].take();
    }
    descriptor
}
