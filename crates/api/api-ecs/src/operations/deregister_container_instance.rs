//! DeregisterContainerInstance: a machine takes no more tasks.

use crate::errors::{Failure, client};
use crate::render;
use crate::shapes::{DeregisterContainerInstanceRequest, DeregisterContainerInstanceResponse};
use aws_wire::{RequestContext, ServiceError};
use resources::ecs::{ContainerInstance, FARGATE_HOSTS, InstanceStatus};
use store::Tables;

pub(crate) async fn run(
    tables: &Tables,
    context: &RequestContext,
    input: DeregisterContainerInstanceRequest,
) -> Result<DeregisterContainerInstanceResponse, ServiceError> {
    let id = input.container_instance.rsplit('/').next().unwrap_or_default().to_owned();
    let key = format!("{}/{FARGATE_HOSTS}/{id}", context.account);
    let change = |old: &ContainerInstance| {
        Ok::<_, Failure>(Some(ContainerInstance { status: InstanceStatus::Inactive, ..old.clone() }))
    };
    let updated = tables.update(&key, change).await?;
    let updated = updated.ok_or_else(|| client("The referenced container instance was not found."))?;
    Ok(DeregisterContainerInstanceResponse {
        container_instance: Some(render::container_instance(context, &updated)),
    })
}
