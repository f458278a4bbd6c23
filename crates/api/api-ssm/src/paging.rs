//! Pages of lists. A token is the number of items that were given before; lists that change in between may show an item
//! twice or not at all, as those of AWS do.

use crate::errors::invalid_token;
use aws_wire::ServiceError;

/// The page of a list, and the token of the next one. A full page may be followed by an empty one.
pub(crate) fn cut<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: Option<i32>,
    usual: usize,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let given: usize = token.map_or(Ok(0), |token| token.parse().map_err(|_| invalid_token()))?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usual).max(1);
    let page: Vec<T> = items.into_iter().skip(given).take(limit).collect();
    let next = (page.len() == limit).then(|| given.saturating_add(limit).to_string());
    Ok((page, next))
}

/// As [`cut`], but the last page has no token even when it is full.
pub(crate) fn cut_exactly<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: Option<i32>,
    usual: usize,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let all = items.len();
    let token = token.filter(|token| !token.is_empty());
    let (page, next) = cut(items, token, limit, usual)?;
    let more = |next: &String| next.parse().is_ok_and(|given: usize| given < all);
    Ok((page, next.filter(more)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let (mut seen, mut token) = (Vec::new(), None::<String>);
        loop {
            let (page, next) = cut((0..10).collect(), token.as_deref(), Some(3), 50).expect("cuts");
            seen.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert!(cut(vec![1], Some("99999"), None, 10).expect("cuts").0.is_empty());
        for bad in ["", "x", "-1", "1.5", "99999999999999999999999"] {
            assert!(cut(vec![1], Some(bad), None, 10).is_err(), "{bad}");
        }
    }
}
