//! Pages of lists that are in the order of their keys.

use crate::errors::invalid;
use aws_wire::{Page, ServiceError};

/// Items of a page when the request does not say, which is the most that it may say.
const USUAL: usize = 100;

/// A page of a list, and the token of the next one. `scope` names the list and its filters, so that a token of another list
/// is refused.
pub(crate) fn page<T>(
    items: Vec<(String, T)>,
    token: Option<&str>,
    limit: Option<i32>,
    scope: &str,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL).clamp(1, USUAL);
    let page = Page::new(token, limit, scope).ok_or_else(|| invalid("Invalid NextToken."))?;
    Ok(page.cut_placed(items))
}
