//! Filters: a resource is shown when each filter has a value that it has too.

use crate::errors::value;
use crate::shapes::{Filter, Tag};
use aws_wire::ServiceError;

/// Most values of all filters of a request, as on AWS.
const MOST_VALUES: usize = 200;

/// What can be filtered: an answer that knows its values.
pub(crate) trait Filtered {
    /// The values under the name of a filter; `None` where there is no such filter.
    fn values(&self, filter: &str) -> Option<Vec<String>>;

    /// Its tags.
    fn tags(&self) -> &[Tag];
}

/// Keeps what the filters let through.
pub(crate) fn filter<T: Filtered>(
    all: &mut Vec<T>,
    filters: Option<&Vec<Filter>>,
) -> Result<(), ServiceError> {
    let filters: &[Filter] = filters.map_or(&[], Vec::as_slice);
    if filters.iter().flat_map(|filter| &filter.values).map(Vec::len).sum::<usize>() > MOST_VALUES {
        return Err(value(format!("A request has at most {MOST_VALUES} values of filters.")));
    }
    for filter in filters {
        let name = filter.name.as_deref().unwrap_or_default();
        let wanted = filter.values.as_deref().unwrap_or_default();
        let mut kept = Vec::with_capacity(all.len());
        for one in std::mem::take(all) {
            if values(&one, name)?.iter().any(|own| wanted.iter().any(|pattern| matches(pattern, own))) {
                kept.push(one);
            }
        }
        *all = kept;
    }
    Ok(())
}

fn values<T: Filtered>(one: &T, name: &str) -> Result<Vec<String>, ServiceError> {
    let tags = one.tags().iter();
    if let Some(key) = name.strip_prefix("tag:") {
        let own = tags.filter(|tag| tag.key.as_deref() == Some(key));
        return Ok(own.map(|tag| tag.value.clone().unwrap_or_default()).collect());
    }
    match name {
        "tag-key" => Ok(tags.filter_map(|tag| tag.key.clone()).collect()),
        "tag-value" => Ok(tags.filter_map(|tag| tag.value.clone()).collect()),
        _ => one.values(name).ok_or_else(|| value(format!("The filter '{name}' is invalid"))),
    }
}

/// Whether a text is what a filter asks for: `*` stands for any text and `?` for any character, unless a backslash
/// is in front.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    #[derive(PartialEq)]
    enum Part {
        Any,
        One,
        This(char),
    }
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::This(chars.next().unwrap_or('\\')),
            c => Part::This(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut part) = (0, 0);
    // Where to go on when what follows the last star does not fit.
    let mut again: Option<(usize, usize)> = None;
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                again = Some((part + 1, at));
                part += 1;
            }
            Some(Part::One) => (part, at) = (part + 1, at + 1),
            Some(Part::This(c)) if *c == text[at] => (part, at) = (part + 1, at + 1),
            _ => match &mut again {
                Some((after, from)) => {
                    *from += 1;
                    (part, at) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("*a*b", "aab-ab", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
