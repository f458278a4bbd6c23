//! Tags of secrets.

use crate::errors::invalid_parameter;
use crate::shapes::Tag;
use aws_wire::ServiceError;

/// Most tags of a secret.
const MOST_TAGS: usize = 50;

/// Tags with those given put over those there were.
pub(crate) fn merged(
    given: Vec<Tag>,
    mut tags: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, ServiceError> {
    for tag in given {
        let Some(key) = tag.key.filter(|key| !key.is_empty()) else {
            return Err(invalid_parameter("You must provide a key for every tag."));
        };
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid_parameter("Tag keys that start with aws: are reserved for AWS use."));
        }
        let value = tag.value.unwrap_or_default();
        match tags.iter_mut().find(|(own, _)| *own == key) {
            Some((_, own)) => *own = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MOST_TAGS {
        return Err(invalid_parameter("A secret can have at most 50 tags."));
    }
    Ok(tags)
}

/// As the API shows them.
pub(crate) fn shown(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}
