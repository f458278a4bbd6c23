//! Images as rules look at them.

use environment::Timestamp;
use resources::ecr::{Image, ImagePulls, ImageTag, StorageClass};
use std::collections::HashMap;

/// An image, as far as rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its digest.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// When it was pulled last, if ever.
    pub last_pulled_at: Option<Timestamp>,
    /// Where it is.
    pub storage_class: StorageClass,
    /// When it was archived last.
    pub archived_at: Option<Timestamp>,
    /// When it came back from the archive last.
    pub activated_at: Option<Timestamp>,
    /// The manifests of an index.
    pub children: Vec<String>,
    /// The image it refers to.
    pub subject: Option<String>,
    /// It stays whatever the policy says, because it is in use. It is counted all the same.
    pub in_use: bool,
}

/// The images of a repository, from its rows. None is in use as far as these say.
pub fn candidates<'r>(
    images: impl IntoIterator<Item = &'r Image>,
    tags: impl IntoIterator<Item = &'r ImageTag>,
    pulls: impl IntoIterator<Item = &'r ImagePulls>,
) -> Vec<Candidate> {
    let mut names: HashMap<&str, Vec<String>> = HashMap::new();
    for tag in tags {
        names.entry(tag.digest.as_str()).or_default().push(tag.tag.clone());
    }
    let pulled: HashMap<&str, Timestamp> =
        pulls.into_iter().map(|pulls| (pulls.digest.as_str(), pulls.last_pulled_at)).collect();
    let candidate = |image: &Image| Candidate {
        digest: image.digest.clone(),
        tags: names.remove(image.digest.as_str()).unwrap_or_default(),
        pushed_at: image.pushed_at,
        last_pulled_at: pulled.get(image.digest.as_str()).copied(),
        storage_class: image.storage_class,
        archived_at: image.archived_at,
        activated_at: image.activated_at,
        children: image.children.clone(),
        subject: image.subject.clone(),
        in_use: false,
    };
    images.into_iter().map(candidate).collect()
}
