//! DescribeTasks.

use crate::arns::{require_cluster, task_arn, task_id};
use crate::errors::{Failure, invalid};
use crate::render;
use crate::shapes::{self as wire, DescribeTasksRequest, DescribeTasksResponse, TaskField};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::Task;
use store::Tables;

/// Most tasks of a request.
const MOST: usize = 100;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DescribeTasksRequest,
) -> Result<DescribeTasksResponse, ServiceError> {
    let cluster = require_cluster(tables, context, input.cluster.as_deref()).await?;
    if !(1..=MOST).contains(&input.tasks.len()) {
        return Err(invalid(format!("Tasks must have 1 to {MOST} elements.")));
    }
    let with_tags = input.include.is_some_and(|include| include.contains(&TaskField::Tags));
    let ids = input.tasks.iter().map(|task| task_id(context, task)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<String> =
        ids.iter().map(|id| format!("{}/{}/{id}", context.account, cluster.name)).collect();
    let found = tables.get_many::<Task>(&keys).await.map_err(Failure::from)?;
    let (mut tasks, mut failures) = (Vec::with_capacity(found.len()), Vec::new());
    for (id, task) in ids.iter().zip(found) {
        match task {
            Some(task) => tasks.push(render::task(context, &task, with_tags)),
            None => failures.push(wire::Failure {
                arn: Some(task_arn(context, &cluster.name, id)),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(DescribeTasksResponse { tasks: Some(tasks), failures: Some(failures) })
}
