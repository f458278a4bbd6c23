//! UpdateTaskProtection: tasks of services that neither scaling in nor a deployment may stop for a while.

use crate::arns::{require_cluster, task_arn, task_id};
use crate::errors::{Failure, invalid};
use crate::shapes::{self as wire, UpdateTaskProtectionRequest, UpdateTaskProtectionResponse};
use aws_wire::{RequestContext, ServiceError};
use environment::Timestamp;
use resources::ecs::{DesiredStatus, Task};
use std::time::Duration;
use store::Tables;

/// Most tasks of a request.
const MOST: usize = 10;
/// Minutes of protection when the request does not say.
const USUAL: i32 = 120;
/// Most minutes of protection.
const MOST_MINUTES: i32 = 2_880;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: UpdateTaskProtectionRequest,
) -> Result<UpdateTaskProtectionResponse, ServiceError> {
    let UpdateTaskProtectionRequest { cluster, expires_in_minutes, protection_enabled, tasks } = input;
    let cluster = require_cluster(tables, context, Some(&cluster)).await?;
    if !(1..=MOST).contains(&tasks.len()) {
        return Err(invalid(format!("tasks must have 1 to {MOST} elements.")));
    }
    let minutes = expires_in_minutes.unwrap_or(USUAL);
    if !(1..=MOST_MINUTES).contains(&minutes) {
        return Err(invalid(format!("expiresInMinutes must be between 1 and {MOST_MINUTES}.")));
    }
    let time = Duration::from_secs(u64::try_from(minutes).unwrap_or_default() * 60);
    let until = protection_enabled.then(|| context.time + time);
    let (mut protected, mut failures) = (Vec::new(), Vec::new());
    for given in &tasks {
        let id = task_id(context, given)?;
        let change = |old: &Task| {
            let valid = old.service.is_some() && old.desired_status == DesiredStatus::Running;
            Ok::<_, Failure>(valid.then(|| Task { protected_until: until, ..old.clone() }))
        };
        let key = format!("{}/{}/{id}", context.account, cluster.name);
        let found = tables.update(&key, change).await?;
        let arn = task_arn(context, &cluster.name, &id);
        match found {
            Some(task) if task.service.is_none() => failures.push(failure(arn, "TASK_NOT_VALID")),
            Some(task) if task.desired_status == DesiredStatus::Running => {
                protected.push(shown(arn, &task, context.time));
            }
            Some(_) => failures.push(failure(arn, "TASK_NOT_VALID")),
            None => failures.push(failure(arn, "MISSING")),
        }
    }
    Ok(UpdateTaskProtectionResponse { protected_tasks: Some(protected), failures: Some(failures) })
}

pub(crate) fn failure(arn: String, reason: &str) -> wire::Failure {
    wire::Failure { arn: Some(arn), reason: Some(reason.to_owned()), detail: None }
}

/// The protection of a task, which ends by itself.
pub(crate) fn shown(arn: String, task: &Task, now: Timestamp) -> wire::ProtectedTask {
    let until = task.protected_until.filter(|until| *until > now);
    wire::ProtectedTask {
        task_arn: Some(arn),
        protection_enabled: Some(until.is_some()),
        expiration_date: until,
    }
}
