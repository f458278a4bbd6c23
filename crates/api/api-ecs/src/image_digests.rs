//! Which image a tag of this region's registry means now. A service revision keeps it, so that all its tasks run the same.

use crate::errors::Failure;
use aws_wire::RequestContext;
use identifiers::AccountId;
use resources::ecr::{ImageTag, RegistryHosts, rows_of};
use resources::ecs::TaskDefinition;
use std::collections::BTreeMap;
use store::Tables;

/// The tag of images without one.
const USUAL_TAG: &str = "latest";

/// Digests of the containers' images, as far as this region has them. The others are known when one was pulled; those that each
/// task decides anew never are.
pub(crate) async fn resolve(
    tables: &Tables,
    registry: &RegistryHosts,
    context: &RequestContext,
    definition: &TaskDefinition,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut digests = BTreeMap::new();
    for container in definition.containers.iter().filter(|own| own.is_pinned()) {
        if let Some((_, digest)) = container.image.split_once('@') {
            digests.insert(container.name.clone(), digest.to_owned());
            continue;
        }
        if !registry.have(&container.image) {
            continue;
        }
        let Some(key) = tag_key(&context.account, &container.image) else { continue };
        if let Some(tag) = tables.get::<ImageTag>(&key).await? {
            digests.insert(container.name.clone(), tag.digest.clone());
        }
    }
    Ok(digests)
}

/// Key of the tag that an image of the region's registry names; the account is in the host or the caller's.
fn tag_key(own: &AccountId, image: &str) -> Option<String> {
    let (host, path) = image.split_once('/')?;
    let account = host.split('.').next().and_then(|first| first.parse::<AccountId>().ok());
    let (repository, tag) = path.split_once(':').unwrap_or((path, USUAL_TAG));
    Some(rows_of(account.as_ref().unwrap_or(own), repository) + tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_by_the_names_of_images() {
        let own: AccountId = "123456789012".parse().expect("an account");
        for (image, key) in [
            ("localhost:4566/web", "123456789012/web@latest"),
            ("localhost:4566/a/web:1", "123456789012/a/web@1"),
            ("210987654321.dkr.ecr.us-east-1.localhost:4566/web:2", "210987654321/web@2"),
        ] {
            assert_eq!(tag_key(&own, image).as_deref(), Some(key));
        }
    }
}
