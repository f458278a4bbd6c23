//! Tags.

use crate::errors::{Failure, other, validation};
use crate::shapes::{Tag, errors};
use resources::elb::Tags;

/// Most tags of a resource.
const MOST: usize = 50;

/// Checks the tags of a new resource.
pub(crate) fn new(given: Option<Vec<Tag>>) -> Result<Tags, Failure> {
    put(&Tags::new(), given.unwrap_or_default())
}

/// `old` with `given` put over it.
pub(crate) fn put(old: &Tags, given: Vec<Tag>) -> Result<Tags, Failure> {
    let mut tags = old.clone();
    for (index, tag) in given.iter().enumerate() {
        if tag.key.starts_with("aws:") {
            return Err(validation("Tag keys that begin with 'aws:' are reserved"));
        }
        if given[..index].iter().any(|other| other.key == tag.key) {
            return Err(other(
                &errors::DUPLICATE_TAG_KEYS_EXCEPTION,
                format_args!("The tag key '{}' is specified more than once", tag.key),
            ));
        }
    }
    for Tag { key, value } in given {
        let value = value.unwrap_or_default();
        match tags.iter_mut().find(|(old, _)| *old == key) {
            Some(tag) => tag.1 = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MOST {
        return Err(other(
            &errors::TOO_MANY_TAGS_EXCEPTION,
            format_args!("The number of tags cannot be more than {MOST}"),
        ));
    }
    Ok(tags)
}

/// As answers show them.
pub(crate) fn shown(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: Some(value.clone()) }).collect()
}
