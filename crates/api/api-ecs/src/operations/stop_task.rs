//! StopTask: wants a task stopped.

use crate::arns::{require_cluster, task_id};
use crate::errors::{Failure, invalid};
use crate::render;
use crate::shapes::{StopTaskRequest, StopTaskResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{DesiredStatus, StopCode, Task};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: StopTaskRequest,
) -> Result<StopTaskResponse, ServiceError> {
    let cluster = require_cluster(tables, context, input.cluster.as_deref()).await?;
    let id = task_id(context, &input.task)?;
    let reason = input.reason.unwrap_or_else(|| "Task stopped by user".to_owned());
    if reason.chars().count() > 1024 {
        return Err(invalid("reason has at most 1024 characters."));
    }
    let key = format!("{}/{}/{id}", context.account, cluster.name);
    let change = |old: &Task| {
        if old.desired_status == DesiredStatus::Stopped {
            return Ok::<_, Failure>(None);
        }
        let mut new = old.clone();
        new.want_stop(StopCode::UserInitiated, reason.clone(), context.time);
        Ok(Some(new))
    };
    let updated = tables.update(&key, change).await?;
    let updated = updated.ok_or_else(|| invalid("The referenced task was not found."))?;
    Ok(StopTaskResponse { task: Some(render::task(context, &updated, true)) })
}
