//! Lists in parts: `PageSize` and `Marker`.

use crate::errors::{Failure, validation};

/// Items of a part when the caller does not say; the model allows no more.
const USUAL: usize = 400;

/// A part of a list, and the marker of the next. Rows are in the order of `key`; a marker is the last key of its part.
pub(crate) fn cut<T>(
    rows: Vec<T>,
    marker: Option<&str>,
    size: Option<i32>,
    key: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), Failure> {
    let size = size.map_or(USUAL, |size| usize::try_from(size).unwrap_or(1).clamp(1, USUAL));
    let mut rows: Vec<T> = match marker.filter(|marker| !marker.is_empty()) {
        None => rows,
        Some(marker) => {
            let after = rows.iter().position(|row| key(row) == marker);
            let after = after.ok_or_else(|| validation("The marker is not valid"))?;
            rows.into_iter().skip(after + 1).collect()
        }
    };
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| more).map(key);
    Ok((rows, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other() {
        let rows: Vec<u32> = (0..5).collect();
        let key = |row: &u32| row.to_string();
        let (part, next) = cut(rows.clone(), None, Some(2), key).expect("a part");
        assert_eq!((part, next.as_deref()), (vec![0, 1], Some("1")));
        let (part, next) = cut(rows.clone(), Some("3"), Some(2), key).expect("a part");
        assert_eq!((part, next), (vec![4], None));
        assert!(cut(rows, Some("9"), None, key).is_err());
    }
}
