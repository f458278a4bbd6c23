//! What the three tag operations share: which resource an ARN names, and its tags.

use crate::arns::own_resource;
use crate::errors::{Failure, invalid};
use crate::shapes::errors;
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{Cluster, Service, Tag, Task, TaskDefinition};
use store::{StoreError, Tables};

/// Reads the tags of a resource and, when `change` returns some, replaces them.
pub(crate) async fn change(
    tables: &Tables,
    context: &RequestContext,
    arn: &str,
    change: impl Fn(&[Tag]) -> Result<Option<Vec<Tag>>, ServiceError> + Send,
) -> Result<Vec<Tag>, ServiceError> {
    let missing =
        || ServiceError::new(&errors::RESOURCE_NOT_FOUND_EXCEPTION, "The specified resource is not found.");
    let own = |kind: &str| own_resource(context, arn, kind);
    let account = &context.account;
    let changed = if let Some(name) = own("cluster") {
        let with = |old: &Cluster, tags| Cluster { tags, ..old.clone() };
        update(tables, &format!("{account}/{name}"), |row: &Cluster| &row.tags, with, change).await?
    } else if let Some((cluster, id)) = own("task").as_deref().and_then(|rest| rest.split_once('/')) {
        let with = |old: &Task, tags| Task { tags, ..old.clone() };
        update(tables, &format!("{account}/{cluster}/{id}"), |row: &Task| &row.tags, with, change).await?
    } else if let Some((cluster, name)) = own("service").as_deref().and_then(|rest| rest.split_once('/')) {
        let with = |old: &Service, tags| Service { tags, ..old.clone() };
        update(tables, &format!("{account}/{cluster}/{name}"), |row: &Service| &row.tags, with, change)
            .await?
    } else if let Some((family, revision)) =
        own("task-definition").as_deref().and_then(|rest| rest.split_once(':'))
    {
        let revision: u32 = revision.parse().map_err(|_| missing())?;
        let key = TaskDefinition::key_of(account, family, revision);
        let with = |old: &TaskDefinition, tags| TaskDefinition { tags, ..old.clone() };
        update(tables, &key, |row: &TaskDefinition| &row.tags, with, change).await?
    } else {
        return Err(invalid(format!("The specified resource ARN is invalid: {arn}")));
    };
    changed.ok_or_else(missing)
}

async fn update<T: Stored>(
    tables: &Tables,
    key: &str,
    tags: impl Fn(&T) -> &Vec<Tag>,
    with: impl Fn(&T, Vec<Tag>) -> T,
    change: impl Fn(&[Tag]) -> Result<Option<Vec<Tag>>, ServiceError>,
) -> Result<Option<Vec<Tag>>, Failure> {
    let updated = tables
        .update::<T, Failure>(key, |old| Ok(change(tags(old))?.map(|changed| with(old, changed))))
        .await?;
    Ok::<_, StoreError>(updated.map(|row| tags(&row).clone())).map_err(Failure::from)
}
