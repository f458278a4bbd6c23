//! Which page of a list is asked for.

use crate::errors::invalid;
use aws_wire::{Page, ServiceError};
use store::Versioned;

/// Items of a page when the request does not say; the model bounds what it may say.
const USUAL: usize = 100;

/// Reads the page of a request. `scope` names the list and its filters, so that a token of another list is refused.
pub(crate) fn request(
    token: Option<&str>,
    limit: Option<i32>,
    scope: impl Into<String>,
) -> Result<Page, ServiceError> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL).max(1);
    let scope = scope.into().replace('\n', " ");
    Page::new(token, limit, scope).ok_or_else(|| invalid("The NextToken is not valid for this request."))
}

/// The page of rows in the order in which they were made, and the token of the next one.
pub(crate) fn cut<T>(page: &Page, mut rows: Vec<Versioned<T>>) -> (Vec<Versioned<T>>, Option<String>) {
    rows.sort_by_key(|row| row.create_revision);
    page.cut(rows, |row| format!("{:020}", row.create_revision))
}
