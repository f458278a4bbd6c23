//! Tags of namespaces and services.

use crate::errors::invalid;
use crate::shapes::{Tag, errors};
use aws_wire::{Node, ServiceError};
use resources::discovery::Tags;

/// Most tags of a resource.
const MOST: usize = 50;

/// Tags with those given put over those there were.
pub(crate) fn merged(given: Vec<Tag>, mut tags: Tags, resource: &str) -> Result<Tags, ServiceError> {
    for Tag { key, value } in given {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that start with aws: are reserved for AWS use."));
        }
        tags.insert(key, value);
    }
    if tags.len() > MOST {
        let error =
            ServiceError::new(&errors::TOO_MANY_TAGS_EXCEPTION, "A resource can have at most 50 tags.");
        return Err(error.with_member("ResourceName", Node::Text(resource.to_owned())));
    }
    Ok(tags)
}

/// As the API shows them.
pub(crate) fn shown(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect()
}
