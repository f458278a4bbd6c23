//! Which page of a list is asked for.

use crate::errors::invalid;
use aws_wire::{Page, ServiceError};

/// Items of a page when the request does not say; the model bounds what it may say.
const USUAL: usize = 100;

/// Reads the page of a request. `scope` names the list and its filters, so that a token of another list is refused.
pub(crate) fn request(token: Option<&str>, limit: Option<i32>, scope: String) -> Result<Page, ServiceError> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL).max(1);
    Page::new(token, limit, scope).ok_or_else(|| invalid("Invalid token"))
}
