//! Pages of lists. A token is the last key of the page, bound to the request it came from.

use crate::errors::invalid;
use aws_wire::ServiceError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Items of a page when the request does not say; the model bounds what it may say.
const USUAL: usize = 100;

/// Which page is asked for.
pub(crate) struct Request {
    after: Option<String>,
    limit: usize,
    scope: String,
}

/// Reads the page of a request. `scope` names the list and its filters, so that a token of another list is refused.
pub(crate) fn request(
    token: Option<&str>,
    limit: Option<i32>,
    scope: String,
) -> Result<Request, ServiceError> {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL).max(1);
    let after = token.map(|token| read(token, &scope).ok_or_else(|| invalid("Invalid token"))).transpose()?;
    Ok(Request { after, limit, scope })
}

impl Request {
    /// Key of the last item of the page before; the page has what follows it.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// Whether so many items that follow are enough: a page of them, and one more that says that there are others.
    pub(crate) fn is_enough(&self, items: usize) -> bool {
        items > self.limit
    }

    /// The page of a sorted list, and the token of the next one.
    pub(crate) fn cut<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        if let Some(after) = &self.after {
            items.retain(|item| key(item) > *after);
        }
        let more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| more);
        let token = last.map(|last| URL_SAFE_NO_PAD.encode(format!("{}\n{}", self.scope, key(last))));
        (items, token)
    }
}

fn read(token: &str, scope: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (found, last) = text.rsplit_once('\n')?;
    (found == scope).then(|| last.to_owned())
}
