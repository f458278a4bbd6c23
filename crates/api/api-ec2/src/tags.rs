//! Tags of resources, in a table of their own.

use crate::Ec2Service;
use crate::errors::{TAGS_EXCEEDED, error, store, value};
use crate::ids::Kind;
use crate::shapes::{ResourceType, Tag, TagSpecification};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::ResourceTags;
use std::collections::{BTreeMap, HashMap};
use store::Batch;

/// Most tags of a resource.
pub(crate) const MOST_TAGS: usize = 50;
/// Longest key.
const MOST_KEY: usize = 127;
/// Longest value.
const MOST_VALUE: usize = 255;

/// Values by key.
pub(crate) type TagMap = BTreeMap<String, String>;

/// The tags of an account's resources.
pub(crate) struct AllTags(HashMap<String, TagMap>);

impl AllTags {
    /// The tags of a resource, as answers have them.
    pub(crate) fn of(&self, resource: &str) -> Vec<Tag> {
        self.0.get(resource).map(render).unwrap_or_default()
    }

    /// The tags of every resource that has any.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &TagMap)> {
        self.0.iter()
    }

    /// A view for a resource that was just made.
    pub(crate) fn only(resource: &str, tags: &TagMap) -> Self {
        Self(HashMap::from([(resource.to_owned(), tags.clone())]))
    }
}

impl Ec2Service {
    /// All tags of the caller's account.
    pub(crate) async fn tags(&self, context: &RequestContext) -> Result<AllTags, ServiceError> {
        let rows = self.all::<ResourceTags>(context).await?;
        Ok(AllTags(rows.into_iter().map(|row| (row.resource.clone(), row.tags.clone())).collect()))
    }
}

/// Tags as answers have them.
pub(crate) fn render(tags: &TagMap) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

/// The tags that a request gives to what it makes.
pub(crate) fn specified(
    specifications: Option<Vec<TagSpecification>>,
    kind: &Kind,
) -> Result<TagMap, ServiceError> {
    let mut tags = TagMap::new();
    for specification in specifications.unwrap_or_default() {
        let named = specification.resource_type.map(ResourceType::as_str);
        if named != Some(kind.name) {
            return Err(value(format!(
                "'{}' is not a valid taggable resource type for this operation.",
                named.unwrap_or("null")
            )));
        }
        tags.extend(read(specification.tags.unwrap_or_default())?);
    }
    check_count(&tags)?;
    Ok(tags)
}

/// Tags of a request, checked.
pub(crate) fn read(given: Vec<Tag>) -> Result<TagMap, ServiceError> {
    let mut tags = TagMap::new();
    for Tag { key, value: text } in given {
        let (key, text) = (key.unwrap_or_default(), text.unwrap_or_default());
        if key.starts_with("aws:") {
            return Err(value(format!(
                "Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"
            )));
        }
        if key.is_empty() || key.chars().count() > MOST_KEY {
            return Err(value(format!("Tag keys must have 1 to {MOST_KEY} characters.")));
        }
        if text.chars().count() > MOST_VALUE {
            return Err(value(format!("Tag values have at most {MOST_VALUE} characters.")));
        }
        if tags.insert(key.clone(), text).is_some() {
            return Err(value(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    Ok(tags)
}

/// Refuses more tags than a resource may have.
pub(crate) fn check_count(tags: &TagMap) -> Result<(), ServiceError> {
    if tags.len() > MOST_TAGS {
        return Err(error(
            &TAGS_EXCEEDED,
            format!("The maximum number of Tags for a resource has been reached: {MOST_TAGS}."),
        ));
    }
    Ok(())
}

/// Adds the tags of something new to its transaction.
pub(crate) fn write(batch: Batch, context: &RequestContext, resource: &str, tags: &TagMap) -> Batch {
    if tags.is_empty() {
        return batch;
    }
    batch.put_any(&ResourceTags {
        account: context.account.clone(),
        resource: resource.to_owned(),
        tags: tags.clone(),
    })
}

/// Takes the tags of what is deleted away in its transaction.
pub(crate) fn delete(batch: Batch, context: &RequestContext, resource: &str) -> Batch {
    batch.delete_any::<ResourceTags>(&format!("{}/{resource}", context.account))
}

/// Writes a batch of a new resource.
pub(crate) async fn commit(batch: Batch) -> Result<(), ServiceError> {
    batch.commit().await.map(|_| ()).map_err(store)
}
