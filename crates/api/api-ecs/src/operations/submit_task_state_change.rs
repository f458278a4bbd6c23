//! SubmitTaskStateChange: an agent says what became of a task.

use crate::arns::task_id;
use crate::errors::{Failure, invalid};
use crate::shapes::{
    ContainerStateChange, ManagedAgentStateChange, SubmitTaskStateChangeRequest,
    SubmitTaskStateChangeResponse,
};
use access::{Caller, CallerKind};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{StopCode, Task, TaskEvent};
use store::Tables;

/// What agents are told when a change was taken.
pub(crate) const ACKNOWLEDGED: &str = "ACK";

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: SubmitTaskStateChangeRequest,
) -> Result<SubmitTaskStateChangeResponse, ServiceError> {
    let key = task_key(context, input.task.as_deref())?;
    let change = |old: &Task| {
        let mut new = old.clone();
        apply(&mut new, &input, context);
        Ok::<_, Failure>(Some(new))
    };
    // A task that is gone needs nothing more from its agent, which must not try again.
    tables.update(&key, change).await?;
    Ok(SubmitTaskStateChangeResponse { acknowledgment: Some(ACKNOWLEDGED.to_owned()) })
}

/// The key of the task that an agent names by its ARN.
pub(crate) fn task_key(context: &RequestContext, given: Option<&str>) -> Result<String, ServiceError> {
    let arn = given.ok_or_else(|| invalid("task should not be null."))?;
    // A host runs the tasks of every account of the region.
    let is_host = context.extensions.get::<Caller>().is_some_and(|caller| caller.kind == CallerKind::Host);
    let owner = arn.split(':').nth(4).and_then(|account| account.parse().ok()).filter(|_| is_host);
    let owner = owner.unwrap_or_else(|| context.account.clone());
    let id = task_id(&RequestContext { account: owner.clone(), ..context.clone() }, arn)?;
    let cluster = arn.rsplit('/').nth(1).filter(|_| arn.starts_with("arn:"));
    let cluster = cluster.ok_or_else(|| invalid("task must be an ARN with its cluster."))?;
    Ok(format!("{owner}/{cluster}/{id}"))
}

fn apply(task: &mut Task, input: &SubmitTaskStateChangeRequest, context: &RequestContext) {
    task.connectivity_at = task.connectivity_at.or(Some(context.time));
    task.pull_started_at = task.pull_started_at.or(input.pull_started_at);
    task.pull_stopped_at = task.pull_stopped_at.or(input.pull_stopped_at);
    for change in input.containers.iter().flatten() {
        apply_container(task, change);
    }
    for change in input.managed_agents.iter().flatten() {
        apply_managed_agent(task, change, context);
    }
    match input.status.as_deref() {
        Some("RUNNING") => {
            task.advance(TaskEvent::Started, context.time);
        }
        Some("STOPPED") => {
            note_reason(task, input.reason.as_deref());
            task.execution_stopped_at =
                task.execution_stopped_at.or(input.execution_stopped_at).or(Some(context.time));
            task.advance(TaskEvent::ContainersStopped, context.time);
        }
        // The agent reports a task that is not yet running when one of its containers is.
        _ if task.containers.iter().any(|container| container.last_status == "RUNNING") => {
            task.advance(TaskEvent::Activated, context.time);
        }
        _ => {}
    }
}

/// Notes what is said of what runs commands in a container.
fn apply_managed_agent(task: &mut Task, change: &ManagedAgentStateChange, context: &RequestContext) {
    let container = task.containers.iter_mut().find(|container| container.name == change.container_name);
    let Some(agent) = container.and_then(|container| container.exec_agent.as_mut()) else { return };
    if change.status == "RUNNING" && agent.last_status != "RUNNING" {
        agent.last_started_at = Some(context.time);
    }
    agent.last_status.clone_from(&change.status);
    agent.reason.clone_from(&change.reason);
}

/// Why a task stopped by itself, unless somebody wanted it stopped before.
fn note_reason(task: &mut Task, reason: Option<&str>) {
    if task.stop_code.is_some() {
        return;
    }
    let started =
        task.started_at.is_some() || task.containers.iter().any(|c| c.essential && c.exit_code.is_some());
    let (code, usual) = if started {
        (StopCode::EssentialContainerExited, "Essential container in task exited")
    } else {
        (StopCode::TaskFailedToStart, "Task failed to start")
    };
    task.stop_code = Some(code);
    task.stopped_reason = Some(reason.filter(|reason| !reason.is_empty()).unwrap_or(usual).to_owned());
}

/// Notes what is said of a container. What was known stays where nothing is said.
pub(crate) fn apply_container(task: &mut Task, change: &ContainerStateChange) {
    let name = change.container_name.as_deref();
    let Some(container) = task.containers.iter_mut().find(|container| Some(container.name.as_str()) == name)
    else {
        return;
    };
    if let Some(status) = &change.status
        && container.last_status != "STOPPED"
    {
        container.last_status.clone_from(status);
    }
    let keep = |old: &mut Option<String>, new: &Option<String>| {
        if let Some(new) = new.as_ref().filter(|text| !text.is_empty()) {
            *old = Some(new.clone());
        }
    };
    keep(&mut container.image_digest, &change.image_digest);
    keep(&mut container.runtime_id, &change.runtime_id);
    keep(&mut container.reason, &change.reason);
    container.exit_code = change.exit_code.or(container.exit_code);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::{Ecs as _, StopTaskRequest};
    use crate::testing::{Fixture, run_request};
    use resources::ecs::TaskStatus;

    async fn started(f: &Fixture) -> String {
        let made = f.service.run_task(&f.context, run_request()).await.expect("runs");
        let arn = made.tasks.and_then(|tasks| tasks[0].task_arn.clone()).expect("an ARN");
        let key = task_key(&f.context, Some(&arn)).expect("a key");
        let place = |old: &Task| {
            let mut new = old.clone();
            new.advance(TaskEvent::Placed, f.context.time);
            Ok::<_, Failure>(Some(new))
        };
        assert!(tables_update(f, &key, place).await);
        arn
    }

    async fn tables_update(
        f: &Fixture,
        key: &str,
        change: impl FnMut(&Task) -> Result<Option<Task>, Failure>,
    ) -> bool {
        f.tables.update(key, change).await.is_ok()
    }

    fn report(arn: &str, status: &str, code: Option<i32>) -> SubmitTaskStateChangeRequest {
        SubmitTaskStateChangeRequest {
            task: Some(arn.into()),
            status: Some(status.into()),
            containers: Some(vec![ContainerStateChange {
                container_name: Some("main".into()),
                status: Some(status.into()),
                exit_code: code,
                ..ContainerStateChange::default()
            }]),
            ..SubmitTaskStateChangeRequest::default()
        }
    }

    async fn seen(f: &Fixture, arn: &str) -> Task {
        let key = task_key(&f.context, Some(arn)).expect("a key");
        (*f.tables.get::<Task>(&key).await.expect("reads").expect("is there").value).clone()
    }

    #[tokio::test]
    async fn a_task_that_ends_by_itself() {
        let f = Fixture::prepared().await;
        let arn = started(&f).await;
        run(&f.tables, &f.context, report(&arn, "RUNNING", None)).await.expect("submits");
        assert_eq!(seen(&f, &arn).await.last_status, TaskStatus::Running);
        run(&f.tables, &f.context, report(&arn, "STOPPED", Some(3))).await.expect("submits");
        let task = seen(&f, &arn).await;
        assert_eq!(
            (task.last_status, task.stop_code),
            (TaskStatus::Deprovisioning, Some(StopCode::EssentialContainerExited))
        );
        assert_eq!(task.containers[0].exit_code, Some(3));
        run(&f.tables, &f.context, report(&arn, "RUNNING", None)).await.expect("a late report does no harm");
        assert_eq!(seen(&f, &arn).await.containers[0].last_status, "STOPPED");
    }

    #[tokio::test]
    async fn a_task_that_is_stopped_and_one_that_never_starts() {
        let f = Fixture::prepared().await;
        let arn = started(&f).await;
        run(&f.tables, &f.context, report(&arn, "RUNNING", None)).await.expect("submits");
        let stop = StopTaskRequest { task: arn.clone(), reason: Some("enough".into()), cluster: None };
        super::super::stop_task::run(&f.tables, &f.context, stop).await.expect("stops");
        run(&f.tables, &f.context, report(&arn, "STOPPED", Some(143))).await.expect("submits");
        let task = seen(&f, &arn).await;
        assert_eq!(
            (task.stop_code, task.stopped_reason.as_deref()),
            (Some(StopCode::UserInitiated), Some("enough"))
        );
        let arn = started(&f).await;
        let failed = SubmitTaskStateChangeRequest {
            reason: Some("CannotPullContainerError: x".into()),
            ..report(&arn, "STOPPED", None)
        };
        run(&f.tables, &f.context, failed).await.expect("submits");
        let task = seen(&f, &arn).await;
        assert_eq!(task.stop_code, Some(StopCode::TaskFailedToStart));
        assert_eq!(task.stopped_reason.as_deref(), Some("CannotPullContainerError: x"));
    }
}
