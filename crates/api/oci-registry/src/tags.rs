//! The list of a repository's tags.

use crate::error::RegistryError;
use crate::respond::{Response, json, set};
use crate::route::{Query, page, reads};
use crate::{Inner, Place};
use http::{Method, StatusCode, header};
use resources::ecr::ImageTag;
use serde_json::json;
use store::Page;

/// Most tags of a page.
const MOST: usize = 1000;

pub(crate) async fn list(
    registry: &Inner,
    place: &Place,
    query: &Query,
    method: &Method,
) -> Result<Response, RegistryError> {
    if !reads(method) {
        return Err(RegistryError::Unsupported);
    }
    let (limit, last) = page(query, MOST)?;
    if limit == 0 {
        return Ok(json(StatusCode::OK, &json!({"name": place.path, "tags": []})));
    }
    let prefix = place.row("");
    let after = last.map(|last| format!("{prefix}{last}"));
    let listing = registry.tables.list::<ImageTag>(&prefix, Page { after, limit }).await?;
    let tags: Vec<&str> = listing.items.iter().map(|row| row.tag.as_str()).collect();
    let mut response = json(StatusCode::OK, &json!({"name": place.path, "tags": tags}));
    if let (Some(_), Some(last)) = (&listing.next, tags.last()) {
        let link = format!("</v2/{}/tags/list?n={limit}&last={last}>; rel=\"next\"", place.path);
        set(&mut response, header::LINK, &link);
    }
    Ok(response)
}
