//! DeleteTaskDefinitions: deregistered revisions go away once no task uses them.

use crate::arns::{arn, definition_name, find_definition};
use crate::errors::{Failure, invalid};
use crate::render;
use crate::shapes::{self as wire, DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{DefinitionStatus, TaskDefinition};
use store::Tables;

/// Most task definitions of a request.
const MOST: usize = 10;
/// Why what names no revision is not deleted.
const INVALID: &str =
    "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.";

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
        if !definition_name(context, given).is_ok_and(|name| name.revision.is_some()) {
            failures.push(failure(given.clone(), INVALID));
            continue;
        }
        match delete(tables, context, given).await? {
            Ok(definition) => deleted.push(definition),
            Err(reason) if given.starts_with("arn:") => failures.push(failure(given.clone(), reason)),
            Err(reason) => failures.push(failure(arn(context, format!("task-definition/{given}")), reason)),
        }
    }
    Ok(DeleteTaskDefinitionsResponse { task_definitions: Some(deleted), failures: Some(failures) })
}

fn failure(arn: String, reason: &str) -> wire::Failure {
    wire::Failure { arn: Some(arn), reason: Some(reason.to_owned()), detail: None }
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
