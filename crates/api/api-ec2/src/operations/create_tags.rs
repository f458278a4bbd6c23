//! CreateTags: adds tags to resources, or gives them other values.

use crate::Ec2Service;
use crate::errors::{dry_run, store};
use crate::shapes::CreateTagsRequest;
use crate::tags::{check_count, read};
use aws_wire::{RequestContext, ServiceError};
use resources::ec2::ResourceTags;

/// Attempts while others write the same tags.
const MOST_ATTEMPTS: usize = 16;

pub(crate) async fn run(
    service: &Ec2Service,
    context: &RequestContext,
    input: CreateTagsRequest,
) -> Result<(), ServiceError> {
    let tags = read(input.tags)?;
    for id in &input.resources {
        service.require_resource(context, id).await?;
    }
    dry_run(input.dry_run)?;
    for _ in 0..MOST_ATTEMPTS {
        let mut batch = service.tables.batch();
        for id in &input.resources {
            let old = service.find::<ResourceTags>(context, id).await?;
            let mut new = old.as_ref().map(|old| old.tags.clone()).unwrap_or_default();
            new.extend(tags.clone());
            check_count(&new)?;
            let new = ResourceTags { account: context.account.clone(), resource: id.clone(), tags: new };
            batch = match &old {
                Some(old) => batch.replace(old, &new),
                None => batch.create(&new),
            };
        }
        match batch.commit().await {
            Ok(_) => return Ok(()),
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(store(failure)),
        }
    }
    Err(store(store::StoreError::Conflict(String::new())))
}
