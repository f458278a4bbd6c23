//! Lists in parts: `MaxItems` and `Marker`.

use crate::errors::{Failure, validation};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Items of a part when the caller does not say.
const USUAL: usize = 100;
/// Most items of a part; the model refuses more.
const MOST: usize = 1_000;

/// Which part of a list is asked for.
pub(crate) struct Paging {
    after: Option<String>,
    limit: usize,
}

/// A part of a list.
pub(crate) struct Part<T> {
    pub(crate) items: Vec<T>,
    pub(crate) is_truncated: Option<bool>,
    pub(crate) marker: Option<String>,
}

impl Paging {
    /// Reads what the caller sent.
    pub(crate) fn new(marker: Option<&str>, max_items: Option<i32>) -> Result<Self, Failure> {
        let limit = max_items.map_or(USUAL, |items| usize::try_from(items).unwrap_or(1).clamp(1, MOST));
        let read =
            |marker: &str| -> Option<String> { String::from_utf8(URL_SAFE_NO_PAD.decode(marker).ok()?).ok() };
        let after = match marker {
            Some(marker) => Some(read(marker).ok_or_else(|| validation("Invalid Marker."))?),
            None => None,
        };
        Ok(Self { after, limit })
    }

    /// The part of `rows`, which are in the order of `key`; what passes no filter is left out before.
    pub(crate) fn cut<T>(&self, rows: impl IntoIterator<Item = T>, key: impl Fn(&T) -> String) -> Part<T> {
        let mut items: Vec<T> = Vec::new();
        let mut more = false;
        for row in rows {
            if self.after.as_ref().is_some_and(|after| key(&row) <= *after) {
                continue;
            }
            if items.len() == self.limit {
                more = true;
                break;
            }
            items.push(row);
        }
        let marker = items.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        Part { items, is_truncated: Some(more), marker }
    }

    /// The part of a list that is short and kept in its own order, such as tags.
    pub(crate) fn cut_in_order<T>(&self, rows: Vec<T>) -> Part<T> {
        let numbered = rows.into_iter().enumerate();
        let part = self.cut(numbered, |(index, _)| format!("{index:05}"));
        Part {
            items: part.items.into_iter().map(|(_, row)| row).collect(),
            is_truncated: part.is_truncated,
            marker: part.marker,
        }
    }
}

impl<T> Part<T> {
    /// The same part with every item turned into something else.
    pub(crate) fn map<U>(self, change: impl FnMut(T) -> U) -> Part<U> {
        Part {
            items: self.items.into_iter().map(change).collect(),
            is_truncated: self.is_truncated,
            marker: self.marker,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paging(marker: Option<&str>, items: i32) -> Paging {
        Paging::new(marker, Some(items)).expect("is right")
    }

    #[test]
    fn parts_follow_each_other() {
        let rows = ["a", "b", "c", "d", "e"].map(str::to_owned);
        let mut seen = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let part = paging(marker.as_deref(), 2).cut(rows.clone(), Clone::clone);
            assert_eq!(part.is_truncated, Some(part.marker.is_some()));
            seen.extend(part.items);
            marker = part.marker;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, rows);
    }

    #[test]
    fn short_lists_keep_their_order() {
        let part = paging(None, 2).cut_in_order(vec!["z", "b", "a"]);
        assert_eq!(part.items, ["z", "b"]);
        let rest = paging(part.marker.as_deref(), 2).cut_in_order(vec!["z", "b", "a"]);
        assert_eq!(rest.items, ["a"]);
        assert_eq!(rest.marker, None);
    }

    #[test]
    fn a_marker_that_is_none_of_ours_is_refused() {
        assert!(Paging::new(Some("!"), None).is_err());
    }
}
