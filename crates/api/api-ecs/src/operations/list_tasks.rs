//! ListTasks.

use crate::arns::{require_cluster, task_arn};
use crate::errors::Failure;
use crate::paging;
use crate::refuse::refuse;
use crate::service::require_service;
use crate::shapes::{DesiredStatus as Wanted, LaunchType, ListTasksRequest, ListTasksResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecs::{DesiredStatus, Task};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: ListTasksRequest,
) -> Result<ListTasksResponse, ServiceError> {
    let ListTasksRequest {
        cluster,
        container_instance,
        daemon_name,
        desired_status,
        family,
        launch_type,
        max_results,
        next_token,
        service_name,
        started_by,
    } = input;
    refuse(daemon_name.is_some(), "daemonName")?;
    let cluster = require_cluster(tables, context, cluster.as_deref()).await?;
    let wanted = desired_status.unwrap_or(Wanted::Running);
    let scope = format!(
        "tasks {} {wanted:?} {family:?} {launch_type:?} {started_by:?} {service_name:?}",
        cluster.name
    );
    let page = paging::request(next_token.as_deref(), max_results, scope)?;
    let service = match &service_name {
        Some(given) => Some(require_service(tables, context, &cluster.name, given).await?.name.clone()),
        None => None,
    };
    // No task runs on an instance a user can name, and PENDING is never a desired status.
    let none = container_instance.is_some()
        || wanted == Wanted::Pending
        || launch_type.is_some_and(|launch_type| launch_type != LaunchType::Fargate);
    let matches = |task: &Task| {
        let status = if wanted == Wanted::Stopped { DesiredStatus::Stopped } else { DesiredStatus::Running };
        !none
            && task.desired_status == status
            && service.as_ref().is_none_or(|service| task.service.as_ref() == Some(service))
            && family.as_ref().is_none_or(|family| task.family == *family)
            && started_by.as_ref().is_none_or(|text| task.started_by.as_ref() == Some(text))
    };
    let prefix = format!("{}/{}/", context.account, cluster.name);
    let rows = tables.list_all::<Task>(&prefix).await.map_err(Failure::from)?;
    let mut rows = rows
        .iter()
        .filter(|task| page.after.as_ref().is_none_or(|after| task.key() > *after))
        .filter(|task| matches(task));
    let shown: Vec<_> = rows.by_ref().take(page.limit).collect();
    let next_token = rows.next().and_then(|_| shown.last()).map(|last| page.token(&last.key()));
    let arns = shown.iter().map(|task| task_arn(context, &task.cluster, &task.id)).collect();
    Ok(ListTasksResponse { task_arns: Some(arns), next_token })
}
