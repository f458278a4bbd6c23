//! DeleteTaskDefinitions: deregistered revisions go away once no task uses them.

use crate::arns::{arn, definition_name, find_definition};
use crate::errors::{Failure, client, invalid};
use crate::render;
use crate::shapes::{self as wire, DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{DefinitionStatus, TaskDefinition};
use store::Tables;

/// Most task definitions of a request.
const MOST: usize = 10;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeleteTaskDefinitionsRequest,
) -> Result<DeleteTaskDefinitionsResponse, ServiceError> {
    if !(1..=MOST).contains(&input.task_definitions.len()) {
        return Err(invalid(format!("taskDefinitions must have 1 to {MOST} elements.")));
    }
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    for given in &input.task_definitions {
        if definition_name(context, given)?.revision.is_none() {
            return Err(client(format!(
                "Missing revision: {given}. Name each task definition as family:revision."
            )));
        }
        match delete(tables, context, given).await? {
            Ok(definition) => deleted.push(definition),
            Err(reason) => failures.push(wire::Failure {
                arn: Some(if given.starts_with("arn:") {
                    given.clone()
                } else {
                    arn(context, format!("task-definition/{given}"))
                }),
                reason: Some(reason.to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DeleteTaskDefinitionsResponse { task_definitions: Some(deleted), failures: Some(failures) })
}

async fn delete(
    tables: &Tables,
    context: &RequestContext,
    given: &str,
) -> Result<Result<wire::TaskDefinition, &'static str>, Failure> {
    let Some(found) = find_definition(tables, context, given).await? else {
        return Ok(Err(
            "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
        ));
    };
    if found.status == DefinitionStatus::Active {
        return Ok(Err(
            "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
        ));
    }
    let change = |old: &TaskDefinition| {
        Ok::<_, Failure>(Some(TaskDefinition { status: DefinitionStatus::DeleteInProgress, ..old.clone() }))
    };
    let updated = tables.update(&found.key(), change).await?.unwrap_or(found);
    Ok(Ok(render::definition(context, &updated)))
}
