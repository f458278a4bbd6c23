//! Tags of parameters.

use crate::SsmService;
use crate::errors::{invalid, no_resource, no_resource_type, store, too_many_updates};
use crate::shapes::{ResourceTypeForTagging, Tag, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::Parameter;
use store::{StoreError, Versioned};

/// Most tags of a parameter.
const MOST_TAGS: usize = 50;

/// Tags with those given put over those there were.
pub(crate) fn merged(
    given: Vec<Tag>,
    mut tags: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, ServiceError> {
    for Tag { key, value } in given {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that start with aws: are reserved for AWS use."));
        }
        match tags.iter_mut().find(|(own, _)| *own == key) {
            Some((_, own)) => *own = value,
            None => tags.push((key, value)),
        }
    }
    if tags.len() > MOST_TAGS {
        let text = format!("A parameter can have a maximum of {MOST_TAGS} tags.");
        return Err(ServiceError::new(&errors::TOO_MANY_TAGS_ERROR, text));
    }
    Ok(tags)
}

impl SsmService {
    /// The parameter that a request about tags names.
    pub(crate) async fn tagged(
        &self,
        context: &RequestContext,
        kind: ResourceTypeForTagging,
        id: &str,
    ) -> Result<Versioned<Parameter>, ServiceError> {
        if kind != ResourceTypeForTagging::Parameter {
            return Err(no_resource_type());
        }
        self.find(context, id).await?.ok_or_else(no_resource)
    }

    /// Changes the tags of a parameter.
    pub(crate) async fn retag(
        &self,
        context: &RequestContext,
        kind: ResourceTypeForTagging,
        id: &str,
        change: impl FnOnce(Vec<(String, String)>) -> Result<Vec<(String, String)>, ServiceError>,
    ) -> Result<(), ServiceError> {
        let old = self.tagged(context, kind, id).await?;
        let new = Parameter { tags: change(old.tags.clone())?, ..(*old.value).clone() };
        match self.tables.replace(&old, new).await {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(_)) => Err(too_many_updates()),
            Err(error) => Err(store(error)),
        }
    }
}
