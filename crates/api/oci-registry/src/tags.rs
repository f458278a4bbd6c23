//! The list of a repository's tags.

use crate::error::RegistryError;
use crate::respond::{Response, json, set};
use crate::route::Query;
use crate::{Inner, Place};
use http::{Method, StatusCode, header};
use resources::ecr::{ImageTag, rows_of};
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
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(RegistryError::Unsupported);
    }
    let limit = query.get("n").and_then(|n| n.parse::<usize>().ok()).unwrap_or(MOST).min(MOST);
    let prefix = rows_of(&place.account, &place.name);
    let after = query.get("last").map(|last| format!("{prefix}{last}"));
    let listing = registry.tables.list::<ImageTag>(&prefix, Page { after, limit }).await?;
    let tags: Vec<&str> = listing.items.iter().map(|row| row.tag.as_str()).collect();
    let mut response = json(StatusCode::OK, &json!({"name": place.name, "tags": tags}));
    if let (Some(_), Some(last)) = (&listing.next, tags.last()) {
        let link = format!("</v2/{}/tags/list?n={limit}&last={last}>; rel=\"next\"", place.name);
        set(&mut response, header::LINK, &link);
    }
    Ok(response)
}
