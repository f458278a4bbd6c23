//! The list of repositories: of those that the caller may see.

use crate::error::RegistryError;
use crate::respond::{Response, json, set};
use crate::route::{Query, page, reads};
use crate::{Inner, Place, auth};
use access::Caller;
use http::request::Parts;
use http::{StatusCode, header};
use identifiers::AccountId;
use resources::ecr::Repository;
use serde_json::json;
use store::Page;

/// Most repositories of a page.
const MOST: usize = 1000;
/// What a caller must be allowed to do with a repository to see its name.
const SEES: [&str; 1] = ["ecr:DescribeRepositories"];

pub(crate) async fn list(
    registry: &Inner,
    caller: &Caller,
    account: &AccountId,
    query: &Query,
    parts: &Parts,
) -> Result<Response, RegistryError> {
    if !reads(&parts.method) {
        return Err(RegistryError::Unsupported);
    }
    let (limit, last) = page(query, MOST)?;
    let prefix = format!("{account}/");
    let mut after = last.map(|last| format!("{prefix}{last}"));
    let mut names: Vec<String> = Vec::new();
    let mut more = false;
    loop {
        let listing = registry.tables.list::<Repository>(&prefix, Page { after, limit: MOST }).await?;
        for row in listing.items.iter().filter(|row| !row.is_public()) {
            let place = Place::private(account.clone(), row.name.clone());
            if auth::allows(registry, caller, &place, &SEES, parts).await? {
                more = names.len() == limit;
                if more {
                    break;
                }
                names.push(place.name);
            }
        }
        after = listing.next;
        if more || after.is_none() || limit == 0 {
            break;
        }
    }
    let mut response = json(StatusCode::OK, &json!({"repositories": names}));
    if let Some(last) = names.last().filter(|_| more) {
        // Names need no encoding but for their slashes, which a query may hold.
        set(&mut response, header::LINK, &format!("</v2/_catalog?n={limit}&last={last}>; rel=\"next\""));
    }
    Ok(response)
}
