//! Which page of a list is asked for.

use crate::errors::invalid;
use aws_wire::{Page, ServiceError};

/// Most items of a page, and how many there are when the request does not say.
const MOST: usize = 100;

/// Reads the page of a request. `scope` names the list and its filters, so that a token of another list is refused.
pub(crate) fn request(
    token: Option<&str>,
    limit: Option<i32>,
    scope: impl Into<String>,
) -> Result<Page, ServiceError> {
    let limit = match limit {
        None => MOST,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| invalid(format!("maxResults must be between 1 and {MOST}.")))?,
    };
    Page::new(token, limit, scope).ok_or_else(|| invalid("Invalid token"))
}
