//! Pages of lists. A token is the last key of the page, bound to the request it came from.

use crate::errors::invalid;
use aws_wire::ServiceError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Most items of a page, and how many there are when the request does not say.
const MOST: usize = 100;

/// Which page is asked for.
pub(crate) struct Request {
    pub(crate) after: Option<String>,
    pub(crate) limit: usize,
    scope: String,
}

/// Reads the page of a request. `scope` names the list and its filters, so that a token of another list is refused.
pub(crate) fn request(
    token: Option<&str>,
    limit: Option<i32>,
    scope: impl Into<String>,
) -> Result<Request, ServiceError> {
    let scope = scope.into();
    let limit = match limit {
        None => MOST,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| invalid(format!("maxResults must be between 1 and {MOST}.")))?,
    };
    let after = token.map(|token| read(token, &scope).ok_or_else(|| invalid("Invalid token"))).transpose()?;
    Ok(Request { after, limit, scope })
}

impl Request {
    /// The token of the page after the one that ends with `last`.
    pub(crate) fn token(&self, last: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\n{last}", self.scope))
    }
}

fn read(token: &str, scope: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (found, last) = text.rsplit_once('\n')?;
    (found == scope).then(|| last.to_owned())
}
