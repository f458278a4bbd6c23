//! Tags of parameters and documents.

use crate::SsmService;
use crate::errors::{invalid, no_resource, no_resource_type, store, too_many_updates};
use crate::shapes::{ResourceTypeForTagging, Tag, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::ssm::{Document, Parameter};
use store::{StoreError, Versioned};

/// Most tags of a parameter or a document.
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

/// What can have tags.
pub(crate) enum Tagged {
    /// A parameter.
    Parameter(Versioned<Parameter>),
    /// A document.
    Document(Versioned<Document>),
}

impl Tagged {
    pub(crate) fn tags(&self) -> &[(String, String)] {
        match self {
            Self::Parameter(parameter) => &parameter.tags,
            Self::Document(document) => &document.tags,
        }
    }
}

impl SsmService {
    /// What a request about tags names.
    pub(crate) async fn tagged(
        &self,
        context: &RequestContext,
        kind: ResourceTypeForTagging,
        id: &str,
    ) -> Result<Tagged, ServiceError> {
        let found = match kind {
            ResourceTypeForTagging::Parameter => self.find(context, id).await?.map(Tagged::Parameter),
            ResourceTypeForTagging::Document => {
                let found = self.find_document(context, id).await?;
                found.filter(|document| document.account == context.account.as_str()).map(Tagged::Document)
            }
            _ => return Err(no_resource_type()),
        };
        found.ok_or_else(no_resource)
    }

    /// Changes tags.
    pub(crate) async fn retag(
        &self,
        context: &RequestContext,
        kind: ResourceTypeForTagging,
        id: &str,
        change: impl FnOnce(Vec<(String, String)>) -> Result<Vec<(String, String)>, ServiceError>,
    ) -> Result<(), ServiceError> {
        let old = self.tagged(context, kind, id).await?;
        let tags = change(old.tags().to_vec())?;
        let written = match &old {
            Tagged::Parameter(old) => {
                self.tables.replace(old, Parameter { tags, ..(*old.value).clone() }).await.map(drop)
            }
            Tagged::Document(old) => {
                self.tables.replace(old, Document { tags, ..(*old.value).clone() }).await.map(drop)
            }
        };
        match written {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict(_)) => Err(too_many_updates()),
            Err(error) => Err(store(error)),
        }
    }
}
