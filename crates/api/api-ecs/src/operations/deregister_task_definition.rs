//! DeregisterTaskDefinition: a revision becomes `INACTIVE`.

use crate::arns::{definition_name, find_definition};
use crate::errors::{Failure, client};
use crate::render;
use crate::shapes::{DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{DefinitionStatus, TaskDefinition};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeregisterTaskDefinitionRequest,
) -> Result<DeregisterTaskDefinitionResponse, ServiceError> {
    if definition_name(context, &input.task_definition)?.revision.is_none() {
        return Err(client("Revision is missing."));
    }
    let missing = || client("The specified task definition does not exist.");
    let found = find_definition(tables, context, &input.task_definition).await?.ok_or_else(missing)?;
    let change = |old: &TaskDefinition| {
        Ok::<_, Failure>((old.status == DefinitionStatus::Active).then(|| TaskDefinition {
            status: DefinitionStatus::Inactive,
            deregistered_at: Some(context.time),
            ..old.clone()
        }))
    };
    let updated = tables.update(&found.key(), change).await?.ok_or_else(missing)?;
    Ok(DeregisterTaskDefinitionResponse { task_definition: Some(render::definition(context, &updated)) })
}
