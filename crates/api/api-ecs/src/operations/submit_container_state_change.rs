//! SubmitContainerStateChange: an agent says what became of one container.

use crate::errors::Failure;
use crate::operations::submit_task_state_change::{ACKNOWLEDGED, apply_container, task_key};
use crate::shapes::{
    ContainerStateChange, SubmitContainerStateChangeRequest, SubmitContainerStateChangeResponse,
};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{Task, TaskEvent};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: SubmitContainerStateChangeRequest,
) -> Result<SubmitContainerStateChangeResponse, ServiceError> {
    let key = task_key(context, input.task.as_deref())?;
    let said = ContainerStateChange {
        container_name: input.container_name,
        exit_code: input.exit_code,
        image_digest: None,
        network_bindings: None,
        reason: input.reason,
        runtime_id: input.runtime_id,
        status: input.status,
    };
    let change = |old: &Task| {
        let mut new = old.clone();
        apply_container(&mut new, &said);
        if said.status.as_deref() == Some("RUNNING") {
            new.advance(TaskEvent::Activated, context.time);
        }
        Ok::<_, Failure>(Some(new))
    };
    tables.update(&key, change).await?;
    Ok(SubmitContainerStateChangeResponse { acknowledgment: Some(ACKNOWLEDGED.to_owned()) })
}
