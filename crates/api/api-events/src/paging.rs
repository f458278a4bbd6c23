//! Pages of lists. A token is the key of the last item, bound to the list it came from.

use crate::errors::invalid_token;
use aws_wire::ServiceError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Items of a page when the request does not say, which is the most that it may say.
const USUAL: usize = 100;

/// Cuts a page out of a list that is in the order of its keys, and makes the token of the next one. `scope` names the
/// list and its filters.
pub(crate) fn page<T>(
    mut items: Vec<(String, T)>,
    token: Option<&str>,
    limit: Option<i32>,
    scope: &str,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    if let Some(token) = token {
        let after = read(token, scope).ok_or_else(invalid_token)?;
        items.retain(|(key, _)| *key > after);
    }
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(USUAL).clamp(1, USUAL);
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next = last.map(|(key, _)| URL_SAFE_NO_PAD.encode(format!("{scope}\n{key}")));
    Ok((items.into_iter().map(|(_, item)| item).collect(), next))
}

fn read(token: &str, scope: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (found, last) = text.rsplit_once('\n')?;
    (found == scope).then(|| last.to_owned())
}
