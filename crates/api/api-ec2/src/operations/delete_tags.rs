//! DeleteTags: takes tags from resources, those with a value only where they have it.

use crate::Ec2Service;
use crate::errors::{dry_run, store};
use crate::shapes::DeleteTagsRequest;
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::ResourceTags;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: DeleteTagsRequest,
) -> Result<(), ServiceError> {
    for id in &input.resources {
        service.require_resource(context, id).await?;
    }
    dry_run(input.dry_run)?;
    for id in &input.resources {
        let key = format!("{}/{id}", context.account);
        let change = |old: &ResourceTags| {
            let mut new = old.clone();
            match &input.tags {
                None => new.tags.clear(),
                Some(tags) => new.tags.retain(|key, value| {
                    !tags.iter().any(|tag| {
                        tag.key.as_ref() == Some(key)
                            && tag.value.as_ref().is_none_or(|wanted| wanted == value)
                    })
                }),
            }
            Ok::<_, store::StoreError>(Some(new))
        };
        service.tables.update::<ResourceTags, _>(&key, change).await.map_err(store)?;
    }
    Ok(())
}
