//! The filters of ListSecrets and BatchGetSecretValue.
//!
//! Names and tags match by prefix, with the case of their letters. Descriptions, and everything under `all`, match by
//! words: each word of the filter must begin a word of the attribute. Words end at special characters and where a
//! capital letter begins another (`AppBeta` is two). A leading `!` turns a value around.

use crate::errors::invalid_parameter;
use crate::shapes::{Filter, FilterNameStringType};
use aws_wire::ServiceError;
use resources::secrets::Secret;

/// Characters that separate words. A text with two different ones is not separated at all.
const SEPARATORS: [char; 7] = ['/', '-', '_', '+', '=', '.', '@'];

/// Filters that were read; a secret must pass all of them.
#[derive(Debug)]
pub(crate) struct Filters(Vec<(FilterNameStringType, Vec<String>)>);

#[derive(Clone, Copy)]
enum Match {
    Prefix,
    Words,
}

impl Filters {
    pub(crate) fn read(filters: Option<Vec<Filter>>) -> Result<Self, ServiceError> {
        let read = |filter: Filter| {
            let key = filter.key.ok_or_else(|| invalid_parameter("Invalid filter key"))?;
            let values = filter.values.filter(|values| !values.is_empty()).ok_or_else(|| {
                invalid_parameter(format!("Invalid filter values for key: {}", key.as_str()))
            })?;
            Ok((key, values))
        };
        filters.unwrap_or_default().into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Names the filters, for page tokens.
    pub(crate) fn scope(&self) -> String {
        format!("{:?}", self.0).replace('\n', " ")
    }

    pub(crate) fn let_through(&self, secret: &Secret) -> bool {
        self.0.iter().all(|(key, values)| passes(*key, values, secret))
    }
}

fn passes(key: FilterNameStringType, values: &[String], secret: &Secret) -> bool {
    let tags = || secret.tags.iter().flatten();
    let description = || secret.description.as_deref().into_iter();
    let (how, attributes): (Match, Vec<&str>) = match key {
        FilterNameStringType::Name => (Match::Prefix, vec![&secret.name]),
        FilterNameStringType::TagKey => (Match::Prefix, tags().map(|(key, _)| key.as_str()).collect()),
        FilterNameStringType::TagValue => (Match::Prefix, tags().map(|(_, value)| value.as_str()).collect()),
        FilterNameStringType::Description => (Match::Words, description().collect()),
        FilterNameStringType::All => {
            let tags = tags().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
            (Match::Words, std::iter::once(secret.name.as_str()).chain(description()).chain(tags).collect())
        }
        // No secret here is managed by a service or a replica of another region.
        FilterNameStringType::OwningService | FilterNameStringType::PrimaryRegion => (Match::Prefix, vec![]),
    };
    values.iter().any(|value| match value.strip_prefix('!') {
        Some(value) => attributes.iter().any(|attribute| !matches(how, value, attribute)),
        None => attributes.iter().any(|attribute| matches(how, value, attribute)),
    })
}

fn matches(how: Match, value: &str, attribute: &str) -> bool {
    match how {
        Match::Prefix => attribute.starts_with(value),
        Match::Words => {
            let wanted = words(value);
            let found: Vec<String> = words(attribute).iter().map(|word| word.to_lowercase()).collect();
            let begins = |word: &String| found.iter().any(|own| own.starts_with(&word.to_lowercase()));
            !wanted.is_empty() && wanted.iter().all(begins)
        }
    }
}

/// The words of a text.
fn words(text: &str) -> Vec<String> {
    let mut kinds: Vec<char> = text.chars().filter(|letter| SEPARATORS.contains(letter)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    match kinds[..] {
        [] => split_at_capitals(text),
        [one] => text.split(one).flat_map(split_at_capitals).collect(),
        _ => vec![text.to_owned()],
    }
}

/// A word begins with any character before a small letter, if it is not one itself: `MyTest` is `My` and `Test`,
/// `COMPANYthings` is `COMPAN` and `Ythings`.
fn split_at_capitals(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let small = |index: usize| letters.get(index).is_some_and(char::is_ascii_lowercase);
    let mut words = vec![String::new()];
    let mut inside = false;
    for (index, letter) in letters.iter().enumerate() {
        let begins = !small(index) && small(index + 1);
        let ends = inside && !small(index);
        if begins || ends {
            words.push(String::new());
            inside = begins;
        }
        if let Some(word) = words.last_mut() {
            word.push(*letter);
        }
    }
    words.iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_aws_ends_them() {
        let cases: [(&str, &[&str]); 9] = [
            ("test", &["test"]),
            ("my test", &["my", "test"]),
            ("MyTestPhrase", &["My", "Test", "Phrase"]),
            ("myTest", &["my", "Test"]),
            ("my/test", &["my", "test"]),
            ("prod-AppBeta/x", &["prod-AppBeta/x"]),
            ("COMPANYthings", &["COMPAN", "Ythings"]),
            ("COMPANY", &["COMPANY"]),
            ("+", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn values_match_by_prefix_or_by_words() {
        assert!(matches(Match::Prefix, "foo", "foobar"));
        assert!(!matches(Match::Prefix, "Foo", "foobar"));
        assert!(matches(Match::Words, "o t", "one and two"));
        assert!(matches(Match::Words, "ythings", "uat/COMPANYthings/x"));
        assert!(!matches(Match::Words, "ret", "SecretOne"));
        assert!(!matches(Match::Words, "", "SecretOne"));
    }
}
