//! GetTaskProtection.

use crate::arns::{require_cluster, task_arn, task_id};
use crate::errors::{Failure, invalid};
use crate::operations::update_task_protection::{failure, shown};
use crate::shapes::{GetTaskProtectionRequest, GetTaskProtectionResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::Task;
use store::Tables;

/// Most tasks of a request.
const MOST: usize = 100;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: GetTaskProtectionRequest,
) -> Result<GetTaskProtectionResponse, ServiceError> {
    let cluster = require_cluster(tables, context, Some(&input.cluster)).await?;
    let tasks = input.tasks.unwrap_or_default();
    if !(1..=MOST).contains(&tasks.len()) {
        return Err(invalid(format!("tasks must have 1 to {MOST} elements.")));
    }
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for given in &tasks {
        let id = task_id(context, given)?;
        let key = format!("{}/{}/{id}", context.account, cluster.name);
        let arn = task_arn(context, &cluster.name, &id);
        match tables.get::<Task>(&key).await.map_err(Failure::from)? {
            Some(task) if task.service.is_some() => protected.push(shown(arn, &task, context.time)),
            Some(_) => failures.push(failure(arn, "TASK_NOT_VALID")),
            None => failures.push(failure(arn, "MISSING")),
        }
    }
    Ok(GetTaskProtectionResponse { protected_tasks: Some(protected), failures: Some(failures) })
}
