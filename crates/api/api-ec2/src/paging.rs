//! What of a listing is asked for: by ids, by filters, page by page.

use crate::errors::{COMBINATION, error, value};
use crate::filters::{Filtered, filter};
use crate::ids::Kind;
use crate::shapes::Filter;
use aws_wire::ServiceError;

/// Resources on a page when none is said.
const PAGE: usize = 1000;

/// What a request asks for.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) filters: Option<Vec<Filter>>,
    pub(crate) max_results: Option<i32>,
    pub(crate) next_token: Option<String>,
}

impl Asked {
    /// The part of `all` that is asked for, and the token of the next page. `id` tells the id of one.
    pub(crate) fn of<T: Filtered>(
        self,
        mut all: Vec<T>,
        kind: &Kind,
        id: impl Fn(&T) -> &str,
    ) -> Result<(Vec<T>, Option<String>), ServiceError> {
        if let Some(ids) = self.ids.filter(|ids| !ids.is_empty()) {
            if self.max_results.is_some() {
                let text =
                    format!("The parameter {}Ids cannot be used with the parameter maxResults", kind.prefix);
                return Err(error(&COMBINATION, text));
            }
            for wanted in &ids {
                if !all.iter().any(|one| id(one) == wanted) {
                    return Err(kind.not_found(wanted));
                }
            }
            all.retain(|one| ids.iter().any(|wanted| id(one) == wanted));
        }
        filter(&mut all, self.filters.as_ref())?;
        all.sort_by(|a, b| id(a).cmp(id(b)));
        page(all, self.max_results, self.next_token, id)
    }
}

/// A page of what is sorted by `id`, and the token of the next one.
pub(crate) fn page<T>(
    mut all: Vec<T>,
    max_results: Option<i32>,
    next_token: Option<String>,
    id: impl Fn(&T) -> &str,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    if let Some(token) = next_token {
        let after = hex::decode(&token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let after = after.ok_or_else(|| value(format!("Invalid value '{token}' for nextToken.")))?;
        all.retain(|one| id(one) > after.as_str());
    }
    let size = max_results.and_then(|size| usize::try_from(size).ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let next = (all.len() > size).then(|| hex::encode(id(&all[size - 1])));
    all.truncate(size);
    Ok((all, next))
}
